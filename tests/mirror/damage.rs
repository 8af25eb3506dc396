//! What is not whole in the first store is not mirrored, and said until it is.

use crate::support::Nights;
use crate::support::nights::sha256;
use crate::{at, copies, files, is_whole, last_json, mirror, mirror_of, rows, same_rows};
use offsite::demo::bucket::{Fault, Faults};
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

type Harm = fn(&Path);

const HARMS: [(&str, Harm, &str); 7] = [
    (
        "a flipped bit",
        |file| {
            let mut bytes = fs::read(file).unwrap();
            bytes[1] ^= 1;
            fs::write(file, bytes).unwrap();
        },
        "has the SHA-256",
    ),
    (
        "truncation",
        |file| {
            let bytes = fs::read(file).unwrap();
            fs::write(file, &bytes[..2]).unwrap();
        },
        "has 2 bytes instead of 6",
    ),
    (
        "emptied",
        |file| fs::write(file, "").unwrap(),
        "has 0 bytes",
    ),
    (
        "longer",
        |file| {
            let bytes = fs::read(file).unwrap();
            fs::write(file, [&bytes[..], b"and much more"].concat()).unwrap();
        },
        "has more than 6 bytes",
    ),
    (
        "deleted",
        |file| fs::remove_file(file).unwrap(),
        "its file is missing there",
    ),
    (
        "a link in its place",
        |file| {
            fs::remove_file(file).unwrap();
            std::os::unix::fs::symlink("/etc/hostname", file).unwrap();
        },
        "symbolic link",
    ),
    (
        "a folder in its place",
        |file| {
            fs::remove_file(file).unwrap();
            fs::create_dir(file).unwrap();
        },
        "its file is missing there",
    ),
];

fn file_of(nights: &Nights, key: &str, bytes: &str) -> PathBuf {
    let all = nights.versions(key).into_iter();
    let mut those = all.filter(|v| v.sha256 == Some(sha256(bytes.as_bytes())));
    nights.store.path.join(those.next().unwrap().path.unwrap())
}

/// Everything in a store but what SQLite has open for a moment, to see that nothing was written.
fn picture(store: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut picture = BTreeMap::new();
    crate::support::program::each_file(store, &mut |path, bytes| {
        picture.insert(path.to_owned(), bytes.to_vec());
    });
    picture
}

/// Four versions of one key, of which the last is gone from the bucket, and one that stays.
fn nights() -> Nights {
    let mut nights = Nights::new();
    nights.bucket.put("other.age", "stays.");
    for bytes in ["first.", "second", "third!", "fourth"] {
        nights.bucket.put("daily.age", bytes);
        nights.night();
    }
    nights.bucket.delete("daily.age");
    nights.some_night().unwrap();
    nights
}

#[test]
fn rot_is_named_and_not_mirrored_and_what_is_mended_comes_later() {
    for (what, harm, said) in HARMS {
        // In latest/ and gone from the bucket; in history/.
        for bytes in ["fourth", "second"] {
            let nights = nights();
            let file = file_of(&nights, "daily.age", bytes);
            harm(&file);
            let told = mirror(&nights, &[]).exits(7);
            let told = told.says(&["DAMAGED www daily.age: ", said, "4 versions copied"]);
            assert!(
                told.stdout.contains("1 DAMAGED in the first store"),
                "{what}"
            );
            let wrong = sha256(bytes.as_bytes()).to_string();
            let row = |state: &str| {
                let rows = rows(&mirror_of(&nights));
                rows.iter().filter(|row| row["state"] == state).count()
            };
            assert_eq!((row("pending"), row("stored")), (1, 4), "{what}");
            is_whole(&mirror_of(&nights));
            let held = files(&mirror_of(&nights));
            assert!(
                held.values().all(|b| sha256(b).to_string() != wrong),
                "{what}"
            );
            // It is said again, and nothing is copied.
            let again = mirror(&nights, &["--json"]).exits(7);
            assert_eq!(last_json(&again)["versions"], 0, "{what}");
            assert_eq!(again.json_lines()[0]["sha256"], wrong, "{what}");

            if file.is_dir() {
                fs::remove_dir(&file).unwrap();
            }
            let _ = fs::remove_file(&file);
            fs::write(&file, bytes).unwrap();
            assert_eq!(copies(&nights), 1, "{what}");
            same_rows(&nights, what);
            is_whole(&mirror_of(&nights));
            assert_eq!(copies(&nights), 0, "{what}");
        }
    }
}

