//! A drive that is not what it was: no wrong byte is delivered, and what is whole comes.

use crate::support::nights::sha256;
use crate::support::{Nights, Output};
use crate::{Files, folder, keys_in, restore, same};
use std::fs;
use std::path::{Path, PathBuf};

/// Damage to one file; the second is another file of the same length.
type Harm = fn(&Path, &Path);

const HARMS: [(&str, Harm); 8] = [
    ("a flipped bit", |file, _| {
        let mut bytes = fs::read(file).unwrap();
        bytes[2] ^= 1;
        fs::write(file, bytes).unwrap();
    }),
    ("truncation", |file, _| {
        let bytes = fs::read(file).unwrap();
        fs::write(file, &bytes[..3]).unwrap();
    }),
    ("emptied", |file, _| fs::write(file, "").unwrap()),
    ("longer", |file, _| {
        let bytes = fs::read(file).unwrap();
        fs::write(file, [&bytes[..], b"more"].concat()).unwrap();
    }),
    ("deleted", |file, _| fs::remove_file(file).unwrap()),
    ("swapped", |file, other| {
        let (a, b) = (fs::read(file).unwrap(), fs::read(other).unwrap());
        assert_ne!(a, b);
        fs::write(file, b).unwrap();
        fs::write(other, a).unwrap();
    }),
    ("a link in its place", |file, other| {
        fs::remove_file(file).unwrap();
        std::os::unix::fs::symlink(other, file).unwrap();
    }),
    ("a folder in its place", |file, _| {
        fs::remove_file(file).unwrap();
        fs::create_dir(file).unwrap();
    }),
];

/// `daily.age` with three versions, and one that stays.
fn three_nights() -> Nights {
    let mut nights = Nights::new();
    nights.bucket.put("other.age", "otherX");
    for bytes in ["first.", "second", "third!"] {
        nights.bucket.put("daily.age", bytes);
        nights.night();
    }
    nights
}

/// Only the damaged file is missing, and the last command that is offered brings the one before.
#[track_caller]
fn is_named_and_not_delivered(nights: &Nights, told: Output, to: &str, what: &str) {
    let told = told
        .exits(7)
        .says(&["DAMAGED daily.age: ", "1 damaged on the drive"]);
    let found = keys_in(&folder(nights, to));
    assert!(!found.contains_key("daily.age"), "{what}: it was delivered");
    let (_, offer) = told.stdout.split_once("--version ").unwrap();
    let id = offer.split_whitespace().next().unwrap();
    restore(nights, "older", &["daily.age", "--version", id, "--force"]).exits(0);
}

#[test]
fn a_damaged_file_is_named_never_delivered_and_the_one_before_is_offered() {
    for (what, harm) in HARMS {
        let nights = three_nights();
        let other = nights.shelf().join("latest/other.age");
        harm(&nights.file_of("daily.age", "third!"), &other);
        let told = restore(&nights, "all", &["**"]);
        if what == "swapped" {
            told.exits(7).says(&["2 damaged on the drive"]);
            assert!(keys_in(&folder(&nights, "all")).is_empty());
            continue;
        }
        is_named_and_not_delivered(&nights, told, "all", what);
        let older = keys_in(&folder(&nights, "older"));
        assert_eq!(older["daily.age"], b"second", "{what}");
        assert_eq!(keys_in(&folder(&nights, "all"))["other.age"], b"otherX");

        // The same without the catalogue.
        fs::remove_file(nights.store.path.join("catalogue.db")).unwrap();
        restore(&nights, "again", &["**"]).exits(7);
        assert!(!keys_in(&folder(&nights, "again")).contains_key("daily.age"));
    }
}

#[test]
fn so_is_one_in_the_history_and_rot_is_not_offered() {
    for (what, harm) in HARMS {
        let nights = three_nights();
        let second = sha256(b"second").to_string();
        let other = nights.shelf().join("latest/other.age");
        harm(&nights.file_of("daily.age", "second"), &other);
        let told = restore(&nights, "old", &["daily.age", "--version", &second]);
        is_named_and_not_delivered(&nights, told, "old", what);
        assert_eq!(keys_in(&folder(&nights, "older"))["daily.age"], b"first.");
        // Both older ones are rotten: the newest has nothing before it that is whole.
        if what == "a flipped bit" {
            harm(&nights.file_of("daily.age", "first."), &other);
            harm(&nights.file_of("daily.age", "third!"), &other);
            restore(&nights, "none", &["daily.age"])
                .exits(7)
                .says(&["no older version of it is whole"]);
        }
    }
}

/// Two versions with the same bytes: one file is enough.
#[test]
fn the_same_bytes_under_another_name_take_the_place_of_damaged_ones() {
    let mut nights = Nights::new();
    nights
        .bucket
        .set_versioning(offsite::demo::bucket::Versioning::Enabled);
    for bytes in ["same", "other", "same"] {
        nights.bucket.put("k", bytes);
        nights.night();
    }
    let files: Vec<PathBuf> = nights
        .versions("k")
        .into_iter()
        .filter(|v| v.sha256 == Some(sha256(b"same")))
        .map(|v| nights.store.path.join(v.path.unwrap()))
        .collect();
    assert_ne!(files[0], files[1], "each has its own");
    fs::write(&files[0], "rott").unwrap();
    restore(&nights, "to", &["k"]).exits(0);
    assert_eq!(keys_in(&folder(&nights, "to"))["k"], b"same");
    fs::write(&files[1], "rott").unwrap();
    restore(&nights, "to2", &["k"]).exits(7);
}

