//! Objects that were uploaded in parts: their ETag is made of the parts' MD5s, and a composite
//! checksum of the parts' checksums. Whoever knows where the parts end can make both again.
//!
//! The ETag is the MD5 of the parts' MD5s (16 bytes each, one after the other) in hexadecimal,
//! `-`, and their number; a composite checksum is the same with its own algorithm, in base64
//! (Amazon S3 User Guide, "Checking object integrity", and what every server tried here does).

use super::evidence::{Algorithm, Checksum, Evidence};
use super::running::Running;
use data_encoding::{BASE64, HEXLOWER};

const MIB: u64 = 1 << 20;
const MB: u64 = 1_000_000;

/// Part sizes in bytes that uploaders are known to use when they are not told another: 5 MiB rclone,
/// s5cmd's and other SDKs' least; 8 MiB aws-cli, boto3, s3sync; 10 MiB s3fs; 15 MiB s3cmd; 16 MiB restic
/// and minio-go; 50 MiB s5cmd; 64 and 128 MiB mc, Hadoop; the rest round numbers that people choose.
const COMMON: [u64; 27] = [
    5 * MIB,
    6 * MIB,
    8 * MIB,
    10 * MIB,
    15 * MIB,
    16 * MIB,
    20 * MIB,
    24 * MIB,
    25 * MIB,
    30 * MIB,
    32 * MIB,
    40 * MIB,
    48 * MIB,
    50 * MIB,
    64 * MIB,
    80 * MIB,
    96 * MIB,
    100 * MIB,
    128 * MIB,
    200 * MIB,
    256 * MIB,
    500 * MIB,
    512 * MIB,
    1024 * MIB,
    2048 * MIB,
    4096 * MIB,
    5120 * MIB,
];
const COMMON_DECIMAL: [u64; 7] = [5 * MB, 8 * MB, 10 * MB, 16 * MB, 25 * MB, 50 * MB, 100 * MB];

/// Where the parts of an object end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Layout {
    /// Every part has this many bytes; the last has what is left.
    Even(u64),
    /// The parts' sizes in bytes, in order.
    Uneven(Vec<u64>),
}

impl Layout {
    /// The size in bytes of part `number`, counted from 0; nothing where it has no end: past an
    /// uneven layout's, and for parts of no size.
    fn part(&self, number: usize) -> Option<u64> {
        match self {
            // Parts of nothing would never come to an end.
            Self::Even(size) => Some(*size).filter(|size| *size > 0),
            Self::Uneven(sizes) => sizes.get(number).copied(),
        }
    }
}

/// What is known of where an object's parts end.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Cut {
    /// Nothing, or the object was uploaded in one piece.
    #[default]
    Unknown,
    /// One of these may be it: what makes the ETag is right, and where none does, none was.
    Maybe(Vec<Layout>),
    /// The bucket said so.
    Told(Layout),
}

impl Cut {
    /// The layouts with which uploaders would have made `parts` parts of `size` bytes.
    pub fn guess(size: u64, parts: u32) -> Self {
        let parts = u64::from(parts);
        if parts == 1 {
            return Self::Told(Layout::Even(size.max(1)));
        }
        let fits = |part: &u64| size.div_ceil(*part) == parts;
        let common = COMMON.into_iter().chain(COMMON_DECIMAL);
        let layouts: Vec<Layout> = common.filter(fits).map(Layout::Even).collect();
        match layouts.is_empty() {
            true => Self::Unknown,
            false => Self::Maybe(layouts),
        }
    }

    /// What the size of the first part tells of an object of `size` bytes in `parts` parts: that
    /// all are like it, where that comes to their number.
    pub fn from_first(size: u64, parts: u32, first: u64) -> Option<Self> {
        let even = first > 0 && first <= size && size.div_ceil(first) == u64::from(parts);
        even.then_some(Self::Told(Layout::Even(first)))
    }

    pub(super) fn layouts(&self) -> &[Layout] {
        match self {
            Self::Unknown => &[],
            Self::Maybe(layouts) => layouts,
            Self::Told(layout) => std::slice::from_ref(layout),
        }
    }
}

/// What an object's ETag and composite checksums are if its parts lie so.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PartDigests {
    /// The ETag, where it was asked for.
    pub etag: Option<String>,
    /// The composite checksums that were asked for, base64 without the number of parts.
    pub checksums: Vec<(Algorithm, String)>,
}

impl PartDigests {
    /// Whether they make this composite checksum. Some servers leave its `-N` out.
    pub(super) fn makes(&self, checksum: &Checksum) -> bool {
        let value = checksum.value.split('-').next();
        let mut ours = self.checksums.iter();
        ours.any(|(algorithm, ours)| {
            *algorithm == checksum.algorithm && Some(ours.as_str()) == value
        })
    }

