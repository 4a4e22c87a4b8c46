//! The tokens of SQLite's SQL. The quotes of a word are kept: `"x"` may be a name or a text, `[x]` is always a name.

use crate::model::hex::hex;
use crate::model::ident;

/// One token.
#[derive(Clone, Debug, PartialEq)]
pub enum SourceToken {
    /// A word without quotes, in the case in which it is written.
    Word(String),
    /// A name in backquotes or brackets.
    Name(String),
    /// A name in double quotes, or a text if no column has this name.
    DoubleQuoted(String),
    /// A text.
    Text(String),
    /// A blob.
    Blob(Vec<u8>),
    /// A number as it is written.
    Number(String),
    /// An operator, a bracket, a comma, a point.
    Symbol(&'static str),
}

/// Operators and other marks. A longer one precedes those that it begins with.
const SYMBOLS: [&str; 28] = [
    "->>", "->", "||", "<<", ">>", "<=", ">=", "<>", "==", "!=", "(", ")", ",", ".", ";", "+", "-", "*", "/", "%", "&",
    "|", "~", "<", ">", "=", "?", ":",
];

/// Characters between tokens.
const BLANKS: [char; 5] = [' ', '\t', '\n', '\r', '\x0c'];

impl SourceToken {
    /// Returns true if this is the word, in any case and without quotes.
    pub fn is_word(&self, word: &str) -> bool {
        matches!(self, SourceToken::Word(text) if text.eq_ignore_ascii_case(word))
    }

    /// Returns true if this is the symbol.
    pub fn is_symbol(&self, symbol: &str) -> bool {
        matches!(self, SourceToken::Symbol(found) if *found == symbol)
    }

    /// Returns the name that the token can be.
    pub fn name(&self) -> Option<&str> {
        match self {
            SourceToken::Word(name)
            | SourceToken::Name(name)
            | SourceToken::DoubleQuoted(name)
            | SourceToken::Text(name) => Some(name),
            _ => None,
        }
    }
}

/// A token or a comment.
#[derive(Clone, Debug, PartialEq)]
pub enum SourcePart {
    /// A token.
    Token(SourceToken),
    /// A comment.
    Comment(SourceComment),
}

/// A comment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceComment {
    /// Its text, without the marks around it.
    pub text: String,
    /// True if a token precedes it on its line.
    pub is_after_token: bool,
}

/// Splits SQL into its tokens, without blanks and comments. `None` if a text, a name or a blob does not end, or if a character
/// belongs to no token.
pub fn tokens(sql: &str) -> Option<Vec<SourceToken>> {
    let tokens = parts(sql)?.into_iter().filter_map(|part| match part {
        SourcePart::Token(token) => Some(token),
        SourcePart::Comment(_) => None,
    });
    Some(tokens.collect())
}

/// Splits SQL into its tokens and its comments. `None` as for [`tokens`].
pub fn parts(sql: &str) -> Option<Vec<SourcePart>> {
    let mut found = Vec::new();
    let (mut rest, mut is_after_token) = (sql, false);
    loop {
        let after = rest.trim_start_matches(BLANKS);
        is_after_token &= !rest[..rest.len() - after.len()].contains('\n');
        rest = after;
        if rest.is_empty() {
            return Some(found);
        }
        let (text, after) = if let Some(comment) = rest.strip_prefix("--") {
            comment.find('\n').map_or((comment, ""), |end| comment.split_at(end))
        } else if let Some(comment) = rest.strip_prefix("/*") {
            comment.split_once("*/").unwrap_or((comment, ""))
        } else {
            let (token, after) = token(rest)?;
            found.push(SourcePart::Token(token));
            (rest, is_after_token) = (after, true);
            continue;
        };
        found.push(SourcePart::Comment(SourceComment { text: text.to_owned(), is_after_token }));
        rest = after;
    }
}

/// Returns the token at the beginning of a text, and the rest.
fn token(rest: &str) -> Option<(SourceToken, &str)> {
    let first = rest.chars().next()?;
    Some(match first {
        '\'' => quoted(rest, '\'').map(|(text, after)| (SourceToken::Text(text), after))?,
        '"' => quoted(rest, '"').map(|(text, after)| (SourceToken::DoubleQuoted(text), after))?,
        '`' => quoted(rest, '`').map(|(text, after)| (SourceToken::Name(text), after))?,
        '[' => {
            let (name, after) = rest.get(1..)?.split_once(']')?;
            (SourceToken::Name(name.to_owned()), after)
        }
        'x' | 'X' if rest.get(1..)?.starts_with('\'') => {
            let (digits, after) = quoted(rest.get(1..)?, '\'')?;
            (SourceToken::Blob(bytes(&digits)?), after)
        }
        c if c.is_ascii_digit() || (c == '.' && rest.get(1..)?.starts_with(|c: char| c.is_ascii_digit())) => {
            let (number, after) = rest.split_at(number_end(rest.as_bytes()));
            (SourceToken::Number(number.to_owned()), after)
        }
        c if is_word(c) => {
            let (word, after) = rest.split_at(rest.find(|c| !is_word(c) && c != '$').unwrap_or(rest.len()));
            (SourceToken::Word(word.to_owned()), after)
        }
        _ => {
            let symbol = SYMBOLS.iter().find(|symbol| rest.starts_with(**symbol))?;
            (SourceToken::Symbol(symbol), rest.get(symbol.len()..)?)
        }
    })
}

