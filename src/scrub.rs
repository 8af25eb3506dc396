//! Reads the copy again, from the medium, and says what is not what was stored; heals what can be.
//!
//! Files that were never checked come first, then those checked least recently, so that every run
//! goes on where the one before ended and a part of the copy a night is all of it in time. Only the
//! catalogue remembers which those are.

mod around;
mod heal;
mod judge;
mod lost;
mod round;
mod said;

pub use around::{PassedOver, TURNS};
pub use heal::{Healer, OtherStore, Unhealed};
pub use judge::{Expected, Fault, Note, judge};

use crate::catalogue::Catalogue;
use crate::error::{Kind, Result};
use crate::home::Home;
use crate::object::{Clock, SourceName, StoredVersion, Timestamp};
use crate::outcome::{Reporter, Stop};
use crate::store::Reader;
use round::{Pause, Round};
use std::time::{Duration, Instant};

/// So many strangers and notes are named.
const NAMED: usize = 1000;

/// What a run may take of files that are right. It ends when that is reached, so that what it has begun
/// it reads to the end. What it may take bounds the look around too (see [`PassedOver`]).
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
    /// What was not looked at for want of time; it has its turn.
    pub passed_over: PassedOver,
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
    /// for, and at the journals: at all of it while there is time.
    ///
    /// # Errors
    /// Where the drive goes away or the catalogue cannot be read. What was found until then is in `found`.
    pub fn read(&self, ground: &mut Ground<'_>, found: &mut Found) -> Result<()> {
        let mut round = Round::new(self, found);
        match round.files(ground)? {
            // Who only reads keeps nobody waiting.
            Pause::Over | Pause::Wanted => {
                let took = round.took();
                self.around(ground, found, took)
            }
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
                Err(error) => {
                    round.found.interrupted |= error.kind() == Kind::Interrupted;
                    return (None, Err(error));
                }
            };
            if let Err(error) = round.go_on(home.catalogue(), begun.elapsed()) {
                return (Some(home), Err(error));
            }
        }
        let took = round.took();
        // There is no place to stop in what comes now, and nobody is to wait for its end.
        home.store().keep();
        let done = self.around(&Ground::Home(&mut home), found, took);
        (Some(home), done)
    }
}

/// The path relative to the source's folder.
fn below<'p>(version: &StoredVersion, path: &'p str) -> &'p str {
    let below = path.strip_prefix(version.source.as_str());
    below
        .and_then(|below| below.strip_prefix('/'))
        .unwrap_or(path)
}
