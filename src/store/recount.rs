//! `SHA256SUMS` and `history.SHA256SUMS` read from end to end, and written anew: only for a
//! rebuild, which holds every line against the journal and the drive.

use super::dir::{Dir, Stands};
use super::names;
use super::place::{Placed, SourceStore};
use super::reader::{Area, Reader};
use super::sums::{self, file_of};
use crate::error::{Error, Result};
use crate::object::{Fact, Identity, JournalPosition, Record, Sha256, Timestamp};
use std::fs::File;
use std::io::{BufRead as _, BufReader, BufWriter, Read as _, Write as _};

/// A line is at most a path long; what is longer is not ours.
const LONGEST: u64 = 1 << 16;

/// One line of the sums that is no comment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SumsLine {
    /// A file and its digest.
    File {
        /// Where the line begins, in bytes.
        at: u64,
        /// The file, relative to the source's folder.
        path: String,
        /// SHA-256 of its bytes.
        sha256: Sha256,
    },
    /// No line that offsite or `sha256sum` writes.
    Strange {
        /// Where it begins, in bytes.
        at: u64,
    },
}

impl SourceStore {
    /// An area's sums to read, comments left out; none where there are none.
    pub fn sums(&self, area: Area) -> Result<Option<SumsReader>> {
        SumsReader::open(&self.drive.dir, area)
    }

    /// Whether the line that begins at `at` is that of `path`.
    pub fn sums_list(&self, path: &str, at: u64) -> Result<bool> {
        sums::lists(&self.drive.dir, path, at)
    }

    /// Begins an area's sums anew; the old ones stay until [`SumsWriter::publish`].
    pub fn new_sums(&self, area: Area) -> Result<Option<SumsWriter>> {
        let dir = self.drive.dir.clone();
        let Some(name) = name_of(area) else {
            return Ok(None);
        };
        let file = BufWriter::new(dir.create(&fresh(name))?);
        Ok(Some(SumsWriter {
            dir,
            name,
            file,
            end: 0,
        }))
    }

    /// What the drive tells of the file at `path`: its length, and the bucket's time as its name
    /// in `history/` has it, else when it was last written.
    pub fn told_of(&self, path: &str) -> Result<Option<(u64, Timestamp)>> {
        told_of(&self.drive.dir, path)
    }
}

fn told_of(dir: &Dir, path: &str) -> Result<Option<(u64, Timestamp)>> {
    let Some(Stands::File { bytes, mtime }) = dir.stat(path)? else {
        return Ok(None);
    };
    let written = Timestamp::from_second(mtime).unwrap_or_default();
    Ok(Some((bytes, names::time_of(path).unwrap_or(written))))
}

impl Reader {
    /// Hands every file of an area's sums that is there to `each`, as if the journal went on behind
    /// `after` with it: for a catalogue of a drive that has lost its journal. Nothing is written, and
    /// no file is read; whoever delivers it does.
    pub fn vouched(
        &self,
        area: Area,
        mut after: JournalPosition,
        now: Timestamp,
        each: &mut dyn FnMut(&str, &Placed) -> Result<()>,
    ) -> Result<JournalPosition> {
        let dir = self.dir.sub(after.source.as_str())?;
        let Some(mut lines) = SumsReader::open(&dir, area)? else {
            return Ok(after);
        };
        while let Some(line) = lines.next_line()? {
            let SumsLine::File { at, path, sha256 } = line else {
                continue;
            };
            let (Ok(key), Ok(Some((size, last_modified)))) =
                (names::key_of(&path), told_of(&dir, &path))
            else {
                continue;
            };
            let fact = Fact::Adopted {
                key,
                identity: Identity {
                    version_id: None,
                    etag: String::new(),
                    size,
                    last_modified,
                },
                sha256,
                path: path.clone(),
                sums_at: at,
                names: Vec::new(),
                at: now,
            };
            after.offset += 1;
            let placed = Placed::said(vec![Record::Fact(fact)], after.clone());
            each(&path, &placed)?;
        }
        Ok(after)
    }
}

/// Sums that are being read, line by line.
#[derive(Debug)]
pub struct SumsReader {
    dir: Dir,
    area: Area,
    name: &'static str,
    file: BufReader<File>,
    at: u64,
}

impl SumsReader {
    fn open(dir: &Dir, area: Area) -> Result<Option<Self>> {
        let dir = dir.clone();
        let Some(name) = name_of(area) else {
            return Ok(None);
        };
        if dir.bytes(name)?.is_none() {
            return Ok(None);
        }
        let file = BufReader::new(dir.read(name)?);
        Ok(Some(Self {
            dir,
            area,
            name,
            file,
            at: 0,
        }))
    }

    /// The file's name in the source's folder.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// The next line; none at the end.
    pub fn next_line(&mut self) -> Result<Option<SumsLine>> {
        loop {
            let mut line = Vec::new();
            let n = (&mut self.file)
                .take(LONGEST)
                .read_until(b'\n', &mut line)
                .map_err(|e| Error::io("read", self.dir.path().join(self.name), e))?;
            if n == 0 {
                return Ok(None);
            }
            let at = self.at;
            self.at += n as u64;
            if !line.starts_with(b"#") {
                return Ok(Some(parse(&line, self.area, at)));
            }
        }
    }
}

/// Sums that are being written anew.
#[derive(Debug)]
pub struct SumsWriter {
    dir: Dir,
    name: &'static str,
    file: BufWriter<File>,
    end: u64,
}

impl SumsWriter {
    /// Adds a line; says where it begins, in bytes.
    pub fn add(&mut self, path: &str, sha256: Sha256) -> Result<u64> {
        let (at, line) = (self.end, sums::line(Some(sha256), path));
        self.file
            .write_all(line.as_bytes())
            .map_err(|e| Error::io("write", self.dir.path().join(fresh(self.name)), e))?;
        self.end += line.len() as u64;
        Ok(at)
    }

    /// Syncs them and puts them in the place of the old ones; says what they are called.
    pub fn publish(self) -> Result<&'static str> {
        let fresh = fresh(self.name);
        self.file
            .into_inner()
            .map_err(std::io::IntoInnerError::into_error)
            .and_then(|file| file.sync_all())
            .map_err(|e| Error::io("write", self.dir.path().join(&fresh), e))?;
        self.dir.rename(&fresh, self.name)?;
        self.dir.sync_folder(".")?;
        Ok(self.name)
    }
}

fn name_of(area: Area) -> Option<&'static str> {
    file_of(&format!("{}/", area.as_str()))
}

fn fresh(name: &str) -> String {
    format!("{name}.new")
}

fn parse(line: &[u8], area: Area, at: u64) -> SumsLine {
    let read = || {
        let text = std::str::from_utf8(line).ok()?.strip_suffix('\n')?;
        // Two spaces, or a space and an asterisk: as text or as bytes, which is one on Linux.
        let (digest, path) = text.split_once("  ").or_else(|| text.split_once(" *"))?;
        let below = path.strip_prefix(area.as_str())?.strip_prefix('/')?;
        let sha256 = Sha256::from_hex(digest).filter(|_| !below.is_empty())?;
        let path = path.to_owned();
        Some(SumsLine::File { at, path, sha256 })
    };
    read().unwrap_or(SumsLine::Strange { at })
}
