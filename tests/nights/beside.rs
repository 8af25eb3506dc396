//! What lies beside an object and says something about its bytes: sidecars and sums files.

use crate::support::Nights;
use crate::support::nights::ms_after;
use data_encoding::HEXLOWER;
use md5::Digest as _;
use offsite::demo::bucket::{Encryption, Fault, PutOptions};
use offsite::object::{EvidenceClass, State, Verdict};
use offsite::store::Area;
use ring::digest::{self, SHA1_FOR_LEGACY_USE_ONLY, SHA256, SHA512};

const KEY: &str = "db/site.tar.age";
const NAME: &str = "site.tar.age";
const GOOD: &[u8] = b"the bytes that were uploaded";

fn hex(algorithm: &'static digest::Algorithm, bytes: &[u8]) -> String {
    HEXLOWER.encode(digest::digest(algorithm, bytes).as_ref())
}

fn md5_of(bytes: &[u8]) -> String {
    HEXLOWER.encode(&md5::Md5::digest(bytes))
}

/// An object of which the bucket itself says nothing.
fn silent() -> PutOptions {
    PutOptions {
        encryption: Some(Encryption::Kms("a-key".to_owned())),
        ..PutOptions::default()
    }
}

/// Each kind of file, its key and what it says of `GOOD`, as the tools write it.
fn kinds() -> Vec<(&'static str, String)> {
    let sha256 = hex(&SHA256, GOOD);
    let sha512 = hex(&SHA512, GOOD);
    let sha1 = hex(&SHA1_FOR_LEGACY_USE_ONLY, GOOD);
    let md5 = md5_of(GOOD);
    vec![
        ("db/site.tar.age.sha256", format!("{sha256}  {NAME}\n")),
        ("db/site.tar.age.sha512", format!("{sha512}\r\n")),
        ("db/site.tar.age.sha1", format!("SHA1 ({NAME}) = {sha1}\n")),
        ("db/site.tar.age.md5", format!("{md5} *{NAME}\n")),
        (
            "db/SHA256SUMS",
            format!("{sha256}  other\n{sha256}  ./{NAME}\n"),
        ),
        ("db/sha512sum.txt", format!("{sha512}  {NAME}\n")),
        ("db/SHA1SUMS", format!("# by hand\n{sha1}  {NAME}\n")),
        ("db/md5sums", format!("\u{feff}{md5}  {NAME}\r\n")),
        ("db/CHECKSUM", format!("SHA256 ({NAME}) = {sha256}\n")),
    ]
}

#[track_caller]
fn is_quarantined_by(nights: &Nights, name: &str, case: &str) {
    assert_eq!(nights.versions(KEY)[0].state, State::Quarantined, "{case}");
    assert_eq!(nights.proof(KEY, name), Some(Verdict::Fails), "{case}");
    assert!(nights.latest(KEY).is_none(), "{case}");
    assert_eq!(nights.open_kinds(), ["contradiction"], "{case}");
}

#[test]
fn p4_each_file_beside_an_object_alone_catches_a_flipped_bit() {
    for (name, text) in kinds() {
        let mut nights = Nights::new();
        nights.bucket.put_with(KEY, GOOD, silent());
        nights.bucket.put(name, text.clone());
        assert_eq!(nights.night().open_alarms, 0, "{name}");
        assert_eq!(nights.proof(KEY, name), Some(Verdict::Holds), "{name}");
        let class = nights.versions(KEY)[0].evidence;
        assert_eq!(class, Some(EvidenceClass::UploaderClaim), "{name}");

        for place in [0, 13, GOOD.len() as u64 - 1] {
            let mut nights = Nights::new();
            nights.bucket.put_with(KEY, GOOD, silent());
            nights.bucket.put(name, text.clone());
            let flip = Fault::new(place).on(|key| key == KEY);
            nights.bucket.with_faults(|f| f.flip = Some(flip));
            nights.night();
            is_quarantined_by(&nights, name, &format!("{name} {place}"));
        }
    }
}

