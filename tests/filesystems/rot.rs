//! A drive that cannot read what was written to it: real errors, from a file system that checks what it
//! reads.

use crate::drive::{Drive, Kind, LINUX, Place};
use crate::support::{Namespace, age};
use std::fs::OpenOptions;
use std::io::Read as _;
use std::os::unix::fs::FileExt as _;
use std::path::Path;

/// Flips a bit of the place where `file` has these bytes; it must have them once.
fn rots(file: &Path, bytes: &[u8]) {
    let image = OpenOptions::new()
        .read(true)
        .write(true)
        .open(file)
        .unwrap();
    let mut found = Vec::new();
    let (mut window, mut at) = (Vec::new(), 0);
    // Most of the drive was never written.
    let nothing = vec![0; 1 << 20];
    let mut piece = nothing.clone();
    loop {
        let n = (&image).read(&mut piece).unwrap();
        if n == 0 {
            break;
        }
        if piece[..n] == nothing[..n] {
            at += (window.len() + n) as u64;
            window.clear();
            continue;
        }
        window.extend_from_slice(&piece[..n]);
        let places = window.windows(bytes.len()).enumerate();
        found.extend(
            places
                .filter(|(_, w)| *w == bytes)
                .map(|(i, _)| at + i as u64),
        );
        let rest = window.len().saturating_sub(bytes.len() - 1);
        at += rest as u64;
        window.drain(..rest);
    }
    assert_eq!(found.len(), 1, "{found:?}");
    image.write_all_at(&[bytes[0] ^ 1], found[0]).unwrap();
}

/// A dying drive is said before it is dead: each scrub counts what could not be read, and the status
/// shows how that goes.
#[test]
#[cfg_attr(without_root, ignore = "OFFSITE_TEST_WITHOUT names root")]
#[cfg_attr(without_btrfs, ignore = "OFFSITE_TEST_WITHOUT names btrfs")]
fn what_a_drive_cannot_read_is_counted_and_comes_again() {
    let btrfs = Kind {
        tool: "btrfs",
        mount: r#""$mkfs" -q "$image"; mount -o loop "$image" "$at""#,
        ..LINUX
    };
    let drive = Drive::mounted(&btrfs, Place::Here(Namespace::new()));
    let bytes = age(1 << 20, 5);
    drive.bucket.put("large.age", bytes.clone());
    drive.bucket.put("other.age", age(100_000, 6));
    drive.init("www", "backups").exits(0);
    drive.run(&["pull"]).exits(0);
    drive.run(&["scrub", "--all"]).exits(0);
    rots(&drive.image(), &bytes[500_000..500_064]);
    for _ in 0..2 {
        let told = drive.run(&["scrub", "--all"]).exits(7);
        let line = "DAMAGED www/latest/large.age: the drive cannot read it: ";
        assert!(told.stdout.contains(line), "{}", told.stdout);
    }
    let status = drive.run(&["status"]).exits(4).stdout;
    for words in [
        "files that the drive could not read, scrub by scrub: 0, 1, 1",
        "the drive could not read 1 file or folder of this source",
        ", 1 damaged, 0 of them healed",
    ] {
        assert!(status.contains(words), "{words:?} is not in\n{status}");
    }
    // Heard once is heard.
    let open = drive.run(&["status", "--json"]).json_lines().remove(0);
    for finding in open["findings"].as_array().unwrap() {
        drive
            .run(&["ack", finding["id"].as_str().unwrap()])
            .exits(0);
    }
    for _ in 0..2 {
        drive.run(&["scrub", "--all"]).exits(3);
    }
    let told = drive.run(&["scrub", "--heal"]).exits(0);
    assert!(
        told.stdout.contains("-> from the bucket"),
        "{}",
        told.stdout
    );
    drive.run(&["scrub", "--all"]).exits(0);
    drive.run(&["catalogue", "check", "--deep"]).exits(0);
}
