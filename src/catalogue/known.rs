//! What is known of a key: the join of a listing with the catalogue, and the names that are taken.

use super::rows::{KNOWN, STORED, known, number, stored, told_by};
use super::{Catalogue, prepare};
use crate::error::Result;
use crate::object::{
    Identity, InBucket, Known, Listed, ObjectKey, Sha256, SourceName, StoredVersion, Timestamp,
    from_ms,
};
use rusqlite::params;
use std::collections::HashMap;

impl Catalogue {
    /// What is known of the keys that one page of a listing shows: of each the versions that the bucket
    /// showed last time and those that are like the listed one, or else any. However many versions a
    /// key has, this reads few of them; unknown keys are left out.
    ///
    /// One read transaction, finished when this returns: without one, locks are taken once a key.
    pub fn known(
        &self,
        source: &SourceName,
        page: &[Listed],
    ) -> Result<HashMap<ObjectKey, Vec<Known>>> {
        let join = || -> rusqlite::Result<HashMap<ObjectKey, Vec<Known>>> {
            let tx = self.db.unchecked_transaction()?;
            let of = |which: &str| {
                format!(
                    "SELECT {KNOWN} FROM version AS v INDEXED BY version_identity
                     WHERE v.source_id = (SELECT id FROM source WHERE name = ?1) AND v.key = ?2
                     {which}"
                )
            };
            let mut like = prepare(
                &tx,
                &of("AND (v.in_bucket = 'current' OR v.identity = ?3
                       OR (v.size = ?4 AND v.last_modified = ?5 AND v.etag = ?6))"),
            )?;
            let mut any = prepare(&tx, &of("LIMIT 1"))?;
            let mut found: HashMap<ObjectKey, Vec<Known>> = HashMap::new();
            for Listed { key, identity, .. } in page {
                let params = params![
                    source.as_str(),
                    key.as_str(),
                    told_by(identity),
                    number(identity.size),
                    identity.last_modified.as_millisecond(),
                    identity.etag
                ];
                let rows = like.query_map(params, known)?;
                let mut rows = rows.collect::<rusqlite::Result<Vec<_>>>()?;
                if rows.is_empty() {
                    let first = any.query_map(params![source.as_str(), key.as_str()], known)?;
                    rows = first.collect::<rusqlite::Result<_>>()?;
                }
                if !rows.is_empty() {
                    found.entry(key.clone()).or_default().extend(rows);
                }
            }
            Ok(found)
        };
        join().map_err(|e| self.fault(e))
    }

    /// Every version known of `key`.
    pub fn known_of(&self, source: &SourceName, key: &ObjectKey) -> Result<Vec<Known>> {
        self.rows(
            &format!(
                "SELECT {KNOWN} FROM version AS v
                 WHERE v.source_id = (SELECT id FROM source WHERE name = ?1) AND v.key = ?2"
            ),
            params![source.as_str(), key.as_str()],
            known,
        )
    }

    /// The versions of `key` that bear on where bytes with this digest belong: the oldest, those held
    /// with the same bytes, and this very version where it lies in quarantine.
    pub fn bearing(
        &self,
        source: &SourceName,
        key: &ObjectKey,
        identity: &Identity,
        sha256: Sha256,
    ) -> Result<Vec<Known>> {
        let of = "FROM version AS v INDEXED BY version_identity
             WHERE v.source_id = (SELECT id FROM source WHERE name = ?1) AND v.key = ?2";
        let params = params![source.as_str(), key.as_str(), sha256.0, told_by(identity)];
        let sql = format!(
            "SELECT {KNOWN} {of}
               AND ((v.state = 'held' AND v.sha256 = ?3)
                 OR (v.state = 'quarantined' AND v.identity = ?4))"
        );
        let mut rows = self.rows(&sql, params, known)?;
        let oldest = format!("SELECT {KNOWN} {of} ORDER BY v.first_seen LIMIT 1");
        rows.extend(self.one(&oldest, params![source.as_str(), key.as_str()], known)?);
        Ok(rows)
    }

