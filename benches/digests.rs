//! What the digests that evidence calls for cost together, over 1 GiB from memory in the pieces in which a
//! download brings it, against the slowest of them alone: `cargo bench --bench digests`.

#![allow(clippy::print_stdout, clippy::unwrap_used)]

use md5::Digest as _;
use offsite::digest::{Algorithm, Checksum, Claim, Cut, Evidence, Hasher, Layout, claims};
use offsite::object::Sha256;
use std::hint::black_box;
use std::time::{Duration, Instant};

const TOTAL: usize = 1 << 30;
/// What a download brings at once.
const PIECE: usize = 2 << 20;
const PART: u64 = 8 << 20;
const ROUNDS: usize = 5;
/// The target: so much of the slowest digest alone, where two processors are free.
const WANTED: f64 = 1.10;

/// A digest that is computed by itself.
type Single = (&'static str, fn(&[u8]));

const SINGLES: [Single; 7] = [
    ("sha256", |bytes| ring(&ring::digest::SHA256, bytes)),
    ("sha512", |bytes| ring(&ring::digest::SHA512, bytes)),
    ("sha1", |bytes| {
        ring(&ring::digest::SHA1_FOR_LEGACY_USE_ONLY, bytes)
    }),
    ("md5", |bytes| {
        let mut digest = md5::Md5::new();
        bytes.chunks(PIECE).for_each(|piece| digest.update(piece));
        black_box(digest.finalize());
    }),
    ("crc32", |bytes| {
        crc(crc_fast::CrcAlgorithm::Crc32IsoHdlc, bytes)
    }),
    ("crc32c", |bytes| {
        crc(crc_fast::CrcAlgorithm::Crc32Iscsi, bytes)
    }),
    ("crc64nvme", |bytes| {
        crc(crc_fast::CrcAlgorithm::Crc64Nvme, bytes)
    }),
];

fn ring(kind: &'static ring::digest::Algorithm, bytes: &[u8]) {
    let mut digest = ring::digest::Context::new(kind);
    bytes.chunks(PIECE).for_each(|piece| digest.update(piece));
    black_box(digest.finish());
}

fn crc(kind: crc_fast::CrcAlgorithm, bytes: &[u8]) {
    let mut digest = crc_fast::Digest::new(kind);
    bytes.chunks(PIECE).for_each(|piece| digest.update(piece));
    black_box(digest.finalize());
}

fn single_etag() -> String {
    "0".repeat(32)
}

/// An object as somebody uploaded it, and the digests that its evidence calls for besides SHA-256.
struct Case {
    name: &'static str,
    digests: &'static [&'static str],
    evidence: Evidence,
}

fn checksum(algorithm: Algorithm, kind: &str) -> Vec<Checksum> {
    vec![Checksum::new(algorithm, "x", Some(kind), "")]
}

fn in_parts(checksums: Vec<Checksum>) -> Evidence {
    Evidence {
        etag: format!("{}-128", single_etag()),
        cut: Cut::Told(Layout::Even(PART)),
        checksums,
        ..Evidence::default()
    }
}

fn in_one(checksums: Vec<Checksum>) -> Evidence {
    Evidence {
        etag: single_etag(),
        checksums,
        ..Evidence::default()
    }
}

/// A digest of so many bytes in the object's metadata.
fn claim(named: &str, bytes: usize) -> Vec<Claim> {
    let value = "0".repeat(2 * bytes);
    claims(|name| (name == named).then_some(&value))
}

