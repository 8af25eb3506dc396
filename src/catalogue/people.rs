//! Reading for people and for `status`, `ls`, `show`, `log`: nothing here writes.

use super::rows::{self, EVENT, RUN, STORED, count};
use super::{Catalogue, Count, EventRow, KindCount, RunRow};
use crate::error::Result;
use crate::object::{ObjectKey, SourceName, State, StoredVersion, Timestamp, from_ms};
use rusqlite::params;

/// Which versions [`Catalogue::list`] names.
#[derive(Clone, Debug, Default)]
pub struct Query {
    /// Only this source's.
    pub source: Option<SourceName>,
    /// What the bucket showed at that time, as far as we saw it.
    pub at: Option<Timestamp>,
    /// Every version that was ever seen (with `at`: seen until then).
    pub all_versions: bool,
    /// Also what the drive does not have: with `at`, what the bucket showed then; else keys that have no
    /// file in `latest/`, because their bytes are lost, archived, unreadable or in quarantine.
    pub unheld: bool,
}

/// Since when the bucket showed a version: by its own clock where it keeps versions, else since we
/// first saw it.
const BEGIN: &str = "iif(v.version_id <> 'null' OR v.in_bucket IN ('noncurrent', 'hidden'),
     min(v.first_seen, v.last_modified), v.first_seen)";

/// How many rows [`Catalogue::list`] reads at a time.
const PAGE: u32 = 512;

impl Query {
    /// Which versions, and which of them first; the first of a key is the one unless all are
    /// asked for. `?3` is the moment.
    fn sql(&self) -> (String, String) {
        match (self.all_versions, self.at) {
            (true, _) => (
                "v.first_seen <= ?3".to_owned(),
                "v.first_seen DESC".to_owned(),
            ),
            (false, Some(_)) => (
                format!(
                    "{BEGIN} <= ?3 AND (v.missed_at IS NULL OR v.missed_at > ?3)
                     AND NOT EXISTS (SELECT 1 FROM marker AS m
                       WHERE m.source_id = v.source_id AND m.key = v.key AND m.marked_at <= ?3
                         AND (m.missed_at IS NULL OR m.missed_at > ?3)
                         AND (m.marked_at > {BEGIN}
                           OR (m.marked_at = {BEGIN} AND v.in_bucket <> 'current')))"
                ),
                format!("{BEGIN} DESC, v.in_bucket IN ('current', 'hidden') DESC"),
            ),
            (false, None) if self.unheld => (
                "(v.path >= 'latest/' AND v.path < 'latest0'
                  OR v.state IN ('pending', 'archived', 'unreadable', 'quarantined'))
                 AND ?3 IS NOT NULL"
                    .to_owned(),
                "(v.path >= 'latest/' AND v.path < 'latest0') IS TRUE DESC,
                 v.in_bucket = 'current' DESC, v.first_seen DESC"
                    .to_owned(),
            ),
            (false, None) => (
                "v.path >= 'latest/' AND v.path < 'latest0' AND ?3 IS NOT NULL".to_owned(),
                "v.in_bucket = 'current' DESC, v.first_seen DESC".to_owned(),
            ),
        }
    }

    /// Whether a version that was shown then is one that can be had.
    fn takes(&self, version: &StoredVersion) -> bool {
        self.all_versions
            || self.unheld
            || self.at.is_none()
            || matches!(version.state, State::Stored | State::Held)
    }
}

impl Catalogue {
    /// How many versions there are, by source, state and what the bucket shows. Reads the
    /// counters, so it takes the same time at a million versions.
    pub fn counts(&self, source: Option<&SourceName>) -> Result<Vec<Count>> {
        self.rows(
            "SELECT s.name, c.state, c.in_bucket, sum(c.versions), sum(c.bytes)
             FROM source AS s JOIN counter AS c ON c.source_id = s.id
             WHERE c.versions <> 0 AND (?1 IS NULL OR s.name = ?1)
             GROUP BY s.name, c.state, c.in_bucket
             ORDER BY s.name, c.state, c.in_bucket",
            [source.map(SourceName::as_str)],
            rows::counted,
        )
    }

    /// How many versions of `source` the drive has in `latest/` and `history/`, by how they are
    /// proven and what they are. Reads the counters, too.
    pub fn kinds(&self, source: &SourceName) -> Result<Vec<KindCount>> {
        self.rows(
            "SELECT c.evidence, c.content, sum(c.versions)
             FROM source AS s JOIN counter AS c ON c.source_id = s.id
             WHERE s.name = ?1 AND c.state IN ('stored', 'held') AND c.versions <> 0
             GROUP BY c.evidence, c.content ORDER BY c.evidence, c.content",
            [source.as_str()],
            rows::kind_count,
        )
    }

