//! Room for a name: which one is free, and where what stands in the way goes.

use super::super::dir::{Stands, parent_and_name};
use super::super::hash;
use super::super::names::{self, Spelling};
use super::super::sums;
use super::Plan;
use crate::error::{Error, Kind, Result};
use crate::object::{EventRecord, Fact, Moved, ObjectKey, Record, Sha256, Timestamp};

impl Plan<'_> {
    /// Says so. The file gets no line in the sums: nobody vouches for it, it may be what is left of one
    /// that has rotted, and a rebuild would take it for a version.
    pub(super) fn moved_aside(&mut self, key: &ObjectKey, path: &str, to: &str) -> Result<()> {
        self.push(Record::Fact(Fact::Event(EventRecord {
            kind: EventRecord::MOVED_ASIDE.to_owned(),
            key: Some(key.clone()),
            text: format!("a file that offsite did not put there stood at {path}; it is now {to}"),
            at: self.drive.clock.now(),
        })))
    }

    pub(super) fn free_history(
        &mut self,
        key: &ObjectKey,
        spelling: &Spelling,
        at: Timestamp,
        sha256: Sha256,
    ) -> Result<String> {
        let rule = self.drive.rule;
        let short = names::history(rule, key, spelling, at, &sha256);
        let long = names::history_long(rule, key, spelling, at, &sha256);
        self.free(short, long, None)
    }

    /// The first of the names that nothing has, or that `same` bytes have. Stored versions share
    /// no name, since one of them may be moved or pruned; a download that fails every night the
    /// same way must not fill the quarantine.
    pub(super) fn free(
        &mut self,
        short: String,
        long: String,
        same: Option<(Sha256, u64)>,
    ) -> Result<String> {
        self.clear_way(&short)?;
        let more: Vec<_> = (2..10).map(|n| format!("{long}-{n}")).collect();
        for name in [short, long.clone()].into_iter().chain(more) {
            if self.used.contains(&name) {
                continue;
            }
            let free = match self.drive.dir.stat(&name)? {
                None => true,
                Some(Stands::File { bytes, .. }) => match same {
                    Some((sha256, same)) => {
                        same == bytes && hash::of_file(&self.drive.dir, &name)? == sha256
                    }
                    None => false,
                },
                Some(Stands::Folder) => false,
            };
            if free {
                self.used.insert(name.clone());
                return Ok(name);
            }
        }
        Err(self.in_the_way(&long, "a file with other bytes"))
    }

    pub(super) fn move_to(
        &mut self,
        key: ObjectKey,
        sha256: Sha256,
        from: String,
        to: String,
        sums_from: Option<u64>,
    ) -> Result<()> {
        self.clear_way(&to)?;
        match self.drive.dir.stat(&to)? {
            None => {}
            Some(Stands::File { .. }) => self.aside(&to, &key)?,
            Some(Stands::Folder) => return Err(self.in_the_way(&to, "a folder")),
        }
        let sums_from = match sums_from {
            Some(at) if sums::lists(&self.drive.dir, &from, at)? => Some(at),
            _ => None,
        };
        let sums_at = self.ends.allot(&to, None)?;
        self.shift(Moved {
            key,
            sha256,
            from,
            to,
            sums_from,
            sums_at,
        })
    }

    fn shift(&mut self, moved: Moved) -> Result<()> {
        self.used.extend([moved.from.clone(), moved.to.clone()]);
        self.moved_away.insert(moved.from.clone(), moved.to.clone());
        self.push(Record::Move(moved))
    }

    /// Makes sure that the folders `path` lies in are there or can be made. A file that nobody
    /// knows and that has a folder's name in `latest/` is moved aside.
    pub(super) fn clear_way(&mut self, path: &str) -> Result<()> {
        let mut folder = parent_and_name(path).0;
        while folder != "." {
            match self.drive.dir.stat(folder)? {
                Some(Stands::Folder) => return Ok(()),
                Some(Stands::File { .. }) if self.moved_away.contains_key(folder) => return Ok(()),
                Some(Stands::File { .. }) if folder.starts_with("latest/") => {
                    let key = names::key_of(folder).or_else(|_| names::key_of(path))?;
                    return self.aside(folder, &key);
                }
                Some(Stands::File { .. }) => {
                    return Err(self.in_the_way(folder, "a file"));
                }
                None => folder = parent_and_name(folder).0,
            }
        }
        Ok(())
    }

    /// Moves a file that nobody knows into `history/`.
    fn aside(&mut self, path: &str, key: &ObjectKey) -> Result<()> {
        let sha256 = hash::of_file(&self.drive.dir, path)?;
        let now = self.drive.clock.now();
        let to = self.free_history(key, &Spelling::default(), now, sha256)?;
        self.moved_aside(key, path, &to)?;
        self.clear_way(&to)?;
        self.shift(Moved {
            key: key.clone(),
            sha256,
            from: path.to_owned(),
            to,
            sums_from: None,
            sums_at: None,
        })
    }

    pub(super) fn in_the_way(&self, path: &str, what: &str) -> Error {
        let path = self.drive.dir.path().join(path);
        Error::new(
            Kind::Run,
            format!("{what} stands at {} and cannot stay there", path.display()),
        )
        .hint("offsite did not put it there: move it out of the store, then run again")
    }
}
