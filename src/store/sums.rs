//! `SHA256SUMS` (of `latest/`) and `history.SHA256SUMS`: what `sha256sum -c` in a source's folder
//! checks (GNU coreutils manual, "md5sum invocation").
//!
//! They lie beside the two areas, not in them: a key may be called `SHA256SUMS`. They grow by
//! appending; a line is changed only in place, by as many bytes. Where each line begins is
//! decided before the journal speaks of it, so that writing it again changes nothing.

use super::dir::Dir;
use super::touched::Touched;
use crate::error::{Error, Result};
use crate::object::Sha256;
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufRead as _, BufReader, Read as _};
use std::os::unix::fs::FileExt as _;

/// A comment as long as 64 hex digits: the line of a file that is not under this name any more.
const NO_FILE: &str = "#---------------------------------------------------------------";
const _: () = assert!(NO_FILE.len() == 64);

/// The sums of `latest/` and of `history/`.
pub(super) const FILES: [&str; 2] = ["SHA256SUMS", "history.SHA256SUMS"];

/// The sums that list `path`; none for other areas.
pub(super) fn file_of(path: &str) -> Option<&'static str> {
    match path.split_once('/')?.0 {
        "latest" => Some(FILES[0]),
        "history" => Some(FILES[1]),
        _ => None,
    }
}

pub(super) fn line(sha256: Option<Sha256>, path: &str) -> String {
    sha256.map_or_else(
        || format!("{NO_FILE}  {path}\n"),
        |sha256| format!("{sha256}  {path}\n"),
    )
}

/// Hands out places for new lines.
#[derive(Debug)]
pub(super) struct Ends {
    dir: Dir,
    ends: BTreeMap<&'static str, u64>,
}

impl Ends {
    pub(super) fn new(dir: &Dir) -> Self {
        Self {
            dir: dir.clone(),
            ends: BTreeMap::new(),
        }
    }

    /// Where the line of `path` goes: where it is, if `known` is that place, else at the end.
    pub(super) fn allot(&mut self, path: &str, known: Option<u64>) -> Result<Option<u64>> {
        let Some(file) = file_of(path) else {
            return Ok(None);
        };
        if let Some(at) = known
            && lists(&self.dir, path, at)?
        {
            return Ok(known);
        }
        let end = match self.ends.get(file) {
            Some(end) => *end,
            None => end_of(&self.dir, file)?,
        };
        self.ends.insert(file, end + line(None, path).len() as u64);
        Ok(Some(end))
    }
}

/// Where the next line of `file` begins: at its end, or behind the newline that it lacks.
fn end_of(dir: &Dir, file: &str) -> Result<u64> {
    let Some(bytes @ 1..) = dir.bytes(file)? else {
        return Ok(0);
    };
    let mut last = [0];
    dir.read(file)?
        .read_exact_at(&mut last, bytes - 1)
        .map_err(|e| Error::io("read", dir.path().join(file), e))?;
    Ok(if last == *b"\n" { bytes } else { bytes + 1 })
}

/// Whether the line that begins at `at` is that of `path`.
pub(super) fn lists(dir: &Dir, path: &str, at: u64) -> Result<bool> {
    let Some(file) = file_of(path) else {
        return Ok(false);
    };
    if dir.bytes(file)?.is_none_or(|bytes| bytes <= at) {
        return Ok(false);
    }
    // The newline before it, too: `at` must be the beginning of a line.
    let lead = u64::from(at > 0);
    let wanted = line(None, path);
    let mut there = vec![0; wanted.len() + usize::from(at > 0)];
    if dir
        .read(file)?
        .read_exact_at(&mut there, at - lead)
        .is_err()
    {
        return Ok(false);
    }
    let begins = at == 0 || there.first() == Some(&b'\n');
    Ok(begins && there.ends_with(wanted.get(64..).unwrap_or_default().as_bytes()))
}

/// Whether the line that begins at `at` says that `path` has these bytes. Asked of every file that is
/// scrubbed: the sums are opened once and read once.
pub(super) fn say(dir: &Dir, path: &str, at: u64, sha256: Sha256) -> Result<bool> {
    let Some(file) = file_of(path) else {
        return Ok(true);
    };
    // The newline before it, too: `at` must be the beginning of a line.
    let lead = u64::from(at > 0);
    let wanted = line(Some(sha256), path);
    let mut there = vec![0; wanted.len() + usize::from(at > 0)];
    let read = dir.read(file)?.read_exact_at(&mut there, at - lead);
    let begins = at == 0 || there.first() == Some(&b'\n');
    Ok(read.is_ok() && begins && there.ends_with(wanted.as_bytes()))
}

/// Lines to be written, by file and place.
#[derive(Debug, Default)]
pub(super) struct Lines {
    files: BTreeMap<&'static str, BTreeMap<u64, String>>,
    search: Vec<String>,
}

impl Lines {
    /// The line at `at` says that `path` has these bytes; without bytes it becomes a comment.
    pub(super) fn set(&mut self, path: &str, at: Option<u64>, sha256: Option<Sha256>) {
        if let Some((file, at)) = file_of(path).zip(at) {
            self.files
                .entry(file)
                .or_default()
                .insert(at, line(sha256, path));
        }
    }

    /// Every line of `path` becomes a comment, wherever it is. Reads the whole file: for the
    /// rare case in which nobody knows the place.
    pub(super) fn retire(&mut self, path: &str) {
        self.search.push(path.to_owned());
    }

