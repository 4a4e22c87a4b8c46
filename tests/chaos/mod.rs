//! Chaos: the real tool against a real server while everything around it dies, until the time is up.
//!
//! `tests/chaos.sh --seconds N --seed S` runs it for as long as requested; the test command runs a slice. Each trial draws
//! its kind and its moments from the printed seed. An independent reading of source and target judges it, and every exit
//! status must be true.

mod accidents;
mod fixture;
mod fleet;
pub mod proxy;
mod trial;

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use accidents::Kind;
use fixture::Fixture;
use trial::Trial;

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

/// The results of the trials of one kind.
#[derive(Default)]
struct Tally {
    trials: u64,
    injections: u64,
    runs: u64,
    time: Duration,
    failures: Vec<String>,
}

impl Tally {
    fn add(&mut self, more: Tally) {
        self.trials += more.trials;
        self.injections += more.injections;
        self.runs += more.runs;
        self.time += more.time;
        self.failures.extend(more.failures);
    }
}

impl std::fmt::Display for Tally {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (seconds, failures) = (self.time.as_secs(), self.failures.len());
        write!(f, "{:>7} {:>10} {:>7} {seconds:>7} {failures:>9}", self.trials, self.injections, self.runs)
    }
}

/// The order of kinds, repeated: first every kind once, so that a short slice contains each, then the kinds with more weight.
fn turns(only: Option<&str>) -> Vec<Kind> {
    let wanted = |kind: &Kind| only.is_none_or(|only| only == kind.name());
    let rounds = Kind::ALL.iter().map(|kind| kind.weight()).max().unwrap_or(0);
    (0..rounds).flat_map(|n| Kind::ALL.into_iter().filter(move |k| k.weight() > n).filter(wanted)).collect()
}

fn number(name: &str, otherwise: u64) -> u64 {
    std::env::var(name).ok().map_or(otherwise, |text| text.parse().unwrap_or_else(|e| panic!("{name}: {e}")))
}

#[test]
fn no_accident_loses_doubles_or_changes_a_row() {
    let seconds = number("CHAOS_SECONDS", 30);
    let first = number("CHAOS_SEED", 1);
    let only = std::env::var("CHAOS_KIND").ok();
    let fixture = Fixture::new();
    let began = Instant::now();
    let mut tallies: BTreeMap<&str, Tally> = BTreeMap::new();
    let kinds = turns(only.as_deref());
    assert!(!kinds.is_empty(), "CHAOS_KIND: no such kind");
    let mut seed = first;
    while began.elapsed() < Duration::from_secs(seconds) {
        let kind = kinds[usize::try_from(seed).expect("a small seed") % kinds.len()];
        let at = Instant::now();
        let done = Trial::run(&fixture, kind, seed);
        let tally = tallies.entry(kind.name()).or_default();
        tally.trials += 1;
        tally.injections += done.injections;
        tally.runs += done.runs;
        tally.time += at.elapsed();
        if let Some(failure) = done.failure {
            println!("seed {seed}, {}: {failure}", kind.name());
            tally.failures.push(format!("seed {seed}: {failure}"));
        }
        seed += 1;
    }
    println!("{:<28} {:>7} {:>10} {:>7} {:>7} {:>9}", "kind", "trials", "injections", "runs", "seconds", "failures");
    let mut all = Tally::default();
    for (kind, tally) in tallies {
        println!("{kind:<28} {tally}");
        all.add(tally);
    }
    println!("{:<28} {all}", "all");
    println!("seeds {first} to {}, {:.0} s", seed - 1, began.elapsed().as_secs_f64());
    assert!(all.failures.is_empty(), "{:#?}", all.failures);
}

/// Every answer of the target's is, once, the last thing that a process hears. One lane, so that the points stand in one
/// order; `CHAOS_SEED` is the first of them.
#[cfg(feature = "failpoints")]
#[test]
fn a_process_killed_after_any_answer_can_be_resumed() {
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
