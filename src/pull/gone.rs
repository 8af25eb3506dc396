//! What a complete listing does not show: gone, or left out by the server?
//!
//! A listing is a server's word. An object missing from it is asked for by a HEAD before anything
//! is concluded: 404 means gone, 200 means that this listing omits keys. 403 means gone as well, as far as
//! our key can tell: whoever deletes may forbid to ask, and no deletion may go unsaid for that.

use super::group::Group;
use super::list::{By, Listing};
use super::purged::Missing;
use super::seen::Seen;
use super::{locks, vanished};
use crate::bucket::{Bucket, Failure};
use crate::catalogue::Catalogue;
use crate::config::Filter;
use crate::error::{Kind, Result};
use crate::object::{Fact, Identity, InBucket, Known, ObjectKey, SourceName, Timestamp};
use crate::outcome::Stop;
use std::collections::BTreeSet;
use tokio::runtime::Runtime;
use tokio::task::JoinSet;

/// Up to this many missing objects are all asked for; of more, this many at random.
const ASKED: usize = 200;
/// How many are asked for at once.
const AT_ONCE: usize = 16;
/// Rows read at a time.
const ROWS: u32 = 1000;

/// Finds out about every current row that the listing did not show.
pub(super) fn confirm(
    runtime: &Runtime,
    bucket: &Bucket,
    filter: &Filter,
    listing: &Listing,
    group: &mut Group<'_, '_>,
    now: Timestamp,
    stop: &Stop,
) -> Result<()> {
    if listing.by == By::Versions {
        markers(group, filter, listing, now)?;
    }
    let (sample, missing) = sample(group, filter, listing)?;
    if sample.is_empty() {
        return vanished::judge(group, &|_, _| false, now);
    }
    let asked = sample.len();
    let answers = runtime.block_on(ask(bucket, sample, listing.by, stop));
    // The bucket's, which is the one that locks go by.
    let clock = now.checked_add(bucket.clock_ahead()).unwrap_or(now);
    let there: Vec<ObjectKey> = answers
        .iter()
        .filter(|(_, there)| *there == Some(true))
        .map(|(known, _)| known.key.clone())
        .collect();
    if !there.is_empty() {
        group.finding_that_stays(|frame| frame.listing_omits(&there, asked))?;
    }
    let all_gone = answers.iter().all(|(_, there)| *there == Some(false));
    let mut versions = Missing::default();
    if missing > asked && all_gone {
        each_missing(group, filter, listing, &mut |group, known| {
            note(group, &mut versions, &known, listing.by, clock)
        })?;
        let is_gone =
            |row: i64, key: &ObjectKey| !listing.seen.contains(row) && filter.takes(key.as_str());
        vanished::judge(group, &is_gone, now)?;
        versions.judge(group, &is_gone, now)?;
        locks::say_broken(group)?;
        return each_missing(group, filter, listing, &mut |group, known| {
            take(group, known, now)
        });
    }
    let gone = answers
        .into_iter()
        .filter(|(_, there)| *there == Some(false));
    let gone: Vec<Known> = gone.map(|(known, _)| known).collect();
    for known in &gone {
        note(group, &mut versions, known, listing.by, clock)?;
    }
    let rows: BTreeSet<i64> = gone.iter().map(|known| known.id).collect();
    vanished::judge(group, &|row, _| rows.contains(&row), now)?;
    versions.judge(group, &|row, _| rows.contains(&row), now)?;
    locks::say_broken(group)?;
    for known in gone {
        take(group, known, now)?;
    }
    Ok(())
}

/// That what was hidden or replaced before is not shown by its key had its verdict then; that the
/// version is gone, too, is another question.
fn note(
    group: &mut Group<'_, '_>,
    versions: &mut Missing,
    known: &Known,
    by: By,
    clock: Timestamp,
) -> Result<()> {
    // A key that a plain GET does not find may have all its versions still.
    if by == By::Versions {
        versions.note(&known.key);
        locks::note_gone(group, known, clock)?;
    }
    match known.in_bucket {
        InBucket::Current => vanished::note(group, &known.key),
        InBucket::Noncurrent | InBucket::Hidden | InBucket::Gone => Ok(()),
    }
}

fn take(group: &mut Group<'_, '_>, known: Known, at: Timestamp) -> Result<()> {
    group.fact(Fact::Gone {
        key: known.key,
        identity: known.identity,
        at,
    });
    if group.is_due() {
        group.commit()?;
    }
    Ok(())
}

/// Up to [`ASKED`] of the missing rows, each as likely as any other, and how many there are.
fn sample(
    group: &mut Group<'_, '_>,
    filter: &Filter,
    listing: &Listing,
) -> Result<(Vec<Known>, usize)> {
    let (mut kept, mut missing) = (Vec::new(), 0);
    each_missing(group, filter, listing, &mut |_, known| {
        missing += 1;
        if kept.len() < ASKED {
            kept.push(known);
        } else if let Some(place) = kept.get_mut(fastrand::usize(..missing)) {
            *place = known;
        }
        Ok(())
    })?;
    Ok((kept, missing))
}

