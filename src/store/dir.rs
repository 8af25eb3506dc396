//! A held directory: everything the store reads or writes goes through one.
//!
//! The directory is opened once; every path is relative to it and resolved by `openat2` with
//! `RESOLVE_BENEATH`, `NO_SYMLINKS`, `NO_XDEV` and `NO_MAGICLINKS` (openat2(2)). So a link that
//! somebody planted, a drive mounted over a folder, or an unmounted drive cannot lead a write
//! anywhere else: it fails with a sentence instead.

use crate::error::{Error, Kind, Result};
use rustix::fs::{self, AtFlags, FileType, Mode, OFlags, RenameFlags, ResolveFlags};
use rustix::io::Errno;
use std::fs::File;
use std::io::{Read as _, Write as _};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::sync::Arc;

const BENEATH: ResolveFlags = ResolveFlags::BENEATH
    .union(ResolveFlags::NO_SYMLINKS)
    .union(ResolveFlags::NO_XDEV)
    .union(ResolveFlags::NO_MAGICLINKS);

/// The ending of a name that [`Dir::publish`] has not given yet.
pub(super) const UNFINISHED: &str = ".new";

/// What stands under a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stands {
    /// A regular file of so many bytes, last written at so many seconds after 1970.
    File { bytes: u64, mtime: i64 },
    /// A folder.
    Folder,
}

/// One entry of a folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) name: String,
    /// Whether the name is UTF-8; the name is a lossy picture otherwise.
    pub(super) utf8: bool,
    /// Whether it is certainly no folder; not every file system says so of a name.
    pub(super) no_folder: bool,
}

/// An open directory; clones share the handle.
#[derive(Clone, Debug)]
pub(super) struct Dir {
    held: Arc<OwnedFd>,
    /// For messages only.
    path: PathBuf,
}

