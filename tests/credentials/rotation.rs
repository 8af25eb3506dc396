//! Keys are changed without a failed night, and what is due or shared is said.

use crate::support::Embedded;
use offsite::demo::bucket::{READER, WRITER};

fn key_of_last_use(world: &Embedded) -> Vec<(String, i64)> {
    let file = world.home.store().join("catalogue.db");
    let catalogue = rusqlite::Connection::open(file).unwrap();
    let mut keys = catalogue
        .prepare("SELECT key, runs FROM keys WHERE first_used_at <= last_used_at")
        .unwrap();
    let keys = keys.query_map([], |row| Ok((row.get(0)?, row.get(1)?)));
    keys.unwrap().map(Result::unwrap).collect()
}

#[test]
fn two_keys_overlap_without_a_failed_night() {
    let world = Embedded::new();
    world.bucket.put("a", "1");
    world.home.run(["pull"]).exits(0);
    world.home.run(["pull"]).exits(0);
    world.bucket.put("b", "2");
    let mut pull = world.home.command(["pull"]);
    pull.env("AWS_ACCESS_KEY_ID", WRITER.id)
        .env("AWS_SECRET_ACCESS_KEY", WRITER.secret);
    crate::quiet(pull).exits(0);
    let keys = key_of_last_use(&world);
    let runs: Vec<i64> = keys.iter().map(|(_, runs)| *runs).collect();
    assert_eq!(runs, [1, 2], "the newest first: {keys:?}");
    assert!(keys.iter().all(|(key, _)| key.len() == 16), "{keys:?}");
    assert!(
        keys.iter()
            .all(|(key, _)| !READER.id.contains(key.as_str()))
    );
    world.home.run(["status"]).exits(0);
}

#[test]
fn a_key_is_old_from_when_the_owner_says() {
    let world = Embedded::new();
    world.bucket.put("a", "1");
    world.home.run(["pull"]).exits(0);
    world.home.run(["status"]).exits(0);
    let text = std::fs::read_to_string(world.home.config()).unwrap();
    std::fs::write(
        world.home.config(),
        format!("{text}\n[watch]\nrotate_after = \"0s\"\n"),
    )
    .unwrap();
    let status = world.home.run(["status"]).exits(3).stdout;
    assert!(
        status.contains("the key of www is 0 days in use"),
        "{status}"
    );
    assert!(status.contains("revoke the old one"), "{status}");
}

#[test]
fn two_sources_with_one_key_are_a_finding() {
    let world = Embedded::new();
    world.bucket.put("a", "1");
    let text = std::fs::read_to_string(world.home.config()).unwrap();
    let (_, source) = text.split_once("[[source]]").unwrap();
    let second = source.replace("name = \"www\"", "name = \"db\"");
    std::fs::write(world.home.config(), format!("{text}\n[[source]]{second}")).unwrap();
    world.home.run(["pull"]).exits(0);
    let status = world.home.run(["status"]).exits(3).stdout;
    assert!(
        status.contains("db and www are read with one key"),
        "{status}"
    );
    // With a key of its own it is settled, by itself.
    let mut pull = world.home.command(["pull", "db"]);
    pull.env("AWS_ACCESS_KEY_ID", WRITER.id)
        .env("AWS_SECRET_ACCESS_KEY", WRITER.secret);
    crate::quiet(pull).exits(0);
    world.home.run(["status"]).exits(0);
}
