//! The end of a night's pull: what is to be said of the source's series, and what has settled.
//!
//! Nothing is said twice. A finding that is open, or that the owner acknowledged, stands for all
//! that is the same until the series goes on.

use crate::catalogue::{Catalogue, FindingRow, SeriesRow};
use crate::config::Filter;
use crate::error::Result;
use crate::formats::Verdict;
use crate::home::Shelf;
use crate::object::{Ack, Fact, FindingRecord, ObjectKey, SourceName, Timestamp};
use crate::series::{Arrival, Place, Series, Volume};
use crate::store::Entry;
use crate::watch::rhythm::{Pace, Rhythm};
use crate::watch::series::{Concern, Habit, KINDS, LATE, SILENT};
use crate::watch::{Health, SeriesStatus, sets};
use std::collections::{BTreeMap, BTreeSet};

/// Series are read by so many.
const PAGE: u32 = 500;
/// Changes of the plan are read by so many.
const ROWS: u32 = 1000;
/// So much is said in one night at most, and the rest in the next.
const MOST: usize = 100;
/// So much is looked at for it: who floods the bucket with series must not fill the memory.
const LOOKED_AT: usize = 10_000;
/// So many series are shown at most: a bucket of single files has as many series.
const SHOWN: usize = 10_000;
/// An archive of more volumes is not looked at.
const VOLUMES: u32 = 1000;
/// What has fewer arrivals, and did not go on for days, tells nothing.
const WEIGHT: u32 = 3;

/// Two times: the bucket's, by which its objects are judged, and ours, by which we write.
#[derive(Clone, Copy, Debug)]
pub(super) struct Now {
    /// When the bucket was listed, by its own clock.
    pub(super) listed: Timestamp,
    /// Our clock.
    pub(super) ours: Timestamp,
}

/// What was said of the source's series: by kind and series, the newest finding.
type Said = BTreeMap<(String, String), FindingRow>;

/// Looks at all series after a pull whose listing came to its end, and writes down what is to be
/// said.
pub(super) fn watch(shelf: &mut Shelf<'_>, filter: &Filter, now: Now) -> Result<()> {
    let said = said(shelf)?;
    let mut entries = Vec::new();
    for row in gone_on(shelf, &said, now)? {
        entries.push(closed(&row, "the series goes on", now.ours));
    }
    let first = shelf.catalogue().next_finding_number(shelf.name())?;
    for (number, concern) in (first..).zip(concerns(shelf, filter, &said, now.listed)?) {
        let late = said.get(&(LATE.to_owned(), series_of(&concern)));
        if let Some(late) = late.filter(|late| concern.kind == SILENT && late.ack.is_none()) {
            entries.push(closed(late, "it is silent by now", now.ours));
        }
        let id = format!("{}-{number}", shelf.name());
        let finding = concern.finding(id, now.ours);
        entries.push(Entry::Fact(Fact::Finding(finding)));
    }
    shelf.commit(entries)
}

/// The series of `row`, as the catalogue knows it. `parts`: of archives in several volumes.
fn habit(row: &SeriesRow, parts: bool) -> Option<Habit<'_>> {
    let encrypted = |text: &String| matches!(Verdict::from_text(text), Some(Verdict::Encrypted(_)));
    let contents = &row.story.contents;
    Some(Habit {
        name: &row.name,
        stored_at: row.story.stored_at?,
        encrypted: !contents.is_empty() && contents.iter().all(encrypted),
        parts,
        arrivals: row.arrivals.as_slice(),
    })
}

/// How every series stands, by source and name; the first [`SHOWN`] of them.
pub(super) fn statuses(
    catalogue: &Catalogue,
    sources: &[SourceName],
    open: &[FindingRow],
) -> Result<Vec<SeriesStatus>> {
    let mut about: BTreeMap<(&SourceName, String), Vec<&FindingRecord>> = BTreeMap::new();
    for row in open {
        if let Some(key) = &row.finding.key {
            let series = Series::of(key).as_str().to_owned();
            let found = about.entry((&row.source, series)).or_default();
            found.push(&row.finding);
        }
    }
    let mut all = Vec::new();
    for source in sources {
        let mut after = String::new();
        while all.len() < SHOWN {
            let page = catalogue.all_series(source, 0, &after, PAGE)?;
            let Some(last) = page.last() else {
                break;
            };
            after.clone_from(&last.name);
            for row in page {
                let found = about.get(&(source, row.name.clone()));
                let found = found.map_or(&[][..], Vec::as_slice);
                all.push(status(source, row, found));
            }
        }
    }
    Ok(all)
}

