//! Verified copies out of the store. It is read only: nothing here writes to it.
//!
//! A file is delivered if its bytes have the SHA-256 that was recorded when they came from the
//! bucket. One that has other bytes, or is not there, is never delivered: the same bytes under
//! another name on the drive take its place, or it is named, with the version before it that is whole.

mod choice;
mod drill;
mod others;
mod proof;
mod scratch;
mod set;
mod told;
mod turns;

pub use choice::{Choice, Keys};
pub use drill::{Came, Drill, Rehearsed};
pub use proof::Proof;
pub use set::{Missing, Picked, is_of, newest_set};
pub use turns::{Turn, Turns, series_of};

use crate::catalogue::Catalogue;
use crate::error::{Error, Kind, Result};
use crate::home::places_of;
use crate::object::{ObjectKey, Sha256, SourceName, State, StoredVersion};
use crate::outcome::{Event, Reporter, Stop};
use crate::store::names::{self, Spelling};
use crate::store::{Bringing, Found, Reader, Target, Unbrought, Waiting, Wanted};

/// A whole number of blocks of this length is what a file takes on most file systems.
const BLOCK: u64 = 4096;
/// What became of so many files is told at once.
const TOLD: usize = 1000;

/// What is restored, from where, to where.
pub struct Restore<'r> {
    /// The store.
    pub reader: &'r Reader,
    /// What it has.
    pub catalogue: &'r Catalogue,
    /// A mirror of the store, for what is damaged there.
    pub mirror: Option<(&'r Reader, &'r Catalogue)>,
    /// Which versions.
    pub choice: &'r Choice<'r>,
    /// Where to.
    pub target: &'r Target,
    /// Whether each source has a folder of its own there.
    pub folders: bool,
    /// Take the place of other files.
    pub force: bool,
    /// The owner's wish to end.
    pub stop: &'r Stop,
    /// Hears how it goes on.
    pub reporter: &'r dyn Reporter,
}

/// What there is to do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Plan {
    /// Files that were chosen.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Bytes that are to be written, as files take them up.
    pub room: u64,
}

/// One file that was chosen.
#[derive(Clone, Debug)]
pub struct Item {
    /// The version.
    pub version: StoredVersion,
    /// Where it goes, relative to the folder.
    pub to: String,
    /// What became of it.
    pub fate: Fate,
}

/// What became of a file.
#[derive(Clone, Debug)]
pub enum Fate {
    /// Nothing yet: the owner only looks.
    Chosen,
    /// It is there, proven.
    Restored,
    /// It was there already.
    There,
    /// It is not there: why.
    Refused(String),
    /// Another file stands there: what. `force` would take its place.
    Differs(String),
    /// The bucket showed it then, and the drive never had its bytes.
    Unheld,
    /// The copy is damaged: how, and the version before it that is whole, if one is.
    Damaged(String, Option<Box<StoredVersion>>),
}

/// What a run came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sum {
    /// Files restored.
    pub restored: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Files that were there already.
    pub there: u64,
    /// Files that the copy does not have as they were.
    pub damaged: u64,
    /// Files that are not there for other reasons.
    pub refused: u64,
    /// Whether the owner ended it before it was through.
    pub interrupted: bool,
}

