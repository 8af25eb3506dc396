//! Following a journal from where it was left: what a mirror reads of the first store.

use super::Reader;
use super::chain::{self, Chain, Found};
use super::journal;
use crate::error::Result;
use crate::object::{JournalPosition, Record, SourceName};

impl Reader {
    /// Whether the journal of `source` has the end of a group at `known`, with that head.
    pub fn was_at(&self, source: &SourceName, known: &JournalPosition) -> Result<bool> {
        let dir = self.dir.sub(source.as_str())?;
        let files = chain::files(&dir)?;
        match files.iter().find(|(run, _)| *run == known.run) {
            Some((_, name)) => journal::was_at(&dir, name, known),
            None => Ok(false),
        }
    }

    /// Hands every group after `after` and up to `until` to `each`, in order, its place in the chain
    /// checked, until `each` says false. A group that is not finished is nothing yet.
    pub fn follow(
        &self,
        source: &SourceName,
        after: Option<&JournalPosition>,
        until: &JournalPosition,
        each: &mut dyn FnMut(Vec<Record>, JournalPosition) -> Result<bool>,
    ) -> Result<()> {
        let dir = self.dir.sub(source.as_str())?;
        let (run, offset, head) =
            after.map_or((0, 0, chain::START), |at| (at.run, at.offset, at.head));
        let mut chain = Chain::new(&dir, head);
        for (number, name) in chain::files(&dir)? {
            if number < run || number > until.run {
                continue;
            }
            chain.open(number, &name, if number == run { offset } else { 0 })?;
            loop {
                let group = match chain.next()? {
                    Found::Group(group) => group,
                    Found::End => break,
                    Found::Bad(bad) if bad.torn && number == until.run => return Ok(()),
                    Found::Bad(bad) => return Err(bad.damage()),
                };
                let position = group.position(source);
                if (position.run, position.offset) > (until.run, until.offset)
                    || !each(group.records, position)?
                {
                    return Ok(());
                }
            }
        }
        Ok(())
    }
}
