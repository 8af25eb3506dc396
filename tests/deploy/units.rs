//! The systemd units, judged by systemd-analyze.

use crate::support::{Embedded, Running, tool, tools};
use crate::{deploy, lines, text};
use offsite::cli::Exit;
use std::path::Path;
use std::process::Command;

const UNITS: [&str; 9] = [
    "offsite-pull.service",
    "offsite-pull.timer",
    "offsite-status.service",
    "offsite-status.timer",
    "offsite-scrub.service",
    "offsite-scrub.timer",
    "offsite-drill.service",
    "offsite-drill.timer",
    "offsite-failed@.service",
];

/// The units in a folder of their own, with this build of the program in the place of the installed
/// one, because systemd asks whether it is there.
fn units() -> tempfile::TempDir {
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    for name in UNITS {
        let unit = text(&format!("raspberry-pi/{name}")).replace(
            "=/usr/bin/offsite ",
            concat!("=", env!("CARGO_BIN_EXE_offsite"), " "),
        );
        std::fs::write(folder.path().join(name), unit).unwrap();
    }
    folder
}

/// `systemd-analyze` in `folder`; where it was unpacked, it finds systemd's own units beside it.
fn analyze(folder: &Path) -> Command {
    let mut analyze = Command::new(tool("systemd"));
    let unpacked = tools::folder().join("debian/systemd/lib/systemd/system");
    let places = [folder, unpacked.as_path()].map(|place| place.display().to_string());
    analyze
        .current_dir(folder)
        // The empty place at the end: and where they usually are.
        .env("SYSTEMD_UNIT_PATH", format!("{}:", places.join(":")));
    analyze
}

#[test]
#[cfg_attr(without_systemd, ignore = "OFFSITE_TEST_WITHOUT names systemd")]
fn systemd_finds_nothing_wrong_with_the_units() {
    let folder = units();
    let mut verify = analyze(folder.path());
    verify.args(["verify", "--man=no", "--recursive-errors=yes"]);
    for name in UNITS {
        // A template is looked at as one of its instances.
        verify.arg(
            folder
                .path()
                .join(name.replace("@.", "@offsite-pull.service.")),
        );
    }
    let told = Running::spawn(verify).finish().exits(0);
    assert_eq!(told.stderr, "", "not even a warning");
}

#[test]
#[cfg_attr(without_systemd, ignore = "OFFSITE_TEST_WITHOUT names systemd")]
fn systemd_calls_the_services_well_confined() {
    let folder = units();
    for name in [
        "offsite-pull.service",
        "offsite-status.service",
        "offsite-scrub.service",
        "offsite-drill.service",
    ] {
        let mut security = analyze(folder.path());
        security
            .args(["security", "--offline=true", "--no-pager", "--threshold=20"])
            .arg(folder.path().join(name));
        // Of 100, in tenths: 2.0 at most.
        Running::spawn(security).finish().exits(0);
    }
}

/// The value of the only line `name=…` of a unit.
fn setting<'a>(unit: &'a str, name: &str) -> &'a str {
    let mut values = lines(unit).filter_map(|line| line.strip_prefix(name)?.strip_prefix('='));
    let value = values.next().unwrap_or_else(|| panic!("no {name}="));
    assert_eq!(values.next(), None, "{name}= stands there twice");
    value
}

#[test]
fn a_run_done_in_part_and_a_held_lock_are_no_failures_of_the_unit() {
    let fine = [Exit::Partial, Exit::Locked].map(|exit| exit.code().to_string());
    for name in ["pull", "scrub", "drill"] {
        let unit = text(&format!("raspberry-pi/offsite-{name}.service"));
        assert_eq!(setting(&unit, "SuccessExitStatus"), fine.join(" "));
    }
    // The daily look says all that is not well.
    assert!(!text("raspberry-pi/offsite-status.service").contains("SuccessExitStatus"));
}

