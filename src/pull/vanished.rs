//! What vanished from the bucket, judged: does each series let go what it always lets go?
//!
//! Said before it is recorded that the objects are gone: a crash in between leaves an alarm that is
//! early, and never none.

use super::group::Group;
use super::words::Frame;
use crate::catalogue::{Lived, RunRow};
use crate::error::Result;
use crate::formats::{self, Format, Rank};
use crate::object::{Advice, FindingRecord, InBucket, ObjectKey, Severity, SourceName, Timestamp};
use crate::series::{Range, Rotation, Series, Unexplained};
use jiff::SignedDuration;
use std::collections::{BTreeMap, HashMap};

/// What a finding is called that says so.
pub(super) const DELETED: &str = "deleted";
/// So many series are judged by their habits; whoever empties more of them in one night is no rotation.
pub(super) const SERIES: usize = 20_000;
/// So many are judged in one pass over the rows.
pub(super) const AT_ONCE: usize = 256;
/// So many are named in a finding.
pub(super) const NAMED: usize = 5;
/// A finding and the objects that it is about are recorded within this long.
pub(super) const ONE_RUN: SignedDuration = SignedDuration::from_hours(12);
/// Runs, and rows, looked at in one go.
const RUNS: u32 = 400;
/// Packs are rewritten and dropped by the hundred; so many times more than stay are no clean-up.
const PACKS: usize = 4;

/// What vanished in one night, by series.
#[derive(Default)]
pub(super) struct Vanished {
    series: BTreeMap<Series, Role>,
    /// Series that are too many to be judged.
    others: u64,
    markers: HashMap<ObjectKey, bool>,
}

/// What the keys of a series are.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Role {
    /// Backups, by the look of their names.
    Backups,
    /// Files of a repository, whose own program removes what it does not need.
    Repository,
}

/// A series in which something vanished.
#[derive(Default)]
struct Judged {
    /// The youngest that vanished, and when it came.
    youngest: Option<(Timestamp, ObjectKey)>,
    backups: Rotation,
    /// Packs, indexes and the like of a repository: how many vanished, and how many stay.
    parts: (usize, usize),
}

impl Judged {
    fn of(role: Role) -> Self {
        Self {
            backups: match role {
                Role::Backups => Rotation::default(),
                Role::Repository => Rotation::of_snapshots(),
            },
            ..Self::default()
        }
    }
}

/// Something that no rotation explains.
struct Deletion {
    series: Series,
    youngest: ObjectKey,
    gone: usize,
    left: usize,
    why: Unexplained,
}

/// Takes note of a key that vanished, or that a delete marker hides.
pub(super) fn note(group: &mut Group<'_, '_>, key: &ObjectKey) -> Result<()> {
    let mut vanished = std::mem::take(&mut group.vanished);
    let noted = vanished.note(group, key);
    group.vanished = vanished;
    noted
}

/// Says what no rotation explains. `is_gone` knows the rows of what vanished tonight and is not
/// recorded yet.
pub(super) fn judge(
    group: &mut Group<'_, '_>,
    is_gone: &dyn Fn(i64, &ObjectKey) -> bool,
    now: Timestamp,
) -> Result<()> {
    let (unjudged, since) = unjudged(group)?;
    if unjudged {
        note_hidden(group)?;
    }
    let vanished = std::mem::take(&mut group.vanished);
    if vanished.series.is_empty() {
        return Ok(());
    }
    // What delete markers hide is read from the rows.
    group.commit()?;
    vanished.judge(group, is_gone, since, now)
}

/// Whether the run before came to no verdict (it failed, or was cut off, after its listing showed what
/// is hidden), and when the last one ended that did.
fn unjudged(group: &mut Group<'_, '_>) -> Result<(bool, Option<Timestamp>)> {
    let started = group.started();
    let shelf = group.shelf();
    let runs = shelf.catalogue().runs(RUNS)?.into_iter();
    let earlier = |run: &RunRow| run.source == *shelf.name() && run.start.at < started;
    let pulls = runs.filter(|run| run.start.command == "pull" && earlier(run));
    let mut unjudged = false;
    for run in pulls {
        match run.end {
            Some(end) if matches!(end.ended.as_str(), "complete" | "partial") => {
                return Ok((unjudged, Some(end.at)));
            }
            _ => unjudged = true,
        }
    }
    Ok((unjudged, None))
}

/// Takes note of every key that is hidden, whenever that was.
fn note_hidden(group: &mut Group<'_, '_>) -> Result<()> {
    let mut after = 0;
    loop {
        let shelf = group.shelf();
        let rows = shelf
            .catalogue()
            .unseen_older(shelf.name(), after, RUNS, &|_| false)?;
        let Some(last) = rows.last() else {
            return Ok(());
        };
        after = last.id;
        for known in rows
            .iter()
            .filter(|known| known.in_bucket == InBucket::Hidden)
        {
            note(group, &known.key)?;
        }
    }
}