#[test]
fn the_same_bytes_under_another_name_of_the_first_store_do() {
    let mut nights = Nights::new();
    for bytes in ["one", "two", "one"] {
        nights.bucket.put("k.age", bytes);
        nights.night();
    }
    fs::write(nights.shelf().join("latest/k.age"), "rot").unwrap();
    mirror(&nights, &[]).exits(0);
    same_rows(&nights, "one of two files rotted");
    is_whole(&mirror_of(&nights));
}

#[test]
fn what_is_here_already_is_not_read_again_there() {
    let nights = nights();
    mirror(&nights, &[]).exits(0);
    fs::write(nights.shelf().join("latest/other.age"), "rotten").unwrap();
    assert_eq!(copies(&nights), 0);
    assert_eq!(
        files(&mirror_of(&nights))["www/latest/other.age"],
        b"stays."
    );
}

/// The first store is only read, whatever its index is like; what the mirror has is the same.
#[test]
fn the_first_store_is_read_without_a_good_catalogue_too_and_never_written() {
    for what in ["whole", "missing", "damaged", "stale", "torn"] {
        let mut nights = nights();
        let catalogue = nights.store.path.join("catalogue.db");
        let old = fs::read(&catalogue).unwrap();
        nights.bucket.put("new.age", "new");
        nights.night();
        match what {
            "missing" => fs::remove_file(&catalogue).unwrap(),
            "damaged" => fs::write(&catalogue, "no catalogue").unwrap(),
            "stale" => fs::write(&catalogue, old).unwrap(),
            "torn" => {
                let journals = fs::read_dir(nights.shelf().join("journal")).unwrap();
                let last = journals.map(|f| f.unwrap().path()).max().unwrap();
                let mut text = fs::read(&last).unwrap();
                text.extend_from_slice(b"{\"t\":\"event\",\"kind\":\"x");
                fs::write(&last, text).unwrap();
            }
            _ => {}
        }
        let before = picture(&nights.store.path);
        mirror(&nights, &[]).exits(0);
        assert!(picture(&nights.store.path) == before, "{what}");
        is_whole(&mirror_of(&nights));
        assert_eq!(
            files(&mirror_of(&nights)),
            files(&nights.store.path),
            "{what}"
        );
        assert_eq!(copies(&nights), 0, "{what}");
    }
}

#[test]
fn poison_is_mirrored_to_quarantine_and_the_alarm_with_it() {
    let mut nights = Nights::new();
    nights.bucket.put("db.age", "good bytes");
    nights.night();
    nights.bucket.put("db.age", "next bytes");
    nights.faults(Faults {
        flip: Some(Fault::new(0).on(|key| key == "db.age")),
        ..Faults::default()
    });
    nights.night();
    mirror(&nights, &[])
        .exits(0)
        .says(&["1 of them QUARANTINED"]);
    same_rows(&nights, "poisoned");
    is_whole(&mirror_of(&nights));
    let lies = |store: &Path| {
        let mut found = Vec::new();
        let folder = store.join("www/quarantine");
        crate::support::program::each_file(&folder, &mut |path, bytes| {
            let path = path.strip_prefix(store).unwrap().to_owned();
            found.push((path, bytes.to_vec()));
        });
        found.sort();
        found
    };
    assert_eq!(lies(&mirror_of(&nights)), lies(&nights.store.path));
    assert_eq!(lies(&nights.store.path).len(), 2, "the bytes and a note");
    at(&mirror_of(&nights), &["status"]).exits(4);

    // The owner's word comes too.
    let finding = nights.catalogue().findings(true).unwrap().pop().unwrap();
    nights.ack(&finding.finding.id, false).unwrap();
    nights.faults(Faults::default());
    nights.night();
    mirror(&nights, &[]).exits(0);
    same_rows(&nights, "came right");
    let said = at(&mirror_of(&nights), &["status", "--json"]);
    assert_ne!(said.code(), 4, "{}", said.stdout);
}

/// A folder stands where the mirror's file belongs: nothing of that batch is recorded, nor that it was
/// taken.
#[test]
fn what_cannot_be_filed_is_not_passed_over() {
    let mut nights = nights();
    mirror(&nights, &[]).exits(0);
    nights.bucket.put("new.age", "new");
    nights.night();
    let folder = mirror_of(&nights).join("www/latest/new.age");
    fs::create_dir(&folder).unwrap();
    mirror(&nights, &[]).exits(1).says(&["a folder stands at"]);
    mirror(&nights, &[]).exits(1);
    fs::remove_dir(folder).unwrap();
    assert_eq!(copies(&nights), 1);
    same_rows(&nights, "the folder is gone");
    is_whole(&mirror_of(&nights));
}
