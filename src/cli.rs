//! The command line: the only place that knows clap, exit codes and the terminal.

mod ack;
mod adopt;
mod catalogue;
mod demo;
mod drill;
mod exit;
mod generate;
mod init;
mod log;
mod logger;
mod ls;
mod mirror;
mod notify;
mod progress;
mod prune;
mod pull;
mod rebind;
mod restore;
mod scrub;
mod show;
mod status;
mod turn;
mod view;
mod wizard;

use crate::error::{Error, Kind, Result};
use clap::{Parser, Subcommand};
use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;

pub use exit::Exit;

/// Keeps a second, separate, proven copy of a cloud bucket at home.
///
/// Pulls what is new with a key that can only read, proves every byte, never overwrites, never
/// deletes, and says by itself when something is wrong.
#[derive(Debug, Parser)]
#[command(name = "offsite", version, after_help = exit::TABLE, max_term_width = 100)]
struct Cli {
    /// The configuration [default: $OFFSITE_CONFIG, ~/.config/offsite/offsite.toml, /etc/offsite/offsite.toml]
    #[arg(short, long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Init(init::Args),
    Pull(pull::Args),
    Status(status::Args),
    Ls(ls::Args),
    Show(show::Args),
    Restore(restore::Args),
    Scrub(scrub::Args),
    Mirror(mirror::Args),
    Drill(drill::Args),
    Log(log::Args),
    Ack(ack::Args),
    Adopt(adopt::Args),
    Notify(notify::Args),
    Catalogue(catalogue::Args),
    Prune(prune::Args),
    Demo(demo::Args),
    Completions(generate::CompletionsArgs),
    Man(generate::ManArgs),
}

/// What a command works with.
struct Context {
    config: Option<PathBuf>,
    out: Box<dyn Write>,
}

/// Parses the arguments, runs the command, and turns what it came to into an exit code.
pub fn run() -> ExitCode {
    without_core_dumps();
    logger::start();
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(usage) => {
            let _ = usage.print();
            let exit = if usage.use_stderr() {
                status::usage(std::env::args_os())
            } else {
                Exit::Ok
            };
            return exit.into();
        }
    };
    let mut context = Context {
        config: cli.config,
        out: Box::new(io::BufWriter::new(io::stdout())),
    };
    let result = dispatch(&mut context, cli.command);
    let flushed = context.out.flush().map_err(written);
    match result.and_then(|exit| flushed.map(|()| exit)) {
        Ok(exit) => exit.into(),
        Err(error) => say(&error).into(),
    }
}

fn dispatch(context: &mut Context, command: Command) -> Result<Exit> {
    match command {
        Command::Init(args) => init::run(context, args),
        Command::Pull(args) => pull::run(context, args),
        Command::Status(args) => status::run(context, args),
        Command::Ls(args) => ls::run(context, args),
        Command::Show(args) => show::run(context, args),
        Command::Restore(args) => restore::run(context, args),
        Command::Scrub(args) => scrub::run(context, args),
        Command::Mirror(args) => mirror::run(context, args),
        Command::Drill(args) => drill::run(context, args),
        Command::Log(args) => log::run(context, args),
        Command::Ack(args) => ack::run(context, args),
        Command::Adopt(args) => adopt::run(context, args),
        Command::Notify(args) => notify::run(context, args),
        Command::Catalogue(args) => catalogue::run(context, args),
        Command::Prune(args) => prune::run(context, args),
        Command::Demo(args) => demo::run(context, args),
        Command::Completions(args) => generate::completions(context, args),
        Command::Man(args) => generate::man(context, args),
    }
}

/// Prints an error and its way out to standard error, and says which exit code it is.
fn say(error: &Error) -> Exit {
    if is_broken_pipe(error) {
        // The reader went away (`offsite ls | head`): it has what it wanted.
        return Exit::Ok;
    }
    let mut err = io::stderr().lock();
    let _ = writeln!(err, "error: {error}");
    if let Some(hint) = error.way_out() {
        let _ = writeln!(err, "  -> {}", crate::object::printable(hint));
    }
    Exit::of(error.kind())
}

/// Prints something that did not work and changes nothing of the exit code.
fn warn(what: &str, error: &Error) {
    let mut err = io::stderr().lock();
    let _ = writeln!(err, "warning: {what}: {error}");
    if let Some(hint) = error.way_out() {
        let _ = writeln!(err, "  -> {}", crate::object::printable(hint));
    }
}

/// A failure to write a result to standard output.
fn written(error: io::Error) -> Error {
    Error::new(Kind::Run, "cannot write the result").because(error)
}

fn is_broken_pipe(error: &Error) -> bool {
    let source = std::error::Error::source(error);
    source
        .and_then(|source| source.downcast_ref::<io::Error>())
        .is_some_and(|source| source.kind() == io::ErrorKind::BrokenPipe)
}

/// A core dump would hold the key: none is written (promise P8).
fn without_core_dumps() {
    use rustix::process::{Resource, Rlimit, setrlimit};
    let none = Rlimit {
        current: Some(0),
        maximum: Some(0),
    };
    if let Err(error) = setrlimit(Resource::Core, none) {
        ::log::warn!("core dumps could not be switched off: {error}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory as _;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }
}
