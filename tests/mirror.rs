//! `offsite mirror`: a second full store that has what the first has, and never less.
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used
)]

#[path = "mirror/alike.rs"]
mod alike;
#[path = "mirror/care.rs"]
mod care;
#[path = "mirror/damage.rs"]
mod damage;
#[path = "mirror/drives.rs"]
mod drives;
#[path = "mirror/heal.rs"]
mod heal;
#[path = "mirror/kills.rs"]
mod kills;
#[path = "mirror/places.rs"]
mod places;
#[path = "mirror/readme.rs"]
mod readme;
#[path = "mirror/refused.rs"]
mod refused;
mod support;

use serde_json::Value;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use support::program::{each_file, program};
use support::{Nights, Output, Running};

/// The mirror's folder, beside the store.
pub(crate) fn mirror_of(nights: &Nights) -> PathBuf {
    nights.folder().join("mirror")
}

/// `offsite mirror args…` from the store to its mirror.
pub(crate) fn mirror(nights: &Nights, args: &[&str]) -> Output {
    Running::spawn(mirroring(nights, args)).finish()
}

/// The same, not run yet.
pub(crate) fn mirroring(nights: &Nights, args: &[&str]) -> Command {
    let to = mirror_of(nights);
    let fixed = ["mirror", "--allow-root-fs", "--to", to.to_str().unwrap()];
    offsite_at(&nights.store.path, &[&fixed, args].concat())
}

/// `offsite args… --store STORE`.
pub(crate) fn offsite_at(store: &Path, args: &[&str]) -> Command {
    let mut command = Command::new(program());
    command
        .args(args)
        .arg("--store")
        .arg(store)
        .env_clear()
        .env("HOME", store.parent().unwrap())
        .env("TZ", "UTC");
    command
}

/// What it says.
pub(crate) fn at(store: &Path, args: &[&str]) -> Output {
    Running::spawn(offsite_at(store, args)).finish()
}

/// The one object that the last line of `--json` is.
pub(crate) fn last_json(said: &Output) -> Value {
    serde_json::from_str(said.stdout.lines().last().unwrap()).unwrap()
}

/// How many versions a run of the mirror copied.
#[track_caller]
pub(crate) fn copies(nights: &Nights) -> u64 {
    let said = mirror(nights, &["--json"]).exits(0);
    last_json(&said)["versions"].as_u64().unwrap()
}

/// What `ls --versions --json` says, without the paths.
pub(crate) fn rows(store: &Path) -> Vec<Value> {
    let said = at(store, &["ls", "--versions", "--json"]).exits(0);
    let mut rows: Vec<Value> = said
        .stdout
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    for row in &mut rows {
        row.as_object_mut().unwrap().remove("path");
    }
    rows
}

/// The files in `latest/` and `history/` with their bytes, by their paths.
pub(crate) fn files(store: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut files = BTreeMap::new();
    for area in ["latest", "history"] {
        let folder = store.join("www").join(area);
        if folder.exists() {
            each_file(&folder, &mut |path, bytes| {
                let path = path.strip_prefix(store).unwrap().to_str().unwrap();
                files.insert(path.to_owned(), bytes.to_vec());
            });
        }
    }
    files
}

/// Both stores say the same of every version.
#[track_caller]
pub(crate) fn same_rows(nights: &Nights, what: &str) {
    let (first, second) = (rows(&nights.store.path), rows(&mirror_of(nights)));
    assert_eq!(first.len(), second.len(), "{what}");
    for (first, second) in first.iter().zip(&second) {
        for (name, value) in first.as_object().unwrap() {
            assert_eq!(*value, second[name], "{what}: {name} of {first}");
        }
    }
}

/// The mirror is whole: every row has its file, every file its digest.
#[track_caller]
pub(crate) fn is_whole(store: &Path) {
    at(store, &["catalogue", "check", "--deep"]).exits(0);
}
