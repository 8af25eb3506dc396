//! The floor-rate watchdog: a transfer that trickles is as dead as one that stands still, but no
//! idle timeout ever notices it.

use std::time::Duration;

/// The slowest that a transfer may be.
#[derive(Clone, Copy, Debug)]
pub struct Floor {
    /// Bytes per second.
    pub rate: u64,
    /// Over how long the rate is measured.
    pub over: Duration,
}

impl Default for Floor {
    /// 16 KiB/s over 60 s: slower than the slowest home line in use, so that only a transfer that
    /// something is wrong with falls below it.
    fn default() -> Self {
        Self {
            rate: 16 << 10,
            over: Duration::from_secs(60),
        }
    }
}

/// Measures one transfer against a [`Floor`]. Only the time spent waiting for the network
/// counts: a slow drive is not the network's fault.
#[derive(Debug)]
pub struct Pace {
    floor: Floor,
    waited: Duration,
    bytes: u64,
}

impl Pace {
    /// A transfer that begins now.
    pub fn new(floor: Floor) -> Self {
        Self {
            floor,
            waited: Duration::ZERO,
            bytes: 0,
        }
    }

    /// Takes note of `bytes` that took `waited` to come; false once the transfer is below the
    /// floor.
    pub fn holds(&mut self, bytes: u64, waited: Duration) -> bool {
        self.bytes = self.bytes.saturating_add(bytes);
        self.waited = self.waited.saturating_add(waited);
        if self.waited < self.floor.over {
            return true;
        }
        let least = self.floor.rate.saturating_mul(self.waited.as_secs());
        let holds = self.bytes >= least;
        (self.waited, self.bytes) = (Duration::ZERO, 0);
        holds
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// (bytes each second, for how many seconds, holds)
    #[test]
    fn a_trickle_is_noticed_and_a_slow_line_is_not() {
        for (rate, seconds, holds) in [
            (1, 59, true),
            (1, 60, false),
            (16 << 10, 600, true),
            ((16 << 10) - 1, 60, false),
            (1 << 20, 3600, true),
        ] {
            let mut pace = Pace::new(Floor::default());
            let all = (0..seconds).all(|_| pace.holds(rate, Duration::from_secs(1)));
            assert_eq!(all, holds, "{rate} B/s for {seconds} s");
        }
    }

    #[test]
    fn a_fast_beginning_does_not_excuse_a_trickle() {
        let mut pace = Pace::new(Floor::default());
        assert!(pace.holds(1 << 30, Duration::from_secs(60)));
        assert!(!(0..60).all(|_| pace.holds(1, Duration::from_secs(1))));
    }
}
