//! What a sidecar or a sums file says: lines of digests, as `sha256sum` and its like write them.
//!
//! - GNU coreutils: `digest  name`, `digest *name`; a name that holds a newline or a backslash is
//!   escaped and its line begins with a backslash (coreutils manual, "md5sum invocation").
//! - BSD and `--tag`: `SHA256 (name) = digest`; OpenSSL's `SHA2-256(name)= digest`.
//! - A digest and nothing else, in a sidecar.
//!
//! Around it there may be comments, a signature in the clear (RFC 9580, 7: its armour and headers
//! are no digests, and a line that begins with a dash has `- ` before it), CR LF, and a byte order
//! mark (Windows PowerShell writes UTF-16).
//!
//! Text from the bucket: whatever is no digest is passed over.

use super::claims::Claimed;
use data_encoding::{HEXLOWER, HEXLOWER_PERMISSIVE};
use std::borrow::Cow;

/// The digests that one file lists, by the names of theirs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sums {
    /// Sorted by name.
    lines: Vec<Line>,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Line {
    /// Empty where the digest stands alone.
    name: Box<str>,
    digest: Box<[u8]>,
}

impl Sums {
    /// Reads a file; where its own name says which digests it holds, others are passed over.
    pub fn parse(bytes: &[u8], only: Option<Claimed>) -> Self {
        let text = decoded(bytes);
        let lines = text.split(|byte| *byte == b'\n');
        let wanted = |line: &Line| match (kind_of(&line.digest), only) {
            (Some(kind), Some(only)) => kind == only,
            (kind, _) => kind.is_some(),
        };
        let mut lines: Vec<Line> = lines
            .filter_map(|line| self::line(std::str::from_utf8(line).ok()?))
            .filter(wanted)
            .collect();
        lines.sort_unstable();
        lines.dedup();
        Self { lines }
    }

    /// What a sums file says of the file called `name` in its folder: one digest of each kind, in
    /// lower-case hexadecimal. Two that differ are no word at all.
    pub fn of(&self, name: &str) -> Vec<(Claimed, String)> {
        let from = self.lines.partition_point(|line| *line.name < *name);
        let lines = self.lines.iter().skip(from);
        agreed(lines.take_while(|line| *line.name == *name))
    }

    /// What a sidecar says of the one file that it is for: a digest that stands alone, or beside
    /// that file's name in whatever folder it was.
    pub fn of_one(&self, name: &str) -> Vec<(Claimed, String)> {
        let meant = |line: &&Line| {
            let last = line.name.rsplit(['/', '\\']).next();
            line.name.is_empty() || last == Some(name)
        };
        agreed(self.lines.iter().filter(meant))
    }

    /// Every name with what is said of it, in the order of the names.
    pub fn each(&self) -> impl Iterator<Item = (&str, Vec<(Claimed, String)>)> {
        self.lines
            .chunk_by(|a, b| a.name == b.name)
            .filter_map(|lines| Some((&*lines.first()?.name, agreed(lines.iter()))))
    }
}

fn kind_of(digest: &[u8]) -> Option<Claimed> {
    match digest.len() {
        16 => Some(Claimed::Md5),
        20 => Some(Claimed::Sha1),
        32 => Some(Claimed::Sha256),
        64 => Some(Claimed::Sha512),
        _ => None,
    }
}

/// The kinds of which all lines say the same.
fn agreed<'a>(lines: impl Iterator<Item = &'a Line>) -> Vec<(Claimed, String)> {
    let mut found: Vec<(Claimed, Option<&[u8]>)> = Vec::new();
    for line in lines {
        let Some(kind) = kind_of(&line.digest) else {
            continue;
        };
        match found.iter_mut().find(|(known, _)| *known == kind) {
            Some((_, known)) => *known = known.filter(|known| **known == *line.digest),
            None => found.push((kind, Some(&*line.digest))),
        }
    }
    let said = found.into_iter();
    said.filter_map(|(kind, digest)| Some((kind, HEXLOWER.encode(digest?))))
        .collect()
}

/// The bytes as UTF-8 without a byte order mark.
fn decoded(bytes: &[u8]) -> Cow<'_, [u8]> {
    let utf16 = |rest: &[u8], unit: fn([u8; 2]) -> u16| {
        let units = rest.as_chunks().0.iter().map(|pair| unit(*pair));
        let text: String = char::decode_utf16(units)
            .map(|c| c.unwrap_or(char::REPLACEMENT_CHARACTER))
            .collect();
        Cow::Owned(text.into_bytes())
    };
    match bytes {
        [0xEF, 0xBB, 0xBF, rest @ ..] => Cow::Borrowed(rest),
        [0xFF, 0xFE, rest @ ..] => utf16(rest, u16::from_le_bytes),
        [0xFE, 0xFF, rest @ ..] => utf16(rest, u16::from_be_bytes),
        _ => Cow::Borrowed(bytes),
    }
}

