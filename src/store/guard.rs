//! The guard: nothing is written before the drive has shown that it is the right one.

use super::dir::{Dir, Stands, UNFINISHED};
use super::lock::Lock;
use super::marker::{FORMAT, Facts, MARKER, Marker};
use super::names::LONGEST;
use super::{Expect, InitOptions, marker, mounts, probe, readme};
use crate::error::{Error, Kind, Result};
use bytesize::ByteSize;
use std::path::Path;

/// Names that file systems and desktops put at the root of a drive by themselves; they do not
/// make it "not empty". Names that begin with `.offsite` are ours.
const FURNITURE: [&str; 5] = [
    "lost+found",
    "System Volume Information",
    "$RECYCLE.BIN",
    ".Spotlight-V100",
    ".fseventsd",
];

/// PATH_MAX in Linux: paths longer than this (with their NUL) cannot be opened in one piece.
const PATH_MAX: usize = 4096;

/// Room for the endings of notes and watermarks.
const SLACK: usize = 64;

/// Makes `path` a store, or says what its marker says if it is one.
pub(super) fn init(
    path: &Path,
    mirror_of: Option<&str>,
    options: &InitOptions<'_>,
) -> Result<Marker> {
    if !path.exists() {
        make_folder(path, options)?;
    }
    let dir = Dir::open(path)?;
    if let Some(marker) = Marker::read(&dir)? {
        return Ok(marker);
    }
    check_length(path)?;
    check_root(&dir, options.allow_root_fs)?;
    check_writable(&dir)?;
    check_empty(&dir)?;
    probe::refuse_fat(&mounts::of(&dir)?, path)?;
    let facts = probe::facts(&dir, options.probe_sqlite).map_err(|e| unwritable(path, e))?;
    let marker = Marker {
        id: ulid::Ulid::generate().to_string(),
        format: FORMAT,
        naming: probe::naming(&facts),
        created: options.now,
        mirror_of: mirror_of.map(str::to_owned),
        facts,
    };
    dir.publish(readme::README, readme::text(&marker).as_bytes())?;
    // The marker last: a store is there when everything else is.
    marker.write(&dir)?;
    Ok(marker)
}

/// Makes the last folder of `path`, where the drive is that it would be on.
fn make_folder(path: &Path, options: &InitOptions<'_>) -> Result<()> {
    let above = match path.parent() {
        Some(above) if above != Path::new("") => above,
        _ => Path::new("."),
    };
    let dir = Dir::open(above).map_err(|e| {
        Error::new(Kind::Store, format!("{} is not there", above.display()))
            .because(e)
            .hint("is the drive plugged in and mounted? init makes one folder, not the way to it")
    })?;
    check_root(&dir, options.allow_root_fs)?;
    check_writable(&dir)?;
    std::fs::create_dir(path).map_err(|e| unwritable(path, Error::io("make", path, e)))
}

fn unwritable(path: &Path, why: Error) -> Error {
    if why.kind() == Kind::Store {
        return why;
    }
    Error::new(Kind::Store, format!("cannot write to {}", path.display()))
        .because(why)
        .hint("check who owns the folder (chown it to the user that runs offsite) and that the drive is mounted read-write")
}

fn check_length(path: &Path) -> Result<()> {
    let full = path
        .canonicalize()
        .map_err(|e| Error::io("look at", path, e))?;
    let length = full.as_os_str().len() + "/".len() + 64 + "/".len() + LONGEST + SLACK;
    if length < PATH_MAX {
        return Ok(());
    }
    Err(Error::new(
        Kind::Store,
        format!(
            "{} is {} bytes too long for the longest names that a bucket can hold",
            full.display(),
            length + 1 - PATH_MAX
        ),
    )
    .hint("mount the drive at a shorter path"))
}

fn check_root(dir: &Dir, allowed: bool) -> Result<()> {
    if allowed || !mounts::on_root(dir, &mounts::of(dir)?)? {
        return Ok(());
    }
    Err(Error::new(
        Kind::Store,
        format!(
            "{} is on the root file system, not on a drive of its own",
            dir.path().display()
        ),
    )
    .hint("most likely the drive is not mounted: mount it and try again. If you do want the copy on the system's own disk, say --allow-root-fs (in the configuration: [store] allow_root_fs = true)"))
}

