//! What the program is built of: under which licences, and without what.

#![allow(clippy::indexing_slicing, clippy::panic, clippy::unwrap_used)]

use cargo_metadata::{CargoOpt, DependencyKind, Metadata, MetadataCommand, PackageId};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::process::Command;

/// Licences under which a part may come: permissive ones, whose notices are all they ask for.
const ALLOWED: &[&str] = &[
    "0BSD",
    "Apache-2.0",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "BSL-1.0",
    "CC0-1.0",
    "CDLA-Permissive-2.0",
    "ISC",
    "MIT",
    "MIT-0",
    "Unicode-3.0",
    "Unlicense",
    "Zlib",
];

/// What must not come in, and why.
const BANNED: [(&str, &str); 6] = [
    (
        "aws-lc-rs",
        "needs a C compiler and CMake; ring does the same on every Raspberry Pi",
    ),
    ("aws-lc-sys", "as aws-lc-rs"),
    ("aws-lc-fips-sys", "as aws-lc-rs"),
    (
        "openssl",
        "the system's library differs from one computer to the next",
    ),
    ("openssl-sys", "as openssl"),
    ("native-tls", "as openssl"),
];

/// Which there must be exactly one of: two would be two TLS stacks, or two that do not fit.
const ONE: [&str; 6] = [
    "rustls",
    "ring",
    "rusqlite",
    "libsqlite3-sys",
    "tokio",
    "hyper",
];

/// What is locked, for this kind of computer, without the network: all of it was needed to build
/// this test.
fn metadata() -> Metadata {
    let told = Command::new("rustc").arg("-vV").output().unwrap();
    let told = String::from_utf8(told.stdout).unwrap();
    let host = told.lines().find_map(|line| line.strip_prefix("host: "));
    let options = ["--locked", "--offline", "--filter-platform", host.unwrap()];
    MetadataCommand::new()
        .manifest_path(concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml"))
        .features(CargoOpt::AllFeatures)
        .other_options(options.map(str::to_owned))
        .exec()
        .unwrap()
}

/// Everything that the program itself is built of; with `tests`, they too.
fn parts(metadata: &Metadata, tests: bool) -> BTreeSet<&PackageId> {
    let resolve = metadata.resolve.as_ref().unwrap();
    let nodes: BTreeMap<_, _> = resolve.nodes.iter().map(|node| (&node.id, node)).collect();
    let root = resolve.root.as_ref().unwrap();
    let (mut found, mut queue) = (BTreeSet::new(), VecDeque::from([root]));
    while let Some(id) = queue.pop_front() {
        for dep in &nodes[id].deps {
            let wanted = |kind: &DependencyKind| tests || *kind != DependencyKind::Development;
            if dep.dep_kinds.iter().any(|k| wanted(&k.kind)) && found.insert(&dep.pkg) {
                queue.push_back(&dep.pkg);
            }
        }
    }
    found
}

/// Whether `expression` (SPDX, "A OR (B AND C)") can be met by the allowed licences.
fn allowed(expression: &str) -> bool {
    // Old crates write MIT/Apache-2.0 for a choice.
    let text = expression
        .replace('/', " OR ")
        .replace('(', " ( ")
        .replace(')', " ) ");
    let words: Vec<&str> = text.split_whitespace().collect();
    let (met, rest) = either(&words);
    met && rest.is_empty()
}

fn either<'a, 'w>(words: &'a [&'w str]) -> (bool, &'a [&'w str]) {
    let (mut met, mut rest) = both(words);
    while let Some(("OR", after)) = rest.split_first().map(|(w, r)| (*w, r)) {
        let (other, after) = both(after);
        (met, rest) = (met | other, after);
    }
    (met, rest)
}

fn both<'a, 'w>(words: &'a [&'w str]) -> (bool, &'a [&'w str]) {
    let (mut met, mut rest) = one(words);
    while let Some(("AND", after)) = rest.split_first().map(|(w, r)| (*w, r)) {
        let (other, after) = one(after);
        (met, rest) = (met & other, after);
    }
    (met, rest)
}

fn one<'a, 'w>(words: &'a [&'w str]) -> (bool, &'a [&'w str]) {
    match words {
        ["(", inner @ ..] => {
            let (met, rest) = either(inner);
            match rest {
                [")", rest @ ..] => (met, rest),
                _ => (false, rest),
            }
        }
        // An exception only adds to what the licence allows.
        [licence, "WITH", _, rest @ ..] => (ALLOWED.contains(licence), rest),
        [licence, rest @ ..] => (ALLOWED.contains(licence), rest),
        [] => (false, words),
    }
}

#[test]
fn expressions_are_read_as_they_are_meant() {
    for (expression, met) in [
        ("MIT", true),
        ("MIT OR Apache-2.0", true),
        ("GPL-3.0-only", false),
        ("GPL-3.0-only OR MIT", true),
        ("GPL-3.0-only AND MIT", false),
        ("MIT AND (Apache-2.0 OR GPL-3.0-only)", true),
        ("(MIT OR GPL-3.0-only) AND GPL-3.0-only", false),
        ("Apache-2.0 WITH LLVM-exception", true),
        ("MIT/Apache-2.0", true),
        ("MIT OR", true),
        ("", false),
        ("MIT GPL-3.0-only", false),
    ] {
        assert_eq!(allowed(expression), met, "{expression:?}");
    }
}

#[test]
fn every_part_comes_under_an_allowed_licence() {
    let metadata = metadata();
    let parts = parts(&metadata, true);
    assert!(parts.len() > 100, "only {} parts were found", parts.len());
    let mut wrong = Vec::new();
    for package in metadata.packages.iter().filter(|p| parts.contains(&p.id)) {
        let licence = package.license.as_deref().unwrap_or_default();
        if !allowed(licence) {
            wrong.push(format!("{} {}: {licence:?}", package.name, package.version));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn what_was_ruled_out_is_not_there_and_nothing_is_there_twice() {
    let metadata = metadata();
    let parts = parts(&metadata, false);
    let mut versions: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for package in metadata.packages.iter().filter(|p| parts.contains(&p.id)) {
        versions
            .entry(package.name.as_str())
            .or_default()
            .push(package.version.to_string());
    }
    for (name, why) in BANNED {
        assert!(!versions.contains_key(name), "{name} is there: {why}");
    }
    for name in ONE {
        assert_eq!(
            versions.get(name).map(Vec::len),
            Some(1),
            "{name}: {:?}",
            versions.get(name)
        );
    }
}

#[test]
fn the_program_itself_says_its_licence() {
    let metadata = metadata();
    let root = metadata.root_package().unwrap();
    assert_eq!(root.license.as_deref(), Some("MIT OR Apache-2.0"));
}
