//! A bucket that locks every version for thirty days.

use crate::drill::{DAY, Drill, ROTATING};
use crate::support::nights::ms_after;
use offsite::object::{Lock, LockMode, Retention};

#[test]
fn p5_a_lock_is_shortened() {
    let shorten = |d: &mut Drill| {
        d.evening();
        let key = d.site(-1);
        let id = d.nights.bucket.version_ids(&key)[0].clone();
        let (mode, until) = (LockMode::Governance, ms_after(d.nights.last(), 2 * DAY));
        let lock = Lock::of(Some(Retention { mode, until }), false);
        assert!(d.nights.bucket.set_lock(&key, &id, lock));
    };
    let drill = Drill::locked().strike(shorten, &["lock-shortened"]);
    assert_eq!(drill.nights.open().len(), 1, "and said once");
}

/// Of a name that is written anew each night, an older version: nothing else shows that it went.
#[test]
fn p5_a_lock_is_broken_and_a_version_gone_before_its_end() {
    let purge = |d: &mut Drill| {
        d.evening();
        d.purge(ROTATING, |n| n == 9);
    };
    let drill = Drill::locked().strike(purge, &["purged", "lock-broken"]);
    assert_eq!(
        drill.nights.history(ROTATING).len(),
        31,
        "every version is here"
    );
}
