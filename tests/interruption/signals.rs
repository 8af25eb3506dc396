//! Ctrl-C and SIGTERM.

use crate::support::Embedded;
use crate::{heal, incoming, last_run, listed, stall, until};
use rustix::process::Signal;

const SMALL: usize = 30;

/// Thirty objects that come and one that does not.
fn world() -> Embedded {
    let world = Embedded::new();
    for number in 0..SMALL {
        world
            .bucket
            .put(&format!("small/{number}"), format!("number {number:>8}"));
    }
    world.bucket.put("stalls", vec![7; 100_000]);
    stall(&world, "stalls");
    world
}

/// All that come have come: a small object's file appears when its last byte is here.
fn fetched(world: &Embedded) {
    until("the small objects are here", || {
        let whole = |(_, length): &&(_, u64)| *length == 15;
        incoming(world).iter().filter(whole).count() == SMALL
    });
}

#[test]
fn p3_one_signal_records_what_was_fetched_and_the_next_run_fetches_the_rest() {
    for signal in [Signal::TERM, Signal::INT] {
        let world = world();
        let pull = world.home.spawn(["pull"]);
        fetched(&world);
        pull.signal(signal);
        pull.finish().exits(3);
        assert_eq!(last_run(&world)["how"], "interrupted");
        assert_eq!(listed(&world).len(), SMALL, "{signal:?}: recorded");
        assert_eq!(
            world
                .folder()
                .join("latest/small")
                .read_dir()
                .unwrap()
                .count(),
            SMALL
        );

        heal(&world);
        world.home.run(["pull"]).exits(0);
        assert_eq!(world.requests("GetObject"), 1, "{signal:?}: only the rest");
        assert_eq!(listed(&world).len(), SMALL + 1);
    }
}

#[test]
fn one_signal_ends_a_run_that_waits_for_the_listing() {
    let world = world();
    let (asked, answer) = std::sync::mpsc::channel::<()>();
    let answer = std::sync::Mutex::new(answer);
    world.bucket.with_faults(|faults| {
        faults.on_request = Some(std::sync::Arc::new(move |operation, _| {
            if operation == "ListObjectsV2" {
                // Until the test lets go.
                let _ = answer.lock().unwrap().recv();
            }
        }));
    });
    let pull = world.home.spawn(["pull"]);
    until("the run has its journal", || {
        world.folder().join("journal").is_dir()
    });
    pull.signal(Signal::TERM);
    pull.finish().exits(3);
    drop(asked);
}

/// The second signal comes between journal and catalogue: the test holds the catalogue's own lock
/// for as long as it needs. A run that waited for it would end with another exit code.
#[test]
fn p3_a_second_signal_ends_at_once_and_loses_nothing() {
    let world = world();
    let pull = world.home.spawn(["pull"]);
    fetched(&world);
    let catalogue = world.home.store().join("catalogue.db");
    let catalogue = rusqlite::Connection::open(catalogue).unwrap();
    catalogue.execute_batch("BEGIN IMMEDIATE").unwrap();
    pull.signal(Signal::TERM);
    until("the journal speaks of the group", || {
        let journal = world.folder().join("journal");
        let files = journal.read_dir().unwrap();
        files
            .flatten()
            .any(|file| file.metadata().is_ok_and(|m| m.len() > 0))
    });
    pull.signal(Signal::TERM);
    pull.finish().exits(3);
    let recorded: u32 = catalogue
        .query_row("SELECT count(path) FROM version", [], |row| row.get(0))
        .unwrap();
    assert_eq!(recorded, 0, "at once");
    drop(catalogue);

    world.home.run(["catalogue", "check", "--deep"]).exits(0);
    assert_eq!(
        listed(&world).len(),
        SMALL,
        "the journal's group is finished"
    );
    heal(&world);
    world.home.run(["pull"]).exits(0);
    assert_eq!(world.requests("GetObject"), 1, "only the rest");
}
