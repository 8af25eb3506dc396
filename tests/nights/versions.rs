//! Buckets that keep versions: every one that they still hold comes home, and what hides or
//! replaces one is no alarm.

use crate::support::Nights;
use crate::support::nights::{ms_after, sha256};
use offsite::config::Versions;
use offsite::demo::bucket::{Faults, PutOptions, Versioning};
use offsite::object::{InBucket, State};
use std::sync::Arc;

const KEY: &str = "db/latest.age";
const CURRENT: (State, InBucket) = (State::Stored, InBucket::Current);
const OLDER: (State, InBucket) = (State::Stored, InBucket::Noncurrent);
const HIDDEN: (State, InBucket) = (State::Stored, InBucket::Hidden);
const GONE: (State, InBucket) = (State::Stored, InBucket::Gone);

fn versioned() -> Nights {
    let nights = Nights::new();
    nights.bucket.set_versioning(Versioning::Enabled);
    nights
}

/// What is known of the version with these bytes.
fn of(nights: &Nights, key: &str, bytes: &str) -> (State, InBucket) {
    let versions = nights.versions(key);
    let mut with = versions
        .iter()
        .filter(|v| v.sha256 == Some(sha256(bytes.as_bytes())));
    let one = with.next().unwrap_or_else(|| panic!("no {bytes:?}"));
    assert_eq!(with.next(), None, "{bytes:?} is known once");
    (one.state, one.in_bucket)
}

fn sorted(mut files: Vec<Vec<u8>>) -> Vec<String> {
    files.sort();
    let text = |file| String::from_utf8(file).unwrap();
    files.into_iter().map(text).collect()
}

/// No night without a change fetches, finds or records anything.
#[track_caller]
fn nothing_changes(nights: &mut Nights) {
    nights.bucket.reset_requests();
    let (before, lines) = (nights.tree(), nights.journalled("shown"));
    let outcome = nights.night();
    let counts = outcome.counts;
    assert_eq!((counts.stored, counts.touched, counts.gone), (0, 0, 0));
    assert_eq!(outcome.open_alarms, 0);
    assert_eq!(nights.asked("GetObject"), 0);
    assert_eq!(nights.asked("HeadObject"), 0);
    assert_eq!(nights.journalled("shown"), lines);
    assert!(nights.tree() == before);
    assert!(nights.check().problems.is_empty());
}

#[test]
fn every_version_comes_home_and_the_newest_alone_stands_in_latest() {
    let mut nights = versioned();
    for bytes in ["one", "two", "three"] {
        nights.bucket.put(KEY, bytes);
    }
    let counts = nights.night().counts;
    assert_eq!((counts.stored, counts.listed), (3, 3));
    assert_eq!(nights.latest(KEY).unwrap(), b"three");
    assert_eq!(sorted(nights.history(KEY)), ["one", "two"]);
    assert_eq!(of(&nights, KEY, "three"), CURRENT);
    assert_eq!(of(&nights, KEY, "two"), OLDER);
    assert_eq!(of(&nights, KEY, "one"), OLDER);
    nothing_changes(&mut nights);

    nights.bucket.put(KEY, "four");
    nights.bucket.put(KEY, "five");
    assert_eq!(nights.night().counts.stored, 2);
    assert_eq!(nights.latest(KEY).unwrap(), b"five");
    assert_eq!(sorted(nights.history(KEY)), ["four", "one", "three", "two"]);
    assert_eq!(
        of(&nights, KEY, "three"),
        OLDER,
        "replaced, and still there"
    );
    assert_eq!(nights.open_kinds(), [""; 0]);
    nothing_changes(&mut nights);
}

/// IsLatest decides, and not the dates: whoever holds the key chooses those.
#[test]
fn the_newest_is_what_the_bucket_calls_so_and_not_what_a_date_says() {
    let mut nights = versioned();
    let late = PutOptions {
        modified: Some(ms_after(nights.last(), 9_000_000_000)),
        ..PutOptions::default()
    };
    nights.bucket.put_with(KEY, "dated later", late);
    nights.bucket.put(KEY, "newest");
    nights.night();
    assert_eq!(nights.latest(KEY).unwrap(), b"newest");
    assert_eq!(sorted(nights.history(KEY)), ["dated later"]);
    nothing_changes(&mut nights);
}

