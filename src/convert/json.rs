//! Into `json` and `jsonb`: strict RFC 8259, checked here so that no server has to refuse a batch for it.
//!
//! The text stays byte for byte; nothing is parsed into values and no number passes through a double. `jsonb` cannot
//! hold `\u0000`, half a surrogate pair, or a number beyond `numeric`; `json` can. Depth is not limited here.

use super::text::number_text;
use crate::model::cell::{Cell, Raw};
use crate::model::fault::{Loss, LossSet, Reason};
use std::borrow::Cow;
use std::cell::RefCell;

/// Where a text stops being JSON, or what in it `jsonb` cannot hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Flaw {
    /// `InvalidJson`, `NulInJson`, `LoneSurrogate`, `JsonNumber` or `TooLarge`.
    pub reason: Reason,
    /// Byte offset from the start of the text.
    pub position: usize,
}

/// What a valid text holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Facts {
    /// An object has one key twice. Looked for only when asked.
    pub duplicate_keys: bool,
    /// Where the first `\u0000` stands.
    pub nul: Option<usize>,
    /// Where the first half of a surrogate pair stands alone.
    pub lone_surrogate: Option<usize>,
    /// Where the first number outside `numeric`'s range stands.
    pub number: Option<usize>,
    /// Where the first string stands that is longer than `jsonb` holds.
    pub long_string: Option<usize>,
}

/// A column of JSON.
#[derive(Clone, Copy, Debug)]
pub(super) struct Jsons {
    /// `jsonb`.
    pub binary: bool,
    /// Take `\u0000` out.
    pub strip_nul: bool,
}

impl Jsons {
    /// Reads a value; NULL does not come here, and the text `null` is JSON's null.
    pub(super) fn read<'a>(&self, raw: Raw<'a>, losses: &mut LossSet) -> Result<Cell<'a>, Reason> {
        let text = match raw {
            Raw::Text(bytes) => Cow::Borrowed(std::str::from_utf8(bytes).map_err(|_| Reason::NotUtf8)?),
            Raw::Real(value) if !value.is_finite() => return Err(Reason::NotFinite),
            Raw::Integer(_) | Raw::Real(_) => Cow::Owned(number_text(raw)),
            Raw::Null | Raw::Blob(_) => return Err(Reason::BlobInJson),
        };
        let mut facts = facts(text.as_bytes(), self.binary).map_err(|flaw| flaw.reason)?;
        let mut text = text;
        if self.strip_nul && facts.nul.is_some() {
            if self.binary && facts.lone_surrogate.is_some() {
                return Err(Reason::LoneSurrogate);
            }
            text = Cow::Owned(without_nul(&text));
            losses.add(Loss::StripNul);
            facts = self::facts(text.as_bytes(), self.binary).map_err(|flaw| flaw.reason)?;
        }
        if !self.binary {
            return Ok(Cell::Json(text));
        }
        holds(&facts).map_err(|flaw| flaw.reason)?;
        if facts.duplicate_keys {
            losses.add(Loss::DuplicateKeys);
        }
        Ok(Cell::Jsonb(text))
    }
}

/// Whether a text is JSON that `jsonb` (or, without `binary`, `json`) holds, and what it holds.
///
/// # Errors
/// The first flaw and where it stands. Bytes that are not UTF-8 are not looked for inside strings.
pub fn check(text: &[u8], binary: bool) -> Result<Facts, Flaw> {
    let facts = facts(text, binary)?;
    if binary {
        holds(&facts)?;
    }
    Ok(facts)
}

fn holds(facts: &Facts) -> Result<(), Flaw> {
    let flaws = [
        (Reason::NulInJson, facts.nul),
        (Reason::LoneSurrogate, facts.lone_surrogate),
        (Reason::JsonNumber, facts.number),
        (Reason::TooLarge, facts.long_string),
    ];
    let found = flaws.into_iter().filter_map(|(reason, at)| at.map(|position| Flaw { reason, position }));
    match found.min_by_key(|flaw| flaw.position) {
        Some(flaw) => Err(flaw),
        None => Ok(()),
    }
}

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

fn facts(text: &[u8], keys: bool) -> Result<Facts, Flaw> {
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

/// The code unit of `\uXXXX` at the start of a text.
fn unit(text: &[u8]) -> Option<u32> {
    let [b'\\', b'u', digits @ ..] = text else { return None };
    let digits = digits.first_chunk::<4>()?;
    digits.iter().try_fold(0, |unit, digit| Some(unit << 4 | (*digit as char).to_digit(16)?))
}

/// What a string says, in UTF-8's bytes whether it was written with escapes or not; half a surrogate pair is a number
/// of its own. For telling keys apart; the string was found valid.
struct Letters<'a> {
    rest: &'a [u8],
    character: [u8; 4],
    pending: std::ops::Range<usize>,
}

impl Letters<'_> {
    fn new(text: &[u8]) -> Letters<'_> {
        Letters { rest: text, character: [0; 4], pending: 0..0 }
    }

    fn take(&mut self, count: usize) {
        self.rest = self.rest.get(count..).unwrap_or_default();
    }

    fn unicode(&mut self, first: u32) -> Option<u32> {
        self.take(6);
        let point = match (first, unit(self.rest)) {
            (0xd800..=0xdbff, Some(second @ 0xdc00..=0xdfff)) => {
                self.take(6);
                0x10000 + ((first - 0xd800) << 10) + (second - 0xdc00)
            }
            _ => first,
        };
        let Some(character) = char::from_u32(point) else { return Some(point) };
        self.pending = 0..character.encode_utf8(&mut self.character).len();
        self.next()
    }
}

impl Iterator for Letters<'_> {
    type Item = u32;

    fn next(&mut self) -> Option<u32> {
        if let Some(at) = self.pending.next() {
            return Some(u32::from(self.character[at]));
        }
        if let Some(unit) = unit(self.rest) {
            return self.unicode(unit);
        }
        let (byte, length) = match self.rest {
            [] => return None,
            [b'\\', b'b', ..] => (8, 2),
            [b'\\', b't', ..] => (9, 2),
            [b'\\', b'n', ..] => (10, 2),
            [b'\\', b'f', ..] => (12, 2),
            [b'\\', b'r', ..] => (13, 2),
            [b'\\', other, ..] => (*other, 2),
            [byte, ..] => (*byte, 1),
        };
        self.take(length);
        Some(u32::from(byte))
    }
}

fn hash(letters: impl Iterator<Item = u32>) -> u32 {
    letters.fold(0x811c_9dc5, |hash, letter| (hash ^ letter).wrapping_mul(0x0100_0193))
}

fn same_key(text: &[u8], a: &Key, b: &Key) -> bool {
    let key = |key: &Key| &text[key.start as usize..key.end as usize];
    key(a) == key(b)
        || (key(a).contains(&b'\\') || key(b).contains(&b'\\')) && Letters::new(key(a)).eq(Letters::new(key(b)))
}

/// A valid text without its `\u0000`.
fn without_nul(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('\\') {
        let escape = &rest[at..];
        // An escaped character is at least one byte, and ASCII.
        let length = if escape.starts_with("\\u") { 6 } else { 2 };
        let (before, behind) = (&rest[..at], &escape[length.min(escape.len())..]);
        out.push_str(before);
        if !escape.starts_with("\\u0000") {
            out.push_str(&escape[..escape.len() - behind.len()]);
        }
        rest = behind;
    }
    out.push_str(rest);
    out
}
