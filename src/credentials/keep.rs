//! Puts a key that the owner typed where the program finds it again: into a systemd credential,
//! encrypted for this computer, or into a profile that the owner alone can read.

use super::systemd;
use crate::error::{Error, Kind, Result};
use std::fs::{DirBuilder, OpenOptions};
use std::io::{Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::Path;
use std::process::{Command, Stdio};
use zeroize::Zeroizing;

/// Keeps the key of the source called `name`; says the setting that finds it, and where it is in
/// words. Root with systemd gets a credential, others a profile.
pub fn keep(name: &str, id: &str, secret: &str) -> Result<(String, String)> {
    let lines = Zeroizing::new(format!(
        "aws_access_key_id = {id}\naws_secret_access_key = {secret}\n"
    ));
    let root = rustix::process::geteuid().is_root();
    if root && systemd::runs() {
        let credential = match systemd::is_kept("offsite-s3") {
            false => "offsite-s3".to_owned(),
            true => format!("offsite-{name}"),
        };
        let file = systemd::encrypt(&credential, &lines)?;
        return Ok((
            format!("systemd:{credential}"),
            format!("encrypted for this computer in {file}"),
        ));
    }
    let home = std::env::var_os("HOME").ok_or_else(|| {
        Error::new(
            Kind::Usage,
            "there is no home folder for the key: HOME is not set",
        )
        .hint("run this as root on a computer with systemd, or set HOME")
    })?;
    let file = Path::new(&home).join(".aws/credentials");
    append_profile(&file, &format!("offsite-{name}"), &lines)?;
    Ok((
        format!("profile:offsite-{name}"),
        format!(
            "in clear text in {}, which only you can read: whoever takes this card has it",
            file.display()
        ),
    ))
}

fn append_profile(file: &Path, profile: &str, lines: &str) -> Result<()> {
    let fail = |e: std::io::Error| Error::io("write the profile to", file, e);
    if let Some(folder) = file.parent() {
        let mut private = DirBuilder::new();
        private.recursive(true).mode(0o700);
        private.create(folder).map_err(fail)?;
    }
    let mut opened = OpenOptions::new()
        .read(true)
        .append(true)
        .create(true)
        .mode(0o600)
        .open(file)
        .map_err(fail)?;
    let mut text = Zeroizing::new(String::new());
    opened.read_to_string(&mut text).map_err(fail)?;
    if text
        .lines()
        .any(|line| line.trim() == format!("[{profile}]"))
    {
        return Err(Error::new(
            Kind::Usage,
            format!("{} has a profile {profile} already", file.display()),
        )
        .hint("take it out, or give the source another name"));
    }
    // Others may have been able to read what was there before; not this.
    let private = std::fs::Permissions::from_mode(0o600);
    opened.set_permissions(private).map_err(fail)?;
    let gap = if text.is_empty() || text.ends_with('\n') {
        ""
    } else {
        "\n"
    };
    opened
        .write_all(format!("{gap}[{profile}]\n{lines}").as_bytes())
        .and_then(|()| opened.sync_all())
        .map_err(fail)
}

/// Runs `command` with `text` on its standard input; whether it ended well.
pub(super) fn feed(mut command: Command, text: &str) -> std::io::Result<bool> {
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()?;
    if let Some(mut stdin) = child.stdin.take() {
        stdin.write_all(text.as_bytes())?;
    }
    Ok(child.wait()?.success())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_profile_is_added_once_and_private() {
        let home = tempfile::tempdir().unwrap();
        let file = home.path().join(".aws/credentials");
        append_profile(&file, "offsite-www", "a = 1\n").unwrap();
        let mode = std::fs::Permissions::from_mode(0o644);
        std::fs::set_permissions(&file, mode).unwrap();
        append_profile(&file, "offsite-db", "b = 2\n").unwrap();
        let again = append_profile(&file, "offsite-www", "a = 3\n").unwrap_err();
        assert!(again.to_string().contains("already"), "{again}");
        let text = std::fs::read_to_string(&file).unwrap();
        assert_eq!(text, "[offsite-www]\na = 1\n[offsite-db]\nb = 2\n");
        let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(&file), 0o600);
        assert_eq!(mode(file.parent().unwrap()), 0o700);
    }
}
