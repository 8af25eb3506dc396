//! TLS: which cipher is agreed on, whom a pull over https believes and what it says of the others,
//! and the ways to a server: direct, and through proxies.
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used
)]

mod support;

#[path = "tls/lines.rs"]
mod lines;

use aws_sdk_s3::Client;
use aws_sdk_s3::config::{BehaviorVersion, Credentials, Region};
use offsite::demo::bucket::READER;
use offsite::http;
use rustls::CipherSuite;
use rustls::version::{TLS12, TLS13};
use std::path::Path;
use support::tls::{HERE, NOW, ONCE, ONE_DAY};
use support::{Authority, Embedded, Output, Running, Tls};

/// Writes the endpoint, and `ca_file` where there is one, into the configuration.
fn point(at: &Embedded, endpoint: &str, ca_file: Option<&Path>) {
    let text = std::fs::read_to_string(at.home.config()).unwrap();
    let lines = text.lines().filter(|line| !line.starts_with("ca_file"));
    let mut lines: Vec<String> = lines.map(str::to_owned).collect();
    let place = lines
        .iter()
        .position(|line| line.starts_with("endpoint = "));
    let place = place.unwrap();
    lines[place] = format!("endpoint = {endpoint:?}");
    if let Some(file) = ca_file {
        lines.insert(place, format!("ca_file = {:?}", file.to_str().unwrap()));
    }
    std::fs::write(at.home.config(), lines.join("\n")).unwrap();
}

fn world() -> Embedded {
    let at = Embedded::new();
    at.bucket.put("a.age", b"age-encryption.org/v1\n".to_vec());
    at
}

/// The SDK's client over these connections, which tries everything once.
fn client(connections: aws_smithy_runtime_api::client::http::SharedHttpClient, at: &str) -> Client {
    let config = aws_sdk_s3::Config::builder()
        .behavior_version(BehaviorVersion::v2026_01_12())
        .http_client(connections)
        .region(Region::new("us-east-1"))
        .endpoint_url(at)
        .force_path_style(true)
        .credentials_provider(Credentials::new(
            READER.id,
            READER.secret,
            None,
            None,
            "test",
        ))
        .build();
    Client::from_conf(config)
}

fn wait<F: Future>(it: F) -> F::Output {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    runtime.unwrap().block_on(it)
}

/// The same server, asked by processors with and without AES instructions.
#[test]
#[cfg_attr(without_openssl, ignore = "OFFSITE_TEST_WITHOUT names openssl")]
fn the_processor_decides_which_cipher_comes_first() {
    use CipherSuite as Suite;
    let (at, authority) = (world(), Authority::new());
    for (version, aes, agreed) in [
        (&TLS13, true, Suite::TLS13_AES_256_GCM_SHA384),
        (&TLS13, false, Suite::TLS13_CHACHA20_POLY1305_SHA256),
        (&TLS12, true, Suite::TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384),
        (
            &TLS12,
            false,
            Suite::TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,
        ),
    ] {
        let server = Tls::with(&authority, &at.server.endpoint(), HERE, NOW, &[version]);
        let connections = http::client_for(aes, Some(&authority.file())).unwrap();
        let client = client(connections, &server.endpoint());
        wait(async {
            // The second comes over the first one's connection.
            for _ in 0..2 {
                let got = client.get_object().bucket("backups").key("a.age").send();
                let body = got.await.unwrap().body.collect().await.unwrap();
                assert_eq!(body.to_vec(), b"age-encryption.org/v1\n");
            }
        });
        assert_eq!(server.suites(), [Some(agreed)], "{version:?}, AES: {aes}");
    }
}

/// Vault, and those who are told, are spoken to by clients that ask rustls for its default. It is
/// chosen once a process: no other test here chooses it.
#[test]
fn the_default_has_the_same_order() {
    http::choose_ring_for(false);
    let default = rustls::crypto::CryptoProvider::get_default().unwrap();
    let first = default.cipher_suites[0].suite();
    assert_eq!(first, CipherSuite::TLS13_CHACHA20_POLY1305_SHA256);
    let ring = rustls::crypto::ring::DEFAULT_CIPHER_SUITES;
    assert_eq!(default.cipher_suites.len(), ring.len(), "one got lost");
}

/// What Linux says of this processor, and what we make of it, are the same.
#[test]
fn the_processor_is_read_right() {
    let told = std::fs::read_to_string("/proc/cpuinfo").unwrap();
    let flags = told
        .lines()
        .find(|line| line.starts_with("flags") || line.starts_with("Features"))
        .unwrap();
    let has = |word: &str| flags.split_whitespace().any(|flag| flag == word);
    let both = match cfg!(any(target_arch = "x86", target_arch = "x86_64")) {
        true => has("aes") && has("pclmulqdq"),
        false => has("aes") && has("pmull") && cfg!(target_arch = "aarch64"),
    };
    assert_eq!(http::has_aes(), both, "{flags}");
}

