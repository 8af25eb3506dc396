//! The nouns handed between rooms: keys, versions, what we hold, what the bucket shows, and the
//! records that the journal keeps and the catalogue applies. No I/O here.

mod care;
mod change;
mod expiry;
mod finding;
mod key;
mod key_print;
mod lock;
mod record;
mod run;
mod version;

pub use care::Care;
pub use change::{Change, Known, Why};
pub use expiry::{After, Expires, Expiry, newly_expiring};
pub use finding::{Ack, Advice, EventRecord, FindingRecord, Severity};
pub use key::{ObjectKey, SourceName, deceives, printable};
pub use key_print::KeyPrint;
pub use lock::{BucketLock, DefaultLock, Lock, LockMode, Retention};
pub use record::{
    Displaced, Drilled, Durable, Fact, Followed, Healed, JournalPosition, Moved, NameClaim,
    PlaceRecord, Record, Scrubbed,
};
pub use run::{RunCounts, RunEnd, RunStart};
pub use version::{
    Answer, EvidenceClass, Identity, InBucket, Listed, Marker, Proof, Sha256, State, StoredVersion,
    Verdict,
};

/// A moment, in UTC; stored and compared to the millisecond.
pub type Timestamp = jiff::Timestamp;

/// Where "now" comes from. The program uses [`Clock::System`]; the demo and the tests, which
/// live through several nights in seconds, set theirs by hand.
#[derive(Clone, Debug, Default)]
pub enum Clock {
    /// The computer's clock.
    #[default]
    System,
    /// A clock that stands still until it is set: milliseconds since 1970, UTC.
    Set(std::sync::Arc<std::sync::atomic::AtomicI64>),
}

impl Clock {
    /// A clock that stands at `at` until [`Clock::set`].
    pub fn standing_at(at: Timestamp) -> Self {
        Self::Set(std::sync::Arc::new(at.as_millisecond().into()))
    }

    /// Moves a standing clock; the system's clock is left alone.
    pub fn set(&self, at: Timestamp) {
        if let Self::Set(ms) = self {
            ms.store(at.as_millisecond(), std::sync::atomic::Ordering::SeqCst);
        }
    }

    /// Now, truncated to the millisecond.
    pub fn now(&self) -> Timestamp {
        match self {
            Self::System => from_ms(Timestamp::now().as_millisecond()),
            Self::Set(ms) => from_ms(ms.load(std::sync::atomic::Ordering::SeqCst)),
        }
    }
}

/// The moment `ms` milliseconds after 1970 (UTC), clamped to what a timestamp can hold.
pub fn from_ms(ms: i64) -> Timestamp {
    Timestamp::from_millisecond(ms).unwrap_or(if ms < 0 {
        Timestamp::MIN
    } else {
        Timestamp::MAX
    })
}
