//! What a scrub found, as text and as JSON.

use super::text::{bytes, time};
use crate::object::{Scrubbed, printable};
use crate::scrub::{Damaged, Found, TURNS};
use crate::store::CATALOGUE;
use serde_json::{Value, json};
use std::io::{self, Write};

/// So many notes are printed.
const NOTES: usize = 20;

/// What was found, damage first; `heal` is whether that was asked for.
pub fn scrubbed(out: &mut dyn Write, found: &Found, heal: bool) -> io::Result<()> {
    for damaged in &found.damaged {
        damage(out, damaged, heal)?;
    }
    for (_, (path, what)) in &found.journals {
        writeln!(out, "DAMAGED {}: {}", printable(path), printable(what))?;
    }
    for (_, (path, why)) in &found.unread {
        writeln!(out, "DAMAGED {}: {}", printable(path), printable(why))?;
    }
    for what in &found.catalogue {
        writeln!(
            out,
            "DAMAGED {CATALOGUE}: {}; `offsite catalogue rebuild` makes it anew",
            printable(what)
        )?;
    }
    for (_, (path, what)) in &found.strangers {
        writeln!(out, "UNKNOWN {}: {what}", printable(path))?;
    }
    if let Some(more @ 1..) = found.unknown.checked_sub(found.strangers.len() as u64) {
        writeln!(out, "UNKNOWN and {more} more")?;
    }
    for (path, note) in found.notes.iter().take(NOTES) {
        writeln!(out, "note: {}: {note}", printable(path))?;
    }
    if let Some(more @ 1..) = found.notes.len().checked_sub(NOTES) {
        writeln!(out, "note: and {more} more")?;
    }
    sum(out, found)
}

/// How the drive did in the newest scrubs of a source, newest first.
pub(super) fn standing(out: &mut dyn Write, scrubs: &[Scrubbed]) -> io::Result<()> {
    let Some(last) = scrubs.first() else {
        return Ok(());
    };
    let (files, size) = (last.files, bytes(last.bytes));
    let at = time(last.at);
    write!(out, "  last scrub: {at} UTC, {files} files ({size})")?;
    match (last.damaged, last.healed) {
        (0, _) => writeln!(out, ", all whole")?,
        (damaged, healed) => writeln!(out, ", {damaged} damaged, {healed} of them healed")?,
    }
    if scrubs.iter().all(|scrub| scrub.read_errors == 0) {
        return Ok(());
    }
    let oldest_first = scrubs.iter().rev();
    let trend: Vec<String> = oldest_first.map(|s| s.read_errors.to_string()).collect();
    writeln!(
        out,
        "  files that the drive could not read, scrub by scrub: {}",
        trend.join(", ")
    )
}

fn damage(out: &mut dyn Write, damaged: &Damaged, heal: bool) -> io::Result<()> {
    let (path, fault) = (printable(&damaged.path), damaged.fault.to_string());
    let fault = printable(&fault);
    if let Some(from) = &damaged.healed {
        return writeln!(out, "HEALED {path}: {fault}\n  -> from {}", printable(from));
    }
    writeln!(out, "DAMAGED {path}: {fault}")?;
    for why in &damaged.unhealed {
        writeln!(out, "  -> not healed: {}", printable(why))?;
    }
    match heal {
        true => Ok(()),
        false => writeln!(
            out,
            "  -> `offsite scrub --heal` asks the bucket for it; with --from DIR, another store"
        ),
    }
}

fn sum(out: &mut dyn Write, found: &Found) -> io::Result<()> {
    write!(
        out,
        "{} files ({}) read and compared",
        found.files,
        bytes(found.bytes)
    )?;
    let damaged =
        found.unhealed() + found.journals.len() + found.catalogue.len() + found.unread.len();
    let healed = found.damaged.len() - found.unhealed();
    let bad = match found.acknowledged {
        true => "damaged, which you have acknowledged",
        false => "damaged",
    };
    for (count, what) in [
        (damaged as u64, bad),
        (healed as u64, "healed"),
        (found.unknown, "unknown"),
    ] {
        if count > 0 {
            write!(out, "; {count} {what}")?;
        }
    }
    let over = found.passed_over;
    for (count, one, more) in [
        (
            over.names,
            "name in latest/, history/ and quarantine/ was",
            "names in latest/, history/ and quarantine/ were",
        ),
        (over.journals, "journal was", "journals were"),
    ] {
        if count > 0 {
            let what = if count == 1 { one } else { more };
            write!(out, "; {count} {what} not looked at for want of time")?;
        }
    }
    if !over.is_nothing() {
        write!(
            out,
            " (each has its turn on one of {TURNS} days; `--all` looks at all)"
        )?;
    }
    match (found.interrupted, found.given_up, found.complete) {
        (true, ..) => writeln!(out, "; interrupted: the next scrub goes on"),
        (_, true, _) => writeln!(
            out,
            "; so much is damaged that the rest was not read: copy what is whole to another drive (`offsite mirror --to DIR`)"
        ),
        (.., true) => writeln!(out, "; that is all there is"),
        (.., false) => writeln!(out, "; the next scrub goes on with the rest"),
    }
}

/// The same as one JSON object.
pub fn scrubbed_json(found: &Found) -> Value {
    let damaged: Vec<Value> = found.damaged.iter().map(damage_json).collect();
    let named = |(path, what): &(String, String)| json!({"path": path, "what": what});
    json!({
        "files": found.files,
        "bytes": found.bytes,
        "damaged": damaged,
        "catalogue": found.catalogue,
        "journals": found.journals.iter().map(|(_, j)| named(j)).collect::<Vec<_>>(),
        "unread": found.unread.iter().map(|(_, u)| named(u)).collect::<Vec<_>>(),
        "unknown": found.strangers.iter().map(|(_, s)| named(s)).collect::<Vec<_>>(),
        "unknown_files": found.unknown,
        "not_looked_at": {
            "names": found.passed_over.names,
            "journals": found.passed_over.journals,
        },
        "notes": found.notes.iter().map(named).collect::<Vec<_>>(),
        "acknowledged": found.acknowledged,
        "complete": found.complete,
        "interrupted": found.interrupted,
        "given_up": found.given_up,
    })
}

fn damage_json(damaged: &Damaged) -> Value {
    json!({
        "path": damaged.path,
        "source": damaged.version.source,
        "key": damaged.version.key.as_str(),
        "version_id": damaged.version.identity.version_id,
        "sha256": damaged.version.sha256.map(|sha256| sha256.to_string()),
        "what": damaged.fault.to_string(),
        "healed_from": damaged.healed,
        "not_healed": damaged.unhealed,
    })
}
