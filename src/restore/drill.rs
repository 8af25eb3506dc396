//! A rehearsal of a restore: the newest complete set of a series comes back to scratch space, each
//! byte is compared, and the owner's command opens it.

use super::proof::Proof;
use super::scratch::Scratch;
use super::set::{Missing, Picked, is_of, newest_set};
use super::{Choice, Fate, Item, Restore, Sum, Turn};
use crate::catalogue::Catalogue;
use crate::error::{Error, Result};
use crate::home::Home;
use crate::object::ObjectKey;
use crate::outcome::{Reporter, Stop};
use crate::store::{Reader, Target};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// So many files of a set are given to the command as arguments; a larger one is a folder to it.
const ARGUMENTS: usize = 1000;

/// What a rehearsal is done with.
pub struct Drill<'d> {
    /// The store.
    pub reader: &'d Reader,
    /// What it has.
    pub catalogue: &'d Catalogue,
    /// The folder that the scratch folder is made in.
    pub scratch: &'d Path,
    /// Whether it stays there.
    pub keep: bool,
    /// Bytes that stay free on the store's drive, where the scratch folder is on it.
    pub min_free: u64,
    /// What is missing of an archive of volumes.
    pub missing: Missing<'d>,
    /// The store for ourselves: nothing is called damaged while another run may move it.
    pub alone: &'d dyn Fn() -> Result<Home>,
    /// The owner's wish to end.
    pub stop: &'d Stop,
    /// Hears how it goes on.
    pub reporter: &'d dyn Reporter,
}

/// What a rehearsal came to.
#[derive(Debug)]
pub struct Rehearsed {
    /// Whose it was.
    pub turn: Turn,
    /// Files that came back, each with its digest.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
    /// The object that stands for the set, or the one that is damaged.
    pub key: Option<ObjectKey>,
    /// What it came to.
    pub came: Came,
    /// The folder, where it was kept.
    pub kept: Option<PathBuf>,
}

/// What a rehearsal came to.
#[derive(Debug)]
pub enum Came {
    /// The owner's command opened it.
    Proven,
    /// All is there, and there is no command.
    Read,
    /// All is there, and the command failed: how.
    Failed(String),
    /// Files are not there: why.
    Incomplete(String),
    /// So many files are damaged on the drive: how the first is.
    Damaged(u64, String),
    /// The drive has no file of the series.
    Nothing,
    /// There is no room for it.
    NoRoom(Error),
    /// The owner ended it.
    Interrupted,
}

/// What was restored.
#[derive(Default)]
struct Back {
    sum: Sum,
    bytes: u64,
    /// The first of them, relative to the scratch folder.
    files: Vec<String>,
    /// The folder that has them all, relative to it.
    folder: Option<String>,
    key: Option<ObjectKey>,
    damaged: Option<(ObjectKey, String)>,
    refused: Option<String>,
}