    /// Writes them all. Doing it again changes nothing.
    pub(super) fn write(mut self, dir: &Dir, touched: &mut Touched) -> Result<()> {
        for path in std::mem::take(&mut self.search) {
            for at in find(dir, &path)? {
                self.set(&path, Some(at), None);
            }
        }
        for (file, lines) in self.files {
            write_file(dir, file, lines)?;
            touched.file(file);
        }
        Ok(())
    }
}

fn write_file(dir: &Dir, file: &str, lines: BTreeMap<u64, String>) -> Result<()> {
    let fail = |e| Error::io("write", dir.path().join(file), e);
    let sums = dir.update(file)?;
    let length = sums.metadata().map_err(fail)?.len();
    let mut end = length;
    let mut chunks: Vec<(u64, String)> = Vec::new();
    for (at, line) in lines {
        let behind = at + line.len() as u64;
        if at == length + 1 && end == length {
            // Somebody left the file without its last newline.
            sums.write_all_at(b"\n", length).map_err(fail)?;
            end += 1;
        }
        let ours = if behind <= length {
            may_replace(&sums, at, &line).map_err(fail)?
        } else {
            at <= end
        };
        if !ours {
            // It was made anew since the journal was written. Nothing rests on it.
            log::warn!("{file} is not as it was left; a line was not written");
            continue;
        }
        end = end.max(behind);
        match chunks.last_mut() {
            Some((start, chunk)) if *start + chunk.len() as u64 == at => chunk.push_str(&line),
            _ => chunks.push((at, line)),
        }
    }
    for (at, chunk) in chunks {
        sums.write_all_at(chunk.as_bytes(), at).map_err(fail)?;
    }
    Ok(())
}

/// Whether what is at `at` is a line of the same path, or was torn there by a power cut.
fn may_replace(sums: &File, at: u64, line: &str) -> std::io::Result<bool> {
    let mut there = vec![0; line.len()];
    sums.read_exact_at(&mut there, at)?;
    let same = there.get(64..) == line.as_bytes().get(64..);
    Ok(same || there.contains(&0))
}

/// Where the lines of `path` begin.
fn find(dir: &Dir, path: &str) -> Result<Vec<u64>> {
    let mut found = Vec::new();
    let Some(file) = file_of(path) else {
        return Ok(found);
    };
    if dir.bytes(file)?.is_none() {
        return Ok(found);
    }
    let wanted = format!("  {path}\n");
    let mut reader = BufReader::new(dir.read(file)?);
    let (mut at, mut line) = (0, Vec::new());
    loop {
        line.clear();
        // A line is at most a path long; what is longer is not ours.
        let n = (&mut reader)
            .take(1 << 16)
            .read_until(b'\n', &mut line)
            .map_err(|e| Error::io("read", dir.path().join(file), e))? as u64;
        if n == 0 {
            return Ok(found);
        }
        if line.get(64..) == Some(wanted.as_bytes()) {
            found.push(at);
        }
        at += n;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: Sha256 = Sha256([0xaa; 32]);
    const B: Sha256 = Sha256([0xbb; 32]);

    fn write(dir: &Dir, lines: &[(&str, Option<u64>, Option<Sha256>)]) -> String {
        let mut all = Lines::default();
        for (path, at, sha256) in lines {
            all.set(path, *at, *sha256);
        }
        all.write(dir, &mut Touched::default()).unwrap();
        dir.text("SHA256SUMS").unwrap()
    }

    #[test]
    fn lines_are_appended_and_changed_in_place() {
        let temp = tempfile::tempdir().unwrap();
        let dir = Dir::open(temp.path()).unwrap();
        let mut ends = Ends::new(&dir);
        let a = ends.allot("latest/a", None).unwrap();
        let b = ends.allot("latest/bb", Some(7)).unwrap();
        assert_eq!((a, b), (Some(0), Some(75)));
        assert_eq!(ends.allot("quarantine/x", None).unwrap(), None);
        let two = format!("{A}  latest/a\n{B}  latest/bb\n");
        for _ in 0..2 {
            let lines = [("latest/bb", b, Some(B)), ("latest/a", a, Some(A))];
            assert_eq!(write(&dir, &lines), two);
        }
        assert_eq!(Ends::new(&dir).allot("latest/bb", b).unwrap(), b);
        let wrong = Ends::new(&dir).allot("latest/bb", a).unwrap();
        assert_eq!(wrong, Some(two.len() as u64), "another's line");
        assert!(!lists(&dir, "latest/a", 1).unwrap());
        assert_eq!(
            write(&dir, &[("latest/a", a, None), ("latest/bb", b, Some(A))]),
            format!("{NO_FILE}  latest/a\n{A}  latest/bb\n")
        );
    }

    #[test]
    fn a_file_that_somebody_else_wrote_is_added_to_and_not_torn() {
        let temp = tempfile::tempdir().unwrap();
        let dir = Dir::open(temp.path()).unwrap();
        std::fs::write(temp.path().join("SHA256SUMS"), "mine").unwrap();
        assert_eq!(Ends::new(&dir).allot("latest/a", None).unwrap(), Some(5));
        assert_eq!(write(&dir, &[("latest/a", Some(99), Some(A))]), "mine");
        let all = write(&dir, &[("latest/a", Some(5), Some(A))]);
        let mut lines = Lines::default();
        lines.retire("latest/a");
        lines.write(&dir, &mut Touched::default()).unwrap();
        let retired = dir.text("SHA256SUMS").unwrap();
        assert_eq!(retired, all.replace(&A.to_string(), NO_FILE));
        let theirs = format!("{B}  latest/z\n");
        std::fs::write(temp.path().join("SHA256SUMS"), &theirs).unwrap();
        assert_eq!(write(&dir, &[("latest/a", Some(0), Some(A))]), theirs);
    }
}
