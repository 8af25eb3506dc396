//! A restic repository in the bucket is one on the drive as well, whatever its owner's restic
//! does to it meanwhile.

use crate::support::seaweedfs::{ADMIN, READ_ONLY};
use crate::support::{Fault, REGION, tool};
use crate::{Site, bytes, succeed, tree};
use offsite::bucket::{Bucket, Tuning};
use offsite::config::Config;
use offsite::credentials::Credentials;
use offsite::home::Home;
use offsite::object::{Clock, KeyPrint};
use offsite::outcome::{Silent, Stop};
use offsite::pull::Pull;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// The web server: it has files, and restic with the owner's key.
struct Owner<'a> {
    site: &'a Site,
    folder: PathBuf,
    nights: u64,
}

/// As many small objects as a pull fetches at a time.
const AT_ONCE: usize = 16;
/// How long a busy machine may take to get there.
const PATIENCE: Duration = Duration::from_secs(60);

#[test]
#[cfg_attr(without_seaweedfs, ignore = "OFFSITE_TEST_WITHOUT names seaweedfs")]
#[cfg_attr(without_restic, ignore = "OFFSITE_TEST_WITHOUT names restic")]
fn a_restic_repository_comes_home_through_a_prune() {
    let site = Site::new("restic");
    let mut owner = Owner::new(&site);
    owner.restic(["init"]);
    owner.nights(3);
    let first = tree(&owner.folder);
    let first_snapshot = owner.newest_snapshot();
    let known = site.pull();

    // Ten more nights, a pull of them, and a prune while that pull has its hands full.
    owner.nights(10);
    let listed = site.bucket.told();
    site.line.inject(Fault::Hold, usize::MAX);
    let before = site.line.count("GET");
    let pull = site.home.spawn(["pull"]);
    let begin = Instant::now();
    while site.line.count("GET") < before + 1 + AT_ONCE {
        assert!(
            begin.elapsed() < PATIENCE,
            "the pull asks for fewer objects"
        );
        std::thread::sleep(Duration::from_millis(10));
    }
    owner.restic(["forget", "--keep-last", "2", "--prune"]);
    site.line.heal();
    let pulled = pull.finish();
    assert!(matches!(pulled.code(), 0 | 3), "{pulled:?}");
    site.only_read();
    owner.home_is_a_repository();
    let missed = listed.keys().filter(|key| !site.rows().contains_key(*key));
    assert!(
        missed.count() > 0,
        "the prune took what the pull had listed"
    );
    assert!(
        owner.restored(&first_snapshot) == first,
        "P4: what was good stays good"
    );

    let lock = owner.leave_a_lock();
    let now = site.pull();
    owner.home_is_a_repository();
    site.is_proven();

    // What the bucket has, the drive has, but for the lock.
    let rows = site.rows();
    for key in now.keys() {
        let state = if *key == lock { "skipped" } else { "stored" };
        assert_eq!(rows[key]["state"], state, "{key}");
        assert_eq!(rows[key]["in_bucket"], "current", "{key}");
        assert_eq!(site.latest().join(key).exists(), *key != lock, "{key}");
    }
    assert_eq!(rows[&lock]["path"], serde_json::Value::Null);

    // What the prune took from the bucket stays on the drive, and is said to be gone.
    let gone: Vec<&String> = known.keys().filter(|key| !now.contains_key(*key)).collect();
    let packs = gone.iter().filter(|key| key.starts_with("data/"));
    assert!(packs.count() > 0, "the prune removed packs: {gone:?}");
    for key in gone {
        assert_eq!(rows[key]["in_bucket"], "gone", "{key}");
        assert_eq!(rows[key]["state"], "stored", "{key}");
        let path = site.latest().join(key);
        assert_eq!(
            sha256(&path),
            key.rsplit('/').next().unwrap(),
            "its name says so"
        );
    }

    assert!(
        owner.restored("latest") == tree(&owner.folder),
        "the newest snapshot"
    );
    assert!(!now.contains_key(&format!("snapshots/{first_snapshot}")));
    assert!(
        owner.restored(&first_snapshot) == first,
        "one that the bucket has no more"
    );
    site.pull();
}

/// A backup, or a prune, in the middle of each pull: after any of its requests.
#[test]
#[cfg_attr(without_seaweedfs, ignore = "OFFSITE_TEST_WITHOUT names seaweedfs")]
#[cfg_attr(without_restic, ignore = "OFFSITE_TEST_WITHOUT names restic")]
fn p4_fifty_pulls_while_restic_works_leave_fifty_whole_repositories() {
    let site = Site::new("restic-at-work");
    let mut owner = Owner::new(&site);
    owner.restic(["init"]);
    owner.nights(1);
    site.pull();
    let mut met = 0;
    for n in 0..50 {
        owner.nights(1);
        owner.nights += 1;
        owner.write(owner.nights);
        let before = site.line.count("GET");
        let after = fastrand::usize(1..site.bucket.told().len());
        std::thread::scope(|threads| {
            let pull = threads.spawn(|| pull_in_small_pages(&site));
            while site.line.count("GET") < before + after && !pull.is_finished() {
                std::thread::sleep(Duration::from_millis(1));
            }
            site.line.inject(Fault::Hold, usize::MAX);
            met += u32::from(!pull.is_finished());
            match n % 5 {
                4 => owner.restic(["forget", "--keep-last", "3", "--prune"]),
                _ => owner.restic(["backup", "files"]),
            };
            site.line.heal();
            pull.join().unwrap();
        });
        let told = owner.restic_at_home(["check"]);
        assert!(told.contains("no errors were found"), "{n}: {told}");
    }
    site.only_read();
    assert!(met >= 25, "{met} of 50 pulls met restic at work");
    owner.nights(1);
    site.pull();
    assert!(owner.restored("latest") == tree(&owner.folder));
}

