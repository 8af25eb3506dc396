//! `offsite adopt`: what another tool downloaded is taken over where the bucket proves it, and
//! nothing is downloaded twice; the rest is named and left.
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used
)]

#[path = "adopt/kills.rs"]
mod kills;
#[path = "adopt/left.rs"]
mod left;
mod support;
#[path = "adopt/tools.rs"]
mod tools;

use std::collections::BTreeMap;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use support::program::each_file;
use support::{Embedded, Output};

/// A bucket, an empty store, and a folder that somebody downloaded the bucket to.
pub(crate) struct Scene {
    pub(crate) at: Embedded,
}

impl Scene {
    pub(crate) fn new() -> Self {
        let at = Embedded::new();
        std::fs::create_dir(at.home.path().join("dir")).unwrap();
        Self { at }
    }

    pub(crate) fn dir(&self) -> PathBuf {
        self.at.home.path().join("dir")
    }

    /// Writes a file as a tool would have downloaded it.
    pub(crate) fn write(&self, path: &str, bytes: &[u8]) -> PathBuf {
        let file = self.dir().join(path);
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(&file, bytes).unwrap();
        file
    }

    /// An object, downloaded.
    pub(crate) fn both(&self, key: &str, bytes: &[u8]) {
        self.at.bucket.put(key, bytes);
        self.write(key, bytes);
    }

    pub(crate) fn adopt(&self, options: &[&str]) -> Output {
        self.at.bucket.reset_requests();
        let dir = self.dir();
        let args = ["adopt", dir.to_str().unwrap()];
        self.at.home.run(args.iter().chain(options))
    }

    pub(crate) fn latest(&self) -> PathBuf {
        self.at.folder().join("latest")
    }

    /// A pull that downloads so many objects.
    #[track_caller]
    pub(crate) fn pull_downloads(&self, objects: u64) {
        self.at.bucket.reset_requests();
        self.at.home.run(["pull"]).exits(0);
        assert_eq!(self.at.requests("GetObject"), objects, "downloads");
    }

    /// The copy is whole, nothing is wrong with it, and nothing was left in `incoming/`.
    #[track_caller]
    pub(crate) fn is_well(&self) {
        let home = &self.at.home;
        home.run(["status"]).exits(0);
        home.run(["catalogue", "check", "--deep"]).exits(0);
        home.run(["log", "--verify"]).exits(0);
        assert!(tree(&self.at.folder().join("incoming")).is_empty());
        assert!(!self.at.folder().join("quarantine").exists());
    }
}

/// All files under `folder` with their bytes.
pub(crate) fn tree(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut found = BTreeMap::new();
    each_file(folder, &mut |path, bytes| {
        let name = path.strip_prefix(folder).unwrap().to_str().unwrap();
        found.insert(name.to_owned(), bytes.to_vec());
    });
    found
}

/// The same files, with the names that they have in `latest/`.
pub(crate) fn in_latest(files: &BTreeMap<String, Vec<u8>>) -> BTreeMap<String, Vec<u8>> {
    let name = |name: &String| name.replace('%', "%25");
    files
        .iter()
        .map(|(n, bytes)| (name(n), bytes.clone()))
        .collect()
}

fn some_objects(scene: &Scene) {
    for (key, bytes) in [
        ("site.tar.age", &b"age-encryption.org/v1\n"[..]),
        ("empty", b""),
        ("a/b/c/d e", b"nested"),
        ("odd/\u{fc} & (1)+=;,'\"#?%25 \u{1f642}", b"odd"),
        ("large", &[7; 9 << 20]),
    ] {
        scene.both(key, bytes);
    }
}

#[test]
fn what_is_proven_is_taken_over_and_never_downloaded() {
    let scene = Scene::new();
    some_objects(&scene);
    let before = tree(&scene.dir());
    let told = scene.adopt(&[]).exits(0);
    assert!(
        told.stdout.contains("5 files taken over"),
        "{}",
        told.stdout
    );
    assert_eq!(scene.at.requests("GetObject"), 0);
    assert_eq!(scene.at.requests("HeadObject"), 5, "one for each");
    assert!(tree(&scene.latest()) == in_latest(&before), "in the copy");
    assert!(tree(&scene.dir()) == before, "and in the folder");

    scene.pull_downloads(0);
    assert_eq!(scene.at.requests("HeadObject"), 0);
    scene.is_well();
    let runs = scene.at.home.run(["log", "--json"]).exits(0).json_lines();
    let commands: Vec<_> = runs.iter().map(|run| run["command"].as_str()).collect();
    assert!(commands.contains(&Some("adopt")), "{commands:?}");
    for row in scene.at.home.run(["ls", "--json"]).exits(0).json_lines() {
        assert_eq!(row["evidence"], "provider", "{row}");
    }

    // Once more: there is nothing to do, and nothing is asked about an object.
    let told = scene.adopt(&[]).exits(0);
    assert!(
        told.stdout.contains("5 in the copy already"),
        "{}",
        told.stdout
    );
    assert_eq!(scene.at.requests("HeadObject"), 0);
}

