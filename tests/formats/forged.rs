//! Claims that are not true: an encrypted format's magic before something that anyone can read.

use crate::*;

/// The beginnings that an attacker would copy, with the format each claims.
fn heads() -> Vec<(Vec<u8>, Format)> {
    let age = b"age-encryption.org/v1\n-> X25519 SVrzdFfkPxf0LPHOUGB1gNb9E5Vr8EUDa9kxk04iQ0o\n\
        0OrTkKHpE7klNLd0k+9Uam5hkQkzMxaqKcIPRIO1sNE\n--- gxhoSa5BciRDt8lOpYNcx4EYtKpS0CJ06F3ZwN82VaM\n";
    let mut gpg = vec![0x8C, 13, 4, 9, 3, 8, 1, 2, 3, 4, 5, 6, 7, 8, 96];
    gpg.extend([0xD2, 0xFF, 0, 16, 0, 0, 1]);
    let mut rclone = b"RCLONE\0\0".to_vec();
    rclone.extend(random(24, 1));
    let mut scrypt = b"scrypt\0\x0E\0\0\0\x08\0\0\0\x01".to_vec();
    scrypt.extend(random(80, 1));
    let mut aes = b"AES\x02\0\0\0".to_vec();
    aes.extend(random(96, 1));
    vec![
        (age.to_vec(), Format::Age),
        (age[..22].to_vec(), Format::Age),
        (gpg, Format::OpenPgp),
        (b"Salted__12345678".to_vec(), Format::OpenSsl),
        (rclone, Format::Rclone),
        (scrypt, Format::Scrypt),
        (aes, Format::AesCrypt),
        (b"duplicacy\0abcdefghijkl".to_vec(), Format::Duplicacy),
    ]
}

#[test]
fn a_magic_before_a_dump_is_seen() {
    for (head, claimed) in heads() {
        for length in [5_000, 60_000, 150_000, 900_000] {
            let forged = [&head[..], &dump(length)].concat();
            let found = judged("backup", &forged, &[], None);
            let seen = matches!(
                found.verdict,
                Verdict::Plaintext(Format::Sql) | Verdict::Unknown
            );
            assert!(seen, "{claimed} {length}: {found:?}");
            assert_eq!(found.claim, Some(claimed));
            assert!(
                matches!(found.randomness, Randomness::Fails { .. }),
                "{claimed}: {found:?}"
            );
        }
    }
}

/// A readable part in the middle or at the end is seen too, where the samples are.
#[test]
fn a_real_beginning_does_not_hide_what_follows() {
    let mut forged = b"Salted__12345678".to_vec();
    forged.extend(random(3_000_000, 4));
    assert_eq!(
        judged("b", &forged, &[], None).verdict,
        Verdict::Encrypted(Format::OpenSsl)
    );
    for at in [1_500_000, 2_990_000] {
        let mut forged = forged.clone();
        forged[at..at + 9_000].copy_from_slice(&dump(9_000));
        let found = judged("b", &forged, &[], None);
        assert_eq!(found.verdict, Verdict::Unknown, "{at}");
        assert!(matches!(
            found.randomness,
            Randomness::Fails { at: Some(_), .. }
        ));
    }
}

/// In an armour what is decoded is judged, and what is not of the alphabet.
#[test]
fn armour_around_a_dump_is_seen() {
    let wrap = |bytes: &[u8]| {
        let text = data_encoding::BASE64.encode(bytes);
        let lines: Vec<_> = text.as_bytes().chunks(64).collect();
        lines.join(&b"\n"[..])
    };
    let salted = [&b"Salted__12345678"[..], &dump(100_000)].concat();
    let mut forged = wrap(&salted);
    assert_eq!(judged("b", &forged, &[], None).verdict, Verdict::Unknown);
    let honest = [&b"Salted__12345678"[..], &random(100_000, 2)].concat();
    forged = wrap(&honest);
    assert_eq!(
        judged("b", &forged, &[], None).verdict,
        Verdict::Encrypted(Format::OpenSsl)
    );
    forged[70_000] = b'!';
    assert_eq!(judged("b", &forged, &[], None).verdict, Verdict::Unknown);
    let vault = b"$ANSIBLE_VAULT;1.1;AES256\n".to_vec();
    let forged = [vault, dump(100_000)].concat();
    assert_eq!(judged("b", &forged, &[], None).verdict, Verdict::Unknown);
}

