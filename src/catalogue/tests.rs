//! The catalogue as its callers and its readers see it.

mod applying;
mod asking;
mod opening;

use super::{Catalogue, JournalMode, Query};
use crate::object::*;
use rusqlite::Connection;
use std::path::PathBuf;

/// No statement of the program reads all versions, at any number of them: only
/// `catalogue check`, whose counting says so in its text, may.
pub(super) fn no_scan(db: &Connection, sql: &str) {
    if sql.starts_with("PRAGMA") || sql.contains("GROUP BY source_id, state, in_bucket") {
        return;
    }
    let mut plan = db.prepare(&format!("EXPLAIN QUERY PLAN {sql}")).unwrap();
    let mut rows = plan.raw_query();
    let mut steps: Vec<String> = Vec::new();
    while let Some(row) = rows.next().unwrap() {
        steps.push(row.get(3).unwrap());
    }
    // At the least, a statement is narrowed to a key, a file, or a range of rows.
    let narrow = [
        "key=?",
        "key>?",
        "path=?",
        "path>?",
        "rowid=?",
        "rowid>?",
        "lock_until>?",
    ];
    for step in &steps {
        let table = step.split(' ').nth(1).unwrap_or_default();
        // The bare step is how max(id) is found: at the end of the table.
        let fine = !["v", "version"].contains(&table)
            || step == "SEARCH version"
            || narrow.iter().any(|n| step.contains(n));
        assert!(fine, "{sql}\n{steps:#?}");
    }
}

struct Group(Vec<Record>, JournalPosition);

impl Durable for Group {
    fn records(&self) -> &[Record] {
        &self.0
    }
    fn position(&self) -> &JournalPosition {
        &self.1
    }
}

fn www() -> SourceName {
    SourceName::new("www").unwrap()
}

fn key(key: &str) -> ObjectKey {
    ObjectKey::new(key).unwrap()
}

fn group(offset: u64, records: Vec<Record>) -> Group {
    let position = JournalPosition {
        source: www(),
        run: 1,
        offset,
        head: Sha256([7; 32]),
    };
    Group(records, position)
}

/// A listing without version ids: the number is the size, and stands in the ETag.
fn plain(n: u64) -> Identity {
    Identity {
        version_id: None,
        etag: format!("e{n}"),
        size: n,
        last_modified: from_ms(1_700_000_000_000),
    }
}

fn shown(name: &str, identity: Identity) -> Listed {
    Listed {
        key: key(name),
        identity,
        storage_class: None,
        in_bucket: InBucket::Current,
    }
}

fn place(name: &str, identity: Identity, path: &str, at: i64) -> PlaceRecord {
    PlaceRecord {
        key: key(name),
        answer: Answer::default(),
        sha256: Sha256([identity.size.to_le_bytes()[0]; 32]),
        bytes: identity.size,
        evidence: EvidenceClass::Provider,
        proofs: vec![Proof {
            class: EvidenceClass::Provider,
            name: "etag-md5".to_owned(),
            expected: identity.etag.clone(),
            verdict: Verdict::Holds,
        }],
        content: None,
        state: State::Stored,
        in_bucket: InBucket::Current,
        from: "incoming/1".to_owned(),
        path: path.to_owned(),
        displaced: None,
        sums_at: Some(at.unsigned_abs()),
        names: Vec::new(),
        at: from_ms(at),
        identity,
    }
}

fn touch(name: &str, identity: Identity, path: &str, sha: u8, at: i64) -> Record {
    Record::Fact(Fact::Touch {
        key: key(name),
        identity,
        answer: Answer::default(),
        sha256: Sha256([sha; 32]),
        evidence: EvidenceClass::Length,
        proofs: Vec::new(),
        content: None,
        path: path.to_owned(),
        in_bucket: InBucket::Current,
        at: from_ms(at),
    })
}

fn noted(name: &str, identity: Identity, state: State, at: i64) -> Record {
    Record::Fact(Fact::Noted {
        key: key(name),
        identity,
        state,
        in_bucket: InBucket::Current,
        at: from_ms(at),
    })
}

