//! Parts of a listing side by side: learnt, used, and given up.

use crate::support::Nights;
use crate::support::nights::SOURCE;
use offsite::demo::bucket::{Faults, Order, Paging};
use offsite::object::SourceName;

/// Pages of two keys, and enough keys for parts.
fn nights() -> Nights {
    let mut nights = Nights::new();
    nights.tuning.page = 2;
    nights.tuning.lists_at_once = 4;
    for n in 0..64 {
        nights.bucket.put(&key(n), n.to_string());
    }
    nights
}

/// In byte order, and also in that of folders.
fn key(n: usize) -> String {
    format!("{}/{n:02}", n / 10)
}

/// A night, and how many pages it asked for.
fn pages(nights: &mut Nights) -> u64 {
    nights.bucket.reset_requests();
    nights.night();
    nights.asked("ListObjectsV2")
}

fn knows_the_order(nights: &Nights) -> bool {
    let source = SourceName::new(SOURCE).unwrap();
    nights.catalogue().byte_order(&source).unwrap()
}

/// 32 pages of two are the whole; each part but the last ends with a page of another's keys.
const WHOLE: u64 = 32;

#[test]
fn parts_are_listed_once_the_order_is_known_and_come_to_the_same() {
    let mut nights = nights();
    assert_eq!(pages(&mut nights), WHOLE + 1, "one more from the middle");
    assert!(knows_the_order(&nights));
    let parts = pages(&mut nights);
    assert!((WHOLE + 1..=WHOLE + 4).contains(&parts), "{parts} pages");

    nights.bucket.put("0/new", "between");
    nights.bucket.put("zz", "after all");
    nights.bucket.put(&key(33), "changed");
    nights.bucket.delete(&key(16));
    let outcome = nights.night();
    let counts = outcome.counts;
    assert_eq!((counts.listed, counts.stored, counts.gone), (65, 3, 1));
    assert_eq!(nights.as_it_was(nights.last()), nights.bucket_now());
    assert_eq!(nights.open_kinds(), [""; 0]);
}

#[test]
fn the_first_contradiction_ends_it_and_nothing_is_lost() {
    let mut nights = nights();
    nights.night();
    let ordered = nights.tree();
    // From now on in the order of folders, and with keys to which that makes a difference.
    nights.faults(Faults {
        order: Order::Tree,
        ..Faults::default()
    });
    for key in ["1!", "1-", "3-x", "5.x"] {
        nights.bucket.put(key, key);
    }
    nights.bucket.delete(&key(50));
    let counts = nights.night().counts;
    assert_eq!((counts.listed, counts.stored, counts.gone), (67, 4, 1));
    assert_eq!(nights.tree().len(), ordered.len() + 4);
    assert!(!knows_the_order(&nights));
    assert_eq!(pages(&mut nights), 34, "whole, and not asked about again");
    assert!(!knows_the_order(&nights));
    assert_eq!(nights.open_kinds(), [""; 0]);
}

#[test]
fn a_short_listing_or_one_without_order_is_not_asked_about() {
    for order in [Order::Tree, Order::Shuffled(3)] {
        let mut nights = nights();
        nights.bucket.put("3-x", "x");
        nights.faults(Faults {
            order,
            ..Faults::default()
        });
        assert_eq!(pages(&mut nights), 33, "{order:?}");
        assert_eq!(pages(&mut nights), 33, "{order:?}");
    }
    let mut nights = nights();
    nights.tuning.page = 10;
    assert_eq!(pages(&mut nights), 7);
    assert!(!knows_the_order(&nights));
}

/// A server that knows the first version of the operation alone begins nowhere but at the start.
#[test]
fn with_the_first_version_of_the_operation_it_is_listed_whole() {
    let mut nights = nights();
    nights.night();
    assert!(knows_the_order(&nights));
    for (paging, second, first) in [
        // One of the second version is asked from the middle, in vain.
        (Paging::FirstVersion, 2, 31),
        (Paging::FirstVersionAlone, 2, 33),
    ] {
        nights.faults(Faults {
            paging,
            ..Faults::default()
        });
        assert_eq!(nights.night().counts.listed, 64);
        assert_eq!(
            (pages(&mut nights), nights.asked("ListObjects")),
            (second, first)
        );
        assert!(!knows_the_order(&nights));
    }
}