/// What the program does, but that a listing takes many requests, as that of a large repository.
fn pull_in_small_pages(site: &Site) {
    let config = Config::read(&site.home.config()).unwrap();
    let source = config.sources[0].clone();
    let tuning = Tuning {
        page: 5,
        ..Tuning::default()
    };
    let credentials = Credentials::given(READ_ONLY.id, READ_ONLY.secret);
    let pull = Pull {
        bucket: Bucket::new(&source, &credentials, tuning).unwrap(),
        source,
        key: KeyPrint::of(READ_ONLY.id),
        limits: config.limits,
        clock: Clock::System,
        stop: Stop::default(),
        reporter: Arc::new(Silent),
    };
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build();
    let mut home = Home::open(&config.store, Clock::System).unwrap();
    let shelf = &mut home.shelf(&pull.source).unwrap();
    pull.run(&runtime.unwrap(), shelf).unwrap();
    home.close().unwrap();
}

impl<'a> Owner<'a> {
    fn new(site: &'a Site) -> Self {
        let folder = site.home.path().join("site/files");
        std::fs::create_dir_all(folder.join("a folder")).unwrap();
        Self {
            site,
            folder,
            nights: 0,
        }
    }

    /// Each night a file is new, one has changed, and all is backed up.
    fn nights(&mut self, count: u64) {
        for _ in 0..count {
            self.nights += 1;
            self.write(self.nights);
            self.restic(["backup", "files"]);
        }
    }

    fn write(&self, n: u64) {
        let write = |name: String, bytes| std::fs::write(self.folder.join(name), bytes).unwrap();
        write(format!("a folder/{n}.jpg"), bytes(300_000, n));
        write("database.sql".into(), bytes(500_000, 1000 + n));
    }

    /// restic on the bucket.
    fn command(&self) -> Command {
        let bucket = &self.site.bucket;
        let mut restic = self.bare();
        restic
            .args(["-r", &format!("s3:{}/{}", bucket.endpoint, bucket.name)])
            .env("AWS_ACCESS_KEY_ID", ADMIN.id)
            .env("AWS_SECRET_ACCESS_KEY", ADMIN.secret)
            .env("AWS_DEFAULT_REGION", REGION);
        restic
    }

    fn bare(&self) -> Command {
        let mut restic = Command::new(tool("restic"));
        restic
            .arg("--no-cache")
            .env_clear()
            .env("HOME", self.site.home.path())
            .env("RESTIC_PASSWORD", "correct horse battery staple")
            .current_dir(self.folder.parent().unwrap());
        restic
    }

    #[track_caller]
    fn restic<const N: usize>(&self, args: [&str; N]) -> String {
        let mut restic = self.command();
        restic.args(args);
        succeed(restic).stdout
    }

    /// restic on the drive: no key to any bucket, and nothing is written.
    #[track_caller]
    fn restic_at_home<const N: usize>(&self, args: [&str; N]) -> String {
        let mut restic = self.bare();
        restic.arg("-r").arg(self.site.latest());
        restic.arg("--no-lock").args(args);
        succeed(restic).stdout
    }

    fn newest_snapshot(&self) -> String {
        let told = self.restic(["snapshots", "--json", "--latest", "1"]);
        let snapshots: serde_json::Value = serde_json::from_str(&told).unwrap();
        snapshots[0]["id"].as_str().unwrap().to_owned()
    }

    /// Every blob of every pack is read and compared with its digest.
    #[track_caller]
    fn home_is_a_repository(&self) {
        let told = self.restic_at_home(["check", "--read-data"]);
        assert!(told.contains("no errors were found"), "{told}");
    }

    /// What a snapshot on the drive gives back.
    fn restored(&self, snapshot: &str) -> std::collections::BTreeMap<String, Vec<u8>> {
        let target = tempfile::tempdir_in(self.site.home.path()).unwrap();
        let to = target.path().to_str().unwrap();
        self.restic_at_home(["restore", snapshot, "--target", to]);
        tree(&target.path().join("files"))
    }

    /// A restic that is killed in the middle of a backup leaves its lock; the lock's key.
    fn leave_a_lock(&self) -> String {
        let mut restic = self.command();
        restic.args(["backup", "--stdin"]);
        // Not `Running`: this one waits for more to read.
        let mut child = restic
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let lock = loop {
            let keys = self.site.bucket.list().unwrap();
            if let Some(lock) = keys.into_iter().find(|key| key.starts_with("locks/")) {
                break lock;
            }
            assert_eq!(
                child.try_wait().unwrap(),
                None,
                "restic ended without a lock"
            );
            std::thread::sleep(Duration::from_millis(20));
        };
        child.kill().unwrap();
        child.wait().unwrap();
        lock
    }
}

fn sha256(path: &Path) -> String {
    let digest = ring::digest::digest(&ring::digest::SHA256, &std::fs::read(path).unwrap());
    data_encoding::HEXLOWER.encode(digest.as_ref())
}
