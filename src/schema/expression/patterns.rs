//! LIKE and GLOB.

use super::columns::Scope;
use super::sorts::{Refused, Translated, ValueSort, as_text};
use super::tree::SqlExpr;
use crate::schema::names::text_literal;

impl Scope {
    /// LIKE, which folds the case of ASCII letters alone.
    pub fn like(&self, operand: &SqlExpr, pattern: &SqlExpr, escape: Option<&SqlExpr>) -> Result<Translated, Refused> {
        let (left, right) = (self.argument(operand)?, self.argument(pattern)?);
        let escape = match escape {
            None => String::new(),
            Some(SqlExpr::Text(text)) => escape_of(text, pattern)?,
            Some(_) => return Err("its ESCAPE is no literal".to_owned()),
        };
        let sql =
            format!("({} COLLATE \"C\") ILIKE ({} COLLATE \"C\") ESCAPE '{escape}'", as_text(&left)?, as_text(&right)?);
        Ok(Translated::wide(sql, ValueSort::Truth).of(&[&left, &right]))
    }

    /// GLOB, with a literal pattern.
    pub fn glob(&self, operand: &SqlExpr, pattern: &SqlExpr) -> Result<Translated, Refused> {
        let SqlExpr::Text(pattern) = pattern else { return Err("its pattern is no literal".to_owned()) };
        let operand = self.argument(operand)?;
        let text = as_text(&operand)?;
        let sql = if pattern.contains('[') {
            format!("({text} COLLATE \"C\") ~ {}", text_literal(&regular_expression(pattern)?))
        } else {
            let mut like = String::new();
            for c in pattern.chars() {
                match c {
                    '*' => like.push('%'),
                    '?' => like.push('_'),
                    '%' | '_' | '!' => like.extend(['!', c]),
                    c => like.push(c),
                }
            }
            format!("{text} LIKE {} ESCAPE '!'", text_literal(&like))
        };
        Ok(Translated::wide(sql, ValueSort::Truth).of(&[&operand]))
    }
}

/// Returns the character of ESCAPE, for a literal pattern that does not end with it.
fn escape_of(text: &str, pattern: &SqlExpr) -> Result<String, Refused> {
    let mut characters = text.chars();
    let (Some(escape), None) = (characters.next(), characters.next()) else {
        return Err("its ESCAPE is no single character".to_owned());
    };
    let SqlExpr::Text(pattern) = pattern else { return Err("its pattern is no literal".to_owned()) };
    if !escape.is_ascii_punctuation() || "%_'".contains(escape) {
        return Err("its ESCAPE has a meaning of its own".to_owned());
    }
    let mut rest = pattern.chars();
    while let Some(c) = rest.next() {
        if c == escape && rest.next().is_none() {
            return Err("its pattern ends with the character of ESCAPE".to_owned());
        }
    }
    Ok(escape.to_string())
}

/// Returns the regular expression of a pattern with brackets.
fn regular_expression(pattern: &str) -> Result<String, Refused> {
    let mut out = "^".to_owned();
    let mut rest = pattern;
    while let Some(c) = rest.chars().next() {
        rest = &rest[c.len_utf8()..];
        match c {
            '*' => out.push_str(".*"),
            '?' => out.push('.'),
            '[' => {
                let is_negative = rest.starts_with('^');
                let body = &rest[usize::from(is_negative)..];
                // A closing bracket that comes first is one of the characters.
                let first = usize::from(body.starts_with(']'));
                let end =
                    body.get(first..).and_then(|body| body.find(']')).ok_or("a bracket of its pattern does not end")?;
                let (set, after) = (&body[..first + end], &body[first + end + 1..]);
                let is_plain =
                    |c: char| c.is_ascii_alphanumeric() || c == ' ' || c == '_' || c == '-' || c == '.' || c == ',';
                if set.is_empty() || !set.chars().all(is_plain) || !ranges_are_plain(set) {
                    return Err("a set of its pattern has characters with a meaning of their own".to_owned());
                }
                out.push_str(&format!("[{}{set}]", if is_negative { "^" } else { "" }));
                rest = after;
            }
            c if c.is_ascii_alphanumeric() || c == ' ' || !c.is_ascii() => out.push(c),
            c => out.extend(['\\', c]),
        }
    }
    out.push('$');
    Ok(out)
}

/// Returns true if each `-` of a set is between two letters or two digits in their order, of which the first ends no other range, or is
/// the last character.
fn ranges_are_plain(set: &str) -> bool {
    let set = set.as_bytes();
    set.iter().enumerate().filter(|(_, byte)| **byte == b'-').all(|(n, _)| {
        let (before, after) = (n.checked_sub(1).and_then(|n| set.get(n)), set.get(n + 1));
        match (before, after) {
            (Some(from), Some(to)) => {
                let ends_a_range = n >= 2 && set.get(n - 2) == Some(&b'-');
                from.is_ascii_alphanumeric() && to.is_ascii_alphanumeric() && from <= to && !ends_a_range
            }
            (Some(_), None) => true,
            _ => false,
        }
    })
}
