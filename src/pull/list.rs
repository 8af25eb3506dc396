//! A source's listing, joined with what is known: page after page, or, where the bucket is known
//! to list in byte order, its parts side by side.

use super::beside;
use super::group::Group;
use super::seen::Seen;
use super::sieve::Sieve;
use super::vanished;
use super::{Pull, plan, words};
use crate::bucket::{Edge, Order, Page, Sample, Span, Torn, VersionListing, Versioning};
use crate::config::Versions;
use crate::error::{Error, Kind, Result};
use crate::formats::{self, Rank};
use crate::object::{Change, Fact, Identity, InBucket, Listed, Marker, ObjectKey};
use crate::outcome::Event;
use jiff::SignedDuration;
use std::sync::Arc;
use tokio::runtime::Runtime;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

/// A part has at least so many pages: each part costs a request more.
const PAGES: u64 = 4;
/// Keys looked at to cut the listing into parts of about the same size.
const KEYS: u32 = 256;
/// Strange keys that a finding can name; a flood of them must not fill the memory.
const NAMED: usize = 100;

/// How a bucket is listed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum By {
    /// What a plain GET of each key answers.
    #[default]
    Keys,
    /// Every version, and the delete markers.
    Versions,
}

/// Two listings, one after the other, take less than this.
const BETWEEN: SignedDuration = SignedDuration::from_hours(6);

/// What a complete listing came to.
pub(super) struct Listing {
    /// How the bucket was listed.
    pub(super) by: By,
    /// The rows that it showed, or whose keys it showed.
    pub(super) seen: Seen,
    /// The markers that it showed.
    pub(super) seen_markers: Seen,
    /// Whether there is something to fetch that names other objects.
    pub(super) dependants: bool,
    /// The keys it showed that are named like something about the objects beside them.
    pub(super) beside: Arc<Sieve>,
}

/// What a listing has come to so far.
#[derive(Default)]
struct Joined {
    by: By,
    seen: Seen,
    seen_markers: Seen,
    /// Keys of which the listing of versions leaves something out.
    left_out: Vec<ObjectKey>,
    /// Keys of which a version is told to be another than it was.
    altered: Vec<ObjectKey>,
    pages: u64,
    /// Whether it is listed to see what a listing of versions left out.
    checks: bool,
    dependants: bool,
    beside: Arc<Sieve>,
    strange: Vec<String>,
    objects: u64,
}

/// How a listing ended.
enum End {
    Complete,
    Stopped,
    Disorder,
    Failed(Error),
}

/// A page, or why there are no more.
type Next = std::result::Result<Page, Torn>;

impl Pull {
    /// Lists everything and stages the plan. Nothing when the owner asked for an end.
    pub(super) fn list(
        &self,
        runtime: &Runtime,
        group: &mut Group<'_, '_>,
    ) -> Result<Option<Listing>> {
        group.shelf().planner()?.plan_clear(&self.source.name)?;
        let Some((way, keeps)) = self.way(runtime)? else {
            return Ok(None);
        };
        let refused = match &way {
            Way::Keys(refused) => refused.clone(),
            Way::Versions(..) => None,
        };
        let Some(joined) = self.list_all(runtime, group, &Arc::default(), way)? else {
            return Ok(None);
        };
        self.say_how(group, joined.by, refused)?;
        self.say_versioning(group, keeps)?;
        self.say_lifecycle(runtime, group)?;
        if !joined.left_out.is_empty() {
            group.finding(|frame| frame.versions_left_out(&joined.left_out))?;
        }
        if !joined.altered.is_empty() {
            group.finding(|frame| frame.version_altered(&joined.altered))?;
        }
        group.counts.listed = joined.objects;
        if !joined.strange.is_empty() {
            group.finding(|frame| frame.strange_keys(&joined.strange))?;
        }
        Ok(Some(Listing {
            by: joined.by,
            seen: joined.seen,
            seen_markers: joined.seen_markers,
            dependants: joined.dependants,
            beside: joined.beside,
        }))
    }

