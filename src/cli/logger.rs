//! What `RUST_LOG` switches on.

use env_logger::{Builder, Env, Logger};
use log::{Level, Log, Metadata, Record};

/// Starts to log to stderr, as `RUST_LOG` says; without it nothing.
pub(super) fn start() {
    let logger = Builder::from_env(Env::new().filter_or("RUST_LOG", "off")).build();
    let most = logger.filter();
    if log::set_boxed_logger(Box::new(Discreet(logger))).is_ok() {
        log::set_max_level(most);
    }
}

/// Keeps back what libraries say at their most talkative: whole requests, and among the headers
/// are some that open a door (SSO's token, for one).
struct Discreet(Logger);

impl Log for Discreet {
    fn enabled(&self, of: &Metadata<'_>) -> bool {
        let ours = of.target().starts_with(env!("CARGO_CRATE_NAME"));
        (ours || of.level() < Level::Trace) && self.0.enabled(of)
    }

    fn log(&self, record: &Record<'_>) {
        if self.enabled(record.metadata()) {
            self.0.log(record);
        }
    }

    fn flush(&self) {
        self.0.flush();
    }
}
