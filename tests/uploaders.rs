//! What the real uploaders leave in a bucket, and how well `offsite` can prove it: every uploader
//! against every server, each object pulled with a key that can only read. No cell may raise an
//! alarm, and the table that comes out is the one in `docs/servers.md`.

#![allow(clippy::indexing_slicing, clippy::panic, clippy::unwrap_used)]

mod support;

use aws_sdk_s3::types::{ChecksumAlgorithm, ChecksumType};
use offsite::demo::bucket::{READER, Server, WRITER};
use offsite::object::Clock;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use support::{Bucket, Ceph, Home, Keys, Moto, Running, Seaweed, ceph, seaweedfs, tool, tools};

/// Larger than one part of every uploader here; the last part is smaller.
const LARGE: usize = (17 << 20) + 4_321;
const SMALL: usize = 70_000;
const MIB: usize = 1 << 20;
/// In parts of sizes that nobody guesses: proven where the server tells how they lie, or keeps a checksum
/// of the whole.
const ODD: [&str; 4] = [
    "an SDK, parts of 5 MiB and a byte/large",
    "boto3, parts of 5,555,555 bytes, CRC64NVME/large",
    "boto3, parts of 5,555,555 bytes/large",
    "boto3, parts of 7,000,001 bytes, SHA256/large",
];

/// As boto3's own documentation uploads a file; arguments: endpoint, bucket, key, file, the parts' size, a
/// checksum or nothing.
const BOTO3: &str = r#"
import sys, boto3
from boto3.s3.transfer import TransferConfig
from botocore.config import Config
endpoint, bucket, key, file, size, checksum = sys.argv[1:]
config = Config(s3={"addressing_style": "path"}, request_checksum_calculation="when_required")
extra = {"ChecksumAlgorithm": checksum} if checksum else {}
parts = TransferConfig(multipart_threshold=int(size), multipart_chunksize=int(size))
boto3.client("s3", endpoint_url=endpoint, config=config).upload_file(file, bucket, key, ExtraArgs=extra, Config=parts)
"#;

/// A folder with the files to upload, and where to.
struct Upload {
    folder: tempfile::TempDir,
    bucket: Bucket,
    keys: Keys,
}

impl Upload {
    fn new(bucket: Bucket, keys: Keys) -> Self {
        let upload = Self {
            folder: tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap(),
            bucket,
            keys,
        };
        let mut random = fastrand::Rng::with_seed(17);
        for (name, size) in [("small", SMALL), ("large", LARGE)] {
            let bytes: Vec<u8> = (0..size).map(|_| random.u8(..)).collect();
            std::fs::write(upload.file(name), bytes).unwrap();
        }
        upload
    }

    fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn large(&self) -> Vec<u8> {
        std::fs::read(self.file("large")).unwrap()
    }

    fn command(&self, name: &str) -> Command {
        tools::client(name, self.folder.path(), self.keys)
    }

    /// Uploads `large` and `small` under `label/`.
    fn both(&self, label: &str, put: impl Fn(&str, &str) -> Command) {
        for name in ["small", "large"] {
            let command = put(name, &format!("{}/{label}/{name}", self.bucket.name));
            Running::spawn(command).finish().exits(0);
        }
    }

    fn aws(&self, label: &str, options: &[&str]) {
        self.both(label, |file, to| {
            let mut command = self.command("awscli");
            command.args([
                "--endpoint-url",
                &self.bucket.endpoint,
                "s3",
                "cp",
                "--only-show-errors",
            ]);
            command.args(options).args([file, &format!("s3://{to}")]);
            command
        });
    }

    fn s5cmd(&self, label: &str, options: &[&str]) {
        self.both(label, |file, to| {
            let mut command = self.command("s5cmd");
            command.args(["--endpoint-url", &self.bucket.endpoint, "cp"]);
            command.args(options).args([file, &format!("s3://{to}")]);
            command
        });
    }

