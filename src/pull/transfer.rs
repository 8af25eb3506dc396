//! One object's way from the bucket into `incoming/`, proven.

use super::beside::{Heard, Near, Witnesses};
use super::plan::archived;
use super::sink::{Look, Sink};
use crate::bucket::{Ask, Bucket, Download, Failure};
use crate::digest::{Claim, Contradiction, Proven, Subject, Verified, prove};
use crate::error::{Error, Kind, Result};
use crate::formats::{self, Format};
use crate::object::{Change, Clock, Fact, Identity, InBucket, Sha256, SourceName, State, Why};
use crate::outcome::{Event, Reporter, Stop};
use crate::series;
use crate::store::{Incoming, Reserved, Space};
use std::sync::Arc;

/// What became of one planned change.
#[derive(Debug)]
pub(super) enum Fetched {
    /// Complete and proven.
    Verified(Verified),
    /// Complete, fetched twice, and contradicting its evidence both times.
    Contradicted(Contradiction),
    /// Nothing to fetch, something to record.
    Fact(Fact),
    /// Cannot be read with our key.
    Unreadable(Change, Error),
    /// An older version, and our key may not read those.
    Withheld(Error),
    /// Not there any more, another version by now, or not signed yet: the next listing tells.
    Passed,
    /// Could not be fetched this time.
    Failed(Change, Error),
    /// The owner asked for an end.
    Interrupted,
    /// The drive failed: nothing more can be stored.
    Drive(Error),
}

/// What our own rows tell of an object before it is fetched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Background {
    /// What its name says.
    pub(super) named: Named,
    /// The repository that it is part of.
    pub(super) repository: Option<Format>,
    /// The files that lie beside it and may say something about its bytes.
    pub(super) near: Near,
    /// The claims that always held in its series, by the names that those go by there.
    pub(super) trusted_claims: Vec<String>,
}

impl Background {
    /// The names of those of `claims` that always held in the object's series.
    fn trusted(&self, claims: &[Claim]) -> Vec<String> {
        let names = claims.iter().map(|claim| &claim.name);
        let trusted = |name: &&String| self.trusted_claims.contains(&series::claim(name));
        names.filter(trusted).cloned().collect()
    }
}

/// What an object's name says where its source holds the repository that the name is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Named {
    /// Nothing.
    Freely,
    /// A lock: recorded, never stored.
    Lock,
    /// The SHA-256 of the bytes.
    Content(Sha256),
}

/// What every transfer of a run needs. Cloned freely.
#[derive(Clone)]
pub(super) struct Transfer {
    pub(super) source: SourceName,
    pub(super) bucket: Bucket,
    pub(super) incoming: Incoming,
    pub(super) space: Space,
    pub(super) clock: Clock,
    pub(super) stop: Stop,
    pub(super) reporter: Arc<dyn Reporter>,
    pub(super) witnesses: Witnesses,
}

/// Why one try brought no verdict.
enum Miss {
    Bucket(Failure),
    Drive(Error),
    Stopped,
    /// It must be signed, and may still be.
    Unsigned,
}

impl From<Failure> for Miss {
    fn from(failure: Failure) -> Self {
        Self::Bucket(failure)
    }
}

