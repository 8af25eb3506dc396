//! What a rebuild writes into the journal: only where it has something to say.

use crate::error::Result;
use crate::home::{PROGRAM, Shelf};
use crate::object::{
    Advice, Clock, Fact, FindingRecord, RunCounts, RunEnd, RunStart, Severity, Timestamp,
};
use crate::store::Entry;

/// Entries of a group.
const ENTRIES: usize = 1000;

/// One source's lines of a rebuild.
pub(super) struct Diary<'c> {
    clock: &'c Clock,
    begun: bool,
    entries: Vec<Entry>,
    adopted: u64,
}

impl<'c> Diary<'c> {
    pub(super) fn new(clock: &'c Clock) -> Self {
        Self {
            clock,
            begun: false,
            entries: Vec::new(),
            adopted: 0,
        }
    }

    pub(super) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Adds a line; a full group is written.
    pub(super) fn add(&mut self, shelf: &mut Shelf<'_>, fact: Fact) -> Result<()> {
        if !std::mem::replace(&mut self.begun, true) {
            self.entries.push(Entry::Fact(Fact::RunStart(RunStart {
                at: self.now(),
                command: "rebuild".to_owned(),
                program: PROGRAM.to_owned(),
                key: None,
                bucket: None,
                prefix: None,
            })));
        }
        self.entries.push(Entry::Fact(fact));
        if self.entries.len() >= ENTRIES {
            self.flush(shelf)?;
        }
        Ok(())
    }

    pub(super) fn adopted(&mut self, shelf: &mut Shelf<'_>, fact: Fact) -> Result<()> {
        self.adopted += 1;
        self.add(shelf, fact)
    }

    /// Writes what there is, and records it in the new catalogue.
    pub(super) fn flush(&mut self, shelf: &mut Shelf<'_>) -> Result<()> {
        shelf.commit(std::mem::take(&mut self.entries))
    }

    /// The last words.
    pub(super) fn close(&mut self, shelf: &mut Shelf<'_>) -> Result<()> {
        if self.adopted > 0 {
            let advice = Advice {
                what: format!(
                    "{} files that no line of the journal knew are known by SHA256SUMS alone",
                    self.adopted
                ),
                evidence: "a rebuild of the catalogue read them, and their lines are right. What the bucket said of them was in the journal, which lacks it".to_owned(),
                next: "if you know how the journal lost its lines, acknowledge this; the next pull compares them with the bucket".to_owned(),
            };
            self.finding(shelf, "files-adopted", Severity::Warning, advice)?;
        }
        if self.begun {
            let end = Fact::RunEnd(RunEnd {
                at: self.now(),
                ended: "complete".to_owned(),
                error: None,
                counts: RunCounts::default(),
            });
            self.add(shelf, end)?;
        }
        self.flush(shelf)
    }

    /// The journal is not what was written. Said once: the place stays in the journal for good.
    pub(super) fn journal_broken(&mut self, shelf: &mut Shelf<'_>, evidence: String) -> Result<()> {
        let kind = "journal-broken";
        if shelf.catalogue().was_said(shelf.name(), kind, &evidence)? {
            return Ok(());
        }
        let advice = Advice {
            what: format!("the journal of {} is not what was written", shelf.name()),
            evidence,
            next: "a failing drive, or somebody changed it: look at the drive's health (smartctl), and compare `offsite log --verify --head H` with a head that you were told. Files that only doubtful lines speak of were read and are what they say".to_owned(),
        };
        self.finding(shelf, kind, Severity::Alarm, advice)
    }

    /// Files are not there, or are not what was stored.
    pub(super) fn files_lost(
        &mut self,
        shelf: &mut Shelf<'_>,
        rows: usize,
        named: &[String],
    ) -> Result<()> {
        let more = rows.saturating_sub(named.len());
        let mut evidence = named.join("; ");
        if more > 0 {
            evidence.push_str(&format!("; and {more} more"));
        }
        let advice = Advice {
            what: format!("{rows} stored versions are lost: missing, or not what was stored"),
            evidence,
            next: "the next pull fetches those again that the bucket still has (what stands under their names is moved into history/). If the drive is failing, copy it to another one first".to_owned(),
        };
        self.finding(shelf, "files-lost", Severity::Alarm, advice)
    }

    fn finding(
        &mut self,
        shelf: &mut Shelf<'_>,
        kind: &str,
        severity: Severity,
        advice: Advice,
    ) -> Result<()> {
        // Its number follows those that are recorded.
        self.flush(shelf)?;
        let number = shelf.catalogue().next_finding_number(shelf.name())?;
        let finding = FindingRecord {
            id: format!("{}-{number}", shelf.name()),
            kind: kind.to_owned(),
            severity,
            key: None,
            identity: None,
            advice,
            at: self.now(),
        };
        self.add(shelf, Fact::Finding(finding))?;
        self.flush(shelf)
    }
}
