//! One line in the form of the Monitoring Plugins (Nagios, Icinga, Checkmk, Zabbix): what stands,
//! `|`, performance data (Monitoring Plugins Development Guidelines, "Plugin Output for Nagios").

use super::bytes;
use crate::object::{Severity, Timestamp, printable};
use crate::watch::Status;
use std::io::{self, Write};

/// The longest such words, in characters: many monitors cut what is longer.
const WORDS: usize = 600;

/// The line: `state` is the word of the exit code.
pub fn nagios(out: &mut dyn Write, state: &str, status: &Status, now: Timestamp) -> io::Result<()> {
    let sum =
        |of: fn(&crate::watch::SourceStatus) -> u64| status.sources.iter().map(of).sum::<u64>();
    let (versions, size) = (sum(|s| s.stored), sum(|s| s.bytes));
    let alarms = status
        .findings
        .iter()
        .filter(|f| f.severity == Severity::Alarm);
    // The source that waits longest; unknown while one was never pulled completely.
    let last = status.sources.iter().map(|s| s.last_complete_pull).min();
    let age = last
        .flatten()
        .map(|at| now.duration_since(at).as_secs().max(0));
    let age = age.map_or("U".to_owned(), |seconds| format!("{seconds}s"));
    writeln!(
        out,
        "{}| 'age'={age} 'bytes'={size}B 'versions'={versions} 'alarms'={}",
        words(state, &said(status, versions, size)),
        alarms.count()
    )
}

/// The line for what could not be judged.
pub fn nagios_unknown(out: &mut dyn Write, state: &str, why: &str) -> io::Result<()> {
    writeln!(out, "{}", words(state, why).trim_end())
}

/// What is wrong first, or how much there is.
fn said(status: &Status, versions: u64, size: u64) -> String {
    let failed = status
        .sources
        .iter()
        .find(|s| s.last_ended.as_deref() == Some("failed"));
    match (status.findings.as_slice(), failed) {
        ([], None) => format!("{versions} versions ({})", bytes(size)),
        ([], Some(source)) => format!(
            "the last run over {} failed: {}",
            source.name,
            source
                .last_error
                .as_deref()
                .unwrap_or("no reason is recorded")
        ),
        ([first, more @ ..], _) => {
            let more = match more.len() {
                0 => String::new(),
                n => format!(" (and {n} more)"),
            };
            format!(
                "{} {}: {}{more}",
                first.severity, first.id, first.advice.what
            )
        }
    }
}

/// Words on one line, without the character that ends them.
fn words(state: &str, said: &str) -> String {
    let said = printable(said).replace('|', "/");
    let short: String = said.chars().take(WORDS).collect();
    format!("OFFSITE {state} - {short} ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::object::{Advice, FindingRecord, InBucket, SourceName, State, from_ms};
    use crate::watch::{Limits, SourceFacts, judge};

    fn line(last: Option<i64>, ended: &str, what: Option<&str>) -> String {
        let facts = SourceFacts {
            drills: crate::watch::Drills::default(),
            name: SourceName::new("www").unwrap(),
            last_complete_pull: last.map(from_ms),
            last_run: last.map(from_ms),
            last_ended: Some(ended.into()),
            last_error: Some("the line is dead".into()),
            counts: vec![(State::Stored, InBucket::Current, 3, 2048)],
            kinds: Vec::new(),
            scrubs: Vec::new(),
            head: None,
            key: None,
        };
        let finding = what.map(|what| FindingRecord {
            id: "www-1".into(),
            kind: "contradiction".into(),
            severity: Severity::Alarm,
            key: None,
            identity: None,
            advice: Advice {
                what: what.into(),
                evidence: String::new(),
                next: String::new(),
            },
            at: from_ms(0),
        });
        let now = from_ms(60_000);
        let found = finding.into_iter().collect();
        let status = judge(vec![facts], found, &Limits::default(), now);
        let mut out = Vec::new();
        nagios(&mut out, "STATE", &status, now).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn lines() {
        let data = "'bytes'=2048B 'versions'=3 'alarms'=";
        assert_eq!(
            line(Some(0), "complete", None),
            format!("OFFSITE STATE - 3 versions (2.0 KiB) | 'age'=60s {data}0\n")
        );
        assert_eq!(
            line(Some(0), "failed", None),
            format!(
                "OFFSITE STATE - the last run over www failed: the line is dead | 'age'=60s {data}0\n"
            )
        );
        assert!(line(None, "complete", None).contains("'age'=U "));
        // A clock that was set back.
        assert!(line(Some(90_000), "complete", None).contains("'age'=0s "));
    }

    #[test]
    fn a_hostile_name_can_end_neither_the_line_nor_the_words() {
        let line = line(Some(0), "complete", Some("a|'age'=0s\nOFFSITE OK\u{1b}[2J"));
        assert_eq!(line.matches('|').count(), 1, "{line}");
        assert_eq!(line.matches('\n').count(), 1, "{line}");
        assert!(
            line.contains("alarm www-1: a/'age'=0s\\nOFFSITE OK\\u{1b}[2J"),
            "{line}"
        );
        assert!(line.ends_with("'alarms'=1\n"), "{line}");
    }

    #[test]
    fn a_long_story_is_cut_before_the_data() {
        let line = line(Some(0), "complete", Some(&"long ".repeat(10_000)));
        assert!(line.len() < 1000 && line.contains("| 'age'=60s"), "{line}");
    }
}
