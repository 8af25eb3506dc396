//! Reads the copy again, from the medium, and says what is not what was stored; heals what can be.
//!
//! Files that were never checked come first, then those checked least recently, so that every run
//! goes on where the one before ended and a part of the copy a night is all of it in time. Only the
//! catalogue remembers which those are.

mod heal;
mod judge;
mod said;

pub use heal::{Healer, OtherStore, Unhealed};
pub use judge::{Expected, Fault, Note, judge};

use crate::catalogue::{Catalogue, ToCheck};
use crate::error::{Error, Kind, Result};
use crate::home::{Home, strangers};
use crate::object::{Clock, SourceName, State, StoredVersion, Timestamp};
use crate::outcome::{Event, Reporter, Stop};
use crate::store::Reader;
use std::collections::HashSet;
use std::time::{Duration, Instant};

/// Rows read at a time.
const ROWS: u32 = 256;
/// So many files are noted together as checked, since each time costs a sync,
const MARKED: usize = 10_000;
/// or this long after those before: what is read again after a run that was killed.
const MARKED_AFTER: Duration = Duration::from_secs(5);
/// How often it is looked whether somebody waits for the store.
const LOOK: Duration = Duration::from_millis(500);
/// So much damage is named and healed in one run: a drive that has more is dying, and is not read to
/// its end.
const MOST: usize = 10_000;
/// So many strangers and notes are named.
const NAMED: usize = 1000;

/// What a run may take of files that are right. It ends when that is reached, so that what it has begun
/// it reads to the end.
///
/// Damaged files come first every time, until they are healed: what they take is not counted, or a part
/// of the drive that is lost for good would keep the rest from ever being read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Limits {
    /// Bytes read.
    pub bytes: Option<u64>,
    /// Time.
    pub time: Option<Duration>,
}

/// A file that is not what was stored.
#[derive(Clone, Debug)]
pub struct Damaged {
    /// The version that it is of; others may share it.
    pub version: StoredVersion,
    /// Where, relative to the store.
    pub path: String,
    /// Where its line in the sums begins, in bytes.
    pub sums_at: Option<u64>,
    /// When it was known to be right last; none where that is not known, or a time to come.
    pub right_at: Option<Timestamp>,
    /// How.
    pub fault: Fault,
    /// Where good bytes came from.
    pub healed: Option<String>,
    /// Why those who were asked had none.
    pub unhealed: Vec<String>,
}

/// Something to look at, with its path relative to the store.
pub type Named = (String, String);

/// What a run found.
#[derive(Clone, Debug, Default)]
pub struct Found {
    /// Files read.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Files that are not what was stored.
    pub damaged: Vec<Damaged>,
    /// What is wrong with the catalogue, in words; it is looked at only where all is read.
    pub catalogue: Vec<String>,
    /// Journals that are not what was written: where, and why.
    pub journals: Vec<(SourceName, Named)>,
    /// What else the drive could not read: folders, journals.
    pub unread: Vec<(SourceName, Named)>,
    /// Files that nothing vouches for.
    pub strangers: Vec<(SourceName, Named)>,
    /// How many of those there are.
    pub unknown: u64,
    /// Files that are whole, and worth a look.
    pub notes: Vec<Named>,
    /// Whether every file was read.
    pub complete: bool,
    /// Whether the owner ended it.
    pub interrupted: bool,
    /// Whether so much is damaged that the rest was not read.
    pub given_up: bool,
    /// Whether the owner has acknowledged what was said of all of the damage.
    pub acknowledged: bool,
    /// What was read of each source, in files and bytes.
    by_source: Vec<(String, u64, u64)>,
}

impl Found {
    /// Files that are damaged still.
    pub fn unhealed(&self) -> usize {
        self.damaged.iter().filter(|d| d.healed.is_none()).count()
    }
}

/// The copy that is read: with its catalogue to write in, or to read alone.
pub enum Ground<'g> {
    /// What was read is noted.
    Home(&'g mut Home),
    /// Nothing is written.
    Alone(&'g Reader, &'g Catalogue),
}

