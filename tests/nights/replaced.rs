//! A key shows other bytes than before.

use crate::support::Nights;
use offsite::object::{InBucket, Severity, State};
use offsite::upkeep::Acknowledged;

/// A name that rotates, and one that carries a date.
const ORDINARY: &str = "config/latest.tar.age";
const DATED: &str = "site-2026-11-01.tar.age";

const FIRST: &[u8] = b"the first night's bytes";
const NEWCOMER: &[u8] = b"somebody else's bytes";

#[test]
fn p2_an_ordinary_name_is_replaced_and_the_first_goes_to_history_byte_for_byte() {
    let mut nights = Nights::new();
    nights.bucket.put(ORDINARY, FIRST);
    nights.night();
    nights.bucket.put(ORDINARY, NEWCOMER);
    let outcome = nights.night();
    assert_eq!((outcome.counts.stored, outcome.open_alarms), (1, 0));
    assert_eq!(nights.latest(ORDINARY).unwrap(), NEWCOMER);
    assert_eq!(nights.history(ORDINARY), [FIRST]);
    assert_eq!(
        nights.states(ORDINARY),
        [
            (State::Stored, InBucket::Current),
            (State::Stored, InBucket::Gone)
        ]
    );
    assert_eq!(
        nights.events(ORDINARY),
        [""; 0],
        "ordinary life is no event"
    );
}

/// A store in which the dated key was changed on the third night.
fn with_a_held_newcomer() -> Nights {
    let mut nights = Nights::new();
    nights.bucket.put(DATED, FIRST);
    nights.night();
    nights.night();
    nights.bucket.put(DATED, NEWCOMER);
    let outcome = nights.night();
    assert_eq!((outcome.counts.held, outcome.open_alarms), (1, 1));
    nights
}

#[test]
fn p4_a_write_once_name_that_changes_after_a_day_is_held_and_said_until_acknowledged() {
    let mut nights = with_a_held_newcomer();
    assert_eq!(nights.latest(DATED).unwrap(), FIRST);
    assert_eq!(nights.history(DATED), [NEWCOMER]);
    assert_eq!(nights.versions(DATED)[0].state, State::Held);
    let finding = nights.open().pop().unwrap().finding;
    assert_eq!(finding.kind, "write-once-changed");
    assert_eq!(finding.severity, Severity::Alarm);
    assert_eq!(finding.key.unwrap().as_str(), DATED);
    assert!(finding.advice.next.contains(&format!("ack {}", finding.id)));

    nights.bucket.reset_requests();
    assert_eq!(nights.night().open_alarms, 1, "still said the next night");
    assert_eq!(nights.asked("GetObject"), 0, "and not fetched again");
    assert_eq!(nights.open().len(), 1, "once");

    assert_eq!(
        nights.ack(&finding.id, false).unwrap(),
        Acknowledged::Closed
    );
    assert_eq!(nights.night().open_alarms, 0);
    assert_eq!(nights.latest(DATED).unwrap(), FIRST, "seen is not accepted");
    assert_eq!(nights.history(DATED), [NEWCOMER]);
}

#[test]
fn p4_an_accepted_newcomer_stands_in_latest_and_the_first_in_history() {
    // (acknowledged before it was accepted, what accepting came to)
    for acknowledged_first in [false, true] {
        let mut nights = with_a_held_newcomer();
        let id = nights.open().pop().unwrap().finding.id;
        if acknowledged_first {
            nights.ack(&id, false).unwrap();
        }
        assert_eq!(nights.ack(&id, true).unwrap(), Acknowledged::Accepted);
        let stands = |nights: &Nights| {
            assert_eq!(nights.latest(DATED).unwrap(), NEWCOMER);
            assert_eq!(nights.history(DATED), [FIRST]);
            assert_eq!(
                nights.states(DATED),
                [
                    (State::Stored, InBucket::Current),
                    (State::Stored, InBucket::Gone)
                ]
            );
        };
        stands(&nights);
        assert_eq!(nights.ack(&id, true).unwrap(), Acknowledged::Already);
        let outcome = nights.night();
        assert_eq!((outcome.counts.stored, outcome.open_alarms), (0, 0));
        stands(&nights);
        assert_eq!(nights.check().problems, []);
    }
}

#[test]
fn only_a_finding_that_holds_a_version_back_can_be_accepted() {
    let mut nights = Nights::new();
    nights.bucket.put("k", FIRST);
    nights.night();
    nights
        .bucket
        .with_faults(|f| f.hide = Some(std::sync::Arc::new(|_| true)));
    nights.night();
    let id = nights.open().pop().unwrap().finding.id;
    assert!(nights.ack(&id, true).is_err());
    assert!(nights.ack("www-99", false).is_err());
    assert_eq!(nights.open().len(), 1);
    assert_eq!(nights.ack(&id, false).unwrap(), Acknowledged::Closed);
    assert_eq!(nights.ack(&id, false).unwrap(), Acknowledged::Already);
}

