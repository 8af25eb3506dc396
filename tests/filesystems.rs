//! Real file systems in files, mounted: what `init` finds out about each, a pull onto it, one that
//! is killed and one that goes on, and what a person has without us.
//!
//! exFAT and NTFS by their FUSE drivers (exfat-fuse, ntfs-3g), as a desktop mounts them; the others
//! by the kernel. FAT, ext4 with case folding, the kernel's exfat and ntfs3, NFS and SMB cannot be
//! mounted by the kernel that these tests were written on.
#![allow(clippy::indexing_slicing, clippy::panic, clippy::unwrap_used)]

mod support;

use offsite::demo::bucket::{Bucket, READER, Server};
use offsite::object::Clock;
use std::path::PathBuf;
use std::process::Command;
use support::{Home, Keys, Namespace, REGION, Running, tool, tools};

/// How to make one and to mount it; what `init` must find out.
struct Kind {
    tool: &'static str,
    make: &'static [&'static str],
    /// The driver that mounts it; none is the kernel.
    driver: Option<&'static str>,
    mib: u64,
    /// As the kernel names it.
    name: &'static str,
    naming: &'static str,
    folds_case: bool,
    hard_links: bool,
    syncfs: bool,
}

const EXFAT: Kind = Kind {
    tool: "exfat",
    make: &[],
    driver: Some("mount.exfat-fuse"),
    mib: 128,
    name: "fuseblk",
    naming: "portable",
    folds_case: true,
    hard_links: false,
    syncfs: false,
};

const NTFS: Kind = Kind {
    tool: "ntfs",
    make: &["-F", "-Q", "-q"],
    driver: Some("ntfs-3g"),
    mib: 128,
    name: "fuseblk",
    naming: "portable",
    folds_case: false,
    hard_links: true,
    syncfs: false,
};

const XFS: Kind = Kind {
    tool: "xfs",
    make: &["-q"],
    driver: None,
    mib: 320,
    name: "xfs",
    naming: "posix",
    folds_case: false,
    hard_links: true,
    syncfs: true,
};

const BTRFS: Kind = Kind {
    tool: "btrfs",
    make: &["-q"],
    driver: None,
    mib: 160,
    name: "btrfs",
    naming: "posix",
    folds_case: false,
    hard_links: true,
    syncfs: true,
};

const EXT4: Kind = Kind {
    tool: "mkfs",
    make: &["-q", "-F"],
    driver: None,
    mib: 128,
    name: "ext4",
    naming: "posix",
    folds_case: false,
    hard_links: true,
    syncfs: true,
};

/// Keys that some of them cannot have as they are.
const KEYS: [&str; 8] = [
    "site/backup-2026-11-22.tar.age",
    "Site/backup-2026-11-22.tar.age",
    "who: what? <where> *.age",
    "trailing. ",
    "con",
    "caf\u{e9}",
    "cafe\u{301}",
    "a%b",
];

struct Drive {
    space: Namespace,
    home: Home,
    bucket: Bucket,
    _server: Server,
    folder: tempfile::TempDir,
}

impl Drive {
    fn mounted(kind: &Kind) -> Self {
        let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
        let image = folder.path().join("image");
        std::fs::File::create(&image)
            .unwrap()
            .set_len(kind.mib << 20)
            .unwrap();
        let mut make = Command::new(tool(kind.tool));
        make.args(kind.make).arg(&image);
        Running::spawn(make).finish().exits(0);
        let bucket = Bucket::new("backups", Clock::System);
        let server = Server::start(vec![bucket.clone()], None).unwrap();
        let drive = Self {
            space: Namespace::new(),
            home: Home::new().with_keys(Keys::of(READER.id, READER.secret)),
            bucket,
            _server: server,
            folder,
        };
        std::fs::create_dir(drive.at()).unwrap();
        let (image, at) = (image.display(), drive.at());
        match kind.driver {
            None => drive
                .space
                .sh(&format!("mount -o loop '{image}' '{}'", at.display())),
            Some(driver) => {
                let driver = tools::folder().join("bin").join(driver);
                let (driver, at) = (driver.display(), at.display());
                // fuseblk wants a block device.
                drive.space.sh(&format!(
                    "device=$(losetup --find --show '{image}'); '{driver}' $device '{at}' >&2; losetup --detach $device"
                ));
            }
        }
        drive
    }

    fn at(&self) -> PathBuf {
        self.folder.path().join("drive")
    }

    fn seen(&self, path: &str) -> PathBuf {
        self.space.view(&self.at()).join(path)
    }

    fn command(&self, args: &[&str]) -> Command {
        self.space.inside(&self.home.command(args))
    }