#[test]
fn files_that_move_are_not_copied_and_leave_the_folder() {
    let scene = Scene::new();
    some_objects(&scene);
    // A second name outside the folder: what is written through it must not reach the copy.
    let shared = scene.write("shared", b"shared");
    scene.at.bucket.put("shared", b"shared".to_vec());
    let other = scene.at.home.path().join("other");
    std::fs::hard_link(&shared, &other).unwrap();
    let wrong = scene.write("wrong", b"other bytes");
    scene.at.bucket.put("wrong", b"these bytes".to_vec());
    let inode = |path: &Path| std::fs::metadata(path).unwrap().ino();
    let (large, left) = (inode(&scene.dir().join("large")), inode(&wrong));

    let told = scene.adopt(&["--move"]).exits(3);
    assert!(told.stdout.contains("left: wrong: "), "{}", told.stdout);
    assert_eq!(inode(&scene.latest().join("large")), large, "not copied");
    assert_ne!(inode(&scene.latest().join("shared")), inode(&other));
    let stays = tree(&scene.dir());
    assert_eq!(stays.keys().collect::<Vec<_>>(), ["wrong"]);
    assert_eq!(
        (inode(&wrong), &stays["wrong"][..]),
        (left, &b"other bytes"[..])
    );
    scene.pull_downloads(1);
    scene.is_well();
}

#[test]
fn a_dry_run_asks_for_a_listing_and_touches_nothing() {
    let scene = Scene::new();
    some_objects(&scene);
    scene.write("unknown", b"?");
    let before = tree(&scene.dir());
    let told = scene.adopt(&["--dry-run", "--move"]).exits(3);
    assert!(
        told.stdout.contains("compare    9.0 MiB  large\n"),
        "{}",
        told.stdout
    );
    assert!(
        told.stdout.contains("would compare 5 files"),
        "{}",
        told.stdout
    );
    assert_eq!(scene.at.requests("HeadObject"), 0);
    assert!(!scene.latest().exists());
    assert!(tree(&scene.dir()) == before);
}

/// A run that was cut off after its group was recorded has left a file with a name in both.
#[test]
fn a_second_name_of_the_copys_own_file_is_taken_away() {
    let scene = Scene::new();
    some_objects(&scene);
    scene.adopt(&[]).exits(0);
    let (there, here) = (scene.latest().join("large"), scene.dir().join("large"));
    std::fs::remove_file(&here).unwrap();
    std::fs::hard_link(&there, &here).unwrap();
    let before = tree(&scene.latest());
    scene.adopt(&[]).exits(0);
    assert!(here.exists(), "only with --move");
    scene.adopt(&["--move"]).exits(0);
    assert!(!here.exists());
    assert!(
        scene.dir().join("empty").exists(),
        "a file of its own stays"
    );
    assert!(tree(&scene.latest()) == before);
    scene.pull_downloads(0);
    scene.is_well();
}

/// Ctrl-C ends a run that waits for the bucket; what was taken over is recorded.
#[test]
fn an_interrupted_run_says_so_and_the_next_goes_on() {
    let scene = Scene::new();
    some_objects(&scene);
    let (asked, was_asked) = std::sync::mpsc::channel();
    let (release, released) = std::sync::mpsc::channel::<()>();
    let (asked, released) = (Mutex::new(asked), Mutex::new(released));
    scene.at.bucket.with_faults(|faults| {
        faults.on_request = Some(Arc::new(move |operation: &str, key: Option<&str>| {
            if operation == "HeadObject" && key == Some("large") {
                let _ = asked.lock().unwrap().send(());
                let _ = released.lock().unwrap().recv();
            }
        }));
    });
    let run = scene.at.home.spawn(["adopt", "--move", "dir"]);
    was_asked.recv().unwrap();
    run.signal(rustix::process::Signal::INT);
    let told = run.finish().exits(3);
    drop(release);
    assert!(told.stdout.contains("interrupted"), "{}", told.stdout);
    assert!(!told.stdout.contains("left: "), "{}", told.stdout);
    assert!(scene.dir().join("large").exists());
    scene.adopt(&["--move"]).exits(0);
    assert!(tree(&scene.dir()).is_empty());
    scene.pull_downloads(0);
    scene.is_well();
}

