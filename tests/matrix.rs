//! Every damage, at every place, before every command: what the command says, and that nothing wrong
//! comes of it. No cell delivers a wrong byte, blesses what has rotted, or calls whole what is not.
//!
//! The table is `tests/matrix/table.txt`: a line a damage and place, a column a command, in each cell
//! the exit code. What a code means here is checked against the drive itself (`Cell::is_sound`).
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used
)]

#[path = "matrix/damage.rs"]
mod damage;
#[path = "matrix/truth.rs"]
mod truth;

mod support;

use damage::{DAMAGES, PLACES, Place};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use support::{Nights, Output, Running, program};
use truth::Truth;

/// The commands of the table's columns, after `offsite -c CONFIG`; `BACK` and `MIRROR` are folders beside the store.
const COMMANDS: [(&str, &[&str]); 7] = [
    ("check", &["catalogue", "check"]),
    ("deep", &["catalogue", "check", "--deep"]),
    ("scrub", &["scrub", "--all"]),
    ("heal", &["scrub", "--all", "--heal"]),
    ("rebuild", &["catalogue", "rebuild", "--deep"]),
    ("restore", &["restore", "**", "--to", "BACK"]),
    ("mirror", &["mirror", "--allow-root-fs", "--to", "MIRROR"]),
];

const TABLE: &str = include_str!("matrix/table.txt");

/// A store with a history, never written to: each cell has a copy.
struct Original {
    nights: Nights,
    /// Another store over the same bucket.
    other: Nights,
    /// The store as it was a night before.
    before: PathBuf,
    truth: Truth,
}

impl Original {
    fn new() -> Self {
        let mut nights = Nights::new();
        let mut other = Nights::new();
        other.source = nights.source.clone();
        nights.bucket.put("other.age", "otherX");
        nights.bucket.put("third.age", "3-3-3-");
        for bytes in ["first.", "second"] {
            nights.bucket.put("daily.age", bytes);
            nights.night();
        }
        let before = nights.folder().join("before");
        copy(&nights.store.path, &before);
        nights.bucket.put("daily.age", "third!");
        nights.night();
        other.pull().unwrap();
        let truth = Truth::of(&nights);
        Self {
            nights,
            other,
            before,
            truth,
        }
    }
}

fn copy(from: &Path, to: &Path) {
    let done = Command::new("cp").arg("-a").args([from, to]).status();
    assert!(done.unwrap().success());
}

/// One damage at one place, and the store that has it.
struct Cell<'o> {
    original: &'o Original,
    what: String,
    folder: tempfile::TempDir,
}

impl<'o> Cell<'o> {
    fn new(original: &'o Original, what: &str) -> Self {
        let folder = tempfile::tempdir_in(original.nights.folder()).unwrap();
        copy(&original.nights.store.path, &folder.path().join("store"));
        Self {
            original,
            what: what.to_owned(),
            folder,
        }
    }

    fn store(&self) -> PathBuf {
        self.folder.path().join("store")
    }

    fn mirror(&self) -> PathBuf {
        self.folder.path().join("mirror")
    }

    fn offsite(&self, args: &[&str]) -> Output {
        let config = self.folder.path().join("offsite.toml");
        let nights = &self.original.nights;
        let id = format!("[store]\nid = {:?}\n", nights.reader().marker().id);
        let text = nights.config(&self.store()).replacen("[store]\n", &id, 1);
        std::fs::write(&config, text).unwrap();
        let back = self.folder.path().join("back");
        let mut command = Command::new(program());
        command.arg("-c").arg(&config);
        for arg in args {
            match *arg {
                "BACK" => command.arg(&back),
                "MIRROR" => command.arg(self.mirror()),
                arg => command.arg(arg),
            };
        }
        nights.with_keys(&mut command);
        Running::spawn(command).finish()
    }

