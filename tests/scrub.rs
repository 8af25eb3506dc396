//! `offsite scrub`: what is not what was stored is said, and healed where good bytes are left.
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used
)]

#[path = "scrub/around.rs"]
mod around;
#[path = "scrub/damage.rs"]
mod damage;
#[path = "scrub/heal.rs"]
mod heal;
#[path = "scrub/turns.rs"]
mod turns;
#[path = "scrub/way.rs"]
mod way;

mod support;

use std::fs::{self, File};
use std::path::Path;
use std::time::{Duration, SystemTime};
use support::Nights;

/// `daily.age` with three versions, `other.age` with one, all of them checked once.
fn checked() -> Nights {
    let mut nights = Nights::new();
    nights.bucket.put("other.age", "otherX");
    for bytes in ["first.", "second", "third!"] {
        nights.bucket.put("daily.age", bytes);
        nights.night();
    }
    nights
        .offsite(&["scrub", "--all"])
        .exits(0)
        .says(&["4 files (24 B) read and compared; that is all there is"]);
    nights
}

/// Changes a file and leaves its times as they were, as a drive does that lets it rot.
fn rots(file: &Path, change: &dyn Fn(&mut Vec<u8>)) {
    let before = fs::metadata(file).unwrap().modified().unwrap();
    let mut bytes = fs::read(file).unwrap();
    change(&mut bytes);
    fs::write(file, bytes).unwrap();
    set_modified(file, before);
}

/// Sets when the file was last written to.
fn set_modified(file: &Path, at: SystemTime) {
    let file = File::options().write(true).open(file).unwrap();
    file.set_modified(at).unwrap();
}

/// An hour from now: after whatever the program noted.
fn in_an_hour() -> SystemTime {
    SystemTime::now() + Duration::from_secs(3600)
}

// What changes a file may change its length.
#[allow(clippy::ptr_arg)]
fn flip(bytes: &mut Vec<u8>) {
    bytes[2] ^= 1;
}
