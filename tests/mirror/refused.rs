//! What no mirror follows, and where none is made.

use crate::support::{Embedded, Nights};
use crate::{at, files, last_json, mirror, mirror_of, offsite_at, rows};
use offsite::config::StoreConfig;
use offsite::home::{Home, probe_sqlite};
use offsite::object::Clock;
use offsite::store::{InitOptions, MARKER, Store};
use std::fs;
use std::path::{Path, PathBuf};

fn nights() -> Nights {
    let mut nights = Nights::new();
    for bytes in ["one", "two"] {
        nights.bucket.put("k.age", bytes);
        nights.night();
    }
    nights
}

fn last_journal(nights: &Nights) -> PathBuf {
    let journals = fs::read_dir(nights.shelf().join("journal")).unwrap();
    journals.map(|f| f.unwrap().path()).max().unwrap()
}

#[test]
fn a_journal_that_was_rewritten_is_not_followed() {
    type Rewrite = fn(&Path);
    let rewrites: [(&str, Rewrite); 3] = [
        ("another head", |file| {
            let text = fs::read_to_string(file).unwrap();
            let (at, _) = text.match_indices("\"head\":\"").last().unwrap();
            let (before, rest) = text.split_at(at + "\"head\":\"".len());
            let digit = if rest.starts_with('0') { "1" } else { "0" };
            fs::write(file, format!("{before}{digit}{}", &rest[1..])).unwrap();
        }),
        ("the last run is missing", |file| {
            fs::remove_file(file).unwrap();
        }),
        ("a shorter last run", |file| {
            let text = fs::read_to_string(file).unwrap();
            fs::write(file, &text[..text.len() - 1]).unwrap();
        }),
    ];
    for (what, rewrite) in rewrites {
        let mut nights = nights();
        mirror(&nights, &[]).exits(0);
        let before = (files(&mirror_of(&nights)), rows(&mirror_of(&nights)));
        let journal = last_journal(&nights);
        let kept = fs::read(&journal).unwrap();
        rewrite(&journal);
        mirror(&nights, &[]).exits(7).says(&[
            "is not the one that the mirror followed",
            "the mirror is left as it is",
        ]);
        let after = (files(&mirror_of(&nights)), rows(&mirror_of(&nights)));
        assert_eq!(before, after, "{what}");
        // The true one is followed again.
        fs::write(&journal, kept).unwrap();
        nights.bucket.put("k.age", "three");
        nights.night();
        mirror(&nights, &[]).exits(0);
    }
}

#[test]
fn a_line_that_was_edited_since_is_not_followed() {
    let mut nights = nights();
    mirror(&nights, &[]).exits(0);
    nights.bucket.put("k.age", "three");
    nights.night();
    let journal = last_journal(&nights);
    let text = fs::read_to_string(&journal).unwrap();
    let edited = text.replacen("k.age", "x.age", 1);
    assert_ne!(text, edited);
    fs::write(&journal, edited).unwrap();
    mirror(&nights, &[])
        .exits(7)
        .says(&["the hash chain is broken"]);
    assert!(!files(&mirror_of(&nights)).values().any(|b| b == b"three"));
    fs::write(&journal, text).unwrap();
    mirror(&nights, &[]).exits(0);
    assert!(files(&mirror_of(&nights)).values().any(|b| b == b"three"));
}

/// `offsite mirror --to TO --store STORE`.
#[track_caller]
fn refused(store: &Path, to: &Path, code: i32, words: &[&str]) {
    let args = ["mirror", "--allow-root-fs", "--to", to.to_str().unwrap()];
    at(store, &args).exits(code).says(words);
}

