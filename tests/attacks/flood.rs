//! Far too much is written, or names that should do harm.

use crate::drill::Drill;
use offsite::demo::bucket::Faults;
use std::sync::Arc;

#[test]
fn p5_the_bucket_is_flooded() {
    let flood = |d: &mut Drill| {
        d.evening();
        for n in 0..10_000 {
            d.nights.bucket.put(&format!("a/{n}"), "x");
        }
    };
    let drill = Drill::new(false).strike(flood, &["flood"]);
    assert!(drill.nights.latest(&drill.site(-2)).is_some());
}

#[test]
fn p5_names_that_should_escape_are_ordinary_names() {
    let mut drill = Drill::new(false);
    drill.evening();
    for key in [
        "../../etc/cron.d/x",
        "/etc/passwd",
        "a/\u{1b}[2J",
        "%2e%2e/x",
        "latest\0",
    ] {
        let bytes = drill.backup();
        drill.nights.bucket.put(key, bytes);
    }
    drill.nights.night();
    assert_eq!(drill.nights.open_kinds(), [""; 0]);
    let names: Vec<_> = std::fs::read_dir(drill.nights.folder()).unwrap().collect();
    assert_eq!(names.len(), 1, "nothing beside the store");
    assert_eq!(drill.nights.check().problems, []);
}

/// Larger than half of the room that is left.
#[test]
fn p5_one_huge_object_is_written() {
    let huge = |d: &mut Drill| {
        d.evening();
        d.nights.bucket.put("www/a", "a tebibyte, it says");
        let faults = |faults: &mut Faults| faults.huge = Some(Arc::new(|key| key == "www/a"));
        d.nights.bucket.with_faults(faults);
    };
    let drill = Drill::new(false).strike(huge, &["flood"]);
    assert!(drill.nights.latest(&drill.site(-2)).is_some());
    assert_eq!(drill.nights.latest("www/a"), None);
}

#[test]
fn p5_junk_comes_under_the_name_of_a_series() {
    let junk = |d: &mut Drill| {
        d.evening();
        for n in 0..2_000 {
            let bytes = d.backup();
            d.nights
                .bucket
                .put(&format!("www/site-{n:05}-030000utc.tar.age"), bytes);
        }
    };
    let drill = Drill::new(false).strike(junk, &["flood"]);
    assert!(drill.nights.latest(&drill.site(-2)).is_some());
}
