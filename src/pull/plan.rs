//! The plan: a listing page, joined with what is known of its keys, gives changes. Pure.

use crate::catalogue::MarkerRow;
use crate::object::{Change, Identity, InBucket, Known, Listed, Marker, ObjectKey, State, Why};
use std::collections::HashMap;

/// What one page of a listing comes to.
#[derive(Debug, Default, PartialEq)]
pub(super) struct PagePlan {
    /// What there is to do.
    pub changes: Vec<Change>,
    /// Rows whose keys the page shows: none of them is missing from the bucket. Of a listing of
    /// versions, those that it shows.
    pub seen: Vec<i64>,
    /// Known versions that the bucket shows otherwise than before.
    pub shown: Vec<(ObjectKey, Identity, InBucket)>,
    /// Keys of which a version has the id of a known one, and another ETag, length or time.
    pub altered: Vec<ObjectKey>,
}

/// Joins a page with the rows known for its keys.
///
/// A row that is `current` and whose key the page shows under another identity was replaced, and
/// is seen all the same: it is recorded as such when the newcomer is.
pub(super) fn plan_page(page: &[Listed], known: &HashMap<ObjectKey, Vec<Known>>) -> PagePlan {
    let mut plan = PagePlan::default();
    for listed in page {
        let rows = known.get(&listed.key).map_or(&[][..], Vec::as_slice);
        let current = rows.iter().filter(|r| r.in_bucket == InBucket::Current);
        plan.seen.extend(current.map(|r| r.id));
        let row = row_of(listed, rows, unnamed);
        plan.changes.extend(change(listed, row, rows.is_empty()));
    }
    plan
}

/// Joins a page of a listing of versions with the rows known for them.
///
/// - A version whose bytes are not here is planned, as what the bucket shows of it.
/// - One that is here and shown as another than before is said: a version is no other one for
///   being replaced, hidden or shown again.
/// - Of the versions without an id a key has one: where the page shows it, the rows of those that
///   it overwrote are no longer there.
pub(super) fn plan_versions(page: &[Listed], known: &HashMap<ObjectKey, Vec<Known>>) -> PagePlan {
    let mut plan = PagePlan::default();
    for listed in page {
        let rows = known.get(&listed.key).map_or(&[][..], Vec::as_slice);
        let row = row_of(listed, rows, answered);
        plan.seen.extend(row.map(|row| row.id));
        plan.changes.extend(change(listed, row, rows.is_empty()));
        if row.is_some_and(|row| is_altered(&row.identity, &listed.identity)) {
            plan.altered.push(listed.key.clone());
        }
        let otherwise = row.filter(|row| {
            row.in_bucket != listed.in_bucket && listed.in_bucket != InBucket::Current
        });
        plan.shown.extend(otherwise.map(|row| {
            let identity = row.identity.clone();
            (row.key.clone(), identity, listed.in_bucket)
        }));
        if listed.identity.version_id.is_some() {
            continue;
        }
        for old in rows.iter().filter(|old| is_overwritten(old, row)) {
            plan.seen.push(old.id);
            // One that was current is replaced when the newcomer is recorded.
            let replaced =
                old.in_bucket == InBucket::Current && listed.in_bucket == InBucket::Current;
            if !replaced {
                let identity = old.identity.clone();
                plan.shown.push((old.key.clone(), identity, InBucket::Gone));
            }
        }
    }
    plan
}

/// Whether a version that has an id is told to have other bytes than it had. Its time says nothing:
/// SeaweedFS tells another one when its lock changes. Versions without an id are told apart by what is
/// told of them.
fn is_altered(known: &Identity, listed: &Identity) -> bool {
    known.version_id.is_some()
        && known.version_id == listed.version_id
        && (&known.etag, known.size) != (&listed.etag, listed.size)
}

/// Whether `old` was the version `null` of its key, and is another than `now`.
fn is_overwritten(old: &Known, now: Option<&Known>) -> bool {
    old.identity.version_id.is_none()
        && old.answered.is_none()
        && old.in_bucket != InBucket::Gone
        && now.is_none_or(|now| now.id != old.id)
}

/// The markers of a page that are not known as they are shown, and the rows of those that are
/// known.
pub(super) fn plan_markers(
    page: Vec<Marker>,
    known: &[Option<MarkerRow>],
) -> (Vec<Marker>, Vec<i64>) {
    let seen = known.iter().flatten().map(|row| row.id).collect();
    let changed = page.into_iter().zip(known).filter(|(marker, row)| {
        row.as_ref()
            .is_none_or(|row| row.marker != *marker || row.missed_at.is_some())
    });
    (changed.map(|(marker, _)| marker).collect(), seen)
}

