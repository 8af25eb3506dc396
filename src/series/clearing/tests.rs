//! Four hundred nights of ordinary lives of buckets that keep versions, and the same with one attack.

use super::*;
use crate::object::from_ms;
use fastrand::Rng;

const DAY: i64 = 24;

fn at(hour: i64) -> Timestamp {
    from_ms(hour * 3_600_000)
}

#[derive(Clone, Debug)]
struct Version {
    born: Hour,
    replaced: Option<Hour>,
    /// When we first saw it.
    seen: Option<Hour>,
    /// Whether it was the newest when we looked last.
    newest: bool,
}

/// The versions of one series in a bucket, oldest first by key, and what we saw of them.
struct World {
    rng: Rng,
    there: BTreeMap<u64, Vec<Version>>,
    /// What was taken that we knew.
    taken: Vec<(u64, Version)>,
    /// What went, and when we missed it.
    went: Vec<(u64, Version, Hour)>,
    before: BTreeMap<Hour, Night>,
    looked: Hour,
}

impl World {
    fn put(&mut self, key: u64, hour: Hour) {
        self.delete(key, hour);
        self.there.entry(key).or_default().push(Version {
            born: hour,
            replaced: None,
            seen: None,
            newest: false,
        });
    }

    /// By a delete marker.
    fn delete(&mut self, key: u64, hour: Hour) {
        if let Some(last) = self.there.get_mut(&key).and_then(|of| of.last_mut()) {
            last.replaced.get_or_insert(hour);
        }
    }

    /// A rule by age.
    fn expire(&mut self, days: i64, hour: Hour) {
        self.take(|_, version| version.replaced.is_some_and(|at| hour - at >= days * DAY));
    }

    /// A rule by number: so many older versions of each key stay.
    fn keep(&mut self, most: usize) {
        self.take(|newer, version| version.replaced.is_some() && newer >= most);
    }

    /// Takes the versions of which `goes` says so, with how many older versions of the key are newer.
    fn take(&mut self, goes: impl Fn(usize, &Version) -> bool) {
        for (key, versions) in &mut self.there {
            let mut left = versions.iter().filter(|v| v.replaced.is_some()).count();
            let taken = versions.extract_if(.., |version| {
                left = left.saturating_sub(1);
                goes(left, version)
            });
            let known = taken.filter(|version| version.seen.is_some());
            self.taken.extend(known.map(|version| (*key, version)));
        }
        self.there.retain(|_, versions| !versions.is_empty());
    }

    /// One pull at the hour `now`. What was before is kept from night to night, and not made again
    /// from every version that ever was.
    fn pull(&mut self, now: Hour) -> Result<(), Purged> {
        let went = self.missing();
        let mut verdict = Ok(());
        if !went.is_empty() {
            let mut clearing = Clearing {
                before: std::mem::take(&mut self.before),
                ..Clearing::default()
            };
            self.read(&mut clearing, &went, now);
            verdict = clearing.judge(at(self.looked), at(now));
            self.before = clearing.before;
            if let Some(tonight) = clearing.tonight {
                let night = Night {
                    teaches: verdict.is_ok(),
                    gone: tonight.gone,
                    youngest: (now - tonight.last).max(0),
                    kept: tonight.kept,
                };
                self.before.insert(now, night);
            }
        }
        let went = went.into_iter().map(|(key, version)| (key, version, now));
        self.went.extend(went);
        for version in self.there.values_mut().flatten() {
            version.seen.get_or_insert(now);
            version.newest = version.replaced.is_none();
        }
        self.taken.clear();
        self.looked = now;
        verdict
    }

    /// What we knew that is not there, with when it was replaced as far as what we know tells.
    fn missing(&self) -> Vec<(u64, Version)> {
        let mut missing = self.taken.clone();
        missing.sort_by_key(|(key, version)| (*key, version.born));
        for (key, version) in &mut missing {
            let there = self.there.get(key).into_iter().flatten();
            let taken = self.taken.iter().filter(|(of, _)| of == key);
            let all = there.chain(taken.map(|(_, version)| version));
            let next = all.map(|other| other.born).filter(|at| *at > version.born);
            version.replaced = next.min().or(version.replaced);
        }
        missing
    }

