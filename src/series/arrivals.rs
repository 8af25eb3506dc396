//! When the objects of a series came, and how much they were: what rhythm and size are judged by.

use crate::object::{ObjectKey, Sha256, Timestamp, from_ms};
use jiff::SignedDuration;
use serde::{Deserialize, Serialize};

/// Objects of a series that come within so long of each other are one arrival: the packs of a
/// repository, the parts of an archive, a job that was run again at once.
pub const TOGETHER: SignedDuration = SignedDuration::from_hours(5);
/// So many arrivals of a series are remembered: a month of nights.
const KEPT: usize = 32;
/// The keys of so many of them are.
const NAMED: usize = 4;

/// Objects of a series that came together. All times are the bucket's own.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Arrival {
    /// When the first of them came, in milliseconds since 1970.
    #[serde(rename = "first")]
    first_ms: i64,
    /// When the last of them came.
    #[serde(rename = "last")]
    last_ms: i64,
    /// How many of them brought new bytes that were stored; 0 where none did.
    #[serde(rename = "n")]
    pub objects: u64,
    /// How many of those are empty.
    #[serde(rename = "empty", default, skip_serializing_if = "is_none")]
    pub empty: u64,
    /// The bytes of the largest of them: a part that is the last of an archive, or a job that was
    /// run again, changes nothing in it.
    pub largest: u64,
    /// A fingerprint of all their bytes, whatever their order: the first 8 bytes of each SHA-256,
    /// added up. It finds what an honest job repeats; it is no proof.
    #[serde(rename = "sum")]
    pub content: u64,
    /// The key of the last that came; forgotten of older arrivals.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<ObjectKey>,
}

fn is_none(count: &u64) -> bool {
    *count == 0
}

impl Arrival {
    /// When the first object came.
    pub fn first(&self) -> Timestamp {
        from_ms(self.first_ms)
    }

    /// When the last object came.
    pub fn last(&self) -> Timestamp {
        from_ms(self.last_ms)
    }

    /// Takes in what came together with it. Whatever comes first, it ends the same.
    fn merge(&mut self, other: Self) {
        if (other.last_ms, &other.key) > (self.last_ms, &self.key) {
            self.key = other.key;
        }
        self.first_ms = self.first_ms.min(other.first_ms);
        self.last_ms = self.last_ms.max(other.last_ms);
        self.objects = self.objects.saturating_add(other.objects);
        self.empty = self.empty.saturating_add(other.empty);
        self.largest = self.largest.max(other.largest);
        self.content = self.content.wrapping_add(other.content);
    }

    fn is_together_with(&self, other: &Self) -> bool {
        let most = i64::try_from(TOGETHER.as_millis()).unwrap_or(i64::MAX);
        other.first_ms <= self.last_ms.saturating_add(most)
            && self.first_ms <= other.last_ms.saturating_add(most)
    }
}

/// The newest arrivals of a series, oldest first.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Arrivals(Vec<Arrival>);

impl Arrivals {
    /// Takes in an object that the bucket got at `at`. `kept` is its size and digest where bytes
    /// were stored that its key did not have before.
    ///
    /// Objects may come in any order: those of the first nights do.
    pub fn take(&mut self, key: &ObjectKey, at: Timestamp, kept: Option<(u64, Sha256)>) {
        let at = at.as_millisecond();
        let mut new = Arrival {
            first_ms: at,
            last_ms: at,
            objects: u64::from(kept.is_some()),
            empty: kept.map_or(0, |(size, _)| u64::from(size == 0)),
            largest: kept.map_or(0, |(size, _)| size),
            content: kept.map_or(0, |(_, sha256)| short(sha256)),
            key: Some(key.clone()),
        };
        // All that is near by is of the same night: merged, it reaches no other.
        let near = self.0.extract_if(.., |old| old.is_together_with(&new));
        for old in near.collect::<Vec<_>>() {
            new.merge(old);
        }
        let place = self.0.partition_point(|old| old.first_ms < new.first_ms);
        self.0.insert(place, new);
        let too_many = self.0.len().saturating_sub(KEPT);
        self.0.drain(..too_many);
        let unnamed = self.0.len().saturating_sub(NAMED);
        for old in self.0.iter_mut().take(unnamed) {
            old.key = None;
        }
    }

