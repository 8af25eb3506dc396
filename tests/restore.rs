//! `offsite restore`: what comes back is what was in the bucket, byte for byte, or it is not
//! delivered and named.
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used
)]

#[path = "restore/alone.rs"]
mod alone;
#[path = "restore/basics.rs"]
mod basics;
#[path = "restore/damage.rs"]
mod damage;
#[path = "restore/history.rs"]
mod history;
#[path = "restore/order.rs"]
mod order;
#[path = "restore/readme.rs"]
mod readme;
#[path = "restore/sets.rs"]
mod sets;
mod support;

use offsite::store::names;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use support::program::each_file;
use support::{Nights, Output};

/// Files by key.
pub(crate) type Files = BTreeMap<String, Vec<u8>>;

/// A folder beside the store to restore to.
pub(crate) fn folder(nights: &Nights, name: &str) -> PathBuf {
    nights.folder().join(name)
}

/// `offsite restore args… --to FOLDER/to --store STORE`.
pub(crate) fn restore(nights: &Nights, to: &str, args: &[&str]) -> Output {
    let to = folder(nights, to);
    let all = [&["restore", "--to", to.to_str().unwrap()], args].concat();
    nights.offsite(&all)
}

/// What lies in a folder, by the keys that its names are of.
pub(crate) fn keys_in(folder: &Path) -> Files {
    let mut files = Files::new();
    each_file(folder, &mut |path, bytes| {
        let path = path.strip_prefix(folder).unwrap().to_str().unwrap();
        let key = names::key_of(&format!("latest/{path}"))
            .unwrap_or_else(|e| panic!("a name that no key has: {e}"));
        files.insert(key.as_str().to_owned(), bytes.to_vec());
    });
    files
}

/// The bucket as it is.
pub(crate) fn bucket(nights: &Nights) -> Files {
    let keys = nights.bucket.keys().into_iter();
    keys.map(|key| (key.clone(), nights.bucket.get(&key).unwrap()))
        .collect()
}

/// Fails the test where two sets of files differ, naming the keys alone.
#[track_caller]
pub(crate) fn same(found: &Files, wanted: &Files, what: &str) {
    let names = |files: &Files| files.keys().cloned().collect::<Vec<_>>();
    assert_eq!(names(found), names(wanted), "{what}");
    for (key, bytes) in wanted {
        assert!(found[key] == *bytes, "{what}: other bytes in {key:?}");
    }
}