impl Restore<'_> {
    /// What there is to do, without doing it; `each` hears of every file.
    pub fn plan(&self, each: &mut dyn FnMut(&Item) -> Result<()>) -> Result<Plan> {
        let mut plan = Plan::default();
        self.choice.each(self.catalogue, &mut |version| {
            let fate = match is_held(&version) {
                true => Fate::Chosen,
                false => Fate::Unheld,
            };
            let to = self.name(&version)?;
            plan.files += 1;
            if matches!(fate, Fate::Chosen) {
                let bytes = version.identity.size;
                plan.bytes += bytes;
                if self.target.bytes(&to) != Some(bytes) {
                    plan.room += bytes.div_ceil(BLOCK) * BLOCK;
                }
            }
            each(&Item { version, to, fate })
        })?;
        Ok(plan)
    }

    /// Whether there is room for all of it, and `kept` bytes stay free.
    pub fn check_room(&self, plan: &Plan, kept: u64) -> Result<()> {
        let room = self.target.room()?.saturating_sub(kept);
        let Some(short @ 1..) = plan.room.checked_sub(room) else {
            return Ok(());
        };
        let size = |bytes: u64| bytesize::ByteSize(bytes).display().iec().to_string();
        let what = format!(
            "{} has not room enough: {} are needed, {} are free, {} are missing",
            self.target.path().display(),
            size(plan.room),
            size(room),
            size(short)
        );
        Err(Error::new(Kind::Run, what)
            .hint("name a folder on a larger drive, or restore in parts"))
    }

    /// Does it; `each` hears what became of every file.
    ///
    /// # Errors
    /// Where nothing more can be restored: the drive went away, or the folder cannot take more.
    pub fn run(&self, plan: &Plan, each: &mut dyn FnMut(&Item) -> Result<()>) -> Result<Sum> {
        self.reporter.report(&Event::Planned {
            objects: plan.files,
            bytes: plan.bytes,
        });
        let mut going = Going {
            waiting: self.target.waiting(),
            items: Vec::new(),
            sum: Sum::default(),
            each,
        };
        self.choice.each(self.catalogue, &mut |version| {
            if going.sum.interrupted || self.stop.requested() {
                going.sum.interrupted = true;
                return Ok(());
            }
            let to = self.name(&version)?;
            let fate = match self.restore(&version, &to, &mut going.waiting) {
                Ok(Some(fate)) => fate,
                Ok(None) => {
                    going.sum.interrupted = true;
                    return Ok(());
                }
                Err(error) => {
                    // What is whole stays, and is told of.
                    let _ = going.name();
                    return Err(error);
                }
            };
            self.reporter.report(&Event::Finished(&version.key));
            going.take(Item { version, to, fate })
        })?;
        let sum = going.end()?;
        self.target.finish()?;
        Ok(sum)
    }

    /// Restores one file, which then waits for its name; none where the owner wished for an end.
    fn restore(
        &self,
        version: &StoredVersion,
        to: &str,
        waiting: &mut Waiting<'_>,
    ) -> Result<Option<Fate>> {
        let (Some(path), Some(sha256), true) = (&version.path, version.sha256, is_held(version))
        else {
            return Ok(Some(Fate::Unheld));
        };
        let wanted = Wanted {
            path: to,
            bytes: version.identity.size,
            sha256,
            modified: version.identity.last_modified,
        };
        match self.target.found(&wanted) {
            Found::Same => {
                self.reporter.report(&Event::Bytes(wanted.bytes));
                return Ok(Some(Fate::There));
            }
            Found::Other(what) if !self.force => return Ok(Some(Fate::Differs(what))),
            Found::Other(_) | Found::Nothing => {}
        }
        let why = match self.bring(path, &wanted, waiting) {
            Err(Unbrought::Rotten(why)) => why,
            brought => return end(brought),
        };
        self.reader.still_has_marker()?;
        for other in self.same_bytes(version, sha256)? {
            match self.bring(&other, &wanted, waiting) {
                Err(Unbrought::Rotten(_)) => {}
                brought => return end(brought),
            }
        }
        if let Some(brought) = self.of_mirror(version, sha256, &wanted, waiting)? {
            let from = self.mirror.map(|(reader, _)| reader.path().display());
            if let (Some(from), Ok(())) = (from, &brought) {
                let text = format!("{}: {why}; taken from the mirror at {from}", version.key);
                self.reporter.report(&Event::Trouble(&text));
            }
            return end(brought);
        }
        let before = self.whole_before(version)?.map(Box::new);
        Ok(Some(Fate::Damaged(why, before)))
    }

    /// The same from the mirror; none where that has it not whole either.
    fn of_mirror(
        &self,
        version: &StoredVersion,
        sha256: Sha256,
        wanted: &Wanted<'_>,
        waiting: &mut Waiting<'_>,
    ) -> Result<Option<Result<(), Unbrought>>> {
        let Some(mirror) = self.mirror else {
            return Ok(None);
        };
        let source = SourceName::new(version.source.as_str())?;
        let which = (&version.key, &version.identity);
        for place in places_of(mirror, &source, which, sha256)? {
            match self.bring_from(mirror.0, &place, wanted, waiting) {
                Err(Unbrought::Rotten(_)) => {}
                brought => return Ok(Some(brought)),
            }
        }
        Ok(None)
    }

    fn bring(
        &self,
        path: &str,
        wanted: &Wanted<'_>,
        waiting: &mut Waiting<'_>,
    ) -> Result<(), Unbrought> {
        self.bring_from(self.reader, path, wanted, waiting)
    }

    fn bring_from(
        &self,
        reader: &Reader,
        path: &str,
        wanted: &Wanted<'_>,
        waiting: &mut Waiting<'_>,
    ) -> Result<(), Unbrought> {
        let from = match reader.stat(path) {
            Ok(Some(_)) => reader.open(path),
            Ok(None) => return Err(Unbrought::Rotten("the file is missing".to_owned())),
            Err(error) => Err(error),
        };
        let from = from.map_err(|error| Unbrought::Rotten(error.to_string()))?;
        let how = Bringing {
            replace: self.force,
            stop: self.stop,
            each: &|bytes| self.reporter.report(&Event::Bytes(bytes)),
        };
        waiting.bring(from, wanted, &how)
    }

    /// Where a version goes: by the name that its key has in `latest/`.
    fn name(&self, version: &StoredVersion) -> Result<String> {
        let source = SourceName::new(version.source.as_str())?;
        let below = below_latest(version);
        let standing = match below {
            Some(_) => None,
            None => self.catalogue.latest_of(&source, version.key.as_str())?,
        };
        let standing = standing.and_then(|known| known.path);
        let path = match below.or(standing.as_deref()) {
            // The catalogue may come from anybody's drive.
            Some(path) if is_name_of(path, &version.key) => path.to_owned(),
            _ => {
                let spelling = Spelling {
                    shadowed: self.catalogue.is_folder(&source, &version.key)?,
                    ..Spelling::default()
                };
                names::latest(self.reader.marker().naming, &version.key, &spelling)
            }
        };
        let name = path.strip_prefix("latest/").unwrap_or(&path);
        Ok(match self.folders {
            true => format!("{source}/{name}"),
            false => name.to_owned(),
        })
    }
}

