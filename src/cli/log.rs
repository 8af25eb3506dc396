//! `offsite log`

use super::view::{StoreArg, View};
use super::{Context, Exit, written};
use crate::error::{Error, Kind, Result};
use crate::report;
use serde_json::json;
use std::io::Write as _;

/// Show the runs, newest first; or the events; or verify the journal
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Show what happened instead of runs
    #[arg(long)]
    events: bool,
    /// Recompute the journal's hash chain
    #[arg(long)]
    verify: bool,
    /// With --verify: a head that was noted elsewhere and must be in the chain
    #[arg(long, value_name = "H", requires = "verify")]
    head: Option<String>,
    /// How many lines
    #[arg(short = 'n', long, value_name = "N", default_value_t = 50)]
    limit: u32,
    /// Print one JSON object a line
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    store: StoreArg,
}

pub(super) fn run(context: &mut Context, args: Args) -> Result<Exit> {
    let view = View::open_to_find(context, &args.store)?;
    let out = &mut context.out;
    if args.verify {
        return verify(context, &view, &args);
    }
    if args.events {
        let rows = view.catalogue.events(None, args.limit)?;
        match args.json {
            true => report::lines(out, rows.iter().map(report::event_json)),
            false => report::events(out, &rows),
        }
    } else {
        let rows = view.catalogue.runs(args.limit)?;
        match args.json {
            true => report::lines(out, rows.iter().map(report::run_json)),
            false => report::runs(out, &rows),
        }
    }
    .map_err(written)?;
    Ok(Exit::Ok)
}

fn verify(context: &mut Context, view: &View, args: &Args) -> Result<Exit> {
    let mut found = false;
    for name in view.reader.sources()? {
        let chain = view.reader.verify_journal(&name, args.head.as_deref())?;
        if let Some(broken) = &chain.broken {
            let what = format!(
                "the journal of {name} is not what was written: {}, byte {}: {}",
                broken.file.display(),
                broken.at,
                broken.why
            );
            return Err(Error::new(Kind::Damaged, what)
                .hint("the chain holds up to there; compare the drive with a mirror or with the heads you noted"));
        }
        found |= chain.has_head == Some(true);
        let line = if args.json {
            json!({"source": name, "files": chain.files, "groups": chain.groups, "records": chain.records, "head": chain.head, "has_head": chain.has_head}).to_string()
        } else {
            format!(
                "{name}: {} groups, the chain holds; head {}",
                chain.groups, chain.head
            )
        };
        writeln!(context.out, "{line}").map_err(written)?;
    }
    match &args.head {
        Some(head) if !found => {
            let what = format!("no journal here ever had the head {head}");
            Err(Error::new(Kind::Damaged, what).hint(
                "the journal was rewritten since that head was noted, or it is another store's",
            ))
        }
        _ => Ok(Exit::Ok),
    }
}
