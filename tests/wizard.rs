//! `offsite init --wizard`, driven through a pseudo-terminal as a person would.
#![allow(clippy::indexing_slicing, clippy::unwrap_used)]

mod support;

use offsite::demo::bucket::READER;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;
use support::{Embedded, Running};

/// A person: waits for each question and answers it. Python is what the tests need anyway; its
/// pty module makes the terminal the program's own (pty(7)).
const PERSON: &str = r#"
import os, pty, select, sys, time
answers = [a.split("=>", 1) for a in sys.argv[1].split("\n")]
pid, terminal = pty.fork()
if pid == 0:
    os.execvp(sys.argv[2], sys.argv[2:])
seen, at, until = "", 0, time.time() + 30
while time.time() < until:
    if select.select([terminal], [], [], 0.2)[0]:
        try:
            more = os.read(terminal, 65536).decode(errors="replace")
        except OSError:
            break
        if not more:
            break
        seen += more
    if answers and answers[0][0] in seen[at:]:
        at = seen.index(answers[0][0], at) + len(answers[0][0])
        os.write(terminal, (answers.pop(0)[1] + "\n").encode())
print(seen)
if time.time() >= until:
    os.kill(pid, 9)
code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
sys.exit(99 if answers else code)
"#;

/// Runs the wizard with `answers`: (a piece of the question, what is typed).
fn wizard(at: &Embedded, config: &Path, answers: &[(&str, &str)]) -> support::Output {
    let answers: Vec<String> = answers.iter().map(|(q, a)| format!("{q}=>{a}")).collect();
    let inner = at.home.bare(["-c"]);
    let mut person = Command::new("python3");
    person
        .args(["-c", PERSON, &answers.join("\n")])
        .arg(inner.get_program())
        .arg("-c")
        .arg(config)
        .args(["init", "--wizard", "--allow-root-fs"])
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap())
        .env("HOME", at.home.path());
    Running::spawn(person).finish()
}

#[test]
fn a_person_who_errs_at_each_question_ends_with_a_copy() {
    let at = Embedded::new();
    at.bucket.put("a.age", "age-encryption.org/v1\n");
    let config = at.home.path().join("wizard.toml");
    let store = at.home.path().join("drive/offsite");
    std::fs::create_dir(at.home.path().join("drive")).unwrap();
    let endpoint = at.server.endpoint();
    let told = wizard(
        &at,
        &config,
        &[
            ("1/5", "../www"),
            ("1/5", "www"),
            ("2/5", "ftp://nowhere"),
            ("2/5", "http://127.0.0.1:9"),
            ("2/5", &endpoint),
            ("region", ""),
            ("3/5", ""),
            ("3/5", at.bucket.name()),
            ("4/5", "OFFSITENOSUCHKEY0000"),
            ("not shown", "wrong"),
            ("4/5", READER.id),
            ("not shown", READER.secret),
            ("5/5", "drive"),
            ("5/5", store.to_str().unwrap()),
        ],
    )
    .exits(0)
    .stdout;
    for words in [
        "not a URL",
        "nothing answers at http://127.0.0.1:9",
        "it answers",
        "no default",
        "does not know this access key",
        "it lists the bucket: 1 objects",
        "no absolute path",
        "it will do",
        "which only you can read",
        "every hour",
    ] {
        assert!(told.contains(words), "no {words:?} in\n{told}");
    }
    assert!(!told.contains(READER.secret), "the secret was shown");
    let text = std::fs::read_to_string(&config).unwrap();
    assert!(
        text.contains("credentials = \"profile:offsite-www\""),
        "{text}"
    );
    assert!(!text.contains(READER.secret), "{text}");
    let file = at.home.path().join(".aws/credentials");
    let mode = std::fs::metadata(&file).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);

    // What it wrote works as it stands.
    let mut pull = at.home.bare(["-c"]);
    pull.arg(&config).arg("pull");
    pull.env_remove("AWS_ACCESS_KEY_ID")
        .env_remove("AWS_SECRET_ACCESS_KEY");
    Running::spawn(pull).finish().exits(0);
    assert!(store.join("www/latest/a.age").exists());
}

#[test]
fn without_a_terminal_it_says_what_to_do_instead() {
    let at = Embedded::new();
    let mut init = at.home.bare(["init", "--wizard"]);
    init.stdin(std::process::Stdio::null());
    let told = Running::spawn(init).finish().exits(2);
    assert!(told.stderr.contains("--bucket"), "{}", told.stderr);
}
