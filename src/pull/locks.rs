//! What is locked in the bucket: does it stay so? A few HEADs a night look at the newest version of
//! each series, by turns, and at some of all that is locked; and what is gone before its lock ended is
//! said.

mod words;

use super::Pull;
use super::group::Group;
use super::list::By;
use crate::bucket::{Bucket, Setting, Told};
use crate::catalogue::LockTurn;
use crate::config::Filter;
use crate::error::Result;
use crate::lock;
use crate::object::{
    BucketLock, EventRecord, Fact, Identity, InBucket, Known, Lock, ObjectKey, Timestamp,
};
use crate::outcome::Stop;
use tokio::runtime::Runtime;
use tokio::task::JoinSet;

/// So many HEADs a night. With the bucket's setting, and one more where a lock is not told any more,
/// that stays below the dozen requests that a night without changes may cost besides its listing.
const LOOKS: usize = 8;
/// So many of them at the newest versions of series.
const NEWEST: usize = 5;
/// Series are read by so many,
const PAGE: u32 = 200;
/// and so many pages a night.
const PAGES: usize = 5;
/// Runs looked at to learn how often this computer pulls.
const RUNS: u32 = 400;
/// So many versions are named in a finding.
const NAMED: usize = 5;

/// What findings and events are called.
const BROKEN: &str = "lock-broken";
const SHORTENED: &str = "lock-shortened";
const LOOSENED: &str = "lock-off";
const TOO_SHORT: &str = "lock-too-short";
const HIDDEN: &str = "locks-hidden";
const WITHHELD: &str = "lock-withheld";

/// Versions that are gone before their locks ended.
#[derive(Default)]
pub(super) struct Broken {
    versions: u64,
    /// The first few.
    named: Vec<(ObjectKey, Identity, Lock)>,
}

/// Takes note of a version that is gone, where its lock had not ended by `clock`, the bucket's.
pub(super) fn note_gone(group: &mut Group<'_, '_>, known: &Known, clock: Timestamp) -> Result<()> {
    let was = group.shelf().catalogue().lock_of(known.id)?;
    if let Some(left) = was.and_then(|was| lock::broken(&was, clock)) {
        group.broken.versions += 1;
        if group.broken.named.len() < NAMED {
            let named = (known.key.clone(), known.identity.clone(), left);
            group.broken.named.push(named);
        }
    }
    Ok(())
}

/// Says which versions are gone before their locks ended.
pub(super) fn say_broken(group: &mut Group<'_, '_>) -> Result<()> {
    let broken = std::mem::take(&mut group.broken);
    match broken.named.first() {
        Some(first) => {
            group.finding_of_tonight(|frame| words::gone_while_locked(frame, first, &broken))
        }
        None => Ok(()),
    }
}

/// A version whose lock is looked at, and the lock that is known.
struct Look {
    known: Known,
    was: Option<Lock>,
}

impl Pull {
    /// Looks at the bucket's setting and at some of its locks, and says what got weaker. No answer
    /// is no reason to fail.
    pub(super) fn look_at_locks(
        &self,
        runtime: &Runtime,
        group: &mut Group<'_, '_>,
        by: By,
    ) -> Result<()> {
        let on = match by {
            // Without versions there are no locks.
            By::Versions => self.setting(runtime, group)?,
            By::Keys => false,
        };
        let now = self.clock.now();
        let now = now.checked_add(self.bucket.clock_ahead()).unwrap_or(now);
        let looks = whose_turn(group, &self.source.filter, on, now)?;
        if looks.is_empty() {
            return Ok(());
        }
        let answers = runtime.block_on(ask(&self.bucket, looks, &self.stop));
        self.judge(runtime, group, answers, now)
    }

    /// Whether the bucket says that versions are locked in it, or said so last. What changed is said.
    fn setting(&self, runtime: &Runtime, group: &mut Group<'_, '_>) -> Result<bool> {
        let told = runtime.block_on(async {
            tokio::select! {
                told = self.bucket.lock_setting() => told,
                () = self.stop.wait() => Setting::Unknown,
            }
        });
        let shelf = group.shelf();
        let known = shelf.catalogue().bucket_lock(shelf.name())?;
        let (was, since) = known.unzip();
        let was = was.unwrap_or_default();
        let is = match told {
            Setting::Is(is) => is,
            Setting::Withheld(error) => {
                let hint = error.way_out().unwrap_or_default();
                self.withheld_setting(group, was.on, &format!("{error}; {hint}"))?;
                return Ok(was.on);
            }
            Setting::Unknown => return Ok(was.on),
        };
        let at = self.clock.now();
        if let Some(loosened) = lock::loosened(&was, &is) {
            group.finding_of_tonight(|frame| {
                words::setting_loosened(frame, &self.source.bucket, loosened)
            })?;
        }
        if is != was {
            group.says(Fact::BucketLock { lock: is, at })?;
        }
        let since = since.filter(|_| is == was).unwrap_or(at);
        self.say_too_short(group, is, since)?;
        Ok(is.on)
    }

