//! Others have the store between two files of a scrub, however long it reads.

use crate::support::program::Running;
use crate::support::{Nights, age};
use crate::{flip, rots};
use offsite::error::{Error, Kind, Result};
use offsite::home::Home;
use offsite::object::Clock;
use offsite::outcome::{Event, Reporter, Stop};
use offsite::scrub::{Found, Limits, Scrub};
use offsite::store::{Manner, Reader};
use std::sync::Mutex;
use std::thread::sleep;
use std::time::Duration;

/// Files of some KiB, the first one rotten.
fn rotten() -> Nights {
    let mut nights = Nights::new();
    for number in 0..5 {
        let key = format!("file-{number}.age");
        nights.bucket.put(&key, age(9000, number));
        nights.night();
    }
    rots(&nights.shelf().join("latest/file-0.age"), &flip);
    nights
}

/// When the first file was read, starts somebody who wants the store, and sees that they ask for it.
struct Meets<'m> {
    reader: Reader,
    start: &'m (dyn Fn() -> Running + Sync),
    running: Mutex<Option<Running>>,
}

impl Reporter for Meets<'_> {
    fn report(&self, event: &Event<'_>) {
        let mut running = self.running.lock().unwrap();
        if let Event::Finished(_) = event
            && running.is_none()
        {
            *running = Some((self.start)());
            while !self.reader.is_wanted().unwrap() {
                sleep(Duration::from_millis(10));
            }
        }
    }
}

fn giving_way(nights: &Nights) -> Result<Home> {
    let manner = Manner {
        gives_way: true,
        ..Manner::default()
    };
    Home::open_as(&nights.store, Clock::System, manner)
}

/// Somebody's command, just begun.
type Start<'s> = &'s (dyn Fn() -> Running + Sync);

/// What a reading came to that meets whoever `start` starts, and then has the store again by `open`.
struct Met {
    home: Option<Home>,
    read: Result<()>,
    found: Found,
    running: Running,
}

/// Reads all of it; `then` sees what was read.
fn reading<T>(
    nights: &Nights,
    start: Start<'_>,
    open: &dyn Fn() -> Result<Home>,
    then: impl FnOnce(&Scrub<'_>, Met) -> T,
) -> T {
    let meets = Meets {
        reader: nights.reader(),
        start,
        running: Mutex::new(None),
    };
    let scrub = Scrub {
        limits: Limits::default(),
        clock: &Clock::System,
        stop: &Stop::default(),
        reporter: &meets,
    };
    let mut found = Found::default();
    let (home, read) = scrub.read_in_turn(giving_way(nights).unwrap(), open, &mut found);
    let running = meets.running.lock().unwrap().take().unwrap();
    let met = Met {
        home,
        read,
        found,
        running,
    };
    then(&scrub, met)
}

/// Reads all of it and writes down what was found. That, and who was met.
fn meeting(nights: &Nights, start: Start<'_>) -> (Found, Running) {
    reading(nights, start, &|| giving_way(nights), |scrub, mut met| {
        met.read.unwrap();
        let mut home = met.home.unwrap();
        scrub.write_down(&mut home, &mut met.found, None).unwrap();
        home.close().unwrap();
        (met.found, met.running)
    })
}

#[test]
fn a_pull_has_its_turn_and_what_it_moves_is_read_where_it_is_then() {
    let nights = rotten();
    let new = age(9000, 100);
    nights.bucket.put("file-0.age", new.clone());
    nights.bucket.put("new.age", age(9000, 101));
    let (found, pull) = meeting(&nights, &|| nights.running(&["pull"]));
    let pull = pull.finish();
    assert!([0, 3].contains(&pull.code()), "{pull:?}");
    pull.says(&["waiting: the store ", " is in use by process "]);
    assert_eq!(nights.latest("file-0.age").unwrap(), new);
    // Five, the rotten one once more, and the two that came.
    assert_eq!((found.files, found.complete), (8, true));
    let damaged: Vec<_> = found.damaged.iter().map(|one| one.path.as_str()).collect();
    assert!(
        damaged.len() == 1 && damaged[0].starts_with("www/history/file-0.age/"),
        "{damaged:?}"
    );
    assert!(nights.open_kinds().contains(&"rot".to_owned()));
    assert_eq!(found.unknown, 0);
    assert!(!nights.reader().is_wanted().unwrap());
}

#[test]
fn what_nobody_touched_is_damaged_still_and_read_once() {
    let nights = rotten();
    let (found, pull) = meeting(&nights, &|| nights.running(&["pull"]));
    pull.finish().exits(0);
    assert_eq!((found.files, found.complete), (5, true));
    assert_eq!(found.unhealed(), 1);
}

/// A store that was lent does not lock out who came, and is not read as if it was still ours.
#[test]
fn who_cannot_have_it_back_says_what_was_found() {
    let nights = rotten();
    let gone = || Err(Error::new(Kind::Store, "the drive is gone"));
    let start = || nights.running(&["pull"]);
    reading(&nights, &start, &gone, |_, met| {
        assert!(met.home.is_none());
        assert_eq!(met.read.unwrap_err().kind(), Kind::Store);
        assert_eq!((met.found.unhealed(), met.found.complete), (1, false));
        met.running.finish().exits(0);
    });
}

/// A drive that lets a file rot does not stop there.
#[test]
fn damage_is_not_forgotten_where_the_catalogue_fails_afterwards() {
    let nights = rotten();
    let failing = || {
        let home = giving_way(&nights)?;
        let db = rusqlite::Connection::open(home.store().catalogue_path()).unwrap();
        db.execute("DROP INDEX version_path", []).unwrap();
        Ok(home)
    };
    let start = || nights.running(&["pull"]);
    reading(&nights, &start, &failing, |_, met| {
        met.read.unwrap_err();
        assert_eq!(met.found.unhealed(), 1);
        met.running.finish().exits(0);
    });
}

/// Two pulls that meet are no such thing: the second one says who is there, at once.
#[test]
fn who_does_not_give_way_is_not_waited_for() {
    let nights = rotten();
    let home = Home::open(&nights.store, Clock::System).unwrap();
    nights.running(&["pull"]).finish().exits(6);
    assert!(!nights.reader().is_wanted().unwrap());
    home.close().unwrap();
}
