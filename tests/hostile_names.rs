//! Keys that somebody hostile, or only careless, would choose: every one of them comes home whole,
//! under a name that reads back, and nothing leaves the store (promises P2 and P7).

#![allow(clippy::indexing_slicing, clippy::panic, clippy::unwrap_used)]

mod support;

use offsite::object::{ObjectKey, Sha256};
use offsite::store::{Area, names};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Component, Path, PathBuf};
use std::process::Command;
use support::Nights;
use support::nights::sha256;

/// Keys as they are, each for its own reason.
const KEYS: [&str; 84] = [
    // Ways out.
    "../../etc/x",
    "/etc/passwd",
    "..",
    ".",
    "../..",
    "a/../../b",
    "./x",
    "x/.",
    "x/..",
    "/",
    "//",
    "///",
    "/../x",
    "..\\x",
    "C:\\x",
    "\\\\host\\share",
    "%2e%2e%2f",
    "%2E%2E/x",
    "..%2fx",
    "~",
    "~root/.ssh/authorized_keys",
    "...",
    "x/.../y",
    // One key is another's folder, or nearly.
    "a",
    "a/b",
    "a/b/c",
    "a/",
    "a//",
    "a//b",
    "a/b/",
    "A",
    "A/b",
    "a/B",
    // What other tools and we ourselves write.
    "latest",
    "latest/a",
    "history/a",
    "quarantine/x",
    "incoming/x",
    "journal/1.jsonl",
    "SHA256SUMS",
    "history.SHA256SUMS",
    "catalogue.db",
    "offsite-store.toml",
    "README.txt",
    "a/%v20261101T030000Z-0123456789abcdef",
    "%v20261101T030000Z-0123456789abcdef",
    "%",
    "%%",
    "%61",
    "%_",
    "%_a",
    "a%",
    "a%/b",
    "%2561",
    "%zz",
    // What a terminal, a shell or a list of sums may take amiss.
    "new\nline",
    "\n",
    "ret\rurn",
    "tab\there",
    "nul\0nul",
    " ",
    "\u{3000}\t",
    "\x1b[2J\x1b]0;owned\x07",
    "\u{9b}31mred",
    "bidi\u{202e}gpj.exe",
    "zero\u{200b}width",
    "back\\slash",
    "-rf",
    "--",
    "$(id)",
    "`id`; rm *",
    "'quote' \"quotes\"",
    "  spaces  ",
    "#comment",
    "*?<>|:\"",
    // What Windows and macOS make of names.
    "CON",
    "con.txt",
    "aux/x",
    "trailing.",
    "trailing ",
    "dots. /x",
    "é",
    "e\u{301}",
    "\u{212b}ngstr\u{f6}m",
];

/// The hostile keys, and the longest ones that S3 allows.
fn keys() -> Vec<String> {
    let mut keys: Vec<String> = KEYS.iter().map(|key| (*key).to_owned()).collect();
    keys.extend([
        "k".repeat(1024),
        "%".repeat(1024),
        "é/".repeat(341) + "k",
        "../".repeat(341) + "k",
        "/".repeat(1024),
        "\0".repeat(1024),
        format!("{}/{}", "l".repeat(300), "m".repeat(300)),
        "日".repeat(341) + "k",
        "\u{1f600}".repeat(256),
    ]);
    keys
}

/// The bytes of a key: no two are alike.
fn body(key: &str) -> Vec<u8> {
    [b"the bytes of ", key.as_bytes()].concat()
}

/// Puts every key into the bucket.
fn fill(nights: &Nights) {
    for key in keys() {
        nights.bucket.put(&key, body(&key));
    }
    assert_eq!(nights.bucket.keys().len(), keys().len(), "no key twice");
}

