//! What everybody hears of ordinary runs.

use crate::ears::{Ear, Heard, python, tell, telling};
use crate::support::{Embedded, Output, Running};
use std::fs;
use std::sync::{Arc, Condvar, Mutex};

const SECRET: &str = "hook-secret-canary";
const TOKEN: &str = "tk_ntfy-canary";

/// All four, and the files that the command leaves.
fn everybody(ear: &Ear, at: &Embedded) -> String {
    let folder = at.home.path().display();
    format!(
        "healthcheck = \"{}\"\n\
         command = [\"sh\", \"-c\", \"cat > '{folder}/told.json'; env > '{folder}/env.txt'\"]\n\
         [notify.webhook]\nurl = \"{}\"\nsecret = \"env:HOOK_SECRET\"\n\
         [notify.ntfy]\nurl = \"{}\"\ntoken = \"env:NTFY_TOKEN\"\n",
        ear.url("/ping/uuid"),
        ear.url("/hook"),
        ear.url("/topic"),
    )
}

fn pull(at: &Embedded) -> Output {
    let mut pull = at.home.command(["pull"]);
    pull.env("HOOK_SECRET", SECRET).env("NTFY_TOKEN", TOKEN);
    Running::spawn(pull).finish()
}

fn at<'h>(heard: &'h [Heard], path: &str) -> &'h Heard {
    let all: Vec<_> = heard.iter().filter(|h| h.path == path).collect();
    assert_eq!(all.len(), 1, "{path} in {heard:#?}");
    all[0]
}

fn head(at: &Embedded) -> String {
    let status = at.home.run(["status", "--json"]).json_lines();
    status[0]["sources"][0]["head"].as_str().unwrap().to_owned()
}

#[test]
fn everybody_hears_how_the_run_went_and_the_journals_head() {
    let ear = Ear::new();
    let embedded = telling("");
    tell(&embedded.home, &everybody(&ear, &embedded));
    let said = pull(&embedded).exits(0);
    assert_eq!(said.stderr.matches("warning").count(), 0, "{}", said.stderr);
    let (heard, head) = (ear.take(), head(&embedded));
    assert_eq!(heard.len(), 4, "{heard:#?}");
    assert!(heard.iter().all(|h| h.method == "POST"), "{heard:#?}");

    // The start comes before the end.
    let pings: Vec<_> = heard
        .iter()
        .filter(|h| h.path.starts_with("/ping"))
        .collect();
    assert_eq!(pings[0].path, "/ping/uuid/start");
    assert_eq!(pings[1].path, "/ping/uuid");
    for words in [
        "all well",
        "www: complete; 1 objects listed, 1 stored",
        &head,
    ] {
        assert!(
            pings[1].body.contains(words),
            "{words} in {}",
            pings[1].body
        );
    }

    let ntfy = at(&heard, "/topic");
    assert_eq!(
        ntfy.header("authorization"),
        Some(&*format!("Bearer {TOKEN}"))
    );
    assert_eq!(ntfy.header("priority"), Some("1"));
    assert!(ntfy.header("title").unwrap().ends_with("all well"));
    assert!(ntfy.body.contains(&head));

    let hook = at(&heard, "/hook");
    assert_eq!(hook.header("content-type"), Some("application/json"));
    let json = hook.json();
    for (field, value) in [
        ("format", "1"),
        ("event", "\"run\""),
        ("signal", "\"success\""),
        ("verdict", "\"ok\""),
    ] {
        assert_eq!(json[field].to_string(), value, "{field}");
    }
    let source = &json["sources"][0];
    assert_eq!(source["name"], "www");
    assert_eq!(source["ended"], "complete");
    assert_eq!(source["counts"]["stored"], 1);
    assert_eq!(source["head"], *head);
    assert!(json["text"].as_str().unwrap().contains(&head));

    let folder = embedded.home.path();
    let told = fs::read_to_string(folder.join("told.json")).unwrap();
    assert_eq!(told, hook.body, "the command hears the same");
    let env = fs::read_to_string(folder.join("env.txt")).unwrap();
    assert!(env.contains("PATH="), "{env}");
    for name in [
        "AWS_ACCESS_KEY_ID",
        "AWS_SECRET_ACCESS_KEY",
        "HOOK_SECRET",
        "NTFY_TOKEN",
    ] {
        assert!(!env.contains(name), "the command was given {name}");
    }
}

/// Computed by python's own hmac, over the bytes as they came.
#[test]
fn the_signature_is_an_hmac_of_the_body() {
    let ear = Ear::new();
    let embedded = telling("");
    tell(&embedded.home, &everybody(&ear, &embedded));
    pull(&embedded).exits(0);
    let heard = ear.take();
    let hook = at(&heard, "/hook");
    let program = "import hashlib, hmac, sys\n\
        print(hmac.new(sys.argv[1].encode(), sys.stdin.buffer.read(), hashlib.sha256).hexdigest())";
    let computed = python(program, &[SECRET], None, &hook.body);
    let said = hook.header("x-offsite-signature");
    assert_eq!(said, Some(&*format!("sha256={}", computed.trim())));
}

