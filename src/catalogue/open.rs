//! Opening and closing the database file: pragmas, schema versions, read-only drives.

use super::{Catalogue, REBUILD, fault};
use crate::error::{Error, Kind, Result};
use rusqlite::config::DbConfig;
use rusqlite::types::Value;
use rusqlite::{Connection, OpenFlags, OptionalExtension as _, TransactionBehavior};
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// `PRAGMA application_id`: "offs" in ASCII, which `file(1)` shows.
const APPLICATION_ID: i64 = 0x6f66_6673;

/// What turns the schema of version n (the position here) into that of n + 1. A released entry
/// is never changed.
const MIGRATIONS: [&str; 7] = [
    include_str!("schema.sql"),
    include_str!("keys.sql"),
    include_str!("listing.sql"),
    include_str!("content.sql"),
    include_str!("watch.sql"),
    include_str!("lock.sql"),
    include_str!("care.sql"),
];

/// How long to wait for another program that has the file locked.
const BUSY: Duration = Duration::from_secs(10);

/// How SQLite keeps a transaction whole; which one fits is a property of the file system.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JournalMode {
    /// A write-ahead log: ext4, xfs, btrfs, f2fs. It needs shared memory, which the others lack
    /// (<https://sqlite.org/wal.html>).
    Wal,
    /// A rollback journal that stays beside the database: exFAT, NTFS, NFS, SMB.
    Persist,
    /// As [`JournalMode::Persist`], where SQLite's locks do not work: on an SMB mount without
    /// `nobrl` the first write finds the database locked, by its own lock for reading (Linux 6.12,
    /// Samba 4.17). The file is locked for writing at once and for as long as it is open, so that
    /// nobody reads beside a writer (`unix-excl`, <https://sqlite.org/vfs.html>).
    Alone,
    /// Nothing is kept for a crash and nothing is synced: for a database that nobody knows
    /// before it is whole and synced.
    Memory,
}

impl JournalMode {
    fn word(self) -> &'static str {
        match self {
            Self::Wal => "wal",
            Self::Persist | Self::Alone => "persist",
            Self::Memory => "memory",
        }
    }

    /// `PRAGMA synchronous`, and how it reads back.
    fn synchronous(self) -> (&'static str, &'static str) {
        match self {
            Self::Wal | Self::Persist | Self::Alone => ("FULL", "2"),
            Self::Memory => ("OFF", "0"),
        }
    }

    /// How SQLite reaches the file system.
    fn vfs(self) -> &'static str {
        match self {
            Self::Alone => "unix-excl",
            Self::Wal | Self::Persist | Self::Memory => "unix",
        }
    }
}

/// What is set for everybody, and how it reads back.
const PRAGMAS: [(&str, &str, &str); 5] = [
    // A drive that goes away under a mapping kills the process (SIGBUS) where a read would fail.
    ("mmap_size", "0", "0"),
    ("temp_store", "MEMORY", "2"),
    // In KiB when negative (<https://sqlite.org/pragma.html#pragma_cache_size>). Listings and the
    // catalogue are in the same order, so that more would be memory that grows to no use.
    ("cache_size", "-1024", "-1024"),
    // The file may come from anybody's drive.
    ("trusted_schema", "OFF", "0"),
    ("foreign_keys", "ON", "1"),
];

