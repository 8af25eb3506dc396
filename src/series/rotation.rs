//! Whether objects that vanished from a bucket are ones that their series lets go.
//!
//! Nearly everybody who writes backups also removes old ones: the last seven are kept, or thirty days, or
//! seven days and four weeks and twelve months. That is ordinary life, and no alarm. What a series lets go is
//! learnt from what it let go before: how old that was, and how much was left then. Until enough of that
//! was seen, only what looks like any rotation passes: the oldest go, and at least half as many newer
//! ones stay.
//!
//! What cannot be seen: somebody who takes away what the rotation would have taken that night.

#[cfg(test)]
mod tests;

use crate::object::Timestamp;
use jiff::SignedDuration;
use std::collections::BTreeMap;

/// After so many nights in which a series let something go, its habit is known.
pub(super) const LEARNT: usize = 5;
/// So many of its last such nights count.
pub(super) const NIGHTS: usize = 60;
/// A series that is known for a shorter time may let go what is not its oldest: days are kept, and
/// weeks, and months.
const ACQUAINTED: Hour = 14 * 24;
/// The newest, which nobody's rotation takes then.
const NEWEST: usize = 3;
/// Of the day in which a job ran again, the first may go: the second is there, and that of the next day.
const RAN_TWICE: usize = 2;
/// So many times as many may go as stay, while the habits are not known.
pub(super) const MOST: usize = 2;
/// The same of a repository's snapshots, which are made each night and cleaned up each week or month.
pub(super) const OF_SNAPSHOTS: usize = 4;
/// Jobs and clean-ups do not run to the hour.
pub(super) const SLACK: Hour = 12;
/// So many nights show that all are let go at one age.
const AGES: usize = 3;

/// One key of a series: when it came, and when it was missed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Life {
    /// The bucket's own time for its first version, or when we first saw it, whatever was earlier.
    pub born: Timestamp,
    /// When we first saw it.
    pub seen: Timestamp,
    /// When it was first missed; `None` while the bucket shows it.
    pub missed: Option<Timestamp>,
}

/// Whole hours since 1970: what one run uploads is of one age, and a million keys take little memory.
pub(super) type Hour = i64;

/// The keys of one series that the bucket showed until now, and those that vanished tonight.
#[derive(Clone, Debug, Default)]
pub struct Rotation {
    /// When those came that the bucket still shows, and how many.
    there: BTreeMap<Hour, usize>,
    /// The same of those that vanished tonight.
    vanished: BTreeMap<Hour, usize>,
    /// When we first saw each, and how many.
    seen: BTreeMap<Hour, usize>,
    /// The nights in which some vanished before.
    before: BTreeMap<Hour, Night>,
    /// How many times as many may go as stay, while the habits are not known.
    most: Option<usize>,
}

/// A night in which some vanished: how many, and how old the youngest of them was.
#[derive(Clone, Copy, Debug)]
struct Night {
    /// Whether it says something of what the series lets go.
    teaches: bool,
    gone: usize,
    youngest: Hour,
}

/// Why what vanished is not what the series lets go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unexplained {
    /// Nothing of it is left.
    All,
    /// Some were younger than any that the series let go before.
    Young {
        /// The age of the youngest that vanished.
        age: SignedDuration,
        /// The age of the youngest that vanished in any night before.
        before: SignedDuration,
    },
    /// Fewer are left than the series kept before.
    Few {
        /// How many are left.
        left: usize,
        /// How many there were at least after any such night before.
        kept: usize,
    },
    /// Older ones stay, and the series never did that.
    NotTheOldest,
    /// They are far more than what is left.
    Many,
}

impl Rotation {
    /// Of the snapshots of a repository.
    pub fn of_snapshots() -> Self {
        Self {
            most: Some(OF_SNAPSHOTS),
            ..Self::default()
        }
    }

    /// Takes in a key that is there, or vanished before tonight. Nights of which `is_condemned` says so
    /// taught nothing: the owner has not said that what vanished then was meant to.
    pub fn add(&mut self, life: Life, is_condemned: &dyn Fn(Timestamp) -> bool) {
        count(&mut self.seen, hour(life.seen));
        let Some(missed) = life.missed else {
            count(&mut self.there, hour(life.born));
            return;
        };
        let age = hour(missed) - hour(life.born);
        let night = self.before.entry(hour(missed)).or_insert(Night {
            teaches: !is_condemned(missed),
            gone: 0,
            youngest: age,
        });
        night.gone += 1;
        night.youngest = night.youngest.min(age);
    }

    /// Takes in a key that vanished tonight.
    pub fn vanishes(&mut self, life: Life) {
        count(&mut self.seen, hour(life.seen));
        count(&mut self.vanished, hour(life.born));
    }

