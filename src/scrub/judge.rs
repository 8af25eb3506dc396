//! What a file is that was read, held against what is recorded of it. Pure.

use crate::object::{Sha256, Timestamp};
use crate::store::{Read, Reading};
use jiff::SignedDuration;
use std::fmt;

/// A file system's times are that coarse (exFAT: two seconds), and a file may be written to until it
/// has its name.
const COARSE: SignedDuration = SignedDuration::from_secs(5);

/// What is recorded of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Expected {
    /// SHA-256 of its bytes.
    pub sha256: Sha256,
    /// How many there are; none of bytes in quarantine, which may be more or fewer than were listed.
    pub bytes: Option<u64>,
    /// When it was last known to be so.
    pub right_at: Option<Timestamp>,
}

/// Why a file is not what was stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// It is not there.
    Missing,
    /// A rebuild of the catalogue found that it is not there, or not what it should be.
    Lost,
    /// Something else stands there: what.
    Odd(String),
    /// The drive cannot read it: why.
    Unreadable(String),
    /// Its end is missing.
    Truncated {
        /// Bytes it has,
        has: u64,
        /// and should have.
        should: u64,
    },
    /// It has more bytes than it should.
    Longer {
        /// Bytes it has,
        has: u64,
        /// and should have.
        should: u64,
    },
    /// It has other bytes.
    Changed {
        /// SHA-256 of those it has,
        has: Sha256,
        /// and of those it should have.
        should: Sha256,
        /// When somebody wrote to it, by its file system; none where nobody did.
        written: Option<Timestamp>,
    },
    /// The file is what it should be, and its line in `SHA256SUMS` is not.
    Line,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing => write!(f, "the file is missing"),
            Self::Lost => write!(
                f,
                "a rebuild of the catalogue did not find its file as it was"
            ),
            Self::Odd(what) => write!(f, "{what}"),
            Self::Unreadable(why) => write!(f, "the drive cannot read it: {why}"),
            Self::Truncated { has, should } => {
                write!(
                    f,
                    "it has {has} bytes instead of {should}: its end is missing"
                )
            }
            Self::Longer { has, should } => write!(f, "it has {has} bytes instead of {should}"),
            Self::Changed {
                has,
                should,
                written,
            } => {
                write!(f, "its SHA-256 is {has} instead of {should}; ")?;
                match written {
                    Some(at) => write!(
                        f,
                        "it was written to at {at}: by hand, or by another program"
                    ),
                    None => write!(f, "by its times nobody wrote to it: the drive let it rot"),
                }
            }
            Self::Line => write!(
                f,
                "the file is whole, and its line in SHA256SUMS is not: `offsite catalogue rebuild` writes that anew"
            ),
        }
    }
}

/// Something to know about a file that is whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Note {
    /// It was written to since it was last known to be right, and its bytes are the same.
    Written(Timestamp),
    /// It has so many names: through the others it can be changed.
    Names(u64),
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Written(at) => write!(f, "somebody wrote to it at {at}; its bytes are the same"),
            Self::Names(names) => write!(
                f,
                "it has {names} names (hard links): who writes to another one changes it"
            ),
        }
    }
}

/// What a file that was read is; none where the reading did not come to its end.
pub fn judge(expected: &Expected, read: &Read) -> Option<Result<Option<Note>, Fault>> {
    let reading = match read {
        Read::Whole(reading) => reading,
        Read::Missing => return Some(Err(Fault::Missing)),
        Read::Odd(what) => return Some(Err(Fault::Odd(what.clone()))),
        Read::Failed(why) => return Some(Err(Fault::Unreadable(why.clone()))),
        Read::Ended => return None,
    };
    Some(compare(expected, reading))
}

fn compare(expected: &Expected, reading: &Reading) -> Result<Option<Note>, Fault> {
    let has = reading.bytes;
    let right_at = expected.right_at.unwrap_or(Timestamp::MAX);
    let written = (reading.written.duration_since(right_at) > COARSE).then_some(reading.written);
    match expected.bytes {
        Some(should) if has < should => Err(Fault::Truncated { has, should }),
        Some(should) if has > should => Err(Fault::Longer { has, should }),
        _ if reading.sha256 != expected.sha256 => Err(Fault::Changed {
            has: reading.sha256,
            should: expected.sha256,
            written,
        }),
        _ if reading.names > 1 => Ok(Some(Note::Names(reading.names))),
        _ => Ok(written.map(Note::Written)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::object::from_ms;

    const A: Sha256 = Sha256([0xaa; 32]);
    const B: Sha256 = Sha256([0xbb; 32]);

    fn read(sha256: Sha256, bytes: u64, written: i64, names: u64) -> Read {
        Read::Whole(Reading {
            sha256,
            bytes,
            written: from_ms(written),
            names,
        })
    }

    #[test]
    fn what_is_said_of_a_file() {
        let stored = Expected {
            sha256: A,
            bytes: Some(10),
            right_at: Some(from_ms(1_000_000)),
        };
        let (before, after) = (1_004_000, 1_006_000);
        let changed = |written: Option<i64>| Fault::Changed {
            has: B,
            should: A,
            written: written.map(from_ms),
        };
        for (case, read, verdict) in [
            ("whole", read(A, 10, before, 1), Ok(None)),
            ("no names counted", read(A, 10, before, 0), Ok(None)),
            (
                "written to, and the same",
                read(A, 10, after, 1),
                Ok(Some(Note::Written(from_ms(after)))),
            ),
            ("linked", read(A, 10, before, 2), Ok(Some(Note::Names(2)))),
            ("rotten", read(B, 10, before, 1), Err(changed(None))),
            ("edited", read(B, 10, after, 1), Err(changed(Some(after)))),
            (
                "cut",
                read(B, 9, before, 1),
                Err(Fault::Truncated { has: 9, should: 10 }),
            ),
            (
                "longer",
                read(B, 11, before, 1),
                Err(Fault::Longer {
                    has: 11,
                    should: 10,
                }),
            ),
            ("missing", Read::Missing, Err(Fault::Missing)),
            (
                "a link",
                Read::Odd("a link".into()),
                Err(Fault::Odd("a link".into())),
            ),
            (
                "bad sectors",
                Read::Failed("EIO".into()),
                Err(Fault::Unreadable("EIO".into())),
            ),
        ] {
            assert_eq!(judge(&stored, &read), Some(verdict), "{case}");
        }
        assert_eq!(judge(&stored, &Read::Ended), None);
    }

    #[test]
    fn bytes_in_quarantine_have_any_length() {
        let quarantined = Expected {
            sha256: A,
            bytes: None,
            right_at: None,
        };
        assert_eq!(
            judge(&quarantined, &read(A, 3, i64::MAX, 1)),
            Some(Ok(None))
        );
        assert!(judge(&quarantined, &read(B, 3, 0, 1)).unwrap().is_err());
    }
}
