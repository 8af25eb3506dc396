//! The other files: cron, the drive, cloud-init, the scripts, the package's list.

use crate::support::{Home, Running};
use crate::{deploy, lines, text};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

/// What cron runs: the sixth field and all after it.
fn cron_lines() -> Vec<String> {
    let file = text("cron/offsite");
    let jobs: Vec<_> = lines(&file)
        .filter(|line| line.starts_with(|c: char| c.is_ascii_digit()))
        .map(|line| {
            assert!(!line.contains('%'), "cron takes % for a newline: {line}");
            let fields: Vec<_> = line.splitn(7, ' ').collect();
            assert_eq!(fields[5], "offsite", "the user: {line}");
            fields[6].to_owned()
        })
        .collect();
    assert_eq!(jobs.len(), 4);
    jobs
}

/// cron mails what is printed: a run that waits for the one before must print nothing.
#[test]
fn cron_is_silent_unless_something_is_wrong() {
    let bin = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let program = bin.path().join("offsite");
    std::fs::write(&program, "#!/bin/sh\necho \"told $*\"\nexit $WITH\n").unwrap();
    std::fs::set_permissions(&program, PermissionsExt::from_mode(0o755)).unwrap();
    let jobs = cron_lines();
    for (job, command, told, silent) in [
        (&jobs[0], "pull", "pull", &[0, 3, 6][..]),
        (&jobs[1], "status", "status", &[0]),
        (&jobs[2], "scrub", "scrub --heal", &[0, 3, 6]),
        (
            &jobs[3],
            "drill",
            "drill --scratch /mnt/usb/offsite-drill",
            &[0, 3, 6],
        ),
    ] {
        for code in 0..=7 {
            let mut sh = Command::new("/bin/sh");
            sh.args(["-c", job])
                .env("PATH", bin.path())
                .env("WITH", code.to_string());
            let said = Running::spawn(sh).finish().exits(0);
            let expected = if silent.contains(&code) {
                String::new()
            } else {
                format!(
                    "told -c /etc/offsite/offsite.toml {told}\noffsite {command}: exit {code}\n"
                )
            };
            assert_eq!(said.stdout, expected, "{command} {code}");
        }
    }
}

/// A Pi without its drive must start, and no mount may be writable for programs or devices.
#[test]
fn every_mount_lets_the_pi_start_without_the_drive() {
    let fstab = text("raspberry-pi/drive/fstab").replace("#LABEL=", "LABEL=");
    let user_data = text("raspberry-pi/user-data");
    let unit = text("raspberry-pi/drive/mnt-usb.mount").replace("#Options=", "Options=");
    let mut options: Vec<&str> = lines(&fstab)
        .map(|line| {
            let fields: Vec<_> = line.split_whitespace().collect();
            assert_eq!((fields.len(), fields[1]), (6, "/mnt/usb"), "{line}");
            fields[3]
        })
        .collect();
    options.extend(lines(&unit).filter_map(|line| line.strip_prefix("Options=")));
    options.extend(
        user_data
            .lines()
            .filter(|line| line.contains("LABEL=offsite")),
    );
    assert_eq!(options.len(), 5);
    for option in options {
        for word in ["nofail", "noatime", "nodev", "nosuid", "noexec"] {
            assert!(option.contains(word), "{word} is not in {option}");
        }
    }
}

/// The boot partition is readable for everyone who holds the card.
#[test]
fn cloud_init_holds_no_key_and_leaves_a_script_that_a_shell_reads() {
    let user_data = text("raspberry-pi/user-data");
    assert!(user_data.starts_with("#cloud-config\n"));
    for line in user_data.lines() {
        let secret = [
            "aws_secret_access_key",
            "AWS_SECRET_ACCESS_KEY",
            "VAULT_TOKEN",
        ];
        if secret.iter().any(|name| line.contains(name)) {
            assert!(line.trim().starts_with("printf"), "a key? {line}");
            assert!(line.contains("= %s"), "a key? {line}");
        }
    }
    let (_, script) = user_data.split_once("#!/bin/sh\n").unwrap();
    let (script, _) = script.split_once("\nruncmd:").unwrap();
    let mut sh = Command::new("sh");
    sh.args(["-n", "-c", script]);
    Running::spawn(sh).finish().exits(0);
}

