//! A drive alone, to be read: its catalogue, or one made in the temporary folder where that is
//! damaged, not there, or not that of the journals. Nothing is written to the drive.

use crate::catalogue::Catalogue;
use crate::error::{Kind, Result};
use crate::store::Reader;

/// The catalogue of the store, opened to read, where it says what the journals say; else one made
/// from them ([`from_journals`]), and `why` hears why.
pub fn catalogue_of(reader: &Reader, why: &mut dyn FnMut(&str)) -> Result<Catalogue> {
    let opened = Catalogue::open_read(&reader.catalogue_path());
    let opened = opened.and_then(|catalogue| Ok((is_current(reader, &catalogue)?, catalogue)));
    match opened {
        Ok((true, catalogue)) => return Ok(catalogue),
        Ok((false, _)) => why("the catalogue does not say what the journals say"),
        Err(error) if error.kind() == Kind::Locked => return Err(error),
        Err(error) => why(&error.to_string()),
    }
    from_journals(reader)
}

/// A catalogue in the temporary folder, made from the journals of the drive.
pub fn from_journals(reader: &Reader) -> Result<Catalogue> {
    let mut catalogue = Catalogue::temporary()?;
    for source in reader.sources()? {
        catalogue.ensure_source(&source, "", "")?;
        reader.replay(&source, &mut |placed| catalogue.record(placed))?;
    }
    Ok(catalogue)
}

fn is_current(reader: &Reader, catalogue: &Catalogue) -> Result<bool> {
    for source in reader.sources()? {
        if !reader.ends_at(&source, catalogue.position(&source)?.as_ref())? {
            return Ok(false);
        }
    }
    Ok(true)
}
