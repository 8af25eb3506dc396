//! Whether an archive of several volumes is all there. Pure.
//!
//! Only names that are written once are judged: under others, volumes of several days lie side by
//! side.

use super::series::{Concern, INCOMPLETE, named, time};
use super::size::newest_whole;
use crate::object::{ObjectKey, Timestamp};
use crate::series::{Arrival, Place, TOGETHER, Volume};
use crate::write_once::is_write_once;
use std::collections::BTreeSet;

/// So many archives in a row had volumes: the next has as well.
const ALWAYS: usize = 3;

/// The archive that came last and is whole, as far as it will be, at `now`: one of its volumes, and
/// its arrival with those before it. None of what was there before the first was stored.
pub fn newest_set(
    arrivals: &[Arrival],
    stored_at: Timestamp,
    now: Timestamp,
) -> Option<(Volume, &Arrival, &[Arrival])> {
    let (newest, before) = newest_whole(arrivals, true, now).next_back()?;
    let key = newest.key.as_ref()?;
    let volume = Volume::of(key).filter(|_| is_write_once(key))?;
    (newest.first() > stored_at).then_some((volume, newest, before))
}

/// What is missing of the archive of `volume`, of which the bucket has, or had, `keys`.
pub fn missing(volume: &Volume, keys: &[ObjectKey]) -> Option<String> {
    let of = |key: &ObjectKey| Volume::of(key).filter(|other| other.is_with(volume));
    let there: BTreeSet<Place> = keys.iter().filter_map(of).map(|v| v.place).collect();
    let numbers = there.iter().filter(|place| **place != Place::Last).count() as u64;
    let gap = (1..=numbers).find(|number| !there.contains(&Place::Number(*number)));
    if let Some(number) = gap {
        return Some(format!("volume {number}"));
    }
    let last = volume.last_names();
    match numbers > 0 && !last.is_empty() && !there.contains(&Place::Last) {
        true => Some(format!("the last volume ({})", last.join(" or "))),
        false => None,
    }
}

/// Whether an archive that came as one file should have come as several: the ones `before` it all
/// did, by the arrivals of their `volumes`.
pub fn always_had(before: &[Arrival], volumes: &[Arrival]) -> bool {
    let had = |archive: &Arrival| {
        let near = |volume: &Arrival| {
            volume.first().duration_since(archive.last()) <= TOGETHER
                && archive.first().duration_since(volume.last()) <= TOGETHER
        };
        volumes.iter().any(near)
    };
    before.len() >= ALWAYS && before.iter().rev().take(ALWAYS).all(had)
}

/// What is to be said of an archive of which `missing` is missing.
pub fn incomplete(series: &str, newest: &Arrival, missing: &str) -> Option<Concern> {
    Some(Concern {
        kind: INCOMPLETE,
        key: newest.key.clone()?,
        since: newest.first(),
        what: format!("an archive is not complete: {missing} is missing beside {}", named(newest)),
        evidence: format!(
            "it came {}, the bucket never showed what is missing, and nothing of it is on its way any more. It is of the series {series}, and kept",
            time(newest.last())
        ),
        next: "most programs cannot restore from such an archive: trust the one before it, and look why the job or its upload was cut off".to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::object::{Sha256, from_ms};
    use crate::series::Arrivals;

    const HOUR: i64 = 3_600_000;

    fn keys(names: &str) -> Vec<ObjectKey> {
        names
            .split_whitespace()
            .map(|name| ObjectKey::new(name).unwrap())
            .collect()
    }

    /// (what is there, a volume) -> what is missing.
    #[test]
    fn what_is_missing() {
        for (there, of, what) in [
            ("s.j01 s.j02 s.jps", "s.j01", None),
            ("s.j01 s.jps", "s.j01", None),
            ("s.j01 s.j03 s.jps", "s.j03", Some("volume 2")),
            ("s.j02 s.jps", "s.j02", Some("volume 1")),
            (
                "s.j01 s.j02",
                "s.j01",
                Some("the last volume (s.jps or s.jpa)"),
            ),
            ("s.j01 s.jpa", "s.j01", None),
            ("s.jps", "s.jps", None),
            ("s.z01 s.z02 s.zip t.z03", "s.z01", None),
            (
                "d.vol1.x d.vol2.x d.vol10.x d.manifest",
                "d.vol1.x",
                Some("volume 3"),
            ),
            ("d.vol1.x d.vol2.x d.vol4.y", "d.vol1.x", None),
            ("a.7z.001 a.7z.002", "a.7z.002", None),
            ("a.7z.001 a.7z.003", "a.7z.003", Some("volume 2")),
        ] {
            let volume = Volume::of(&keys(of)[0]).unwrap();
            assert_eq!(missing(&volume, &keys(there)).as_deref(), what, "{there}");
        }
    }

    fn nights(days: &[i64]) -> Arrivals {
        let mut arrivals = Arrivals::default();
        for day in days {
            let key = ObjectKey::new(format!("s-{}.jps", 20_261_101 + day)).unwrap();
            arrivals.take(&key, from_ms(day * 24 * HOUR), Some((1, Sha256([1; 32]))));
        }
        arrivals
    }

    #[test]
    fn archives_that_always_had_volumes() {
        let archives = nights(&[0, 1, 2, 3]);
        let had = |days: &[i64]| always_had(archives.as_slice(), nights(days).as_slice());
        assert!(had(&[0, 1, 2, 3]) && had(&[1, 2, 3]));
        assert!(!had(&[0, 1, 3]) && !had(&[0, 1, 2]) && !had(&[]));
        assert!(!always_had(nights(&[2, 3]).as_slice(), archives.as_slice()));
    }

    /// One that may still be on its way is not looked at, nor what was there before.
    #[test]
    fn the_newest_that_is_whole() {
        let archives = nights(&[0, 1, 2]);
        let at = |stored: i64, now: i64| {
            let found = newest_set(
                archives.as_slice(),
                from_ms(stored * HOUR),
                from_ms(now * HOUR),
            );
            found.map(|(_, newest, before)| (newest.first().as_millisecond() / HOUR, before.len()))
        };
        assert_eq!(at(0, 52), Some((24, 1)));
        assert_eq!(at(0, 54), Some((48, 2)));
        assert_eq!(at(48, 54), None);
        let mut rotates = Arrivals::default();
        rotates.take(&ObjectKey::new("s.j01").unwrap(), from_ms(HOUR), None);
        assert_eq!(
            newest_set(rotates.as_slice(), from_ms(0), from_ms(99 * HOUR)),
            None
        );
    }
}
