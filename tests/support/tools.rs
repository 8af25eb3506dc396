//! Programs from elsewhere, fetched on first use by `tests/servers/setup.sh`.

use super::bucket::{Keys, REGION};
use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Mutex;

/// Where the fetched programs and the running servers' data are kept.
pub fn folder() -> PathBuf {
    std::env::var_os("OFFSITE_SERVERS").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("target/servers"),
        PathBuf::from,
    )
}

/// Whether `OFFSITE_TEST_WITHOUT` (names, with commas) leaves this tool out.
pub fn left_out(name: &str) -> bool {
    std::env::var("OFFSITE_TEST_WITHOUT")
        .is_ok_and(|names| names.split(',').any(|n| n.trim() == name))
}

/// The path of a tool by its name in `setup.sh`, fetched when it is not there yet; `None` when
/// it is left out. A tool that cannot be had fails the test with the script's own message.
pub fn need(name: &str) -> Option<PathBuf> {
    static FOUND: Mutex<BTreeMap<String, PathBuf>> = Mutex::new(BTreeMap::new());
    if left_out(name) {
        return None;
    }
    // Held while the script runs, so that it runs once; poisoned by an earlier failure is fine.
    let mut found = FOUND.lock().unwrap_or_else(|e| e.into_inner());
    if let Some(path) = found.get(name) {
        return Some(path.clone());
    }
    let path = fetch(name);
    found.insert(name.to_owned(), path.clone());
    Some(path)
}

/// As [`need`], for a test that is marked as ignored when the tool is left out.
pub fn tool(name: &str) -> PathBuf {
    need(name).unwrap_or_else(|| panic!("this test needs {name}, which is left out"))
}

fn fetch(name: &str) -> PathBuf {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/servers/setup.sh");
    let answer = Command::new("bash")
        .arg(&script)
        .arg(name)
        .env("OFFSITE_SERVERS", folder())
        .stdin(Stdio::null())
        .output()
        .unwrap_or_else(|e| panic!("cannot run {}: {e}", script.display()));
    let told = String::from_utf8_lossy(&answer.stderr);
    assert!(answer.status.success(), "{name} cannot be had:\n{told}");
    if !told.is_empty() {
        say(told.trim_end());
    }
    PathBuf::from(String::from_utf8_lossy(&answer.stdout).trim())
}

/// The first line that `program args…` prints: how tools tell their version.
pub fn first_line(program: &Path, args: &[&str]) -> String {
    let answer = Command::new(program)
        .args(args)
        .stdin(Stdio::null())
        .output()
        .unwrap_or_else(|e| panic!("cannot run {}: {e}", program.display()));
    let text = String::from_utf8_lossy(&answer.stdout).into_owned();
    assert!(
        answer.status.success(),
        "{} {args:?}: {}\n{text}{}",
        program.display(),
        answer.status,
        String::from_utf8_lossy(&answer.stderr)
    );
    text.lines().next().unwrap_or_default().to_owned()
}

/// A client of a bucket with these keys, and with nothing of the user's own: it starts in `home`.
pub fn client(name: &str, home: &Path, keys: Keys) -> Command {
    let mut command = Command::new(tool(name));
    command
        .current_dir(home)
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap_or_default())
        .env("HOME", home)
        .env("LC_ALL", "C.UTF-8")
        .env("AWS_EC2_METADATA_DISABLED", "true")
        .env("AWS_ACCESS_KEY_ID", keys.id)
        .env("AWS_SECRET_ACCESS_KEY", keys.secret)
        .env("AWS_REGION", REGION);
    command
}

/// Prints a line that shows in a passing run too: the harness captures `eprintln!`, not this.
pub fn say(line: &str) {
    let _ = writeln!(std::io::stderr(), "{line}");
}