    /// Whether they make this ETag.
    pub(super) fn has_etag(&self, etag: &str) -> bool {
        let mut ours = self.etag.iter();
        ours.any(|ours| ours.eq_ignore_ascii_case(etag))
    }
}

/// Computes one of [`PartDigests`] for one layout as the bytes pass by.
#[derive(Clone)]
pub(super) struct PartHasher {
    /// Which of the layouts that may be it.
    way: usize,
    layout: Layout,
    number: usize,
    /// Bytes that the part under way still lacks; none past an uneven layout's end.
    left: Option<u64>,
    /// Whether the part under way has begun.
    begun: bool,
    made: Made,
    part: Running,
    all: Running,
}

/// What is made of the parts.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Made {
    Etag,
    Checksum(Algorithm),
}

impl Made {
    fn digest(self) -> Running {
        match self {
            Self::Etag => Running::md5(),
            Self::Checksum(algorithm) => Running::new(algorithm),
        }
    }
}

impl PartHasher {
    /// For each layout that `evidence` may be made of, a hasher for all that it promises of parts.
    pub(super) fn all(evidence: &Evidence) -> Vec<Self> {
        let etag = evidence.etag_parts().map(|_| Made::Etag);
        let composite = evidence.checksums.iter().filter(|c| !c.full_object);
        let composite = composite.map(|checksum| Made::Checksum(checksum.algorithm));
        let made: Vec<Made> = etag.into_iter().chain(composite).collect();
        let layouts = evidence.cut.layouts().iter().enumerate();
        layouts
            .flat_map(|(way, layout)| made.iter().map(move |made| Self::new(way, layout, *made)))
            .collect()
    }

    fn new(way: usize, layout: &Layout, made: Made) -> Self {
        Self {
            way,
            left: layout.part(0),
            layout: layout.clone(),
            number: 0,
            begun: false,
            made,
            part: made.digest(),
            all: made.digest(),
        }
    }

    /// Whether it takes next to no time.
    pub(super) fn is_quick(&self) -> bool {
        matches!(self.part, Running::Crc(..))
    }

