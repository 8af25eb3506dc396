//! Downloads in progress. Not the copy: whatever lies here can be fetched again.
//!
//! A download is a file named by an id that the next run computes anew, so that it can go on
//! after a crash. It goes on from the last *watermark*, never from the file's length: after a
//! power cut a file can be as long as it was and hold zeros.

use super::dir::{Dir, Stands};
use super::hash;
use crate::error::{Error, Result};
use crate::object::{Identity, ObjectKey, Sha256, SourceName, Timestamp};
use serde::{Deserialize, Serialize};
use std::fs::File;
use std::io::{Read as _, Seek as _, SeekFrom, Write as _};

pub(super) const FOLDER: &str = "incoming";

/// The record beside a download: what is surely on the drive. Written after the data is synced.
#[derive(Debug, Serialize, Deserialize)]
struct Mark {
    identity: Identity,
    /// Bytes that are synced.
    offset: u64,
    /// SHA-256 of those bytes.
    sha256: Sha256,
}

/// A source's folder of downloads in progress; clones may be used from many threads at once.
#[derive(Clone, Debug)]
pub struct Incoming {
    pub(super) dir: Dir,
}

impl Incoming {
    pub(super) fn new(dir: Dir) -> Self {
        Self { dir }
    }

    /// The name for a download: 32 hex digits, the same in a later run for the same version.
    pub fn id_of(source: &SourceName, key: &ObjectKey, identity: &Identity) -> String {
        let size = identity.size.to_be_bytes();
        let modified = identity.last_modified.as_millisecond().to_be_bytes();
        // An id decides alone, so the other facts may not make another name of it.
        let which: [&[u8]; 4] = match &identity.version_id {
            Some(id) => [b"id", id.as_bytes(), b"", b""],
            None => [b"null", identity.etag.as_bytes(), &size, &modified],
        };
        let mut text = Vec::new();
        for part in [source.as_str().as_bytes(), key.as_str().as_bytes()]
            .into_iter()
            .chain(which)
        {
            text.extend_from_slice(&(part.len() as u64).to_be_bytes());
            text.extend_from_slice(part);
        }
        hash::of(&[&text]).to_string().chars().take(32).collect()
    }

    /// How many bytes of the download `id` lie here, whether or not they can be gone on from.
    pub fn bytes(&self, id: &str) -> Result<u64> {
        Ok(self.dir.bytes(&format!("{FOLDER}/{id}"))?.unwrap_or(0))
    }

    /// Begins the download `id`, from nothing.
    pub fn create(&self, id: &str) -> Result<Staging> {
        let path = format!("{FOLDER}/{id}");
        // An older try's mark may lie beside it: it says nothing that the bytes do not confirm.
        let file = self.dir.create(&path)?;
        Ok(Staging {
            dir: self.dir.clone(),
            path,
            file,
            written: 0,
        })
    }

    /// Goes on with the download `id` from its last watermark. The bytes before it are read
    /// again and handed to `each`, and must be those that the watermark was set over.
    ///
    /// `None` where there is nothing to go on from, or anything about it is odd: begin again with
    /// [`Incoming::create`], and forget what `each` got.
    pub fn resume(
        &self,
        id: &str,
        identity: &Identity,
        each: &mut dyn FnMut(&[u8]),
    ) -> Result<Option<Staging>> {
        let path = format!("{FOLDER}/{id}");
        let Some(mark) = self.mark(&path)? else {
            return Ok(None);
        };
        let bytes = self.dir.bytes(&path)?;
        if mark.identity != *identity || bytes.is_none_or(|bytes| bytes < mark.offset) {
            return Ok(None);
        }
        let mut file = self.dir.modify(&path)?;
        let prefix = hash::pour((&mut file).take(mark.offset), &mut |piece| {
            each(piece);
            Ok(())
        });
        // A prefix that cannot be read is as good as none.
        if !matches!(prefix, Ok((sha256, bytes)) if sha256 == mark.sha256 && bytes == mark.offset) {
            return Ok(None);
        }
        file.set_len(mark.offset)
            .and_then(|()| file.seek(SeekFrom::Start(mark.offset)))
            .map_err(|e| Error::io("go on with", self.dir.path().join(&path), e))?;
        Ok(Some(Staging {
            dir: self.dir.clone(),
            path,
            file,
            written: mark.offset,
        }))
    }

