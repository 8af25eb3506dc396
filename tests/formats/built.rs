//! Files of formats whose tools no package has, built from their public specifications: kopia,
//! Proxmox Backup Server, Duplicacy, Duplicati's header, AxCrypt, Akeeba, Cryptomator, Borg 2. They
//! prove that the recogniser follows the specification, not that the tools do.

use crate::*;

fn with(head: &[u8], body: &[u8]) -> Vec<u8> {
    [head, body].concat()
}

fn of(key: &str, bytes: &[u8]) -> Verdict {
    judged(key, bytes, &[], None).verdict
}

fn holds(key: &str, bytes: &[u8], repository: Option<Format>, format: Format) {
    let found = judged(key, bytes, &[], repository);
    is_encrypted(&found, format, bytes.len(), key);
}

/// Proxmox Backup Server, "File Formats": a magic, a CRC, and (encrypted) a nonce and a tag.
#[test]
fn proxmox_backup() {
    let format = Format::ProxmoxBackup;
    for magic in [
        *b"\x7B\x67\x85\xBE\x22\x2D\x4C\xF0",
        *b"\xE6\x59\x1B\xBF\x0B\xBF\xD8\x0B",
    ] {
        holds("blob", &with(&magic, &random(4_000_000, 1)), None, format);
        holds("blob", &with(&magic, &random(40, 1)), None, format);
    }
    for magic in [
        *b"\x42\xAB\x38\x07\xBE\x83\x70\xA1",
        *b"\x31\xB9\x58\x42\x6F\xB6\xA3\x7F",
    ] {
        assert_eq!(
            of("blob", &with(&magic, &random(100_000, 1))),
            Verdict::Plaintext(format)
        );
    }
    let metadata = Verdict::Metadata(format);
    let header = |magic: &[u8]| with(magic, &[0; 4088]);
    let mut dynamic = header(b"\x1C\x91\x4E\xA5\x19\xBA\xB3\xCD");
    let fixed = header(b"\x2F\x7F\x41\xED\x91\xFD\x0F\xCD");
    assert_eq!(of("root.pxar.didx", &dynamic), metadata, "empty");
    for n in 1..9_000_u64 {
        dynamic.extend((n * 4_000_000).to_le_bytes());
        dynamic.extend(random(32, n));
    }
    assert_eq!(of("root.pxar.didx", &dynamic), metadata);
    assert_eq!(
        of("drive.img.fidx", &with(&fixed, &random(32 * 9_000, 1))),
        metadata
    );
    let torn = &dynamic[..dynamic.len() - 1];
    assert_eq!(of("root.pxar.didx", torn), Verdict::Unknown);
    let middle = dynamic.len() / 2;
    dynamic[middle..middle + 400].copy_from_slice(&dump(400));
    assert_eq!(of("root.pxar.didx", &dynamic), Verdict::Unknown);
    assert_eq!(
        of("drive.img.fidx", &with(&fixed, &dump(32 * 9_000))),
        Verdict::Unknown
    );
}

/// Duplicacy's source: `duplicacy` and a version; with erasure coding the chunk lies behind the digests
/// of its shards.
#[test]
fn duplicacy() {
    let format = Format::Duplicacy;
    for version in 0..3 {
        let chunk = with(&with(b"duplicacy", &[version]), &random(500_000, 5));
        holds("chunks/ab/cd", &chunk, None, format);
    }
    assert_eq!(
        judged(
            "s/chunks/ab/cd",
            &with(b"LZ4 ", &random(9_000, 1)),
            &[],
            Some(format)
        )
        .verdict,
        Verdict::Plaintext(format)
    );
    let mut head = b"duplicacy\x03".to_vec();
    head.extend(500_000_u64.to_le_bytes());
    head.extend([5, 0, 2, 0, 0xAA, 0xBB]);
    head.extend(random(7 * 32, 9));
    let chunk = with(b"duplicacy\0", &random(500_000, 5));
    holds("chunks/ab/cd", &with(&head, &chunk), None, format);
    let chunk = with(b"LZ4 ", &random(500_000, 5));
    assert_eq!(
        of("chunks/ab/cd", &with(&head, &chunk)),
        Verdict::Plaintext(format)
    );
}

/// The AES Crypt stream formats 0, 1 and 3 (2 is written by a real tool elsewhere).
#[test]
fn aes_crypt_of_other_versions() {
    for head in [
        &b"AES\x00\x07"[..],
        b"AES\x01\x00",
        b"AES\x02\x00\x00\x1CCREATED_BY\0Duplicati 2.0.6.3\0\0",
        b"AES\x03\x00\x00\x00\x00\x04\x93\xE0",
    ] {
        holds(
            "duplicati-b1.dblock.zip.aes",
            &with(head, &random(300_000, 2)),
            None,
            Format::AesCrypt,
        );
    }
    assert_eq!(
        of("a", &with(b"AES\x09\x00", &random(100, 2))),
        Verdict::Unknown
    );
}

