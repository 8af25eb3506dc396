//! The systemd units, judged by systemd-analyze.

use crate::support::{Running, tool, tools};
use crate::{deploy, lines, text};
use offsite::cli::Exit;
use std::path::Path;
use std::process::Command;

const UNITS: [&str; 7] = [
    "offsite-pull.service",
    "offsite-pull.timer",
    "offsite-status.service",
    "offsite-status.timer",
    "offsite-scrub.service",
    "offsite-scrub.timer",
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
    let pull = text("raspberry-pi/offsite-pull.service");
    let fine = [Exit::Partial, Exit::Locked].map(|exit| exit.code().to_string());
    for unit in [&pull, &text("raspberry-pi/offsite-scrub.service")] {
        assert_eq!(setting(unit, "SuccessExitStatus"), fine.join(" "));
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
    let others =
        ["status", "scrub"].map(|name| text(&format!("raspberry-pi/offsite-{name}.service")));
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
