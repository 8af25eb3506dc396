//! The bytes of a format that have to be random, without those that honestly are not: headers,
//! lengths between the parts, sectors that were never written, armour.

use super::randomness::{self, Randomness};
use super::samples::Samples;
use super::{akeeba, borg, zip};
use data_encoding::{BASE64_NOPAD, HEXLOWER_PERMISSIVE};
use std::borrow::Cow;

/// Which bytes of an object its format says are encrypted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Body {
    /// All from one offset to another.
    Raw { from: u64, until: u64 },
    /// From an offset on, with a length octet at `first` and behind each `every` bytes.
    Chunks {
        from: u64,
        first: u64,
        every: u64,
        octet: u8,
    },
    /// From an offset on, with holes: runs of one byte, where nobody ever wrote.
    Sparse { from: u64 },
    /// Base64 in lines, or one line, from an offset on.
    Base64 { from: u64 },
    /// Hexadecimal digits of hexadecimal digits, in lines, from an offset on.
    Hex { from: u64 },
    /// Segments of Borg 1, all of one type of key.
    Borg { key_type: u8 },
    /// Packs of Borg 2.
    Borg2,
    /// An archive of Akeeba's, from an offset on.
    Jps { from: u64 },
    /// The members of a ZIP archive, before its directory.
    Zip { until: u64 },
}

/// Bytes behind what a format says of itself, up to the end.
pub(super) fn raw(from: usize) -> Body {
    Body::Raw {
        from: from as u64,
        until: u64::MAX,
    }
}

impl Body {
    /// Where the encrypted bytes begin, if that is worth a look.
    pub(super) fn begins(self) -> Option<u64> {
        match self {
            Body::Raw { from, .. } | Body::Chunks { from, .. } => Some(from),
            Body::Sparse { from } => Some(from),
            _ => None,
        }
    }

    /// Whether the bytes that have to be random are so.
    pub(super) fn randomness(self, samples: &Samples) -> Randomness {
        let mut parts = Vec::new();
        for (at, window) in samples.windows() {
            let Some((at, window)) = self.clip(at, window) else {
                continue;
            };
            match self.extract(at, window) {
                Some(bytes) => parts.push((at, bytes)),
                None => {
                    return Randomness::Fails {
                        at: Some(at),
                        chi_square: f64::INFINITY,
                    };
                }
            }
        }
        randomness::of(parts)
    }

    /// The part of a window between the body's ends.
    fn clip(self, at: u64, window: &[u8]) -> Option<(u64, &[u8])> {
        let (from, until) = match self {
            Body::Raw { from, until } => (from, until),
            Body::Chunks { from, .. }
            | Body::Sparse { from }
            | Body::Base64 { from }
            | Body::Jps { from }
            | Body::Hex { from } => (from, u64::MAX),
            Body::Zip { until } => (0, until),
            Body::Borg { .. } | Body::Borg2 => (0, u64::MAX),
        };
        let end = until.min(at + window.len() as u64);
        let begin = from.max(at);
        let range =
            usize::try_from(begin - at).ok()?..usize::try_from(end.checked_sub(at)?).ok()?;
        Some((begin, window.get(range)?)).filter(|(_, bytes)| !bytes.is_empty())
    }

    /// What of a clipped window has to be random; `None` where it breaks the body's alphabet.
    fn extract(self, at: u64, window: &[u8]) -> Option<Cow<'_, [u8]>> {
        Some(match self {
            Body::Raw { .. } => Cow::Borrowed(window),
            Body::Chunks {
                first,
                every,
                octet,
                ..
            } => Cow::Owned(without_lengths(at, window, first, every, octet)),
            Body::Sparse { .. } => Cow::Owned(without_holes(window)),
            Body::Base64 { from } => Cow::Owned(base64(window, at == from, at - from)?),
            Body::Hex { from } => Cow::Owned(hex_of_hex(window, at == from)?),
            Body::Borg { key_type } => Cow::Owned(borg::payload(at, window, key_type)),
            Body::Borg2 => Cow::Owned(borg::payload_of_pack(window)),
            Body::Jps { .. } => Cow::Owned(akeeba::payload(window)),
            Body::Zip { .. } => Cow::Owned(zip::payload(window)),
        })
    }
}

/// Leaves out the octets that say how long the next part is, where they are where they should be:
/// the last part is shorter, and behind it there are other bytes at these places.
fn without_lengths(at: u64, window: &[u8], first: u64, every: u64, octet: u8) -> Vec<u8> {
    let is_length = |position: u64, byte: u8| {
        byte == octet && position >= first && (position - first).is_multiple_of(every + 1)
    };
    let numbered = (at..).zip(window);
    let kept = numbered.filter(|(position, byte)| !is_length(*position, **byte));
    kept.map(|(_, byte)| *byte).collect()
}

