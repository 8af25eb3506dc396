//! The room as a whole, on real folders: placing, crashes between any two steps, torn journals.

mod heal;

use super::*;
use crate::digest::{Contradiction, Evidence, Hasher, Proven, Subject, Verified, prove};
use crate::object::{
    Answer, Durable, EventRecord, Fact, Identity, InBucket, JournalPosition, ObjectKey, Record,
    Sha256, State, from_ms,
};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::Command;
use std::sync::atomic::Ordering;

/// A store in memory where there is such a place: these tests sync thousands of times.
struct World {
    temp: tempfile::TempDir,
    clock: Clock,
}

/// Every way of syncing and of giving a second name: (syncfs, hard links).
const DRIVES: [(bool, bool); 4] = [(true, true), (false, true), (true, false), (false, false)];

fn world((syncfs, hard_links): (bool, bool)) -> World {
    let temp = tempfile::tempdir_in("/dev/shm").unwrap_or_else(|_| tempfile::tempdir().unwrap());
    let clock = Clock::standing_at(from_ms(1_790_000_000_000));
    let options = InitOptions {
        allow_root_fs: true,
        now: clock.now(),
        probe_sqlite: &|_| true,
    };
    let mut marker = Store::init(temp.path(), &options).unwrap();
    marker.facts.syncfs = syncfs;
    marker.facts.hard_links = hard_links;
    marker.write(&dir::Dir::open(temp.path()).unwrap()).unwrap();
    World { temp, clock }
}

impl World {
    fn store(&self) -> Store {
        let expect = Expect {
            store_id: None,
            allow_root_fs: true,
            min_free: 0,
            clock: self.clock.clone(),
            manner: Manner::default(),
        };
        Store::open(self.temp.path(), &expect).unwrap()
    }

    fn open(&self) -> Result<SourceStore> {
        self.store().source(&www(), "test")
    }

    fn path(&self, rel: &str) -> PathBuf {
        self.temp.path().join("www").join(rel)
    }

    fn text(&self, rel: &str) -> String {
        std::fs::read_to_string(self.path(rel)).unwrap_or_else(|e| panic!("{rel}: {e}"))
    }

    /// Every file of the copy with its content, sums included.
    fn snapshot(&self) -> BTreeMap<String, String> {
        let mut files = BTreeMap::new();
        let reader = Store::open_read(self.temp.path()).unwrap();
        for area in [Area::Latest, Area::History, Area::Quarantine] {
            let mut each = |lies: Lies| {
                let content = std::fs::read_to_string(self.temp.path().join(&lies.path)).unwrap();
                files.insert(lies.path, content);
                Ok(())
            };
            reader.walk(&www(), area, &mut each).unwrap();
        }
        for sums in ["SHA256SUMS", "history.SHA256SUMS"] {
            let content = std::fs::read_to_string(self.path(sums)).unwrap_or_default();
            files.insert(sums.into(), content);
        }
        files
    }

    /// The real tool finds every listed file good, and every file listed but those that were moved
    /// aside, which nobody vouches for.
    fn sums_hold(&self) {
        for (sums, area) in [
            ("SHA256SUMS", "www/latest/"),
            ("history.SHA256SUMS", "www/history/"),
        ] {
            let files = self.snapshot();
            let vouched =
                |(path, text): &(&String, &String)| path.starts_with(area) && *text != "not ours";
            let there = files.iter().filter(vouched).count();
            if there == 0 {
                continue;
            }
            let out = Command::new("sha256sum")
                .args(["--strict", "-c", sums])
                .current_dir(self.path(""))
                .output()
                .unwrap();
            let said = String::from_utf8_lossy(&out.stdout).into_owned();
            let erred = String::from_utf8_lossy(&out.stderr);
            assert!(out.status.success(), "{said}{erred}{}", self.text(sums));
            assert_eq!(said.lines().count(), there, "{said}\n{files:#?}");
        }
    }

    fn journal(&self) -> PathBuf {
        let mut files: Vec<_> = std::fs::read_dir(self.path("journal"))
            .unwrap()
            .map(|e| e.unwrap().path())
            .collect();
        files.sort();
        files.pop().unwrap()
    }
}

