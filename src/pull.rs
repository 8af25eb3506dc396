//! One source's pull: list, plan, fetch, prove, place, record.
//!
//! 1. The listing is joined, page by page, with the rows known for its keys; what differs is
//!    staged in the `plan` table, what did not change costs one bit (`seen`).
//! 2. What the listing does not show is gone only when a HEAD says so (`gone`); whether its series lets
//!    it go, or somebody took it away, is judged before that is recorded (`vanished`; of older versions
//!    `purged`). Whether what is locked stays so is looked at with a few HEADs (`locks`).
//! 3. The plan is fetched, a flood after what is ordinary (`flood`), what names other objects last (`cut`): small objects many at once,
//!    large ones in parallel ranges (`transfer`).
//!    What lies beside an object and says something of its bytes is read first (`beside`).
//! 4. A thread of its own decides where proven bytes belong (`decide`) and commits them by the
//!    group (`group`).
//!
//! The bytes of what is planned may also lie on this computer already, where another tool put
//! them: `adopt` goes the same way with them.

mod adopt;
mod again;
mod arrivals;
mod background;
mod beside;
mod clock;
mod cut;
mod decide;
mod dispatch;
mod flood;
mod gone;
mod group;
mod late;
mod lifecycle;
mod list;
mod locks;
mod lost;
mod older;
mod plan;
mod purged;
mod seen;
mod sieve;
mod sink;
mod transfer;
mod vanished;
mod versioning;
mod words;

use crate::bucket::Bucket;
use crate::catalogue::PlanTotals;
use crate::config::{LimitsConfig, SourceConfig};
use crate::error::{Error, Kind, Result};
use crate::home::{PROGRAM, Shelf};
use crate::object::{Change, Clock, Fact, KeyPrint, RunEnd, RunStart, State};
use crate::outcome::{Ended, Event, Left, Outcome, Reporter, Stop};
use arrivals::Arrivals;
use beside::Witnesses;
use dispatch::{Dispatched, Dispatcher, ROWS, Turn};
use group::Group;
use jiff::SignedDuration;
use sieve::Sieve;
use std::sync::Arc;
use tokio::runtime::Runtime;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use transfer::Transfer;

pub use adopt::{Adopt, Adopted, Found, Stays};
pub use again::NotAgain;
pub use decide::RERUN;

/// What a pull needs besides the store.
#[derive(Clone)]
pub struct Pull {
    /// Which source.
    pub source: SourceConfig,
    /// Its bucket.
    pub bucket: Bucket,
    /// The key that the bucket is read with.
    pub key: KeyPrint,
    /// What the run may take.
    pub limits: LimitsConfig,
    /// Our clock.
    pub clock: Clock,
    /// The owner's wish to end.
    pub stop: Stop,
    /// Who is told.
    pub reporter: Arc<dyn Reporter>,
}

/// What a pull would do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DryRun {
    /// Objects it would fetch.
    pub objects: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Requests it would send for them.
    pub requests: u64,
}

/// Farther off, and one of the two clocks is wrong: a third of what S3 still accepts.
const CLOCK_OFF: SignedDuration = SignedDuration::from_mins(5);
/// Proven objects waiting to be committed; more make the transfers wait. As many as a group has:
/// while a slow drive syncs one, the next is fetched.
const WAITING: usize = 1000;

impl Pull {
    /// Brings what is new in the bucket home.
    ///
    /// An error means that the run failed as a whole (the listing, the drive); it is recorded in
    /// the journal too, if the drive still takes it.
    pub fn run(&self, runtime: &Runtime, shelf: &mut Shelf<'_>) -> Result<Outcome> {
        self.recorded("pull", shelf, |group| self.go(runtime, group))
    }

