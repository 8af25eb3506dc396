//! Copies of the catalogue, each of one moment, that open with plain SQLite.

use super::Catalogue;
use super::open::{glance, set};
use super::rows;
use crate::error::{Error, Kind, Result};
use crate::object::{Timestamp, from_ms};
use std::path::Path;

/// What tells whether a copy has everything that another catalogue has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mark {
    counters: Vec<(String, u64, u64)>,
    newest: [u64; 4],
}

impl Catalogue {
    /// Writes the catalogue as it is at this moment into the file `to`, which is not there or
    /// empty. The copy is one plain file without a log; it is not synced.
    ///
    /// A catalogue that is damaged within is an error, and no copy.
    pub fn copy_to(&self, to: &Path) -> Result<()> {
        let name = to.to_str().ok_or_else(|| {
            let what = format!("the name {} is not UTF-8", to.display());
            Error::new(Kind::Usage, what).hint("SQLite takes no other")
        })?;
        // A reader's connection refuses every statement that writes, also into another file.
        let reads = self.db.is_readonly("main").map_err(|e| self.fault(e))?;
        if reads {
            set(&self.db, &self.path, "query_only", "OFF", "0")?;
        }
        let copied = self.db.execute("VACUUM INTO ?1", [name]);
        if reads {
            set(&self.db, &self.path, "query_only", "ON", "1")?;
        }
        copied.map(drop).map_err(|e| self.fault(e))
    }

    /// What the copy at `path` has, and when its newest run began. Any failure means that it is
    /// no good.
    pub fn glance(path: &Path) -> Result<(Mark, Option<Timestamp>)> {
        let copy = glance(path)?;
        let newest = copy.one("SELECT max(started_at) FROM run", [], |row| row.get(0))?;
        let newest: Option<i64> = newest.flatten();
        Ok((copy.mark()?, newest.map(from_ms)))
    }

    /// Changes with everything that is recorded, except that a run began and ended.
    pub fn mark(&self) -> Result<Mark> {
        let counters = self.rows(
            "SELECT concat_ws(' ', source_id, state, in_bucket, evidence, content), versions, bytes
             FROM counter
             WHERE versions <> 0 ORDER BY source_id, state, in_bucket, evidence, content",
            [],
            |row| Ok((row.get(0)?, rows::count(row, 1)?, rows::count(row, 2)?)),
        )?;
        let mut newest = [0; 4];
        for (at, table) in newest
            .iter_mut()
            .zip(["version", "event", "ack", "finding"])
        {
            let what = match table {
                "finding" => "count(*)",
                _ => "coalesce(max(id), 0)",
            };
            let sql = format!("SELECT {what} FROM {table}");
            *at = self
                .one(&sql, [], |row| rows::count(row, 0))?
                .unwrap_or_default();
        }
        Ok(Mark { counters, newest })
    }
}
