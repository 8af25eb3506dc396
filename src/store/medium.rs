//! A stored file read from the medium: not from the memory in which the kernel keeps what was read
//! or written before, where a rotten file is whole for as long as the machine runs.

use super::hash;
use super::marker::MARKER;
use super::reader::Reader;
use crate::error::{Error, Kind, Result};
use crate::object::{Sha256, Timestamp};
use rustix::fs::{Advice, fadvise};
use std::fs::File;
use std::io;
use std::num::NonZeroU64;
use std::os::unix::fs::MetadataExt as _;

/// What was read is given back to the kernel by so much: others' files stay in memory.
const GIVEN_BACK: u64 = 8 << 20;

/// So much of a file is brought before it is read.
const BEGINNING: u64 = 1 << 20;

/// What a file was when it was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reading {
    /// SHA-256 of its bytes.
    pub sha256: Sha256,
    /// How many there are.
    pub bytes: u64,
    /// When it was last written to, by its file system.
    pub written: Timestamp,
    /// How many names it has, where the file system counts them; else 1.
    pub names: u64,
}

/// What came of reading a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Read {
    /// It was read to its end.
    Whole(Reading),
    /// There is no file.
    Missing,
    /// Something else stands there (a link, a device): what.
    Odd(String),
    /// The drive could not read it: why.
    Failed(String),
    /// The reading was ended.
    Ended,
}

/// A file that the drive was told to bring, while others are read.
#[derive(Debug)]
pub struct Ahead(File);

impl Reader {
    /// Has the drive bring the beginning of the file at `path`, which is to be read soon. Small files would
    /// else be waited for one by one. None where that cannot be: whoever reads it says why.
    pub fn ahead(&self, path: &str) -> Option<Ahead> {
        let ahead = self.open_forgotten(path).ok()?;
        fadvise(&ahead.0, 0, NonZeroU64::new(BEGINNING), Advice::WillNeed).ok()?;
        Some(ahead)
    }

    fn open_forgotten(&self, path: &str) -> Result<Ahead> {
        let file = self.open(path)?;
        forget(&file, 0, None);
        Ok(Ahead(file))
    }

    /// Reads the file at `path` from the medium, where it may be on its way already (`ahead`); `each`
    /// hears of every piece's length and says whether to go on.
    ///
    /// The pages that the kernel has of the file are dropped first (posix_fadvise(2),
    /// `POSIX_FADV_DONTNEED`); what keeps them elsewhere (the other end of NFS or SMB, a file system in a
    /// process of its own) is not reached.
    ///
    /// # Errors
    /// [`Kind::Store`] where the drive went away.
    pub fn read_medium(
        &self,
        path: &str,
        ahead: Option<Ahead>,
        each: &mut dyn FnMut(u64) -> bool,
    ) -> Result<Read> {
        let read = match self.stat(path) {
            Ok(None) => Read::Missing,
            Ok(Some(_)) => match ahead.map_or_else(|| self.open_forgotten(path), Ok) {
                Ok(Ahead(file)) => on(&file, each),
                Err(error) => Read::Failed(words(&error)),
            },
            // What stands there is said in our own words; what the system says is its failure to look.
            Err(error) if std::error::Error::source(&error).is_none() => {
                Read::Odd(error.to_string())
            }
            Err(error) => Read::Failed(words(&error)),
        };
        match read {
            Read::Missing | Read::Failed(_) => self.still_has_marker()?,
            Read::Whole(_) | Read::Odd(_) | Read::Ended => {}
        }
        Ok(read)
    }

    /// A drive that was pulled out has no files, and has lost none.
    pub fn still_has_marker(&self) -> Result<()> {
        match self.stat(MARKER) {
            Ok(Some(_)) => Ok(()),
            _ => {
                let what = format!("the store {} went away", self.path().display());
                Err(Error::new(Kind::Store, what)
                    .hint("plug it in, mount it, and run the same command again: it goes on"))
            }
        }
    }
}

/// Reads the file from the medium to its end.
pub(super) fn pour(file: &File, each: &mut dyn FnMut(u64) -> bool) -> Read {
    forget(file, 0, None);
    on(file, each)
}

/// The same with a file of which the kernel holds nothing but what it brought for us.
fn on(file: &File, each: &mut dyn FnMut(u64) -> bool) -> Read {
    let (mut read, mut given_back) = (0, 0);
    let mut ended = false;
    // Twice the usual read-ahead.
    let _ = fadvise(file, 0, None, Advice::Sequential);
    let hashed = hash::pour(file, &mut |piece| {
        read += piece.len() as u64;
        if read - given_back >= GIVEN_BACK {
            forget(file, given_back, NonZeroU64::new(read - given_back));
            given_back = read;
        }
        ended = !each(piece.len() as u64);
        match ended {
            true => Err(io::Error::other("ended")),
            false => Ok(()),
        }
    });
    forget(file, 0, None);
    let (sha256, bytes) = match hashed {
        Ok(hashed) => hashed,
        Err(_) if ended => return Read::Ended,
        Err(error) => return Read::Failed(error.to_string()),
    };
    match file.metadata() {
        Ok(told) => Read::Whole(Reading {
            sha256,
            bytes,
            written: Timestamp::from_second(told.mtime()).unwrap_or_default(),
            names: told.nlink(),
        }),
        Err(error) => Read::Failed(error.to_string()),
    }
}

/// Drops what the kernel holds of a part of the file. What it does not drop is read from memory: there
/// is no other way to ask for it that every file system has.
fn forget(file: &File, from: u64, bytes: Option<NonZeroU64>) {
    if let Err(error) = fadvise(file, from, bytes, Advice::DontNeed) {
        log::debug!("its pages may stay in memory: {error}");
    }
}

/// An error with what the system said.
fn words(error: &Error) -> String {
    match std::error::Error::source(error) {
        Some(source) => format!("{error}: {source}"),
        None => error.to_string(),
    }
}
