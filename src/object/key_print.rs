//! What tells one access key from another.

use data_encoding::HEXLOWER;
use serde::{Deserialize, Serialize};
use std::fmt;

/// A fingerprint of an access key's id: 16 hex digits of its SHA-256. The id itself is no secret,
/// but who finds the drive need not learn it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct KeyPrint(String);

impl KeyPrint {
    /// The fingerprint of the access key called `id`.
    pub fn of(id: &str) -> Self {
        let digest = ring::digest::digest(&ring::digest::SHA256, id.as_bytes());
        let half = digest.as_ref().get(..8).unwrap_or_default();
        Self(HEXLOWER.encode(half))
    }

    /// As the catalogue has it.
    pub fn stored(text: String) -> Self {
        Self(text)
    }

    /// Its digits.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for KeyPrint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