/// So many equal bytes are no ciphertext (random bytes have such a run once in 2^248).
const HOLE: usize = 32;

/// Leaves out the runs of one byte. A hole may begin and end anywhere: what was never written of a
/// container or a sparse file is whole blocks, and a sample may begin within one.
fn without_holes(window: &[u8]) -> Vec<u8> {
    let runs = window.chunk_by(|a, b| a == b);
    let written = runs.filter(|run| run.len() < HOLE);
    written.flatten().copied().collect()
}

/// Whole lines without their ends; the rest of one whose beginning is not in the window is left out.
fn lines(window: &[u8], at_the_beginning: bool) -> impl Iterator<Item = &[u8]> {
    let mut lines = window.split(|byte| *byte == b'\n');
    if !at_the_beginning {
        lines.next();
    }
    lines.map(<[u8]>::trim_ascii)
}

/// What base64 lines decode to, without those of `=` and `-` that end an armour.
fn base64(window: &[u8], at_the_beginning: bool, behind: u64) -> Option<Vec<u8>> {
    let quads = |line: &[u8]| line.len() / 4 * 4;
    // One long line is cut into groups of four from its beginning on.
    if !window.contains(&b'\n') {
        let skip = (behind.next_multiple_of(4) - behind) as usize;
        let line = window.get(skip..).unwrap_or_default().trim_ascii_end();
        let line = unpadded(line);
        return BASE64_NOPAD.decode(line.get(..quads(line))?).ok();
    }
    let mut bytes = Vec::with_capacity(window.len() / 4 * 3);
    let mut ends = 0;
    for line in lines(window, at_the_beginning) {
        // A checksum, and the mark of an end: few, or it is something else.
        if line.starts_with(b"=") || line.starts_with(b"-") {
            ends += 1;
            (ends <= 8).then_some(())?;
            continue;
        }
        let line = unpadded(line);
        bytes.extend(BASE64_NOPAD.decode(line.get(..quads(line))?).ok()?);
    }
    Some(bytes)
}

fn unpadded(mut line: &[u8]) -> &[u8] {
    while let Some(shorter) = line.strip_suffix(b"=") {
        line = shorter;
    }
    line
}

/// What the digits of the digits say. In front stand the salt and the authentication code, each on
/// an inner line of its own, together of even length, so that every line can be read by itself.
fn hex_of_hex(window: &[u8], at_the_beginning: bool) -> Option<Vec<u8>> {
    let even = |digits: &[u8]| digits.len() / 2 * 2;
    let mut inner = Vec::with_capacity(window.len() / 2);
    for line in lines(window, at_the_beginning) {
        inner.extend(HEXLOWER_PERMISSIVE.decode(line.get(..even(line))?).ok()?);
    }
    let body = inner.rsplit(|byte| *byte == b'\n').next()?;
    HEXLOWER_PERMISSIVE.decode(body.get(..even(body))?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_between_the_parts_are_left_out_only_where_they_stand() {
        let window = [1, 0xE9, 2, 3, 4, 0xE9, 5, 6, 0xE9, 7, 8];
        // At 101, and behind each three bytes: 101, 105, 109.
        let kept = without_lengths(100, &window, 101, 3, 0xE9);
        assert_eq!(kept, [1, 2, 3, 4, 5, 6, 0xE9, 7, 8]);
    }

    #[test]
    fn holes_do_not_count_and_short_runs_do() {
        let window = [&[1, 2][..], &[0; 32], &[3], &[0; 31], &[4], &[7; 99]].concat();
        let expected = [&[1, 2, 3][..], &[0; 31], &[4]].concat();
        assert_eq!(without_holes(&window), expected);
    }

    #[test]
    fn base64_is_read_from_the_first_whole_line_or_group() {
        assert_eq!(base64(b"QUJD\nREVG\n", true, 0).unwrap(), b"ABCDEF");
        assert_eq!(base64(b"JD\r\nREVG\r\nR0g=", false, 2).unwrap(), b"DEF");
        assert_eq!(base64(b"JDREVGR", false, 2).unwrap(), b"DEF");
        assert_eq!(base64(b"QUJD\n=abcd\n-----END", true, 0).unwrap(), b"ABC");
        assert_eq!(base64(b"QUJD\nRE!G\n", true, 0), None);
        assert_eq!(base64(&b"-- no\n".repeat(9), true, 0), None);
        assert_eq!(base64(b"QUJD\n=abcd\nINSERT INTO", true, 0), None);
    }
}
