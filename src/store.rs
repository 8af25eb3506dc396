//! The drive: the guard before every write, names, downloads in progress, the journal, placing.
//!
//! Everything goes through a directory handle that is held from the guard's last look to the end
//! of the run (`dir`), so a drive that is unmounted in between is an error and never a full SD
//! card. Bytes get a name in one way only (`place`). This room knows no catalogue: it takes
//! proven bytes and gives back [`Placed`], which is what the catalogue records.

mod abreast;
mod carry;
mod chain;
mod copied;
mod dir;
mod follow;
mod foreign;
mod guard;
mod hash;
mod incoming;
mod index;
mod journal;
mod lock;
mod marker;
mod medium;
mod mounts;
pub mod names;
mod payload;
mod place;
mod plan;
mod probe;
mod reader;
mod readme;
mod rebind;
mod recount;
mod salvage;
mod sums;
mod target;
#[cfg(test)]
mod tests;
mod touched;
mod waiting;
mod whole;

pub use copied::{Copying, Uncopied};
pub use foreign::{Foreign, Met, Original, Taking, Untaken};
pub use incoming::{Incoming, Staging};
pub use lock::{Manner, Waits};
pub use marker::{Facts, MARKER, Marker};
pub use medium::{Ahead, Read, Reading};
pub use names::{NamingRule, Spelling};
pub use place::{Entry, Held, Placed, SourceStore, Standing};
pub use reader::{Area, Break, ChainReport, Lies, Reader};
pub use recount::{SumsLine, SumsReader, SumsWriter};
pub use salvage::Salvaged;
pub use target::{Bringing, Found, Target, Unbrought, Wanted};
pub use waiting::Waiting;
pub use whole::Whole;

use crate::error::{Error, Kind, Result};
use crate::object::{Clock, SourceName, Timestamp};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// The catalogue's name at the root of the store.
pub const CATALOGUE: &str = "catalogue.db";

/// What `init` is allowed to do, and what it cannot know by itself.
pub struct InitOptions<'a> {
    /// Whether the store may be on the file system of `/`.
    pub allow_root_fs: bool,
    /// The time for the marker.
    pub now: Timestamp,
    /// Whether SQLite's locks work for a database at this path. It may make files in that path's
    /// folder; they are removed.
    pub probe_sqlite: &'a dyn Fn(&Path) -> bool,
}

/// What the configuration says about the store.
#[derive(Clone, Debug)]
pub struct Expect {
    /// The store's id.
    pub store_id: Option<String>,
    /// Whether it may be on the file system of `/`.
    pub allow_root_fs: bool,
    /// Bytes that stay free on the drive.
    pub min_free: u64,
    /// Our clock.
    pub clock: Clock,
    /// How the lock is taken.
    pub manner: Manner,
}

/// The space on the drive, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Room {
    /// All of it.
    pub total: u64,
    /// What we may still use.
    pub free: u64,
}

/// The drive's space, and how much of it stays free.
#[derive(Clone, Debug)]
pub struct Space {
    dir: dir::Dir,
    min_free: u64,
    promised: Arc<AtomicU64>,
}

impl Space {
    /// Sets room for `bytes` more aside until the answer is dropped; [`Kind::Store`] if that does
    /// not leave as much free as the configuration asks. What one transfer was promised, another
    /// at its side cannot have.
    pub fn reserve(&self, bytes: u64) -> Result<Reserved> {
        let before = self.promised.fetch_add(bytes, Ordering::SeqCst);
        let reserved = Reserved {
            promised: Arc::clone(&self.promised),
            bytes,
        };
        guard::check_room(&self.dir, before.saturating_add(bytes), self.min_free)?;
        Ok(reserved)
    }

    /// The bytes that are free and need not stay free, as far as they are not set aside.
    pub fn room(&self) -> Result<u64> {
        let promised = self.promised.load(Ordering::SeqCst);
        let free = probe::space(&self.dir)?.1;
        Ok(free.saturating_sub(self.min_free).saturating_sub(promised))
    }
}

/// Room on the drive that is set aside.
#[derive(Debug)]
pub struct Reserved {
    promised: Arc<AtomicU64>,
    bytes: u64,
}

impl Drop for Reserved {
    fn drop(&mut self) {
        self.promised.fetch_sub(self.bytes, Ordering::SeqCst);
    }
}

/// A store, open to write: the guard has passed and the lock is held.
#[derive(Debug)]
pub struct Store {
    reader: Reader,
    min_free: u64,
    clock: Clock,
    lock: Arc<lock::Lock>,
}

