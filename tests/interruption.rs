//! A pull that ends before it is through: by a signal, by a kill, by a line that breaks. What was
//! fetched is recorded, the next run fetches only what is missing, and bytes of two versions are
//! never mixed (promise P3). Requests are counted, nothing is timed.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used
)]

#[path = "interruption/line.rs"]
mod line;
#[path = "interruption/resume.rs"]
mod resume;
#[path = "interruption/signals.rs"]
mod signals;
mod support;

use offsite::demo::bucket::{Fault, Trickle};
use std::path::PathBuf;
use std::time::{Duration, Instant};
use support::Embedded;

/// A body that never comes to its end while a test runs.
const NEVER: Trickle = Trickle {
    bytes: 1,
    every: Duration::from_secs(3600),
};

/// Bodies of `key` stop coming.
fn stall(world: &Embedded, key: &'static str) {
    let fault = Fault::new(NEVER).on(move |asked| asked == key);
    world
        .bucket
        .with_faults(|faults| faults.trickle = Some(fault));
}

/// Nothing is wrong with the bucket any more, and nothing is counted yet.
fn heal(world: &Embedded) {
    world
        .bucket
        .with_faults(|faults| *faults = Default::default());
    world.bucket.reset_requests();
}

/// Waits until `it` is so; that takes as long as it takes.
#[track_caller]
fn until(what: &str, it: impl Fn() -> bool) {
    let begin = Instant::now();
    while !it() {
        assert!(begin.elapsed() < Duration::from_secs(120), "never: {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// The downloads in progress with their lengths, watermark records left out.
fn incoming(world: &Embedded) -> Vec<(PathBuf, u64)> {
    let entries = std::fs::read_dir(world.folder().join("incoming"));
    let mut files = Vec::new();
    for entry in entries.into_iter().flatten() {
        let path = entry.unwrap().path();
        if path.extension().is_none() {
            let length = path.metadata().map_or(0, |data| data.len());
            files.push((path, length));
        }
    }
    files
}

/// The keys that `ls` shows.
fn listed(world: &Embedded) -> Vec<String> {
    let rows = world.home.run(["ls", "--json"]).exits(0).json_lines();
    let key = |row: &serde_json::Value| row["key"].as_str().unwrap().to_owned();
    rows.iter().map(key).collect()
}

/// How the newest run ended, as `log` tells it.
fn last_run(world: &Embedded) -> serde_json::Value {
    let log = world.home.run(["log", "--json"]).exits(0);
    log.json_lines().remove(0)
}

/// The bytes under the key's own name.
fn latest(world: &Embedded, key: &str) -> Vec<u8> {
    std::fs::read(world.folder().join("latest").join(key)).unwrap()
}

/// Bytes that differ from place to place, so that a range in the wrong place shows.
fn pattern(length: usize, seed: u8) -> Vec<u8> {
    let mut bytes = vec![seed; length];
    for (number, block) in bytes.chunks_exact_mut(64 << 10).enumerate() {
        block[..8].copy_from_slice(&number.to_le_bytes());
    }
    bytes
}