    /// Lists everything once more and adds to the plan, and to what lies `beside`, what is new.
    /// False when the owner asked for an end.
    pub(super) fn list_again(
        &self,
        runtime: &Runtime,
        group: &mut Group<'_, '_>,
        before: &Listing,
    ) -> Result<bool> {
        let way = match before.by {
            By::Keys => Way::Keys(None),
            By::Versions => Way::Versions(Box::new(self.bucket.list_versions()), None),
        };
        Ok(self
            .list_all(runtime, group, &before.beside, way)?
            .is_some())
    }

    fn list_all(
        &self,
        runtime: &Runtime,
        group: &mut Group<'_, '_>,
        beside: &Arc<Sieve>,
        way: Way,
    ) -> Result<Option<Joined>> {
        let begun = |by| Joined {
            by,
            beside: beside.clone(),
            ..Joined::default()
        };
        if let Way::Versions(listing, page) = way {
            let mut joined = begun(By::Versions);
            let mut end = self.versions(runtime, group, *listing, page, &mut joined)?;
            // More than one page, of a server that may sort otherwise than it goes on: SeaweedFS
            // leaves whole keys out then.
            let doubted =
                joined.pages > 1 && !group.shelf().catalogue().byte_order(&self.source.name)?;
            if doubted && matches!(end, End::Complete) {
                joined.checks = true;
                let objects = std::mem::take(&mut joined.objects);
                end = self.whole(runtime, group, &mut joined)?;
                joined.objects = objects;
            }
            return match end {
                End::Complete => Ok(Some(joined)),
                End::Failed(error) => Err(error),
                End::Stopped | End::Disorder => Ok(None),
            };
        }
        let spans = self.spans(group)?;
        let mut joined = begun(By::Keys);
        let mut end = match spans.len() {
            0 | 1 => self.whole(runtime, group, &mut joined)?,
            _ => self.parts(runtime, group, spans.clone(), &mut joined)?,
        };
        // A server that will not be asked for parts, or not for many, may well show the whole.
        let torn = match &end {
            End::Disorder => Some("no longer in byte order".to_owned()),
            End::Failed(error) if spans.len() > 1 => Some(error.to_string()),
            _ => None,
        };
        if let Some(why) = torn {
            log::warn!("{}: {why}; listed again, whole", self.source.name);
            self.remember(group, false)?;
            // What is planned by now was listed: it may stay planned.
            joined = begun(By::Keys);
            end = self.whole(runtime, group, &mut joined)?;
        }
        match end {
            End::Complete => Ok(Some(joined)),
            End::Failed(error) => Err(error),
            End::Stopped | End::Disorder => Ok(None),
        }
    }

    /// The parts to list side by side; one or none where that cannot be, or is not worth it.
    fn spans(&self, group: &mut Group<'_, '_>) -> Result<Vec<Span>> {
        let catalogue = group.shelf().catalogue();
        let name = &self.source.name;
        let tuning = self.bucket.tuning();
        let parts = catalogue.current(name)? / self.least();
        let parts = usize::try_from(parts)
            .unwrap_or(usize::MAX)
            .min(tuning.lists_at_once);
        if parts < 2 || !catalogue.byte_order(name)? {
            return Ok(Vec::new());
        }
        let mut keys = catalogue.some_keys(name, KEYS)?;
        keys.retain(|key| self.source.filter.takes(key.as_str()));
        Ok(Span::cut(keys, parts))
    }

    /// The keys that a part has at least.
    fn least(&self) -> u64 {
        PAGES * u64::from(self.bucket.tuning().page.unsigned_abs().max(1))
    }

    fn remember(&self, group: &mut Group<'_, '_>, byte_order: bool) -> Result<()> {
        let planner = group.shelf().planner()?;
        if planner.byte_order(&self.source.name)? == byte_order {
            return Ok(());
        }
        planner.set_byte_order(&self.source.name, byte_order)
    }

