//! What names a file system may take for one and the same.

use unicode_normalization::UnicodeNormalization;

/// `name`, folded: two names that any file system takes for one fold into one.
///
/// Coarser than each of them, which does no harm (a name more is escaped): exFAT and NTFS compare
/// by a table of capitals, ext4 and f2fs with `casefold` and APFS by Unicode's full case folding
/// after decomposition, ZFS also by compatibility forms; HFS+ and ext4 overlook characters without
/// a look of their own.
pub fn fold(name: &str) -> String {
    if name.is_ascii() {
        return name.to_ascii_lowercase();
    }
    // Character by character: the lower case of a whole string turns a last sigma into ς. Some
    // capitals only appear in the second round (ſ and ß), and some only decompose after it.
    name.nfkd()
        .filter(|c| !is_overlooked(*c))
        .flat_map(char::to_lowercase)
        .flat_map(char::to_uppercase)
        .flat_map(char::to_lowercase)
        .nfkd()
        .filter(|c| !is_overlooked(*c))
        .collect()
}

/// Characters that some file systems leave out of a comparison (`Default_Ignorable_Code_Point`,
/// Unicode 16, DerivedCoreProperties.txt), and the dot above, which the lower case of İ has for
/// some and not for others.
fn is_overlooked(c: char) -> bool {
    matches!(c,
        '\u{ad}' | '\u{307}' | '\u{34f}' | '\u{61c}' | '\u{115f}'..='\u{1160}'
        | '\u{17b4}'..='\u{17b5}' | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}'
        | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{3164}'
        | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{ffa0}' | '\u{fff0}'..='\u{fff8}'
        | '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_file_systems_take_for_one_folds_into_one() {
        for (a, b) in [
            ("Backup.TAR", "bACKUP.tar"),
            ("é", "e\u{301}"),
            ("É", "e\u{301}"),
            ("straße", "STRASSE"),
            ("ſ", "s"),
            ("ΣΑΣ", "σας"),
            ("İ", "i"),
            ("K", "k"), // the Kelvin sign
            ("ﬁ", "FI"),
            ("a\u{200d}b", "AB"),
        ] {
            assert_eq!(fold(a), fold(b), "{a} {b}");
        }
        for (a, b) in [("a", "b"), ("é", "e"), ("%61", "a"), ("a ", "a")] {
            assert_ne!(fold(a), fold(b), "{a} {b}");
        }
    }

    #[test]
    fn every_character_folds_with_its_cases_and_its_forms() {
        // The planes that have cases or forms: the first two, and the supplement of ideographs.
        for c in ('\u{80}'..='\u{1ffff}').chain('\u{2f800}'..='\u{2fa1f}') {
            let (name, folded) = (c.to_string(), fold(&c.to_string()));
            let mut others = vec![folded.clone()];
            others.extend([name.to_lowercase(), name.to_uppercase()]);
            if !unicode_normalization::is_nfd(&name) || !unicode_normalization::is_nfc(&name) {
                others.extend([name.nfc().collect(), name.nfd().collect()]);
            }
            for other in others {
                assert_eq!(fold(&other), folded, "{c:?} {other:?}");
            }
        }
    }
}
