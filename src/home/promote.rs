//! From `history/` to `latest/`: the owner accepted a held version, or the bucket shows an older
//! one again.

use super::{Shelf, standing_of};
use crate::error::{Error, Kind, Result};
use crate::object::{NameClaim, StoredVersion};
use crate::store::{Entry, Held};

impl Shelf<'_> {
    /// The steps that bring `version` to `latest/`, and what stands there to `history/`.
    ///
    /// `taken` holds the claims of the group in hand, as for [`Shelf::spelling`].
    pub fn promote(&self, version: StoredVersion, taken: &[NameClaim]) -> Result<Vec<Entry>> {
        let (spelling, names) = self.spelling(&version.key, taken)?;
        let standing = self.standing(&version.key)?;
        let mut steps = self.make_room(&version.key)?;
        steps.push(Entry::Accept {
            version: self.in_history(version)?,
            spelling,
            standing: standing.as_ref().map(standing_of).transpose()?,
            names,
        });
        Ok(steps)
    }

    /// What the store must be told of a version that it has in `history/`.
    fn in_history(&self, version: StoredVersion) -> Result<Held> {
        let folder = format!("{}/", self.name);
        let path = version
            .path
            .as_deref()
            .and_then(|path| path.strip_prefix(&folder));
        let (Some(path), Some(sha256), Some(evidence)) = (path, version.sha256, version.evidence)
        else {
            let what = format!(
                "the catalogue does not say where a version of {} is",
                version.key
            );
            return Err(Error::new(Kind::Damaged, what).hint("run `offsite catalogue check`"));
        };
        Ok(Held {
            path: path.to_owned(),
            sha256,
            evidence,
            bytes: version.identity.size,
            key: version.key,
            identity: version.identity,
            answer: version.answer,
            proofs: version.proofs,
            content: version.content,
            placed_at: None,
        })
    }
}