    fn rclone(&self, label: &str, options: &[&str]) {
        self.both(label, |file, to| {
            let mut command = self.command("rclone");
            command
                .env("RCLONE_CONFIG_CLOUD_TYPE", "s3")
                .env("RCLONE_CONFIG_CLOUD_PROVIDER", "Other")
                .env("RCLONE_CONFIG_CLOUD_ENV_AUTH", "true")
                .env("RCLONE_CONFIG_CLOUD_ENDPOINT", &self.bucket.endpoint)
                .args([
                    "copyto",
                    "--s3-no-check-bucket",
                    file,
                    &format!("cloud:{to}"),
                ])
                .args(options);
            command
        });
    }

    fn s3cmd(&self, label: &str, options: &[&str]) {
        let host = self.bucket.endpoint.strip_prefix("http://").unwrap();
        let gpg = tool("gpg");
        let text = format!(
            "[default]\naccess_key = {}\nsecret_key = {}\nhost_base = {host}\nhost_bucket = {host}\nuse_https = False\ngpg_command = {}\ngpg_passphrase = for a test\ngpg_encrypt = %(gpg_command)s -c --batch --no-tty --pinentry-mode loopback --passphrase-fd %(passphrase_fd)s -o %(output_file)s %(input_file)s\n",
            self.keys.id,
            self.keys.secret,
            gpg.display()
        );
        std::fs::write(self.file("s3cfg"), text).unwrap();
        self.both(label, |file, to| {
            let mut command = self.command("s3cmd");
            command.args(["--config", "s3cfg", "--no-progress", "put"]);
            command.args(options).args([file, &format!("s3://{to}")]);
            command
        });
    }

    fn boto3(&self, label: &str, part: usize, checksum: &str) {
        for name in ["small", "large"] {
            let mut command = self.command("boto3");
            command.args(["-c", BOTO3, &self.bucket.endpoint, &self.bucket.name]);
            command.args([
                &format!("{label}/{name}"),
                name,
                &part.to_string(),
                checksum,
            ]);
            Running::spawn(command).finish().exits(0);
        }
    }

    /// Parts of an odd size, with each kind of checksum.
    fn sdk(&self, label: &str, part: usize, checksum: Option<(ChecksumAlgorithm, ChecksumType)>) {
        let key = format!("{label}/large");
        let put = self
            .bucket
            .put_in_parts(&key, &self.large(), part, checksum);
        put.unwrap();
    }
}

/// Everything that is uploaded, by the name that it has in the table.
fn upload_all(upload: &Upload) {
    upload.aws("aws s3 cp", &[]);
    for algorithm in ["CRC32", "CRC32C", "CRC64NVME", "SHA1", "SHA256"] {
        let label = format!("aws s3 cp --checksum-algorithm {algorithm}");
        upload.aws(&label, &["--checksum-algorithm", algorithm]);
    }
    upload.rclone("rclone copy", &["--s3-upload-cutoff", "5Mi"]);
    upload.rclone("rclone copy, its default", &[]);
    upload.s3cmd("s3cmd put", &[]);
    upload.s3cmd(
        "s3cmd put --encrypt",
        &["--encrypt", "--multipart-chunk-size-mb=5"],
    );
    upload.s5cmd("s5cmd cp", &["--part-size", "6"]);
    upload.boto3("boto3, parts of 5,555,555 bytes", 5_555_555, "");
    upload.boto3(
        "boto3, parts of 5,555,555 bytes, CRC64NVME",
        5_555_555,
        "CRC64NVME",
    );
    upload.boto3(
        "boto3, parts of 7,000,001 bytes, SHA256",
        7_000_001,
        "SHA256",
    );
    upload.sdk("an SDK, parts of 8 MiB", 8 * MIB, None);
    upload.sdk("an SDK, parts of 5 MiB and a byte", 5 * MIB + 1, None);
}

