//! What the rehearsals of a source's restores say together. Pure.

use crate::object::{Drilled, Timestamp};
use serde::Serialize;

/// The rehearsals of a source.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Drills {
    /// The newest that succeeded with the owner's command, whatever came after it.
    pub proven: Option<Drill>,
    /// Series that came back byte for byte and that no command ever opened.
    pub read: u64,
    /// The newest of the series whose last rehearsal failed.
    pub failed: Option<Drill>,
}

/// One rehearsal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Drill {
    /// Which series.
    pub series: String,
    /// When.
    pub at: Timestamp,
    /// Why it failed, where it did.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
}

impl Drills {
    /// From the newest rehearsal of each series, and when one succeeded last with the owner's
    /// command.
    pub fn of(rows: impl IntoIterator<Item = (Drilled, Option<Timestamp>)>) -> Self {
        let mut all = Self::default();
        for (newest, proven_at) in rows {
            let drill = |at, why| Drill {
                series: newest.series.clone(),
                at,
                why,
            };
            if let Some(at) = proven_at {
                later(&mut all.proven, drill(at, None));
            } else if newest.failed.is_none() {
                all.read += 1;
            }
            if let Some(why) = &newest.failed {
                later(&mut all.failed, drill(newest.at, Some(why.clone())));
            }
        }
        all
    }
}

fn later(newest: &mut Option<Drill>, other: Drill) {
    if newest.as_ref().is_none_or(|newest| newest.at < other.at) {
        *newest = Some(other);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::object::from_ms;

    #[test]
    fn the_newest_of_each_kind() {
        // (series, when, why it failed, when a command opened it last)
        let rows = [
            ("a", 5, None, Some(5)),
            ("b", 9, Some("no key"), Some(7)),
            ("c", 8, None, None),
            ("d", 6, Some("damaged"), None),
        ];
        let drilled = |(series, at, failed, proven): (&str, i64, Option<&str>, Option<i64>)| {
            let newest = Drilled {
                series: series.to_owned(),
                files: 1,
                bytes: 1,
                command: false,
                failed: failed.map(str::to_owned),
                at: from_ms(at),
            };
            (newest, proven.map(from_ms))
        };
        let all = Drills::of(rows.map(drilled));
        let told = |drill: &Option<Drill>| {
            let drill = drill.as_ref().unwrap();
            (
                drill.series.clone(),
                drill.at.as_millisecond(),
                drill.why.clone(),
            )
        };
        assert_eq!(told(&all.proven), ("b".into(), 7, None));
        assert_eq!(told(&all.failed), ("b".into(), 9, Some("no key".into())));
        assert_eq!(all.read, 1);
        assert_eq!(Drills::of([]), Drills::default());
    }
}
