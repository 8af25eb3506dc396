//! What our key could see and may see no more: who does something to a bucket may first see to it that
//! nobody looks.

use super::words::Frame;
use crate::object::{Advice, FindingRecord, Severity};

/// A right that the key had.
pub(super) struct Lost {
    /// What the finding is called.
    kind: &'static str,
    /// What cannot be seen any more.
    what: &'static str,
    /// What could be done meanwhile, and not be said.
    unsaid: &'static str,
    /// What the right is called.
    right: &'static str,
}

/// To list older versions.
pub(super) const VERSIONS: Lost = Lost {
    kind: "versions-hidden",
    what: "the bucket's older versions",
    unsaid: "versions that are removed for good",
    right: "s3:ListBucketVersions",
};

/// To see whether versions are kept.
pub(super) const VERSIONING: Lost = Lost {
    kind: "versioning-hidden",
    what: "whether the bucket keeps versions",
    unsaid: "that this is switched off",
    right: "s3:GetBucketVersioning",
};

/// To read the rules that delete.
pub(super) const RULES: Lost = Lost {
    kind: "lifecycle-hidden",
    what: "the bucket's lifecycle rules",
    unsaid: "a new rule that deletes",
    right: "s3:GetLifecycleConfiguration",
};

impl Lost {
    pub(super) fn said(&self, frame: &Frame<'_>) -> FindingRecord {
        let Self {
            kind,
            what,
            unsaid,
            right,
        } = self;
        let advice = Advice {
            what: format!("this key may not see any more: {what}"),
            evidence: format!(
                "it could in an earlier run, and is refused now ({right}). What is not said meanwhile: {unsaid}"
            ),
            next: format!(
                "give the key this right again. If nobody took it away, somebody else may set the bucket's rights: look at the bucket with your own login, and revoke what is not yours. Then `offsite ack {}-{}`",
                frame.source, frame.number
            ),
        };
        frame.finding(kind, Severity::Warning, None, advice)
    }
}
