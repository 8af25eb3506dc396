//! One writer at a time: a file lock, and a heartbeat for drives where locks do not reach across
//! computers (NFS and SMB mounts).

use super::dir::Dir;
use crate::error::{Error, Kind, Result};
use crate::object::{Clock, Timestamp};
use rustix::fs::FlockOperation;
use rustix::io::Errno;
use serde::{Deserialize, Serialize};
use std::fs::File;
use std::io::Read as _;
use std::os::unix::fs::FileExt as _;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::Duration;

/// The lock's name at the root of the store.
pub(super) const LOCK: &str = "offsite.lock";

/// More than any holder takes (bytes).
const LONGEST: u64 = 64 << 10;

const BEAT: Duration = Duration::from_secs(30);

/// A heartbeat older than this (seconds) is that of a dead run.
const STALE: i64 = 120;

/// Who holds the lock.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Holder {
    host: String,
    /// `/etc/machine-id`, since every Raspberry Pi is called raspberrypi.
    machine: String,
    pid: u32,
    since: Timestamp,
    beat: Timestamp,
}

impl Holder {
    fn me(now: Timestamp) -> Self {
        let host = rustix::system::uname()
            .nodename()
            .to_string_lossy()
            .into_owned();
        Self {
            machine: std::fs::read_to_string("/etc/machine-id")
                .map_or_else(|_| host.clone(), |id| id.trim().to_owned()),
            host,
            pid: std::process::id(),
            since: now,
            beat: now,
        }
    }

    /// Whether `self`, read from the file, still holds a lock that `me` got from the kernel: the
    /// kernel speaks for its own computer only.
    fn holds_against(&self, me: &Self) -> bool {
        self.machine != me.machine && (me.beat.as_second() - self.beat.as_second()).abs() < STALE
    }

    /// What the lock's file says. A power cut may leave any bytes in it (on exFAT, those of what was
    /// deleted before): they speak for nobody, and must not keep the store locked.
    fn read(file: &File) -> std::io::Result<Option<Self>> {
        let mut text = Vec::new();
        file.take(LONGEST).read_to_end(&mut text)?;
        Ok(serde_json::from_slice(&text).ok())
    }

    fn write(&self, file: &File) -> std::io::Result<()> {
        let text = serde_json::to_string(self)? + "\n";
        file.write_all_at(text.as_bytes(), 0)?;
        file.set_len(text.len() as u64)
    }
}

/// The store's lock, held until dropped.
#[derive(Debug)]
pub(super) struct Lock {
    file: File,
    stop: Option<Sender<()>>,
    beating: Option<JoinHandle<()>>,
}

impl Lock {
    /// Takes the lock, or says who holds it.
    pub(super) fn take(dir: &Dir, clock: &Clock) -> Result<Self> {
        let file = dir.update(LOCK)?;
        let fail = |e: std::io::Error| Error::io("lock", dir.path().join(LOCK), e);
        let there = Holder::read(&file).map_err(fail)?;
        let me = Holder::me(clock.now());
        match rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => {}
            Err(Errno::WOULDBLOCK) => return Err(locked(dir, there)),
            // No locks on this mount: the heartbeat alone has to do.
            Err(Errno::OPNOTSUPP | Errno::NOLCK | Errno::NOSYS | Errno::INVAL) => {
                log::debug!("{}: no file locks here", dir.path().display());
            }
            Err(e) => return Err(fail(e.into())),
        }
        if there
            .as_ref()
            .is_some_and(|holder| holder.holds_against(&me))
        {
            return Err(locked(dir, there));
        }
        me.write(&file).map_err(fail)?;
        let (stop, stopped) = channel();
        let theirs = file.try_clone().map_err(fail)?;
        let clock = clock.clone();
        let beating = std::thread::Builder::new()
            .name("heartbeat".into())
            .spawn(move || beat(me, &theirs, &clock, &stopped))
            .map_err(fail)?;
        Ok(Self {
            file,
            stop: Some(stop),
            beating: Some(beating),
        })
    }
}

