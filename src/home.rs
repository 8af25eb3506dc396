//! The copy at home: the drive and its catalogue, opened together and kept in step.
//!
//! `store` and `catalogue` never know each other. Here they meet, so that what must happen
//! together cannot be done apart: opening replays the journal, and whatever is placed is recorded
//! ([`Shelf::commit`]).

mod copies;
mod diary;
mod lone;
mod places;
mod promote;
mod rebuild;
mod shown;
mod spelling;
mod strangers;
mod way;

pub use diary::Diary;
pub use lone::{INSTEAD, Lone, catalogue_of, from_journals};
pub use places::places_of;
pub use rebuild::{Rebuilding, Replayed};
pub use shown::{shown_as_before, shown_when_placed};
pub use strangers::strangers;
pub use way::once_free;

use crate::catalogue::{Catalogue, JournalMode, no_catalogue};
use crate::config::{SourceConfig, StoreConfig};
use crate::error::{Error, Kind, Result};
use crate::object::{Clock, JournalPosition, Known, ObjectKey, SourceName, Timestamp};
use crate::store::{
    CATALOGUE, Entry, Expect, Facts, Incoming, Manner, SourceStore, Standing, Store,
};
use std::path::Path;

/// The program as the journal names it.
pub const PROGRAM: &str = concat!("offsite ", env!("CARGO_PKG_VERSION"));

/// The store and its catalogue, opened for writing. The store's lock is held until it is dropped.
pub struct Home {
    store: Store,
    catalogue: Catalogue,
    clock: Clock,
}

impl Home {
    /// Opens the configured store: the guard first, then the catalogue. Waits for nobody.
    pub fn open(config: &StoreConfig, clock: Clock) -> Result<Self> {
        Self::open_as(config, clock, Manner::default())
    }

    /// The same, with the lock taken in this manner.
    pub fn open_as(config: &StoreConfig, clock: Clock, manner: Manner) -> Result<Self> {
        let store = open_store(config, &clock, manner)?;
        // The lock may have been waited for.
        store.still_there()?;
        let mode = journal_mode(&store.marker().facts);
        catalogue_is_no_link(&store)?;
        if store.reader().stat(CATALOGUE)?.is_none() && !store.reader().remains()?.is_empty() {
            // An empty one would believe every line of the journal unseen.
            return Err(no_catalogue(&store.catalogue_path()));
        }
        let catalogue = Catalogue::create_or_open(&store.catalogue_path(), mode)?;
        Ok(Self {
            store,
            catalogue,
            clock,
        })
    }

    /// The drive.
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// From now on nothing is written that would leave fewer than so many bytes free.
    pub fn keep_free(&mut self, bytes: u64) {
        self.store.keep_free(bytes);
    }

    /// The catalogue.
    pub fn catalogue(&self) -> &Catalogue {
        &self.catalogue
    }

    /// Opens a source's part of the store; groups that the journal has and the catalogue has not
    /// (a crash came between) are finished and recorded first. Old leftovers of downloads go.
    pub fn shelf(&mut self, source: &SourceConfig) -> Result<Shelf<'_>> {
        self.store.still_there()?;
        self.catalogue
            .ensure_source(&source.name, &source.bucket, source.filter.prefix())?;
        let now = self.clock.now();
        let shelf = self.shelf_of(&source.name)?;
        shelf.incoming().sweep(SWEEP_AFTER_DAYS, now)?;
        Ok(shelf)
    }

    /// The same for a source that the store has already.
    pub fn shelf_of(&mut self, name: &SourceName) -> Result<Shelf<'_>> {
        let mut shelf = self.store.source(name, PROGRAM)?;
        let after = self.catalogue.position(name)?;
        let catalogue = &mut self.catalogue;
        let replayed = shelf.replay(after.as_ref(), &mut |placed| catalogue.record(placed))?;
        if replayed > 0 {
            log::info!(
                "{name}: {replayed} groups were in the journal and not in the catalogue; they are now"
            );
        }
        Ok(Shelf {
            name: name.clone(),
            store: &self.store,
            catalogue: &mut self.catalogue,
            shelf,
        })
    }

    /// Notes that these files (relative to their source's folder) were read at `at` and are right.
    pub fn set_checked(&mut self, files: &[(SourceName, String)], at: Timestamp) -> Result<()> {
        self.store.still_there()?;
        self.catalogue.set_checked(files, at)
    }

    /// Closes the catalogue so that the drive can be read on a read-only mount.
    pub fn close(self) -> Result<()> {
        self.store.still_there()?;
        self.catalogue.close()
    }
}

