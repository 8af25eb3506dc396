//! The README does what it says: its code blocks are taken out and run, its promises name tests
//! that exist, its exit codes are those of `--help`.

#![allow(clippy::indexing_slicing, clippy::unwrap_used)]

mod support;

use offsite::demo::bucket::{Bucket, READER, Server};
use offsite::object::Clock;
use std::path::Path;
use std::process::Command;
use support::bucket::Keys;
use support::program::{Home, Output, Running, program};

const README: &str = include_str!("../README.md");

/// The `sh` blocks, in the README's order, without comments.
fn blocks() -> Vec<String> {
    let mut blocks = Vec::new();
    let mut rest = README;
    while let Some((_, from)) = rest.split_once("```sh\n") {
        let (block, after) = from.split_once("```").unwrap();
        blocks.push(block.to_owned());
        rest = after;
    }
    blocks
}

/// Runs a block as a shell would in a home of its own, with `offsite` on the path.
fn shell(home: &Home, script: &str) -> Output {
    let program = program();
    let bin = program.parent().unwrap();
    let path = std::env::var("PATH").unwrap();
    let mut sh = Command::new("sh");
    sh.args(["-euc", script])
        .current_dir(home.path())
        .env_clear()
        .env("PATH", format!("{}:{path}", bin.display()))
        .env("HOME", home.path())
        .env("TMPDIR", home.path())
        .env("AWS_EC2_METADATA_DISABLED", "true");
    Running::spawn(sh).finish()
}

#[test]
fn the_readme_has_the_blocks_that_are_run_here() {
    let firsts: Vec<String> = blocks()
        .iter()
        .map(|block| block.lines().next().unwrap().to_owned())
        .collect();
    assert_eq!(
        firsts,
        [
            "cargo run --release -- demo",
            "cargo test",
            "cargo install --path .",
            "offsite status",
            // tests/restore/readme.rs runs these.
            "offsite ls 'site/**' --store /media/usb/offsite",
            "offsite restore --series 'site/site-*-*utc.tar.age' --to newest --store /media/usb/offsite",
            "offsite restore '**' --to all --store /media/usb/offsite",
            "offsite scrub",
            // tests/mirror/readme.rs runs this.
            "offsite mirror --to /mnt/second/offsite",
        ],
        "a block that no test here runs was added, or one went"
    );
}

/// The first block. Built already, so that a test does not build it again for speed; `.ci/arm`
/// has the demo run by a program that was.
#[test]
fn the_demo_runs_on_a_machine_with_nothing_configured() {
    let home = Home::new();
    let script = blocks()[0].replace("cargo run --release --", "offsite");
    let told = shell(&home, &script).exits(0);
    for words in [
        "=== Night 1",
        "=== Night 2",
        "=== Night 3",
        "ALARM: look now",
        "1 gone",
    ] {
        assert!(
            told.stdout.contains(words),
            "{words:?} is not in\n{}",
            told.stdout
        );
    }
}

/// The set-up, line by line, and the lines for when something is wrong. Only what the README
/// leaves to the reader is put in: the key, the drive, the bucket, the provider.
#[test]
fn the_set_up_works_as_written() {
    let bucket = Bucket::new("my-backups", Clock::System);
    let key = "site/site-20261121-030000utc.tar.age";
    bucket.put(key, support::age(22_000, 1));
    let server = Server::start(vec![bucket], None).unwrap();
    let home = Home::new().with_keys(Keys::of(READER.id, READER.secret));
    let drive = home.path().join("usb");
    let blocks = blocks();
    let wrong = blocks[3]
        .lines()
        .fold(String::new(), |all, line| format!("{all}{line}\n"));
    let script = format!("{}{wrong}{}", blocks[2], blocks[7])
        .replace("cargo install --path .\n", "")
        .replace("the-read-only-key", READER.id)
        .replace("its-secret", READER.secret)
        .replace(
            "/mnt/usb/offsite",
            &format!("{} --allow-root-fs", drive.display()),
        )
        .replace("https://fra1.digitaloceanspaces.com", &server.endpoint());
    let said = shell(&home, &script).exits(0);
    for words in [
        "would fetch 1 objects",
        "1 stored",
        "all well",
        key,
        "1 files",
        "the chain holds",
        "etag-md5",
        "read and compared; that is all there is",
    ] {
        assert!(
            said.stdout.contains(words),
            "{words:?} is not in\n{}",
            said.stdout
        );
    }
    let config = home.path().join(".config/offsite/offsite.toml");
    let config = std::fs::read_to_string(config).unwrap();
    assert!(
        !config.contains(READER.secret),
        "a secret is in the configuration"
    );
    for name in [
        "offsite-store.toml",
        "README.txt",
        "catalogue.db",
        "www/journal",
        "www/SHA256SUMS",
    ] {
        assert!(drive.join(name).exists(), "{name} is not on the drive");
    }
}

/// Every test file that the README names exists, and every test function stands in its file.
#[test]
fn the_promises_name_tests_that_exist() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut named = 0;
    for quoted in README.split('`').skip(1).step_by(2) {
        let (file, function) = quoted.split_once("::").unwrap_or((quoted, ""));
        if !file.starts_with("tests/") && !file.starts_with("src/") && !file.starts_with("benches/")
        {
            continue;
        }
        let path = root.join(file);
        assert!(
            path.exists(),
            "the README names {file}, which does not exist"
        );
        if !function.is_empty() {
            let text = std::fs::read_to_string(&path).unwrap();
            assert!(
                text.contains(&format!("fn {function}(")),
                "{quoted} does not exist"
            );
        }
        named += 1;
    }
    assert!(named >= 8, "the promises name only {named} tests");
    for promise in 1..=8 {
        assert!(
            README.contains(&format!("**P{promise} ")),
            "P{promise} is missing"
        );
    }
}

#[test]
fn the_exit_codes_are_those_of_the_help() {
    let home = Home::new();
    let help = Running::spawn(home.bare(["--help"])).finish().exits(0);
    for code in 0..=7 {
        let row = README
            .lines()
            .find_map(|line| line.strip_prefix(&format!("| {code} | ")))
            .unwrap();
        let words = row.trim_end_matches(" |").replace("**alarm**", "ALARM");
        assert!(
            help.stdout.contains(&words),
            "{code}: {words}\n{}",
            help.stdout
        );
    }
}