fn www() -> SourceName {
    SourceName::new("www").unwrap()
}

fn key(text: &str) -> ObjectKey {
    ObjectKey::new(text).unwrap()
}

fn sha(content: &str) -> Sha256 {
    hash::of(&[content.as_bytes()])
}

fn plain() -> Spelling {
    Spelling::default()
}

fn shadowed() -> Spelling {
    Spelling {
        shadowed: true,
        ..Spelling::default()
    }
}

fn proven(source: &SourceStore, name: &str, content: &str, second: i64, listed: u64) -> Proven {
    let identity = Identity {
        version_id: Some(format!("{second}")),
        etag: "x".into(),
        size: listed,
        last_modified: from_ms(second * 1000),
    };
    let evidence = Evidence {
        size: listed,
        etag_opaque: true,
        ..Evidence::default()
    };
    let id = Incoming::id_of(&www(), &key(name), &identity);
    let mut staging = source.incoming().create(&id).unwrap();
    staging.write(content.as_bytes()).unwrap();
    staging.watermark(&identity, sha(content)).unwrap();
    let mut hasher = Hasher::new(&evidence);
    hasher.update(content.as_bytes());
    let subject = Subject {
        key: key(name),
        identity,
        answer: Answer::default(),
        staged: staging.finish().unwrap(),
        content: Some("encrypted age".to_owned()),
        in_bucket: InBucket::Current,
    };
    prove(subject, hasher.finish(), &evidence)
}

fn verified(source: &SourceStore, name: &str, content: &str, second: i64) -> Verified {
    match proven(source, name, content, second, content.len() as u64) {
        Proven::Verified(verified) => verified,
        Proven::Contradicted(c) => panic!("{c:?}"),
    }
}

fn contradiction(source: &SourceStore, name: &str, content: &str, second: i64) -> Contradiction {
    match proven(source, name, content, second, 1_000_000) {
        Proven::Contradicted(contradiction) => contradiction,
        Proven::Verified(v) => panic!("{v:?}"),
    }
}

fn latest(
    source: &SourceStore,
    name: &str,
    content: &str,
    second: i64,
    standing: Option<Standing>,
) -> Entry {
    Entry::Latest {
        verified: verified(source, name, content, second),
        spelling: plain(),
        standing,
        names: Vec::new(),
    }
}

fn history(source: &SourceStore, name: &str, content: &str, second: i64, state: State) -> Entry {
    Entry::History {
        verified: verified(source, name, content, second),
        spelling: plain(),
        state,
        names: Vec::new(),
    }
}

fn event(text: &str) -> Entry {
    Entry::Fact(Fact::Event(EventRecord {
        kind: "test".into(),
        key: None,
        text: text.into(),
        at: from_ms(0),
    }))
}

/// What a catalogue would remember of the last file placed under `path`.
fn standing(records: &[Record], path: &str) -> Option<Standing> {
    records.iter().rev().find_map(|record| match record {
        Record::Place(p) if p.path == path => Some(Standing {
            path: p.path.clone(),
            sha256: p.sha256,
            bytes: p.bytes,
            last_modified: p.identity.last_modified,
            sums_at: p.sums_at,
        }),
        _ => None,
    })
}

fn path_of(records: &[Record], name: &str, state: State) -> String {
    let found = records.iter().find_map(|record| match record {
        Record::Place(p) if p.key == key(name) && p.state == state => Some(p.path.clone()),
        _ => None,
    });
    found.unwrap_or_else(|| panic!("{name} {state}: {records:#?}"))
}

/// A store with a few things in it.
fn base(world: &World) -> Vec<Record> {
    let mut source = world.open().unwrap();
    let group = vec![
        latest(&source, "a", "a one", 1, None),
        latest(&source, "k", "k one", 2, None),
        latest(&source, "h", "h one", 3, None),
        history(&source, "h", "h two", 4, State::Held),
        latest(&source, "dir/% odd\n", "odd", 5, None),
    ];
    let records = source.place(group).unwrap().records().to_vec();
    std::fs::write(world.path("latest/u"), "not ours").unwrap();
    records
}

