//! What objects are: judged as they arrive, recorded, counted, and held against what the owner wants.

use crate::support::{Nights, age};
use offsite::config::Encryption;
use offsite::demo::bucket::{Fault, Faults, PutOptions, Refusal};
use offsite::object::{EvidenceClass, Severity, SourceName, State};
use offsite::outcome::Ended;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Bytes that repeat themselves nowhere; others for another seed.
pub(crate) fn random(length: usize, seed: u64) -> Vec<u8> {
    let mut bytes = vec![0; length];
    fastrand::Rng::with_seed(seed).fill(&mut bytes);
    bytes
}

/// As `openssl enc` writes it.
pub(crate) fn openssl(length: usize, seed: u64) -> Vec<u8> {
    [b"Salted__".to_vec(), random(length, seed)].concat()
}

/// As `mysqldump` writes it.
pub(crate) fn dump(length: usize) -> Vec<u8> {
    let line = b"INSERT INTO `orders` VALUES (1,'express','Malmo');\n";
    let text = line.iter().copied().cycle().take(length);
    b"-- MySQL dump 10.19\n"
        .iter()
        .copied()
        .chain(text)
        .collect()
}

/// As `zip` writes it.
pub(crate) fn zip(length: usize, seed: u64) -> Vec<u8> {
    let header = b"PK\x03\x04\x14\0\0\0\x08\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x01\0\0\0a";
    [header.to_vec(), random(length, seed)].concat()
}

fn content(nights: &Nights, key: &str) -> Option<String> {
    nights.versions(key).swap_remove(0).content
}