    fn withheld_setting(&self, group: &mut Group<'_, '_>, was_on: bool, why: &str) -> Result<()> {
        if was_on {
            return self.hidden(group, why);
        }
        let shelf = group.shelf();
        let said = shelf.catalogue().said_last(shelf.name(), [WITHHELD; 2])?;
        match said {
            Some(_) => Ok(()),
            None => group.says(Fact::Event(EventRecord {
                kind: WITHHELD.to_owned(),
                key: None,
                text: format!("whether the bucket locks its versions is not known: {why}"),
                at: self.clock.now(),
            })),
        }
    }

    /// Says, once, that our key does not see any more what it saw.
    fn hidden(&self, group: &mut Group<'_, '_>, why: &str) -> Result<()> {
        let shelf = group.shelf();
        match shelf.catalogue().ever_found(shelf.name(), HIDDEN)? {
            true => Ok(()),
            false => group.finding(|frame| words::not_seen(frame, why)),
        }
    }

    /// Says of a default lock that ends before this computer has surely pulled, once for each.
    fn say_too_short(
        &self,
        group: &mut Group<'_, '_>,
        setting: BucketLock,
        since: Timestamp,
    ) -> Result<()> {
        let Some(default) = setting.default else {
            return Ok(());
        };
        let started = group.started();
        let shelf = group.shelf();
        let (rows, name) = (shelf.catalogue(), shelf.name());
        let earlier = rows.runs(RUNS)?.into_iter().filter(|run| {
            run.source == *name && run.start.command == "pull" && run.start.at < started
        });
        let pulls: Vec<_> = std::iter::once(started)
            .chain(earlier.map(|run| run.start.at))
            .collect();
        let Some(interval) = lock::interval(&pulls) else {
            return Ok(());
        };
        let said = rows.findings_of(name, TOO_SHORT)?;
        if !lock::is_too_short(default.days, interval) || said.iter().any(|s| s.finding.at >= since)
        {
            return Ok(());
        }
        group.finding(|frame| words::too_short(frame, default, interval))
    }

    /// Says which locks got weaker, and remembers what is so now.
    fn judge(
        &self,
        runtime: &Runtime,
        group: &mut Group<'_, '_>,
        answers: Vec<(Look, Option<Lock>)>,
        now: Timestamp,
    ) -> Result<()> {
        let weaker = |look: &Look, is: &Option<Lock>| {
            let was = look.was.as_ref()?;
            lock::weaker(was, is.as_ref(), now)
        };
        // Where none is told at all, our key may have lost the right to see them.
        let lost = answers
            .iter()
            .find(|(look, is)| is.is_none() && weaker(look, is).is_some());
        let mut believed = answers.iter().any(|(_, is)| is.is_some());
        if let Some((look, _)) = lost.filter(|_| !believed) {
            let identity = named(&look.known);
            let told = self.bucket.retention_told(&look.known.key, &identity);
            match runtime.block_on(told) {
                Told::Lock(locked) => believed = !locked,
                Told::Withheld => self.hidden(
                    group,
                    "a HEAD tells no lock any more, and the key may not do s3:GetObjectRetention",
                )?,
                Told::Nothing => {}
            }
        }
        let mut loose = Vec::new();
        let mut facts = Vec::new();
        for (look, is) in answers {
            let weaker = weaker(&look, &is);
            if weaker.is_some() && is.is_none() && !believed {
                continue;
            }
            if let Some(weaker) = weaker {
                loose.push((look.known.key.clone(), weaker));
            }
            if look.was != is {
                facts.push(Fact::Locked {
                    key: look.known.key,
                    identity: look.known.identity,
                    lock: is,
                    at: self.clock.now(),
                });
            }
        }
        if let Some((first, _)) = loose.first() {
            group.finding_of_tonight(|frame| words::shortened(frame, first, &loose))?;
        }
        facts.into_iter().try_for_each(|fact| group.says(fact))
    }
}