#[test]
#[cfg_attr(without_openssl, ignore = "OFFSITE_TEST_WITHOUT names openssl")]
fn a_private_ca_is_believed_where_ca_file_names_it() {
    let (at, authority) = (world(), Authority::new());
    let server = Tls::start(&authority, &at.server.endpoint());
    point(&at, &server.endpoint(), Some(&authority.file()));
    // Large enough to come in several ranges.
    let large: Vec<u8> = (0..40 << 20).map(|n: u32| (n / 251) as u8).collect();
    at.bucket.put("large.age", large.clone());
    at.home.run(["pull"]).exits(0);
    let got = |key: &str| std::fs::read(at.folder().join("latest").join(key)).unwrap();
    assert_eq!(got("a.age"), b"age-encryption.org/v1\n");
    assert!(got("large.age") == large);
    assert!(server.suites().iter().all(Option::is_some));
}

#[test]
#[cfg_attr(without_openssl, ignore = "OFFSITE_TEST_WITHOUT names openssl")]
fn the_roots_of_the_system_count_too() {
    let (at, authority) = (world(), Authority::new());
    let server = Tls::start(&authority, &at.server.endpoint());
    for ca_file in [None, Some(Authority::called("another CA").file())] {
        point(&at, &server.endpoint(), ca_file.as_deref());
        let mut pull = at.home.command(["pull"]);
        pull.env("SSL_CERT_FILE", authority.file());
        Running::spawn(pull).finish().exits(0);
    }
}

/// One error with its way out; the run fails and a later one may go better.
#[track_caller]
fn fails(at: &Embedded, what: &[&str], way_out: &str) -> Output {
    let told = at.home.run(["pull"]).exits(1);
    let text = told.stderr.replace("\n  ", " ");
    for words in what {
        assert!(text.contains(words), "{words:?} is not in\n{text}");
    }
    assert!(text.contains(way_out), "{way_out:?} is not in\n{text}");
    assert!(!text.contains("panicked"), "{text}");
    told
}

#[test]
#[cfg_attr(without_openssl, ignore = "OFFSITE_TEST_WITHOUT names openssl")]
fn a_server_that_is_not_believed_is_said_in_words() {
    let (at, authority) = (world(), Authority::new());
    let plain = at.server.endpoint();
    let (other, namesake) = (Authority::called("another CA"), Authority::new());
    let good = authority.file();
    for (names, days, ca_file, what, way_out) in [
        (HERE, NOW, None, "issued by nobody whom", "`ca_file`"),
        (
            HERE,
            NOW,
            Some(other.file()),
            "issued by nobody whom",
            "`ca_file`",
        ),
        (
            HERE,
            NOW,
            Some(namesake.file()),
            "not its signature",
            "`ca_file`",
        ),
        (
            "DNS:s3.other.example",
            NOW,
            Some(good.clone()),
            "for another name",
            "name",
        ),
        (HERE, ONCE, Some(good.clone()), "has expired", "renew"),
        (HERE, ONE_DAY, Some(good), "is not valid yet", "timedatectl"),
    ] {
        let server = Tls::with(&authority, &plain, names, days, rustls::DEFAULT_VERSIONS);
        point(&at, &server.endpoint(), ca_file.as_deref());
        let endpoint = server.endpoint();
        fails(&at, &["cannot trust", &endpoint, what], way_out);
        // It does not become good by being looked at five times.
        assert_eq!(server.suites(), [None], "{what}");
    }
    assert_eq!(at.requests("ListObjectsV2"), 0);
}

#[test]
#[cfg_attr(without_openssl, ignore = "OFFSITE_TEST_WITHOUT names openssl")]
fn a_ca_file_that_cannot_be_used_is_said_in_words() {
    let (at, authority) = (world(), Authority::new());
    let server = Tls::start(&authority, &at.server.endpoint());
    let file = at.home.path().join("ca.pem");
    let good = std::fs::read_to_string(authority.file()).unwrap();
    let key = std::fs::read_to_string(authority.key()).unwrap();
    let secret = key.lines().nth(1).unwrap();
    let half = &good[..good.len() / 2];
    for (text, why) in [
        (None, "No such file"),
        (Some(""), "it holds no certificate"),
        (Some("hello\n"), "it holds no certificate"),
        (Some(key.as_str()), "a private key and no certificate"),
        (Some(half), "a section in it has no end"),
        (
            Some("-----BEGIN CERTIFICATE-----\n!!\n-----END CERTIFICATE-----\n"),
            "not base64",
        ),
        (
            Some("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"),
            "is none",
        ),
        (
            Some("-----BEGIN CERTIFICATE\nAAAA\n-----END CERTIFICATE-----\n"),
            "no proper beginning",
        ),
    ] {
        std::fs::remove_file(&file).ok();
        if let Some(text) = text {
            std::fs::write(&file, text).unwrap();
        }
        point(&at, &server.endpoint(), Some(&file));
        let told = at.home.run(["pull"]).exits(2).stderr;
        let name = format!("ca_file {} cannot be used", file.display());
        for words in [&*name, why, "BEGIN CERTIFICATE"] {
            assert!(told.contains(words), "{words:?} is not in\n{told}");
        }
        assert!(
            !told.contains(secret) && !told.contains("panicked"),
            "{told}"
        );
    }
    assert!(server.suites().is_empty(), "a connection was opened");
    // A key beside a certificate is not ours to judge.
    std::fs::write(&file, key + &good).unwrap();
    at.home.run(["pull"]).exits(0);
}
