//! One segment of a key, as one name on the drive, or as several where it is too long for one.

use super::NamingRule;

/// How a segment is to be spelt.
#[derive(Clone, Copy)]
pub(super) struct How {
    /// What the file system can spell.
    pub(super) rule: NamingRule,
    /// Begin with `%_` and escape everything but ASCII digits.
    pub(super) respelt: bool,
    /// The name is a folder already: this is the file beside it.
    pub(super) shadowed: bool,
}

/// The longest name, in bytes. exFAT and NTFS count 255 UTF-16 units, of which a name never has
/// more than bytes; a NAS keeps what comes over SMB on ext4 or the like, which counts bytes.
const LIMIT: usize = 255;

/// How a character is written.
#[derive(Clone, Copy, PartialEq)]
enum As {
    Itself,
    /// `%XX` for each of its bytes.
    Escape,
    /// `%_`, which reads as nothing.
    Nothing,
}

/// A character and how it is written; never cut in two.
struct Token {
    char: char,
    write: As,
}

/// Appends `segment` to `path`; a segment too long for one name is cut into folders (`…%/…%/…`).
pub(super) fn spell(segment: &str, how: How, path: &mut String) {
    let mut tokens = tokens(segment, how);
    if how.shadowed {
        // A first writing shows which characters stand as themselves, those behind cuts included.
        let end = path.len();
        write(segment, &mut tokens, how.rule, path);
        path.truncate(end);
        match tokens.iter_mut().find(|token| token.write == As::Itself) {
            Some(token) => token.write = As::Escape,
            None => tokens.push(Token::NOTHING),
        }
    }
    write(segment, &mut tokens, how.rule, path);
}

/// The key that `path` (without its area) spells. Lenient: takes spellings that [`spell`] would
/// not write.
pub(super) fn decode(path: &str) -> Option<String> {
    let joined = path.replace("%/", "");
    let mut bytes = Vec::with_capacity(joined.len());
    let mut rest = joined.split('%');
    bytes.extend_from_slice(rest.next()?.as_bytes());
    for part in rest {
        let plain = match part.strip_prefix('_') {
            Some(plain) => plain,
            None => {
                bytes.push(u8::from_str_radix(part.get(..2)?, 16).ok()?);
                part.get(2..)?
            }
        };
        bytes.extend_from_slice(plain.as_bytes());
    }
    String::from_utf8(bytes).ok()
}

/// The characters of `segment`, with those marked that may not stand as themselves wherever in a
/// name they are.
fn tokens(segment: &str, how: How) -> Vec<Token> {
    let escaped = |c: char| match c {
        '%' | '/' | '\\' => true,
        ':' | '*' | '?' | '"' | '<' | '>' | '|' if how.rule == NamingRule::Portable => true,
        _ if how.respelt => !c.is_ascii_digit(),
        _ => c.is_control(),
    };
    let token = |char| Token {
        char,
        write: if escaped(char) {
            As::Escape
        } else {
            As::Itself
        },
    };
    let mark = how.respelt.then_some(Token::NOTHING);
    let mut tokens: Vec<Token> = mark.into_iter().chain(segment.chars().map(token)).collect();
    if how.rule == NamingRule::Portable {
        let trailing = tokens.iter_mut().rev();
        for token in trailing.take_while(|token| matches!(token.char, '.' | ' ')) {
            token.write = As::Escape;
        }
    }
    tokens
}

/// Appends the tokens of `segment` as one name or several; marks what it had to escape because it
/// begins a name.
fn write(segment: &str, tokens: &mut [Token], rule: NamingRule, path: &mut String) {
    let mut rest = tokens;
    let mut text = segment;
    loop {
        let start = unsafe_start(text, rule);
        // A name that begins with `%_` is safe as it is, and has no such tokens.
        for token in rest.iter_mut().take(start) {
            if token.write == As::Itself {
                token.write = As::Escape;
            }
        }
        let (now, later) = rest.split_at_mut(fitting(rest));
        for token in now.iter() {
            token.append_to(path);
        }
        if later.is_empty() {
            return;
        }
        path.push_str("%/");
        let read: usize = now.iter().map(Token::bytes).sum();
        text = text.get(read..).unwrap_or_default();
        rest = later;
    }
}

/// How many of the first characters of a name that begins with `text` must be escaped: all of `.`
/// and `..`, the first of a device's name.
fn unsafe_start(text: &str, rule: NamingRule) -> usize {
    match text {
        "." | ".." => text.len(),
        _ => (rule == NamingRule::Portable && is_device(text)).into(),
    }
}

/// Whether Windows takes `name` for a device: whatever follows a dot, and spaces before it, make
/// no difference (Microsoft, "Naming Files, Paths, and Namespaces").
fn is_device(name: &str) -> bool {
    let stem = name.split('.').next().unwrap_or(name).trim_end_matches(' ');
    if !(3..=7).contains(&stem.len()) {
        return false;
    }
    let stem = stem.to_ascii_uppercase();
    let port = stem
        .strip_prefix("COM")
        .or_else(|| stem.strip_prefix("LPT"));
    matches!(
        stem.as_str(),
        "CON" | "PRN" | "AUX" | "NUL" | "CONIN$" | "CONOUT$"
    ) || port.is_some_and(|number| {
        let mut chars = number.chars();
        matches!(chars.next(), Some('0'..='9' | '¹' | '²' | '³')) && chars.next().is_none()
    })
}

/// How many of the tokens go into the next name: all, or as many as leave room for the `%`.
/// Never none, because the longest token has 12 bytes.
fn fitting(tokens: &[Token]) -> usize {
    let mut length = 0;
    let mut with_mark = 0;
    for (before, token) in tokens.iter().enumerate() {
        length += token.length();
        if length > LIMIT {
            return with_mark;
        }
        if length < LIMIT {
            with_mark = before + 1;
        }
    }
    tokens.len()
}

impl Token {
    const NOTHING: Self = Self {
        char: '_',
        write: As::Nothing,
    };

    /// Its length in the key, in bytes.
    fn bytes(&self) -> usize {
        match self.write {
            As::Nothing => 0,
            As::Itself | As::Escape => self.char.len_utf8(),
        }
    }

    /// Its length on the drive, in bytes.
    fn length(&self) -> usize {
        match self.write {
            As::Itself => self.char.len_utf8(),
            As::Escape => 3 * self.char.len_utf8(),
            As::Nothing => 2,
        }
    }

    fn append_to(&self, path: &mut String) {
        match self.write {
            As::Itself => path.push(self.char),
            As::Nothing => path.push_str("%_"),
            As::Escape => {
                for byte in self.char.encode_utf8(&mut [0; 4]).bytes() {
                    path.push('%');
                    path.push(hex(byte >> 4));
                    path.push(hex(byte & 15));
                }
            }
        }
    }
}

/// The upper-case hex digit of a number below 16.
fn hex(number: u8) -> char {
    match number {
        0..=9 => (b'0' + number).into(),
        _ => (b'A' - 10 + number).into(),
    }
}
