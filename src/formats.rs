//! What formats of backups look like from outside. Pure.
//!
//! Two questions: where an object stands in a repository ([`rank`], [`restic_lock`]), and whether it is
//! really encrypted ([`judge`]).
//!
//! # Is it encrypted?
//!
//! Magic is a claim: anyone can write `age-encryption.org/v1` before a dump. So a format is recognised by its
//! own bytes, its place or its metadata; its structure says which bytes have to be ciphertext; and
//! these must begin like no readable format and be distributed like random ones (chi-square, see
//! [`Randomness`]). What this cannot see is said there too: compressed data whose own header was cut off.
//!
//! Each recogniser names the specification that it follows. What is legitimately not random is left
//! out of the test: headers, the framing between a repository's entries, lengths of parts, sectors that
//! were never written, armour (which is decoded).
//!
//! # How a transfer feeds it
//!
//! The bytes pass by once, in order, as they pass the hasher; a resumed download reads its prefix
//! again for the hasher, and feeds it here too.
//!
//! ```
//! use offsite::formats::{self, Format, Sniffer, Subject, Verdict};
//! use offsite::object::ObjectKey;
//!
//! # let chunks = [&b"Salted__12345678"[..], &b"and what follows"[..]];
//! # let length = 32;
//! let mut sniffer = Sniffer::new(length);
//! for chunk in chunks {
//!     // hasher.update(chunk);
//!     sniffer.feed(chunk);
//! }
//! let samples = sniffer.finish();
//!
//! let key = ObjectKey::new("www/site.tar.enc")?;
//! // A repository's marker that is a known key of the same source says what its parts are.
//! let is_known = |marker: &ObjectKey| false;
//! let mut repositories = formats::repositories(&key).into_iter();
//! let repository = repositories.find(|r| is_known(&r.marker)).map(|r| r.format);
//! let subject = Subject {
//!     key: &key,
//!     metadata: &[],
//!     repository,
//! };
//! let judgement = formats::judge(&subject, &samples);
//! assert_eq!(judgement.verdict, Verdict::Encrypted(Format::OpenSsl));
//! assert_eq!(judgement.verdict.to_string(), "encrypted openssl");
//! # Ok::<(), offsite::error::Error>(())
//! ```

mod akeeba;
mod armour;
mod body;
mod borg;
mod claim;
mod format;
mod header;
mod judge;
mod layout;
mod openpgp;
mod plain;
mod randomness;
mod reader;
mod restic;
mod samples;
mod seven_zip;
mod zip;

pub use format::Format;
pub use judge::{Judgement, Subject, Verdict, judge};
pub use layout::{Repository, borg_part, is_borg_lock, repositories};
pub use randomness::{ENOUGH, LEAST, MOST, Randomness};
pub use restic::{ContentName, RESTIC_LOCK_MAX, Rank, content_name, is_part, rank, restic_lock};
pub use samples::{SAMPLE, Samples, Sniffer};
