//! Older versions that the bucket holds no more, judged: does its own life take them away?
//!
//! Said before it is recorded that they are gone, as with [`super::vanished`].

use super::group::Group;
use super::vanished::{AT_ONCE, DELETED, NAMED, ONE_RUN, SERIES, condemned, days, looked_last};
use super::words::Frame;
use crate::catalogue::{Entry, What};
use crate::error::Result;
use crate::formats;
use crate::object::{Advice, FindingRecord, InBucket, ObjectKey, Severity, SourceName, Timestamp};
use crate::series::{Clearing, End, Fate, Purged, Range, Series};
use std::collections::{BTreeMap, BTreeSet};

/// What a finding is called that says so.
pub(super) const PURGED: &str = "purged";

/// The series of which a version is missing tonight.
#[derive(Default)]
pub(super) struct Missing {
    series: BTreeSet<Series>,
    /// Series that are too many to be judged.
    others: u64,
}

/// What is known of the versions of one series.
#[derive(Default)]
struct Judged {
    clearing: Clearing,
    /// The key of which the youngest version went, and when that was replaced.
    youngest: Option<(Timestamp, ObjectKey)>,
    /// Of those that went, how many are here.
    held: usize,
}

/// Something that nothing ordinary explains.
struct Purge {
    series: Series,
    youngest: ObjectKey,
    gone: usize,
    left: usize,
    held: usize,
    why: Purged,
}

/// What is asked of a row while the histories are read.
struct Tonight<'a> {
    is_gone: &'a dyn Fn(i64, &ObjectKey) -> bool,
    /// When alarms about older versions were raised that are still open.
    condemned: Vec<Timestamp>,
    /// The same of deletions.
    deleted: Vec<Timestamp>,
    now: Timestamp,
}

impl Missing {
    /// Takes note of a key of which a version is missing.
    pub(super) fn note(&mut self, key: &ObjectKey) {
        // Locks come and go with every use of a repository.
        if formats::restic_lock(key).is_some() {
            return;
        }
        let series = Series::of(key);
        match self.series.len() < SERIES || self.series.contains(&series) {
            true => drop(self.series.insert(series)),
            false => self.others += 1,
        }
    }

    /// Says what nothing ordinary explains. `is_gone` knows the rows of what is missing tonight and
    /// is not recorded yet.
    pub(super) fn judge(
        self,
        group: &mut Group<'_, '_>,
        is_gone: &dyn Fn(i64, &ObjectKey) -> bool,
        now: Timestamp,
    ) -> Result<()> {
        if self.series.is_empty() {
            return Ok(());
        }
        // What was shown otherwise tonight is read from the rows.
        group.commit()?;
        let tonight = Tonight {
            is_gone,
            condemned: condemned(group, PURGED)?,
            deleted: condemned(group, DELETED)?,
            now,
        };
        let looked = looked_last(group)?.unwrap_or(now);
        let all: Vec<Series> = self.series.into_iter().collect();
        let mut purges = Vec::new();
        for some in all.chunks(AT_ONCE) {
            for (series, of) in read(group, some, &tonight)? {
                let (gone, left) = of.clearing.counts();
                if let Err(why) = of.clearing.judge(looked, now)
                    && let Some((_, youngest)) = of.youngest
                {
                    purges.push(Purge {
                        series,
                        youngest,
                        gone,
                        left,
                        held: of.held,
                        why,
                    });
                }
            }
        }
        if purges.is_empty() && self.others == 0 {
            return Ok(());
        }
        purges.sort_by_key(|purge| std::cmp::Reverse(purge.gone));
        group.finding_of_tonight(|frame| purged(frame, &purges, self.others))
    }
}

/// Reads the histories of the keys of some series, in one pass.
fn read(
    group: &mut Group<'_, '_>,
    some: &[Series],
    tonight: &Tonight<'_>,
) -> Result<BTreeMap<Series, Judged>> {
    let mut judged: BTreeMap<Series, Judged> = some
        .iter()
        .map(|series| (series.clone(), Judged::of(series)))
        .collect();
    let shelf = group.shelf();
    let (rows, source): (_, &SourceName) = (shelf.catalogue(), shelf.name());
    let mut key: Option<(ObjectKey, Series)> = None;
    // A version whose successor is not known yet.
    let mut pending: Option<What> = None;
    rows.histories(source, &Range::of(some.iter()), &mut |entry: Entry| {
        if key.as_ref().is_none_or(|(key, _)| *key != entry.key) {
            if let Some((key, series)) = &key
                && let Some(of) = judged.get_mut(series)
            {
                of.take(key, pending.take(), None, tonight);
                of.clearing.end_of_key();
            }
            pending = None;
            let series = Series::of(&entry.key);
            key = Some((entry.key.clone(), series));
        }
        if let Some((key, series)) = &key
            && let Some(of) = judged.get_mut(series)
        {
            let next = Some(entry.at).filter(|_| replaces(&entry.what, pending.as_ref()));
            of.take(key, pending.take(), next, tonight);
            if entry.what == What::Planned {
                of.clearing.comes();
            }
            pending = Some(entry.what);
        }
    })?;
    if let Some((key, series)) = &key
        && let Some(of) = judged.get_mut(series)
    {
        of.take(key, pending, None, tonight);
        of.clearing.end_of_key();
    }
    Ok(judged)
}

