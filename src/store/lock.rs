//! One writer at a time: a file lock, and a heartbeat for drives where locks do not reach across
//! computers (NFS and SMB mounts).
//!
//! A run that holds it for hours and can stop between two files says in its file that it gives way.
//! Who wants the lock then asks with a file beside it, and waits.

use super::Reader;
use super::dir::Dir;
use crate::error::{Error, Kind, Result};
use crate::object::{Clock, Timestamp};
use crate::outcome::Stop;
use rustix::fs::FlockOperation;
use rustix::io::Errno;
use serde::{Deserialize, Serialize};
use std::fs::File;
use std::io::Read as _;
use std::os::unix::fs::FileExt as _;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

/// The lock's name at the root of the store.
pub(super) const LOCK: &str = "offsite.lock";

/// There while somebody waits for a lock whose holder gives way.
const WANTED: &str = "offsite.lock.wanted";

/// How often who waits looks.
const LOOK: Duration = Duration::from_millis(50);

/// So often for somebody who is not named.
const LOOKS: u32 = 20;

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
    /// Whether it lets go for who asks.
    #[serde(default)]
    gives_way: bool,
}

/// How the lock is taken.
#[derive(Clone, Debug, Default)]
pub struct Manner {
    /// Whether whoever asks gets it for a while.
    pub gives_way: bool,
    /// Whether to wait for a holder that gives way.
    pub waits: Option<Waits>,
}

/// How a holder is waited for that gives way.
#[derive(Clone, Debug)]
pub struct Waits {
    /// Until when.
    pub stop: Stop,
    /// Hears once who is waited for.
    pub told: fn(&Error),
}

impl Holder {
    fn me(now: Timestamp, gives_way: bool) -> Self {
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
            gives_way,
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
    me: Arc<Mutex<Holder>>,
    stop: Option<Sender<()>>,
    beating: Option<JoinHandle<()>>,
}

impl Lock {
    /// Takes the lock, or says who holds it.
    pub(super) fn take(dir: &Dir, clock: &Clock, manner: &Manner) -> Result<Self> {
        let (mut asked, mut unknown) = (false, 0);
        let taken = loop {
            let holder = match Self::attempt(dir, clock, manner.gives_way) {
                Ok(Attempt::Taken(lock)) => break Ok(lock),
                Ok(Attempt::Held(holder)) => holder,
                Err(error) => break Err(error),
            };
            // Between getting it and saying so, and between emptying the file and letting go, nobody
            // is named.
            unknown = if holder.is_some() { 0 } else { unknown + 1 };
            let gives_way = holder.as_ref().map_or(unknown < LOOKS, |h| h.gives_way);
            let who = locked(dir, holder);
            let waits = manner
                .waits
                .as_ref()
                .filter(|waits| !waits.stop.requested());
            let Some(waits) = waits.filter(|_| gives_way) else {
                break Err(who);
            };
            // Another user's is as good as ours.
            if let Err(error) = dir.create(WANTED)
                && dir.stat(WANTED)?.is_none()
            {
                break Err(error);
            }
            if !std::mem::replace(&mut asked, true) {
                (waits.told)(&who);
            }
            std::thread::sleep(LOOK);
        };
        if asked || taken.is_ok() {
            dir.unlink(WANTED)?;
        }
        taken
    }

    /// From now on it is kept to the end, and nobody is to wait for it.
    pub(super) fn keep(&self) {
        renew(&self.me, &self.file, |me| me.gives_way = false);
    }

    fn attempt(dir: &Dir, clock: &Clock, gives_way: bool) -> Result<Attempt> {
        let file = dir.update(LOCK)?;
        let fail = |e: std::io::Error| Error::io("lock", dir.path().join(LOCK), e);
        let there = Holder::read(&file).map_err(fail)?;
        let me = Holder::me(clock.now(), gives_way);
        match rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => {}
            Err(Errno::WOULDBLOCK) => return Ok(Attempt::Held(there)),
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
            return Ok(Attempt::Held(there));
        }
        me.write(&file).map_err(fail)?;
        let me = Arc::new(Mutex::new(me));
        let (stop, stopped) = channel();
        let theirs = file.try_clone().map_err(fail)?;
        let (clock, beats) = (clock.clone(), Arc::clone(&me));
        let beating = std::thread::Builder::new()
            .name("heartbeat".into())
            .spawn(move || beat(&beats, &theirs, &clock, &stopped))
            .map_err(fail)?;
        Ok(Attempt::Taken(Self {
            file,
            me,
            stop: Some(stop),
            beating: Some(beating),
        }))
    }
}

/// What an attempt to get the lock came to.
enum Attempt {
    Taken(Lock),
    /// By whom, where the file says so.
    Held(Option<Holder>),
}

impl Reader {
    /// Whether somebody waits for the lock of this store, and its holder said that it gives way.
    pub fn is_wanted(&self) -> Result<bool> {
        Ok(self.dir.stat(WANTED)?.is_some())
    }
}

fn beat(me: &Mutex<Holder>, file: &File, clock: &Clock, stopped: &Receiver<()>) {
    while stopped.recv_timeout(BEAT) == Err(RecvTimeoutError::Timeout) {
        renew(me, file, |me| me.beat = clock.now());
    }
}

