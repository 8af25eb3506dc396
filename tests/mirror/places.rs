//! Where another store has the bytes of a version: what a scrub takes them back from.

use crate::support::Nights;
use crate::support::nights::{key, sha256};
use offsite::home::places_of;
use offsite::object::SourceName;
use std::fs;

fn places(nights: &Nights, name: &str, bytes: &str) -> Vec<String> {
    let source = SourceName::new("www").unwrap();
    let digest = sha256(bytes.as_bytes());
    let of = nights.versions(name);
    let version = of.iter().find(|v| v.sha256 == Some(digest)).unwrap();
    let store = (&nights.reader(), &nights.catalogue());
    places_of(store, &source, (&key(name), &version.identity), digest).unwrap()
}

#[test]
fn a_version_is_found_by_its_own_file_and_by_others_with_its_bytes() {
    let mut nights = Nights::new();
    for bytes in ["one", "two", "one"] {
        nights.bucket.put("k.age", bytes);
        nights.night();
    }
    assert_eq!(
        places(&nights, "k.age", "two").len(),
        1,
        "one file has these bytes"
    );
    let both = places(&nights, "k.age", "one");
    assert_eq!(both.len(), 2, "{both:?}");
    assert!(both.contains(&"www/latest/k.age".to_owned()), "{both:?}");
    for path in &both {
        assert_eq!(fs::read(nights.store.path.join(path)).unwrap(), b"one");
    }
    // What is not there is not named, and neither is a link.
    fs::remove_file(nights.store.path.join(&both[0])).unwrap();
    assert_eq!(places(&nights, "k.age", "one"), both[1..]);
    let last = nights.store.path.join(&both[1]);
    fs::remove_file(&last).unwrap();
    std::os::unix::fs::symlink("/etc/hostname", last).unwrap();
    assert_eq!(places(&nights, "k.age", "one"), [""; 0]);
}
