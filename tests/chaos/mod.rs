//! Chaos: the real tool against a real server while everything around it dies, until the time is over.
//!
//! `tests/chaos.sh --seconds N --seed S` runs it for as long as is wanted; the test command runs a slice. Each trial draws
//! its kind and its moments from the printed seed, is judged by an independent reading of source and target, and every
//! exit status must have told the truth.

mod fixture;
pub mod proxy;
mod server;
mod trial;

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use fixture::Fixture;
use trial::{Kind, Trial};

/// Numbers from a seed (splitmix64): the same seed draws the same trials.
pub struct Dice(u64);

impl Dice {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Below `n`.
    pub fn below(&mut self, n: u64) -> u64 {
        self.next() % n
    }

    /// A duration below this many milliseconds.
    pub fn within(&mut self, milliseconds: u64) -> Duration {
        Duration::from_micros(self.below(milliseconds * 1000))
    }
}

/// What came of the trials of one kind.
#[derive(Default)]
struct Tally {
    trials: u64,
    events: u64,
    runs: u64,
    failures: Vec<String>,
}

fn number(name: &str, otherwise: u64) -> u64 {
    std::env::var(name).ok().map_or(otherwise, |text| text.parse().unwrap_or_else(|e| panic!("{name}: {e}")))
}

#[test]
fn nothing_is_lost_doubled_or_changed_whatever_dies() {
    let seconds = number("CHAOS_SECONDS", 40);
    let first = number("CHAOS_SEED", 1);
    let only = std::env::var("CHAOS_KIND").ok();
    let fixture = Fixture::new();
    let began = Instant::now();
    let mut tallies: BTreeMap<&str, Tally> = BTreeMap::new();
    let mut seed = first;
    while began.elapsed() < Duration::from_secs(seconds) {
        let kinds: Vec<Kind> =
            Kind::ALL.into_iter().filter(|kind| only.as_ref().is_none_or(|only| only == kind.name())).collect();
        assert!(!kinds.is_empty(), "CHAOS_KIND: no such kind");
        // Every kind gets its turn, so that a short slice holds each.
        let kind = kinds[usize::try_from(seed).expect("a small seed") % kinds.len()];
        let done = Trial::run(&fixture, kind, seed);
        let tally = tallies.entry(kind.name()).or_default();
        tally.trials += 1;
        tally.events += done.events;
        tally.runs += done.runs;
        if let Some(failure) = done.failure {
            println!("seed {seed}, {}: {failure}", kind.name());
            tally.failures.push(format!("seed {seed}: {failure}"));
        }
        seed += 1;
    }
    println!("{:<28} {:>7} {:>7} {:>7} {:>9}", "kind", "trials", "events", "runs", "failures");
    for (kind, tally) in &tallies {
        let failures = tally.failures.len();
        println!("{kind:<28} {:>7} {:>7} {:>7} {failures:>9}", tally.trials, tally.events, tally.runs);
    }
    println!("seeds {first} to {}, {:.0} s", seed - 1, began.elapsed().as_secs_f64());
    let failures: Vec<&String> = tallies.values().flat_map(|t| &t.failures).collect();
    assert!(failures.is_empty(), "{failures:#?}");
}

/// Every answer of the target's is, once, the last thing that a process hears. One lane, so that the points stand in one
/// order; `CHAOS_SEED` is the first of them.
#[cfg(feature = "failpoints")]
#[test]
fn a_process_that_ends_behind_any_answer_is_gone_on_from() {
    let seconds = number("CHAOS_SECONDS", 60);
    let fixture = Fixture::new();
    let began = Instant::now();
    let mut failures = Vec::new();
    let mut points = number("CHAOS_SEED", 1)..;
    let all = loop {
        let point = points.next().expect("points");
        match Trial::at_point(&fixture, point) {
            Ok(true) => {}
            Ok(false) => break true,
            Err(failure) => failures.push(format!("point {point}: {failure}")),
        }
        if began.elapsed() > Duration::from_secs(seconds) {
            break false;
        }
    };
    println!("points up to {}{}, {} failures", points.start - 1, if all { " (all)" } else { "" }, failures.len());
    assert!(failures.is_empty(), "{failures:#?}");
}
