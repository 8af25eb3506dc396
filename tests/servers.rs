//! The tests' own ground: the servers and tools are real and run here, and the bad line spoils
//! what it says. If these fail, the other integration tests prove nothing.

mod support;

use support::seaweedfs::{READ_ONLY, WRITE_ONLY};
use support::{Bucket, Fault, FaultProxy, Home, Refused, Running, Seaweed, tool, tools};

#[test]
#[cfg_attr(without_seaweedfs, ignore = "OFFSITE_TEST_WITHOUT names seaweedfs")]
fn each_key_may_do_what_its_name_says_and_no_more() {
    let bucket = Seaweed::shared().fresh_bucket("rights");
    bucket.put("a", b"1");
    let reader = bucket.with_keys(READ_ONLY);
    assert_eq!(reader.list(), Ok(vec!["a".to_owned()]));
    assert_eq!(reader.get("a"), Ok(b"1".to_vec()));
    let denied = Refused {
        status: 403,
        code: "AccessDenied".to_owned(),
    };
    assert_eq!(reader.try_put("b", b"2", None), Err(denied));
    let writer = bucket.with_keys(WRITE_ONLY);
    writer.put("b", b"2");
    assert_eq!(writer.get("b").map_err(|e| e.status), Err(403));
    assert_eq!(reader.get("b"), Ok(b"2".to_vec()));
}

#[test]
#[cfg_attr(without_seaweedfs, ignore = "OFFSITE_TEST_WITHOUT names seaweedfs")]
fn versions_checksums_and_parts_are_kept() {
    let bucket = Seaweed::shared().fresh_bucket("versions");
    assert_eq!(bucket.put("before", b"1"), None);
    bucket.enable_versioning();
    let first = bucket.put("a", b"1").unwrap();
    let second = bucket.put("a", b"2").unwrap();
    assert_ne!(first, second);
    assert!(bucket.delete("a").is_some());
    assert_eq!(bucket.get("a").map_err(|e| e.status), Err(404));

    bucket.put_with_checksum("sum", b"bytes", "CRC32C".into());
    let head = bucket.client.head_object().bucket(&bucket.name).key("sum");
    let head = head.checksum_mode("ENABLED".into()).send();
    assert!(bucket.wait(head).unwrap().checksum_crc32_c.is_some());

    let large: Vec<u8> = (0..6_000_000_u32).map(|n| n as u8).collect();
    bucket.put_multipart("parts", &large, 5 << 20);
    assert!(bucket.get("parts").unwrap() == large);
}

#[test]
#[cfg_attr(without_seaweedfs, ignore = "OFFSITE_TEST_WITHOUT names seaweedfs")]
fn the_bad_line_does_what_it_says() {
    let direct = Seaweed::shared().fresh_bucket("line");
    let body: Vec<u8> = (0..100_000_u32).map(|n| n as u8).collect();
    direct.put("o", &body);
    let proxy = FaultProxy::start(&direct.endpoint);
    let bad = Bucket::at(&proxy.endpoint(), READ_ONLY, &direct.name);
    // Compared in one word: nobody reads two bodies in a failure's message.
    let whole = || bad.get("o").unwrap() == body;
    assert!(whole(), "nothing injected");

    proxy.inject(Fault::FlipBit, 1);
    assert_eq!(bad.list(), Ok(vec!["o".to_owned()]), "no object's body");
    let flipped = bad.get("o").unwrap();
    let bits = |(a, b): (&u8, &u8)| (a ^ b).count_ones();
    assert_eq!(flipped.len(), body.len());
    assert_eq!(flipped.iter().zip(&body).map(bits).sum::<u32>(), 1);
    assert!(whole(), "once was said");

    proxy.inject(Fault::Shorten, 1);
    assert!(bad.get("o").unwrap() == body[..body.len() - 1]);

    proxy.inject(Fault::Cut, usize::MAX);
    assert_eq!(bad.get("o").unwrap_err().status, 0);
    proxy.heal();

    let begin = std::time::Instant::now();
    proxy.inject(
        Fault::Trickle {
            bytes_per_second: 200_000,
        },
        1,
    );
    assert!(whole());
    assert!(begin.elapsed().as_millis() >= 500, "{:?}", begin.elapsed());

    let before = proxy.count("GET");
    proxy.inject(Fault::Unavailable, 2);
    assert!(whole(), "the client asks again");
    assert_eq!(proxy.count("GET"), before + 3);

    // A writer's requests pass as well, and are seen.
    let writer = Bucket::at(&proxy.endpoint(), WRITE_ONLY, &direct.name);
    writer.put("large", &vec![7; 3_000_000]);
    assert!(direct.get("large").unwrap() == vec![7; 3_000_000]);
    let last = proxy.requests().pop().unwrap();
    assert_eq!(last.method, "PUT");
    assert!(last.target.starts_with(&format!("/{}/large", direct.name)));

    let address = proxy.endpoint();
    drop(proxy);
    let gone = Bucket::at(&address, READ_ONLY, &direct.name);
    assert_eq!(gone.list().map_err(|e| e.status), Err(0));
}

/// The servers' own end: no process and no folder stays behind.
#[test]
#[cfg_attr(without_seaweedfs, ignore = "OFFSITE_TEST_WITHOUT names seaweedfs")]
fn a_dropped_server_is_gone_with_its_data() {
    let server = Seaweed::start();
    let bucket = server.fresh_bucket("gone");
    bucket.put("a", b"1");
    let folder = server.folder().to_owned();
    assert!(folder.join("data").exists());
    drop(server);
    assert!(!folder.exists());
    assert_eq!(bucket.list().map_err(|e| e.status), Err(0));
}

fn prints_its_version(name: &str, args: &[&str]) {
    let line = tools::first_line(&tool(name), args);
    assert!(line.contains(|c: char| c.is_ascii_digit()), "{line:?}");
    tools::say(&format!("tool: {name}: {line}"));
}

#[test]
#[cfg_attr(without_restic, ignore = "OFFSITE_TEST_WITHOUT names restic")]
fn restic_runs() {
    prints_its_version("restic", &["version"]);
}

#[test]
#[cfg_attr(without_age, ignore = "OFFSITE_TEST_WITHOUT names age")]
fn age_runs() {
    prints_its_version("age", &["--version"]);
}

#[test]
#[cfg_attr(without_rclone, ignore = "OFFSITE_TEST_WITHOUT names rclone")]
fn rclone_runs() {
    prints_its_version("rclone", &["version"]);
}

#[test]
fn the_program_runs_in_a_home_of_its_own() {
    let home = Home::new();
    let told = Running::spawn(home.bare(["--version"])).finish().exits(0);
    assert!(told.stdout.contains(env!("CARGO_PKG_VERSION")), "{told:?}");
}
