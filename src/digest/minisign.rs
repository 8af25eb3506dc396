//! minisign's public keys and signatures (its manual, "Signature format", "Public key format"), and
//! whether one signed some bytes. What is signed is the BLAKE2b-512 of a file; by older
//! versions without `-H`, and with `-l`, the file itself.

use crate::object::{EvidenceClass, ObjectKey, Proof, Verdict};
use blake2::{Blake2b512, Digest as _};
use data_encoding::{BASE64, HEXUPPER};
use ring::signature::{ED25519, UnparsedPublicKey};

/// Of a file with more bytes, only a signature of its digest can be checked: it is read once and
/// never held in memory.
pub const WHOLE: u64 = 1 << 20;
/// `Ed`: of the file, and of a key; `ED`: of the file's digest.
const OF_FILE: [u8; 2] = *b"Ed";
const OF_DIGEST: [u8; 2] = *b"ED";

/// A public key that the owner trusts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublicKey {
    id: [u8; 8],
    key: [u8; 32],
}

impl PublicKey {
    /// The key in base64, as `minisign -G` prints it and `minisign.pub` has it.
    pub fn parse(text: &str) -> Option<Self> {
        let bytes = BASE64.decode(text.trim().as_bytes()).ok()?;
        let (kind, rest) = bytes.split_first_chunk()?;
        let (id, rest) = rest.split_first_chunk()?;
        let key = rest.try_into().ok()?;
        (*kind == OF_FILE).then_some(Self { id: *id, key })
    }

    fn signed(&self, message: &[u8], signature: &[u8; 64]) -> bool {
        let key = UnparsedPublicKey::new(&ED25519, &self.key);
        key.verify(message, signature).is_ok()
    }
}

/// What `KEY.minisig` holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signature {
    kind: [u8; 2],
    id: [u8; 8],
    signature: [u8; 64],
    comment: String,
    global: [u8; 64],
}

impl Signature {
    /// A signature file's content: hostile text.
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        let text = std::str::from_utf8(bytes).ok()?;
        let mut lines = text.lines();
        lines.next()?.strip_prefix("untrusted comment:")?;
        let signature = BASE64.decode(lines.next()?.trim().as_bytes()).ok()?;
        let comment = lines.next()?.strip_prefix("trusted comment: ")?;
        let global = BASE64.decode(lines.next()?.trim().as_bytes()).ok()?;
        let (kind, rest) = signature.split_first_chunk()?;
        let (id, rest) = rest.split_first_chunk()?;
        let known = matches!(*kind, OF_FILE | OF_DIGEST);
        known.then_some(Self {
            kind: *kind,
            id: *id,
            signature: rest.try_into().ok()?,
            comment: comment.to_owned(),
            global: global.try_into().ok()?,
        })
    }

    /// Whether the file's digest is signed, and not the file itself.
    pub fn is_of_digest(&self) -> bool {
        self.kind == OF_DIGEST
    }

    /// The signer's words, trusted only where the signature holds.
    pub fn comment(&self) -> &str {
        &self.comment
    }

    /// The name that the file had when it was signed, where the signer's words tell.
    fn file(&self) -> Option<&str> {
        let mut fields = self.comment.split('\t');
        fields.find_map(|field| field.strip_prefix("file:"))
    }

    /// The number of the key that made it, as minisign prints it.
    pub fn key_id(&self) -> String {
        let mut id = self.id;
        id.reverse();
        HEXUPPER.encode(&id)
    }

    /// The key that made it, if it is one of `keys`.
    pub fn maker<'k>(&self, keys: &'k [PublicKey]) -> Option<&'k PublicKey> {
        keys.iter().find(|key| key.id == self.id)
    }

    /// Whether `key` made it for a file called `name`, and of `message`: the file's digest, or the
    /// file itself, see [`Signature::is_of_digest`].
    ///
    /// A signature that names another file is a good one of that file, played again.
    pub fn holds(&self, key: &PublicKey, name: &str, message: &[u8]) -> bool {
        let words = [&self.signature[..], self.comment.as_bytes()].concat();
        self.file().is_none_or(|file| file == name)
            && key.signed(message, &self.signature)
            && key.signed(&words, &self.global)
    }
}

/// The key under which the signature of `key` would lie.
pub fn signature_of(key: &ObjectKey) -> Option<ObjectKey> {
    ObjectKey::new(format!("{}.minisig", key.as_str())).ok()
}

