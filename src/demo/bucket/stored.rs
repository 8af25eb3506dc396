//! An object as the bucket keeps it: its bytes, and what S3 says about them.

use crate::object::Lock;
use s3s::crypto::{self, Checksum as _};
use s3s::{Body, dto};
use std::collections::BTreeMap;
use std::ops::Range;

/// How an object is put. The default is one plain PUT without a checksum.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PutOptions {
    /// `Content-Type`; S3 answers `binary/octet-stream` where the uploader named none.
    pub content_type: Option<String>,
    /// `x-amz-meta-*`, without the prefix.
    pub metadata: BTreeMap<String, String>,
    /// Which `x-amz-checksum-*` the bucket keeps with the object.
    pub checksum: Option<Checksum>,
    /// Bytes of a part where the object came by multipart upload: the ETag becomes the MD5 of
    /// the parts' MD5s with `-N`.
    pub part_size: Option<usize>,
    /// Bytes of the first part where it is not like the others.
    pub first_part: Option<usize>,
    /// Keep the checksum of a multipart object over all of it (CRC32 and CRC32C leave the choice)
    /// instead of one over the parts' checksums with `-N`.
    pub full_object: bool,
    /// `GLACIER` and `DEEP_ARCHIVE` cannot be read; `None` is `STANDARD`.
    pub storage_class: Option<String>,
    /// How the bucket encrypts the object at rest; `None` says nothing about it.
    pub encryption: Option<Encryption>,
    /// An ETag without quotes in place of the one that S3 would give.
    pub etag: Option<String>,
    /// Last-modified, in place of the bucket's clock.
    pub modified: Option<crate::object::Timestamp>,
    /// The version's lock, in place of the one that the bucket gives to all.
    pub lock: Option<Lock>,
}

/// The checksums that S3 keeps with an object (Amazon S3 User Guide, "Checking object integrity").
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Checksum {
    /// `x-amz-checksum-crc32`
    Crc32,
    /// `x-amz-checksum-crc32c`
    Crc32c,
    /// `x-amz-checksum-crc64nvme`; over the whole object always.
    Crc64Nvme,
    /// `x-amz-checksum-sha1`; of a multipart object always composite.
    Sha1,
    /// `x-amz-checksum-sha256`; of a multipart object always composite.
    Sha256,
}

impl Checksum {
    /// All of them.
    pub const ALL: [Self; 5] = [
        Self::Crc32,
        Self::Crc32c,
        Self::Crc64Nvme,
        Self::Sha1,
        Self::Sha256,
    ];

    /// The name of it in `x-amz-checksum-algorithm` and in listings.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Crc32 => "CRC32",
            Self::Crc32c => "CRC32C",
            Self::Crc64Nvme => "CRC64NVME",
            Self::Sha1 => "SHA1",
            Self::Sha256 => "SHA256",
        }
    }

    fn of(self, bytes: &[u8]) -> Vec<u8> {
        match self {
            Self::Crc32 => crypto::Crc32::checksum(bytes).to_vec(),
            Self::Crc32c => crypto::Crc32c::checksum(bytes).to_vec(),
            Self::Crc64Nvme => crypto::Crc64Nvme::checksum(bytes).to_vec(),
            Self::Sha1 => AsRef::<[u8]>::as_ref(&crypto::Sha1::checksum(bytes)).to_vec(),
            Self::Sha256 => AsRef::<[u8]>::as_ref(&crypto::Sha256::checksum(bytes)).to_vec(),
        }
    }

    /// Its place in an answer.
    pub(super) fn field(self, checksums: &mut dto::Checksum) -> &mut Option<String> {
        match self {
            Self::Crc32 => &mut checksums.checksum_crc32,
            Self::Crc32c => &mut checksums.checksum_crc32c,
            Self::Crc64Nvme => &mut checksums.checksum_crc64nvme,
            Self::Sha1 => &mut checksums.checksum_sha1,
            Self::Sha256 => &mut checksums.checksum_sha256,
        }
    }
}

/// Server-side encryption, as far as an answer shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Encryption {
    /// SSE-S3: `AES256`. The ETag stays an MD5.
    S3,
    /// SSE-KMS under the key of this name. The ETag is no MD5.
    Kms(String),
    /// SSE-C: the object cannot be read without the key that the uploader kept.
    Customer,
}

/// An object of one version. Tests keep a million of them: what most do not have is boxed.
pub(super) struct Stored {
    /// A body that is one run of bytes is handed out in slices, never copied.
    content: Body,
    pub(super) etag: Box<str>,
    checksums: Option<Box<dto::Checksum>>,
    options: Option<Box<PutOptions>>,
}

/// The options of an object that has none.
static PLAIN: PutOptions = PutOptions {
    content_type: None,
    metadata: BTreeMap::new(),
    checksum: None,
    part_size: None,
    first_part: None,
    full_object: false,
    storage_class: None,
    encryption: None,
    etag: None,
    modified: None,
    lock: None,
};

impl Stored {
    pub(super) fn new(bytes: Vec<u8>, options: PutOptions) -> Self {
        let parts: Vec<&[u8]> = match options.part_size {
            Some(size) => cut(&bytes, options.first_part.unwrap_or(size), size),
            None => vec![bytes.as_slice()],
        };
        let multipart = options.part_size.map(|_| parts.as_slice());
        let etag = options
            .etag
            .clone()
            .unwrap_or_else(|| etag(&bytes, multipart, options.encryption.as_ref()));
        let checksums = options
            .checksum
            .map(|kind| Box::new(checksum(kind, &bytes, multipart, options.full_object)));
        Self {
            etag: etag.into(),
            checksums,
            content: Body::from(bytes),
            options: (options != PLAIN).then(|| Box::new(options)),
        }
    }

