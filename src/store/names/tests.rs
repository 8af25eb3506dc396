//! A table of the rules, and two million keys, most of them hostile.

use super::NamingRule::{Portable, Posix};
use super::*;
use std::collections::{BTreeMap, HashMap, HashSet};

fn key(text: &str) -> ObjectKey {
    ObjectKey::new(text).unwrap()
}

fn spelling(shadowed: bool, respelt: impl IntoIterator<Item = usize>) -> Spelling {
    Spelling {
        shadowed,
        respelt: respelt.into_iter().collect(),
    }
}

fn plain(rule: NamingRule, text: &str) -> String {
    latest(rule, &key(text), &Spelling::default())
}

#[test]
fn keys_and_their_paths() {
    // The key, its path by the POSIX rule, and by the portable one where that differs.
    let table: &[(&str, &str, Option<&str>)] = &[
        ("db/2026-11-21.sql.age", "db/2026-11-21.sql.age", None),
        ("-rf #1 ~x", "-rf #1 ~x", None),
        (" größe/日本 (1)", " größe/日本 (1)", None),
        ("50%/%41", "50%25/%2541", None),
        ("a//b", "a/%2Fb", None),
        ("/x", "%2Fx", None),
        ("a/", "a%2F", None),
        ("a//", "a/%2F", None),
        ("//", "%2F%2F", None),
        ("/", "%2F", None),
        ("a///b", "a/%2F%2Fb", None),
        (".", "%2E", None),
        ("../../etc/passwd", "%2E%2E/%2E%2E/etc/passwd", None),
        ("a/./b/..", "a/%2E/b/%2E%2E", None),
        (".../.x", ".../.x", Some("%2E%2E%2E/.x")),
        ("a\\b\nc\0d\u{7f}\u{85}", "a%5Cb%0Ac%00d%7F%C2%85", None),
        ("a:b*?\"<>|", "a:b*?\"<>|", Some("a%3Ab%2A%3F%22%3C%3E%7C")),
        ("a. ./b ", "a. ./b ", Some("a%2E%20%2E/b%20")),
        ("a./", "a.%2F", None),
        ("con/x", "con/x", Some("%63on/x")),
        ("Nul.tar.gz", "Nul.tar.gz", Some("%4Eul.tar.gz")),
        ("aux .txt", "aux .txt", Some("%61ux .txt")),
        ("COM¹", "COM¹", Some("%43OM¹")),
        ("lpt0/COM10", "lpt0/COM10", Some("%6Cpt0/COM10")),
        (
            "CONIN$/conout$.x",
            "CONIN$/conout$.x",
            Some("%43ONIN$/%63onout$.x"),
        ),
        ("console/con-1", "console/con-1", None),
        (
            "%v20261121T030000Z-0123456789abcdef",
            "%25v20261121T030000Z-0123456789abcdef",
            None,
        ),
    ];
    for (text, posix, portable) in table {
        let portable = portable.unwrap_or(posix);
        assert_eq!(plain(Posix, text), format!("latest/{posix}"));
        assert_eq!(plain(Portable, text), format!("latest/{portable}"));
        for rule in [Posix, Portable] {
            assert_eq!(key_of(&plain(rule, text)).unwrap(), key(text));
        }
    }
}

#[test]
fn the_file_beside_a_folder_of_its_name() {
    for (text, path) in [
        ("a", "%61"),
        ("d/é1", "d/%C3%A91"),
        ("\\b", "%5C%62"),
        ("..", "%2E%2E%_"),
        ("a/", "%61%2F"),
        ("a//", "a/%2F%_"),
    ] {
        let shadowed = latest(Posix, &key(text), &spelling(true, []));
        assert_eq!(shadowed, format!("latest/{path}"));
        assert_eq!(key_of(&shadowed).unwrap(), key(text));
    }
    let respelt = latest(Posix, &key("a"), &spelling(true, [0]));
    assert_eq!(respelt, "latest/%_%61%_");
}

