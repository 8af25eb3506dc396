//! An alarm is told in every run until it is acknowledged (promise P5).

use crate::ears::{Ear, tell};
use crate::support::Embedded;
use offsite::demo::bucket::{Fault, Faults};

/// A name that would do harm on a terminal.
const HOSTILE: &str = "x\n\u{1b}[2J\u{202e}.age";

fn alarmed() -> (Ear, Embedded) {
    let ear = Ear::new();
    let at = Embedded::new();
    at.bucket.put(HOSTILE, vec![7; 1000]);
    at.bucket
        .with_faults(|faults| faults.flip = Some(Fault::new(0)));
    tell(
        &at.home,
        &format!(
            "healthcheck = \"{}\"\n[notify.webhook]\nurl = \"{}\"\n[notify.ntfy]\nurl = \"{}\"",
            ear.url("/ping"),
            ear.url("/hook"),
            ear.url("/topic")
        ),
    );
    (ear, at)
}

#[test]
fn p5_an_alarm_is_told_in_every_run_until_it_is_acknowledged() {
    let (ear, at) = alarmed();
    for run in ["the first run", "the next run"] {
        at.home.run(["pull"]).exits(4);
        let heard = ear.take();
        assert!(
            heard.iter().any(|h| h.path == "/ping/fail"),
            "{run}: {heard:#?}"
        );
        let hook = heard.iter().find(|h| h.path == "/hook").unwrap().json();
        assert_eq!(
            (&hook["signal"], &hook["verdict"]),
            (&"fail".into(), &"alarm".into()),
            "{run}"
        );
        let ntfy = heard.iter().find(|h| h.path == "/topic").unwrap();
        assert_eq!(ntfy.header("priority"), Some("5"), "{run}");
    }
    // What was wrong goes away, and the alarm stays until somebody says that they saw it.
    at.bucket.with_faults(|faults| *faults = Faults::default());
    at.home.run(["pull"]).exits(4);
    assert!(ear.take().iter().any(|h| h.path == "/ping/fail"));
    at.home.run(["ack", "www-1"]).exits(0);
    at.home.run(["pull"]).exits(0);
    let heard = ear.take();
    assert!(heard.iter().any(|h| h.path == "/ping"), "{heard:#?}");
    let hook = heard.iter().find(|h| h.path == "/hook").unwrap().json();
    assert_eq!(
        (&hook["signal"], &hook["verdict"]),
        (&"success".into(), &"ok".into())
    );
}

#[test]
fn findings_come_in_words_and_hostile_names_do_no_harm() {
    let (ear, at) = alarmed();
    at.home.run(["pull"]).exits(4);
    let heard = ear.take();
    let hook = heard.iter().find(|h| h.path == "/hook").unwrap();
    let json = hook.json();
    let finding = &json["findings"][0];
    assert_eq!(finding["id"], "www-1");
    assert_eq!(finding["key"], HOSTILE, "nothing of the name is lost");
    for part in ["what", "evidence", "next"] {
        assert!(!finding[part].as_str().unwrap().is_empty(), "{finding}");
    }
    assert_eq!(json["findings_open"], 1);
    for heard in heard.iter().filter(|h| h.path != "/ping/start") {
        let bad = |c: char| offsite::object::deceives(c) && c != '\n';
        assert!(!heard.body.contains(bad), "{:?}", heard.body);
    }
    let fail = heard.iter().find(|h| h.path == "/ping/fail").unwrap();
    for words in [
        "ALARM: look now",
        "ALARM www-1",
        "evidence: ",
        "next: ",
        "\\u{1b}[2J",
    ] {
        assert!(fail.body.contains(words), "{words:?} in {}", fail.body);
    }
}
