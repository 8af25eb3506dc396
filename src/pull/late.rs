//! Evidence that arrives late. A sidecar or a sums file that comes after its objects were stored
//! never moves a stored file; what it contradicts is said. A signature for whose lack a version is
//! held lets it in.

use super::beside::MOST;
use super::group::Group;
use super::words::{self, Frame};
use crate::catalogue::EventRow;
use crate::digest::{
    Beside, Claimed, Evidence, Hasher, PublicKey, Signature, Signed, Sums, Verified, beside,
    folder_of, last_segment,
};
use crate::error::{Error, Result};
use crate::home::Shelf;
use crate::object::{EvidenceClass, Fact, Identity, ObjectKey, State, StoredVersion, Verdict};
use std::io::Read as _;

/// Bytes of a held file read at once.
const PIECE: usize = 256 << 10;

/// So many events about an object are looked at before one is said again.
const DISPUTES: u32 = 20;

impl Group<'_, '_> {
    /// Lets in what is held for the lack of this signature alone.
    pub(super) fn signs_late(&mut self, late: &Verified) -> Result<()> {
        if !matches!(beside(late.key()), Some(Beside::Signature { .. })) {
            return Ok(());
        }
        let (demands, at) = (self.demands.clone(), self.now());
        let shelf = self.shelf();
        let Some(row) = signed_by(shelf, late, demands.keys())? else {
            return Ok(());
        };
        let source = shelf.name().to_string();
        let frame = Frame {
            source: &source,
            number: 0,
            at,
        };
        let unsigned = frame.unsigned(&row.key, &row.identity, &[]);
        if shelf.catalogue().is_open(shelf.name(), &unsigned)? {
            self.fact(Fact::Event(words::signed_late(&row.key, frame.at)));
            self.promote(row)?;
        }
        Ok(())
    }

    /// Says what a file that is about others contradicts, once.
    pub(super) fn disputes(&mut self, late: &Verified) -> Result<()> {
        let disputed = disputed_by(self.shelf(), late)?;
        let Some(event) = words::disputed(late.key(), &disputed, self.now()) else {
            return Ok(());
        };
        let about = event.key.as_ref().map(ObjectKey::as_str);
        let said = self.shelf().catalogue().events(about, DISPUTES)?;
        let same = |row: &EventRow| row.event.kind == event.kind && row.event.text == event.text;
        if !said.iter().any(same) {
            self.fact(Fact::Event(event));
        }
        Ok(())
    }
}

/// The stored objects whose bytes the newly come file `late` says are other ones, each with the
/// digest that it gives.
fn disputed_by(shelf: &Shelf<'_>, late: &Verified) -> Result<Vec<(ObjectKey, String)>> {
    let key = late.key();
    let (kind, of) = match beside(key) {
        Some(Beside::Sidecar { of, kind }) => (Some(kind), Some(of)),
        Some(Beside::Sums { kind }) => (kind, None),
        Some(Beside::Signature { .. }) | None => return Ok(Vec::new()),
    };
    if late.bytes() == 0 || late.bytes() > MOST {
        return Ok(Vec::new());
    }
    let sums = Sums::parse(&read(shelf, late.staged())?, kind);
    let mut disputed = Vec::new();
    if let Some(of) = of {
        let said = sums.of_one(last_segment(of.as_str()));
        disputed.extend(contradicted(shelf, late, of, &said)?);
        return Ok(disputed);
    }
    for (name, said) in sums.each().filter(|(name, _)| !name.is_empty()) {
        let of = ObjectKey::new(format!("{}{name}", folder_of(key.as_str())));
        if let Ok(of) = of
            && !matches!(beside(&of), Some(Beside::Sums { .. }))
        {
            disputed.extend(contradicted(shelf, late, of, &said)?);
        }
    }
    Ok(disputed)
}

fn read(shelf: &Shelf<'_>, staged: &str) -> Result<Vec<u8>> {
    let path = format!("{}/{staged}", shelf.name());
    let reader = shelf.store().reader();
    let mut bytes = Vec::new();
    reader
        .open(&path)?
        .take(MOST)
        .read_to_end(&mut bytes)
        .map_err(|e| Error::io("read", reader.path().join(&path), e))?;
    Ok(bytes)
}

