//! Each kind of evidence alone, all others silent: what it holds of, and that it catches a bit flipped
//! anywhere, and a body that was shortened together with all that tells its length.

use crate::support::Nights;
use data_encoding::{BASE64, HEXLOWER};
use md5::Digest as _;
use offsite::demo::bucket::{Checksum, Encryption, Fault, PutOptions};
use offsite::object::{EvidenceClass, Proof, State, Verdict};
use std::sync::Arc;

const PART: usize = 1_000;
/// Five parts and a bit.
const LENGTH: usize = 5 * PART + 77;
const GOOD: &str = "good";
/// What a proxy or a server makes shorter: the answer alone, and all that tells a length.
const SHORT: &str = "short";
const SHORT_EVERYWHERE: &str = "short-everywhere";

/// One kind of evidence, and how an object is put that has no other.
struct Alone {
    /// As `show` names it.
    name: &'static str,
    class: EvidenceClass,
    /// Where the object lies that is called so in the test.
    key: fn(&str, &[u8]) -> String,
    options: fn(&'static str, &[u8]) -> PutOptions,
}

fn called(name: &str, _: &[u8]) -> String {
    format!("{name}.tar.age")
}

/// In a repository, after its content; what it is called in the test stands before it.
fn after_its_content(name: &str, bytes: &[u8]) -> String {
    let hex = HEXLOWER.encode(ring::digest::digest(&ring::digest::SHA256, bytes).as_ref());
    format!("{name}/data/{}/{hex}", &hex[..2])
}

fn by_name(name: &str) -> Checksum {
    let mut all = Checksum::ALL.into_iter();
    all.find(|c| c.as_str().eq_ignore_ascii_case(name)).unwrap()
}

/// The bucket encrypts it, so that its ETag is no digest, and says nothing else.
fn silent() -> PutOptions {
    PutOptions {
        encryption: Some(Encryption::Kms("a-key".to_owned())),
        ..PutOptions::default()
    }
}

fn nothing_more(_: &'static str, _: &[u8]) -> PutOptions {
    PutOptions::default()
}

fn nothing(_: &'static str, _: &[u8]) -> PutOptions {
    silent()
}

fn parts(_: &'static str, _: &[u8]) -> PutOptions {
    PutOptions {
        part_size: Some(PART),
        ..PutOptions::default()
    }
}

fn checksum(name: &'static str, _: &[u8]) -> PutOptions {
    PutOptions {
        checksum: Some(by_name(name)),
        ..silent()
    }
}

fn composite(name: &'static str, bytes: &[u8]) -> PutOptions {
    PutOptions {
        part_size: Some(PART),
        ..checksum(name, bytes)
    }
}

fn over_all_parts(name: &'static str, bytes: &[u8]) -> PutOptions {
    PutOptions {
        full_object: true,
        ..composite(name, bytes)
    }
}

/// As the uploader that writes this claim writes it.
fn claimed(name: &'static str, bytes: &[u8]) -> PutOptions {
    let md5 = md5::Md5::digest(bytes).to_vec();
    let by = |kind| ring::digest::digest(kind, bytes).as_ref().to_vec();
    let value = match name {
        "md5chksum" => BASE64.encode(&md5),
        "md5" => HEXLOWER.encode(&md5),
        "s3cmd-attrs" => format!("mode:33188/md5:{}/uid:0", HEXLOWER.encode(&md5)),
        "sha1" => HEXLOWER.encode(&by(&ring::digest::SHA1_FOR_LEGACY_USE_ONLY)),
        "sha256" => BASE64.encode(&by(&ring::digest::SHA256)),
        "sha512" => HEXLOWER.encode(&by(&ring::digest::SHA512)),
        other => panic!("nobody writes {other}"),
    };
    PutOptions {
        metadata: [(name.to_owned(), value)].into(),
        ..silent()
    }
}

/// Bytes of no pattern, other ones for each name.
fn bytes(name: &str, length: usize) -> Vec<u8> {
    let seed = name
        .bytes()
        .fold(7, |n: u64, b| (n << 5) ^ (n >> 59) ^ u64::from(b));
    let mut random = fastrand::Rng::with_seed(seed);
    (0..length).map(|_| random.u8(..)).collect()
}

/// First and last bytes, both sides of every part's edge, and what lies between: 23 of them.
fn places() -> Vec<u64> {
    let last = LENGTH - 1;
    let mut found = vec![
        0,
        1,
        last,
        last - 1,
        LENGTH / 2,
        PART / 3,
        4 * PART + 3,
        700,
    ];
    for edge in 1..=5 {
        found.extend([edge * PART - 1, edge * PART, edge * PART + 1]);
    }
    found.into_iter().map(|at| at as u64).collect()
}

/// The newest version's state, its proof called `name`, and the others that hold.
fn told(nights: &Nights, key: &str, name: &str) -> (State, Option<Verdict>, Vec<String>) {
    let newest = nights.versions(key).swap_remove(0);
    let mine = |proof: &&Proof| proof.name == name;
    let own = newest.proofs.iter().find(mine).map(|proof| proof.verdict);
    let holds = |proof: &&Proof| proof.verdict == Verdict::Holds && proof.name != name;
    let others = newest.proofs.iter().filter(holds);
    let others = others.map(|proof| proof.name.clone()).collect();
    (newest.state, own, others)
}

/// Puts an object of `length` bytes for each name; the keys by name.
fn put(nights: &Nights, alone: &Alone, names: &[String], length: usize) -> Vec<(String, String)> {
    let put = |name: &String| {
        let bytes = bytes(name, length);
        let key = (alone.key)(name, &bytes);
        if alone.class == EvidenceClass::ContentName {
            nights.bucket.put(&format!("{name}/config"), "settings");
        }
        let options = (alone.options)(alone.name, &bytes);
        nights.bucket.put_with(&key, bytes, options);
        (name.clone(), key)
    };
    names.iter().map(put).collect()
}

/// Everything that is done to bytes on their way to us, each to an object of its own, in one night.
fn catches(alone: &Alone) {
    let name = alone.name;
    let mut nights = Nights::new();
    let good = put(&nights, alone, &[GOOD.to_owned()], LENGTH).remove(0).1;
    assert_eq!(nights.night().open_alarms, 0, "{name}");
    let length_alone = vec!["length".to_owned()];
    let expected = (State::Stored, Some(Verdict::Holds), length_alone.clone());
    assert_eq!(told(&nights, &good, name), expected, "{name}");
    assert_eq!(
        nights.versions(&good)[0].evidence,
        Some(alone.class),
        "{name}"
    );

    let places = places();
    let flipped: Vec<String> = places.iter().map(|at| format!("flipped-{at}")).collect();
    let flipped = put(&nights, alone, &flipped, LENGTH);
    let short = put(
        &nights,
        alone,
        &[SHORT.to_owned(), SHORT_EVERYWHERE.to_owned()],
        LENGTH,
    );
    let bits: Vec<(String, u64)> = flipped
        .iter()
        .map(|(_, key)| key.clone())
        .zip(places)
        .collect();
    nights.bucket.with_faults(|faults| {
        let (sent, everywhere) = (short[0].1.clone(), short[1].1.clone());
        faults.flip_at = Some(Arc::new(move |key| {
            let mut bits = bits.iter();
            bits.find(|(spoilt, _)| spoilt == key).map(|(_, at)| *at)
        }));
        faults.shorten = Some(Fault::new(()).on(move |key| key == sent));
        faults.shorter = Some(Arc::new(move |key| key == everywhere));
    });
    nights.some_night().unwrap();
    let fails = (State::Quarantined, Some(Verdict::Fails), length_alone);
    for (called, key) in flipped.iter().chain(&short) {
        let found = told(&nights, key, name);
        match called == SHORT {
            // The listing told another length, and that is evidence too.
            true => assert_eq!((found.0, found.1), (fails.0, fails.1), "{name} {called}"),
            false => assert_eq!(found, fails, "{name} {called}"),
        }
        assert_eq!(nights.latest(key), None, "{name} {called}");
        assert_eq!(nights.quarantine(key).len(), 1, "{name} {called}");
    }
    assert_eq!(nights.latest(&good).unwrap(), bytes(GOOD, LENGTH), "{name}");
}

fn provider(name: &'static str, options: fn(&'static str, &[u8]) -> PutOptions) -> Alone {
    Alone {
        name,
        class: EvidenceClass::Provider,
        key: called,
        options,
    }
}