/// A group that does everything a group can do.
fn everything(source: &SourceStore, base: &[Record]) -> Vec<Entry> {
    let Some(Record::Place(held)) = base
        .iter()
        .find(|r| matches!(r, Record::Place(p) if p.state == State::Held))
    else {
        panic!("no held version");
    };
    let a = standing(base, "latest/a").unwrap();
    let k = standing(base, "latest/k");
    vec![
        Entry::Move {
            key: key("a"),
            sha256: a.sha256,
            from: a.path.clone(),
            spelling: shadowed(),
            sums_from: a.sums_at,
        },
        latest(source, "a/b", "a/b", 10, None),
        latest(source, "k", "k two", 11, k.clone()),
        history(source, "k", "k zero", 0, State::Stored),
        Entry::Quarantine {
            contradiction: contradiction(source, "q", "poison", 12),
        },
        Entry::Accept {
            version: Held {
                key: held.key.clone(),
                identity: held.identity.clone(),
                answer: held.answer.clone(),
                sha256: held.sha256,
                bytes: held.bytes,
                evidence: held.evidence,
                proofs: held.proofs.clone(),
                content: held.content.clone(),
                path: held.path.clone(),
                placed_at: None,
            },
            spelling: plain(),
            standing: standing(base, "latest/h"),
            names: Vec::new(),
        },
        latest(source, "u", "ours", 13, None),
        event("between"),
        // The same names again, with what the catalogue knew before the group.
        latest(source, "k", "k three", 14, k),
        Entry::Latest {
            verified: verified(source, "a", "a two", 15),
            spelling: shadowed(),
            standing: Some(a),
            names: Vec::new(),
        },
    ]
}

#[test]
fn a_group_does_everything_it_says() {
    for drive in DRIVES {
        let world = world(drive);
        let base = base(&world);
        world.sums_hold_but("latest/u");
        let mut source = world.open().unwrap();
        let group = everything(&source, &base);
        let placed = source.place(group).unwrap();
        world.sums_hold();
        assert_eq!(world.text("latest/%61"), "a two");
        assert_eq!(world.text("latest/a/b"), "a/b");
        assert_eq!(world.text("latest/k"), "k three");
        assert_eq!(world.text("latest/h"), "h two");
        assert_eq!(world.text("latest/u"), "ours");
        let all: Vec<String> = world.snapshot().into_values().collect();
        for content in ["a one", "k zero", "k one", "k two", "h one", "not ours"] {
            let there = all.iter().filter(|c| *c == content).count();
            assert_eq!(there, 1, "{content} {drive:?}");
        }
        let records = placed.records();
        let poison = path_of(records, "q", State::Quarantined);
        assert_eq!(world.text(&poison), "poison");
        assert!(world.text(&format!("{poison}.txt")).contains("1000000"));
        let asides = records.iter().filter(
            |r| matches!(r, Record::Fact(Fact::Event(e)) if e.kind == "moved-aside" && e.key == Some(key("u"))),
        );
        assert_eq!(asides.count(), 1, "{records:#?}");
        let left = std::fs::read_dir(world.path("incoming")).unwrap().count();
        assert_eq!(left, 0, "incoming/ is empty, watermarks included");
        assert_eq!(placed.position(), source.head());
    }
}

impl World {
    /// As [`World::sums_hold`], with one file that nobody listed set aside for the moment.
    fn sums_hold_but(&self, stranger: &str) {
        let aside = self.temp.path().join("aside");
        std::fs::rename(self.path(stranger), &aside).unwrap();
        self.sums_hold();
        std::fs::rename(aside, self.path(stranger)).unwrap();
    }
}

/// What must be under some name at any instant once it was stored.
const STORED: [&str; 5] = ["a one", "k one", "h one", "h two", "odd"];

