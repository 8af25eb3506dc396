//! Object lock: what keeps the bucket's own versions from being removed, and who loosens it.

use crate::support::Nights;
use crate::support::nights::ms_after;
use offsite::config::Versions;
use offsite::demo::bucket::{Faults, PutOptions};
use offsite::object::{
    BucketLock, DefaultLock, Lock, LockMode, Retention, StoredVersion, Timestamp,
};

const DAY: i64 = 86_400_000;
const NAME: &str = "db.sql.age";

fn default_of(mode: LockMode, days: u32) -> BucketLock {
    let default = Some(DefaultLock { mode, days });
    BucketLock { on: true, default }
}

/// Each night a new version under one name, locked for so many days.
fn locked(days: u32) -> Nights {
    let mut nights = Nights::new();
    nights
        .bucket
        .set_object_lock(default_of(LockMode::Governance, days));
    for _ in 0..3 {
        tonight(&mut nights);
    }
    assert_eq!(nights.open_kinds(), [""; 0]);
    nights
}

fn tonight(nights: &mut Nights) -> u64 {
    let bytes = format!("of {}", nights.clock.now());
    nights.bucket.put(NAME, bytes);
    nights.night().open_alarms
}

fn until(at: Timestamp) -> Option<Lock> {
    let mode = LockMode::Governance;
    Lock::of(Some(Retention { mode, until: at }), false)
}

/// The locks that are known of the name's versions, newest first.
fn known(nights: &Nights) -> Vec<Option<Lock>> {
    let lock = |version: StoredVersion| version.answer.lock;
    nights.versions(NAME).into_iter().map(lock).collect()
}

/// By its place, 0 for the newest.
fn version_id(nights: &Nights, place: usize) -> String {
    nights.bucket.version_ids(NAME)[place].clone()
}

#[test]
fn the_lock_that_comes_with_the_bytes_is_kept_and_shown() {
    let mut nights = locked(30);
    let told = |place| nights.bucket.lock_of(NAME, &version_id(&nights, place));
    assert_eq!(known(&nights), [told(0), told(1), told(2)]);
    assert!(told(0).unwrap().retention.unwrap().until > ms_after(nights.last(), 29 * DAY));
    let hold = Lock {
        hold: true,
        ..told(0).unwrap()
    };
    let options = PutOptions {
        lock: Some(hold),
        ..PutOptions::default()
    };
    nights.bucket.put_with(NAME, "held", options);
    nights.night();
    assert_eq!(known(&nights)[0], Some(hold));
    let show = nights.offsite(&["show", NAME]);
    assert!(show.stdout.contains("locked"), "{}", show.stdout);
    assert!(
        show.stdout.contains("and by a legal hold"),
        "{}",
        show.stdout
    );
    let ls = nights.offsite(&["ls", "--json"]).json_lines();
    assert_eq!(ls[0]["lock"]["hold"], true);
    assert_eq!(ls[0]["lock"]["retention"]["mode"], "governance");
    // Where nothing is locked, nothing is said.
    let mut plain = Nights::new();
    plain.bucket.put(NAME, "x");
    plain.night();
    assert_eq!(known(&plain), [None]);
    assert!(!plain.offsite(&["show", NAME]).stdout.contains("locked"));
}

#[test]
fn p5_a_lock_that_is_shortened_or_taken_off_is_an_alarm() {
    let tomorrow = |nights: &Nights| until(ms_after(nights.last(), DAY));
    let off = |_: &Nights| None;
    type To = fn(&Nights) -> Option<Lock>;
    for (place, to, words) in [
        (0, tomorrow as To, "now until"),
        (0, off as To, "not any more"),
        // An older version, among few: looked at each night too.
        (2, tomorrow as To, "now until"),
    ] {
        let mut nights = locked(30);
        let (id, to) = (version_id(&nights, place), to(&nights));
        assert!(nights.bucket.set_lock(NAME, &id, to));
        assert_eq!(nights.night().open_alarms, 1);
        assert_eq!(nights.open_kinds(), ["lock-shortened"]);
        let finding = nights.open().pop().unwrap().finding;
        assert!(finding.advice.evidence.contains(words), "{finding:?}");
        assert_eq!(known(&nights)[place], to);
        nights.ack(&finding.id, false).unwrap();
        assert_eq!(nights.night().open_alarms, 0, "said once");
    }
}

