//! What a leak would look like: formats that anyone can read.
//!
//! Sources: RFC 1952 (gzip), RFC 8878 (Zstandard), the xz file format 1.2, the LZ4 frame format,
//! POSIX.1-2017 pax (ustar), the SQLite file format, ISO 32000 (PDF), ITU T.81 and JFIF (JPEG), RFC 2083
//! (PNG), the ELF specification, pg_dump's custom format.

use super::format::Format;

/// A magic is believed where random bytes have it less than once in 2^32: a pack of a
/// restic repository begins with any bytes at all.
const MAGICS: [(&[u8], Format); 14] = [
    (b"\x28\xB5\x2F\xFD", Format::Zstd),
    (b"\xFD7zXZ\0", Format::Xz),
    (b"\x04\x22\x4D\x18", Format::Lz4),
    (b"PK\x03\x04", Format::Zip),
    (b"7z\xBC\xAF\x27\x1C", Format::SevenZip),
    (b"SQLite format 3\0", Format::Sqlite),
    (b"%PDF-1.", Format::Pdf),
    (b"%PDF-2.", Format::Pdf),
    (b"\x89PNG\r\n\x1A\n", Format::Png),
    (b"PGDMP\x01", Format::Sql),
    (b"-- MySQL dump ", Format::Sql),
    (b"-- MariaDB dump ", Format::Sql),
    (b"--\n-- PostgreSQL database", Format::Sql),
    (b"/*!999999\\- enable the sandbox", Format::Sql),
];

/// So many bytes that look like text are no accident (random ones do in one of 10^12 cases).
const TEXT: usize = 32;

/// What `bytes` are the beginning of, if anyone could read them; `whole` where they are all.
pub(super) fn recognise(bytes: &[u8], whole: bool) -> Option<Format> {
    let magic = MAGICS.iter().find(|(magic, _)| bytes.starts_with(magic));
    magic
        .map(|(_, format)| *format)
        .or_else(|| by_fields(bytes))
        .or_else(|| text(bytes, whole))
}

/// Magics too short to be believed alone.
fn by_fields(bytes: &[u8]) -> Option<Format> {
    let at = |offset: usize| bytes.get(offset).copied();
    let has = |offset: usize, part: &[u8]| bytes.get(offset..).is_some_and(|b| b.starts_with(part));
    let gzip = || {
        let flags = at(3).is_some_and(|f| f & 0xE0 == 0);
        let level = matches!(at(8), Some(0 | 2 | 4));
        let system = matches!(at(9), Some(0..=13 | 255));
        has(0, b"\x1F\x8B\x08") && flags && level && system
    };
    let bzip2 = || {
        has(0, b"BZh")
            && matches!(at(3), Some(b'1'..=b'9'))
            && (has(4, b"1AY&SY") || has(4, b"\x17rE8P\x90"))
    };
    let jpeg = || {
        let application = has(6, b"JFIF\0") || has(6, b"Exif\0");
        has(0, b"\xFF\xD8\xFF") && application
    };
    let elf = || {
        let [class, order, version] = [at(4), at(5), at(6)];
        has(0, b"\x7FELF") && matches!((class, order, version), (Some(1 | 2), Some(1 | 2), Some(1)))
    };
    let tar = || has(257, b"ustar\0") || has(257, b"ustar  \0");
    match () {
        () if gzip() => Some(Format::Gzip),
        () if bzip2() => Some(Format::Bzip2),
        () if jpeg() => Some(Format::Jpeg),
        () if elf() => Some(Format::Elf),
        () if tar() => Some(Format::Tar),
        () => None,
    }
}

/// SQL, or any other text in UTF-8.
fn text(bytes: &[u8], whole: bool) -> Option<Format> {
    let text = match std::str::from_utf8(bytes) {
        Ok(text) => text,
        // The last character may be cut off.
        Err(e) if e.error_len().is_none() && !whole => {
            std::str::from_utf8(bytes.get(..e.valid_up_to())?).ok()?
        }
        Err(_) => return None,
    };
    let odd = |c: char| c.is_control() && !matches!(c, '\t' | '\n' | '\r' | '\x0C' | '\x1B');
    if text.is_empty() || (!whole && text.len() < TEXT) || text.contains(odd) {
        return None;
    }
    let begin = text.get(..text.floor_char_boundary(8192)).unwrap_or(text);
    let says = |word: &&str| begin.contains(*word);
    let statements = [
        "CREATE TABLE ",
        "INSERT INTO ",
        "PRAGMA foreign_keys",
        "-- PostgreSQL database dump",
        "-- MySQL dump ",
        "-- MariaDB dump ",
        "-- Dumping data for table",
        "SET SQL_MODE",
    ];
    Some(match statements.iter().any(says) {
        true => Format::Sql,
        false => Format::Text,
    })
}

/// Whether text is nothing but base64: then it is not what it hides.
pub(super) fn is_base64(text: &[u8]) -> bool {
    let of_it = |byte: &u8| {
        byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'=' | b'\r' | b'\n')
    };
    text.len() >= super::randomness::ENOUGH && text.iter().all(of_it)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_known_where_it_is_no_accident() {
        let long = "Größe über alles: 42 Stück und mehr\n";
        assert_eq!(recognise(long.as_bytes(), false), Some(Format::Text));
        let cut = &long.as_bytes()[..3];
        assert_eq!(recognise(cut, true), None, "half a character");
        assert_eq!(recognise(b"short", true), Some(Format::Text));
        assert_eq!(recognise(b"short", false), None);
        assert_eq!(recognise(b"", true), None);
        let nul = b"text that is long enough, but\0with a zero in it";
        assert_eq!(recognise(nul, true), None);
        let dump = b"SET NAMES utf8;\nCREATE TABLE `users` (id int);\n";
        assert_eq!(recognise(dump, false), Some(Format::Sql));
    }

    #[test]
    fn short_magics_need_their_fields() {
        assert_eq!(
            recognise(b"\x1F\x8B\x08\x00\0\0\0\0\0\x03..", true),
            Some(Format::Gzip)
        );
        assert_eq!(recognise(b"\x1F\x8B\x08\xFF\0\0\0\0\0\x03..", true), None);
        assert_eq!(recognise(b"BZh91AY&SY..\xFF", true), Some(Format::Bzip2));
        assert_eq!(recognise(b"BZh9\xFF......", true), None);
        assert_eq!(
            recognise(b"\xFF\xD8\xFF\xE0\0\x10JFIF\0", true),
            Some(Format::Jpeg)
        );
        assert_eq!(recognise(b"\x7FELF\x02\x01\x01\0", true), Some(Format::Elf));
    }
}
