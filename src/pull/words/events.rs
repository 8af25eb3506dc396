//! The events that a pull itself makes, in words: what happened, and is nothing to act on.

use crate::error::Error;
use crate::object::{EventRecord, ObjectKey, Timestamp};

/// Older versions cannot be listed.
pub(in crate::pull) const VERSIONS_REFUSED: &str = "versions-refused";
/// They can be again.
pub(in crate::pull) const VERSIONS_LISTED: &str = "versions-listed";
/// They can be listed, and not read.
pub(in crate::pull) const VERSIONS_WITHHELD: &str = "versions-withheld";

/// A write-once key changed within a day: most likely a job that was run again.
pub(in crate::pull) fn replaced_within_a_day(key: &ObjectKey, at: Timestamp) -> EventRecord {
    EventRecord {
        kind: "replaced-within-a-day".to_owned(),
        key: Some(key.clone()),
        text: "a name that is written once changed within a day of its first appearance, as when a job is run again; the first is in history/".to_owned(),
        at,
    }
}

/// Older versions cannot be listed; from now on the current ones are.
pub(in crate::pull) fn versions_refused(why: &str, at: Timestamp) -> EventRecord {
    EventRecord {
        kind: VERSIONS_REFUSED.to_owned(),
        key: None,
        text: format!(
            "only what is current comes home; older versions, if there are any, cannot be listed: {why}"
        ),
        at,
    }
}

/// They can be again.
pub(in crate::pull) fn versions_listed(at: Timestamp) -> EventRecord {
    EventRecord {
        kind: VERSIONS_LISTED.to_owned(),
        key: None,
        text: "every version that the bucket holds is listed again, and comes home".to_owned(),
        at,
    }
}

/// Older versions are listed and cannot be read.
pub(in crate::pull) fn versions_withheld(why: &Error, at: Timestamp) -> EventRecord {
    EventRecord {
        kind: VERSIONS_WITHHELD.to_owned(),
        key: None,
        text: format!(
            "older versions are listed and stay in the bucket: {why}; {}",
            why.way_out().unwrap_or("this key may not read them")
        ),
        at,
    }
}

/// An object cannot be read with our key.
pub(in crate::pull) fn unreadable(key: &ObjectKey, why: &str, at: Timestamp) -> EventRecord {
    EventRecord {
        kind: "unreadable".to_owned(),
        key: Some(key.clone()),
        text: why.to_owned(),
        at,
    }
}

/// Bytes that had been in quarantine came right.
pub(in crate::pull) fn came_right(key: &ObjectKey, at: Timestamp) -> EventRecord {
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
pub(in crate::pull) fn disputed(
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

/// The signature came for whose lack a version was held.
pub(in crate::pull) fn signed_late(key: &ObjectKey, at: Timestamp) -> EventRecord {
    EventRecord {
        kind: "signed-late".to_owned(),
        key: Some(key.clone()),
        text: "its signature came later, and holds: the held version is let into latest/"
            .to_owned(),
        at,
    }
}
