//! Three nights: a first pull, new backups, and an attacker with the server's key.
//!
//! Nothing is staged but the bucket and the calendar: each night is the pull that `offsite pull`
//! runs, through the real client over real HTTP, onto a real drive, and what is printed is what
//! `status`, `log` and `ls` print.

use super::bucket::{Bucket, READER, Server, Versioning};
use crate::catalogue::Query;
use crate::config::{Config, LimitsConfig, SourceConfig, StoreConfig};
use crate::credentials::Credentials;
use crate::error::{Error, Kind, Result};
use crate::home::{Home, probe_sqlite};
use crate::night::{self, Night};
use crate::object::{Clock, Timestamp};
use crate::outcome::{Outcome, Silent, Stop};
use crate::report;
use crate::store::{InitOptions, Store};
use crate::watch::Limits;
use jiff::SignedDuration;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// What the attacker does with the server's key, to the backups of the nights before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Attack {
    /// Overwrites the first night's archive of the site.
    pub overwrite: bool,
    /// Deletes the second night's dump of the database.
    pub delete: bool,
}

/// The demo's world.
pub struct Story {
    folder: PathBuf,
    bucket: Bucket,
    clock: Clock,
    last_night: Timestamp,
    recipient: age::x25519::Recipient,
    source: SourceConfig,
    store: StoreConfig,
    night: Night,
    credentials: Credentials,
    _server: Server,
}

/// The demo's bucket, and the name of its source.
const BUCKET: &str = "www-backups";
/// A day; the nights are one apart, and the last is now.
const DAY: SignedDuration = SignedDuration::from_hours(24);

impl Story {
    /// Sets the stage in `folder`: the store will be `folder/store`.
    pub fn new(folder: &Path, runtime: tokio::runtime::Runtime) -> Result<Self> {
        let last_night = Clock::System.now();
        let clock = Clock::standing_at(last_night);
        let bucket = Bucket::new(BUCKET, clock.clone());
        bucket.set_versioning(Versioning::Enabled);
        let server = Server::start(vec![bucket.clone()], None)?;
        let path = folder.join("store");
        let options = InitOptions {
            allow_root_fs: true,
            now: last_night,
            probe_sqlite: &probe_sqlite,
        };
        Store::init(&path, &options)?;
        let config = Config::parse(&format!(
            "[store]\npath = {}\nmin_free = \"0\"\nallow_root_fs = true\n\
             [[source]]\nname = \"www\"\nbucket = \"{BUCKET}\"\nendpoint = \"{}\"\n",
            toml::Value::from(path.display().to_string()),
            server.endpoint(),
        ))?;
        let source = config.sources.first().cloned();
        let source = source.ok_or_else(|| Error::new(Kind::Usage, "the demo has no source"))?;
        Ok(Self {
            folder: path,
            bucket,
            last_night,
            recipient: age::x25519::Identity::generate().to_public(),
            source,
            store: config.store,
            night: Night {
                limits: LimitsConfig::default(),
                runtime,
                clock: clock.clone(),
                stop: Stop::default(),
                reporter: Arc::new(Silent),
            },
            clock,
            credentials: Credentials::given(READER.id, READER.secret),
            _server: server,
        })
    }

    /// Tells the story, night by night.
    pub fn tell(&self, attack: Attack, out: &mut dyn Write) -> Result<()> {
        self.evening(0)?;
        self.pull()?;
        self.narrate(out, "Night 1: the web server wrote its first encrypted backups; offsite pulled them with a key that can only read.")?;
        self.status(out)?;

        self.evening(1)?;
        self.pull()?;
        self.narrate(out, "Night 2: new backups came; offsite pulled those.")?;
        self.status(out)?;

        self.evening(2)?;
        let did = self.attack(attack)?;
        self.pull()?;
        self.narrate(
            out,
            &format!("Night 3: {did}; offsite pulled as every night."),
        )?;
        self.status(out)?;
        self.log(out)?;
        self.ls(out)
    }

    /// The night's backups, an hour before its pull.
    fn evening(&self, night: i32) -> Result<()> {
        let pull = self.night_of(night);
        self.clock.set(pull - SignedDuration::from_hours(1));
        self.bucket
            .put(&self.site(night), self.backup("site", 300_000)?);
        self.bucket
            .put(&self.database(night), self.backup("database", 120_000)?);
        self.bucket
            .put("config/latest.tar.age", self.backup("config", 9_000)?);
        self.clock.set(pull);
        Ok(())
    }

    fn attack(&self, attack: Attack) -> Result<String> {
        let mut did = Vec::new();
        if attack.overwrite {
            self.bucket
                .put(&self.site(0), self.backup("poison", 300_000)?);
            did.push("overwrote the first night's archive of the site");
        }
        if attack.delete {
            self.bucket.delete(&self.database(1));
            did.push("deleted the second night's dump of the database");
        }
        Ok(match did.as_slice() {
            [] => "nobody attacked".to_owned(),
            did => format!("an attacker with the server's key {}", did.join(" and ")),
        })
    }

