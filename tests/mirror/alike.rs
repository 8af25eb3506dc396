//! Night after night the mirror is what the first store is.

use crate::support::Nights;
use crate::support::nights::ms_after;
use crate::{at, copies, files, is_whole, last_json, mirror, mirror_of, rows, same_rows};
use fastrand::Rng;
use offsite::demo::bucket::Versioning;
use offsite::object::Severity;
use offsite::store::names;
use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

const NIGHTS: u32 = 16;

/// Names that rotate, clash, fold, or are written once.
const KEYS: [&str; 10] = [
    "db.sql.age",
    "weekly-3",
    "docs",
    "docs/a",
    "docs/a/b",
    "É",
    "é",
    "README",
    "Readme",
    FORBIDDEN,
];

const FORBIDDEN: &str = "a \"b\": c.";

/// Things happen to the bucket, at most one to each key.
fn day(nights: &Nights, rng: &mut Rng, night: u32) {
    let daily = format!("daily-2026-11-{:02}.age", night + 1);
    nights.bucket.put(&daily, format!("night {night}"));
    if night == 0 {
        nights.bucket.put(FORBIDDEN, "names that Windows forbids");
    }
    for key in KEYS {
        match (rng.u8(..6), nights.bucket.get(key)) {
            (0, Some(_)) => drop(nights.bucket.delete(key)),
            (1, Some(bytes)) => drop(nights.bucket.put(key, bytes)),
            (2 | 3, _) => {
                let bytes = vec![b'0' + rng.u8(..3); 1 + rng.usize(..3)];
                nights.bucket.put(key, bytes);
            }
            (4, _) => drop(nights.bucket.put(key, rng.u64(..).to_string())),
            _ => {}
        }
    }
    // A name that is written once, changed late: held until the owner accepts it.
    if night % 5 == 4 {
        nights
            .bucket
            .put("daily-2026-11-01.age", format!("other {night}"));
    }
}

/// Lets in what is held.
fn accept_one(nights: &Nights) {
    let open = nights.catalogue().findings(true).unwrap();
    let held = open
        .iter()
        .find(|row| row.finding.kind == "write-once-changed");
    if let Some(row) = held {
        nights.ack(&row.finding.id, true).unwrap();
    }
    let other = open
        .iter()
        .find(|row| row.finding.severity == Severity::Warning);
    if let Some(row) = other {
        nights.ack(&row.finding.id, false).unwrap();
    }
}

/// Nights with a mirror that follows after some of them.
fn lived(mut nights: Nights, versioning: Versioning, seed: u64) -> Nights {
    nights.bucket.set_versioning(versioning);
    let mut rng = Rng::with_seed(seed);
    for night in 0..NIGHTS {
        day(&nights, &mut rng, night);
        nights.some_night().unwrap();
        if night % 7 == 6 {
            accept_one(&nights);
        }
        if rng.bool() {
            mirror(&nights, &[]).exits(0);
            same_rows(&nights, &format!("night {night}"));
        }
    }
    mirror(&nights, &[]).exits(0);
    nights
}

/// Nights without a mirror.
pub(crate) fn late(seed: u64) -> Nights {
    let mut nights = Nights::new();
    let mut rng = Rng::with_seed(seed);
    for night in 0..NIGHTS {
        day(&nights, &mut rng, night);
        nights.some_night().unwrap();
        if night % 7 == 6 {
            accept_one(&nights);
        }
    }
    nights
}

/// What a store gives back of a moment, by key.
fn restored(store: &Path, name: &str, moment: &str) -> BTreeMap<String, Vec<u8>> {
    let to = store.parent().unwrap().join(name);
    let args = [
        "restore",
        "**",
        "--to",
        to.to_str().unwrap(),
        "--at",
        moment,
    ];
    at(store, &args).exits(0);
    let mut found = BTreeMap::new();
    crate::support::program::each_file(&to, &mut |path, bytes| {
        let path = path.strip_prefix(&to).unwrap().to_str().unwrap();
        let key = names::key_of(&format!("latest/{path}")).unwrap();
        found.insert(key.as_str().to_owned(), bytes.to_vec());
    });
    found
}

