//! What the fuzz targets of `fuzz/` have found worth keeping, run again, and a million small random inputs for
//! each parser of what a bucket tells: nothing of it may panic. (A million for the recogniser: `tests/formats`.)

#![allow(clippy::indexing_slicing, clippy::panic, clippy::unwrap_used)]

#[path = "../fuzz/properties.rs"]
mod properties;

use std::fmt::Debug;
use std::io::Write as _;
use std::path::{Path, PathBuf};

/// Names the input at which a property did not hold.
struct Trying<'a>(&'a dyn Debug);

impl Drop for Trying<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let _ = writeln!(std::io::stderr(), "the input was {:?}", self.0);
        }
    }
}

fn corpus(target: &str) -> Vec<(PathBuf, Vec<u8>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("fuzz/corpus")
        .join(target);
    let files = std::fs::read_dir(&folder).unwrap();
    let files: Vec<_> = files.map(|file| file.unwrap().path()).collect();
    assert!(files.len() >= 20, "{} has hardly any", folder.display());
    let read = |path: PathBuf| {
        let bytes = std::fs::read(&path).unwrap();
        (path, bytes)
    };
    files.into_iter().map(read).collect()
}

fn replay(target: &str, property: fn(&[u8])) {
    for (path, bytes) in corpus(target) {
        let _trying = Trying(&path);
        property(&bytes);
    }
}

/// Bytes of no pattern, and what was kept with a few bytes changed, doubled or cut off.
fn random(target: &str, inputs: u32, property: fn(&[u8])) {
    let mut seeds = corpus(target);
    seeds.sort();
    seeds.retain(|(_, bytes)| bytes.len() < 400);
    let mut rng = fastrand::Rng::with_seed(11);
    let mut bytes = Vec::new();
    for _ in 0..inputs {
        bytes.clear();
        match rng.u8(..4) {
            0 => bytes.extend((0..rng.usize(..120)).map(|_| rng.u8(..))),
            _ => bytes.extend_from_slice(&seeds[rng.usize(..seeds.len())].1),
        }
        for _ in 0..rng.usize(..5) {
            let at = rng.usize(..=bytes.len());
            match rng.u8(..4) {
                0 => bytes.truncate(at),
                1 => bytes.insert(at, rng.u8(..)),
                2 => bytes.extend_from_within(..at.min(100)),
                _ if at < bytes.len() => bytes[at] = rng.u8(..),
                _ => {}
            }
        }
        let _trying = Trying(&bytes);
        property(&bytes);
    }
}

macro_rules! kept {
    ($($target:ident)+) => {$(
        #[test]
        fn $target() {
            replay(stringify!($target), properties::$target);
        }
    )+};
}

/// What once went wrong stays right.
mod kept {
    use super::{properties, replay};

    kept! { recogniser claims sums checksums layouts signatures }
}

#[test]
fn a_million_hostile_claims() {
    random("claims", 1_000_000, properties::claims);
}

#[test]
fn a_million_hostile_files_of_digests() {
    random("sums", 1_000_000, properties::sums);
}

#[test]
fn hostile_signatures() {
    random("signatures", 100_000, properties::signatures);
}

#[test]
fn a_million_hostile_headers() {
    random("checksums", 1_000_000, properties::headers);
    random("checksums", 5_000, properties::checksums);
}

#[test]
fn a_million_hostile_layouts() {
    random("layouts", 1_000_000, properties::guesses);
    random("layouts", 5_000, properties::layouts);
}

/// Names and metadata too, and the bytes in pieces.
#[test]
fn hostile_objects_in_pieces() {
    random("recogniser", 3_000, properties::recogniser);
}
