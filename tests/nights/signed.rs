//! Objects that must be signed, with signatures of the real minisign.

use crate::support::nights::ms_after;
use crate::support::{Nights, tool};
use offsite::config::{Demands, Filter};
use offsite::demo::bucket::{Encryption, Fault, PutOptions, Refusal};
use offsite::object::{EvidenceClass, InBucket, Severity, State, Verdict};
use offsite::outcome::Ended;
use offsite::store::Area;
use offsite::upkeep::Acknowledged;
use std::process::Command;
use tempfile::TempDir;

const KEY: &str = "db/site.tar.age";
const SIGNATURE: &str = "db/site.tar.age.minisig";
const GOOD: &[u8] = b"the bytes that were signed";

/// A key pair, on a machine that is not the server.
struct Signer(TempDir);

impl Signer {
    fn new() -> Self {
        let folder = tempfile::Builder::new()
            .prefix("signer-")
            .tempdir_in(env!("CARGO_TARGET_TMPDIR"))
            .unwrap();
        let signer = Self(folder);
        signer.run(&["-G", "-W", "-p", "minisign.pub", "-s", "minisign.key"]);
        signer
    }

    fn run(&self, args: &[&str]) {
        let answer = Command::new(tool("minisign"))
            .args(args)
            .current_dir(self.0.path())
            .env("HOME", self.0.path())
            .output()
            .unwrap();
        assert!(answer.status.success(), "minisign {args:?}: {answer:?}");
    }

    /// The line for the configuration.
    fn key(&self) -> String {
        let text = std::fs::read_to_string(self.0.path().join("minisign.pub")).unwrap();
        text.lines().nth(1).unwrap().to_owned()
    }

    /// The signature of a file with this name.
    fn sign(&self, name: &str, bytes: &[u8], more: &[&str]) -> Vec<u8> {
        std::fs::write(self.0.path().join(name), bytes).unwrap();
        let args = [&["-S", "-s", "minisign.key", "-m", name][..], more].concat();
        self.run(&args);
        std::fs::read(self.0.path().join(format!("{name}.minisig"))).unwrap()
    }

    fn signs(&self, bytes: &[u8]) -> Vec<u8> {
        self.sign("site.tar.age", bytes, &[])
    }
}

/// Nights of a bucket of which every object must be signed by `signer`.
fn nights(signer: &Signer) -> Nights {
    let mut nights = Nights::new();
    let least = Some(EvidenceClass::Signed);
    nights.source.demands = Demands::new(&[signer.key()], &[], least).unwrap();
    nights
}

#[track_caller]
fn is_held(nights: &Nights, case: &str) {
    let states = [(State::Held, InBucket::Current)];
    assert_eq!(nights.states(KEY), states, "{case}");
    assert!(nights.latest(KEY).is_none(), "{case}");
    assert_eq!(nights.history(KEY).len(), 1, "{case}");
    assert_eq!(nights.open_kinds(), ["unsigned"], "{case}");
    let finding = nights.open().pop().unwrap().finding;
    assert_eq!(finding.severity, Severity::Alarm, "{case}");
    let next = format!("ack {} --accept", finding.id);
    assert!(finding.advice.next.contains(&next), "{case}: {finding:?}");
}

#[track_caller]
fn is_signed(nights: &Nights, key: &str, by: &str) {
    assert_eq!(nights.proof(key, by), Some(Verdict::Holds));
    let newest = nights.versions(key).swap_remove(0);
    assert_eq!(newest.evidence, Some(EvidenceClass::Signed));
    assert_eq!(newest.state, State::Stored);
}

