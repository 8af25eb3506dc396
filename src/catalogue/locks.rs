//! Object locks: what is known of them, and whose turn it is to be looked at.

use super::apply::Hand;
use super::rows::{KNOWN, checked, known, number, told_by};
use super::{Catalogue, prepare};
use crate::error::Result;
use crate::object::{
    BucketLock, DefaultLock, Identity, Known, Lock, LockMode, ObjectKey, Retention, SourceName,
    Timestamp, from_ms,
};
use rusqlite::types::ValueRef;
use rusqlite::{Row, params};

/// The end of a lock that has none: the last second of the year 9999.
const NO_END: i64 = 253_402_300_799_000;

/// Where the nightly look at some of the locks goes on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LockTurn {
    /// After the series of this name.
    pub series: String,
    /// After the lock that ends then, in milliseconds since 1970,
    pub until: i64,
    /// and, of those with the same end, after this row.
    pub version: i64,
}

/// A version that is locked, as far as is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Locked {
    /// The version.
    pub known: Known,
    /// Its lock.
    pub lock: Lock,
    /// Its end, as [`LockTurn::until`] has it.
    pub until: i64,
}

impl Catalogue {
    /// The lock of a version, by its row.
    pub fn lock_of(&self, id: i64) -> Result<Option<Lock>> {
        let lock = self.one(
            "SELECT lock_mode, lock_until, lock_hold FROM version AS v WHERE v.id = ?1",
            [id],
            |row| lock(row, 0),
        )?;
        Ok(lock.flatten())
    }

    /// The version of `key` that the bucket showed last, and its lock.
    pub fn current_lock(
        &self,
        source: &SourceName,
        key: &ObjectKey,
    ) -> Result<Option<(Known, Option<Lock>)>> {
        let sql = format!(
            "SELECT {KNOWN}, v.lock_mode, v.lock_until, v.lock_hold
             FROM version AS v INDEXED BY version_identity
             WHERE v.source_id = (SELECT id FROM source WHERE name = ?1) AND v.key = ?2
               AND v.in_bucket = 'current' LIMIT 1"
        );
        let params = params![source.as_str(), key.as_str()];
        self.one(&sql, params, |row| {
            Ok((known(row)?, lock(row, KNOWN_COLUMNS)?))
        })
    }

    /// What the bucket's settings said of locks, and since when.
    pub fn bucket_lock(&self, source: &SourceName) -> Result<Option<(BucketLock, Timestamp)>> {
        self.one(
            "SELECT enabled, mode, days, at FROM bucket_lock
             WHERE source_id = (SELECT id FROM source WHERE name = ?1)",
            [source.as_str()],
            |row| {
                let (mode, days) = (maybe_mode(row, 1)?, row.get::<_, Option<u32>>(2)?);
                let default = mode.zip(days);
                let lock = BucketLock {
                    on: row.get(0)?,
                    default: default.map(|(mode, days)| DefaultLock { mode, days }),
                };
                Ok((lock, from_ms(row.get(3)?)))
            },
        )
    }