#[track_caller]
fn is_alike(nights: &Nights, seed: u64, same_names: bool) {
    let (first, second) = (&nights.store.path, &mirror_of(nights));
    same_rows(nights, "at the end");
    if same_names {
        let (of_first, of_second) = (files(first), files(second));
        let names = |files: &BTreeMap<String, Vec<u8>>| files.keys().cloned().collect::<Vec<_>>();
        assert_eq!(names(&of_first), names(&of_second));
        assert!(of_first == of_second, "other bytes under the same names");
    }
    is_whole(second);
    let mut rng = Rng::with_seed(seed);
    let now = nights.clock.now();
    for number in 0..8 {
        let moment = ms_after(now, -rng.i64(0..i64::from(NIGHTS - 1) * 86_400_000)).to_string();
        let of_first = restored(first, &format!("first-{number}"), &moment);
        let of_second = restored(second, &format!("second-{number}"), &moment);
        assert!(of_first == of_second, "at {moment}");
    }
    let says = |store: &Path, args: &[&str]| at(store, args).stdout;
    for args in [
        &["log", "--events", "--json"][..],
        &["show", "daily-2026-11-01.age", "--json"],
    ] {
        let strip = |text: String| {
            text.lines()
                .map(|line| {
                    let mut json: serde_json::Value = serde_json::from_str(line).unwrap();
                    strip_own(&mut json);
                    json
                })
                .collect::<Vec<_>>()
        };
        let (mut one, mut other) = (strip(says(first, args)), strip(says(second, args)));
        let text = |json: &serde_json::Value| json.to_string();
        one.sort_by_key(text);
        other.sort_by_key(text);
        assert_eq!(one, other, "{args:?}");
    }
    let open = |store: &Path| {
        let said = at(store, &["status", "--json"]);
        let status: serde_json::Value = serde_json::from_str(&said.stdout).unwrap();
        let ids = status["findings"].as_array().unwrap().iter();
        let mut ids: Vec<String> = ids.map(|f| f["id"].to_string()).collect();
        ids.sort();
        (ids, status["sources"][0]["last_complete_pull"].clone())
    };
    assert_eq!(open(first), open(second));
}

/// What is each store's own: names on the drive, numbers of runs.
fn strip_own(json: &mut serde_json::Value) {
    match json {
        serde_json::Value::Object(fields) => {
            for own in ["path", "run", "id"] {
                fields.remove(own);
            }
            fields.values_mut().for_each(strip_own);
        }
        serde_json::Value::Array(all) => all.iter_mut().for_each(strip_own),
        _ => {}
    }
}

#[test]
fn a_mirror_is_what_the_first_store_is_night_after_night() {
    let nights = lived(Nights::new(), Versioning::Off, 21);
    is_alike(&nights, 1, true);
}

#[test]
fn so_it_is_of_a_versioned_bucket() {
    let nights = lived(Nights::new(), Versioning::Enabled, 22);
    is_alike(&nights, 2, true);
}

#[test]
fn a_mirror_made_late_is_the_same() {
    let nights = late(23);
    mirror(&nights, &[]).exits(0);
    is_alike(&nights, 3, true);
}

/// The first store's drive folds names and forbids characters, the mirror's does not.
#[test]
fn drives_may_name_the_files_otherwise() {
    let nights = lived(Nights::portable(), Versioning::Off, 24);
    is_alike(&nights, 4, false);
    let latest = format!("www/latest/{FORBIDDEN}");
    assert!(files(&mirror_of(&nights)).contains_key(&latest));
    assert!(!files(&nights.store.path).contains_key(&latest));
}

/// The other way round: the mirror's drive folds and forbids.
#[test]
fn so_may_the_mirrors_drive() {
    let mut nights = Nights::new();
    mirror(&nights, &[]).exits(0);
    let marker = mirror_of(&nights).join(offsite::store::MARKER);
    let text = std::fs::read_to_string(&marker).unwrap();
    let text = text
        .replace("naming = \"posix\"", "naming = \"portable\"")
        .replace("folds_case = false", "folds_case = true")
        .replace("normalises = false", "normalises = true");
    assert!(text.contains("portable") && !text.contains("_case = false"));
    std::fs::write(&marker, text).unwrap();
    nights.bucket.put("README", "one");
    nights.bucket.put("Readme", "two");
    nights.bucket.put("a: b", "three");
    nights.night();
    nights.bucket.put("Readme", "two again");
    nights.night();
    mirror(&nights, &[]).exits(0);
    same_rows(&nights, "a folding mirror");
    is_whole(&mirror_of(&nights));
    let folded = files(&mirror_of(&nights));
    let mut names: Vec<String> = folded.keys().map(|k| names::fold(k)).collect();
    names.sort();
    names.dedup();
    assert_eq!(names.len(), folded.len(), "{:?}", folded.keys());
    assert!(folded.keys().all(|name| !name.contains(':')));
}

#[test]
fn only_what_is_missing_is_copied() {
    let mut nights = Nights::new();
    nights.bucket.put("a.age", "one");
    nights.bucket.put("b.age", "two");
    nights.night();
    let said = mirror(&nights, &[]).exits(0);
    said.says(&["is a new mirror", "www: complete; 2 versions copied"]);
    assert_eq!(copies(&nights), 0);
    nights.bucket.put("b.age", "three");
    nights.bucket.put("c.age", "four");
    nights.night();
    assert_eq!(copies(&nights), 2);
    assert_eq!(copies(&nights), 0);
    same_rows(&nights, "two nights");
    // The head is the first store's.
    let head = nights.catalogue().sources().unwrap()[0].head.unwrap();
    let said = mirror(&nights, &["--json"]).exits(0);
    assert_eq!(last_json(&said)["head"], head.to_string());
}