fn check_empty(dir: &Dir) -> Result<()> {
    for entry in dir.list(".")? {
        let name = entry?.name;
        let harmless = FURNITURE.contains(&name.as_str())
            || name.starts_with(".Trash")
            || name.starts_with(".offsite")
            || is_left_over(dir, &name)?;
        if !harmless {
            return Err(Error::new(
                Kind::Store,
                format!(
                    "{} is not empty ({} is there) and has no {MARKER}",
                    dir.path().display(),
                    name.escape_debug()
                ),
            )
            .hint("choose an empty folder, or make one on the drive: --store /mnt/usb/offsite"));
        }
    }
    Ok(())
}

/// Whether `name` is what an `init` leaves that was cut off before the marker stood.
fn is_left_over(dir: &Dir, name: &str) -> Result<bool> {
    let (whole, opening) = match name.strip_suffix(UNFINISHED) {
        Some(readme::README) => (false, readme::OPENING),
        Some(MARKER) => (false, marker::WORDS),
        None if name == readme::README => (true, readme::OPENING),
        _ => return Ok(false),
    };
    let Some(Stands::File { .. }) = dir.stat(name)? else {
        return Ok(false);
    };
    // What begins with other words is somebody's own. Unfinished, it may hold a part of ours, or the
    // zeros that a power cut leaves.
    let ours = |text: String| {
        let unfinished = || opening.starts_with(&text) || text.bytes().all(|byte| byte == 0);
        text.starts_with(opening) || (!whole && unfinished())
    };
    Ok(dir.text(name).is_ok_and(ours))
}

/// The folder and its marker, or why there is none.
pub(super) fn marked(path: &Path) -> Result<(Dir, Marker)> {
    let dir = Dir::open(path).map_err(|e| {
        Error::new(
            Kind::Store,
            format!("the store {} cannot be opened", path.display()),
        )
        .because(e)
        .hint("is the drive plugged in and mounted?")
    })?;
    let marker = Marker::read(&dir)?.ok_or_else(|| {
        Error::new(
            Kind::Store,
            format!("{} is not a store: it has no {MARKER}", path.display()),
        )
        .hint("most likely the drive is not mounted there; `offsite init` makes a new store")
    })?;
    Ok((dir, marker))
}

/// Everything that must be so before the first byte is written.
pub(super) fn open(path: &Path, expect: &Expect) -> Result<(Dir, Marker, Lock)> {
    let (dir, marker) = marked(path)?;
    check_id(&marker, expect.store_id.as_deref(), path)?;
    let uuid = mounts::uuid(&mounts::of(&dir)?);
    check_uuid(&marker.facts, uuid.as_deref(), path)?;
    check_root(&dir, expect.allow_root_fs)?;
    check_writable(&dir)?;
    check_room(&dir, 0, expect.min_free)?;
    let lock = Lock::take(&dir, &expect.clock, &expect.manner).map_err(|e| match e.kind() {
        Kind::Locked => e,
        _ => unwritable(path, e),
    })?;
    Ok((dir, marker, lock))
}

/// Whether a store may be bound to this drive.
pub(super) fn check_place(dir: &Dir, allow_root_fs: bool) -> Result<()> {
    check_length(dir.path())?;
    check_root(dir, allow_root_fs)?;
    check_writable(dir)
}

fn check_writable(dir: &Dir) -> Result<()> {
    if !probe::read_only(dir)? {
        return Ok(());
    }
    let path = dir.path().display();
    Err(Error::new(
        Kind::Store,
        format!("{path} is mounted read-only"),
    )
    .hint("a drive that the kernel made read-only may be failing: look at dmesg. Else: mount -o remount,rw"))
}

fn check_id(marker: &Marker, expected: Option<&str>, path: &Path) -> Result<()> {
    match expected {
        Some(expected) if expected != marker.id => Err(Error::new(
            Kind::Store,
            format!(
                "{} is another store: its id is {}, the configuration expects {expected}",
                path.display(),
                marker.id
            ),
        )
        .hint("mount the right drive. If this one takes its place: `offsite init --rebind` shows both and binds the configuration to it")),
        _ => Ok(()),
    }
}

