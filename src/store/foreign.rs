//! A folder of the owner's, outside the store: its files can be walked over, and taken into
//! `incoming/`.
//!
//! Such a file keeps its own name and its bytes until the copy has others, durable: it is copied
//! (or cloned, where the file system shares blocks), or gets a second name in `incoming/`. Only
//! [`Original::remove`] takes the first one away, and only from the very file that was read.

use super::dir::{Dir, Stands, parent_and_name};
use super::hash::{self, pour};
use super::incoming::{FOLDER, Incoming};
use super::{Space, Store};
use crate::error::{Error, Kind, Result};
use crate::outcome::Stop;
use rustix::fs::{self, AtFlags, Mode};
use std::fs::File;
use std::io::{self, Read, Write as _};
use std::path::Path;

/// Folders within each other that are walked into: no key of 1,024 bytes has more. Each holds a
/// file descriptor open.
const DEEPEST: usize = 512;

/// A folder of the owner's, opened. Nothing outside it is reached: no link and no other mount is
/// followed.
#[derive(Clone, Debug)]
pub struct Foreign {
    dir: Dir,
    /// The store's own folder, should it lie in here.
    store: (u64, u64),
}

/// What a walk met.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Met {
    /// A regular file of so many bytes.
    File {
        /// Relative to the folder.
        path: String,
        /// Its length.
        bytes: u64,
    },
    /// Something that is no file, or that cannot be looked at: where, and why.
    Odd {
        /// Relative to the folder.
        path: String,
        /// What it is, in words.
        why: String,
    },
}

/// Why a file was not taken.
#[derive(Debug)]
pub enum Untaken {
    /// The owner's file cannot be read, or the reading was ended.
    Source(Error),
    /// The store's drive has no room for a copy.
    Room(Error),
    /// The store's drive failed.
    Drive(Error),
}

/// How a file is taken.
pub struct Taking<'a> {
    /// By a second name where that is safe; else it is copied.
    pub link: bool,
    /// The room that a copy needs is asked for here.
    pub space: &'a Space,
    /// The owner's wish to end.
    pub stop: &'a Stop,
    /// Sees all bytes, in order, as they are in the copy.
    pub each: &'a mut dyn FnMut(&[u8]),
}

impl Foreign {
    /// Opens `path`. A folder of the store's own is refused.
    pub fn open(path: &Path, store: &Store) -> Result<Self> {
        let usage = |e: io::Error| {
            let what = format!("cannot open the folder {}", path.display());
            Error::new(Kind::Usage, what).because(e)
        };
        let real = path.canonicalize().map_err(usage)?;
        let home = store.path().canonicalize().map_err(usage)?;
        if real.starts_with(&home) {
            let what = format!("{} belongs to the store", path.display());
            return Err(Error::new(Kind::Usage, what)
                .hint("name the folder that another tool downloaded the bucket to"));
        }
        let dir = Dir::open(&real).map_err(|e| usage(io::Error::other(e.to_string())))?;
        let stat = fs::fstat(store.reader().dir.handle()).map_err(|e| usage(e.into()))?;
        Ok(Self {
            dir,
            store: (stat.st_dev, stat.st_ino),
        })
    }

    /// Every file in the folder and the folders below it, in the file system's order, until `each`
    /// says that it is enough. The store is left out, should it lie in here.
    pub fn walk(&self, each: &mut dyn FnMut(Met) -> Result<bool>) -> Result<bool> {
        self.walk_in(".", 0, each)
    }