/// What neither a wrong drive nor a wrong clock may break.
#[test]
fn the_pull_waits_for_the_network_the_time_and_the_drive() {
    let pull = text("raspberry-pi/offsite-pull.service");
    for name in ["Wants", "After"] {
        assert_eq!(
            setting(&pull, name),
            "network-online.target time-sync.target"
        );
    }
    let others = ["status", "scrub", "drill"]
        .map(|name| text(&format!("raspberry-pi/offsite-{name}.service")));
    for unit in others.iter().chain([&pull]) {
        assert_eq!(setting(unit, "RequiresMountsFor"), "/mnt/usb");
        assert_eq!(setting(unit, "ReadWritePaths"), "-/mnt/usb");
        assert_eq!(setting(unit, "OnFailure"), "offsite-failed@%n.service");
    }
    assert_eq!(setting(&pull, "LoadCredentialEncrypted"), "offsite-s3");
    let config = text("raspberry-pi/offsite.toml");
    assert!(config.contains("credentials = \"systemd:offsite-s3\""));
    offsite::config::Config::parse(&config).unwrap();
    assert!(deploy("raspberry-pi/drive/mnt-usb.mount").exists());
}

/// Nothing of the confinement ends the programs that open backups, or has no room for them.
#[test]
fn the_command_of_a_drill_may_do_what_gpg_tar_and_restic_do() {
    let drill = text("raspberry-pi/offsite-drill.service");
    for forbids in [
        "@resources",
        "MemoryMax=",
        "RestrictSUIDSGID=",
        "MemoryDenyWriteExecute=",
    ] {
        let there = lines(&drill).find(|line| line.contains(forbids));
        assert_eq!(there, None);
    }
    // The card is not written to, and the drive is there, or the unit does not start.
    assert_eq!(
        setting(&drill, "Environment"),
        "TMPDIR=/mnt/usb/offsite-drill HOME=/var/tmp"
    );
    assert_eq!(setting(&drill, "PrivateTmp"), "yes");
    // No bucket is asked, so the key is not there to be taken.
    assert!(!lines(&drill).any(|line| line.contains("offsite-s3")));
}

/// The lines that the unit shows are lines that work: the key comes as systemd hands it over.
#[test]
#[cfg_attr(without_age, ignore = "OFFSITE_TEST_WITHOUT names age")]
fn the_units_own_command_opens_a_backup_with_a_credential() {
    let drill = text("raspberry-pi/offsite-drill.service");
    let command = drill
        .lines()
        .find_map(|line| line.split_once("command = '"));
    let command = command.unwrap().1.strip_suffix('\'').unwrap();
    let at = Embedded::new();
    let folder = at.home.path().join("credentials");
    std::fs::create_dir(&folder).unwrap();
    let mut sh = Command::new("sh");
    sh.current_dir(&folder).args([
        "-euc",
        "\"$1-keygen\" -o drill-key 2>/dev/null
         head -c 5000 /dev/urandom | \"$1\" -r \"$(\"$1-keygen\" -y drill-key)\" -o site.age",
        "sh",
        tool("age").to_str().unwrap(),
    ]);
    Running::spawn(sh).finish().exits(0);
    at.bucket.put(
        "site-20261121.age",
        std::fs::read(folder.join("site.age")).unwrap(),
    );
    at.home.run(["pull"]).exits(0);
    let config = at.home.config();
    let mut text = std::fs::read_to_string(&config).unwrap();
    let command = command.replace(
        "age --decrypt",
        &format!("{} --decrypt", tool("age").display()),
    );
    text += &format!("\n[[drill]]\nseries = '**'\ncommand = '{command}'\n");
    std::fs::write(&config, text).unwrap();
    for (credentials, code) in [(folder.as_path(), 0), (Path::new("/"), 3)] {
        let mut run = at.home.command(["drill"]);
        run.env("CREDENTIALS_DIRECTORY", credentials);
        run.env("TMPDIR", at.home.path());
        Running::spawn(run).finish().exits(code);
    }
}