/// P2 and P3: a crash between any two steps loses no stored version, and the next opening leaves
/// the drive as if the group had never been, or as if nothing had happened. (A group that uses a
/// name twice is journalled in parts: then some of the parts never were.)
#[test]
fn a_crash_between_any_two_steps_ends_before_or_after() {
    for drive in DRIVES {
        let mut states: BTreeMap<u64, BTreeMap<String, String>> = BTreeMap::new();
        let mut crashes = 0;
        for fuse in 0.. {
            let world = world(drive);
            let base = base(&world);
            let mut source = world.open().unwrap();
            let group = everything(&source, &base);
            let start = source.head().clone();
            states.entry(0).or_insert_with(|| world.snapshot());
            source.drive.fuse.store(fuse, Ordering::SeqCst);
            let crashed = source.place(group).is_err();
            source.drive.fuse.store(-1, Ordering::SeqCst);
            let at_once = world.snapshot();
            for content in STORED {
                let kept = at_once.values().any(|there| there == content);
                assert!(kept, "{content} has no name at step {fuse} {drive:?}");
            }
            if crashed && *source.head() != start {
                let next = source.place(vec![event("x")]);
                assert!(next.is_err(), "a group follows an unfinished one");
            }
            drop(source);
            let (groups, seen) = replayed(&world, &start);
            let now = world.snapshot();
            let state = states.entry(groups).or_insert_with(|| now.clone());
            assert_eq!(*state, now, "step {fuse} {drive:?}");
            for record in &seen {
                if let Record::Place(p) = record {
                    assert!(
                        now.contains_key(&format!("www/{}", p.path)) || moved_on(&seen, &p.path)
                    );
                }
            }
            let (again, _) = replayed(&world, &start);
            assert_eq!((again, world.snapshot()), (groups, now), "opened again");
            if !crashed {
                world.sums_hold();
                assert_eq!(Some(&groups), states.keys().last());
                break;
            }
            crashes += 1;
        }
        assert_eq!(states.len(), 3, "a group in two parts");
        assert!(crashes > 20, "{crashes} places to crash at");
    }
}

fn replayed(world: &World, after: &JournalPosition) -> (u64, Vec<Record>) {
    let mut seen = Vec::new();
    let groups = world
        .open()
        .unwrap()
        .replay(Some(after), &mut |placed| {
            seen.extend(placed.records().to_vec());
            Ok(())
        })
        .unwrap();
    (groups, seen)
}

fn moved_on(records: &[Record], path: &str) -> bool {
    records
        .iter()
        .any(|r| matches!(r, Record::Move(m) if m.from == path))
}

/// A journal cut at every byte of its last group, or with zeros where blocks never arrived.
#[test]
fn a_torn_tail_is_cut_at_every_byte() {
    for groups_in_last_file in [1, 2] {
        let world = world((true, true));
        base(&world);
        let mut source = world.open().unwrap();
        for n in 1..groups_in_last_file {
            source.place(vec![event(&format!("group {n}"))]).unwrap();
        }
        let before = source.head().clone();
        let entry = latest(&source, "z", "z", 20, None);
        source.place(vec![entry, event("last")]).unwrap();
        let after = source.head().clone();
        drop(source);
        let file = world.journal();
        let whole = std::fs::read(&file).unwrap();
        let start = if before.run == after.run {
            usize::try_from(before.offset).unwrap()
        } else {
            0
        };
        let heads = |bytes: &[u8]| {
            std::fs::write(&file, bytes).unwrap();
            let head = world.open().unwrap().head().clone();
            let report = Store::open_read(world.temp.path())
                .unwrap()
                .verify_journal(&www(), Some(&head.head.to_string()))
                .unwrap();
            assert_eq!(report.broken, None);
            assert_eq!((report.torn, report.has_head), (false, Some(true)));
            head
        };
        for length in start..whole.len() {
            assert_eq!(heads(&whole[..length]), before, "cut at {length}");
            if length % 13 > 0 {
                continue;
            }
            let mut zeros = whole.clone();
            zeros[length..].fill(0);
            assert_eq!(heads(&zeros), before, "zeros from {length}");
            let mut hole = whole.clone();
            hole[length..(length + 40).min(whole.len())].fill(0);
            assert_eq!(heads(&hole), before, "zeros at {length}");
        }
        assert_eq!(heads(&whole), after);
    }
}