#[test]
fn each_object_is_judged_once_and_the_verdict_is_everywhere() {
    let mut nights = Nights::new();
    nights.source.encryption = Encryption::Ignore;
    let hex = nights_pack(&random(5_000, 9));
    let by_client = PutOptions {
        metadata: ["x-amz-key-v2", "x-amz-iv"]
            .map(|name| (name.to_owned(), "c2VjcmV0".to_owned()))
            .into(),
        ..PutOptions::default()
    };
    let large = age(3 << 20, 1);
    for (key, bytes, options, expected) in [
        ("a.age", age(9_000, 1), None, Some("encrypted age")),
        ("large.age", large, None, Some("encrypted age")),
        ("b.sql", dump(9_000), None, Some("plaintext sql")),
        ("c.bin", vec![7; 9_000], None, Some("unknown")),
        ("note.txt", b"all in order\n".to_vec(), None, None),
        ("empty", vec![], None, None),
        (
            "d.tar",
            random(9_000, 3),
            Some(by_client),
            Some("encrypted s3-client-side"),
        ),
        (
            "repo/config",
            random(160, 5),
            None,
            Some("encrypted restic"),
        ),
        (
            hex.as_str(),
            random(5_000, 9),
            None,
            Some("encrypted restic"),
        ),
    ] {
        nights
            .bucket
            .put_with(key, bytes, options.unwrap_or_default());
        nights.night();
        assert_eq!(content(&nights, key).as_deref(), expected, "{key}");
    }
    assert_eq!(nights.open_kinds(), [""; 0]);
    let source = SourceName::new("www").unwrap();
    let kinds = nights.catalogue().kinds(&source).unwrap();
    let encrypted = kinds
        .iter()
        .filter(|k| k.content.as_deref() == Some("encrypted age"));
    assert_eq!(encrypted.map(|k| k.versions).sum::<u64>(), 2);
    let shown = nights.offsite(&["status"]).stdout;
    assert!(
        shown.contains("  proven by: content-name 1, provider 8\n"),
        "{shown}"
    );
    assert!(
        shown.contains("  encrypted 5; not encrypted 1: sql 1; unknown 1\n"),
        "{shown}"
    );
    let told = nights.offsite(&["status", "--json"]).stdout;
    let told: serde_json::Value = serde_json::from_str(&told).unwrap();
    assert_eq!(told["sources"][0]["content"]["encrypted age"], 2);
    assert_eq!(told["sources"][0]["evidence"]["content-name"], 1);
    let listed = nights.offsite(&["ls", "--json", "b.sql"]).exits(0).stdout;
    assert!(listed.contains(r#""content":"plaintext sql""#), "{listed}");
    let shown = nights.offsite(&["show", "b.sql"]).exits(0).stdout;
    assert!(shown.contains("content        plaintext sql"), "{shown}");
    nights.offsite(&["catalogue", "rebuild"]).exits(0);
    assert_eq!(content(&nights, "b.sql").as_deref(), Some("plaintext sql"));
}

/// The key of a pack of these bytes in the repository `repo/`.
fn nights_pack(bytes: &[u8]) -> String {
    let hex = crate::support::nights::sha256(bytes).to_string();
    format!("repo/data/{}/{hex}", &hex[..2])
}

/// So many ranges are served, and then none.
fn refuse_after(nights: &Nights, ranges: u64) {
    let (bucket, served) = (nights.bucket.clone(), AtomicU64::new(0));
    let hook = move |operation: &str, _: Option<&str>| {
        if operation == "GetObject" && served.fetch_add(1, Ordering::SeqCst) == ranges {
            let refuse = Fault::new(Refusal::InternalError).on(|_| true);
            bucket.with_faults(|faults| faults.refuse = Some(refuse));
        }
    };
    nights.faults(Faults {
        on_request: Some(Arc::new(hook)),
        ..Faults::default()
    });
}

/// One bit at the beginning of what is in `incoming/` is another.
fn rot(nights: &Nights) {
    let files = std::fs::read_dir(nights.shelf().join("incoming")).unwrap();
    let mut rotten = 0;
    for file in files.map(|file| file.unwrap().path()) {
        let mut bytes = std::fs::read(&file).unwrap();
        if bytes.len() > 200_000 {
            bytes[10] ^= 1;
            std::fs::write(&file, bytes).unwrap();
            rotten += 1;
        }
    }
    assert_eq!(rotten, 1);
}

/// A large object that comes in two runs is judged by all of it.
#[test]
fn a_resumed_download_is_judged_by_all_of_its_bytes() {
    let readable = [dump(1 << 20), random(2 << 20, 1)].concat();
    // Only the beginning, which the first run brought, tells what it is. Where that has rotted
    // meanwhile, all of it comes again.
    for (bytes, rots, expected) in [
        (readable.clone(), false, "plaintext sql"),
        (readable, true, "plaintext sql"),
        (age(3 << 20, 1), true, "encrypted age"),
    ] {
        let mut nights = Nights::new();
        nights.source.encryption = Encryption::Ignore;
        nights.bucket.put("large", bytes);
        refuse_after(&nights, 6);
        let outcome = nights.some_night().unwrap();
        assert_eq!(outcome.ended, Ended::Partial);
        nights.faults(Faults::default());
        if rots {
            rot(&nights);
        }
        nights.bucket.reset_requests();
        nights.night();
        let asked = nights.asked("GetObject");
        assert_eq!((1..12).contains(&asked), !rots, "{asked} of 12 ranges");
        assert_eq!(content(&nights, "large").as_deref(), Some(expected));
    }
}

/// The same bytes again under a new identity.
#[test]
fn a_touch_is_judged_too() {
    let mut nights = Nights::new();
    for _ in 0..2 {
        nights.bucket.put("a.age", age(9_000, 1));
        nights.night();
        assert_eq!(content(&nights, "a.age").as_deref(), Some("encrypted age"));
    }
    assert_eq!(nights.journalled("touch"), 1);
}

/// A rule that looks for markers costs a few questions a folder, not one an object.
#[test]
fn ordinary_objects_cost_no_request_more() {
    let mut nights = Nights::new();
    for n in 0..50 {
        nights.bucket.put(&format!("docs/{n}"), "x");
    }
    nights.night();
    assert_eq!(nights.asked("GetObject"), 50);
    assert_eq!(nights.asked("HeadObject"), 0);
}

#[test]
fn p5_a_readable_format_is_said_once_for_each_source() {
    let mut nights = Nights::new();
    nights.bucket.put("db-1.sql", dump(9_000));
    nights.bucket.put("db-2.sql", dump(9_001));
    nights.bucket.put("note.txt", "short\n");
    nights.bucket.put("c.bin", vec![7; 9_000]);
    let outcome = nights.night();
    assert_eq!(outcome.open_alarms, 0);
    assert_eq!(nights.open_kinds(), ["readable-sql"]);
    let found = nights.open().remove(0).finding;
    assert_eq!(found.severity, Severity::Warning);
    assert!(
        found.advice.what.contains("2 versions") && found.advice.what.contains("such as db-"),
        "{found:?}"
    );
    assert_eq!(nights.latest("db-1.sql").unwrap(), dump(9_000), "kept");
    nights.ack(&found.id, false).unwrap();
    // Never again for this format, once for another.
    nights.bucket.put("db-3.sql", dump(9_002));
    nights.night();
    assert_eq!(nights.open_kinds(), [""; 0]);
    nights.bucket.put("site.zip", zip(9_000, 1));
    nights.night();
    nights.bucket.put("site2.zip", zip(9_000, 2));
    nights.night();
    assert_eq!(nights.open_kinds(), ["readable-zip"]);
}

#[test]
fn p5_what_must_be_encrypted_and_is_not_is_an_alarm() {
    let mut nights = Nights::new();
    nights.source.encryption = Encryption::Require;
    nights.bucket.put("a.age", age(9_000, 1));
    nights.bucket.put("note.txt", "short\n");
    assert_eq!(nights.night().open_alarms, 0);
    assert_eq!(nights.open_kinds(), [""; 0]);
    for n in 0..3 {
        nights.bucket.put(&format!("site-{n}.zip"), zip(9_000, n));
    }
    nights.bucket.put("raw.bin", vec![7; 9_000]);
    assert_eq!(nights.night().open_alarms, 1);
    let open = nights.open();
    let kinds: Vec<_> = open
        .iter()
        .map(|row| (row.finding.kind.as_str(), row.finding.severity))
        .collect();
    assert_eq!(
        kinds,
        [
            ("not-encrypted-zip", Severity::Alarm),
            ("not-recognised", Severity::Warning)
        ]
    );
    let what = &open[0].finding.advice.what;
    assert!(what.contains("3 new versions"), "{what}");
    assert_eq!(nights.states("site-1.zip")[0].0, State::Stored, "kept");
    // Once while it is open; anew when it was acknowledged and goes on.
    nights.bucket.put("site-4.zip", zip(9_000, 4));
    nights.night();
    assert_eq!(nights.open().len(), 2);
    for finding in nights.open() {
        nights.ack(&finding.finding.id, false).unwrap();
    }
    nights.night();
    assert_eq!(nights.open_kinds(), [""; 0]);
    nights.bucket.put("site-5.zip", zip(9_000, 5));
    nights.night();
    assert_eq!(nights.open_kinds(), ["not-encrypted-zip"]);
}

#[test]
fn who_wants_to_hear_nothing_hears_nothing() {
    let mut nights = Nights::new();
    nights.source.encryption = Encryption::Ignore;
    nights.bucket.put("site.zip", zip(9_000, 1));
    nights.night();
    assert_eq!(nights.open_kinds(), [""; 0]);
    // The owner thinks again: it is said then.
    nights.source.encryption = Encryption::Warn;
    nights.night();
    assert_eq!(nights.open_kinds(), ["readable-zip"]);
}

/// A held version that the owner accepts keeps what it was judged to be.
#[test]
fn an_accepted_version_keeps_its_content() {
    let name = "site-20261101-030000utc.tar.age";
    let mut nights = Nights::new();
    nights.bucket.put(name, age(9_000, 1));
    nights.night();
    nights.night();
    nights.bucket.put(name, age(9_000, 2));
    nights.night();
    let id = nights.open().remove(0).finding.id;
    nights.ack(&id, true).unwrap();
    assert_eq!(content(&nights, name).as_deref(), Some("encrypted age"));
    assert_eq!(nights.latest(name).unwrap(), age(9_000, 2));
    assert_eq!(
        nights.versions(name)[0].evidence,
        Some(EvidenceClass::Provider)
    );
}