#[test]
#[cfg_attr(without_minisign, ignore = "OFFSITE_TEST_WITHOUT names minisign")]
fn p4_a_good_signature_lets_in_and_bad_bytes_are_quarantined() {
    let signer = Signer::new();
    // Of its digest, and of the file itself as older versions make it.
    for more in [&["-H"][..], &["-l"]] {
        let signature = signer.sign("site.tar.age", GOOD, more);
        let mut nights = nights(&signer);
        nights.bucket.put(KEY, GOOD);
        nights.bucket.put(SIGNATURE, signature.clone());
        assert_eq!(nights.night().open_alarms, 0, "{more:?}");
        is_signed(&nights, KEY, SIGNATURE);
        assert_eq!(nights.latest(KEY).unwrap(), GOOD);
        assert!(
            nights.latest(SIGNATURE).is_some(),
            "not to be signed itself"
        );

        // A thief who has the uploader's key writes what he likes: the bucket's own evidence holds.
        for bytes in [&GOOD[1..], b"the thief's"] {
            let mut nights = self::nights(&signer);
            nights.bucket.put(KEY, bytes);
            nights.bucket.put(SIGNATURE, signature.clone());
            nights.night();
            assert_eq!(nights.open_kinds(), ["contradiction"], "{more:?}");
            assert_eq!(nights.proof(KEY, SIGNATURE), Some(Verdict::Fails));
            assert_eq!(nights.versions(KEY)[0].state, State::Quarantined);
            assert!(nights.latest(KEY).is_none());
        }
    }
}

/// With nothing else to compare with, wherever the bit is; large enough to come in ranges.
#[test]
#[cfg_attr(without_minisign, ignore = "OFFSITE_TEST_WITHOUT names minisign")]
fn p4_a_signature_alone_catches_a_flipped_bit() {
    let signer = Signer::new();
    let bytes: Vec<u8> = (0..1_500_000_u32).map(|n| (n % 251) as u8).collect();
    let signature = signer.signs(&bytes);
    let silent = PutOptions {
        encryption: Some(Encryption::Kms("a-key".to_owned())),
        ..PutOptions::default()
    };
    for place in [0, 700_000, 1_499_999] {
        let mut nights = nights(&signer);
        nights.bucket.put_with(KEY, bytes.clone(), silent.clone());
        nights.bucket.put(SIGNATURE, signature.clone());
        let flip = Fault::new(place).on(|key| key == KEY);
        nights.bucket.with_faults(|f| f.flip = Some(flip));
        nights.night();
        assert_eq!(nights.versions(KEY)[0].state, State::Quarantined);
        assert_eq!(nights.proof(KEY, SIGNATURE), Some(Verdict::Fails));
        nights.bucket.with_faults(|f| f.flip = None);
        nights.night();
        is_signed(&nights, KEY, SIGNATURE);
        assert_eq!(nights.latest(KEY).unwrap(), bytes);
    }
}

#[test]
#[cfg_attr(without_minisign, ignore = "OFFSITE_TEST_WITHOUT names minisign")]
fn p5_a_signature_that_was_spoilt_on_its_way_is_read_again_and_no_alarm() {
    let signer = Signer::new();
    let signature = signer.signs(GOOD);
    let text = String::from_utf8(signature.clone()).unwrap();
    let digit = text.find("timestamp:").unwrap() as u64 + 12;
    let mut nights = nights(&signer);
    nights.bucket.put(KEY, GOOD);
    nights.bucket.put(SIGNATURE, signature);
    let flip = Fault::new(digit).on(|key| key == SIGNATURE).times(1);
    nights.bucket.with_faults(|f| f.flip = Some(flip));
    assert_eq!(nights.night().open_alarms, 0);
    is_signed(&nights, KEY, SIGNATURE);
    assert_eq!(nights.paths(Area::Quarantine), [""; 0]);
}

