//! A small drive, damaged in every place and way: what is said, what is believed, and that life
//! goes on.

use crate::dump::{compare, dump};
use crate::support::nights::sha256;
use crate::support::{Nights, Output};
use offsite::demo::bucket::{Fault, Faults};
use offsite::object::State;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

const DATED: &str = "site-20261103-030000utc.tar.age";

/// Nothing vouches for anything any more: what the bucket shows is all there is.
const FORGOTTEN: &str = "journal and sums are missing";

/// Of `plain` there is one version, of `twice` two, of [`DATED`] a second one is held, `spoilt`
/// lies in quarantine, and `late` came with the last night. One alarm is acknowledged.
fn small() -> Nights {
    let mut nights = Nights::new();
    let spoilt = |key: &str| key == "spoilt";
    nights.faults(Faults {
        flip: Some(Fault::new(0).on(spoilt)),
        ..Faults::default()
    });
    for (key, bytes) in [
        ("plain", "plain"),
        ("twice", "first"),
        (DATED, "dated"),
        ("spoilt", "s"),
    ] {
        nights.bucket.put(key, bytes);
    }
    nights.night();
    nights.night();
    nights.bucket.put("twice", "second");
    nights.bucket.put(DATED, "other");
    nights.night();
    let contradiction = nights.open().remove(0).finding;
    assert_eq!(contradiction.kind, "contradiction");
    nights.ack(&contradiction.id, false).unwrap();
    nights.bucket.put("late", "late");
    nights.night();
    assert_eq!(nights.open_kinds(), ["write-once-changed"]);
    nights
}

/// One way to damage the drive.
struct Case {
    name: &'static str,
    damage: fn(&Path),
    args: &'static [&'static str],
    code: i32,
    says: &'static [&'static str],
    /// How it stands after the rebuild.
    then: fn(&Nights),
}

impl Case {
    const fn new(
        name: &'static str,
        damage: fn(&Path),
        code: i32,
        says: &'static [&'static str],
    ) -> Self {
        Self {
            name,
            damage,
            args: &[],
            code,
            says,
            then: |_| {},
        }
    }

    const fn then(mut self, then: fn(&Nights)) -> Self {
        self.then = then;
        self
    }

    const fn deep(mut self) -> Self {
        self.args = &["--deep"];
        self
    }
}

