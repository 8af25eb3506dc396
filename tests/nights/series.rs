//! What a series was until now says what its next version should be: encrypted, in the same format,
//! agreeing with its uploader's claims, readable. And ordinary life raises no alarm.

use super::content::{dump, openssl, random, zip};
use crate::support::nights::sha256;
use crate::support::{Nights, age};
use data_encoding::HEXLOWER;
use offsite::demo::bucket::{Encryption as AtRest, Fault, Faults, PutOptions, Refusal};
use offsite::object::{InBucket, Severity, SourceName, State, Verdict};
use offsite::series::Series;

/// The name of the backup of day `n`.
fn daily(n: u32) -> String {
    format!("site-202611{n:02}-030000utc.tar.gpg")
}

/// Three nights of an encrypted series.
fn encrypted() -> Nights {
    let mut nights = Nights::new();
    for n in 1..=3 {
        nights.bucket.put(&daily(n), openssl(9_000, n.into()));
        nights.night();
    }
    assert_eq!(nights.open_kinds(), [""; 0]);
    nights
}

#[test]
fn p5_a_series_that_loses_its_encryption_is_an_alarm() {
    for (bytes, kind) in [
        (dump(9_000), "encryption-lost"),
        (zip(60, 1), "encryption-lost"),
        (vec![7; 4_096], "encryption-lost"),
        (age(9_000, 9), "encryption-changed"),
    ] {
        let mut nights = encrypted();
        nights.source.encryption = offsite::config::Encryption::Ignore;
        nights.bucket.put(&daily(4), bytes.clone());
        assert_eq!(nights.night().open_alarms, 1, "{kind}");
        let found = nights.open().remove(0).finding;
        assert_eq!(
            (found.kind.as_str(), found.severity),
            (kind, Severity::Alarm)
        );
        assert!(
            found.advice.evidence.contains("encrypted openssl")
                && found.advice.evidence.contains("site-*-*utc.tar.gpg"),
            "{found:?}"
        );
        assert_eq!(nights.latest(&daily(4)).unwrap(), bytes, "kept");
        assert_eq!(nights.latest(&daily(3)).unwrap(), openssl(9_000, 3));
        // Said once, however often it comes.
        nights.bucket.put(&daily(5), [bytes, vec![0]].concat());
        nights.night();
        assert_eq!(nights.open_kinds(), [kind]);
    }
}

#[test]
fn p5_several_in_one_run_are_one_alarm_a_series() {
    let mut nights = encrypted();
    nights.source.encryption = offsite::config::Encryption::Ignore;
    for n in 4..14 {
        nights.bucket.put(&daily(n), dump(9_000 + n as usize));
    }
    nights.night();
    assert_eq!(nights.open_kinds(), ["encryption-lost"]);
}

#[test]
fn what_tells_nothing_is_no_loss() {
    let mut nights = encrypted();
    // An upload that was cut off, a note, something too small to be judged.
    for (n, bytes) in [vec![], b"failed\n".to_vec(), vec![7; 4_095]]
        .into_iter()
        .enumerate()
    {
        nights.bucket.put(&daily(4 + n as u32), bytes);
    }
    assert_eq!(nights.night().open_alarms, 0);
    // And disarms nothing.
    nights.bucket.put(&daily(9), zip(9_000, 1));
    assert_eq!(nights.night().open_alarms, 1);
}

/// After an owner's change of format the series is protected as before.
#[test]
fn a_changed_format_is_settled_by_an_acknowledgement() {
    let mut nights = encrypted();
    nights.bucket.put(&daily(4), age(9_000, 4));
    nights.night();
    let id = nights.open().remove(0).finding.id;
    nights.ack(&id, false).unwrap();
    for n in 5..8 {
        nights.bucket.put(&daily(n), age(9_000, n.into()));
        assert_eq!(nights.night().open_alarms, 0);
    }
    nights.bucket.put(&daily(8), dump(9_000));
    nights.night();
    assert!(nights.open_kinds().contains(&"encryption-lost".to_owned()));
}

