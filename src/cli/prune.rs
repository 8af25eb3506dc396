//! `offsite prune`

use super::turn::open_in_turn;
use super::view::store_config;
use super::{Context, Exit, written};
use crate::error::{Error, Kind, Result};
use crate::object::printable;
use crate::outcome::Stop;
use crate::report;
use crate::upkeep::prune_incoming;
use serde_json::json;
use std::io::Write as _;
use std::path::PathBuf;

/// Remove what you say may go: for now, what unfinished downloads left behind
///
/// Nothing of the copy is ever removed: not in latest/, not in history/, not in quarantine/.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Everything in incoming/; a download that could have gone on begins again
    ///
    /// `pull` removes what is older than 7 days by itself.
    #[arg(long)]
    incoming: bool,
    /// Only say what would go
    #[arg(long)]
    dry_run: bool,
    /// Print one JSON object a line, the sum last
    #[arg(long)]
    json: bool,
    /// In this store: no configuration needed
    #[arg(long, value_name = "DIR")]
    store: Option<PathBuf>,
}

pub(super) fn run(context: &mut Context, args: Args) -> Result<Exit> {
    if !args.incoming {
        return Err(Error::new(Kind::Usage, "prune removes nothing unless you say what")
            .hint("`offsite prune --incoming` removes what unfinished downloads left in incoming/, and nothing of the copy; with --dry-run it only says what would go"));
    }
    // No room is needed to make room.
    let mut config = store_config(context, args.store)?;
    config.min_free = 0;
    let mut home = open_in_turn(&config, &Stop::default())?;
    let (out, mut files, mut bytes) = (&mut context.out, 0_u64, 0_u64);
    prune_incoming(&mut home, args.dry_run, &mut |gone| {
        files += 1;
        bytes += gone.bytes;
        match args.json {
            true => report::line(out, gone),
            false => writeln!(
                out,
                "{}  {}",
                report::bytes(gone.bytes),
                printable(&gone.path)
            ),
        }
        .map_err(written)
    })?;
    home.close()?;
    let done = if args.dry_run {
        "would remove"
    } else {
        "removed"
    };
    match args.json {
        true => report::line(
            out,
            &json!({"files": files, "bytes": bytes, "dry_run": args.dry_run}),
        ),
        false => writeln!(out, "{done} {files} files, {}", report::bytes(bytes)),
    }
    .map_err(written)?;
    Ok(Exit::Ok)
}
