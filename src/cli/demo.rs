//! `offsite demo`

use super::{Context, Exit};
use crate::error::Result;

/// See it work: three nights of a bucket, the last one under attack; nothing needs to be set up
#[derive(Debug, clap::Args)]
pub(super) struct Args {}

pub(super) fn run(_: &mut Context, _: Args) -> Result<Exit> {
    Ok(Exit::Ok)
}
