//! Vault, as its HTTP API documentation has it ("KV secrets engine - version 2", "AppRole auth
//! method", "Health": status 503 while sealed). The server itself is not to be had here: what it
//! would answer is written down in this file.

use crate::support::{Authority, Tls};
use crate::{CANARY, bare, errors, quiet, world};
use offsite::demo::bucket::READER;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::Command;
use std::sync::{Arc, Mutex};

const TOKEN: &str = "hvs.canary-7f3a9c-secret";
const ROLE: &str = "8a4c-role";
const SECRET_ID: &str = "canary-7f3a9c-secret-id";

/// What the stand-in knows.
#[derive(Clone, Default)]
struct Inside {
    sealed: bool,
    denied: bool,
    empty: bool,
    asked: Vec<String>,
}

struct Vault {
    address: String,
    inside: Arc<Mutex<Inside>>,
}

impl Vault {
    /// Its thread ends with the test's process.
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let inside = Arc::new(Mutex::new(Inside::default()));
        let shared = inside.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                serve(stream.unwrap(), &shared);
            }
        });
        Self { address, inside }
    }

    fn set(&self, change: impl FnOnce(&mut Inside)) {
        change(&mut self.inside.lock().unwrap());
    }

    fn pull(&self, world: &crate::Embedded) -> Command {
        let mut pull = bare(world, &["pull"]);
        pull.env("VAULT_ADDR", &self.address);
        pull
    }
}

fn serve(mut stream: TcpStream, inside: &Mutex<Inside>) {
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    let (mut head, mut length, mut token) = (String::new(), 0, String::new());
    reader.read_line(&mut head).unwrap();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).unwrap();
        let line = line.trim();
        match line.split_once(": ") {
            Some((name, value)) if name.eq_ignore_ascii_case("content-length") => {
                length = value.parse().unwrap();
            }
            Some((name, value)) if name.eq_ignore_ascii_case("x-vault-token") => {
                token = value.to_owned();
            }
            Some(_) => {}
            None => break,
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).unwrap();
    // The client writes an empty query, which says nothing (RFC 3986, 3.4).
    let asked = head
        .trim_end_matches(" HTTP/1.1\r\n")
        .trim_end_matches('?')
        .to_owned();
    let (status, answer) = {
        let mut inside = inside.lock().unwrap();
        inside.asked.push(asked.clone());
        answer(&inside, &asked, &token, &String::from_utf8(body).unwrap())
    };
    let _ = write!(
        stream,
        "HTTP/1.1 {status} x\r\ncontent-type: application/json\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{answer}",
        answer.len()
    );
}

fn answer(inside: &Inside, asked: &str, token: &str, body: &str) -> (u16, String) {
    let error = |status, text: &str| (status, serde_json::json!({"errors": [text]}).to_string());
    let wrapped = |data: serde_json::Value, auth: serde_json::Value| {
        let all = serde_json::json!({
            "request_id": "1", "lease_id": "", "renewable": false, "lease_duration": 0,
            "data": data, "wrap_info": null, "warnings": null, "auth": auth,
        });
        (200, all.to_string())
    };
    if inside.sealed {
        return error(503, "Vault is sealed");
    }
    if asked.ends_with(" /v1/auth/approle/login") {
        let body: serde_json::Value = serde_json::from_str(body).unwrap();
        if body["role_id"] != ROLE || body["secret_id"] != SECRET_ID {
            return error(400, "invalid role or secret ID");
        }
        let auth = serde_json::json!({
            "client_token": TOKEN, "accessor": "a", "policies": ["offsite"],
            "token_policies": ["offsite"], "metadata": {"role_name": "offsite"},
            "lease_duration": 1200, "renewable": true, "entity_id": "", "token_type": "service",
            "orphan": true,
        });
        return wrapped(serde_json::Value::Null, auth);
    }
    if asked != "GET /v1/secret/data/backups/www" {
        return error(404, "");
    }
    if token != TOKEN || inside.denied {
        return error(403, "permission denied");
    }
    let fields = if inside.empty {
        serde_json::json!({"note": CANARY})
    } else {
        serde_json::json!({"aws_access_key_id": READER.id, "aws_secret_access_key": READER.secret})
    };
    let metadata = serde_json::json!({
        "created_time": "2026-11-21T03:00:00.000000Z", "deletion_time": "", "destroyed": false,
        "version": 1, "custom_metadata": null,
    });
    wrapped(
        serde_json::json!({"data": fields, "metadata": metadata}),
        serde_json::Value::Null,
    )
}

#[test]
fn by_a_token() {
    let (vault, world) = (Vault::start(), world("vault:secret/backups/www"));
    let mut pull = vault.pull(&world);
    pull.env("VAULT_TOKEN", TOKEN);
    quiet(pull).exits(0);
    assert_eq!(
        vault.inside.lock().unwrap().asked,
        ["GET /v1/secret/data/backups/www"]
    );
}

