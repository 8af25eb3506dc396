//! `offsite restore`

use super::progress::Progress;
use super::pull::stoppable;
use super::view::{StoreArg, doubt, has, open_store, parse_at};
use super::{Context, Exit, warn, written};
use crate::catalogue::Catalogue;
use crate::config::glob_set;
use crate::error::{Error, Kind, Result};
use crate::home::{self, Lone};
use crate::object::{ObjectKey, SourceName};
use crate::outcome::Stop;
use crate::report;
use crate::restore::{Choice, Fate, Item, Keys, Picked, Plan, Restore, Sum, is_of, newest_set};
use crate::store::{Reader, Store, Target};
use crate::watch::sets::missing;
use std::collections::BTreeSet;
use std::io::Write as _;
use std::path::{Path, PathBuf};

/// Get files back from the drive, each proven as it is copied
///
/// Works on a drive alone, mounted read-only, without its catalogue too. Only bytes with the SHA-256
/// that they had when they came from the bucket get their name in DIR; nothing there is overwritten. Run
/// again, it goes on where it stopped. Exit 0: all of it is there; 3: some is not; 7: some is
/// damaged on the drive. The keys' names in DIR are those in latest/.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Keys, or patterns as `ls` takes them: * (within a folder), ** (everything), ?, [a-z], {this,that}
    #[arg(value_name = "PATTERN", required_unless_present = "series")]
    patterns: Vec<String>,
    /// The newest complete set of this series (`status --json` has their names): one file, all
    /// volumes of an archive, or all of a repository
    #[arg(long, value_name = "NAME", conflicts_with_all = ["patterns", "version"])]
    series: Option<String>,
    /// The folder to restore to; made where there is none
    #[arg(long, value_name = "DIR")]
    to: PathBuf,
    /// As the bucket was then: RFC 3339, a local date, or -3d [default: the newest good version of each key]
    #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
    at: Option<String>,
    /// This version: its id in the bucket, or the first eight digits or more of its SHA-256 (`show KEY`)
    #[arg(long, value_name = "ID", conflicts_with = "at")]
    version: Option<String>,
    /// Take what is damaged from this mirror of the store [default: `[mirror] to`, where that is there]
    #[arg(long, value_name = "DIR")]
    mirror: Option<PathBuf>,
    /// Only this source; without it, each source of several gets a folder of its own
    #[arg(long, value_name = "NAME")]
    source: Option<SourceName>,
    /// Replace other files that stand there under the same names
    #[arg(long)]
    force: bool,
    /// Only print what would be restored
    #[arg(long)]
    dry_run: bool,
    /// Print one JSON object a file
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    store: StoreArg,
}

pub(super) fn run(context: &mut Context, args: Args) -> Result<Exit> {
    let (reader, config) = open_store(context, &args.store)?;
    let mirror = match (&args.mirror, config.and_then(|config| config.mirror_to)) {
        (Some(dir), _) => Some(mirror_at(dir, &mut doubt)?),
        // One that is not plugged in is missed only where something is damaged.
        (None, Some(dir)) => mirror_at(&dir, &mut |_| ()).ok(),
        (None, None) => None,
    };
    let mirror = mirror.as_ref();
    let stop = stoppable()?;
    let lone = home::catalogue_of(&reader, &mut doubt)?;
    let came_to = Work::of((&reader, &lone.catalogue), mirror, &args, &stop);
    match came_to.and_then(|work| work.whole(context)) {
        // It was found out while it was read.
        Err(error) if error.kind() == Kind::Damaged => {
            doubt(&format!("{error}: {}", home::INSTEAD));
            let lone = home::from_journals(&reader)?;
            let work = Work::of((&reader, &lone.catalogue), mirror, &args, &stop)?;
            let exit = work.whole(context)?;
            Ok(exit.and(lacking(&lone)))
        }
        came_to => Ok(came_to?.and(lacking(&lone))),
    }
}

/// A mirror, opened to read.
fn mirror_at(dir: &Path, why: &mut dyn FnMut(&str)) -> Result<Mirror> {
    let reader = Store::open_read(dir)?;
    let lone = home::catalogue_of(&reader, why)?;
    Ok((reader, lone.catalogue))
}

type Mirror = (Reader, Catalogue);

/// The newest of what came before a crash may wait in `incoming/`.
fn lacking(lone: &Lone) -> Exit {
    if lone.unplaced == 0 {
        return Exit::Ok;
    }
    let what = format!(
        "a run was cut off before {} of its versions had names: older ones may have come in their place",
        lone.unplaced
    );
    let error = Error::new(Kind::Run, what).hint(
        "mount the drive for writing, let `offsite catalogue check` finish what was begun, and restore again",
    );
    warn("not all of it is the newest", &error);
    Exit::Partial
}

/// One restore.
struct Work<'w> {
    reader: &'w Reader,
    catalogue: &'w Catalogue,
    mirror: Option<&'w Mirror>,
    args: &'w Args,
    stop: &'w Stop,
    choice: Choice<'w>,
    folders: bool,
}

