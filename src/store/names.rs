//! Names on the drive: key → path and back. Pure; touches no disk.
//!
//! What holds, for every key and every [`Spelling`] of it:
//!
//! - **Total.** Every key of 1 to 1,024 bytes has a path, at most [`LONGEST`] bytes long.
//! - **Injective and reversible.** [`key_of`] reads the key back from the path alone, and refuses a
//!   path that no key can have.
//! - **Independent of arrival.** A path depends on the key, the store's [`NamingRule`] and the
//!   spelling, on nothing else.
//! - **Inside.** No component is empty, `.` or `..`, or holds a control byte or a backslash.
//! - **Plain.** An ordinary key is its own path.
//!
//! A character that cannot stand as itself is written `%XX`, byte by byte, in upper-case hex; a
//! literal `%` is always `%25`. So a `%` on the drive is always ours, and three more things can be
//! said with it that no key can say: `%v` begins a leaf of `history/` and `quarantine/`, a bare
//! `%` at the end of a folder's name means that the name goes on inside, and `%_` stands for
//! nothing at all (see [`Spelling`]).

mod fold;
mod segment;

pub use fold::fold;

use crate::error::{Error, Kind, Result};
use crate::object::{NameClaim, ObjectKey, Sha256, Timestamp};
use segment::How;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// What the drive's file system can spell; found by a probe when the store is made, and fixed for
/// the store's life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum NamingRule {
    /// Anything but `/` and NUL, 255 bytes a name (ext4, xfs, btrfs, f2fs).
    Posix,
    /// What Windows allows too, 255 bytes a name (exFAT, NTFS, SMB).
    Portable,
}

/// How a key is spelt where its plain spelling would clash with another key's.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Spelling {
    /// The key is also the folder of another key (`a` and `a/b`). The folder wins, and the first
    /// character of the file's name that stands as itself is escaped: `%61`. Where none does, the
    /// name ends in `%_`. Without meaning in `history/` and `quarantine/`, where every key is a
    /// folder.
    pub shadowed: bool,
    /// Which [`segments`] fold into a name that is spelt otherwise (see [`claims`]). Such a name
    /// begins with `%_`, and all its characters but the ASCII digits are escaped: folding changes
    /// nothing but the case of hex digits, so that it meets neither a name that is not respelt
    /// nor another that is.
    pub respelt: BTreeSet<usize>,
}

/// The longest path that this room can give, in bytes: a key of 1,024 bytes in one segment,
/// respelt, in `quarantine/`.
///
/// A key's byte takes at most 3 bytes. A name is cut no earlier than a character (at most 12
/// bytes) before its end, so that a continuation holds at least 255 - 12 = 243 bytes without its
/// `%`, that is 81 bytes of the key; there are at most 12 of them, each adding `%/`. Another
/// segment would add nothing: its `%_` and the slash before it take 3 bytes for one of the key.
/// The path of a note beside the leaf (`….txt`) is longer by its ending.
pub const LONGEST: usize =
    "quarantine/".len() + "%_".len() + 3 * 1024 + 12 * "%/".len() + "/".len() + LONG_LEAF;

/// The length of a leaf with the whole digest, in bytes.
const LONG_LEAF: usize = "%v20261121T030000Z-".len() + 64;

/// Where the newest good version of `key` stands.
pub fn latest(rule: NamingRule, key: &ObjectKey, spelling: &Spelling) -> String {
    spelt("latest", rule, key, spelling, spelling.shadowed)
}

/// Where another version of `key` stands: stored `at`, with this digest.
pub fn history(
    rule: NamingRule,
    key: &ObjectKey,
    spelling: &Spelling,
    at: Timestamp,
    sha256: &Sha256,
) -> String {
    beneath("history", rule, key, spelling, at, &sha256.short())
}

/// As [`history`], with all 64 digits, for when that name is taken by other bytes.
pub fn history_long(
    rule: NamingRule,
    key: &ObjectKey,
    spelling: &Spelling,
    at: Timestamp,
    sha256: &Sha256,
) -> String {
    beneath("history", rule, key, spelling, at, &sha256.to_string())
}

/// Where bytes stand that contradicted their evidence.
pub fn quarantine(
    rule: NamingRule,
    key: &ObjectKey,
    spelling: &Spelling,
    at: Timestamp,
    sha256: &Sha256,
) -> String {
    beneath("quarantine", rule, key, spelling, at, &sha256.short())
}

/// As [`quarantine`], with all 64 digits, for when that name is taken by other bytes.
pub fn quarantine_long(
    rule: NamingRule,
    key: &ObjectKey,
    spelling: &Spelling,
    at: Timestamp,
    sha256: &Sha256,
) -> String {
    beneath("quarantine", rule, key, spelling, at, &sha256.to_string())
}

/// The key whose path this is, in any of the three areas, by either rule, in any spelling.
///
/// A path that no key can have is an error: offsite did not write it.
pub fn key_of(path: &str) -> Result<ObjectKey> {
    read(path).ok_or_else(|| {
        Error::new(Kind::Damaged, format!("{path:?} is not the path of a key"))
            .hint("offsite never writes such a name: move the file out of the store")
    })
}

/// The time in the leaf of a path in `history/` or `quarantine/`: the bucket's, to the second.
pub fn time_of(path: &str) -> Option<Timestamp> {
    let (_, leaf) = path.rsplit_once('/')?;
    let (time, _) = leaf.strip_prefix("%v")?.split_once('-')?;
    let time = jiff::civil::DateTime::strptime("%Y%m%dT%H%M%SZ", time).ok()?;
    time.to_zoned(jiff::tz::TimeZone::UTC)
        .ok()
        .map(|zoned| zoned.timestamp())
}

