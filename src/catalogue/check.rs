//! Whether the catalogue agrees with itself.

use super::Catalogue;
use crate::error::Result;
use std::collections::BTreeMap;

/// Versions and bytes, by what they were counted by, in words.
type Counters = BTreeMap<String, (i64, i64)>;

impl Catalogue {
    /// What is wrong with the database file and its maintained counters, in words; nothing when
    /// all is well. Reads every page once.
    pub fn counters_check(&self) -> Result<Vec<String>> {
        let mut wrong = self.rows("PRAGMA integrity_check", [], |row| row.get::<_, String>(0))?;
        wrong.retain(|word| word != "ok");
        wrong.extend(
            self.rows("PRAGMA foreign_key_check", [], |row| {
                row.get::<_, String>(0)
            })?
            .into_iter()
            .map(|table| format!("a row of {table} belongs to a source that is not there")),
        );
        let kept = self.counters(
            "SELECT source_id, state, in_bucket, evidence, content, versions, bytes FROM counter
             WHERE (versions, bytes) <> (0, 0)",
        )?;
        let real = self.counters(
            "SELECT source_id, state, in_bucket, coalesce(evidence, '') AS proven,
               coalesce(content, '') AS is_a, count(*), sum(bytes)
             FROM version GROUP BY source_id, state, in_bucket, proven, is_a",
        )?;
        let mut places: Vec<_> = kept.keys().chain(real.keys()).collect();
        places.sort();
        places.dedup();
        for place in places {
            let (says, has) = (kept.get(place), real.get(place));
            if says != has {
                let (says, has) = (says.unwrap_or(&(0, 0)), has.unwrap_or(&(0, 0)));
                wrong.push(format!(
                    "{place}: the counter says {} versions of {} bytes, there are {} of {}",
                    says.0, says.1, has.0, has.1
                ));
            }
        }
        Ok(wrong)
    }

    fn counters(&self, sql: &str) -> Result<Counters> {
        let sql = format!(
            "SELECT s.name, c.* FROM ({sql}) AS c LEFT JOIN source AS s ON s.id = c.source_id"
        );
        let rows = self.rows(&sql, [], |row| {
            let source: Option<String> = row.get(0)?;
            let text = |at: usize| row.get::<_, String>(at);
            let place = format!(
                "{}, {}, in the bucket {}, proven by {:?}, content {:?}",
                source.unwrap_or_default(),
                text(2)?,
                text(3)?,
                text(4)?,
                text(5)?
            );
            Ok((place, (row.get(6)?, row.get(7)?)))
        })?;
        Ok(rows.into_iter().collect())
    }
}
