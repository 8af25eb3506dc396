//! Object lock, judged: what loosens a lock before its end, and what does not. Pure.
//!
//! Locks run out, are renewed, and versions go once theirs has ended: all of that is ordinary life. A
//! lock that ends earlier than it was said to, or a version that is gone before, is not.

use crate::object::{BucketLock, Lock, Retention, Timestamp};
use jiff::SignedDuration;

/// S3 takes clocks for right that are up to a quarter of an hour apart (Amazon S3 API Reference,
/// "Error responses", `RequestTimeTooSkewed`). A lock that ends within that has ended.
const CLOCKS: SignedDuration = SignedDuration::from_mins(15);
/// Some tell a lock's end to the second, some to the millisecond.
const SAME: SignedDuration = SignedDuration::from_secs(1);
/// A default lock should outlast so many pulls: what is overwritten in the bucket can then still be
/// fetched after a week of nights on which this computer was off.
const PULLS: i32 = 7;
/// Fewer pulls tell nothing of how often they come.
const FEWEST: usize = 5;
/// So many of the newest are looked at.
const NEWEST: usize = 15;

/// How a lock got weaker before its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Weaker {
    /// It was to end then, and is not there.
    Removed(Timestamp),
    /// It was to end at the first, and ends at the second.
    Shortened(Timestamp, Timestamp),
    /// It is `governance`, and was `compliance`.
    Bypassable,
    /// The legal hold was lifted.
    Lifted,
}

/// In what way `is` is weaker than the lock that `was` there, at `now` by the bucket's clock.
pub fn weaker(was: &Lock, is: Option<&Lock>, now: Timestamp) -> Option<Weaker> {
    let hold = is.is_some_and(|is| is.hold);
    match (in_force(was, now), is.and_then(|is| is.retention)) {
        (Some(was), None) => Some(Weaker::Removed(was.until)),
        (Some(was), Some(is)) if was.until.duration_since(is.until) > SAME => {
            Some(Weaker::Shortened(was.until, is.until))
        }
        (Some(was), Some(is)) if is.mode < was.mode => Some(Weaker::Bypassable),
        _ => (was.hold && !hold).then_some(Weaker::Lifted),
    }
}

/// The lock that a version which is gone by `now` still had. None where it had ended.
pub fn broken(was: &Lock, now: Timestamp) -> Option<Lock> {
    Lock::of(in_force(was, now), was.hold)
}

fn in_force(lock: &Lock, now: Timestamp) -> Option<Retention> {
    let left = |retention: &Retention| retention.until.duration_since(now) > CLOCKS;
    lock.retention.filter(left)
}

/// How the bucket's setting got weaker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Loosened {
    /// Nothing is locked any more.
    Off,
    /// What is put into the bucket gets no lock by itself any more.
    NoDefault,
    /// It gets a shorter one: so many days, and now so many.
    Shorter(u32, u32),
    /// It gets one that can be bypassed.
    Bypassable,
}

/// In what way the setting `is` weaker than it `was`.
pub fn loosened(was: &BucketLock, is: &BucketLock) -> Option<Loosened> {
    match (was.default, is.default) {
        _ if was.on && !is.on => Some(Loosened::Off),
        (Some(_), None) => Some(Loosened::NoDefault),
        (Some(was), Some(is)) if is.days < was.days => Some(Loosened::Shorter(was.days, is.days)),
        (Some(was), Some(is)) if is.mode < was.mode => Some(Loosened::Bypassable),
        _ => None,
    }
}

/// How long it usually takes from one pull to the next, by their beginnings, the newest first. None
/// where there were too few.
pub fn interval(pulls: &[Timestamp]) -> Option<SignedDuration> {
    if pulls.len() < FEWEST {
        return None;
    }
    let newest = pulls.get(..NEWEST).unwrap_or(pulls).array_windows();
    let mut gaps: Vec<_> = newest
        .map(|[later, earlier]| later.duration_since(*earlier))
        .collect();
    gaps.sort_unstable();
    gaps.get(gaps.len() / 2).copied()
}

/// Whether a default lock of so many days is too short for pulls that come every `interval`.
pub fn is_too_short(days: u32, interval: SignedDuration) -> bool {
    let days = i32::try_from(days).unwrap_or(i32::MAX);
    let days = SignedDuration::from_hours(24).saturating_mul(days);
    let wanted = interval.saturating_mul(PULLS);
    // Pulls begin a little later on one night than on the other: by a twentieth it may be too short.
    wanted.saturating_sub(wanted / 20) > days
}

#[cfg(test)]
mod tests;
