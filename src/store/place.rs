//! Placing: the only way for bytes to get a name in `latest/`, `history/` or `quarantine/`.
//!
//! The promises rest on the order of five steps, and [`SourceStore::place`] is the one place that
//! knows it:
//!
//! 1. the bytes are complete in `incoming/`: sync them;
//! 2. the journal says what will be done: sync it;
//! 3. what stands under a name gets another first, synced; then the newcomer is renamed over it;
//! 4. the sums are written;
//! 5. everything is synced.
//!
//! A crash before 2 leaves downloads that the next run goes on with. A crash after 2 leaves a
//! group that the next opening finishes, since the journal says all that is needed. Only the last
//! group can be unfinished, because nothing is journalled before the group before it is done.

use super::carry::{Drive, carry_out};
use super::chain::Group;
use super::incoming::{self, Incoming};
use super::journal::Journal;
use super::lock::Lock;
use super::names::Spelling;
use super::plan::{self, Done, Since};
use super::salvage::{self, Salvaged};
use super::whole::Whole;
use crate::digest::{Contradiction, Verified};
use crate::error::{Error, Kind, Result};
use crate::object::{
    Answer, Durable, EvidenceClass, Fact, Healed, Identity, JournalPosition, Moved, NameClaim,
    ObjectKey, PlaceRecord, Proof, Record, Sha256, SourceName, State, Timestamp,
};
use std::collections::VecDeque;
use std::sync::Arc;

/// One thing to be done in a group.
#[derive(Debug)]
pub enum Entry {
    /// New bytes become the newest good version of their key.
    Latest {
        /// The proven bytes.
        verified: Verified,
        /// How the key is spelt.
        spelling: Spelling,
        /// What stands under the key's name, as the catalogue knows it.
        standing: Option<Standing>,
        /// The names it uses on a drive that folds.
        names: Vec<NameClaim>,
    },
    /// New bytes that are not the newest (`Stored`), or wait for the owner (`Held`).
    History {
        /// The proven bytes.
        verified: Verified,
        /// How the key is spelt.
        spelling: Spelling,
        /// `Stored` or `Held`.
        state: State,
        /// The names it uses on a drive that folds.
        names: Vec<NameClaim>,
    },
    /// Bytes that contradicted their evidence.
    Quarantine {
        /// The bytes and what spoke against them.
        contradiction: Contradiction,
    },
    /// A held version becomes the newest good one: the owner accepted it. It is read once more.
    Accept {
        /// The held version.
        version: Held,
        /// How the key is spelt.
        spelling: Spelling,
        /// What stands under the key's name, as the catalogue knows it.
        standing: Option<Standing>,
        /// The names it uses on a drive that folds.
        names: Vec<NameClaim>,
    },
    /// The file of a key gets another name in `latest/`, because its own is needed as a folder:
    /// `latest/a` becomes `latest/%61` when `a/b` comes. Comes before `a/b`.
    Move {
        /// The key of the file that moves.
        key: ObjectKey,
        /// SHA-256 of its bytes.
        sha256: Sha256,
        /// The name it has, relative to the source's folder.
        from: String,
        /// How the key is spelt from now on.
        spelling: Spelling,
        /// Where its line in `SHA256SUMS` begins, in bytes.
        sums_from: Option<u64>,
    },
    /// A stored file that has rotted or is missing gets the bytes that it had.
    Heal {
        /// Those bytes.
        whole: Whole,
        /// The object's key.
        key: ObjectKey,
        /// Which version.
        identity: Identity,
        /// The file, relative to the source's folder.
        path: String,
        /// Where its line in the sums begins, in bytes.
        sums_at: Option<u64>,
    },
    /// Something that claims no bytes.
    Fact(Fact),
}

/// What the catalogue says stands under a key's name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standing {
    /// Where, relative to the source's folder.
    pub path: String,
    /// SHA-256 of its bytes.
    pub sha256: Sha256,
    /// How many bytes it has. A file of another length is not the one the catalogue knows.
    pub bytes: u64,
    /// The bucket's time for it; it becomes part of its name in `history/`.
    pub last_modified: Timestamp,
    /// Where its line in `SHA256SUMS` begins, in bytes.
    pub sums_at: Option<u64>,
}

