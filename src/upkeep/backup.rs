//! A copy of the catalogue wherever the owner wants it.

use crate::catalogue::Catalogue;
use crate::error::{Error, Kind, Result};
use std::path::Path;

/// Copies the catalogue into the file `to`, which is there whole or not at all, and synced. Says
/// how many bytes it has.
///
/// # Errors
/// [`Kind::Usage`] where something else than a catalogue is there already.
pub fn backup(catalogue: &Catalogue, to: &Path) -> Result<u64> {
    let taken = |what: &str| {
        Error::new(Kind::Usage, format!("{} {what}", to.display()))
            .hint("name another file: only an older copy of a catalogue is replaced")
    };
    if to.is_dir() {
        return Err(taken("is a folder"));
    }
    if to.exists() && Catalogue::glance(to).is_err() {
        return Err(taken("is there already, and is no catalogue"));
    }
    let fail = |e| Error::io("write", to, e);
    let folder = match to.parent() {
        Some(folder) if folder != Path::new("") => folder,
        _ => Path::new("."),
    };
    let fresh = tempfile::Builder::new()
        .prefix(".offsite-")
        .permissions(std::os::unix::fs::PermissionsExt::from_mode(0o644))
        .tempfile_in(folder)
        .map_err(fail)?;
    catalogue.copy_to(fresh.path())?;
    fresh.as_file().sync_all().map_err(fail)?;
    let file = fresh.persist(to).map_err(|e| fail(e.error))?;
    let bytes = file.metadata().map_err(fail)?.len();
    let synced = std::fs::File::open(folder).and_then(|folder| folder.sync_all());
    synced.map_err(fail)?;
    Ok(bytes)
}
