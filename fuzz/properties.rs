//! What must hold whatever bytes a bucket, a header or a file is made of. The fuzz targets run these on
//! what libFuzzer makes up; `tests/fuzz.rs` runs them on the corpus that is kept, and on random bytes.
//!
//! Each takes an input apart by itself: first the few bytes that say how, then the bytes in question.

#![allow(
    dead_code,
    unreachable_pub,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used
)]

use md5::Digest as _;
use offsite::digest::{
    Algorithm, Checksum, Claimed, Cut, Digests, Evidence, Hasher, Layout, Proven, PublicKey,
    Signature, Signed, Subject, Sums, Verified, beside, parts_of, prove,
};
use offsite::formats::{self, Format, Samples, Sniffer};
use offsite::object::{
    Answer, EvidenceClass, Identity, InBucket, ObjectKey, Proof, Sha256, Verdict, from_ms,
};

/// An input, taken from its beginning; where it ends, zeros follow.
struct Input<'a>(&'a [u8]);

impl<'a> Input<'a> {
    fn u8(&mut self) -> u8 {
        self.some(1).first().copied().unwrap_or(0)
    }

    fn number(&mut self) -> u64 {
        let bytes = self.some(8);
        bytes.iter().fold(0, |n, byte| n << 8 | u64::from(*byte))
    }

    fn some(&mut self, length: usize) -> &'a [u8] {
        let (now, later) = self.0.split_at(length.min(self.0.len()));
        self.0 = later;
        now
    }

    /// Text of a length that stands in front of it.
    fn text(&mut self) -> String {
        let length = self.u8();
        String::from_utf8_lossy(self.some(length.into())).into_owned()
    }

    fn one_of<T: Copy>(&mut self, choice: &[T]) -> T {
        choice[usize::from(self.u8()) % choice.len()]
    }
}

/// Pieces of `bytes` of sizes that `seed` decides, empty ones among them.
fn pieces(bytes: &[u8], seed: u8) -> impl Iterator<Item = &[u8]> {
    let (mut rest, mut state) = (bytes, u32::from(seed));
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        state = state.wrapping_mul(1_103_515_245).wrapping_add(12_345);
        let size = match state >> 16 & 7 {
            0 => 0,
            1 => 1,
            2 => 65_536,
            kind => (state >> 19) as usize % (37 << (2 * kind)),
        };
        let (now, later) = rest.split_at(size.min(rest.len()));
        rest = later;
        Some(now)
    })
}

/// Names that mean something to the recogniser.
const NAMES: [&str; 13] = [
    "a",
    "a.gpg",
    "site.j02",
    "keys/0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
    "data/01/0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
    "config",
    "gocryptfs.conf",
    "b/c.cpt",
    "kopia.repository",
    "d/AA/b.c9r",
    "vault.cryptomator",
    "hints.1",
    "chunks/ab/cd",
];

/// Whatever an object's name, metadata and bytes are: the recogniser says something without a panic, and
/// says the same however the bytes come.
pub fn recogniser(data: &[u8]) {
    let mut input = Input(data);
    let (how, seed, stretch) = (input.u8(), input.u8(), input.u8());
    let key = match how & 1 {
        0 => input.one_of(&NAMES).to_owned(),
        _ => input.text(),
    };
    let key = ObjectKey::new(key).unwrap_or_else(|_| ObjectKey::new("a").unwrap());
    let metadata: Vec<(String, String)> = (0..how >> 1 & 1)
        .map(|_| (input.text(), input.text()))
        .collect();
    let repository = (how & 4 != 0).then(|| input.one_of(Format::ALL));
    let bytes = stretched(input.0, stretch);
    // More or fewer bytes than the listing told.
    let length = match how >> 3 & 3 {
        1 => bytes.len() as u64 / 2,
        2 => bytes.len() as u64 + u64::from(seed),
        3 if how & 128 != 0 => u64::MAX - u64::from(seed),
        _ => bytes.len() as u64,
    };
    let subject = formats::Subject {
        key: &key,
        metadata: &metadata,
        repository,
    };
    let at_once = sniffed(length, [&bytes[..]].into_iter());
    let found = formats::judge(&subject, &at_once);
    let again = formats::judge(&subject, &sniffed(length, pieces(&bytes, seed)));
    assert_eq!(found, again);
    if length == bytes.len() as u64 {
        assert_eq!(found, formats::judge(&subject, &Samples::of(&bytes)));
    }
    if let formats::Verdict::Encrypted(_) = found.verdict {
        assert!(
            !matches!(found.randomness, formats::Randomness::Fails { .. }),
            "{found:?}"
        );
    }
    assert_eq!(
        formats::Verdict::from_text(&found.verdict.to_string()),
        Some(found.verdict)
    );
    let _ = (formats::repositories(&key), formats::rank(&key));
    let _ = (formats::restic_lock(&key), formats::content_name(&key));
    let _ = formats::is_part(&key);
}