impl Store {
    /// Makes `dir` a store: probes the drive, writes `README.txt` and the marker. A folder that
    /// is a store already is left exactly as it is.
    ///
    /// Errors are [`Kind::Store`]: FAT, the root file system unless allowed, a folder that is not
    /// empty, a path that leaves too little room for names, a drive that cannot be written.
    pub fn init(dir: &Path, options: &InitOptions<'_>) -> Result<Marker> {
        guard::init(dir, None, options)
    }

    /// The same for a mirror of the store with the id `of`, which its marker names.
    pub fn init_mirror(dir: &Path, of: &str, options: &InitOptions<'_>) -> Result<Marker> {
        guard::init(dir, Some(of), options)
    }

    /// Opens the store in `dir` to write, if it is there, is the expected one, can be written,
    /// has room, and nobody else writes to it ([`Kind::Locked`] names who does). Whoever gives way is
    /// waited for, if that is the manner.
    pub fn open(dir: &Path, expect: &Expect) -> Result<Self> {
        let (dir, marker, lock) = guard::open(dir, expect)?;
        Ok(Self {
            reader: Reader { dir, marker },
            min_free: expect.min_free,
            clock: expect.clock.clone(),
            lock: Arc::new(lock),
        })
    }

    /// Opens the store in `dir` to read; takes no lock and writes nothing.
    pub fn open_read(dir: &Path) -> Result<Reader> {
        let (dir, marker) = guard::marked(dir)?;
        Ok(Reader { dir, marker })
    }

    /// Gives way no more, where it was opened to do so: who waits is told that it is in use.
    pub fn keep(&self) {
        self.lock.keep();
    }

    /// The same store, to read.
    pub fn reader(&self) -> &Reader {
        &self.reader
    }

    /// What the store says about itself.
    pub fn marker(&self) -> &Marker {
        &self.reader.marker
    }

    /// How keys become names here.
    pub fn naming(&self) -> NamingRule {
        self.reader.marker.naming
    }

    /// Where the store is.
    pub fn path(&self) -> &Path {
        self.reader.path()
    }

    /// The catalogue's file, whether or not it is there.
    pub fn catalogue_path(&self) -> PathBuf {
        self.reader.catalogue_path()
    }

    /// Whether the store's path still leads to the folder that is held. The catalogue is opened
    /// by its path, so ask before that.
    pub fn still_there(&self) -> Result<()> {
        let path = self.path();
        let held = rustix::fs::fstat(self.reader.dir.handle());
        let there = rustix::fs::stat(path);
        match (held, there) {
            (Ok(held), Ok(there)) if (held.st_dev, held.st_ino) == (there.st_dev, there.st_ino) => {
                Ok(())
            }
            _ => Err(Error::new(
                Kind::Store,
                format!(
                    "{} is not the drive it was: it was unmounted or replaced",
                    path.display()
                ),
            )
            .hint("check the cable and the power of the drive, mount it, and run again")),
        }
    }

    /// The space on the drive.
    pub fn room(&self) -> Result<Room> {
        let (total, free) = probe::space(&self.reader.dir)?;
        Ok(Room { total, free })
    }

    /// From now on [`Store::space`] leaves so many bytes free.
    pub fn keep_free(&mut self, bytes: u64) {
        self.min_free = bytes;
    }

    /// The drive's space, to be asked about from any thread.
    pub fn space(&self) -> Space {
        Space {
            dir: self.reader.dir.clone(),
            min_free: self.min_free,
            promised: Arc::default(),
        }
    }

    /// Opens a source's folder to write, makes it if need be, and finishes what a crash left.
    /// `program` is the program's version, for the journal.
    pub fn source(&self, name: &SourceName, program: &str) -> Result<SourceStore> {
        SourceStore::open(self.drive(name)?, name, program, Arc::clone(&self.lock))
    }

    /// The same for a rebuild, also where the journal's end is damaged.
    pub fn damaged_source(&self, name: &SourceName, program: &str) -> Result<SourceStore> {
        SourceStore::open_damaged(self.drive(name)?, name, program, Arc::clone(&self.lock))
    }

    fn drive(&self, name: &SourceName) -> Result<carry::Drive> {
        let dir = &self.reader.dir;
        if dir.stat(name.as_str())?.is_none() {
            dir.make(name.as_str())?;
            dir.sync_folder(".")?;
        }
        let facts = &self.reader.marker.facts;
        Ok(carry::Drive {
            dir: dir.sub(name.as_str())?,
            rule: self.naming(),
            hard_links: facts.hard_links,
            syncfs: facts.syncfs,
            clock: self.clock.clone(),
            #[cfg(test)]
            fuse: std::sync::Arc::new((-1).into()),
        })
    }
}
