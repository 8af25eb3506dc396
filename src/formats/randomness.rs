//! Whether bytes look like what a good cipher makes: each value as often as any other.
//!
//! The test is Pearson's chi-square over the 256 values of a byte: with `n` bytes each value is
//! expected `n / 256` times, and the squared deviations, each divided by that, are added up. For
//! random bytes the sum follows the chi-square law with 255 degrees of freedom: its mean is 255, its
//! standard deviation 22.6.
//!
//! # How often it is wrong
//!
//! By the incomplete gamma function, random bytes have a sum above [`MOST`] once in 2.3 × 10^10
//! samples, and one below [`LEAST`] once in 2.2 × 10^9. An object has up to four such sums (three
//! samples, and all of them together), so a false alarm comes once in about 5 × 10^8 objects: a
//! million honest backups raise 0.002 of them in expectation. For the shortest samples ([`ENOUGH`])
//! the law is an approximation; among six million simulated ones (at probabilities down to 10^-6)
//! its tails were right within a factor of two.
//!
//! # What it sees, and what it cannot see
//!
//! Bytes whose values are distributed as `p` add about `256 n × Σ (p - 1/256)²` to the mean. Text, dumps,
//! machine code, base64 and zeros exceed [`MOST`] by factors of ten to thousands in 4 KiB already.
//!
//! Compressed bytes are nearly random. Measured with forty-eight times three samples of archives
//! of sources, documentation, programs and Python modules, their headers cut off: `lz4` and
//! `zstd` were seen 48 times, `zstd -19` and `gzip` 46, `bzip2` 45, `gzip -9` 43, and `xz` 7 times. So a
//! readable archive that was packed by xz, or encrypted by a cipher that is worth nothing, passes
//! this test. Where a compressed format's own header is still there, it is looked for (see
//! [`judge`](super::judge())).

/// Fewer bytes are not judged: with 4 KiB each value is expected sixteen times.
pub const ENOUGH: usize = 4096;

/// A sum above this is not random: probability 4.3 × 10^-11.
pub const MOST: f64 = 430.0;

/// A sum below this is not random either, but made to look so (a counter): probability
/// 4.5 × 10^-10.
pub const LEAST: f64 = 140.0;

/// What the test of an object's samples found.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Randomness {
    /// Nothing in them rejects that they are random.
    Holds,
    /// The bytes that should be random are not: `chi_square` is the sum that gave it away, in the
    /// sample at offset `at`, or in all of them together.
    Fails {
        /// Where the sample begins; `None` where it is all of them.
        at: Option<u64>,
        /// The sum; infinite where the bytes are not even of the alphabet that they claim.
        chi_square: f64,
    },
    /// There were fewer than [`ENOUGH`] bytes that had to be random.
    NotJudged,
}

/// How often each value came.
#[derive(Clone, Debug)]
pub(super) struct Tally {
    counts: [u32; 256],
    bytes: usize,
}

impl Tally {
    pub(super) fn new() -> Self {
        Self {
            counts: [0; 256],
            bytes: 0,
        }
    }

    pub(super) fn add(&mut self, bytes: &[u8]) {
        for byte in bytes {
            if let Some(count) = self.counts.get_mut(usize::from(*byte)) {
                *count += 1;
            }
        }
        self.bytes += bytes.len();
    }

    /// The sum, where there are enough bytes for it to mean something.
    pub(super) fn chi_square(&self) -> Option<f64> {
        let expected = self.bytes as f64 / 256.0;
        let deviation = |count: &u32| (f64::from(*count) - expected).powi(2) / expected;
        (self.bytes >= ENOUGH).then(|| self.counts.iter().map(deviation).sum())
    }
}

/// Judges each of the samples by itself, and all of them as one.
pub(super) fn of<'a>(
    samples: impl IntoIterator<Item = (u64, std::borrow::Cow<'a, [u8]>)>,
) -> Randomness {
    let mut all = Tally::new();
    let mut found = Randomness::NotJudged;
    let fails = |sum: f64| !(LEAST..=MOST).contains(&sum);
    for (at, bytes) in samples {
        let mut one = Tally::new();
        one.add(&bytes);
        all.add(&bytes);
        match one.chi_square() {
            Some(chi_square) if fails(chi_square) => {
                let at = Some(at);
                return Randomness::Fails { at, chi_square };
            }
            Some(_) => found = Randomness::Holds,
            None => {}
        }
    }
    match all.chi_square() {
        Some(chi_square) if fails(chi_square) => Randomness::Fails {
            at: None,
            chi_square,
        },
        Some(_) => Randomness::Holds,
        None => found,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::borrow::Cow;

    fn one(bytes: &[u8]) -> Randomness {
        of([(7, Cow::Borrowed(bytes))])
    }

    /// The sum by hand: 4,096 bytes of one value are 255 × 16 + (4096 - 16)² / 16.
    #[test]
    fn the_sum_is_pearsons() {
        let mut tally = Tally::new();
        tally.add(&[9; 4096]);
        let sum = tally.chi_square().unwrap();
        assert!((sum - (255.0 * 16.0 + 4080.0_f64.powi(2) / 16.0)).abs() < 1e-6);
        let mut tally = Tally::new();
        tally.add(&[9; 4095]);
        assert_eq!(tally.chi_square(), None);
    }

    #[test]
    fn what_is_too_even_is_not_random_either() {
        let counter: Vec<u8> = (0..65_536_u32).map(|n| n as u8).collect();
        let expected = Randomness::Fails {
            at: Some(7),
            chi_square: 0.0,
        };
        assert_eq!(one(&counter), expected);
        assert_eq!(one(&counter[..4095]), Randomness::NotJudged);
    }

    /// A bias too small for each sample is seen in all of them.
    #[test]
    fn three_samples_see_more_than_one() {
        let mut rng = fastrand::Rng::with_seed(5);
        let mut sample = || -> Vec<u8> {
            // One byte in a hundred is less than sixteen.
            let biased = |rng: &mut fastrand::Rng| match rng.u16(..) < 660 {
                true => rng.u8(..16),
                false => rng.u8(..),
            };
            (0..65_536).map(|_| biased(&mut rng)).collect()
        };
        let samples = [sample(), sample(), sample()];
        for sample in &samples {
            assert_eq!(one(sample), Randomness::Holds);
        }
        let all = of(samples.iter().map(|s| (0, Cow::Borrowed(&s[..]))));
        assert!(matches!(all, Randomness::Fails { at: None, .. }), "{all:?}");
    }
}
