//! The computer that this runs on: how much memory it has and how busy it is. A Raspberry Pi that
//! swaps is the most common reason for a slow pull.

use serde::Serialize;
use sysinfo::{MemoryRefreshKind, RefreshKind, System};

/// What `status` says about the computer.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Machine {
    /// Memory, in bytes.
    pub memory: u64,
    /// Memory that programs could still get, in bytes.
    pub memory_available: u64,
    /// Runnable processes on average over the last five minutes (`uptime(1)`).
    pub load: f64,
}

impl Machine {
    /// Reads the facts from the kernel; none where it does not tell.
    pub fn read() -> Option<Self> {
        let memory = MemoryRefreshKind::nothing().with_ram();
        let what = RefreshKind::nothing().with_memory(memory);
        let system = System::new_with_specifics(what).ok()?;
        Some(Self {
            memory: system.total_memory(),
            memory_available: system.available_memory(),
            load: System::load_average().ok()?.five,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_computer_has_memory() {
        let machine = Machine::read().unwrap();
        assert!(machine.memory > 0);
        assert!(machine.memory_available <= machine.memory);
    }
}
