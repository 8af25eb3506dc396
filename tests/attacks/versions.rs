//! A bucket that keeps versions: what was replaced there is not safe there.

use crate::drill::{Drill, ROTATING, dated_stays};
use offsite::demo::bucket::{Faults, Versioning};
use offsite::object::{After, Expires, Expiry};

#[test]
fn p4_versioning_is_suspended_and_all_is_overwritten() {
    let drill = Drill::new(true);
    let key = drill.site(-3);
    let old = drill.nights.latest(&key).unwrap();
    let suspend = |d: &mut Drill| {
        d.nights.bucket.set_versioning(Versioning::Suspended);
        d.evening();
        let junk = d.backup();
        d.nights.bucket.put(&key, junk);
    };
    let drill = drill.strike(suspend, &["versioning-off", "write-once-changed"]);
    dated_stays(&drill, &key, &old);
}

#[test]
fn p5_old_versions_are_purged_after_thirty_nights() {
    let old = |d: &mut Drill| {
        let mut keys = d.nights.bucket.keys();
        keys.extend((-30..-14).map(|shift| d.database(shift)));
        for key in keys {
            d.purge(&key, |n| n > 0);
        }
        d.evening();
    };
    let drill = Drill::new(true).strike(old, &["purged"]);
    let advice = drill.nights.open().remove(0).finding.advice;
    assert!(
        advice
            .evidence
            .contains(&format!("{ROTATING}: 29 gone, 2 left")),
        "{}",
        advice.evidence
    );
    assert!(
        advice
            .evidence
            .contains("Of these versions 29 are kept here"),
        "{}",
        advice.evidence
    );
    assert!(advice.next.contains("offsite show config/latest"));
}

#[test]
fn p4_a_backup_is_overwritten_and_the_old_version_purged() {
    let dated = Drill::new(true);
    let key = dated.site(-3);
    let old = dated.nights.latest(&key).unwrap();
    let replaced = |d: &mut Drill| {
        let junk = d.backup();
        d.nights.bucket.put(&key, junk);
        d.purge(&key, |n| n == 1);
        d.evening();
    };
    let dated = dated.strike(replaced, &["purged", "write-once-changed"]);
    dated_stays(&dated, &key, &old);

    let rotating = |d: &mut Drill| {
        d.evening();
        d.purge(ROTATING, |n| n == 1);
    };
    let drill = Drill::new(true).strike(rotating, &["purged"]);
    assert_eq!(drill.nights.history(ROTATING).len(), 31);
}

/// The newest goes, and what was there before is what a GET answers.
#[test]
fn p4_a_backup_is_rolled_back() {
    let back = |d: &mut Drill| d.purge(ROTATING, |n| n == 0);
    let drill = Drill::new(true);
    let newest = drill.nights.latest(ROTATING).unwrap();
    let drill = drill.strike(back, &["purged"]);
    assert!(drill.nights.history(ROTATING).contains(&newest));
}

/// The bucket's own rule is to do it.
#[test]
fn p5_a_rule_is_made_that_deletes_everything() {
    let rule = |d: &mut Drill| {
        d.evening();
        d.nights.bucket.set_lifecycle(vec![Expiry {
            of: Expires::Current,
            under: String::new(),
            after: After::Days(1),
            keeps: 0,
            only: None,
        }]);
    };
    Drill::new(true).strike(rule, &["lifecycle"]);
}

#[test]
fn p5_all_is_hidden_and_purged_a_night_later() {
    let mut drill = Drill::new(true);
    let keys = drill.nights.bucket.keys();
    for key in &keys {
        drill.nights.bucket.delete(key);
    }
    drill.nights.night();
    assert_eq!(drill.nights.open_kinds(), ["deleted"]);
    let purged = |d: &mut Drill| {
        for key in keys {
            d.nights.bucket.purge(&key);
        }
        d.evening();
    };
    drill.strike(purged, &["deleted", "purged"]);
}

/// Our key is refused what would show it; the night it may look again, it is an alarm.
#[test]
fn p5_the_right_to_look_is_taken_and_versions_are_purged() {
    let mut drill = Drill::new(true);
    let before = drill.kept();
    drill.nights.faults(Faults {
        denied: vec!["ListObjectVersions"],
        ..Faults::default()
    });
    drill.evening();
    drill.purge(ROTATING, |n| (1..20).contains(&n));
    drill.nights.night();
    assert_eq!(drill.nights.open_kinds(), ["versions-hidden"]);
    assert_eq!(drill.nights.offsite(&["status"]).code(), 3);
    let after = drill.kept();
    for (key, bytes) in before {
        assert!(bytes.iter().all(|one| after[&key].contains(one)), "{key}");
    }
    drill.nights.faults(Faults::default());
    drill.strike(Drill::evening, &["versions-hidden", "purged"]);
}