fn sniffed<'a>(length: u64, pieces: impl Iterator<Item = &'a [u8]>) -> Samples {
    // No prefix of another download shows.
    let mut sniffer = Sniffer::new(length);
    sniffer.feed(b"a prefix that proved wrong");
    sniffer.restart();
    pieces.for_each(|piece| sniffer.feed(piece));
    sniffer.finish()
}

/// The bytes, where `stretch` says so with up to 240 KiB of ciphertext, zeros or text in the middle: so
/// much that the samples do not meet.
fn stretched(bytes: &[u8], stretch: u8) -> Vec<u8> {
    if stretch < 0xC0 {
        return bytes.to_vec();
    }
    let middle = usize::from(stretch >> 4 & 3) * 80_000 + 1_000;
    let (head, tail) = bytes.split_at(bytes.len() / 2);
    let mut state = 0x9E37_79B9_u32;
    let filling = (0..middle).map(|n| match stretch & 3 {
        0 => 0,
        1 => b"INSERT INTO posts VALUES (1);\n"[n % 30],
        _ => {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 24) as u8
        }
    });
    head.iter()
        .copied()
        .chain(filling)
        .chain(tail.iter().copied())
        .collect()
}

/// Lines of `name:value` as an object's metadata: whatever they say, each claim is a digest of the length
/// of its kind, says the same when it is read again, and can be compared with bytes.
pub fn claims(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let fields: Vec<(&str, &str)> = text
        .lines()
        .filter_map(|line| line.split_once(':'))
        .collect();
    let value_of = |name: &str| {
        fields
            .iter()
            .find(|(n, _)| *n == name)
            .map(|(_, value)| *value)
    };
    let found = offsite::digest::claims(value_of);
    for claim in &found {
        let bytes = match claim.kind {
            Claimed::Md5 => 16,
            Claimed::Sha1 => 20,
            Claimed::Sha256 => 32,
            Claimed::Sha512 => 64,
        };
        assert_eq!(claim.value.len(), 2 * bytes, "{claim:?}");
        assert!(
            claim
                .value
                .bytes()
                .all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f')),
            "{claim:?}"
        );
        let said = match claim.name.as_str() {
            "s3cmd-attrs" => format!("mode:33188/md5:{}/uid:0", claim.value),
            _ => claim.value.clone(),
        };
        let again = offsite::digest::claims(|name| (name == claim.name).then_some(&said));
        assert_eq!(again, std::slice::from_ref(claim));
    }
    if value_of("s3tools-gpgenc").is_some() {
        assert!(found.iter().all(|claim| claim.name != "s3cmd-attrs"));
    }
    if !found.is_empty() {
        let evidence = Evidence {
            size: data.len() as u64,
            claims: found,
            ..Evidence::default()
        };
        held_against(data, &evidence, 0);
    }
}

/// A file of digests that lies beside objects, and its name: whatever stands in it, each word is a digest of the
/// length of its kind, one a kind, and is read as the same when it is written as `sha256sum` writes it.
pub fn sums(data: &[u8]) {
    let mut input = Input(data);
    let kinds = [
        Claimed::Md5,
        Claimed::Sha1,
        Claimed::Sha256,
        Claimed::Sha512,
    ];
    let only = kinds.get(usize::from(input.u8() & 7)).copied();
    let name = input.text();
    if let Ok(key) = ObjectKey::new(name.clone()) {
        let _ = beside(&key);
    }
    let sums = Sums::parse(input.0, only);
    let _ = sums.of_one(&name);
    for (name, said) in sums.each() {
        assert_eq!(sums.of(name), said);
        // `sha256sum` has no way to write such a name.
        if name.trim().is_empty() && !name.is_empty() {
            continue;
        }
        for (n, (kind, digest)) in said.iter().enumerate() {
            assert!(only.is_none_or(|only| only == *kind));
            assert!(said.iter().skip(n + 1).all(|(other, _)| other != kind));
            let escaped = name.replace('\\', "\\\\").replace('\n', "\\n");
            let line = format!("\\{digest}  {}\n", escaped.replace('\r', "\\r"));
            let again = Sums::parse(line.as_bytes(), None);
            assert_eq!(again.of(name), [(*kind, digest.clone())], "{line:?}");
        }
    }
}

