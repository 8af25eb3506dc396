//! What is wrong with a file, a journal or the sums is said, and nothing that is right.

use crate::support::Nights;
use crate::{checked, flip, in_an_hour, rots, set_modified};
use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

/// Damage to one file, and what is said of it.
type Harm = (&'static str, fn(&Path), &'static str);

const HARMS: [Harm; 9] = [
    (
        "a flipped bit",
        |file| rots(file, &flip),
        "by its times nobody wrote to it: the drive let it rot",
    ),
    (
        "zeros",
        |file| rots(file, &|bytes| bytes.fill(0)),
        "the drive let it rot",
    ),
    (
        "an edit",
        |file| {
            fs::write(file, "edited").unwrap();
            set_modified(file, in_an_hour());
        },
        "by hand, or by another program",
    ),
    (
        "truncation",
        |file| rots(file, &|bytes| bytes.truncate(3)),
        "it has 3 bytes instead of 6: its end is missing",
    ),
    (
        "growth",
        |file| rots(file, &|bytes| bytes.push(0)),
        "it has 7 bytes instead of 6",
    ),
    (
        "deletion",
        |file| fs::remove_file(file).unwrap(),
        "the file is missing",
    ),
    (
        "a link",
        |file| {
            fs::rename(file, file.with_extension("moved")).unwrap();
            symlink(file.with_extension("moved"), file).unwrap();
        },
        "a symbolic link or another mount stands in the way",
    ),
    (
        "a folder",
        |file| {
            fs::remove_file(file).unwrap();
            fs::create_dir(file).unwrap();
        },
        "the file is missing",
    ),
    (
        "a FIFO",
        |file| {
            fs::remove_file(file).unwrap();
            let dir = fs::File::open(file.parent().unwrap()).unwrap();
            let (kind, mode) = (
                rustix::fs::FileType::Fifo,
                rustix::fs::Mode::from_raw_mode(0o644),
            );
            rustix::fs::mknodat(&dir, file.file_name().unwrap(), kind, mode, 0).unwrap();
        },
        "is not a regular file",
    ),
];

#[test]
fn every_damage_is_said_wherever_it_is_until_it_is_acknowledged() {
    for (what, harm, words) in HARMS {
        for (area, bytes) in [("latest", "third!"), ("history", "first.")] {
            let nights = checked();
            let file = nights.file_of("daily.age", bytes);
            let path = file.strip_prefix(&nights.store.path).unwrap();
            assert!(path.starts_with(format!("www/{area}")));
            harm(&file);
            for _ in 0..2 {
                let told = nights.offsite(&["scrub", "--all"]).exits(7);
                let line = format!("DAMAGED {}: ", path.display());
                let said = told.stdout.lines().find(|l| l.starts_with(&line));
                let said = said.unwrap_or_else(|| panic!("{what} in {area}: {}", told.stdout));
                assert!(said.contains(words), "{what} in {area}: {said}");
                assert!(told.stdout.contains("; 1 damaged"), "{}", told.stdout);
            }
            assert_eq!(nights.open_alarms(), ["rot"], "{what} in {area}");
            let status = nights.offsite(&["status"]).exits(4);
            assert!(
                status.stdout.contains("1 file of the copy is not"),
                "{}",
                status.stdout
            );
        }
    }
}

/// What was healed and goes wrong once more in the same way is news; what stays wrong after the owner
/// acknowledged it is none.
#[test]
fn damage_that_comes_back_alarms_again() {
    let nights = checked();
    let file = nights.file_of("daily.age", "third!");
    fs::remove_file(&file).unwrap();
    nights.offsite(&["scrub", "--all"]).exits(7);
    let first = nights.open()[0].finding.id.clone();
    nights.ack(&first, false).unwrap();
    let known = "; 1 damaged, which you have acknowledged";
    for args in [["scrub", "--all"], ["scrub", "--budget=1B"]] {
        nights.offsite(&args).exits(3).says(&[known]);
    }
    assert!(nights.open_alarms().is_empty());
    let other = nights.file_of("daily.age", "first.");
    rots(&other, &flip);
    let told = nights.offsite(&["scrub", "--all"]).exits(7);
    assert!(told.stdout.contains("; 2 damaged;"), "{}", told.stdout);
    assert_eq!(nights.open_alarms(), ["rot"]);
    let second = nights.open()[0].finding.id.clone();
    nights.ack(&second, false).unwrap();
    rots(&other, &flip);
    fs::write(&file, "third!").unwrap();
    nights.offsite(&["scrub", "--all"]).exits(0);
    fs::remove_file(&file).unwrap();
    for _ in 0..2 {
        nights.offsite(&["scrub", "--all"]).exits(7);
        assert_eq!(nights.open_alarms(), ["rot"]);
    }
}

