//! What is to be said of versions as they arrive: whether they are what their series was (encrypted,
//! in the same format, readable with our key), and encrypted as the owner wants.
//!
//! What is an alarm goes into the group of the version that it is about, so that no crash can come
//! between them. What is only worth a warning is said at the end of the run, of all of it.

use super::group::Group;
use super::words::{self, Frame};
use crate::config::Encryption;
use crate::digest::Verified;
use crate::error::{Error, Kind, Result};
use crate::formats::{Format, Verdict};
use crate::object::{FindingRecord, Identity, ObjectKey};
use crate::series::{Part, Series, Story, Turn};
use std::collections::{BTreeMap, BTreeSet};

/// What arrived and is still to be said.
pub(super) struct Arrivals {
    policy: Encryption,
    /// By content: what arrived in the group in hand.
    in_group: BTreeMap<String, Few>,
    /// By content: the first of the run.
    first: BTreeMap<String, ObjectKey>,
    /// The series of which something is said and not acknowledged; read when first needed.
    told: Option<BTreeSet<(String, Series)>>,
    /// Objects that the key was refused while others of their series could be read: that may be
    /// the key.
    refused: BTreeMap<Series, Refused>,
}

/// So many, and the first of them.
struct Few {
    count: u64,
    first: ObjectKey,
}

struct Refused {
    key: ObjectKey,
    identity: Identity,
    why: String,
}

/// So many series are remembered whose objects were refused.
const REFUSED: usize = 1000;

impl Arrivals {
    pub(super) fn new(policy: Encryption) -> Self {
        Self {
            policy,
            in_group: BTreeMap::new(),
            first: BTreeMap::new(),
            told: None,
            refused: BTreeMap::new(),
        }
    }

    fn count(&mut self, content: &str, key: &ObjectKey) {
        let new = || Few {
            count: 0,
            first: key.clone(),
        };
        let few = self.in_group.entry(content.to_owned()).or_insert_with(new);
        few.count += 1;
        if !self.first.contains_key(content) {
            self.first.insert(content.to_owned(), key.clone());
        }
    }
}

impl Group<'_, '_> {
    /// Looks at a version that is about to be stored.
    pub(super) fn look_at(&mut self, verified: &Verified) -> Result<()> {
        let Some(content) = verified.content() else {
            return Ok(());
        };
        let (key, identity) = (verified.key(), verified.identity());
        if Verdict::from_text(content) == Some(Verdict::Unknown) && self.begins_elsewhere(key)? {
            return Ok(());
        }
        self.arrivals.count(content, key);
        let series = Series::of(key);
        let story = self.story(&series)?;
        let Some((story, turn)) = story.and_then(|s| s.turn(content, identity).map(|t| (s, t)))
        else {
            return Ok(());
        };
        let kind = match turn {
            Turn::EncryptionLost => words::ENCRYPTION_LOST,
            Turn::EncryptionChanged => words::ENCRYPTION_CHANGED,
        };
        self.once_a_series(kind, &series, |frame| {
            frame.encryption_turned(turn, key, identity, content, &series, &story)
        })
    }

    /// Whether `key` is a part of an archive that begins in another file of the source.
    fn begins_elsewhere(&mut self, key: &ObjectKey) -> Result<bool> {
        let first = match Part::of(key) {
            Part::Whole => return Ok(false),
            Part::Later => return Ok(true),
            Part::LastOf(first) => first,
        };
        let shelf = self.shelf();
        let (rows, source) = (shelf.catalogue(), shelf.name());
        Ok(rows.plan_has(source, first.as_str())?
            || rows.latest_of(source, first.as_str())?.is_some())
    }

