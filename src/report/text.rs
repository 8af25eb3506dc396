//! Text for people: plain lines that also read well in a cron mail.

use super::drill;
use crate::catalogue::{EventRow, MarkerRow, RunRow};
use crate::error::Result;
use crate::machine::Machine;
use crate::object::{
    Change, EvidenceClass, FindingRecord, Severity, StoredVersion, Timestamp, printable,
};
use crate::outcome::Outcome;
use crate::pull::DryRun;
use crate::store::Reader;
use crate::watch::{Health, SourceStatus, Status};
use bytesize::ByteSize;
use std::io::{self, Write};

/// A size for people: `34.5 GiB`.
pub fn bytes(count: u64) -> String {
    ByteSize(count).display().iec().to_string()
}

pub(super) fn time(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d %H:%M:%S").to_string()
}

/// So many findings are shown to a person; an attack on thousands of objects makes thousands.
const SHOWN: usize = 20;

/// `offsite status`: the verdict, what is wrong with the next step, each source, the drive.
pub fn status(out: &mut dyn Write, status: &Status, drive: Option<&str>) -> io::Result<()> {
    writeln!(out, "{}", words(status.verdict))?;
    findings(out, &status.findings)?;
    for source in &status.sources {
        source_lines(out, source, status.at)?;
    }
    if let Some(drive) = drive {
        writeln!(out, "\ndrive: {drive}")?;
    }
    Ok(())
}

/// The verdict in a few words.
pub fn words(verdict: Health) -> &'static str {
    match verdict {
        Health::Ok => "all well",
        Health::Warning => "something wants a look",
        Health::Error => "the last run failed",
        Health::Alarm => "ALARM: look now",
    }
}

/// What is wrong, with the evidence and the next step: the first of it, where there is much.
pub fn findings(out: &mut dyn Write, all: &[FindingRecord]) -> io::Result<()> {
    for found in all.iter().take(SHOWN) {
        finding(out, found)?;
    }
    match all.len().checked_sub(SHOWN) {
        Some(more @ 1..) => writeln!(
            out,
            "\n… and {more} more findings: `offsite status --json` has all"
        ),
        _ => Ok(()),
    }
}

/// The computer in a line.
pub fn machine(machine: &Machine) -> String {
    let mut text = format!(
        "{} of {} memory available, load {:.1}",
        bytes(machine.memory_available),
        bytes(machine.memory),
        machine.load
    );
    if let Some(degrees) = machine.temperature {
        text.push_str(&format!(", {degrees:.0} °C"));
    }
    for complaint in &machine.complaints {
        text.push_str(&format!("\nmachine: {complaint}"));
    }
    text
}

/// The drive in a line: where, how much room, which file system and store.
pub fn drive(reader: &Reader) -> Result<String> {
    let (room, marker) = (reader.room()?, reader.marker());
    Ok(format!(
        "{}: {} free of {} ({}), store {}",
        reader.path().display(),
        bytes(room.free),
        bytes(room.total),
        marker.facts.filesystem,
        marker.id,
    ))
}

fn finding(out: &mut dyn Write, found: &FindingRecord) -> io::Result<()> {
    let severity = match found.severity {
        Severity::Warning => "warning",
        Severity::Alarm => "ALARM",
    };
    let (id, at) = (&found.id, time(found.at));
    writeln!(
        out,
        "\n{severity} {id} ({at} UTC): {}",
        printable(&found.advice.what)
    )?;
    writeln!(out, "  evidence: {}", printable(&found.advice.evidence))?;
    writeln!(out, "  next: {}", printable(&found.advice.next))
}

fn source_lines(out: &mut dyn Write, source: &SourceStatus, now: Timestamp) -> io::Result<()> {
    let (name, stored, size) = (&source.name, source.stored, bytes(source.bytes));
    writeln!(
        out,
        "\n{name}: {stored} versions ({size}) on the drive, {} of them current in the bucket",
        source.current
    )?;
    for (count, words) in [
        (source.held, "held until you accept them"),
        (source.quarantined, "in quarantine"),
        (source.archived, "in an archive tier, not fetched"),
        (source.unreadable, "unreadable with this key"),
    ] {
        if count > 0 {
            writeln!(out, "  {count} {words}")?;
        }
    }
    for kinds in [proven_by(source), content(source)].iter().flatten() {
        writeln!(out, "  {}", printable(kinds))?;
    }
    if let Some(at) = source.last_complete_pull {
        writeln!(out, "  last complete pull: {} UTC", time(at))?;
    }
    if source.stored > 0 {
        drill::drills(out, &source.drills, now)?;
    }
    if let (Some(at), Some(ended)) = (source.last_run, &source.last_ended)
        && ended != "complete"
    {
        let why = source.last_error.as_deref().unwrap_or_default();
        writeln!(
            out,
            "  last run: {} UTC, {ended} {}",
            time(at),
            printable(why)
        )?;
    }
    super::scrub::standing(out, &source.scrubs)?;
    if let Some(head) = source.head {
        writeln!(out, "  journal head: {head}")?;
    }
    Ok(())
}