impl Transfer {
    /// Fetches what `change` asks for; never fails the run by itself.
    pub(super) async fn fetch(&self, mut change: Change, background: Background) -> Fetched {
        let note = |change: &Change, state| {
            Fetched::Fact(Fact::Noted {
                key: change.key.clone(),
                identity: change.identity.clone(),
                state,
                in_bucket: change.in_bucket,
                at: self.clock.now(),
            })
        };
        if change.why == Why::Back {
            return Fetched::Fact(Fact::Back {
                key: change.key.clone(),
                identity: change.identity.clone(),
                at: self.clock.now(),
            });
        }
        if background.named == Named::Lock && change.identity.size <= formats::RESTIC_LOCK_MAX {
            return note(&change, State::Skipped);
        }
        if archived(change.storage_class.as_deref()) {
            return note(&change, State::Archived);
        }
        // One object that does not fit leaves the room to those that do.
        let _room = match self.room_for(&change) {
            Ok(room) => room,
            Err(full) => return Fetched::Failed(change, full),
        };
        let mut settled = self.until_settled(&change, &background).await;
        if matches!(settled, Err(Miss::Bucket(Failure::Changed)))
            && change.identity.etag.contains('-')
            && let Some(identity) = self.told_otherwise(&change).await
        {
            change.identity = identity;
            settled = self.until_settled(&change, &background).await;
        }
        match settled {
            Ok(Proven::Verified(verified)) => Fetched::Verified(verified),
            Ok(Proven::Contradicted(contradiction)) => Fetched::Contradicted(contradiction),
            Err(Miss::Stopped) => Fetched::Interrupted,
            Err(Miss::Unsigned) => Fetched::Passed,
            Err(Miss::Drive(error)) => Fetched::Drive(error),
            Err(Miss::Bucket(failure)) => match failure {
                Failure::Archived => note(&change, State::Archived),
                Failure::Gone | Failure::Changed => Fetched::Passed,
                // It says nothing of the version, and is not to be said of each.
                Failure::Unreadable(error)
                    if error.kind() == Kind::Usage && change.in_bucket != InBucket::Current =>
                {
                    Fetched::Withheld(error)
                }
                Failure::Unreadable(error) => Fetched::Unreadable(change, error),
                Failure::Broken(error) | Failure::Passing(error) | Failure::Fatal(error) => {
                    Fetched::Failed(change, error)
                }
            },
        }
    }

    /// What is not current is asked for by its version.
    fn bucket_of(&self, change: &Change) -> Bucket {
        match change.in_bucket {
            InBucket::Current => self.bucket.clone(),
            _ => self.bucket.by_version(),
        }
    }

    /// What a HEAD tells of a listed version, where the listing told another ETag.
    async fn told_otherwise(&self, change: &Change) -> Option<Identity> {
        let bucket = self.bucket_of(change);
        tokio::select! {
            told = bucket.told_otherwise(&change.key, &change.identity) => told,
            () = self.stop.wait() => None,
        }
    }

    /// Sets room aside for what of the object is not on the drive yet.
    fn room_for(&self, change: &Change) -> Result<Reserved> {
        let there = if self.in_ranges(&change.identity) {
            let id = Incoming::id_of(&self.source, &change.key, &change.identity);
            self.incoming.bytes(&id)?
        } else {
            0
        };
        self.space
            .reserve(change.identity.size.saturating_sub(there))
    }

    /// Whether it is a large object, whose download can be resumed.
    fn in_ranges(&self, identity: &Identity) -> bool {
        identity.size >= self.bucket.tuning().large
    }

    /// Tries until the bytes are proven, contradicted twice, or beyond reach.
    async fn until_settled(
        &self,
        change: &Change,
        background: &Background,
    ) -> Result<Proven, Miss> {
        let attempts = self.bucket.tuning().attempts;
        let mut heard = self.heard(change, &background.near, false).await?;
        let now = self.clock.now();
        if background.named == Named::Freely
            && change.in_bucket == InBucket::Current
            && self.witnesses.may_yet_be_signed(change, &heard, now)
        {
            log::info!("{}: not signed yet; it waits for the next run", change.key);
            return Err(Miss::Unsigned);
        }
        let (mut tries, mut contradicted) = (1, false);
        loop {
            // What did not come out right may have been uploaded in parts that are not alike.
            let ask = match (background.named, contradicted) {
                (Named::Content(_), _) => Ask::Nothing,
                (_, true) => Ask::Each,
                (_, false) => Ask::First,
            };
            match self.once(change, background, ask, &heard).await {
                // A mismatch is fetched once more before it means anything: a line or a proxy
                // can spoil bytes, and then the second ones differ.
                Ok(Proven::Contradicted(found)) if !contradicted => {
                    contradicted = true;
                    // All of it: what came before the last watermark may be what is wrong.
                    let (incoming, staged) = (self.incoming.clone(), found.staged().to_owned());
                    let removed = blocking(move || incoming.remove(&staged)).await;
                    removed.map_err(Miss::Drive)?;
                    heard = self.heard(change, &background.near, true).await?;
                    self.trouble(&format!(
                        "{}: the bytes contradict their evidence; fetching them once more",
                        change.key
                    ));
                }
                Err(Miss::Bucket(Failure::Broken(error))) if tries < attempts => {
                    self.trouble(&format!("{}: {error}; trying again", change.key));
                    let wait = self.bucket.tuning().wait_before(tries);
                    tries += 1;
                    tokio::select! {
                        () = tokio::time::sleep(wait) => {}
                        () = self.stop.wait() => return Err(Miss::Stopped),
                    }
                }
                settled => return settled,
            }
        }
    }

