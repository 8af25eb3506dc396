//! What is wrong with the bucket, the key, the line or the clock.

use crate::support::{Authority, Tls};
use crate::{Case, Ground, SECRET, all_as_promised, pull};
use offsite::demo::bucket::{Fault, Paging, READER, Refusal};
use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::process::Command;

const AWAY: &[Case] = &[
    Case {
        name: "nobody listens at the endpoint",
        provoke: |ground| {
            ground.edit(&ground.server.endpoint(), &nobody());
            pull(ground)
        },
        exit: 1,
        names: &[
            "cannot reach http://127.0.0.1:",
            ": tcp connect error: Connection refused",
        ],
        way_out: &["`endpoint`", "network"],
    },
    Case {
        name: "the endpoint's name does not resolve",
        provoke: |ground| {
            // A label of more than 63 bytes: the resolver refuses it without asking the network.
            let name = format!("http://{}.invalid", "nothing".repeat(10));
            ground.edit(&ground.server.endpoint(), &name);
            ground.set("allow_http", "true");
            pull(ground)
        },
        exit: 1,
        names: &["cannot reach http://nothing", ".invalid: dns error: "],
        way_out: &["`endpoint`", "network"],
    },
    Case {
        name: "a web server answers with a page",
        provoke: |ground| {
            ground.edit(&ground.server.endpoint(), &web_server("200 OK"));
            pull(ground)
        },
        exit: 2,
        names: &["http://127.0.0.1:", "no S3 server"],
        way_out: &["web page"],
    },
    Case {
        name: "a web server answers that there is no such page",
        provoke: |ground| {
            ground.edit(&ground.server.endpoint(), &web_server("404 Not Found"));
            pull(ground)
        },
        exit: 2,
        names: &["http://127.0.0.1:", "404"],
        way_out: &["web page"],
    },
];

