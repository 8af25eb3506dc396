//! Far more is new than ever comes in a night.

use crate::support::Nights;
use crate::support::nights::ms_after;
use offsite::demo::bucket::Faults;
use offsite::outcome::Ended;
use std::sync::{Arc, Mutex};

const DAY: i64 = 86_400_000;

/// Nights of two jobs that write one backup each.
fn ordinary(count: u32) -> Nights {
    let mut nights = Nights::new();
    for _ in 0..count {
        evening(&nights);
        nights.night();
    }
    assert_eq!(nights.open_kinds(), [""; 0]);
    nights
}

/// The night's backups; their names.
fn evening(nights: &Nights) -> [String; 2] {
    let day = ms_after(nights.last(), DAY).strftime("%Y%m%d").to_string();
    let keys = [
        format!("www/site-{day}.tar.age"),
        format!("www/zz-{day}.sql.age"),
    ];
    for key in &keys {
        nights.bucket.put(key, key.clone());
    }
    keys
}

fn junk(nights: &Nights, name: impl Fn(u32) -> String, count: u32) {
    for n in 0..count {
        nights.bucket.put(&name(n), "junk");
    }
}

/// The keys that the next night asks for, in order.
fn asked(nights: &mut Nights) -> Vec<String> {
    let asked = Arc::new(Mutex::new(Vec::new()));
    let note = asked.clone();
    nights.tuning.at_once = 1;
    nights.faults(Faults {
        on_request: Some(Arc::new(move |operation, key| {
            if operation == "GetObject" {
                note.lock().unwrap().push(key.unwrap().to_owned());
            }
        })),
        ..Faults::default()
    });
    let outcome = nights.some_night().unwrap();
    assert_eq!(outcome.ended, Ended::Complete);
    nights.faults(Faults::default());
    let keys = asked.lock().unwrap().clone();
    assert_eq!(keys.len() as u64, outcome.counts.stored);
    keys
}

#[test]
fn p5_a_flood_is_said_and_comes_after_what_comes_every_night() {
    let mut nights = ordinary(8);
    let real = evening(&nights);
    junk(&nights, |n| format!("aaa/{n}"), 1_010);
    let keys = asked(&mut nights);
    assert_eq!(keys.len(), 1_012);
    assert_eq!(keys[..2], real, "first what is ordinary");
    assert_eq!(nights.open_kinds(), ["flood"]);
    let advice = nights.open().pop().unwrap().finding.advice;
    assert!(
        advice.what.starts_with("a flood: 1012 new objects"),
        "{}",
        advice.what
    );
    assert!(
        advice.evidence.contains("aaa/*: 1010"),
        "{}",
        advice.evidence
    );
    // Tomorrow is an ordinary night, and the alarm stays.
    evening(&nights);
    assert_eq!(nights.night().open_alarms, 1);
}

#[test]
fn p5_junk_that_borrows_a_series_name_has_its_turn_after_all_other_series() {
    let mut nights = ordinary(8);
    let [_, real] = evening(&nights);
    junk(&nights, |n| format!("www/site-{n:05}.tar.age"), 1_010);
    let keys = asked(&mut nights);
    let turn = keys.iter().position(|key| *key == real).unwrap();
    assert!(
        turn <= 24,
        "after what the series may bring in a night: {turn}"
    );
    assert_eq!(nights.open_kinds().last().unwrap(), "flood");
}

#[test]
fn what_the_owner_acknowledged_is_no_flood_for_a_week() {
    let mut nights = ordinary(8);
    // Kept out, so that the next night has as much of it.
    nights.limits.max_object = Some(100);
    for n in 0..1_010 {
        nights.bucket.put(&format!("a/{n}"), vec![b'x'; 101]);
    }
    nights.night();
    assert_eq!(nights.open_kinds(), ["flood", "oversize"]);
    let id = nights.open()[0].finding.id.clone();
    nights.ack(&id, false).unwrap();
    for _ in 0..7 {
        evening(&nights);
        nights.night();
        assert_eq!(nights.open_kinds(), ["oversize"]);
    }
    evening(&nights);
    nights.night();
    assert_eq!(nights.open_kinds(), ["oversize", "flood"]);
}

/// A clean-up writes packs anew by the hundred.
#[test]
fn p5_packs_of_a_repository_and_a_first_pull_are_no_flood() {
    let mut nights = Nights::new();
    junk(&nights, |n| format!("old/{n}"), 1_010);
    nights.bucket.put("repo/config", "config");
    for _ in 0..8 {
        evening(&nights);
        nights.night();
    }
    for n in 0..1_010 {
        let bytes = format!("pack {n}");
        let name = crate::support::nights::sha256(bytes.as_bytes()).to_string();
        nights
            .bucket
            .put(&format!("repo/data/{}/{name}", &name[..2]), bytes);
    }
    nights.night();
    assert_eq!(nights.open_kinds(), [""; 0]);
}
