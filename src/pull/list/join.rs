//! Pages of a listing, joined with the rows known for their keys.

use super::{By, NAMED};
use crate::bucket::Page;
use crate::error::Result;
use crate::formats::{self, Rank};
use crate::object::{Change, Fact, Identity, InBucket, Listed, Marker, ObjectKey};
use crate::outcome::Event;
use crate::pull::group::Group;
use crate::pull::seen::Seen;
use crate::pull::sieve::Sieve;
use crate::pull::{Pull, beside, plan, vanished};
use jiff::SignedDuration;
use std::sync::Arc;

/// Two listings, one after the other, take less than this.
const BETWEEN: SignedDuration = SignedDuration::from_hours(6);

/// What a listing has come to so far.
#[derive(Default)]
pub(super) struct Joined {
    pub(super) by: By,
    pub(super) seen: Seen,
    pub(super) seen_markers: Seen,
    /// Keys of which the listing of versions leaves something out.
    pub(super) left_out: Vec<ObjectKey>,
    /// Keys of which a version is told to be another than it was.
    pub(super) altered: Vec<ObjectKey>,
    pub(super) pages: u64,
    /// Whether it is listed to see what a listing of versions left out.
    pub(super) checks: bool,
    pub(super) dependants: bool,
    pub(super) beside: Arc<Sieve>,
    pub(super) strange: Vec<String>,
    pub(super) objects: u64,
}

impl Pull {
    pub(super) fn join(
        &self,
        page: Page,
        group: &mut Group<'_, '_>,
        joined: &mut Joined,
    ) -> Result<()> {
        // Reading too looks for a journal by its path, and undoes what an unfinished one says.
        group.shelf().store().still_there()?;
        let room = NAMED.saturating_sub(joined.strange.len());
        joined.strange.extend(page.strange.into_iter().take(room));
        let mut objects = page.objects;
        objects.retain(|object: &Listed| self.source.filter.takes(object.key.as_str()));
        joined.objects += objects.len() as u64;
        joined.pages += 1;
        let current = |object: &&Listed| object.in_bucket == InBucket::Current;
        for object in objects.iter().filter(current) {
            beside::note(&joined.beside, &object.key);
        }
        let rows = group.shelf().catalogue();
        let mut plan = match joined.by {
            By::Versions if !joined.checks => {
                plan::plan_versions(&objects, &rows.known_versions(&self.source.name, &objects)?)
            }
            By::Versions | By::Keys => {
                plan::plan_page(&objects, &rows.known(&self.source.name, &objects)?)
            }
        };
        self.join_markers(page.markers, group, joined)?;
        if joined.checks {
            plan.changes = self.left_out(plan.changes, group, joined)?;
        }
        let room = NAMED.saturating_sub(joined.left_out.len());
        joined.left_out.extend(page.headless.into_iter().take(room));
        let room = NAMED.saturating_sub(joined.altered.len());
        joined.altered.extend(plan.altered.into_iter().take(room));
        for (key, identity, in_bucket) in plan.shown {
            let at = self.clock.now();
            if in_bucket == InBucket::Hidden {
                vanished::note(group, &key)?;
            }
            group.says(Fact::Shown {
                key,
                identity,
                in_bucket,
                at,
            })?;
        }
        let shelf = group.shelf();
        plan.seen
            .into_iter()
            .for_each(|row| joined.seen.insert(row));
        let depends = |change: &Change| {
            formats::rank(&change.key) != Rank::Data && change.in_bucket == InBucket::Current
        };
        joined.dependants |= plan.changes.iter().any(depends);
        if !plan.changes.is_empty() {
            shelf
                .planner()?
                .plan_stage(&self.source.name, &plan.changes)?;
        }
        self.reporter.report(&Event::Listed(joined.objects));
        Ok(())
    }

    /// What of `changes`, which the listing of keys shows, that of versions did not.
    fn left_out(
        &self,
        changes: Vec<Change>,
        group: &mut Group<'_, '_>,
        joined: &mut Joined,
    ) -> Result<Vec<Change>> {
        let now = self.clock.now();
        let now = now.checked_add(self.bucket.clock_ahead()).unwrap_or(now);
        let mut left_out = Vec::new();
        for change in changes {
            let rows = group.shelf().catalogue();
            let planned = rows.plan_of(&self.source.name, change.key.as_str())?;
            if planned
                .iter()
                .any(|other| is_same(&other.identity, &change.identity))
            {
                continue;
            }
            // What came between the two listings was left out by none.
            let age = now.duration_since(change.identity.last_modified);
            if age > BETWEEN && joined.left_out.len() < NAMED {
                joined.left_out.push(change.key.clone());
            }
            left_out.push(change);
        }
        Ok(left_out)
    }

    fn join_markers(
        &self,
        mut markers: Vec<Marker>,
        group: &mut Group<'_, '_>,
        joined: &mut Joined,
    ) -> Result<()> {
        markers.retain(|marker| self.source.filter.takes(marker.key.as_str()));
        let rows = group.shelf().catalogue();
        let known = rows.known_markers(&self.source.name, &markers)?;
        let (changed, seen) = plan::plan_markers(markers, &known);
        seen.into_iter()
            .for_each(|row| joined.seen_markers.insert(row));
        for marker in changed {
            let at = self.clock.now();
            group.says(Fact::Marked { marker, at })?;
        }
        Ok(())
    }
}

/// Whether both may be one version: a listing of keys tells no ids.
fn is_same(one: &Identity, other: &Identity) -> bool {
    let without_id = |identity: &Identity| Identity {
        version_id: None,
        ..identity.clone()
    };
    without_id(one).is(&without_id(other))
}