fn status(source: &SourceName, row: SeriesRow, found: &[&FindingRecord]) -> SeriesStatus {
    let rhythm = Rhythm::of(row.arrivals.as_slice());
    let worst = found.iter().map(|f| Health::from(f.severity)).max();
    SeriesStatus {
        source: source.clone(),
        versions: row.versions,
        newest: row.arrivals.newest().map(Arrival::last),
        expected: rhythm.map(|rhythm| rhythm.due),
        rhythm: rhythm.map(Into::into),
        health: worst.unwrap_or(Health::Ok),
        findings: found.iter().map(|f| f.kind.clone()).collect(),
        name: row.name,
    }
}

fn series_of(concern: &Concern) -> String {
    Series::of(&concern.key).as_str().to_owned()
}

fn said(shelf: &Shelf<'_>) -> Result<Said> {
    let mut said = Said::new();
    for kind in KINDS {
        // The newest first.
        for row in shelf.catalogue().findings_of(shelf.name(), kind)? {
            if let Some(key) = &row.finding.key {
                let series = Series::of(key).as_str().to_owned();
                said.entry((kind.to_owned(), series)).or_insert(row);
            }
        }
    }
    Ok(said)
}

/// The open findings about series that had stayed away and came again.
fn gone_on(shelf: &Shelf<'_>, said: &Said, now: Now) -> Result<Vec<FindingRow>> {
    let mut again = Vec::new();
    for ((kind, _), found) in said {
        if ![LATE, SILENT].contains(&kind.as_str()) || found.ack.is_some() {
            continue;
        }
        let Some(key) = &found.finding.key else {
            continue;
        };
        let row = shelf.catalogue().series(shelf.name(), &Series::of(key))?;
        let Some(row) = row else {
            continue;
        };
        let came = row
            .arrivals
            .newest()
            .is_some_and(|a| a.last() > found.finding.at);
        let pace = habit(&row, false).and_then(|habit| habit.pace(now.listed));
        if came || pace.is_none_or(|(_, pace)| pace == Pace::OnTime) {
            again.push(found.clone());
        }
    }
    Ok(again)
}

fn closed(row: &FindingRow, why: &str, at: Timestamp) -> Entry {
    Entry::Fact(Fact::Ack(Ack {
        finding: row.finding.id.clone(),
        note: Some(format!("closed by itself: {why}")),
        accepted: false,
        at,
    }))
}

/// What is to be said and was not.
fn concerns(
    shelf: &Shelf<'_>,
    filter: &Filter,
    said: &Said,
    now: Timestamp,
) -> Result<Vec<Concern>> {
    let mut concerns = Vec::new();
    let mut after = String::new();
    loop {
        let page = shelf
            .catalogue()
            .all_series(shelf.name(), WEIGHT, &after, PAGE)?;
        let Some(last) = page.last() else {
            break;
        };
        after.clone_from(&last.name);
        for row in &page {
            // Of each kind one, the first that came.
            let mut kinds = BTreeSet::new();
            let new = of_series(shelf, row, now)?.into_iter().filter(|concern| {
                filter.takes(concern.key.as_str())
                    && !was_said(said, &row.name, concern)
                    && kinds.insert(concern.kind)
            });
            concerns.extend(new);
        }
        if concerns.len() >= LOOKED_AT {
            break;
        }
    }
    waits(shelf, &mut concerns)?;
    concerns.truncate(MOST);
    Ok(concerns)
}

