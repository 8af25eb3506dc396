//! Good bytes in the place of rotten or missing ones, with crashes between any two steps.

use super::*;
use std::fs::File;

const ROTTEN: &str = "k rot";

impl World {
    /// The file of `k` has rotted, that of `a` is missing.
    fn rot(&self) {
        std::fs::write(self.path("latest/k"), ROTTEN).unwrap();
        std::fs::remove_file(self.path("latest/a")).unwrap();
    }

    /// Good bytes in `incoming/`, copied from a file beside the store.
    fn whole(&self, source: &SourceStore, content: &str, sha256: Sha256) -> Option<Whole> {
        let good = self.temp.path().join("good");
        std::fs::write(&good, content).unwrap();
        let space = self.store_less_space();
        let from = File::open(&good).unwrap();
        source
            .incoming()
            .copy_whole(&from, sha256, &space, &mut |_| true)
            .unwrap()
    }

    fn store_less_space(&self) -> Space {
        Space {
            dir: dir::Dir::open(self.temp.path()).unwrap(),
            min_free: 0,
            promised: Default::default(),
        }
    }

    fn heals(&self, source: &SourceStore, base: &[Record]) -> Vec<Entry> {
        [("k", "k one"), ("a", "a one")]
            .into_iter()
            .map(|(name, content)| {
                let placed = base.iter().find_map(|r| match r {
                    Record::Place(p) if p.key == key(name) => Some(p),
                    _ => None,
                });
                Entry::Heal {
                    whole: self.whole(source, content, sha(content)).unwrap(),
                    key: key(name),
                    identity: placed.unwrap().identity.clone(),
                    path: placed.unwrap().path.clone(),
                    sums_at: placed.unwrap().sums_at,
                }
            })
            .collect()
    }
}

#[test]
fn a_crash_between_any_two_steps_of_healing_ends_before_or_after() {
    for drive in DRIVES {
        let mut crashes = 0;
        for fuse in 0.. {
            let world = world(drive);
            let base = base(&world);
            world.rot();
            let mut source = world.open().unwrap();
            let group = world.heals(&source, &base);
            let start = source.head().clone();
            source.drive.fuse.store(fuse, Ordering::SeqCst);
            let crashed = source.place(group).is_err();
            source.drive.fuse.store(-1, Ordering::SeqCst);
            let journalled = *source.head() != start;
            drop(source);
            let at_once = world.snapshot();
            let has = |content: &str| at_once.values().any(|there| there == content);
            // Until the good bytes stand, what is left of the file has a name.
            assert!(has("k one") || has(ROTTEN), "step {fuse} {drive:?}");
            let (groups, seen) = replayed(&world, &start);
            assert_eq!(groups == 1, journalled, "step {fuse} {drive:?}");
            let healed = seen.iter().filter(|r| matches!(r, Record::Heal(_)));
            assert_eq!(healed.count(), if journalled { 2 } else { 0 });
            match journalled {
                true => {
                    assert_eq!(world.text("latest/k"), "k one", "step {fuse} {drive:?}");
                    assert_eq!(world.text("latest/a"), "a one", "step {fuse} {drive:?}");
                    let now = world.snapshot();
                    assert!(!now.values().any(|there| there == ROTTEN), "{now:#?}");
                    world.sums_hold_but("latest/u");
                }
                false => assert_eq!(world.text("latest/k"), ROTTEN),
            }
            let before = world.snapshot();
            replayed(&world, &start);
            assert_eq!(world.snapshot(), before, "opened again");
            if !crashed {
                break;
            }
            crashes += 1;
        }
        assert!(crashes > 8, "{crashes} places to crash at");
    }
}

/// The same bytes are fetched for a second file, and the power goes in the middle: what then lies in
/// `incoming/` has the name and the length of what the last group put in its place.
#[test]
fn a_healed_file_makes_no_room_for_a_download_that_was_cut_off() {
    let world = world((true, true));
    let base = base(&world);
    world.rot();
    let mut source = world.open().unwrap();
    let start = source.head().clone();
    let group = world.heals(&source, &base);
    source.place(group).unwrap();
    drop(source);
    for content in ["k one", "a one"] {
        let staged = format!("incoming/{}.whole", sha(content));
        std::fs::write(world.path(&staged), "\0".repeat(content.len())).unwrap();
    }
    replayed(&world, &start);
    assert_eq!(world.text("latest/k"), "k one");
    assert_eq!(world.text("latest/a"), "a one");
}

/// Good bytes that a drive said were safe and lost: the rotten ones keep their name, and nothing says
/// that the file was healed.
#[test]
fn good_bytes_that_a_drive_lost_heal_nothing() {
    let world = world((true, true));
    let base = base(&world);
    world.rot();
    let mut source = world.open().unwrap();
    let start = source.head().clone();
    let group = world.heals(&source, &base);
    source.drive.fuse.store(2, Ordering::SeqCst);
    source.place(group).unwrap_err();
    assert_ne!(*source.head(), start, "journalled");
    drop(source);
    for entry in std::fs::read_dir(world.path("incoming")).unwrap() {
        std::fs::write(entry.unwrap().path(), "").unwrap();
    }
    let (groups, seen) = replayed(&world, &start);
    assert_eq!(groups, 1);
    assert!(
        !seen.iter().any(|r| matches!(r, Record::Heal(_))),
        "{seen:?}"
    );
    assert_eq!(world.text("latest/k"), ROTTEN);
}

#[test]
fn other_bytes_are_not_taken_for_good_ones() {
    let world = world((true, true));
    base(&world);
    let source = world.open().unwrap();
    assert!(world.whole(&source, "k two", sha("k one")).is_none());
    let left = std::fs::read_dir(world.path("incoming")).unwrap().count();
    assert_eq!(left, 0);
    let fetched = verified(&source, "k", "k two", 20);
    assert!(Whole::fetched(&fetched, sha("k one")).is_none());
    assert!(Whole::fetched(&fetched, sha("k two")).is_some());
}
