//! What a night's pull costs after thirty nights of 10,000 objects, each of a series of its own: with
//! and without the look at the series. And what it costs where one key has 100,000 versions.
//! `cargo bench --bench nights [-- series|versions]`.

#![allow(clippy::indexing_slicing, clippy::print_stdout, clippy::unwrap_used)]

mod support;

use jiff::SignedDuration;
use offsite::demo::bucket::{Bucket, Server, Versioning};
use offsite::home::Home;
use offsite::object::{Clock, Timestamp};
use offsite::outcome::Ended;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;
use tempfile::TempDir;
use tokio::runtime::Runtime;

const SERIES: usize = 10_000;
const NIGHTS: i64 = 30;
const VERSIONS: usize = 100_000;
const ROUNDS: usize = 5;

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    if let [_, night, endpoint, store, at, watched] = &arguments[..]
        && night == "night"
    {
        return one_night(endpoint, store, at.parse().unwrap(), watched == "watched");
    }
    // `cargo bench` adds an option of its own.
    let only = |what| {
        arguments
            .iter()
            .skip(1)
            .all(|a| a.starts_with('-') || a == what)
    };
    if only("series") {
        series();
    }
    if only("versions") {
        versions();
    }
}

fn series() {
    let scene = Scene::new();
    scene.fill();
    scene.measure();
}

fn versions() {
    let scene = Scene::new();
    scene.bucket.set_versioning(Versioning::Enabled);
    for number in 0..VERSIONS {
        scene.clock.set(second(number));
        scene.bucket.put("db/site.sql.age", body(number, 0));
    }
    let first = scene.night(1, true);
    let nothing_new = scene.night(2, true);
    scene.clock.set(second(VERSIONS));
    scene.bucket.put("db/site.sql.age", body(VERSIONS, 0));
    let one_more = scene.night(3, true);
    for (what, run) in [
        ("first pull", first),
        ("nothing new", nothing_new),
        ("one version more", one_more),
    ] {
        println!(
            "{VERSIONS} versions of one key, {what}: {:.2} s and {:.1} MiB, {} findings",
            run.seconds, run.mib, run.findings
        );
    }
}

/// A night's pull as a process of its own: its time, its memory, and what is open after it.
fn one_night(endpoint: &str, store: &str, at: Timestamp, watched: bool) {
    let clock = Clock::standing_at(at);
    let pull = support::pull(endpoint.to_owned(), clock.clone());
    let store = support::store(Path::new(store));
    let runtime = Runtime::new().unwrap();
    let mut home = Home::open(&store, clock).unwrap();
    let mut shelf = home.shelf(&pull.source).unwrap();
    let begin = Instant::now();
    let outcome = match watched {
        true => offsite::night::turn(&runtime, &mut shelf, &pull),
        false => pull.run(&runtime, &mut shelf),
    };
    let took = begin.elapsed().as_secs_f64();
    assert_eq!(outcome.unwrap().ended, Ended::Complete);
    let findings = home.catalogue().findings(true).unwrap().len();
    home.close().unwrap();
    println!("{took} {} {findings}", peak());
}

/// The most memory that this process had so far, in MiB.
fn peak() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM:"));
    let kib = line.unwrap().split_whitespace().nth(1).unwrap();
    kib.parse::<f64>().unwrap() / 1024.0
}

struct Scene {
    endpoint: String,
    store: PathBuf,
    bucket: Bucket,
    clock: Clock,
    _folder: TempDir,
    _server: Server,
}

impl Scene {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let clock = Clock::standing_at(at(0));
        let bucket = Bucket::new(support::BUCKET, clock.clone());
        let server = Server::start(vec![bucket.clone()], None).unwrap();
        let store = folder.path().join("store");
        support::init(&store, at(0));
        Self {
            endpoint: server.endpoint(),
            store,
            bucket,
            clock,
            _folder: folder,
            _server: server,
        }
    }

    fn fill(&self) {
        let begin = Instant::now();
        for night in 0..NIGHTS {
            self.come(night);
            assert_eq!(self.night(night, true).findings, 0);
        }
        let took = begin.elapsed().as_secs_f64();
        println!("{NIGHTS} nights of {SERIES} objects came in {took:.0} s");
    }

    /// Tonight's backups.
    fn come(&self, night: i64) {
        self.clock.set(at(night));
        for series in 0..SERIES {
            self.bucket.put(&key(series, night), body(series, night));
        }
    }

    fn go(&self, night: i64) {
        for series in 0..SERIES {
            self.bucket.delete(&key(series, night));
        }
    }

    fn night(&self, night: i64, watched: bool) -> Run {
        self.clock.set(at(night));
        let output = Command::new(std::env::current_exe().unwrap())
            .args(["night", &self.endpoint])
            .arg(&self.store)
            .arg(at(night).to_string())
            .arg(if watched { "watched" } else { "not" })
            .stderr(Stdio::inherit())
            .output()
            .unwrap();
        assert!(output.status.success());
        let text = String::from_utf8(output.stdout).unwrap();
        let numbers: Vec<f64> = text
            .split_whitespace()
            .map(|n| n.parse().unwrap())
            .collect();
        Run {
            seconds: numbers[0],
            mib: numbers[1],
            findings: numbers[2] as usize,
        }
    }

    fn measure(&self) {
        let (mut with, mut without) = (Vec::new(), Vec::new());
        for _ in 0..ROUNDS {
            with.push(self.night(NIGHTS - 1, true));
            without.push(self.night(NIGHTS - 1, false));
        }
        let (with, without) = (middle(with), middle(without));
        println!(
            "nothing new: {:.2} s and {:.1} MiB, without the look at the series {:.2} s and {:.1} MiB: \
             {:+.2} s, {:+.1} MiB (wanted: below 1 s, at most 20 MiB)",
            with.seconds,
            with.mib,
            without.seconds,
            without.mib,
            with.seconds - without.seconds,
            with.mib - without.mib,
        );
        self.come(NIGHTS);
        let came = self.night(NIGHTS, true);
        self.come(NIGHTS + 1);
        self.go(0);
        let rotated = self.night(NIGHTS + 1, true);
        println!(
            "{SERIES} new: {:.2} s and {:.1} MiB; {SERIES} new and the {SERIES} oldest gone: {:.2} s \
             and {:.1} MiB, {} findings",
            came.seconds, came.mib, rotated.seconds, rotated.mib, rotated.findings,
        );
    }
}

struct Run {
    seconds: f64,
    mib: f64,
    findings: usize,
}

fn middle(mut runs: Vec<Run>) -> Run {
    runs.sort_by(|a, b| a.seconds.total_cmp(&b.seconds));
    runs.swap_remove(runs.len() / 2)
}

/// It looks like an age file, so that nobody wonders what it is.
fn body(series: usize, night: i64) -> String {
    format!("age-encryption.org/v1\n-> X25519 {series}\n--- {night}\n")
}

fn second(number: usize) -> Timestamp {
    let seconds = SignedDuration::from_millis(number as i64 * 100);
    at(0).checked_add(seconds).unwrap()
}

fn at(night: i64) -> Timestamp {
    let first: Timestamp = "2026-11-01T03:00:00Z".parse().unwrap();
    first
        .checked_add(SignedDuration::from_hours(24 * night))
        .unwrap()
}

/// Numbers in names do not make another series; letters do.
fn key(series: usize, night: i64) -> String {
    let site: String = format!("{series:04}")
        .chars()
        .map(|digit| char::from(b'a' + digit as u8 - b'0'))
        .collect();
    format!("site-{site}/db-{:02}.age", 100 + night)
}
