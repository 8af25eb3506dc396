//! What rehearsals of restores came to, as text and as JSON.

use super::text::bytes;
use crate::object::{Timestamp, printable};
use crate::restore::{Came, Rehearsed};
use crate::watch::Drills;
use serde_json::{Value, json};
use std::io::{self, Write};

/// One rehearsal; `finding` is the one that it made.
pub fn rehearsed(out: &mut dyn Write, done: &Rehearsed, finding: Option<&str>) -> io::Result<()> {
    let (source, series) = (&done.turn.source, printable(&done.turn.series));
    let files = match done.files {
        1 => format!("1 file ({})", bytes(done.bytes)),
        files => format!("{files} files ({})", bytes(done.bytes)),
    };
    write!(out, "{source} {series}: ")?;
    match (&done.came, done.failed()) {
        (Came::Proven, _) => write!(
            out,
            "proven restorable: {files} came back, and your command opened them"
        )?,
        (Came::Read, _) => write!(
            out,
            "{files} came back, each byte as it was; no command of yours tried to open them"
        )?,
        (Came::Interrupted, _) => write!(out, "interrupted, nothing is recorded")?,
        (Came::Damaged(..), why) => {
            write!(out, "DAMAGED: {}", printable(&why.unwrap_or_default()))?
        }
        (_, why) => write!(out, "NOT PROVEN: {}", printable(&why.unwrap_or_default()))?,
    }
    writeln!(out)?;
    if let Some(id) = finding {
        writeln!(
            out,
            "  -> `offsite status` says what to do; it is the finding {id}"
        )?;
    }
    if let Came::NoRoom(error) = &done.came {
        writeln!(
            out,
            "  -> {}",
            printable(error.way_out().unwrap_or_default())
        )?;
    }
    match &done.kept {
        Some(folder) => writeln!(
            out,
            "  kept in {}",
            printable(&folder.display().to_string())
        ),
        None => Ok(()),
    }
}

/// The same as a line of JSON.
pub fn rehearsed_json(done: &Rehearsed, finding: Option<&str>) -> Value {
    let came = match &done.came {
        Came::Proven => "proven",
        Came::Read => "read",
        Came::Failed(_) => "failed",
        Came::Incomplete(_) => "incomplete",
        Came::Damaged(..) => "damaged",
        Came::Nothing => "nothing",
        Came::NoRoom(_) => "no-room",
        Came::Interrupted => "interrupted",
    };
    json!({
        "source": done.turn.source,
        "series": done.turn.series,
        "files": done.files,
        "bytes": done.bytes,
        "key": done.key,
        "came": came,
        "why": done.failed(),
        "finding": finding,
        "kept": done.kept,
    })
}

/// What `status` says of a source's rehearsals.
pub(super) fn drills(out: &mut dyn Write, drills: &Drills, now: Timestamp) -> io::Result<()> {
    let series = |count: u64| match count {
        1 => "1 series".to_owned(),
        more => format!("{more} series"),
    };
    let last = match (&drills.proven, drills.read) {
        (Some(proven), _) => format!("{} ({})", ago(proven.at, now), printable(&proven.series)),
        (None, 0) => "never: can anyone but the server decrypt this? `offsite drill` with a [[drill]] command in the configuration tells".to_owned(),
        (None, read) => format!(
            "never; {} came back byte for byte, and no command opened them: write a [[drill]] into the configuration",
            series(read)
        ),
    };
    writeln!(out, "  last proven restorable: {last}")?;
    match &drills.failed {
        None => Ok(()),
        Some(failed) => writeln!(
            out,
            "  last rehearsal of {}, {}: {}",
            printable(&failed.series),
            ago(failed.at, now),
            printable(failed.why.as_deref().unwrap_or_default())
        ),
    }
}

/// How long ago it was.
fn ago(at: Timestamp, now: Timestamp) -> String {
    let minutes = now.duration_since(at).as_mins();
    let (count, unit) = match minutes {
        ..1 => return "just now".to_owned(),
        1..60 => (minutes, "minute"),
        60..2880 => (minutes / 60, "hour"),
        _ => (minutes / 1440, "day"),
    };
    let s = if count == 1 { "" } else { "s" };
    format!("{count} {unit}{s} ago")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::object::from_ms;
    use crate::watch::Drill;

    const DAY: i64 = 86_400_000;

    #[test]
    fn how_long_ago() {
        for (ms, words) in [
            (-DAY, "just now"),
            (59_000, "just now"),
            (60_000, "1 minute ago"),
            (3_600_000, "1 hour ago"),
            (DAY, "24 hours ago"),
            (2 * DAY, "2 days ago"),
            (3 * DAY + 1, "3 days ago"),
        ] {
            assert_eq!(ago(from_ms(0), from_ms(ms)), words);
        }
    }

    fn said(drills: &Drills) -> String {
        let mut out = Vec::new();
        super::drills(&mut out, drills, from_ms(3 * DAY)).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn what_status_says() {
        let one = |series: &str, why: Option<&str>| Drill {
            series: series.to_owned(),
            at: from_ms(0),
            why: why.map(str::to_owned),
        };
        let mut drills = Drills::default();
        assert!(said(&drills).contains("never: can anyone but the server decrypt this?"));
        drills.read = 1;
        assert!(said(&drills).contains("never; 1 series came back"));
        drills.proven = Some(one("site-*\u{1b}.age", None));
        assert_eq!(
            said(&drills),
            "  last proven restorable: 3 days ago (site-*\\u{1b}.age)\n"
        );
        drills.failed = Some(one("db", Some("no key\n")));
        assert!(said(&drills).ends_with("\n  last rehearsal of db, 3 days ago: no key\\n\n"));
    }
}