#[test]
fn p4_the_etag_alone() {
    catches(&provider("etag-md5", nothing_more));
    catches(&provider("etag-parts", parts));
}

#[test]
fn p4_each_checksum_of_the_whole_alone() {
    for name in ["crc32", "crc32c", "crc64nvme", "sha1", "sha256"] {
        catches(&provider(name, checksum));
    }
    for name in ["crc32", "crc32c", "crc64nvme"] {
        catches(&provider(name, over_all_parts));
    }
}

#[test]
fn p4_each_checksum_of_the_parts_alone() {
    for name in ["crc32", "crc32c", "sha1", "sha256"] {
        catches(&provider(name, composite));
    }
}

#[test]
fn p4_each_claim_alone() {
    for name in [
        "md5chksum",
        "md5",
        "sha1",
        "sha256",
        "sha512",
        "s3cmd-attrs",
    ] {
        catches(&Alone {
            name,
            class: EvidenceClass::UploaderClaim,
            key: called,
            options: claimed,
        });
    }
}

#[test]
fn p4_the_name_alone() {
    catches(&Alone {
        name: "content-name",
        class: EvidenceClass::ContentName,
        key: after_its_content,
        options: nothing,
    });
}

/// So large that it comes in ranges, each of which tells the object's length.
#[test]
fn p4_a_large_object_that_is_told_and_sent_shorter() {
    let length = (1 << 20) + 300_007;
    let in_parts: fn(&'static str, &[u8]) -> PutOptions = |_, _| PutOptions {
        part_size: Some(400_000),
        ..PutOptions::default()
    };
    for alone in [
        provider("etag-md5", nothing_more),
        provider("etag-parts", in_parts),
        provider("crc64nvme", checksum),
    ] {
        let mut nights = Nights::new();
        let keys = put(&nights, &alone, &[SHORT_EVERYWHERE.to_owned()], length);
        nights
            .bucket
            .with_faults(|f| f.shorter = Some(Arc::new(|_| true)));
        nights.some_night().unwrap();
        let key = &keys[0].1;
        let (state, own, _) = told(&nights, key, alone.name);
        assert_eq!(
            (state, own),
            (State::Quarantined, Some(Verdict::Fails)),
            "{}",
            alone.name
        );
        assert_eq!(nights.latest(key), None, "{}", alone.name);
    }
}
