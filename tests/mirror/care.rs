//! Each store says what its own drive did, and nothing of the other one's.

use crate::support::Nights;
use crate::{at, mirror, mirror_of};
use offsite::catalogue::{Catalogue, FindingRow};
use offsite::config::StoreConfig;
use offsite::home::Home;
use offsite::object::Clock;
use offsite::upkeep::acknowledge;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

fn nights() -> Nights {
    let mut nights = Nights::new();
    for bytes in ["first.", "second"] {
        nights.bucket.put("daily.age", bytes);
        nights.bucket.put("other.age", "stays.");
        nights.night();
    }
    mirror(&nights, &[]).exits(0);
    nights
}

/// The open findings of a store.
fn open(store: &Path) -> Vec<FindingRow> {
    let catalogue = Catalogue::open_read(&store.join("catalogue.db")).unwrap();
    catalogue.findings(true).unwrap()
}

/// Their kinds, in order.
fn kinds(store: &Path) -> Vec<String> {
    let mut kinds: Vec<_> = open(store).into_iter().map(|f| f.finding.kind).collect();
    kinds.sort();
    kinds
}

/// Acknowledges all that is open in a store.
fn ack_all(store: &Path) {
    let config = StoreConfig {
        path: store.to_owned(),
        id: None,
        min_free: 0,
        allow_root_fs: true,
    };
    for row in open(store) {
        let mut home = Home::open(&config, Clock::System).unwrap();
        acknowledge(&mut home, &Clock::System, &row.finding.id, None, false).unwrap();
        home.close().unwrap();
    }
}

/// What a scrub says of damage, the damage, and the exit code.
type Harm = (&'static str, fn(&Path), i32);

/// Both stores have their files under the same names, so that all
/// it says is the same.
const HARMS: [Harm; 3] = [
    (
        "rot",
        |www| fs::remove_file(www.join("latest/other.age")).unwrap(),
        7,
    ),
    (
        "read-errors",
        |www| {
            fs::rename(www.join("history"), www.with_file_name("away")).unwrap();
            symlink("../away", www.join("history")).unwrap();
        },
        7,
    ),
    (
        "unknown-files",
        |www| fs::write(www.join("latest/stranger"), "x").unwrap(),
        3,
    ),
];

#[test]
fn the_damage_of_one_store_is_not_said_of_the_other_and_hides_none() {
    for (kind, harm, code) in HARMS {
        let nights = nights();
        let third = nights.folder().join("third");
        let stores = [nights.store.path.clone(), mirror_of(&nights), third.clone()];
        let follow = || {
            mirror(&nights, &[]).exits(0);
            let args = ["mirror", "--allow-root-fs", "--to", third.to_str().unwrap()];
            at(&stores[1], &args).exits(0);
        };
        for (number, store) in stores.iter().enumerate() {
            follow();
            assert!(!kinds(store).contains(&kind.to_owned()), "{kind}");
            harm(&store.join("www"));
            for _ in 0..2 {
                at(store, &["scrub", "--all"]).exits(code);
                let said = kinds(store);
                let times = said.iter().filter(|said| *said == kind).count();
                assert_eq!(times, 1, "{kind} of store {number}: {said:?}");
            }
        }
        // Nor does the owner's word about one store's damage close that of another.
        for (number, store) in stores.iter().take(2).enumerate() {
            ack_all(store);
            follow();
            let said = stores.each_ref().map(|store| kinds(store).len());
            let open = said.iter().filter(|said| **said > 0).count();
            assert_eq!(open, 2 - number, "{kind}: {said:?}");
        }
    }
}

/// What healed there is nothing that happened here.
#[test]
fn what_was_healed_in_the_first_store_is_not_told_of_the_mirror() {
    let nights = nights();
    fs::remove_file(nights.shelf().join("latest/other.age")).unwrap();
    let from = mirror_of(&nights);
    let args = ["scrub", "--all", "--heal", "--from", from.to_str().unwrap()];
    nights.offsite(&args).exits(0);
    assert_eq!(nights.events("other.age"), ["healed"]);
    mirror(&nights, &[]).exits(0);
    assert_eq!(kinds(&from), [""; 0]);
    let catalogue = Catalogue::open_read(&from.join("catalogue.db")).unwrap();
    assert!(catalogue.events(Some("other.age"), 9).unwrap().is_empty());
}
