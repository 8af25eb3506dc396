//! The few bytes of an object by which it is judged, kept as all of them pass by.

use std::ops::Range;

/// The length of each of the three samples: of the beginning, the middle and the end.
pub const SAMPLE: u64 = 64 << 10;

/// Sees an object's bytes once, in order, and keeps those of three samples: at most 192 KiB,
/// allocated once, however large the object is. A byte outside of them costs nothing: per call
/// there are six comparisons.
///
/// Whoever resumes a download feeds it the prefix again, as the hasher gets it; where a prefix
/// proves wrong, [`Sniffer::restart`].
#[derive(Clone, Debug)]
pub struct Sniffer {
    samples: Samples,
}

/// What a [`Sniffer`] kept.
#[derive(Clone, Debug)]
pub struct Samples {
    length: u64,
    seen: u64,
    /// Ascending and disjoint, so that what is kept lies one behind the other.
    windows: [Range<u64>; 3],
    kept: Vec<u8>,
}

impl Sniffer {
    /// For an object of `length` bytes.
    pub fn new(length: u64) -> Self {
        let head = 0..length.min(SAMPLE);
        let tail = length.saturating_sub(SAMPLE).max(head.end)..length;
        let middle = (length.saturating_sub(SAMPLE) / 2)
            .max(head.end)
            .min(tail.start);
        let middle = middle..(middle + SAMPLE).min(tail.start);
        let windows = [head, middle, tail];
        let room: u64 = windows.iter().map(|w| w.end - w.start).sum();
        Self {
            samples: Samples {
                length,
                seen: 0,
                windows,
                kept: Vec::with_capacity(room as usize),
            },
        }
    }

    /// Takes the next bytes.
    pub fn feed(&mut self, bytes: &[u8]) {
        let it = &mut self.samples;
        let begin = it.seen;
        it.seen = begin.saturating_add(bytes.len() as u64);
        for window in &it.windows {
            let (from, to) = (window.start.max(begin), window.end.min(it.seen));
            if from < to {
                let wanted = bytes.get((from - begin) as usize..(to - begin) as usize);
                it.kept.extend_from_slice(wanted.unwrap_or_default());
            }
        }
    }

    /// Forgets all that came, for bytes that begin anew.
    pub fn restart(&mut self) {
        self.samples.seen = 0;
        self.samples.kept.clear();
    }

    /// What was kept.
    pub fn finish(self) -> Samples {
        self.samples
    }
}

impl Samples {
    /// The samples of bytes that are all at hand.
    pub fn of(bytes: &[u8]) -> Self {
        let mut sniffer = Sniffer::new(bytes.len() as u64);
        sniffer.feed(bytes);
        sniffer.finish()
    }

    /// How long the object is, in bytes.
    pub fn length(&self) -> u64 {
        self.length
    }

    /// The first bytes: all there are of an object of up to 64 KiB.
    pub fn head(&self) -> &[u8] {
        self.window(0..self.length.min(SAMPLE))
    }

    /// The samples that are not empty, each with its offset. They never overlap: those of an object
    /// of less than 192 KiB are shorter, and together all of it.
    pub fn windows(&self) -> impl Iterator<Item = (u64, &[u8])> {
        self.windows
            .iter()
            .map(|window| (window.start, self.window(window.clone())))
            .filter(|(_, bytes)| !bytes.is_empty())
    }

    fn window(&self, window: Range<u64>) -> &[u8] {
        let whole = self.from(window.start);
        let length = (window.end - window.start) as usize;
        whole.get(..length).unwrap_or(whole)
    }

    /// What is known from `offset` on without a gap; empty where nothing is.
    pub fn from(&self, offset: u64) -> &[u8] {
        let mut kept_before = 0;
        let mut run: Option<(u64, u64)> = None;
        for window in &self.windows {
            let length = window.end - window.start;
            run = match run {
                Some((from, to)) if window.start == offset + (to - from) => {
                    Some((from, to + length))
                }
                None if window.contains(&offset) => {
                    Some((kept_before + (offset - window.start), kept_before + length))
                }
                other => other,
            };
            kept_before += length;
        }
        let (from, to) = run.unwrap_or_default();
        let (from, to) = (from as usize, (to as usize).min(self.kept.len()));
        self.kept.get(from..to).unwrap_or_default()
    }

    /// `length` bytes from `offset` on, where all of them were kept.
    pub fn at(&self, offset: u64, length: u64) -> Option<&[u8]> {
        self.from(offset).get(..usize::try_from(length).ok()?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(length: u64) -> Vec<u8> {
        (0..length).map(|n| (n / 251 + n % 251) as u8).collect()
    }

    #[test]
    fn however_the_bytes_come_the_samples_are_the_same() {
        let k = 1 << 10;
        for length in [
            0,
            1,
            k,
            64 * k - 1,
            64 * k,
            64 * k + 1,
            100 * k,
            128 * k,
            129 * k,
        ]
        .into_iter()
        .chain([160 * k, 192 * k, 192 * k + 1, 1000 * k + 7])
        {
            let all = bytes(length);
            let expected = Samples::of(&all);
            for piece in [1 << 12, 65_537, 300_000] {
                let mut sniffer = Sniffer::new(length);
                sniffer.feed(b"a prefix that proves wrong");
                sniffer.restart();
                let room = sniffer.samples.kept.capacity();
                assert!(room <= 3 * SAMPLE as usize);
                all.chunks(piece).for_each(|piece| sniffer.feed(piece));
                let samples = sniffer.finish();
                assert_eq!(samples.kept.capacity(), room, "allocated once");
                assert!(samples.kept == expected.kept, "{length} by {piece}");
            }
            let mut covered = 0;
            for (at, window) in expected.windows() {
                let at = at as usize;
                assert!(window == &all[at..at + window.len()], "{length} at {at}");
                covered += window.len() as u64;
            }
            assert_eq!(covered, length.min(3 * SAMPLE));
            assert!(expected.head() == &all[..length.min(SAMPLE) as usize]);
        }
    }

    #[test]
    fn neighbours_are_read_as_one_and_gaps_are_not_read() {
        let all = bytes(150 << 10);
        let samples = Samples::of(&all);
        assert!(samples.at(10, 140 << 10).unwrap() == &all[10..10 + (140 << 10)]);
        assert!(samples.from(0) == all);
        let all = bytes(1 << 20);
        let samples = Samples::of(&all);
        assert_eq!(samples.from(0).len() as u64, SAMPLE);
        assert_eq!(samples.from(SAMPLE), b"");
        assert_eq!(samples.at(SAMPLE - 4, 5), None);
        assert!(samples.at((1 << 20) - 9, 9).unwrap() == &all[(1 << 20) - 9..]);
        assert_eq!(samples.from(u64::MAX), b"");
    }

    #[test]
    fn fewer_or_more_bytes_than_were_promised_do_no_harm() {
        let mut sniffer = Sniffer::new(1 << 20);
        sniffer.feed(b"short");
        let samples = sniffer.finish();
        assert_eq!(samples.head(), b"short");
        assert_eq!(samples.windows().count(), 1);
        let mut sniffer = Sniffer::new(3);
        sniffer.feed(b"long");
        sniffer.feed(b"er");
        assert_eq!(sniffer.finish().head(), b"lon");
    }
}