impl Catalogue {
    /// Opens the catalogue at `path` for writing; makes it where there is none, and brings an
    /// older schema up to date.
    ///
    /// [`Kind::Store`] where the file system refuses a setting (the error names it), where a
    /// newer program wrote the file, or where it is no catalogue; [`Kind::Damaged`] where it
    /// cannot be read.
    pub fn create_or_open(path: &Path, mode: JournalMode) -> Result<Self> {
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE
            | OpenFlags::SQLITE_OPEN_CREATE
            | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let mut db = Connection::open_with_flags_and_vfs(path, flags, mode.vfs())
            .map_err(|e| fault(path, e))?;
        set_up(&db, path)?;
        // Before anything is written: a foreign or newer file stays as it is.
        schema_version(&db, path)?;
        set(&db, path, "journal_mode", mode.word(), mode.word())?;
        let (synchronous, reads) = mode.synchronous();
        set(&db, path, "synchronous", synchronous, reads)?;
        // What a big transaction leaves of the log or journal is cut to 4 MiB.
        set(&db, path, "journal_size_limit", "4194304", "4194304")?;
        migrate(&mut db, path)?;
        // Only `close` empties and removes the log: a connection that is dropped because the
        // drive went away must not remove what another drive has under the same path.
        db.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)
            .map_err(|e| fault(path, e))?;
        let alone = mode == JournalMode::Alone;
        Ok(Self {
            alone,
            ..Self::of(db, path, None)
        })
    }

    /// An empty catalogue in the temporary folder, for as long as it is used.
    pub fn temporary() -> Result<Self> {
        let folder = temporary_folder()?;
        let path = folder.path().join("catalogue.db");
        let mut catalogue = Self::create_or_open(&path, JournalMode::Memory)?;
        catalogue._copy = Some(folder);
        Ok(catalogue)
    }

    /// One more connection for reading, beside this one that writes.
    pub fn beside(&self) -> Result<Self> {
        if !self.alone {
            return Self::open_read(&self.path);
        }
        // Opened as the first one was, or SQLite would ask for locks of its own
        // (`unixFileLock` in os_unix.c).
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let vfs = JournalMode::Alone.vfs();
        let db = Connection::open_with_flags_and_vfs(&self.path, flags, vfs)
            .map_err(|e| fault(&self.path, e))?;
        reader(db, &self.path, None)
    }

    /// Opens the catalogue at `path` for reading; works on a read-only mount too.
    ///
    /// Where it cannot be opened in place and a log or journal lies beside it (the drive was
    /// pulled out in the middle of a run), all of it is copied to the temporary folder and the
    /// copy is opened; so is a copy of one that an older program wrote, brought up to date.
    /// [`Kind::Damaged`] where it is not there or cannot be read.
    pub fn open_read(path: &Path) -> Result<Self> {
        match path.try_exists() {
            Ok(true) => {}
            Ok(false) => {
                return Err(no_catalogue(path));
            }
            Err(e) => return Err(Error::io("read", path, e)),
        }
        let opened = match read_only(path, path, "") {
            Err(e) if e.kind() != Kind::Damaged && e.kind() != Kind::Locked => {
                log::debug!("{e}: not in place, then");
                if beside(path).any(|(_, file)| file.metadata().is_ok_and(|m| m.len() > 0)) {
                    open_copy(path)
                } else {
                    // Nothing is pending beside it, and a writer would have a log or journal there:
                    // the file stands still, and is read as it is.
                    read_only(path, path, "immutable=1")
                }
            }
            other => other,
        }?;
        if schema_version(&opened.db, path)? < MIGRATIONS.len() {
            drop(opened);
            return open_copy(path);
        }
        Ok(opened)
    }

    /// Closes the catalogue so that the one file is all of it: the log is emptied and the
    /// journal mode is `DELETE` until the next writer comes. A database left in WAL mode could
    /// not be opened with `sqlite3` on a read-only mount.
    ///
    /// What another program that reads right now prevents is left for the next time.
    pub fn close(self) -> Result<()> {
        let Self { db, path, .. } = self;
        if !db.is_readonly("main").map_err(|e| fault(&path, e))? {
            let busy: i64 = db
                .query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get(0))
                .map_err(|e| fault(&path, e))?;
            let left = db.query_row("PRAGMA journal_mode=DELETE", [], |row| {
                row.get::<_, String>(0)
            });
            if busy != 0 || left.as_deref() != Ok("delete") {
                log::debug!("the catalogue's log stays: another program reads it ({left:?})");
            }
        }
        db.close().map_err(|(_, e)| fault(&path, e))
    }

    fn of(db: Connection, path: &Path, copy: Option<tempfile::TempDir>) -> Self {
        Self {
            db,
            path: path.to_owned(),
            alone: false,
            _copy: copy,
        }
    }
}

/// What to say where the catalogue is not there, and the journals are.
pub fn no_catalogue(path: &Path) -> Error {
    let what = format!("there is no catalogue {}", path.display());
    Error::new(Kind::Damaged, what).hint(REBUILD)
}

/// Opens `file` read-only, on behalf of the catalogue at `path`.
fn read_only(file: &Path, path: &Path, query: &str) -> Result<Catalogue> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY
        | OpenFlags::SQLITE_OPEN_NO_MUTEX
        | OpenFlags::SQLITE_OPEN_URI;
    let db = Connection::open_with_flags(uri(file, query), flags).map_err(|e| fault(path, e))?;
    reader(db, path, None)
}

/// Opens a copy that nobody writes to. Nothing else is tried: one that needs more is no good.
pub(super) fn glance(path: &Path) -> Result<Catalogue> {
    read_only(path, path, "immutable=1")
}

/// Makes a connection a reader's, after a first look at the file.
fn reader(db: Connection, path: &Path, copy: Option<tempfile::TempDir>) -> Result<Catalogue> {
    set_up(&db, path)?;
    set(&db, path, "query_only", "ON", "1")?;
    // SQLite opens the file at the first statement that needs it.
    if schema_version(&db, path)? == 0 {
        return Err(Error::new(
            Kind::Damaged,
            format!("the catalogue {} is empty", path.display()),
        )
        .hint(REBUILD));
    }
    Ok(Catalogue::of(db, path, copy))
}

fn temporary_folder() -> Result<tempfile::TempDir> {
    tempfile::tempdir().map_err(|e| {
        Error::io("make a folder in", std::env::temp_dir(), e)
            .hint("set TMPDIR to a folder that can be written to")
    })
}

