//! `[[drill]]`: the command that proves that a restored backup can be opened.

use super::{SourceConfig, glob_set, parse_duration};
use crate::error::{Error, Kind, Result};
use crate::object::SourceName;
use globset::GlobSet;
use serde::Deserialize;
use std::time::Duration;

/// The default of `timeout`.
const TIMEOUT: Duration = Duration::from_secs(3600);

/// One `[[drill]]`.
#[derive(Clone, Debug)]
pub struct DrillConfig {
    source: Option<SourceName>,
    series: String,
    globs: GlobSet,
    /// A line for `sh -c`. It may hold a secret, so it is in no message.
    pub command: String,
    /// It may take so long.
    pub timeout: Duration,
}

impl DrillConfig {
    /// Whether it is for this series: by its name, or by a pattern as `ls` takes them.
    pub fn is_for(&self, source: &SourceName, series: &str) -> bool {
        self.source.as_ref().is_none_or(|only| only == source)
            && (self.series == series || self.globs.is_match(series))
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawDrill {
    series: String,
    command: String,
    source: Option<SourceName>,
    timeout: Option<String>,
}

impl RawDrill {
    pub(super) fn check(self, sources: &[SourceConfig]) -> Result<DrillConfig> {
        let series = crate::object::printable(&self.series);
        let wrong = |what: &str, way_out: &str| {
            let what = format!("[[drill]] of the series {series}: {what}");
            Err(Error::new(Kind::Usage, what).hint(way_out))
        };
        if self.command.trim().is_empty() {
            return wrong(
                "it has no command",
                "write what opens the backup: command = 'age -d -i /root/key.txt \"$1\" >/dev/null'",
            );
        }
        if let Some(source) = &self.source
            && !sources.iter().any(|s| s.name == *source)
        {
            let what = format!("there is no source {source} in the configuration");
            return wrong(&what, "leave `source` out, and it is for all of them");
        }
        let timeout = self.timeout.as_deref();
        let timeout = timeout.map_or(Ok(TIMEOUT), parse_duration)?;
        if timeout.is_zero() {
            return wrong("its timeout is nothing", "write a span such as \"1h\"");
        }
        Ok(DrillConfig {
            globs: glob_set(std::slice::from_ref(&self.series))?,
            source: self.source,
            series: self.series,
            command: self.command,
            timeout,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;

    fn parse(drill: &str) -> Result<Vec<DrillConfig>> {
        let head = "[store]\npath = \"/x\"\n[[source]]\nname = \"www\"\nbucket = \"b\"\nregion = \"r\"\n[[drill]]\n";
        Ok(Config::parse(&format!("{head}{drill}"))?.drills)
    }

    /// (pattern, source, series) -> whether it is for it.
    #[test]
    fn by_name_or_pattern() {
        let www = SourceName::new("www").unwrap();
        for (pattern, series, is) in [
            ("site/site-*-*utc.tar.age", "site/site-*-*utc.tar.age", true),
            ("site/*", "site/site-*-*utc.tar.age", true),
            ("*", "site/site-*-*utc.tar.age", false),
            ("**", "site/site-*-*utc.tar.age", true),
            ("repo/(restic)", "repo/(restic)", true),
            ("**/(restic)", "a/repo*/(restic)", true),
            ("db-*.age", "db-*.gpg", false),
        ] {
            let drills = parse(&format!("series = '{pattern}'\ncommand = 'true'")).unwrap();
            assert_eq!(drills[0].is_for(&www, series), is, "{pattern} {series}");
            assert_eq!(drills[0].timeout, TIMEOUT);
        }
        let drills = parse("series = '**'\nsource = 'www'\ncommand = 'true'").unwrap();
        assert!(drills[0].is_for(&www, "a"));
        assert!(!drills[0].is_for(&SourceName::new("other").unwrap(), "a"));
    }

    /// What stands there for a command may hold a secret.
    #[test]
    fn wrong_ones_are_named_and_never_quoted() {
        for (text, words) in [
            ("series = 'a'", "missing field `command`"),
            ("series = 'a'\ncommand = ' '", "no command"),
            (
                "series = 'a'\ncommand = ['hunter2']",
                "command: the value is not a string",
            ),
            ("series = '['\ncommand = 'hunter2'", "not a pattern"),
            (
                "series = 'a'\ncommand = 'hunter2'\ntimeout = '0s'",
                "timeout",
            ),
            (
                "series = 'a'\ncommand = 'hunter2'\nsource = 'w'",
                "no source w",
            ),
            ("series = 'a'\ncommand = 'hunter2'\nkey = 1", "key"),
        ] {
            let error = parse(text).unwrap_err();
            assert!(error.to_string().contains(words), "{error} lacks {words:?}");
            assert!(error.way_out().is_some(), "{error}");
            assert!(!format!("{error:?}").contains("hunter2"), "{error:?}");
        }
    }
}
