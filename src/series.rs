//! Which keys are one series, and what is remembered of it. Pure.
//!
//! A job writes the same backup again and again under names that differ only in a date, a counter or
//! a random token. What its backups were until now says what the next one should be: encrypted, in
//! the same format, agreeing with what its uploader claims, readable with our key (see [`Story`]).
//!
//! A series is a pattern, so that names alone decide it. Two jobs whose names differ in a number
//! alone (`db1.sql`, `db2.sql`) are one series: whatever rests on series asks that *all* that one
//! had until now was alike, so that this makes it see less, and never more.

mod arrivals;
mod clearing;
mod range;
mod rotation;
mod story;
mod volume;

pub use arrivals::{Arrival, Arrivals, TOGETHER};
pub use clearing::{Clearing, End, Fate, Purged};
pub use range::Range;
pub use rotation::{Life, Rotation, Unexplained};
pub use story::{Story, Turn};
pub use volume::{Place, Volume};

use crate::formats::{Format, content_name, repositories};
use crate::object::ObjectKey;
use crate::write_once::{UUID, looks_random, names_day_or_month, uuid_in};
use std::fmt;

/// The most bytes that a series' name has.
pub const LONGEST: usize = 255;
/// Fewest hex digits that are no word.
const HEX: usize = 8;
/// Fewest characters of a random token.
const TOKEN: usize = 12;
/// What stands for everything that differs.
const ANY: char = '*';

/// The name of a series: its keys, with `*` for everything in which they differ. Text from the
/// bucket, as its keys are.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Series(String);

impl Series {
    /// The series that `key` belongs to.
    ///
    /// - A repository of restic or rustic is one, and so is one of kopia, Cryptomator or Duplicacy, as
    ///   far as its files are named as such.
    /// - Digits are a date or a counter, wherever they stand.
    /// - 8 hex digits or more, random tokens of 12 characters or more, and UUIDs are any.
    /// - English names of months and days of the week are any.
    pub fn of(key: &ObjectKey) -> Self {
        let name = repository(key).unwrap_or_else(|| pattern(key.as_str()));
        Self(shortened(name))
    }

    /// Its name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Series {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&crate::object::printable(&self.0))
    }
}

/// By what name a claim about an object's bytes goes in its series: that of the metadata, or, of one
/// in a file beside the object, the file's own series.
pub fn claim(name: &str) -> String {
    match name.contains(['.', '/']) {
        true => shortened(pattern(name)),
        false => name.to_owned(),
    }
}

/// How an object stands to others whose bytes go on in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Part {
    /// It is whole, as far as its name tells.
    Whole,
    /// It is a second part or a later one.
    Later,
    /// If this key is there, it is the last part of what begins in it.
    LastOf(ObjectKey),
}

impl Part {
    /// What the name of `key` says: what begins in another file cannot be told by itself.
    ///
    /// Later parts have a number above 1 for an ending: `.002`, `.j02` (Akeeba), `.z02` (zip),
    /// `.r02`, `.part2`. Akeeba and zip end in a file with the archive's own ending.
    pub fn of(key: &ObjectKey) -> Self {
        let Some((stem, ending)) = key.as_str().rsplit_once('.') else {
            return Self::Whole;
        };
        let first = match ending.to_ascii_lowercase().as_str() {
            "jps" | "jpa" => Some("j01"),
            "zip" => Some("z01"),
            _ => None,
        };
        if let Some(first) = first.and_then(|first| ObjectKey::new(format!("{stem}.{first}")).ok())
        {
            return Self::LastOf(first);
        }
        let digits = ending.trim_start_matches(|c: char| c.is_ascii_alphabetic());
        let letters = ending.strip_suffix(digits).unwrap_or_default();
        let counts = ["", "j", "z", "r", "part", "vol"].contains(&letters);
        match digits.parse::<u64>() {
            Ok(number) if counts && number > 1 => Self::Later,
            _ => Self::Whole,
        }
    }
}

