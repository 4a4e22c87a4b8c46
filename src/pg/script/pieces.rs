//! A script for psql, as `pg_dump` writes it, cut into its statements. The server reads the statements; only their ends,
//! their words outside brackets and the rows after a COPY are found.

use std::ops::Range;

/// A statement with its line, or a command of psql.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Piece<'a> {
    /// The line on which it begins, from 1.
    pub line: usize,
    /// Its text, with the semicolon.
    pub text: &'a str,
    /// Its words outside brackets: keywords and names without quotes in small letters, names in quotes with them, and parts of
    /// a name with the points between them. Empty for a command of psql.
    pub words: Vec<String>,
    /// The rows that follow a COPY from the script itself, in the text form of COPY.
    pub rows: Option<&'a str>,
}

/// The reason why a script cannot be cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Unended {
    /// The line on which the part begins that does not end.
    pub line: usize,
    /// The part that does not end.
    pub part: &'static str,
}

/// Cuts a script.
///
/// # Errors
/// If a quote, a comment or the rows of a COPY do not end.
pub(super) fn pieces(script: &str) -> Result<Vec<Piece<'_>>, Unended> {
    let mut scanner = Scanner { text: script, at: 0, counted: 0, line: 1 };
    let mut found = Vec::new();
    while let Some(piece) = scanner.piece()? {
        found.push(piece);
    }
    Ok(found)
}

struct Scanner<'a> {
    text: &'a str,
    at: usize,
    /// The position up to which lines are counted, and the line there.
    counted: usize,
    line: usize,
}

/// The state inside one statement.
#[derive(Default)]
struct StatementState {
    words: Vec<String>,
    brackets: usize,
    /// Open `BEGIN` and `CASE` of a function's body that is no string.
    blocks: usize,
}

impl StatementState {
    /// Notes a word. The body of a function after `BEGIN ATOMIC` contains semicolons.
    fn word(&mut self, word: String) {
        if self.brackets > 0 {
            return;
        }
        let at = |n: usize| self.words.get(n).map_or("", String::as_str);
        let replaces = at(1) == "or" && at(2) == "replace";
        if at(0) == "create" && ["function", "procedure"].contains(&at(if replaces { 3 } else { 1 })) {
            match word.as_str() {
                "begin" => self.blocks += 1,
                "case" if self.blocks > 0 => self.blocks += 1,
                "end" => self.blocks = self.blocks.saturating_sub(1),
                _ => {}
            }
        }
        self.words.push(word);
    }
}

/// Characters that begin a name or a keyword.
fn begins_word(byte: u8) -> bool {
    byte.is_ascii_alphabetic() || byte == b'_' || byte >= 0x80
}

fn continues_word(byte: u8) -> bool {
    begins_word(byte) || byte.is_ascii_digit() || byte == b'$'
}

impl<'a> Scanner<'a> {
    fn byte(&self, ahead: usize) -> Option<u8> {
        self.text.as_bytes().get(self.at + ahead).copied()
    }

    /// The line of a position that is not before the one asked for last.
    fn line_at(&mut self, at: usize) -> usize {
        self.line += self.text.as_bytes()[self.counted..at].iter().filter(|byte| **byte == b'\n').count();
        self.counted = at;
        self.line
    }

    fn unended(&mut self, from: usize, part: &'static str) -> Unended {
        Unended { line: self.line_at(from), part }
    }

