//! The rate limit: all downloads together stay below what the owner allows at this time of day.

use crate::config::Timetable;
use jiff::Zoned;
use std::sync::Mutex;
use std::time::{Duration, Instant};

/// Makes those wait who brought bytes, until the line has earned them. One for all clones of a
/// client.
#[derive(Debug)]
pub(super) struct Throttle {
    rates: Timetable,
    paid: Mutex<Paid>,
}

impl Throttle {
    pub(super) fn new(rates: Timetable) -> Self {
        Self {
            rates,
            paid: Mutex::default(),
        }
    }

    /// Takes note of `bytes` that came, and waits as long as they cost.
    pub(super) async fn take(&self, bytes: u64) {
        if self.rates.is_off() {
            return;
        }
        let Some(rate) = self.rates.at(Zoned::now().time()) else {
            return;
        };
        let wait = match self.paid.lock() {
            Ok(mut paid) => paid.wait(bytes, rate, Instant::now()),
            Err(_) => Duration::ZERO,
        };
        tokio::time::sleep(wait).await;
    }
}

/// Until when what came so far keeps the line busy at its rate.
#[derive(Debug, Default)]
struct Paid(Option<Instant>);

impl Paid {
    /// How long whoever brought `bytes` waits. Time that nobody used is not saved up.
    fn wait(&mut self, bytes: u64, rate: u64, now: Instant) -> Duration {
        let cost = Duration::from_secs_f64(bytes as f64 / rate.max(1) as f64);
        let busy = self.0.map_or(now, |until| until.max(now)) + cost;
        self.0 = Some(busy);
        busy.duration_since(now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_together_wait_until_the_line_has_earned_their_bytes() {
        let (mut paid, begin) = (Paid::default(), Instant::now());
        let at = |ms| begin + Duration::from_millis(ms);
        // (when, bytes at 1000 a second, how long they wait)
        for (ms, bytes, wait) in [
            (0, 500, 500),
            (0, 500, 1000),
            (600, 100, 500),
            (1100, 1, 1),
            // What was not used in between is gone.
            (9000, 2000, 2000),
            (9000, 0, 2000),
        ] {
            let waits = paid.wait(bytes, 1000, at(ms));
            assert_eq!(waits, Duration::from_millis(wait), "{bytes} at {ms} ms");
        }
    }
}
