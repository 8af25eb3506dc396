//! Files that rows do not vouch for, and rows that files do not.

use super::{SUMMED, Work};
use crate::error::Result;
use crate::object::{Fact, State};
use crate::store::{Area, Lies};
use crate::upkeep::Problem;

impl Work<'_, '_> {
    /// Names every file that neither the journal nor the sums vouch for. It is left as it is.
    pub(super) fn strangers(&mut self) -> Result<()> {
        let reader = self.shelf.store().reader().clone();
        let source = self.shelf.name().clone();
        let folder = format!("{source}/");
        for area in SUMMED.into_iter().chain([Area::Quarantine]) {
            reader.walk(&source, area, &mut |lies: Lies| {
                self.go_on()?;
                let path = lies.path.strip_prefix(&folder).unwrap_or(&lies.path);
                let what = if lies.bytes.is_none() {
                    "it is no regular file; left as it is"
                } else if self.is_known(path)? {
                    return Ok(());
                } else {
                    "no line of the journal or of the sums vouches for it; left as it is"
                };
                self.note(path, what);
                Ok(())
            })?;
        }
        Ok(())
    }

    /// Whether a row speaks of the file, or the file is the note beside one in quarantine.
    fn is_known(&self, path: &str) -> Result<bool> {
        let (shelf, reader) = (&self.shelf, self.shelf.store().reader());
        if !shelf.catalogue().at_path(shelf.name(), path)?.is_empty() {
            return Ok(true);
        }
        let noted = path
            .strip_suffix(".txt")
            .filter(|path| path.starts_with("quarantine/"));
        Ok(match noted {
            Some(noted) => reader.stat(&self.at(noted))?.is_some(),
            None => false,
        })
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
        self.diary.files_lost(self.shelf, wrong.len(), &named)
    }
}
