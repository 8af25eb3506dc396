//! A credential of systemd: a file that only the running service sees, decrypted by systemd on its
//! way in (systemd.exec(5), "CREDENTIALS"; systemd-creds(1)).

use super::{keep, text};
use crate::error::{Error, Kind, Result};
use aws_credential_types::Credentials;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use zeroize::Zeroizing;

/// Where `LoadCredentialEncrypted=` looks for a name (systemd.exec(5)).
const STORES: [&str; 3] = [
    "/etc/credstore.encrypted",
    "/run/credstore.encrypted",
    "/usr/lib/credstore.encrypted",
];

/// Whether `name` can be a credential's: a file's name of plain characters.
pub(super) fn is_name(name: &str) -> bool {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"-_.".contains(&b);
    !name.is_empty() && !name.starts_with('.') && name.len() <= 255 && name.bytes().all(plain)
}

/// The key in the credential `name`.
pub(super) fn key(name: &str) -> Result<Credentials> {
    text::parse(&read(name)?, &format!("the systemd credential {name}"))
}

/// The text of the credential `name`: from the service that we are, or, for root at a terminal,
/// from the encrypted store.
pub(super) fn read(name: &str) -> Result<Zeroizing<String>> {
    if let Some(text) = handed(name)? {
        return Ok(text);
    }
    if !rustix::process::geteuid().is_root() {
        return Err(Error::new(
            Kind::Usage,
            format!("the systemd credential {name} is only there inside the service"),
        )
        .hint("run `systemctl start offsite-pull` and read `journalctl -u offsite-pull`; or run this as root"));
    }
    decrypt(name)
}

/// What systemd handed to this service under `name`; none outside of a service.
pub(super) fn handed(name: &str) -> Result<Option<Zeroizing<String>>> {
    let Some(folder) = std::env::var_os("CREDENTIALS_DIRECTORY") else {
        return Ok(None);
    };
    let file = Path::new(&folder).join(name);
    let mut text = Zeroizing::new(String::new());
    let read = std::fs::File::open(&file)
        .and_then(|file| file.take(text::LONGEST).read_to_string(&mut text));
    match read {
        Ok(_) => Ok(Some(text)),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => Err(Error::new(
            Kind::Usage,
            format!("the service was not given the systemd credential {name}"),
        )
        .hint(format!("the unit needs LoadCredentialEncrypted={name}"))),
        Err(e) => Err(Error::new(
            Kind::Usage,
            format!("the systemd credential {name} cannot be read"),
        )
        .because(e.kind().to_string())),
    }
}

/// Whether this computer is run by systemd (sd_booted(3)) and has its tool for credentials.
pub(super) fn runs() -> bool {
    let tool = std::env::var_os("PATH").is_some_and(|path| {
        std::env::split_paths(&path).any(|folder| folder.join("systemd-creds").exists())
    });
    tool && Path::new("/run/systemd/system").exists()
}

/// Whether the encrypted store has a credential `name`.
pub(super) fn is_kept(name: &str) -> bool {
    STORES
        .iter()
        .any(|store| Path::new(store).join(name).exists())
}

/// Encrypts `text` for this computer as the credential `name`; says in which file.
pub(super) fn encrypt(name: &str, text: &str) -> Result<String> {
    let [store, ..] = STORES;
    let file = format!("{store}/{name}");
    let mut command = Command::new("systemd-creds");
    command.args(["encrypt", &format!("--name={name}"), "-", &file]);
    let made = std::fs::create_dir_all(store).and_then(|()| keep::feed(command, text));
    match made {
        Ok(true) => Ok(file),
        failed => {
            let what = format!("systemd-creds cannot encrypt {file}");
            let error = Error::new(Kind::Run, what).hint("is the root file system writable?");
            Err(match failed {
                Err(e) => error.because(e),
                Ok(_) => error,
            })
        }
    }
}

fn decrypt(name: &str) -> Result<Zeroizing<String>> {
    let files: Vec<PathBuf> = STORES.iter().map(|s| Path::new(s).join(name)).collect();
    let Some(file) = files.into_iter().find(|file| file.exists()) else {
        return Err(Error::new(
            Kind::Usage,
            format!("there is no systemd credential {name} in {}", STORES.join(", ")),
        )
        .hint(format!(
            "make it: `systemd-creds encrypt --name={name} - {}/{name}`, paste the secret (a key: its two lines, aws_access_key_id = ... and aws_secret_access_key = ...), then Ctrl-D",
            STORES.first().unwrap_or(&"")
        )));
    };
    let failed = |why: String| {
        Error::new(
            Kind::Usage,
            format!("systemd-creds cannot decrypt {}", file.display()),
        )
        .because(why)
        .hint("a credential opens only on the computer that it was encrypted on, and under its own name")
    };
    let mut child = Command::new("systemd-creds")
        .arg("decrypt")
        .arg(format!("--name={name}"))
        .args([file.as_os_str(), "-".as_ref()])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .map_err(|e| failed(e.to_string()))?;
    let mut text = Zeroizing::new(String::new());
    let read = match child.stdout.take() {
        Some(out) => out.take(text::LONGEST).read_to_string(&mut text).map(drop),
        None => Ok(()),
    };
    let status = child.wait().map_err(|e| failed(e.to_string()))?;
    if !status.success() {
        return Err(failed(status.to_string()));
    }
    read.map_err(|e| failed(e.kind().to_string()))?;
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_plain_file_names() {
        for good in ["offsite-s3", "key.2", "A_b"] {
            assert!(is_name(good), "{good}");
        }
        for bad in ["", ".", "..", "../x", "a/b", "a b", ".hidden", "a\n"] {
            assert!(!is_name(bad), "{bad:?}");
        }
    }
}