#[test]
fn an_edit_is_damage_and_never_cut() {
    let world = world((true, true));
    base(&world);
    let mut source = world.open().unwrap();
    let mut positions = vec![source.head().clone()];
    for text in ["first", "second", "third"] {
        source.place(vec![event(text)]).unwrap();
        positions.push(source.head().clone());
    }
    drop(source);
    let file = world.journal();
    let whole = std::fs::read_to_string(&file).unwrap();
    let reader = Store::open_read(world.temp.path()).unwrap();
    let good = reader
        .verify_journal(&www(), Some(&positions[1].head.short()))
        .unwrap();
    assert_eq!((good.files, good.groups, good.broken), (2, 4, None));
    assert_eq!(good.has_head, Some(true));
    assert_eq!(good.head, positions[3].head);
    let other = reader.verify_journal(&www(), Some("00ff")).unwrap();
    assert_eq!(other.has_head, Some(false));

    std::fs::write(&file, whole.replace("second", "sec0nd")).unwrap();
    let report = reader.verify_journal(&www(), None).unwrap();
    let broken = report.broken.unwrap();
    assert_eq!(
        (broken.at, broken.file),
        (positions[1].offset, file.clone())
    );
    let mut source = world.open().unwrap();
    let error = source
        .replay(Some(&positions[0]), &mut |_| Ok(()))
        .unwrap_err();
    assert_eq!(error.kind(), Kind::Damaged);
    drop(source);

    let edited = whole.replace("third", "th1rd");
    std::fs::write(&file, &edited).unwrap();
    assert_eq!(world.open().unwrap_err().kind(), Kind::Damaged);
    assert_eq!(std::fs::read_to_string(&file).unwrap(), edited);
    std::fs::write(&file, &whole).unwrap();
    world.open().unwrap();
}

/// Which files of a journal are read makes no difference to what is said of them: a file is held against
/// itself, and its end against the file that follows, read or not.
#[test]
fn a_part_of_the_journal_is_verified_by_itself() {
    const FILES: u64 = 4;
    let world = world((true, true));
    let mut files = Vec::new();
    for text in ["first", "second", "third", "fourth"] {
        let mut source = world.open().unwrap();
        source.place(vec![event(text), event("more")]).unwrap();
        files.push(world.journal());
    }
    let reader = Store::open_read(world.temp.path()).unwrap();
    // Bit n of `mask`: the nth file is wanted.
    let broken = |mask: u64| {
        let mut number = 0;
        let report = reader
            .verify_some(&www(), None, &mut |_| {
                number += 1;
                Ok(mask & (1 << (number - 1)) != 0)
            })
            .unwrap();
        if report.broken.is_none() {
            assert_eq!(report.files, u64::from(mask.count_ones()));
            assert_eq!(report.files + report.passed_over, FILES);
        }
        report.broken.map(|broken| broken.file)
    };
    let all = 0..1 << FILES;
    assert!(all.clone().all(|mask| broken(mask).is_none()));
    let has = |mask: u64, file: usize| mask & (1 << file) != 0;
    for (number, file) in files.iter().enumerate() {
        let whole = std::fs::read_to_string(file).unwrap();
        std::fs::write(file, whole.replace("more", "m0re")).unwrap();
        for mask in all.clone() {
            let found = has(mask, number).then(|| file.clone());
            assert_eq!(broken(mask), found, "{number} of {mask:b}");
        }
        std::fs::write(file, &whole).unwrap();
        // One that is put in its place, whole in itself: who reads it or the one before knows.
        let Some(before) = number.checked_sub(1) else {
            continue;
        };
        let text = whole.replacen(&prev(&whole), &"0".repeat(64), 1);
        std::fs::write(file, text).unwrap();
        for mask in all.clone() {
            let known = has(mask, before) || has(mask, number);
            assert_eq!(broken(mask).is_some(), known, "{number} of {mask:b}");
        }
        // One that is empty: the last one is what a power cut leaves.
        std::fs::write(file, "").unwrap();
        let last = number + 1 == files.len();
        for mask in all.clone() {
            let known = !last && (has(mask, before) || has(mask, number));
            assert_eq!(broken(mask).is_some(), known, "{number} of {mask:b}");
        }
        std::fs::write(file, &whole).unwrap();
    }
}