#[test]
fn nothing_is_removed_because_the_first_store_or_the_bucket_lost_it() {
    let mut nights = Nights::new();
    for key in ["a.age", "b.age", "c.age"] {
        nights.bucket.put(key, format!("bytes of {key}"));
    }
    nights.night();
    nights.bucket.put("b.age", "newer");
    nights.night();
    mirror(&nights, &[]).exits(0);
    let before = files(&mirror_of(&nights));
    nights.bucket.delete("a.age");
    nights.some_night().unwrap();
    // Lost by hand, and found out by a rebuild, which says so in the journal.
    for path in files(&nights.store.path).keys() {
        std::fs::remove_file(nights.store.path.join(path)).unwrap();
    }
    at(&nights.store.path, &["catalogue", "rebuild"]).exits(7);
    let said = mirror(&nights, &[]).exits(7);
    said.says(&[
        "DAMAGED www b.age: ",
        "the mirror has it: `offsite restore --version ",
    ]);
    assert_eq!(files(&mirror_of(&nights)), before);
    is_whole(&mirror_of(&nights));
    let gone = rows(&mirror_of(&nights));
    let a = gone.iter().find(|row| row["key"] == "a.age").unwrap();
    assert_eq!(
        (&a["in_bucket"], &a["state"]),
        (&"gone".into(), &"stored".into())
    );
}

/// `sha256sum -c`, restore, check and rebuild, with nothing but the mirror.
#[test]
fn a_mirror_stands_alone() {
    let nights = lived(Nights::new(), Versioning::Off, 25);
    let second = mirror_of(&nights);
    let wanted = rows(&nights.store.path);
    let names = files(&second);
    let aside = nights.folder().join("aside");
    std::fs::rename(&nights.store.path, &aside).unwrap();
    for sums in ["SHA256SUMS", "history.SHA256SUMS"] {
        let check = Command::new("sha256sum")
            .args(["--quiet", "-c", sums])
            .current_dir(second.join("www"))
            .output()
            .unwrap();
        assert!(check.status.success(), "{check:?}");
    }
    is_whole(&second);
    std::fs::remove_file(second.join("catalogue.db")).unwrap();
    at(&second, &["catalogue", "rebuild", "--deep"]).exits(0);
    assert_eq!(rows(&second), wanted);
    assert_eq!(files(&second), names);
    // And it goes on following after that.
    std::fs::rename(&aside, &nights.store.path).unwrap();
    assert_eq!(copies(&nights), 0);
}

#[test]
fn a_mirror_of_a_mirror_is_the_same_too() {
    let nights = lived(Nights::new(), Versioning::Enabled, 26);
    let (second, third) = (mirror_of(&nights), nights.folder().join("third"));
    let args = ["mirror", "--allow-root-fs", "--to", third.to_str().unwrap()];
    at(&second, &args).exits(0);
    assert_eq!(rows(&third), rows(&nights.store.path));
    assert!(files(&third) == files(&second));
    is_whole(&third);
}

/// Files of the first store rot and are mended, night by night.
#[test]
fn whatever_rots_for_a_while_comes_in_the_end() {
    let mut nights = Nights::new();
    let mut rng = Rng::with_seed(27);
    let mut pending = 0;
    for night in 0..NIGHTS {
        day(&nights, &mut rng, night);
        nights.some_night().unwrap();
        let all: Vec<_> = files(&nights.store.path).into_iter().collect();
        let mut rotten = BTreeMap::new();
        for _ in 0..3 {
            let (path, bytes) = &all[rng.usize(..all.len())];
            rotten.insert(nights.store.path.join(path), bytes.clone());
        }
        for file in rotten.keys() {
            std::fs::write(file, "rot").unwrap();
        }
        let said = mirror(&nights, &[]);
        assert!(
            [0, 7].contains(&said.code()),
            "{}{}",
            said.stdout,
            said.stderr
        );
        pending += u32::from(said.code() == 7);
        is_whole(&mirror_of(&nights));
        for (file, bytes) in rotten {
            std::fs::write(file, bytes).unwrap();
        }
    }
    assert!(pending > 3, "{pending} runs met rot");
    mirror(&nights, &[]).exits(0);
    is_whole(&mirror_of(&nights));
    same_rows(&nights, "all mended");
}

/// What is written to a copy later shows by its file's time: that is when the bytes came, not when they
/// were mirrored.
#[test]
fn a_copy_is_as_old_as_the_file_that_it_is_of() {
    let mut nights = Nights::new();
    nights.bucket.put("daily.age", "first.");
    nights.night();
    nights.bucket.put("daily.age", "second");
    nights.night();
    mirror(&nights, &[]).exits(0);
    let told = at(&mirror_of(&nights), &["scrub", "--all"]).exits(0);
    assert!(!told.stdout.contains("somebody wrote"), "{}", told.stdout);
}
