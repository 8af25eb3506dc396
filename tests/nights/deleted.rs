//! What was deleted from the bucket: what a rotation explains, and what is an alarm in the same run.

use crate::support::Nights;
use crate::support::nights::{ms_after, sha256};
use offsite::demo::bucket::{Faults, Paging, Versioning};
use offsite::object::{InBucket, Severity, Sha256};

const DAY: i64 = 86_400_000;

/// The name of the backup that is written before the next night, shifted by so many nights.
fn backup(nights: &Nights, shift: i64) -> String {
    let day = ms_after(nights.last(), (1 + shift) * DAY);
    format!("www/db-{}.sql.age", day.strftime("%Y%m%d"))
}

/// So many nights of a job that keeps the newest `keep`.
fn rotating(count: i64, keep: i64) -> Nights {
    let mut nights = Nights::new();
    nights.bucket.put("www/readme.txt", "of no series");
    for _ in 0..count {
        rotate(&mut nights, keep);
    }
    assert_eq!(nights.open_kinds(), [""; 0], "ordinary life");
    nights
}

fn rotate(nights: &mut Nights, keep: i64) -> u64 {
    let (new, old) = (backup(nights, 0), backup(nights, -keep));
    nights.bucket.put(&new, format!("the dump {new}"));
    if nights.bucket.keys().contains(&old) {
        nights.bucket.delete(&old);
    }
    nights.night().open_alarms
}

#[test]
fn p5_a_rotation_is_ordinary_life_and_all_deleted_at_once_is_an_alarm() {
    let mut nights = rotating(12, 7);
    let before = nights.tree();
    for key in nights.bucket.keys() {
        nights.bucket.delete(&key);
    }
    assert_eq!(nights.night().open_alarms, 1);
    let open = nights.open();
    assert_eq!(nights.open_kinds(), ["deleted"]);
    let finding = &open[0].finding;
    assert_eq!(finding.severity, Severity::Alarm);
    let (what, evidence) = (&finding.advice.what, &finding.advice.evidence);
    assert!(what.starts_with("8 objects were deleted"), "{what}");
    assert!(
        evidence.contains("www/db-*.sql.age: 7 gone, 0 left"),
        "{evidence}"
    );
    assert!(
        evidence.contains("www/readme.txt: 1 gone, 0 left; nothing is left of it"),
        "{evidence}"
    );
    assert!(nights.tree() == before, "every byte stays");
    // It stays said, and is not said again.
    assert_eq!(nights.night().open_alarms, 1);
    let status = nights.offsite(&["status"]);
    assert_eq!(status.code(), 4, "{}", status.stdout);
    assert!(
        status.stdout.contains("8 objects were deleted"),
        "{}",
        status.stdout
    );
    assert_eq!(nights.check().problems, []);
}

#[test]
fn p5_one_taken_away_each_night_is_an_alarm_from_the_first_on() {
    let mut nights = rotating(12, 7);
    let young = backup(&nights, -3);
    nights.bucket.delete(&young);
    assert_eq!(rotate(&mut nights, 7), 1);
    let finding = nights.open().pop().unwrap().finding;
    assert_eq!(finding.key.unwrap().as_str(), young);
    let evidence = finding.advice.evidence;
    assert!(
        evidence.contains("before was 6 days") || evidence.contains("before was 7 days"),
        "{evidence}"
    );
    // Another night, another finding.
    let young = backup(&nights, -3);
    nights.bucket.delete(&young);
    assert_eq!(rotate(&mut nights, 7), 2);
    assert_eq!(nights.open_kinds(), ["deleted", "deleted"]);
}

#[test]
fn what_the_owner_acknowledges_is_what_the_series_does_from_then_on() {
    let mut nights = rotating(20, 14);
    // From two weeks to one: half of them go at once.
    for shift in -14..-7 {
        let old = backup(&nights, shift);
        nights.bucket.delete(&old);
    }
    assert_eq!(rotate(&mut nights, 7), 1);
    let id = nights.open()[0].finding.id.clone();
    nights.ack(&id, false).unwrap();
    for _ in 0..8 {
        assert_eq!(rotate(&mut nights, 7), 0);
    }
}

#[test]
fn p5_delete_markers_in_a_versioned_bucket_are_deletions_too() {
    let mut nights = Nights::new();
    nights.bucket.set_versioning(Versioning::Enabled);
    for _ in 0..3 {
        let key = backup(&nights, 0);
        nights.bucket.put(&key, key.clone());
        nights.night();
    }
    let newest = backup(&nights, -1);
    nights.bucket.delete(&newest);
    assert_eq!(nights.night().open_alarms, 1);
    assert!(nights.latest(&newest).is_some());
}

/// What a run saw that failed afterwards is judged by the next.
#[test]
fn p5_a_deletion_that_a_failed_run_recorded_is_said_by_the_next() {
    let mut nights = Nights::new();
    nights.bucket.set_versioning(Versioning::Enabled);
    for key in ["a", "b", "c"] {
        nights.bucket.put(key, key);
    }
    nights.night();
    nights.bucket.delete("a");
    nights.faults(Faults {
        page_size: Some(1),
        paging: Paging::SameToken,
        ..Faults::default()
    });
    assert!(nights.some_night().is_err(), "the listing goes in circles");
    assert_eq!(
        nights.states("a")[0].1,
        InBucket::Hidden,
        "as far as it came"
    );
    nights.faults(Faults::default());
    nights.night();
    assert_eq!(nights.open_kinds(), ["deleted"]);
    nights.ack("www-1", false).unwrap();
    nights.night();
    assert_eq!(nights.open_kinds(), [""; 0]);
}