/// The bucket itself holds, and lists, less than was uploaded.
#[test]
fn p4_each_file_beside_an_object_alone_catches_a_shortened_body() {
    for (name, text) in kinds() {
        let mut nights = Nights::new();
        let (short, _) = GOOD.split_at(GOOD.len() - 1);
        nights.bucket.put_with(KEY, short, silent());
        nights.bucket.put(name, text);
        nights.night();
        is_quarantined_by(&nights, name, name);
    }
}

#[test]
fn a_sums_file_for_many_objects_is_read_once_more_and_nothing_else_is() {
    let mut nights = Nights::new();
    let mut sums = String::new();
    for n in 0..200 {
        let bytes = format!("object {n}").into_bytes();
        sums.push_str(&format!("{}  {n}\n", hex(&SHA256, &bytes)));
        nights
            .bucket
            .put_with(&format!("many/{n}"), bytes, silent());
        nights.bucket.put(&format!("few/{n}"), "x");
    }
    nights.bucket.put("many/SHA256SUMS", sums);
    assert_eq!(nights.night().open_alarms, 0);
    assert_eq!(nights.asked("GetObject"), 400 + 2);
    assert_eq!(nights.asked("HeadObject"), 0);
    for n in [0, 100, 199] {
        let key = format!("many/{n}");
        assert_eq!(nights.proof(&key, "many/SHA256SUMS"), Some(Verdict::Holds));
    }
}

#[test]
fn p5_a_file_beside_that_was_spoilt_on_its_way_is_read_again_and_no_alarm() {
    for (name, text) in kinds() {
        let mut nights = Nights::new();
        nights.bucket.put_with(KEY, GOOD, silent());
        nights.bucket.put(name, text.clone());
        // A digit of the digest, which becomes another one.
        let digit = text.rfind(['0', '2', '4', '6', '8']).unwrap() as u64;
        let flip = Fault::new(digit).on(move |key| key == name).times(1);
        nights.bucket.with_faults(|f| f.flip = Some(flip));
        assert_eq!(nights.night().open_alarms, 0, "{name}");
        assert_eq!(nights.latest(KEY).unwrap(), GOOD, "{name}");
        assert_eq!(nights.proof(KEY, name), Some(Verdict::Holds), "{name}");
        assert_eq!(nights.paths(Area::Quarantine), [""; 0], "{name}");
    }
}

#[test]
fn p5_what_says_nothing_about_an_object_raises_no_alarm() {
    let other = hex(&SHA256, b"other bytes");
    let name = "db/site.tar.age.sha256";
    for text in [
        String::new(),
        "no digest".to_owned(),
        format!("{other}  another.tar\n"),
        // More than is read.
        format!("{other}  {NAME}\n{}", "#\n".repeat(33 << 10)),
    ] {
        let mut nights = Nights::new();
        nights.bucket.put_with(KEY, GOOD, silent());
        nights.bucket.put(name, text.clone());
        assert_eq!(nights.night().open_alarms, 0);
        assert_eq!(nights.proof(KEY, name), None);
        assert_eq!(nights.latest(KEY).unwrap(), GOOD);
    }
    // One that cannot be read, and one that went after it was listed.
    for gone in [true, false] {
        let mut nights = Nights::new();
        nights.bucket.put_with(KEY, GOOD, silent());
        nights.bucket.put(name, format!("{other}  {NAME}\n"));
        if gone {
            let bucket = nights.bucket.clone();
            let hook = move |asked: &str, _: Option<&str>| {
                if asked == "GetObject" {
                    bucket.purge(name);
                }
            };
            nights
                .bucket
                .with_faults(|f| f.on_request = Some(std::sync::Arc::new(hook)));
        } else {
            let refuse = offsite::demo::bucket::Refusal::AccessDenied;
            let refuse = Fault::new(refuse).on(move |key| key == name);
            nights.bucket.with_faults(|f| f.refuse = Some(refuse));
        }
        nights.some_night().unwrap();
        assert_eq!(nights.latest(KEY).unwrap(), GOOD, "{gone}");
        assert_eq!(nights.open_kinds(), [""; 0], "{gone}");
    }
}

