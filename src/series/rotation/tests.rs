//! Four hundred nights of ordinary lives, and the same with one attack.

use super::*;
use crate::object::from_ms;
use fastrand::Rng;
use std::collections::BTreeSet;

const DAY: i64 = 24;

fn at(hour: i64) -> Timestamp {
    from_ms(hour * 3_600_000)
}

/// One series in a bucket, and what we saw of it.
struct World {
    rng: Rng,
    /// When each key came that is there: a number stands for its name.
    there: BTreeMap<u64, Hour>,
    next: u64,
    lives: BTreeMap<u64, Life>,
    rotation: Rotation,
    looked: Hour,
}

impl World {
    fn put(&mut self, hour: Hour) -> u64 {
        self.next += 1;
        self.there.insert(self.next, hour);
        self.next
    }

    /// Keeps the newest so many.
    fn keep(&mut self, most: usize) {
        while self.there.len() > most {
            self.there.pop_first();
        }
    }

    fn keep_for(&mut self, hours: Hour, now: Hour) {
        self.there.retain(|_, born| now - *born <= hours);
    }

    /// The newest of the last `days` days, `weeks` weeks and `months` months, one each.
    fn keep_of_each(&mut self, days: usize, weeks: usize, months: usize) {
        let mut kept = BTreeSet::new();
        for (span, most) in [(DAY, days), (7 * DAY, weeks), (30 * DAY, months)] {
            let mut of_span = BTreeMap::new();
            for (key, born) in &self.there {
                of_span.insert(born.div_euclid(span), *key);
            }
            kept.extend(of_span.into_values().rev().take(most));
        }
        self.there.retain(|key, _| kept.contains(key));
    }

    /// One pull at the hour `now`. What is known is kept from night to night, and not made again from
    /// every key that ever was.
    fn pull(&mut self, now: Hour) -> Result<(), Unexplained> {
        let gone: Vec<_> = self
            .lives
            .extract_if(.., |key, _| !self.there.contains_key(key))
            .collect();
        self.rotation.vanished.clear();
        for (_, life) in &gone {
            let born = hour(life.born);
            let there = self.rotation.there.get_mut(&born).unwrap();
            *there -= 1;
            if *there == 0 {
                self.rotation.there.remove(&born);
            }
            count(&mut self.rotation.vanished, born);
        }
        let came: Vec<_> = self
            .there
            .iter()
            .filter(|(key, _)| !self.lives.contains_key(key))
            .collect();
        for (key, born) in came {
            self.rotation.comes(at(*born));
            self.lives.insert(
                *key,
                Life {
                    born: at(*born),
                    seen: at(now),
                    missed: None,
                },
            );
            // Counted as seen at once, where it is after tonight's verdict in truth.
            count(&mut self.rotation.seen, now);
        }
        let verdict = self.rotation.judge(at(self.looked), at(now));
        for (_, mut life) in gone {
            life.missed = Some(at(now));
            self.rotation.add(life, &|_| verdict.is_err());
            *self.rotation.seen.get_mut(&hour(life.seen)).unwrap() -= 1;
        }
        self.looked = now;
        verdict
    }
}

/// What somebody takes away.
type Strike = fn(&mut World);

/// What a job and its clean-up do in the night that ends at this hour.
type Habit = fn(&mut World, night: i64, hour: Hour);

const HABITS: [(&str, Habit); 17] = [
    ("the last seven", |w, _, hour| {
        w.put(hour);
        w.keep(7);
    }),
    ("the last two", |w, _, hour| {
        w.put(hour);
        w.keep(2);
    }),
    ("the last one", |w, _, hour| {
        w.put(hour);
        w.keep(1);
    }),
    ("thirty days", |w, _, hour| {
        w.put(hour);
        let later = w.rng.i64(0..5);
        w.keep_for(30 * DAY, hour + later);
    }),
    ("days, weeks and months", |w, _, hour| {
        w.put(hour);
        w.keep_of_each(7, 4, 12);
    }),
    ("holidays", |w, night, hour| {
        if !(170..185).contains(&night) && w.rng.u8(..20) > 0 {
            w.put(hour);
            w.keep(14);
        }
    }),
    ("cleaned up each month", |w, night, hour| {
        w.put(hour);
        if night.rem_euclid(30) == 0 {
            w.keep(31);
        }
    }),
    ("retired, and let go by age", |w, night, hour| {
        if night < 360 {
            w.put(hour);
        }
        w.keep_for(21 * DAY, hour);
    }),
    ("two chains of a month each", |w, _, hour| {
        w.put(hour);
        let month = |born: &Hour| born.div_euclid(30 * DAY);
        let now = month(&hour);
        w.there.retain(|_, born| month(born) >= now - 1);
    }),
    ("sets of a few parts", |w, _, hour| {
        let parts = w.rng.usize(2..6);
        for _ in 0..parts {
            w.put(hour);
        }
        let sets: BTreeSet<Hour> = w.there.values().copied().collect();
        let oldest = sets.into_iter().rev().nth(4).unwrap_or(Hour::MIN);
        w.there.retain(|_, born| *born >= oldest);
    }),
    ("every six hours", |w, _, hour| {
        for earlier in (0..4).rev() {
            w.put(hour - 6 * earlier);
        }
        w.keep(9);
    }),
    ("every week", |w, night, hour| {
        if night.rem_euclid(7) == 0 {
            w.put(hour);
            w.keep(5);
        }
    }),
    ("run again at times", |w, _, hour| {
        w.put(hour - 1);
        if w.rng.u8(..15) == 0 {
            w.put(hour);
        }
        w.keep(10);
    }),
    ("snapshots, forgotten each week", |w, night, hour| {
        w.put(hour);
        if night.rem_euclid(7) == 3 {
            w.keep_of_each(7, 5, 12);
        }
    }),
    (
        "moved to the afternoon, and summer time",
        |w, night, hour| {
            let later = if night > 150 { 12 } else { 0 };
            let summer = i64::from((80..300).contains(&night));
            w.put(hour - 14 + later + summer);
            w.keep(9);
        },
    ),
    ("never removed", |w, _, hour| {
        w.put(hour);
    }),
    ("month-end archives", |w, night, hour| {
        if night.rem_euclid(30) == 29 {
            w.put(hour);
            w.keep(12);
        }
    }),
];

