//! `offsite status`

use super::view::{StoreArg, View};
use super::{Context, Exit, written};
use crate::error::Result;
use crate::machine::Machine;
use crate::night;
use crate::object::Clock;
use crate::report;
use crate::watch::{Health, Status};
use jiff::SignedDuration;
use std::io::Write as _;

/// Say how the copy stands: what is wrong first, with the next step
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    store: StoreArg,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

/// The default of `[watch] pull_overdue`, for a store that is read without a configuration.
const OVERDUE: SignedDuration = SignedDuration::from_hours(36);

pub(super) fn run(context: &mut Context, args: Args) -> Result<Exit> {
    let view = View::open(context, &args.store)?;
    let overdue = match &view.config {
        Some(config) => SignedDuration::try_from(config.pull_overdue).unwrap_or(OVERDUE),
        None => OVERDUE,
    };
    let status = night::status(&view.catalogue, overdue, &Clock::System)?;
    if args.json {
        report::line(&mut context.out, &status).map_err(written)?;
    } else {
        let drive = report::drive(&view.reader)?;
        report::status(&mut context.out, &status, Some(&drive)).map_err(written)?;
        if let Some(machine) = Machine::read() {
            let machine = report::machine(machine);
            writeln!(context.out, "machine: {machine}").map_err(written)?;
        }
    }
    Ok(exit_of(&status))
}

fn exit_of(status: &Status) -> Exit {
    match status.verdict {
        Health::Ok => Exit::Ok,
        Health::Warning => Exit::Partial,
        Health::Error => Exit::Failed,
        Health::Alarm => Exit::Alarm,
    }
}
