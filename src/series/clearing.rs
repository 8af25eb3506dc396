//! Whether older versions that a bucket holds no more are ones that its own life takes away.
//!
//! Buckets that keep versions do not keep them for ever: a rule takes what was replaced or deleted so
//! many days ago, or leaves the last few of each key, or the program that writes backups drops its
//! own old versions. That is ordinary life. It is learnt as in [`super::rotation`]: how long what went
//! had been an older version, and how many versions of its key were left. Until enough of that was seen,
//! what looks like any such rule passes: of a key the oldest go, and either all that go tonight became
//! older versions at about the same time, or at least half as many versions stay.
//!
//! What cannot be seen: somebody who takes away what the rule would have taken that night.

#[cfg(test)]
mod tests;

use super::rotation::{Hour, LEARNT, MOST, NIGHTS, OF_SNAPSHOTS, SLACK, hour};
use crate::object::Timestamp;
use jiff::SignedDuration;
use std::collections::BTreeMap;

/// Rules run once a day, and some a day late.
const RULE: Hour = 36;
/// No rule takes a version within a day of its being replaced (S3 API Reference,
/// NoncurrentVersionExpiration; Backblaze B2, daysFromHidingToDeleting).
const SOONEST: Hour = 24;

/// One version of a key: when we first saw it, and when a GET of the key answered it no more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fate {
    /// When we first saw it.
    pub seen: Timestamp,
    /// When it was replaced or deleted; `None` while it is the newest.
    pub replaced: Option<Timestamp>,
    /// What the bucket has of it.
    pub end: End,
}

/// What became of a version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// The bucket holds it.
    There,
    /// It was missed in an earlier run.
    Before {
        /// In that run.
        at: Timestamp,
        /// Whether it says something of what is ordinary: not while an alarm about it is open.
        teaches: bool,
    },
    /// It is missed tonight.
    Tonight {
        /// Whether a GET of the key answered it until now.
        newest: bool,
        /// Whether it had been deleted, and an alarm about that is open.
        condemned: bool,
    },
}

/// Why what was taken away is not what is always taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purged {
    /// They had been deleted, and nobody has said that this was meant to be.
    Condemned,
    /// Some had been replaced for a shorter time than those that went before, and fewer stay.
    Young {
        /// For how long the youngest had been an older version.
        age: SignedDuration,
        /// How long that usually was at least.
        before: SignedDuration,
    },
    /// One had been the newest within the last day.
    Soon {
        /// For how long it had been an older version.
        age: SignedDuration,
    },
    /// Older ones stay.
    NotTheOldest,
    /// They are far more than what is left.
    Many,
}

/// The versions of one series: those that are there, and those that are not.
#[derive(Clone, Debug, Default)]
pub struct Clearing {
    key: OfKey,
    /// The nights in which some went before.
    before: BTreeMap<Hour, Night>,
    tonight: Option<Tonight>,
    /// Versions that stay, and those of them that came tonight.
    left: usize,
    came: usize,
    /// The oldest version that stays of the keys that a GET finds nothing under.
    oldest_hidden: Option<Hour>,
    /// The newest that went of keys of which nothing stays.
    newest_hidden: Option<Hour>,
    /// By how much what went of a key came later than what stays of it.
    disorder: Hour,
    condemned: bool,
    /// Of those that were the newest until we looked, when the last was replaced.
    was_newest: Option<Hour>,
    most: Option<usize>,
}

/// The versions of the key that is being taken in.
#[derive(Clone, Debug, Default)]
struct OfKey {
    /// When we first saw each.
    seen: Vec<Hour>,
    before: BTreeMap<Hour, Night>,
    tonight: Option<Tonight>,
    oldest_left: Option<Hour>,
    left: usize,
    /// Whether the newest stays.
    newest: bool,
    /// When one was replaced that was the newest until we looked, and went.
    was_newest: Option<Hour>,
    condemned: bool,
}