    /// One listing from the first key to the last.
    fn whole(
        &self,
        runtime: &Runtime,
        group: &mut Group<'_, '_>,
        joined: &mut Joined,
    ) -> Result<End> {
        let (page_out, mut page_in) = mpsc::channel(1);
        let bucket = self.bucket.clone();
        // The next page is on its way while this one is joined. It is asked for when there is
        // room for it: more than two pages never take up memory.
        let lister = runtime.spawn(async move {
            let mut listing = bucket.list();
            let mut order = Order::default();
            while let Ok(room) = page_out.reserve().await
                && let Some(page) = listing.next().await.map_err(Torn::Failed).transpose()
            {
                page.iter().for_each(|page| order.watch(page));
                room.send(page);
            }
            order
        });
        let end = self.join_all(runtime, group, &mut page_in, joined);
        if !matches!(end, Ok(End::Complete)) {
            lister.abort();
        } else {
            let order = runtime.block_on(lister).map_err(ended_by_itself)?;
            self.learn(runtime, group, joined.objects, order)?;
        }
        end
    }

    /// One listing of every version, of which `page` came already.
    fn versions(
        &self,
        runtime: &Runtime,
        group: &mut Group<'_, '_>,
        mut listing: VersionListing,
        mut page: Option<Page>,
        joined: &mut Joined,
    ) -> Result<End> {
        let (page_out, mut page_in) = mpsc::channel(1);
        let lister = runtime.spawn(async move {
            while let Ok(room) = page_out.reserve().await
                && let Some(page) = match page.take() {
                    Some(page) => Some(Ok(page)),
                    None => listing.next().await.transpose(),
                }
            {
                room.send(page);
            }
        });
        let end = self.join_all(runtime, group, &mut page_in, joined);
        lister.abort();
        end
    }

    /// Remembers how the bucket lists, where it has so many objects that it is of use. What looks
    /// like byte order is asked about once more, from the middle.
    fn learn(
        &self,
        runtime: &Runtime,
        group: &mut Group<'_, '_>,
        objects: u64,
        order: Order,
    ) -> Result<()> {
        if order.is_broken() {
            return self.remember(group, false);
        }
        let known = group.shelf().catalogue().byte_order(&self.source.name)?;
        if known || objects < 2 * self.least() {
            return Ok(());
        }
        let agrees = |sample: &Sample| runtime.block_on(self.bucket.agrees(sample));
        match order.sample().as_ref().map(agrees) {
            Some(Ok(true)) => self.remember(group, true),
            // Asked again tomorrow: an object may have come or gone meanwhile.
            Some(Ok(false)) | None => Ok(()),
            Some(Err(error)) => {
                log::warn!("{}: {error}", self.source.name);
                Ok(())
            }
        }
    }

    /// The parts side by side.
    fn parts(
        &self,
        runtime: &Runtime,
        group: &mut Group<'_, '_>,
        spans: Vec<Span>,
        joined: &mut Joined,
    ) -> Result<End> {
        let (page_out, mut page_in) = mpsc::channel(1);
        let mut listers = JoinSet::new();
        for (number, span) in spans.into_iter().enumerate() {
            let (bucket, page_out) = (self.bucket.clone(), page_out.clone());
            let lister = async move {
                let mut listing = bucket.list_span(span);
                while let Some(page) = listing.next().await.transpose()
                    && page_out.send(page).await.is_ok()
                {}
                (number, listing.edge())
            };
            listers.spawn_on(lister, runtime.handle());
        }
        drop(page_out);
        let end = self.join_all(runtime, group, &mut page_in, joined)?;
        if !matches!(end, End::Complete) {
            return Ok(end);
        }
        let mut edges = Vec::new();
        while let Some(ended) = runtime.block_on(listers.join_next()) {
            edges.push(ended.map_err(ended_by_itself)?);
        }
        edges.sort_by_key(|(number, _)| *number);
        let edges: Vec<(Span, Edge)> = edges.into_iter().map(|(_, edge)| edge).collect();
        let meet = edges
            .array_windows()
            .all(|[(span, edge), (_, next)]| edge.meets(span, next));
        Ok(if meet { End::Complete } else { End::Disorder })
    }