    pub(super) fn update(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            if self.left == Some(0) {
                self.end_part();
            }
            let room = self.left.unwrap_or(u64::MAX);
            let here = usize::try_from(room).unwrap_or(usize::MAX).min(bytes.len());
            let (now, later) = bytes.split_at(here);
            self.part.update(now);
            self.begun = true;
            self.left = self.left.map(|left| left.saturating_sub(here as u64));
            bytes = later;
        }
    }

    fn end_part(&mut self) {
        let ended = std::mem::replace(&mut self.part, self.made.digest());
        self.all.update(&ended.finish());
        self.number += 1;
        self.left = self.layout.part(self.number);
        self.begun = false;
    }

    /// What they have made, layout by layout.
    pub(super) fn finish_all(hashers: Vec<Self>) -> Vec<PartDigests> {
        let mut found: Vec<PartDigests> = Vec::new();
        let mut last = None;
        for hasher in hashers {
            if last.replace(hasher.way) != Some(hasher.way) {
                found.push(PartDigests::default());
            }
            if let Some(digests) = found.last_mut() {
                hasher.finish(digests);
            }
        }
        found
    }

    fn finish(mut self, digests: &mut PartDigests) {
        // An empty object has one empty part.
        if self.begun || self.number == 0 {
            self.end_part();
        }
        let (parts, digest) = (self.number, self.all.finish());
        match self.made {
            Made::Etag => digests.etag = Some(format!("{}-{parts}", HEXLOWER.encode(&digest))),
            Made::Checksum(algorithm) => {
                digests.checksums.push((algorithm, BASE64.encode(&digest)));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::Hasher;
    use super::*;
    use md5::Digest as _;
    use proptest::prelude::*;

    fn evidence(etag: &str, composite: &[Algorithm], cut: Cut) -> Evidence {
        Evidence {
            size: 11,
            etag: etag.into(),
            checksums: composite
                .iter()
                .map(|a| Checksum::new(*a, "x-3", Some("COMPOSITE"), ""))
                .collect(),
            cut,
            ..Evidence::default()
        }
    }

    const ETAG: &str = "d41d8cd98f00b204e9800998ecf8427e-3";

    /// By Python's hashlib and zlib over `hello`, ` worl`, `d` and what comes of them.
    #[test]
    fn known_answers() {
        use Algorithm::*;
        for layout in [Layout::Even(5), Layout::Uneven(vec![5, 5, 1])] {
            let evidence = evidence(ETAG, &[Crc32, Sha256], Cut::Told(layout.clone()));
            let mut hasher = Hasher::new(&evidence);
            hasher.update(b"hello wor");
            hasher.update(b"ld");
            let parts = hasher.finish().parts;
            assert_eq!(parts.len(), 1, "{layout:?}");
            let part = &parts[0];
            assert_eq!(
                part.etag.as_deref(),
                Some("df349a9519959b17a605009540f4b31d-3"),
                "{layout:?}"
            );
            assert_eq!(
                part.checksums,
                [
                    (Crc32, "NyyG8Q==".to_owned()),
                    (
                        Sha256,
                        "pzSGO5U+k/TnIIwV9oZNNyf1DQbT37kZpa4hVAUTJ/A=".to_owned()
                    )
                ]
            );
        }
    }

    #[test]
    fn no_pass_that_nothing_asks_for() {
        let told = Cut::Told(Layout::Even(5));
        let single = evidence("d41d8cd98f00b204e9800998ecf8427e", &[], told.clone());
        assert!(PartHasher::all(&single).is_empty());
        let mut opaque = evidence(ETAG, &[], told);
        opaque.etag_opaque = true;
        assert!(PartHasher::all(&opaque).is_empty());
    }

    /// (size in MiB, parts, the part sizes in MiB that may be theirs)
    #[test]
    fn guesses() {
        for (size, parts, expected) in [
            (
                17,
                3,
                Cut::Maybe(vec![Layout::Even(6 * MIB), Layout::Even(8 * MIB)]),
            ),
            (
                100,
                2,
                Cut::Maybe(vec![
                    Layout::Even(50 * MIB),
                    Layout::Even(64 * MIB),
                    Layout::Even(80 * MIB),
                    Layout::Even(96 * MIB),
                ]),
            ),
            (7, 1, Cut::Told(Layout::Even(7 * MIB))),
            (1, 9_999, Cut::Unknown),
        ] {
            let found = Cut::guess(size * MIB, parts);
            match (&found, &expected) {
                (Cut::Maybe(found), Cut::Maybe(expected)) => {
                    for layout in expected {
                        assert!(found.contains(layout), "{size} MiB, {parts}: {found:?}");
                    }
                }
                _ => assert_eq!(found, expected, "{size} MiB, {parts}"),
            }
        }
        let sizes = COMMON.into_iter().chain(COMMON_DECIMAL);
        assert!(sizes.clone().all(|size| size >= 5 * MB), "S3's least part");
        let mut seen: Vec<u64> = sizes.collect();
        seen.sort_unstable();
        seen.dedup();
        assert_eq!(seen.len(), COMMON.len() + COMMON_DECIMAL.len());
    }

    #[test]
    fn what_a_first_part_tells() {
        assert_eq!(Cut::from_first(11, 3, 5), Some(Cut::Told(Layout::Even(5))));
        for (size, parts, first) in [(11, 3, 11), (11, 2, 5), (11, 3, 0), (11, 1, 12)] {
            assert_eq!(
                Cut::from_first(size, parts, first),
                None,
                "{size} {parts} {first}"
            );
        }
    }

    proptest! {
        /// However the bytes arrive, every layout's digests are those of its parts by themselves.
        #[test]
        fn arrival_does_not_matter(
            bytes in proptest::collection::vec(any::<u8>(), 0..300),
            part in 1..40_u64,
            steps in proptest::collection::vec(1..50_usize, 1..40),
        ) {
            let cut = Cut::Maybe(vec![Layout::Even(part), Layout::Even(part + 7)]);
            let evidence = evidence(ETAG, &[Algorithm::Sha1], cut);
            let mut hasher = Hasher::new(&evidence);
            let (mut rest, mut steps) = (&bytes[..], steps.into_iter().cycle());
            while !rest.is_empty() {
                let (now, later) = rest.split_at(steps.next().unwrap().min(rest.len()));
                hasher.update(now);
                rest = later;
            }
            let found = hasher.finish().parts;
            for (size, found) in [part, part + 7].into_iter().zip(found) {
                let size = usize::try_from(size).unwrap();
                let parts: Vec<&[u8]> = match bytes.is_empty() {
                    true => vec![&[]],
                    false => bytes.chunks(size).collect(),
                };
                let md5s: Vec<u8> = parts.iter().flat_map(md5::Md5::digest).collect();
                let etag = format!("{}-{}", HEXLOWER.encode(&md5::Md5::digest(&md5s)), parts.len());
                prop_assert_eq!(found.etag, Some(etag));
            }
        }
    }
}