    fn read(&self, clearing: &mut Clearing, went: &[(u64, Version)], now: Hour) {
        let mut went = went.iter().peekable();
        let mut keys: Vec<u64> = self.there.keys().copied().collect();
        keys.extend(went.clone().map(|(key, _)| *key));
        keys.sort_unstable();
        keys.dedup();
        for key in keys {
            for version in self.there.get(&key).into_iter().flatten() {
                match version.seen {
                    None => clearing.comes(),
                    Some(_) => clearing.add(fate(version, End::There), at(now)),
                }
            }
            while let Some((_, version)) = went.next_if(|(of, _)| *of == key) {
                let newest = version.newest;
                let end = End::Tonight {
                    newest,
                    condemned: false,
                };
                clearing.add(fate(version, end), at(now));
            }
            clearing.end_of_key();
        }
    }

    /// What is learnt from all versions at once.
    fn read_back(&self, now: Hour) -> BTreeMap<Hour, Night> {
        let mut clearing = Clearing::default();
        let mut all: BTreeMap<u64, Vec<Fate>> = BTreeMap::new();
        for (key, version, missed) in &self.went {
            let end = End::Before {
                at: at(*missed),
                teaches: true,
            };
            all.entry(*key).or_default().push(fate(version, end));
        }
        for (key, versions) in &self.there {
            let there = versions.iter().map(|version| fate(version, End::There));
            all.entry(*key).or_default().extend(there);
        }
        for fates in all.into_values() {
            fates
                .into_iter()
                .for_each(|fate| clearing.add(fate, at(now)));
            clearing.end_of_key();
        }
        clearing.before
    }
}

fn fate(version: &Version, end: End) -> Fate {
    Fate {
        seen: at(version.seen.unwrap()),
        replaced: version.replaced.map(at),
        end,
    }
}

/// What the jobs and the rules do in the night that ends at this hour. Beside its name: after how many
/// hours the rule takes what was replaced.
type Habit = fn(&mut World, night: i64, hour: Hour);
/// What somebody takes away.
type Strike = fn(&mut World, hour: Hour);

fn dated(w: &mut World, night: i64, hour: Hour) {
    w.put(u64::try_from(1000 + night).unwrap(), hour);
}

fn delete_dated(w: &mut World, night: i64, hour: Hour) {
    if let Ok(key) = u64::try_from(1000 + night) {
        w.delete(key, hour);
    }
}

/// Ten keys, written each night to once in a month or two.
fn of_many_rates(w: &mut World, night: i64, hour: Hour) {
    for key in 1..=10_u64 {
        let every = i64::try_from(key * key / 2).unwrap().max(1);
        if night.rem_euclid(every) == 0 {
            w.put(key, hour);
        }
    }
}

