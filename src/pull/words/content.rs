//! The findings about what the bytes of objects are: encrypted, readable, nobody knows.

use super::{Frame, many};
use crate::formats::Format;
use crate::object::{Advice, FindingRecord, Identity, ObjectKey, Severity};
use crate::series::{Series, Story, Turn};

/// All of a series were encrypted, and a newcomer is not.
pub(in crate::pull) const ENCRYPTION_LOST: &str = "encryption-lost";
/// A newcomer is encrypted in another format than all of its series were.
pub(in crate::pull) const ENCRYPTION_CHANGED: &str = "encryption-changed";
/// A newcomer cannot be read, and others of its series could.
pub(in crate::pull) const BECAME_UNREADABLE: &str = "became-unreadable";

/// What the warning about a readable format is called.
pub(in crate::pull) fn readable(format: Format) -> String {
    format!("readable-{format}")
}

impl Frame<'_> {
    /// A version is not what all of its series were until now.
    pub(in crate::pull) fn encryption_turned(
        &self,
        turn: Turn,
        key: &ObjectKey,
        identity: &Identity,
        content: &str,
        series: &Series,
        story: &Story,
    ) -> FindingRecord {
        let id = format!("{}-{}", self.source, self.number);
        let (kind, what, next) = match turn {
            Turn::EncryptionLost => (
                ENCRYPTION_LOST,
                format!("{key} does not look encrypted; all others of its series were"),
                format!(
                    "look at the job that writes it: if nobody switched the encryption off, the server may be in other hands: revoke its key, and trust what was stored before this object. If it is meant to be so, `offsite ack {id}`: from then on the series counts as one of both kinds"
                ),
            ),
            Turn::EncryptionChanged => (
                ENCRYPTION_CHANGED,
                format!("{key} is encrypted in another format than all others of its series"),
                format!(
                    "try to decrypt it. If you cannot, somebody else may hold the key to your new backups: revoke the key that writes to this bucket, and trust what was stored before this object. If you changed the format, `offsite ack {id}`"
                ),
            ),
        };
        let advice = Advice {
            what,
            evidence: format!(
                "its bytes are judged as {content:?}; those of the series {series} were {:?}, since {}. All of them are kept",
                story.contents.join(", "),
                story
                    .judged_at
                    .map(|at| at.strftime("%Y-%m-%d").to_string())
                    .unwrap_or_default(),
            ),
            next,
        };
        self.finding(kind, Severity::Alarm, Some((key, identity)), advice)
    }

    /// An object cannot be read, and others of its series could.
    pub(in crate::pull) fn became_unreadable(
        &self,
        key: &ObjectKey,
        identity: &Identity,
        series: &Series,
        why: &str,
    ) -> FindingRecord {
        let advice = Advice {
            what: format!("{key} cannot be read with this key; others of its series could"),
            evidence: format!(
                "{why}. Of the series {series} versions are stored, and stay as they are"
            ),
            next: format!(
                "look how the object is encrypted in the bucket (`aws s3api head-object`). Whoever has a key that writes can encrypt objects anew with a key of their own (SSE-C) and demand money for it, as the Codefinger attacks of January 2025 did: if that is not your doing, revoke that key and keep the bucket's older versions. If only rights are missing, grant them to offsite's key; then `offsite ack {}-{}`",
                self.source, self.number
            ),
        };
        let about = Some((key, identity));
        self.finding(BECAME_UNREADABLE, Severity::Alarm, about, advice)
    }

    /// Versions that the owner requires to be encrypted, and that anyone can read.
    pub(in crate::pull) fn not_encrypted(
        &self,
        format: Format,
        count: u64,
        first: &ObjectKey,
    ) -> FindingRecord {
        let advice = Advice {
            what: format!(
                "not encrypted: {} in the format {format}, such as {first}",
                many(count, "a new version", "new versions")
            ),
            evidence: "anyone who has them can read them, and the source has encryption = \"require\". They are kept".to_owned(),
            next: format!(
                "encrypt them before they leave the server, and find out why they were not; then `offsite ack {}-{}`",
                self.source, self.number
            ),
        };
        let kind = format!("not-encrypted-{format}");
        self.finding(&kind, Severity::Alarm, None, advice)
    }

    /// Versions that the owner requires to be encrypted, and that tell nothing.
    pub(in crate::pull) fn not_recognised(&self, count: u64, first: &ObjectKey) -> FindingRecord {
        let advice = Advice {
            what: format!(
                "nobody can tell whether {} encrypted, such as {first}",
                many(count, "a new version is", "new versions are")
            ),
            evidence: "their bytes are of no format that offsite knows, or not what their format says; the source has encryption = \"require\". They are kept".to_owned(),
            next: format!(
                "look at them with the program that made them. One that leaves no sign of its format (a raw cipher) cannot be told from noise: encryption = \"warn\" says nothing of those. Then `offsite ack {}-{}`",
                self.source, self.number
            ),
        };
        self.finding("not-recognised", Severity::Warning, None, advice)
    }

    /// Versions in a format that anyone can read, which the source never had before.
    pub(in crate::pull) fn readable(
        &self,
        format: Format,
        count: u64,
        first: Option<&ObjectKey>,
    ) -> FindingRecord {
        let such = first.map_or_else(String::new, |key| format!(", such as {key}"));
        let advice = Advice {
            what: format!(
                "{} not encrypted: {format}{such}",
                many(count, "a version is", "versions are")
            ),
            evidence: format!(
                "they are in the format {format}, which anyone can read who has them: whoever reads the bucket, or finds this drive"
            ),
            next: format!(
                "encrypt your backups before they leave the server. If these need none: encryption = \"ignore\" for this source; then `offsite ack {}-{}`. This format is said once",
                self.source, self.number
            ),
        };
        self.finding(&readable(format), Severity::Warning, None, advice)
    }
}
