//! Large objects go on where an earlier run stopped, if what is here is surely theirs.

use crate::support::Embedded;
use crate::{NEVER, heal, incoming, latest, pattern, until};
use offsite::demo::bucket::{Encryption, Fault, PutOptions};
use rustix::process::Signal;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// What a large object is fetched in.
const RANGE: u64 = 2 << 20;
/// How far a run comes between two watermarks.
const WATERMARK: u64 = 64 << 20;

/// `ranges` of the object's ranges are served, all further ones stall.
fn stall_after(world: &Embedded, ranges: u64) {
    let bucket = world.bucket.clone();
    let served = AtomicU64::new(0);
    world.bucket.with_faults(|faults| {
        faults.on_request = Some(Arc::new(move |operation, _| {
            if operation == "GetObject" && served.fetch_add(1, Ordering::SeqCst) == ranges {
                bucket.with_faults(|faults| faults.trickle = Some(Fault::new(NEVER)));
            }
        }));
    });
}

/// The object's only download, and how far its watermark says that it is.
fn watermark(world: &Embedded) -> Option<(PathBuf, u64)> {
    let (file, _) = incoming(world).pop()?;
    let mark: serde_json::Value =
        serde_json::from_slice(&std::fs::read(file.with_extension("mark")).ok()?).ok()?;
    Some((file, mark["offset"].as_u64()?))
}

/// A run that a SIGTERM ended after the first ranges: the file, and how much of it is sure.
fn stopped(world: &Embedded, bytes: &[u8]) -> (PathBuf, u64) {
    world.bucket.put("large", bytes);
    stall_after(world, 6);
    let pull = world.home.spawn(["pull"]);
    until("some ranges are here", || {
        incoming(world)
            .iter()
            .any(|(_, length)| *length >= 2 * RANGE)
    });
    pull.signal(Signal::TERM);
    pull.finish().exits(3);
    let (file, sure) = watermark(world).unwrap();
    assert!(sure >= 2 * RANGE && sure.is_multiple_of(RANGE), "{sure}");
    assert!(sure < bytes.len() as u64);
    (file, sure)
}

/// A whole pull that must fetch the object from `sure` on, and end with these bytes.
#[track_caller]
fn goes_on_from(world: &Embedded, sure: u64, bytes: &[u8]) {
    heal(world);
    world.home.run(["pull"]).exits(0);
    let missing = (bytes.len() as u64 - sure).div_ceil(RANGE);
    assert_eq!(world.requests("GetObject"), missing, "only what is missing");
    assert!(latest(world, "large") == bytes);
}

#[test]
fn p3_after_a_kill_a_large_object_goes_on_from_its_watermark() {
    let world = Embedded::new();
    let bytes = pattern(96 << 20, 1);
    world.bucket.put("large", bytes.as_slice());
    stall_after(&world, (80 << 20) / RANGE);
    let pull = world.home.spawn(["pull"]);
    until("the first watermark is set", || watermark(&world).is_some());
    pull.kill();
    let (_, sure) = watermark(&world).unwrap();
    assert_eq!(sure, WATERMARK);
    goes_on_from(&world, sure, &bytes);
}

#[test]
fn p3_after_a_signal_a_large_object_goes_on_from_where_it_stopped() {
    let world = Embedded::new();
    let bytes = pattern((36 << 20) + 1, 2);
    let (_, sure) = stopped(&world, &bytes);
    goes_on_from(&world, sure, &bytes);
}

#[test]
fn an_object_that_was_overwritten_meanwhile_begins_anew() {
    let world = Embedded::new();
    stopped(&world, &pattern(36 << 20, 3));
    let newer = pattern(36 << 20, 4);
    world.bucket.put("large", newer.as_slice());
    goes_on_from(&world, 0, &newer);
}

/// Under SSE-KMS an ETag proves nothing: only the length would, and it is the same.
#[test]
fn an_object_that_is_overwritten_while_it_comes_is_never_a_mixture() {
    let world = Embedded::new();
    let options = PutOptions {
        encryption: Some(Encryption::Kms("key".to_owned())),
        ..PutOptions::default()
    };
    let newer = pattern(36 << 20, 6);
    world
        .bucket
        .put_with("large", pattern(36 << 20, 5), options.clone());
    let (bucket, bytes, served) = (world.bucket.clone(), newer.clone(), AtomicU64::new(0));
    world.bucket.with_faults(|faults| {
        faults.on_request = Some(Arc::new(move |operation, _| {
            if operation == "GetObject" && served.fetch_add(1, Ordering::SeqCst) == 5 {
                bucket.put_with("large", bytes.as_slice(), options.clone());
            }
        }));
    });
    // The listing named the old version: this run has nothing to store, and nothing is wrong.
    world.home.run(["pull"]).exits(0);
    assert!(!world.folder().join("latest/large").exists());
    goes_on_from(&world, 0, &newer);
}

/// What happens to a download that an earlier run left, given its file.
type Damage = (&'static str, fn(&Path));

const DAMAGES: [Damage; 4] = [
    ("a bit of the prefix", |file| {
        let mut bytes = std::fs::read(file).unwrap();
        bytes[1_000_000] ^= 1;
        std::fs::write(file, bytes).unwrap();
    }),
    ("a file shorter than its watermark", |file| {
        let file = std::fs::File::options().write(true).open(file).unwrap();
        file.set_len(1000).unwrap();
    }),
    ("a watermark of zeros", |file| {
        std::fs::write(file.with_extension("mark"), [0; 200]).unwrap();
    }),
    ("a watermark that says more than was synced", |file| {
        let mark = file.with_extension("mark");
        let text = std::fs::read_to_string(&mark).unwrap();
        let mut record: serde_json::Value = serde_json::from_str(&text).unwrap();
        record["offset"] = serde_json::json!(record["offset"].as_u64().unwrap() - 1);
        std::fs::write(&mark, record.to_string()).unwrap();
    }),
];

#[test]
fn p3_a_damaged_watermark_or_prefix_begins_anew() {
    for (which, damage) in DAMAGES {
        let world = Embedded::new();
        let bytes = pattern(36 << 20, 7);
        let (file, _) = stopped(&world, &bytes);
        damage(&file);
        println!("damaged: {which}");
        goes_on_from(&world, 0, &bytes);
    }
}