fn check_uuid(facts: &Facts, found: Option<&str>, path: &Path) -> Result<()> {
    match (facts.uuid.as_deref(), found) {
        (Some(known), Some(found)) if known != found => Err(Error::new(
            Kind::Store,
            format!(
                "the store {} is on the file system {found}, it was made on {known}",
                path.display()
            ),
        )
        .hint("is this a copy of the drive? Mount the original; or accept this one: `offsite init --rebind`")),
        _ => Ok(()),
    }
}

/// Whether `bytes` more leave `min_free` bytes free.
pub(super) fn check_room(dir: &Dir, bytes: u64, min_free: u64) -> Result<()> {
    let free = probe::space(dir)?.1;
    if free.checked_sub(bytes).is_some_and(|left| left > min_free) {
        return Ok(());
    }
    let size = |bytes| ByteSize(bytes).display().iec();
    let needed = if bytes == 0 {
        String::new()
    } else {
        format!("{} needed for what is on its way, ", size(bytes))
    };
    Err(Error::new(
        Kind::Store,
        format!(
            "the store {} is full: {needed}{} free, and {} is to stay free",
            dir.path().display(),
            size(free),
            size(min_free)
        ),
    )
    .hint("make room on the drive, take a larger one, or lower [store] min_free"))
}

#[cfg(test)]
mod tests {
    use super::super::marker::tests::facts;
    use super::super::{Manner, Reader, Store};
    use super::*;
    use crate::object::{Clock, Timestamp};

