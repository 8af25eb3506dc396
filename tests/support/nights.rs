//! A bucket in memory, a store on this machine and a clock that is set by hand: what a pull means
//! is tested night by night, through the library.
//!
//! After each night the catalogue's counters are compared with its rows.

use super::bucket::Keys;
use super::program::{Output, Running, program};
use offsite::bucket::{Bucket as Client, Tuning};
use offsite::catalogue::{Catalogue, FindingRow, Query};
use offsite::config::{
    Addressing, Demands, Encryption, Filter, LimitsConfig, SourceConfig, StoreConfig, Versions,
};
use offsite::credentials::Credentials;
use offsite::demo::bucket::{Bucket, Faults, READER, Server};
use offsite::error::Result;
use offsite::home::{Home, probe_sqlite};
use offsite::object::{
    Clock, InBucket, KeyPrint, ObjectKey, Severity, Sha256, SourceName, State, StoredVersion,
    Timestamp, Verdict,
};
use offsite::outcome::{Ended, Outcome, Silent, Stop};
use offsite::pull::Pull;
use offsite::store::{Area, InitOptions, Lies, Marker, NamingRule, Reader, Store, names};
use offsite::upkeep::{Acknowledged, CheckReport, acknowledge, check};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;
use tempfile::TempDir;
use tokio::runtime::Runtime;

/// The source's name.
pub const SOURCE: &str = "www";
const HOUR: i64 = 3_600_000;
/// Each night is one day after the one before; between them, at 15:00, things happen to the
/// bucket.
const DAY: i64 = 24 * HOUR;

/// The nights of one bucket and its copy.
pub struct Nights {
    folder: TempDir,
    pub bucket: Bucket,
    pub clock: Clock,
    pub source: SourceConfig,
    pub tuning: Tuning,
    pub limits: LimitsConfig,
    pub store: StoreConfig,
    /// What the bucket is read with.
    pub keys: Keys,
    runtime: Runtime,
    last: Timestamp,
    _server: Server,
}

/// Short waits; a megabyte is large. Nothing here is asserted on.
fn tuning() -> Tuning {
    Tuning {
        idle: Duration::from_secs(20),
        attempts: 3,
        backoff: Duration::from_millis(5),
        longest_backoff: Duration::from_millis(20),
        large: 1 << 20,
        range: 256 << 10,
        ..Tuning::default()
    }
}

impl Nights {
    pub fn new() -> Self {
        let folder = tempfile::Builder::new()
            .prefix("nights-")
            .tempdir_in(env!("CARGO_TARGET_TMPDIR"))
            .unwrap();
        let first: Timestamp = "2026-11-01T03:00:00Z".parse().unwrap();
        // The first night comes a day after this.
        let clock = Clock::standing_at(ms_after(first, -DAY));
        let bucket = Bucket::new("www-backups", clock.clone());
        let server = Server::start(vec![bucket.clone()], None).unwrap();
        let path = folder.path().join("store");
        let options = InitOptions {
            allow_root_fs: true,
            now: clock.now(),
            probe_sqlite: &probe_sqlite,
        };
        Store::init(&path, &options).unwrap();
        Self {
            bucket,
            source: SourceConfig {
                name: SourceName::new(SOURCE).unwrap(),
                bucket: "www-backups".to_owned(),
                endpoint: Some(server.endpoint()),
                region: "us-east-1".to_owned(),
                filter: Filter::default(),
                addressing: Addressing::Auto,
                ca_file: None,
                credentials: "env".to_owned(),
                encryption: Encryption::default(),
                versions: Versions::default(),
                demands: Demands::default(),
            },
            store: StoreConfig {
                path,
                id: None,
                min_free: 0,
                allow_root_fs: true,
            },
            tuning: tuning(),
            limits: LimitsConfig::default(),
            keys: Keys::of(READER.id, READER.secret),
            runtime: tokio::runtime::Builder::new_multi_thread()
                .worker_threads(2)
                .enable_all()
                .build()
                .unwrap(),
            last: clock.now(),
            clock,
            folder,
            _server: server,
        }
    }