fn renew(me: &Mutex<Holder>, file: &File, change: impl FnOnce(&mut Holder)) {
    let mut me = me.lock().unwrap_or_else(PoisonError::into_inner);
    change(&mut me);
    if let Err(e) = me.write(file) {
        log::warn!("cannot renew the store's lock: {e}");
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

    fn take(dir: &Dir, second: i64) -> Result<Lock> {
        Lock::take(dir, &at(second), &Manner::default())
    }

    fn giving() -> Manner {
        Manner {
            gives_way: true,
            waits: None,
        }
    }

    fn waiting(stop: &Stop) -> Manner {
        Manner {
            gives_way: false,
            waits: Some(Waits {
                stop: stop.clone(),
                told: |who| assert!(who.to_string().contains("in use by")),
            }),
        }
    }

    /// Until somebody waits.
    fn asked(dir: &Dir) {
        while dir.stat(WANTED).unwrap().is_none() {
            std::thread::sleep(LOOK);
        }
    }

    fn me(second: i64) -> Holder {
        Holder::me(Timestamp::from_second(second).unwrap(), false)
    }

    #[test]
    fn a_second_writer_is_told_who_holds_the_lock_and_gets_it_afterwards() {
        let temp = tempfile::tempdir().unwrap();
        let dir = Dir::open(temp.path()).unwrap();
        let lock = take(&dir, 0).unwrap();
        let error = take(&dir, 10_000).unwrap_err();
        assert_eq!(error.kind(), Kind::Locked);
        let pid = std::process::id().to_string();
        assert!(error.to_string().contains(&pid), "{error}");
        drop(lock);
        assert_eq!(dir.bytes(LOCK).unwrap(), Some(0));
        take(&dir, 1).unwrap();
    }

    /// Who asks gets it as soon as it is let go; who wishes to wait no longer is told who has it.
    #[test]
    fn a_holder_that_gives_way_is_asked_and_waited_for() {
        let temp = tempfile::tempdir().unwrap();
        let dir = Dir::open(temp.path()).unwrap();
        let held = Lock::take(&dir, &at(0), &giving()).unwrap();
        take(&dir, 1).unwrap_err();
        assert!(dir.stat(WANTED).unwrap().is_none());
        let stop = Stop::default();
        let waiting = waiting(&stop);
        std::thread::scope(|scope| {
            let waits = scope.spawn(|| Lock::take(&dir, &at(1), &waiting));
            asked(&dir);
            drop(held);
            drop(waits.join().unwrap().unwrap());
            assert!(dir.stat(WANTED).unwrap().is_none());
            let _held = Lock::take(&dir, &at(2), &giving()).unwrap();
            let waits = scope.spawn(|| Lock::take(&dir, &at(3), &waiting));
            asked(&dir);
            stop.request();
            let error = waits.join().unwrap().unwrap_err();
            assert_eq!(error.kind(), Kind::Locked);
            assert!(dir.stat(WANTED).unwrap().is_none());
        });
    }

    /// What cannot be interrupted may take hours: nobody is kept waiting in silence.
    #[test]
    fn who_keeps_it_after_all_is_not_waited_for() {
        let temp = tempfile::tempdir().unwrap();
        let dir = Dir::open(temp.path()).unwrap();
        let held = Lock::take(&dir, &at(0), &giving()).unwrap();
        let waiting = waiting(&Stop::default());
        std::thread::scope(|scope| {
            let waits = scope.spawn(|| Lock::take(&dir, &at(1), &waiting));
            asked(&dir);
            held.keep();
            let error = waits.join().unwrap().unwrap_err();
            assert_eq!(error.kind(), Kind::Locked);
        });
        assert!(dir.stat(WANTED).unwrap().is_none());
        assert_eq!(
            Lock::take(&dir, &at(1), &waiting).unwrap_err().kind(),
            Kind::Locked
        );
        drop(held);
        Lock::take(&dir, &at(1), &waiting).unwrap();
    }

    /// Also of a run that was killed while it waited.
    #[test]
    fn who_takes_the_lock_takes_old_requests_away() {
        let temp = tempfile::tempdir().unwrap();
        let dir = Dir::open(temp.path()).unwrap();
        dir.create(WANTED).unwrap();
        let _held = take(&dir, 0).unwrap();
        assert!(dir.stat(WANTED).unwrap().is_none());
    }

    #[test]
    fn what_a_power_cut_left_in_the_locks_file_locks_nobody_out() {
        let temp = tempfile::tempdir().unwrap();
        let dir = Dir::open(temp.path()).unwrap();
        let holder = me(1_000);
        let whole = serde_json::to_vec(&holder).unwrap();
        for left in [
            b"\xff\xfe\x80 what stood there before".to_vec(),
            vec![0; whole.len()],
            whole[..whole.len() / 2].to_vec(),
            [whole.as_slice(), b"\xff"].concat(),
            vec![b'{'; 1 << 20],
        ] {
            std::fs::write(temp.path().join(LOCK), &left).unwrap();
            drop(take(&dir, 1_001).unwrap());
            assert_eq!(dir.bytes(LOCK).unwrap(), Some(0));
        }
    }

    #[test]
    fn another_computers_heartbeat_counts_for_two_minutes() {
        let temp = tempfile::tempdir().unwrap();
        let dir = Dir::open(temp.path()).unwrap();
        let mut other = me(1_000);
        other.host = "other-pi".into();
        other.machine = "another machine".into();
        let write = |holder: &Holder| holder.write(&dir.update(LOCK).unwrap()).unwrap();
        write(&other);
        let error = take(&dir, 1_119).unwrap_err();
        assert_eq!(error.kind(), Kind::Locked);
        assert!(error.to_string().contains("other-pi"), "{error}");
        drop(take(&dir, 1_120).unwrap());
        // Our own computer's lock is free once the kernel says so.
        write(&me(1_000));
        take(&dir, 1_001).unwrap();
    }
}
