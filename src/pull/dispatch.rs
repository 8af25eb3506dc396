//! Takes rows of the plan in order and keeps transfers under way, as long as that makes sense.

use super::background::Lookup;
use super::flood::Worth;
use super::plan::archived;
use super::sieve::Sieve;
use super::transfer::{Background, Fetched, Transfer};
use crate::catalogue::Catalogue;
use crate::config::LimitsConfig;
use crate::error::{Kind, Result};
use crate::formats::{self, Rank};
use crate::object::{Change, InBucket, ObjectKey, Why};
use crate::outcome::Event;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::mpsc;
use tokio::task::JoinSet;

/// Plan rows read at a time.
pub(super) const ROWS: u32 = 256;
/// So many refusals and nothing else: it is the key.
const REFUSALS: u64 = 5;
/// So many failures one after the other, and the bucket itself is asked whether it still answers.
const FAILURES: u64 = 32;

/// Takes rows of the plan and keeps transfers under way.
pub(super) struct Dispatcher {
    transfer: Transfer,
    plan: Catalogue,
    lookup: Lookup,
    tally: Arc<Tally>,
    limits: LimitsConfig,
    done: Dispatched,
    out: mpsc::Sender<Fetched>,
}

/// What transfers came to, as far as it says something about those to come.
#[derive(Default)]
struct Tally {
    /// Objects that the key may not read,
    refused: AtomicU64,
    /// and any others: then it is not the key, but those objects.
    other: AtomicU64,
    /// Failures since anything last arrived.
    failures: AtomicU64,
    /// Objects that had their turn,
    taken: AtomicU64,
    /// and their bytes.
    taken_bytes: AtomicU64,
    /// Packs and indexes of a repository that could not be fetched,
    failed_parts: AtomicU64,
    /// and the plan's rows of those that were not there any more.
    vanished_parts: Mutex<Vec<i64>>,
    /// Whether an earlier run could read something: then what it could not says nothing about
    /// the key when it is refused again.
    has_read: bool,
    /// Older versions that the key may not read,
    withheld: AtomicU64,
    /// and those that came.
    older: AtomicU64,
}

impl Tally {
    /// The object had its turn, unless that was cut short.
    fn count(&self, fetched: &Fetched, key: &ObjectKey, row: i64, bytes: u64) {
        match fetched {
            Fetched::Failed(..) if formats::is_part(key) => {
                self.failed_parts.fetch_add(1, Ordering::Relaxed);
            }
            Fetched::Passed if formats::is_part(key) => self.vanished().push(row),
            _ => {}
        }
        if !matches!(fetched, Fetched::Interrupted) {
            self.taken.fetch_add(1, Ordering::Relaxed);
            self.taken_bytes.fetch_add(bytes, Ordering::Relaxed);
        }
        match fetched {
            Fetched::Failed(_, error) if error.kind() != Kind::Store => {
                self.failures.fetch_add(1, Ordering::Relaxed);
            }
            _ => self.failures.store(0, Ordering::Relaxed),
        }
        let counter = match fetched {
            Fetched::Withheld(_) => &self.withheld,
            Fetched::Verified(verified) if verified.in_bucket() == InBucket::Noncurrent => {
                &self.older
            }
            Fetched::Unreadable(change, error) if error.kind() == Kind::Usage => {
                if self.has_read && change.why == Why::Retry {
                    return;
                }
                &self.refused
            }
            _ => &self.other,
        };
        counter.fetch_add(1, Ordering::Relaxed);
    }

    fn vanished(&self) -> MutexGuard<'_, Vec<i64>> {
        self.vanished_parts
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether the key may not read older versions.
    fn only_withheld(&self) -> bool {
        self.withheld.load(Ordering::Relaxed) >= REFUSALS && self.older.load(Ordering::Relaxed) == 0
    }

    /// Whether at least `least` objects were refused, and there were no others.
    fn only_refused(&self, least: u64) -> bool {
        self.refused.load(Ordering::Relaxed) >= least && self.other.load(Ordering::Relaxed) == 0
    }
}

