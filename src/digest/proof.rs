//! Comparing what came with what was promised.

use super::beside::last_segment;
use super::evidence::{Algorithm, Evidence, parts_of};
use super::hasher::Digests;
use super::parts::{Cut, PartDigests};
use crate::object::{
    Answer, EvidenceClass, Identity, InBucket, ObjectKey, Proof, Sha256, Timestamp, Verdict,
};

/// Whose bytes are being proven, and where they lie until then.
#[derive(Clone, Debug, PartialEq)]
pub struct Subject {
    /// The object's key.
    pub key: ObjectKey,
    /// Which version of it.
    pub identity: Identity,
    /// What the GET answered besides the bytes.
    pub answer: Answer,
    /// Where the bytes lie, relative to the source's folder.
    pub staged: String,
    /// What the bytes are, where that was judged: `encrypted age`, `plaintext zip`, `unknown`.
    pub content: Option<String>,
    /// What the bucket shows of the version.
    pub in_bucket: InBucket,
}

/// What another store recorded when it proved a version's bytes.
#[derive(Clone, Debug, PartialEq)]
pub struct Recorded {
    /// SHA-256 of the bytes.
    pub sha256: Sha256,
    /// How many bytes there were.
    pub bytes: u64,
    /// The strongest class of evidence that held.
    pub evidence: EvidenceClass,
    /// Every piece of evidence with its verdict.
    pub proofs: Vec<Proof>,
    /// Whether some evidence contradicted them.
    pub contradicted: bool,
    /// When it placed them, by our clock.
    pub at: Timestamp,
}

/// What the comparison found.
#[derive(Debug)]
pub enum Proven {
    /// Nothing contradicts the bytes.
    Verified(Verified),
    /// Some evidence contradicts the bytes.
    Contradicted(Contradiction),
}

macro_rules! carries_proof {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, PartialEq)]
        pub struct $name {
            subject: Subject,
            sha256: Sha256,
            bytes: u64,
            evidence: EvidenceClass,
            proofs: Vec<Proof>,
            placed_at: Option<Timestamp>,
        }

        impl $name {
            /// The object's key.
            pub fn key(&self) -> &ObjectKey { &self.subject.key }
            /// Which version of it.
            pub fn identity(&self) -> &Identity { &self.subject.identity }
            /// What the GET answered besides the bytes.
            pub fn answer(&self) -> &Answer { &self.subject.answer }
            /// Where the bytes lie until they are placed, relative to the source's folder.
            pub fn staged(&self) -> &str { &self.subject.staged }
            /// What the bytes are, where that was judged.
            pub fn content(&self) -> Option<&str> { self.subject.content.as_deref() }
            /// What the bucket shows of the version.
            pub fn in_bucket(&self) -> InBucket { self.subject.in_bucket }
            /// SHA-256 of the bytes.
            pub fn sha256(&self) -> Sha256 { self.sha256 }
            /// How many bytes there are.
            pub fn bytes(&self) -> u64 { self.bytes }
            /// The strongest class of evidence that held.
            pub fn evidence(&self) -> EvidenceClass { self.evidence }
            /// Every piece of evidence with its verdict.
            pub fn proofs(&self) -> &[Proof] { &self.proofs }
            /// When another store placed them, where they come from one.
            pub fn placed_at(&self) -> Option<Timestamp> { self.placed_at }
        }
    };
}

impl Verified {
    /// Whether an ETag that `evidence` takes for an MD5 is none, as a checksum that holds shows. One
    /// made of parts is not asked: its parts may lie otherwise than we were told.
    pub fn belies_etag(&self, evidence: &Evidence) -> bool {
        let silent = |p: &Proof| p.name == "etag-md5" && p.verdict == Verdict::Silent;
        evidence.etag_md5().is_some() && self.proofs.iter().any(silent)
    }
}

carries_proof! {
    /// Complete bytes that nothing contradicts, lying in `incoming/`. Only [`prove`] makes one, and
    /// [`prove_again`] of bytes that it proved before; only a `Verified` can be placed.
    Verified
}
carries_proof! {
    /// Complete bytes that some evidence contradicts, lying in `incoming/`: for `quarantine/`.
    Contradiction
}

/// Compares what came with what was promised.
///
/// - The length must be the one listed.
/// - Full-object checksums must hold. The CRC-32 of the bytes under another CRC's name is taken
///   for the CRC-32 that it is.
/// - Composite checksums, and ETags of objects in parts, must hold where the bucket told how the
///   parts lie; where that is a guess they can hold, and are silent otherwise.
/// - What the uploader claims must hold, unless the bucket's own evidence does: then the claim is
///   about other bytes, and silent; but not where the same claim always held in this series.
/// - A signature by a key that the owner trusts must hold, and so must digests in a file that is
///   signed, whatever else does.
/// - The name of a file in a repository that names files after their content must be its SHA-256.
/// - An ETag that fails where a checksum holds is the ETag that is no digest, and falls silent.
pub fn prove(subject: Subject, digests: Digests, evidence: &Evidence) -> Proven {
    let mut proofs = weigh(&digests, evidence);
    let name = last_segment(subject.key.as_str());
    let signed = evidence.signature.as_ref();
    proofs.extend(signed.map(|signed| signed.proof(name, digests.message.as_deref())));
    let failed = proofs.iter().any(|p| p.verdict == Verdict::Fails);
    let class = proofs
        .iter()
        .filter(|p| p.verdict == Verdict::Holds)
        .map(|p| p.class)
        .min()
        .unwrap_or(EvidenceClass::Length);
    let (sha256, bytes) = (digests.sha256, digests.bytes);
    if failed {
        Proven::Contradicted(Contradiction {
            subject,
            sha256,
            bytes,
            evidence: class,
            proofs,
            placed_at: None,
        })
    } else {
        Proven::Verified(Verified {
            subject,
            sha256,
            bytes,
            evidence: class,
            proofs,
            placed_at: None,
        })
    }
}