    fn walk_in(
        &self,
        folder: &str,
        depth: usize,
        each: &mut dyn FnMut(Met) -> Result<bool>,
    ) -> Result<bool> {
        let odd = |path: &str, why: String| Met::Odd {
            path: path.to_owned(),
            why,
        };
        if depth > DEEPEST {
            return each(odd(folder, "too many folders within each other".to_owned()));
        }
        let entries = match self.is_store(folder) {
            Ok(true) => return Ok(true),
            Ok(false) => self.dir.list(folder),
            Err(error) => Err(error),
        };
        let entries = match entries {
            Ok(entries) => entries,
            Err(error) => return each(odd(folder, error.to_string())),
        };
        for entry in entries {
            let entry = match entry {
                Ok(entry) => entry,
                Err(error) => return each(odd(folder, error.to_string())),
            };
            let path = match folder {
                "." => entry.name,
                folder => format!("{folder}/{}", entry.name),
            };
            let go_on = match self.dir.stat(&path) {
                _ if !entry.utf8 => each(odd(&path, "its name is not UTF-8".to_owned()))?,
                Ok(Some(Stands::File { bytes, .. })) => each(Met::File { path, bytes })?,
                Ok(Some(Stands::Folder)) => self.walk_in(&path, depth + 1, each)?,
                // It went away meanwhile.
                Ok(None) => true,
                Err(error) => each(odd(&path, error.to_string()))?,
            };
            if !go_on {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Whether a regular file stands at `path`, which may be any text.
    pub fn has(&self, path: &str) -> bool {
        matches!(self.dir.stat(path), Ok(Some(Stands::File { .. })))
    }

    fn is_store(&self, folder: &str) -> Result<bool> {
        let dir = self.dir.sub(folder)?;
        let stat = fs::fstat(dir.handle()).map_err(|e| Error::io("look at", dir.path(), e))?;
        Ok((stat.st_dev, stat.st_ino) == self.store)
    }

    /// Opens the file `path` to take it.
    pub fn original(&self, path: &str) -> Result<Original> {
        let file = self.dir.read(path)?;
        let seen =
            Seen::of(&file).map_err(|e| Error::io("look at", self.dir.path().join(path), e))?;
        Ok(Original {
            dir: self.dir.clone(),
            path: path.to_owned(),
            file,
            seen,
        })
    }
}

/// What tells a file, and any change of it, from another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Seen {
    file: (u64, u64),
    bytes: i64,
    modified: (i64, u64),
}

impl Seen {
    // The fields' types differ between 32-bit and 64-bit computers.
    #[allow(clippy::useless_conversion, clippy::unnecessary_cast)]
    fn of(file: impl std::os::fd::AsFd) -> io::Result<Self> {
        let stat = fs::fstat(file)?;
        Ok(Self {
            file: (stat.st_dev as u64, stat.st_ino as u64),
            bytes: stat.st_size as i64,
            modified: (stat.st_mtime as i64, stat.st_mtime_nsec as u64),
        })
    }
}

/// One file of the owner's, open to read.
#[derive(Debug)]
pub struct Original {
    dir: Dir,
    path: String,
    file: File,
    seen: Seen,
}

impl Original {
    /// Relative to its folder.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// Takes its name away, now that the copy has its bytes under another; false if another file
    /// stands there by now, or it was written to since it was opened.
    pub fn remove(&self) -> Result<bool> {
        let there = self.dir.read(&self.path).map(|file| Seen::of(&file).ok());
        if !matches!(there, Ok(Some(seen)) if seen == self.seen) {
            return Ok(false);
        }
        self.dir.unlink(&self.path)?;
        Ok(true)
    }

    /// Whether a second name for it is as good as a copy: it is ours, and has no other name that
    /// somebody could write to it by.
    fn is_ours_alone(&self) -> bool {
        fs::fstat(&self.file).is_ok_and(|stat| {
            stat.st_nlink == 1 && stat.st_uid == rustix::process::geteuid().as_raw()
        })
    }

    fn unreadable(&self, error: io::Error) -> Untaken {
        let path = self.dir.path().join(&self.path);
        Untaken::Source(
            Error::new(Kind::Run, format!("cannot read {}", path.display())).because(error),
        )
    }

    /// Hands all bytes to `each`, which may end it.
    fn read(&mut self, each: &mut dyn FnMut(&[u8]) -> io::Result<()>) -> Result<(), Untaken> {
        // A file that grows as fast as it is read would never end.
        let most = self.bytes() + 1;
        let read = pour((&mut self.file).take(most), each);
        read.map_err(|e| self.unreadable(e))?;
        match Seen::of(&self.file) {
            Ok(seen) if seen == self.seen => Ok(()),
            Ok(_) => Err(self.unreadable(io::Error::other("it changed while it was read"))),
            Err(e) => Err(self.unreadable(e)),
        }
    }

    fn bytes(&self) -> u64 {
        u64::try_from(self.seen.bytes).unwrap_or(0)
    }
}

impl Taking<'_> {
    fn see(&mut self, bytes: &[u8]) -> io::Result<()> {
        (self.each)(bytes);
        match self.stop.requested() {
            true => Err(io::Error::other("interrupted")),
            false => Ok(()),
        }
    }
}

impl Incoming {
    /// Brings `original` in, its bytes seen once; says where it lies.
    ///
    /// Its name here comes from its own, so that no two files share one, and none is taken for a
    /// download that can be gone on with: that would be written to.
    pub fn take_over(
        &self,
        original: &mut Original,
        how: &mut Taking<'_>,
    ) -> Result<String, Untaken> {
        let name = hash::of(&[original.path.as_bytes()]);
        let staged = format!("{FOLDER}/{name}.taken");
        // What an earlier run left may be the owner's file by its second name: never written to.
        self.dir.unlink(&staged).map_err(Untaken::Drive)?;
        let taken = match how.link && original.is_ours_alone() && self.link(&staged, original)? {
            true => original.read(&mut |bytes| how.see(bytes)),
            false => self.copy(&staged, original, how),
        };
        match taken {
            Ok(()) => Ok(staged),
            Err(error) => {
                self.dir.unlink(&staged).map_err(Untaken::Drive)?;
                Err(error)
            }
        }
    }

