//! Applying journal records: the one way a version, run, event or finding gets into the catalogue.

mod shown;

use super::locks;
use super::rows::{number, told_by, version_id};
use super::series::{Learnt, SeriesRow};
use super::{Catalogue, prepare};
use crate::error::Result;
use crate::object::{
    Answer, Durable, Fact, Identity, InBucket, JournalPosition, Moved, NameClaim, ObjectKey,
    PlaceRecord, Record, State, Timestamp,
};
use rusqlite::{CachedStatement, Connection, Params, params};
use shown::missed;
use std::cell::RefCell;
use std::collections::BTreeMap;

/// Where versions stand that are not the newest good one, relative to the source's folder.
pub(super) const HISTORY: &str = "history/";

impl Catalogue {
    /// Records what is durable on the drive, in one transaction, with the journal's position.
    ///
    /// A group that is applied already (its position is not after the catalogue's) changes
    /// nothing, so a journal can be replayed from anywhere before it.
    pub fn record(&mut self, group: &impl Durable) -> Result<()> {
        apply(&mut self.db, group).map_err(|e| self.fault(e))
    }
}

fn apply(db: &mut Connection, group: &impl Durable) -> rusqlite::Result<()> {
    let tx = db.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
    let at = group.position();
    tx.execute(
        "INSERT INTO source (name, bucket, prefix) VALUES (?1, '', '') ON CONFLICT DO NOTHING",
        [at.source.as_str()],
    )?;
    let (source, before): (i64, Option<(i64, i64)>) = tx.query_row(
        "SELECT s.id, p.run, p.\"offset\" FROM source AS s
         LEFT JOIN position AS p ON p.source_id = s.id WHERE s.name = ?1",
        [at.source.as_str()],
        |row| {
            let run: Option<i64> = row.get(1)?;
            Ok((row.get(0)?, run.zip(row.get(2)?)))
        },
    )?;
    if before >= Some((number(at.run), number(at.offset))) {
        return Ok(());
    }
    let hand = Hand {
        db: &tx,
        source,
        run: number(at.run),
        series: RefCell::default(),
    };
    for record in group.records() {
        hand.apply(record)?;
    }
    hand.write_series()?;
    hand.moved_to(at)?;
    tx.commit()
}

/// What applies the records of one group, within a transaction.
pub(super) struct Hand<'t> {
    db: &'t Connection,
    pub(super) source: i64,
    pub(super) run: i64,
    /// What the series of the group have learnt and is not written yet, by their names.
    pub(super) series: RefCell<BTreeMap<String, SeriesRow>>,
}

/// A version's row as a record wants it.
pub(super) struct Row<'r> {
    pub(super) key: &'r ObjectKey,
    pub(super) identity: &'r Identity,
    pub(super) answer: &'r Answer,
    pub(super) state: &'r str,
    pub(super) in_bucket: &'static str,
    pub(super) sha256: &'r [u8],
    pub(super) evidence: &'static str,
    pub(super) proofs: String,
    pub(super) content: Option<&'r str>,
    pub(super) path: &'r str,
    pub(super) bytes: i64,
    pub(super) sums_at: Option<i64>,
    pub(super) first_seen: i64,
    pub(super) stored_at: i64,
    pub(super) missed_at: Option<i64>,
    /// Whether a row that is known keeps what it says of the bucket and of its times.
    pub(super) keep: bool,
}