    fn mark(&self, path: &str) -> Result<Option<Mark>> {
        let mark = mark_of(path);
        if self.dir.bytes(&mark)?.is_none() {
            return Ok(None);
        }
        let mut text = Vec::new();
        let read = self.dir.read(&mark)?.take(1 << 16).read_to_end(&mut text);
        Ok(read.ok().and_then(|_| serde_json::from_slice(&text).ok()))
    }

    /// Removes a finished download that turned out not to be needed: its bytes are stored already,
    /// or not what they should be.
    /// `staged` is what [`Staging::finish`] said.
    pub fn remove(&self, staged: &str) -> Result<()> {
        for path in [mark_of(staged), staged.to_owned()] {
            if self.dir.bytes(&path)?.is_some() {
                self.dir.unlink(&path)?;
            }
        }
        Ok(())
    }

    /// What lies here: each file, relative to the source's folder, and its length. The lock
    /// that is held says that nobody works on one, and opening finished what was journalled.
    pub fn leftovers(&self) -> Result<Vec<(String, u64)>> {
        let mut files = Vec::new();
        for entry in self.dir.list(FOLDER)? {
            let path = format!("{FOLDER}/{}", entry?.name);
            if let Ok(Some(Stands::File { bytes, .. })) = self.dir.stat(&path) {
                files.push((path, bytes));
            }
        }
        files.sort();
        Ok(files)
    }

    /// Removes one of them.
    pub fn remove_leftover(&self, path: &str) -> Result<()> {
        self.dir.unlink(path)
    }

    /// Removes downloads that nobody has written to for `older_than` days before `now`; says how
    /// many files went.
    pub fn sweep(&self, older_than: u16, now: Timestamp) -> Result<u64> {
        let oldest = now.as_second() - i64::from(older_than) * 86_400;
        let mut removed = 0;
        for entry in self.dir.list(FOLDER)? {
            let path = format!("{FOLDER}/{}", entry?.name);
            if let Ok(Some(Stands::File { mtime, .. })) = self.dir.stat(&path)
                && mtime < oldest
            {
                self.dir.unlink(&path)?;
                removed += 1;
            }
        }
        Ok(removed)
    }
}

/// Whether a download of so many bytes can have a watermark. Small objects are many, and each is
/// spared the looks and the removals that only a watermark needs.
pub(super) fn marked(bytes: u64) -> bool {
    bytes >= 1 << 20
}

/// Where the watermark of the download `path` is kept.
pub(super) fn mark_of(path: &str) -> String {
    format!("{path}.mark")
}

/// One download. Dropped without [`Staging::finish`] it stays, for a later run to go on with.
#[derive(Debug)]
pub struct Staging {
    dir: Dir,
    path: String,
    file: File,
    written: u64,
}

impl Staging {
    /// Appends `bytes`.
    pub fn write(&mut self, bytes: &[u8]) -> Result<()> {
        self.file
            .write_all(bytes)
            .map_err(|e| Error::io("write", self.dir.path().join(&self.path), e))?;
        self.written += bytes.len() as u64;
        Ok(())
    }

    /// How many bytes there are, those from earlier runs included.
    pub fn written(&self) -> u64 {
        self.written
    }

    /// Syncs what was written, then notes that a later run may go on from here; below a MiB it
    /// is quicker fetched again.
    /// `sha256_of_prefix` is over all [`Staging::written`] bytes.
    pub fn watermark(&mut self, identity: &Identity, sha256_of_prefix: Sha256) -> Result<()> {
        if !marked(self.written) {
            return Ok(());
        }
        self.file
            .sync_data()
            .map_err(|e| Error::io("sync", self.dir.path().join(&self.path), e))?;
        let mark = Mark {
            identity: identity.clone(),
            offset: self.written,
            sha256: sha256_of_prefix,
        };
        let text = serde_json::to_vec(&mark)
            .map_err(|e| Error::io("write", self.dir.path().join(&self.path), e))?;
        self.dir.publish(&mark_of(&self.path), &text)
    }

