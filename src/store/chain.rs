//! The form of a journal file, read forwards, one group in memory at a time.

use super::dir::Dir;
use super::hash;
use super::journal::FOLDER;
use crate::error::{Error, Kind, Result};
use crate::object::{JournalPosition, Record, Sha256, SourceName, Timestamp};
use serde::{Deserialize, Serialize};
use std::fs::File;
use std::io::{BufRead as _, BufReader, Read as _, Seek as _, SeekFrom};
use std::path::PathBuf;

/// The head before the first group of all.
pub(super) const START: Sha256 = Sha256([0; 32]);

/// The longest group that is written or read, in bytes: it is held in memory.
pub(super) const LONGEST_GROUP: u64 = 16 << 20;

const FORMAT: u32 = 1;

const NEWER: &str = "a newer offsite wrote it: update offsite on this computer";

const NO_HEADER: &str = "it has no header";
const NO_FOLLOWER: &str = "it does not follow the file before: one was edited, or one is missing";

/// The first line of a file.
#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "t", rename = "journal")]
pub(super) struct Header {
    format: u32,
    run: u64,
    source: SourceName,
    program: String,
    at: Timestamp,
    /// The head at the end of the file before.
    prev: Sha256,
}

impl Header {
    pub(super) fn new(run: u64, after: &JournalPosition, program: &str, at: Timestamp) -> Self {
        Self {
            format: FORMAT,
            run,
            source: after.source.clone(),
            program: program.to_owned(),
            at,
            prev: after.head,
        }
    }
}

/// The last line of a group.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "t", rename = "group")]
pub(super) struct Trailer {
    /// Records in the group.
    n: usize,
    /// Bytes of the group, the header included, the trailer not.
    pub(super) bytes: u64,
    pub(super) head: Sha256,
}

impl Trailer {
    pub(super) fn new(n: usize, bytes: usize, head: Sha256) -> Self {
        Self {
            n,
            bytes: bytes as u64,
            head,
        }
    }

    /// The trailer that `line` (without its newline) is, if it is one.
    pub(super) fn parse(line: &[u8]) -> Option<Self> {
        if !line.starts_with(br#"{"t":"group","#) {
            return None;
        }
        serde_json::from_slice(line).ok()
    }
}

/// One line of JSON.
pub(super) fn line(value: &impl Serialize) -> Result<String> {
    let mut text = serde_json::to_string(value)
        .map_err(|e| Error::new(Kind::Run, "cannot write a journal line").because(e))?;
    text.push('\n');
    Ok(text)
}

/// The head after a group of these bytes.
pub(super) fn next(head: &Sha256, group: &[u8]) -> Sha256 {
    hash::of(&[&head.0, group])
}

/// A whole group, its place in the chain checked.
#[derive(Debug)]
pub(super) struct Group {
    pub(super) records: Vec<Record>,
    run: u64,
    /// The byte after its trailer.
    pub(super) end: u64,
    pub(super) head: Sha256,
}

impl Group {
    pub(super) fn position(&self, source: &SourceName) -> JournalPosition {
        JournalPosition {
            source: source.clone(),
            run: self.run,
            offset: self.end,
            head: self.head,
        }
    }
}

/// A place where the journal is not what it was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Bad {
    pub(super) file: PathBuf,
    /// Where the group begins that is bad.
    pub(super) at: u64,
    pub(super) why: String,
    /// Whether this is what a power cut leaves of the file's last group: nothing whole follows.
    pub(super) torn: bool,
    /// Whether it is no damage: a newer program wrote it.
    pub(super) newer: bool,
}

impl Bad {
    pub(super) fn damage(&self) -> Error {
        Error::new(
            Kind::Damaged,
            format!(
                "the journal {} is damaged at byte {}: {}",
                self.file.display(),
                self.at,
                self.why
            ),
        )
        .hint("`offsite log --verify` says how far it is whole; the files in latest/ and history/ are not affected. Put back a copy of the journal if you have one")
    }
}

/// What comes next in a file.
#[derive(Debug)]
pub(super) enum Found {
    Group(Group),
    End,
    Bad(Bad),
}

