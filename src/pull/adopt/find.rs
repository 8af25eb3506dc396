//! Which planned object a file of the owner's may be.

use super::{Found, Stays};
use crate::catalogue::Catalogue;
use crate::config::SourceConfig;
use crate::error::Result;
use crate::formats::{self, Rank};
use crate::home::Shelf;
use crate::object::{Change, InBucket, Known, ObjectKey, State, Why};
use crate::outcome::Stop;
use crate::pull::dispatch::ROWS;
use crate::store::{Foreign, Met};
use std::collections::BTreeSet;
use tokio::sync::mpsc;

/// What a walk in search of planned objects gives.
pub(super) enum Next {
    Found(Found),
    /// Files of the next rank follow. Those before must be through, and so many of them be taken,
    /// or what names them waits.
    NextRank(u64),
}

/// Finds the planned object that a file may be.
pub(super) struct Finder {
    folder: Foreign,
    source: SourceConfig,
    /// A connection of its own: rows are read while groups are committed.
    plan: Catalogue,
}

impl Finder {
    pub(super) fn new(source: &SourceConfig, shelf: &Shelf<'_>, folder: &Foreign) -> Result<Self> {
        Ok(Self {
            folder: folder.clone(),
            source: source.clone(),
            plan: shelf.catalogue().beside()?,
        })
    }

    /// What names other objects comes after them, and only when all of them are here, as in a
    /// pull. Without such, one walk does.
    pub(super) fn send_all(&self, out: &mpsc::Sender<Next>, stop: &Stop) -> Result<()> {
        let mut ranks = BTreeSet::from([Rank::Data]);
        for rank in [Rank::Data, Rank::Index, Rank::Snapshot] {
            if !ranks.contains(&rank) {
                continue;
            }
            self.find(Some(rank), &mut |found| {
                let later = match &found {
                    Found::Candidate(_, change) => formats::rank(&change.key),
                    Found::Known { .. } | Found::Stays(_) => Rank::Data,
                };
                ranks.insert(later);
                let open = later != rank || out.blocking_send(Next::Found(found)).is_ok();
                Ok(open && !stop.requested())
            })?;
            let parts = match ranks.last() > Some(&rank) {
                true => self.parts(rank)?,
                false => 0,
            };
            if stop.requested() || out.blocking_send(Next::NextRank(parts)).is_err() {
                return Ok(());
            }
        }
        Ok(())
    }

    /// How many parts of repositories are planned, of this rank.
    fn parts(&self, rank: Rank) -> Result<u64> {
        let (mut parts, mut after) = (0, 0);
        loop {
            let rows = self.plan.plan_take(&self.source.name, after, ROWS)?;
            let Some((last, _)) = rows.last() else {
                return Ok(parts);
            };
            after = *last;
            let counts = |change: &Change| {
                change.why != Why::Back
                    && change.in_bucket == InBucket::Current
                    && formats::is_part(&change.key)
                    && formats::rank(&change.key) == rank
                    && formats::restic_lock(&change.key).is_none()
            };
            parts += rows.iter().filter(|(_, change)| counts(change)).count() as u64;
        }
    }

    /// Walks the folder, until `each` says that it is enough.
    pub(super) fn find(
        &self,
        rank: Option<Rank>,
        each: &mut dyn FnMut(Found) -> Result<bool>,
    ) -> Result<()> {
        let mut walk = |met| {
            let found = match met {
                Met::File { path, bytes } => self.judge(path, bytes)?,
                Met::Odd { path, why } => Found::Stays(Stays { path, why }),
            };
            // Said in the first walk.
            match (rank, &found) {
                (Some(Rank::Index | Rank::Snapshot), Found::Known { .. } | Found::Stays(_)) => {
                    Ok(true)
                }
                _ => each(found),
            }
        };
        self.folder.walk(&mut walk).map(drop)
    }

    /// What a file of that name and length may be. Tools keep the whole key as the path, or what
    /// comes after the prefix that they were given.
    fn judge(&self, path: String, bytes: u64) -> Result<Found> {
        let prefix = self.source.filter.prefix();
        let mut why = None;
        for key in [
            path.clone(),
            format!("{prefix}{path}"),
            format!("{prefix}/{path}"),
        ] {
            let Ok(key) = ObjectKey::new(key) else {
                continue;
            };
            if !self.source.filter.takes(key.as_str()) {
                continue;
            }
            let (wanted, had) = self.objects(&key)?;
            let Some(size) = (wanted.iter().map(|change| &change.identity))
                .chain(had.iter().map(|row| &row.identity))
                .map(|identity| identity.size)
                .next()
            else {
                continue;
            };
            // One object, one file, even where a folder holds both kinds of names.
            if key.as_str() != path && self.folder.has(key.as_str()) {
                why.get_or_insert_with(|| format!("{key} is there too"));
                continue;
            }
            if let Some(change) = wanted.iter().find(|c| c.identity.size == bytes) {
                return Ok(match self.is_lock(change)? {
                    true => stays(path, "a lock of a restic repository, which no copy keeps"),
                    false => Found::Candidate(path, change.clone()),
                });
            }
            if let Some(row) = had.into_iter().find(|row| row.identity.size == bytes) {
                let stored = row.path.unwrap_or_default();
                return Ok(Found::Known { path, stored });
            }
            why.get_or_insert_with(|| format!("it has {bytes} bytes, and its object has {size}"));
        }
        let why = why.as_deref();
        Ok(stays(
            path,
            why.unwrap_or("no object of the source has this name"),
        ))
    }

    /// The versions of `key` whose bytes are wanted, and those that the copy has.
    fn objects(&self, key: &ObjectKey) -> Result<(Vec<Change>, Vec<Known>)> {
        let mut wanted = self.plan.plan_of(&self.source.name, key.as_str())?;
        wanted.retain(|change| change.why != Why::Back && change.in_bucket == InBucket::Current);
        let mut had = self.plan.known_of(&self.source.name, key)?;
        // Not planned as long as it lies in its tier: here it need not be thawed.
        let archived =
            |row: &&Known| row.state == State::Archived && row.in_bucket == InBucket::Current;
        if let Some(row) = had.iter().find(archived).filter(|_| wanted.is_empty()) {
            wanted.push(Change {
                why: Why::Retry,
                key: row.key.clone(),
                identity: row.identity.clone(),
                storage_class: None,
                in_bucket: InBucket::Current,
            });
        }
        had.retain(|row| matches!(row.state, State::Stored | State::Held) && row.path.is_some());
        Ok((wanted, had))
    }

    /// As a pull judges it: see [`formats::restic_lock`].
    fn is_lock(&self, change: &Change) -> Result<bool> {
        let source = &self.source.name;
        match formats::restic_lock(&change.key) {
            Some(config) if change.identity.size <= formats::RESTIC_LOCK_MAX => {
                Ok(self.plan.plan_has(source, config.as_str())?
                    || self.plan.latest_of(source, config.as_str())?.is_some())
            }
            _ => Ok(false),
        }
    }
}

fn stays(path: String, why: &str) -> Found {
    let why = why.to_owned();
    Found::Stays(Stays { path, why })
}