impl Dir {
    /// Opens `path`, following links on the way there: the owner chose that way.
    pub(super) fn open(path: &Path) -> Result<Self> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let held = fs::open(path, flags, Mode::empty())
            .map_err(|e| Error::io("open the folder", path, e))?;
        Ok(Self {
            held: Arc::new(held),
            path: path.to_owned(),
        })
    }

    /// Holds the folder `rel` beneath this one.
    pub(super) fn sub(&self, rel: &str) -> Result<Self> {
        let held = self
            .beneath(rel, OFlags::RDONLY | OFlags::DIRECTORY)
            .map_err(|e| self.fail("open the folder", rel, e))?;
        Ok(Self {
            held: Arc::new(held),
            path: self.path.join(rel),
        })
    }

    /// Where it was opened.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// The handle, for questions to the file system.
    pub(super) fn handle(&self) -> &OwnedFd {
        &self.held
    }

    fn beneath(&self, rel: &str, flags: OFlags) -> rustix::io::Result<OwnedFd> {
        let mode = if flags.contains(OFlags::CREATE) {
            Mode::from_raw_mode(0o644)
        } else {
            Mode::empty()
        };
        rustix::io::retry_on_intr(|| {
            fs::openat2(&*self.held, rel, flags | OFlags::CLOEXEC, mode, BENEATH)
        })
    }

    /// The folder that `rel` lies in, opened, and the last name of `rel`.
    fn parent_of<'a>(&self, rel: &'a str) -> rustix::io::Result<(OwnedFd, &'a str)> {
        let (parent, name) = parent_and_name(rel);
        let fd = self.beneath(parent, OFlags::PATH | OFlags::DIRECTORY)?;
        Ok((fd, name))
    }

    /// The same, or that this could not be done: `what`.
    fn parent_for<'a>(&self, what: &str, rel: &'a str) -> Result<(OwnedFd, &'a str)> {
        self.parent_of(rel).map_err(|e| self.fail(what, rel, e))
    }

    fn fail(&self, what: &str, rel: &str, errno: Errno) -> Error {
        let path = self.path.join(rel);
        match errno {
            Errno::LOOP | Errno::XDEV => Error::new(
                Kind::Store,
                format!(
                    "cannot {what} {}: a symbolic link or another mount stands in the way",
                    path.display()
                ),
            )
            .hint("a store holds only real files and folders on one drive: find out who put it there, then remove it"),
            Errno::NOSYS => Error::new(
                Kind::Store,
                format!("cannot {what} {}: this system has no openat2", path.display()),
            )
            .hint("offsite needs Linux 5.6 or newer, and a container runtime that lets openat2 through"),
            errno => Error::io(what, path, errno),
        }
    }

    /// Opens the file `rel` to read.
    pub(super) fn read(&self, rel: &str) -> Result<File> {
        self.file(rel, "open", OFlags::RDONLY)
    }

    /// Makes the file `rel` or empties the one there, to read and write.
    pub(super) fn create(&self, rel: &str) -> Result<File> {
        self.file(rel, "create", OFlags::RDWR | OFlags::CREATE | OFlags::TRUNC)
    }

    /// Opens the file `rel` to read and write as it is; makes it where there is none.
    pub(super) fn update(&self, rel: &str) -> Result<File> {
        self.file(rel, "open", OFlags::RDWR | OFlags::CREATE)
    }

    /// Opens the existing file `rel` to read and write.
    pub(super) fn modify(&self, rel: &str) -> Result<File> {
        self.file(rel, "open", OFlags::RDWR)
    }

    fn file(&self, rel: &str, what: &str, flags: OFlags) -> Result<File> {
        // Without O_NONBLOCK a planted FIFO would hang the run in open(2).
        let fd = self
            .beneath(rel, flags | OFlags::NONBLOCK | OFlags::NOCTTY)
            .map_err(|e| self.fail(what, rel, e))?;
        let stat = fs::fstat(&fd).map_err(|e| self.fail(what, rel, e))?;
        if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile {
            return Err(self.odd(rel));
        }
        Ok(File::from(fd))
    }

    fn odd(&self, rel: &str) -> Error {
        let path = self.path.join(rel);
        Error::new(
            Kind::Store,
            format!("{} is not a regular file", path.display()),
        )
        .hint("a store holds only real files and folders on one drive: find out who put it there, then remove it")
    }

    /// The whole of a small file as text.
    pub(super) fn text(&self, rel: &str) -> Result<String> {
        let mut text = String::new();
        self.read(rel)?
            .take(1 << 20)
            .read_to_string(&mut text)
            .map_err(|e| Error::io("read", self.path.join(rel), e))?;
        Ok(text)
    }

    /// What stands under `rel`: nothing, a file or a folder. Links and devices are errors.
    pub(super) fn stat(&self, rel: &str) -> Result<Option<Stands>> {
        let fd = match self.beneath(rel, OFlags::PATH | OFlags::NOFOLLOW) {
            Ok(fd) => fd,
            Err(Errno::NOENT | Errno::NOTDIR) => return Ok(None),
            Err(e) => return Err(self.fail("look at", rel, e)),
        };
        let stat = fs::fstat(&fd).map_err(|e| self.fail("look at", rel, e))?;
        // The field's type differs between 32-bit and 64-bit computers.
        #[allow(clippy::useless_conversion)]
        match FileType::from_raw_mode(stat.st_mode) {
            FileType::RegularFile => Ok(Some(Stands::File {
                bytes: u64::try_from(stat.st_size).unwrap_or(0),
                mtime: i64::try_from(stat.st_mtime).unwrap_or(0),
            })),
            FileType::Directory => Ok(Some(Stands::Folder)),
            FileType::Symlink => Err(self.fail("use", rel, Errno::LOOP)),
            _ => Err(self.odd(rel)),
        }
    }

    /// The length of the file `rel`; none where there is no file.
    pub(super) fn bytes(&self, rel: &str) -> Result<Option<u64>> {
        Ok(match self.stat(rel)? {
            Some(Stands::File { bytes, .. }) => Some(bytes),
            Some(Stands::Folder) | None => None,
        })
    }

    /// Makes the folder `rel` and those above it.
    pub(super) fn make(&self, rel: &str) -> Result<()> {
        if rel == "." || self.beneath(rel, OFlags::PATH | OFlags::DIRECTORY).is_ok() {
            return Ok(());
        }
        let ends = rel.match_indices('/').map(|(at, _)| at);
        for end in ends.chain([rel.len()]) {
            let folder = rel.get(..end).unwrap_or(rel);
            let made = self
                .parent_of(folder)
                .and_then(|(fd, name)| fs::mkdirat(&fd, name, Mode::from_raw_mode(0o755)));
            match made {
                Ok(()) | Err(Errno::EXIST) => {}
                Err(e) => return Err(self.fail("make the folder", folder, e)),
            }
        }
        // EXIST may have meant a file.
        self.beneath(rel, OFlags::PATH | OFlags::DIRECTORY)
            .map(drop)
            .map_err(|e| self.fail("make the folder", rel, e))
    }

    /// Makes the folders that `rel` lies in.
    pub(super) fn make_way(&self, rel: &str) -> Result<()> {
        self.make(parent_and_name(rel).0)
    }

    /// Renames `from` to `to`, over what stands there.
    pub(super) fn rename(&self, from: &str, to: &str) -> Result<()> {
        let (a, old) = self.parent_for("rename", from)?;
        let (b, new) = self.parent_for("rename to", to)?;
        fs::renameat(&a, old, &b, new).map_err(|e| self.fail("rename to", to, e))
    }

    /// Renames `from` to `to`, where nothing may stand. Where the file system has no such rename, by
    /// a second name; where it has no second names, after a look.
    pub(super) fn rename_new(&self, from: &str, to: &str) -> Result<()> {
        let (a, old) = self.parent_for("rename", from)?;
        let (b, new) = self.parent_for("rename to", to)?;
        match fs::renameat_with(&a, old, &b, new, RenameFlags::NOREPLACE) {
            Err(Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP) => {}
            renamed => return renamed.map_err(|e| self.fail("rename to", to, e)),
        }
        if self.link(from, to)? {
            return self.unlink(from);
        }
        match self.stat(to)? {
            None => self.rename(from, to),
            Some(_) => Err(self.fail("rename to", to, Errno::EXIST)),
        }
    }

    /// Gives the file `from` a second name. `Ok(false)` where this file or file system takes no
    /// hard links.
    pub(super) fn link(&self, from: &str, to: &str) -> Result<bool> {
        let (a, old) = self
            .parent_of(from)
            .map_err(|e| self.fail("link", from, e))?;
        let (b, new) = self
            .parent_of(to)
            .map_err(|e| self.fail("link to", to, e))?;
        match fs::linkat(&a, old, &b, new, AtFlags::empty()) {
            Ok(()) => Ok(true),
            Err(Errno::PERM | Errno::OPNOTSUPP | Errno::MLINK | Errno::NOSYS | Errno::ACCESS) => {
                Ok(false)
            }
            Err(e) => Err(self.fail("link to", to, e)),
        }
    }

    /// Takes the file name `rel` away, if it is there.
    pub(super) fn unlink(&self, rel: &str) -> Result<()> {
        self.remove(rel, AtFlags::empty())
    }

    /// Removes the empty folder `rel`, if it is there.
    pub(super) fn remove_folder(&self, rel: &str) -> Result<()> {
        self.remove(rel, AtFlags::REMOVEDIR)
    }

    fn remove(&self, rel: &str, flags: AtFlags) -> Result<()> {
        let gone = self
            .parent_of(rel)
            .and_then(|(fd, name)| fs::unlinkat(&fd, name, flags));
        match gone {
            Ok(()) | Err(Errno::NOENT | Errno::NOTDIR) => Ok(()),
            Err(e) => Err(self.fail("remove", rel, e)),
        }
    }

    /// Writes the small file `rel` so that it is there whole or not at all, and syncs it.
    pub(super) fn publish(&self, rel: &str, content: &[u8]) -> Result<()> {
        let fresh = format!("{rel}{UNFINISHED}");
        let mut file = self.create(&fresh)?;
        file.write_all(content)
            .and_then(|()| file.sync_all())
            .map_err(|e| Error::io("write", self.path.join(&fresh), e))?;
        self.rename(&fresh, rel)?;
        self.sync_folder(parent_and_name(rel).0)
    }

    /// Syncs one file.
    pub(super) fn sync_file(&self, rel: &str) -> Result<()> {
        self.modify(rel)?
            .sync_all()
            .map_err(|e| Error::io("sync", self.path.join(rel), e))
    }

    /// Syncs the names in one folder.
    pub(super) fn sync_folder(&self, rel: &str) -> Result<()> {
        let synced = self
            .beneath(rel, OFlags::RDONLY | OFlags::DIRECTORY)
            .and_then(fs::fsync);
        match synced {
            // fsync(2): EINVAL means that this file system has nothing to sync for a folder.
            Ok(()) | Err(Errno::INVAL) => Ok(()),
            Err(e) => Err(self.fail("sync the folder", rel, e)),
        }
    }

    /// Syncs the whole file system. The handle is older than the run's first write, so the
    /// kernel reports every write error since (syncfs(2), Linux 5.8).
    pub(super) fn sync_all(&self) -> Result<()> {
        fs::syncfs(&*self.held).map_err(|e| self.fail("sync", ".", e))
    }

    /// Reads the folder `rel` entry by entry; the order is the file system's.
    pub(super) fn list(&self, rel: &str) -> Result<impl Iterator<Item = Result<Entry>> + use<>> {
        let fail = {
            let this = self.clone();
            let rel = rel.to_owned();
            move |e| this.fail("list", &rel, e)
        };
        let entries = self
            .beneath(rel, OFlags::RDONLY | OFlags::DIRECTORY)
            .and_then(fs::Dir::new)
            .map_err(&fail)?;
        Ok(entries.filter_map(move |entry| match entry {
            Err(e) => Some(Err(fail(e))),
            Ok(entry) => match entry.file_name().to_bytes() {
                b"." | b".." => None,
                name => Some(Ok(Entry {
                    name: String::from_utf8_lossy(name).into_owned(),
                    utf8: std::str::from_utf8(name).is_ok(),
                    no_folder: !matches!(
                        entry.file_type(),
                        FileType::Directory | FileType::Unknown
                    ),
                })),
            },
        }))
    }
}

