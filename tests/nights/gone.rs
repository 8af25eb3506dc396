//! Keys that a listing does not show.

use crate::support::Nights;
use crate::support::nights::key;
use offsite::demo::bucket::{Fault, Faults, Paging, Refusal, Versioning};
use offsite::object::{InBucket, State};
use std::sync::Arc;

const KEEP: &str = "keep";
const LOST: &str = "lost-2026-11-01.age";
const STORED_GONE: (State, InBucket) = (State::Stored, InBucket::Gone);
const STORED_CURRENT: (State, InBucket) = (State::Stored, InBucket::Current);

fn with_two_keys() -> Nights {
    let mut nights = Nights::new();
    nights.bucket.put(KEEP, "stays");
    nights.bucket.put(LOST, "goes");
    nights.night();
    nights.bucket.reset_requests();
    nights
}

#[test]
fn p2_a_deleted_object_is_gone_after_one_head_and_stays_in_latest() {
    let mut nights = with_two_keys();
    nights.bucket.delete(LOST);
    assert_eq!(nights.night().counts.gone, 1);
    assert_eq!(nights.asked("HeadObject"), 1);
    assert_eq!(nights.states(LOST), [STORED_GONE]);
    assert_eq!(nights.versions(LOST)[0].missed_at, Some(nights.last()));
    assert_eq!(nights.latest(LOST).unwrap(), b"goes");
    nights.bucket.reset_requests();
    assert_eq!(nights.night().counts.gone, 0, "said once");
    assert_eq!(nights.asked("HeadObject"), 0, "and asked once");
    assert_eq!(nights.latest(LOST).unwrap(), b"goes");
}

#[test]
fn nothing_is_gone_while_the_head_has_no_answer() {
    for refusal in [Refusal::InternalError, Refusal::SlowDown] {
        let mut nights = with_two_keys();
        nights.bucket.delete(LOST);
        nights.faults(Faults {
            refuse: Some(Fault::new(refusal).on(|key| key == LOST)),
            ..Faults::default()
        });
        assert_eq!(nights.night().counts.gone, 0, "{refusal:?}");
        assert_eq!(nights.states(LOST), [STORED_CURRENT]);
        nights.faults(Faults::default());
        assert_eq!(nights.night().counts.gone, 1, "{refusal:?}");
    }
}

#[test]
fn a_deleted_object_comes_back_as_a_new_upload_or_as_the_one_it_was() {
    let mut nights = with_two_keys();
    nights.bucket.delete(LOST);
    nights.night();
    nights.bucket.put(LOST, "goes");
    let outcome = nights.night();
    assert_eq!(outcome.counts.touched, 1);
    assert_eq!(
        nights.open_kinds(),
        ["deleted"],
        "it was not there for a night"
    );
    assert_eq!(nights.states(LOST), [STORED_CURRENT, STORED_GONE]);

    // A delete marker that is removed shows the very version it had hidden.
    let mut nights = Nights::new();
    nights.bucket.set_versioning(Versioning::Enabled);
    nights.bucket.put(LOST, "goes");
    nights.night();
    let marker = nights.bucket.delete(LOST).unwrap();
    assert_eq!(nights.night().counts.gone, 1);
    nights.bucket.delete_version(LOST, &marker);
    nights.bucket.reset_requests();
    nights.night();
    assert_eq!(nights.states(LOST), [STORED_CURRENT]);
    assert_eq!(nights.asked("GetObject"), 0, "its bytes are here");
    assert_eq!(nights.latest(LOST).unwrap(), b"goes");
}

#[test]
fn p5_a_listing_that_omits_keys_is_a_finding_about_the_server_and_nothing_is_gone() {
    let mut nights = with_two_keys();
    nights
        .bucket
        .with_faults(|f| f.hide = Some(Arc::new(|key| key == LOST)));
    for night in 0..2 {
        let outcome = nights.night();
        assert_eq!(
            (outcome.counts.gone, outcome.open_alarms),
            (0, 0),
            "{night}"
        );
        assert_eq!(
            nights.open_kinds(),
            ["listing-omits"],
            "night {night}: said once"
        );
        assert_eq!(nights.states(LOST), [STORED_CURRENT]);
    }
    let finding = nights.open().pop().unwrap().finding;
    assert!(
        finding.advice.what.contains(LOST),
        "{}",
        finding.advice.what
    );
    nights.faults(Faults::default());
    nights.night();
    nights.ack(&finding.id, false).unwrap();
    nights.night();
    assert_eq!(nights.open_kinds(), [""; 0]);
}

/// 300 keys, 250 of which the listing does not show on the second night: `deleted` of them are
/// really gone.
fn many_missing(deleted: usize) -> Nights {
    let mut nights = Nights::new();
    for n in 0..300 {
        nights.bucket.put(&format!("{n:03}"), "x");
    }
    nights.night();
    nights.bucket.reset_requests();
    for n in 0..deleted {
        nights.bucket.delete(&format!("{n:03}"));
    }
    nights
        .bucket
        .with_faults(|f| f.hide = Some(Arc::new(|key| key < "250")));
    nights
}

