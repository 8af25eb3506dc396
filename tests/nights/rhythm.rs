//! Series that come late, not at all, or not as they should: each is said once, as a warning, and
//! closes by itself or by `ack`.

use super::content::openssl;
use crate::support::Nights;
use crate::support::nights::{SOURCE, ms_after};
use offsite::demo::bucket::{Faults, PutOptions};
use offsite::object::{Severity, Timestamp};
use offsite::upkeep::Acknowledged;

const DAY: i64 = 24 * 3_600_000;

/// The backup of day `n`.
fn daily(n: i64) -> String {
    format!("shop/db-{}.sql.gpg", 20_270_000 + n)
}

fn put(nights: &Nights, n: i64) {
    nights.bucket.put(&daily(n), openssl(9_000, n as u64));
}

/// Ten nights of a job, of which the copy saw all.
fn ten_nights() -> Nights {
    let mut nights = Nights::new();
    for n in 0..10 {
        put(&nights, n);
        nights.night();
    }
    assert_eq!(nights.open_kinds(), [""; 0]);
    nights
}

fn quiet_nights(nights: &mut Nights, count: usize) {
    for _ in 0..count {
        nights.night();
    }
}

#[test]
fn p5_a_job_that_stops_is_late_once_and_closes_by_itself() {
    let mut nights = ten_nights();
    quiet_nights(&mut nights, 3);
    assert_eq!(nights.open_kinds(), [""; 0], "a long weekend");
    quiet_nights(&mut nights, 2);
    assert_eq!(nights.open_kinds(), ["late"]);
    let found = nights.open().remove(0).finding;
    assert_eq!(found.severity, Severity::Warning);
    assert_eq!(found.key.unwrap().as_str(), daily(9));
    let advice = found.advice;
    assert!(
        advice.what.contains("shop/db-*.sql.gpg is late"),
        "{advice:?}"
    );
    assert!(advice.evidence.contains("every 24 hours"), "{advice:?}");
    assert!(
        advice.next.contains(&format!("offsite ack {}", found.id)),
        "{advice:?}"
    );
    quiet_nights(&mut nights, 5);
    assert_eq!(nights.journalled("finding"), 1, "said once");
    // It goes on.
    put(&nights, 10);
    nights.night();
    assert_eq!(nights.open_kinds(), [""; 0]);
    let row = nights.catalogue().finding(&found.id).unwrap().unwrap();
    let note = row.ack.unwrap().note.unwrap();
    assert_eq!(note, "closed by itself: the series goes on");
    // What comes again can be late again.
    quiet_nights(&mut nights, 20);
    assert_eq!(nights.open_kinds(), ["late"]);
    assert_eq!(nights.check().problems, []);
}

#[test]
fn p5_a_retired_job_is_late_then_silent_and_an_acknowledgement_ends_it() {
    let mut nights = ten_nights();
    quiet_nights(&mut nights, 30);
    assert_eq!(nights.open_kinds(), ["silent"]);
    assert_eq!(nights.journalled("finding"), 2);
    let id = nights.open().remove(0).finding.id;
    assert_eq!(nights.ack(&id, false).unwrap(), Acknowledged::Closed);
    quiet_nights(&mut nights, 5);
    assert_eq!(nights.journalled("finding"), 2);

    // Who knows that it is late need not hear that it is silent.
    let mut nights = ten_nights();
    quiet_nights(&mut nights, 5);
    let id = nights.open().remove(0).finding.id;
    nights.ack(&id, false).unwrap();
    quiet_nights(&mut nights, 30);
    assert_eq!(nights.journalled("finding"), 1);
}

/// A computer that was off for a month finds all that came meanwhile, or that nothing did.
#[test]
fn p5_nothing_is_late_because_no_pull_ran() {
    let mut nights = ten_nights();
    let (last, clock) = (nights.last(), nights.clock.clone());
    for n in 10..40 {
        clock.set(ms_after(last, (n - 9) * DAY));
        put(&nights, n);
    }
    nights.jump(ms_after(last, 30 * DAY));
    nights.night();
    assert_eq!(nights.open_kinds(), [""; 0]);
    // And while none runs, nothing is.
    nights.jump(ms_after(last, 90 * DAY));
    assert_eq!(nights.open_kinds(), [""; 0]);
    nights.night();
    assert_eq!(nights.open_kinds(), ["silent"]);
}

