//! JSON: one object a line, with stable names.

use crate::catalogue::{EventRow, FindingRow, MarkerRow, RunRow};
use crate::object::{Change, InBucket, Proof, SourceName, StoredVersion, deceives};
use crate::pull::DryRun;
use serde::Serialize;
use serde_json::{Value, json};
use std::io::{self, Write};

/// A version, as `ls --json` and `show --json` print it. `path` is relative to the store, and
/// `version_id` is the bucket's word where either the listing or the GET had one.
pub fn version_json(version: &StoredVersion) -> Value {
    let listed = version.identity.version_id.as_ref();
    json!({
        "source": version.source,
        "key": version.key,
        "version_id": listed.or(version.answer.version_id.as_ref()),
        "size": version.identity.size,
        "sha256": version.sha256,
        "etag": version.identity.etag,
        "last_modified": version.identity.last_modified,
        "first_seen": version.first_seen,
        "stored_at": version.stored_at,
        "missed_at": version.missed_at,
        "state": version.state,
        "in_bucket": version.in_bucket,
        "evidence": version.evidence,
        "proofs": version.proofs.iter().map(proof_json).collect::<Vec<_>>(),
        "content": version.content,
        "content_type": version.answer.content_type,
        "encryption": version.answer.encryption,
        "lock": version.answer.lock,
        "path": version.path,
    })
}

/// A delete marker, as `show --json` prints it: with the names of a version's fields, and
/// `delete-marker` as its state.
pub fn marker_json(row: &MarkerRow) -> Value {
    let in_bucket = match (row.missed_at, row.marker.hides) {
        (Some(_), _) => InBucket::Gone,
        (None, true) => InBucket::Current,
        (None, false) => InBucket::Noncurrent,
    };
    json!({
        "source": row.source,
        "key": row.marker.key,
        "version_id": row.marker.version_id,
        "size": null,
        "sha256": null,
        "etag": null,
        "last_modified": row.marker.last_modified,
        "first_seen": row.first_seen,
        "stored_at": null,
        "missed_at": row.missed_at,
        "state": "delete-marker",
        "in_bucket": in_bucket,
        "path": null,
    })
}

fn proof_json(proof: &Proof) -> Value {
    json!({
        "class": proof.class,
        "name": proof.name,
        "covers": proof.covers(),
        "expected": proof.expected,
        "verdict": proof.verdict,
    })
}

/// A run, as `log --json` prints it.
pub fn run_json(row: &RunRow) -> Value {
    json!({
        "source": row.source,
        "run": row.run,
        "command": row.start.command,
        "program": row.start.program,
        "started": row.start.at,
        "ended": row.end.as_ref().map(|end| end.at),
        "how": row.end.as_ref().map(|end| &end.ended),
        "error": row.end.as_ref().and_then(|end| end.error.as_ref()),
        "counts": row.end.as_ref().map(|end| end.counts),
    })
}

/// An event, as `log --events --json` prints it.
pub fn event_json(row: &EventRow) -> Value {
    json!({
        "source": row.source,
        "run": row.run,
        "at": row.event.at,
        "kind": row.event.kind,
        "key": row.event.key,
        "text": row.event.text,
    })
}

/// A finding with its acknowledgement.
pub fn finding_json(row: &FindingRow) -> Value {
    json!({
        "source": row.source,
        "run": row.run,
        "finding": row.finding,
        "ack": row.ack,
    })
}

/// A change, as `pull --dry-run --json` prints it.
pub fn change_json(source: &SourceName, change: &Change) -> Value {
    json!({
        "source": source,
        "why": change.why.to_string(),
        "key": change.key,
        "version_id": change.identity.version_id,
        "size": change.identity.size,
        "etag": change.identity.etag,
        "last_modified": change.identity.last_modified,
        "storage_class": change.storage_class,
    })
}

/// The last line of `pull --dry-run --json` for a source.
pub fn sum_json(source: &SourceName, sum: DryRun) -> Value {
    json!({
        "source": source,
        "would_fetch": {"objects": sum.objects, "bytes": sum.bytes, "requests": sum.requests},
    })
}

/// One value a line.
pub fn lines(out: &mut dyn Write, values: impl IntoIterator<Item = Value>) -> io::Result<()> {
    values.into_iter().try_for_each(|value| line(out, &value))
}

/// One value as a line. JSON lets DEL, the C1 controls and what turns the direction of writing
/// stand as they are, and a terminal obeys them: they are written as `\u…`, which reads the same.
pub fn line(out: &mut dyn Write, value: &impl Serialize) -> io::Result<()> {
    let json = serde_json::to_string(value)?;
    let mut rest = json.as_str();
    while let Some(at) = rest.find(deceives) {
        let (plain, bad) = rest.split_at(at);
        out.write_all(plain.as_bytes())?;
        let mut bad = bad.chars();
        if let Some(c) = bad.next() {
            let mut units = [0; 2];
            for unit in c.encode_utf16(&mut units) {
                write!(out, "\\u{unit:04x}")?;
            }
        }
        rest = bad.as_str();
    }
    writeln!(out, "{rest}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_a_terminal_obeys_and_nothing_lost() {
        let text = "a\u{1b}[2J\u{7f}\u{9b}31m\u{202e}\u{feff}é\u{1f600}\"\\";
        let mut out = Vec::new();
        line(&mut out, &text).unwrap();
        let out = String::from_utf8(out).unwrap();
        assert!(!out.trim_end().chars().any(deceives), "{out:?}");
        assert_eq!(serde_json::from_str::<String>(&out).unwrap(), text);
    }
}
