//! Rows as types: what queries answer, and how each is decoded.

use super::locks::lock;
use crate::object::{
    Ack, Advice, Answer, EventRecord, EvidenceClass, FindingRecord, Identity, InBucket, KeyPrint,
    Known, Marker, ObjectKey, RunCounts, RunEnd, RunStart, Severity, Sha256, SourceName, State,
    StoredVersion, Timestamp, from_ms,
};
use rusqlite::types::Type;
use rusqlite::{Error, Result, Row};

/// A source, and how it went last.
#[derive(Clone, Debug, PartialEq)]
pub struct SourceRow {
    /// Its name, which is its folder on the drive.
    pub name: SourceName,
    /// The bucket; empty where the catalogue was rebuilt and no pull has run since.
    pub bucket: String,
    /// The prefix within the bucket.
    pub prefix: String,
    /// The head of the journal's hash chain, as far as it is in the catalogue.
    pub head: Option<Sha256>,
    /// When a pull last ended `complete`.
    pub last_complete_pull: Option<Timestamp>,
    /// The newest run of any command.
    pub last_run: Option<RunRow>,
    /// The key that the newest run which asked the bucket used.
    pub key: Option<KeyUse>,
}

/// One key that a source was read with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyUse {
    /// Which key.
    pub key: KeyPrint,
    /// The beginning of the first run that used it.
    pub first: Timestamp,
    /// The beginning of the last run that used it.
    pub last: Timestamp,
}

/// A run of the program over one source.
#[derive(Clone, Debug, PartialEq)]
pub struct RunRow {
    /// Which source.
    pub source: SourceName,
    /// Its number in the source's journal.
    pub run: u64,
    /// How it began.
    pub start: RunStart,
    /// How it ended; `None` while it goes on, and when it was cut off.
    pub end: Option<RunEnd>,
}

/// Something that happened.
#[derive(Clone, Debug, PartialEq)]
pub struct EventRow {
    /// Which source.
    pub source: SourceName,
    /// In which run.
    pub run: u64,
    /// What.
    pub event: EventRecord,
}

/// Something that is wrong until it is acknowledged.
#[derive(Clone, Debug, PartialEq)]
pub struct FindingRow {
    /// Which source.
    pub source: SourceName,
    /// The run that found it.
    pub run: u64,
    /// What.
    pub finding: FindingRecord,
    /// The newest acknowledgement; `None` while it is open.
    pub ack: Option<Ack>,
}

/// A delete marker of a versioned bucket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MarkerRow {
    /// The row's number.
    pub id: i64,
    /// Which source.
    pub source: SourceName,
    /// The marker, as the bucket listed it last.
    pub marker: Marker,
    /// When we first saw it in a listing.
    pub first_seen: Timestamp,
    /// When it was not listed any more.
    pub missed_at: Option<Timestamp>,
}

/// How many versions of a source are in one state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Count {
    /// Which source.
    pub source: SourceName,
    /// What we hold.
    pub state: State,
    /// What the bucket shows.
    pub in_bucket: InBucket,
    /// How many versions.
    pub versions: u64,
    /// Bytes on the drive; those of a file that several versions share count once.
    pub bytes: u64,
}

/// How many versions of a source are proven in one way and are of one kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KindCount {
    /// The strongest class of evidence that held.
    pub evidence: Option<EvidenceClass>,
    /// What the bytes are, where that was judged.
    pub content: Option<String>,
    /// How many versions.
    pub versions: u64,
}

/// The word in the catalogue for "no version id", as in the S3 API.
const NULL_VERSION: &str = "null";

/// The version id as the catalogue has it.
pub(super) fn version_id(identity: &Identity) -> &str {
    identity.version_id.as_deref().unwrap_or(NULL_VERSION)
}

/// The version id of a marker as the catalogue has it.
pub(super) fn marker_id(marker: &Marker) -> &str {
    marker.version_id.as_deref().unwrap_or(NULL_VERSION)
}

/// What the generated column `identity` holds for `identity`.
pub(super) fn told_by(identity: &Identity) -> String {
    match version_id(identity) {
        NULL_VERSION => format!(
            "n {} {} {}",
            number(identity.size),
            identity.last_modified.as_millisecond(),
            identity.etag
        ),
        id => format!("v {id}"),
    }
}

