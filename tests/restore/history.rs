//! Sixty nights that the test remembers: what is restored of any moment is what the bucket had then, byte
//! for byte, however the drive is read.

use crate::support::nights::ms_after;
use crate::support::{Namespace, Nights, Running, picture, program, tools};
use crate::{Files, bucket, folder, keys_in, same};
use fastrand::Rng;
use offsite::demo::bucket::Versioning;
use offsite::object::Timestamp;
use std::fs;
use std::path::Path;
use std::process::Command;

const NIGHTS: u32 = 60;
const TIMES: usize = 50;
/// Another number makes other nights and other moments.
const SEED: &str = "OFFSITE_HISTORY_SEED";

/// Names that rotate, clash, fold, try to escape, or are written once.
const KEYS: [&str; 14] = [
    "db.sql.age",
    "weekly-3",
    "docs",
    "docs/a",
    "docs/a/b",
    "É",
    "é",
    "Readme",
    "README",
    "../x",
    "d//e",
    "/lead",
    "a \"b\"\n",
    "100% sure.",
];

/// The nights, and the bucket as it was from each moment on.
struct History {
    nights: Nights,
    was: Vec<(Timestamp, Files)>,
}

impl History {
    /// With versions the bucket tells when each came; without, what counts is when it was seen.
    fn live(versioning: Versioning, rng: &mut Rng) -> Self {
        let mut nights = Nights::new();
        nights.bucket.set_versioning(versioning);
        let mut was = Vec::new();
        for night in 0..NIGHTS {
            let changed = nights.clock.now();
            day(&nights, rng, night);
            let files = bucket(&nights);
            nights.some_night().unwrap();
            let from = match versioning {
                Versioning::Enabled => changed,
                _ => nights.last(),
            };
            was.push((from, files));
            if night % 20 == 19 {
                mirror(&nights);
            }
        }
        Self { nights, was }
    }

    /// Fifty moments: the first and the last, the edge of a night, and any others.
    fn moments(&self, rng: &mut Rng) -> Vec<Timestamp> {
        let (begin, end) = (self.was[0].0, self.nights.clock.now());
        let length = i64::try_from(end.duration_since(begin).as_millis()).unwrap();
        let edges = [begin, end, self.was[9].0, ms_after(self.was[9].0, -1)];
        let others = std::iter::repeat_with(|| ms_after(begin, rng.i64(0..length)));
        edges.into_iter().chain(others).take(TIMES).collect()
    }

    /// Every file of the bucket at each of the moments, from the drive as it lies there now. `enter`
    /// may take the program to where it sees the drive otherwise.
    fn is_restored(
        &self,
        store: &Path,
        moments: &[Timestamp],
        label: &str,
        enter: &dyn Fn(Command) -> Command,
    ) {
        let before = picture(store);
        for at in moments {
            let (_, wanted) = self.was.iter().rev().find(|(from, _)| from <= at).unwrap();
            let to = folder(&self.nights, label);
            // With nothing but the drive: no home, no configuration, no key.
            let mut command = Command::new(program());
            command.args(["restore", "**", "--at", &at.to_string(), "--to"]);
            command.arg(&to).arg("--store").arg(store);
            Running::spawn(enter(command)).finish().exits(0);
            same(&keys_in(&to), wanted, &format!("{label}, at {at}"));
            fs::remove_dir_all(&to).unwrap();
        }
        assert_eq!(picture(store), before, "{label}: the drive was changed");
    }

    /// From the drive, from its mirror, from the drive mounted read-only, and from one whose catalogue was deleted.
    fn comes_back(&self, rng: &mut Rng) {
        let moments = self.moments(rng);
        let store = &self.nights.store.path;
        self.is_restored(store, &moments, "drive", &|command| command);
        let second = folder(&self.nights, "second");
        self.is_restored(&second, &moments, "mirror", &|command| command);
        let (space, drive) = (Namespace::new(), store.display());
        space.sh(&format!(
            "mount --bind '{drive}' '{drive}'; mount -o remount,bind,ro '{drive}'; ! touch '{drive}/x' 2>/dev/null"
        ));
        let enter = |command: Command| space.inside(&command);
        self.is_restored(store, &moments, "read-only", &enter);
        for name in ["catalogue.db", "catalogue.db.1", "catalogue.db.2"] {
            let _ = fs::remove_file(store.join(name));
        }
        assert!(!store.join("catalogue.db").exists());
        self.is_restored(store, &moments, "journals", &enter);
    }
}

/// What came since the last time goes to the mirror, too.
fn mirror(nights: &Nights) {
    let to = folder(nights, "second");
    let to = to.to_str().unwrap();
    nights
        .offsite(&["mirror", "--allow-root-fs", "--to", to])
        .exits(0);
}

/// Things happen to the bucket, at most one to each key.
fn day(nights: &Nights, rng: &mut Rng, night: u32) {
    nights
        .bucket
        .put(&format!("daily-{night}.age"), format!("night {night}"));
    for key in KEYS {
        match (rng.u8(..6), nights.bucket.get(key)) {
            (0, Some(_)) => {
                nights.bucket.delete(key);
            }
            (1, Some(bytes)) => {
                nights.bucket.put(key, bytes);
            }
            (2 | 3, _) => {
                let bytes = vec![b'0' + rng.u8(..3); 1 + rng.usize(..3)];
                nights.bucket.put(key, bytes);
            }
            (4, _) => {
                nights.bucket.put(key, rng.u64(..).to_string());
            }
            _ => {}
        }
    }
}

fn rng(test: &str) -> Rng {
    let seed = std::env::var(SEED).map_or(11, |seed| seed.parse().unwrap());
    tools::say(&format!("{test}: seed {seed} ({SEED})"));
    Rng::with_seed(seed)
}

#[test]
#[cfg_attr(without_mounts, ignore = "OFFSITE_TEST_WITHOUT names mounts")]
fn any_moment_of_sixty_nights_comes_back_byte_for_byte() {
    let mut rng = rng("sixty nights");
    History::live(Versioning::Off, &mut rng).comes_back(&mut rng);
}

#[test]
#[cfg_attr(without_mounts, ignore = "OFFSITE_TEST_WITHOUT names mounts")]
fn any_moment_of_a_versioned_bucket_comes_back_byte_for_byte() {
    let mut rng = rng("sixty nights of versions");
    History::live(Versioning::Enabled, &mut rng).comes_back(&mut rng);
}