    /// What must hold after a command came to its end, whatever the damage was.
    fn is_sound(&self, command: &str, place: Place, told: &Output) {
        let what = format!("{} before {command}", self.what);
        let said = format!("{}{}", told.stdout, told.stderr);
        let (truth, store) = (&self.original.truth, self.store());
        if command == "restore" && told.code() == 3 {
            // What waits in `incoming/` is said, and that older ones came in its place.
            let words = "a run was cut off before 1 of its versions had names";
            assert!(said.contains(words), "{what}: {said}");
            return;
        }
        if told.code() != 0 {
            let word = place.word();
            // Whoever forges a digest has changed the file, too.
            let named =
                said.contains(word) || (what.contains("forged") && said.contains("other.age"));
            assert!(named, "{what} is not named:\n{said}");
        }
        match (command, told.code()) {
            // Whole is what is whole.
            ("deep" | "scrub" | "heal", 0) => truth.holds(&store, &what),
            ("restore", 0) => truth.is_all_there(&self.folder.path().join("back"), &what),
            _ => {}
        }
        truth.delivers_nothing_else(&self.folder.path().join("back"), &what);
        if command == "mirror" {
            self.mirror_is_sound(told, &what);
        }
        if command == "rebuild" || command == "heal" {
            truth.blesses_nothing_else(&store, &what);
        }
        if command != "restore" {
            // Nor does what comes after believe what is wrong.
            let again = self.offsite(&["restore", "**", "--to", "BACK"]);
            let back = self.folder.path().join("back");
            // What waits in `incoming/` is said, and that older ones came in its place.
            if again.code() == 3 && again.stderr.contains("a run was cut off") {
                return;
            }
            truth.delivers_nothing_else(&back, &what);
            if again.code() == 0 {
                truth.is_all_there(&back, &what);
            }
        }
    }
}

impl Cell<'_> {
    /// Whatever has a name in the mirror was in the bucket; where it says that all is there, it is.
    fn mirror_is_sound(&self, told: &Output, what: &str) {
        let truth = &self.original.truth;
        truth.has_no_other_bytes(&self.mirror(), what);
        if told.code() != 0 {
            return;
        }
        let (mirror, back) = (self.mirror(), self.folder.path().join("back"));
        let mut command = Command::new(program());
        command.args(["restore", "**", "--to"]).arg(&back);
        command.arg("--store").arg(&mirror).env_clear();
        Running::spawn(command).finish().exits(0);
        truth.is_all_there(&back, what);
        std::fs::remove_dir_all(back).unwrap();
    }
}

/// The column of one command, compared with the table.
fn column(name: &str) {
    let (at, (_, args)) = COMMANDS
        .iter()
        .enumerate()
        .find(|(_, (command, _))| *command == name)
        .unwrap();
    let original = Original::new();
    let mut lines = TABLE.lines().filter(|line| !line.starts_with('#'));
    let mut wrong = String::new();
    for place in PLACES {
        for damage in DAMAGES.iter().filter(|damage| (damage.at)(place)) {
            let row = format!("{} of {}", damage.name, place.name());
            let cell = Cell::new(&original, &row);
            (damage.harm)(&place.file(&cell.store()), &cell, &original);
            let told = cell.offsite(args);
            let sound = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
                cell.is_sound(name, place, &told);
            }));
            if let Err(panic) = sound {
                let why = panic.downcast_ref::<String>().cloned().unwrap_or_default();
                writeln!(wrong, "UNSOUND {why}").unwrap();
            }
            let line = lines.next().unwrap_or_default();
            let (says, codes) = line.split_once(':').unwrap_or((line, ""));
            let expected = codes.split_whitespace().nth(at).unwrap_or("none");
            if says.trim() != row || expected != told.code().to_string() {
                writeln!(
                    wrong,
                    "{row}: exit {}, the table has {expected} for {says:?}\n{}{}",
                    told.code(),
                    told.stdout,
                    told.stderr
                )
                .unwrap();
            }
        }
    }
    assert_eq!(lines.next(), None, "the table has more lines");
    assert!(wrong.is_empty(), "{wrong}");
}

#[test]
fn the_columns_are_the_commands() {
    let names: Vec<_> = COMMANDS.iter().map(|(name, _)| *name).collect();
    let head = TABLE
        .lines()
        .find_map(|l| l.strip_prefix("# damage of place: "));
    assert_eq!(head.unwrap().split_whitespace().collect::<Vec<_>>(), names);
}

#[test]
fn check() {
    column("check");
}

#[test]
fn check_deep() {
    column("deep");
}

#[test]
fn scrub() {
    column("scrub");
}

#[test]
fn scrub_and_heal() {
    column("heal");
}

#[test]
fn rebuild() {
    column("rebuild");
}

#[test]
fn restore() {
    column("restore");
}

#[test]
fn mirror() {
    column("mirror");
}
