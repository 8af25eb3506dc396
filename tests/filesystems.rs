//! Real file systems, mounted: what `init` finds out about each, a pull onto it, some that are
//! killed and one that goes on, and what a person has without us: the sums, a copy by `cp`, and a
//! restic repository that restic finds whole.
//!
//! The kernel of this machine mounts some, in a mount namespace; exFAT and NTFS by their FUSE
//! drivers (exfat-fuse, ntfs-3g), as a desktop mounts them. What it may not know, Debian's own
//! kernel mounts in a virtual machine (`tests/support/vm.rs`).
#![allow(clippy::indexing_slicing, clippy::panic, clippy::unwrap_used)]

#[path = "filesystems/drive.rs"]
mod drive;
#[path = "filesystems/rot.rs"]
mod rot;
mod support;
#[path = "filesystems/virtual_machine.rs"]
mod virtual_machine;

use drive::{Kind, LINUX, PORTABLE, Place, lives_through_pulls_kills_and_a_person};
use support::Namespace;

fn here(kind: &Kind) {
    lives_through_pulls_kills_and_a_person(kind, Place::Here(Namespace::new()));
}

#[test]
#[cfg_attr(without_root, ignore = "OFFSITE_TEST_WITHOUT names root")]
#[cfg_attr(without_restic, ignore = "OFFSITE_TEST_WITHOUT names restic")]
#[cfg_attr(without_exfat, ignore = "OFFSITE_TEST_WITHOUT names exfat")]
fn exfat_by_fuse() {
    here(&Kind {
        tool: "exfat",
        // fuseblk wants a block device.
        mount: r#""$mkfs" "$image"
            device=$(losetup --find --show "$image")
            "$bin/mount.exfat-fuse" $device "$at" >&2
            losetup --detach $device"#,
        name: "fuseblk",
        ..PORTABLE
    });
}

#[test]
#[cfg_attr(without_root, ignore = "OFFSITE_TEST_WITHOUT names root")]
#[cfg_attr(without_restic, ignore = "OFFSITE_TEST_WITHOUT names restic")]
#[cfg_attr(without_ntfs, ignore = "OFFSITE_TEST_WITHOUT names ntfs")]
fn ntfs_by_fuse() {
    here(&Kind {
        tool: "ntfs",
        mount: r#""$mkfs" -F -Q -q "$image"
            device=$(losetup --find --show "$image")
            "$bin/ntfs-3g" $device "$at" >&2
            losetup --detach $device"#,
        name: "fuseblk",
        folds_case: false,
        hard_links: true,
        ..PORTABLE
    });
}

#[test]
#[cfg_attr(without_root, ignore = "OFFSITE_TEST_WITHOUT names root")]
#[cfg_attr(without_restic, ignore = "OFFSITE_TEST_WITHOUT names restic")]
#[cfg_attr(without_xfs, ignore = "OFFSITE_TEST_WITHOUT names xfs")]
fn xfs() {
    here(&Kind {
        tool: "xfs",
        mount: r#""$mkfs" -q "$image"; mount -o loop "$image" "$at""#,
        name: "xfs",
        ..LINUX
    });
}

#[test]
#[cfg_attr(without_root, ignore = "OFFSITE_TEST_WITHOUT names root")]
#[cfg_attr(without_restic, ignore = "OFFSITE_TEST_WITHOUT names restic")]
#[cfg_attr(without_btrfs, ignore = "OFFSITE_TEST_WITHOUT names btrfs")]
fn btrfs() {
    here(&Kind {
        tool: "btrfs",
        mount: r#""$mkfs" -q "$image"; mount -o loop "$image" "$at""#,
        name: "btrfs",
        ..LINUX
    });
}

#[test]
#[cfg_attr(without_root, ignore = "OFFSITE_TEST_WITHOUT names root")]
#[cfg_attr(without_restic, ignore = "OFFSITE_TEST_WITHOUT names restic")]
#[cfg_attr(without_mkfs, ignore = "OFFSITE_TEST_WITHOUT names mkfs")]
fn ext4() {
    here(&Kind {
        tool: "mkfs",
        mount: r#""$mkfs" -q -F "$image"; mount -o loop "$image" "$at""#,
        name: "ext4",
        ..LINUX
    });
}
