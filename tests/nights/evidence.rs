//! What the bytes that came are compared with, and what becomes of those that do not fit.

use crate::support::Nights;
use offsite::demo::bucket::{Checksum, Encryption, Fault, Faults, PutOptions, Refusal};
use offsite::object::{EvidenceClass, InBucket, State, Verdict};
use offsite::outcome::Ended;
use offsite::store::Area;

const KEY: &str = "db.sql.age";
const GOOD: &[u8] = b"the first night's bytes";
const NEXT: &[u8] = b"the second night's bytes";

/// `bytes` with the lowest bit of the first one flipped.
fn spoilt(bytes: &[u8]) -> Vec<u8> {
    let mut spoilt = bytes.to_vec();
    spoilt[0] ^= 1;
    spoilt
}

fn flip_on_key() -> Fault<u64> {
    Fault::new(0).on(|key| key == KEY)
}

/// Good bytes are stored; on the second night there are other ones, and `faults`.
fn second_night(faults: Faults) -> Nights {
    let mut nights = Nights::new();
    nights.bucket.put(KEY, GOOD);
    nights.night();
    nights.bucket.put(KEY, NEXT);
    nights.faults(faults);
    nights.bucket.reset_requests();
    nights
}

#[test]
fn p4_bytes_that_contradict_their_evidence_twice_are_quarantined() {
    let mut nights = second_night(Faults {
        flip: Some(flip_on_key()),
        ..Faults::default()
    });
    let outcome = nights.night();
    assert_eq!((outcome.counts.quarantined, outcome.open_alarms), (1, 1));
    assert_eq!(nights.asked("GetObject"), 2, "once, and once more");
    assert_eq!(nights.open_kinds(), ["contradiction"]);
    assert_eq!(nights.versions(KEY)[0].state, State::Quarantined);
    assert_eq!(nights.latest(KEY).unwrap(), GOOD);
    let as_it_was = |nights: &Nights| {
        assert_eq!(nights.quarantine(KEY), [spoilt(NEXT)]);
        let paths = nights.paths(Area::Quarantine);
        assert_eq!(paths.len(), 2, "the bytes and a note: {paths:?}");
        let note = paths.iter().find(|path| path.ends_with(".txt")).unwrap();
        let note = std::fs::read_to_string(nights.shelf().join(note)).unwrap();
        assert!(note.contains(KEY) && note.contains("etag-md5"), "{note}");
    };
    as_it_was(&nights);
    assert_eq!(nights.paths(Area::Incoming), [""; 0]);

    nights.bucket.reset_requests();
    assert_eq!(nights.night().open_alarms, 1, "said until acknowledged");
    assert_eq!(nights.asked("GetObject"), 2, "asked for again");
    as_it_was(&nights);

    nights.faults(Faults::default());
    let outcome = nights.night();
    assert_eq!((outcome.counts.stored, outcome.open_alarms), (1, 1));
    assert_eq!(nights.latest(KEY).unwrap(), NEXT);
    assert_eq!(nights.history(KEY), [GOOD]);
    assert_eq!(nights.events(KEY), ["came-right"]);
    as_it_was(&nights);
    let id = nights.open().pop().unwrap().finding.id;
    nights.ack(&id, false).unwrap();
    assert_eq!(nights.night().open_alarms, 0);
    assert_eq!(nights.check().problems, []);
}

#[test]
fn p5_a_contradiction_that_was_acknowledged_is_not_said_again_about_the_same_bytes() {
    let mut nights = second_night(Faults {
        flip: Some(flip_on_key()),
        ..Faults::default()
    });
    nights.night();
    let id = nights.open().pop().unwrap().finding.id;
    nights.ack(&id, false).unwrap();
    assert_eq!(nights.night().open_alarms, 0);
    assert_eq!(nights.latest(KEY).unwrap(), GOOD);
    nights.faults(Faults::default());
    nights.night();
    assert_eq!(nights.latest(KEY).unwrap(), NEXT);
}

#[test]
fn p5_bytes_spoilt_once_on_their_way_are_fetched_again_and_no_alarm() {
    for faults in [
        Faults {
            flip: Some(flip_on_key().times(1)),
            ..Faults::default()
        },
        Faults {
            shorten: Some(Fault::new(()).times(1)),
            ..Faults::default()
        },
        Faults {
            cut: Some(Fault::new(5).times(1)),
            ..Faults::default()
        },
    ] {
        let mut nights = second_night(faults);
        assert_eq!(nights.night().open_alarms, 0);
        assert_eq!(nights.asked("GetObject"), 2);
        assert_eq!(nights.latest(KEY).unwrap(), NEXT);
        assert_eq!(nights.paths(Area::Quarantine), [""; 0]);
        assert_eq!(nights.paths(Area::Incoming), [""; 0]);
    }
}

