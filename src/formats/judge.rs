//! What an object is: what it claims, and whether its bytes bear that out.

use super::body::{Body, raw};
use super::claim::{Claim, Nature};
use super::format::Format;
use super::randomness::{ENOUGH, Randomness};
use super::samples::Samples;
use super::{akeeba, armour, borg, header, layout, openpgp, plain, seven_zip, zip};
use crate::object::ObjectKey;
use std::fmt;

/// What is known of an object besides its bytes.
#[derive(Clone, Copy, Debug)]
pub struct Subject<'a> {
    /// Its key.
    pub key: &'a ObjectKey,
    /// What the uploader put beside it, name and value; names with or without `x-amz-meta-`.
    pub metadata: &'a [(String, String)],
    /// The repository that it is part of, where [`repositories`](super::repositories) names one whose
    /// marker is a known key.
    pub repository: Option<Format>,
}

/// What an object is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Encrypted, by its own word, which nothing contradicts.
    Encrypted(Format),
    /// Readable by anyone who has it.
    Plaintext(Format),
    /// Part of a repository that holds nothing of what was backed up: settings, wrapped keys, lists of
    /// digests, signatures. Neither encrypted nor a leak.
    Metadata(Format),
    /// Nothing known, or a claim that the bytes do not bear out.
    Unknown,
}

/// A verdict and its reasons.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Judgement {
    /// What it is.
    pub verdict: Verdict,
    /// What it claims to be, whether that was believed or not.
    pub claim: Option<Format>,
    /// Whether the bytes that have to be random are so; of what claims nothing, all bytes.
    pub randomness: Randomness,
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Verdict::Encrypted(format) => write!(f, "encrypted {format}"),
            Verdict::Plaintext(format) => write!(f, "plaintext {format}"),
            Verdict::Metadata(format) => write!(f, "metadata {format}"),
            Verdict::Unknown => f.write_str("unknown"),
        }
    }
}

impl Verdict {
    /// The verdict of that text, as `Display` writes it.
    pub fn from_text(text: &str) -> Option<Self> {
        let Some((what, format)) = text.split_once(' ') else {
            return (text == "unknown").then_some(Verdict::Unknown);
        };
        let format = Format::from_name(format)?;
        match what {
            "encrypted" => Some(Verdict::Encrypted(format)),
            "plaintext" => Some(Verdict::Plaintext(format)),
            "metadata" => Some(Verdict::Metadata(format)),
            _ => None,
        }
    }
}

/// Judges an object by its name, its metadata and the samples of its bytes.
///
/// A claim to be encrypted is believed if the bytes that the format says are ciphertext begin
/// like no readable format, and their distribution does not reject that they are random. What
/// is shorter than [`ENOUGH`](super::ENOUGH) is believed without the second.
pub fn judge(subject: &Subject, samples: &Samples) -> Judgement {
    let Some(claim) = claim(subject, samples) else {
        return nameless(None, samples);
    };
    let format = claim.format;
    let (body, presumed) = match claim.nature {
        Nature::Encrypted(body) => (body, false),
        Nature::Presumed(body) => (body, true),
        Nature::Plaintext => return Judgement::of(Verdict::Plaintext(format)),
        Nature::Metadata => return Judgement::of(Verdict::Metadata(format)),
        Nature::Unclear => return nameless(Some(format), samples),
    };
    let randomness = body.randomness(samples);
    let verdict = match (readable(body, samples), randomness) {
        (Some(found), _) => Verdict::Plaintext(found),
        (None, Randomness::Fails { .. }) => Verdict::Unknown,
        (None, Randomness::NotJudged) if presumed => Verdict::Unknown,
        (None, _) => Verdict::Encrypted(format),
    };
    Judgement {
        verdict,
        claim: Some(format),
        randomness,
    }
}

impl Judgement {
    /// The verdict on an object of `length` bytes, where it is worth writing down: not on one that
    /// is too short to be judged and claims nothing, or is a short text. Those are notes, digests
    /// in files of their own, and what a job left empty.
    pub fn telling(&self, length: u64) -> Option<Verdict> {
        let short = length < ENOUGH as u64;
        match self.verdict {
            Verdict::Unknown if short && self.claim.is_none() => None,
            Verdict::Plaintext(Format::Text) if short => None,
            verdict => Some(verdict),
        }
    }

