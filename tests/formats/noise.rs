//! Random bytes raise no alarm, structured ones do, and nothing makes the recogniser stumble.

use crate::*;

#[test]
fn two_thousand_random_objects_raise_no_alarm() {
    let mut rng = fastrand::Rng::with_seed(42);
    let lengths = [
        4_096, 5_000, 40_000, 65_536, 66_000, 100_000, 150_000, 196_608, 250_000, 300_000,
    ];
    for n in 0..2_000_u64 {
        let length = lengths[rng.usize(..lengths.len())];
        let bytes = random(length, n);
        let found = judged("backup", &bytes, &[], None);
        let expected = Judgement {
            verdict: Verdict::Unknown,
            claim: None,
            randomness: Randomness::Holds,
        };
        assert_eq!(found, expected, "{n}: {length}");
    }
}

#[test]
fn structure_is_rejected() {
    let fails = |name: &str, bytes: &[u8]| {
        // Behind a magic, so that the test alone decides.
        let claimed = [&b"Salted__12345678\xFF\xFE"[..], bytes].concat();
        let found = judged("backup", &claimed, &[], None);
        assert!(
            matches!(found.randomness, Randomness::Fails { .. }),
            "{name}: {found:?}"
        );
        assert_eq!(found.verdict, Verdict::Unknown, "{name}");
    };
    for length in [4_200, 70_000, 300_000] {
        fails("text", &dump(length));
        fails("zeros", &vec![0; length]);
        fails(
            "a counter",
            &(0..length as u32 / 4)
                .flat_map(u32::to_le_bytes)
                .collect::<Vec<_>>(),
        );
        fails(
            "base64",
            data_encoding::BASE64.encode(&random(length, 1)).as_bytes(),
        );
        fails(
            "hexadecimal",
            data_encoding::HEXLOWER
                .encode(&random(length, 1))
                .as_bytes(),
        );
        fails(
            "a cipher by one byte",
            &dump(length).iter().map(|b| b ^ 0x5A).collect::<Vec<_>>(),
        );
        let program = std::fs::read("/proc/self/exe").unwrap();
        fails("machine code", &program[program.len() / 3..][..length]);
    }
}

/// Base64 of nobody knows what is not the text that it looks like, unless what it hides can be told.
#[test]
fn base64_of_random_bytes_is_unknown_and_random() {
    let text = data_encoding::BASE64.encode(&random(100_000, 3));
    let lines: Vec<_> = text.as_bytes().chunks(76).collect();
    for text in [text.as_bytes(), &lines.join(&b"\n"[..])] {
        let found = judged("backup.b64", text, &[], None);
        let expected = Judgement {
            verdict: Verdict::Unknown,
            claim: None,
            randomness: Randomness::Holds,
        };
        assert_eq!(found, expected);
    }
}

/// Random heads, and real ones with bytes changed, cut and doubled, under names that mean
/// something: a million in all. Whatever they say, it is said without a panic, and quickly.
#[test]
fn a_million_hostile_heads() {
    let seeds = built::heads();
    let names = [
        "a",
        "a.gpg",
        "site.j02",
        "keys/x",
        "config",
        "gocryptfs.conf",
        "data/ab/x.cpt",
        "kopia.repository",
        "d/AA/b.c9r",
    ];
    let repositories = [
        None,
        None,
        Some(Format::Restic),
        Some(Format::Kopia),
        Some(Format::Duplicacy),
    ];
    let mut rng = fastrand::Rng::with_seed(7);
    let mut verdicts = std::collections::BTreeMap::new();
    for n in 0..1_000_000_u32 {
        let mut bytes = match n % 4 {
            0 => random(rng.usize(..200), rng.u64(..)),
            _ => seeds[rng.usize(..seeds.len())].clone(),
        };
        for _ in 0..rng.usize(..6) {
            let at = rng.usize(..=bytes.len());
            match rng.u8(..5) {
                0 => bytes.truncate(at),
                1 => bytes.insert(at, rng.u8(..)),
                4 => bytes.extend_from_within(..at.min(300)),
                2 if at < bytes.len() => bytes[at] = rng.u8(..),
                _ if at < bytes.len() => bytes[at] = [0, 1, 0x7F, 0x80, 0xFF][rng.usize(..5)],
                _ => {}
            }
        }
        let name = names[rng.usize(..names.len())];
        let repository = repositories[rng.usize(..repositories.len())];
        let found = judged(name, &bytes, &[], repository);
        *verdicts.entry(found.verdict.to_string()).or_insert(0_u32) += 1;
    }
    assert!(verdicts.len() > 20, "the heads are real ones: {verdicts:?}");
}
