//! The store's upkeep: checking it, making its catalogue anew, the owner's acknowledgements, and
//! removing what the owner says.

mod acknowledge;
mod backup;
mod check;
mod prune;
mod rebuild;

pub use acknowledge::{Acknowledged, acknowledge};
pub use backup::backup;
pub use check::{CheckReport, Problem, check};
pub use prune::{Leftover, prune_incoming};
pub use rebuild::{RebuildReport, rebuild};
