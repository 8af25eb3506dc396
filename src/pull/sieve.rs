//! Remembers, in memory that never grows, which keys a listing may have shown.

use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::{AtomicU64, Ordering};

/// 64 KiB of bits.
const WORDS: usize = 8192;

/// A set of keys that forgets none and may think it has some that it has not: whoever asks makes
/// sure elsewhere.
pub(super) struct Sieve {
    bits: Box<[AtomicU64]>,
    // Nobody who writes keys knows which of them fall together.
    seed: RandomState,
}

impl Default for Sieve {
    fn default() -> Self {
        Self {
            bits: (0..WORDS).map(|_| AtomicU64::default()).collect(),
            seed: RandomState::new(),
        }
    }
}

impl Sieve {
    /// Takes a key in.
    pub(super) fn add(&self, key: &str) {
        let (word, bit) = self.place(key);
        if let Some(word) = self.bits.get(word) {
            word.fetch_or(bit, Ordering::Relaxed);
        }
    }

    /// Whether `key` may have been taken in; if not, it was not.
    pub(super) fn may_have(&self, key: &str) -> bool {
        let (word, bit) = self.place(key);
        let word = self.bits.get(word);
        word.is_some_and(|word| word.load(Ordering::Relaxed) & bit != 0)
    }

    fn place(&self, key: &str) -> (usize, u64) {
        let hash = self.seed.hash_one(key);
        let word = usize::try_from(hash >> 6).unwrap_or(0) % WORDS;
        (word, 1 << (hash & 63))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_forgets_none_and_lets_few_others_through() {
        let sieve = Sieve::default();
        for n in 0..1000 {
            sieve.add(&format!("in {n}"));
        }
        assert!((0..1000).all(|n| sieve.may_have(&format!("in {n}"))));
        // One in 524 each, so about 38 of 20,000; 200 would be 26 standard deviations more.
        let wrong = (0..20_000).filter(|n| sieve.may_have(&format!("out {n}")));
        assert!(wrong.count() < 200);
    }
}
