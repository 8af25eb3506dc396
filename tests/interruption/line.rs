//! A line that breaks, a server that is busy, a transfer that trickles.

use crate::support::Embedded;
use crate::{NEVER, heal, last_run, latest, listed, pattern};
use offsite::bucket::{Ask, Bucket, Failure, Floor, Tuning};
use offsite::config::Config;
use offsite::credentials::Credentials;
use offsite::demo::bucket::{Fault, Faults, READER, Refusal, Trickle};
use std::sync::Arc;
use std::time::Duration;

/// A fault of `key` that heals after `times`.
fn sometimes<T: Clone>(what: T, key: &'static str, times: u64) -> Option<Fault<T>> {
    Some(Fault::new(what).on(move |asked| asked == key).times(times))
}

/// What can go wrong with one object, and how many of its requests that costs.
type Case = (&'static str, fn(&mut Faults), u64);

const PASSING: [Case; 5] = [
    (
        "a broken body",
        |faults| faults.cut = sometimes(1000, "o", 2),
        2,
    ),
    (
        "a short body",
        |faults| faults.shorten = sometimes((), "o", 1),
        1,
    ),
    (
        "503 SlowDown",
        |faults| faults.refuse = sometimes(Refusal::SlowDown, "o", 2),
        2,
    ),
    (
        "429 TooManyRequests",
        |faults| faults.refuse = sometimes(Refusal::TooManyRequests, "o", 1),
        1,
    ),
    (
        "500 InternalError",
        |faults| faults.refuse = sometimes(Refusal::InternalError, "o", 1),
        1,
    ),
];

#[test]
fn what_passes_is_tried_again_and_counted() {
    for (which, fault, wasted) in PASSING {
        let world = Embedded::new();
        let bytes = pattern(5000, 1);
        world.bucket.put("o", bytes.as_slice());
        world.bucket.with_faults(fault);
        world.home.run(["pull"]).exits(0);
        assert_eq!(world.requests("GetObject"), 1 + wasted, "{which}");
        assert!(latest(&world, "o") == bytes, "{which}");
        let counted = last_run(&world)["counts"]["requests"].as_u64();
        let sent: u64 = world.bucket.requests().values().sum();
        assert_eq!(counted, Some(sent), "{which}: in the run's record");
    }
}

#[test]
fn a_broken_range_goes_on_where_it_broke() {
    let world = Embedded::new();
    let bytes = pattern(33 << 20, 2);
    world.bucket.put("large", bytes.as_slice());
    world
        .bucket
        .with_faults(|faults| faults.cut = sometimes(1 << 20, "large", u64::MAX));
    world.home.run(["pull"]).exits(0);
    // Eight ranges of 4 MiB, each a MiB at a time, and the last MiB.
    assert_eq!(world.requests("GetObject"), 8 * 4 + 1);
    assert!(latest(&world, "large") == bytes);
}

#[test]
fn when_tries_run_out_the_others_are_stored_and_the_next_run_fetches_it() {
    let world = Embedded::new();
    for key in ["a", "broken", "c"] {
        world.bucket.put(key, vec![1; 5000]);
    }
    world
        .bucket
        .with_faults(|faults| faults.cut = sometimes(1000, "broken", u64::MAX));
    let pull = world.home.run(["pull"]).exits(3);
    assert!(pull.stderr.contains("broken"), "{}", pull.stderr);
    assert_eq!(world.requests("GetObject"), 2 + 5, "five tries");
    assert_eq!(listed(&world), ["a", "c"]);
    assert_eq!(last_run(&world)["how"], "partial");

    heal(&world);
    world.home.run(["pull"]).exits(0);
    assert_eq!(world.requests("GetObject"), 1);
    assert_eq!(listed(&world), ["a", "broken", "c"]);
}

/// The client repeats what a server refuses; nothing around it does so once more.
#[test]
fn a_server_that_stays_busy_is_asked_five_times_for_an_object_and_no_more() {
    for size in [5000, 33 << 20] {
        let world = Embedded::new();
        world.bucket.put("a", vec![1; 5000]);
        world.bucket.put("busy", vec![1; size]);
        world
            .bucket
            .with_faults(|faults| faults.refuse = sometimes(Refusal::SlowDown, "busy", u64::MAX));
        let pull = world.home.run(["pull"]).exits(3);
        assert!(pull.stderr.contains("busy or failing"), "{}", pull.stderr);
        let asked = match size {
            5000 => world.requests("GetObject") - 1,
            _ => world.requests("HeadObject"),
        };
        assert_eq!(asked, 5, "{size} bytes");
        assert_eq!(listed(&world), ["a"]);
    }
}

/// As a server that has lost a disk: the objects on it answer 500 for ever.
#[test]
fn objects_that_fail_side_by_side_keep_no_others_from_their_turn() {
    let world = Embedded::new();
    for number in 0..60 {
        world.bucket.put(&format!("lost/{number:02}"), "x");
    }
    world.bucket.put("z", "the last");
    let lost = Fault::new(Refusal::InternalError).on(|key| key.starts_with("lost/"));
    world
        .bucket
        .with_faults(|faults| faults.refuse = Some(lost));
    world.home.run(["pull"]).exits(3);
    assert_eq!(listed(&world), ["z"]);
    assert_eq!(world.requests("ListObjectsV2"), 2, "one to see who fails");
}

#[test]
fn a_line_that_dies_ends_the_run_before_every_object_had_its_tries() {
    let world = Embedded::new();
    for number in 0..500 {
        world.bucket.put(&format!("{number:03}"), "x");
    }
    let bucket = world.bucket.clone();
    world.bucket.with_faults(|faults| {
        faults.on_request = Some(Arc::new(move |operation, key| {
            if operation == "GetObject" && key == Some("100") {
                let all = Some(Fault::new(Refusal::InternalError));
                bucket.with_faults(|faults| faults.refuse = all);
            }
        }));
    });
    let pull = world.home.run(["pull"]).exits(1);
    assert!(pull.stderr.contains("busy or failing"), "{}", pull.stderr);
    let run = last_run(&world);
    assert_eq!(run["how"], "failed");
    let stored = run["counts"]["stored"].as_u64().unwrap();
    assert!((80..=120).contains(&stored), "{stored}");
    // 32 failures, what was under way meanwhile, and as many repetitions as the client allows
    // itself.
    let asked = world.requests("GetObject");
    assert!(asked < 400, "{asked}");
    heal(&world);
    world.home.run(["pull"]).exits(0);
    assert_eq!(listed(&world).len(), 500);
}

/// What the watchdogs are set to here: nothing shorter than a second can be said of a rate.
fn tuning() -> Tuning {
    Tuning {
        idle: Duration::from_secs(2),
        floor: Floor {
            rate: 16 << 10,
            over: Duration::from_secs(1),
        },
        attempts: 1,
        backoff: Duration::from_millis(1),
        large: 1 << 20,
        range: 256 << 10,
        ..Tuning::default()
    }
}

/// The library's client for the bucket.
fn client(world: &Embedded, tuning: Tuning) -> Bucket {
    let (name, endpoint) = (world.bucket.name(), world.server.endpoint());
    let text = format!(
        "[store]\npath = \"/nowhere\"\n\
         [[source]]\nname = \"www\"\nbucket = \"{name}\"\nendpoint = \"{endpoint}\"\n"
    );
    let config = Config::parse(&text).unwrap();
    let credentials = Credentials::given(READER.id, READER.secret);
    Bucket::new(&config.sources[0], &credentials, tuning).unwrap()
}

/// All bytes of the bucket's only object, or why they did not come.
fn download(client: &Bucket) -> Result<Vec<u8>, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let page = client.list().next().await.unwrap().unwrap();
        let object = &page.objects[0];
        let mut download = client
            .open(&object.key, &object.identity, Ask::First)
            .await?;
        let mut bytes = Vec::new();
        while let Some(chunk) = download.next().await? {
            bytes.extend(chunk);
        }
        Ok(bytes)
    })
}

