//! Versions that are not the newest of their key: they go straight into `history/`, and never come
//! into `latest/` by themselves.

use super::group::Group;
use super::words;
use crate::digest::Verified;
use crate::error::{Error, Result};
use crate::object::{Fact, Known, ObjectKey, Sha256, State};
use std::collections::HashSet;

/// What a group has of older versions, that the catalogue cannot tell yet or tells slowly.
#[derive(Default)]
pub(super) struct Olders {
    /// Bytes on their way into `history/`.
    placed: HashSet<(ObjectKey, Sha256)>,
    /// What stands in `latest/` of the key that was looked up last: one after the other are the
    /// versions of one key, and it may have very many.
    standing: Option<(ObjectKey, Option<Known>)>,
}

impl Olders {
    /// Something else is about to stand in `latest/`.
    pub(super) fn forget(&mut self, key: &ObjectKey) {
        self.standing.take_if(|(known, _)| known == key);
    }
}

impl Group<'_, '_> {
    /// Takes a version that is not the newest of its key. Bytes that are here already, of this
    /// key, become no second file.
    pub(super) fn older(&mut self, verified: Verified) -> Result<()> {
        let (key, sha256) = (verified.key().clone(), verified.sha256());
        if self.olders.placed.contains(&(key.clone(), sha256)) {
            self.commit()?;
        }
        if let Some(path) = self.path_of(&key, sha256)? {
            return self.touched(&verified, path);
        }
        self.look_at(&verified)?;
        self.olders.placed.insert((key, sha256));
        self.put_in_history(verified, State::Stored)
    }

    /// Where these bytes of `key` lie, in `latest/` or as another older version.
    fn path_of(&mut self, key: &ObjectKey, sha256: Sha256) -> Result<Option<String>> {
        let shelf = self.shelf();
        let older = shelf.catalogue().same_bytes(shelf.name(), key, sha256)?;
        if older.is_some() {
            return Ok(older);
        }
        if self
            .olders
            .standing
            .as_ref()
            .is_none_or(|(of, _)| of != key)
        {
            let standing = self.shelf().standing(key)?;
            self.olders.standing = Some((key.clone(), standing));
        }
        let standing = self
            .olders
            .standing
            .as_ref()
            .and_then(|(_, known)| known.as_ref());
        let same = standing.filter(|known| known.sha256 == Some(sha256));
        Ok(same.and_then(|known| known.path.clone()))
    }

    /// Says, once, that the key may list older versions and not read them. They wait in the
    /// bucket.
    pub(super) fn withheld(&mut self, why: &Error) -> Result<()> {
        let kinds = [words::VERSIONS_WITHHELD; 2];
        let shelf = self.shelf();
        let said = shelf.catalogue().said_last(shelf.name(), kinds)?;
        if said.is_none() && !std::mem::replace(&mut self.olders_withheld, true) {
            let at = self.now();
            self.fact(Fact::Event(words::versions_withheld(why, at)));
        }
        Ok(())
    }
}
