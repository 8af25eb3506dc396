//! The demo: an embedded bucket over real HTTP, and three nights' story. The bucket serves the
//! tests too.

pub mod bucket;
mod story;

pub use story::{Attack, Story};