    /// What is known of the versions that one page of a listing of versions shows: the rows with
    /// their ids, and those of their keys that have none. However many versions a key has, this
    /// reads no more of them than the page has.
    pub fn known_versions(
        &self,
        source: &SourceName,
        page: &[Listed],
    ) -> Result<HashMap<ObjectKey, Vec<Known>>> {
        let join = || -> rusqlite::Result<HashMap<ObjectKey, Vec<Known>>> {
            let tx = self.db.unchecked_transaction()?;
            let of = |which: &str| {
                format!(
                    "SELECT {KNOWN} FROM version AS v INDEXED BY version_identity
                     WHERE v.source_id = (SELECT id FROM source WHERE name = ?1) AND v.key = ?2
                       AND {which}"
                )
            };
            // The identities of versions without an id begin with `n `.
            let mut without = prepare(&tx, &of("v.identity >= 'n ' AND v.identity < 'n!'"))?;
            let mut with = prepare(&tx, &of("v.identity = ?3"))?;
            let mut found: HashMap<ObjectKey, Vec<Known>> = HashMap::new();
            for Listed { key, identity, .. } in page {
                if !found.contains_key(key) {
                    let rows = without.query_map(params![source.as_str(), key.as_str()], known)?;
                    found.insert(key.clone(), rows.collect::<rusqlite::Result<_>>()?);
                }
                if identity.version_id.is_some() {
                    let params = params![source.as_str(), key.as_str(), told_by(identity)];
                    let rows = with.query_map(params, known)?;
                    let rows = rows.collect::<rusqlite::Result<Vec<_>>>()?;
                    found.entry(key.clone()).or_default().extend(rows);
                }
            }
            Ok(found)
        };
        join().map_err(|e| self.fault(e))
    }

    /// Where bytes of an older version of `key` lie already: in `latest/`, or as another older
    /// version of it.
    pub fn same_bytes(
        &self,
        source: &SourceName,
        key: &ObjectKey,
        sha256: Sha256,
    ) -> Result<Option<String>> {
        let older = self.one(
            "SELECT path FROM version INDEXED BY version_bytes
             WHERE source_id = (SELECT id FROM source WHERE name = ?1) AND sha256 = ?2
               AND key = ?3 AND in_bucket IN ('noncurrent', 'hidden') AND path IS NOT NULL
               AND state = 'stored' LIMIT 1",
            params![source.as_str(), sha256.0, key.as_str()],
            |row| row.get(0),
        )?;
        Ok(older)
    }

    /// The highest row number of a version; 0 where there is none.
    pub fn highest_row(&self) -> Result<i64> {
        let highest = self.one("SELECT max(id) FROM version", [], |row| row.get(0))?;
        Ok(highest.flatten().unwrap_or(0))
    }

    /// Up to `limit` versions that the bucket showed last time, with row numbers above
    /// `after_id`, in the order of those.
    pub fn unseen_candidates(
        &self,
        source: &SourceName,
        after_id: i64,
        limit: u32,
    ) -> Result<Vec<Known>> {
        self.unseen(source, after_id, limit, &|_| false)
    }

    /// The same, without the row numbers that `seen` knows: those are read from an index alone.
    pub fn unseen(
        &self,
        source: &SourceName,
        after_id: i64,
        limit: u32,
        seen: &dyn Fn(i64) -> bool,
    ) -> Result<Vec<Known>> {
        let which = "version INDEXED BY version_current
             WHERE in_bucket = 'current'";
        self.unseen_of(which, source, after_id, limit, seen)
    }

    /// The same of the versions that the bucket still held behind others.
    pub fn unseen_older(
        &self,
        source: &SourceName,
        after_id: i64,
        limit: u32,
        seen: &dyn Fn(i64) -> bool,
    ) -> Result<Vec<Known>> {
        let which = "version INDEXED BY version_older
             WHERE in_bucket IN ('noncurrent', 'hidden')";
        self.unseen_of(which, source, after_id, limit, seen)
    }

    fn unseen_of(
        &self,
        which: &str,
        source: &SourceName,
        after_id: i64,
        limit: u32,
        seen: &dyn Fn(i64) -> bool,
    ) -> Result<Vec<Known>> {
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        let find = || -> rusqlite::Result<Vec<Known>> {
            let tx = self.db.unchecked_transaction()?;
            let mut shown = prepare(
                &tx,
                &format!(
                    "SELECT id FROM {which}
                   AND source_id = (SELECT id FROM source WHERE name = ?1) AND id > ?2 ORDER BY id"
                ),
            )?;
            let mut version = prepare(
                &tx,
                &format!("SELECT {KNOWN} FROM version AS v WHERE v.id = ?1"),
            )?;
            let mut ids = shown.query(params![source.as_str(), after_id])?;
            let mut unseen = Vec::new();
            while unseen.len() < limit
                && let Some(row) = ids.next()?
            {
                let id: i64 = row.get(0)?;
                if !seen(id) {
                    unseen.push(version.query_row([id], known)?);
                }
            }
            Ok(unseen)
        };
        find().map_err(|e| self.fault(e))
    }

