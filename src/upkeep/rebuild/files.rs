//! Files that rows do not vouch for, and rows that files do not.

use super::Work;
use crate::error::Result;
use crate::home::strangers;
use crate::object::{Fact, State};
use crate::upkeep::Problem;

impl Work<'_, '_> {
    /// Names every file that neither the journal nor the sums vouch for. It is left as it is.
    pub(super) fn strangers(&mut self) -> Result<()> {
        let mut met = Vec::new();
        let (reader, catalogue) = (self.shelf.store().reader(), self.shelf.catalogue());
        strangers(
            (reader, catalogue),
            self.shelf.name(),
            &mut |_| Ok(true),
            &mut |lies, known| {
                self.go_on()?;
                if !known {
                    met.push(lies.clone());
                }
                Ok(())
            },
        )?;
        let folder = format!("{}/", self.shelf.name());
        for lies in met {
            let what = match lies.bytes {
                None => "it is no regular file; left as it is",
                Some(_) => "no line of the journal or of the sums vouches for it; left as it is",
            };
            self.note(lies.path.strip_prefix(&folder).unwrap_or(&lies.path), what);
        }
        Ok(())
    }

    /// Rows whose file is not what they say have none from now on: the next pull asks for it
    /// again, and moves aside what stands under its name.
    pub(super) fn retire(&mut self) -> Result<()> {
        let wrong = std::mem::take(&mut self.wrong);
        if wrong.is_empty() {
            return Ok(());
        }
        let mut named = Vec::new();
        self.each_row(&mut |work, row| {
            let (Some(why), Some(path)) = (wrong.get(&row.id), row.path) else {
                return Ok(());
            };
            if named.len() < 10 {
                named.push(format!("{}: {why}", row.key));
            }
            work.report.damage.push(Problem {
                path: Some(path),
                what: why.clone(),
            });
            let at = work.diary.now();
            let noted = Fact::Noted {
                key: row.key,
                identity: row.identity,
                state: State::Pending,
                in_bucket: row.in_bucket,
                at,
            };
            work.diary.add(work.shelf, noted)
        })?;
        self.files_lost(wrong.len(), &named)
    }
}
