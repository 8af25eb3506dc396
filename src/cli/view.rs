//! What the reading commands share: where the configuration and the store are, opened to read.

use super::{Context, warn};
use crate::catalogue::Catalogue;
use crate::config::{Config, StoreConfig};
use crate::error::{Error, Kind, Result};
use crate::home::{INSTEAD, from_journals};
use crate::object::{SourceName, Timestamp};
use crate::store::{Reader, Store};
use crate::watch::Limits;
use jiff::SignedDuration;
use std::io::Write as _;
use std::path::{Path, PathBuf};

/// The option that every reading command takes.
#[derive(Debug, clap::Args)]
pub(super) struct StoreArg {
    /// Read this store alone: no configuration needed, a read-only mount will do
    #[arg(long, value_name = "DIR")]
    pub(super) store: Option<PathBuf>,
}

/// A store opened to read.
pub(super) struct View {
    pub(super) reader: Reader,
    pub(super) catalogue: Catalogue,
    pub(super) config: Option<Config>,
}

impl View {
    pub(super) fn open(context: &Context, store: &StoreArg) -> Result<Self> {
        let (reader, config) = open_store(context, store)?;
        Ok(Self {
            catalogue: Catalogue::open_read(&reader.catalogue_path())?,
            reader,
            config,
        })
    }

    /// The same, to say what there is to restore: of a store that the owner named, without its catalogue too.
    pub(super) fn open_to_find(context: &Context, store: &StoreArg) -> Result<Self> {
        let (reader, config) = open_store(context, store)?;
        let opened = Catalogue::open_read(&reader.catalogue_path());
        let catalogue = match opened {
            Err(error) if error.kind() == Kind::Damaged && config.is_none() => {
                warn(INSTEAD, &error);
                from_journals(&reader)?.catalogue
            }
            opened => opened?,
        };
        Ok(Self {
            reader,
            catalogue,
            config,
        })
    }

    /// Whether the store has the source that was asked for: an answer about another name would be
    /// an empty one.
    pub(super) fn has(&self, source: Option<&SourceName>) -> Result<()> {
        let Some(wanted) = source else { return Ok(()) };
        has(&self.catalogue, wanted)
    }
}

/// The store to read: the one that the owner named, or the configured one.
pub(super) fn open_store(context: &Context, store: &StoreArg) -> Result<(Reader, Option<Config>)> {
    let (dir, config) = match &store.store {
        Some(dir) => (dir.clone(), None),
        None => {
            let config = read_config(context)?;
            (config.store.path.clone(), Some(config))
        }
    };
    let reader = Store::open_read(&dir)?;
    if let Some(wanted) = config.as_ref().and_then(|c| c.store.id.as_ref())
        && *wanted != reader.marker().id
    {
        let what = format!(
            "the store at {} is another one: it is {}, the configuration says {wanted}",
            dir.display(),
            reader.marker().id
        );
        return Err(Error::new(Kind::Store, what)
            .hint("is the right drive plugged in? A clone or a replacement: `offsite init --rebind`. `--store DIR` reads any store as it is"));
    }
    Ok((reader, config))
}

/// Says what is read in the place of a catalogue, and why.
pub(super) fn doubt(why: &str) {
    let why = crate::object::printable(why);
    let _ = writeln!(std::io::stderr(), "warning: {why}");
}

/// Whether the catalogue knows the source.
pub(super) fn has(catalogue: &Catalogue, wanted: &SourceName) -> Result<()> {
    let known = catalogue.sources()?;
    if known.iter().any(|row| row.name == *wanted) {
        return Ok(());
    }
    let names: Vec<&str> = known.iter().map(|row| row.name.as_str()).collect();
    let what = format!("there is no source {wanted} in this store");
    Err(Error::new(Kind::Usage, what).hint(format!("it has: {}", names.join(", "))))
}

/// From when on something is a finding, as the configuration says.
pub(super) fn limits(config: &Config) -> Limits {
    let span = |setting| SignedDuration::try_from(setting).unwrap_or(SignedDuration::MAX);
    Limits {
        overdue: span(config.pull_overdue),
        rotate_after: span(config.rotate_after),
    }
}