#[test]
fn respelt_segments() {
    let path = |respelt: &[usize]| {
        latest(
            Posix,
            &key("Ab/é1/%x"),
            &spelling(false, respelt.iter().copied()),
        )
    };
    assert_eq!(path(&[0]), "latest/%_%41%62/é1/%25x");
    assert_eq!(path(&[1, 2, 9]), "latest/Ab/%_%C3%A91/%_%25%78");
    assert_eq!(key_of(&path(&[0, 1])).unwrap(), key("Ab/é1/%x"));
}

#[test]
fn a_long_segment_goes_on_in_a_folder() {
    let (fits, long) = ("x".repeat(255), "x".repeat(256));
    assert_eq!(plain(Posix, &fits), format!("latest/{fits}"));
    let cut = format!("latest/{}%/xx", "x".repeat(254));
    assert_eq!(plain(Posix, &long), cut);
    let below = format!("{long}/y");
    assert_eq!(plain(Posix, &below), format!("{cut}/y"));
    let shadowed = latest(Posix, &key(&long), &spelling(true, []));
    assert_eq!(shadowed, format!("latest/%78{}%/xxxx", "x".repeat(251)));
    // Bytes count on portable drives too: SMB and NFS hand the names on to a drive that counts so.
    for rule in [Posix, Portable] {
        assert_eq!(
            plain(rule, &"日".repeat(85)),
            format!("latest/{}", "日".repeat(85))
        );
        assert_eq!(
            plain(rule, &"é".repeat(128)),
            format!("latest/{}%/é", "é".repeat(127))
        );
    }
    // Never inside an escape: 84 of them are 252 bytes, and the next would not fit.
    assert_eq!(
        plain(Posix, &"\\".repeat(86)),
        format!("latest/{}%/%5C%5C", "%5C".repeat(84))
    );
}

#[test]
fn what_a_cut_leaves_is_a_safe_name() {
    for (rest, posix, portable) in [
        (".", "%2E", "%2E"),
        ("..", "%2E%2E", "%2E%2E"),
        ("con.x", "con.x", "%63on.x"),
        ("x.", "x.", "x%2E"),
        ("nul", "nul", "%6Eul"),
    ] {
        let text = format!("{}{rest}", "x".repeat(254));
        if rest.len() > 1 {
            assert!(plain(Posix, &text).ends_with(&format!("x%/{posix}")));
            assert!(plain(Portable, &text).ends_with(&format!("x%/{portable}")));
        } else {
            assert_eq!(plain(Posix, &text), format!("latest/{text}"));
        }
    }
    let dot = format!("{}.", "\\".repeat(85));
    assert!(plain(Posix, &dot).ends_with("%/%5C."));
}

#[test]
fn history_and_quarantine() {
    let at = "2026-11-21T03:00:00.5Z".parse().unwrap();
    let (a, digest) = (key("d/a"), Sha256([0xab; 32]));
    let shadowed = spelling(true, []);
    let short = "%v20261121T030000Z-abababababababab";
    assert_eq!(
        history(Posix, &a, &shadowed, at, &digest),
        format!("history/d/a/{short}")
    );
    assert_eq!(
        quarantine(Posix, &a, &shadowed, at, &digest),
        format!("quarantine/d/a/{short}")
    );
    let long = format!("%v20261121T030000Z-{digest}");
    assert_eq!(
        history_long(Posix, &a, &shadowed, at, &digest),
        format!("history/d/a/{long}")
    );
    assert_eq!(
        quarantine_long(Posix, &a, &shadowed, at, &digest),
        format!("quarantine/d/a/{long}")
    );
    for path in [
        history(Portable, &a, &spelling(false, [1]), at, &digest),
        quarantine_long(Posix, &a, &shadowed, Timestamp::MIN, &digest),
        history(Posix, &a, &shadowed, Timestamp::MAX, &digest),
    ] {
        assert_eq!(key_of(&path).unwrap(), a, "{path}");
    }
}

