//! Files that nothing vouches for.

use crate::catalogue::Catalogue;
use crate::error::Result;
use crate::object::SourceName;
use crate::store::{Area, Lies, Reader};

/// Hands what lies in a source's `latest/`, `history/` and `quarantine/` to `each`, and whether it is a file
/// that a row of the catalogue speaks of. Of a path that is not `wanted` no more than its name is looked at.
pub fn strangers(
    (reader, catalogue): (&Reader, &Catalogue),
    source: &SourceName,
    wanted: &mut dyn FnMut(&str) -> Result<bool>,
    each: &mut dyn FnMut(&Lies, bool) -> Result<()>,
) -> Result<()> {
    let folder = format!("{source}/");
    for area in [Area::Latest, Area::History, Area::Quarantine] {
        reader.walk_some(source, area, wanted, &mut |lies: Lies| {
            let path = lies.path.strip_prefix(&folder).unwrap_or(&lies.path);
            let known = lies.bytes.is_some()
                && (catalogue.knows_path(source, path)? || is_note(reader, source, path)?);
            each(&lies, known)
        })?;
    }
    Ok(())
}

/// Whether the file is the note beside one in quarantine.
fn is_note(reader: &Reader, source: &SourceName, path: &str) -> Result<bool> {
    let noted = path
        .strip_suffix(".txt")
        .filter(|path| path.starts_with("quarantine/"));
    Ok(match noted {
        Some(noted) => reader.stat(&format!("{source}/{noted}"))?.is_some(),
        None => false,
    })
}
