//! `offsite show`

use super::view::{StoreArg, View};
use super::{Context, Exit, written};
use crate::error::{Error, Kind, Result};
use crate::object::SourceName;
use crate::report;

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
    let view = View::open(context, &args.store)?;
    view.has(args.source.as_ref())?;
    let (mut versions, mut markers) = (Vec::new(), Vec::new());
    for source in view.catalogue.sources()? {
        if args.source.as_ref().is_none_or(|name| *name == source.name) {
            versions.extend(view.catalogue.versions_of(&source.name, &args.key)?);
            markers.extend(view.catalogue.markers_of(&source.name, &args.key)?);
        }
    }
    if versions.is_empty() && markers.is_empty() {
        let key = crate::object::printable(&args.key);
        return Err(
            Error::new(Kind::Usage, format!("no version of {key} is known"))
                .hint("`offsite ls` lists the keys; a key is written whole, with its folders"),
        );
    }
    let out = &mut context.out;
    if args.json {
        report::lines(out, versions.iter().map(report::version_json)).map_err(written)?;
        report::lines(out, markers.iter().map(report::marker_json)).map_err(written)?;
    } else {
        let mut happened = view.catalogue.events(Some(&args.key), EVENTS)?;
        happened.retain(|row| args.source.as_ref().is_none_or(|name| *name == row.source));
        report::show(out, &versions, &markers, &happened).map_err(written)?;
    }
    Ok(Exit::Ok)
}
