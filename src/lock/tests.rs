use super::*;
use crate::object::{DefaultLock, LockMode, from_ms};
use LockMode::{Compliance, Governance};

const DAY: i64 = 86_400_000;

/// So many hours after a first night.
fn hour(hours: i64) -> Timestamp {
    from_ms(1_800_000_000_000 + hours * DAY / 24)
}

fn until(mode: LockMode, hours: i64) -> Lock {
    let until = hour(hours);
    Lock::of(Some(Retention { mode, until }), false).unwrap()
}

fn and_held(lock: Lock) -> Lock {
    Lock { hold: true, ..lock }
}

/// (a lock, what it is now), looked at in hour 0 -> how it got weaker.
#[test]
fn what_is_weaker_and_what_is_not() {
    let hold = Lock::of(None, true).unwrap();
    let g = |hours| until(Governance, hours);
    let c = |hours| until(Compliance, hours);
    for (was, is, expected) in [
        // As it was, renewed, made stronger.
        (g(100), Some(g(100)), None),
        (g(100), Some(g(101)), None),
        (g(100), Some(c(100)), None),
        (g(100), Some(and_held(g(100))), None),
        (hold, Some(hold), None),
        (hold, Some(and_held(c(1))), None),
        // Run out: whatever is told then.
        (g(0), None, None),
        (c(-1), None, None),
        (c(-100), Some(g(-200)), None),
        (c(-100), Some(g(50)), None),
        // Weaker, and still to go on.
        (g(100), None, Some(Weaker::Removed(hour(100)))),
        (c(1), None, Some(Weaker::Removed(hour(1)))),
        (g(100), Some(hold), Some(Weaker::Removed(hour(100)))),
        (
            g(100),
            Some(g(99)),
            Some(Weaker::Shortened(hour(100), hour(99))),
        ),
        (
            g(100),
            Some(c(-5)),
            Some(Weaker::Shortened(hour(100), hour(-5))),
        ),
        (c(100), Some(g(100)), Some(Weaker::Bypassable)),
        (c(100), Some(g(200)), Some(Weaker::Bypassable)),
        (hold, None, Some(Weaker::Lifted)),
        (hold, Some(g(100)), Some(Weaker::Lifted)),
        (and_held(g(-9)), Some(g(-9)), Some(Weaker::Lifted)),
    ] {
        assert_eq!(
            weaker(&was, is.as_ref(), hour(0)),
            expected,
            "{was:?} {is:?}"
        );
    }
}

/// The clocks of two servers differ, and so do their ideas of a time's digits.
#[test]
fn what_clocks_and_digits_make_of_it_is_no_difference() {
    let at = |seconds: i64| {
        hour(0)
            .checked_add(SignedDuration::from_secs(seconds))
            .unwrap()
    };
    let lock = |seconds| {
        let until = at(seconds);
        Lock::of(
            Some(Retention {
                mode: Compliance,
                until,
            }),
            false,
        )
        .unwrap()
    };
    let minute = |minutes: i64| lock(60 * minutes);
    assert_eq!(weaker(&minute(15), None, hour(0)), None);
    assert_eq!(broken(&minute(15), hour(0)), None);
    assert!(weaker(&minute(16), None, hour(0)).is_some());
    assert!(broken(&minute(16), hour(0)).is_some());
    assert_eq!(weaker(&lock(9_001), Some(&lock(9_000)), hour(0)), None);
    assert!(weaker(&lock(9_002), Some(&lock(9_000)), hour(0)).is_some());
}

#[test]
fn who_is_gone_before_the_end() {
    let hold = Lock::of(None, true).unwrap();
    for (was, left) in [
        (until(Governance, -1), None),
        (until(Compliance, 0), None),
        (until(Compliance, 1), Some(until(Compliance, 1))),
        (until(Governance, 999), Some(until(Governance, 999))),
        (hold, Some(hold)),
        (and_held(until(Governance, -1)), Some(hold)),
    ] {
        assert_eq!(broken(&was, hour(0)), left, "{was:?}");
    }
}

