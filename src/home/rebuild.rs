//! A new catalogue made beside the old one, from the journals of the drive.

use super::{Home, PROGRAM, Shelf, catalogue_is_no_link};
use crate::catalogue::{Catalogue, JournalMode};
use crate::config::StoreConfig;
use crate::error::Result;
use crate::object::{Clock, Durable, Fact, Record, SourceName};
use crate::store::{Manner, Salvaged, Store};
use std::collections::HashSet;

/// The store, and a catalogue that nobody knows yet. Dropped before [`Rebuilding::publish`], it
/// leaves the old catalogue as it was.
pub struct Rebuilding {
    home: Home,
}

/// What a source's journal gave.
#[derive(Debug, Default)]
pub struct Replayed {
    /// How far it could be read.
    pub journal: Salvaged,
    /// The rows of files that only unproven lines speak of: believed when their bytes are read.
    pub doubted: HashSet<i64>,
}

impl Rebuilding {
    /// Opens the configured store, guard and lock as for every run that writes, with an empty
    /// catalogue.
    pub fn open(config: &StoreConfig, clock: Clock) -> Result<Self> {
        let store = super::open_store(config, &clock, Manner::default())?;
        catalogue_is_no_link(&store)?;
        let path = store.fresh_catalogue()?;
        let catalogue = Catalogue::create_or_open(&path, JournalMode::Memory)?;
        Ok(Self {
            home: Home {
                store,
                catalogue,
                clock,
            },
        })
    }

    /// The drive.
    pub fn store(&self) -> &Store {
        self.home.store()
    }

    /// The sources that the drive has anything of, by name.
    pub fn sources(&self) -> Result<Vec<SourceName>> {
        self.home.store.reader().remains()
    }

    /// Opens a source's part of the store and records all of its journal.
    pub fn shelf(&mut self, name: &SourceName) -> Result<(Shelf<'_>, Replayed)> {
        let Home {
            store, catalogue, ..
        } = &mut self.home;
        let shelf = store.damaged_source(name, PROGRAM)?;
        catalogue.ensure_source(name, "", "")?;
        let mut doubted = HashSet::new();
        let journal = shelf.replay_whole(&mut |placed, proven| {
            catalogue.record(placed)?;
            if !proven {
                for path in placed.records().iter().flat_map(paths) {
                    let rows = catalogue.at_path(name, path)?;
                    doubted.extend(rows.into_iter().map(|row| row.id));
                }
            }
            Ok(())
        })?;
        let shelf = Shelf {
            name: name.clone(),
            store,
            catalogue,
            shelf,
        };
        Ok((shelf, Replayed { journal, doubted }))
    }

    /// Puts the new catalogue in the place of the old one; says which name the old one has now.
    pub fn publish(self) -> Result<Option<String>> {
        let Home {
            store, catalogue, ..
        } = self.home;
        catalogue.close()?;
        store.swap_catalogue()
    }
}

impl Shelf<'_> {
    /// Notes in the catalogue where the lines of these paths begin in the sums, which only a
    /// rebuild finds or writes at another place.
    pub fn set_sums_at(&mut self, lines: &[(String, u64)]) -> Result<()> {
        self.catalogue.set_sums_at(&self.name, lines)
    }
}

/// The paths that a record says files stand under.
fn paths(record: &Record) -> Vec<&str> {
    match record {
        Record::Place(place) => {
            let displaced = place.displaced.as_ref().map(|d| d.to.as_str());
            [place.path.as_str()].into_iter().chain(displaced).collect()
        }
        Record::Move(moved) => vec![&moved.to],
        Record::Heal(healed) => vec![&healed.path],
        Record::Fact(Fact::Touch { path, .. } | Fact::Adopted { path, .. }) => vec![path],
        Record::Fact(_) => Vec::new(),
    }
}