#[test]
fn paths_that_no_key_has() {
    for path in [
        "",
        "latest",
        "latest/",
        "incoming/a",
        "a",
        "/latest/a",
        "latest//a",
        "latest/a/",
        "latest/a//b",
        "latest/../a",
        "latest/.",
        "latest/%",
        "latest/%4",
        "latest/%zz",
        "latest/%+1",
        "latest/%61b%63",
        "latest/a%_",
        "latest/%_a",
        "latest/%61%_",
        "latest/%_%_%61",
        "latest/%2f",
        "latest/a%/b",
        "latest/%FF",
        "latest/a\nb",
        "latest/%2Fa/%2F/b",
        "latest/%v20261121T030000Z-0123456789abcdef",
        "history/a",
        "history/%61/%v20261121T030000Z-0123456789abcdef",
        "history/a/%v20261121T030000Z-0123",
        "history/a/%v2026112xT030000Z-0123456789abcdef",
        "history/a/%v20261121T030000Z-0123456789abcdeF",
        "history/%v20261121T030000Z-0123456789abcdef",
        "quarantine/a/%v20261121T030000Z-0123456789abcdef.txt",
    ] {
        let read = key_of(path);
        assert!(read.is_err(), "{path:?} read as {read:?}");
    }
    assert!(key_of(&format!("latest/{}", "x".repeat(256))).is_err());
}

#[test]
fn claims_name_every_component_and_its_segment() {
    let long = "É".repeat(130);
    let path = plain(Posix, &format!("{long}/B"));
    let found: Vec<_> = claims(&path)
        .into_iter()
        .map(|(n, c)| (n, c.folder.len(), c.name.len(), c.folded))
        .collect();
    let folded = |n| "e\u{301}".repeat(n);
    assert_eq!(
        found,
        [
            (0, 6, 255, format!("{}%", folded(127))),
            (0, 262, 6, folded(3)),
            (1, 269, 1, "b".to_owned()),
        ]
    );
    let at = Timestamp::UNIX_EPOCH;
    let version = history(
        Posix,
        &key("a/b"),
        &Spelling::default(),
        at,
        &Sha256([0; 32]),
    );
    assert_eq!(claims(&version).len(), 2);
}

#[test]
fn the_longest_path() {
    let (at, digest) = (Timestamp::now(), Sha256([7; 32]));
    let longest = |text: &str| {
        quarantine_long(Posix, &key(text), &spelling(true, 0..1024), at, &digest).len()
    };
    // 4-byte characters placed so that every cut leaves as much as possible unused.
    let wasteful = format!(
        "{}x",
        "xxx😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀".repeat(12)
    );
    assert_eq!(longest(&"x".repeat(1024)), LONGEST);
    assert!(longest(&wasteful) <= LONGEST);
    assert_eq!(LONGEST, 3193);
}

/// What hostile keys are made of.
const PIECES: &[&str] = &[
    "a", "A", "b", "é", "e\u{301}", "É", "ſ", "日", "😀", "1", "0", "-", "#", "/", "/", "/", "/a/",
    "//", ".", "..", "...", " ", "%", "%25", "%61", "%2F", "%_", "%v", "\\", "\0", "\n", "\x1f",
    "\x7f", "\u{85}", ":", "*", "\"", "|", "con", "CON", "nul.", "aux ", "com1", "LPT¹", "conin$",
    "prn", "~", "\u{feff}",
];

/// What keys are made of that often meet.
const CLOSE: &[&str] = &[
    "a", "A", "é", "e\u{301}", "/", "/", "/", "1", "¹", "\u{feff}", "con", "%", ".",
];