    fn options(allow_root_fs: bool) -> InitOptions<'static> {
        InitOptions {
            allow_root_fs,
            now: Timestamp::UNIX_EPOCH,
            probe_sqlite: &|_| true,
        }
    }

    fn expect(store_id: Option<&str>) -> Expect {
        Expect {
            store_id: store_id.map(str::to_owned),
            allow_root_fs: true,
            min_free: 0,
            clock: Clock::System,
            manner: Manner::default(),
        }
    }

    fn names(path: &Path) -> Vec<String> {
        let mut names: Vec<_> = std::fs::read_dir(path)
            .unwrap()
            .map(|e| e.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    #[test]
    fn init_makes_a_store_once() {
        let temp = tempfile::tempdir().unwrap();
        let path = temp.path().join("store");
        std::fs::create_dir_all(path.join("lost+found")).unwrap();
        let made = init(&path, None, &options(true)).unwrap();
        assert_eq!(names(&path), ["README.txt", "lost+found", MARKER]);
        std::fs::write(path.join("README.txt"), "mine").unwrap();
        assert_eq!(init(&path, None, &options(true)).unwrap(), made);
        assert_eq!(
            std::fs::read_to_string(path.join("README.txt")).unwrap(),
            "mine"
        );
        let new = temp.path().join("new");
        init(&new, None, &options(true)).unwrap();
        assert!(init(&temp.path().join("no/way"), None, &options(true)).is_err());
    }

    /// What a publishing that was cut off leaves: nothing yet, a part, or all under either name.
    #[test]
    fn init_goes_on_where_it_was_cut_off_and_touches_nobody_elses_words() {
        let temp = tempfile::tempdir().unwrap();
        let whole = temp.path().join("whole");
        init(&whole, None, &options(true)).unwrap();
        for (name, left) in [
            ("README.txt.new", vec![0, 20, 1000]),
            ("README.txt", vec![usize::MAX]),
            ("offsite-store.toml.new", vec![0, 20, 1000]),
        ] {
            let full = std::fs::read(whole.join(name.trim_end_matches(".new"))).unwrap();
            for left in left {
                let path = temp.path().join(format!("{name}-{left}"));
                std::fs::create_dir_all(path.join(".offsite-probe")).unwrap();
                std::fs::write(path.join(".offsite-probe/probe-a"), "").unwrap();
                let kept = full.get(..left).unwrap_or(&full);
                std::fs::write(path.join(name), kept).unwrap();
                init(&path, None, &options(true)).unwrap();
                assert_eq!(names(&path), ["README.txt", MARKER], "{name} {left}");
            }
            let path = temp.path().join(format!("{name}-mine"));
            std::fs::create_dir(&path).unwrap();
            std::fs::write(path.join(name), b"This drive is mine: \xff").unwrap();
            let error = init(&path, None, &options(true)).unwrap_err();
            assert!(error.to_string().contains(name), "{error}");
            assert_eq!(
                std::fs::read(path.join(name)).unwrap(),
                b"This drive is mine: \xff"
            );
        }
        let zeros = temp.path().join("zeros");
        std::fs::create_dir(&zeros).unwrap();
        std::fs::write(zeros.join("README.txt.new"), [0; 900]).unwrap();
        init(&zeros, None, &options(true)).unwrap();
        // An empty one of that name was finished by whoever made it.
        let empty = temp.path().join("empty");
        std::fs::create_dir(&empty).unwrap();
        std::fs::write(empty.join("README.txt"), "").unwrap();
        init(&empty, None, &options(true)).unwrap_err();
    }

    #[test]
    fn init_refuses_a_folder_in_use_a_long_path_and_fat() {
        let temp = tempfile::tempdir().unwrap();
        std::fs::write(temp.path().join("thesis.odt"), "").unwrap();
        let error = init(temp.path(), None, &options(true)).unwrap_err();
        assert_eq!(error.kind(), Kind::Store);
        assert!(error.to_string().contains("thesis.odt"));
        assert_eq!(names(temp.path()), ["thesis.odt"]);
        let long = (0..4).fold(temp.path().join("d"), |p, _| p.join("x".repeat(200)));
        std::fs::create_dir_all(&long).unwrap();
        let error = init(&long, None, &options(true)).unwrap_err();
        assert!(error.to_string().contains("too long"), "{error}");
        assert!(names(&long).is_empty());
    }

    #[test]
    fn the_root_file_system_is_refused_with_the_likely_cause() {
        let root = Dir::open(Path::new("/")).unwrap();
        let error = check_root(&root, false).unwrap_err();
        assert_eq!(error.kind(), Kind::Store);
        let hint = error.way_out().unwrap();
        assert!(hint.contains("--allow-root-fs") && hint.contains("not mounted"));
        check_root(&root, true).unwrap();
    }

    #[test]
    fn the_wrong_store_is_refused_with_both_ids_before_anything_is_written() {
        let temp = tempfile::tempdir().unwrap();
        let missing = temp.path().join("missing");
        assert_eq!(marked(&missing).unwrap_err().kind(), Kind::Store);
        let error = open(temp.path(), &expect(None)).unwrap_err();
        assert_eq!(error.kind(), Kind::Store);
        assert!(error.way_out().unwrap().contains("not mounted"));
        assert!(names(temp.path()).is_empty());
        let id = init(temp.path(), None, &options(true)).unwrap().id;
        let before = names(temp.path());
        let error = open(temp.path(), &expect(Some("01OTHER"))).unwrap_err();
        assert!(error.to_string().contains(&id) && error.to_string().contains("01OTHER"));
        let full = Expect {
            min_free: u64::MAX,
            ..expect(Some(&id))
        };
        assert_eq!(open(temp.path(), &full).unwrap_err().kind(), Kind::Store);
        assert_eq!(names(temp.path()), before);
        let store = Store::open(temp.path(), &expect(Some(&id))).unwrap();
        let second = Store::open(temp.path(), &expect(Some(&id))).unwrap_err();
        assert_eq!(second.kind(), Kind::Locked);
        let reader: Reader = Store::open_read(temp.path()).unwrap();
        assert_eq!(reader.marker().id, id);
        drop(store);
        Store::open(temp.path(), &expect(Some(&id))).unwrap();
    }

    #[test]
    fn another_file_system_is_refused_only_where_both_are_known() {
        let path = Path::new("/mnt");
        let mut known = facts();
        known.uuid = Some("A".into());
        let unknown = Facts {
            uuid: None,
            ..known.clone()
        };
        check_uuid(&known, Some("A"), path).unwrap();
        check_uuid(&known, None, path).unwrap();
        check_uuid(&unknown, Some("B"), path).unwrap();
        let error = check_uuid(&known, Some("B"), path).unwrap_err();
        assert!(error.way_out().unwrap().contains("--rebind"));
    }
}
