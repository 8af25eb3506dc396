//! A drive alone, to be read: its catalogue, or one made in the temporary folder where that is
//! damaged, not there, or not that of the journals. Nothing is written to the drive.

use crate::catalogue::Catalogue;
use crate::error::{Kind, Result};
use crate::object::{Clock, JournalPosition, Sha256};
use crate::store::{Area, Reader};

/// What is done where the catalogue is no good.
pub const INSTEAD: &str = "reading the journals instead, which may take a while";

/// What a drive alone is read by.
pub struct Lone {
    /// Its catalogue, or one made for the moment.
    pub catalogue: Catalogue,
    /// Versions that a run had journalled when it was cut off, and that have no names yet: the next run
    /// that writes gives them. The catalogue does not speak of them.
    pub unplaced: u64,
    /// Whether the journals say less than the catalogue: they are damaged, or have lost their end.
    pub journals_lack: bool,
}

/// The catalogue of the store, opened to read, where it says what the journals say, or these are
/// damaged or have lost their end; else one made from them ([`from_journals`]). `why` hears what is
/// done, and why.
pub fn catalogue_of(reader: &Reader, why: &mut dyn FnMut(&str)) -> Result<Lone> {
    let opened = Catalogue::open_read(&reader.catalogue_path());
    let opened = opened.and_then(|catalogue| Ok((is_current(reader, &catalogue)?, catalogue)));
    let as_it_is = |catalogue, journals_lack| Lone {
        catalogue,
        unplaced: 0,
        journals_lack,
    };
    match opened {
        Ok((true, catalogue)) => Ok(as_it_is(catalogue, false)),
        Ok((false, catalogue)) => {
            // What can be salvaged of a damaged journal is less than what was recorded in time.
            if let Some(journal) = broken_journal(reader)? {
                why(&format!("{journal}: the catalogue is taken as it is"));
                return Ok(as_it_is(catalogue, true));
            }
            let (made, ends) = replayed(reader)?;
            if is_ahead(&catalogue, &made.catalogue, &ends)? {
                why("the journals have lost their end: the catalogue is taken as it is");
                return Ok(as_it_is(catalogue, true));
            }
            why(&format!(
                "the catalogue does not say what the journals say: {INSTEAD}"
            ));
            Ok(made)
        }
        Err(error) if error.kind() == Kind::Locked => Err(error),
        Err(error) => {
            why(&format!("{error}: {INSTEAD}"));
            from_journals(reader)
        }
    }
}

/// Whether the catalogue is of this very journal, and knows what came behind the end of it.
fn is_ahead(catalogue: &Catalogue, made: &Catalogue, ends: &[JournalPosition]) -> Result<bool> {
    for end in ends {
        let Some(known) = catalogue.position(&end.source)? else {
            continue;
        };
        let began = made.run_began(&end.source, end.run)?;
        let same = began.is_some() && catalogue.run_began(&end.source, end.run)? == began;
        if same && (known.run, known.offset) > (end.run, end.offset) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// The first journal that is not what was written, in words.
fn broken_journal(reader: &Reader) -> Result<Option<String>> {
    for source in reader.sources()? {
        if let Some(broken) = reader.verify_journal(&source, None)?.broken {
            let (file, at) = (broken.file.display(), broken.at);
            return Ok(Some(format!(
                "the journal {file} is damaged at byte {at} ({})",
                broken.why
            )));
        }
    }
    Ok(None)
}

/// A catalogue in the temporary folder, made from the journals of the drive; of files that these do
/// not know, from `SHA256SUMS`.
pub fn from_journals(reader: &Reader) -> Result<Lone> {
    replayed(reader).map(|(made, _)| made)
}

/// The same, and where the journals end.
fn replayed(reader: &Reader) -> Result<(Lone, Vec<JournalPosition>)> {
    let mut catalogue = Catalogue::temporary()?;
    let (mut unplaced, mut ends) = (0, Vec::new());
    let now = Clock::System.now();
    for source in reader.remains()? {
        catalogue.ensure_source(&source, "", "")?;
        let found = reader.replay(&source, &mut |placed| catalogue.record(placed))?;
        unplaced += found.unplaced;
        ends.extend(found.end);
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
    let made = Lone {
        catalogue,
        unplaced,
        journals_lack: false,
    };
    Ok((made, ends))
}

fn is_current(reader: &Reader, catalogue: &Catalogue) -> Result<bool> {
    for source in reader.sources()? {
        if !reader.ends_at(&source, catalogue.position(&source)?.as_ref())? {
            return Ok(false);
        }
    }
    Ok(true)
}