#[test]
fn a_delete_marker_hides_its_key_until_it_is_removed() {
    let mut nights = versioned();
    nights.bucket.put(KEY, "one");
    nights.bucket.put(KEY, "two");
    nights.night();
    let marker = nights.bucket.delete(KEY).unwrap();
    nights.bucket.reset_requests();
    let counts = nights.night().counts;
    assert_eq!((counts.gone, nights.asked("HeadObject")), (1, 0));
    assert_eq!(nights.open_kinds(), ["deleted"]);
    nights.ack("www-1", false).unwrap();
    assert_eq!(of(&nights, KEY, "two"), HIDDEN);
    assert_eq!(of(&nights, KEY, "one"), OLDER);
    assert_eq!(nights.latest(KEY).unwrap(), b"two", "it stays");
    let markers = nights.catalogue().markers_of(&nights.source.name, KEY);
    let markers = markers.unwrap();
    assert_eq!(markers.len(), 1);
    assert_eq!(markers[0].marker.version_id.as_ref(), Some(&marker));
    assert!(markers[0].marker.hides && markers[0].missed_at.is_none());
    let told = nights.offsite(&["show", KEY]).exits(0).stdout;
    assert!(
        told.contains("a delete marker") && told.contains("hides the key"),
        "{told}"
    );
    let told = nights
        .offsite(&["show", KEY, "--json"])
        .exits(0)
        .json_lines();
    assert_eq!(told.last().unwrap()["state"], "delete-marker");
    assert_eq!(told.last().unwrap()["version_id"], marker.as_str());
    nothing_changes(&mut nights);

    assert!(nights.bucket.delete_version(KEY, &marker));
    assert_eq!(nights.night().counts.stored, 0);
    assert_eq!(of(&nights, KEY, "two"), CURRENT);
    let markers = nights.catalogue().markers_of(&nights.source.name, KEY);
    assert_eq!(markers.unwrap()[0].missed_at, Some(nights.last()));
    nothing_changes(&mut nights);
}

/// The newest version behind a marker is the newest good one that there ever was.
#[test]
fn what_was_deleted_before_the_first_pull_comes_home_too() {
    let mut nights = versioned();
    nights.bucket.put(KEY, "one");
    nights.bucket.put(KEY, "two");
    nights.bucket.delete(KEY);
    assert_eq!(nights.night().counts.stored, 2);
    assert_eq!(nights.latest(KEY).unwrap(), b"two");
    assert_eq!(sorted(nights.history(KEY)), ["one"]);
    assert_eq!(of(&nights, KEY, "two"), HIDDEN);
    nothing_changes(&mut nights);
}

#[test]
fn a_version_that_becomes_current_again_goes_back_to_latest() {
    let mut nights = versioned();
    nights.bucket.put(KEY, "good");
    let bad = nights.bucket.put(KEY, "bad").unwrap();
    nights.night();
    assert_eq!(nights.latest(KEY).unwrap(), b"bad");
    assert!(nights.bucket.delete_version(KEY, &bad));
    nights.bucket.reset_requests();
    assert_eq!(nights.night().counts.gone, 1);
    assert_eq!(nights.asked("HeadObject"), 1, "by its version id");
    assert_eq!(nights.asked("GetObject"), 0);
    assert_eq!(nights.latest(KEY).unwrap(), b"good");
    assert_eq!(sorted(nights.history(KEY)), ["bad"], "P2");
    assert_eq!(of(&nights, KEY, "bad"), GONE);
    assert_eq!(of(&nights, KEY, "good"), CURRENT);
    assert_eq!(nights.open_kinds(), ["purged"], "no rule takes the newest");
    nights.ack("www-1", false).unwrap();
    nothing_changes(&mut nights);
}

/// Somebody clears the older versions away.
#[test]
fn a_purge_of_old_versions_is_confirmed_by_a_sample_and_takes_nothing_from_the_copy() {
    let mut nights = versioned();
    for n in 0..250 {
        nights.bucket.put(KEY, format!("version {n}"));
    }
    nights.night();
    let ids = nights.bucket.version_ids(KEY);
    for id in &ids[1..] {
        assert!(nights.bucket.delete_version(KEY, id));
    }
    nights.bucket.reset_requests();
    assert_eq!(nights.night().counts.gone, 249);
    assert_eq!(nights.asked("HeadObject"), 200);
    assert_eq!(nights.history(KEY).len(), 249);
    assert_eq!(of(&nights, KEY, "version 249"), CURRENT);
    // All of one day: as a rule by age takes them.
    assert_eq!(nights.open_kinds(), [""; 0]);
    nothing_changes(&mut nights);
}

