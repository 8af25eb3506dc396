//! Which keys are written once: names that a job makes anew for every backup. Pure.
//!
//! If the bytes under such a name change long after it was first seen, somebody changed them. A
//! name that rotates (a weekday, a counter, a year) changes by ordinary life and must never raise
//! an alarm, so this room says "written once" only where the name carries
//!
//! - a **full date**: year, month and day, in one of the spellings that backup tools and shell
//!   scripts use; in the file's name, in a folder's, or spread over folders;
//! - a **digest**: 32 hex digits or more, in the file's name;
//! - a **long random token**: 16 alphanumerics or more, or a UUID, in the file's name. In a
//!   folder's name these tell one client from another, whose files may rotate.
//!
//! Two-digit years count only in front of a time of day (`261121-0300`): six digits alone are as
//! well a customer's number.

mod date;

pub use date::names_day_or_month;

use crate::object::ObjectKey;
use std::fmt;

/// What in a name says that it is written once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Mark {
    /// Year, month and day, or seconds since 1970.
    Date,
    /// 32 hex digits or more.
    Digest,
    /// A UUID, or 16 alphanumerics or more that look random.
    Token,
}

impl fmt::Display for Mark {
    /// In words, as they stand in a finding: "its name carries …".
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Date => "a full date",
            Self::Digest => "a digest",
            Self::Token => "a long random token",
        })
    }
}

/// Whether `key` is written once.
pub fn is_write_once(key: &ObjectKey) -> bool {
    mark(key).is_some()
}

/// What in `key` says that it is written once, if anything does.
pub fn mark(key: &ObjectKey) -> Option<Mark> {
    let text = key.as_str();
    let name = text.rsplit('/').next().unwrap_or(text);
    if date::carries_date(text) {
        Some(Mark::Date)
    } else if carries_digest(name) {
        Some(Mark::Digest)
    } else if carries_token(name) {
        Some(Mark::Token)
    } else {
        None
    }
}

/// Fewest hex digits of a digest (MD5).
const DIGEST: usize = 32;
/// Fewest characters of a random token.
const TOKEN: usize = 16;

/// A long run of hex digits. A run of decimal ones is a counter with leading zeros.
fn carries_digest(name: &str) -> bool {
    name.split(|c: char| !c.is_ascii_hexdigit()).any(|run| {
        run.len() >= DIGEST
            && run.bytes().any(|b| b.is_ascii_digit())
            && run.bytes().any(|b| b.is_ascii_alphabetic())
    })
}

fn carries_token(name: &str) -> bool {
    name.split(|c: char| !c.is_ascii_alphanumeric())
        .any(|run| looks_random(run, TOKEN))
        || uuid_in(name).is_some()
}

/// Whether a run of letters and digits, `least` of them or more, is a random one and no words: how often it changes between
/// letters and digits, or goes up from lower to upper case.
///
/// Of 16 random characters (base 16, 36, 62) 6 or 7 do so. Words written together
/// (`MyWordPressSite2`) do so once a word, and have digits behind some of the words only.
pub fn looks_random(run: &str, least: usize) -> bool {
    let turns = run
        .bytes()
        .zip(run.bytes().skip(1))
        .filter(|(a, b)| {
            a.is_ascii_digit() != b.is_ascii_digit()
                || a.is_ascii_lowercase() && b.is_ascii_uppercase()
        })
        .count();
    let letters_only = run.bytes().all(|b| b.is_ascii_alphabetic());
    // Words come in one kind without digits, so letters alone must turn more often.
    let per = if letters_only { 3 } else { 4 };
    run.len() >= least && turns * per >= run.len()
}

/// Where a UUID begins in `name`: `8-4-4-4-12` hex digits (RFC 9562, section 4).
pub fn uuid_in(name: &str) -> Option<usize> {
    name.as_bytes().windows(UUID).position(|window| {
        (0..).zip(window).all(|(at, byte)| match at {
            8 | 13 | 18 | 23 => *byte == b'-',
            _ => byte.is_ascii_hexdigit(),
        })
    })
}

/// The length of a UUID, in bytes.
pub const UUID: usize = 36;

#[cfg(test)]
mod tests {
    use super::*;

    fn of(key: &str) -> Option<Mark> {
        mark(&ObjectKey::new(key).unwrap())
    }

