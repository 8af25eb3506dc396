//! `offsite catalogue`

use super::progress::Progress;
use super::pull::{source_names, stoppable};
use super::turn::open_in_turn;
use super::view::{StoreArg, View, read_config, store_config};
use super::{Context, Exit, written};
use crate::error::Result;
use crate::home::Rebuilding;
use crate::object::Clock;
use crate::outcome::Stop;
use crate::report;
use crate::store::CATALOGUE;
use crate::upkeep::{self, RebuildReport};
use serde_json::json;
use std::io::Write as _;
use std::path::PathBuf;

/// Look after the catalogue
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    Check(CheckArgs),
    Backup(BackupArgs),
    Rebuild(RebuildArgs),
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

/// Copy the catalogue as it is now into one file that plain sqlite3 opens
///
/// Without --to, into the store: as catalogue.db.1; the copy before is catalogue.db.2. `pull` does
/// that by itself, when something was recorded and the newest copy is a day old.
#[derive(Debug, clap::Args)]
struct BackupArgs {
    /// Into this file; an older copy there is replaced, anything else is refused
    #[arg(long, value_name = "FILE")]
    to: Option<PathBuf>,
    /// Of this store: no configuration needed; with --to a read-only mount will do
    #[arg(long, value_name = "DIR")]
    store: Option<PathBuf>,
}

/// Make the catalogue anew from the drive alone: journals, then SHA256SUMS, then files
///
/// What the journal says is taken if the file is there with its length; where the journal is
/// damaged, if the file's bytes are the ones it says. A file that no journal knows is taken if its
/// line in SHA256SUMS is right. Everything else is named, left as it is, and becomes a finding.
/// The catalogue that was there is kept beside the new one, as catalogue.db.old-TIME: remove it
/// when you no longer need it.
#[derive(Debug, clap::Args)]
struct RebuildArgs {
    /// Read every file and compare its SHA-256
    #[arg(long)]
    deep: bool,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
    /// Rebuild in this store: no configuration needed
    #[arg(long, value_name = "DIR")]
    store: Option<PathBuf>,
}

pub(super) fn run(context: &mut Context, args: Args) -> Result<Exit> {
    match args.command {
        Command::Check(args) => check(context, args),
        Command::Backup(args) => backup(context, args),
        Command::Rebuild(args) => rebuild(context, args),
    }
}

fn backup(context: &mut Context, args: BackupArgs) -> Result<Exit> {
    let (path, bytes) = match args.to {
        Some(to) => {
            let store = StoreArg { store: args.store };
            let view = View::open(context, &store)?;
            let bytes = upkeep::backup(&view.catalogue, &to)?;
            (to, bytes)
        }
        None => {
            let config = store_config(context, args.store)?;
            let home = open_in_turn(&config, &Stop::default())?;
            let name = home.copy()?;
            let bytes = home.store().reader().stat(name)?.unwrap_or(0);
            let path = home.store().path().join(name);
            home.close()?;
            (path, bytes)
        }
    };
    let line = format!("{}: {}", path.display(), report::bytes(bytes));
    writeln!(context.out, "{}", crate::object::printable(&line)).map_err(written)?;
    Ok(Exit::Ok)
}

fn rebuild(context: &mut Context, args: RebuildArgs) -> Result<Exit> {
    let stop = stoppable()?;
    let config = store_config(context, args.store)?;
    let home = Rebuilding::open(&config, Clock::System)?;
    let progress = Progress::new();
    let found = upkeep::rebuild(home, &Clock::System, args.deep, &stop, &progress)?;
    drop(progress);
    let out = &mut context.out;
    if args.json {
        let json = json!({
            "sources": found.sources, "groups": found.groups, "versions": found.versions,
            "bytes": found.bytes, "adopted": found.adopted, "deep": args.deep,
            "damage": found.damage, "notes": found.notes, "kept": found.kept,
        });
        report::line(out, &json).map_err(written)?;
    } else {
        said(out, &found).map_err(written)?;
    }
    Ok(if !found.damage.is_empty() {
        Exit::Damaged
    } else if found.adopted > 0 {
        // A finding that is a warning, as for `status`.
        Exit::Partial
    } else {
        Exit::Ok
    })
}

fn said(out: &mut dyn std::io::Write, found: &RebuildReport) -> std::io::Result<()> {
    for (problems, word) in [(&found.damage, "DAMAGED "), (&found.notes, "")] {
        for problem in problems {
            let path = problem.path.as_deref().unwrap_or(CATALOGUE);
            let line = format!("{word}{path}: {}", problem.what);
            writeln!(out, "{}", crate::object::printable(&line))?;
        }
    }
    writeln!(
        out,
        "{} versions ({}) from {} groups of {} sources; {} known by SHA256SUMS alone; {} problems",
        found.versions,
        report::bytes(found.bytes),
        found.groups,
        found.sources,
        found.adopted,
        found.damage.len(),
    )?;
    match &found.kept {
        Some(kept) => writeln!(out, "{CATALOGUE} is new; the one before is {kept}"),
        None => writeln!(out, "{CATALOGUE} is new; there was none before"),
    }
}

fn check(context: &mut Context, args: CheckArgs) -> Result<Exit> {
    let stop = stoppable()?;
    if args.store.store.is_none() {
        let config = read_config(context)?;
        let mut home = open_in_turn(&config.store, &stop)?;
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
            let path = problem.path.as_deref().unwrap_or(CATALOGUE);
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