    /// Takes in a key that came tonight.
    pub fn comes(&mut self, born: Timestamp) {
        count(&mut self.there, hour(born));
    }

    /// How many vanished tonight, and how many are left.
    pub fn counts(&self) -> (usize, usize) {
        (self.vanished.values().sum(), self.there.values().sum())
    }

    /// Whether what vanished is what the series lets go; we looked last at `before`.
    pub fn judge(&self, before: Timestamp, now: Timestamp) -> Result<(), Unexplained> {
        let Some((newest, _)) = self.vanished.last_key_value() else {
            return Ok(());
        };
        // Nobody's rotation takes the newest and leaves older ones, but where a job ran twice.
        let newer = self.newer_than(*newest);
        if self.older_stay(*newest) && newer < RAN_TWICE {
            return Err(Unexplained::NotTheOldest);
        }
        let nights = (now.duration_since(before).as_hours() + SLACK) / 24;
        match self.by_habit(
            *newest,
            hour(now),
            usize::try_from(nights).unwrap_or(0).max(1),
        ) {
            Some(verdict) if verdict.is_ok() || self.taught().count() >= LEARNT => verdict,
            _ => self.by_looks(*newest, hour(now)),
        }
    }

    /// Judged by what the series let go before; `None` where it never did. The newest that vanished came
    /// at `newest`, and we did not look for so many `nights`.
    fn by_habit(&self, newest: Hour, now: Hour, nights: usize) -> Option<Result<(), Unexplained>> {
        let last = || self.taught().rev().take(NIGHTS).map(|(_, night)| night);
        let (gone, left) = self.counts();
        let kept = self.kept_since(*self.taught().rev().take(NIGHTS).last()?.0)?;
        // Whoever keeps a number of them lets younger ones go once a job ran twice. One more a night is
        // let go then, and not the whole series for as many new ones.
        let most = 2 * nights * last().map(|night| night.gone).max()?;
        if gone <= most && left >= kept && !self.older_stay(newest) {
            return Some(Ok(()));
        }
        let youngest = last().map(|night| night.youngest).min()?;
        let slack = SLACK.max(youngest / 5);
        if now - newest < youngest - slack {
            return Some(Err(Unexplained::Young {
                age: SignedDuration::from_hours(now - newest),
                before: SignedDuration::from_hours(youngest),
            }));
        }
        // An age is all that decides (a bucket's lifecycle rule): a job that is retired loses all in time.
        let ages = last().map(|night| night.youngest).max()?;
        let by_age = last().count() >= AGES
            && ages - youngest <= slack
            && gone <= most
            && !self.older_stay(newest - slack);
        Some(match by_age || left >= kept - kept / 4 {
            true => Ok(()),
            false => Err(Unexplained::Few { left, kept }),
        })
    }

    /// Whether some stay that came before `newest`.
    fn older_stay(&self, newest: Hour) -> bool {
        self.there.range(..newest).next().is_some()
    }

    /// How many stay that came after `newest`.
    fn newer_than(&self, newest: Hour) -> usize {
        self.there.range(newest + 1..).map(|(_, n)| n).sum()
    }

    /// The nights that say something of what the series lets go.
    fn taught(&self) -> impl DoubleEndedIterator<Item = (&Hour, &Night)> {
        self.before.iter().filter(|(_, night)| night.teaches)
    }

    /// How many the bucket showed at least after one of the nights that teach, since `from`.
    fn kept_since(&self, from: Hour) -> Option<usize> {
        let (mut seen, mut there, mut least) = (self.seen.iter().peekable(), 0_usize, None);
        for (at, night) in &self.before {
            while let Some((_, came)) = seen.next_if(|(first, _)| *first <= at) {
                there += came;
            }
            there = there.saturating_sub(night.gone);
            if night.teaches && *at >= from {
                least = Some(least.map_or(there, |least: usize| least.min(there)));
            }
        }
        least
    }

    /// Judged as any series is whose habits are not known yet.
    fn by_looks(&self, newest: Hour, now: Hour) -> Result<(), Unexplained> {
        let (gone, left) = self.counts();
        if left == 0 {
            return Err(Unexplained::All);
        }
        if self.most.unwrap_or(MOST) * left < gone {
            return Err(Unexplained::Many);
        }
        if !self.older_stay(newest) {
            return Ok(());
        }
        let known_for = self.seen.keys().next().map_or(0, |first| now - first);
        match known_for < ACQUAINTED && self.newer_than(newest) >= NEWEST {
            true => Ok(()),
            false => Err(Unexplained::NotTheOldest),
        }
    }
}

pub(super) fn hour(at: Timestamp) -> Hour {
    at.as_second().div_euclid(3600)
}

fn count(hours: &mut BTreeMap<Hour, usize>, hour: Hour) {
    *hours.entry(hour).or_default() += 1;
}