    /// Reads the next statement or command. `None` at the end.
    fn piece(&mut self) -> Result<Option<Piece<'a>>, Unended> {
        loop {
            match self.byte(0) {
                None => return Ok(None),
                Some(byte) if byte.is_ascii_whitespace() || byte == b';' => self.at += 1,
                Some(_) if self.comment()? => {}
                Some(_) => break,
            }
        }
        let start = self.at;
        let line = self.line_at(start);
        if self.byte(0) == Some(b'\\') {
            let text = &self.text[self.rest_of_line()];
            return Ok(Some(Piece { line, text: text.trim_end(), words: Vec::new(), rows: None }));
        }
        let words = self.statement()?;
        let text = &self.text[start..self.at];
        let rows = if takes_rows(&words) { Some(self.rows(start)?) } else { None };
        Ok(Some(Piece { line, text, words, rows }))
    }

    /// Reads up to the semicolon of the statement, or to the end. Returns its words.
    fn statement(&mut self) -> Result<Vec<String>, Unended> {
        let mut inside = StatementState::default();
        while let Some(byte) = self.byte(0) {
            match byte {
                b';' if inside.brackets == 0 && inside.blocks == 0 => {
                    self.at += 1;
                    break;
                }
                b'\'' => self.quoted(b'\'', false)?,
                b'$' => self.dollar_quoted()?,
                b'(' | b'[' => {
                    inside.brackets += 1;
                    self.at += 1;
                }
                b')' | b']' => {
                    inside.brackets = inside.brackets.saturating_sub(1);
                    self.at += 1;
                }
                b'"' => self.word(&mut inside)?,
                _ if continues_word(byte) => self.word(&mut inside)?,
                _ if self.comment()? => {}
                _ => self.at += 1,
            }
        }
        Ok(inside.words)
    }

    /// Reads a word: a keyword, a number or a name with its parts. A string after `E` has escapes.
    fn word(&mut self, inside: &mut StatementState) -> Result<(), Unended> {
        let mut word = String::new();
        loop {
            let from = self.at;
            if self.byte(0) == Some(b'"') {
                self.quoted(b'"', false)?;
                word.push_str(&self.text[from..self.at]);
            } else {
                self.at += self.text.as_bytes()[from..].iter().take_while(|byte| continues_word(**byte)).count();
                word.push_str(&self.text[from..self.at].to_lowercase());
            }
            let next = (self.byte(0), self.byte(1));
            match next {
                (Some(b'.'), Some(part)) if part == b'"' || begins_word(part) => {
                    word.push('.');
                    self.at += 1;
                }
                (Some(b'\''), _) if word == "e" => return self.quoted(b'\'', true),
                _ => break,
            }
        }
        inside.word(word);
        Ok(())
    }

    /// Reads a string or a name in quotes. A quote inside is doubled, or follows a backslash if there are escapes.
    fn quoted(&mut self, quote: u8, has_escapes: bool) -> Result<(), Unended> {
        let from = self.at;
        self.at += 1;
        while let Some(byte) = self.byte(0) {
            self.at += 1;
            match byte {
                b'\\' if has_escapes => self.at += 1,
                _ if byte != quote => {}
                _ if self.byte(0) == Some(quote) => self.at += 1,
                _ => return Ok(()),
            }
        }
        self.at = self.text.len();
        Err(self.unended(from, "a quote"))
    }

    /// Reads a string in dollar quotes, or the dollar alone.
    fn dollar_quoted(&mut self) -> Result<(), Unended> {
        let from = self.at;
        let tag = self.text.as_bytes()[from + 1..].iter().take_while(|byte| continues_word(**byte) && **byte != b'$');
        let length = 2 + tag.count();
        let is_quote = self.byte(length - 1) == Some(b'$') && !self.byte(1).is_some_and(|byte| byte.is_ascii_digit());
        if !is_quote {
            self.at += 1;
            return Ok(());
        }
        let quote = &self.text[from..from + length];
        match self.text[from + length..].find(quote) {
            Some(end) => {
                self.at = from + length + end + length;
                Ok(())
            }
            None => Err(self.unended(from, "a quote")),
        }
    }

    /// Reads a comment. Returns false if there is none.
    fn comment(&mut self) -> Result<bool, Unended> {
        match (self.byte(0), self.byte(1)) {
            (Some(b'-'), Some(b'-')) => {
                self.rest_of_line();
                Ok(true)
            }
            (Some(b'/'), Some(b'*')) => {
                let (from, mut depth) = (self.at, 0_usize);
                while let Some(byte) = self.byte(0) {
                    match (byte, self.byte(1)) {
                        (b'/', Some(b'*')) => depth += 1,
                        (b'*', Some(b'/')) => depth -= 1,
                        _ => {
                            self.at += 1;
                            continue;
                        }
                    }
                    self.at += 2;
                    if depth == 0 {
                        return Ok(true);
                    }
                }
                Err(self.unended(from, "a comment"))
            }
            _ => Ok(false),
        }
    }

    /// Skips the rest of the line. Returns its place without the line's end.
    fn rest_of_line(&mut self) -> Range<usize> {
        let from = self.at;
        let end = self.text[from..].find('\n').map_or(self.text.len(), |length| from + length);
        self.at = (end + 1).min(self.text.len());
        from..end
    }

    /// Reads the rows that follow a COPY, up to the line `\.`. `copy`: the position of the statement.
    fn rows(&mut self, copy: usize) -> Result<&'a str, Unended> {
        self.rest_of_line();
        let from = self.at;
        while self.at < self.text.len() {
            let before = self.at;
            let line = self.rest_of_line();
            if self.text[line].trim_end_matches('\r') == "\\." {
                return Ok(&self.text[from..before]);
            }
        }
        Err(self.unended(copy, "the rows of a COPY"))
    }
}