/// As SeaweedFS does at some page boundaries.
#[test]
fn a_listing_that_leaves_versions_out_is_noticed_and_not_believed() {
    let mut nights = versioned();
    nights.bucket.put(KEY, "one");
    nights.bucket.put(KEY, "two");
    nights.bucket.put("other", "there");
    nights.night();
    let hide = Faults {
        hide: Some(Arc::new(|key| key == KEY)),
        ..Faults::default()
    };
    nights.faults(hide);
    assert_eq!(nights.night().counts.gone, 0);
    assert_eq!(nights.open_kinds(), ["listing-omits"]);
    assert_eq!(of(&nights, KEY, "two"), CURRENT);
    assert_eq!(of(&nights, KEY, "one"), OLDER);
}

/// And whole keys, which no night before has shown: the plain listing has them.
#[test]
fn a_key_that_the_listing_of_versions_leaves_out_comes_home_by_the_plain_one() {
    let mut nights = versioned();
    nights.tuning.page = 2;
    for key in ["a", "left out", "z"] {
        nights.bucket.put(key, "older");
        nights.bucket.put(key, "newer");
    }
    let hide = Faults {
        hide_versions: Some(Arc::new(|key| key == "left out")),
        ..Faults::default()
    };
    nights.faults(hide.clone());
    assert_eq!(nights.night().counts.stored, 5);
    assert_eq!(nights.latest("left out").unwrap(), b"newer");
    assert_eq!(nights.open_kinds(), ["versions-left-out"]);
    assert!(nights.open()[0].finding.advice.what.contains("left out"));
    nothing_changes(&mut nights);
    nights.faults(Faults::default());
    assert_eq!(nights.night().counts.stored, 1, "the older one");
    nothing_changes(&mut nights);
    // On one page nothing can be left out between two.
    nights.tuning.page = 1000;
    nights.bucket.reset_requests();
    nights.night();
    assert_eq!(nights.asked("ListObjectsV2"), 0);
}

#[test]
fn switching_versioning_on_and_off_over_a_filled_store_fetches_and_alarms_nothing() {
    let dated = "site-2026-11-01.tar.age";
    let mut nights = Nights::new();
    nights.bucket.put(KEY, "null one");
    nights.bucket.put(dated, "written once");
    nights.night();
    assert_eq!(nights.asked("ListObjectVersions"), 0, "not where it is off");
    nights.bucket.set_versioning(Versioning::Enabled);
    nothing_changes(&mut nights);
    assert_eq!(nights.asked("ListObjectsV2"), 0);

    nights.bucket.put(KEY, "with an id");
    assert_eq!(nights.night().counts.stored, 1);
    assert_eq!(of(&nights, KEY, "null one"), OLDER);
    nights.bucket.set_versioning(Versioning::Suspended);
    // What changed is the bucket's setting alone.
    assert_eq!(nights.night().counts.stored, 0);
    assert_eq!(nights.open_kinds(), ["versioning-off"]);
    nights.ack("www-1", false).unwrap();
    nothing_changes(&mut nights);

    // The version `null` is overwritten in place.
    nights.bucket.put(KEY, "null two");
    nights.bucket.reset_requests();
    assert_eq!(nights.night().counts.stored, 1);
    assert_eq!(nights.asked("HeadObject"), 0, "a key has one version null");
    assert_eq!(nights.latest(KEY).unwrap(), b"null two");
    assert_eq!(of(&nights, KEY, "null one"), GONE);
    assert_eq!(of(&nights, KEY, "with an id"), OLDER);
    assert_eq!(of(&nights, dated, "written once"), CURRENT);
    assert_eq!(nights.open_kinds(), [""; 0]);
    nothing_changes(&mut nights);
}

/// The listing without versions tells no ids: the same versions all the same.
#[test]
fn the_owner_may_change_which_versions_come_and_nothing_is_fetched_twice() {
    let mut nights = versioned();
    nights.source.versions = Versions::Current;
    nights.bucket.put(KEY, "one");
    nights.bucket.put(KEY, "two");
    assert_eq!(nights.night().counts.stored, 1);
    assert_eq!(nights.asked("GetBucketVersioning"), 0);
    nights.source.versions = Versions::All;
    assert_eq!(nights.night().counts.stored, 1, "the older one");
    assert_eq!(of(&nights, KEY, "one"), OLDER);
    nothing_changes(&mut nights);
    nights.bucket.put(KEY, "three");
    nights.night();
    nights.source.versions = Versions::Current;
    nothing_changes(&mut nights);
    nights.source.versions = Versions::Auto;
    nothing_changes(&mut nights);
    assert_eq!(of(&nights, KEY, "three"), CURRENT);
    assert_eq!(of(&nights, KEY, "two"), OLDER);
}

