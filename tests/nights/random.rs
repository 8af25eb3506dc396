//! Random nights over hostile keys, against a model that is simple enough to be believed.

use crate::support::Nights;
use crate::support::nights::sha256;
use fastrand::Rng;
use offsite::catalogue::FindingRow;
use offsite::demo::bucket::{Fault, Faults, Order, Refusal};
use offsite::object::{Sha256, State, StoredVersion};
use offsite::outcome::Ended;
use offsite::store::NamingRule;
use offsite::write_once::is_write_once;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

const KEYS: [&str; 14] = [
    "a",
    "A",
    "a/b",
    "a/b/c",
    "a/",
    "/a",
    "../a",
    "%61",
    "é",
    "e\u{301}",
    "CON",
    "d 2026-11-01",
    "D 2026-11-01/x",
    "a\nb",
];
const SEEDS: u64 = 30;
const NIGHTS: u32 = 8;

/// What is wrong with one key for a night.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wrong {
    Hidden,
    FlippedOnce,
    FlippedAlways,
    CutOnce,
    Failing,
}

/// One key, as the promises have it.
#[derive(Clone, Debug, Default)]
struct Model {
    /// What the bucket has: bytes, and the night before which they came.
    bucket: Option<(Vec<u8>, u32)>,
    /// What of that we know, and whether it lies in quarantine.
    known: Option<((Vec<u8>, u32), bool)>,
    first_seen: Option<u32>,
    latest: Option<Vec<u8>>,
    held: BTreeSet<Vec<u8>>,
    /// Everything that was ever stored.
    stored: BTreeSet<Vec<u8>>,
    quarantined: BTreeSet<Vec<u8>>,
    /// What `ls --at` shows for now.
    shown: Option<Sha256>,
}

impl Model {
    /// Night number `night` passes. Says whether the key was left for the next one.
    fn night(&mut self, night: u32, write_once: bool, wrong: Option<Wrong>) -> bool {
        if wrong == Some(Wrong::Hidden) && self.bucket.is_some() {
            // Known or not: nothing is learnt of it, and a HEAD finds it.
            return false;
        }
        let Some((bytes, came)) = self.bucket.clone() else {
            // A HEAD that has no answer says nothing.
            if wrong != Some(Wrong::Failing) {
                (self.known, self.shown) = (None, None);
            }
            return false;
        };
        if self.known == Some(((bytes.clone(), came), false)) {
            return false;
        }
        match wrong {
            Some(Wrong::Failing) => return true,
            Some(Wrong::FlippedAlways) => {
                let mut spoilt = bytes.clone();
                spoilt[0] ^= 1;
                self.quarantined.insert(spoilt);
                self.first_seen.get_or_insert(night);
                self.known = Some(((bytes, came), true));
                self.shown = None;
                return false;
            }
            _ => {}
        }
        self.known = Some(((bytes.clone(), came), false));
        self.shown = Some(sha256(&bytes));
        self.stored.insert(bytes.clone());
        let first_seen = *self.first_seen.get_or_insert(night);
        let known =
            |latest: &Vec<u8>| *latest == bytes || (write_once && self.held.contains(&bytes));
        match &self.latest {
            Some(latest) if known(latest) => {}
            Some(_) if write_once && night > first_seen + 1 => {
                self.held.insert(bytes);
            }
            _ => self.latest = Some(bytes),
        }
        false
    }
}

struct World {
    seed: u64,
    rng: Rng,
    nights: Nights,
    keys: BTreeMap<&'static str, Model>,
}

#[test]
fn p2_p4_random_nights_on_a_posix_drive() {
    for seed in 0..SEEDS / 2 {
        World::new(seed, Nights::new()).live();
    }
}

#[test]
fn p2_p4_random_nights_on_a_portable_drive() {
    for seed in SEEDS / 2..SEEDS {
        World::new(seed, Nights::portable()).live();
    }
}

impl World {
    fn new(seed: u64, nights: Nights) -> Self {
        Self {
            seed,
            rng: Rng::with_seed(seed),
            nights,
            keys: KEYS.iter().map(|key| (*key, Model::default())).collect(),
        }
    }

    fn live(mut self) {
        for night in 0..NIGHTS {
            self.day(night);
            let wrong = self.misbehave();
            let outcome = self.nights.some_night().unwrap();
            let mut failed = 0;
            for (key, model) in &mut self.keys {
                let write_once = is_write_once(&crate::support::nights::key(key));
                failed += u64::from(model.night(night, write_once, wrong.get(key).copied()));
            }
            let place = format!("seed {}, night {night}, {wrong:?}", self.seed);
            assert_eq!(outcome.counts.failed, failed, "{place}");
            assert_eq!(outcome.ended == Ended::Partial, failed > 0, "{place}");
            self.compare(&place);
            if self.rng.bool() && self.accept() {
                self.compare(&format!("{place}, and then one was accepted"));
            }
        }
        self.nights.faults(Faults::default());
        assert_eq!(self.nights.some_night().unwrap().ended, Ended::Complete);
    }

