//! What is not taken over: each file is named with the reason, and stays as it is.

use crate::support::program::each_file;
use crate::{Scene, tree};
use offsite::demo::bucket::{Checksum, Encryption, Fault, PutOptions, Refusal};
use std::os::unix::ffi::OsStrExt as _;

fn in_parts() -> PutOptions {
    PutOptions {
        part_size: Some(5 << 20),
        ..PutOptions::default()
    }
}

#[test]
fn what_is_not_proven_is_named_and_left() {
    let scene = Scene::new();
    let bucket = &scene.at.bucket;
    let parts = vec![3; 6 << 20];
    scene.both("good", b"good");
    bucket.put("wrong", b"these bytes".to_vec());
    scene.write("wrong", b"other bytes");
    bucket.put("short", b"all of it".to_vec());
    scene.write("short", b"all of");
    bucket.put_with("parts", parts.clone(), in_parts());
    let mut other = parts.clone();
    other[5 << 20] ^= 1;
    scene.write("parts", &other);
    // A checksum of the whole proves an object that came in parts.
    let summed = PutOptions {
        checksum: Some(Checksum::Crc64Nvme),
        ..in_parts()
    };
    bucket.put_with("summed", parts.clone(), summed);
    scene.write("summed", &parts);
    let kms = PutOptions {
        encryption: Some(Encryption::Kms("key".to_owned())),
        etag: Some("0123456789abcdef0123456789abcdef".to_owned()),
        ..PutOptions::default()
    };
    bucket.put_with("kms", b"kms".to_vec(), kms);
    scene.write("kms", b"kms");
    scene.write("nobody's", b"?");
    scene.write("with\u{1b}[2J", b"?");
    std::os::unix::fs::symlink("good", scene.dir().join("link")).unwrap();
    let strange = std::ffi::OsStr::from_bytes(b"\xff");
    std::fs::write(scene.dir().join(strange), "?").unwrap();
    bucket.put("folder", b"a folder stands there".to_vec());
    scene.both("folder/below", b"below");

    let told = scene.adopt(&[]).exits(3);
    assert!(!told.stdout.contains('\u{1b}'), "{}", told.stdout);
    assert!(
        told.stdout.contains("3 files taken over"),
        "{}",
        told.stdout
    );
    let mut left: Vec<&str> = told
        .stdout
        .lines()
        .filter_map(|l| l.strip_prefix("left: "))
        .collect();
    left.sort_unstable();
    let expected = [
        ("kms: ", "nothing about its object's bytes but the length"),
        ("link: ", "a symbolic link"),
        ("nobody's: ", "no object of the source has this name"),
        ("parts: ", "not the object's: etag-parts does not hold"),
        ("short: ", "it has 6 bytes, and its object has 9"),
        ("with\\u{1b}[2J: ", "no object"),
        ("wrong: ", "not the object's: etag-md5 does not hold"),
        ("\u{fffd}: ", "not UTF-8"),
    ];
    assert_eq!(left.len(), expected.len(), "{left:?}");
    for (line, (path, why)) in left.iter().zip(expected) {
        assert!(
            line.starts_with(path) && line.contains(why),
            "{line:?}: {path} {why}"
        );
    }
    let stays = scene.dir();
    assert_eq!(std::fs::read(stays.join("wrong")).unwrap(), b"other bytes");
    assert_eq!(std::fs::read(stays.join("short")).unwrap(), b"all of");
    // Nothing speaks against the bucket: those objects are what the next pull downloads.
    scene.is_well_but_for_incoming();
    let names: Vec<String> = tree(&scene.latest()).into_keys().collect();
    assert_eq!(names, ["folder/below", "good", "summed"]);
    scene.pull_downloads(5);
    scene.is_well();
    assert_eq!(
        std::fs::read(scene.latest().join("wrong")).unwrap(),
        b"these bytes"
    );
}

/// Evidence against a file of the owner's is none against what the copy has.
#[test]
fn an_old_download_does_not_replace_what_the_copy_has() {
    let scene = Scene::new();
    scene.at.bucket.put("a", b"second".to_vec());
    scene.write("a", b"first!");
    scene.at.home.run(["pull"]).exits(0);
    let told = scene.adopt(&["--move"]).exits(0);
    assert!(
        told.stdout.contains("1 in the copy already"),
        "{}",
        told.stdout
    );
    assert_eq!(std::fs::read(scene.latest().join("a")).unwrap(), b"second");
    assert_eq!(std::fs::read(scene.dir().join("a")).unwrap(), b"first!");
}

/// P4 holds for files of the owner's as well: a name that is written once keeps its first bytes.
#[test]
fn a_write_once_name_keeps_its_first_bytes() {
    let scene = Scene::new();
    scene.both("site-20261101-030000utc.tar.age", b"first");
    scene.adopt(&[]).exits(0);
    // A day and more later, as far as the catalogue knows.
    let catalogue = scene.at.home.store().join("catalogue.db");
    let mut sqlite = std::process::Command::new("python3");
    sqlite.args(["-c", "import sqlite3,sys; d=sqlite3.connect(sys.argv[1]); d.execute('UPDATE version SET first_seen = first_seen - 200000000'); d.commit()"]);
    assert!(sqlite.arg(&catalogue).status().unwrap().success());
    scene.both("site-20261101-030000utc.tar.age", b"poisoned");
    let told = scene.adopt(&[]).exits(4);
    assert!(told.stdout.contains("1 of them HELD"), "{}", told.stdout);
    let name = "site-20261101-030000utc.tar.age";
    assert_eq!(std::fs::read(scene.latest().join(name)).unwrap(), b"first");
}

#[test]
fn a_bucket_that_stops_answering_ends_the_run() {
    let scene = Scene::new();
    for n in 0..200 {
        scene.both(&format!("{n}"), format!("{n}").as_bytes());
    }
    let numbers = |key: &str| key.parse::<u8>().is_ok();
    let refuse = Fault::new(Refusal::InternalError).on(numbers);
    scene
        .at
        .bucket
        .with_faults(|faults| faults.refuse = Some(refuse));
    let told = scene.adopt(&[]).exits(1);
    let heads = scene.at.requests("HeadObject");
    assert!(heads < 500, "{heads} requests: {}", told.stderr);
}

impl Scene {
    fn is_well_but_for_incoming(&self) {
        self.at.home.run(["catalogue", "check", "--deep"]).exits(0);
        let mut files = 0;
        each_file(&self.at.folder().join("incoming"), &mut |_, _| files += 1);
        assert_eq!(files, 0, "incoming/ is empty");
        assert!(!self.at.folder().join("quarantine").exists());
    }
}
