//! The program as its user runs it: a process, with nothing from the tester's own home.

use super::bucket::{Keys, REGION};
use std::ffi::OsStr;
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::time::Duration;
use tempfile::TempDir;

/// The program under test: this build's, or the one that `OFFSITE_PROGRAM` names, which may be a
/// script that starts it. So the tests that were built here run a program that was built for
/// another computer, behind an emulator (`deploy/raspberry-pi/build.sh` writes such a
/// script). Its file is called `offsite`, because some tests find it on their `PATH`.
///
/// # Panics
/// Where there is no such file: what is tested must not be in doubt.
pub fn program() -> PathBuf {
    let Some(other) = std::env::var_os("OFFSITE_PROGRAM") else {
        return PathBuf::from(env!("CARGO_BIN_EXE_offsite"));
    };
    let found = std::fs::canonicalize(&other);
    let found = found.unwrap_or_else(|e| panic!("OFFSITE_PROGRAM: {other:?}: {e}"));
    assert_eq!(found.file_name(), Some(OsStr::new("offsite")));
    found
}

/// After this long a run hangs: it is killed and the test fails.
const PATIENCE: Duration = Duration::from_secs(300);

/// A folder with a home, a place for the store and a place for the configuration.
pub struct Home {
    folder: TempDir,
    keys: Option<Keys>,
}

impl Home {
    pub fn new() -> Self {
        let folder = tempfile::Builder::new()
            .prefix("home-")
            .tempdir_in(env!("CARGO_TARGET_TMPDIR"))
            .unwrap();
        Self { folder, keys: None }
    }

    /// The access key that later runs find in their environment.
    #[must_use]
    pub fn with_keys(mut self, keys: Keys) -> Self {
        self.keys = Some(keys);
        self
    }

    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    pub fn store(&self) -> PathBuf {
        self.path().join("store")
    }

    pub fn config(&self) -> PathBuf {
        self.path().join("offsite.toml")
    }

    /// `offsite init`, which must succeed: makes the store and the configuration, or adds a
    /// source to them.
    pub fn init(&self, source: &str, bucket: &str, endpoint: &str) -> Output {
        let store = self.store();
        let mut init = self.command(["init", "--store"]);
        init.arg(&store).args(["--source", source]);
        init.args(["--bucket", bucket, "--endpoint", endpoint]);
        init.args(["--region", REGION, "--allow-root-fs"]);
        Running::spawn(init).finish().exits(0)
    }

    /// `offsite -c CONFIG args…`, to its end.
    pub fn run<A: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = A>) -> Output {
        self.spawn(args).finish()
    }

    /// As [`Home::run`], not waited for.
    pub fn spawn<A: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = A>) -> Running {
        Running::spawn(self.command(args))
    }

    /// The command behind [`Home::run`], to add to.
    pub fn command<A: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = A>) -> Command {
        let mut command = self.bare(["-c"]);
        command.arg(self.config()).args(args);
        command
    }

    /// `offsite args…` with no configuration named.
    pub fn bare<A: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = A>) -> Command {
        let mut command = Command::new(program());
        command
            .args(args)
            .current_dir(self.path())
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", self.path())
            .env("TZ", "UTC")
            // Nobody asks the cloud's metadata service for keys.
            .env("AWS_EC2_METADATA_DISABLED", "true");
        if let Some(keys) = self.keys {
            command
                .env("AWS_ACCESS_KEY_ID", keys.id)
                .env("AWS_SECRET_ACCESS_KEY", keys.secret);
        }
        command
    }
}

/// What a finished run left behind.
#[derive(Debug)]
pub struct Output {
    pub status: ExitStatus,
    pub stdout: String,
    pub stderr: String,
}

impl Output {
    /// The exit code; of a run ended by a signal 128 and the signal, as a shell says it.
    pub fn code(&self) -> i32 {
        let signal = || 128 + self.status.signal().unwrap_or(0);
        self.status.code().unwrap_or_else(signal)
    }

