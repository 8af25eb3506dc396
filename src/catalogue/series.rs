//! What is remembered of each series: written by applying records, read before objects are fetched,
//! when they are stored, and at the end of a night.

use super::Catalogue;
use super::apply::{Hand, json};
use super::rows::{count, json as from_json, maybe_time, number};
use crate::error::Result;
use crate::object::{Identity, ObjectKey, Proof, Sha256, SourceName, Timestamp};
use crate::series::{Arrivals, Part, Series, Story};
use rusqlite::{OptionalExtension as _, Row, params};

/// So many series are kept in hand while a group is applied.
const IN_HAND: usize = 1000;

/// All that is remembered of one series.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SeriesRow {
    /// Its name.
    pub name: String,
    /// What its versions were like.
    pub story: Story,
    /// When they came.
    pub arrivals: Arrivals,
    /// How many versions were ever stored.
    pub versions: u64,
}

/// The columns that [`row`] decodes.
const ROW: &str = "stored_at, contents, judged_at, claims_held, claims_silent, held_at, name, \
     arrivals, versions";

impl Catalogue {
    /// What is remembered of `series`; `None` where nothing of it was ever stored.
    pub fn story(&self, source: &SourceName, series: &Series) -> Result<Option<Story>> {
        Ok(self.series(source, series)?.map(|row| row.story))
    }

    /// All that is remembered of `series`.
    pub fn series(&self, source: &SourceName, series: &Series) -> Result<Option<SeriesRow>> {
        self.one(
            &format!(
                "SELECT {ROW} FROM series
                 WHERE source_id = (SELECT id FROM source WHERE name = ?1) AND name = ?2"
            ),
            params![source.as_str(), series.as_str()],
            row,
        )
    }

    /// Up to `limit` series whose arrivals weigh at least `weight` ([`Arrivals::weight`]) and whose
    /// names come after `after`, in their order.
    pub fn all_series(
        &self,
        source: &SourceName,
        weight: u32,
        after: &str,
        limit: u32,
    ) -> Result<Vec<SeriesRow>> {
        self.rows(
            &format!(
                "SELECT {ROW} FROM series
                 WHERE source_id = (SELECT id FROM source WHERE name = ?1) AND name > ?2
                   AND weight >= ?3 ORDER BY name LIMIT ?4"
            ),
            params![source.as_str(), after, weight, limit],
            row,
        )
    }
}

fn row(row: &Row<'_>) -> rusqlite::Result<SeriesRow> {
    Ok(SeriesRow {
        story: Story {
            stored_at: maybe_time(row, 0)?,
            contents: from_json(row, 1)?,
            judged_at: maybe_time(row, 2)?,
            claims_held: from_json(row, 3)?,
            claims_silent: from_json(row, 4)?,
            held_at: maybe_time(row, 5)?,
        },
        name: row.get(6)?,
        arrivals: from_json(row, 7)?,
        versions: count(row, 8)?,
    })
}

/// A version that its series learns from.
pub(super) struct Learnt<'r> {
    pub(super) key: &'r ObjectKey,
    pub(super) identity: &'r Identity,
    pub(super) content: Option<&'r str>,
    pub(super) proofs: &'r [Proof],
    /// The digest of its bytes, where they came from the bucket and its key did not have them.
    pub(super) new: Option<Sha256>,
    pub(super) at: Timestamp,
}

impl Hand<'_> {
    /// A version is stored: its series remembers what it was like.
    pub(super) fn learn(&self, learnt: &Learnt<'_>) -> rusqlite::Result<()> {
        let Learnt { key, identity, .. } = learnt;
        // The rest of an archive that begins in another file tells nothing.
        let content = learnt
            .content
            .filter(|c| *c != "unknown" || Part::of(key) != Part::Later);
        let kept = learnt.new.map(|sha256| (identity.size, sha256));
        self.with_series(key, |row| {
            row.story
                .learn(content, identity.size, learnt.proofs, learnt.at);
            row.arrivals.take(key, identity.last_modified, kept);
            row.versions += u64::from(kept.is_some());
        })
    }

    /// Something of a series that is known came and is not stored: it goes on all the same.
    pub(super) fn came(&self, key: &ObjectKey, identity: &Identity) -> rusqlite::Result<()> {
        self.with_series(key, |row| {
            if row.story.stored_at.is_some() {
                row.arrivals.take(key, identity.last_modified, None);
            }
        })
    }

    /// Lets `change` change what is remembered of the series of `key`. A night brings thousands of
    /// objects of one series: its row is read and written once for a group.
    fn with_series(
        &self,
        key: &ObjectKey,
        change: impl FnOnce(&mut SeriesRow),
    ) -> rusqlite::Result<()> {
        let series = Series::of(key);
        if self.series.borrow().len() >= IN_HAND {
            self.write_series()?;
        }
        let mut in_hand = self.series.borrow_mut();
        let row = match in_hand.remove(series.as_str()) {
            Some(row) => Some(row),
            None => self.read_series(&series)?,
        };
        let mut row = row.unwrap_or_else(|| SeriesRow {
            name: series.as_str().to_owned(),
            ..SeriesRow::default()
        });
        change(&mut row);
        in_hand.insert(series.as_str().to_owned(), row);
        Ok(())
    }

    fn read_series(&self, series: &Series) -> rusqlite::Result<Option<SeriesRow>> {
        const SQL: &str = "SELECT stored_at, contents, judged_at, claims_held, claims_silent, \
             held_at, name, arrivals, versions FROM series WHERE source_id = ?1 AND name = ?2";
        self.with(SQL, |statement| {
            let params = params![self.source, series.as_str()];
            statement.query_row(params, row).optional()
        })
    }

    /// Writes down what the series in hand have learnt.
    pub(super) fn write_series(&self) -> rusqlite::Result<()> {
        let ms = |at: Option<Timestamp>| at.map(Timestamp::as_millisecond);
        let learnt = std::mem::take(&mut *self.series.borrow_mut());
        for row in learnt.values().filter(|row| row.story.stored_at.is_some()) {
            self.execute(
                "INSERT INTO series (source_id, name, stored_at, contents, judged_at, claims_held,
                   claims_silent, held_at, arrivals, weight, versions)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)
                 ON CONFLICT (source_id, name) DO UPDATE SET contents = excluded.contents,
                   judged_at = excluded.judged_at, claims_held = excluded.claims_held,
                   claims_silent = excluded.claims_silent, held_at = excluded.held_at,
                   arrivals = excluded.arrivals, weight = excluded.weight,
                   versions = excluded.versions",
                params![
                    self.source,
                    row.name,
                    ms(row.story.stored_at),
                    json(&row.story.contents)?,
                    ms(row.story.judged_at),
                    json(&row.story.claims_held)?,
                    json(&row.story.claims_silent)?,
                    ms(row.story.held_at),
                    json(&row.arrivals)?,
                    number(row.arrivals.weight()),
                    number(row.versions),
                ],
            )?;
        }
        Ok(())
    }
}
