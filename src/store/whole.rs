//! Bytes for a stored file that has rotted or is missing: in `incoming/`, and the very bytes that it
//! had.

use super::Space;
use super::hash;
use super::incoming::{FOLDER, Incoming};
use super::place::SourceStore;
use crate::digest::{Proven, Recorded, Subject, Verified, prove_again};
use crate::error::{Error, Result};
use crate::object::{InBucket, Proof, Sha256, StoredVersion, Verdict};
use std::fs::File;
use std::io::{self, Write as _};

/// Bytes in `incoming/` that have the SHA-256 that was asked for. Only such can take the place of a
/// stored file.
#[derive(Debug)]
pub struct Whole {
    pub(super) staged: String,
    pub(super) sha256: Sha256,
    pub(super) bytes: u64,
}

impl Whole {
    /// What was fetched once more, if it is the same.
    pub fn fetched(verified: &Verified, sha256: Sha256) -> Option<Self> {
        (verified.sha256() == sha256).then(|| Self {
            staged: verified.staged().to_owned(),
            sha256,
            bytes: verified.bytes(),
        })
    }

    /// As the bytes of a version that was stored and has no file any more: what was proven of them then
    /// holds of the same bytes. None where nothing was, or some evidence contradicted them.
    /// `in_bucket` is what is said of it with them.
    pub fn proven(self, version: &StoredVersion, in_bucket: InBucket) -> Option<Verified> {
        let contradicted = |proof: &Proof| proof.verdict == Verdict::Fails;
        let recorded = Recorded {
            sha256: version.sha256?,
            bytes: version.identity.size,
            evidence: version.evidence?,
            proofs: version.proofs.clone(),
            contradicted: version.proofs.iter().any(contradicted),
            at: version.stored_at?,
        };
        let subject = Subject {
            key: version.key.clone(),
            identity: version.identity.clone(),
            answer: version.answer.clone(),
            staged: self.staged,
            content: version.content.clone(),
            in_bucket,
        };
        match prove_again(subject, recorded, (self.sha256, self.bytes))? {
            Proven::Verified(verified) => Some(verified),
            Proven::Contradicted(_) => None,
        }
    }
}

impl SourceStore {
    /// Makes the bytes durable and reads them back from the medium: giving them a name moves none.
    pub fn read_back_whole(&self, whole: &Whole) -> Result<()> {
        self.read_back(&[(whole.staged.clone(), whole.sha256)])
    }
}

impl Incoming {
    /// Copies `from` here; none where it has other bytes than `sha256` or cannot be read to its end.
    /// `each` hears of every piece's length and says whether to go on.
    ///
    /// # Errors
    /// Where this drive has no room or cannot be written.
    pub fn copy_whole(
        &self,
        from: &File,
        sha256: Sha256,
        space: &Space,
        each: &mut dyn FnMut(u64) -> bool,
    ) -> Result<Option<Whole>> {
        let staged = format!("{FOLDER}/{sha256}.whole");
        let length = from.metadata().map_or(0, |told| told.len());
        let _room = space.reserve(length)?;
        let mut file = self.dir.create(&staged)?;
        let mut failed = None;
        let copied = hash::pour(from, &mut |piece| {
            if !each(piece.len() as u64) {
                return Err(io::Error::other("ended"));
            }
            file.write_all(piece).map_err(|e| {
                let end = io::Error::from(e.kind());
                failed = Some(e);
                end
            })
        });
        if let Some(e) = failed {
            self.dir.unlink(&staged)?;
            return Err(Error::io("write", self.dir.path().join(&staged), e));
        }
        match copied {
            Ok((found, bytes)) if found == sha256 => Ok(Some(Whole {
                staged,
                sha256,
                bytes,
            })),
            _ => {
                self.dir.unlink(&staged)?;
                Ok(None)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::object::{Answer, EvidenceClass, Identity, ObjectKey, State, from_ms};

    #[test]
    fn only_what_was_proven_once_is_proven_again() {
        let said = |verdict| Proof {
            class: EvidenceClass::Provider,
            name: "etag-md5".to_owned(),
            expected: "e".to_owned(),
            verdict,
        };
        let stored = StoredVersion {
            id: 1,
            source: "www".to_owned(),
            key: ObjectKey::new("k").unwrap(),
            identity: Identity {
                version_id: None,
                etag: "e".to_owned(),
                size: 5,
                last_modified: from_ms(1),
            },
            answer: Answer::default(),
            state: State::Pending,
            in_bucket: InBucket::Gone,
            sha256: Some(Sha256([1; 32])),
            evidence: Some(EvidenceClass::Provider),
            proofs: vec![said(Verdict::Holds)],
            content: None,
            path: None,
            first_seen: from_ms(2),
            stored_at: Some(from_ms(3)),
            missed_at: None,
        };
        let proven = |bytes, version: &StoredVersion| {
            let whole = Whole {
                staged: "incoming/x".to_owned(),
                sha256: Sha256([1; 32]),
                bytes,
            };
            whole.proven(version, InBucket::Noncurrent)
        };
        let verified = proven(5, &stored).unwrap();
        assert_eq!(verified.proofs(), stored.proofs);
        assert_eq!(verified.placed_at(), stored.stored_at);
        assert_eq!(verified.in_bucket(), InBucket::Noncurrent);
        assert_eq!(proven(4, &stored), None);
        for other in [
            StoredVersion {
                sha256: Some(Sha256([2; 32])),
                ..stored.clone()
            },
            StoredVersion {
                evidence: None,
                ..stored.clone()
            },
            StoredVersion {
                proofs: vec![said(Verdict::Holds), said(Verdict::Fails)],
                ..stored.clone()
            },
        ] {
            assert_eq!(proven(5, &other), None);
        }
    }
}
