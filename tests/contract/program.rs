//! The program on every server: what comes home, and what it cost.

use crate::ground::{Ground, Requests, requests};
use crate::support::Home;
use crate::{NEIGHBOURS, SPELLINGS, bytes};
use offsite::demo::bucket::Checksum;
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::Path;

/// One pull, which must go well, and its requests. The bucket is as it was afterwards (P1), and
/// the run's own record has every request.
fn pull(ground: &Ground, home: &Home) -> Requests {
    pull_ends(ground, home, 0)
}

/// The same, of a pull that finds out that something was deleted; the owner says that it is well.
fn pull_after_a_deletion(ground: &Ground, home: &Home) -> Requests {
    let seen = pull_ends(ground, home, 4);
    let status = home.run(["status", "--json"]).exits(4).json_lines();
    let findings = status[0]["findings"].as_array().unwrap();
    assert_eq!(findings.len(), 1, "{findings:?}");
    assert_eq!(findings[0]["kind"], "deleted");
    home.run(["ack", findings[0]["id"].as_str().unwrap()])
        .exits(0);
    seen
}

fn pull_ends(ground: &Ground, home: &Home, code: i32) -> Requests {
    let before = ground.told();
    let (_, mut seen) = ground.watch(|| home.run(["pull"]).exits(code));
    assert_eq!(
        ground.told(),
        before,
        "P1: a pull changes nothing at the source"
    );
    let recorded = last_run(home)["counts"]["requests"].as_u64();
    assert_eq!(recorded, Some(seen.values().sum()), "the run's own count");
    let asked = seen.remove("GetBucketVersioning");
    assert_eq!(asked, Some(1), "whether the bucket keeps versions");
    let locks = seen.remove("GetObjectLockConfiguration");
    let versions = seen.contains_key("ListObjectVersions");
    assert_eq!(locks, versions.then_some(1), "whether it locks them");
    let asked = seen.remove("GetBucketLifecycleConfiguration");
    assert_eq!(asked, Some(1), "what its own rules delete");
    seen
}

fn last_run(home: &Home) -> Value {
    let log = home.run(["log", "--json", "-n", "1"]).exits(0);
    log.json_lines().remove(0)
}

/// `ls --json`, by key.
fn rows(home: &Home) -> BTreeMap<String, Value> {
    let ls = home.run(["ls", "--json"]).exits(0);
    let by_key = |row: Value| (row["key"].as_str().unwrap().to_owned(), row);
    ls.json_lines().into_iter().map(by_key).collect()
}

/// Every version of `key`, newest first.
fn versions(home: &Home, key: &str) -> Vec<Value> {
    let ls = home.run(["ls", "--json", "--versions", key]).exits(0);
    ls.json_lines()
}

/// The bytes that a row says are on the drive.
fn kept(home: &Home, row: &Value) -> Vec<u8> {
    let path = row["path"]
        .as_str()
        .unwrap_or_else(|| panic!("no path: {row}"));
    std::fs::read(home.store().join(path)).unwrap()
}

/// The files that hold the copy, with their bytes, relative to the source's folder.
fn files(home: &Home) -> BTreeMap<String, Vec<u8>> {
    let source = home.store().join("www");
    let mut files = BTreeMap::new();
    for folder in ["latest", "history", "quarantine"] {
        walk(&source.join(folder), &mut |path| {
            let name = path.strip_prefix(&source).unwrap().to_str().unwrap();
            files.insert(name.to_owned(), std::fs::read(path).unwrap());
        });
    }
    files
}

fn walk(folder: &Path, each: &mut impl FnMut(&Path)) {
    let Ok(entries) = std::fs::read_dir(folder) else {
        return;
    };
    for entry in entries {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true => walk(&path, each),
            false => each(&path),
        }
    }
}

const LIST: (&str, u64) = ("ListObjectsV2", 1);
const LIST_VERSIONS: (&str, u64) = ("ListObjectVersions", 1);