/// What lies beside the store and at its root, and what lies wherever a hostile key would lead
/// from inside the store, if it were taken for a path: its length, if it is there at all.
fn surroundings(nights: &Nights) -> BTreeMap<PathBuf, Option<u64>> {
    let mut around = BTreeMap::new();
    let look = |path: &Path| path.symlink_metadata().map(|m| m.len()).ok();
    for folder in [nights.folder(), &nights.store.path] {
        for entry in std::fs::read_dir(folder).unwrap() {
            around.insert(entry.unwrap().path(), None);
        }
    }
    for area in ["", "latest", "history", "quarantine", "incoming"] {
        for key in keys() {
            let path = led_to(&nights.shelf().join(area), &key);
            if !path.starts_with(&nights.store.path) && path.symlink_metadata().is_ok() {
                around.insert(path.clone(), look(&path).filter(|_| path.is_file()));
            }
        }
    }
    around
}

/// Where `key` leads from `folder`, with `.` and `..` followed.
fn led_to(folder: &Path, key: &str) -> PathBuf {
    let mut path = folder.to_owned();
    for part in Path::new(key).components() {
        match part {
            Component::RootDir => path = PathBuf::from("/"),
            Component::ParentDir => drop(path.pop()),
            Component::Normal(name) => path.push(name),
            Component::CurDir | Component::Prefix(_) => {}
        }
    }
    path
}

