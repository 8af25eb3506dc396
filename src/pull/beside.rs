//! What lies beside an object in the bucket and says something about its bytes: sidecars
//! (`KEY.sha256` and its like) and sums files (`SHA256SUMS` and its like in the same folder).
//!
//! The listing puts the keys that are named so through a [`Sieve`], in memory that never grows, and
//! an object beside which nothing lies costs nothing. For the others the plan and the catalogue tell
//! which of those keys there are, and they are read directly from the bucket before the object: so
//! nothing depends on what is fetched first. A claim counts only if its file is not older than its
//! object.

use super::sieve::Sieve;
use crate::bucket::{Bucket, Failure, Small};
use crate::digest::{
    Beside, Claim, Claimed, Sums, beside, folder_of, last_segment, sidecars_of, sums_in,
};
use crate::error::Result;
use crate::formats::{self, Format};
use crate::object::{Change, EvidenceClass, ObjectKey, Timestamp};
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::OnceCell;

/// Larger sidecars and sums files are not read.
pub(super) const MOST: u64 = 1 << 20;
/// Sums files of so many bytes together are kept for the next objects of their folders.
const KEPT: u64 = 2 << 20;
/// And so many of them at most.
const KEPT_FILES: usize = 64;

/// The files that lie beside one object.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Near {
    sidecars: Vec<(ObjectKey, Claimed)>,
    sums: Vec<(ObjectKey, Option<Claimed>)>,
}

/// Puts a listed key through the sieve, where it is named like something about others.
pub(super) fn note(sieve: &Sieve, key: &ObjectKey) {
    match beside(key) {
        Some(Beside::Sidecar { .. }) => sieve.add(key.as_str()),
        Some(Beside::Sums { .. }) => {
            sieve.add(key.as_str());
            sieve.add(folder_of(key.as_str()));
        }
        None => {}
    }
}

impl Near {
    /// What lies beside `key`. `holds` knows whether a key is stored or planned.
    pub(super) fn of(
        key: &ObjectKey,
        sieve: &Sieve,
        holds: impl Fn(&ObjectKey) -> Result<bool>,
    ) -> Result<Self> {
        let mut near = Self::default();
        let there =
            |key: &ObjectKey| -> Result<bool> { Ok(sieve.may_have(key.as_str()) && holds(key)?) };
        for (sidecar, kind) in sidecars_of(key) {
            if there(&sidecar)? {
                near.sidecars.push((sidecar, kind));
            }
        }
        let folder = folder_of(key.as_str());
        // A sums file made of all in its folder has a line about itself while it was empty.
        let is_sums = matches!(beside(key), Some(Beside::Sums { .. }));
        if !is_sums && sieve.may_have(folder) {
            for (sums, kind) in sums_in(folder) {
                if there(&sums)? {
                    near.sums.push((sums, kind));
                }
            }
        }
        match near == Self::default() || !in_repository(key, &holds)? {
            true => Ok(near),
            false => Ok(Self::default()),
        }
    }
}

/// Whether `key` is part of a repository of restic or kopia, which have digests of their own.
fn in_repository(key: &ObjectKey, holds: &impl Fn(&ObjectKey) -> Result<bool>) -> Result<bool> {
    for repository in formats::repositories(key) {
        if matches!(repository.format, Format::Restic | Format::Kopia) && holds(&repository.marker)?
        {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Reads what lies beside objects. Cloned freely; all clones keep the same files.
#[derive(Clone)]
pub(super) struct Witnesses {
    bucket: Bucket,
    kept: Arc<Mutex<VecDeque<Kept>>>,
}

/// A sums file, read once by whoever needs it first.
#[derive(Clone)]
struct Kept {
    key: ObjectKey,
    read: Arc<OnceCell<Option<Read>>>,
}

/// A file that says something.
struct Read {
    sums: Sums,
    modified: Timestamp,
    bytes: u64,
}

impl Witnesses {
    pub(super) fn new(bucket: Bucket) -> Self {
        Self {
            bucket,
            kept: Arc::default(),
        }
    }

    /// What the files beside an object claim of its bytes. With `anew` they are all read again: what
    /// contradicts an object may have been spoilt on its own way.
    pub(super) async fn claims(&self, near: &Near, object: &Change, anew: bool) -> Vec<Claim> {
        let name = last_segment(object.key.as_str());
        let mut claims = Vec::new();
        for (key, kind) in &near.sidecars {
            if let Some(read) = self.read(key, Some(*kind)).await
                && is_not_older(read.modified, object)
            {
                claims.extend(claims_of(key, read.sums.of_one(name)));
            }
        }
        for (key, kind) in &near.sums {
            let kept = self.kept(key, anew);
            let read = kept.read.get_or_init(|| self.read(key, *kind)).await;
            self.settle();
            if let Some(read) = read
                && is_not_older(read.modified, object)
            {
                claims.extend(claims_of(key, read.sums.of(name)));
            }
        }
        claims
    }

    /// A file's content; nothing where it says nothing, or cannot be read. Its object comes all the
    /// same, on other evidence.
    async fn read(&self, key: &ObjectKey, kind: Option<Claimed>) -> Option<Read> {
        let Small { bytes, modified } = match self.bucket.small(key, MOST).await {
            Ok(Some(small)) => small,
            Ok(None) => {
                log::warn!("{key}: too large to be read for digests of other objects");
                return None;
            }
            Err(Failure::Gone) => return None,
            Err(failure) => {
                let error = failure.into_error(key.as_str());
                log::warn!("{key}: what it says of other objects is not known: {error}");
                return None;
            }
        };
        Some(Read {
            sums: Sums::parse(&bytes, kind),
            modified: modified?,
            bytes: bytes.len() as u64,
        })
    }

    /// The place of a sums file among those that are kept.
    fn kept(&self, key: &ObjectKey, anew: bool) -> Kept {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if anew {
            kept.retain(|one| one.key != *key);
        }
        if let Some(one) = kept.iter().find(|one| one.key == *key) {
            return one.clone();
        }
        let one = Kept {
            key: key.clone(),
            read: Arc::default(),
        };
        kept.push_back(one.clone());
        one
    }

    /// Lets the oldest go where there is too much.
    fn settle(&self) {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let size = |one: &Kept| {
            one.read
                .get()
                .and_then(Option::as_ref)
                .map_or(0, |r| r.bytes)
        };
        let mut sum: u64 = kept.iter().map(size).sum();
        while kept.len() > 1
            && (sum > KEPT || kept.len() > KEPT_FILES)
            && let Some(oldest) = kept.pop_front()
        {
            sum -= size(&oldest);
        }
    }
}

/// Times of answers are in whole seconds.
fn is_not_older(modified: Timestamp, object: &Change) -> bool {
    modified.as_second() >= object.identity.last_modified.as_second()
}

fn claims_of(key: &ObjectKey, said: Vec<(Claimed, String)>) -> impl Iterator<Item = Claim> {
    said.into_iter().map(move |(kind, value)| Claim {
        name: key.as_str().to_owned(),
        class: EvidenceClass::UploaderClaim,
        kind,
        value,
    })
}
