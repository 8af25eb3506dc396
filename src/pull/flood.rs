//! Whether far more is new in a bucket than ever comes in a night.
//!
//! Whoever holds the server's key can fill the drive at home by filling the bucket. So a flood does not
//! come first: what series bring as they always do has its turn before all else, and all of it together
//! takes at most half of the room that is left, until the owner has looked.

use super::Pull;
use super::dispatch::ROWS;
use super::group::Group;
use super::words::{Frame, many};
use crate::catalogue::{Catalogue, PlanTotals};
use crate::error::Result;
use crate::formats;
use crate::object::{Advice, Change, FindingRecord, ObjectKey, Severity, SourceName, Why};
use crate::series::{Arrivals, Series};
use bytesize::ByteSize;
use jiff::SignedDuration;
use std::collections::{BTreeMap, HashMap, HashSet};

/// What a finding is called that says so.
const FLOOD: &str = "flood";
/// After so many complete pulls a source's nights are known.
const NIGHTS: u64 = 7;
/// So far back they are looked at: what comes once a month is ordinary life, however often this computer pulls.
const YEAR: SignedDuration = SignedDuration::from_hours(400 * 24);
/// So many new objects are a flood where every night until now brought at most a tenth of them.
const OBJECTS: u64 = 1000;
const TIMES: u64 = 10;
/// So many times as much as ever before may a series bring in a night.
const BUDGET: u64 = 4;
/// And so many bytes and objects more: small series grow.
const MORE: (u64, u64) = (16 << 20, 20);
/// After the owner acknowledged a flood, nothing is held back for so long.
const WAVED_THROUGH: SignedDuration = SignedDuration::from_hours(7 * 24);
/// So many series are named.
const NAMED: usize = 3;
/// So many series are counted.
const COUNTED: usize = 5000;

/// What of a plan may be fetched in a run, because there is far too much of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Flood {
    /// So many bytes.
    pub(super) most: u64,
}

/// What the nights of a source were like until now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Nights {
    /// How many pulls were complete.
    complete: u64,
    /// The most objects that one brought after the first that was complete.
    most: u64,
}

/// Judges a plan of so many new `objects` and `bytes`, where there is `room` on the drive.
fn judge(objects: u64, bytes: u64, nights: Nights, room: u64) -> Option<Flood> {
    let flood = Flood { most: room / 2 };
    let fills = nights.complete > 0 && bytes > flood.most;
    let many = nights.complete >= NIGHTS && objects > OBJECTS.max(TIMES * nights.most);
    (fills || many).then_some(flood)
}

/// What a series may bring in one night, by what it brought before: bytes and objects. Nothing, where it never
/// brought any.
pub(super) fn budget(arrivals: &Arrivals) -> Option<(u64, u64)> {
    let nights = arrivals.as_slice();
    let objects = nights.iter().map(|night| night.objects).max()?;
    let bytes = nights
        .iter()
        .map(|night| night.objects.saturating_mul(night.largest))
        .max()?;
    let (more_bytes, more_objects) = MORE;
    Some((
        bytes.saturating_mul(BUDGET).saturating_add(more_bytes),
        objects.saturating_mul(BUDGET).saturating_add(more_objects),
    ))
}

/// What has its turn first in a flood: what known series bring as they always do.
#[derive(Debug)]
pub(super) struct Worth {
    /// What may be fetched at all.
    pub(super) flood: Flood,
    /// What series may still bring; nothing, where they never brought any.
    left: HashMap<Series, Option<(u64, u64)>>,
    /// Rows of the plan that had their turn.
    had: HashSet<i64>,
}

impl Worth {
    pub(super) fn new(flood: Flood) -> Self {
        Self {
            flood,
            left: HashMap::new(),
            had: HashSet::new(),
        }
    }

    /// Whether this row of the plan has its turn: with `ordinary`, if it is what its series brings in
    /// any night; without, if it had none before.
    pub(super) fn has_turn(
        &mut self,
        rows: &Catalogue,
        source: &SourceName,
        (row, change): (i64, &Change),
        ordinary: bool,
    ) -> Result<bool> {
        if !ordinary {
            return Ok(!self.had.contains(&row));
        }
        let series = Series::of(&change.key);
        if !self.left.contains_key(&series) {
            if self.left.len() >= COUNTED {
                return Ok(false);
            }
            let known = rows.series(source, &series)?;
            let budget = known.and_then(|known| budget(&known.arrivals));
            self.left.insert(series.clone(), budget);
        }
        let Some(Some((bytes, objects))) = self.left.get_mut(&series) else {
            return Ok(false);
        };
        let size = change.identity.size;
        if *objects == 0 || *bytes < size {
            return Ok(false);
        }
        (*bytes, *objects) = (*bytes - size, *objects - 1);
        self.had.insert(row);
        Ok(true)
    }
}

impl Pull {
    /// Whether the plan is a flood; says so.
    pub(super) fn flood(
        &self,
        group: &mut Group<'_, '_>,
        totals: PlanTotals,
    ) -> Result<Option<Flood>> {
        let nights = self.nights(group)?;
        let room = group.shelf().store().space().room()?;
        // Most nights end here, without a look at the plan.
        if judge(totals.objects, totals.bytes, nights, room).is_none()
            || self.waved_through(group)?
        {
            return Ok(None);
        }
        let new = self.newcomers(group)?;
        let Some(flood) = judge(new.objects, new.bytes, nights, room) else {
            return Ok(None);
        };
        group.finding(|frame| said(frame, &new, nights, flood))?;
        Ok(Some(flood))
    }

