//! The guide for beginners says what the program does: its commands are taken out and run.

use crate::support::program::{Home, Running, program};
use crate::{deploy, text};
use offsite::demo::bucket::{Bucket, READER, Server};
use offsite::object::Clock;
use std::process::Command;

/// What stands in boxes, box by box, without comments; a line that ends in a backslash and the
/// next are one.
pub(crate) fn boxes() -> Vec<Vec<String>> {
    let guide = text("raspberry-pi/README.md").replace("\\\n", " ");
    let bare = |line: &str| line.split("   #").next().unwrap().trim().to_owned();
    let lines = |block: &str| {
        let lines = block.lines().skip(1).map(bare);
        lines.filter(|line| !line.is_empty()).collect()
    };
    guide.split("```").skip(1).step_by(2).map(lines).collect()
}

fn commands() -> Vec<String> {
    boxes().concat()
}

/// `sudo offsite …` and `sudo -u offsite offsite …`, in the guide's order.
fn of_the_program() -> Vec<String> {
    let all = commands();
    let without_sudo = |line: &String| {
        let rest = line
            .strip_prefix("sudo -u offsite ")
            .or_else(|| line.strip_prefix("sudo "))
            .unwrap_or(line);
        rest.starts_with("offsite ").then(|| rest.to_owned())
    };
    all.iter().filter_map(without_sudo).collect()
}

#[test]
fn the_guide_works_from_the_store_to_the_verified_pull() {
    let bucket = Bucket::new("my-backups", Clock::System);
    bucket.put("site.tar.age", crate::support::age(22_000, 1));
    let server = Server::start(vec![bucket], None).unwrap();
    let home = Home::new();
    let mut script = of_the_program().join("\n");
    // What the service would be handed: the two lines that the guide has its reader paste.
    let credential = home.path().join("offsite-s3");
    let pasted = commands();
    let key = |name: &str, value: &str| {
        let line = pasted.iter().find(|line| line.starts_with(name)).unwrap();
        line.replace("AKIA...", value).replace("...", value)
    };
    let id = key("aws_access_key_id", READER.id);
    let secret = key("aws_secret_access_key", READER.secret);
    std::fs::write(&credential, format!("{id}\n{secret}\n")).unwrap();
    // Only what the guide leaves to its reader, or to systemd, is put in.
    for (from, to) in [
        ("/mnt/usb/offsite", home.store().to_str().unwrap()),
        (
            "/etc/offsite/offsite.toml init",
            "$OFFSITE_CONFIG init --allow-root-fs",
        ),
        ("https://fra1.digitaloceanspaces.com", &server.endpoint()),
        ("systemd:offsite-s3", "systemd:offsite-s3\noffsite pull"),
    ] {
        assert!(script.contains(from), "{from} is not in\n{script}");
        script = script.replace(from, to);
    }
    let program = program();
    let bin = program.parent().unwrap();
    let mut sh = Command::new("sh");
    sh.args(["-euc", &script])
        .current_dir(home.path())
        .env_clear()
        .env("PATH", format!("{}:/usr/bin:/bin", bin.display()))
        .env("HOME", home.path())
        .env("OFFSITE_CONFIG", home.config())
        .env("CREDENTIALS_DIRECTORY", home.path());
    let told = Running::spawn(sh).finish().exits(0);
    for words in ["1 stored", "all well", "site.tar.age", "1 files"] {
        assert!(told.stdout.contains(words), "{words}: {}", told.stdout);
    }
}

/// The other commands are for tools that are not here; what they say of ours is right.
#[test]
fn the_guide_names_the_units_the_credential_and_the_files_that_there_are() {
    let all = commands().join("\n");
    for unit in [
        "offsite-pull.timer",
        "offsite-status.timer",
        "offsite-scrub.timer",
        "offsite-drill.timer",
    ] {
        assert!(all.contains(unit), "{unit}");
        assert!(deploy(&format!("raspberry-pi/{unit}")).exists(), "{unit}");
    }
    let place = "systemd-creds encrypt --name=offsite-s3 - /etc/credstore.encrypted/offsite-s3";
    assert!(all.contains(place));
    assert!(text("raspberry-pi/offsite-pull.service").contains(place));
    let fstab = text("raspberry-pi/drive/fstab");
    let line = all
        .lines()
        .find_map(|line| line.strip_prefix("echo 'LABEL="));
    let line = line.unwrap().split('\'').next().unwrap();
    let words = |line: &str| {
        line.split_whitespace()
            .map(str::to_owned)
            .collect::<Vec<_>>()
    };
    let same = |other: &str| {
        other
            .strip_prefix("LABEL=")
            .is_some_and(|o| words(o) == words(line))
    };
    assert!(fstab.lines().any(same), "{line} is not in drive/fstab");
    let guide = text("raspberry-pi/README.md");
    let in_a_path = |c: char| c.is_ascii_alphanumeric() || "./-".contains(c);
    for file in [
        "build.sh",
        "install.sh",
        "user-data",
        "drive/fstab",
        "../policies/README.md",
    ] {
        let named = guide
            .split(|c| !in_a_path(c))
            .any(|word| word.trim_end_matches('.') == file);
        assert!(named, "{file} is not named");
        assert!(deploy("raspberry-pi").join(file).exists(), "{file}");
    }
}
