//! How often a series comes, and whether it is late. Pure.
//!
//! A series is measured by its own past alone: it is late when it stays away for longer than it
//! ever did in ordinary times, and some slack more. So a job of weekdays has its weekends, and a
//! monthly one its longest month.

use super::statistics::{median, spread};
use crate::object::Timestamp;
use crate::series::Arrival;
use jiff::SignedDuration;

/// With fewer arrivals nobody can tell how often a series comes.
pub const LEAST: usize = 5;
/// A computer that is off over a long weekend, a holiday: nobody wants to hear of it.
const SLACK: f64 = 3.0 * DAY;
/// A stream that never rested for so long is one arrival without an end.
const STREAM: f64 = 28.0 * DAY;
/// A gap so many times longer than any other was no ordinary one.
const EXTRAORDINARY: f64 = 3.0;
/// With fewer gaps than this, every gap may be an ordinary one.
const ENOUGH: usize = 10;
/// Where gaps differ by more than this part of their median, someone's hand and no clock starts
/// the job.
const BY_HAND: f64 = 0.4;
/// So many times as late as late is silent.
const SILENT: f64 = 3.0;

/// In milliseconds, as all times in here.
const DAY: f64 = 24.0 * 3_600_000.0;

/// How often a series comes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rhythm {
    /// The usual time between two arrivals; none for a stream.
    pub every: SignedDuration,
    /// The longest time between two in ordinary times.
    pub longest: SignedDuration,
    /// Whether a clock starts it, as far as can be told.
    pub regular: bool,
    /// When the next should have come at the latest, if all goes on as it was.
    pub due: Timestamp,
    /// From then on it is late.
    pub late: Timestamp,
    /// From then on it is silent: given up, or broken for good.
    pub silent: Timestamp,
}

/// How a series keeps its rhythm.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pace {
    /// As ever.
    OnTime,
    /// It should have come.
    Late,
    /// It does not come any more.
    Silent,
}

impl Rhythm {
    /// The rhythm of these arrivals, oldest first; `None` where there is none yet.
    pub fn of(arrivals: &[Arrival]) -> Option<Self> {
        let newest = arrivals.last()?.last();
        if is_stream(arrivals) {
            return Some(Self::after(newest, 0.0, 0.0, SLACK, true));
        }
        if arrivals.len() < LEAST {
            return None;
        }
        let next = arrivals.iter().skip(1);
        let gaps: Vec<f64> = arrivals
            .iter()
            .zip(next)
            .map(|(one, next)| ms(one.first(), next.first()))
            .collect();
        let (every, spread) = (median(&gaps)?, spread(&gaps)?);
        let longest = longest_ordinary(&gaps);
        let regular = spread <= BY_HAND * every;
        // By hand, the next pause may well be twice the longest so far.
        let part = if regular { 0.5 } else { 1.0 };
        let slack = SLACK.max(part * longest).max(4.0 * spread);
        Some(Self::after(newest, every, longest, slack, regular))
    }

    fn after(newest: Timestamp, every: f64, longest: f64, slack: f64, regular: bool) -> Self {
        let silent = later(newest, SILENT * (longest + slack));
        Self {
            every: SignedDuration::from_millis(every as i64),
            longest: SignedDuration::from_millis(longest as i64),
            regular,
            due: later(newest, longest),
            late: match regular {
                true => later(newest, longest + slack),
                false => silent,
            },
            silent,
        }
    }

    /// How it keeps it at `now`, by the bucket's clock.
    pub fn pace(&self, now: Timestamp) -> Pace {
        if now > self.silent {
            Pace::Silent
        } else if now > self.late {
            Pace::Late
        } else {
            Pace::OnTime
        }
    }
}

/// Whether these arrivals are a stream that hardly ever rests: a log that is shipped every few
/// minutes.
fn is_stream(arrivals: &[Arrival]) -> bool {
    let going = arrivals
        .iter()
        .map(|a| ms(a.first(), a.last()))
        .sum::<f64>();
    let (Some(first), Some(last)) = (arrivals.first(), arrivals.last()) else {
        return false;
    };
    going >= STREAM && 2.0 * going >= ms(first.first(), last.last())
}

/// The longest gap but one that stands alone: a time when the job was broken. The newest is never
/// left out, as it may be the first of a slower rhythm.
fn longest_ordinary(gaps: &[f64]) -> f64 {
    let longest = |gaps: &mut dyn Iterator<Item = &f64>| gaps.fold(0.0_f64, |a, b| a.max(*b));
    let first = longest(&mut gaps.iter());
    let second = longest(&mut gaps.iter().filter(|gap| **gap < first));
    let alone = gaps.iter().filter(|gap| **gap >= first).count() == 1;
    let newest = gaps.last().is_some_and(|gap| *gap >= first);
    match alone && !newest && gaps.len() >= ENOUGH && first > EXTRAORDINARY * second {
        true => second,
        false => first,
    }
}