/// So large that a watermark was set behind the spoilt byte: nothing may go on from there.
#[test]
fn p5_a_large_object_that_was_spoilt_once_is_fetched_again_from_its_first_byte() {
    let mut nights = Nights::new();
    nights.bucket.put(KEY, vec![7; (66 << 20) + 1]);
    nights.faults(Faults {
        flip: Some(Fault::new(5).times(1)),
        ..Faults::default()
    });
    assert_eq!(nights.night().open_alarms, 0);
    assert_eq!(nights.versions(KEY)[0].state, State::Stored);
    assert_eq!(nights.asked("HeadObject"), 2);
    assert_eq!(nights.paths(Area::Incoming), [""; 0]);
}

#[test]
fn p4_a_body_that_is_too_short_twice_is_quarantined() {
    let mut nights = second_night(Faults {
        shorten: Some(Fault::new(())),
        ..Faults::default()
    });
    assert_eq!(nights.night().open_alarms, 1);
    assert_eq!(nights.latest(KEY).unwrap(), GOOD);
    assert_eq!(nights.quarantine(KEY), [&NEXT[..NEXT.len() - 1]]);
    assert_eq!(nights.check().problems, [], "it is known to be so short");
}

/// The proofs of the newest version, as (name, verdict).
fn verdicts(nights: &Nights) -> Vec<(String, Verdict)> {
    let newest = nights.versions(KEY).swap_remove(0);
    let proofs = newest.proofs.into_iter();
    proofs.map(|p| (p.name, p.verdict)).collect()
}

fn named(verdicts: &[(&str, Verdict)]) -> Vec<(String, Verdict)> {
    let owned = verdicts.iter();
    owned.map(|(name, v)| ((*name).to_owned(), *v)).collect()
}

fn put(checksum: Option<Checksum>, encryption: Option<Encryption>) -> PutOptions {
    PutOptions {
        checksum,
        encryption,
        ..PutOptions::default()
    }
}

fn in_parts(checksum: Option<Checksum>, full_object: bool) -> PutOptions {
    PutOptions {
        checksum,
        full_object,
        part_size: Some(10),
        ..PutOptions::default()
    }
}

/// How an object was put -> what is said of good bytes, and how well they are proven.
#[test]
fn what_each_kind_of_upload_lets_us_prove() {
    use Checksum::{Crc32, Crc64Nvme, Sha256};
    use EvidenceClass::{Length, Provider};
    use Verdict::{Holds, Silent};
    let kms = || Some(Encryption::Kms("a-key".to_owned()));
    for (case, options, evidence, said) in [
        (
            "plain",
            put(None, None),
            Provider,
            &[("etag-md5", Holds)][..],
        ),
        (
            "SSE-S3",
            put(None, Some(Encryption::S3)),
            Provider,
            &[("etag-md5", Holds)],
        ),
        // It looks like an MD5 and is none.
        ("SSE-KMS", put(None, kms()), Length, &[("etag-md5", Silent)]),
        (
            "SSE-KMS with a checksum",
            put(Some(Sha256), kms()),
            Provider,
            &[("sha256", Holds), ("etag-md5", Silent)],
        ),
        (
            "in parts",
            in_parts(None, false),
            Provider,
            &[("etag-parts", Holds)],
        ),
        (
            "in parts, composite",
            in_parts(Some(Sha256), false),
            Provider,
            &[("sha256", Holds), ("etag-parts", Holds)],
        ),
        (
            "in parts, over the whole",
            in_parts(Some(Crc32), true),
            Provider,
            &[("crc32", Holds), ("etag-parts", Holds)],
        ),
        (
            "in parts, the default of today",
            in_parts(Some(Crc64Nvme), false),
            Provider,
            &[("crc64nvme", Holds), ("etag-parts", Holds)],
        ),
    ] {
        let mut nights = Nights::new();
        nights.bucket.put_with(KEY, GOOD, options);
        assert_eq!(nights.night().open_alarms, 0, "{case}");
        let mut ladder = vec![("length", Holds)];
        ladder.extend(said);
        assert_eq!(verdicts(&nights), named(&ladder), "{case}");
        assert_eq!(nights.versions(KEY)[0].evidence, Some(evidence), "{case}");
        assert_eq!(nights.latest(KEY).unwrap(), GOOD, "{case}");
    }
}

