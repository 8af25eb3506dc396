//! What the options say.

use crate::support::Nights;
use crate::support::program::each_file;
use crate::{bucket, folder, keys_in, restore, same};
use offsite::object::{SourceName, Timestamp};
use offsite::store::Area;
use serde_json::Value;
use std::fs;

/// Two nights: `daily.age` was replaced, `gone.age` was deleted, hostile names.
fn two_nights() -> Nights {
    let mut nights = Nights::new();
    for (key, bytes) in [
        ("daily.age", "first"),
        ("gone.age", "deleted later"),
        ("site/a.age", "a"),
        ("site/deep/b.age", "b"),
        ("a/../../escape", "hostile"),
        ("../escape", "hostile too"),
        ("both", "a file"),
        ("both/and", "in its folder"),
        ("new\nline[1]", "odd"),
    ] {
        nights.bucket.put(key, bytes);
    }
    nights.night();
    nights.bucket.put("daily.age", "second");
    nights.bucket.delete("gone.age");
    nights.night();
    nights
}

/// The column of what became of each key.
fn fates(told: &crate::support::Output) -> Vec<(String, String)> {
    let text = |row: &Value, name: &str| row[name].as_str().unwrap().to_owned();
    let rows = told.json_lines();
    rows.iter()
        .map(|row| (text(row, "key"), text(row, "restored")))
        .collect()
}

#[test]
fn keys_and_patterns_come_back_with_their_times_and_again_costs_nothing() {
    let nights = two_nights();
    let told = restore(&nights, "one", &["daily.age", "site/*"]).exits(0);
    assert!(told.stdout.starts_with("2 files ("), "{}", told.stdout);
    let found = keys_in(&folder(&nights, "one"));
    assert_eq!(found["daily.age"], b"second");
    assert_eq!(
        found.keys().collect::<Vec<_>>(),
        ["daily.age", "site/a.age"]
    );
    let modified = fs::metadata(folder(&nights, "one/daily.age")).unwrap();
    let version = nights.versions("daily.age").swap_remove(0);
    let wanted: std::time::SystemTime = version.identity.last_modified.into();
    assert_eq!(modified.modified().unwrap(), wanted);

    restore(&nights, "one", &["daily.age", "site/**"])
        .exits(0)
        .says(&["1 files (", "2 were there already"]);
    // A pattern that a key is, letter by letter.
    restore(&nights, "odd", &["new\nline[1]"]).exits(0);
    assert_eq!(keys_in(&folder(&nights, "odd"))["new\nline[1]"], b"odd");
}

#[test]
fn the_whole_bucket_comes_back_and_no_key_leaves_the_folder() {
    let nights = two_nights();
    restore(&nights, "all", &["**"]).exits(0);
    let mut wanted = bucket(&nights);
    // The newest good version of every key ever seen.
    wanted.insert("gone.age".to_owned(), b"deleted later".to_vec());
    same(&keys_in(&folder(&nights, "all")), &wanted, "all");
    assert!(!nights.folder().join("escape").exists());
    // By the names that they have in latest/.
    for name in ["%61/%2E%2E/%2E%2E/escape", "a/%2E%2E/%2E%2E/escape"] {
        let here = folder(&nights, "all").join(name).exists();
        assert_eq!(here, nights.shelf().join("latest").join(name).exists());
    }
    assert!(folder(&nights, "all/%62oth").exists());
}

#[test]
fn at_a_time_and_by_version() {
    let nights = two_nights();
    let first = nights
        .last()
        .checked_sub(jiff::SignedDuration::from_hours(12));
    let first: Timestamp = first.unwrap();
    let then = first.to_string();
    restore(&nights, "then", &["*.age", "--at", &then]).exits(0);
    let found = keys_in(&folder(&nights, "then"));
    assert_eq!(found["daily.age"], b"first");
    assert_eq!(found["gone.age"], b"deleted later");
    restore(&nights, "now", &["gone.age", "--at", "-1s"])
        .exits(2)
        .says(&["nothing that matches gone.age", "offsite ls"]);

    let digest = crate::support::nights::sha256(b"first").to_string();
    restore(&nights, "id", &["daily.age", "--version", &digest[..8]]).exits(0);
    assert_eq!(keys_in(&folder(&nights, "id"))["daily.age"], b"first");
    // Too short to mean it.
    restore(&nights, "id2", &["daily.age", "--version", &digest[..7]]).exits(2);
}

#[test]
fn nothing_is_overwritten_without_force_and_the_others_go_on() {
    let nights = two_nights();
    let to = folder(&nights, "to");
    fs::create_dir_all(to.join("site/deep/b.age")).unwrap();
    fs::write(to.join("daily.age"), "mine").unwrap();
    fs::write(to.join("gone.age"), "deleted later").unwrap();
    let told = restore(&nights, "to", &["**/*.age", "--json"]).exits(3);
    let wanted = [
        ("daily.age", "differs"),
        ("gone.age", "there"),
        ("site/a.age", "restored"),
        ("site/deep/b.age", "differs"),
    ];
    let wanted = wanted.map(|(key, fate)| (key.to_owned(), fate.to_owned()));
    assert_eq!(fates(&told), wanted);
    restore(&nights, "to", &["daily.age"])
        .exits(3)
        .says(&["NOT RESTORED daily.age: another file", "--force"]);
    assert_eq!(fs::read(to.join("daily.age")).unwrap(), b"mine");
    restore(&nights, "to", &["daily.age", "--force"]).exits(0);
    assert_eq!(fs::read(to.join("daily.age")).unwrap(), b"second");
    assert!(fs::read_dir(&to).unwrap().all(|entry| {
        let name = entry.unwrap().file_name();
        !name.to_str().unwrap().contains("restoring")
    }));
}

