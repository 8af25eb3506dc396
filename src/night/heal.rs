//! The buckets as a place to heal from.

use super::Night;
use crate::config::SourceConfig;
use crate::credentials::Credentials;
use crate::error::Result;
use crate::home::Shelf;
use crate::object::{Sha256, StoredVersion};
use crate::pull::{NotAgain, Pull};
use crate::scrub::{Healer, Unhealed};
use crate::store::Whole;
use std::collections::BTreeMap;

/// The buckets of the configured sources, each asked when it is needed first.
pub struct Buckets<'n> {
    night: &'n Night,
    sources: &'n [SourceConfig],
    /// By the sources' names: what asks the bucket, or why it cannot be asked.
    jobs: BTreeMap<String, Result<Pull, String>>,
}

impl<'n> Buckets<'n> {
    /// The buckets of `sources`.
    pub fn new(night: &'n Night, sources: &'n [SourceConfig]) -> Self {
        Self {
            night,
            sources,
            jobs: BTreeMap::new(),
        }
    }

    fn job(&mut self, name: &str) -> Result<&Pull, Unhealed> {
        if !self.jobs.contains_key(name) {
            let made = self.make(name);
            self.jobs.insert(name.to_owned(), made);
        }
        match self.jobs.get(name) {
            Some(Ok(job)) => Ok(job),
            Some(Err(why)) => Err(Unhealed::Without(why.clone())),
            None => Err(Unhealed::Without("it was not asked".to_owned())),
        }
    }

    fn make(&self, name: &str) -> Result<Pull, String> {
        let source = self.sources.iter().find(|s| s.name.as_str() == name);
        let Some(source) = source else {
            return Err("the configuration has no such source".to_owned());
        };
        let credentials = Credentials::from(&source.credentials);
        let job = credentials.and_then(|credentials| self.night.job(source, &credentials));
        job.map_err(|error| error.to_string())
    }
}

impl Healer for Buckets<'_> {
    fn name(&self) -> String {
        "the bucket".to_owned()
    }

    fn bring(
        &mut self,
        shelf: &Shelf<'_>,
        version: &StoredVersion,
        sha256: Sha256,
    ) -> Result<Whole, Unhealed> {
        let night = self.night;
        let job = self.job(&version.source)?;
        let verified = match job.again(&night.runtime, shelf, version) {
            Ok(verified) => verified,
            Err(NotAgain::Bucket(why)) => return Err(Unhealed::Without(why)),
            Err(NotAgain::Drive(error)) => return Err(Unhealed::Drive(error)),
        };
        if let Some(whole) = Whole::fetched(&verified, sha256) {
            return Ok(whole);
        }
        let staged = verified.staged();
        shelf.incoming().remove(staged).map_err(Unhealed::Drive)?;
        let why = format!(
            "it has other bytes by now (SHA-256 {}): somebody may have written over it",
            verified.sha256()
        );
        Err(Unhealed::Without(why))
    }
}
