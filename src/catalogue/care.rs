//! The care for the copy: which files were checked and when, what scrubs and rehearsals found, how
//! far a mirror follows.

use super::apply::Hand;
use super::rows::{self, STORED, count, number, time};
use super::{Catalogue, prepare};
use crate::error::Result;
use crate::object::{
    Drilled, EventRecord, Followed, Healed, JournalPosition, ObjectKey, Scrubbed, Sha256,
    SourceName, StoredVersion, Timestamp, from_ms,
};
use rusqlite::params;

/// The newest rehearsal of a series.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DrillRow {
    /// The rehearsal.
    pub newest: Drilled,
    /// When one succeeded last, with the owner's command.
    pub proven_at: Option<Timestamp>,
}

/// The columns behind those of a version.
const CHECKED_AT: usize = 23;
const SUMS_AT: usize = 24;

/// A place in the order in which files are checked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Place {
    checked_at: Option<i64>,
    id: i64,
}

/// A version whose file is to be read.
#[derive(Clone, Debug)]
pub struct ToCheck {
    /// The version.
    pub version: StoredVersion,
    /// Where its line in the sums begins, in bytes.
    pub sums_at: Option<u64>,
    /// Where in the order it stands.
    pub place: Place,
}

impl ToCheck {
    /// When it was checked last.
    pub fn checked_at(&self) -> Option<Timestamp> {
        self.place.checked_at.map(from_ms)
    }

    /// When the file was last known to be what it should be: checked, else stored.
    pub fn right_at(&self) -> Option<Timestamp> {
        self.checked_at().or(self.version.stored_at)
    }
}

fn to_check(row: &rusqlite::Row<'_>) -> rusqlite::Result<ToCheck> {
    let version = rows::stored(row)?;
    Ok(ToCheck {
        place: Place {
            checked_at: row.get(CHECKED_AT)?,
            id: version.id,
        },
        version,
        sums_at: rows::maybe_count(row, SUMS_AT)?,
    })
}

impl Catalogue {
    /// Up to `limit` versions of all sources that have a file, behind `after`: never checked first, then
    /// those that a clock which was wrong marked with a time after `now`, then least recently.
    ///
    /// Times to come may not be the last: while files are checked again and again by turns, they would
    /// never be.
    pub fn to_check(
        &self,
        after: Option<Place>,
        now: Timestamp,
        limit: u32,
    ) -> Result<Vec<ToCheck>> {
        let now = now.as_millisecond();
        let place = after.unwrap_or_default();
        let marked = place.checked_at.map(|at| (at, place.id));
        let mut found = Vec::new();
        let rest = |found: &Vec<ToCheck>| {
            limit.saturating_sub(u32::try_from(found.len()).unwrap_or(limit))
        };
        if marked.is_none() {
            let never = "v.checked_at IS ?1 AND v.id > ?2 AND ?4 IS NOT NULL";
            found = self.checked(never, (None, place.id), now, limit)?;
        }
        let to_come = marked.is_none_or(|(at, _)| at > now);
        if to_come && rest(&found) > 0 {
            let (at, id) = marked.unwrap_or((now, i64::MAX));
            let behind = "(v.checked_at, v.id) > (?1, ?2) AND v.checked_at > ?4";
            found.extend(self.checked(behind, (Some(at), id), now, rest(&found))?);
        }
        if rest(&found) > 0 {
            let (at, id) = marked.filter(|_| !to_come).unwrap_or((i64::MIN, i64::MIN));
            let behind = "(v.checked_at, v.id) > (?1, ?2) AND v.checked_at <= ?4";
            found.extend(self.checked(behind, (Some(at), id), now, rest(&found))?);
        }
        Ok(found)
    }

    fn checked(
        &self,
        which: &str,
        (at, id): (Option<i64>, i64),
        now: i64,
        limit: u32,
    ) -> Result<Vec<ToCheck>> {
        let sql = format!(
            "SELECT {STORED}, v.checked_at, v.sums_at
             FROM version AS v INDEXED BY version_checked CROSS JOIN source AS s ON s.id = v.source_id
             WHERE v.path IS NOT NULL AND {which}
             ORDER BY v.checked_at, v.id LIMIT ?3"
        );
        self.rows(&sql, params![at, id, limit, now], to_check)
    }

    /// The version as it is recorded now, where its file still is where it was, with the same bytes.
    pub fn still_to_check(&self, version: &StoredVersion) -> Result<Option<ToCheck>> {
        let sql = format!(
            "SELECT {STORED}, v.checked_at, v.sums_at
             FROM version AS v INDEXED BY version_path CROSS JOIN source AS s ON s.id = v.source_id
             WHERE v.source_id = (SELECT id FROM source WHERE name = ?1)
               AND v.path = substr(?2, length(?1) + 2) AND v.sha256 = ?3 AND v.key = ?4"
        );
        let sha256 = version.sha256.map(|sha256| sha256.0);
        let key = version.key.as_str();
        let rows = self.rows(
            &sql,
            params![version.source, version.path, sha256, key],
            to_check,
        )?;
        let mut rows = rows.into_iter();
        Ok(rows.find(|row| row.version.identity == version.identity))
    }

    /// Notes that the files at these paths (relative to their source's folder) were read and are
    /// right, in one transaction.
    pub fn set_checked(&mut self, checked: &[(SourceName, String)], at: Timestamp) -> Result<()> {
        let mut set = || -> rusqlite::Result<()> {
            let tx = self.db.transaction()?;
            let mut update = prepare(
                &tx,
                "UPDATE version SET checked_at = ?3
                 WHERE source_id = (SELECT id FROM source WHERE name = ?1) AND path = ?2",
            )?;
            for (source, path) in checked {
                update.execute(params![source.as_str(), path, at.as_millisecond()])?;
            }
            drop(update);
            tx.commit()
        };
        set().map_err(|e| super::fault(&self.path, e))
    }

