//! A secret that is no key to the bucket: one line, in the environment or handed by systemd.

use super::systemd;
use crate::error::{Error, Kind, Result};
use zeroize::Zeroizing;

/// A secret's text; zeroed after use.
pub type Text = Zeroizing<String>;

/// The secret in the environment's variable `name`.
pub fn variable(name: &str) -> Result<Text> {
    let text = std::env::var(name).map(Zeroizing::new).unwrap_or_default();
    one_line(&text).ok_or_else(|| {
        let what = format!("there is no secret in the environment variable {name}");
        Error::new(Kind::Usage, what)
            .hint("set it for whatever runs this program: the timer's service, or cron")
    })
}

/// The secret in the systemd credential `name`.
pub fn handed_by_systemd(name: &str) -> Result<Text> {
    let text = systemd::read(name)?;
    one_line(&text).ok_or_else(|| {
        let what = format!("the systemd credential {name} is empty");
        Error::new(Kind::Usage, what).hint("it needs the secret and nothing else")
    })
}

/// The text without the line break that an editor leaves at its end.
fn one_line(text: &str) -> Option<Text> {
    let line = text.trim();
    (!line.is_empty()).then(|| Zeroizing::new(line.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_an_editor_leaves_is_no_part_of_a_secret() {
        assert_eq!(one_line("s3cret\r\n").unwrap().as_str(), "s3cret");
        assert!(one_line(" \n").is_none());
    }

    #[test]
    fn a_variable_that_is_not_there_is_named() {
        let error = variable("OFFSITE_TEST_NO_SUCH_VARIABLE").unwrap_err();
        assert!(error.to_string().contains("NO_SUCH_VARIABLE"), "{error}");
    }
}