/// The catalogue is only an index: whatever happens to it, the same files come.
#[test]
fn a_catalogue_that_is_gone_damaged_or_stale_keeps_nothing_from_coming() {
    let mut nights = three_nights();
    let file = nights.store.path.join("catalogue.db");
    let stale = fs::read(&file).unwrap();
    nights.bucket.put("daily.age", "fourth");
    nights.bucket.put("new.age", "new");
    nights.night();
    let good = fs::read(&file).unwrap();
    let foreign = {
        let other = three_nights();
        fs::read(other.store.path.join("catalogue.db")).unwrap()
    };
    let mut scratched = good.clone();
    for page in scratched.chunks_mut(4096).skip(2) {
        page.fill(0xa5);
    }
    let wanted = Files::from([
        ("daily.age".to_owned(), b"fourth".to_vec()),
        ("new.age".to_owned(), b"new".to_vec()),
        ("other.age".to_owned(), b"otherX".to_vec()),
    ]);
    for (what, bytes) in [
        ("as it was", Some(good.clone())),
        ("gone", None),
        ("empty", Some(Vec::new())),
        ("nonsense", Some(vec![b'x'; 9000])),
        ("cut", Some(good[..good.len() / 2].to_vec())),
        ("scratched", Some(scratched)),
        ("stale", Some(stale)),
        ("another store's", Some(foreign)),
    ] {
        match bytes {
            Some(bytes) => fs::write(&file, bytes).unwrap(),
            None => fs::remove_file(&file).unwrap(),
        }
        let before = crate::support::picture(&nights.store.path);
        let told = restore(&nights, what, &["**"]).exits(0);
        assert_eq!(
            told.stderr.contains("reading the journals instead"),
            what != "as it was",
            "{what}: {}",
            told.stderr
        );
        same(&keys_in(&folder(&nights, what)), &wanted, what);
        assert_eq!(
            crate::support::picture(&nights.store.path),
            before,
            "{what}"
        );
    }
}

/// Neither catalogue nor journal: `SHA256SUMS` says what the files are.
#[test]
fn without_catalogue_and_journal_the_sums_are_believed_as_far_as_they_fit() {
    let nights = three_nights();
    fs::remove_file(nights.store.path.join("catalogue.db")).unwrap();
    fs::remove_dir_all(nights.shelf().join("journal")).unwrap();
    let wanted = Files::from([
        ("daily.age".to_owned(), b"third!".to_vec()),
        ("other.age".to_owned(), b"otherX".to_vec()),
    ]);
    restore(&nights, "all", &["**"]).exits(0);
    same(&keys_in(&folder(&nights, "all")), &wanted, "all");
    let second = sha256(b"second").to_string();
    restore(&nights, "old", &["daily.age", "--version", &second]).exits(0);
    assert_eq!(keys_in(&folder(&nights, "old"))["daily.age"], b"second");
    fs::write(nights.shelf().join("latest/daily.age"), "thirD!").unwrap();
    restore(&nights, "rot", &["**"])
        .exits(7)
        .says(&["DAMAGED daily.age"]);
    assert!(!keys_in(&folder(&nights, "rot")).contains_key("daily.age"));
}

/// A line of the journal was changed and the catalogue is gone: what the line says of the bytes is
/// believed only if they fit.
#[test]
fn an_edited_journal_delivers_no_wrong_byte() {
    let nights = three_nights();
    let (true_digest, lie) = (sha256(b"third!").to_string(), sha256(b"lies").to_string());
    let journal = nights.shelf().join("journal");
    for entry in fs::read_dir(journal).unwrap() {
        let path = entry.unwrap().path();
        let text = fs::read_to_string(&path).unwrap();
        fs::write(&path, text.replace(&true_digest, &lie)).unwrap();
    }
    fs::remove_file(nights.store.path.join("catalogue.db")).unwrap();
    restore(&nights, "to", &["**"])
        .exits(7)
        .says(&["DAMAGED daily.age"]);
    let found = keys_in(&folder(&nights, "to"));
    assert_eq!(found.keys().collect::<Vec<_>>(), ["other.age"]);
}

/// A mirror has what the drive let rot; what has rotted there, too, is not delivered.
#[test]
fn a_mirror_has_what_is_damaged() {
    let nights = three_nights();
    let mirror = folder(&nights, "second");
    let mirror = mirror.to_str().unwrap();
    nights
        .offsite(&["mirror", "--allow-root-fs", "--to", mirror])
        .exits(0);
    fs::write(nights.file_of("daily.age", "third!"), "rotten").unwrap();
    restore(&nights, "alone", &["**"]).exits(7);
    restore(&nights, "all", &["**", "--mirror", mirror])
        .exits(0)
        .says(&["daily.age: its SHA-256 is ", "; taken from the mirror at "]);
    let found = keys_in(&folder(&nights, "all"));
    assert_eq!(found["daily.age"], b"third!");
    assert_eq!(found["other.age"], b"otherX");
    // So it is where the configuration names it.
    let config = format!(
        "{}\n[mirror]\nto = {mirror:?}\n",
        nights.config(&nights.store.path)
    );
    let file = folder(&nights, "with-mirror.toml");
    fs::write(&file, config).unwrap();
    let mut command = std::process::Command::new(crate::support::program());
    command.arg("-c").arg(&file).args(["restore", "**", "--to"]);
    command.arg(folder(&nights, "configured"));
    nights.with_keys(&mut command);
    crate::support::Running::spawn(command).finish().exits(0);
    assert_eq!(
        keys_in(&folder(&nights, "configured"))["daily.age"],
        b"third!"
    );

    fs::write(Path::new(mirror).join("www/latest/daily.age"), "rotten").unwrap();
    let told = restore(&nights, "none", &["**", "--mirror", mirror]);
    is_named_and_not_delivered(&nights, told, "none", "both are rotten");
    restore(&nights, "no", &["**", "--mirror", "/nowhere"]).exits(5);
}
