//! The file of `--env-file`: variables written as dotenv tools have them.
//!
//! `NAME=value` lines, `export` before them, comments, quotes, `${NAME}`. A `$` without a brace is literal: it is
//! more often a part of a password. A mistake names file and line and repeats nothing of either.

use std::collections::BTreeMap;

/// A line that cannot be read.
#[derive(Debug, PartialEq, Eq)]
pub struct EnvFileMistake {
    /// The line, from 1.
    pub line: usize,
    /// The mistake.
    pub syntax: Syntax,
}

/// A mistake in the syntax of a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Syntax {
    NoName,
    NoEquals,
    AfterQuote,
    OpenQuote,
    UnknownVariable,
}

impl Syntax {
    /// The mistake in words.
    pub fn what(self) -> &'static str {
        match self {
            Syntax::NoName => "does not begin with the name of a variable",
            Syntax::NoEquals => "has no \"=\" after the name",
            Syntax::AfterQuote => "has text after the closing quote",
            Syntax::OpenQuote => "opens a quote that is not closed",
            Syntax::UnknownVariable => "has a ${...} that names no variable of the environment or of an earlier line",
        }
    }

    /// The way out.
    pub fn advice(self) -> &'static str {
        match self {
            Syntax::NoName => "Write NAME=value, a comment after a #, and quotes around a value of several lines.",
            Syntax::NoEquals => "Write NAME=value.",
            Syntax::AfterQuote => "Write the whole value inside the quotes, and a comment after a #.",
            Syntax::OpenQuote => "Close it.",
            Syntax::UnknownVariable => "Set the variable, or put the value into single quotes to keep it literally.",
        }
    }
}

/// Reads the variables of a file. The later of two with one name counts. `${NAME}` means a variable of `outer`, else one of
/// the file.
///
/// # Errors
/// The first line that cannot be read.
pub fn read(text: &str, outer: &dyn Fn(&str) -> Option<String>) -> Result<BTreeMap<String, String>, EnvFileMistake> {
    let mut lines = Lines { rest: text.strip_prefix('\u{feff}').unwrap_or(text), line: 1 };
    let mut found = BTreeMap::new();
    while !lines.rest.is_empty() {
        let known = |name: &str| outer(name).or_else(|| found.get(name).cloned());
        let entry = lines.entry(&known).map_err(|syntax| EnvFileMistake { line: lines.line, syntax })?;
        found.extend(entry);
    }
    Ok(found)
}

/// The rest of the text, and the number of its first line.
struct Lines<'t> {
    rest: &'t str,
    line: usize,
}

type Known<'k> = &'k dyn Fn(&str) -> Option<String>;

impl Lines<'_> {
    /// The next line's variable; none in a blank line or a comment.
    fn entry(&mut self, known: Known<'_>) -> Result<Option<(String, String)>, Syntax> {
        self.blanks();
        if self.at_end() {
            self.newline();
            return Ok(None);
        }
        let mut name = self.name()?;
        if name == "export" && !self.rest.trim_start_matches([' ', '\t']).starts_with('=') {
            self.blanks();
            name = self.name()?;
        }
        self.blanks();
        let Some(rest) = self.rest.strip_prefix('=') else {
            return Err(Syntax::NoEquals);
        };
        self.rest = rest;
        self.blanks();
        let value = match self.rest.chars().next() {
            Some('\'') => self.quoted('\'', known)?,
            Some('"') => self.quoted('"', known)?,
            _ => self.bare(known)?,
        };
        self.blanks();
        if !self.at_end() {
            return Err(Syntax::AfterQuote);
        }
        self.newline();
        Ok(Some((name, value)))
    }

    fn name(&mut self) -> Result<String, Syntax> {
        let end =
            self.rest.find(|c: char| !(c.is_ascii_alphanumeric() || "_.-".contains(c))).unwrap_or(self.rest.len());
        let (name, rest) = self.rest.split_at(end);
        if name.is_empty() || name.starts_with(|c: char| !(c.is_ascii_alphabetic() || c == '_')) {
            return Err(Syntax::NoName);
        }
        self.rest = rest;
        Ok(name.to_owned())
    }

    /// A value without quotes: to the end of the line or to a `#` after a blank.
    fn bare(&mut self, known: Known<'_>) -> Result<String, Syntax> {
        let line = self.rest.split('\n').next().unwrap_or_default();
        let starts = |at: usize| at == 0 || line[..at].ends_with([' ', '\t']);
        let end = line.match_indices('#').map(|(at, _)| at).find(|at| starts(*at)).unwrap_or(line.len());
        self.rest = &self.rest[end..];
        let mut value = String::new();
        let mut rest = line[..end].trim_end();
        while let Some(c) = rest.chars().next() {
            rest = take(rest, c, &mut value, known)?;
        }
        Ok(value)
    }

    /// A value in quotes, over several lines if it has them. In single quotes everything is literal; in double quotes a
    /// backslash writes a quote, itself, a dollar or a control character.
    fn quoted(&mut self, quote: char, known: Known<'_>) -> Result<String, Syntax> {
        let mut value = String::new();
        let mut rest = &self.rest[1..];
        let mut lines = 0;
        loop {
            let Some(c) = rest.chars().next() else {
                return Err(Syntax::OpenQuote);
            };
            lines += usize::from(c == '\n');
            rest = match c {
                c if c == quote => break,
                '\\' if quote == '"' => {
                    let escaped = rest[1..].chars().next().unwrap_or_default();
                    match escaped {
                        'n' => value.push('\n'),
                        'r' => value.push('\r'),
                        't' => value.push('\t'),
                        '"' | '\\' | '$' => value.push(escaped),
                        _ => value.extend(['\\', escaped]),
                    }
                    rest.get(1 + escaped.len_utf8()..).unwrap_or_default()
                }
                c if quote == '"' => take(rest, c, &mut value, known)?,
                c => {
                    value.push(c);
                    &rest[c.len_utf8()..]
                }
            };
        }
        self.rest = &rest[1..];
        self.line += lines;
        Ok(value)
    }

    fn blanks(&mut self) {
        self.rest = self.rest.trim_start_matches([' ', '\t', '\r']);
    }

    /// Returns true if only a comment is left in this line.
    fn at_end(&self) -> bool {
        self.rest.is_empty() || self.rest.starts_with(['\n', '#'])
    }

    fn newline(&mut self) {
        self.rest = self.rest.split_once('\n').map_or("", |(_, rest)| rest);
        self.line += 1;
    }
}