/// A compressed dump behind a magic is known by its own header, which is looked for; with that cut
/// off, deflate is mostly seen and the better ones are not (the module says so).
#[test]
fn compressed_bytes_behind_a_magic_are_seen_by_their_own() {
    let bench = Bench::new();
    bench.dump(2_000_000);
    let program = "import gzip,bz2,lzma
d=open('dump-2000000.sql','rb').read()
open('dump.gz','wb').write(gzip.compress(d))
open('dump.bz2','wb').write(bz2.compress(d))
open('dump.xz','wb').write(lzma.compress(d))";
    bench.finish(bench.command("python3").args(["-c", program]));
    for (name, format) in [
        ("dump.gz", Format::Gzip),
        ("dump.bz2", Format::Bzip2),
        ("dump.xz", Format::Xz),
    ] {
        let packed = std::fs::read(bench.at(name)).unwrap();
        for (head, claimed) in heads() {
            let forged = [&head[..], &packed].concat();
            let found = judged("backup", &forged, &[], None);
            assert_eq!(found.verdict, Verdict::Plaintext(format), "{claimed}");
        }
        let headless = [&b"Salted__12345678"[..], &packed[100..]].concat();
        let found = judged("backup", &headless, &[], None);
        support::tools::say(&format!(
            "formats: {name} without its header: {:?}",
            found.randomness
        ));
        if format == Format::Gzip {
            assert_eq!(found.verdict, Verdict::Unknown, "{found:?}");
        }
    }
}

/// What S3's own clients encrypt is said by their metadata, and judged like all else.
#[test]
fn client_side_encryption_is_a_claim_too() {
    let fields = |names: &[&str]| -> Vec<(String, String)> {
        names
            .iter()
            .map(|n| ((*n).to_owned(), "x".to_owned()))
            .collect()
    };
    let said = fields(&[
        "x-amz-meta-x-amz-key-v2",
        "x-amz-meta-x-amz-iv",
        "x-amz-meta-x-amz-cek-alg",
    ]);
    let bytes = random(100_000, 8);
    let found = judged("site.tar", &bytes, &said, None);
    is_encrypted(&found, Format::S3Client, bytes.len(), "site.tar");
    let old = fields(&["x-amz-key", "X-Amz-IV"]);
    assert_eq!(
        judged("s", &bytes, &old, None).verdict,
        Verdict::Encrypted(Format::S3Client)
    );
    let half = fields(&["x-amz-key-v2"]);
    assert_eq!(judged("s", &bytes, &half, None).verdict, Verdict::Unknown);
    let found = judged("site.sql", &dump(100_000), &said, None);
    assert_eq!(found.verdict, Verdict::Plaintext(Format::Sql));
    assert_eq!(found.claim, Some(Format::S3Client));
}

/// What says of itself that it only holds a repository together is looked at as well.
#[test]
fn nothing_hides_behind_metadata() {
    let long = dump(50_000);
    let signature = b"-----BEGIN PGP SIGNATURE-----\n\n";
    for (key, head) in [
        ("index.1", &b"BORG_IDX\x01\0\0\0\x02\0\0\0\x20\x0C"[..]),
        ("a.age", b"age-encryption.org/v1\nthis is no stanza\n"),
        ("data/0/1", b"BORG_SEG"),
        ("data/0/1", b"BORG_SEG\x40\xF4\x3C\x25\x09\0\0\0\x02"),
        ("root.pxar.didx", b"\x1C\x91\x4E\xA5\x19\xBA\xB3\xCD"),
        ("a.sig", b"\x88\x75\x04\0\x16\x08"),
        ("a.asc", signature),
        ("README", b"This is a Borg Backup repository.\n"),
        ("config", b"[repository]\nversion = 1\n"),
        ("hints.5", b"hints"),
        ("vault.cryptomator", b"eyJ"),
        ("keys/0123456789012345678901234567890123456789012345678901234567890123", b""),
        ("gocryptfs.conf", b"{}"),
        ("disk.img", b"LUKS\xBA\xBE\0\x01"),
        ("disk.img", b"LUKS\xBA\xBE\0\x02\0\0\0\0\0\0\x40\0"),
        ("a.gpg", b"\x8C\x0D\x04\x09\x03\x08\x01\x02\x03\x04\x05\x06\x07\x08\x60"),
        ("a.gpg", b"\x8C\x0D\x04\x09\x03\x08\x01\x02\x03\x04\x05\x06\x07\x08\x60\xD2\x05\x01abcd"),
        ("a.asc", b"-----BEGIN PGP MESSAGE-----\n\njA0ECQMIAQIDBAUGBwhg0v8AEAAAAQ==\n=abcd\n-----END PGP MESSAGE-----\n"),
        ("a.7z", b"7z\xBC\xAF\x27\x1C\0\x04abcd\0\0\0\0\0\0\0\0\x01\0\0\0\0\0\0\0efgh\x01"),
    ] {
        let ends = [&b""[..], b"\n-----END PGP SIGNATURE-----\n", b"\n--- abc\n"];
        for at_the_end in ends {
            let bytes = [head, &long, at_the_end].concat();
            for repository in [None, Some(Format::Gocryptfs), Some(Format::Cryptomator), Some(Format::Restic)] {
                let found = judged(key, &bytes, &[], repository);
                let seen = matches!(found.verdict, Verdict::Plaintext(_) | Verdict::Unknown);
                assert!(seen, "{key} {repository:?}: {found:?}");
            }
        }
    }
}