    /// Gives the file a second name here; false where the file systems do not.
    fn link(&self, staged: &str, original: &Original) -> Result<bool, Untaken> {
        let (folder, name) = parent_and_name(&original.path);
        let Ok(folder) = original.dir.sub(folder) else {
            return Ok(false);
        };
        let Ok(here) = self.dir.sub(FOLDER) else {
            return Ok(false);
        };
        let (_, new) = parent_and_name(staged);
        if fs::linkat(folder.handle(), name, here.handle(), new, AtFlags::empty()).is_err() {
            return Ok(false);
        }
        // Another file may stand under that name by now.
        let same = self
            .dir
            .read(staged)
            .ok()
            .and_then(|file| Seen::of(&file).ok());
        if same == Some(original.seen) {
            return Ok(true);
        }
        self.dir.unlink(staged).map_err(Untaken::Drive)?;
        Ok(false)
    }

    fn copy(
        &self,
        staged: &str,
        original: &mut Original,
        how: &mut Taking<'_>,
    ) -> Result<(), Untaken> {
        let mut file = self.dir.create(staged).map_err(Untaken::Drive)?;
        let path = self.dir.path().join(staged);
        if fs::ioctl_ficlone(&file, &original.file).is_ok() {
            let read = pour(&mut file, &mut |bytes| how.see(bytes));
            return read
                .map(drop)
                .map_err(|e| Untaken::Source(Error::io("read", path, e)));
        }
        let _room = how.space.reserve(original.bytes()).map_err(Untaken::Room)?;
        let mut failed = None;
        let read = original.read(&mut |bytes| {
            how.see(bytes)?;
            file.write_all(bytes).map_err(|e| {
                let end = io::Error::from(e.kind());
                failed = Some(e);
                end
            })
        });
        match failed {
            Some(e) => Err(Untaken::Drive(Error::io("write", path, e))),
            None => read,
        }
    }

    /// Whether `original` is the very file that stands at `stored`, relative to the source's
    /// folder, by another name.
    pub fn is_same(&self, stored: &str, original: &Original) -> bool {
        let there = self.dir.read(stored).ok();
        there.and_then(|file| Seen::of(&file).ok()) == Some(original.seen)
    }

