//! The drill: thirty ordinary nights, then somebody with the server's key. Every byte at home stays,
//! the right alarm comes in the same run and is still there the next night, and `ls --at` gives
//! the point before. Promises P2, P4 and P5.

#![allow(clippy::indexing_slicing, clippy::panic, clippy::unwrap_used)]

mod support;

#[path = "attacks/claims.rs"]
mod claims;
#[path = "attacks/deleted.rs"]
mod deleted;
#[path = "attacks/drill.rs"]
mod drill;
#[path = "attacks/flood.rs"]
mod flood;
#[path = "attacks/locked.rs"]
mod locked;
#[path = "attacks/overwritten.rs"]
mod overwritten;
#[path = "attacks/real.rs"]
mod real;
#[path = "attacks/server.rs"]
mod server;
#[path = "attacks/versions.rs"]
mod versions;
