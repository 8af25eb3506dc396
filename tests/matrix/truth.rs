//! What the bucket had: what the drive says is held against it.

use crate::support::Nights;
use crate::support::nights::sha256;
use crate::support::program::each_file;
use offsite::store::names;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

pub(crate) struct Truth {
    /// The newest bytes of every key.
    newest: BTreeMap<String, Vec<u8>>,
    /// Every file of the store with its bytes, relative to the store.
    files: BTreeMap<String, Vec<u8>>,
    /// The digests of all versions, by key.
    digests: BTreeMap<String, BTreeSet<String>>,
}

impl Truth {
    pub(crate) fn of(nights: &Nights) -> Self {
        let keys = nights.bucket.keys();
        let newest = keys.iter().map(|key| {
            let bytes = nights.bucket.get(key).unwrap();
            (key.clone(), bytes.to_vec())
        });
        let files = nights.tree().into_iter();
        let digests = keys.iter().map(|key| {
            let versions = nights.versions(key).into_iter();
            let digests = versions.map(|v| v.sha256.unwrap().to_string());
            (key.clone(), digests.collect())
        });
        Self {
            newest: newest.collect(),
            files: files
                .map(|(path, bytes)| (format!("www/{path}"), bytes))
                .collect(),
            digests: digests.collect(),
        }
    }

    pub(crate) fn digest(&self, bytes: &str) -> String {
        sha256(bytes.as_bytes()).to_string()
    }

    /// Every stored file is there with its bytes, and the sums say so.
    pub(crate) fn holds(&self, store: &Path, what: &str) {
        for (path, bytes) in &self.files {
            let there = std::fs::read(store.join(path)).ok();
            assert!(
                there.as_ref() == Some(bytes),
                "{what}: it calls {path} whole"
            );
        }
    }

    /// What was delivered is what the bucket has.
    pub(crate) fn delivers_nothing_else(&self, back: &Path, what: &str) {
        if !back.exists() {
            return;
        }
        each_file(back, &mut |path, bytes| {
            let name = path.strip_prefix(back).unwrap().to_str().unwrap();
            let right = self.newest.get(name).is_some_and(|newest| newest == bytes);
            let text = String::from_utf8_lossy(bytes);
            assert!(right, "{what}: it delivers {text:?} as {name}");
        });
    }

    /// Every file that a store has for an object is a version of it.
    pub(crate) fn has_no_other_bytes(&self, store: &Path, what: &str) {
        for area in ["latest", "history"] {
            let top = store.join("www").join(area);
            if !top.exists() {
                continue;
            }
            each_file(&top, &mut |path, bytes| {
                let path = path.strip_prefix(store.join("www")).unwrap();
                let key = names::key_of(path.to_str().unwrap()).unwrap();
                let digest = sha256(bytes).to_string();
                let known = self.digests.get(key.as_str());
                let right = known.is_some_and(|digests| digests.contains(&digest));
                assert!(right, "{what}: {} has other bytes", path.display());
            });
        }
    }

    pub(crate) fn is_all_there(&self, back: &Path, what: &str) {
        for (key, bytes) in &self.newest {
            let there = std::fs::read(back.join(key)).ok();
            assert!(there.as_ref() == Some(bytes), "{what}: {key} is not there");
        }
    }

    /// No line of the sums has a digest that no version of its key had; where somebody forged one, no
    /// file that fits it is taken in.
    pub(crate) fn blesses_nothing_else(&self, store: &Path, what: &str) {
        for sums in ["SHA256SUMS", "history.SHA256SUMS"] {
            let Ok(text) = std::fs::read_to_string(store.join("www").join(sums)) else {
                continue;
            };
            for line in text.lines().filter(|line| !line.starts_with('#')) {
                let Some((digest, path)) = line.split_once("  ") else {
                    continue;
                };
                let Ok(key) = names::key_of(path) else {
                    continue;
                };
                let file = std::fs::read(store.join("www").join(path)).unwrap_or_default();
                let known = self.digests.get(key.as_str());
                let right = known.is_some_and(|digests| digests.contains(digest));
                let fits = sha256(&file).to_string() == digest;
                assert!(right || !fits, "{what}: {sums} blesses {path}");
            }
        }
    }
}