/// Slower than the floor, and yet never silent for long.
const TRICKLE: Trickle = Trickle {
    bytes: 100,
    every: Duration::from_millis(50),
};

#[test]
fn a_transfer_that_stands_still_or_trickles_is_cut_and_says_why() {
    for (what, size, why) in [
        (NEVER, 100_000, "nothing came for 2 s"),
        (TRICKLE, 100_000, "slower than 16 KiB/s over 1 s"),
        (NEVER, 2 << 20, "nothing came for 2 s"),
        (TRICKLE, 2 << 20, "slower than 16 KiB/s over 1 s"),
    ] {
        let world = Embedded::new();
        world.bucket.put("o", pattern(size, 3));
        world
            .bucket
            .with_faults(|faults| faults.trickle = Some(Fault::new(what)));
        let Err(Failure::Broken(error) | Failure::Passing(error)) =
            download(&client(&world, tuning()))
        else {
            panic!("{why}, {size} bytes: it came");
        };
        let chain = format!("{error} {error:?}");
        assert!(chain.contains(why), "{why}, {size} bytes: {chain}");
    }
}

#[test]
fn a_range_that_trickles_is_cut_and_asked_for_again() {
    let world = Embedded::new();
    let bytes = pattern(2 << 20, 4);
    world.bucket.put("o", bytes.as_slice());
    world
        .bucket
        .with_faults(|faults| faults.trickle = sometimes(TRICKLE, "o", 1));
    let tuning = Tuning {
        attempts: 2,
        ..tuning()
    };
    assert!(download(&client(&world, tuning)).unwrap() == bytes);
    assert_eq!(world.requests("GetObject"), 8 + 1);
}
