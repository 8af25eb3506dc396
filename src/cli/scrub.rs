//! `offsite scrub`

use super::progress::Progress;
use super::pull::{runtime, stoppable};
use super::view::{StoreArg, doubt, open_store, read_config, store_config};
use super::{Context, Exit, say, warn, written};
use crate::catalogue::Catalogue;
use crate::config::{Config, LimitsConfig, StoreConfig, parse_duration, parse_size};
use crate::error::{Error, Kind, Result};
use crate::home::{self, Home};
use crate::night::{Buckets, Night};
use crate::object::Clock;
use crate::outcome::Silent;
use crate::report;
use crate::scrub::{Found, Ground, Healer, Limits, OtherStore, Scrub};
use crate::store::{Manner, Reader, Store};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A part of the copy's bytes is read by default: all of it in so many runs.
const PART: u64 = 30;

/// Read the copy again, a part each time, and say what is not what was stored
///
/// Files that were never checked come first, then those checked least recently; the next run goes on
/// where this one ended. What is read is read from the drive, not from memory. Said are: files that have
/// rotted, are cut short, missing, or changed by hand; files that nothing vouches for; journals that
/// are not what was written; lines of SHA256SUMS that are wrong. With a limit, unknown files and journals
/// are looked at while there is time, and then those whose turn it is that day; what was not is said.
/// Exit 0: what was read is whole; 7: some of it is not; 3: all of that you have acknowledged
/// (`offsite ack`); or interrupted, or files that nobody knows. Other commands have the store between two
/// files that are read; while it looks around and heals at the end, they end with 6.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Read so many bytes that are right, and the file that reaches it to its end: "20GiB" [default: a
    /// thirtieth of the copy]
    #[arg(long, value_name = "SIZE")]
    budget: Option<String>,
    /// Read for so long, and the file that is being read then to its end: "30m"
    #[arg(long = "for", value_name = "TIME")]
    time: Option<String>,
    /// Read all of it, and look at everything around it
    #[arg(long, conflicts_with_all = ["budget", "time"])]
    all: bool,
    /// Put the very bytes that were stored in the place of what is damaged: from another name on the
    /// drive, from the mirror or --from, or fetched once more from the bucket
    ///
    /// What is damaged waits in quarantine/ until they stand, synced. A version whose file a rebuild of the
    /// catalogue found lost gets one again, with the bytes that another store has of it.
    #[arg(long)]
    heal: bool,
    /// With --heal: take good bytes from this store, a mirror of this one or the one that this mirrors
    /// [default: `[mirror] to`]
    #[arg(long, value_name = "DIR", requires = "heal")]
    from: Vec<PathBuf>,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    store: StoreArg,
}

pub(super) fn run(context: &mut Context, args: Args) -> Result<Exit> {
    in_the_background();
    let stop = stoppable()?;
    let config = match &args.store.store {
        None => Some(read_config(context)?),
        Some(_) => None,
    };
    let progress = Progress::of("check");
    let limits = Limits {
        bytes: args
            .budget
            .as_deref()
            .map(|text| parse_size("--budget", text))
            .transpose()?,
        time: args.time.as_deref().map(parse_duration).transpose()?,
    };
    let scrub = Scrub {
        limits,
        clock: &Clock::System,
        stop: &stop,
        reporter: &progress,
    };
    let (found, damaged, done) = match open(context, &args)? {
        Opened::Home(home) => {
            // Afterwards it must be this very one.
            let store = StoreConfig {
                id: Some(home.store().marker().id.clone()),
                ..store_config(context, args.store.store.clone())?
            };
            let open = || open_home(&store);
            let (found, done) = in_home(&args, config.as_ref(), (*home, &open), scrub)?;
            (found, false, done)
        }
        Opened::Alone(alone) => {
            let (found, done) = alone.read(&args, scrub)?;
            (found, alone.damaged, done)
        }
    };
    drop(progress);
    match args.json {
        true => report::line(&mut context.out, &report::scrubbed_json(&found)),
        false => report::scrubbed(&mut context.out, &found, args.heal),
    }
    .map_err(written)?;
    // What was found is worth more than why it could not be healed or written down.
    let exit = match done {
        Ok(()) => exit_of(&found),
        Err(error) => exit_of(&found).and(say(&error)),
    };
    Ok(if damaged {
        exit.and(Exit::Damaged)
    } else {
        exit
    })
}

fn exit_of(found: &Found) -> Exit {
    let damaged = found.unhealed() + found.journals.len() + found.unread.len();
    let known = found.acknowledged && found.catalogue.is_empty();
    let whole = match damaged + found.catalogue.len() {
        0 => Exit::Ok,
        // The alarm was heard: what nobody can heal does not ring it every night.
        _ if known => Exit::Partial,
        _ => Exit::Damaged,
    };
    match found.interrupted || found.given_up || found.unknown > 0 {
        true => whole.and(Exit::Partial),
        false => whole,
    }
}

/// What is only read.
struct Alone {
    reader: Reader,
    catalogue: Box<Catalogue>,
    /// Whether that is because the journal or the catalogue is damaged.
    damaged: bool,
}

/// The copy, as far as it can be opened.
enum Opened {
    Home(Box<Home>),
    /// It cannot be written, or its journal or catalogue must be made anew first.
    Alone(Alone),
}