#[test]
fn without_the_right_the_current_versions_come_and_that_is_said_once() {
    for fault in ["denied", "missing"] {
        let mut nights = versioned();
        nights.bucket.put(KEY, "one");
        nights.bucket.put(KEY, "two");
        nights.bucket.with_faults(|faults| match fault {
            "denied" => faults.denied = vec!["ListObjectVersions", "GetBucketVersioning"],
            _ => faults.missing = vec!["ListObjectVersions"],
        });
        let said = |nights: &Nights| {
            let events = nights.catalogue().events(None, 100).unwrap();
            let kinds = events.into_iter().map(|row| row.event.kind);
            kinds
                .filter(|k| k.starts_with("versions-"))
                .collect::<Vec<_>>()
        };
        for night in 1..=3 {
            let outcome = nights.night();
            assert_eq!(outcome.counts.stored, u64::from(night == 1), "{fault}");
            assert_eq!(
                said(&nights),
                ["versions-refused"],
                "{fault}, night {night}"
            );
        }
        assert_eq!(nights.latest(KEY).unwrap(), b"two");
        assert_eq!(nights.open_kinds(), [""; 0]);
        nights.source.versions = Versions::All;
        let error = nights.some_night().unwrap_err();
        assert!(error.way_out().is_some(), "{error}");

        nights.source.versions = Versions::Auto;
        nights.faults(Faults::default());
        assert_eq!(nights.night().counts.stored, 1);
        assert_eq!(said(&nights), ["versions-listed", "versions-refused"]);
        nothing_changes(&mut nights);
    }
}

#[test]
fn bytes_that_are_here_already_become_no_second_file() {
    let mut nights = versioned();
    for bytes in ["same", "same", "other", "same", "other", "same"] {
        nights.bucket.put(KEY, bytes);
    }
    let counts = nights.night().counts;
    assert_eq!((counts.stored, counts.touched), (2, 4));
    assert_eq!(nights.latest(KEY).unwrap(), b"same");
    assert_eq!(sorted(nights.history(KEY)), ["other"]);
    assert_eq!(nights.versions(KEY).len(), 6);
    nights.bucket.put(KEY, "newest");
    nights.night();
    assert_eq!(sorted(nights.history(KEY)), ["other", "same"]);
    nothing_changes(&mut nights);
}

#[test]
fn an_older_version_in_an_archive_tier_is_noted_and_fails_nothing() {
    let mut nights = versioned();
    let glacier = PutOptions {
        storage_class: Some("GLACIER".to_owned()),
        ..PutOptions::default()
    };
    nights.bucket.put_with(KEY, "cold", glacier);
    nights.bucket.put(KEY, "warm");
    nights.night();
    let mut states = nights.states(KEY);
    states.sort_by_key(|(state, _)| state.as_str());
    assert_eq!(states, [(State::Archived, InBucket::Noncurrent), CURRENT]);
    nothing_changes(&mut nights);
}

#[test]
fn pages_may_end_anywhere() {
    for size in 1..=5 {
        let mut nights = versioned();
        nights.tuning.page = size;
        for key in ["a", "b/hidden", "b/hidden!", "c"] {
            for n in 0..3 {
                nights.bucket.put(key, format!("{key} {n}"));
            }
        }
        nights.bucket.delete("b/hidden");
        let counts = nights.night().counts;
        assert_eq!((counts.listed, counts.stored), (12, 12), "pages of {size}");
        for key in ["a", "b/hidden", "b/hidden!", "c"] {
            assert_eq!(nights.latest(key).unwrap(), format!("{key} 2").as_bytes());
            assert_eq!(nights.history(key).len(), 2, "{key}");
        }
        assert_eq!(of(&nights, "b/hidden", "b/hidden 2"), HIDDEN);
        nothing_changes(&mut nights);
    }
}