    pub(super) fn options(&self) -> &PutOptions {
        self.options.as_deref().unwrap_or(&PLAIN)
    }

    /// The stored checksums: one of them, or none.
    pub(super) fn checksums(&self) -> dto::Checksum {
        self.checksums.as_deref().cloned().unwrap_or_default()
    }

    /// Whether the checksum is one over all bytes or over the parts' checksums.
    pub(super) fn checksum_type(&self) -> Option<dto::ChecksumType> {
        self.checksums.as_ref()?.checksum_type.clone()
    }

    pub(super) fn len(&self) -> u64 {
        self.content.bytes().map_or(0, |bytes| bytes.len() as u64)
    }

    /// The bytes of `range`, shared with the object.
    pub(super) fn slice(&self, range: Range<u64>) -> Body {
        let bytes = self.content.bytes().unwrap_or_default();
        let (from, to) = (
            clamp(range.start, bytes.len()),
            clamp(range.end, bytes.len()),
        );
        Body::from(bytes.slice(from.min(to)..to))
    }

    /// A copy of the bytes.
    pub(super) fn to_vec(&self) -> Vec<u8> {
        self.content.bytes().unwrap_or_default().to_vec()
    }

    /// How many parts the object came in, where it came by multipart upload.
    pub(super) fn parts(&self) -> Option<u64> {
        self.options().part_size?;
        (1..)
            .take_while(|number| self.part(*number).is_some())
            .last()
    }

    /// The bytes that part `number` (from 1) holds; an object put in one piece has one part.
    pub(super) fn part(&self, number: u64) -> Option<Range<u64>> {
        let options = self.options();
        let size = options
            .part_size
            .map_or(self.len(), |size| size.max(1) as u64);
        let first = options.first_part.map_or(size, |first| first as u64);
        let start = match number.checked_sub(1)? {
            0 => 0,
            before => first.checked_add(size.checked_mul(before - 1)?)?,
        };
        let length = if number == 1 { first } else { size };
        let inside = number == 1 || start < self.len();
        inside.then(|| start..start.saturating_add(length).min(self.len()))
    }

    pub(super) fn storage_class(&self) -> &str {
        self.options()
            .storage_class
            .as_deref()
            .unwrap_or("STANDARD")
    }

    pub(super) fn is_archived(&self) -> bool {
        matches!(self.storage_class(), "GLACIER" | "DEEP_ARCHIVE")
    }
}

/// Parts of `size` bytes after one of `first`; an empty object has one part.
fn cut(bytes: &[u8], first: usize, size: usize) -> Vec<&[u8]> {
    let (head, rest) = bytes.split_at(first.min(bytes.len()));
    std::iter::once(head)
        .chain(rest.chunks(size.max(1)))
        .collect()
}

fn clamp(at: u64, len: usize) -> usize {
    usize::try_from(at).unwrap_or(len).min(len)
}

pub(super) fn md5_hex(bytes: &[u8]) -> String {
    data_encoding::HEXLOWER.encode(&md5(bytes))
}

pub(super) fn md5(bytes: &[u8]) -> Vec<u8> {
    AsRef::<[u8]>::as_ref(&crypto::Md5::checksum(bytes)).to_vec()
}

/// Amazon S3 API Reference, "Object": MD5 of the content for a single PUT, of the parts' MD5s for
/// a multipart upload, and neither under SSE-KMS or SSE-C.
fn etag(bytes: &[u8], parts: Option<&[&[u8]]>, encryption: Option<&Encryption>) -> String {
    let opaque = matches!(encryption, Some(Encryption::Kms(_) | Encryption::Customer));
    let digest = match parts {
        Some(parts) => md5_hex(&parts.iter().flat_map(|part| md5(part)).collect::<Vec<_>>()),
        None => md5_hex(bytes),
    };
    let digest = if opaque { opaque_etag(&digest) } else { digest };
    match parts {
        Some(parts) => format!("{digest}-{}", parts.len()),
        None => digest,
    }
}

/// An ETag of the same look that says nothing about the bytes.
pub(super) fn opaque_etag(etag: &str) -> String {
    let (digest, count) = etag.split_once('-').unwrap_or((etag, ""));
    let dash = if count.is_empty() { "" } else { "-" };
    format!(
        "{}{dash}{count}",
        md5_hex(format!("opaque {digest}").as_bytes())
    )
}

pub(super) fn checksum(
    kind: Checksum,
    bytes: &[u8],
    parts: Option<&[&[u8]]>,
    full_object: bool,
) -> dto::Checksum {
    let over_parts = match kind {
        Checksum::Crc64Nvme => None,
        Checksum::Crc32 | Checksum::Crc32c if full_object => None,
        _ => parts,
    };
    let base64 = |raw: Vec<u8>| data_encoding::BASE64.encode(&raw);
    let (value, shape) = match over_parts {
        Some(parts) => {
            let raw: Vec<u8> = parts.iter().flat_map(|part| kind.of(part)).collect();
            let value = format!("{}-{}", base64(kind.of(&raw)), parts.len());
            (value, dto::ChecksumType::COMPOSITE)
        }
        None => (base64(kind.of(bytes)), dto::ChecksumType::FULL_OBJECT),
    };
    let mut checksums = dto::Checksum::default();
    *kind.field(&mut checksums) = Some(value);
    checksums.checksum_type = Some(dto::ChecksumType::from_static(shape));
    checksums
}
