//! The validator of JSON text: the grammar of RFC 8259, without recursion and without a limit of depth.
//!
//! Open brackets and the keys of open objects are kept in buffers of the thread. `JsonFacts` receives the facts about
//! the text, `JsonFlaw` the position of an error.

use super::escapes::{Letters, unit};
use crate::model::fault::Reason;
use std::cell::RefCell;

/// The position at which a text stops being JSON, or of content that `jsonb` cannot store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct JsonFlaw {
    /// `InvalidJson`, `NulInJson`, `LoneSurrogate`, `JsonNumber` or `TooLarge`.
    pub reason: Reason,
    /// Byte offset from the start of the text.
    pub position: usize,
}

/// Facts about a valid text.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct JsonFacts {
    /// An object contains a key twice. Only set on request.
    pub duplicate_keys: bool,
    /// The text contains `\u0000`.
    pub nul: bool,
    /// The text contains half a surrogate pair.
    pub lone_surrogate: bool,
    /// `jsonb` writes a number without its sign, or without its large exponent.
    pub other_digits: bool,
    /// The first content that `jsonb` cannot store.
    pub not_for_jsonb: Option<JsonFlaw>,
}

/// A key of an open object: the position of its string (without quotes) and a hash of its decoded content.
#[derive(Clone, Copy)]
struct KeySpan {
    hash: u32,
    start: u32,
    end: u32,
}

/// Buffers that are kept between values, so that a value needs no allocation.
#[derive(Default)]
struct WalkScratch {
    /// For each open object, the index of its first key in `keys`; for an array, `ARRAY`.
    open: Vec<u32>,
    keys: Vec<KeySpan>,
}

const ARRAY: u32 = u32::MAX;
const KEPT: usize = 1 << 14;
/// The limit of jsonb for one string, in bytes.
pub(super) const LONGEST_STRING: usize = 0x0fff_ffff;

thread_local! {
    static SCRATCH: RefCell<WalkScratch> = RefCell::default();
}

/// Validates a text and collects facts about it. Looks for duplicate keys only if `want_keys` is true. The error is the
/// position at which the text is not JSON.
pub(super) fn walk(text: &[u8], want_keys: bool, facts: &mut JsonFacts) -> Result<(), usize> {
    SCRATCH.with_borrow_mut(|scratch| {
        scratch.open.clear();
        scratch.keys.clear();
        let found = JsonWalk { text, facts, want_keys, scratch: &mut *scratch }.document();
        // One huge value must not keep its memory for the rest of the run.
        scratch.keys.shrink_to(KEPT);
        scratch.open.shrink_to(KEPT);
        found
    })
}

/// The validation of one text. Each method takes a position and returns the next one, or the position at which the text
/// is not JSON. The position is not a field, so that it stays in a register.
struct JsonWalk<'a> {
    text: &'a [u8],
    facts: &'a mut JsonFacts,
    want_keys: bool,
    scratch: &'a mut WalkScratch,
}

type WalkResult = Result<usize, usize>;

