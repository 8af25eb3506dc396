//! What is said: one message a run, as JSON for programs and as text for people.

use super::signal::{Signal, Went};
use crate::error::Error;
use crate::machine;
use crate::object::{FindingRecord, RunCounts, Sha256, SourceName, Timestamp, printable};
use crate::outcome::{Ended, Outcome};
use crate::report;
use crate::watch::{Health, Status};
use serde::Serialize;
use std::io::{self, Write};

/// So many findings a message carries at most; an attack on thousands of objects makes thousands.
const FINDINGS: usize = 50;

/// What a run came to, as far as it came: filled while it goes on, so that an error at any point
/// leaves what was known before.
#[derive(Debug, Default)]
pub struct Course {
    /// The store's id, once it was opened.
    pub store: Option<String>,
    /// Each source's turn, in order.
    pub turns: Vec<Turn>,
    /// Whether the owner asked for an end before every source had its turn.
    pub cut_short: bool,
    /// How the copy stands after the run, where it could be asked.
    pub standing: Option<Status>,
}

/// How one source's turn went.
#[derive(Debug)]
pub struct Turn {
    /// Which source.
    pub source: SourceName,
    /// What it came to, or why it failed as a whole.
    pub came_to: Result<Outcome, Error>,
}

/// One message: what all who are told get. Its JSON is documented in the README; fields may be
/// added, and none changes its meaning while `format` is 1.
#[derive(Clone, Debug, Serialize)]
pub struct Message {
    /// The version of this format: 1.
    pub format: u32,
    /// Its own name. A message that is sent again, because no answer came, keeps it.
    pub id: String,
    /// `run` after a run, `test` for `offsite notify --test`.
    pub event: &'static str,
    /// When it was written, by our clock.
    pub at: Timestamp,
    /// The program and its version.
    pub program: &'static str,
    /// The computer's name.
    pub host: String,
    /// The store's id, where it could be opened.
    pub store: Option<String>,
    /// Success or failure, for whoever wants nothing else.
    pub signal: Signal,
    /// How things stand: the worse of the copy's state and the run's.
    pub verdict: Health,
    /// The verdict in a line.
    pub title: String,
    /// Everything in words, of any number of lines.
    pub text: String,
    /// Why the run ended early, where it did.
    pub error: Option<String>,
    /// The sources: each that the store has, and each that had a turn.
    pub sources: Vec<SourceLine>,
    /// How many findings are open.
    pub findings_open: usize,
    /// The first of them, alarms first.
    pub findings: Vec<FindingRecord>,
}

/// A source's part of a message.
#[derive(Clone, Debug, Serialize)]
pub struct SourceLine {
    /// Its name.
    pub name: SourceName,
    /// How its turn ended: `complete`, `partial`, `interrupted`, `failed`, or `none` where it had
    /// no turn in this run.
    pub ended: &'static str,
    /// Why it failed, or why objects are missing.
    pub error: Option<String>,
    /// What the turn did.
    pub counts: Option<RunCounts>,
    /// The journal's head: noted elsewhere, it shows any later edit.
    pub head: Option<Sha256>,
    /// When a pull over it last ended complete.
    pub last_complete_pull: Option<Timestamp>,
}

impl Message {
    /// The message about a run. `ended_by` is why it ended early, where it did.
    pub fn about(course: &Course, ended_by: Option<&Error>, at: Timestamp) -> Self {
        let went = went(course, ended_by);
        let standing = course.standing.as_ref();
        let verdict = standing.map_or(Health::Ok, |s| s.verdict);
        let findings = standing.map_or(&[][..], |s| &s.findings);
        let overdue = findings.iter().any(|f| f.kind == "pull-overdue");
        let sources = source_lines(course);
        let host = machine::name();
        let worst = verdict.max(went.health());
        let title = title(&host, worst, went);
        Self {
            signal: Signal::of(verdict, went, overdue),
            verdict: worst,
            text: text(&title, course, ended_by, &sources, findings),
            title,
            store: course.store.clone(),
            error: ended_by.map(ToString::to_string),
            sources,
            findings_open: findings.len(),
            findings: findings.iter().take(FINDINGS).cloned().collect(),
            ..Self::empty("run", host, at)
        }
    }