    /// The download is complete; says where it lies, relative to the source's folder. It is not
    /// synced yet: placing syncs a whole group at once.
    pub fn finish(self) -> Result<String> {
        Ok(self.path)
    }

    /// Throws the download away.
    pub fn discard(self) {
        for path in [mark_of(&self.path), self.path.clone()] {
            if let Err(e) = self.dir.unlink(&path) {
                log::debug!("a discarded download stays: {e}");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::object::from_ms;

    fn identity(etag: &str) -> Identity {
        Identity {
            version_id: None,
            etag: etag.into(),
            size: 10,
            last_modified: from_ms(1),
        }
    }

    fn incoming() -> (tempfile::TempDir, Incoming) {
        let temp = tempfile::tempdir().unwrap();
        let dir = Dir::open(temp.path()).unwrap();
        dir.make(FOLDER).unwrap();
        (temp, Incoming::new(dir))
    }

    /// What `resume` fed, and how far it says we are.
    fn resumed(incoming: &Incoming, etag: &str) -> Option<(Vec<u8>, u64)> {
        let mut fed = Vec::new();
        let staging = incoming
            .resume("x", &identity(etag), &mut |b| fed.extend_from_slice(b))
            .unwrap();
        staging.map(|s| (fed, s.written()))
    }

    /// Each byte 256 Ki times: a watermark is for long downloads.
    fn long(bytes: &[u8]) -> Vec<u8> {
        bytes
            .iter()
            .flat_map(|b| std::iter::repeat_n(*b, 1 << 18))
            .collect()
    }

    #[test]
    fn a_download_goes_on_from_its_watermark_and_not_from_its_length() {
        let (temp, incoming) = incoming();
        let file = temp.path().join("incoming/x");
        let mut staging = incoming.create("x").unwrap();
        staging.write(&long(b"01234")).unwrap();
        assert_eq!(resumed(&incoming, "a"), None, "no watermark yet");
        staging
            .watermark(&identity("a"), hash::of(&[&long(b"01234")]))
            .unwrap();
        staging.write(&long(b"\0\0\0")).unwrap();
        drop(staging);
        assert_eq!(resumed(&incoming, "b"), None, "another version");
        assert_eq!(resumed(&incoming, "a"), Some((long(b"01234"), 5 << 18)));
        assert_eq!(std::fs::read(&file).unwrap(), long(b"01234"));
        let mut staging = incoming
            .resume("x", &identity("a"), &mut |_| {})
            .unwrap()
            .unwrap();
        staging.write(&long(b"56789")).unwrap();
        assert_eq!(staging.finish().unwrap(), "incoming/x");
        assert_eq!(std::fs::read(&file).unwrap(), long(b"0123456789"));
        std::fs::write(&file, long(b"01X3456789")).unwrap();
        assert_eq!(resumed(&incoming, "a"), None, "other bytes");
        std::fs::write(&file, long(b"0123")).unwrap();
        assert_eq!(resumed(&incoming, "a"), None, "too short");
        incoming.create("x").unwrap();
        assert_eq!(resumed(&incoming, "a"), None, "begun again");
    }

    #[test]
    fn ids_are_stable_and_tell_versions_apart() {
        let source = SourceName::new("www").unwrap();
        let id =
            |key: &str, i: &Identity| Incoming::id_of(&source, &ObjectKey::new(key).unwrap(), i);
        let a = id("k", &identity("a"));
        assert_eq!(a.len(), 32);
        assert_eq!(a, id("k", &identity("a")));
        assert_ne!(a, id("k", &identity("b")));
        assert_ne!(a, id("ka", &identity("")));
    }

    #[test]
    fn leftovers_go_after_seven_days() {
        let (_temp, incoming) = incoming();
        incoming.create("x").unwrap();
        let now = Timestamp::now();
        assert_eq!(incoming.sweep(7, now).unwrap(), 0);
        let later = from_ms(now.as_millisecond() + 8 * 86_400_000);
        assert_eq!(incoming.sweep(7, later).unwrap(), 1);
    }
}
