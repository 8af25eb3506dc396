//! The order of one run, and how things stand after it: the only room that knows them all.

mod heal;
mod series;

pub use heal::Buckets;

use crate::bucket::{Bucket, Tuning};
use crate::catalogue::{Catalogue, SourceRow};
use crate::config::{LimitsConfig, SourceConfig};
use crate::credentials::Credentials;
use crate::error::Result;
use crate::home::{Home, Shelf};
use crate::machine;
use crate::object::Clock;
use crate::outcome::{Ended, Outcome, Reporter, Stop};
use crate::pull::Pull;
use crate::watch::{self, Limits, SourceFacts, Status};
use std::sync::Arc;
use tokio::runtime::Runtime;

/// So many scrubs show how a drive does.
const SCRUBS: u32 = 5;

/// What every source's turn has in common.
pub struct Night {
    /// The network's threads.
    pub runtime: Runtime,
    /// What each source's turn may take.
    pub limits: LimitsConfig,
    /// Our clock.
    pub clock: Clock,
    /// The owner's wish to end.
    pub stop: Stop,
    /// Who is told.
    pub reporter: Arc<dyn Reporter>,
}

impl Night {
    /// Everything that a pull over `source` needs besides the store. The key is asked for now,
    /// so that a missing one is said before the bucket is asked anything.
    pub fn job(&self, source: &SourceConfig, credentials: &Credentials) -> Result<Pull> {
        let key = self.runtime.block_on(credentials.check())?;
        let tuning = machine::memory().map_or_else(Tuning::default, Tuning::for_memory);
        let tuning = tuning.within(&self.limits);
        Ok(Pull {
            key,
            source: source.clone(),
            bucket: Bucket::new(source, credentials, tuning)?,
            limits: self.limits.clone(),
            clock: self.clock.clone(),
            stop: self.stop.clone(),
            reporter: self.reporter.clone(),
        })
    }

    /// One source's turn.
    pub fn pull(&self, home: &mut Home, job: &Pull) -> Result<Outcome> {
        turn(&self.runtime, &mut home.shelf(&job.source)?, job)
    }
}

/// Brings home what is new, and looks at what came and what did not.
///
/// Series are judged by what this listing shows, and by the bucket's clock: so nothing is late
/// because no pull ran, or because our clock is wrong.
pub fn turn(runtime: &Runtime, shelf: &mut Shelf<'_>, job: &Pull) -> Result<Outcome> {
    let began = job.clock.now();
    let mut outcome = job.run(runtime, shelf)?;
    if matches!(outcome.ended, Ended::Complete | Ended::Partial) {
        let listed = began.checked_add(job.bucket.clock_ahead()).unwrap_or(began);
        let ours = job.clock.now();
        series::watch(shelf, &job.source.filter, series::Now { listed, ours })?;
        outcome.head = shelf.head().head;
    }
    Ok(outcome)
}

/// How the copy stands by its catalogue, at `clock`'s now.
pub fn status(catalogue: &Catalogue, limits: &Limits, clock: &Clock) -> Result<Status> {
    let mut sources = Vec::new();
    for row in catalogue.sources()? {
        let counts = catalogue
            .counts(Some(&row.name))?
            .into_iter()
            .map(|c| (c.state, c.in_bucket, c.versions, c.bytes))
            .collect();
        let kinds = catalogue.kinds(&row.name)?.into_iter();
        let kinds = kinds.map(|k| (k.evidence, k.content, k.versions)).collect();
        let drills = catalogue.drills(&row.name)?.into_iter();
        let drills = watch::Drills::of(drills.map(|d| (d.newest, d.proven_at)));
        sources.push(SourceFacts {
            counts,
            kinds,
            scrubs: catalogue.scrubs(&row.name, SCRUBS)?,
            drills,
            ..facts(row)
        });
    }
    let open = catalogue.findings(true)?;
    let open = open.into_iter().map(|row| row.finding).collect();
    Ok(watch::judge(sources, open, limits, clock.now()))
}

/// As [`status`], with every series.
pub fn full_status(catalogue: &Catalogue, limits: &Limits, clock: &Clock) -> Result<Status> {
    let status = status(catalogue, limits, clock)?;
    let sources: Vec<_> = status.sources.iter().map(|s| s.name.clone()).collect();
    let series = series::statuses(catalogue, &sources, &catalogue.findings(true)?)?;
    Ok(Status {
        series: Some(series),
        ..status
    })
}

fn facts(row: SourceRow) -> SourceFacts {
    let end = row.last_run.as_ref().and_then(|run| run.end.as_ref());
    SourceFacts {
        last_ended: end.map(|end| end.ended.clone()),
        last_error: end.and_then(|end| end.error.clone()),
        last_run: row.last_run.as_ref().map(|run| run.start.at),
        last_complete_pull: row.last_complete_pull,
        head: row.head,
        key: row.key.map(|used| (used.key, used.first)),
        name: row.name,
        counts: Vec::new(),
        kinds: Vec::new(),
        scrubs: Vec::new(),
        drills: watch::Drills::default(),
    }
}