/// Copies the catalogue and what lies beside it to a temporary folder, and opens that.
fn open_copy(path: &Path) -> Result<Catalogue> {
    let folder = temporary_folder()?;
    let copy = folder.path().join("catalogue.db");
    let parts = beside(path).chain([("", path.to_owned())]);
    for (suffix, from) in parts {
        match std::fs::copy(&from, with_suffix(&copy, suffix)) {
            Ok(_) => {}
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => {}
            Err(e) => {
                return Err(Error::io("copy", from, e).hint(
                    "the catalogue is copied to the temporary folder to be read: \
                     set TMPDIR to a folder with room for it",
                ));
            }
        }
    }
    // Writable, because SQLite finishes or undoes the interrupted transaction first.
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let mut db = Connection::open_with_flags(&copy, flags).map_err(|e| fault(path, e))?;
    // Before anything is done to it: the file may come from anybody's drive.
    set_up(&db, path)?;
    if schema_version(&db, path)? > 0 {
        migrate(&mut db, path)?;
    }
    reader(db, path, Some(folder))
}

/// The files that SQLite keeps beside a database and that belong to its content.
fn beside(path: &Path) -> impl Iterator<Item = (&'static str, PathBuf)> {
    ["-wal", "-journal"]
        .map(|suffix| (suffix, with_suffix(path, suffix)))
        .into_iter()
}

fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(suffix);
    name.into()
}

/// What a path in a URI may not hold as it is.
const IN_PATH: percent_encoding::AsciiSet = percent_encoding::NON_ALPHANUMERIC.remove(b'/');

/// `path` as a `file:` URI (RFC 3986) with a query, the only way to say `immutable=1`.
fn uri(path: &Path, query: &str) -> String {
    use std::os::unix::ffi::OsStrExt as _;
    let absolute = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let path = percent_encoding::percent_encode(absolute.as_os_str().as_bytes(), &IN_PATH);
    format!("file://{path}?{query}")
}

/// The settings of every connection.
fn set_up(db: &Connection, path: &Path) -> Result<()> {
    // Every statement of the program stays prepared.
    db.set_prepared_statement_cache_capacity(64);
    db.busy_timeout(BUSY).map_err(|e| fault(path, e))?;
    for (name, value, reads) in PRAGMAS {
        set(db, path, name, value, reads)?;
    }
    Ok(())
}

/// Sets one pragma and reads it back: a pragma that is refused says nothing by itself.
pub(super) fn set(
    db: &Connection,
    path: &Path,
    name: &str,
    value: &str,
    reads: &str,
) -> Result<()> {
    db.execute_batch(&format!("PRAGMA {name}={value}"))
        .map_err(|e| fault(path, e))?;
    let now = match pragma(db, path, name)? {
        Value::Integer(number) => number.to_string(),
        Value::Text(text) => text,
        other => format!("{other:?}"),
    };
    if now == reads {
        return Ok(());
    }
    Err(Error::new(
        Kind::Store,
        format!(
            "the catalogue {}: PRAGMA {name}={value} was refused, it stays {now:?}",
            path.display()
        ),
    )
    .hint("the file system cannot hold the catalogue safely: check how the drive is mounted"))
}

fn pragma(db: &Connection, path: &Path, name: &str) -> Result<Value> {
    db.query_row(&format!("PRAGMA {name}"), [], |row| row.get(0))
        .optional()
        .map(|value| value.unwrap_or(Value::Null))
        .map_err(|e| fault(path, e))
}

fn pragma_number(db: &Connection, path: &Path, name: &str) -> Result<i64> {
    match pragma(db, path, name)? {
        Value::Integer(number) => Ok(number),
        _ => Ok(0),
    }
}

/// The schema's version: 0 for a new file. Refuses what is not ours or newer than we are.
fn schema_version(db: &Connection, path: &Path) -> Result<usize> {
    let version = pragma_number(db, path, "user_version")?;
    let tables: i64 = db
        .query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))
        .map_err(|e| fault(path, e))?;
    if (version != 0 || tables != 0) && pragma_number(db, path, "application_id")? != APPLICATION_ID
    {
        return Err(Error::new(
            Kind::Damaged,
            format!("{} is not a catalogue of offsite", path.display()),
        )
        .hint(REBUILD));
    }
    let newest = MIGRATIONS.len();
    match usize::try_from(version) {
        Ok(version) if version <= newest => Ok(version),
        _ => Err(Error::new(
            Kind::Store,
            format!(
                "the catalogue {} has schema version {version}, and this program knows {newest}: \
                 a newer offsite wrote it",
                path.display()
            ),
        )
        .hint("install that version of offsite (or a later one) here")),
    }
}

/// Brings the schema to the newest version, all or nothing.
fn migrate(db: &mut Connection, path: &Path) -> Result<()> {
    let fault = |e| fault(path, e);
    let tx = db
        .transaction_with_behavior(TransactionBehavior::Immediate)
        .map_err(fault)?;
    let found = schema_version(&tx, path)?;
    if found < MIGRATIONS.len() {
        for step in MIGRATIONS.iter().skip(found) {
            tx.execute_batch(step).map_err(fault)?;
        }
        tx.pragma_update(None, "application_id", APPLICATION_ID)
            .and_then(|()| tx.pragma_update(None, "user_version", MIGRATIONS.len().to_string()))
            .map_err(fault)?;
    }
    tx.commit().map_err(fault)
}
