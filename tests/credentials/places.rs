//! A profile and a command.

use crate::{CANARY, bare, errors, lines, quiet, world};
use offsite::demo::bucket::READER;
use std::os::unix::fs::PermissionsExt as _;

#[test]
fn a_profile_that_others_can_read_is_refused_until_it_is_not() {
    let world = world("profile:pi");
    let file = world.home.path().join("aws");
    std::fs::write(&file, format!("[pi]\n{}", lines(READER.id, READER.secret))).unwrap();
    let pull = |mode| {
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(mode)).unwrap();
        let mut pull = bare(&world, &["pull"]);
        pull.env("AWS_SHARED_CREDENTIALS_FILE", &file);
        quiet(pull)
    };
    let told = pull(0o644).exits(2);
    let way_out = format!("chmod 600 {}", file.display());
    assert!(errors(&told).contains(&way_out), "{}", errors(&told));
    assert_eq!(world.bucket.requests().len(), 0, "asked all the same");
    pull(0o600).exits(0);
}

#[test]
fn a_command_brings_the_key() {
    let world = world("process:./key --of pi");
    let script = world.home.path().join("key");
    let write = |text: &str| {
        std::fs::write(&script, format!("#!/bin/sh\n{text}\n")).unwrap();
        std::fs::set_permissions(&script, std::fs::Permissions::from_mode(0o700)).unwrap();
    };
    let json = format!(
        "{{\"Version\": 1, \"AccessKeyId\": \"{}\", \"SecretAccessKey\": \"{}\"}}",
        READER.id, READER.secret
    );
    write(&format!("test \"$*\" = '--of pi' && echo '{json}'"));
    quiet(bare(&world, &["pull"])).exits(0);
    for (what, text) in [
        ("it fails", format!("echo {CANARY} >&2; exit 3")),
        ("it prints no JSON", format!("echo {CANARY}")),
        (
            "it prints half a key",
            format!("echo '{{\"Version\": 1, \"SecretAccessKey\": \"{CANARY}\"}}'"),
        ),
    ] {
        write(&text);
        let told = quiet(bare(&world, &["pull"])).exits(2);
        let said = errors(&told);
        assert!(said.contains("brought none"), "{what}: {said}");
        assert!(said.contains("\"AccessKeyId\""), "{what}: {said}");
    }
}

#[test]
fn a_key_in_the_configuration_is_refused_and_not_repeated() {
    for line in [
        format!("aws_secret_access_key = \"{CANARY}\""),
        format!("credentials = \"{CANARY}\""),
    ] {
        let world = world("env");
        let text = std::fs::read_to_string(world.home.config()).unwrap();
        let text = text.replace("credentials = \"env\"", &line);
        std::fs::write(world.home.config(), text).unwrap();
        let told = quiet(bare(&world, &["pull"])).exits(2);
        assert!(
            errors(&told).contains("credentials = "),
            "{}",
            errors(&told)
        );
    }
}
