//! What our own rows tell of an object before it is fetched: whether it is part of a repository,
//! what lies beside it, and which claims its series can be trusted with.

use super::beside::Near;
use super::sieve::Sieve;
use super::transfer::{Background, Named};
use crate::catalogue::Catalogue;
use crate::error::Result;
use crate::formats;
use crate::object::{Change, InBucket, ObjectKey, SourceName};
use crate::series::{Series, Story};
use std::collections::HashMap;
use std::sync::Arc;

/// So many answers of each kind are kept: a folder has one marker, and objects come folder by folder.
const KEPT: usize = 256;

/// Asks the rows, and keeps the last answers: while it is in use no marker goes away, and what a
/// series learns meanwhile is about objects that came after those of the plan.
pub(super) struct Lookup {
    source: SourceName,
    /// Which keys there are beside others.
    beside: Arc<Sieve>,
    /// Whether a signature beside an object means anything.
    signatures: bool,
    markers: HashMap<ObjectKey, bool>,
    stories: HashMap<Series, Option<Story>>,
}

impl Lookup {
    pub(super) fn new(source: SourceName, beside: Arc<Sieve>, signatures: bool) -> Self {
        Self {
            source,
            beside,
            signatures,
            markers: HashMap::new(),
            stories: HashMap::new(),
        }
    }

    /// What is known of the object that `change` asks for.
    pub(super) fn of(&mut self, rows: &Catalogue, change: &Change) -> Result<Background> {
        let named = self.named(rows, &change.key)?;
        let near = match named {
            // What lies beside an object now is about what it is now.
            _ if change.in_bucket != InBucket::Current => Near::default(),
            Named::Freely => Near::of(&change.key, &self.beside, self.signatures, |key| {
                is_known(rows, &self.source, key)
            })?,
            Named::Lock | Named::Content(_) => Near::default(),
        };
        let mut repository = None;
        for candidate in formats::repositories(&change.key) {
            if self.holds(rows, &candidate.marker)? {
                repository = Some(candidate.format);
                break;
            }
        }
        Ok(Background {
            named,
            repository,
            near,
            trusted_claims: self.trusted_claims(rows, change)?,
        })
    }

    /// The claims that always held in the object's series.
    fn trusted_claims(&mut self, rows: &Catalogue, change: &Change) -> Result<Vec<String>> {
        let series = Series::of(&change.key);
        let trusted = |story: &Option<Story>| {
            let story = story.as_ref();
            story.map_or_else(Vec::new, |s| s.trusted_claims(&change.identity))
        };
        if let Some(story) = self.stories.get(&series) {
            return Ok(trusted(story));
        }
        let story = rows.story(&self.source, &series)?;
        let claims = trusted(&story);
        if self.stories.len() >= KEPT {
            self.stories.clear();
        }
        self.stories.insert(series, story);
        Ok(claims)
    }

    /// What a key's name says, if its source holds the repository that it would be of.
    fn named(&mut self, rows: &Catalogue, key: &ObjectKey) -> Result<Named> {
        if let Some(config) = formats::restic_lock(key) {
            return Ok(match self.holds(rows, &config)? {
                true => Named::Lock,
                false => Named::Freely,
            });
        }
        Ok(match formats::content_name(key) {
            Some(name) if self.holds(rows, &name.config)? => Named::Content(name.sha256),
            _ => Named::Freely,
        })
    }

    /// Whether a key of the source is stored or planned, remembered for the next ones of its folder.
    fn holds(&mut self, rows: &Catalogue, key: &ObjectKey) -> Result<bool> {
        if let Some(known) = self.markers.get(key) {
            return Ok(*known);
        }
        let holds = is_known(rows, &self.source, key)?;
        if self.markers.len() >= KEPT {
            self.markers.clear();
        }
        self.markers.insert(key.clone(), holds);
        Ok(holds)
    }
}

/// Whether a key of the source is stored or planned.
fn is_known(rows: &Catalogue, source: &SourceName, key: &ObjectKey) -> Result<bool> {
    Ok(rows.plan_has(source, key.as_str())? || rows.latest_of(source, key.as_str())?.is_some())
}
