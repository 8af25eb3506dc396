//! What the README says of a second drive, run line by line.

use crate::support::{Embedded, Running, program};
use crate::{files, is_whole};
use std::fs;
use std::process::Command;

const README: &str = include_str!("../../README.md");

/// A block under "A second drive".
fn block(language: &str) -> &'static str {
    let (_, section) = README.split_once("\n## A second drive\n").unwrap();
    let (section, _) = section.split_once("\n## ").unwrap();
    let (_, block) = section.split_once(&format!("```{language}\n")).unwrap();
    block.split_once("```").unwrap().0
}

#[test]
fn a_second_drive_is_made_and_looked_at_as_the_readme_says() {
    let at = Embedded::new();
    at.bucket.put("a.age", crate::support::age(9000, 1));
    at.home.run(["pull"]).exits(0);
    let second = at.home.path().join("second");
    let to = second.to_str().unwrap();
    // Only where the tests run need it be allowed.
    let script = block("sh")
        .replace("/mnt/second/offsite", to)
        .replace(" --to ", " --allow-root-fs --to ");
    let mut sh = Command::new("sh");
    let bin = program().parent().unwrap().display().to_string();
    sh.args(["-euc", &script])
        .current_dir(at.home.path())
        .env_clear()
        .env("PATH", format!("{bin}:{}", std::env::var("PATH").unwrap()))
        .env("HOME", at.home.path())
        .env("OFFSITE_CONFIG", at.home.config());
    let said = Running::spawn(sh).finish().exits(0);
    said.says(&["1 versions copied", "1 files", "0 problems"]);
    assert!(files(&second) == files(&at.home.store()));

    // With the folder in the configuration.
    let config = fs::read_to_string(at.home.config()).unwrap();
    let section = block("toml").replace("/mnt/second/offsite", to);
    fs::write(at.home.config(), format!("{config}\n{section}")).unwrap();
    at.bucket.put("b.age", crate::support::age(9000, 2));
    at.home.run(["pull"]).exits(0);
    at.home
        .run(["mirror"])
        .exits(0)
        .says(&["1 versions copied"]);
    is_whole(&second);
    let words = fs::read_to_string(second.join("README.txt")).unwrap();
    assert!(words.contains("a mirror of   store 0"), "{words}");
}
