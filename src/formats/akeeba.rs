//! Akeeba's archives of web sites: JPA, which anyone can read, and JPS, which is encrypted unless
//! the password was empty.
//!
//! Sources: Akeeba's documentation, "The JPA archive format" and "The JPS archive format". An archive in
//! parts begins in `.j01`, goes on in `.j02` and so on, and ends in `.jpa` or `.jps`: only its first
//! part has the header, and a member may begin anywhere in the others.

use super::body::Body;
use super::claim::{Claim, encrypted, plaintext};
use super::format::Format;
use super::reader::{Reader, find};
use super::samples::Samples;

/// Before every member.
const MEMBER: &[u8] = b"JPF";

/// What the first bytes claim.
pub(super) fn recognise(samples: &Samples) -> Option<Claim> {
    let mut read = Reader::new(samples.head());
    if read.skip(b"JPA").is_some() {
        let (length, major) = (read.u16_le()?, read.u8()?);
        return (length >= 19 && major == 1).then(|| plaintext(Format::Jpa))?;
    }
    read.skip(b"JPS")?;
    let (major, _minor, _spanned) = (read.u8()?, read.u8()?, read.u8()?);
    let extra = usize::from(read.u16_le()?);
    if !(1..=2).contains(&major) {
        return None;
    }
    read.take(extra)?;
    let from = read.position();
    match first_name(read.rest()) {
        true => plaintext(Format::Jps),
        false => encrypted(Format::Jps, Body::Jps { from: from as u64 }),
    }
}

/// Whether the first member of a JPS archive has a name that can be read.
fn first_name(bytes: &[u8]) -> bool {
    let name = || {
        let mut read = Reader::new(bytes);
        read.skip(MEMBER)?;
        let (stored, length) = (read.u16_le()?, read.u16_le()?);
        let name = usize::from(read.u16_le()?);
        let plausible = stored >= length && usize::from(length) > name;
        read.take(name).filter(|_| plausible)
    };
    name().is_some_and(is_name)
}

fn is_name(name: &[u8]) -> bool {
    let text = std::str::from_utf8(name);
    !name.is_empty() && text.is_ok_and(|text| !text.contains(char::is_control))
}

/// A part that goes on: by a member of JPA within its samples it is readable. Without one there is no
/// telling, for a part may lie within a large member, and that of JPS may too.
pub(super) fn part(samples: &Samples) -> Option<Claim> {
    let shows = samples.windows().any(|(_, window)| shows_member(window));
    shows.then(|| plaintext(Format::Jpa))?
}

/// `JPF`, length of the block, length of the path, path, kind, compression.
fn shows_member(window: &[u8]) -> bool {
    let mut rest = window;
    while let Some(at) = find(rest, MEMBER) {
        rest = rest.get(at + MEMBER.len()..).unwrap_or_default();
        let mut read = Reader::new(rest);
        let name = || {
            let (block, name) = (read.u16_le()?, read.u16_le()?);
            let plausible = (1..1024).contains(&name) && block >= name + 21 && block < name + 256;
            let name = read.take(usize::from(name)).filter(|_| plausible)?;
            let (kind, compression) = (read.u8()?, read.u8()?);
            (kind <= 2 && compression <= 2).then_some(name)
        };
        let mut name = name;
        if name().is_some_and(is_name) {
            return true;
        }
    }
    false
}

/// What of a sample of JPS has to be random: not the marks of members, vectors and salts, and the
/// lengths behind them.
pub(super) fn payload(window: &[u8]) -> Vec<u8> {
    let mut kept = Vec::with_capacity(window.len());
    let mut rest = window;
    while let Some(at) = find(rest, b"JP") {
        let (before, mark) = rest.split_at(at);
        kept.extend_from_slice(before);
        let (keep, skip) = match mark.get(2) {
            // The lengths of the description follow.
            Some(b'F') => (0..0, 3 + 4),
            // The vector follows, and behind that the lengths of the next block.
            Some(b'I') if mark.starts_with(b"JPIV") => (4..20, 20 + 8),
            Some(b'S') if mark.starts_with(b"JPST") => (0..0, 4),
            _ => (0..2, 2),
        };
        kept.extend_from_slice(mark.get(keep).unwrap_or_default());
        rest = mark.get(skip..).unwrap_or_default();
    }
    kept.extend_from_slice(rest);
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_and_lengths_are_no_payload() {
        let mut window = b"abJPF\x10\0\x0C\0cdJPST".to_vec();
        window.extend(b"saltJPIV0123456789abcdef12345678endJPxJ");
        assert_eq!(payload(&window), b"abcdsalt0123456789abcdefendJPxJ");
    }
}
