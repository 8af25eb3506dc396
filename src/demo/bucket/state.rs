//! The versions in memory, and what PUT and DELETE make of them.

use super::faults::Faults;
use super::stored::{Stored, md5_hex};
use super::uploads::Upload;
use crate::object::{BucketLock, Clock, Expiry, Lock, LockMode, Retention, Timestamp};
use jiff::SignedDuration;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Whether the bucket keeps replaced and deleted objects (Amazon S3 User Guide, "How S3
/// Versioning works").
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Versioning {
    /// Never turned on: a PUT replaces, a DELETE removes.
    #[default]
    Off,
    /// Every PUT adds a version, every DELETE a marker.
    Enabled,
    /// Turned off again: PUT and DELETE act on the version `null`, the others stay.
    Suspended,
}

/// The version id of what was put while versioning was not enabled.
pub(super) const NULL: &str = "null";

/// A version of a key, or a delete marker.
pub(super) struct Version {
    number: u64,
    pub(super) id: String,
    pub(super) at: Timestamp,
    /// `None` is a delete marker.
    pub(super) object: Option<Arc<Stored>>,
    /// Tests keep a million versions, most of them without one.
    pub(super) lock: Option<Box<Lock>>,
}

/// A version that may not be removed yet.
#[derive(Debug)]
pub(super) struct Locked;

pub(super) struct State {
    pub(super) name: String,
    pub(super) clock: Clock,
    pub(super) versioning: Versioning,
    pub(super) lock: BucketLock,
    /// The rules that it tells of; it follows none.
    pub(super) lifecycle: Vec<Expiry>,
    /// The versions of a key stand oldest first; no list is empty.
    pub(super) objects: BTreeMap<String, Vec<Version>>,
    pub(super) faults: Faults,
    pub(super) counts: BTreeMap<String, u64>,
    /// By their ids.
    pub(super) uploads: BTreeMap<String, Upload>,
    last_number: u64,
    last_page: u64,
}

impl State {
    pub(super) fn new(name: &str, clock: Clock) -> Self {
        Self {
            name: name.to_owned(),
            clock,
            versioning: Versioning::Off,
            lock: BucketLock::default(),
            lifecycle: Vec::new(),
            objects: BTreeMap::new(),
            faults: Faults::default(),
            counts: BTreeMap::new(),
            uploads: BTreeMap::new(),
            last_number: 0,
            last_page: 0,
        }
    }

    /// Begins an upload in parts; answers with its id.
    pub(super) fn begin(&mut self, upload: Upload) -> String {
        self.last_number += 1;
        let id = version_id(&format!("uploads to {}", self.name), self.last_number);
        self.uploads.insert(id.clone(), upload);
        id
    }

    /// Puts a new version; answers with its id, [`NULL`] where versioning is not enabled.
    pub(super) fn put(&mut self, key: &str, object: Stored) -> String {
        let at = object
            .options()
            .modified
            .unwrap_or_else(|| self.clock.now());
        self.add(key, Some(Arc::new(object)), at)
    }

    /// Deletes the key the way S3 does without a version id; answers with the marker's id where
    /// there is a marker.
    pub(super) fn delete(&mut self, key: &str) -> Option<String> {
        if self.versioning == Versioning::Off {
            self.remove(key, NULL);
            return None;
        }
        let now = self.clock.now();
        Some(self.add(key, None, now))
    }

    fn add(&mut self, key: &str, object: Option<Arc<Stored>>, at: Timestamp) -> String {
        self.last_number += 1;
        let number = self.last_number;
        let id = if self.versioning == Versioning::Enabled {
            version_id(&self.name, number)
        } else {
            self.remove(key, NULL);
            NULL.to_owned()
        };
        let lock = object.as_ref().and_then(|object| self.lock_for(object, at));
        self.objects
            .entry(key.to_owned())
            .or_insert_with(|| Vec::with_capacity(1))
            .push(Version {
                number,
                id: id.clone(),
                at,
                lock,
                object,
            });
        id
    }

    /// The lock that an object is put with: its own, or the one that the bucket gives to all.
    fn lock_for(&self, object: &Stored, at: Timestamp) -> Option<Box<Lock>> {
        let mut lock = object.options().lock.unwrap_or_default();
        if let Some(default) = self.lock.default {
            let hours = i64::from(default.days).saturating_mul(24);
            let until = at.checked_add(SignedDuration::from_hours(hours));
            let until = until.unwrap_or(Timestamp::MAX);
            let mode = default.mode;
            lock.retention.get_or_insert(Retention { mode, until });
        }
        Lock::of(lock.retention, lock.hold).map(Box::new)
    }

    /// How many bytes the bucket says that the object has.
    pub(super) fn told_length(&self, key: &str, object: &Stored) -> u64 {
        if self.faults.huge.as_ref().is_some_and(|of| of(key)) {
            return 1 << 40;
        }
        let shorter = self.faults.shorter.as_ref().is_some_and(|of| of(key));
        object.len().saturating_sub(shorter.into())
    }

    /// A number that no page had before.
    pub(super) fn next_page(&mut self) -> u64 {
        self.last_page += 1;
        self.last_page
    }

    /// Removes one version for good; answers with it, if it was there.
    pub(super) fn remove(&mut self, key: &str, id: &str) -> Option<Version> {
        let versions = self.objects.get_mut(key)?;
        let at = versions.iter().position(|version| version.id == id)?;
        let removed = versions.remove(at);
        if versions.is_empty() {
            self.objects.remove(key);
        }
        Some(removed)
    }

    /// The same, unless its lock forbids it (Amazon S3 User Guide, "Locking objects with Object
    /// Lock"): who asks for it may `bypass` governance.
    pub(super) fn remove_unlocked(
        &mut self,
        key: &str,
        id: &str,
        bypass: bool,
    ) -> Result<Option<Version>, Locked> {
        let now = self.clock.now();
        let binds = |lock: &Lock| {
            let retention = lock.retention.filter(|retention| retention.until > now);
            let strict = retention.is_some_and(|r| r.mode == LockMode::Compliance || !bypass);
            lock.hold || strict
        };
        match self.version(key, id).and_then(|v| v.lock.as_deref()) {
            Some(lock) if binds(lock) => Err(Locked),
            _ => Ok(self.remove(key, id)),
        }
    }

    /// What a GET without a version id looks at: an object, or the marker that hides it.
    pub(super) fn newest(&self, key: &str) -> Option<&Version> {
        self.objects.get(key)?.last()
    }

    /// Changes a version's lock as nobody could over HTTP; says whether the version is there.
    pub(super) fn set_lock(&mut self, key: &str, id: &str, lock: Option<Lock>) -> bool {
        let versions = self.objects.get_mut(key).into_iter().flatten();
        let found = versions.into_iter().find(|version| version.id == id);
        found
            .map(|version| version.lock = lock.map(Box::new))
            .is_some()
    }

    pub(super) fn version(&self, key: &str, id: &str) -> Option<&Version> {
        self.objects
            .get(key)?
            .iter()
            .find(|version| version.id == id)
    }
}

/// The versions, oldest first, that a listing shows after `marker`, which may name one that has been
/// removed since.
pub(super) fn older_than<'v>(marker: &str, versions: &'v [Version]) -> &'v [Version] {
    let marked = versions
        .iter()
        .find(|version| version.id == marker)
        .map(|version| version.number)
        .or_else(|| number_of(marker));
    let older = marked.map_or(0, |marked| versions.partition_point(|v| v.number < marked));
    versions.get(..older).unwrap_or_default()
}