/// Every file that the package is said to hold is there, or is made by build.sh.
#[test]
fn the_packages_list_names_files_that_exist() {
    let cargo: toml::Table = include_str!("../../Cargo.toml").parse().unwrap();
    let deb = &cargo["package"]["metadata"]["deb"];
    for asset in deb["assets"].as_array().unwrap() {
        let file = asset[0].as_str().unwrap();
        if file.starts_with("target/") {
            continue;
        }
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(file.trim_start_matches('/'));
        let (folder, name) = (file.parent().unwrap(), file.file_name().unwrap());
        let ending = name.to_str().unwrap().trim_start_matches('*');
        let found = std::fs::read_dir(folder).unwrap().any(|entry| {
            let entry = entry.unwrap().file_name();
            entry.to_str().unwrap().ends_with(ending)
        });
        assert!(found, "{}", file.display());
    }
    for script in ["postinst", "prerm", "postrm"] {
        let mut sh = Command::new("sh");
        sh.arg("-n")
            .arg(deploy(&format!("raspberry-pi/debian/{script}")));
        Running::spawn(sh).finish().exits(0);
    }
    let cross: toml::Table = include_str!("../../Cross.toml").parse().unwrap();
    let targets: Vec<_> = cross["target"].as_table().unwrap().keys().collect();
    assert_eq!(
        targets,
        [
            "aarch64-unknown-linux-gnu",
            "aarch64-unknown-linux-musl",
            "arm-unknown-linux-gnueabihf",
            "armv7-unknown-linux-gnueabihf",
        ]
    );
}

/// No test file is left out of the program for ARM without a word.
#[test]
fn every_test_file_is_run_with_the_program_for_arm_or_left_out_by_name() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let script = std::fs::read_to_string(root.join(".ci/arm")).unwrap();
    let (_, tests) = script.split_once("# Left out: ").unwrap();
    let (tests, _) = tests.split_once("skip=(").unwrap();
    let named: Vec<_> = tests
        .split(|c: char| !c.is_alphanumeric() && c != '_')
        .collect();
    for entry in std::fs::read_dir(root.join("tests")).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|ending| ending == "rs") {
            let name = path.file_stem().unwrap().to_str().unwrap();
            assert!(named.contains(&name), ".ci/arm does not say {name}");
        }
    }
}

#[test]
fn install_sh_puts_all_in_its_place_and_takes_it_away_again() {
    let home = Home::new();
    let root = home.path().join("root");
    let install = |what: &str| {
        let mut sh = Command::new("sh");
        sh.arg(deploy("raspberry-pi/install.sh"))
            .arg(what)
            .env("DESTDIR", &root);
        Running::spawn(sh).finish()
    };
    let config = root.join("etc/offsite/offsite.toml");
    for _ in 0..2 {
        // The second time it is an upgrade, and the configuration stays.
        install(env!("CARGO_BIN_EXE_offsite")).exits(0);
        if !config.exists() {
            std::fs::write(&config, "mine").unwrap();
        }
    }
    let units = root.join("etc/systemd/system");
    let unit = std::fs::read_to_string(units.join("offsite-pull.service")).unwrap();
    assert!(
        unit.contains("\nExecStart=/usr/local/bin/offsite -c"),
        "{unit}"
    );
    for file in ["bin/offsite", "share/man/man1/offsite-pull.1"] {
        assert!(root.join("usr/local").join(file).exists(), "{file}");
    }
    let key = std::fs::metadata(root.join("etc/credstore.encrypted")).unwrap();
    assert_eq!(key.permissions().mode() & 0o777, 0o700);

    install("--uninstall").exits(0);
    assert_eq!(std::fs::read_dir(&units).unwrap().count(), 0);
    assert!(!root.join("usr/local/bin/offsite").exists());
    assert_eq!(std::fs::read_to_string(config).unwrap(), "mine");
    install("/etc/hostname").exits(1);
}