    /// Hands the versions that `query` asks for to `each`, by source and key (bytes), newest
    /// first within a key. Without `at` and `all_versions`: the newest good version of each key.
    ///
    /// Read a page at a time, with nothing open while `each` works: it may take hours. An error
    /// of `each` ends the listing and is returned.
    pub fn list(
        &self,
        query: &Query,
        each: &mut dyn FnMut(StoredVersion) -> Result<()>,
    ) -> Result<()> {
        let names = self.rows(
            "SELECT id FROM source WHERE ?1 IS NULL OR name = ?1 ORDER BY name",
            [query.source.as_ref().map(SourceName::as_str)],
            |row| row.get::<_, i64>(0),
        )?;
        for source in names {
            self.list_source(source, query, each)?;
        }
        Ok(())
    }

    fn list_source(
        &self,
        source: i64,
        query: &Query,
        each: &mut dyn FnMut(StoredVersion) -> Result<()>,
    ) -> Result<()> {
        let (which, order) = query.sql();
        let sql = format!(
            "SELECT {STORED} FROM version AS v INDEXED BY version_identity
             JOIN source AS s ON s.id = v.source_id
             WHERE v.source_id = ?1 AND v.key > ?2 AND {which}
             ORDER BY v.key, {order}, v.id DESC LIMIT ?4"
        );
        let moment = query.at.map_or(i64::MAX, Timestamp::as_millisecond);
        let mut after = String::new();
        loop {
            let params = params![source, after, moment, PAGE];
            let mut page = self.rows(&sql, params, rows::stored)?;
            let full = page.len() == usize::try_from(PAGE).unwrap_or(usize::MAX);
            let Some(last) = page.last().map(|v| v.key.clone()) else {
                return Ok(());
            };
            if full {
                // The last key may have more rows than fit: it opens the next page, or is read by
                // itself.
                page.retain(|v| v.key != last);
                if page.is_empty() {
                    self.list_key(source, &last, query, each)?;
                    after = last.as_str().to_owned();
                    continue;
                }
            }
            let mut previous: Option<ObjectKey> = None;
            for version in page {
                if query.all_versions || previous.as_ref() != Some(&version.key) {
                    previous = Some(version.key.clone());
                    after = version.key.as_str().to_owned();
                    if query.takes(&version) {
                        each(version)?;
                    }
                }
            }
            if !full {
                return Ok(());
            }
        }
    }

    /// As [`list`](Self::list), of one key with very many versions: their row numbers are sorted, and
    /// each is read when it is its turn.
    fn list_key(
        &self,
        source: i64,
        key: &ObjectKey,
        query: &Query,
        each: &mut dyn FnMut(StoredVersion) -> Result<()>,
    ) -> Result<()> {
        let (which, order) = query.sql();
        let sql = format!(
            "SELECT v.id FROM version AS v INDEXED BY version_identity
             WHERE v.source_id = ?1 AND v.key = ?2 AND {which} ORDER BY {order}, v.id DESC LIMIT ?4"
        );
        let moment = query.at.map_or(i64::MAX, Timestamp::as_millisecond);
        let limit = if query.all_versions { -1 } else { 1 };
        let params = params![source, key.as_str(), moment, limit];
        let rows: Vec<i64> = self.rows(&sql, params, |row| row.get(0))?;
        for row in rows {
            if let Some(version) = self.version(row)?.filter(|version| query.takes(version)) {
                each(version)?;
            }
        }
        Ok(())
    }

    fn version(&self, row: i64) -> Result<Option<StoredVersion>> {
        let sql = format!(
            "SELECT {STORED} FROM version AS v JOIN source AS s ON s.id = v.source_id WHERE v.id = ?1"
        );
        self.one(&sql, [row], rows::stored)
    }

    /// Hands every version of `key` to `each`, newest first. Read one by one: a key may have very many.
    pub fn versions_of(
        &self,
        source: &SourceName,
        key: &str,
        each: &mut dyn FnMut(StoredVersion) -> Result<()>,
    ) -> Result<()> {
        let sql = "SELECT v.id FROM version AS v INDEXED BY version_identity
             WHERE v.source_id = (SELECT id FROM source WHERE name = ?1) AND v.key = ?2
             ORDER BY v.first_seen DESC, v.id DESC";
        let rows: Vec<i64> = self.rows(sql, params![source.as_str(), key], |row| row.get(0))?;
        for row in rows {
            if let Some(version) = self.version(row)? {
                each(version)?;
            }
        }
        Ok(())
    }

    /// The version of `key` that the bucket shows, in this state.
    pub fn current_of(
        &self,
        source: &SourceName,
        key: &ObjectKey,
        state: State,
    ) -> Result<Option<StoredVersion>> {
        let sql = format!(
            "SELECT {STORED} FROM version AS v INDEXED BY version_identity
             JOIN source AS s ON s.id = v.source_id
             WHERE v.source_id = (SELECT id FROM source WHERE name = ?1) AND v.key = ?2
               AND v.in_bucket = 'current' AND v.state = ?3
             ORDER BY v.first_seen DESC, v.id DESC LIMIT 1"
        );
        let params = params![source.as_str(), key.as_str(), state.as_str()];
        self.one(&sql, params, rows::stored)
    }

