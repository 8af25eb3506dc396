//! What is wrong with the configuration, the environment or the command line.

use crate::{Case, Ground, SECRET, all_as_promised, pull};
use std::process::{Command, Stdio};

const CREDENTIALS: &[Case] = &[
    Case {
        name: "no credentials in the environment",
        provoke: |ground| without_keys(ground, &["pull"]),
        exit: 2,
        names: &["no key", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"],
        way_out: &["profile:NAME"],
    },
    Case {
        name: "half of the credentials in the environment",
        provoke: |ground| {
            let mut pull = without_keys(ground, &["pull"]);
            pull.env("AWS_SECRET_ACCESS_KEY", SECRET);
            pull
        },
        exit: 2,
        names: &["no key", "AWS_ACCESS_KEY_ID"],
        way_out: &["set both"],
    },
    Case {
        name: "a profile that is not there",
        provoke: |ground| {
            let file = ground.home.path().join("credentials");
            let text =
                format!("[other]\naws_access_key_id = x\naws_secret_access_key = {SECRET}\n");
            crate::write_private(&file, &text);
            ground.edit("credentials = \"env\"", "credentials = \"profile:backup\"");
            let mut pull = without_keys(ground, &["pull"]);
            pull.env("AWS_SHARED_CREDENTIALS_FILE", file);
            pull
        },
        exit: 2,
        names: &["profile \"backup\"", "no such profile"],
        way_out: &["~/.aws/credentials", "aws_secret_access_key"],
    },
    Case {
        name: "a credentials file that is no such file",
        provoke: |ground| {
            let file = ground.home.path().join("credentials");
            crate::write_private(&file, &format!("[backup\naws_secret_access_key = {SECRET}"));
            ground.edit("credentials = \"env\"", "credentials = \"profile:backup\"");
            let mut pull = without_keys(ground, &["pull"]);
            pull.env("AWS_SHARED_CREDENTIALS_FILE", file);
            pull
        },
        exit: 2,
        names: &["profile \"backup\""],
        way_out: &["~/.aws/credentials"],
    },
    Case {
        name: "a key pasted where its place should stand",
        provoke: |ground| {
            ground.edit(
                "credentials = \"env\"",
                &format!("credentials = \"AKIA:{SECRET}\""),
            );
            pull(ground)
        },
        exit: 2,
        names: &["`credentials`"],
        way_out: &["never the key itself"],
    },
];

const CONFIGURATION: &[Case] = &[
    Case {
        name: "a setting with a typo",
        provoke: |ground| {
            ground.edit("region = ", "regoin = ");
            pull(ground)
        },
        exit: 2,
        names: &["offsite.toml: line ", "regoin"],
        way_out: &["offsite init"],
    },
    Case {
        name: "a secret in the configuration",
        provoke: |ground| {
            let line = format!("secret_access_key = \"{SECRET}\"\nregion = ");
            ground.edit("region = ", &line);
            pull(ground)
        },
        exit: 2,
        names: &["offsite.toml: line ", "secret_access_key"],
        way_out: &["never belongs in this file", "profile:NAME"],
    },
    Case {
        name: "a line that is no setting, with a secret in it",
        provoke: |ground| {
            ground.edit("region = ", &format!("secret {SECRET}\nregion = "));
            pull(ground)
        },
        exit: 2,
        names: &["offsite.toml: line "],
        way_out: &["offsite init"],
    },
    Case {
        name: "a value of the wrong kind, with a secret in it",
        provoke: |ground| {
            ground.edit(
                "region = ",
                &format!("allow_http = \"{SECRET}\"\nregion = "),
            );
            pull(ground)
        },
        exit: 2,
        names: &[
            "offsite.toml: line ",
            "allow_http: the value is not a boolean",
        ],
        way_out: &["offsite init"],
    },
    Case {
        name: "a value that is none of those that there are",
        provoke: |ground| {
            ground.edit(
                "region = ",
                &format!("addressing = \"{SECRET}\"\nregion = "),
            );
            pull(ground)
        },
        exit: 2,
        names: &[
            "offsite.toml: line ",
            "addressing: the value is not one of",
            "virtual",
        ],
        way_out: &["offsite init"],
    },
    Case {
        name: "a password in the endpoint",
        provoke: |ground| {
            let with = format!("https://me:{SECRET}@s3.example.com");
            ground.edit(&ground.server.endpoint(), &with);
            pull(ground)
        },
        exit: 2,
        names: &["www", "name or a password"],
        way_out: &["`credentials`"],
    },
    Case {
        name: "plain http to another machine",
        provoke: |ground| {
            ground.edit(&ground.server.endpoint(), "http://nas.lan:9000");
            pull(ground)
        },
        exit: 2,
        names: &["http://nas.lan:9000", "not encrypted"],
        way_out: &["https://", "allow_http = true"],
    },
    Case {
        name: "a ca_file that is not there",
        provoke: |ground| {
            ground.set("ca_file", "\"/nowhere/ca.pem\"");
            pull(ground)
        },
        exit: 2,
        names: &["ca_file /nowhere/ca.pem", "No such file"],
        way_out: &["BEGIN CERTIFICATE"],
    },
    Case {
        name: "a ca_file that holds no certificate",
        provoke: |ground| {
            let file = ground.home.path().join("ca.pem");
            std::fs::write(&file, SECRET).unwrap();
            ground.set("ca_file", &format!("{:?}", file.to_str().unwrap()));
            pull(ground)
        },
        exit: 2,
        names: &["ca.pem", "no certificate"],
        way_out: &["BEGIN CERTIFICATE"],
    },
    Case {
        name: "no configuration at all",
        provoke: |ground| ground.home.bare(["pull"]),
        exit: 2,
        names: &[
            "no configuration",
            ".config/offsite/offsite.toml",
            "/etc/offsite/offsite.toml",
        ],
        way_out: &["offsite init", "-c FILE", "offsite demo"],
    },
    Case {
        name: "a configuration that is not there",
        provoke: |ground| ground.home.bare(["-c", "/nowhere/offsite.toml", "pull"]),
        exit: 2,
        names: &["/nowhere/offsite.toml", "No such file"],
        way_out: &["offsite init"],
    },
];

const COMMAND_LINE: &[Case] = &[
    Case {
        name: "a source that is not configured",
        provoke: |ground| ground.home.command(["pull", "mail"]),
        exit: 2,
        names: &["no source mail"],
        way_out: &["www"],
    },
    Case {
        name: "ls of a source that the store does not have",
        provoke: |ground| ground.home.command(["ls", "--source", "mail"]),
        exit: 2,
        names: &["no source mail"],
        way_out: &["www"],
    },
    Case {
        name: "a finding that does not exist",
        provoke: |ground| ground.home.command(["ack", "www-7"]),
        exit: 2,
        names: &["no finding \"www-7\""],
        way_out: &["offsite status"],
    },
    Case {
        name: "a finding that holds nothing back",
        provoke: |ground| {
            warned(ground);
            ground.home.command(["ack", "--accept", "www-1"])
        },
        exit: 2,
        names: &["www-1 holds no version back"],
        way_out: &["without --accept"],
    },
    Case {
        name: "a key that is not known",
        provoke: |ground| ground.home.command(["show", "A.age"]),
        exit: 2,
        names: &["A.age"],
        way_out: &["offsite ls"],
    },
    Case {
        name: "a time that is none",
        provoke: |ground| ground.home.command(["ls", "--at", "yesterday"]),
        exit: 2,
        names: &["\"yesterday\""],
        way_out: &["2026-11-21", "-3d"],
    },
    Case {
        name: "a pattern that is none",
        provoke: |ground| ground.home.command(["ls", "["]),
        exit: 2,
        names: &["\"[\" is not a pattern"],
        way_out: &["**"],
    },
    Case {
        name: "a command that does not exist",
        provoke: |ground| ground.home.command(["sync"]),
        exit: 2,
        names: &["'sync'", "Usage"],
        way_out: &[],
    },
    Case {
        name: "a store that is none",
        provoke: |ground| {
            let empty = ground.home.path().join("empty");
            std::fs::create_dir(&empty).unwrap();
            let mut ls = ground.home.bare(["ls", "--store"]);
            ls.arg(empty);
            ls
        },
        exit: 5,
        names: &["empty is not a store", "offsite-store.toml"],
        way_out: &["not mounted"],
    },
];

#[test]
fn a_missing_key_is_named_with_its_place_and_never_shown() {
    all_as_promised(CREDENTIALS);
}

#[test]
fn a_wrong_configuration_is_named_by_file_and_line_and_never_quoted() {
    all_as_promised(CONFIGURATION);
}

#[test]
fn a_wrong_command_line_is_named_with_the_way_out() {
    all_as_promised(COMMAND_LINE);
}

/// `offsite ls | head -1`: the reader has what it wanted, and that is no error.
#[test]
fn a_reader_that_goes_away_is_no_error() {
    let ground = Ground::new();
    // More than a pipe holds (pipe(7): 64 KiB).
    for number in 0..90 {
        ground.bucket.put(
            &format!("{}{number}", format!("{}/", "long".repeat(60)).repeat(4)),
            "x",
        );
    }
    ground.home.run(["pull"]).exits(0);
    let mut ls = ground.home.command(["ls"]);
    ls.stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut ls = ls.spawn().unwrap();
    let first = {
        use std::io::{BufRead as _, BufReader};
        let mut first = String::new();
        BufReader::new(ls.stdout.take().unwrap())
            .read_line(&mut first)
            .unwrap();
        first
    };
    assert!(first.contains("a.age"), "{first}");
    let told = ls.wait_with_output().unwrap();
    assert_eq!(String::from_utf8_lossy(&told.stderr), "");
    assert_eq!(told.status.code(), Some(0));
}

/// A finding that holds nothing back: a listing that omits an object.
fn warned(ground: &Ground) {
    ground.bucket.with_faults(|faults| {
        faults.hide = Some(std::sync::Arc::new(|key| key == "a.age"));
    });
    ground.home.run(["pull"]);
    let status = ground.home.run(["status", "--json"]);
    assert!(status.stdout.contains("listing-omits"), "{}", status.stdout);
}

/// `offsite -c CONFIG args…`, with no key in its environment.
pub(crate) fn without_keys(ground: &Ground, args: &[&str]) -> Command {
    let mut command = ground.home.command(args);
    command
        .env_remove("AWS_ACCESS_KEY_ID")
        .env_remove("AWS_SECRET_ACCESS_KEY");
    command
}
