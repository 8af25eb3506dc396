//! Rendering: what was found, as text for people or as JSON for programs. No decisions.
//!
//! Everything that comes from a bucket goes through [`printable`](crate::object::printable) on
//! its way into text; JSON goes through [`line`] or [`lines`], which escape what JSON lets pass.

mod adopt;
mod drill;
mod json;
mod mirror;
mod nagios;
mod restore;
mod scrub;
mod text;

pub use adopt::{adopt_sum, adopted, candidate, stays};
pub use drill::{rehearsed, rehearsed_json};
pub use json::{
    change_json, event_json, finding_json, line, lines, marker_json, run_json, sum_json,
    version_json,
};
pub use mirror::{lack, lack_json, mirrored, mirrored_json};
pub use nagios::{nagios, nagios_unknown};
pub use restore::{restore_sum, restored, restored_json};
pub use scrub::{scrubbed, scrubbed_json};
pub use text::{
    bytes, drive, events, findings, machine, marker, outcome, plan_line, plan_sum, runs, status,
    version, version_line, words,
};
