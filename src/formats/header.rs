//! Formats that are known by what stands at their beginning.
//!
//! Sources: the age specification (age-encryption.org/v1), OpenSSL's `enc` manual, rclone's
//! documentation of crypt, Tarsnap's `scrypt/FORMAT`, the AES Crypt stream formats 0 to 3,
//! Duplicacy's wiki and source, Proxmox Backup Server's "File Formats", the LUKS on-disk formats 1.2.3 and 2
//! 1.1.1, AxCrypt's file format description.

use super::body::{Body, raw};
use super::claim::{Claim, encrypted, metadata, plaintext, unclear};
use super::format::Format;
use super::randomness::Randomness;
use super::reader::{Reader, find};
use super::samples::Samples;

/// What the first bytes claim.
pub(super) fn recognise(samples: &Samples) -> Option<Claim> {
    let head = samples.head();
    age(head)
        .or_else(|| openssl(head))
        .or_else(|| rclone(head))
        .or_else(|| scrypt(head))
        .or_else(|| aescrypt(head))
        .or_else(|| duplicacy(head))
        .or_else(|| proxmox(samples))
        .or_else(|| axcrypt(head))
        .or_else(|| luks(head))
}

/// The header is text: a version, stanzas, and a line that begins with `---` and holds its
/// authentication code. Behind it a nonce and chunks, all random.
fn age(head: &[u8]) -> Option<Claim> {
    let mut read = Reader::new(head);
    read.skip(b"age-encryption.org/v1\n")?;
    let begin = read.position();
    let mut end = || {
        loop {
            let line = read.take(find(read.rest(), b"\n")? + 1)?.trim_ascii_end();
            let encoded = line.len() <= 64 && line.iter().all(|byte| !byte.is_ascii_whitespace());
            match line {
                line if line.starts_with(b"--- ") => return Some(read.position()),
                line if line.starts_with(b"-> ") || encoded => {}
                _ => return None,
            }
        }
    };
    // Without its end it is no header, and then all behind the version should be random, and is not.
    encrypted(Format::Age, raw(end().unwrap_or(begin)))
}

fn openssl(head: &[u8]) -> Option<Claim> {
    Reader::new(head).skip(b"Salted__")?;
    encrypted(Format::OpenSsl, raw(16))
}

fn rclone(head: &[u8]) -> Option<Claim> {
    Reader::new(head).skip(b"RCLONE\0\0")?;
    encrypted(Format::Rclone, raw(32))
}

/// Parameters, a salt, a checksum and an authentication code: 96 bytes.
fn scrypt(head: &[u8]) -> Option<Claim> {
    Reader::new(head).skip(b"scrypt\0")?;
    encrypted(Format::Scrypt, raw(96))
}

/// Versions 2 and 3 have extensions, each behind its length, before what is random.
fn aescrypt(head: &[u8]) -> Option<Claim> {
    let mut read = Reader::new(head);
    read.skip(b"AES")?;
    let (version, fifth) = (read.u8()?, read.u8()?);
    if version > 3 || (version > 0 && fifth != 0) || fifth > 15 {
        return None;
    }
    if version >= 2 {
        loop {
            match read.u16_be()? {
                0 => break,
                length => read.take(usize::from(length))?,
            };
        }
    }
    if version == 3 {
        read.u32_be()?; // iterations
    }
    // A vector; from version 1 on the encrypted key and an authentication code too.
    let keys = if version == 0 { 16 } else { 16 + 48 + 32 };
    encrypted(Format::AesCrypt, raw(read.position() + keys))
}

/// Version 3 spreads a chunk over shards with parity: a header, the shards' digests, and then the
/// chunk itself, which says whether it is encrypted.
fn duplicacy(head: &[u8]) -> Option<Claim> {
    let mut read = Reader::new(head);
    read.skip(b"duplicacy")?;
    match read.u8()? {
        0..=2 => encrypted(Format::Duplicacy, raw(read.position() + 12)),
        3 => {
            read.u64_le()?; // length of the chunk
            let shards = usize::from(read.u16_le()?) + usize::from(read.u16_le()?);
            read.u16_le()?; // checksum of the header
            read.take(32 * shards)?;
            let chunk = read.rest();
            if chunk.starts_with(b"duplicacy") && matches!(chunk.get(9), Some(0..=2)) {
                encrypted(Format::Duplicacy, raw(read.position() + 10 + 12))
            } else if chunk.starts_with(b"LZ4 ") || chunk.starts_with(b"\x78") {
                plaintext(Format::Duplicacy)
            } else {
                unclear(Format::Duplicacy)
            }
        }
        _ => None,
    }
}

