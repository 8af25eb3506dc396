//! The server lies, or others write while it is read.

use crate::drill::{Drill, ROTATING};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

#[test]
fn p5_a_listing_omits_half_the_keys() {
    let mut drill = Drill::new(false);
    let (before, keys) = (drill.kept(), drill.nights.bucket.keys());
    drill.nights.bucket.with_faults(|faults| {
        faults.hide = Some(std::sync::Arc::new(move |key| {
            keys.iter()
                .position(|other| other == key)
                .is_some_and(|at| at % 2 == 0)
        }));
    });
    drill.nights.night();
    assert_eq!(drill.nights.open_kinds(), ["listing-omits"]);
    assert_eq!(drill.nights.offsite(&["status"]).code(), 3);
    assert!(drill.kept() == before);
}

/// A second program writes, overwrites and deletes while we list and fetch: nothing is lost, nothing is
/// said, and the next quiet night is complete.
#[test]
fn p5_others_write_during_the_pull() {
    for versioning in [false, true] {
        let mut drill = Drill::new(versioning);
        drill.nights.tuning.page = 10;
        for _ in 0..4 {
            busy(&mut drill);
            drill.nights.some_night().unwrap();
            drill
                .nights
                .bucket
                .with_faults(|faults| faults.on_request = None);
        }
        drill.evening();
        drill.nights.night();
        assert_eq!(drill.nights.open_kinds(), [""; 0], "{versioning}");
        for (key, digest) in drill.nights.bucket_now() {
            assert!(drill.kept()[&key].contains(&digest), "{key}");
            let latest = drill.nights.latest(&key).unwrap();
            assert_eq!(crate::support::nights::sha256(&latest), digest, "{key}");
        }
        if versioning {
            let versions = drill.nights.bucket.version_ids(ROTATING).len();
            assert_eq!(drill.nights.history(ROTATING).len() + 1, versions);
        }
        assert_eq!(drill.nights.check().problems, []);
    }
}

/// From now on each request of ours finds the bucket changed.
fn busy(drill: &mut Drill) {
    let (site, database, old) = (drill.site(0), drill.database(0), drill.database(-14));
    let bytes: Vec<Vec<u8>> = (0..60).map(|_| drill.backup()).collect();
    let (bucket, turn) = (drill.nights.bucket.clone(), AtomicUsize::new(0));
    let hook = move |_: &str, _: Option<&str>| {
        let turn = turn.fetch_add(1, Ordering::Relaxed);
        let Some(bytes) = bytes.get(turn).cloned() else {
            return;
        };
        match turn {
            2 => drop(bucket.put(&site, bytes)),
            4 => drop(bucket.put(&database, bytes)),
            5 => drop(bucket.delete(&old)),
            _ if turn % 3 == 0 => drop(bucket.put(ROTATING, bytes)),
            _ if turn % 3 == 1 => drop(bucket.put("tmp/lock", bytes)),
            _ => drop(bucket.delete("tmp/lock")),
        }
    };
    let faults = |faults: &mut offsite::demo::bucket::Faults| {
        faults.on_request = Some(Arc::new(hook));
    };
    drill.nights.bucket.with_faults(faults);
}
