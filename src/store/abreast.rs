//! Copies a file and hashes it on the way: a large one is hashed by a thread of its own, beside the
//! reading and writing.

use super::hash::{pour, sealed};
use crate::object::Sha256;
use ring::digest::{Context, SHA256};
use rustix::fs::{Advice, fadvise};
use std::fs::File;
use std::io::{self, Read, Write as _};
use std::num::NonZeroU64;
use std::sync::mpsc::{channel, sync_channel};

/// From so many bytes on, a second thread is worth starting.
const LARGE: u64 = 4 << 20;
/// The bytes of a piece,
const PIECE: usize = 256 << 10;
/// and how many may wait to be hashed: 2 MiB.
const AHEAD: usize = 8;
/// The drive begins to write behind so many bytes, so that little is left when all is to be synced.
const BEHIND: u64 = 8 << 20;

/// Why a copy did not come to its end.
#[derive(Debug)]
pub(super) enum Failure {
    /// It was asked to end.
    Ended,
    /// The source cannot be read.
    Reading(io::Error),
    /// The other file cannot be written.
    Writing(io::Error),
}

/// Copies `from`, of about `bytes` bytes, to `to`; says the SHA-256 and the length of what was
/// read. `each` hears how many bytes were taken, and says whether to go on.
pub(super) fn copy(
    from: impl Read,
    to: &File,
    bytes: u64,
    each: &mut dyn FnMut(u64) -> bool,
) -> Result<(Sha256, u64), Failure> {
    let mut ended = false;
    let mut goes_on = |piece: &[u8]| {
        ended = !each(piece.len() as u64);
        match ended {
            true => Err(io::ErrorKind::Other.into()),
            false => Ok(()),
        }
    };
    let (poured, written) = match bytes >= LARGE {
        true => beside(from, to, &mut goes_on),
        false => in_turn(from, to, &mut goes_on),
    };
    match (poured, written) {
        _ if ended => Err(Failure::Ended),
        (_, Err(error)) => Err(Failure::Writing(error)),
        (Err(error), _) => Err(Failure::Reading(error)),
        (Ok(poured), Ok(())) => Ok(poured),
    }
}

/// What reading came to, and what writing.
type Both = (io::Result<(Sha256, u64)>, io::Result<()>);

fn in_turn(
    from: impl Read,
    mut to: &File,
    goes_on: &mut dyn FnMut(&[u8]) -> io::Result<()>,
) -> Both {
    let mut written = Ok(());
    let poured = pour(from, &mut |piece| {
        goes_on(piece)?;
        to.write_all(piece).map_err(|error| {
            written = Err(error);
            io::ErrorKind::Other.into()
        })
    });
    (poured, written)
}

fn beside(
    mut from: impl Read,
    mut to: &File,
    goes_on: &mut dyn FnMut(&[u8]) -> io::Result<()>,
) -> Both {
    std::thread::scope(|scope| {
        let (send, pieces) = sync_channel::<(Vec<u8>, usize)>(AHEAD);
        let (give_back, used) = channel::<Vec<u8>>();
        let hasher = scope.spawn(move || {
            let mut context = Context::new(&SHA256);
            for (buffer, length) in pieces {
                context.update(buffer.get(..length).unwrap_or_default());
                // Nobody wants it back at the end.
                let _ = give_back.send(buffer);
            }
            sealed(context)
        });
        let (mut bytes, mut begun) = (0, 0);
        let (mut read, mut written) = (Ok(()), Ok(()));
        loop {
            let mut buffer = used.try_recv().unwrap_or_else(|_| vec![0; PIECE]);
            let length = match from.read(&mut buffer) {
                Ok(0) => break,
                Ok(length) => length,
                Err(e) if e.kind() == io::ErrorKind::Interrupted => continue,
                Err(e) => {
                    read = Err(e);
                    break;
                }
            };
            let piece = buffer.get(..length).unwrap_or_default();
            read = goes_on(piece);
            written = to.write_all(piece);
            bytes += length as u64;
            if bytes - begun >= BEHIND {
                begin_writing(to, begun, bytes - begun);
                begun = bytes;
            }
            if read.is_err() || written.is_err() || send.send((buffer, length)).is_err() {
                break;
            }
        }
        drop(send);
        let hashed = hasher.join();
        let hashed = hashed.map_err(|_| io::Error::other("the hashing broke off"));
        (read.and(hashed).map(|sha256| (sha256, bytes)), written)
    })
}

/// Asks the kernel to begin writing a part of the file to the drive, and not to keep it in memory: on
/// Linux this advice starts the writing of what is not written yet (`generic_fadvise` in mm/fadvise.c).
fn begin_writing(to: &File, from: u64, bytes: u64) {
    if let Err(error) = fadvise(to, from, NonZeroU64::new(bytes), Advice::DontNeed) {
        log::debug!("it is written when it is synced: {error}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::hash;

    /// Around the length from which on two threads work.
    const LENGTHS: [u64; 5] = [0, 1, LARGE - 1, LARGE, 3 * LARGE + 7];

    fn bytes(length: u64) -> Vec<u8> {
        let mut bytes = vec![0; usize::try_from(length).unwrap()];
        fastrand::Rng::with_seed(length).fill(&mut bytes);
        bytes
    }

    #[test]
    fn every_byte_comes_in_its_place() {
        let folder = tempfile::tempdir().unwrap();
        for length in LENGTHS {
            let (path, from) = (folder.path().join("to"), bytes(length));
            let mut heard = 0;
            let to = File::create(&path).unwrap();
            let copied = copy(&from[..], &to, length, &mut |bytes| {
                heard += bytes;
                true
            });
            assert_eq!(copied.unwrap(), (hash::of(&[&from]), length));
            assert_eq!(heard, length);
            assert!(std::fs::read(&path).unwrap() == from, "{length}");
        }
    }

    #[test]
    fn each_failure_is_its_own() {
        struct Broken(u64);
        impl Read for Broken {
            fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
                match self.0.checked_sub(buffer.len() as u64) {
                    None => Err(io::Error::other("broken")),
                    Some(left) => {
                        self.0 = left;
                        Ok(buffer.len())
                    }
                }
            }
        }
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("to");
        for length in [LARGE / 2, 2 * LARGE] {
            let to = File::create(&path).unwrap();
            let from = Broken(length / 2);
            let copied = copy(from, &to, length, &mut |_| true);
            assert!(matches!(copied, Err(Failure::Reading(_))), "{copied:?}");
            // Opened to be read: nothing can be written.
            let to = File::open(&path).unwrap();
            let copied = copy(&bytes(length)[..], &to, length, &mut |_| true);
            assert!(matches!(copied, Err(Failure::Writing(_))), "{copied:?}");
            let to = File::create(&path).unwrap();
            let mut left = 3;
            let copied = copy(&bytes(length)[..], &to, length, &mut |_| {
                left -= 1;
                left > 0
            });
            assert!(matches!(copied, Err(Failure::Ended)), "{copied:?}");
        }
    }
}