#[test]
#[cfg_attr(without_minisign, ignore = "OFFSITE_TEST_WITHOUT names minisign")]
fn p4_a_signature_played_again_under_another_name_is_refused() {
    let signer = Signer::new();
    let of_another = signer.sign("old-site.tar.age", GOOD, &[]);
    let mut nights = nights(&signer);
    nights.bucket.put(KEY, GOOD);
    nights.bucket.put(SIGNATURE, of_another);
    nights.night();
    assert_eq!(nights.open_kinds(), ["contradiction"]);
    assert_eq!(nights.versions(KEY)[0].state, State::Quarantined);
    // A signer who says nothing of the name in his words vouches for the bytes alone.
    let nameless = signer.sign("old-site.tar.age", GOOD, &["-t", "by hand"]);
    let mut nights = self::nights(&signer);
    nights.bucket.put(KEY, GOOD);
    nights.bucket.put(SIGNATURE, nameless);
    nights.night();
    is_signed(&nights, KEY, SIGNATURE);
}

#[test]
#[cfg_attr(without_minisign, ignore = "OFFSITE_TEST_WITHOUT names minisign")]
fn p4_what_is_not_signed_is_held_until_the_owner_accepts_it() {
    let (signer, thief) = (Signer::new(), Signer::new());
    let older = PutOptions {
        modified: Some("2026-10-30T00:00:00Z".parse().unwrap()),
        ..PutOptions::default()
    };
    let large = vec![7; (1 << 20) + 1];
    let legacy = signer.sign("site.tar.age", &large, &["-l"]);
    for (case, bytes, signature, put) in [
        ("none", GOOD, None, PutOptions::default()),
        (
            "another key",
            GOOD,
            Some(thief.signs(GOOD)),
            PutOptions::default(),
        ),
        (
            "no signature",
            GOOD,
            Some(b"hello".to_vec()),
            PutOptions::default(),
        ),
        (
            "older than the object",
            GOOD,
            Some(signer.signs(GOOD)),
            older,
        ),
        ("without -H", &large, Some(legacy), PutOptions::default()),
    ] {
        let mut nights = nights(&signer);
        nights.bucket.put(KEY, bytes);
        if let Some(signature) = signature {
            nights.bucket.put_with(SIGNATURE, signature, put);
        }
        let outcome = nights.night();
        assert_eq!((outcome.counts.held, outcome.open_alarms), (1, 1), "{case}");
        is_held(&nights, case);
        nights.night();
        is_held(&nights, case);
        // The same bytes uploaded again are held already.
        nights.bucket.put(KEY, bytes);
        nights.night();
        assert_eq!(nights.history(KEY).len(), 1, "{case}");
        assert_eq!(nights.open_kinds(), ["unsigned"], "{case}");
        let id = nights.open().pop().unwrap().finding.id;
        assert_eq!(nights.ack(&id, true).unwrap(), Acknowledged::Accepted);
        assert_eq!(nights.latest(KEY).unwrap(), bytes, "{case}");
        assert_eq!(nights.night().open_alarms, 0, "{case}");
        assert_eq!(nights.check().problems, [], "{case}");
    }
}

/// What stands in `latest/` stays there; only some keys must be signed.
#[test]
#[cfg_attr(without_minisign, ignore = "OFFSITE_TEST_WITHOUT names minisign")]
fn p4_an_unsigned_newcomer_does_not_replace_what_is_signed() {
    let signer = Signer::new();
    let mut nights = Nights::new();
    let signed = ["db/*.age".to_owned()];
    nights.source.demands = Demands::new(&[signer.key()], &signed, None).unwrap();
    nights.bucket.put(KEY, GOOD);
    nights.bucket.put(SIGNATURE, signer.signs(GOOD));
    nights.bucket.put("www/x.age", "not to be signed");
    assert_eq!(nights.night().open_alarms, 0);
    nights.bucket.put(KEY, "the thief's");
    nights.bucket.put("www/x.age", "and again");
    nights.night();
    assert_eq!(nights.open_kinds(), ["unsigned"], "the signature is older");
    assert_eq!(nights.latest(KEY).unwrap(), GOOD);
    assert_eq!(nights.history(KEY), [b"the thief's"]);
    assert_eq!(nights.latest("www/x.age").unwrap(), b"and again");
}

