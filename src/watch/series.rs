//! What is to be said of a series: whether it still comes, and whether what came is as it should
//! be. Pure.

use super::rhythm::{Pace, Rhythm};
use super::size::{Odd, newest_whole, odd};
use crate::object::{Advice, FindingRecord, ObjectKey, Severity, Timestamp};
use crate::series::{Arrival, is_pieces};
use jiff::SignedDuration;

/// Every kind of finding that this room makes about a series, as findings are called.
pub const KINDS: [&str; 8] = [
    LATE, SILENT, EMPTY, SHRUNKEN, SWOLLEN, STUCK, REPLAYED, INCOMPLETE,
];
/// It should have come.
pub const LATE: &str = "late";
/// It does not come any more.
pub const SILENT: &str = "silent";
/// It came empty.
pub const EMPTY: &str = "empty";
/// It is smaller than it ever was.
pub const SHRUNKEN: &str = "shrunken";
/// It is larger than it ever was.
pub const SWOLLEN: &str = "swollen";
/// The same bytes come under new names.
pub const STUCK: &str = "stuck-job";
/// An older one comes under a new name.
pub const REPLAYED: &str = "replayed";
/// Parts of an archive are missing.
pub const INCOMPLETE: &str = "incomplete-set";

/// What is known of a series.
#[derive(Clone, Copy, Debug)]
pub struct Habit<'a> {
    /// Its name.
    pub name: &'a str,
    /// When the first of it was stored here.
    pub stored_at: Timestamp,
    /// Whether all of it was encrypted.
    pub encrypted: bool,
    /// Whether each object is a part of something larger.
    pub parts: bool,
    /// Its newest arrivals, oldest first.
    pub arrivals: &'a [Arrival],
}

/// Something that is to be said of a series.
#[derive(Clone, Debug, PartialEq)]
pub struct Concern {
    /// How the finding is called.
    pub kind: &'static str,
    /// The object that the series is named by.
    pub key: ObjectKey,
    /// A finding of this kind about this series that is no older says the same.
    pub since: Timestamp,
    /// What happened.
    pub what: String,
    /// How we know.
    pub evidence: String,
    /// What the owner can do, besides acknowledging it.
    pub next: String,
}

impl Concern {
    /// The finding, with the name that the owner acknowledges it by.
    pub fn finding(self, id: String, at: Timestamp) -> FindingRecord {
        FindingRecord {
            kind: self.kind.to_owned(),
            severity: Severity::Warning,
            key: Some(self.key),
            identity: None,
            advice: Advice {
                what: self.what,
                evidence: self.evidence,
                next: format!("{}; then `offsite ack {id}`", self.next),
            },
            id,
            at,
        }
    }
}

impl Habit<'_> {
    /// How the series keeps its rhythm at `now`, where it has one.
    pub fn pace(&self, now: Timestamp) -> Option<(Rhythm, Pace)> {
        let rhythm = Rhythm::of(self.arrivals)?;
        Some((rhythm, rhythm.pace(now)))
    }

    /// What is to be said at `now`, the bucket's clock at the last complete listing.
    pub fn concerns(&self, now: Timestamp) -> Vec<Concern> {
        let mut concerns = Vec::new();
        concerns.extend(self.absence(now));
        concerns.extend(self.oddities(now));
        concerns
    }

    fn absence(&self, now: Timestamp) -> Option<Concern> {
        let (rhythm, pace) = self.pace(now)?;
        let (kind, state, next) = match pace {
            Pace::OnTime => return None,
            Pace::Late => (
                LATE,
                "late",
                "look at the job that writes it, on the machine that runs it. This closes by itself when the series goes on. If the job was retired or renamed, nothing more is said of it",
            ),
            Pace::Silent => (
                SILENT,
                "silent",
                "if the job was retired or renamed, all is well, and what it wrote is kept. If not, it is broken for long: look at the machine that runs it",
            ),
        };
        // Given up before we ever saw it.
        if self.stored_at > rhythm.late {
            return None;
        }
        let newest = self.arrivals.last()?;
        Some(Concern {
            kind,
            key: newest.key.clone()?,
            since: newest.last(),
            what: format!(
                "{} is {state}: nothing came for {}",
                self.name,
                span(now.duration_since(newest.last()))
            ),
            evidence: format!(
                "{}; the last, {}, came {}. The listing of {} shows nothing newer",
                self.usually(&rhythm),
                named(newest),
                time(newest.last()),
                time(now),
            ),
            next: next.to_owned(),
        })
    }

    fn usually(&self, rhythm: &Rhythm) -> String {
        let (times, longest) = (self.arrivals.len(), span(rhythm.longest));
        if rhythm.every.is_zero() {
            return "it came all the time".to_owned();
        }
        let every = span(rhythm.every);
        match rhythm.regular {
            true => {
                format!("it came every {every}, with at most {longest} between two ({times} times)")
            }
            false => format!(
                "it came when someone started it, with at most {longest} between two ({times} times)"
            ),
        }
    }

    /// What is strange about the newest arrivals, oldest first.
    fn oddities(&self, now: Timestamp) -> impl Iterator<Item = Concern> {
        let judged = !self.parts && !is_pieces(self.name);
        newest_whole(self.arrivals, false, now)
            // In the first nights all that there ever was comes at once: that is how it is.
            .filter(move |(newest, _)| judged && newest.first() > self.stored_at)
            .filter_map(|(newest, before)| self.oddity(newest, before))
    }

    fn oddity(&self, newest: &Arrival, before: &[Arrival]) -> Option<Concern> {
        let found = odd(newest, before, self.encrypted)?;
        let (kind, what, evidence, next) = words(found, newest, before.len());
        Some(Concern {
            kind,
            key: newest.key.clone()?,
            since: match found {
                Odd::Same(times) => run_of(newest, before, times),
                _ => newest.first(),
            },
            what,
            evidence: format!("{evidence}. It is of the series {}, and kept", self.name),
            next: next.to_owned(),
        })
    }
}

