//! How a bucket lists, and where its keys lie: for listing parts of it side by side.

use super::rows::key;
use super::{Catalogue, prepare};
use crate::error::Result;
use crate::object::{InBucket, ObjectKey, SourceName};
use rusqlite::params;

impl Catalogue {
    /// Whether the source's listings have come in byte order, and from where they were told.
    pub fn byte_order(&self, source: &SourceName) -> Result<bool> {
        let known = self.one(
            "SELECT byte_order FROM source WHERE name = ?1",
            [source.as_str()],
            |row| row.get(0),
        )?;
        Ok(known.unwrap_or(false))
    }

    /// Remembers it, or gives it up.
    pub fn set_byte_order(&mut self, source: &SourceName, known: bool) -> Result<()> {
        self.db
            .execute(
                "UPDATE source SET byte_order = ?2 WHERE name = ?1",
                params![source.as_str(), known],
            )
            .map(drop)
            .map_err(|e| self.fault(e))
    }

    /// How many versions the bucket showed last time.
    pub fn current(&self, source: &SourceName) -> Result<u64> {
        let counts = self.counts(Some(source))?;
        let current = counts.iter().filter(|c| c.in_bucket == InBucket::Current);
        Ok(current.map(|count| count.versions).sum())
    }

    /// Keys that the bucket showed last time, up to `wanted`, evenly over the rows: a few steps
    /// into an index each, however many there are.
    pub fn some_keys(&self, source: &SourceName, wanted: u32) -> Result<Vec<ObjectKey>> {
        let highest = self.highest_row()?;
        let step = (highest / i64::from(wanted.max(1))).max(1);
        let find = || -> rusqlite::Result<Vec<ObjectKey>> {
            let tx = self.db.unchecked_transaction()?;
            let mut next = prepare(
                &tx,
                "SELECT v.key FROM version AS v
                 WHERE v.id = (SELECT id FROM version INDEXED BY version_current
                   WHERE source_id = (SELECT id FROM source WHERE name = ?1)
                     AND in_bucket = 'current' AND id >= ?2 ORDER BY id LIMIT 1)",
            )?;
            let mut keys = Vec::new();
            let mut from = 1;
            while from <= highest {
                let mut found = next.query(params![source.as_str(), from])?;
                match found.next()? {
                    Some(row) => keys.push(key(row, 0)?),
                    None => break,
                }
                from += step;
            }
            Ok(keys)
        };
        find().map_err(|e| self.fault(e))
    }
}