impl<'w> Work<'w> {
    fn of(
        (reader, catalogue): (&'w Reader, &'w Catalogue),
        mirror: Option<&'w Mirror>,
        args: &'w Args,
        stop: &'w Stop,
    ) -> Result<Self> {
        let sources: Vec<_> = catalogue
            .sources()?
            .into_iter()
            .map(|row| row.name)
            .collect();
        if let Some(source) = &args.source {
            has(catalogue, source)?;
        }
        let mut choice = Choice {
            source: args.source.clone(),
            at: args.at.as_deref().map(parse_at).transpose()?,
            version: args.version.clone(),
            keys: Box::new(|_, _| true),
        };
        choice.keys = match &args.series {
            Some(name) => in_series(catalogue, &sources, &choice, name)?,
            None => {
                let globs = glob_set(&args.patterns)?;
                let whole = &args.patterns;
                Box::new(move |_, key: &ObjectKey| {
                    whole.iter().any(|p| p == key.as_str()) || globs.is_match(key.as_str())
                })
            }
        };
        Ok(Self {
            reader,
            catalogue,
            mirror,
            args,
            stop,
            choice,
            folders: args.source.is_none() && sources.len() > 1,
        })
    }

    fn whole(&self, context: &mut Context) -> Result<Exit> {
        let target = Target::open(&self.args.to, self.reader, !self.args.dry_run)?;
        let progress = Progress::of("restore");
        let restore = Restore {
            reader: self.reader,
            catalogue: self.catalogue,
            mirror: self.mirror.map(|(reader, catalogue)| (reader, catalogue)),
            choice: &self.choice,
            target: &target,
            folders: self.folders,
            force: self.args.force,
            stop: self.stop,
            reporter: &progress,
        };
        let mut unheld = 0_u64;
        let mut show = |item: &Item| {
            unheld += u64::from(matches!(item.fate, Fate::Unheld));
            self.show(context, item)
        };
        let mut nothing = |_: &Item| Ok(());
        let plan = match self.args.dry_run {
            true => restore.plan(&mut show)?,
            false => restore.plan(&mut nothing)?,
        };
        if plan.files == 0 {
            return Err(self.no_match());
        }
        restore.check_room(&plan, 0)?;
        if self.args.dry_run {
            self.would(context, &plan)?;
            return Ok(if unheld > 0 { Exit::Partial } else { Exit::Ok });
        }
        let sum = restore.run(&plan, &mut |item| self.show(context, item))?;
        drop(progress);
        if !self.args.json {
            report::restore_sum(&mut context.out, &sum, &self.args.to).map_err(written)?;
        }
        Ok(exit_of(&sum))
    }

    fn show(&self, context: &mut Context, item: &Item) -> Result<()> {
        match self.args.json {
            true => report::line(&mut context.out, &report::restored_json(item)),
            false => report::restored(&mut context.out, item),
        }
        .map_err(written)
    }

    fn would(&self, context: &mut Context, plan: &Plan) -> Result<()> {
        if self.args.json {
            return Ok(());
        }
        let (files, size) = (plan.files, report::bytes(plan.bytes));
        writeln!(context.out, "would restore {files} files ({size})").map_err(written)
    }

    fn no_match(&self) -> Error {
        let what = match &self.args.series {
            Some(name) => format!("the drive has nothing whole of the series {name}"),
            None => format!(
                "the drive has nothing that matches {}",
                self.args.patterns.join(" ")
            ),
        };
        Error::new(Kind::Usage, what).hint(
            "`offsite ls` lists the keys, with --at as they were; * stays within a folder, ** does not; `status --json` has the names of series",
        )
    }
}

/// The keys of the newest complete set of the series in each source.
fn in_series<'k>(
    catalogue: &Catalogue,
    sources: &[SourceName],
    choice: &Choice<'_>,
    name: &str,
) -> Result<Box<Keys<'k>>> {
    let name = name.to_owned();
    let mut all = BTreeSet::new();
    let mut keys = BTreeSet::new();
    for source in sources {
        if choice.source.as_ref().is_some_and(|only| only != source) {
            continue;
        }
        let mut skipped = |key: &ObjectKey, missing: &str| {
            let line = format!(
                "the set of {key} is not complete, {missing} is missing: an older one is taken"
            );
            let _ = writeln!(
                std::io::stderr(),
                "warning: {}",
                crate::object::printable(&line)
            );
        };
        let asked = (source, name.as_str());
        match newest_set(catalogue, asked, choice.at, &missing, &mut skipped)? {
            Picked::Nothing => {}
            Picked::All => drop(all.insert(source.as_str().to_owned())),
            Picked::Set(set) => {
                keys.extend(set.into_iter().map(|key| (source.as_str().to_owned(), key)));
            }
        }
    }
    Ok(Box::new(move |source, key| {
        (all.contains(source) && is_of(key, &name))
            || keys.contains(&(source.to_owned(), key.clone()))
    }))
}

fn exit_of(sum: &Sum) -> Exit {
    let mut exit = Exit::Ok;
    if sum.refused > 0 || sum.interrupted {
        exit = exit.and(Exit::Partial);
    }
    if sum.damaged > 0 {
        exit = exit.and(Exit::Damaged);
    }
    exit
}
