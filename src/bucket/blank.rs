//! Keys of nothing but white space.
//!
//! S3 allows them, and whoever can write to the bucket can make one. The SDK takes such a key for
//! a missing one and builds no request. So it goes through the SDK under a name of our own, and
//! gets its true one back before the request is signed.

use crate::object::ObjectKey;
use aws_sdk_s3::config::interceptors::BeforeTransmitInterceptorContextMut;
use aws_sdk_s3::config::{ConfigBag, Intercept, RuntimeComponents};
use data_encoding::HEXLOWER;
use std::borrow::Cow;
use std::fmt::Write as _;
use std::sync::LazyLock;

/// Begins our name for a blank key. Nobody can guess it, and so no object is called like it.
static MARK: LazyLock<String> = LazyLock::new(|| format!("blank-{:032x}-", fastrand::u128(..)));

/// The name under which `key` goes through the SDK.
pub(super) fn name_of(key: &ObjectKey) -> Cow<'_, str> {
    let key = key.as_str();
    if key.trim().is_empty() {
        format!("{}{}", *MARK, HEXLOWER.encode(key.as_bytes())).into()
    } else {
        key.into()
    }
}

/// Puts the key back into the URI of a request.
#[derive(Debug)]
pub(super) struct TrueKey;

impl Intercept for TrueKey {
    fn name(&self) -> &'static str {
        "blank keys"
    }

    fn modify_before_signing(
        &self,
        context: &mut BeforeTransmitInterceptorContextMut<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
        let request = context.request_mut();
        if let Some(uri) = true_uri(request.uri()) {
            request.set_uri(uri)?;
        }
        Ok(())
    }
}

fn true_uri(uri: &str) -> Option<String> {
    let (before, behind) = uri.split_once(MARK.as_str())?;
    let digits = behind.bytes().take_while(u8::is_ascii_hexdigit).count();
    let (hex, after) = behind.split_at_checked(digits)?;
    let mut uri = before.to_owned();
    for byte in HEXLOWER.decode(hex.as_bytes()).ok()? {
        write!(uri, "%{byte:02X}").ok()?;
    }
    Some(uri + after)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_blank_keys_have_another_name() {
        for key in ["a", " a", "a\n", "\u{200b}", "\0", "/", "blank-0-20"] {
            let key = ObjectKey::new(key).unwrap();
            assert_eq!(name_of(&key), key.as_str());
            assert_eq!(true_uri(&format!("http://h/b/{}?x", key.as_str())), None);
        }
        for (key, path) in [(" ", "%20"), ("\n\t", "%0A%09"), ("\u{3000}", "%E3%80%80")] {
            let name = name_of(&ObjectKey::new(key).unwrap()).into_owned();
            let uri = true_uri(&format!("http://h/b/{name}?x=1"));
            assert_eq!(uri, Some(format!("http://h/b/{path}?x=1")));
        }
    }
}