/// The signature that lies beside an object, as evidence about its bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signed {
    /// The key of the file that it stands in.
    pub name: String,
    /// The signature.
    pub signature: Signature,
    /// Who made it, if that is a key that the owner trusts.
    pub maker: Option<PublicKey>,
}

impl Signed {
    /// Whether it is by a key that the owner trusts, and of these bytes under this name.
    pub fn holds_for(&self, name: &str, bytes: &[u8]) -> bool {
        let verdict = match self.signature.is_of_digest() {
            true => {
                self.proof(name, Some(Blake2b512::digest(bytes).as_slice()))
                    .verdict
            }
            false => self.proof(name, Some(bytes)).verdict,
        };
        verdict == Verdict::Holds
    }

    /// What it says of a file called `name`, of which it would have to sign `message`. Nothing, where
    /// it is by a key that the owner does not know, or the message could not be had.
    pub fn proof(&self, name: &str, message: Option<&[u8]>) -> Proof {
        let checked = self.maker.as_ref().zip(message);
        let holds = checked.map(|(maker, message)| self.signature.holds(maker, name, message));
        let (comment, id) = (self.signature.comment(), self.signature.key_id());
        Proof {
            class: EvidenceClass::Signed,
            name: self.name.clone(),
            expected: format!("{comment} by key {id}"),
            verdict: match holds {
                Some(true) => Verdict::Holds,
                Some(false) => Verdict::Fails,
                None => Verdict::Silent,
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // The example of minisign's manual page for the key; the signature by minisign 0.11 of "test".
    const KEY: &str = "RWQf6LRCGA9i53mlYecO4IzT51TGPpvWucNSCh1CBM0QTaLn73Y7GFO3";
    const OF_TEST: &str = "untrusted comment: signature from minisign secret key\n\
        RWQf6LRCGA9i59SLOFxz6NxvASXDJeRtuZykwQepbDEGt87ig1BNpWaVWuNrm73YiIiJbq71Wi+dP9eKL8OC351vwIasSSbXxwA=\n\
        trusted comment: timestamp:1555779966\tfile:test\n\
        QtKMXWyYcwdpZAlPF7tE2ENJkRd1ujvKjlj1m9RtHTBnZPa5WKU5uWRs5GoP5M/VqE81QFuMKI5k/SfNQUaOAA==\n";

    #[test]
    fn a_signature_of_the_file_itself() {
        let keys = [PublicKey::parse(KEY).unwrap()];
        let signature = Signature::parse(OF_TEST.as_bytes()).unwrap();
        assert!(!signature.is_of_digest());
        assert_eq!(signature.key_id(), "E7620F1842B4E81F");
        let maker = signature.maker(&keys).unwrap();
        assert!(signature.holds(maker, "test", b"test"));
        assert!(!signature.holds(maker, "test", b"Test"));
        assert!(!signature.holds(maker, "rest", b"test"), "played again");
        assert_eq!(signature.maker(&[]), None);
        let windows = OF_TEST.replace('\n', "\r\n");
        assert_eq!(Signature::parse(windows.as_bytes()), Some(signature));
        // The signer's words are signed too.
        let other = OF_TEST.replace("file:test", "file:rest");
        let other = Signature::parse(other.as_bytes()).unwrap();
        assert!(!other.holds(maker, "rest", b"test"));
    }

    #[test]
    fn what_is_no_key_and_no_signature() {
        let secret = "RWRTY0IyBcyGNuGVLT0hSVaZQkMR3mPhlDEWcXbS8lQk1DgKkxdKvVQGZgA=";
        for text in [
            "",
            "RW",
            &KEY[1..],
            secret,
            "RUQf6LRCGA9i53mlYecO4IzT51TGPpvWucNSCh1CBM0QTaLn73Y7GFO3",
        ] {
            assert_eq!(PublicKey::parse(text), None, "{text}");
        }
        let lines: Vec<&str> = OF_TEST.lines().collect();
        for text in [
            String::new(),
            lines[..3].join("\n"),
            lines[1..].join("\n"),
            OF_TEST.replace("RWQf", "RXQf"),
            OF_TEST.replace("trusted comment: timestamp", "timestamp"),
            OF_TEST.replace("AA==", "AAAA"),
        ] {
            assert_eq!(Signature::parse(text.as_bytes()), None, "{text}");
        }
        assert_eq!(Signature::parse(&[0xff; 300]), None);
    }
}
