//! Formats that are text: base64 and digits around encrypted bytes.
//!
//! Sources: RFC 9580, section 6 (OpenPGP's armour), the age specification (its armour), OpenSSL's
//! `enc` manual, Ansible's "Vault format".

use super::body::Body;
use super::claim::{Claim, Nature, encrypted, metadata, plaintext};
use super::format::Format;
use super::openpgp;
use super::reader::find;
use super::samples::Samples;
use data_encoding::BASE64;

/// What the first bytes claim.
pub(super) fn recognise(samples: &Samples) -> Option<Claim> {
    let head = samples.head();
    let from = |text: &[u8]| text.len() as u64;
    if let Some(rest) = head.strip_prefix(b"-----BEGIN AGE ENCRYPTED FILE-----") {
        let line = rest.len() - rest.trim_ascii_start().len();
        return match first_bytes(rest).starts_with(b"age-encryption.org/v1\n") {
            true => {
                let from = from(head) - from(rest) + line as u64;
                encrypted(Format::Age, Body::Base64 { from })
            }
            false => None,
        };
    }
    if head.starts_with(b"U2FsdGVkX1") {
        return encrypted(Format::OpenSsl, Body::Base64 { from: 0 });
    }
    if head.starts_with(b"$ANSIBLE_VAULT;") {
        let line = find(head, b"\n")? as u64 + 1;
        return encrypted(Format::AnsibleVault, Body::Hex { from: line });
    }
    pgp(samples)
}

/// A line that says what it is, headers, an empty line, and base64 of packets.
fn pgp(samples: &Samples) -> Option<Claim> {
    let head = samples.head();
    let kind = head.strip_prefix(b"-----BEGIN PGP ")?;
    let signature = kind.starts_with(b"SIGNATURE-");
    if !kind.starts_with(b"MESSAGE") && !signature {
        return plaintext(Format::OpenPgp);
    }
    let (unix, dos) = (find(head, b"\n\n"), find(head, b"\r\n\r\n"));
    let from = match (unix, dos) {
        (Some(at), _) => at + 2,
        (None, at) => at? + 4,
    };
    let packets = first_bytes(head.get(from..)?);
    if signature {
        let short = samples.length() <= 4096;
        let claim = openpgp::recognise(&packets, packets.len() as u64, true)?;
        return match short && claim.nature == Nature::Metadata {
            true => metadata(Format::OpenPgp),
            false => plaintext(Format::OpenPgp),
        };
    }
    match openpgp::recognise(&packets, u64::MAX, true)?.nature {
        Nature::Encrypted(_) => {
            let from = from as u64;
            encrypted(Format::OpenPgp, Body::Base64 { from })
        }
        nature => Some(Claim {
            format: Format::OpenPgp,
            nature,
        }),
    }
}

/// What the first lines of base64 decode to.
fn first_bytes(text: &[u8]) -> Vec<u8> {
    let lines = text.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii);
    let mut bytes = Vec::new();
    for line in lines.filter(|line| !line.is_empty()).take(64) {
        match BASE64.decode(line) {
            Ok(decoded) => bytes.extend(decoded),
            Err(_) => break,
        }
    }
    bytes
}
