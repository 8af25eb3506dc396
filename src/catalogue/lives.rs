//! The coming and going of keys: what says which series let what go.

use super::rows::key;
use super::rows::{checked, maybe_time};
use super::{Catalogue, prepare};
use crate::error::Result;
use crate::object::{InBucket, ObjectKey, SourceName, Timestamp, from_ms};
use crate::series::{Life, Range};
use rusqlite::types::Value;
use rusqlite::{Row, params};

/// A key, whatever its versions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lived {
    /// The key.
    pub key: ObjectKey,
    /// When it came, and when it was missed.
    pub life: Life,
    /// The row of the version that the bucket showed last time; `None` where it shows none.
    pub current: Option<i64>,
    /// Whether a version of it is planned: then the bucket shows the key tonight.
    pub planned: bool,
}

/// Something that stands in the history of a key: the newest is what a GET answers, or a marker that
/// hides the others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The key.
    pub key: ObjectKey,
    /// The bucket's own time for it.
    pub at: Timestamp,
    /// What it is.
    pub what: What,
}

/// What stands in the history of a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum What {
    /// A version that is known.
    Version {
        /// Its row.
        row: i64,
        /// When we first saw it.
        seen: Timestamp,
        /// When we first saw that a GET of the key does not answer it.
        missed: Option<Timestamp>,
        /// What the bucket showed of it last time.
        in_bucket: InBucket,
        /// Of one that is gone: the beginning of the run that wrote its row last.
        run: Option<Timestamp>,
        /// Whether its bytes are here.
        held: bool,
    },
    /// A version that is planned and was not known before.
    Planned,
    /// A delete marker.
    Marker,
}

impl Catalogue {
    /// Hands the history of every key of `source` in `range` to `each`: keys in byte
    /// order, of each the oldest first. Left out is what was overwritten for good, having no version
    /// id.
    pub fn histories(
        &self,
        source: &SourceName,
        range: &Range,
        each: &mut dyn FnMut(Entry),
    ) -> Result<()> {
        let sql = "WITH s AS (SELECT id FROM source WHERE name = ?1)
             SELECT key, last_modified AS at, 0 AS what, id, first_seen, missed_at, in_bucket,
               iif(in_bucket = 'gone', (SELECT started_at FROM run AS r
                 WHERE r.source_id = version.source_id AND r.run = version.run), NULL),
               path IS NOT NULL
             FROM version INDEXED BY version_identity
             WHERE source_id = (SELECT id FROM s) AND key >= ?2 AND key < ?3
               AND (version_id <> 'null' OR in_bucket <> 'gone')
             UNION ALL
             SELECT key, marked_at, 1, id, NULL, NULL, NULL, NULL, 0 FROM marker
             WHERE source_id = (SELECT id FROM s) AND key >= ?2 AND key < ?3
             UNION ALL
             SELECT key, last_modified, 2, id, NULL, NULL, NULL, NULL, 0
             FROM plan INDEXED BY plan_identity
             WHERE source_id = (SELECT id FROM s) AND key >= ?2 AND key < ?3 AND why IN ('new', 'changed')
             ORDER BY 1, 2, 3, 4";
        self.each_in(sql, source, range, &mut |row| {
            let what = match row.get(2)? {
                0 => What::Version {
                    row: row.get(3)?,
                    seen: from_ms(row.get(4)?),
                    missed: maybe_time(row, 5)?,
                    in_bucket: checked(row, 6, InBucket::from_word)?,
                    run: maybe_time(row, 7)?,
                    held: row.get(8)?,
                },
                1 => What::Marker,
                _ => What::Planned,
            };
            each(Entry {
                key: key(row, 0)?,
                at: from_ms(row.get(1)?),
                what,
            });
            Ok(())
        })
    }

    /// Hands every known key of `source` in `range` to `each`, in byte order.
    pub fn lives(
        &self,
        source: &SourceName,
        range: &Range,
        each: &mut dyn FnMut(Lived),
    ) -> Result<()> {
        let sql =
            "SELECT key, min(min(first_seen, last_modified)), min(first_seen), max(missed_at),
               max(CASE in_bucket WHEN 'current' THEN id END),
               EXISTS (SELECT 1 FROM plan AS p
                 WHERE p.source_id = version.source_id AND p.key = version.key)
             FROM version INDEXED BY version_identity
             WHERE source_id = (SELECT id FROM source WHERE name = ?1) AND key >= ?2 AND key < ?3
             GROUP BY key ORDER BY key";
        self.each_in(sql, source, range, &mut |row| {
            let current: Option<i64> = row.get(4)?;
            let missed: Option<i64> = row.get(3)?;
            each(Lived {
                key: key(row, 0)?,
                life: Life {
                    born: from_ms(row.get(1)?),
                    seen: from_ms(row.get(2)?),
                    missed: missed.filter(|_| current.is_none()).map(from_ms),
                },
                current,
                planned: row.get(5)?,
            });
            Ok(())
        })
    }

    /// Hands every planned key in `range` that is not known yet to `each`, with the
    /// bucket's own time for it.
    pub fn newcomers(
        &self,
        source: &SourceName,
        range: &Range,
        each: &mut dyn FnMut(ObjectKey, Timestamp),
    ) -> Result<()> {
        let sql = "SELECT key, min(last_modified) FROM plan INDEXED BY plan_identity
             WHERE source_id = (SELECT id FROM source WHERE name = ?1) AND key >= ?2 AND key < ?3 AND why = 'new'
             GROUP BY key ORDER BY key";
        self.each_in(sql, source, range, &mut |row| {
            each(key(row, 0)?, from_ms(row.get(1)?));
            Ok(())
        })
    }

    /// Steps through what `sql` answers of the keys in `range`.
    fn each_in(
        &self,
        sql: &str,
        source: &SourceName,
        range: &Range,
        each: &mut dyn FnMut(&Row<'_>) -> rusqlite::Result<()>,
    ) -> Result<()> {
        // No text is beyond a blob (https://sqlite.org/datatype3.html, 4.1).
        let until = match &range.until {
            Some(key) => Value::Text(key.clone()),
            None => Value::Blob(Vec::new()),
        };
        let mut step = || -> rusqlite::Result<()> {
            let mut statement = prepare(&self.db, sql)?;
            let mut rows = statement.query(params![source.as_str(), range.from, until])?;
            while let Some(row) = rows.next()? {
                each(row)?;
            }
            Ok(())
        };
        step().map_err(|e| self.fault(e))
    }
}
