//! What a group will do, decided before the journal speaks of it: which name each file gets, what
//! stands there and where that goes, where the lines of the sums are. Reads the drive and changes
//! nothing on it.

mod room;

use super::carry::Drive;
use super::dir::Stands;
use super::hash;
use super::names::{self, Spelling};
use super::payload::Payload;
use super::place::{Entry, Standing};
use super::sums::{self, Ends};
use super::whole::Whole;
use crate::error::{Error, Kind, Result};
use crate::object::{
    Displaced, Fact, Healed, Identity, NameClaim, ObjectKey, PlaceRecord, Record, State,
};
use std::collections::{HashMap, HashSet, VecDeque};

/// A wave's lines stay below this, so that a group fits in memory when it is read.
const LONGEST_WAVE: usize = 4 << 20;

/// What this call of `place` has done to a name, which the catalogue cannot know yet.
pub(super) enum Done {
    /// It put this there.
    Placed(Standing),
    /// It moved what stood there to this name, with its line here.
    MovedTo(String, Option<u64>),
    /// It moved a file there, with its line here.
    MovedHere(Option<u64>),
}

/// What it has done, by name.
pub(super) type Since = HashMap<String, Done>;

/// Takes as many entries off `queue` as can be done in one go, and says what they do.
///
/// A name is used once in a wave: all of a wave's links are made before all of its renames, so a
/// file that came in the same wave could not make room for the next one.
pub(super) fn wave(
    drive: &Drive,
    queue: &mut VecDeque<Entry>,
    since: &Since,
) -> Result<Vec<Record>> {
    let mut plan = Plan {
        drive,
        since,
        ends: Ends::new(&drive.dir),
        used: HashSet::new(),
        moved_away: HashMap::new(),
        records: Vec::new(),
        bytes: 0,
    };
    while let Some(entry) = queue.pop_front() {
        let names = plan.names(&entry);
        let clash = names.iter().any(|name| plan.used.contains(name));
        if clash || plan.bytes > LONGEST_WAVE {
            queue.push_front(entry);
            break;
        }
        plan.used.extend(names);
        plan.add(entry)?;
    }
    Ok(plan.records)
}

struct Plan<'a> {
    drive: &'a Drive,
    since: &'a Since,
    ends: Ends,
    /// Names that this wave gives or takes.
    used: HashSet<String>,
    /// Files that this wave moves away, so that a folder can have their name, and where to.
    moved_away: HashMap<String, String>,
    records: Vec<Record>,
    bytes: usize,
}

