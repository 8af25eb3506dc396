//! Drives that are plugged in and pulled out: a mount namespace of its own for the program.
//!
//! What is mounted there is seen there only (mount_namespaces(7)). The test itself stays outside,
//! where the mount point is and remains the bare folder, and so it sees whatever the program
//! writes there by mistake. Root is not needed for a tmpfs (the namespace then belongs to a user
//! namespace); a loop device needs it.

use super::program::Running;
use super::tools::tool;
use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead as _, BufReader};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use tempfile::TempDir;

/// A mount namespace; it ends, and everything in it is unmounted, when this is dropped.
pub struct Namespace {
    /// Lives inside and keeps it alive, until its standard input is closed.
    keeper: Child,
    /// The images of loop devices.
    images: TempDir,
}

impl Namespace {
    /// # Panics
    /// Where the machine allows no mount namespace.
    pub fn new() -> Self {
        let mut unshare = Command::new("unshare");
        if !is_root() {
            unshare.args(["--user", "--map-root-user"]);
        }
        let mut keeper = unshare
            .args(["--mount", "--", "sh", "-c", "echo ready; exec cat"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap_or_else(|e| panic!("cannot run unshare (util-linux): {e}"));
        let mut ready = String::new();
        BufReader::new(keeper.stdout.as_mut().unwrap())
            .read_line(&mut ready)
            .unwrap();
        if ready != "ready\n" {
            let told = keeper.wait_with_output().unwrap();
            panic!(
                "this machine allows no mount namespace: {}\n\
                 the tests that need one are left out with OFFSITE_TEST_WITHOUT=mounts",
                String::from_utf8_lossy(&told.stderr).trim()
            );
        }
        Self {
            keeper,
            images: tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap(),
        }
    }

    /// `command`, run inside. Its working directory is `/` there.
    pub fn inside(&self, command: &Command) -> Command {
        let mut entered = self.enter();
        entered
            .arg("--")
            .arg(command.get_program())
            .args(command.get_args());
        // Nothing of the tester's own environment, as outside.
        entered.env_clear();
        for (name, value) in command.get_envs() {
            if let Some(value) = value {
                entered.env(name, value);
            }
        }
        entered
    }

    /// Runs a shell script inside, which must succeed.
    #[track_caller]
    pub fn sh(&self, script: &str) {
        self.script(script)();
    }

    /// The same for later, from any thread.
    pub fn script(&self, script: &str) -> impl Fn() + Send + Sync + use<> {
        let enter: Vec<_> = self.enter().get_args().map(ToOwned::to_owned).collect();
        let script = script.to_owned();
        move || {
            let mut sh = Command::new("nsenter");
            sh.args(&enter).args(["--", "sh", "-ec", &script]);
            Running::spawn(sh).finish().exits(0);
        }
    }

    fn enter(&self) -> Command {
        let mut nsenter = Command::new("nsenter");
        nsenter.arg(format!("--target={}", self.keeper.id()));
        if !is_root() {
            nsenter.args(["--user", "--preserve-credentials"]);
        }
        nsenter.arg("--mount");
        nsenter
    }

    /// What is at `path` inside, seen from outside (proc(5), `/proc/PID/root`).
    pub fn view(&self, path: &Path) -> PathBuf {
        let root = format!("/proc/{}/root", self.keeper.id());
        Path::new(&root).join(path.strip_prefix("/").unwrap())
    }

    /// Mounts an empty tmpfs of so many MiB.
    pub fn mount_tmpfs(&self, at: &Path, mib: u32) {
        self.sh(&format!(
            "mount -t tmpfs -o size={mib}m none '{}'",
            at.display()
        ));
    }

    /// An empty ext4 file system of so many MiB in a file, for [`Namespace::mount_image`].
    pub fn ext4_image(&self, name: &str, mib: u64) -> PathBuf {
        let image = self.images.path().join(name);
        fs::File::create(&image)
            .unwrap()
            .set_len(mib << 20)
            .unwrap();
        let mut mkfs = Command::new(tool("mkfs"));
        mkfs.args(["-q", "-F"]).arg(&image);
        Running::spawn(mkfs).finish().exits(0);
        image
    }

    /// Mounts a file system in a file, as root only.
    pub fn mount_image(&self, image: &Path, at: &Path) {
        assert!(
            is_root(),
            "a loop device needs root: leave these tests out with OFFSITE_TEST_WITHOUT=root"
        );
        self.sh(&format!(
            "mount -o loop '{}' '{}'",
            image.display(),
            at.display()
        ));
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        drop(self.keeper.stdin.take());
        let _ = self.keeper.wait();
    }
}

fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// Everything under a folder, the folder itself among it: kind, length, time of the last change,
/// and where a link leads. Two of them are equal when nothing was written in between.
pub type Picture = BTreeMap<PathBuf, String>;

/// Takes a picture of `folder`.
pub fn picture(folder: &Path) -> Picture {
    let mut picture = Picture::new();
    take(folder, folder, &mut picture);
    picture
}

fn take(top: &Path, path: &Path, picture: &mut Picture) {
    let meta = fs::symlink_metadata(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    let link = fs::read_link(path).unwrap_or_default();
    let told = format!(
        "{:?} of {} bytes, written {}.{:09}, leads to {link:?}",
        meta.file_type(),
        if meta.is_file() { meta.len() } else { 0 },
        meta.mtime(),
        meta.mtime_nsec(),
    );
    picture.insert(path.strip_prefix(top).unwrap().to_owned(), told);
    if meta.is_dir() {
        for entry in fs::read_dir(path).unwrap() {
            take(top, &entry.unwrap().path(), picture);
        }
    }
}
