//! What `adopt` took over and what it left, as text.

use super::text::bytes;
use crate::object::{Change, printable};
use crate::pull::{Adopted, Stays};
use std::io::{self, Write};

/// A file that stays where it is, and why.
pub fn stays(out: &mut dyn Write, stays: &Stays) -> io::Result<()> {
    let (path, why) = (printable(&stays.path), printable(&stays.why));
    writeln!(out, "left: {path}: {why}")
}

/// A file that would be compared with the object of that name.
pub fn candidate(out: &mut dyn Write, path: &str, change: &Change) -> io::Result<()> {
    let size = bytes(change.identity.size);
    writeln!(out, "compare {size:>10}  {}", printable(path))
}

/// The last line of `adopt --dry-run`.
pub fn adopt_sum(
    out: &mut dyn Write,
    source: &str,
    (files, size): (u64, u64),
    known: u64,
    left: u64,
) -> io::Result<()> {
    writeln!(
        out,
        "{source}: would compare {files} files ({}), {known} are in the copy already, {left} stay where they are",
        bytes(size)
    )
}

/// What a run of `adopt` came to.
pub fn adopted(out: &mut dyn Write, adopted: &Adopted) -> io::Result<()> {
    let (outcome, counts) = (&adopted.outcome, adopted.outcome.counts);
    write!(
        out,
        "{}: {}; {} objects listed, {} files taken over ({})",
        outcome.source,
        outcome.ended.as_str(),
        counts.listed,
        counts.stored + counts.touched,
        bytes(counts.bytes)
    )?;
    for (count, words) in [
        (counts.held, "of them HELD"),
        (adopted.known, "in the copy already"),
        (adopted.stays, "left where they are"),
    ] {
        if count > 0 {
            write!(out, ", {count} {words}")?;
        }
    }
    writeln!(
        out,
        "; {} requests; journal head {}",
        counts.requests, outcome.head
    )?;
    super::text::alarms(out, outcome)
}