impl Ground<'_> {
    fn reader(&self) -> &Reader {
        match self {
            Self::Home(home) => home.store().reader(),
            Self::Alone(reader, _) => reader,
        }
    }

    fn catalogue(&self) -> &Catalogue {
        match self {
            Self::Home(home) => home.catalogue(),
            Self::Alone(_, catalogue) => catalogue,
        }
    }
}

/// One run.
pub struct Scrub<'s> {
    /// What it may take.
    pub limits: Limits,
    /// Our clock.
    pub clock: &'s Clock,
    /// The owner's wish to end.
    pub stop: &'s Stop,
    /// Hears how it goes on.
    pub reporter: &'s dyn Reporter,
}

impl Scrub<'_> {
    /// Reads files until a limit is reached or all are read, then looks for what nothing vouches
    /// for, and at the journals.
    ///
    /// # Errors
    /// Where the drive goes away or the catalogue cannot be read. What was found until then is in `found`.
    pub fn read(&self, ground: &mut Ground<'_>, found: &mut Found) -> Result<()> {
        match Round::new(self, found).files(ground)? {
            // Who only reads keeps nobody waiting.
            Pause::Over | Pause::Wanted => self.around(ground, found),
        }
    }

    /// The same, and between two files the store is left to whoever waits for it. `open` opens it again.
    ///
    /// Gives the store back, unless it could not be opened again.
    pub fn read_in_turn(
        &self,
        mut home: Home,
        open: &dyn Fn() -> Result<Home>,
        found: &mut Found,
    ) -> (Option<Home>, Result<()>) {
        let mut round = Round::new(self, found);
        loop {
            match round.files(&mut Ground::Home(&mut home)) {
                Ok(Pause::Wanted) => {}
                Ok(Pause::Over) => break,
                Err(error) => return (Some(home), Err(error)),
            }
            let begun = Instant::now();
            home = match home.make_way(open, self.stop) {
                Ok(home) => home,
                Err(error) => return (None, Err(error)),
            };
            round.in_vain = round.in_vain.saturating_add(begun.elapsed());
            if let Err(error) = round.look_again(home.catalogue()) {
                return (Some(home), Err(error));
            }
        }
        let done = self.around(&Ground::Home(&mut home), found);
        (Some(home), done)
    }

    fn around(&self, ground: &Ground<'_>, found: &mut Found) -> Result<()> {
        if found.interrupted {
            return Ok(());
        }
        let (reader, catalogue) = (ground.reader(), ground.catalogue());
        if self.limits == Limits::default() {
            found.catalogue = catalogue.counters_check()?;
        }
        for source in reader.remains()? {
            for looked in [
                journal(reader, &source, found),
                self.strange((reader, catalogue), &source, found),
            ] {
                match looked {
                    Ok(()) => {}
                    Err(error) if error.kind() == Kind::Interrupted => found.interrupted = true,
                    // A drive that cannot read a folder is one that is dying: the rest is said all the more.
                    Err(error) => {
                        reader.still_has_marker()?;
                        let named = (source.to_string(), error.to_string());
                        found.unread.push((source.clone(), named));
                    }
                }
            }
        }
        Ok(())
    }

    fn strange(
        &self,
        (reader, catalogue): (&Reader, &Catalogue),
        source: &SourceName,
        found: &mut Found,
    ) -> Result<()> {
        strangers((reader, catalogue), source, &mut |lies, known| {
            if self.stop.requested() {
                return Err(Error::new(Kind::Interrupted, "interrupted"));
            }
            if known {
                return Ok(());
            }
            found.unknown += 1;
            if found.strangers.len() < NAMED {
                let what = match lies.bytes {
                    Some(_) => "nothing vouches for this file; left as it is",
                    None => "it is no regular file; left as it is",
                };
                let named = (lies.path.clone(), what.to_owned());
                found.strangers.push((source.clone(), named));
            }
            Ok(())
        })
    }
}

