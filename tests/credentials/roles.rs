//! Keys that are good for an hour: a profile that takes on a role, by the real service's double,
//! and one that signed in by SSO, by a server written from the documented API (SSO's portal is
//! not to be had on this machine).

use crate::support::{Home, Keys, Moto, Output};
use crate::{CANARY, errors, lines, quiet};
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::fs::PermissionsExt as _;

/// A home whose only source is a new bucket at moto with one object; `files` are in its `.aws`.
fn at_home(setting: &str, files: &[(&str, String)]) -> Home {
    let moto = Moto::shared();
    let bucket = moto.fresh_bucket("roles");
    bucket.put("a.age", b"age-encryption.org/v1\n");
    let home = Home::new();
    home.init("www", &bucket.name, &moto.endpoint());
    let text = std::fs::read_to_string(home.config()).unwrap();
    let text = text.replace(
        "credentials = \"env\"",
        &format!("credentials = {setting:?}"),
    );
    std::fs::write(home.config(), text).unwrap();
    for (name, text) in files {
        let file = home.path().join(".aws").join(name);
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(&file, text).unwrap();
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600)).unwrap();
    }
    home
}

/// Runs a pull; the secrets of those who asked for the key may not be in what it prints.
fn run(home: &Home, services: &[(&str, String)]) -> Output {
    let mut pull = home.command(["pull"]);
    pull.env("RUST_LOG", "trace").envs(services.iter().cloned());
    let told = quiet(pull);
    let moto = Moto::shared();
    for secret in [moto.guest.secret, moto.read_only.secret] {
        let spilt = format!("{}{}", told.stdout, told.stderr).contains(secret);
        assert!(!spilt, "it printed the secret");
    }
    told
}

#[test]
#[cfg_attr(without_moto, ignore = "OFFSITE_TEST_WITHOUT names moto")]
fn a_profile_takes_on_a_role() {
    let moto = Moto::shared();
    let role = moto.role();
    let profile = format!("[profile pi]\nrole_arn = {role}\nsource_profile = other\n");
    let other = |keys: Keys| format!("[other]\n{}", lines(keys.id, keys.secret));
    for (keys, region, code) in [
        (moto.guest, "region = eu-north-1\n", 0),
        (moto.guest, "", 0),
        // It may read, but not take on roles.
        (moto.read_only, "", 2),
    ] {
        let files = [
            ("credentials", other(keys)),
            ("config", format!("{profile}{region}")),
        ];
        let home = at_home("profile:pi", &files);
        let told = run(&home, &[("AWS_ENDPOINT_URL_STS", moto.endpoint())]).exits(code);
        let there = home.store().join("www/latest/a.age").exists();
        assert_eq!(there, code == 0);
        if code != 0 {
            assert!(
                errors(&told).contains("profile \"pi\""),
                "{}",
                errors(&told)
            );
        }
    }
}

/// The guest's own key opens no bucket: what opened it above was the role's.
#[test]
#[cfg_attr(without_moto, ignore = "OFFSITE_TEST_WITHOUT names moto")]
fn without_the_role_the_key_opens_nothing() {
    let guest = Moto::shared().guest;
    let text = format!("[pi]\n{}", lines(guest.id, guest.secret));
    let told = run(&at_home("profile:pi", &[("credentials", text)]), &[]).exits(2);
    assert!(errors(&told).contains("s3:ListBucket"), "{}", errors(&told));
}

/// `GetRoleCredentials` of the "AWS SSO Portal API Reference": `GET /federation/credentials` with
/// the account, the role, and the token of the sign-in.
#[test]
#[cfg_attr(without_moto, ignore = "OFFSITE_TEST_WITHOUT names moto")]
fn a_profile_that_signed_in_by_sso() {
    let keys = Moto::shared().read_only;
    let portal = Portal::start(keys);
    let profile = "[profile pi]\nsso_session = home\nsso_account_id = 123456789012\nsso_role_name = reader\n\
                   [sso-session home]\nsso_region = eu-north-1\nsso_start_url = https://home.example/start\n";
    // `aws sso login` leaves the token in a file named by the SHA-1 of the session's name.
    let name = data_encoding::HEXLOWER
        .encode(ring::digest::digest(&ring::digest::SHA1_FOR_LEGACY_USE_ONLY, b"home").as_ref());
    let token = |token: &str, until: &str| {
        format!(
            "{{\"accessToken\": \"{token}\", \"expiresAt\": \"{until}\", \"region\": \"eu-north-1\", \"startUrl\": \"https://home.example/start\"}}"
        )
    };
    for (token, code) in [
        (token(CANARY, "2099-01-01T00:00:00Z"), 0),
        (token(CANARY, "2020-01-01T00:00:00Z"), 2),
        (token("another", "2099-01-01T00:00:00Z"), 2),
    ] {
        let file = format!("sso/cache/{name}.json");
        let files = [("config", profile.to_owned()), (file.as_str(), token)];
        let home = at_home("profile:pi", &files);
        let told = run(&home, &[("AWS_ENDPOINT_URL_SSO", portal.endpoint())]).exits(code);
        if code != 0 {
            assert!(errors(&told).contains("aws sso login"), "{}", errors(&told));
        }
    }
}

/// A server that changes the right token for a key.
struct Portal(std::net::SocketAddr);

impl Portal {
    fn start(keys: Keys) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let portal = Self(listener.local_addr().unwrap());
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                let asked: Vec<String> = BufReader::new(&stream)
                    .lines()
                    .map(|line| line.unwrap().to_lowercase())
                    .take_while(|line| !line.is_empty())
                    .collect();
                let (status, body) = Self::answer(&asked, keys);
                let length = body.len();
                let head = "Content-Type: application/json\r\nConnection: close";
                write!(
                    stream,
                    "HTTP/1.1 {status}\r\n{head}\r\nContent-Length: {length}\r\n\r\n{body}"
                )
                .unwrap();
            }
        });
        portal
    }

    fn answer(asked: &[String], keys: Keys) -> (&'static str, String) {
        let [line, headers @ ..] = asked else {
            return ("400 Bad Request", String::new());
        };
        let query = [
            "get /federation/credentials?",
            "role_name=reader",
            "account_id=123456789012",
        ];
        if !query.iter().all(|part| line.contains(part)) {
            return ("404 Not Found", String::new());
        }
        if !headers.contains(&format!("x-amz-sso_bearer_token: {CANARY}")) {
            return (
                "401 Unauthorized",
                r#"{"message": "Session token not found or invalid"}"#.to_owned(),
            );
        }
        let (id, secret) = (keys.id, keys.secret);
        (
            "200 OK",
            format!(
                r#"{{"roleCredentials": {{"accessKeyId": "{id}", "secretAccessKey": "{secret}", "expiration": 4070908800000}}}}"#
            ),
        )
    }

    fn endpoint(&self) -> String {
        format!("http://{}", self.0)
    }
}
