//! One key is another's folder: the folder wins, and no order of arrival shows.

use crate::support::Nights;
use crate::support::nights::sha256;
use offsite::demo::bucket::Versioning;
use offsite::store::Area;
use std::collections::BTreeSet;

/// What happens on each night: (key, bytes) that are put.
type Life = &'static [&'static [(&'static str, &'static str)]];

fn after(life: Life) -> Nights {
    let mut nights = Nights::new();
    for puts in life {
        for (key, bytes) in *puts {
            nights.bucket.put(key, *bytes);
        }
        nights.night();
    }
    nights
}

/// Lives that end in the same bucket, and its `latest/`.
#[test]
fn the_tree_does_not_depend_on_the_order_of_arrival() {
    let lives: [(&[&str], &[Life]); 5] = [
        (
            &["latest/%61", "latest/a/b"],
            &[
                &[&[("a", "1"), ("a/b", "2")]],
                &[&[("a", "1")], &[("a/b", "2")]],
                &[&[("a/b", "2")], &[("a", "1")]],
            ],
        ),
        (
            &["latest/%61", "latest/a/b", "latest/a/c"],
            &[
                &[&[("a", "1"), ("a/b", "2"), ("a/c", "3")]],
                &[&[("a", "1")], &[("a/b", "2"), ("a/c", "3")]],
                &[&[("a", "1")], &[("a/b", "2")], &[("a/c", "3")]],
                &[&[("a/c", "3")], &[("a/b", "2"), ("a", "1")]],
            ],
        ),
        (
            &["latest/%61", "latest/a/%62", "latest/a/b/c"],
            &[
                &[&[("a", "1"), ("a/b", "2"), ("a/b/c", "3")]],
                &[&[("a", "1")], &[("a/b", "2")], &[("a/b/c", "3")]],
                &[&[("a/b/c", "3")], &[("a/b", "2")], &[("a", "1")]],
                &[&[("a", "1")], &[("a/b", "2"), ("a/b/c", "3")]],
                &[&[("a", "1"), ("a/b", "2")], &[("a/b/c", "3")]],
                &[&[("a/b", "2")], &[("a", "1"), ("a/b/c", "3")]],
            ],
        ),
        // A slash at the end is part of the name and makes no folder.
        (
            &["latest/a", "latest/a%2F"],
            &[
                &[&[("a", "1"), ("a/", "2")]],
                &[&[("a/", "2")], &[("a", "1")]],
            ],
        ),
        (
            &["latest/%61", "latest/%2561", "latest/a/b"],
            &[
                &[&[("a", "1"), ("%61", "2"), ("a/b", "3")]],
                &[&[("%61", "2")], &[("a", "1")], &[("a/b", "3")]],
                &[&[("a", "1")], &[("a/b", "3"), ("%61", "2")]],
            ],
        ),
    ];
    for (paths, lives) in lives {
        for life in lives {
            let nights = after(life);
            let found: BTreeSet<_> = nights.paths(Area::Latest).into_iter().collect();
            let paths: BTreeSet<_> = paths.iter().map(|path| (*path).to_owned()).collect();
            assert_eq!(found, paths, "{life:?}");
            assert_eq!(nights.paths(Area::History), [""; 0], "{life:?}");
            for (key, bytes) in life.iter().flat_map(|night| night.iter()) {
                assert_eq!(
                    nights.latest(key).unwrap(),
                    bytes.as_bytes(),
                    "{key} of {life:?}"
                );
            }
            assert_eq!(nights.check().problems, [], "{life:?}");
        }
    }
}

/// The file changes in the very night in which it becomes a folder.
#[test]
fn a_file_that_changes_while_it_makes_room_keeps_its_first_bytes_in_history() {
    let lives: [Life; 5] = [
        &[&[("a", "1")], &[("a", "2"), ("a/b", "3")]],
        &[&[("a", "1")], &[("a", "2"), ("a/b", "3"), ("a/c", "4")]],
        &[&[("a", "1")], &[("a/b", "3")], &[("a", "2"), ("a/c", "4")]],
        &[&[("a/b", "3")], &[("a", "1")], &[("a", "2")]],
        &[&[("a", "1"), ("a/b", "3")], &[("a", "2"), ("a/b/c", "4")]],
    ];
    for life in lives {
        let nights = after(life);
        assert_eq!(nights.latest("a").unwrap(), b"2", "{life:?}");
        assert_eq!(nights.latest("a/b").unwrap(), b"3", "{life:?}");
        assert_eq!(nights.history("a"), [b"1"], "{life:?}");
        assert_eq!(nights.paths(Area::History).len(), 1, "{life:?}");
        assert_eq!(nights.check().problems, [], "{life:?}");
    }
}