/// What was proven of bytes when another store got them from the bucket holds of a copy of them:
/// if `found`, the SHA-256 and the length of the copy, are those that were recorded. Else none.
pub fn prove_again(subject: Subject, recorded: Recorded, found: (Sha256, u64)) -> Option<Proven> {
    if found != (recorded.sha256, recorded.bytes) {
        return None;
    }
    let Recorded {
        sha256,
        bytes,
        evidence,
        proofs,
        contradicted,
        at,
    } = recorded;
    let placed_at = Some(at);
    Some(match contradicted {
        true => Proven::Contradicted(Contradiction {
            subject,
            sha256,
            bytes,
            evidence,
            proofs,
            placed_at,
        }),
        false => Proven::Verified(Verified {
            subject,
            sha256,
            bytes,
            evidence,
            proofs,
            placed_at,
        }),
    })
}

fn weigh(digests: &Digests, evidence: &Evidence) -> Vec<Proof> {
    let verdict = |holds| {
        if holds {
            Verdict::Holds
        } else {
            Verdict::Fails
        }
    };
    let mut proofs = vec![Proof {
        class: EvidenceClass::Length,
        name: "length".into(),
        expected: evidence.size.to_string(),
        verdict: verdict(evidence.size == digests.bytes),
    }];
    if let Some(name) = evidence.content_name {
        proofs.push(Proof {
            class: EvidenceClass::ContentName,
            name: "content-name".into(),
            expected: name.to_string(),
            verdict: verdict(name == digests.sha256),
        });
    }
    let ours = |algorithm| {
        let mut ours = digests.checksums.iter();
        ours.find(|(a, _)| *a == algorithm).map(|(_, value)| value)
    };
    for checksum in &evidence.checksums {
        let is = |algorithm| ours(algorithm) == Some(&checksum.value);
        let algorithm = match checksum.may_be_crc32() && is(Algorithm::Crc32) {
            true => Algorithm::Crc32,
            false => checksum.algorithm,
        };
        let whole = checksum.full_object && ours(algorithm).is_some();
        proofs.push(Proof {
            class: EvidenceClass::Provider,
            name: algorithm.name().into(),
            expected: checksum.value.clone(),
            verdict: match whole {
                true => verdict(is(algorithm)),
                false => of_parts(digests, evidence, |part| part.makes(checksum)),
            },
        });
    }
    let checksum_holds = proofs
        .iter()
        .any(|p| p.class == EvidenceClass::Provider && p.verdict == Verdict::Holds);
    if !evidence.etag.is_empty() {
        let (name, found) = match (evidence.etag_md5(), evidence.etag_parts()) {
            (None, Some(_)) => (
                "etag-parts",
                of_parts(digests, evidence, |part| part.has_etag(&evidence.etag)),
            ),
            (Some(promised), _) => ("etag-md5", verdict(digests.md5.as_ref() == Some(&promised))),
            (None, None) if parts_of(&evidence.etag).is_some() => ("etag-parts", Verdict::Silent),
            (None, None) => ("etag-md5", Verdict::Silent),
        };
        proofs.push(Proof {
            class: EvidenceClass::Provider,
            name: name.into(),
            expected: evidence.etag.clone(),
            verdict: match found {
                Verdict::Fails if checksum_holds => Verdict::Silent,
                found => found,
            },
        });
    }
    let proven = proofs
        .iter()
        .any(|p| p.class <= EvidenceClass::Provider && p.verdict == Verdict::Holds);
    for claim in evidence.claims() {
        proofs.push(Proof {
            class: claim.class,
            name: claim.name.clone(),
            expected: claim.value.clone(),
            verdict: match digests.claimed(claim.kind).as_ref() == Some(&claim.value) {
                true => Verdict::Holds,
                false if claim.class == EvidenceClass::Signed => Verdict::Fails,
                // It describes other bytes: those before encryption, for one (`s3cmd --encrypt`).
                false if proven && !evidence.trusted_claims.contains(&claim.name) => {
                    Verdict::Silent
                }
                false => Verdict::Fails,
            },
        });
    }
    proofs
}

