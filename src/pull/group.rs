//! The group commit: proven bytes come in one by one and are made durable together, because a
//! sync a file is what makes careful tools slow.

mod back;
mod findings;
mod trouble;

use super::arrivals::Arrivals;
use super::decide::{Decision, decide, held_already};
use super::locks::Broken;
use super::older::Olders;
use super::transfer::Fetched;
use super::vanished::Vanished;
use super::words;
use crate::config::Demands;
use crate::digest::Verified;
use crate::error::{Error, Result};
use crate::home::{Shelf, standing_of};
use crate::object::{
    Clock, EvidenceClass, Fact, InBucket, NameClaim, ObjectKey, RunCounts, RunStart, State,
    Timestamp,
};
use crate::outcome::{Event, Reporter};
use crate::store::Entry;
use crate::store::names::Spelling;
use crate::write_once::is_write_once;
use std::time::{Duration, Instant};

/// A group is closed at this many entries,
const ENTRIES: usize = 1000;
/// or this many bytes,
const BYTES: u64 = 512 << 20;
/// or this long after its first entry: what a power cut can cost to fetch again.
pub(super) const AGE: Duration = Duration::from_secs(10);

/// Collects entries and commits them by the group.
pub(super) struct Group<'a, 'h> {
    shelf: &'a mut Shelf<'h>,
    clock: &'a Clock,
    reporter: &'a dyn Reporter,
    /// The run's first line, but for its moment.
    start: RunStart,
    begun: bool,
    entries: Vec<Entry>,
    claims: Vec<NameClaim>,
    leftovers: Vec<String>,
    versions: u64,
    bytes: u64,
    opened: Option<Instant>,
    next_finding: u64,
    pub(super) arrivals: Arrivals,
    /// What the owner demands of evidence.
    pub(super) demands: Demands,
    /// Versions whose evidence is weaker than that: the class demanded, how many, and the first.
    pub(super) weaker: Option<(EvidenceClass, u64, ObjectKey)>,
    /// The series in which something vanished.
    pub(super) vanished: Vanished,
    /// Versions that are gone before their locks ended.
    pub(super) broken: Broken,
    /// What the run did so far.
    pub(super) counts: RunCounts,
    /// Why the first object that could not be fetched was not.
    pub(super) first_failure: Option<Error>,
    /// Whether nothing is to be recorded.
    pub(super) dry: bool,
    /// What came of older versions in this group.
    pub(super) olders: Olders,
    /// Whether it was said that older versions cannot be read.
    pub(super) olders_withheld: bool,
}

impl<'a, 'h> Group<'a, 'h> {
    pub(super) fn new(
        shelf: &'a mut Shelf<'h>,
        clock: &'a Clock,
        reporter: &'a dyn Reporter,
        start: RunStart,
        arrivals: Arrivals,
    ) -> Result<Self> {
        let next_finding = shelf.catalogue().next_finding_number(shelf.name())?;
        Ok(Self {
            shelf,
            clock,
            reporter,
            start,
            begun: false,
            entries: Vec::new(),
            claims: Vec::new(),
            leftovers: Vec::new(),
            versions: 0,
            bytes: 0,
            opened: None,
            next_finding,
            arrivals,
            demands: Demands::default(),
            weaker: None,
            vanished: Vanished::default(),
            broken: Broken::default(),
            counts: RunCounts::default(),
            first_failure: None,
            dry: false,
            olders: Olders::default(),
            olders_withheld: false,
        })
    }

    /// When the run began.
    pub(super) fn started(&self) -> Timestamp {
        self.start.at
    }