fn each_missing<'a, 'h>(
    group: &mut Group<'a, 'h>,
    filter: &Filter,
    listing: &Listing,
    each: &mut dyn FnMut(&mut Group<'a, 'h>, Known) -> Result<()>,
) -> Result<()> {
    each_of(Catalogue::unseen, group, filter, &listing.seen, each)?;
    match listing.by {
        By::Keys => Ok(()),
        By::Versions => each_of(Catalogue::unseen_older, group, filter, &listing.seen, each),
    }
}

/// Reads rows that a listing did not show, after a row and up to so many.
type Unseen = fn(&Catalogue, &SourceName, i64, u32, &dyn Fn(i64) -> bool) -> Result<Vec<Known>>;

fn each_of<'a, 'h>(
    unseen: Unseen,
    group: &mut Group<'a, 'h>,
    filter: &Filter,
    seen: &Seen,
    each: &mut dyn FnMut(&mut Group<'a, 'h>, Known) -> Result<()>,
) -> Result<()> {
    let mut after = 0;
    loop {
        let shelf = group.shelf();
        let rows = unseen(shelf.catalogue(), shelf.name(), after, ROWS, &|row| {
            seen.contains(row)
        })?;
        let Some(last) = rows.last() else {
            return Ok(());
        };
        after = last.id;
        for known in rows {
            // A key outside the filter was not asked for, and so is not missing.
            if filter.takes(known.key.as_str()) {
                each(group, known)?;
            }
        }
    }
}

/// Says which markers are listed no more. They have no bytes, and servers answer a HEAD for one as
/// they like: the listing's word is enough.
fn markers(
    group: &mut Group<'_, '_>,
    filter: &Filter,
    listing: &Listing,
    at: Timestamp,
) -> Result<()> {
    let mut after = 0;
    loop {
        let shelf = group.shelf();
        let rows = shelf
            .catalogue()
            .unseen_markers(shelf.name(), after, ROWS, &|row| {
                listing.seen_markers.contains(row)
            })?;
        let Some(last) = rows.last() else {
            return Ok(());
        };
        after = last.id;
        for row in rows {
            if filter.takes(row.marker.key.as_str()) {
                let marker = row.marker;
                group.says(Fact::Unmarked { marker, at })?;
            }
        }
    }
}

/// One HEAD for each: there, not there, or no answer.
async fn ask(
    bucket: &Bucket,
    sample: Vec<Known>,
    by: By,
    stop: &Stop,
) -> Vec<(Known, Option<bool>)> {
    let mut tasks = JoinSet::new();
    let mut answers = Vec::new();
    let at_once = AT_ONCE.min(bucket.tuning().at_once.max(1));
    for known in sample {
        if tasks.len() >= at_once
            && let Some(Ok(answer)) = tasks.join_next().await
        {
            answers.push(answer);
        }
        let (bucket, stop) = (bucket.clone(), stop.clone());
        tasks.spawn(async move {
            let answer = tokio::select! {
                answer = is_there(&bucket, &known, by) => answer,
                () = stop.wait() => return (known, None),
            };
            let there = answer
                .inspect_err(|e| log::warn!("{}: no answer to a HEAD: {e:?}", known.key))
                .ok();
            (known, there)
        });
    }
    answers.extend(tasks.join_all().await);
    answers
}

/// Asks for the key, or, where versions are listed, for the very version. Of a key that may not read
/// versions by their ids the plain GET is asked for: there is no answer where that finds something.
async fn is_there(bucket: &Bucket, known: &Known, by: By) -> Result<bool, Failure> {
    if by == By::Keys {
        return shown(bucket.exists(&known.key).await);
    }
    let identity = Identity {
        // A listing without ids does not tell it, the answer did.
        version_id: known
            .identity
            .version_id
            .clone()
            .or_else(|| known.answered.clone()),
        ..known.identity.clone()
    };
    match bucket.holds(&known.key, &identity).await {
        Err(Failure::Unreadable(why)) if known.in_bucket == InBucket::Current => {
            match shown(bucket.exists(&known.key).await)? {
                true => Err(Failure::Unreadable(why)),
                false => Ok(false),
            }
        }
        answer => shown(answer),
    }
}

/// What is not listed any more, and refused to our key, is not there for it.
fn shown(answer: Result<bool, Failure>) -> Result<bool, Failure> {
    match answer {
        Err(Failure::Unreadable(why)) if why.kind() == Kind::Usage => Ok(false),
        answer => answer,
    }
}
