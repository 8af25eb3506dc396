//! Reading a store: no lock, no write, works on a read-only mount and on a drive alone.
//! Paths are relative to the store.

use super::chain::{self, Bad, Chain, Found};
use super::dir::{Dir, Stands};
use super::hash;
use super::journal;
use super::marker::Marker;
use super::sums;
use crate::error::{Error, Result};
use crate::object::{Sha256, SourceName};
use std::fs::File;
use std::path::{Path, PathBuf};

/// A store, open to read.
#[derive(Clone, Debug)]
pub struct Reader {
    pub(super) dir: Dir,
    pub(super) marker: Marker,
}

/// A part of a source's folder that holds files of objects.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Area {
    /// The newest good versions.
    Latest,
    /// Every other stored version.
    History,
    /// Bytes that contradicted their evidence.
    Quarantine,
    /// Downloads in progress.
    Incoming,
}

impl Area {
    /// The folder's name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Latest => "latest",
            Self::History => "history",
            Self::Quarantine => "quarantine",
            Self::Incoming => "incoming",
        }
    }
}

/// Something that lies in the store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lies {
    /// Where, relative to the store; a lossy picture where it is not UTF-8.
    pub path: String,
    /// Its length; none where it is no regular file (a link, a device, a name that is not UTF-8):
    /// offsite never puts such a thing there.
    pub bytes: Option<u64>,
}

/// How far a journal is whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChainReport {
    /// Journal files read.
    pub files: u64,
    /// Groups whose place in the chain was checked.
    pub groups: u64,
    /// Records in them.
    pub records: u64,
    /// The head after the last good group.
    pub head: Sha256,
    /// Journal files that were not read: not wanted.
    pub passed_over: u64,
    /// Where the chain breaks, if it does.
    pub broken: Option<Break>,
    /// The last group was not finished (a crash, or a run that is writing now): no damage.
    pub torn: bool,
    /// Whether the head that was asked for is one of this journal's; none where none was asked.
    pub has_head: Option<bool>,
}

/// A place where a journal is not what it was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Break {
    /// The file.
    pub file: PathBuf,
    /// The byte where the bad group begins.
    pub at: u64,
    /// Why it is bad.
    pub why: String,
}

impl Reader {
    /// Where the store is.
    pub fn path(&self) -> &Path {
        self.dir.path()
    }

    /// What the store says about itself.
    pub fn marker(&self) -> &Marker {
        &self.marker
    }

    /// The catalogue's file, whether or not it is there.
    pub fn catalogue_path(&self) -> PathBuf {
        self.dir.path().join(super::CATALOGUE)
    }

    /// The space on the drive.
    pub fn room(&self) -> Result<super::Room> {
        let (total, free) = super::probe::space(&self.dir)?;
        Ok(super::Room { total, free })
    }

    /// The sources that have a journal here, by name.
    pub fn sources(&self) -> Result<Vec<SourceName>> {
        self.sources_with(&[journal::FOLDER])
    }

    /// The sources that have anything here that a catalogue can be made from, by name.
    pub fn remains(&self) -> Result<Vec<SourceName>> {
        let areas = [Area::Latest, Area::History].map(Area::as_str);
        self.sources_with(&[&[journal::FOLDER], &areas[..], &sums::FILES].concat())
    }

    fn sources_with(&self, any_of: &[&str]) -> Result<Vec<SourceName>> {
        let mut sources = Vec::new();
        for entry in self.dir.list(".")? {
            let Ok(name) = SourceName::new(entry?.name) else {
                continue;
            };
            for what in any_of {
                if self.dir.stat(&format!("{name}/{what}"))?.is_some() {
                    sources.push(name);
                    break;
                }
            }
        }
        sources.sort();
        Ok(sources)
    }

    /// The length of the file at `path`; none where there is no file.
    pub fn stat(&self, path: &str) -> Result<Option<u64>> {
        self.dir.bytes(path)
    }

    /// Opens the file at `path` to read.
    pub fn open(&self, path: &str) -> Result<File> {
        self.dir.read(path)
    }

    /// Reads the file at `path` to its end: SHA-256 and length.
    pub fn hash(&self, path: &str) -> Result<(Sha256, u64)> {
        hash::pour(self.dir.read(path)?, &mut |_| Ok(()))
            .map_err(|e| Error::io("read", self.dir.path().join(path), e))
    }

