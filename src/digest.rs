//! What bytes must be, and whether they are: one pass, many digests, and the types that carry
//! the proof. Opens no files.
//!
//! The way of an object's bytes: [`Evidence`] says what the bucket promised, a [`Hasher`] sees
//! every byte once as it arrives, [`prove`] compares. Only [`prove`] makes a [`Verified`], and
//! [`prove_again`] of a copy of bytes that it proved before; only a `Verified` can be placed.

mod beside;
mod claims;
mod evidence;
mod hasher;
mod lanes;
mod minisign;
mod parts;
mod proof;
mod running;
mod sums;

pub use beside::{Beside, beside, folder_of, last_segment, sidecars_of, sums_in};
pub use claims::{Claim, Claimed, claims};
pub use evidence::{Algorithm, Checksum, Evidence, parts_of};
pub use hasher::{Digests, Hasher};
pub use minisign::{PublicKey, Signature, Signed, WHOLE, signature_of};
pub use parts::{Cut, Layout, PartDigests};
pub use proof::{Contradiction, Proven, Recorded, Subject, Verified, prove, prove_again};
pub use sums::Sums;