    /// Fails the test, showing all that was printed, unless the run ended with `code`.
    #[track_caller]
    pub fn exits(self, code: i32) -> Self {
        assert_eq!(
            self.code(),
            code,
            "exit code\n--- stdout\n{}\n--- stderr\n{}",
            self.stdout,
            self.stderr
        );
        self
    }

    /// Fails the test unless standard output or standard error has all of these words.
    #[track_caller]
    pub fn says(self, words: &[&str]) -> Self {
        for word in words {
            assert!(
                self.stdout.contains(word) || self.stderr.contains(word),
                "{word:?} is not in\n{}{}",
                self.stdout,
                self.stderr
            );
        }
        self
    }

    /// Standard output as one JSON value a line.
    #[track_caller]
    pub fn json_lines(&self) -> Vec<serde_json::Value> {
        let parse = |line| serde_json::from_str(line).unwrap_or_else(|e| panic!("{e}: {line}"));
        self.stdout.lines().map(parse).collect()
    }
}

/// A run that goes on. It is killed when it is dropped before its end.
pub struct Running {
    child: Option<Child>,
}

impl Running {
    /// Starts any command, with its output kept.
    pub fn spawn(mut command: Command) -> Self {
        let child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap_or_else(|e| panic!("cannot run {command:?}: {e}"));
        Self { child: Some(child) }
    }

    pub fn id(&self) -> u32 {
        self.child.as_ref().unwrap().id()
    }

    pub fn signal(&self, signal: rustix::process::Signal) {
        let pid = rustix::process::Pid::from_child(self.child.as_ref().unwrap());
        rustix::process::kill_process(pid, signal).unwrap();
    }

    /// Whether it goes on.
    pub fn goes_on(&mut self) -> bool {
        let child = self.child.as_mut().unwrap();
        child.try_wait().unwrap().is_none()
    }

    /// SIGKILL: no handler runs, nothing is flushed.
    pub fn kill(mut self) -> Output {
        self.child.as_mut().unwrap().kill().unwrap();
        self.finish()
    }

    /// Waits for the end.
    pub fn finish(mut self) -> Output {
        let child = self.child.take().unwrap();
        let pid = rustix::process::Pid::from_child(&child);
        let (ended, watch) = mpsc::channel::<()>();
        let watchdog = std::thread::spawn(move || {
            let hangs = watch.recv_timeout(PATIENCE) == Err(mpsc::RecvTimeoutError::Timeout);
            if hangs {
                let _ = rustix::process::kill_process(pid, rustix::process::Signal::KILL);
            }
            hangs
        });
        let output = child.wait_with_output().unwrap();
        drop(ended);
        let output = Output {
            status: output.status,
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        };
        let hung = watchdog.join().unwrap();
        assert!(!hung, "no end after {PATIENCE:?}: {output:?}");
        output
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Some(child) = &mut self.child {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// Every file below `folder`, and its bytes.
pub fn each_file(folder: &Path, see: &mut dyn FnMut(&Path, &[u8])) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            each_file(&path, see);
        } else {
            see(&path, &std::fs::read(&path).unwrap());
        }
    }
}

/// How many bytes the program `offsite args… --store STORE` had fetched from the drive, by the kernel's
/// account of the shell that waited for it (proc_pid_io(5), `read_bytes`).
pub fn fetched_by(store: &Path, args: &[&str]) -> u64 {
    let account = Command::new("sh")
        .args(["-c", r#""$@" >&2; cat "/proc/$$/io""#, "sh"])
        .arg(program())
        .args(args)
        .arg("--store")
        .arg(store)
        .output()
        .unwrap();
    let text = String::from_utf8(account.stdout).unwrap();
    let line = text.lines().find_map(|l| l.strip_prefix("read_bytes: "));
    line.expect("the kernel keeps no account of I/O")
        .parse()
        .unwrap()
}