/// The tools that are given a prefix leave it out of the names; those that are given the bucket
/// do not.
#[test]
fn a_source_with_a_prefix_finds_both_kinds_of_names() {
    let scene = Scene::new();
    let config = scene.at.home.config();
    let text = std::fs::read_to_string(&config).unwrap();
    let text = text.replace(
        "bucket = \"backups\"",
        "bucket = \"backups\"\nprefix = \"www/\"",
    );
    std::fs::write(&config, text).unwrap();
    for key in ["www/a", "www/b", "elsewhere"] {
        scene.at.bucket.put(key, key);
    }
    scene.write("a", b"www/a");
    scene.write("www/b", b"www/b");
    scene.write("elsewhere", b"elsewhere");
    scene.write("b", b"www/b");
    let told = scene.adopt(&[]).exits(3);
    assert!(
        told.stdout.contains("left: b: www/b is there too"),
        "{}",
        told.stdout
    );
    assert!(
        told.stdout.contains("2 files taken over"),
        "{}",
        told.stdout
    );
    assert!(told.stdout.contains("left: elsewhere: "), "{}", told.stdout);
    scene.pull_downloads(0);
    scene.is_well();
}

/// An archived object cannot be downloaded, but what was downloaded before can be proven.
#[test]
fn an_archived_object_need_not_be_thawed() {
    let scene = Scene::new();
    let archived = offsite::demo::bucket::PutOptions {
        storage_class: Some("GLACIER".to_owned()),
        ..Default::default()
    };
    for key in ["pulled/before", "new"] {
        scene
            .at
            .bucket
            .put_with(key, b"cold".to_vec(), archived.clone());
        scene.write(key, b"cold");
        if key.starts_with("pulled") {
            scene.at.home.run(["pull"]).exits(0);
        }
    }
    scene.adopt(&[]).exits(0);
    assert_eq!(tree(&scene.latest()).len(), 2);
    scene.pull_downloads(0);
    scene.is_well();
}

/// A run that is cut off leaves a repository whole: packs before indexes before snapshots.
#[test]
fn what_names_others_comes_after_them() {
    let scene = Scene::new();
    scene.both("config", b"config");
    let name = |n: u8, folder: &str| format!("{folder}/{}", format!("{n:02x}").repeat(32));
    for n in 0..12 {
        for folder in ["snapshots", "data", "index"] {
            scene.both(&name(n, folder), &[n]);
        }
    }
    scene.both(&name(99, "locks"), b"lock");
    let told = scene.adopt(&[]).exits(3);
    assert!(
        told.stdout.contains("a lock of a restic repository"),
        "{}",
        told.stdout
    );
    let mut order = Vec::new();
    each_file(&scene.at.folder().join("journal"), &mut |_, bytes| {
        for line in String::from_utf8_lossy(bytes).lines() {
            let line: serde_json::Value = serde_json::from_str(line).unwrap();
            let record = line.get("record").unwrap_or(&line);
            let text = record.to_string();
            for folder in ["data/", "index/", "snapshots/"] {
                if text.contains(&format!("\"key\":\"{folder}")) {
                    order.push(folder);
                }
            }
        }
    });
    assert_eq!(order.len(), 36, "{order:?}");
    assert!(order.is_sorted(), "{order:?}");
    scene.pull_downloads(0);
    scene.is_well();
}

/// P4: a snapshot never stands in `latest/` without its packs.
#[test]
fn p4_what_names_others_waits_until_they_are_here() {
    let name = |n: u8, folder: &str| {
        let sha256 = ring::digest::digest(&ring::digest::SHA256, &[n]);
        format!(
            "{folder}/{}",
            data_encoding::HEXLOWER.encode(sha256.as_ref())
        )
    };
    for missing in ["data", "index"] {
        let scene = Scene::new();
        scene.both("config", b"config");
        for n in 0..3 {
            for folder in ["snapshots", "data", "index"] {
                scene.both(&name(n, folder), &[n]);
            }
        }
        std::fs::remove_file(scene.dir().join(name(1, missing))).unwrap();
        let told = scene.adopt(&[]).exits(3);
        let (waits, here) = if missing == "data" { (6, 3) } else { (3, 6) };
        let said = told.stdout.matches("it waits for the pull").count();
        assert_eq!(said, waits, "{missing}: {}", told.stdout);
        assert_eq!(tree(&scene.latest()).len(), here, "{missing}");
        scene.pull_downloads(waits as u64 + 1);
        scene.is_well();
    }
}

#[test]
fn a_folder_that_cannot_be_taken_from_is_refused() {
    let scene = Scene::new();
    scene.adopt(&[]).exits(0);
    let home = &scene.at.home;
    for (dir, words) in [
        ("nowhere", "cannot open the folder"),
        ("offsite.toml", "cannot open the folder"),
        ("store", "belongs to the store"),
        ("store/www", "belongs to the store"),
    ] {
        let told = home.run(["adopt", dir]).exits(2);
        assert!(told.stderr.contains(words), "{dir}: {}", told.stderr);
    }
    let told = home.run(["adopt", "dir", "other"]).exits(2);
    assert!(told.stderr.contains("no source other"), "{}", told.stderr);
    home.init("mail", "backups", &scene.at.server.endpoint());
    let told = home.run(["adopt", "dir"]).exits(2);
    assert!(told.stderr.contains("www, mail"), "{}", told.stderr);
    home.run(["adopt", "dir", "mail"]).exits(0);
}
