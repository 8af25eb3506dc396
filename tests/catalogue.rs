//! `catalogue rebuild`: the catalogue made anew from the drive alone is the one that was lost, and
//! of a damaged drive nothing rotten is believed. `catalogue backup`: its copies are whole.
//! `prune --incoming`: the copy is left alone.
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used
)]

#[path = "catalogue/backup.rs"]
mod backup;
#[path = "catalogue/damage.rs"]
mod damage;
#[path = "catalogue/dump.rs"]
mod dump;
#[path = "catalogue/history.rs"]
mod history;
#[path = "catalogue/prune.rs"]
mod prune;
mod support;

use dump::dump;
use support::Nights;
use support::nights::SOURCE;

/// Each file that is not the catalogue's, and its bytes.
fn drive(nights: &Nights) -> Vec<(std::path::PathBuf, Vec<u8>)> {
    let mut files = Vec::new();
    support::program::each_file(&nights.store.path, &mut |path, bytes| {
        let name = path.file_name().unwrap().to_string_lossy();
        if !name.starts_with("catalogue.db") && name != "offsite.lock" {
            files.push((path.to_owned(), bytes.to_vec()));
        }
    });
    files.sort();
    files
}

/// The names at the root of the store that begin so.
fn at_root(nights: &Nights, prefix: &str) -> Vec<String> {
    let mut names: Vec<String> = std::fs::read_dir(&nights.store.path)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.starts_with(prefix))
        .collect();
    names.sort();
    names
}

/// What may have become of the catalogue.
const LOSSES: [&str; 3] = ["deleted", "overwritten", "there"];

fn lose(nights: &Nights, how: &str) {
    let catalogue = nights.store.path.join("catalogue.db");
    match how {
        "deleted" => std::fs::remove_file(catalogue).unwrap(),
        "overwritten" => std::fs::write(catalogue, vec![0x5a; 40_000]).unwrap(),
        _ => {}
    }
}

#[test]
fn the_rebuilt_catalogue_is_the_lost_one_after_sixty_nights() {
    comes_back(history::live(Nights::new(), 1, 60));
}

#[test]
fn the_rebuilt_catalogue_is_the_lost_one_on_a_drive_that_folds_names() {
    comes_back(history::live(Nights::portable(), 2, 24));
}

fn comes_back(mut nights: Nights) {
    let catalogue = nights.store.path.join("catalogue.db");
    let (lost, before) = (dump(&catalogue), drive(&nights));
    history::is_rich(&lost);
    for how in LOSSES {
        lose(&nights, how);
        if how != "there" {
            // Whoever needs the catalogue says what to do, and does not make an empty one.
            for (command, code) in [
                (["status"].as_slice(), 7),
                (&["catalogue", "check"], 7),
                (&["ls"], 0),
            ] {
                let told = nights.offsite(command).exits(code);
                assert!(
                    told.stderr.contains("offsite catalogue rebuild"),
                    "{told:?}"
                );
            }
            assert!(
                nights
                    .some_night()
                    .unwrap_err()
                    .way_out()
                    .unwrap()
                    .contains("rebuild")
            );
        }
        let told = nights.offsite(&["catalogue", "rebuild"]).exits(0);
        dump::compare(&lost, &dump(&catalogue), how);
        assert_eq!(
            drive(&nights),
            before,
            "{how}: nothing else was written\n{}",
            told.stdout
        );
        let olds = at_root(&nights, "catalogue.db.old-");
        assert_eq!(
            told.stdout.contains("the one before is"),
            how != "deleted",
            "{olds:?}"
        );
        nights.offsite(&["catalogue", "check", "--deep"]).exits(0);
    }
    assert_eq!(at_root(&nights, "catalogue.db.old-").len(), 2);
    assert_eq!(at_root(&nights, "catalogue.db.new"), [""; 0]);
    // Life goes on.
    nights.bucket.put("www/new", "new");
    nights.some_night().unwrap();
    assert!(nights.shelf().join("latest/www/new").exists(), "{SOURCE}");
    assert_eq!(nights.check().problems, []);
}
