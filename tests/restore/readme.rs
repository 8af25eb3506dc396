//! What the README says of getting things back, run line by line by somebody who has only the drive.

use crate::support::program::each_file;
use crate::support::{Nights, Running, program, tool};
use crate::{Files, bucket, keys_in, same};
use std::fs;
use std::path::Path;
use std::process::Command;

const README: &str = include_str!("../../README.md");

/// The blocks under "Getting it back".
fn lines() -> String {
    let (_, section) = README.split_once("\n## Getting it back\n").unwrap();
    let (section, _) = section.split_once("\n## ").unwrap();
    let blocks = section.split("```sh\n").skip(1);
    blocks.map(|b| b.split_once("```").unwrap().0).collect()
}

fn sh(folder: &Path, script: &str) -> crate::support::Output {
    let bins = [&program(), &tool("age"), &tool("restic")]
        .map(|p| p.parent().unwrap().display().to_string());
    let mut sh = Command::new("sh");
    sh.args(["-euc", script])
        .current_dir(folder)
        .env_clear()
        .env(
            "PATH",
            format!("{}:{}", bins.join(":"), std::env::var("PATH").unwrap()),
        )
        .env("HOME", folder)
        .env("TZ", "UTC")
        .env("RESTIC_PASSWORD", "correct horse");
    Running::spawn(sh).finish().exits(0)
}

/// A restic repository of two snapshots and an age file, as their owner uploads them.
fn upload(nights: &mut Nights, owner: &Path) {
    fs::create_dir_all(owner.join("files/deep")).unwrap();
    fs::write(owner.join("files/a"), "first").unwrap();
    fs::write(owner.join("files/deep/b"), vec![7; 100_000]).unwrap();
    sh(
        owner,
        "age-keygen -o key.txt 2>/dev/null; restic -q -r repo init",
    );
    for day in ["20261120", "20261121"] {
        let key = format!("site/site-{day}-030000utc.tar.age");
        fs::write(owner.join("files/a"), day).unwrap();
        sh(
            owner,
            "age -r $(age-keygen -y key.txt) -o site.age files/a && restic -q -r repo backup files",
        );
        nights
            .bucket
            .put(&key, fs::read(owner.join("site.age")).unwrap());
        fs::remove_file(owner.join("site.age")).unwrap();
        each_file(&owner.join("repo"), &mut |path, bytes| {
            let key = path.strip_prefix(owner).unwrap().to_str().unwrap();
            if nights.bucket.get(key).is_none() {
                nights.bucket.put(key, bytes.to_vec());
            }
        });
        for (number, end) in ["j01", "j02", "jps"].into_iter().enumerate() {
            let key = format!("akeeba/site-{day}-030000utc.{end}");
            nights.bucket.put(&key, volume(day, number));
        }
        nights.night();
    }
}

/// A volume of an Akeeba archive: an encrypted one, cut wherever it was full.
fn volume(day: &str, number: usize) -> Vec<u8> {
    let mut whole = b"JPS\x02\x00".to_vec();
    let header = whole.len();
    whole.resize(250_000, 0);
    let seed = day.parse().unwrap();
    fastrand::Rng::with_seed(seed).fill(&mut whole[header..]);
    let volumes: Vec<_> = whole.chunks(100_000).collect();
    volumes[number].to_vec()
}

#[test]
#[cfg_attr(without_restic, ignore = "OFFSITE_TEST_WITHOUT names restic")]
#[cfg_attr(without_age, ignore = "OFFSITE_TEST_WITHOUT names age")]
fn one_file_one_set_and_a_whole_bucket_come_back_by_these_lines() {
    let mut nights = Nights::new();
    let owner = nights.folder().join("owner");
    upload(&mut nights, &owner);
    let user = nights.folder().join("user");
    fs::create_dir(&user).unwrap();
    fs::copy(owner.join("key.txt"), user.join("key.txt")).unwrap();
    let drive = nights.store.path.to_str().unwrap().to_owned();
    let night = nights.last().strftime("%Y-%m-%d").to_string();
    let script = lines()
        .replace("/media/usb/offsite", &drive)
        .replace("2026-11-22", &night);
    assert!(script.contains(&night), "{script}");
    let told = sh(&user, &script);
    assert!(
        told.stdout.contains("no errors were found"),
        "{}",
        told.stdout
    );
    assert_eq!(fs::read(user.join("site.tar")).unwrap(), b"20261121");
    let newest = keys_in(&user.join("newest"));
    assert_eq!(
        newest.keys().collect::<Vec<_>>(),
        ["site/site-20261121-030000utc.tar.age"]
    );
    // All volumes of the archive, in their order the very archive.
    let archive = keys_in(&user.join("archive"));
    let names = ["j01", "j02", "jps"].map(|end| format!("akeeba/site-20261121-030000utc.{end}"));
    assert!(archive.keys().eq(names.iter()), "{:?}", archive.keys());
    let whole: Vec<u8> = archive.into_values().flatten().collect();
    assert!(whole == [0, 1, 2].map(|n| volume("20261121", n)).concat());
    // The set and nothing else; the whole bucket, now and then.
    let mut set: Files = bucket(&nights);
    set.retain(|key, _| key.starts_with("repo/"));
    same(&keys_in(&user.join("everything")), &set, "everything");
    same(&keys_in(&user.join("all")), &bucket(&nights), "all");
    same(&keys_in(&user.join("then")), &bucket(&nights), "then");
    let mut back = Files::new();
    let mut had = Files::new();
    for (folder, files) in [
        (user.join("files"), &mut back),
        (owner.join("files"), &mut had),
    ] {
        each_file(&folder, &mut |path, bytes| {
            let name = path.file_name().unwrap().to_str().unwrap();
            files.insert(name.to_owned(), bytes.to_vec());
        });
    }
    same(&back, &had, "restic restore");
}
