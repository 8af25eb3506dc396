//! Which files are read, in which order, and from where.

use crate::support::program::fetched_by;
use crate::support::{Nights, age};
use crate::{checked, flip, rots};
use offsite::object::Timestamp;
use std::collections::BTreeSet;
use std::fs;

/// `count` files of 100 bytes, stored in one night.
fn many(count: usize) -> Nights {
    let mut nights = Nights::new();
    for number in 0..count {
        nights
            .bucket
            .put(&format!("file-{number:02}.age"), [b'x'; 100]);
    }
    nights.night();
    nights
}

/// Which files are whole in memory only: the keys that a scrub finds damaged.
fn read_by(nights: &Nights, args: &[&str]) -> BTreeSet<String> {
    // Whatever is read shows: all of it is damaged.
    let told = nights.offsite(&[&["scrub", "--json"], args].concat());
    let json = told.json_lines().remove(0);
    let damaged = json["damaged"].as_array().unwrap().iter();
    damaged
        .map(|d| d["key"].as_str().unwrap().to_owned())
        .collect()
}

/// How many files a scrub reads, and whether it was all.
fn reads(nights: &Nights, args: &[&str]) -> (u64, bool) {
    let told = nights
        .offsite(&[&["scrub", "--json"], args].concat())
        .exits(0);
    let json = told.json_lines().remove(0);
    (
        json["files"].as_u64().unwrap(),
        json["complete"].as_bool().unwrap(),
    )
}

/// The catalogue's marks: paths by when they were checked.
fn marks(nights: &Nights) -> Vec<(Option<i64>, String)> {
    let catalogue = nights.catalogue();
    let rows = catalogue
        .to_check(None, Timestamp::now(), 1000)
        .unwrap()
        .into_iter();
    rows.map(|row| {
        let at = row.checked_at().map(|at| at.as_millisecond());
        (at, row.version.path.unwrap())
    })
    .collect()
}

#[test]
fn a_run_goes_on_where_the_one_before_ended() {
    let nights = many(10);
    assert_eq!(reads(&nights, &["--budget", "300B"]), (3, false));
    assert_eq!(
        marks(&nights).iter().filter(|(at, _)| at.is_some()).count(),
        3
    );
    assert_eq!(reads(&nights, &["--budget", "500B"]), (5, false));
    assert_eq!(
        marks(&nights).iter().filter(|(at, _)| at.is_some()).count(),
        8
    );
    // The two that never were, then those of the first run.
    let first: Vec<_> = marks(&nights)[2..4].to_vec();
    assert_eq!(reads(&nights, &["--budget", "400B"]), (4, false));
    let now = marks(&nights);
    for (_, path) in first {
        let (at, _) = now.iter().find(|(_, p)| *p == path).unwrap();
        assert_eq!(*at, now.last().unwrap().0, "{path}");
    }
}

/// By default a thirtieth of the bytes, so that all of it has its turn in thirty runs.
#[test]
fn all_of_it_is_read_in_thirty_runs() {
    let nights = many(60);
    assert_eq!(reads(&nights, &[]), (2, false));
    assert_eq!(reads(&nights, &["--all"]), (60, true));
}

/// What came since was never checked, and comes first.
#[test]
fn what_is_new_comes_first() {
    let mut nights = many(5);
    assert_eq!(reads(&nights, &["--all"]), (5, true));
    nights.bucket.put("new.age", "new");
    nights.night();
    assert_eq!(reads(&nights, &["--budget", "3B"]), (1, false));
    let unchecked = marks(&nights).into_iter().filter(|(at, _)| at.is_none());
    assert_eq!(unchecked.count(), 0);
}

/// One that is larger than the budget would never be read.
#[test]
fn at_least_one_file_is_read() {
    let nights = many(3);
    assert_eq!(reads(&nights, &["--budget", "1B"]), (1, false));
    assert_eq!(reads(&nights, &["--for", "0s"]), (1, false));
}

