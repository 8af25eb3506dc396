//! A folder of the owner's, outside the store, that verified copies are written to.
//!
//! A file gets its name there when its bytes are the ones that were wanted and are synced; until
//! then it is called `%restoring-…`, which no key can be (see [`names`](super::names)). Nothing
//! outside the folder is reached: no link and no other mount is followed.

use super::abreast::{self, Failure};
use super::dir::{Dir, Stands, parent_and_name};
use super::hash;
use super::{Reader, Waiting, probe};
use crate::error::{Error, Kind, Result};
use crate::object::{Sha256, Timestamp};
use crate::outcome::Stop;
use rustix::fs::FlockOperation;
use rustix::io::Errno;
use std::fs::{File, FileTimes};
use std::io::{self, Read as _};
use std::path::{Component, Path, PathBuf};

/// A folder to restore to.
#[derive(Debug)]
pub struct Target {
    dir: Dir,
    /// For messages; it may not be there yet.
    path: PathBuf,
    /// Whether the folder is there; else `dir` is one above it, and there is nothing in it.
    there: bool,
    /// Whether its file system is of a kind on which one `syncfs` is durable and reports errors.
    whole: bool,
}

/// The file that is to stand in the folder.
#[derive(Clone, Copy, Debug)]
pub struct Wanted<'w> {
    /// Where, relative to the folder.
    pub path: &'w str,
    /// Its length.
    pub bytes: u64,
    /// SHA-256 of its bytes.
    pub sha256: Sha256,
    /// When it was last written, as the bucket has it.
    pub modified: Timestamp,
}

/// What stands where a file is wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found {
    /// Nothing.
    Nothing,
    /// That very file.
    Same,
    /// Something else: what, in words.
    Other(String),
}

/// How a file is brought there.
pub struct Bringing<'a> {
    /// Take the place of another file that stands there.
    pub replace: bool,
    /// The owner's wish to end.
    pub stop: &'a Stop,
    /// Hears how many bytes were written.
    pub each: &'a dyn Fn(u64),
}

/// Why a file was not brought.
#[derive(Debug)]
pub enum Unbrought {
    /// The bytes of the copy cannot be read, or are not what they should be: why.
    Rotten(String),
    /// This file cannot stand there: why.
    Refused(String),
    /// The folder's drive is full, read-only or gone: no other file could be brought either.
    Target(Error),
    /// The owner wished for an end.
    Interrupted,
}

impl Target {
    /// Opens the folder at `path`; with `make` it is made where there is none, and nobody else
    /// can restore to it meanwhile ([`Kind::Locked`]). A folder of the store's own is refused.
    pub fn open(path: &Path, store: &Reader, make: bool) -> Result<Self> {
        outside(path, store)?;
        if make {
            std::fs::create_dir_all(path).map_err(|e| Error::io("make the folder", path, e))?;
        }
        let dir = Dir::open(nearest(path))?;
        let target = Self {
            whole: probe::syncs_whole(&dir),
            dir,
            path: path.to_owned(),
            there: path.is_dir(),
        };
        if make {
            target.lock()?;
        }
        Ok(target)
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The bytes that are free on its drive.
    pub fn room(&self) -> Result<u64> {
        Ok(probe::space(&self.dir)?.1)
    }

    /// Whether it is on the drive of `store`.
    pub fn is_on_drive_of(&self, store: &Reader) -> Result<bool> {
        let fail = |e: rustix::io::Errno| Error::io("look at", &self.path, std::io::Error::from(e));
        let here = rustix::fs::fstat(self.dir.handle()).map_err(fail)?;
        let there = rustix::fs::fstat(store.dir.handle()).map_err(fail)?;
        Ok(here.st_dev == there.st_dev)
    }

    /// The length of the file at `path`; none where there is no file.
    pub fn bytes(&self, path: &str) -> Option<u64> {
        self.dir.bytes(path).ok().flatten().filter(|_| self.there)
    }

    /// What stands where `file` is wanted. A file of the same length is read.
    pub fn found(&self, file: &Wanted<'_>) -> Found {
        let stands = match self.there {
            true => self.dir.stat(file.path),
            false => Ok(None),
        };
        match stands {
            Ok(None) => Found::Nothing,
            Ok(Some(Stands::Folder)) => Found::Other("a folder of that name is there".to_owned()),
            Ok(Some(Stands::File { bytes, .. })) if bytes != file.bytes => Found::Other(format!(
                "another file is there, of {bytes} bytes instead of {}",
                file.bytes
            )),
            Ok(Some(Stands::File { .. })) => match hash::of_file(&self.dir, file.path) {
                Ok(sha256) if sha256 == file.sha256 => Found::Same,
                Ok(_) => Found::Other("another file of that length is there".to_owned()),
                Err(error) => Found::Other(error.to_string()),
            },
            Err(error) => Found::Other(error.to_string()),
        }
    }

    /// Files are brought there in groups: each is named when its group is synced.
    pub fn waiting(&self) -> Waiting<'_> {
        Waiting::new(self)
    }