    /// As [`Nights::new`], on a drive that folds case, normalises Unicode and forbids what
    /// Windows forbids, as far as the marker says.
    pub fn portable() -> Self {
        let nights = Self::new();
        let file = nights.store.path.join(offsite::store::MARKER);
        let mut marker: Marker = toml::from_str(&std::fs::read_to_string(&file).unwrap()).unwrap();
        marker.naming = NamingRule::Portable;
        marker.facts.folds_case = true;
        marker.facts.normalises = true;
        std::fs::write(&file, toml::to_string(&marker).unwrap()).unwrap();
        nights
    }

    /// The next night's pull, which must come to an end and be complete.
    #[track_caller]
    pub fn night(&mut self) -> Outcome {
        let outcome = self.some_night().unwrap();
        assert_eq!(outcome.ended, Ended::Complete, "{outcome:?}");
        outcome
    }

    /// The next night's pull.
    pub fn some_night(&mut self) -> Result<Outcome> {
        self.clock.set(ms_after(self.last, DAY));
        self.last = self.clock.now();
        let outcome = self.pull();
        self.clock.set(ms_after(self.last, 12 * HOUR));
        outcome
    }

    /// As if it were `at`: the next night comes a day later, and what was before was long ago.
    pub fn jump(&mut self, at: Timestamp) {
        self.last = at;
        self.clock.set(at);
    }

    /// A pull now.
    pub fn pull(&self) -> Result<Outcome> {
        let credentials = Credentials::given(self.keys.id, self.keys.secret);
        let pull = Pull {
            source: self.source.clone(),
            bucket: Client::new(&self.source, &credentials, self.tuning.clone())?,
            key: KeyPrint::of(self.keys.id),
            limits: self.limits.clone(),
            clock: self.clock.clone(),
            stop: Stop::default(),
            reporter: Arc::new(Silent),
        };
        let mut home = Home::open(&self.store, self.clock.clone())?;
        let outcome = offsite::night::turn(&self.runtime, &mut home.shelf(&self.source)?, &pull);
        home.close()?;
        let wrong = self.catalogue().counters_check()?;
        assert!(wrong.is_empty(), "{wrong:#?}");
        outcome
    }

    /// The moment of the last night's pull.
    pub fn last(&self) -> Timestamp {
        self.last
    }

    /// Only keys of this filter from now on.
    pub fn only(&mut self, prefix: &str, include: &[&str], exclude: &[&str]) {
        let owned = |globs: &[&str]| globs.iter().map(|g| (*g).to_owned()).collect::<Vec<_>>();
        self.source.filter = Filter::new(prefix, &owned(include), &owned(exclude)).unwrap();
    }

    /// Sets what is wrong with the bucket, in place of what was.
    pub fn faults(&self, faults: Faults) {
        self.bucket.with_faults(|old| *old = faults);
    }

    /// `offsite ack [--accept] ID`.
    pub fn ack(&self, id: &str, accept: bool) -> Result<Acknowledged> {
        let mut home = Home::open(&self.store, self.clock.clone())?;
        let done = acknowledge(&mut home, &self.clock, id, None, accept);
        home.close()?;
        assert_eq!(self.catalogue().counters_check()?, [""; 0]);
        done
    }

    /// `offsite catalogue check --deep`.
    pub fn check(&self) -> CheckReport {
        check(
            &self.reader(),
            &self.catalogue(),
            true,
            &Stop::default(),
            &Silent,
        )
        .unwrap()
    }

    pub fn catalogue(&self) -> Catalogue {
        Catalogue::open_read(&self.reader().catalogue_path()).unwrap()
    }

    pub fn reader(&self) -> Reader {
        Store::open_read(&self.store.path).unwrap()
    }

    /// The folder that holds the store and nothing else.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The source's folder on the drive.
    pub fn shelf(&self) -> PathBuf {
        self.store.path.join(SOURCE)
    }

    /// What `latest/` has of `key`, found as its user would: by the name of the file.
    pub fn latest(&self, key: &str) -> Option<Vec<u8>> {
        let mut found = self.files(Area::Latest, key);
        assert!(found.len() <= 1, "{key:?} stands in latest/ twice");
        found.pop()
    }

    /// What `history/` has of `key`, in no order.
    pub fn history(&self, key: &str) -> Vec<Vec<u8>> {
        self.files(Area::History, key)
    }

    /// What `quarantine/` has of `key`, without the notes.
    pub fn quarantine(&self, key: &str) -> Vec<Vec<u8>> {
        self.files(Area::Quarantine, key)
    }

