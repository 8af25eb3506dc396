//! Names in a repository of restic or rustic: locks, and what names what. Pure.

use crate::object::{ObjectKey, Sha256};

/// The most bytes that a lock file of a restic repository has; theirs are some two hundred.
pub const RESTIC_LOCK_MAX: u64 = 16 * 1024;

/// Where `key` is named like a lock of a restic or rustic repository (`<root>locks/<64 hex>`), the
/// key of the `config` that makes `<root>` a repository.
///
/// Such a lock is recorded and never stored: in `latest/` it would lock the copy at home too, for
/// as long as the copy exists, because nothing there is ever removed.
///
/// The name alone does not make a lock. The caller also checks that the config is a known key of
/// the same source, and that the object has at most [`RESTIC_LOCK_MAX`] bytes, so that nobody
/// keeps a backup from being stored by naming it like a lock. (Layout: restic's design document,
/// "Repository Layout".)
pub fn restic_lock(key: &ObjectKey) -> Option<ObjectKey> {
    let (folder, name) = key.as_str().rsplit_once('/')?;
    Sha256::from_hex(name)?;
    let root = folder.strip_suffix("locks")?;
    if !root.is_empty() && !root.ends_with('/') {
        return None;
    }
    ObjectKey::new(format!("{root}config")).ok()
}

/// What the name of an object in a restic or rustic repository says of its bytes: that this is
/// their SHA-256.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ContentName {
    /// The key of the `config` that makes the folders a repository.
    pub config: ObjectKey,
    /// The SHA-256.
    pub sha256: Sha256,
}

/// Where `key` is named like a file of a restic or rustic repository, what that says: packs are
/// `<root>data/<first two digits>/<64 hex>`, and `index/`, `snapshots/` and `keys/` hold
/// `<64 hex>`, each named after the SHA-256 of its content. (restic's design document, "Repository
/// Layout".)
///
/// The name alone does not make a repository: the caller also checks that `config` is a known key
/// of the same source.
pub fn content_name(key: &ObjectKey) -> Option<ContentName> {
    let (folder, name) = key.as_str().rsplit_once('/')?;
    let sha256 = Sha256::from_hex(name)?;
    let root = match folder.rsplit_once('/') {
        // A pack lies in a folder of its first two digits.
        Some((data, digits)) if name.get(..2) == Some(digits) => data.strip_suffix("data")?,
        _ => ["index", "snapshots", "keys"]
            .iter()
            .find_map(|part| folder.strip_suffix(part))?,
    };
    if !root.is_empty() && !root.ends_with('/') {
        return None;
    }
    let config = ObjectKey::new(format!("{root}config")).ok()?;
    Some(ContentName { config, sha256 })
}

/// How late an object is fetched in its run: a later rank names objects of an earlier one.
///
/// A restic or rustic repository is whole at every moment if packs come before the `index/` that
/// names them, and that before the `snapshots/`: a run that ends in between leaves packs too many
/// and never a snapshot without its data. (Layout: restic's design document, "Repository Layout".)
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Rank {
    /// Names no other object, as far as we can tell.
    Data,
    /// An index of a repository.
    Index,
    /// A snapshot of a repository.
    Snapshot,
}

/// The rank of `key`, by its name alone: to fetch some object late does no harm.
pub fn rank(key: &ObjectKey) -> Rank {
    let mut parts = key.as_str().rsplit('/');
    let (name, folder) = (parts.next(), parts.next());
    if name.and_then(Sha256::from_hex).is_none() {
        return Rank::Data;
    }
    match folder {
        Some("index") => Rank::Index,
        Some("snapshots") => Rank::Snapshot,
        _ => Rank::Data,
    }
}

/// Whether `key` is named like a part of a repository that others name: a pack or an index.
pub fn is_part(key: &ObjectKey) -> bool {
    let name = key.as_str().rsplit('/').next();
    rank(key) < Rank::Snapshot && name.and_then(Sha256::from_hex).is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_are_digests() {
        let hex = "0123456789abcdef".repeat(4);
        for (key, config) in [
            (format!("data/01/{hex}"), Some("config")),
            (format!("repos/www/data/01/{hex}"), Some("repos/www/config")),
            (format!("index/{hex}"), Some("config")),
            (format!("www/snapshots/{hex}"), Some("www/config")),
            (format!("www/keys/{hex}"), Some("www/config")),
            (format!("data/02/{hex}"), None),
            (format!("data/{hex}"), None),
            (format!("metadata/01/{hex}"), None),
            (format!("reindex/{hex}"), None),
            (format!("locks/{hex}"), None),
            (format!("data/01/{}", &hex[1..]), None),
            (hex.clone(), None),
        ] {
            let found = content_name(&ObjectKey::new(key.clone()).unwrap());
            let expected = config.map(|config| ContentName {
                config: ObjectKey::new(config).unwrap(),
                sha256: Sha256::from_hex(&hex).unwrap(),
            });
            assert_eq!(found, expected, "{key}");
        }
    }

    #[test]
    fn locks_and_what_only_looks_like_them() {
        let hex = "0123456789abcdef".repeat(4);
        for (key, config) in [
            (format!("locks/{hex}"), Some("config")),
            (format!("repos/www/locks/{hex}"), Some("repos/www/config")),
            (format!("/locks/{hex}"), Some("/config")),
            (format!("locks/locks/{hex}"), Some("locks/config")),
            (format!("airlocks/{hex}"), None),
            (format!("www-locks/{hex}"), None),
            (format!("Locks/{hex}"), None),
            (format!("locks/{}", hex.to_uppercase()), None),
            (format!("locks/{hex}0"), None),
            (format!("locks/{}", &hex[1..]), None),
            (format!("locks/x/{hex}"), None),
            (format!("locks/{hex}/"), None),
            (format!("snapshots/{hex}"), None),
            (hex.clone(), None),
            ("locks/".to_owned(), None),
            ("locks".to_owned(), None),
        ] {
            let found = restic_lock(&ObjectKey::new(key.as_str()).unwrap());
            assert_eq!(found.as_ref().map(ObjectKey::as_str), config, "{key}");
        }
    }

    #[test]
    fn what_names_others_comes_after_them() {
        let hex = "0123456789abcdef".repeat(4);
        for (key, expected) in [
            (format!("data/01/{hex}"), Rank::Data),
            (format!("index/{hex}"), Rank::Index),
            (format!("repos/www/snapshots/{hex}"), Rank::Snapshot),
            ("snapshots/monday.tar.age".to_owned(), Rank::Data),
            ("index/".to_owned(), Rank::Data),
            (hex.clone(), Rank::Data),
        ] {
            assert_eq!(
                rank(&ObjectKey::new(key.clone()).unwrap()),
                expected,
                "{key}"
            );
        }
        assert!(Rank::Data < Rank::Index && Rank::Index < Rank::Snapshot);
    }
}
