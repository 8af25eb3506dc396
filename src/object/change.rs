//! What a listing says that the catalogue did not know: the rows of the plan.

use super::version::words;
use super::{Identity, InBucket, ObjectKey, Sha256, State, Timestamp};
use std::fmt;

/// Why an object is in the plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Why {
    /// The key was never seen.
    New,
    /// The key is known, this version of it is not.
    Changed,
    /// The version is known, its bytes are not here: an earlier run failed on it, or its bytes
    /// lie in quarantine and are asked for once more.
    Retry,
    /// The version is stored, and the bucket shows it again after it had been gone or replaced.
    Back,
}
words!(Why, New => "new", Changed => "changed", Retry => "retry", Back => "back");

/// One row of the plan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// Why it is here.
    pub why: Why,
    /// The object's key.
    pub key: ObjectKey,
    /// Which version of it.
    pub identity: Identity,
    /// The storage class where the listing names one.
    pub storage_class: Option<String>,
    /// What the bucket shows of it. What is `Noncurrent` never comes into `latest/`.
    pub in_bucket: InBucket,
}

/// What the catalogue knows of a version, as far as the plan needs it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Known {
    /// The catalogue's row number.
    pub id: i64,
    /// The object's key.
    pub key: ObjectKey,
    /// Which version.
    pub identity: Identity,
    /// The version id that the GET answered.
    pub answered: Option<String>,
    /// What we hold.
    pub state: State,
    /// What the bucket showed last.
    pub in_bucket: InBucket,
    /// SHA-256 of the bytes, once fetched.
    pub sha256: Option<Sha256>,
    /// Where the bytes are, relative to the source's folder.
    pub path: Option<String>,
    /// Where its line begins in the area's `SHA256SUMS`, in bytes.
    pub sums_at: Option<u64>,
    /// When we first saw it in a listing.
    pub first_seen: Timestamp,
}