/// The head that a journal file says that it follows.
fn prev(journal: &str) -> String {
    let header: serde_json::Value = serde_json::from_str(journal.lines().next().unwrap()).unwrap();
    header["prev"].as_str().unwrap().to_owned()
}

#[test]
fn replay_hands_out_what_comes_after_a_position_and_knows_a_strangers() {
    let world = world((true, true));
    let mut positions = Vec::new();
    for run in 0..3 {
        let mut source = world.open().unwrap();
        if run == 0 {
            positions.push(source.head().clone());
        }
        for n in 0..2 {
            let entry = latest(&source, &format!("{run}/{n}"), "x", 1, None);
            source.place(vec![entry]).unwrap();
            positions.push(source.head().clone());
        }
    }
    let snapshot = world.snapshot();
    let mut source = world.open().unwrap();
    for (after, position) in positions.iter().enumerate() {
        let mut seen = Vec::new();
        let mut apply = |placed: &Placed| {
            seen.push(placed.position().clone());
            Ok(())
        };
        source.replay(Some(position), &mut apply).unwrap();
        assert_eq!(seen, positions[after + 1..]);
    }
    assert_eq!(source.replay(None, &mut |_| Ok(())).unwrap(), 6);
    assert_eq!(world.snapshot(), snapshot);
    let known = &positions[3];
    for stranger in [
        JournalPosition {
            head: sha("?"),
            ..known.clone()
        },
        JournalPosition {
            offset: known.offset - 1,
            ..known.clone()
        },
        JournalPosition {
            run: 9,
            ..known.clone()
        },
    ] {
        let error = source.replay(Some(&stranger), &mut |_| Ok(())).unwrap_err();
        assert_eq!(error.kind(), Kind::Damaged, "{stranger:?}");
    }
}

/// A drive that said "synced" and lost the bytes: no row without a file, and the version that
/// made room is known under the name it has.
#[test]
fn bytes_that_a_drive_lost_get_no_row() {
    let world = world((true, true));
    let base = base(&world);
    let mut source = world.open().unwrap();
    let start = source.head().clone();
    let entry = latest(&source, "k", "k two", 11, standing(&base, "latest/k"));
    let Entry::Latest { verified, .. } = &entry else {
        unreachable!()
    };
    let staged = world.path(verified.staged());
    // The steps: sync of the payload, before the journal, after the journal.
    source.drive.fuse.store(2, Ordering::SeqCst);
    source.place(vec![entry]).unwrap_err();
    assert_ne!(*source.head(), start, "journalled");
    drop(source);
    std::fs::write(&staged, "").unwrap();
    let (groups, seen) = replayed(&world, &start);
    assert_eq!(groups, 1);
    assert!(
        !seen.iter().any(|r| matches!(r, Record::Place(_))),
        "{seen:?}"
    );
    let Some(Record::Move(moved)) = seen.first() else {
        panic!("{seen:?}")
    };
    assert_eq!(world.text(&moved.to), "k one");
}

