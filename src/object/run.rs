//! How a run began, ended, and what it did, as the journal keeps it.

use super::{KeyPrint, Timestamp};
use serde::{Deserialize, Serialize};

/// The beginning of a run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RunStart {
    /// Our clock.
    pub at: Timestamp,
    /// The command: `pull`, `ack`, …
    pub command: String,
    /// The version of the program.
    pub program: String,
    /// Which key the bucket was read with, where it was read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<KeyPrint>,
    /// The bucket that was read, where one was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bucket: Option<String>,
    /// The prefix within the bucket.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prefix: Option<String>,
}

/// The end of a run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RunEnd {
    /// Our clock.
    pub at: Timestamp,
    /// `complete`, `partial`, `interrupted` or `failed`.
    pub ended: String,
    /// The error in words where it failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// What was done.
    pub counts: RunCounts,
}

/// What a run did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct RunCounts {
    /// Objects the listing showed.
    pub listed: u64,
    /// Versions stored (also those held).
    pub stored: u64,
    /// Bytes of those.
    pub bytes: u64,
    /// New identities with bytes that we already had.
    pub touched: u64,
    /// Versions whose bytes contradicted their evidence.
    pub quarantined: u64,
    /// Versions kept out of `latest/` until accepted.
    pub held: u64,
    /// Versions confirmed gone, or hidden by a delete marker since.
    pub gone: u64,
    /// Objects that could not be fetched this time.
    pub failed: u64,
    /// Requests sent to the bucket, retries included.
    pub requests: u64,
}
