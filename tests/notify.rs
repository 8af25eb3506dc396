//! Being told: the program, and those who listen, over real HTTP on loopback.

#![allow(clippy::indexing_slicing, clippy::panic, clippy::unwrap_used)]

mod support;

#[path = "notify/alarm.rs"]
mod alarm;
#[path = "notify/ears.rs"]
mod ears;
#[path = "notify/nagios.rs"]
mod nagios;
#[path = "notify/readme.rs"]
mod readme;
#[path = "notify/runs.rs"]
mod runs;
#[path = "notify/trouble.rs"]
mod trouble;
#[path = "notify/try_out.rs"]
mod try_out;