/// `a/b/c` is `a/b` and `c`; `c` is `.` and `c`.
pub(super) fn parent_and_name(rel: &str) -> (&str, &str) {
    rel.rsplit_once('/').unwrap_or((".", rel))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    #[test]
    fn nothing_is_written_through_a_planted_link_or_out_of_the_folder() {
        let temp = tempfile::tempdir().unwrap();
        let (inside, outside) = (temp.path().join("in"), temp.path().join("out"));
        std::fs::create_dir_all(&inside).unwrap();
        std::fs::create_dir_all(&outside).unwrap();
        std::fs::write(outside.join("victim"), "as it was").unwrap();
        symlink(&outside, inside.join("folder")).unwrap();
        symlink(outside.join("victim"), inside.join("file")).unwrap();
        symlink("real", inside.join("within")).unwrap();
        std::fs::write(inside.join("real"), "x").unwrap();
        let dir = Dir::open(&inside).unwrap();
        for path in ["folder/new", "file", "within", "../out/new", "/etc/hosts"] {
            let error = dir.create(path).unwrap_err();
            assert_eq!(error.kind(), Kind::Store, "{path}: {error}");
            assert!(dir.stat(path).is_err(), "{path}");
            assert!(dir.read(path).is_err(), "{path}");
        }
        assert!(dir.make("folder/x").is_err());
        assert!(dir.rename("real", "folder/real").is_err());
        assert!(dir.link("real", "folder/real").is_err());
        assert!(dir.unlink("folder/victim").is_err());
        assert_eq!(std::fs::read_dir(&outside).unwrap().count(), 1);
        assert_eq!(
            std::fs::read_to_string(outside.join("victim")).unwrap(),
            "as it was"
        );
    }

    #[test]
    fn folders_are_made_on_the_way_and_a_file_in_the_way_is_an_error() {
        let temp = tempfile::tempdir().unwrap();
        let dir = Dir::open(temp.path()).unwrap();
        dir.make("a/b/c").unwrap();
        dir.make("a/b/c").unwrap();
        assert_eq!(dir.stat("a/b/c").unwrap(), Some(Stands::Folder));
        dir.create("a/file").unwrap();
        assert!(dir.make("a/file").is_err());
        assert!(dir.make("a/file/x").is_err());
        assert_eq!(dir.stat("a/file/x").unwrap(), None);
        assert_eq!(dir.bytes("a/file").unwrap(), Some(0));
    }
}
