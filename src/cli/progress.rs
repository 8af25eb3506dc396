//! Progress: bars on a terminal, a few plain lines under cron, nothing on standard output.

use crate::outcome::{Event, Reporter};
use crate::report;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::io::{IsTerminal as _, Write as _};
use std::sync::atomic::{AtomicU64, Ordering};

/// Shows what work says while it goes on.
pub(super) struct Progress {
    bar: ProgressBar,
    terminal: bool,
    files: AtomicU64,
    of: AtomicU64,
    /// What is done with what is planned.
    doing: &'static str,
}

impl Progress {
    pub(super) fn new() -> Self {
        Self::of("fetch")
    }

    pub(super) fn of(doing: &'static str) -> Self {
        let terminal = std::io::stderr().is_terminal();
        let bar = ProgressBar::no_length();
        if terminal {
            bar.set_draw_target(ProgressDrawTarget::stderr_with_hz(5));
        } else {
            bar.set_draw_target(ProgressDrawTarget::hidden());
        }
        bar.set_style(spinner());
        Self {
            bar,
            terminal,
            files: AtomicU64::new(0),
            of: AtomicU64::new(0),
            doing,
        }
    }

    fn line(&self, text: &str) {
        let text = crate::object::printable(text);
        if self.terminal {
            self.bar.println(text);
        } else {
            let _ = writeln!(std::io::stderr(), "{text}");
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}

fn spinner() -> ProgressStyle {
    ProgressStyle::with_template("{spinner} {msg}").unwrap_or_else(|_| ProgressStyle::default_bar())
}

fn bytes_bar() -> ProgressStyle {
    ProgressStyle::with_template(
        "{bar:30} {binary_bytes}/{binary_total_bytes} {binary_bytes_per_sec} ETA {eta} {msg}",
    )
    .unwrap_or_else(|_| ProgressStyle::default_bar())
}

impl Reporter for Progress {
    fn report(&self, event: &Event<'_>) {
        match event {
            Event::Source(name) => {
                self.bar.reset();
                self.bar.set_style(spinner());
                self.bar.set_message(format!("{name}: listing"));
            }
            Event::Listed(objects) => self.bar.set_message(format!("{objects} objects listed")),
            Event::Planned { objects, bytes } => {
                self.files.store(0, Ordering::Relaxed);
                self.of.store(*objects, Ordering::Relaxed);
                self.bar.set_style(bytes_bar());
                self.bar.set_length(*bytes);
                self.bar.set_position(0);
                if !self.terminal && *objects > 0 {
                    self.line(&format!(
                        "{objects} objects to {}, {}",
                        self.doing,
                        report::bytes(*bytes)
                    ));
                }
            }
            Event::Bytes(count) => self.bar.inc(*count),
            Event::Finished(_) => {
                let files = self.files.fetch_add(1, Ordering::Relaxed) + 1;
                let of = self.of.load(Ordering::Relaxed);
                self.bar.set_message(match of {
                    // Not known before: a folder is walked.
                    0 => format!("{files} files"),
                    of => format!("{files}/{of} files"),
                });
            }
            Event::Recorded(_) => {}
            Event::Trouble(text) => self.line(text),
        }
    }
}
