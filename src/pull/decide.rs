//! Where proven bytes belong. Pure.

use crate::object::{Known, Sha256, State, Timestamp};
use jiff::SignedDuration;

/// Within this long of its first appearance a write-once key may change: a job that failed
/// halfway was run again.
pub const RERUN: SignedDuration = SignedDuration::from_hours(24);

/// Where proven bytes belong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Decision {
    /// Into `latest/`; nothing stands there yet.
    First,
    /// Into `latest/`; what stands there goes to `history/`.
    Replace {
        /// The key is write-once and changed within a day: worth a word.
        rerun: bool,
    },
    /// Nowhere: the same bytes stand at this path already.
    Touch(String),
    /// Into `history/`, kept out of `latest/` until the owner accepts it.
    Hold,
    /// The same, because it must be signed and is not.
    HoldUnsigned,
}

/// The decision about bytes that are to be held and are already.
pub(super) fn held_already(rows: &[Known], sha256: Sha256) -> Option<Decision> {
    let held = |row: &&Known| row.state == State::Held && row.sha256 == Some(sha256);
    let path = rows.iter().find(held)?.path.clone()?;
    Some(Decision::Touch(path))
}

/// Decides where the bytes with digest `sha256` of a key belong.
///
/// `standing` is what `latest/` has for the key, `rows` its oldest version and those that are held with
/// these bytes.
pub(super) fn decide(
    standing: Option<&Known>,
    rows: &[Known],
    sha256: Sha256,
    write_once: bool,
    now: Timestamp,
) -> Decision {
    let Some(standing) = standing else {
        return Decision::First;
    };
    let same = |row: &&Known| row.sha256 == Some(sha256) && row.path.is_some();
    if let Some(row) = Some(standing).filter(same) {
        return Decision::Touch(row.path.clone().unwrap_or_default());
    }
    if !write_once {
        return Decision::Replace { rerun: false };
    }
    if let Some(held) = held_already(rows, sha256) {
        return held;
    }
    let first_seen = rows.iter().map(|r| r.first_seen).min();
    let age = now.duration_since(first_seen.unwrap_or(standing.first_seen));
    if age > RERUN {
        Decision::Hold
    } else {
        Decision::Replace { rerun: true }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::object::{Identity, InBucket, ObjectKey, from_ms};

    const HOUR: i64 = 3_600_000;

    fn row(sha: u8, state: State, path: &str, hour: i64) -> Known {
        Known {
            id: 1,
            key: ObjectKey::new("k").unwrap(),
            identity: Identity {
                version_id: None,
                etag: String::new(),
                size: 0,
                last_modified: from_ms(0),
            },
            answered: None,
            state,
            in_bucket: InBucket::Current,
            sha256: Some(Sha256([sha; 32])),
            path: Some(path.into()),
            sums_at: None,
            first_seen: from_ms(hour * HOUR),
        }
    }

    /// (standing, everything known, new bytes, write-once, hour) -> decision.
    #[test]
    fn where_bytes_belong() {
        let first = row(1, State::Stored, "latest/k", 0);
        let second = row(2, State::Stored, "latest/k", 20);
        let held = row(9, State::Held, "history/k/%v", 30);
        let touch = |path: &str| Decision::Touch(path.into());
        for (case, standing, rows, sha, write_once, hour, decision) in [
            ("first", None, vec![], 1, true, 0, Decision::First),
            (
                "same bytes",
                Some(&first),
                vec![&first],
                1,
                true,
                99,
                touch("latest/k"),
            ),
            (
                "rotating name",
                Some(&first),
                vec![&first],
                2,
                false,
                99,
                Decision::Replace { rerun: false },
            ),
            (
                "rerun",
                Some(&first),
                vec![&first],
                2,
                true,
                24,
                Decision::Replace { rerun: true },
            ),
            (
                "overwritten",
                Some(&first),
                vec![&first],
                2,
                true,
                25,
                Decision::Hold,
            ),
            (
                "a chain of reruns ends",
                Some(&second),
                vec![&first, &second],
                3,
                true,
                25,
                Decision::Hold,
            ),
            (
                "held already",
                Some(&first),
                vec![&first, &held],
                9,
                true,
                99,
                touch("history/k/%v"),
            ),
            (
                "held is no standing",
                Some(&first),
                vec![&first, &held],
                8,
                true,
                99,
                Decision::Hold,
            ),
        ] {
            let rows: Vec<Known> = rows.into_iter().cloned().collect();
            let now = from_ms(hour * HOUR);
            let decided = decide(standing, &rows, Sha256([sha; 32]), write_once, now);
            assert_eq!(decided, decision, "{case}");
        }
    }
}
