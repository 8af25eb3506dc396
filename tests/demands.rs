//! What evidence the owner demands (`require`, `--require`), and what `show` tells of it, by the
//! program itself.
#![allow(clippy::indexing_slicing, clippy::unwrap_used)]

mod support;

use offsite::demo::bucket::{Encryption, PutOptions};
use offsite::object::Timestamp;
use std::io::Write as _;
use support::Embedded;

fn silent() -> PutOptions {
    PutOptions {
        encryption: Some(Encryption::Kms("a-key".to_owned())),
        ..PutOptions::default()
    }
}

/// The source of `at` with one more setting.
fn set(at: &Embedded, setting: &str) {
    let file = std::fs::read_to_string(at.home.config()).unwrap();
    let file = file.replace("[[source]]", &format!("[[source]]\n{setting}"));
    assert!(file.contains(setting));
    let mut config = std::fs::File::create(at.home.config()).unwrap();
    config.write_all(file.as_bytes()).unwrap();
}

#[test]
fn p5_weaker_evidence_is_one_warning_a_run_and_everything_is_stored() {
    for by_option in [true, false] {
        let at = Embedded::new();
        let mut pull = vec!["pull"];
        match by_option {
            true => pull.extend(["--require", "provider"]),
            false => set(&at, "require = \"provider\""),
        }
        at.bucket.put("a", "proven by its ETag");
        at.bucket.put_with("empty", "", silent());
        at.home.run(&pull).exits(0);
        at.home.run(["status"]).exits(0);
        for key in ["b", "c", "c.sha256"] {
            at.bucket.put_with(key, "by its length alone", silent());
        }
        for _ in 0..2 {
            at.home.run(&pull).exits(0);
            let told = at.home.run(["status"]).exits(3);
            let words = "warning www-1 ";
            assert_eq!(
                told.stdout.matches("warning ").count(),
                1,
                "{}",
                told.stdout
            );
            assert!(told.stdout.contains(words), "{}", told.stdout);
            let words = "2 objects came with weaker evidence than `provider`, such as ";
            assert!(told.stdout.contains(words), "{}", told.stdout);
        }
        let told = at.home.run(["ls"]).exits(0);
        assert_eq!(told.stdout.lines().count(), 5, "{}", told.stdout);
    }
}

#[test]
fn demands_that_nothing_could_meet_are_refused() {
    let at = Embedded::new();
    at.bucket.put("a", "x");
    let told = at.home.run(["pull", "--require", "signed"]).exits(2);
    assert!(told.stderr.contains("no key to check"), "{}", told.stderr);
    assert!(told.stderr.contains("minisign = "), "{}", told.stderr);
    let told = at.home.run(["pull", "--require", "hunter"]).exits(2);
    assert!(told.stderr.contains("content-name"), "{}", told.stderr);
    set(&at, "signed = [\"*\"]");
    at.home.run(["pull"]).exits(2);
}

#[test]
fn show_lists_each_piece_of_evidence_and_what_happened() {
    let at = Embedded::new();
    let old = |options: PutOptions| PutOptions {
        modified: Some("2026-11-01T03:00:00Z".parse::<Timestamp>().unwrap()),
        ..options
    };
    let parts = PutOptions {
        part_size: Some(4),
        ..PutOptions::default()
    };
    at.bucket
        .put_with("whole", "123456789", old(PutOptions::default()));
    at.bucket.put_with("parts", "123456789", old(parts));
    let md5 = "25f9e794323b453885f5181f1b624d0b";
    at.bucket.put("whole.md5", format!("{md5}  whole\n"));
    at.home.run(["pull"]).exits(0);
    let told = at.home.run(["show", "whole"]).exits(0).stdout;
    for words in [
        "proven by      uploader-claim".to_owned(),
        "evidence       holds   length 9 (of the length; length)".to_owned(),
        format!("evidence       holds   etag-md5 {md5} (of the bytes; provider)"),
        format!("evidence       holds   whole.md5 {md5} (of the bytes; uploader-claim)"),
    ] {
        assert!(told.contains(&words), "{words:?} is not in\n{told}");
    }
    let told = at.home.run(["show", "parts"]).exits(0).stdout;
    assert!(told.contains("-3 (of the parts; provider)"), "{told}");
    let told = at.home.run(["show", "--json", "parts"]).exits(0);
    let version = &told.json_lines()[0];
    assert_eq!(version["proofs"][1]["name"], "etag-parts");
    assert_eq!(version["proofs"][1]["covers"], "parts");

    at.bucket.put("whole.sha256", "0".repeat(64));
    at.home.run(["pull"]).exits(0);
    let told = at.home.run(["show", "whole"]).exits(0).stdout;
    let words = " disputed whole: whole.sha256 came later and says";
    assert!(told.contains(words), "{told}");
    at.home.run(["status"]).exits(0);
}
