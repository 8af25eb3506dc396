//! The first store's journal, group by group.

use super::batch::Batch;
use super::step::{Step, Wanted, area, step};
use super::{Lack, Mirror};
use crate::error::Result;
use crate::object::{
    Ack, Fact, Identity, JournalPosition, ObjectKey, Record, RunCounts, Sha256, SourceName, State,
    StoredVersion, Timestamp,
};

/// Following one source.
pub(super) struct Follow<'f, 'b, 'h> {
    pub(super) mirror: &'f Mirror<'f>,
    pub(super) batch: Batch<'b, 'h>,
    pub(super) each: &'f mut dyn FnMut(&Lack) -> Result<()>,
    /// Whether this is the first group that is met: a run that was cut off may have done a part
    /// of it.
    met_before: bool,
}

impl<'f, 'b, 'h> Follow<'f, 'b, 'h> {
    pub(super) fn new(
        mirror: &'f Mirror<'f>,
        batch: Batch<'b, 'h>,
        each: &'f mut dyn FnMut(&Lack) -> Result<()>,
    ) -> Self {
        Self {
            mirror,
            batch,
            each,
            met_before: true,
        }
    }

    pub(super) fn counts(&self) -> RunCounts {
        self.batch.counts
    }

    pub(super) fn name(&self) -> SourceName {
        self.batch.shelf().name().clone()
    }

    /// Everything after `after`, then what earlier runs could not get. False where the owner
    /// wished for an end.
    pub(super) fn whole(
        &mut self,
        after: Option<&JournalPosition>,
        until: &JournalPosition,
    ) -> Result<bool> {
        let lacked = self.batch.shelf().catalogue().highest_row()?;
        let (mirror, name) = (self.mirror, self.name());
        let mut through = true;
        mirror
            .first
            .follow(&name, after, until, &mut |records, position| {
                through = self.group(records)?;
                if through {
                    self.batch.taken_to(position);
                    self.met_before = false;
                }
                Ok(through)
            })?;
        if !through || !self.lacked(lacked)? {
            return Ok(false);
        }
        self.batch.is_through();
        Ok(true)
    }

    /// Records what is collected, with the run's last line.
    pub(super) fn end(mut self, end: Fact) -> Result<(RunCounts, Option<Sha256>)> {
        self.batch.fact(end);
        self.batch.commit()?;
        Ok((self.batch.counts, self.batch.head()))
    }

    fn group(&mut self, records: Vec<Record>) -> Result<bool> {
        for record in records {
            if self.mirror.stop.requested() || !self.record(record)? {
                return Ok(false);
            }
            if self.batch.is_full() {
                self.batch.commit()?;
            }
        }
        Ok(true)
    }

    fn record(&mut self, record: Record) -> Result<bool> {
        match step(record) {
            Step::Bytes(wanted) => self.bytes(*wanted),
            Step::Touch(wanted) => self.touch(*wanted),
            Step::Promote(key, identity, at) => self.promote(&key, &identity, at).map(|()| true),
            Step::Lost(fact) => self.lost(fact).map(|()| true),
            Step::Fact(fact) => self.fact(fact).map(|()| true),
            Step::Nothing => Ok(true),
        }
    }

    /// The mirror's row of a version.
    pub(super) fn row(
        &self,
        key: &ObjectKey,
        identity: &Identity,
    ) -> Result<Option<StoredVersion>> {
        let shelf = self.batch.shelf();
        shelf.catalogue().by_identity(shelf.name(), key, identity)
    }

    /// What is in the diary by its own name is not written twice.
    fn fact(&mut self, fact: Fact) -> Result<()> {
        let known = match &fact {
            Fact::Event(event) if self.met_before => {
                let catalogue = self.batch.shelf().catalogue();
                catalogue.has_event(&self.name(), event)?
            }
            Fact::Ack(ack) => !self.concerns(ack)?,
            _ => false,
        };
        if !known {
            self.batch.fact(fact);
        }
        Ok(())
    }

    /// Whether what the owner acknowledged in the first store came here, and is not acknowledged by this
    /// very word. What either drive did by itself is none of the other's: where the first store is a
    /// mirror, too, its own findings have the names of those of this one.
    fn concerns(&mut self, ack: &Ack) -> Result<bool> {
        // The finding may be of this batch.
        self.batch.commit()?;
        let row = self.batch.shelf().catalogue().finding(&ack.finding)?;
        Ok(row.is_some_and(|row| row.finding.care().is_none() && row.ack.as_ref() != Some(ack)))
    }

