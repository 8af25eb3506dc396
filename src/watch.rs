//! What is wrong, and how it stands: rows into findings and a verdict. Pure.

mod drills;
mod keys;
pub mod rhythm;
pub mod series;
pub mod sets;
pub mod size;
mod statistics;

pub use drills::{Drill, Drills};

use crate::object::{
    Advice, EvidenceClass, FindingRecord, InBucket, KeyPrint, Scrubbed, Severity, Sha256,
    SourceName, State, Timestamp,
};
use jiff::SignedDuration;
use rhythm::Rhythm;
use serde::Serialize;
use std::collections::BTreeMap;

/// How things stand, worst last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Health {
    /// All well.
    Ok,
    /// Look at it when there is time.
    Warning,
    /// The last run over some source failed.
    Error,
    /// Look now.
    Alarm,
}

/// The facts about one source that its health is judged by.
#[derive(Clone, Debug)]
pub struct SourceFacts {
    /// Its name.
    pub name: SourceName,
    /// When a pull last ended complete.
    pub last_complete_pull: Option<Timestamp>,
    /// When the newest run began.
    pub last_run: Option<Timestamp>,
    /// How it ended; `None` while it goes on, and when it was cut off.
    pub last_ended: Option<String>,
    /// Why it failed, where it did.
    pub last_error: Option<String>,
    /// How many versions there are: what we hold, what the bucket shows, versions, bytes.
    pub counts: Vec<(State, InBucket, u64, u64)>,
    /// Versions on the drive: how they are proven, what they are where that was judged, how many.
    pub kinds: Vec<(Option<EvidenceClass>, Option<String>, u64)>,
    /// Its newest scrubs, newest first.
    pub scrubs: Vec<Scrubbed>,
    /// The journal's head.
    pub head: Option<Sha256>,
    /// The key that the bucket was read with last, and since when it is in use.
    pub key: Option<(KeyPrint, Timestamp)>,
    /// What rehearsals of restores came to.
    pub drills: Drills,
}

/// One source's part of a status.
#[derive(Clone, Debug, Serialize)]
pub struct SourceStatus {
    /// Its name.
    pub name: SourceName,
    /// How it stands.
    pub health: Health,
    /// When a pull last ended complete.
    pub last_complete_pull: Option<Timestamp>,
    /// When the newest run began.
    pub last_run: Option<Timestamp>,
    /// How it ended.
    pub last_ended: Option<String>,
    /// Why it failed, where it did.
    pub last_error: Option<String>,
    /// Versions on the drive.
    pub stored: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Of those, versions that the bucket shows now.
    pub current: u64,
    /// Versions held until the owner accepts them.
    pub held: u64,
    /// Versions whose bytes contradicted their evidence.
    pub quarantined: u64,
    /// Versions in an archive tier.
    pub archived: u64,
    /// Versions that our key cannot read.
    pub unreadable: u64,
    /// Versions on the drive, by the strongest class of evidence that held.
    pub evidence: BTreeMap<EvidenceClass, u64>,
    /// Versions on the drive, by what they are (`encrypted age`, `plaintext zip`, `unknown`), as far
    /// as that was judged.
    pub content: BTreeMap<String, u64>,
    /// Its newest scrubs, newest first: how the drive does.
    pub scrubs: Vec<Scrubbed>,
    /// The journal's head: note it elsewhere, and any later edit shows.
    pub head: Option<Sha256>,
    /// What rehearsals of restores came to.
    pub drills: Drills,
}

/// How the whole copy stands.
#[derive(Clone, Debug, Serialize)]
pub struct Status {
    /// When it was judged.
    pub at: Timestamp,
    /// The worst of everything below.
    pub verdict: Health,
    /// The sources, by name.
    pub sources: Vec<SourceStatus>,
    /// What is wrong and not acknowledged, alarms first.
    pub findings: Vec<FindingRecord>,
    /// The series, where they were asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub series: Option<Vec<SeriesStatus>>,
}

/// One series' part of a status.
#[derive(Clone, Debug, Serialize)]
pub struct SeriesStatus {
    /// Which source.
    pub source: SourceName,
    /// Its name: its keys, with `*` for everything in which they differ.
    pub name: String,
    /// How many versions of it were ever stored.
    pub versions: u64,
    /// When the newest came, by the bucket's clock.
    pub newest: Option<Timestamp>,
    /// How often it comes, where that is known yet.
    pub rhythm: Option<RhythmStatus>,
    /// When the next one is expected at the latest, if all goes on as it was.
    pub expected: Option<Timestamp>,
    /// How it stands: the worst of its open findings.
    pub health: Health,
    /// The kinds of its open findings.
    pub findings: Vec<String>,
}

