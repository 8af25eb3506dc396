//! Entries collected until they are made durable together, and how far the first store's journal is
//! followed with them.

use crate::digest::Verified;
use crate::error::Result;
use crate::home::{Shelf, standing_of};
use crate::object::{
    Fact, Followed, JournalPosition, NameClaim, ObjectKey, RunCounts, Sha256, State, Timestamp,
};
use crate::store::Entry;
use std::collections::HashSet;

/// A batch is committed at this many entries,
const ENTRIES: usize = 1000;
/// or this many bytes: what a power cut can cost to copy again.
const BYTES: u64 = 512 << 20;

/// Collects entries and commits them together.
pub(super) struct Batch<'b, 'h> {
    shelf: &'b mut Shelf<'h>,
    /// The run's first line, until it is written.
    start: Option<Fact>,
    /// What is recorded of the first store when all of its journal is followed, but for where that ends.
    first: Followed,
    /// When a pull to it had ended complete, as far as the mirror knew before.
    pulled_before: Option<Timestamp>,
    /// Whether all of it is followed.
    through: bool,
    entries: Vec<Entry>,
    claims: Vec<NameClaim>,
    /// Keys that the batch says something of, and the folders that files it places lie in.
    keys: HashSet<String>,
    folders: HashSet<String>,
    /// What lies in `incoming/` for it.
    written: Vec<(String, Sha256)>,
    bytes: u64,
    /// Up to where every group is taken, with what is collected here.
    taken: Option<JournalPosition>,
    /// Up to where that is recorded.
    recorded: Option<JournalPosition>,
    pub(super) counts: RunCounts,
}

impl<'b, 'h> Batch<'b, 'h> {
    pub(super) fn new(
        shelf: &'b mut Shelf<'h>,
        (start, first): (Fact, Followed),
        after: Option<JournalPosition>,
    ) -> Result<Self> {
        let sources = shelf.catalogue().sources()?;
        let known = sources.into_iter().find(|row| row.name == *shelf.name());
        Ok(Self {
            shelf,
            start: Some(start),
            first,
            pulled_before: known.and_then(|row| row.last_complete_pull),
            through: false,
            entries: Vec::new(),
            claims: Vec::new(),
            keys: HashSet::new(),
            folders: HashSet::new(),
            written: Vec::new(),
            bytes: 0,
            taken: after.clone(),
            recorded: after,
            counts: RunCounts::default(),
        })
    }