/// The configured store, or the one that the owner named.
pub(super) fn store_config(context: &Context, store: Option<PathBuf>) -> Result<StoreConfig> {
    Ok(match store {
        None => read_config(context)?.store,
        Some(path) => StoreConfig {
            path,
            id: None,
            min_free: 0,
            allow_root_fs: true,
        },
    })
}

/// The configuration in force.
pub(super) fn read_config(context: &Context) -> Result<Config> {
    Config::read(&config_path(context)?)
}

/// Where the configuration in force is.
pub(super) fn config_path(context: &Context) -> Result<PathBuf> {
    if let Some(named) = named_config(context) {
        return Ok(named);
    }
    let places = usual_places();
    places
        .iter()
        .find(|place| place.exists())
        .cloned()
        .ok_or_else(|| {
            let names: Vec<String> = places.iter().map(|p| p.display().to_string()).collect();
            Error::new(
                Kind::Usage,
                format!("there is no configuration at {}", names.join(" or ")),
            )
            .hint("`offsite init` writes one; `-c FILE` or $OFFSITE_CONFIG names another; `--store DIR` reads a drive without one; `offsite demo` needs none")
        })
}

/// The configuration that the owner named, by option or environment.
pub(super) fn named_config(context: &Context) -> Option<PathBuf> {
    let variable = std::env::var_os("OFFSITE_CONFIG").filter(|value| !value.is_empty());
    context.config.clone().or(variable.map(PathBuf::from))
}

/// Where a configuration lies when none is named.
pub(super) fn usual_places() -> Vec<PathBuf> {
    let config_home = std::env::var_os("XDG_CONFIG_HOME")
        .map(PathBuf::from)
        .filter(|dir| dir.is_absolute())
        .or_else(|| std::env::var_os("HOME").map(|home| Path::new(&home).join(".config")));
    config_home
        .map(|dir| dir.join("offsite/offsite.toml"))
        .into_iter()
        .chain([PathBuf::from("/etc/offsite/offsite.toml")])
        .collect()
}

/// A moment as `--at` takes it: RFC 3339, a local date (its end) or date and time, or `-3d`.
pub(super) fn parse_at(text: &str) -> Result<Timestamp> {
    let zone = jiff::tz::TimeZone::system();
    if let Ok(at) = text.parse::<Timestamp>() {
        return Ok(at);
    }
    let local = text
        .parse::<jiff::civil::Date>()
        .map(|date| date.at(23, 59, 59, 0))
        .ok()
        .filter(|_| !text.contains(['T', ' ']))
        .or_else(|| text.replace(' ', "T").parse::<jiff::civil::DateTime>().ok());
    if let Some(zoned) = local.and_then(|local| local.to_zoned(zone).ok()) {
        return Ok(zoned.timestamp());
    }
    let ago = text.strip_prefix('-').and_then(|span| {
        let span: jiff::Span = span.parse().ok()?;
        jiff::Zoned::now().checked_sub(span).ok()
    });
    ago.map(|zoned| zoned.timestamp()).ok_or_else(|| {
        Error::new(Kind::Usage, format!("{text:?} is not a time"))
            .hint("write 2026-11-21T03:00:00Z, a local date such as 2026-11-21, or -3d")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments() {
        let at = parse_at("2026-11-21T03:00:00Z").unwrap();
        assert_eq!(at.to_string(), "2026-11-21T03:00:00Z");
        let whole_day = parse_at("2026-11-21").unwrap();
        let later = parse_at("2026-11-22 00:00:00").unwrap();
        assert_eq!(later.duration_since(whole_day).as_secs(), 1);
        let ago = Timestamp::now().duration_since(parse_at("-3d").unwrap());
        assert!((71..=73).contains(&ago.as_hours()), "{ago:?}");
        for bad in ["", "yesterday", "2026-13-01", "3d ago maybe"] {
            assert!(parse_at(bad).is_err(), "{bad}");
        }
    }
}