#[test]
fn p5_a_legal_hold_that_is_lifted_is_an_alarm() {
    let mut nights = locked(30);
    let id = version_id(&nights, 0);
    let lock = nights.bucket.lock_of(NAME, &id).unwrap();
    nights
        .bucket
        .set_lock(NAME, &id, Some(Lock { hold: true, ..lock }));
    assert_eq!(nights.night().open_alarms, 0, "stronger than before");
    assert!(known(&nights)[0].unwrap().hold);
    nights.bucket.set_lock(NAME, &id, Some(lock));
    assert_eq!(nights.night().open_alarms, 1);
    assert_eq!(nights.open_kinds(), ["lock-shortened"]);
}

#[test]
fn locks_that_are_renewed_or_run_out_are_ordinary_life() {
    let mut nights = locked(7);
    for night in 0..30 {
        if night % 5 == 0 {
            let id = version_id(&nights, 0);
            let longer = until(ms_after(nights.last(), 20 * DAY));
            nights.bucket.set_lock(NAME, &id, longer);
        }
        tonight(&mut nights);
        // The lifecycle removes what is not the newest and not locked.
        for id in nights.bucket.version_ids(NAME).into_iter().skip(1) {
            let lock = nights.bucket.lock_of(NAME, &id).unwrap();
            if !lock.is_in_force(nights.clock.now()) {
                nights.bucket.delete_version(NAME, &id);
            }
        }
        assert!(nights.bucket.version_ids(NAME).len() < 20);
    }
    assert_eq!(nights.open_kinds(), [""; 0]);
    assert_eq!(nights.catalogue().findings(false).unwrap(), []);
}

#[test]
fn p5_a_version_gone_before_its_lock_ended_is_an_alarm() {
    for (mode, words) in [
        (LockMode::Governance, "s3:BypassGovernanceRetention"),
        (LockMode::Compliance, "nobody can do that"),
    ] {
        let mut nights = Nights::new();
        nights.bucket.set_object_lock(default_of(mode, 30));
        for _ in 0..3 {
            tonight(&mut nights);
        }
        let id = version_id(&nights, 1);
        assert!(nights.bucket.delete_version(NAME, &id));
        nights.night();
        assert!(
            nights.open_kinds().contains(&"lock-broken".to_owned()),
            "{:?}",
            nights.open_kinds()
        );
        let mut open = nights.open().into_iter().map(|row| row.finding);
        let finding = open.find(|f| f.kind == "lock-broken").unwrap();
        assert_eq!(finding.key.unwrap().as_str(), NAME);
        assert!(finding.advice.next.contains(words), "{:?}", finding.advice);
        assert_eq!(nights.history(NAME).len(), 2, "what came home stays");
        nights.ack(&finding.id, false).unwrap();
        tonight(&mut nights);
        let kinds = nights.open_kinds();
        assert!(!kinds.contains(&"lock-broken".to_owned()), "{kinds:?}");
    }
}

#[test]
fn a_version_that_goes_once_its_lock_has_ended_is_not_said() {
    let mut nights = locked(7);
    let id = version_id(&nights, 2);
    for _ in 0..6 {
        nights.night();
    }
    nights.bucket.delete_version(NAME, &id);
    nights.night();
    let kinds = nights.open_kinds();
    assert!(!kinds.contains(&"lock-broken".to_owned()), "{kinds:?}");
}

