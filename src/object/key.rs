//! Object keys and source names: text from outside, made into types whose existence is proof.

use crate::error::{Error, Kind, Result};
use serde::{Deserialize, Serialize};
use std::fmt::{self, Write as _};

/// The key of an object: 1 to 1,024 bytes of UTF-8, any characters at all, NUL and newline
/// included (Amazon S3 User Guide, "Naming Amazon S3 objects").
///
/// `Display` escapes control characters, so that a key can go to a terminal or a log. Use
/// [`ObjectKey::as_str`] for the bytes as they are.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ObjectKey(String);

/// The longest key that S3 allows, in bytes.
const MAX_KEY_BYTES: usize = 1024;

impl ObjectKey {
    /// Takes `key` as an object key; empty and overlong ones are refused.
    pub fn new(key: impl Into<String>) -> Result<Self> {
        let key = key.into();
        if key.is_empty() || key.len() > MAX_KEY_BYTES {
            return Err(Error::new(
                Kind::Run,
                format!(
                    "an object key of {} bytes (S3 allows 1 to {MAX_KEY_BYTES})",
                    key.len()
                ),
            ));
        }
        Ok(Self(key))
    }

    /// The key, byte for byte.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The keys that would be this key's folders: for `a/b/c`, `a` and `a/b`. Empty ones are
    /// left out, because no object has an empty key.
    pub fn ancestors(&self) -> impl Iterator<Item = &str> {
        self.0
            .match_indices('/')
            .filter_map(|(at, _)| self.0.get(..at))
            .filter(|folder| !folder.is_empty())
    }
}

impl TryFrom<String> for ObjectKey {
    type Error = Error;
    fn try_from(key: String) -> Result<Self> {
        Self::new(key)
    }
}

impl From<ObjectKey> for String {
    fn from(key: ObjectKey) -> Self {
        key.0
    }
}

impl fmt::Display for ObjectKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&printable(&self.0))
    }
}

/// `text` with control characters, bidirectional overrides and backslashes before them made
/// visible (`\n`, `\u{1b}`), safe to print on a terminal and on one line.
pub fn printable(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c if deceives(c) => {
                let _ = write!(out, "\\u{{{:x}}}", u32::from(c));
            }
            c => out.push(c),
        }
    }
    out
}

/// Whether `c` can do something to a terminal, or make one text look like another: control
/// characters, invisible ones, and those that turn the direction of writing.
pub fn deceives(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

/// The name of a source in the configuration, which is also its folder on the drive:
/// 1 to 64 of `a-z 0-9 - _`, starting with a letter or digit.
///
/// Lower case only, so that two sources cannot fold into one folder on exFAT or NTFS.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct SourceName(String);

impl SourceName {
    /// Takes `name` as a source's name, or says what a name may be.
    pub fn new(name: impl Into<String>) -> Result<Self> {
        let name = name.into();
        let fits = name
            .bytes()
            .all(|b| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_'))
            && name
                .bytes()
                .next()
                .is_some_and(|b| b.is_ascii_alphanumeric())
            && name.len() <= 64;
        if fits {
            Ok(Self(name))
        } else {
            Err(Error::new(
                Kind::Usage,
                format!("{name:?} is not a source name"),
            )
            .hint("a source's name is its folder on the drive: 1 to 64 of a-z, 0-9, '-' and '_', starting with a letter or digit"))
        }
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for SourceName {
    type Error = Error;
    fn try_from(name: String) -> Result<Self> {
        Self::new(name)
    }
}

impl std::str::FromStr for SourceName {
    type Err = Error;
    fn from_str(name: &str) -> Result<Self> {
        Self::new(name)
    }
}

impl From<SourceName> for String {
    fn from(name: SourceName) -> Self {
        name.0
    }
}

impl fmt::Display for SourceName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_one_to_1024_bytes() {
        assert!(ObjectKey::new("").is_err());
        assert!(ObjectKey::new("x".repeat(1024)).is_ok());
        assert!(ObjectKey::new("x".repeat(1025)).is_err());
        assert!(ObjectKey::new("é".repeat(513)).is_err());
    }

    #[test]
    fn terminal_escapes_do_not_reach_the_terminal() {
        let key = ObjectKey::new("a\x1b[2J\n\u{202e}b\0").unwrap();
        assert_eq!(key.to_string(), "a\\u{1b}[2J\\n\\u{202e}b\\u{0}");
        assert_eq!(key.as_str(), "a\x1b[2J\n\u{202e}b\0");
    }

    #[test]
    fn ancestors_of_a_key() {
        let of = |k: &str| {
            let key = ObjectKey::new(k).unwrap();
            key.ancestors().map(str::to_owned).collect::<Vec<_>>()
        };
        assert_eq!(of("a/b/c"), ["a", "a/b"]);
        assert_eq!(of("a//b"), ["a", "a/"]);
        assert_eq!(of("/a"), [""; 0]);
        assert_eq!(of("a"), [""; 0]);
    }

    #[test]
    fn source_names_are_safe_folders() {
        for good in ["www", "a", "db-2", "0_x"] {
            assert!(SourceName::new(good).is_ok(), "{good}");
        }
        for bad in ["", "..", "a/b", "A", "-x", "a b", "a\n", &"x".repeat(65)] {
            assert!(SourceName::new(bad).is_err(), "{bad:?}");
        }
    }
}