/// What of the plan had its turn.
#[derive(Debug, Default)]
pub(super) struct Dispatched {
    /// How many objects.
    pub(super) objects: u64,
    /// Their bytes.
    pub(super) bytes: u64,
    /// Bytes of what was begun.
    pub(super) begun: u64,
    /// Whether one of them is larger than the budget.
    pub(super) alone: bool,
    /// Whether the run's budget ended before the plan.
    pub(super) spent: bool,
    /// Packs and indexes of a repository that could not be fetched,
    pub(super) failed_parts: u64,
    /// and the plan's rows of those that were not there any more.
    pub(super) vanished_parts: Vec<i64>,
    /// Objects that were not refused.
    pub(super) others: u64,
    /// Whether what names them waits for the next run.
    pub(super) waits: bool,
    /// Objects that are larger than the owner wants any to be: how many, their bytes,
    pub(super) oversize: (u64, u64),
    /// and the first of them.
    pub(super) first_oversize: Option<ObjectKey>,
    /// What may be fetched where there is far too much.
    pub(super) flood: Option<Worth>,
}

/// Rows of the plan that have their turn together.
#[derive(Clone, Copy, Debug)]
pub(super) struct Turn {
    /// None: older versions, of any rank.
    rank: Option<Rank>,
    after: i64,
    until: i64,
}

impl Turn {
    /// Objects of `rank` in the rows after `after`, up to and with `until`.
    pub(super) fn of(rank: Rank, after: i64, until: i64) -> Self {
        let rank = Some(rank);
        Self { rank, after, until }
    }

    /// Versions that are not the newest of their key, in the rows up to and with `until`.
    pub(super) fn older(until: i64) -> Self {
        Self {
            rank: None,
            after: 0,
            until,
        }
    }
}

/// Which of them are fetched in the same way: small ones many at once, or large ones one by one,
/// since each has the ranges, and the memory, to itself.
#[derive(Clone, Copy)]
struct Lane {
    turn: Turn,
    large: bool,
    /// Of a flood: whether what is ordinary has its turn, or the rest.
    ordinary: Option<bool>,
}

impl Lane {
    fn takes(self, change: &Change, large: u64) -> bool {
        let its_turn = match (self.turn.rank, change.in_bucket) {
            (None, in_bucket) => in_bucket == InBucket::Noncurrent,
            (Some(_), InBucket::Noncurrent) => false,
            (Some(rank), _) => formats::rank(&change.key) == rank,
        };
        its_turn && (change.identity.size >= large) == self.large
    }
}

impl Dispatcher {
    /// `plan` is a connection of its own: rows are read while groups are committed.
    pub(super) fn new(
        transfer: Transfer,
        plan: Catalogue,
        beside: Arc<Sieve>,
        has_read: bool,
        limits: LimitsConfig,
        done: Dispatched,
        out: mpsc::Sender<Fetched>,
    ) -> Self {
        let tally = Tally {
            has_read,
            ..Tally::default()
        };
        let lookup = Lookup::new(
            transfer.source.clone(),
            beside,
            transfer.witnesses.knows_keys(),
        );
        Self {
            transfer,
            plan,
            lookup,
            tally: Arc::new(tally),
            limits,
            done,
            out,
        }
    }

    /// Fetches parts of the plan, one after the other. An error means that the rest of it is not worth a try.
    pub(super) async fn run(mut self, turns: Vec<Turn>) -> Result<Dispatched> {
        let passes: &[Option<bool>] = match self.done.flood {
            Some(_) => &[Some(true), Some(false)],
            None => &[None],
        };
        for turn in turns {
            for &ordinary in passes {
                for large in [false, true] {
                    let lane = Lane {
                        turn,
                        large,
                        ordinary,
                    };
                    self.lane(lane).await?;
                }
            }
        }
        self.readable(1)?;
        let count = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        self.done.objects += count(&self.tally.taken);
        self.done.bytes += count(&self.tally.taken_bytes);
        self.done.failed_parts += count(&self.tally.failed_parts);
        self.done.others += count(&self.tally.other);
        self.done.vanished_parts.append(&mut self.tally.vanished());
        Ok(self.done)
    }

