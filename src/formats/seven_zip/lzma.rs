//! LZMA, as far as a packed header needs it: one stream, unpacked into memory.
//!
//! Source: Igor Pavlov's "LZMA specification" (in the public domain). An adaptive range coder decodes
//! literals and matches; each decision has a probability of its own.

use super::super::reader::Reader;

/// How many low bits of the position choose probabilities; more than any header is packed with would
/// cost memory (2 KiB × 2^n).
const LITERAL_BITS: u32 = 4;

// Where each kind of probability begins.
const IS_MATCH: usize = 0;
const IS_REP: usize = IS_MATCH + 12 * 16;
const IS_REP0: usize = IS_REP + 12;
const IS_REP1: usize = IS_REP0 + 12;
const IS_REP2: usize = IS_REP1 + 12;
const IS_REP0_LONG: usize = IS_REP2 + 12;
const SLOT: usize = IS_REP0_LONG + 12 * 16;
const DISTANCE: usize = SLOT + 4 * 64;
const ALIGN: usize = DISTANCE + 128;
const LENGTH: usize = ALIGN + 16;
const REP_LENGTH: usize = LENGTH + 2 + 2 * 16 * 8 + 256;
const LITERAL: usize = REP_LENGTH + 2 + 2 * 16 * 8 + 256;

/// The first `length` bytes of what `packed` holds; fewer where it ends before. `None` where it is not
/// LZMA with these properties.
pub(super) fn unpack(packed: &[u8], properties: &[u8], length: usize) -> Option<Vec<u8>> {
    let first = u32::from(*properties.first()?);
    let (lc, rest) = (first % 9, first / 9);
    let (lp, pb) = (rest % 5, rest / 5);
    if pb > 4 || lc + lp > LITERAL_BITS {
        return None;
    }
    let mut decoder = Decoder {
        range: u32::MAX,
        code: 0,
        input: Reader::new(packed),
        probabilities: vec![1 << 10; LITERAL + (0x300 << (lc + lp))],
        out: Vec::new(),
    };
    (decoder.input.u8()? == 0).then_some(())?;
    decoder.code = decoder.input.u32_be()?;
    // Its end, or input that ends first.
    let _ = decoder.run(lc, lp, pb, length);
    decoder.out.truncate(length);
    Some(decoder.out)
}

struct Decoder<'a> {
    range: u32,
    code: u32,
    input: Reader<'a>,
    probabilities: Vec<u16>,
    out: Vec<u8>,
}