    /// The message of `offsite notify --test`.
    pub fn test(at: Timestamp) -> Self {
        let host = machine::name();
        let title = format!("offsite on {host}: this is a test");
        Self {
            text: format!(
                "{title}\n\nSomebody ran `offsite notify --test`. You are told this way how each run went.\n"
            ),
            title,
            ..Self::empty("test", host, at)
        }
    }

    fn empty(event: &'static str, host: String, at: Timestamp) -> Self {
        Self {
            format: 1,
            id: ulid::Ulid::generate().to_string(),
            event,
            at,
            program: concat!("offsite ", env!("CARGO_PKG_VERSION")),
            host,
            store: None,
            signal: Signal::Success,
            verdict: Health::Ok,
            title: String::new(),
            text: String::new(),
            error: None,
            sources: Vec::new(),
            findings_open: 0,
            findings: Vec::new(),
        }
    }

    /// The message as one line of JSON.
    pub fn json(&self) -> String {
        let mut out = Vec::new();
        // Neither writing to memory nor these fields can fail.
        let _ = report::line(&mut out, self);
        String::from_utf8_lossy(&out).into_owned()
    }

    /// The text, cut to `limit` bytes: the verdict and the journals' heads come first.
    pub fn text_within(&self, limit: usize) -> String {
        const CUT: &str = "\n… (cut here: `offsite status` says all)\n";
        if self.text.len() <= limit {
            return self.text.clone();
        }
        let room = limit.saturating_sub(CUT.len());
        let fits = (0..=room).rev().find(|at| self.text.is_char_boundary(*at));
        let begin = fits.and_then(|at| self.text.get(..at)).unwrap_or_default();
        format!("{begin}{CUT}")
    }
}

fn went(course: &Course, ended_by: Option<&Error>) -> Went {
    let turns = course.turns.iter().map(|turn| match &turn.came_to {
        Ok(outcome) if outcome.ended == Ended::Complete => Went::Complete,
        Ok(_) => Went::Partly,
        Err(_) => Went::Failed,
    });
    turns
        .chain(course.cut_short.then_some(Went::Partly))
        .chain(ended_by.map(|_| Went::Failed))
        .max()
        .unwrap_or(Went::Complete)
}

fn title(host: &str, verdict: Health, went: Went) -> String {
    let words = match (verdict, went) {
        (Health::Ok | Health::Warning, Went::Partly) => "done in part",
        _ => report::words(verdict),
    };
    format!("offsite on {host}: {words}")
}

fn source_lines(course: &Course) -> Vec<SourceLine> {
    let standing = course.standing.iter().flat_map(|s| &s.sources);
    let mut lines: Vec<SourceLine> = standing
        .map(|source| SourceLine {
            name: source.name.clone(),
            ended: "none",
            error: None,
            counts: None,
            head: source.head,
            last_complete_pull: source.last_complete_pull,
        })
        .collect();
    for turn in &course.turns {
        if !lines.iter().any(|line| line.name == turn.source) {
            lines.push(SourceLine {
                name: turn.source.clone(),
                ended: "none",
                error: None,
                counts: None,
                head: None,
                last_complete_pull: None,
            });
        }
        let line = lines.iter_mut().find(|line| line.name == turn.source);
        if let Some(line) = line {
            line.take(&turn.came_to);
        }
    }
    lines
}

impl SourceLine {
    fn take(&mut self, came_to: &Result<Outcome, Error>) {
        match came_to {
            Ok(outcome) => {
                self.ended = outcome.ended.as_str();
                self.error = outcome.failure.as_ref().map(ToString::to_string);
                self.counts = Some(outcome.counts);
                self.head = Some(outcome.head);
            }
            Err(error) => {
                self.ended = "failed";
                self.error = Some(error.to_string());
            }
        }
    }
}