/// How often a series comes, in words that do not change.
#[derive(Clone, Debug, Serialize)]
pub struct RhythmStatus {
    /// Hours between two, usually; 0 where it comes all the time.
    pub every_hours: f64,
    /// The most hours between two in ordinary times.
    pub longest_hours: f64,
    /// Whether a clock starts it, as far as can be told.
    pub regular: bool,
    /// From then on it is late.
    pub late_after: Timestamp,
}

impl From<Rhythm> for RhythmStatus {
    fn from(rhythm: Rhythm) -> Self {
        Self {
            every_hours: rhythm.every.as_secs_f64() / 3600.0,
            longest_hours: rhythm.longest.as_secs_f64() / 3600.0,
            regular: rhythm.regular,
            late_after: rhythm.late,
        }
    }
}

/// From when on something is a finding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// No complete pull for so long.
    pub overdue: SignedDuration,
    /// A key in use for so long.
    pub rotate_after: SignedDuration,
}

impl Default for Limits {
    /// A day and a half, and 90 days.
    fn default() -> Self {
        Self {
            overdue: SignedDuration::from_hours(36),
            rotate_after: SignedDuration::from_hours(90 * 24),
        }
    }
}

/// Judges the copy by its facts: pure, so that `now` is a fact as well.
///
/// A source whose last complete pull is too old gets a finding of its own, which closes by itself
/// with the next complete pull; so do keys that are due for a change, or shared by two sources.
pub fn judge(
    sources: Vec<SourceFacts>,
    mut findings: Vec<FindingRecord>,
    limits: &Limits,
    now: Timestamp,
) -> Status {
    findings.extend(sources.iter().filter_map(|s| late(s, limits.overdue, now)));
    findings.extend(keys::findings(&sources, limits.rotate_after, now));
    findings.sort_by_key(|f| (std::cmp::Reverse(f.severity), f.at));
    let sources: Vec<SourceStatus> = sources
        .into_iter()
        .map(|facts| one(facts, &findings))
        .collect();
    let of_findings = findings.iter().map(|f| f.severity.into()).max();
    let of_sources = sources.iter().map(|s| s.health).max();
    Status {
        at: now,
        verdict: of_findings.max(of_sources).unwrap_or(Health::Ok),
        sources,
        findings,
        series: None,
    }
}

impl From<Severity> for Health {
    fn from(severity: Severity) -> Self {
        match severity {
            Severity::Warning => Self::Warning,
            Severity::Alarm => Self::Alarm,
        }
    }
}

fn one(facts: SourceFacts, findings: &[FindingRecord]) -> SourceStatus {
    let sum = |wanted: &dyn Fn(State, InBucket) -> bool| {
        facts
            .counts
            .iter()
            .filter(|(state, in_bucket, _, _)| wanted(*state, *in_bucket))
            .fold((0, 0), |(n, b), (_, _, versions, bytes)| {
                (n + versions, b + bytes)
            })
    };
    let of = |state: State| sum(&|s, _| s == state).0;
    let (stored, bytes) = sum(&|s, _| matches!(s, State::Stored | State::Held));
    let prefix = format!("{}-", facts.name);
    let mine = findings.iter().filter(|f| {
        f.id.strip_prefix(&prefix)
            .is_some_and(|rest| !rest.contains('-'))
    });
    let failed = facts.last_ended.as_deref() == Some("failed");
    let health = mine
        .map(|f| f.severity.into())
        .chain(failed.then_some(Health::Error))
        .max()
        .unwrap_or(Health::Ok);
    let (mut evidence, mut content) = (BTreeMap::new(), BTreeMap::new());
    for (class, kind, versions) in facts.kinds {
        if let Some(class) = class {
            *evidence.entry(class).or_default() += versions;
        }
        if let Some(kind) = kind {
            *content.entry(kind).or_default() += versions;
        }
    }
    SourceStatus {
        health,
        evidence,
        content,
        scrubs: facts.scrubs,
        stored,
        bytes,
        current: sum(&|s, b| s == State::Stored && b == InBucket::Current).0,
        held: of(State::Held),
        quarantined: of(State::Quarantined),
        archived: of(State::Archived),
        unreadable: of(State::Unreadable),
        name: facts.name,
        last_complete_pull: facts.last_complete_pull,
        last_run: facts.last_run,
        last_ended: facts.last_ended,
        last_error: facts.last_error,
        head: facts.head,
        drills: facts.drills,
    }
}

