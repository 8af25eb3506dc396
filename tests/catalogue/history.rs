//! Sixty nights of two sources in which everything happens that a journal has a word for.

use crate::dump::Dump;
use crate::support::Nights;
use fastrand::Rng;
use jiff::SignedDuration;
use offsite::demo::bucket::{Fault, Faults, Refusal};
use offsite::object::{BucketLock, DefaultLock, Lock, LockMode, Retention, SourceName};
use offsite::outcome::Ended;
use std::sync::Arc;

/// The sources, each a prefix of the one bucket.
const SOURCES: [&str; 2] = ["www", "mail"];

/// Rotating names, names that are written once, names that clash, names that fold.
const KEYS: [&str; 12] = [
    "db.sql.age",
    "weekly-3",
    "site-20261103-030000utc.tar.age",
    "site-20261104-030000utc.tar.age",
    "docs",
    "docs/a",
    "docs/a/b",
    "É",
    "é",
    "Readme",
    "README",
    "a \"b\"\n",
];

/// Its bytes never arrive as they should.
const SPOILT: &str = "spoilt.age";
/// Nobody may read it.
const DENIED: &str = "denied.age";

/// Lives through so many.
pub(crate) fn live(mut nights: Nights, seed: u64, number: u32) -> Nights {
    let mut rng = Rng::with_seed(seed);
    for night in 0..number {
        if night == number / 2 {
            let (mode, days) = (LockMode::Governance, 9);
            nights.bucket.set_object_lock(BucketLock {
                on: true,
                default: Some(DefaultLock { mode, days }),
            });
        }
        day(&nights, &mut rng, night);
        relock(&nights, night);
        nights.faults(misbehaviour(&mut rng, night));
        for (turn, source) in SOURCES.into_iter().enumerate() {
            nights.source.name = SourceName::new(source).unwrap();
            nights.only(&format!("{source}/"), &[], &["**/*.tmp"]);
            let outcome = match turn {
                0 => nights.some_night(),
                _ => nights.pull(),
            };
            // One whose listing fails is recorded too.
            if let Ok(outcome) = outcome {
                assert_ne!(outcome.ended, Ended::Interrupted);
            }
        }
        if night % 3 == 1 {
            acknowledge(&nights, &mut rng);
        }
    }
    nights.source.name = SourceName::new(SOURCES[0]).unwrap();
    nights.only("www/", &[], &["**/*.tmp"]);
    nights
}

/// Things happen to the bucket.
fn day(nights: &Nights, rng: &mut Rng, night: u32) {
    for source in SOURCES {
        for name in [&format!("daily-{night}.age"), SPOILT, DENIED] {
            let key = format!("{source}/{name}");
            nights.bucket.put(&key, format!("night {night}"));
        }
        for _ in 0..rng.usize(1..7) {
            let key = format!("{source}/{}", KEYS[rng.usize(..KEYS.len())]);
            match (rng.u8(..6), nights.bucket.get(&key)) {
                (0, _) => {
                    nights.bucket.delete(&key);
                }
                // The same bytes again: a touch.
                (1, Some(bytes)) => {
                    nights.bucket.put(&key, bytes);
                }
                // A few contents, so that old ones come back.
                _ => {
                    let bytes = vec![b'0' + rng.u8(..3); 1 + rng.usize(..3)];
                    nights.bucket.put(&key, bytes);
                }
            }
        }
    }
}

/// Some of the newest versions get another lock, shorter, longer, or a legal hold.
fn relock(nights: &Nights, night: u32) {
    let now = nights.clock.now();
    for key in nights.bucket.keys().iter().step_by(5) {
        let id = &nights.bucket.version_ids(key)[0];
        let days = 24 * 20 * i64::from(night % 3);
        let retention = (!night.is_multiple_of(3)).then(|| Retention {
            mode: LockMode::Compliance,
            until: now.checked_add(SignedDuration::from_hours(days)).unwrap(),
        });
        if nights.bucket.lock_of(key, id).is_some() {
            let lock = Lock::of(retention, night.is_multiple_of(2));
            nights.bucket.set_lock(key, id, lock);
        }
    }
}

/// What is wrong with the two that never work, and for a night with another.
fn misbehaviour(rng: &mut Rng, night: u32) -> Faults {
    let wrong = KEYS[rng.usize(..KEYS.len())];
    let (spoilt, denied, failing, hidden) = match night % 5 {
        1 => (wrong, DENIED, None, None),
        2 => (SPOILT, wrong, None, None),
        3 => (SPOILT, DENIED, Some(wrong), None),
        4 => (SPOILT, DENIED, None, Some(wrong)),
        _ => (SPOILT, DENIED, None, None),
    };
    let refusal = match failing {
        Some(_) => Refusal::InternalError,
        None => Refusal::AccessDenied,
    };
    let refused = failing.unwrap_or(denied);
    Faults {
        page_size: Some(rng.usize(2..6)),
        flip: Some(Fault::new(0).on(move |key: &str| key.ends_with(spoilt))),
        refuse: Some(Fault::new(refusal).on(move |key: &str| key.ends_with(refused))),
        hide: hidden.map(|hidden| Arc::new(move |key: &str| key.ends_with(hidden)) as _),
        ..Faults::default()
    }
}

/// The owner looks at half of what is open, and accepts what can be.
fn acknowledge(nights: &Nights, rng: &mut Rng) {
    for finding in nights.open() {
        if rng.bool() {
            let id = &finding.finding.id;
            if !rng.bool() || nights.ack(id, true).is_err() {
                nights.ack(id, false).unwrap();
            }
        }
    }
}

/// That there is something to lose: every state, every kind of line.
pub(crate) fn is_rich(dump: &Dump) {
    let has = |table: &str, words: &str| {
        let wanted: Vec<&str> = words.split(' ').collect();
        let found = dump[table]
            .iter()
            .filter(|row| wanted.iter().all(|word| row.contains(word)));
        assert!(found.count() > 0, "no {words} in {table}");
    };
    for source in SOURCES {
        for state in ["stored", "held", "quarantined"] {
            has("version", &format!("source={source} Text(\"{state}\")"));
        }
        has("version", &format!("source={source} Text(\"unreadable\")"));
        has("version", &format!("source={source} missed_at=Integer"));
        has(
            "version",
            &format!("source={source} bytes=Integer(0) sums_at=Integer"),
        );
        has(
            "version",
            &format!("source={source} sums_at=Integer Text(\"history/"),
        );
        has("finding", &format!("source={source} write-once-changed"));
        has("finding", &format!("source={source} contradiction"));
        has("ack", &format!("source={source} accepted=Integer(1)"));
        has("ack", &format!("source={source} accepted=Integer(0)"));
        has("run", &format!("source={source} Text(\"partial\")"));
        has("source", &format!("Text(\"{source}\") www-backups"));
    }
    has("run", "key=Text");
    has("run", "command=Text(\"ack\")");
    has("version", "answered_version_id=Text");
    has("version", "Text(\"governance\") lock_until=Integer");
    has("version", "Text(\"compliance\") lock_until=Integer");
    has(
        "version",
        "lock_mode=Null lock_until=Integer lock_hold=Integer(1)",
    );
    has("bucket_lock", "enabled=Integer(1) days=Integer(9)");
    assert!(dump["event"].len() > 5, "{:?}", dump["event"]);
}