    /// Copies `from` to where `file` waits for its name ([`staged_name`]), hashing what is written. It
    /// stays there only if its digest is the one that is wanted.
    pub(super) fn stage(
        &self,
        from: File,
        file: &Wanted<'_>,
        how: &Bringing<'_>,
    ) -> Result<(), Unbrought> {
        self.dir.make_way(file.path).map_err(refused)?;
        let staged = staged_name(file.path);
        // What a run that was killed left there.
        self.dir.unlink(&staged).map_err(refused)?;
        let written = self.write(&staged, from, file, how);
        if written.is_err() {
            let _ = self.dir.unlink(&staged);
        }
        written
    }

    /// The folder itself.
    pub(super) fn dir(&self) -> &Dir {
        &self.dir
    }

    /// Whether one sync of its file system makes all of a group durable, and says what was lost.
    pub(super) fn syncs_whole(&self) -> bool {
        self.whole
    }

    fn write(
        &self,
        staged: &str,
        from: File,
        file: &Wanted<'_>,
        how: &Bringing<'_>,
    ) -> Result<(), Unbrought> {
        let to = self.dir.create(staged).map_err(refused)?;
        let unwritten = |e: io::Error| refused(Error::io("write", self.path.join(file.path), e));
        let copied = abreast::copy(from.take(file.bytes + 1), &to, file.bytes, &mut |bytes| {
            (how.each)(bytes);
            !how.stop.requested()
        });
        let (sha256, bytes) = copied.map_err(|failure| match failure {
            Failure::Ended => Unbrought::Interrupted,
            Failure::Writing(e) => unwritten(e),
            Failure::Reading(e) => Unbrought::Rotten(format!("it cannot be read: {e}")),
        })?;
        if sha256 != file.sha256 {
            return Err(Unbrought::Rotten(differs(sha256, bytes, file)));
        }
        let times = FileTimes::new().set_modified(file.modified.into());
        to.set_times(times).map_err(unwritten)
    }

    /// Makes the names durable that the files have now.
    pub fn finish(&self) -> Result<()> {
        self.dir.sync_all()
    }

    fn lock(&self) -> Result<()> {
        match rustix::fs::flock(self.dir.handle(), FlockOperation::NonBlockingLockExclusive) {
            Err(Errno::WOULDBLOCK) => {
                let what = format!("another restore writes to {}", self.path.display());
                Err(Error::new(Kind::Locked, what).hint("wait for its end, or name another folder"))
            }
            // Some network drives lock no folders.
            _ => Ok(()),
        }
    }
}

/// Where the file that is to be called `path` waits for its name.
pub(super) fn staged_name(path: &str) -> String {
    let (folder, _) = parent_and_name(path);
    let digits = hash::of(&[path.as_bytes()]).short();
    format!("{folder}/%restoring-{digits}")
}

/// What is wrong with the bytes that were read.
fn differs(sha256: Sha256, bytes: u64, file: &Wanted<'_>) -> String {
    if bytes < file.bytes {
        return format!("it has {bytes} bytes instead of {}", file.bytes);
    }
    if bytes > file.bytes {
        return format!("it has more than its {} bytes", file.bytes);
    }
    format!("its SHA-256 is {sha256} instead of {}", file.sha256)
}

/// The folder at `path`, or the nearest one above that is there.
fn nearest(path: &Path) -> &Path {
    let above = path.ancestors().find(|p| p.is_dir());
    above
        .filter(|p| !p.as_os_str().is_empty())
        .unwrap_or(Path::new("."))
}

