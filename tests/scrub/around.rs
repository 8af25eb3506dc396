//! The look around, where there is no time for all of it.

use crate::checked;
use crate::support::Nights;
use offsite::home::Home;
use offsite::object::from_ms;
use offsite::outcome::{Silent, Stop};
use offsite::scrub::{Found, Ground, Limits, Scrub, TURNS};
use std::collections::BTreeSet;
use std::fs;
use std::time::Duration;

const DAY: i64 = 86_400_000;
/// Enough that every day has some.
const STRANGERS: usize = 300;

/// A copy with files that nobody knows, most of them in folders.
fn with_strangers() -> Nights {
    let nights = checked();
    for number in 0..STRANGERS {
        let area = ["latest", "history", "quarantine"][number % 3];
        let folder = nights.shelf().join(area).join((number % 7).to_string());
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join(format!("stranger-{number}")), "x").unwrap();
    }
    nights
}

/// A scrub for no time at all, so many days after the last night.
fn on_day(nights: &Nights, day: i64) -> Found {
    nights
        .clock
        .set(from_ms(nights.last().as_millisecond() + day * DAY));
    let scrub = Scrub {
        limits: Limits {
            time: Some(Duration::ZERO),
            bytes: None,
        },
        clock: &nights.clock,
        stop: &Stop::default(),
        reporter: &Silent,
    };
    let mut home = Home::open(&nights.store, nights.clock.clone()).unwrap();
    let mut found = Found::default();
    scrub
        .read(&mut Ground::Home(&mut home), &mut found)
        .unwrap();
    scrub.write_down(&mut home, &mut found, None).unwrap();
    home.close().unwrap();
    found
}

/// What was not looked at is said, and none of it for ever: once in so many days all of it was.
#[test]
fn without_time_everything_has_its_turn() {
    let nights = with_strangers();
    let mut named = BTreeSet::new();
    for day in 1..=TURNS as i64 {
        let found = on_day(&nights, day);
        let today: Vec<_> = found.strangers.iter().map(|(_, (path, _))| path).collect();
        // A part of them each day, and none twice.
        assert!((1..50).contains(&today.len()), "{}", today.len());
        for path in today {
            assert!(named.insert(path.clone()), "{path}");
        }
        assert!(found.passed_over.names > 200, "{:?}", found.passed_over);
        assert!(found.passed_over.journals > 0, "{:?}", found.passed_over);
    }
    assert_eq!(named.len(), STRANGERS);
    // In the next round, of fewer of them, nothing is said that was said already: only what there was no
    // room for.
    let first = nights.open().len();
    for path in named.iter().step_by(5) {
        fs::remove_file(nights.store.path.join(path)).unwrap();
    }
    for day in 1..=TURNS as i64 {
        on_day(&nights, TURNS as i64 + day);
    }
    let open = nights.open();
    let said = open
        .iter()
        .flat_map(|row| row.finding.advice.evidence.split("; "));
    let said: Vec<_> = said.filter(|path| path.starts_with("www/")).collect();
    let once: BTreeSet<_> = said.iter().collect();
    assert!(open.len() < 2 * first, "{} and {}", first, open.len());
    assert_eq!(once.len(), said.len());
}

#[test]
fn a_journal_that_was_edited_has_its_turn() {
    let nights = checked();
    crate::damage::edit_journal(&nights);
    let days = (1..=TURNS as i64).filter(|day| !on_day(&nights, *day).journals.is_empty());
    assert_eq!(days.count(), 1);
    assert_eq!(nights.open_alarms(), ["journal-broken"]);
}

#[test]
fn what_was_not_looked_at_is_said() {
    let nights = with_strangers();
    let told = nights.offsite(&["scrub", "--for", "0s"]);
    told.says(&[
        " names in latest/, history/ and quarantine/ were not looked at for want of time",
        "(each has its turn on one of 31 days; `--all` looks at all); the next scrub goes on with the rest",
    ]);
    let json = nights
        .offsite(&["scrub", "--for", "0s", "--json"])
        .json_lines();
    let over = json[0]["not_looked_at"]["names"].as_u64().unwrap();
    let unknown = json[0]["unknown_files"].as_u64().unwrap();
    // Four files, and they.
    assert!(
        over > 200 && over + unknown <= STRANGERS as u64 + 4,
        "{over}, {unknown}"
    );
    // With time for it, and with --all, all of it is looked at.
    for args in [&["--all"][..], &["--for", "1h"], &["--budget", "1B"], &[]] {
        let told = nights.offsite(&[&["scrub", "--json"], args].concat());
        let json = told.exits(3).json_lines().remove(0);
        assert_eq!(json["unknown_files"], STRANGERS as u64, "{args:?}");
        let nothing = serde_json::json!({"names": 0, "journals": 0});
        assert_eq!(json["not_looked_at"], nothing, "{args:?}");
    }
}
