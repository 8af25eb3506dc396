//! What a drive can do, found out on the drive itself.

use super::dir::Dir;
use super::marker::Facts;
use super::mounts::{self, Mount};
use super::names::NamingRule;
use crate::error::{Error, Kind, Result};
use rustix::fs::{self, StatVfsMountFlags};
use std::path::Path;

/// Where the probes are made; removed afterwards.
const PROBES: &str = ".offsite-probe";

/// What Windows forbids in a name ("Naming Files, Paths, and Namespaces", Microsoft), less `/`.
const WINDOWS_FORBIDS: &str = ":*?\"<>|\\";

/// Kinds whose drives go to Windows computers or live by its rules, whatever Linux lets through.
const PORTABLE: [&str; 8] = [
    "exfat", "ntfs", "ntfs3", "fuseblk", "cifs", "smb3", "smbfs", "vfat",
];

/// Kinds on which one `syncfs` is durable and reports errors, and SQLite's WAL is at home.
const WHOLE_SYNC: [&str; 4] = ["ext4", "xfs", "btrfs", "f2fs"];

/// Tries what the drive under `dir` can do. `sqlite` is asked with a path for a database that it
/// may make. Leaves nothing behind.
pub(super) fn facts(dir: &Dir, sqlite: &dyn Fn(&Path) -> bool) -> Result<Facts> {
    clean(dir)?;
    dir.make(PROBES)?;
    let tried = try_out(dir, sqlite);
    clean(dir)?;
    tried
}

fn try_out(dir: &Dir, sqlite: &dyn Fn(&Path) -> bool) -> Result<Facts> {
    let probes = dir.sub(PROBES)?;
    let mount = mounts::of(dir)?;
    probes.create("probe-a")?;
    let folds_case = probes.stat("PROBE-A")?.is_some();
    probes.create("caf\u{e9}")?;
    let normalises = probes.stat("cafe\u{301}")?.is_some() || !comes_back(&probes, "caf\u{e9}");
    let mut forbidden: String = WINDOWS_FORBIDS
        .chars()
        .filter(|c| {
            let name = format!("x{c}y");
            probes.create(&name).is_err() || !comes_back(&probes, &name)
        })
        .collect();
    for (name, character) in [("trailing.", '.'), ("trailing ", ' ')] {
        if probes.create(name).is_err() || !comes_back(&probes, name) {
            forbidden.push(character);
        }
    }
    let whole = WHOLE_SYNC.contains(&mount.kind.as_str());
    Ok(Facts {
        folds_case,
        normalises,
        forbidden,
        hard_links: probes.link("probe-a", "probe-b").unwrap_or(false),
        syncfs: whole && probes.sync_all().is_ok(),
        sqlite_wal: whole,
        sqlite_locking: Some(sqlite(&dir.path().join(PROBES).join("probe.db"))),
        on_root: mounts::on_root(dir, &mount)?,
        total: space(dir)?.0,
        uuid: mounts::uuid(&mount),
        filesystem: mount.kind,
    })
}

/// Whether the folder is on a file system of which one `syncfs` makes everything durable.
pub(super) fn syncs_whole(dir: &Dir) -> bool {
    mounts::of(dir).is_ok_and(|mount| WHOLE_SYNC.contains(&mount.kind.as_str()))
}

/// Whether the folder lists `name` as it was given.
fn comes_back(probes: &Dir, name: &str) -> bool {
    probes
        .list(".")
        .is_ok_and(|mut entries| entries.any(|e| e.is_ok_and(|e| e.utf8 && e.name == name)))
}

fn clean(dir: &Dir) -> Result<()> {
    if dir.stat(PROBES)?.is_none() {
        return Ok(());
    }
    // Twice, because SQLite's files may come and go while they are listed.
    for _ in 0..2 {
        let entries: Vec<_> = dir.list(PROBES)?.collect::<Result<_>>()?;
        for entry in entries {
            dir.unlink(&format!("{PROBES}/{}", entry.name))?;
        }
    }
    dir.remove_folder(PROBES)
}