    /// The newest scrubs of a source, newest first.
    pub fn scrubs(&self, source: &SourceName, limit: u32) -> Result<Vec<Scrubbed>> {
        self.rows(
            "SELECT files, bytes, damaged, healed, read_errors, at FROM scrub
             WHERE source_id = (SELECT id FROM source WHERE name = ?1)
             ORDER BY run DESC LIMIT ?2",
            params![source.as_str(), limit],
            |row| {
                Ok(Scrubbed {
                    files: count(row, 0)?,
                    bytes: count(row, 1)?,
                    damaged: count(row, 2)?,
                    healed: count(row, 3)?,
                    read_errors: count(row, 4)?,
                    at: time(row, 5)?,
                })
            },
        )
    }

    /// The newest rehearsal of every series of a source that had one, by the series' names.
    pub fn drills(&self, source: &SourceName) -> Result<Vec<DrillRow>> {
        self.rows(
            "SELECT series, files, bytes, command, failed, at, proven_at FROM drill
             WHERE source_id = (SELECT id FROM source WHERE name = ?1) ORDER BY series",
            [source.as_str()],
            |row| {
                Ok(DrillRow {
                    newest: Drilled {
                        series: row.get(0)?,
                        files: count(row, 1)?,
                        bytes: count(row, 2)?,
                        command: row.get(3)?,
                        failed: row.get(4)?,
                        at: time(row, 5)?,
                    },
                    proven_at: rows::maybe_time(row, 6)?,
                })
            },
        )
    }

    /// In a mirror: the other store's id, and up to where its journal is followed.
    pub fn followed_to(&self, source: &SourceName) -> Result<Option<(String, JournalPosition)>> {
        let rows = self.rows(
            "SELECT store, run, \"offset\", head FROM followed
             WHERE source_id = (SELECT id FROM source WHERE name = ?1)",
            [source.as_str()],
            |row| {
                let position = JournalPosition {
                    source: source.clone(),
                    run: count(row, 1)?,
                    offset: count(row, 2)?,
                    head: Sha256(row.get(3)?),
                };
                Ok((row.get(0)?, position))
            },
        )?;
        Ok(rows.into_iter().next())
    }

    /// In a mirror: up to `limit` versions whose bytes it could not get yet, with row numbers above
    /// `after_id`, in that order.
    pub fn pending(
        &self,
        source: &SourceName,
        after_id: i64,
        limit: u32,
    ) -> Result<Vec<StoredVersion>> {
        let sql = format!(
            "SELECT {STORED} FROM version AS v INDEXED BY version_pending
             JOIN source AS s ON s.id = v.source_id
             WHERE v.source_id = (SELECT id FROM source WHERE name = ?1)
               AND v.state = 'pending' AND v.id > ?2 ORDER BY v.id LIMIT ?3"
        );
        let params = params![source.as_str(), after_id, limit];
        self.rows(&sql, params, rows::stored)
    }

    /// Whether this event is recorded.
    pub fn has_event(&self, source: &SourceName, event: &EventRecord) -> Result<bool> {
        self.any(
            "SELECT 1 FROM event INDEXED BY event_at
             WHERE at = ?2 AND source_id = (SELECT id FROM source WHERE name = ?1)
               AND kind = ?3 AND key IS ?4 AND text = ?5",
            params![
                source.as_str(),
                event.at.as_millisecond(),
                event.kind,
                event.key.as_ref().map(ObjectKey::as_str),
                event.text
            ],
        )
    }
}

impl Hand<'_> {
    /// The file was read when it was healed.
    pub(super) fn healed(&self, healed: &Healed) -> rusqlite::Result<()> {
        self.execute(
            "UPDATE version SET checked_at = ?3, sums_at = coalesce(?4, sums_at)
             WHERE source_id = ?1 AND path = ?2",
            params![
                self.source,
                healed.path,
                healed.at.as_millisecond(),
                healed.sums_at.map(number)
            ],
        )
    }

    pub(super) fn scrubbed(&self, found: &Scrubbed) -> rusqlite::Result<()> {
        self.execute(
            "INSERT OR REPLACE INTO scrub
               (source_id, run, files, bytes, damaged, healed, read_errors, at)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
            params![
                self.source,
                self.run,
                number(found.files),
                number(found.bytes),
                number(found.damaged),
                number(found.healed),
                number(found.read_errors),
                found.at.as_millisecond(),
            ],
        )
    }

    pub(super) fn drilled(&self, drill: &Drilled) -> rusqlite::Result<()> {
        let at = drill.at.as_millisecond();
        let proven_at = (drill.command && drill.failed.is_none()).then_some(at);
        self.execute(
            "INSERT INTO drill
               (source_id, series, at, files, bytes, command, failed, proven_at)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)
             ON CONFLICT DO UPDATE SET at = excluded.at, files = excluded.files,
               bytes = excluded.bytes, command = excluded.command, failed = excluded.failed,
               proven_at = coalesce(excluded.proven_at, proven_at)",
            params![
                self.source,
                drill.series,
                at,
                number(drill.files),
                number(drill.bytes),
                drill.command,
                drill.failed,
                proven_at,
            ],
        )
    }

    pub(super) fn followed(&self, to: &Followed) -> rusqlite::Result<()> {
        self.execute(
            "INSERT OR REPLACE INTO followed
               (source_id, store, run, \"offset\", head, at, pulled_at)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
            params![
                self.source,
                to.store,
                number(to.run),
                number(to.offset),
                to.head.0,
                to.at.as_millisecond(),
                to.pulled.map(Timestamp::as_millisecond),
            ],
        )
    }
}
