//! What an object says that it is.

use super::body::Body;
use super::format::Format;

/// A format that was recognised by its own bytes or its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Claim {
    pub(super) format: Format,
    pub(super) nature: Nature,
}

/// What the format says of its content.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Nature {
    /// These bytes are encrypted.
    Encrypted(Body),
    /// As [`Nature::Encrypted`], but nothing in the bytes says so: only if they are random.
    Presumed(Body),
    /// Readable by anyone.
    Plaintext,
    /// Keeps a repository together and holds nothing that was backed up.
    Metadata,
    /// The format, and no telling.
    Unclear,
}

pub(super) fn encrypted(format: Format, body: Body) -> Option<Claim> {
    let nature = Nature::Encrypted(body);
    Some(Claim { format, nature })
}

pub(super) fn plaintext(format: Format) -> Option<Claim> {
    let nature = Nature::Plaintext;
    Some(Claim { format, nature })
}

pub(super) fn metadata(format: Format) -> Option<Claim> {
    let nature = Nature::Metadata;
    Some(Claim { format, nature })
}

pub(super) fn unclear(format: Format) -> Option<Claim> {
    let nature = Nature::Unclear;
    Some(Claim { format, nature })
}