/// What waits for its turn in the bucket is not late, nor what the owner leaves out.
#[test]
fn p5_what_waits_and_what_is_left_out_is_not_late() {
    let mut nights = ten_nights();
    nights.limits.max_object = Some(100);
    for n in 10..20 {
        put(&nights, n);
        nights.night();
    }
    assert_eq!(nights.open_kinds(), ["oversize"]);
    let mut nights = ten_nights();
    nights.only("", &[], &["shop/**"]);
    quiet_nights(&mut nights, 20);
    assert_eq!(nights.open_kinds(), [""; 0]);
}

/// What cannot be fetched comes all the same.
#[test]
fn p5_what_comes_and_is_not_stored_is_not_late() {
    let mut nights = ten_nights();
    for n in 10..20 {
        let archived = PutOptions {
            storage_class: Some("GLACIER".to_owned()),
            ..PutOptions::default()
        };
        nights
            .bucket
            .put_with(&daily(n), openssl(9_000, 7), archived);
        nights.night();
    }
    quiet_nights(&mut nights, 3);
    assert_eq!(nights.open_kinds(), [""; 0]);
    quiet_nights(&mut nights, 2);
    assert_eq!(nights.open_kinds(), ["late"]);
}

/// By the bucket's clock, which wrote the times of its objects.
#[test]
fn p5_nothing_is_late_because_our_clock_is_wrong() {
    let mut nights = ten_nights();
    nights.faults(Faults {
        clock_ahead: -10 * 86_400,
        ..Faults::default()
    });
    quiet_nights(&mut nights, 8);
    assert_eq!(nights.open_kinds(), ["clock"]);
    nights.faults(Faults::default());
    nights.night();
    assert_eq!(nights.open_kinds(), ["clock", "late"]);
}

#[test]
fn p5_sizes_that_a_series_never_had_are_said_once() {
    for (size, kind) in [(4_000, "shrunken"), (90_000, "swollen")] {
        let mut nights = ten_nights();
        nights.bucket.put(&daily(10), openssl(size, 10));
        nights.night();
        assert_eq!(nights.open_kinds(), [kind]);
        quiet_nights(&mut nights, 2);
        // It stays so.
        nights.bucket.put(&daily(11), openssl(size, 11));
        nights.night();
        assert_eq!(nights.journalled("finding"), 1);
        let id = nights.open().remove(0).finding.id;
        nights.ack(&id, false).unwrap();
        nights.bucket.put(&daily(12), openssl(size, 12));
        quiet_nights(&mut nights, 2);
        assert_eq!(nights.open_kinds(), [""; 0]);
    }
}

#[test]
fn p5_empty_backups_and_the_same_again_are_said() {
    let mut nights = ten_nights();
    nights.bucket.put(&daily(10), "");
    nights.night();
    assert_eq!(nights.open_kinds(), ["empty"]);
    let mut nights = ten_nights();
    for n in 10..16 {
        nights.bucket.put(&daily(n), openssl(9_000, 9));
        nights.night();
    }
    assert_eq!(nights.open_kinds(), ["stuck-job"]);
    let id = nights.open().remove(0).finding.id;
    nights.ack(&id, false).unwrap();
    for n in 16..20 {
        nights.bucket.put(&daily(n), openssl(9_000, 9));
        nights.night();
    }
    assert_eq!(nights.journalled("finding"), 1);
}

