//! What is written down of a rehearsal, and what is said of one that failed.

use super::drill::{Came, Rehearsed};
use super::set::is_of;
use crate::error::Result;
use crate::home::{Diary, Home, Shelf};
use crate::object::{
    Advice, Care, Clock, Drilled, Fact, FindingRecord, Severity, Timestamp, printable,
};

impl Rehearsed {
    /// Why it did not succeed.
    pub fn failed(&self) -> Option<String> {
        match &self.came {
            Came::Proven | Came::Read | Came::Interrupted => None,
            Came::Failed(why) | Came::Incomplete(why) => Some(why.clone()),
            Came::Damaged(1, why) => Some(format!("a file is damaged on the drive: {why}")),
            Came::Damaged(files, why) => Some(format!(
                "{files} files are damaged on the drive; the first: {why}"
            )),
            Came::Nothing => Some("the drive has no file of it".to_owned()),
            Came::NoRoom(why) => Some(why.to_string()),
        }
    }

    /// Writes it down in the journal, and a finding where it failed and none about the series is
    /// open; its id. Nothing is written of one that was interrupted, and the store not even opened:
    /// its turn comes again.
    pub fn record(&self, open: &dyn Fn() -> Result<Home>, clock: &Clock) -> Result<Option<String>> {
        if matches!(self.came, Came::Interrupted) {
            return Ok(None);
        }
        let mut home = open()?;
        let said = self.record_in(&mut home, clock)?;
        home.close()?;
        Ok(said)
    }

    fn record_in(&self, home: &mut Home, clock: &Clock) -> Result<Option<String>> {
        let mut shelf = home.shelf_of(&self.turn.source)?;
        let mut diary = Diary::new("drill", clock);
        let at = diary.now();
        let drilled = Fact::Drilled(Drilled {
            series: self.turn.series.clone(),
            files: self.files,
            bytes: self.bytes,
            command: matches!(self.came, Came::Proven | Came::Failed(_)),
            failed: self.failed(),
            at,
        });
        diary.add(&mut shelf, drilled)?;
        let finding = self.finding(&shelf, at)?;
        let id = finding.as_ref().map(|finding| finding.id.clone());
        if let Some(finding) = finding {
            diary.add(&mut shelf, Fact::Finding(finding))?;
        }
        diary.close(&mut shelf, "complete")?;
        Ok(id)
    }

    /// What is to be said, if it is not said already.
    fn finding(&self, shelf: &Shelf<'_>, at: Timestamp) -> Result<Option<FindingRecord>> {
        let Some((kind, severity, advice)) = self.advice() else {
            return Ok(None);
        };
        let rows = shelf.catalogue().findings_of(shelf.name(), kind.as_str())?;
        let said = rows.iter().any(|row| {
            let about = row.finding.key.as_ref();
            let same = about == self.key.as_ref()
                || about.is_some_and(|key| is_of(key, &self.turn.series));
            row.ack.is_none() && same
        });
        if said {
            return Ok(None);
        }
        let number = shelf.catalogue().next_finding_number(shelf.name())?;
        Ok(Some(FindingRecord {
            id: format!("{}-{number}", shelf.name()),
            kind: kind.to_string(),
            severity,
            key: self.key.clone(),
            identity: None,
            advice,
            at,
        }))
    }

    fn advice(&self) -> Option<(Care, Severity, Advice)> {
        let series = printable(&self.turn.series);
        let again = format!(
            "offsite drill --source {} --series {}",
            self.turn.source,
            quoted(&series)
        );
        let came = match self.files {
            1 => "1 file came back".to_owned(),
            files => format!("{files} files came back"),
        };
        let key = self.key.as_ref().map(|key| format!(" ({key})"));
        let key = key.unwrap_or_default();
        match &self.came {
            Came::Failed(why) => Some((
                Care::DrillFailed,
                Severity::Warning,
                Advice {
                    what: format!("what was restored of the series {series} could not be opened: {why}"),
                    evidence: format!("{came}{key}, and every digest is the one that was recorded when the bytes came from the bucket: the copy is what the bucket had"),
                    next: format!("try it by hand: `{again} --keep` leaves the files. Is the key the right one and readable for this user, the program there? If no key of yours opens it, the server encrypts for somebody else: look there now"),
                },
            )),
            Came::Incomplete(why) => Some((
                Care::DrillFailed,
                Severity::Warning,
                Advice {
                    what: format!("the newest set of the series {series} could not be restored whole: {why}"),
                    evidence: format!("{came}{key}; a rehearsal looked for all of it"),
                    next: format!("run `offsite pull`, then `{again}`; `offsite ls` and `offsite show` say what the drive has of it"),
                },
            )),
            Came::Damaged(files, why) => Some((
                Care::DrillDamaged,
                Severity::Alarm,
                Advice {
                    what: match files {
                        1 => format!("a file of the series {series} is damaged on the drive{key}"),
                        more => format!("{more} files of the series {series} are damaged on the drive; one is{key}"),
                    },
                    evidence: format!("a rehearsal of a restore read it: {why}; it was not delivered"),
                    next: "`offsite scrub --all --heal` reads all of the copy and puts back what it can, from the drive, another store or the bucket while it has it; `offsite restore` names an older version that is whole. Look at the drive: one that loses a file may lose others".to_owned(),
                },
            )),
            Came::Proven | Came::Read | Came::Nothing | Came::NoRoom(_) | Came::Interrupted => None,
        }
    }
}

/// As a word of the shell.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "'\\''"))
}