    fn nights(&self, group: &mut Group<'_, '_>) -> Result<Nights> {
        let now = self.clock.now();
        let since = now.checked_sub(YEAR).unwrap_or(now);
        let rows = group.shelf().catalogue();
        let (complete, most) = rows.pulls_since(&self.source.name, since)?;
        Ok(Nights { complete, most })
    }

    /// Whether the owner acknowledged a flood not long ago.
    fn waved_through(&self, group: &mut Group<'_, '_>) -> Result<bool> {
        let now = self.clock.now();
        let findings = group.shelf().catalogue().findings(false)?.into_iter();
        let mut acked = findings
            .filter(|row| row.source == self.source.name && row.finding.kind == FLOOD)
            .filter_map(|row| row.ack);
        Ok(acked.any(|ack| now.duration_since(ack.at) < WAVED_THROUGH))
    }

    /// What of the plan is to be fetched and never was, by series. The packs of a restic repository
    /// are left out of the count: a clean-up writes them anew by the hundred.
    fn newcomers(&self, group: &mut Group<'_, '_>) -> Result<Newcomers> {
        let (mut new, mut after) = (Newcomers::default(), 0);
        loop {
            let rows = group
                .shelf()
                .catalogue()
                .plan_take(&self.source.name, after, ROWS)?;
            let Some((last, _)) = rows.last() else {
                return Ok(new);
            };
            after = *last;
            for (_, change) in rows {
                if matches!(change.why, Why::New | Why::Changed) {
                    new.count(&change.key, change.identity.size);
                }
            }
        }
    }
}

#[derive(Default)]
struct Newcomers {
    objects: u64,
    bytes: u64,
    by_series: BTreeMap<Series, (u64, u64)>,
}

impl Newcomers {
    fn count(&mut self, key: &ObjectKey, size: u64) {
        self.objects += u64::from(formats::content_name(key).is_none());
        self.bytes = self.bytes.saturating_add(size);
        let series = Series::of(key);
        if self.by_series.len() < COUNTED || self.by_series.contains_key(&series) {
            let (objects, bytes) = self.by_series.entry(series).or_default();
            *objects += 1;
            *bytes = bytes.saturating_add(size);
        }
    }
}

/// Far more is new than ever comes in a night.
fn said(frame: &Frame<'_>, new: &Newcomers, nights: Nights, flood: Flood) -> FindingRecord {
    let size = |bytes| ByteSize(bytes).display().iec();
    let mut series: Vec<_> = new.by_series.iter().collect();
    series.sort_by_key(|(_, (objects, bytes))| std::cmp::Reverse((*bytes, *objects)));
    let named: Vec<String> = series
        .into_iter()
        .take(NAMED)
        .map(|(series, (objects, bytes))| format!("{series}: {objects}, {}", size(*bytes)))
        .collect();
    let advice = Advice {
        what: format!(
            "a flood: {}, {}",
            many(new.objects, "a new object", "new objects"),
            size(new.bytes)
        ),
        evidence: format!(
            "most of it: {}. The most that any night brought before: {}. In the same night at most {} are fetched (half the room that is left), first what the known series bring as ever",
            named.join("; "),
            many(nights.most, "one object", "objects"),
            size(flood.most)
        ),
        next: format!(
            "look what wrote that into the bucket. If it is not yours, revoke the server's key and have it removed there: what is not fetched does not fill this drive. If it is, `offsite ack {}-{}`: for a week everything is fetched, as far as the drive has room",
            frame.source, frame.number
        ),
    };
    frame.finding(FLOOD, Severity::Alarm, None, advice)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// (new objects, bytes, complete pulls, the most objects of a night, room) -> is it a flood?
    #[test]
    fn what_is_a_flood() {
        for (objects, bytes, complete, most, room, is_flood) in [
            // The first pull may fill the drive.
            (1_000_000, 900, 0, 0, 1000, false),
            (1, 500, 1, 0, 1000, false),
            (1, 501, 1, 0, 1000, true),
            (1, 1, 1, 0, 0, true),
            (0, 0, 99, 0, 0, false),
            // By number, once the nights are known.
            (10_000, 9, 6, 10, 1000, false),
            (1_000, 9, 7, 10, 1000, false),
            (1_001, 9, 7, 10, 1000, true),
            (4_000, 9, 7, 400, 1000, false),
            (4_001, 9, 7, 400, 1000, true),
        ] {
            let found = judge(objects, bytes, Nights { complete, most }, room).is_some();
            assert_eq!(
                found, is_flood,
                "{objects} {bytes} {complete} {most} {room}"
            );
        }
    }

    #[test]
    fn what_a_series_may_bring() {
        use crate::object::{Sha256, from_ms};
        let key = ObjectKey::new("db-1.age").unwrap();
        let mut arrivals = Arrivals::default();
        assert_eq!(budget(&arrivals), None);
        for (night, size) in [(1, 100), (2, 300), (3, 200)] {
            let at = from_ms(night * 86_400_000);
            arrivals.take(&key, at, Some((size, Sha256([0; 32]))));
        }
        assert_eq!(budget(&arrivals), Some((1200 + (16 << 20), 4 + 20)));
    }
}
