//! The configuration: TOML into a checked [`Config`]. No network, no secrets.

mod address;
mod demands;
mod drill;
mod filter;
mod limits;
mod mirror;
mod notify;
mod source;
mod timetable;

pub use demands::Demands;
pub use drill::DrillConfig;
pub use filter::{Filter, glob_set};
pub use limits::LimitsConfig;
pub use notify::{NotifyConfig, NtfyConfig, SecretPlace, SecretUrl, WebhookConfig};
pub use source::{Addressing, Encryption, SourceConfig, Versions};
pub use timetable::Timetable;

use crate::error::{Error, Kind, Result};
use crate::object::SourceName;
use bytesize::ByteSize;
use serde::Deserialize;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// A checked configuration.
#[derive(Clone, Debug)]
pub struct Config {
    /// The drive.
    pub store: StoreConfig,
    /// The buckets, in the file's order; at least one, names unique.
    pub sources: Vec<SourceConfig>,
    /// What a run may take.
    pub limits: LimitsConfig,
    /// Who is told how each run went.
    pub notify: NotifyConfig,
    /// Where the mirror is, if `mirror` need not be told.
    pub mirror_to: Option<PathBuf>,
    /// What proves that restored backups can be opened, in the file's order.
    pub drills: Vec<DrillConfig>,
    /// A source whose last complete pull is older than this is a finding.
    pub pull_overdue: Duration,
    /// A key in use for longer than this is a finding.
    pub rotate_after: Duration,
}

/// `[store]`.
#[derive(Clone, Debug)]
pub struct StoreConfig {
    /// The store's folder.
    pub path: PathBuf,
    /// The id that the store's marker must carry.
    pub id: Option<String>,
    /// Bytes that must stay free on the drive.
    pub min_free: u64,
    /// Whether the store may lie on the root file system.
    pub allow_root_fs: bool,
}

impl Config {
    /// Reads and checks `file`.
    pub fn read(file: &Path) -> Result<Self> {
        let text = std::fs::read_to_string(file).map_err(|e| {
            Error::new(
                Kind::Usage,
                format!("cannot read the configuration {}", file.display()),
            )
            .because(e)
            .hint("`offsite init` writes one; `-c FILE` or $OFFSITE_CONFIG names another")
        })?;
        Self::parse(&text).map_err(|e| {
            let subject = format!("{}: {}", file.display(), e.subject());
            let error = Error::new(Kind::Usage, subject);
            match e.way_out() {
                Some(hint) => error.hint(hint),
                None => error,
            }
        })
    }

    /// Checks the text of a configuration.
    pub fn parse(text: &str) -> Result<Self> {
        // The parser's own message quotes the line, and the line may hold a secret that someone
        // put there by mistake: only its words and the line's number are passed on.
        let raw: RawConfig = toml::from_str(text).map_err(|e| {
            let line = e
                .span()
                .and_then(|span| text.get(..span.start))
                .map_or(1, |before| before.matches('\n').count() + 1);
            let key = e.span().and_then(|span| setting_at(text, span.start));
            let key = key.map_or_else(String::new, |key| format!("{key}: "));
            let what = format!("line {line}: {key}{}", without_value(e.message()));
            let error = Error::new(Kind::Usage, what);
            if holds_secret_name(e.message()) {
                error.hint("a secret never belongs in this file: credentials = \"systemd:NAME\", \"profile:NAME\", \"process:COMMAND\", \"vault:MOUNT/PATH\" or \"env\" says where it is")
            } else {
                error.hint("`offsite init` writes a commented example of every setting")
            }
        })?;
        raw.check()
    }

    /// The sources called `names`, or all of them when `names` is empty.
    pub fn select(&self, names: &[SourceName]) -> Result<Vec<&SourceConfig>> {
        if names.is_empty() {
            return Ok(self.sources.iter().collect());
        }
        names.iter().map(|name| self.source(name)).collect()
    }

    /// The source called `name`.
    pub fn source(&self, name: &SourceName) -> Result<&SourceConfig> {
        self.sources
            .iter()
            .find(|s| s.name == *name)
            .ok_or_else(|| {
                let names: Vec<&str> = self.sources.iter().map(|s| s.name.as_str()).collect();
                Error::new(
                    Kind::Usage,
                    format!("there is no source {name} in the configuration"),
                )
                .hint(format!("it has: {}", names.join(", ")))
            })
    }
}

