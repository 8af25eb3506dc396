//! What the bucket's own rules delete: said when it is new.

use crate::support::Nights;
use offsite::demo::bucket::Faults;
use offsite::object::{After, Expires, Expiry, Severity};

fn rule(of: Expires, under: &str, days: u32) -> Expiry {
    Expiry {
        of,
        under: under.to_owned(),
        after: After::Days(days),
        keeps: 0,
        only: None,
    }
}

fn first(rules: Vec<Expiry>) -> Nights {
    let mut nights = Nights::new();
    nights.bucket.put("db.age", "x");
    nights.bucket.set_lifecycle(rules);
    nights.night();
    nights
}

#[test]
fn p5_a_rule_that_newly_deletes_is_an_alarm_in_the_same_run() {
    for before in [
        vec![],
        vec![rule(Expires::Current, "", 30)],
        vec![rule(Expires::Current, "db", 10)],
        vec![rule(Expires::Older, "", 10)],
    ] {
        let mut nights = first(before.clone());
        assert_eq!(nights.night().open_alarms, 0, "{before:?}");
        nights
            .bucket
            .set_lifecycle(vec![rule(Expires::Current, "", 10)]);
        assert_eq!(nights.night().open_alarms, 1, "{before:?}");
        let finding = nights.open().pop().unwrap().finding;
        assert_eq!(finding.kind, "lifecycle");
        let what = finding.advice.what;
        assert!(
            what.contains("everything, 10 days after it was written"),
            "{what}"
        );
        assert!(what.contains("from 2026-11-13 on"), "{what}");
        // It stays said, and is not said again; not after it was acknowledged either.
        assert_eq!(nights.night().open_alarms, 1);
        assert_eq!(nights.open_kinds(), ["lifecycle"]);
        nights.ack("www-1", false).unwrap();
        nights.night();
        assert_eq!(nights.open_kinds(), [""; 0]);
    }
}

/// Another rule, while the alarm about the first is open, waits for its turn.
#[test]
fn p5_each_rule_is_said() {
    let mut nights = first(vec![]);
    for (under, open) in [("a", 1), ("b", 1)] {
        nights
            .bucket
            .set_lifecycle(vec![rule(Expires::Older, under, 3)]);
        assert_eq!(nights.night().open_alarms, open);
    }
    nights.ack("www-1", false).unwrap();
    assert_eq!(nights.night().open_alarms, 1);
    let what = nights.open().pop().unwrap().finding.advice.what;
    assert!(
        what.contains("older versions of everything under b, 3 days"),
        "{what}"
    );
}

#[test]
fn what_is_loosened_and_what_was_there_from_the_beginning_is_ordinary() {
    let mut nights = first(vec![rule(Expires::Older, "", 30)]);
    assert_eq!(nights.open_kinds(), [""; 0]);
    for rules in [vec![rule(Expires::Older, "", 40)], vec![]] {
        nights.bucket.set_lifecycle(rules);
        nights.night();
        assert_eq!(nights.open_kinds(), [""; 0]);
    }
    let soon = first(vec![rule(Expires::Older, "", 3)]);
    let open = soon.open();
    assert_eq!(soon.open_kinds(), ["lifecycle-soon"]);
    assert_eq!(open[0].finding.severity, Severity::Warning);
}

/// And what was known stays known.
#[test]
fn a_key_that_may_not_ask_hears_nothing_and_fails_nothing() {
    for fault in ["denied", "missing"] {
        let mut nights = first(vec![]);
        nights
            .bucket
            .set_lifecycle(vec![rule(Expires::Older, "", 3)]);
        nights.bucket.with_faults(|faults| match fault {
            "denied" => faults.denied = vec!["GetBucketLifecycleConfiguration"],
            _ => faults.missing = vec!["GetBucketLifecycleConfiguration"],
        });
        nights.bucket.reset_requests();
        assert_eq!(nights.night().open_alarms, 0, "{fault}");
        assert_eq!(nights.asked("GetBucketLifecycleConfiguration"), 1);
        nights.faults(Faults::default());
        assert_eq!(nights.night().open_alarms, 1, "{fault}");
    }
}

/// The rule that was there when the bucket was first seen may wait for the owner; a new one may not.
#[test]
fn p5_an_open_warning_about_the_first_rules_hides_no_new_one() {
    let mut nights = first(vec![rule(Expires::Older, "tmp/", 3)]);
    assert_eq!(nights.open().len(), 1);
    nights
        .bucket
        .set_lifecycle(vec![rule(Expires::Current, "", 1)]);
    assert_eq!(nights.night().open_alarms, 1);
}