fn open(context: &Context, args: &Args) -> Result<Opened> {
    let config = store_config(context, args.store.store.clone())?;
    let why = match open_home(&config) {
        Ok(home) => return Ok(Opened::Home(Box::new(home))),
        // Nothing is to be written but what was found: a drive that is full is checked, too.
        Err(error) if matches!(error.kind(), Kind::Store | Kind::Damaged) => error,
        Err(error) => return Err(error),
    };
    let (reader, _) = open_store(context, &args.store)?;
    warn("nothing is noted of what this scrub reads", &why);
    let catalogue = home::catalogue_of(&reader, &mut doubt)?.catalogue;
    Ok(Opened::Alone(Alone {
        damaged: why.kind() == Kind::Damaged,
        catalogue: Box::new(catalogue),
        reader,
    }))
}

fn open_home(config: &StoreConfig) -> Result<Home> {
    let reading = StoreConfig {
        // Reading needs no room.
        min_free: 0,
        ..config.clone()
    };
    let manner = Manner {
        gives_way: true,
        ..Manner::default()
    };
    let mut home = Home::open_as(&reading, Clock::System, manner)?;
    // Healing does.
    home.keep_free(config.min_free);
    for source in home.store().reader().sources()? {
        home.shelf_of(&source)?;
    }
    Ok(home)
}

/// What a run found, and whether it came to its end.
type Outcome = (Found, Result<()>);

fn in_home(
    args: &Args,
    config: Option<&Config>,
    (home, open): (Home, &dyn Fn() -> Result<Home>),
    mut scrub: Scrub<'_>,
) -> Result<Outcome> {
    scrub.limits = limits(args, scrub.limits, home.catalogue())?;
    // Whom to ask is looked at before hours of reading.
    let night = match (args.heal, config) {
        (true, Some(config)) => Some(night(config, &scrub)?),
        _ => None,
    };
    let mut healers: Vec<Box<dyn Healer + '_>> = Vec::new();
    for dir in &args.from {
        healers.push(Box::new(other(dir, home.store(), &scrub)?));
    }
    if let Some(dir) = mirror_to_ask(args, config) {
        match other(dir, home.store(), &scrub) {
            Ok(mirror) => healers.push(Box::new(mirror)),
            // It was not asked for: what it cannot heal is said of each file.
            Err(error) => warn("the mirror is not asked for good bytes", &error),
        }
    }
    if let (Some(night), Some(config)) = (&night, config) {
        healers.push(Box::new(Buckets::new(night, &config.sources)));
    }
    let mut found = Found::default();
    let (home, read) = scrub.read_in_turn(home, open, &mut found);
    let Some(mut home) = home else {
        return Ok((found, read));
    };
    let healers = (args.heal && read.is_ok()).then_some(healers);
    let written = scrub.write_down(&mut home, &mut found, healers);
    let closed = home.close();
    Ok((found, read.and(written).and(closed)))
}

impl Alone {
    fn cannot_be_healed(&self) -> Error {
        let what = format!("{} cannot be healed as it is", self.reader.path().display());
        Error::new(Kind::Store, what).hint("mount it for writing; where its journal or catalogue is damaged, run `offsite catalogue rebuild` first")
    }

    fn read(&self, args: &Args, mut scrub: Scrub<'_>) -> Result<Outcome> {
        scrub.limits = limits(args, scrub.limits, &self.catalogue)?;
        let mut found = Found::default();
        let ground = &mut Ground::Alone(&self.reader, &self.catalogue);
        let read = scrub.read(ground, &mut found);
        // What was found is said all the same.
        let healed = match args.heal {
            true => Err(self.cannot_be_healed()),
            false => Ok(()),
        };
        Ok((found, read.and(healed)))
    }
}

/// What the owner said, else a part of the copy.
fn limits(args: &Args, said: Limits, catalogue: &Catalogue) -> Result<Limits> {
    if args.all || said != Limits::default() {
        return Ok(said);
    }
    let bytes: u64 = catalogue.counts(None)?.iter().map(|c| c.bytes).sum();
    Ok(Limits {
        bytes: Some(bytes.div_ceil(PART)),
        ..said
    })
}

fn night(config: &Config, scrub: &Scrub<'_>) -> Result<Night> {
    Ok(Night {
        runtime: runtime()?,
        limits: LimitsConfig {
            max_object: None,
            ..config.limits.clone()
        },
        clock: Clock::System,
        stop: scrub.stop.clone(),
        reporter: Arc::new(Silent),
    })
}

/// The mirror that the configuration names, where no other store is named.
fn mirror_to_ask<'c>(args: &Args, config: Option<&'c Config>) -> Option<&'c Path> {
    let mirror = config.and_then(|config| config.mirror_to.as_deref());
    mirror.filter(|_| args.heal && args.from.is_empty())
}

/// Another store to heal from.
fn other<'s>(dir: &Path, own: &Store, scrub: &Scrub<'s>) -> Result<OtherStore<'s>> {
    let reader = Store::open_read(dir)?;
    if reader.marker().id == own.marker().id {
        let what = format!("{} is this very store, or a clone of it", dir.display());
        return Err(Error::new(Kind::Usage, what)
            .hint("name a mirror of it, or the store that this is a mirror of"));
    }
    Ok(OtherStore {
        catalogue: home::catalogue_of(&reader, &mut doubt)?.catalogue,
        reader,
        stop: scrub.stop,
        reporter: scrub.reporter,
    })
}

/// Everybody else comes first, on the processor and on the drive: a process without an I/O priority of
/// its own has one by its niceness (ioprio_set(2)).
fn in_the_background() {
    if let Err(error) = rustix::process::setpriority_process(None, 19) {
        log::debug!("the scrub runs at the usual priority: {error}");
    }
}
