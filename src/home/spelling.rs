//! Which spelling a key's path takes, given what the store has already.

use super::Shelf;
use crate::error::Result;
use crate::object::{NameClaim, ObjectKey};
use crate::store::Entry;
use crate::store::names::{self, Spelling};

impl Shelf<'_> {
    /// The spelling of `key`'s path, and the names it claims on a drive that folds names.
    ///
    /// `taken` holds the claims of the group in hand, which the catalogue does not have yet.
    pub fn spelling(
        &self,
        key: &ObjectKey,
        taken: &[NameClaim],
    ) -> Result<(Spelling, Vec<NameClaim>)> {
        let mut spelling = Spelling {
            shadowed: self.catalogue().is_folder(self.name(), key)?,
            ..Spelling::default()
        };
        let marker = self.store().marker();
        if !(marker.facts.folds_case || marker.facts.normalises) {
            return Ok((spelling, Vec::new()));
        }
        let mut plain = spelling.clone();
        plain.shadowed = false;
        loop {
            let mut claims = Vec::new();
            let mut clash = None;
            for path in [
                names::latest(marker.naming, key, &plain),
                names::latest(marker.naming, key, &spelling),
            ] {
                for (segment, claim) in names::claims(&path) {
                    if clash.is_none()
                        && !spelling.respelt.contains(&segment)
                        && self.clashes(&claim, taken)?
                    {
                        clash = Some(segment);
                    }
                    if !claims.contains(&claim) {
                        claims.push(claim);
                    }
                }
            }
            let Some(segment) = clash else {
                return Ok((spelling, claims));
            };
            spelling.respelt.insert(segment);
            plain.respelt.insert(segment);
        }
    }

    /// Whether the claim's folder has the same folded name under another spelling.
    fn clashes(&self, claim: &NameClaim, taken: &[NameClaim]) -> Result<bool> {
        let mine = taken
            .iter()
            .find(|t| t.folder == claim.folder && t.folded == claim.folded);
        if let Some(mine) = mine {
            return Ok(mine.name != claim.name);
        }
        let theirs = self
            .catalogue()
            .name_taken(self.name(), &claim.folder, &claim.folded)?;
        Ok(theirs.is_some_and(|name| name != claim.name))
    }

    /// The moves that make room for `key`: where a stored key is one of its folders, that file
    /// takes its escaped name (`a` becomes `%61` when `a/b` comes).
    pub fn make_room(&self, key: &ObjectKey) -> Result<Vec<Entry>> {
        let mut moves = Vec::new();
        for folder in key.ancestors() {
            let Some(known) = self.catalogue().latest_of(self.name(), folder)? else {
                continue;
            };
            let (Some(from), Some(sha256)) = (known.path, known.sha256) else {
                continue;
            };
            let (mut spelling, _) = self.spelling(&known.key, &[])?;
            spelling.shadowed = true;
            if names::latest(self.store().marker().naming, &known.key, &spelling) != from {
                moves.push(Entry::Move {
                    key: known.key,
                    sha256,
                    from,
                    spelling,
                    sums_from: known.sums_at,
                });
            }
        }
        Ok(moves)
    }
}