/// A night in which some went before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Night {
    teaches: bool,
    gone: usize,
    /// For how long the youngest had been an older version.
    youngest: Hour,
    /// How many versions stayed of a key at least.
    kept: usize,
}

/// What went tonight: how many, when the first and the last of them became older versions, and how
/// many versions stay of a key at least.
#[derive(Clone, Copy, Debug)]
struct Tonight {
    gone: usize,
    first: Hour,
    last: Hour,
    kept: usize,
}

impl Clearing {
    /// Of the files of a repository, which its own program drops by the hundred.
    pub fn of_repository() -> Self {
        Self {
            most: Some(OF_SNAPSHOTS),
            ..Self::default()
        }
    }

    /// Takes in a version of the key at hand.
    pub fn add(&mut self, fate: Fate, now: Timestamp) {
        let key = &mut self.key;
        let replaced = hour(fate.replaced.unwrap_or(now));
        match fate.end {
            End::There => {
                key.left += 1;
                match fate.replaced {
                    None => key.newest = true,
                    Some(_) => least(&mut key.oldest_left, replaced),
                }
            }
            // The clocks are not so good, or the row is of a time when this was not recorded.
            End::Before { at, .. } if hour(at) + SLACK < replaced => return,
            End::Before { at, teaches } => {
                let age = (hour(at) - replaced).max(0);
                let night = key.before.entry(hour(at)).or_insert(Night {
                    teaches,
                    gone: 0,
                    youngest: age,
                    kept: 0,
                });
                night.gone += 1;
                night.youngest = night.youngest.min(age);
            }
            End::Tonight { newest, condemned } => {
                let tonight = key.tonight.get_or_insert(Tonight {
                    gone: 0,
                    first: replaced,
                    last: replaced,
                    kept: 0,
                });
                tonight.gone += 1;
                tonight.first = tonight.first.min(replaced);
                tonight.last = tonight.last.max(replaced);
                key.was_newest = key.was_newest.max(newest.then_some(replaced));
                key.condemned |= condemned;
            }
        }
        key.seen.push(hour(fate.seen));
    }

    /// Takes in a version of the key at hand that is planned: it came tonight.
    pub fn comes(&mut self) {
        self.came += 1;
        self.key.left += 1;
    }

    /// The versions of a key are all taken in: the next ones are of another.
    pub fn end_of_key(&mut self) {
        let mut key = std::mem::take(&mut self.key);
        self.left += key.left;
        if !key.newest {
            key.oldest_left
                .into_iter()
                .for_each(|at| least(&mut self.oldest_hidden, at));
        }
        self.learn(&mut key);
        let Some(tonight) = key.tonight else {
            return;
        };
        // A key that was there, and of which nothing is left, was deleted: that is judged as such.
        if key.left == 0 && key.was_newest.is_some() {
            return;
        }
        if key.left == 0 {
            self.newest_hidden = self.newest_hidden.max(Some(tonight.last));
        }
        let stays = key.oldest_left.unwrap_or(tonight.last);
        self.disorder = self.disorder.max(tonight.last - stays);
        self.condemned |= key.condemned;
        self.was_newest = self.was_newest.max(key.was_newest);
        let all = self.tonight.get_or_insert(Tonight {
            gone: 0,
            kept: key.left,
            ..tonight
        });
        all.gone += tonight.gone;
        all.first = all.first.min(tonight.first);
        all.last = all.last.max(tonight.last);
        all.kept = all.kept.min(key.left);
    }

    /// How many went tonight, and how many are left.
    pub fn counts(&self) -> (usize, usize) {
        (self.tonight.map_or(0, |tonight| tonight.gone), self.left)
    }

    /// Whether what went is what always goes; we looked last at `before`.
    pub fn judge(&self, before: Timestamp, now: Timestamp) -> Result<(), Purged> {
        let Some(tonight) = self.tonight else {
            return Ok(());
        };
        if self.condemned {
            return Err(Purged::Condemned);
        }
        let away = hour(now) - hour(before);
        match self.by_habit(tonight, hour(now), away) {
            Some(verdict) if verdict.is_ok() || self.taught().count() >= LEARNT => verdict,
            _ => self.by_looks(tonight, hour(now), away),
        }
    }

