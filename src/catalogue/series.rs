//! What is remembered of each series: written by applying records, read before objects are fetched
//! and when they are stored.

use super::Catalogue;
use super::apply::{Hand, json};
use super::rows::{json as from_json, maybe_time};
use crate::error::Result;
use crate::object::{Identity, ObjectKey, Proof, SourceName, Timestamp};
use crate::series::{Part, Series, Story};
use rusqlite::{OptionalExtension as _, Row, params};

impl Catalogue {
    /// What is remembered of `series`; `None` where nothing of it was ever stored.
    pub fn story(&self, source: &SourceName, series: &Series) -> Result<Option<Story>> {
        self.one(
            "SELECT stored_at, contents, judged_at, claims_held, claims_silent, held_at FROM series
             WHERE source_id = (SELECT id FROM source WHERE name = ?1) AND name = ?2",
            params![source.as_str(), series.as_str()],
            story,
        )
    }
}

fn story(row: &Row<'_>) -> rusqlite::Result<Story> {
    Ok(Story {
        stored_at: maybe_time(row, 0)?,
        contents: from_json(row, 1)?,
        judged_at: maybe_time(row, 2)?,
        claims_held: from_json(row, 3)?,
        claims_silent: from_json(row, 4)?,
        held_at: maybe_time(row, 5)?,
    })
}

impl Hand<'_> {
    /// A version of `key` is stored: its series remembers what it was like.
    pub(super) fn learn(
        &self,
        key: &ObjectKey,
        identity: &Identity,
        content: Option<&str>,
        proofs: &[Proof],
        at: Timestamp,
    ) -> rusqlite::Result<()> {
        // The rest of an archive that begins in another file tells nothing.
        let content = content.filter(|c| *c != "unknown" || Part::of(key) != Part::Later);
        let series = Series::of(key);
        let before = self.story(&series)?;
        let mut after = before.clone().unwrap_or_default();
        after.learn(content, identity.size, proofs, at);
        if before.as_ref() == Some(&after) {
            return Ok(());
        }
        let ms = |at: Option<Timestamp>| at.map(Timestamp::as_millisecond);
        self.execute(
            "INSERT INTO series (source_id, name, stored_at, contents, judged_at, claims_held,
               claims_silent, held_at)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)
             ON CONFLICT (source_id, name) DO UPDATE SET contents = excluded.contents,
               judged_at = excluded.judged_at, claims_held = excluded.claims_held,
               claims_silent = excluded.claims_silent, held_at = excluded.held_at",
            params![
                self.source,
                series.as_str(),
                ms(after.stored_at),
                json(&after.contents)?,
                ms(after.judged_at),
                json(&after.claims_held)?,
                json(&after.claims_silent)?,
                ms(after.held_at),
            ],
        )
    }

    fn story(&self, series: &Series) -> rusqlite::Result<Option<Story>> {
        const SQL: &str =
            "SELECT stored_at, contents, judged_at, claims_held, claims_silent, held_at
             FROM series WHERE source_id = ?1 AND name = ?2";
        self.with(SQL, |statement| {
            let params = params![self.source, series.as_str()];
            statement.query_row(params, story).optional()
        })
    }
}
