//! The same bucket, listed in any way and at any time, comes to the same copy.

use crate::support::Nights;
use crate::support::nights::ms_after;
use offsite::demo::bucket::{Faults, Order, Paging, PutOptions, Versioning};
use offsite::object::{Timestamp, from_ms};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

const KEYS: [&str; 10] = [
    "a",
    "a/b",
    "a-x",
    "b/c/d",
    "b!",
    "b/c",
    "z",
    "é",
    "b/c/e-2026-11-01",
    "A",
];

/// Three nights in which everything ordinary happens.
fn ordinary_life(nights: &mut Nights) {
    for (n, key) in KEYS.into_iter().enumerate() {
        nights.bucket.put(key, vec![n as u8; n + 1]);
    }
    nights.night();
    nights.bucket.put("a", "new");
    nights.bucket.put("b/c/d", "new");
    nights.bucket.put("b", "comes late and is a folder");
    nights.bucket.delete("z");
    nights.night();
    nights.bucket.put("b/c/e-2026-11-01", "changed after a day");
    nights.bucket.put("z", "back");
    nights.bucket.put("z/y", "makes a folder of it");
    nights.night();
}

#[test]
fn every_order_and_page_size_of_a_listing_comes_to_the_same_copy() {
    let mut plain = Nights::new();
    ordinary_life(&mut plain);
    let (tree, findings) = (plain.tree(), plain.open_kinds());
    assert_eq!(tree.len(), 12 + 4, "{:?}", tree.keys());
    assert_eq!(findings, ["deleted", "write-once-changed"]);
    assert_eq!(plain.check().problems, []);
    for (order, paging) in [
        (Order::Byte, Paging::Right),
        (Order::Tree, Paging::Right),
        (Order::Shuffled(1), Paging::Right),
        // ListObjects in its first version.
        (Order::Tree, Paging::FirstVersion),
        (Order::Byte, Paging::FirstVersionAlone),
    ] {
        for page_size in [1, 2, 7, 1000] {
            let mut nights = Nights::new();
            nights.faults(Faults {
                order,
                paging,
                page_size: Some(page_size),
                ..Faults::default()
            });
            ordinary_life(&mut nights);
            assert_eq!(nights.tree(), tree, "{order:?} {page_size}");
            assert_eq!(nights.open_kinds(), findings, "{order:?} {page_size}");
        }
    }
}

#[test]
fn p3_ls_at_shows_each_past_night_as_the_bucket_was() {
    let mut nights = Nights::new();
    let mut past: Vec<(Timestamp, BTreeMap<_, _>)> = Vec::new();
    let mut pass = |nights: &mut Nights| {
        nights.night();
        past.push((nights.last(), nights.bucket_now()));
        for (at, shown) in &past {
            assert_eq!(
                nights.as_it_was(*at),
                *shown,
                "{at} as seen from {}",
                nights.last()
            );
            assert_eq!(nights.as_it_was(ms_after(*at, 3_600_000)), *shown, "{at}");
        }
        let first = past[0].0;
        assert_eq!(nights.as_it_was(ms_after(first, -1)), BTreeMap::new());
    };
    let dated = "d-2026-11-01";
    pass(&mut nights);
    for key in ["a", "b", "c/d", dated] {
        nights.bucket.put(key, format!("{key} 1"));
    }
    pass(&mut nights);
    nights.bucket.put("a", "a 2");
    nights.bucket.delete("b");
    pass(&mut nights);
    nights.bucket.put("b", "b 1"); // the same bytes come back
    nights.bucket.put("c", "a folder's name");
    nights.bucket.put("a", "a 1"); // and older ones
    pass(&mut nights);
    nights
        .bucket
        .put(dated, "held: and still what the bucket showed");
    nights.bucket.delete("c/d");
    pass(&mut nights);
    nights.bucket.put(dated, format!("{dated} 1"));
    nights.bucket.put("c/d", "c/d 2");
    pass(&mut nights);
    for key in nights.bucket.keys() {
        nights.bucket.delete(&key);
    }
    pass(&mut nights);
}

