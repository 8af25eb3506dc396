//! What happened, what is wrong, and what the owner says to it, as the journal keeps it.

use super::version::words;
use super::{Care, Identity, ObjectKey, Timestamp};
use serde::{Deserialize, Serialize};
use std::fmt;

/// Something that happened.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EventRecord {
    /// A short, stable name: `replaced-within-a-day`, `moved-aside`, …
    pub kind: String,
    /// The object it is about, where it is about one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<ObjectKey>,
    /// What happened, in words.
    pub text: String,
    /// Our clock.
    pub at: Timestamp,
}

impl EventRecord {
    /// A damaged file of the drive has its bytes again.
    pub const HEALED: &str = "healed";
    /// A file that nobody knew made room for one that came.
    pub const MOVED_ASIDE: &str = "moved-aside";
}

/// How grave a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Severity {
    /// Look at it when there is time.
    Warning,
    /// Tampering, or bytes that contradict their evidence: look now.
    Alarm,
}
words!(Severity, Warning => "warning", Alarm => "alarm");

/// Something that is wrong until the owner acknowledges it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FindingRecord {
    /// Its name to acknowledge it by: `www-12`. Unique in the store.
    pub id: String,
    /// A short, stable name: `write-once-changed`, `contradiction`, `listing-omits`, …
    pub kind: String,
    /// How grave it is.
    pub severity: Severity,
    /// The object it is about, where it is about one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<ObjectKey>,
    /// The version it is about, where it is about one: `ack --accept` needs it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub identity: Option<Identity>,
    /// What happened, the evidence, and the next step.
    #[serde(flatten)]
    pub advice: Advice,
    /// Our clock.
    pub at: Timestamp,
}

impl FindingRecord {
    /// Whether it is about the drive that it was made on: as what.
    pub fn care(&self) -> Option<Care> {
        Care::from_word(&self.kind)
    }
}

/// The three sentences of a finding.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Advice {
    /// What happened.
    pub what: String,
    /// How we know.
    pub evidence: String,
    /// What the owner can do next.
    pub next: String,
}

/// The owner's acknowledgement of a finding.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Ack {
    /// Which finding.
    pub finding: String,
    /// What the owner wrote.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    /// Whether the held version was let into `latest/`.
    pub accepted: bool,
    /// Our clock.
    pub at: Timestamp,
}