/// Reads the groups of one file after the other and keeps the chain's head.
#[derive(Debug)]
pub(super) struct Chain {
    dir: Dir,
    head: Sha256,
    run: u64,
    name: String,
    at: u64,
    file: Option<BufReader<File>>,
}

impl Chain {
    /// A chain that stands at `head`.
    pub(super) fn new(dir: &Dir, head: Sha256) -> Self {
        Self {
            dir: dir.clone(),
            head,
            run: 0,
            name: String::new(),
            at: 0,
            file: None,
        }
    }

    /// Goes on in the file `name` of run `run`, from byte `at`.
    pub(super) fn open(&mut self, run: u64, name: &str, at: u64) -> Result<()> {
        let mut file = self.dir.read(name)?;
        file.seek(SeekFrom::Start(at))
            .map_err(|e| Error::io("read", self.dir.path().join(name), e))?;
        self.run = run;
        name.clone_into(&mut self.name);
        self.at = at;
        self.file = Some(BufReader::with_capacity(1 << 16, file));
        Ok(())
    }

    /// The head after the last group that was read.
    pub(super) fn head(&self) -> Sha256 {
        self.head
    }

    /// Whether the file `name` of run `run` is not one that follows here, by its first line.
    pub(super) fn follows(&mut self, run: u64, name: &str) -> Result<Option<Bad>> {
        let (why, torn) = match before(&self.dir, name)? {
            // A file that a power cut kept from being begun has nothing, or zeros.
            None => (NO_HEADER, true),
            Some(head) if head != self.head => (NO_FOLLOWER, false),
            Some(_) => return Ok(None),
        };
        self.run = run;
        name.clone_into(&mut self.name);
        self.at = 0;
        Ok(Some(self.place(why, torn)))
    }

    /// The byte where the next group begins.
    pub(super) fn at(&self) -> u64 {
        self.at
    }

    /// The next group of the open file.
    pub(super) fn next(&mut self) -> Result<Found> {
        let mut group = Vec::new();
        loop {
            let line = group.len();
            let read = self.line(&mut group)?;
            let whole = group.ends_with(b"\n") && read > 0;
            if !whole && group.len() as u64 <= LONGEST_GROUP {
                return Ok(if group.is_empty() {
                    Found::End
                } else {
                    self.bad("its last group is not finished", true)
                });
            }
            if group.len() as u64 > LONGEST_GROUP {
                return Ok(self.bad("a group without an end", false));
            }
            let last = group.get(line..group.len() - 1).unwrap_or_default();
            if let Some(trailer) = Trailer::parse(last) {
                let end = self.at + group.len() as u64;
                group.truncate(line);
                return self.check(&group, &trailer, end);
            }
        }
    }

    fn line(&mut self, group: &mut Vec<u8>) -> Result<usize> {
        let Some(file) = &mut self.file else {
            return Ok(0);
        };
        file.take(LONGEST_GROUP)
            .read_until(b'\n', group)
            .map_err(|e| Error::io("read", self.dir.path().join(&self.name), e))
    }

    fn check(&mut self, group: &[u8], trailer: &Trailer, end: u64) -> Result<Found> {
        let head = next(&self.head, group);
        let records = self.parse(group);
        let why = match &records {
            _ if trailer.bytes != group.len() as u64 => "a group is not as long as it was",
            Err(why) => why,
            Ok(records) if records.len() != trailer.n => "a group has lost or won lines",
            _ if head != trailer.head => {
                "the hash chain is broken: a line was edited, or a file before it"
            }
            Ok(_) => "",
        };
        match records {
            Ok(records) if why.is_empty() => {
                self.at = end;
                self.head = head;
                Ok(Found::Group(Group {
                    records,
                    run: self.run,
                    end,
                    head,
                }))
            }
            _ => {
                // Blocks that never reached the drive read as zeros; an edit has none.
                let torn =
                    trailer.bytes == group.len() as u64 && group.contains(&0) && self.at_end()?;
                Ok(self.bad(why, torn))
            }
        }
    }

