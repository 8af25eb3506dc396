//! The order in which a restore writes, as the kernel saw it.

use crate::support::trace::{self, Call};
use crate::support::{Nights, age, program};
use crate::{Files, bucket, folder, keys_in, same};
use std::path::Path;
use std::process::Command;

fn waits(path: &Path) -> bool {
    let name = path.file_name().and_then(|name| name.to_str());
    name.is_some_and(|name| name.starts_with("%restoring-"))
}

/// A file has its name only when its bytes are on the drive; and they go there many at once.
#[test]
#[cfg_attr(without_strace, ignore = "OFFSITE_TEST_WITHOUT names strace")]
fn a_name_stands_only_over_synced_bytes() {
    let mut nights = Nights::new();
    for number in 0..20 {
        let key = format!("{}/file-{number}.age", number % 3);
        nights.bucket.put(&key, age(5_000, number));
    }
    nights.night();
    let to = folder(&nights, "all");
    let mut command = Command::new(program());
    command.args(["restore", "**", "--to"]).arg(&to);
    command.arg("--store").arg(&nights.store.path);
    let (told, events) = trace::run(&command, &nights.folder().join("trace"));
    told.exits(0);
    let all: Files = bucket(&nights);
    same(&keys_in(&to), &all, "all");
    let mut named = 0;
    let mut syncs = 0;
    for event in &events {
        let Call::Rename { from, .. } = &event.call else {
            syncs += usize::from(matches!(&event.call, Call::SyncAll(_)));
            continue;
        };
        assert!(waits(from), "{from:?}");
        named += 1;
        let written = events.iter().filter(|e| match &e.call {
            Call::Write(path) => path == from,
            _ => false,
        });
        let last = written.map(|e| e.end).max().unwrap();
        let synced = events.iter().any(|e| {
            let of = match &e.call {
                Call::SyncAll(_) => true,
                Call::Sync(path) => path == from,
                _ => false,
            };
            of && e.begin > last && e.end < event.begin
        });
        assert!(synced, "{from:?} got its name before its bytes were synced");
    }
    assert_eq!(named, all.len());
    // One for the bytes, one for the names, where the file system has a good one.
    assert!(syncs <= 2, "{syncs}");
    let after = events
        .iter()
        .rev()
        .find(|e| matches!(&e.call, Call::SyncAll(_) | Call::Sync(_)));
    let last = events
        .iter()
        .filter(|e| matches!(&e.call, Call::Rename { .. }));
    assert!(after.unwrap().begin > last.map(|e| e.end).max().unwrap());
}