#[test]
fn strange_times_are_kept_and_harm_nothing() {
    let times = [
        -62_135_596_800_000, // the year 1
        -1,
        0,
        951_782_400_000,     // 29 February 2000
        4_102_444_800_000,   // 2100
        253_402_300_799_000, // the end of 9999
    ];
    let mut nights = Nights::new();
    let put = |nights: &Nights, ms: i64, bytes: &str| {
        let options = PutOptions {
            modified: Some(from_ms(ms)),
            ..PutOptions::default()
        };
        nights.bucket.put_with(&format!("at {ms}"), bytes, options);
    };
    for ms in times {
        put(&nights, ms, "first");
    }
    nights.bucket.put("plain", "x");
    nights.night();
    for ms in times {
        put(&nights, ms, "second, of the same time");
    }
    nights.night();
    for ms in times {
        let key = format!("at {ms}");
        assert_eq!(
            nights.latest(&key).unwrap(),
            b"second, of the same time",
            "{ms}"
        );
        assert_eq!(nights.history(&key), [b"first"], "{ms}");
    }
    nights.bucket.reset_requests();
    nights.night();
    assert_eq!(
        nights.asked("GetObject"),
        0,
        "a third night finds nothing new"
    );
    assert_eq!(nights.check().problems, []);
}

/// Sends `change` to the bucket when the first GET arrives, that is, after the listing.
fn at_the_first_get(nights: &Nights, change: impl Fn() + Send + Sync + 'static) {
    let done = AtomicBool::new(false);
    let hook = move |operation: &str, _: Option<&str>| {
        if operation == "GetObject" && !done.swap(true, Ordering::SeqCst) {
            change();
        }
    };
    nights
        .bucket
        .with_faults(|f| f.on_request = Some(Arc::new(hook)));
}

#[test]
fn p2_an_object_that_changes_under_our_hands_is_never_a_mixture() {
    // (bytes of the first, of the second): small, and large enough for ranges.
    for (first, second) in [(10, 10), (10, 20), (3 << 20, 3 << 20), (3 << 20, 2 << 20)] {
        let mut nights = Nights::new();
        nights.bucket.put("k", vec![1; first]);
        let bucket = nights.bucket.clone();
        at_the_first_get(&nights, move || {
            bucket.put("k", vec![2; second]);
        });
        let outcome = nights.night();
        assert_eq!((outcome.counts.stored, outcome.open_alarms), (0, 0));
        assert_eq!(nights.latest("k"), None, "{first} {second}");
        nights.night();
        assert!(
            nights.latest("k").unwrap() == vec![2; second],
            "{first} {second}"
        );
        assert_eq!(nights.open_kinds(), [""; 0]);
    }
}

#[test]
fn an_object_deleted_under_our_hands_is_passed_over() {
    let mut nights = Nights::new();
    nights.bucket.put("k", "x");
    nights.bucket.put("l", "y");
    let bucket = nights.bucket.clone();
    at_the_first_get(&nights, move || {
        bucket.delete("k");
        bucket.delete("l");
    });
    let outcome = nights.night();
    assert_eq!((outcome.counts.stored, outcome.counts.failed), (0, 0));
    assert_eq!(nights.night().counts.listed, 0);
    assert_eq!(nights.check().problems, []);
}

#[test]
fn turning_versioning_on_downloads_nothing() {
    let mut nights = Nights::new();
    for key in KEYS {
        nights.bucket.put(key, key);
    }
    nights.night();
    nights.bucket.set_versioning(Versioning::Enabled);
    nights.bucket.reset_requests();
    let outcome = nights.night();
    assert_eq!((outcome.counts.touched, outcome.open_alarms), (0, 0));
    assert_eq!(nights.asked("GetObject"), 0);
}

/// A proxy says 501 in the middle: that is no end of the listing.
#[test]
fn a_refusal_in_the_middle_of_a_listing_ends_the_run_and_concludes_nothing() {
    let mut nights = Nights::new();
    for key in KEYS {
        nights.bucket.put(key, key);
    }
    nights.tuning.page = 2;
    nights.night();
    let before = nights.tree();
    nights.bucket.put("zz", "new");
    let pages = std::sync::atomic::AtomicUsize::new(0);
    let bucket = nights.bucket.clone();
    nights.bucket.with_faults(|faults| {
        faults.on_request = Some(Arc::new(move |operation: &str, _: Option<&str>| {
            if operation == "ListObjectsV2" && pages.fetch_add(1, Ordering::SeqCst) == 2 {
                bucket.with_faults(|faults| faults.paging = Paging::FirstVersionAlone);
            }
        }));
    });
    let error = nights.some_night().unwrap_err();
    assert!(error.to_string().contains("in the middle: 501"), "{error}");
    assert_eq!(nights.tree(), before);
    nights.faults(Faults::default());
    nights.night();
    assert_eq!(nights.latest("zz").unwrap(), b"new");
}