/// Returns the tokens as SQL that has the same meaning in a query, where a text must not be in double quotes. `columns`: the names
/// that are columns.
pub fn sql(tokens: &[SourceToken], columns: &[String]) -> String {
    let is_column = |name: &str| columns.iter().any(|column| column.eq_ignore_ascii_case(name));
    let text = |text: &str| format!("'{}'", text.replace('\'', "''"));
    let parts = tokens.iter().map(|token| match token {
        SourceToken::Word(word) | SourceToken::Number(word) => word.clone(),
        SourceToken::DoubleQuoted(name) if !is_column(name) => text(name),
        SourceToken::Name(name) | SourceToken::DoubleQuoted(name) => ident::quoted(name),
        SourceToken::Text(content) => text(content),
        SourceToken::Blob(bytes) => format!("x'{}'", hex(bytes)),
        SourceToken::Symbol(symbol) => (*symbol).to_owned(),
    });
    parts.collect::<Vec<_>>().join(" ")
}

fn is_word(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_' || !c.is_ascii()
}

/// Returns the content of a quoted text and the rest. A doubled quote is one quote.
fn quoted(text: &str, quote: char) -> Option<(String, &str)> {
    let mut content = String::new();
    let mut rest = text.get(1..)?;
    loop {
        let (part, after) = rest.split_once(quote)?;
        content.push_str(part);
        match after.strip_prefix(quote) {
            Some(after) => {
                content.push(quote);
                rest = after;
            }
            None => return Some((content, after)),
        }
    }
}

fn bytes(digits: &str) -> Option<Vec<u8>> {
    let digits: Vec<u8> = digits.chars().map(|c| c.to_digit(16).map(|d| d as u8)).collect::<Option<_>>()?;
    digits
        .len()
        .is_multiple_of(2)
        .then(|| digits.chunks(2).map(|pair| pair.iter().fold(0, |n, d| n << 4 | d)).collect())
}

/// Returns the length of the number with which the text begins: decimal, hexadecimal, with an exponent, with `_` between digits.
fn number_end(text: &[u8]) -> usize {
    if text.len() > 2 && text[0] == b'0' && matches!(text[1], b'x' | b'X') && text[2].is_ascii_hexdigit() {
        return 2 + text[2..].iter().take_while(|b| b.is_ascii_hexdigit() || **b == b'_').count();
    }
    let digits = |from: usize| text[from..].iter().take_while(|b| b.is_ascii_digit() || **b == b'_').count();
    let mut end = digits(0);
    if text.get(end) == Some(&b'.') {
        end += 1;
        end += digits(end);
    }
    if matches!(text.get(end), Some(b'e' | b'E')) {
        let sign = usize::from(matches!(text.get(end + 1), Some(b'+' | b'-')));
        if text.get(end + 1 + sign).is_some_and(u8::is_ascii_digit) {
            end += 1 + sign;
            end += digits(end);
        }
    }
    end
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_texts_numbers_and_comments_are_distinct() {
        let sql = "a[b c]`d``e`\"f\" 'it''s' x'00fF' 0x1F 1.5e-3 .5 1_000 -- x\n/* y */ a->>'$.x'";
        let symbol = |text| SourceToken::Symbol(text);
        let expected = vec![
            SourceToken::Word("a".to_owned()),
            SourceToken::Name("b c".to_owned()),
            SourceToken::Name("d`e".to_owned()),
            SourceToken::DoubleQuoted("f".to_owned()),
            SourceToken::Text("it's".to_owned()),
            SourceToken::Blob(vec![0, 255]),
            SourceToken::Number("0x1F".to_owned()),
            SourceToken::Number("1.5e-3".to_owned()),
            SourceToken::Number(".5".to_owned()),
            SourceToken::Number("1_000".to_owned()),
            SourceToken::Word("a".to_owned()),
            symbol("->>"),
            SourceToken::Text("$.x".to_owned()),
        ];
        assert_eq!(tokens(sql), Some(expected));
        for broken in ["'a", "\"a", "[a", "x'0'", "x'0g'", "a \\ b"] {
            assert_eq!(tokens(broken), None, "{broken}");
        }
    }
}