/// Whether one of the ways in which the parts may lie `makes` what was promised. Where the bucket
/// told how they lie, that is the only one; where we guess, a miss says nothing.
fn of_parts(
    digests: &Digests,
    evidence: &Evidence,
    makes: impl Fn(&PartDigests) -> bool,
) -> Verdict {
    match (digests.parts.iter().any(makes), &evidence.cut) {
        (true, _) => Verdict::Holds,
        (false, Cut::Told(_)) => Verdict::Fails,
        (false, Cut::Maybe(_) | Cut::Unknown) => Verdict::Silent,
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Algorithm, Checksum, Hasher};
    use super::*;

    const MD5: &str = "25f9e794323b453885f5181f1b624d0b";
    const CRC32: &str = "y/Q5Jg==";

    fn proven(
        size: u64,
        etag: &str,
        opaque: bool,
        checksums: &[(Algorithm, &str, bool)],
    ) -> Proven {
        let evidence = Evidence {
            size,
            etag: etag.into(),
            etag_opaque: opaque,
            checksums: checksums
                .iter()
                .map(|(algorithm, value, full)| Checksum {
                    algorithm: *algorithm,
                    value: (*value).to_owned(),
                    full_object: *full,
                })
                .collect(),
            ..Evidence::default()
        };
        let mut hasher = Hasher::new(&evidence);
        hasher.update(b"123456789");
        let subject = Subject {
            key: ObjectKey::new("k").unwrap(),
            identity: Identity {
                version_id: None,
                etag: etag.into(),
                size,
                last_modified: crate::object::from_ms(0),
            },
            answer: Answer::default(),
            staged: "incoming/x".into(),
            content: None,
            in_bucket: InBucket::Current,
        };
        prove(subject, hasher.finish(), &evidence)
    }

    #[test]
    fn what_was_proven_holds_of_the_same_bytes_and_of_no_others() {
        let Proven::Verified(first) = proven(9, MD5, false, &[]) else {
            panic!("the MD5 holds");
        };
        let recorded = |contradicted| Recorded {
            sha256: first.sha256(),
            bytes: 9,
            evidence: first.evidence(),
            proofs: first.proofs().to_vec(),
            contradicted,
            at: crate::object::from_ms(7),
        };
        let again =
            |contradicted, found| prove_again(first.subject.clone(), recorded(contradicted), found);
        let same = (first.sha256(), 9);
        for other in [(Sha256([0; 32]), 9), (first.sha256(), 8)] {
            assert!(again(false, other).is_none() && again(true, other).is_none());
        }
        let Some(Proven::Verified(second)) = again(false, same) else {
            panic!("the same bytes");
        };
        assert_eq!(second.placed_at(), Some(crate::object::from_ms(7)));
        assert_eq!(second.proofs(), first.proofs());
        assert!(matches!(again(true, same), Some(Proven::Contradicted(_))));
    }

    /// What bytes and evidence come to: (case, outcome, class).
    #[test]
    fn verdicts() {
        use Algorithm::*;
        use EvidenceClass::*;
        let wrong = "00000000000000000000000000000000";
        for (case, outcome, verified, class) in [
            ("md5 holds", proven(9, MD5, false, &[]), true, Provider),
            ("md5 fails", proven(9, wrong, false, &[]), false, Length),
            ("opaque etag", proven(9, wrong, true, &[]), true, Length),
            (
                "multipart",
                proven(9, &format!("{MD5}-2"), false, &[]),
                true,
                Length,
            ),
            ("length fails", proven(8, MD5, false, &[]), false, Provider),
            (
                "crc holds",
                proven(9, "x", false, &[(Crc32, CRC32, true)]),
                true,
                Provider,
            ),
            (
                "crc fails",
                proven(9, MD5, false, &[(Crc32, "AAAAAA==", true)]),
                false,
                Provider,
            ),
            (
                "composite is silent",
                proven(9, "x", false, &[(Crc32, "AAAAAA==-2", false)]),
                true,
                Length,
            ),
            (
                "a CRC-32 told as CRC-32C",
                proven(9, "x", false, &[(Crc32c, CRC32, true)]),
                true,
                Provider,
            ),
            (
                "a CRC-32 told as CRC-64/NVME",
                proven(9, "x", false, &[(Crc64Nvme, CRC32, true)]),
                true,
                Provider,
            ),
            (
                "neither a CRC-32C nor a CRC-32",
                proven(9, "x", false, &[(Crc32c, "AAAAAA==", true)]),
                false,
                Length,
            ),
            (
                "a CRC-32 told as SHA-1",
                proven(9, "x", false, &[(Sha1, CRC32, true)]),
                false,
                Length,
            ),
            (
                "a checksum outweighs an etag",
                proven(9, wrong, false, &[(Crc32, CRC32, true)]),
                true,
                Provider,
            ),
        ] {
            match outcome {
                Proven::Verified(v) => {
                    assert!(verified, "{case}: {v:?}");
                    assert_eq!(v.evidence(), class, "{case}");
                }
                Proven::Contradicted(c) => {
                    assert!(!verified, "{case}: {c:?}");
                    assert_eq!(c.evidence(), class, "{case}");
                    assert!(
                        c.proofs().iter().any(|p| p.verdict == Verdict::Fails),
                        "{case}"
                    );
                }
            }
        }
    }
}