/// Downloads that nothing went on with for so long are removed, in days.
const SWEEP_AFTER_DAYS: u16 = 7;

fn open_store(config: &StoreConfig, clock: &Clock, manner: Manner) -> Result<Store> {
    let expect = Expect {
        store_id: config.id.clone(),
        allow_root_fs: config.allow_root_fs,
        min_free: config.min_free,
        clock: clock.clone(),
        manner,
    };
    Store::open(&config.path, &expect)
}

/// SQLite would follow a link that somebody planted there.
fn catalogue_is_no_link(store: &Store) -> Result<()> {
    for suffix in ["", "-wal", "-shm", "-journal"] {
        store.reader().stat(&format!("{CATALOGUE}{suffix}"))?;
    }
    Ok(())
}

/// How SQLite keeps its own journal on a store with these facts.
pub fn journal_mode(facts: &Facts) -> JournalMode {
    if facts.sqlite_wal {
        JournalMode::Wal
    } else if facts.sqlite_locking == Some(false) {
        JournalMode::Alone
    } else {
        JournalMode::Persist
    }
}

/// Whether SQLite can lock and write the database `file`: what `init` asks of a drive.
pub fn probe_sqlite(file: &Path) -> bool {
    let probe = || -> Result<()> {
        Catalogue::create_or_open(file, JournalMode::Persist)?.close()?;
        Catalogue::create_or_open(file, JournalMode::Persist)?.close()
    };
    probe()
        .inspect_err(|e| log::debug!("SQLite cannot lock at {}: {e}", file.display()))
        .is_ok()
}

/// One source's part of the store, and its rows.
pub struct Shelf<'h> {
    name: SourceName,
    store: &'h Store,
    catalogue: &'h mut Catalogue,
    shelf: SourceStore,
}

impl Shelf<'_> {
    /// The source's name.
    pub fn name(&self) -> &SourceName {
        &self.name
    }

    /// The drive.
    pub fn store(&self) -> &Store {
        self.store
    }

    /// The catalogue, to ask.
    pub fn catalogue(&self) -> &Catalogue {
        self.catalogue
    }

    /// The catalogue, to stage a plan in. Rows about versions are written by
    /// [`Shelf::commit`] alone.
    ///
    /// SQLite opens its journals by their path, so that path is looked at first.
    pub fn planner(&mut self) -> Result<&mut Catalogue> {
        self.store.still_there()?;
        Ok(self.catalogue)
    }

    /// The source's part of the drive, to ask.
    pub fn drive(&self) -> &SourceStore {
        &self.shelf
    }

    /// Where downloads in progress lie.
    pub fn incoming(&self) -> Incoming {
        self.shelf.incoming()
    }

    /// Where the source's journal stands.
    pub fn head(&self) -> &JournalPosition {
        self.shelf.head()
    }

    /// Makes a group durable, then records it: in this order and never apart (promise P3).
    pub fn commit(&mut self, group: Vec<Entry>) -> Result<()> {
        if group.is_empty() {
            return Ok(());
        }
        self.store.still_there()?;
        let placed = self.shelf.place(group)?;
        self.store.still_there()?;
        self.catalogue.record(&placed)
    }

    /// What `latest/` has under the key's name.
    pub fn standing(&self, key: &ObjectKey) -> Result<Option<Known>> {
        self.catalogue.latest_of(&self.name, key.as_str())
    }
}

/// What the store must be told of the version that stands in `latest/`.
pub fn standing_of(known: &Known) -> Result<Standing> {
    let (Some(path), Some(sha256)) = (known.path.clone(), known.sha256) else {
        let what = format!(
            "the catalogue says that {} is stored, and not where",
            known.key
        );
        return Err(Error::new(Kind::Damaged, what).hint("run `offsite catalogue check`"));
    };
    Ok(Standing {
        path,
        sha256,
        bytes: known.identity.size,
        last_modified: known.identity.last_modified,
        sums_at: known.sums_at,
    })
}
