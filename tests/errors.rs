//! Everything that can be wrong around the program, provoked through the program itself: the exit
//! code, words that name the thing, words of the way out, and no secret in any of it (P8).
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used
)]

#[path = "errors/bucket.rs"]
mod bucket;
#[path = "errors/settings.rs"]
mod settings;
mod support;

use offsite::demo::bucket::{Bucket, READER, Server};
use offsite::object::Clock;
use std::process::Command;
use support::{Home, Keys, Output, Running};

/// A secret that appears in environments and files here, and may never appear in an answer.
const SECRET: &str = "hunter2hunter2hunter2hunter2hunter2hunter2";

/// A bucket with two objects, and a store that has pulled the first of them.
struct Ground {
    home: Home,
    bucket: Bucket,
    server: Server,
}

impl Ground {
    fn new() -> Self {
        let bucket = Bucket::new("backups", Clock::System);
        bucket.put("a.age", "first");
        let server = Server::start(vec![bucket.clone()], None).unwrap();
        let home = Home::new().with_keys(Keys::of(READER.id, READER.secret));
        home.init("www", bucket.name(), &server.endpoint());
        home.run(["pull"]).exits(0);
        bucket.put("b.age", "second");
        bucket.reset_requests();
        Self {
            home,
            bucket,
            server,
        }
    }

    /// Changes the configuration's text, which must have `from` in it.
    fn edit(&self, from: &str, to: &str) {
        let text = std::fs::read_to_string(self.home.config()).unwrap();
        assert!(text.contains(from), "{from:?} is not in\n{text}");
        std::fs::write(self.home.config(), text.replace(from, to)).unwrap();
    }

    /// Sets a setting of the one source.
    fn set(&self, name: &str, value: &str) {
        let text = std::fs::read_to_string(self.home.config()).unwrap();
        let mut config: toml::Table = text.parse().unwrap();
        config["source"][0]
            .as_table_mut()
            .unwrap()
            .insert(name.to_owned(), value.parse().unwrap());
        std::fs::write(self.home.config(), config.to_string()).unwrap();
    }
}

/// One thing that is wrong.
struct Case {
    name: &'static str,
    /// Makes it so, on a ground of its own; answers with the run that meets it.
    provoke: fn(&Ground) -> Command,
    exit: i32,
    /// What standard error must name,
    names: &'static [&'static str],
    /// and how to go on, on lines of their own that begin with an arrow.
    way_out: &'static [&'static str],
}

/// Runs the cases side by side, since most of them wait for a line that does not answer; says
/// which of them are not as promised, all at once.
fn all_as_promised(cases: &[Case]) {
    let wrong: Vec<String> = std::thread::scope(|scope| {
        let running: Vec<_> = cases
            .iter()
            .map(|case| scope.spawn(|| judged(case)))
            .collect();
        let joined = running.into_iter().map(|thread| thread.join().unwrap());
        joined.flatten().collect()
    });
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn judged(case: &Case) -> Option<String> {
    let ground = Ground::new();
    let told = Running::spawn((case.provoke)(&ground)).finish();
    let hints: String = told
        .stderr
        .lines()
        .filter(|line| line.starts_with("  -> "))
        .collect();
    let mut wrong = Vec::new();
    if told.code() != case.exit {
        wrong.push(format!("exit {} instead of {}", told.code(), case.exit));
    }
    let lacks = |text: &str, words: &[&str]| -> Vec<String> {
        let missing = words.iter().filter(|word| !text.contains(**word));
        missing.map(|word| format!("{word:?} is missing")).collect()
    };
    wrong.extend(lacks(&told.stderr, case.names));
    wrong.extend(lacks(&hints, case.way_out));
    wrong.extend(spilt(&told));
    let what = format!(
        "{}: {}\n{}{}",
        case.name,
        wrong.join("; "),
        told.stdout,
        told.stderr
    );
    (!wrong.is_empty()).then_some(what)
}

/// Secrets in what was printed.
fn spilt(told: &Output) -> Vec<String> {
    let secrets = [SECRET, READER.secret];
    let spilt = secrets.iter().filter(|secret| {
        // A part of it is too much as well.
        let part = &secret[..12];
        told.stdout.contains(part) || told.stderr.contains(part)
    });
    spilt
        .map(|secret| format!("the secret {secret} is printed"))
        .collect()
}

/// `offsite -c CONFIG pull`
fn pull(ground: &Ground) -> Command {
    ground.home.command(["pull"])
}

/// A file that its owner alone may read.
fn write_private(file: &std::path::Path, text: &str) {
    std::fs::write(file, text).unwrap();
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o600);
    std::fs::set_permissions(file, mode).unwrap();
}
