//! Many nights that the test remembers: what is restored of any moment is what the bucket had then.

use crate::support::Nights;
use crate::support::nights::ms_after;
use crate::{Files, bucket, folder, keys_in, restore, same};
use fastrand::Rng;
use offsite::demo::bucket::Versioning;
use offsite::object::Timestamp;

const NIGHTS: u32 = 32;
const TIMES: usize = 20;

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
    fn live(versioning: Versioning, seed: u64) -> Self {
        let mut nights = Nights::new();
        nights.bucket.set_versioning(versioning);
        let mut rng = Rng::with_seed(seed);
        let mut was = Vec::new();
        for night in 0..NIGHTS {
            let changed = nights.clock.now();
            day(&nights, &mut rng, night);
            let files = bucket(&nights);
            nights.some_night().unwrap();
            let from = match versioning {
                Versioning::Enabled => changed,
                _ => nights.last(),
            };
            was.push((from, files));
        }
        Self { nights, was }
    }

    /// Every file of the bucket at each of the times, from the drive as it lies there now.
    fn is_restored(&self, seed: u64, label: &str) {
        let mut rng = Rng::with_seed(seed);
        let (begin, end) = (self.was[0].0, self.nights.clock.now());
        let length = end.duration_since(begin).as_millis();
        let mut edges = [begin, end, self.was[9].0, ms_after(self.was[9].0, -1)].into_iter();
        for number in 0..TIMES {
            let at = edges
                .next()
                .unwrap_or_else(|| ms_after(begin, rng.i64(0..i64::try_from(length).unwrap())));
            let (_, wanted) = self.was.iter().rev().find(|(from, _)| *from <= at).unwrap();
            let to = format!("{label}-{number}");
            restore(&self.nights, &to, &["**", "--at", &at.to_string()]).exits(0);
            let folder = folder(&self.nights, &to);
            same(&keys_in(&folder), wanted, &format!("at {at}"));
        }
    }
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

#[test]
fn any_moment_of_many_nights_comes_back_byte_for_byte() {
    let history = History::live(Versioning::Off, 11);
    history.is_restored(1, "drive");
    // Without its catalogue the drive says the same.
    std::fs::remove_file(history.nights.store.path.join("catalogue.db")).unwrap();
    history.is_restored(2, "journals");
}

#[test]
fn any_moment_of_a_versioned_bucket_comes_back_byte_for_byte() {
    let history = History::live(Versioning::Enabled, 12);
    history.is_restored(3, "drive");
    std::fs::remove_file(history.nights.store.path.join("catalogue.db")).unwrap();
    history.is_restored(4, "journals");
}
