//! The store's upkeep: checking it, and the owner's acknowledgements.

mod acknowledge;
mod backup;
mod check;
mod rebuild;

pub use acknowledge::{Acknowledged, acknowledge};
pub use backup::backup;
pub use check::{CheckReport, Problem, check};
pub use rebuild::{RebuildReport, rebuild};
