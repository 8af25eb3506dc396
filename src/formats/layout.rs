//! Formats that are known by where an object lies: parts of a repository, whose other files say
//! what it is, and metadata that an uploader set.
//!
//! Sources: restic's design document ("Repository Layout", "Keys"), gocryptfs's file format, Cryptomator's
//! vault format 8, kopia's architecture and source (`format_blob.go`), Duplicacy's wiki, the documentation of
//! the Amazon S3 Encryption Client (its object metadata).

use super::body::{Body, raw};
use super::claim::{Claim, Nature, encrypted, metadata, plaintext, unclear};
use super::format::Format;
use super::reader::find;
use super::samples::Samples;
use crate::object::{ObjectKey, Sha256};
use serde_json::Value;

/// A repository that an object may be part of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Repository {
    /// Which kind.
    pub format: Format,
    /// The key of the file that makes it one.
    pub marker: ObjectKey,
}

/// The repositories that `key` is named like a part of, nearest first.
///
/// The name alone proves nothing. The caller looks which marker is a known key of the same source, and
/// hands that format to [`judge`](super::judge()): so nobody passes readable files for a
/// repository's by naming them so, unless there is a repository.
pub fn repositories(key: &ObjectKey) -> Vec<Repository> {
    let key = key.as_str();
    let (folder, name) = key.rsplit_once('/').unwrap_or(("", key));
    let at = |format, folder: &str, marker: &str| {
        let marker = match folder {
            "" => marker.to_owned(),
            folder => format!("{folder}/{marker}"),
        };
        let marker = ObjectKey::new(marker).ok()?;
        Some(Repository { format, marker })
    };
    let mut found = Vec::new();
    found.extend(restic_root(folder, name).and_then(|root| at(Format::Restic, root, "config")));
    found.extend(
        vault_root(folder, name)
            .and_then(|root| at(Format::Cryptomator, root, "vault.cryptomator")),
    );
    if is_kopia(name) {
        found.extend(at(Format::Kopia, folder, "kopia.repository"));
    }
    if let Some((root, _)) = format!("/{key}").rsplit_once("/chunks/") {
        found.extend(at(
            Format::Duplicacy,
            root.trim_start_matches('/'),
            "config",
        ));
    }
    let mut above = Some(folder);
    while let Some(folder) = above {
        found.extend(at(Format::Gocryptfs, folder, "gocryptfs.conf"));
        above =
            (!folder.is_empty()).then(|| folder.rsplit_once('/').map_or("", |(above, _)| above));
    }
    found
}

/// Where `key` is named like a file that Borg itself drops or writes anew (segments `data/N/N`, `index.N`,
/// `hints.N`, `integrity.N`, locks), the key of the `config` that makes its folder a repository. (Borg's
/// documentation, "Data structures and file formats", "Repository".)
///
/// As for [`repositories`], the caller looks whether that key is known.
pub fn borg_part(key: &ObjectKey) -> Option<ObjectKey> {
    let key = key.as_str();
    let (folder, name) = key.rsplit_once('/').unwrap_or(("", key));
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    let in_segments = || {
        let (data, number) = folder.rsplit_once('/')?;
        let root = data.strip_suffix("data")?;
        (is_number(name) && is_number(number)).then_some(root)
    };
    let in_root = || {
        let stem = name.split_once('.').filter(|(_, number)| is_number(number));
        let numbered =
            stem.is_some_and(|(stem, _)| matches!(stem, "index" | "hints" | "integrity"));
        (numbered || name == "lock.roster").then(|| key.strip_suffix(name))?
    };
    let in_lock = || folder.strip_suffix("lock.exclusive");
    let root = in_segments().or_else(in_root).or_else(in_lock)?;
    let whole = root.is_empty() || root.ends_with('/');
    ObjectKey::new(format!("{root}config"))
        .ok()
        .filter(|_| whole)
}

/// Whether `key` is named like a lock of a Borg repository.
pub fn is_borg_lock(key: &ObjectKey) -> bool {
    let mut parts = key.as_str().rsplit('/');
    parts.next() == Some("lock.roster") || parts.next() == Some("lock.exclusive")
}

/// The folder of a restic repository: `config`, and below `data/xx/`, `index/`, `snapshots/`, `keys/` and
/// `locks/` files that are named by their SHA-256.
fn restic_root<'a>(folder: &'a str, name: &str) -> Option<&'a str> {
    if name == "config" {
        return Some(folder);
    }
    Sha256::from_hex(name)?;
    let folder = folder
        .strip_suffix(name.get(..2)?)
        .map_or(folder, |data| data.strip_suffix('/').unwrap_or(folder));
    let root = ["data", "index", "snapshots", "keys", "locks"]
        .iter()
        .find_map(|kind| folder.strip_suffix(kind))?;
    match root.strip_suffix('/') {
        Some(root) => Some(root),
        None => root.is_empty().then_some(""),
    }
}

