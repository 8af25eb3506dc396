//! The records of the journal. A catalogue row is made by applying a record and by nothing else,
//! so that the catalogue can be rebuilt from the drive alone.
//!
//! A [`Record`] is one line of JSON. Placing bytes is one kind of record and only `store` writes
//! it; everything that claims no bytes is a [`Fact`].

use super::{
    Ack, Answer, BucketLock, EventRecord, EvidenceClass, FindingRecord, Identity, InBucket, Lock,
    Marker, ObjectKey, Proof, RunEnd, RunStart, Sha256, SourceName, State, Timestamp,
};
use serde::{Deserialize, Serialize};
use std::fmt;

/// One line of the journal.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "t", rename_all = "kebab-case")]
pub enum Record {
    /// Bytes got a name on the drive.
    Place(PlaceRecord),
    /// A stored file got another name, because another key needed its name as a folder.
    Move(Moved),
    /// A stored file that had rotted or was missing has its bytes again.
    Heal(Healed),
    /// Something that claims no bytes.
    #[serde(untagged)]
    Fact(Fact),
}

/// Verified bytes and the name they got.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PlaceRecord {
    /// The object's key.
    pub key: ObjectKey,
    /// Which version.
    pub identity: Identity,
    /// What the GET answered besides the bytes.
    #[serde(default)]
    pub answer: Answer,
    /// SHA-256 of the bytes.
    pub sha256: Sha256,
    /// How many bytes there are. The same as the identity's size, unless they are in quarantine.
    pub bytes: u64,
    /// The strongest class of evidence that held.
    pub evidence: EvidenceClass,
    /// Every piece of evidence with its verdict.
    pub proofs: Vec<Proof>,
    /// What the bytes are, where that was judged: `encrypted age`, `plaintext zip`, `unknown`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content: Option<String>,
    /// `stored` (under `latest/` or `history/`), `held` (under `history/`) or `quarantined`.
    pub state: State,
    /// What the bucket showed of it.
    #[serde(default, skip_serializing_if = "InBucket::is_current")]
    pub in_bucket: InBucket,
    /// Where the bytes stood when this line was written, relative to the source's folder.
    pub from: String,
    /// Where they stand now, relative to the source's folder.
    pub path: String,
    /// What stood under that name before, and the name it got first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub displaced: Option<Displaced>,
    /// Where its line begins in the area's `SHA256SUMS` (`latest/`, `history/`), in bytes; none in
    /// `quarantine/`, which has no sums.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sums_at: Option<u64>,
    /// The names it uses, on a drive that folds case or normalises Unicode; empty elsewhere.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub names: Vec<NameClaim>,
    /// Our clock.
    pub at: Timestamp,
}

/// On a drive that folds case or normalises Unicode: in `folder`, everything that folds to
/// `folded` is spelt `name`. A later key that folds the same and is spelt otherwise is escaped.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct NameClaim {
    /// Relative to the source's folder.
    pub folder: String,
    /// The name, folded.
    pub folded: String,
    /// The name as it is spelt on the drive.
    pub name: String,
}

/// A file that made room for another: it has its new name before it loses the old one.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Displaced {
    /// Its new name, relative to the source's folder.
    pub to: String,
    /// SHA-256 of its bytes.
    pub sha256: Sha256,
    /// Where its line begins in the `SHA256SUMS` of `history/`, in bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sums_at: Option<u64>,
}

/// A stored file under a new name.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Moved {
    /// The object's key.
    pub key: ObjectKey,
    /// SHA-256 of its bytes, for the `SHA256SUMS` line under the new name.
    pub sha256: Sha256,
    /// The name it had, relative to the source's folder.
    pub from: String,
    /// The name it has now.
    pub to: String,
    /// Where its old line begins in `SHA256SUMS`, in bytes; that line becomes a comment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sums_from: Option<u64>,
    /// Where its new line begins.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sums_at: Option<u64>,
}

/// A stored file with the bytes that it had.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Healed {
    /// The object's key.
    pub key: ObjectKey,
    /// Which version.
    pub identity: Identity,
    /// SHA-256 of the bytes: what was recorded of the file, and is now so again.
    pub sha256: Sha256,
    /// How many there are.
    pub bytes: u64,
    /// Where the good bytes stood when this line was written, relative to the source's folder.
    pub from: String,
    /// The file, relative to the source's folder.
    pub path: String,
    /// Where what stood there waits until the good bytes stand in its place.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub aside: Option<String>,
    /// Where its line begins in the area's `SHA256SUMS`, in bytes: it may have been retired when the file
    /// was found missing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sums_at: Option<u64>,
    /// Our clock.
    pub at: Timestamp,
}

