//! Literals of SQLite and their values.

use super::tokens::SourceToken;
use crate::model::cell::RawBuf;

/// Returns the value of a literal. `None` if the tokens are no literal.
pub fn value(tokens: &[SourceToken]) -> Option<RawBuf> {
    match tokens {
        [SourceToken::Number(digits)] => number(digits, ""),
        [SourceToken::Symbol("-"), SourceToken::Number(digits)] => number(digits, "-"),
        [SourceToken::Symbol("+"), SourceToken::Number(digits)] => number(digits, ""),
        [SourceToken::Text(text) | SourceToken::DoubleQuoted(text) | SourceToken::Name(text)] => {
            Some(RawBuf::text(text))
        }
        [SourceToken::Blob(bytes)] => Some(RawBuf::Blob(bytes.clone())),
        [SourceToken::Word(word)] if word.eq_ignore_ascii_case("TRUE") => Some(RawBuf::Integer(1)),
        [SourceToken::Word(word)] if word.eq_ignore_ascii_case("FALSE") => Some(RawBuf::Integer(0)),
        // SQLite takes a single word for a text.
        [SourceToken::Word(word)] => Some(RawBuf::text(word)),
        _ => None,
    }
}

/// Returns the value of a number as SQLite writes it.
pub fn number(digits: &str, sign: &str) -> Option<RawBuf> {
    let digits = digits.replace('_', "");
    if let Some(hex) = digits.strip_prefix("0x").or(digits.strip_prefix("0X")) {
        let bits = u64::from_str_radix(hex, 16).ok()?.cast_signed();
        return Some(RawBuf::Integer(if sign == "-" { bits.wrapping_neg() } else { bits }));
    }
    let text = format!("{sign}{digits}");
    match text.parse::<i64>() {
        Ok(integer) => Some(RawBuf::Integer(integer)),
        Err(_) => text.parse::<f64>().ok().filter(|real| real.is_finite()).map(RawBuf::Real),
    }
}
