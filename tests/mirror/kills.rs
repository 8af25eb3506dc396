//! Cut off anywhere, the next run goes on, and nothing is passed over or told twice.

use crate::support::{Nights, age};
use crate::{at, copies, files, is_whole, mirror_of, mirroring, same_rows};
use fastrand::Rng;
use offsite::catalogue::Catalogue;
use offsite::config::StoreConfig;
use offsite::home::Home;
use offsite::mirror::Mirror;
use offsite::object::Clock;
use offsite::outcome::{Ended, Event, Reporter, Stop};
use offsite::store::{InitOptions, Reader, Store};
use std::process::Stdio;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

/// Some nights with enough to copy that a run takes a while.
fn nights() -> Nights {
    let mut nights = Nights::new();
    for night in 0..4_u64 {
        for file in 0..20 {
            let key = format!("set-{file}.age");
            nights.bucket.put(&key, age(60_000, night * 100 + file));
        }
        nights.bucket.put("once-2026-11-01.age", age(9000, night));
        nights.some_night().unwrap();
    }
    nights
}

#[test]
fn killed_at_any_moment_it_goes_on() {
    goes_on(&nights(), 31);
}

/// Many nights of few bytes: what is cut off are groups, not files.
#[test]
fn so_it_does_when_the_same_names_change_again_and_again() {
    goes_on(&crate::alike::late(28), 32);
}

fn goes_on(nights: &Nights, seed: u64) {
    let mut rng = Rng::with_seed(seed);
    let mut killed = 0;
    // However fast the computer is: what came to its end begins anew.
    while killed < 25 {
        let mut child = mirroring(nights, &[])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        std::thread::sleep(Duration::from_millis(rng.u64(5..150)));
        child.kill().unwrap();
        match child.wait().unwrap().success() {
            true => std::fs::remove_dir_all(mirror_of(nights)).unwrap(),
            false => killed += 1,
        }
    }
    copies(nights);
    same_rows(nights, "after kills");
    is_whole(&mirror_of(nights));
    assert!(files(&mirror_of(nights)) == files(&nights.store.path));
    // What happened is told once.
    let told = |store| {
        let said = at(store, &["log", "--events", "--json"]).exits(0);
        let lines = said.json_lines().into_iter();
        let mut told: Vec<String> = lines
            .map(|e| format!("{} {} {}", e["at"], e["kind"], e["text"]))
            .collect();
        told.sort();
        told
    };
    assert_eq!(told(&mirror_of(nights)), told(&nights.store.path));
    assert_eq!(copies(nights), 0);
}

/// Wishes for an end after so many files.
struct Impatient {
    left: AtomicU32,
    stop: Stop,
}

impl Reporter for Impatient {
    fn report(&self, event: &Event<'_>) {
        if let Event::Finished(_) = event
            && self.left.fetch_sub(1, Ordering::SeqCst) == 1
        {
            self.stop.request();
        }
    }
}

pub(crate) fn open(nights: &Nights) -> (Reader, Catalogue, Home) {
    let path = mirror_of(nights);
    let options = InitOptions {
        allow_root_fs: true,
        now: Clock::System.now(),
        probe_sqlite: &offsite::home::probe_sqlite,
    };
    let first = nights.reader();
    Store::init_mirror(&path, &first.marker().id, &options).unwrap();
    let config = StoreConfig {
        path,
        id: None,
        min_free: 0,
        allow_root_fs: true,
    };
    let home = Home::open(&config, Clock::System).unwrap();
    (first, nights.catalogue(), home)
}

#[test]
fn an_end_that_is_wished_for_keeps_what_was_copied() {
    let nights = nights();
    let mut copied = 0;
    for _ in 0..3 {
        let (first, catalogue, mut home) = open(&nights);
        let stop = Stop::default();
        let impatient = Impatient {
            left: 7.into(),
            stop: stop.clone(),
        };
        let mirror = Mirror {
            first: &first,
            catalogue: &catalogue,
            clock: &Clock::System,
            stop: &stop,
            reporter: &impatient,
        };
        let source = &catalogue.sources().unwrap()[0];
        let done = mirror.run(&mut home, source, &mut |lack| panic!("{lack:?}"));
        let done = done.unwrap();
        assert_eq!((done.ended, done.counts.stored), (Ended::Interrupted, 7));
        copied += done.counts.stored;
        home.close().unwrap();
        is_whole(&mirror_of(&nights));
    }
    let all = u64::try_from(files(&nights.store.path).len()).unwrap();
    assert_eq!(copies(&nights), all - copied);
    same_rows(&nights, "after ends");
}
