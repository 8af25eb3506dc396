//! The plan of a run: what the listing showed and we do not have, waiting to be fetched.

use super::rows::{checked, identity, key, number, version_id};
use super::{Catalogue, prepare, rows};
use crate::error::Result;
use crate::object::{Change, InBucket, SourceName, Why};
use rusqlite::{OptionalExtension as _, Row, params};

/// How much is planned.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PlanTotals {
    /// How many versions.
    pub objects: u64,
    /// Their bytes, as listed.
    pub bytes: u64,
    /// The largest of them, in bytes.
    pub largest: u64,
}

impl Catalogue {
    /// Empties the plan of `source`: a plan does not outlive its run.
    pub fn plan_clear(&mut self, source: &SourceName) -> Result<()> {
        let mut clear = || -> rusqlite::Result<()> {
            let tx = self.db.transaction()?;
            let others: Option<bool> = tx
                .query_row(
                    "SELECT EXISTS (SELECT 1 FROM plan WHERE source_id < s.id)
                         OR EXISTS (SELECT 1 FROM plan WHERE source_id > s.id)
                     FROM source AS s WHERE s.name = ?1",
                    [source.as_str()],
                    |row| row.get(0),
                )
                .optional()?;
            match others {
                None => {}
                // Without WHERE the pages are let go unread, where a million rows one by one write
                // as much as the plan holds (<https://sqlite.org/lang_delete.html>, 3).
                Some(false) => tx.execute("DELETE FROM plan", []).map(drop)?,
                Some(true) => tx
                    .execute(
                        "DELETE FROM plan WHERE source_id = (SELECT id FROM source WHERE name = ?1)",
                        [source.as_str()],
                    )
                    .map(drop)?,
            }
            tx.commit()
        };
        clear().map_err(|e| self.fault(e))
    }

    /// Adds the changes of one page to the plan, in one transaction. What is planned already is
    /// left as it is.
    pub fn plan_stage(&mut self, source: &SourceName, changes: &[Change]) -> Result<()> {
        let mut stage = || -> rusqlite::Result<()> {
            let tx = self.db.transaction()?;
            tx.execute(
                "INSERT INTO source (name, bucket, prefix) VALUES (?1, '', '')
                 ON CONFLICT DO NOTHING",
                [source.as_str()],
            )?;
            let mut insert = prepare(
                &tx,
                "INSERT INTO plan (source_id, why, key, version_id, etag, size, last_modified,
                   storage_class, in_bucket)
                 VALUES ((SELECT id FROM source WHERE name = ?1), ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)
                 ON CONFLICT (source_id, key, identity) DO NOTHING",
            )?;
            for change in changes {
                insert.execute(params![
                    source.as_str(),
                    change.why.as_str(),
                    change.key.as_str(),
                    version_id(&change.identity),
                    change.identity.etag,
                    number(change.identity.size),
                    change.identity.last_modified.as_millisecond(),
                    change.storage_class,
                    change.in_bucket.as_str(),
                ])?;
            }
            drop(insert);
            tx.commit()
        };
        stage().map_err(|e| super::fault(&self.path, e))
    }

    /// How much is planned for `source`.
    pub fn plan_totals(&self, source: &SourceName) -> Result<PlanTotals> {
        // total() and not sum(): sizes are the bucket's word, and sum() fails when they overflow.
        let totals = self.one(
            "SELECT count(*), total(size), coalesce(max(size), 0) FROM plan
             WHERE source_id = (SELECT id FROM source WHERE name = ?1)",
            [source.as_str()],
            |row| {
                Ok(PlanTotals {
                    objects: rows::count(row, 0)?,
                    bytes: row.get::<_, f64>(1)? as u64,
                    largest: rows::count(row, 2)?,
                })
            },
        )?;
        Ok(totals.unwrap_or_default())
    }

    /// Up to `limit` planned changes after row `after` (0 at first), in the order they were
    /// staged, each with its row.
    pub fn plan_take(
        &self,
        source: &SourceName,
        after: i64,
        limit: u32,
    ) -> Result<Vec<(i64, Change)>> {
        self.rows(
            "SELECT id, why, key, version_id, etag, size, last_modified, storage_class, in_bucket
             FROM plan NOT INDEXED
             WHERE source_id = (SELECT id FROM source WHERE name = ?1) AND id > ?2
             ORDER BY id LIMIT ?3",
            params![source.as_str(), after, limit],
            change,
        )
    }

    /// What is planned for `key`.
    pub fn plan_of(&self, source: &SourceName, key: &str) -> Result<Vec<Change>> {
        self.rows(
            "SELECT id, why, key, version_id, etag, size, last_modified, storage_class, in_bucket
             FROM plan
             WHERE source_id = (SELECT id FROM source WHERE name = ?1) AND key = ?2 ORDER BY id",
            params![source.as_str(), key],
            |row| Ok(change(row)?.1),
        )
    }

    /// Takes rows out of the plan, so that a listing that shows them again plans them again.
    pub fn plan_forget(&mut self, plan_rows: &[i64]) -> Result<()> {
        let mut forget = || -> rusqlite::Result<()> {
            let tx = self.db.transaction()?;
            let mut delete = prepare(&tx, "DELETE FROM plan WHERE id = ?1")?;
            for row in plan_rows {
                delete.execute([row])?;
            }
            drop(delete);
            tx.commit()
        };
        forget().map_err(|e| super::fault(&self.path, e))
    }

    /// The last row of the plan; 0 where it is empty.
    pub fn plan_last(&self, source: &SourceName) -> Result<i64> {
        let last = self.one(
            "SELECT max(id) FROM plan
             WHERE source_id = (SELECT id FROM source WHERE name = ?1)",
            [source.as_str()],
            |row| row.get(0),
        )?;
        Ok(last.flatten().unwrap_or(0))
    }

    /// Whether any version of `key` is planned.
    pub fn plan_has(&self, source: &SourceName, key: &str) -> Result<bool> {
        self.any(
            "SELECT 1 FROM plan
             WHERE source_id = (SELECT id FROM source WHERE name = ?1) AND key = ?2 LIMIT 1",
            params![source.as_str(), key],
        )
    }
}

/// A planned change with its row.
fn change(row: &Row<'_>) -> rusqlite::Result<(i64, Change)> {
    let change = Change {
        why: checked(row, 1, Why::from_word)?,
        key: key(row, 2)?,
        identity: identity(row, 3)?,
        storage_class: row.get(7)?,
        in_bucket: checked(row, 8, InBucket::from_word)?,
    };
    Ok((row.get(0)?, change))
}
