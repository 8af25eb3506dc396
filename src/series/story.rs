//! What is remembered of the stored versions of a series.

use crate::formats::{ENOUGH, Format, Verdict};
use crate::object::{EvidenceClass, Identity, Proof, Timestamp, Verdict as Said};

/// What the stored versions of a series were like until now.
///
/// Only what is the same of all of them is worth anything: a series that ever had readable versions
/// beside encrypted ones is not one that loses its encryption. And nothing is judged that the bucket
/// had before we first saw the like: in the first nights all that it ever had comes in any order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Story {
    /// When the first of them was stored.
    pub stored_at: Option<Timestamp>,
    /// Every kind of content that its versions had, as texts of [`Verdict`], in the order of their
    /// arrival. What repositories keep about themselves is left out.
    pub contents: Vec<String>,
    /// When the first that was judged was stored.
    pub judged_at: Option<Timestamp>,
    /// The names of the uploader's claims that ever held.
    pub claims_held: Vec<String>,
    /// The names of those that were ever about other bytes.
    pub claims_silent: Vec<String>,
    /// When a name was last added to the claims that held.
    pub held_at: Option<Timestamp>,
}

/// How a newcomer differs from all that its series had.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turn {
    /// All were encrypted, and it is not, or cannot be told to be.
    EncryptionLost,
    /// All were encrypted, none in its format.
    EncryptionChanged,
}

/// Formats of which an honest file can be one that nobody can tell: a segment of Borg that begins with
/// a thousand deletions, a 7z archive with the names of ten thousand files.
const NOT_ALWAYS_TOLD: [Format; 4] = [
    Format::Borg,
    Format::Borg2,
    Format::Duplicacy,
    Format::SevenZip,
];

/// So many names of claims are kept: what an uploader writes is text from the bucket.
const CLAIMS: usize = 16;

impl Story {
    /// Takes in a version that was stored at `at`: what it is, and what the evidence said of it.
    pub fn learn(&mut self, content: Option<&str>, size: u64, proofs: &[Proof], at: Timestamp) {
        self.stored_at.get_or_insert(at);
        let telling = content.filter(|content| match Verdict::from_text(content) {
            Some(Verdict::Encrypted(_) | Verdict::Plaintext(_)) => true,
            Some(Verdict::Unknown) => self.expects_to_be_told(size),
            Some(Verdict::Metadata(_)) | None => false,
        });
        if let Some(content) = telling {
            self.judged_at.get_or_insert(at);
            add(&mut self.contents, content);
        }
        let claims = proofs.iter().filter(|proof| {
            matches!(
                proof.class,
                EvidenceClass::UploaderClaim | EvidenceClass::Signed
            )
        });
        for claim in claims {
            match claim.verdict {
                Said::Holds if self.claims_held.len() < CLAIMS => {
                    let new = add(&mut self.claims_held, &super::claim(&claim.name));
                    self.held_at = if new { Some(at) } else { self.held_at };
                }
                Said::Silent if self.claims_silent.len() < CLAIMS => {
                    add(&mut self.claims_silent, &super::claim(&claim.name));
                }
                _ => {}
            }
        }
    }

    /// Whether a newcomer of this `content` differs from all that the series had. Nothing is said of
    /// what was in the bucket before the first was stored here.
    pub fn turn(&self, content: &str, newcomer: &Identity) -> Option<Turn> {
        let seen = |text: &String| Verdict::from_text(text);
        let encrypted = |text: &String| matches!(seen(text), Some(Verdict::Encrypted(_)));
        let was_encrypted = !self.contents.is_empty() && self.contents.iter().all(encrypted);
        if !was_encrypted || !is_after(newcomer, self.judged_at) {
            return None;
        }
        match Verdict::from_text(content)? {
            Verdict::Encrypted(_) if self.contents.iter().any(|c| c == content) => None,
            Verdict::Encrypted(_) => Some(Turn::EncryptionChanged),
            Verdict::Plaintext(_) => Some(Turn::EncryptionLost),
            Verdict::Unknown if self.expects_to_be_told(newcomer.size) => {
                Some(Turn::EncryptionLost)
            }
            Verdict::Unknown | Verdict::Metadata(_) => None,
        }
    }

    /// Whether it means something that nobody can tell what a version of `size` bytes is.
    fn expects_to_be_told(&self, size: u64) -> bool {
        let shy = |text: &String| {
            let seen = Verdict::from_text(text);
            matches!(seen, Some(Verdict::Encrypted(format)) if NOT_ALWAYS_TOLD.contains(&format))
        };
        let shy = !self.contents.is_empty() && self.contents.iter().all(shy);
        size >= ENOUGH as u64 && !shy
    }

    /// Whether a newcomer that cannot be read is one that could be expected to be readable.
    pub fn was_readable(&self, newcomer: &Identity) -> bool {
        is_after(newcomer, self.stored_at)
    }

