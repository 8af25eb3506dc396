//! `offsite drill`: what was restored is opened by the owner's own command, or it is said that it was
//! not; scratch space is left as it was.
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used
)]

#[path = "drill/proof.rs"]
mod proof;
#[path = "drill/scratch.rs"]
mod scratch;
mod support;
#[path = "drill/turns.rs"]
mod turns;

use serde_json::Value;
use std::fs;
use std::io::Write as _;
use std::path::PathBuf;
use support::{Embedded, Output};

/// A bucket, its copy, and a folder for scratch space.
pub(crate) struct Scene {
    pub(crate) at: Embedded,
}

impl Scene {
    pub(crate) fn new() -> Self {
        let at = Embedded::new();
        fs::create_dir(at.home.path().join("scratch")).unwrap();
        Self { at }
    }

    pub(crate) fn put(&self, key: &str, bytes: impl Into<Vec<u8>>) {
        self.at.bucket.put(key, bytes.into());
    }

    pub(crate) fn pull(&self) {
        self.at.home.run(["pull"]).exits(0);
    }

    /// A `[[drill]]` of the configuration; `more` are further lines.
    pub(crate) fn command(&self, series: &str, command: &str, more: &str) {
        let config = self.at.home.config();
        let mut file = fs::File::options().append(true).open(config).unwrap();
        let command = toml::Value::from(command);
        write!(
            file,
            "\n[[drill]]\nseries = '{series}'\ncommand = {command}\n{more}\n"
        )
        .unwrap();
    }

    pub(crate) fn scratch(&self) -> PathBuf {
        self.at.home.path().join("scratch")
    }

    /// `offsite drill --scratch SCRATCH args…`
    pub(crate) fn args(&self, args: &[&str]) -> Vec<String> {
        let scratch = self.scratch().display().to_string();
        let all = [&["drill", "--scratch", &scratch], args].concat();
        all.into_iter().map(str::to_owned).collect()
    }

    pub(crate) fn drill(&self, args: &[&str]) -> Output {
        let told = self.at.home.run(self.args(args));
        if !args.contains(&"--keep") {
            self.scratch_is_empty();
        }
        told
    }

    #[track_caller]
    pub(crate) fn scratch_is_empty(&self) {
        let left: Vec<_> = fs::read_dir(self.scratch()).unwrap().collect();
        assert!(left.is_empty(), "{left:?}");
    }

    pub(crate) fn status(&self, code: i32) -> Value {
        let told = self.at.home.run(["status", "--json"]).exits(code);
        told.json_lines().remove(0)
    }

    /// The kinds of the open findings.
    pub(crate) fn open(&self) -> Vec<String> {
        let told = self
            .at
            .home
            .run(["status", "--json"])
            .json_lines()
            .remove(0);
        let findings = told["findings"].as_array().unwrap().iter();
        findings
            .map(|f| f["kind"].as_str().unwrap().to_owned())
            .collect()
    }
}

/// What a drill's lines of JSON say: series and what it came to.
pub(crate) fn came(told: &Output) -> Vec<(String, String)> {
    let word = |value: &Value| value.as_str().unwrap().to_owned();
    let lines = told.json_lines().into_iter();
    lines
        .map(|line| (word(&line["series"]), word(&line["came"])))
        .collect()
}