pub fn hostile_neighbours_come_home_complete(ground: &Ground) {
    let keys = || NEIGHBOURS.into_iter().chain(SPELLINGS);
    for key in keys() {
        ground.put(key, key.as_bytes());
    }
    let home = ground.home();
    let seen = pull(ground, &home);
    assert_eq!(seen, requests([LIST, ("GetObject", keys().count() as u64)]));
    let rows = rows(&home);
    assert_eq!(rows.len(), keys().count());
    for key in keys() {
        let row = &rows[key];
        assert_eq!(kept(&home, row), key.as_bytes(), "{row}");
        assert_eq!(
            (&row["state"], &row["in_bucket"]),
            (&"stored".into(), &"current".into())
        );
        assert_eq!(row["evidence"], "provider", "an MD5 as ETag: {row}");
    }
    assert_eq!(files(&home).len(), rows.len(), "no file besides");
    home.run(["catalogue", "check", "--deep"]).exits(0);
}

/// Whatever of the uploader's checksums a server keeps, and whatever it tells of them.
pub fn checksums_of_every_kind_contradict_nothing(ground: &Ground) {
    for checksum in Checksum::ALL {
        let name = checksum.as_str().to_ascii_lowercase();
        ground.put_with_checksum(&name, name.as_bytes(), checksum);
    }
    // In parts, though the checksum is over all of it: one HEAD for how the parts lie.
    ground.put_parts_with_crc32c("parts", &bytes(6 << 20, 9), 5 << 20);
    let home = ground.home();
    let seen = pull(ground, &home);
    assert_eq!(seen, requests([LIST, ("HeadObject", 1), ("GetObject", 6)]));
    for row in rows(&home).values() {
        assert_eq!(row["state"], "stored", "{row}");
        assert_eq!(row["evidence"], "provider", "the ETag, at least: {row}");
    }
    home.run(["status"]).exits(0);
}

/// More than one page: a pull is the pages and a request an object, and the next one the pages
/// alone.
pub fn a_first_pull_is_the_pages_and_a_get_each(ground: &Ground) {
    const OBJECTS: usize = 1010;
    for n in 0..OBJECTS {
        ground.put(&format!("site/{n}.age"), n.to_string().as_bytes());
    }
    let home = ground.home();
    let seen = pull(ground, &home);
    let pages = ("ListObjectsV2", 2);
    assert_eq!(seen, requests([pages, ("GetObject", OBJECTS as u64)]));
    let before = files(&home);
    assert_eq!(before.len(), OBJECTS);
    assert_eq!(pull(ground, &home), requests([pages]), "nothing changed");
    assert!(files(&home) == before);
}

pub fn the_same_bytes_again_are_one_get_and_no_file(ground: &Ground) {
    ground.put("site/a.tar", b"the same");
    ground.put("site/b.tar", b"another");
    let home = ground.home();
    pull(ground, &home);
    let (first, before) = (rows(&home), files(&home));
    ground.put_later("site/a.tar", b"the same", &ground.told());
    assert_eq!(pull(ground, &home), requests([LIST, ("GetObject", 1)]));
    assert_eq!(files(&home), before);
    let run = last_run(&home);
    assert_eq!(
        (&run["counts"]["touched"], &run["counts"]["stored"]),
        (&1.into(), &0.into())
    );
    let now = rows(&home);
    assert_ne!(
        now["site/a.tar"]["last_modified"],
        first["site/a.tar"]["last_modified"]
    );
    assert_eq!(now["site/a.tar"]["path"], first["site/a.tar"]["path"]);
    assert_eq!(pull(ground, &home), requests([LIST]), "known from now on");
    home.run(["status"]).exits(0);
}

