//! What it costs to get everything back, beside `cp -r` of the same files and `sync`, and to read it all
//! again, beside `sha256sum`: in turn, each as a process of its own, from a cold cache.
//! `cargo bench --bench care [-- small|large]`; needs 5 GB in `$TMPDIR`, and Python for `measure.py`.

#![allow(clippy::indexing_slicing, clippy::print_stdout, clippy::unwrap_used)]

mod support;

use offsite::demo::bucket::{Bucket, Server};
use offsite::home::Home;
use offsite::object::Clock;
use offsite::outcome::Ended;
use rustix::fs::{Advice, fadvise};
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use tempfile::TempDir;

const ROUNDS: usize = 5;
/// Name, files, bytes of each.
const WORKLOADS: [(&str, usize, usize); 2] = [("small", 10_000, 16 << 10), ("large", 4, 512 << 20)];
const MIB: f64 = 1_048_576.0;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    for (name, files, bytes) in WORKLOADS {
        // `cargo bench` adds an option of its own.
        if arguments.iter().all(|a| a.starts_with('-') || a == name) {
            measure(name, files, bytes);
        }
    }
}

fn measure(name: &str, files: usize, bytes: usize) {
    let folder = tempfile::tempdir().unwrap();
    let store = filled(&folder, files, bytes);
    let (latest, to) = (store.join("b/latest"), folder.path().join("to"));
    let offsite = |args: &[&str]| {
        let mut command = vec![env!("CARGO_BIN_EXE_offsite").to_owned()];
        command.extend(args.iter().map(|arg| (*arg).to_owned()));
        command.extend(["--store".to_owned(), store.display().to_string()]);
        command
    };
    let sh = |script: String| ["sh", "-c", &script].map(str::to_owned).to_vec();
    println!("{name}: {files} files of {:.2} MiB", bytes as f64 / MIB);
    let back = to.display().to_string();
    Pair {
        ours: ("restore", offsite(&["restore", "**", "--to", &back])),
        theirs: (
            "cp and sync",
            sh(format!("cp -r '{}' '{back}' && sync", latest.display())),
        ),
        wanted: 0.8,
        after: &|| {
            assert_eq!(fs::read_dir(&to).unwrap().count(), files.min(100));
            fs::remove_dir_all(&to).unwrap();
        },
    }
    .measure(&store);
    Pair {
        ours: ("scrub", offsite(&["scrub", "--all"])),
        theirs: (
            "sha256sum",
            sh(format!(
                "find '{}' -type f -print0 | xargs -0 sha256sum >/dev/null",
                latest.display()
            )),
        ),
        wanted: 0.95,
        after: &|| {},
    }
    .measure(&store);
}

/// Two commands that do the same work.
struct Pair<'p> {
    ours: (&'static str, Vec<String>),
    theirs: (&'static str, Vec<String>),
    /// How fast ours is to be, at least, as a part of theirs.
    wanted: f64,
    after: &'p dyn Fn(),
}

impl Pair<'_> {
    fn measure(&self, store: &Path) {
        let (mut ours, mut theirs, mut ratios) = (Vec::new(), Vec::new(), Vec::new());
        for round in 0..ROUNDS {
            // A B B A: what disturbs the machine for a while disturbs both.
            let mut pair = [0.0, 0.0];
            for turn in [round % 2, 1 - round % 2] {
                cold(store);
                let run = run(match turn {
                    0 => &self.ours.1,
                    _ => &self.theirs.1,
                });
                (self.after)();
                pair[turn] = run.0;
                match turn {
                    0 => ours.push(run),
                    _ => theirs.push(run),
                }
            }
            ratios.push(pair[1] / pair[0]);
        }
        let (ours, theirs) = (middle(ours), middle(theirs));
        ratios.sort_by(f64::total_cmp);
        println!(
            "  {} {:.2} s and {:.0} MiB, {} {:.2} s and {:.0} MiB; {:.2} x its speed ({:.2} to {:.2}; wanted: at least {})",
            self.ours.0,
            ours.0,
            ours.1,
            self.theirs.0,
            theirs.0,
            theirs.1,
            ratios[ratios.len() / 2],
            ratios[0],
            ratios[ratios.len() - 1],
            self.wanted,
        );
    }
}

/// The one in the middle by time: seconds, and the most memory in MiB.
fn middle(mut runs: Vec<(f64, f64)>) -> (f64, f64) {
    runs.sort_by(|a, b| a.0.total_cmp(&b.0));
    runs[runs.len() / 2]
}

fn run(command: &[String]) -> (f64, f64) {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/measure.py");
    let mut measured = Command::new("python3");
    measured.arg(script).args(command).stderr(Stdio::inherit());
    let output = measured.output().unwrap();
    let told: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(told["exit"], 0, "{told}");
    let number = |name: &str| told[name].as_f64().unwrap();
    (number("wall"), number("rss_kib") / 1024.0)
}

/// Nothing waits to be written, and no file of the store is in the page cache.
fn cold(store: &Path) {
    rustix::fs::sync();
    let mut folders = vec![store.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            match path.is_dir() {
                true => folders.push(path),
                false => fadvise(File::open(path).unwrap(), 0, None, Advice::DontNeed).unwrap(),
            }
        }
    }
}

/// A store that pulled so many files of so many bytes, in a hundred folders where there are many.
fn filled(folder: &TempDir, files: usize, bytes: usize) -> PathBuf {
    let bucket = Bucket::new(support::BUCKET, Clock::System);
    let server = Server::start(vec![bucket.clone()], None).unwrap();
    for number in 0..files {
        let mut body = b"age-encryption.org/v1\n-> X25519 abc\ndef\n--- ghi\n".to_vec();
        let header = body.len();
        body.resize(bytes, 0);
        fastrand::Rng::with_seed(number as u64).fill(&mut body[header..]);
        bucket.put(&format!("{}/file-{number}.age", number % 100), body);
    }
    let path = folder.path().join("store");
    support::init(&path, Clock::System.now());
    pull(&path, server.endpoint());
    path
}

fn pull(store: &Path, endpoint: String) {
    let pull = support::pull(endpoint, Clock::System);
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let mut home = Home::open(&support::store(store), Clock::System).unwrap();
    let outcome = offsite::night::turn(&runtime, &mut home.shelf(&pull.source).unwrap(), &pull);
    assert_eq!(outcome.unwrap().ended, Ended::Complete);
    home.close().unwrap();
}
