//! Each of the two stores heals the other.

use crate::support::{Embedded, Nights, age};
use crate::{at, files, is_whole, mirror, mirror_of};
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