const ALGORITHMS: [Algorithm; 5] = [
    Algorithm::Crc32,
    Algorithm::Crc32c,
    Algorithm::Crc64Nvme,
    Algorithm::Sha1,
    Algorithm::Sha256,
];

/// An answer's headers as they are read, and the body that came with them.
struct Answered<'a> {
    how: u8,
    seed: u8,
    evidence: Evidence,
    /// For each checksum, whether its value is made true.
    truths: Vec<bool>,
    body: &'a [u8],
}

fn answered(data: &[u8]) -> Answered<'_> {
    let mut input = Input(data);
    let (how, seed) = (input.u8(), input.u8());
    let etag = match how >> 2 & 3 {
        0 => input.text(),
        1 => format!("{:032x}", 7),
        2 => format!("{:032X}-{}", 7, input.u8()),
        _ => format!("{}-{}", input.text(), input.text()),
    };
    let cut = cut(&mut input);
    let mut truths = Vec::new();
    let mut checksums = Vec::new();
    for _ in 0..how & 3 {
        let (algorithm, kind) = (input.one_of(&ALGORITHMS), input.u8());
        let said = match kind & 3 {
            0 => None,
            1 => Some("full_object".to_owned()),
            2 => Some("COMPOSITE".to_owned()),
            _ => Some(input.text()),
        };
        checksums.push(Checksum::new(
            algorithm,
            &input.text(),
            said.as_deref(),
            &etag,
        ));
        truths.push(kind & 4 != 0);
    }
    let body = input.0;
    let evidence = Evidence {
        size: (body.len() as u64).saturating_add(u64::from(how >> 4 & 1)),
        etag,
        etag_opaque: seed & 1 != 0 && how & 16 != 0,
        cut,
        checksums,
        ..Evidence::default()
    };
    Answered {
        how,
        seed,
        evidence,
        truths,
        body,
    }
}

/// Headers that anyone may have sent: they are read for what they are.
pub fn headers(data: &[u8]) {
    let evidence = answered(data).evidence;
    if let Some(md5) = evidence.etag_md5() {
        assert!(
            md5.len() == 32 && md5.bytes().all(|b| b.is_ascii_hexdigit()),
            "{md5}"
        );
        assert_eq!(evidence.etag_parts(), None);
    }
    if let Some(parts) = parts_of(&evidence.etag) {
        assert!((1..=10_000).contains(&parts), "{}", evidence.etag);
    }
}

/// The same with a body, some of them true of it: however the body comes, the same is found; and what holds of a
/// body does not hold of one with another bit.
pub fn checksums(data: &[u8]) {
    headers(data);
    let Answered {
        how,
        seed,
        mut evidence,
        truths,
        body,
    } = answered(data);
    let digests = hashed(&evidence, &[body]);
    for (checksum, truth) in evidence.checksums.iter_mut().zip(truths) {
        if let Some(value) = true_value(&digests, checksum).filter(|_| truth) {
            checksum.value = value;
        }
    }
    if let Some(etag) = true_etag(&digests).filter(|_| how & 32 != 0) {
        evidence.etag = etag;
    }
    if how & 64 != 0 {
        evidence.content_name = Some(digests.sha256);
    }
    if how & 128 != 0 {
        let value = digests.sha256.to_string();
        evidence.claims = offsite::digest::claims(|name| (name == "sha256").then_some(&value));
    }
    held_against(body, &evidence, seed);
}