#[test]
fn a_secret_that_systemd_hands_over() {
    let ear = Ear::new();
    let embedded = telling(&format!(
        "[notify.webhook]\nurl = \"{}\"\nsecret = \"systemd:hook\"",
        ear.url("/hook")
    ));
    let folder = embedded.home.path().join("handed");
    fs::create_dir(&folder).unwrap();
    fs::write(folder.join("hook"), format!("{SECRET}\n")).unwrap();
    let mut pull = embedded.home.command(["pull"]);
    pull.env("CREDENTIALS_DIRECTORY", &folder);
    Running::spawn(pull).finish().exits(0);
    let key = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, SECRET.as_bytes());
    let heard = ear.take();
    let tag = ring::hmac::sign(&key, heard[0].body.as_bytes());
    let tag = data_encoding::HEXLOWER.encode(tag.as_ref());
    assert_eq!(
        heard[0].header("x-offsite-signature"),
        Some(&*format!("sha256={tag}"))
    );
}

#[test]
fn a_run_whose_store_is_not_there_is_told() {
    let ear = Ear::new();
    let embedded = telling("");
    tell(&embedded.home, &everybody(&ear, &embedded));
    fs::rename(embedded.home.store(), embedded.home.path().join("away")).unwrap();
    pull(&embedded).exits(5);
    let heard = ear.take();
    assert!(
        heard.iter().all(|h| h.path != "/ping/uuid/start"),
        "nothing began: {heard:#?}"
    );
    at(&heard, "/ping/uuid/fail");
    let json = at(&heard, "/hook").json();
    assert_eq!(
        (&json["signal"], &json["verdict"]),
        (&"fail".into(), &"error".into())
    );
    assert!(json["error"].as_str().unwrap().contains("store"), "{json}");
    assert_eq!(json["findings"].as_array().unwrap().len(), 0);
    assert_eq!(json["store"], serde_json::Value::Null);
}

#[test]
fn a_run_whose_key_is_missing_is_told() {
    let ear = Ear::new();
    let embedded = telling("");
    tell(&embedded.home, &everybody(&ear, &embedded));
    pull(&embedded).exits(0);
    ear.take();
    let before = head(&embedded);
    let mut pull = embedded.home.command(["pull"]);
    pull.env("HOOK_SECRET", SECRET)
        .env("NTFY_TOKEN", TOKEN)
        .env_remove("AWS_SECRET_ACCESS_KEY");
    Running::spawn(pull).finish().exits(2);
    let heard = ear.take();
    let fail = at(&heard, "/ping/uuid/fail");
    assert!(fail.body.contains("there is no key"), "{}", fail.body);
    let json = at(&heard, "/hook").json();
    assert_eq!(json["sources"][0]["ended"], "failed");
    assert_eq!(
        json["sources"][0]["head"], *before,
        "the head is said also then"
    );
    assert_eq!(at(&heard, "/topic").header("priority"), Some("4"));
}

#[test]
fn who_only_looks_tells_nobody() {
    let ear = Ear::new();
    let embedded = telling("");
    tell(&embedded.home, &everybody(&ear, &embedded));
    embedded.home.run(["pull", "--dry-run"]).exits(0);
    for args in [&["status"][..], &["ls"], &["log"], &["catalogue", "check"]] {
        embedded
            .home
            .run(args)
            .exits(if args == ["status"] { 3 } else { 0 });
    }
    assert_eq!(ear.paths(), [""; 0]);
    assert!(!embedded.home.path().join("told.json").exists());
}

/// The run that is under way will tell how it went.
#[test]
fn a_run_that_meets_another_one_tells_nobody() {
    let ear = Ear::new();
    let embedded = telling(&format!("healthcheck = \"{}\"", ear.url("/ping")));
    let gate = Arc::new((Mutex::new((false, false)), Condvar::new()));
    let held = Arc::clone(&gate);
    embedded.bucket.with_faults(|faults| {
        faults.on_request = Some(Arc::new(move |_: &str, _: Option<&str>| {
            let (state, changed) = &*held;
            let mut state = state.lock().unwrap();
            state.0 = true;
            changed.notify_all();
            drop(changed.wait_while(state, |(_, open)| !*open).unwrap());
        }));
    });
    let first = embedded.home.spawn(["pull"]);
    let (state, changed) = &*gate;
    drop(
        changed
            .wait_while(state.lock().unwrap(), |(under_way, _)| !*under_way)
            .unwrap(),
    );
    let second = embedded.home.run(["pull"]);
    let told = ear.paths();
    // Before anything is asserted: a failure must not leave the first run waiting.
    state.lock().unwrap().1 = true;
    changed.notify_all();
    first.finish().exits(0);
    second.exits(6);
    assert!(told.iter().all(|path| path == "/ping/start"), "{told:?}");
    assert_eq!(ear.paths(), ["/ping/start", "/ping"]);
}
