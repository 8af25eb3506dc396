//! The owner has seen a finding; a held version may be let into `latest/`.

use crate::catalogue::FindingRow;
use crate::error::{Error, Kind, Result};
use crate::home::{Home, PROGRAM, Shelf};
use crate::object::{
    Ack, Clock, EventRecord, Fact, RunCounts, RunEnd, RunStart, State, StoredVersion,
};
use crate::store::Entry;

/// What an acknowledgement came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Acknowledged {
    /// The finding is closed.
    Closed,
    /// The finding is closed, and the held version stands in `latest/` now.
    Accepted,
    /// It had been acknowledged before; nothing was written.
    Already,
}

/// Acknowledges the finding called `id`. With `accept`, the version it holds back goes to
/// `latest/`, and what stands there to `history/`.
///
/// # Errors
/// A finding that does not exist, and `accept` for one that holds no version back.
pub fn acknowledge(
    home: &mut Home,
    clock: &Clock,
    id: &str,
    note: Option<&str>,
    accept: bool,
) -> Result<Acknowledged> {
    let row = home.catalogue().finding(id)?.ok_or_else(|| {
        Error::new(Kind::Usage, format!("there is no finding {id:?}"))
            .hint("`offsite status` shows the open ones with their ids")
    })?;
    let mut shelf = home.shelf_of(&row.source)?;
    // What was accepted can be seen by its state: asking twice changes nothing.
    let held = held_version(&shelf, &row)?;
    if row.ack.is_some() && !(accept && held.is_some()) {
        return Ok(Acknowledged::Already);
    }
    let now = clock.now();
    let mut group = vec![Entry::Fact(Fact::RunStart(RunStart {
        at: now,
        command: "ack".to_owned(),
        program: PROGRAM.to_owned(),
        key: None,
        bucket: None,
        prefix: None,
    }))];
    if accept {
        let version = held.ok_or_else(|| {
            Error::new(Kind::Usage, format!("finding {id} holds no version back"))
                .hint("acknowledge it without --accept")
        })?;
        group.extend(accept_held(&shelf, version, now)?);
    }
    group.push(Entry::Fact(Fact::Ack(Ack {
        finding: id.to_owned(),
        note: note.map(str::to_owned),
        accepted: accept,
        at: now,
    })));
    group.push(Entry::Fact(Fact::RunEnd(RunEnd {
        at: now,
        ended: "complete".to_owned(),
        error: None,
        counts: RunCounts::default(),
    })));
    shelf.commit(group)?;
    Ok(if accept {
        Acknowledged::Accepted
    } else {
        Acknowledged::Closed
    })
}

/// The version that the finding holds back, if it still does.
fn held_version(shelf: &Shelf<'_>, row: &FindingRow) -> Result<Option<StoredVersion>> {
    let (Some(key), Some(identity)) = (&row.finding.key, &row.finding.identity) else {
        return Ok(None);
    };
    let version = shelf.catalogue().by_identity(shelf.name(), key, identity)?;
    Ok(version.filter(|v| v.state == State::Held))
}

fn accept_held(
    shelf: &Shelf<'_>,
    version: StoredVersion,
    now: crate::object::Timestamp,
) -> Result<Vec<Entry>> {
    let accepted = Entry::Fact(Fact::Event(EventRecord {
        kind: "accepted".to_owned(),
        key: Some(version.key.clone()),
        text: "the owner let the held version into latest/".to_owned(),
        at: now,
    }));
    let mut entries = vec![accepted];
    entries.extend(shelf.promote(version, &[])?);
    Ok(entries)
}
