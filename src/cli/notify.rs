//! `offsite notify`

use super::view::read_config;
use super::{Context, Exit, written};
use crate::error::{Error, Kind, Result};
use crate::notify::{Message, Notifier, Told};
use crate::object::{Clock, printable};
use std::io::Write as _;

/// Try out whether those that `[notify]` names can be told
///
/// Sends a test message to each and says whether it was taken. A healthcheck gets it as a log
/// entry, which changes nothing of its state.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Send a test message to everybody
    #[arg(long, required = true)]
    test: bool,
}

pub(super) fn run(context: &mut Context, _args: Args) -> Result<Exit> {
    let config = read_config(context)?;
    let runtime = super::pull::runtime()?;
    let notifier = Notifier::new(&config.notify, runtime.handle());
    if !notifier.has_somebody() {
        return Err(Error::new(Kind::Usage, "the configuration names nobody to tell")
            .hint("write a [notify] section with a healthcheck, webhook, ntfy or command; the README has an example of each"));
    }
    let mut exit = Exit::Ok;
    for told in notifier.end(&Message::test(Clock::System.now())) {
        let Told { whom, taken } = told;
        match taken {
            Ok(()) => writeln!(context.out, "{whom}: taken"),
            Err(error) => {
                exit = exit.and(Exit::Failed);
                let hint = error
                    .way_out()
                    .map(|hint| format!("\n  -> {}", printable(hint)));
                writeln!(
                    context.out,
                    "{whom}: NOT taken: {error}{}",
                    hint.unwrap_or_default()
                )
            }
        }
        .map_err(written)?;
    }
    Ok(exit)
}
