//! The folder that a rehearsal restores to: its own, seen by nobody else, and gone at the end.

use crate::error::{Error, Kind, Result};
use rustix::fs::{FlockOperation, flock};
use std::fs::{File, Metadata, Permissions};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::time::Duration;
use tempfile::TempDir;

/// What its name begins with.
const NAME: &str = "offsite-drill-";
/// What the name of one begins with that the owner keeps.
const KEPT: &str = "offsite-kept-";
/// One that nobody uses and that is older was left by a run that was killed.
const LEFT: Duration = Duration::from_secs(3600);

/// The folder; it is removed when this goes.
pub(super) struct Scratch(TempDir);

impl Scratch {
    /// Makes it in `below`, where those go that killed runs left there: the next would have no room.
    pub(super) fn make(below: &Path) -> Result<Self> {
        let made = below.canonicalize().and_then(|below| {
            sweep(&below);
            tempfile::Builder::new()
                .prefix(NAME)
                .permissions(Permissions::from_mode(0o700))
                .tempdir_in(below)
        });
        made.map(Self).map_err(|e| {
            let what = format!("cannot make a folder in {}", below.display());
            Error::new(Kind::Run, what)
                .because(e)
                .hint("`--scratch DIR` names a folder that is there and can be written to")
        })
    }

    /// Where it is.
    pub(super) fn path(&self) -> &Path {
        self.0.path()
    }

    /// Removes it now, and says if that fails.
    pub(super) fn remove(self) -> Result<()> {
        let path = self.path().to_owned();
        self.0.close().map_err(|e| Error::io("remove", path, e))
    }

    /// Leaves it there, under a name that is not swept; says where.
    pub(super) fn keep(self) -> Result<PathBuf> {
        let path = self.0.keep();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let kept = path.with_file_name(name.replacen(NAME, KEPT, 1));
        std::fs::rename(&path, &kept).map_err(|e| Error::io("rename", &path, e))?;
        Ok(kept)
    }
}

/// Removes what runs of this user left that were killed. A run that goes on holds its folder locked.
fn sweep(below: &Path) {
    let Ok(entries) = std::fs::read_dir(below) else {
        return;
    };
    for entry in entries.flatten() {
        let ours = entry.file_name().to_string_lossy().starts_with(NAME);
        if !ours || !entry.metadata().is_ok_and(|meta| is_left(&meta)) {
            continue;
        }
        let Ok(folder) = File::open(entry.path()) else {
            continue;
        };
        if flock(&folder, FlockOperation::NonBlockingLockExclusive).is_ok()
            && let Err(error) = std::fs::remove_dir_all(entry.path())
        {
            log::debug!("{} stays: {error}", entry.path().display());
        }
    }
}

fn is_left(meta: &Metadata) -> bool {
    let old = meta.modified().ok().and_then(|at| at.elapsed().ok());
    meta.is_dir()
        && meta.uid() == rustix::process::getuid().as_raw()
        && old.is_some_and(|age| age > LEFT)
}
