//! What the README says about being told is what happens.

use crate::ears::{Ear, Heard, python, telling};
use crate::support::Running;
use offsite::config::Config;
use offsite::demo::bucket::Fault;
use serde_json::Value;
use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;

const README: &str = include_str!("../../README.md");

/// The blocks of this language in "Being told", in order.
fn blocks(language: &str) -> Vec<&'static str> {
    let (_, rest) = README.split_once("\n## Being told\n").unwrap();
    let section = rest.split("\n## ").next().unwrap();
    let begins = section
        .split(&format!("```{language}\n"))
        .skip(1)
        .collect::<Vec<_>>();
    begins
        .into_iter()
        .map(|block| block.split("```").next().unwrap())
        .collect()
}

/// What a webhook hears of a run that raises an alarm.
fn heard_of_an_alarm() -> Heard {
    let ear = Ear::new();
    let at = telling(&format!(
        "[notify.webhook]\nurl = \"{}\"\nsecret = \"env:HOOK\"",
        ear.url("/")
    ));
    at.bucket
        .with_faults(|faults| faults.flip = Some(Fault::new(0)));
    let mut pull = at.home.command(["pull"]);
    pull.env("HOOK", "the secret");
    Running::spawn(pull).finish().exits(4);
    ear.take().remove(0)
}

#[test]
fn the_settings_are_settings() {
    let text = format!(
        "[store]\npath = \"/x\"\n[[source]]\nname = \"w\"\nbucket = \"b\"\nregion = \"r\"\n{}",
        blocks("toml")[0]
    );
    let notify = Config::parse(&text).unwrap().notify;
    assert!(notify.healthcheck.is_some() && notify.webhook.is_some());
    assert!(notify.ntfy.is_some() && !notify.command.is_empty());
}

/// The commented example that `init` writes holds once its `#` are taken away.
#[test]
fn the_example_of_init_is_one() {
    let at = crate::support::Embedded::new();
    let written = fs::read_to_string(at.home.config()).unwrap();
    let (_, rest) = written.split_once("# [notify]\n").unwrap();
    let example = rest.split("\n\n").next().unwrap();
    let settings: Vec<&str> = example
        .lines()
        .map(|line| line.strip_prefix("# ").unwrap())
        .collect();
    let text = format!(
        "[store]\npath = \"/x\"\n[[source]]\nname = \"w\"\nbucket = \"b\"\nregion = \"r\"\n[notify]\n{}\n",
        settings.join("\n")
    );
    let notify = Config::parse(&text).unwrap().notify;
    assert!(notify.healthcheck.is_some() && notify.webhook.is_some() && notify.ntfy.is_some());
}

#[test]
fn the_message_has_the_fields_that_the_readme_shows() {
    let fields = |value: &Value| -> BTreeSet<String> {
        value.as_object().unwrap().keys().cloned().collect()
    };
    let said: Value = serde_json::from_str(blocks("json")[0]).unwrap();
    let heard = heard_of_an_alarm().json();
    assert_eq!(fields(&said), fields(&heard));
    assert_eq!(fields(&said["sources"][0]), fields(&heard["sources"][0]));
    let counts = |value: &Value| fields(&value["sources"][0]["counts"]);
    assert!(counts(&said).is_subset(&counts(&heard)));
    let finding = &heard["findings"][0];
    assert!(
        fields(&said["findings"][0]).is_subset(&fields(finding)),
        "{finding}"
    );
}

#[test]
fn the_signature_is_checked_as_the_readme_shows() {
    let heard = heard_of_an_alarm();
    let header = heard.header("x-offsite-signature").unwrap();
    let program = format!(
        "{}\nimport sys\nbody = sys.stdin.buffer.read()\n\
         print(is_from_offsite(b'the secret', body, sys.argv[1]), is_from_offsite(b'another', body, sys.argv[1]), \
         is_from_offsite(b'the secret', body + b' ', sys.argv[1]))",
        blocks("python")[0]
    );
    assert_eq!(
        python(&program, &[header], None, &heard.body),
        "True False False\n"
    );
}

#[test]
fn the_mail_is_sent_as_the_readme_shows() {
    let heard = heard_of_an_alarm();
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let msmtp = folder.path().join("msmtp");
    let mail = folder.path().join("mail");
    fs::write(&msmtp, format!("#!/bin/sh\ncat > '{}'\n", mail.display())).unwrap();
    fs::set_permissions(&msmtp, fs::Permissions::from_mode(0o755)).unwrap();
    let script = blocks("python")[1];
    python(
        script,
        &[],
        Some(folder.path()),
        &heard
            .body
            .replace("\"verdict\":\"alarm\"", "\"verdict\":\"ok\""),
    );
    assert!(!mail.exists(), "all well is no mail");
    python(script, &[], Some(folder.path()), &heard.body);
    let mail = fs::read_to_string(mail).unwrap();
    assert!(mail.contains("To: you@example.org\n"), "{mail}");
    assert!(mail.contains("ALARM: look now"), "{mail}");
}