    #[test]
    fn names_with_a_full_date() {
        for key in [
            "site-example.com-20261121-030000utc-AbCdEfGh12345678.jps",
            "site-example.com-20261121-030000utc-AbCdEfGh12345678.j01",
            "backup_2026-11-21-0300_Site_0123456789ab-db.gz.crypt",
            "2026/11/21/db.age",
            "2026/11/21",
            "2026-11/21/db.age",
            "2026/11/2026-11-21.tar",
            "db/2026/1/5/db.age",
            "year=2026/month=11/day=21/db.parquet",
            "2026-11-21/latest.tar",
            "mysqldump-all-2026-11-21.sql.gz.age",
            "shop_20261121.sql",
            "pg_dump_20261121_030000.dump",
            "pgbackrest/backup/db/20261121-030000F/manifest",
            "host-2026-11-21T03:00:00.123456",
            "duplicity-full.20261121T030000Z.vol1.difftar.gpg",
            "duplicity-inc.20261121T030000Z.to.20261122T030000Z.manifest.gpg",
            "dump/vzdump-qemu-100-2026_11_21-03_00_00.vma.zst",
            "host/pve/2026-11-21T03:00:00Z/index.json.blob",
            "_log_20261121030000_1a2b_1795230000_1795230001_1_abc",
            "backup_example.com_2611210300.tar",
            "mysql_261121_0300.sql.gz",
            "db-261121030000.sql",
            "backup-11.21.2026_03-00-00_user.tar.gz",
            "backup-21.11.2026.zip",
            "backup 1.5.2026.zip",
            "db-21-11-2026.7z",
            "db_11_21_2026.tgz",
            "dump.21112026.gz",
            "db-21-Nov-2026.gz",
            "db-21nov2026.gz",
            "November 21, 2026.zip",
            "2026Nov21.tar",
            "2026年11月21日.zip",
            "2026-1-5.tar",
            "etc-1795230000.tar.gz",
            "1795230000123.bak",
            "1795230000_2026_11_21_16.9.1_gitlab_backup.tar",
            "20261121T030000.123Z.tar",
            "202611210300.tar",
            "20261121030000123.tar",
            "20240229.tar",
        ] {
            assert_eq!(of(key), Some(Mark::Date), "{key}");
        }
    }

    #[test]
    fn names_with_a_digest_or_a_token() {
        let hex = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08";
        let digests = [
            format!("data/9f/{hex}"),
            format!("repo/snapshots/{hex}"),
            format!("x.{}.zst", hex.to_uppercase()),
            "p0f1e2d3c4b5a69788796a5b4c3d2e1f0-s0123456789abcdef".to_owned(),
            "duplicati-b9f86d081884c7d659a2feaa0c55ad015.dblock.zip.aes".to_owned(),
            format!("chunks/ab/{}", &hex[2..]),
            "archive/db/16-1/0000000100000000/000000010000000000000001-9f86d081884c7d659a2feaa0c55ad015a3bf4f1b.gz".to_owned(),
        ];
        for key in digests {
            assert_eq!(of(&key), Some(Mark::Digest), "{key}");
        }
        for key in [
            "550e8400-e29b-41d4-a716-446655440000.sql",
            "dumps/db_550e8400-e29b-41d4-a716-446655440000_x.sql",
            "backup-01J9ZC5X8Q7R2T3V4W5Y6Z7A8B.tar",
            "site-a8F3kL09xZq27RtB.jps",
            "s3x9k2m4p7q1w8e5.age",
            "1srOrx2ZWZBpBUvZwXKQmoEYga2.bin",
            "AbCdEfGhIjKlMnOp.age",
        ] {
            assert_eq!(of(key), Some(Mark::Token), "{key}");
        }
    }

    #[test]
    fn names_that_rotate() {
        let hex = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08";
        let client = format!("{hex}/db.tar");
        for key in [
            "db.1.gz",
            "db.12.gz",
            "backup-mon.tgz",
            "backup-Monday.tgz",
            "latest-2026.tar",
            "db-2026-11.sql.age",
            "db-2026-11.7z",
            "db-2026-11.01",
            "db-202611.tar",
            "db-Nov-2026.tar",
            "2026/11/db.tar",
            "2026-w47.tar",
            "latest",
            "latest.tar.gz",
            "config",
            "repo/config",
            "index.12",
            "data/0/123",
            "kopia.repository",
            "kopia.maintenance",
            "snapshots/www/42",
            "2026-13-45.tar",
            "20261345.tar",
            "2026-02-30.tar",
            "20230229.tar",
            "31-04-2026.tar",
            "99999999.tar",
            "0000000001.tar",
            "4102444800.tar",
            "customer-240115.tar.gz",
            "web01/12-2026.tar",
            "vm-100-disk-0.raw",
            "nightly-03-00-00.tar",
            "home-assistant-2026.1.5.tar",
            "00000000000000000000000000000042.seg",
            "fullbackupoftheproductionserver.tar",
            "MyWordpressSite2Backup.zip",
            "BackUpOfMyWebSite.zip",
            "backupserver2026prod01.tar",
            "wordpress-database-backup.sql.gz.age",
            "550e8400-e29b-41d4-a716-446655440000/db.tar",
            "deadbeef.tar",
            "0123456789ab.tar",
            &client,
        ] {
            assert_eq!(of(key), None, "{key}");
            assert!(!is_write_once(&ObjectKey::new(key).unwrap()));
        }
    }
}
