//! `prune --incoming`: leftovers of downloads go, and nothing else.

use crate::drive;
use crate::support::Nights;
use offsite::home::Home;
use offsite::store::Area;
use std::fs;

/// A store with a copy of one object, and what two downloads left behind.
fn with_leftovers() -> Nights {
    let mut nights = Nights::new();
    nights.bucket.put("kept", "kept");
    nights.night();
    for (name, bytes) in [("0123", 3000), ("0123.mark", 70), ("4567", 30)] {
        fs::write(nights.shelf().join("incoming").join(name), vec![1; bytes]).unwrap();
    }
    nights
}

#[test]
fn leftovers_are_named_and_removed_and_the_copy_is_left_alone() {
    let nights = with_leftovers();
    let before = drive(&nights);
    let told = nights.offsite(&["prune"]).exits(2);
    assert!(told.stderr.contains("prune --incoming"), "{}", told.stderr);

    let told = nights
        .offsite(&["prune", "--incoming", "--dry-run"])
        .exits(0);
    for words in [
        "www/incoming/0123.mark",
        "www/incoming/4567",
        "would remove 3 files, 3.0 KiB",
    ] {
        assert!(
            told.stdout.contains(words),
            "{words:?} is not in\n{}",
            told.stdout
        );
    }
    assert_eq!(drive(&nights), before);

    let told = nights.offsite(&["prune", "--incoming", "--json"]).exits(0);
    let lines = told.json_lines();
    assert_eq!(lines.len(), 4, "{}", told.stdout);
    assert_eq!(lines[0]["path"], "www/incoming/0123");
    assert_eq!(
        (&lines[3]["files"], &lines[3]["bytes"]),
        (&3.into(), &3100.into())
    );
    let mut after = before;
    after.retain(|(path, _)| !path.starts_with(nights.shelf().join("incoming")));
    assert_eq!(drive(&nights), after, "nothing else");
    nights.offsite(&["prune", "--incoming"]).exits(0);
}

#[test]
fn nothing_goes_while_a_pull_runs() {
    let nights = with_leftovers();
    let home = Home::open(&nights.store, nights.clock.clone()).unwrap();
    let before = nights.paths(Area::Incoming);
    for more in [
        &["prune", "--incoming"][..],
        &["prune", "--incoming", "--dry-run"],
    ] {
        nights.offsite(more).exits(6);
    }
    assert_eq!(nights.paths(Area::Incoming), before);
    drop(home);
}

/// A power cut came between the journal and the name: what lies in incoming/ is part of the copy.
#[test]
fn p2_what_the_journal_speaks_of_is_no_leftover() {
    let mut nights = with_leftovers();
    let catalogue = nights.store.path.join("catalogue.db");
    let earlier = fs::read(&catalogue).unwrap();
    nights.bucket.put("late", "late");
    nights.night();
    let mut journals: Vec<_> = fs::read_dir(nights.shelf().join("journal"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    journals.sort();
    let journal = journals.pop().unwrap();
    let text = fs::read_to_string(&journal).unwrap();
    let (group, rest) = text.split_once("{\"t\":\"group\"").unwrap();
    let trailer = rest.lines().next().unwrap();
    fs::write(&journal, format!("{group}{{\"t\":\"group\"{trailer}\n")).unwrap();
    let (_, from) = group.split_once("\"from\":\"").unwrap();
    let from = nights.shelf().join(from.split('"').next().unwrap());
    fs::rename(nights.shelf().join("latest/late"), &from).unwrap();
    fs::write(&catalogue, earlier).unwrap();

    let told = nights.offsite(&["prune", "--incoming"]).exits(0);
    assert!(told.stdout.contains("removed 3 files"), "{}", told.stdout);
    assert_eq!(nights.latest("late").unwrap(), b"late");
    assert_eq!(nights.check().problems, []);
}