    /// Looks at an object that our key cannot read, and could not be known not to.
    pub(super) fn look_at_unreadable(
        &mut self,
        key: &ObjectKey,
        identity: &Identity,
        error: &Error,
    ) -> Result<()> {
        let series = Series::of(key);
        let story = self.story(&series)?;
        if !story.is_some_and(|story| story.was_readable(identity)) {
            return Ok(());
        }
        let refused = Refused {
            key: key.clone(),
            identity: identity.clone(),
            why: error.to_string(),
        };
        // A key that may read nothing is refused every object: the run's end knows.
        if error.kind() == Kind::Usage {
            if self.arrivals.refused.len() < REFUSED {
                self.arrivals.refused.entry(series).or_insert(refused);
            }
            return Ok(());
        }
        self.became_unreadable(&series, &refused)
    }

    fn became_unreadable(&mut self, series: &Series, refused: &Refused) -> Result<()> {
        self.once_a_series(words::BECAME_UNREADABLE, series, |frame| {
            frame.became_unreadable(&refused.key, &refused.identity, series, &refused.why)
        })
    }

    fn story(&mut self, series: &Series) -> Result<Option<Story>> {
        let shelf = self.shelf();
        shelf.catalogue().story(shelf.name(), series)
    }

    /// Adds a finding about a series, unless one of its kind is open.
    fn once_a_series(
        &mut self,
        kind: &'static str,
        series: &Series,
        make: impl FnOnce(&Frame<'_>) -> FindingRecord,
    ) -> Result<()> {
        let mut told = match self.arrivals.told.take() {
            Some(told) => told,
            None => self.told()?,
        };
        let new = told.insert((kind.to_owned(), series.clone()));
        self.arrivals.told = Some(told);
        match new {
            true => self.finding(make),
            false => Ok(()),
        }
    }

    fn told(&mut self) -> Result<BTreeSet<(String, Series)>> {
        let shelf = self.shelf();
        let open = shelf.catalogue().findings(true)?;
        let mine = open.into_iter().filter(|row| row.source == *shelf.name());
        let about = mine.filter_map(|row| {
            let series = Series::of(&row.finding.key?);
            Some((row.finding.kind, series))
        });
        Ok(about.collect())
    }

    /// Says of the group in hand what the owner requires to be encrypted and is not.
    pub(super) fn say_what_is_required(&mut self) -> Result<()> {
        let arrived = std::mem::take(&mut self.arrivals.in_group);
        if self.arrivals.policy != Encryption::Require {
            return Ok(());
        }
        for (content, few) in arrived {
            match Verdict::from_text(&content) {
                Some(Verdict::Plaintext(format)) => {
                    self.finding(|frame| frame.not_encrypted(format, few.count, &few.first))?;
                }
                Some(Verdict::Unknown) => {
                    self.finding(|frame| frame.not_recognised(few.count, &few.first))?;
                }
                Some(Verdict::Encrypted(_) | Verdict::Metadata(_)) | None => {}
            }
        }
        Ok(())
    }

    /// Says at the end of a run that came to one what is worth a warning of all of it.
    pub(super) fn say_the_rest(&mut self) -> Result<()> {
        for (series, refused) in std::mem::take(&mut self.arrivals.refused) {
            self.became_unreadable(&series, &refused)?;
        }
        if self.arrivals.policy != Encryption::Warn {
            return Ok(());
        }
        for (format, count) in self.readable_formats()? {
            let kind = words::readable(format);
            let shelf = self.shelf();
            if !shelf.catalogue().ever_found(shelf.name(), &kind)? {
                let content = Verdict::Plaintext(format).to_string();
                let first = self.arrivals.first.get(&content).cloned();
                self.finding(|frame| frame.readable(format, count, first.as_ref()))?;
            }
        }
        Ok(())
    }

    /// The formats of what is stored and anyone can read, and how many versions are in each.
    fn readable_formats(&mut self) -> Result<BTreeMap<Format, u64>> {
        let shelf = self.shelf();
        let mut formats = BTreeMap::new();
        for kind in shelf.catalogue().kinds(shelf.name())? {
            let verdict = kind.content.as_deref().and_then(Verdict::from_text);
            if let Some(Verdict::Plaintext(format)) = verdict {
                *formats.entry(format).or_default() += kind.versions;
            }
        }
        Ok(formats)
    }
}
