//! Promise P3: a `kill -9` at any instant loses nothing that was recorded, and the next run goes
//! on by itself. Two hundred at random moments, and one at each step that changes the drive.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used
)]

#[path = "kills/model.rs"]
mod model;
mod support;

use fastrand::Rng;
use model::{Model, equals_the_bucket};
use std::path::Path;
use std::time::{Duration, Instant};
use support::{Embedded, Running, tools, trace};

const KILLS: usize = 200;
/// From this one on there is an object that is fetched in ranges and resumed.
const LARGE_AT: usize = 190;
const LARGE: usize = 80 << 20;

/// The seed of a run that failed goes into this variable.
const SEED: &str = "OFFSITE_TEST_SEED";

/// When the kill comes. Chance alone would seldom hit the few milliseconds of a commit.
#[derive(Clone, Copy)]
enum Moment {
    /// So long after the start.
    Any(Duration),
    /// So long after the first object was asked for.
    Fetching(Duration),
    /// So long after the journal grew.
    Committing(Duration),
}

impl Moment {
    fn random(rng: &mut Rng, whole: Duration) -> Self {
        let of = |rng: &mut Rng, longest: Duration| longest.mul_f64(rng.f64());
        match rng.u8(..3) {
            0 => Self::Any(of(rng, whole.mul_f64(1.2))),
            1 => Self::Fetching(of(rng, whole.mul_f64(0.5))),
            _ => Self::Committing(of(rng, Duration::from_millis(12))),
        }
    }

    /// Waits until it has come, or the run has ended.
    fn wait(self, run: &mut Running, world: &Embedded) {
        let journal = world.folder().join("journal");
        let before = (world.requests("GetObject"), bytes_in(&journal));
        let (begun, delay): (&dyn Fn() -> bool, _) = match self {
            Self::Any(delay) => (&|| true, delay),
            Self::Fetching(delay) => (&|| world.requests("GetObject") > before.0, delay),
            Self::Committing(delay) => (&|| bytes_in(&journal) > before.1, delay),
        };
        while !begun() && run.goes_on() {
            std::thread::sleep(Duration::from_micros(200));
        }
        std::thread::sleep(delay);
    }
}

fn bytes_in(folder: &Path) -> u64 {
    let entries = std::fs::read_dir(folder).into_iter().flatten();
    entries
        .map(|entry| entry.unwrap().metadata().map_or(0, |data| data.len()))
        .sum()
}

/// Whoever writes to the bucket between the runs.
struct Writer {
    rng: Rng,
    keys: Vec<String>,
}

impl Writer {
    fn bytes(&mut self) -> Vec<u8> {
        let length = self.rng.usize(1..4096);
        std::iter::repeat_with(|| self.rng.u8(..))
            .take(length)
            .collect()
    }

    fn create(&mut self, world: &Embedded, key: String) {
        world.bucket.put(&key, self.bytes());
        self.keys.push(key);
    }

    /// A few new objects and replaced ones, and a key that becomes another's folder.
    fn change(&mut self, world: &Embedded) {
        for _ in 0..self.rng.usize(1..4) {
            let (folder, serial) = (self.rng.u8(..8), self.keys.len());
            self.create(world, format!("folder {folder}/{serial}"));
        }
        for _ in 0..self.rng.usize(..3) {
            let at = self.rng.usize(..self.keys.len());
            world.bucket.put(&self.keys[at].clone(), self.bytes());
        }
        if self.rng.u8(..3) == 0 {
            let at = self.rng.usize(..self.keys.len());
            let key = self.keys[at].clone();
            if key.len() < 200 {
                self.create(world, format!("{key}/{}", self.keys.len()));
            }
        }
    }
}

#[test]
fn p3_two_hundred_kills_at_random_moments_lose_nothing() {
    let seed = std::env::var(SEED).map_or(20_260_401, |seed| seed.parse().unwrap());
    tools::say(&format!("kills: seed {seed} ({SEED})"));
    let mut rng = Rng::with_seed(seed);
    let world = Embedded::new();
    let mut writer = Writer {
        rng: rng.fork(),
        keys: Vec::new(),
    };
    (0..9).for_each(|_| writer.change(&world));
    world.home.run(["pull"]).exits(0);
    (0..2).for_each(|_| writer.change(&world));
    let begin = Instant::now();
    world.home.run(["pull"]).exits(0);
    let mut whole = begin.elapsed();
    let (mut model, mut hit, mut checks) = (Model::default(), 0, 0);

    for number in 0..KILLS {
        writer.change(&world);
        if number == LARGE_AT {
            world.bucket.put("large", vec![7; LARGE]);
            whole *= 4;
        }
        let moment = Moment::random(&mut rng, whole);
        hit += usize::from(killed(&world, &["pull"], moment));
        if rng.u8(..4) == 0 {
            // A check goes through the journal first: that may be cut short, too.
            let moment = Moment::Any(whole.mul_f64(rng.f64()));
            checks += usize::from(killed(&world, &["catalogue", "check"], moment));
        }
        model.holds(&world, &format!("seed {seed}, after kill {number}"));
    }

    world.home.run(["pull"]).exits(0);
    model.holds(&world, "at the end");
    equals_the_bucket(&world);
    tools::say(&format!(
        "kills: {KILLS}, of which {hit} hit a running pull; {checks} more hit a check; {} files",
        model.len()
    ));
    assert!(hit >= KILLS / 4, "only {hit} kills came before the end");
}

/// Whether the run was still going on when it was killed.
fn killed(world: &Embedded, args: &[&str], moment: Moment) -> bool {
    let mut run = world.home.spawn(args);
    moment.wait(&mut run, world);
    let output = run.kill();
    let killed = output.code() == 128 + 9;
    assert!(killed || output.code() == 0, "{output:?}");
    killed
}

/// The calls that change the drive, each with how many of them are skipped between two kills.
const STEPS: [(&str, usize); 10] = [
    ("mkdirat", 1),
    ("write", 17),
    ("ftruncate", 1),
    ("syncfs", 1),
    ("fsync", 1),
    ("fdatasync", 3),
    ("linkat", 1),
    ("renameat,renameat2", 1),
    ("unlinkat", 3),
    ("pwrite64", 13),
];

#[test]
#[cfg_attr(without_strace, ignore = "OFFSITE_TEST_WITHOUT names strace")]
fn p3_a_kill_at_each_step_of_a_pull_loses_nothing() {
    let world = Embedded::new();
    let mut writer = Writer {
        rng: Rng::with_seed(1),
        keys: Vec::new(),
    };
    let mut model = Model::default();
    let mut kills = 0;
    for (call, stride) in STEPS {
        for number in (1..).step_by(stride) {
            writer.change(&world);
            // Always something that makes room.
            let key = writer.keys[0].clone();
            world.bucket.put(&key, writer.bytes());
            let log = world.home.path().join("trace");
            let inject = format!("inject={call}:signal=KILL:when={number}");
            let pull = trace::wrap(&world.home.command(["pull"]), &log, &["-e", &inject]);
            let output = Running::spawn(pull).finish();
            model.holds(&world, &format!("killed at {call} number {number}"));
            if output.code() == 0 {
                break;
            }
            assert_eq!(output.code(), 128 + 9, "{output:?}");
            kills += 1;
        }
    }
    world.home.run(["pull"]).exits(0);
    model.holds(&world, "at the end");
    equals_the_bucket(&world);
    tools::say(&format!("kills: {kills} at each step of a pull"));
    assert!(kills > STEPS.len(), "each call was hit");
}
