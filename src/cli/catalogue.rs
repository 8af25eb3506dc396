//! `offsite catalogue`

use super::progress::Progress;
use super::pull::{source_names, stoppable};
use super::view::{StoreArg, View, read_config};
use super::{Context, Exit, written};
use crate::error::Result;
use crate::home::Home;
use crate::object::Clock;
use crate::report;
use crate::upkeep;
use serde_json::json;
use std::io::Write as _;

/// Look after the catalogue
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    Check(CheckArgs),
}

/// Compare every row with the drive
///
/// Without --store, what a crash left between journal and catalogue is put in order first.
#[derive(Debug, clap::Args)]
struct CheckArgs {
    /// Read every file and compare its SHA-256
    #[arg(long)]
    deep: bool,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    store: StoreArg,
}

pub(super) fn run(context: &mut Context, args: Args) -> Result<Exit> {
    let Command::Check(args) = args.command;
    check(context, args)
}

fn check(context: &mut Context, args: CheckArgs) -> Result<Exit> {
    let stop = stoppable()?;
    if args.store.store.is_none() {
        let config = read_config(context)?;
        let mut home = Home::open(&config.store, Clock::System)?;
        for name in source_names(&config) {
            home.shelf_of(&name)?;
        }
        home.close()?;
    }
    let view = View::open(context, &args.store)?;
    let progress = Progress::new();
    let found = upkeep::check(&view.reader, &view.catalogue, args.deep, &stop, &progress)?;
    drop(progress);
    let out = &mut context.out;
    if args.json {
        let json = json!({"files": found.files, "bytes": found.bytes, "deep": args.deep, "problems": found.problems});
        report::line(out, &json).map_err(written)?;
    } else {
        for problem in &found.problems {
            let path = problem.path.as_deref().unwrap_or("catalogue.db");
            let line = format!("{path}: {}", problem.what);
            writeln!(out, "{}", crate::object::printable(&line)).map_err(written)?;
        }
        let how = if args.deep {
            "read and compared"
        } else {
            "there, with the right length"
        };
        let (files, size) = (found.files, report::bytes(found.bytes));
        writeln!(
            out,
            "{files} files ({size}) {how}; {} problems",
            found.problems.len()
        )
        .map_err(written)?;
    }
    Ok(if !found.problems.is_empty() {
        Exit::Damaged
    } else if found.interrupted {
        Exit::Partial
    } else {
        Exit::Ok
    })
}