    fn run(&self, args: &[&str]) -> support::Output {
        Running::spawn(self.command(args)).finish()
    }
}

impl Drop for Drive {
    fn drop(&mut self) {
        let at = self.at();
        self.space.sh(&format!("umount -l '{}'", at.display()));
    }
}

fn lives_through_a_pull_a_kill_and_a_person(kind: &Kind) {
    let drive = Drive::mounted(kind);
    for key in KEYS {
        drive.bucket.put(key, format!("the bytes of {key}"));
    }
    let mut init = drive.home.command(["init", "--store"]);
    init.arg(drive.at());
    init.args(["--source", "www", "--bucket", "backups", "--region", REGION]);
    init.args(["--endpoint", &drive._server.endpoint()]);
    Running::spawn(drive.space.inside(&init)).finish().exits(0);
    let marker = std::fs::read_to_string(drive.seen("offsite-store.toml")).unwrap();
    let marker: toml::Table = marker.parse().unwrap();
    let facts = &marker["facts"];
    assert_eq!(facts["filesystem"].as_str(), Some(kind.name), "{facts}");
    assert_eq!(marker["naming"].as_str(), Some(kind.naming), "{facts}");
    for (fact, expected) in [
        ("folds_case", kind.folds_case),
        ("hard_links", kind.hard_links),
        ("syncfs", kind.syncfs),
        ("sqlite_wal", kind.syncfs),
        ("sqlite_locking", true),
    ] {
        assert_eq!(facts[fact].as_bool(), Some(expected), "{fact}: {facts}");
    }

    drive.run(&["pull"]).exits(0);
    every_key_is_there(&drive);

    // Replaced, and killed in the middle of it.
    for n in 0..40 {
        drive.bucket.put(&format!("many/{n}"), vec![n; 30_000]);
    }
    drive.bucket.put(KEYS[0], "a second version");
    for wait in [30, 60, 90] {
        let pull = Running::spawn(drive.command(&["pull"]));
        std::thread::sleep(std::time::Duration::from_millis(wait));
        pull.kill();
    }
    drive.run(&["pull"]).exits(0);
    drive.run(&["catalogue", "check", "--deep"]).exits(0);
    drive.run(&["log", "--verify"]).exits(0);
    drive.run(&["status"]).exits(0);

    // Without us.
    let www = drive.at().join("www");
    drive.space.sh(&format!(
        "cd '{}' && sha256sum --quiet -c SHA256SUMS && sha256sum --quiet -c history.SHA256SUMS",
        www.display()
    ));
}

fn every_key_is_there(drive: &Drive) {
    let ls = drive.run(&["ls", "--json"]).exits(0).json_lines();
    assert_eq!(ls.len(), KEYS.len());
    for row in ls {
        let file = drive.seen(row["path"].as_str().unwrap());
        let bytes = std::fs::read_to_string(file).unwrap();
        assert_eq!(
            bytes,
            format!("the bytes of {}", row["key"].as_str().unwrap())
        );
    }
}

#[test]
#[cfg_attr(without_root, ignore = "OFFSITE_TEST_WITHOUT names root")]
#[cfg_attr(without_exfat, ignore = "OFFSITE_TEST_WITHOUT names exfat")]
fn exfat() {
    lives_through_a_pull_a_kill_and_a_person(&EXFAT);
}

#[test]
#[cfg_attr(without_root, ignore = "OFFSITE_TEST_WITHOUT names root")]
#[cfg_attr(without_ntfs, ignore = "OFFSITE_TEST_WITHOUT names ntfs")]
fn ntfs() {
    lives_through_a_pull_a_kill_and_a_person(&NTFS);
}

#[test]
#[cfg_attr(without_root, ignore = "OFFSITE_TEST_WITHOUT names root")]
#[cfg_attr(without_xfs, ignore = "OFFSITE_TEST_WITHOUT names xfs")]
fn xfs() {
    lives_through_a_pull_a_kill_and_a_person(&XFS);
}

#[test]
#[cfg_attr(without_root, ignore = "OFFSITE_TEST_WITHOUT names root")]
#[cfg_attr(without_btrfs, ignore = "OFFSITE_TEST_WITHOUT names btrfs")]
fn btrfs() {
    lives_through_a_pull_a_kill_and_a_person(&BTRFS);
}

#[test]
#[cfg_attr(without_root, ignore = "OFFSITE_TEST_WITHOUT names root")]
#[cfg_attr(without_mkfs, ignore = "OFFSITE_TEST_WITHOUT names mkfs")]
fn ext4() {
    lives_through_a_pull_a_kill_and_a_person(&EXT4);
}
