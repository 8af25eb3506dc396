//! Bytes of the first store: found, copied, and proven again.

use super::Lack;
use super::follow::{Follow, touch_of};
use super::step::Wanted;
use crate::digest::{Proven, Subject, prove_again};
use crate::error::Result;
use crate::home::places_of;
use crate::object::{Fact, InBucket, State, Timestamp};
use crate::outcome::Event;
use crate::store::{Copying, Incoming, Uncopied};

/// What became of copying.
pub(super) enum Copied {
    /// The bytes lie in `incoming/`.
    There(Box<Proven>),
    /// The first store has them nowhere as they were: why.
    Nowhere(String),
    /// The owner wished for an end.
    Interrupted,
}

impl Follow<'_, '_, '_> {
    /// Takes bytes that the first store placed. False where the owner wished for an end.
    pub(super) fn bytes(&mut self, mut wanted: Wanted) -> Result<bool> {
        self.batch.settle(&wanted.key)?;
        if self.has(&wanted)? {
            return Ok(true);
        }
        let gone = wanted.adopted && !self.is_shown(&wanted)?;
        if gone {
            wanted.in_bucket = InBucket::Gone;
        }
        match self.copy(&wanted)? {
            Copied::There(proven) => self.take(*proven, &wanted)?,
            Copied::Interrupted => return Ok(false),
            Copied::Nowhere(why) => return self.remember(wanted, why).map(|()| true),
        }
        if gone {
            self.batch.fact(gone_at(&wanted, wanted.recorded.at));
        }
        Ok(true)
    }

    /// Whether the mirror has this version's bytes already, in the state that they have there.
    fn has(&mut self, wanted: &Wanted) -> Result<bool> {
        let Some(row) = self.row(&wanted.key, &wanted.identity)? else {
            return Ok(false);
        };
        let same = row.sha256 == Some(wanted.recorded.sha256) && row.state == wanted.state;
        let folder = format!("{}/", self.batch.shelf().name());
        let path = row.path.as_deref().and_then(|p| p.strip_prefix(&folder));
        let Some(path) = path.filter(|_| same).map(str::to_owned) else {
            return Ok(false);
        };
        // The first store placed it again; what the bucket showed then may be news.
        if !wanted.adopted && wanted.state != State::Quarantined {
            self.batch.fact(touch_of(wanted.clone(), path));
        }
        Ok(true)
    }

    /// Whether a file that only its line in the sums vouches for is taken for what the bucket shows.
    fn is_shown(&self, wanted: &Wanted) -> Result<bool> {
        let shelf = self.batch.shelf();
        let rows = shelf.catalogue().known_of(shelf.name(), &wanted.key)?;
        Ok(wanted.latest && !rows.iter().any(|row| row.in_bucket == InBucket::Current))
    }

    /// Copies the bytes from wherever the first store has them by now.
    pub(super) fn copy(&self, wanted: &Wanted) -> Result<Copied> {
        let (places, mut why) = self.places(wanted)?;
        let (mirror, shelf) = (self.mirror, self.batch.shelf());
        let _room = shelf.store().space().reserve(wanted.recorded.bytes)?;
        let id = Incoming::id_of(shelf.name(), &wanted.key, &wanted.identity);
        let how = Copying {
            bytes: wanted.recorded.bytes,
            at: wanted.recorded.at,
            stop: mirror.stop,
            each: &|bytes| mirror.reporter.report(&Event::Bytes(bytes)),
        };
        for place in places {
            let copied = match mirror.first.open(&place) {
                Ok(from) => shelf.incoming().copy_in(&id, from, &how),
                Err(error) => Err(Uncopied::Unread(error.to_string())),
            };
            match copied {
                Ok((staged, sha256, bytes)) => {
                    let subject = wanted.subject(staged.clone());
                    let recorded = wanted.recorded.clone();
                    if let Some(proven) = prove_again(subject, recorded, (sha256, bytes)) {
                        mirror.reporter.report(&Event::Finished(&wanted.key));
                        return Ok(Copied::There(Box::new(proven)));
                    }
                    shelf.incoming().remove(&staged)?;
                    why.get_or_insert_with(|| wanted.differs(sha256, bytes));
                }
                Err(Uncopied::Unread(text)) => drop(why.get_or_insert(text)),
                Err(Uncopied::Drive(error)) => return Err(error),
                Err(Uncopied::Interrupted) => return Ok(Copied::Interrupted),
            }
        }
        mirror.first.still_has_marker()?;
        let missing = || "its file is missing there".to_owned();
        Ok(Copied::Nowhere(why.unwrap_or_else(missing)))
    }

    /// Where the first store may have the bytes; and why not where its catalogue says, if there is
    /// no file.
    fn places(&self, wanted: &Wanted) -> Result<(Vec<String>, Option<String>)> {
        let (first, name) = (self.mirror.first, self.name());
        let catalogue = self.mirror.catalogue;
        let version = (&wanted.key, &wanted.identity);
        let mut places = places_of((first, catalogue), &name, version, wanted.recorded.sha256)?;
        let row = catalogue.by_identity(&name, &wanted.key, &wanted.identity)?;
        let said = row.and_then(|row| row.path);
        let why = match said.filter(|path| !places.contains(path)) {
            None => None,
            Some(path) => match first.stat(&path) {
                Err(error) => Some(error.to_string()),
                Ok(None) => Some("its file is missing there".to_owned()),
                Ok(Some(_)) => None,
            },
        };
        let then = format!("{name}/{}", wanted.path);
        if !places.contains(&then) && matches!(first.stat(&then), Ok(Some(_))) {
            places.push(then);
        }
        Ok((places, why))
    }

    /// Files what was copied, as the first store did then.
    pub(super) fn take(&mut self, proven: Proven, wanted: &Wanted) -> Result<()> {
        match proven {
            Proven::Contradicted(contradiction) => {
                self.batch.quarantine(contradiction);
                Ok(())
            }
            Proven::Verified(verified) if wanted.latest => self.batch.latest(verified),
            Proven::Verified(verified) => self.batch.history(verified, wanted.state),
        }
    }

    /// Notes a version without bytes. What the mirror has of it in another state is not given up.
    pub(super) fn pending(&mut self, wanted: Wanted) -> Result<()> {
        let here = self.row(&wanted.key, &wanted.identity)?;
        if here.is_some_and(|row| row.path.is_some()) {
            return Ok(());
        }
        let older = !wanted.latest && wanted.state == State::Stored;
        self.batch.fact(Fact::Noted {
            in_bucket: match older {
                true => InBucket::Noncurrent,
                false => wanted.in_bucket,
            },
            key: wanted.key,
            identity: wanted.identity,
            state: State::Pending,
            at: wanted.recorded.at,
        });
        Ok(())
    }

    /// What cannot be had is remembered as pending, and asked for again in the next run. Only of what
    /// the owner's own rule removed there since, nothing is said.
    fn remember(&mut self, wanted: Wanted, why: String) -> Result<()> {
        let name = self.name();
        let first = self.mirror.catalogue;
        let row = first.by_identity(&name, &wanted.key, &wanted.identity)?;
        let by_rule = row.is_some_and(|row| row.state == State::Expired);
        self.pending(wanted.clone())?;
        if by_rule {
            return Ok(());
        }
        self.lacks(Lack {
            source: name,
            sha256: Some(wanted.recorded.sha256),
            key: wanted.key,
            why,
            here: false,
        })
    }
}

impl Wanted {
    fn subject(&self, staged: String) -> Subject {
        Subject {
            key: self.key.clone(),
            identity: self.identity.clone(),
            answer: self.answer.clone(),
            staged,
            content: self.content.clone(),
            in_bucket: self.in_bucket,
        }
    }

    fn differs(&self, sha256: crate::object::Sha256, bytes: u64) -> String {
        match bytes.cmp(&self.recorded.bytes) {
            std::cmp::Ordering::Less => format!(
                "its file there has {bytes} bytes instead of {}",
                self.recorded.bytes
            ),
            std::cmp::Ordering::Greater => {
                format!("its file there has more than {} bytes", self.recorded.bytes)
            }
            std::cmp::Ordering::Equal => format!(
                "its file there has the SHA-256 {sha256} instead of {}",
                self.recorded.sha256
            ),
        }
    }
}

/// That the bucket does not show it any more, since then.
pub(super) fn gone_at(wanted: &Wanted, at: Timestamp) -> Fact {
    Fact::Gone {
        key: wanted.key.clone(),
        identity: wanted.identity.clone(),
        at,
    }
}