/// The segments of `key`, which [`Spelling::respelt`] counts from 0: the key cut at each slash
/// that is not the first character, not the last, and not behind another slash. The slashes that
/// do not cut belong to their segment, and are escaped in it.
pub fn segments(key: &ObjectKey) -> impl Iterator<Item = &str> {
    let text = key.as_str();
    let separates =
        |at: &usize| *at > 0 && at + 1 < text.len() && text.as_bytes().get(at - 1) != Some(&b'/');
    text.match_indices('/')
        .map(|(at, _)| at)
        .filter(separates)
        .chain([text.len()])
        .scan(0, |from, to| {
            let segment = text.get(*from..to);
            *from = to + 1;
            segment
        })
}

/// The names that a path takes up, with the number of the segment each belongs to: one for each
/// component below the area, leaves of `history/` and `quarantine/` left out.
///
/// On a drive that folds case, a segment is to be respelt where the claim's folder holds the same
/// `folded` under another `name`; this changes the folders of the segments behind it, so ask again
/// from the new path. Where a key is shadowed, its plain path is to be asked about too: the file
/// `a` and the folder `a` of `a/b` are then respelt alike.
pub fn claims(path: &str) -> Vec<(usize, NameClaim)> {
    let mut segment = 0;
    let mut claims = Vec::new();
    for (slash, _) in path.match_indices('/') {
        let (Some(folder), Some(rest)) = (path.get(..slash), path.get(slash + 1..)) else {
            continue;
        };
        let name = rest.split('/').next().unwrap_or(rest);
        if name.starts_with("%v") {
            break;
        }
        claims.push((
            segment,
            NameClaim {
                folder: folder.to_owned(),
                folded: fold(name),
                name: name.to_owned(),
            },
        ));
        if !name.ends_with('%') {
            segment += 1;
        }
    }
    claims
}

/// `area/<key>`.
fn spelt(
    area: &str,
    rule: NamingRule,
    key: &ObjectKey,
    spelling: &Spelling,
    shadowed: bool,
) -> String {
    let mut path = String::from(area);
    let mut parts = segments(key).enumerate().peekable();
    while let Some((number, segment)) = parts.next() {
        path.push('/');
        let how = How {
            rule,
            respelt: spelling.respelt.contains(&number),
            shadowed: shadowed && parts.peek().is_none(),
        };
        segment::spell(segment, how, &mut path);
    }
    path
}

/// `area/<key as folders>/%v<UTC>-<digest>`.
fn beneath(
    area: &str,
    rule: NamingRule,
    key: &ObjectKey,
    spelling: &Spelling,
    at: Timestamp,
    digest: &str,
) -> String {
    let mut path = spelt(area, rule, key, spelling, false);
    // A year before 1970 is no bucket's time, and one before 0 would not fit the form.
    let at = at.max(Timestamp::UNIX_EPOCH);
    path.push_str(&at.strftime("/%%v%Y%m%dT%H%M%SZ-").to_string());
    path.push_str(digest);
    path
}

/// The key of `path`, if it is the path of one.
fn read(path: &str) -> Option<ObjectKey> {
    let (area, below) = path.split_once('/')?;
    let (spelling, is_file) = match area {
        "latest" => (below, true),
        "history" | "quarantine" => {
            let (folders, leaf) = below.rsplit_once('/')?;
            is_leaf(leaf).then_some((folders, false))?
        }
        _ => return None,
    };
    // Decoding is lenient; spelling the result again shows whether it is what we would write.
    let key = ObjectKey::new(segment::decode(spelling)?).ok()?;
    [NamingRule::Posix, NamingRule::Portable]
        .into_iter()
        .any(|rule| spells(rule, spelling, &key, is_file))
        .then_some(key)
}

/// Whether `leaf` is `%v20261121T030000Z-` and 16 or 64 digits of a digest.
fn is_leaf(leaf: &str) -> bool {
    let form = |text: &str| {
        text.bytes()
            .map(|b| if b.is_ascii_digit() { '0' } else { b.into() })
            .eq("00000000T000000Z".chars())
    };
    leaf.strip_prefix("%v")
        .and_then(|rest| rest.split_once('-'))
        .is_some_and(|(time, digest)| {
            form(time)
                && matches!(digest.len(), 16 | 64)
                && digest
                    .bytes()
                    .all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
        })
}

/// Whether `path` (without its area) is `key` in one of its spellings.
fn spells(rule: NamingRule, path: &str, key: &ObjectKey, is_file: bool) -> bool {
    let mut rest = path;
    let mut one = String::new();
    let mut parts = segments(key).peekable();
    while let Some(segment) = parts.next() {
        let last = parts.peek().is_none();
        let mut behind = |shadowed| {
            let how = How {
                rule,
                respelt: rest.starts_with("%_"),
                shadowed,
            };
            one.clear();
            segment::spell(segment, how, &mut one);
            rest.strip_prefix(one.as_str())
        };
        if last {
            let ends_with = |shadowed| behind(shadowed) == Some("");
            return [false, is_file].into_iter().any(ends_with);
        }
        match behind(false).and_then(|behind| behind.strip_prefix('/')) {
            Some(behind) => rest = behind,
            None => return false,
        }
    }
    false
}

#[cfg(test)]
mod tests;