/// What there is to do about a listed version.
fn change(listed: &Listed, row: Option<&Known>, first: bool) -> Option<Change> {
    let why = match row {
        Some(row) => why_known(listed, row)?,
        None if first => Why::New,
        None => Why::Changed,
    };
    Some(Change {
        why,
        key: listed.key.clone(),
        // The row keeps the one that it has, should the listing tell the time otherwise now.
        identity: row.map_or(&listed.identity, |row| &row.identity).clone(),
        storage_class: listed.storage_class.clone(),
        in_bucket: listed.in_bucket,
    })
}

/// The row of the listed version; the one that is current where identities repeat. `also` knows
/// versions whose id one listing told and the other did not.
fn row_of<'a>(
    listed: &Listed,
    rows: &'a [Known],
    also: fn(&Identity, &Known) -> bool,
) -> Option<&'a Known> {
    rows.iter()
        .filter(|row| row.identity.is(&listed.identity) || also(&listed.identity, row))
        .max_by_key(|row| (row.in_bucket == InBucket::Current, row.id))
}

/// The row is of a listing without ids, and the GET answered this one; or both are the version
/// `null` of an object in parts, whose ETag SeaweedFS tells otherwise in a listing of versions.
fn answered(listed: &Identity, row: &Known) -> bool {
    if row.identity.version_id.is_some() {
        return false;
    }
    if listed.version_id.is_some() {
        return row.answered == listed.version_id;
    }
    let with_its_etag = Identity {
        etag: row.identity.etag.clone(),
        ..listed.clone()
    };
    let in_parts = |etag: &str| etag.contains('-');
    row.answered.is_none()
        && in_parts(&listed.etag)
        && in_parts(&row.identity.etag)
        && with_its_etag.is(&row.identity)
}

/// The row is of a listing with ids, and this one has none.
fn unnamed(listed: &Identity, row: &Known) -> bool {
    let without_id = Identity {
        version_id: None,
        ..row.identity.clone()
    };
    row.identity.version_id.is_some() && without_id.is(listed)
}

/// What there is to do about a version that is known.
fn why_known(listed: &Listed, row: &Known) -> Option<Why> {
    let back = listed.in_bucket == InBucket::Current && row.in_bucket != InBucket::Current;
    match row.state {
        State::Stored | State::Held | State::Skipped => back.then_some(Why::Back),
        State::Archived if archived(listed.storage_class.as_deref()) => back.then_some(Why::Back),
        State::Pending | State::Archived | State::Unreadable | State::Quarantined => {
            Some(Why::Retry)
        }
        State::Expired => None,
    }
}

