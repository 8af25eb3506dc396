//! The owner's command that opens what was restored: whether it succeeds.

use crate::error::{Error, Kind, Result};
use crate::outcome::Stop;
use crate::program::{Ended, Rules};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

/// So many characters of its last words are quoted.
const QUOTED: usize = 300;

/// A line for `sh -c`.
#[derive(Clone, Copy, Debug)]
pub struct Proof<'p> {
    /// The line. It may hold a secret, so it is in no message.
    pub command: &'p str,
    /// It may take so long.
    pub timeout: Duration,
    /// Variables of the environment that it is not given, besides the bucket's keys.
    pub hidden: &'p [String],
}

impl Proof<'_> {
    /// Runs it in `folder`, with the whole paths of `files` as its arguments. Comes to nothing
    /// where the end was wished for; else to why it failed, if it did.
    pub(super) fn run(
        &self,
        folder: &Path,
        files: &[PathBuf],
        stop: &Stop,
    ) -> Result<Option<Result<(), String>>> {
        let mut command = Command::new("sh");
        command
            .args(["-c", self.command, "drill"])
            .args(files)
            .current_dir(folder)
            .env("PWD", folder)
            .env("OFFSITE_DRILL_DIR", folder)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped());
        let rules = Rules {
            hidden: self.hidden,
            patience: self.timeout,
            stop: &|| stop.requested(),
            alone: true,
        };
        let (ended, said) = rules.run(&mut command).map_err(|e| {
            Error::new(
                Kind::Run,
                "cannot run `sh`, which runs the command of [[drill]]",
            )
            .because(e)
        })?;
        let failed = match ended {
            Ended::Stopped => return Ok(None),
            Ended::Itself(status) if status.success() => return Ok(Some(Ok(()))),
            Ended::Itself(status) => format!("its command ended with {status}"),
            Ended::TooLong => format!(
                "its command did not end within {} s and was killed (`timeout` in [[drill]])",
                self.timeout.as_secs_f64()
            ),
        };
        Ok(Some(Err(match last_words(&said) {
            None => format!("{failed}, without a word"),
            Some(words) => format!("{failed}: \"{words}\""),
        })))
    }
}

/// The end of what it said, on one line: hostile text, as keys and contents may be in it.
fn last_words(said: &str) -> Option<String> {
    let lines: Vec<&str> = said
        .lines()
        .map(str::trim)
        .filter(|l| !l.is_empty())
        .collect();
    let last = lines.iter().skip(lines.len().saturating_sub(3));
    let words = last.copied().collect::<Vec<_>>().join(" / ");
    let over = words.chars().count().saturating_sub(QUOTED);
    let words: String = words.chars().skip(over).collect();
    let cut = if over > 0 { "…" } else { "" };
    (!words.is_empty()).then(|| format!("{cut}{}", crate::object::printable(&words)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_is_quoted_and_harmless() {
        assert_eq!(last_words(" \n\n"), None);
        assert_eq!(
            last_words("one\ntwo\nthree\n\nfo\u{1b}[2Jur\n").as_deref(),
            Some("two / three / fo\\u{1b}[2Jur")
        );
        let long = last_words(&"é".repeat(1000)).unwrap();
        assert_eq!(long.chars().count(), QUOTED + 1);
        assert!(long.starts_with('…'));
    }
}