/// The digest in one line, and the name it is for.
fn line(text: &str) -> Option<Line> {
    let text = text.strip_suffix('\r').unwrap_or(text);
    let text = text.strip_prefix("- ").unwrap_or(text);
    let (escaped, text) = match text.strip_prefix('\\') {
        Some(rest) => (true, rest),
        None => (false, text),
    };
    let (digest, name) = tagged(text).or_else(|| plain(text))?;
    let name = match escaped {
        true => Cow::Owned(unescaped(name)?),
        false => Cow::Borrowed(name),
    };
    Some(Line {
        name: in_folder(&name).into(),
        digest: digest.into(),
    })
}

/// `digest  name`, `digest *name`, `digest name`, `digest`.
fn plain(text: &str) -> Option<(Vec<u8>, &str)> {
    let end = text.find([' ', '\t']).unwrap_or(text.len());
    let (digest, rest) = text.split_at(end);
    let mut name = rest.get(1..).unwrap_or("");
    name = name.strip_prefix([' ', '*']).unwrap_or(name);
    if name.trim().is_empty() {
        name = "";
    }
    Some((hexadecimal(digest)?, name))
}

/// `SHA256 (name) = digest`.
fn tagged(text: &str) -> Option<(Vec<u8>, &str)> {
    let (tag, rest) = text.split_once('(')?;
    let (name, digest) = rest.rsplit_once(')')?;
    let digest = hexadecimal(digest.trim().strip_prefix('=')?.trim())?;
    let kind = match tag.trim().to_ascii_uppercase().as_str() {
        "MD5" => Claimed::Md5,
        "SHA1" | "SHA-1" => Claimed::Sha1,
        "SHA256" | "SHA-256" | "SHA2-256" => Claimed::Sha256,
        "SHA512" | "SHA-512" | "SHA2-512" => Claimed::Sha512,
        _ => return None,
    };
    let fits = kind_of(&digest) == Some(kind) && !name.is_empty();
    fits.then_some((digest, name))
}

fn hexadecimal(text: &str) -> Option<Vec<u8>> {
    let digits = matches!(text.len(), 32 | 40 | 64 | 128);
    let text = digits.then_some(text.as_bytes())?;
    HEXLOWER_PERMISSIVE.decode(text).ok()
}

/// A name as GNU's tools escape it; nothing where it is not one.
fn unescaped(name: &str) -> Option<String> {
    let mut plain = String::with_capacity(name.len());
    let mut letters = name.chars();
    while let Some(letter) = letters.next() {
        plain.push(match letter {
            '\\' => match letters.next()? {
                '\\' => '\\',
                'n' => '\n',
                'r' => '\r',
                _ => return None,
            },
            letter => letter,
        });
    }
    Some(plain)
}