#[test]
fn p4_every_further_newcomer_is_held_and_said_too() {
    let mut nights = with_a_held_newcomer();
    nights.bucket.put(DATED, "a third");
    assert_eq!(nights.night().open_alarms, 2);
    assert_eq!(nights.latest(DATED).unwrap(), FIRST);
    let mut history = nights.history(DATED);
    history.sort();
    assert_eq!(history, [b"a third".as_slice(), NEWCOMER]);
    // The one that was held before comes again: known bytes, no file and no alarm of their own.
    nights.bucket.put(DATED, NEWCOMER);
    let outcome = nights.night();
    assert_eq!((outcome.counts.touched, outcome.open_alarms), (1, 2));
    assert_eq!(nights.history(DATED).len(), 2);
    assert_eq!(nights.versions(DATED)[0].state, State::Held);
}

#[test]
fn p5_the_alarm_stays_when_the_first_bytes_come_back() {
    let mut nights = with_a_held_newcomer();
    nights.bucket.put(DATED, FIRST);
    let outcome = nights.night();
    assert_eq!((outcome.counts.touched, outcome.open_alarms), (1, 1));
    assert_eq!(nights.latest(DATED).unwrap(), FIRST);
    assert_eq!(nights.history(DATED), [NEWCOMER]);
}

#[test]
fn p5_a_job_that_runs_again_within_the_day_replaces_with_a_word() {
    let mut nights = Nights::new();
    nights.bucket.put(DATED, FIRST);
    nights.night();
    nights.bucket.put(DATED, NEWCOMER);
    let outcome = nights.night();
    assert_eq!((outcome.counts.stored, outcome.counts.held), (1, 0));
    assert_eq!(outcome.open_alarms, 0);
    assert_eq!(nights.latest(DATED).unwrap(), NEWCOMER);
    assert_eq!(nights.history(DATED), [FIRST]);
    assert_eq!(nights.events(DATED), ["replaced-within-a-day"]);
    // The day counts from the first of them: a chain of reruns ends.
    nights.bucket.put(DATED, "a third");
    assert_eq!(nights.night().counts.held, 1);
    assert_eq!(nights.latest(DATED).unwrap(), NEWCOMER);
}

#[test]
fn p5_the_same_bytes_uploaded_again_are_a_touch_and_no_alarm() {
    for key in [ORDINARY, DATED] {
        let mut nights = Nights::new();
        nights.bucket.put(key, FIRST);
        nights.night();
        nights.night();
        let before = nights.tree();
        nights.bucket.put(key, FIRST);
        let outcome = nights.night();
        let counts = outcome.counts;
        assert_eq!((counts.touched, counts.stored), (1, 0), "{key}");
        assert_eq!(outcome.open_alarms, 0, "{key}");
        assert_eq!(nights.tree(), before, "no new file for {key}");
        assert_eq!(nights.paths(offsite::store::Area::Incoming), [""; 0]);
        nights.bucket.reset_requests();
        nights.night();
        assert_eq!(nights.asked("GetObject"), 0, "the new identity is known");
    }
}

#[test]
fn p2_old_bytes_under_a_new_identity_stand_in_latest_again() {
    let mut nights = Nights::new();
    for bytes in [FIRST, NEWCOMER, FIRST] {
        nights.bucket.put(ORDINARY, bytes);
        nights.night();
        assert_eq!(nights.latest(ORDINARY).unwrap(), bytes);
    }
    let mut history = nights.history(ORDINARY);
    history.sort();
    assert_eq!(history, [NEWCOMER, FIRST]);
    assert_eq!(nights.check().problems, []);
}

/// The owner removes the newest version of a versioned bucket: the one before is what the bucket
/// shows again, under the identity that it always had.
#[test]
fn p4_a_version_that_is_the_newest_again_stands_in_latest_again() {
    use offsite::demo::bucket::Versioning;
    let mut nights = Nights::new();
    nights.bucket.set_versioning(Versioning::Enabled);
    nights.bucket.put(ORDINARY, FIRST);
    nights.night();
    let poison = nights.bucket.put(ORDINARY, NEWCOMER).unwrap();
    nights.night();
    assert!(nights.bucket.delete_version(ORDINARY, &poison));
    nights.night();
    // No rule of a bucket takes the newest: somebody did, and may not be the owner.
    assert_eq!(nights.open_kinds(), ["purged"]);
    assert_eq!(nights.latest(ORDINARY).unwrap(), FIRST);
    assert_eq!(nights.history(ORDINARY), [NEWCOMER]);
    nights.bucket.reset_requests();
    nights.night();
    assert_eq!(nights.asked("GetObject"), 0, "it is settled");
    assert_eq!(nights.check().problems, []);
}