const HABITS: [(&str, Hour, Habit); 19] = [
    ("thirty days", 30 * DAY, |w, _, hour| {
        w.put(1, hour);
        w.expire(30, hour);
    }),
    ("one day, written every six hours", DAY, |w, _, hour| {
        for earlier in (0..4).rev() {
            w.put(1, hour - 6 * earlier);
        }
        w.expire(1, hour);
    }),
    ("one day", DAY, |w, _, hour| {
        w.put(1, hour);
        w.expire(1, hour);
    }),
    ("the last three", 3 * DAY, |w, _, hour| {
        w.put(1, hour);
        w.keep(3);
    }),
    (
        "the last three, run again at times",
        3 * DAY,
        |w, _, hour| {
            w.put(1, hour - 1);
            if w.rng.u8(..15) == 0 {
                w.put(1, hour);
            }
            w.keep(3);
        },
    ),
    ("the last two, and holidays", 2 * DAY, |w, night, hour| {
        if !(170..185).contains(&night) && w.rng.u8(..20) > 0 {
            w.put(1, hour);
            w.keep(2);
        }
    }),
    (
        "deleted after two weeks, thirty days",
        30 * DAY,
        |w, night, hour| {
            dated(w, night, hour);
            delete_dated(w, night - 14, hour);
            w.expire(30, hour);
        },
    ),
    ("deleted each month, a week", 7 * DAY, |w, night, hour| {
        dated(w, night, hour);
        if night.rem_euclid(30) == 0 {
            (31..=61).for_each(|old| delete_dated(w, night - old, hour));
        }
        w.expire(7, hour);
    }),
    ("edited often, and then not", 30 * DAY, |w, _, hour| {
        if w.rng.u8(..10) == 0 {
            let times = w.rng.i64(1..10);
            (0..times).rev().for_each(|n| w.put(1, hour - n));
        }
        if w.there.is_empty() {
            w.put(1, hour);
        }
        w.expire(30, hour);
    }),
    (
        "of many rates, the last three",
        3 * DAY,
        |w, night, hour| {
            of_many_rates(w, night, hour);
            w.keep(3);
        },
    ),
    ("of many rates, twenty days", 20 * DAY, |w, night, hour| {
        of_many_rates(w, night, hour);
        w.expire(20, hour);
    }),
    (
        "the last five, cleared each week",
        5 * DAY,
        |w, night, hour| {
            w.put(1, hour);
            if night.rem_euclid(7) == 0 {
                w.keep(5);
            }
        },
    ),
    ("the last three, edited often", DAY, |w, _, hour| {
        let times = if w.rng.u8(..30) == 0 { 9 } else { 1 };
        (0..times).rev().for_each(|n| w.put(1, hour - n));
        w.take(|newer, version| newer >= 3 && version.replaced.is_some_and(|at| hour - at >= DAY));
    }),
    ("ten days and the last two", 10 * DAY, |w, _, hour| {
        w.put(1, hour);
        w.take(|newer, version| {
            newer >= 2 && version.replaced.is_some_and(|at| hour - at >= 10 * DAY)
        });
    }),
    ("never removed", 9999, |w, _, hour| w.put(1, hour)),
    ("removed for good after ten days", 9999, |w, night, hour| {
        dated(w, night, hour);
        if let Ok(key) = u64::try_from(1000 + night - 10) {
            let versions = w.there.remove(&key).into_iter().flatten();
            let known = versions.filter(|version| version.seen.is_some());
            w.taken.extend(known.map(|version| (key, version)));
        }
    }),
    ("locks, five days", 5 * DAY, |w, night, hour| {
        for n in 0..w.rng.i64(1..5) {
            dated(w, 10 * night + n + 2000, hour - 2);
            delete_dated(w, 10 * night + n + 2000, hour - 1);
        }
        w.expire(5, hour);
    }),
    ("retired, three weeks", 21 * DAY, |w, night, hour| {
        if night < 300 {
            w.put(1, hour);
            dated(w, night, hour);
        }
        delete_dated(w, night - 20, hour);
        w.expire(21, hour);
    }),
    ("a rule that is late at times", 14 * DAY, |w, _, hour| {
        w.put(1, hour);
        w.put(2, hour);
        if w.rng.u8(..4) > 0 {
            w.expire(14, hour);
        }
    }),
];

fn live(
    seed: u64,
    (usual, habit): (Hour, Habit),
    attack: Option<(i64, Strike)>,
) -> (Vec<(i64, Purged)>, bool, World) {
    let mut world = World {
        rng: Rng::with_seed(seed),
        there: BTreeMap::new(),
        taken: Vec::new(),
        went: Vec::new(),
        before: BTreeMap::new(),
        looked: 0,
    };
    let before = world.rng.i64(0..120);
    let first = 400_000 + world.rng.i64(0..30) * DAY;
    let (mut off, mut said, mut bit) = (0, Vec::new(), false);
    for night in -before..attack.map_or(400, |(when, _)| when + 1) {
        let hour = first + night * DAY;
        let struck = attack.filter(|(when, _)| *when == night);
        if let Some((_, strike)) = struck {
            let (there, rng) = (world.there.clone(), world.rng.clone());
            let taken = world.taken.clone();
            habit(&mut world, night, hour);
            let undisturbed = std::mem::replace(&mut world.there, there);
            (world.rng, world.taken) = (rng, taken);
            strike(&mut world, hour - 10);
            habit(&mut world, night, hour);
            bit = bites(&world, &undisturbed, usual, hour + 2);
        } else {
            habit(&mut world, night, hour);
        }
        // As in the lives of rotations.
        let near = attack.is_some_and(|(when, _)| (when - 10..=when).contains(&night));
        if off == 0 && !near && world.rng.u8(..90) == 0 {
            off = world.rng.i64(1..8);
        }
        off = (off - 1).max(0);
        if night < 0 || (off > 0 && !near) {
            continue;
        }
        if let Err(purged) = world.pull(hour + 2) {
            said.push((night, purged));
        }
    }
    (said, bit, world)
}