/// A part of the drive that is lost for good does not keep the rest from being read: what damaged
/// files take is not counted.
#[test]
fn what_is_damaged_and_stays_so_does_not_keep_the_rest_from_its_turn() {
    for harm in [(|file| rots(file, &flip)) as fn(&std::path::Path), |file| {
        fs::remove_file(file).unwrap()
    }] {
        let nights = many(10);
        for number in 0..5 {
            harm(&nights.shelf().join(format!("latest/file-{number:02}.age")));
        }
        for _ in 0..5 {
            nights.offsite(&["scrub", "--budget", "100B"]);
        }
        nights.offsite(&["scrub", "--budget", "100B"]).exits(7);
        let checked = marks(&nights).into_iter().filter(|(at, _)| at.is_some());
        assert_eq!(checked.count(), 5);
    }
}

/// The file that reaches the thirtieth is read, too: files a little smaller than that would else be read one
/// a night, and all of them in two months.
#[test]
fn what_does_not_fit_a_thirtieth_has_its_turn_in_thirty_runs_too() {
    let nights = many(59);
    assert_eq!(reads(&nights, &[]), (2, false));
}

/// Sums that are wrong are said, and do not stop the scrub from going on.
#[test]
fn without_sums_the_files_have_their_turns() {
    let nights = many(3);
    fs::remove_file(nights.shelf().join("SHA256SUMS")).unwrap();
    for _ in 0..3 {
        nights.offsite(&["scrub", "--budget", "100B"]).exits(7);
    }
    assert!(marks(&nights).iter().all(|(at, _)| at.is_some()));
}

/// A clock that was wrong marks files with times to come. Behind files that are checked again and
/// again they would have no turn until then.
#[test]
fn what_a_wrong_clock_marked_has_its_turn() {
    let nights = many(4);
    assert_eq!(reads(&nights, &["--all"]), (4, true));
    let db = rusqlite::Connection::open(nights.store.path.join("catalogue.db")).unwrap();
    let to_come = Timestamp::now().as_millisecond() + 400 * 86_400_000;
    db.execute(
        "UPDATE version SET checked_at = ?1 WHERE id <= 2",
        [to_come],
    )
    .unwrap();
    drop(db);
    assert_eq!(reads(&nights, &["--budget", "200B"]), (2, false));
    let all = marks(&nights);
    assert!(all.iter().all(|(at, _)| *at < Some(to_come)), "{all:?}");
}

/// Versions with the same bytes share a file.
#[test]
fn a_file_that_versions_share_is_read_once() {
    let mut nights = Nights::new();
    nights.bucket.put("a.age", "same");
    nights.night();
    nights.bucket.put("a.age", "same");
    nights.night();
    assert_eq!(nights.versions("a.age").len(), 2);
    assert_eq!(reads(&nights, &["--all"]), (1, true));
    let file = nights.file_of("a.age", "same");
    fs::write(file, "diff").unwrap();
    assert_eq!(read_by(&nights, &["--all"]).len(), 1);
}

/// A rebuild forgets the marks, so that all is read again; rows stay what they were.
#[test]
fn after_a_rebuild_everything_has_its_turn_again() {
    let nights = checked();
    nights.offsite(&["catalogue", "rebuild"]).exits(0);
    assert!(marks(&nights).iter().all(|(at, _)| at.is_none()));
    assert_eq!(reads(&nights, &["--all"]), (4, true));
}

/// What the kernel has in memory is not asked: the file is fetched from the drive.
#[test]
fn the_drive_is_read_and_not_the_memory() {
    let mut nights = Nights::new();
    let bytes = age(4 << 20, 7);
    nights.bucket.put("large.age", bytes.clone());
    nights.night();
    let file = nights.shelf().join("latest/large.age");
    // All of it is in memory now, and clean.
    fs::File::open(&file).unwrap().sync_all().unwrap();
    assert!(fs::read(&file).unwrap() == bytes);
    let fetched = fetched_by(&nights.store.path, &["scrub", "--all"]);
    if rustix::fs::statfs(&nights.store.path).unwrap().f_type == TMPFS {
        panic!("the tests' folder is in memory: there is no drive to read; set CARGO_TARGET_DIR");
    }
    assert!(
        fetched >= bytes.len() as u64,
        "{fetched} bytes came from the drive"
    );
    let checked = fetched_by(&nights.store.path, &["catalogue", "check"]);
    assert!(
        checked < bytes.len() as u64,
        "{checked}: the test cannot fail"
    );
}

/// `TMPFS_MAGIC` (statfs(2)).
const TMPFS: i64 = 0x0102_1994;
