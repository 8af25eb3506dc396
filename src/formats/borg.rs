//! Borg's repositories: every entry says with which type of key it was made, and some types do not
//! encrypt.
//!
//! Sources: Borg's documentation, "Data structures and file formats" (segments: `crc32`, `size`, `tag`,
//! then a key and data), and its source (`constants.py` for the types of key, `repoobj.py` for the packs
//! of Borg 2, seen in August 2026).

use super::body::Body;
use super::claim::{Claim, encrypted, metadata, plaintext, unclear};
use super::format::Format;
use super::reader::{Reader, find};
use super::samples::Samples;

const SEGMENT: &[u8] = b"BORG_SEG";
const OBJECT: &[u8] = b"BORG_OBJ";
/// Before the entry of a segment: a CRC, the length of all, and what it is.
const ENTRY: usize = 9;
/// The name of a chunk: a digest, random to look at.
const ID: usize = 32;
/// The largest entry that Borg writes has 20 MiB.
const LARGEST: usize = 21 << 20;

/// What stands at the beginning of an entry.
#[derive(Clone, Copy)]
struct Entry {
    size: usize,
    /// How long all is that stands before the payload.
    before: usize,
    /// Where it has a payload: the type of its key.
    key_type: Option<u8>,
}

/// What the first bytes claim.
pub(super) fn recognise(samples: &Samples) -> Option<Claim> {
    let head = samples.head();
    if head.starts_with(SEGMENT) {
        return segment(samples);
    }
    if head.starts_with(OBJECT) {
        return pack(head);
    }
    index(samples)
}

/// The index beside the segments of Borg 1, which chunk is where: a header that says how many slots of
/// which length there are, and the slots.
fn index(samples: &Samples) -> Option<Claim> {
    let mut read = Reader::new(samples.head());
    read.skip(b"BORG_IDX")?;
    read.u32_le()?; // in use
    let (slots, key, value) = (read.u32_le()?, read.u8()?, read.u8()?);
    let length = 18 + u64::from(slots) * (u64::from(key) + u64::from(value));
    match length == samples.length() {
        true => metadata(Format::Borg),
        false => unclear(Format::Borg),
    }
}

/// A segment is as readable as the most readable entry of its beginning.
fn segment(samples: &Samples) -> Option<Claim> {
    let head = samples.head();
    let mut at = SEGMENT.len();
    let mut types = Vec::new();
    while let Some(entry) = entry(head, at) {
        types.extend(entry.key_type);
        at += entry.size;
    }
    // What is left may be the beginning of an entry that the sample cuts.
    let whole = at + ENTRY + ID + 8 + 1 > head.len();
    let all_here = at == head.len() && samples.length() == head.len() as u64;
    match types.first() {
        _ if types.iter().any(|t| is_readable(*t)) => plaintext(Format::Borg),
        Some(key_type) if whole && types.iter().all(|t| t == key_type && is_cipher(*t)) => {
            let key_type = *key_type;
            encrypted(Format::Borg, Body::Borg { key_type })
        }
        // Only deletions and commits.
        None if all_here => metadata(Format::Borg),
        _ => unclear(Format::Borg),
    }
}

/// `PLAINTEXT`, `BLAKE2AUTHENTICATED`, `AUTHENTICATED`, and what Borg 2 has for them.
fn is_readable(key_type: u8) -> bool {
    matches!(
        key_type,
        0x02 | 0x06 | 0x07 | 0x50 | 0x60 | 0x70 | 0x80 | 0x90
    )
}

/// AES-CTR with a key file, a passphrase or a key in the repository; AES-OCB and ChaCha20-Poly1305.
fn is_cipher(key_type: u8) -> bool {
    matches!(
        key_type,
        0x00 | 0x01 | 0x03..=0x05 | 0x10 | 0x20 | 0x30 | 0x40
    )
}

/// What stands between the type of a key and the ciphertext: an authentication code and a counter, or
/// (AEAD) a counter, the session's id and a tag.
fn envelope(key_type: u8) -> usize {
    if key_type < 0x10 {
        32 + 8
    } else {
        1 + 6 + 24 + 16
    }
}