    fn files(&self, area: Area, key: &str) -> Vec<Vec<u8>> {
        let wanted = |path: &String| names::key_of(path).is_ok_and(|k| k.as_str() == key);
        let paths = self.paths(area).into_iter().filter(wanted);
        let read = |path: String| std::fs::read(self.shelf().join(path)).unwrap();
        paths.map(read).collect()
    }

    /// Everything that lies in an area, relative to the source's folder, sorted; not its sums.
    pub fn paths(&self, area: Area) -> Vec<String> {
        let source = SourceName::new(SOURCE).unwrap();
        let mut paths = Vec::new();
        self.reader()
            .walk(&source, area, &mut |lies: Lies| {
                assert!(lies.bytes.is_some(), "{lies:?} is no file");
                let path = lies.path.strip_prefix("www/").unwrap().to_owned();
                paths.push(path);
                Ok(())
            })
            .unwrap();
        paths.sort();
        paths
    }

    /// On a drive that folds case or normalises Unicode no two names in a folder may be one. This
    /// machine's drive does neither, so that the names are compared here.
    #[track_caller]
    pub fn no_two_names_fold_into_one(&self) {
        let mut spelt: BTreeMap<(String, String), String> = BTreeMap::new();
        for path in [Area::Latest, Area::History]
            .map(|area| self.paths(area))
            .concat()
        {
            let mut folder = String::new();
            for name in path.split('/') {
                let place = (folder.clone(), names::fold(name));
                let first = spelt.entry(place).or_insert_with(|| name.to_owned());
                assert_eq!(first, name, "in {folder:?}");
                folder = format!("{folder}/{}", names::fold(name));
            }
        }
    }

    /// `latest/` and `history/`: every file with its bytes.
    pub fn tree(&self) -> BTreeMap<String, Vec<u8>> {
        let paths = [Area::Latest, Area::History].map(|area| self.paths(area));
        let read = |path: String| {
            let bytes = std::fs::read(self.shelf().join(&path)).unwrap();
            (path, bytes)
        };
        paths.into_iter().flatten().map(read).collect()
    }

    /// What `ls --at` shows: digests by key.
    pub fn as_it_was(&self, at: Timestamp) -> BTreeMap<String, Sha256> {
        let query = Query {
            at: Some(at),
            ..Query::default()
        };
        self.list(&query)
            .into_iter()
            .map(|v| (v.key.as_str().to_owned(), v.sha256.unwrap()))
            .collect()
    }

    /// What `ls` shows.
    pub fn list(&self, query: &Query) -> Vec<StoredVersion> {
        let mut rows = Vec::new();
        let mut each = |version| {
            rows.push(version);
            Ok(())
        };
        self.catalogue().list(query, &mut each).unwrap();
        rows
    }

    /// What the bucket shows now: digests by key.
    pub fn bucket_now(&self) -> BTreeMap<String, Sha256> {
        let keys = self.bucket.keys().into_iter();
        keys.map(|key| {
            let digest = sha256(&self.bucket.get(&key).unwrap());
            (key, digest)
        })
        .collect()
    }

    /// Every version of `key`, newest first.
    pub fn versions(&self, key: &str) -> Vec<StoredVersion> {
        let source = SourceName::new(SOURCE).unwrap();
        let mut rows = Vec::new();
        let mut each = |version| {
            rows.push(version);
            Ok(())
        };
        self.catalogue()
            .versions_of(&source, key, &mut each)
            .unwrap();
        rows
    }

    /// The file that the version of `key` with these bytes stands in.
    pub fn file_of(&self, key: &str, bytes: &str) -> PathBuf {
        let all = self.versions(key).into_iter();
        let mut those = all.filter(|v| v.sha256 == Some(sha256(bytes.as_bytes())));
        self.store.path.join(those.next().unwrap().path.unwrap())
    }

    /// The verdict of the proof called `name` of `key`'s newest version.
    pub fn proof(&self, key: &str, name: &str) -> Option<Verdict> {
        let mut proofs = self.versions(key).swap_remove(0).proofs.into_iter();
        let found = proofs.find(|proof| proof.name == name);
        found.map(|proof| proof.verdict)
    }

