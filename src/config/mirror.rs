//! `[mirror]`: where the second store is.

use crate::error::{Error, Kind, Result};
use serde::Deserialize;
use std::path::PathBuf;

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawMirror {
    to: Option<PathBuf>,
}

impl RawMirror {
    pub(super) fn check(self) -> Result<Option<PathBuf>> {
        match self.to {
            Some(to) if !to.is_absolute() => {
                let what = format!("[mirror] to {} is not absolute", to.display());
                Err(Error::new(Kind::Usage, what)
                    .hint("write the whole path, such as /mnt/second/offsite"))
            }
            to => Ok(to),
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::config::Config;

    #[test]
    fn where_the_mirror_is() {
        let parse = |section: &str| {
            Config::parse(&format!(
                "[store]\npath = \"/s\"\n{section}\n[[source]]\nname = \"a\"\nbucket = \"b\"\nregion = \"r\"\n"
            ))
        };
        assert_eq!(parse("").unwrap().mirror_to, None);
        let to = parse("[mirror]\nto = \"/m/offsite\"").unwrap().mirror_to;
        assert_eq!(to.unwrap().to_str(), Some("/m/offsite"));
        for wrong in ["to = \"m\"", "two = \"/m\"", "to = 3"] {
            assert!(parse(&format!("[mirror]\n{wrong}")).is_err(), "{wrong}");
        }
    }
}
