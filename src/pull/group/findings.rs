//! What a pull finds, said once.

use super::Group;
use crate::catalogue::FindingRow;
use crate::error::Result;
use crate::object::{Fact, FindingRecord};
use crate::pull::words::Frame;
use crate::store::Entry;

impl Group<'_, '_> {
    /// Adds a finding, made with the next free number, unless one like it is open.
    pub(in crate::pull) fn finding(
        &mut self,
        make: impl FnOnce(&Frame<'_>) -> FindingRecord,
    ) -> Result<()> {
        let finding = self.framed(make);
        if !self
            .shelf
            .catalogue()
            .is_open(self.shelf.name(), &finding)?
        {
            self.next_finding += 1;
            self.push(Entry::Fact(Fact::Finding(finding)), 0);
        }
        Ok(())
    }

    /// As [`Group::finding`], of what happened tonight and is not found again: said whatever is open, but
    /// in the very same words.
    pub(in crate::pull) fn finding_of_tonight(
        &mut self,
        make: impl FnOnce(&Frame<'_>) -> FindingRecord,
    ) -> Result<()> {
        let finding = self.framed(make);
        let same = |row: &FindingRow| row.ack.is_none() && is_same(&row.finding, &finding);
        if !self.found(&finding.kind)?.iter().any(same) {
            self.next_finding += 1;
            self.push(Entry::Fact(Fact::Finding(finding)), 0);
        }
        Ok(())
    }

    /// As [`Group::finding`], of what is found again in every night: not once the owner has acknowledged
    /// it, until there is more of it.
    pub(in crate::pull) fn finding_that_stays(
        &mut self,
        make: impl FnOnce(&Frame<'_>) -> FindingRecord,
    ) -> Result<()> {
        let finding = self.framed(make);
        let seen = |row: &FindingRow| row.ack.is_some() && is_same(&row.finding, &finding);
        match self.found(&finding.kind)?.iter().any(seen) {
            true => Ok(()),
            false => self.finding(|_| finding),
        }
    }

    fn framed(&self, make: impl FnOnce(&Frame<'_>) -> FindingRecord) -> FindingRecord {
        let source = self.shelf.name().to_string();
        make(&Frame {
            source: &source,
            number: self.next_finding,
            at: self.clock.now(),
        })
    }

    /// What was found of this kind, ever.
    fn found(&self, kind: &str) -> Result<Vec<FindingRow>> {
        self.shelf.catalogue().findings_of(self.shelf.name(), kind)
    }
}

/// Whether two findings say the same of the same.
fn is_same(one: &FindingRecord, other: &FindingRecord) -> bool {
    one.key == other.key
        && one.advice.what == other.advice.what
        && one.advice.evidence == other.advice.evidence
}
