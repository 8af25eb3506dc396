//! A program of the owner's that is told: the message on its standard input, no shell between.

use crate::error::{Error, Kind, Result};
use crate::program::{Ended, Rules};
use rustix::fs::MemfdFlags;
use std::fs::File;
use std::io::{Seek as _, Write as _};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

/// A program's name for errors: without its folder, and without its arguments, which may hold
/// secrets.
pub(super) fn name(command: &[String]) -> String {
    let first = command.first().map(Path::new);
    let name = first.and_then(Path::file_name).unwrap_or_default();
    crate::object::printable(&name.to_string_lossy())
}

/// Runs `command` with `message` on its standard input, and waits at most `patience`: then it and
/// what it started are killed. Its standard error goes where ours goes. `hidden` are further
/// variables that it is not given.
pub(super) fn run(
    command: &[String],
    hidden: &[String],
    message: &str,
    patience: Duration,
) -> Result<()> {
    let [program, arguments @ ..] = command else {
        return Ok(());
    };
    let cannot = |why: std::io::Error| {
        Error::new(Kind::Run, "it cannot be run")
            .because(why)
            .hint("is the program there, and may this user run it? Its whole path is the safest")
    };
    let mut command = Command::new(program);
    command
        .args(arguments)
        .stdin(Stdio::from(in_memory(message).map_err(cannot)?))
        .stdout(Stdio::null());
    let rules = Rules {
        hidden,
        patience,
        stop: &|| false,
        alone: false,
    };
    match rules.run(&mut command).map_err(cannot)?.0 {
        Ended::Itself(status) if status.success() => Ok(()),
        Ended::Itself(status) => Err(Error::new(Kind::Run, format!("it ended with {status}"))),
        Ended::TooLong | Ended::Stopped => {
            let what = format!("it did not end within {:.1} s", patience.as_secs_f64());
            Err(Error::new(Kind::Run, what).hint("it was killed; [notify] timeout gives it longer"))
        }
    }
}

/// The message as a file: a program that reads nothing blocks nobody.
fn in_memory(message: &str) -> std::io::Result<File> {
    let mut file = File::from(rustix::fs::memfd_create("offsite", MemfdFlags::CLOEXEC)?);
    file.write_all(message.as_bytes())?;
    file.rewind()?;
    Ok(file)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(words: &[&str]) -> Vec<String> {
        words.iter().map(|w| (*w).to_owned()).collect()
    }

    #[test]
    fn the_message_comes_in_and_failures_go_out() {
        let long = Duration::from_secs(60);
        let is = words(&["sh", "-c", "test \"$(cat)\" = hello"]);
        assert!(run(&is, &[], "hello", long).is_ok());
        let error = run(&is, &[], "other", long).unwrap_err();
        assert!(error.to_string().contains("exit status: 1"), "{error}");
        let error = run(&words(&["/no/such/program"]), &[], "", long).unwrap_err();
        assert!(error.to_string().contains("cannot be run"), "{error}");
    }

    #[test]
    fn a_program_that_reads_nothing_blocks_nobody() {
        let message = "x".repeat(1 << 20);
        assert!(run(&words(&["true"]), &[], &message, Duration::from_secs(60)).is_ok());
    }

    #[test]
    fn one_that_hangs_is_killed() {
        let hangs = words(&["sh", "-c", "sleep 1000 & wait"]);
        let error = run(&hangs, &[], "", Duration::from_millis(50)).unwrap_err();
        assert!(error.to_string().contains("did not end"), "{error}");
    }

    #[test]
    fn arguments_are_not_named() {
        assert_eq!(name(&words(&["/usr/bin/curl", "hunter2"])), "curl");
    }
}