fn cut(input: &mut Input) -> Cut {
    let how = input.u8();
    match how & 3 {
        0 => Cut::Unknown,
        1 => Cut::Told(Layout::Even(input.number() >> (8 * (how >> 2 & 7)))),
        2 => Cut::Told(Layout::Uneven(
            input
                .some(usize::from(how >> 2))
                .iter()
                .map(|b| (*b).into())
                .collect(),
        )),
        _ => Cut::Maybe(vec![
            Layout::Even(input.u8().into()),
            Layout::Even(u64::from(input.u8()) + 1),
        ]),
    }
}

fn true_value(digests: &Digests, checksum: &Checksum) -> Option<String> {
    let of = |list: &[(Algorithm, String)]| {
        let mut list = list.iter();
        Some(
            list.find(|(algorithm, _)| *algorithm == checksum.algorithm)?
                .1
                .clone(),
        )
    };
    match checksum.full_object {
        true => of(&digests.checksums),
        false => of(&digests.parts.first()?.checksums),
    }
}

fn true_etag(digests: &Digests) -> Option<String> {
    let of_parts = digests.parts.first().and_then(|parts| parts.etag.clone());
    digests.md5.clone().or(of_parts)
}

fn hashed(evidence: &Evidence, pieces: &[&[u8]]) -> Digests {
    let mut hasher = Hasher::new(evidence);
    pieces.iter().for_each(|piece| hasher.update(piece));
    hasher.finish()
}

/// Compares a body with evidence, whole and in pieces, and then with a bit flipped.
fn held_against(body: &[u8], evidence: &Evidence, seed: u8) {
    let at_once = hashed(evidence, &[body]);
    let in_pieces = hashed(evidence, &pieces(body, seed).collect::<Vec<_>>());
    assert_eq!(at_once, in_pieces);
    let proofs = proofs(at_once, evidence);
    if body.is_empty() {
        return;
    }
    let mut flipped = body.to_vec();
    let at = usize::from(seed) * 31 % body.len();
    flipped[at] ^= 1 << (seed & 7);
    let others = self::proofs(hashed(evidence, &[&flipped]), evidence);
    for (proof, other) in proofs.iter().zip(&others) {
        assert_eq!(proof.class, other.class);
        if proof.verdict == Verdict::Holds && proof.class != EvidenceClass::Length {
            assert_ne!(
                other.verdict,
                Verdict::Holds,
                "{proof:?} of {evidence:?}, bit at {at}"
            );
        }
    }
}

/// What the comparison says, the rules kept by which it comes to one verdict.
fn proofs(digests: Digests, evidence: &Evidence) -> Vec<Proof> {
    let subject = Subject {
        key: ObjectKey::new("k").unwrap(),
        identity: Identity {
            version_id: None,
            etag: evidence.etag.clone(),
            size: evidence.size,
            last_modified: from_ms(0),
        },
        answer: Answer::default(),
        staged: "incoming/x".to_owned(),
        content: None,
        in_bucket: InBucket::Current,
    };
    let (sha256, fits) = (digests.sha256, digests.bytes == evidence.size);
    let (proofs, class, verified) = match prove(subject, digests, evidence) {
        Proven::Verified(v) => (v.proofs().to_vec(), v.evidence(), sound(&v, sha256)),
        Proven::Contradicted(c) => (c.proofs().to_vec(), c.evidence(), false),
    };
    let fails = proofs.iter().any(|proof| proof.verdict == Verdict::Fails);
    assert_eq!(verified, !fails);
    assert!(fits || !verified);
    let holding = proofs
        .iter()
        .filter(|proof| proof.verdict == Verdict::Holds);
    let strongest = holding.map(|proof| proof.class).min();
    assert_eq!(class, strongest.unwrap_or(EvidenceClass::Length));
    proofs
}

fn sound(verified: &Verified, sha256: Sha256) -> bool {
    verified.sha256() == sha256
}

/// A size, a number of parts and the size of the first that anyone may have told: every layout that is guessed
/// makes so many parts.
pub fn guesses(data: &[u8]) {
    let mut input = Input(data);
    let shift = input.u8() & 63;
    let (size, first) = (input.number() >> shift, input.number() >> shift);
    let parts = (input.number() % 10_000 + 1) as u32;
    guess_fits(&Cut::guess(size, parts), size, parts);
    if let Some(cut) = Cut::from_first(size, parts, first) {
        guess_fits(&cut, size, parts);
    }
}

