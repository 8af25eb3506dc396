//! Each of the two stores heals the other.

use crate::support::{Embedded, Nights, age};
use crate::{at, files, is_whole, mirror, mirror_of, rows};
use offsite::demo::bucket::{Fault, Faults};
use offsite::object::{InBucket, State};
use std::fs;

fn nights() -> Nights {
    let mut nights = Nights::new();
    for seed in 0..3 {
        nights.bucket.put("daily.age", age(9000, seed));
        nights
            .bucket
            .put(&format!("once-{seed}.age"), age(5000, 10 + seed));
        nights.night();
    }
    nights
}

#[test]
fn a_rotten_store_is_healed_by_the_other_one() {
    let nights = nights();
    mirror(&nights, &[]).exits(0);
    let stores = [nights.store.path.clone(), mirror_of(&nights)];
    for (rotten, whole) in [(0, 1), (1, 0)] {
        let (rotten, whole) = (&stores[rotten], &stores[whole]);
        let was = files(rotten);
        for (number, path) in was.keys().enumerate() {
            let file = rotten.join(path);
            match number % 2 {
                0 => fs::write(file, "rot").unwrap(),
                _ => fs::remove_file(file).unwrap(),
            }
        }
        let from = whole.to_str().unwrap();
        at(rotten, &["scrub", "--all", "--heal", "--from", from]).exits(0);
        assert!(files(rotten) == was, "{}", rotten.display());
        is_whole(rotten);
    }
    // What was healed there is nothing new here.
    assert_eq!(crate::copies(&nights), 0);
}

/// A rebuild took what was missing or rotten off the books: only the other store knows where it belongs.
#[test]
fn what_a_rebuild_found_lost_comes_from_the_other_one() {
    let mut nights = nights();
    nights.bucket.put("daily-2026-11-01.age", age(5000, 20));
    nights.bucket.put("gone.age", age(5000, 21));
    nights.night();
    nights.night();
    nights.bucket.put("daily-2026-11-01.age", age(5000, 22));
    nights.bucket.delete("gone.age");
    nights.some_night().unwrap();
    let states = nights.states("daily-2026-11-01.age");
    assert!(states.contains(&(State::Held, InBucket::Current)));
    mirror(&nights, &[]).exits(0);
    let stores = [nights.store.path.clone(), mirror_of(&nights)];
    for (lossy, whole) in [(0, 1), (1, 0)] {
        let (lossy, whole) = (&stores[lossy], &stores[whole]);
        let (were, as_before) = (files(lossy), rows(lossy));
        let from = whole.to_str().unwrap();
        let heal = || at(lossy, &["scrub", "--all", "--heal", "--from", from]);
        for path in were.keys() {
            fs::remove_file(lossy.join(path)).unwrap();
        }
        let stranger = lossy.join("www/latest/once-1.age");
        fs::write(&stranger, "rot").unwrap();
        at(lossy, &["catalogue", "rebuild"]).exits(7);
        let lost = "a rebuild of the catalogue did not find its file as it was";
        heal().exits(3).says(&[
            &format!("HEALED www/latest/gone.age: {lost}"),
            &format!("HEALED www/latest/once-1.age: {lost}"),
            "; 9 healed; 1 unknown",
        ]);
        // What had the name is kept, and nobody vouches for it.
        let mut now = files(lossy);
        now.retain(|path, _| !were.contains_key(path));
        let (moved, bytes) = now.pop_first().unwrap();
        assert!(now.is_empty() && moved.starts_with("www/history/once-1.age/"));
        assert_eq!(bytes, b"rot");
        fs::remove_file(lossy.join(moved)).unwrap();
        assert!(files(lossy) == were);
        assert_eq!(rows(lossy), as_before);
        is_whole(lossy);
        assert!(!heal().exits(0).stdout.contains("HEALED"));
        at(lossy, &["catalogue", "rebuild", "--deep"]).exits(0);
        assert_eq!(rows(lossy), as_before);
    }
    assert_eq!(crate::copies(&nights), 0);
}

/// Bytes that contradicted their evidence are not the version's.
#[test]
fn poison_that_a_rebuild_found_lost_does_not_come_again() {
    let mut nights = Nights::new();
    nights.bucket.put("db.age", age(5000, 1));
    nights.faults(Faults {
        flip: Some(Fault::new(0).on(|_| true)),
        ..Faults::default()
    });
    nights.night();
    mirror(&nights, &[]).exits(0);
    fs::remove_dir_all(nights.shelf().join("quarantine")).unwrap();
    nights.offsite(&["catalogue", "rebuild"]).exits(7);
    let from = mirror_of(&nights);
    let heal = ["scrub", "--all", "--heal", "--from", from.to_str().unwrap()];
    let told = nights.offsite(&heal).exits(0);
    assert!(!told.stdout.contains("db.age"), "{}", told.stdout);
    assert!(files(&nights.store.path).is_empty());
}

/// The bucket has nothing of it any more.
#[test]
fn the_configured_mirror_is_asked_by_itself() {
    let home = Embedded::new();
    home.bucket.put("a.age", age(9000, 1));
    home.home.run(["pull"]).exits(0);
    let to = home.home.path().join("second");
    let config = fs::read_to_string(home.home.config()).unwrap();
    let with = format!("{config}\n[mirror]\nto = \"{}\"\n", to.display());
    fs::write(home.home.config(), with).unwrap();
    home.home.run(["mirror", "--allow-root-fs"]).exits(0);
    home.bucket.put("a.age", age(9000, 2));
    let file = home.folder().join("latest/a.age");
    fs::write(&file, "rot").unwrap();
    let aside = home.home.path().join("aside");
    fs::rename(&to, &aside).unwrap();
    home.home
        .run(["scrub", "--all", "--heal"])
        .exits(7)
        .says(&["the mirror is not asked for good bytes"]);
    fs::rename(&aside, &to).unwrap();
    home.home.run(["scrub", "--all", "--heal"]).exits(0);
    assert!(fs::read(&file).unwrap() == age(9000, 1));
}
