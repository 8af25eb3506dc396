//! What a run did to the drive, in order, as the kernel saw it: `strace` around the program, and
//! its log read back as events.

use super::program::{Output, Running};
use super::tools::tool;
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Every call by which a run changes a drive or makes a change safe. A `?` before those that not
/// every processor's Linux has.
const CALLS: &str = "openat,openat2,?creat,write,writev,pwrite64,pwritev,pwritev2,ftruncate,\
    fallocate,copy_file_range,sendfile,?rename,?renameat,renameat2,?link,linkat,?mkdir,mkdirat,\
    ?unlink,unlinkat,?rmdir,fsync,fdatasync,syncfs";

/// One call that succeeded. Calls of several threads overlap, so it has a beginning and an end
/// (lines of the log): one comes after another only if it begins after the other's end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    pub begin: usize,
    pub end: usize,
    pub call: Call,
}

/// What a call did, with absolute paths.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Call {
    /// A file was opened to be written.
    Open {
        path: PathBuf,
        create: bool,
    },
    /// Bytes or the length of a file changed.
    Write(PathBuf),
    Rename {
        from: PathBuf,
        to: PathBuf,
    },
    Link {
        from: PathBuf,
        to: PathBuf,
    },
    MakeFolder(PathBuf),
    Remove(PathBuf),
    /// `fsync` or `fdatasync` of a file or a folder.
    Sync(PathBuf),
    /// `syncfs`, by way of this path.
    SyncAll(PathBuf),
}

/// Runs `command` to its end under `strace`; `log` is made.
pub fn run(command: &Command, log: &Path) -> (Output, Vec<Event>) {
    let output = Running::spawn(wrap(command, log, &[])).finish();
    let text = std::fs::read_to_string(log).unwrap();
    (output, parse(&text))
}

/// `command` under `strace`, with more arguments for `strace`.
pub fn wrap(command: &Command, log: &Path, more: &[&str]) -> Command {
    let mut traced = Command::new(tool("strace"));
    traced.args(["-f", "-y", "-o"]).arg(log);
    traced.args(["-e", &format!("trace={CALLS}")]).args(more);
    traced.arg(command.get_program()).args(command.get_args());
    traced.env_clear();
    for (name, value) in command.get_envs() {
        if let Some(value) = value {
            traced.env(name, value);
        }
    }
    if let Some(folder) = command.get_current_dir() {
        traced.current_dir(folder);
    }
    traced
}

/// The events of a log of `strace -f -y`.
pub fn parse(log: &str) -> Vec<Event> {
    let mut begun: HashMap<&str, (usize, &str)> = HashMap::new();
    let mut events = Vec::new();
    for (end, line) in log.lines().enumerate() {
        let Some((thread, text)) = line.split_once(' ') else {
            continue;
        };
        let text = text.trim_start();
        if let Some(first) = text.strip_suffix("<unfinished ...>") {
            begun.insert(thread, (end, first));
            continue;
        }
        let (begin, whole) = match resumed(text) {
            Some(rest) => match begun.remove(thread) {
                Some((begin, first)) => (begin, format!("{first}{rest}")),
                None => continue,
            },
            None => (end, text.to_owned()),
        };
        let call = call(&whole);
        events.extend(call.map(|call| Event { begin, end, call }));
    }
    events.sort_by_key(|event| event.begin);
    events
}

/// What follows `<... NAME resumed>`.
fn resumed(text: &str) -> Option<&str> {
    let (_, rest) = text.strip_prefix("<... ")?.split_once(" resumed>")?;
    Some(rest)
}

/// `name(arguments) = result`; nothing where it failed, has no path, or changes nothing.
fn call(text: &str) -> Option<Call> {
    let (head, result) = text.rsplit_once(" = ")?;
    if !result.starts_with(|c: char| c.is_ascii_digit()) {
        return None;
    }
    let (name, arguments) = head.trim_end().split_once('(')?;
    let arguments = arguments.strip_suffix(')')?;
    let (open, named) = (opened(arguments), named(arguments));
    let (first, last) = (open.first().cloned(), open.last().cloned());
    Some(match name {
        "openat" | "openat2" | "creat" => {
            let create = arguments.contains("O_CREAT") || name == "creat";
            let writes = ["O_RDWR", "O_WRONLY"].iter().any(|f| arguments.contains(f));
            if !create && !writes {
                return None;
            }
            let path = named.first()?.clone();
            Call::Open { path, create }
        }
        "write" | "writev" | "pwrite64" | "pwritev" | "pwritev2" | "ftruncate" | "fallocate"
        | "sendfile" => Call::Write(first?),
        "copy_file_range" => Call::Write(last?),
        "rename" | "renameat" | "renameat2" => Call::Rename {
            from: named.first()?.clone(),
            to: named.last()?.clone(),
        },
        "link" | "linkat" => Call::Link {
            from: named.first()?.clone(),
            to: named.last()?.clone(),
        },
        "mkdir" | "mkdirat" => Call::MakeFolder(named.first()?.clone()),
        "unlink" | "unlinkat" | "rmdir" => Call::Remove(named.first()?.clone()),
        "fsync" | "fdatasync" => Call::Sync(first?),
        "syncfs" => Call::SyncAll(first?),
        _ => return None,
    })
}

/// The paths of open files among the arguments: `7</store/www>`. Sockets have none.
fn opened(arguments: &str) -> Vec<PathBuf> {
    let parts = arguments.split("</").skip(1);
    let paths = parts.filter_map(|part| part.split_once('>'));
    paths.map(|(path, _)| format!("/{path}").into()).collect()
}

/// The paths named among the arguments: each quoted string, below the open folder before it.
fn named(arguments: &str) -> Vec<PathBuf> {
    let mut paths = Vec::new();
    let mut folder = PathBuf::new();
    for (at, part) in arguments.split('"').enumerate() {
        if at % 2 == 1 {
            let path = folder.join(part);
            paths.push(path.components().collect());
        } else if let Some(open) = opened(part).pop() {
            folder = open;
        }
    }
    paths
}