fn cases() -> Vec<Case> {
    vec![
        Case::new("nothing", |_| {}, 0, &["0 problems"]).then(|n| {
            assert_eq!(n.open_kinds(), ["write-once-changed"]);
            assert_eq!(n.journalled("run-start"), 5);
        }),
        // Files.
        Case::new("a file of latest/ is missing", |d| remove(d, "latest/plain"), 7, &[
            "DAMAGED www/latest/plain: the file is missing",
        ])
        .then(|n| lost(n, "plain")),
        Case::new("a file of latest/ is cut", |d| write(d, "latest/plain", "pla"), 7, &[
            "www/latest/plain: it has 3 bytes instead of 5",
        ])
        .then(|n| lost(n, "plain")),
        Case::new("a file of latest/ has rotted", |d| write(d, "latest/plain", "plaim"), 7, &[
            "www/latest/plain: its SHA-256 is",
        ])
        .deep()
        .then(|n| lost(n, "plain")),
        Case::new("a file of history/ is missing", |d| fs::remove_file(history(d, "twice")).unwrap(), 7, &[
            "DAMAGED www/history/twice/%v",
            "the file is missing",
        ])
        .then(|n| assert_eq!(states(n, "twice"), [State::Stored, State::Pending])),
        Case::new("a held file has rotted", |d| fs::write(history(d, DATED), "othar").unwrap(), 7, &[
            "its SHA-256 is",
        ])
        .deep()
        .then(|n| assert_eq!(states(n, DATED), [State::Pending, State::Stored])),
        Case::new("a file of quarantine/ is missing", |d| fs::remove_file(quarantined(d)).unwrap(), 7, &[
            "DAMAGED www/quarantine/spoilt/%v",
        ])
        .then(|n| lost(n, "spoilt")),
        Case::new("a stranger in latest/", |d| write(d, "latest/stranger", "?"), 0, &[
            "www/latest/stranger: no line of the journal or of the sums vouches for it; left as it is",
        ])
        .then(|n| assert_eq!(states(n, "stranger"), [])),
        Case::new("a stranger whose line in the sums is wrong", |d| {
            write(d, "latest/stranger", "?");
            append(d, "SHA256SUMS", &format!("{}  latest/stranger\n", sha256(b"!")));
        }, 0, &["www/latest/stranger: no line of the journal or of the sums vouches for it"])
        .then(|n| {
            assert_eq!(states(n, "stranger"), []);
            // The sums go on saying that it is not what they say: that is no line of ours.
            remove(&n.shelf(), "latest/stranger");
            n.offsite(&["catalogue", "rebuild"]).exits(0);
        }),
        Case::new("a stranger whose line in the sums is right", |d| {
            write(d, "latest/stranger", "?");
            append(d, "SHA256SUMS", &format!("{}  latest/stranger\n", sha256(b"?")));
        }, 3, &["www/latest/stranger: no line of the journal knew it", "1 known by SHA256SUMS alone"])
        .then(|n| {
            assert_eq!(states(n, "stranger"), [State::Stored]);
            assert!(n.open_kinds().contains(&"files-adopted".to_owned()));
        }),
        // The sums.
        Case::new("SHA256SUMS is missing", |d| remove(d, "SHA256SUMS"), 0, &["www/SHA256SUMS: written anew"]),
        Case::new("a line of SHA256SUMS is of other bytes", |d| {
            let (right, wrong) = (sha256(b"plain").to_string(), sha256(b"plaim").to_string());
            edit(&d.join("SHA256SUMS"), &right, &wrong);
        }, 0, &["www/latest/plain: its line in the sums was of other bytes", "SHA256SUMS: written anew"]),
        Case::new("SHA256SUMS has lines of somebody else", |d| append(d, "SHA256SUMS", "hello\n"), 0, &[
            "www/SHA256SUMS: 1 of its lines are not lines of sums",
            "SHA256SUMS: written anew",
        ]),
        Case::new("a line of SHA256SUMS is there twice", |d| {
            append(d, "SHA256SUMS", &format!("{}  latest/plain\n", sha256(b"plain")));
        }, 0, &["www/latest/plain: it is listed twice"]),
        Case::new("history.SHA256SUMS speaks of nothing", |d| {
            append(d, "history.SHA256SUMS", &format!("{}  history/no/%v\n", sha256(b"no")));
        }, 0, &["www/history/no/%v: it is listed in the sums, and is not there", "history.SHA256SUMS: written anew"]),
        Case::new("a file and its line in the sums were changed together", |d| {
            write(d, "latest/plain", "plaim");
            let (right, wrong) = (sha256(b"plain").to_string(), sha256(b"plaim").to_string());
            edit(&d.join("SHA256SUMS"), &right, &wrong);
        }, 7, &["DAMAGED www/latest/plain: its SHA-256 is"])
        .then(|n| lost(n, "plain")),
        // The journal.
        Case::new("the journal's end is torn", |d| {
            let last = journals(d).pop().unwrap();
            let text = fs::read(&last).unwrap();
            fs::write(&last, [&text[..], b"{\"t\":\"place\",\"key\""].concat()).unwrap();
        }, 0, &["0 problems"]),
        Case::new("a digest in the journal was edited", |d| {
            let (right, wrong) = (sha256(b"plain").to_string(), sha256(b"plaim").to_string());
            edit(&journals(d)[0], &right, &wrong);
        }, 7, &[
            "DAMAGED",
            "hash chain is broken",
            "1 known by SHA256SUMS alone",
        ])
        .then(|n| {
            let stored = n.versions("plain").into_iter().find(|v| v.state == State::Stored);
            assert_eq!(stored.unwrap().sha256, Some(sha256(b"plain")));
            broken(n);
        }),
        Case::new("a digest in the journal was edited, and the file with it", |d| {
            let (right, wrong) = (sha256(b"plain").to_string(), sha256(b"plaim").to_string());
            edit(&journals(d)[0], &right, &wrong);
            write(d, "latest/plain", "plaim");
        }, 7, &["hash chain is broken", "DAMAGED www/latest/plain: its SHA-256 is"])
        .then(|n| {
            lost(n, "plain");
            broken(n);
        }),
        Case::new("the file behind an edited line has rotted", |d| {
            edit(&journals(d)[0], "\"command\":\"pull\"", "\"command\":\"pall\"");
            write(d, "latest/plain", "plaim");
        }, 7, &["DAMAGED www/latest/plain: its SHA-256 is"])
        .then(|n| {
            lost(n, "plain");
            broken(n);
        }),
        Case::new("an acknowledgement was forged", |d| {
            // The group that acknowledges www-1 now says www-2.
            let ack = journals(d).remove(3);
            edit(&ack, "\"finding\":\"www-1\"", "\"finding\":\"www-2\"");
        }, 7, &["hash chain is broken"])
        .then(|n| {
            let mut kinds = n.open_kinds();
            kinds.sort();
            assert_eq!(kinds, ["contradiction", "journal-broken", "write-once-changed"]);
        }),
        Case::new("the journal's last line was edited", |d| {
            let last = journals(d).pop().unwrap();
            edit(&last, "\"t\":\"group\",\"n\":", "\"t\":\"group\",\"n\":1");
        }, 7, &["DAMAGED"])
        .then(broken),
        Case::new("the journal's first file is missing", |d| fs::remove_file(&journals(d)[0]).unwrap(), 7, &[
            "does not follow the file before",
            "www/latest/plain: no line of the journal knew it",
        ])
        .then(broken),
        Case::new("the journal's last file is missing", |d| fs::remove_file(journals(d).pop().unwrap()).unwrap(), 3, &[
            "www/latest/late: no line of the journal knew it",
            "1 known by SHA256SUMS alone",
        ])
        .then(|n| assert_eq!(states(n, "late"), [State::Stored])),
        Case::new("the journal is missing", |d| {
            fs::remove_dir_all(d.join("journal")).unwrap();
            long_ago(&d.join("latest").join(DATED));
        }, 3, &[
            "6 known by SHA256SUMS alone",
            "www/quarantine/spoilt/",
        ])
        .then(|n| {
            assert_eq!(states(n, "spoilt"), [], "poison is not adopted");
            let kinds: Vec<_> = n.versions("twice").iter().map(|v| v.state).collect();
            assert_eq!(kinds, [State::Stored, State::Stored]);
            assert_eq!(n.latest("twice").unwrap(), b"second");
        }),
        Case::new(FORGOTTEN, |d| {
            fs::remove_dir_all(d.join("journal")).unwrap();
            remove(d, "SHA256SUMS");
            remove(d, "history.SHA256SUMS");
        }, 0, &["0 versions", "www/latest/plain: no line of the journal or of the sums"])
        .then(|n| assert_eq!(states(n, "plain"), [])),
    ]
}