#[test]
fn of_many_missing_a_sample_is_asked_for() {
    let mut nights = many_missing(250);
    let outcome = nights.night();
    assert_eq!(nights.asked("HeadObject"), 200);
    assert_eq!(
        outcome.counts.gone, 250,
        "all of the sample are gone: all are"
    );
    assert_eq!(nights.open_kinds(), ["deleted"]);

    let mut nights = many_missing(0);
    assert_eq!(nights.night().counts.gone, 0);
    assert_eq!(nights.asked("HeadObject"), 200);
    assert_eq!(nights.open_kinds(), ["listing-omits"]);

    // The listing cannot be believed: only what was asked for one by one is gone.
    let mut nights = many_missing(125);
    let gone = nights.night().counts.gone;
    assert!(
        (75..=125).contains(&gone),
        "{gone} of 125 in a sample of 200 of 250"
    );
    assert_eq!(nights.open_kinds(), ["listing-omits"]);
    for n in 125..300 {
        assert_eq!(nights.states(&format!("{n:03}")), [STORED_CURRENT], "{n}");
    }
}

#[test]
fn a_listing_that_breaks_off_says_nothing_of_what_it_did_not_show() {
    for paging in [Paging::SameToken, Paging::SamePage, Paging::NoToken] {
        let mut nights = with_two_keys();
        nights.bucket.put("more", "x");
        nights.bucket.delete(LOST);
        nights.faults(Faults {
            paging,
            page_size: Some(1),
            ..Faults::default()
        });
        assert!(nights.some_night().is_err(), "{paging:?}");
        assert_eq!(nights.asked("HeadObject"), 0, "{paging:?}");
        assert_eq!(nights.states(LOST), [STORED_CURRENT], "{paging:?}");
        nights.faults(Faults::default());
        assert_eq!(nights.night().counts.gone, 1, "{paging:?}");
    }
}

/// (prefix, include, exclude): none of them takes `lost`, all of them take `keep`.
#[test]
fn keys_that_the_filter_does_not_take_are_not_missing() {
    let all: &[&str] = &[];
    for (prefix, include, exclude) in [
        ("", &["keep*"][..], all),
        ("", all, &["lost*"][..]),
        ("ke", all, all),
    ] {
        let mut nights = with_two_keys();
        nights.bucket.delete(LOST);
        nights.only(prefix, include, exclude);
        let outcome = nights.night();
        let counts = outcome.counts;
        assert_eq!((counts.listed, counts.gone), (1, 0), "{prefix} {include:?}");
        assert_eq!(nights.asked("HeadObject"), 0, "{prefix} {include:?}");
        assert_eq!(
            nights.states(LOST),
            [STORED_CURRENT],
            "{prefix} {include:?}"
        );
        assert_eq!(nights.latest(LOST).unwrap(), b"goes");
        nights.only("", all, all);
        assert_eq!(nights.night().counts.gone, 1, "asked for again");
    }
}

#[test]
fn keys_outside_the_filter_are_not_touched() {
    let mut nights = Nights::new();
    for key in ["in/a", "in/b.tmp", "out/a", "inn"] {
        nights.bucket.put(key, "x");
    }
    nights.only("in/", &[], &["**/*.tmp"]);
    assert_eq!(nights.night().counts.stored, 1);
    assert!(
        nights
            .catalogue()
            .is_folder(&nights.source.name, &key("in"))
            .unwrap()
    );
    assert_eq!(nights.bucket.requests().get("GetObject"), Some(&1));
    let keys: Vec<_> = nights.as_it_was(nights.last()).into_keys().collect();
    assert_eq!(keys, ["in/a"]);
}

/// Who deletes may forbid to ask as well: what neither a listing nor a HEAD shows to our key is gone,
/// as far as anybody can tell here.
#[test]
fn p5_a_refused_head_hides_no_deletion() {
    for versioning in [Versioning::Off, Versioning::Enabled] {
        let mut nights = Nights::new();
        nights.bucket.set_versioning(versioning);
        for day in 1..=9 {
            nights.bucket.put(&format!("db-2026-10-{day:02}.age"), "x");
        }
        nights.night();
        for day in 1..=9 {
            nights.bucket.purge(&format!("db-2026-10-{day:02}.age"));
        }
        nights.faults(Faults {
            refuse: Some(Fault::new(Refusal::AccessDenied).on(|key| key.starts_with("db-"))),
            ..Faults::default()
        });
        let outcome = nights.some_night().unwrap();
        assert_eq!(outcome.open_alarms, 1, "{versioning:?}");
        assert_eq!(nights.open_kinds(), ["deleted"], "{versioning:?}");
    }
}