/// The verdict, why the run ended, each source with its journal's head, then the findings.
fn text(
    title: &str,
    course: &Course,
    ended_by: Option<&Error>,
    sources: &[SourceLine],
    findings: &[FindingRecord],
) -> String {
    let mut out = Vec::new();
    let write = |out: &mut Vec<u8>| -> io::Result<()> {
        writeln!(out, "{title}\n")?;
        if let Some(error) = ended_by {
            failure(out, "error", error)?;
        }
        for turn in &course.turns {
            match &turn.came_to {
                Ok(outcome) => {
                    report::outcome(out, outcome)?;
                    if let Some(error) = &outcome.failure {
                        failure(out, "  why", error)?;
                    }
                }
                Err(error) => failure(out, &format!("{}: failed", turn.source), error)?,
            }
        }
        // A turn that came to something has said its head.
        for source in sources.iter().filter(|source| source.counts.is_none()) {
            if let Some(head) = source.head {
                writeln!(out, "{}: journal head {head}", source.name)?;
            }
        }
        report::findings(out, findings)
    };
    // Nothing that writes to memory fails.
    let _ = write(&mut out);
    String::from_utf8_lossy(&out).into_owned()
}

fn failure(out: &mut Vec<u8>, what: &str, error: &Error) -> io::Result<()> {
    writeln!(out, "{what}: {error}")?;
    match error.way_out() {
        Some(hint) => writeln!(out, "  next: {}", printable(hint)),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Kind;
    use crate::object::{Advice, ObjectKey, Severity, deceives, from_ms};
    use crate::watch::{Limits, SourceFacts, judge};
    use jiff::SignedDuration;

    const HEAD: Sha256 = Sha256([7; 32]);

    fn name(name: &str) -> SourceName {
        SourceName::new(name).unwrap()
    }

    fn outcome(source: &str, ended: Ended) -> Turn {
        Turn {
            source: name(source),
            came_to: Ok(Outcome {
                source: name(source),
                ended,
                counts: RunCounts::default(),
                left: None,
                failure: None,
                open_alarms: 0,
                head: HEAD,
            }),
        }
    }

    fn failed(source: &str) -> Turn {
        Turn {
            source: name(source),
            came_to: Err(Error::new(Kind::Run, "the line is dead").hint("wait")),
        }
    }

    fn finding(number: usize, key: &str) -> FindingRecord {
        FindingRecord {
            id: format!("www-{number}"),
            kind: "contradiction".into(),
            severity: Severity::Alarm,
            key: Some(ObjectKey::new(key).unwrap()),
            identity: None,
            advice: Advice {
                what: format!("{key} is not what it was"),
                evidence: "its digest".into(),
                next: "look".into(),
            },
            at: from_ms(0),
        }
    }

    fn facts() -> SourceFacts {
        SourceFacts {
            drills: crate::watch::Drills::default(),
            name: name("www"),
            last_complete_pull: Some(from_ms(0)),
            last_run: Some(from_ms(0)),
            last_ended: Some("complete".into()),
            last_error: None,
            counts: Vec::new(),
            kinds: Vec::new(),
            scrubs: Vec::new(),
            head: Some(HEAD),
            key: None,
        }
    }

    fn standing(findings: Vec<FindingRecord>) -> Option<Status> {
        Some(judge(
            vec![facts()],
            findings,
            &Limits::default(),
            from_ms(0),
        ))
    }

    fn course(turns: Vec<Turn>, findings: Vec<FindingRecord>) -> Course {
        Course {
            store: Some("01J".into()),
            turns,
            standing: standing(findings),
            ..Course::default()
        }
    }

    #[test]
    fn verdicts_and_signals_of_runs() {
        let store_gone = Error::new(Kind::Store, "the drive is not there");
        for (course, ended_by, verdict, signal, words) in [
            (
                course(vec![outcome("www", Ended::Complete)], vec![]),
                None,
                Health::Ok,
                Signal::Success,
                "all well",
            ),
            (
                course(vec![outcome("www", Ended::Partial)], vec![]),
                None,
                Health::Warning,
                Signal::Success,
                "done in part",
            ),
            (
                course(vec![outcome("www", Ended::Interrupted)], vec![]),
                None,
                Health::Warning,
                Signal::Success,
                "done in part",
            ),
            (
                Course {
                    cut_short: true,
                    ..course(vec![], vec![])
                },
                None,
                Health::Warning,
                Signal::Success,
                "done in part",
            ),
            (
                course(vec![failed("www")], vec![]),
                None,
                Health::Error,
                Signal::Fail,
                "failed",
            ),
            (
                course(vec![outcome("www", Ended::Complete), failed("db")], vec![]),
                None,
                Health::Error,
                Signal::Fail,
                "failed",
            ),
            (
                course(vec![outcome("www", Ended::Complete)], vec![finding(1, "a")]),
                None,
                Health::Alarm,
                Signal::Fail,
                "ALARM",
            ),
            (
                Course::default(),
                Some(&store_gone),
                Health::Error,
                Signal::Fail,
                "failed",
            ),
        ] {
            let message = Message::about(&course, ended_by, from_ms(0));
            assert_eq!(
                (message.verdict, message.signal),
                (verdict, signal),
                "{course:?}"
            );
            assert!(message.title.contains(words), "{}", message.title);
            assert!(message.text.starts_with(&message.title), "{}", message.text);
        }
    }

    /// Never pulled completely, and now only in part: something goes on being left out.
    #[test]
    fn a_run_done_in_part_is_a_failure_while_no_complete_one_is_recent() {
        let mut course = course(vec![outcome("www", Ended::Partial)], vec![]);
        let late = SignedDuration::from_hours(40).as_millis() as i64;
        let limits = Limits::default();
        course.standing = Some(judge(vec![facts()], vec![], &limits, from_ms(late)));
        let message = Message::about(&course, None, from_ms(late));
        assert_eq!(
            (message.verdict, message.signal),
            (Health::Warning, Signal::Fail)
        );
        course.turns = vec![outcome("www", Ended::Complete)];
        let message = Message::about(&course, None, from_ms(late));
        assert_eq!(
            (message.verdict, message.signal),
            (Health::Warning, Signal::Success)
        );
        assert!(
            message.text.contains("was not pulled for 40 hours"),
            "{}",
            message.text
        );
    }

    #[test]
    fn every_head_is_said_whatever_became_of_the_turn() {
        for turn in [outcome("www", Ended::Complete), failed("www")] {
            let message = Message::about(&course(vec![turn], vec![]), None, from_ms(0));
            assert!(message.text.contains(&HEAD.to_string()), "{}", message.text);
            assert_eq!(message.sources[0].head, Some(HEAD));
        }
    }

    #[test]
    fn what_failed_is_said_in_words_with_the_way_out() {
        let gone = Error::new(Kind::Store, "the drive is not there").hint("plug it in");
        let message = Message::about(&Course::default(), Some(&gone), from_ms(0));
        for words in ["the drive is not there", "plug it in"] {
            assert!(message.text.contains(words), "{}", message.text);
        }
        let message = Message::about(&course(vec![failed("db")], vec![]), None, from_ms(0));
        for words in ["db: failed: the line is dead", "next: wait"] {
            assert!(message.text.contains(words), "{}", message.text);
        }
        let db = message
            .sources
            .iter()
            .find(|s| s.name == name("db"))
            .unwrap();
        assert_eq!(
            (db.ended, db.error.as_deref()),
            ("failed", Some("the line is dead"))
        );
    }

    #[test]
    fn hostile_keys_do_no_harm_and_lose_nothing() {
        let key = "a\n\u{1b}[2J\u{202e}\"b";
        let message = Message::about(&course(vec![], vec![finding(1, key)]), None, from_ms(0));
        let lines = |c: char| deceives(c) && c != '\n';
        assert!(!message.text.contains(lines), "{:?}", message.text);
        assert!(message.text.contains("a\\n\\u{1b}[2J"), "{}", message.text);
        let json = message.json();
        assert!(!json.trim_end().contains(deceives), "{json:?}");
        let back: serde_json::Value = serde_json::from_str(&json).unwrap();
        assert_eq!(back["findings"][0]["key"], key);
    }

    #[test]
    fn a_flood_of_findings_is_bounded() {
        let many = (0..500).map(|n| finding(n, &"long/".repeat(200))).collect();
        let message = Message::about(
            &course(vec![outcome("www", Ended::Complete)], many),
            None,
            from_ms(0),
        );
        assert_eq!(
            (message.findings_open, message.findings.len()),
            (500, FINDINGS)
        );
        let text = message.text_within(3900);
        assert!(text.len() <= 3900, "{}", text.len());
        assert!(
            text.contains("cut here") && text.contains(&HEAD.to_string()),
            "{text}"
        );
    }

    #[test]
    fn a_cut_falls_between_characters() {
        let mut message = Message::test(from_ms(0));
        message.text = "é".repeat(100);
        for limit in 60..64 {
            assert!(message.text_within(limit).len() <= limit);
        }
    }
}
