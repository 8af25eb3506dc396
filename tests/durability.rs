//! Promise P3: a row in the catalogue means a durable file. Whether the program syncs what it
//! must, and in which order, shows in no file afterwards; it shows in its system calls. So it
//! runs here under `strace`, on a drive that syncs as a whole and on one that cannot.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used
)]

#[path = "durability/parser.rs"]
mod parser;
#[path = "durability/rules.rs"]
mod rules;
mod support;

use offsite::demo::bucket::Fault;
use rules::Trace;
use std::collections::BTreeSet;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use support::trace::{self, Call};
use support::{Embedded, Output};

/// Above the first watermark of a large object.
const LARGE: usize = 65 << 20;

/// What the drive can do.
#[derive(Clone, Copy)]
enum Drive {
    /// One `syncfs` is good, files can have two names: ext4, xfs, btrfs, f2fs.
    Whole,
    /// Every file and folder by itself, copies instead of links: exFAT.
    Piecemeal,
}

/// An empty store on such a drive, whatever drive the tests run on.
fn world(drive: Drive) -> Embedded {
    let world = Embedded::new();
    let marker = world.home.store().join("offsite-store.toml");
    let able = matches!(drive, Drive::Whole);
    let mut text = std::fs::read_to_string(&marker).unwrap();
    for fact in ["hard_links", "syncfs", "sqlite_wal"] {
        for was in [true, false] {
            text = text.replace(
                &format!("\n{fact} = {was}\n"),
                &format!("\n{fact} = {able}\n"),
            );
        }
        assert!(text.contains(&format!("\n{fact} = {able}\n")), "{text}");
    }
    std::fs::write(&marker, text).unwrap();
    world
}

/// A pull, traced.
fn pull(world: &Embedded) -> (Output, Trace) {
    let before = files_below(&world.folder());
    let log = world.home.path().join("trace");
    let (output, events) = trace::run(&world.home.command(["pull"]), &log);
    let trace = Trace {
        store: world.home.store().canonicalize().unwrap(),
        source: world.folder().canonicalize().unwrap(),
        before,
        events,
    };
    (output, trace)
}

fn files_below(folder: &Path) -> BTreeSet<PathBuf> {
    let mut files = BTreeSet::new();
    let Ok(entries) = std::fs::read_dir(folder) else {
        return files;
    };
    for entry in entries {
        let path = entry.unwrap().path().canonicalize().unwrap();
        if path.is_dir() {
            files.append(&mut files_below(&path));
        } else {
            files.insert(path);
        }
    }
    files
}

#[track_caller]
fn nothing_broken(trace: &Trace) {
    let broken = trace.broken();
    assert!(broken.is_empty(), "{}", broken.join("\n"));
}

fn fill(world: &Embedded) {
    for key in ["a", "replaced", "site/index.html", "site/deep/er/page"] {
        world.bucket.put(key, format!("the first {key}"));
    }
    world.bucket.put("large", vec![7; LARGE]);
}

/// Something of everything that placing knows: a newcomer over a standing file, a file whose name
/// becomes a folder, bytes that contradict their evidence.
fn change(world: &Embedded) {
    world
        .bucket
        .put("replaced", "the second, of another length");
    world.bucket.put("a/b", "below a");
    world.bucket.put("spoilt", "spoilt on the way");
    world
        .bucket
        .with_faults(|faults| faults.flip = Some(Fault::new(3).on(|key| key == "spoilt")));
}

/// A file that nobody knows stands where a folder must be.
fn plant(world: &Embedded) {
    std::fs::write(world.folder().join("latest/theirs"), "not ours").unwrap();
    world.bucket.put("theirs/page", "below theirs");
}

/// Four pulls under the rules.
fn pulls_in_order(world: &Embedded) -> [Trace; 4] {
    let (output, empty) = pull(world);
    output.exits(0);
    nothing_broken(&empty);
    let journals = |call: &Call| matches!(call, Call::Write(path) if path.extension().is_some_and(|e| e == "jsonl"));
    assert_eq!(empty.count(journals), 1, "that it ran");

    fill(world);
    let (output, first) = pull(world);
    output.exits(0);
    nothing_broken(&first);
    assert_eq!(first.renames_into("latest"), 5);
    let marks = |call: &Call| matches!(call, Call::Rename { to, .. } if to.extension().is_some_and(|e| e == "mark"));
    assert_eq!(first.count(marks), 1, "the large object's watermark");

    change(world);
    let (output, second) = pull(world);
    output.exits(4);
    nothing_broken(&second);
    assert_eq!(second.renames_into("latest"), 3, "replaced, a moved, a/b");
    assert_eq!(second.renames_into("quarantine"), 1);

    plant(world);
    let (output, third) = pull(world);
    output.exits(4);
    nothing_broken(&third);
    assert_eq!(third.renames_into("history"), 1, "theirs");
    [empty, first, second, third]
}

