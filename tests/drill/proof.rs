//! The owner's own tools, as the README shows them.

use crate::Scene;
use crate::support::program::each_file;
use crate::support::{Running, age, tool};
use std::fs;
use std::path::Path;
use std::process::Command;

const README: &str = include_str!("../../README.md");

/// The configuration that the README shows, with the owner's secrets in `folder` and the tools where
/// they are.
fn of_the_readme(scene: &Scene, folder: &Path) {
    let (_, section) = README.split_once("\n### A rehearsal, by itself\n").unwrap();
    let (_, block) = section.split_once("```toml\n").unwrap();
    let (block, _) = block.split_once("```").unwrap();
    let (age, restic) = (tool("age"), tool("restic"));
    let block = block
        .replace("/root/", &format!("{}/", folder.display()))
        .replace("age --decrypt", &format!("{} --decrypt", age.display()))
        .replace(
            "restic --no-lock",
            &format!("{} --no-lock", restic.display()),
        );
    let config = scene.at.home.config();
    let text = fs::read_to_string(&config).unwrap();
    fs::write(config, format!("{text}\n{block}")).unwrap();
}

fn sh(folder: &Path, script: &str) {
    let bins = [tool("age"), tool("restic")].map(|p| p.parent().unwrap().display().to_string());
    let path = format!("{}:{}", bins.join(":"), std::env::var("PATH").unwrap());
    let mut sh = Command::new("sh");
    sh.args(["-euc", script]).current_dir(folder).env_clear();
    sh.env("PATH", path).env("HOME", folder);
    sh.env("RESTIC_PASSWORD_FILE", folder.join("restic.txt"));
    Running::spawn(sh).finish().exits(0);
}

/// The web server's backups: an age file and a restic repository.
fn upload(scene: &Scene, owner: &Path) {
    fs::create_dir_all(owner.join("files")).unwrap();
    fs::write(owner.join("files/a"), vec![7; 100_000]).unwrap();
    sh(
        owner,
        "age-keygen -o key.txt 2>/dev/null; age-keygen -o other.txt 2>/dev/null
         echo 'correct horse' >restic.txt
         age -r $(age-keygen -y key.txt) -o site.age files/a
         restic -q -r repo init; restic -q -r repo backup files",
    );
    scene.put(
        "site/site-20261121-030000utc.tar.age",
        fs::read(owner.join("site.age")).unwrap(),
    );
    each_file(&owner.join("repo"), &mut |path, bytes| {
        let key = path.strip_prefix(owner).unwrap().to_str().unwrap();
        scene.put(key, bytes);
    });
    scene.pull();
}

#[test]
#[cfg_attr(without_restic, ignore = "OFFSITE_TEST_WITHOUT names restic")]
#[cfg_attr(without_age, ignore = "OFFSITE_TEST_WITHOUT names age")]
fn age_and_restic_open_what_came_back() {
    let scene = Scene::new();
    let owner = scene.at.home.path().join("owner");
    upload(&scene, &owner);
    let told = scene.at.home.run(["status"]).exits(0).stdout;
    assert!(
        told.contains("last proven restorable: never: can anyone but the server decrypt this?"),
        "{told}"
    );
    of_the_readme(&scene, &owner);
    for series in ["site/site-*-*utc.tar.age", "repo/(restic)"] {
        let told = scene.drill(&["--series", series]).exits(0).stdout;
        assert!(told.contains("proven restorable"), "{told}");
        let told = scene.at.home.run(["status"]).exits(0).stdout;
        let line = format!("  last proven restorable: just now ({series})\n");
        assert!(told.contains(&line), "{told}");
    }
    assert_eq!(
        scene.status(0)["sources"][0]["drills"]["proven"]["series"],
        "repo/(restic)"
    );

    // Another key, and another password: it is said once, and what was proven stays known.
    fs::copy(owner.join("other.txt"), owner.join("key.txt")).unwrap();
    fs::write(owner.join("restic.txt"), "wrong").unwrap();
    for _ in 0..2 {
        scene.drill(&["--all"]).exits(3);
        assert_eq!(scene.open(), ["drill-failed", "drill-failed"]);
    }
    let told = scene.at.home.run(["status"]).exits(3).stdout;
    for words in [
        "no identity matched",
        "wrong password",
        "last proven restorable: just now",
        "--keep",
    ] {
        assert!(told.contains(words), "{words:?} is not in\n{told}");
    }
    // One that succeeds does not speak for the owner; once that is acknowledged, it is said anew.
    sh(
        &owner,
        "age-keygen -y key.txt >/dev/null; echo 'correct horse' >restic.txt",
    );
    scene.drill(&["--series", "repo/(restic)"]).exits(0);
    assert_eq!(scene.open().len(), 2);
    scene.at.home.run(["ack", "www-1", "www-2"]).exits(0);
    scene.drill(&["--series", "site/*"]).exits(3);
    assert_eq!(scene.open(), ["drill-failed"]);
    // A catalogue that is made anew knows it all.
    let before = scene.status(3)["sources"][0]["drills"].clone();
    scene.at.home.run(["catalogue", "rebuild"]).exits(0);
    assert_eq!(scene.status(3)["sources"][0]["drills"], before);
}