impl Decoder<'_> {
    fn run(&mut self, lc: u32, lp: u32, pb: u32, length: usize) -> Option<()> {
        let mut state = 0;
        let mut distances = [0_usize; 4];
        while self.out.len() < length {
            let place = self.out.len() & ((1 << pb) - 1);
            if self.bit(IS_MATCH + state * 16 + place)? == 0 {
                self.literal(state, *distances.first()?, lc, lp)?;
                state = match state {
                    0..=3 => 0,
                    4..=9 => state - 3,
                    _ => state - 6,
                };
                continue;
            }
            let long = usize::from(state >= 7);
            let matched = if self.bit(IS_REP + state)? == 0 {
                distances.rotate_right(1);
                let matched = self.length(LENGTH, place)?;
                *distances.first_mut()? = self.distance(matched)?;
                state = 7 + 3 * long;
                matched
            } else if self.bit(IS_REP0 + state)? == 0 {
                if self.bit(IS_REP0_LONG + state * 16 + place)? == 0 {
                    state = 9 + 2 * long;
                    self.copy(*distances.first()?, 1)?;
                    continue;
                }
                state = 8 + 3 * long;
                self.length(REP_LENGTH, place)?
            } else {
                let nth = match self.bit(IS_REP1 + state)? {
                    0 => 1,
                    _ => 2 + self.bit(IS_REP2 + state)?,
                };
                distances.get_mut(..=nth)?.rotate_right(1);
                state = 8 + 3 * long;
                self.length(REP_LENGTH, place)?
            };
            self.copy(*distances.first()?, matched + 2)?;
        }
        Some(())
    }

    /// One decision: 0 or 1.
    fn bit(&mut self, which: usize) -> Option<usize> {
        let probability = self.probabilities.get_mut(which)?;
        let bound = (self.range >> 11) * u32::from(*probability);
        let bit = if self.code < bound {
            self.range = bound;
            *probability += ((1 << 11) - *probability) >> 5;
            0
        } else {
            self.range -= bound;
            self.code -= bound;
            *probability -= *probability >> 5;
            1
        };
        self.normalise()?;
        Some(bit)
    }

    fn normalise(&mut self) -> Option<()> {
        if self.range < 1 << 24 {
            self.range <<= 8;
            self.code = (self.code << 8) | u32::from(self.input.u8()?);
        }
        Some(())
    }

    /// Bits that have no probabilities, the highest first.
    fn direct(&mut self, count: u32) -> Option<usize> {
        let mut value = 0;
        for _ in 0..count {
            self.range >>= 1;
            let one = self.code >= self.range;
            if one {
                self.code -= self.range;
            }
            self.normalise()?;
            value = value << 1 | usize::from(one);
        }
        Some(value)
    }

    /// A value of so many bits by a tree of decisions, the highest bit first.
    fn tree(&mut self, base: usize, bits: u32) -> Option<usize> {
        let mut node = 1;
        for _ in 0..bits {
            node = node << 1 | self.bit(base + node)?;
        }
        Some(node - (1 << bits))
    }

    /// The same with the lowest bit first.
    fn reverse_tree(&mut self, base: usize, bits: u32) -> Option<usize> {
        let (mut node, mut value) = (1, 0);
        for n in 0..bits {
            let bit = self.bit(base + node)?;
            node = node << 1 | bit;
            value |= bit << n;
        }
        Some(value)
    }

    fn literal(&mut self, state: usize, distance: usize, lc: u32, lp: u32) -> Option<()> {
        let before = self.out.last().map_or(0, |byte| usize::from(*byte));
        let place = self.out.len() & ((1 << lp) - 1);
        let base = LITERAL + 0x300 * ((place << lc) + (before >> (8 - lc)));
        let mut symbol = 1;
        if state >= 7 {
            // After a match the byte that would have followed it is a hint.
            let mut hint = usize::from(self.back(distance)?);
            while symbol < 0x100 {
                let expected = (hint >> 7) & 1;
                hint <<= 1;
                let bit = self.bit(base + ((1 + expected) << 8) + symbol)?;
                symbol = symbol << 1 | bit;
                if bit != expected {
                    break;
                }
            }
        }
        while symbol < 0x100 {
            symbol = symbol << 1 | self.bit(base + symbol)?;
        }
        self.out.push((symbol & 0xFF) as u8);
        Some(())
    }

    /// Two less than the length of a match.
    fn length(&mut self, base: usize, place: usize) -> Option<usize> {
        let (low, middle) = (base + 2, base + 2 + 16 * 8);
        if self.bit(base)? == 0 {
            return self.tree(low + place * 8, 3);
        }
        if self.bit(base + 1)? == 0 {
            return Some(8 + self.tree(middle + place * 8, 3)?);
        }
        Some(16 + self.tree(middle + 16 * 8, 8)?)
    }

    /// How far back a match lies, less one. The mark of the end is a distance that no output has.
    fn distance(&mut self, length: usize) -> Option<usize> {
        let slot = self.tree(SLOT + length.min(3) * 64, 6)?;
        if slot < 4 {
            return Some(slot);
        }
        let bits = (slot >> 1) as u32 - 1;
        let base = (2 | (slot & 1)) << bits;
        if slot < 14 {
            return Some(base + self.reverse_tree(DISTANCE + base - slot, bits)?);
        }
        let high = self.direct(bits - 4)? << 4;
        Some(base + high + self.reverse_tree(ALIGN, 4)?)
    }

    fn back(&self, distance: usize) -> Option<u8> {
        let at = self.out.len().checked_sub(distance.checked_add(1)?)?;
        self.out.get(at).copied()
    }

    fn copy(&mut self, distance: usize, length: usize) -> Option<()> {
        for _ in 0..length {
            self.out.push(self.back(distance)?);
        }
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `for n in range(40): line n` by Python's lzma (raw LZMA1, lc 3, lp 0, pb 2).
    #[test]
    fn what_another_packed_comes_out() {
        let packed = data_encoding::BASE64.decode(PACKED.as_bytes()).unwrap();
        let text: String = (0..40)
            .map(|n| format!("line {n} of forty, of forty\n"))
            .collect();
        let unpacked = unpack(&packed, &[0x5D, 0, 0, 1, 0], text.len()).unwrap();
        assert_eq!(String::from_utf8(unpacked).unwrap(), text);
        let some = unpack(&packed, &[0x5D, 0, 0, 1, 0], 100).unwrap();
        assert_eq!(some, &text.as_bytes()[..100]);
        // What is cut off ends early; what is no LZMA is nothing.
        let cut = unpack(&packed[..40], &[0x5D, 0, 0, 1, 0], text.len()).unwrap();
        assert!(text.as_bytes().starts_with(&cut) && cut.len() < text.len());
        assert_eq!(unpack(&packed, &[0xFF], 10), None);
        assert_eq!(unpack(b"\x01abcd", &[0x5D], 10), None);
    }

    const PACKED: &str = "ADYaSh8IoCYDTQad8kIWD04Quz05GRbtaYzMr1yGyCAQbgBc43E7b4hBUNwuPO6p7utCtZJRtrhFAvFhK4OOYN+7Nvvxs5tMnyk5+Fwm+becMD3hWhbgXmXOF6bZjAxw62BCkpdcpvuBvmP/Y9uL//dwYcA=";
}
