//! The marker: the file that makes a folder a store. No marker, no writing.

use super::dir::Dir;
use super::names::NamingRule;
use crate::error::{Error, Kind, Result};
use crate::object::Timestamp;
use serde::{Deserialize, Serialize};

/// The marker's name at the root of the store.
pub const MARKER: &str = "offsite-store.toml";

/// The store format that this program writes, and the newest that it reads.
pub(super) const FORMAT: u32 = 1;

/// What the marker begins with.
pub(super) const WORDS: &str = "\
# This file makes the folder a store of offsite. Without it nothing is written here, so that a
# drive that is not mounted is never mistaken for the drive that is. Keep it; do not edit it.
# How to read and restore this drive without offsite: README.txt.

";

/// What a store says about itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Marker {
    /// The store's id: a ULID, made once by `init`.
    pub id: String,
    /// The version of the store's format.
    pub format: u32,
    /// How keys become names here; decided once, by what the drive can do.
    pub naming: NamingRule,
    /// When it was made, by our clock.
    pub created: Timestamp,
    /// The id of the store that this one follows, where it is a mirror.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mirror_of: Option<String>,
    /// What the drive was found to do.
    pub facts: Facts,
}

/// What a drive was found to do, by trying (`init` probes with real files).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Facts {
    /// The kind of file system as the kernel names it: `ext4`, `exfat`, `ntfs3`, `nfs4`, …
    pub filesystem: String,
    /// The file system's UUID, where the system tells.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uuid: Option<String>,
    /// Whether `A` and `a` are one name.
    pub folds_case: bool,
    /// Whether two Unicode spellings of `é` are one name, or a name comes back spelt otherwise.
    pub normalises: bool,
    /// The characters that names cannot have, of those that Windows forbids.
    pub forbidden: String,
    /// Whether a file can have two names.
    pub hard_links: bool,
    /// Whether one `syncfs` makes a whole group durable and reports every write error.
    pub syncfs: bool,
    /// Whether SQLite may use its write-ahead log here.
    pub sqlite_wal: bool,
    /// Whether SQLite's locks work here; none where nobody tried.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sqlite_locking: Option<bool>,
    /// Whether this is the file system of `/`.
    pub on_root: bool,
    /// The size of the file system, in bytes.
    pub total: u64,
}

impl Marker {
    /// Reads the marker; none where the folder has none.
    pub(super) fn read(dir: &Dir) -> Result<Option<Self>> {
        if dir.stat(MARKER)?.is_none() {
            return Ok(None);
        }
        let path = dir.path().join(MARKER);
        let damaged = |why: toml::de::Error| {
            Error::new(
                Kind::Damaged,
                // Without the text, which may be anything.
                format!(
                    "{} is not a store's marker: {}",
                    path.display(),
                    why.message()
                ),
            )
            .hint("if it was edited, undo the edit; the store's id is also in your configuration")
        };
        let marker: Self = toml::from_str(&dir.text(MARKER)?).map_err(damaged)?;
        if marker.format > FORMAT {
            return Err(Error::new(
                Kind::Store,
                format!(
                    "the store {} has format {}, this offsite knows {FORMAT}",
                    dir.path().display(),
                    marker.format
                ),
            )
            .hint("a newer offsite wrote it: update offsite on this computer"));
        }
        Ok(Some(marker))
    }

    /// Writes the marker, whole or not at all.
    pub(super) fn write(&self, dir: &Dir) -> Result<()> {
        let text = toml::to_string(self)
            .map_err(|e| Error::new(Kind::Run, "cannot write the marker").because(e))?;
        dir.publish(MARKER, format!("{WORDS}{text}").as_bytes())
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub(in crate::store) fn facts() -> Facts {
        Facts {
            filesystem: "ext4".into(),
            uuid: Some("3e6be9de-8139-11d1-9106-a43f08d823a6".into()),
            folds_case: false,
            normalises: false,
            forbidden: String::new(),
            hard_links: true,
            syncfs: true,
            sqlite_wal: true,
            sqlite_locking: Some(true),
            on_root: false,
            total: 1 << 40,
        }
    }

    #[test]
    fn a_marker_reads_as_it_was_written_and_a_newer_format_is_refused() {
        let temp = tempfile::tempdir().unwrap();
        let dir = Dir::open(temp.path()).unwrap();
        assert_eq!(Marker::read(&dir).unwrap(), None);
        let mut marker = Marker {
            id: "01JABC".into(),
            format: FORMAT,
            naming: NamingRule::Posix,
            created: crate::object::from_ms(1_700_000_000_000),
            mirror_of: None,
            facts: facts(),
        };
        marker.facts.forbidden = ":*?\"<>|\\".into();
        marker.mirror_of = Some("01JFIRST".into());
        marker.write(&dir).unwrap();
        assert_eq!(Marker::read(&dir).unwrap(), Some(marker.clone()));
        marker.format = FORMAT + 1;
        marker.write(&dir).unwrap();
        assert_eq!(Marker::read(&dir).unwrap_err().kind(), Kind::Store);
        std::fs::write(temp.path().join(MARKER), "id = 3").unwrap();
        assert_eq!(Marker::read(&dir).unwrap_err().kind(), Kind::Damaged);
    }
}
