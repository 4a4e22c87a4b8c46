//! Fuzz tests of the readers of numbers, dates, JSON, arrays and intervals. Inputs are spliced and mutated spellings,
//! including spellings that a reader has accepted.
//!
//! No input may panic. A refused input has a reason of its type and counts no loss. An accepted input is read again
//! from the text that the server prints for it, and must give the same bytes on the wire. `tests/fuzz.sh` runs these
//! tests for longer.

mod bend;
mod subjects;

use super::random::Random;
use super::*;
use crate::convert::json::canonical_check::is_canonical;
use crate::wire::binary;
use bend::Pool;
use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

/// The duration without `MIGRATE_FUZZ_SECONDS`.
const SECONDS: u64 = 2;

/// A type, its readers, and the results of its runs.
struct Subject {
    name: &'static str,
    /// Readers with different rules; one of them reads each input.
    readers: Vec<Converter>,
    /// Reads what the server prints, with no rule except the zone.
    strict: Converter,
    /// All reasons that its values may have.
    reasons: &'static [Reason],
    /// The type prints offsets.
    is_instant: bool,
    /// The texts of the type are JSON.
    is_json: bool,
    pool: Pool,
    taken: u64,
    refused: BTreeMap<Reason, u64>,
}

#[test]
fn no_fuzzed_input_causes_a_panic() {
    let number = |name: &str| std::env::var(name).ok().map(|text| text.parse::<u64>().expect(name));
    let clock = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("a clock after 1970");
    let seed = number("MIGRATE_SEED").unwrap_or(clock.as_secs());
    let budget = Duration::from_secs(number("MIGRATE_FUZZ_SECONDS").unwrap_or(SECONDS));
    println!("MIGRATE_SEED={seed}");
    let mut random = Random::of(seed);
    let mut subjects = subjects::all();
    let (began, mut runs) = (Instant::now(), 0u64);
    while runs == 0 || began.elapsed() < budget {
        for _ in 0..1_024 {
            let n = random.below(subjects.len() as u64) as usize;
            subjects[n].run(&mut random);
            runs += 1;
        }
    }
    subjects.iter().for_each(|subject| println!("{}", subject.line()));
    println!("fuzz: {runs} runs in {} s, seed {seed}", began.elapsed().as_secs());
    let idle: Vec<_> = subjects.iter().filter(|s| s.taken == 0 || s.refused.is_empty()).map(|s| s.name).collect();
    assert!(idle.is_empty(), "these took nothing, or refused nothing: {idle:?}");
}

impl Subject {
    fn run(&mut self, random: &mut Random) {
        let input = self.pool.input(random);
        let reader = &self.readers[random.below(self.readers.len() as u64) as usize];
        let held = catch_unwind(AssertUnwindSafe(|| self.hold(reader, input.raw())));
        match held.unwrap_or_else(|_| Err("it panics".to_owned())) {
            Ok(Ok(())) => self.taken += 1,
            Ok(Err(reason)) => *self.refused.entry(reason).or_default() += 1,
            Err(wrong) => panic!("{}: {wrong}\n{input}", self.name),
        }
        self.pool.keep(input, random);
    }

    /// Reads an input and checks the properties of the result. The outer error describes a violated property.
    fn hold(&self, reader: &Converter, raw: Raw<'_>) -> Result<Result<(), Reason>, String> {
        let mut losses = LossSet::default();
        let read = reader.convert(raw, &mut losses);
        if reader.prepare.is_plain() {
            self.agrees_on_json(raw, read.as_ref().err())?;
        }
        let cell = match read {
            Ok(cell) => cell,
            Err(reason) if !losses.is_empty() => return Err(format!("{reason:?} counts a loss")),
            Err(reason) if !self.reasons.contains(&reason) => return Err(format!("{reason:?} is none of its reasons")),
            Err(reason) => return Ok(Err(reason)),
        };
        let (mut field, mut fast, mut again) = (Vec::new(), Vec::new(), Vec::new());
        binary::field(&cell, &mut field);
        if reader.fast_path(&raw, &mut fast) && (fast != field || !losses.is_empty()) {
            return Err("the fast way leads elsewhere".to_owned());
        }
        let printed = subjects::printed(&cell, self.is_instant);
        let mut losses = LossSet::default();
        let read = self.strict.convert(txt(&printed), &mut losses);
        let read = read.map_err(|reason| format!("{reason:?} is said of what the server prints, {printed:?}"))?;
        binary::field(&read, &mut again);
        if again != field {
            return Err(format!("the server prints {printed:?}, which is read as another value"));
        }
        // The text of JSON is sent as it is, and these two say what becomes of it on the server.
        if losses.iter().any(|loss| !matches!(loss, Loss::NotForJsonb | Loss::JsonDigits)) {
            return Err(format!("a loss is counted in what the server prints, {printed:?}"));
        }
        Ok(Ok(()))
    }

    /// Checks that accepted JSON is accepted by another parser too, and that no text in the server's form is refused.
    fn agrees_on_json(&self, raw: Raw<'_>, refused: Option<&Reason>) -> Result<(), String> {
        let (true, Raw::Text(bytes)) = (self.is_json, raw) else { return Ok(()) };
        let Ok(text) = std::str::from_utf8(bytes) else { return Ok(()) };
        if refused.is_some() && is_canonical(bytes) {
            return Err(format!("{refused:?} is said of what is in form"));
        }
        // That parser accepts 128 levels.
        let deep = text.matches(['[', '{']).count() > 100;
        let valid = serde_json::from_str::<serde::de::IgnoredAny>(text).is_ok();
        let is_json = !matches!(refused, Some(Reason::InvalidJson | Reason::EmptyString));
        if deep || valid == is_json { Ok(()) } else { Err(format!("another program says that it is JSON: {valid}")) }
    }

    fn line(&self) -> String {
        let refused: Vec<String> = self.refused.iter().map(|(why, count)| format!("{} {count}", why.word())).collect();
        format!("{:<14} taken {:>9}, refused: {}", self.name, self.taken, refused.join(", "))
    }
}