/// The versions that are looked at tonight: what a hacker wants gone first is what came last.
fn whose_turn(
    group: &mut Group<'_, '_>,
    filter: &Filter,
    on: bool,
    now: Timestamp,
) -> Result<Vec<Look>> {
    let name = group.shelf().name().clone();
    let rows = group.shelf().catalogue();
    if !on
        && rows
            .locked_after(&name, &LockTurn::default(), 1)?
            .is_empty()
    {
        return Ok(Vec::new());
    }
    let before = rows.lock_turn(&name)?;
    let mut turn = before.clone();
    let mut looks = newest(group, filter, &mut turn)?;
    some_locked(group, filter, &mut turn, now, &mut looks)?;
    if turn != before {
        group.shelf().planner()?.set_lock_turn(&name, &turn)?;
    }
    Ok(looks)
}

/// The newest versions of the series whose turn it is.
fn newest(group: &mut Group<'_, '_>, filter: &Filter, turn: &mut LockTurn) -> Result<Vec<Look>> {
    let shelf = group.shelf();
    let (rows, name) = (shelf.catalogue(), shelf.name());
    let mut looks = Vec::new();
    let mut round = turn.series.is_empty();
    for _ in 0..PAGES {
        let page = rows.all_series(name, 0, &turn.series, PAGE)?;
        let last = page.len() < PAGE as usize;
        for series in page {
            turn.series = series.name;
            let key = series.arrivals.newest().and_then(|a| a.key.as_ref());
            let Some(key) = key.filter(|key| filter.takes(key.as_str())) else {
                continue;
            };
            if let Some((known, was)) = rows.current_lock(name, key)? {
                looks.push(Look { known, was });
            }
            if looks.len() == NEWEST {
                return Ok(looks);
            }
        }
        if last {
            turn.series.clear();
            if std::mem::replace(&mut round, true) || !looks.is_empty() {
                break;
            }
        }
    }
    Ok(looks)
}

/// Adds versions whose locks go on, in the order of their ends.
fn some_locked(
    group: &mut Group<'_, '_>,
    filter: &Filter,
    turn: &mut LockTurn,
    now: Timestamp,
    looks: &mut Vec<Look>,
) -> Result<()> {
    let shelf = group.shelf();
    let ended = now.as_millisecond();
    for _ in 0..2 {
        if turn.until < ended {
            (turn.until, turn.version) = (ended, i64::MAX);
        }
        let page = shelf.catalogue().locked_after(shelf.name(), turn, PAGE)?;
        let last = page.len() < PAGE as usize;
        for row in page {
            (turn.until, turn.version) = (row.until, row.known.id);
            let looked_at = looks.iter().any(|look| look.known.id == row.known.id);
            if !looked_at && filter.takes(row.known.key.as_str()) {
                looks.push(Look {
                    known: row.known,
                    was: Some(row.lock),
                });
            }
            if looks.len() == LOOKS {
                return Ok(());
            }
        }
        if last {
            (turn.until, turn.version) = (0, 0);
        }
    }
    Ok(())
}

/// The identity by which a version is asked for: a listing without ids does not tell it, the answer
/// did.
fn named(known: &Known) -> Identity {
    let listed = known.identity.version_id.clone();
    Identity {
        version_id: listed.or_else(|| known.answered.clone()),
        ..known.identity.clone()
    }
}

/// One HEAD for each; those that were answered.
async fn ask(bucket: &Bucket, looks: Vec<Look>, stop: &Stop) -> Vec<(Look, Option<Lock>)> {
    let mut tasks = JoinSet::new();
    for look in looks {
        let (stop, identity) = (stop.clone(), named(&look.known));
        let bucket = match look.known.in_bucket {
            InBucket::Current => bucket.clone(),
            _ => bucket.by_version(),
        };
        tasks.spawn(async move {
            let told = tokio::select! {
                told = bucket.lock_of(&look.known.key, &identity) => told,
                () = stop.wait() => return None,
            };
            let key = &look.known.key;
            let told = told.inspect_err(|e| log::debug!("{key}: no word about its lock: {e:?}"));
            Some((look, told.ok()?))
        });
    }
    let mut answers: Vec<_> = tasks.join_all().await.into_iter().flatten().collect();
    // As they were asked for, whoever answered first.
    answers.sort_by_key(|(look, _)| look.known.id);
    answers
}
