//! `offsite drill`

use super::progress::Progress;
use super::pull::stoppable;
use super::turn::open_in_turn;
use super::view::{StoreArg, View, has, read_config};
use super::{Context, Exit, written};
use crate::catalogue::Catalogue;
use crate::config::{Config, DrillConfig, glob_set};
use crate::error::{Error, Kind, Result};
use crate::home::{self, Home};
use crate::object::{Clock, SourceName};
use crate::outcome::Stop;
use crate::report;
use crate::restore::{Came, Drill, Proof, Rehearsed, Turn, Turns, series_of};
use crate::watch::sets::missing;
use std::io::Write as _;
use std::path::PathBuf;
use std::time::Duration;

/// So many series that turn out to have no files are passed over in a run.
const PASSED_OVER: usize = 16;
/// So many series are rehearsed at most with `--all`.
const MOST: usize = 10_000;
/// So long another run's end is waited for: a rehearsal of hours is not lost for a pull of minutes.
const PATIENCE: Duration = Duration::from_secs(3600);

/// Rehearse a restore: bring a backup back to scratch space and let your own command open it
///
/// Takes one series a run, by turns: those never rehearsed first, then the one that was longest ago;
/// series with a command in [[drill]] and those without take turns too. The newest complete set comes
/// back to a folder that is removed at the end; every byte is compared with what came from the bucket;
/// then the command of the series runs. `status` says when a backup was last proven restorable. Exit
/// 0: all of it is there, and the command succeeded; 3: it failed, or files are missing, or it was
/// interrupted; 7: the drive has damaged files; 1: no room, and others.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Only series of this source
    #[arg(long, value_name = "NAME")]
    source: Option<SourceName>,
    /// Only this series, or those that match a pattern (`status --json` has their names)
    #[arg(long, value_name = "NAME")]
    series: Option<String>,
    /// All of them, instead of the next one
    #[arg(long)]
    all: bool,
    /// Where the scratch folder is made [default: the system's folder for temporary files]
    ///
    /// It takes as much room as the backup; on many systems the folder for temporary files is memory.
    #[arg(long, value_name = "DIR")]
    scratch: Option<PathBuf>,
    /// Leave the scratch folder there, and say where it is
    #[arg(long)]
    keep: bool,
    /// Print one JSON object a series
    #[arg(long)]
    json: bool,
}

pub(super) fn run(context: &mut Context, args: Args) -> Result<Exit> {
    let config = read_config(context)?;
    let stop = stoppable()?;
    let work = Work {
        scratch: args.scratch.clone().unwrap_or_else(std::env::temp_dir),
        hidden: config.notify.variables(),
        config: &config,
        args: &args,
        stop: &stop,
    };
    let turns = work.turns()?;
    if turns.is_empty() {
        return work.nobody();
    }
    let mut exit = Exit::Ok;
    for turn in turns {
        let done = work.rehearse(context, turn)?;
        let finding = work.record(&done)?;
        let shown = match args.json {
            true => report::line(
                &mut context.out,
                &report::rehearsed_json(&done, finding.as_deref()),
            ),
            false => report::rehearsed(&mut context.out, &done, finding.as_deref()),
        };
        shown.and_then(|()| context.out.flush()).map_err(written)?;
        exit = exit.and(exit_of(&done.came, args.series.is_some()));
        let enough = !args.all && !matches!(done.came, Came::Nothing);
        if enough || stop.requested() {
            break;
        }
    }
    Ok(exit)
}

/// One run.
struct Work<'w> {
    config: &'w Config,
    args: &'w Args,
    scratch: PathBuf,
    hidden: Vec<String>,
    stop: &'w Stop,
}

impl Work<'_> {
    /// Whose turn it is.
    fn turns(&self) -> Result<Vec<Turn>> {
        let home = self.home()?;
        let turns = self.turns_in(home.catalogue())?;
        home.close()?;
        Ok(turns)
    }

    fn turns_in(&self, catalogue: &Catalogue) -> Result<Vec<Turn>> {
        if let Some(source) = &self.args.source {
            has(catalogue, source)?;
        }
        let exact = self.args.series.as_deref();
        let globs = exact.map(|name| glob_set(&[name.to_owned()])).transpose();
        // The name of a series may be no pattern.
        let globs = globs.ok().flatten();
        let asked = |name: &str| {
            exact.is_none_or(|exact| exact == name)
                || globs.as_ref().is_some_and(|globs| globs.is_match(name))
        };
        let mut turns = Turns::new(if self.args.all { MOST } else { PASSED_OVER });
        for row in catalogue.sources()? {
            if self
                .args
                .source
                .as_ref()
                .is_some_and(|only| *only != row.name)
            {
                continue;
            }
            series_of(
                catalogue,
                &row.name,
                exact,
                &mut |series| {
                    let command = self.command(&row.name, series).is_some();
                    asked(series).then_some(command)
                },
                &mut turns,
            )?;
        }
        Ok(turns.in_order())
    }

    /// What is said where nobody wants a turn.
    fn nobody(&self) -> Result<Exit> {
        if let Some(name) = &self.args.series {
            let what = format!("the drive has no series {name}");
            return Err(Error::new(Kind::Usage, what).hint(
                "`offsite status --json` has the names of series; quote them, for the shell's sake",
            ));
        }
        let _ = writeln!(
            std::io::stderr(),
            "there is nothing to rehearse: the drive has no backups yet"
        );
        Ok(Exit::Ok)
    }

    fn command(&self, source: &SourceName, series: &str) -> Option<&DrillConfig> {
        let drills = &self.config.drills;
        drills.iter().find(|drill| drill.is_for(source, series))
    }

    fn rehearse(&self, context: &Context, turn: Turn) -> Result<Rehearsed> {
        // Closed again before the store is written to: what reads keeps it from being tidied up.
        let view = View::open(context, &StoreArg { store: None })?;
        let progress = Progress::of("restore");
        let drill = Drill {
            reader: &view.reader,
            catalogue: &view.catalogue,
            scratch: &self.scratch,
            keep: self.args.keep,
            min_free: self.config.store.min_free,
            missing: &missing,
            alone: &|| self.home(),
            stop: self.stop,
            reporter: &progress,
        };
        let proof = self.command(&turn.source, &turn.series);
        let proof = proof.map(|drill| Proof {
            command: &drill.command,
            timeout: drill.timeout,
            hidden: &self.hidden,
        });
        drill.rehearse(turn, proof.as_ref())
    }

    fn record(&self, done: &Rehearsed) -> Result<Option<String>> {
        done.record(&|| self.home(), &Clock::System)
    }

    /// The store for ourselves, once no other run has it.
    fn home(&self) -> Result<Home> {
        let open = || open_in_turn(&self.config.store, self.stop);
        home::once_free(&open, Some(PATIENCE), self.stop)
    }
}

/// `asked`: the owner named the series.
fn exit_of(came: &Came, asked: bool) -> Exit {
    match came {
        Came::Proven | Came::Read => Exit::Ok,
        Came::Nothing if asked => Exit::Usage,
        Came::Nothing => Exit::Ok,
        Came::Failed(_) | Came::Incomplete(_) | Came::Interrupted => Exit::Partial,
        Came::Damaged(..) => Exit::Damaged,
        Came::NoRoom(_) => Exit::Failed,
    }
}