/// What is to be said of one series, said before or not.
fn of_series(shelf: &Shelf<'_>, row: &SeriesRow, now: Timestamp) -> Result<Vec<Concern>> {
    let Some(mut habit) = habit(row, false) else {
        return Ok(Vec::new());
    };
    let key = habit.arrivals.last().and_then(|newest| newest.key.as_ref());
    let Some(volume) = key.and_then(Volume::of) else {
        return Ok(habit.concerns(now));
    };
    let volumes = match volume.place {
        Place::Number(_) => None,
        Place::Last => volumes_beside(shelf, &volume)?,
    };
    habit.parts = volume.place != Place::Last || volumes.is_some();
    let mut concerns = habit.concerns(now);
    concerns.extend(of_set(shelf, &habit, volumes.as_ref(), now)?);
    Ok(concerns)
}

/// The series of the volumes whose `last` one has the archive's own name, if there ever were any.
fn volumes_beside(shelf: &Shelf<'_>, last: &Volume) -> Result<Option<SeriesRow>> {
    let Ok(first) = ObjectKey::new(format!("{}01", last.stem)) else {
        return Ok(None);
    };
    shelf.catalogue().series(shelf.name(), &Series::of(&first))
}

/// What is to be said of the archive that came last. Gaps are said by the series of the volumes that
/// have numbers; that there are none at all, by that of the last.
fn of_set(
    shelf: &Shelf<'_>,
    habit: &Habit<'_>,
    volumes: Option<&SeriesRow>,
    now: Timestamp,
) -> Result<Option<Concern>> {
    let found = sets::newest_set(habit.arrivals, habit.stored_at, now);
    let Some((volume, newest, before)) = found else {
        return Ok(None);
    };
    let keys = shelf
        .catalogue()
        .keys_under(shelf.name(), &volume.stem, VOLUMES)?;
    if keys.len() >= VOLUMES as usize {
        return Ok(None);
    }
    let missing = match (volume.place, volumes) {
        (Place::Number(_), _) => sets::missing(&volume, &keys),
        (Place::Last, Some(row)) => {
            let numbered = |key: &ObjectKey| {
                let other = Volume::of(key).filter(|other| other.is_with(&volume));
                other.is_some_and(|other| other.place != Place::Last)
            };
            let had = sets::always_had(before, row.arrivals.as_slice());
            (had && !keys.iter().any(numbered)).then(|| "every volume but the last".to_owned())
        }
        (Place::Last, None) => None,
    };
    Ok(missing.and_then(|missing| sets::incomplete(habit.name, newest, &missing)))
}

/// Whether a finding stands for this concern.
fn was_said(said: &Said, series: &str, concern: &Concern) -> bool {
    let find = |kind: &str| said.get(&(kind.to_owned(), series.to_owned()));
    let same = |found: &&FindingRow| found.finding.at >= concern.since;
    // Who knows that it is late need not hear that it is silent.
    let known_late = || {
        find(LATE)
            .filter(same)
            .is_some_and(|late| late.ack.is_some())
    };
    let open = |found: &FindingRow| found.ack.is_none();
    match concern.kind {
        LATE => [LATE, SILENT]
            .into_iter()
            .filter_map(find)
            .any(|f| same(&f)),
        SILENT => find(SILENT).is_some_and(|f| same(&f)) || known_late(),
        kind => find(kind).is_some_and(|found| open(found) || same(&found)),
    }
}

/// Drops what is said of series that wait for their turn: the bucket has something newer of them,
/// which was too large, failed, or is left for the next run.
fn waits(shelf: &Shelf<'_>, concerns: &mut Vec<Concern>) -> Result<()> {
    let mut away: BTreeMap<String, Timestamp> = concerns
        .iter()
        .filter(|concern| [LATE, SILENT].contains(&concern.kind))
        .map(|concern| (series_of(concern), concern.since))
        .collect();
    let all = away.len();
    let mut after = 0;
    while !away.is_empty() {
        let changes = shelf.catalogue().plan_take(shelf.name(), after, ROWS)?;
        let Some((last, _)) = changes.last() else {
            break;
        };
        after = *last;
        for (_, change) in &changes {
            let series = Series::of(&change.key);
            let newer = |since: &Timestamp| change.identity.last_modified > *since;
            if away.get(series.as_str()).is_some_and(newer) {
                away.remove(series.as_str());
            }
        }
    }
    if away.len() < all {
        concerns.retain(|concern| {
            ![LATE, SILENT].contains(&concern.kind) || away.contains_key(&series_of(concern))
        });
    }
    Ok(())
}
