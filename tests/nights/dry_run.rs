//! `pull --dry-run`: says what a pull would do, and does nothing.

use crate::support::Embedded;

/// Sizes around the one from which objects are fetched in ranges.
const SIZES: [usize; 4] = [0, 5000, (32 << 20) - 1, 33 << 20];

#[test]
fn it_foretells_the_pull_and_stores_nothing() {
    let world = Embedded::new();
    for (number, size) in SIZES.iter().enumerate() {
        world.bucket.put(&format!("o{number}"), vec![7; *size]);
    }
    let told = world.home.run(["pull", "--dry-run"]).exits(0).stdout;
    for number in 0..SIZES.len() {
        assert!(told.contains(&format!("  o{number}\n")), "{told}");
    }
    let lines = world.home.run(["pull", "--dry-run", "--json"]);
    let mut lines = lines.exits(0).json_lines();
    let sum = lines.pop().unwrap()["would_fetch"].take();
    let sizes: Vec<_> = lines.iter().map(|line| line["size"].as_u64()).collect();
    assert_eq!(sizes, SIZES.map(|size| Some(size as u64)));
    assert!(lines.iter().all(|line| line["why"] == "new"), "{lines:?}");
    assert_eq!(sum["objects"], 4);
    assert_eq!(sum["bytes"], SIZES.iter().sum::<usize>());

    let chain = world.home.run(["log", "--verify"]).exits(0).stdout;
    assert!(chain.contains("www: 0 groups"), "{chain}");
    assert_eq!(world.home.run(["ls"]).exits(0).stdout, "");
    assert_eq!(world.bucket.requests().get("GetObject"), None);

    world.home.run(["pull"]).exits(0);
    let sent = world.requests("GetObject") + world.requests("HeadObject");
    assert_eq!(sum["requests"], sent);
    let nothing = world.home.run(["pull", "--dry-run"]).exits(0).stdout;
    assert!(nothing.contains("0 objects, 0 bytes"), "{nothing}");
}