    /// Whether the line of the sums that begins at `at` says that `path`, relative to the source's
    /// folder, has these bytes; of what has no sums, yes.
    pub fn sums_say(&self, source: &str, path: &str, at: u64, sha256: Sha256) -> Result<bool> {
        sums::say(&self.dir.sub(source)?, path, at, sha256)
    }

    /// Hands everything that lies in an area to `each`, in the drive's order. Memory grows with
    /// the depth of the folders, not with their size.
    pub fn walk(
        &self,
        source: &SourceName,
        area: Area,
        each: &mut dyn FnMut(Lies) -> Result<()>,
    ) -> Result<()> {
        self.walk_some(source, area, &mut |_| Ok(true), each)
    }

    /// The same of those paths only that are `wanted`. All folders are listed; of another path no more
    /// than its name is read, where the file system says with the name that it is no folder.
    pub fn walk_some(
        &self,
        source: &SourceName,
        area: Area,
        wanted: &mut dyn FnMut(&str) -> Result<bool>,
        each: &mut dyn FnMut(Lies) -> Result<()>,
    ) -> Result<()> {
        let top = format!("{source}/{}", area.as_str());
        if self.dir.stat(&top)?.is_none() {
            return Ok(());
        }
        let mut open = vec![(self.dir.list(&top)?, top)];
        while let Some((entries, folder)) = open.last_mut() {
            let Some(entry) = entries.next().transpose()? else {
                open.pop();
                continue;
            };
            let path = format!("{folder}/{}", entry.name);
            if entry.no_folder && !wanted(&path)? {
                continue;
            }
            let stands = if entry.utf8 {
                self.dir.stat(&path).unwrap_or(None)
            } else {
                None
            };
            let bytes = match stands {
                Some(Stands::Folder) => {
                    open.push((self.dir.list(&path)?, path));
                    continue;
                }
                Some(Stands::File { bytes, .. }) => Some(bytes),
                None => None,
            };
            if entry.no_folder || wanted(&path)? {
                each(Lies { path, bytes })?;
            }
        }
        Ok(())
    }

    /// Reads a source's whole journal and checks its chain. `head` is one that was kept
    /// elsewhere, in hex; its first digits are enough.
    pub fn verify_journal(&self, source: &SourceName, head: Option<&str>) -> Result<ChainReport> {
        self.verify_some(source, head, &mut |_| Ok(true))
    }

    /// The same of the files of those runs only that are `wanted`: each against itself, and against the
    /// first lines of its neighbours.
    pub fn verify_some(
        &self,
        source: &SourceName,
        head: Option<&str>,
        wanted: &mut dyn FnMut(u64) -> Result<bool>,
    ) -> Result<ChainReport> {
        let dir = self.dir.sub(source.as_str())?;
        let files = chain::files(&dir)?;
        let mut report = ChainReport {
            files: 0,
            groups: 0,
            records: 0,
            head: chain::START,
            broken: None,
            passed_over: 0,
            torn: false,
            has_head: head.map(|_| false),
        };
        let mut before = Some(chain::START);
        for (number, (run, name)) in files.iter().enumerate() {
            let last = number + 1 == files.len();
            if !wanted(*run)? {
                report.passed_over += 1;
                // How the file before ends is told by this one.
                if let Some(before) = before.take()
                    && let Some(bad) = Chain::new(&dir, before).follows(*run, name)?
                {
                    report.stop(bad, last);
                    return Ok(report);
                }
                continue;
            }
            let before_it = match before {
                Some(head) => head,
                None => chain::before(&dir, name)?.unwrap_or(chain::START),
            };
            let mut chain = Chain::new(&dir, before_it);
            chain.open(*run, name, 0)?;
            report.files += 1;
            loop {
                match chain.next()? {
                    Found::Group(group) => report.add(&group, head),
                    Found::End => break,
                    Found::Bad(bad) => {
                        report.stop(bad, last);
                        return Ok(report);
                    }
                }
            }
            before = Some(chain.head());
        }
        Ok(report)
    }
}

impl ChainReport {
    fn add(&mut self, group: &chain::Group, head: Option<&str>) {
        self.groups += 1;
        self.records += group.records.len() as u64;
        self.head = group.head;
        if head.is_some_and(|head| {
            !head.is_empty()
                && group
                    .head
                    .to_string()
                    .starts_with(&head.to_ascii_lowercase())
        }) {
            self.has_head = Some(true);
        }
    }

    fn stop(&mut self, bad: Bad, last: bool) {
        if last && bad.torn {
            self.torn = true;
        } else {
            self.broken = Some(Break {
                file: bad.file,
                at: bad.at,
                why: bad.why,
            });
        }
    }
}
