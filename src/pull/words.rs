//! The findings that a pull itself makes, in words: what happened, how we know, what to do.

use crate::digest::Contradiction;
use crate::object::{
    Advice, EventRecord, FindingRecord, Identity, Known, ObjectKey, Severity, Sha256, Timestamp,
    Verdict,
};
use jiff::SignedDuration;

/// What a finding is called that says so; while the catalogue has one, ETags count for nothing.
pub(super) const OPAQUE_ETAGS: &str = "opaque-etags";

/// Where a finding belongs and when it was made.
pub(super) struct Frame<'a> {
    pub(super) source: &'a str,
    pub(super) number: u64,
    pub(super) at: Timestamp,
}

impl Frame<'_> {
    fn finding(
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

    /// Objects that are larger than the owner wants any to be: how many, and their bytes.
    pub(super) fn oversize(
        &self,
        first: &ObjectKey,
        (objects, bytes): (u64, u64),
        most: Option<u64>,
    ) -> FindingRecord {
        let advice = Advice {
            what: format!(
                "{objects} objects are larger than max_object and stay in the bucket, such as {first}"
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
                "the bucket lists {} names that are no object keys, such as {}",
                strange.len(),
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

/// A write-once key changed within a day: most likely a job that was run again.
pub(super) fn replaced_within_a_day(key: &ObjectKey, at: Timestamp) -> EventRecord {
    EventRecord {
        kind: "replaced-within-a-day".to_owned(),
        key: Some(key.clone()),
        text: "a name that is written once changed within a day of its first appearance, as when a job is run again; the first is in history/".to_owned(),
        at,
    }
}

/// An object cannot be read with our key.
pub(super) fn unreadable(key: &ObjectKey, why: &str, at: Timestamp) -> EventRecord {
    EventRecord {
        kind: "unreadable".to_owned(),
        key: Some(key.clone()),
        text: why.to_owned(),
        at,
    }
}

/// Bytes that had been in quarantine came right.
pub(super) fn came_right(key: &ObjectKey, at: Timestamp) -> EventRecord {
    EventRecord {
        kind: "came-right".to_owned(),
        key: Some(key.clone()),
        text: "bytes that agree with their evidence came at last; those in quarantine/ stay there"
            .to_owned(),
        at,
    }
}

/// A file that came later says of stored objects that their bytes are other ones: with each of
/// `disputed` the digest that it gives. Of one it is said by its name, of many together.
pub(super) fn disputed(
    by: &ObjectKey,
    disputed: &[(ObjectKey, String)],
    at: Timestamp,
) -> Option<EventRecord> {
    let (first, digest) = disputed.first()?;
    let (key, text) = match disputed.len() {
        1 => (
            first,
            format!(
                "{by} came later and says that these bytes are other ones, with the digest {digest}; they were proven before and stay as they are"
            ),
        ),
        objects => (
            by,
            format!(
                "it came later and says of {objects} stored objects that their bytes are other ones, such as {first}; they were proven before and stay as they are"
            ),
        ),
    };
    Some(EventRecord {
        kind: "disputed".to_owned(),
        key: Some(key.clone()),
        text,
        at,
    })
}
