//! The look around: for files that nothing vouches for, and at the journals.
//!
//! On a drive with a million files that takes longer than a night's reading. So where a run has a limit,
//! it looks at everything while there is time, and then only at what has its turn that day. The day alone
//! says what that is: nothing has to be remembered, neither on a drive that is only read.

use super::{Found, Ground, Limits, NAMED, Scrub};
use crate::catalogue::Catalogue;
use crate::error::{Error, Kind, Result};
use crate::home::strangers;
use crate::object::{SourceName, Timestamp};
use crate::store::Reader;
use std::hash::{BuildHasher as _, BuildHasherDefault, DefaultHasher, Hash};
use std::time::{Duration, Instant};

/// Everything has its turn once in so many days. A prime number, so that who looks every second or every
/// seventh day comes to every turn, too.
pub const TURNS: u64 = 31;
/// The look around takes no longer than the reading did, or this.
const SHORT: Duration = Duration::from_secs(60);
/// Where a time was said: the rest of it, but this part at least.
const PART: u32 = 10;
const DAY: i64 = 86_400_000;

/// What was not looked at for want of time. It has its turn on one of [`TURNS`] days.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PassedOver {
    /// Names in `latest/`, `history/` and `quarantine/`: whether something vouches for them.
    pub names: u64,
    /// Files of journals: whether they are what was written.
    pub journals: u64,
}

impl PassedOver {
    /// Whether there is nothing.
    pub fn is_nothing(self) -> bool {
        self == Self::default()
    }
}

/// How long a run may look around whose reading took `read`; none where it may take what it takes.
fn time(limits: Limits, read: Duration) -> Option<Duration> {
    match limits {
        Limits {
            time: Some(all), ..
        } => Some(all.saturating_sub(read).max(all / PART)),
        Limits { bytes: Some(_), .. } => Some(read.max(SHORT)),
        Limits { .. } => None,
    }
}

/// What is looked at.
struct Look<'l> {
    scrub: &'l Scrub<'l>,
    began: Instant,
    time: Option<Duration>,
    /// The turn of the day.
    today: u64,
}

impl Look<'_> {
    /// Whether there is time for it, or it has its turn.
    fn wants(&self, what: impl Hash) -> Result<bool> {
        if self.scrub.stop.requested() {
            return Err(Error::new(Kind::Interrupted, "interrupted"));
        }
        let in_time = self.time.is_none_or(|time| self.began.elapsed() < time);
        Ok(in_time || turn_of(what) == self.today)
    }
}

fn turn_of(what: impl Hash) -> u64 {
    BuildHasherDefault::<DefaultHasher>::default().hash_one(what) % TURNS
}

fn turn_on(day: Timestamp) -> u64 {
    let days = day.as_millisecond().div_euclid(DAY);
    days.unsigned_abs() % TURNS
}

impl Scrub<'_> {
    /// Looks around after a reading that took `read`.
    pub(super) fn around(
        &self,
        ground: &Ground<'_>,
        found: &mut Found,
        read: Duration,
    ) -> Result<()> {
        if found.interrupted {
            return Ok(());
        }
        let (reader, catalogue) = (ground.reader(), ground.catalogue());
        if self.limits == Limits::default() {
            found.catalogue = catalogue.counters_check()?;
        }
        let look = Look {
            scrub: self,
            began: Instant::now(),
            time: time(self.limits, read),
            today: turn_on(self.clock.now()),
        };
        for source in reader.remains()? {
            for looked in [
                journal(reader, &source, &look, found),
                strange((reader, catalogue), &source, &look, found),
            ] {
                match looked {
                    Ok(()) => {}
                    Err(error) if error.kind() == Kind::Interrupted => found.interrupted = true,
                    // A drive that cannot read a folder is one that is dying: the rest is said all the more.
                    Err(error) => {
                        reader.still_has_marker()?;
                        let named = (source.to_string(), error.to_string());
                        found.unread.push((source.clone(), named));
                    }
                }
            }
        }
        Ok(())
    }
}

/// Names what nothing vouches for.
fn strange(
    (reader, catalogue): (&Reader, &Catalogue),
    source: &SourceName,
    look: &Look<'_>,
    found: &mut Found,
) -> Result<()> {
    let mut passed_over = 0;
    let mut wanted = |path: &str| {
        let wanted = look.wants(path)?;
        passed_over += u64::from(!wanted);
        Ok(wanted)
    };
    let looked = strangers(
        (reader, catalogue),
        source,
        &mut wanted,
        &mut |lies, known| {
            if known {
                return Ok(());
            }
            found.unknown += 1;
            if found.strangers.len() < NAMED {
                let what = match lies.bytes {
                    Some(_) => "nothing vouches for this file; left as it is",
                    None => "it is no regular file; left as it is",
                };
                let named = (lies.path.clone(), what.to_owned());
                found.strangers.push((source.clone(), named));
            }
            Ok(())
        },
    );
    found.passed_over.names += passed_over;
    looked
}

/// Names where the source's journal is not what was written.
fn journal(reader: &Reader, source: &SourceName, look: &Look<'_>, found: &mut Found) -> Result<()> {
    let mut wanted = |run: u64| look.wants((source.as_str(), run));
    let report = reader.verify_some(source, None, &mut wanted)?;
    found.passed_over.journals += report.passed_over;
    if let Some(broken) = report.broken {
        let name = broken.file.file_name().unwrap_or_default();
        let named = (
            format!("{source}/journal/{}", name.to_string_lossy()),
            format!("byte {}: {}", broken.at, broken.why),
        );
        found.journals.push((source.clone(), named));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    /// (time, bytes, what the reading took) -> the look around, in seconds
    #[test]
    fn how_long_it_may_take() {
        let seconds = Duration::from_secs;
        for (time_said, bytes, read, may) in [
            (None, None, 100, None),
            // The rest, and a tenth at least.
            (Some(600), None, 0, Some(600)),
            (Some(600), None, 400, Some(200)),
            (Some(600), None, 590, Some(60)),
            (Some(600), Some(1), 5000, Some(60)),
            (Some(0), None, 10, Some(0)),
            // As long as the reading, and a minute at least.
            (None, Some(1), 10, Some(60)),
            (None, Some(1), 600, Some(600)),
        ] {
            let limits = Limits {
                bytes,
                time: time_said.map(seconds),
            };
            assert_eq!(time(limits, seconds(read)), may.map(seconds), "{limits:?}");
        }
    }

    /// Who looks every day, every second or every seventh, by and by has all turns.
    #[test]
    fn every_turn_comes_whatever_the_rhythm() {
        let turns = TURNS as i64;
        for every in (1..turns).chain([turns + 1, 365]) {
            let days = (0..turns).map(|n| 1_795_000_000_000 + n * every * DAY);
            let met: BTreeSet<_> = days
                .map(|at| turn_on(Timestamp::from_millisecond(at).unwrap()))
                .collect();
            assert_eq!(met.len() as u64, TURNS, "every {every} days");
        }
        // And no day has much more to do than the others.
        let mut names = [0; TURNS as usize];
        for number in 0..31_000 {
            names[turn_of(format!("www/latest/file-{number}")) as usize] += 1;
        }
        assert!(names.iter().all(|n| (800..1200).contains(n)), "{names:?}");
    }
}