    pub(super) fn shelf(&self) -> &Shelf<'h> {
        self.shelf
    }

    /// Adds a record that claims no bytes.
    pub(super) fn fact(&mut self, fact: Fact) {
        // Which of a key's versions stands in `latest/` may be another one with it.
        if let Fact::Touch { key, .. }
        | Fact::Noted { key, .. }
        | Fact::Gone { key, .. }
        | Fact::Back { key, .. }
        | Fact::Shown { key, .. } = &fact
        {
            self.keys.insert(key.as_str().to_owned());
        }
        self.entries.push(Entry::Fact(fact));
    }

    /// The catalogue must know everything about `key` and its folders before it is asked about
    /// them: commits what is in the way of that.
    pub(super) fn settle(&mut self, key: &ObjectKey) -> Result<()> {
        let tangled = self.keys.contains(key.as_str())
            || self.folders.contains(key.as_str())
            || key.ancestors().any(|folder| self.keys.contains(folder));
        match tangled {
            true => self.commit(),
            false => Ok(()),
        }
    }

    /// New bytes become the newest good version of their key.
    pub(super) fn latest(&mut self, verified: Verified) -> Result<()> {
        let key = verified.key().clone();
        let (spelling, names) = self.shelf.spelling(&key, &self.claims)?;
        let standing = self.shelf.standing(&key)?;
        let moves = self.shelf.make_room(&key)?;
        self.entries.extend(moves);
        self.count(&verified);
        self.claims.extend(names.iter().cloned());
        self.entries.push(Entry::Latest {
            verified,
            spelling,
            standing: standing.as_ref().map(standing_of).transpose()?,
            names,
        });
        self.takes(&key);
        Ok(())
    }

    /// New bytes that are not.
    pub(super) fn history(&mut self, verified: Verified, state: State) -> Result<()> {
        let key = verified.key().clone();
        let (spelling, names) = self.shelf.spelling(&key, &self.claims)?;
        self.count(&verified);
        self.counts.held += u64::from(state == State::Held);
        self.claims.extend(names.iter().cloned());
        self.entries.push(Entry::History {
            verified,
            spelling,
            state,
            names,
        });
        self.takes(&key);
        Ok(())
    }

    /// Bytes that contradicted their evidence.
    pub(super) fn quarantine(&mut self, contradiction: crate::digest::Contradiction) {
        self.counts.quarantined += 1;
        self.bytes += contradiction.bytes();
        let staged = contradiction.staged().to_owned();
        self.written.push((staged, contradiction.sha256()));
        let key = contradiction.key().clone();
        self.entries.push(Entry::Quarantine { contradiction });
        self.takes(&key);
    }

    /// What was held, or shown again, goes to `latest/`, as it did in the first store then.
    pub(super) fn promote(
        &mut self,
        row: crate::object::StoredVersion,
        then: Timestamp,
    ) -> Result<()> {
        let key = row.key.clone();
        for mut entry in self.shelf.promote(row, &self.claims)? {
            if let Entry::Accept { version, names, .. } = &mut entry {
                version.placed_at = Some(then);
                self.claims.extend(names.iter().cloned());
            }
            self.entries.push(entry);
        }
        self.takes(&key);
        Ok(())
    }

    fn count(&mut self, verified: &Verified) {
        self.counts.stored += 1;
        self.counts.bytes += verified.bytes();
        self.bytes += verified.bytes();
        let staged = verified.staged().to_owned();
        self.written.push((staged, verified.sha256()));
    }

    fn takes(&mut self, key: &ObjectKey) {
        self.keys.insert(key.as_str().to_owned());
        self.folders.extend(key.ancestors().map(str::to_owned));
    }

    /// All of the group that ends there is collected.
    pub(super) fn taken_to(&mut self, position: JournalPosition) {
        self.taken = Some(position);
    }

    /// All of the first store's journal is followed.
    pub(super) fn is_through(&mut self) {
        self.through = true;
    }

    /// The head of the first store's journal, as far as it is followed and recorded.
    pub(super) fn head(&self) -> Option<Sha256> {
        self.recorded.as_ref().map(|at| at.head)
    }

    /// Whether the batch should be committed now.
    pub(super) fn is_full(&self) -> bool {
        self.entries.len() >= ENTRIES || self.bytes >= BYTES
    }

    /// Commits what was collected: reads it back, then as every group.
    pub(super) fn commit(&mut self) -> Result<()> {
        let moved = self.through || self.taken != self.recorded;
        if self.entries.is_empty() && !moved {
            return Ok(());
        }
        if let Some(start) = self.start.clone() {
            self.entries.insert(0, Entry::Fact(start));
        }
        if let Some(position) = self.taken.clone().filter(|_| moved) {
            let followed = self.followed(&position);
            self.entries.push(Entry::Fact(followed));
        }
        let entries = std::mem::take(&mut self.entries);
        let back = self.shelf.drive().read_back(&self.written);
        let committed = back.and_then(|()| self.shelf.commit(entries));
        self.claims.clear();
        self.keys.clear();
        self.folders.clear();
        self.written.clear();
        self.bytes = 0;
        match committed {
            Ok(()) => {
                self.start = None;
                self.recorded.clone_from(&self.taken);
            }
            Err(_) => {
                // What comes after it, the run's last line, must not say that it was taken.
                self.through = false;
                self.taken.clone_from(&self.recorded);
            }
        }
        committed
    }

    fn followed(&self, position: &JournalPosition) -> Fact {
        Fact::Followed(Followed {
            run: position.run,
            offset: position.offset,
            head: position.head,
            pulled: match self.through {
                true => self.first.pulled,
                false => self.pulled_before,
            },
            ..self.first.clone()
        })
    }
}