    /// Whether the owner's limits leave `change` its turn. One object that is larger than the
    /// budget has its turn in each run, or it would never come.
    fn within_limits(&mut self, change: &Change) -> bool {
        let size = match change.why {
            // Nothing is fetched.
            Why::Back => 0,
            _ if archived(change.storage_class.as_deref()) => 0,
            Why::New | Why::Changed | Why::Retry => change.identity.size,
        };
        if self.limits.max_object.is_some_and(|most| size > most) {
            self.done.failed_parts += u64::from(formats::is_part(&change.key));
            let (objects, bytes) = self.done.oversize;
            self.done.oversize = (objects + 1, bytes.saturating_add(size));
            self.done
                .first_oversize
                .get_or_insert_with(|| change.key.clone());
            return false;
        }
        let flood = self.done.flood.as_ref().map(|worth| worth.flood.most);
        let Some(most) = self.limits.max_bytes.into_iter().chain(flood).min() else {
            return true;
        };
        let sum = self.done.begun.saturating_add(size);
        let alone = size > most && !self.done.alone && flood.is_none();
        // What names others waits with whatever waits.
        let named = formats::rank(&change.key) == Rank::Data;
        if alone || (sum <= most && (named || !self.done.spent)) {
            self.done.begun = sum;
            self.done.alone |= alone;
            return true;
        }
        self.done.spent = true;
        false
    }

    /// An error when at least `refusals` objects were refused and there were no others.
    fn readable(&self, refusals: u64) -> Result<()> {
        match self.done.others == 0 && self.tally.only_refused(refusals) {
            true => Err(self.transfer.bucket.not_allowed_to_read()),
            false => Ok(()),
        }
    }

    /// An error when transfers fail one after the other and the listing fails too. Objects that
    /// a server has lost can lie side by side, and what comes after them must have its turn; a
    /// dead line must not cost every object of a long plan all its tries.
    async fn reachable(&mut self) -> Result<()> {
        if self.tally.failures.load(Ordering::Relaxed) < FAILURES {
            return Ok(());
        }
        let mut listing = self.transfer.bucket.list();
        let page = tokio::select! {
            page = listing.next() => page.map(drop),
            () = self.transfer.stop.wait() => Ok(()),
        };
        self.tally.failures.store(0, Ordering::Relaxed);
        page
    }

    // `&mut`, because SQLite's connection can be moved between threads and not shared.
    async fn lane(&mut self, lane: Lane) -> Result<()> {
        let tuning = self.transfer.bucket.tuning();
        let (at_once, large) = (
            if lane.large { 1 } else { tuning.at_once.max(1) },
            tuning.large,
        );
        let mut tasks = JoinSet::new();
        let Turn {
            mut after, until, ..
        } = lane.turn;
        'plan: loop {
            let rows = self.plan.plan_take(&self.transfer.source, after, ROWS)?;
            let Some((last, _)) = rows.last() else {
                break;
            };
            after = *last;
            for (row, change) in rows {
                if row > until {
                    break 'plan;
                }
                if !lane.takes(&change, large) {
                    continue;
                }
                if let Some((ordinary, worth)) = lane.ordinary.zip(self.done.flood.as_mut())
                    && !worth.has_turn(
                        &self.plan,
                        &self.transfer.source,
                        (row, &change),
                        ordinary,
                    )?
                {
                    continue;
                }
                if tasks.len() >= at_once {
                    self.one_ends(&mut tasks).await;
                }
                if self.out.is_closed() {
                    return Ok(());
                }
                // Not dropped with the set: what is complete by now is recorded.
                if self.transfer.stop.requested() {
                    break 'plan;
                }
                if !self.within_limits(&change) {
                    continue;
                }
                self.readable(REFUSALS)?;
                if lane.turn.rank.is_none() && self.tally.only_withheld() {
                    break 'plan;
                }
                self.reachable().await?;
                let background = self.lookup.of(&self.plan, &change)?;
                tasks.spawn(self.one(row, change, background));
            }
        }
        // A stop ends the transfers themselves; without a taker they are dropped with the set.
        while !tasks.is_empty() && !self.out.is_closed() {
            self.one_ends(&mut tasks).await;
        }
        Ok(())
    }

    /// Waits until a transfer ends, or until nobody takes what they bring.
    async fn one_ends(&mut self, tasks: &mut JoinSet<()>) {
        tokio::select! {
            _ = tasks.join_next() => {}
            () = self.out.closed() => {}
        }
    }

    /// One object's transfer, as a task of its own.
    fn one(
        &self,
        row: i64,
        change: Change,
        background: Background,
    ) -> impl Future<Output = ()> + Send + 'static {
        let (transfer, out, tally) = (self.transfer.clone(), self.out.clone(), self.tally.clone());
        async move {
            let (key, bytes) = (change.key.clone(), change.identity.size);
            let fetched = transfer.fetch(change, background).await;
            tally.count(&fetched, &key, row, bytes);
            transfer.reporter.report(&Event::Finished(&key));
            // A closed channel means that the drive failed: that is said elsewhere.
            let _ = out.send(fetched).await;
        }
    }
}
