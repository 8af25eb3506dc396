//! The store's upkeep: checking it, and the owner's acknowledgements.

mod acknowledge;
mod check;

pub use acknowledge::{Acknowledged, acknowledge};
pub use check::{CheckReport, Problem, check};
