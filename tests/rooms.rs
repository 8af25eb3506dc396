//! The import rules between rooms, read from the sources: which room may know which, and what stays
//! behind whose door. A room is a module at the top of the crate.
//!
//! Comments, texts and the modules' own tests are left out: a test may look around.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// What may know what: each room, the lower rooms that it may use. Rooms of one floor that are not
/// named in each other's lines never know each other.
const MAY_USE: [(&str, &[&str]); 22] = [
    // The ground: pure, or nearly.
    ("error", &["object"]),
    ("object", &["error"]),
    ("outcome", &["error", "object"]),
    ("digest", &["error", "object"]),
    ("formats", &["object"]),
    ("write_once", &["object"]),
    ("machine", &[]),
    // Settings.
    ("config", &["error", "object"]),
    ("credentials", &["error"]),
    // The three that never know each other, and meet in `object`'s types.
    (
        "bucket",
        &[
            "error",
            "object",
            "outcome",
            "digest",
            "config",
            "credentials",
        ],
    ),
    ("store", &["error", "object", "outcome", "digest"]),
    ("catalogue", &["error", "object"]),
    // Where they meet.
    ("home", &["error", "object", "config", "store", "catalogue"]),
    // Work. Never each other; what two of them need moves down.
    (
        "pull",
        &[
            "error",
            "object",
            "outcome",
            "digest",
            "formats",
            "write_once",
            "config",
            "bucket",
            "store",
            "catalogue",
            "home",
        ],
    ),
    (
        "upkeep",
        &["error", "object", "outcome", "store", "catalogue", "home"],
    ),
    ("watch", &["error", "object", "write_once"]),
    // The order of one run: the only one that knows them all.
    (
        "night",
        &[
            "error",
            "object",
            "outcome",
            "config",
            "credentials",
            "bucket",
            "catalogue",
            "home",
            "pull",
            "upkeep",
            "watch",
        ],
    ),
    (
        "report",
        &[
            "error",
            "machine",
            "object",
            "outcome",
            "catalogue",
            "store",
            "pull",
            "upkeep",
            "watch",
        ],
    ),
    (
        "demo",
        &[
            "error",
            "object",
            "outcome",
            "config",
            "credentials",
            "bucket",
            "store",
            "catalogue",
            "home",
            "pull",
            "upkeep",
            "night",
            "report",
        ],
    ),
    ("cli", ALL),
    ("lib", &[]),
    ("main", &["cli"]),
];

const ALL: &[&str] = &[
    "error",
    "object",
    "outcome",
    "digest",
    "formats",
    "write_once",
    "config",
    "credentials",
    "bucket",
    "store",
    "catalogue",
    "home",
    "pull",
    "upkeep",
    "watch",
    "night",
    "machine",
    "report",
    "demo",
];

/// A word that only these files may hold.
struct Door {
    words: &'static [&'static str],
    behind: &'static [&'static str],
    why: &'static str,
}

const DOORS: [Door; 10] = [
    Door {
        words: &["aws_sdk_s3::", "aws_smithy_", "aws_types::"],
        behind: &["bucket"],
        why: "the SDK's types stop in bucket",
    },
    Door {
        words: &["aws_config::", "aws_credential_types::"],
        behind: &["credentials"],
        why: "keys come in by one door",
    },
    Door {
        words: &["rusqlite::"],
        behind: &["catalogue"],
        why: "all SQL is the catalogue's",
    },
    Door {
        words: &[
            "clap::",
            "clap_mangen::",
            "clap_complete::",
            "indicatif::",
            "ctrlc::",
            "env_logger::",
        ],
        behind: &["cli"],
        why: "the library touches no terminal",
    },
    Door {
        words: &["s3s::", "hyper_util::", "age::"],
        behind: &["demo"],
        why: "the embedded bucket is the demo's",
    },
    Door {
        words: &["println!", "eprintln!", "print!", "eprint!", "dbg!"],
        behind: &["cli"],
        why: "only the command line prints",
    },
    Door {
        words: &[
            "stdout()",
            "stderr()",
            "stdin()",
            "process::exit",
            "ExitCode",
        ],
        behind: &["cli", "main"],
        why: "only the command line has a terminal and an exit code",
    },
    Door {
        words: &["env::var", "env::var_os", "env::vars", "env::set_var"],
        behind: &["cli"],
        why: "the library looks at no environment; the SDK does, in credentials",
    },
    Door {
        words: &["sysinfo::"],
        behind: &["store", "machine"],
        why: "the computer is asked in two places",
    },
    Door {
        words: &["TcpStream", "TcpListener", "UdpSocket", "hyper::"],
        behind: &["demo"],
        why: "one client speaks to the network: the SDK's, in bucket",
    },
];

/// Every operation of S3 that changes something begins with one of these.
const WRITING: [&str; 14] = [
    "put_",
    "delete_",
    "copy_",
    "create_",
    "upload_part",
    "complete_multipart",
    "abort_multipart",
    "restore_object",
    "rename_object",
    "update_",
    "write_get_object_response",
    "select_object",
    "presigned",
    "PutObject",
];