/// Whether the series called `name` is a heap of pieces of which none is a backup: their number and
/// sizes say nothing.
pub fn is_pieces(name: &str) -> bool {
    let of = |format: Format| name.ends_with(&format!("({format})"));
    [
        Format::Restic,
        Format::Kopia,
        Format::Cryptomator,
        Format::Duplicacy,
    ]
    .into_iter()
    .any(of)
        // Segments of Borg.
        || name == "data/*/*"
        || name.ends_with("/data/*/*")
}

/// The folder of the repository that `key` is named like a part of, and its format.
fn repository(key: &ObjectKey) -> Option<String> {
    let of = |marker: &ObjectKey, format: Format| {
        let (root, _) = marker.as_str().rsplit_once('/').unwrap_or_default();
        let root = pattern(root);
        match root.is_empty() {
            true => format!("({format})"),
            false => format!("{root}/({format})"),
        }
    };
    if let Some(name) = content_name(key) {
        return Some(of(&name.config, Format::Restic));
    }
    let one = |format| {
        matches!(
            format,
            Format::Kopia | Format::Cryptomator | Format::Duplicacy
        )
    };
    let found = repositories(key).into_iter().find(|r| one(r.format))?;
    Some(of(&found.marker, found.format))
}

/// `key` with `*` for everything in which the keys of a series differ.
fn pattern(key: &str) -> String {
    let mut name = String::with_capacity(key.len());
    let mut rest = key;
    while let Some(at) = uuid_in(rest) {
        let (before, from) = rest.split_at(at);
        words(before, &mut name);
        name.push(ANY);
        rest = from.get(UUID..).unwrap_or_default();
    }
    words(rest, &mut name);
    name
}

/// Appends `text`, run by run of letters and digits.
fn words(text: &str, name: &mut String) {
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let of_run = first.is_ascii_alphanumeric();
        let length = rest.find(|c: char| c.is_ascii_alphanumeric() != of_run);
        let (run, more) = rest.split_at(length.unwrap_or(rest.len()));
        match of_run {
            true => word(run, name),
            false => name.push_str(run),
        }
        rest = more;
    }
}

/// Appends one run of letters and digits.
fn word(run: &str, name: &mut String) {
    let has_digit = run.bytes().any(|b| b.is_ascii_digit());
    let hex = run.len() >= HEX && has_digit && run.bytes().all(|b| b.is_ascii_hexdigit());
    if hex || looks_random(run, TOKEN) {
        name.push(ANY);
        return;
    }
    let mut rest = run;
    while let Some(first) = rest.chars().next() {
        let digits = first.is_ascii_digit();
        let length = rest.find(|c: char| c.is_ascii_digit() != digits);
        let (part, more) = rest.split_at(length.unwrap_or(rest.len()));
        match digits || names_day_or_month(part) {
            true => name.push(ANY),
            false => name.push_str(part),
        }
        rest = more;
    }
}