    /// Judged by what went before; `None` where nothing ever did.
    fn by_habit(&self, tonight: Tonight, now: Hour, away: Hour) -> Option<Result<(), Purged>> {
        let mut ages: Vec<Hour> = self.last().map(|night| night.youngest).collect();
        ages.sort_unstable();
        let (youngest, oldest) = (*ages.first()?, *ages.last()?);
        let kept = self.last().map(|night| night.kept);
        let (kept, same) = (kept.clone().min()?, kept.clone().min() == kept.max());
        // A rule by age takes everything that is old enough. Where the ages differ and the number
        // that stays does not, it is a rule by number, whose youngest says little.
        let usual = match same && oldest - youngest > slack(youngest) {
            true => *ages.get(ages.len() / 2)?,
            false => youngest,
        };
        let (age, soonest) = (now - tonight.last, SOONEST.min(youngest));
        if age >= soonest.max(usual - slack(usual)) {
            return Some(Ok(()));
        }
        let nights = usize::try_from((away + SLACK) / 24).unwrap_or(0).max(1);
        let most = 2 * nights * self.last().map(|night| night.gone).max()?;
        let by_number = same && kept > 0 && tonight.kept >= kept && self.disorder == 0;
        let as_many = tonight.gone <= most.max(self.came);
        Some(match by_number && as_many && age >= soonest {
            true => Ok(()),
            false => Err(Purged::Young {
                age: SignedDuration::from_hours(age.max(0)),
                before: SignedDuration::from_hours(usual),
            }),
        })
    }

    /// Judged as any rule is that is not known yet.
    fn by_looks(&self, tonight: Tonight, now: Hour, away: Hour) -> Result<(), Purged> {
        let soon = self.was_newest.map(|at| now - at);
        if let Some(age) = soon.filter(|age| *age < SOONEST) {
            let age = SignedDuration::from_hours(age.max(0));
            return Err(Purged::Soon { age });
        }
        if self.is_unordered() {
            return Err(Purged::NotTheOldest);
        }
        let by_age = tonight.last - tonight.first <= away + RULE;
        match by_age || tonight.gone <= self.most.unwrap_or(MOST) * self.left {
            true => Ok(()),
            false => Err(Purged::Many),
        }
    }

    /// Whether some stay that a rule would have taken first: of their own key, or of the keys that were
    /// deleted.
    fn is_unordered(&self) -> bool {
        let hidden = self.oldest_hidden.zip(self.newest_hidden);
        self.disorder > RULE || hidden.is_some_and(|(stays, went)| stays + RULE < went)
    }

    /// The last nights that teach.
    fn last(&self) -> impl Iterator<Item = &Night> + Clone {
        self.taught().rev().take(NIGHTS)
    }

    fn taught(&self) -> impl DoubleEndedIterator<Item = &Night> + Clone {
        self.before.values().filter(|night| night.teaches)
    }

    /// How many versions of the key stayed after each night in which some went.
    fn learn(&mut self, key: &mut OfKey) {
        if key.before.is_empty() {
            return;
        }
        key.seen.sort_unstable();
        let (mut seen, mut there) = (key.seen.iter().peekable(), 0_usize);
        for (at, night) in &key.before {
            while seen.next_if(|first| *first <= at).is_some() {
                there += 1;
            }
            there = there.saturating_sub(night.gone);
            let all = self.before.entry(*at).or_insert(Night {
                gone: 0,
                kept: there,
                ..*night
            });
            all.teaches &= night.teaches;
            all.gone += night.gone;
            all.youngest = all.youngest.min(night.youngest);
            all.kept = all.kept.min(there);
        }
    }
}

fn slack(age: Hour) -> Hour {
    SLACK.max(age / 5)
}

fn least(of: &mut Option<Hour>, at: Hour) {
    *of = Some(of.map_or(at, |other| other.min(at)));
}