#[test]
fn p3_nothing_rotten_is_believed_whatever_is_damaged() {
    let mut nights = small();
    let whole = nights.folder().join("whole");
    copy(&nights.store.path, &whole);
    for case in cases() {
        fs::remove_dir_all(&nights.store.path).unwrap();
        copy(&whole, &nights.store.path);
        println!("{}", case.name);
        (case.damage)(&nights.shelf());
        one(&mut nights, &case);
    }
}

fn one(nights: &mut Nights, case: &Case) {
    let rebuild = [&["catalogue", "rebuild"], case.args].concat();
    let place = case.name;
    let payload = nights.tree();
    let told = nights.offsite(&rebuild).exits(case.code);
    for word in case.says {
        assert!(
            told.stdout.contains(word),
            "{place}: {word:?} is not in\n{}",
            told.stdout
        );
    }
    (case.then)(nights);
    nights.offsite(&["catalogue", "check", "--deep"]).exits(0);
    sums_hold(nights, place);
    let after = nights.tree();
    for (path, bytes) in payload
        .iter()
        .filter(|(path, _)| !path.contains("stranger"))
    {
        assert_eq!(after.get(path), Some(bytes), "{place}: {path}");
    }

    // The next one comes to the same, and has nothing new to say.
    let catalogue = nights.store.path.join("catalogue.db");
    let (first, journal) = (dump(&catalogue), journal_bytes(nights));
    nights.offsite(&rebuild);
    compare(&first, &dump(&catalogue), place);
    assert_eq!(journal_bytes(nights), journal, "{place}");

    // What the bucket still has comes home again.
    nights.some_night().unwrap();
    for (key, digest) in nights.bucket_now() {
        let here = nights.latest(&key).map(|bytes| sha256(&bytes));
        assert!(
            here == Some(digest) || key == DATED || key == "spoilt",
            "{place}: {key}"
        );
    }
    let first = nights.latest(DATED).unwrap();
    assert!(first == b"dated" || place == FORGOTTEN, "{place}");
    nights.offsite(&["catalogue", "check", "--deep"]).exits(0);
}

#[track_caller]
fn sums_hold(nights: &Nights, place: &str) {
    for file in ["SHA256SUMS", "history.SHA256SUMS"] {
        if !nights.shelf().join(file).exists() {
            continue;
        }
        let mut check = Command::new("sha256sum");
        check
            .args(["--quiet", "--strict", "-c", file])
            .current_dir(nights.shelf());
        let out = check.output().unwrap();
        let empty = !fs::read_to_string(nights.shelf().join(file))
            .unwrap()
            .contains("  ");
        assert!(out.status.success() || empty, "{place}: {file}: {out:?}");
    }
}