/// Whether what comes later by its date came in the place of `old`. The version that the bucket showed
/// as the newest was replaced by none that we knew, whatever its date.
fn replaces(new: &What, old: Option<&What>) -> bool {
    let known = matches!(new, What::Version { .. });
    let newest = |old: &What| matches!(old, What::Version { in_bucket, .. } if *in_bucket == InBucket::Current);
    !(known && old.is_some_and(newest))
}

impl Judged {
    fn of(series: &Series) -> Self {
        let clearing = match crate::series::is_pieces(series.as_str()) {
            true => Clearing::of_repository(),
            false => Clearing::default(),
        };
        Self {
            clearing,
            ..Self::default()
        }
    }

    /// Takes in a version, now that what came after it, `next`, is known.
    fn take(
        &mut self,
        key: &ObjectKey,
        pending: Option<What>,
        next: Option<Timestamp>,
        tonight: &Tonight<'_>,
    ) {
        let Some(What::Version {
            row,
            seen,
            missed,
            in_bucket,
            run,
            held,
        }) = pending
        else {
            return;
        };
        let replaced = match in_bucket {
            InBucket::Current => next,
            _ => missed.into_iter().chain(next).min(),
        };
        let about = |alarms: &[Timestamp], at: Timestamp| {
            alarms
                .iter()
                .any(|said| at.duration_since(*said).abs() < ONE_RUN)
        };
        let fate = |replaced, end| Fate {
            seen,
            replaced,
            end,
        };
        if in_bucket == InBucket::Gone {
            // What had no successor was deleted with its key, and not as an older version.
            if let Some((at, next)) = run.zip(next).filter(|(at, next)| next <= at) {
                let teaches = !about(&tonight.condemned, at);
                let end = End::Before { at, teaches };
                let replaced = replaced.or(Some(next));
                self.clearing.add(fate(replaced, end), tonight.now);
            }
        } else if (tonight.is_gone)(row, key) {
            let hidden = missed.filter(|_| in_bucket == InBucket::Hidden);
            let end = End::Tonight {
                newest: in_bucket == InBucket::Current,
                condemned: hidden.is_some_and(|at| about(&tonight.deleted, at)),
            };
            self.clearing.add(fate(replaced, end), tonight.now);
            self.held += usize::from(held);
            let at = replaced.unwrap_or(tonight.now);
            let other = self.youngest.take().filter(|(other, _)| *other >= at);
            self.youngest = other.or_else(|| Some((at, key.clone())));
        } else {
            let replaced = replaced.filter(|_| in_bucket != InBucket::Current);
            self.clearing.add(fate(replaced, End::There), tonight.now);
        }
    }
}

/// Older versions went that nothing ordinary explains.
fn purged(frame: &Frame<'_>, purges: &[Purge], others: u64) -> FindingRecord {
    let sum = |of: fn(&Purge) -> usize| purges.iter().map(of).sum::<usize>();
    let (gone, held) = (sum(|purge| purge.gone), sum(|purge| purge.held));
    let few = purges.iter().take(NAMED).map(|purge| {
        format!(
            "{}: {} gone, {} left; {}",
            purge.series,
            purge.gone,
            purge.left,
            reason(purge.why)
        )
    });
    let mut evidence: Vec<String> = few.collect();
    let more = (purges.len().saturating_sub(NAMED) as u64).saturating_add(others);
    if more > 0 {
        evidence.push(format!("and {more} series more"));
    }
    let first = purges.first().map(|purge| &purge.youngest);
    let such = first.map_or_else(String::new, |key| format!(", such as of {key}"));
    let show = first.map_or_else(|| "KEY".to_owned(), ToString::to_string);
    let advice = Advice {
        what: match gone {
            1 => format!(
                "a version was removed from the bucket for good{such}, and nothing ordinary explains it"
            ),
            _ => format!(
                "{gone} versions were removed from the bucket for good that nothing ordinary explains{such}"
            ),
        },
        evidence: format!(
            "{}. Of these versions {held} are kept here",
            evidence.join(". ")
        ),
        next: format!(
            "if nobody cleaned up, whoever did this holds a key that deletes versions, and overwriting comes next: revoke it at the provider, and look at the bucket's lifecycle rules and at the server. The copies stay: `offsite show {show}` lists every version with its file. If it was you, or a rule of yours, `offsite ack {}-{}`: it is known to be ordinary from then on",
            frame.source, frame.number
        ),
    };
    FindingRecord {
        key: first.cloned(),
        ..frame.finding(PURGED, Severity::Alarm, None, advice)
    }
}

fn reason(why: Purged) -> String {
    match why {
        Purged::Condemned => {
            "they were deleted before, and the alarm about that is open".to_owned()
        }
        Purged::Young { age, before } => format!(
            "some had been replaced only {} before, where it usually takes {}",
            days(age),
            days(before)
        ),
        Purged::Soon { age } => format!(
            "one had been replaced only {} before, and no rule of a bucket takes a version within a day",
            days(age)
        ),
        Purged::NotTheOldest => "older ones stay".to_owned(),
        Purged::Many => "most of them went in one night".to_owned(),
    }
}
