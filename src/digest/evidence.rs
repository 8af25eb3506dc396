//! What the bucket's answer promises about an object's bytes.

use super::claims::Claim;
use super::minisign::{Signed, WHOLE};
use super::parts::Cut;
use crate::object::Sha256;

/// A checksum algorithm of `x-amz-checksum-*` (Amazon S3 User Guide, "Checking object integrity").
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Algorithm {
    /// CRC-32 (ISO-HDLC), 4 bytes big-endian.
    Crc32,
    /// CRC-32C (Castagnoli, iSCSI), 4 bytes big-endian.
    Crc32c,
    /// CRC-64/NVME, 8 bytes big-endian.
    Crc64Nvme,
    /// SHA-1, 20 bytes.
    Sha1,
    /// SHA-256, 32 bytes.
    Sha256,
}

impl Algorithm {
    /// Its name in the catalogue and on the screen.
    pub fn name(self) -> &'static str {
        match self {
            Self::Crc32 => "crc32",
            Self::Crc32c => "crc32c",
            Self::Crc64Nvme => "crc64nvme",
            Self::Sha1 => "sha1",
            Self::Sha256 => "sha256",
        }
    }
}

/// One `x-amz-checksum-*` header.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checksum {
    /// Which algorithm.
    pub algorithm: Algorithm,
    /// Base64, as the header has it.
    pub value: String,
    /// Whether it covers the whole object; a composite one is a checksum of the parts' checksums.
    pub full_object: bool,
}

impl Checksum {
    /// Whether the value may be a CRC-32 under another's name: moto (5.2) tells one where it lacks
    /// the library for what was asked.
    pub(super) fn may_be_crc32(&self) -> bool {
        const BASE64_OF_4_BYTES: usize = 8;
        let other = matches!(self.algorithm, Algorithm::Crc32c | Algorithm::Crc64Nvme);
        self.full_object && other && self.value.len() == BASE64_OF_4_BYTES
    }

    /// The checksum that an answer names.
    ///
    /// `kind` is `x-amz-checksum-type` where the answer has it. Without it, a value with a `-N`
    /// suffix is composite; so may be one of an object that was uploaded in parts, because some
    /// servers drop the suffix on ranged answers (botocore issue 3346). CRC-64/NVME has no
    /// composite form (S3 User Guide).
    pub fn new(algorithm: Algorithm, value: &str, kind: Option<&str>, etag: &str) -> Self {
        let full_object = match kind {
            Some(kind) => kind.eq_ignore_ascii_case("FULL_OBJECT"),
            None => {
                algorithm == Algorithm::Crc64Nvme
                    || !(value.contains('-') || parts_of(etag).is_some())
            }
        };
        Self {
            algorithm,
            value: value.to_owned(),
            full_object,
        }
    }
}

/// Everything the bucket said about an object's bytes before or with them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Evidence {
    /// Length in bytes.
    pub size: u64,
    /// The ETag without quotes.
    pub etag: String,
    /// Whether something says that the ETag is no digest (SSE-KMS, SSE-C: S3 API reference,
    /// "Object"; or this source's ETags were caught not being digests).
    pub etag_opaque: bool,
    /// The checksums the answer carried.
    pub checksums: Vec<Checksum>,
    /// Where the parts end, of an object that was uploaded in parts.
    pub cut: Cut,
    /// What the uploader wrote beside it.
    pub claims: Vec<Claim>,
    /// The names of claims that always held in this object's series: one that fails here does not
    /// describe other bytes.
    pub trusted_claims: Vec<String>,
    /// The signature that lies beside it.
    pub signature: Option<Signed>,
    /// The SHA-256 that its name is, in a repository that names files after their content.
    pub content_name: Option<Sha256>,
}

impl Evidence {
    /// The MD5 that the ETag stands for, as 32 lower-case hex digits: only for an object that was
    /// uploaded in one part, and where nothing says that the ETag is opaque.
    pub fn etag_md5(&self) -> Option<String> {
        let digest = self.etag.len() == 32 && self.etag.bytes().all(|b| b.is_ascii_hexdigit());
        (digest && self.asks_etag()).then(|| self.etag.to_ascii_lowercase())
    }

    /// The claims that are worth their digests: none where the name proves more for less.
    pub fn claims(&self) -> impl Iterator<Item = &Claim> {
        let asked = self.content_name.is_none();
        self.claims.iter().filter(move |_| asked)
    }

    /// The signature, if it can be checked: by a key that the owner trusts, and of what can be had.
    pub(super) fn checkable(&self) -> Option<&Signed> {
        let signed = self
            .signature
            .as_ref()
            .filter(|signed| signed.maker.is_some())?;
        (signed.signature.is_of_digest() || self.size <= WHOLE).then_some(signed)
    }

    /// Whether the ETag is worth an MD5 of the bytes: not where it is opaque, and not where the
    /// name proves more for less.
    fn asks_etag(&self) -> bool {
        !self.etag_opaque && self.content_name.is_none()
    }

    /// The number of parts that the ETag is made of, for an object that was uploaded in parts, and
    /// where nothing says that the ETag is opaque.
    pub fn etag_parts(&self) -> Option<u32> {
        parts_of(&self.etag).filter(|_| self.asks_etag())
    }
}

/// The number of parts that a multipart ETag (`<32 hex>-N`) names.
pub fn parts_of(etag: &str) -> Option<u32> {
    let (digest, parts) = etag.split_once('-')?;
    let digest = digest.len() == 32 && digest.bytes().all(|b| b.is_ascii_hexdigit());
    // S3 takes 10,000 parts at most (S3 User Guide, "Multipart upload limits").
    parts
        .parse()
        .ok()
        .filter(|n| digest && (1..=10_000).contains(n))
}

#[cfg(test)]
mod tests {
    use super::*;

    const MULTI: &str = "d41d8cd98f00b204e9800998ecf8427e-3";
    const SINGLE: &str = "d41d8cd98f00b204e9800998ecf8427e";

    #[test]
    fn which_checksums_cover_the_whole_object() {
        use Algorithm::*;
        for (algorithm, value, kind, etag, full) in [
            (Crc32, "AAAAAA==", None, SINGLE, true),
            (Crc32, "AAAAAA==-3", None, MULTI, false),
            (Crc32, "AAAAAA==", None, MULTI, false),
            (Crc32, "AAAAAA==", Some("FULL_OBJECT"), MULTI, true),
            (Sha256, "AAAA", Some("COMPOSITE"), MULTI, false),
            (Crc64Nvme, "AAAA", None, MULTI, true),
        ] {
            let checksum = Checksum::new(algorithm, value, kind, etag);
            assert_eq!(checksum.full_object, full, "{checksum:?} {kind:?} {etag}");
        }
    }

    #[test]
    fn an_etag_is_a_digest_only_in_one_part_and_unencrypted() {
        let of = |etag: &str, etag_opaque| {
            Evidence {
                etag: etag.into(),
                etag_opaque,
                ..Evidence::default()
            }
            .etag_md5()
        };
        assert_eq!(of(SINGLE, false).as_deref(), Some(SINGLE));
        assert_eq!(of(&SINGLE.to_uppercase(), false).as_deref(), Some(SINGLE));
        assert_eq!(of(SINGLE, true), None);
        assert_eq!(of(MULTI, false), None);
        assert_eq!(of("0x8D0A", false), None);
        assert_eq!(of("", false), None);
    }
}
