//! A bucket after thirty ordinary nights, and what is asked of every attack on it.

use crate::support::nights::{ms_after, sha256};
use crate::support::{Bucket, Keys, Nights, age};
use offsite::demo::bucket::Versioning;
use offsite::object::{BucketLock, Clock, DefaultLock, LockMode, Sha256, Timestamp};
use std::collections::BTreeMap;

pub(crate) const DAY: i64 = 86_400_000;
/// A name that is written anew each night.
pub(crate) const ROTATING: &str = "config/latest.tar.age";

/// A bucket after thirty ordinary nights, and its copy.
pub(crate) struct Drill {
    pub(crate) nights: Nights,
    pub(crate) seed: u64,
    /// The bucket's owner, where it is one on a real server.
    owner: Option<Bucket>,
}

impl Drill {
    pub(crate) fn new(versioning: bool) -> Self {
        let nights = Nights::new();
        if versioning {
            nights.bucket.set_versioning(Versioning::Enabled);
        }
        Self::after_thirty(nights)
    }

    /// Of a bucket that locks every version for thirty days.
    pub(crate) fn locked() -> Self {
        let nights = Nights::new();
        let (mode, days) = (LockMode::Governance, 30);
        nights.bucket.set_object_lock(BucketLock {
            on: true,
            default: Some(DefaultLock { mode, days }),
        });
        Self::after_thirty(nights)
    }

    fn after_thirty(nights: Nights) -> Self {
        let drill = Self {
            nights,
            seed: 0,
            owner: None,
        };
        let drill = drill.lived();
        assert_eq!(drill.nights.open_kinds(), [""; 0], "ordinary life");
        drill
    }

    /// The same on a real server, which goes by a clock that cannot be set: our nights are those that have
    /// passed. Whatever is said of the two clocks is no alarm.
    pub(crate) fn on(owner: Bucket, reader: Keys, versioning: bool) -> Self {
        if versioning {
            owner.enable_versioning();
        }
        let mut nights = Nights::new();
        nights.source.endpoint = Some(owner.endpoint.clone());
        nights.source.bucket.clone_from(&owner.name);
        nights.keys = reader;
        nights.jump(ms_after(Clock::System.now(), -32 * DAY));
        let drill = Self {
            nights,
            seed: 0,
            owner: Some(owner),
        }
        .lived();
        assert_eq!(drill.nights.open_alarms(), [""; 0], "ordinary life");
        drill
    }

    fn lived(mut self) -> Self {
        for _ in 0..30 {
            self.evening();
            self.nights.night();
        }
        self
    }

    pub(crate) fn put(&self, key: &str, bytes: Vec<u8>) {
        match &self.owner {
            None => drop(self.nights.bucket.put(key, bytes)),
            Some(owner) => drop(owner.put(key, &bytes)),
        }
    }

    pub(crate) fn delete(&self, key: &str) {
        match &self.owner {
            None => drop(self.nights.bucket.delete(key)),
            Some(owner) => drop(owner.delete(key)),
        }
    }

    pub(crate) fn keys(&self) -> Vec<String> {
        match &self.owner {
            None => self.nights.bucket.keys(),
            Some(owner) => owner.list().unwrap(),
        }
    }

    pub(crate) fn suspend_versioning(&self) {
        match &self.owner {
            None => self.nights.bucket.set_versioning(Versioning::Suspended),
            Some(owner) => owner.suspend_versioning(),
        }
    }

    /// Removes every version of a key for good that `goes` says so of: the newest is 0.
    pub(crate) fn purge(&self, key: &str, goes: impl Fn(usize) -> bool) {
        let ids = match &self.owner {
            None => self.nights.bucket.version_ids(key),
            Some(owner) => owner.version_ids(key),
        };
        for (_, id) in ids.iter().enumerate().filter(|(n, _)| goes(*n)) {
            match &self.owner {
                None => assert!(self.nights.bucket.delete_version(key, id)),
                Some(owner) => owner.delete_version(key, id),
            }
        }
    }

    /// Bytes as the server makes them: encrypted, each backup another.
    pub(crate) fn backup(&mut self) -> Vec<u8> {
        self.seed += 1;
        age(9_000 + 10 * usize::try_from(self.seed).unwrap(), self.seed)
    }

    pub(crate) fn site(&self, shift: i64) -> String {
        let day = ms_after(self.nights.last(), (1 + shift) * DAY);
        format!("www/site-{}-030000utc.tar.age", day.strftime("%Y%m%d"))
    }

    pub(crate) fn database(&self, shift: i64) -> String {
        let day = ms_after(self.nights.last(), (1 + shift) * DAY);
        format!("db/{}.sql.age", day.strftime("%Y-%m-%d"))
    }

    /// The night's jobs: an archive of the site, a dump of which the last fourteen are kept, and one that
    /// has the same name each night.
    pub(crate) fn evening(&mut self) {
        for key in [self.site(0), self.database(0), ROTATING.to_owned()] {
            let bytes = self.backup();
            self.put(&key, bytes);
        }
        let old = self.database(-14);
        if self.keys().contains(&old) {
            self.delete(&old);
        }
    }

    /// What is struck is answered in the same run by alarms of `kinds`; nothing at home is lost.
    #[track_caller]
    pub(crate) fn strike(mut self, strike: impl FnOnce(&mut Self), kinds: &[&str]) -> Self {
        let (before, at) = (self.kept(), self.nights.last());
        let latest = self.as_it_was(at);
        strike(&mut self);
        let outcome = self.nights.some_night().unwrap();
        assert!(outcome.open_alarms > 0, "no alarm");
        match self.owner {
            None => assert_eq!(self.nights.open_kinds(), kinds),
            Some(_) => {
                // What is fetched side by side comes in any order.
                let mut alarms = self.nights.open_alarms();
                alarms.sort_unstable();
                assert_eq!(alarms, kinds);
            }
        }
        let status = self.nights.offsite(&["status"]);
        assert_eq!(status.code(), 4, "{}", status.stdout);
        for finding in self.nights.open() {
            let what = &finding.finding.advice.what;
            assert!(status.stdout.contains(what), "{what}: {}", status.stdout);
        }
        assert_eq!(self.as_it_was(at), latest, "the point before");
        self.evening();
        assert!(
            self.nights.some_night().unwrap().open_alarms > 0,
            "the next night"
        );
        assert_eq!(self.nights.offsite(&["status"]).code(), 4);
        let after = self.kept();
        for (key, bytes) in before {
            for digest in bytes {
                assert!(after[&key].contains(&digest), "{key} lost a version");
            }
        }
        assert_eq!(self.nights.check().problems, []);
        self
    }

    /// By key, the digests of every file that the drive has of it.
    pub(crate) fn kept(&self) -> BTreeMap<String, Vec<Sha256>> {
        let mut kept: BTreeMap<String, Vec<Sha256>> = BTreeMap::new();
        for (path, bytes) in self.nights.tree() {
            let key = offsite::store::names::key_of(&path).unwrap();
            kept.entry(key.as_str().to_owned())
                .or_default()
                .push(sha256(&bytes));
        }
        kept
    }

    fn as_it_was(&self, at: Timestamp) -> BTreeMap<String, Sha256> {
        self.nights.as_it_was(at)
    }
}

/// What stands in `latest/` of `key` is what stood there before.
#[track_caller]
pub(crate) fn dated_stays(drill: &Drill, key: &str, before: &[u8]) {
    assert_eq!(drill.nights.latest(key).unwrap(), before, "{key}");
}
