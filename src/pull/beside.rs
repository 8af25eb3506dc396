//! What lies beside an object in the bucket and says something about its bytes: sidecars
//! (`KEY.sha256` and its like), sums files (`SHA256SUMS` and its like in the same folder), and
//! signatures of either (`KEY.minisig`) where the owner named a key.
//!
//! The listing puts the keys that are named so through a [`Sieve`], in memory that never grows, and
//! an object beside which nothing lies costs nothing. For the others the plan and the catalogue tell
//! which of those keys there are, and they are read directly from the bucket before the object: so
//! nothing depends on what is fetched first. A claim counts only if its file is not older than its
//! object.

use super::sieve::Sieve;
use crate::bucket::{Bucket, Failure, Small};
use crate::config::Demands;
use crate::digest::{
    Beside, Claim, Claimed, Signature, Signed, Sums, beside, folder_of, last_segment, sidecars_of,
    signature_of, sums_in,
};
use crate::error::Result;
use crate::formats::{self, Format};
use crate::object::{Change, EvidenceClass, ObjectKey, Timestamp};
use jiff::SignedDuration;
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::OnceCell;

/// Larger sums files are not read,
pub(super) const MOST: u64 = 1 << 20;
/// and larger sidecars and signatures: many are read at once.
const MOST_OF_ONE: u64 = 64 << 10;
/// Sums files of so many bytes together are kept for the next objects of their folders.
const KEPT: u64 = 2 << 20;
/// And so many of them at most.
const KEPT_FILES: usize = 64;

/// So long an object that must be signed waits for its signature.
const TO_SIGN: SignedDuration = SignedDuration::from_hours(1);

/// The files that lie beside one object.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Near {
    sidecars: Vec<(ObjectKey, Claimed)>,
    sums: Vec<SumsFile>,
    signature: Option<ObjectKey>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct SumsFile {
    key: ObjectKey,
    kind: Option<Claimed>,
    signature: Option<ObjectKey>,
}

/// Puts a listed key through the sieve, where it is named like something about others.
pub(super) fn note(sieve: &Sieve, key: &ObjectKey) {
    match beside(key) {
        Some(Beside::Sidecar { .. } | Beside::Signature { .. }) => sieve.add(key.as_str()),
        Some(Beside::Sums { .. }) => {
            sieve.add(key.as_str());
            sieve.add(folder_of(key.as_str()));
        }
        None => {}
    }
}