#[test]
fn a_dry_run_writes_nothing() {
    let nights = two_nights();
    let before = crate::support::picture(nights.folder());
    restore(&nights, "dry", &["site/**", "--dry-run"])
        .exits(0)
        .says(&["site/a.age", "site/deep/b.age", "would restore 2 files"]);
    let told = restore(&nights, "dry", &["site/**", "--dry-run", "--json"]).exits(0);
    assert!(fates(&told).iter().all(|(_, fate)| fate == "chosen"));
    assert_eq!(crate::support::picture(nights.folder()), before);
}

#[test]
fn what_cannot_be_is_said_at_once() {
    let nights = two_nights();
    let inside = nights.store.path.join("out");
    let inside = inside.to_str().unwrap();
    nights
        .offsite(&["restore", "**", "--to", inside])
        .exits(2)
        .says(&["belongs to the store"]);
    restore(&nights, "to", &["nothing-like-it"]).exits(2);
    restore(&nights, "to", &[]).exits(2);
    restore(&nights, "to", &["**", "--source", "other"])
        .exits(2)
        .says(&["it has: www"]);
    restore(&nights, "to", &["**", "--at", "soon"]).exits(2);
    restore(&nights, "to", &["[", "--dry-run"])
        .exits(2)
        .says(&["is not a pattern"]);
}

#[test]
fn several_sources_have_a_folder_each() {
    let mut nights = Nights::new();
    nights.bucket.put("www/x", "1");
    nights.bucket.put("mail/x", "2");
    for source in ["www", "mail"] {
        nights.source.name = SourceName::new(source).unwrap();
        nights.only(&format!("{source}/"), &[], &[]);
        nights.night();
    }
    restore(&nights, "all", &["**"]).exits(0);
    assert_eq!(fs::read(folder(&nights, "all/www/www/x")).unwrap(), b"1");
    assert_eq!(fs::read(folder(&nights, "all/mail/mail/x")).unwrap(), b"2");
    restore(&nights, "one", &["**", "--source", "mail"]).exits(0);
    assert_eq!(fs::read(folder(&nights, "one/mail/x")).unwrap(), b"2");
}

/// What the bucket had then and the drive never had: all that is there comes, and the rest is said.
#[test]
fn what_the_drive_never_had_is_said() {
    let mut nights = Nights::new();
    nights.bucket.put("good.age", "good");
    nights.bucket.put("denied.age", "denied");
    nights.faults(offsite::demo::bucket::Faults {
        refuse: Some(
            offsite::demo::bucket::Fault::new(offsite::demo::bucket::Refusal::AccessDenied)
                .on(|key: &str| key.starts_with("denied")),
        ),
        ..Default::default()
    });
    nights.some_night().unwrap();
    let now = nights.clock.now().to_string();
    restore(&nights, "then", &["**", "--at", &now])
        .exits(3)
        .says(&["NOT RESTORED denied.age: the drive does not have it"]);
    assert_eq!(keys_in(&folder(&nights, "then"))["good.age"], b"good");
    restore(&nights, "dry", &["**", "--at", &now, "--dry-run"]).exits(3);
}

/// Where the drive had to spell a name otherwise, the file comes back by that name.
#[test]
fn names_are_those_in_latest() {
    let mut nights = Nights::portable();
    for key in [
        "README", "Readme", "a:b", "\u{c9}", "\u{e9}", "docs", "DOCS/x",
    ] {
        nights.bucket.put(key, key);
    }
    nights.night();
    restore(&nights, "all", &["**"]).exits(0);
    let mut names = Vec::new();
    each_file(&folder(&nights, "all"), &mut |path, _| {
        let below = path.strip_prefix(folder(&nights, "all")).unwrap();
        names.push(format!("latest/{}", below.display()));
    });
    names.sort();
    assert_eq!(names, nights.paths(Area::Latest));
    let plain = names.iter().filter(|name| !name.contains('%'));
    assert!(plain.count() < names.len() - 2, "{names:?}");
}

/// On a drive that is too small nothing is begun.
#[test]
#[cfg_attr(without_mounts, ignore = "OFFSITE_TEST_WITHOUT names mounts")]
fn a_folder_without_room_is_refused_before_anything_is_written() {
    let mut nights = Nights::new();
    nights.bucket.put("large", vec![7; 3 << 20]);
    nights.bucket.put("small", "s");
    nights.night();
    let space = crate::support::Namespace::new();
    let to = folder(&nights, "to");
    fs::create_dir(&to).unwrap();
    space.mount_tmpfs(&to, 2);
    let mut command = std::process::Command::new(crate::support::program());
    command.args(["restore", "**", "--to"]).arg(&to);
    command.arg("--store").arg(&nights.store.path);
    let command = space.inside(&command);
    crate::support::Running::spawn(command)
        .finish()
        .exits(1)
        .says(&["has not room enough", "are missing"]);
    assert_eq!(fs::read_dir(space.view(&to)).unwrap().count(), 0);
}
