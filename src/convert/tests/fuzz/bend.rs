//! Inputs of the fuzz tests: spellings from a pool, spliced and mutated byte by byte; sometimes numbers and blobs.
//!
//! An accepted mutation of a spelling joins the pool, so that later inputs get further.

use super::super::random::Random;
use super::Raw;
use std::fmt;

/// Number of spellings kept per subject.
const MOST: usize = 2_048;

/// Longest input, in bytes.
const LONGEST: usize = 256;

/// Characters that occur in the spellings of every type.
const PIECES: &[&str] = &[
    "-",
    "+",
    ".",
    ":",
    ",",
    " ",
    "0",
    "1",
    "9",
    "00",
    "24",
    "59",
    "60",
    "31",
    "e",
    "E",
    "e-",
    "e+9",
    "T",
    "Z",
    "P",
    "PT",
    "D",
    "M",
    "W",
    "BC",
    " day",
    " mons",
    "year",
    "ago",
    "+05:30",
    "-00",
    "UTC",
    "GMT",
    "Mar",
    "Thu, ",
    "m=+0.1",
    "infinity",
    "NaN",
    "now",
    "{",
    "}",
    "[",
    "]",
    "\"",
    "\\",
    "\\\"",
    "\\u0000",
    "\\ud800",
    "\\u00e9",
    "null",
    "NULL",
    "true",
    "é",
    "\u{0}",
    "\u{feff}",
    "999999999999999999999",
    "0.0000000000000000001",
    "\n",
    "\t",
    "/",
    "::",
    "urn:uuid:",
    "(",
    ")",
    "%",
    "'",
    "$",
];

/// The inputs that are read.
pub(super) enum Input {
    Text(Vec<u8>),
    Blob(Vec<u8>),
    Integer(i64),
    Real(f64),
}

impl Input {
    pub(super) fn raw(&self) -> Raw<'_> {
        match self {
            Input::Text(bytes) => Raw::Text(bytes),
            Input::Blob(bytes) => Raw::Blob(bytes),
            Input::Integer(value) => Raw::Integer(*value),
            Input::Real(value) => Raw::Real(*value),
        }
    }
}

impl fmt::Display for Input {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Input::Text(bytes) => write!(f, "text \"{}\"", bytes.escape_ascii()),
            other => write!(f, "{:?}", other.raw()),
        }
    }
}

/// The spellings of one subject.
pub(super) struct Pool {
    texts: Vec<Vec<u8>>,
    seeds: usize,
}

impl Pool {
    pub(super) fn new(seeds: &[&str]) -> Pool {
        Pool { texts: seeds.iter().map(|seed| seed.as_bytes().to_vec()).collect(), seeds: seeds.len() }
    }

    /// Returns the next input.
    pub(super) fn input(&self, random: &mut Random) -> Input {
        match random.below(32) {
            0 => Input::Integer((random.next() as i64) >> random.below(64)),
            1 => Input::Real(random.real()),
            2 => Input::Real(random.real().trunc()),
            3 => Input::Blob(self.one(random).to_vec()),
            _ => Input::Text(self.text(random)),
        }
    }

    /// Adds an input to the spellings, in the place of one that was no seed.
    pub(super) fn keep(&mut self, input: Input, random: &mut Random) {
        let Input::Text(text) = input else { return };
        if random.below(8) > 0 {
            return;
        }
        if self.texts.len() < MOST {
            self.texts.push(text);
        } else {
            let n = self.seeds + random.below((MOST - self.seeds) as u64) as usize;
            self.texts[n] = text;
        }
    }

    fn one(&self, random: &mut Random) -> &[u8] {
        // The seeds are used as often as all inputs derived from them.
        let of = if random.below(2) == 0 { self.seeds } else { self.texts.len() };
        &self.texts[random.below(of as u64) as usize]
    }

    fn text(&self, random: &mut Random) -> Vec<u8> {
        let mut text = self.one(random).to_vec();
        if random.below(4) == 0 {
            let other = self.one(random);
            text.truncate(random.below(text.len() as u64 + 1) as usize);
            text.extend_from_slice(&other[random.below(other.len() as u64 + 1) as usize..]);
        }
        for _ in 0..random.below(4) {
            bend(&mut text, random);
        }
        text.truncate(LONGEST);
        text
    }
}

/// Applies one mutation.
fn bend(text: &mut Vec<u8>, random: &mut Random) {
    let at = random.below(text.len() as u64 + 1) as usize;
    let piece = PIECES[random.below(PIECES.len() as u64) as usize];
    let digit = b'0' + random.below(10) as u8;
    match random.below(7) {
        0 => text.splice(at..at, piece.bytes()).for_each(drop),
        1 => text.insert(at, digit),
        2 if at < text.len() => text[at] = if text[at].is_ascii_digit() { digit } else { random.next() as u8 },
        3 if at < text.len() => drop(text.remove(at)),
        4 => text.truncate(at),
        5 => {
            // Repeats a part of the text.
            let end = (at + random.below(12) as usize).min(text.len());
            let again = text[at..end].to_vec();
            text.splice(at..at, again).for_each(drop);
        }
        6 if at < text.len() => text[at] = text[at].to_ascii_uppercase(),
        _ => text.extend_from_slice(piece.as_bytes()),
    }
}
