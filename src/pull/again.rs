//! One version once more: its file on the drive is damaged.

use super::Pull;
use super::beside::Near;
use super::transfer::{Background, Fetched, Named};
use super::words::OPAQUE_ETAGS;
use crate::digest::Verified;
use crate::error::{Error, Result};
use crate::home::Shelf;
use crate::object::{Change, InBucket, StoredVersion, Why};
use tokio::runtime::Runtime;

/// Why a version did not come once more.
#[derive(Debug)]
pub enum NotAgain {
    /// The bucket does not give it: why.
    Bucket(String),
    /// The drive failed.
    Drive(Error),
}

impl Pull {
    /// Fetches exactly this version into `incoming/`, proven by what the bucket says of it now.
    /// Nothing is recorded.
    pub fn again(
        &self,
        runtime: &Runtime,
        shelf: &Shelf<'_>,
        version: &StoredVersion,
    ) -> Result<Verified, NotAgain> {
        let said = |why: &str| Err(NotAgain::Bucket(why.to_owned()));
        if version.in_bucket == InBucket::Gone {
            return said("it is not in the bucket any more");
        }
        let change = Change {
            why: Why::Retry,
            key: version.key.clone(),
            identity: version.identity.clone(),
            storage_class: None,
            in_bucket: version.in_bucket,
        };
        // What earlier runs learnt of this bucket: else its bytes would contradict its ETags.
        let opaque = shelf
            .catalogue()
            .ever_found(&self.source.name, OPAQUE_ETAGS);
        if opaque.map_err(NotAgain::Drive)? {
            self.bucket.distrust_etags();
        }
        // What is known of it is its SHA-256, which proves more than all of this.
        let background = Background {
            named: Named::Freely,
            repository: None,
            near: Near::default(),
            trusted_claims: Vec::new(),
        };
        let fetched = runtime.block_on(self.transfer(shelf).fetch(change, background));
        match fetched {
            Fetched::Verified(verified) => Ok(verified),
            Fetched::Contradicted(contradiction) => {
                let gone = shelf.incoming().remove(contradiction.staged());
                gone.map_err(NotAgain::Drive)?;
                said("what it sends contradicts its own evidence")
            }
            Fetched::Fact(_) => said("it is archived: ask for a copy of it first"),
            Fetched::Unreadable(_, error) | Fetched::Withheld(error) => said(&error.to_string()),
            // There may be no room for this one, and some for others.
            Fetched::Failed(_, error) => said(&error.to_string()),
            Fetched::Passed => said("it has not this version any more"),
            Fetched::Interrupted => said("interrupted"),
            Fetched::Drive(error) => Err(NotAgain::Drive(error)),
        }
    }
}
