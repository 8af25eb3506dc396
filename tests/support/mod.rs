//! What the integration tests share: real servers and tools, a hermetic home for the program,
//! and a proxy that spoils what it carries.
//!
//! A test that needs a server or a tool says so, so that leaving it out by
//! `OFFSITE_TEST_WITHOUT=seaweedfs,restic` shows as *ignored*, never as passed:
//!
//! ```ignore
//! #[test]
//! #[cfg_attr(without_seaweedfs, ignore = "OFFSITE_TEST_WITHOUT names seaweedfs")]
//! fn pulls_from_a_real_server() {
//!     let bucket = support::Seaweed::shared().fresh_bucket("www");
//!     …
//! }
//! ```
#![allow(
    dead_code,
    unused_imports,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    missing_docs,
    unreachable_pub
)]

pub mod bucket;
pub mod ceph;
pub mod embedded;
pub mod garage;
pub mod keeper;
pub mod moto;
pub mod mounts;
pub mod nights;
pub mod program;
pub mod proxy;
pub mod seaweedfs;
pub mod tls;
pub mod tools;
pub mod trace;
pub mod vm;

pub use bucket::{Bucket, Keys, REGION, Refused};
pub use ceph::Ceph;
pub use embedded::Embedded;
pub use garage::Garage;
pub use moto::Moto;
pub use mounts::{Namespace, Picture, picture};
pub use nights::Nights;
pub use program::{Home, Output, Running, program};
pub use proxy::{Fault, FaultProxy};
pub use seaweedfs::Seaweed;
pub use tls::{Authority, Tls};
pub use tools::{need, tool};
pub use vm::Vm;

/// A file as age writes it, as far as anyone can tell without the key; others for another seed.
pub fn age(length: usize, seed: u64) -> Vec<u8> {
    let mut bytes = vec![0; length];
    fastrand::Rng::with_seed(seed).fill(&mut bytes);
    let header = b"age-encryption.org/v1\n-> X25519 abc\ndef\n--- ghi\n";
    [&header[..], &bytes].concat()
}