    /// Does `work` and records it as a run of `command`, however it ends.
    fn recorded(
        &self,
        command: &'static str,
        shelf: &mut Shelf<'_>,
        work: impl FnOnce(&mut Group<'_, '_>) -> Result<(Ended, Option<Left>)>,
    ) -> Result<Outcome> {
        self.reporter.report(&Event::Source(&self.source.name));
        let before = self.bucket.requests();
        let found = |kind| shelf.catalogue().ever_found(&self.source.name, kind);
        if found(words::OPAQUE_ETAGS)? {
            self.bucket.distrust_etags();
        }
        let (start, arrivals) = (self.start(command), Arrivals::new(self.source.encryption));
        let mut group = Group::new(shelf, &self.clock, &*self.reporter, start, arrivals)?;
        group.demands = self.source.demands.clone();
        // Before the run: after it the drive may be another one.
        clock::say(&mut group)?;
        let result = work(&mut group);
        group.counts.requests = self.bucket.requests() - before;
        // Saying reads what was said before, and the drive may be another one by now.
        if result.is_ok() || group.shelf().store().still_there().is_ok() {
            self.say_what_showed(&mut group)?;
        }
        if result.is_ok() {
            group.say_the_rest()?;
        }
        let (ended, error) = match &result {
            Ok((ended, _)) => (ended.as_str(), None),
            Err(error) => ("failed", Some(error.to_string())),
        };
        group.fact(Fact::RunEnd(RunEnd {
            at: self.clock.now(),
            ended: ended.to_owned(),
            error,
            counts: group.counts,
        }));
        let recorded = group.commit();
        let (counts, failure) = (group.counts, group.first_failure.take());
        // The failure itself says more than that it could not be recorded.
        let (ended, left) = result?;
        recorded?;
        Ok(Outcome {
            source: self.source.name.clone(),
            ended,
            counts,
            left,
            failure,
            open_alarms: shelf.catalogue().open_alarms()?,
            head: shelf.head().head,
        })
    }

    /// Says what showed on the way, however far the run came.
    fn say_what_showed(&self, group: &mut Group<'_, '_>) -> Result<()> {
        let ahead = self.bucket.clock_ahead();
        if ahead.abs() > CLOCK_OFF {
            group.finding(|frame| frame.clock(ahead))?;
        }
        if let Some((least, objects, key)) = group.weaker.take() {
            group.finding(|frame| frame.weaker_evidence(least, objects, &key))?;
        }
        if let Some(key) = self.bucket.belied() {
            group.finding(|frame| frame.opaque_etags(key))?;
        }
        Ok(())
    }

    /// Lists and plans, and hands each planned change to `each`; fetches and records nothing.
    pub fn dry_run(
        &self,
        runtime: &Runtime,
        shelf: &mut Shelf<'_>,
        each: &mut dyn FnMut(&Change) -> Result<()>,
    ) -> Result<DryRun> {
        self.reporter.report(&Event::Source(&self.source.name));
        let clock = self.clock.clone();
        let (start, arrivals) = (self.start("pull"), Arrivals::new(self.source.encryption));
        let mut group = Group::new(shelf, &clock, &*self.reporter, start, arrivals)?;
        group.dry = true;
        if self.list(runtime, &mut group)?.is_none() {
            shelf.planner()?.plan_clear(&self.source.name)?;
            return Err(Error::new(
                Kind::Interrupted,
                "the listing was not finished",
            ));
        }
        let tuning = self.bucket.tuning();
        let mut sum = DryRun::default();
        let mut after = 0;
        loop {
            let rows = shelf
                .catalogue()
                .plan_take(&self.source.name, after, ROWS)?;
            let Some((last, _)) = rows.last() else {
                break;
            };
            after = *last;
            let most = self.limits.max_object.unwrap_or(u64::MAX);
            for (_, change) in rows.iter().filter(|(_, c)| c.identity.size <= most) {
                each(change)?;
                sum.objects += 1;
                sum.bytes += change.identity.size;
                sum.requests += match change.identity.size {
                    size if size >= tuning.large => 1 + size.div_ceil(tuning.range.max(1)),
                    _ => 1,
                };
            }
        }
        shelf.planner()?.plan_clear(&self.source.name)?;
        Ok(sum)
    }

    /// The run's first line in the journal.
    fn start(&self, command: &str) -> RunStart {
        RunStart {
            at: self.clock.now(),
            command: command.to_owned(),
            program: PROGRAM.to_owned(),
            key: Some(self.key.clone()),
            bucket: Some(self.source.bucket.clone()),
            prefix: Some(self.source.filter.prefix().to_owned()),
        }
    }