    /// A new identity of bytes that are here. Where they are not, because the first store had them not
    /// whole when they came, they are asked for again.
    fn touch(&mut self, wanted: Wanted) -> Result<bool> {
        self.batch.settle(&wanted.key)?;
        match self.own_path(&wanted)? {
            Some(path) => {
                self.batch.counts.touched += 1;
                self.batch.fact(touch_of(wanted, path));
                Ok(true)
            }
            None => {
                let (key, identity) = (wanted.key.clone(), wanted.identity.clone());
                self.pending(wanted)?;
                self.batch.settle(&key)?;
                let row = self.row(&key, &identity)?;
                row.map_or(Ok(true), |row| self.again(&row))
            }
        }
    }

    /// Where the mirror has these bytes of this key, relative to the source's folder: by the same
    /// name, in the same part, or anywhere.
    fn own_path(&self, wanted: &Wanted) -> Result<Option<String>> {
        let shelf = self.batch.shelf();
        let folder = format!("{}/", shelf.name());
        let mut best: Option<(u8, String)> = None;
        let mut each = |row: StoredVersion| {
            let path = row.path.as_deref().and_then(|p| p.strip_prefix(&folder));
            if let Some(path) = path
                && row.sha256 == Some(wanted.recorded.sha256)
                && row.state != State::Quarantined
            {
                let like = match path == wanted.path {
                    true => 2,
                    false => u8::from(area(path) == area(&wanted.path)),
                };
                if best.as_ref().is_none_or(|(rank, _)| like > *rank) {
                    best = Some((like, path.to_owned()));
                }
            }
            Ok(())
        };
        let key = wanted.key.as_str();
        shelf
            .catalogue()
            .versions_of(shelf.name(), key, &mut each)?;
        Ok(best.map(|(_, path)| path))
    }

    /// What is not here yet, or stands in `latest/` already, needs nothing: it is asked for again,
    /// or was promoted before the run was cut off.
    fn promote(&mut self, key: &ObjectKey, identity: &Identity, at: Timestamp) -> Result<()> {
        self.batch.settle(key)?;
        let history = format!("{}/history/", self.name());
        let row = self.row(key, identity)?;
        let held =
            |row: &StoredVersion| row.path.as_deref().is_some_and(|p| p.starts_with(&history));
        match row.filter(held) {
            Some(row) => self.batch.promote(row, at),
            None => Ok(()),
        }
    }

    /// What the first store has no more stays here. What it lost and has not got again is named.
    fn lost(&mut self, fact: Fact) -> Result<()> {
        let Fact::Noted {
            key,
            identity,
            state,
            ..
        } = &fact
        else {
            return Ok(());
        };
        self.batch.settle(key)?;
        let Some(row) = self.row(key, identity)?.filter(|row| row.path.is_some()) else {
            self.batch.fact(fact);
            return Ok(());
        };
        let name = self.name();
        let first = self.mirror.catalogue.by_identity(&name, key, identity)?;
        let lost = first.is_none_or(|row| row.state == State::Pending);
        if *state == State::Pending && lost {
            self.lacks(Lack {
                source: name,
                key: key.clone(),
                sha256: row.sha256,
                why: "its file was lost or rotted there".to_owned(),
                here: true,
            })?;
        }
        Ok(())
    }

    /// The first store has something not whole.
    pub(super) fn lacks(&mut self, lack: Lack) -> Result<()> {
        self.batch.counts.failed += 1;
        (self.each)(&lack)
    }
}

/// The record of a version whose bytes the mirror has under `path`.
pub(super) fn touch_of(wanted: Wanted, path: String) -> Fact {
    Fact::Touch {
        key: wanted.key,
        identity: wanted.identity,
        answer: wanted.answer,
        sha256: wanted.recorded.sha256,
        evidence: wanted.recorded.evidence,
        proofs: wanted.recorded.proofs,
        content: wanted.content,
        path,
        in_bucket: wanted.in_bucket,
        at: wanted.recorded.at,
    }
}
