//! The newest complete set of a series: one file, all volumes of an archive, or a repository.

use super::choice::Choice;
use crate::catalogue::Catalogue;
use crate::error::Result;
use crate::object::{ObjectKey, SourceName, Timestamp};
use crate::series::{Series, Volume, is_pieces};

/// So many of the newest are looked at.
const LOOKED_AT: usize = 32;

/// What is missing of an archive of volumes of which these keys are there.
pub type Missing<'m> = &'m dyn Fn(&Volume, &[ObjectKey]) -> Option<String>;

/// What was picked of a series.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Picked {
    /// The series has nothing there.
    Nothing,
    /// Every file of it: it is a heap of pieces that belong together.
    All,
    /// These files.
    Set(Vec<ObjectKey>),
}

/// The newest set of the series called `name` that is complete, as the bucket was at `at`; `skipped`
/// hears of newer ones that are not.
pub fn newest_set(
    catalogue: &Catalogue,
    (source, name): (&SourceName, &str),
    at: Option<Timestamp>,
    missing: Missing<'_>,
    skipped: &mut dyn FnMut(&ObjectKey, &str),
) -> Result<Picked> {
    let mut newest: Vec<(Timestamp, ObjectKey)> = Vec::new();
    walk(catalogue, source, at, &mut |key, modified| {
        if is_of(key, name) {
            newest.push((modified, key.clone()));
            if newest.len() > 2 * LOOKED_AT {
                keep_newest(&mut newest);
            }
        }
    })?;
    if newest.is_empty() {
        return Ok(Picked::Nothing);
    }
    if is_pieces(name) {
        return Ok(Picked::All);
    }
    keep_newest(&mut newest);
    for (_, key) in newest {
        let Some(volume) = Volume::of(&key) else {
            return Ok(Picked::Set(vec![key]));
        };
        let mut set = Vec::new();
        walk(catalogue, source, at, &mut |other, _| {
            if Volume::of(other).is_some_and(|other| other.is_with(&volume)) {
                set.push(other.clone());
            }
        })?;
        match missing(&volume, &set) {
            None => return Ok(Picked::Set(set)),
            Some(what) => skipped(&key, &what),
        }
    }
    Ok(Picked::Nothing)
}

/// Whether `key` is of the series called `name`. So is the `config` of a restic repository, the one
/// file of it whose name does not tell.
pub fn is_of(key: &ObjectKey, name: &str) -> bool {
    Series::of(key).as_str() == name
        || beside_config(key).is_some_and(|o| Series::of(&o).as_str() == name)
}

/// A file that a repository has whose `config` the key may be.
pub(super) fn beside_config(key: &ObjectKey) -> Option<ObjectKey> {
    let root = key.as_str().strip_suffix("config")?;
    let root = (root.is_empty() || root.ends_with('/')).then_some(root)?;
    ObjectKey::new(format!("{root}keys/{}", "0".repeat(64))).ok()
}

fn keep_newest(newest: &mut Vec<(Timestamp, ObjectKey)>) {
    newest.sort_by(|a, b| b.cmp(a));
    newest.truncate(LOOKED_AT);
}

/// Every key of the source that the drive has a file of.
fn walk(
    catalogue: &Catalogue,
    source: &SourceName,
    at: Option<Timestamp>,
    each: &mut dyn FnMut(&ObjectKey, Timestamp),
) -> Result<()> {
    let choice = Choice {
        source: Some(source.clone()),
        at,
        version: None,
        keys: Box::new(|_, _| true),
    };
    choice.each(catalogue, &mut |version| {
        if super::is_held(&version) {
            each(&version.key, version.identity.last_modified);
        }
        Ok(())
    })
}