/// On the drive since before the nights began.
fn long_ago(file: &Path) {
    let then = std::time::UNIX_EPOCH + std::time::Duration::from_secs(1_700_000_000);
    fs::File::options()
        .write(true)
        .open(file)
        .unwrap()
        .set_modified(then)
        .unwrap();
}

fn lost(nights: &Nights, key: &str) {
    assert_eq!(states(nights, key), [State::Pending]);
    assert!(nights.open_kinds().contains(&"files-lost".to_owned()));
}

fn broken(nights: &Nights) {
    assert!(nights.open_kinds().contains(&"journal-broken".to_owned()));
}

fn states(nights: &Nights, key: &str) -> Vec<State> {
    nights.versions(key).iter().map(|v| v.state).collect()
}

fn journal_bytes(nights: &Nights) -> Vec<(PathBuf, Vec<u8>)> {
    let read = |path: PathBuf| (path.clone(), fs::read(path).unwrap());
    journals(&nights.shelf()).into_iter().map(read).collect()
}

/// The journal's files, oldest first.
fn journals(shelf: &Path) -> Vec<PathBuf> {
    below(&shelf.join("journal"))
}

/// The one file of `key` in `history/`.
fn history(shelf: &Path, key: &str) -> PathBuf {
    below(&shelf.join("history").join(key)).remove(0)
}

fn quarantined(shelf: &Path) -> PathBuf {
    let mut files = below(&shelf.join("quarantine/spoilt"));
    files.retain(|path| path.extension().is_none());
    files.remove(0)
}

fn below(folder: &Path) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    files.sort();
    files
}

fn remove(shelf: &Path, path: &str) {
    fs::remove_file(shelf.join(path)).unwrap();
}

fn write(shelf: &Path, path: &str, text: &str) {
    fs::write(shelf.join(path), text).unwrap();
}

fn append(shelf: &Path, path: &str, text: &str) {
    let old = fs::read_to_string(shelf.join(path)).unwrap();
    write(shelf, path, &(old + text));
}

#[track_caller]
fn edit(file: &Path, from: &str, to: &str) {
    let text = fs::read_to_string(file).unwrap();
    assert!(text.contains(from), "{from} is not in {text}");
    fs::write(file, text.replace(from, to)).unwrap();
}

fn copy(from: &Path, to: &Path) {
    let mut cp = Command::new("cp");
    let status = cp.arg("-a").arg(from).arg(to).status().unwrap();
    assert!(status.success());
}

#[test]
fn a_link_in_the_copy_is_named_and_not_followed() {
    let nights = small();
    let link = nights.shelf().join("latest/link");
    std::os::unix::fs::symlink("plain", &link).unwrap();
    let told = nights.offsite(&["catalogue", "rebuild", "--deep"]).exits(0);
    let words = "www/latest/link: it is no regular file; left as it is";
    assert!(told.stdout.contains(words), "{}", told.stdout);
    assert!(link.is_symlink());
}

/// A pull that was cut off left a log: the new catalogue must not take it for its own.
#[test]
fn a_log_beside_the_old_catalogue_goes_with_it() {
    let nights = small();
    let catalogue = nights.store.path.join("catalogue.db");
    let lost = dump(&catalogue);
    for suffix in ["-wal", "-journal", "-shm"] {
        fs::write(
            nights.store.path.join(format!("catalogue.db{suffix}")),
            "left",
        )
        .unwrap();
    }
    let told: Output = nights.offsite(&["catalogue", "rebuild", "--json"]).exits(0);
    let kept = told.json_lines()[0]["kept"].as_str().unwrap().to_owned();
    compare(&lost, &dump(&catalogue), "with a log");
    let names = crate::at_root(&nights, "catalogue.db");
    let with = |suffix: &str| format!("{kept}{suffix}");
    assert_eq!(
        names,
        [
            "catalogue.db".to_owned(),
            with(""),
            with("-journal"),
            with("-wal")
        ]
    );
}

#[test]
fn a_rebuild_needs_the_lock_and_a_store() {
    let nights = small();
    let store = offsite::home::Home::open(&nights.store, nights.clock.clone()).unwrap();
    nights.offsite(&["catalogue", "rebuild"]).exits(6);
    drop(store);
    let before = crate::at_root(&nights, "");
    fs::rename(
        nights.store.path.join("offsite-store.toml"),
        nights.folder().join("m"),
    )
    .unwrap();
    nights.offsite(&["catalogue", "rebuild"]).exits(5);
    fs::rename(
        nights.folder().join("m"),
        nights.store.path.join("offsite-store.toml"),
    )
    .unwrap();
    assert_eq!(crate::at_root(&nights, ""), before);
}
