//! 7z: whether all of its content is encrypted.
//!
//! Source: `7zFormat.txt` and `Methods.txt` of 7-Zip's documentation. The beginning says only where the
//! header is: at the end. The header lists folders (here: streams) and through which coders each went;
//! AES has the id `06F10701`. Mostly the header is packed by LZMA, so it is unpacked here; where
//! it is encrypted itself (`-mhe=on`), the content is too. A packed header that begins before the last
//! sample (some ten thousand files) cannot be unpacked: then there is no telling.

mod lzma;

use super::body::Body;
use super::claim::{Claim, encrypted, plaintext, unclear};
use super::format::Format;
use super::reader::Reader;
use super::samples::Samples;

const MAGIC: &[u8] = b"7z\xBC\xAF\x27\x1C";
/// The fixed header at the beginning.
const BEGIN: u64 = 32;
const AES: &[u8] = &[0x06, 0xF1, 0x07, 0x01];
const LZMA: &[u8] = &[0x03, 0x01, 0x01];
/// What of a packed header is unpacked: the streams stand before the names of files.
const ENOUGH: usize = 256 << 10;
/// A header can be packed again, and each time it must shrink.
const DEPTH: usize = 4;

/// What the first bytes claim, and the header at the end says.
pub(super) fn recognise(samples: &Samples) -> Option<Claim> {
    let mut read = Reader::new(samples.head());
    read.skip(MAGIC)?;
    read.take(2 + 4)?; // version, CRC
    let (offset, size) = (read.u64_le()?, read.u64_le()?);
    if size == 0 {
        return plaintext(Format::SevenZip);
    }
    let until = BEGIN.saturating_add(offset);
    // Nothing stands behind the header.
    let at_the_end = until.checked_add(size) == Some(samples.length());
    let header = samples.at(until, size).filter(|_| at_the_end);
    let Some(folders) = header.and_then(|header| folders(header, samples, DEPTH)) else {
        return unclear(Format::SevenZip);
    };
    match folders.iter().all(|folder| folder.aes) && !folders.is_empty() {
        true => encrypted(Format::SevenZip, Body::Raw { from: BEGIN, until }),
        false => plaintext(Format::SevenZip),
    }
}

/// The coders of one stream.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Folder {
    aes: bool,
    /// The properties of LZMA, where that is the only coder.
    lzma: Option<Vec<u8>>,
}

/// Where packed streams lie, how long they are, and what they are packed with.
#[derive(Debug, Default)]
struct Streams {
    at: u64,
    sizes: Vec<u64>,
    folders: Vec<Folder>,
    unpacked: Option<u64>,
}

/// The folders that a header lists, packed or not.
fn folders(header: &[u8], samples: &Samples, depth: usize) -> Option<Vec<Folder>> {
    let mut read = Reader::new(header);
    match read.u8()? {
        0x01 => listed(&mut read),
        0x17 => {
            let streams = streams(&mut read)?;
            let folder = streams.folders.first()?;
            if folder.aes {
                return Some(vec![folder.clone()]);
            }
            let packed = samples.at(BEGIN.checked_add(streams.at)?, *streams.sizes.first()?)?;
            let length = usize::try_from(streams.unpacked?).ok()?.min(ENOUGH);
            let header = lzma::unpack(packed, folder.lzma.as_deref()?, length)?;
            folders(&header, samples, depth.checked_sub(1)?)
        }
        _ => None,
    }
}

/// The folders of a header that is not packed; none where there are only folders and empty files.
fn listed(read: &mut Reader) -> Option<Vec<Folder>> {
    loop {
        match read.u8()? {
            // Properties of the archive.
            0x02 => {
                while read.u8()? != 0 {
                    let length = number(read)?;
                    read.take(usize::try_from(length).ok()?)?;
                }
            }
            0x04 => return Some(streams(read)?.folders),
            0x00 | 0x05 => return Some(Vec::new()),
            _ => return None,
        }
    }
}

