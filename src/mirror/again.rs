//! What earlier runs could not get.

use super::Lack;
use super::bytes::Copied;
use super::follow::Follow;
use super::step::{Wanted, in_latest};
use crate::digest::Recorded;
use crate::error::Result;
use crate::home::{shown_as_before, shown_when_placed};
use crate::object::{EvidenceClass, InBucket, State, StoredVersion};

/// Rows read at a time.
const ROWS: u32 = 100;

impl Follow<'_, '_, '_> {
    /// Asks for each version that was pending before this run, the newest of them in the row `last`.
    /// False where the owner wished for an end.
    pub(super) fn lacked(&mut self, last: i64) -> Result<bool> {
        let mut after = 0;
        loop {
            self.batch.commit()?;
            let shelf = self.batch.shelf();
            let rows = shelf.catalogue().pending(shelf.name(), after, ROWS)?;
            let Some(newest) = rows.last() else {
                return Ok(true);
            };
            after = newest.id;
            for row in rows {
                if row.id > last {
                    return Ok(true);
                }
                if self.mirror.stop.requested() || !self.again(&row)? {
                    return Ok(false);
                }
            }
        }
    }

    /// Asks for one. False where the owner wished for an end.
    pub(super) fn again(&mut self, row: &StoredVersion) -> Result<bool> {
        let name = self.name();
        let first = self.mirror.catalogue;
        let there = first.by_identity(&name, &row.key, &row.identity)?;
        if there.as_ref().is_some_and(|v| v.state == State::Expired) {
            return Ok(true);
        }
        let wanted = match there {
            Some(there) => self.wanted(there, row.in_bucket)?,
            None => None,
        };
        let why = match &wanted {
            None => "its file was lost there".to_owned(),
            Some(wanted) => {
                self.batch.settle(&wanted.key)?;
                match self.copy(wanted)? {
                    Copied::There(proven) => {
                        self.take(*proven, wanted)?;
                        if let Some(shown) = shown_as_before(row) {
                            self.batch.fact(shown);
                        }
                        return Ok(true);
                    }
                    Copied::Interrupted => return Ok(false),
                    Copied::Nowhere(why) => why,
                }
            }
        };
        self.lacks(Lack {
            source: name,
            key: row.key.clone(),
            sha256: wanted.map(|wanted| wanted.recorded.sha256),
            why,
            here: false,
        })?;
        Ok(true)
    }

    /// What the first store has of the version now; none where it has no file.
    fn wanted(&self, there: StoredVersion, in_bucket: InBucket) -> Result<Option<Wanted>> {
        let name = self.name();
        let path = there.path.clone().unwrap_or_default();
        let (Some(path), Some(sha256)) = (path.strip_prefix(&format!("{name}/")), there.sha256)
        else {
            return Ok(None);
        };
        let contradicted = there.state == State::Quarantined;
        let bytes = match contradicted {
            true => self.mirror.first.stat(&format!("{name}/{path}"))?,
            false => None,
        };
        Ok(Some(Wanted {
            recorded: Recorded {
                sha256,
                bytes: bytes.unwrap_or(there.identity.size),
                evidence: there.evidence.unwrap_or(EvidenceClass::Length),
                proofs: there.proofs,
                contradicted,
                at: there.stored_at.unwrap_or(there.first_seen),
            },
            latest: in_latest(path),
            path: path.to_owned(),
            key: there.key,
            identity: there.identity,
            answer: there.answer,
            content: there.content,
            in_bucket: shown_when_placed(in_bucket),
            state: there.state,
            adopted: false,
        }))
    }
}