#[test]
fn axcrypt() {
    let guid = *b"\xC0\xB9\x07\x2E\x4F\x93\xF1\x46\xA0\x15\x79\x2C\xA1\xD9\xE8\x21";
    let mut head = guid.to_vec();
    // Preamble and version blocks, then padding as its headers have.
    head.extend([0x15, 0, 0, 0, 2]);
    head.extend(random(16, 1));
    head.extend([0; 2000]);
    head.extend(random(2000, 2));
    holds(
        "site.axx",
        &with(&head, &random(300_000, 3)),
        None,
        Format::AxCrypt,
    );
}

/// An entity of JPA: `JPF`, lengths, path, kind, compression, sizes, permissions.
fn jpa_member(path: &str, data: &[u8]) -> Vec<u8> {
    let mut member = b"JPF".to_vec();
    member.extend((21 + path.len() as u16).to_le_bytes());
    member.extend((path.len() as u16).to_le_bytes());
    member.extend(path.as_bytes());
    member.extend([1, 1]);
    member.extend((data.len() as u32).to_le_bytes());
    member.extend((data.len() as u32 * 3).to_le_bytes());
    member.extend(0o644_u32.to_le_bytes());
    with(&member, data)
}

/// A member of JPS: a description and a block of data, each with its lengths, salt and vector.
fn jps_member(length: usize, seed: u64) -> Vec<u8> {
    let tail = |seed| {
        let mut tail = with(b"JPST", &random(64, seed));
        tail.extend(with(b"JPIV", &random(16, seed + 1)));
        tail
    };
    let mut member = b"JPF".to_vec();
    member.extend([176, 0, 60, 0]);
    member.extend(random(88, seed + 2));
    member.extend(tail(seed));
    member.extend((length as u32 + 88).to_le_bytes());
    member.extend((length as u32).to_le_bytes());
    member.extend(random(length, seed + 3));
    with(&member, &tail(seed + 4))
}

#[test]
fn akeeba() {
    let jpa = b"JPA\x13\0\x01\x02\x10\0\0\0\x10\0\0\0\x10\0\0\0".to_vec();
    let members: Vec<u8> = (0..400)
        .flat_map(|n| jpa_member(&format!("images/page-{n}.html"), &random(700, n)))
        .collect();
    assert_eq!(
        of("site.jpa", &with(&jpa, &members)),
        Verdict::Plaintext(Format::Jpa)
    );
    // A part that goes on: known by the members in it.
    assert_eq!(
        of("site.j02", &members[300..]),
        Verdict::Plaintext(Format::Jpa)
    );
    assert_eq!(
        of("site.jpa", &members[300..]),
        Verdict::Plaintext(Format::Jpa)
    );

    let head = b"JPS\x02\0\x01\0\0";
    let members: Vec<u8> = (0..400).flat_map(|n| jps_member(900, n * 10)).collect();
    for (key, bytes) in [
        ("site.jps", with(head, &members)),
        ("site.j01", with(head, &members)),
        ("site.jps", with(head, &jps_member(65_000, 1))),
    ] {
        holds(key, &bytes, None, Format::Jps);
    }
    // The same with no mask would be rejected: the marks are many.
    let raw = judged("site.bin", &members, &[], None);
    assert!(matches!(raw.randomness, Randomness::Fails { .. }));
    // Without a password nothing is encrypted.
    let mut open = b"JPF\x40\0\x40\0\x0B\0index.phpxx".to_vec();
    open.extend([0; 60]);
    assert_eq!(
        of("site.jps", &with(head, &open)),
        Verdict::Plaintext(Format::Jps)
    );
    // What goes on in a large member says nothing.
    let found = judged("site.j03", &random(100_000, 6), &[], None);
    assert_eq!(
        (found.verdict, found.randomness),
        (Verdict::Unknown, Randomness::Holds)
    );
}