impl Vanished {
    fn note(&mut self, group: &mut Group<'_, '_>, key: &ObjectKey) -> Result<()> {
        let series = Series::of(key);
        if self.series.contains_key(&series) {
            return Ok(());
        }
        // Locks come and go with every use of a repository.
        if let Some(config) = formats::restic_lock(key)
            && self.is_known(group, &config)?
        {
            return Ok(());
        }
        let mut role = Role::Backups;
        if let Some(config) = formats::borg_part(key)
            && self.is_known(group, &config)?
        {
            if formats::is_borg_lock(key) {
                return Ok(());
            }
            role = Role::Repository;
        }
        for repository in formats::repositories(key) {
            if self.is_known(group, &repository.marker)? {
                // A tree of encrypted files, in which people delete what they like; but not what
                // makes it one.
                if repository.format == Format::Gocryptfs && repository.marker != *key {
                    return Ok(());
                }
                role = Role::Repository;
                break;
            }
        }
        match self.series.len() < SERIES {
            true => drop(self.series.insert(series, role)),
            false => self.others += 1,
        }
        Ok(())
    }

    fn is_known(&mut self, group: &mut Group<'_, '_>, marker: &ObjectKey) -> Result<bool> {
        if let Some(known) = self.markers.get(marker) {
            return Ok(*known);
        }
        let shelf = group.shelf();
        let latest = shelf.catalogue().latest_of(shelf.name(), marker.as_str())?;
        if self.markers.len() >= AT_ONCE {
            self.markers.clear();
        }
        self.markers.insert(marker.clone(), latest.is_some());
        Ok(latest.is_some())
    }

    fn judge(
        self,
        group: &mut Group<'_, '_>,
        is_gone: &dyn Fn(i64, &ObjectKey) -> bool,
        since: Option<Timestamp>,
        now: Timestamp,
    ) -> Result<()> {
        let started = group.started();
        let is_hidden =
            |missed: Timestamp| missed >= started || since.is_some_and(|at| missed > at);
        let condemned = condemned(group, DELETED)?;
        let is_condemned = |at: Timestamp| {
            condemned
                .iter()
                .any(|said| at.duration_since(*said).abs() < ONE_RUN)
        };
        let looked = looked_last(group)?.unwrap_or(now);
        let all: Vec<(Series, Role)> = self.series.into_iter().collect();
        let mut deletions = Vec::new();
        for some in all.chunks(AT_ONCE) {
            let mut judged = read(group, some, is_gone, &is_hidden, &is_condemned)?;
            for (series, role) in some {
                let of = judged.remove(series).unwrap_or_default();
                deletions.extend(deletion(series, *role, of, looked, now));
            }
        }
        if deletions.is_empty() && self.others == 0 {
            return Ok(());
        }
        deletions.sort_by_key(|d| std::cmp::Reverse(d.gone));
        group.finding_of_tonight(|frame| deleted(frame, &deletions, self.others))
    }
}

/// When alarms of this kind were raised that are still open: what vanished then taught nothing.
pub(super) fn condemned(group: &mut Group<'_, '_>, kind: &str) -> Result<Vec<Timestamp>> {
    let shelf = group.shelf();
    let open = shelf.catalogue().findings(true)?.into_iter();
    let mine = open.filter(|row| row.source == *shelf.name() && row.finding.kind == kind);
    Ok(mine.map(|row| row.finding.at).collect())
}

/// When a pull was complete last.
pub(super) fn looked_last(group: &mut Group<'_, '_>) -> Result<Option<Timestamp>> {
    let shelf = group.shelf();
    let row = shelf
        .catalogue()
        .sources()?
        .into_iter()
        .find(|row| row.name == *shelf.name());
    Ok(row.and_then(|row| row.last_complete_pull))
}

