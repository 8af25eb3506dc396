//! Ctrl-C and SIGTERM.

use crate::support::{Embedded, Running, trace};
use crate::{heal, incoming, last_run, listed, stall, until};
use rustix::process::{Pid, Signal, kill_process};

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

/// The second signal comes while the group in hand is being placed, a moment that `strace`
/// stretches: the journal has spoken, the catalogue has not.
#[test]
#[cfg_attr(without_strace, ignore = "OFFSITE_TEST_WITHOUT names strace")]
fn p3_a_second_signal_ends_at_once_and_loses_nothing() {
    let world = world();
    let log = world.home.path().join("trace");
    let ten_minutes = "inject=renameat,renameat2:delay_enter=600000000";
    let pull = trace::wrap(&world.home.command(["pull"]), &log, &["-e", ten_minutes]);
    let pull = Running::spawn(pull);
    fetched(&world);
    let program = holder(&world);
    kill_process(program, Signal::TERM).unwrap();
    until("the journal speaks of the group", || {
        let journal = world.folder().join("journal");
        let files = journal.read_dir().unwrap();
        files
            .flatten()
            .any(|file| file.metadata().is_ok_and(|m| m.len() > 0))
    });
    kill_process(program, Signal::TERM).unwrap();
    pull.finish().exits(3);
    assert!(!world.folder().join("latest/small/0").exists(), "at once");

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

/// The process that holds the store's lock, which names it.
fn holder(world: &Embedded) -> Pid {
    let lock = std::fs::read_to_string(world.home.store().join("offsite.lock")).unwrap();
    let lock: serde_json::Value = serde_json::from_str(&lock).unwrap();
    let pid = i32::try_from(lock["pid"].as_i64().unwrap()).unwrap();
    Pid::from_raw(pid).unwrap()
}
