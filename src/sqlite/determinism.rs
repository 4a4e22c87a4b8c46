//! Detects SQL whose value differs between evaluations. Such SQL is random, uses the present time, or depends on the
//! time zone of the process. SQLite's date functions return the present time for 'now' or without a time argument, and
//! use the time zone for 'localtime' and 'utc'. The source is read more than once, and each reading must return the same.
//!
//! Only the text of the SQL is examined: the functions that it calls and the literals in the calls. `check` also passes
//! the SQL of each view that the mapping's SQL reads, through other views too.

/// Functions that take a time: the name, and the number of arguments before the time.
const TIMES: &[(&str, usize)] =
    &[("date", 0), ("datetime", 0), ("julianday", 0), ("strftime", 1), ("time", 0), ("timediff", 0), ("unixepoch", 0)];

/// Functions that never return the same value twice.
const CHANGING: &[&str] = &["changes", "last_insert_rowid", "random", "randomblob", "total_changes"];

/// Keywords for the present time.
const WORDS: &[&str] = &["current_date", "current_time", "current_timestamp"];

/// Modifiers that convert between UTC and the time zone of the process.
const ZONES: &[&str] = &["localtime", "utc"];

/// A function or keyword whose value differs between evaluations.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Changing {
    /// Each evaluation returns another value.
    Value(&'static str),
    /// The value depends on the time zone of the process.
    Zone(&'static str),
}

/// A token of SQL, as far as this check needs it.
#[derive(Debug, PartialEq)]
enum SqlToken<'a> {
    Word(&'a str),
    /// A quoted name.
    Name(&'a str),
    Literal(&'a str),
    Sign(u8),
}

/// Returns the first function or keyword whose value differs between evaluations.
pub(super) fn changes(sql: &str) -> Option<Changing> {
    let known = |names: &[&'static str], word: &str| {
        names.iter().find(|n| n.eq_ignore_ascii_case(word)).copied().map(Changing::Value)
    };
    let pieces = pieces(sql);
    pieces.iter().enumerate().find_map(|(at, piece)| match (piece, pieces.get(at + 1)) {
        (SqlToken::Word(word) | SqlToken::Name(word), Some(SqlToken::Sign(b'('))) => {
            known(CHANGING, word).or_else(|| {
                let (name, before) = TIMES.iter().find(|(name, _)| name.eq_ignore_ascii_case(word))?;
                changes_in_call(&pieces[at + 2..], name, *before)
            })
        }
        (SqlToken::Word(word), _) => known(WORDS, word),
        _ => None,
    })
}

/// Returns the change in a call of the date function `name`, given from after its bracket. `before`: the number of
/// arguments before the time.
fn changes_in_call(rest: &[SqlToken<'_>], name: &'static str, before: usize) -> Option<Changing> {
    let is_one_of = |words: &[&str], text: &str| words.iter().any(|word| text.eq_ignore_ascii_case(word));
    let (mut depth, mut commas, mut any, mut subsecond, mut zone) = (0, 0, false, false, false);
    for piece in rest {
        match piece {
            SqlToken::Sign(b')') if depth == 0 => break,
            SqlToken::Sign(b'(') => depth += 1,
            SqlToken::Sign(b')') => depth -= 1,
            SqlToken::Sign(b',') if depth == 0 => commas += 1,
            SqlToken::Literal(text) if text.eq_ignore_ascii_case("now") => return Some(Changing::Value(name)),
            SqlToken::Literal(text) if is_one_of(ZONES, text) => zone |= depth > 0 || commas > before,
            // A modifier that may take the place of the time.
            SqlToken::Literal(text) if is_one_of(&["subsec", "subsecond"], text) => {
                subsecond |= depth == 0 && commas == before;
            }
            _ => {}
        }
        any = true;
    }
    let arguments = if any { commas + 1 } else { 0 };
    if arguments <= before || subsecond {
        return Some(Changing::Value(name));
    }
    zone.then_some(Changing::Zone(name))
}

/// Returns true if an expression may read rows of a table: it contains a subquery or `IN` with a table.
pub(super) fn has_subquery(sql: &str) -> bool {
    let pieces = pieces(sql);
    pieces.iter().enumerate().any(|(at, piece)| match piece {
        SqlToken::Word(word) if word.eq_ignore_ascii_case("select") => true,
        SqlToken::Word(word) if word.eq_ignore_ascii_case("in") => pieces.get(at + 1) != Some(&SqlToken::Sign(b'(')),
        _ => false,
    })
}

fn pieces(sql: &str) -> Vec<SqlToken<'_>> {
    let (bytes, mut at, mut found) = (sql.as_bytes(), 0, Vec::new());
    let is_word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte >= 0x80;
    while let Some(byte) = bytes.get(at) {
        let from = at;
        let until = |mark: &str, from: usize| sql[from..].find(mark).map_or(sql.len(), |n| from + n + mark.len());
        match byte {
            b'-' if sql[at..].starts_with("--") => at = until("\n", at),
            b'/' if sql[at..].starts_with("/*") => at = until("*/", at + 2),
            b'\'' | b'"' | b'`' | b'[' => {
                let end = if *byte == b'[' { "]" } else { &sql[at..=at] };
                at = until(end, at + 1);
                let inner = sql[from + 1..at].strip_suffix(end).unwrap_or(&sql[from + 1..at]);
                found.push(if *byte == b'\'' { SqlToken::Literal(inner) } else { SqlToken::Name(inner) });
            }
            _ if is_word(*byte) => {
                at += bytes[at..].iter().take_while(|byte| is_word(**byte)).count();
                found.push(SqlToken::Word(&sql[from..at]));
            }
            sign => {
                at += 1;
                if !sign.is_ascii_whitespace() {
                    found.push(SqlToken::Sign(*sign));
                }
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changing_sql_is_distinguished_from_deterministic_sql() {
        for (sql, name) in [
            ("datetime('NOW', '-1 day')", "datetime"),
            ("date()", "date"),
            ("strftime('%s')", "strftime"),
            ("strftime('%s', 'now')", "strftime"),
            ("unixepoch('subsec')", "unixepoch"),
            ("coalesce(a, julianday ( -- here\n 'now'))", "julianday"),
            ("date(coalesce(a, 'now'))", "date"),
            ("\"time\"()", "time"),
            ("hex(RandomBlob(4))", "randomblob"),
            ("a || Current_Time", "current_time"),
        ] {
            assert_eq!(changes(sql), Some(Changing::Value(name)), "{sql}");
        }
        for (sql, name) in [
            ("datetime(a, 'unixepoch', 'LocalTime')", "datetime"),
            ("strftime('%H', a, 'utc')", "strftime"),
            ("date(a, coalesce(b, 'localtime'))", "date"),
        ] {
            assert_eq!(changes(sql), Some(Changing::Zone(name)), "{sql}");
        }
        for sql in [
            "date(a)",
            "strftime('%s', a)",
            "unixepoch(a, 'subsec')",
            "'date()' || now",
            "CASE a WHEN 'now' THEN date(b) END",
            "date",
            "-- date('now')\n 1",
            "'it''s date(''now'')'",
            "'unfinished",
            "update(a)",
            "random + \"current_time\"",
            "strftime('utc', a)",
            "lower('localtime')",
        ] {
            assert_eq!(changes(sql), None, "{sql}");
        }
    }
    #[test]
    fn an_expression_that_reads_tables_is_distinguished_from_one_of_its_row() {
        for sql in ["(SELECT 1)", "a IN b", "a NOT IN main.b", "EXISTS (select 1 FROM b)"] {
            assert!(has_subquery(sql), "{sql}");
        }
        for sql in ["a IN (1, 2)", "'SELECT'", "a || \"select\"", "-- select\n 1"] {
            assert!(!has_subquery(sql), "{sql}");
        }
    }
}