pub fn a_replaced_object_goes_to_history(ground: &Ground) {
    ground.put("site/a.tar", b"first");
    let home = ground.home();
    pull(ground, &home);
    ground.put("site/a.tar", b"second");
    assert_eq!(pull(ground, &home), requests([LIST, ("GetObject", 1)]));
    assert_eq!(kept(&home, &rows(&home)["site/a.tar"]), b"second");
    let all = versions(&home, "site/a.tar");
    let words = |row: &Value| (row["in_bucket"].clone(), kept(&home, row));
    let mut all: Vec<_> = all.iter().map(words).collect();
    all.sort_by_key(|(in_bucket, _)| in_bucket.to_string());
    let expected = [("current", &b"second"[..]), ("gone", b"first")];
    assert_eq!(
        all,
        expected.map(|(word, bytes)| (word.into(), bytes.to_vec()))
    );
    let files = files(&home);
    let history: Vec<_> = files
        .iter()
        .filter(|(path, _)| path.starts_with("history/"))
        .collect();
    assert_eq!(history.len(), 1, "{history:?}");
    assert!(
        history[0].0.starts_with("history/site/a.tar/%v"),
        "{history:?}"
    );
    home.run(["status"]).exits(0);
    home.run(["catalogue", "check", "--deep"]).exits(0);
}

pub fn a_deleted_object_is_one_head_and_stays(ground: &Ground) {
    ground.put("site/a.tar", b"kept");
    ground.put("site/b.tar", b"there");
    let home = ground.home();
    pull(ground, &home);
    let (told, before) = (ground.told(), files(&home));
    ground.delete("site/a.tar");
    let asked = requests([LIST, ("HeadObject", 1)]);
    assert_eq!(pull_after_a_deletion(ground, &home), asked);
    let now = rows(&home);
    assert_eq!(now["site/a.tar"]["in_bucket"], "gone");
    assert_eq!(now["site/a.tar"]["state"], "stored");
    assert_eq!(now["site/b.tar"]["in_bucket"], "current");
    assert_eq!(files(&home), before, "P2: what is gone there stays here");
    assert_eq!(pull(ground, &home), requests([LIST]), "asked once");
    ground.put_later("site/a.tar", b"kept", &told);
    assert_eq!(pull(ground, &home), requests([LIST, ("GetObject", 1)]));
    assert_eq!(rows(&home)["site/a.tar"]["in_bucket"], "current");
    assert_eq!(files(&home), before, "back, and the same file");
}

/// What we hold of a version by its id, and what the bucket shows of it.
fn shown(home: &Home, key: &str, id: &str) -> (String, String, Vec<u8>) {
    let mut all = versions(home, key).into_iter();
    let row = all
        .find(|row| row["version_id"] == id)
        .unwrap_or_else(|| panic!("no version {id} of {key}"));
    let word = |name: &str| row[name].as_str().unwrap().to_owned();
    (word("state"), word("in_bucket"), kept(home, &row))
}

fn stored(in_bucket: &str, bytes: &[u8]) -> (String, String, Vec<u8>) {
    ("stored".to_owned(), in_bucket.to_owned(), bytes.to_vec())
}

