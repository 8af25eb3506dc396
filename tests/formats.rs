//! Is it really encrypted? Files that real tools wrote, encrypted and not, small and large, and what
//! the recogniser says of each. Where no package has the tool, the file is built here from the format's
//! public specification, in `built`.
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    unreachable_pub
)]

#[path = "formats/archives.rs"]
mod archives;
#[path = "formats/built.rs"]
mod built;
#[path = "formats/disks.rs"]
mod disks;
#[path = "formats/forged.rs"]
mod forged;
#[path = "formats/messages.rs"]
mod messages;
#[path = "formats/noise.rs"]
mod noise;
#[path = "formats/plain.rs"]
mod plain;
#[path = "formats/repositories.rs"]
mod repositories;
mod support;

use offsite::formats::{self, Format, Judgement, Randomness, Sniffer, Subject, Verdict};
use offsite::object::ObjectKey;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use support::{Output, Running};

/// A folder with files to encrypt, and what encrypts them.
struct Bench {
    folder: tempfile::TempDir,
}

/// Lengths that matter: one byte, less than is judged, one sample, between two and three, and more.
const LENGTHS: [usize; 5] = [1, 3_000, 60_000, 170_000, 1_500_000];

impl Bench {
    fn new() -> Self {
        let folder = tempfile::Builder::new()
            .prefix("formats-")
            .tempdir_in(env!("CARGO_TARGET_TMPDIR"))
            .unwrap();
        std::fs::write(folder.path().join("pass"), "correct horse\n").unwrap();
        Self { folder }
    }

    fn at(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// What a web server backs up, cut to `length`: a dump.
    fn dump(&self, length: usize) -> PathBuf {
        let path = self.at(&format!("dump-{length}.sql"));
        std::fs::write(&path, dump(length)).unwrap();
        path
    }

    /// A folder of a site: many small files, one large, an empty one, a folder in a folder.
    fn site(&self) -> PathBuf {
        let site = self.at("site");
        std::fs::create_dir_all(site.join("uploads/2026")).unwrap();
        for n in 0..300 {
            let text = dump(500 + n * 37);
            std::fs::write(site.join(format!("uploads/2026/page-{n}.html")), text).unwrap();
        }
        std::fs::write(site.join("dump.sql"), dump(3_000_000)).unwrap();
        std::fs::write(site.join("random.bin"), random(700_000, 3)).unwrap();
        std::fs::write(site.join("empty"), "").unwrap();
        site
    }

    /// A command that finds what it needs in the bench's folder, and none of the tester's settings.
    fn command(&self, program: impl AsRef<std::ffi::OsStr>) -> Command {
        let mut command = Command::new(program);
        command
            .current_dir(self.folder.path())
            .env("HOME", self.folder.path())
            .env("LC_ALL", "C.UTF-8");
        command
    }

    /// `tool args…`, which must succeed.
    #[track_caller]
    fn run(&self, tool: &str, args: &[&str]) -> Output {
        self.finish(self.command(support::tool(tool)).args(args))
    }

    #[track_caller]
    fn finish(&self, command: &mut Command) -> Output {
        let command = std::mem::replace(command, Command::new("true"));
        Running::spawn(command).finish().exits(0)
    }

    /// `tool args… <from >to`: as in a pipe, where nobody knows the length beforehand.
    #[track_caller]
    fn pipe(&self, tool: &str, args: &[&str], from: &Path, to: &Path) {
        let mut command = self.command(support::tool(tool));
        command.args(args);
        let mut cat = Command::new("cat")
            .arg(from)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        command.stdin(cat.stdout.take().unwrap());
        command.stdout(std::fs::File::create(to).unwrap());
        assert!(command.status().unwrap().success(), "{command:?}");
        assert!(cat.wait().unwrap().success());
    }
}

/// What the recogniser says of a file under the name `key`.
fn judged_as(key: &str, path: &Path, repository: Option<Format>) -> Judgement {
    let bytes = std::fs::read(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    judged(key, &bytes, &[], repository)
}

/// The same of bytes, fed in pieces as a transfer does.
fn judged(
    key: &str,
    bytes: &[u8],
    metadata: &[(String, String)],
    repository: Option<Format>,
) -> Judgement {
    let mut sniffer = Sniffer::new(bytes.len() as u64);
    bytes.chunks(100_000).for_each(|piece| sniffer.feed(piece));
    let key = ObjectKey::new(key).unwrap();
    let subject = Subject {
        key: &key,
        metadata,
        repository,
    };
    formats::judge(&subject, &sniffer.finish())
}

/// The file is encrypted in this format. If there are `bytes` of ciphertext to judge, they were
/// judged, and no test rejects them.
#[track_caller]
fn encrypted(path: &Path, format: Format, bytes: usize) {
    let key = path.file_name().unwrap().to_str().unwrap();
    let found = judged_as(key, path, None);
    is_encrypted(&found, format, bytes, &path.display().to_string());
}

#[track_caller]
fn is_encrypted(found: &Judgement, format: Format, bytes: usize, name: &str) {
    assert_eq!(
        found.verdict,
        Verdict::Encrypted(format),
        "{name}: {found:?}"
    );
    let expected = match bytes >= formats::ENOUGH + 600 {
        true => Randomness::Holds,
        false => found.randomness,
    };
    assert_eq!(found.randomness, expected, "{name}");
}

#[track_caller]
fn verdict(path: &Path, expected: Verdict) {
    let key = path.file_name().unwrap().to_str().unwrap();
    let found = judged_as(key, path, None);
    assert_eq!(found.verdict, expected, "{}: {found:?}", path.display());
}

#[track_caller]
fn plaintext(path: &Path, format: Format) {
    verdict(path, Verdict::Plaintext(format));
}

/// Text that is much like a dump of a shop's database, with numbers and names that vary.
fn dump(length: usize) -> Vec<u8> {
    use std::io::Write as _;
    let words = [
        "order",
        "invoice",
        "Straße",
        "delivered",
        "pending",
        "blue",
        "shirt",
        "www.example.org",
        "customer",
        "address",
        "payment",
        "Malmö",
        "refund",
        "express",
        "newsletter",
        "coupon",
    ];
    let mut rng = fastrand::Rng::with_seed(11);
    let mut text = b"-- MySQL dump 10.19  Distrib 10.11.6-MariaDB\n".to_vec();
    let mut n = 0;
    while text.len() < length {
        n += 1;
        let mut word = || words[rng.usize(..words.len())];
        let (a, b, c) = (word(), word(), word());
        let (x, y) = (rng.u32(..), rng.f32());
        writeln!(
            text,
            "INSERT INTO `orders` VALUES ({n},'{a} {b}','{c}',{x},{y:.4});"
        )
        .unwrap();
    }
    text.truncate(length);
    text
}

/// Bytes that repeat themselves nowhere; the same for the same seed.
fn random(length: usize, seed: u64) -> Vec<u8> {
    let mut bytes = vec![0; length];
    fastrand::Rng::with_seed(seed).fill(&mut bytes);
    bytes
}

/// All files below `folder`, by their names relative to it.
fn files(folder: &Path) -> Vec<(String, PathBuf)> {
    let mut found = Vec::new();
    support::program::each_file(folder, &mut |path, _| {
        let name = path.strip_prefix(folder).unwrap().to_str().unwrap();
        found.push((name.to_owned(), path.to_owned()));
    });
    found.sort();
    found
}
