//! The hashing pass: SHA-256 of every byte, plus whatever the evidence calls for.

use super::claims::Claimed;
use super::evidence::{Algorithm, Checksum, Evidence};
use super::lanes::{self, Digest};
use super::minisign::WHOLE;
use super::parts::{PartDigests, PartHasher};
use super::running::Running;
use crate::object::Sha256;
use blake2::{Blake2b512, Digest as _};
use data_encoding::{BASE64, HEXLOWER};

/// Sees an object's bytes once, in order, and computes every digest that its evidence names; of
/// large pieces side by side, where there is more than one processor.
///
/// SHA-256 always: it is what the catalogue, the journal and `SHA256SUMS` hold. Anything else
/// only if some evidence asks for it, because a Raspberry Pi 4 hashes hardly faster than its
/// network brings the bytes.
#[derive(Clone)]
pub struct Hasher {
    bytes: u64,
    sha256: ring::digest::Context,
    md5: Option<Running>,
    checksums: Vec<(Algorithm, Running)>,
    claimed: Vec<(Claimed, Running)>,
    parts: Vec<PartHasher>,
    message: Option<Message>,
}

/// What a signature is of, while its bytes come.
#[derive(Clone)]
pub(super) enum Message {
    Digest(Box<Blake2b512>),
    Whole(Vec<u8>),
}

impl Message {
    fn of(evidence: &Evidence) -> Option<Self> {
        Some(match evidence.checkable()?.signature.is_of_digest() {
            true => Self::Digest(Box::default()),
            false => Self::Whole(Vec::new()),
        })
    }

    pub(super) fn update(&mut self, bytes: &[u8]) {
        match self {
            Self::Digest(digest) => digest.update(bytes),
            // More than was listed proves the object wrong anyhow.
            Self::Whole(whole) if (whole.len() as u64) <= WHOLE => whole.extend_from_slice(bytes),
            Self::Whole(_) => {}
        }
    }

    fn finish(self) -> Vec<u8> {
        match self {
            Self::Digest(digest) => digest.finalize().to_vec(),
            Self::Whole(whole) => whole,
        }
    }
}

/// What a [`Hasher`] found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Digests {
    /// How many bytes came.
    pub bytes: u64,
    /// Their SHA-256.
    pub sha256: Sha256,
    /// Their MD5 as lower-case hex, where it was asked for.
    pub md5: Option<String>,
    /// The checksums that were asked for, base64.
    pub checksums: Vec<(Algorithm, String)>,
    /// The digests that only claims asked for, in lower-case hex.
    pub claimed: Vec<(Claimed, String)>,
    /// What ETag and composite checksums would be, for each way in which the parts may lie.
    pub parts: Vec<PartDigests>,
    /// What a signature would be of, where one asked for it.
    pub message: Option<Vec<u8>>,
}

impl Digests {
    /// The digest of this kind in lower-case hex, where it was asked for.
    pub(super) fn claimed(&self, kind: Claimed) -> Option<String> {
        match kind {
            Claimed::Md5 => self.md5.clone(),
            Claimed::Sha256 => Some(self.sha256.to_string()),
            Claimed::Sha1 | Claimed::Sha512 => {
                let mut ours = self.claimed.iter();
                let found = ours.find(|(ours, _)| *ours == kind);
                found.map(|(_, digest)| digest.clone())
            }
        }
    }
}

impl Hasher {
    /// A hasher for what `evidence` can be compared with.
    pub fn new(evidence: &Evidence) -> Self {
        let wants = |algorithm| {
            evidence
                .checksums
                .iter()
                .any(|c| c.full_object && c.algorithm == algorithm)
        };
        let under_another_name = |algorithm| {
            algorithm == Algorithm::Crc32 && evidence.checksums.iter().any(Checksum::may_be_crc32)
        };
        // SHA-256 is there anyhow.
        let others = [
            Algorithm::Crc32,
            Algorithm::Crc32c,
            Algorithm::Crc64Nvme,
            Algorithm::Sha1,
        ];
        let claims = |kind| evidence.claims().any(|claim| claim.kind == kind);
        let sha1 = claims(Claimed::Sha1).then(|| (Claimed::Sha1, Running::new(Algorithm::Sha1)));
        let sha512 = claims(Claimed::Sha512).then(|| (Claimed::Sha512, Running::sha512()));
        Self {
            bytes: 0,
            sha256: ring::digest::Context::new(&ring::digest::SHA256),
            md5: (evidence.etag_md5().is_some() || claims(Claimed::Md5)).then(Running::md5),
            checksums: others
                .into_iter()
                .filter(|algorithm| wants(*algorithm) || under_another_name(*algorithm))
                .map(|algorithm| (algorithm, Running::new(algorithm)))
                .collect(),
            claimed: sha1.into_iter().chain(sha512).collect(),
            parts: PartHasher::all(evidence),
            message: Message::of(evidence),
        }
    }

