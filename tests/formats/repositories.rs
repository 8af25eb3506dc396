//! Repositories and encrypted folders: restic, Borg, duplicity, gocryptfs.

use crate::support::{Namespace, tool};
use crate::*;

/// The repository that a key is part of, given all keys of the bucket: what a caller does.
fn repository(key: &str, keys: &[(String, PathBuf)]) -> Option<Format> {
    let known = |marker: &str| keys.iter().any(|(name, _)| name == marker);
    formats::repositories(&ObjectKey::new(key).unwrap())
        .into_iter()
        .find(|r| known(r.marker.as_str()))
        .map(|r| r.format)
}

#[test]
#[cfg_attr(without_restic, ignore = "OFFSITE_TEST_WITHOUT names restic")]
fn restic() {
    let bench = Bench::new();
    bench.site();
    let common = [
        "--repo",
        "bucket/repos/www",
        "--password-file",
        "pass",
        "--no-cache",
    ];
    bench.run("restic", &[&common[..], &["init"]].concat());
    for n in 0..3_u64 {
        std::fs::write(bench.at(&format!("site/new-{n}")), random(3_000_000, n)).unwrap();
        bench.run("restic", &[&common[..], &["backup", "site"]].concat());
    }
    let keys = files(&bench.at("bucket"));
    let (mut judged, mut metadata) = (0, 0);
    for (key, path) in &keys {
        let found = judged_as(key, path, repository(key, &keys));
        match key.contains("/keys/") {
            true => {
                metadata += 1;
                assert_eq!(found.verdict, Verdict::Metadata(Format::Restic), "{key}");
            }
            false => {
                judged += usize::from(found.randomness == Randomness::Holds);
                let length = std::fs::metadata(path).unwrap().len() as usize;
                is_encrypted(&found, Format::Restic, length, key);
            }
        }
        // Without the repository's config nothing says so, and nothing contradicts it.
        let alone = judged_as(key, path, None);
        let expected = if key.contains("/keys/") {
            found.verdict
        } else {
            Verdict::Unknown
        };
        assert_eq!(alone.verdict, expected, "{key}");
    }
    assert!(judged >= 5 && metadata == 1, "{judged} {metadata}");

    // A config is its own marker, so a large file of that name is nobody's word.
    let found = crate::judged("config", &random(9_000, 1), &[], Some(Format::Restic));
    assert_eq!((found.verdict, found.claim), (Verdict::Unknown, None));
    // A dump under a pack's name is seen.
    let pack = keys.iter().find(|(key, _)| key.contains("/data/")).unwrap();
    let found = crate::judged(&pack.0, &dump(100_000), &[], Some(Format::Restic));
    assert_eq!(found.verdict, Verdict::Plaintext(Format::Sql));
}

#[test]
#[cfg_attr(without_borg, ignore = "OFFSITE_TEST_WITHOUT names borg")]
fn borg() {
    let bench = Bench::new();
    let site = bench.site();
    for n in 0..2000_usize {
        std::fs::write(site.join(format!("uploads/{n}.txt")), dump(60 + n)).unwrap();
    }
    for (mode, secret) in [
        ("repokey", true),
        ("keyfile-blake2", true),
        ("authenticated", false),
        ("authenticated-blake2", false),
        ("none", false),
    ] {
        let to = bench.at(mode);
        let borg = |args: &[&str]| {
            let mut borg = bench.command(tool("borg"));
            borg.env("BORG_PASSPHRASE", "correct horse")
                .env("BORG_BASE_DIR", bench.at("borg"))
                .env("BORG_UNKNOWN_UNENCRYPTED_REPO_ACCESS_IS_OK", "yes");
            bench.finish(borg.args(args));
        };
        let repository = to.to_str().unwrap();
        borg(&["init", "--encryption", mode, repository]);
        for n in 0..2_u64 {
            std::fs::write(site.join("new"), random(1_000_000, n)).unwrap();
            borg(&["create", &format!("{repository}::{n}"), "site"]);
        }
        borg(&["delete", &format!("{repository}::0")]);
        borg(&["compact", repository]);
        let (mut segments, mut beside) = (0, 0);
        for (name, path) in files(&to) {
            let found = judged_as(&name, &path, None);
            let length = std::fs::metadata(&path).unwrap().len() as usize;
            if !name.starts_with("data/") {
                beside += 1;
                let expected = Verdict::Metadata(Format::Borg);
                assert_eq!(found.verdict, expected, "{mode} {name}");
            } else if found.verdict == Verdict::Metadata(Format::Borg) {
                assert!(length < 1000, "{mode} {name}: only commits: {length}");
            } else if secret {
                segments += usize::from(found.randomness == Randomness::Holds);
                is_encrypted(
                    &found,
                    Format::Borg,
                    length.saturating_sub(length / 2),
                    &name,
                );
            } else {
                segments += 1;
                assert_eq!(
                    found.verdict,
                    Verdict::Plaintext(Format::Borg),
                    "{mode} {name}"
                );
            }
        }
        assert!(segments > 0 && beside >= 5, "{mode}: {segments} {beside}");
    }
}