#[test]
fn settings_that_are_looser() {
    let lock = |mode, days| BucketLock {
        on: true,
        default: Some(DefaultLock { mode, days }),
    };
    let bare = BucketLock {
        on: true,
        default: None,
    };
    let off = BucketLock::default();
    for (was, is, expected) in [
        (off, off, None),
        (off, bare, None),
        (bare, bare, None),
        (bare, lock(Governance, 1), None),
        (lock(Governance, 7), lock(Governance, 7), None),
        (lock(Governance, 7), lock(Compliance, 8), None),
        (lock(Governance, 7), lock(Compliance, 7), None),
        (bare, off, Some(Loosened::Off)),
        (lock(Compliance, 7), off, Some(Loosened::Off)),
        (lock(Compliance, 7), bare, Some(Loosened::NoDefault)),
        (
            lock(Governance, 7),
            lock(Compliance, 6),
            Some(Loosened::Shorter(7, 6)),
        ),
        (
            lock(Compliance, 7),
            lock(Governance, 9),
            Some(Loosened::Bypassable),
        ),
    ] {
        assert_eq!(loosened(&was, &is), expected, "{was:?} {is:?}");
    }
}

/// (hours from one pull to the next, the newest first) -> the interval, and the fewest days that are
/// long enough.
#[test]
fn how_often_it_pulls_and_how_long_a_lock_should_be() {
    let cases: [(&[i64], Option<i64>, u32); 7] = [
        (&[24, 24, 24], None, 0),
        (&[24, 24, 24, 24], Some(24), 7),
        (&[1, 1, 1, 1, 1], Some(1), 1),
        // Off for a month, and tried by hand.
        (&[24, 0, 24, 720, 24, 24, 0], Some(24), 7),
        // A little later each night.
        (&[25, 24, 25, 24, 25, 24, 25, 24], Some(25), 7),
        (&[168, 168, 168, 168], Some(168), 47),
        // Hourly by now: what was long ago does not count.
        (
            &[1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 168, 168, 168],
            Some(1),
            1,
        ),
    ];
    for (gaps, hours, fewest) in cases {
        let mut at = 10_000;
        let mut pulls = vec![hour(at)];
        for gap in gaps {
            at -= gap;
            pulls.push(hour(at));
        }
        let found = interval(&pulls);
        assert_eq!(found.map(|i| i.as_hours()), hours, "{gaps:?}");
        if let Some(found) = found {
            assert!(!is_too_short(fewest, found), "{gaps:?}");
            assert!(fewest == 1 || is_too_short(fewest - 1, found), "{gaps:?}");
        }
    }
}

/// A bucket whose uploader locks what it puts, for `days`, and whose lifecycle removes versions
/// `later` days after that; some locks are renewed.
struct Bucket {
    days: i64,
    later: i64,
    renewed: i64,
    /// Whether the server tells a lock that has run out.
    tells_ended: bool,
}

/// Four hundred nights of ordinary life: each version is looked at every night, by a clock that is up
/// to ten minutes wrong.
#[test]
fn ordinary_life_is_silent() {
    for bucket in [
        Bucket {
            days: 30,
            later: 0,
            renewed: 0,
            tells_ended: true,
        },
        Bucket {
            days: 7,
            later: 1,
            renewed: 0,
            tells_ended: false,
        },
        Bucket {
            days: 14,
            later: 20,
            renewed: 30,
            tells_ended: true,
        },
        Bucket {
            days: 1,
            later: 0,
            renewed: 3,
            tells_ended: false,
        },
    ] {
        let mut known: Vec<(i64, Lock)> = Vec::new();
        let mut mode = Governance;
        for night in 0..400 {
            let now = hour(24 * night);
            let wrong = now
                .checked_add(SignedDuration::from_mins((night % 21) - 10))
                .unwrap();
            // From then on by the stronger mode, what is there too.
            if night == 200 {
                mode = Compliance;
            }
            let end = |put: i64| {
                let renewals = match bucket.renewed {
                    0 => 0,
                    every => i64::from((night - put) >= every / 2) * every,
                };
                put + bucket.days + renewals
            };
            let told = |put: i64| {
                let lock = until(mode, 24 * end(put));
                Some(lock).filter(|lock| bucket.tells_ended || lock.is_in_force(now))
            };
            known.retain_mut(|(put, was)| {
                // The lifecycle removes at midnight what may be removed.
                if night >= end(*put) + bucket.later {
                    assert_eq!(broken(was, wrong), None, "{put} in {night}");
                    return false;
                }
                let is = told(*put);
                assert_eq!(weaker(was, is.as_ref(), wrong), None, "{put} in {night}");
                *was = is.unwrap_or(*was);
                true
            });
            known.push((night, told(night).unwrap()));
        }
        assert!(known.len() > 1 || bucket.days == 1, "{}", known.len());
    }
}