fn beat(mut me: Holder, file: &File, clock: &Clock, stopped: &Receiver<()>) {
    while stopped.recv_timeout(BEAT) == Err(RecvTimeoutError::Timeout) {
        me.beat = clock.now();
        if let Err(e) = me.write(file) {
            log::warn!("cannot renew the store's lock: {e}");
        }
    }
}

fn locked(dir: &Dir, holder: Option<Holder>) -> Error {
    let who = holder.map_or_else(
        || "another run".to_owned(),
        |h| format!("process {} on {} since {}", h.pid, h.host, h.since),
    );
    Error::new(
        Kind::Locked,
        format!("the store {} is in use by {who}", dir.path().display()),
    )
    .hint("wait for it to end; the lock of a run that died frees itself within two minutes")
}

impl Drop for Lock {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.beating.take()
            && thread.join().is_err()
        {
            log::warn!("the lock's heartbeat ended early");
        }
        if let Err(e) = self.file.set_len(0) {
            log::debug!("cannot empty the store's lock: {e}");
        }
        // By closing it alone it would stay locked as long as a process that was forked just now
        // has its copy of the handle.
        if let Err(e) = rustix::fs::flock(&self.file, FlockOperation::Unlock) {
            log::debug!("cannot unlock the store: {e}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Clock {
        Clock::standing_at(Timestamp::from_second(second).unwrap())
    }

    #[test]
    fn a_second_writer_is_told_who_holds_the_lock_and_gets_it_afterwards() {
        let temp = tempfile::tempdir().unwrap();
        let dir = Dir::open(temp.path()).unwrap();
        let lock = Lock::take(&dir, &at(0)).unwrap();
        let error = Lock::take(&dir, &at(10_000)).unwrap_err();
        assert_eq!(error.kind(), Kind::Locked);
        let pid = std::process::id().to_string();
        assert!(error.to_string().contains(&pid), "{error}");
        drop(lock);
        assert_eq!(dir.bytes(LOCK).unwrap(), Some(0));
        Lock::take(&dir, &at(1)).unwrap();
    }

    #[test]
    fn what_a_power_cut_left_in_the_locks_file_locks_nobody_out() {
        let temp = tempfile::tempdir().unwrap();
        let dir = Dir::open(temp.path()).unwrap();
        let holder = Holder::me(Timestamp::from_second(1_000).unwrap());
        let whole = serde_json::to_vec(&holder).unwrap();
        for left in [
            b"\xff\xfe\x80 what stood there before".to_vec(),
            vec![0; whole.len()],
            whole[..whole.len() / 2].to_vec(),
            [whole.as_slice(), b"\xff"].concat(),
            vec![b'{'; 1 << 20],
        ] {
            std::fs::write(temp.path().join(LOCK), &left).unwrap();
            drop(Lock::take(&dir, &at(1_001)).unwrap());
            assert_eq!(dir.bytes(LOCK).unwrap(), Some(0));
        }
    }

    #[test]
    fn another_computers_heartbeat_counts_for_two_minutes() {
        let temp = tempfile::tempdir().unwrap();
        let dir = Dir::open(temp.path()).unwrap();
        let mut other = Holder::me(Timestamp::from_second(1_000).unwrap());
        other.host = "other-pi".into();
        other.machine = "another machine".into();
        let write = |holder: &Holder| holder.write(&dir.update(LOCK).unwrap()).unwrap();
        write(&other);
        let error = Lock::take(&dir, &at(1_119)).unwrap_err();
        assert_eq!(error.kind(), Kind::Locked);
        assert!(error.to_string().contains("other-pi"), "{error}");
        drop(Lock::take(&dir, &at(1_120)).unwrap());
        // Our own computer's lock is free once the kernel says so.
        write(&Holder::me(Timestamp::from_second(1_000).unwrap()));
        Lock::take(&dir, &at(1_001)).unwrap();
    }
}
