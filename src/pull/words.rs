//! The findings that a pull itself makes, in words: what happened, how we know, what to do.

mod content;
mod events;

pub(super) use content::{BECAME_UNREADABLE, ENCRYPTION_CHANGED, ENCRYPTION_LOST, readable};
pub(super) use events::{
    VERSIONS_LISTED, VERSIONS_REFUSED, VERSIONS_WITHHELD, came_right, disputed,
    replaced_within_a_day, signed_late, unreadable, versions_listed, versions_refused,
    versions_withheld,
};

use crate::digest::Contradiction;
use crate::object::{
    Advice, EvidenceClass, FindingRecord, Identity, Known, ObjectKey, Proof, Severity, Sha256,
    Timestamp, Verdict,
};
use jiff::SignedDuration;

/// What a finding is called that says so; while the catalogue has one, ETags count for nothing.
pub(super) const OPAQUE_ETAGS: &str = "opaque-etags";

/// Several of something, or one.
pub(super) fn many(count: u64, one: &str, several: &str) -> String {
    match count {
        1 => one.to_owned(),
        count => format!("{count} {several}"),
    }
}

/// Where a finding belongs and when it was made.
pub(super) struct Frame<'a> {
    pub(super) source: &'a str,
    pub(super) number: u64,
    pub(super) at: Timestamp,
}

