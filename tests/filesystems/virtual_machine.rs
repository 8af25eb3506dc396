//! What Debian's kernel mounts in a virtual machine, one for all of these.

use crate::drive::{Drive, Kind, LINUX, PORTABLE, Place, lives_through_pulls_kills_and_a_person};
use crate::support::Vm;

fn there(kind: &Kind) {
    lives_through_pulls_kills_and_a_person(kind, Place::There(Vm::shared()));
}

#[test]
#[cfg_attr(without_vm, ignore = "OFFSITE_TEST_WITHOUT names vm")]
#[cfg_attr(without_restic, ignore = "OFFSITE_TEST_WITHOUT names restic")]
fn exfat_by_the_kernel() {
    there(&Kind {
        tool: "vm",
        mount: r#"mkfs.exfat "$image"; mount -t exfat -o loop "$image" "$at""#,
        name: "exfat",
        ..PORTABLE
    });
}

#[test]
#[cfg_attr(without_vm, ignore = "OFFSITE_TEST_WITHOUT names vm")]
#[cfg_attr(without_restic, ignore = "OFFSITE_TEST_WITHOUT names restic")]
fn ntfs_by_the_kernel() {
    there(&Kind {
        tool: "vm",
        mount: r#"mkntfs -F -Q -q "$image"; mount -t ntfs3 -o loop "$image" "$at""#,
        name: "ntfs3",
        folds_case: false,
        hard_links: true,
        ..PORTABLE
    });
}

#[test]
#[cfg_attr(without_vm, ignore = "OFFSITE_TEST_WITHOUT names vm")]
#[cfg_attr(without_restic, ignore = "OFFSITE_TEST_WITHOUT names restic")]
fn ext4_that_folds_case() {
    there(&Kind {
        tool: "vm",
        mount: r#"mkfs.ext4 -q -F -O casefold -E encoding=utf8 "$image"
            mount -t ext4 -o loop "$image" "$at"
            mkdir "$at/folds"
            chattr +F "$at/folds""#,
        store: "folds",
        name: "ext4",
        folds_case: true,
        normalises: true,
        ..LINUX
    });
}

#[test]
#[cfg_attr(without_vm, ignore = "OFFSITE_TEST_WITHOUT names vm")]
#[cfg_attr(without_restic, ignore = "OFFSITE_TEST_WITHOUT names restic")]
fn f2fs() {
    there(&Kind {
        tool: "vm",
        mount: r#"mkfs.f2fs -q "$image"; mount -t f2fs -o loop "$image" "$at""#,
        name: "f2fs",
        ..LINUX
    });
}

#[test]
#[cfg_attr(without_vm, ignore = "OFFSITE_TEST_WITHOUT names vm")]
#[cfg_attr(without_restic, ignore = "OFFSITE_TEST_WITHOUT names restic")]
fn nfs() {
    there(&Kind {
        tool: "vm",
        // Version 4.2 alone: the others need a port mapper. No grace for clients of before.
        mount: r#"mkdir /mnt/nfs
            mkfs.ext4 -q -F "$image"
            mount -t ext4 -o loop "$image" /mnt/nfs
            busybox modprobe nfsd
            mkdir -p /var/lib/nfs/v4recovery
            touch /var/lib/nfs/etab /var/lib/nfs/rmtab
            mount -t nfsd none /proc/fs/nfsd
            echo 10 >/proc/fs/nfsd/nfsv4leasetime
            echo 10 >/proc/fs/nfsd/nfsv4gracetime
            exportfs -i -o rw,no_root_squash,fsid=0,no_subtree_check 127.0.0.1:/mnt/nfs
            rpc.mountd --no-nfs-version 3
            rpc.nfsd --no-nfs-version 3 --no-udp 4
            mount -i -t nfs4 -o vers=4.2,addr=127.0.0.1,clientaddr=127.0.0.1 127.0.0.1:/ "$at""#,
        name: "nfs4",
        syncfs: false,
        ..LINUX
    });
}

#[test]
#[cfg_attr(without_vm, ignore = "OFFSITE_TEST_WITHOUT names vm")]
#[cfg_attr(without_restic, ignore = "OFFSITE_TEST_WITHOUT names restic")]
fn smb() {
    there(&Kind {
        tool: "vm",
        mount: r#"mkdir -p /mnt/smb
            mkfs.ext4 -q -F "$image"
            mount -t ext4 -o loop "$image" /mnt/smb
            mkdir -p /mnt/samba/private /mnt/samba/lock /mnt/samba/state /mnt/samba/cache /mnt/samba/pid /mnt/samba/ncalrpc /var/log/samba
            cat >/mnt/samba/conf <<-END
	[global]
	server role = standalone server
	interfaces = lo
	bind interfaces only = yes
	smb ports = 445
	private dir = /mnt/samba/private
	lock directory = /mnt/samba/lock
	state directory = /mnt/samba/state
	cache directory = /mnt/samba/cache
	pid directory = /mnt/samba/pid
	ncalrpc dir = /mnt/samba/ncalrpc
	log file = /mnt/samba/log
	passdb backend = smbpasswd:/mnt/samba/passwd
	load printers = no
	[drive]
	path = /mnt/smb
	read only = no
	END
            printf 'word\nword\n' | smbpasswd -c /mnt/samba/conf -s -a root
            smbd -D -s /mnt/samba/conf
            # It listens a moment later.
            for _ in 1 2 3 4 5; do
                mount -i -t cifs -o vers=3.1.1,ip=127.0.0.1,username=root,password=word //127.0.0.1/drive "$at" && break
                sleep 1
            done"#,
        name: "cifs",
        hard_links: true,
        sqlite_locking: false,
        ..PORTABLE
    });
}

#[test]
#[cfg_attr(without_vm, ignore = "OFFSITE_TEST_WITHOUT names vm")]
fn fat_is_refused() {
    let fat = Kind {
        tool: "vm",
        mount: r#"mkfs.vfat "$image"; mount -t vfat -o loop "$image" "$at""#,
        ..PORTABLE
    };
    let drive = Drive::mounted(&fat, Place::There(Vm::shared()));
    let refused = drive.init("www", "backups").exits(5);
    for words in ["is on FAT", "4 GiB", "ext4", "exFAT"] {
        assert!(refused.stderr.contains(words), "{}", refused.stderr);
    }
    assert_eq!(drive.names(), "");
}
