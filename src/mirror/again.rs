//! What earlier runs could not get.

use super::Lack;
use super::bytes::{Copied, gone_at};
use super::follow::Follow;
use super::step::{Wanted, in_latest};
use crate::digest::Recorded;
use crate::error::Result;
use crate::object::{EvidenceClass, Fact, InBucket, State, StoredVersion};

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
                        self.shown_as_before(wanted, row);
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
            // The row keeps its times where the bucket shows something else by now.
            in_bucket: match in_bucket {
                InBucket::Current => InBucket::Current,
                _ => InBucket::Noncurrent,
            },
            state: there.state,
            adopted: false,
        }))
    }

    /// Placing bytes says that the bucket shows them as an older version: what it did show is said
    /// again.
    fn shown_as_before(&mut self, wanted: &Wanted, row: &StoredVersion) {
        let at = row.missed_at.unwrap_or(row.first_seen);
        match row.in_bucket {
            InBucket::Current | InBucket::Noncurrent => {}
            InBucket::Gone => self.batch.fact(gone_at(wanted, at)),
            InBucket::Hidden => self.batch.fact(Fact::Shown {
                key: row.key.clone(),
                identity: row.identity.clone(),
                in_bucket: InBucket::Hidden,
                at,
            }),
        }
    }
}
