//! The catalogue's files at the root of the store: the one in use, the one that is being made, and
//! older ones. What is in them is the catalogue's business.

use super::{CATALOGUE, Store};
use crate::error::Result;
use std::path::PathBuf;

/// What SQLite keeps beside a database.
const BESIDE: [&str; 3] = ["-wal", "-journal", "-shm"];

/// A catalogue that is being made anew.
const FRESH: &str = "catalogue.db.new";

/// A copy that is being made, the newest one, and the one before.
const FRESH_COPY: &str = "catalogue.db.copy";
const COPIES: [&str; 2] = ["catalogue.db.1", "catalogue.db.2"];

impl Store {
    /// Where a new catalogue is to be made; what an earlier try left there is removed.
    pub fn fresh_catalogue(&self) -> Result<PathBuf> {
        self.cleared(FRESH)
    }

    /// Where a copy of the catalogue is to be made.
    pub fn fresh_copy(&self) -> Result<PathBuf> {
        self.cleared(FRESH_COPY)
    }

    /// The newest copy, whether or not it is there.
    pub fn copy_path(&self) -> PathBuf {
        self.path().join(COPIES[0])
    }

    /// Syncs the copy that was made and makes it the newest one, and the one that was so the
    /// second, if it is to be kept. Says which name the copy has.
    pub fn publish_copy(&self, keep: bool) -> Result<&'static str> {
        self.still_there()?;
        let dir = &self.reader.dir;
        dir.sync_file(FRESH_COPY)?;
        let [newest, second] = COPIES;
        if keep {
            dir.rename(newest, second)?;
        }
        dir.rename(FRESH_COPY, newest)?;
        dir.sync_folder(".")?;
        Ok(newest)
    }

    fn cleared(&self, name: &str) -> Result<PathBuf> {
        let dir = &self.reader.dir;
        for suffix in ["", "-wal", "-journal", "-shm"] {
            dir.unlink(&format!("{name}{suffix}"))?;
        }
        Ok(self.path().join(name))
    }

    /// Puts the new catalogue, which is closed, in the place of the old one; says which name the
    /// old one has now. There is a catalogue under its name at every moment, unless the old one
    /// was left in the middle of a run: its log must not be taken for the new one's, so it goes
    /// first, and a crash in between leaves none.
    pub fn swap_catalogue(&self) -> Result<Option<String>> {
        self.still_there()?;
        let dir = &self.reader.dir;
        dir.sync_file(FRESH)?;
        let old = self.free_name()?;
        let there = dir.stat(CATALOGUE)?.is_some();
        let mut beside = false;
        for suffix in BESIDE {
            beside |= dir.stat(&format!("{CATALOGUE}{suffix}"))?.is_some();
        }
        if there && (beside || !dir.link(CATALOGUE, &old)?) {
            dir.rename(CATALOGUE, &old)?;
        }
        for suffix in BESIDE {
            let name = format!("{CATALOGUE}{suffix}");
            match suffix {
                "-shm" => dir.unlink(&name)?,
                _ if dir.stat(&name)?.is_some() => dir.rename(&name, &format!("{old}{suffix}"))?,
                _ => {}
            }
        }
        dir.sync_folder(".")?;
        dir.rename(FRESH, CATALOGUE)?;
        dir.sync_folder(".")?;
        Ok((there || beside).then_some(old))
    }

    fn free_name(&self) -> Result<String> {
        let base = self
            .clock
            .now()
            .strftime("catalogue.db.old-%Y%m%dT%H%M%SZ")
            .to_string();
        let mut name = base.clone();
        let mut number = 1;
        while self.reader.dir.stat(&name)?.is_some() {
            number += 1;
            name = format!("{base}-{number}");
        }
        Ok(name)
    }
}