#[test]
fn archived_objects_are_noted_and_not_asked_for() {
    for class in ["GLACIER", "DEEP_ARCHIVE"] {
        let mut nights = Nights::new();
        let options = PutOptions {
            storage_class: Some(class.to_owned()),
            ..PutOptions::default()
        };
        nights.bucket.put_with(KEY, GOOD, options);
        for _ in 0..2 {
            assert_eq!(nights.night().open_alarms, 0);
            assert_eq!(nights.asked("GetObject"), 0, "{class}");
            assert_eq!(nights.states(KEY), [(State::Archived, InBucket::Current)]);
            assert_eq!(nights.journalled("noted"), 1, "{class}: noted once");
        }
        nights.bucket.put(KEY, GOOD);
        nights.night();
        assert_eq!(nights.latest(KEY).unwrap(), GOOD, "{class}");
    }
    // Answers at once.
    let mut nights = Nights::new();
    let options = PutOptions {
        storage_class: Some("GLACIER_IR".to_owned()),
        ..PutOptions::default()
    };
    nights.bucket.put_with(KEY, GOOD, options);
    nights.night();
    assert_eq!(nights.latest(KEY).unwrap(), GOOD);
}

#[test]
fn p5_an_object_that_our_key_cannot_read_is_said_and_does_not_stop_the_others() {
    for sse_c in [true, false] {
        let mut nights = Nights::new();
        nights.bucket.put("other", "x");
        if sse_c {
            nights
                .bucket
                .put_with(KEY, GOOD, put(None, Some(Encryption::Customer)));
        } else {
            nights.bucket.put(KEY, GOOD);
            let refuse = Fault::new(Refusal::AccessDenied).on(|key| key == KEY);
            nights.bucket.with_faults(|f| f.refuse = Some(refuse));
        }
        for night in 0..2 {
            let outcome = nights.some_night().unwrap_or_else(|e| {
                panic!("SSE-C {sse_c}, night {night}: one object must not fail the run: {e}")
            });
            assert_eq!(
                outcome.ended,
                Ended::Partial,
                "SSE-C {sse_c}, night {night}"
            );
            assert_eq!(nights.states(KEY), [(State::Unreadable, InBucket::Current)]);
            assert_eq!(nights.latest("other").unwrap(), b"x");
            assert_eq!(nights.events(KEY), ["unreadable"], "said once");
        }
        nights.faults(Faults::default());
        nights.bucket.put(KEY, GOOD);
        nights.night();
        assert_eq!(nights.latest(KEY).unwrap(), GOOD);
    }
}

#[test]
fn a_key_that_may_read_nothing_fails_the_run_and_says_which_right_is_missing() {
    let mut nights = Nights::new();
    for n in 0..20 {
        nights.bucket.put(&format!("{n}"), "x");
    }
    let refuse = Fault::new(Refusal::AccessDenied).on(|_| true);
    nights.bucket.with_faults(|f| f.refuse = Some(refuse));
    for night in 0..2 {
        let error = nights.some_night().unwrap_err();
        assert!(
            error.to_string().contains("s3:GetObject"),
            "{night}: {error}"
        );
        nights.bucket.put("one more", "x");
    }
    nights.faults(Faults::default());
    assert_eq!(nights.night().counts.stored, 21);
}

#[test]
fn locks_of_a_restic_repository_are_recorded_and_never_placed() {
    let lock = format!("locks/{}", "0123456789abcdef".repeat(4));
    let mut nights = Nights::new();
    nights.bucket.put("config", "c");
    nights.bucket.put(&lock, "l");
    nights.night();
    nights.night();
    assert_eq!(nights.asked("GetObject"), 1, "the config");
    assert_eq!(nights.states(&lock), [(State::Skipped, InBucket::Current)]);
    assert_eq!(nights.journalled("noted"), 1);
    assert_eq!(nights.paths(Area::Latest), ["latest/config"]);

    // Nobody keeps a backup from being stored by naming it like a lock.
    let large = vec![7; 17 * 1024];
    for (config, bytes) in [(false, b"l".to_vec()), (true, large)] {
        let mut nights = Nights::new();
        if config {
            nights.bucket.put("config", "c");
        }
        nights.bucket.put(&lock, bytes.clone());
        nights.night();
        assert_eq!(nights.latest(&lock).unwrap(), bytes, "config: {config}");
    }
}
