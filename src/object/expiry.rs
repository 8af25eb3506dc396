//! What a bucket's own rules delete, and when. Pure.

use super::Timestamp;
use jiff::SignedDuration;
use serde::{Deserialize, Serialize};

/// A lifecycle rule of a bucket, as far as it deletes something (S3 API Reference, LifecycleRule).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Expiry {
    /// What it deletes.
    pub of: Expires,
    /// Of the keys that begin so.
    pub under: String,
    /// When.
    pub after: After,
    /// So many of the newest older versions of a key stay whatever their age.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub keeps: u32,
    /// What narrows it, by tags or sizes, as the rule has it. Hostile text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub only: Option<String>,
}

/// What a rule deletes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Expires {
    /// What a GET answers: for good, or by a delete marker where the bucket keeps versions.
    Current,
    /// Older versions, for good.
    Older,
}

/// When a rule deletes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum After {
    /// So many days after an object was written, or replaced.
    Days(u32),
    /// From this moment on.
    On(Timestamp),
}

fn is_zero(number: &u32) -> bool {
    *number == 0
}

impl Expiry {
    /// Whether this deletes everything that `other` deletes, no later.
    fn covers(&self, other: &Self) -> bool {
        let no_later = match (self.after, other.after) {
            (After::Days(mine), After::Days(others)) => mine <= others,
            (After::On(mine), After::On(others)) => mine <= others,
            _ => false,
        };
        self.of == other.of
            && other.under.starts_with(&self.under)
            && no_later
            && self.keeps <= other.keeps
            && (self.only.is_none() || self.only == other.only)
    }

    /// How long after `now` it deletes what is written now.
    pub fn within(&self, now: Timestamp) -> SignedDuration {
        match self.after {
            After::Days(days) => SignedDuration::from_hours(24 * i64::from(days)),
            After::On(at) => at.duration_since(now).max(SignedDuration::ZERO),
        }
    }

    /// The first moment at which what is written `now` is deleted.
    pub fn from(&self, now: Timestamp) -> Timestamp {
        now.checked_add(self.within(now)).unwrap_or(now)
    }
}

/// Those of the rules `now` that delete what none of the rules `before` did, or sooner.
pub fn newly_expiring(before: &[Expiry], now: &[Expiry]) -> Vec<Expiry> {
    let known = |rule: &Expiry| before.iter().any(|old| old.covers(rule));
    now.iter().filter(|rule| !known(rule)).cloned().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(of: Expires, under: &str, days: u32, keeps: u32, only: Option<&str>) -> Expiry {
        Expiry {
            of,
            under: under.to_owned(),
            after: After::Days(days),
            keeps,
            only: only.map(str::to_owned),
        }
    }

    /// (rules before, rules now) -> how many of them delete something new, or sooner.
    #[test]
    fn what_is_new_and_what_is_ordinary() {
        use Expires::{Current, Older};
        let old = |days, keeps| rule(Older, "", days, keeps, None);
        let on = |day: i8| Expiry {
            after: After::On(format!("2027-01-{day:02}T00:00:00Z").parse().unwrap()),
            ..old(0, 0)
        };
        for (what, before, now, new) in [
            ("none", vec![], vec![], 0),
            ("a first rule", vec![], vec![old(30, 0)], 1),
            ("the same", vec![old(30, 0)], vec![old(30, 0)], 0),
            ("later", vec![old(30, 0)], vec![old(60, 0)], 0),
            ("gone", vec![old(30, 0)], vec![], 0),
            ("sooner", vec![old(30, 0)], vec![old(29, 0)], 1),
            ("fewer stay", vec![old(30, 3)], vec![old(30, 2)], 1),
            ("more stay", vec![old(30, 3)], vec![old(30, 4)], 0),
            (
                "also current ones",
                vec![old(30, 0)],
                vec![old(30, 0), rule(Current, "", 365, 0, None)],
                1,
            ),
            (
                "a wider prefix",
                vec![rule(Older, "a/", 30, 0, None)],
                vec![rule(Older, "a", 30, 0, None)],
                1,
            ),
            (
                "a narrower prefix",
                vec![rule(Older, "a", 30, 0, None)],
                vec![rule(Older, "a/", 30, 0, None)],
                0,
            ),
            (
                "no longer narrowed",
                vec![rule(Older, "", 30, 0, Some("larger than 5"))],
                vec![old(30, 0)],
                1,
            ),
            (
                "narrowed now",
                vec![old(30, 0)],
                vec![rule(Older, "", 30, 0, Some("larger than 5"))],
                0,
            ),
            (
                "narrowed otherwise",
                vec![rule(Older, "", 30, 0, Some("larger than 5"))],
                vec![rule(Older, "", 30, 0, Some("larger than 4"))],
                1,
            ),
            ("an earlier day", vec![on(9)], vec![on(8)], 1),
            ("a later day", vec![on(8)], vec![on(9)], 0),
            ("a day for an age", vec![old(30, 0)], vec![on(8)], 1),
        ] {
            assert_eq!(newly_expiring(&before, &now).len(), new, "{what}");
        }
    }

    #[test]
    fn rules_are_read_as_they_were_written() {
        let rules = [
            rule(Expires::Older, "a\"/\n", 30, 2, Some("tag x=y")),
            Expiry {
                after: After::On("2027-01-01T00:00:00Z".parse().unwrap()),
                ..rule(Expires::Current, "", 0, 0, None)
            },
        ];
        let text = serde_json::to_string(&rules).unwrap();
        let read: Vec<Expiry> = serde_json::from_str(&text).unwrap();
        assert_eq!(read, rules);
    }
}