/// How keys must be spelt on a drive of these facts.
pub(super) fn naming(facts: &Facts) -> NamingRule {
    if !facts.forbidden.is_empty() || PORTABLE.contains(&facts.filesystem.as_str()) {
        NamingRule::Portable
    } else {
        NamingRule::Posix
    }
}

/// Refuses FAT: 4 GiB is its longest file, and its renames can lose both names (fs/fat in Linux).
pub(super) fn refuse_fat(mount: &Mount, path: &Path) -> Result<()> {
    if ["vfat", "msdos", "fat"].contains(&mount.kind.as_str()) {
        return Err(Error::new(
            Kind::Store,
            format!(
                "{} is on FAT, which cannot hold files over 4 GiB nor survive a power cut",
                path.display()
            ),
        )
        .hint(
            "format the drive as ext4 (Linux only) or exFAT (also for macOS and Windows), then init again",
        ));
    }
    Ok(())
}

/// The size of the file system and the bytes free for us.
pub(super) fn space(dir: &Dir) -> Result<(u64, u64)> {
    let stat = statvfs(dir)?;
    Ok((
        stat.f_blocks.saturating_mul(stat.f_frsize),
        stat.f_bavail.saturating_mul(stat.f_frsize),
    ))
}

/// Whether the mount is read-only.
pub(super) fn read_only(dir: &Dir) -> Result<bool> {
    Ok(statvfs(dir)?.f_flag.contains(StatVfsMountFlags::RDONLY))
}

fn statvfs(dir: &Dir) -> Result<fs::StatVfs> {
    fs::fstatvfs(dir.handle()).map_err(|e| Error::io("ask for the space on", dir.path(), e))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_linux_drive_is_found_to_be_one_and_nothing_is_left_behind() {
        let temp = tempfile::tempdir().unwrap();
        let dir = Dir::open(temp.path()).unwrap();
        let facts = facts(&dir, &|path| {
            std::fs::write(path, "x").unwrap();
            true
        })
        .unwrap();
        assert!(!facts.folds_case && !facts.normalises && facts.hard_links);
        assert_eq!(facts.forbidden, "");
        assert_eq!(facts.sqlite_locking, Some(true));
        assert!(facts.total > 0);
        assert_eq!(naming(&facts), NamingRule::Posix);
        assert_eq!(std::fs::read_dir(temp.path()).unwrap().count(), 0);
    }

    #[test]
    fn fat_is_refused_with_what_to_format_instead() {
        let line = |kind| format!("28 27 8:1 / /mnt/usb rw - {kind} /dev/sda1 rw");
        let verdict =
            |kind| refuse_fat(&mounts::parse(&line(kind)).unwrap(), Path::new("/mnt/usb"));
        for kind in ["vfat", "msdos"] {
            let error = verdict(kind).unwrap_err();
            assert_eq!(error.kind(), Kind::Store);
            assert!(error.to_string().contains("/mnt/usb is on FAT"), "{error}");
            let hint = error.way_out().unwrap();
            assert!(hint.contains("ext4") && hint.contains("exFAT"), "{hint}");
        }
        verdict("exfat").unwrap();
    }

    #[test]
    fn the_naming_rule_follows_the_drive() {
        let with = |kind: &str, forbidden: &str| {
            let mut facts = super::super::marker::tests::facts();
            facts.filesystem = kind.into();
            facts.forbidden = forbidden.into();
            naming(&facts)
        };
        for (kind, forbidden, rule) in [
            ("ext4", "", NamingRule::Posix),
            ("exfat", "", NamingRule::Portable),
            ("ntfs3", "", NamingRule::Portable),
            ("nfs4", "", NamingRule::Posix),
            ("fuse.x", ":", NamingRule::Portable),
        ] {
            assert_eq!(with(kind, forbidden), rule, "{kind} {forbidden}");
        }
    }
}
