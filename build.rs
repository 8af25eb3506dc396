//! Lets a test say that it is left out: Rust's test harness decides what is *ignored* when a
//! test is compiled, so the names in `OFFSITE_TEST_WITHOUT` become `cfg`s, and a test carries
//! `#[cfg_attr(without_seaweedfs, ignore = "OFFSITE_TEST_WITHOUT names seaweedfs")]`.
//! The program itself does not depend on any of this.
#![allow(clippy::print_stdout)] // how a build script answers

/// What `tests/servers/setup.sh` can fetch.
const TOOLS: [&str; 33] = [
    "seaweedfs",
    "moto",
    "ceph",
    "rclone",
    "s3cmd",
    "awscli",
    "boto3",
    "s5cmd",
    "restic",
    "age",
    "minisign",
    "strace",
    "gpg",
    "openssl",
    "mkfs",
    "systemd",
    "exfat",
    "ntfs",
    "xfs",
    "btrfs",
    "borg",
    "duplicity",
    "zip",
    "7zip",
    "zstd",
    "lz4",
    "gocryptfs",
    "cryptsetup",
    "scrypt",
    "ccrypt",
    "ansible",
    "aescrypt",
    "vm",
];

/// What it builds from source, in many minutes: left out unless `OFFSITE_TEST_WITH` names it.
const ON_REQUEST: [&str; 1] = ["garage"];

/// What a machine may not allow: `root` for loop devices, `mounts` for mount namespaces.
const RIGHTS: [&str; 2] = ["root", "mounts"];

fn main() {
    let names: Vec<&str> = TOOLS.into_iter().chain(ON_REQUEST).chain(RIGHTS).collect();
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rerun-if-env-changed=OFFSITE_TEST_WITHOUT");
    println!("cargo:rerun-if-env-changed=OFFSITE_TEST_WITH");
    for name in &names {
        println!("cargo:rustc-check-cfg=cfg(without_{name})");
    }
    let with = std::env::var("OFFSITE_TEST_WITH").unwrap_or_default();
    for name in ON_REQUEST {
        if !with.split(',').any(|asked| asked.trim() == name) {
            println!("cargo:rustc-cfg=without_{name}");
        }
    }
    let without = std::env::var("OFFSITE_TEST_WITHOUT").unwrap_or_default();
    for name in without.split(',').map(str::trim).filter(|n| !n.is_empty()) {
        if names.contains(&name) {
            println!("cargo:rustc-cfg=without_{name}");
        } else {
            println!("cargo:warning=OFFSITE_TEST_WITHOUT: there is nothing called {name:?}");
        }
    }
}
