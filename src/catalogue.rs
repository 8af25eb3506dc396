//! The catalogue: an SQLite index over the journals, which a person can open with `sqlite3`.
//!
//! The journal on the drive is the truth. Every row here is made by applying a journal
//! [`Record`](crate::object::Record), by one function, live and when a journal is replayed; only
//! the `plan` of a run is written otherwise. All SQL of the program is in this room, and no
//! payload is opened here. `schema.sql` describes the tables and the views for people.
//!
//! No statement stays open between two calls: a reader never keeps a writer waiting, and a
//! listing that takes hours holds no lock.

mod apply;
mod backup;
mod care;
mod check;
mod diary;
mod findings;
mod known;
mod lives;
mod locks;
mod markers;
mod open;
mod order;
mod people;
mod plan;
mod rebuild;
mod rows;
mod series;
#[cfg(test)]
mod tests;

pub use backup::Mark;
pub use care::{DrillRow, Place, ToCheck};
pub use lives::{Entry, Lived, What};
pub use locks::{LockTurn, Locked};
pub use open::{JournalMode, no_catalogue};
pub use people::Query;
pub use plan::PlanTotals;
pub use rows::{Count, EventRow, FindingRow, KeyUse, KindCount, MarkerRow, RunRow, SourceRow};
pub use series::SeriesRow;

use crate::error::{Error, Kind, Result};
use crate::object::{JournalPosition, Sha256, SourceName};
use rusqlite::{
    CachedStatement, Connection, ErrorCode, OptionalExtension as _, Params, Row, params,
};
use std::path::{Path, PathBuf};

/// The index of one store, opened for writing or for reading.
#[derive(Debug)]
pub struct Catalogue {
    db: Connection,
    path: PathBuf,
    /// Whether it holds the only lock on the file, and only this process can read beside it.
    alone: bool,
    /// Where the database was copied to because it could not be read in place; removed on drop.
    _copy: Option<tempfile::TempDir>,
}

impl Catalogue {
    /// Makes `name` known with its bucket and prefix, or brings those up to date.
    pub fn ensure_source(&mut self, name: &SourceName, bucket: &str, prefix: &str) -> Result<()> {
        self.db
            .execute(
                "INSERT INTO source (name, bucket, prefix) VALUES (?1, ?2, ?3)
                 ON CONFLICT (name) DO UPDATE SET bucket = excluded.bucket, prefix = excluded.prefix
                 WHERE (bucket, prefix) <> (excluded.bucket, excluded.prefix)",
                params![name.as_str(), bucket, prefix],
            )
            .map(drop)
            .map_err(|e| self.fault(e))
    }

    /// Every source with its last run, by name.
    pub fn sources(&self) -> Result<Vec<SourceRow>> {
        // A mirror is as new as the store that it follows was then.
        let sql = "SELECT s.name, s.bucket, s.prefix, p.head,
               nullif(max(
                 coalesce((SELECT max(r.ended_at) FROM run AS r
                   WHERE r.source_id = s.id AND r.command = 'pull' AND r.ended = 'complete'), -1),
                 coalesce(f.pulled_at, -1)), -1)
             FROM source AS s LEFT JOIN position AS p ON p.source_id = s.id
             LEFT JOIN followed AS f ON f.source_id = s.id ORDER BY s.name";
        let mut sources = self.rows(sql, [], rows::source)?;
        for source in &mut sources {
            source.last_run = self.last_run(&source.name)?;
            source.key = self.key_in_use(&source.name)?;
        }
        Ok(sources)
    }

    /// The key that `source` was read with last.
    fn key_in_use(&self, source: &SourceName) -> Result<Option<KeyUse>> {
        self.one(
            "SELECT key, min(started_at), max(started_at) FROM run
             WHERE source_id = (SELECT id FROM source WHERE name = ?1) AND key IS NOT NULL
             GROUP BY key ORDER BY max(run) DESC LIMIT 1",
            [source.as_str()],
            rows::key_use,
        )
    }

    /// Up to where the journal of `source` is in this index; `None` where nothing is.
    pub fn position(&self, source: &SourceName) -> Result<Option<JournalPosition>> {
        self.one(
            "SELECT run, \"offset\", head FROM position
             WHERE source_id = (SELECT id FROM source WHERE name = ?1)",
            [source.as_str()],
            |row| {
                Ok(JournalPosition {
                    source: source.clone(),
                    run: rows::count(row, 0)?,
                    offset: rows::count(row, 1)?,
                    head: Sha256(row.get(2)?),
                })
            },
        )
    }

    /// All rows that a query answers, decoded.
    fn rows<T>(
        &self,
        sql: &str,
        params: impl Params,
        decode: impl FnMut(&Row<'_>) -> rusqlite::Result<T>,
    ) -> Result<Vec<T>> {
        let query = || -> rusqlite::Result<Vec<T>> {
            prepare(&self.db, sql)?.query_map(params, decode)?.collect()
        };
        query().map_err(|e| self.fault(e))
    }

    /// The first row that a query answers, decoded.
    fn one<T>(
        &self,
        sql: &str,
        params: impl Params,
        decode: impl FnOnce(&Row<'_>) -> rusqlite::Result<T>,
    ) -> Result<Option<T>> {
        let query = || prepare(&self.db, sql)?.query_row(params, decode).optional();
        query().map_err(|e| self.fault(e))
    }

    /// Whether a query answers a row.
    fn any(&self, sql: &str, params: impl Params) -> Result<bool> {
        Ok(self.one(sql, params, |_| Ok(()))?.is_some())
    }

    /// What SQLite said, with the file it is about.
    fn fault(&self, cause: rusqlite::Error) -> Error {
        fault(&self.path, cause)
    }
}

/// Prepares a statement, or takes it from the connection's cache. In tests it is looked at first:
/// none may read all versions.
fn prepare<'c>(db: &'c Connection, sql: &str) -> rusqlite::Result<CachedStatement<'c>> {
    #[cfg(test)]
    tests::no_scan(db, sql);
    db.prepare_cached(sql)
}

/// What SQLite said about the catalogue at `path`, and the way out.
fn fault(path: &Path, cause: rusqlite::Error) -> Error {
    let about = format!("the catalogue {}", path.display());
    let (kind, hint) = match &cause {
        // A column that does not decode: somebody edited the file, or it rots.
        rusqlite::Error::FromSqlConversionFailure(..)
        | rusqlite::Error::InvalidColumnType(..)
        | rusqlite::Error::IntegralValueOutOfRange(..) => (Kind::Damaged, Some(REBUILD)),
        _ => match cause.sqlite_error_code() {
            Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => {
                (Kind::Damaged, Some(REBUILD))
            }
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => (
                Kind::Locked,
                Some("another program has the catalogue open: close it and try again"),
            ),
            Some(ErrorCode::DiskFull) => (
                Kind::Store,
                Some("the drive is full: make room on it and run again"),
            ),
            Some(
                ErrorCode::ReadOnly
                | ErrorCode::SystemIoFailure
                | ErrorCode::CannotOpen
                | ErrorCode::PermissionDenied,
            ) => (
                Kind::Store,
                Some("check that the drive is there, mounted and writable by this user"),
            ),
            _ => (Kind::Run, None),
        },
    };
    let error = Error::new(kind, about).because(cause);
    match hint {
        Some(hint) => error.hint(hint),
        None => error,
    }
}

/// The way out of a catalogue that cannot be read: it is only an index.
const REBUILD: &str = "the catalogue is only an index: `offsite catalogue rebuild` makes it anew \
     from the drive, and keeps the one that is there beside it";
