//! Archives that are written as several files: which of them an object is. Pure.

use crate::object::ObjectKey;

/// One file of an archive that may consist of several.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Volume {
    /// What the keys of all of them begin with.
    pub stem: String,
    /// What follows the number.
    end: String,
    /// Which one it is.
    pub place: Place,
}

/// Where a volume stands in its archive.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Place {
    /// The first is 1.
    Number(u64),
    /// The last, which has the archive's own name.
    Last,
}

/// Endings of archives whose volumes are counted in the ending, and what stands before the number:
/// Akeeba's `site.j01`, `site.j02`, … `site.jps`, and the same of zip.
const COUNTED: [(&str, &str); 3] = [("jps", "j"), ("jpa", "j"), ("zip", "z")];

impl Volume {
    /// What the name of `key` says, if it is that of a volume.
    ///
    /// Besides [`COUNTED`] ones: `x.7z.001`, `x.vol12.difftar.gpg` (duplicity), `x.part3.rar`.
    pub fn of(key: &ObjectKey) -> Option<Self> {
        let key = key.as_str();
        let (begin, ending) = key.rsplit_once('.')?;
        if let Some((_, letter)) = COUNTED.iter().find(|(whole, _)| *whole == ending) {
            return Some(Self::new(format!("{begin}.{letter}"), "", Place::Last));
        }
        let letters = ending.trim_end_matches(|c: char| c.is_ascii_digit());
        let digits = ending.strip_prefix(letters).unwrap_or_default();
        let counted = ["j", "z"].contains(&letters) && digits.len() >= 2;
        if counted || letters.is_empty() && digits.len() == 3 {
            return Self::numbered(format!("{begin}.{letters}"), digits, "");
        }
        let name = key.rfind('/').map_or(0, |slash| slash + 1);
        for word in [".vol", ".part"] {
            let Some(at) = key.get(name..).and_then(|text| text.rfind(word)) else {
                continue;
            };
            let (stem, rest) = key.split_at_checked(name + at + word.len())?;
            let after = rest.trim_start_matches(|c: char| c.is_ascii_digit());
            let digits = rest.strip_suffix(after).unwrap_or_default();
            if after.starts_with('.') {
                return Self::numbered(stem.to_owned(), digits, after);
            }
        }
        None
    }

    fn numbered(stem: String, digits: &str, end: &str) -> Option<Self> {
        let number = digits.parse().ok().filter(|number| *number > 0)?;
        Some(Self::new(stem, end, Place::Number(number)))
    }

    fn new(stem: String, end: &str, place: Place) -> Self {
        let end = end.to_owned();
        Self { stem, end, place }
    }

    /// Whether both belong to the same archive.
    pub fn is_with(&self, other: &Self) -> bool {
        (&self.stem, &self.end) == (&other.stem, &other.end)
    }

    /// The keys that the last volume may have, where it has another name than the others.
    pub fn last_names(&self) -> Vec<String> {
        let ends = COUNTED.iter().filter_map(|(whole, letter)| {
            let begin = self.stem.strip_suffix(letter)?;
            begin.ends_with('.').then(|| format!("{begin}{whole}"))
        });
        ends.filter(|_| self.end.is_empty()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Place::{Last, Number};

    #[test]
    fn names_of_volumes() {
        let of = |key: &str| {
            let volume = Volume::of(&ObjectKey::new(key).unwrap())?;
            Some((volume.stem, volume.place))
        };
        for (key, stem, place) in [
            ("a/s-20261121.j01", "a/s-20261121.j", Number(1)),
            ("a/s-20261121.j12", "a/s-20261121.j", Number(12)),
            ("a/s-20261121.jps", "a/s-20261121.j", Last),
            ("s.zip", "s.z", Last),
            ("s.z02", "s.z", Number(2)),
            ("s.7z.003", "s.7z.", Number(3)),
            (
                "d/duplicity-full.20261121T030000Z.vol7.difftar.gpg",
                "d/duplicity-full.20261121T030000Z.vol",
                Number(7),
            ),
            ("x.part03.rar", "x.part", Number(3)),
        ] {
            assert_eq!(of(key), Some((stem.to_owned(), place)), "{key}");
        }
        for key in [
            "db.1.gz",
            "db.gz",
            "x.j0",
            "x.000",
            "x.12",
            "x.2026",
            "a.vol1/x",
            "x.party.gz",
            "x",
            ".jps2",
            "x.vol.gz",
        ] {
            assert_eq!(of(key), None, "{key}");
        }
        // A number that is too long for one is none.
        assert_eq!(of("x.vol99999999999999999999.gpg"), None);
    }

    #[test]
    fn volumes_of_one_archive() {
        let of = |key: &str| Volume::of(&ObjectKey::new(key).unwrap()).unwrap();
        assert!(of("s.j01").is_with(&of("s.jps")));
        assert!(!of("s.j01").is_with(&of("t.jps")));
        assert!(!of("d.vol1.difftar.gpg").is_with(&of("d.vol1.sigtar.gpg")));
        assert_eq!(of("a/s.j01").last_names(), ["a/s.jps", "a/s.jpa"]);
        assert_eq!(of("s.z01").last_names(), ["s.zip"]);
        assert_eq!(of("s.7z.001").last_names(), [""; 0]);
        assert_eq!(of("z.part1.rar").last_names(), [""; 0]);
    }
}
