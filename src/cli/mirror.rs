//! `offsite mirror`

use super::progress::Progress;
use super::pull::stoppable;
use super::turn::open_in_turn;
use super::view::{StoreArg, doubt, has, open_store};
use super::{Context, Exit, say, warn, written};
use crate::config::{Config, StoreConfig};
use crate::error::{Error, Kind, Result};
use crate::home::{self, Home, probe_sqlite};
use crate::mirror::{Mirror, Mirrored};
use crate::object::{Clock, SourceName};
use crate::outcome::Ended;
use crate::report;
use crate::store::{InitOptions, MARKER, Marker, Reader, Store};
use std::io::Write as _;
use std::path::{Path, PathBuf};

/// Follow the store with a second one: another disk, or a NAS
///
/// DIR becomes a full store of its own: restored from, scrubbed and asked with --store DIR. Only
/// what it lacks is copied, proven as it is read, and read back from its drive. Nothing is ever
/// removed there because the first store lost it. The first store is only read. Exit 0: all of it
/// is there; 3: interrupted, the next run goes on; 7: some of the first store is damaged (that is
/// not copied, and named), or its journal was rewritten.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The mirror's folder: empty or not there yet, or the mirror that it became
    /// [default: `[mirror] to`]
    #[arg(long, value_name = "DIR")]
    to: Option<PathBuf>,
    /// Only this source
    #[arg(long, value_name = "NAME")]
    source: Option<SourceName>,
    /// Let a new mirror lie on the root file system
    #[arg(long)]
    allow_root_fs: bool,
    /// Print one JSON object a source, and one for each version that is damaged
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    store: StoreArg,
}

pub(super) fn run(context: &mut Context, args: Args) -> Result<Exit> {
    let (first, config) = open_store(context, &args.store)?;
    let to = destination(&args, config.as_ref())?;
    apart(&first, &to)?;
    let (marker, new) = marker_of(&first, &to, args.allow_root_fs)?;
    let stop = stoppable()?;
    let settings = StoreConfig {
        path: to.clone(),
        // It was allowed when the mirror was made, and it is there.
        allow_root_fs: args.allow_root_fs || marker.facts.on_root,
        id: Some(marker.id),
        min_free: config.map_or(0, |config| config.store.min_free),
    };
    let mut home = open_in_turn(&settings, &stop)?;
    if new && !args.json {
        let to = crate::object::printable(&to.display().to_string());
        writeln!(context.out, "{to} is a new mirror").map_err(written)?;
    }
    let lone = home::catalogue_of(&first, &mut doubt)?;
    let catalogue = lone.catalogue;
    if let Some(source) = &args.source {
        has(&catalogue, source)?;
    }
    let progress = Progress::of("copy");
    let mirror = Mirror {
        first: &first,
        catalogue: &catalogue,
        clock: &Clock::System,
        stop: &stop,
        reporter: &progress,
    };
    let exit = follow(context, &args, &mirror, &mut home)?;
    // What they do not say was not followed.
    let exit = match lone.journals_lack {
        true => exit.and(Exit::Damaged),
        false => exit,
    };
    drop(progress);
    if home.store().still_there().is_err() {
        return Ok(exit);
    }
    if let Err(error) = home.keep_copies() {
        // The copies are for comfort: the journals have it all.
        warn("the mirror's catalogue was not copied", &error);
    }
    home.close()?;
    Ok(exit)
}

/// Every source in turn: one that fails does not keep the others from theirs.
fn follow(
    context: &mut Context,
    args: &Args,
    mirror: &Mirror<'_>,
    home: &mut Home,
) -> Result<Exit> {
    let mut exit = Exit::Ok;
    for source in mirror.catalogue.sources()? {
        if args
            .source
            .as_ref()
            .is_some_and(|only| *only != source.name)
        {
            continue;
        }
        if mirror.stop.requested() {
            exit = exit.and(Exit::Partial);
            break;
        }
        let out = &mut context.out;
        let came_to = mirror.run(home, &source, &mut |lack| {
            match args.json {
                true => report::line(out, &report::lack_json(lack)),
                false => report::lack(out, lack),
            }
            .map_err(written)
        });
        exit = exit.and(match came_to {
            Ok(done) => {
                match args.json {
                    true => report::line(out, &report::mirrored_json(&done)),
                    false => report::mirrored(out, &done),
                }
                .map_err(written)?;
                exit_of(&done)
            }
            Err(error) => say(&error),
        });
    }
    Ok(exit)
}

fn exit_of(done: &Mirrored) -> Exit {
    let ended = match done.ended {
        Ended::Interrupted => Exit::Partial,
        Ended::Complete | Ended::Partial => Exit::Ok,
    };
    match done.counts.failed {
        0 => ended,
        _ => ended.and(Exit::Damaged),
    }
}

fn destination(args: &Args, config: Option<&Config>) -> Result<PathBuf> {
    let configured = config.and_then(|config| config.mirror_to.clone());
    let to = args.to.clone().or(configured).ok_or_else(|| {
        Error::new(Kind::Usage, "it is not said where the mirror is").hint(
            "name its folder with --to DIR, or in the configuration: [mirror] to = \"/mnt/second/offsite\"",
        )
    })?;
    std::path::absolute(&to).map_err(|e| Error::io("find", &to, e))
}

/// Whether neither of the two lies in the other.
fn apart(first: &Reader, to: &Path) -> Result<()> {
    let real = |path: &Path| path.canonicalize().map_err(|e| Error::io("find", path, e));
    let home = real(first.path())?;
    // A folder that is to be made: where it will be.
    let there = match (to.exists(), to.parent(), to.file_name()) {
        (false, Some(above), Some(name)) if above.exists() => real(above)?.join(name),
        // Only the last folder is made: without the way to it there is nothing to compare.
        (false, ..) => return Ok(()),
        (true, ..) => real(to)?,
    };
    let what = match () {
        () if there == home => "is the store itself",
        () if there.starts_with(&home) => "lies in the store",
        () if home.starts_with(&there) => "has the store in it",
        () => return Ok(()),
    };
    let what = format!("{} {what}", to.display());
    Err(Error::new(Kind::Usage, what)
        .hint("a mirror is a folder of its own, best on another drive"))
}

/// The mirror's marker, made if there is none yet; whether it was.
fn marker_of(first: &Reader, to: &Path, allow_root_fs: bool) -> Result<(Marker, bool)> {
    let id = &first.marker().id;
    if !to.join(MARKER).exists() {
        let options = InitOptions {
            allow_root_fs,
            now: Clock::System.now(),
            probe_sqlite: &probe_sqlite,
        };
        return Store::init_mirror(to, id, &options).map(|marker| (marker, true));
    }
    let marker = Store::open_read(to)?.marker().clone();
    let path = to.display();
    let what = match &marker.mirror_of {
        Some(of) if of == id => return Ok((marker, false)),
        Some(of) => format!("{path} is a mirror of store {of}, and this is {id}"),
        None if marker.id == *id => format!("{path} is a clone of the store, not a mirror of it"),
        None => format!("{path} is store {}, and no mirror", marker.id),
    };
    Err(Error::new(Kind::Store, what)
        .hint("is the right drive plugged in? For a new mirror name an empty folder"))
}
