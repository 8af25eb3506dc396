//! What must be safe before what. Each rule looks at a trace and names what it found unsafe.
//!
//! A thing is *safe* at a moment when a sync of it began after its last change ended, and ended
//! before that moment.

use crate::support::trace::{Call, Event};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// The trace of one run over the store at `store`, with what its areas held before.
pub(crate) struct Trace {
    pub(crate) store: PathBuf,
    pub(crate) source: PathBuf,
    pub(crate) before: BTreeSet<PathBuf>,
    pub(crate) events: Vec<Event>,
}

/// A rename, a link or a new folder below an area; `from` where something left another name.
struct Naming<'a> {
    event: &'a Event,
    from: Option<&'a Path>,
    to: &'a Path,
}

impl Trace {
    /// Everything that the promises ask of the order. Answers with what broke them.
    pub(crate) fn broken(&self) -> Vec<String> {
        let mut broken = Vec::new();
        for naming in self.namings() {
            broken.extend(self.journal_first(&naming));
            broken.extend(self.payload_first(&naming));
            broken.extend(self.room_first(&naming));
            broken.extend(self.named_before_the_catalogue(&naming));
        }
        for event in &self.events {
            broken.extend(self.written_before_the_catalogue(event));
            broken.extend(self.nothing_stored_is_rewritten(event));
            broken.extend(self.watermark_after_its_bytes(event));
        }
        broken
    }

    /// The journal's last line before `naming` is safe, its file's name too.
    fn journal_first(&self, naming: &Naming<'_>) -> Option<String> {
        let Some(line) = self.journal_line_before(naming.event) else {
            return Some(format!("{naming}: the journal does not speak of it"));
        };
        let Call::Write(journal) = &line.call else {
            return None;
        };
        self.unsafe_bytes(journal, naming.event)
            .or_else(|| self.unsafe_name(journal, naming.event))
            .map(|why| format!("{naming}: {why}"))
    }

    /// What comes from `incoming/` is safe before the journal speaks of it; a copy that makes
    /// room, which the journal has spoken of already, before it gets its name.
    fn payload_first(&self, naming: &Naming<'_>) -> Option<String> {
        let from = naming.from.filter(|from| self.is_in(from, &["incoming"]))?;
        let moment = match from.extension() {
            Some(copy) if copy == "copy" => naming.event,
            _ => self.journal_line_before(naming.event)?,
        };
        let name = (moment != naming.event).then(|| self.unsafe_name(from, moment));
        self.unsafe_bytes(from, moment)
            .or(name.flatten())
            .map(|why| format!("{naming}: {why}"))
    }

    /// What stood under a name has another one, safe, before a newcomer takes the name.
    fn room_first(&self, naming: &Naming<'_>) -> Option<String> {
        let to = naming.to;
        if !matches!(naming.event.call, Call::Rename { .. }) || !self.stood(to, naming.event) {
            return None;
        }
        let Some(second) = self.second_name(to, naming.event) else {
            return Some(format!("{naming}: what stood there has no other name"));
        };
        self.unsafe_name(&second, naming.event)
            .map(|why| format!("{naming}: what stood there: {why}"))
    }

    /// Both names are safe before the catalogue speaks of the new one.
    fn named_before_the_catalogue(&self, naming: &Naming<'_>) -> Option<String> {
        let Some(commit) = self.commit_after(naming.event) else {
            return Some(format!("{naming}: the catalogue does not speak of it"));
        };
        let old = naming
            .from
            .filter(|_| matches!(naming.event.call, Call::Rename { .. }));
        let old = old.and_then(|from| self.unsafe_change(from, naming.event, commit));
        self.unsafe_name(naming.to, commit)
            .or(old)
            .map(|why| format!("{naming}: {why}, and the catalogue speaks of it"))
    }

    /// Sums, notes and the journal are safe before the catalogue speaks of anything.
    fn written_before_the_catalogue(&self, event: &Event) -> Option<String> {
        let Call::Write(file) = &event.call else {
            return None;
        };
        if !file.starts_with(&self.source) || self.is_in(file, &["incoming"]) {
            return None;
        }
        let Some(commit) = self.commit_after(event) else {
            return Some(format!("{}: no commit after it", file.display()));
        };
        self.unsafe_bytes(file, commit)
            .or_else(|| self.unsafe_name(file, commit))
            .map(|why| format!("{why}, and the catalogue speaks of it"))
    }

    /// Promise P2: no file in `latest/` or `history/` is ever opened to be written.
    fn nothing_stored_is_rewritten(&self, event: &Event) -> Option<String> {
        let (Call::Open { path, .. } | Call::Write(path) | Call::Remove(path)) = &event.call else {
            return None;
        };
        self.is_in(path, &["latest", "history"])
            .then(|| format!("{} was opened, written or removed", path.display()))
    }

    /// A watermark is written after the bytes it vouches for are safe, and is itself whole.
    fn watermark_after_its_bytes(&self, event: &Event) -> Option<String> {
        let Call::Rename { from, to } = &event.call else {
            return None;
        };
        if to.extension()? != "mark" {
            return None;
        }
        let written = self.last(event, |call| *call == Call::Write(from.clone()))?;
        self.unsafe_bytes(&to.with_extension(""), written)
            .or_else(|| self.unsafe_bytes(from, event))
    }