impl JsonWalk<'_> {
    fn document(&mut self) -> Result<(), usize> {
        let mut at = 0;
        loop {
            at = self.value(at)?;
            // After a value: closing brackets, then a comma, then the next value.
            loop {
                at = self.blanks(at);
                let Some(top) = self.scratch.open.last().copied() else {
                    return if at == self.text.len() { Ok(()) } else { Err(at) };
                };
                match (self.text.get(at), top) {
                    (Some(b','), ARRAY) => {
                        at += 1;
                        break;
                    }
                    (Some(b','), _) => {
                        at = self.key(at + 1)?;
                        break;
                    }
                    (Some(b']'), ARRAY) => {}
                    (Some(b'}'), first) if first != ARRAY => self.close_keys(first as usize),
                    _ => return Err(at),
                }
                self.scratch.open.pop();
                at += 1;
            }
        }
    }

    /// Skips white space.
    #[inline]
    fn blanks(&self, mut at: usize) -> usize {
        while let Some(b' ' | b'\t' | b'\n' | b'\r') = self.text.get(at) {
            at += 1;
        }
        at
    }

    /// Reads one value. An object or array is read down to its first scalar or empty value.
    #[inline]
    fn value(&mut self, mut at: usize) -> WalkResult {
        loop {
            at = self.blanks(at);
            match self.text.get(at).ok_or(at)? {
                b'"' => return self.string(at).map(|(end, _)| end),
                b'-' | b'0'..=b'9' => return self.number(at),
                b't' => return self.word(at, b"true"),
                b'f' => return self.word(at, b"false"),
                b'n' => return self.word(at, b"null"),
                b'[' => {
                    at = self.blanks(at + 1);
                    if self.text.get(at) == Some(&b']') {
                        return Ok(at + 1);
                    }
                    self.scratch.open.push(ARRAY);
                }
                b'{' => {
                    at = self.blanks(at + 1);
                    if self.text.get(at) == Some(&b'}') {
                        return Ok(at + 1);
                    }
                    self.scratch.open.push(self.scratch.keys.len() as u32);
                    at = self.key(at)?;
                }
                _ => return Err(at),
            }
        }
    }

    /// Reads a key and its colon.
    #[inline]
    fn key(&mut self, at: usize) -> WalkResult {
        let start = self.blanks(at);
        if self.text.get(start) != Some(&b'"') {
            return Err(start);
        }
        let (end, escaped) = self.string(start)?;
        if self.want_keys && !self.facts.duplicate_keys {
            let key = &self.text[start + 1..end - 1];
            let hash = if escaped { hash(&Letters::new(key).bytes()) } else { hash(key) };
            // The value's length was checked to be below 2^30.
            self.scratch.keys.push(KeySpan { hash, start: start as u32 + 1, end: end as u32 - 1 });
        }
        let colon = self.blanks(end);
        if self.text.get(colon) == Some(&b':') { Ok(colon + 1) } else { Err(colon) }
    }

    fn word(&self, at: usize, word: &[u8]) -> WalkResult {
        if self.text[at..].starts_with(word) { Ok(at + word.len()) } else { Err(at) }
    }

    /// Reads a string with its quotes. Also returns true if the string contains escapes.
    #[inline]
    fn string(&mut self, start: usize) -> Result<(usize, bool), usize> {
        let mut escaped = false;
        let mut at = start + 1;
        loop {
            at = plain(self.text, at);
            match self.text.get(at).ok_or(at)? {
                b'"' => break,
                b'\\' => {
                    escaped = true;
                    at = self.escape(at)?;
                }
                _ => return Err(at),
            }
        }
        if at - start > LONGEST_STRING {
            self.flaw(Reason::TooLarge, start);
        }
        Ok((at + 1, escaped))
    }

    fn escape(&mut self, at: usize) -> WalkResult {
        match self.text.get(at + 1).ok_or(at + 1)? {
            b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't' => return Ok(at + 2),
            b'u' => {}
            _ => return Err(at + 1),
        }
        match unit(&self.text[at..]).ok_or(at)? {
            0 => {
                self.facts.nul = true;
                self.flaw(Reason::NulInJson, at);
            }
            0xd800..=0xdbff => {
                if let Some(0xdc00..=0xdfff) = unit(&self.text[at + 6..]) {
                    return Ok(at + 12);
                }
                self.lone_surrogate(at);
            }
            0xdc00..=0xdfff => self.lone_surrogate(at),
            _ => {}
        }
        Ok(at + 6)
    }

    fn lone_surrogate(&mut self, at: usize) {
        self.facts.lone_surrogate = true;
        self.flaw(Reason::LoneSurrogate, at);
    }

    /// Records the first content that `jsonb` cannot store.
    #[cold]
    fn flaw(&mut self, reason: Reason, position: usize) {
        self.facts.not_for_jsonb.get_or_insert(JsonFlaw { reason, position });
    }

    #[inline]
    fn number(&mut self, start: usize) -> WalkResult {
        let text = self.text;
        let digits = |mut at: usize| {
            while text.get(at).is_some_and(u8::is_ascii_digit) {
                at += 1;
            }
            at
        };
        let whole = start + usize::from(text[start] == b'-');
        let mut at = digits(whole);
        if at == whole {
            return Err(at);
        }
        if text[whole] == b'0' && at > whole + 1 {
            return Err(whole + 1);
        }
        let mut decimals = 0;
        if text.get(at) == Some(&b'.') {
            let point = at + 1;
            at = digits(point);
            decimals = at - point;
            if decimals == 0 {
                return Err(at);
            }
        }
        let mut exponent = 0;
        if let Some(b'e' | b'E') = text.get(at) {
            let negative = text.get(at + 1) == Some(&b'-');
            let first = at + 1 + usize::from(matches!(text.get(at + 1), Some(b'-' | b'+')));
            at = digits(first);
            if at == first {
                return Err(at);
            }
            let size = text[first..at].iter().fold(0i64, |size, b| (size * 10 + i64::from(b - b'0')).min(1 << 40));
            exponent = if negative { -size } else { size };
        }
        if exponent.abs() > LARGE_EXPONENT || (whole > start && is_zero(&text[whole..at])) {
            self.facts.other_digits = true;
        }
        if (exponent != 0 || at - start > 1000) && !numeric_holds(&text[start..at], decimals, exponent) {
            self.flaw(Reason::JsonNumber, start);
        }
        Ok(at)
    }

    /// Looks for duplicates among the keys of the object that ends, and forgets the keys.
    fn close_keys(&mut self, first: usize) {
        let text = self.text;
        let Some(keys) = self.scratch.keys.get_mut(first..) else { return };
        let twice = |keys: &[KeySpan]| {
            let before = |at: usize| keys[..at].iter().any(|key| same_key(text, key, &keys[at]));
            (1..keys.len()).any(before)
        };
        if keys.len() <= 12 {
            self.facts.duplicate_keys |= twice(keys);
        } else {
            keys.sort_unstable_by_key(|key| key.hash);
            self.facts.duplicate_keys |= keys.chunk_by(|a, b| a.hash == b.hash).any(twice);
        }
        self.scratch.keys.truncate(first);
    }
}

