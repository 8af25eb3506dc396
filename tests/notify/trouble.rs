//! Ears that do not listen: whatever they do, the run is the same, and no address leaks.

use crate::ears::{Ear, Manner, nobody, tell, telling};
use crate::support::program::each_file;
use crate::support::{Authority, Embedded, Output, Running, Tls};
use std::collections::BTreeMap;
use std::fs;
use std::process::Command;

/// Stands in every address and every secret.
const CANARY: &str = "canary0f7e2a";

fn pull(at: &Embedded) -> Output {
    Running::spawn(pulling(at)).finish()
}

fn pulling(at: &Embedded) -> Command {
    let mut pull = at.home.command(["pull"]);
    pull.env("RUST_LOG", "trace")
        .env("HOOK_SECRET", format!("secret-{CANARY}"))
        .env("NTFY_TOKEN", format!("tk_{CANARY}"));
    pull
}

fn three(url: &dyn Fn(&str) -> String) -> String {
    format!(
        "healthcheck = \"{}\"\n\
         [notify.webhook]\nurl = \"{}\"\nsecret = \"env:HOOK_SECRET\"\n\
         [notify.ntfy]\nurl = \"{}\"\ntoken = \"env:NTFY_TOKEN\"\n",
        url(&format!("/ping/{CANARY}")),
        url(&format!("/hook/{CANARY}?key={CANARY}")),
        url(&format!("/{CANARY}")),
    )
}

fn latest(at: &Embedded) -> BTreeMap<String, Vec<u8>> {
    let mut files = BTreeMap::new();
    each_file(&at.folder().join("latest"), &mut |path, bytes| {
        files.insert(
            path.file_name().unwrap().to_string_lossy().into_owned(),
            bytes.to_vec(),
        );
    });
    files
}

/// Neither what the program said nor what it wrote holds the canary, the configuration aside.
#[track_caller]
fn nothing_leaked(at: &Embedded, said: &Output) {
    for text in [&said.stdout, &said.stderr] {
        assert!(!text.contains(CANARY), "it was printed:\n{text}");
    }
    each_file(at.home.path(), &mut |path, bytes| {
        let holds = bytes.windows(CANARY.len()).any(|w| w == CANARY.as_bytes());
        assert!(
            !holds || path == at.home.config(),
            "{} holds it",
            path.display()
        );
    });
}

/// (what the ear does, the words of the warning, how often it is told in all; where that hangs on
/// the clock, none).
fn manners(elsewhere: &Ear) -> Vec<(Manner, &'static str, Option<usize>)> {
    vec![
        (Manner::Answer(200, "OK"), "", Some(1)),
        (Manner::Answer(204, ""), "", Some(1)),
        (Manner::Answer(500, "no"), "it answered 500", Some(3)),
        (Manner::Answer(429, "slower"), "it answered 429", Some(3)),
        (Manner::Answer(403, "no"), "it answered 403", Some(1)),
        (Manner::Answer(404, "no"), "it answered 404", Some(1)),
        (
            Manner::Redirect(elsewhere.url("/stolen")),
            "redirects (307)",
            Some(1),
        ),
        (Manner::Cut, "the connection broke off", Some(3)),
        (Manner::Hang, "no answer within", None),
    ]
}

#[test]
fn whatever_those_who_are_told_do_the_pull_and_the_store_are_the_same() {
    let alone = telling("");
    alone.home.run(["pull"]).exits(0);
    let elsewhere = Ear::new();
    for (manner, words, times) in manners(&elsewhere) {
        let ear = Ear::with(manner.clone());
        let at = telling(&three(&|path| ear.url(path)));
        let said = pull(&at).exits(0);
        assert_eq!(latest(&at), latest(&alone), "{manner:?}");
        at.home.run(["catalogue", "check", "--deep"]).exits(0);
        for (whom, path) in [
            ("healthcheck", "/ping/"),
            ("webhook", "/hook/"),
            ("ntfy", "/canary"),
        ] {
            let warning = format!("warning: the {whom} at 127.0.0.1 was not told: ");
            let line = said.stderr.lines().find(|line| line.starts_with(&warning));
            match words {
                "" => assert_eq!(line, None, "{manner:?}"),
                words => assert!(
                    line.is_some_and(|l| l.contains(words)),
                    "{manner:?} {}",
                    said.stderr
                ),
            }
            let heard = ear.heard().into_iter();
            let ends = heard.filter(|h| h.path.starts_with(path) && !h.path.ends_with("/start"));
            let ends = ends.count();
            assert!(
                ends > 0 && times.is_none_or(|n| n == ends),
                "{manner:?} {whom}: {ends}"
            );
        }
        assert!(said.stderr.contains("DEBUG"), "nothing was logged");
        nothing_leaked(&at, &said);
    }
    assert_eq!(elsewhere.paths(), [""; 0], "a redirect was followed");
}