    /// Takes the next bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        self.bytes += bytes.len() as u64;
        let parts = self.parts.iter_mut().map(Digest::OfParts);
        let checksums = self.checksums.iter_mut().map(|(_, digest)| digest);
        let others = self.md5.iter_mut().chain(checksums);
        let others = others.chain(self.claimed.iter_mut().map(|(_, digest)| digest));
        let message = self.message.iter_mut().map(Digest::OfMessage);
        let all = std::iter::once(Digest::Sha256(&mut self.sha256));
        let all = all.chain(others.map(Digest::Other)).chain(parts);
        lanes::update(all.chain(message).collect(), bytes);
    }

    /// How many bytes it has seen.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// SHA-256 of the bytes so far: what a resume watermark remembers.
    pub fn sha256_so_far(&self) -> Sha256 {
        finish_sha256(self.sha256.clone())
    }

    /// The digests of all bytes.
    pub fn finish(self) -> Digests {
        let sha256 = finish_sha256(self.sha256);
        let mut checksums: Vec<(Algorithm, String)> = self
            .checksums
            .into_iter()
            .map(|(algorithm, checksum)| (algorithm, checksum.finish_base64()))
            .collect();
        checksums.push((Algorithm::Sha256, BASE64.encode(&sha256.0)));
        Digests {
            bytes: self.bytes,
            sha256,
            md5: self.md5.map(|md5| HEXLOWER.encode(&md5.finish())),
            checksums,
            claimed: self
                .claimed
                .into_iter()
                .map(|(kind, digest)| (kind, HEXLOWER.encode(&digest.finish())))
                .collect(),
            parts: PartHasher::finish_all(self.parts),
            message: self.message.map(Message::finish),
        }
    }
}

fn finish_sha256(context: ring::digest::Context) -> Sha256 {
    let mut digest = [0; 32];
    digest.copy_from_slice(context.finish().as_ref());
    Sha256(digest)
}

#[cfg(test)]
mod tests {
    use super::super::{Checksum, Cut, Layout, claims};
    use super::*;

    /// "123456789" is the check input of the CRC catalogue (reveng): cbf43926, e3069283,
    /// ae8b14860a799888; MD5, SHA-1 and SHA-256 by coreutils.
    #[test]
    fn known_answers() {
        let all = [
            Algorithm::Crc32,
            Algorithm::Crc32c,
            Algorithm::Crc64Nvme,
            Algorithm::Sha1,
            Algorithm::Sha256,
        ];
        let evidence = Evidence {
            size: 9,
            etag: "25f9e794323b453885f5181f1b624d0b".into(),
            etag_opaque: false,
            checksums: all
                .into_iter()
                .map(|a| Checksum::new(a, "x", Some("FULL_OBJECT"), ""))
                .collect(),
            ..Evidence::default()
        };
        let mut hasher = Hasher::new(&evidence);
        hasher.update(b"1234");
        hasher.update(b"56789");
        assert_eq!(hasher.bytes(), 9);
        let digests = hasher.finish();
        let value = |a| {
            let (_, v) = digests.checksums.iter().find(|(x, _)| *x == a).unwrap();
            HEXLOWER.encode(&BASE64.decode(v.as_bytes()).unwrap())
        };
        assert_eq!(value(Algorithm::Crc32), "cbf43926");
        assert_eq!(value(Algorithm::Crc32c), "e3069283");
        assert_eq!(value(Algorithm::Crc64Nvme), "ae8b14860a799888");
        assert_eq!(
            value(Algorithm::Sha1),
            "f7c3bc1d808e04732adf679965ccc34ca7ae3441"
        );
        let sha = "15e2b0d3c33891ebb0f1ef609ec419420c20e320ce94c65fbc8c3312448eb225";
        assert_eq!(value(Algorithm::Sha256), sha);
        assert_eq!(digests.sha256.to_string(), sha);
        assert_eq!(
            digests.md5.as_deref(),
            Some("25f9e794323b453885f5181f1b624d0b")
        );
    }

    /// Large pieces are hashed by several threads, small ones by this one.
    #[test]
    fn however_large_the_pieces_are_the_digests_are_the_same() {
        let checksum = |algorithm, kind| Checksum::new(algorithm, "x", Some(kind), "");
        let evidence = Evidence {
            etag: "25f9e794323b453885f5181f1b624d0b-3".into(),
            checksums: vec![
                checksum(Algorithm::Crc32c, "FULL_OBJECT"),
                checksum(Algorithm::Sha1, "FULL_OBJECT"),
                checksum(Algorithm::Crc32, "COMPOSITE"),
                checksum(Algorithm::Sha256, "COMPOSITE"),
            ],
            cut: Cut::Maybe(vec![Layout::Even(400_000), Layout::Even(500_000)]),
            claims: claims(|name| (name == "md5").then_some("25f9e794323b453885f5181f1b624d0b")),
            ..Evidence::default()
        };
        let bytes: Vec<u8> = (0..1_100_000_u32)
            .map(|n| (n.wrapping_mul(n) >> 7) as u8)
            .collect();
        let hashed = |piece| {
            let mut hasher = Hasher::new(&evidence);
            bytes.chunks(piece).for_each(|piece| hasher.update(piece));
            hasher.finish()
        };
        let small = hashed(10_000);
        assert_eq!(small.parts.len(), 2);
        assert_eq!(small.parts[0].checksums.len(), 2);
        assert_eq!(small, hashed(600_000));
        assert_eq!(small, hashed(bytes.len()));
    }

    #[test]
    fn only_what_evidence_asks_for() {
        let digests = Hasher::new(&Evidence::default()).finish();
        assert_eq!(digests.md5, None);
        assert_eq!(digests.checksums.len(), 1, "SHA-256 alone");
    }
}