/// Reads everything that is known of some series, in one pass over the keys that begin as they do.
fn read(
    group: &mut Group<'_, '_>,
    some: &[(Series, Role)],
    is_gone: &dyn Fn(i64, &ObjectKey) -> bool,
    is_hidden: &dyn Fn(Timestamp) -> bool,
    is_condemned: &dyn Fn(Timestamp) -> bool,
) -> Result<BTreeMap<Series, Judged>> {
    let range = Range::of(some.iter().map(|(series, _)| series));
    let roles: BTreeMap<&Series, Role> =
        some.iter().map(|(series, role)| (series, *role)).collect();
    let mut judged: BTreeMap<Series, Judged> = BTreeMap::new();
    let shelf = group.shelf();
    let (rows, source): (_, &SourceName) = (shelf.catalogue(), shelf.name());
    rows.lives(source, &range, &mut |lived: Lived| {
        let series = Series::of(&lived.key);
        let Some(role) = roles.get(&series) else {
            return;
        };
        let of = judged.entry(series).or_insert_with(|| Judged::of(*role));
        let hidden = lived.life.missed.is_some_and(is_hidden);
        let gone = hidden || lived.current.is_some_and(|row| is_gone(row, &lived.key));
        let vanishes = gone && !lived.planned;
        if vanishes {
            let other = of
                .youngest
                .take()
                .filter(|(born, _)| *born >= lived.life.born);
            of.youngest = other.or_else(|| Some((lived.life.born, lived.key.clone())));
        }
        if *role == Role::Repository && formats::rank(&lived.key) != Rank::Snapshot {
            of.parts.0 += usize::from(vanishes);
            of.parts.1 += usize::from(lived.current.is_some() && !vanishes);
        } else if vanishes {
            of.backups.vanishes(lived.life);
        } else {
            of.backups.add(lived.life, is_condemned);
        }
    })?;
    rows.newcomers(source, &range, &mut |key, born| {
        let series = Series::of(&key);
        let Some((role, of)) = roles.get(&series).zip(judged.get_mut(&series)) else {
            return;
        };
        if *role == Role::Repository && formats::rank(&key) != Rank::Snapshot {
            of.parts.1 += 1;
        } else {
            of.backups.comes(born);
        }
    })?;
    Ok(judged)
}

fn deletion(
    series: &Series,
    role: Role,
    of: Judged,
    looked: Timestamp,
    now: Timestamp,
) -> Option<Deletion> {
    let (mut gone, mut left) = of.backups.counts();
    let mut why = of.backups.judge(looked, now).err();
    if role == Role::Repository {
        let (parts_gone, parts_left) = of.parts;
        gone += parts_gone;
        left += parts_left;
        if parts_gone > PACKS * parts_left {
            why = why.or(Some(match parts_left {
                0 => Unexplained::All,
                _ => Unexplained::Many,
            }));
        }
    }
    Some(Deletion {
        series: series.clone(),
        youngest: of.youngest?.1,
        gone,
        left,
        why: why?,
    })
}

/// Objects vanished that no rotation explains.
fn deleted(frame: &Frame<'_>, deletions: &[Deletion], others: u64) -> FindingRecord {
    let objects: usize = deletions.iter().map(|d| d.gone).sum();
    let few = deletions.iter().take(NAMED).map(|d| {
        format!(
            "{}: {} gone, {} left; {}",
            d.series,
            d.gone,
            d.left,
            reason(d.why)
        )
    });
    let mut evidence: Vec<String> = few.collect();
    let more = (deletions.len().saturating_sub(NAMED) as u64).saturating_add(others);
    if more > 0 {
        evidence.push(format!("and {more} series more"));
    }
    let first = deletions.first().map(|d| &d.youngest);
    let such = first.map_or_else(String::new, |key| format!(", such as {key}"));
    let advice = Advice {
        what: match objects {
            1 => format!(
                "deleted from the bucket, and no rotation explains it: {}",
                first.map_or_else(String::new, ToString::to_string)
            ),
            _ => format!(
                "{objects} objects were deleted from the bucket that no rotation explains{such}"
            ),
        },
        evidence: format!("{}. All of them are kept here", evidence.join(". ")),
        next: format!(
            "if nobody cleaned up, whoever did this holds a key that deletes: revoke the server's key at the provider, and look at the server. The copies stay in latest/ (`offsite ls`, `offsite show KEY`). Where the bucket keeps versions, removing the delete markers brings the objects back. If it was you, `offsite ack {}-{}`: the series are known to do so from then on",
            frame.source, frame.number
        ),
    };
    FindingRecord {
        key: first.cloned(),
        ..frame.finding(DELETED, Severity::Alarm, None, advice)
    }
}

/// An age in words.
pub(super) fn days(age: SignedDuration) -> String {
    match age.as_hours() {
        hours @ ..48 => format!("{hours} hours"),
        hours => format!("{} days", hours / 24),
    }
}

fn reason(why: Unexplained) -> String {
    match why {
        Unexplained::All => "nothing is left of it".to_owned(),
        Unexplained::Young { age, before } => format!(
            "some were only {} old, where the youngest that ever went before was {}",
            days(age),
            days(before)
        ),
        Unexplained::Few { left, kept } => {
            format!("{left} are left, where at least {kept} always stayed")
        }
        Unexplained::NotTheOldest => "older ones stay".to_owned(),
        Unexplained::Many => "most of it went in one night".to_owned(),
    }
}