/// The folder of a Cryptomator vault: below `d/XX/<30>/` lie `*.c9r` and `*.c9s/…`.
fn vault_root<'a>(folder: &'a str, name: &str) -> Option<&'a str> {
    let of_it = name.ends_with(".c9r") || name.ends_with(".c9s");
    if !of_it {
        return None;
    }
    let at = format!("/{folder}/").rfind("/d/")?;
    folder.get(..at.saturating_sub(1))
}

/// `p` (packs), `q` (their metadata), `x` and `n` (indexes), `s` (sessions): a letter, hexadecimal digits,
/// and what follows a dash.
fn is_kopia(name: &str) -> bool {
    let long = || {
        let rest = name.strip_prefix(['p', 'q', 'x', 'n', 's'])?;
        let rest = rest.split_once('_').map_or(rest, |(_, rest)| rest);
        let id = rest.split('-').next()?;
        let hex = id.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
        Some(hex && id.len() >= 16 && rest.len() > id.len())
    };
    long().unwrap_or(false) || name.starts_with("_log_") || name == "kopia.blobcfg"
}

/// What the files say that hold a repository together: by their place and their own content.
pub(super) fn keystone(key: &ObjectKey, samples: &Samples) -> Option<Claim> {
    let name = key.as_str().rsplit('/').next()?;
    let whole = || serde_json::from_slice::<Value>(samples.head()).ok();
    let has = |value: &Value, fields: &[&str]| fields.iter().all(|f| value.get(f).is_some());
    let in_keys = || key.as_str().rsplit('/').nth(1) == Some("keys");
    match name {
        "kopia.repository" => {
            let value = whole()?;
            if has(&value, &["encryptedBlockFormat"]) {
                metadata(Format::Kopia)
            } else if has(&value, &["blockFormat"]) {
                plaintext(Format::Kopia)
            } else {
                None
            }
        }
        "gocryptfs.conf" => has(&whole()?, &["EncryptedKey", "ScryptObject"])
            .then(|| metadata(Format::Gocryptfs))?,
        "gocryptfs.diriv" => (samples.length() == 16).then(|| metadata(Format::Gocryptfs))?,
        "masterkey.cryptomator" => has(&whole()?, &["scryptSalt", "primaryMasterKey"])
            .then(|| metadata(Format::Cryptomator))?,
        // A signed token: three parts in base64.
        "vault.cryptomator" => (samples.length() <= NOTE && samples.head().starts_with(b"eyJ"))
            .then(|| metadata(Format::Cryptomator))?,
        name if in_keys() && Sha256::from_hex(name).is_some() => {
            has(&whole()?, &["kdf", "salt", "data"]).then(|| metadata(Format::Restic))?
        }
        _ if samples.length() <= NOTE && is_note_of_borg(name, samples.head()) => {
            metadata(Format::Borg)
        }
        _ if name.starts_with("hints.") => (find(samples.head().get(..16)?, b"version").is_some()
            && find(samples.head(), b"segments").is_some())
        .then(|| metadata(Format::Borg))?,
        _ => None,
    }
}

/// So short are the notes that hold a repository together: less than this hides no backup.
const NOTE: u64 = 4096;

/// The small files of Borg 1: settings (with the wrapped key), a text for people, digests of its own
/// files, the counter.
fn is_note_of_borg(name: &str, head: &[u8]) -> bool {
    let says = |word: &[u8]| find(head, word).is_some();
    match name {
        "config" => head.starts_with(b"[repository]\n"),
        "README" => says(b"Borg Backup repository"),
        "nonce" => head.len() == 16 && head.iter().all(u8::is_ascii_hexdigit),
        _ => name.starts_with("integrity.") && says(b"version") && says(b"hints"),
    }
}