    fn pull(&self) -> Result<Outcome> {
        let mut home = Home::open(&self.store, self.clock.clone())?;
        let job = self.night.job(&self.source, &self.credentials)?;
        let outcome = self.night.pull(&mut home, &job)?;
        home.close()?;
        Ok(outcome)
    }

    fn narrate(&self, out: &mut dyn Write, line: &str) -> Result<()> {
        writeln!(out, "\n=== {line}\n").map_err(written)
    }

    fn status(&self, out: &mut dyn Write) -> Result<()> {
        let reader = Store::open_read(&self.folder)?;
        let catalogue = crate::catalogue::Catalogue::open_read(&reader.catalogue_path())?;
        let status = night::status(&catalogue, &Limits::default(), &self.clock)?;
        let drive = report::drive(&reader)?;
        report::status(out, &status, Some(&drive)).map_err(written)
    }

    fn log(&self, out: &mut dyn Write) -> Result<()> {
        let reader = Store::open_read(&self.folder)?;
        let catalogue = crate::catalogue::Catalogue::open_read(&reader.catalogue_path())?;
        writeln!(out).map_err(written)?;
        report::runs(out, &catalogue.runs(10)?).map_err(written)
    }

    fn ls(&self, out: &mut dyn Write) -> Result<()> {
        let reader = Store::open_read(&self.folder)?;
        let catalogue = crate::catalogue::Catalogue::open_read(&reader.catalogue_path())?;
        let query = Query {
            all_versions: true,
            ..Query::default()
        };
        writeln!(out).map_err(written)?;
        catalogue.list(&query, &mut |version| {
            report::version_line(out, &version, true).map_err(written)
        })
    }

    /// A backup as a server makes one: compressible text, encrypted for a key that only the
    /// owner has.
    fn backup(&self, what: &str, bytes: usize) -> Result<Vec<u8>> {
        let line = format!("{what} {}\n", self.clock.now());
        let plain = line.repeat(bytes / line.len() + 1);
        age::encrypt(&self.recipient, plain.as_bytes())
            .map_err(|e| Error::new(Kind::Run, "cannot encrypt the demo's backup").because(e))
    }

    fn night_of(&self, night: i32) -> Timestamp {
        self.last_night - DAY * (2 - night)
    }

    fn site(&self, night: i32) -> String {
        let date = self.night_of(night).strftime("%Y%m%d");
        format!("site/site-{date}-020000utc.tar.age")
    }

    fn database(&self, night: i32) -> String {
        let date = self.night_of(night).strftime("%Y-%m-%d");
        format!("db/{date}.sql.age")
    }
}

fn written(error: std::io::Error) -> Error {
    Error::new(Kind::Run, "cannot write the result").because(error)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(attack: Attack) -> (String, tempfile::TempDir) {
        let folder = tempfile::tempdir().unwrap();
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let story = Story::new(folder.path(), runtime).unwrap();
        let mut out = Vec::new();
        story.tell(attack, &mut out).unwrap();
        (String::from_utf8(out).unwrap(), folder)
    }

    /// Change the attack, and the words change.
    #[test]
    fn what_is_printed_is_what_happened() {
        for (overwrite, delete) in [(false, false), (true, false), (false, true), (true, true)] {
            let (text, _folder) = told(Attack { overwrite, delete });
            let third = text.split("=== Night 3").nth(1).unwrap();
            let alarm = overwrite || delete;
            assert_eq!(third.contains("ALARM: look now"), alarm, "{text}");
            assert_eq!(third.contains("no rotation explains"), delete, "{text}");
            assert_eq!(
                third.contains("a name that is written once"),
                overwrite,
                "{text}"
            );
            assert_eq!(third.contains(" held "), overwrite, "{text}");
            assert_eq!(third.contains("1 gone"), delete, "{text}");
            let first = text.split("=== Night 3").next().unwrap();
            assert!(!first.contains("ALARM"), "{text}");
            assert_eq!(first.matches("all well").count(), 2, "{text}");
        }
    }

    /// After the attack the store still has the first night's files, encrypted as they were.
    #[test]
    fn the_attacker_destroys_nothing_at_home() {
        let (_, folder) = told(Attack {
            overwrite: true,
            delete: true,
        });
        let latest = folder.path().join("store/www/latest");
        let site: Vec<_> = std::fs::read_dir(latest.join("site")).unwrap().collect();
        let db: Vec<_> = std::fs::read_dir(latest.join("db")).unwrap().collect();
        assert_eq!((site.len(), db.len()), (3, 3));
        let held = folder.path().join("store/www/history/site");
        assert_eq!(std::fs::read_dir(held).unwrap().count(), 1);
    }
}
