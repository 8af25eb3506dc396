//! Object lock on every server that has it: what the key that reads is told, and what the program
//! makes of it.

use crate::ground::{Ground, requests};
use crate::support::Home;
use offsite::bucket::{Ask, Bucket, Setting, Tuning};
use offsite::object::{BucketLock, InBucket, Listed, Lock, LockMode, Retention, Timestamp};
use std::time::Duration;

/// So many days from now, in whole seconds: some servers know no less.
fn in_days(days: u64) -> Lock {
    let now = Timestamp::from_second(Timestamp::now().as_second()).unwrap();
    let until = now + Duration::from_secs(days * 86_400);
    let mode = LockMode::Governance;
    Lock::of(Some(Retention { mode, until }), false).unwrap()
}

async fn versions(bucket: &Bucket) -> Vec<Listed> {
    let mut listing = bucket.list_versions();
    let mut all = Vec::new();
    while let Some(page) = listing.next().await.unwrap() {
        all.extend(page.objects);
    }
    all
}

fn head(ground: &Ground, object: &Listed) -> Option<Lock> {
    let (lock, seen) = ground.ask(Tuning::default(), async |bucket| {
        let bucket = match object.in_bucket {
            InBucket::Current => bucket.clone(),
            _ => bucket.by_version(),
        };
        bucket.lock_of(&object.key, &object.identity).await
    });
    assert_eq!(seen, requests([("HeadObject", 1)]));
    lock.unwrap()
}

/// By GET and by HEAD, of the newest and of an older version; and it cannot be removed.
pub fn a_lock_is_told_and_keeps_its_version(ground: &Ground) {
    let ground = ground.with_locks();
    let (older, newer) = (in_days(20), in_days(30));
    let id = ground.put_locked("k", b"1", older);
    ground.put_locked("k", b"2", newer);
    ground.put("free", b"3");
    let (listed, _) = ground.ask(Tuning::default(), versions);
    for object in &listed {
        let lock = match (object.key.as_str(), object.in_bucket) {
            ("free", _) => None,
            (_, InBucket::Current) => Some(newer),
            _ => Some(older),
        };
        assert_eq!(head(&ground, object), lock, "{object:?}");
        let (answer, _) = ground.ask(Tuning::default(), async |bucket| {
            let bucket = bucket.by_version();
            let got = bucket.open(&object.key, &object.identity, Ask::Nothing);
            got.await.unwrap().answer().clone()
        });
        assert_eq!(answer.lock, lock, "{object:?}");
    }
    assert_eq!(listed.len(), 3);
    let refused = ground.try_delete_version("k", &id).unwrap_err();
    assert_eq!(refused.status, 403, "{refused:?}");
    let (still, _) = ground.ask(Tuning::default(), versions);
    assert_eq!(still.len(), 3);
}

/// In one request: that there are locks, that there are none, or that the key may not ask.
pub fn whether_a_bucket_locks_is_one_request(ground: &Ground) {
    let locks = ground.with_locks();
    for (ground, on) in [(ground, false), (&locks, true)] {
        let (told, seen) = ground.ask(Tuning::default(), async |b| b.lock_setting().await);
        assert_eq!(seen, requests([("GetObjectLockConfiguration", 1)]));
        let expected = BucketLock { on, default: None };
        match told {
            Setting::Is(told) => assert_eq!(told, expected),
            Setting::Withheld(error) => {
                let named = error.to_string();
                assert!(
                    named.contains("s3:GetBucketObjectLockConfiguration"),
                    "{named}"
                );
                assert_eq!(ground.server, crate::ground::Server::Seaweed);
            }
            Setting::Unknown => panic!("no word"),
        }
    }
}

fn kinds(home: &Home) -> Vec<String> {
    let status = home.run(["status", "--json"]).json_lines();
    let findings = status[0]["findings"].as_array().unwrap().iter();
    findings
        .map(|finding| finding["kind"].as_str().unwrap().to_owned())
        .collect()
}

pub fn a_lock_shortened_or_broken_is_an_alarm(ground: &Ground) {
    let ground = ground.with_locks();
    let older = ground.put_locked("db.age", b"1", in_days(20));
    let newest = ground.put_locked("db.age", b"2", in_days(30));
    let home = ground.home();
    home.run(["pull"]).exits(0);
    home.run(["pull"]).exits(0);
    // In another second: some servers tell the time of the change for that of the version.
    std::thread::sleep(std::time::Duration::from_millis(1100));
    ground.relock("db.age", &newest, in_days(40));
    home.run(["pull"]).exits(0);
    ground.relock("db.age", &newest, in_days(2));
    home.run(["pull"]).exits(4);
    assert_eq!(kinds(&home), ["lock-shortened"]);
    home.run(["ack", "www-1"]).exits(0);
    home.run(["pull"]).exits(0);
    ground.force_delete_version("db.age", &older);
    home.run(["pull"]).exits(4);
    assert!(
        kinds(&home).contains(&"lock-broken".to_owned()),
        "{:?}",
        kinds(&home)
    );
}
