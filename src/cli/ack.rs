//! `offsite ack`

use super::turn::open_in_turn;
use super::view::read_config;
use super::{Context, Exit, written};
use crate::error::Result;
use crate::object::Clock;
use crate::outcome::Stop;
use crate::upkeep::{Acknowledged, acknowledge};
use std::io::Write as _;

/// Acknowledge findings: you have seen them, and they stop alarming
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The findings' ids, as `offsite status` shows them
    #[arg(value_name = "ID", required = true)]
    ids: Vec<String>,
    /// Let the held version into latest/; what stands there goes to history/
    #[arg(long)]
    accept: bool,
    /// A note to yourself, kept in the journal
    #[arg(long, value_name = "TEXT")]
    note: Option<String>,
}

pub(super) fn run(context: &mut Context, args: Args) -> Result<Exit> {
    let config = read_config(context)?;
    let mut home = open_in_turn(&config.store, &Stop::default())?;
    for id in &args.ids {
        let note = args.note.as_deref();
        let done = acknowledge(&mut home, &Clock::System, id, note, args.accept)?;
        let id = crate::object::printable(id);
        let words = match done {
            Acknowledged::Closed => "acknowledged",
            Acknowledged::Accepted => "acknowledged; the held version is in latest/ now",
            Acknowledged::Already => "was acknowledged before",
        };
        writeln!(context.out, "{id}: {words}").map_err(written)?;
    }
    home.close()?;
    Ok(Exit::Ok)
}
