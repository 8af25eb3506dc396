//! A systemd credential: as the service sees it, and as root at a terminal does, through the real
//! `systemd-creds` with a host key of the test's own.

use crate::support::{mounts::Namespace, tool};
use crate::{bare, errors, lines, quiet, world};
use offsite::demo::bucket::READER;
use std::path::Path;
use std::process::{Command, Stdio};

#[test]
fn the_service_finds_it_in_its_own_folder() {
    let world = world("systemd:offsite-s3");
    let folder = world.home.path().join("credentials");
    std::fs::create_dir(&folder).unwrap();
    let pull = || {
        let mut pull = bare(&world, &["pull"]);
        pull.env("CREDENTIALS_DIRECTORY", &folder);
        quiet(pull)
    };
    let said = errors(&pull().exits(2));
    assert!(
        said.contains("LoadCredentialEncrypted=offsite-s3"),
        "{said}"
    );
    let file = folder.join("offsite-s3");
    std::fs::write(&file, "aws_access_key_id = x\n").unwrap();
    let said = errors(&pull().exits(2));
    assert!(said.contains("aws_secret_access_key = "), "{said}");
    std::fs::write(&file, lines(READER.id, READER.secret)).unwrap();
    pull().exits(0);
}

#[test]
#[cfg_attr(without_root, ignore = "OFFSITE_TEST_WITHOUT names root")]
#[cfg_attr(without_mounts, ignore = "OFFSITE_TEST_WITHOUT names mounts")]
#[cfg_attr(without_systemd, ignore = "OFFSITE_TEST_WITHOUT names systemd")]
fn root_at_a_terminal_reads_it_through_systemd_creds() {
    let world = world("systemd:offsite-s3");
    let space = Namespace::new();
    // The host key and the store are the test's own, and gone with the namespace.
    space.sh("mkdir -p /var/lib/systemd && mount -t tmpfs none /var/lib/systemd && mount -t tmpfs none /run");
    let pull = || {
        let mut pull = bare(&world, &["pull"]);
        pull.env("PATH", path());
        quiet(space.inside(&pull))
    };
    let said = errors(&pull().exits(2));
    assert!(
        said.contains("systemd-creds encrypt --name=offsite-s3"),
        "{said}"
    );

    encrypt(&space, "offsite-s3", &lines(READER.id, READER.secret));
    pull().exits(0);

    // Encrypted under another name it does not open: it may be another's secret.
    space.sh("rm /run/credstore.encrypted/offsite-s3");
    encrypt(&space, "another", &lines(READER.id, READER.secret));
    space.sh("mv /run/credstore.encrypted/another /run/credstore.encrypted/offsite-s3");
    let said = errors(&pull().exits(2));
    assert!(said.contains("systemd-creds cannot decrypt"), "{said}");
    assert!(said.contains("under its own name"), "{said}");
}

/// In a user namespace without a map root is nobody, who still owns its files.
#[test]
#[cfg_attr(without_mounts, ignore = "OFFSITE_TEST_WITHOUT names mounts")]
fn others_are_told_to_start_the_service() {
    let world = world("systemd:offsite-s3");
    let pull = bare(&world, &["pull"]);
    let mut nobody = Command::new("unshare");
    nobody.args(["--user", "--"]).arg(pull.get_program());
    nobody.args(pull.get_args()).env_clear();
    nobody.envs(
        pull.get_envs()
            .filter_map(|(name, value)| Some((name, value?))),
    );
    let said = errors(&quiet(nobody).exits(2));
    assert!(said.contains("only there inside the service"), "{said}");
    assert!(said.contains("systemctl start offsite-pull"), "{said}");
    assert_eq!(world.bucket.requests().len(), 0);
}

/// `PATH` with systemd's tools on it, wherever they are.
fn path() -> std::ffi::OsString {
    let tools = tool("systemd").parent().unwrap().to_owned();
    let usual = std::env::var_os("PATH").unwrap();
    std::env::join_paths([tools].into_iter().chain(std::env::split_paths(&usual))).unwrap()
}

fn encrypt(space: &Namespace, name: &str, text: &str) {
    let file = format!("/run/credstore.encrypted/{name}");
    space.sh("mkdir -p /run/credstore.encrypted");
    let mut encrypt = Command::new("systemd-creds");
    encrypt
        .args([
            "encrypt",
            "--with-key=host",
            &format!("--name={name}"),
            "-",
            &file,
        ])
        .env("PATH", path());
    let mut child = space
        .inside(&encrypt)
        .stdin(Stdio::piped())
        .spawn()
        .unwrap();
    std::io::Write::write_all(&mut child.stdin.take().unwrap(), text.as_bytes()).unwrap();
    assert!(child.wait().unwrap().success());
    assert!(space.view(Path::new(&file)).exists());
}
