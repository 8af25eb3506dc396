//! A version of an object: as the bucket lists it, as its bytes arrived, and as we hold it.

use super::{Lock, ObjectKey, Timestamp};
use serde::{Deserialize, Serialize};
use std::fmt;

/// What tells one version of a key from every other, taken from the listing alone.
///
/// With a version id the id decides. Without one (or with the id `null`, which S3 overwrites in
/// place) the ETag, the size and the last-modified time decide together; [`Identity::is`] knows
/// how differently servers tell the time.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Identity {
    /// The version id; `None` where the listing has none or says `null`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version_id: Option<String>,
    /// The ETag without its quotes; opaque until proven otherwise. Empty where a server has none.
    pub etag: String,
    /// Length in bytes.
    pub size: u64,
    /// The bucket's time for it, to the millisecond.
    pub last_modified: Timestamp,
}

impl Identity {
    /// Whether both name the same version of one key.
    pub fn is(&self, other: &Self) -> bool {
        match (&self.version_id, &other.version_id) {
            (Some(a), Some(b)) => a == b,
            (None, None) => {
                self.etag == other.etag
                    && self.size == other.size
                    && same_time(self.last_modified, other.last_modified)
            }
            _ => false,
        }
    }
}

/// Servers list times to the second or to the millisecond, and can change that with a release: two
/// less than a second apart are one time where either is in whole seconds.
fn same_time(a: Timestamp, b: Timestamp) -> bool {
    let (a, b) = (a.as_millisecond(), b.as_millisecond());
    a == b || (a.abs_diff(b) < 1000 && (a % 1000 == 0 || b % 1000 == 0))
}

/// One row of a listing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// The object's key.
    pub key: ObjectKey,
    /// Which version of it.
    pub identity: Identity,
    /// The storage class where the listing names one (`GLACIER`, `DEEP_ARCHIVE`, …).
    pub storage_class: Option<String>,
    /// What the bucket shows of it: `Current`, `Noncurrent`, or `Hidden` for the newest version
    /// behind a delete marker. Always `Current` in a listing without versions.
    pub in_bucket: InBucket,
}

/// A delete marker: it hides the versions of a key, and has no bytes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Marker {
    /// The key.
    pub key: ObjectKey,
    /// The marker's own version id; `None` where the listing says `null`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version_id: Option<String>,
    /// The bucket's time for the deletion.
    pub last_modified: Timestamp,
    /// Whether it is the newest of its key: a plain GET finds nothing.
    pub hides: bool,
}

/// What the bucket's answer to a GET said about the bytes, apart from the bytes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Answer {
    /// `x-amz-version-id`, also where the listing had none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version_id: Option<String>,
    /// `Content-Type`, as claimed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content_type: Option<String>,
    /// `x-amz-server-side-encryption` (`AES256`, `aws:kms`, …), or `sse-c`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub encryption: Option<String>,
    /// `x-amz-object-lock-*`, where it is locked and our key may see that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lock: Option<Lock>,
}

/// What we hold of a version. Not to be mixed up with [`InBucket`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum State {
    /// Listed, not fetched yet.
    Pending,
    /// Verified and durable on the drive.
    Stored,
    /// Verified and durable in `history/`, but kept out of `latest/` until the owner accepts it.
    Held,
    /// In an archive tier: cannot be read without a request that costs money.
    Archived,
    /// Cannot be read with our key (SSE-C, a KMS key, a denied object).
    Unreadable,
    /// Its bytes contradicted their evidence; they lie in `quarantine/`.
    Quarantined,
    /// Removed by a retention rule that the owner wrote.
    Expired,
    /// Recorded by rule, never stored: the lock files of a restic repository, which would lock
    /// the copy at home too.
    Skipped,
}

/// What the bucket shows of a version. Not to be mixed up with [`State`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum InBucket {
    /// What a plain GET of the key answers.
    #[default]
    Current,
    /// An older version that the bucket still lists.
    Noncurrent,
    /// The newest version of a key whose newest entry is a delete marker.
    Hidden,
    /// Not there any more (confirmed), or replaced by another version.
    Gone,
}

impl InBucket {
    /// What a record need not say.
    pub(super) fn is_current(&self) -> bool {
        *self == Self::Current
    }
}

/// How strongly a version's bytes are proven, strongest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum EvidenceClass {
    /// A pinned signature: the only class that proves *who*.
    Signed,
    /// The name is the SHA-256 of the content (restic, rustic).
    ContentName,
    /// A sidecar or metadata written by the uploader.
    UploaderClaim,
    /// `x-amz-checksum-*`, or an ETag that is a digest.
    Provider,
    /// Nothing but the length.
    Length,
}

