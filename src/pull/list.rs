//! A source's listing, joined with what is known: page after page, or, where the bucket is known
//! to list in byte order, its parts side by side.

mod join;
mod way;

use super::Pull;
use super::group::Group;
use super::seen::Seen;
use super::sieve::Sieve;
use crate::bucket::{Edge, Order, Page, Sample, Span, Torn, VersionListing};
use crate::error::{Error, Kind, Result};
use join::Joined;
use std::sync::Arc;
use tokio::runtime::Runtime;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use way::Way;

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
            group.finding_that_stays(|frame| frame.versions_left_out(&joined.left_out))?;
        }
        if !joined.altered.is_empty() {
            group.finding_that_stays(|frame| frame.version_altered(&joined.altered))?;
        }
        group.counts.listed = joined.objects;
        if !joined.strange.is_empty() {
            group.finding_that_stays(|frame| frame.strange_keys(&joined.strange))?;
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
}

fn ended_by_itself(error: tokio::task::JoinError) -> Error {
    Error::new(Kind::Run, "the listing's task ended by itself").because(error)
}
