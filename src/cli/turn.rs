//! Having the store in turn with a scrub, which reads it for hours.

use crate::config::StoreConfig;
use crate::error::{Error, Result};
use crate::home::Home;
use crate::object::Clock;
use crate::outcome::Stop;
use crate::store::{Manner, Waits};
use std::io::{self, Write as _};

/// Opens the store to write; a scrub that has it is asked to give way, and waited for until `stop`.
pub(super) fn open_in_turn(config: &StoreConfig, stop: &Stop) -> Result<Home> {
    let told = |who: &Error| {
        let who = crate::object::printable(&who.to_string()).to_string();
        let _ = writeln!(
            io::stderr(),
            "waiting: {who}, which gives way after the file that it reads"
        );
    };
    let manner = Manner {
        waits: Some(Waits {
            stop: stop.clone(),
            told,
        }),
        ..Manner::default()
    };
    Home::open_as(config, Clock::System, manner)
}