/// Where nothing must be signed, somebody else's signatures are nobody's business.
#[test]
#[cfg_attr(without_minisign, ignore = "OFFSITE_TEST_WITHOUT names minisign")]
fn p5_a_signature_by_an_unknown_key_is_no_alarm_where_none_is_demanded() {
    let (signer, other) = (Signer::new(), Signer::new());
    let mut nights = Nights::new();
    nights.source.demands = Demands::new(&[signer.key()], &[], None).unwrap();
    nights.bucket.put(KEY, GOOD);
    nights.bucket.put(SIGNATURE, other.signs(GOOD));
    assert_eq!(nights.night().open_alarms, 0);
    assert_eq!(nights.proof(KEY, SIGNATURE), Some(Verdict::Silent));
    // And without any key, they are not even read.
    let mut nights = Nights::new();
    nights.bucket.put(KEY, GOOD);
    nights.bucket.put(SIGNATURE, signer.signs(b"other bytes"));
    nights.night();
    assert_eq!(nights.asked("GetObject"), 2);
    assert_eq!(nights.latest(KEY).unwrap(), GOOD);
}

#[test]
#[cfg_attr(without_minisign, ignore = "OFFSITE_TEST_WITHOUT names minisign")]
fn p5_a_young_object_waits_for_its_signature_without_a_word() {
    let signer = Signer::new();
    let mut nights = nights(&signer);
    let at = |minutes: i64, nights: &Nights| PutOptions {
        modified: Some(ms_after(nights.last(), 86_400_000 - minutes * 60_000)),
        ..PutOptions::default()
    };
    let young = at(59, &nights);
    nights.bucket.put_with(KEY, GOOD, young);
    let outcome = nights.night();
    assert_eq!((outcome.counts.failed, outcome.open_alarms), (0, 0));
    assert!(nights.versions(KEY).is_empty());
    assert_eq!(nights.asked("GetObject"), 0);
    nights.bucket.put(SIGNATURE, signer.signs(GOOD));
    assert_eq!(nights.night().open_alarms, 0);
    is_signed(&nights, KEY, SIGNATURE);

    for (minutes, what) in [(61, "older than an hour"), (-61, "dated in the future")] {
        let mut nights = self::nights(&signer);
        let old = at(minutes, &nights);
        nights.bucket.put_with(KEY, GOOD, old);
        nights.night();
        is_held(&nights, what);
    }
}

#[test]
#[cfg_attr(without_minisign, ignore = "OFFSITE_TEST_WITHOUT names minisign")]
fn a_signature_that_comes_late_lets_in_what_is_held_for_it_and_nothing_else() {
    let signer = Signer::new();
    let mut nights = nights(&signer);
    nights.bucket.put(KEY, GOOD);
    nights.night();
    is_held(&nights, "no signature yet");
    nights.bucket.put(SIGNATURE, signer.signs(b"other bytes"));
    nights.night();
    is_held(&nights, "a signature of other bytes");
    nights.bucket.put(SIGNATURE, signer.signs(GOOD));
    nights.night();
    is_signed(&nights, KEY, SIGNATURE);
    assert_eq!(nights.latest(KEY).unwrap(), GOOD);
    assert_eq!(nights.events(KEY), ["signed-late"]);
    assert_eq!(nights.check().problems, []);

    // A write-once name that changed is held for another reason.
    let dated = "site-2026-11-01.tar";
    let mut nights = self::nights(&signer);
    nights.bucket.put(dated, GOOD);
    let signature = format!("{dated}.minisig");
    nights.bucket.put(&signature, signer.sign(dated, GOOD, &[]));
    nights.night();
    nights.night();
    nights.bucket.put(dated, "other");
    nights.night();
    assert_eq!(nights.open_kinds(), ["write-once-changed"]);
    nights
        .bucket
        .put(&signature, signer.sign(dated, b"other", &[]));
    nights.night();
    assert_eq!(nights.latest(dated).unwrap(), GOOD);
}