/// Pulls all of it; for each object the class of its evidence, and what held.
fn pulled(upload: &Upload, reader: Keys) -> BTreeMap<String, (String, String)> {
    let home = Home::new().with_keys(reader);
    home.init("www", &upload.bucket.name, &upload.bucket.endpoint);
    home.run(["pull"]).exits(0);
    home.run(["status"]).exits(0);
    let listed = home.run(["ls", "--json"]).exits(0).json_lines();
    let mut found = BTreeMap::new();
    for object in listed {
        let (key, class) = (text(&object["key"]), text(&object["evidence"]));
        let told = home.run(["show", "--json", &key]).exits(0).json_lines();
        let proofs = told[0]["proofs"].as_array().unwrap().clone();
        let said = |verdict: &str| {
            let of = proofs.iter().filter(|p| p["verdict"] == verdict);
            of.map(|p| text(&p["name"])).collect::<Vec<_>>()
        };
        assert_eq!(said("fails"), [""; 0], "{key}");
        let mut held = said("holds");
        held.retain(|name| name != "length");
        found.insert(key, (class, held.join(" ")));
    }
    let stored = home.store().join("www/latest");
    for key in found.keys().filter(|key| !key.contains("--encrypt")) {
        let name = Path::new(key).file_name().unwrap().to_str().unwrap();
        let same =
            std::fs::read(stored.join(key)).unwrap() == std::fs::read(upload.file(name)).unwrap();
        assert!(same, "{key}");
    }
    found
}

fn text(value: &serde_json::Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

fn table(server: &str, found: &BTreeMap<String, (String, String)>) -> String {
    let lines = found.iter().map(|(key, (class, held))| {
        format!("uploaders: {server:<10} {key:<52} {class:<15} {held}\n")
    });
    lines.collect()
}

/// Every object is proven by more than its length, but for those in `weak`.
fn proven(server: &str, upload: &Upload, reader: Keys, weak: &[&str]) {
    upload_all(upload);
    let found = pulled(upload, reader);
    tools::say(&table(server, &found));
    assert!(found.len() >= 20, "{found:?}");
    let by_length = found.iter().filter(|(_, (class, _))| class == "length");
    let by_length: Vec<&str> = by_length.map(|(key, _)| key.as_str()).collect();
    assert_eq!(by_length, weak, "{server}");
}

macro_rules! on {
    ($($name:ident: $($without:ident)? => $body:block)+) => {$(
        #[test]
        #[cfg_attr(
            any(
                $($without,)?
                without_awscli,
                without_boto3,
                without_rclone,
                without_s3cmd,
                without_s5cmd,
                without_gpg
            ),
            ignore = "OFFSITE_TEST_WITHOUT names one that it needs"
        )]
        fn $name() $body
    )+};
}

on! {
    embedded: => {
        let bucket = offsite::demo::bucket::Bucket::new("uploaders", Clock::System);
        let server = Server::start(vec![bucket], None).unwrap();
        let of = |key: offsite::demo::bucket::Key| Keys::of(key.id, key.secret);
        let bucket = Bucket::at(&server.endpoint(), of(WRITER), "uploaders");
        proven("embedded", &Upload::new(bucket, of(WRITER)), of(READER), &[]);
    }
    seaweed: without_seaweedfs => {
        let bucket = Seaweed::shared().fresh_bucket("uploaders");
        let upload = Upload::new(bucket, seaweedfs::ADMIN);
        proven("SeaweedFS", &upload, seaweedfs::READ_ONLY, &[]);
    }
    moto: without_moto => {
        let moto = Moto::shared();
        let upload = Upload::new(moto.fresh_bucket("uploaders"), moto.admin);
        // It does not tell the parts to who names the object's ETag; it keeps a checksum of the whole.
        proven("moto", &upload, moto.read_only, &[ODD[0], ODD[2], ODD[3]]);
    }
    ceph: without_ceph => {
        let bucket = Ceph::shared().fresh_bucket("uploaders");
        let upload = Upload::new(bucket, ceph::ADMIN);
        proven("Ceph", &upload, ceph::READ_ONLY, &ODD);
    }
}
