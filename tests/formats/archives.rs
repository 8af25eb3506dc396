//! ZIP and 7z, by zip, 7-Zip and Python.

use crate::*;

#[test]
#[cfg_attr(without_zip, ignore = "OFFSITE_TEST_WITHOUT names zip")]
fn zip() {
    let bench = Bench::new();
    bench.site();
    let dump = bench.dump(1_500_000);
    let dump = dump.file_name().unwrap().to_str().unwrap();
    for (name, args, expected) in [
        ("plain.zip", &["-r"][..], Format::Zip),
        ("stored.zip", &["-0", "-r"], Format::Zip),
        ("secret.zip", &["-r", "-P", "correct"], Format::ZipCrypto),
        (
            "secret-stored.zip",
            &["-0", "-r", "-P", "correct"],
            Format::ZipCrypto,
        ),
    ] {
        for what in ["site", dump] {
            let to = format!("{what}-{name}");
            bench.run("zip", &[&["-q"], args, &[&to, what]].concat());
            match expected {
                Format::Zip => plaintext(&bench.at(&to), Format::Zip),
                _ => encrypted(&bench.at(&to), expected, 100_000),
            }
        }
    }
    // One member that is not encrypted, behind many that are.
    std::fs::copy(bench.at("site-secret.zip"), bench.at("mixed.zip")).unwrap();
    bench.run("zip", &["-q", "mixed.zip", dump]);
    plaintext(&bench.at("mixed.zip"), Format::Zip);
    // Through a pipe: lengths stand behind the members.
    let to = bench.at("piped.zip");
    bench.pipe(
        "zip",
        &["-q", "-P", "correct", "-", "-"],
        &bench.at(dump),
        &to,
    );
    encrypted(&to, Format::ZipCrypto, 100_000);
    let to = bench.at("piped-plain.zip");
    bench.pipe("zip", &["-q", "-", "-"], &bench.at(dump), &to);
    plaintext(&to, Format::Zip);
}

#[test]
#[cfg_attr(without_7zip, ignore = "OFFSITE_TEST_WITHOUT names 7zip")]
fn zip_with_aes() {
    let bench = Bench::new();
    bench.site();
    bench.dump(1_500_000);
    bench.dump(3_000);
    for (what, bytes) in [
        ("site", 100_000),
        ("dump-1500000.sql", 100_000),
        ("dump-3000.sql", 0),
    ] {
        let to = format!("{what}.zip");
        bench.run(
            "7zip",
            &["a", "-tzip", "-mem=AES256", "-pcorrect", &to, what],
        );
        encrypted(&bench.at(&to), Format::ZipAes, bytes);
        // A member that is readable, added afterwards.
        bench.run("7zip", &["a", "-tzip", &to, "pass"]);
        plaintext(&bench.at(&to), Format::Zip);
    }
}

#[test]
#[cfg_attr(without_7zip, ignore = "OFFSITE_TEST_WITHOUT names 7zip")]
fn seven_zip() {
    let bench = Bench::new();
    bench.site();
    for length in [1, 3_000, 170_000] {
        bench.dump(length);
    }
    for (name, args, secret) in [
        ("plain.7z", &[][..], false),
        ("plain-files.7z", &["-ms=off"], false),
        ("plain-header.7z", &["-mhc=off"], false),
        ("plain-stored.7z", &["-mx=0"], false),
        ("secret.7z", &["-pcorrect"], true),
        ("secret-files.7z", &["-pcorrect", "-ms=off"], true),
        ("secret-header.7z", &["-pcorrect", "-mhc=off"], true),
        ("secret-stored.7z", &["-pcorrect", "-mx=0"], true),
        ("secret-names.7z", &["-pcorrect", "-mhe=on"], true),
    ] {
        for what in ["site", "dump-1.sql", "dump-170000.sql"] {
            let to = format!("{what}-{name}");
            bench.run("7zip", &[&["a"], args, &[&to, what]].concat());
            match secret {
                true => {
                    let bytes = if what == "site" { 100_000 } else { 0 };
                    encrypted(&bench.at(&to), Format::SevenZip, bytes);
                }
                false => plaintext(&bench.at(&to), Format::SevenZip),
            }
        }
    }
    // One stream that is not encrypted.
    std::fs::copy(bench.at("site-secret.7z"), bench.at("mixed.7z")).unwrap();
    bench.run("7zip", &["a", "mixed.7z", "dump-3000.sql"]);
    plaintext(&bench.at("mixed.7z"), Format::SevenZip);
    // In volumes: the header of all lies in the last one.
    bench.run("7zip", &["a", "-pcorrect", "-v300k", "volumes.7z", "site"]);
    for (name, path) in files(bench.folder.path()) {
        if name.starts_with("volumes.7z.") {
            let found = judged_as(&name, &path, None);
            assert_eq!(found.verdict, Verdict::Unknown, "{name}: {found:?}");
        }
    }
}