/// A magic, a CRC, and in the encrypted ones a nonce and a tag.
fn proxmox(samples: &Samples) -> Option<Claim> {
    let format = Format::ProxmoxBackup;
    match samples.head().first_chunk::<8>()? {
        [123, 103, 133, 190, 34, 45, 76, 240] | [230, 89, 27, 191, 11, 191, 216, 11] => {
            encrypted(format, raw(12))
        }
        [66, 171, 56, 7, 190, 131, 112, 161] | [49, 185, 88, 66, 111, 182, 163, 127] => {
            plaintext(format)
        }
        [47, 127, 65, 237, 145, 253, 15, 205] => index(samples, 32, |_, _| true),
        [28, 145, 78, 165, 25, 186, 179, 205] => index(samples, 40, |entry, before| {
            entry.first_chunk() > before.first_chunk::<8>()
        }),
        _ => None,
    }
}

/// A fixed or a dynamic index: one page of header, of which most is reserved, then entries: digests of
/// chunks, in a dynamic one behind the offset where each ends.
fn index(samples: &Samples, entry: u64, follows: fn(&[u8], &[u8]) -> bool) -> Option<Claim> {
    const PAGE: u64 = 4096;
    let format = Format::ProxmoxBackup;
    let reserved = samples.head().get(128..PAGE as usize);
    let whole = reserved.is_some_and(|bytes| bytes.iter().all(|byte| *byte == 0))
        && (samples.length() - PAGE).is_multiple_of(entry);
    let random = match entry {
        32 => !matches!(
            raw(PAGE as usize).randomness(samples),
            Randomness::Fails { .. }
        ),
        _ => true,
    };
    let in_order = |(at, window): (u64, &[u8])| {
        let from = at.max(PAGE);
        let skip = (from - PAGE).next_multiple_of(entry) + PAGE - at;
        let entries = window.get(skip as usize..).unwrap_or_default();
        let mut entries = entries.chunks_exact(entry as usize).map(big_endian);
        let first = entries.next();
        let pairs = entries.scan(first, |before, entry| {
            let follows = before
                .as_ref()
                .is_some_and(|before| follows(&entry, before));
            *before = Some(entry);
            Some(follows)
        });
        { pairs }.all(|follows| follows)
    };
    match whole && random && samples.windows().all(in_order) {
        true => metadata(format),
        false => unclear(format),
    }
}

/// The offset of an entry with its highest byte first, as bytes are compared.
fn big_endian(entry: &[u8]) -> Vec<u8> {
    let mut entry = entry.to_vec();
    if let Some(offset) = entry.get_mut(..8) {
        offset.reverse();
    }
    entry
}

/// Behind the GUID a list of blocks (length, type, content), then the ciphertext. Version 1 stores the
/// original name and sizes readable, so the first 4 KiB are left out.
fn axcrypt(head: &[u8]) -> Option<Claim> {
    Reader::new(head).skip(b"\xC0\xB9\x07\x2E\x4F\x93\xF1\x46\xA0\x15\x79\x2C\xA1\xD9\xE8\x21")?;
    encrypted(Format::AxCrypt, raw(4096))
}

/// A header, and key slots and the payload behind it. Slots are random or were never written, and so
/// is the payload: a container may be new, and the backup of a header has none. In version 2 the header
/// is there twice, and says how long it is.
fn luks(head: &[u8]) -> Option<Claim> {
    let mut read = Reader::new(head);
    read.skip(b"LUKS\xBA\xBE")?;
    let from = match read.u16_be()? {
        1 => 4096,
        2 => {
            let (high, length) = (read.u32_be()?, read.u32_be()?);
            let plausible = high == 0 && (16 << 10..=4 << 20).contains(&length);
            plausible.then_some(2 * u64::from(length))?
        }
        _ => return None,
    };
    encrypted(Format::Luks, Body::Sparse { from })
}
