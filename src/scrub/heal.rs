//! The very bytes again, from wherever they are whole.

use super::{Damaged, Fault, below};
use crate::catalogue::Catalogue;
use crate::error::{Error, Kind, Result};
use crate::home::{Diary, Shelf, places_of};
use crate::object::{EventRecord, Fact, Sha256, SourceName, State, StoredVersion};
use crate::outcome::{Event, Reporter, Stop};
use crate::store::{Entry, Reader, Whole};

/// Why somebody had no good bytes.
#[derive(Debug)]
pub enum Unhealed {
    /// It has none: why.
    Without(String),
    /// Our drive failed: nothing can be healed.
    Drive(Error),
}

/// Somebody who may have good bytes.
pub trait Healer {
    /// Who: `the bucket`, `the store at /mnt/second`.
    fn name(&self) -> String;
    /// Brings the version's bytes into `incoming/`.
    fn bring(
        &mut self,
        shelf: &Shelf<'_>,
        version: &StoredVersion,
        sha256: Sha256,
    ) -> Result<Whole, Unhealed>;
    /// What it has of this version with these bytes: a store knows where they belong.
    fn stored(&self, _: &StoredVersion, _: Sha256) -> Result<Option<StoredVersion>> {
        Ok(None)
    }
}

/// Another store that has the same objects: a mirror, or the store that this is a mirror of.
pub struct OtherStore<'o> {
    /// The store.
    pub reader: Reader,
    /// What it has.
    pub catalogue: Catalogue,
    /// The owner's wish to end.
    pub stop: &'o Stop,
    /// Hears how it goes on.
    pub reporter: &'o dyn Reporter,
}

impl Healer for OtherStore<'_> {
    fn name(&self) -> String {
        format!("the store at {}", self.reader.path().display())
    }

    fn bring(
        &mut self,
        shelf: &Shelf<'_>,
        version: &StoredVersion,
        sha256: Sha256,
    ) -> Result<Whole, Unhealed> {
        let copy = Copy {
            reader: &self.reader,
            catalogue: &self.catalogue,
            stop: self.stop,
            reporter: self.reporter,
        };
        copy.bring(shelf, version, sha256, None)
    }

    fn stored(&self, version: &StoredVersion, sha256: Sha256) -> Result<Option<StoredVersion>> {
        let source = SourceName::new(version.source.as_str())?;
        let (key, identity) = (&version.key, &version.identity);
        let row = self.catalogue.by_identity(&source, key, identity)?;
        Ok(row.filter(|row| {
            let stored = matches!(row.state, State::Stored | State::Held);
            stored && row.sha256 == Some(sha256) && row.path.is_some()
        }))
    }
}

/// A store's files, to copy from.
struct Copy<'c> {
    reader: &'c Reader,
    catalogue: &'c Catalogue,
    stop: &'c Stop,
    reporter: &'c dyn Reporter,
}

impl Copy<'_> {
    /// From the first file that is recorded with these bytes and has them; not from `except`.
    fn bring(
        &self,
        shelf: &Shelf<'_>,
        version: &StoredVersion,
        sha256: Sha256,
        except: Option<&str>,
    ) -> Result<Whole, Unhealed> {
        let paths = self
            .paths(version, sha256, except)
            .map_err(|error| Unhealed::Without(error.to_string()))?;
        let mut why = "it does not have these bytes".to_owned();
        for path in paths {
            why = format!("{path} is not what it should be either");
            let Ok(from) = self.reader.open(&path) else {
                continue;
            };
            let space = shelf.store().space();
            // There may be some for others.
            if let Err(full) = space.reserve(version.identity.size) {
                return Err(Unhealed::Without(full.to_string()));
            }
            let mut each = |bytes| {
                self.reporter.report(&Event::Bytes(bytes));
                !self.stop.requested()
            };
            let copied = shelf
                .incoming()
                .copy_whole(&from, sha256, &space, &mut each)
                .map_err(Unhealed::Drive)?;
            if let Some(whole) = copied {
                return Ok(whole);
            }
        }
        // What was not read to its end is not known to be bad.
        if self.stop.requested() {
            why = "interrupted".to_owned();
        }
        Err(Unhealed::Without(why))
    }

    fn paths(
        &self,
        version: &StoredVersion,
        sha256: Sha256,
        except: Option<&str>,
    ) -> Result<Vec<String>> {
        let source = SourceName::new(version.source.as_str())?;
        let which = (&version.key, &version.identity);
        let mut paths = places_of((self.reader, self.catalogue), &source, which, sha256)?;
        paths.retain(|path| except != Some(path.as_str()));
        Ok(paths)
    }
}

