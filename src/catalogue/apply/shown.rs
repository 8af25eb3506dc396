//! What the bucket shows of versions: records that bring no bytes.

use super::{Hand, Row, json};
use crate::catalogue::rows::{marker_id, number, told_by, version_id};
use crate::catalogue::series::Learnt;
use crate::object::{Fact, Identity, InBucket, Marker, ObjectKey, State, Timestamp};
use rusqlite::{OptionalExtension as _, params};

impl Hand<'_> {
    /// A new identity of bytes that stand there already takes over from the row they came with.
    pub(super) fn touch(&self, fact: &Fact) -> rusqlite::Result<()> {
        let Fact::Touch {
            key,
            identity,
            answer,
            sha256,
            evidence,
            proofs,
            content,
            path,
            in_bucket,
            at,
        } = fact
        else {
            return Ok(());
        };
        let standing = self.with(
            "SELECT state, sums_at, stored_at, max(bytes) FROM version
             WHERE source_id = ?1 AND path = ?2 GROUP BY path",
            |statement| {
                let found = statement.query_row(params![self.source, path], |row| {
                    Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?))
                });
                found.optional()
            },
        )?;
        let at_ms = at.as_millisecond();
        let (state, sums_at, stored_at, bytes): (String, _, Option<i64>, _) =
            standing.unwrap_or_else(|| ("stored".to_owned(), None, None, number(identity.size)));
        self.put(&Row {
            key,
            identity,
            answer,
            state: &state,
            in_bucket: in_bucket.as_str(),
            sha256: &sha256.0,
            evidence: evidence.as_str(),
            proofs: json(proofs)?,
            content: content.as_deref(),
            path,
            bytes,
            sums_at,
            first_seen: at_ms,
            stored_at: stored_at.unwrap_or(at_ms),
            missed_at: missed(*in_bucket, *at),
            keep: *in_bucket == InBucket::Noncurrent,
        })?;
        if state == State::Stored.as_str() {
            self.learn(&Learnt {
                key,
                identity,
                content: content.as_deref(),
                proofs,
                new: None,
                at: *at,
            })?;
        }
        self.shows(key, identity, *in_bucket, *at)
    }

    /// What follows for a key from what its version `identity` is shown as.
    pub(super) fn shows(
        &self,
        key: &ObjectKey,
        identity: &Identity,
        in_bucket: InBucket,
        at: Timestamp,
    ) -> rusqlite::Result<()> {
        match in_bucket {
            InBucket::Current | InBucket::Hidden => self.replace_others(key, identity, at),
            InBucket::Noncurrent | InBucket::Gone => self.shown(key, identity, in_bucket, at),
        }
    }

    /// A version without bytes. A row that has bytes keeps them, unless they were removed by rule
    /// or are not there any more. What a mirror cannot get is pending there from the beginning.
    pub(super) fn noted(
        &self,
        key: &ObjectKey,
        identity: &Identity,
        state: State,
        in_bucket: InBucket,
        at: Timestamp,
    ) -> rusqlite::Result<()> {
        let known = || {
            self.with(
                "SELECT 1 FROM version WHERE source_id = ?1 AND key = ?2 AND identity = ?3",
                |statement| statement.exists(params![self.source, key.as_str(), told_by(identity)]),
            )
        };
        if state == State::Expired || (state == State::Pending && known()?) {
            return self.execute(
                "UPDATE version SET state = ?5, path = NULL, bytes = 0, sums_at = NULL, run = ?4
                 WHERE source_id = ?1 AND key = ?2 AND identity = ?3",
                params![
                    self.source,
                    key.as_str(),
                    told_by(identity),
                    self.run,
                    state.as_str()
                ],
            );
        }
        self.execute(
            "INSERT INTO version (source_id, key, version_id, etag, size, last_modified, state,
               in_bucket, first_seen, run, missed_at)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?10, ?8, ?9, ?11)
             ON CONFLICT (source_id, key, identity) DO UPDATE SET
               state = iif(path IS NULL, excluded.state, state),
               in_bucket = excluded.in_bucket, run = excluded.run,
               missed_at = iif(excluded.missed_at IS NULL, NULL,
                 coalesce(missed_at, excluded.missed_at))",
            params![
                self.source,
                key.as_str(),
                version_id(identity),
                identity.etag,
                number(identity.size),
                identity.last_modified.as_millisecond(),
                state.as_str(),
                at.as_millisecond(),
                self.run,
                in_bucket.as_str(),
                missed(in_bucket, at),
            ],
        )?;
        self.came(key, identity)?;
        self.shows(key, identity, in_bucket, at)
    }

    /// A known version is shown otherwise: not as what a plain GET answers.
    pub(super) fn shown(
        &self,
        key: &ObjectKey,
        id: &Identity,
        in_bucket: InBucket,
        at: Timestamp,
    ) -> rusqlite::Result<()> {
        self.execute(
            "UPDATE version SET in_bucket = ?5, missed_at = coalesce(missed_at, ?4)
             WHERE source_id = ?1 AND key = ?2 AND identity = ?3",
            params![
                self.source,
                key.as_str(),
                told_by(id),
                at.as_millisecond(),
                in_bucket.as_str()
            ],
        )
    }

    pub(super) fn marked(&self, marker: &Marker, at: Timestamp) -> rusqlite::Result<()> {
        self.execute(
            "INSERT INTO marker (source_id, key, version_id, marked_at, hides, first_seen)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6)
             ON CONFLICT (source_id, key, version_id, marked_at) DO UPDATE SET
               hides = excluded.hides, missed_at = NULL",
            params![
                self.source,
                marker.key.as_str(),
                marker_id(marker),
                marker.last_modified.as_millisecond(),
                marker.hides,
                at.as_millisecond(),
            ],
        )
    }

    pub(super) fn unmarked(&self, marker: &Marker, at: Timestamp) -> rusqlite::Result<()> {
        self.execute(
            "UPDATE marker SET missed_at = coalesce(missed_at, ?5)
             WHERE source_id = ?1 AND key = ?2 AND version_id = ?3 AND marked_at = ?4",
            params![
                self.source,
                marker.key.as_str(),
                marker_id(marker),
                marker.last_modified.as_millisecond(),
                at.as_millisecond(),
            ],
        )
    }

    /// The row keeps when it was replaced; the run that wrote it last tells when it was gone.
    pub(super) fn gone(
        &self,
        key: &ObjectKey,
        id: &Identity,
        at: Timestamp,
    ) -> rusqlite::Result<()> {
        self.execute(
            "UPDATE version SET in_bucket = 'gone', missed_at = coalesce(missed_at, ?4), run = ?5
             WHERE source_id = ?1 AND key = ?2 AND identity = ?3",
            params![
                self.source,
                key.as_str(),
                told_by(id),
                at.as_millisecond(),
                self.run
            ],
        )
    }

    pub(super) fn back(
        &self,
        key: &ObjectKey,
        id: &Identity,
        at: Timestamp,
    ) -> rusqlite::Result<()> {
        self.execute(
            "UPDATE version SET in_bucket = 'current', missed_at = NULL
             WHERE source_id = ?1 AND key = ?2 AND identity = ?3",
            params![self.source, key.as_str(), told_by(id)],
        )?;
        self.replace_others(key, id, at)
    }
}

/// When a version that is shown so was first missed, at the latest.
pub(super) fn missed(in_bucket: InBucket, at: Timestamp) -> Option<i64> {
    (in_bucket != InBucket::Current).then(|| at.as_millisecond())
}