/// A signature that cannot be had for the moment is no missing one.
#[test]
#[cfg_attr(without_minisign, ignore = "OFFSITE_TEST_WITHOUT names minisign")]
fn p5_a_server_that_is_busy_raises_no_alarm_about_signatures() {
    let signer = Signer::new();
    let mut nights = nights(&signer);
    nights.bucket.put(KEY, GOOD);
    nights.bucket.put(SIGNATURE, signer.signs(GOOD));
    let busy = Fault::new(Refusal::SlowDown).on(|key| key == SIGNATURE);
    nights.bucket.with_faults(|f| f.refuse = Some(busy));
    let outcome = nights.some_night().unwrap();
    assert_eq!((outcome.ended, outcome.open_alarms), (Ended::Partial, 0));
    assert!(nights.versions(KEY).is_empty());
    nights.bucket.with_faults(|f| f.refuse = None);
    nights.night();
    is_signed(&nights, KEY, SIGNATURE);
}

#[test]
#[cfg_attr(without_minisign, ignore = "OFFSITE_TEST_WITHOUT names minisign")]
fn p4_a_signed_sums_file_vouches_for_each_of_its_lines() {
    let (signer, thief) = (Signer::new(), Signer::new());
    let hex = |bytes: &[u8]| crate::support::nights::sha256(bytes).to_string();
    let sums = format!("{}  site.tar.age\n{}  b\n", hex(GOOD), hex(b"b"));
    let put = |nights: &Nights, signature: Vec<u8>| {
        nights.bucket.put(KEY, GOOD);
        nights.bucket.put("db/b", "b");
        nights.bucket.put("db/SHA256SUMS", sums.clone());
        nights.bucket.put("db/SHA256SUMS.minisig", signature);
    };
    for more in [&["-H"][..], &["-l"]] {
        let mut nights = nights(&signer);
        put(&nights, signer.sign("SHA256SUMS", sums.as_bytes(), more));
        assert_eq!(nights.night().open_alarms, 0);
        is_signed(&nights, KEY, "db/SHA256SUMS");
        is_signed(&nights, "db/b", "db/SHA256SUMS");
        assert_eq!(
            nights.asked("GetObject"),
            4 + 2 + 1,
            "sums once, the signature for both"
        );
    }
    // What it condemns is condemned, whatever the bucket says.
    let mut nights = self::nights(&signer);
    put(&nights, signer.sign("SHA256SUMS", sums.as_bytes(), &[]));
    nights.bucket.put(KEY, "the thief's");
    nights.bucket.put("db/SHA256SUMS", sums.clone());
    nights.night();
    assert_eq!(nights.open_kinds(), ["contradiction"]);
    assert_eq!(nights.proof(KEY, "db/SHA256SUMS"), Some(Verdict::Fails));
    assert!(nights.latest(KEY).is_none());
    // One that was signed by another, or for another name, vouches for nothing.
    for signature in [
        thief.sign("SHA256SUMS", sums.as_bytes(), &[]),
        signer.sign("MD5SUMS", sums.as_bytes(), &[]),
    ] {
        let mut nights = self::nights(&signer);
        put(&nights, signature);
        nights.night();
        assert_eq!(nights.states(KEY), [(State::Held, InBucket::Current)]);
        assert_eq!(nights.proof(KEY, "db/SHA256SUMS"), Some(Verdict::Holds));
        let class = nights.versions(KEY)[0].evidence;
        assert_eq!(class, Some(EvidenceClass::UploaderClaim));
    }
    // And where `include` leaves the signatures out, nothing is signed.
    let mut nights = self::nights(&signer);
    put(&nights, signer.sign("SHA256SUMS", sums.as_bytes(), &[]));
    nights.source.filter = Filter::new("", &["**/*.age".to_owned()], &[]).unwrap();
    nights.night();
    is_held(&nights, "left out");
}