/// Whether a listed storage class answers no GET without a restore first (S3 User Guide,
/// "Understanding archived objects"; GLACIER_IR answers at once).
pub(super) fn archived(storage_class: Option<&str>) -> bool {
    matches!(storage_class, Some("GLACIER" | "DEEP_ARCHIVE"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::object::{Identity, from_ms};
    use proptest::prelude::*;

    #[test]
    fn a_version_is_altered_when_its_bytes_cannot_be_the_same() {
        let told = |etag: &str, size: u64, at: i64, id: Option<&str>| Identity {
            version_id: id.map(str::to_owned),
            etag: etag.to_owned(),
            size,
            last_modified: from_ms(at),
        };
        let known = told("e", 1, 1, Some("v"));
        for (listed, altered) in [
            (told("e", 1, 1, Some("v")), false),
            (told("e", 1, 9, Some("v")), false),
            (told("f", 1, 1, Some("v")), true),
            (told("e", 2, 1, Some("v")), true),
            (told("f", 2, 1, Some("w")), false),
            (told("f", 2, 1, None), false),
        ] {
            assert_eq!(is_altered(&known, &listed), altered, "{listed:?}");
        }
        let unnamed = told("e", 1, 1, None);
        assert!(!is_altered(&unnamed, &told("f", 2, 1, None)));
    }

    fn identity(n: u64) -> Identity {
        Identity {
            version_id: None,
            etag: format!("e{n}"),
            size: n,
            last_modified: from_ms(0),
        }
    }

    fn listed(key: &str, n: u64, class: Option<&str>) -> Listed {
        Listed {
            key: ObjectKey::new(key).unwrap(),
            identity: identity(n),
            storage_class: class.map(str::to_owned),
            in_bucket: InBucket::Current,
        }
    }

    fn known(id: i64, key: &str, n: u64, state: State, in_bucket: InBucket) -> Known {
        Known {
            id,
            key: ObjectKey::new(key).unwrap(),
            identity: identity(n),
            answered: None,
            state,
            in_bucket,
            sha256: None,
            path: None,
            sums_at: None,
            first_seen: from_ms(0),
        }
    }

    fn join(page: &[Listed], rows: &[Known]) -> PagePlan {
        let mut map: HashMap<ObjectKey, Vec<Known>> = HashMap::new();
        for row in rows {
            map.entry(row.key.clone()).or_default().push(row.clone());
        }
        plan_page(page, &map)
    }

    /// (what we know of the listed version, its class) -> what there is to do.
    #[test]
    fn what_is_done_about_one_object() {
        use InBucket::*;
        use State::*;
        for (row, class, why, seen) in [
            (None, None, Some(Why::New), false),
            (Some((1, Stored, Current)), None, None, true),
            (Some((2, Stored, Current)), None, Some(Why::Changed), true),
            (Some((2, Stored, Gone)), None, Some(Why::Changed), false),
            (Some((1, Stored, Gone)), None, Some(Why::Back), false),
            (Some((1, Held, Current)), None, None, true),
            (Some((1, Skipped, Current)), None, None, true),
            (
                Some((1, Quarantined, Current)),
                None,
                Some(Why::Retry),
                true,
            ),
            (Some((1, Pending, Current)), None, Some(Why::Retry), true),
            (Some((1, Unreadable, Current)), None, Some(Why::Retry), true),
            (Some((1, Archived, Current)), Some("GLACIER"), None, true),
            (
                Some((1, Archived, Current)),
                Some("STANDARD"),
                Some(Why::Retry),
                true,
            ),
            (Some((1, Expired, Current)), None, None, true),
        ] {
            let rows: Vec<Known> = row
                .iter()
                .map(|(n, state, in_bucket)| known(7, "k", *n, *state, *in_bucket))
                .collect();
            let plan = join(&[listed("k", 1, class)], &rows);
            assert_eq!(
                plan.changes.first().map(|c| c.why),
                why,
                "{row:?} {class:?}"
            );
            assert_eq!(plan.seen == [7], seen, "{row:?} {class:?}");
        }
    }

    #[test]
    fn an_old_identity_that_returns_is_back() {
        let rows = [
            known(1, "k", 1, State::Stored, InBucket::Gone),
            known(2, "k", 2, State::Stored, InBucket::Current),
        ];
        let plan = join(&[listed("k", 1, None)], &rows);
        assert_eq!(plan.changes[0].why, Why::Back);
        assert_eq!(plan.seen, [2]);
    }

    proptest! {
        /// Against a naive model: whatever the order and size of pages, what is planned is
        /// exactly the listed versions that are not known as stored and current, and what stays
        /// unseen is exactly the current rows whose keys are not listed.
        #[test]
        fn pages_in_any_order_come_to_the_same(
            bucket in proptest::collection::btree_map(0u8..40, 0u64..4, 0..30),
            rows in proptest::collection::btree_map(0u8..40, 0u64..4, 0..30),
            size in 1usize..7,
            turn in 0usize..40,
        ) {
            let mut page: Vec<Listed> = bucket.iter().map(|(k, n)| listed(&format!("k{k}"), *n, None)).collect();
            let at = turn % page.len().max(1);
            page.rotate_left(at);
            let rows: Vec<Known> = rows
                .iter()
                .map(|(k, n)| known(i64::from(*k), &format!("k{k}"), *n, State::Stored, InBucket::Current))
                .collect();
            let (mut changed, mut seen) = (Vec::new(), Vec::new());
            for part in page.chunks(size) {
                let plan = join(part, &rows);
                changed.extend(plan.changes.iter().map(|c| (c.key.clone(), c.identity.clone(), c.why)));
                seen.extend(plan.seen);
            }
            changed.sort_by(|a, b| a.0.cmp(&b.0));
            seen.sort_unstable();
            let mut expected = Vec::new();
            let mut expected_seen = Vec::new();
            for object in &page {
                let row = rows.iter().find(|r| r.key == object.key);
                if let Some(row) = row { expected_seen.push(row.id); }
                match row {
                    None => expected.push((object.key.clone(), object.identity.clone(), Why::New)),
                    Some(row) if row.identity != object.identity => {
                        expected.push((object.key.clone(), object.identity.clone(), Why::Changed));
                    }
                    Some(_) => {}
                }
            }
            expected.sort_by(|a, b| a.0.cmp(&b.0));
            expected_seen.sort_unstable();
            prop_assert_eq!(changed, expected);
            prop_assert_eq!(seen, expected_seen);
        }
    }
}
