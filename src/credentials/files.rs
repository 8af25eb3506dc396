//! The shared AWS files: who else may read them.

use crate::error::{Error, Kind, Result};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

/// An error where a shared file that holds a secret can be read by anyone but its owner. A file
/// that is not there holds none.
pub(super) fn only_ours() -> Result<()> {
    let credentials = place("AWS_SHARED_CREDENTIALS_FILE", "credentials");
    let config = place("AWS_CONFIG_FILE", "config").filter(|file| {
        std::fs::read_to_string(file).is_ok_and(|text| text.contains("aws_secret_access_key"))
    });
    [credentials, config]
        .iter()
        .flatten()
        .try_for_each(|file| check(file))
}

/// Where the AWS tools look for a shared file (AWS SDKs and Tools Reference Guide, "Shared
/// `config` and `credentials` files").
fn place(variable: &str, name: &str) -> Option<PathBuf> {
    match std::env::var_os(variable) {
        Some(file) => Some(PathBuf::from(file)),
        None => std::env::var_os("HOME").map(|home| Path::new(&home).join(".aws").join(name)),
    }
}

fn check(file: &Path) -> Result<()> {
    let Ok(facts) = std::fs::metadata(file) else {
        return Ok(());
    };
    let mode = facts.permissions().mode() & 0o777;
    if mode & 0o077 == 0 {
        return Ok(());
    }
    let what = format!(
        "{} holds a secret and others can read or change it (mode {mode:03o})",
        file.display()
    );
    Err(Error::new(Kind::Usage, what).hint(format!("chmod 600 {}", file.display())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_owner_may_read() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("credentials");
        check(&file).unwrap();
        std::fs::write(&file, "x").unwrap();
        for (mode, good) in [
            (0o600, true),
            (0o400, true),
            (0o640, false),
            (0o604, false),
            (0o620, false),
            (0o644, false),
        ] {
            std::fs::set_permissions(&file, std::fs::Permissions::from_mode(mode)).unwrap();
            let checked = check(&file);
            assert_eq!(checked.is_ok(), good, "{mode:o}");
            if let Err(error) = checked {
                let way_out = error.way_out().unwrap();
                assert!(way_out.contains("chmod 600"), "{way_out}");
            }
        }
    }
}
