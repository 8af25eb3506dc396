//! Folders made by the tools that people use, with the options that they use, from a real server
//! and from the embedded bucket, which has keys that no real server here would keep.

use crate::support::seaweedfs::READ_ONLY;
use crate::support::{Bucket, FaultProxy, Home, Keys, Running, Seaweed, tools};
use crate::{Scene, in_latest, tree};
use offsite::demo::bucket::READER;
use std::path::Path;
use std::process::Command;

/// What a tool is told: whose bucket, which key, and where to.
struct Download<'a> {
    endpoint: &'a str,
    bucket: &'a str,
    keys: Keys,
    to: &'a Path,
}

impl Download<'_> {
    fn command(&self, name: &str) -> Command {
        tools::client(name, self.to.parent().unwrap(), self.keys)
    }

    fn rclone(&self) -> Command {
        let mut command = self.command("rclone");
        command
            .env("RCLONE_CONFIG_CLOUD_TYPE", "s3")
            .env("RCLONE_CONFIG_CLOUD_PROVIDER", "Other")
            .env("RCLONE_CONFIG_CLOUD_ENV_AUTH", "true")
            .env("RCLONE_CONFIG_CLOUD_ENDPOINT", self.endpoint)
            .args(["sync", "--fast-list"])
            .arg(format!("cloud:{}", self.bucket))
            .arg(self.to);
        command
    }

    fn s3cmd(&self) -> Command {
        let host = self.endpoint.strip_prefix("http://").unwrap();
        let config = self.to.with_file_name("s3cfg");
        let text = format!(
            "[default]\naccess_key = {}\nsecret_key = {}\nhost_base = {host}\nhost_bucket = {host}\nuse_https = False\n",
            self.keys.id, self.keys.secret
        );
        std::fs::write(&config, text).unwrap();
        let mut command = self.command("s3cmd");
        command.arg("--config").arg(config);
        command.args(["sync", &format!("s3://{}/", self.bucket)]);
        command.arg(format!("{}/", self.to.display()));
        command
    }

    fn aws(&self) -> Command {
        let mut command = self.command("awscli");
        command.args(["--endpoint-url", self.endpoint, "s3", "sync"]);
        command.arg(format!("s3://{}", self.bucket)).arg(self.to);
        command
    }

    fn s5cmd(&self) -> Command {
        let mut command = self.command("s5cmd");
        command.args(["--endpoint-url", self.endpoint, "sync"]);
        command.arg(format!("s3://{}/*", self.bucket)).arg(self.to);
        command
    }
}

/// What the server holds, beside an object of 6 MiB that came in parts.
const OBJECTS: [(&str, &[u8]); 10] = [
    (
        "site-20261121-030000utc.tar.age",
        b"age-encryption.org/v1\n",
    ),
    ("empty", b""),
    ("nested/deep/er/still", b"nested"),
    ("nested/empty", b""),
    ("a folder/with a space", b"space"),
    ("na\u{ef}ve \u{1f642} \u{65e5}\u{672c}", b"unicode"),
    ("plus+equals=semi;comma,", b"marks"),
    ("quotes'\"(brackets)[more]{or}", b"quotes"),
    ("percent%25 %2F%", b"percent"),
    ("~hash#question?amp&at@colon:star*", b"more marks"),
];

