//! Whether what came last is as large as its series is, and whether it is new at all. Pure.
//!
//! Sizes are compared by their ratios, and all that a series had before is ordinary: its small
//! incremental backups and its large full ones alike. What is said lies outside of all of that.

use super::statistics::{median, spread};
use crate::object::Timestamp;
use crate::series::{Arrival, TOGETHER};
use std::collections::BTreeSet;

/// With fewer sizes to compare with, only what hardly ever varies is judged,
const ENOUGH: usize = 10;
/// and nothing with fewer than this.
const LEAST: usize = 5;
/// A week has days on which little happens: what varies is judged after all of them were seen.
const WEEK: i64 = 8 * 24 * 3_600_000;
/// Sizes hardly ever vary where they spread by less than this, as the logarithm of a ratio.
const STEADY: f64 = 0.1;
/// So much smaller than the smallest is too small,
const SHRUNKEN: f64 = 0.7;
/// and so much larger than the largest is too large.
const SWOLLEN: f64 = 3.0;
/// So many times the spread are ordinary.
const SPREADS: f64 = 5.0;
/// Digests, notes and settings are smaller than this, in bytes: their sizes mean nothing.
const SMALL: f64 = 512.0;
/// Where so many objects came together once, a series is a heap of pieces and no backup each.
const PIECES: u64 = 8;
/// So many arrivals without an empty object, or all of other bytes, say that one is strange.
const NEVER: usize = 3;
/// So often the same is strange where it was another each time: thrice where bytes can be the
/// same because nothing changed, twice where they cannot.
const SAME: (usize, usize) = (3, 2);
/// And so many before must each have had other bytes, where bytes can be the same: a week, as a
/// shop's database rests on Sundays.
const ALWAYS_NEW: usize = 7;

/// What is strange about what came last.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Odd {
    /// It is empty, and none before it ever was.
    Empty,
    /// It is smaller than all before it: how small those were, and their median, in bytes.
    Shrunken(u64, u64),
    /// It is larger than all before it: how large those were, and their median, in bytes.
    Swollen(u64, u64),
    /// It has the same bytes as the one before it, under another name: so many in a row.
    Same(usize),
    /// It has the bytes of an older one, which came then, where no two ever had the same.
    Replayed(Timestamp),
}

/// So many of the newest arrivals are judged, should a night bring more than one.
const JUDGED: usize = 3;

/// The newest arrivals that can be judged at `now`, oldest first, each with those before it. Where
/// `several` objects may belong together, one that is still going on cannot.
pub fn newest_whole(
    arrivals: &[Arrival],
    several: bool,
    now: Timestamp,
) -> impl DoubleEndedIterator<Item = (&Arrival, &[Arrival])> {
    let several = several || arrivals.iter().any(|a| a.objects > 1);
    let whole = |a: &Arrival| !several || now.duration_since(a.last()) > TOGETHER;
    let end = arrivals.iter().rposition(whole).map_or(0, |last| last + 1);
    (end.saturating_sub(JUDGED)..end)
        .filter_map(|at| Some((arrivals.get(at)?, arrivals.get(..at)?)))
}

/// What is strange about `newest`, by what came `before` it. `encrypted`: no two backups of the
/// series can be the same, whatever is in them.
pub fn odd(newest: &Arrival, before: &[Arrival], encrypted: bool) -> Option<Odd> {
    let before: Vec<&Arrival> = before.iter().filter(|a| a.objects > 0).collect();
    if newest.objects == 0 || before.iter().any(|a| a.objects > PIECES) || newest.objects > PIECES {
        return None;
    }
    if newest.empty > 0 {
        let never = before.len() >= NEVER && before.iter().all(|a| a.empty == 0);
        return never.then_some(Odd::Empty);
    }
    odd_size(newest, &before)
        .or_else(|| same(newest, &before, encrypted))
        .or_else(|| replayed(newest, &before).filter(|_| encrypted))
}

fn odd_size(newest: &Arrival, before: &[&Arrival]) -> Option<Odd> {
    let full = || before.iter().filter(|a| a.largest > 0);
    let sizes: Vec<f64> = full().map(|a| (a.largest as f64).ln()).collect();
    let (middle, spread) = (median(&sizes)?, spread(&sizes)?);
    let since = full().next()?.first().as_millisecond();
    let long = newest.first().as_millisecond().saturating_sub(since) >= WEEK;
    let known_well = sizes.len() >= ENOUGH && long;
    let judged = known_well || sizes.len() >= LEAST && spread < STEADY;
    if !judged || middle < SMALL.ln() {
        return None;
    }
    let size = (newest.largest as f64).ln();
    let (least, most) = (
        full().map(|a| a.largest).min()?,
        full().map(|a| a.largest).max()?,
    );
    let ordinary = SPREADS * spread;
    let middle = middle.exp() as u64;
    if size < (least as f64).ln() - ordinary.max(-SHRUNKEN.ln()) {
        Some(Odd::Shrunken(least, middle))
    } else if known_well && size > (most as f64).ln() + ordinary.max(SWOLLEN.ln()) {
        Some(Odd::Swollen(most, middle))
    } else {
        None
    }
}

/// Whether the same bytes come under new names where they never did before.
fn same(newest: &Arrival, before: &[&Arrival], encrypted: bool) -> Option<Odd> {
    let is_same = |a: &&&Arrival| (a.content, a.objects) == (newest.content, newest.objects);
    let again = before.iter().rev().take_while(is_same).count();
    let earlier = before.get(..before.len() - again).unwrap_or_default();
    let next = earlier.iter().skip(1);
    let repeats = earlier
        .iter()
        .zip(next)
        .any(|(one, next)| one.content == next.content);
    let (least, known) = if encrypted {
        (SAME.1, 1)
    } else {
        (SAME.0, ALWAYS_NEW)
    };
    let strange = again + 1 >= least && earlier.len() >= known && !repeats;
    strange.then_some(Odd::Same(again + 1))
}

/// Whether it is an older one under a new name: nobody encrypts to the same bytes twice.
fn replayed(newest: &Arrival, before: &[&Arrival]) -> Option<Odd> {
    let contents: BTreeSet<u64> = before.iter().map(|a| a.content).collect();
    let all_differ = before.len() >= NEVER && contents.len() == before.len();
    let mut same = before
        .iter()
        .filter(|a| (a.content, a.objects) == (newest.content, newest.objects));
    let first = same.next().filter(|_| all_differ)?;
    Some(Odd::Replayed(first.last()))
}