/// What a repository that is known to be there says of its other files.
pub(super) fn part(format: Format, key: &ObjectKey, samples: &Samples) -> Option<Claim> {
    let name = key.as_str().rsplit('/').next()?;
    let head = samples.head();
    match format {
        // From the first byte to the last: nonces, ciphertext and codes; the length at the end of a
        // pack are four bytes.
        // A config of restic's is some 150 bytes long, and it is its own marker.
        Format::Restic if name == "config" && samples.length() > 4096 => None,
        Format::Restic => encrypted(Format::Restic, raw(0)),
        Format::Kopia => encrypted(Format::Kopia, kopia_body(samples)),
        // A version, an id that is random, and blocks.
        // Where the file has a hole, so has this.
        Format::Gocryptfs if head.starts_with(&[0, 2]) && samples.length() >= 18 => {
            encrypted(Format::Gocryptfs, Body::Sparse { from: 18 })
        }
        Format::Gocryptfs
            if samples.length() <= NOTE
                && name.starts_with("gocryptfs.longname.")
                && name.ends_with(".name") =>
        {
            metadata(Format::Gocryptfs)
        }
        // The id of a folder, and a long name, are text.
        Format::Cryptomator if matches!(name, "dir.c9r" | "name.c9s") => {
            metadata(Format::Cryptomator)
        }
        Format::Cryptomator => encrypted(Format::Cryptomator, raw(0)),
        // Encrypted chunks begin with a magic.
        Format::Duplicacy if head.starts_with(b"LZ4 ") || head.starts_with(b"\x78") => {
            plaintext(Format::Duplicacy)
        }
        Format::Duplicacy => unclear(Format::Duplicacy),
        _ => None,
    }
}

/// Old packs of kopia begin and end with a copy of `kopia.repository` and its checksum, between its
/// length and its length.
fn kopia_body(samples: &Samples) -> Body {
    let head = samples.head();
    let copy = || {
        let length = u16::from_le_bytes(*head.first_chunk()?);
        let json = head.get(2..2 + usize::from(length).checked_sub(32)?)?;
        let value: Value = serde_json::from_slice(json).ok()?;
        value.get("encryptedBlockFormat")?;
        Some(u64::from(length) + 4)
    };
    let copy = copy().unwrap_or(0);
    Body::Raw {
        from: copy,
        until: samples.length().saturating_sub(copy),
    }
}

/// What an uploader's metadata says, and names without any other sign.
pub(super) fn said(key: &ObjectKey, fields: &[(String, String)]) -> Option<Claim> {
    let says = |name: &str| {
        let same = |given: &str| {
            let given = given.to_ascii_lowercase();
            given.strip_prefix("x-amz-meta-").unwrap_or(&given) == name
        };
        fields.iter().any(|(given, _)| same(given))
    };
    if says("x-amz-iv") && (says("x-amz-key-v2") || says("x-amz-key")) {
        return encrypted(Format::S3Client, raw(0));
    }
    let (format, body) = match key.as_str().rsplit_once('.')?.1 {
        "cpt" => (Format::Ccrypt, raw(0)),
        "hc" => (Format::VeraCrypt, Body::Sparse { from: 0 }),
        _ => return None,
    };
    let nature = Nature::Presumed(body);
    Some(Claim { format, nature })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn markers(key: &str) -> Vec<String> {
        let all = repositories(&ObjectKey::new(key).unwrap()).into_iter();
        all.filter(|r| r.format != Format::Gocryptfs)
            .map(|r| format!("{} {}", r.format, r.marker))
            .collect()
    }

    #[test]
    fn places_in_repositories() {
        let hex = "ab".repeat(32);
        for (key, expected) in [
            (format!("data/ab/{hex}"), "restic config"),
            (
                format!("repos/www/data/ab/{hex}"),
                "restic repos/www/config",
            ),
            (format!("r/index/{hex}"), "restic r/config"),
            (format!("keys/{hex}"), "restic config"),
            ("r/config".to_owned(), "restic r/config"),
            (format!("metadata/{hex}"), ""),
            (format!("data/{hex}x"), ""),
            (
                "v/d/AB/XYZ/name.c9r".to_owned(),
                "cryptomator v/vault.cryptomator",
            ),
            (
                "d/AB/XYZ/n.c9s/contents.c9r".to_owned(),
                "cryptomator vault.cryptomator",
            ),
            (
                "k/p0123456789abcdef0123456789abcdef-s0123456789abcdef".to_owned(),
                "kopia k/kopia.repository",
            ),
            ("photos".to_owned(), ""),
            ("s/chunks/ab/cd".to_owned(), "duplicacy s/config"),
        ] {
            assert_eq!(markers(&key).join(", "), expected, "{key}");
        }
        let above = repositories(&ObjectKey::new("a/b/c").unwrap());
        let above: Vec<_> = above.iter().map(|r| r.marker.as_str()).collect();
        assert_eq!(
            above,
            ["a/b/gocryptfs.conf", "a/gocryptfs.conf", "gocryptfs.conf"]
        );
    }
}
