//! What a rebuild asks and records, and the one column that it writes by itself: where lines of the sums begin
//! shows on the drive, not in the journal.

use super::apply::{HISTORY, Hand, Row};
use super::rows::{KNOWN, known, maybe_count, number};
use super::{Catalogue, prepare};
use crate::error::Result;
use crate::object::{Answer, Fact, Known, Sha256, SourceName, Timestamp};
use rusqlite::params;

impl Catalogue {
    /// The versions whose bytes stand at `path` (relative to the source's folder).
    pub fn at_path(&self, source: &SourceName, path: &str) -> Result<Vec<Known>> {
        let sql = format!(
            "SELECT {KNOWN} FROM version AS v INDEXED BY version_path
             WHERE v.source_id = (SELECT id FROM source WHERE name = ?1) AND v.path = ?2"
        );
        self.rows(&sql, params![source.as_str(), path], known)
    }

    /// Whether any version's bytes stand at `path` (relative to the source's folder).
    pub fn knows_path(&self, source: &SourceName, path: &str) -> Result<bool> {
        self.any(
            "SELECT 1 FROM version INDEXED BY version_path
             WHERE source_id = (SELECT id FROM source WHERE name = ?1) AND path = ?2",
            params![source.as_str(), path],
        )
    }

    /// Up to `limit` paths within `area` (`latest`, `history`) behind `after`, in byte order, each
    /// with the digest of what stands there and where its line in the sums begins.
    pub fn paths(
        &self,
        source: &SourceName,
        area: &str,
        after: &str,
        limit: u32,
    ) -> Result<Vec<(String, Sha256, Option<u64>)>> {
        // In byte order every path of the area lies between `area/` and `area0`.
        let from = after.to_owned().max(format!("{area}/"));
        self.rows(
            "SELECT path, sha256, max(sums_at) FROM version INDEXED BY version_path
             WHERE source_id = (SELECT id FROM source WHERE name = ?1)
               AND path > ?2 AND path < ?3 GROUP BY path ORDER BY path LIMIT ?4",
            params![source.as_str(), from, format!("{area}0"), limit],
            |row| Ok((row.get(0)?, Sha256(row.get(1)?), maybe_count(row, 2)?)),
        )
    }

    /// Notes where the lines of these paths begin, in one transaction.
    pub fn set_sums_at(&mut self, source: &SourceName, lines: &[(String, u64)]) -> Result<()> {
        let mut set = || -> rusqlite::Result<()> {
            let tx = self.db.transaction()?;
            let mut update = prepare(
                &tx,
                "UPDATE version SET sums_at = ?3
                 WHERE source_id = (SELECT id FROM source WHERE name = ?1) AND path = ?2",
            )?;
            for (path, at) in lines {
                update.execute(params![source.as_str(), path, number(*at)])?;
            }
            drop(update);
            tx.commit()
        };
        set().map_err(|e| super::fault(&self.path, e))
    }

    /// Whether a finding of this kind that says the same was made, at `since` or later.
    pub fn was_said(
        &self,
        source: &SourceName,
        kind: &str,
        evidence: &str,
        since: Timestamp,
    ) -> Result<bool> {
        self.any(
            "SELECT 1 FROM finding AS f INDEXED BY finding_about
             WHERE f.source_id = (SELECT id FROM source WHERE name = ?1)
               AND f.kind = ?2 AND f.evidence = ?3 AND f.at >= ?4",
            params![source.as_str(), kind, evidence, since.as_millisecond()],
        )
    }
}

impl Hand<'_> {
    /// A file that only its line in the sums vouches for. What the bucket shows is not on the
    /// drive: what stands in `latest/` is taken for current until a listing says otherwise.
    pub(super) fn adopted(&self, fact: &Fact) -> rusqlite::Result<()> {
        let Fact::Adopted {
            key,
            identity,
            sha256,
            path,
            sums_at,
            names,
            at,
        } = fact
        else {
            return Ok(());
        };
        self.claim(names)?;
        let has_current = self.with(
            "SELECT 1 FROM version WHERE source_id = ?1 AND key = ?2 AND in_bucket = 'current'",
            |statement| statement.exists(params![self.source, key.as_str()]),
        )?;
        let current = !has_current && !path.starts_with(HISTORY);
        // Not later than the file was written: a name that is written once must not seem new.
        let seen = identity.last_modified.min(*at).as_millisecond();
        self.put(&Row {
            key,
            identity,
            answer: &Answer::default(),
            state: "stored",
            in_bucket: if current { "current" } else { "gone" },
            sha256: &sha256.0,
            evidence: "length",
            proofs: "[]".to_owned(),
            content: None,
            path,
            bytes: number(identity.size),
            sums_at: Some(number(*sums_at)),
            first_seen: seen,
            stored_at: seen,
            missed_at: (!current).then_some(at.as_millisecond()),
            keep: true,
        })
    }
}