fn put_named(nights: &Nights, folder: &str, bytes: &str) -> String {
    let name = sha256(bytes.as_bytes()).to_string();
    let key = match folder {
        "data" => format!("repo/data/{}/{name}", &name[..2]),
        folder => format!("repo/{folder}/{name}"),
    };
    nights.bucket.put(&key, bytes.to_owned());
    key
}

/// A repository's own clean-up drops packs of any age; its snapshots are what is kept.
#[test]
fn p5_of_a_restic_repository_packs_may_go_and_snapshots_may_not() {
    let mut nights = Nights::new();
    nights.bucket.put("repo/config", "config");
    let mut packs = Vec::new();
    let mut snapshots = Vec::new();
    for night in 0..20 {
        for n in 0..10 {
            packs.push(put_named(&nights, "data", &format!("pack {night} {n}")));
        }
        packs.push(put_named(&nights, "index", &format!("index {night}")));
        snapshots.push(put_named(
            &nights,
            "snapshots",
            &format!("snapshot {night}"),
        ));
        let lock = format!("repo/locks/{}", Sha256([night; 32]));
        nights.bucket.put(&lock, "lock");
        nights.night();
        nights.bucket.delete(&lock);
        // `forget --keep-last 2 --prune`, each week.
        if night % 7 == 6 {
            let forgotten = snapshots.len() - 2;
            snapshots
                .drain(..forgotten)
                .for_each(|key| drop(nights.bucket.delete(&key)));
            for key in packs.iter().step_by(2) {
                nights.bucket.delete(key);
            }
            packs = packs.into_iter().skip(1).step_by(2).collect();
        }
    }
    assert_eq!(nights.open_kinds(), [""; 0], "ordinary life");
    let newest = snapshots.pop().unwrap();
    nights.bucket.delete(&newest);
    assert_eq!(nights.night().open_alarms, 1, "a snapshot");
    for key in &packs {
        nights.bucket.delete(key);
    }
    assert_eq!(nights.night().open_alarms, 2, "all packs");
}

/// `borg compact` drops segments of any age, and locks come and go.
#[test]
fn p5_what_other_programs_drop_by_themselves_is_no_alarm() {
    let mut nights = Nights::new();
    for key in ["borg/config", "borg/README", "vault/gocryptfs.conf"] {
        nights.bucket.put(key, "x");
    }
    for night in 0..18 {
        for n in 0..5 {
            let segment = format!("borg/data/0/{}", 10 * night + n);
            nights.bucket.put(&segment, segment.clone());
        }
        let (old, new) = (night, night + 1);
        for name in ["index", "hints", "integrity"] {
            nights
                .bucket
                .put(&format!("borg/{name}.{new}"), format!("{name} {new}"));
            nights.bucket.delete(&format!("borg/{name}.{old}"));
        }
        let lock = ["borg/lock.roster", "borg/lock.exclusive/host.1-2"];
        for key in lock.iter().filter(|_| night % 2 == 0) {
            nights.bucket.put(key, "lock");
        }
        let file = format!("vault/{}/W8bBrsS5Qx-Zz1j7JkqNA", name(night));
        nights.bucket.put(&file, "of a tree");
        nights.night();
        for key in lock {
            nights.bucket.delete(key);
        }
        nights.bucket.delete(&file);
        nights
            .bucket
            .delete(&format!("borg/data/0/{}", 10 * night + 2));
        nights
            .bucket
            .delete(&format!("borg/data/0/{}", 10 * night + 4));
    }
    assert_eq!(nights.open_kinds(), [""; 0]);
    nights.bucket.delete("vault/gocryptfs.conf");
    nights.night();
    assert_eq!(nights.open_kinds(), ["deleted"]);
    for key in nights.bucket.keys() {
        if key.starts_with("borg/data/") {
            nights.bucket.delete(&key);
        }
    }
    nights.night();
    assert_eq!(nights.open_kinds(), ["deleted", "deleted"], "all segments");
}

/// More than are asked for one by one.
#[test]
fn p5_a_bucket_that_is_emptied_is_one_finding() {
    let mut nights = Nights::new();
    for n in 0..300 {
        nights
            .bucket
            .put(&format!("site{}/db.sql.age", name(n)), "x");
    }
    nights.night();
    for key in nights.bucket.keys() {
        nights.bucket.delete(&key);
    }
    let outcome = nights.night();
    assert_eq!((outcome.counts.gone, outcome.open_alarms), (300, 1));
    let evidence = nights.open().pop().unwrap().finding.advice.evidence;
    assert!(evidence.contains("and 295 series more"), "{evidence}");
}

/// Letters for a number: digits are the same series.
fn name(n: u32) -> String {
    let letter = |n: u32| char::from_digit(10 + n % 20, 36).unwrap();
    [letter(n / 400), letter(n / 20), letter(n)]
        .iter()
        .collect()
}
