//! A journal read past its damage: for a rebuild, which must take what can be taken and say what
//! cannot.
//!
//! Up to the first break the chain proves every line. In the bad group itself a line is taken if it
//! can be read and says nothing that offsite would not write; what follows is whole in itself, but
//! hangs on a head that nothing proves. All of it is handed out as *unproven*.

use super::chain::{self, Bad, Chain, Found, Group};
use super::dir::Dir;
use super::journal;
use super::names;
use super::place::Placed;
use super::reader::{Break, Reader};
use crate::error::Result;
use crate::object::{
    EvidenceClass, Fact, JournalPosition, ObjectKey, PlaceRecord, Record, SourceName, State,
};

/// Breaks that are named; of more there is nothing more to say.
const NAMED: usize = 100;

/// How far a journal could be read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Salvaged {
    /// Groups up to the first break.
    pub proven: u64,
    /// Groups in it and behind it.
    pub unproven: u64,
    /// Where the chain breaks.
    pub breaks: Vec<Break>,
    /// Versions that the last group speaks of and a crash kept from their names: they lie in `incoming/`.
    pub unplaced: u64,
    /// Where the last group ends.
    pub end: Option<JournalPosition>,
}

impl Reader {
    /// Hands every group of the journal of `source` to `apply`, those behind and in its damage too;
    /// nothing is written. What the last group says and a crash kept from happening is left out.
    pub fn replay(
        &self,
        source: &SourceName,
        apply: &mut dyn FnMut(&Placed) -> Result<()>,
    ) -> Result<Salvaged> {
        let dir = self.dir.sub(source.as_str())?;
        if dir.stat(journal::FOLDER)?.is_none() {
            return Ok(Salvaged::default());
        }
        let mut last: Option<Group> = None;
        let mut found = walk(&dir, &mut |group, _| match last.replace(group) {
            Some(group) => apply(&Placed::of(group, source)),
            None => Ok(()),
        })?;
        if let Some(mut group) = last {
            let happened = |record: &Record| match record {
                Record::Place(place) => Ok(dir.stat(&place.from)?.is_none()),
                Record::Move(moved) => Ok(dir.stat(&moved.to)?.is_some()),
                Record::Heal(healed) => Ok(dir.stat(&healed.from)?.is_none()),
                Record::Fact(_) => Ok(true),
            };
            found.end = Some(group.position(source));
            let mut records = Vec::new();
            for record in group.records {
                match happened(&record)? {
                    true => records.push(record),
                    false => found.unplaced += u64::from(matches!(record, Record::Place(_))),
                }
            }
            group.records = records;
            apply(&Placed::of(group, source))?;
        }
        Ok(found)
    }

    /// Whether the journal of `source` ends at `known`: nothing was written to it since, and it is
    /// the journal that `known` speaks of.
    pub fn ends_at(&self, source: &SourceName, known: Option<&JournalPosition>) -> Result<bool> {
        let dir = self.dir.sub(source.as_str())?;
        let files = match dir.stat(journal::FOLDER)? {
            Some(_) => chain::files(&dir)?,
            None => Vec::new(),
        };
        let Some(known) = known.filter(|known| known.run > 0) else {
            return Ok(files.is_empty());
        };
        let mut behind = files.iter().filter(|(run, _)| *run >= known.run);
        let Some((run, name)) = behind.next().filter(|(run, _)| *run == known.run) else {
            return Ok(false);
        };
        if !journal::was_at(&dir, name, known)? {
            return Ok(false);
        }
        let mut chain = Chain::new(&dir, known.head);
        chain.open(*run, name, known.offset)?;
        // What a run that goes on has not finished is nothing yet.
        let ends = match chain.next()? {
            Found::End => true,
            Found::Bad(bad) => bad.torn,
            Found::Group(_) => false,
        };
        Ok(ends && behind.next().is_none())
    }
}

/// Hands every group to `each`, and whether the chain holds up to there.
pub(super) fn walk(dir: &Dir, each: &mut dyn FnMut(Group, bool) -> Result<()>) -> Result<Salvaged> {
    let mut found = Salvaged::default();
    let files = chain::files(dir)?;
    let mut chain = Chain::new(dir, chain::START);
    for (number, (run, name)) in files.iter().enumerate() {
        let last = number + 1 == files.len();
        chain.open(*run, name, 0)?;
        loop {
            match chain.next()? {
                Found::End => break,
                Found::Group(group) => found.take(group, each)?,
                Found::Bad(bad) if bad.newer => return Err(bad.damage()),
                // A group that a crash or a run that goes on has not finished: no damage.
                Found::Bad(bad) if bad.torn && last => break,
                Found::Bad(bad) => {
                    found.broken(bad);
                    let Some(mut group) = chain.salvage()? else {
                        break;
                    };
                    group.records = group.records.into_iter().filter_map(credible).collect();
                    found.take(group, each)?;
                }
            }
        }
    }
    Ok(found)
}

impl Salvaged {
    fn take(
        &mut self,
        group: Group,
        each: &mut dyn FnMut(Group, bool) -> Result<()>,
    ) -> Result<()> {
        let proven = self.breaks.is_empty();
        match proven {
            true => self.proven += 1,
            false => self.unproven += 1,
        }
        each(group, proven)
    }

    fn broken(&mut self, bad: Bad) {
        if self.breaks.len() < NAMED {
            self.breaks.push(Break {
                file: bad.file,
                at: bad.at,
                why: bad.why,
            });
        }
    }
}

/// A line of a bad group, as far as it can be believed. Of bytes, only what reading them will
/// show. An acknowledgement not at all: an alarm is better told twice than silenced by an edit.
fn credible(mut record: Record) -> Option<Record> {
    let stands = |path: &str, key: &ObjectKey| names::key_of(path).is_ok_and(|k| k == *key);
    let credible = match &mut record {
        Record::Place(place) => {
            (place.evidence, place.proofs) = (EvidenceClass::Length, Vec::new());
            place.content = None;
            fits(place) && stands(&place.path, &place.key)
        }
        Record::Move(moved) => stands(&moved.from, &moved.key) && stands(&moved.to, &moved.key),
        Record::Fact(Fact::Touch {
            key,
            path,
            evidence,
            proofs,
            content,
            ..
        }) => {
            (*evidence, *proofs, *content) = (EvidenceClass::Length, Vec::new(), None);
            stands(path, key)
        }
        Record::Fact(Fact::Adopted { key, path, .. }) => stands(path, key),
        Record::Fact(Fact::Noted { state, .. }) => {
            !matches!(state, State::Stored | State::Held | State::Quarantined)
        }
        // It says that a file was read: it is read again.
        Record::Heal(_) => false,
        Record::Fact(fact) => !matches!(fact, Fact::Ack(_)),
    };
    credible.then_some(record)
}

/// Whether offsite puts bytes in this state into this area.
fn fits(place: &PlaceRecord) -> bool {
    matches!(
        (
            place.path.split('/').next().unwrap_or_default(),
            place.state
        ),
        ("latest", State::Stored)
            | ("history", State::Stored | State::Held)
            | ("quarantine", State::Quarantined)
    )
}
