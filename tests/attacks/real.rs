//! The same on real servers, as far as they have what is struck.

use crate::drill::{Drill, ROTATING, dated_stays};
use crate::support::{Ceph, Moto, Seaweed, age, ceph, seaweedfs};

/// Each attack is a test of its own on every server; one that is left out shows as ignored.
macro_rules! on_real_servers {
    ($($attack:ident)+) => {
        mod at_seaweedfs {
            $(#[test]
            #[cfg_attr(without_seaweedfs, ignore = "OFFSITE_TEST_WITHOUT names seaweedfs")]
            fn $attack() { super::$attack(&super::on_seaweedfs); })+
        }
        mod at_moto {
            $(#[test]
            #[cfg_attr(without_moto, ignore = "OFFSITE_TEST_WITHOUT names moto")]
            fn $attack() { super::$attack(&super::on_moto); })+
        }
        mod at_ceph {
            $(#[test]
            #[cfg_attr(without_ceph, ignore = "OFFSITE_TEST_WITHOUT names ceph")]
            fn $attack() { super::$attack(&super::on_ceph); })+
        }
    };
}

on_real_servers!(
    p5_all_is_deleted
    p4_dated_backups_are_overwritten_cut_and_swapped
    p5_all_is_hidden_by_delete_markers
    p5_old_versions_are_purged
    p4_versioning_is_suspended_and_a_backup_overwritten
    p5_the_bucket_is_flooded
);

/// Thirty ordinary nights on a server, whose bucket keeps versions or does not.
type On = dyn Fn(bool) -> Drill;

fn on_seaweedfs(versioning: bool) -> Drill {
    let bucket = Seaweed::shared().fresh_bucket("drill");
    Drill::on(bucket, seaweedfs::READ_ONLY, versioning)
}

fn on_moto(versioning: bool) -> Drill {
    let moto = Moto::shared();
    Drill::on(moto.fresh_bucket("drill"), moto.read_only, versioning)
}

fn on_ceph(versioning: bool) -> Drill {
    let bucket = Ceph::shared().fresh_bucket("drill");
    Drill::on(bucket, ceph::READ_ONLY, versioning)
}

fn everything_goes(d: &mut Drill) {
    for key in d.keys() {
        d.delete(&key);
    }
}

fn p5_all_is_deleted(on: &On) {
    on(false).strike(everything_goes, &["deleted"]);
}

fn p5_all_is_hidden_by_delete_markers(on: &On) {
    on(true).strike(everything_goes, &["deleted"]);
}

fn p4_dated_backups_are_overwritten_cut_and_swapped(on: &On) {
    let drill = on(false);
    let keys: Vec<String> = (2..=7).map(|n| drill.site(-n)).collect();
    let old: Vec<Vec<u8>> = keys
        .iter()
        .map(|k| drill.nights.latest(k).unwrap())
        .collect();
    let strike = |d: &mut Drill| {
        let junk = age(old[0].len(), d.seed + 1000);
        let plain = vec![b'a'; old[1].len()];
        let half = old[2][..old[2].len() / 2].to_vec();
        let older = d.nights.latest(&d.site(-20)).unwrap();
        let (one, other) = (old[5].clone(), old[4].clone());
        for (key, bytes) in keys.iter().zip([junk, plain, half, older, one, other]) {
            d.put(key, bytes);
        }
        d.evening();
    };
    let mut kinds = vec!["write-once-changed"; 6];
    kinds.push("encryption-lost");
    kinds.sort_unstable();
    let drill = drill.strike(strike, &kinds);
    for (key, old) in keys.iter().zip(&old) {
        dated_stays(&drill, key, old);
        assert_eq!(drill.nights.history(key).len(), 1, "{key}: kept as held");
    }
}

fn p5_old_versions_are_purged(on: &On) {
    let old = |d: &mut Drill| {
        d.purge(ROTATING, |n| n > 0);
        d.evening();
    };
    let drill = on(true).strike(old, &["purged"]);
    assert_eq!(drill.nights.history(ROTATING).len(), 31);
}

fn p4_versioning_is_suspended_and_a_backup_overwritten(on: &On) {
    let drill = on(true);
    let key = drill.site(-3);
    let old = drill.nights.latest(&key).unwrap();
    let suspend = |d: &mut Drill| {
        d.suspend_versioning();
        d.evening();
        let junk = d.backup();
        d.put(&key, junk);
    };
    let drill = drill.strike(suspend, &["versioning-off", "write-once-changed"]);
    dated_stays(&drill, &key, &old);
}

fn p5_the_bucket_is_flooded(on: &On) {
    let flood = |d: &mut Drill| {
        d.evening();
        for n in 0..1_100 {
            d.put(&format!("a/{n}"), b"x".to_vec());
        }
    };
    let drill = on(false).strike(flood, &["flood"]);
    assert!(drill.nights.latest(&drill.site(-2)).is_some());
}
