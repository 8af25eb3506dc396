//! The exit codes: one table, here and nowhere else.

use crate::error::Kind;
use std::process::ExitCode;

/// What a command came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// All well.
    Ok,
    /// The run failed (network, I/O); the next run goes on.
    Failed,
    /// Usage or configuration.
    Usage,
    /// Done in part: objects not fetched, interrupted, or (status) a warning.
    Partial,
    /// Tampering, or bytes that contradict their evidence, not yet acknowledged.
    Alarm,
    /// The store is not there, is the wrong one, read-only or full.
    Store,
    /// Another run holds the lock.
    Locked,
    /// The copy itself is damaged.
    Damaged,
    /// `status --nagios`: codes of their own. Never one of several.
    Monitoring(Monitoring),
}

/// What a monitoring plugin says (Monitoring Plugins Development Guidelines, "Plugin Return
/// Codes").
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Monitoring {
    /// All well.
    Ok,
    /// Look at it when there is time.
    Warning,
    /// Look now.
    Critical,
    /// It could not be judged.
    Unknown,
}

impl Monitoring {
    /// The number that a plugin ends with.
    pub fn code(self) -> u8 {
        match self {
            Self::Ok => 0,
            Self::Warning => 1,
            Self::Critical => 2,
            Self::Unknown => 3,
        }
    }

    /// The word that its line begins with.
    pub fn word(self) -> &'static str {
        match self {
            Self::Ok => "OK",
            Self::Warning => "WARNING",
            Self::Critical => "CRITICAL",
            Self::Unknown => "UNKNOWN",
        }
    }
}

/// The table as `--help` and the manual print it.
pub(super) const TABLE: &str = "\
Exit codes (of several, the first of 4, 7, 5, 2, 1, 3, 6):
  0  all well
  1  the run failed (network, I/O); the next run goes on
  2  usage or configuration
  3  done in part: some objects not fetched, interrupted after its group was recorded, or (status) a warning
  4  ALARM: tampering, or bytes that contradict their evidence, not yet acknowledged; look now
  5  the store is not there, is the wrong one, read-only or full; nothing was written
  6  another run holds the lock
  7  the copy itself is damaged";

impl Exit {
    /// The exit code for an error of `kind`.
    pub fn of(kind: Kind) -> Self {
        match kind {
            Kind::Usage => Self::Usage,
            Kind::Run => Self::Failed,
            Kind::Store => Self::Store,
            Kind::Locked => Self::Locked,
            Kind::Damaged => Self::Damaged,
            Kind::Interrupted => Self::Partial,
        }
    }

    /// The number that the program ends with.
    pub fn code(self) -> u8 {
        match self {
            Self::Ok => 0,
            Self::Failed => 1,
            Self::Usage => 2,
            Self::Partial => 3,
            Self::Alarm => 4,
            Self::Store => 5,
            Self::Locked => 6,
            Self::Damaged => 7,
            Self::Monitoring(state) => state.code(),
        }
    }

    /// Of two things that a command came to, the one that it ends with: the first of
    /// 4, 7, 5, 2, 1, 3, 6, 0.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        let rank = |exit: Self| {
            [4, 7, 5, 2, 1, 3, 6, 0]
                .iter()
                .position(|code| *code == exit.code())
        };
        if rank(other) < rank(self) {
            other
        } else {
            self
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [Exit; 8] = [
        Exit::Alarm,
        Exit::Damaged,
        Exit::Store,
        Exit::Usage,
        Exit::Failed,
        Exit::Partial,
        Exit::Locked,
        Exit::Ok,
    ];

    #[test]
    fn the_first_of_several_wins_either_way_round() {
        for (at, first) in ALL.iter().enumerate() {
            for second in &ALL[at..] {
                assert_eq!(first.and(*second), *first);
                assert_eq!(second.and(*first), *first);
            }
        }
    }

    #[test]
    fn the_printed_table_has_every_code() {
        for exit in ALL {
            assert!(
                TABLE.contains(&format!("\n  {}  ", exit.code())),
                "{exit:?}"
            );
        }
    }
}
