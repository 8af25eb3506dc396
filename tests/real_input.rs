//! Real backups: made by the tools that people use, put into a bucket of a real server by one
//! who may write, brought home with the key that can only read, and given back by the same
//! tools from the files on the drive alone.
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    unreachable_pub
)]

#[path = "real_input/files.rs"]
mod files;
#[path = "real_input/restic.rs"]
mod restic;
mod support;

use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;
use support::bucket::Told;
use support::seaweedfs::READ_ONLY;
use support::{Bucket, FaultProxy, Home, Output, Running, Seaweed};

/// A bucket, its owner, and a home that pulls from it through a line that notes what it asks.
struct Site {
    /// The owner's view, on a straight line.
    bucket: Bucket,
    line: FaultProxy,
    home: Home,
}

impl Site {
    fn new(label: &str) -> Self {
        let bucket = Seaweed::shared().fresh_bucket(label);
        let line = FaultProxy::start(&bucket.endpoint);
        let home = Home::new().with_keys(READ_ONLY);
        home.init("www", &bucket.name, &line.endpoint());
        Self { bucket, line, home }
    }

    /// The source's folder on the drive.
    fn www(&self) -> PathBuf {
        self.home.store().join("www")
    }

    fn latest(&self) -> PathBuf {
        self.www().join("latest")
    }

    /// A pull that goes well and leaves the bucket as it was (P1); the bucket as it is.
    fn pull(&self) -> Told {
        let before = self.bucket.told();
        self.home.run(["pull"]).exits(0);
        assert_eq!(self.bucket.told(), before, "P1: the bucket is as it was");
        self.only_read();
        before
    }

    /// P1: whatever the program asked for, it was to read.
    fn only_read(&self) {
        let wrote = |method: &str| !matches!(method, "GET" | "HEAD");
        let mut requests = self.line.requests();
        requests.retain(|request| wrote(&request.method));
        assert_eq!(requests, []);
    }

    /// All that the catalogue knows, by key: no key here ever has a second version.
    fn rows(&self) -> BTreeMap<String, Value> {
        let ls = self.home.run(["ls", "--json", "--versions"]).exits(0);
        let lines = ls.json_lines();
        let count = lines.len();
        let by_key = |row: Value| (row["key"].as_str().unwrap().to_owned(), row);
        let rows: BTreeMap<_, _> = lines.into_iter().map(by_key).collect();
        assert_eq!(rows.len(), count, "a row a key");
        rows
    }

    /// Every file of the copy is what the lists on the drive (P7) and the catalogue (P3) say,
    /// by our own reading and by that of a tool that knows nothing of us.
    fn is_proven(&self) {
        for (sums, folder) in [("SHA256SUMS", "latest"), ("history.SHA256SUMS", "history")] {
            let files = names(&self.www().join(folder));
            let checked = match self.www().join(sums).exists() {
                true => check_sums(&self.www(), sums),
                false => BTreeSet::new(),
            };
            let files = files.iter().map(|name| format!("{folder}/{name}"));
            assert_eq!(checked, files.collect(), "{sums} lists all of {folder}/");
        }
        self.home.run(["catalogue", "check", "--deep"]).exits(0);
        self.home.run(["log", "--verify"]).exits(0);
        self.home.run(["status"]).exits(0);
    }
}

/// The names that `sha256sum -c` found good, which must be all of them.
fn check_sums(folder: &Path, sums: &str) -> BTreeSet<String> {
    let mut sha256sum = Command::new("sha256sum");
    sha256sum.args(["--check", "--strict", sums]);
    sha256sum.current_dir(folder).env("LC_ALL", "C");
    let told = succeed(sha256sum);
    let name = |line: &str| line.strip_suffix(": OK").unwrap().to_owned();
    told.stdout.lines().map(name).collect()
}

/// Runs a tool that must succeed.
#[track_caller]
fn succeed(command: Command) -> Output {
    Running::spawn(command).finish().exits(0)
}

/// All files under `folder`, as paths relative to it.
fn names(folder: &Path) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for entry in std::fs::read_dir(next).into_iter().flatten() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let name = path.strip_prefix(folder).unwrap();
                found.insert(name.to_str().unwrap().to_owned());
            }
        }
    }
    found
}

/// All files under `folder` with their bytes.
fn tree(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let read = |name: String| {
        let bytes = std::fs::read(folder.join(&name)).unwrap();
        (name, bytes)
    };
    names(folder).into_iter().map(read).collect()
}

/// Bytes that repeat themselves nowhere; the same for the same seed.
fn bytes(length: usize, seed: u64) -> Vec<u8> {
    let mut bytes = vec![0; length];
    fastrand::Rng::with_seed(seed).fill(&mut bytes);
    bytes
}
