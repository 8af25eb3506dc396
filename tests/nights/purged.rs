//! Older versions that the bucket holds no more, or tells otherwise: what its rules take, and what is
//! said in the same run.

use crate::support::Nights;
use offsite::demo::bucket::Versioning;
use offsite::object::Severity;
use std::sync::Arc;

const KEY: &str = "config/latest.tar.age";

/// So many nights of a job that writes `KEY` anew, under a rule that leaves `keep` older versions.
fn kept(count: usize, keep: usize) -> Nights {
    let mut nights = Nights::new();
    nights.bucket.set_versioning(Versioning::Enabled);
    for night in 0..count {
        rotate(&mut nights, night, keep);
        assert_eq!(nights.open_kinds(), [""; 0], "night {night}");
    }
    nights
}

fn rotate(nights: &mut Nights, night: usize, keep: usize) -> u64 {
    nights.bucket.put(KEY, format!("of night {night}"));
    remove(nights, keep + 1);
    nights.night().open_alarms
}

/// Removes every version for good that has so many newer ones.
fn remove(nights: &Nights, newer: usize) {
    for id in nights.bucket.version_ids(KEY).into_iter().skip(newer) {
        assert!(nights.bucket.delete_version(KEY, &id));
    }
}

#[test]
fn p5_a_rule_is_learnt_and_what_it_would_not_take_is_an_alarm() {
    let mut nights = kept(20, 6);
    nights.bucket.put(KEY, "tonight");
    remove(&nights, 4);
    assert_eq!(nights.night().open_alarms, 1);
    let advice = nights.open().pop().unwrap().finding.advice;
    assert!(
        advice.what.starts_with("4 versions were removed"),
        "{}",
        advice.what
    );
    assert!(
        advice.evidence.contains("4 gone, 4 left; some had been replaced only 3 days before, where it usually takes 6 days"),
        "{}",
        advice.evidence
    );
    assert_eq!(nights.history(KEY).len(), 20, "all of them stay");
    // It stays said, and is not said again.
    assert_eq!(nights.night().open_alarms, 1);
    assert_eq!(nights.offsite(&["status"]).code(), 4);
    assert_eq!(nights.check().problems, []);
}

#[test]
fn what_the_owner_acknowledges_is_what_the_bucket_does_from_then_on() {
    let mut nights = kept(20, 9);
    let mut alarms = Vec::new();
    // Cleared each week, and nothing left.
    for night in 20..48 {
        nights.bucket.put(KEY, format!("of night {night}"));
        if night % 7 == 6 {
            remove(&nights, 1);
        }
        nights.night();
        for row in nights.open() {
            assert_eq!(row.finding.kind, "purged");
            alarms.push(night);
            nights.ack(&row.finding.id, false).unwrap();
        }
    }
    assert_eq!(alarms, [20], "once");
}

/// Deleted and open as an alarm: what follows is no rule's ordinary work.
#[test]
fn p5_what_was_deleted_and_is_purged_later_is_said_until_the_deletion_is_acknowledged() {
    for acknowledged in [false, true] {
        let mut nights = kept(3, 9);
        nights.bucket.put("other", "stays");
        nights.bucket.delete(KEY);
        nights.night();
        assert_eq!(nights.open_kinds(), ["deleted"]);
        if acknowledged {
            nights.ack("www-1", false).unwrap();
        }
        nights.bucket.purge(KEY);
        nights.night();
        let expected: &[&str] = match acknowledged {
            false => &["deleted", "purged"],
            true => &[],
        };
        assert_eq!(nights.open_kinds(), expected);
    }
}

/// A version never changes under its id: a server that says so is wrong, whoever holds which key.
#[test]
fn p5_a_version_that_is_told_otherwise_is_a_warning_and_moves_nothing() {
    let mut nights = kept(3, 9);
    let before = nights.tree();
    nights
        .bucket
        .with_faults(|faults| faults.shorter = Some(Arc::new(|key| key == KEY)));
    let counts = nights.night().counts;
    assert_eq!((counts.stored, counts.gone), (0, 0));
    assert_eq!(nights.open_kinds(), ["version-altered"]);
    let finding = nights.open().pop().unwrap().finding;
    assert_eq!(finding.severity, Severity::Warning);
    assert!(finding.advice.what.contains(KEY), "{}", finding.advice.what);
    nights.night();
    assert_eq!(nights.open_kinds(), ["version-altered"], "said once");
    assert!(nights.tree() == before);
}

/// What goes while an alarm about the same key is open is said as well, with all that goes with it.
#[test]
fn p5_each_purge_is_said_and_teaches_nothing() {
    let mut nights = kept(1, 99);
    for night in 1..12 {
        nights
            .bucket
            .put("site.tar.age", format!("of night {night}"));
        rotate(&mut nights, night, 99);
    }
    assert_eq!(nights.open_kinds(), [""; 0]);
    // The newest of the older ones, and then two more of them with one of another series.
    let ids = nights.bucket.version_ids(KEY);
    assert!(nights.bucket.delete_version(KEY, &ids[1]));
    assert_eq!(nights.night().open_alarms, 1);
    assert!(nights.bucket.delete_version(KEY, &ids[2]));
    assert!(nights.bucket.delete_version(KEY, &ids[3]));
    let other = nights.bucket.version_ids("site.tar.age");
    assert!(nights.bucket.delete_version("site.tar.age", &other[1]));
    assert_eq!(nights.night().open_alarms, 2);
    let said = nights.open().into_iter();
    assert!(
        said.map(|row| row.finding.advice.evidence)
            .any(|evidence| evidence.contains("site.tar.age"))
    );
}

/// What the owner has seen is not said again while nothing is added to it.
#[test]
fn what_the_owner_has_seen_of_altered_versions_is_not_said_again() {
    let mut nights = kept(3, 9);
    nights
        .bucket
        .with_faults(|faults| faults.shorter = Some(Arc::new(|key| key == KEY)));
    nights.night();
    assert_eq!(nights.open_kinds(), ["version-altered"]);
    nights.ack("www-1", false).unwrap();
    nights.night();
    assert_eq!(nights.open_kinds(), [""; 0]);
}