/// The finding about a source that has not been pulled for too long.
fn late(facts: &SourceFacts, overdue: SignedDuration, now: Timestamp) -> Option<FindingRecord> {
    let (what, evidence) = match facts.last_complete_pull {
        Some(last) => {
            let age = now.duration_since(last);
            if age <= overdue {
                return None;
            }
            (
                format!("{} was not pulled for {} hours", facts.name, age.as_hours()),
                format!(
                    "the last complete pull ended {}",
                    last.strftime("%Y-%m-%d %H:%M UTC")
                ),
            )
        }
        None => (
            format!("{} was never pulled completely", facts.name),
            "no pull over it has ended complete".to_owned(),
        ),
    };
    Some(FindingRecord {
        id: format!("{}-overdue", facts.name),
        kind: "pull-overdue".to_owned(),
        severity: Severity::Warning,
        key: None,
        identity: None,
        advice: Advice {
            what,
            evidence,
            next: "run `offsite pull` and read what it says; look whether the timer or cron still runs it".to_owned(),
        },
        at: facts.last_complete_pull.unwrap_or(now),
    })
}

#[cfg(test)]
#[path = "watch/tests.rs"]
mod simulated;
#[cfg(test)]
mod tests {
    use super::*;
    use crate::object::from_ms;

    const HOUR: i64 = 3_600_000;

    fn facts(last_hour: Option<i64>, ended: &str) -> SourceFacts {
        SourceFacts {
            name: SourceName::new("www").unwrap(),
            last_complete_pull: last_hour.map(|h| from_ms(h * HOUR)),
            last_run: last_hour.map(|h| from_ms(h * HOUR)),
            last_ended: Some(ended.to_owned()),
            last_error: None,
            counts: vec![
                (State::Stored, InBucket::Current, 3, 30),
                (State::Stored, InBucket::Gone, 2, 20),
                (State::Held, InBucket::Current, 1, 5),
            ],
            scrubs: Vec::new(),
            kinds: vec![
                (
                    Some(EvidenceClass::Provider),
                    Some("encrypted age".into()),
                    4,
                ),
                (Some(EvidenceClass::Length), Some("encrypted age".into()), 1),
                (Some(EvidenceClass::Provider), None, 1),
            ],
            head: None,
            key: None,
            drills: Drills::default(),
        }
    }

    fn finding(id: &str, severity: Severity) -> FindingRecord {
        FindingRecord {
            id: id.into(),
            kind: "x".into(),
            severity,
            key: None,
            identity: None,
            advice: Advice {
                what: String::new(),
                evidence: String::new(),
                next: String::new(),
            },
            at: from_ms(0),
        }
    }

    /// (last complete pull, how it ended, open findings, now) -> verdict, findings.
    #[test]
    fn verdicts() {
        use Severity::*;
        for (last, ended, open, hour, verdict, findings) in [
            (Some(0), "complete", vec![], 36, Health::Ok, 0),
            (Some(0), "complete", vec![], 37, Health::Warning, 1),
            (None, "complete", vec![], 0, Health::Warning, 1),
            (Some(0), "failed", vec![], 1, Health::Error, 0),
            (
                Some(0),
                "complete",
                vec![finding("www-1", Warning)],
                1,
                Health::Warning,
                1,
            ),
            (
                Some(0),
                "complete",
                vec![finding("www-1", Alarm)],
                99,
                Health::Alarm,
                2,
            ),
            (
                Some(0),
                "failed",
                vec![finding("www-1", Alarm)],
                1,
                Health::Alarm,
                1,
            ),
        ] {
            let now = from_ms(hour * HOUR);
            let status = judge(vec![facts(last, ended)], open, &Limits::default(), now);
            assert_eq!(status.verdict, verdict, "{last:?} {ended} {hour}");
            assert_eq!(status.findings.len(), findings, "{last:?} {ended} {hour}");
            assert_eq!(status.sources[0].health, verdict);
        }
    }

    #[test]
    fn alarms_come_first_and_counts_add_up() {
        let open = vec![
            finding("www-1", Severity::Warning),
            finding("www-2", Severity::Alarm),
        ];
        let sources = vec![facts(Some(0), "complete")];
        let status = judge(sources, open, &Limits::default(), from_ms(0));
        assert_eq!(status.findings[0].id, "www-2");
        let source = &status.sources[0];
        assert_eq!(
            (source.stored, source.bytes, source.current, source.held),
            (6, 55, 3, 1)
        );
        let evidence = [(EvidenceClass::Provider, 5), (EvidenceClass::Length, 1)];
        assert_eq!(source.evidence, evidence.into());
        assert_eq!(source.content, [("encrypted age".to_owned(), 5)].into());
    }

    #[test]
    fn another_sources_alarm_is_not_mine() {
        let open = vec![finding("www-db-1", Severity::Alarm)];
        let sources = vec![facts(Some(0), "complete")];
        let status = judge(sources, open, &Limits::default(), from_ms(0));
        assert_eq!(status.sources[0].health, Health::Ok);
        assert_eq!(status.verdict, Health::Alarm);
    }
}