/// A small generator (xorshift), so that the same keys are tested every time.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) as usize % sides
    }

    /// A key of a few pieces; one in some two hundred is long, with one piece again and again.
    fn key(&mut self, pieces: &[&str]) -> ObjectKey {
        let mut text = String::new();
        for _ in 0..=self.roll(4) {
            let many = if self.roll(1200) == 0 {
                self.roll(400)
            } else {
                1
            };
            let piece = pieces[self.roll(pieces.len())];
            for _ in 0..many {
                text.push_str(piece);
            }
            // An odd start moves every cut.
            if many > 1 && self.roll(2) == 0 {
                text.insert(0, 'x');
            }
        }
        while text.len() > 1024 {
            text.pop();
        }
        ObjectKey::new(text).unwrap_or_else(|_| key("x"))
    }
}

/// Whether `name` may stand in a folder by `rule`. Says it in its own words, not by the code
/// under test.
fn is_safe(rule: NamingRule, name: &str) -> bool {
    if name.is_empty()
        || name == "."
        || name == ".."
        || name.bytes().any(|b| b < 0x20 || b == 0x7f || b == b'\\')
    {
        return false;
    }
    if rule == Posix {
        return name.len() <= 255;
    }
    let stem = name.find('.').map_or(name, |dot| &name[..dot]).trim_end();
    const DEVICES: &[&str] = &["con", "prn", "aux", "nul", "conin$", "conout$"];
    let same = |word: &&str| word.eq_ignore_ascii_case(stem);
    let device = (3..8).contains(&stem.len())
        && (DEVICES.iter().any(same) || {
            let (word, number) = stem.split_at_checked(3).unwrap_or_default();
            ["com", "lpt"]
                .iter()
                .any(|port| port.eq_ignore_ascii_case(word))
                && number.chars().count() == 1
                && "0123456789¹²³".contains(number)
        });
    !device
        && !name.ends_with(['.', ' '])
        && !name
            .bytes()
            .any(|b| matches!(b, b':' | b'*' | b'?' | b'"' | b'<' | b'>' | b'|'))
        && name.len() <= 255
}

/// Checks `count` keys: every path reads back as its key (so that no two keys share one), is
/// safe, and, respelt, is still alone after folding.
fn check_keys(seed: u64, count: usize) -> (usize, usize) {
    let mut dice = Dice(seed);
    let mut folded: HashMap<String, ObjectKey> = HashMap::new();
    let mut cuts = 0;
    let spellings = [
        Spelling::default(),
        spelling(true, []),
        spelling(false, [1]),
        spelling(true, [0]),
        spelling(false, 0..9),
        spelling(true, 0..9),
    ];
    for _ in 0..count {
        let rule = if dice.roll(2) == 0 { Posix } else { Portable };
        let (key, spelling) = (dice.key(PIECES), &spellings[dice.roll(9) % 6]);
        let path = latest(rule, &key, spelling);
        assert_eq!(key_of(&path).ok().as_ref(), Some(&key), "{path:?}");
        assert!(path.len() <= LONGEST);
        for name in path.split('/') {
            assert!(is_safe(rule, name), "{rule:?} {name:?} of {path:?}");
            cuts += usize::from(name.ends_with('%'));
        }
        if spelling.respelt.len() == 9 && segments(&key).count() <= 9 {
            let other = folded.entry(fold(&path)).or_insert_with(|| key.clone());
            assert_eq!(*other, key, "{path:?}");
        }
    }
    (count, cuts)
}

#[test]
fn two_million_keys() {
    let (mut keys, mut cuts) = (0, 0);
    std::thread::scope(|scope| {
        let seeds = [0x9e37_79b9_7f4a_7c15, 0xdead_beef_cafe_f00d];
        let workers = seeds.map(|seed| scope.spawn(move || check_keys(seed, 1_000_000)));
        for worker in workers {
            let (some, cut) = worker.join().unwrap();
            keys += some;
            cuts += cut;
        }
    });
    assert!(keys >= 2_000_000);
    assert!(
        cuts > 10_000,
        "only {cuts} names were long enough to be cut"
    );
}