    /// Whether `key` is the folder of another key that stands under `latest/` or is planned:
    /// one that is strictly longer than `key` and a slash.
    pub fn is_folder(&self, source: &SourceName, key: &ObjectKey) -> Result<bool> {
        // In byte order every such key lies between `key/` and `key0`, as 0 follows the slash.
        let (from, to) = (format!("{}/", key.as_str()), format!("{}0", key.as_str()));
        self.any(
            "SELECT 1 FROM version INDEXED BY version_identity
             WHERE source_id = (SELECT id FROM source WHERE name = ?1) AND key > ?2 AND key < ?3
               AND state IN ('stored', 'held')
               AND path >= 'latest/' AND path < 'latest0'
             UNION ALL
             SELECT 1 FROM plan WHERE source_id = (SELECT id FROM source WHERE name = ?1)
               AND key > ?2 AND key < ?3
             LIMIT 1",
            params![source.as_str(), from, to],
        )
    }

    /// Up to `limit` keys that begin with `begin` and were ever seen or are planned, in order.
    pub fn keys_under(
        &self,
        source: &SourceName,
        begin: &str,
        limit: u32,
    ) -> Result<Vec<ObjectKey>> {
        // In byte order no key that begins so lies behind the last character there is.
        let end = format!("{begin}{}", char::MAX);
        self.rows(
            "SELECT key FROM version INDEXED BY version_identity
             WHERE source_id = (SELECT id FROM source WHERE name = ?1) AND key > ?2 AND key < ?3
             UNION
             SELECT key FROM plan WHERE source_id = (SELECT id FROM source WHERE name = ?1)
               AND key > ?2 AND key < ?3
             ORDER BY key LIMIT ?4",
            params![source.as_str(), begin, end, limit],
            |row| super::rows::key(row, 0),
        )
    }

    /// The version of `key` that stands under `latest/`. Where several share the file: the one
    /// that the bucket shows, else the one that was seen last.
    pub fn latest_of(&self, source: &SourceName, key: &str) -> Result<Option<Known>> {
        // Compared here: with ORDER BY, SQLite would prepare the statement anew for every key.
        let sql = format!(
            "SELECT {KNOWN} FROM version AS v INDEXED BY version_identity
             WHERE v.source_id = (SELECT id FROM source WHERE name = ?1) AND v.key = ?2
               AND v.path >= 'latest/' AND v.path < 'latest0'"
        );
        let rank = |row: &Known| (row.in_bucket == InBucket::Current, row.first_seen, row.id);
        let newest = || -> rusqlite::Result<Option<Known>> {
            let mut statement = prepare(&self.db, &sql)?;
            let mut newest: Option<Known> = None;
            for row in statement.query_map(params![source.as_str(), key], known)? {
                let row = row?;
                if newest.as_ref().is_none_or(|best| rank(&row) > rank(best)) {
                    newest = Some(row);
                }
            }
            Ok(newest)
        };
        newest().map_err(|e| self.fault(e))
    }

    /// How a name that folds to `folded` is spelt in `folder`, if one is there.
    pub fn name_taken(
        &self,
        source: &SourceName,
        folder: &str,
        folded: &str,
    ) -> Result<Option<String>> {
        self.one(
            "SELECT name FROM name WHERE source_id = (SELECT id FROM source WHERE name = ?1)
             AND folder = ?2 AND folded = ?3",
            params![source.as_str(), folder, folded],
            |row| row.get(0),
        )
    }

    /// When any version of `key` was first seen.
    pub fn first_seen(&self, source: &SourceName, key: &ObjectKey) -> Result<Option<Timestamp>> {
        let seen: Option<Option<i64>> = self.one(
            "SELECT min(first_seen) FROM version
             WHERE source_id = (SELECT id FROM source WHERE name = ?1) AND key = ?2",
            params![source.as_str(), key.as_str()],
            |row| row.get(0),
        )?;
        Ok(seen.flatten().map(from_ms))
    }

    /// The version of `key` with this identity.
    pub fn by_identity(
        &self,
        source: &SourceName,
        key: &ObjectKey,
        identity: &Identity,
    ) -> Result<Option<StoredVersion>> {
        let sql = format!(
            "SELECT {STORED} FROM version AS v JOIN source AS s ON s.id = v.source_id
             WHERE s.name = ?1 AND v.key = ?2 AND v.identity = ?3"
        );
        let params = params![source.as_str(), key.as_str(), told_by(identity)];
        self.one(&sql, params, stored)
    }
}