fn gone(name: &str, identity: Identity, at: i64) -> Record {
    Record::Fact(Fact::Gone {
        key: key(name),
        identity,
        at: from_ms(at),
    })
}

fn back(name: &str, identity: Identity, at: i64) -> Record {
    Record::Fact(Fact::Back {
        key: key(name),
        identity,
        at: from_ms(at),
    })
}

fn displacing(mut place: PlaceRecord, to: &str) -> Record {
    place.displaced = Some(Displaced {
        to: to.to_owned(),
        sha256: Sha256([0; 32]),
        sums_at: Some(900),
    });
    Record::Place(place)
}

/// A catalogue in a folder of its own.
struct Shelf {
    folder: tempfile::TempDir,
    catalogue: Catalogue,
}

impl Shelf {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("catalogue.db");
        let catalogue = Catalogue::create_or_open(&file, JournalMode::Wal).unwrap();
        Self { folder, catalogue }
    }

    fn with(records: Vec<Record>) -> Self {
        let mut shelf = Self::new();
        shelf.catalogue.record(&group(1, records)).unwrap();
        shelf
    }

    fn file(&self) -> PathBuf {
        self.folder.path().join("catalogue.db")
    }

    /// `size state in_bucket path missed_at` of every version of `name`, by size.
    fn versions(&self, name: &str) -> Vec<String> {
        let mut found = all_of(&self.catalogue, name);
        found.sort_by_key(|v| v.identity.size);
        found
            .iter()
            .map(|v| {
                format!(
                    "{} {} {} {} {}",
                    v.identity.size,
                    v.state,
                    v.in_bucket,
                    v.path.as_deref().unwrap_or("-"),
                    v.missed_at.map_or(0, Timestamp::as_millisecond)
                )
            })
            .collect()
    }

    /// Everything that the tables hold, the generated row numbers apart.
    fn dump(&self) -> Vec<String> {
        let tables = [
            "history",
            "counter",
            "position",
            "name",
            "run",
            "event",
            "finding",
            "ack",
            "series",
            "(SELECT key, bytes, sums_at, run FROM version ORDER BY key, identity)",
        ];
        let mut dump = Vec::new();
        for table in tables {
            let mut all = self
                .catalogue
                .db
                .prepare(&format!("SELECT * FROM {table}"))
                .unwrap();
            let columns = all.column_count();
            let mut rows = all.query([]).unwrap();
            while let Some(row) = rows.next().unwrap() {
                let cells = (0..columns).map(|n| format!("{:?}", row.get_ref(n).unwrap()));
                dump.push(format!("{table} {}", cells.collect::<Vec<_>>().join("|")));
            }
        }
        dump
    }

    fn listed(&self, query: &Query) -> Vec<(String, u64)> {
        let mut found = Vec::new();
        self.catalogue
            .list(query, &mut |v| {
                found.push((v.key.as_str().to_owned(), v.identity.size));
                Ok(())
            })
            .unwrap();
        found
    }

    fn sound(&self) {
        assert_eq!(self.catalogue.counters_check().unwrap(), [""; 0]);
    }
}

fn finding(id: &str, severity: Severity) -> FindingRecord {
    FindingRecord {
        id: id.to_owned(),
        kind: "write-once-changed".to_owned(),
        severity,
        key: Some(key("k\0")),
        identity: Some(plain(4)),
        advice: Advice {
            what: "w".to_owned(),
            evidence: "e".to_owned(),
            next: "n".to_owned(),
        },
        at: from_ms(50),
    }
}

/// Every version of `name`, newest first.
fn all_of(catalogue: &Catalogue, name: &str) -> Vec<StoredVersion> {
    let mut found = Vec::new();
    let mut each = |version| {
        found.push(version);
        Ok(())
    };
    catalogue.versions_of(&www(), name, &mut each).unwrap();
    found
}
