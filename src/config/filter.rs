//! Which keys belong to a source: a prefix and globs.

use crate::error::{Error, Kind, Result};
use globset::{GlobBuilder, GlobSet, GlobSetBuilder};

/// Which keys of a bucket belong to a source: those under the prefix that some `include` glob
/// matches (or any, without one) and no `exclude` glob does. `*` matches within a folder, `**`
/// across folders.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    prefix: String,
    include: Option<GlobSet>,
    exclude: GlobSet,
}

impl Filter {
    /// A checked filter, or which glob is no glob.
    pub fn new(prefix: &str, include: &[String], exclude: &[String]) -> Result<Self> {
        Ok(Self {
            prefix: prefix.to_owned(),
            include: match include {
                [] => None,
                globs => Some(glob_set(globs)?),
            },
            exclude: glob_set(exclude)?,
        })
    }

    /// The prefix that the listing asks for.
    pub fn prefix(&self) -> &str {
        &self.prefix
    }

    /// Whether `key` belongs to the source.
    pub fn takes(&self, key: &str) -> bool {
        key.starts_with(&self.prefix)
            && self
                .include
                .as_ref()
                .is_none_or(|globs| globs.is_match(key))
            && !self.exclude.is_match(key)
    }
}

/// The globs as one matcher over whole keys: `*` stays within a folder, `**` does not.
///
/// Also what `ls PATTERN` means by a pattern.
pub fn glob_set(globs: &[String]) -> Result<GlobSet> {
    let mut set = GlobSetBuilder::new();
    for glob in globs {
        let bad = |e: globset::Error| {
            Error::new(Kind::Usage, format!("{glob:?} is not a pattern"))
                .because(e.kind().to_string())
                .hint("patterns: * within a folder, ** across folders, ?, [a-z], {this,that}")
        };
        let glob = GlobBuilder::new(glob)
            .literal_separator(true)
            .build()
            .map_err(bad)?;
        set.add(glob);
    }
    set.build()
        .map_err(|e| Error::new(Kind::Usage, "these patterns are too large together").because(e))
}