/// The entry of a segment at `at`, where there can be one.
fn entry(bytes: &[u8], at: usize) -> Option<Entry> {
    let mut read = Reader::new(bytes.get(at..)?);
    read.u32_le()?; // CRC
    let size = usize::try_from(read.u32_le()?).ok()?;
    let tag = read.u8()?;
    let (before, has_payload) = match tag {
        0 => (ENTRY + ID, true),
        1 => (ENTRY + ID, false),
        2 => (ENTRY, false),
        // With a hash of its own.
        3 => (ENTRY + ID + 8, true),
        _ => return None,
    };
    if !has_payload {
        let entry = Entry {
            size,
            before,
            key_type: None,
        };
        return (size == before).then_some(entry);
    }
    read.take(before - ENTRY)?;
    let key_type = read.u8()?;
    let before = before + 1 + envelope(key_type);
    let entry = Entry {
        size,
        before,
        key_type: Some(key_type),
    };
    (before <= size && size <= LARGEST).then_some(entry)
}

/// What of a segment's sample has to be random. One from the middle begins within an entry: what is
/// before the first header that fits, and is followed by another or the sample's end, is payload.
pub(super) fn payload(offset: u64, window: &[u8], key_type: u8) -> Vec<u8> {
    let of_this_key = |e: &Entry| e.key_type.is_none_or(|t| t == key_type);
    let fits = |at: &usize| {
        let first = entry(window, *at).filter(of_this_key);
        first.is_some_and(|e| {
            let next = at + e.size;
            next + ENTRY + ID + 9 > window.len()
                || entry(window, next).is_some_and(|e| of_this_key(&e))
        })
    };
    let begin = match offset {
        0 => SEGMENT.len(),
        _ => (0..window.len()).find(fits).unwrap_or(window.len()),
    };
    let mut kept = match offset {
        0 => Vec::new(),
        _ => window.get(..begin).unwrap_or_default().to_vec(),
    };
    let mut at = begin;
    while let Some(entry) = entry(window, at) {
        let end = (at + entry.size).min(window.len());
        let payload = window.get(at + entry.before..end);
        kept.extend_from_slice(payload.unwrap_or_default());
        at += entry.size;
    }
    // The beginning of one that the sample cuts, or what is no entry.
    kept.extend_from_slice(window.get(at..).unwrap_or_default());
    kept
}

/// An object of a pack: magic, version, name, the lengths of its two parts, and the parts, each behind
/// the type of its key.
fn pack(head: &[u8]) -> Option<Claim> {
    let mut read = Reader::new(head);
    read.skip(OBJECT)?;
    read.take(1 + ID)?;
    let (meta, _data) = (read.u32_le()?, read.u32_le()?);
    let of_meta = *read.rest().first()?;
    let of_data = usize::try_from(meta)
        .ok()
        .and_then(|meta| read.rest().get(meta));
    match of_data.copied().unwrap_or(of_meta) {
        t if is_readable(t) || is_readable(of_meta) => plaintext(Format::Borg2),
        t if is_cipher(t) && is_cipher(of_meta) => encrypted(Format::Borg2, Body::Borg2),
        _ => unclear(Format::Borg2),
    }
}

/// What of a pack's sample has to be random: the ciphertext of each object's data.
pub(super) fn payload_of_pack(window: &[u8]) -> Vec<u8> {
    let mut kept = Vec::with_capacity(window.len());
    let mut rest = window;
    loop {
        let at = find(rest, OBJECT);
        kept.extend_from_slice(rest.get(..at.unwrap_or(rest.len())).unwrap_or_default());
        let Some(object) = at.and_then(|at| rest.get(at..)) else {
            return kept;
        };
        let mut read = Reader::new(object);
        let skipped = read.take(OBJECT.len() + 1 + ID).and_then(|_| {
            let meta = usize::try_from(read.u32_le()?).ok()?;
            read.u32_le()?;
            read.take(meta.checked_add(1 + envelope(0x10))?)
        });
        rest = match skipped {
            Some(_) => read.rest(),
            None => return kept,
        };
    }
}