    /// The names of the claims that always were about the bytes themselves: where one of a newcomer
    /// fails, it is not about other bytes.
    pub fn trusted_claims(&self, newcomer: &Identity) -> Vec<String> {
        if !is_after(newcomer, self.held_at) {
            return Vec::new();
        }
        let held = self.claims_held.iter();
        let silent = |name: &&String| self.claims_silent.contains(name);
        held.filter(|name| !silent(name)).cloned().collect()
    }
}

/// Adds `word` unless it is there.
fn add(words: &mut Vec<String>, word: &str) -> bool {
    let new = !words.iter().any(|known| known == word);
    if new {
        words.push(word.to_owned());
    }
    new
}

/// Whether the bucket got it after `at`.
fn is_after(newcomer: &Identity, at: Option<Timestamp>) -> bool {
    at.is_some_and(|at| newcomer.last_modified > at)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::object::from_ms;

    fn of(size: u64, at: i64) -> Identity {
        Identity {
            version_id: None,
            etag: String::new(),
            size,
            last_modified: from_ms(at),
        }
    }

    fn told(contents: &[(&str, u64)]) -> Story {
        let mut story = Story::default();
        for (content, size) in contents {
            story.learn(Some(content), *size, &[], from_ms(100));
        }
        story
    }

    /// (what the series had, the newcomer, its size, when it came into the bucket) -> turn.
    #[test]
    fn turns() {
        use Turn::*;
        let age = ("encrypted age", 9000);
        for (had, content, size, at, turn) in [
            (vec![age], "encrypted age", 9000, 200, None),
            (vec![age], "plaintext zip", 10, 200, Some(EncryptionLost)),
            (vec![age], "unknown", 4096, 200, Some(EncryptionLost)),
            (vec![age], "unknown", 4095, 200, None),
            (vec![age], "metadata restic", 9000, 200, None),
            (
                vec![age],
                "encrypted openpgp",
                10,
                200,
                Some(EncryptionChanged),
            ),
            (
                vec![age, ("encrypted openpgp", 10)],
                "encrypted openpgp",
                10,
                200,
                None,
            ),
            (
                vec![age, ("encrypted openpgp", 10)],
                "plaintext tar",
                10,
                200,
                Some(EncryptionLost),
            ),
            // It was there before the first was stored here.
            (vec![age], "plaintext zip", 10, 100, None),
            // Both kinds belong to it.
            (
                vec![age, ("plaintext text", 9000)],
                "unknown",
                9000,
                200,
                None,
            ),
            (
                vec![("unknown", 9000), age],
                "plaintext zip",
                9000,
                200,
                None,
            ),
            // Nobody can slip in something small, so that the next one is none of a kind.
            (
                vec![age, ("unknown", 100), ("metadata restic", 9000)],
                "plaintext zip",
                9000,
                200,
                Some(EncryptionLost),
            ),
            (
                vec![("plaintext zip", 9000)],
                "encrypted age",
                9000,
                200,
                None,
            ),
            (vec![], "plaintext zip", 9000, 200, None),
            // What cannot always be told says nothing, and does not disarm.
            (vec![("encrypted 7z", 9000)], "unknown", 9000, 200, None),
            (
                vec![("encrypted 7z", 9000), ("unknown", 9000)],
                "plaintext 7z",
                9000,
                200,
                Some(EncryptionLost),
            ),
            (vec![age], "words of a newer offsite", 9000, 200, None),
        ] {
            let found = told(&had).turn(content, &of(size, at));
            assert_eq!(found, turn, "{had:?} {content} {size} {at}");
        }
    }

    fn claim(name: &str, verdict: Said) -> Proof {
        Proof {
            class: EvidenceClass::UploaderClaim,
            name: name.to_owned(),
            expected: String::new(),
            verdict,
        }
    }

    #[test]
    fn claims_that_can_be_trusted() {
        let mut story = Story::default();
        let learn = |story: &mut Story, name: &str, verdict, at| {
            story.learn(None, 1, &[claim(name, verdict)], from_ms(at));
        };
        learn(&mut story, "md5", Said::Holds, 100);
        assert!(story.was_readable(&of(1, 101)) && !story.was_readable(&of(1, 100)));
        assert_eq!(story.trusted_claims(&of(1, 100)), [""; 0], "it was there");
        assert_eq!(story.trusted_claims(&of(1, 101)), ["md5"]);
        learn(&mut story, "sha256", Said::Holds, 200);
        assert_eq!(story.trusted_claims(&of(1, 150)), [""; 0]);
        learn(&mut story, "md5", Said::Silent, 300);
        assert_eq!(story.trusted_claims(&of(1, 400)), ["sha256"]);
        learn(&mut story, "www/db-20261121.age.sha256", Said::Holds, 300);
        assert!(
            story
                .trusted_claims(&of(1, 301))
                .contains(&super::super::claim("www/db-20261122.age.sha256"))
        );
        for n in 0..50 {
            learn(&mut story, &"x".repeat(n), Said::Holds, 300);
            learn(&mut story, &"x".repeat(n), Said::Silent, 300);
        }
        assert_eq!(
            (story.claims_held.len(), story.claims_silent.len()),
            (16, 16)
        );
    }
}
