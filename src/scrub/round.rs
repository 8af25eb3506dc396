//! The reading of one run: file after file, those first that were read least recently.

use super::{Damaged, Expected, Fault, Found, Ground, NAMED, Scrub, below, judge};
use crate::catalogue::{Catalogue, ToCheck};
use crate::error::Result;
use crate::object::{SourceName, State, Timestamp};
use crate::outcome::Event;
use crate::store::{Ahead, Reader};
use std::collections::{HashSet, VecDeque};
use std::time::{Duration, Instant};

/// So many files are brought while another is read.
const AHEAD: usize = 8;
/// Rows read at a time.
const ROWS: u32 = 256;
/// So many files are noted together as checked, since each time costs a sync,
const MARKED: usize = 10_000;
/// or this long after those before: what is read again after a run that was killed.
const MARKED_AFTER: Duration = Duration::from_secs(5);
/// How often it is looked whether somebody waits for the store.
const LOOK: Duration = Duration::from_millis(500);
/// So much damage is named and healed in one run: a drive that has more is dying, and is not read to
/// its end.
const MOST: usize = 10_000;
/// Why the reading stopped.
pub(super) enum Pause {
    /// It has come to its end.
    Over,
    /// Somebody waits for the store.
    Wanted,
}

/// The reading of one run.
pub(super) struct Round<'r> {
    scrub: &'r Scrub<'r>,
    began: Instant,
    /// What is read in this run bears this time.
    at: Timestamp,
    pub(super) found: &'r mut Found,
    /// Files that are right, their bytes,
    whole: u64,
    taken: u64,
    /// and the time that damaged ones took, or others that had the store.
    in_vain: Duration,
    /// Files that are right, and not noted as such yet.
    right: Vec<(SourceName, String)>,
    marked: Instant,
    /// When it was looked for somebody who waits.
    looked: Option<Instant>,
    /// Paths that are not: versions may share one.
    bad: HashSet<String>,
}

impl<'r> Round<'r> {
    pub(super) fn new(scrub: &'r Scrub<'r>, found: &'r mut Found) -> Self {
        Self {
            scrub,
            began: Instant::now(),
            at: scrub.clock.now(),
            found,
            whole: 0,
            taken: 0,
            in_vain: Duration::ZERO,
            right: Vec::new(),
            marked: Instant::now(),
            looked: None,
            bad: HashSet::new(),
        }
    }

    /// Reads until the end, or until somebody waits for the store; what is right is noted.
    pub(super) fn files(&mut self, ground: &mut Ground<'_>) -> Result<Pause> {
        let pause = self.pages(ground)?;
        self.mark(ground)?;
        Ok(pause)
    }