/// Uploaded again with the same bytes, in the very night in which it becomes a folder.
#[test]
fn p3_a_file_that_is_touched_while_it_makes_room_is_where_its_row_says() {
    let lives: [Life; 4] = [
        &[&[("a", "1")], &[("a", "1"), ("a/b", "2")]],
        &[&[("a", "1")], &[("a", "1"), ("a/b", "2"), ("a/c", "3")]],
        &[&[("z", "1")], &[("z", "1"), ("z/b", "2")]],
        &[&[("a", "1"), ("a/b", "2")], &[("a/b", "2"), ("a/b/c", "3")]],
    ];
    for life in lives {
        // In which order objects arrive is a matter of chance: the large one is the last.
        for late in [0, 1, 2] {
            let mut nights = Nights::new();
            for puts in life {
                for (number, (key, bytes)) in puts.iter().enumerate() {
                    let bytes = bytes.repeat(if number == late { 2 << 20 } else { 1 });
                    nights.bucket.put(key, bytes);
                }
                nights.night();
            }
            assert_eq!(nights.check().problems, [], "{life:?} {late}");
            for (key, digest) in nights.bucket_now() {
                let latest = nights.latest(&key).unwrap();
                assert!(sha256(&latest) == digest, "{key} of {life:?} {late}");
            }
        }
    }
}

#[test]
fn a_held_newcomer_of_a_file_that_is_a_folder_too_can_be_accepted() {
    let dated = "2026-11-01";
    let mut nights = Nights::new();
    nights.bucket.put(dated, "first");
    nights.night();
    nights.night();
    nights.bucket.put(dated, "newcomer");
    nights
        .bucket
        .put(&format!("{dated}/x"), "makes it a folder");
    assert_eq!(nights.night().open_alarms, 1);
    assert_eq!(nights.latest(dated).unwrap(), b"first");
    assert_eq!(nights.history(dated), [b"newcomer"]);
    let id = nights.open().pop().unwrap().finding.id;
    nights.ack(&id, true).unwrap();
    assert_eq!(nights.latest(dated).unwrap(), b"newcomer");
    assert_eq!(nights.history(dated), [b"first"]);
    assert_eq!(nights.check().problems, []);
}

/// Somebody's own file in the store is not the copy, and is not lost either.
#[test]
fn p2_a_file_that_nobody_knows_is_moved_aside_or_adopted() {
    for (stranger, moved) in [("not ours", true), ("from the bucket", false)] {
        let mut nights = Nights::new();
        nights.night();
        let folder = nights.shelf().join("latest");
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join("k"), stranger).unwrap();
        nights.bucket.put("k", "from the bucket");
        nights.night();
        assert_eq!(nights.latest("k").unwrap(), b"from the bucket");
        let history = nights.history("k");
        assert_eq!(history.len(), usize::from(moved));
        assert!(history.iter().all(|bytes| bytes == stranger.as_bytes()));
        assert_eq!(nights.events("k").len(), usize::from(moved));
    }
}

/// A rebuild that reads the files finds out that one has rotten; the pull that fetches it again moves the
/// rotten one aside. No rebuild after that may take it for a version.
#[test]
fn p4_what_has_rotted_is_never_taken_for_a_version() {
    let mut nights = Nights::new();
    for key in ["k", "folder/k"] {
        nights.bucket.put(key, "first.");
    }
    nights.night();
    let latest = nights.shelf().join("latest");
    std::fs::write(latest.join("k"), "fIrst.").unwrap();
    // Where a folder must be.
    std::fs::remove_dir_all(latest.join("folder")).unwrap();
    std::fs::write(latest.join("folder"), "what is left of it").unwrap();
    nights.offsite(&["catalogue", "rebuild", "--deep"]);
    nights.some_night().unwrap();
    for deep in [[].as_slice(), &["--deep"]] {
        nights.offsite(&[&["catalogue", "rebuild"], deep].concat());
        for key in ["k", "folder/k"] {
            assert_eq!(nights.latest(key).unwrap(), b"first.");
            assert_eq!(nights.versions(key).len(), 1, "{key}");
        }
        assert_eq!(nights.versions("folder").len(), 0);
    }
    nights
        .offsite(&["scrub", "--all"])
        .exits(3)
        .says(&["; 2 unknown"]);
    assert_eq!(nights.history("k"), [b"fIrst."]);
}

/// A file that was cut short makes room for the next version as one that nobody vouches for; healed, it is
/// in the sums again.
#[test]
fn p7_what_is_healed_where_it_was_moved_to_is_in_the_sums() {
    let mut nights = Nights::new();
    nights.bucket.set_versioning(Versioning::Enabled);
    nights.bucket.put("k", "first.");
    nights.night();
    std::fs::write(nights.file_of("k", "first."), "fi").unwrap();
    nights.bucket.put("k", "second");
    nights.night();
    assert_eq!(nights.history("k"), [b"fi"]);
    let sums = || std::fs::read_to_string(nights.shelf().join("history.SHA256SUMS"));
    assert!(!sums().unwrap_or_default().contains("history/k/"));
    nights.configured(&["scrub", "--all", "--heal"]).exits(0);
    assert_eq!(nights.history("k"), [b"first."]);
    let digest = sha256(b"first.").to_string();
    assert!(sums().unwrap().contains(&digest), "{}", sums().unwrap());
    nights.offsite(&["scrub", "--all"]).exits(0);
    assert_eq!(nights.check().problems, []);
    nights.offsite(&["catalogue", "rebuild", "--deep"]).exits(0);
    nights.offsite(&["scrub", "--all"]).exits(0);
}
