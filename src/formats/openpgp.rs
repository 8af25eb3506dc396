//! OpenPGP packets: what of a message can be read without a key.
//!
//! Source: RFC 9580 (sections 4.2, 5 and 9), and for the AEAD packet (20) that GnuPG 2.3 writes,
//! draft-koch-librepgp. An encrypted message is a list of encrypted session keys and an encrypted
//! data packet; a message that is signed, compressed or literal is readable, whatever its name says.

use super::body::{Body, raw};
use super::claim::{Claim, encrypted, metadata, plaintext, unclear};
use super::format::Format;
use super::reader::Reader;

/// What a packet's header says.
struct Packet<'a> {
    tag: u8,
    length: Length,
    /// The content, as far as it is known.
    content: &'a [u8],
    /// Where the content begins.
    begins: u64,
}

/// How long a packet's content is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Length {
    Known(u64),
    /// The first part of several: its length, and the octet that said it.
    Partial(u64, u8),
    /// Up to the end.
    Open,
}

/// What the packets at the beginning of an object of `length` bytes claim. Some kinds of message begin
/// as any random bytes may: they are believed only where the object is `named` like a message.
pub(super) fn recognise(head: &[u8], length: u64, named: bool) -> Option<Claim> {
    let mut at = 0;
    let mut keys = false;
    // More recipients than this nobody has, and there is nothing else to see in their packets.
    for _ in 0..1000 {
        if keys && at >= head.len() {
            // The session keys of many recipients fill the whole sample.
            return encrypted(Format::OpenPgp, raw(at));
        }
        // Keys before nothing are no message.
        let broken = || (keys && named).then(|| unclear(Format::OpenPgp))?;
        let Some(packet) = packet(head, at) else {
            return broken();
        };
        let known = match packet.length {
            Length::Known(known) => known,
            _ => u64::MAX,
        };
        match packet.tag {
            1 | 3 if is_session_key(&packet) => keys = true,
            // A marker and padding mean nothing.
            10 if packet.content.starts_with(b"PGP") => {}
            21 if keys => {}
            9 | 18 | 20 if is_encrypted_data(&packet, keys) => {
                return encrypted(Format::OpenPgp, body(&packet));
            }
            _ if keys => return broken(),
            _ => return readable(&packet, length, named),
        }
        at = usize::try_from(packet.begins.checked_add(known)?).ok()?;
    }
    None
}

/// The packet whose header is at `at`.
fn packet(head: &[u8], at: usize) -> Option<Packet<'_>> {
    let mut read = Reader::new(head.get(at..)?);
    let first = read.u8()?;
    if first & 0x80 == 0 {
        return None;
    }
    let (tag, length) = if first & 0x40 != 0 {
        let length = match read.u8()? {
            octet @ 0..=191 => Length::Known(octet.into()),
            octet @ 192..=223 => {
                Length::Known((u64::from(octet) - 192) * 256 + u64::from(read.u8()?) + 192)
            }
            255 => Length::Known(read.u32_be()?.into()),
            octet => Length::Partial(1 << (octet & 0x1F), octet),
        };
        (first & 0x3F, length)
    } else {
        let length = match first & 3 {
            0 => Length::Known(read.u8()?.into()),
            1 => Length::Known(read.u16_be()?.into()),
            2 => Length::Known(read.u32_be()?.into()),
            _ => Length::Open,
        };
        ((first >> 2) & 0x0F, length)
    };
    let (content, begins) = (read.rest(), (at + read.position()) as u64);
    Some(Packet {
        tag,
        length,
        content,
        begins,
    })
}

/// Encrypted to a public key (tag 1) or by a passphrase (tag 3).
fn is_session_key(packet: &Packet) -> bool {
    let at = |offset: usize| packet.content.get(offset).copied();
    let plausible = matches!(packet.length, Length::Known(8..=8192));
    plausible
        && match (packet.tag, at(0)) {
            (1, Some(3)) => matches!(at(9), Some(1..=3 | 8 | 16..=19 | 22 | 25 | 26 | 29..=36)),
            (3, Some(4)) => matches!(at(1), Some(1..=13)) && matches!(at(2), Some(0 | 1 | 3 | 4)),
            (3, Some(5)) => matches!(at(1), Some(1..=13)) && matches!(at(2), Some(1..=3)),
            (1 | 3, Some(6)) => true,
            _ => false,
        }
}

/// A packet with the content encrypted: without integrity (9), with (18), or GnuPG's AEAD (20).
fn is_encrypted_data(packet: &Packet, keys: bool) -> bool {
    let at = |offset: usize| packet.content.get(offset).copied();
    match packet.tag {
        9 => keys,
        18 => at(0) == Some(1) && keys || at(0) == Some(2) && matches!(at(1), Some(1..=13)),
        _ => {
            let algorithms = matches!(at(1), Some(1..=13)) && matches!(at(2), Some(1..=3));
            at(0) == Some(1) && algorithms
        }
    }
}

