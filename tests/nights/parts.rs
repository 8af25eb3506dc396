//! Objects that were uploaded in parts: their ETags and composite checksums, made again from the bytes.

use crate::support::Nights;
use offsite::demo::bucket::{Checksum, Encryption, Fault, PutOptions};
use offsite::object::{EvidenceClass, State, Verdict};

const KEY: &str = "site-20261101.tar.age";
const PART: usize = 600_000;

/// Bytes of five parts and a bit, of no pattern.
fn bytes() -> Vec<u8> {
    let mut random = fastrand::Rng::with_seed(5);
    (0..5 * PART + 77).map(|_| random.u8(..)).collect()
}

fn parts(checksum: Option<Checksum>) -> PutOptions {
    PutOptions {
        checksum,
        part_size: Some(PART),
        ..PutOptions::default()
    }
}

/// First and last byte, both sides of every part's edge, and what lies between.
fn positions(length: usize) -> Vec<u64> {
    let mut found = vec![
        0,
        1,
        length - 1,
        length - 2,
        length / 2,
        PART / 3,
        2 * PART + PART / 2,
    ];
    for edge in 1..=5 {
        found.extend([edge * PART - 1, edge * PART, edge * PART + 1]);
    }
    found.into_iter().map(|at| at as u64).collect()
}

/// Every bit that is flipped on its way is caught by one class alone: the parts' ETag, or a
/// composite checksum where the ETag says nothing.
#[test]
fn p4_a_flipped_bit_of_an_object_in_parts_is_caught_wherever_it_is() {
    let bytes = bytes();
    let opaque = |checksum| PutOptions {
        // Of SSE-KMS the ETag is no digest, and still tells the number of parts.
        encryption: Some(Encryption::Kms("a-key".to_owned())),
        ..parts(Some(checksum))
    };
    let (etag, sha) = (parts(None), opaque(Checksum::Sha256));
    for (name, options, places) in [
        ("etag-parts", etag, positions(bytes.len())),
        ("sha256", sha, positions(bytes.len())),
        ("sha1", opaque(Checksum::Sha1), vec![PART as u64]),
        ("crc32", opaque(Checksum::Crc32), vec![PART as u64]),
        ("crc32c", opaque(Checksum::Crc32c), vec![PART as u64]),
    ] {
        let mut nights = Nights::new();
        nights.bucket.put_with(KEY, bytes.clone(), options.clone());
        assert_eq!(nights.night().open_alarms, 0, "{name}");
        assert_eq!(nights.proof(KEY, name), Some(Verdict::Holds), "{name}");
        for place in places {
            // Another object of the same kind, so that nothing is known of it.
            let mut next = bytes.clone();
            next[7] ^= u8::try_from(place % 200).unwrap() + 1;
            nights.bucket.put_with(KEY, next, options.clone());
            nights
                .bucket
                .with_faults(|f| f.flip = Some(Fault::new(place)));
            nights.night();
            let newest = nights.versions(KEY).swap_remove(0);
            assert_eq!(newest.state, State::Quarantined, "{name} at {place}");
            assert_eq!(
                nights.proof(KEY, name),
                Some(Verdict::Fails),
                "{name} at {place}"
            );
            assert_eq!(nights.latest(KEY).unwrap(), bytes, "{name} at {place}");
            nights.bucket.with_faults(|f| f.flip = None);
        }
    }
}

#[test]
fn p4_a_body_that_is_shortened_together_with_its_length_is_caught() {
    let mut nights = Nights::new();
    nights.bucket.put_with(KEY, bytes(), parts(None));
    nights
        .bucket
        .with_faults(|f| f.shorten = Some(Fault::new(())));
    let _ = nights.some_night();
    assert!(nights.latest(KEY).is_none());
}

/// Parts that are not alike: what the first one tells is wrong, and each is asked for.
#[test]
fn p5_parts_of_different_sizes_raise_no_alarm() {
    // 77 bytes more than five parts: with a first part of 599,000 bytes the number of parts is the
    // same as if all were like it.
    let bytes = bytes();
    for first in [PART - 1_000, PART / 2, PART + PART / 2] {
        let mut nights = Nights::new();
        let options = PutOptions {
            first_part: Some(first),
            ..parts(Some(Checksum::Sha256))
        };
        nights.bucket.put_with(KEY, bytes.clone(), options);
        assert_eq!(nights.night().open_alarms, 0, "{first}");
        for name in ["etag-parts", "sha256"] {
            assert_eq!(
                nights.proof(KEY, name),
                Some(Verdict::Holds),
                "{first} {name}"
            );
        }
        assert_eq!(nights.latest(KEY).unwrap(), bytes, "{first}");
    }
}

/// A server that does not tell the parts: the sizes that uploaders use are tried.
#[test]
fn part_sizes_that_uploaders_use_are_found_without_the_servers_help() {
    let mut random = fastrand::Rng::with_seed(6);
    let bytes: Vec<u8> = (0..(17 << 20) + 5).map(|_| random.u8(..)).collect();
    for (part, found) in [
        (5 << 20, true),
        (8 << 20, true),
        (16 << 20, true),
        (7_000_000, false),
    ] {
        let mut nights = Nights::new();
        nights.bucket.with_faults(|f| f.no_part_numbers = true);
        let options = PutOptions {
            part_size: Some(part),
            ..PutOptions::default()
        };
        nights.bucket.put_with(KEY, bytes.clone(), options.clone());
        nights
            .bucket
            .put_with("another", bytes[1..].to_vec(), options);
        assert_eq!(nights.night().open_alarms, 0, "{part}");
        assert_eq!(
            nights.asked("HeadObject"),
            3,
            "{part}: parts are asked for once"
        );
        let (said, class) = match found {
            true => (Verdict::Holds, EvidenceClass::Provider),
            // A guess that misses says nothing.
            false => (Verdict::Silent, EvidenceClass::Length),
        };
        assert_eq!(nights.proof(KEY, "etag-parts"), Some(said), "{part}");
        assert_eq!(nights.versions(KEY)[0].evidence, Some(class), "{part}");
    }
}

/// Of an object whose ETag is no digest of parts, a checksum that holds is believed.
#[test]
fn p5_an_etag_that_only_looks_like_one_of_parts_falls_silent() {
    let mut nights = Nights::new();
    let options = PutOptions {
        etag: Some("d41d8cd98f00b204e9800998ecf8427e-6".to_owned()),
        full_object: true,
        ..parts(Some(Checksum::Crc32c))
    };
    nights.bucket.put_with(KEY, bytes(), options);
    assert_eq!(nights.night().open_alarms, 0);
    assert_eq!(nights.proof(KEY, "crc32c"), Some(Verdict::Holds));
    assert_eq!(nights.proof(KEY, "etag-parts"), Some(Verdict::Silent));
}
