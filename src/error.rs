//! What went wrong, about what, why, and the way out.
//!
//! An [`Error`] carries four things: a [`Kind`] (which `cli` maps to an exit code, once), the
//! *subject* in words, the *source* that caused it, and a *hint* that says what to do next.
//! This room prints nothing and knows no exit codes.

use std::fmt;

/// Shorthand used by every room.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What class of failure this is; the command line maps each to one exit code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The command line or the configuration is wrong.
    Usage,
    /// The network, the bucket or the disk failed; a later run goes on.
    Run,
    /// The store is not there, is the wrong one, is read-only or is full. Nothing was written.
    Store,
    /// Another run holds the store's lock.
    Locked,
    /// The copy itself is damaged: the catalogue, the journal or a file is not what it was.
    Damaged,
    /// The owner asked for an end (Ctrl-C, SIGTERM).
    Interrupted,
}

/// A failure with its subject, its cause and the way out.
///
/// `Display` prints one line, `subject: cause`, with control characters escaped, because keys
/// and server answers are hostile text. The hint is printed by `cli` on a line of its own.
#[derive(Debug)]
pub struct Error {
    kind: Kind,
    subject: String,
    source: Option<Box<dyn std::error::Error + Send + Sync>>,
    hint: Option<String>,
}

impl Error {
    /// An error of `kind` about `subject` (a full sentence fragment that names the thing).
    pub fn new(kind: Kind, subject: impl Into<String>) -> Self {
        Self {
            kind,
            subject: subject.into(),
            source: None,
            hint: None,
        }
    }

    /// An I/O failure while doing `what` to `path`. A full drive, a read-only drive and a drive
    /// that went away are [`Kind::Store`], all else is [`Kind::Run`].
    pub fn io(
        what: &str,
        path: impl AsRef<std::path::Path>,
        error: impl Into<std::io::Error>,
    ) -> Self {
        let error = error.into();
        let subject = format!("cannot {what} {}", path.as_ref().display());
        let kind = match error.kind() {
            std::io::ErrorKind::StorageFull
            | std::io::ErrorKind::QuotaExceeded
            | std::io::ErrorKind::ReadOnlyFilesystem => Kind::Store,
            _ => match error.raw_os_error() {
                // ENODEV, ENXIO, EIO, ESTALE: the medium itself went away or is failing.
                Some(19 | 6 | 5 | 116) => Kind::Store,
                _ => Kind::Run,
            },
        };
        let full = error.kind() == std::io::ErrorKind::StorageFull;
        let this = Self::new(kind, subject).because(error);
        if full {
            this.hint("the drive is full: make room on it, or raise [store] min_free so that the next run stops earlier")
        } else {
            this
        }
    }

    /// Adds the cause.
    #[must_use]
    pub fn because(mut self, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        self.source = Some(source.into());
        self
    }

    /// Adds the way out, in words: what the owner can do next.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// The class of the failure.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// What the failure is about.
    pub fn subject(&self) -> &str {
        &self.subject
    }

    /// What the owner can do next, where there is something.
    pub fn way_out(&self) -> Option<&str> {
        self.hint.as_deref()
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", crate::object::printable(&self.subject))?;
        let mut next: Option<&(dyn std::error::Error + 'static)> = match &self.source {
            Some(source) => Some(source.as_ref()),
            None => None,
        };
        while let Some(cause) = next {
            write!(f, ": {}", crate::object::printable(&cause.to_string()))?;
            next = match cause.downcast_ref::<Error>() {
                // Our own errors already print their causes.
                Some(_) => None,
                None => cause.source(),
            };
        }
        Ok(())
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match &self.source {
            Some(source) => Some(source.as_ref()),
            None => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_line_with_causes_and_no_control_characters() {
        let inner = std::io::Error::other("disk\x1b[31m on fire\n");
        let e = Error::new(Kind::Run, "cannot read a\nb").because(inner);
        assert_eq!(
            e.to_string(),
            "cannot read a\\nb: disk\\u{1b}[31m on fire\\n"
        );
    }

    #[test]
    fn a_full_drive_is_about_the_store_and_says_the_way_out() {
        let e = Error::io(
            "write",
            "/x",
            std::io::Error::from(std::io::ErrorKind::StorageFull),
        );
        assert_eq!(e.kind(), Kind::Store);
        assert!(e.way_out().is_some_and(|h| h.contains("make room")));
    }
}
