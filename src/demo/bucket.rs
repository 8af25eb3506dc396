//! An S3 bucket in memory, served on loopback over real HTTP with real signatures: what `offsite
//! demo` shows its story on and what the tests pull from.
//!
//! - It answers what a client that only reads asks of AWS S3, the way S3 answers it; PUT, uploads in
//!   parts and DELETE are there for the key that may write. The rest is `NotImplemented`.
//! - Whoever holds a [`Bucket`] changes it directly, while it is being served too.
//! - It can be told to misbehave: see [`Faults`].
//! - Any key of 1 to 1,024 bytes can be kept and read back: `a` beside `a/b`, `../x`, NUL.

mod faults;
mod listing;
mod locks;
mod read;
mod server;
mod service;
mod state;
mod stored;
mod uploads;
mod wire;
mod write;

pub use faults::{Fault, Faults, Hook, Matcher, Order, Paging, Place, Refusal, Trickle};
pub use server::{Key, READER, Server, WRITER};
pub use state::Versioning;
pub use stored::{Checksum, Encryption, PutOptions};

use crate::object::{BucketLock, Clock, Lock};
use state::State;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use stored::Stored;

/// A bucket. Clones are the same bucket.
#[derive(Clone)]
pub struct Bucket {
    name: Arc<str>,
    state: Arc<Mutex<State>>,
}

impl Bucket {
    /// An empty bucket without versioning. `clock` gives objects their last-modified; signatures
    /// are judged by the computer's clock. Over HTTP the name must be one that S3 allows: 3 to 63
    /// of `a-z`, `0-9`, `-` and `.`.
    pub fn new(name: &str, clock: Clock) -> Self {
        Self {
            name: name.into(),
            state: Arc::new(Mutex::new(State::new(name, clock))),
        }
    }

    /// The bucket's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Turns versioning on or off. What stands keeps its version id.
    pub fn set_versioning(&self, versioning: Versioning) {
        self.lock().versioning = versioning;
    }

    /// Sets whether versions are locked, and for how long by themselves; as on S3, a bucket with
    /// locks keeps versions.
    pub fn set_object_lock(&self, lock: BucketLock) {
        let mut state = self.lock();
        state.lock = lock;
        if lock.on {
            state.versioning = Versioning::Enabled;
        }
    }

    /// Changes one version's lock, by a hand that no lock binds; says whether the version was there.
    pub fn set_lock(&self, key: &str, version_id: &str, lock: Option<Lock>) -> bool {
        self.lock().set_lock(key, version_id, lock)
    }

    /// One version's lock.
    pub fn lock_of(&self, key: &str, version_id: &str) -> Option<Lock> {
        let state = self.lock();
        state.version(key, version_id)?.lock.as_deref().copied()
    }

    /// Sets the lifecycle rules that the bucket tells of. It follows none.
    pub fn set_lifecycle(&self, rules: Vec<crate::object::Expiry>) {
        self.lock().lifecycle = rules;
    }

    /// Puts an object; answers with its version id while versioning is enabled.
    pub fn put(&self, key: &str, bytes: impl Into<Vec<u8>>) -> Option<String> {
        self.put_with(key, bytes, PutOptions::default())
    }

    /// Puts an object with everything that S3 can say about one. A key that S3 does not allow
    /// (empty, or of more than 1,024 bytes) is kept too, to see what a client makes of it.
    pub fn put_with(
        &self,
        key: &str,
        bytes: impl Into<Vec<u8>>,
        options: PutOptions,
    ) -> Option<String> {
        // Digests first: the bucket may be answering requests meanwhile.
        let object = Stored::new(bytes.into(), options);
        let mut state = self.lock();
        let id = state.put(key, object);
        (state.versioning == Versioning::Enabled).then_some(id)
    }

    /// Deletes a key as S3 does: a delete marker where the bucket is versioned (answers with the
    /// marker's version id), gone where it is not.
    pub fn delete(&self, key: &str) -> Option<String> {
        self.lock().delete(key)
    }

    /// Removes one version or marker for good, locked or not; says whether it was there.
    pub fn delete_version(&self, key: &str, version_id: &str) -> bool {
        self.lock().remove(key, version_id).is_some()
    }

    /// Removes every version of a key for good.
    pub fn purge(&self, key: &str) {
        self.lock().objects.remove(key);
    }

    /// The keys that a plain listing shows, in byte order, without any fault.
    pub fn keys(&self) -> Vec<String> {
        let state = self.lock();
        let shown = state
            .objects
            .keys()
            .filter(|key| state.newest(key).is_some_and(|v| v.object.is_some()));
        shown.cloned().collect()
    }

    /// The bytes that a GET of the key answers, without any fault.
    pub fn get(&self, key: &str) -> Option<Vec<u8>> {
        let object = self.lock().newest(key)?.object.clone()?;
        Some(object.to_vec())
    }

    /// The version ids of a key, the newest first, those of delete markers among them. What was
    /// put without versioning is `null`.
    pub fn version_ids(&self, key: &str) -> Vec<String> {
        let state = self.lock();
        let versions = state.objects.get(key).into_iter().flatten().rev();
        versions.map(|version| version.id.clone()).collect()
    }

    /// Changes what is wrong with the bucket, or looks at it. The bucket is locked meanwhile.
    pub fn with_faults<T>(&self, change: impl FnOnce(&mut Faults) -> T) -> T {
        change(&mut self.lock().faults)
    }

    /// How many requests came since the last reset, by the operation's name in the S3 API, those
    /// that were refused among them. Requests with a bad signature do not count.
    pub fn requests(&self) -> BTreeMap<String, u64> {
        self.lock().counts.clone()
    }

    /// Starts counting from nothing.
    pub fn reset_requests(&self) {
        self.lock().counts.clear();
    }

    fn count(&self, operation: &str) {
        *self.lock().counts.entry(operation.to_owned()).or_default() += 1;
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing panics while it holds the lock; if a caller's closure did, the state is whole.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests;