/// Appends one character, or the value of a `${NAME}`. Returns the rest.
fn take<'t>(text: &'t str, c: char, value: &mut String, known: Known<'_>) -> Result<&'t str, Syntax> {
    let Some(after) = text.strip_prefix("${") else {
        value.push(c);
        return Ok(&text[c.len_utf8()..]);
    };
    let unknown = Syntax::UnknownVariable;
    let (name, rest) = after.split_once('}').ok_or(unknown)?;
    let (name, default) = name.split_once(":-").map_or((name, None), |(name, default)| (name, Some(default)));
    let set = known(name).filter(|v| default.is_none() || !v.is_empty());
    value.push_str(&set.or(default.map(str::to_owned)).ok_or(unknown)?);
    Ok(rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_with(text: &str) -> Result<Vec<(String, String)>, EnvFileMistake> {
        let outer = |name: &str| (name == "OUTER").then(|| "from outside".to_owned());
        read(text, &outer).map(|found| found.into_iter().collect())
    }

    #[test]
    fn lines_read_as_dotenv_tools_read_them() {
        for (text, name, value) in [
            ("A=1", "A", "1"),
            ("A=", "A", ""),
            ("export A=1\n", "A", "1"),
            ("  export\tA = 1 \r\n", "A", "1"),
            ("export=1", "export", "1"),
            ("# a comment\n\nA=1", "A", "1"),
            ("\u{feff}A=1", "A", "1"),
            ("A=1 # a comment", "A", "1"),
            ("A=# a comment", "A", ""),
            ("A=a#b", "A", "a#b"),
            ("A=two words", "A", "two words"),
            ("A='two words' # a comment", "A", "two words"),
            (r"A='\n${X}$y'", "A", r"\n${X}$y"),
            (r#"A="say \"so\" \\ \$x \n\d""#, "A", "say \"so\" \\ $x \n\\d"),
            ("A=\"two\nlines\"", "A", "two\nlines"),
            ("A='two\nlines'", "A", "two\nlines"),
            ("A=it's", "A", "it's"),
            ("A=pa$word", "A", "pa$word"),
            ("A=${OUTER}!", "A", "from outside!"),
            ("A=\"${OUTER}\"", "A", "from outside"),
            ("A=${NONE:-instead}", "A", "instead"),
            ("A=1\nA=2", "A", "2"),
            ("A=postgresql://u:p%20w@h:5432/d?sslmode=require", "A", "postgresql://u:p%20w@h:5432/d?sslmode=require"),
        ] {
            assert_eq!(read_with(text), Ok(vec![(name.to_owned(), value.to_owned())]), "{text}");
        }
        let own = read_with("A=x\nB=\"${A}y\"").map(|found| found[1].1.clone());
        assert_eq!(own, Ok("xy".to_owned()));
    }

    #[test]
    fn a_mistake_is_named_by_its_line_and_nothing_else() {
        for (text, line, syntax) in [
            ("A=1\nsecret word", 2, Syntax::NoEquals),
            ("A=1\n\n=secret", 3, Syntax::NoName),
            ("1A=secret", 1, Syntax::NoName),
            ("A='x\ny'\nB=\"secret", 3, Syntax::OpenQuote),
            ("A='x'secret", 1, Syntax::AfterQuote),
            ("A=${SECRET}", 1, Syntax::UnknownVariable),
            ("A=\"${SECRET\"", 1, Syntax::UnknownVariable),
            ("PASS: secret", 1, Syntax::NoEquals),
        ] {
            assert_eq!(read_with(text), Err(EnvFileMistake { line, syntax }), "{text}");
        }
    }
}
