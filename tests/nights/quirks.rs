//! Servers that do otherwise than S3 says (`offsite::bucket::QUIRKS`), and nothing comes of it.

use crate::support::Nights;
use crate::support::nights::ms_after;
use offsite::bucket::{Ask, Bucket};
use offsite::credentials::Credentials;
use offsite::demo::bucket::{Checksum, Encryption, Fault, Faults, PutOptions, READER};
use offsite::object::{EvidenceClass, Verdict};

/// Whether the newest version of `key` has a proof called `name` that holds.
fn holds(nights: &Nights, key: &str, name: &str) -> bool {
    nights.proof(key, name) == Some(Verdict::Holds)
}

fn with_checksum() -> PutOptions {
    PutOptions {
        checksum: Some(Checksum::Crc32),
        ..PutOptions::default()
    }
}

#[test]
fn a_wish_for_checksums_that_is_refused_is_given_up_for_the_run() {
    let mut nights = Nights::new();
    nights.tuning.at_once = 1;
    nights.bucket.with_faults(|f| f.no_checksum_mode = true);
    for n in 0..5 {
        nights.bucket.put(&format!("{n}"), "small");
    }
    nights.bucket.reset_requests();
    let outcome = nights.night();
    assert_eq!((outcome.counts.stored, outcome.open_alarms), (5, 0));
    assert_eq!(nights.asked("GetObject"), 5 + 1, "refused once");
    for n in 0..5 {
        assert!(holds(&nights, &n.to_string(), "etag-md5"));
    }

    // The next run wishes again. A large object's wish goes with its HEAD.
    nights.bucket.put("large", vec![7; 1 << 20]);
    nights.bucket.reset_requests();
    nights.night();
    assert_eq!(nights.asked("HeadObject"), 2);
    assert_eq!(nights.asked("GetObject"), 4, "its ranges");
    assert!(nights.latest("large").unwrap() == vec![7; 1 << 20]);

    // And a server that has learnt it is believed.
    nights.faults(Faults::default());
    nights.bucket.put_with("later", "small", with_checksum());
    nights.bucket.reset_requests();
    nights.night();
    assert_eq!(nights.asked("GetObject"), 1);
    assert!(holds(&nights, "later", "crc32"));
}

/// A 400 to a HEAD says nothing of its reason: here it is the object's encryption.
#[test]
fn an_object_that_is_refused_with_and_without_the_wish_does_not_end_it() {
    let nights = Nights::new();
    let sse_c = PutOptions {
        encryption: Some(Encryption::Customer),
        ..PutOptions::default()
    };
    nights.bucket.put_with("a", vec![7; 1 << 20], sse_c);
    nights.bucket.put_with("b", "small", with_checksum());
    let reader = Credentials::given(READER.id, READER.secret);
    let bucket = Bucket::new(&nights.source, &reader, nights.tuning.clone()).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let objects = bucket.list().next().await.unwrap().unwrap().objects;
        let open = async |n: usize| {
            bucket
                .open(&objects[n].key, &objects[n].identity, Ask::First)
                .await
        };
        open(0).await.expect_err("nobody has its key");
        assert_eq!(nights.asked("HeadObject"), 2);
        let download = open(1).await.unwrap();
        assert_eq!(download.evidence().checksums.len(), 1, "wished for");
    });
}

#[test]
fn p5_etags_that_a_checksum_shows_to_be_no_digests_raise_no_alarm_from_then_on() {
    let mut nights = Nights::new();
    nights.bucket.with_faults(|f| f.opaque_etags = true);
    nights.bucket.put_with("a", "proven", with_checksum());
    assert_eq!(nights.night().open_alarms, 0);
    assert_eq!(nights.open_kinds(), ["opaque-etags"], "said");
    // Nothing but the ETag to compare with, in this run's bucket client and after the next start.
    for night in 0..2 {
        let key = format!("plain-{night}");
        nights.bucket.put(&key, "not proven");
        let outcome = nights.night();
        assert_eq!((outcome.counts.stored, outcome.open_alarms), (1, 0));
        let newest = nights.versions(&key).swap_remove(0);
        assert_eq!(newest.evidence, Some(EvidenceClass::Length));
        for open in nights.open() {
            assert_eq!(open.finding.kind, "opaque-etags", "said once");
            nights.ack(&open.finding.id, false).unwrap();
        }
    }
    // Bytes that a checksum contradicts are an alarm all the same.
    nights.bucket.put_with("a", "spoilt", with_checksum());
    let flip = Fault::new(0).on(|key| key == "a");
    nights.bucket.with_faults(|f| f.flip = Some(flip));
    assert_eq!(nights.night().open_alarms, 1);
    assert_eq!(nights.latest("a").unwrap(), b"proven");
}

#[test]
fn times_that_a_server_tells_with_another_precision_are_the_same_times() {
    for milliseconds in [true, false] {
        let mut nights = Nights::new();
        nights.bucket.with_faults(|f| f.milliseconds = milliseconds);
        nights.clock.set(ms_after(nights.clock.now(), 345));
        nights.bucket.put("stored", "1");
        nights.bucket.put("contradicted", "2");
        let flip = Fault::new(0).on(|key| key == "contradicted");
        nights.bucket.with_faults(|f| f.flip = Some(flip));
        nights.night();

        nights.bucket.with_faults(|f| {
            f.milliseconds = !milliseconds;
            f.flip = None;
        });
        nights.bucket.reset_requests();
        let outcome = nights.night();
        assert_eq!((outcome.counts.touched, outcome.counts.stored), (0, 1));
        assert_eq!(nights.asked("GetObject"), 1, "what was in quarantine");
        assert_eq!(nights.versions("stored").len(), 1);
        assert_eq!(nights.versions("contradicted").len(), 1);

        nights.clock.set(ms_after(nights.clock.now(), 1000));
        nights.bucket.put("stored", "1");
        assert_eq!(
            nights.night().counts.touched,
            1,
            "a second later is another"
        );
        assert_eq!(nights.check().problems, []);
    }
}

/// A Raspberry Pi that starts at a time that was.
#[test]
fn p5_time_that_runs_backwards_is_a_warning_that_closes_by_itself() {
    const HOUR: i64 = 3_600_000;
    let mut nights = Nights::new();
    nights.bucket.put("a", "x");
    nights.night();
    let right = nights.last();
    // Half an hour is nothing.
    nights.clock.set(ms_after(right, -HOUR / 2));
    nights.pull().unwrap();
    assert_eq!(nights.open_kinds(), [""; 0]);
    for hours in [-2, -1000, -999] {
        nights.clock.set(ms_after(right, hours * HOUR));
        assert_eq!(nights.pull().unwrap().open_alarms, 0);
        assert_eq!(nights.open_kinds(), ["clock-back"], "{hours}");
    }
    nights.clock.set(ms_after(right, HOUR));
    nights.pull().unwrap();
    assert_eq!(nights.open_kinds(), [""; 0]);
    // One whose clock was ahead once, and whose owner knows.
    nights.clock.set(ms_after(right, 9_000 * HOUR));
    nights.pull().unwrap();
    nights.night();
    assert_eq!(nights.open_kinds(), ["clock-back"]);
    let id = nights.open()[0].finding.id.clone();
    nights.ack(&id, false).unwrap();
    nights.night();
    assert_eq!(nights.open_kinds(), [""; 0]);
}
