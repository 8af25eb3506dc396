//! What work says while it goes on and when it ends. No formatting: `cli` and `report` decide
//! how it looks.

use crate::error::Error;
use crate::object::{ObjectKey, RunCounts, Sha256, SourceName};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Something worth showing while work goes on.
#[derive(Debug)]
pub enum Event<'a> {
    /// A source's turn began.
    Source(&'a SourceName),
    /// The listing has shown this many objects so far.
    Listed(u64),
    /// What there is to fetch.
    Planned {
        /// How many objects.
        objects: u64,
        /// Their length together, in bytes.
        bytes: u64,
    },
    /// This many more bytes arrived.
    Bytes(u64),
    /// An object is finished, well or not.
    Finished(&'a ObjectKey),
    /// A group of this many versions is durable and recorded.
    Recorded(u64),
    /// Something did not work and is tried again, or is left for the next run.
    Trouble(&'a str),
}

/// Takes what work says while it goes on. Called from several threads.
pub trait Reporter: Send + Sync {
    /// One event.
    fn report(&self, event: &Event<'_>);
}

/// A reporter that says nothing.
#[derive(Clone, Copy, Debug)]
pub struct Silent;

impl Reporter for Silent {
    fn report(&self, _: &Event<'_>) {}
}

/// The owner's wish that work end soon: the group in hand is finished and recorded, nothing new
/// is begun. Cloned freely; all clones are one wish.
#[derive(Clone, Debug, Default)]
pub struct Stop(Arc<Wish>);

#[derive(Debug, Default)]
struct Wish {
    wanted: AtomicBool,
    overtime: AtomicBool,
    waiters: tokio::sync::Notify,
}

impl Stop {
    /// Asks for the end.
    pub fn request(&self) {
        self.0.wanted.store(true, Ordering::SeqCst);
        self.0.waiters.notify_waiters();
    }

    /// Asks for the end because the time that the owner gave the run is over.
    pub fn time_is_up(&self) {
        self.0.overtime.store(true, Ordering::SeqCst);
        self.request();
    }

    /// Whether it was the time.
    pub fn is_overtime(&self) -> bool {
        self.0.overtime.load(Ordering::SeqCst)
    }

    /// Whether the end was asked for.
    pub fn requested(&self) -> bool {
        self.0.wanted.load(Ordering::SeqCst)
    }

    /// Waits until the end is asked for.
    pub async fn wait(&self) {
        loop {
            let notified = self.0.waiters.notified();
            if self.requested() {
                return;
            }
            notified.await;
        }
    }
}

/// How a run over one source ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// Everything the listing showed is here.
    Complete,
    /// Some objects could not be fetched; the next run tries them again.
    Partial,
    /// The owner asked for an end; what was fetched is recorded.
    Interrupted,
}

impl Ended {
    /// The word for it in the journal and in `log`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Complete => "complete",
            Self::Partial => "partial",
            Self::Interrupted => "interrupted",
        }
    }
}

/// What a run left for the next one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Left {
    /// How many objects.
    pub objects: u64,
    /// Their length together, in bytes.
    pub bytes: u64,
    /// What came first: `max_bytes`, `flood`, `max_duration`, or `interrupted`.
    pub why: &'static str,
}

/// What a run over one source came to.
#[derive(Debug)]
pub struct Outcome {
    /// Which source.
    pub source: SourceName,
    /// How it ended.
    pub ended: Ended,
    /// What it did.
    pub counts: RunCounts,
    /// What was planned and is left for the next run, where a limit or an end came first.
    pub left: Option<Left>,
    /// Why objects are missing, where some are: one reason of possibly several.
    pub failure: Option<Error>,
    /// Alarms that the owner has not acknowledged, old and new.
    pub open_alarms: u64,
    /// The journal's head after the run: noted elsewhere, it shows any later edit.
    pub head: Sha256,
}