/// Where the source's journal is not what was written.
fn journal(reader: &Reader, source: &SourceName, found: &mut Found) -> Result<()> {
    if let Some(broken) = reader.verify_journal(source, None)?.broken {
        let name = broken.file.file_name().unwrap_or_default();
        let named = (
            format!("{source}/journal/{}", name.to_string_lossy()),
            format!("byte {}: {}", broken.at, broken.why),
        );
        found.journals.push((source.clone(), named));
    }
    Ok(())
}

/// Why the reading stopped.
enum Pause {
    /// It has come to its end.
    Over,
    /// Somebody waits for the store.
    Wanted,
}

/// The reading of one run.
struct Round<'r> {
    scrub: &'r Scrub<'r>,
    began: Instant,
    /// What is read in this run bears this time.
    at: Timestamp,
    found: &'r mut Found,
    /// Files that are right, their bytes,
    whole: u64,
    taken: u64,
    /// and the time that damaged ones took.
    in_vain: Duration,
    /// Files that are right, and not noted as such yet.
    right: Vec<(SourceName, String)>,
    marked: Instant,
    /// When it was looked for somebody who waits.
    looked: Option<Instant>,
    /// Paths that are not: versions may share one.
    bad: HashSet<String>,
}

impl<'r> Round<'r> {
    fn new(scrub: &'r Scrub<'r>, found: &'r mut Found) -> Self {
        Self {
            scrub,
            began: Instant::now(),
            at: scrub.clock.now(),
            found,
            whole: 0,
            taken: 0,
            in_vain: Duration::ZERO,
            right: Vec::new(),
            marked: Instant::now(),
            looked: None,
            bad: HashSet::new(),
        }
    }

    /// Reads until the end, or until somebody waits for the store; what is right is noted.
    fn files(&mut self, ground: &mut Ground<'_>) -> Result<Pause> {
        let pause = self.pages(ground)?;
        self.mark(ground)?;
        Ok(pause)
    }

    fn pages(&mut self, ground: &mut Ground<'_>) -> Result<Pause> {
        let mut after = None;
        loop {
            let rows = ground.catalogue().to_check(after, self.at, ROWS)?;
            let Some(last) = rows.last() else {
                self.found.complete = true;
                return Ok(Pause::Over);
            };
            after = Some(last.place);
            let mut seen = HashSet::new();
            for row in rows {
                // A file that several versions share is read once.
                let fresh = row
                    .version
                    .path
                    .clone()
                    .is_some_and(|path| !self.bad.contains(&path) && seen.insert(path));
                if !fresh || row.checked_at() == Some(self.at) {
                    continue;
                }
                if self.is_over() || !self.file(ground, &row)? {
                    return Ok(Pause::Over);
                }
                if self.is_wanted(ground)? {
                    return Ok(Pause::Wanted);
                }
            }
        }
    }

    fn is_wanted(&mut self, ground: &Ground<'_>) -> Result<bool> {
        if self.looked.is_some_and(|at| at.elapsed() < LOOK) {
            return Ok(false);
        }
        self.looked = Some(Instant::now());
        match ground {
            Ground::Home(home) => home.is_wanted(),
            Ground::Alone(..) => Ok(false),
        }
    }

    /// Others had the store: what they moved or replaced is read where it is now.
    fn look_again(&mut self, catalogue: &Catalogue) -> Result<()> {
        let mut still = Vec::new();
        for mut one in std::mem::take(&mut self.found.damaged) {
            match catalogue.still_to_check(&one.version)? {
                Some(row) => {
                    one.sums_at = row.sums_at;
                    one.version = row.version;
                    still.push(one);
                }
                None => {
                    self.bad.remove(&one.path);
                }
            }
        }
        self.found.damaged = still;
        Ok(())
    }

    /// Whether what may be taken is.
    fn is_over(&mut self) -> bool {
        if self.scrub.stop.requested() {
            self.found.interrupted = true;
            return true;
        }
        if self.found.damaged.len() >= MOST {
            self.found.given_up = true;
            return true;
        }
        let limits = self.scrub.limits;
        let time = || self.began.elapsed().saturating_sub(self.in_vain);
        // One is always read, and a thirtieth is never less than that.
        self.whole > 0
            && (limits.bytes.is_some_and(|most| self.taken >= most)
                || limits.time.is_some_and(|most| time() >= most))
    }