impl Frame<'_> {
    pub(super) fn finding(
        &self,
        kind: &str,
        severity: Severity,
        about: Option<(&ObjectKey, &Identity)>,
        advice: Advice,
    ) -> FindingRecord {
        FindingRecord {
            id: format!("{}-{}", self.source, self.number),
            kind: kind.to_owned(),
            severity,
            key: about.map(|(key, _)| key.clone()),
            identity: about.map(|(_, identity)| identity.clone()),
            advice,
            at: self.at,
        }
    }

    /// The server's clock and ours are far apart.
    pub(super) fn clock(&self, ahead: SignedDuration) -> FindingRecord {
        let minutes = ahead.as_mins().abs();
        let way = if ahead.is_positive() {
            "behind"
        } else {
            "ahead of"
        };
        let advice = Advice {
            what: format!("this computer's clock is {minutes} minutes {way} the server's"),
            evidence: format!("the Date of the server's answers in the run recorded at {}", self.at),
            next: "set it: `timedatectl set-ntp true`; a Raspberry Pi has no clock of its own and needs the network for it. Until then the times that offsite records are wrong, and backups can seem early or late".to_owned(),
        };
        self.finding("clock", Severity::Warning, None, advice)
    }

    /// The ETags look like MD5s of the bytes, and are none.
    pub(super) fn opaque_etags(&self, key: &ObjectKey) -> FindingRecord {
        let advice = Advice {
            what: "the bucket's ETags look like MD5 digests and are none".to_owned(),
            evidence: format!(
                "the ETag of {key} is not the MD5 of its bytes, while a checksum that the bucket keeps holds"
            ),
            next: format!(
                "from now on no ETag of this source counts as evidence. Upload with a checksum (`x-amz-checksum-*`), or the length is all that proves the bytes; then `offsite ack {}-{}`",
                self.source, self.number
            ),
        };
        self.finding(OPAQUE_ETAGS, Severity::Warning, None, advice)
    }

    /// A write-once key shows other bytes than the first.
    pub(super) fn write_once_changed(
        &self,
        key: &ObjectKey,
        identity: &Identity,
        standing: &Known,
        newcomer: Sha256,
    ) -> FindingRecord {
        let id = format!("{}-{}", self.source, self.number);
        let advice = Advice {
            what: format!("the bucket shows other bytes under {key}, a name that is written once"),
            evidence: format!(
                "first seen {} with SHA-256 {}…; now {} bytes of {} with SHA-256 {}…. The first stays in latest/, the newcomer is held in history/",
                standing.first_seen.strftime("%Y-%m-%d %H:%M UTC"),
                standing.sha256.map(|d| d.short()).unwrap_or_default(),
                identity.size,
                identity.last_modified.strftime("%Y-%m-%d %H:%M UTC"),
                newcomer.short(),
            ),
            next: format!(
                "if nobody meant to rewrite it, revoke the key that writes to this bucket and look at the server; then `offsite ack {id}`. If it was meant: `offsite ack {id} --accept`"
            ),
        };
        self.finding(
            "write-once-changed",
            Severity::Alarm,
            Some((key, identity)),
            advice,
        )
    }

    /// An object that must be signed is not.
    pub(super) fn unsigned(
        &self,
        key: &ObjectKey,
        identity: &Identity,
        proofs: &[Proof],
    ) -> FindingRecord {
        let id = format!("{}-{}", self.source, self.number);
        let unchecked = proofs
            .iter()
            .find(|proof| proof.class == EvidenceClass::Signed);
        let why = match unchecked {
            Some(proof) => format!(
                "{} cannot be checked ({}): the configuration does not name its key, or the object is larger than 1 MiB and was signed without -H",
                crate::object::printable(&proof.name),
                crate::object::printable(&proof.expected),
            ),
            None => format!(
                "the bucket has no {key}.minisig and no signed sums file with a line for it that is as new as the object, or `include` leaves them out"
            ),
        };
        let advice = Advice {
            what: format!("{key} is not signed, and must be"),
            evidence: format!("{why}. It is held in history/, latest/ is as it was"),
            next: format!(
                "if it is yours, sign it on the machine that has the key, and upload the signature: it is let in with that. `offsite ack {id} --accept` lets it in as it is. If it is not yours, revoke the key that writes to this bucket and look at the server; then `offsite ack {id}`"
            ),
        };
        self.finding("unsigned", Severity::Alarm, Some((key, identity)), advice)
    }

    /// Versions have weaker evidence than the owner demands.
    pub(super) fn weaker_evidence(
        &self,
        least: EvidenceClass,
        objects: u64,
        first: &ObjectKey,
    ) -> FindingRecord {
        let advice = Advice {
            what: format!(
                "{objects} objects came with weaker evidence than `{least}`, such as {first}"
            ),
            evidence: format!(
                "`require` demands `{least}`; they are stored as ever. `offsite show KEY` lists what each was compared with"
            ),
            next: format!(
                "change how they are uploaded (the README's table says what proves what), or demand less; then `offsite ack {}-{}`",
                self.source, self.number
            ),
        };
        self.finding("weaker-evidence", Severity::Warning, None, advice)
    }

    /// Bytes contradicted their evidence twice.
    pub(super) fn contradiction(&self, found: &Contradiction) -> FindingRecord {
        let id = format!("{}-{}", self.source, self.number);
        let failed: Vec<String> = found
            .proofs()
            .iter()
            .filter(|proof| proof.verdict == Verdict::Fails)
            .map(|proof| {
                format!(
                    "{} {}",
                    proof.name,
                    crate::object::printable(&proof.expected)
                )
            })
            .collect();
        let advice = Advice {
            what: format!(
                "the bytes that came for {} are not those that the bucket promises",
                found.key()
            ),
            evidence: format!(
                "fetched twice; {} does not hold for {} bytes with SHA-256 {}…. They lie in quarantine/, latest/ is as it was",
                failed.join(", "),
                found.bytes(),
                found.sha256().short(),
            ),
            next: format!(
                "each run asks for it again. If it stays so, the object was damaged on its way or in the bucket, or someone put it there: compare it at its source, then `offsite ack {id}`"
            ),
        };
        self.finding(
            "contradiction",
            Severity::Alarm,
            Some((found.key(), found.identity())),
            advice,
        )
    }

    /// The listing left out objects that are there.
    pub(super) fn listing_omits(&self, omitted: &[ObjectKey], asked: usize) -> FindingRecord {
        let some: Vec<String> = omitted.iter().take(3).map(ToString::to_string).collect();
        let advice = Advice {
            what: format!(
                "the bucket's listing leaves out objects that are there: {} of {asked} asked for, such as {}",
                omitted.len(),
                some.join(", "),
            ),
            evidence: "they were listed before, are missing from this complete listing, and answer a HEAD with 200; they are not taken for deleted".to_owned(),
            next: format!(
                "nothing is lost here, but new backups may be hidden from this copy: compare with another tool, and tell the provider; then `offsite ack {}-{}`",
                self.source, self.number
            ),
        };
        self.finding("listing-omits", Severity::Warning, None, advice)
    }

    /// Keys of which the listing of versions leaves something out.
    pub(super) fn versions_left_out(&self, keys: &[ObjectKey]) -> FindingRecord {
        let some: Vec<String> = keys.iter().take(3).map(ToString::to_string).collect();
        let advice = Advice {
            what: format!(
                "the bucket's listing of versions leaves versions out, of {} at least, such as {}",
                many(keys.len() as u64, "a key", "keys"),
                some.join(", "),
            ),
            evidence: "of every key the bucket calls one version or delete marker the newest (S3 API Reference, ListObjectVersions); of these it showed none, or others alone, while the plain listing shows the key".to_owned(),
            next: format!(
                "what is current comes home by the plain listing, older versions may be missing: tell the provider. `versions = \"current\"` in the [[source]] asks for no older ones; then `offsite ack {}-{}`",
                self.source, self.number
            ),
        };
        self.finding("versions-left-out", Severity::Warning, None, advice)
    }

    /// Versions that are told to be others than they were, under their own ids.
    pub(super) fn version_altered(&self, keys: &[ObjectKey]) -> FindingRecord {
        let some: Vec<String> = keys.iter().take(3).map(ToString::to_string).collect();
        let advice = Advice {
            what: format!(
                "the bucket tells another ETag or length of versions that it told before, of {} at least, such as {}",
                many(keys.len() as u64, "a key", "keys"),
                some.join(", "),
            ),
            evidence: "a version never changes under its version id, and no key can make it: this is the server's own doing. What came home before stays as it is".to_owned(),
            next: format!(
                "`offsite show KEY` tells what it was when it came; ask the provider what became of it; then `offsite ack {}-{}`",
                self.source, self.number
            ),
        };
        self.finding("version-altered", Severity::Warning, None, advice)
    }

    /// Objects that are larger than the owner wants any to be: how many, and their bytes.
    pub(super) fn oversize(
        &self,
        first: &ObjectKey,
        (objects, bytes): (u64, u64),
        most: Option<u64>,
    ) -> FindingRecord {
        let advice = Advice {
            what: format!(
                "{} larger than max_object, and left in the bucket, such as {first}",
                many(objects, "an object is", "objects are")
            ),
            evidence: format!(
                "{bytes} bytes together; [limits] max_object is {} bytes",
                most.unwrap_or_default()
            ),
            next: format!(
                "if they belong to the backups, raise max_object; if not, find out what wrote them; then `offsite ack {}-{}`",
                self.source, self.number
            ),
        };
        self.finding("oversize", Severity::Warning, None, advice)
    }

    /// The listing shows keys that cannot be asked for.
    pub(super) fn strange_keys(&self, strange: &[String]) -> FindingRecord {
        let advice = Advice {
            what: format!(
                "the bucket lists {}, such as {}",
                many(
                    strange.len() as u64,
                    "a name that is no object key",
                    "names that are no object keys"
                ),
                strange.first().map_or("", String::as_str),
            ),
            evidence: "a key is 1 to 1,024 bytes of UTF-8; these are not, and so cannot be fetched"
                .to_owned(),
            next: format!(
                "find out what wrote them; then `offsite ack {}-{}`",
                self.source, self.number
            ),
        };
        self.finding("strange-keys", Severity::Warning, None, advice)
    }
}
