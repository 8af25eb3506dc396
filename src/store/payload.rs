//! Bytes that may be placed, whoever proved them.

use super::place::Held;
use crate::digest::{Contradiction, Verified};
use crate::object::{
    Answer, EvidenceClass, Identity, InBucket, ObjectKey, PlaceRecord, Proof, Sha256, State,
    Timestamp,
};

/// Bytes to be placed, whoever proved them.
pub(super) struct Payload {
    pub(super) key: ObjectKey,
    pub(super) identity: Identity,
    pub(super) answer: Answer,
    pub(super) sha256: Sha256,
    pub(super) bytes: u64,
    pub(super) evidence: EvidenceClass,
    pub(super) proofs: Vec<Proof>,
    pub(super) content: Option<String>,
    pub(super) in_bucket: InBucket,
    pub(super) from: String,
    /// When another store placed them, where they come from one.
    pub(super) placed_at: Option<Timestamp>,
}

macro_rules! payload_from {
    ($type:ty) => {
        impl From<&$type> for Payload {
            fn from(proven: &$type) -> Self {
                Self {
                    key: proven.key().clone(),
                    identity: proven.identity().clone(),
                    answer: proven.answer().clone(),
                    sha256: proven.sha256(),
                    bytes: proven.bytes(),
                    evidence: proven.evidence(),
                    proofs: proven.proofs().to_vec(),
                    content: proven.content().map(str::to_owned),
                    in_bucket: proven.in_bucket(),
                    from: proven.staged().to_owned(),
                    placed_at: proven.placed_at(),
                }
            }
        }
    };
}
payload_from!(Verified);
payload_from!(Contradiction);

impl From<&Held> for Payload {
    fn from(held: &Held) -> Self {
        Self {
            key: held.key.clone(),
            identity: held.identity.clone(),
            answer: held.answer.clone(),
            sha256: held.sha256,
            bytes: held.bytes,
            evidence: held.evidence,
            proofs: held.proofs.clone(),
            content: held.content.clone(),
            // The row that is known keeps what it says of the bucket.
            in_bucket: InBucket::Current,
            from: held.path.clone(),
            placed_at: held.placed_at,
        }
    }
}

impl Payload {
    /// The record of these bytes under `path`. What comes from another store keeps the time that it
    /// has there.
    pub(super) fn place(self, path: String, state: State, now: Timestamp) -> PlaceRecord {
        PlaceRecord {
            key: self.key,
            identity: self.identity,
            answer: self.answer,
            sha256: self.sha256,
            bytes: self.bytes,
            evidence: self.evidence,
            proofs: self.proofs,
            content: self.content,
            state,
            in_bucket: self.in_bucket,
            from: self.from,
            path,
            displaced: None,
            sums_at: None,
            names: Vec::new(),
            at: self.placed_at.unwrap_or(now),
        }
    }
}
