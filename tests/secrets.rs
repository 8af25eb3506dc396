//! P8: secrets stay out of sight, with every word that the program can say switched on.
#![allow(clippy::indexing_slicing, clippy::unwrap_used)]

mod support;

use offsite::demo::bucket::READER;
use std::fs;
use support::program::each_file;
use support::{Embedded, Running};

const WRONG: &str = "canary-secret-that-is-wrong-0000";

/// Every command, at its most talkative.
const COMMANDS: [&[&str]; 33] = [
    &["pull", "--dry-run"],
    &["pull", "--dry-run", "--json"],
    &["adopt", "."],
    &["pull"],
    &[
        "init",
        "--store",
        "store",
        "--source",
        "b",
        "--bucket",
        "b",
        "--allow-root-fs",
    ],
    &["init", "--wizard"],
    &["init", "--rebind"],
    &["status"],
    &["status", "--json"],
    &["status", "--nagios"],
    &["notify", "--test"],
    &["ls", "--versions"],
    &["ls", "--json"],
    &["show", "a.age"],
    &["restore", "**", "--to", "back"],
    &["scrub", "--all", "--heal"],
    &["scrub", "--all", "--json"],
    &["mirror", "--to", "second", "--allow-root-fs"],
    &["drill"],
    &["drill", "--all", "--json"],
    &["log"],
    &["log", "--json"],
    &["log", "--events"],
    &["log", "--verify"],
    &["ack", "1"],
    &["catalogue", "check", "--deep"],
    &["catalogue", "rebuild", "--deep"],
    &["catalogue", "backup", "--to", "copy.db"],
    &["prune", "--incoming"],
    &["demo"],
    &["completions", "bash"],
    &["man"],
    &["help"],
];

fn holds(bytes: &[u8], secret: &str) -> bool {
    bytes.windows(secret.len()).any(|w| w == secret.as_bytes())
}

#[test]
fn p8_no_output_and_no_file_holds_the_secret() {
    let at = Embedded::new();
    at.bucket.put("a.age", b"age-encryption.org/v1\n".to_vec());
    for secret in [WRONG, READER.secret] {
        for args in COMMANDS {
            let mut command = at.home.command(args);
            command
                .env("RUST_LOG", "trace")
                .env("AWS_ACCESS_KEY_ID", READER.id)
                .env("AWS_SECRET_ACCESS_KEY", secret);
            let said = Running::spawn(command).finish();
            let text = format!("{}{}", said.stdout, said.stderr);
            assert!(
                !text.contains(secret),
                "{args:?} printed the secret:\n{text}"
            );
            if args == ["pull"] {
                assert_eq!(said.code(), if secret == WRONG { 2 } else { 0 }, "{text}");
                let logged = text.contains("DEBUG") || secret != WRONG;
                assert!(
                    logged,
                    "nothing was logged:
{text}"
                );
            }
        }
        let mut files = 0;
        each_file(at.home.path(), &mut |path, bytes| {
            files += 1;
            assert!(!holds(bytes, secret), "{} holds the secret", path.display());
        });
        assert!(files > 3, "only {files} files were looked at");
        let deploy = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy");
        each_file(&deploy, &mut |path, bytes| {
            assert!(!holds(bytes, secret), "{} holds the secret", path.display());
        });
    }
}

/// A command that is new is tried above too.
#[test]
fn p8_no_command_is_left_out() {
    let help = Embedded::new().home.run(["--help"]).exits(0).stdout;
    let (_, list) = help.split_once("\nCommands:\n").unwrap();
    let list = list.lines().take_while(|line| !line.is_empty());
    let names: Vec<&str> = list.filter_map(|l| l.split_whitespace().next()).collect();
    assert!(names.contains(&"pull"), "{names:?}");
    for name in names {
        assert!(COMMANDS.iter().any(|args| args[0] == name), "{name}");
    }
}

/// A core dump would hold the key.
#[test]
fn p8_no_core_is_dumped() {
    let at = Embedded::new();
    at.bucket.put("a.age", vec![7; 1000]);
    let seen = std::sync::Arc::new(std::sync::Mutex::new(String::new()));
    let limits = std::sync::Arc::clone(&seen);
    let pid = std::sync::Arc::new(std::sync::atomic::AtomicU32::new(0));
    let of = std::sync::Arc::clone(&pid);
    at.bucket.with_faults(|faults| {
        faults.on_request = Some(std::sync::Arc::new(move |_: &str, _: Option<&str>| {
            // The run asks for something, so it is under way; its number may come a moment later.
            while of.load(std::sync::atomic::Ordering::SeqCst) == 0 {
                std::thread::yield_now();
            }
            let pid = of.load(std::sync::atomic::Ordering::SeqCst);
            *limits.lock().unwrap() = fs::read_to_string(format!("/proc/{pid}/limits")).unwrap();
        }));
    });
    let run = at.home.spawn(["pull"]);
    pid.store(run.id(), std::sync::atomic::Ordering::SeqCst);
    run.finish().exits(0);
    let limits = seen.lock().unwrap();
    let core = limits.lines().find(|l| l.starts_with("Max core file size"));
    let words: Vec<&str> = core.unwrap().split_whitespace().collect();
    assert_eq!(&words[4..6], ["0", "0"], "{core:?}");
}