/// Returns true for a COPY whose rows follow it in the script.
fn takes_rows(words: &[String]) -> bool {
    words.first().is_some_and(|word| word == "copy")
        && words.windows(2).any(|pair| pair[0] == "from" && pair[1] == "stdin")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(script: &str) -> Vec<&str> {
        pieces(script).expect("a script").into_iter().map(|piece| piece.text).collect()
    }

    #[test]
    fn a_semicolon_inside_quotes_brackets_comments_and_bodies_ends_no_statement() {
        for statement in [
            "SELECT ';', \"a;b\", E'\\';', $$;$$, $a$;$$;$a$, 'it''s;', $1;",
            "CREATE RULE r AS ON INSERT TO t DO (DELETE FROM u; DELETE FROM v);",
            "SELECT 1 /* ; /* ; */ ; */ + -- ;\n 2;",
            "CREATE OR REPLACE FUNCTION f() RETURNS int BEGIN ATOMIC SELECT CASE WHEN true THEN 1 END; SELECT 2; END;",
            "CREATE FUNCTION \"begin\"() RETURNS int LANGUAGE sql AS $_$SELECT 1;$_$;",
            "SELECT é$;$ FROM t;",
        ] {
            let script = format!("{statement}\nSELECT 'next';");
            let expected = if statement.contains('é') { texts(&script) } else { vec![statement, "SELECT 'next';"] };
            assert_eq!(texts(&script), expected);
        }
        assert_eq!(texts("-- nothing\n ;; /* at all */"), [""; 0]);
        assert_eq!(texts("SELECT 1"), ["SELECT 1"], "the last statement needs no semicolon");
    }

    #[test]
    fn rows_and_commands_have_their_lines() {
        let script =
            "\\restrict abc\n\nCOPY public.t (a, b) FROM stdin;\n1\t;\\n'\n\\\\.\n\\.\n\n/* x\n */ SELECT 2;\n";
        let found = pieces(script).expect("a script");
        let lines: Vec<(usize, &str)> = found.iter().map(|piece| (piece.line, piece.text)).collect();
        let copy = "COPY public.t (a, b) FROM stdin;";
        assert_eq!(lines, [(1, "\\restrict abc"), (3, copy), (9, "SELECT 2;")]);
        assert_eq!(found[1].rows, Some("1\t;\\n'\n\\\\.\n"));
        assert_eq!(found[1].words, ["copy", "public.t", "from", "stdin"]);
    }

    #[test]
    fn names_keep_their_quotes_and_parts() {
        let found = pieces("ALTER TABLE public.\"My Table\".x OWNER TO \"Me;\";").expect("a script");
        assert_eq!(found[0].words, ["alter", "table", "public.\"My Table\".x", "owner", "to", "\"Me;\""]);
    }

    #[test]
    fn a_part_that_does_not_end_is_named_with_its_line() {
        for (script, part) in [
            ("SELECT 1;\nSELECT 'a", "a quote"),
            ("\nSELECT $x$ $$", "a quote"),
            ("\n/* /* */", "a comment"),
            ("\nCOPY t FROM stdin;\n1\n", "the rows of a COPY"),
        ] {
            assert_eq!(pieces(script), Err(Unended { line: 2, part }), "{script}");
        }
    }
}