#[test]
fn strangers_in_the_way_are_moved_aside_or_named() {
    let world = world((true, true));
    base(&world);
    let mut source = world.open().unwrap();
    std::fs::write(world.path("latest/photos"), "a file").unwrap();
    let entry = latest(&source, "photos/1", "one", 20, None);
    source.place(vec![entry]).unwrap();
    assert_eq!(world.text("latest/photos/1"), "one");
    assert!(world.snapshot().values().any(|content| content == "a file"));

    // The very bytes that are expected are adopted.
    std::fs::write(world.path("latest/same"), "same").unwrap();
    let entry = latest(&source, "same", "same", 21, None);
    let placed = source.place(vec![entry]).unwrap();
    assert_eq!(placed.records().len(), 1, "{:?}", placed.records());

    // A folder cannot be moved aside; nothing is journalled and the next group is welcome.
    std::fs::create_dir(world.path("latest/folder")).unwrap();
    let entry = latest(&source, "folder", "x", 22, None);
    let head = source.head().clone();
    assert_eq!(source.place(vec![entry]).unwrap_err().kind(), Kind::Run);
    assert_eq!(*source.head(), head);

    let outside = tempfile::tempdir().unwrap();
    std::os::unix::fs::symlink(outside.path(), world.path("latest/link")).unwrap();
    let entry = latest(&source, "link/x", "x", 23, None);
    assert_eq!(source.place(vec![entry]).unwrap_err().kind(), Kind::Store);
    assert_eq!(std::fs::read_dir(outside.path()).unwrap().count(), 0);
    source.place(vec![event("on")]).unwrap();
}

#[test]
fn the_same_poison_twice_is_kept_once_and_history_names_are_never_shared() {
    let world = world((true, true));
    let mut source = world.open().unwrap();
    for _ in 0..2 {
        let contradiction = contradiction(&source, "q", "poison", 1);
        source
            .place(vec![Entry::Quarantine { contradiction }])
            .unwrap();
        let entry = history(&source, "v", "old", 1, State::Stored);
        source.place(vec![entry]).unwrap();
    }
    let files = world.snapshot();
    let count = |area: &str| files.keys().filter(|p| p.contains(area)).count();
    assert_eq!(count("/quarantine/"), 2, "the bytes and their note");
    assert_eq!(count("/history/"), 2);
    for path in files.keys().filter(|p| p.contains("/history/")) {
        let rel = path.strip_prefix("www/").unwrap();
        assert_eq!(names::key_of(rel).unwrap(), key("v"));
    }
    world.sums_hold();
}

#[test]
fn a_download_that_is_not_what_was_proven_is_not_placed() {
    let world = world((true, true));
    let mut source = world.open().unwrap();
    let entry = latest(&source, "k", "content", 1, None);
    let Entry::Latest { verified, .. } = &entry else {
        unreachable!()
    };
    std::fs::write(world.path(verified.staged()), "conten").unwrap();
    assert_eq!(source.place(vec![entry]).unwrap_err().kind(), Kind::Run);
    assert!(!world.path("latest").exists());
    assert_eq!(source.place(Vec::new()).unwrap().records().len(), 0);
    assert_eq!(source.head().run, 0, "nothing was journalled");
}

#[test]
fn a_held_version_that_rotted_is_not_accepted() {
    let world = world((true, true));
    let base = base(&world);
    let mut source = world.open().unwrap();
    let accept = everything(&source, &base).remove(5);
    let Entry::Accept { version, .. } = &accept else {
        panic!("{accept:?}")
    };
    std::fs::write(world.path(&version.path), "h tw0").unwrap();
    assert_eq!(
        source.place(vec![accept]).unwrap_err().kind(),
        Kind::Damaged
    );
    assert_eq!(world.text("latest/h"), "h one");
}

#[test]
fn a_drive_that_went_away_is_noticed() {
    let world = world((true, true));
    let store = world.store();
    store.still_there().unwrap();
    assert!(store.room().unwrap().total > 0);
    drop(store.space().reserve(1).unwrap());
    assert_eq!(
        store.space().reserve(u64::MAX).unwrap_err().kind(),
        Kind::Store
    );
    let away = world.temp.path().with_extension("away");
    std::fs::rename(world.temp.path(), &away).unwrap();
    std::fs::create_dir(world.temp.path()).unwrap();
    assert_eq!(store.still_there().unwrap_err().kind(), Kind::Store);
    // What is held is still the drive, so this goes there and not to the new folder.
    store.source(&www(), "test").unwrap();
    assert!(away.join("www/incoming").exists());
    assert_eq!(std::fs::read_dir(world.temp.path()).unwrap().count(), 0);
    std::fs::remove_dir(world.temp.path()).unwrap();
    std::fs::rename(&away, world.temp.path()).unwrap();
}
