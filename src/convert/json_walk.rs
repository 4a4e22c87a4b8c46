//! The walk over a JSON text: the grammar of RFC 8259, without recursion and without a limit of depth.
//!
//! Keeps what is open and the keys of open objects in a scratch space of the thread; what a text holds goes into
//! `Facts`, where it fails is the caller's `Flaw`.

use super::json::{Facts, Flaw};
use super::json_text::{Letters, hash, unit};
use crate::model::fault::Reason;
use std::cell::RefCell;

/// A key of an object that is still open: where its string stands (without quotes), and a hash of what it says.
#[derive(Clone, Copy)]
struct Key {
    hash: u32,
    start: u32,
    end: u32,
}

/// What is open, kept between values so that a value costs no allocation.
#[derive(Default)]
struct Scratch {
    /// Of each open object, where its keys start in `keys`; of an array, `ARRAY`.
    open: Vec<u32>,
    keys: Vec<Key>,
}

const ARRAY: u32 = u32::MAX;
const KEPT: usize = 1 << 14;

thread_local! {
    static SCRATCH: RefCell<Scratch> = RefCell::default();
}

/// What a text holds; keys told apart only when asked.
pub(super) fn facts(text: &[u8], keys: bool) -> Result<Facts, Flaw> {
    SCRATCH.with_borrow_mut(|scratch| {
        scratch.open.clear();
        scratch.keys.clear();
        let mut walk = Walk { text, at: 0, facts: Facts::default(), want_keys: keys, scratch: &mut *scratch };
        let found = match walk.document() {
            Some(()) => Ok(walk.facts),
            None => Err(Flaw { reason: Reason::InvalidJson, position: walk.at }),
        };
        // One huge value must not keep its memory for the rest of the run.
        scratch.keys.shrink_to(KEPT);
        scratch.open.shrink_to(KEPT);
        found
    })
}

/// A walk over one text. `None` from any step: what stands at `at` is not JSON.
struct Walk<'a> {
    text: &'a [u8],
    at: usize,
    facts: Facts,
    want_keys: bool,
    scratch: &'a mut Scratch,
}

