//! Versions whose bytes are here already, and that come to stand where people look.

use super::Group;
use crate::error::{Error, Kind, Result};
use crate::object::{EvidenceClass, Fact, Identity, ObjectKey, State, StoredVersion, Timestamp};
use crate::store::Entry;
use crate::write_once::is_write_once;

impl Group<'_, '_> {
    /// The bucket shows a stored version again. `latest/` follows, except under a write-once
    /// name, which keeps what it has.
    pub(super) fn back(&mut self, key: ObjectKey, identity: Identity, at: Timestamp) -> Result<()> {
        let row = self
            .shelf
            .catalogue()
            .by_identity(self.shelf.name(), &key, &identity)?;
        let history = format!("{}/history/", self.shelf.name());
        let older = |row: &StoredVersion| {
            let in_history = row.path.as_ref().is_some_and(|p| p.starts_with(&history));
            let signed = row.evidence == Some(EvidenceClass::Signed)
                || !self.demands.signature(&key, row.identity.size);
            row.state == State::Stored && in_history && !is_write_once(&key) && signed
        };
        if let Some(row) = row.filter(older) {
            if !self.unrotted(&row) {
                let what = format!("the copy of {key} in history/ is damaged");
                let error = Error::new(Kind::Damaged, what)
                    .hint("`offsite catalogue check --deep` looks for more damage");
                self.failed(&key, error);
                return Ok(());
            }
            self.promote(row)?;
        }
        self.fact(Fact::Back { key, identity, at });
        Ok(())
    }

    /// Brings a version from `history/` to `latest/`.
    pub(in crate::pull) fn promote(&mut self, row: StoredVersion) -> Result<()> {
        self.olders.forget(&row.key);
        for step in self.shelf.promote(row, &self.claims)? {
            if let Entry::Accept { names, .. } = &step {
                self.claims.extend(names.iter().cloned());
            }
            self.push(step, 0);
        }
        Ok(())
    }

    /// Whether a stored file still is what it was: one that rots must not fail the whole group.
    fn unrotted(&self, row: &StoredVersion) -> bool {
        let found = row
            .path
            .as_deref()
            .and_then(|path| self.shelf.store().reader().hash(path).ok());
        found.map(|(sha256, _)| sha256) == row.sha256 && row.sha256.is_some()
    }
}
