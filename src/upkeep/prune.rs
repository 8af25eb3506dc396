//! Removing, by order of the owner and never otherwise.

use crate::error::Result;
use crate::home::Home;
use serde::Serialize;

/// A file that a download left behind.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Leftover {
    /// Where, relative to the store.
    pub path: String,
    /// Its length.
    pub bytes: u64,
}

/// Removes what unfinished downloads left in `incoming/` of every source, and hands each to
/// `each`; with `dry_run` it removes nothing. What a crash left between journal and names is
/// finished first, so that nothing journalled is taken for a leftover.
pub fn prune_incoming(
    home: &mut Home,
    dry_run: bool,
    each: &mut dyn FnMut(&Leftover) -> Result<()>,
) -> Result<()> {
    for source in home.store().reader().sources()? {
        let incoming = home.shelf_of(&source)?.incoming();
        for (path, bytes) in incoming.leftovers()? {
            home.store().still_there()?;
            if !dry_run {
                incoming.remove_leftover(&path)?;
            }
            let path = format!("{source}/{path}");
            each(&Leftover { path, bytes })?;
        }
    }
    Ok(())
}
