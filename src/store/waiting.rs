//! Files that were written to a folder of the owner's and wait for their names: one sync for many of
//! them. A sync for each is what makes careful tools slow.

use super::target::{Bringing, Target, Unbrought, Wanted, refused, staged_name};
use super::touched::{Touched, sync};
use crate::error::Result;
use std::collections::BTreeMap;
use std::fs::File;

/// So many wait at most,
const FILES: usize = 500;
/// and files of so many bytes: what a run that is killed has written in vain.
const BYTES: u64 = 4 << 30;

/// The files that wait. Those that are left when it goes are removed.
#[derive(Debug)]
pub struct Waiting<'t> {
    target: &'t Target,
    /// By the names that they are to have: whether each may replace what stands there.
    files: BTreeMap<String, bool>,
    bytes: u64,
}

impl<'t> Waiting<'t> {
    pub(super) fn new(target: &'t Target) -> Self {
        Self {
            target,
            files: BTreeMap::new(),
            bytes: 0,
        }
    }

    /// Copies `from` to the folder, hashing what is written; if its digest is the one that is wanted,
    /// it waits for its name.
    pub fn bring(
        &mut self,
        from: File,
        file: &Wanted<'_>,
        how: &Bringing<'_>,
    ) -> Result<(), Unbrought> {
        if self.files.contains_key(file.path) {
            let what = "another file of this restore has the same name".to_owned();
            return Err(Unbrought::Refused(what));
        }
        self.target.stage(from, file, how)?;
        self.files.insert(file.path.to_owned(), how.replace);
        self.bytes += file.bytes;
        Ok(())
    }

    /// Whether it is time for their names.
    pub fn is_full(&self) -> bool {
        self.files.len() >= FILES || self.bytes >= BYTES
    }

    /// Makes the bytes of all of them durable, then gives each its name. Hands back those that could
    /// not get theirs, by name, and why.
    ///
    /// # Errors
    /// Where the folder can take no file more; those that wait are removed.
    pub fn name(&mut self) -> Result<BTreeMap<String, String>> {
        let dir = self.target.dir();
        let whole = self.target.syncs_whole();
        let mut touched = Touched::default();
        for path in self.files.keys() {
            touched.file(&staged_name(path));
        }
        let mut failed = BTreeMap::new();
        if let Err(error) = sync(dir, whole, &mut touched) {
            // Nobody knows whose bytes were lost.
            let why = why(refused(error))?;
            let paths = self.files.keys();
            failed.extend(paths.map(|path| (path.clone(), why.clone())));
            self.remove();
            return Ok(failed);
        }
        self.bytes = 0;
        while let Some((path, replace)) = self.files.pop_first() {
            let staged = staged_name(&path);
            let named = match replace {
                true => dir.rename(&staged, &path),
                false => dir.rename_new(&staged, &path),
            };
            match named.map_err(refused) {
                Ok(()) => touched.name(&path),
                Err(error) => {
                    let _ = dir.unlink(&staged);
                    failed.insert(path, why(error)?);
                }
            }
        }
        // Elsewhere the end of the restore syncs all names at once.
        if !whole {
            sync(dir, whole, &mut touched)?;
        }
        Ok(failed)
    }

    fn remove(&mut self) {
        while let Some((path, _)) = self.files.pop_first() {
            let _ = self.target.dir().unlink(&staged_name(&path));
        }
        self.bytes = 0;
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.remove();
    }
}

/// Why one file was not brought, unless no other can be either.
fn why(unbrought: Unbrought) -> Result<String> {
    match unbrought {
        Unbrought::Target(error) => Err(error),
        Unbrought::Refused(why) | Unbrought::Rotten(why) => Ok(why),
        Unbrought::Interrupted => Ok("interrupted".to_owned()),
    }
}
