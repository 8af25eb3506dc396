//! Which versions are restored.

use super::begins;
use crate::catalogue::{Catalogue, Query};
use crate::error::Result;
use crate::object::{ObjectKey, SourceName, State, StoredVersion, Timestamp};

/// Whether a source's key was asked for.
pub type Keys<'k> = dyn Fn(&str, &ObjectKey) -> bool + 'k;

/// What the owner asked for.
pub struct Choice<'k> {
    /// Only this source's.
    pub source: Option<SourceName>,
    /// What the bucket showed then; else the newest good version of each key.
    pub at: Option<Timestamp>,
    /// This version: the bucket's name for it, or the first eight digits or more of its SHA-256.
    pub version: Option<String>,
    /// Which keys.
    pub keys: Box<Keys<'k>>,
}

impl Choice<'_> {
    /// Hands every version that was asked for to `each`, by source and key, one of a key.
    pub fn each(
        &self,
        catalogue: &Catalogue,
        each: &mut dyn FnMut(StoredVersion) -> Result<()>,
    ) -> Result<()> {
        let query = Query {
            source: self.source.clone(),
            at: self.at,
            all_versions: self.version.is_some(),
            unheld: true,
        };
        let mut last: Option<(String, ObjectKey)> = None;
        catalogue.list(&query, &mut |version| {
            // Lock files of a repository are never stored, and would lock it.
            let wanted = version.state != State::Skipped
                && (self.keys)(&version.source, &version.key)
                && self.version.as_ref().is_none_or(|id| is(&version, id));
            let again = |(source, key): &(String, ObjectKey)| {
                *source == version.source && *key == version.key
            };
            if !wanted || last.as_ref().is_some_and(again) {
                return Ok(());
            }
            if self.version.is_some() {
                last = Some((version.source.clone(), version.key.clone()));
            }
            each(version)
        })
    }
}

/// Whether `id` names the version.
fn is(version: &StoredVersion, id: &str) -> bool {
    let names = [&version.identity.version_id, &version.answer.version_id];
    names.into_iter().flatten().any(|name| name == id) || begins(version.sha256, id)
}
