//! A second full store that follows the first: what the first one's journal says happens here too,
//! with this drive's own names, journal and catalogue, at the times that it happened there.
//!
//! Nothing is taken away because the first store lost it: not by a rule, not by rot, not by hand.
//! The first store is only read. Its bytes are read once, while they are copied; they are read back
//! from this drive before the journal speaks of them. By then they have no name yet: a file that
//! reads back otherwise never gets one, and giving a name does not move bytes.
//!
//! How far the first one's journal is followed is recorded with the last group that was taken
//! whole, so that a crash passes over nothing: what of a group was done before it is met again and
//! changes nothing.

mod again;
mod batch;
mod bytes;
mod follow;
mod step;

use crate::catalogue::{Catalogue, SourceRow};
use crate::error::{Error, Kind, Result};
use crate::home::{Home, PROGRAM, Shelf};
use crate::object::{
    Clock, Fact, Followed, JournalPosition, ObjectKey, RunCounts, RunEnd, RunStart, Sha256,
    SourceName, Timestamp,
};
use crate::outcome::{Ended, Event, Reporter, Stop};
use crate::store::Reader;
use batch::Batch;
use follow::Follow;

/// The store that is followed, and how.
pub struct Mirror<'m> {
    /// It.
    pub first: &'m Reader,
    /// What it has.
    pub catalogue: &'m Catalogue,
    /// Our clock.
    pub clock: &'m Clock,
    /// The owner's wish to end.
    pub stop: &'m Stop,
    /// Hears how it goes on.
    pub reporter: &'m dyn Reporter,
}

/// What following one source came to.
#[derive(Debug)]
pub struct Mirrored {
    /// Which source.
    pub source: SourceName,
    /// How it ended.
    pub ended: Ended,
    /// What was done.
    pub counts: RunCounts,
    /// The head of the first store's journal, as far as it is followed; none where it has none.
    pub head: Option<Sha256>,
}

/// A version that the first store has not whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lack {
    /// The source.
    pub source: SourceName,
    /// The object's key.
    pub key: ObjectKey,
    /// SHA-256 of its bytes, where it is known.
    pub sha256: Option<Sha256>,
    /// What is wrong with it there.
    pub why: String,
    /// Whether the mirror has it.
    pub here: bool,
}

impl Mirror<'_> {
    /// Whether the mirror follows this store, and its journal is the one that was followed.
    fn check(&self, shelf: &Shelf<'_>) -> Result<Option<JournalPosition>> {
        let name = shelf.name();
        let Some((store, at)) = shelf.catalogue().followed_to(name)? else {
            return Ok(None);
        };
        let (here, first) = (shelf.store().path().display(), self.first.path().display());
        if store != self.first.marker().id {
            let what = format!("{here} is a mirror of store {store}, and {first} is another one");
            return Err(Error::new(Kind::Store, what).hint(
                "name the store that it follows, or an empty folder for a mirror of this one",
            ));
        }
        if self.first.was_at(name, &at)? {
            return Ok(Some(at));
        }
        let what = format!(
            "the journal of {name} in {first} is not the one that the mirror followed: it has no group that ends at byte {} of run {} with the head {}. It was rewritten or lost its end, which offsite never does: perhaps somebody tampered with it",
            at.offset, at.run, at.head
        );
        Err(Error::new(Kind::Damaged, what).hint(
            "the mirror is left as it is. `offsite log --verify` looks at the journal; `restore --store` with the mirror's folder gets everything back; for a mirror of what the first store has now, name an empty folder",
        ))
    }

    /// Follows one source; each version that the first store has not whole goes to `each`.
    ///
    /// # Errors
    /// What ends it: a drive that went away or is full, a journal that was rewritten. What was
    /// copied and recorded before stays.
    pub fn run(
        &self,
        home: &mut Home,
        source: &SourceRow,
        each: &mut dyn FnMut(&Lack) -> Result<()>,
    ) -> Result<Mirrored> {
        self.reporter.report(&Event::Source(&source.name));
        let now = self.clock.now();
        let mut shelf = home.shelf_of(&source.name)?;
        shelf.incoming().sweep(LEFTOVERS, now)?;
        let after = self.check(&shelf)?;
        let Some(until) = self.catalogue.position(&source.name)? else {
            return Ok(Mirrored {
                source: source.name.clone(),
                ended: Ended::Complete,
                counts: RunCounts::default(),
                head: None,
            });
        };
        self.announce(&shelf)?;
        let begin = self.begin(source, now);
        let batch = Batch::new(&mut shelf, begin, after.clone())?;
        let mut follow = Follow::new(self, batch, each);
        let came_to = follow.whole(after.as_ref(), &until);
        let (ended, error) = match &came_to {
            Ok(true) if follow.counts().failed > 0 => (Ended::Partial.as_str(), None),
            Ok(true) => (Ended::Complete.as_str(), None),
            Ok(false) => (Ended::Interrupted.as_str(), None),
            Err(error) => ("failed", Some(error.to_string())),
        };
        let end = Fact::RunEnd(RunEnd {
            at: self.clock.now(),
            ended: ended.to_owned(),
            error,
            counts: follow.counts(),
        });
        let recorded = follow.end(end);
        // The failure itself says more than that it could not be recorded.
        let through = came_to?;
        let (counts, head) = recorded?;
        Ok(Mirrored {
            source: source.name.clone(),
            ended: match through {
                true if counts.failed > 0 => Ended::Partial,
                true => Ended::Complete,
                false => Ended::Interrupted,
            },
            counts,
            head,
        })
    }

    /// The run's first line, and what is recorded of the first store in its last ones.
    fn begin(&self, source: &SourceRow, now: Timestamp) -> (Fact, Followed) {
        let start = Fact::RunStart(RunStart {
            at: now,
            command: "mirror".to_owned(),
            program: PROGRAM.to_owned(),
            key: None,
            bucket: Some(source.bucket.clone()),
            prefix: Some(source.prefix.clone()),
        });
        let first = Followed {
            store: self.first.marker().id.clone(),
            run: 0,
            offset: 0,
            head: Sha256([0; 32]),
            pulled: source.last_complete_pull,
            at: now,
        };
        (start, first)
    }

    /// Says about how much there is to copy: what the first store has more than the mirror.
    /// Refuses what there is no room for before hours are spent on it.
    fn announce(&self, shelf: &Shelf<'_>) -> Result<()> {
        let sum = |catalogue: &Catalogue| -> Result<(u64, u64)> {
            let counts = catalogue.counts(Some(shelf.name()))?;
            let sum = |(versions, bytes), row: &crate::catalogue::Count| match row.bytes {
                0 => (versions, bytes),
                _ => (versions + row.versions, bytes + row.bytes),
            };
            Ok(counts.iter().fold((0_u64, 0_u64), sum))
        };
        let (there, here) = (sum(self.catalogue)?, sum(shelf.catalogue())?);
        let bytes = there.1.saturating_sub(here.1);
        self.reporter.report(&Event::Planned {
            objects: there.0.saturating_sub(here.0),
            bytes,
        });
        shelf.store().space().reserve(bytes).map(drop)
    }
}

/// Copies that nothing went on with for so long are removed, in days.
const LEFTOVERS: u16 = 7;