#[test]
#[cfg_attr(without_strace, ignore = "OFFSITE_TEST_WITHOUT names strace")]
fn p3_everything_is_synced_before_what_rests_on_it_by_syncfs() {
    let [_, traces @ ..] = pulls_in_order(&world(Drive::Whole));
    for trace in traces {
        assert!(trace.count(|call| matches!(call, Call::SyncAll(_))) > 0);
    }
}

#[test]
#[cfg_attr(without_strace, ignore = "OFFSITE_TEST_WITHOUT names strace")]
fn p3_everything_is_synced_before_what_rests_on_it_file_by_file() {
    let traces = pulls_in_order(&world(Drive::Piecemeal));
    for trace in &traces {
        assert_eq!(trace.count(|call| matches!(call, Call::SyncAll(_))), 0);
        assert_eq!(trace.count(|call| matches!(call, Call::Link { .. })), 0);
    }
    assert_eq!(traces[2].renames_into("history"), 1, "a copy");
}

/// A copy of the catalogue is safe before it gets its name, costs two syncs of its own (SQLite's,
/// which its manual does not promise, and ours) and one of the folder, and the next one comes a
/// day later.
#[test]
#[cfg_attr(without_strace, ignore = "OFFSITE_TEST_WITHOUT names strace")]
fn p3_a_copy_of_the_catalogue_is_whole_and_costs_three_syncs_a_day() {
    for drive in [Drive::Whole, Drive::Piecemeal] {
        let world = world(drive);
        world.bucket.put("a", "1");
        let (output, first) = pull(&world);
        output.exits(0);
        let store = world.home.store().canonicalize().unwrap();
        let copy = store.join("catalogue.db.copy");
        let to_its_name = |call: &Call| matches!(call, Call::Rename { from, .. } if *from == copy);
        let at = first
            .events
            .iter()
            .position(|event| to_its_name(&event.call));
        let (before, after) = first.events.split_at(at.unwrap());
        let writes = |call: &Call| *call == Call::Write(copy.clone());
        let last = before
            .iter()
            .rposition(|event| writes(&event.call))
            .unwrap();
        let syncs = |call: &Call| *call == Call::Sync(copy.clone());
        assert!(before[last..].iter().any(|event| syncs(&event.call)));
        assert_eq!(first.count(syncs), 2);
        let any = |event: &&support::trace::Event| matches!(event.call, Call::Sync(_));
        let next = after.iter().find(any).map(|event| &event.call);
        assert_eq!(
            next,
            Some(&Call::Sync(store.clone())),
            "the folder of the name"
        );

        world.bucket.put("b", "2");
        let (output, second) = pull(&world);
        output.exits(0);
        assert_eq!(
            second.count(|call| syncs(call) || writes(call) || to_its_name(call)),
            0
        );
    }
}

/// What the power cut in the middle of a line is cut off, and gone for good before the next line
/// is written: else it could come back behind it.
#[test]
#[cfg_attr(without_strace, ignore = "OFFSITE_TEST_WITHOUT names strace")]
fn p3_a_torn_end_of_the_journal_is_gone_for_good_before_anything_is_added() {
    for drive in [Drive::Whole, Drive::Piecemeal] {
        torn_end(&world(drive));
    }
}

fn torn_end(world: &Embedded) {
    world.bucket.put("a", "1");
    world.home.run(["pull"]).exits(0);
    let folder = world.folder().canonicalize().unwrap().join("journal");
    let first = files_below(&folder).pop_first().unwrap();
    let torn = "{\"t\":\"place\",\"key\"";

    let mut file = std::fs::File::options().append(true).open(&first).unwrap();
    file.write_all(torn.as_bytes()).unwrap();
    world.bucket.put("b", "2");
    let (output, trace) = pull(world);
    output.exits(0);
    nothing_broken(&trace);
    assert!(trace.is_safe_before_the_next_line(&Call::Write(first.clone()), &first));

    let second = folder.join("99999999-20260101T000000Z.jsonl");
    std::fs::write(&second, torn).unwrap();
    world.bucket.put("c", "3");
    let (output, trace) = pull(world);
    output.exits(0);
    nothing_broken(&trace);
    assert!(trace.is_safe_before_the_next_line(&Call::Remove(second), &folder));
}
