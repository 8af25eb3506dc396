//! `offsite mirror`: a second full store that has what the first has, and never less.
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used
)]

#[path = "mirror/places.rs"]
mod places;
mod support;
