//! What is installed on a Raspberry Pi: systemd's own judgement of the units, the rights of the two
//! keys on a real server, and the other files of `deploy/`.
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used
)]

#[path = "deploy/arm64.rs"]
mod arm64;
#[path = "deploy/files.rs"]
mod files;
#[path = "deploy/guide.rs"]
mod guide;
#[path = "deploy/rights.rs"]
mod rights;
mod support;
#[path = "deploy/units.rs"]
mod units;

use std::path::{Path, PathBuf};

/// A file or folder of `deploy/`.
fn deploy(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("deploy")
        .join(name)
}

/// Its text.
fn text(name: &str) -> String {
    std::fs::read_to_string(deploy(name)).unwrap_or_else(|e| panic!("deploy/{name}: {e}"))
}

/// The lines that are no comments.
fn lines(text: &str) -> impl Iterator<Item = &str> {
    text.lines()
        .map(str::trim)
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
}
