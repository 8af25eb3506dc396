//! Which series a rehearsal takes next.

use super::set::beside_config;
use crate::catalogue::{Catalogue, SeriesRow};
use crate::error::Result;
use crate::object::{ObjectKey, SourceName, Timestamp};
use crate::series::{Place, Series, Volume};
use std::collections::BTreeMap;

/// Series are read by so many.
const PAGE: u32 = 500;

/// A series that can be rehearsed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Turn {
    /// Its source.
    pub source: SourceName,
    /// Its name.
    pub series: String,
    /// Whether the owner has a command for it.
    pub command: bool,
    /// When it was rehearsed last.
    pub last: Option<Timestamp>,
}

/// The next turns: those never rehearsed first, then the one that was longest ago; at most `most`
/// with a command, and as many without. Memory holds no more.
///
/// Series with a command and series without take turns: those that the owner gave a command are not
/// kept waiting by a bucket of ten thousand single files, nor these by them.
#[derive(Clone, Debug)]
pub struct Turns {
    most: usize,
    with: Vec<Turn>,
    without: Vec<Turn>,
    /// The newest rehearsal of one with a command, and of one without.
    newest: [Option<Timestamp>; 2],
}

impl Turns {
    /// Nobody's turn yet.
    pub fn new(most: usize) -> Self {
        Self {
            most,
            with: Vec::new(),
            without: Vec::new(),
            newest: [None; 2],
        }
    }

    /// One more that wants a turn.
    pub fn take(&mut self, turn: Turn) {
        let [newest, other] = &mut self.newest;
        let (line, newest) = match turn.command {
            true => (&mut self.with, newest),
            false => (&mut self.without, other),
        };
        *newest = turn.last.max(*newest);
        line.push(turn);
        if line.len() > 2 * self.most {
            sort(line, self.most);
        }
    }

    /// All of them, the next one first.
    pub fn in_order(mut self) -> Vec<Turn> {
        sort(&mut self.with, self.most);
        sort(&mut self.without, self.most);
        let [with, without] = self.newest;
        let (first, second) = match with <= without {
            true => (self.with, self.without),
            false => (self.without, self.with),
        };
        first.into_iter().chain(second).collect()
    }
}

fn sort(line: &mut Vec<Turn>, most: usize) {
    line.sort_by(|a, b| {
        let of = |turn: &Turn| (turn.last, turn.source.clone(), turn.series.clone());
        of(a).cmp(&of(b))
    });
    line.truncate(most);
}

/// Hands those series of `source` to `turns` that are `wanted`, which says whether they have a command.
///
/// The volumes of an archive are rehearsed with their last, the `config` of a repository with the
/// rest of it: they have no turn of their own, unless they are called by their name, `exact`.
pub fn series_of(
    catalogue: &Catalogue,
    source: &SourceName,
    exact: Option<&str>,
    wanted: &mut dyn FnMut(&str) -> Option<bool>,
    turns: &mut Turns,
) -> Result<()> {
    let drills = catalogue.drills(source)?.into_iter();
    let last: BTreeMap<_, _> = drills.map(|d| (d.newest.series, d.newest.at)).collect();
    let mut after = String::new();
    loop {
        let page = catalogue.all_series(source, 0, &after, PAGE)?;
        let Some(end) = page.last() else {
            return Ok(());
        };
        after.clone_from(&end.name);
        for row in page {
            let Some(command) = wanted(&row.name) else {
                continue;
            };
            if exact != Some(row.name.as_str()) && is_part(catalogue, source, &row)? {
                continue;
            }
            turns.take(Turn {
                source: source.clone(),
                command,
                last: last.get(&row.name).copied(),
                series: row.name,
            });
        }
    }
}

/// Whether another series has the same sets.
fn is_part(catalogue: &Catalogue, source: &SourceName, row: &SeriesRow) -> Result<bool> {
    let mut wholes = Vec::new();
    let named = ObjectKey::new(row.name.clone()).ok();
    wholes.extend(named.and_then(|key| beside_config(&key)));
    let newest = row.arrivals.newest().and_then(|a| a.key.as_ref());
    let volume = newest.and_then(Volume::of);
    if let Some(volume) = volume.filter(|volume| volume.place != Place::Last) {
        let names = volume.last_names().into_iter();
        wholes.extend(names.filter_map(|name| ObjectKey::new(name).ok()));
    }
    for key in wholes {
        if catalogue.series(source, &Series::of(&key))?.is_some() {
            return Ok(true);
        }
    }
    Ok(false)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::object::from_ms;

    fn order(all: &[(&str, bool, Option<i64>)], most: usize) -> Vec<String> {
        let mut turns = Turns::new(most);
        for (series, command, last) in all {
            turns.take(Turn {
                source: SourceName::new("www").unwrap(),
                series: (*series).to_owned(),
                command: *command,
                last: last.map(from_ms),
            });
        }
        let turns = turns.in_order().into_iter();
        turns.map(|turn| turn.series).collect()
    }

    #[test]
    fn never_rehearsed_then_longest_ago() {
        for (all, wanted) in [
            (&[][..], &[][..]),
            (&[("b", false, None), ("a", false, None)], &["a", "b"]),
            (
                &[
                    ("a", true, Some(3)),
                    ("b", true, Some(1)),
                    ("c", true, None),
                ],
                &["c", "b", "a"],
            ),
            // Those with a command first, then the others, then those again.
            (&[("a", false, None), ("z", true, None)], &["z", "a"]),
            (
                &[("a", false, None), ("y", true, None), ("z", true, Some(1))],
                &["a", "y", "z"],
            ),
            (
                &[
                    ("a", false, Some(2)),
                    ("b", false, None),
                    ("z", true, Some(1)),
                ],
                &["z", "b", "a"],
            ),
        ] {
            assert_eq!(order(all, 9), wanted);
        }
    }

    /// Whatever the order in which they come, and however many: all get their turns.
    #[test]
    fn nobody_waits_for_ever() {
        let names: Vec<String> = (0..40).map(|n| format!("s{n:02}")).collect();
        let mut last: Vec<Option<i64>> = vec![None; names.len()];
        for run in 0..80 {
            let all: Vec<_> = (0..names.len())
                .map(|n| (names[n].as_str(), n < 3, last[n]))
                .collect();
            let next = order(&all, 1)[0].clone();
            let at = names.iter().position(|name| *name == next).unwrap();
            last[at] = Some(run);
        }
        assert!(last.iter().all(Option::is_some), "{last:?}");
        // One of the three with a command each other time.
        assert!(last[..3].iter().all(|at| at.unwrap() > 70), "{last:?}");
    }

    #[test]
    fn memory_holds_no_more_than_asked_for() {
        let all: Vec<_> = (0..1000)
            .map(|n| ("s", n % 2 == 0, Some(1000 - n)))
            .collect();
        assert_eq!(order(&all, 3).len(), 6);
    }
}