fn from_a_real_server(label: &str, command: impl Fn(&Download<'_>) -> Command) {
    let bucket: Bucket = Seaweed::shared().fresh_bucket(label);
    for (key, bytes) in OBJECTS {
        bucket.put(key, bytes);
    }
    let parts: Vec<u8> = (0..6_u32 << 20).map(|n| (n >> 3) as u8).collect();
    bucket.put_multipart("in/parts", &parts, 5 << 20);
    let line = FaultProxy::start(&bucket.endpoint);
    let home = Home::new().with_keys(READ_ONLY);
    home.init("www", &bucket.name, &line.endpoint());
    let dir = home.path().join("downloaded");
    std::fs::create_dir(&dir).unwrap();
    let download = Download {
        endpoint: &bucket.endpoint,
        bucket: &bucket.name,
        keys: READ_ONLY,
        to: &dir,
    };
    Running::spawn(command(&download)).finish().exits(0);
    let downloaded = tree(&dir);
    assert_eq!(downloaded.len(), OBJECTS.len() + 1, "by the tool itself");

    let told = home.run(["adopt", "downloaded"]).exits(0);
    let count = format!("{} files taken over", OBJECTS.len() + 1);
    assert!(told.stdout.contains(&count), "{}", told.stdout);
    assert_eq!(told.stdout.matches("left: ").count(), 0, "{}", told.stdout);
    let asked = |method: &str| {
        let mut asked = line.requests();
        let of_objects = format!("/{}/", bucket.name);
        asked.retain(|r| r.method == method && r.target.starts_with(&of_objects));
        asked.retain(|r| !r.target.starts_with(&format!("{of_objects}?")));
        asked.len()
    };
    // One each, and one for how the parts lie.
    assert_eq!((asked("HEAD"), asked("GET")), (OBJECTS.len() + 2, 0));

    home.run(["pull"]).exits(0);
    assert_eq!(asked("GET"), 0, "{:?}", line.requests());
    assert!(tree(&home.store().join("www/latest")) == in_latest(&downloaded));
    assert!(tree(&dir) == downloaded, "the folder is as it was");
    home.run(["catalogue", "check", "--deep"]).exits(0);
    home.run(["status"]).exits(0);
}

/// Keys that tools write to odd places, if anywhere: each object is taken over or downloaded, and
/// never both. With the keys in `not` the tool gives up before its first download.
fn from_hostile_keys(not: &[&str], command: impl Fn(&Download<'_>) -> Command) {
    const HOSTILE: [&str; 14] = [
        "../escape",
        "a/../../b",
        "/lead",
        "d//e",
        "./dot",
        "x/./y",
        "trail/",
        "file",
        "file/below",
        "back\\slash",
        "CON",
        "tab\there",
        "dots...",
        "%2e%2e/x",
    ];
    let scene = Scene::new();
    for key in HOSTILE.into_iter().filter(|key| !not.contains(key)) {
        scene.at.bucket.put(key, key);
    }
    for n in 0..5 {
        scene.at.bucket.put(&format!("plain/{n}"), vec![n; 1000]);
    }
    // In a folder of its own: one of these tools writes outside the one that it is given.
    let to = scene.at.home.path().join("tool/dir");
    std::fs::create_dir_all(&to).unwrap();
    let endpoint = scene.at.server.endpoint();
    let download = Download {
        endpoint: &endpoint,
        bucket: scene.at.bucket.name(),
        keys: Keys::of(READER.id, READER.secret),
        to: &to,
    };
    // Some of the tools give up on some of the keys.
    let said = Running::spawn(command(&download)).finish();
    let before = tree(&to);
    assert!(before.len() >= 5, "{said:?}");

    scene.at.bucket.reset_requests();
    let told = scene.at.home.run(["adopt", "tool/dir"]);
    assert!(matches!(told.code(), 0 | 3), "{told:?}");
    assert_eq!(scene.at.requests("GetObject"), 0);
    assert!(tree(&to) == before);
    scene.at.home.run(["catalogue", "check", "--deep"]).exits(0);
    let count = |output: &str| output.lines().count() as u64;
    let adopted = count(&scene.at.home.run(["ls", "--json"]).exits(0).stdout);
    assert!(adopted >= 5, "{}", told.stdout);
    scene.pull_downloads(scene.at.bucket.keys().len() as u64 - adopted);
    scene.is_well();
    for row in scene.at.home.run(["ls", "--json"]).exits(0).json_lines() {
        let (key, path) = (row["key"].as_str().unwrap(), row["path"].as_str().unwrap());
        let bytes = std::fs::read(scene.at.home.store().join(path)).unwrap();
        assert!(Some(bytes) == scene.at.bucket.get(key), "{key}");
    }
}

macro_rules! tool_tests {
    ($($name:ident: $without:ident, $tool:literal, not $not:expr;)+) => {$(
        mod $name {
            #[test]
            #[cfg_attr(without_seaweedfs, ignore = "OFFSITE_TEST_WITHOUT names seaweedfs")]
            #[cfg_attr($without, ignore = concat!("OFFSITE_TEST_WITHOUT names ", $tool))]
            fn what_it_downloaded_is_taken_over() {
                super::from_a_real_server($tool, |download| download.$name());
            }

            #[test]
            #[cfg_attr($without, ignore = concat!("OFFSITE_TEST_WITHOUT names ", $tool))]
            fn what_it_made_of_hostile_keys_is_taken_over_or_left() {
                super::from_hostile_keys(&$not, |download| download.$name());
            }
        }
    )+};
}

tool_tests! {
    rclone: without_rclone, "rclone", not [];
    s3cmd: without_s3cmd, "s3cmd", not ["/lead"];
    aws: without_awscli, "awscli", not [];
    s5cmd: without_s5cmd, "s5cmd", not [];
}