/// A held version, as the catalogue knows it.
#[derive(Clone, Debug, PartialEq)]
pub struct Held {
    /// The object's key.
    pub key: ObjectKey,
    /// Which version.
    pub identity: Identity,
    /// What the GET answered besides the bytes.
    pub answer: Answer,
    /// SHA-256 of its bytes.
    pub sha256: Sha256,
    /// How many bytes there are.
    pub bytes: u64,
    /// The strongest class of evidence that held.
    pub evidence: EvidenceClass,
    /// Every piece of evidence with its verdict.
    pub proofs: Vec<Proof>,
    /// What the bytes are, where that was judged.
    pub content: Option<String>,
    /// Where it is in `history/`, relative to the source's folder.
    pub path: String,
    /// When another store let it into `latest/`, where this one follows it.
    pub placed_at: Option<Timestamp>,
}

/// Records whose files stand under their names, all of it synced. Only this room makes one.
#[derive(Debug)]
pub struct Placed {
    records: Vec<Record>,
    position: JournalPosition,
}

impl Placed {
    /// What a group of the journal of `source` says.
    pub(super) fn of(group: Group, source: &SourceName) -> Self {
        Self {
            position: group.position(source),
            records: group.records,
        }
    }

    /// What the drive says where its journal says nothing.
    pub(super) fn said(records: Vec<Record>, position: JournalPosition) -> Self {
        Self { records, position }
    }
}

impl Durable for Placed {
    fn records(&self) -> &[Record] {
        &self.records
    }
    fn position(&self) -> &JournalPosition {
        &self.position
    }
}

/// One source's folder, open to write.
#[derive(Debug)]
pub struct SourceStore {
    pub(super) drive: Drive,
    source: SourceName,
    journal: Journal,
    /// What of the last group was lost when it was finished after a crash.
    lost: Option<(JournalPosition, Vec<usize>)>,
    /// A group was journalled and not finished: no other may follow it.
    unfinished: bool,
    /// Held as long as anything may be written.
    _lock: Arc<Lock>,
}

impl SourceStore {
    /// Opens the folder. Cuts a torn tail of the journal, and finishes the last group if a crash
    /// interrupted it.
    pub(super) fn open(
        drive: Drive,
        source: &SourceName,
        program: &str,
        lock: Arc<Lock>,
    ) -> Result<Self> {
        drive.dir.make(incoming::FOLDER)?;
        let (journal, last) = Journal::open(&drive.dir, source, program, &drive.clock)?;
        let mut lost = None;
        if let Some(group) = last {
            let numbers = carry_out(&drive, &group.records, true)?;
            lost = Some((group.position(source), numbers)).filter(|(_, l)| !l.is_empty());
        }
        Ok(Self {
            drive,
            source: source.clone(),
            journal,
            lost,
            unfinished: false,
            _lock: lock,
        })
    }

    /// As [`SourceStore::open`], also where the journal's end is damaged: what is added then goes
    /// into a new file behind it.
    pub(super) fn open_damaged(
        drive: Drive,
        source: &SourceName,
        program: &str,
        lock: Arc<Lock>,
    ) -> Result<Self> {
        match Self::open(drive.clone(), source, program, Arc::clone(&lock)) {
            Err(e) if e.kind() == Kind::Damaged => Ok(Self {
                journal: Journal::open_behind(&drive.dir, source, program, &drive.clock)?,
                drive,
                source: source.clone(),
                lost: None,
                unfinished: false,
                _lock: lock,
            }),
            opened => opened,
        }
    }

    /// Where downloads go until they are placed.
    pub fn incoming(&self) -> Incoming {
        Incoming::new(self.drive.dir.clone())
    }

    /// Where the journal stands.
    pub fn head(&self) -> &JournalPosition {
        self.journal.position()
    }

    /// Whether a group was journalled and not finished: every later one fails.
    pub fn is_unfinished(&self) -> bool {
        self.unfinished
    }