    /// Joins pages as they come.
    fn join_all(
        &self,
        runtime: &Runtime,
        group: &mut Group<'_, '_>,
        pages: &mut mpsc::Receiver<Next>,
        joined: &mut Joined,
    ) -> Result<End> {
        loop {
            let page = runtime.block_on(async {
                tokio::select! {
                    page = pages.recv() => Ok(page),
                    () = self.stop.wait() => Err(()),
                }
            });
            match page {
                Ok(Some(Ok(page))) => self.join(page, group, joined)?,
                Ok(Some(Err(Torn::Disorder))) => return Ok(End::Disorder),
                Ok(Some(Err(Torn::Failed(error) | Torn::Refused(error)))) => {
                    return Ok(End::Failed(error));
                }
                Ok(None) => return Ok(End::Complete),
                Err(()) => return Ok(End::Stopped),
            }
        }
    }

    fn join(&self, page: Page, group: &mut Group<'_, '_>, joined: &mut Joined) -> Result<()> {
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
}

/// How a bucket is to be listed; of versions the first page came already.
enum Way {
    /// Those that are current; and why not the others, where they were asked for.
    Keys(Option<String>),
    Versions(Box<VersionListing>, Option<Page>),
}

impl Pull {
    /// How the bucket is to be listed, and whether it said that it keeps versions; nothing when the
    /// owner asked for an end.
    fn way(&self, runtime: &Runtime) -> Result<Option<(Way, Versioning)>> {
        let asked = runtime.block_on(async {
            tokio::select! {
                asked = self.ask_versioning() => Some(asked),
                () = self.stop.wait() => None,
            }
        });
        let Some((asked, keeps)) = asked.transpose()? else {
            return Ok(None);
        };
        let way = match asked {
            Ok(way) => way,
            Err(Torn::Refused(error)) if self.source.versions == Versions::Auto => {
                let way_out = error.way_out().unwrap_or("the server has no such listing");
                Way::Keys(Some(format!("{error}; {way_out}")))
            }
            Err(Torn::Refused(error) | Torn::Failed(error)) => return Err(error),
            Err(Torn::Disorder) => Way::Keys(None),
        };
        Ok(Some((way, keeps)))
    }

    async fn ask_versioning(&self) -> Result<(std::result::Result<Way, Torn>, Versioning)> {
        let keeps = match self.source.versions {
            Versions::Current | Versions::All => Versioning::Unknown,
            Versions::Auto => self.bucket.versioning().await?,
        };
        let way = match (self.source.versions, keeps) {
            (Versions::Current, _) | (Versions::Auto, Versioning::Off) => Ok(Way::Keys(None)),
            _ => self.ask_versions().await,
        };
        Ok((way, keeps))
    }

    async fn ask_versions(&self) -> std::result::Result<Way, Torn> {
        let mut listing = self.bucket.list_versions();
        let page = listing.next().await?;
        Ok(Way::Versions(Box::new(listing), page))
    }

    /// Says how the bucket is listed from now on, if that was not what was said last. That
    /// versions are listed is worth a word only after they were refused.
    fn say_how(&self, group: &mut Group<'_, '_>, by: By, refused: Option<String>) -> Result<()> {
        let now = self.clock.now();
        let event = match (by, refused) {
            (By::Versions, _) => words::versions_listed(now),
            (By::Keys, Some(why)) => words::versions_refused(&why, now),
            (By::Keys, None) => return Ok(()),
        };
        let shelf = group.shelf();
        let kinds = [words::VERSIONS_REFUSED, words::VERSIONS_LISTED];
        let last = shelf.catalogue().said_last(shelf.name(), kinds)?;
        if last.as_deref().unwrap_or(words::VERSIONS_LISTED) == event.kind {
            return Ok(());
        }
        log::warn!("{}: {}", self.source.name, event.text);
        group.says(Fact::Event(event))
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

fn ended_by_itself(error: tokio::task::JoinError) -> Error {
    Error::new(Kind::Run, "the listing's task ended by itself").because(error)
}
