//! `catalogue backup`, and the two copies that a pull keeps by itself.

use crate::at_root;
use crate::dump::{Dump, compare, dump};
use crate::support::{Embedded, Nights};
use offsite::home::Home;
use std::fs;
use std::path::{Path, PathBuf};

/// What a pull does at its end.
fn keep(nights: &Nights) -> bool {
    let home = Home::open(&nights.store, nights.clock.clone()).unwrap();
    let kept = home.keep_copies().unwrap();
    home.close().unwrap();
    kept
}

fn file(nights: &Nights, name: &str) -> PathBuf {
    nights.store.path.join(name)
}

fn read(nights: &Nights, name: &str) -> Dump {
    dump(&file(nights, name))
}

/// No log belongs to it: a mount that cannot be written can be read (SQLite file format, "Read
/// and write version numbers").
fn is_one_plain_file(file: &Path) {
    let bytes = fs::read(file).unwrap();
    assert_eq!(&bytes[..16], b"SQLite format 3\0");
    assert_eq!(bytes[18..20], [1, 1], "{} is in WAL mode", file.display());
}

#[test]
fn two_copies_are_kept_when_something_was_recorded_and_a_day_went_by() {
    let mut nights = Nights::new();
    nights.bucket.put("a", "1");
    nights.night();
    assert!(keep(&nights), "there was none");
    let first = read(&nights, "catalogue.db");
    compare(&first, &read(&nights, "catalogue.db.1"), "the first");
    is_one_plain_file(&file(&nights, "catalogue.db.1"));

    nights.bucket.put("b", "2");
    nights.pull().unwrap();
    assert!(!keep(&nights), "the same day");
    nights.night();
    assert!(keep(&nights));
    let second = read(&nights, "catalogue.db");
    compare(&second, &read(&nights, "catalogue.db.1"), "the second");
    compare(
        &first,
        &read(&nights, "catalogue.db.2"),
        "the first, one on",
    );

    nights.night();
    assert!(!keep(&nights), "nothing was recorded but a run");
    nights.bucket.delete("b");
    nights.night();
    assert!(keep(&nights), "something is gone");
    compare(
        &second,
        &read(&nights, "catalogue.db.2"),
        "the second, one on",
    );
    assert_eq!(
        at_root(&nights, "catalogue.db"),
        ["catalogue.db", "catalogue.db.1", "catalogue.db.2"]
    );
}

#[test]
fn a_copy_that_is_no_good_does_not_push_out_a_good_one() {
    let mut nights = Nights::new();
    for day in 0..2 {
        nights.bucket.put(&format!("day-{day}"), "1");
        nights.night();
        assert!(keep(&nights));
    }
    let good = read(&nights, "catalogue.db.2");
    fs::write(file(&nights, "catalogue.db.1"), "rotten").unwrap();
    assert!(keep(&nights));
    compare(&good, &read(&nights, "catalogue.db.2"), "the second");
    let now = read(&nights, "catalogue.db");
    compare(&now, &read(&nights, "catalogue.db.1"), "the newest");
}

/// What was recorded since comes from the journal.
#[test]
fn an_older_copy_put_in_place_catches_up_by_itself() {
    let mut nights = Nights::new();
    nights.bucket.put("a", "1");
    nights.night();
    assert!(keep(&nights));
    nights.bucket.put("a", "2");
    nights.night();
    let now = read(&nights, "catalogue.db");
    fs::copy(
        file(&nights, "catalogue.db.1"),
        file(&nights, "catalogue.db"),
    )
    .unwrap();
    let mut home = Home::open(&nights.store, nights.clock.clone()).unwrap();
    drop(home.shelf_of(&nights.source.name).unwrap());
    home.close().unwrap();
    compare(&now, &read(&nights, "catalogue.db"), "caught up");
}

/// SQLite reads every page to make a copy: one that is damaged within is not copied over a good one.
#[test]
fn a_damaged_catalogue_is_not_copied() {
    let mut nights = Nights::new();
    for key in 0..200 {
        nights.bucket.put(&format!("some/longer/name/{key}"), "1");
    }
    nights.night();
    nights.offsite(&["catalogue", "backup"]).exits(0);
    let copy = fs::read(file(&nights, "catalogue.db.1")).unwrap();
    let mut bytes = fs::read(file(&nights, "catalogue.db")).unwrap();
    let end = bytes.len();
    bytes[end / 2..].fill(0xa5);
    fs::write(file(&nights, "catalogue.db"), &bytes).unwrap();
    let told = nights.offsite(&["catalogue", "backup"]).exits(7);
    assert!(told.stderr.contains("catalogue rebuild"), "{}", told.stderr);
    assert_eq!(fs::read(file(&nights, "catalogue.db.1")).unwrap(), copy);
    assert!(!file(&nights, "catalogue.db.2").exists());
}

#[test]
fn backup_writes_one_file_wherever_it_is_told_and_replaces_only_a_catalogue() {
    let mut nights = Nights::new();
    nights.bucket.put("a", "1");
    nights.night();
    let before = at_root(&nights, "");
    let to = nights.folder().join("copy.db");
    let backup = ["catalogue", "backup", "--to", to.to_str().unwrap()];
    for _ in 0..2 {
        nights.offsite(&backup).exits(0);
        compare(&read(&nights, "catalogue.db"), &dump(&to), "the copy");
        is_one_plain_file(&to);
        nights.bucket.put("a", "2");
        nights.night();
    }
    for theirs in ["my thesis", ""] {
        fs::write(&to, theirs).unwrap();
        nights.offsite(&backup).exits(2);
        assert_eq!(fs::read(&to).unwrap(), theirs.as_bytes());
    }
    fs::remove_file(&to).unwrap();
    fs::create_dir(&to).unwrap();
    nights.offsite(&backup).exits(2);
    assert_eq!(at_root(&nights, ""), before);
}

#[test]
fn a_pull_keeps_a_copy_and_a_dry_run_none() {
    let world = Embedded::new();
    world.bucket.put("a", "1");
    let copy = world.home.store().join("catalogue.db.1");
    world.home.run(["pull", "--dry-run"]).exits(0);
    assert!(!copy.exists());
    world.home.run(["pull"]).exits(0);
    compare(
        &dump(&world.home.store().join("catalogue.db")),
        &dump(&copy),
        "",
    );

    // What cannot be copied fails no pull, and is said.
    fs::remove_file(&copy).unwrap();
    fs::create_dir(&copy).unwrap();
    world.bucket.put("b", "2");
    let told = world.home.run(["pull"]).exits(0);
    assert!(
        told.stderr.contains("the catalogue was not copied"),
        "{}",
        told.stderr
    );
}