#[test]
fn no_room_knows_one_that_it_may_not() {
    let may: BTreeMap<_, _> = MAY_USE.into_iter().collect();
    let mut wrong = Vec::new();
    for source in sources() {
        let Some(allowed) = may.get(source.room.as_str()) else {
            wrong.push(format!("{}: there is no rule for this room", source.file));
            continue;
        };
        for used in source.rooms_used() {
            if used != source.room && !allowed.contains(&used.as_str()) {
                wrong.push(format!(
                    "{}: {} may not know {used}",
                    source.file, source.room
                ));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn what_is_behind_a_door_stays_there() {
    let mut wrong = Vec::new();
    let mut used = BTreeSet::new();
    for source in sources() {
        for door in &DOORS {
            for word in door.words.iter().filter(|word| source.says(word)) {
                used.insert(door.why);
                if !door.behind.contains(&source.room.as_str()) {
                    wrong.push(format!("{} says {word}: {}", source.file, door.why));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert_eq!(
        used.len(),
        DOORS.len() - 1,
        "only printing is done by nobody: {used:?}"
    );
}

#[test]
fn p1_no_operation_that_changes_a_bucket_has_a_name_in_the_client() {
    let mut wrong = Vec::new();
    for source in sources()
        .into_iter()
        .filter(|s| s.room != "demo" && s.room != "store")
    {
        for word in source.words() {
            if source.room == "bucket" && WRITING.iter().any(|w| word.starts_with(w)) {
                wrong.push(format!("{}: {word}", source.file));
            }
            let operation = [
                "put_object",
                "delete_object",
                "copy_object",
                "restore_object",
            ];
            if operation.contains(&word) {
                wrong.push(format!("{}: {word}", source.file));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn p3_only_the_store_says_that_something_is_durable() {
    let says: BTreeSet<String> = sources()
        .into_iter()
        .filter(|source| source.code.contains("Durable for "))
        .map(|source| source.room)
        .collect();
    assert_eq!(says, BTreeSet::from(["store".to_owned()]));
}

#[test]
fn no_unsafe_code_and_no_lints_switched_off() {
    for source in sources() {
        let words = source.words();
        assert!(!words.contains(&"unsafe"), "{}", source.file);
        for lint in [
            "unwrap_used",
            "expect_used",
            "panic",
            "indexing_slicing",
            "unsafe_code",
        ] {
            let off = format!("clippy::{lint}");
            assert!(
                !source.code.contains(&off),
                "{} switches {off} off",
                source.file
            );
        }
    }
}

/// A guard that finds nothing because it reads nothing is no guard.
#[test]
fn the_reading_of_sources_reads_them() {
    let rooms: BTreeSet<String> = sources().into_iter().map(|source| source.room).collect();
    for (room, _) in MAY_USE {
        assert!(rooms.contains(room), "there is no room {room}");
    }
    let source = Source::new(
        "src/pull/made_up.rs",
        "//! crate::cli\nuse crate::{home::Home, bucket::{Bucket, Page}};\n\
         /* crate::demo /* nested */ */ fn f() { let s = \"crate::report // \\\" \"; \
         let r = r#\"crate::watch\"#; let c = '\"'; crate::store::x::<'static>() }\n\
         // println!\n#[cfg(test)]\nmod tests { use crate::cli::Cli; }\n",
    );
    assert_eq!(source.room, "pull");
    let used: Vec<String> = source.rooms_used().into_iter().collect();
    assert_eq!(used, ["bucket", "home", "store"]);
    assert!(!source.words().contains(&"println"));
    let after = Source::new(
        "src/x.rs",
        "#[cfg(test)]\nmod tests;\nuse crate::digest::D;\n",
    );
    assert_eq!(after.rooms_used(), BTreeSet::from(["digest".to_owned()]));
}

/// A file of the program, without comments, texts and tests.
struct Source {
    file: String,
    room: String,
    code: String,
}

fn sources() -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut files = Vec::new();
    walk(&root.join("src"), &mut files);
    let read = |file: PathBuf| {
        let name = file
            .strip_prefix(root)
            .unwrap()
            .to_str()
            .unwrap()
            .to_owned();
        Source::new(&name, &std::fs::read_to_string(&file).unwrap())
    };
    files.into_iter().map(read).collect()
}

fn walk(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let stem = path.file_stem().unwrap().to_str().unwrap();
        if stem == "tests" {
            continue;
        }
        if path.is_dir() {
            walk(&path, files);
        } else if path.extension().is_some_and(|e| e == "rs") {
            files.push(path);
        }
    }
}

impl Source {
    fn new(file: &str, text: &str) -> Self {
        let path = file.trim_start_matches("src/").trim_end_matches(".rs");
        Self {
            file: file.to_owned(),
            room: path.split('/').next().unwrap().to_owned(),
            code: without_tests(&without_texts(text)),
        }
    }

    /// The rooms that `crate::…` names, in a path or in a tree of `use`.
    fn rooms_used(&self) -> BTreeSet<String> {
        let mut used = BTreeSet::new();
        for (at, _) in self.code.match_indices("crate::") {
            let rest = &self.code[at + "crate::".len()..];
            match rest.strip_prefix('{') {
                None => used.insert(first_word(rest)),
                Some(tree) => {
                    used.extend(branches(tree));
                    true
                }
            };
        }
        used
    }

    /// Whether `word`, which begins as an identifier does, stands in the code.
    fn says(&self, word: &str) -> bool {
        let inside = |c: char| c.is_alphanumeric() || c == '_';
        self.code
            .match_indices(word)
            .any(|(at, _)| !self.code[..at].ends_with(inside))
    }

    /// Every identifier.
    fn words(&self) -> Vec<&str> {
        let words = self.code.split(|c: char| !c.is_alphanumeric() && c != '_');
        words.filter(|word| !word.is_empty()).collect()
    }
}

fn first_word(text: &str) -> String {
    text.chars()
        .take_while(|c| c.is_alphanumeric() || *c == '_')
        .collect()
}

/// The first words of the branches of a `use` tree, up to its closing brace.
fn branches(tree: &str) -> Vec<String> {
    let (mut depth, mut begin, mut found) = (0, true, Vec::new());
    for (at, c) in tree.char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth == 0 => break,
            '}' => depth -= 1,
            ',' if depth == 0 => begin = true,
            c if begin && c.is_alphabetic() => {
                found.push(first_word(&tree[at..]));
                begin = false;
            }
            _ => {}
        }
    }
    found
}

/// `code` without what stands under `#[cfg(test)]`: a module with its braces, or one item.
fn without_tests(code: &str) -> String {
    let mut out = String::new();
    let mut rest = code;
    while let Some((before, after)) = rest.split_once("#[cfg(test)]") {
        out.push_str(before);
        rest = &after[end_of_item(after)..];
    }
    out + rest
}

/// Where the item at the beginning of `code` ends: at its semicolon or comma, or behind its last brace.
fn end_of_item(code: &str) -> usize {
    let mut depth = 0_u32;
    for (at, c) in code.char_indices() {
        match c {
            '{' | '(' => depth += 1,
            '}' | ')' => {
                depth = depth.saturating_sub(1);
                if depth == 0 && c == '}' {
                    return at + 1;
                }
            }
            ';' | ',' if depth == 0 => return at + 1,
            _ => {}
        }
    }
    code.len()
}

/// `text` without comments and without what stands between quotes.
fn without_texts(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        let skipped = if rest.starts_with("//") {
            rest.find('\n').unwrap_or(rest.len())
        } else if rest.starts_with("/*") {
            comment(rest)
        } else if c == 'r' && !out.ends_with(|p: char| p.is_alphanumeric() || p == '_') {
            raw_text(rest).unwrap_or(0)
        } else if c == '"' {
            quoted(rest)
        } else if c == '\'' {
            character(rest)
        } else {
            0
        };
        if skipped == 0 {
            out.push(c);
            rest = &rest[c.len_utf8()..];
        } else {
            out.push(' ');
            rest = &rest[skipped..];
        }
    }
    out
}

/// The length of a comment in `/* */`, which may hold others.
fn comment(text: &str) -> usize {
    let (mut depth, mut at) = (0, 0);
    while at < text.len() {
        match text.as_bytes().get(at..at + 2) {
            Some(b"/*") => (depth, at) = (depth + 1, at + 2),
            Some(b"*/") => (depth, at) = (depth - 1, at + 2),
            _ => at += 1,
        }
        if depth == 0 {
            return at;
        }
    }
    text.len()
}

/// The length of `r"…"` or `r#"…"#`, if that is what stands here.
fn raw_text(text: &str) -> Option<usize> {
    let hashes = text[1..].bytes().take_while(|b| *b == b'#').count();
    let body = text[1 + hashes..].strip_prefix('"')?;
    let end = format!("\"{}", "#".repeat(hashes));
    Some(1 + hashes + 1 + body.find(&end)? + end.len())
}

/// The length of `"…"`.
fn quoted(text: &str) -> usize {
    let mut escaped = false;
    for (at, c) in text.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => return at + 1,
            _ => {}
        }
    }
    text.len()
}

/// The length of `'c'` or `'\…'`; a lifetime is left where it is.
fn character(text: &str) -> usize {
    let mut chars = text.char_indices().skip(1);
    match chars.next() {
        Some((_, '\\')) => text[2..].find('\'').map_or(0, |at| {
            // The escaped character may be the quote itself.
            if at == 0 { 4 } else { 2 + at + 1 }
        }),
        Some(_) => match chars.next() {
            Some((at, '\'')) => at + 1,
            _ => 0,
        },
        None => 0,
    }
}