/// Everything that ordinary jobs write, for a month: rotation, both kinds under one pattern, a
/// repository, archives that grow into parts, a first night of all that was there before.
#[test]
fn p5_ordinary_life_raises_no_alarm() {
    let mut nights = Nights::new();
    nights.limits.max_bytes = Some(300_000);
    // What was there before, readable and encrypted under one pattern, in no order. It takes
    // several nights to bring it home.
    for n in 1..60 {
        let bytes = match n % 3 {
            0 => dump(9_000 + n),
            1 => openssl(9_000, n as u64),
            _ => age(9_000, n as u64),
        };
        nights.bucket.put(&format!("mixed-{n}.bak"), bytes);
        nights
            .bucket
            .put(&format!("only-{n}.gpg"), openssl(9_000, n as u64));
    }
    for _ in 0..6 {
        nights.some_night().unwrap();
        assert_eq!(nights.catalogue().open_alarms().unwrap(), 0);
    }
    nights.limits.max_bytes = None;
    for n in 1..30_u32 {
        day_of_ordinary_life(&nights, n);
        let outcome = nights.some_night().unwrap();
        assert_eq!(outcome.open_alarms, 0, "night {n}: {:#?}", nights.open());
    }
}

fn day_of_ordinary_life(nights: &Nights, n: u32) {
    let seed = u64::from(n);
    let put = |key: &str, bytes: Vec<u8>| nights.bucket.put(key, bytes);
    nights.bucket.put("repo/config", random(160, 5));
    for (folder, size) in [("data", 20_000), ("index", 5_000), ("snapshots", 300)] {
        let bytes = random(size, seed * 7 + size as u64);
        let hex = sha256(&bytes).to_string();
        let folder = match folder {
            "data" => format!("data/{}", &hex[..2]),
            other => other.to_owned(),
        };
        put(&format!("repo/{folder}/{hex}"), bytes);
    }
    // A backup and its text under one pattern, each day; digests beside it.
    put(&format!("www-{n}.bak"), openssl(9_000, seed));
    put(&format!("www-{n}.bak.sha256"), vec![b'0'; 64]);
    match n % 2 {
        0 => put(&format!("mixed-{n}.bak"), openssl(9_000, seed)),
        _ => put(&format!("mixed-{n}.bak"), dump(9_000)),
    };
    // Names that rotate.
    put(&format!("db.{}.age", n % 7), age(9_000, seed));
    put("latest.age", age(9_000, seed));
    // An archive that grows into parts: the last has the archive's own name.
    if n > 20 {
        put(&format!("big-{n}.j01"), jps(40_000, seed));
        put(&format!("big-{n}.j02"), random(40_000, seed + 1));
        put(&format!("big-{n}.jps"), random(9_000, seed + 2));
        put(&format!("split-{n}.gpg.2"), random(9_000, seed + 3));
    } else {
        put(&format!("big-{n}.jps"), jps(9_000, seed));
    }
    put(&format!("split-{n}.gpg.1"), openssl(9_000, seed));
    // Both formats for good.
    match n % 5 {
        0 => put(&format!("mixed-{n}.bak"), zip(9_000, seed)),
        _ => put(&format!("readable-{n}.zip"), zip(9_000, seed)),
    };
}

/// As Akeeba writes it.
fn jps(length: usize, seed: u64) -> Vec<u8> {
    let header = b"JPS\x02\0\0\0\0".to_vec();
    let mut bytes = header;
    bytes.extend(random(length, seed));
    bytes
}

/// An upload with an MD5 of `of` in its metadata, as s3cmd writes it.
fn with_md5(of: &[u8]) -> PutOptions {
    use md5::Digest as _;
    let md5 = HEXLOWER.encode(&md5::Md5::digest(of));
    PutOptions {
        metadata: [("s3cmd-attrs".to_owned(), format!("md5:{md5}/uid:0"))].into(),
        ..PutOptions::default()
    }
}

fn verdict(nights: &Nights, key: &str) -> Verdict {
    nights.proof(key, "s3cmd-attrs").unwrap()
}

#[test]
fn p4_a_claim_that_always_held_is_no_claim_about_other_bytes() {
    let mut nights = Nights::new();
    for n in 1..=2 {
        let bytes = openssl(9_000, n.into());
        nights
            .bucket
            .put_with(&daily(n), bytes.clone(), with_md5(&bytes));
        nights.night();
        assert_eq!(verdict(&nights, &daily(n)), Verdict::Holds);
    }
    // The bucket's own digests are the attacker's as well; the metadata is the job's.
    let planted = openssl(9_000, 66);
    nights
        .bucket
        .put_with(&daily(3), planted.clone(), with_md5(b"the real backup"));
    assert_eq!(nights.night().open_alarms, 1);
    assert_eq!(nights.open_kinds(), ["contradiction"]);
    assert_eq!(verdict(&nights, &daily(3)), Verdict::Fails);
    assert_eq!(nights.states(&daily(3))[0].0, State::Quarantined);
    assert_eq!(nights.quarantine(&daily(3)), [planted]);
    assert_eq!(nights.latest(&daily(3)), None);
}