/// Looks random, is the same on every run, and carries its number in the first half.
fn version_id(bucket: &str, number: u64) -> String {
    let noise = md5_hex(format!("{bucket} {number}").as_bytes());
    let mixed = number.wrapping_mul(MIX);
    format!("{mixed:016x}{}", noise.get(..16).unwrap_or_default())
}

/// Odd, so that multiplying by it has an inverse.
const MIX: u64 = 0x9e37_79b9_7f4a_7c15;
/// `MIX * UNMIX = 1` modulo 2^64.
const UNMIX: u64 = 0xf1de_83e1_9937_733d;

fn number_of(id: &str) -> Option<u64> {
    let mixed = u64::from_str_radix(id.get(..16)?, 16).ok()?;
    Some(mixed.wrapping_mul(UNMIX))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::demo::bucket::PutOptions;

    #[test]
    fn a_version_id_gives_its_number_back() {
        for number in [1, 2, 77, u64::MAX] {
            assert_eq!(number_of(&version_id("b", number)), Some(number));
        }
        assert_eq!(number_of(NULL), None);
    }

    #[test]
    fn put_and_delete_follow_the_three_states_of_versioning() {
        let mut state = State::new("b", Clock::System);
        let put = |state: &mut State| state.put("k", Stored::new(vec![1], PutOptions::default()));
        let count = |state: &State| state.objects.get("k").map_or(0, Vec::len);
        assert_eq!(put(&mut state), NULL);
        assert_eq!(put(&mut state), NULL);
        assert_eq!(count(&state), 1, "off: replaced");
        state.versioning = Versioning::Enabled;
        let first = put(&mut state);
        assert_ne!(first, NULL);
        assert_ne!(state.delete("k"), None);
        assert_eq!(count(&state), 3, "null, version, marker");
        assert!(state.newest("k").is_some_and(|v| v.object.is_none()));
        state.versioning = Versioning::Suspended;
        assert_eq!(put(&mut state), NULL);
        assert_eq!(count(&state), 3, "the null version moved to the top");
        assert_eq!(state.delete("k").as_deref(), Some(NULL));
        assert_eq!(count(&state), 3, "its marker replaced it");
        assert!(state.version("k", &first).is_some());
        state.versioning = Versioning::Off;
        assert_eq!(state.delete("k"), None);
        assert_eq!(count(&state), 2);
    }
}
