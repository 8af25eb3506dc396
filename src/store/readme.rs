//! The words on the drive for the day when offsite is not at hand.

use super::marker::Marker;

/// Its name at the root of the store.
pub(super) const README: &str = "README.txt";

/// What it begins with.
pub(super) const OPENING: &str =
    "This drive holds a copy of backups from a cloud bucket, made by offsite.";

/// How to read and restore the drive without offsite.
pub(super) fn text(marker: &Marker) -> String {
    format!(
        r#"{OPENING}
You do not need offsite to read it. Copy files from it as from any drive.

  store id      {id}
  file system   {filesystem}   ({readers})
  made          {created}
{mirror}
WHAT IS WHERE
  offsite-store.toml          says that this is a store; keep it
  catalogue.db                SQLite: what is here, since when, how well proven
  catalogue.db.1, .2          copies of it, the newer first; each opens like catalogue.db
  <source>/latest/            the newest good version of every file, under its own name,
                              also of files that were deleted from the bucket since
  <source>/history/           older and held versions: <name>/%v<time, UTC>-<start of SHA-256>
  <source>/quarantine/        files that contradicted their checksums, each with a .txt that
                              says what was expected. Do not restore from here.
  <source>/incoming/          unfinished downloads; not part of the copy
  <source>/journal/           what was stored and seen, line by line; never edited, only added to
  <source>/SHA256SUMS         checksums of latest/
  <source>/history.SHA256SUMS checksums of history/

CHECK THAT NOTHING HAS ROTTED
  cd <source> && sha256sum --quiet -c SHA256SUMS
  cd <source> && sha256sum --quiet -c history.SHA256SUMS

ASK THE CATALOGUE
  sqlite3 -readonly catalogue.db 'select * from latest'
  sqlite3 -readonly catalogue.db 'select * from history'
  On a drive mounted read-only, copy catalogue.db* to another place first.

RESTORE
  Ordinary files: copy them. They are encrypted as the writer of the backups encrypted them;
  the password or key is not on this drive.
  A restic or rustic repository (latest/ has the folders data, index, keys, snapshots):
    restic -r <source>/latest --no-lock snapshots
    restic -r <source>/latest --no-lock restore latest --target /somewhere/else
  An older state of one file: take it from history/.

NAMES WITH %
  Characters that a name cannot have here are written %XX (hexadecimal), a literal % is %25,
  a folder whose name ends in a bare % goes on in the next name (names that are too long), and
  %_ only tells two names apart that would be one.
  To see the name in the bucket:
    python3 -c 'import sys,urllib.parse as u; print(u.unquote(sys.argv[1].replace("%/","").replace("%_","")))' 'NAME'

WHICH COMPUTER READS THIS DRIVE
  ext4, xfs, btrfs, f2fs   Linux. macOS and Windows need extra tools; a Raspberry Pi or any
                           computer started from a Linux USB stick reads it as it is.
  exFAT                    Linux (5.7 or newer), macOS, Windows.
  NTFS                     Linux, Windows; macOS reads it only.
  To be safe, mount it read-only: mount -o ro /dev/sdX1 /mnt
"#,
        id = marker.id,
        filesystem = marker.facts.filesystem,
        readers = readers(&marker.facts.filesystem),
        created = marker.created,
        mirror = mirror_of(marker),
    )
}

fn mirror_of(marker: &Marker) -> String {
    match &marker.mirror_of {
        Some(first) => format!("  a mirror of   store {first}\n"),
        None => String::new(),
    }
}

fn readers(filesystem: &str) -> &'static str {
    match filesystem {
        "exfat" => "Linux, macOS and Windows read it",
        "ntfs" | "ntfs3" | "fuseblk" => "Linux and Windows read and write it, macOS reads it",
        "ext4" | "xfs" | "btrfs" | "f2fs" => "Linux reads it; macOS and Windows not without tools",
        _ => "as the computer it belongs to shares it",
    }
}