    fn go(&self, runtime: &Runtime, group: &mut Group<'_, '_>) -> Result<(Ended, Option<Left>)> {
        let Some(listing) = self.list(runtime, group)? else {
            let why = self.why_left();
            let left = Left {
                objects: 0,
                bytes: 0,
                why,
            };
            return Ok((Ended::Interrupted, Some(left)));
        };
        let filter = &self.source.filter;
        gone::confirm(
            runtime,
            &self.bucket,
            filter,
            &listing,
            group,
            self.clock.now(),
            &self.stop,
        )?;
        self.look_at_locks(runtime, group, listing.by)?;
        let totals = group.shelf().catalogue().plan_totals(&self.source.name)?;
        self.reporter.report(&Event::Planned {
            objects: totals.objects,
            bytes: totals.bytes,
        });
        let done = match totals.objects {
            0 => Dispatched::default(),
            _ => {
                let flood = self.flood(group, totals)?;
                self.fetch(runtime, group, &listing, flood)?
            }
        };
        if let Some(key) = &done.first_oversize {
            group.finding(|frame| frame.oversize(key, done.oversize, self.limits.max_object))?;
        }
        let ended = if self.stop.requested() {
            Ended::Interrupted
        } else if group.counts.failed > 0 || done.spent || done.waits {
            Ended::Partial
        } else {
            Ended::Complete
        };
        let left = match done.spent || self.stop.requested() {
            true => self.left(
                group.shelf().catalogue().plan_totals(&self.source.name)?,
                &done,
            ),
            false => None,
        };
        Ok((ended, left))
    }

    fn why_left(&self) -> &'static str {
        match (self.stop.requested(), self.stop.is_overtime()) {
            (true, true) => "max_duration",
            (true, false) => "interrupted",
            _ => "max_bytes",
        }
    }

    fn transfer(&self, shelf: &Shelf<'_>) -> Transfer {
        Transfer {
            source: self.source.name.clone(),
            bucket: self.bucket.clone(),
            incoming: shelf.incoming(),
            space: shelf.store().space(),
            clock: self.clock.clone(),
            stop: self.stop.clone(),
            reporter: self.reporter.clone(),
            witnesses: Witnesses::new(self.bucket.clone(), self.source.demands.clone()),
        }
    }

    /// What of the plan is for the next run, and what came first.
    fn left(&self, planned: PlanTotals, done: &Dispatched) -> Option<Left> {
        let (objects, bytes) = done.oversize;
        let left = Left {
            objects: planned.objects.saturating_sub(done.objects + objects),
            bytes: planned.bytes.saturating_sub(done.bytes + bytes),
            why: match done.flood {
                Some(_) if !self.stop.requested() => "flood",
                _ => self.why_left(),
            },
        };
        (left.objects > 0).then_some(left)
    }

    /// Fetches parts of the plan. Transfers run on the runtime; this thread commits.
    fn fetch_all(
        &self,
        runtime: &Runtime,
        group: &mut Group<'_, '_>,
        sieve: &Arc<Sieve>,
        turns: Vec<Turn>,
        done: &mut Dispatched,
    ) -> Result<()> {
        let (out, fetched) = mpsc::channel(WAITING);
        let shelf = group.shelf();
        shelf.store().still_there()?;
        let transfer = self.transfer(shelf);
        let plan = shelf.catalogue().beside()?;
        let limits = self.limits.clone();
        let has_read = has_read(shelf)?;
        let done_before = std::mem::take(done);
        let dispatcher = Dispatcher::new(
            transfer,
            plan,
            sieve.clone(),
            has_read,
            limits,
            done_before,
            out,
        );
        let dispatched = runtime.spawn(dispatcher.run(turns));
        let taken = take_all(runtime, group, fetched, &mut |group, one| group.take(one));
        let dispatched = ended(runtime, dispatched);
        taken?;
        *done = dispatched?;
        Ok(())
    }
}

/// Hands what `came` brings to `take` and commits by the group, to the end of both. An error means
/// that nothing more can be stored: what is under way is dropped with `came`.
fn take_all<T>(
    runtime: &Runtime,
    group: &mut Group<'_, '_>,
    mut came: mpsc::Receiver<T>,
    take: &mut dyn FnMut(&mut Group<'_, '_>, T) -> Result<()>,
) -> Result<()> {
    runtime.block_on(async {
        loop {
            match tokio::time::timeout(group::AGE, came.recv()).await {
                Ok(None) => return group.commit(),
                Ok(Some(one)) => take(group, one)?,
                Err(_) if group.is_due() => group.commit()?,
                Err(_) => {}
            }
        }
    })
}

/// What a task came to.
fn ended<T>(runtime: &Runtime, task: JoinHandle<Result<T>>) -> Result<T> {
    runtime.block_on(task).unwrap_or_else(|e| {
        Err(Error::new(Kind::Run, "the dispatching task ended by itself").because(e))
    })
}

/// Whether the copy has a version of the source that was fetched.
fn has_read(shelf: &Shelf<'_>) -> Result<bool> {
    let counts = shelf.catalogue().counts(Some(shelf.name()))?;
    Ok(counts.iter().any(|count| count.state == State::Stored))
}
