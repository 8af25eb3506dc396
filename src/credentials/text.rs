//! The text that a secret is kept in: the lines of an AWS credentials file or of an environment
//! file, so that either can be pasted.

use crate::error::{Error, Kind, Result};
use aws_credential_types::Credentials;

/// The longest such text; a key has a few hundred bytes.
pub(super) const LONGEST: u64 = 64 << 10;

/// Reads `NAME = VALUE` lines: `aws_access_key_id`, `aws_secret_access_key` and, where there is
/// one, `aws_session_token`, in small or capital letters. Lines that begin with `#`, `;` or `[`
/// say nothing. `place` is where the text came from, for errors, which never quote it.
pub(super) fn parse(text: &str, place: &str) -> Result<Credentials> {
    let of = |wanted: &str| {
        text.lines().rev().find_map(|line| {
            let (name, value) = line.trim().split_once('=')?;
            let value = value.trim().trim_matches('"');
            (name.trim().eq_ignore_ascii_case(wanted) && !value.is_empty()).then_some(value)
        })
    };
    let missing = |name: &str| {
        Error::new(Kind::Usage, format!("{place} has no line {name} = ..."))
            .hint("it needs the lines aws_access_key_id = ... and aws_secret_access_key = ..., as in an AWS credentials file")
    };
    let id = of("aws_access_key_id").ok_or_else(|| missing("aws_access_key_id"))?;
    let secret = of("aws_secret_access_key").ok_or_else(|| missing("aws_secret_access_key"))?;
    let token = of("aws_session_token").map(str::to_owned);
    Ok(Credentials::new(id, secret, token, None, "offsite"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_of_either_kind() {
        for text in [
            "[default]\naws_access_key_id = AK\naws_secret_access_key = s/+=\n",
            "# the Pi's\nAWS_ACCESS_KEY_ID=AK\nAWS_SECRET_ACCESS_KEY=\"s/+=\"\r\n",
        ] {
            let key = parse(text, "here").unwrap();
            assert_eq!(key.access_key_id(), "AK", "{text}");
            assert_eq!(key.secret_access_key(), "s/+=", "{text}");
            assert_eq!(key.session_token(), None, "{text}");
        }
        let text = "aws_access_key_id=A\naws_secret_access_key=S\naws_session_token=T";
        assert_eq!(parse(text, "here").unwrap().session_token(), Some("T"));
    }

    #[test]
    fn what_is_missing_is_named_and_nothing_quoted() {
        for (text, name) in [
            ("", "aws_access_key_id"),
            ("hunter2", "aws_access_key_id"),
            ("aws_access_key_id=hunter2", "aws_secret_access_key"),
            (
                "aws_access_key_id=hunter2\naws_secret_access_key=",
                "aws_secret_access_key",
            ),
        ] {
            let error = parse(text, "the credential x").unwrap_err();
            assert!(error.to_string().contains(name), "{error}");
            assert!(error.to_string().contains("the credential x"), "{error}");
            assert!(!format!("{error:?}").contains("hunter2"), "{error:?}");
        }
    }
}
