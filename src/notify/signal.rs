//! Success or failure: the one decision that a dead man's switch hears of.

use crate::watch::Health;
use serde::Serialize;

/// What a run says to whoever counts only successes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Signal {
    /// The copy is as it should be, or wants no more than a look.
    Success,
    /// Somebody must look.
    Fail,
}

/// How a run over all its sources went, worst last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Went {
    /// Every source's turn ended complete.
    Complete,
    /// Some objects were left for the next run, or the owner asked for an end.
    Partly,
    /// A source's turn failed, or the store could not be used.
    Failed,
}

impl Went {
    /// What the run alone makes of the verdict. A run done in part is worth a look, as its exit
    /// code says too.
    pub fn health(self) -> Health {
        match self {
            Self::Complete => Health::Ok,
            Self::Partly => Health::Warning,
            Self::Failed => Health::Error,
        }
    }
}

impl Signal {
    /// The decision. `standing` is the copy's verdict after the run; `overdue`, whether some source
    /// has no complete pull that is recent enough.
    ///
    /// - An alarm is a failure in every run until it is acknowledged, not in one night only: the
    ///   standing verdict decides, not what is new.
    /// - A failed run is a failure.
    /// - A warning is a success, and the text says what it is about.
    /// - A run done in part is a success while a complete one is recent: an object that went away
    ///   between listing and fetching is ordinary life, and the next run puts it right. Once none
    ///   is recent, something goes on being left out, and that is a failure.
    pub fn of(standing: Health, went: Went, overdue: bool) -> Self {
        match standing.max(went.health()) {
            Health::Alarm | Health::Error => Self::Fail,
            Health::Ok | Health::Warning if went == Went::Partly && overdue => Self::Fail,
            Health::Ok | Health::Warning => Self::Success,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_case() {
        use Health::{Alarm, Error, Ok, Warning};
        use Signal::{Fail, Success};
        use Went::{Complete, Failed, Partly};
        for (standing, went, overdue, signal) in [
            (Ok, Complete, false, Success),
            (Ok, Complete, true, Success),
            (Ok, Partly, false, Success),
            (Ok, Partly, true, Fail),
            (Ok, Failed, false, Fail),
            (Ok, Failed, true, Fail),
            (Warning, Complete, false, Success),
            (Warning, Complete, true, Success),
            (Warning, Partly, false, Success),
            (Warning, Partly, true, Fail),
            (Warning, Failed, false, Fail),
            (Warning, Failed, true, Fail),
            (Error, Complete, false, Fail),
            (Error, Complete, true, Fail),
            (Error, Partly, false, Fail),
            (Error, Partly, true, Fail),
            (Error, Failed, false, Fail),
            (Error, Failed, true, Fail),
            (Alarm, Complete, false, Fail),
            (Alarm, Complete, true, Fail),
            (Alarm, Partly, false, Fail),
            (Alarm, Partly, true, Fail),
            (Alarm, Failed, false, Fail),
            (Alarm, Failed, true, Fail),
        ] {
            let said = Signal::of(standing, went, overdue);
            assert_eq!(said, signal, "{standing:?} {went:?} overdue: {overdue}");
        }
    }
}
