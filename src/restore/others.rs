//! What else the drive has of a key whose file is damaged.

use super::{Restore, is_held};
use crate::error::Result;
use crate::object::{Sha256, SourceName, State, StoredVersion};

/// So many other files are tried.
const TRIED: usize = 20;

impl Restore<'_> {
    /// Other files that should have the same bytes.
    pub(super) fn same_bytes(
        &self,
        version: &StoredVersion,
        sha256: Sha256,
    ) -> Result<Vec<String>> {
        let mut paths = Vec::new();
        self.others(version, &mut |other| {
            if other.sha256 == Some(sha256) && paths.len() < TRIED {
                paths.extend(other.path.filter(|path| !paths.contains(path)));
            }
        })?;
        Ok(paths)
    }

    /// The newest version before this one whose file is whole: it is read.
    pub(super) fn whole_before(&self, version: &StoredVersion) -> Result<Option<StoredVersion>> {
        let mut before = Vec::new();
        self.others(version, &mut |other| {
            let older = other.first_seen <= version.first_seen;
            let good = other.state == State::Stored && other.sha256 != version.sha256;
            if older && good && before.len() < TRIED {
                before.push(other);
            }
        })?;
        for other in before {
            let Some(path) = &other.path else { continue };
            let hashed = self.reader.hash(path).ok().map(|(sha256, _)| sha256);
            if hashed.is_some() && hashed == other.sha256 {
                return Ok(Some(other));
            }
        }
        Ok(None)
    }

    /// The other files of the key, newest first.
    fn others(&self, version: &StoredVersion, each: &mut dyn FnMut(StoredVersion)) -> Result<()> {
        let source = SourceName::new(version.source.as_str())?;
        let key = version.key.as_str();
        self.catalogue.versions_of(&source, key, &mut |other| {
            if is_held(&other) && other.path != version.path {
                each(other);
            }
            Ok(())
        })
    }
}
