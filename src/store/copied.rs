//! Copies of another store's files: read once on the way in, and read back before they count.

use super::hash;
use super::incoming::{FOLDER, Incoming};
use super::medium::{self, Read};
use super::place::SourceStore;
use super::touched::{Touched, sync};
use crate::error::{Error, Kind, Result};
use crate::object::{Sha256, Timestamp};
use crate::outcome::Stop;
use std::fs::File;
use std::io::{self, Read as _, Write as _};

/// How a file is copied.
pub struct Copying<'a> {
    /// How many bytes it should have: not many more are read.
    pub bytes: u64,
    /// When they came: what is written to the copy later shows by its file's time.
    pub at: Timestamp,
    /// The owner's wish to end.
    pub stop: &'a Stop,
    /// Hears how many bytes were written.
    pub each: &'a dyn Fn(u64),
}

/// Why a file was not copied.
#[derive(Debug)]
pub enum Uncopied {
    /// It cannot be read: why.
    Unread(String),
    /// This store's drive does not take it.
    Drive(Error),
    /// The owner wished for an end.
    Interrupted,
}

impl Incoming {
    /// Copies `from` to the name `id`; says where it lies, its SHA-256 and its length. It is not
    /// synced yet.
    pub fn copy_in(
        &self,
        id: &str,
        from: File,
        how: &Copying<'_>,
    ) -> Result<(String, Sha256, u64), Uncopied> {
        let path = format!("{FOLDER}/{id}");
        let mut to = self.dir.create(&path).map_err(Uncopied::Drive)?;
        // Whose failure it was: the other store's reading, or the writing here.
        let mut failed = None;
        let from = from.take(how.bytes.saturating_add(1));
        let poured = hash::pour(from, &mut |piece| {
            if how.stop.requested() {
                failed = Some(Uncopied::Interrupted);
                return Err(io::ErrorKind::Other.into());
            }
            to.write_all(piece).map_err(|e| {
                let error = Error::io("write", self.dir.path().join(&path), e);
                failed = Some(Uncopied::Drive(error));
                io::Error::from(io::ErrorKind::Other)
            })?;
            (how.each)(piece.len() as u64);
            Ok(())
        });
        let failed = match (failed, poured) {
            (None, Ok((sha256, bytes))) => {
                if let Err(e) = to.set_modified(how.at.into()) {
                    log::debug!("{path}: its time stays as it is: {e}");
                }
                return Ok((path, sha256, bytes));
            }
            (Some(failed), _) => failed,
            (None, Err(e)) => Uncopied::Unread(format!("it cannot be read: {e}")),
        };
        let _ = self.remove(&path);
        Err(failed)
    }
}

impl SourceStore {
    /// Makes files in `incoming/` durable and reads each back from the medium. Each must have the
    /// SHA-256 beside it.
    pub fn read_back(&self, written: &[(String, Sha256)]) -> Result<()> {
        let dir = &self.drive.dir;
        let mut touched = Touched::default();
        for (path, _) in written {
            touched.file(path);
        }
        sync(dir, self.drive.syncfs, &mut touched)?;
        for (path, sha256) in written {
            let full = dir.path().join(path);
            let wrong = match medium::pour(&dir.read(path)?, &mut |_| true) {
                Read::Whole(read) if read.sha256 == *sha256 => continue,
                Read::Failed(why) => format!("cannot be read back: {why}"),
                _ => "reads back as other bytes".to_owned(),
            };
            let what = format!("{} was written and {wrong}", full.display());
            return Err(Error::new(Kind::Run, what).hint(
                "the drive, its cable or this computer's memory fails: look at dmesg. Nothing of it was recorded",
            ));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Expect, InitOptions, Manner, Store};
    use super::*;
    use crate::object::{Clock, SourceName};

    fn store(folder: &std::path::Path) -> Store {
        let options = InitOptions {
            allow_root_fs: true,
            now: Timestamp::UNIX_EPOCH,
            probe_sqlite: &|_| true,
        };
        Store::init_mirror(folder, "01JFIRST", &options).unwrap();
        let expect = Expect {
            store_id: None,
            allow_root_fs: true,
            min_free: 0,
            clock: Clock::System,
            manner: Manner::default(),
        };
        Store::open(folder, &expect).unwrap()
    }

    #[test]
    fn what_reads_back_otherwise_is_an_error_and_so_is_what_is_gone() {
        let temp = tempfile::tempdir().unwrap();
        let store = store(&temp.path().join("s"));
        assert_eq!(store.marker().mirror_of.as_deref(), Some("01JFIRST"));
        let source = store.source(&SourceName::new("www").unwrap(), "t").unwrap();
        let from = temp.path().join("from");
        std::fs::write(&from, "some bytes and more").unwrap();
        let copy = |bytes, stop: &Stop| {
            let how = Copying {
                bytes,
                at: Timestamp::UNIX_EPOCH,
                stop,
                each: &|_| {},
            };
            let file = File::open(&from).unwrap();
            source.incoming().copy_in("x", file, &how)
        };
        let (path, sha256, bytes) = copy(19, &Stop::default()).unwrap();
        assert_eq!((sha256, bytes), (hash::of(&[b"some bytes and more"]), 19));
        source.read_back(&[(path.clone(), sha256)]).unwrap();
        let lies = temp.path().join("s/www").join(&path);
        std::fs::write(&lies, "some bytes and more!").unwrap();
        let error = source.read_back(&[(path.clone(), sha256)]).unwrap_err();
        assert!(error.to_string().contains("reads back"), "{error}");
        std::fs::remove_file(&lies).unwrap();
        assert!(source.read_back(&[(path, sha256)]).is_err());
        // Longer than it should be: the copy is not its bytes, and not all of it is read.
        assert_eq!(copy(3, &Stop::default()).unwrap().2, 4);
        let stop = Stop::default();
        stop.request();
        assert!(matches!(copy(19, &stop), Err(Uncopied::Interrupted)));
        assert!(!lies.exists());
    }
}