    pub(super) fn shelf(&mut self) -> &mut Shelf<'h> {
        self.shelf
    }

    /// Takes what became of one planned change; commits when the group is full.
    pub(super) fn take(&mut self, fetched: Fetched) -> Result<()> {
        self.shelf.store().still_there()?;
        match fetched {
            Fetched::Verified(verified) => self.verified(verified)?,
            Fetched::Contradicted(contradiction) => self.contradicted(contradiction)?,
            Fetched::Fact(Fact::Back { key, identity, at }) => self.back(key, identity, at)?,
            Fetched::Fact(fact) => self.fact(fact),
            Fetched::Unreadable(change, error) => {
                self.unreadable(&change, error)?;
            }
            Fetched::Failed(change, error) => self.failed(&change.key, error),
            Fetched::Withheld(error) => self.withheld(&error)?,
            Fetched::Passed | Fetched::Interrupted => {}
            Fetched::Drive(error) => {
                // What was proven before may still find its place: names need little room.
                if let Err(more) = self.commit() {
                    log::warn!("{more}");
                }
                return Err(error);
            }
        }
        if self.is_due() {
            self.commit()?;
        }
        Ok(())
    }

    /// Adds a record that claims no bytes.
    pub(super) fn fact(&mut self, fact: Fact) {
        if let Fact::Gone { .. }
        | Fact::Shown {
            in_bucket: InBucket::Hidden,
            ..
        } = fact
        {
            self.counts.gone += 1;
        }
        self.push(Entry::Fact(fact), 0);
    }

    /// Adds what the listing itself tells, unless nothing is to be recorded; commits when the
    /// group is full.
    pub(super) fn says(&mut self, fact: Fact) -> Result<()> {
        if self.dry {
            return Ok(());
        }
        self.fact(fact);
        match self.is_due() {
            true => self.commit(),
            false => Ok(()),
        }
    }

    /// Whether all that was taken is recorded.
    pub(super) fn is_recorded(&self) -> bool {
        self.entries.is_empty() && self.leftovers.is_empty()
    }

    /// Whether the group should be committed now.
    pub(super) fn is_due(&self) -> bool {
        self.entries.len() >= ENTRIES
            || self.bytes >= BYTES
            || self.opened.is_some_and(|opened| opened.elapsed() >= AGE)
    }

    /// Commits what was collected.
    pub(super) fn commit(&mut self) -> Result<()> {
        if self.is_recorded() {
            return Ok(());
        }
        self.say_what_is_required()?;
        self.begin();
        let entries = std::mem::take(&mut self.entries);
        self.shelf.commit(entries)?;
        // Only now: until the rows stand, the bytes might be needed.
        for staged in self.leftovers.drain(..) {
            self.shelf.incoming().remove(&staged)?;
        }
        self.reporter.report(&Event::Recorded(self.versions));
        (self.versions, self.bytes, self.opened) = (0, 0, None);
        self.claims.clear();
        self.olders = Olders::default();
        Ok(())
    }

    /// The run's first line goes with its first group: a run that changes nothing and fails to
    /// say so costs one sync, not two.
    fn begin(&mut self) {
        if !std::mem::replace(&mut self.begun, true) {
            let start = Fact::RunStart(RunStart {
                at: self.clock.now(),
                ..self.start.clone()
            });
            self.entries.insert(0, Entry::Fact(start));
        }
    }

    pub(super) fn push(&mut self, entry: Entry, bytes: u64) {
        self.opened.get_or_insert_with(Instant::now);
        self.bytes += bytes;
        self.entries.push(entry);
    }

    fn verified(&mut self, verified: Verified) -> Result<()> {
        if verified.in_bucket() == InBucket::Noncurrent {
            return self.older(verified);
        }
        let key = verified.key().clone();
        let (identity, sha256) = (verified.identity(), verified.sha256());
        let catalogue = self.shelf.catalogue();
        let rows = &catalogue.bearing(self.shelf.name(), &key, identity, sha256)?;
        let standing = self.shelf.standing(&key)?;
        let now = self.clock.now();
        if rows
            .iter()
            .any(|row| row.state == State::Quarantined && row.identity.is(identity))
        {
            self.fact(Fact::Event(words::came_right(&key, now)));
        }
        let decision = decide(
            standing.as_ref(),
            rows,
            verified.sha256(),
            is_write_once(&key),
            now,
        );
        let unsigned = verified.evidence() != EvidenceClass::Signed
            && self.demands.signature(&key, verified.bytes());
        if unsigned && verified.in_bucket() == InBucket::Hidden {
            // What it was signed with may be deleted like it.
            return self.older(verified);
        }
        let decision = match decision {
            Decision::First | Decision::Replace { .. } if unsigned => {
                held_already(rows, verified.sha256()).unwrap_or(Decision::HoldUnsigned)
            }
            decision => decision,
        };
        match (decision, standing) {
            (Decision::Touch(path), _) => return self.touched(&verified, path),
            (Decision::HoldUnsigned, _) => {
                self.counts.held += 1;
                let (identity, proofs) = (verified.identity().clone(), verified.proofs().to_vec());
                self.store(verified, None, true)?;
                self.finding(|frame| frame.unsigned(&key, &identity, &proofs))?;
            }
            (Decision::Hold, Some(first)) => {
                self.counts.held += 1;
                let (identity, newcomer) = (verified.identity().clone(), verified.sha256());
                self.store(verified, None, true)?;
                self.finding(|frame| frame.write_once_changed(&key, &identity, &first, newcomer))?;
            }
            (Decision::Replace { rerun }, standing) => {
                if rerun {
                    self.fact(Fact::Event(words::replaced_within_a_day(&key, now)));
                }
                self.store(verified, standing.as_ref(), false)?;
            }
            (Decision::First | Decision::Hold, standing) => {
                self.store(verified, standing.as_ref(), false)?;
            }
        }
        Ok(())
    }

    pub(super) fn store(
        &mut self,
        verified: Verified,
        standing: Option<&crate::object::Known>,
        hold: bool,
    ) -> Result<()> {
        self.disputes(&verified)?;
        self.look_at(&verified)?;
        self.signs_late(&verified)?;
        self.weigh(&verified);
        if hold {
            return self.put_in_history(verified, State::Held);
        }
        self.olders.forget(verified.key());
        let bytes = verified.bytes();
        let (spelling, names) = self.spell(&verified)?;
        let entry = {
            for step in self.shelf.make_room(verified.key())? {
                self.push(step, 0);
            }
            Entry::Latest {
                verified,
                spelling,
                standing: standing.map(standing_of).transpose()?,
                names,
            }
        };
        self.push(entry, bytes);
        Ok(())
    }

    /// The bytes of a version lie at `path` already.
    pub(super) fn touched(&mut self, verified: &Verified, path: String) -> Result<()> {
        self.counts.touched += 1;
        self.leftovers.push(verified.staged().to_owned());
        self.fact(touch(verified, path, self.clock.now()));
        Ok(())
    }

    pub(super) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Puts a version into `history/`.
    pub(super) fn put_in_history(&mut self, verified: Verified, state: State) -> Result<()> {
        let bytes = verified.bytes();
        let (spelling, names) = self.spell(&verified)?;
        let entry = Entry::History {
            verified,
            spelling,
            state,
            names,
        };
        self.push(entry, bytes);
        Ok(())
    }

    /// Counts a version that is about to be stored, and says how its name is spelt.
    fn spell(&mut self, verified: &Verified) -> Result<(Spelling, Vec<NameClaim>)> {
        let (spelling, names) = self.shelf.spelling(verified.key(), &self.claims)?;
        self.claims.extend(names.iter().cloned());
        self.counts.stored += 1;
        self.counts.bytes += verified.bytes();
        self.versions += 1;
        Ok((spelling, names))
    }

    /// Counts what has weaker evidence than the owner demands. What must be signed is held for that.
    fn weigh(&mut self, verified: &Verified) {
        let (key, bytes) = (verified.key(), verified.bytes());
        let weaker = self.demands.weaker(key, bytes, verified.evidence());
        if let Some(least) = weaker.filter(|least| *least != EvidenceClass::Signed) {
            let (_, objects, _) = self.weaker.get_or_insert((least, 0, key.clone()));
            *objects += 1;
        }
    }
}

fn touch(verified: &Verified, path: String, at: crate::object::Timestamp) -> Fact {
    Fact::Touch {
        key: verified.key().clone(),
        identity: verified.identity().clone(),
        answer: verified.answer().clone(),
        sha256: verified.sha256(),
        evidence: verified.evidence(),
        proofs: verified.proofs().to_vec(),
        content: verified.content().map(str::to_owned),
        path,
        in_bucket: verified.in_bucket(),
        at,
    }
}