pub fn every_version_that_the_bucket_holds_comes_home(ground: &Ground) {
    ground.enable_versioning();
    let large = bytes((33 << 20) + 1, 11);
    let older = ground.put("site/a.tar", b"older").unwrap();
    let newer = ground.put("site/a.tar", b"newer").unwrap();
    let big = ground.put("site/big.tar", &large).unwrap();
    let little = ground.put("site/big.tar", b"little").unwrap();
    let hidden = ground.put("site/b.tar", b"to be hidden").unwrap();
    let home = ground.home();
    let ranges = (large.len() as u64).div_ceil(2 << 20);
    let all = [LIST_VERSIONS, ("GetObject", 4 + ranges), ("HeadObject", 1)];
    assert_eq!(pull(ground, &home), requests(all));
    assert_eq!(
        shown(&home, "site/a.tar", &newer),
        stored("current", b"newer")
    );
    assert_eq!(
        shown(&home, "site/a.tar", &older),
        stored("noncurrent", b"older")
    );
    assert_eq!(
        shown(&home, "site/big.tar", &little),
        stored("current", b"little")
    );
    assert!(shown(&home, "site/big.tar", &big) == stored("noncurrent", &large));
    assert_eq!(kept(&home, &rows(&home)["site/a.tar"]), b"newer");
    assert_eq!(pull(ground, &home), requests([LIST_VERSIONS]));

    let newest = ground.put("site/a.tar", b"newest").unwrap();
    let marker = ground.delete("site/b.tar").unwrap();
    let expected = requests([LIST_VERSIONS, ("GetObject", 1)]);
    assert_eq!(pull_after_a_deletion(ground, &home), expected);
    assert_eq!(
        shown(&home, "site/a.tar", &newest),
        stored("current", b"newest")
    );
    assert_eq!(
        shown(&home, "site/a.tar", &newer),
        stored("noncurrent", b"newer")
    );
    let behind = stored("hidden", b"to be hidden");
    assert_eq!(
        shown(&home, "site/b.tar", &hidden),
        behind,
        "a delete marker"
    );

    ground.delete_version("site/b.tar", &marker);
    ground.delete_version("site/a.tar", &older);
    let expected = [LIST_VERSIONS, ("HeadObject", 1)];
    assert_eq!(
        pull(ground, &home),
        requests(expected),
        "is it really gone?"
    );
    assert_eq!(shown(&home, "site/a.tar", &older), stored("gone", b"older"));
    assert_eq!(
        shown(&home, "site/b.tar", &hidden),
        stored("current", b"to be hidden")
    );
    assert_eq!(pull(ground, &home), requests([LIST_VERSIONS]));
    home.run(["status"]).exits(0);
    home.run(["catalogue", "check", "--deep"]).exits(0);
}

pub fn versioning_switched_on_later_fetches_nothing(ground: &Ground) {
    ground.put("site/a.tar", b"1");
    ground.put("site/2026-11-21.age", b"2");
    ground.put_parts("site/parts.age", &bytes(6 << 20, 12), 5 << 20);
    let home = ground.home();
    pull(ground, &home);
    ground.enable_versioning();
    assert_eq!(pull(ground, &home), requests([LIST_VERSIONS]));
    let newer = ground.put("site/a.tar", b"3").unwrap();
    let expected = [LIST_VERSIONS, ("GetObject", 1)];
    assert_eq!(pull(ground, &home), requests(expected));
    assert_eq!(shown(&home, "site/a.tar", &newer), stored("current", b"3"));
    let of_old = |row: &Value| (row["version_id"].is_null(), row["in_bucket"].clone());
    let all: Vec<_> = versions(&home, "site/a.tar").iter().map(of_old).collect();
    assert!(all.contains(&(true, "noncurrent".into())), "{all:?}");
    assert_eq!(pull(ground, &home), requests([LIST_VERSIONS]));
    home.run(["status"]).exits(0);
}

/// The version `null`, by its own name: it is no longer what a plain GET answers.
pub fn what_was_there_before_versioning_comes_home_too(ground: &Ground) {
    ground.put("site/a.tar", b"before");
    let parts = bytes(6 << 20, 13);
    ground.put_parts("site/parts.age", &parts, 5 << 20);
    ground.enable_versioning();
    let after = ground.put("site/a.tar", b"after").unwrap();
    let home = ground.home();
    pull(ground, &home);
    assert!(kept(&home, &rows(&home)["site/parts.age"]) == parts);
    assert_eq!(
        shown(&home, "site/a.tar", &after),
        stored("current", b"after")
    );
    let held: Vec<_> = versions(&home, "site/a.tar")
        .iter()
        .map(|row| (row["in_bucket"].clone(), kept(&home, row)))
        .collect();
    assert!(
        held.contains(&("noncurrent".into(), b"before".to_vec())),
        "{held:?}"
    );
    assert_eq!(pull(ground, &home), requests([LIST_VERSIONS]));
}
