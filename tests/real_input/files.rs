//! Encrypted files under their own names, and the plaintext back from the drive.

use crate::support::tool;
use crate::{Site, bytes, names, succeed};
use std::path::{Path, PathBuf};
use std::process::Command;

/// Who encrypts and decrypts, with keys and passphrases in a folder of their own.
struct Tools {
    folder: PathBuf,
    recipient: String,
    /// gpg talks to its agent over sockets in here, whose paths must be short; the agent ends
    /// by itself when the folder goes.
    gnupg: tempfile::TempDir,
}

/// How one file is encrypted, and how it is had back.
type Way = fn(&Tools, from: &Path, to: &Path, decrypt: bool) -> Command;

/// Key, way, and length of the plaintext. Where the key is no ordinary one, so is its name on
/// the drive.
const FILES: [(&str, &str, Way, usize); 5] = [
    (
        "dumps/db 2026-11-21.sql.age",
        "dumps/db 2026-11-21.sql.age",
        Tools::age,
        300_000,
    ),
    (
        "dumps/www+mail.tar.gpg",
        "dumps/www+mail.tar.gpg",
        Tools::gpg,
        200_000,
    ),
    (
        "dumps/100% of it.tar.enc",
        "dumps/100%25 of it.tar.enc",
        Tools::openssl,
        100_000,
    ),
    (SMALL, SMALL, Tools::age, 1),
    (LARGE, LARGE, Tools::openssl, 150 << 20),
];

const SMALL: &str = "one.age";
/// Comes in parts, and is fetched in ranges.
const LARGE: &str = "media/all.tar.enc";
const PART: usize = 16 << 20;
/// The size of a range, and of an object that is fetched in them, are the program's defaults.
const RANGE: u64 = 2 << 20;

#[test]
#[cfg_attr(without_seaweedfs, ignore = "OFFSITE_TEST_WITHOUT names seaweedfs")]
#[cfg_attr(without_age, ignore = "OFFSITE_TEST_WITHOUT names age")]
#[cfg_attr(without_gpg, ignore = "OFFSITE_TEST_WITHOUT names gpg")]
#[cfg_attr(without_openssl, ignore = "OFFSITE_TEST_WITHOUT names openssl")]
fn encrypted_files_come_home_and_open() {
    let site = Site::new("files");
    let tools = Tools::new(site.home.path());
    let plain = |n: usize| tools.folder.join(format!("{n}.plain"));
    for (n, (key, _, way, length)) in FILES.iter().enumerate() {
        let secret = tools.folder.join(format!("{n}.secret"));
        std::fs::write(plain(n), plaintext(*length, n)).unwrap();
        succeed(way(&tools, &plain(n), &secret, false));
        let secret = std::fs::read(secret).unwrap();
        match *key == LARGE {
            true => site.bucket.put_multipart(key, &secret, PART),
            false => site.bucket.put(key, &secret),
        };
    }
    let told = site.pull();

    let large = u64::try_from(told[LARGE].1).unwrap();
    let ranges = site
        .line
        .requests()
        .into_iter()
        .filter(|r| r.range.is_some());
    assert_eq!(ranges.count() as u64, large.div_ceil(RANGE));

    let rows = site.rows();
    for (n, (key, name, way, _)) in FILES.iter().enumerate() {
        let path = site.latest().join(name);
        assert_eq!(
            site.home.store().join(rows[*key]["path"].as_str().unwrap()),
            path
        );
        let back = tools.folder.join(format!("{n}.back"));
        succeed(way(&tools, &path, &back, true));
        // One word: nobody reads two files in a failure's message.
        let same = std::fs::read(back).unwrap() == std::fs::read(plain(n)).unwrap();
        assert!(same, "{key}");
    }

    // Another night under the same name: the first goes to history/, which has its own sums.
    site.bucket.put(SMALL, b"another night");
    site.pull();
    assert_eq!(names(&site.www().join("history")).len(), 1);
    site.is_proven();
}

/// Content that costs little to make: one random block, numbered as it is repeated.
fn plaintext(length: usize, seed: usize) -> Vec<u8> {
    let block = bytes(1 << 20, seed as u64);
    let mut text = Vec::with_capacity(length);
    let mut number = 0_u64;
    while text.len() < length {
        text.extend(number.to_be_bytes());
        let rest = length.saturating_sub(text.len()).min(block.len());
        text.extend(&block[..rest]);
        number += 1;
    }
    text.truncate(length);
    text
}

impl Tools {
    fn new(home: &Path) -> Self {
        let folder = home.join("tools");
        std::fs::create_dir(&folder).unwrap();
        std::fs::write(folder.join("passphrase"), "correct horse battery staple\n").unwrap();
        let mut keygen = Command::new(tool("age").with_file_name("age-keygen"));
        keygen.arg("-o").arg(folder.join("age.key"));
        succeed(keygen);
        let mut recipient = Command::new(tool("age").with_file_name("age-keygen"));
        recipient.arg("-y").arg(folder.join("age.key"));
        let recipient = succeed(recipient).stdout.trim().to_owned();
        Self {
            folder,
            recipient,
            gnupg: tempfile::Builder::new().prefix("gpg-").tempdir().unwrap(),
        }
    }

    fn age(&self, from: &Path, to: &Path, decrypt: bool) -> Command {
        let mut age = Command::new(tool("age"));
        match decrypt {
            true => age.arg("-d").arg("-i").arg(self.folder.join("age.key")),
            false => age.args(["-r", &self.recipient]),
        };
        age.arg("-o").arg(to).arg(from);
        age
    }

    /// Symmetric, in a home of its own.
    fn gpg(&self, from: &Path, to: &Path, decrypt: bool) -> Command {
        let mut gpg = Command::new(tool("gpg"));
        gpg.env("GNUPGHOME", self.gnupg.path())
            .args(["--batch", "--quiet", "--no-symkey-cache"])
            .args(["--pinentry-mode", "loopback", "--passphrase-file"])
            .arg(self.folder.join("passphrase"))
            .arg("-o")
            .arg(to)
            .arg(if decrypt { "--decrypt" } else { "--symmetric" })
            .arg(from);
        gpg
    }

    fn openssl(&self, from: &Path, to: &Path, decrypt: bool) -> Command {
        let passphrase = self.folder.join("passphrase");
        let mut openssl = Command::new(tool("openssl"));
        openssl
            .args(["enc", "-aes-256-ctr", "-pbkdf2", "-salt", "-pass"])
            .arg(format!("file:{}", passphrase.display()))
            .arg("-in")
            .arg(from)
            .arg("-out")
            .arg(to);
        if decrypt {
            openssl.arg("-d");
        }
        openssl
    }
}
