//! Whether the catalogue agrees with itself.

use super::Catalogue;
use crate::error::Result;
use std::collections::BTreeMap;

type Counters = BTreeMap<(String, String, String), (i64, i64)>;

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
            "SELECT source_id, state, in_bucket, versions, bytes FROM counter
             WHERE (versions, bytes) <> (0, 0)",
        )?;
        let real = self.counters(
            "SELECT source_id, state, in_bucket, count(*), sum(bytes)
             FROM version GROUP BY source_id, state, in_bucket",
        )?;
        let mut places: Vec<_> = kept.keys().chain(real.keys()).collect();
        places.sort();
        places.dedup();
        for place in places {
            let (says, has) = (kept.get(place), real.get(place));
            if says != has {
                let (says, has) = (says.unwrap_or(&(0, 0)), has.unwrap_or(&(0, 0)));
                wrong.push(format!(
                    "{}, {}, in the bucket {}: the counter says {} versions of {} bytes, there \
                     are {} of {}",
                    place.0, place.1, place.2, says.0, says.1, has.0, has.1
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
            let place = (source.unwrap_or_default(), row.get(2)?, row.get(3)?);
            Ok((place, (row.get(4)?, row.get(5)?)))
        })?;
        Ok(rows.into_iter().collect())
    }
}
