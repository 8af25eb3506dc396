//! Applying the records of the diary: runs, events, findings and acknowledgements.

use super::apply::{Hand, json};
use super::rows::number;
use crate::object::{Ack, EventRecord, FindingRecord, KeyPrint, ObjectKey, RunEnd, RunStart};
use rusqlite::params;

impl Hand<'_> {
    pub(super) fn run_start(&self, start: &RunStart) -> rusqlite::Result<()> {
        if let (Some(bucket), Some(prefix)) = (&start.bucket, &start.prefix) {
            self.execute(
                "UPDATE source SET bucket = ?2, prefix = ?3 WHERE id = ?1",
                params![self.source, bucket, prefix],
            )?;
        }
        self.execute(
            "INSERT INTO run (source_id, run, command, program, started_at, key)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6)
             ON CONFLICT DO UPDATE SET command = excluded.command, program = excluded.program,
               started_at = excluded.started_at, key = excluded.key",
            params![
                self.source,
                self.run,
                start.command,
                start.program,
                start.at.as_millisecond(),
                start.key.as_ref().map(KeyPrint::as_str),
            ],
        )
    }

    pub(super) fn run_end(&self, end: &RunEnd) -> rusqlite::Result<()> {
        let counts = &end.counts;
        // A run whose beginning is not in the journal has no command.
        self.execute(
            "INSERT INTO run VALUES (?1, ?2, '', '', ?3, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11,
               ?12, ?13, ?14, NULL)
             ON CONFLICT DO UPDATE SET ended_at = excluded.ended_at, ended = excluded.ended,
               error = excluded.error, listed = excluded.listed, stored = excluded.stored,
               bytes = excluded.bytes, touched = excluded.touched,
               quarantined = excluded.quarantined, held = excluded.held, gone = excluded.gone,
               failed = excluded.failed, requests = excluded.requests",
            params![
                self.source,
                self.run,
                end.at.as_millisecond(),
                end.ended,
                end.error,
                number(counts.listed),
                number(counts.stored),
                number(counts.bytes),
                number(counts.touched),
                number(counts.quarantined),
                number(counts.held),
                number(counts.gone),
                number(counts.failed),
                number(counts.requests),
            ],
        )
    }

    pub(super) fn event(&self, event: &EventRecord) -> rusqlite::Result<()> {
        self.execute(
            "INSERT INTO event (source_id, run, kind, key, text, at)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
            params![
                self.source,
                self.run,
                event.kind,
                event.key.as_ref().map(ObjectKey::as_str),
                event.text,
                event.at.as_millisecond(),
            ],
        )
    }

    pub(super) fn finding(&self, finding: &FindingRecord) -> rusqlite::Result<()> {
        let last = finding.id.rsplit('-').next();
        let number: u32 = last.and_then(|n| n.parse().ok()).unwrap_or(0);
        let identity = finding.identity.as_ref().map(json).transpose()?;
        self.execute(
            "INSERT INTO finding (id, source_id, number, run, kind, severity, key, identity, what,
               evidence, next, at)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12) ON CONFLICT DO NOTHING",
            params![
                finding.id,
                self.source,
                number,
                self.run,
                finding.kind,
                finding.severity.as_str(),
                finding.key.as_ref().map(ObjectKey::as_str),
                identity,
                finding.advice.what,
                finding.advice.evidence,
                finding.advice.next,
                finding.at.as_millisecond(),
            ],
        )
    }

    pub(super) fn ack(&self, ack: &Ack) -> rusqlite::Result<()> {
        self.execute(
            "INSERT INTO ack (source_id, run, finding, note, accepted, at)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
            params![
                self.source,
                self.run,
                ack.finding,
                ack.note,
                ack.accepted,
                ack.at.as_millisecond()
            ],
        )
    }
}
