//! One digest of any kind while its bytes come.

use super::evidence::Algorithm;
use data_encoding::BASE64;
use md5::Digest as _;

/// A digest under way.
#[derive(Clone)]
pub(super) enum Running {
    Crc(Algorithm, crc_fast::Digest),
    Md5(md5::Md5),
    Sha(ring::digest::Context),
}

impl Running {
    pub(super) fn new(algorithm: Algorithm) -> Self {
        use crc_fast::CrcAlgorithm::{Crc32Iscsi, Crc32IsoHdlc, Crc64Nvme};
        let crc = |kind| Self::Crc(algorithm, crc_fast::Digest::new(kind));
        let sha = |kind| Self::Sha(ring::digest::Context::new(kind));
        match algorithm {
            Algorithm::Crc32 => crc(Crc32IsoHdlc),
            Algorithm::Crc32c => crc(Crc32Iscsi),
            Algorithm::Crc64Nvme => crc(Crc64Nvme),
            Algorithm::Sha1 => sha(&ring::digest::SHA1_FOR_LEGACY_USE_ONLY),
            Algorithm::Sha256 => sha(&ring::digest::SHA256),
        }
    }

    pub(super) fn md5() -> Self {
        Self::Md5(md5::Md5::new())
    }

    pub(super) fn sha512() -> Self {
        Self::Sha(ring::digest::Context::new(&ring::digest::SHA512))
    }

    pub(super) fn update(&mut self, bytes: &[u8]) {
        match self {
            Self::Crc(_, crc) => crc.update(bytes),
            Self::Md5(md5) => md5.update(bytes),
            Self::Sha(sha) => sha.update(bytes),
        }
    }

    /// Its bytes, CRCs big-endian.
    pub(super) fn finish(self) -> Vec<u8> {
        match self {
            Self::Crc(Algorithm::Crc64Nvme, crc) => crc.finalize().to_be_bytes().to_vec(),
            // CRC-32 values sit in the low half.
            Self::Crc(_, crc) => crc.finalize().to_be_bytes().into_iter().skip(4).collect(),
            Self::Md5(md5) => md5.finalize().to_vec(),
            Self::Sha(sha) => sha.finish().as_ref().to_vec(),
        }
    }

    /// The same as the header has it.
    pub(super) fn finish_base64(self) -> String {
        BASE64.encode(&self.finish())
    }
}
