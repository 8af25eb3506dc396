//! Backups are overwritten, under their own names or those of others.

use crate::drill::{Drill, ROTATING, dated_stays};
use crate::support::age;
use offsite::demo::bucket::{Encryption, PutOptions};

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

/// By the attacker's own program, in a format that is none of ours.
#[test]
fn p4_all_is_encrypted_anew_in_place() {
    let mut drill = Drill::new(false);
    let (a, b) = (drill.site(-3), drill.database(-3));
    let (of_a, of_b) = (
        drill.nights.latest(&a).unwrap(),
        drill.nights.latest(&b).unwrap(),
    );
    for key in drill.nights.bucket.keys() {
        drill.seed += 1;
        let mut theirs = b"Salted__".to_vec();
        theirs.extend_from_slice(&age(9_000, drill.seed)[200..]);
        drill.nights.bucket.put(&key, theirs);
    }
    drill.nights.night();
    let mut kinds = drill.nights.open_kinds();
    kinds.sort();
    let all = kinds.len();
    kinds.dedup();
    assert_eq!(kinds, ["encryption-changed", "write-once-changed"]);
    assert!(all > 40, "each dated backup: {all}");
    dated_stays(&drill, &a, &of_a);
    dated_stays(&drill, &b, &of_b);
    assert_eq!(drill.nights.history(ROTATING).len(), 30);
    assert_eq!(drill.nights.offsite(&["status"]).code(), 4);
}
