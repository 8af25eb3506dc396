//! `offsite pull`

use super::progress::Progress;
use super::turn::open_in_turn;
use super::view::{limits, read_config};
use super::{Context, Exit, say, warn, written};
use crate::config::{Config, SourceConfig, Timetable};
use crate::credentials::Credentials;
use crate::error::{Error, Kind, Result};
use crate::home::Home;
use crate::night::{self, Night};
use crate::notify::{Course, Message, Notifier, Turn};
use crate::object::{Clock, EvidenceClass, SourceName};
use crate::outcome::{Ended, Outcome, Stop};
use crate::report;
use std::io::Write as _;
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
    /// Download no faster, in place of `[limits] rate`: "2MiB/s", "off", or times of day with a
    /// rate each, such as "08:00 1MiB/s 23:00 off"
    #[arg(long, value_name = "RATE", value_parser = rate)]
    limit_rate: Option<Timetable>,
    /// Warn of versions with weaker evidence than this, in place of each source's `require`:
    /// length, provider, uploader-claim, content-name; with signed, hold those that are not
    #[arg(long, value_name = "CLASS", value_parser = class)]
    require: Option<EvidenceClass>,
}

fn class(text: &str) -> std::result::Result<EvidenceClass, String> {
    EvidenceClass::from_word(text)
        .ok_or_else(|| "one of length, provider, uploader-claim, content-name, signed".to_owned())
}

/// With the way out, which clap would leave unsaid.
fn rate(text: &str) -> std::result::Result<Timetable, String> {
    let said = |error: Error| format!("{error}: {}", error.way_out().unwrap_or_default());
    text.parse().map_err(said)
}

pub(super) fn run(context: &mut Context, args: Args) -> Result<Exit> {
    let mut config = read_config(context)?;
    if let Some(rate) = args.limit_rate.clone() {
        config.limits.rate = rate;
    }
    if let Some(class) = args.require {
        for source in &mut config.sources {
            if args.sources.is_empty() || args.sources.contains(&source.name) {
                source.demands = source.demands.clone().at_least(Some(class))?;
            }
        }
    }
    let night = Night {
        runtime: runtime()?,
        limits: config.limits.clone(),
        clock: Clock::System,
        stop: stop_on_signals()?,
        reporter: Arc::new(Progress::new()),
    };
    if let Some(most) = config.limits.max_duration {
        let stop = night.stop.clone();
        night.runtime.spawn(async move {
            tokio::time::sleep(most).await;
            stop.time_is_up();
        });
    }
    let notifier = Notifier::new(&config.notify, night.runtime.handle());
    let mut run = Run {
        sources: config.select(&args.sources)?,
        // Who only looks tells nobody.
        told: (!args.dry_run && notifier.has_somebody()).then_some(notifier),
        config: &config,
        night: &night,
        args,
        course: Course::default(),
        unjudged: None,
    };
    let came_to = run.whole(context);
    // Telling may take a while: what there is to read is shown before.
    let _ = context.out.flush();
    run.tell(came_to.as_ref().err());
    came_to
}

/// One run over all its sources.
struct Run<'c> {
    config: &'c Config,
    night: &'c Night,
    sources: Vec<&'c SourceConfig>,
    args: Args,
    told: Option<Notifier<'c>>,
    course: Course,
    /// Why it is not known how the copy stands.
    unjudged: Option<Error>,
}

impl Run<'_> {
    fn whole(&mut self, context: &mut Context) -> Result<Exit> {
        let mut home = open_in_turn(&self.config.store, &self.night.stop)?;
        self.course.store = Some(home.store().marker().id.clone());
        if let Some(notifier) = &mut self.told {
            notifier.start();
        }
        let mut exit = Exit::Ok;
        for source in self.sources.clone() {
            if self.night.stop.requested() {
                self.course.cut_short = true;
                exit = exit.and(Exit::Partial);
                break;
            }
            // One source that fails does not keep the others from their turn.
            exit = exit.and(match self.args.dry_run {
                true => dry_run(context, &mut home, self.night, source, self.args.json)
                    .unwrap_or_else(|error| say(&error)),
                false => self.turn(context, &mut home, source),
            });
            if exit == Exit::Store && home.store().still_there().is_err() {
                return Ok(exit);
            }
        }
        if self.told.is_some() {
            self.judge(&home);
        }
        if home.catalogue().open_alarms()? > 0 {
            exit = exit.and(Exit::Alarm);
        }
        if !self.args.dry_run
            && let Err(error) = home.keep_copies()
        {
            // The copies are for comfort: the journals have it all.
            warn("the catalogue was not copied", &error);
        }
        home.close()?;
        Ok(exit)
    }

    fn turn(&mut self, context: &mut Context, home: &mut Home, source: &SourceConfig) -> Exit {
        let came_to = pull(home, self.night, source);
        let exit = match &came_to {
            Ok(outcome) => show(context, outcome).unwrap_or_else(|error| say(&error)),
            Err(error) => say(error),
        };
        let source = source.name.clone();
        self.course.turns.push(Turn { source, came_to });
        exit
    }

    fn judge(&mut self, home: &Home) {
        match night::status(home.catalogue(), &limits(self.config), &self.night.clock) {
            Ok(status) => self.course.standing = Some(status),
            Err(error) => self.unjudged = Some(error),
        }
    }

    /// Tells everybody, the store being closed. Nothing here changes the exit code.
    fn tell(&mut self, failure: Option<&Error>) {
        let Some(notifier) = self.told.take() else {
            return;
        };
        if failure.is_some_and(|error| error.kind() == Kind::Locked) {
            // The run that holds the lock tells how it went; two that meet are ordinary life.
            return;
        }
        let ended_by = failure.or(self.unjudged.as_ref());
        let message = Message::about(&self.course, ended_by, self.night.clock.now());
        for told in notifier.end(&message) {
            if let Err(error) = told.taken {
                warn(&format!("the {} was not told", told.whom), &error);
            }
        }
    }
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

fn pull(home: &mut Home, night: &Night, source: &SourceConfig) -> Result<Outcome> {
    let job = night.job(source, &Credentials::from(&source.credentials)?)?;
    night.pull(home, &job)
}

fn show(context: &mut Context, outcome: &Outcome) -> Result<Exit> {
    report::outcome(&mut context.out, outcome).map_err(written)?;
    if let Some(failure) = &outcome.failure {
        say(failure);
    }
    Ok(exit_of(outcome))
}

/// The exit code that one source's outcome asks for.
pub(super) fn exit_of(outcome: &Outcome) -> Exit {
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