fn ms(from: Timestamp, to: Timestamp) -> f64 {
    to.as_millisecond().saturating_sub(from.as_millisecond()) as f64
}

fn later(at: Timestamp, ms: f64) -> Timestamp {
    crate::object::from_ms(at.as_millisecond().saturating_add(ms as i64))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::object::{ObjectKey, from_ms};
    use crate::series::Arrivals;

    fn at(day: f64) -> Timestamp {
        from_ms((day * DAY) as i64)
    }

    fn arrivals(days: impl IntoIterator<Item = f64>) -> Arrivals {
        let mut arrivals = Arrivals::default();
        for day in days {
            arrivals.take(&ObjectKey::new("k").unwrap(), at(day), None);
        }
        arrivals
    }

    /// How many days after the newest it is late, and silent.
    fn limits(days: impl IntoIterator<Item = f64>) -> Option<(f64, f64)> {
        let arrivals = arrivals(days);
        let rhythm = Rhythm::of(arrivals.as_slice())?;
        let newest = arrivals.newest()?.last();
        let round = |to| (ms(newest, to) / DAY * 10.0).round() / 10.0;
        Some((round(rhythm.late), round(rhythm.silent)))
    }

    fn nightly(nights: i32) -> impl Iterator<Item = f64> + Clone {
        (0..nights).map(f64::from)
    }

    #[test]
    fn late_is_later_than_ever_and_some_days_more() {
        assert_eq!(limits(nightly(4)), None, "no rhythm yet");
        assert_eq!(limits(nightly(5)), Some((4.0, 12.0)));
        assert_eq!(limits(nightly(100)), Some((4.0, 12.0)));
        let weekdays = nightly(40).filter(|day| day % 7.0 < 5.0);
        assert_eq!(limits(weekdays), Some((6.0, 18.0)));
        let weekly = nightly(10).map(|week| week * 7.0);
        assert_eq!(limits(weekly), Some((10.5, 31.5)));
        let months = [0.0, 31.0, 59.0, 90.0, 120.0, 151.0];
        assert_eq!(limits(months).map(|(late, _)| late), Some(46.5));
        // Twice a day.
        assert_eq!(
            limits(nightly(40).map(|half| half / 2.0)),
            Some((3.5, 10.5))
        );
    }

    /// A time when the job was broken is no rhythm; the first gap of a slower one may be.
    #[test]
    fn a_gap_that_stands_alone_is_forgotten_unless_it_is_the_newest() {
        let broken = || nightly(20).chain(nightly(5).map(|day| day + 39.0));
        assert_eq!(limits(broken()), Some((4.0, 12.0)));
        assert_eq!(limits(nightly(20).chain([39.0])), Some((30.0, 90.0)));
        // Two of them are how it is.
        let twice = broken().chain(nightly(3).map(|day| day + 63.0));
        assert_eq!(limits(twice), Some((30.0, 90.0)));
        // Of few gaps each may be ordinary.
        assert_eq!(limits([0.0, 1.0, 2.0, 22.0, 23.0]), Some((30.0, 90.0)));
    }

    #[test]
    fn what_someone_starts_by_hand_is_only_ever_silent() {
        let by_hand = [0.0, 1.0, 9.0, 12.0, 30.0, 32.0, 47.0];
        let (late, silent) = limits(by_hand).unwrap();
        assert!(late == silent && late > 100.0, "{late} {silent}");
        let arrivals = arrivals(by_hand);
        let rhythm = Rhythm::of(arrivals.as_slice()).unwrap();
        assert!(!rhythm.regular);
        assert_eq!(rhythm.pace(at(47.0 + late - 0.1)), Pace::OnTime);
        assert_eq!(rhythm.pace(at(47.0 + late + 0.1)), Pace::Silent);
    }

    /// A log that is shipped every hour for a month, with a rest now and then.
    #[test]
    fn a_stream_is_late_after_some_days() {
        let stream = |days: i32| (0..days * 24).map(|hour| f64::from(hour) / 24.0);
        assert_eq!(limits(stream(40)), Some((3.0, 9.0)));
        assert_eq!(
            limits(stream(40).filter(|day| *day as i32 != 37)),
            Some((3.0, 9.0))
        );
        assert_eq!(limits(stream(20)), None);
        // An upload of a month, and nothing for two.
        assert_eq!(limits(stream(30).chain([100.0])), None);
    }
}
