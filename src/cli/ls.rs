//! `offsite ls`

use super::view::{StoreArg, View, parse_at};
use super::{Context, Exit, written};
use crate::catalogue::Query;
use crate::config::glob_set;
use crate::error::Result;
use crate::object::SourceName;
use crate::report;

/// List what is on the drive
///
/// Patterns are whole keys with * (within a folder), ** (across folders), ?, [a-z], {this,that}.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Only keys that match one of these
    #[arg(value_name = "PATTERN")]
    patterns: Vec<String>,
    /// Only this source
    #[arg(long, value_name = "NAME")]
    source: Option<SourceName>,
    /// As the bucket was then: RFC 3339, a local date, or -3d
    #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
    at: Option<String>,
    /// Every version, with its path
    #[arg(long)]
    versions: bool,
    /// Print one JSON object a line
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    store: StoreArg,
}

pub(super) fn run(context: &mut Context, args: Args) -> Result<Exit> {
    let view = View::open_to_find(context, &args.store)?;
    view.has(args.source.as_ref())?;
    let patterns = glob_set(&args.patterns)?;
    let query = Query {
        source: args.source,
        at: args.at.as_deref().map(parse_at).transpose()?,
        all_versions: args.versions,
        unheld: false,
    };
    let out = &mut context.out;
    view.catalogue.list(&query, &mut |version| {
        if !args.patterns.is_empty() && !patterns.is_match(version.key.as_str()) {
            return Ok(());
        }
        if args.json {
            report::lines(out, [report::version_json(&version)]).map_err(written)
        } else {
            report::version_line(out, &version, args.versions).map_err(written)
        }
    })?;
    Ok(Exit::Ok)
}
