//! What looking after the copy finds.

use super::version::words;
use std::fmt;

/// What was found about this drive and what is on it, not about the bucket. A store that follows this
/// one has a drive and findings of its own, and does not take these over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Care {
    /// Files are not what was stored.
    Rot,
    /// They were not, and are whole again.
    RotHealed,
    /// Lines of `SHA256SUMS` are not what was written.
    SumsWrong,
    /// Files lie in the store that nothing vouches for.
    UnknownFiles,
    /// The drive cannot read what it has.
    ReadErrors,
    /// The journal is not what was written.
    JournalBroken,
    /// A rebuild of the catalogue did not find files that were stored.
    FilesLost,
    /// A rebuild found files that `SHA256SUMS` alone vouches for.
    FilesAdopted,
    /// A rehearsal of a restore failed, and the bytes are right.
    DrillFailed,
    /// A rehearsal met damaged files.
    DrillDamaged,
}
words!(Care, Rot => "rot", RotHealed => "rot-healed", SumsWrong => "sums-wrong",
    UnknownFiles => "unknown-files", ReadErrors => "read-errors",
    JournalBroken => "journal-broken", FilesLost => "files-lost",
    FilesAdopted => "files-adopted", DrillFailed => "drill-failed",
    DrillDamaged => "drill-damaged");