/// `sha256sum * >SHA256SUMS` lists the file itself while it is empty.
#[test]
fn p5_a_sums_file_says_nothing_about_itself() {
    let mut nights = Nights::new();
    let empty = hex(&SHA256, b"");
    let sums = format!("{empty}  SHA256SUMS\n{}  {NAME}\n", hex(&SHA256, GOOD));
    nights.bucket.put_with(KEY, GOOD, silent());
    nights
        .bucket
        .put_with("db/SHA256SUMS", sums.clone(), silent());
    assert_eq!(nights.night().open_alarms, 0);
    assert_eq!(nights.latest("db/SHA256SUMS").unwrap(), sums.as_bytes());
    assert_eq!(nights.proof(KEY, "db/SHA256SUMS"), Some(Verdict::Holds));
    // Written again, it comes later than its objects.
    nights.bucket.put("db/SHA256SUMS", format!("{sums}\n"));
    nights.night();
    assert_eq!(nights.events("db/SHA256SUMS"), [""; 0]);
}

#[test]
fn p4_an_old_sidecar_beside_a_new_object_is_not_used() {
    let mut nights = Nights::new();
    let name = "db/site.tar.age.sha256";
    nights.bucket.put_with(KEY, "the first bytes", silent());
    nights
        .bucket
        .put(name, hex(&SHA256, b"the first bytes") + "\n");
    nights.night();
    assert_eq!(nights.proof(KEY, name), Some(Verdict::Holds));
    nights.bucket.put_with(KEY, GOOD, silent());
    assert_eq!(nights.night().open_alarms, 0);
    assert_eq!(nights.proof(KEY, name), None, "a day older");
    assert_eq!(nights.latest(KEY).unwrap(), GOOD);

    // To the second: an uploader writes it at once.
    let now = nights.clock.now();
    for (ms, used) in [(-1000, false), (0, true), (-1, true)] {
        let mut nights = Nights::new();
        let at = |ms| PutOptions {
            modified: Some(ms_after(now, ms)),
            ..silent()
        };
        nights.bucket.put_with(KEY, GOOD, at(999));
        nights
            .bucket
            .put_with(name, hex(&SHA256, GOOD) + "\n", at(999 + ms));
        nights.bucket.with_faults(|f| f.milliseconds = true);
        nights.night();
        assert_eq!(nights.proof(KEY, name).is_some(), used, "{ms}");
    }
}

#[test]
fn p4_forged_sums_that_condemn_everything_move_nothing_and_are_said_once() {
    let forged = |n: usize| {
        let wrong = hex(&SHA256, b"what a thief would like");
        (0..n)
            .map(|n| format!("{wrong}  {n}\n"))
            .collect::<String>()
    };
    // Beside provider evidence, in the same night.
    let mut nights = Nights::new();
    for n in 0..50 {
        nights.bucket.put(&format!("db/{n}"), format!("object {n}"));
    }
    nights.bucket.put("db/SHA256SUMS", forged(50));
    assert_eq!(nights.night().open_alarms, 0);
    assert_eq!(nights.proof("db/7", "db/SHA256SUMS"), Some(Verdict::Silent));
    assert_eq!(nights.latest("db/7").unwrap(), b"object 7");
    assert_eq!(nights.events("db/SHA256SUMS"), [""; 0], "nothing is late");

    // Late, about objects of which the bucket says nothing.
    let mut nights = Nights::new();
    for n in 0..50 {
        let bytes = format!("object {n}");
        nights.bucket.put_with(&format!("db/{n}"), bytes, silent());
    }
    nights.night();
    let before = nights.tree();
    nights.bucket.put("db/SHA256SUMS", forged(50));
    for _ in 0..2 {
        assert_eq!(nights.night().open_alarms, 0);
        assert_eq!(nights.open_kinds(), [""; 0]);
        assert_eq!(nights.events("db/SHA256SUMS"), ["disputed"]);
        assert_eq!(nights.events("db/7"), [""; 0], "one for all");
        for (path, bytes) in &before {
            assert_eq!(nights.tree().get(path), Some(bytes), "{path}");
        }
    }
    // The same said again in other words.
    nights.bucket.put("db/SHA256SUMS", forged(50) + "\n");
    nights.night();
    assert_eq!(nights.events("db/SHA256SUMS"), ["disputed"]);
    nights.bucket.put("db/SHA256SUMS", forged(49));
    nights.night();
    assert_eq!(nights.events("db/SHA256SUMS"), ["disputed", "disputed"]);
    let said = nights.catalogue().events(Some("db/SHA256SUMS"), 1).unwrap();
    assert!(
        said[0].event.text.contains("of 49 stored objects"),
        "{said:?}"
    );
}