    /// Things happen to the bucket.
    fn day(&mut self, night: u32) {
        for _ in 0..self.rng.usize(..8) {
            let key = KEYS[self.rng.usize(..KEYS.len())];
            let model = self.keys.get_mut(key).unwrap();
            if self.rng.u8(..4) == 0 {
                self.nights.bucket.delete(key);
                model.bucket = None;
            } else {
                // A few contents, so that old ones come back.
                let bytes = vec![b'0' + 2 * self.rng.u8(..3); 1 + self.rng.usize(..3)];
                self.nights.bucket.put(key, bytes.clone());
                model.bucket = Some((bytes, night));
            }
        }
    }

    /// Spoils a few keys and the way of listing for one night.
    fn misbehave(&mut self) -> BTreeMap<&'static str, Wrong> {
        use Wrong::{CutOnce, Failing, FlippedAlways, FlippedOnce, Hidden};
        let mut wrong = BTreeMap::new();
        if self.rng.bool() {
            // One key a kind: a fault that strikes once would strike either of two.
            let mut keys = KEYS;
            self.rng.shuffle(&mut keys);
            let kinds = [Hidden, FlippedOnce, FlippedAlways, CutOnce, Failing];
            let flip = if self.rng.bool() {
                FlippedOnce
            } else {
                FlippedAlways
            };
            wrong = keys.into_iter().zip(kinds).collect();
            wrong.retain(|_, kind| !matches!(kind, FlippedOnce | FlippedAlways) || *kind == flip);
        }
        let on = |kind: Wrong| {
            let found = wrong.iter().find(|(_, k)| **k == kind);
            found.map(|(key, _)| *key)
        };
        let only = |key: &'static str| move |k: &str| k == key;
        let flip = on(FlippedOnce).map(|key| Fault::new(0).on(only(key)).times(1));
        self.nights.faults(Faults {
            hide: on(Hidden).map(|key| Arc::new(only(key)) as _),
            flip: flip.or(on(FlippedAlways).map(|key| Fault::new(0).on(only(key)))),
            cut: on(CutOnce).map(|key| Fault::new(0).on(only(key)).times(1)),
            refuse: on(Failing).map(|key| Fault::new(Refusal::InternalError).on(only(key))),
            order: match self.rng.u8(..3) {
                0 => Order::Byte,
                1 => Order::Tree,
                _ => Order::Shuffled(self.rng.u64(..)),
            },
            page_size: Some(self.rng.usize(1..6)),
            ..Faults::default()
        });
        wrong
    }

    /// The owner accepts what the newest finding holds back, if it still does.
    fn accept(&mut self) -> bool {
        let held =
            |finding: &FindingRow| Some((finding.finding.key.clone()?, finding.finding.id.clone()));
        let Some((key, id)) = self.nights.open().iter().rev().find_map(held) else {
            return false;
        };
        let version = |v: StoredVersion| (v.state == State::Held).then_some(v.sha256).flatten();
        let finding = self
            .nights
            .catalogue()
            .finding(&id)
            .unwrap()
            .unwrap()
            .finding;
        let mut versions = self.nights.versions(key.as_str());
        versions.retain(|v| Some(&v.identity) == finding.identity.as_ref());
        let Some(digest) = versions.pop().and_then(version) else {
            return false;
        };
        self.nights.ack(&id, true).unwrap();
        let model = self.keys.get_mut(key.as_str()).unwrap();
        let bytes = model.held.iter().find(|b| sha256(b) == digest).unwrap();
        model.latest = Some(bytes.clone());
        model.held.remove(&model.latest.clone().unwrap());
        true
    }

    fn compare(&self, place: &str) {
        let nights = &self.nights;
        let mut shown = BTreeMap::new();
        for (key, model) in &self.keys {
            assert_eq!(nights.latest(key), model.latest, "{key:?}: {place}");
            let mut copy: BTreeSet<Vec<u8>> = nights.history(key).into_iter().collect();
            copy.extend(nights.latest(key));
            assert_eq!(copy, model.stored, "{key:?}: {place}");
            let quarantined: BTreeSet<_> = nights.quarantine(key).into_iter().collect();
            assert_eq!(quarantined, model.quarantined, "{key:?}: {place}");
            shown.extend(model.shown.map(|digest| ((*key).to_owned(), digest)));
        }
        assert_eq!(nights.as_it_was(nights.last()), shown, "{place}");
        // Each that is held is said; one that was held twice may have been accepted once.
        let alarms = nights.open_kinds().into_iter();
        let said = alarms.filter(|kind| kind == "write-once-changed").count();
        let held: usize = self.keys.values().map(|m| m.held.len()).sum();
        assert!(said >= held, "{said} of {held} are said: {place}");
        if nights.reader().marker().naming == NamingRule::Portable {
            nights.no_two_names_fold_into_one();
        }
        let report = nights.check();
        assert_eq!(report.problems, [], "{place}");
    }
}
