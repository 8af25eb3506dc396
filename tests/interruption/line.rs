//! A line that breaks, a server that is busy, a transfer that trickles.

use crate::support::Embedded;
use crate::{NEVER, heal, last_run, latest, listed, pattern};
use offsite::bucket::{Bucket, Failure, Floor, Tuning};
use offsite::config::Config;
use offsite::credentials::Credentials;
use offsite::demo::bucket::{Fault, Faults, READER, Refusal, Trickle};
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
        let mut download = client.open(&object.key, &object.identity).await?;
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
        let Err(Failure::Passing(error)) = download(&client(&world, tuning())) else {
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
