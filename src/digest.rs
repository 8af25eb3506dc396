//! What bytes must be, and whether they are: one pass, many digests, and the types that carry
//! the proof. Opens no files.
//!
//! The way of an object's bytes: [`Evidence`] says what the bucket promised, a [`Hasher`] sees
//! every byte once as it arrives, [`prove`] compares. Only [`prove`] makes a [`Verified`], and
//! only a `Verified` can be placed.

mod evidence;
mod hasher;
mod proof;

pub use evidence::{Algorithm, Checksum, Evidence};
pub use hasher::{Digests, Hasher};
pub use proof::{Contradiction, Proven, Subject, Verified, prove};
