//! A version that the catalogue knew without bytes gets them: what the bucket shows of it does not change
//! with that.

use crate::object::{Fact, InBucket, StoredVersion};

/// What is said of it where its bytes are placed: the row keeps its times where the bucket shows something
/// else by now.
pub fn shown_when_placed(in_bucket: InBucket) -> InBucket {
    match in_bucket {
        InBucket::Current => InBucket::Current,
        _ => InBucket::Noncurrent,
    }
}

/// What is said after that: placing it so says that the bucket shows it as an older version, and what it
/// did show, as the row was before, is said again.
pub fn shown_as_before(row: &StoredVersion) -> Option<Fact> {
    let (key, identity) = (row.key.clone(), row.identity.clone());
    let at = row.missed_at.unwrap_or(row.first_seen);
    match row.in_bucket {
        InBucket::Current | InBucket::Noncurrent => None,
        InBucket::Gone => Some(Fact::Gone { key, identity, at }),
        InBucket::Hidden => Some(Fact::Shown {
            key,
            identity,
            in_bucket: InBucket::Hidden,
            at,
        }),
    }
}
