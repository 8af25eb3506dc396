//! Files that say something about the files beside them, by their names alone: `KEY.sha256` and
//! its like, `SHA256SUMS` and its like about all of a folder, and `KEY.minisig`.

use super::claims::Claimed;
use crate::object::ObjectKey;

/// What a file is named like that is about other files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Beside {
    /// `KEY.sha256`, `.sha512`, `.sha1`, `.md5`: a digest of one object.
    Sidecar {
        /// The object.
        of: ObjectKey,
        /// Which digest.
        kind: Claimed,
    },
    /// `SHA256SUMS`, `md5sum.txt`, `CHECKSUM` and their like: digests of the objects in its folder.
    Sums {
        /// Which digest, where the name tells.
        kind: Option<Claimed>,
    },
    /// `KEY.minisig`: a signature of one object.
    Signature {
        /// The object.
        of: ObjectKey,
    },
}

const EXTENSIONS: [(&str, Claimed); 4] = [
    ("sha256", Claimed::Sha256),
    ("sha512", Claimed::Sha512),
    ("sha1", Claimed::Sha1),
    ("md5", Claimed::Md5),
];
/// All in capitals or all in small letters, each also with `.txt`.
const SUMS: [(&str, Option<Claimed>); 10] = [
    ("sha256sums", Some(Claimed::Sha256)),
    ("sha256sum", Some(Claimed::Sha256)),
    ("sha512sums", Some(Claimed::Sha512)),
    ("sha512sum", Some(Claimed::Sha512)),
    ("sha1sums", Some(Claimed::Sha1)),
    ("sha1sum", Some(Claimed::Sha1)),
    ("md5sums", Some(Claimed::Md5)),
    ("md5sum", Some(Claimed::Md5)),
    ("checksums", None),
    ("checksum", None),
];

/// What `key` is named like, where that is something about other files.
pub fn beside(key: &ObjectKey) -> Option<Beside> {
    let name = last_segment(key.as_str());
    let stem = name.strip_suffix(".txt").unwrap_or(name);
    let one_case = stem.bytes().all(|b| !b.is_ascii_lowercase())
        || stem.bytes().all(|b| !b.is_ascii_uppercase());
    let mut sums = SUMS.into_iter();
    if one_case && let Some((_, kind)) = sums.find(|(sums, _)| sums.eq_ignore_ascii_case(stem)) {
        return Some(Beside::Sums { kind });
    }
    let (of, extension) = key.as_str().rsplit_once('.')?;
    // A name that is nothing but an extension is about no object.
    let of = ObjectKey::new(of).ok();
    let of = of.filter(|_| name.len() > extension.len() + 1)?;
    if extension == "minisig" {
        return Some(Beside::Signature { of });
    }
    let mut extensions = EXTENSIONS.into_iter();
    let (_, kind) = extensions.find(|(known, _)| *known == extension)?;
    Some(Beside::Sidecar { of, kind })
}

/// The keys under which a digest of `key` alone would lie.
pub fn sidecars_of(key: &ObjectKey) -> impl Iterator<Item = (ObjectKey, Claimed)> {
    let keys = EXTENSIONS.into_iter().map(move |(extension, kind)| {
        let key = ObjectKey::new(format!("{}.{extension}", key.as_str()));
        key.ok().map(|key| (key, kind))
    });
    keys.flatten()
}

/// The keys under which the digests of all in `folder` (`""`, or with its slash) would lie.
pub fn sums_in(folder: &str) -> impl Iterator<Item = (ObjectKey, Option<Claimed>)> {
    let spelt = SUMS.into_iter().flat_map(|(name, kind)| {
        let (small, large) = (name.to_owned(), name.to_ascii_uppercase());
        [
            (format!("{small}.txt"), kind),
            (format!("{large}.txt"), kind),
            (small, kind),
            (large, kind),
        ]
    });
    spelt.filter_map(move |(name, kind)| {
        let key = ObjectKey::new(format!("{folder}{name}")).ok()?;
        Some((key, kind))
    })
}

/// The folder that `key` lies in, with its slash; `""` at the top.
pub fn folder_of(key: &str) -> &str {
    key.get(..key.len() - last_segment(key).len()).unwrap_or("")
}

/// The name of `key` within its folder.
pub fn last_segment(key: &str) -> &str {
    key.rsplit('/').next().unwrap_or(key)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(key: &str) -> Option<Beside> {
        beside(&ObjectKey::new(key).unwrap())
    }

    #[test]
    fn what_a_name_says() {
        let sidecar = |of: &str, kind| {
            let of = ObjectKey::new(of).unwrap();
            Some(Beside::Sidecar { of, kind })
        };
        let sums = |kind| Some(Beside::Sums { kind });
        for (key, expected) in [
            ("a/x.tar.sha256", sidecar("a/x.tar", Claimed::Sha256)),
            (
                "x.tar.minisig",
                Some(Beside::Signature {
                    of: ObjectKey::new("x.tar").unwrap(),
                }),
            ),
            (".minisig", None),
            ("x.md5", sidecar("x", Claimed::Md5)),
            ("x.sha512", sidecar("x", Claimed::Sha512)),
            ("SHA256SUMS.sha1", sidecar("SHA256SUMS", Claimed::Sha1)),
            ("a/SHA256SUMS", sums(Some(Claimed::Sha256))),
            ("md5sum.txt", sums(Some(Claimed::Md5))),
            ("SHA1SUMS.txt", sums(Some(Claimed::Sha1))),
            ("a/b/CHECKSUM", sums(None)),
            ("Sha256Sums", None),
            ("a/.sha256", None),
            (".md5", None),
            ("x.SHA256", None),
            ("sha256", None),
            ("SHA256SUMS/x", None),
            ("xSHA256SUMS", None),
        ] {
            assert_eq!(of(key), expected, "{key}");
        }
    }

    /// What is looked for is what is recognised.
    #[test]
    fn both_ways_agree() {
        let key = ObjectKey::new("a/b.tar").unwrap();
        assert_eq!(sidecars_of(&key).count(), EXTENSIONS.len());
        for (found, kind) in sidecars_of(&key) {
            let of = key.clone();
            assert_eq!(beside(&found), Some(Beside::Sidecar { of, kind }));
        }
        assert_eq!(folder_of(key.as_str()), "a/");
        assert_eq!(sums_in("a/").count(), 4 * SUMS.len());
        for (found, kind) in sums_in("a/") {
            assert_eq!(beside(&found), Some(Beside::Sums { kind }), "{found}");
        }
    }
}