    /// What of the group that is bad can still be read: its lines that are records. The chain
    /// goes on from the head that the group's trailer says, if it has one. `None` at the file's
    /// end.
    pub(super) fn salvage(&mut self) -> Result<Option<Group>> {
        let (run, name, begin) = (self.run, self.name.clone(), self.at);
        self.open(run, &name, begin)?;
        let mut records = Vec::new();
        while self.at - begin <= LONGEST_GROUP {
            let mut line = Vec::new();
            if self.line(&mut line)? == 0 {
                break;
            }
            self.at += line.len() as u64;
            let line = line.strip_suffix(b"\n").unwrap_or(&line);
            if let Some(trailer) = Trailer::parse(line) {
                self.head = trailer.head;
                break;
            }
            records.extend(serde_json::from_slice(line).ok());
        }
        Ok((self.at > begin).then_some(Group {
            records,
            run,
            end: self.at,
            head: self.head,
        }))
    }

    fn at_end(&mut self) -> Result<bool> {
        let Some(file) = &mut self.file else {
            return Ok(true);
        };
        file.fill_buf()
            .map(<[u8]>::is_empty)
            .map_err(|e| Error::io("read", self.dir.path().join(&self.name), e))
    }

    fn parse(&self, group: &[u8]) -> Result<Vec<Record>, &'static str> {
        let mut lines = group
            .strip_suffix(b"\n")
            .into_iter()
            .flat_map(|lines| lines.split(|b| *b == b'\n'));
        if self.at == 0 {
            let header: Header = lines
                .next()
                .and_then(|line| serde_json::from_slice(line).ok())
                .ok_or(NO_HEADER)?;
            if header.format > FORMAT {
                return Err(NEWER);
            }
            if header.run != self.run {
                return Err("its header names another run");
            }
            if header.prev != self.head {
                return Err(NO_FOLLOWER);
            }
        }
        lines
            .map(|line| serde_json::from_slice(line).map_err(|_| "a line is not a record"))
            .collect()
    }

    fn bad(&self, why: &str, torn: bool) -> Found {
        Found::Bad(self.place(why, torn))
    }

    fn place(&self, why: &str, torn: bool) -> Bad {
        Bad {
            file: self.dir.path().join(&self.name),
            at: self.at,
            why: why.to_owned(),
            torn,
            newer: why == NEWER,
        }
    }

    /// For a file that is whole when read forwards and was not when read from its end: it
    /// changed in between.
    pub(super) fn unlike(&self) -> Bad {
        self.place("it changed while it was read", false)
    }
}

/// The head that the file `name` says that it follows; none where it has no header.
pub(super) fn before(dir: &Dir, name: &str) -> Result<Option<Sha256>> {
    let mut line = Vec::new();
    BufReader::new(dir.read(name)?)
        .take(LONGEST_GROUP)
        .read_until(b'\n', &mut line)
        .map_err(|e| Error::io("read", dir.path().join(name), e))?;
    Ok(serde_json::from_slice(&line)
        .ok()
        .map(|header: Header| header.prev))
}

/// The journal's files by run, oldest first, each relative to the source's folder.
pub(super) fn files(dir: &Dir) -> Result<Vec<(u64, String)>> {
    let mut files = Vec::new();
    if dir.stat(FOLDER)?.is_none() {
        return Ok(files);
    }
    for entry in dir.list(FOLDER)? {
        let name = entry?.name;
        let run = name
            .strip_suffix(".jsonl")
            .and_then(|stem| stem.split_once('-'))
            .filter(|(run, _)| run.len() >= 8)
            .and_then(|(run, _)| run.parse().ok());
        if let Some(run) = run {
            files.push((run, format!("{FOLDER}/{name}")));
        }
    }
    files.sort();
    for (a, b) in files.iter().zip(files.iter().skip(1)) {
        if a.0 == b.0 {
            return Err(Error::new(
                Kind::Damaged,
                format!("two journal files of one run: {} and {}", a.1, b.1),
            )
            .hint("one of them is a copy that somebody made: move it out of the store"));
        }
    }
    Ok(files)
}
