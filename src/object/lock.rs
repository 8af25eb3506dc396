//! Object lock: what keeps a version in the bucket from being removed, as the bucket tells it.

use super::Timestamp;
use super::version::words;
use serde::{Deserialize, Serialize};
use std::fmt;

/// How strong a lock is, the weaker first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LockMode {
    /// Who has the right `s3:BypassGovernanceRetention` may shorten it and remove the version.
    Governance,
    /// Nobody may, the account's owner included (Amazon S3 User Guide, "Locking objects with
    /// Object Lock").
    Compliance,
}
words!(LockMode, Governance => "governance", Compliance => "compliance");

impl LockMode {
    /// The mode that S3 calls `name`. A name that nobody knows is the weaker one.
    pub fn told(name: &str) -> Self {
        match name {
            "COMPLIANCE" => Self::Compliance,
            _ => Self::Governance,
        }
    }
}

/// Until when a version is locked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Retention {
    /// How strongly.
    pub mode: LockMode,
    /// The end, by the bucket's clock.
    pub until: Timestamp,
}

/// A version's lock.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Lock {
    /// Until when, where that is told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retention: Option<Retention>,
    /// A legal hold: locked until somebody lifts it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub hold: bool,
}

impl Lock {
    /// The lock, if these two are one at all.
    pub fn of(retention: Option<Retention>, hold: bool) -> Option<Self> {
        (retention.is_some() || hold).then_some(Self { retention, hold })
    }

    /// Whether it is still in force at `now`, by the bucket's clock.
    pub fn is_in_force(&self, now: Timestamp) -> bool {
        self.hold || self.retention.is_some_and(|r| r.until > now)
    }
}

impl fmt::Display for Lock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(Retention { mode, until }) = self.retention {
            write!(f, "until {} ({mode})", until.strftime("%Y-%m-%d %H:%M UTC"))?;
        }
        match (self.retention, self.hold) {
            (Some(_), true) => f.write_str(", and by a legal hold"),
            (None, true) => f.write_str("by a legal hold"),
            (_, false) => Ok(()),
        }
    }
}

/// The lock that a bucket gives to what names none itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct DefaultLock {
    /// How strong.
    pub mode: LockMode,
    /// For how many days.
    pub days: u32,
}

impl fmt::Display for DefaultLock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.days {
            1 => write!(f, "1 day ({})", self.mode),
            days => write!(f, "{days} days ({})", self.mode),
        }
    }
}

/// What a bucket's settings say of locks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct BucketLock {
    /// Whether its versions can be locked at all.
    pub on: bool,
    /// The lock that everything gets that is put into it, where there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default: Option<DefaultLock>,
}