/// When the first of `times` that are the same came.
fn run_of(newest: &Arrival, before: &[Arrival], times: usize) -> Timestamp {
    let mut run = before.iter().rev().take(times.saturating_sub(1));
    run.next_back().map_or(newest.first(), Arrival::first)
}

fn words(
    odd: Odd,
    newest: &Arrival,
    before: usize,
) -> (&'static str, String, String, &'static str) {
    let (name, came, size) = (named(newest), time(newest.last()), bytes(newest.largest));
    match odd {
        Odd::Empty => (
            EMPTY,
            format!("{name} is empty"),
            format!("it has 0 bytes and came {came}; none of the {before} before it was empty"),
            "look why the job wrote nothing: a full disk, a password that changed, a program that failed. Trust the backup before this one",
        ),
        Odd::Shrunken(least, middle) => (
            SHRUNKEN,
            format!("{name} is smaller than it should be: {size}"),
            format!(
                "it came {came}; the {before} before it had at least {}, mostly about {}",
                bytes(least),
                bytes(middle)
            ),
            "try to restore from it: the job may have been cut off, or have saved less than before. Trust the backup before this one, unless something was deleted on purpose",
        ),
        Odd::Swollen(most, middle) => (
            SWOLLEN,
            format!("{name} is larger than it should be: {size}"),
            format!(
                "it came {came}; the {before} before it had at most {}, mostly about {}",
                bytes(most),
                bytes(middle)
            ),
            "look what was added: much new data, or something that does not belong there",
        ),
        Odd::Same(times) => (
            STUCK,
            format!("{name} is the same as the one before it"),
            format!(
                "the last {times} have the same bytes under other names, the last of them of {came}; until then each had others"
            ),
            "look at the job that writes it: it may be sending an old file again. Unless nothing changed in what it saves",
        ),
        Odd::Replayed(then) => (
            REPLAYED,
            format!("{name} is an older one under a new name"),
            format!(
                "it came {came} and has the bytes of the one of {}; all {before} before it differ, as encrypted ones do",
                time(then)
            ),
            "look who sent it: somebody who wants the newest backups to be old ones does it so, and a script that copies an old file. Trust the others",
        ),
    }
}

/// The arrival by a name.
pub(super) fn named(arrival: &Arrival) -> String {
    let name = arrival.key.as_ref().map(ToString::to_string);
    let name = name.unwrap_or_else(|| "an object".to_owned());
    match arrival.objects {
        0 | 1 => name,
        more => format!("{name} (with {} others)", more - 1),
    }
}

fn bytes(count: u64) -> String {
    bytesize::ByteSize(count).display().iec().to_string()
}

pub(super) fn time(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d %H:%M UTC").to_string()
}

/// A time span for people.
pub fn span(length: SignedDuration) -> String {
    let hours = length.as_hours();
    match hours {
        0..36 => format!("{hours} hours"),
        _ => format!("{} days", (hours + 12) / 24),
    }
}
