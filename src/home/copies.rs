//! Two copies of the catalogue on the drive itself, for the day when SQLite's file rots or somebody
//! breaks it: quicker than a rebuild.

use super::Home;
use crate::catalogue::Catalogue;
use crate::error::Result;
use crate::store::CATALOGUE;
use jiff::SignedDuration;

/// How long a copy is new enough. The catalogue of a million objects is hundreds of MiB, and a
/// pull may come every hour.
const NEW_ENOUGH: SignedDuration = SignedDuration::from_hours(23);

impl Home {
    /// Makes a copy, if something was recorded since the newest one and that is a day old; the
    /// newest becomes the second. Says whether it did.
    pub fn keep_copies(&self) -> Result<bool> {
        match self.newest_copy() {
            Some((mark, _)) if mark == self.catalogue.mark()? => return Ok(false),
            Some((_, Some(at))) if self.clock.now().duration_since(at).abs() < NEW_ENOUGH => {
                return Ok(false);
            }
            _ => {}
        }
        self.copy()?;
        Ok(true)
    }

    /// Makes a copy now; says which name it has.
    pub fn copy(&self) -> Result<&'static str> {
        self.store.still_there()?;
        let bytes = self.store.reader().stat(CATALOGUE)?.unwrap_or(0);
        let _room = self.store.space().reserve(bytes)?;
        self.catalogue.copy_to(&self.store.fresh_copy()?)?;
        // One that is no good must not push a good one out.
        self.store.publish_copy(self.newest_copy().is_some())
    }

    fn newest_copy(&self) -> Option<(crate::catalogue::Mark, Option<crate::object::Timestamp>)> {
        Catalogue::glance(&self.store.copy_path())
            .inspect_err(|e| log::debug!("no copy to go by: {e}"))
            .ok()
    }
}
