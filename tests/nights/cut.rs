//! A repository that is written to while it is pulled: what is on the drive is whole after every
//! run, whatever its owner's program did meanwhile.

use crate::support::Nights;
use offsite::demo::bucket::Bucket;
use offsite::outcome::Ended;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

/// What restic does to a bucket, as far as one object names another: an index says which pack has
/// a blob, a snapshot names a blob.
struct Owner {
    bucket: Bucket,
    random: fastrand::Rng,
    /// The blobs of snapshots, and the pack and index that have each.
    blobs: BTreeMap<String, (String, String)>,
    under_way: Vec<Step>,
    count: u32,
}

enum Step {
    Put(String, String),
    Delete(String),
}

fn named(folder: &str, content: &str) -> String {
    let digest = ring::digest::digest(&ring::digest::SHA256, content.as_bytes());
    let name = data_encoding::HEXLOWER.encode(digest.as_ref());
    match folder {
        "data" => format!("data/{}/{name}", &name[..2]),
        _ => format!("{folder}/{name}"),
    }
}

impl Owner {
    /// A pack with `blob` and the index that names it, in restic's order.
    fn pack(&mut self, blob: &str) -> (String, String) {
        self.count += 1;
        let content = format!("pack {} of {blob}", self.count);
        let pack = named("data", &content);
        let entry = format!("{blob} {pack}");
        let index = named("index", &entry);
        self.under_way.push(Step::Put(pack.clone(), content));
        self.under_way.push(Step::Put(index.clone(), entry));
        (pack, index)
    }

    fn backup(&mut self) {
        let blob = format!("blob-{}", self.count);
        let placed = self.pack(&blob);
        self.under_way
            .push(Step::Put(named("snapshots", &blob), blob.clone()));
        self.blobs.insert(blob, placed);
    }

    /// Every blob goes into a new pack; then the old indexes go, then the old packs.
    fn prune(&mut self) {
        let (mut indexes, mut packs) = (Vec::new(), Vec::new());
        for blob in self.blobs.keys().cloned().collect::<Vec<_>>() {
            let placed = self.pack(&blob);
            if let Some((pack, index)) = self.blobs.insert(blob, placed) {
                indexes.push(Step::Delete(index));
                packs.push(Step::Delete(pack));
            }
        }
        self.under_way.extend(indexes);
        self.under_way.extend(packs);
    }

    /// Goes on by `steps` steps; what is done is followed by something else now and then.
    fn work(&mut self, steps: usize, often: u32) {
        if self.under_way.is_empty() && self.random.u32(..often) == 0 {
            match self.random.u8(..3) {
                0 => self.prune(),
                _ => self.backup(),
            }
        }
        let steps = steps.min(self.under_way.len());
        for step in self.under_way.drain(..steps) {
            match step {
                Step::Put(key, content) => drop(self.bucket.put(&key, content)),
                Step::Delete(key) => drop(self.bucket.delete(&key)),
            }
        }
    }
}

/// Every snapshot's blob is in a pack that is there, by an index that is there; every index that
/// is there names a pack that is there.
fn is_whole(nights: &Nights) -> Result<usize, String> {
    let (mut blobs, mut snapshots) = (BTreeSet::new(), Vec::new());
    for (path, bytes) in nights.tree() {
        let Some(key) = path.strip_prefix("latest/") else {
            continue;
        };
        let text = String::from_utf8(bytes).unwrap();
        if key.starts_with("snapshots/") {
            snapshots.push(text);
        } else if key.starts_with("index/") {
            let (blob, pack) = text.split_once(' ').unwrap();
            if nights.latest(pack).is_none() {
                return Err(format!("{key} names {pack}, which is not there"));
            }
            blobs.insert(blob.to_owned());
        }
    }
    match snapshots.iter().find(|blob| !blobs.contains(*blob)) {
        Some(blob) => Err(format!("no index names {blob} of a snapshot")),
        None => Ok(snapshots.len()),
    }
}

#[test]
fn p4_a_snapshot_never_comes_without_its_packs() {
    let mut waited = 0;
    for seed in 0..30 {
        let mut nights = Nights::new();
        nights.tuning.page = 3;
        let owner = Arc::new(Mutex::new(Owner {
            bucket: nights.bucket.clone(),
            random: fastrand::Rng::with_seed(seed),
            blobs: BTreeMap::new(),
            under_way: Vec::new(),
            count: 0,
        }));
        nights.bucket.put("config", "c");
        for _ in 0..3 {
            let mut owner = owner.lock().unwrap();
            owner.backup();
            owner.work(usize::MAX, 1);
        }
        // The owner's program goes on a little with each of our requests.
        let at_work = owner.clone();
        let often = 4 + u32::try_from(seed % 4).unwrap() * 8;
        let hook = move |_: &str, _: Option<&str>| {
            let mut owner = at_work.lock().unwrap();
            let steps = owner.random.usize(..4);
            owner.work(steps, often);
        };
        nights
            .bucket
            .with_faults(|faults| faults.on_request = Some(Arc::new(hook)));
        for night in 0..3 {
            let outcome = nights.some_night().unwrap();
            waited += u32::from(outcome.ended != Ended::Complete);
            if let Err(why) = is_whole(&nights) {
                panic!("seed {seed}, night {night}: {why}: {outcome:?}");
            }
        }
        // Left in peace, all of it comes home.
        nights.bucket.with_faults(|faults| faults.on_request = None);
        owner.lock().unwrap().work(usize::MAX, u32::MAX);
        nights.night();
        let snapshots = is_whole(&nights).unwrap();
        assert_eq!(snapshots, owner.lock().unwrap().blobs.len(), "seed {seed}");
        assert_eq!(nights.open_kinds(), [""; 0], "seed {seed}");
    }
    assert!(waited < 60, "{waited} of 90 nights waited");
}

#[test]
fn a_repository_that_nobody_writes_to_is_listed_twice_when_it_has_something_new() {
    let mut nights = Nights::new();
    for (key, content) in [
        ("config".to_owned(), "c"),
        (named("data", "p"), "p"),
        (named("index", "i"), "i"),
        (named("snapshots", "s"), "s"),
    ] {
        nights.bucket.put(&key, content);
    }
    for listings in [2, 1] {
        nights.bucket.reset_requests();
        assert_eq!(nights.night().counts.listed, 4);
        assert_eq!(nights.asked("ListObjectsV2"), listings);
    }
}
