//! `offsite pull`

use super::progress::Progress;
use super::view::read_config;
use super::{Context, Exit, say, written};
use crate::config::{Config, SourceConfig};
use crate::credentials::Credentials;
use crate::error::{Error, Kind, Result};
use crate::home::Home;
use crate::night::Night;
use crate::object::{Clock, SourceName};
use crate::outcome::{Ended, Outcome, Stop};
use crate::report;
use std::sync::Arc;
use tokio::runtime::Runtime;

/// Bring home what is new in the buckets, prove it, file it, record it
///
/// Ctrl-C or SIGTERM finishes and records the group in hand (exit 3); a second one ends at once.
/// Either way the next run goes on where this one stopped.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Only these sources [default: all]
    #[arg(value_name = "SOURCE")]
    sources: Vec<SourceName>,
    /// Only list, and print what would be fetched
    #[arg(long)]
    dry_run: bool,
    /// With --dry-run: print one JSON object a line, the sum last
    #[arg(long, requires = "dry_run")]
    json: bool,
}

pub(super) fn run(context: &mut Context, args: Args) -> Result<Exit> {
    let config = read_config(context)?;
    let sources = config.select(&args.sources)?;
    let night = Night {
        runtime: runtime()?,
        clock: Clock::System,
        stop: stop_on_signals()?,
        reporter: Arc::new(Progress::new()),
    };
    let mut home = Home::open(&config.store, Clock::System)?;
    let mut exit = Exit::Ok;
    for source in sources {
        if night.stop.requested() {
            exit = exit.and(Exit::Partial);
            break;
        }
        let turn = match args.dry_run {
            true => dry_run(context, &mut home, &night, source, args.json),
            false => pull(context, &mut home, &night, source),
        };
        // One source that fails does not keep the others from their turn.
        exit = exit.and(turn.unwrap_or_else(|error| say(&error)));
        if exit == Exit::Store && home.store().still_there().is_err() {
            return Ok(exit);
        }
    }
    if home.catalogue().open_alarms()? > 0 {
        exit = exit.and(Exit::Alarm);
    }
    home.close()?;
    Ok(exit)
}

fn dry_run(
    context: &mut Context,
    home: &mut Home,
    night: &Night,
    source: &SourceConfig,
    json: bool,
) -> Result<Exit> {
    let job = night.job(source, &Credentials::from(&source.credentials)?)?;
    let (out, name) = (&mut context.out, &source.name);
    let sum = job.dry_run(&night.runtime, &mut home.shelf(source)?, &mut |change| {
        let line = match json {
            true => report::line(out, &report::change_json(name, change)),
            false => report::plan_line(out, change),
        };
        line.map_err(written)
    })?;
    let line = match json {
        true => report::line(out, &report::sum_json(name, sum)),
        false => report::plan_sum(out, name.as_str(), sum),
    };
    line.map_err(written)?;
    Ok(Exit::Ok)
}

fn pull(
    context: &mut Context,
    home: &mut Home,
    night: &Night,
    source: &SourceConfig,
) -> Result<Exit> {
    let job = night.job(source, &Credentials::from(&source.credentials)?)?;
    let outcome = night.pull(home, &job)?;
    report::outcome(&mut context.out, &outcome).map_err(written)?;
    if let Some(failure) = &outcome.failure {
        say(failure);
    }
    Ok(exit_of(&outcome))
}

/// The exit code that one source's outcome asks for.
fn exit_of(outcome: &Outcome) -> Exit {
    let ended = match outcome.ended {
        Ended::Complete => Exit::Ok,
        Ended::Partial | Ended::Interrupted => Exit::Partial,
    };
    let ended = match &outcome.failure {
        Some(failure) if failure.kind() == Kind::Store => ended.and(Exit::Store),
        _ => ended,
    };
    match outcome.open_alarms {
        0 => ended,
        _ => ended.and(Exit::Alarm),
    }
}

/// One thread for the network; hashing and writing have their own. A second one brings nothing
/// but a heap of its own: downloads in ranges would take half as much memory again.
pub(super) fn runtime() -> Result<Runtime> {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .max_blocking_threads(8)
        .enable_all()
        .build()
        .map_err(|e| Error::new(Kind::Run, "cannot start").because(e))
}

/// The first signal asks for an end, the second makes one: every step is safe to cut.
fn stop_on_signals() -> Result<Stop> {
    let stop = Stop::default();
    let wish = stop.clone();
    ctrlc::set_handler(move || {
        if wish.requested() {
            std::process::exit(Exit::Partial.code().into());
        }
        wish.request();
    })
    .map_err(|e| Error::new(Kind::Run, "cannot wait for signals").because(e))?;
    Ok(stop)
}

/// The same for other commands that take long.
pub(super) fn stoppable() -> Result<Stop> {
    stop_on_signals()
}

/// The sources of a configuration, for those who need no more of it.
pub(super) fn source_names(config: &Config) -> Vec<SourceName> {
    config.sources.iter().map(|s| s.name.clone()).collect()
}