/// Heals one file, with the bytes of the first who has them: this drive itself under another name,
/// then each of `healers`.
pub(super) fn heal(
    shelf: &mut Shelf<'_>,
    diary: &mut Diary<'_>,
    damaged: &mut Damaged,
    healers: &mut [Box<dyn Healer + '_>],
    (stop, reporter): (&Stop, &dyn Reporter),
) -> Result<()> {
    let Some(sha256) = damaged.version.sha256 else {
        return Ok(());
    };
    // The file is whole: a rebuild writes the line.
    if damaged.fault == Fault::Line {
        return Ok(());
    }
    let itself = Copy {
        reader: shelf.store().reader(),
        catalogue: shelf.catalogue(),
        stop,
        reporter,
    };
    let version = &damaged.version;
    let mut brought = itself.bring(shelf, version, sha256, Some(&damaged.path));
    let mut from = "another name on this drive".to_owned();
    for healer in healers {
        match brought {
            Err(Unhealed::Without(_)) if !stop.requested() => {}
            _ => break,
        }
        from = healer.name();
        brought = healer.bring(shelf, version, sha256);
        if let Err(Unhealed::Without(why)) = &brought {
            damaged.unhealed.push(format!("{from}: {why}"));
        }
    }
    let whole = match brought {
        Ok(whole) => whole,
        Err(Unhealed::Without(_)) => return Ok(()),
        Err(Unhealed::Drive(error)) => return Err(error),
    };
    // A drive that has let one file rot may do so with its bytes, too.
    if let Err(error) = shelf.drive().read_back_whole(&whole) {
        shelf.store().still_there()?;
        damaged.unhealed.push(format!("{from}: {error}"));
        return Ok(());
    }
    let path = below(&damaged.version, &damaged.path).to_owned();
    let key = damaged.version.key.clone();
    let entry = Entry::Heal {
        whole,
        key,
        identity: damaged.version.identity.clone(),
        path,
        sums_at: damaged.sums_at,
    };
    carry_out((shelf, diary), vec![entry], damaged, from)
}

/// Does what gives `damaged` its bytes again, and says so.
pub(super) fn carry_out(
    (shelf, diary): (&mut Shelf<'_>, &mut Diary<'_>),
    entries: Vec<Entry>,
    damaged: &mut Damaged,
    from: String,
) -> Result<()> {
    let path = below(&damaged.version, &damaged.path);
    let happened = EventRecord {
        kind: EventRecord::HEALED.to_owned(),
        key: Some(damaged.version.key.clone()),
        text: format!(
            "{path}: {}; its bytes came again from {from}",
            damaged.fault
        ),
        at: diary.now(),
    };
    for entry in entries {
        diary.enter(shelf, entry)?;
    }
    diary.add(shelf, Fact::Event(happened))?;
    match diary.flush(shelf) {
        Ok(()) => {
            damaged.healed = Some(from);
            Ok(())
        }
        // Something stands there that nothing may be put over.
        Err(error) if matches!(error.kind(), Kind::Run | Kind::Store) => {
            shelf.store().still_there()?;
            // It was begun: nothing can be put anywhere before that is finished.
            if shelf.drive().is_unfinished() {
                return Err(error);
            }
            damaged.unhealed.push(error.to_string());
            Ok(())
        }
        Err(error) => Err(error),
    }
}