fn streams(read: &mut Reader) -> Option<Streams> {
    let mut streams = Streams::default();
    loop {
        match read.u8()? {
            0x06 => pack_info(read, &mut streams)?,
            0x07 => {
                coders_info(read, &mut streams)?;
                return Some(streams);
            }
            0x00 => return Some(streams),
            _ => return None,
        }
    }
}

fn pack_info(read: &mut Reader, streams: &mut Streams) -> Option<()> {
    streams.at = number(read)?;
    let count = number(read)?;
    loop {
        match read.u8()? {
            0x09 => {
                for _ in 0..count {
                    streams.sizes.push(number(read)?);
                }
            }
            0x0A => digests(read, count)?,
            0x00 => return Some(()),
            _ => return None,
        }
    }
}

fn digests(read: &mut Reader, count: u64) -> Option<()> {
    let mut defined = count;
    if read.u8()? == 0 {
        let bits = read.take(usize::try_from(count.div_ceil(8)).ok()?)?;
        defined = bits.iter().map(|byte| u64::from(byte.count_ones())).sum();
    }
    read.take(usize::try_from(defined.checked_mul(4)?).ok()?)
        .map(drop)
}

fn coders_info(read: &mut Reader, streams: &mut Streams) -> Option<()> {
    if read.u8()? != 0x0B {
        return None;
    }
    let count = number(read)?;
    if read.u8()? != 0 {
        return None; // described elsewhere: nobody does that
    }
    for _ in 0..count {
        streams.folders.push(folder(read)?);
    }
    // Only that of a packed header is wanted, and it has one folder.
    if read.u8() == Some(0x0C) {
        streams.unpacked = number(read);
    }
    Some(())
}

fn folder(read: &mut Reader) -> Option<Folder> {
    let mut folder = Folder::default();
    let coders = number(read)?;
    let (mut ins, mut outs) = (0_u64, 0_u64);
    for _ in 0..coders {
        let flags = read.u8()?;
        let id = read.take(usize::from(flags & 0x0F))?;
        let (in_streams, out_streams) = match flags & 0x10 {
            0 => (1, 1),
            _ => (number(read)?, number(read)?),
        };
        ins = ins.checked_add(in_streams)?;
        outs = outs.checked_add(out_streams)?;
        let properties = match flags & 0x20 {
            0 => &[][..],
            _ => {
                let length = number(read)?;
                read.take(usize::try_from(length).ok()?)?
            }
        };
        folder.aes |= id == AES;
        folder.lzma = (coders == 1 && id == LZMA).then(|| properties.to_vec());
    }
    let pairs = outs.checked_sub(1)?;
    for _ in 0..pairs {
        number(read)?;
        number(read)?;
    }
    let packed = ins.checked_sub(pairs)?;
    if packed > 1 {
        for _ in 0..packed {
            number(read)?;
        }
    }
    Some(folder)
}

/// A number whose first byte says by its leading ones how many more bytes there are.
fn number(read: &mut Reader) -> Option<u64> {
    let first = read.u8()?;
    let more = first.leading_ones();
    let mut value = 0;
    for n in 0..more {
        value |= u64::from(read.u8()?) << (8 * n);
    }
    // Seven leading ones leave no bit, eight ones neither.
    let high = u64::from(first) & ((1_u64 << 7_u32.saturating_sub(more)) - 1);
    Some(value | high.checked_shl(8 * more).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_every_length() {
        for (bytes, value) in [
            (&[0x7F][..], 0x7F),
            (&[0x80, 0x80], 0x80),
            (&[0xBF, 0xFF], 0x3FFF),
            (&[0xC1, 0x34, 0x12], 0x1_1234),
            (&[0xFE, 1, 2, 3, 4, 5, 6, 7], 0x0007_0605_0403_0201),
            (&[0xFF, 1, 2, 3, 4, 5, 6, 7, 8], 0x0807_0605_0403_0201),
        ] {
            assert_eq!(number(&mut Reader::new(bytes)), Some(value), "{bytes:x?}");
        }
        assert_eq!(number(&mut Reader::new(&[0xC1, 0])), None);
    }
}
