//! What `mirror` copied and what it could not, as text and as JSON.

use super::text::bytes;
use crate::mirror::{Lack, Mirrored};
use crate::object::printable;
use serde_json::{Value, json};
use std::io::{self, Write};

/// A version that the first store has not whole.
pub fn lack(out: &mut dyn Write, lack: &Lack) -> io::Result<()> {
    let next = match (lack.here, lack.sha256) {
        (true, Some(sha256)) => format!(
            "the mirror has it: `offsite restore --version {}` with --store and the mirror's folder brings it",
            sha256.short()
        ),
        (true, None) => "the mirror has it".to_owned(),
        (false, _) => "not mirrored; the next run tries again".to_owned(),
    };
    let (source, key, why) = (&lack.source, &lack.key, printable(&lack.why));
    writeln!(out, "DAMAGED {source} {key}: {why}; {next}")
}

/// The same as a line of JSON.
pub fn lack_json(lack: &Lack) -> Value {
    json!({
        "source": lack.source, "key": lack.key, "sha256": lack.sha256.map(|d| d.to_string()),
        "damaged": lack.why, "mirror_has_it": lack.here,
    })
}

/// What following one source came to.
pub fn mirrored(out: &mut dyn Write, done: &Mirrored) -> io::Result<()> {
    let counts = done.counts;
    write!(
        out,
        "{}: {}; {} versions copied ({})",
        done.source,
        done.ended.as_str(),
        counts.stored + counts.quarantined,
        bytes(counts.bytes)
    )?;
    for (count, words) in [
        (counts.touched, "with bytes it had"),
        (counts.held, "of them HELD"),
        (counts.quarantined, "of them QUARANTINED"),
        (counts.failed, "DAMAGED in the first store"),
    ] {
        if count > 0 {
            write!(out, ", {count} {words}")?;
        }
    }
    match done.head {
        Some(head) => writeln!(out, "; the first store's journal head {head}"),
        None => writeln!(out, "; the first store has no journal of it yet"),
    }
}

/// The same as a line of JSON.
pub fn mirrored_json(done: &Mirrored) -> Value {
    let counts = done.counts;
    json!({
        "source": done.source.as_str(), "ended": done.ended.as_str(),
        "versions": counts.stored + counts.quarantined, "bytes": counts.bytes,
        "touched": counts.touched, "held": counts.held, "quarantined": counts.quarantined,
        "damaged": counts.failed, "head": done.head.map(|head| head.to_string()),
    })
}