impl Drill<'_> {
    /// Rehearses one series; `proof` is the owner's command for it.
    ///
    /// # Errors
    /// Where nothing can be told about the series: the drive went away, the scratch folder fails.
    pub fn rehearse(&self, turn: Turn, proof: Option<&Proof<'_>>) -> Result<Rehearsed> {
        let mut incomplete: Option<(ObjectKey, String)> = None;
        let picked = newest_set(
            self.catalogue,
            (&turn.source, &turn.series),
            None,
            self.missing,
            &mut |key, missing| {
                incomplete.get_or_insert_with(|| (key.clone(), missing.to_owned()));
            },
        )?;
        let keys = match picked {
            Picked::Nothing => {
                let (key, came) = match incomplete {
                    None => (None, Came::Nothing),
                    Some((key, missing)) => (
                        Some(key),
                        Came::Incomplete(format!("no set of it is complete: {missing} is missing")),
                    ),
                };
                return Ok(Rehearsed::of(turn, key, came));
            }
            Picked::All => None,
            Picked::Set(set) => Some(set.into_iter().collect::<BTreeSet<_>>()),
        };
        let series = turn.series.clone();
        let choice = Choice {
            source: Some(turn.source.clone()),
            at: None,
            version: None,
            keys: Box::new(|_, key| match &keys {
                None => is_of(key, &series),
                Some(keys) => keys.contains(key),
            }),
        };
        self.restored(turn, &choice, proof)
    }

    fn restored(
        &self,
        turn: Turn,
        choice: &Choice<'_>,
        proof: Option<&Proof<'_>>,
    ) -> Result<Rehearsed> {
        let scratch = Scratch::make(self.scratch)?;
        let target = Target::open(scratch.path(), self.reader, true)?;
        let restore = Restore {
            reader: self.reader,
            catalogue: self.catalogue,
            mirror: None,
            choice,
            target: &target,
            folders: false,
            force: false,
            stop: self.stop,
            reporter: self.reporter,
        };
        let plan = restore.plan(&mut |_| Ok(()))?;
        // On the store's own drive a rehearsal would else keep pulls from going on.
        let kept = match target.is_on_drive_of(self.reader)? {
            true => self.min_free,
            false => 0,
        };
        if let Err(short) = restore.check_room(&plan, kept) {
            let short = short.hint("`--scratch DIR` names a folder on a larger drive");
            return Ok(Rehearsed::of(turn, None, Came::NoRoom(short)));
        }
        let series = turn.series.clone();
        let mut back = Back::default();
        back.sum = restore.run(&plan, &mut |item| back.take(item, &series))?;
        if back.sum.damaged > 0 {
            // A run that placed a newer version meanwhile moved this one: it may be whole.
            let _alone = (self.alone)()?;
            back = Back::default();
            back.sum = restore.run(&plan, &mut |item| back.take(item, &series))?;
        }
        let came = self.came(&back, scratch.path(), proof)?;
        let key = back.damaged.map(|(key, _)| key).or(back.key);
        let kept = match self.keep {
            true => Some(scratch.keep()?),
            false => {
                scratch.remove()?;
                None
            }
        };
        Ok(Rehearsed {
            turn,
            files: back.sum.restored + back.sum.there,
            bytes: back.bytes,
            key,
            came,
            kept,
        })
    }

    fn came(&self, back: &Back, scratch: &Path, proof: Option<&Proof<'_>>) -> Result<Came> {
        if back.sum.interrupted {
            return Ok(Came::Interrupted);
        }
        if let Some((_, why)) = &back.damaged {
            return Ok(Came::Damaged(back.sum.damaged, why.clone()));
        }
        if let Some(why) = &back.refused {
            return Ok(Came::Incomplete(match back.sum.refused {
                1 => format!("a file did not come: {why}"),
                more => format!("{more} files did not come; the first: {why}"),
            }));
        }
        let Some(proof) = proof else {
            return Ok(Came::Read);
        };
        let whole = |path: &String| scratch.join(path);
        let files: Vec<PathBuf> = match back.files.len() > ARGUMENTS {
            true => Vec::new(),
            false => back.files.iter().map(whole).collect(),
        };
        let folder = scratch.join(back.folder.as_deref().unwrap_or_default());
        Ok(match proof.run(&folder, &files, self.stop)? {
            None => Came::Interrupted,
            Some(Ok(())) => Came::Proven,
            Some(Err(why)) => Came::Failed(why),
        })
    }
}

impl Rehearsed {
    /// One in which nothing came back.
    fn of(turn: Turn, key: Option<ObjectKey>, came: Came) -> Self {
        Self {
            turn,
            files: 0,
            bytes: 0,
            key,
            came,
            kept: None,
        }
    }
}

impl Back {
    fn take(&mut self, item: &Item, series: &str) -> Result<()> {
        let key = &item.version.key;
        match &item.fate {
            Fate::Restored | Fate::There => {
                self.bytes += item.version.identity.size;
                if self.files.len() <= ARGUMENTS {
                    self.files.push(item.to.clone());
                }
                let (folder, _) = item.to.rsplit_once('/').unwrap_or_default();
                self.folder = Some(match &self.folder {
                    None => folder.to_owned(),
                    Some(other) => in_common(other, folder),
                });
                if self.key.is_none() || !self.key.as_ref().is_some_and(|k| is_of(k, series)) {
                    self.key = Some(key.clone());
                }
            }
            Fate::Damaged(why, _) => {
                self.damaged
                    .get_or_insert_with(|| (key.clone(), why.clone()));
            }
            Fate::Refused(why) | Fate::Differs(why) => self.refuse(key, why),
            Fate::Chosen | Fate::Unheld => {
                let why = format!("the drive does not have it, it is {}", item.version.state);
                self.refuse(key, &why);
            }
        }
        Ok(())
    }

    fn refuse(&mut self, key: &ObjectKey, why: &str) {
        self.refused.get_or_insert_with(|| format!("{key}: {why}"));
    }
}

/// The folder that has both.
fn in_common(one: &str, other: &str) -> String {
    let pairs = one.split('/').zip(other.split('/'));
    let same = pairs.take_while(|(a, b)| a == b).map(|(a, _)| a);
    same.collect::<Vec<_>>().join("/")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_in_common() {
        for (one, other, both) in [
            ("", "a", ""),
            ("repo", "repo/data/00", "repo"),
            ("repo1", "repo2", ""),
            ("a/b/c", "a/b/d", "a/b"),
            ("a", "a", "a"),
        ] {
            assert_eq!(in_common(one, other), both);
            assert_eq!(in_common(other, one), both);
        }
    }
}