/// A record that claims no bytes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "t", rename_all = "kebab-case")]
pub enum Fact {
    /// A run began.
    RunStart(RunStart),
    /// A run ended.
    RunEnd(RunEnd),
    /// A new identity whose bytes we already hold under `path`: no second file.
    Touch {
        /// The object's key.
        key: ObjectKey,
        /// The new identity.
        identity: Identity,
        /// What the GET answered besides the bytes.
        #[serde(default)]
        answer: Answer,
        /// SHA-256 of the bytes, the same as the version's that stands there.
        sha256: Sha256,
        /// The strongest class of evidence that held.
        evidence: EvidenceClass,
        /// Every piece of evidence with its verdict.
        proofs: Vec<Proof>,
        /// What the bytes are, where that was judged.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        content: Option<String>,
        /// Where the bytes are, relative to the source's folder.
        path: String,
        /// What the bucket showed of it.
        #[serde(default, skip_serializing_if = "InBucket::is_current")]
        in_bucket: InBucket,
        /// Our clock.
        at: Timestamp,
    },
    /// A version was seen and not stored: `archived`, `unreadable` or `skipped`. Or it is not
    /// stored any more: `expired` by rule, `pending` because its file was lost or has rotted.
    Noted {
        /// The object's key.
        key: ObjectKey,
        /// Which version.
        identity: Identity,
        /// Why there are no bytes.
        state: State,
        /// What the bucket showed of it.
        #[serde(default, skip_serializing_if = "InBucket::is_current")]
        in_bucket: InBucket,
        /// Our clock.
        at: Timestamp,
    },
    /// A version is no longer in the bucket: a HEAD said so.
    Gone {
        /// The object's key.
        key: ObjectKey,
        /// Which version.
        identity: Identity,
        /// When we first missed it, by our clock.
        at: Timestamp,
    },
    /// A version that had been gone or replaced is what the bucket shows again.
    Back {
        /// The object's key.
        key: ObjectKey,
        /// Which version.
        identity: Identity,
        /// Our clock.
        at: Timestamp,
    },
    /// The bucket shows a known version otherwise than before: `noncurrent` or `hidden`.
    Shown {
        /// The object's key.
        key: ObjectKey,
        /// Which version.
        identity: Identity,
        /// What the bucket shows of it now.
        in_bucket: InBucket,
        /// Our clock.
        at: Timestamp,
    },
    /// A delete marker was seen, or hides its key since, or no longer.
    Marked {
        /// The marker.
        #[serde(flatten)]
        marker: Marker,
        /// Our clock.
        at: Timestamp,
    },
    /// A delete marker is not listed any more.
    Unmarked {
        /// The marker.
        #[serde(flatten)]
        marker: Marker,
        /// Our clock.
        at: Timestamp,
    },
    /// A version is locked otherwise than before: a HEAD said so.
    Locked {
        /// The object's key.
        key: ObjectKey,
        /// Which version.
        identity: Identity,
        /// Its lock now.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        lock: Option<Lock>,
        /// Our clock.
        at: Timestamp,
    },
    /// What the bucket's settings say of locks, where that is not what they said before.
    BucketLock {
        /// What they say.
        #[serde(flatten)]
        lock: BucketLock,
        /// Our clock.
        at: Timestamp,
    },
    /// A file that stood under a key's name and that no line of the journal knew: a rebuild read
    /// it, and its line in the sums is right.
    Adopted {
        /// The object's key, by the file's name.
        key: ObjectKey,
        /// What the drive tells of it: no version id, no ETag.
        identity: Identity,
        /// SHA-256 of its bytes.
        sha256: Sha256,
        /// Where it stands, relative to the source's folder.
        path: String,
        /// Where its line begins in the area's `SHA256SUMS`, in bytes.
        sums_at: u64,
        /// The names it uses, on a drive that folds case or normalises Unicode; empty elsewhere.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        names: Vec<NameClaim>,
        /// Our clock.
        at: Timestamp,
    },
    /// What a scrub found.
    Scrubbed(Scrubbed),
    /// A restore was rehearsed.
    Drilled(Drilled),
    /// In a mirror: up to here it has what the journal of the other store says.
    Followed(Followed),
    /// Something that happened, worth a line in `log --events`.
    Event(EventRecord),
    /// Something that is wrong until the owner acknowledges it.
    Finding(FindingRecord),
    /// The owner acknowledged a finding.
    Ack(Ack),
}

/// What a scrub of a source found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Scrubbed {
    /// Files read.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Files that were not what they should be.
    pub damaged: u64,
    /// How many of those are whole again.
    pub healed: u64,
    /// Files that the drive could not read.
    pub read_errors: u64,
    /// Our clock.
    pub at: Timestamp,
}

/// A rehearsal of the restore of a series' newest set.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Drilled {
    /// The series, as the catalogue names it.
    pub series: String,
    /// Files restored.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Whether the owner has a command for the series, and it ran.
    pub command: bool,
    /// Why it did not succeed; none where it did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failed: Option<String>,
    /// Our clock.
    pub at: Timestamp,
}

/// How far a mirror has what another store has.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Followed {
    /// The other store's id.
    pub store: String,
    /// The run whose journal file it is.
    pub run: u64,
    /// Bytes of that file up to the end of the group.
    pub offset: u64,
    /// The head of the other journal's chain there.
    pub head: Sha256,
    /// When a pull to the other store ended complete last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pulled: Option<Timestamp>,
    /// Our clock.
    pub at: Timestamp,
}

/// A place in a source's journal: just after a complete group.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct JournalPosition {
    /// Which source's journal.
    pub source: SourceName,
    /// The run whose file it is in: a number that only grows.
    pub run: u64,
    /// Bytes of that file up to the end of the group.
    pub offset: u64,
    /// The chain's head there: SHA-256 over everything before.
    pub head: Sha256,
}

impl fmt::Display for JournalPosition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.head)
    }
}

/// Records that are durable on the drive: the journal is synced, every file stands under its
/// name, the directories are synced.
///
/// Only `store` implements this, and `catalogue` records nothing else: a row means a durable,
/// verified file (promise P3).
pub trait Durable {
    /// The records, in the journal's order.
    fn records(&self) -> &[Record];
    /// Where the journal stands after them.
    fn position(&self) -> &JournalPosition;
}
