//! Bytes for a stored file that has rotted or is missing: in `incoming/`, and the very bytes that it
//! had.

use super::Space;
use super::hash;
use super::incoming::{FOLDER, Incoming};
use super::place::SourceStore;
use crate::digest::Verified;
use crate::error::{Error, Result};
use crate::object::Sha256;
use std::fs::File;
use std::io::{self, Write as _};

/// Bytes in `incoming/` that have the SHA-256 that was asked for. Only such can take the place of a
/// stored file.
#[derive(Debug)]
pub struct Whole {
    pub(super) staged: String,
    pub(super) sha256: Sha256,
    pub(super) bytes: u64,
}

impl Whole {
    /// What was fetched once more, if it is the same.
    pub fn fetched(verified: &Verified, sha256: Sha256) -> Option<Self> {
        (verified.sha256() == sha256).then(|| Self {
            staged: verified.staged().to_owned(),
            sha256,
            bytes: verified.bytes(),
        })
    }
}

impl SourceStore {
    /// Makes the bytes durable and reads them back from the medium: giving them a name moves none.
    pub fn read_back_whole(&self, whole: &Whole) -> Result<()> {
        self.read_back(&[(whole.staged.clone(), whole.sha256)])
    }
}

impl Incoming {
    /// Copies `from` here; none where it has other bytes than `sha256` or cannot be read to its end.
    /// `each` hears of every piece's length and says whether to go on.
    ///
    /// # Errors
    /// Where this drive has no room or cannot be written.
    pub fn copy_whole(
        &self,
        from: &File,
        sha256: Sha256,
        space: &Space,
        each: &mut dyn FnMut(u64) -> bool,
    ) -> Result<Option<Whole>> {
        let staged = format!("{FOLDER}/{sha256}.whole");
        let length = from.metadata().map_or(0, |told| told.len());
        let _room = space.reserve(length)?;
        let mut file = self.dir.create(&staged)?;
        let mut failed = None;
        let copied = hash::pour(from, &mut |piece| {
            if !each(piece.len() as u64) {
                return Err(io::Error::other("ended"));
            }
            file.write_all(piece).map_err(|e| {
                let end = io::Error::from(e.kind());
                failed = Some(e);
                end
            })
        });
        if let Some(e) = failed {
            self.dir.unlink(&staged)?;
            return Err(Error::io("write", self.dir.path().join(&staged), e));
        }
        match copied {
            Ok((found, bytes)) if found == sha256 => Ok(Some(Whole {
                staged,
                sha256,
                bytes,
            })),
            _ => {
                self.dir.unlink(&staged)?;
                Ok(None)
            }
        }
    }
}
