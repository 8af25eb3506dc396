//! What was found strange, and whether the owner has acknowledged it.

use super::rows::{self, FINDING};
use super::{Catalogue, FindingRow};
use crate::error::{Error, Kind, Result};
use crate::object::{FindingRecord, ObjectKey, SourceName};
use rusqlite::params;

/// The findings that a mirror makes by itself have numbers above this.
const OF_A_MIRROR: u64 = 1_000_000;

impl Catalogue {
    /// The findings, newest first; the open ones alone, or all.
    pub fn findings(&self, open_only: bool) -> Result<Vec<FindingRow>> {
        let sql = findings_where("NOT ?1 OR a.id IS NULL");
        self.rows(&sql, [open_only], rows::finding)
    }

    /// The findings of one kind about `source`, newest first.
    pub fn findings_of(&self, source: &SourceName, kind: &str) -> Result<Vec<FindingRow>> {
        let mine = "f.source_id = (SELECT id FROM source WHERE name = ?1) AND f.kind = ?2";
        let params = params![source.as_str(), kind];
        self.rows(&findings_where(mine), params, rows::finding)
    }

    /// The finding with this name.
    pub fn finding(&self, id: &str) -> Result<Option<FindingRow>> {
        self.one(&findings_where("f.id = ?1"), [id], rows::finding)
    }

    /// Whether a finding of this kind about the same object and version is open already.
    pub fn is_open(&self, source: &SourceName, finding: &FindingRecord) -> Result<bool> {
        let identity = finding.identity.as_ref().map(serde_json::to_string);
        let identity = identity.transpose().map_err(|e| {
            Error::new(Kind::Run, "a finding's version cannot be written down").because(e)
        })?;
        self.any(
            "SELECT 1 FROM finding AS f INDEXED BY finding_about
             WHERE f.source_id = (SELECT id FROM source WHERE name = ?1)
               AND f.kind = ?2 AND f.key IS ?3 AND f.identity IS ?4
               AND NOT EXISTS (SELECT 1 FROM ack AS a WHERE a.finding = f.id)",
            params![
                source.as_str(),
                finding.kind,
                finding.key.as_ref().map(ObjectKey::as_str),
                identity
            ],
        )
    }

    /// Whether there was a finding of this kind about the source as a whole, acknowledged or not.
    pub fn ever_found(&self, source: &SourceName, kind: &str) -> Result<bool> {
        self.any(
            "SELECT 1 FROM finding INDEXED BY finding_about
             WHERE source_id = (SELECT id FROM source WHERE name = ?1)
               AND kind = ?2 AND key IS NULL",
            [source.as_str(), kind],
        )
    }

    /// How many alarms are not acknowledged.
    pub fn open_alarms(&self) -> Result<u64> {
        let alarms = self.one(
            "SELECT count(*) FROM finding AS f WHERE f.severity = 'alarm'
             AND NOT EXISTS (SELECT 1 FROM ack AS a WHERE a.finding = f.id)",
            [],
            |row| rows::count(row, 0),
        )?;
        Ok(alarms.unwrap_or(0))
    }

    /// The number that the next finding about `source` gets: `www-12` for 12. In a mirror those of the
    /// first store come with their numbers, and its own are far above them.
    pub fn next_finding_number(&self, source: &SourceName) -> Result<u64> {
        let last: Option<Option<u32>> = self.one(
            "SELECT max(number) FROM finding
             WHERE source_id = (SELECT id FROM source WHERE name = ?1)",
            [source.as_str()],
            |row| row.get(0),
        )?;
        let last = u64::from(last.flatten().unwrap_or(0));
        Ok(match self.followed_to(source)? {
            None => last + 1,
            Some(_) => last.max(OF_A_MIRROR) + 1,
        })
    }
}

/// Findings with their newest acknowledgement, newest first.
fn findings_where(which: &str) -> String {
    format!(
        "SELECT {FINDING} FROM finding AS f JOIN source AS s ON s.id = f.source_id
         LEFT JOIN ack AS a ON a.id = (SELECT max(id) FROM ack WHERE finding = f.id)
         WHERE {which} ORDER BY f.at DESC, f.number DESC"
    )
}
