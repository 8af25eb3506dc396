//! Backups are deleted.

use crate::drill::Drill;
use offsite::demo::bucket::{Fault, Faults, Refusal, Versioning};

#[test]
fn p5_all_is_deleted() {
    let everything = |d: &mut Drill| {
        for key in d.nights.bucket.keys() {
            d.nights.bucket.delete(&key);
        }
    };
    Drill::new(false).strike(everything, &["deleted"]);
    // With versions: delete markers.
    Drill::new(true).strike(everything, &["deleted"]);
}

#[test]
fn p5_one_is_deleted() {
    for shift in [-1, -5, -29] {
        let one = |d: &mut Drill| {
            let key = d.site(shift);
            d.nights.bucket.delete(&key);
            d.evening();
        };
        // The oldest may go, as far as anyone can tell; nothing else.
        if shift > -29 {
            Drill::new(false).strike(one, &["deleted"]);
        }
    }
    let rotated = |d: &mut Drill| {
        let key = d.database(-2);
        d.nights.bucket.delete(&key);
        d.evening();
    };
    Drill::new(false).strike(rotated, &["deleted"]);
}

#[test]
fn p5_junk_is_put_in_their_place_and_the_real_ones_deleted() {
    let borrowed = |d: &mut Drill| {
        for shift in -14..0 {
            let key = d.database(shift);
            d.nights.bucket.delete(&key);
            let junk = d.backup();
            d.nights.bucket.put(&d.database(shift + 15), junk);
        }
    };
    Drill::new(false).strike(borrowed, &["deleted"]);
}

/// Never the oldest, one a night: each is said in its own night.
#[test]
fn p5_one_a_night_is_deleted() {
    let mut drill = Drill::new(false);
    for night in 1..=4 {
        let key = drill.site(-10);
        drill.nights.bucket.delete(&key);
        drill.evening();
        assert_eq!(drill.nights.night().open_alarms, night);
    }
    assert_eq!(drill.nights.open_kinds(), ["deleted"; 4]);
}

/// The account is somebody else's: the bucket was removed, and one of its name made anew.
#[test]
fn p5_an_empty_bucket_stands_under_the_same_name() {
    let anew = |d: &mut Drill| {
        for key in d.nights.bucket.keys() {
            d.nights.bucket.purge(&key);
        }
        for key in (-30..0).map(|shift| d.database(shift)).collect::<Vec<_>>() {
            d.nights.bucket.purge(&key);
        }
        d.nights.bucket.set_versioning(Versioning::Off);
    };
    Drill::new(false).strike(anew, &["deleted"]);
    Drill::new(true).strike(anew, &["versioning-off", "deleted"]);
}

/// Our key is refused what would show that it went.
#[test]
fn p5_all_is_deleted_and_nobody_may_ask_for_it() {
    for versioning in [false, true] {
        let unseen = |d: &mut Drill| {
            let keys = d.nights.bucket.keys();
            keys.iter().for_each(|key| d.nights.bucket.purge(key));
            d.nights.faults(Faults {
                refuse: Some(
                    Fault::new(Refusal::AccessDenied)
                        .on(move |asked| keys.iter().any(|key| key == asked)),
                ),
                ..Faults::default()
            });
        };
        Drill::new(versioning).strike(unseen, &["deleted"]);
    }
}
