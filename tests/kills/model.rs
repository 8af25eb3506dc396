//! What must be true of a store whatever happened to the runs over it. Read from the drive by
//! this file's own means, and compared with everything that was ever true of it.

use crate::support::Embedded;
use crate::support::embedded::SOURCE;
use offsite::catalogue::Catalogue;
use offsite::object::{SourceName, StoredVersion};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;

/// Each area with the file that lists its digests.
const SUMS: [(&str, &str); 2] = [("latest", "SHA256SUMS"), ("history", "history.SHA256SUMS")];

/// Every file that a check ever found recorded: the digest of its bytes, and a path it had.
#[derive(Default)]
pub(crate) struct Model {
    recorded: BTreeMap<String, String>,
}

impl Model {
    /// The catalogue is in step with the drive, every row's file has its bytes, and nothing that
    /// was ever recorded has vanished.
    pub(crate) fn holds(&mut self, world: &Embedded, when: &str) {
        let check = world.home.run(["catalogue", "check", "--deep"]);
        assert_eq!(check.code(), 0, "{when}: {check:?}");
        let store = world.home.store();
        let there = digests_below(&store, &store.join(SOURCE));
        for row in rows(&store) {
            let (path, sha256) = (row.path.unwrap(), row.sha256.unwrap().to_string());
            assert_eq!(there.get(&path), Some(&sha256), "{when}: {path}");
            self.recorded.insert(sha256, path);
        }
        for (area, sums) in SUMS {
            let area = format!("{SOURCE}/{area}/");
            let files = there.iter().filter(|(path, _)| path.starts_with(&area));
            let sums = sums_in(&world.folder().join(sums));
            assert!(files.eq(&sums), "{when}: {area}: {sums:#?}\n{there:#?}");
        }
        let there: BTreeSet<&String> = there.values().collect();
        for (sha256, path) in &self.recorded {
            assert!(there.contains(sha256), "{when}: {path} vanished");
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.recorded.len()
    }
}

/// `latest/` is the bucket byte for byte, and the real tool finds both sums good.
pub(crate) fn equals_the_bucket(world: &Embedded) {
    let store = world.home.store();
    let ls = world.home.run(["ls", "--json"]).exits(0);
    let mut listed = BTreeMap::new();
    for row in ls.json_lines() {
        let word = |name: &str| row[name].as_str().unwrap().to_owned();
        listed.insert(word("key"), word("path"));
    }
    let keys = world.bucket.keys();
    assert!(listed.keys().eq(keys.iter()), "one file for each key");
    for (key, path) in &listed {
        let bytes = std::fs::read(store.join(path)).unwrap();
        assert!(bytes == world.bucket.get(key).unwrap(), "{key}");
    }
    let latest = digests_below(&store, &world.folder().join("latest"));
    assert!(latest.keys().collect::<BTreeSet<_>>() == listed.values().collect());
    for (_, sums) in SUMS {
        let check = Command::new("sha256sum")
            .args(["--strict", "--quiet", "-c", sums])
            .current_dir(world.folder())
            .output()
            .unwrap();
        assert!(check.status.success(), "{sums}: {check:?}");
    }
}

fn rows(store: &Path) -> Vec<StoredVersion> {
    let catalogue = Catalogue::open_read(&store.join("catalogue.db")).unwrap();
    let source = SourceName::new(SOURCE).unwrap();
    catalogue.all_placed(&source, 0, u32::MAX).unwrap()
}

/// The digests that `sums` lists, by path relative to the store; its comments left out.
fn sums_in(sums: &Path) -> BTreeMap<String, String> {
    let text = std::fs::read_to_string(sums).unwrap_or_default();
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    let entry = |line: &str| {
        let (sha256, path) = line.split_once("  ").unwrap();
        (format!("{SOURCE}/{path}"), sha256.to_owned())
    };
    lines.map(entry).collect()
}

/// SHA-256 of every file of the copy below `folder`, by path relative to the store.
fn digests_below(store: &Path, folder: &Path) -> BTreeMap<String, String> {
    let mut digests = BTreeMap::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.strip_prefix(store).unwrap().to_str().unwrap();
        if name.ends_with("/incoming") || name.ends_with("/journal") {
            continue;
        }
        if path.is_dir() {
            digests.append(&mut digests_below(store, &path));
        } else {
            let bytes = std::fs::read(&path).unwrap();
            digests.insert(name.to_owned(), sha256(&bytes));
        }
    }
    digests
}

fn sha256(bytes: &[u8]) -> String {
    let digest = ring::digest::digest(&ring::digest::SHA256, bytes);
    data_encoding::HEXLOWER.encode(digest.as_ref())
}
