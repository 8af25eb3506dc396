//! Making way: a run that takes hours lets others have the store in between.

use super::Home;
use crate::error::{Error, Kind, Result};
use crate::outcome::Stop;
use crate::store::Store;
use std::time::{Duration, Instant};

/// So long is waited for somebody who asked to take it; who asked and was killed never does.
const TAKEN: Duration = Duration::from_secs(2);
/// How often that is looked at.
const LOOK: Duration = Duration::from_millis(50);
/// How often a store is tried that another run has.
const TRY: Duration = Duration::from_millis(500);

/// The store that `open` opens, once no other run has it: at most so much later, and until `stop`.
///
/// # Errors
/// Those of `open`, [`Kind::Locked`] among them once it was tried for long enough, and
/// [`Kind::Interrupted`].
pub fn once_free(
    open: &dyn Fn() -> Result<Home>,
    patience: Option<Duration>,
    stop: &Stop,
) -> Result<Home> {
    let begin = Instant::now();
    loop {
        match open() {
            Err(error)
                if error.kind() == Kind::Locked
                    && patience.is_none_or(|most| begin.elapsed() < most) =>
            {
                log::debug!("{error}: waiting");
            }
            opened => return opened,
        }
        if stop.requested() {
            let what = "interrupted while another run had the store";
            return Err(Error::new(Kind::Interrupted, what));
        }
        std::thread::sleep(TRY);
    }
}

impl Home {
    /// Whether somebody waits for the store. It must have been opened so that it gives way.
    pub fn is_wanted(&self) -> Result<bool> {
        self.store.reader().is_wanted()
    }

    /// Closes the store for whoever waits for it, and opens it again by `open` when it is free again.
    /// What was known of it may have changed.
    ///
    /// # Errors
    /// As [`once_free`]. The store is closed then.
    pub fn make_way(self, open: &dyn Fn() -> Result<Self>, stop: &Stop) -> Result<Self> {
        let path = self.store.path().to_owned();
        self.close()?;
        let reader = Store::open_read(&path)?;
        let begin = Instant::now();
        // Who gets the lock takes the request away.
        while reader.is_wanted()? && begin.elapsed() < TAKEN && !stop.requested() {
            std::thread::sleep(LOOK);
        }
        once_free(open, None, stop)
    }
}