/// What a piece of evidence said of the bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// The bytes are what it says.
    Holds,
    /// The bytes are not what it says.
    Fails,
    /// It says nothing about these bytes (an opaque ETag, parts that nobody knows the ends of).
    Silent,
}

/// One piece of evidence, what it expected, and its verdict.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Proof {
    /// Its class.
    pub class: EvidenceClass,
    /// Its name: `length`, `etag-md5`, `etag-parts` (of an object in parts), `crc32`, `crc32c`,
    /// `crc64nvme`, `sha1`, `sha256`, `content-name`; of metadata its name
    /// (`md5chksum`, `s3cmd-attrs`, …); of a file beside the object its key, which is hostile text.
    pub name: String,
    /// What it expected, as the bucket wrote it.
    pub expected: String,
    /// What it said of the bytes.
    pub verdict: Verdict,
}

impl Proof {
    /// What of the object it is about: the `length`, all `bytes`, or the `parts` that it was
    /// uploaded in, each by itself.
    pub fn covers(&self) -> &'static str {
        let parts = self.name == "etag-parts" || self.expected.contains('-');
        match self.class {
            EvidenceClass::Length => "length",
            // A composite checksum ends in `-` and the number of parts; in base64 there is no dash.
            EvidenceClass::Provider if parts => "parts",
            _ => "bytes",
        }
    }
}

macro_rules! words {
    ($type:ty, $($variant:ident => $word:literal),+ $(,)?) => {
        impl $type {
            /// The word for it in the catalogue, in JSON and on the screen.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word),+ }
            }
            /// The value that `word` names, if it names one.
            pub fn from_word(word: &str) -> Option<Self> {
                match word { $($word => Some(Self::$variant),)+ _ => None }
            }
        }
        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result { f.pad(self.as_str()) }
        }
    };
}
pub(super) use words;

words!(State, Pending => "pending", Stored => "stored", Held => "held", Archived => "archived",
    Unreadable => "unreadable", Quarantined => "quarantined", Expired => "expired", Skipped => "skipped");
words!(InBucket, Current => "current", Noncurrent => "noncurrent", Hidden => "hidden", Gone => "gone");
words!(EvidenceClass, Signed => "signed", ContentName => "content-name",
    UploaderClaim => "uploader-claim", Provider => "provider", Length => "length");
words!(Verdict, Holds => "holds", Fails => "fails", Silent => "silent");

/// A SHA-256 digest; written as 64 lower-case hex digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Sha256(pub [u8; 32]);

impl Sha256 {
    /// The digest that 64 lower-case hex digits spell.
    pub fn from_hex(hex: &str) -> Option<Self> {
        let bytes = data_encoding::HEXLOWER.decode(hex.as_bytes()).ok()?;
        Some(Self(bytes.try_into().ok()?))
    }

    /// The first 16 hex digits: enough to tell versions of one key apart in a file name.
    pub fn short(&self) -> String {
        self.to_string().chars().take(16).collect()
    }
}

impl fmt::Display for Sha256 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&data_encoding::HEXLOWER.encode(&self.0))
    }
}

impl fmt::Debug for Sha256 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

impl From<Sha256> for String {
    fn from(digest: Sha256) -> Self {
        digest.to_string()
    }
}

impl TryFrom<String> for Sha256 {
    type Error = String;
    fn try_from(hex: String) -> Result<Self, String> {
        Self::from_hex(&hex).ok_or_else(|| format!("{hex:?} is not a SHA-256 in hex"))
    }
}

/// A version as the catalogue knows it.
#[derive(Clone, Debug, PartialEq)]
pub struct StoredVersion {
    /// The catalogue's row number, stable for the life of the catalogue.
    pub id: i64,
    /// Which source it belongs to.
    pub source: String,
    /// The object's key.
    pub key: ObjectKey,
    /// Which version.
    pub identity: Identity,
    /// What the GET answered besides the bytes.
    pub answer: Answer,
    /// What we hold.
    pub state: State,
    /// What the bucket shows.
    pub in_bucket: InBucket,
    /// SHA-256 of the bytes, once fetched.
    pub sha256: Option<Sha256>,
    /// The strongest class of evidence that held.
    pub evidence: Option<EvidenceClass>,
    /// Every piece of evidence with its verdict.
    pub proofs: Vec<Proof>,
    /// What the bytes are, where that was judged: `encrypted age`, `plaintext zip`, `unknown`.
    pub content: Option<String>,
    /// Where the bytes are, relative to the store.
    pub path: Option<String>,
    /// When we first saw it in a listing.
    pub first_seen: Timestamp,
    /// When its bytes were placed.
    pub stored_at: Option<Timestamp>,
    /// When we first missed it (replaced or gone).
    pub missed_at: Option<Timestamp>,
}