    fn trouble(&self, text: &str) {
        log::warn!("{text}");
        self.reporter.report(&Event::Trouble(text));
    }

    /// What the files beside an object say of its bytes.
    async fn heard(&self, change: &Change, near: &Near, anew: bool) -> Result<Heard, Miss> {
        tokio::select! {
            heard = self.witnesses.heard(near, change, anew) => Ok(heard?),
            () = self.stop.wait() => Err(Miss::Stopped),
        }
    }

    /// One download from beginning (or watermark) to end.
    async fn once(
        &self,
        change: &Change,
        background: &Background,
        ask: Ask,
        heard: &Heard,
    ) -> Result<Proven, Miss> {
        let (key, identity) = (&change.key, &change.identity);
        let bucket = self.bucket_of(change);
        let mut download = tokio::select! {
            opened = bucket.open(key, identity, ask) => opened?,
            () = self.stop.wait() => return Err(Miss::Stopped),
        };
        let id = Incoming::id_of(&self.source, key, identity);
        let mut evidence = download.evidence().clone();
        evidence.claims.extend_from_slice(&heard.claims);
        evidence.signature.clone_from(&heard.signature);
        evidence.trusted_claims = background.trusted(&evidence.claims);
        if let Named::Content(sha256) = background.named {
            evidence.content_name = Some(sha256);
        }
        let mut sink = Sink::new(self.incoming.clone(), id, evidence.clone());
        if self.in_ranges(identity) {
            sink = self.resume(sink, identity, &mut download).await?;
        }
        let mut come = sink.written();
        loop {
            let chunk = tokio::select! {
                chunk = download.next() => chunk,
                () = self.stop.wait() => Err(Failure::Broken(Error::new(Kind::Interrupted, "interrupted"))),
            };
            match chunk {
                Ok(Some(bytes)) => {
                    come = come.saturating_add(bytes.len() as u64);
                    self.reporter.report(&Event::Bytes(bytes.len() as u64));
                    sink = sink.take(bytes, identity).await.map_err(Miss::Drive)?;
                    // More than was listed: that proves it wrong, and must not fill the drive.
                    if come > identity.size {
                        break;
                    }
                }
                Ok(None) => break,
                Err(failure) => {
                    // What came so far is kept for the next try, now or in a later run.
                    if self.in_ranges(identity) {
                        sink.mark(identity).await.map_err(Miss::Drive)?;
                    }
                    return Err(match self.stop.requested() {
                        true => Miss::Stopped,
                        false => Miss::Bucket(failure),
                    });
                }
            }
        }
        let look = Look {
            key: key.clone(),
            metadata: download.client_side().to_vec(),
            repository: background.repository,
        };
        let (digests, staged, content) = sink.finish(look).await.map_err(Miss::Drive)?;
        let subject = Subject {
            key: key.clone(),
            identity: identity.clone(),
            answer: download.answer().clone(),
            staged,
            content,
            in_bucket: change.in_bucket,
        };
        let proven = prove(subject, digests, &evidence);
        if let Proven::Verified(verified) = &proven
            && verified.belies_etag(&evidence)
        {
            self.bucket.etag_belied(key);
        }
        Ok(proven)
    }

    /// Goes on from the last synced watermark of an earlier try, if there is one.
    async fn resume(
        &self,
        sink: Sink,
        identity: &Identity,
        download: &mut Download,
    ) -> Result<Sink, Miss> {
        let wanted = identity.clone();
        let sink = blocking(move || sink.resume(&wanted))
            .await
            .map_err(Miss::Drive)?;
        let had = sink.written();
        if had > 0 {
            download.skip_to(had);
            log::info!("going on after {had} bytes that an earlier try brought");
            self.reporter.report(&Event::Bytes(had));
        }
        Ok(sink)
    }
}

pub(super) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    tokio::task::spawn_blocking(work)
        .await
        .unwrap_or_else(|e| Err(Error::new(Kind::Run, "a writing task ended by itself").because(e)))
}