/// The name as seen from the file's own folder: `./x` is `x`, and so is `/srv/backups/x`, as one
/// writes it who names the files whole.
fn in_folder(name: &str) -> &str {
    let mut name = name;
    while let Some(rest) = name.strip_prefix("./") {
        name = rest;
    }
    match name.starts_with('/') {
        true => name.rsplit('/').next().unwrap_or(name),
        false => name,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const MD5: &str = "25f9e794323b453885f5181f1b624d0b";
    const SHA1: &str = "f7c3bc1d808e04732adf679965ccc34ca7ae3441";
    const SHA256: &str = "15e2b0d3c33891ebb0f1ef609ec419420c20e320ce94c65fbc8c3312448eb225";

    fn said(text: &str) -> Vec<(Claimed, String)> {
        Sums::parse(text.as_bytes(), None).of("x y.tar")
    }

    #[test]
    fn lines_as_the_tools_write_them() {
        let upper = SHA256.to_uppercase();
        for line in [
            format!("{SHA256}  x y.tar\n"),
            format!("{SHA256} *x y.tar\r\n"),
            format!("{SHA256} x y.tar"),
            format!("{SHA256}\tx y.tar"),
            format!("{upper}  ./x y.tar\n"),
            format!("{SHA256}  /srv/backups/x y.tar\n"),
            format!("{SHA256}  .//srv/backups/x y.tar\n"),
            format!("SHA256 (x y.tar) = {SHA256}\n"),
            format!("SHA2-256(x y.tar)= {SHA256}\n"),
            format!("\u{feff}{SHA256}  x y.tar\n"),
            format!("# a comment\n\n; another\n{SHA256}  x y.tar\n{SHA256}  other"),
            format!("{SHA256}  x y.tar\n{SHA256}  x y.tar\n"),
            format!(
                "-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA256\n\n- {SHA256}  x y.tar\n\
                 -----BEGIN PGP SIGNATURE-----\n\n{}\n=abcd\n-----END PGP SIGNATURE-----\n",
                "iQIzBAEBCAAdFiEE0123456789abcdefABCDEFghijklmnopqrstuvwxyzABCDEF"
            ),
        ] {
            let expected = [(Claimed::Sha256, SHA256.to_owned())];
            assert_eq!(said(&line), expected, "{line}");
        }
        let utf16: Vec<u8> = format!("\u{feff}{MD5}  x y.tar\r\n")
            .encode_utf16()
            .flat_map(u16::to_le_bytes)
            .collect();
        let expected = [(Claimed::Md5, MD5.to_owned())];
        assert_eq!(Sums::parse(&utf16, None).of("x y.tar"), expected);
        let big: Vec<u8> = utf16
            .chunks(2)
            .flat_map(|pair| [pair[1], pair[0]])
            .collect();
        assert_eq!(Sums::parse(&big, None).of("x y.tar"), expected);
    }

    #[test]
    fn names_that_are_escaped() {
        let sums = Sums::parse(
            format!("\\{MD5}  a\\nb\\\\c\n\\MD5 (d\\re) = {MD5}\n\\{MD5}  f\\x\n{MD5}  g\\n\n")
                .as_bytes(),
            None,
        );
        for (name, known) in [
            ("a\nb\\c", true),
            ("d\re", true),
            ("f\\x", false),
            ("f", false),
            ("g\\n", true),
        ] {
            assert_eq!(sums.of(name).len(), usize::from(known), "{name:?}");
        }
    }

    #[test]
    fn several_kinds_and_several_words() {
        let other = SHA256.replace('1', "2");
        let all = format!(
            "MD5 (x y.tar) = {MD5}\nSHA1 (x y.tar) = {SHA1}\nSHA256 (x y.tar) = {SHA256}\n"
        );
        let mut kinds: Vec<Claimed> = said(&all).into_iter().map(|(kind, _)| kind).collect();
        kinds.sort_by_key(|kind| format!("{kind:?}"));
        assert_eq!(kinds, [Claimed::Md5, Claimed::Sha1, Claimed::Sha256]);
        // One name with two digests of a kind: nobody knows which.
        let both = format!("{MD5}  x y.tar\n{SHA256}  x y.tar\n{other}  x y.tar\n");
        assert_eq!(said(&both), [(Claimed::Md5, MD5.to_owned())]);
        // A file that says what it holds.
        let sums = Sums::parse(both.as_bytes(), Some(Claimed::Sha256));
        assert_eq!(sums.of("x y.tar"), []);
        let sums = Sums::parse(all.as_bytes(), Some(Claimed::Sha256));
        assert_eq!(sums.of("x y.tar"), [(Claimed::Sha256, SHA256.to_owned())]);
        let names: Vec<&str> = sums.each().map(|(name, _)| name).collect();
        assert_eq!(names, ["x y.tar"]);
    }

    #[test]
    fn what_says_nothing() {
        for text in [
            String::new(),
            "\n\n".to_owned(),
            SHA256.to_owned(),
            format!("{SHA256}  another.tar"),
            format!("{SHA256}  folder/x y.tar"),
            format!("{}  x y.tar", &SHA256[1..]),
            format!("{SHA256}x y.tar"),
            format!("SHA512/256 (x y.tar) = {SHA256}"),
            format!("SHA1 (x y.tar) = {SHA256}"),
            format!("SHA256 (x y.tar) {SHA256}"),
            "g".repeat(64) + "  x y.tar",
        ] {
            assert_eq!(said(&text), [], "{text}");
        }
    }

    #[test]
    fn a_sidecar_is_for_one_file() {
        for (text, known) in [
            (format!("{MD5}\n"), true),
            (format!("{MD5}   \r\n"), true),
            (format!("{MD5}  x.tar\n"), true),
            (format!("{MD5}  /srv/x.tar\n"), true),
            (format!("{MD5}  srv/x.tar\n"), true),
            (format!("{MD5}  D:\\backups\\x.tar\n"), true),
            (format!("{MD5}  other.tar\n"), false),
            (format!("{MD5}\n{}\n", MD5.replace('2', "3")), false),
        ] {
            let sums = Sums::parse(text.as_bytes(), Some(Claimed::Md5));
            assert_eq!(sums.of_one("x.tar").len(), usize::from(known), "{text}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_without_panic(
            bytes in proptest::collection::vec(any::<u8>(), 0..200),
            text in "[0-9a-f(\\)=\\\\\\- *./xSHA256MD\n\r]{0,200}",
        ) {
            for bytes in [&bytes[..], text.as_bytes()] {
                let sums = Sums::parse(bytes, None);
                for (name, said) in sums.each() {
                    prop_assert_eq!(&sums.of(name), &said);
                    prop_assert!(said.len() <= 4);
                }
                let _ = sums.of_one("x");
            }
        }
    }
}
