//! The drill: thirty ordinary nights, then somebody with the server's key. Every byte at home stays,
//! the right alarm comes in the same run and is still there the next night, and `ls --at` gives
//! the point before. Promises P2, P4 and P5.

#![allow(clippy::indexing_slicing, clippy::panic, clippy::unwrap_used)]

mod support;

use offsite::demo::bucket::{Encryption, PutOptions, Versioning};
use offsite::object::{Sha256, Timestamp};
use std::collections::BTreeMap;
use support::nights::{ms_after, sha256};
use support::{Nights, age};

const DAY: i64 = 86_400_000;
/// A name that is written anew each night.
const ROTATING: &str = "config/latest.tar.age";

/// A bucket after thirty ordinary nights, and its copy.
struct Drill {
    nights: Nights,
    seed: u64,
}

impl Drill {
    fn new(versioning: bool) -> Self {
        let mut drill = Self {
            nights: Nights::new(),
            seed: 0,
        };
        if versioning {
            drill.nights.bucket.set_versioning(Versioning::Enabled);
        }
        for _ in 0..30 {
            drill.evening();
            drill.nights.night();
        }
        assert_eq!(drill.nights.open_kinds(), [""; 0], "ordinary life");
        drill
    }

    /// Bytes as the server makes them: encrypted, each backup another.
    fn backup(&mut self) -> Vec<u8> {
        self.seed += 1;
        age(9_000 + 10 * usize::try_from(self.seed).unwrap(), self.seed)
    }

    fn site(&self, shift: i64) -> String {
        let day = ms_after(self.nights.last(), (1 + shift) * DAY);
        format!("www/site-{}-030000utc.tar.age", day.strftime("%Y%m%d"))
    }

    fn database(&self, shift: i64) -> String {
        let day = ms_after(self.nights.last(), (1 + shift) * DAY);
        format!("db/{}.sql.age", day.strftime("%Y-%m-%d"))
    }

    /// The night's jobs: an archive of the site, a dump of which the last fourteen are kept, and one that
    /// has the same name each night.
    fn evening(&mut self) {
        for key in [self.site(0), self.database(0), ROTATING.to_owned()] {
            let bytes = self.backup();
            self.nights.bucket.put(&key, bytes);
        }
        let old = self.database(-14);
        if self.nights.bucket.keys().contains(&old) {
            self.nights.bucket.delete(&old);
        }
    }

    /// What is struck is answered in the same run by alarms of `kinds`; nothing at home is lost.
    #[track_caller]
    fn strike(mut self, strike: impl FnOnce(&mut Self), kinds: &[&str]) -> Self {
        let (before, at) = (self.kept(), self.nights.last());
        let latest = self.as_it_was(at);
        strike(&mut self);
        let outcome = self.nights.some_night().unwrap();
        assert!(outcome.open_alarms > 0, "no alarm");
        assert_eq!(self.nights.open_kinds(), kinds);
        let status = self.nights.offsite(&["status"]);
        assert_eq!(status.code(), 4, "{}", status.stdout);
        for finding in self.nights.open() {
            let what = &finding.finding.advice.what;
            assert!(status.stdout.contains(what), "{what}: {}", status.stdout);
        }
        assert_eq!(self.as_it_was(at), latest, "the point before");
        self.evening();
        assert!(
            self.nights.some_night().unwrap().open_alarms > 0,
            "the next night"
        );
        assert_eq!(self.nights.offsite(&["status"]).code(), 4);
        let after = self.kept();
        for (key, bytes) in before {
            for digest in bytes {
                assert!(after[&key].contains(&digest), "{key} lost a version");
            }
        }
        assert_eq!(self.nights.check().problems, []);
        self
    }

    /// By key, the digests of every file that the drive has of it.
    fn kept(&self) -> BTreeMap<String, Vec<Sha256>> {
        let mut kept: BTreeMap<String, Vec<Sha256>> = BTreeMap::new();
        for (path, bytes) in self.nights.tree() {
            let key = offsite::store::names::key_of(&path).unwrap();
            kept.entry(key.as_str().to_owned())
                .or_default()
                .push(sha256(&bytes));
        }
        kept
    }

    fn as_it_was(&self, at: Timestamp) -> BTreeMap<String, Sha256> {
        self.nights.as_it_was(at)
    }
}

