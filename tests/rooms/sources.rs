//! Rust's sources, read as far as the rules between rooms need it.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// A file of the program, without comments, texts and tests.
pub(crate) struct Source {
    pub(crate) file: String,
    pub(crate) room: String,
    pub(crate) code: String,
}

pub(crate) fn sources() -> Vec<Source> {
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
    pub(crate) fn new(file: &str, text: &str) -> Self {
        let path = file.trim_start_matches("src/").trim_end_matches(".rs");
        Self {
            file: file.to_owned(),
            room: path.split('/').next().unwrap().to_owned(),
            code: without_tests(&without_texts(text)),
        }
    }

    /// The rooms that `crate::…` names, in a path or in a tree of `use`.
    pub(crate) fn rooms_used(&self) -> BTreeSet<String> {
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
    pub(crate) fn says(&self, word: &str) -> bool {
        let inside = |c: char| c.is_alphanumeric() || c == '_';
        self.code
            .match_indices(word)
            .any(|(at, _)| !self.code[..at].ends_with(inside))
    }

    /// Every identifier.
    pub(crate) fn words(&self) -> Vec<&str> {
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
