//! `offsite completions` and `offsite man`

use super::{Cli, Context, Exit, written};
use crate::error::{Error, Kind, Result};
use clap::CommandFactory as _;
use std::path::PathBuf;

/// Print a completion script for a shell
#[derive(Debug, clap::Args)]
pub(super) struct CompletionsArgs {
    /// Which shell
    shell: clap_complete::Shell,
}

/// Print the manual page, or write one page a command into a folder
#[derive(Debug, clap::Args)]
pub(super) struct ManArgs {
    /// The folder, such as /usr/local/share/man/man1
    #[arg(long, value_name = "DIR")]
    to: Option<PathBuf>,
}

pub(super) fn completions(context: &mut Context, args: CompletionsArgs) -> Result<Exit> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "offsite", &mut script);
    context.out.write_all(&script).map_err(written)?;
    Ok(Exit::Ok)
}

pub(super) fn man(context: &mut Context, args: ManArgs) -> Result<Exit> {
    match args.to {
        Some(dir) => clap_mangen::generate_to(Cli::command(), &dir).map_err(|e| {
            Error::new(Kind::Run, format!("cannot write into {}", dir.display())).because(e)
        })?,
        None => clap_mangen::Man::new(Cli::command())
            .render(&mut context.out)
            .map_err(written)?,
    }
    Ok(Exit::Ok)
}
