//! `offsite status`

use super::view::{StoreArg, View};
use super::{Context, Exit, written};
use crate::error::Result;
use crate::machine::Machine;
use crate::night;
use crate::object::Clock;
use crate::report;
use crate::watch::{Health, Limits, Status};
use jiff::SignedDuration;
use serde::Serialize;
use std::io::Write as _;
use std::time::Duration;

/// Say how the copy stands: what is wrong first, with the next step
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    store: StoreArg,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

/// What `--json` prints.
#[derive(Serialize)]
struct Whole<'a> {
    #[serde(flatten)]
    status: &'a Status,
    machine: Option<Machine>,
}

pub(super) fn run(context: &mut Context, args: Args) -> Result<Exit> {
    let view = View::open(context, &args.store)?;
    let limits = view
        .config
        .as_ref()
        .map_or_else(Limits::default, |config| Limits {
            overdue: span(config.pull_overdue),
            rotate_after: span(config.rotate_after),
        });
    let status = night::status(&view.catalogue, &limits, &Clock::System)?;
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

fn span(setting: Duration) -> SignedDuration {
    SignedDuration::try_from(setting).unwrap_or(SignedDuration::MAX)
}

fn exit_of(status: &Status) -> Exit {
    match status.verdict {
        Health::Ok => Exit::Ok,
        Health::Warning => Exit::Partial,
        Health::Error => Exit::Failed,
        Health::Alarm => Exit::Alarm,
    }
}
