//! The import rules between rooms, read from the sources: which room may know which, and what stays
//! behind whose door. A room is a module at the top of the crate.
//!
//! Comments, texts and the modules' own tests are left out: a test may look around.

#![allow(clippy::indexing_slicing, clippy::panic, clippy::unwrap_used)]

#[path = "rooms/sources.rs"]
mod sources;

use sources::{Source, sources};
use std::collections::{BTreeMap, BTreeSet};

/// What may know what: each room, the lower rooms that it may use. Rooms of one floor that are not
/// named in each other's lines never know each other.
const MAY_USE: [(&str, &str); 30] = [
    // The ground: pure, or nearly.
    ("error", "object"),
    ("object", "error"),
    ("outcome", "error object"),
    ("digest", "error object"),
    ("formats", "object"),
    ("write_once", "object"),
    ("series", "object formats write_once"),
    ("lock", "object"),
    ("machine", ""),
    ("http", "error"),
    ("program", ""),
    // Settings.
    ("config", "error object digest http"),
    ("credentials", "error object http"),
    // The three that never know each other, and meet in `object`'s types.
    (
        "bucket",
        "error object outcome digest http config credentials",
    ),
    ("store", "error object outcome digest"),
    ("catalogue", "error object series"),
    // Where they meet.
    ("home", "error object outcome config store catalogue"),
    // Work. Never each other; what two of them need moves down.
    (
        "pull",
        "error object outcome digest formats write_once series lock config bucket store catalogue home",
    ),
    (
        "restore",
        "error object outcome series program store catalogue home",
    ),
    ("scrub", "error object outcome digest store catalogue home"),
    ("mirror", "error object outcome digest store catalogue home"),
    ("upkeep", "error object outcome store catalogue home"),
    ("watch", "error object write_once series"),
    // The order of one run: the only one that knows them all.
    (
        "night",
        "error object outcome formats series machine config credentials bucket store catalogue home pull \
         scrub upkeep watch",
    ),
    (
        "report",
        "error object outcome machine catalogue store pull restore scrub mirror upkeep watch",
    ),
    // Beside rendering: it tells what is rendered.
    (
        "notify",
        "error object outcome http program config credentials machine watch report",
    ),
    (
        "demo",
        "error object outcome config credentials bucket store catalogue home pull upkeep watch \
         night report",
    ),
    (
        "cli",
        "error object outcome digest http formats write_once machine config credentials bucket \
         store catalogue home pull restore scrub mirror upkeep watch night report notify demo",
    ),
    ("lib", ""),
    ("main", "cli"),
];

/// A word that only these files may hold.
struct Door {
    words: &'static [&'static str],
    behind: &'static [&'static str],
    why: &'static str,
}

const DOORS: [Door; 11] = [
    Door {
        words: &["aws_sdk_s3::", "aws_smithy_", "aws_types::"],
        behind: &["bucket", "http"],
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
            "rpassword::",
            "env_logger::",
        ],
        behind: &["cli"],
        why: "the library touches no terminal",
    },
    Door {
        words: &["s3s::", "age::"],
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
        behind: &["cli", "credentials"],
        why: "settings come from the configuration; only where the key lies the environment says",
    },
    Door {
        words: &["sysinfo::"],
        behind: &["store", "machine"],
        why: "the computer is asked in two places",
    },
    Door {
        words: &[
            "TcpStream",
            "TcpListener",
            "UdpSocket",
            "hyper::",
            "hyper_util::",
            "hyper_rustls::",
            "rustls::",
        ],
        behind: &["demo", "http"],
        why: "connections are opened, and the bucket of the demo is served, in one place each",
    },
    Door {
        words: &["reqwest::"],
        behind: &["credentials", "http", "notify"],
        why: "besides the bucket only Vault and those who are told are spoken to, and an endpoint tried",
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
            if used != source.room && !allowed.split_whitespace().any(|room| room == used) {
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
            // A field of an answer.
            let field = word == "delete_markers";
            if source.room == "bucket" && !field && WRITING.iter().any(|w| word.starts_with(w)) {
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