/// A count as SQLite's signed integer.
pub(super) fn number(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

/// A count from SQLite's signed integer; one below zero is damage.
pub(super) fn count(row: &Row<'_>, at: usize) -> Result<u64> {
    let number: i64 = row.get(at)?;
    u64::try_from(number).map_err(|_| Error::IntegralValueOutOfRange(at, number))
}

pub(super) fn maybe_count(row: &Row<'_>, at: usize) -> Result<Option<u64>> {
    match row.get_ref(at)? {
        rusqlite::types::ValueRef::Null => Ok(None),
        _ => count(row, at).map(Some),
    }
}

pub(super) fn time(row: &Row<'_>, at: usize) -> Result<Timestamp> {
    row.get(at).map(from_ms)
}

pub(super) fn maybe_time(row: &Row<'_>, at: usize) -> Result<Option<Timestamp>> {
    Ok(row.get::<_, Option<i64>>(at)?.map(from_ms))
}

/// Text that must be one of a set, or pass a check.
pub(super) fn checked<T>(
    row: &Row<'_>,
    at: usize,
    check: impl FnOnce(&str) -> Option<T>,
) -> Result<T> {
    let text: String = row.get(at)?;
    check(&text).ok_or_else(|| {
        let why = format!("{text:?} does not belong there");
        Error::FromSqlConversionFailure(at, Type::Text, why.into())
    })
}

pub(super) fn key(row: &Row<'_>, at: usize) -> Result<ObjectKey> {
    checked(row, at, |text| ObjectKey::new(text).ok())
}

fn maybe_key(row: &Row<'_>, at: usize) -> Result<Option<ObjectKey>> {
    match row.get_ref(at)? {
        rusqlite::types::ValueRef::Null => Ok(None),
        _ => key(row, at).map(Some),
    }
}

fn source_name(row: &Row<'_>, at: usize) -> Result<SourceName> {
    checked(row, at, |text| SourceName::new(text).ok())
}

/// JSON that we wrote.
pub(super) fn json<T: serde::de::DeserializeOwned>(row: &Row<'_>, at: usize) -> Result<T> {
    let text: String = row.get(at)?;
    serde_json::from_str(&text)
        .map_err(|e| Error::FromSqlConversionFailure(at, Type::Text, e.into()))
}

/// The four columns `version_id, etag, size, last_modified`, from column `at`.
pub(super) fn identity(row: &Row<'_>, at: usize) -> Result<Identity> {
    let version_id: String = row.get(at)?;
    Ok(Identity {
        version_id: (version_id != NULL_VERSION).then_some(version_id),
        etag: row.get(at + 1)?,
        size: count(row, at + 2)?,
        last_modified: time(row, at + 3)?,
    })
}

/// The columns that [`known`] decodes, of `version AS v`.
pub(super) const KNOWN: &str = "v.id, v.key, v.version_id, v.etag, v.size, v.last_modified, \
     v.state, v.in_bucket, v.sha256, v.path, v.sums_at, v.first_seen, v.answered_version_id";

pub(super) fn known(row: &Row<'_>) -> Result<Known> {
    Ok(Known {
        id: row.get(0)?,
        key: key(row, 1)?,
        identity: identity(row, 2)?,
        answered: row.get(12)?,
        state: checked(row, 6, State::from_word)?,
        in_bucket: checked(row, 7, InBucket::from_word)?,
        sha256: row.get::<_, Option<[u8; 32]>>(8)?.map(Sha256),
        path: row.get(9)?,
        sums_at: maybe_count(row, 10)?,
        first_seen: time(row, 11)?,
    })
}

/// The columns that [`stored`] decodes, of `version AS v JOIN source AS s`.
pub(super) const STORED: &str = "v.id, s.name, v.key, v.version_id, v.etag, v.size, \
     v.last_modified, v.answered_version_id, v.content_type, v.encryption, v.state, v.in_bucket, \
     v.sha256, v.evidence, v.proofs, s.name || '/' || v.path, v.first_seen, v.stored_at, \
     v.missed_at, v.content, v.lock_mode, v.lock_until, v.lock_hold";

pub(super) fn stored(row: &Row<'_>) -> Result<StoredVersion> {
    let evidence = match row.get_ref(13)? {
        rusqlite::types::ValueRef::Null => None,
        _ => Some(checked(row, 13, EvidenceClass::from_word)?),
    };
    Ok(StoredVersion {
        id: row.get(0)?,
        source: row.get(1)?,
        key: key(row, 2)?,
        identity: identity(row, 3)?,
        answer: Answer {
            version_id: row.get(7)?,
            content_type: row.get(8)?,
            encryption: row.get(9)?,
            lock: lock(row, 20)?,
        },
        state: checked(row, 10, State::from_word)?,
        in_bucket: checked(row, 11, InBucket::from_word)?,
        sha256: row.get::<_, Option<[u8; 32]>>(12)?.map(Sha256),
        evidence,
        proofs: json(row, 14)?,
        content: row.get(19)?,
        path: row.get(15)?,
        first_seen: time(row, 16)?,
        stored_at: maybe_time(row, 17)?,
        missed_at: maybe_time(row, 18)?,
    })
}

pub(super) fn source(row: &Row<'_>) -> Result<SourceRow> {
    Ok(SourceRow {
        name: source_name(row, 0)?,
        bucket: row.get(1)?,
        prefix: row.get(2)?,
        head: row.get::<_, Option<[u8; 32]>>(3)?.map(Sha256),
        last_complete_pull: maybe_time(row, 4)?,
        last_run: None,
        key: None,
    })
}

pub(super) fn key_use(row: &Row<'_>) -> Result<KeyUse> {
    Ok(KeyUse {
        key: KeyPrint::stored(row.get(0)?),
        first: time(row, 1)?,
        last: time(row, 2)?,
    })
}

/// The columns that [`run`] decodes, of `run AS r JOIN source AS s`.
pub(super) const RUN: &str = "s.name, r.run, r.command, r.program, r.started_at, r.ended_at, \
     r.ended, r.error, r.listed, r.stored, r.bytes, r.touched, r.quarantined, r.held, r.gone, \
     r.failed, r.requests, r.key";

pub(super) fn run(row: &Row<'_>) -> Result<RunRow> {
    let end = match maybe_time(row, 5)? {
        None => None,
        Some(at) => Some(RunEnd {
            at,
            ended: row.get::<_, Option<String>>(6)?.unwrap_or_default(),
            error: row.get(7)?,
            counts: RunCounts {
                listed: count(row, 8)?,
                stored: count(row, 9)?,
                bytes: count(row, 10)?,
                touched: count(row, 11)?,
                quarantined: count(row, 12)?,
                held: count(row, 13)?,
                gone: count(row, 14)?,
                failed: count(row, 15)?,
                requests: count(row, 16)?,
            },
        }),
    };
    Ok(RunRow {
        source: source_name(row, 0)?,
        run: count(row, 1)?,
        start: RunStart {
            command: row.get(2)?,
            program: row.get(3)?,
            at: time(row, 4)?,
            key: row.get::<_, Option<String>>(17)?.map(KeyPrint::stored),
            // Kept with the source.
            bucket: None,
            prefix: None,
        },
        end,
    })
}

/// The columns that [`event`] decodes, of `event AS e JOIN source AS s`.
pub(super) const EVENT: &str = "s.name, e.run, e.kind, e.key, e.text, e.at";

pub(super) fn event(row: &Row<'_>) -> Result<EventRow> {
    Ok(EventRow {
        source: source_name(row, 0)?,
        run: count(row, 1)?,
        event: EventRecord {
            kind: row.get(2)?,
            key: maybe_key(row, 3)?,
            text: row.get(4)?,
            at: time(row, 5)?,
        },
    })
}

/// The columns that [`finding`] decodes, of `finding AS f JOIN source AS s LEFT JOIN ack AS a`.
pub(super) const FINDING: &str = "s.name, f.run, f.id, f.kind, f.severity, f.key, f.identity, \
     f.what, f.evidence, f.next, f.at, a.finding, a.note, a.accepted, a.at";

pub(super) fn finding(row: &Row<'_>) -> Result<FindingRow> {
    let identity = match row.get_ref(6)? {
        rusqlite::types::ValueRef::Null => None,
        _ => Some(json(row, 6)?),
    };
    let ack = match row.get::<_, Option<String>>(11)? {
        None => None,
        Some(finding) => Some(Ack {
            finding,
            note: row.get(12)?,
            accepted: row.get(13)?,
            at: time(row, 14)?,
        }),
    };
    Ok(FindingRow {
        source: source_name(row, 0)?,
        run: count(row, 1)?,
        finding: FindingRecord {
            id: row.get(2)?,
            kind: row.get(3)?,
            severity: checked(row, 4, Severity::from_word)?,
            key: maybe_key(row, 5)?,
            identity,
            advice: Advice {
                what: row.get(7)?,
                evidence: row.get(8)?,
                next: row.get(9)?,
            },
            at: time(row, 10)?,
        },
        ack,
    })
}

/// The columns that [`marker`] decodes, of `marker AS m JOIN source AS s`.
pub(super) const MARKER: &str =
    "m.id, s.name, m.key, m.version_id, m.marked_at, m.hides, m.first_seen, m.missed_at";

pub(super) fn marker(row: &Row<'_>) -> Result<MarkerRow> {
    let version_id: String = row.get(3)?;
    Ok(MarkerRow {
        id: row.get(0)?,
        source: source_name(row, 1)?,
        marker: Marker {
            key: key(row, 2)?,
            version_id: (version_id != NULL_VERSION).then_some(version_id),
            last_modified: time(row, 4)?,
            hides: row.get(5)?,
        },
        first_seen: time(row, 6)?,
        missed_at: maybe_time(row, 7)?,
    })
}

pub(super) fn kind_count(row: &Row<'_>) -> Result<KindCount> {
    let evidence: String = row.get(0)?;
    let content: String = row.get(1)?;
    Ok(KindCount {
        evidence: match evidence.is_empty() {
            true => None,
            false => Some(checked(row, 0, EvidenceClass::from_word)?),
        },
        content: (!content.is_empty()).then_some(content),
        versions: count(row, 2)?,
    })
}

pub(super) fn counted(row: &Row<'_>) -> Result<Count> {
    Ok(Count {
        source: source_name(row, 0)?,
        state: checked(row, 1, State::from_word)?,
        in_bucket: checked(row, 2, InBucket::from_word)?,
        versions: count(row, 3)?,
        bytes: count(row, 4)?,
    })
}
