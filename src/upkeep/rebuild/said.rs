//! What a rebuild has to say.

use super::Work;
use crate::error::Result;
use crate::object::{Advice, Care, Severity};

impl Work<'_, '_> {
    /// The last words.
    pub(super) fn close(&mut self) -> Result<()> {
        if self.adopted > 0 {
            let advice = Advice {
                what: format!(
                    "{} files that no line of the journal knew are known by SHA256SUMS alone",
                    self.adopted
                ),
                evidence: "a rebuild of the catalogue read them, and their lines are right. What the bucket said of them was in the journal, which lacks it".to_owned(),
                next: "if you know how the journal lost its lines, acknowledge this; the next pull compares them with the bucket".to_owned(),
            };
            self.diary
                .finding(self.shelf, Care::FilesAdopted, Severity::Warning, advice)?;
        }
        self.diary.close(self.shelf, "complete")
    }

    /// Files are not there, or are not what was stored.
    pub(super) fn files_lost(&mut self, rows: usize, named: &[String]) -> Result<()> {
        let more = rows.saturating_sub(named.len());
        let mut evidence = named.join("; ");
        if more > 0 {
            evidence.push_str(&format!("; and {more} more"));
        }
        let advice = Advice {
            what: format!("{rows} stored versions are lost: missing, or not what was stored"),
            evidence,
            next: "the next pull fetches those again that the bucket still has (what stands under their names is moved into history/); `offsite scrub --heal` takes them from a mirror (--from DIR). If the drive is failing, copy it to another one first".to_owned(),
        };
        self.diary
            .finding(self.shelf, Care::FilesLost, Severity::Alarm, advice)
    }
}
