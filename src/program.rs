//! Programs of the owner's: run without our keys, for so long and no longer.

use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process_group, waitid};
use std::collections::VecDeque;
use std::io::Read;
use std::os::unix::process::CommandExt as _;
use std::process::{Child, Command, ExitStatus};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Keys that a program is not given: they are for the bucket alone.
const KEPT: [&str; 5] = [
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "VAULT_TOKEN",
    "VAULT_SECRET_ID",
];

/// How often a running program is looked at.
const LOOK: Duration = Duration::from_millis(20);
/// So much of what it said last is kept, in bytes.
const LAST_WORDS: usize = 2000;
/// So long after its end what it said is waited for: others may hold its standard error open.
const HEARING: Duration = Duration::from_secs(1);

/// What a program is run under.
pub struct Rules<'r> {
    /// Further variables that it is not given.
    pub hidden: &'r [String],
    /// It may take so long; then it and what it started are killed.
    pub patience: Duration,
    /// The wish that it end: asked often.
    pub stop: &'r dyn Fn() -> bool,
    /// Whether what it started and left behind is killed when it ends.
    pub alone: bool,
}

/// How a program ended.
#[derive(Debug)]
pub enum Ended {
    /// By itself.
    Itself(ExitStatus),
    /// It took too long and was killed.
    TooLong,
    /// Its end was wished for, and it was killed.
    Stopped,
}

impl Rules<'_> {
    /// Runs `command` to its end. Where its standard error is piped, the end of what it said there
    /// comes back with it.
    ///
    /// # Errors
    /// It cannot be started.
    pub fn run(&self, command: &mut Command) -> std::io::Result<(Ended, String)> {
        // It leads a group of its own, so that what it started goes with it.
        command.process_group(0);
        for name in KEPT
            .into_iter()
            .chain(self.hidden.iter().map(String::as_str))
        {
            command.env_remove(name);
        }
        let mut child = command.spawn()?;
        let heard = child.stderr.take().map(Heard::listen);
        let ended = self.wait(&mut child)?;
        Ok((ended, heard.map(Heard::last).unwrap_or_default()))
    }

    fn wait(&self, child: &mut Child) -> std::io::Result<Ended> {
        let group = Pid::from_child(child);
        let begin = Instant::now();
        loop {
            // Not reaped yet: until then its number is nobody else's.
            let looked = waitid(
                WaitId::Pid(group),
                WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT,
            )?;
            if looked.is_some() {
                if self.alone {
                    let _ = kill_process_group(group, Signal::KILL);
                }
                return Ok(Ended::Itself(child.wait()?));
            }
            let ended = match (self.stop)() {
                true => Some(Ended::Stopped),
                false if begin.elapsed() >= self.patience => Some(Ended::TooLong),
                false => None,
            };
            if let Some(ended) = ended {
                let _ = kill_process_group(group, Signal::KILL);
                child.wait()?;
                return Ok(ended);
            }
            std::thread::sleep(LOOK);
        }
    }
}

/// The end of what a program says.
struct Heard {
    last: Arc<Mutex<VecDeque<u8>>>,
    silent: std::sync::mpsc::Receiver<()>,
}

impl Heard {
    fn listen(mut from: impl Read + Send + 'static) -> Self {
        let last = Arc::new(Mutex::new(VecDeque::new()));
        let (end, silent) = std::sync::mpsc::channel();
        let kept = Arc::clone(&last);
        std::thread::spawn(move || {
            let mut piece = [0; 4096];
            while let Ok(length @ 1..) = from.read(&mut piece) {
                let mut kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
                kept.extend(piece.get(..length).unwrap_or_default());
                let over = kept.len().saturating_sub(LAST_WORDS);
                kept.drain(..over);
            }
            let _ = end.send(());
        });
        Self { last, silent }
    }

    fn last(self) -> String {
        let _ = self.silent.recv_timeout(HEARING);
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        String::from_utf8_lossy(last.make_contiguous()).into_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::Stdio;

    fn run(script: &str, patience: Duration, stop: &dyn Fn() -> bool) -> (Ended, String) {
        let mut command = Command::new("sh");
        command.args(["-c", script]).env("VAULT_TOKEN", "hunter2");
        command.env("OURS", "hunter2").stdin(Stdio::null());
        command.stdout(Stdio::null()).stderr(Stdio::piped());
        let rules = Rules {
            hidden: &["OURS".to_owned()],
            patience,
            stop,
            alone: true,
        };
        rules.run(&mut command).unwrap()
    }

    const LONG: Duration = Duration::from_secs(60);

    #[test]
    fn the_last_words_come_back_and_no_secret_goes_in() {
        let (ended, said) = run(
            "yes much | head -c 100000 >&2; echo \"<$VAULT_TOKEN$OURS>\" >&2; exit 3",
            LONG,
            &|| false,
        );
        assert!(matches!(ended, Ended::Itself(status) if status.code() == Some(3)));
        assert!(said.ends_with("much\n<>\n"), "{said:?}");
        assert!(said.len() <= LAST_WORDS);
    }

    /// What it left behind would keep its standard error open, and its folder in use.
    #[test]
    fn nothing_stays_behind() {
        let (ended, said) = run("sleep 1000 & echo $! >&2", LONG, &|| false);
        assert!(matches!(ended, Ended::Itself(status) if status.success()));
        let pid = said.trim().to_owned();
        let stat = || std::fs::read_to_string(format!("/proc/{pid}/stat"));
        // Nobody may have reaped it yet.
        while stat().is_ok_and(|stat| !stat.contains(") Z ")) {
            std::thread::sleep(LOOK);
        }
    }

    #[test]
    fn one_that_hangs_and_one_that_is_not_wanted_are_killed() {
        let (ended, _) = run("sleep 1000", Duration::from_millis(50), &|| false);
        assert!(matches!(ended, Ended::TooLong), "{ended:?}");
        let (ended, _) = run("sleep 1000 & wait", LONG, &|| true);
        assert!(matches!(ended, Ended::Stopped), "{ended:?}");
    }
}