#[test]
#[cfg_attr(without_duplicity, ignore = "OFFSITE_TEST_WITHOUT names duplicity")]
#[cfg_attr(without_gpg, ignore = "OFFSITE_TEST_WITHOUT names gpg")]
fn duplicity() {
    let bench = Bench::new();
    bench.site();
    let home = tempfile::Builder::new().prefix("gpg-").tempdir().unwrap();
    let gpg = tool("gpg");
    for (to, args) in [("secret", &[][..]), ("plain", &["--no-encryption"])] {
        let mut duplicity = bench.command(tool("duplicity"));
        duplicity
            .env("GNUPGHOME", home.path())
            .env("PASSPHRASE", "correct horse")
            .args(["full", "--archive-dir", "archive", "--gpg-binary"])
            .arg(&gpg)
            .args(args)
            .args(["site", &format!("file://{}", bench.at(to).display())]);
        bench.finish(&mut duplicity);
        let found = files(&bench.at(to));
        assert_eq!(found.len(), 3, "{found:?}");
        for (name, path) in found {
            let length = std::fs::metadata(&path).unwrap().len() as usize;
            match to {
                "secret" => encrypted(&path, Format::OpenPgp, length),
                _ if name.ends_with(".manifest") => plaintext(&path, Format::Text),
                _ => plaintext(&path, Format::Gzip),
            }
        }
    }
}

#[test]
#[cfg_attr(without_gocryptfs, ignore = "OFFSITE_TEST_WITHOUT names gocryptfs")]
#[cfg_attr(without_mounts, ignore = "OFFSITE_TEST_WITHOUT names mounts")]
fn gocryptfs() {
    let bench = Bench::new();
    bench.site();
    for folder in ["bucket/secret", "mnt", "bin"] {
        std::fs::create_dir_all(bench.at(folder)).unwrap();
    }
    let program = tool("gocryptfs");
    // gocryptfs looks for it under its old name.
    let fusermount = program.with_file_name("fusermount3");
    let fusermount = format!("#!/bin/sh\nexec '{}' \"$@\"\n", fusermount.display());
    std::fs::write(bench.at("bin/fusermount"), fusermount).unwrap();
    let long = "long".repeat(60);
    let script = format!(
        "cd '{0}'; chmod +x bin/fusermount; PATH='{0}/bin':$PATH; '{1}' -init -q -scryptn 10 -passfile pass bucket/secret; \
         '{1}' -q -nosyslog -passfile pass bucket/secret mnt >&2; cp -r site mnt; cp pass mnt/{long}; \
         truncate -s 900000 mnt/sparse; head -c 100000 site/random.bin >> mnt/sparse; umount mnt",
        bench.folder.path().display(),
        program.display()
    );
    Namespace::new().sh(&script);
    let keys = files(&bench.at("bucket"));
    let mut judged = 0;
    for (key, path) in &keys {
        let found = judged_as(key, path, repository(key, &keys));
        let name = key.rsplit('/').next().unwrap();
        let length = std::fs::metadata(path).unwrap().len() as usize;
        let beside = name.starts_with("gocryptfs.")
            && (!name.contains("longname") || name.ends_with(".name"));
        if beside {
            assert_eq!(found.verdict, Verdict::Metadata(Format::Gocryptfs), "{key}");
        } else if length > 0 {
            judged += usize::from(found.randomness == Randomness::Holds);
            is_encrypted(&found, Format::Gocryptfs, length, key);
        }
    }
    assert!(keys.len() > 300 && judged > 100, "{} {judged}", keys.len());
}
