//! Whether a file is the object that it may be: the bucket's word for it, then a look at the bytes.

use super::find::Next;
use super::{Adopt, Found, Stays};
use crate::bucket::Failure;
use crate::digest::{Digests, Evidence, Hasher, Proven, Subject, Verified, prove};
use crate::error::{Error, Kind, Result};
use crate::formats::{self, Samples, Sniffer};
use crate::object::{Change, EvidenceClass, Proof, Verdict};
use crate::outcome::Event;
use crate::pull::transfer::{Transfer, blocking};
use crate::store::{Foreign, Original, Taking, Untaken};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use tokio::sync::{Semaphore, mpsc};
use tokio::task::{JoinError, JoinSet};

/// Files read at the same time: one while another is hashed. More would only make a disk seek.
const READERS: usize = 2;
/// So many requests fail one after the other, and the bucket is not there.
const FAILURES: u32 = 32;

/// What became of one file.
pub(super) enum Came {
    /// It is proven and lies in `incoming/`.
    Proven(Box<Verified>, Original),
    Known {
        path: String,
        stored: String,
    },
    /// It is no candidate, and stays.
    Stays(Stays),
    /// It is not proven, and stays; the error where it says more than that about the run.
    Unproven(Stays, Option<Error>),
    /// The drive failed: nothing more can be stored.
    Drive(Error),
    /// The owner asked for an end.
    Interrupted,
}

/// Takes candidates, and proves several at once: a request each, then a look at the bytes.
#[derive(Clone)]
pub(super) struct Prover {
    transfer: Transfer,
    adopt: Adopt,
    readers: Arc<Semaphore>,
    /// Parts of repositories that were taken, of the rank in hand.
    parts: Arc<AtomicU64>,
}

impl Prover {
    pub(super) fn new(transfer: Transfer, adopt: &Adopt) -> Self {
        Self {
            transfer,
            adopt: adopt.clone(),
            readers: Arc::new(Semaphore::new(READERS)),
            parts: Arc::default(),
        }
    }

    /// An error means that the bucket is not there.
    pub(super) async fn prove_all(
        self,
        mut found: mpsc::Receiver<Next>,
        out: mpsc::Sender<Came>,
    ) -> Result<()> {
        let at_once = self.transfer.bucket.tuning().at_once.max(1);
        let mut tasks = JoinSet::new();
        let mut failures = Failures::default();
        let mut waits = false;
        while let Some(next) = found.recv().await {
            // Nothing more can be stored.
            if out.is_closed() {
                return Ok(());
            }
            let came = match next {
                Next::Found(Found::Candidate(path, _)) if waits => {
                    let why = "packs or indexes of its repository are not all here: it waits for the pull that brings them";
                    let why = why.to_owned();
                    Came::Unproven(Stays { path, why }, None)
                }
                Next::Found(Found::Candidate(path, change)) => {
                    if tasks.len() >= at_once {
                        failures.count(tasks.join_next().await)?;
                    }
                    let (this, out) = (self.clone(), out.clone());
                    tasks.spawn(async move { this.one(path, change, &out).await });
                    continue;
                }
                Next::Found(Found::Known { path, stored }) => Came::Known { path, stored },
                Next::Found(Found::Stays(stays)) => Came::Stays(stays),
                Next::NextRank(parts) => {
                    while let Some(one) = tasks.join_next().await {
                        failures.count(Some(one))?;
                    }
                    waits |= self.parts.swap(0, Ordering::Relaxed) < parts;
                    continue;
                }
            };
            // A closed channel: see above.
            let _ = out.send(came).await;
        }
        while let Some(one) = tasks.join_next().await {
            failures.count(Some(one))?;
        }
        Ok(())
    }

    /// One file, from its name to its proof; an error where the bucket did not answer.
    async fn one(&self, path: String, change: Change, out: &mpsc::Sender<Came>) -> Result<()> {
        let mut silent = None;
        let came = match self.proven(&path, &change).await {
            Ok((verified, original)) => {
                let part = formats::is_part(&change.key);
                self.parts.fetch_add(u64::from(part), Ordering::Relaxed);
                Came::Proven(Box::new(verified), original)
            }
            Err(No::Drive(error)) => Came::Drive(error),
            Err(No::Stopped) => Came::Interrupted,
            Err(_) if self.transfer.stop.requested() => Came::Interrupted,
            Err(No::Room(error)) => Came::Unproven(why(path, &error), Some(error)),
            Err(No::Unread(error)) => Came::Unproven(why(path, &error), None),
            Err(No::Unproven(why)) => Came::Unproven(Stays { path, why }, None),
            Err(No::Bucket(failure)) => {
                let (said, error) = words(failure);
                silent = error;
                Came::Unproven(Stays { path, why: said }, None)
            }
        };
        self.transfer.reporter.report(&Event::Finished(&change.key));
        // A closed channel means that the drive failed: that is said elsewhere.
        let _ = out.send(came).await;
        silent.map_or(Ok(()), Err)
    }

