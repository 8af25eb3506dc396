//! `offsite show`

use super::view::{StoreArg, View};
use super::{Context, Exit, written};
use crate::error::{Error, Kind, Result};
use crate::object::SourceName;
use crate::report;
use std::io::Write;

/// So many events about a key are shown.
const EVENTS: u32 = 20;

/// Tell a key's whole story: every version, each piece of its evidence (what it covered, what it
/// expected, and whether it holds, fails or is silent), where its bytes are, the delete markers that
/// hide or hid it, what happened to it
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The object's key
    key: String,
    /// Only this source
    #[arg(long, value_name = "NAME")]
    source: Option<SourceName>,
    /// Print one JSON object a version
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    store: StoreArg,
}

pub(super) fn run(context: &mut Context, args: Args) -> Result<Exit> {
    let view = View::open_to_find(context, &args.store)?;
    view.has(args.source.as_ref())?;
    let out = &mut context.out;
    let mut known = 0_u64;
    // A blank line between two.
    let mut next = |out: &mut dyn Write| {
        known += 1;
        match known == 1 || args.json {
            true => Ok(()),
            false => writeln!(out),
        }
    };
    let wanted = |name: &SourceName| args.source.as_ref().is_none_or(|wanted| wanted == name);
    let sources = view.catalogue.sources()?.into_iter().map(|row| row.name);
    for source in sources.filter(wanted) {
        view.catalogue
            .versions_of(&source, &args.key, &mut |version| {
                next(out).map_err(written)?;
                match args.json {
                    true => report::line(out, &report::version_json(&version)),
                    false => report::version(out, &version),
                }
                .map_err(written)
            })?;
        for marker in view.catalogue.markers_of(&source, &args.key)? {
            next(out).map_err(written)?;
            match args.json {
                true => report::line(out, &report::marker_json(&marker)),
                false => report::marker(out, &marker),
            }
            .map_err(written)?;
        }
    }
    if known == 0 {
        let key = crate::object::printable(&args.key);
        return Err(
            Error::new(Kind::Usage, format!("no version of {key} is known"))
                .hint("`offsite ls` lists the keys; a key is written whole, with its folders"),
        );
    }
    if !args.json {
        let mut happened = view.catalogue.events(Some(&args.key), EVENTS)?;
        happened.retain(|row| wanted(&row.source));
        if !happened.is_empty() {
            writeln!(out).map_err(written)?;
        }
        report::events(out, &happened).map_err(written)?;
    }
    Ok(Exit::Ok)
}
