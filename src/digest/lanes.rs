//! Several digests of the same bytes, on as many processors as there are.
//!
//! A large object comes in pieces of a megabyte or two. To hash such a piece takes milliseconds, and to
//! start a thread takes some microseconds: so the threads live as long as the piece, nothing is
//! copied, nothing waits in a queue, and what is in memory is the piece alone.

use super::hasher::Message;
use super::parts::PartHasher;
use super::running::Running;
use std::num::NonZero;
use std::sync::{LazyLock, Mutex, PoisonError};
use std::thread;

/// A digest that wants the next bytes.
pub(super) enum Digest<'a> {
    Sha256(&'a mut ring::digest::Context),
    Other(&'a mut Running),
    OfParts(&'a mut PartHasher),
    OfMessage(&'a mut Message),
}

impl Digest<'_> {
    fn update(self, bytes: &[u8]) {
        match self {
            Self::Sha256(digest) => digest.update(bytes),
            Self::Other(digest) => digest.update(bytes),
            Self::OfParts(digest) => digest.update(bytes),
            Self::OfMessage(message) => message.update(bytes),
        }
    }

    /// Which are begun first: those that take long, so that none of them is begun last. A CRC takes
    /// next to nothing. SHA-256 is the quickest of the others where the processor has instructions
    /// for it; where it has none, as on a Raspberry Pi 4, there are four processors and none waits.
    fn turn(&self) -> Turn {
        match self {
            Self::Other(Running::Crc(..)) => Turn::Last,
            Self::OfParts(digest) if digest.is_quick() => Turn::Last,
            Self::Sha256(_) => Turn::Second,
            _ => Turn::First,
        }
    }
}

#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum Turn {
    First,
    Second,
    Last,
}

/// From so many bytes on a thread more is worth its start.
const LARGE: usize = 256 << 10;

/// How many processors we may use; one where that cannot be told.
static PROCESSORS: LazyLock<usize> =
    LazyLock::new(|| thread::available_parallelism().map_or(1, NonZero::get));

/// Gives `bytes` to every digest, and returns when all of them have seen it.
pub(super) fn update(mut digests: Vec<Digest<'_>>, bytes: &[u8]) {
    let lanes = match bytes.len() >= LARGE {
        true => digests.len().min(*PROCESSORS),
        false => 1,
    };
    if lanes < 2 {
        return digests.into_iter().for_each(|digest| digest.update(bytes));
    }
    digests.sort_by_key(Digest::turn);
    let waiting = Mutex::new(digests.into_iter());
    let next = || {
        waiting
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .next()
    };
    let lane = || {
        while let Some(digest) = next() {
            digest.update(bytes);
        }
    };
    thread::scope(|scope| {
        for _ in 1..lanes {
            let thread = thread::Builder::new().name("digest".to_owned());
            // Where no thread can be had, this one does all of it.
            thread.spawn_scoped(scope, lane).ok();
        }
        lane();
    });
}