/// `of` with the digest that it should have, if it is stored and has another.
fn contradicted(
    shelf: &Shelf<'_>,
    late: &Verified,
    of: ObjectKey,
    said: &[(Claimed, String)],
) -> Result<Option<(ObjectKey, String)>> {
    let (catalogue, source) = (shelf.catalogue(), shelf.name());
    // What this run fetches is compared with it as it comes, and the row may be that of another
    // version.
    if said.is_empty() || catalogue.plan_has(source, of.as_str())? {
        return Ok(None);
    }
    let row = catalogue.current_of(source, &of, State::Stored)?;
    let Some(row) = row.filter(|row| is_not_newer(&row.identity, late.identity())) else {
        return Ok(None);
    };
    let known_then = |value: &String| {
        let mut proofs = row.proofs.iter();
        proofs.any(|p| p.name == late.key().as_str() && p.expected == *value)
    };
    let other = said.iter().find(|(kind, value)| {
        digest_of(&row, *kind).is_some_and(|ours| ours != *value) && !known_then(value)
    });
    Ok(other.map(|(_, value)| (of, value.clone())))
}

/// The held version that the newly come signature `late` signs, with that among its evidence.
fn signed_by(
    shelf: &Shelf<'_>,
    late: &Verified,
    keys: &[PublicKey],
) -> Result<Option<StoredVersion>> {
    let Some(Beside::Signature { of }) = beside(late.key()) else {
        return Ok(None);
    };
    if keys.is_empty() || late.bytes() > MOST {
        return Ok(None);
    }
    let row = shelf
        .catalogue()
        .current_of(shelf.name(), &of, State::Held)?;
    let Some(row) = row.filter(|row| is_not_newer(&row.identity, late.identity())) else {
        return Ok(None);
    };
    let Some(signature) = Signature::parse(&read(shelf, late.staged())?) else {
        return Ok(None);
    };
    let signed = Signed {
        name: late.key().as_str().to_owned(),
        maker: signature.maker(keys).cloned(),
        signature,
    };
    proven(shelf, row, signed)
}

/// The version with its proof, if its file still is what it was, and signed.
fn proven(
    shelf: &Shelf<'_>,
    mut row: StoredVersion,
    signed: Signed,
) -> Result<Option<StoredVersion>> {
    let Some(path) = &row.path else {
        return Ok(None);
    };
    let evidence = Evidence {
        size: row.identity.size,
        signature: Some(signed.clone()),
        ..Evidence::default()
    };
    let reader = shelf.store().reader();
    let mut file = reader.open(path)?;
    let mut hasher = Hasher::new(&evidence);
    let mut piece = vec![0; PIECE];
    loop {
        let read = file.read(&mut piece);
        let read = read.map_err(|e| Error::io("read", reader.path().join(path), e))?;
        match piece.get(..read) {
            Some(bytes) if read > 0 => hasher.update(bytes),
            _ => break,
        }
    }
    let digests = hasher.finish();
    let name = last_segment(row.key.as_str());
    let proof = signed.proof(name, digests.message.as_deref());
    if row.sha256 != Some(digests.sha256) || proof.verdict != Verdict::Holds {
        return Ok(None);
    }
    row.evidence = Some(EvidenceClass::Signed);
    row.proofs.push(proof);
    Ok(Some(row))
}

fn is_not_newer(stored: &Identity, late: &Identity) -> bool {
    stored.last_modified.as_second() <= late.last_modified.as_second()
}

/// A digest of a stored version's bytes, where one is known.
fn digest_of(row: &StoredVersion, kind: Claimed) -> Option<String> {
    match kind {
        Claimed::Sha256 => row.sha256.map(|digest| digest.to_string()),
        Claimed::Md5 => {
            let held = |name: &str, verdict| name == "etag-md5" && verdict == Verdict::Holds;
            let mut proofs = row.proofs.iter();
            let proof = proofs.find(|p| held(&p.name, p.verdict))?;
            Some(proof.expected.to_ascii_lowercase())
        }
        Claimed::Sha1 | Claimed::Sha512 => None,
    }
}
