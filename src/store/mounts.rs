//! Which mount a folder is on, by `/proc/self/mountinfo` (proc(5)).

use super::dir::Dir;
use crate::error::{Error, Result};
use rustix::fs;
use std::path::Path;

/// One mount.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Mount {
    /// The kind of file system as the kernel names it.
    pub(super) kind: String,
    /// What is mounted: `/dev/sda1`, `nas:/export`, …
    pub(super) source: String,
    /// `major:minor` of the device, as mountinfo writes it.
    device: String,
    point: String,
}

/// The mount that `dir` is on.
pub(super) fn of(dir: &Dir) -> Result<Mount> {
    let table = std::fs::read_to_string("/proc/self/mountinfo")
        .map_err(|e| Error::io("read", "/proc/self/mountinfo", e))?;
    let path = dir
        .path()
        .canonicalize()
        .map_err(|e| Error::io("look at", dir.path(), e))?;
    let found = find(&table, &device(dir)?, &path);
    Ok(found.unwrap_or_else(|| Mount {
        kind: "unknown".into(),
        source: String::new(),
        device: String::new(),
        point: String::new(),
    }))
}

fn device(dir: &Dir) -> Result<String> {
    let stat = fs::fstat(dir.handle()).map_err(|e| Error::io("look at", dir.path(), e))?;
    Ok(format!(
        "{}:{}",
        fs::major(stat.st_dev),
        fs::minor(stat.st_dev)
    ))
}

/// The mount of `device`; of several the one that `path` is under. Where none has this device
/// (btrfs gives each subvolume a number of its own), the deepest mount above `path`.
fn find(table: &str, device: &str, path: &Path) -> Option<Mount> {
    let mounts = || {
        table
            .lines()
            .filter_map(parse)
            .filter(|m| path.starts_with(&m.point))
    };
    // The last of equals, because a later mount covers an earlier one.
    mounts()
        .filter(|m| m.device == device)
        .max_by_key(|m| m.point.len())
        .or_else(|| mounts().max_by_key(|m| m.point.len()))
}

/// `36 35 98:0 /root /point rw,noatime master:1 - ext3 /dev/root rw,errors=continue` (proc(5)).
pub(super) fn parse(line: &str) -> Option<Mount> {
    let (before, after) = line.split_once(" - ")?;
    let mut before = before.split(' ');
    let device = before.nth(2)?.to_owned();
    let point = unescape(before.nth(1)?);
    let mut after = after.split(' ');
    Some(Mount {
        kind: after.next()?.to_owned(),
        source: unescape(after.next()?),
        device,
        point,
    })
}

/// Space, tab, newline and backslash are written as three octal digits.
fn unescape(field: &str) -> String {
    [
        ("\\040", " "),
        ("\\011", "\t"),
        ("\\012", "\n"),
        ("\\134", "\\"),
    ]
    .iter()
    .fold(field.to_owned(), |text, (code, plain)| {
        text.replace(code, plain)
    })
}

/// Whether `dir` is on the file system of `/`: the one that must not be filled by mistake.
pub(super) fn on_root(dir: &Dir, mount: &Mount) -> Result<bool> {
    let root = Dir::open(Path::new("/"))?;
    let same_device = device(&root)? == device(dir)?;
    // Another subvolume or bind mount of the same partition fills the same space.
    let same_source = mount.source.starts_with("/dev/") && of(&root)?.source == mount.source;
    Ok(same_device || same_source)
}

/// The UUID of the file system on `mount`, where udev tells.
pub(super) fn uuid(mount: &Mount) -> Option<String> {
    if !mount.source.starts_with("/dev/") {
        return None;
    }
    by_link(&mount.source).or_else(|| {
        let told = std::fs::read_to_string(format!("/run/udev/data/b{}", mount.device)).ok()?;
        told.lines()
            .find_map(|line| line.strip_prefix("E:ID_FS_UUID="))
            .map(str::to_owned)
    })
}

fn by_link(source: &str) -> Option<String> {
    let device = Path::new(source).canonicalize().ok()?;
    std::fs::read_dir("/dev/disk/by-uuid")
        .ok()?
        .filter_map(std::result::Result::ok)
        .find(|link| link.path().canonicalize().is_ok_and(|to| to == device))
        .and_then(|link| link.file_name().into_string().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    const TABLE: &str = "\
27 1 254:0 / / rw,relatime - ext4 /dev/vda rw
28 27 8:1 / /mnt/usb rw shared:1 - exfat /dev/sda1 rw
29 27 0:40 / /mnt/my\\040nas rw - nfs4 nas:/export rw
30 27 0:50 /@home /home rw - btrfs /dev/sdb1 rw
";

    #[test]
    fn the_mount_of_a_folder() {
        for (device, path, kind, source) in [
            ("254:0", "/srv", "ext4", "/dev/vda"),
            ("8:1", "/mnt/usb/offsite", "exfat", "/dev/sda1"),
            ("0:40", "/mnt/my nas/offsite", "nfs4", "nas:/export"),
            ("0:99", "/home/me", "btrfs", "/dev/sdb1"),
        ] {
            let mount = find(TABLE, device, Path::new(path)).unwrap();
            assert_eq!((mount.kind.as_str(), mount.source.as_str()), (kind, source));
        }
    }
}
