//! Where the key comes from: every place, by the real program, with the real tool where there is
//! one here (moto for AWS's roles). Vault is not to be had on this machine: a server written from its documented HTTP API
//! stands in (`credentials/vault.rs`).
#![allow(clippy::indexing_slicing, clippy::panic, clippy::unwrap_used)]

mod support;

#[path = "credentials/places.rs"]
mod places;
#[path = "credentials/roles.rs"]
mod roles;
#[path = "credentials/rotation.rs"]
mod rotation;
#[path = "credentials/systemd.rs"]
mod systemd;
#[path = "credentials/vault.rs"]
mod vault;

use offsite::demo::bucket::READER;
use std::process::Command;
use support::{Embedded, Output, Running};

/// Nobody's word but a test's: it must never be seen again.
const CANARY: &str = "canary-7f3a9c-secret";

/// A bucket with one object, and a home that takes its key from `place` and has none in its
/// environment.
fn world(place: &str) -> Embedded {
    let world = Embedded::new();
    world.bucket.put("a.age", "age-encryption.org/v1\n");
    let text = std::fs::read_to_string(world.home.config()).unwrap();
    let setting = format!("credentials = {place:?}");
    let text = text.replace("credentials = \"env\"", &setting);
    assert!(text.contains(&setting), "{text}");
    std::fs::write(world.home.config(), text).unwrap();
    world
}

/// `offsite args`, at its most talkative, without a key in the environment.
fn bare(world: &Embedded, args: &[&str]) -> Command {
    let mut command = world.home.command(args);
    command
        .env("RUST_LOG", "trace")
        .env_remove("AWS_ACCESS_KEY_ID")
        .env_remove("AWS_SECRET_ACCESS_KEY");
    command
}

/// Runs it; no secret may be in what it prints.
#[track_caller]
fn quiet(command: Command) -> Output {
    let told = Running::spawn(command).finish();
    for secret in [READER.secret, CANARY] {
        let spilt = format!("{}{}", told.stdout, told.stderr).contains(secret);
        assert!(!spilt, "it printed the secret");
    }
    told
}

/// The lines that a key is kept in.
fn lines(id: &str, secret: &str) -> String {
    format!("aws_access_key_id = {id}\naws_secret_access_key = {secret}\n")
}

/// The run's errors, without the log's lines.
fn errors(told: &Output) -> String {
    let plain = |line: &&str| line.starts_with("error: ") || line.starts_with("  -> ");
    let lines: Vec<&str> = told.stderr.lines().filter(plain).collect();
    lines.join("\n")
}