/// What stands in `latest/` of `key` is what stood there before.
#[track_caller]
fn dated_stays(drill: &Drill, key: &str, before: &[u8]) {
    assert_eq!(drill.nights.latest(key).unwrap(), before, "{key}");
}

#[test]
fn p5_all_is_deleted() {
    let everything = |d: &mut Drill| {
        for key in d.nights.bucket.keys() {
            d.nights.bucket.delete(&key);
        }
    };
    Drill::new(false).strike(everything, &["deleted"]);
    // With versions: delete markers.
    Drill::new(true).strike(everything, &["deleted"]);
}

#[test]
fn p5_one_is_deleted() {
    for shift in [-1, -5, -29] {
        let one = |d: &mut Drill| {
            let key = d.site(shift);
            d.nights.bucket.delete(&key);
            d.evening();
        };
        // The oldest may go, as far as anyone can tell; nothing else.
        if shift > -29 {
            Drill::new(false).strike(one, &["deleted"]);
        }
    }
    let rotated = |d: &mut Drill| {
        let key = d.database(-2);
        d.nights.bucket.delete(&key);
        d.evening();
    };
    Drill::new(false).strike(rotated, &["deleted"]);
}

#[test]
fn p5_junk_is_put_in_their_place_and_the_real_ones_deleted() {
    let borrowed = |d: &mut Drill| {
        for shift in -14..0 {
            let key = d.database(shift);
            d.nights.bucket.delete(&key);
            let junk = d.backup();
            d.nights.bucket.put(&d.database(shift + 15), junk);
        }
    };
    Drill::new(false).strike(borrowed, &["deleted"]);
}

/// (what is put in place of a dated backup, from its own bytes) -> what is said.
#[test]
fn p4_a_dated_backup_is_overwritten() {
    type Bytes = fn(&mut Drill, &[u8]) -> Vec<u8>;
    let ways: [(&str, Bytes, &[&str]); 4] = [
        (
            "junk of the same size",
            |d, old| age(old.len(), d.seed + 1000),
            &["write-once-changed"],
        ),
        (
            "an older backup",
            |d, _| d.nights.latest(&d.site(-20)).unwrap(),
            &["write-once-changed"],
        ),
        (
            "one in plain text",
            |_, old| vec![b'a'; old.len()],
            &["encryption-lost", "write-once-changed"],
        ),
        (
            "half of it",
            |_, old| old[..old.len() / 2].to_vec(),
            &["write-once-changed"],
        ),
    ];
    for (what, bytes, kinds) in ways {
        let drill = Drill::new(false);
        let key = drill.site(-3);
        let old = drill.nights.latest(&key).unwrap();
        let drill = drill.strike(
            |d| {
                let bytes = bytes(d, &old);
                d.nights.bucket.put(&key, bytes);
                d.evening();
            },
            kinds,
        );
        dated_stays(&drill, &key, &old);
        assert_eq!(drill.nights.history(&key).len(), 1, "{what}: kept as held");
    }
}

#[test]
fn p4_two_dated_backups_are_swapped() {
    let drill = Drill::new(false);
    let (a, b) = (drill.site(-3), drill.site(-6));
    let (of_a, of_b) = (
        drill.nights.latest(&a).unwrap(),
        drill.nights.latest(&b).unwrap(),
    );
    let swap = |d: &mut Drill| {
        d.nights.bucket.put(&a, of_b.clone());
        d.nights.bucket.put(&b, of_a.clone());
        d.evening();
    };
    let drill = drill.strike(swap, &["write-once-changed", "write-once-changed"]);
    dated_stays(&drill, &a, &of_a);
    dated_stays(&drill, &b, &of_b);
}

#[test]
fn p5_a_name_that_is_used_again_gets_plain_text_or_another_key() {
    let plain = |d: &mut Drill| {
        d.evening();
        d.nights.bucket.put(ROTATING, vec![b'p'; 9_000]);
    };
    let drill = Drill::new(false).strike(plain, &["encryption-lost"]);
    assert_eq!(
        drill.nights.history(ROTATING).len(),
        31,
        "all versions are kept"
    );
    let other = |d: &mut Drill| {
        d.evening();
        let mut theirs = b"Salted__".to_vec();
        theirs.extend_from_slice(&age(9_000, 7)[200..]);
        d.nights.bucket.put(ROTATING, theirs);
    };
    Drill::new(false).strike(other, &["encryption-changed"]);
}