/// The files of a group, which are told of when they have their names.
struct Going<'g> {
    waiting: Waiting<'g>,
    items: Vec<Item>,
    sum: Sum,
    each: &'g mut dyn FnMut(&Item) -> Result<()>,
}

impl Going<'_> {
    fn take(&mut self, item: Item) -> Result<()> {
        self.items.push(item);
        match self.waiting.is_full() || self.items.len() >= TOLD {
            true => self.name(),
            false => Ok(()),
        }
    }

    /// The last of them.
    fn end(mut self) -> Result<Sum> {
        self.name()?;
        Ok(self.sum)
    }

    fn name(&mut self) -> Result<()> {
        let mut failed = self.waiting.name()?;
        for mut item in self.items.drain(..) {
            if let Some(why) = failed.remove(&item.to) {
                item.fate = Fate::Refused(why);
            }
            self.sum.add(&item);
            (self.each)(&item)?;
        }
        Ok(())
    }
}

impl Sum {
    fn add(&mut self, item: &Item) {
        match item.fate {
            Fate::Restored => {
                self.restored += 1;
                self.bytes += item.version.identity.size;
            }
            Fate::There => self.there += 1,
            Fate::Damaged(..) => self.damaged += 1,
            Fate::Chosen | Fate::Unheld | Fate::Differs(_) | Fate::Refused(_) => {
                self.refused += 1;
            }
        }
    }
}

/// What bringing a file came to, where the copy is not to blame.
fn end(brought: Result<(), Unbrought>) -> Result<Option<Fate>> {
    match brought {
        Ok(()) => Ok(Some(Fate::Restored)),
        Err(Unbrought::Refused(why) | Unbrought::Rotten(why)) => Ok(Some(Fate::Refused(why))),
        Err(Unbrought::Target(error)) => Err(error),
        Err(Unbrought::Interrupted) => Ok(None),
    }
}

/// Whether the drive has the bytes, as far as the catalogue says.
fn is_held(version: &StoredVersion) -> bool {
    matches!(version.state, State::Stored | State::Held) && version.path.is_some()
}

/// The version's path below its source's folder, if it stands in `latest/`.
fn below_latest(version: &StoredVersion) -> Option<&str> {
    let (_, path) = version.path.as_deref()?.split_once('/')?;
    path.starts_with("latest/").then_some(path)
}

fn is_name_of(path: &str, key: &ObjectKey) -> bool {
    path.starts_with("latest/") && names::key_of(path).is_ok_and(|of| of == *key)
}

/// Whether these are the first digits of `sha256`, and enough of them to mean it.
fn begins(sha256: Option<Sha256>, digits: &str) -> bool {
    const FEWEST: usize = 8;
    digits.len() >= FEWEST && sha256.is_some_and(|d| d.to_string().starts_with(digits))
}
