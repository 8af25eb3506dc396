//! The journal: one file per run, groups of records, each group chained to everything before it.
//!
//! A group is its records, one line each, and a trailer. The trailer's `head` is SHA-256 over the
//! head before and the group's bytes (the first group of a file begins with the file's header
//! line), so that a head kept elsewhere proves everything up to it. A group is written at once
//! and synced before anything it speaks of is done.

use super::chain::{self, Chain, Found, Group, Header, Trailer};
use super::dir::Dir;
use super::salvage;
use crate::error::{Error, Kind, Result};
use crate::object::{Clock, JournalPosition, Record, Sha256, SourceName};
use std::fs::File;
use std::io::{Read as _, Seek as _, SeekFrom, Write as _};

pub(super) const FOLDER: &str = "journal";

/// Room for a trailer line, when reading backwards from a group's end.
const TRAILER: u64 = 512;

/// A source's journal, open to append.
#[derive(Debug)]
pub(super) struct Journal {
    dir: Dir,
    clock: Clock,
    program: String,
    /// The run that appends next begins a file with this number.
    next_run: u64,
    /// The file of this run, once it has one.
    file: Option<(String, File)>,
    position: JournalPosition,
}

impl Journal {
    /// Opens the journal, cuts a torn tail, and hands out the last group, which may be one that
    /// was journalled and not finished.
    pub(super) fn open(
        dir: &Dir,
        source: &SourceName,
        program: &str,
        clock: &Clock,
    ) -> Result<(Self, Option<Group>)> {
        dir.make(FOLDER)?;
        let mut next_run = 1;
        let last = loop {
            let files = chain::files(dir)?;
            let Some((run, name)) = files.last() else {
                break None;
            };
            next_run = next_run.max(run + 1);
            match last_group(dir, *run, name)? {
                Some(group) => break Some(group),
                None => cut(dir, &files)?,
            }
        };
        let position = last.as_ref().map_or_else(
            || JournalPosition {
                source: source.clone(),
                run: 0,
                offset: 0,
                head: chain::START,
            },
            |group| group.position(source),
        );
        let journal = Self {
            dir: dir.clone(),
            clock: clock.clone(),
            program: program.to_owned(),
            next_run,
            file: None,
            position,
        };
        Ok((journal, last))
    }

    /// Opens a journal whose end is damaged, to add a file behind it: what is there is never
    /// touched.
    pub(super) fn open_behind(
        dir: &Dir,
        source: &SourceName,
        program: &str,
        clock: &Clock,
    ) -> Result<Self> {
        let mut position = JournalPosition {
            source: source.clone(),
            run: 0,
            offset: 0,
            head: chain::START,
        };
        salvage::walk(dir, &mut |group, _| {
            position = group.position(source);
            Ok(())
        })?;
        let last = chain::files(dir)?.last().map_or(0, |(run, _)| *run);
        Ok(Self {
            dir: dir.clone(),
            clock: clock.clone(),
            program: program.to_owned(),
            next_run: last + 1,
            file: None,
            position,
        })
    }

    /// Where the journal stands.
    pub(super) fn position(&self) -> &JournalPosition {
        &self.position
    }

    /// Appends `records` as one group and syncs it.
    pub(super) fn append(&mut self, records: &[Record]) -> Result<()> {
        let new = self.file.is_none();
        let mut text = String::new();
        if new {
            text.push_str(&chain::line(&self.header())?);
            self.position.run = self.next_run;
            self.position.offset = 0;
        }
        for record in records {
            text.push_str(&chain::line(record)?);
        }
        let head = chain::next(&self.position.head, text.as_bytes());
        let trailer = Trailer::new(records.len(), text.len(), head);
        text.push_str(&chain::line(&trailer)?);
        let (name, file) = match &mut self.file {
            Some(open) => open,
            none => none.insert(begin(&self.dir, self.next_run, &self.clock)?),
        };
        file.write_all(text.as_bytes())
            .and_then(|()| file.sync_all())
            .map_err(|e| Error::io("write", self.dir.path().join(&name), e))?;
        if new {
            self.dir.sync_folder(FOLDER)?;
            self.dir.sync_folder(".")?;
        }
        self.position.offset += text.len() as u64;
        self.position.head = head;
        Ok(())
    }

    fn header(&self) -> Header {
        Header::new(
            self.next_run,
            &self.position,
            &self.program,
            self.clock.now(),
        )
    }

    /// Hands every group after `after` to `each`, one at a time.
    pub(super) fn read(
        &self,
        after: Option<&JournalPosition>,
        each: &mut dyn FnMut(Group) -> Result<()>,
    ) -> Result<()> {
        if after.is_some_and(|after| *after == self.position) {
            return Ok(());
        }
        let files = chain::files(&self.dir)?;
        let (run, offset, head) = match after {
            Some(p) if p.run > 0 => {
                self.check_known(p, &files)?;
                (p.run, p.offset, p.head)
            }
            _ => (0, 0, chain::START),
        };
        let mut chain = Chain::new(&self.dir, head);
        for (number, name) in files.iter().filter(|(number, _)| *number >= run) {
            chain.open(*number, name, if *number == run { offset } else { 0 })?;
            loop {
                match chain.next()? {
                    Found::Group(group) => each(group)?,
                    Found::End => break,
                    Found::Bad(bad) => return Err(bad.damage()),
                }
            }
        }
        Ok(())
    }