/// How the versions on the drive are proven, strongest first.
fn proven_by(source: &SourceStatus) -> Option<String> {
    let weaker = |class| match class {
        EvidenceClass::Length => " (weaker)",
        _ => "",
    };
    let classes = source.evidence.iter();
    let classes: Vec<String> = classes
        .map(|(class, count)| format!("{class} {count}{}", weaker(*class)))
        .collect();
    (!classes.is_empty()).then(|| format!("proven by: {}", classes.join(", ")))
}

/// Whether the versions on the drive are encrypted, as far as that was judged.
fn content(source: &SourceStatus) -> Option<String> {
    let of = |what: &'static str| {
        let all = source.content.iter();
        all.filter_map(move |(kind, count)| {
            let (first, format) = kind.split_once(' ').unwrap_or((kind, ""));
            (first == what).then_some((format, *count))
        })
    };
    let sum = |what| of(what).map(|(_, count)| count).sum::<u64>();
    let formats: Vec<String> = of("plaintext")
        .map(|(format, count)| format!("{format} {count}"))
        .collect();
    let mut parts = Vec::new();
    for (what, words) in [
        ("encrypted", "encrypted"),
        ("plaintext", "not encrypted"),
        ("metadata", "settings of repositories"),
        ("unknown", "unknown"),
    ] {
        let count = sum(what);
        if count > 0 {
            let formats = match what {
                "plaintext" => format!(": {}", formats.join(", ")),
                _ => String::new(),
            };
            parts.push(format!("{words} {count}{formats}"));
        }
    }
    (!parts.is_empty()).then(|| parts.join("; "))
}

/// One line of `offsite ls`: size, the bucket's time, what we hold and what the bucket shows, the
/// key; with `versions`, the path as well.
pub fn version_line(
    out: &mut dyn Write,
    version: &StoredVersion,
    versions: bool,
) -> io::Result<()> {
    let size = bytes(version.identity.size);
    let modified = time(version.identity.last_modified);
    let (state, in_bucket) = (version.state, version.in_bucket);
    write!(
        out,
        "{size:>10}  {modified}  {state:<11} {in_bucket:<10} {}",
        version.key
    )?;
    if versions {
        let path = version.path.as_deref().unwrap_or("-");
        write!(out, "  {}", printable(path))?;
    }
    writeln!(out)
}

/// `offsite show`: a delete marker.
pub fn marker(out: &mut dyn Write, row: &MarkerRow) -> io::Result<()> {
    let marker = &row.marker;
    writeln!(out, "{} {}: a delete marker", row.source, marker.key)?;
    let mut field = |name: &str, value: &str| writeln!(out, "  {name:<14} {}", printable(value));
    field("version id", marker.version_id.as_deref().unwrap_or("null"))?;
    let what = match (row.missed_at, marker.hides) {
        (Some(_), _) => "no longer in the bucket",
        (None, true) => "hides the key",
        (None, false) => "older than what the bucket shows",
    };
    field("state", what)?;
    let deleted = time(marker.last_modified);
    field("deleted", &format!("{deleted} UTC by the bucket"))?;
    field("first seen", &format!("{} UTC by us", time(row.first_seen)))?;
    if let Some(at) = row.missed_at {
        field("first missed", &format!("{} UTC", time(at)))?;
    }
    Ok(())
}

/// `offsite show`: a version.
pub fn version(out: &mut dyn Write, version: &StoredVersion) -> io::Result<()> {
    let identity = &version.identity;
    writeln!(out, "{} {}", version.source, version.key)?;
    let mut field = |name: &str, value: &str| writeln!(out, "  {name:<14} {}", printable(value));
    let listed = identity.version_id.as_ref();
    if let Some(id) = listed.or(version.answer.version_id.as_ref()) {
        field("version id", id)?;
    }
    field(
        "state",
        &format!("{}, in the bucket: {}", version.state, version.in_bucket),
    )?;
    field("size", &format!("{} bytes", identity.size))?;
    field("etag", &identity.etag)?;
    field(
        "last modified",
        &format!("{} UTC by the bucket", time(identity.last_modified)),
    )?;
    field(
        "first seen",
        &format!("{} UTC by us", time(version.first_seen)),
    )?;
    if let Some(at) = version.stored_at {
        field("stored", &format!("{} UTC", time(at)))?;
    }
    if let Some(at) = version.missed_at {
        field("first missed", &format!("{} UTC", time(at)))?;
    }
    if let Some(encryption) = &version.answer.encryption {
        field("at rest", encryption)?;
    }
    if let Some(lock) = &version.answer.lock {
        field("locked", &lock.to_string())?;
    }
    if let Some(sha256) = version.sha256 {
        field("sha256", &sha256.to_string())?;
    }
    if let Some(content) = &version.content {
        field("content", content)?;
    }
    if let Some(class) = version.evidence {
        field("proven by", class.as_str())?;
    }
    for proof in &version.proofs {
        let (name, covers, class) = (&proof.name, proof.covers(), proof.class);
        let (verdict, expected) = (proof.verdict, &proof.expected);
        let text = format!("{verdict:<6}  {name} {expected} (of the {covers}; {class})");
        field("evidence", &text)?;
    }
    if let Some(path) = &version.path {
        field("path", path)?;
    }
    Ok(())
}