/// It finds neither the bucket's keys nor those of who is told, and what it says is harmless.
#[test]
fn the_command_has_no_secrets_and_says_nothing_that_a_terminal_obeys() {
    let scene = Scene::new();
    scene.put("a-20261121.age", age(500, 1));
    scene.pull();
    let config = scene.at.home.config();
    let text = fs::read_to_string(&config).unwrap();
    let ntfy = "[notify.ntfy]\nurl = \"https://127.0.0.1:1/x\"\ntoken = \"env:MY_NTFY\"\n";
    fs::write(&config, format!("{text}\n{ntfy}")).unwrap();
    scene.command("**", "printf '<%s>\\033[2J' \"$AWS_SECRET_ACCESS_KEY$AWS_ACCESS_KEY_ID$MY_NTFY$HUNTER\" >&2; exit 9", "");
    let mut command = scene.at.home.command(scene.args(&[]));
    command.env("MY_NTFY", "hunter2").env("HUNTER", "mine");
    let told = Running::spawn(command).finish().exits(3);
    assert!(
        told.stdout.contains("exit status: 9: \"<mine>\\u{1b}[2J\""),
        "{}",
        told.stdout
    );
    assert!(!told.stdout.contains('\u{1b}'));
    assert_eq!(scene.open(), ["drill-failed"]);
}

/// What looks like an option, leaves the folder or moves the cursor is a plain file to the command.
#[test]
fn hostile_keys_are_plain_files() {
    let scene = Scene::new();
    let keys = [
        "-o",
        "--help",
        "../out",
        "a\u{1b}[2J.age",
        "$(touch pwned)",
        "d//e",
        "'; exit 1; '",
        "É",
    ];
    for (seed, key) in keys.iter().enumerate() {
        scene.put(key, age(500, seed as u64));
    }
    let seen = scene.at.home.path().join("seen");
    scene.command(
        "**",
        &format!(
            "cat \"$1\" >/dev/null && test \"${{1#/}}\" != \"$1\" && echo x >>'{}'",
            seen.display()
        ),
        "",
    );
    scene.pull();
    let told = scene.drill(&["--all"]).exits(0);
    assert!(!told.stdout.contains('\u{1b}'), "{}", told.stdout);
    assert_eq!(
        fs::read_to_string(seen).unwrap().lines().count(),
        keys.len(),
        "{}",
        told.stdout
    );
    assert!(!scene.at.home.path().join("out").exists());
    scene.at.home.run(["status"]).exits(0);
}

#[test]
fn one_that_hangs_is_killed() {
    let scene = Scene::new();
    scene.put("a-20261121.age", age(500, 1));
    scene.pull();
    scene.command("**", "sleep 1000", "timeout = '300ms'");
    let told = scene.drill(&[]).exits(3);
    assert!(
        told.stdout
            .contains("did not end within 0.3 s and was killed"),
        "{}",
        told.stdout
    );
}