/// `s3cmd --encrypt` beside `s3cmd` under one pattern, from the first night on.
#[test]
fn p5_claims_about_other_bytes_are_no_alarm_where_they_were_there_before() {
    let mut nights = Nights::new();
    for n in 1..20 {
        let bytes = openssl(9_000, n.into());
        let of = match n % 2 {
            0 => bytes.clone(),
            _ => b"before it was encrypted".to_vec(),
        };
        nights.bucket.put_with(&daily(n), bytes, with_md5(&of));
        if n > 10 {
            assert_eq!(nights.night().open_alarms, 0, "{n}");
        }
    }
    let source = SourceName::new("www").unwrap();
    let series = Series::of(&crate::support::nights::key(&daily(1)));
    let story = nights.catalogue().story(&source, &series).unwrap().unwrap();
    assert_eq!(story.claims_held, story.claims_silent);
    assert_eq!(story.contents, ["encrypted openssl"]);
}

fn customer() -> PutOptions {
    PutOptions {
        encryption: Some(AtRest::Customer),
        ..PutOptions::default()
    }
}

/// Whoever has a key that writes encrypts all objects anew with a key of their own.
#[test]
fn p5_a_series_that_becomes_unreadable_is_an_alarm() {
    let mut nights = encrypted();
    for n in 1..=3 {
        nights
            .bucket
            .put_with(&daily(n), openssl(9_000, n.into()), customer());
    }
    // A series that never could be read is not this.
    nights.bucket.put_with("mail.tar", "x", customer());
    assert_eq!(nights.some_night().unwrap().open_alarms, 1);
    let found = nights.open().remove(0).finding;
    assert_eq!(found.kind, "became-unreadable");
    assert!(found.advice.next.contains("SSE-C"), "{found:?}");
    assert_eq!(
        nights.states(&daily(1))[0],
        (State::Unreadable, InBucket::Current)
    );
    assert_eq!(nights.latest(&daily(1)).unwrap(), openssl(9_000, 1));
    // Once a series while it is open; never about what is known.
    nights.bucket.put_with(&daily(4), "x", customer());
    nights.some_night().unwrap();
    assert_eq!(nights.open().len(), 1);
    nights.ack(&found.id, false).unwrap();
    nights.some_night().unwrap();
    assert_eq!(nights.open_kinds(), [""; 0]);
}

#[test]
fn p5_what_could_never_be_read_is_no_alarm() {
    let mut nights = Nights::new();
    // There from the beginning, readable and not under one pattern.
    nights.bucket.put(&daily(1), openssl(9_000, 1));
    nights.bucket.put_with(&daily(2), "x", customer());
    for n in 3..6 {
        nights
            .bucket
            .put_with(&format!("mail-{n}.tar"), "x", customer());
        assert_eq!(nights.some_night().unwrap().open_alarms, 0);
    }
    assert_eq!(nights.events(&daily(2)), ["unreadable"]);
}

/// One object that the key is refused may be an attack; all of them are the key.
#[test]
fn p5_refusals_are_an_alarm_only_beside_what_can_be_read() {
    let refuse = |nights: &Nights, what: fn(&str) -> bool| {
        let fault = Fault::new(Refusal::AccessDenied).on(move |key: &str| what(key));
        nights.faults(Faults {
            refuse: Some(fault),
            ..Faults::default()
        });
    };
    let mut nights = encrypted();
    nights.bucket.put(&daily(4), openssl(9_000, 4));
    refuse(&nights, |key| key.starts_with("site-"));
    assert!(nights.some_night().is_err(), "the key may read nothing");
    assert_eq!(nights.open_kinds(), [""; 0]);

    let mut nights = encrypted();
    nights.bucket.put(&daily(4), openssl(9_000, 4));
    nights.bucket.put("other", "x");
    refuse(&nights, |key| key.starts_with("site-"));
    nights.some_night().unwrap();
    assert_eq!(nights.open_kinds(), ["became-unreadable"]);
}
