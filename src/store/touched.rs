//! What was changed and waits for a sync.

use super::dir::{Dir, parent_and_name};
use crate::error::Result;
use std::collections::BTreeSet;

/// The files and folders that a group changed and that are not synced yet.
#[derive(Debug, Default)]
pub(super) struct Touched {
    files: BTreeSet<String>,
    folders: BTreeSet<String>,
}

impl Touched {
    /// `path` was written: it and every folder above it wait for a sync.
    pub(super) fn file(&mut self, path: &str) {
        self.files.insert(path.to_owned());
        self.name(path);
    }

    /// The name `path` was made or taken away: every folder above it waits for a sync. All of
    /// them, because after a crash nobody knows which of them were new.
    pub(super) fn name(&mut self, path: &str) {
        let mut rest = path;
        loop {
            rest = parent_and_name(rest).0;
            if !self.folders.insert(rest.to_owned()) || rest == "." {
                return;
            }
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.files.is_empty() && self.folders.is_empty()
    }
}

/// Syncs what was touched: one `syncfs` where the file system has a good one, else an `fsync` of
/// each file and folder.
pub(super) fn sync(dir: &Dir, whole: bool, touched: &mut Touched) -> Result<()> {
    if touched.is_empty() {
        return Ok(());
    }
    if whole {
        dir.sync_all()?;
    } else {
        for file in &touched.files {
            dir.sync_file(file)?;
        }
        for folder in touched.folders.iter().rev() {
            if dir.stat(folder)?.is_some() {
                dir.sync_folder(folder)?;
            }
        }
    }
    *touched = Touched::default();
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn touching_a_name_touches_every_folder_above() {
        let mut touched = Touched::default();
        touched.name("a/b/c");
        touched.name("a/d");
        let folders: Vec<_> = touched.folders.iter().map(String::as_str).collect();
        assert_eq!(folders, [".", "a", "a/b"]);
        assert!(touched.files.is_empty());
    }
}