#[test]
fn kopia() {
    let json = br#"{
  "tool": "https://github.com/kopia/kopia",
  "buildVersion": "0.17.0",
  "buildInfo": "unknown",
  "uniqueID": "Zm9ydHktdHdvIGZvcnR5LXR3byBmb3J0eS10d28h",
  "keyAlgo": "scrypt-65536-8-1",
  "encryption": "AES256_GCM",
  "encryptedBlockFormat": "c29tZSBjaXBoZXJ0ZXh0"
}"#;
    let format = Format::Kopia;
    assert_eq!(of("b/kopia.repository", json), Verdict::Metadata(format));
    let open = String::from_utf8_lossy(json).replace("encryptedBlockFormat", "blockFormat");
    assert_eq!(
        of("b/kopia.repository", open.as_bytes()),
        Verdict::Plaintext(format)
    );
    let pack = random(20_000_000 / 16, 3);
    let name = "b/p0123456789abcdef0123456789abcdef-s0123456789abcdef";
    holds(name, &pack, Some(format), format);
    // Old packs carry copies of the format at both ends.
    let copy = [
        &(json.len() as u16 + 32).to_le_bytes()[..],
        json,
        &random(32, 1),
    ]
    .concat();
    let length = (json.len() as u16 + 32).to_le_bytes();
    let pack = [&copy[..], &length, &random(9_000, 3), &copy, &length].concat();
    holds(name, &pack, Some(format), format);
}

#[test]
fn cryptomator() {
    let format = Some(Format::Cryptomator);
    let metadata = Verdict::Metadata(Format::Cryptomator);
    holds(
        "v/d/AB/CDEF/name.c9r",
        &random(200_000, 3),
        format,
        Format::Cryptomator,
    );
    let id = b"0b6f1c54-5f0e-4f3a-9d3a-1f0c5e0f6f5d";
    assert_eq!(
        judged("v/d/AB/CDEF/sub.c9r/dir.c9r", id, &[], format).verdict,
        metadata
    );
    assert_eq!(
        of(
            "v/vault.cryptomator",
            b"eyJraWQiOiJtYXN0ZXJrZXlmaWxl.eyJmb3JtYXQiOjh9.abc"
        ),
        metadata
    );
    let key = br#"{"version":999,"scryptSalt":"a","scryptCostParam":32768,"primaryMasterKey":"b"}"#;
    assert_eq!(of("v/masterkey.cryptomator", key), metadata);
    assert_eq!(
        of("v/masterkey.cryptomator", b"my notes"),
        Verdict::Plaintext(Format::Text)
    );
}

/// An object of a Borg 2 pack (`repoobj.py`): magic, version, id, lengths, and two parts, each with the
/// type of its key, a reserved byte, a counter, the session and a tag.
fn borg_object(key_type: u8, length: usize, seed: u64) -> Vec<u8> {
    let envelope = |payload: &[u8]| {
        let mut part = vec![key_type, 0, 0, 0, 0, 0, 0, 1];
        part.extend(random(24, 77));
        part.extend(random(16, seed));
        with(&part, payload)
    };
    let (meta, data) = (
        envelope(&random(60, seed + 1)),
        envelope(&random(length, seed + 2)),
    );
    let mut object = with(b"BORG_OBJ\x02", &random(32, seed + 3));
    object.extend((meta.len() as u32).to_le_bytes());
    object.extend((data.len() as u32).to_le_bytes());
    [object, meta, data].concat()
}

#[test]
fn borg_2() {
    let pack = |key_type, length| -> Vec<u8> {
        (0..1_000)
            .flat_map(|n| borg_object(key_type, length, n * 10))
            .collect()
    };
    for key_type in [0x10, 0x20, 0x30, 0x40] {
        for length in [300, 5_000] {
            holds("packs/ab", &pack(key_type, length), None, Format::Borg2);
        }
    }
    let raw = judged("packs/ab", &pack(0x10, 300)[8..], &[], None);
    assert!(
        matches!(raw.randomness, Randomness::Fails { .. }),
        "the framing shows: {raw:?}"
    );
    for key_type in [0x50, 0x60, 0x70, 0x80, 0x90] {
        assert_eq!(
            of("packs/ab", &pack(key_type, 300)),
            Verdict::Plaintext(Format::Borg2)
        );
    }
    let found = judged("packs/ab", &pack(0xE0, 300), &[], None);
    assert_eq!(
        (found.verdict, found.claim),
        (Verdict::Unknown, Some(Format::Borg2))
    );
}

/// RFC 9580, 4.2.1.4: in parts of 512 bytes, the shortest that a message may begin with. gpg writes
/// parts of 8 KiB, whose lengths are too few to matter.
#[test]
fn openpgp_in_short_parts() {
    let keys = b"\x8C\x0D\x04\x09\x03\x08\x01\x02\x03\x04\x05\x06\x07\x08\x60\xD2";
    let mut rejected = 0;
    for seed in 0..12 {
        let mut message = keys.to_vec();
        let content = with(&[1], &random(400_000, seed));
        for part in content.chunks(512) {
            // The last one has 129 bytes.
            message.push(if part.len() == 512 { 0xE9 } else { 129 });
            message.extend(part);
        }
        holds("dump.gpg", &message, None, Format::OpenPgp);
        // With the lengths it mostly would not: two bytes in a thousand are the same one.
        let raw = judged("dump", &message[16..], &[], None);
        rejected += usize::from(matches!(raw.randomness, Randomness::Fails { .. }));
    }
    assert!(rejected > 2, "{rejected}");
}