/// So many are named; another one in the place of one that is not is news all the same.
#[test]
fn another_file_is_news_behind_those_that_are_named_too() {
    let mut nights = Nights::new();
    let name = |number: usize| format!("k-{number:02}.age");
    for number in 0..12 {
        nights
            .bucket
            .put(&name(number), format!("bytes {number:02}"));
    }
    nights.night();
    let file = |number| nights.shelf().join("latest").join(name(number));
    let stranger = |number| nights.shelf().join("history").join(name(number));
    fs::create_dir_all(nights.shelf().join("history")).unwrap();
    for number in 0..11 {
        rots(&file(number), &flip);
        fs::write(stranger(number), "x").unwrap();
    }
    let said = || {
        nights.offsite(&["scrub", "--all"]).exits(7);
        let mut kinds = nights.open_kinds();
        kinds.sort();
        kinds
    };
    assert_eq!(said(), ["rot", "unknown-files"]);
    rots(&file(10), &flip);
    rots(&file(11), &flip);
    fs::rename(stranger(10), stranger(11)).unwrap();
    for _ in 0..2 {
        assert_eq!(said(), ["rot", "rot", "unknown-files", "unknown-files"]);
    }
    let newest = &nights.open().pop().unwrap().finding.advice.evidence;
    assert!(
        newest.contains("www/history/k-09.age; and 1 more ("),
        "{newest}"
    );
}

/// Damaged files are first in the next run, too, whatever it may take, and then one that is right.
#[test]
fn what_is_damaged_is_looked_at_first_the_next_time() {
    let nights = checked();
    let file = nights.file_of("daily.age", "second");
    rots(&file, &flip);
    nights.offsite(&["scrub", "--all"]).exits(7);
    let told = nights.offsite(&["scrub", "--budget", "1B"]).exits(7);
    assert!(
        told.stdout.contains("2 files (12 B) read"),
        "{}",
        told.stdout
    );
}

#[test]
fn files_that_are_whole_and_worth_a_look_are_named() {
    let nights = checked();
    let written = nights.file_of("daily.age", "third!");
    fs::write(&written, "third!").unwrap();
    set_modified(&written, in_an_hour());
    let linked = nights.file_of("daily.age", "first.");
    fs::hard_link(&linked, nights.folder().join("elsewhere")).unwrap();
    let told = nights.offsite(&["scrub", "--all"]).exits(0);
    told.says(&[
        "note: www/latest/daily.age: somebody wrote to it at ",
        "it has 2 names (hard links): who writes to another one changes it",
    ]);
    assert!(nights.open_kinds().is_empty());
}

#[test]
fn files_that_nobody_knows_are_named_once() {
    let nights = checked();
    fs::write(nights.shelf().join("latest/stranger"), "x").unwrap();
    symlink("/etc/passwd", nights.shelf().join("history/link")).unwrap();
    fs::create_dir_all(nights.shelf().join("quarantine")).unwrap();
    fs::write(nights.shelf().join("quarantine/odd.txt"), "x").unwrap();
    for _ in 0..2 {
        nights.offsite(&["scrub", "--all"]).exits(3).says(&[
            "UNKNOWN www/latest/stranger: nothing vouches for this file; left as it is",
            "UNKNOWN www/history/link: it is no regular file; left as it is",
            "UNKNOWN www/quarantine/odd.txt: ",
            "; 3 unknown",
        ]);
    }
    assert_eq!(nights.open_kinds(), ["unknown-files"]);
    let said = &nights.open()[0].finding.advice;
    assert!(said.evidence.contains("www/latest/stranger"), "{said:?}");
}

/// A folder that cannot be looked into does not keep silent what was found in the others.
#[test]
fn what_cannot_be_looked_into_is_said_with_the_rest() {
    let nights = checked();
    rots(&nights.file_of("other.age", "otherX"), &flip);
    let (history, elsewhere) = (nights.shelf().join("history"), nights.folder().join("away"));
    fs::rename(&history, &elsewhere).unwrap();
    symlink(&elsewhere, &history).unwrap();
    nights.offsite(&["scrub", "--all"]).exits(7).says(&[
        "DAMAGED www/latest/other.age",
        "DAMAGED www: cannot use ",
        "4 files (",
    ]);
    assert_eq!(nights.open_kinds(), ["rot", "read-errors"]);
}