/// A key with very many versions: as many requests as it has pages, and no more of its rows at
/// once than a page has.
#[test]
fn a_key_may_have_very_many_versions() {
    const VERSIONS: u64 = 5_000;
    let mut nights = versioned();
    let glacier = || PutOptions {
        storage_class: Some("GLACIER".to_owned()),
        ..PutOptions::default()
    };
    for n in 0..VERSIONS {
        nights.bucket.put_with(KEY, n.to_string(), glacier());
    }
    nights.bucket.put(KEY, "newest");
    assert_eq!(nights.night().counts.stored, 1);
    assert_eq!(nights.asked("ListObjectVersions"), VERSIONS / 1000 + 1);
    assert_eq!(nights.asked("GetObject"), 1);
    let counts = nights.catalogue().counts(None).unwrap();
    let of = |state| counts.iter().find(|c| c.state == state).unwrap().versions;
    assert_eq!((of(State::Archived), of(State::Stored)), (VERSIONS, 1));
    nothing_changes(&mut nights);
}

/// By the bucket's clock, where it tells the times: what happened before the first pull too.
#[test]
fn ls_at_goes_by_the_times_of_versions_and_markers() {
    let mut nights = versioned();
    let begin = nights.clock.now();
    let hour = |n: i64| ms_after(begin, n * 3_600_000);
    for (n, bytes) in [
        (1, Some("one")),
        (2, Some("two")),
        (3, None),
        (4, Some("three")),
    ] {
        nights.clock.set(hour(n));
        match bytes {
            Some(bytes) => drop(nights.bucket.put(KEY, bytes)),
            None => drop(nights.bucket.delete(KEY)),
        }
    }
    let night = {
        nights.night();
        nights.last()
    };
    nights.bucket.delete(KEY);
    nights.night();
    for (at, bytes) in [
        (hour(0), None),
        (hour(1), Some("one")),
        (ms_after(hour(2), -1), Some("one")),
        (hour(2), Some("two")),
        (hour(3), None),
        (hour(4), Some("three")),
        (night, Some("three")),
        (nights.last(), None),
    ] {
        let digest = bytes.map(|bytes| sha256(bytes.as_bytes()));
        assert_eq!(nights.as_it_was(at).get(KEY).copied(), digest, "at {at}");
    }
}

/// Whoever wants to remove versions unseen takes the right to look away first.
#[test]
fn p5_rights_that_the_key_loses_are_said() {
    for (operations, kinds) in [
        (vec!["ListObjectVersions"], vec!["versions-hidden"]),
        (vec!["GetBucketVersioning"], vec!["versioning-hidden"]),
        (
            vec!["GetBucketLifecycleConfiguration"],
            vec!["lifecycle-hidden"],
        ),
        (
            vec![
                "GetBucketLifecycleConfiguration",
                "GetBucketVersioning",
                "ListObjectVersions",
            ],
            vec!["versions-hidden", "versioning-hidden", "lifecycle-hidden"],
        ),
    ] {
        let mut nights = versioned();
        nights.bucket.put(KEY, "one");
        nights.night();
        nights.faults(Faults {
            denied: operations.clone(),
            ..Faults::default()
        });
        for _ in 0..2 {
            assert_eq!(nights.night().open_alarms, 0);
            assert_eq!(nights.open_kinds(), kinds, "{operations:?}");
        }
        for row in nights.open() {
            nights.ack(&row.finding.id, false).unwrap();
        }
        nights.night();
        assert_eq!(nights.open_kinds(), [""; 0], "{operations:?}");
    }
}

/// Nor what is not asked for any more.
#[test]
fn what_the_owner_does_not_want_to_know_is_no_finding() {
    for versions in [Versions::Current, Versions::All] {
        let mut nights = versioned();
        nights.bucket.put(KEY, "one");
        nights.night();
        nights.source.versions = versions;
        nights.night();
        assert_eq!(nights.open_kinds(), [""; 0], "{versions:?}");
    }
}

/// What was never allowed is no loss.
#[test]
fn rights_that_the_key_never_had_are_no_finding() {
    let mut nights = versioned();
    nights.bucket.put(KEY, "one");
    for denied in [
        vec!["ListObjectVersions", "GetBucketLifecycleConfiguration"],
        vec!["ListObjectVersions", "GetBucketLifecycleConfiguration"],
        vec!["GetBucketLifecycleConfiguration"],
    ] {
        nights.faults(Faults {
            denied,
            ..Faults::default()
        });
        nights.night();
        assert_eq!(nights.open_kinds(), [""; 0]);
    }
}