    /// Places a group: when this returns, all of it is durable.
    ///
    /// Entries may build on each other (two versions of one key); they are done in order. After
    /// an error nothing of the group may be recorded. If it came after the journal was written,
    /// every later call fails too: opening the store again finishes the group.
    pub fn place(&mut self, group: Vec<Entry>) -> Result<Placed> {
        if self.unfinished {
            return Err(Error::new(
                Kind::Run,
                format!("an earlier group of {} was not finished", self.source),
            )
            .hint("the next run finishes it first"));
        }
        let mut queue = VecDeque::from(group);
        let mut since = Since::new();
        let mut all = Vec::new();
        while !queue.is_empty() {
            let records = plan::wave(&self.drive, &mut queue, &since)?;
            self.unfinished = true;
            self.carry_through(&records)?;
            note(&records, &mut since);
            all.extend(records);
        }
        self.unfinished = false;
        Ok(Placed {
            records: all,
            position: self.head().clone(),
        })
    }

    /// The five steps, in the order that the promises need.
    fn carry_through(&mut self, records: &[Record]) -> Result<()> {
        self.drive.sync_payload(records)?;
        self.drive.step()?;
        self.journal.append(records)?;
        self.drive.step()?;
        let lost = carry_out(&self.drive, records, false)?;
        let lost = lost.first().and_then(|number| records.get(*number));
        if let Some(Record::Place(PlaceRecord { from, .. }) | Record::Heal(Healed { from, .. })) =
            lost
        {
            return Err(Error::new(
                Kind::Run,
                format!("{from} went away while it was placed"),
            )
            .hint(
                "somebody else changes the store's incoming/ folder; the next run fetches it again",
            ));
        }
        Ok(())
    }

    /// Hands every group after `after` (all of them where it is none) to `apply`, one at a time,
    /// and says how many there were. They are durable: the last one was finished on opening.
    ///
    /// An `after` that this journal never had is [`Kind::Damaged`]: the catalogue is that of
    /// another drive, or of a later state of this one.
    pub fn replay(
        &mut self,
        after: Option<&JournalPosition>,
        apply: &mut dyn FnMut(&Placed) -> Result<()>,
    ) -> Result<u64> {
        let mut groups = 0;
        self.journal.read(after, &mut |group: Group| {
            groups += 1;
            apply(&self.placed(group))
        })?;
        Ok(groups)
    }

    /// Hands every group of the journal to `apply`, those behind and in its damage too, as far as
    /// their lines can be read. `proven` is whether the chain holds up to there: what an unproven
    /// group says of a file counts only as far as the file's bytes say the same.
    ///
    /// What a newer program wrote is an error: its lines would be lost.
    pub fn replay_whole(
        &self,
        apply: &mut dyn FnMut(&Placed, bool) -> Result<()>,
    ) -> Result<Salvaged> {
        salvage::walk(&self.drive.dir, &mut |group, proven| {
            apply(&self.placed(group), proven)
        })
    }

    fn placed(&self, group: Group) -> Placed {
        let position = group.position(&self.source);
        let records = match &self.lost {
            Some((at, lost)) if *at == position => without(group.records, lost),
            _ => group.records,
        };
        Placed { records, position }
    }
}

/// What `records` changed under the names in `latest/`.
fn note(records: &[Record], since: &mut Since) {
    for record in records {
        match record {
            Record::Place(place) => {
                let standing = Standing {
                    path: place.path.clone(),
                    sha256: place.sha256,
                    bytes: place.bytes,
                    last_modified: place.identity.last_modified,
                    sums_at: place.sums_at,
                };
                since.insert(place.path.clone(), Done::Placed(standing));
            }
            Record::Move(moved) => {
                let to = moved.to.clone();
                since.insert(to.clone(), Done::MovedHere(moved.sums_at));
                since.insert(moved.from.clone(), Done::MovedTo(to, moved.sums_at));
            }
            Record::Heal(_) | Record::Fact(_) => {}
        }
    }
}

/// The records without those whose bytes are lost: no row without a file. What made room for them
/// did get its new name.
fn without(records: Vec<Record>, lost: &[usize]) -> Vec<Record> {
    let keep = |(number, record): (usize, Record)| match record {
        Record::Place(place) if lost.contains(&number) => {
            log::warn!("{}: its bytes are gone; it is fetched again", place.path);
            place.displaced.map(|displaced| {
                Record::Move(Moved {
                    key: place.key,
                    sha256: displaced.sha256,
                    from: place.path,
                    to: displaced.to,
                    sums_from: None,
                    sums_at: displaced.sums_at,
                })
            })
        }
        Record::Heal(_) if lost.contains(&number) => None,
        record => Some(record),
    };
    records.into_iter().enumerate().filter_map(keep).collect()
}