    /// Of what speaks for itself.
    fn of(verdict: Verdict) -> Self {
        let claim = match verdict {
            Verdict::Encrypted(f) | Verdict::Plaintext(f) | Verdict::Metadata(f) => Some(f),
            Verdict::Unknown => None,
        };
        Self {
            verdict,
            claim,
            randomness: Randomness::NotJudged,
        }
    }
}

/// The first claim: the object's own before that of the place where it lies.
fn claim(subject: &Subject, samples: &Samples) -> Option<Claim> {
    let head = samples.head();
    let key = subject.key.as_str();
    let ends = |ends: &[&str]| {
        let key = key.to_ascii_lowercase();
        ends.iter().any(|end| key.ends_with(end))
    };
    let named = ends(&[".gpg", ".pgp", ".asc", ".sig"]);
    let by_place = || {
        let format = subject.repository?;
        layout::part(format, subject.key, samples)
    };
    header::recognise(samples)
        .or_else(|| borg::recognise(samples))
        .or_else(|| seven_zip::recognise(samples))
        .or_else(|| zip::recognise(samples))
        .or_else(|| akeeba::recognise(samples))
        .or_else(|| armour::recognise(samples))
        .or_else(|| openpgp::recognise(head, samples.length(), named))
        .or_else(|| layout::keystone(subject.key, samples))
        .or_else(by_place)
        .or_else(|| layout::said(subject.key, subject.metadata))
        .or_else(|| is_akeeba_part(key).then(|| akeeba::part(samples))?)
}

/// `.j01` to `.j9999`, and the last part, which has the archive's own ending.
fn is_akeeba_part(key: &str) -> bool {
    let digits = |ending: &str| {
        let digits = ending.strip_prefix(['j', 'J']);
        digits.is_some_and(|d| d.len() >= 2 && d.bytes().all(|b| b.is_ascii_digit()))
    };
    let ending = key.rsplit_once('.').map(|(_, ending)| ending);
    ending.is_some_and(|e| digits(e) || e == "jpa" || e == "jps")
}

/// What the bytes that should be ciphertext are, if anyone could read them.
fn readable(body: Body, samples: &Samples) -> Option<Format> {
    let begins = samples.from(body.begins()?);
    plain::recognise(begins, false)
}

/// Of what claims nothing, or a format of which nothing more can be told: whether it can be read, else
/// whether it is random.
fn nameless(claim: Option<Format>, samples: &Samples) -> Judgement {
    let head = samples.head();
    let whole = head.len() as u64 == samples.length();
    let found = plain::recognise(head, whole).filter(|found| Some(*found) != claim);
    let unknown = |body: Body| Judgement {
        verdict: Verdict::Unknown,
        claim,
        randomness: body.randomness(samples),
    };
    match found {
        Some(Format::Text) if plain::is_base64(head) => unknown(Body::Base64 { from: 0 }),
        Some(format) => Judgement::of(Verdict::Plaintext(format)),
        None => unknown(raw(0)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_verdict_comes_back() {
        let of = |f: &Format| {
            [
                Verdict::Encrypted(*f),
                Verdict::Plaintext(*f),
                Verdict::Metadata(*f),
            ]
        };
        let all = Format::ALL.iter().flat_map(of).chain([Verdict::Unknown]);
        for verdict in all {
            assert_eq!(Verdict::from_text(&verdict.to_string()), Some(verdict));
        }
        for text in ["", "encrypted", "encrypted ", "unknown age", "secret age"] {
            assert_eq!(Verdict::from_text(text), None, "{text}");
        }
    }

    #[test]
    fn what_is_worth_writing_down() {
        let key = ObjectKey::new("k").unwrap();
        let subject = Subject {
            key: &key,
            metadata: &[],
            repository: None,
        };
        let text = |length: usize| b"all in order\n".iter().copied().cycle().take(length);
        let text = |length| text(length).collect::<Vec<u8>>();
        for (bytes, told) in [
            (text(0), None),
            (text(4095), None),
            (text(4096), Some("plaintext text")),
            (vec![0xFE; 4095], None),
            (vec![0xFE; 4096], Some("unknown")),
            (b"SQLite format 3\0".to_vec(), Some("plaintext sqlite")),
            (b"Salted__12345678".to_vec(), Some("encrypted openssl")),
        ] {
            let length = bytes.len() as u64;
            let judgement = judge(&subject, &Samples::of(&bytes));
            let verdict = judgement.telling(length).map(|v| v.to_string());
            assert_eq!(verdict.as_deref(), told, "{length} bytes {judgement:?}");
        }
    }
}