impl Near {
    /// What lies beside `key`, with `signatures` those too. `holds` knows whether a key is stored or
    /// planned.
    pub(super) fn of(
        key: &ObjectKey,
        sieve: &Sieve,
        signatures: bool,
        holds: impl Fn(&ObjectKey) -> Result<bool>,
    ) -> Result<Self> {
        let there =
            |key: &ObjectKey| -> Result<bool> { Ok(sieve.may_have(key.as_str()) && holds(key)?) };
        let signature = |key: &ObjectKey| -> Result<Option<ObjectKey>> {
            match signature_of(key).filter(|_| signatures) {
                Some(signature) if there(&signature)? => Ok(Some(signature)),
                _ => Ok(None),
            }
        };
        let mut near = Self {
            signature: signature(key)?,
            ..Self::default()
        };
        for (sidecar, kind) in sidecars_of(key) {
            if there(&sidecar)? {
                near.sidecars.push((sidecar, kind));
            }
        }
        let folder = folder_of(key.as_str());
        // A sums file made of all in its folder has a line about itself while it was empty.
        let is_sums = matches!(beside(key), Some(Beside::Sums { .. }));
        if !is_sums && sieve.may_have(folder) {
            for (key, kind) in sums_in(folder) {
                if there(&key)? {
                    let signature = signature(&key)?;
                    near.sums.push(SumsFile {
                        key,
                        kind,
                        signature,
                    });
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

/// What the files beside an object say of its bytes.
#[derive(Clone, Debug, Default)]
pub(super) struct Heard {
    pub(super) claims: Vec<Claim>,
    pub(super) signature: Option<Signed>,
}

impl Heard {
    /// Whether anybody signed the object.
    pub(super) fn is_signed(&self) -> bool {
        let signed = |claim: &Claim| claim.class == EvidenceClass::Signed;
        self.signature.is_some() || self.claims.iter().any(signed)
    }
}

/// Reads what lies beside objects. Cloned freely; all clones keep the same files.
#[derive(Clone)]
pub(super) struct Witnesses {
    bucket: Bucket,
    demands: Demands,
    kept: Arc<Mutex<VecDeque<Kept>>>,
    // One sums file at a time: lines take several times the memory of their text.
    turn: Arc<tokio::sync::Mutex<()>>,
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
    class: EvidenceClass,
}

impl Witnesses {
    pub(super) fn new(bucket: Bucket, demands: Demands) -> Self {
        Self {
            bucket,
            demands,
            kept: Arc::default(),
            turn: Arc::default(),
        }
    }

    /// Whether the owner named a key to check signatures with.
    pub(super) fn knows_keys(&self) -> bool {
        !self.demands.keys().is_empty()
    }

    /// Whether `object` must be signed, is not, and came so shortly before `now` that its uploader
    /// may be about to sign it.
    pub(super) fn may_yet_be_signed(&self, object: &Change, heard: &Heard, now: Timestamp) -> bool {
        let identity = &object.identity;
        // By the bucket's clock, as its time for the object is.
        let now = now.checked_add(self.bucket.clock_ahead()).unwrap_or(now);
        self.demands.signature(&object.key, identity.size)
            && !heard.is_signed()
            // A time to come is no reason to wait for ever.
            && now.duration_since(identity.last_modified).abs() < TO_SIGN
    }

    /// What the files beside an object say of its bytes. With `anew` they are all read again: what
    /// contradicts an object may have been spoilt on its own way.
    ///
    /// A failure means that a signature which is demanded could not be had this time.
    pub(super) async fn heard(
        &self,
        near: &Near,
        object: &Change,
        anew: bool,
    ) -> Result<Heard, Failure> {
        let name = last_segment(object.key.as_str());
        let mut heard = Heard::default();
        for (key, kind) in &near.sidecars {
            if let Some(small) = self.small(key, MOST_OF_ONE, false).await?
                && is_not_older(small.modified, object)
            {
                let said = Sums::parse(&small.bytes, Some(*kind)).of_one(name);
                let claims = claims_of(key, EvidenceClass::UploaderClaim, said);
                heard.claims.extend(claims);
            }
        }
        for file in &near.sums {
            let kept = self.kept(&file.key, anew);
            let read = kept.read.get_or_try_init(|| self.sums(file)).await?;
            self.settle();
            if let Some(read) = read
                && is_not_older(Some(read.modified), object)
            {
                let claims = claims_of(&file.key, read.class, read.sums.of(name));
                heard.claims.extend(claims);
            }
        }
        let demanded = self.demands.signature(&object.key, object.identity.size);
        if let Some(key) = &near.signature
            && let Some(small) = self.small(key, MOST_OF_ONE, demanded).await?
            && is_not_older(small.modified, object)
        {
            heard.signature = self.signed(key, &small);
        }
        Ok(heard)
    }

    /// A file beside objects; nothing where it is not there or cannot be read. Its objects come all
    /// the same, on other evidence: only what is `demanded` may keep them waiting.
    async fn small(
        &self,
        key: &ObjectKey,
        most: u64,
        demanded: bool,
    ) -> Result<Option<Small>, Failure> {
        use Failure::{Broken, Fatal, Gone, Passing};
        match self.bucket.small(key, most).await {
            Ok(Some(small)) => Ok(Some(small)),
            Ok(None) => {
                log::warn!("{key}: too large to be read for what it says of other objects");
                Ok(None)
            }
            Err(Gone) => Ok(None),
            Err(failure @ (Broken(_) | Passing(_) | Fatal(_))) if demanded => Err(failure),
            Err(failure) => {
                let error = failure.into_error(key.as_str());
                log::warn!("{key}: what it says of other objects is not known: {error}");
                Ok(None)
            }
        }
    }

    fn signed(&self, key: &ObjectKey, small: &Small) -> Option<Signed> {
        let Some(signature) = Signature::parse(&small.bytes) else {
            log::warn!("{key} is no signature of minisign");
            return None;
        };
        Some(Signed {
            name: key.as_str().to_owned(),
            maker: signature.maker(self.demands.keys()).cloned(),
            signature,
        })
    }

    /// A sums file, and whether it is signed itself.
    async fn sums(&self, file: &SumsFile) -> Result<Option<Read>, Failure> {
        let demanded = self.demands.any_signature();
        let _turn = self.turn.lock().await;
        let Some(small) = self.small(&file.key, MOST, demanded).await? else {
            return Ok(None);
        };
        let Some(modified) = small.modified else {
            return Ok(None);
        };
        let signed = match &file.signature {
            Some(key) => self.small(key, MOST_OF_ONE, demanded).await?,
            None => None,
        };
        let signed = file.signature.as_ref().zip(signed);
        let signed = signed.and_then(|(key, small)| self.signed(key, &small));
        let name = last_segment(file.key.as_str());
        let class = match signed.is_some_and(|signed| signed.holds_for(name, &small.bytes)) {
            true => EvidenceClass::Signed,
            false => EvidenceClass::UploaderClaim,
        };
        Ok(Some(Read {
            sums: Sums::parse(&small.bytes, file.kind),
            bytes: small.bytes.len() as u64,
            modified,
            class,
        }))
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
            let read = one.read.get().and_then(Option::as_ref);
            read.map_or(0, |read| read.bytes)
        };
        let mut sum: u64 = kept.iter().map(size).sum();
        while kept.len() > 1
            && (sum > KEPT || kept.len() > KEPT_FILES)
            && let Some(oldest) = kept.pop_front()
        {
            sum = sum.saturating_sub(size(&oldest));
        }
    }
}

/// Times of answers are in whole seconds.
fn is_not_older(modified: Option<Timestamp>, object: &Change) -> bool {
    let object = object.identity.last_modified.as_second();
    modified.is_some_and(|modified| modified.as_second() >= object)
}

fn claims_of(
    key: &ObjectKey,
    class: EvidenceClass,
    said: Vec<(Claimed, String)>,
) -> impl Iterator<Item = Claim> {
    said.into_iter().map(move |(kind, value)| Claim {
        name: key.as_str().to_owned(),
        class,
        kind,
        value,
    })
}
