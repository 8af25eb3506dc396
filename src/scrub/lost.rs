//! Versions whose files a rebuild of the catalogue did not find: no row says where they were, nor
//! whether they were held. Another store says that, and has the bytes.

use super::heal::carry_out;
use super::{Damaged, Fault, Healer, Unhealed};
use crate::catalogue::Catalogue;
use crate::error::Result;
use crate::home::{Diary, Shelf, shown_as_before, shown_when_placed, standing_of};
use crate::object::{InBucket, SourceName, State, StoredVersion};
use crate::outcome::Stop;
use crate::store::{Entry, Whole};

/// Rows read at a time.
const ROWS: u32 = 256;
/// About so many are brought again in one run.
const MOST: usize = 10_000;

/// The versions of `source` that were stored once and have no file. The next pull fetches what the bucket
/// has still; of what no store has, either, nothing more is said than the rebuild did.
pub(super) fn lost(catalogue: &Catalogue, source: &SourceName) -> Result<Vec<StoredVersion>> {
    let (mut lost, mut after) = (Vec::new(), 0);
    while lost.len() < MOST {
        let rows = catalogue.pending(source, after, ROWS)?;
        let Some(last) = rows.last() else { break };
        after = last.id;
        lost.extend(rows.into_iter().filter(|row| row.sha256.is_some()));
    }
    Ok(lost)
}

/// Gives a lost version the file that it should have, with the bytes of the first store that has them;
/// none where no store knows of any.
pub(super) fn regain(
    (shelf, diary): (&mut Shelf<'_>, &mut Diary<'_>),
    version: &StoredVersion,
    healers: &mut [Box<dyn Healer + '_>],
    stop: &Stop,
) -> Result<Option<Damaged>> {
    let Some(sha256) = version.sha256 else {
        return Ok(None);
    };
    let mut damaged: Option<Damaged> = None;
    for healer in healers {
        // A catalogue that cannot be asked is that of a store which has nothing to give.
        let Ok(Some(there)) = healer.stored(version, sha256) else {
            continue;
        };
        let damaged = damaged.get_or_insert_with(|| Damaged {
            version: version.clone(),
            path: there.path.clone().unwrap_or_default(),
            sums_at: None,
            right_at: version.stored_at,
            fault: Fault::Lost,
            healed: None,
            unhealed: Vec::new(),
        });
        let brought = match healer.bring(shelf, version, sha256) {
            Ok(whole) => filed(shelf, version, &there, whole)?,
            // It is asked for again.
            Err(Unhealed::Without(_)) if stop.requested() => return Ok(None),
            Err(Unhealed::Without(why)) => Err(why),
            Err(Unhealed::Drive(error)) => return Err(error),
        };
        match brought {
            Ok(entries) => carry_out((&mut *shelf, &mut *diary), entries, damaged, healer.name())?,
            Err(why) => damaged.unhealed.push(format!("{}: {why}", healer.name())),
        }
        if damaged.healed.is_some() {
            break;
        }
    }
    Ok(damaged)
}

/// What files the bytes as the other store has them; why not, else.
fn filed(
    shelf: &Shelf<'_>,
    version: &StoredVersion,
    there: &StoredVersion,
    whole: Whole,
) -> Result<std::result::Result<Vec<Entry>, String>> {
    // As where a rotten file is healed.
    if let Err(error) = shelf.drive().read_back_whole(&whole) {
        shelf.store().still_there()?;
        return Ok(Err(error.to_string()));
    }
    let key = &version.key;
    let Some(verified) = whole.proven(version, shown_when_placed(version.in_bucket)) else {
        return Ok(Err("nothing proved its bytes when they came".to_owned()));
    };
    let (spelling, names) = shelf.spelling(key, &[])?;
    let standing = shelf.standing(key)?;
    let under = match &standing {
        Some(standing) if standing.sha256 == version.sha256 => Under::Same,
        Some(_) => Under::Other,
        None => Under::Nothing,
    };
    let latest = format!("{}/latest/", shelf.name());
    let latest = |path: &String| path.starts_with(&latest);
    let was_latest = there.path.as_ref().is_some_and(latest);
    let mut entries = Vec::new();
    match place((there.state, was_latest), under, version.in_bucket) {
        Ok(Place::Latest) => {
            entries = shelf.make_room(key)?;
            entries.push(Entry::Latest {
                verified,
                spelling,
                standing: standing.as_ref().map(standing_of).transpose()?,
                names,
            });
        }
        Ok(Place::History(state)) => entries.push(Entry::History {
            verified,
            spelling,
            state,
            names,
        }),
        Err(why) => return Ok(Err(why.to_owned())),
    }
    entries.extend(shown_as_before(version).map(Entry::Fact));
    Ok(Ok(entries))
}

/// What stands under the name of a lost version's key.
#[derive(Clone, Copy)]
enum Under {
    /// Nothing that a row speaks of.
    Nothing,
    /// A version with the same bytes.
    Same,
    /// One with other bytes.
    Other,
}

/// Where a lost version belongs.
#[derive(Debug, PartialEq)]
enum Place {
    /// It is the newest good one.
    Latest,
    /// It is not, or is held.
    History(State),
}

/// Where the version belongs that the other store has in this state, perhaps in `latest/`; why that is
/// left to a pull, else. Pure.
fn place(
    (state, was_latest): (State, bool),
    under: Under,
    in_bucket: InBucket,
) -> std::result::Result<Place, &'static str> {
    match (state, was_latest, under) {
        // What nobody knows, perhaps what is left of it, is moved aside.
        (State::Stored, true, Under::Nothing | Under::Same) => Ok(Place::Latest),
        // In `history/` it would be one that the bucket does not show, and pulls would leave it there.
        (State::Stored, ..) if in_bucket == InBucket::Current => Err(
            "the bucket shows it, and another version stands under its name: the next `offsite pull` fetches it",
        ),
        (state, ..) => Ok(Place::History(state)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn where_a_lost_version_belongs() {
        use InBucket::{Current, Gone};
        use Under::{Nothing, Other, Same};
        let (latest, older) = ((State::Stored, true), (State::Stored, false));
        let held = (State::Held, false);
        let history = |state| Some(Place::History(state));
        for (there, under, shown, wanted) in [
            (latest, Nothing, Current, Some(Place::Latest)),
            (latest, Nothing, Gone, Some(Place::Latest)),
            (latest, Same, Current, Some(Place::Latest)),
            (latest, Other, Current, None),
            (latest, Other, Gone, history(State::Stored)),
            (older, Nothing, Current, None),
            (older, Nothing, Gone, history(State::Stored)),
            (held, Nothing, Current, history(State::Held)),
            (held, Other, Current, history(State::Held)),
        ] {
            assert_eq!(place(there, under, shown).ok(), wanted);
        }
    }
}
