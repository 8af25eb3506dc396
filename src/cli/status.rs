//! `offsite status`

use super::exit::Monitoring;
use super::view::{StoreArg, View, limits};
use super::{Context, Exit, written};
use crate::error::Result;
use crate::machine::Machine;
use crate::night;
use crate::object::Clock;
use crate::report;
use crate::watch::{Health, Limits, Status};
use serde::Serialize;
use std::ffi::OsString;
use std::io::Write as _;

/// Say how the copy stands: what is wrong first, with the next step
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    store: StoreArg,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
    /// Print one line for a monitor, as a Nagios plugin does
    ///
    /// The exit codes are then those of the Monitoring Plugins: 0 OK, 1 WARNING, 2 CRITICAL (a
    /// failed run, an alarm), 3 UNKNOWN (no configuration, no store).
    #[arg(long, conflicts_with = "json")]
    nagios: bool,
}

/// What `--json` prints.
#[derive(Serialize)]
struct Whole<'a> {
    #[serde(flatten)]
    status: &'a Status,
    machine: Option<Machine>,
}

pub(super) fn run(context: &mut Context, args: Args) -> Result<Exit> {
    if args.nagios {
        return nagios(context, &args.store);
    }
    let view = View::open(context, &args.store)?;
    let status = match args.json {
        true => night::full_status(&view.catalogue, &limits_of(&view), &Clock::System)?,
        false => judge(&view)?,
    };
    if args.json {
        let whole = Whole {
            status: &status,
            machine: Machine::read(),
        };
        report::line(&mut context.out, &whole).map_err(written)?;
    } else {
        let drive = report::drive(&view.reader)?;
        report::status(&mut context.out, &status, Some(&drive)).map_err(written)?;
        if let Some(machine) = Machine::read() {
            let machine = report::machine(&machine);
            writeln!(context.out, "machine: {machine}").map_err(written)?;
        }
    }
    Ok(exit_of(&status))
}

fn judge(view: &View) -> Result<Status> {
    night::status(&view.catalogue, &limits_of(view), &Clock::System)
}

fn limits_of(view: &View) -> Limits {
    view.config.as_ref().map_or_else(Limits::default, limits)
}

/// A monitor reads one line and the exit code: what went wrong is said in both.
fn nagios(context: &mut Context, store: &StoreArg) -> Result<Exit> {
    let status = View::open(context, store).and_then(|view| judge(&view));
    let state = match &status {
        Ok(status) => monitoring(status.verdict),
        Err(_) => Monitoring::Unknown,
    };
    let (out, word) = (&mut context.out, state.word());
    match &status {
        Ok(status) => report::nagios(out, word, status, Clock::System.now()),
        Err(error) => report::nagios_unknown(out, word, &error.to_string()),
    }
    .map_err(written)?;
    Ok(Exit::Monitoring(state))
}

/// What a wrong command line ends with: a monitor would take our 2 for an alarm.
pub(super) fn usage(mut typed: impl Iterator<Item = OsString>) -> Exit {
    match typed.any(|word| word == "--nagios") {
        true => Exit::Monitoring(Monitoring::Unknown),
        false => Exit::Usage,
    }
}

fn monitoring(verdict: Health) -> Monitoring {
    match verdict {
        Health::Ok => Monitoring::Ok,
        Health::Warning => Monitoring::Warning,
        Health::Error | Health::Alarm => Monitoring::Critical,
    }
}

fn exit_of(status: &Status) -> Exit {
    match status.verdict {
        Health::Ok => Exit::Ok,
        Health::Warning => Exit::Partial,
        Health::Error => Exit::Failed,
        Health::Alarm => Exit::Alarm,
    }
}