/// Every key's path, with what stands in whose way taken from the whole set.
fn paths(rule: NamingRule, keys: &[ObjectKey]) -> BTreeMap<ObjectKey, String> {
    let folders: HashSet<&str> = keys.iter().flat_map(ObjectKey::ancestors).collect();
    keys.iter()
        .map(|key| {
            let shadowed = folders.contains(key.as_str());
            (key.clone(), latest(rule, key, &spelling(shadowed, [])))
        })
        .collect()
}

#[test]
fn no_file_is_a_folder_and_the_order_does_not_matter() {
    let mut dice = Dice(77);
    let mut shadowed = 0;
    for round in 0..1500 {
        let rule = if round % 2 == 0 { Posix } else { Portable };
        let mut keys: Vec<ObjectKey> = (0..8).map(|_| dice.key(CLOSE)).collect();
        // The folders of keys, as keys.
        let above: Vec<String> = keys
            .iter()
            .flat_map(|k| k.ancestors().map(str::to_owned))
            .collect();
        keys.extend(above.into_iter().map(|folder| key(&folder)));
        let forward = paths(rule, &keys);
        keys.reverse();
        let shift = dice.roll(keys.len());
        keys.rotate_left(shift);
        assert_eq!(paths(rule, &keys), forward);

        let files: HashSet<&str> = forward.values().map(String::as_str).collect();
        assert_eq!(files.len(), forward.len());
        for path in &files {
            for (slash, _) in path.match_indices('/') {
                assert!(
                    !files.contains(&path[..slash]),
                    "{path} lies in a file of {files:?}"
                );
            }
        }
        shadowed += forward
            .iter()
            .filter(|(k, p)| **p != latest(rule, k, &Spelling::default()))
            .count();
    }
    assert!(shadowed > 1500, "{shadowed}");
}

/// A drive that folds case, used as [`claims`] says.
#[test]
fn nothing_meets_on_a_drive_that_folds() {
    let mut dice = Dice(5);
    let mut respelt = 0;
    for _ in 0..500 {
        let mut keys: Vec<ObjectKey> = (0..12).map(|_| dice.key(CLOSE)).collect();
        let above: Vec<String> = keys
            .iter()
            .flat_map(|k| k.ancestors().map(str::to_owned))
            .collect();
        keys.extend(above.into_iter().map(|folder| key(&folder)));
        let shift = dice.roll(keys.len());
        keys.rotate_left(shift);
        let folders: HashSet<&str> = keys.iter().flat_map(ObjectKey::ancestors).collect();

        let mut claimed: HashMap<(String, String), String> = HashMap::new();
        let mut names: HashMap<String, (String, bool)> = HashMap::new();
        for key in &keys {
            let mut spelling = Spelling::default();
            let taken = |claim: &NameClaim| {
                let slot = (claim.folder.clone(), claim.folded.clone());
                claimed.get(&slot).is_some_and(|name| *name != claim.name)
            };
            // The plain path first, then the one it gets.
            for shadowed in [false, folders.contains(key.as_str())] {
                spelling.shadowed = shadowed;
                while let Some((segment, _)) = claims(&latest(Portable, key, &spelling))
                    .iter()
                    .find(|(_, c)| taken(c))
                {
                    assert!(
                        spelling.respelt.insert(*segment),
                        "{key} meets another though respelt"
                    );
                    respelt += 1;
                }
            }
            for shadowed in [false, folders.contains(key.as_str())] {
                spelling.shadowed = shadowed;
                for (_, claim) in claims(&latest(Portable, key, &spelling)) {
                    claimed.insert((claim.folder, claim.folded), claim.name);
                }
            }
            let path = latest(Portable, key, &spelling);
            // On the drive: no other name that folds the same, no file where a folder is.
            for (end, is_file) in path
                .match_indices('/')
                .map(|(at, _)| (at, false))
                .chain([(path.len(), true)])
            {
                let name = (path[..end].to_owned(), is_file);
                let there = names
                    .entry(fold(&path[..end]))
                    .or_insert_with(|| name.clone());
                assert_eq!(*there, name, "{path}");
            }
        }
    }
    assert!(respelt > 200, "{respelt}");
}