    /// Reads one file; whether to go on.
    fn file(&mut self, ground: &mut Ground<'_>, row: &ToCheck) -> Result<bool> {
        let version = &row.version;
        let (Some(path), Some(sha256)) = (&version.path, version.sha256) else {
            return Ok(true);
        };
        let scrub = self.scrub;
        let begun = Instant::now();
        let mut bytes = 0;
        let read = ground.reader().read_medium(path, &mut |piece| {
            bytes += piece;
            scrub.reporter.report(&Event::Bytes(piece));
            !scrub.stop.requested()
        })?;
        let expected = Expected {
            sha256,
            bytes: (version.state != State::Quarantined).then_some(version.identity.size),
            right_at: row.right_at(),
        };
        let Some(verdict) = judge(&expected, &read) else {
            self.found.interrupted = true;
            return Ok(false);
        };
        self.count(&version.source, bytes);
        scrub.reporter.report(&Event::Finished(&version.key));
        let verdict = match verdict {
            // Sums that cannot be read vouch for nothing; the file itself was read.
            Ok(_) if !sums_agree(ground.reader(), row, path).unwrap_or(false) => Err(Fault::Line),
            verdict => verdict,
        };
        if let Err(fault) = &verdict {
            self.damaged(row, path, fault.clone());
        }
        if let Err(fault) = &verdict
            && *fault != Fault::Line
        {
            self.in_vain = self.in_vain.saturating_add(begun.elapsed());
            return Ok(true);
        }
        if let Ok(Some(note)) = verdict
            && self.found.notes.len() < NAMED
        {
            self.found.notes.push((path.clone(), note.to_string()));
        }
        self.whole += 1;
        self.taken += bytes;
        let source = SourceName::new(version.source.as_str())?;
        let below = below(version, path).to_owned();
        self.right.push((source, below));
        if self.right.len() >= MARKED || self.marked.elapsed() >= MARKED_AFTER {
            self.mark(ground)?;
        }
        Ok(true)
    }

    fn count(&mut self, source: &str, bytes: u64) {
        self.found.files += 1;
        self.found.bytes += bytes;
        let by_source = &mut self.found.by_source;
        match by_source.iter_mut().find(|(name, ..)| name == source) {
            Some((_, files, sum)) => {
                *files += 1;
                *sum += bytes;
            }
            None => by_source.push((source.to_owned(), 1, bytes)),
        }
    }

    fn damaged(&mut self, row: &ToCheck, path: &str, fault: Fault) {
        self.bad.insert(path.to_owned());
        self.found.damaged.push(Damaged {
            version: row.version.clone(),
            path: path.to_owned(),
            sums_at: row.sums_at,
            right_at: row.right_at().filter(|at| *at <= self.at),
            fault,
            healed: None,
            unhealed: Vec::new(),
        });
    }

    /// Notes what is right. What is not has no mark, and comes first in the next run.
    fn mark(&mut self, ground: &mut Ground<'_>) -> Result<()> {
        self.marked = Instant::now();
        let right = std::mem::take(&mut self.right);
        match ground {
            Ground::Home(home) if !right.is_empty() => home.set_checked(&right, self.at),
            Ground::Home(_) | Ground::Alone(..) => Ok(()),
        }
    }
}

/// Whether the file's line in the sums says what is recorded, where it is known which one that is.
fn sums_agree(reader: &Reader, row: &ToCheck, path: &str) -> Result<bool> {
    let (Some(at), Some(sha256)) = (row.sums_at, row.version.sha256) else {
        return Ok(true);
    };
    reader.sums_say(&row.version.source, below(&row.version, path), at, sha256)
}

/// The path relative to the source's folder.
fn below<'p>(version: &StoredVersion, path: &'p str) -> &'p str {
    let below = path.strip_prefix(version.source.as_str());
    below
        .and_then(|below| below.strip_prefix('/'))
        .unwrap_or(path)
}
