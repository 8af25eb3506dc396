//! The coming and going of keys: what says which series let what go.

use super::rows::key;
use super::{Catalogue, prepare};
use crate::error::Result;
use crate::object::{ObjectKey, SourceName, Timestamp, from_ms};
use crate::series::Life;
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

impl Catalogue {
    /// Hands every known key of `source` from `first` to the last that begins with `last` to `each`, in
    /// byte order.
    pub fn lives(
        &self,
        source: &SourceName,
        (first, last): (&str, &str),
        each: &mut dyn FnMut(Lived),
    ) -> Result<()> {
        let sql =
            "SELECT key, min(min(first_seen, last_modified)), min(first_seen), max(missed_at),
               max(CASE in_bucket WHEN 'current' THEN id END),
               EXISTS (SELECT 1 FROM plan AS p
                 WHERE p.source_id = version.source_id AND p.key = version.key)
             FROM version INDEXED BY version_identity
             WHERE source_id = (SELECT id FROM source WHERE name = ?1) AND key >= ?2
             GROUP BY key ORDER BY key";
        self.between(sql, source, (first, last), &mut |row| {
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

    /// Hands every planned key of that range that is not known yet to `each`, with the bucket's own
    /// time for it.
    pub fn newcomers(
        &self,
        source: &SourceName,
        (first, last): (&str, &str),
        each: &mut dyn FnMut(ObjectKey, Timestamp),
    ) -> Result<()> {
        let sql = "SELECT key, min(last_modified) FROM plan INDEXED BY plan_identity
             WHERE source_id = (SELECT id FROM source WHERE name = ?1) AND key >= ?2 AND why = 'new'
             GROUP BY key ORDER BY key";
        self.between(sql, source, (first, last), &mut |row| {
            each(key(row, 0)?, from_ms(row.get(1)?));
            Ok(())
        })
    }

    /// Steps through keys in byte order, from `first` to the last that begins with `last`.
    fn between(
        &self,
        sql: &str,
        source: &SourceName,
        (first, last): (&str, &str),
        each: &mut dyn FnMut(&Row<'_>) -> rusqlite::Result<()>,
    ) -> Result<()> {
        let mut step = || -> rusqlite::Result<()> {
            let mut statement = prepare(&self.db, sql)?;
            let mut rows = statement.query(params![source.as_str(), first])?;
            while let Some(row) = rows.next()? {
                let key = row.get_ref(0)?.as_str()?;
                if key > last && !key.starts_with(last) {
                    break;
                }
                each(row)?;
            }
            Ok(())
        };
        step().map_err(|e| self.fault(e))
    }
}