impl<'t> Hand<'t> {
    /// Uses the statement `sql`, prepared once.
    pub(super) fn with<T>(
        &self,
        sql: &'static str,
        work: impl FnOnce(&mut CachedStatement<'t>) -> rusqlite::Result<T>,
    ) -> rusqlite::Result<T> {
        work(&mut prepare(self.db, sql)?)
    }

    pub(super) fn execute(&self, sql: &'static str, params: impl Params) -> rusqlite::Result<()> {
        self.with(sql, |statement| statement.execute(params).map(drop))
    }

    fn apply(&self, record: &Record) -> rusqlite::Result<()> {
        match record {
            Record::Place(place) => self.place(place),
            Record::Move(moved) => self.rename(moved),
            Record::Heal(healed) => self.healed(healed),
            Record::Fact(fact) => self.fact(fact),
        }
    }

    fn fact(&self, fact: &Fact) -> rusqlite::Result<()> {
        match fact {
            Fact::Touch { .. } => self.touch(fact),
            Fact::Adopted { .. } => self.adopted(fact),
            Fact::Noted {
                key,
                identity,
                state,
                in_bucket,
                at,
            } => self.noted(key, identity, *state, *in_bucket, *at),
            Fact::Gone { key, identity, at } => self.gone(key, identity, *at),
            Fact::Back { key, identity, at } => self.back(key, identity, *at),
            Fact::Shown {
                key,
                identity,
                in_bucket,
                at,
            } => self.shown(key, identity, *in_bucket, *at),
            Fact::Marked { marker, at } => self.marked(marker, *at),
            Fact::Unmarked { marker, at } => self.unmarked(marker, *at),
            Fact::Locked {
                key,
                identity,
                lock,
                at: _,
            } => self.locked(key, identity, lock.as_ref()),
            Fact::BucketLock { lock, at } => self.bucket_lock(lock, *at),
            Fact::RunStart(start) => self.run_start(start),
            Fact::RunEnd(end) => self.run_end(end),
            Fact::Scrubbed(found) => self.scrubbed(found),
            Fact::Drilled(drill) => self.drilled(drill),
            Fact::Followed(to) => self.followed(to),
            Fact::Event(event) => self.event(event),
            Fact::Finding(finding) => self.finding(finding),
            Fact::Ack(ack) => self.ack(ack),
        }
    }

    fn place(&self, place: &PlaceRecord) -> rusqlite::Result<()> {
        let at = place.at.as_millisecond();
        let sums_at = place.sums_at.map(number);
        if let Some(displaced) = &place.displaced {
            self.repath(&place.path, &displaced.to, displaced.sums_at)?;
        }
        // A held version that the owner accepted: its file moves, the bucket shows what it did.
        let accepted = place.from.starts_with(HISTORY);
        if accepted {
            self.execute(
                "UPDATE version SET path = ?3, sums_at = ?4, state = 'stored'
                 WHERE source_id = ?1 AND path = ?2",
                params![self.source, place.from, place.path, sums_at],
            )?;
        }
        // Stored, but not under latest/: an older version of a versioned bucket.
        let older = place.state == State::Stored && place.path.starts_with(HISTORY);
        let in_bucket = match older {
            true => InBucket::Noncurrent,
            false => place.in_bucket,
        };
        self.put(&Row {
            key: &place.key,
            identity: &place.identity,
            answer: &place.answer,
            state: place.state.as_str(),
            in_bucket: in_bucket.as_str(),
            sha256: &place.sha256.0,
            evidence: place.evidence.as_str(),
            proofs: json(&place.proofs)?,
            content: place.content.as_deref(),
            path: &place.path,
            bytes: number(place.bytes),
            sums_at,
            first_seen: at,
            stored_at: at,
            missed_at: missed(in_bucket, place.at),
            keep: accepted || in_bucket == InBucket::Noncurrent,
        })?;
        if !accepted {
            self.shows(&place.key, &place.identity, in_bucket, place.at)?;
        }
        if place.state == State::Stored {
            self.learn(&Learnt {
                key: &place.key,
                identity: &place.identity,
                content: place.content.as_deref(),
                proofs: &place.proofs,
                new: (!accepted).then_some(place.sha256),
                at: place.at,
            })?;
        } else {
            self.came(&place.key, &place.identity)?;
        }
        self.claim(&place.names)
    }

    pub(super) fn claim(&self, names: &[NameClaim]) -> rusqlite::Result<()> {
        for name in names {
            self.execute(
                "INSERT INTO name (source_id, folder, folded, name) VALUES (?1, ?2, ?3, ?4)
                 ON CONFLICT DO NOTHING",
                params![self.source, name.folder, name.folded, name.name],
            )?;
        }
        Ok(())
    }

    /// Writes a version's row over the one of the same identity, if there is one.
    pub(super) fn put(&self, row: &Row<'_>) -> rusqlite::Result<()> {
        let (lock_mode, lock_until, lock_hold) = locks::columns(row.answer.lock.as_ref());
        self.execute(
            "INSERT INTO version (source_id, key, version_id, etag, size, last_modified,
               answered_version_id, content_type, encryption, state, in_bucket, sha256, evidence,
               proofs, path, bytes, sums_at, first_seen, stored_at, missed_at, run, content,
               lock_mode, lock_until, lock_hold)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17,
               ?18, ?19, ?20, ?21, ?23, ?24, ?25, ?26)
             ON CONFLICT (source_id, key, identity) DO UPDATE SET
               etag = excluded.etag, size = excluded.size, last_modified = excluded.last_modified,
               answered_version_id = excluded.answered_version_id,
               content_type = excluded.content_type, encryption = excluded.encryption,
               state = excluded.state, sha256 = excluded.sha256, evidence = excluded.evidence,
               proofs = excluded.proofs, path = excluded.path, bytes = excluded.bytes,
               sums_at = excluded.sums_at, run = excluded.run, content = excluded.content,
               lock_mode = excluded.lock_mode, lock_until = excluded.lock_until,
               lock_hold = excluded.lock_hold,
               in_bucket = iif(?22, in_bucket, excluded.in_bucket),
               missed_at = iif(?22, missed_at, excluded.missed_at),
               stored_at = iif(?22, coalesce(stored_at, excluded.stored_at), excluded.stored_at)",
            params![
                self.source,
                row.key.as_str(),
                version_id(row.identity),
                row.identity.etag,
                number(row.identity.size),
                row.identity.last_modified.as_millisecond(),
                row.answer.version_id,
                row.answer.content_type,
                row.answer.encryption,
                row.state,
                row.in_bucket,
                row.sha256,
                row.evidence,
                row.proofs,
                row.path,
                row.bytes,
                row.sums_at,
                row.first_seen,
                row.stored_at,
                row.missed_at,
                self.run,
                row.keep,
                row.content,
                lock_mode,
                lock_until,
                lock_hold,
            ],
        )?;
        // Of the rows that share the file, this one now stands for its bytes.
        self.execute(
            "UPDATE version SET bytes = 0 WHERE source_id = ?1 AND path = ?2 AND bytes <> 0
             AND (key, identity) <> (?3, ?4)",
            params![
                self.source,
                row.path,
                row.key.as_str(),
                told_by(row.identity)
            ],
        )
    }

    /// Whatever else of `key` the bucket showed, it shows `identity` instead. What has an id stays
    /// in the bucket until that is known otherwise.
    fn replace_others(
        &self,
        key: &ObjectKey,
        identity: &Identity,
        at: Timestamp,
    ) -> rusqlite::Result<()> {
        self.execute(
            "UPDATE version SET missed_at = ?4,
               in_bucket = iif(version_id = 'null', 'gone', 'noncurrent')
             WHERE source_id = ?1 AND key = ?2 AND identity <> ?3 AND in_bucket = 'current'",
            params![
                self.source,
                key.as_str(),
                told_by(identity),
                at.as_millisecond()
            ],
        )
    }

    /// Every row that names the file `from` names it `to`.
    fn repath(&self, from: &str, to: &str, sums_at: Option<u64>) -> rusqlite::Result<()> {
        self.execute(
            "UPDATE version SET path = ?3, sums_at = ?4 WHERE source_id = ?1 AND path = ?2",
            params![self.source, from, to, sums_at.map(number)],
        )
    }

    fn rename(&self, moved: &Moved) -> rusqlite::Result<()> {
        self.repath(&moved.from, &moved.to, moved.sums_at)
    }

    fn moved_to(&self, at: &JournalPosition) -> rusqlite::Result<()> {
        self.execute(
            "INSERT INTO position (source_id, run, \"offset\", head) VALUES (?1, ?2, ?3, ?4)
             ON CONFLICT DO UPDATE SET run = excluded.run, \"offset\" = excluded.\"offset\",
               head = excluded.head",
            params![self.source, self.run, number(at.offset), at.head.0],
        )
    }
}

/// `value` as the JSON that a column holds.
pub(super) fn json<T: serde::Serialize + ?Sized>(value: &T) -> rusqlite::Result<String> {
    serde_json::to_string(value).map_err(|e| rusqlite::Error::ToSqlConversionFailure(e.into()))
}
