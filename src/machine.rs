//! The computer that this runs on: how much memory it has, how busy and how hot it is. A Raspberry
//! Pi that swaps, or that its power supply starves, is the most common reason for a slow pull.

use serde::Serialize;
use sysinfo::{Components, MemoryRefreshKind, RefreshKind, System};

/// What `status` says about the computer.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Machine {
    /// Memory, in bytes.
    pub memory: u64,
    /// Memory that programs could still get, in bytes.
    pub memory_available: u64,
    /// Runnable processes on average over the last five minutes (`uptime(1)`).
    pub load: f64,
    /// The hottest sensor, in degrees Celsius, where there is one.
    pub temperature: Option<f32>,
    /// What the firmware of a Raspberry Pi complains of, in words; empty elsewhere.
    pub complaints: Vec<&'static str>,
}

/// The computer's name, as it calls itself: plain characters only, since anything may be set there.
pub fn name() -> String {
    let name = System::host_name().unwrap_or_default();
    let plain = |c: &char| c.is_ascii_alphanumeric() || "-_.".contains(*c);
    let name: String = name.chars().filter(plain).take(64).collect();
    match name.is_empty() {
        true => "this computer".to_owned(),
        false => name,
    }
}

impl Machine {
    /// Reads the facts from the kernel; none where it does not tell.
    pub fn read() -> Option<Self> {
        let system = system()?;
        let sensors = Components::new_with_refreshed_list().ok();
        let hottest = sensors
            .iter()
            .flat_map(|sensors| sensors.iter())
            .filter_map(sysinfo::Component::temperature)
            .filter(|degrees| degrees.is_finite())
            .reduce(f32::max);
        let throttled = std::fs::read_to_string(THROTTLED).unwrap_or_default();
        Some(Self {
            memory: system.total_memory(),
            memory_available: system.available_memory(),
            load: System::load_average().ok()?.five,
            temperature: hottest,
            complaints: complaints(&throttled),
        })
    }
}

/// The computer's memory, in bytes, where the kernel tells.
pub fn memory() -> Option<u64> {
    system().map(|system| system.total_memory())
}

fn system() -> Option<System> {
    let memory = MemoryRefreshKind::nothing().with_ram();
    System::new_with_specifics(RefreshKind::nothing().with_memory(memory)).ok()
}

/// The word of the Raspberry Pi's firmware, in hexadecimal: what `vcgencmd get_throttled` prints.
const THROTTLED: &str = "/sys/devices/platform/soc/soc:firmware/get_throttled";

/// The bits of that word (Raspberry Pi documentation, "vcgencmd", `get_throttled`).
const BITS: [(u32, &str); 8] = [
    (
        0,
        "too little voltage now: use a better power supply or a powered hub for the drive",
    ),
    (1, "slowed down for its voltage now"),
    (2, "throttled now"),
    (3, "too hot now: give it air"),
    (
        16,
        "had too little voltage since it was switched on: use a better power supply or a powered hub for the drive",
    ),
    (17, "was slowed down since it was switched on"),
    (18, "was throttled since it was switched on"),
    (19, "was too hot since it was switched on: give it air"),
];

fn complaints(word: &str) -> Vec<&'static str> {
    let digits = word.trim().trim_start_matches("0x");
    let word = u32::from_str_radix(digits, 16).unwrap_or(0);
    let set = |bit: u32| word & (1 << bit) != 0;
    // What is so now was so since then: once is enough.
    BITS.iter()
        .filter(|(bit, _)| set(*bit) && !(*bit >= 16 && set(*bit - 16)))
        .map(|(_, words)| *words)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_computer_has_memory() {
        let machine = Machine::read().unwrap();
        assert!(machine.memory > 0);
        assert!(machine.memory_available <= machine.memory);
        assert_eq!(memory(), Some(machine.memory));
    }

    #[test]
    fn the_firmwares_word() {
        for (word, said) in [
            ("", vec![]),
            ("0\n", vec![]),
            ("garbage", vec![]),
            ("0x0", vec![]),
            ("50000", vec![BITS[4].1, BITS[6].1]),
            ("50005\n", vec![BITS[0].1, BITS[2].1]),
            ("80008", vec![BITS[3].1]),
        ] {
            assert_eq!(complaints(word), said, "{word:?}");
        }
    }
}