/// At its most talkative, with TLS by a private CA to Vault and to the bucket.
#[test]
#[cfg_attr(without_openssl, ignore = "OFFSITE_TEST_WITHOUT names openssl")]
fn over_tls_by_a_private_ca() {
    let (vault, world) = (Vault::start(), world("vault:secret/backups/www"));
    let authority = Authority::new();
    let bucket = Tls::start(&authority, &world.server.endpoint());
    let text = std::fs::read_to_string(world.home.config()).unwrap();
    let (plain, file) = (world.server.endpoint(), authority.file());
    let lines = format!("endpoint = {:?}\nca_file = {file:?}", bucket.endpoint());
    let text = text.replace(&format!("endpoint = {plain:?}"), &lines);
    std::fs::write(world.home.config(), text).unwrap();
    let over = Tls::start(&authority, &vault.address);
    let pull = |ca: &Path| {
        let mut pull = bare(&world, &["pull"]);
        pull.env("VAULT_ADDR", over.endpoint())
            .env("VAULT_CACERT", ca)
            .env("VAULT_TOKEN", TOKEN);
        quiet(pull)
    };
    let told = pull(&file).exits(0);
    assert!(told.stderr.contains(" DEBUG "), "{}", told.stderr);
    assert!(!bucket.suites().is_empty() && !over.suites().is_empty());
    let said = errors(&pull(&Authority::called("another CA").file()).exits(1));
    assert!(said.contains("cannot trust Vault at https://"), "{said}");
    assert!(said.contains("VAULT_CACERT"), "{said}");
    // Whatever the file is, an error and no panic.
    let wrong = world.home.path().join("wrong.pem");
    for text in [
        "",
        "hello\n",
        "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
    ] {
        std::fs::write(&wrong, text).unwrap();
        let told = pull(&wrong);
        assert_ne!(told.code(), 0);
        let said = errors(&told);
        assert!(
            said.contains("Vault") && said.contains("VAULT_CACERT"),
            "{said}"
        );
    }
    let told = pull(&world.home.path().join("none.pem"));
    assert!(errors(&told).contains("VAULT_CACERT"), "{}", errors(&told));
}

#[test]
fn by_an_approle_whose_secret_id_is_a_systemd_credential() {
    let (vault, world) = (Vault::start(), world("vault:secret/backups/www"));
    let folder = world.home.path().join("credentials");
    std::fs::create_dir(&folder).unwrap();
    std::fs::write(folder.join("vault-secret-id"), format!("{SECRET_ID}\n")).unwrap();
    let pull = |role: &str| {
        let mut pull = vault.pull(&world);
        pull.env("VAULT_ROLE_ID", role)
            .env("CREDENTIALS_DIRECTORY", &folder);
        quiet(pull)
    };
    pull(ROLE).exits(0);
    let said = errors(&pull("another").exits(2));
    assert!(said.contains("does not accept this AppRole"), "{said}");
    assert!(said.contains("secret-id"), "{said}");
}

#[test]
fn each_refusal_in_words() {
    type Case = (fn(&mut Inside), i32, &'static str, &'static str);
    let cases: [Case; 4] = [
        (|inside| inside.sealed = true, 1, "is sealed", "unseal"),
        (
            |inside| inside.denied = true,
            2,
            "denies secret/backups/www",
            "secret/data/backups/www",
        ),
        (
            |inside| inside.empty = true,
            2,
            "does not hold a key",
            "aws_access_key_id",
        ),
        (|_| {}, 0, "", ""),
    ];
    for (change, exit, what, way_out) in cases {
        let (vault, world) = (Vault::start(), world("vault:secret/backups/www"));
        vault.set(change);
        let mut pull = vault.pull(&world);
        pull.env("VAULT_TOKEN", TOKEN);
        let told = quiet(pull).exits(exit);
        let said = errors(&told);
        assert!(said.contains(what) && said.contains(way_out), "{said}");
    }
}

#[test]
fn what_is_not_set_is_named() {
    let world = world("vault:secret/backups/www");
    for (address, token, what) in [
        ("", "", "VAULT_ADDR is not set"),
        ("vault", "", "VAULT_ADDR is not a URL"),
        ("http://vault.example.org:8200", TOKEN, "is not encrypted"),
        (
            "https://me:canary-7f3a9c-secret@v",
            TOKEN,
            "holds a name or a password",
        ),
        ("http://127.0.0.1:9", "", "nothing to log in to Vault with"),
        ("http://127.0.0.1:9", TOKEN, "cannot reach Vault"),
    ] {
        let mut pull = bare(&world, &["pull"]);
        pull.env("VAULT_ADDR", address);
        if !token.is_empty() {
            pull.env("VAULT_TOKEN", token);
        }
        let told = quiet(pull);
        assert_ne!(told.code(), 0);
        assert!(errors(&told).contains(what), "{}", errors(&told));
    }
}
