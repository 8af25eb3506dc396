//! The catalogue made anew from the drive alone: the journals, then the sums, then the files.
//!
//! The journal says what was stored. A row is believed if its file is there with its length, and,
//! where the journal's chain does not hold, if its bytes have the digest that the line says. A file
//! that no line knows is believed if its line in `SHA256SUMS` has the digest of its bytes. All else
//! is named, and what is named goes into the journal, so that it stays said and the next rebuild
//! comes to the same. Where there is nothing to say, nothing is written but the catalogue.

mod files;
mod said;
mod sums;

use super::Problem;
use crate::error::{Error, Kind, Result};
use crate::home::{Diary, Rebuilding, Replayed, Shelf};
use crate::object::{Clock, State, StoredVersion};
use crate::outcome::{Event, Reporter, Stop};
use crate::store::Area;
use std::collections::{BTreeMap, HashSet};

/// Rows read at a time.
const ROWS: u32 = 1000;

/// The two areas whose files have sums.
const SUMMED: [Area; 2] = [Area::Latest, Area::History];

/// What a rebuild found.
#[derive(Clone, Debug, Default)]
pub struct RebuildReport {
    /// Sources that the drive has something of.
    pub sources: u64,
    /// Groups read from the journals.
    pub groups: u64,
    /// Versions on the drive that the new catalogue speaks of.
    pub versions: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Of those, files that no journal knew and that their line in the sums vouches for.
    pub adopted: u64,
    /// What is damaged: a journal, or files.
    pub damage: Vec<Problem>,
    /// What was put in order, or is left for the owner to look at.
    pub notes: Vec<Problem>,
    /// Which name the catalogue that was there has now.
    pub kept: Option<String>,
}

/// Makes the catalogue anew and puts it in the place of the old one, which is kept beside it.
/// Files that must be read are read; with `deep`, all.
///
/// # Errors
/// [`Kind::Interrupted`] where the owner asked for an end: the old catalogue stays in use.
pub fn rebuild(
    mut home: Rebuilding,
    clock: &Clock,
    deep: bool,
    stop: &Stop,
    reporter: &dyn Reporter,
) -> Result<RebuildReport> {
    let mut report = RebuildReport::default();
    for name in home.sources()? {
        reporter.report(&Event::Source(&name));
        let (mut shelf, replayed) = home.shelf(&name)?;
        report.sources += 1;
        report.groups += replayed.journal.proven + replayed.journal.unproven;
        let mut work = Work {
            diary: Diary::new("rebuild", clock),
            adopted: 0,
            shelf: &mut shelf,
            report: &mut report,
            doubted: &replayed.doubted,
            wrong: BTreeMap::new(),
            deep,
            stop,
            reporter,
        };
        work.source(&replayed)?;
    }
    report.kept = home.publish()?;
    Ok(report)
}

/// One source's turn.
struct Work<'w, 'h> {
    shelf: &'w mut Shelf<'h>,
    diary: Diary<'w>,
    /// Files that the sums alone vouch for.
    adopted: u64,
    report: &'w mut RebuildReport,
    /// Rows that only unproven lines speak of.
    doubted: &'w HashSet<i64>,
    /// Rows whose file is not what they say, and why.
    wrong: BTreeMap<i64, String>,
    deep: bool,
    stop: &'w Stop,
    reporter: &'w dyn Reporter,
}

impl Work<'_, '_> {
    fn source(&mut self, replayed: &Replayed) -> Result<()> {
        self.journal(replayed)?;
        self.rows()?;
        let mut stale = Vec::new();
        for area in SUMMED {
            if self.lines(area)? {
                stale.push(area);
            }
        }
        self.strangers()?;
        self.retire()?;
        self.close()?;
        for area in SUMMED {
            if stale.contains(&area) || self.has_unlisted(area)? {
                self.write_sums(area)?;
            }
        }
        let counts = self.shelf.catalogue().counts(Some(self.shelf.name()))?;
        let placed = [State::Stored, State::Held, State::Quarantined];
        for count in counts.iter().filter(|c| placed.contains(&c.state)) {
            self.report.versions += count.versions;
            self.report.bytes += count.bytes;
        }
        Ok(())
    }

    /// Says where the journal is not what was written.
    fn journal(&mut self, replayed: &Replayed) -> Result<()> {
        let journal = &replayed.journal;
        let Some(first) = journal.breaks.first() else {
            return Ok(());
        };
        for broken in &journal.breaks {
            self.report.damage.push(Problem {
                path: Some(broken.file.display().to_string()),
                what: format!("damaged at byte {}: {}", broken.at, broken.why),
            });
        }
        self.report.notes.push(Problem {
            path: Some(self.at("journal")),
            what: format!(
                "{} groups up to the damage are proven; of the {} in and behind it the bytes on the drive were asked",
                journal.proven, journal.unproven
            ),
        });
        let name = first.file.file_name().unwrap_or_default().to_string_lossy();
        let places = journal.breaks.len();
        let evidence = format!(
            "journal/{name}, byte {}: {} ({places} such places in all)",
            first.at, first.why
        );
        self.diary.journal_broken(self.shelf, evidence)
    }

    /// Every row that says it has a file, against the drive.
    fn rows(&mut self) -> Result<()> {
        self.each_row(&mut |work, row| {
            let Some(path) = row.path.clone() else {
                return Ok(());
            };
            let found = work.shelf.store().reader().stat(&path)?;
            let why = match found {
                None => Some("the file is missing".to_owned()),
                Some(bytes) => work.why_wrong(&row, &path, bytes)?,
            };
            if let Some(why) = why {
                work.wrong.insert(row.id, why);
            }
            work.reporter.report(&Event::Finished(&row.key));
            Ok(())
        })
    }

    /// Why the file of a row is not what the row says, as far as this must be asked.
    fn why_wrong(&self, row: &StoredVersion, path: &str, bytes: u64) -> Result<Option<String>> {
        let size = row.identity.size;
        // Quarantined bytes may well have another length than the listing said.
        if bytes != size && row.state != State::Quarantined {
            return Ok(Some(format!("it has {bytes} bytes instead of {size}")));
        }
        if !self.deep && !self.doubted.contains(&row.id) {
            return Ok(None);
        }
        let Some(sha256) = row.sha256 else {
            return Ok(None);
        };
        let (found, _) = self.shelf.store().reader().hash(path)?;
        Ok((found != sha256).then(|| format!("its SHA-256 is {found} instead of {sha256}")))
    }

    fn each_row(
        &mut self,
        each: &mut dyn FnMut(&mut Self, StoredVersion) -> Result<()>,
    ) -> Result<()> {
        let mut after = 0;
        loop {
            let name = self.shelf.name();
            let rows = self.shelf.catalogue().all_placed(name, after, ROWS)?;
            let Some(last) = rows.last() else {
                return Ok(());
            };
            after = last.id;
            for row in rows {
                self.go_on()?;
                each(self, row)?;
            }
        }
    }

    /// Whether the owner still wants it.
    fn go_on(&self) -> Result<()> {
        if !self.stop.requested() {
            return Ok(());
        }
        Err(
            Error::new(Kind::Interrupted, "the rebuild was interrupted").hint(
                "the catalogue that was there is still in use; `offsite catalogue rebuild` begins again",
            ),
        )
    }

    /// `path` of the source's folder, relative to the store.
    fn at(&self, path: &str) -> String {
        format!("{}/{path}", self.shelf.name())
    }

    fn note(&mut self, path: &str, what: impl Into<String>) {
        self.report.notes.push(Problem {
            path: Some(self.at(path)),
            what: what.into(),
        });
    }
}
