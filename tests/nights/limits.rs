//! What a run leaves for the next one, and says so.

use crate::support::Nights;
use offsite::config::LimitsConfig;
use offsite::outcome::{Ended, Left};

fn limits(max_object: Option<u64>, max_bytes: Option<u64>) -> LimitsConfig {
    LimitsConfig {
        max_object,
        max_bytes,
        ..LimitsConfig::default()
    }
}

#[test]
fn a_run_ends_with_its_budget_and_the_next_goes_on() {
    let mut nights = Nights::new();
    nights.limits = limits(None, Some(1000));
    for n in 0..10 {
        nights.bucket.put(&format!("{n}"), vec![n; 300]);
    }
    let left = |objects| Left {
        objects,
        bytes: objects * 300,
        why: "max_bytes",
    };
    for (stored, ended, left) in [
        (3, Ended::Partial, Some(left(7))),
        (3, Ended::Partial, Some(left(4))),
        (3, Ended::Partial, Some(left(1))),
        (1, Ended::Complete, None),
        (0, Ended::Complete, None),
    ] {
        let outcome = nights.some_night().unwrap();
        assert_eq!((outcome.ended, outcome.left), (ended, left));
        assert_eq!((outcome.counts.stored, outcome.counts.failed), (stored, 0));
    }
    assert_eq!(nights.open_kinds(), [""; 0]);
    assert_eq!(nights.check().problems, []);
}

/// Or it would never come.
#[test]
fn an_object_larger_than_the_budget_comes_alone() {
    let mut nights = Nights::new();
    nights.limits = limits(None, Some(1000));
    nights.bucket.put("a", vec![1; 5000]);
    nights.bucket.put("b", vec![2; 500]);
    let outcome = nights.some_night().unwrap();
    assert_eq!(outcome.left.map(|left| left.objects), Some(1));
    assert_eq!(nights.latest("a").map(|bytes| bytes.len()), Some(5000));
    assert_eq!(nights.night().left, None);
}

/// What is small goes on coming, and what is large has its turn among it.
#[test]
fn small_newcomers_do_not_starve_a_large_object() {
    let mut nights = Nights::new();
    nights.limits = limits(None, Some(1000));
    nights.bucket.put("z-large", vec![1; 3 << 20]);
    nights.bucket.put("a-small", "0");
    nights.some_night().unwrap();
    assert!(nights.latest("z-large").is_some(), "larger than the budget");
    nights.bucket.put("z-next", vec![2; 999]);
    for n in 0..2 {
        nights.bucket.put(&format!("b-{n}"), "n");
        nights.some_night().unwrap();
        assert!(nights.latest(&format!("b-{n}")).is_some());
    }
    assert!(nights.latest("z-next").is_some());
}

/// A snapshot never comes without its packs, whatever the budget is.
#[test]
fn what_names_others_waits_with_them() {
    let mut nights = Nights::new();
    nights.limits = limits(None, Some(1000));
    let name = |bytes: &[u8]| {
        let digest = ring::digest::digest(&ring::digest::SHA256, bytes);
        data_encoding::HEXLOWER.encode(digest.as_ref())
    };
    nights.bucket.put("config", "c");
    for n in 0..4u8 {
        let pack = vec![n; 600];
        let name = name(&pack);
        let folder = name.get(..2).unwrap();
        nights.bucket.put(&format!("data/{folder}/{name}"), pack);
    }
    let snapshot = format!("snapshots/{}", name(b"s"));
    nights.bucket.put(&snapshot, "s");
    let mut partial = 0;
    while nights.some_night().unwrap().ended == Ended::Partial {
        assert_eq!(nights.latest(&snapshot), None, "after {partial} nights");
        partial += 1;
    }
    assert!(partial >= 3, "{partial}");
    assert_eq!(nights.latest(&snapshot).unwrap(), b"s");
}

#[test]
fn p5_what_is_larger_than_the_owner_wants_stays_and_is_said() {
    let mut nights = Nights::new();
    nights.limits = limits(Some(1000), None);
    nights.bucket.put("small", vec![1; 1000]);
    nights.bucket.put("large", vec![2; 1001]);
    for _ in 0..2 {
        let outcome = nights.night();
        assert_eq!((outcome.left, outcome.counts.failed), (None, 0));
        assert_eq!(nights.latest("large"), None);
        assert!(nights.latest("small").is_some());
        assert_eq!(nights.open_kinds(), ["oversize"], "said once");
    }
    nights.limits = LimitsConfig::default();
    nights.night();
    assert!(nights.latest("large").is_some());
}
