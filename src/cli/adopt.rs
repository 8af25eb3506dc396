//! `offsite adopt`

use super::progress::Progress;
use super::pull::{exit_of, runtime, stoppable};
use super::turn::open_in_turn;
use super::view::read_config;
use super::{Context, Exit, say, written};
use crate::config::{Config, SourceConfig};
use crate::credentials::Credentials;
use crate::error::{Error, Kind, Result};
use crate::home::Home;
use crate::night::Night;
use crate::object::{Clock, SourceName};
use crate::outcome::Ended;
use crate::pull::{Adopt, Found};
use crate::report;
use crate::store::Foreign;
use std::path::PathBuf;
use std::sync::Arc;

/// Take over what another tool (rclone, s3cmd, aws, s5cmd) downloaded, proven, without downloading it again
///
/// Each file is compared with what the bucket promises about the object of its name, and copied (or
/// cloned, where the file system can) into the copy. What cannot be proven is named and left as it
/// is; the next pull downloads its object. Nothing else may write to DIR meanwhile.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The folder that the bucket, or the source's prefix of it, was downloaded to
    #[arg(value_name = "DIR")]
    dir: PathBuf,
    /// Which source it is of [default: the only one]
    #[arg(value_name = "SOURCE")]
    source: Option<SourceName>,
    /// Take proven files out of DIR: each gets its name in the copy, and loses the one in DIR once
    /// that is recorded. On the same drive no bytes are copied
    #[arg(long = "move")]
    take_away: bool,
    /// Only list, and print which files would be compared; nothing is read or written
    #[arg(long)]
    dry_run: bool,
}

pub(super) fn run(context: &mut Context, args: Args) -> Result<Exit> {
    let config = read_config(context)?;
    let source = one_source(&config, args.source.as_ref())?;
    let night = Night {
        runtime: runtime()?,
        limits: config.limits.clone(),
        clock: Clock::System,
        stop: stoppable()?,
        reporter: Arc::new(Progress::new()),
    };
    let mut home = open_in_turn(&config.store, &night.stop)?;
    let adopt = Adopt {
        folder: Foreign::open(&args.dir, home.store())?,
        take_away: args.take_away,
    };
    let exit = match args.dry_run {
        true => dry_run(context, &mut home, &night, source, &adopt)?,
        false => take_over(context, &mut home, &night, source, &adopt)?,
    };
    home.close()?;
    Ok(exit)
}

fn one_source<'c>(config: &'c Config, named: Option<&SourceName>) -> Result<&'c SourceConfig> {
    match (named, config.sources.as_slice()) {
        (Some(name), _) => config.source(name),
        (None, [source]) => Ok(source),
        (None, sources) => {
            let names: Vec<&str> = sources.iter().map(|s| s.name.as_str()).collect();
            let error = Error::new(Kind::Usage, "the configuration has several sources");
            let names = names.join(", ");
            Err(error.hint(format!(
                "name the one whose bucket lies in the folder: {names}"
            )))
        }
    }
}

fn take_over(
    context: &mut Context,
    home: &mut Home,
    night: &Night,
    source: &SourceConfig,
    adopt: &Adopt,
) -> Result<Exit> {
    let job = night.job(source, &Credentials::from(&source.credentials)?)?;
    let out = &mut context.out;
    let adopted = job.adopt(
        &night.runtime,
        &mut home.shelf(source)?,
        adopt,
        &mut |stays| report::stays(out, stays).map_err(written),
    )?;
    report::adopted(out, &adopted).map_err(written)?;
    if let Some(failure) = &adopted.outcome.failure {
        say(failure);
    }
    Ok(exit_of(&adopted.outcome))
}

fn dry_run(
    context: &mut Context,
    home: &mut Home,
    night: &Night,
    source: &SourceConfig,
    adopt: &Adopt,
) -> Result<Exit> {
    let job = night.job(source, &Credentials::from(&source.credentials)?)?;
    let out = &mut context.out;
    let (mut files, mut bytes, mut known, mut left) = (0, 0, 0, 0);
    let ended = job.adopt_dry_run(
        &night.runtime,
        &mut home.shelf(source)?,
        adopt,
        &mut |found| {
            match found {
                Found::Candidate(path, change) => {
                    files += 1;
                    bytes += change.identity.size;
                    report::candidate(out, &path, &change)
                }
                Found::Known { .. } => {
                    known += 1;
                    Ok(())
                }
                Found::Stays(stays) => {
                    left += 1;
                    report::stays(out, &stays)
                }
            }
            .map_err(written)
        },
    )?;
    report::adopt_sum(out, source.name.as_str(), (files, bytes), known, left).map_err(written)?;
    Ok(match ended {
        Ended::Complete if left == 0 => Exit::Ok,
        _ => Exit::Partial,
    })
}