#[test]
fn a_mirror_is_a_folder_of_its_own_and_of_this_store() {
    let (one, other) = (nights(), nights());
    mirror(&other, &[]).exits(0);
    let first = &one.store.path;
    refused(first, first, 2, &["is the store itself"]);
    refused(first, &first.join("www"), 2, &["lies in the store"]);
    refused(first, &first.join("new"), 2, &["lies in the store"]);
    assert!(!first.join("new").exists());
    refused(first, one.folder(), 2, &["has the store in it"]);
    refused(first, &other.store.path, 5, &["and no mirror"]);
    refused(first, &mirror_of(&other), 5, &["is a mirror of store "]);
    // One that has followed nothing yet, and one whose marker was changed.
    let fresh = one.folder().join("fresh");
    let options = InitOptions {
        allow_root_fs: true,
        now: Clock::System.now(),
        probe_sqlite: &probe_sqlite,
    };
    Store::init_mirror(&fresh, "01JOTHER", &options).unwrap();
    refused(first, &fresh, 5, &["is a mirror of store 01JOTHER"]);
    let marker = mirror_of(&other).join(MARKER);
    let text = fs::read_to_string(&marker).unwrap();
    let ids = [&other, &one].map(|nights| nights.reader().marker().id.clone());
    fs::write(&marker, text.replace(&ids[0], &ids[1])).unwrap();
    refused(first, &mirror_of(&other), 5, &["is another one"]);
    let thesis = one.folder().join("thesis");
    fs::create_dir(&thesis).unwrap();
    fs::write(thesis.join("a.odt"), "").unwrap();
    refused(first, &thesis, 5, &["is not empty"]);
    refused(first, &one.folder().join("no/way"), 5, &["is not there"]);
    // A link to the store is the store.
    let link = one.folder().join("link");
    std::os::unix::fs::symlink(first, &link).unwrap();
    refused(first, &link, 2, &["is the store itself"]);
    // A clone of it has its id, and would be written to by two.
    let clone = one.folder().join("clone");
    fs::create_dir(&clone).unwrap();
    fs::copy(first.join(MARKER), clone.join(MARKER)).unwrap();
    refused(first, &clone, 5, &["is a clone of the store"]);
    at(first, &["mirror"]).exits(2).says(&["[mirror] to = "]);
    refused(&one.folder().join("nowhere"), &mirror_of(&one), 5, &[]);
    assert!(!mirror_of(&one).exists());
}

#[test]
fn a_mirror_that_somebody_writes_to_is_locked() {
    let nights = nights();
    mirror(&nights, &[]).exits(0);
    let config = StoreConfig {
        path: mirror_of(&nights),
        id: None,
        min_free: 0,
        allow_root_fs: true,
    };
    let home = Home::open(&config, Clock::System).unwrap();
    mirror(&nights, &[]).exits(6);
    home.close().unwrap();
    mirror(&nights, &[]).exits(0);
}

#[test]
fn the_configuration_says_where_it_is_and_how_much_stays_free() {
    let at = Embedded::new();
    at.bucket.put("a.age", b"age".to_vec());
    at.home.run(["pull"]).exits(0);
    let to = at.home.path().join("second");
    let config = fs::read_to_string(at.home.config()).unwrap();
    let with = format!("{config}\n[mirror]\nto = \"{}\"\n", to.display());
    fs::write(at.home.config(), &with).unwrap();
    let said = at
        .home
        .run(["mirror", "--allow-root-fs", "--json"])
        .exits(0);
    assert_eq!(last_json(&said)["versions"], 1);
    // It may stay where it was made.
    at.home
        .run(["mirror"])
        .exits(0)
        .says(&["0 versions copied"]);
    at.home.run(["mirror", "--source", "nobody"]).exits(2);
    let full = with_much_free(&with);
    fs::write(at.home.config(), full).unwrap();
    at.home.run(["mirror"]).exits(5).says(&["is full"]);
    let mut ls = offsite_at(&to, &["ls"]);
    assert!(ls.output().unwrap().status.success());
}

/// The configuration with more to stay free than there is.
fn with_much_free(config: &str) -> String {
    let lines = config
        .lines()
        .map(|line| match line.starts_with("min_free") {
            true => "min_free = \"1000 TiB\"",
            false => line,
        });
    lines.collect::<Vec<_>>().join("\n")
}