const REFUSED: &[Case] = &[
    Case {
        name: "no such bucket",
        provoke: |ground| {
            ground.set("bucket", "\"backupz\"");
            pull(ground)
        },
        exit: 2,
        names: &["no bucket backupz", "NoSuchBucket"],
        way_out: &["`bucket`", "`region`"],
    },
    Case {
        name: "a bucket of another region",
        provoke: |ground| {
            ground
                .bucket
                .with_faults(|faults| faults.region = Some("eu-north-1"));
            pull(ground)
        },
        exit: 2,
        names: &[
            "bucket backups is not in this region",
            "AuthorizationHeaderMalformed",
        ],
        way_out: &["region = \"eu-north-1\""],
    },
    Case {
        name: "the key may not list",
        provoke: |ground| {
            let refuse = Fault::new(Refusal::AccessDenied);
            ground
                .bucket
                .with_faults(|faults| faults.refuse = Some(refuse));
            pull(ground)
        },
        exit: 2,
        names: &["may not do s3:ListBucket on bucket backups"],
        way_out: &[r#""Action": "s3:ListBucket""#, r#""arn:aws:s3:::backups""#],
    },
    Case {
        name: "the key may read nothing",
        provoke: |ground| {
            for number in 0..10 {
                ground.bucket.put(&format!("more-{number}"), "x");
            }
            let refuse = Fault::new(Refusal::AccessDenied).on(|_| true);
            ground
                .bucket
                .with_faults(|faults| faults.refuse = Some(refuse));
            pull(ground)
        },
        exit: 2,
        names: &["may not do s3:GetObject on bucket backups", "every object"],
        way_out: &[r#""Action": "s3:GetObject""#, r#""arn:aws:s3:::backups/*""#],
    },
    Case {
        name: "one object may not be read",
        provoke: |ground| {
            let mut refuse = Fault::new(Refusal::AccessDenied);
            refuse = refuse.on(|key| key == "b.age");
            ground.bucket.put("c.age", "third");
            ground
                .bucket
                .with_faults(|faults| faults.refuse = Some(refuse));
            pull(ground)
        },
        exit: 3,
        names: &["s3:GetObject"],
        way_out: &[],
    },
    Case {
        name: "an access key that the server does not know",
        provoke: |ground| with_keys(ground, "OFFSITENOSUCHKEY0000", SECRET),
        exit: 2,
        names: &["does not know this access key", "InvalidAccessKeyId"],
        way_out: &["revoked"],
    },
    Case {
        name: "a secret that is not the key's",
        provoke: |ground| with_keys(ground, READER.id, SECRET),
        exit: 2,
        names: &["secret key is wrong", "SignatureDoesNotMatch"],
        way_out: &["copy it again"],
    },
];

#[test]
fn a_server_that_is_not_there_is_named_with_the_way_out() {
    all_as_promised(AWAY);
}

#[test]
fn what_the_server_refuses_is_named_with_the_way_out() {
    all_as_promised(REFUSED);
}

#[test]
fn the_region_that_the_error_names_is_the_right_one() {
    let ground = Ground::new();
    ground
        .bucket
        .with_faults(|faults| faults.region = Some("eu-north-1"));
    ground.set("region", "\"eu-north-1\"");
    ground.home.run(["pull"]).exits(0);
}

/// The client learns the server's time from the refusal, and signs by that. Our own times are
/// wrong all the same, and that is said.
#[test]
fn a_clock_twenty_minutes_off_stops_no_pull() {
    for off in [20 * 60 + 5, -(20 * 60 + 5)] {
        let ground = Ground::new();
        ground.bucket.with_faults(|faults| faults.clock_ahead = off);
        let told = ground.home.run(["pull"]).exits(0);
        assert!(told.stdout.contains("1 stored"), "{off}: {}", told.stdout);
        assert_eq!(ground.bucket.requests()["ListObjectsV2"], 2, "refused once");
        let way = if off > 0 { "behind" } else { "ahead of" };
        let words = format!("this computer's clock is 20 minutes {way} the server's");
        for _ in 0..2 {
            let status = ground.home.run(["status"]).exits(3).stdout;
            assert_eq!(status.matches(&words).count(), 1, "{off}: {status}");
            assert!(status.contains("timedatectl"), "{status}");
            // Said once, not every hour.
            ground.home.run(["pull"]).exits(0);
        }
    }
}

/// A listing that goes round in circles or breaks off says nothing about what is missing from it.
#[test]
fn a_listing_that_cannot_be_trusted_is_an_error_and_nothing_is_concluded_from_it() {
    for (paging, words) in [
        (Paging::SameToken, "repeats a continuation token"),
        (Paging::SamePage, "shows the same page twice"),
        (Paging::NoToken, "stops in the middle"),
    ] {
        let ground = Ground::new();
        for key in ["c", "d", "e"] {
            ground.bucket.put(key, "more");
        }
        // What is held must not be taken for deleted, though this listing never shows it.
        ground.bucket.with_faults(|faults| {
            faults.paging = paging;
            faults.page_size = Some(1);
        });
        ground.bucket.delete("a.age");
        let told = ground.home.run(["pull"]).exits(1);
        assert!(told.stderr.contains(words), "{paging:?}: {}", told.stderr);
        assert!(
            told.stderr.contains("nothing was concluded"),
            "{}",
            told.stderr
        );
        let listed = ground.home.run(["ls", "--json"]).exits(0).json_lines();
        let a: Vec<_> = listed.iter().filter(|row| row["key"] == "a.age").collect();
        assert_eq!(a.len(), 1, "{paging:?}");
        assert_eq!(a[0]["in_bucket"], "current", "{paging:?}");
        assert_eq!(
            ground.bucket.requests().get("HeadObject"),
            None,
            "{paging:?}"
        );
        let events = ground.home.run(["log", "--events"]).exits(0);
        assert!(!events.stdout.contains("gone"), "{}", events.stdout);
        // An honest listing concludes it.
        ground
            .bucket
            .with_faults(|faults| *faults = Default::default());
        ground.home.run(["pull"]).exits(4);
        let listed = ground.home.run(["ls", "--json"]).exits(0).json_lines();
        assert!(
            listed.iter().any(|row| row["in_bucket"] == "gone"),
            "{paging:?}"
        );
    }
}

fn with_keys(ground: &Ground, id: &str, secret: &str) -> Command {
    let mut pull = pull(ground);
    pull.env("AWS_ACCESS_KEY_ID", id)
        .env("AWS_SECRET_ACCESS_KEY", secret);
    pull
}

/// An address that refuses connections: a port that was free a moment ago.
fn nobody() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    format!("http://{}", listener.local_addr().unwrap())
}

/// A server that answers everything with a page for people. Its thread ends with the tests.
fn web_server(status: &'static str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let _ = stream.read(&mut [0; 4096]);
            let page = "<!doctype html><html><body>Log in\x1b[31m</body></html>";
            let _ = write!(
                stream,
                "HTTP/1.1 {status}\r\ncontent-type: text/html\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{page}",
                page.len()
            );
        }
    });
    format!("http://{address}")
}

#[test]
fn the_key_of_a_profile_works_as_that_of_the_environment() {
    let ground = Ground::new();
    let file = ground.home.path().join("credentials");
    let text = format!(
        "[backup]\naws_access_key_id = {}\naws_secret_access_key = {}\n",
        READER.id, READER.secret
    );
    crate::write_private(&file, &text);
    ground.edit("credentials = \"env\"", "credentials = \"profile:backup\"");
    let mut pull = crate::settings::without_keys(&ground, &["pull"]);
    pull.env("AWS_SHARED_CREDENTIALS_FILE", file);
    let told = crate::Running::spawn(pull).finish().exits(0);
    assert!(told.stdout.contains("1 stored"), "{}", told.stdout);
    assert_eq!(crate::spilt(&told), [""; 0]);
}

/// The first try of an endpoint (`init --wizard`).
#[test]
#[cfg_attr(without_openssl, ignore = "OFFSITE_TEST_WITHOUT names openssl")]
fn an_endpoint_of_a_private_ca_is_not_silent() {
    let (ground, authority) = (Ground::new(), Authority::new());
    let server = Tls::start(&authority, &ground.server.endpoint());
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    let answer = runtime
        .unwrap()
        .block_on(offsite::http::answers(&server.endpoint()));
    let error = answer.unwrap_err();
    assert!(error.to_string().contains("issued by nobody"), "{error}");
    assert!(error.way_out().unwrap().contains("without --wizard"));
}