#[test]
fn p5_all_is_encrypted_anew_with_a_key_of_theirs() {
    let codefinger = |d: &mut Drill| {
        for key in d.nights.bucket.keys() {
            let options = PutOptions {
                encryption: Some(Encryption::Customer),
                ..PutOptions::default()
            };
            let bytes = d.backup();
            d.nights.bucket.put_with(&key, bytes, options);
        }
    };
    let drill = Drill::new(false);
    let drill = drill.strike(codefinger, &["became-unreadable"; 3]);
    assert!(drill.nights.latest(ROTATING).is_some());
}

#[test]
fn p4_metadata_lies() {
    let put = |d: &mut Drill, claim: Option<String>| {
        let bytes = d.backup();
        let claim = claim.unwrap_or_else(|| sha256(&bytes).to_string());
        let options = PutOptions {
            metadata: [("sha256".to_owned(), claim)].into(),
            ..PutOptions::default()
        };
        let key = d.site(0).replace("www", "other");
        d.nights.bucket.put_with(&key, bytes, options);
        key
    };
    let mut drill = Drill::new(false);
    for _ in 0..3 {
        put(&mut drill, None);
        drill.evening();
        drill.nights.night();
    }
    let mut key = String::new();
    let lie = |d: &mut Drill| {
        d.evening();
        key = put(d, Some("0".repeat(64)));
    };
    let drill = drill.strike(lie, &["contradiction"]);
    assert_eq!(drill.nights.latest(&key), None);
    assert_eq!(drill.nights.quarantine(&key).len(), 1);
}

#[test]
fn p5_the_bucket_is_flooded() {
    let flood = |d: &mut Drill| {
        d.evening();
        for n in 0..10_000 {
            d.nights.bucket.put(&format!("a/{n}"), "x");
        }
    };
    let drill = Drill::new(false).strike(flood, &["flood"]);
    assert!(drill.nights.latest(&drill.site(-2)).is_some());
}

#[test]
fn p4_versioning_is_suspended_and_all_is_overwritten() {
    let drill = Drill::new(true);
    let key = drill.site(-3);
    let old = drill.nights.latest(&key).unwrap();
    let suspend = |d: &mut Drill| {
        d.nights.bucket.set_versioning(Versioning::Suspended);
        d.evening();
        let junk = d.backup();
        d.nights.bucket.put(&key, junk);
    };
    let drill = drill.strike(suspend, &["versioning-off", "write-once-changed"]);
    dated_stays(&drill, &key, &old);
}

#[test]
fn p5_an_older_backup_comes_under_the_name_of_today() {
    let mut drill = Drill::new(false);
    let old = drill.nights.latest(&drill.site(-9)).unwrap();
    let key = drill.site(0);
    drill.evening();
    drill.nights.bucket.put(&key, old);
    drill.nights.night();
    assert_eq!(drill.nights.open_kinds(), ["replayed"]);
    assert_eq!(drill.nights.offsite(&["status"]).code(), 3);
}

#[test]
fn p5_a_listing_omits_half_the_keys() {
    let mut drill = Drill::new(false);
    let (before, keys) = (drill.kept(), drill.nights.bucket.keys());
    drill.nights.bucket.with_faults(|faults| {
        faults.hide = Some(std::sync::Arc::new(move |key| {
            keys.iter()
                .position(|other| other == key)
                .is_some_and(|at| at % 2 == 0)
        }));
    });
    drill.nights.night();
    assert_eq!(drill.nights.open_kinds(), ["listing-omits"]);
    assert_eq!(drill.nights.offsite(&["status"]).code(), 3);
    assert!(drill.kept() == before);
}

#[test]
fn p5_names_that_should_escape_are_ordinary_names() {
    let mut drill = Drill::new(false);
    drill.evening();
    for key in [
        "../../etc/cron.d/x",
        "/etc/passwd",
        "a/\u{1b}[2J",
        "%2e%2e/x",
        "latest\0",
    ] {
        let bytes = drill.backup();
        drill.nights.bucket.put(key, bytes);
    }
    drill.nights.night();
    assert_eq!(drill.nights.open_kinds(), [""; 0]);
    let names: Vec<_> = std::fs::read_dir(drill.nights.folder()).unwrap().collect();
    assert_eq!(names.len(), 1, "nothing beside the store");
    assert_eq!(drill.nights.check().problems, []);
}
