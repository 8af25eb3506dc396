//! Taking over what another tool downloaded: listed and planned as by a pull, proven by the
//! bucket's own words, placed and recorded the same way; only that the bytes come from a folder.
//!
//! The folder is walked and each file's name looked up in the plan, so that every file is named
//! once, whatever keys the bucket has. A file that is not proven is the owner's and no evidence
//! against the bucket: it stays where it is, and its object stays planned for the next pull.

mod find;
mod prove;

use super::arrivals::Arrivals;
use super::group::Group;
use super::transfer::Fetched;
use super::{Pull, WAITING, ended, take_all};
use crate::error::Result;
use crate::home::Shelf;
use crate::object::Change;
use crate::outcome::{Ended, Outcome};
use crate::store::{Foreign, Original};
use find::Finder;
use prove::{Came, Prover};
use tokio::runtime::Runtime;
use tokio::sync::mpsc;

/// What is taken over, and how.
#[derive(Clone, Debug)]
pub struct Adopt {
    /// The folder.
    pub folder: Foreign,
    /// Whether the files leave the folder. They do when the copy has them, durable and recorded.
    pub take_away: bool,
}

/// What taking over came to.
#[derive(Debug)]
pub struct Adopted {
    /// The run.
    pub outcome: Outcome,
    /// Files whose objects the copy had before.
    pub known: u64,
    /// Files that stay in the folder.
    pub stays: u64,
}

/// A file that is not taken over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stays {
    /// Its name in the folder: hostile text.
    pub path: String,
    /// Why, in words.
    pub why: String,
}

/// What is to be done about one file.
#[derive(Debug)]
pub enum Found {
    /// It may be the object of this planned change.
    Candidate(String, Change),
    /// The copy has its object, most likely.
    Known {
        /// The file's name in the folder.
        path: String,
        /// The name of the object's bytes, relative to the source's folder on the drive.
        stored: String,
    },
    /// Nothing.
    Stays(Stays),
}

impl Pull {
    /// Takes over what can be proven, and hands each file that stays to `each`.
    pub fn adopt(
        &self,
        runtime: &Runtime,
        shelf: &mut Shelf<'_>,
        adopt: &Adopt,
        each: &mut dyn FnMut(&Stays) -> Result<()>,
    ) -> Result<Adopted> {
        let (mut known, mut stays) = (0, 0);
        let outcome = self.recorded("adopt", shelf, |group| {
            if self.list(runtime, group)?.is_none() {
                return Ok((Ended::Interrupted, None));
            }
            let mut tally = Tally {
                known: &mut known,
                stays: &mut stays,
                each,
                adopt,
                taken: Vec::new(),
            };
            self.adopt_all(runtime, group, adopt, &mut tally)?;
            Ok((self.adopt_ended(stays), None))
        })?;
        Ok(Adopted {
            outcome,
            known,
            stays,
        })
    }

    /// Lists and plans, and hands what would be done about each file to `each`; proves, takes and
    /// records nothing.
    pub fn adopt_dry_run(
        &self,
        runtime: &Runtime,
        shelf: &mut Shelf<'_>,
        adopt: &Adopt,
        each: &mut dyn FnMut(Found) -> Result<()>,
    ) -> Result<Ended> {
        let clock = self.clock.clone();
        let (start, arrivals) = (self.start("adopt"), Arrivals::new(self.source.encryption));
        let mut group = Group::new(shelf, &clock, &*self.reporter, start, arrivals)?;
        group.dry = true;
        if self.list(runtime, &mut group)?.is_some() {
            let finder = Finder::new(&self.source, shelf, &adopt.folder)?;
            let stop = self.stop.clone();
            finder.find(None, &mut |found| {
                each(found)?;
                Ok(!stop.requested())
            })?;
        }
        shelf.planner()?.plan_clear(&self.source.name)?;
        Ok(self.adopt_ended(0))
    }

    fn adopt_ended(&self, stays: u64) -> Ended {
        match self.stop.requested() {
            true => Ended::Interrupted,
            false if stays > 0 => Ended::Partial,
            false => Ended::Complete,
        }
    }

    /// A thread of its own walks, a task proves; this thread commits.
    fn adopt_all(
        &self,
        runtime: &Runtime,
        group: &mut Group<'_, '_>,
        adopt: &Adopt,
        tally: &mut Tally<'_>,
    ) -> Result<()> {
        let shelf = group.shelf();
        shelf.store().still_there()?;
        let finder = Finder::new(&self.source, shelf, &adopt.folder)?;
        let prover = Prover::new(self.transfer(shelf), adopt);
        let (found_out, found) = mpsc::channel(WAITING);
        let (out, came) = mpsc::channel(WAITING);
        let stop = self.stop.clone();
        let walking = runtime.spawn_blocking(move || finder.send_all(&found_out, &stop));
        let proving = runtime.spawn(prover.prove_all(found, out));
        let taken = take_all(runtime, group, came, &mut |group, one| {
            tally.take(group, one)
        });
        let proven = ended(runtime, proving);
        let walked = ended(runtime, walking);
        taken?;
        tally.take_away()?;
        proven?;
        walked
    }
}

/// What the run came to so far.
struct Tally<'a> {
    known: &'a mut u64,
    stays: &'a mut u64,
    each: &'a mut dyn FnMut(&Stays) -> Result<()>,
    adopt: &'a Adopt,
    /// Files of the group in hand, to be taken away once it is recorded.
    taken: Vec<Original>,
}

impl Tally<'_> {
    fn take(&mut self, group: &mut Group<'_, '_>, came: Came) -> Result<()> {
        if group.is_recorded() {
            self.take_away()?;
        }
        match came {
            Came::Proven(verified, original) => {
                group.take(Fetched::Verified(*verified))?;
                if self.adopt.take_away {
                    self.taken.push(original);
                }
            }
            Came::Known { path, stored } => {
                *self.known += 1;
                if self.adopt.take_away
                    && let Ok(original) = self.adopt.folder.original(&path)
                    && group.shelf().incoming().is_same(&stored, &original)
                {
                    // A run that was cut off had no time for that.
                    self.taken.push(original);
                }
            }
            Came::Stays(stays) => self.stays(&stays)?,
            Came::Unproven(stays, error) => {
                group.counts.failed += 1;
                if let Some(error) = error {
                    group.blame(error);
                }
                self.stays(&stays)?;
            }
            Came::Drive(error) => group.take(Fetched::Drive(error))?,
            Came::Interrupted => {}
        }
        Ok(())
    }

    fn stays(&mut self, stays: &Stays) -> Result<()> {
        *self.stays += 1;
        (self.each)(stays)
    }

    /// The copy has them under names of its own, durable and recorded: theirs can go.
    fn take_away(&mut self) -> Result<()> {
        for original in std::mem::take(&mut self.taken) {
            let why = match original.remove() {
                Ok(true) => continue,
                Ok(false) => "the copy has it; here it changed meanwhile".to_owned(),
                Err(error) => format!("the copy has it; {error}"),
            };
            let path = original.path().to_owned();
            self.stays(&Stays { path, why })?;
        }
        Ok(())
    }
}
