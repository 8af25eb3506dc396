//! `offsite` keeps a second, separate copy of a cloud bucket at home: it pulls what is new with a
//! key that can only read, proves every byte, never overwrites, never deletes, and records it all
//! in an SQLite catalogue that a person can open.
//!
//! # Promises
//!
//! Each is held by tests that name it.
//!
//! - **P1 Read-only at the source.** No code path sends a request that changes the bucket: no such
//!   operation is named in [`bucket`] (`tests/rooms.rs`), and a gate in its client lets only GET and
//!   HEAD through (`tests/contract.rs`).
//! - **P2 Write-once at home.** A stored version's bytes are never rewritten, and its last name is
//!   never taken away before another stands, synced. `pull` deletes nothing (`tests/nights`,
//!   `tests/durability`).
//! - **P3 A row means a durable, verified file.** A crash at any instant loses no stored version;
//!   the next run goes on by itself (`tests/durability`, `tests/kills.rs`). [`home::Shelf::commit`]
//!   is the only way to a row.
//! - **P4 `latest/` never gets worse.** Bytes that contradict their evidence are quarantined; a
//!   write-once name that changes late does not replace the first; a snapshot of a repository never
//!   comes without its packs (`tests/nights`, `tests/real_input.rs`).
//! - **P5 Everything strange is said**, and stays said until the owner acknowledges it
//!   (`tests/nights`).
//! - **P6 Bounded.** Memory does not grow with the number or size of objects (`benches/`).
//! - **P7 Readable without us.** Ordinary files under their own names, `sha256sum -c`, `sqlite3`
//!   (`tests/real_input.rs`, `tests/hostile_names.rs`).
//! - **P8 Secrets stay out of sight.** Never in the configuration, the catalogue, a log, an error or
//!   argv; no core dumps (`tests/secrets.rs`).
//!
//! # The way of the data
//!
//! Forward only: a listing page and its known rows → plan → `Change` (staged in the catalogue) →
//! fetched through the hasher into `incoming/` → evidence → [`digest::Verified`] → journalled and
//! placed → [`store::Placed`] → recorded in one transaction → [`outcome::Outcome`] → report. Only
//! [`digest::prove`] makes a `Verified` ([`digest::prove_again`] of a copy of bytes that it proved before),
//! only a `Verified` can be placed, only what is placed can be recorded.
//!
//! Beside the hasher stands a [`formats::Sniffer`]: what the bytes are goes with them into the journal.
//! It is held against what the owner wants, and against what the series of the key was until now
//! ([`series::Story`]).
//!
//! A bucket that is known to list in byte order is listed in parts side by side
//! ([`bucket::Span`]); where something is to be fetched that names other objects, the bucket is
//! listed again before it is.
//!
//! # The rooms
//!
//! Lowest first; a room knows only rooms above it in this list, and `tests/rooms.rs` holds it.
//!
//! - [`error`], [`object`], [`outcome`], [`digest`], [`formats`], [`write_once`], [`series`], [`lock`]:
//!   nouns and pure rules
//! - [`http`]: connections, and whose cryptography they use
//! - [`program`]: programs of the owner's, run without our keys
//! - [`config`], [`credentials`]: what the owner wrote, and where the key comes from
//! - [`bucket`], [`store`], [`catalogue`]: the source, the drive, the index; they never know each
//!   other, and meet in [`object`] types
//! - [`home`]: the drive and its catalogue, kept in step
//! - [`pull`], [`restore`], [`scrub`], [`mirror`], [`upkeep`], [`watch`]: bringing home, bringing back,
//!   reading again, a second store, looking after, judging; never each other
//! - [`night`]: the order of one run
//! - [`machine`], [`report`], [`notify`], [`demo`]: rendering, telling, and the story
//! - [`cli`]: clap, exit codes, the terminal

pub mod bucket;
pub mod catalogue;
pub mod cli;
pub mod config;
pub mod credentials;
pub mod demo;
pub mod digest;
pub mod error;
pub mod formats;
pub mod home;
pub mod http;
pub mod lock;
pub mod machine;
pub mod mirror;
pub mod night;
pub mod notify;
pub mod object;
pub mod outcome;
pub mod program;
pub mod pull;
pub mod report;
pub mod restore;
pub mod scrub;
pub mod series;
pub mod store;
pub mod upkeep;
pub mod watch;
pub mod write_once;
