//! Every row against the drive.

use crate::catalogue::Catalogue;
use crate::error::Result;
use crate::object::StoredVersion;
use crate::outcome::{Event, Reporter, Stop};
use crate::store::Reader;

/// What a check found.
#[derive(Clone, Debug, Default)]
pub struct CheckReport {
    /// Files looked at.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
    /// What is wrong.
    pub problems: Vec<Problem>,
    /// Whether the owner ended it before it was through.
    pub interrupted: bool,
}

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Problem {
    /// Where, relative to the store; nothing where it is about the catalogue itself.
    pub path: Option<String>,
    /// What, in words.
    pub what: String,
}

/// Rows read at a time.
const ROWS: u32 = 1000;

/// Compares every row that says it has a file with the drive: it is there and has its length;
/// with `deep`, its bytes have their SHA-256. Also the catalogue against itself. Changes nothing.
pub fn check(
    reader: &Reader,
    catalogue: &Catalogue,
    deep: bool,
    stop: &Stop,
    reporter: &dyn Reporter,
) -> Result<CheckReport> {
    let mut report = CheckReport::default();
    for what in catalogue.counters_check()? {
        report.problems.push(Problem { path: None, what });
    }
    for source in catalogue.sources()? {
        let mut after = 0;
        let mut last_path = None;
        loop {
            let rows = catalogue.all_placed(&source.name, after, ROWS)?;
            let Some(last) = rows.last() else { break };
            after = last.id;
            for version in rows {
                if stop.requested() {
                    report.interrupted = true;
                    return Ok(report);
                }
                // Identities that share their bytes share a file: once is enough where they are
                // neighbours.
                if version.path == last_path {
                    continue;
                }
                last_path.clone_from(&version.path);
                look_at(reader, &version, deep, &mut report)?;
                reporter.report(&Event::Finished(&version.key));
            }
        }
    }
    Ok(report)
}

fn look_at(
    reader: &Reader,
    version: &StoredVersion,
    deep: bool,
    report: &mut CheckReport,
) -> Result<()> {
    let Some(path) = &version.path else {
        return Ok(());
    };
    let mut wrong = |what: String| {
        report.problems.push(Problem {
            path: Some(path.clone()),
            what,
        });
    };
    let Some(size) = reader.stat(path)? else {
        wrong("the file is missing".to_owned());
        return Ok(());
    };
    report.files += 1;
    report.bytes += size;
    // Quarantined bytes may well have another length than the listing said.
    let expected = version.identity.size;
    if size != expected && version.state != crate::object::State::Quarantined {
        wrong(format!("it has {size} bytes instead of {expected}"));
    } else if deep && let Some(sha256) = version.sha256 {
        let (found, _) = reader.hash(path)?;
        if found != sha256 {
            wrong(format!("its SHA-256 is {found} instead of {sha256}"));
        }
    }
    Ok(())
}