    /// Oldest first.
    pub fn as_slice(&self) -> &[Arrival] {
        &self.0
    }

    /// How many arrivals there are, and the whole days that each of them went on.
    pub fn weight(&self) -> u64 {
        let days = |a: &Arrival| a.last().duration_since(a.first()).as_hours() / 24;
        let of = |a: &Arrival| 1 + u64::try_from(days(a)).unwrap_or_default();
        self.0.iter().map(of).sum()
    }

    /// The newest.
    pub fn newest(&self) -> Option<&Arrival> {
        self.0.last()
    }
}

fn short(sha256: Sha256) -> u64 {
    let Sha256(bytes) = sha256;
    let first = bytes.first_chunk::<8>();
    first.map_or(0, |first| u64::from_be_bytes(*first))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const HOUR: i64 = 3_600_000;

    fn key(name: &str) -> ObjectKey {
        ObjectKey::new(name).unwrap()
    }

    fn of(objects: &[(i64, u64)]) -> Arrivals {
        let mut arrivals = Arrivals::default();
        for (minute, size) in objects {
            let digest = Sha256([size.to_le_bytes()[0]; 32]);
            let name = key(&format!("k{minute}"));
            arrivals.take(&name, from_ms(minute * 60_000), Some((*size, digest)));
        }
        arrivals
    }

    #[test]
    fn what_comes_within_hours_is_one_arrival() {
        let night = of(&[(0, 10), (5, 0), (299, 7), (24 * 60, 9)]);
        let [first, second] = night.as_slice() else {
            panic!("{night:?}");
        };
        assert_eq!((first.objects, first.empty, first.largest), (3, 1, 10));
        assert_eq!(
            (first.first(), first.last()),
            (from_ms(0), from_ms(299 * 60_000))
        );
        assert_eq!(first.key, Some(key("k299")));
        assert_eq!((second.objects, second.largest), (1, 9));
        assert_eq!(night.newest(), Some(second));
        // One between two nights that reaches both makes them one.
        assert_eq!(of(&[(0, 1), (500, 1)]).as_slice().len(), 2);
        assert_eq!(of(&[(0, 1), (500, 1), (250, 1)]).as_slice().len(), 1);
    }

    #[test]
    fn what_brings_no_bytes_counts_as_a_sign_of_life_alone() {
        let mut arrivals = Arrivals::default();
        arrivals.take(&key("latest"), from_ms(0), None);
        arrivals.take(&key("latest"), from_ms(24 * HOUR), None);
        let of = |a: &Arrival| (a.objects, a.largest, a.content);
        let found: Vec<_> = arrivals.as_slice().iter().map(of).collect();
        assert_eq!(found, [(0, 0, 0); 2]);
    }

    #[test]
    fn a_month_of_nights_is_remembered_and_the_names_of_the_last() {
        let nights: Vec<_> = (0..100).map(|n| (n * 24 * 60, 1)).collect();
        let arrivals = of(&nights);
        assert_eq!(arrivals.as_slice().len(), 32);
        assert_eq!(arrivals.as_slice()[0].first(), from_ms(68 * 24 * HOUR));
        let named = arrivals.as_slice().iter().filter(|a| a.key.is_some());
        assert_eq!(named.count(), 4);
        let json = serde_json::to_string(&arrivals).unwrap();
        assert!(json.len() < 4_000, "{}", json.len());
        assert_eq!(serde_json::from_str::<Arrivals>(&json).unwrap(), arrivals);
    }

    proptest! {
        /// The first night brings all that the bucket ever had, in any order.
        #[test]
        fn the_order_does_not_matter(mut objects in prop::collection::vec((0i64..9_000, 0u64..9), 1..40)) {
            // Only which names are forgotten does.
            let unnamed = |objects: &[(i64, u64)]| {
                let mut all = of(objects).0;
                all.iter_mut().for_each(|a| a.key = None);
                all
            };
            let found = unnamed(&objects);
            objects.sort_unstable();
            prop_assert_eq!(&unnamed(&objects), &found);
        }
    }
}
