//! SHA-256 of files, read once with one buffer.

use super::dir::Dir;
use crate::error::{Error, Result};
use crate::object::Sha256;
use ring::digest::{Context, SHA256};
use std::io::{self, Read};

const BUFFER: usize = 128 * 1024;

/// Reads `from` to its end, hands every piece to `each`, and says the SHA-256 and the length.
pub(super) fn pour(
    mut from: impl Read,
    each: &mut dyn FnMut(&[u8]) -> io::Result<()>,
) -> io::Result<(Sha256, u64)> {
    let mut context = Context::new(&SHA256);
    let mut buffer = vec![0; BUFFER];
    let mut bytes = 0;
    loop {
        let n = match from.read(&mut buffer) {
            Ok(0) => return Ok((sealed(context), bytes)),
            Ok(n) => n,
            Err(e) if e.kind() == io::ErrorKind::Interrupted => continue,
            Err(e) => return Err(e),
        };
        let piece = buffer.get(..n).unwrap_or_default();
        context.update(piece);
        each(piece)?;
        bytes += n as u64;
    }
}

/// The digest that a context has come to.
pub(super) fn sealed(context: Context) -> Sha256 {
    let mut digest = [0; 32];
    for (to, from) in digest.iter_mut().zip(context.finish().as_ref()) {
        *to = *from;
    }
    Sha256(digest)
}

/// SHA-256 over `parts`, one after the other.
pub(super) fn of(parts: &[&[u8]]) -> Sha256 {
    let mut context = Context::new(&SHA256);
    for part in parts {
        context.update(part);
    }
    sealed(context)
}

/// SHA-256 of the file `rel`.
pub(super) fn of_file(dir: &Dir, rel: &str) -> Result<Sha256> {
    pour(dir.read(rel)?, &mut |_| Ok(()))
        .map(|(sha256, _)| sha256)
        .map_err(|e| Error::io("read", dir.path().join(rel), e))
}
