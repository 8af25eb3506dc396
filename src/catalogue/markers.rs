//! Delete markers: what hides a key of a versioned bucket without taking its versions away.

use super::rows::{self, MARKER, MarkerRow, marker_id};
use super::{Catalogue, prepare};
use crate::error::Result;
use crate::object::{Marker, SourceName};
use rusqlite::params;

impl Catalogue {
    /// The markers known among those of one page of a listing, by their place on it.
    pub fn known_markers(
        &self,
        source: &SourceName,
        page: &[Marker],
    ) -> Result<Vec<Option<MarkerRow>>> {
        let sql = format!(
            "SELECT {MARKER} FROM marker AS m JOIN source AS s ON s.id = m.source_id
             WHERE s.name = ?1 AND m.key = ?2 AND m.version_id = ?3 AND m.marked_at = ?4"
        );
        let known = |marker: &Marker| {
            let at = marker.last_modified.as_millisecond();
            let params = params![source.as_str(), marker.key.as_str(), marker_id(marker), at];
            self.one(&sql, params, rows::marker)
        };
        page.iter().map(known).collect()
    }

    /// Up to `limit` markers that were listed last time and that `seen` does not know, with row
    /// numbers above `after_id`, in the order of those.
    pub fn unseen_markers(
        &self,
        source: &SourceName,
        after_id: i64,
        limit: u32,
        seen: &dyn Fn(i64) -> bool,
    ) -> Result<Vec<MarkerRow>> {
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        let find = || -> rusqlite::Result<Vec<MarkerRow>> {
            let mut markers = prepare(
                &self.db,
                &format!(
                    "SELECT {MARKER} FROM marker AS m JOIN source AS s ON s.id = m.source_id
                     WHERE s.name = ?1 AND m.missed_at IS NULL AND m.id > ?2 ORDER BY m.id"
                ),
            )?;
            let mut found = markers.query(params![source.as_str(), after_id])?;
            let mut unseen = Vec::new();
            while unseen.len() < limit
                && let Some(row) = found.next()?
            {
                let row = rows::marker(row)?;
                if !seen(row.id) {
                    unseen.push(row);
                }
            }
            Ok(unseen)
        };
        find().map_err(|e| self.fault(e))
    }

    /// Every marker of `key`, newest first.
    pub fn markers_of(&self, source: &SourceName, key: &str) -> Result<Vec<MarkerRow>> {
        let sql = format!(
            "SELECT {MARKER} FROM marker AS m JOIN source AS s ON s.id = m.source_id
             WHERE s.name = ?1 AND m.key = ?2 ORDER BY m.marked_at DESC, m.id DESC"
        );
        self.rows(&sql, params![source.as_str(), key], rows::marker)
    }
}
