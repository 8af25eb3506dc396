//! `offsite demo`

use super::pull::runtime;
use super::{Context, Exit};
use crate::demo::{Attack, Story};
use crate::error::{Error, Result};

/// See it work: three nights of a bucket, the last one under attack; nothing needs to be set up
///
/// An embedded bucket is served on loopback; the store is left in the temporary folder for a look
/// (`offsite ls --store DIR`; the status names DIR).
#[derive(Debug, clap::Args)]
pub(super) struct Args {}

pub(super) fn run(context: &mut Context, _: Args) -> Result<Exit> {
    let folder = tempfile::Builder::new()
        .prefix("offsite-demo-")
        .tempdir()
        .map_err(|e| Error::io("make a folder in", std::env::temp_dir(), e))?
        .keep();
    let attack = Attack {
        overwrite: true,
        delete: true,
    };
    Story::new(&folder, runtime()?)?.tell(attack, &mut context.out)?;
    Ok(Exit::Ok)
}