/// Whether an attack took something that we knew and the rule would not have taken that night, nor soon
/// afterwards, and left something of its key. The rule takes what was replaced `usual` hours ago.
fn bites(world: &World, undisturbed: &BTreeMap<u64, Vec<Version>>, usual: Hour, now: Hour) -> bool {
    let missing = world.missing();
    let mut taken = missing.iter().filter(|(key, version)| {
        let of = undisturbed.get(key).map_or(&[][..], Vec::as_slice);
        let young = version
            .replaced
            .is_none_or(|at| now - at < usual - slack(usual));
        young && of.iter().any(|other| other.born == version.born)
    });
    taken.any(|(key, version)| world.there.contains_key(key) || !version.newest)
}

#[test]
fn p5_no_alarm_is_raised_by_ordinary_life() {
    let mut wrong = Vec::new();
    for (name, usual, habit) in HABITS {
        for seed in 0..200 {
            let (said, ..) = live(seed, (usual, habit), None);
            if let Some(first) = said.first() {
                wrong.push((name, seed, *first, said.len()));
            }
        }
    }
    wrong.dedup_by_key(|(name, ..)| *name);
    assert!(wrong.is_empty(), "{wrong:?}");
}

#[test]
fn what_is_learnt_night_by_night_is_what_the_rows_tell() {
    for (name, usual, habit) in HABITS {
        if name.starts_with("removed for good") {
            continue;
        }
        let (_, _, world) = live(7, (usual, habit), None);
        assert!(world.read_back(world.looked) == world.before, "{name}");
    }
}

fn all_older(w: &mut World, _: Hour) {
    w.take(|_, version| version.replaced.is_some());
}

fn all_older_but_one(w: &mut World, _: Hour) {
    w.take(|newer, version| version.replaced.is_some() && newer > 0);
}

fn the_newest_older(w: &mut World, _: Hour) {
    w.take(|newer, version| version.replaced.is_some() && newer == 0);
}

fn overwritten_and_the_old_ones_gone(w: &mut World, hour: Hour) {
    let keys: Vec<u64> = w.there.keys().copied().collect();
    for key in keys {
        let newest = w.there[&key].last().filter(|v| v.replaced.is_none());
        if newest.is_some() {
            w.put(key, hour);
            let versions = w.there.get_mut(&key).unwrap();
            let old = versions.remove(versions.len() - 2);
            let known = old.seen.is_some();
            w.taken.extend(known.then_some((key, old)));
        }
    }
}

fn the_newest(w: &mut World, _: Hour) {
    w.take(|_, version| version.replaced.is_none());
    for versions in w.there.values_mut() {
        versions.last_mut().unwrap().replaced = None;
    }
}

/// Each life with what is taken away in one night: said in that night.
#[test]
fn p5_what_no_rule_explains_is_said_in_the_same_night() {
    let attacks: [(&str, Strike); 5] = [
        ("all older ones", all_older),
        ("all older ones but one", all_older_but_one),
        ("the newest of the older ones", the_newest_older),
        (
            "overwritten, the old ones gone",
            overwritten_and_the_old_ones_gone,
        ),
        ("the newest", the_newest),
    ];
    let mut silent = Vec::new();
    for (name, usual, habit) in HABITS {
        for (what, strike) in attacks {
            for seed in 0..25 {
                let when = 100 + i64::try_from(seed).unwrap() * 10;
                let (said, bit, _) = live(seed, (usual, habit), Some((when, strike)));
                if bit && !said.iter().any(|(night, _)| *night == when) {
                    silent.push((name, what, seed));
                }
            }
        }
    }
    silent.dedup_by_key(|(name, what, _)| (*name, *what));
    assert!(silent.is_empty(), "{silent:?}");
}
