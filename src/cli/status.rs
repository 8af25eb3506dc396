//! `offsite status`

use super::view::{StoreArg, View};
use super::{Context, Exit, written};
use crate::catalogue::SourceRow;
use crate::error::Result;
use crate::object::Clock;
use crate::report;
use crate::watch::{self, Health, SourceFacts, Status};
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
    let status = gather(&view, &Clock::System)?;
    if args.json {
        let json = serde_json::to_string(&status).map_err(std::io::Error::from);
        json.and_then(|json| writeln!(context.out, "{json}"))
            .map_err(written)?;
    } else {
        let drive = drive_line(&view)?;
        report::status(&mut context.out, &status, Some(&drive)).map_err(written)?;
    }
    Ok(exit_of(&status))
}

/// The facts, judged.
pub(super) fn gather(view: &View, clock: &Clock) -> Result<Status> {
    let overdue = match &view.config {
        Some(config) => SignedDuration::try_from(config.pull_overdue).unwrap_or(OVERDUE),
        None => OVERDUE,
    };
    let mut sources = Vec::new();
    for row in view.catalogue.sources()? {
        let counts = view
            .catalogue
            .counts(Some(&row.name))?
            .into_iter()
            .map(|c| (c.state, c.in_bucket, c.versions, c.bytes))
            .collect();
        sources.push(facts(row, counts));
    }
    let open = view
        .catalogue
        .findings(true)?
        .into_iter()
        .map(|row| row.finding)
        .collect();
    Ok(watch::judge(sources, open, overdue, clock.now()))
}

fn facts(
    row: SourceRow,
    counts: Vec<(crate::object::State, crate::object::InBucket, u64, u64)>,
) -> SourceFacts {
    let end = row.last_run.as_ref().and_then(|run| run.end.as_ref());
    SourceFacts {
        last_ended: end.map(|end| end.ended.clone()),
        last_error: end.and_then(|end| end.error.clone()),
        last_run: row.last_run.as_ref().map(|run| run.start.at),
        last_complete_pull: row.last_complete_pull,
        head: row.head,
        name: row.name,
        counts,
    }
}

fn drive_line(view: &View) -> Result<String> {
    let room = view.reader.room()?;
    let facts = &view.reader.marker().facts;
    Ok(format!(
        "{} free of {} ({}), store {}",
        report::bytes(room.free),
        report::bytes(room.total),
        facts.filesystem,
        view.reader.marker().id,
    ))
}

fn exit_of(status: &Status) -> Exit {
    match status.verdict {
        Health::Ok => Exit::Ok,
        Health::Warning => Exit::Partial,
        Health::Error => Exit::Failed,
        Health::Alarm => Exit::Alarm,
    }
}