/// Their certificates are judged by the system's roots, here those of a private CA; at the most
/// talkative no address and no secret is said.
#[test]
#[cfg_attr(without_openssl, ignore = "OFFSITE_TEST_WITHOUT names openssl")]
fn over_tls_they_hear_it_and_nothing_leaks() {
    let (ear, authority) = (Ear::new(), Authority::new());
    let tls = Tls::start(&authority, &ear.url(""));
    let at = telling(&three(&|path| format!("{}{path}", tls.endpoint())));
    let pull = |roots: &std::path::Path| {
        let mut pull = pulling(&at);
        pull.env("SSL_CERT_FILE", roots);
        Running::spawn(pull).finish().exits(0)
    };
    let said = pull(&authority.file());
    nothing_leaked(&at, &said);
    assert!(said.stderr.contains(" DEBUG "), "{}", said.stderr);
    assert!(!said.stderr.contains("was not told"), "{}", said.stderr);
    assert_eq!(ear.take().len(), 4);
    assert!(tls.suites().iter().all(Option::is_some));
    // Nor to one whom nobody vouches for.
    let said = pull(&Authority::called("another CA").file());
    nothing_leaked(&at, &said);
    assert_eq!(ear.take().len(), 0);
    assert_eq!(said.stderr.matches("issued by nobody whom").count(), 4);
    assert!(said.stderr.contains("update-ca-certificates"));
}

#[test]
fn nobody_listening_is_a_warning_in_words() {
    let at = telling(&three(&nobody));
    let said = pull(&at).exits(0);
    for words in ["cannot connect: ", "refused", "does the network work"] {
        assert!(said.stderr.contains(words), "{words:?} in {}", said.stderr);
    }
    nothing_leaked(&at, &said);
}

#[test]
fn one_who_does_not_listen_keeps_nobody_else_from_hearing() {
    let (good, bad) = (Ear::new(), Ear::with(Manner::Answer(500, "")));
    let at = telling(&format!(
        "healthcheck = \"{}\"\ncommand = [\"/no/such/program\", \"{CANARY}\"]\n\
         [notify.webhook]\nurl = \"{}\"\nsecret = \"env:NOT_SET_ANYWHERE\"\n\
         [notify.ntfy]\nurl = \"{}\"",
        bad.url("/ping"),
        good.url("/hook"),
        good.url("/topic"),
    ));
    let said = pull(&at).exits(0);
    assert_eq!(good.paths(), ["/topic"], "an unsigned message is not sent");
    for words in [
        "warning: the healthcheck at 127.0.0.1 was not told: it answered 500",
        "warning: the webhook at 127.0.0.1 was not told: there is no secret in the environment variable NOT_SET_ANYWHERE",
        "warning: the command program was not told: it cannot be run",
    ] {
        assert!(said.stderr.contains(words), "{words:?} in {}", said.stderr);
    }
    nothing_leaked(&at, &said);
}

#[test]
fn a_program_that_fails_or_hangs_is_a_warning() {
    for (script, words) in [
        ("exit 3", "it ended with exit status: 3"),
        ("sleep 1000", "it did not end within"),
    ] {
        let at = telling(&format!("command = [\"sh\", \"-c\", \"{script}\"]"));
        let said = at.home.run(["pull"]).exits(0);
        let warning = format!("warning: the command sh was not told: {words}");
        assert!(said.stderr.contains(&warning), "{}", said.stderr);
    }
}

/// An end that cannot be told leaves the code that the run came to, also when that is none of 0.
#[test]
fn the_exit_code_is_the_runs_own() {
    let at = telling("");
    tell(&at.home, &three(&nobody));
    fs::rename(at.home.store(), at.home.path().join("away")).unwrap();
    let said = pull(&at).exits(5);
    assert!(
        said.stderr.contains("warning: the webhook"),
        "{}",
        said.stderr
    );
    nothing_leaked(&at, &said);
}