    /// Every name that was given below the areas.
    fn namings(&self) -> Vec<Naming<'_>> {
        let all = self.events.iter().filter_map(Naming::of);
        all.filter(|naming| self.is_in(naming.to, &["latest", "history", "quarantine"]))
            .collect()
    }

    /// How many renames into an area there were, those from `incoming/` and within `latest/`.
    pub(crate) fn renames_into(&self, area: &str) -> usize {
        let all = self.namings();
        let renames = all.iter().filter(|naming| {
            matches!(naming.event.call, Call::Rename { .. }) && self.is_in(naming.to, &[area])
        });
        renames.count()
    }

    pub(crate) fn count(&self, wanted: impl Fn(&Call) -> bool) -> usize {
        self.events.iter().filter(|e| wanted(&e.call)).count()
    }

    /// Whether the first `change` is followed by a sync of `path`, and only then by a line in
    /// the journal.
    pub(crate) fn is_safe_before_the_next_line(&self, change: &Call, path: &Path) -> bool {
        let mut events = self.events.iter();
        let Some(change) = events.find(|event| event.call == *change) else {
            return false;
        };
        let line = events.find(|event| match &event.call {
            Call::Write(path) => self.is_in(path, &["journal"]),
            _ => false,
        });
        line.is_some_and(|line| self.synced(path, change, line))
    }

    /// Why the bytes of `file` are not safe at `moment`.
    fn unsafe_bytes(&self, file: &Path, moment: &Event) -> Option<String> {
        let write = self.last(moment, |call| match call {
            Call::Write(path) => path == file,
            _ => false,
        })?;
        let synced = self.synced(file, write, moment);
        (!synced).then(|| format!("the bytes of {} are not synced", file.display()))
    }

    /// Why the name `path`, or that of a folder it lies in, is not safe at `moment`.
    fn unsafe_name(&self, path: &Path, moment: &Event) -> Option<String> {
        let below = |path: &&Path| path.starts_with(&self.store) && *path != self.store;
        path.ancestors().take_while(below).find_map(|path| {
            let named = self.last(moment, |call| match call {
                Call::Open { path: to, create } => *create && to == path,
                Call::Rename { to, .. } | Call::Link { to, .. } | Call::MakeFolder(to) => {
                    to == path
                }
                _ => false,
            })?;
            self.unsafe_change(path, named, moment)
        })
    }

    /// Why the folder of `path` is not safe at `moment`, after `change` of it.
    fn unsafe_change(&self, path: &Path, change: &Event, moment: &Event) -> Option<String> {
        let synced = self.synced(path.parent()?, change, moment);
        (!synced).then(|| format!("the folder of {} is not synced", path.display()))
    }

    /// Whether `path` was synced between two events.
    fn synced(&self, path: &Path, after: &Event, before: &Event) -> bool {
        self.events.iter().any(|event| {
            let between = event.begin > after.end && event.end < before.begin;
            between
                && match &event.call {
                    Call::Sync(one) => one == path,
                    Call::SyncAll(by) => by.starts_with(&self.store),
                    _ => false,
                }
        })
    }

    /// The last event that ended before `moment` and is wanted.
    fn last(&self, moment: &Event, wanted: impl Fn(&Call) -> bool) -> Option<&Event> {
        let before = self.events.iter().filter(|e| e.end < moment.begin);
        before.filter(|e| wanted(&e.call)).max_by_key(|e| e.end)
    }

    fn journal_line_before(&self, moment: &Event) -> Option<&Event> {
        self.last(moment, |call| match call {
            Call::Write(path) => self.is_in(path, &["journal"]),
            _ => false,
        })
    }

    /// The first write to the catalogue, or to its log or journal, after `event`.
    fn commit_after(&self, event: &Event) -> Option<&Event> {
        let after = self.events.iter().filter(|e| e.begin > event.end);
        after.into_iter().find(|e| match &e.call {
            Call::Write(path) => {
                let name = path.strip_prefix(&self.store).ok().and_then(Path::to_str);
                let names = ["catalogue.db", "catalogue.db-wal", "catalogue.db-journal"];
                name.is_some_and(|name| names.contains(&name))
            }
            _ => false,
        })
    }

    /// Whether a file stood under `path` before `moment`.
    fn stood(&self, path: &Path, moment: &Event) -> bool {
        let given = |call: &Call| matches!(call, Call::Rename { to, .. } if to == path);
        self.before.contains(path) || self.last(moment, given).is_some()
    }

    /// The name in `history/` that the file under `path` got before `moment`: by a link, or, for
    /// its copy, by a rename.
    fn second_name(&self, path: &Path, moment: &Event) -> Option<PathBuf> {
        let linked = self.last(moment, |call| {
            matches!(call, Call::Link { from, to } if from == path && self.is_in(to, &["history"]))
        });
        // A copy's name is that of its key: `history/<key>/%v…`.
        let key = path.strip_prefix(self.source.join("latest")).ok()?;
        let folder = self.source.join("history").join(key);
        let copied = self.last(moment, |call| match call {
            Call::Rename { to, .. } => to.parent() == Some(&folder),
            _ => false,
        });
        match &linked.or(copied)?.call {
            Call::Link { to, .. } | Call::Rename { to, .. } => Some(to.clone()),
            _ => None,
        }
    }

    fn is_in(&self, path: &Path, areas: &[&str]) -> bool {
        areas
            .iter()
            .any(|area| path.starts_with(self.source.join(area)))
    }
}

impl<'a> Naming<'a> {
    fn of(event: &'a Event) -> Option<Self> {
        let (from, to) = match &event.call {
            Call::Rename { from, to } | Call::Link { from, to } => (Some(from.as_path()), to),
            Call::MakeFolder(to) => (None, to),
            _ => return None,
        };
        Some(Self { event, from, to })
    }
}

impl std::fmt::Display for Naming<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "line {}: {}", self.event.begin + 1, self.to.display())
    }
}