/// Whether an attack took something that we knew, and the clean-up would not have taken that night.
fn bites(
    before: &BTreeMap<u64, Hour>,
    lives: &BTreeMap<u64, Life>,
    undisturbed: &BTreeMap<u64, Hour>,
    after: &BTreeMap<u64, Hour>,
) -> bool {
    let taken = before.keys().filter(|key| !after.contains_key(key));
    taken
        .filter(|key| undisturbed.contains_key(key))
        .any(|key| lives.contains_key(key))
}

/// The nights of one life, some of them before we first look; `attack` takes something away in one.
/// Returns the nights in which something was said.
fn live(seed: u64, habit: Habit, attack: Option<(i64, Strike)>) -> (Vec<(i64, Unexplained)>, bool) {
    let mut world = World {
        rng: Rng::with_seed(seed),
        there: BTreeMap::new(),
        next: 0,
        lives: BTreeMap::new(),
        rotation: Rotation::default(),
        looked: 0,
    };
    let before = world.rng.i64(0..120);
    let first = 400_000 + world.rng.i64(0..30) * DAY;
    let (mut off, mut said, mut bit) = (0, Vec::new(), false);
    for night in -before..400 {
        let hour = first + night * DAY;
        if let Some((_, strike)) = attack.filter(|(when, _)| *when == night) {
            let before = world.there.clone();
            let (rng, next) = (world.rng.clone(), world.next);
            habit(&mut world, night, hour);
            let undisturbed = std::mem::replace(&mut world.there, before.clone());
            (world.rng, world.next) = (rng, next);
            strike(&mut world);
            bit = bites(&before, &world.lives, &undisturbed, &world.there);
        }
        habit(&mut world, night, hour);
        // The computer at home is switched off for some days now and then, and not just before the attack:
        // what would have gone meanwhile cannot be told from what was taken.
        let struck = attack.is_some_and(|(when, _)| (when - 10..=when).contains(&night));
        if off == 0 && !struck && world.rng.u8(..90) == 0 {
            off = world.rng.i64(1..8);
        }
        off = (off - 1).max(0);
        if night < 0 || (off > 0 && !struck) {
            continue;
        }
        if let Err(unexplained) = world.pull(hour + 2) {
            said.push((night, unexplained));
        }
    }
    (said, bit)
}

#[test]
fn p5_no_alarm_is_raised_by_ordinary_life() {
    let mut wrong = Vec::new();
    for (name, habit) in HABITS {
        for seed in 0..200 {
            let (said, _) = live(seed, habit, None);
            if let Some(first) = said.first() {
                wrong.push((name, seed, *first, said.len()));
            }
        }
    }
    assert!(
        wrong.is_empty(),
        "{}: {:#?}",
        wrong.len(),
        &wrong[..wrong.len().min(12)]
    );
}

fn newest(w: &mut World) {
    w.there.pop_last();
}

fn all(w: &mut World) {
    w.there.clear();
}

fn all_but_the_newest(w: &mut World) {
    while w.there.len() > 1 {
        w.there.pop_first();
    }
}

fn half(w: &mut World) {
    let mut turn = false;
    w.there.retain(|_, _| {
        turn = !turn;
        turn
    });
}

/// Each habit with what is taken away in one night: said in that night.
#[test]
fn p5_what_no_rotation_explains_is_said_in_the_same_night() {
    let attacks: [(&str, Strike); 4] = [
        ("the newest", newest),
        ("all", all),
        ("all but the newest", all_but_the_newest),
        ("every other", half),
    ];
    let mut silent = Vec::new();
    for (name, habit) in HABITS {
        for (what, strike) in attacks {
            for seed in 0..25 {
                let when = 100 + i64::try_from(seed).unwrap() * 10;
                let (said, bit) = live(seed, habit, Some((when, strike)));
                if bit && !said.iter().any(|(night, _)| *night == when) {
                    silent.push((name, what, seed));
                }
            }
        }
    }
    silent.dedup_by_key(|(name, what, _)| (*name, *what));
    assert!(silent.is_empty(), "{silent:#?}");
}