    /// Up to `limit` versions that have a file, with row numbers above `after_id`, in that order.
    pub fn all_placed(
        &self,
        source: &SourceName,
        after_id: i64,
        limit: u32,
    ) -> Result<Vec<StoredVersion>> {
        let sql = format!(
            "SELECT {STORED} FROM version AS v NOT INDEXED JOIN source AS s ON s.id = v.source_id
             WHERE s.name = ?1 AND v.id > ?2 AND v.path IS NOT NULL ORDER BY v.id LIMIT ?3"
        );
        self.rows(
            &sql,
            params![source.as_str(), after_id, limit],
            rows::stored,
        )
    }

    /// Up to `limit` events, newest first; with `key` those about it, in any source.
    pub fn events(&self, key: Option<&str>, limit: u32) -> Result<Vec<EventRow>> {
        let which = match key {
            Some(_) => "e.key = ?1",
            None => "?1 IS NULL",
        };
        let sql = format!(
            "SELECT {EVENT} FROM event AS e JOIN source AS s ON s.id = e.source_id
             WHERE {which} ORDER BY e.at DESC, e.id DESC LIMIT ?2"
        );
        self.rows(&sql, params![key, limit], rows::event)
    }

    /// Up to `limit` runs of all sources, newest first.
    pub fn runs(&self, limit: u32) -> Result<Vec<RunRow>> {
        let sql = format!(
            "SELECT {RUN} FROM run AS r JOIN source AS s ON s.id = r.source_id
             ORDER BY r.started_at DESC, r.run DESC LIMIT ?1"
        );
        self.rows(&sql, [limit], rows::run)
    }

    /// When a run of `source` began, if it is known.
    pub fn run_began(&self, source: &SourceName, run: u64) -> Result<Option<Timestamp>> {
        self.one(
            "SELECT started_at FROM run
             WHERE source_id = (SELECT id FROM source WHERE name = ?1) AND run = ?2",
            params![source.as_str(), rows::number(run)],
            |row| rows::time(row, 0),
        )
    }

    /// What the pulls of `source` that began since then were like: how many were complete, and the most objects
    /// that one stored after the first of those.
    pub fn pulls_since(&self, source: &SourceName, since: Timestamp) -> Result<(u64, u64)> {
        let found = self.one(
            "WITH pull AS (SELECT run, ended, stored FROM run
               WHERE source_id = (SELECT id FROM source WHERE name = ?1)
                 AND command = 'pull' AND ended IS NOT NULL AND started_at >= ?2)
             SELECT count(*) FILTER (WHERE ended = 'complete'),
               coalesce(max(stored) FILTER
                 (WHERE run > (SELECT min(run) FROM pull WHERE ended = 'complete')), 0)
             FROM pull",
            params![source.as_str(), since.as_millisecond()],
            |row| Ok((count(row, 0)?, count(row, 1)?)),
        )?;
        Ok(found.unwrap_or_default())
    }

    /// When a run of `source` ended last, whatever the clock says now.
    pub fn ended_last(&self, source: &SourceName) -> Result<Option<Timestamp>> {
        let at = self.one(
            "SELECT max(ended_at) FROM run
             WHERE source_id = (SELECT id FROM source WHERE name = ?1)",
            [source.as_str()],
            |row| row.get::<_, Option<i64>>(0),
        )?;
        Ok(at.flatten().map(from_ms))
    }

    /// The newest run of `source`; of those that look after the copy, which say by themselves how it
    /// stands, none: they hide no pull that failed.
    pub(super) fn last_run(&self, source: &SourceName) -> Result<Option<RunRow>> {
        let sql = format!(
            "SELECT {RUN} FROM run AS r JOIN source AS s ON s.id = r.source_id
             WHERE s.name = ?1 AND r.command NOT IN ('scrub', 'drill', 'mirror')
             ORDER BY r.run DESC LIMIT 1"
        );
        self.one(&sql, [source.as_str()], rows::run)
    }

    /// Which of two kinds of event about `source` came last, if any did.
    pub fn said_last(
        &self,
        source: &SourceName,
        [one, other]: [&str; 2],
    ) -> Result<Option<String>> {
        self.one(
            "SELECT kind FROM event WHERE source_id = (SELECT id FROM source WHERE name = ?1)
               AND kind IN (?2, ?3) ORDER BY id DESC LIMIT 1",
            params![source.as_str(), one, other],
            |row| row.get(0),
        )
    }

    /// The text of the newest event of a kind about `source`.
    pub fn last_event(&self, source: &SourceName, kind: &str) -> Result<Option<String>> {
        self.one(
            "SELECT text FROM event WHERE source_id = (SELECT id FROM source WHERE name = ?1)
               AND kind = ?2 ORDER BY id DESC LIMIT 1",
            params![source.as_str(), kind],
            |row| row.get(0),
        )
    }
}