/// (naming rule, store)
fn both() -> [(&'static str, Nights); 2] {
    [("posix", Nights::new()), ("portable", Nights::portable())]
}

#[test]
fn p2_every_hostile_key_comes_home_whole_and_inside_the_store() {
    for (rule, mut nights) in both() {
        nights.night();
        let before = surroundings(&nights);
        fill(&nights);
        let counts = nights.night().counts;
        assert_eq!(counts.stored, keys().len() as u64, "{rule}");
        assert_eq!(surroundings(&nights), before, "{rule}");
        assert_eq!(
            bytes_by_key(&nights, Area::Latest),
            expected(&nights),
            "{rule}"
        );
        assert_eq!(nights.check().problems, [], "{rule}");

        nights.bucket.reset_requests();
        let counts = nights.night().counts;
        assert_eq!(
            (counts.stored, counts.gone),
            (0, 0),
            "{rule}: nothing changed"
        );
        assert_eq!(
            nights.asked("GetObject") + nights.asked("HeadObject"),
            0,
            "{rule}"
        );
    }
}

/// What a folder holds, by the keys that its paths say, and no path that says none.
fn bytes_by_key(nights: &Nights, area: Area) -> BTreeMap<String, Vec<u8>> {
    let paths = nights.paths(area).into_iter();
    paths
        .map(|path| {
            let key = names::key_of(&path).unwrap();
            let bytes = std::fs::read(nights.shelf().join(&path)).unwrap();
            (key.as_str().to_owned(), bytes)
        })
        .collect()
}

fn expected(nights: &Nights) -> BTreeMap<String, Vec<u8>> {
    let keys = nights.bucket.keys().into_iter();
    keys.map(|key| {
        let bytes = nights.bucket.get(&key).unwrap();
        (key, bytes)
    })
    .collect()
}

#[test]
fn p2_hostile_keys_that_change_are_kept_in_history() {
    for (rule, mut nights) in both() {
        fill(&nights);
        nights.night();
        let first = expected(&nights);
        for key in keys() {
            nights
                .bucket
                .put(&key, [&body(&key)[..], b", changed"].concat());
        }
        let outcome = nights.night();
        assert_eq!(
            (outcome.counts.stored, outcome.open_alarms),
            (keys().len() as u64, 0)
        );
        assert_eq!(
            bytes_by_key(&nights, Area::Latest),
            expected(&nights),
            "{rule}"
        );
        assert_eq!(bytes_by_key(&nights, Area::History), first, "{rule}");
        assert_eq!(nights.check().problems, [], "{rule}");
        if rule == "portable" {
            nights.no_two_names_fold_into_one();
        }
        sums_check(&nights, "SHA256SUMS", keys().len());
        sums_check(&nights, "history.SHA256SUMS", keys().len());
    }
}

/// The real `sha256sum` finds every file and is content with each.
fn sums_check(nights: &Nights, file: &str, files: usize) {
    let told = Command::new("sha256sum")
        .args(["-c", "--strict", file])
        .current_dir(nights.shelf())
        .env("LC_ALL", "C")
        .output()
        .unwrap();
    let (out, err) = (
        String::from_utf8_lossy(&told.stdout),
        String::from_utf8_lossy(&told.stderr),
    );
    assert!(told.status.success(), "{out}{err}");
    assert_eq!(
        out.lines().filter(|line| line.ends_with(": OK")).count(),
        files,
        "{out}"
    );
}

#[test]
fn p7_ls_names_every_hostile_key_with_its_path_and_digest() {
    for (rule, mut nights) in both() {
        fill(&nights);
        nights.night();
        let mut left: BTreeSet<String> = keys().into_iter().collect();
        for line in nights.offsite(&["ls", "--json"]).exits(0).json_lines() {
            let text = |name: &str| line[name].as_str().unwrap().to_owned();
            let (key, path) = (text("key"), text("path"));
            assert!(left.remove(&key), "{rule}: {key:?} twice, or never put");
            let digest = Sha256::from_hex(&text("sha256")).unwrap();
            assert_eq!(digest, sha256(&body(&key)), "{rule}: {key:?}");
            assert_eq!(
                std::fs::read(nights.store.path.join(&path)).unwrap(),
                body(&key)
            );
            let path = path.strip_prefix("www/").unwrap();
            assert_eq!(names::key_of(path).unwrap().as_str(), key, "{rule}");
        }
        assert!(left.is_empty(), "{rule}: {left:?}");
    }
}

#[test]
fn p5_no_hostile_key_reaches_the_terminal_as_it_is() {
    let mut nights = Nights::new();
    fill(&nights);
    nights.night();
    // Each of them becomes part of a finding's and an event's words too.
    let dated = "2026-11-01 \x1b[2J\r\n\u{202e}x\u{9b}31m";
    nights.bucket.put(dated, "first");
    nights.night();
    nights.bucket.put(dated, "run again within the day");
    nights.night();
    nights.night();
    nights.bucket.put(dated, "changed");
    nights
        .bucket
        .with_faults(|f| f.hide = Some(std::sync::Arc::new(|key| key.contains('\x07'))));
    assert_eq!(nights.night().open_alarms, 1);
    let alarm = nights.open_kinds();
    assert_eq!(alarm, ["listing-omits", "write-once-changed"]);
    for (args, code) in [
        (&["status"][..], 4),
        (&["ls"], 0),
        (&["ls", "--versions"], 0),
        (&["show", dated], 0),
        (&["show", "\x1b[2J\x1b]0;owned\x07"], 0),
        (&["show", "no such\x1b[2J key"], 2),
        (&["log"], 0),
        (&["log", "--events"], 0),
        (&["status", "--json"], 4),
        (&["ls", "--json"], 0),
        (&["show", "--json", dated], 0),
        (&["log", "--json", "--events"], 0),
        (&["catalogue", "check", "--json"], 0),
    ] {
        let told = nights.offsite(args);
        let place = format!("{args:?}: {told:?}");
        assert_eq!(told.code(), code, "{place}");
        for text in [&told.stdout, &told.stderr] {
            let bad = text.chars().find(|c| unsafe_on_a_terminal(*c));
            assert_eq!(bad, None, "{place}");
        }
        assert!(
            told.stdout.lines().count() + told.stderr.lines().count() > 0,
            "{place}"
        );
    }
}

/// Moves the cursor, hides or turns around what is written.
fn unsafe_on_a_terminal(c: char) -> bool {
    (c.is_control() && c != '\n')
        || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[test]
fn p5_names_that_are_no_keys_are_said_and_the_rest_comes_home() {
    let mut nights = Nights::new();
    nights.bucket.put(&"x".repeat(1025), "too long");
    nights.bucket.put("k", "x");
    let outcome = nights.night();
    assert_eq!((outcome.counts.stored, outcome.open_alarms), (1, 0));
    assert_eq!(nights.open_kinds(), ["strange-keys"]);
    nights.night();
    assert_eq!(nights.open_kinds(), ["strange-keys"], "said once");
    assert!(ObjectKey::new("x".repeat(1025)).is_err());
}