/// A byte of the only journal that there is, far from its end.
pub(crate) fn edit_journal(nights: &Nights) {
    let mut files: Vec<_> = fs::read_dir(nights.shelf().join("journal"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    files.sort();
    let text = fs::read_to_string(&files[0]).unwrap();
    fs::write(&files[0], text.replacen("other.age", "Other.age", 1)).unwrap();
}

#[test]
fn a_journal_that_was_edited_is_said_and_alarms() {
    let nights = checked();
    edit_journal(&nights);
    for _ in 0..2 {
        let told = nights.offsite(&["scrub", "--all"]).exits(7);
        told.says(&["DAMAGED www/journal/00000001-", "4 files (24 B) read"]);
    }
    assert_eq!(nights.open_alarms(), ["journal-broken"]);
}

#[test]
fn a_wrong_line_of_the_sums_is_said_and_a_rebuild_mends_it() {
    let nights = checked();
    let sums = nights.shelf().join("SHA256SUMS");
    let text = fs::read_to_string(&sums).unwrap();
    let other = if text.starts_with('0') { "1" } else { "0" };
    fs::write(&sums, format!("{other}{}", &text[1..])).unwrap();
    nights
        .offsite(&["scrub", "--all"])
        .exits(7)
        .says(&["its line in SHA256SUMS is not"]);
    assert_eq!(nights.open_alarms(), ["sums-wrong"]);
    nights.offsite(&["catalogue", "rebuild"]).exits(0);
    nights.offsite(&["scrub", "--all"]).exits(0);
}

/// Sums that cannot be read keep nothing from being read.
#[test]
fn a_link_in_the_place_of_the_sums_ends_no_scrub() {
    let nights = checked();
    let sums = nights.shelf().join("SHA256SUMS");
    fs::remove_file(&sums).unwrap();
    symlink("/etc/passwd", &sums).unwrap();
    nights.offsite(&["scrub", "--all"]).exits(7).says(&[
        "DAMAGED www/latest/daily.age: the file is whole, and its line in SHA256SUMS is not",
        "4 files (24 B) read",
    ]);
}

/// Without a catalogue, or with one that is not of the journals, all is read by what the journals say.
#[test]
fn without_a_catalogue_all_is_read_and_nothing_is_noted() {
    let nights = checked();
    rots(&nights.file_of("daily.age", "third!"), &flip);
    fs::remove_file(nights.store.path.join("catalogue.db")).unwrap();
    let before = nights.paths(offsite::store::Area::Latest);
    nights.offsite(&["scrub", "--all"]).exits(7).says(&[
        "there is no catalogue",
        "DAMAGED www/latest/daily.age",
        "4 files (24 B) read",
    ]);
    assert!(!nights.store.path.join("catalogue.db").exists());
    assert_eq!(nights.paths(offsite::store::Area::Latest), before);
    nights
        .offsite(&["scrub", "--all", "--heal"])
        .exits(7)
        .says(&["DAMAGED www/latest/daily.age", "catalogue rebuild"]);
}

/// Names from a bucket are hostile text.
#[test]
fn names_are_printed_as_text() {
    let mut nights = Nights::new();
    nights.bucket.put("a\u{1b}[31mred\u{202e}.age", "bytes!");
    nights.night();
    let file = nights
        .shelf()
        .join(&nights.paths(offsite::store::Area::Latest)[0]);
    rots(&file, &flip);
    let told = nights.offsite(&["scrub", "--all"]).exits(7);
    let json = nights.offsite(&["scrub", "--all", "--json"]).exits(7);
    let status = nights.offsite(&["status"]);
    for text in [&told.stdout, &told.stderr, &json.stdout, &status.stdout] {
        assert!(
            !text.contains('\u{1b}') && !text.contains('\u{202e}'),
            "{text:?}"
        );
    }
    let json = json.json_lines();
    assert_eq!(json[0]["damaged"][0]["key"], "a\u{1b}[31mred\u{202e}.age");
}

/// What a scrub found stands in the status, and hides no pull that failed.
#[test]
fn the_status_says_when_the_copy_was_read_last_and_how_the_pulls_go() {
    let mut nights = checked();
    let told = nights.offsite(&["status"]);
    told.says(&["  last scrub: ", " UTC, 4 files (24 B), all whole"]);
    let json = nights.offsite(&["status", "--json"]).json_lines();
    assert_eq!(json[0]["sources"][0]["scrubs"][0]["files"], 4);

    nights.keys.secret = "wrong";
    nights.some_night().unwrap_err();
    let failed = |nights: &Nights| {
        let json = nights.offsite(&["status", "--json"]).json_lines();
        json[0]["sources"][0]["last_ended"].clone()
    };
    assert_eq!(failed(&nights), "failed");
    nights.offsite(&["scrub", "--all"]).exits(0);
    assert_eq!(failed(&nights), "failed");
}