/// At most [`LONGEST`] bytes of `name`: its beginning and its end, which has the extension.
fn shortened(name: String) -> String {
    const END: usize = 64;
    const GAP: &str = "…";
    if name.len() <= LONGEST {
        return name;
    }
    let begin = name.floor_char_boundary(LONGEST - END - GAP.len());
    let end = name.ceil_char_boundary(name.len() - END);
    let part = |range: Option<&str>| range.unwrap_or_default().to_owned();
    part(name.get(..begin)) + GAP + &part(name.get(end..))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn of(key: &str) -> String {
        Series::of(&ObjectKey::new(key).unwrap()).0
    }

    /// What backup programs and scripts write: keys of one series, and its name.
    #[test]
    fn what_jobs_write() {
        let hex = |n: usize| {
            "0123456789abcdef"
                .chars()
                .cycle()
                .skip(n)
                .take(64)
                .collect::<String>()
        };
        let restic = |n: usize| format!("restic/www/data/{}/{}", &hex(n)[..2], hex(n));
        for (name, keys) in [
            (
                "site-www.example.com-*-*utc-*.jps",
                vec![
                    "site-www.example.com-20261121-030000utc-AbCdEfGh12345678.jps".to_owned(),
                    "site-www.example.com-20261122-030001utc-a8F3kL09xZq27RtB.jps".to_owned(),
                ],
            ),
            (
                "site-www.example.com-*-*utc-*.j*",
                vec![
                    "site-www.example.com-20261121-030000utc-AbCdEfGh12345678.j01".to_owned(),
                    "site-www.example.com-20261121-030000utc-AbCdEfGh12345678.j12".to_owned(),
                ],
            ),
            (
                "backup_*-*-*-*_Site_*-db.gz.crypt",
                vec![
                    "backup_2026-11-21-0300_Site_0123456789ab-db.gz.crypt".to_owned(),
                    "backup_2026-11-22-0300_Site_f00dfeed0000-db.gz.crypt".to_owned(),
                ],
            ),
            (
                "backup_*-*-*-*_Site_*-plugins*.zip.crypt",
                vec![
                    "backup_2026-11-21-0300_Site_0123456789ab-plugins2.zip.crypt".to_owned(),
                    "backup_2026-11-21-0300_Site_0123456789ab-plugins3.zip.crypt".to_owned(),
                ],
            ),
            (
                "mysqldump-all-*-*-*.sql.gz.age",
                vec![
                    "mysqldump-all-2026-11-21.sql.gz.age".to_owned(),
                    "mysqldump-all-2027-01-01.sql.gz.age".to_owned(),
                ],
            ),
            (
                "pg_dump_*_*.dump",
                vec!["pg_dump_20261121_030000.dump".to_owned()],
            ),
            (
                "web*-*-*-*T*:*:*.*",
                vec![
                    "web1-2026-11-21T03:00:00.123456".to_owned(),
                    "web1-2026-11-22T03:00:07.000001".to_owned(),
                ],
            ),
            (
                "duplicity-full.*T*Z.vol*.difftar.gpg",
                vec![
                    "duplicity-full.20261121T030000Z.vol1.difftar.gpg".to_owned(),
                    "duplicity-full.20261121T030000Z.vol27.difftar.gpg".to_owned(),
                ],
            ),
            (
                "duplicity-inc.*T*Z.to.*T*Z.manifest.gpg",
                vec!["duplicity-inc.20261121T030000Z.to.20261122T030000Z.manifest.gpg".to_owned()],
            ),
            (
                "dump/vzdump-qemu-*-*_*_*-*_*_*.vma.zst",
                vec![
                    "dump/vzdump-qemu-100-2026_11_21-03_00_00.vma.zst".to_owned(),
                    "dump/vzdump-qemu-101-2026_11_22-03_10_00.vma.zst".to_owned(),
                ],
            ),
            // BackupNinja, Plesk, cPanel, Synology.
            (
                "sqldump/shop.sql.gz",
                vec!["sqldump/shop.sql.gz".to_owned()],
            ),
            (
                "backup_example.com_*.tar",
                vec![
                    "backup_example.com_2611210300.tar".to_owned(),
                    "backup_example.com_2611220300.tar".to_owned(),
                ],
            ),
            (
                "backup-*.*.*_*-*-*_user.tar.gz",
                vec!["backup-11.21.2026_03-00-00_user.tar.gz".to_owned()],
            ),
            (
                "NAS_*.hbk/Pool/*/*/*.bucket.*",
                vec!["NAS_1.hbk/Pool/0/25/6.bucket.3".to_owned()],
            ),
            ("db.*.gz", vec!["db.1.gz".to_owned(), "db.12.gz".to_owned()]),
            (
                "db-*.gz",
                vec![
                    "db-monday.gz".to_owned(),
                    "db-Tue.gz".to_owned(),
                    "db-3.gz".to_owned(),
                    "db-November.gz".to_owned(),
                ],
            ),
            (
                "db-*-*-*.gz",
                vec![
                    "db-21-Nov-2026.gz".to_owned(),
                    "db-01-December-2026.gz".to_owned(),
                ],
            ),
            (
                "dumps/db_*_x.sql",
                vec!["dumps/db_550e8400-e29b-41d4-a716-446655440000_x.sql".to_owned()],
            ),
            (
                "*/*/*/db.age",
                vec![
                    "2026/11/21/db.age".to_owned(),
                    "2026/12/01/db.age".to_owned(),
                ],
            ),
            (
                "restic/www/(restic)",
                vec![
                    restic(0),
                    restic(7),
                    format!("restic/www/index/{}", hex(1)),
                    format!("restic/www/snapshots/{}", hex(2)),
                    format!("restic/www/keys/{}", hex(3)),
                ],
            ),
            ("(restic)", vec![format!("snapshots/{}", hex(2))]),
            (
                "k/(kopia)",
                vec![
                    "k/p0f1e2d3c4b5a69788796a5b4c3d2e1f0-s0123456789abcdef".to_owned(),
                    "k/xn0_0123456789abcdef0123456789abcdef-sdeadbeefdeadbeef-c1".to_owned(),
                ],
            ),
            (
                "borg/data/*/*",
                vec!["borg/data/0/1".to_owned(), "borg/data/12/12345".to_owned()],
            ),
        ] {
            for key in keys {
                assert_eq!(of(&key), name, "{key}");
            }
        }
    }

    #[test]
    fn parts_of_archives() {
        let of = |key: &str| Part::of(&ObjectKey::new(key).unwrap());
        for whole in [
            "a/site.j01",
            "site.7z.001",
            "db.sql.gpg",
            "x.part1",
            "x.bz2",
            "README",
            "db.2.gz",
        ] {
            assert_eq!(of(whole), Part::Whole, "{whole}");
        }
        for later in ["a/site.j02", "site.7z.002", "db.gpg.2", "x.part10", "x.z12"] {
            assert_eq!(of(later), Part::Later, "{later}");
        }
        for (last, first) in [("a/s.jps", "a/s.j01"), ("s.zip", "s.z01")] {
            assert_eq!(
                of(last),
                Part::LastOf(ObjectKey::new(first).unwrap()),
                "{last}"
            );
        }
    }

    #[test]
    fn other_backups_are_other_series() {
        for (one, other) in [
            ("site-20261121.jps", "site-20261121.jps.sha256"),
            ("db-20261121.sql.gpg", "db-20261121.sql.gpg.asc"),
            ("shop-20261121.tar.age", "blog-20261121.tar.age"),
            ("www/db-20261121.age", "mail/db-20261121.age"),
            ("backup.zip", "backup.7z"),
            ("deadbeef.tar", "feedface.tar"),
        ] {
            assert_ne!(of(one), of(other));
        }
    }

    #[test]
    fn a_long_name_keeps_its_beginning_and_its_extension() {
        let name = of(&format!(
            "{}-x/{}.tar.age",
            "é".repeat(200),
            "word-".repeat(80)
        ));
        assert!(name.len() <= LONGEST && name.len() > LONGEST - 8, "{name}");
        assert!(
            name.starts_with("éé") && name.ends_with("word-.tar.age"),
            "{name}"
        );
    }

    proptest! {
        #[test]
        fn any_key_has_a_name_that_is_its_own_series(key in "\\PC{1,250}") {
            let name = of(&key);
            prop_assert!(!name.is_empty() && name.len() <= LONGEST);
        }

        /// The day of a backup never decides.
        #[test]
        fn dates_never_decide(a in 0i64..2_000_000_000, b in 0i64..2_000_000_000) {
            let key = |at: i64, format: &str| {
                let at = crate::object::from_ms(at * 1000);
                format!("host/db-{}.sql.age", at.strftime(format))
            };
            for format in ["%Y%m%d-%H%M%S", "%Y-%m-%d", "%Y/%m/%d", "%d.%m.%Y", "%d-%b-%Y", "%A", "%y%m%d%H%M"] {
                prop_assert_eq!(of(&key(a, format)), of(&key(b, format)));
            }
        }
    }
}
