//! What an uploader wrote beside an object about its bytes: digests in `x-amz-meta-*`.
//!
//! - rclone: `md5chksum`, base64, of objects in parts (rclone's documentation, "Amazon S3",
//!   "Hashes");
//! - s3cmd: `s3cmd-attrs`, fields `name:value` joined by `/`, among them `md5:` in hexadecimal. Of
//!   what it encrypted itself (`s3cmd --encrypt`) that is the MD5 of the file before: no claim
//!   about these bytes. It says so by `s3tools-gpgenc` (s3cmd 2.4, `cmd_object_put`);
//! - people and scripts: `sha256`, `sha1`, `md5`, `sha512`, in hexadecimal or base64.
//!
//! Text from the bucket: whatever is no digest of the right length is passed over.

use crate::object::EvidenceClass;
use data_encoding::{BASE64, BASE64_NOPAD, HEXLOWER, HEXLOWER_PERMISSIVE};

/// The digests that uploaders claim.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Claimed {
    /// 16 bytes.
    Md5,
    /// 20 bytes.
    Sha1,
    /// 32 bytes.
    Sha256,
    /// 64 bytes.
    Sha512,
}

impl Claimed {
    fn bytes(self) -> usize {
        match self {
            Self::Md5 => 16,
            Self::Sha1 => 20,
            Self::Sha256 => 32,
            Self::Sha512 => 64,
        }
    }
}

/// One claim.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claim {
    /// Where it stands: the name of the metadata, without `x-amz-meta-`, or the key of the file
    /// that lies beside the object.
    pub name: String,
    /// `uploader-claim`, or `signed` where the file that it stands in is.
    pub class: EvidenceClass,
    /// Which digest it is.
    pub kind: Claimed,
    /// The digest in lower-case hexadecimal.
    pub value: String,
}

/// The names of metadata that carry a digest and nothing else.
const NAMES: [(&str, Claimed); 5] = [
    ("md5chksum", Claimed::Md5),
    ("md5", Claimed::Md5),
    ("sha1", Claimed::Sha1),
    ("sha256", Claimed::Sha256),
    ("sha512", Claimed::Sha512),
];

/// The claims in an object's metadata, given by `value_of` without the prefix `x-amz-meta-`.
pub fn claims<'a>(value_of: impl Fn(&str) -> Option<&'a str>) -> Vec<Claim> {
    let plain = NAMES.into_iter().filter_map(|(name, kind)| {
        let value = digest(kind, value_of(name)?)?;
        Some(of_uploader(name, kind, value))
    });
    let encrypted = value_of("s3tools-gpgenc").is_some();
    let attrs = value_of("s3cmd-attrs").filter(|_| !encrypted);
    let attrs = attrs.and_then(|attrs| {
        let md5 = attrs
            .split('/')
            .find_map(|field| field.strip_prefix("md5:"))?;
        let value = digest(Claimed::Md5, md5)?;
        Some(of_uploader("s3cmd-attrs", Claimed::Md5, value))
    });
    plain.chain(attrs).collect()
}

fn of_uploader(name: &str, kind: Claimed, value: String) -> Claim {
    Claim {
        name: name.to_owned(),
        class: EvidenceClass::UploaderClaim,
        kind,
        value,
    }
}

/// A digest in hexadecimal or base64, by its length.
fn digest(kind: Claimed, text: &str) -> Option<String> {
    let text = text.trim().as_bytes();
    let decoded = match text.len() == kind.bytes() * 2 {
        true => HEXLOWER_PERMISSIVE.decode(text),
        false => BASE64.decode(text).or_else(|_| BASE64_NOPAD.decode(text)),
    };
    let decoded = decoded.ok().filter(|bytes| bytes.len() == kind.bytes())?;
    Some(HEXLOWER.encode(&decoded))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const HEX: &str = "25f9e794323b453885f5181f1b624d0b";
    const SHA256: &str = "15e2b0d3c33891ebb0f1ef609ec419420c20e320ce94c65fbc8c3312448eb225";

    fn of(name: &str, value: &str) -> Vec<(String, Claimed, String)> {
        let found = claims(|asked| (asked == name).then_some(value));
        found
            .into_iter()
            .map(|c| (c.name, c.kind, c.value))
            .collect()
    }

    /// `123456789`, as the tools write its digests.
    #[test]
    fn what_uploaders_write() {
        let s3cmd = "atime:1795/ctime:1795/gid:0/gname:root/md5:25f9e794323b453885f5181f1b624d0b/mode:33188/mtime:1795/uid:0/uname:root";
        for (name, value, kind, expected) in [
            ("md5chksum", "JfnnlDI7RTiF9RgfG2JNCw==", Claimed::Md5, HEX),
            ("md5chksum", "JfnnlDI7RTiF9RgfG2JNCw", Claimed::Md5, HEX),
            ("md5", "25F9E794323B453885F5181F1B624D0B", Claimed::Md5, HEX),
            ("s3cmd-attrs", s3cmd, Claimed::Md5, HEX),
            ("sha256", SHA256, Claimed::Sha256, SHA256),
            (
                "sha256",
                " FeKw08M4keuw8e9gnsQZQgwg4yDOlMZfvIwzEkSOsiU= ",
                Claimed::Sha256,
                SHA256,
            ),
        ] {
            assert_eq!(
                of(name, value),
                [(name.to_owned(), kind, expected.to_owned())],
                "{name} {value}"
            );
        }
    }

    #[test]
    fn what_claims_nothing() {
        for (name, value) in [
            ("md5", ""),
            ("md5", "25f9e794323b453885f5181f1b624d0"),
            ("md5", SHA256),
            ("md5chksum", "not base64 of 16 bytes!!"),
            ("sha1", HEX),
            ("s3cmd-attrs", "mode:33188/uname:md5:x"),
            ("s3cmd-attrs", "xmd5:25f9e794323b453885f5181f1b624d0b"),
            ("mtime", "1795230000.5"),
            ("colour", HEX),
        ] {
            assert_eq!(of(name, value), [], "{name} {value}");
        }
    }

    #[test]
    fn what_s3cmd_says_of_a_file_before_it_encrypted_it_is_no_claim() {
        let attrs = format!("mode:33188/md5:{HEX}/uid:0");
        let of = |encrypted: bool| {
            claims(|asked| match asked {
                "s3cmd-attrs" => Some(attrs.as_str()),
                "s3tools-gpgenc" if encrypted => Some("gpg"),
                _ => None,
            })
        };
        assert_eq!(of(false).len(), 1);
        assert_eq!(of(true), []);
    }

    proptest! {
        #[test]
        fn any_text_is_read_without_panic(text in "\\PC*", raw in "[0-9a-zA-Z+/=:]{0,140}") {
            for name in ["md5chksum", "md5", "sha1", "sha256", "sha512", "s3cmd-attrs"] {
                for value in [&text, &raw] {
                    for (_, kind, hex) in of(name, value) {
                        prop_assert_eq!(hex.len(), kind.bytes() * 2);
                    }
                }
            }
        }
    }
}