    /// Refuses a position that this journal never had.
    fn check_known(&self, after: &JournalPosition, files: &[(u64, String)]) -> Result<()> {
        let known = after.source == self.position.source
            && files
                .iter()
                .find(|(run, _)| *run == after.run)
                .map(|(_, name)| trailer_before(&self.dir, name, after.offset))
                .transpose()?
                .flatten()
                .is_some_and(|(trailer, _)| trailer.head == after.head);
        if known {
            return Ok(());
        }
        Err(Error::new(
            Kind::Damaged,
            format!(
                "the catalogue speaks of journal {} run {} byte {}, which this drive's journal does not have",
                after.source, after.run, after.offset
            ),
        )
        .hint("the catalogue is that of another or a later drive, or the journal lost its end: run `offsite catalogue rebuild`, which makes the catalogue anew from this drive"))
    }
}

/// Makes this run's file. Named by number, since the clock may be wrong; the time is for people.
fn begin(dir: &Dir, run: u64, clock: &Clock) -> Result<(String, File)> {
    let name = format!(
        "{FOLDER}/{run:08}-{}.jsonl",
        clock.now().strftime("%Y%m%dT%H%M%SZ")
    );
    let file = dir.create(&name)?;
    Ok((name, file))
}

/// The last group of the file `name`, if the file ends with a whole and true one. Reads no more
/// than that group and the trailer before it.
fn last_group(dir: &Dir, run: u64, name: &str) -> Result<Option<Group>> {
    let Some(end @ 1..) = dir.bytes(name)? else {
        return Ok(None);
    };
    let Some((trailer, trailer_bytes)) = trailer_before(dir, name, end)? else {
        return Ok(None);
    };
    let Some(start) = end
        .checked_sub(trailer_bytes)
        .and_then(|at| at.checked_sub(trailer.bytes))
    else {
        return Ok(None);
    };
    if trailer.bytes > chain::LONGEST_GROUP {
        return Ok(None);
    }
    let before = if start > 0 {
        trailer_before(dir, name, start)?.map(|(trailer, _)| trailer.head)
    } else {
        head_before(dir, run)?
    };
    let Some(before) = before else {
        return Ok(None);
    };
    let mut chain = Chain::new(dir, before);
    chain.open(run, name, start)?;
    Ok(match chain.next()? {
        Found::Group(group) if group.end == end => Some(group),
        _ => None,
    })
}

/// The head at the end of the file before run `run`; the start of all chains where there is none.
fn head_before(dir: &Dir, run: u64) -> Result<Option<Sha256>> {
    let files = chain::files(dir)?;
    let Some((_, name)) = files.iter().rev().find(|(number, _)| *number < run) else {
        return Ok(Some(chain::START));
    };
    let end = dir.bytes(name)?.unwrap_or(0);
    Ok(trailer_before(dir, name, end)?.map(|(trailer, _)| trailer.head))
}

/// Whether the file `name` has the end of a group where `known` says, with that head.
pub(super) fn was_at(dir: &Dir, name: &str, known: &JournalPosition) -> Result<bool> {
    let trailer = trailer_before(dir, name, known.offset)?;
    Ok(trailer.is_some_and(|(trailer, _)| trailer.head == known.head))
}

/// The trailer whose line ends at `end`, and the length of that line.
fn trailer_before(dir: &Dir, name: &str, end: u64) -> Result<Option<(Trailer, u64)>> {
    let fail = |e| Error::io("read", dir.path().join(name), e);
    let start = end.saturating_sub(TRAILER);
    let mut file = dir.read(name)?;
    file.seek(SeekFrom::Start(start)).map_err(fail)?;
    let mut text = Vec::new();
    file.take(end - start)
        .read_to_end(&mut text)
        .map_err(fail)?;
    if text.len() as u64 != end - start {
        return Ok(None);
    }
    let Some(lines) = text.strip_suffix(b"\n") else {
        return Ok(None);
    };
    let line = lines.rsplit(|b| *b == b'\n').next().unwrap_or_default();
    let trailer = Trailer::parse(line);
    Ok(trailer.map(|trailer| (trailer, line.len() as u64 + 1)))
}

/// Cuts the torn tail of the last file, or says that the damage is no torn tail. A file that
/// holds no group is removed.
fn cut(dir: &Dir, files: &[(u64, String)]) -> Result<()> {
    let Some((run, name)) = files.last() else {
        return Ok(());
    };
    let before = head_before(dir, *run)?.unwrap_or(chain::START);
    let mut chain = Chain::new(dir, before);
    chain.open(*run, name, 0)?;
    let at = loop {
        match chain.next()? {
            Found::Group(_) => {}
            Found::Bad(bad) if bad.torn => break bad.at,
            Found::Bad(bad) => return Err(bad.damage()),
            Found::End if chain.at() == 0 => break 0,
            Found::End => return Err(chain.unlike().damage()),
        }
    };
    log::warn!("{name}: the last group was not finished; cut at byte {at}");
    if at == 0 {
        dir.unlink(name)?;
        return dir.sync_folder(FOLDER);
    }
    let file = dir.modify(name)?;
    file.set_len(at)
        .and_then(|()| file.sync_all())
        .map_err(|e| Error::io("cut", dir.path().join(name), e))
}