impl Plan<'_> {
    /// The names that `entry` gives or takes, as far as they are known before planning.
    fn names(&self, entry: &Entry) -> Vec<String> {
        let rule = self.drive.rule;
        let old = |standing: &Option<Standing>, new: &str| {
            standing
                .as_ref()
                .map(|s| s.path.clone())
                .filter(|path| path != new)
        };
        match entry {
            Entry::Latest {
                verified,
                spelling,
                standing,
                ..
            } => {
                let new = names::latest(rule, verified.key(), spelling);
                let old = old(standing, &new);
                let from = verified.staged().to_owned();
                [new, from].into_iter().chain(old).collect()
            }
            Entry::Accept {
                version,
                spelling,
                standing,
                ..
            } => {
                let new = names::latest(rule, &version.key, spelling);
                let old = old(standing, &new);
                let from = version.path.clone();
                [new, from].into_iter().chain(old).collect()
            }
            Entry::Move {
                key,
                from,
                spelling,
                ..
            } => vec![names::latest(rule, key, spelling), from.clone()],
            Entry::History { verified, .. } => vec![verified.staged().to_owned()],
            Entry::Quarantine { contradiction } => vec![contradiction.staged().to_owned()],
            Entry::Heal { whole, path, .. } => vec![whole.staged.clone(), path.clone()],
            Entry::Fact(_) => Vec::new(),
        }
    }

    fn add(&mut self, entry: Entry) -> Result<()> {
        match entry {
            Entry::Latest {
                verified,
                spelling,
                standing,
                names,
            } => {
                let payload = self.complete((&verified).into())?;
                self.latest(payload, &spelling, standing, names)
            }
            Entry::Accept {
                version,
                spelling,
                standing,
                names,
            } => {
                let payload = self.complete((&version).into())?;
                self.unrotted(&payload)?;
                self.latest(payload, &spelling, standing, names)
            }
            Entry::History {
                verified,
                spelling,
                state,
                names,
            } => {
                let payload = self.complete((&verified).into())?;
                self.history(payload, &spelling, state, names)
            }
            Entry::Quarantine { contradiction } => {
                let payload = self.complete((&contradiction).into())?;
                self.quarantine(payload)
            }
            Entry::Move {
                key,
                sha256,
                from,
                spelling,
                sums_from,
            } => {
                // Another entry of this call made the room already: `a/b` and `a/c` both ask `a`
                // to move, and a new `a` takes its escaped name at once.
                if let Some(Done::MovedTo(..)) = self.since.get(&from) {
                    return Ok(());
                }
                let to = names::latest(self.drive.rule, &key, &spelling);
                self.move_to(key, sha256, from, to, sums_from)
            }
            Entry::Heal {
                whole,
                key,
                identity,
                path,
                sums_at,
            } => self.heal(whole, (key, identity), path, sums_at),
            Entry::Fact(mut fact) => {
                if let Fact::Touch { path, .. } = &mut fact {
                    self.follow(path);
                }
                self.push(Record::Fact(fact))
            }
        }
    }

    /// Where the file of `path` is by now, if an entry before made it move.
    fn follow(&self, path: &mut String) {
        while let Some(Done::MovedTo(to, _)) = self.since.get(path) {
            path.clone_from(to);
        }
        if let Some(to) = self.moved_away.get(path) {
            path.clone_from(to);
        }
    }

    fn push(&mut self, record: Record) -> Result<()> {
        self.bytes += super::chain::line(&record)?.len();
        self.records.push(record);
        Ok(())
    }

    /// The payload, if its file is there and as long as it was when it was proven.
    fn complete(&self, payload: Payload) -> Result<Payload> {
        match self.drive.dir.bytes(&payload.from)? {
            Some(bytes) if bytes == payload.bytes => Ok(payload),
            there => Err(Error::new(
                Kind::Run,
                format!(
                    "{} of {} has {} bytes, {} were proven",
                    payload.from,
                    payload.key,
                    there.map_or_else(|| "no".to_owned(), |bytes| bytes.to_string()),
                    payload.bytes
                ),
            )
            .hint("the next run fetches it again")),
        }
    }

    /// A version that was held for a while is read again before it may stand in `latest/`.
    fn unrotted(&self, payload: &Payload) -> Result<()> {
        if hash::of_file(&self.drive.dir, &payload.from)? == payload.sha256 {
            return Ok(());
        }
        Err(Error::new(
            Kind::Damaged,
            format!("{} is not what it was when it was stored", payload.from),
        )
        .hint("it is not let into latest/; `offsite scrub` looks for more damage"))
    }

    fn latest(
        &mut self,
        payload: Payload,
        spelling: &Spelling,
        standing: Option<Standing>,
        names: Vec<NameClaim>,
    ) -> Result<()> {
        let path = names::latest(self.drive.rule, &payload.key, spelling);
        self.clear_way(&path)?;
        let standing = self.newest(standing, &path);
        let (here, elsewhere) = match standing {
            Some(standing) if standing.path == path => (Some(standing), None),
            other => (None, other),
        };
        let key = payload.key.clone();
        let displaced = self.displace(&path, &payload, spelling, here.as_ref())?;
        let sums_at = self.ends.allot(&path, here.and_then(|s| s.sums_at))?;
        let place = payload.place(path, State::Stored, self.drive.clock.now());
        self.push(Record::Place(PlaceRecord {
            displaced,
            sums_at,
            names,
            ..place
        }))?;
        // The older version stands under an older spelling of the name: `latest/` holds one.
        let Some(old) = elsewhere.filter(|old| old.path.starts_with("latest/")) else {
            return Ok(());
        };
        if self.drive.dir.bytes(&old.path)?.is_none() {
            return Ok(());
        }
        let to = self.free_history(&key, spelling, old.last_modified, old.sha256)?;
        self.move_to(key, old.sha256, old.path, to, old.sums_at)
    }

    /// What stands under a key's name, after what this call has done already.
    fn newest(&self, standing: Option<Standing>, path: &str) -> Option<Standing> {
        if let Some(Done::Placed(standing)) = self.since.get(path) {
            return Some(standing.clone());
        }
        let mut standing = standing?;
        match self.since.get(&standing.path) {
            Some(Done::MovedTo(to, line)) => {
                standing.path.clone_from(to);
                standing.sums_at = *line;
            }
            Some(Done::MovedHere(line)) => standing.sums_at = *line,
            Some(Done::Placed(_)) | None => {}
        }
        Some(standing)
    }

    /// Where the file that stands under `path` goes, if one does and it is not the same bytes.
    fn displace(
        &mut self,
        path: &str,
        payload: &Payload,
        spelling: &Spelling,
        here: Option<&Standing>,
    ) -> Result<Option<Displaced>> {
        let bytes = match self.drive.dir.stat(path)? {
            None => return Ok(None),
            Some(Stands::File { bytes, .. }) => bytes,
            Some(Stands::Folder) => return Err(self.in_the_way(path, "a folder")),
        };
        let known = here.filter(|standing| standing.bytes == bytes);
        let sha256 = match known {
            Some(standing) => standing.sha256,
            None => hash::of_file(&self.drive.dir, path)?,
        };
        if (sha256, bytes) == (payload.sha256, payload.bytes) {
            return Ok(None);
        }
        let at = known.map_or_else(|| self.drive.clock.now(), |s| s.last_modified);
        let to = self.free_history(&payload.key, spelling, at, sha256)?;
        let sums_at = match known {
            Some(_) => self.ends.allot(&to, None)?,
            None => {
                self.moved_aside(&payload.key, path, &to)?;
                None
            }
        };
        Ok(Some(Displaced {
            sums_at,
            to,
            sha256,
        }))
    }

    fn history(
        &mut self,
        payload: Payload,
        spelling: &Spelling,
        state: State,
        names: Vec<NameClaim>,
    ) -> Result<()> {
        let path = self.free_history(
            &payload.key,
            spelling,
            payload.identity.last_modified,
            payload.sha256,
        )?;
        let sums_at = self.ends.allot(&path, None)?;
        let place = payload.place(path, state, self.drive.clock.now());
        self.push(Record::Place(PlaceRecord {
            sums_at,
            names,
            ..place
        }))
    }

    fn quarantine(&mut self, payload: Payload) -> Result<()> {
        let rule = self.drive.rule;
        let (key, at) = (&payload.key, payload.identity.last_modified);
        let plain = Spelling::default();
        let short = names::quarantine(rule, key, &plain, at, &payload.sha256);
        let long = names::quarantine_long(rule, key, &plain, at, &payload.sha256);
        let path = self.free(short, long, Some((payload.sha256, payload.bytes)))?;
        let place = payload.place(path, State::Quarantined, self.drive.clock.now());
        self.push(Record::Place(place))
    }

    fn heal(
        &mut self,
        whole: Whole,
        (key, identity): (ObjectKey, Identity),
        path: String,
        sums_at: Option<u64>,
    ) -> Result<()> {
        let aside = match self.drive.dir.stat(&path)? {
            None => None,
            Some(Stands::Folder) => return Err(self.in_the_way(&path, "a folder")),
            Some(Stands::File { .. }) => {
                let (rule, plain) = (self.drive.rule, Spelling::default());
                let (at, sha256) = (identity.last_modified, &whole.sha256);
                let short = names::quarantine(rule, &key, &plain, at, sha256);
                let long = names::quarantine_long(rule, &key, &plain, at, sha256);
                Some(self.free(short, long, None)?)
            }
        };
        self.clear_way(&path)?;
        let sums_at = match sums_at {
            Some(at) if sums::lists(&self.drive.dir, &path, at)? => Some(at),
            Some(_) => None,
            // It was moved aside as one that nobody vouched for.
            None => self.ends.allot(&path, None)?,
        };
        self.push(Record::Heal(Healed {
            key,
            identity,
            sha256: whole.sha256,
            bytes: whole.bytes,
            from: whole.staged,
            sums_at,
            path,
            aside,
            at: self.drive.clock.now(),
        }))
    }
}
