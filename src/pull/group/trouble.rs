//! What did not come: bytes that contradict their evidence, objects that cannot be read, failures.

use super::Group;
use crate::digest::Contradiction;
use crate::error::{Error, Kind, Result};
use crate::object::{Change, Fact, ObjectKey, Sha256, State};
use crate::outcome::Event;
use crate::pull::words;
use crate::store::Entry;

impl Group<'_, '_> {
    pub(super) fn contradicted(&mut self, contradiction: Contradiction) -> Result<()> {
        self.counts.quarantined += 1;
        let row = self.shelf.catalogue().by_identity(
            self.shelf.name(),
            contradiction.key(),
            contradiction.identity(),
        )?;
        let same: Option<Sha256> = row
            .filter(|row| row.state == State::Quarantined)
            .and_then(|row| row.sha256);
        // These very bytes were said before; if the owner acknowledged that, it is settled.
        if same == Some(contradiction.sha256()) {
            self.leftovers.push(contradiction.staged().to_owned());
            return Ok(());
        }
        self.finding(|frame| frame.contradiction(&contradiction))?;
        let bytes = contradiction.bytes();
        self.push(Entry::Quarantine { contradiction }, bytes);
        Ok(())
    }

    pub(super) fn failed(&mut self, key: &ObjectKey, error: Error) {
        let text = format!("{key}: {error}; left for the next run");
        log::warn!("{text}");
        self.reporter.report(&Event::Trouble(&text));
        self.counts.failed += 1;
        self.blame(error);
    }

    pub(super) fn unreadable(&mut self, change: &Change, error: Error) -> Result<()> {
        let (key, identity) = (&change.key, &change.identity);
        self.counts.failed += 1;
        let row = self
            .shelf
            .catalogue()
            .by_identity(self.shelf.name(), key, identity)?;
        if row.is_none_or(|row| row.state != State::Unreadable) {
            let at = self.clock.now();
            self.fact(Fact::Noted {
                key: key.clone(),
                identity: identity.clone(),
                state: State::Unreadable,
                in_bucket: change.in_bucket,
                at,
            });
            self.fact(Fact::Event(words::unreadable(key, &error.to_string(), at)));
            self.look_at_unreadable(key, identity, &error)?;
        }
        self.blame(error);
        Ok(())
    }

    /// Keeps the failure that says most: a full drive before the first of any other.
    pub(in crate::pull) fn blame(&mut self, error: Error) {
        let full = |e: &Error| e.kind() == Kind::Store;
        if self
            .first_failure
            .as_ref()
            .is_none_or(|first| full(&error) && !full(first))
        {
            self.first_failure = Some(error);
        }
    }
}
