//! What `restore` brought back and what it did not, as text and as JSON.

use super::json::version_json;
use super::text::bytes;
use crate::object::{StoredVersion, printable};
use crate::restore::{Fate, Item, Sum};
use serde_json::{Value, json};
use std::io::{self, Write};
use std::path::Path;

/// What became of a file, where there is something to say: nothing of one that is there.
pub fn restored(out: &mut dyn Write, item: &Item) -> io::Result<()> {
    let key = &item.version.key;
    let mut line = |word: &str, why: &str| writeln!(out, "{word} {key}: {}", printable(why));
    match &item.fate {
        Fate::Restored | Fate::There => Ok(()),
        Fate::Chosen => {
            let size = bytes(item.version.identity.size);
            writeln!(out, "restore {size:>10}  {key}")
        }
        Fate::Refused(why) => line("NOT RESTORED", why),
        Fate::Differs(what) => line(
            "NOT RESTORED",
            &format!("{what}; with --force it is replaced"),
        ),
        Fate::Unheld => {
            let what = format!("the drive does not have it, it is {}", item.version.state);
            line("NOT RESTORED", &what)
        }
        Fate::Damaged(why, before) => {
            line("DAMAGED", why)?;
            match before {
                Some(before) => writeln!(
                    out,
                    "  -> the version before it is whole: {}",
                    other(before)
                ),
                None => writeln!(
                    out,
                    "  -> no older version of it is whole on this drive; if the bucket has it still, fetch it from there"
                ),
            }
        }
    }
}

/// How another version of the same key is asked for.
fn other(version: &StoredVersion) -> String {
    let short = version.sha256.map(|sha256| sha256.short());
    format!(
        "of {} UTC, --version {}",
        version.identity.last_modified.strftime("%Y-%m-%d %H:%M:%S"),
        short.unwrap_or_default()
    )
}

/// The same as a line of JSON: what `ls --json` says of the version, and what became of it.
pub fn restored_json(item: &Item) -> Value {
    let (fate, why) = match &item.fate {
        Fate::Chosen => ("chosen", None),
        Fate::Restored => ("restored", None),
        Fate::There => ("there", None),
        Fate::Refused(why) => ("refused", Some(why)),
        Fate::Differs(what) => ("differs", Some(what)),
        Fate::Unheld => ("not-held", None),
        Fate::Damaged(why, _) => ("damaged", Some(why)),
    };
    let before = match &item.fate {
        Fate::Damaged(_, Some(before)) => Some(version_json(before)),
        _ => None,
    };
    let mut json = version_json(&item.version);
    if let Some(fields) = json.as_object_mut() {
        fields.insert("to".to_owned(), json!(item.to));
        fields.insert("restored".to_owned(), json!(fate));
        fields.insert("why".to_owned(), json!(why));
        fields.insert("whole_before".to_owned(), json!(before));
    }
    json
}

/// What it came to.
pub fn restore_sum(out: &mut dyn Write, sum: &Sum, to: &Path) -> io::Result<()> {
    let to = printable(&to.display().to_string());
    let (files, size) = (sum.restored, bytes(sum.bytes));
    write!(out, "{files} files ({size}) restored to {to}")?;
    for (count, what) in [
        (sum.there, "were there already"),
        (sum.damaged, "damaged on the drive"),
        (sum.refused, "not restored"),
    ] {
        if count > 0 {
            write!(out, "; {count} {what}")?;
        }
    }
    match sum.interrupted {
        true => writeln!(out, "; interrupted: the same command goes on"),
        false => writeln!(out),
    }
}