#[test]
fn p4_a_sidecar_that_comes_a_night_late_moves_nothing_and_is_said_where_it_contradicts() {
    let provider = PutOptions::default;
    for (name, text, put, events) in [
        ("sha256", hex(&SHA256, GOOD), silent(), 0),
        ("sha256", hex(&SHA256, b"other"), silent(), 1),
        ("md5", md5_of(b"other"), provider(), 1),
        ("md5", md5_of(GOOD), provider(), 0),
        // No MD5 is known.
        ("md5", md5_of(b"other"), silent(), 0),
        ("sha1", hex(&SHA1_FOR_LEGACY_USE_ONLY, b"x"), provider(), 0),
    ] {
        let mut nights = Nights::new();
        nights.bucket.put_with(KEY, GOOD, put);
        nights.night();
        nights.bucket.put(&format!("{KEY}.{name}"), text.clone());
        assert_eq!(nights.night().open_alarms, 0);
        assert_eq!(nights.latest(KEY).unwrap(), GOOD);
        assert_eq!(nights.versions(KEY).len(), 1);
        assert_eq!(nights.events(KEY).len(), events, "{name} {text}");
    }
    // One that is older than its object is not about it, and neither is one about a version that
    // is gone or fetched in the same run.
    let other = hex(&SHA256, b"other");
    let sidecar = "db/site.tar.age.sha256";
    let mut nights = Nights::new();
    nights.bucket.put_with(KEY, GOOD, silent());
    nights.night();
    let old = PutOptions {
        modified: Some(ms_after(nights.last(), -2 * 86_400_000)),
        ..PutOptions::default()
    };
    nights.bucket.put_with(sidecar, other.clone(), old);
    nights.night();
    assert_eq!(nights.events(KEY), [""; 0], "older");
    nights.bucket.put_with(KEY, "other", silent());
    nights.bucket.put(sidecar, other + "\n");
    nights.night();
    assert_eq!(nights.proof(KEY, sidecar), Some(Verdict::Holds));
    assert_eq!(nights.events(KEY), [""; 0], "both are new");
}

/// Nothing is asked about a repository's files, whatever lies beside them.
#[test]
fn files_of_a_repository_are_never_looked_up() {
    let pack = hex(&SHA256, GOOD);
    let restic = format!("repo/data/{}/{pack}", &pack[..2]);
    let kopia = "k/p0123456789abcdef0123456789abcdef-s0123456789abcdef".to_owned();
    let mut nights = Nights::new();
    nights.bucket.put("repo/config", "settings");
    nights.bucket.put("k/kopia.repository", "{}");
    for key in [&restic, &kopia, &"repo/config".to_owned()] {
        nights.bucket.put(key, GOOD);
        nights.bucket.put(&format!("{key}.sha256"), "0".repeat(64));
    }
    assert_eq!(nights.night().open_alarms, 0);
    assert_eq!(nights.asked("GetObject"), 7, "each object once");
    assert_eq!(nights.proof(&kopia, &format!("{kopia}.sha256")), None);
}

/// Metadata that lies, of an object of which the bucket says nothing.
#[test]
fn p4_metadata_that_lies_leaves_latest_as_it_was() {
    let mut nights = Nights::new();
    nights.bucket.put_with(KEY, GOOD, silent());
    nights.night();
    let lies = PutOptions {
        metadata: [("sha256".to_owned(), hex(&SHA256, b"other"))].into(),
        ..silent()
    };
    nights.bucket.put_with(KEY, "the thief's bytes", lies);
    assert_eq!(nights.night().open_alarms, 1);
    assert_eq!(nights.latest(KEY).unwrap(), GOOD);
    assert_eq!(nights.versions(KEY)[0].state, State::Quarantined);
    assert_eq!(nights.proof(KEY, "sha256"), Some(Verdict::Fails));
}