/// The memory of the series is in the journals.
#[test]
fn a_rebuilt_catalogue_knows_the_rhythm() {
    let mut nights = ten_nights();
    let before = nights.offsite(&["status", "--json"]).json_lines();
    nights.offsite(&["catalogue", "rebuild"]).exits(0);
    let after = nights.offsite(&["status", "--json"]).json_lines();
    assert_eq!(before[0]["series"], after[0]["series"]);
    quiet_nights(&mut nights, 5);
    assert_eq!(nights.open_kinds(), ["late"]);
}

#[test]
fn p5_status_shows_series_and_exits_with_a_warning() {
    let mut nights = Nights::new();
    let now = Timestamp::now();
    nights.jump(ms_after(now, -14 * DAY));
    for n in 0..9 {
        put(&nights, n);
        nights.night();
    }
    let status = nights.offsite(&["status", "--json"]);
    let series = &status.json_lines()[0]["series"];
    assert_eq!(series[0]["source"], SOURCE);
    assert_eq!(series[0]["name"], "shop/db-*.sql.gpg");
    assert_eq!(
        (&series[0]["versions"], &series[0]["health"]),
        (&9.into(), &"ok".into())
    );
    let every = series[0]["rhythm"]["every_hours"].as_f64().unwrap();
    assert!((23.9..24.1).contains(&every), "{series}");
    assert!(
        series[0]["expected"].as_str() > series[0]["newest"].as_str(),
        "{series}"
    );
    quiet_nights(&mut nights, 5);
    let text = nights.offsite(&["status"]).exits(3);
    assert!(
        text.stdout.contains("something wants a look"),
        "{}",
        text.stdout
    );
    assert!(text.stdout.contains("warning www-1"), "{}", text.stdout);
    let status = nights.offsite(&["status", "--json"]).exits(3);
    let series = &status.json_lines()[0]["series"][0];
    assert_eq!(
        (&series["health"], &series["findings"][0]),
        (&"warning".into(), &"late".into())
    );
    nights.ack("www-1", false).unwrap();
    nights.offsite(&["status"]).exits(0);
}

/// An archive of three volumes and the rest of it, but for those whose names end in what is `lost`.
fn archive(nights: &Nights, n: u64, lost: &str) {
    for (volume, end) in ["j01", "j02", "j03", "jps"].into_iter().enumerate() {
        if !lost.split(' ').any(|l| l == end) {
            let key = format!("site-{}-030000utc-AbCdEfGh12345678.{end}", 20_261_101 + n);
            // What is left for the last volume may be little.
            let size = match (end, n) {
                ("jps", 6) => 600,
                ("jps", _) => 8_000,
                _ => 9_000,
            };
            nights
                .bucket
                .put(&key, openssl(size, n * 10 + volume as u64));
        }
    }
}

#[test]
fn p5_an_archive_without_one_of_its_volumes_is_said_once() {
    for lost in ["j02", "j01", "jps", "j01 j02 j03"] {
        let mut nights = Nights::new();
        for n in 0..8 {
            archive(&nights, n, "");
            nights.night();
        }
        assert_eq!(nights.open_kinds(), [""; 0]);
        archive(&nights, 8, lost);
        for n in 9..12 {
            nights.night();
            archive(&nights, n, "");
        }
        assert_eq!(nights.open_kinds(), ["incomplete-set"], "{lost}");
        assert_eq!(nights.journalled("finding"), 1);
        let what = nights.open().remove(0).finding.advice.what;
        assert!(what.contains("site-20261109-"), "{what}");
    }
}

/// What is still on its way, or too large to be fetched, is not missing.
#[test]
fn p5_volumes_that_are_on_their_way_are_not_missing() {
    let mut nights = Nights::new();
    nights.limits.max_object = Some(8_000);
    for n in 0..6 {
        archive(&nights, n, "");
        nights.night();
    }
    assert_eq!(nights.open_kinds(), ["oversize"]);
    let mut nights = Nights::new();
    for n in 0..6 {
        archive(&nights, n, "j02 jps");
        // In the middle of the upload.
        nights.pull().unwrap();
        archive(&nights, n, "j01 j03");
        nights.night();
    }
    assert_eq!(nights.open_kinds(), [""; 0]);
}