    /// What we hold of `key` and what the bucket shows of it, newest first.
    pub fn states(&self, key: &str) -> Vec<(State, InBucket)> {
        let versions = self.versions(key).into_iter();
        versions.map(|v| (v.state, v.in_bucket)).collect()
    }

    /// The open findings, oldest first.
    pub fn open(&self) -> Vec<FindingRow> {
        let mut open = self.catalogue().findings(true).unwrap();
        open.reverse();
        open
    }

    /// The kinds of the open alarms, oldest first.
    pub fn open_alarms(&self) -> Vec<String> {
        let mut open = self.open();
        open.retain(|row| row.finding.severity == Severity::Alarm);
        open.into_iter().map(|f| f.finding.kind).collect()
    }

    /// The kinds of the open findings, oldest first.
    pub fn open_kinds(&self) -> Vec<String> {
        self.open().into_iter().map(|f| f.finding.kind).collect()
    }

    /// The kinds of the events about `key`, oldest first.
    pub fn events(&self, key: &str) -> Vec<String> {
        let mut events = self.catalogue().events(Some(key), 100).unwrap();
        events.reverse();
        events.into_iter().map(|e| e.event.kind).collect()
    }

    /// How many lines of this type the journal has.
    pub fn journalled(&self, kind: &str) -> usize {
        let files = std::fs::read_dir(self.shelf().join("journal")).unwrap();
        let text = |file: std::io::Result<std::fs::DirEntry>| {
            std::fs::read_to_string(file.unwrap().path()).unwrap()
        };
        let line = format!("{{\"t\":\"{kind}\"");
        files.map(|f| text(f).matches(&line).count()).sum()
    }

    /// How often the bucket was asked this since [`Bucket::reset_requests`].
    pub fn asked(&self, operation: &str) -> u64 {
        self.bucket.requests().get(operation).copied().unwrap_or(0)
    }

    /// The text of a configuration for a store at `path` that has this source.
    pub fn config(&self, path: &Path) -> String {
        format!(
            "[store]\npath = {path:?}\nmin_free = \"{} B\"\nallow_root_fs = true\n\n[[source]]\nname = {SOURCE:?}\nbucket = {:?}\nendpoint = {:?}\nregion = \"us-east-1\"\n",
            self.store.min_free,
            self.source.bucket,
            self.source.endpoint.as_deref().unwrap_or_default(),
        )
    }

    /// Nothing of this computer's, and the key of the bucket.
    pub fn with_keys(&self, command: &mut Command) {
        command
            .env_clear()
            .env("HOME", self.folder())
            .env("TZ", "UTC")
            .env("AWS_EC2_METADATA_DISABLED", "true")
            .env("AWS_ACCESS_KEY_ID", self.keys.id)
            .env("AWS_SECRET_ACCESS_KEY", self.keys.secret);
    }

    /// `offsite -c CONFIG args…`, the program itself, with the key of the bucket, to its end.
    pub fn configured(&self, args: &[&str]) -> Output {
        self.running(args).finish()
    }

    /// The same, just begun.
    pub fn running(&self, args: &[&str]) -> Running {
        let config = self.folder().join("offsite.toml");
        std::fs::write(&config, self.config(&self.store.path)).unwrap();
        let mut command = Command::new(program());
        command.arg("-c").arg(&config).args(args);
        self.with_keys(&mut command);
        Running::spawn(command)
    }

    /// `offsite args… --store STORE`, the program itself, to its end.
    pub fn offsite(&self, args: &[&str]) -> Output {
        let mut command = Command::new(program());
        command
            .args(args)
            .arg("--store")
            .arg(&self.store.path)
            .env_clear()
            .env("HOME", self.folder())
            .env("TZ", "UTC");
        Running::spawn(command).finish()
    }
}

/// The moment `ms` milliseconds after `at`.
pub fn ms_after(at: Timestamp, ms: i64) -> Timestamp {
    offsite::object::from_ms(at.as_millisecond() + ms)
}

/// The digest of `bytes`.
pub fn sha256(bytes: &[u8]) -> Sha256 {
    let digest = ring::digest::digest(&ring::digest::SHA256, bytes);
    Sha256(digest.as_ref().try_into().unwrap())
}

/// A key, or a panic.
pub fn key(key: &str) -> ObjectKey {
    ObjectKey::new(key).unwrap()
}
