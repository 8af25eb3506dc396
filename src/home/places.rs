//! Where another store has bytes that this one needs: for a mirror that copies them, and for a
//! scrub that takes them back.

use crate::catalogue::Catalogue;
use crate::error::Result;
use crate::object::{Identity, ObjectKey, Sha256, SourceName};
use crate::store::Reader;

/// So many places are named.
const MOST: usize = 20;

/// The files of the store that should have the bytes of this version, relative to the store, the
/// likeliest first: that of the version itself, then those of other versions of its key with the
/// same bytes.
///
/// Each is there; nothing was read of it. Whoever takes one compares its SHA-256.
pub fn places_of(
    (reader, catalogue): (&Reader, &Catalogue),
    source: &SourceName,
    (key, identity): (&ObjectKey, &Identity),
    sha256: Sha256,
) -> Result<Vec<String>> {
    let mut places: Vec<String> = Vec::new();
    let mut add = |found: Option<Sha256>, path: Option<String>| {
        if let Some(path) = path.filter(|_| found == Some(sha256))
            && places.len() < MOST
            && !places.contains(&path)
        {
            places.push(path);
        }
    };
    if let Some(own) = catalogue.by_identity(source, key, identity)? {
        add(own.sha256, own.path);
    }
    catalogue.versions_of(source, key.as_str(), &mut |other| {
        add(other.sha256, other.path);
        Ok(())
    })?;
    // A link that somebody planted is no file to take.
    places.retain(|path| matches!(reader.stat(path), Ok(Some(_))));
    Ok(places)
}
