//! ZIP: whether all of its members are encrypted, and how.
//!
//! Sources: PKWARE's APPNOTE 6.3 (general purpose bit 0 at offset 6 of a local header and 8 of an entry of
//! the directory, the compression method behind it) and WinZip's AE-1/AE-2 (method 99). The names of
//! members are readable in either.

use super::body::Body;
use super::claim::{Claim, encrypted, plaintext};
use super::format::Format;
use super::reader::{Reader, find};
use super::samples::Samples;

const LOCAL: &[u8] = b"PK\x03\x04";
const ENTRY: &[u8] = b"PK\x01\x02";
const DESCRIPTOR: &[u8] = b"PK\x07\x08";
const END: &[u8] = b"PK\x05\x06";
/// The end of the directory, without the comment.
const END_LENGTH: usize = 22;

/// How a member is stored.
#[derive(PartialEq, Eq)]
enum Member {
    Plain,
    OldCipher,
    Aes,
}

/// What the first bytes claim, and the directory at the end confirms.
pub(super) fn recognise(samples: &Samples) -> Option<Claim> {
    let head = samples.head();
    // A part of several may have a mark before its first header.
    let head = head.strip_prefix(DESCRIPTOR).unwrap_or(head);
    if !head.starts_with(LOCAL) {
        return (head.starts_with(END) && head.len() == END_LENGTH)
            .then(|| plaintext(Format::Zip))?;
    }
    let (directory, mut members) = directory(samples);
    members.extend(local_members(head));
    let until = directory.unwrap_or(u64::MAX);
    let format = if members.is_empty() || members.contains(&Member::Plain) {
        return plaintext(Format::Zip);
    } else if members.contains(&Member::OldCipher) {
        Format::ZipCrypto
    } else {
        Format::ZipAes
    };
    encrypted(format, Body::Zip { until })
}

/// A folder or an empty file has nothing to encrypt.
fn member(flags: u16, method: u16, size: u32, name: &[u8]) -> Option<Member> {
    let streamed = flags & 8 != 0;
    if name.ends_with(b"/") || (size == 0 && !streamed) {
        return None;
    }
    Some(match (flags & 1, method) {
        (0, _) => Member::Plain,
        (_, 99) => Member::Aes,
        _ => Member::OldCipher,
    })
}

/// The members whose local headers follow each other from the beginning on, as far as they say how
/// long they are.
fn local_members(head: &[u8]) -> Vec<Member> {
    let mut members = Vec::new();
    let mut read = Reader::new(head);
    let mut next = || {
        read.skip(LOCAL)?;
        read.u16_le()?; // version
        let (flags, method) = (read.u16_le()?, read.u16_le()?);
        read.take(8)?; // time, date, CRC
        let (packed, size) = (read.u32_le()?, read.u32_le()?);
        let (name, extra) = (read.u16_le()?, read.u16_le()?);
        let name = read.take(name.into())?;
        members.extend(member(flags, method, size, name));
        read.take(extra.into())?;
        read.take(usize::try_from(packed).ok()?)?;
        (flags & 8 == 0).then_some(())
    };
    while next().is_some() {}
    members
}

/// Where the directory at the end begins, and the members that it lists, as far as it is known.
fn directory(samples: &Samples) -> (Option<u64>, Vec<Member>) {
    // The comment is shorter than 64 KiB, and mostly there is none.
    let tail_at = samples.length().saturating_sub(super::SAMPLE);
    let tail = samples.from(tail_at);
    let is_end = |at: &usize| tail.get(*at..).is_some_and(|t| t.starts_with(END));
    let end = (0..tail.len().saturating_sub(END_LENGTH - 1))
        .rev()
        .find(is_end);
    let said = end.and_then(|at| {
        let mut read = Reader::new(tail.get(at..)?);
        read.take(16)?;
        // Beyond 4 GiB it is said elsewhere, and so many bytes need no looking up.
        read.u32_le().filter(|begin| *begin < u32::MAX)
    });
    let said = said.map(u64::from);
    let known = said.map(|begin| samples.from(begin)).unwrap_or_default();
    if known.starts_with(ENTRY) {
        let (members, complete) = listed(known);
        return (said.filter(|_| complete), members);
    }
    // It begins before the sample: from the first entry that is in it.
    let Some(first) = find(tail, ENTRY) else {
        return (None, Vec::new());
    };
    let (members, complete) = listed(tail.get(first..).unwrap_or_default());
    let begin = complete.then_some(tail_at + first as u64);
    (begin, members)
}

/// The members of a directory, and whether it goes on to its end.
fn listed(entries: &[u8]) -> (Vec<Member>, bool) {
    let mut members = Vec::new();
    let mut read = Reader::new(entries);
    let mut next = || {
        read.skip(ENTRY)?;
        read.take(4)?; // versions
        let (flags, method) = (read.u16_le()?, read.u16_le()?);
        read.take(12)?; // time, date, CRC, packed size
        let size = read.u32_le()?;
        let (name, extra, comment) = (read.u16_le()?, read.u16_le()?, read.u16_le()?);
        read.take(12)?; // disk, attributes, offset
        let name = read.take(name.into())?;
        // The size in the directory is never left open.
        members.extend(member(flags & !8, method, size, name));
        read.take(usize::from(extra) + usize::from(comment))
    };
    while next().is_some() {}
    // The end, that of an archive beyond 4 GiB, or a signature.
    let complete = [END, b"PK\x06\x06", b"PK\x05\x05"]
        .iter()
        .any(|end| read.rest().starts_with(end));
    (members, complete)
}

/// What of a sample has to be random: not the headers between the members, and the names in them.
pub(super) fn payload(window: &[u8]) -> Vec<u8> {
    let mut kept = Vec::with_capacity(window.len());
    let mut rest = window;
    while let Some(at) = find(rest, b"PK") {
        let (before, mark) = rest.split_at(at);
        kept.extend_from_slice(before);
        let length = |offset: usize| {
            let field = mark.get(offset..).map(Reader::new);
            usize::from(field.and_then(|mut field| field.u16_le()).unwrap_or(0))
        };
        let skip = match mark.get(..4) {
            Some(LOCAL) => 30 + length(26) + length(28),
            Some(DESCRIPTOR) => 16,
            _ => {
                kept.extend_from_slice(b"PK");
                2
            }
        };
        rest = mark.get(skip..).unwrap_or_default();
    }
    kept.extend_from_slice(rest);
    kept
}