impl Walk<'_> {
    fn document(&mut self) -> Option<()> {
        self.value()?;
        while let Some(top) = self.scratch.open.last().copied() {
            // Behind a value of an object or array: a comma and the next one, or its end.
            match (self.peek(), top) {
                (Some(b','), ARRAY) => {
                    self.at += 1;
                    self.value()?;
                }
                (Some(b','), _) => {
                    self.at += 1;
                    self.member()?;
                }
                (Some(b']'), ARRAY) => self.close(),
                (Some(b'}'), keys) if keys != ARRAY => {
                    self.check_keys(keys as usize);
                    self.close();
                }
                _ => return None,
            }
        }
        self.peek().is_none().then_some(())
    }

    fn close(&mut self) {
        self.at += 1;
        self.scratch.open.pop();
    }

    /// The next byte that is not white space.
    #[inline]
    fn peek(&mut self) -> Option<u8> {
        loop {
            match self.text.get(self.at) {
                Some(b' ' | b'\t' | b'\n' | b'\r') => self.at += 1,
                byte => return byte.copied(),
            }
        }
    }

    /// One value; of an object or array, its opening down to the first scalar or empty one.
    fn value(&mut self) -> Option<()> {
        loop {
            match self.peek()? {
                b'"' => return self.string().map(|_| ()),
                b'-' | b'0'..=b'9' => return self.number(),
                b't' => return self.word(b"true"),
                b'f' => return self.word(b"false"),
                b'n' => return self.word(b"null"),
                b'[' => {
                    self.at += 1;
                    if self.peek()? == b']' {
                        self.at += 1;
                        return Some(());
                    }
                    self.scratch.open.push(ARRAY);
                }
                b'{' => {
                    self.at += 1;
                    if self.peek()? == b'}' {
                        self.at += 1;
                        return Some(());
                    }
                    self.scratch.open.push(self.scratch.keys.len() as u32);
                    self.key()?;
                }
                _ => return None,
            }
        }
    }

    fn member(&mut self) -> Option<()> {
        self.key()?;
        self.value()
    }

    fn key(&mut self) -> Option<()> {
        if self.peek()? != b'"' {
            return None;
        }
        let start = self.at + 1;
        let escaped = self.string()?;
        if self.want_keys && !self.facts.duplicate_keys {
            let end = self.at - 1;
            let key = &self.text[start..end];
            let hash = if escaped { hash(Letters::new(key)) } else { hash(key.iter().map(|b| u32::from(*b))) };
            // A value's length was checked to lie below 2^30.
            self.scratch.keys.push(Key { hash, start: start as u32, end: end as u32 });
        }
        if self.peek()? != b':' {
            return None;
        }
        self.at += 1;
        Some(())
    }

    fn word(&mut self, word: &[u8]) -> Option<()> {
        self.text[self.at..].starts_with(word).then(|| self.at += word.len())
    }

    /// A string with its quotes; whether it has escapes.
    fn string(&mut self) -> Option<bool> {
        let start = self.at;
        let mut escaped = false;
        self.at += 1;
        loop {
            self.plain();
            match self.text.get(self.at)? {
                b'"' => break,
                b'\\' => {
                    escaped = true;
                    self.escape()?;
                }
                _ => return None,
            }
        }
        self.at += 1;
        if self.at - start > LONGEST_STRING {
            self.facts.long_string.get_or_insert(start);
        }
        Some(escaped)
    }

    /// Runs to the next quote, backslash or control character, eight bytes at a time.
    #[inline]
    fn plain(&mut self) {
        const ONES: u64 = 0x0101_0101_0101_0101;
        const HIGH: u64 = 0x8080_8080_8080_8080;
        let none = |word: u64, byte: u8| {
            let off = word ^ (ONES * u64::from(byte));
            off.wrapping_sub(ONES) & !off & HIGH
        };
        while let Some(chunk) = self.text.get(self.at..).and_then(|rest| rest.first_chunk::<8>()) {
            let word = u64::from_le_bytes(*chunk);
            let control = word.wrapping_sub(ONES * 0x20) & !word & HIGH;
            let found = none(word, b'"') | none(word, b'\\') | control;
            if found != 0 {
                self.at += (found.trailing_zeros() / 8) as usize;
                return;
            }
            self.at += 8;
        }
        let rest = &self.text[self.at..];
        self.at += rest.iter().take_while(|byte| **byte >= 0x20 && **byte != b'"' && **byte != b'\\').count();
    }

    fn escape(&mut self) -> Option<()> {
        match self.text.get(self.at + 1)? {
            b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't' => self.at += 2,
            b'u' => {
                let first = unit(&self.text[self.at..])?;
                let start = self.at;
                self.at += 6;
                match first {
                    0 => {
                        self.facts.nul.get_or_insert(start);
                    }
                    0xd800..=0xdbff => match unit(&self.text[self.at..]) {
                        Some(0xdc00..=0xdfff) => self.at += 6,
                        _ => {
                            self.facts.lone_surrogate.get_or_insert(start);
                        }
                    },
                    0xdc00..=0xdfff => {
                        self.facts.lone_surrogate.get_or_insert(start);
                    }
                    _ => {}
                }
            }
            _ => {
                self.at += 1;
                return None;
            }
        }
        Some(())
    }

    fn number(&mut self) -> Option<()> {
        let start = self.at;
        if self.text[self.at] == b'-' {
            self.at += 1;
        }
        let whole = self.digits();
        match whole {
            [] => return None,
            [b'0', _, ..] => {
                self.at -= whole.len() - 1;
                return None;
            }
            _ => {}
        }
        let mut decimals = 0;
        if self.text.get(self.at) == Some(&b'.') {
            self.at += 1;
            decimals = self.digits().len();
            if decimals == 0 {
                return None;
            }
        }
        let mut exponent = 0;
        if let Some(b'e' | b'E') = self.text.get(self.at) {
            self.at += 1;
            let negative = self.text.get(self.at) == Some(&b'-');
            if let Some(b'-' | b'+') = self.text.get(self.at) {
                self.at += 1;
            }
            let digits = self.digits();
            if digits.is_empty() {
                return None;
            }
            let size = digits.iter().fold(0i64, |size, b| (size * 10 + i64::from(b - b'0')).min(1 << 40));
            exponent = if negative { -size } else { size };
        }
        if (exponent != 0 || self.at - start > 1000) && !numeric_holds(&self.text[start..self.at], decimals, exponent) {
            self.facts.number.get_or_insert(start);
        }
        Some(())
    }

    fn digits(&mut self) -> &[u8] {
        let start = self.at;
        while self.text.get(self.at).is_some_and(u8::is_ascii_digit) {
            self.at += 1;
        }
        &self.text[start..self.at]
    }

    /// Looks for one key twice among the keys of the object that ends here, and forgets them.
    fn check_keys(&mut self, first: usize) {
        let text = self.text;
        let Some(keys) = self.scratch.keys.get_mut(first..) else { return };
        let same = |a: &Key, b: &Key| a.hash == b.hash && same_key(text, a, b);
        if keys.len() <= 12 {
            self.facts.duplicate_keys |= (1..keys.len()).any(|at| keys[..at].iter().any(|key| same(key, &keys[at])));
        } else {
            keys.sort_unstable_by_key(|key| key.hash);
            self.facts.duplicate_keys |= keys
                .chunk_by(|a, b| a.hash == b.hash)
                .any(|keys| (1..keys.len()).any(|at| keys[..at].iter().any(|key| same(key, &keys[at]))));
        }
        self.scratch.keys.truncate(first);
    }
}

/// jsonb's limit of one string, in bytes.
const LONGEST_STRING: usize = 0x0fff_ffff;

/// Whether the server's `numeric` takes a number of JSON: at most 131,072 digits before the point and 16,383 decimals
/// as written, zeros included.
fn numeric_holds(number: &[u8], decimals: usize, exponent: i64) -> bool {
    const MOST: i64 = 1 << 29;
    let digits = number.iter().take_while(|byte| !matches!(byte, b'e' | b'E')).filter(|byte| byte.is_ascii_digit());
    let leading = digits.clone().take_while(|byte| **byte == b'0').count();
    let count = digits.count();
    let before_point = (count - leading) as i64 - decimals as i64 + exponent;
    exponent.abs() < MOST && decimals as i64 - exponent <= 16_383 && (leading == count || before_point <= 131_072)
}

fn same_key(text: &[u8], a: &Key, b: &Key) -> bool {
    let key = |key: &Key| &text[key.start as usize..key.end as usize];
    key(a) == key(b)
        || (key(a).contains(&b'\\') || key(b).contains(&b'\\')) && Letters::new(key(a)).eq(Letters::new(key(b)))
}