    /// Up to `limit` versions that the bucket still has, whose locks end after `turn`, by their ends.
    pub fn locked_after(
        &self,
        source: &SourceName,
        turn: &LockTurn,
        limit: u32,
    ) -> Result<Vec<Locked>> {
        let sql = format!(
            "SELECT {KNOWN}, v.lock_mode, v.lock_until, v.lock_hold
             FROM version AS v INDEXED BY version_locked
             WHERE v.source_id = (SELECT id FROM source WHERE name = ?1)
               AND v.lock_until IS NOT NULL AND v.in_bucket <> 'gone'
               AND (v.lock_until, v.id) > (?2, ?3) ORDER BY v.lock_until, v.id LIMIT ?4"
        );
        let params = params![source.as_str(), turn.until, turn.version, limit];
        let read = |row: &Row<'_>| {
            Ok(Locked {
                known: known(row)?,
                lock: lock(row, KNOWN_COLUMNS)?.unwrap_or_default(),
                until: row.get(KNOWN_COLUMNS + 1)?,
            })
        };
        self.rows(&sql, params, read)
    }

    /// Whose turn it is to be looked at.
    pub fn lock_turn(&self, source: &SourceName) -> Result<LockTurn> {
        let turn = self.one(
            "SELECT series, until, version FROM lock_turn
             WHERE source_id = (SELECT id FROM source WHERE name = ?1)",
            [source.as_str()],
            |row| {
                Ok(LockTurn {
                    series: row.get(0)?,
                    until: row.get(1)?,
                    version: row.get(2)?,
                })
            },
        )?;
        Ok(turn.unwrap_or_default())
    }

    /// Remembers whose turn it is in the next night.
    pub fn set_lock_turn(&mut self, source: &SourceName, turn: &LockTurn) -> Result<()> {
        let set = || {
            prepare(
                &self.db,
                "INSERT INTO lock_turn (source_id, series, until, version)
                 SELECT id, ?2, ?3, ?4 FROM source WHERE name = ?1
                 ON CONFLICT (source_id) DO UPDATE SET series = excluded.series,
                   until = excluded.until, version = excluded.version",
            )?
            .execute(params![
                source.as_str(),
                turn.series,
                turn.until,
                turn.version
            ])
        };
        set().map(drop).map_err(|e| self.fault(e))
    }
}

/// How many columns [`KNOWN`] has.
const KNOWN_COLUMNS: usize = 13;

/// The three columns `lock_mode, lock_until, lock_hold`, from column `at`.
pub(super) fn lock(row: &Row<'_>, at: usize) -> rusqlite::Result<Option<Lock>> {
    let until: Option<i64> = row.get(at + 1)?;
    let retention = maybe_mode(row, at)?.zip(until);
    let retention = retention.map(|(mode, until)| Retention {
        mode,
        until: from_ms(until),
    });
    Ok(Lock::of(retention, row.get(at + 2)?))
}

fn maybe_mode(row: &Row<'_>, at: usize) -> rusqlite::Result<Option<LockMode>> {
    match row.get_ref(at)? {
        ValueRef::Null => Ok(None),
        _ => checked(row, at, LockMode::from_word).map(Some),
    }
}

/// The three columns as they are written.
pub(super) fn columns(lock: Option<&Lock>) -> (Option<&'static str>, Option<i64>, bool) {
    let retention = lock.and_then(|lock| lock.retention);
    let until = retention.map(|r| r.until.as_millisecond());
    (
        retention.map(|r| r.mode.as_str()),
        until.or_else(|| lock.map(|_| NO_END)),
        lock.is_some_and(|lock| lock.hold),
    )
}

impl Hand<'_> {
    pub(super) fn locked(
        &self,
        key: &ObjectKey,
        identity: &Identity,
        lock: Option<&Lock>,
    ) -> rusqlite::Result<()> {
        let (mode, until, hold) = columns(lock);
        self.execute(
            "UPDATE version SET lock_mode = ?4, lock_until = ?5, lock_hold = ?6
             WHERE source_id = ?1 AND key = ?2 AND identity = ?3",
            params![
                self.source,
                key.as_str(),
                told_by(identity),
                mode,
                until,
                hold
            ],
        )
    }

    pub(super) fn bucket_lock(&self, lock: &BucketLock, at: Timestamp) -> rusqlite::Result<()> {
        self.execute(
            "INSERT INTO bucket_lock (source_id, enabled, mode, days, at)
             VALUES (?1, ?2, ?3, ?4, ?5)
             ON CONFLICT (source_id) DO UPDATE SET enabled = excluded.enabled,
               mode = excluded.mode, days = excluded.days, at = excluded.at",
            params![
                self.source,
                lock.on,
                lock.default.map(|default| default.mode.as_str()),
                lock.default.map(|default| number(default.days.into())),
                at.as_millisecond()
            ],
        )
    }
}
