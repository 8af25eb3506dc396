//! `[limits]`: what a run may take of the line, the time and the drive.

use super::timetable::Timetable;
use super::{parse_duration, parse_size};
use crate::error::{Error, Kind, Result};
use serde::Deserialize;
use std::time::Duration;

/// `[limits]`. Everything in it is optional; without any of it there is no limit.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LimitsConfig {
    /// How fast downloads may be, all together.
    pub rate: Timetable,
    /// How many requests may be under way at once.
    pub concurrency: Option<usize>,
    /// A run that takes longer ends as if it were interrupted; the next one goes on.
    pub max_duration: Option<Duration>,
    /// Larger objects stay in the bucket, in bytes.
    pub max_object: Option<u64>,
    /// The most that one run fetches of one source, in bytes; what is left is for the next run.
    pub max_bytes: Option<u64>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawLimits {
    rate: Option<String>,
    concurrency: Option<usize>,
    max_duration: Option<String>,
    max_object: Option<String>,
    max_bytes: Option<String>,
}

impl RawLimits {
    pub(super) fn check(self) -> Result<LimitsConfig> {
        let size = |name: &str, text: Option<String>| {
            let size = text.map(|text| parse_size(name, &text)).transpose()?;
            match size {
                Some(0) => Err(nothing(name)),
                size => Ok(size),
            }
        };
        if self.concurrency == Some(0) {
            return Err(nothing("concurrency"));
        }
        let max_duration = self
            .max_duration
            .as_deref()
            .map(parse_duration)
            .transpose()?;
        if max_duration == Some(Duration::ZERO) {
            return Err(nothing("max_duration"));
        }
        Ok(LimitsConfig {
            rate: self
                .rate
                .as_deref()
                .map_or(Ok(Timetable::default()), str::parse)?,
            concurrency: self.concurrency,
            max_duration,
            max_object: size("[limits] max_object", self.max_object)?,
            max_bytes: size("[limits] max_bytes", self.max_bytes)?,
        })
    }
}

fn nothing(name: &str) -> Error {
    let name = name.trim_start_matches("[limits] ");
    Error::new(Kind::Usage, format!("[limits] {name} lets nothing through"))
        .hint("leave the setting out for no limit")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limits(text: &str) -> Result<LimitsConfig> {
        toml::from_str::<RawLimits>(text).unwrap().check()
    }

    #[test]
    fn each_limit_is_read() {
        assert_eq!(limits("").unwrap(), LimitsConfig::default());
        let all = limits(
            "rate = \"1 MiB/s\"\nconcurrency = 3\nmax_duration = \"2h\"\n\
             max_object = \"10 GiB\"\nmax_bytes = \"1 TiB\"",
        );
        let expected = LimitsConfig {
            rate: "1MiB/s".parse().unwrap(),
            concurrency: Some(3),
            max_duration: Some(Duration::from_secs(7200)),
            max_object: Some(10 << 30),
            max_bytes: Some(1 << 40),
        };
        assert_eq!(all.unwrap(), expected);
    }

    #[test]
    fn what_would_let_nothing_through_is_refused() {
        for (text, words) in [
            ("concurrency = 0", "concurrency lets nothing through"),
            ("max_bytes = \"0\"", "max_bytes lets nothing through"),
            ("max_object = \"0 B\"", "max_object lets nothing through"),
            ("max_duration = \"0h\"", "max_duration lets nothing through"),
            (
                "max_object = \"large\"",
                "max_object \"large\" is not a size",
            ),
            ("max_duration = \"long\"", "is not a span of time"),
            ("rate = \"fast\"", "neither a rate nor a timetable"),
        ] {
            let error = limits(text).unwrap_err();
            assert!(error.to_string().contains(words), "{text}: {error}");
            assert!(error.way_out().is_some(), "{text}");
        }
    }
}
