//! A drive alone, mounted read-only.

use crate::support::nights::sha256;
use crate::support::{Namespace, Nights, Output, Running, picture, program};
use crate::{bucket, folder, keys_in, same};
use offsite::catalogue::{Catalogue, JournalMode};
use offsite::object::SourceName;
use std::fs;
use std::process::Command;

/// A drive of three nights, bound read-only in a namespace where `offsite` runs.
struct Plugged {
    nights: Nights,
    space: Namespace,
}

impl Plugged {
    fn new(change: impl FnOnce(&Nights)) -> Self {
        let mut nights = Nights::new();
        for bytes in ["first", "second", "third"] {
            nights.bucket.put("daily.age", bytes);
            nights.bucket.put("../out", bytes);
            nights.night();
        }
        change(&nights);
        let space = Namespace::new();
        let drive = nights.store.path.display().to_string();
        space.sh(&format!(
            "mount --bind '{drive}' '{drive}'; mount -o remount,bind,ro '{drive}'; ! touch '{drive}/x' 2>/dev/null"
        ));
        Self { nights, space }
    }

    /// With nothing but the drive: no home, no configuration, no key.
    fn offsite(&self, args: &[&str]) -> Output {
        let mut command = Command::new(program());
        command
            .args(args)
            .arg("--store")
            .arg(&self.nights.store.path);
        Running::spawn(self.space.inside(&command)).finish()
    }

    fn restore(&self, to: &str, args: &[&str]) -> Output {
        let to = folder(&self.nights, to);
        let fixed = ["restore", "--to", to.to_str().unwrap()];
        self.offsite(&[&fixed, args].concat())
    }

    #[track_caller]
    fn gives_it_all_back(&self) {
        let before = picture(&self.nights.store.path);
        self.restore("all", &["**"]).exits(0);
        same(
            &keys_in(&folder(&self.nights, "all")),
            &bucket(&self.nights),
            "all",
        );
        let first = sha256(b"first").to_string();
        self.restore("first", &["daily.age", "--version", &first])
            .exits(0);
        assert_eq!(
            keys_in(&folder(&self.nights, "first"))["daily.age"],
            b"first"
        );
        assert_eq!(picture(&self.nights.store.path), before);
    }
}

#[test]
#[cfg_attr(without_mounts, ignore = "OFFSITE_TEST_WITHOUT names mounts")]
fn a_read_only_drive_gives_everything_back() {
    Plugged::new(|_| {}).gives_it_all_back();
}

#[test]
#[cfg_attr(without_mounts, ignore = "OFFSITE_TEST_WITHOUT names mounts")]
fn so_does_one_without_its_catalogue() {
    let plugged = Plugged::new(|nights| {
        for entry in fs::read_dir(&nights.store.path).unwrap() {
            let path = entry.unwrap().path();
            if path
                .file_name()
                .unwrap()
                .to_str()
                .unwrap()
                .starts_with("catalogue.db")
            {
                fs::remove_file(path).unwrap();
            }
        }
    });
    // What there is to give back is found there, too.
    let third = sha256(b"third").to_string();
    for (args, words) in [
        (["ls", "--versions"].as_slice(), ["daily.age", "../out"]),
        (&["show", "daily.age"], ["daily.age", &third]),
        (&["log"], ["www", "pull"]),
    ] {
        let told = plugged.offsite(args).exits(0).says(&words);
        assert!(
            told.stderr.contains("reading the journals instead"),
            "{}",
            told.stderr
        );
    }
    plugged.offsite(&["status"]).exits(7);
    plugged.gives_it_all_back();
}

/// The drive was pulled out in the middle of a run: the log of the catalogue is beside it.
#[test]
#[cfg_attr(without_mounts, ignore = "OFFSITE_TEST_WITHOUT names mounts")]
fn so_does_one_with_a_log_left_over() {
    let plugged = Plugged::new(|nights| {
        let path = nights.store.path.join("catalogue.db");
        let mut catalogue = Catalogue::create_or_open(&path, JournalMode::Wal).unwrap();
        let name = SourceName::new("www").unwrap();
        catalogue.ensure_source(&name, "elsewhere", "x/").unwrap();
        drop(catalogue);
        let log = fs::metadata(path.with_extension("db-wal")).unwrap();
        assert!(log.len() > 0);
        let _ = fs::remove_file(path.with_extension("db-shm"));
    });
    plugged.gives_it_all_back();
    let told = plugged.restore("again", &["**"]).exits(0);
    assert!(!told.stderr.contains("journals"), "{}", told.stderr);
}

/// A crash came between the journal and the names: what was not placed yet did not happen.
#[test]
#[cfg_attr(without_mounts, ignore = "OFFSITE_TEST_WITHOUT names mounts")]
fn a_group_that_was_never_placed_is_no_damage() {
    let plugged = Plugged::new(|nights| {
        // As if the last night's group had only been journalled: its files are in incoming/, and
        // what they replaced stands where it stood.
        let digest = nights.versions("daily.age")[0].sha256.unwrap().to_string();
        let files = fs::read_dir(nights.shelf().join("journal")).unwrap();
        let newest = files.map(|file| file.unwrap().path()).max().unwrap();
        let text = fs::read_to_string(&newest).unwrap();
        let mut kept = String::new();
        let mut placed = 0;
        for line in text.lines() {
            kept.push_str(line);
            kept.push('\n');
            let record: serde_json::Value = serde_json::from_str(line).unwrap();
            if record["t"] == "place" && record["sha256"] == digest.as_str() {
                let at = |name: &serde_json::Value| nights.shelf().join(name.as_str().unwrap());
                fs::rename(at(&record["path"]), at(&record["from"])).unwrap();
                fs::rename(at(&record["displaced"]["to"]), at(&record["path"])).unwrap();
                placed += 1;
            }
            if placed > 0 && record["t"] == "group" {
                break;
            }
        }
        assert_eq!(placed, 2);
        assert!(kept.len() < text.len());
        fs::write(newest, kept).unwrap();
        fs::remove_file(nights.store.path.join("catalogue.db")).unwrap();
    });
    let told = plugged.restore("all", &["**"]).exits(3);
    told.says(&["a run was cut off before 2 of its versions had names"]);
    let found = keys_in(&folder(&plugged.nights, "all"));
    assert_eq!(found["daily.age"], b"second");
    assert_eq!(found["../out"], b"second");
}
