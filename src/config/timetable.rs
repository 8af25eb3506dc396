//! How fast downloads may be, by the time of day.

use crate::error::{Error, Kind, Result};
use bytesize::ByteSize;
use jiff::civil::Time;
use std::str::FromStr;

/// The slowest rate that can be set, in bytes a second. Slower, one object of 1 GiB takes two weeks.
const SLOWEST: u64 = 1 << 10;

/// A rate for each time of day: `"2 MiB/s"`, or `"08:00 1MiB/s 23:00 off"`, by the computer's own
/// clock and time zone. Without entries there is no limit.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Timetable(Vec<Entry>);

/// From this time of day on. In order of time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Entry {
    from: Time,
    /// Bytes a second; none is no limit.
    rate: Option<u64>,
}

impl Timetable {
    /// The rate at a time of day, in bytes a second; none where there is no limit. Before the
    /// first entry of a day the last one of the day before holds.
    pub fn at(&self, time: Time) -> Option<u64> {
        let begun = self.0.iter().rev().find(|entry| entry.from <= time);
        begun.or(self.0.last())?.rate
    }

    /// Whether there never is a limit.
    pub fn is_off(&self) -> bool {
        self.0.iter().all(|entry| entry.rate.is_none())
    }
}

impl FromStr for Timetable {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let bad = || {
            Error::new(Kind::Usage, format!("{text:?} is neither a rate nor a timetable"))
                .hint("write \"2 MiB/s\", \"off\", or times of day with a rate each, such as \"08:00 1MiB/s 23:00 off\"; at least 1 KiB/s")
        };
        if !text.contains(':') {
            let from = Time::midnight();
            let rate = rate(text).ok_or_else(bad)?;
            return Ok(Self(vec![Entry { from, rate }]));
        }
        let mut entries: Vec<(Time, String)> = Vec::new();
        for word in text.split_whitespace() {
            if word.contains(':') {
                let from = word.parse().map_err(|_| bad())?;
                entries.push((from, String::new()));
            } else {
                // A unit may stand apart from its number.
                entries.last_mut().ok_or_else(bad)?.1.push_str(word);
            }
        }
        let entry = |(from, text): &(Time, String)| {
            let rate = rate(text).ok_or_else(bad)?;
            Ok(Entry { from: *from, rate })
        };
        let mut entries = entries.iter().map(entry).collect::<Result<Vec<_>>>()?;
        entries.sort();
        if entries.array_windows().any(|[a, b]| a.from == b.from) {
            return Err(bad());
        }
        Ok(Self(entries))
    }
}

/// One rate: a size, with or without `/s`, or `off`. The outer nothing is no rate at all.
fn rate(text: &str) -> Option<Option<u64>> {
    let text = text.trim();
    if text == "off" {
        return Some(None);
    }
    let size: ByteSize = text
        .strip_suffix("/s")
        .unwrap_or(text)
        .trim()
        .parse()
        .ok()?;
    (size.as_u64() >= SLOWEST).then_some(Some(size.as_u64()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_for_each_time_of_day() {
        const MIB: u64 = 1 << 20;
        for (text, at) in [
            ("1 MiB/s", [Some(MIB); 3]),
            ("1MiB", [Some(MIB); 3]),
            ("off", [None; 3]),
            ("08:00 1MiB/s 23:00 off", [None, Some(MIB), None]),
            ("23:00 off 08:00 1 MiB/s", [None, Some(MIB), None]),
            (
                "08:00 1MiB/s 12:00 2MiB/s",
                [Some(2 * MIB), Some(MIB), Some(2 * MIB)],
            ),
            ("00:00 1KiB/s", [Some(1024); 3]),
        ] {
            let table: Timetable = text.parse().unwrap();
            let times = ["07:59", "08:00", "23:00"].map(|time| table.at(time.parse().unwrap()));
            assert_eq!(times, at, "{text}");
            assert_eq!(table.is_off(), at == [None; 3], "{text}");
        }
        assert_eq!(Timetable::default().at(Time::midnight()), None);
    }

    #[test]
    fn what_is_no_timetable_is_refused() {
        for text in [
            "",
            "fast",
            "0",
            "1023",
            "-1MiB/s",
            "08:00",
            "1MiB/s 08:00",
            "25:00 1MiB/s",
            "08:00 1MiB/s 08:00 off",
            "08:00 1MiB/s 23:00",
        ] {
            let error = text.parse::<Timetable>().unwrap_err();
            assert_eq!(error.kind(), Kind::Usage, "{text}");
            assert!(error.way_out().unwrap().contains("08:00 1MiB/s"), "{text}");
        }
    }
}
