//! Detects SQL whose value differs between evaluations. Such SQL is random or uses the present time, which SQLite's
//! date functions return for 'now' or without a time argument. The source is read more than once, and each reading must
//! return the same.
//!
//! Only the SQL itself is examined: the functions it calls and the literals in the calls. SQLite's own authorizer does
//! not distinguish a call from a column's DEFAULT, which reading never evaluates.

/// Functions that take a time: the name, and the number of arguments before the time.
const TIMES: &[(&str, usize)] =
    &[("date", 0), ("datetime", 0), ("julianday", 0), ("strftime", 1), ("time", 0), ("timediff", 0), ("unixepoch", 0)];

/// Functions that never return the same value twice.
const CHANGING: &[&str] = &["changes", "last_insert_rowid", "random", "randomblob", "total_changes"];

/// Keywords for the present time.
const WORDS: &[&str] = &["current_date", "current_time", "current_timestamp"];

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
pub(super) fn changes(sql: &str) -> Option<&'static str> {
    let known = |names: &[&'static str], word: &str| names.iter().find(|n| n.eq_ignore_ascii_case(word)).copied();
    let pieces = pieces(sql);
    pieces.iter().enumerate().find_map(|(at, piece)| match (piece, pieces.get(at + 1)) {
        (SqlToken::Word(word) | SqlToken::Name(word), Some(SqlToken::Sign(b'('))) => {
            known(CHANGING, word).or_else(|| {
                let (name, before) = TIMES.iter().find(|(name, _)| name.eq_ignore_ascii_case(word))?;
                is_now(&pieces[at + 2..], *before).then_some(*name)
            })
        }
        (SqlToken::Word(word), _) => known(WORDS, word),
        _ => None,
    })
}

/// Returns true if a call, given from after its bracket, has no time argument or has a literal 'now'.
fn is_now(rest: &[SqlToken<'_>], before: usize) -> bool {
    let (mut depth, mut commas, mut any, mut subsecond) = (0, 0, false, false);
    for piece in rest {
        match piece {
            SqlToken::Sign(b')') if depth == 0 => break,
            SqlToken::Sign(b'(') => depth += 1,
            SqlToken::Sign(b')') => depth -= 1,
            SqlToken::Sign(b',') if depth == 0 => commas += 1,
            SqlToken::Literal(text) if text.eq_ignore_ascii_case("now") => return true,
            // A modifier that may take the place of the time.
            SqlToken::Literal(text) if ["subsec", "subsecond"].iter().any(|word| text.eq_ignore_ascii_case(word)) => {
                subsecond |= depth == 0 && commas == before;
            }
            _ => {}
        }
        any = true;
    }
    let arguments = if any { commas + 1 } else { 0 };
    arguments <= before || subsecond
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
            assert_eq!(changes(sql), Some(name), "{sql}");
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
        ] {
            assert_eq!(changes(sql), None, "{sql}");
        }
    }
}
