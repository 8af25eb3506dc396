//! LUKS, by cryptsetup, without device-mapper: containers that were never opened, headers alone, and a
//! disk that was encrypted where it lay.

use crate::*;

fn format(bench: &Bench, name: &str, mib: u64, version: &str) {
    let file = std::fs::File::create(bench.at(name)).unwrap();
    file.set_len(mib << 20).unwrap();
    let quick = match version {
        "luks1" => &[][..],
        _ => &["--pbkdf", "pbkdf2"],
    };
    let common = [
        "luksFormat",
        "--type",
        version,
        "--batch-mode",
        "--key-file",
        "pass",
    ];
    let iterations = ["--pbkdf-force-iterations", "1000", name];
    bench.run("cryptsetup", &[&common[..], quick, &iterations].concat());
}

#[test]
#[cfg_attr(without_cryptsetup, ignore = "OFFSITE_TEST_WITHOUT names cryptsetup")]
fn containers_that_nobody_wrote_into_and_headers() {
    let bench = Bench::new();
    for (version, mib) in [("luks1", 3), ("luks1", 40), ("luks2", 17), ("luks2", 60)] {
        let name = format!("{version}-{mib}.img");
        format(&bench, &name, mib, version);
        encrypted(&bench.at(&name), Format::Luks, 0);
        let header = format!("{name}.header");
        bench.run(
            "cryptsetup",
            &["luksHeaderBackup", &name, "--header-backup-file", &header],
        );
        encrypted(&bench.at(&header), Format::Luks, 0);
    }
}

/// `reencrypt --encrypt` moves the content back by the header's length and encrypts it in place: what
/// was zeros is ciphertext too. Then some of it is trimmed, as a file system does with `discard`.
#[test]
#[cfg_attr(without_cryptsetup, ignore = "OFFSITE_TEST_WITHOUT names cryptsetup")]
fn a_disk_with_content() {
    let bench = Bench::new();
    let mut disk = dump(20 << 20);
    disk.resize(52 << 20, 0);
    std::fs::write(bench.at("disk.img"), &disk).unwrap();
    let common = [
        "reencrypt",
        "--encrypt",
        "--type",
        "luks2",
        "--reduce-device-size",
        "32M",
    ];
    let keys = ["--batch-mode", "--key-file", "pass", "--pbkdf", "pbkdf2"];
    let quick = ["--pbkdf-force-iterations", "1000", "disk.img"];
    bench.run("cryptsetup", &[&common[..], &keys, &quick].concat());
    encrypted(&bench.at("disk.img"), Format::Luks, 1 << 20);

    let mut disk = std::fs::read(bench.at("disk.img")).unwrap();
    let middle = disk.len() / 2;
    disk[middle - 20_480..middle + 20_480].fill(0);
    let end = disk.len();
    disk[end - 40_960..].fill(0);
    std::fs::write(bench.at("trimmed.img"), &disk).unwrap();
    encrypted(&bench.at("trimmed.img"), Format::Luks, 1 << 20);

    // The header stands, and behind it anyone can read.
    disk[middle - 40_960..middle + 40_960].copy_from_slice(&dump(81_920));
    let found = judged("disk.img", &disk, &[], None);
    assert_eq!(
        (found.verdict, found.claim),
        (Verdict::Unknown, Some(Format::Luks))
    );
    assert!(
        matches!(found.randomness, Randomness::Fails { .. }),
        "{found:?}"
    );
}
