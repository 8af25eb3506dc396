//! A drive alone, to be read: its catalogue, or one made in the temporary folder where that is
//! damaged, not there, or not that of the journals. Nothing is written to the drive.

use crate::catalogue::Catalogue;
use crate::error::{Kind, Result};
use crate::object::{Clock, JournalPosition, Sha256};
use crate::store::{Area, Reader};

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

/// A catalogue in the temporary folder, made from the journals of the drive; of files that these do
/// not know, from `SHA256SUMS`.
pub fn from_journals(reader: &Reader) -> Result<Catalogue> {
    let mut catalogue = Catalogue::temporary()?;
    let now = Clock::System.now();
    for source in reader.remains()? {
        catalogue.ensure_source(&source, "", "")?;
        reader.replay(&source, &mut |placed| catalogue.record(placed))?;
        let mut after = catalogue.position(&source)?.unwrap_or(JournalPosition {
            source: source.clone(),
            run: 1,
            offset: 0,
            head: Sha256([0; 32]),
        });
        for area in [Area::Latest, Area::History] {
            after = reader.vouched(area, after, now, &mut |path, placed| match catalogue
                .at_path(&source, path)?
                .is_empty()
            {
                true => catalogue.record(placed),
                false => Ok(()),
            })?;
        }
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