#[test]
fn p5_a_setting_that_is_loosened_is_an_alarm() {
    let bare = BucketLock {
        on: true,
        default: None,
    };
    for (to, words) in [
        (BucketLock::default(), "switched off"),
        (bare, "taken away"),
        (default_of(LockMode::Governance, 29), "from 30 days to 29"),
    ] {
        let mut nights = locked(30);
        nights.bucket.set_object_lock(to);
        assert_eq!(nights.night().open_alarms, 1, "{words}");
        assert_eq!(nights.open_kinds(), ["lock-off"]);
        let finding = nights.open().pop().unwrap().finding;
        assert!(finding.advice.what.contains(words), "{finding:?}");
        nights.ack(&finding.id, false).unwrap();
        assert_eq!(nights.night().open_alarms, 0, "said once");
        nights
            .bucket
            .set_object_lock(default_of(LockMode::Compliance, 60));
        assert_eq!(nights.night().open_alarms, 0, "the other way");
    }
}

/// Whatever is open.
#[test]
fn p5_each_setting_that_is_loosened_is_said() {
    let mut nights = locked(30);
    let less = default_of(LockMode::Governance, 29);
    for (to, open) in [(less, 1), (BucketLock::default(), 2)] {
        nights.bucket.set_object_lock(to);
        assert_eq!(nights.night().open_alarms, open);
    }
}

#[test]
fn a_default_lock_shorter_than_seven_pulls_is_a_warning_once() {
    let mut nights = locked(3);
    tonight(&mut nights);
    assert_eq!(
        nights.open_kinds(),
        [""; 0],
        "how often it pulls is not known yet"
    );
    tonight(&mut nights);
    assert_eq!(nights.open_kinds(), ["lock-too-short"]);
    assert_eq!(nights.offsite(&["status"]).code(), 3);
    nights.ack("www-1", false).unwrap();
    tonight(&mut nights);
    assert_eq!(nights.open_kinds(), [""; 0]);
    nights
        .bucket
        .set_object_lock(default_of(LockMode::Governance, 4));
    tonight(&mut nights);
    assert_eq!(nights.open_kinds(), ["lock-too-short"], "another setting");
    let mut enough = locked(7);
    for _ in 0..5 {
        tonight(&mut enough);
    }
    assert_eq!(enough.open_kinds(), [""; 0]);
}

#[test]
fn a_key_without_the_right_to_ask_hears_of_it_once_and_the_run_is_well() {
    let mut nights = Nights::new();
    nights
        .bucket
        .set_object_lock(default_of(LockMode::Governance, 30));
    nights.faults(Faults {
        denied: vec!["GetObjectLockConfiguration", "GetObjectRetention"],
        locks_hidden: true,
        ..Faults::default()
    });
    for _ in 0..3 {
        assert_eq!(tonight(&mut nights), 0);
    }
    assert_eq!(nights.open_kinds(), [""; 0]);
    let events = nights.catalogue().events(None, 100).unwrap();
    let said = events.iter().filter(|e| e.event.kind == "lock-withheld");
    let said: Vec<_> = said.map(|e| &e.event.text).collect();
    assert_eq!(said.len(), 1);
    assert!(said[0].contains("s3:GetBucketObjectLockConfiguration"));
}

#[test]
fn a_key_that_loses_the_right_to_see_locks_raises_no_alarm() {
    let mut nights = locked(30);
    nights.faults(Faults {
        denied: vec!["GetObjectRetention"],
        locks_hidden: true,
        ..Faults::default()
    });
    for _ in 0..3 {
        assert_eq!(nights.night().open_alarms, 0);
        assert_eq!(nights.open_kinds(), ["locks-hidden"]);
    }
    assert!(
        known(&nights).iter().all(Option::is_some),
        "as it was told last"
    );
    nights.ack("www-1", false).unwrap();
    nights.night();
    assert_eq!(nights.open_kinds(), [""; 0], "said once");
    nights.faults(Faults::default());
    nights.bucket.set_lock(NAME, &version_id(&nights, 0), None);
    assert_eq!(nights.night().open_alarms, 1, "told again");
    // No lock is told, and that is the truth.
    let mut nights = locked(30);
    for id in nights.bucket.version_ids(NAME) {
        nights.bucket.set_lock(NAME, &id, None);
    }
    assert_eq!(nights.night().open_alarms, 1);
}