/// Behind the version, the algorithms and the salt or vector everything is random, but for the lengths
/// of parts.
fn body(packet: &Packet) -> Body {
    let before = match (packet.tag, packet.content.first()) {
        (9, _) => 0,
        (18, Some(1)) => 1,
        (18, _) => 4 + 32,
        _ => 4 + 15,
    };
    let from = packet.begins + before;
    match packet.length {
        // Behind the end of the packet there is nothing, or something that should not be there.
        Length::Known(_) | Length::Open => Body::Raw {
            from,
            until: u64::MAX,
        },
        Length::Partial(every, octet) => Body::Chunks {
            from,
            first: packet.begins + every,
            every,
            octet,
        },
    }
}

/// Signatures, keys, compressed and literal data.
fn readable(packet: &Packet, length: u64, named: bool) -> Option<Claim> {
    let at = |offset: usize| packet.content.get(offset).copied();
    let fits = match packet.length {
        Length::Known(known) => packet.begins.saturating_add(known) <= length,
        Length::Partial(..) | Length::Open => true,
    };
    let alone = matches!(packet.length, Length::Known(known) if packet.begins + known == length);
    let hash = |algorithm: Option<u8>| matches!(algorithm, Some(1..=3 | 8..=14));
    match packet.tag {
        // A signature by itself: of something that lies elsewhere.
        2 if alone && matches!(at(0), Some(3 | 4 | 6)) && (named || hash(at(3))) => {
            metadata(Format::OpenPgp)
        }
        2 if named && matches!(at(0), Some(3 | 4 | 6)) => plaintext(Format::OpenPgp),
        4 if matches!(at(0), Some(3 | 6)) && matches!(at(1), Some(0 | 1)) && hash(at(2)) => {
            plaintext(Format::OpenPgp)
        }
        5 | 6 if fits && named && matches!(at(0), Some(3..=6)) => plaintext(Format::OpenPgp),
        8 if named && matches!(at(0), Some(0..=3)) => plaintext(Format::OpenPgp),
        11 if fits && named && matches!(at(0), Some(b'b' | b't' | b'u' | b'l' | b'm')) => {
            plaintext(Format::OpenPgp)
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::super::claim::Nature;
    use super::*;

    fn nature(head: &[u8], named: bool) -> Option<Nature> {
        recognise(head, head.len() as u64, named).map(|claim| claim.nature)
    }

    /// A session key for one passphrase, as in RFC 9580, 5.3.1.
    const SKESK: &[u8] = &[0xC3, 13, 4, 9, 3, 8, 1, 2, 3, 4, 5, 6, 7, 8, 96];

    #[test]
    fn data_in_parts_begins_behind_its_header() {
        let mut head = SKESK.to_vec();
        head.extend([0xD2, 0xE9, 1]);
        head.extend([7; 600]);
        let expected = Body::Chunks {
            from: 18,
            first: 17 + 512,
            every: 512,
            octet: 0xE9,
        };
        assert_eq!(nature(&head, false), Some(Nature::Encrypted(expected)));
    }

    #[test]
    fn lengths_of_every_form() {
        for (header, length) in [
            (&[0xD2, 5][..], Length::Known(5)),
            (&[0xD2, 192, 0], Length::Known(192)),
            (&[0xD2, 223, 255], Length::Known(8383)),
            (&[0xD2, 255, 0, 1, 0, 0], Length::Known(65_536)),
            (&[0xD2, 0xED], Length::Partial(8192, 0xED)),
            (&[0xC8, 5], Length::Known(5)),
            (&[0xC9, 1, 0], Length::Known(256)),
            (&[0xCA, 0, 1, 0, 0], Length::Known(65_536)),
        ] {
            // The old form of tag 2 and the new one of tag 18.
            let mut bytes = header.to_vec();
            if header[0] != 0xD2 {
                bytes[0] = 0x80 | 2 << 2 | (header[0] & 3);
            }
            let packet = packet(&bytes, 0).unwrap();
            assert!(packet.length == length, "{header:?}");
            assert_eq!(packet.begins as usize, header.len());
        }
    }

    #[test]
    fn data_without_session_keys_needs_more_than_its_tag() {
        assert_eq!(nature(&[0xD2, 0xED, 1, 1, 1, 1], false), None);
        assert_eq!(nature(&[0xA4, 9, 1, 1, 1, 1], false), None);
        let compressed = [0xA3, 1, 2, 3, 4];
        assert_eq!(nature(&compressed, false), None, "may be anything");
        assert_eq!(nature(&compressed, true), Some(Nature::Plaintext));
    }
}
