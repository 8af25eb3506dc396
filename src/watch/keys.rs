//! The keys that the buckets are read with: due for a change, or shared.

use super::SourceFacts;
use crate::object::{Advice, FindingRecord, KeyPrint, Severity, Timestamp};
use jiff::SignedDuration;

/// A finding for each source whose key is in use for longer than `rotate_after`, and one for each
/// that shares its key with a source before it. Both close by themselves.
pub(super) fn findings(
    sources: &[SourceFacts],
    rotate_after: SignedDuration,
    now: Timestamp,
) -> Vec<FindingRecord> {
    let mut found = Vec::new();
    for (at, source) in sources.iter().enumerate() {
        let Some((key, since)) = &source.key else {
            continue;
        };
        let age = now.duration_since(*since);
        if age > rotate_after {
            found.push(old(source, *since, age));
        }
        let before = sources.iter().take(at).find(|other| uses(other, key));
        if let Some(other) = before {
            found.push(shared(source, other, now));
        }
    }
    found
}

fn uses(source: &SourceFacts, key: &KeyPrint) -> bool {
    source.key.as_ref().is_some_and(|(used, _)| used == key)
}

fn finding(source: &SourceFacts, kind: &str, advice: Advice, at: Timestamp) -> FindingRecord {
    FindingRecord {
        id: format!("{}-{}", source.name, kind.replace('-', "")),
        kind: kind.to_owned(),
        severity: Severity::Warning,
        key: None,
        identity: None,
        advice,
        at,
    }
}

fn old(source: &SourceFacts, since: Timestamp, age: SignedDuration) -> FindingRecord {
    let advice = Advice {
        what: format!("the key of {} is {} days in use", source.name, age.as_hours() / 24),
        evidence: format!("first used {}", since.strftime("%Y-%m-%d %H:%M UTC")),
        next: "make a new read-only key, put it where `credentials` says, run `offsite pull`, then revoke the old one: both may be valid meanwhile".to_owned(),
    };
    finding(source, "key-old", advice, since)
}

fn shared(source: &SourceFacts, other: &SourceFacts, now: Timestamp) -> FindingRecord {
    let advice = Advice {
        what: format!("{} and {} are read with one key", other.name, source.name),
        evidence: "both runs signed with the same access key".to_owned(),
        next: "give each server a user and a bucket of its own, and each source a key that reads only that: else one stolen key opens both".to_owned(),
    };
    finding(source, "key-shared", advice, now)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::object::{SourceName, from_ms};

    const DAY: i64 = 86_400_000;

    fn source(name: &str, key: Option<(&str, i64)>) -> SourceFacts {
        SourceFacts {
            drills: crate::watch::Drills::default(),
            name: SourceName::new(name).unwrap(),
            last_complete_pull: None,
            last_run: None,
            last_ended: None,
            last_error: None,
            counts: Vec::new(),
            kinds: Vec::new(),
            scrubs: Vec::new(),
            head: None,
            key: key.map(|(id, day)| (KeyPrint::of(id), from_ms(day * DAY))),
        }
    }

    /// (sources with their keys and since which day, today) -> ids.
    #[test]
    fn old_and_shared_keys() {
        for (sources, day, ids) in [
            (vec![source("a", None), source("b", None)], 999, vec![]),
            (vec![source("a", Some(("x", 0)))], 90, vec![]),
            (vec![source("a", Some(("x", 0)))], 91, vec!["a-keyold"]),
            (
                vec![source("a", Some(("x", 0))), source("b", Some(("y", 0)))],
                1,
                vec![],
            ),
            (
                vec![source("a", Some(("x", 0))), source("b", Some(("x", 5)))],
                92,
                vec!["a-keyold", "b-keyshared"],
            ),
            (
                vec![
                    source("a", Some(("x", 0))),
                    source("b", None),
                    source("c", Some(("x", 0))),
                ],
                1,
                vec!["c-keyshared"],
            ),
        ] {
            let limit = SignedDuration::from_hours(90 * 24);
            let found = findings(&sources, limit, from_ms(day * DAY));
            let found: Vec<&str> = found.iter().map(|f| f.id.as_str()).collect();
            assert_eq!(found, ids, "day {day}");
        }
    }
}