/// The default of `[store] min_free`.
const MIN_FREE: u64 = 5 << 30;
/// The default of `[watch] pull_overdue`.
const PULL_OVERDUE: Duration = Duration::from_secs(36 * 3600);
/// The default of `[watch] rotate_after`.
const ROTATE_AFTER: Duration = Duration::from_secs(90 * 24 * 3600);

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawConfig {
    store: RawStore,
    #[serde(default)]
    source: Vec<source::RawSource>,
    #[serde(default)]
    watch: RawWatch,
    #[serde(default)]
    limits: limits::RawLimits,
    #[serde(default)]
    notify: notify::RawNotify,
    #[serde(default)]
    mirror: mirror::RawMirror,
    #[serde(default)]
    drill: Vec<drill::RawDrill>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawStore {
    path: PathBuf,
    id: Option<String>,
    min_free: Option<String>,
    #[serde(default)]
    allow_root_fs: bool,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawWatch {
    pull_overdue: Option<String>,
    rotate_after: Option<String>,
}

impl RawConfig {
    fn check(self) -> Result<Config> {
        let sources = self
            .source
            .into_iter()
            .map(source::RawSource::check)
            .collect::<Result<Vec<_>>>()?;
        if sources.is_empty() {
            return Err(Error::new(Kind::Usage, "no [[source]] is configured")
                .hint("`offsite init` adds one"));
        }
        for (at, source) in sources.iter().enumerate() {
            if sources.iter().take(at).any(|s| s.name == source.name) {
                let what = format!("two sources are called {}", source.name);
                return Err(Error::new(Kind::Usage, what)
                    .hint("a source's name is its folder on the drive: give each its own"));
            }
        }
        let drills = self.drill.into_iter().map(|raw| raw.check(&sources));
        let drills = drills.collect::<Result<_>>()?;
        let span = |text: Option<String>, default| match text {
            Some(text) => parse_duration(&text),
            None => Ok(default),
        };
        Ok(Config {
            store: self.store.check()?,
            sources,
            limits: self.limits.check()?,
            notify: self.notify.check()?,
            mirror_to: self.mirror.check()?,
            drills,
            pull_overdue: span(self.watch.pull_overdue, PULL_OVERDUE)?,
            rotate_after: span(self.watch.rotate_after, ROTATE_AFTER)?,
        })
    }
}

impl RawStore {
    fn check(self) -> Result<StoreConfig> {
        if !self.path.is_absolute() {
            return Err(Error::new(
                Kind::Usage,
                format!("[store] path {} is not absolute", self.path.display()),
            )
            .hint("write the whole path, such as /mnt/usb/offsite"));
        }
        let min_free = match &self.min_free {
            None => MIN_FREE,
            Some(text) => parse_size("[store] min_free", text)?,
        };
        Ok(StoreConfig {
            path: self.path,
            id: self.id,
            min_free,
            allow_root_fs: self.allow_root_fs,
        })
    }
}

/// A size in bytes, as the configuration and the command line have it; `name` is whose.
pub fn parse_size(name: &str, text: &str) -> Result<u64> {
    let size = text.parse::<ByteSize>().map_err(|_| {
        Error::new(Kind::Usage, format!("{name} {text:?} is not a size"))
            .hint("write a number and a unit, such as \"5 GiB\"")
    });
    size.map(|size| size.as_u64())
}

/// A span of time, as the configuration and the command line have it.
pub fn parse_duration(text: &str) -> Result<Duration> {
    let bad = || {
        Error::new(Kind::Usage, format!("{text:?} is not a span of time"))
            .hint("write hours or days, such as \"36h\" or \"2d\"")
    };
    let span: jiff::SignedDuration = match text.strip_suffix('d') {
        Some(days) => {
            let days: u32 = days.trim().parse().map_err(|_| bad())?;
            jiff::SignedDuration::from_hours(i64::from(days) * 24)
        }
        None => text.parse().map_err(|_| bad())?,
    };
    Duration::try_from(span).map_err(|_| bad())
}

/// The name of the setting on the line around `at`, where the line looks like one.
fn setting_at(text: &str, at: usize) -> Option<&str> {
    let begin = text.get(..at)?.rfind('\n').map_or(0, |newline| newline + 1);
    let (name, _) = text.get(begin..)?.lines().next()?.split_once('=')?;
    let name = name.trim();
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    (!name.is_empty() && name.chars().all(plain)).then_some(name)
}

/// The parser's words without the value that it found: serde says `invalid type: string "…",
/// expected …` and ``unknown variant `…`, expected …``.
fn without_value(message: &str) -> String {
    let message = message.replace('\n', ", ");
    let about_a_value = ["invalid type: ", "invalid value: ", "unknown variant "]
        .iter()
        .any(|words| message.starts_with(words));
    match message.rsplit_once(", expected ") {
        Some((_, expected)) if about_a_value => format!("the value is not {expected}"),
        _ if about_a_value => "the value is not what belongs here".to_owned(),
        _ => message,
    }
}

fn holds_secret_name(message: &str) -> bool {
    let message = message.to_ascii_lowercase();
    ["secret", "access_key", "password", "token"]
        .iter()
        .any(|word| message.contains(word))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(source: &str) -> String {
        format!(
            "[store]\npath = \"/mnt/x\"\n[[source]]\nname = \"www\"\nbucket = \"b\"\n{source}\n"
        )
    }

    #[test]
    fn the_shortest_configuration() {
        let config = Config::parse(&with("region = \"eu-north-1\"")).unwrap();
        assert_eq!(config.store.min_free, 5 << 30);
        assert_eq!(config.pull_overdue, Duration::from_secs(36 * 3600));
        let source = &config.sources[0];
        assert_eq!(source.credentials, "env");
        assert_eq!(source.endpoint, None);
        assert_eq!(source.encryption, Encryption::Warn);
        assert!(source.filter.takes("anything/at all"));
    }

    /// Each wrong file names the thing, and never quotes the line.
    #[test]
    fn wrong_configurations_are_named() {
        let other =
            with("region = \"x\"\n[[source]]\nname = \"www\"\nbucket = \"c\"\nregion = \"x\"");
        for (text, words) in [
            (with("regoin = \"x\""), "regoin"),
            (with("region = \"x\"\nsecret_access_key = \"hunter2\""), "secret_access_key"),
            (with(""), "no region"),
            (with("endpoint = \"fra1.example.com\""), "not a URL"),
            (with("endpoint = \"http://fra1.example.com\""), "not encrypted"),
            (with("endpoint = \"https://me:hunter2@example.com\""), "holds a name or a password"),
            (with("endpoint = \"https:///x\""), "names no host"),
            (with("region = \"x\"\nversions = \"some\""), "versions: the value is not one of `auto`, `all`, `current`"),
            (with("region = \"x\"\nencryption = \"hunter2\""), "encryption: the value is not one of `require`, `warn`, `ignore`"),
            (with("region = \"x\"\nallow_http = \"hunter2\""), "allow_http: the value is not a boolean"),
            (with("region = \"x\"\ninclude = \"hunter2\""), "include: the value is not a sequence"),
            (with("region = \"x\"\ninclude = [\"[\"]"), "not a pattern"),
            (with("region = \"x\"\nminisign = \"hunter2\""), "no public key"),
            (with("region = \"x\"\nminisign = 7"), "minisign: the value is not a text or a list of texts"),
            (with("region = \"x\"\nrequire = \"hunter2\""), "require: the value is not one of `signed`"),
            (with("region = \"x\"\nrequire = \"signed\""), "no key to check signatures with"),
            (with("region = \"x\"\nsigned = [\"*\"]"), "no key to check signatures with"),
            (with("region = \"x\"\n[watch]\npull_overdue = \"soon\""), "span of time"),
            (other, "two sources"),
            ("[store]\npath = \"relative\"\n[[source]]\nname = \"w\"\nbucket = \"b\"\nregion = \"x\"".into(), "not absolute"),
            ("[store]\npath = \"/x\"\nmin_free = \"lots\"\n[[source]]\nname = \"w\"\nbucket = \"b\"\nregion = \"x\"".into(), "not a size"),
            ("[store]\npath = \"/x\"".into(), "no [[source]]"),
            ("[store\n".into(), "line 1"),
        ] {
            let error = Config::parse(&text).unwrap_err();
            assert!(error.to_string().contains(words), "{error} lacks {words:?}");
            assert!(!error.to_string().contains("hunter2"), "{error}");
            assert_eq!(error.kind(), Kind::Usage);
        }
    }

    #[test]
    fn http_is_for_loopback_or_by_permission() {
        for good in [
            "endpoint = \"http://127.0.0.1:8333\"",
            "endpoint = \"http://[::1]:8333/\"",
            "endpoint = \"http://localhost:1\"",
            "endpoint = \"http://nas.lan:9000\"\nallow_http = true",
            "endpoint = \"https://s3.example.com\"",
        ] {
            assert!(Config::parse(&with(good)).is_ok(), "{good}");
        }
        assert!(Config::parse(&with("endpoint = \"http://127.0.0.1.example.com\"")).is_err());
    }

    #[test]
    fn filters_take_whole_keys() {
        let filter = Filter::new(
            "www/",
            &["www/*.age".into(), "www/db/**".into()],
            &["**/tmp/**".into()],
        )
        .unwrap();
        for (key, taken) in [
            ("www/a.age", true),
            ("www/x/a.age", false),
            ("www/db/x/y", true),
            ("www/db/tmp/y", false),
            ("other/a.age", false),
        ] {
            assert_eq!(filter.takes(key), taken, "{key}");
        }
    }

    #[test]
    fn spans_of_time() {
        for (text, hours) in [("36h", 36), ("2d", 48), ("90 minutes", 1)] {
            assert_eq!(parse_duration(text).unwrap().as_secs() / 3600, hours);
        }
        assert!(parse_duration("-1h").is_err());
    }
}