    fn pages(&mut self, ground: &mut Ground<'_>) -> Result<Pause> {
        let mut after = None;
        loop {
            let rows = ground.catalogue().to_check(after, self.at, ROWS)?;
            let Some(last) = rows.last() else {
                self.found.complete = true;
                return Ok(Pause::Over);
            };
            after = Some(last.place);
            let rows = self.unread(rows);
            let bring = |ground: &Ground<'_>, row: &ToCheck| {
                let path = row.version.path.as_deref()?;
                ground.reader().ahead(path)
            };
            let mut brought: VecDeque<_> = rows
                .iter()
                .take(AHEAD)
                .map(|row| bring(ground, row))
                .collect();
            for (number, row) in rows.iter().enumerate() {
                let ahead = brought.pop_front().flatten();
                brought.extend(rows.get(number + AHEAD).map(|row| bring(ground, row)));
                if self.is_over() || !self.file(ground, row, ahead)? {
                    return Ok(Pause::Over);
                }
                if self.is_wanted(ground)? {
                    return Ok(Pause::Wanted);
                }
            }
        }
    }

    /// Those of the rows whose files were not read in this run. A file that several versions share is
    /// read once.
    fn unread(&self, rows: Vec<ToCheck>) -> Vec<ToCheck> {
        let mut seen = HashSet::new();
        let mut rows = rows;
        rows.retain(|row| {
            let path = row.version.path.as_ref();
            path.is_some_and(|path| !self.bad.contains(path) && seen.insert(path.clone()))
                && row.checked_at() != Some(self.at)
        });
        rows
    }

    fn is_wanted(&mut self, ground: &Ground<'_>) -> Result<bool> {
        if self.looked.is_some_and(|at| at.elapsed() < LOOK) {
            return Ok(false);
        }
        self.looked = Some(Instant::now());
        match ground {
            Ground::Home(home) => home.is_wanted(),
            Ground::Alone(..) => Ok(false),
        }
    }

    /// Others had the store for so long: what they moved or replaced is read where it is now.
    pub(super) fn go_on(&mut self, catalogue: &Catalogue, lent: Duration) -> Result<()> {
        self.in_vain = self.in_vain.saturating_add(lent);
        let mut done = Ok(());
        let (bad, at) = (&mut self.bad, self.at);
        self.found.damaged.retain_mut(|one| {
            match done.is_ok().then(|| catalogue.still_to_check(&one.version)) {
                // They may have healed it, too.
                Some(Ok(Some(row))) if row.right_at().is_none_or(|right| right <= at) => {
                    one.sums_at = row.sums_at;
                    one.version = row.version;
                    true
                }
                Some(Ok(_)) => {
                    bad.remove(&one.path);
                    false
                }
                Some(Err(error)) => {
                    done = Err(error);
                    true
                }
                None => true,
            }
        });
        done
    }

    /// The time that what is right took.
    pub(super) fn took(&self) -> Duration {
        self.began.elapsed().saturating_sub(self.in_vain)
    }

    /// Whether what may be taken is.
    fn is_over(&mut self) -> bool {
        if self.scrub.stop.requested() {
            self.found.interrupted = true;
            return true;
        }
        if self.found.damaged.len() >= MOST {
            self.found.given_up = true;
            return true;
        }
        let limits = self.scrub.limits;
        // One is always read, and a thirtieth is never less than that.
        self.whole > 0
            && (limits.bytes.is_some_and(|most| self.taken >= most)
                || limits.time.is_some_and(|most| self.took() >= most))
    }

    /// Reads one file; whether to go on.
    fn file(
        &mut self,
        ground: &mut Ground<'_>,
        row: &ToCheck,
        ahead: Option<Ahead>,
    ) -> Result<bool> {
        let version = &row.version;
        let (Some(path), Some(sha256)) = (&version.path, version.sha256) else {
            return Ok(true);
        };
        let scrub = self.scrub;
        let begun = Instant::now();
        let mut bytes = 0;
        let read = ground.reader().read_medium(path, ahead, &mut |piece| {
            bytes += piece;
            scrub.reporter.report(&Event::Bytes(piece));
            !scrub.stop.requested()
        })?;
        let expected = Expected {
            sha256,
            bytes: (version.state != State::Quarantined).then_some(version.identity.size),
            right_at: row.right_at(),
        };
        let Some(verdict) = judge(&expected, &read) else {
            self.found.interrupted = true;
            return Ok(false);
        };
        self.count(&version.source, bytes);
        scrub.reporter.report(&Event::Finished(&version.key));
        let verdict = match verdict {
            // Sums that cannot be read vouch for nothing; the file itself was read.
            Ok(_) if !sums_agree(ground.reader(), row, path).unwrap_or(false) => Err(Fault::Line),
            verdict => verdict,
        };
        if let Err(fault) = &verdict {
            self.damaged(row, path, fault.clone());
        }
        if let Err(fault) = &verdict
            && *fault != Fault::Line
        {
            self.in_vain = self.in_vain.saturating_add(begun.elapsed());
            return Ok(true);
        }
        if let Ok(Some(note)) = verdict
            && self.found.notes.len() < NAMED
        {
            self.found.notes.push((path.clone(), note.to_string()));
        }
        self.whole += 1;
        self.taken += bytes;
        let source = SourceName::new(version.source.as_str())?;
        let below = below(version, path).to_owned();
        self.right.push((source, below));
        if self.right.len() >= MARKED || self.marked.elapsed() >= MARKED_AFTER {
            self.mark(ground)?;
        }
        Ok(true)
    }

    fn count(&mut self, source: &str, bytes: u64) {
        self.found.files += 1;
        self.found.bytes += bytes;
        let by_source = &mut self.found.by_source;
        match by_source.iter_mut().find(|(name, ..)| name == source) {
            Some((_, files, sum)) => {
                *files += 1;
                *sum += bytes;
            }
            None => by_source.push((source.to_owned(), 1, bytes)),
        }
    }

    fn damaged(&mut self, row: &ToCheck, path: &str, fault: Fault) {
        self.bad.insert(path.to_owned());
        self.found.damaged.push(Damaged {
            version: row.version.clone(),
            path: path.to_owned(),
            sums_at: row.sums_at,
            right_at: row.right_at().filter(|at| *at <= self.at),
            fault,
            healed: None,
            unhealed: Vec::new(),
        });
    }

    /// Notes what is right. What is not has no mark, and comes first in the next run.
    fn mark(&mut self, ground: &mut Ground<'_>) -> Result<()> {
        self.marked = Instant::now();
        let right = std::mem::take(&mut self.right);
        match ground {
            Ground::Home(home) if !right.is_empty() => home.set_checked(&right, self.at),
            Ground::Home(_) | Ground::Alone(..) => Ok(()),
        }
    }
}

/// Whether the file's line in the sums says what is recorded, where it is known which one that is.
fn sums_agree(reader: &Reader, row: &ToCheck, path: &str) -> Result<bool> {
    let (Some(at), Some(sha256)) = (row.sums_at, row.version.sha256) else {
        return Ok(true);
    };
    reader.sums_say(&row.version.source, below(&row.version, path), at, sha256)
}