/// `offsite log`: one line a run.
pub fn runs(out: &mut dyn Write, rows: &[RunRow]) -> io::Result<()> {
    for row in rows {
        write!(
            out,
            "{}  {} #{} {}",
            time(row.start.at),
            row.source,
            row.run,
            row.start.command
        )?;
        match &row.end {
            None => writeln!(out, ": cut off, or going on")?,
            Some(end) => {
                let c = end.counts;
                write!(out, ": {}", end.ended)?;
                for (count, words) in [
                    (c.listed, "listed"),
                    (c.stored, "stored"),
                    (c.touched, "same bytes again"),
                    (c.held, "held"),
                    (c.quarantined, "quarantined"),
                    (c.gone, "gone"),
                    (c.failed, "failed"),
                ] {
                    if count > 0 {
                        write!(out, ", {count} {words}")?;
                    }
                }
                if c.bytes > 0 {
                    write!(out, ", {}", bytes(c.bytes))?;
                }
                if let Some(error) = &end.error {
                    write!(out, ": {}", printable(error))?;
                }
                writeln!(out)?;
            }
        }
    }
    Ok(())
}

/// `offsite log --events`: one line an event.
pub fn events(out: &mut dyn Write, rows: &[EventRow]) -> io::Result<()> {
    for row in rows {
        let event = &row.event;
        write!(
            out,
            "{}  {} #{} {}",
            time(event.at),
            row.source,
            row.run,
            event.kind
        )?;
        if let Some(key) = &event.key {
            write!(out, " {key}")?;
        }
        writeln!(out, ": {}", printable(&event.text))?;
    }
    Ok(())
}

/// What a pull over one source came to, in a line or two.
pub fn outcome(out: &mut dyn Write, outcome: &Outcome) -> io::Result<()> {
    let c = outcome.counts;
    write!(
        out,
        "{}: {}; {} objects listed, {} stored ({})",
        outcome.source,
        outcome.ended.as_str(),
        c.listed,
        c.stored,
        bytes(c.bytes)
    )?;
    for (count, words) in [
        (c.touched, "with bytes we had"),
        (c.held, "HELD"),
        (c.quarantined, "QUARANTINED"),
        (c.gone, "gone from the bucket"),
        (c.failed, "left for the next run"),
    ] {
        if count > 0 {
            write!(out, ", {count} {words}")?;
        }
    }
    writeln!(
        out,
        "; {} requests; journal head {}",
        c.requests, outcome.head
    )?;
    match outcome.left {
        None => {}
        Some(left) if left.objects == 0 => writeln!(
            out,
            "{}: the listing was not finished, nothing was fetched: {}",
            outcome.source, left.why
        )?,
        Some(left) => writeln!(
            out,
            "{}: {} objects ({}) are left for the next run: {}",
            outcome.source,
            left.objects,
            bytes(left.bytes),
            left.why
        )?,
    }
    alarms(out, outcome)
}

/// The last line of a run, while something is wrong.
pub(super) fn alarms(out: &mut dyn Write, outcome: &Outcome) -> io::Result<()> {
    match outcome.open_alarms {
        0 => Ok(()),
        open => writeln!(
            out,
            "ALARM: {open} not acknowledged; `offsite status` says what happened and what to do"
        ),
    }
}

/// One line of `pull --dry-run`.
pub fn plan_line(out: &mut dyn Write, change: &Change) -> io::Result<()> {
    let size = bytes(change.identity.size);
    writeln!(out, "{:<7} {size:>10}  {}", change.why, change.key)
}

/// The last line of `pull --dry-run`.
pub fn plan_sum(out: &mut dyn Write, source: &str, sum: DryRun) -> io::Result<()> {
    writeln!(
        out,
        "{source}: would fetch {} objects, {} bytes ({}), in {} requests",
        sum.objects,
        sum.bytes,
        bytes(sum.bytes),
        sum.requests
    )
}
