//! `offsite notify --test`.

use crate::ears::{Ear, Manner, telling};

#[test]
fn each_says_whether_it_was_taken() {
    let ear = Ear::new();
    let at = telling(&format!(
        "healthcheck = \"{}\"\ncommand = [\"true\"]\n[notify.webhook]\nurl = \"{}\"\n[notify.ntfy]\nurl = \"{}\"",
        ear.url("/ping"),
        ear.url("/hook"),
        ear.url("/topic")
    ));
    let said = at.home.run(["notify", "--test"]).exits(0);
    for whom in [
        "healthcheck at 127.0.0.1",
        "webhook at 127.0.0.1",
        "ntfy at 127.0.0.1",
        "command true",
    ] {
        assert!(
            said.stdout.contains(&format!("{whom}: taken\n")),
            "{}",
            said.stdout
        );
    }
    let mut paths = ear.paths();
    paths.sort();
    // A success would turn a check green whose copy is in alarm.
    assert_eq!(paths, ["/hook", "/ping/log", "/topic"]);
    let heard = ear.take();
    let hook = heard.iter().find(|h| h.path == "/hook").unwrap().json();
    assert_eq!(hook["event"], "test");
}

#[test]
fn one_that_refuses_makes_it_exit_1() {
    let ear = Ear::with(Manner::Answer(403, ""));
    let at = telling(&format!(
        "command = [\"true\"]\n[notify.ntfy]\nurl = \"{}\"",
        ear.url("/topic")
    ));
    let said = at.home.run(["notify", "--test"]).exits(1);
    for words in [
        "ntfy at 127.0.0.1: NOT taken: it answered 403",
        "is the token",
        "command true: taken",
    ] {
        assert!(said.stdout.contains(words), "{words:?} in {}", said.stdout);
    }
}

/// healthchecks.io says so in the body of a 200 only.
#[test]
fn a_check_that_does_not_exist_is_said() {
    let ear = Ear::with(Manner::Answer(200, "OK (not found)"));
    let at = telling(&format!("healthcheck = \"{}\"", ear.url("/typo")));
    let said = at.home.run(["notify", "--test"]).exits(1);
    assert!(
        said.stdout.contains("it knows no check with this address"),
        "{}",
        said.stdout
    );
}

#[test]
fn nobody_to_tell_is_said_with_the_way_out() {
    let at = telling("");
    let said = at.home.run(["notify", "--test"]).exits(2);
    for words in ["names nobody to tell", "[notify] section"] {
        assert!(said.stderr.contains(words), "{}", said.stderr);
    }
    at.home.run(["notify"]).exits(2);
}
