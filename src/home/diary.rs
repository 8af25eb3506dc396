//! What work other than a pull writes into a source's journal: only where it has something to say.

use super::{PROGRAM, Shelf};
use crate::error::Result;
use crate::object::{
    Advice, Care, Clock, Fact, FindingRecord, RunCounts, RunEnd, RunStart, Severity, Timestamp,
};
use crate::store::Entry;

/// Entries of a group.
const ENTRIES: usize = 1000;

/// One source's lines of a run.
pub struct Diary<'c> {
    command: &'static str,
    clock: &'c Clock,
    begun: bool,
    entries: Vec<Entry>,
}

impl<'c> Diary<'c> {
    /// Nothing is written before the first line.
    pub fn new(command: &'static str, clock: &'c Clock) -> Self {
        Self {
            command,
            clock,
            begun: false,
            entries: Vec::new(),
        }
    }

    /// Now, by the clock of the lines.
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Adds a line that claims no bytes; a full group is written.
    pub fn add(&mut self, shelf: &mut Shelf<'_>, fact: Fact) -> Result<()> {
        self.enter(shelf, Entry::Fact(fact))
    }

    /// Adds something to be done; a full group is written.
    pub fn enter(&mut self, shelf: &mut Shelf<'_>, entry: Entry) -> Result<()> {
        if !std::mem::replace(&mut self.begun, true) {
            self.entries.push(Entry::Fact(Fact::RunStart(RunStart {
                at: self.now(),
                command: self.command.to_owned(),
                program: PROGRAM.to_owned(),
                key: None,
                bucket: None,
                prefix: None,
            })));
        }
        self.entries.push(entry);
        match self.entries.len() >= ENTRIES {
            true => self.flush(shelf),
            false => Ok(()),
        }
    }

    /// Writes what there is, and records it. After an error nothing of it is written; what comes next
    /// begins with the first line again.
    pub fn flush(&mut self, shelf: &mut Shelf<'_>) -> Result<()> {
        let entries = std::mem::take(&mut self.entries);
        let first = matches!(entries.first(), Some(Entry::Fact(Fact::RunStart(_))));
        let done = shelf.commit(entries);
        self.begun &= done.is_ok() || !first;
        done
    }

    /// The last line, if there was a first one.
    pub fn close(&mut self, shelf: &mut Shelf<'_>, ended: &str) -> Result<()> {
        if self.begun {
            let end = Fact::RunEnd(RunEnd {
                at: self.now(),
                ended: ended.to_owned(),
                error: None,
                counts: RunCounts::default(),
            });
            self.add(shelf, end)?;
        }
        self.flush(shelf)
    }

    /// Something that is wrong until the owner acknowledges it.
    pub fn finding(
        &mut self,
        shelf: &mut Shelf<'_>,
        kind: Care,
        severity: Severity,
        advice: Advice,
    ) -> Result<()> {
        // Its number follows those that are recorded.
        self.flush(shelf)?;
        let number = shelf.catalogue().next_finding_number(shelf.name())?;
        let finding = FindingRecord {
            id: format!("{}-{number}", shelf.name()),
            kind: kind.to_string(),
            severity,
            key: None,
            identity: None,
            advice,
            at: self.now(),
        };
        self.add(shelf, Fact::Finding(finding))?;
        self.flush(shelf)
    }

    /// The same, unless one of its kind with this evidence was made before.
    pub fn finding_once(
        &mut self,
        shelf: &mut Shelf<'_>,
        kind: Care,
        severity: Severity,
        advice: Advice,
    ) -> Result<()> {
        self.finding_since(shelf, kind, severity, advice, Timestamp::MIN)
    }

    /// The same, unless one was made at `since` or later: what was well in between is said again.
    pub fn finding_since(
        &mut self,
        shelf: &mut Shelf<'_>,
        kind: Care,
        severity: Severity,
        advice: Advice,
        since: Timestamp,
    ) -> Result<()> {
        match shelf
            .catalogue()
            .was_said(shelf.name(), kind.as_str(), &advice.evidence, since)?
        {
            true => Ok(()),
            false => self.finding(shelf, kind, severity, advice),
        }
    }

    /// The journal is not what was written. Said once: the place stays in the journal for good.
    pub fn journal_broken(&mut self, shelf: &mut Shelf<'_>, evidence: String) -> Result<()> {
        let advice = Advice {
            what: format!("the journal of {} is not what was written", shelf.name()),
            evidence,
            next: "a failing drive, or somebody changed it: look at the drive's health (smartctl), and compare `offsite log --verify --head H` with a head that you were told. Files that only doubtful lines speak of were read and are what they say".to_owned(),
        };
        self.finding_once(shelf, Care::JournalBroken, Severity::Alarm, advice)
    }
}