/// Refuses a folder of the store's.
fn outside(path: &Path, store: &Reader) -> Result<()> {
    let usage = |e: io::Error| {
        Error::new(
            Kind::Usage,
            format!("cannot open the folder {}", path.display()),
        )
        .because(e)
    };
    let there = nearest(path);
    let rest = path.strip_prefix(there).unwrap_or(path);
    if there != path && rest.components().any(|c| c == Component::ParentDir) {
        // It could lead anywhere once the folders before it are made.
        let what = format!("{} goes through a folder that is not there", path.display());
        return Err(Error::new(Kind::Usage, what).hint("name the folder without `..`"));
    }
    let real = there.canonicalize().map_err(usage)?;
    let home = store.path().canonicalize().map_err(usage)?;
    if real.starts_with(&home) {
        let what = format!("{} belongs to the store", path.display());
        return Err(Error::new(Kind::Usage, what)
            .hint("nothing is restored into the store: name a folder elsewhere"));
    }
    Ok(())
}

/// Whether a failure is about one file or about the whole folder.
pub(super) fn refused(error: Error) -> Unbrought {
    let cause = std::error::Error::source(&error).and_then(|e| e.downcast_ref::<io::Error>());
    let whole = cause.is_some_and(|e| {
        use io::ErrorKind::{QuotaExceeded, ReadOnlyFilesystem, StorageFull};
        // ENODEV, ENXIO, EIO, ESTALE: the medium itself went away or is failing.
        matches!(e.kind(), StorageFull | QuotaExceeded | ReadOnlyFilesystem)
            || matches!(e.raw_os_error(), Some(19 | 6 | 5 | 116))
    });
    match whole {
        false => Unbrought::Refused(error.to_string()),
        true => Unbrought::Target(Error::new(Kind::Run, error.to_string()).hint(
            "the folder that was to be restored to cannot take more: what is there is whole, and the same command goes on",
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::{InitOptions, Store};

    fn scene() -> (tempfile::TempDir, Reader) {
        let temp = tempfile::tempdir().unwrap();
        let options = InitOptions {
            allow_root_fs: true,
            now: "2026-11-22T03:00:00Z".parse().unwrap(),
            probe_sqlite: &|_| true,
        };
        let store = temp.path().join("store");
        Store::init(&store, &options).unwrap();
        std::fs::write(store.join("from"), "bytes").unwrap();
        (temp, Store::open_read(&store).unwrap())
    }

    fn wanted(path: &str) -> Wanted<'_> {
        Wanted {
            path,
            bytes: 5,
            sha256: hash::of(&[b"bytes"]),
            modified: "2026-11-01T03:00:00Z".parse().unwrap(),
        }
    }

    fn bring(
        target: &Target,
        reader: &Reader,
        file: &Wanted<'_>,
        replace: bool,
    ) -> Result<(), Unbrought> {
        let how = Bringing {
            replace,
            stop: &Stop::default(),
            each: &|_| {},
        };
        let mut waiting = target.waiting();
        waiting.bring(reader.open("from").unwrap(), file, &how)?;
        match waiting.name() {
            Err(error) => Err(Unbrought::Target(error)),
            Ok(failed) => failed
                .into_values()
                .next()
                .map_or(Ok(()), |why| Err(Unbrought::Refused(why))),
        }
    }

    #[test]
    fn a_file_comes_whole_with_its_time_and_replaces_nothing() {
        let (temp, reader) = scene();
        let out = temp.path().join("out/deep");
        let target = Target::open(&out, &reader, true).unwrap();
        let file = wanted("a/b");
        assert_eq!(target.found(&file), Found::Nothing);
        bring(&target, &reader, &file, false).unwrap();
        assert_eq!(target.found(&file), Found::Same);
        let modified = std::fs::metadata(out.join("a/b")).unwrap().modified();
        let then: std::time::SystemTime = file.modified.into();
        assert_eq!(modified.unwrap(), then);
        target.finish().unwrap();

        std::fs::write(out.join("a/b"), "other").unwrap();
        assert!(matches!(target.found(&file), Found::Other(_)));
        let again = bring(&target, &reader, &file, false);
        assert!(matches!(again, Err(Unbrought::Refused(_))), "{again:?}");
        assert_eq!(std::fs::read(out.join("a/b")).unwrap(), b"other");
        bring(&target, &reader, &file, true).unwrap();
        assert_eq!(std::fs::read(out.join("a/b")).unwrap(), b"bytes");
        // A folder is nobody's to replace, and a file is no folder.
        for in_the_way in ["a", "a/b/c"] {
            let brought = bring(&target, &reader, &wanted(in_the_way), true);
            assert!(matches!(brought, Err(Unbrought::Refused(_))), "{brought:?}");
        }
        assert_eq!(std::fs::read_dir(out.join("a")).unwrap().count(), 1);
    }

    #[test]
    fn wrong_bytes_get_no_name() {
        let (temp, reader) = scene();
        let out = temp.path().join("out");
        let target = Target::open(&out, &reader, true).unwrap();
        for bytes in ["byteS", "byte", "bytes and more", ""] {
            std::fs::write(temp.path().join("store/from"), bytes).unwrap();
            let brought = bring(&target, &reader, &wanted("x"), false);
            assert!(matches!(brought, Err(Unbrought::Rotten(_))), "{brought:?}");
        }
        assert_eq!(std::fs::read_dir(&out).unwrap().count(), 0);
    }

    /// What a run that was killed left is not gone on with, and an end that was wished for leaves nothing.
    #[test]
    fn an_end_leaves_nothing_and_what_was_left_goes() {
        let (temp, reader) = scene();
        let out = temp.path().join("out");
        let target = Target::open(&out, &reader, true).unwrap();
        let stop = Stop::default();
        stop.request();
        let how = Bringing {
            replace: false,
            stop: &stop,
            each: &|_| {},
        };
        let from = reader.open("from").unwrap();
        let brought = target.waiting().bring(from, &wanted("a"), &how);
        assert!(
            matches!(brought, Err(Unbrought::Interrupted)),
            "{brought:?}"
        );
        assert_eq!(std::fs::read_dir(&out).unwrap().count(), 0);

        let left = format!("%restoring-{}", hash::of(&[b"a"]).short());
        std::fs::write(out.join(left), "longer than the file").unwrap();
        bring(&target, &reader, &wanted("a"), false).unwrap();
        let names = std::fs::read_dir(&out).unwrap();
        let names: Vec<_> = names.map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(names, ["a"]);
    }

    #[test]
    fn no_path_and_no_link_leads_out_of_the_folder() {
        let (temp, reader) = scene();
        let out = temp.path().join("out");
        let target = Target::open(&out, &reader, true).unwrap();
        std::fs::create_dir(temp.path().join("elsewhere")).unwrap();
        std::os::unix::fs::symlink("../elsewhere", out.join("link")).unwrap();
        std::os::unix::fs::symlink("../elsewhere/file", out.join("file")).unwrap();
        for path in ["../elsewhere/x", "link/x", "file"] {
            for replace in [false, true] {
                if path == "file" && replace {
                    continue; // The link itself gives way to the file.
                }
                let brought = bring(&target, &reader, &wanted(path), replace);
                assert!(matches!(brought, Err(Unbrought::Refused(_))), "{path}");
            }
        }
        bring(&target, &reader, &wanted("file"), true).unwrap();
        assert!(out.join("file").symlink_metadata().unwrap().is_file());
        let elsewhere = std::fs::read_dir(temp.path().join("elsewhere")).unwrap();
        assert_eq!(elsewhere.count(), 0);
    }

    #[test]
    fn the_store_is_no_place_to_restore_to_and_two_do_not_share_one() {
        let (temp, reader) = scene();
        for inside in ["store", "store/x/y", "out/../store/x"] {
            let path = temp.path().join(inside);
            let error = Target::open(&path, &reader, true).unwrap_err();
            assert_eq!(error.kind(), Kind::Usage, "{inside}");
        }
        assert!(!temp.path().join("store/x").exists());
        let out = temp.path().join("out2");
        let looked = Target::open(&out, &reader, false).unwrap();
        assert!(looked.room().unwrap() > 0 && !out.exists());
        let first = Target::open(&out, &reader, true).unwrap();
        let second = Target::open(&out, &reader, true).unwrap_err();
        assert_eq!(second.kind(), Kind::Locked);
        drop(first);
        Target::open(&out, &reader, true).unwrap();
    }
}