/// A night without changes asks for no more than eight locks, and each is looked at in the end.
#[test]
fn few_are_looked_at_in_a_night_and_all_by_turns() {
    let mut nights = Nights::new();
    nights
        .bucket
        .set_object_lock(default_of(LockMode::Governance, 300));
    let name = |n: u8| format!("{}/db.sql.age", char::from(b'a' + n));
    for n in 0..20 {
        nights.bucket.put(&name(n), name(n));
        nights.bucket.put(&name(n), format!("{} again", name(n)));
    }
    nights.night();
    for n in 0..20 {
        // The newest of one series, an older version of the next.
        let id = nights.bucket.version_ids(&name(n))[usize::from(n % 2)].clone();
        nights
            .bucket
            .set_lock(&name(n), &id, until(ms_after(nights.last(), 30 * DAY)));
    }
    for _ in 0..16 {
        nights.bucket.reset_requests();
        nights.night();
        let asked = nights.bucket.requests();
        assert_eq!(asked["HeadObject"], 8, "{asked:?}");
        let listing = asked["ListObjectVersions"];
        assert!(asked.values().sum::<u64>() - listing <= 12, "{asked:?}");
    }
    assert_eq!(nights.journalled("locked"), 20, "each is noticed, once");
}

/// More than are asked for one by one.
#[test]
fn p5_many_versions_gone_before_their_locks_ended_are_one_finding() {
    let mut nights = Nights::new();
    nights
        .bucket
        .set_object_lock(default_of(LockMode::Compliance, 30));
    for n in 0..260 {
        nights.bucket.put(NAME, format!("{n}"));
    }
    nights.night();
    for id in nights.bucket.version_ids(NAME).into_iter().skip(1) {
        nights.bucket.delete_version(NAME, &id);
    }
    nights.night();
    let open = nights.open().into_iter().map(|row| row.finding);
    let broken: Vec<_> = open.filter(|f| f.kind == "lock-broken").collect();
    assert_eq!(broken.len(), 1);
    let advice = &broken[0].advice;
    assert!(advice.what.contains("259 versions"), "{advice:?}");
    assert!(advice.evidence.contains("and 254 more"), "{advice:?}");
}

/// Where the current versions alone are listed, their locks are looked at too; that a key is hidden
/// by a delete marker breaks none.
#[test]
fn without_a_listing_of_versions_the_current_ones_are_looked_at() {
    let mut nights = Nights::new();
    nights.source.versions = Versions::Current;
    nights
        .bucket
        .set_object_lock(default_of(LockMode::Compliance, 30));
    for key in [NAME, "other.age"] {
        nights.bucket.put(key, key);
    }
    nights.night();
    nights.bucket.delete("other.age");
    nights.night();
    assert_eq!(nights.open_kinds(), ["deleted"]);
    assert_eq!(nights.asked("GetObjectLockConfiguration"), 0);
    let id = version_id(&nights, 0);
    nights.bucket.set_lock(NAME, &id, None);
    // Something else is told to be locked: the key may see it.
    nights.bucket.put("third.age", "3");
    nights.night();
    nights.night();
    assert_eq!(nights.open_kinds(), ["deleted", "lock-shortened"]);
}

#[test]
fn what_the_owner_leaves_out_is_not_asked_for() {
    let mut nights = locked(30);
    nights.only("", &[], &["db*"]);
    nights.bucket.reset_requests();
    nights.night();
    assert_eq!(nights.asked("HeadObject"), 0);
}

/// Two nights, two locks of the same name: each is said, whatever is open.
#[test]
fn p5_each_lock_that_is_shortened_is_said() {
    let mut nights = locked(30);
    for (place, open) in [(0, 1), (1, 2)] {
        let id = version_id(&nights, place);
        assert!(nights.bucket.set_lock(NAME, &id, None));
        assert_eq!(nights.night().open_alarms, open);
    }
}