/// The same, and a body in parts: what is computed in one pass is what the parts by themselves make.
pub fn layouts(data: &[u8]) {
    guesses(data);
    let mut input = Input(data.get(25..).unwrap_or_default());
    let (seed, part) = (input.u8(), input.u8());
    let uneven = input.some(usize::from(seed & 15)).iter();
    let uneven: Vec<u64> = uneven.map(|size| u64::from(*size)).collect();
    let body = input.0;
    for layout in [Layout::Even(part.into()), Layout::Uneven(uneven)] {
        let evidence = Evidence {
            size: body.len() as u64,
            etag: format!("{:032x}-2", 0),
            cut: Cut::Told(layout.clone()),
            ..Evidence::default()
        };
        let digests = hashed(&evidence, &pieces(body, seed).collect::<Vec<_>>());
        let found = digests.parts.first().and_then(|parts| parts.etag.clone());
        assert_eq!(found, Some(etag(body, &layout)), "{layout:?}");
    }
}

fn guess_fits(cut: &Cut, size: u64, parts: u32) {
    let layouts = match cut {
        Cut::Unknown => &[][..],
        Cut::Maybe(layouts) => layouts,
        Cut::Told(layout) => std::slice::from_ref(layout),
    };
    for layout in layouts {
        let Layout::Even(part) = layout else {
            panic!("nobody guesses {layout:?}");
        };
        assert_eq!(
            size.max(1).div_ceil(*part),
            u64::from(parts),
            "{size} {layout:?}"
        );
    }
}

/// The ETag of an object of which these are the parts, each hashed by itself.
fn etag(body: &[u8], layout: &Layout) -> String {
    let mut parts: Vec<&[u8]> = Vec::new();
    let mut rest = body;
    let mut number = 0;
    while !rest.is_empty() || parts.is_empty() {
        let size = match layout {
            // A size of nothing says nothing: one part.
            Layout::Even(0) => None,
            Layout::Even(size) => Some(*size),
            Layout::Uneven(sizes) => sizes.get(number).copied(),
        };
        let size = size.map_or(rest.len(), |size| rest.len().min(size as usize));
        let (now, later) = rest.split_at(size);
        parts.push(now);
        rest = later;
        number += 1;
    }
    let md5s: Vec<u8> = parts.iter().flat_map(md5::Md5::digest).collect();
    let hex = |bytes: &[u8]| bytes.iter().map(|b| format!("{b:02x}")).collect::<String>();
    format!("{}-{}", hex(&md5::Md5::digest(&md5s)), parts.len())
}

/// A key of minisign's manual page, and what it signed: the four bytes "test" (minisign 0.11).
const TESTER: &str = "RWQf6LRCGA9i53mlYecO4IzT51TGPpvWucNSCh1CBM0QTaLn73Y7GFO3";
const OF_TEST: &str = "untrusted comment: signature from minisign secret key\n\
    RWQf6LRCGA9i59SLOFxz6NxvASXDJeRtuZykwQepbDEGt87ig1BNpWaVWuNrm73YiIiJbq71Wi+dP9eKL8OC351vwIasSSbXxwA=\n\
    trusted comment: timestamp:1555779966\tfile:test\n\
    QtKMXWyYcwdpZAlPF7tE2ENJkRd1ujvKjlj1m9RtHTBnZPa5WKU5uWRs5GoP5M/VqE81QFuMKI5k/SfNQUaOAA==\n";

/// Signatures: what does not come from the signer never holds, whatever it looks like.
pub fn signatures(data: &[u8]) {
    let mut input = Input(data);
    let (name, message) = (input.text(), input.text());
    let text = String::from_utf8_lossy(input.0);
    for key in text.lines() {
        let _ = PublicKey::parse(key);
    }
    let Some(signature) = Signature::parse(input.0) else {
        return;
    };
    assert_eq!(signature.key_id().len(), 16);
    assert_eq!(
        Signature::parse(&[input.0, b"\nmore"].concat()),
        Some(signature.clone())
    );
    let genuine = Signature::parse(OF_TEST.as_bytes()).unwrap() == signature;
    let keys = [PublicKey::parse(TESTER).unwrap()];
    let signed = Signed {
        name: format!("{name}.minisig"),
        maker: signature.maker(&keys).cloned(),
        signature,
    };
    let holds = signed.holds_for(&name, message.as_bytes());
    assert_eq!(holds, genuine && message == "test" && name == "test");
}