    async fn proven(&self, path: &str, change: &Change) -> Result<(Verified, Original), No> {
        let (key, identity) = (&change.key, &change.identity);
        let promise = self.transfer.bucket.promise(key, identity);
        let (answer, evidence) = tokio::select! {
            promise = promise => promise.map_err(No::Bucket)?,
            () = self.transfer.stop.wait() => return Err(No::Stopped),
        };
        // Never closed.
        let _turn = self.readers.acquire().await.map_err(|_| No::Stopped)?;
        let transfer = &self.transfer;
        let incoming = transfer.incoming.clone();
        let reader = Reader {
            folder: self.adopt.folder.clone(),
            link: self.adopt.take_away,
            transfer: transfer.clone(),
        };
        let (path, promised) = (path.to_owned(), evidence.clone());
        let read = blocking(move || Ok(reader.read(&path, &promised)));
        let (digests, staged, original, samples) = read.await.map_err(No::Drive)??;
        let subject = Subject {
            key: key.clone(),
            identity: identity.clone(),
            answer,
            staged: staged.clone(),
            content: by_its_bytes(change, &samples),
            in_bucket: change.in_bucket,
        };
        let unproven = match prove(subject, digests, &evidence) {
            Proven::Verified(verified) if verified.evidence() < EvidenceClass::Length => {
                if verified.belies_etag(&evidence) {
                    transfer.bucket.etag_belied(key);
                }
                incoming.make_readable(&staged);
                return Ok((verified, original));
            }
            Proven::Verified(_) => No::Unproven(
                "the bucket promises nothing about its object's bytes but the length".to_owned(),
            ),
            Proven::Contradicted(found) => {
                let failed = |p: &&Proof| p.verdict == Verdict::Fails;
                let names: Vec<&str> = found
                    .proofs()
                    .iter()
                    .filter(failed)
                    .map(|p| &*p.name)
                    .collect();
                let names = names.join(", ");
                No::Unproven(format!(
                    "its bytes are not the object's: {names} does not hold"
                ))
            }
        };
        incoming.remove(&staged).map_err(No::Drive)?;
        Err(unproven)
    }
}

/// Reads one file of the owner's into `incoming/`.
struct Reader {
    folder: Foreign,
    link: bool,
    transfer: Transfer,
}

impl Reader {
    fn read(
        &self,
        path: &str,
        evidence: &Evidence,
    ) -> Result<(Digests, String, Original, Samples), No> {
        let mut original = self.folder.original(path).map_err(No::Unread)?;
        let mut hasher = Hasher::new(evidence);
        let mut sniffer = Sniffer::new(evidence.size);
        let transfer = &self.transfer;
        let mut how = Taking {
            link: self.link,
            space: &transfer.space,
            stop: &transfer.stop,
            each: &mut |bytes| {
                hasher.update(bytes);
                sniffer.feed(bytes);
                transfer.reporter.report(&Event::Bytes(bytes.len() as u64));
            },
        };
        let taken = transfer.incoming.take_over(&mut original, &mut how);
        let staged = taken.map_err(|untaken| match untaken {
            Untaken::Source(error) => No::Unread(error),
            Untaken::Room(error) => No::Room(error),
            Untaken::Drive(error) => No::Drive(error),
        })?;
        Ok((hasher.finish(), staged, original, sniffer.finish()))
    }
}

/// What the bytes are by their own word. What may be part of a repository, or is said by its
/// metadata alone, stays without a verdict here.
fn by_its_bytes(change: &Change, samples: &Samples) -> Option<String> {
    let subject = formats::Subject {
        key: &change.key,
        metadata: &[],
        repository: None,
    };
    let verdict = formats::judge(&subject, samples).telling(samples.length())?;
    (verdict != formats::Verdict::Unknown).then(|| verdict.to_string())
}

/// Why a file is not taken over.
enum No {
    Bucket(Failure),
    Unread(Error),
    Unproven(String),
    Room(Error),
    Drive(Error),
    Stopped,
}

/// Requests that failed one after the other.
#[derive(Default)]
struct Failures(u32);

impl Failures {
    fn count(&mut self, one: Option<Result<Result<()>, JoinError>>) -> Result<()> {
        match one {
            Some(Ok(Err(error))) => {
                self.0 += 1;
                if self.0 >= FAILURES {
                    return Err(error);
                }
            }
            Some(Ok(Ok(()))) => self.0 = 0,
            Some(Err(e)) => {
                return Err(Error::new(Kind::Run, "a proving task ended by itself").because(e));
            }
            None => {}
        }
        Ok(())
    }
}

fn why(path: String, error: &Error) -> Stays {
    let why = error.to_string();
    Stays { path, why }
}

/// A failure in words, and the error where another object would fail alike.
fn words(failure: Failure) -> (String, Option<Error>) {
    match failure {
        Failure::Gone | Failure::Changed => (
            "its object went away or changed since it was listed".to_owned(),
            None,
        ),
        Failure::Archived => (
            "the bucket says nothing about it: it is archived".to_owned(),
            None,
        ),
        Failure::Unreadable(error) => (error.to_string(), None),
        Failure::Broken(error) | Failure::Passing(error) | Failure::Fatal(error) => {
            (error.to_string(), Some(error))
        }
    }
}
