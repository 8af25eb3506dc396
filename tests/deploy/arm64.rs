//! The guide for beginners, followed word for word in a fresh Debian for arm64 (behind an
//! emulator, `deploy/raspberry-pi/arm64.sh`), from the drive to the first pull by the unit's own
//! command line, from a real server with the key of the guide's own policy file.
//!
//! What cannot be had there is stood in for. This is all of it:
//! - the Pi and its card (section 1): the Debian that the script makes, after `FIRST_BOOT`;
//! - the disk: files called `/dev/sda` and `/dev/sda1`, which wipefs, sfdisk and mkfs really write;
//!   `mount` looks whether fstab's line fits them, then binds an ext4 from a loop device, because
//!   in a user namespace no block device can be mounted;
//! - systemd as the first process: `systemctl` and `journalctl` below. Enabling is the real
//!   systemctl's; starting a service reads the installed unit and does what its lines about user,
//!   credential and command say. Its confinement is judged by `units.rs`;
//! - `scp`: the package is copied.

use crate::guide::boxes;
use crate::rights::PI;
use crate::support::{Bucket, Namespace, Running, Seaweed, seaweedfs::ADMIN};
use crate::{deploy, text};
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

/// What the Pi has before its user comes: an identity, a user who may use sudo, a disk.
const FIRST_BOOT: &str = r#"
systemd-machine-id-setup
useradd --create-home --shell /bin/bash you
echo 'you ALL=(ALL) NOPASSWD: ALL' >/etc/sudoers.d/you
install -m 755 /given/bin/* /usr/local/bin
truncate -s 100M /dev/sda
truncate -s 98M /dev/sda1
cp /given/*.deb ~you
su - you -c 'sh -eu /given/guide.sh'
"#;

/// Of all mounts only the guide's is stood in for.
const MOUNT: &str = r#"#!/bin/sh
set -eu
[ "$*" = /mnt/usb ] || exec /bin/mount "$@"
wanted=$(findmnt --fstab --noheadings --raw --output SOURCE,FSTYPE /mnt/usb)
there="LABEL=$(blkid -o value -s LABEL /dev/sda1) $(blkid -o value -s TYPE /dev/sda1)"
[ "$wanted" = "$there" ] || { echo "fstab has $wanted, the disk $there" >&2; exit 32; }
exec /bin/mount --bind /given/drive /mnt/usb
"#;

/// `start` of a service: its own lines, in the order in which systemd takes them.
const SYSTEMCTL: &str = r#"#!/bin/sh
set -eu
case "$1" in
    daemon-reload) exit ;; # nobody is there to be told
    enable) shift; [ "$1" != --now ] || shift; exec /usr/bin/systemctl enable "$@" ;;
    list-timers) ls /etc/systemd/system/timers.target.wants; exit ;;
    start) ;;
    *) echo "systemctl $*: not stood in for" >&2; exit 1 ;;
esac
unit=/etc/systemd/system/$2.service
[ -e "$unit" ] || unit=/usr/lib/systemd/system/$2.service
line() { sed -n "s/^$1=//p" "$unit"; }
key=$(line LoadCredentialEncrypted)
folder=/run/credentials/$2.service
install -d -m 755 /run/credentials
install -d -m 500 -o "$(line User)" "$folder"
systemd-creds decrypt --name="$key" "/etc/credstore.encrypted/$key" "$folder/$key"
chown "$(line User)" "$folder/$key"
umask "$(line UMask)"
code=0
cd /
env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin CREDENTIALS_DIRECTORY="$folder" \
    setpriv --reuid "$(line User)" --regid "$(line Group)" --init-groups --no-new-privs \
    --bounding-set=-all sh -c "exec $(line ExecStart)" >>"/run/$2.log" 2>&1 || code=$?
echo "$(line ExecStart): exit $code" >>"/run/$2.log"
rm -r "$folder"
exit "$code"
"#;

const JOURNALCTL: &str = "#!/bin/sh\n[ \"$1\" = -u ] && cat \"/run/$2.log\"\n";

/// After the guide: what its reader believes now is so. Then the same without apt.
const AFTER: &str = r#"
echo '== after the guide'
test "$(sudo -u offsite offsite status --json | grep -o '"verdict":"[a-z]*"')" = '"verdict":"ok"'
(cd /mnt/usb/offsite/www && sha256sum -c SHA256SUMS)
test "$(readlink /etc/systemd/system/timers.target.wants/offsite-pull.timer)" = /lib/systemd/system/offsite-pull.timer
! sudo grep -r "$SECRET" /etc /run
echo '== without apt'
cp /usr/bin/offsite PROGRAM
sudo apt-get remove --yes offsite
cd /given/raspberry-pi
sudo sh install.sh ~/PROGRAM
sudo systemctl enable --now offsite-pull.timer offsite-status.timer offsite-scrub.timer offsite-drill.timer
sudo systemctl start offsite-pull
grep -Fx '/usr/local/bin/offsite -c /etc/offsite/offsite.toml pull: exit 0' /run/offsite-pull.log
sudo -u offsite offsite status
"#;

/// The guide's boxes as one script. What is left out or put in is what the guide leaves to its
/// reader, and must be there.
fn script(endpoint: &str) -> String {
    let boxes = boxes();
    let named = |word: &str| {
        let found = boxes.iter().find(|lines| lines[0].starts_with(word));
        found.unwrap_or_else(|| panic!("no box begins with {word}"))
    };
    let (from_elsewhere, key, another_way) =
        (named("ssh"), named("aws_access_key_id"), named("[Service]"));
    let pasted = key.join("\n");
    let pasted = pasted
        .replacen("AKIA...", PI.id, 1)
        .replacen("...", PI.secret, 1);
    let mut script = String::new();
    for lines in &boxes {
        if [from_elsewhere, key, another_way].contains(&lines) {
            continue;
        }
        for line in lines {
            script += &format!("echo '==' {}\n{line}", quoted(line));
            if line.contains("systemd-creds encrypt") {
                script += &format!(" <<'KEY'\n{pasted}\nKEY");
            }
            script += "\n";
        }
    }
    let theirs = "https://fra1.digitaloceanspaces.com";
    assert!(script.contains(theirs), "{script}");
    script.replace(theirs, endpoint) + &AFTER.replace("$SECRET", PI.secret)
}

fn quoted(line: &str) -> String {
    format!("'{}'", line.replace('\'', "'\\''"))
}

/// The package that build.sh made last.
fn package() -> PathBuf {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap();
    let made = fs::read_dir(target.join("debian")).into_iter().flatten();
    let made = made.map(|entry| entry.unwrap().path());
    let mut made: Vec<_> = made
        .filter(|path| path.to_str().unwrap().ends_with("_arm64.deb"))
        .collect();
    assert_eq!(made.len(), 1, "one package of build.sh --deb: {made:?}");
    made.remove(0)
}

/// The folder that is seen inside as `/given`.
fn given(folder: &Path, endpoint: &str) {
    let package = package();
    fs::copy(&package, folder.join(package.file_name().unwrap())).unwrap();
    fs::write(folder.join("guide.sh"), script(endpoint)).unwrap();
    fs::write(folder.join("first-boot.sh"), FIRST_BOOT).unwrap();
    for empty in ["bin", "drive", "raspberry-pi"] {
        fs::create_dir(folder.join(empty)).unwrap();
    }
    for (name, text) in [
        ("mount", MOUNT),
        ("systemctl", SYSTEMCTL),
        ("journalctl", JOURNALCTL),
    ] {
        fs::write(folder.join("bin").join(name), text).unwrap();
    }
    for entry in fs::read_dir(deploy("raspberry-pi")).unwrap() {
        let entry = entry.unwrap();
        if entry.path().is_file() {
            fs::copy(
                entry.path(),
                folder.join("raspberry-pi").join(entry.file_name()),
            )
            .unwrap();
        }
    }
}

#[test]
#[ignore = "needs root, the package of deploy/raspberry-pi/build.sh --deb, and minutes"]
fn the_guide_followed_word_for_word_on_arm64_ends_with_a_verified_pull() {
    // "Put in your bucket": the guide's, all of it.
    let identities = text("policies/seaweedfs/identities.json")
        .replace("example-backups/www/", "my-backups/")
        .replace("example-backups", "my-backups");
    let identities: serde_json::Value = identities.parse().unwrap();
    let server = Seaweed::start_with(identities["identities"].as_array().unwrap());
    let bucket = Bucket::at(&server.endpoint(), ADMIN, "my-backups");
    bucket.create();
    let objects = [
        ("site/site-20261121.tar.age", crate::support::age(22_000, 1)),
        ("db/20261121.sql.age", crate::support::age(200, 2)),
        ("large.age", vec![7; 40 << 20]),
    ];
    for (key, bytes) in &objects {
        bucket.put(key, bytes);
    }
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
    given(folder.path(), &server.endpoint());
    let space = Namespace::new();
    let drive = folder.path().join("drive");
    space.mount_image(&space.ext4_image("usb.img", 8 << 10), &drive);

    let mut follow = Command::new(deploy("raspberry-pi/arm64.sh"));
    follow
        .arg(folder.path())
        .args(["sh", "-eu", "/given/first-boot.sh"])
        .env("PATH", std::env::var_os("PATH").unwrap());
    let told = Running::spawn(space.inside(&follow)).finish().exits(0);
    crate::support::tools::say(&told.stdout);
    for words in [
        "3 stored",
        "\n/usr/bin/offsite -c /etc/offsite/offsite.toml pull: exit 0\n",
        "\nall well\n",
        "\nlatest/large.age: OK\n",
        "\n/usr/local/bin/offsite -c /etc/offsite/offsite.toml pull: exit 0\n",
    ] {
        assert!(told.stdout.contains(words), "{words}: {}", told.stdout);
    }
    for (key, bytes) in objects {
        let kept = space.view(&drive).join("offsite/www/latest").join(key);
        assert_eq!(fs::read(kept).unwrap(), bytes, "{key}");
    }
}