/// The keys of more recipients than a sample holds: what follows is judged all the same.
#[test]
fn openpgp_for_many_recipients() {
    let mut keys = Vec::new();
    for n in 0..300 {
        keys.extend(b"\x84\xE0\x03");
        keys.extend(random(8, n));
        keys.push(1);
        keys.extend(random(214, n + 1000));
    }
    let message = [&keys[..], b"\xD2\xFF\0\x16\0\0\x01", &random(1_500_000, 1)].concat();
    holds("dump.gpg", &message, None, Format::OpenPgp);
    let forged = [&keys[..], &dump(1_500_000)].concat();
    let found = judged("dump.gpg", &forged, &[], None);
    assert_eq!(
        (found.verdict, found.claim),
        (Verdict::Unknown, Some(Format::OpenPgp))
    );
}

/// The beginnings of all that is built, to be spoilt.
pub fn heads() -> Vec<Vec<u8>> {
    let texts = [
        &b"age-encryption.org/v1\n-> X25519 abc\nabc\n--- abc\nxxxxxxxxxxxxxxxx"[..],
        b"-----BEGIN AGE ENCRYPTED FILE-----\nYWdlLWVuY3J5cHRpb24ub3JnL3YxCi0+IFgyNTUxOSBT\n",
        b"-----BEGIN PGP MESSAGE-----\n\njA0ECQMIAQIDBAUGBwhg0v8AEAAAAQ==\n=abcd\n-----END PGP MESSAGE-----\n",
        b"U2FsdGVkX18xMjM0NTY3OA==\n",
        b"$ANSIBLE_VAULT;1.1;AES256\n3331333233330a3331333233330a33313332\n",
        b"\x8C\x0D\x04\x09\x03\x08\x01\x02\x03\x04\x05\x06\x07\x08\x60\xD2\xE9\x01abc",
        b"\x85\x01\x0C\x03abcdefgh\x01abcdefghijklmnop",
        b"BORG_SEG\x01\x02\x03\x04\x60\0\0\0\0aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\x03bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb",
        b"LUKS\xBA\xBE\0\x01aes",
        b"LUKS\xBA\xBE\0\x02\0\0\0\0\0\0\x40\0",
        b"7z\xBC\xAF\x27\x1C\0\x04abcd\x04\0\0\0\0\0\0\0\x16\0\0\0\0\0\0\0efghabcd\x01\x04\x06\0\x01\x09\x04\0\x07\x0B\x01\0\x02\x24\x06\xF1\x07\x01\x01\x00\x23\x03\x01\x01\x01\x5D",
        b"7z\xBC\xAF\x27\x1C\0\x04abcd\x08\0\0\0\0\0\0\0\x1A\0\0\0\0\0\0\0efgh\0abcdefg\x17\x06\0\x01\x09\x08\0\x07\x0B\x01\0\x01\x23\x03\x01\x01\x05\x5D\0\0\x01\0\x0C\x40\0\0",
        b"PK\x03\x04\x14\0\x09\0\x63\0aaaabbbb\x05\0\0\0\x05\0\0\0\x03\0\0\0abcHELLOPK\x01\x02",
        b"\x1F\x8B\x08\0\0\0\0\0\0\x03abc",
        b"SQLite format 3\0abc",
        b"{\"kdf\":\"scrypt\",\"salt\":\"a\",\"data\":\"b\"}",
        b"Salted__12345678abc",
        b"RCLONE\0\0abcdefghijklmnopqrstuvwxyz",
        b"AES\x02\0\0\x03abc\0\0abc",
        b"plain text that is long enough to be known as such\n",
        b"-- MySQL dump 10.19\n",
    ];
    let mut heads: Vec<Vec<u8>> = texts.iter().map(|text| text.to_vec()).collect();
    heads.push(jpa_member("index.php", b"abc"));
    heads.push(with(b"JPS\x02\0\x01\0\0", &jps_member(20, 1)));
    heads.push(with(
        b"JPA\x13\0\x01\x02\x10\0\0\0\x10\0\0\0\x10\0\0\0",
        &jpa_member("a", b""),
    ));
    heads.push(borg_object(0x10, 20, 1));
    heads.push(with(
        b"duplicacy\x03\x10\0\0\0\0\0\0\0\x01\0\x01\0\0\0",
        &[7; 80],
    ));
    heads.push(with(b"\x7B\x67\x85\xBE\x22\x2D\x4C\xF0", &[7; 40]));
    heads
}