/// Returns the position of the next quote, backslash or control character. Tests eight bytes at a time.
#[inline]
pub(super) fn plain(text: &[u8], mut at: usize) -> usize {
    const ONES: u64 = 0x0101_0101_0101_0101;
    const HIGH: u64 = 0x8080_8080_8080_8080;
    let none = |word: u64, byte: u8| {
        let off = word ^ (ONES * u64::from(byte));
        off.wrapping_sub(ONES) & !off & HIGH
    };
    while let Some(chunk) = text.get(at..).and_then(|rest| rest.first_chunk::<8>()) {
        let word = u64::from_le_bytes(*chunk);
        let control = word.wrapping_sub(ONES * 0x20) & !word & HIGH;
        let found = none(word, b'"') | none(word, b'\\') | control;
        if found != 0 {
            return at + (found.trailing_zeros() / 8) as usize;
        }
        at += 8;
    }
    while text.get(at).is_some_and(|byte| *byte >= 0x20 && *byte != b'"' && *byte != b'\\') {
        at += 1;
    }
    at
}

/// Hashes the length and the ends of a key. Keys with equal hashes are then compared byte by byte.
#[inline]
fn hash(key: &[u8]) -> u32 {
    let ends = match (key.first_chunk::<8>(), key.last_chunk::<8>()) {
        (Some(first), Some(last)) => u64::from_le_bytes(*first) ^ u64::from_le_bytes(*last).rotate_left(32),
        _ => key.iter().fold(0, |word, byte| word << 8 | u64::from(*byte)),
    };
    ((ends ^ key.len() as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32) as u32
}

/// Exponents up to this one add no more digits than a double has.
const LARGE_EXPONENT: i64 = 17;

/// Returns true if a number without its sign is zero.
fn is_zero(number: &[u8]) -> bool {
    number.iter().take_while(|byte| !matches!(byte, b'e' | b'E')).all(|byte| matches!(byte, b'0' | b'.'))
}

/// Returns true if the server's `numeric` can store a JSON number: at most 131,072 digits before the point and 16,383
/// decimals as written, including zeros.
fn numeric_holds(number: &[u8], decimals: usize, exponent: i64) -> bool {
    const MOST: i64 = 1 << 29;
    let digits = number.iter().take_while(|byte| !matches!(byte, b'e' | b'E')).filter(|byte| byte.is_ascii_digit());
    let leading = digits.clone().take_while(|byte| **byte == b'0').count();
    let count = digits.count();
    let before_point = (count - leading) as i64 - decimals as i64 + exponent;
    exponent.abs() < MOST && decimals as i64 - exponent <= 16_383 && (leading == count || before_point <= 131_072)
}

fn same_key(text: &[u8], a: &KeySpan, b: &KeySpan) -> bool {
    if a.hash != b.hash {
        return false;
    }
    let key = |key: &KeySpan| &text[key.start as usize..key.end as usize];
    key(a) == key(b)
        || (key(a).contains(&b'\\') || key(b).contains(&b'\\')) && Letters::new(key(a)).eq(Letters::new(key(b)))
}
