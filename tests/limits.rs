//! `[limits]` and `--limit-rate`, by the program itself.
#![allow(clippy::indexing_slicing, clippy::unwrap_used)]

mod support;

use offsite::demo::bucket::{Fault, Trickle};
use std::io::Write as _;
use std::time::{Duration, Instant};
use support::Embedded;

fn with_limits(limits: &str) -> Embedded {
    let at = Embedded::new();
    let mut config = std::fs::OpenOptions::new()
        .append(true)
        .open(at.home.config())
        .unwrap();
    write!(config, "\n[limits]\n{limits}\n").unwrap();
    at
}

/// A lower bound alone: a slow machine does not make it red.
#[test]
fn downloads_take_at_least_as_long_as_the_rate_says() {
    let at = with_limits("rate = \"64KiB/s\"");
    for n in 0..8 {
        at.bucket.put(&format!("{n}"), vec![n; 16 << 10]);
    }
    let begin = Instant::now();
    at.home.run(["pull"]).exits(0);
    let least = Duration::from_millis(1900);
    assert!(begin.elapsed() >= least, "{:?}", begin.elapsed());
    // Large ones in ranges share the same line, and the option wins.
    at.bucket.put("large", vec![9; 33 << 20]);
    let begin = Instant::now();
    at.home.run(["pull", "--limit-rate", "11 MiB/s"]).exits(0);
    let least = Duration::from_millis(2900);
    assert!(begin.elapsed() >= least, "{:?}", begin.elapsed());
}

#[test]
fn a_run_that_takes_too_long_ends_and_the_next_goes_on() {
    let at = with_limits("max_duration = \"5s\"");
    at.bucket.put("quick", b"x".to_vec());
    at.bucket.put("slow", vec![1; 4 << 10]);
    let slow = Trickle {
        bytes: 1,
        every: Duration::from_millis(100),
    };
    at.bucket
        .with_faults(|faults| faults.trickle = Some(Fault::new(slow).on(|key| key == "slow")));
    let told = at.home.run(["pull"]).exits(3);
    assert!(told.stdout.contains("interrupted"), "{}", told.stdout);
    let left = "1 objects (4.0 KiB) are left for the next run: max_duration";
    assert!(told.stdout.contains(left), "{}", told.stdout);
    at.bucket.with_faults(|faults| faults.trickle = None);
    at.home.run(["pull"]).exits(0);
    at.home.run(["status"]).exits(0);
}

#[test]
fn what_is_left_is_said_with_the_limit_that_left_it() {
    let at = with_limits("max_bytes = \"1 KiB\"\nconcurrency = 1");
    for n in 0..3 {
        at.bucket.put(&format!("{n}"), vec![n; 512]);
    }
    let told = at.home.run(["pull"]).exits(3);
    let left = "1 objects (512 B) are left for the next run: max_bytes";
    assert!(told.stdout.contains(left), "{}", told.stdout);
}

#[test]
fn a_limit_that_is_none_is_refused() {
    let at = with_limits("rate = \"fast\"");
    let told = at.home.run(["pull"]).exits(2);
    assert!(told.stderr.contains("neither a rate"), "{}", told.stderr);
    let told = Embedded::new()
        .home
        .run(["pull", "--limit-rate", "fast"])
        .exits(2);
    assert!(told.stderr.contains("neither a rate"), "{}", told.stderr);
    assert!(told.stderr.contains("08:00 1MiB/s"), "{}", told.stderr);
}
