//! Where an object's bytes go as they come: hashed, looked at, and written into `incoming/`.

use super::transfer::blocking;
use crate::digest::{Digests, Evidence, Hasher};
use crate::error::{Error, Kind, Result};
use crate::formats::{self, Format, Samples, Sniffer};
use crate::object::{Identity, ObjectKey};
use crate::store::{Incoming, Staging};

/// Bytes between two resume watermarks of a large object.
const WATERMARK: u64 = 64 << 20;
/// Bytes gathered before they are hashed and written in one go.
const GATHER: usize = 256 << 10;

/// What is known of an object besides its bytes, for the look at these.
pub(super) struct Look {
    pub(super) key: ObjectKey,
    pub(super) metadata: Vec<(String, String)>,
    pub(super) repository: Option<Format>,
}

impl Look {
    fn judge(&self, samples: &Samples) -> Option<String> {
        let subject = formats::Subject {
            key: &self.key,
            metadata: &self.metadata,
            repository: self.repository,
        };
        let verdict = formats::judge(&subject, samples).telling(samples.length());
        verdict.map(|verdict| verdict.to_string())
    }
}

/// Gathers chunks, and hashes and writes them away from the network's threads. Small objects
/// cost one such trip in all.
pub(super) struct Sink {
    incoming: Incoming,
    id: String,
    evidence: Evidence,
    hasher: Hasher,
    sniffer: Sniffer,
    staging: Option<Staging>,
    gathered: Vec<u8>,
    marked: u64,
}

impl Sink {
    pub(super) fn new(incoming: Incoming, id: String, evidence: Evidence) -> Self {
        Self {
            incoming,
            id,
            hasher: Hasher::new(&evidence),
            sniffer: Sniffer::new(evidence.size),
            evidence,
            staging: None,
            gathered: Vec::new(),
            marked: 0,
        }
    }

    pub(super) fn written(&self) -> u64 {
        self.staging.as_ref().map_or(0, Staging::written)
    }

    pub(super) fn resume(mut self, identity: &Identity) -> Result<Self> {
        let (hasher, sniffer) = (&mut self.hasher, &mut self.sniffer);
        let staging = self.incoming.resume(&self.id, identity, &mut |bytes| {
            hasher.update(bytes);
            sniffer.feed(bytes);
        })?;
        match staging {
            Some(staging) => {
                self.marked = staging.written();
                self.staging = Some(staging);
            }
            // The prefix may have been fed in part before it proved wrong.
            None => {
                self.hasher = Hasher::new(&self.evidence);
                self.sniffer.restart();
            }
        }
        Ok(self)
    }

    pub(super) async fn take(mut self, bytes: Vec<u8>, identity: &Identity) -> Result<Self> {
        if self.gathered.is_empty() && bytes.len() >= GATHER {
            self.gathered = bytes;
        } else {
            self.gathered.extend_from_slice(&bytes);
        }
        if self.gathered.len() < GATHER {
            return Ok(self);
        }
        let identity = identity.clone();
        blocking(move || {
            self.flush()?;
            if self.written() - self.marked >= WATERMARK {
                self.mark_now(&identity)?;
            }
            Ok(self)
        })
        .await
    }

    pub(super) async fn mark(mut self, identity: &Identity) -> Result<()> {
        let identity = identity.clone();
        blocking(move || {
            self.flush()?;
            self.mark_now(&identity)
        })
        .await
    }

    /// The digests, where the bytes lie, and what they are.
    pub(super) async fn finish(mut self, look: Look) -> Result<(Digests, String, Option<String>)> {
        blocking(move || {
            self.flush()?;
            let Self {
                hasher,
                sniffer,
                staging,
                ..
            } = self;
            let staging = staging.ok_or_else(|| Error::new(Kind::Run, "nothing was staged"))?;
            let content = look.judge(&sniffer.finish());
            Ok((hasher.finish(), staging.finish()?, content))
        })
        .await
    }

    fn flush(&mut self) -> Result<()> {
        let staging = match &mut self.staging {
            Some(staging) => staging,
            none => none.insert(self.incoming.create(&self.id)?),
        };
        self.hasher.update(&self.gathered);
        self.sniffer.feed(&self.gathered);
        staging.write(&self.gathered)?;
        self.gathered.clear();
        Ok(())
    }

    fn mark_now(&mut self, identity: &Identity) -> Result<()> {
        if let Some(staging) = &mut self.staging {
            staging.watermark(identity, self.hasher.sha256_so_far())?;
            self.marked = staging.written();
        }
        Ok(())
    }
}