    /// A file that stands here by its second name is made readable like any other of the copy.
    pub fn make_readable(&self, staged: &str) {
        let made = self
            .dir
            .read(staged)
            .map(|file| fs::fchmod(&file, Mode::from_raw_mode(0o644)));
        if !matches!(made, Ok(Ok(()))) {
            log::debug!("{staged}: its mode stays as it is");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink};
    use std::path::PathBuf;

    struct Scene {
        temp: tempfile::TempDir,
        foreign: Foreign,
        incoming: Incoming,
    }

    impl Scene {
        /// A file `a` in the owner's folder.
        fn new() -> Self {
            let temp = tempfile::tempdir().unwrap();
            std::fs::create_dir_all(temp.path().join("dir")).unwrap();
            std::fs::create_dir_all(temp.path().join("store/incoming")).unwrap();
            std::fs::write(temp.path().join("dir/a"), "bytes").unwrap();
            let incoming = Incoming::new(Dir::open(&temp.path().join("store")).unwrap());
            let foreign = Foreign {
                dir: Dir::open(&temp.path().join("dir")).unwrap(),
                store: (0, 0),
            };
            Self {
                temp,
                foreign,
                incoming,
            }
        }

        fn at(&self, path: &str) -> PathBuf {
            self.temp.path().join(path)
        }

        fn staged(&self) -> PathBuf {
            self.at("store").join(NAME)
        }

        fn inode(&self, path: &str) -> u64 {
            std::fs::metadata(self.at(path)).unwrap().ino()
        }

        /// Takes `a` and does `meanwhile` when its bytes came; what was hashed, and what it says.
        fn take(&self, link: bool, meanwhile: &dyn Fn()) -> (Vec<u8>, Result<String, Untaken>) {
            let mut original = self.foreign.original("a").unwrap();
            let mut bytes = Vec::new();
            let mut each = |piece: &[u8]| {
                bytes.extend_from_slice(piece);
                meanwhile();
            };
            let space = Space {
                dir: self.incoming.dir.clone(),
                min_free: 0,
                promised: Default::default(),
            };
            let mut how = Taking {
                link,
                space: &space,
                stop: &Stop::default(),
                each: &mut each,
            };
            let taken = self.incoming.take_over(&mut original, &mut how);
            (bytes, taken)
        }

        fn write_more(&self) {
            let mut file = std::fs::OpenOptions::new();
            let mut file = file.append(true).open(self.at("dir/a")).unwrap();
            file.write_all(b" and more").unwrap();
        }
    }

    /// After the SHA-256 of `a`.
    const NAME: &str =
        "incoming/ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb.taken";

    #[test]
    fn a_copy_is_what_was_hashed() {
        let scene = Scene::new();
        let (bytes, taken) = scene.take(false, &|| {});
        assert_eq!(taken.unwrap(), NAME);
        assert_eq!(bytes, b"bytes");
        assert_eq!(std::fs::read(scene.staged()).unwrap(), bytes);
        assert_ne!(scene.inode(&format!("store/{NAME}")), scene.inode("dir/a"));
    }

    #[test]
    fn a_file_gets_a_second_name_and_is_not_copied() {
        let scene = Scene::new();
        let private = std::fs::Permissions::from_mode(0o600);
        std::fs::set_permissions(scene.at("dir/a"), private).unwrap();
        let (bytes, taken) = scene.take(true, &|| {});
        assert_eq!(bytes, b"bytes");
        assert_eq!(scene.inode(&format!("store/{NAME}")), scene.inode("dir/a"));
        scene.incoming.make_readable(&taken.unwrap());
        let mode = std::fs::metadata(scene.staged()).unwrap().mode();
        assert_eq!(mode & 0o777, 0o644);
    }

    #[test]
    fn a_file_that_changes_while_it_is_read_is_not_taken() {
        for link in [true, false] {
            let scene = Scene::new();
            let (_, taken) = scene.take(link, &|| scene.write_more());
            let Err(Untaken::Source(error)) = taken else {
                panic!("{taken:?}")
            };
            assert!(error.to_string().contains("it changed"), "{error}");
            assert!(!scene.staged().exists());
            let now = std::fs::read(scene.at("dir/a")).unwrap();
            assert!(now.starts_with(b"bytes and more"));
        }
    }

    /// Through the other name somebody could write to it.
    #[test]
    fn a_file_with_more_names_is_copied() {
        let scene = Scene::new();
        std::fs::hard_link(scene.at("dir/a"), scene.at("dir/b")).unwrap();
        scene.take(true, &|| {}).1.unwrap();
        assert_ne!(scene.inode(&format!("store/{NAME}")), scene.inode("dir/a"));
    }

    /// A run that was cut off left the owner's file in `incoming/` by its second name.
    #[test]
    fn nothing_is_written_through_a_second_name() {
        let scene = Scene::new();
        std::fs::hard_link(scene.at("dir/a"), scene.staged()).unwrap();
        scene.take(false, &|| {}).1.unwrap();
        assert_eq!(std::fs::read(scene.at("dir/a")).unwrap(), b"bytes");
        assert_ne!(scene.inode(&format!("store/{NAME}")), scene.inode("dir/a"));
    }

    #[test]
    fn only_the_very_file_that_was_read_is_taken_away() {
        for change in [true, false] {
            let scene = Scene::new();
            let original = scene.foreign.original("a").unwrap();
            if change {
                scene.write_more();
            }
            assert_eq!(original.remove().unwrap(), !change);
            assert_eq!(scene.at("dir/a").exists(), change);
        }
    }

    #[test]
    fn a_walk_stays_in_the_folder_and_out_of_the_store() {
        let mut scene = Scene::new();
        symlink("/etc", scene.at("dir/link")).unwrap();
        std::fs::create_dir_all(scene.at("dir/sub/store")).unwrap();
        std::fs::write(scene.at("dir/sub/b"), "").unwrap();
        std::fs::write(scene.at("dir/sub/store/c"), "").unwrap();
        let store = std::fs::metadata(scene.at("dir/sub/store")).unwrap();
        scene.foreign.store = (store.dev(), store.ino());
        let (mut files, mut odd) = (Vec::new(), Vec::new());
        let mut each = |met| {
            match met {
                Met::File { path, bytes } => files.push((path, bytes)),
                Met::Odd { path, .. } => odd.push(path),
            }
            Ok(true)
        };
        assert!(scene.foreign.walk(&mut each).unwrap());
        files.sort();
        assert_eq!(files, [("a".to_owned(), 5), ("sub/b".to_owned(), 0)]);
        assert_eq!(odd, ["link"]);
        assert!(!scene.foreign.walk(&mut |_| Ok(false)).unwrap());
    }
}