fn cases() -> Vec<Case> {
    let case = |name, digests, evidence| Case {
        name,
        digests,
        evidence,
    };
    let restic = Evidence {
        content_name: Some(Sha256([0; 32])),
        ..in_parts(checksum(Algorithm::Crc64Nvme, "FULL_OBJECT"))
    };
    let rclone = Evidence {
        claims: claim("md5chksum", 16),
        ..in_parts(Vec::new())
    };
    let everything = Evidence {
        claims: claim("sha512", 64),
        ..in_one(
            [
                Algorithm::Crc32,
                Algorithm::Crc32c,
                Algorithm::Crc64Nvme,
                Algorithm::Sha1,
            ]
            .into_iter()
            .flat_map(|algorithm| checksum(algorithm, "FULL_OBJECT"))
            .collect(),
        )
    };
    let crc64 = || checksum(Algorithm::Crc64Nvme, "FULL_OBJECT");
    vec![
        case("no evidence", &[], Evidence::default()),
        case(
            "restic: content-name, and a CRC-64/NVME",
            &["crc64nvme"],
            restic,
        ),
        case("one part: ETag", &["md5"], in_one(Vec::new())),
        case(
            "one part: ETag, CRC-64/NVME",
            &["md5", "crc64nvme"],
            in_one(crc64()),
        ),
        case(
            "one part: ETag, SHA-1",
            &["md5", "sha1"],
            in_one(checksum(Algorithm::Sha1, "FULL_OBJECT")),
        ),
        case("parts: ETag", &["md5"], in_parts(Vec::new())),
        case(
            "parts: ETag, CRC-64/NVME",
            &["md5", "crc64nvme"],
            in_parts(crc64()),
        ),
        case(
            "parts: ETag, composite CRC-32",
            &["md5", "crc32"],
            in_parts(checksum(Algorithm::Crc32, "COMPOSITE")),
        ),
        case(
            "parts: ETag, composite SHA-256",
            &["md5", "sha256"],
            in_parts(checksum(Algorithm::Sha256, "COMPOSITE")),
        ),
        case(
            "parts: ETag, composite SHA-1",
            &["md5", "sha1"],
            in_parts(checksum(Algorithm::Sha1, "COMPOSITE")),
        ),
        case("rclone: MD5, ETag of parts", &["md5", "md5"], rclone),
        case(
            "everything at once",
            &["md5", "sha1", "sha512", "crc32", "crc32c", "crc64nvme"],
            everything,
        ),
    ]
}

fn timed(work: impl FnOnce()) -> Duration {
    let begin = Instant::now();
    work();
    begin.elapsed()
}

fn hashed(evidence: &Evidence, bytes: &[u8]) {
    let mut hasher = Hasher::new(evidence);
    bytes.chunks(PIECE).for_each(|piece| hasher.update(piece));
    black_box(hasher.finish());
}

/// The digests of a case, each over all of the bytes on a thread of its own: what the machine allows.
fn apart(digests: &[&str], bytes: &[u8]) {
    std::thread::scope(|scope| {
        for wanted in ["sha256"].iter().chain(digests) {
            let (_, digest) = *SINGLES.iter().find(|(name, _)| name == wanted).unwrap();
            scope.spawn(move || digest(bytes));
        }
    });
}

fn median(mut times: Vec<Duration>) -> f64 {
    times.sort();
    times.get(times.len() / 2).unwrap().as_secs_f64()
}

fn main() {
    let mut random = fastrand::Rng::with_seed(1);
    let mut bytes = vec![0; TOTAL];
    random.fill(&mut bytes);
    let cases = cases();
    let mut singles = vec![Vec::new(); SINGLES.len()];
    let mut together = vec![Vec::new(); cases.len()];
    let mut separate = together.clone();
    // In turn, so that whatever slows the machine down slows all of them down.
    for _ in 0..ROUNDS {
        for (times, (_, digest)) in singles.iter_mut().zip(SINGLES) {
            times.push(timed(|| digest(&bytes)));
        }
        for (times, case) in together.iter_mut().zip(&cases) {
            times.push(timed(|| hashed(&case.evidence, &bytes)));
        }
        for (times, case) in separate.iter_mut().zip(&cases) {
            times.push(timed(|| apart(case.digests, &bytes)));
        }
    }
    let singles: Vec<f64> = singles.into_iter().map(median).collect();
    println!(
        "1 GiB, {ROUNDS} rounds, medians, {} processors\n",
        processors()
    );
    println!("| one digest alone | s | MB/s |\n| --- | --- | --- |");
    for ((name, _), time) in SINGLES.iter().zip(&singles) {
        println!("| {name} | {time:.2} | {:.0} |", TOTAL as f64 / time / 1e6);
    }
    println!(
        "\n| an object | s | slowest alone | ratio | each on a thread of its own | all alone, one after the other |"
    );
    println!("| --- | --- | --- | --- | --- | --- |");
    for ((case, times), separate) in cases.iter().zip(together).zip(separate) {
        let alone = |name: &&str| {
            let at = SINGLES.iter().position(|(n, _)| n == name).unwrap();
            *singles.get(at).unwrap()
        };
        let of: Vec<f64> = ["sha256"].iter().chain(case.digests).map(alone).collect();
        let slowest = of.iter().copied().fold(0.0, f64::max);
        let (time, floor, sum) = (median(times), median(separate), of.iter().sum::<f64>());
        let ratio = time / slowest;
        let mark = if ratio <= WANTED { "" } else { " (!)" };
        println!(
            "| {} | {time:.2} | {slowest:.2} | {ratio:.2}{mark} | {floor:.2} | {sum:.2} |",
            case.name
        );
    }
}

fn processors() -> usize {
    std::thread::available_parallelism().map_or(1, std::num::NonZero::get)
}
