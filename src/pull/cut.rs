//! A consistent cut: what names other objects comes home only when those are here.
//!
//! A bucket changes while it is listed and fetched. Of a restic repository a listing can show a
//! snapshot whose packs were written after their page was asked for, and a prune can name blobs in
//! new packs and a new index, and then take the old ones away. So packs come first, and the bucket
//! is listed again, until a listing shows no index that the one before did not, and nothing that
//! was to be fetched is gone:
//!
//! - What an index of the listing before names was written before it: this listing shows it.
//! - What a snapshot of the first listing needs is named by the indexes of any later one.
//!
//! Then those indexes come, and those snapshots. What is newer waits for the next run; all of them
//! wait where the bucket changes on and on, or a pack could not be fetched.

use super::Pull;
use super::dispatch::{Dispatched, Turn};
use super::flood::{Flood, Worth};
use super::group::Group;
use super::list::{By, Listing};
use crate::error::Result;
use crate::formats::{self, Rank};
use crate::outcome::Event;
use tokio::runtime::Runtime;

/// So often a bucket is listed in one run at most: somebody who writes to it all the time must not
/// keep it going.
const LISTINGS: u32 = 5;

impl Pull {
    /// Fetches the plan in an order that leaves a consistent cut.
    pub(super) fn fetch(
        &self,
        runtime: &Runtime,
        group: &mut Group<'_, '_>,
        listing: &Listing,
        flood: Option<Flood>,
    ) -> Result<Dispatched> {
        let sieve = &listing.beside;
        let mut done = Dispatched {
            flood: flood.map(Worth::new),
            ..Dispatched::default()
        };
        let mut first = self.last_row(group)?;
        let all = [Rank::Data, Rank::Index, Rank::Snapshot];
        if !listing.dependants {
            let turns = all.map(|rank| Turn::of(rank, 0, first));
            self.fetch_all(runtime, group, sieve, turns.to_vec(), &mut done)?;
            return self.older(runtime, group, listing, done);
        }
        let named = Turn::of(Rank::Data, 0, first);
        self.fetch_all(runtime, group, sieve, vec![named], &mut done)?;
        let (mut before, mut indexed) = (first, 0);
        for _ in 1..LISTINGS {
            if done.failed_parts > 0 || done.spent || self.stop.requested() {
                break;
            }
            // What went away and is shown again is to be asked for again.
            let vanished = std::mem::take(&mut done.vanished_parts);
            group.shelf().planner()?.plan_forget(&vanished)?;
            // Their numbers are given out again.
            let last = self.last_row(group)?;
            (first, before, indexed) = (first.min(last), before.min(last), indexed.min(last));
            if !self.list_again(runtime, group, listing)? {
                break;
            }
            let now = self.last_row(group)?;
            let named = Turn::of(Rank::Data, before, now);
            self.fetch_all(runtime, group, sieve, vec![named], &mut done)?;
            if is_settled(&done) && !self.has_index(group, before)? {
                let indexes = Turn::of(Rank::Index, indexed, before);
                self.fetch_all(runtime, group, sieve, vec![indexes], &mut done)?;
                indexed = before;
                if is_settled(&done) {
                    let snapshots = Turn::of(Rank::Snapshot, 0, first);
                    self.fetch_all(runtime, group, sieve, vec![snapshots], &mut done)?;
                    return self.older(runtime, group, listing, done);
                }
            }
            before = now;
        }
        done.waits = true;
        if done.spent || self.stop.requested() {
            return Ok(done);
        }
        self.reporter.report(&Event::Trouble(
            "the repository changes, or parts of it cannot be fetched: its new snapshots wait for the next run",
        ));
        self.older(runtime, group, listing, done)
    }

    /// Fetches at last what is no longer, or never was, the newest of its key.
    fn older(
        &self,
        runtime: &Runtime,
        group: &mut Group<'_, '_>,
        listing: &Listing,
        mut done: Dispatched,
    ) -> Result<Dispatched> {
        if listing.by == By::Versions && !done.spent && !self.stop.requested() {
            let turn = Turn::older(self.last_row(group)?);
            self.fetch_all(runtime, group, &listing.beside, vec![turn], &mut done)?;
        }
        Ok(done)
    }

    fn last_row(&self, group: &mut Group<'_, '_>) -> Result<i64> {
        group.shelf().catalogue().plan_last(&self.source.name)
    }

    /// Whether an index is planned after row `after`.
    fn has_index(&self, group: &mut Group<'_, '_>, mut after: i64) -> Result<bool> {
        loop {
            let shelf = group.shelf();
            let rows =
                shelf
                    .catalogue()
                    .plan_take(&self.source.name, after, super::dispatch::ROWS)?;
            let Some((last, _)) = rows.last() else {
                return Ok(false);
            };
            after = *last;
            let is_index = |key| formats::rank(key) == Rank::Index;
            if rows.iter().any(|(_, change)| is_index(&change.key)) {
                return Ok(true);
            }
        }
    }
}

/// Whether everything that was to be fetched in the last turns came.
fn is_settled(done: &Dispatched) -> bool {
    done.failed_parts == 0 && done.vanished_parts.is_empty() && !done.spent
}
