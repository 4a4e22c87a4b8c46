//! The tokens of a statement that the server printed. Everything that it prints for no key, index or trigger is refused:
//! comments, dollar quotes, Unicode escapes, names with other characters outside quotes.

/// The kind of a token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Token {
    /// A keyword or a name without quotes, in small letters.
    Word(String),
    /// A name in double quotes, without them.
    Name(String),
    /// A string literal.
    Text,
    /// A number.
    Number,
    /// `(` or `[`.
    Open,
    /// `)` or `]`.
    Close,
    Comma,
    Dot,
    Semicolon,
    /// A character of an operator.
    Operator,
}

/// A token, and the number of brackets around it. A bracket has the depth of the group that it opens or closes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct NestedToken {
    pub token: Token,
    pub depth: usize,
}

/// The characters of operators, and `:` of casts.
const OPERATORS: &str = "+-*/<>=~!@#%^&|`?:";

/// Returns the tokens of a text; `None` if the text contains something that the server never prints there, or brackets or
/// quotes that do not match.
pub(super) fn tokens(sql: &str) -> Option<Vec<NestedToken>> {
    let mut lexer = Lexer { rest: sql, open: Vec::new(), found: Vec::new() };
    while lexer.next()? {}
    lexer.open.is_empty().then_some(lexer.found)
}

/// Returns the statements of a text, which semicolons separate; `None` as for [`tokens`].
pub(super) fn statements(sql: &str) -> Option<Vec<&str>> {
    let mut lexer = Lexer { rest: sql, open: Vec::new(), found: Vec::new() };
    let (mut statements, mut from, mut known) = (Vec::new(), 0, 0);
    while lexer.next()? {
        let is_end = lexer.found.len() > known && lexer.found.last().is_some_and(|t| t.token == Token::Semicolon);
        known = lexer.found.len();
        if is_end {
            let end = sql.len() - lexer.rest.len();
            statements.push(sql[from..end - 1].trim());
            from = end;
        }
    }
    statements.push(sql[from..].trim());
    statements.retain(|statement| !statement.is_empty());
    Some(statements)
}

struct Lexer<'a> {
    rest: &'a str,
    open: Vec<char>,
    found: Vec<NestedToken>,
}

impl Lexer<'_> {
    /// Reads one token or space. Returns false at the end; `None` if the text is refused.
    fn next(&mut self) -> Option<bool> {
        let Some(c) = self.rest.chars().next() else { return Some(false) };
        match c {
            ' ' | '\t' | '\n' => self.skip(1),
            '"' => {
                let name = self.quoted('"', false)?;
                self.push(Token::Name(name));
            }
            '\'' => {
                self.quoted('\'', false)?;
                self.push(Token::Text);
            }
            'a'..='z' | 'A'..='Z' | '_' => self.word()?,
            '0'..='9' => self.number()?,
            '(' | '[' => {
                self.push(Token::Open);
                self.open.push(c);
                self.skip(1);
            }
            ')' | ']' => {
                let wanted = if c == ')' { '(' } else { '[' };
                if self.open.pop() != Some(wanted) {
                    return None;
                }
                self.push(Token::Close);
                self.skip(1);
            }
            ',' => self.one(Token::Comma),
            '.' => self.one(Token::Dot),
            // A statement ends in no bracket.
            ';' if self.open.is_empty() => self.one(Token::Semicolon),
            _ if self.rest.starts_with("--") || self.rest.starts_with("/*") => return None,
            _ if OPERATORS.contains(c) => self.one(Token::Operator),
            _ => return None,
        }
        Some(true)
    }

    fn one(&mut self, token: Token) {
        self.push(token);
        self.skip(1);
    }

    fn push(&mut self, token: Token) {
        self.found.push(NestedToken { token, depth: self.open.len() });
    }

    fn skip(&mut self, bytes: usize) {
        self.rest = &self.rest[bytes..];
    }

    /// Reads a word, or a string literal with a letter before it.
    fn word(&mut self) -> Option<()> {
        let length = self.rest.bytes().take_while(|b| b.is_ascii_alphanumeric() || *b == b'_').count();
        let word = self.rest[..length].to_ascii_lowercase();
        self.skip(length);
        if self.rest.starts_with('\'') {
            let escapes = match word.as_str() {
                "e" => true,
                "b" | "x" => false,
                _ => return None,
            };
            self.quoted('\'', escapes)?;
            self.push(Token::Text);
            return Some(());
        }
        // `U&'...'` and `U&"..."` spell characters by number; `$` and other letters continue a name.
        let continues = self.rest.starts_with(|c: char| c == '$' || !c.is_ascii());
        if continues || (word == "u" && self.rest.starts_with('&')) {
            return None;
        }
        self.push(Token::Word(word));
        Some(())
    }

    /// Reads a number. A letter that follows without a space is refused, except for an exponent.
    fn number(&mut self) -> Option<()> {
        let digits = |text: &str| text.bytes().take_while(u8::is_ascii_digit).count();
        let mut length = digits(self.rest);
        if let Some(fraction) = self.rest[length..].strip_prefix('.') {
            length += 1 + digits(fraction);
        }
        if let Some(exponent) = self.rest[length..].strip_prefix(['e', 'E']) {
            let sign = usize::from(exponent.starts_with(['+', '-']));
            length += 1 + sign + digits(&exponent[sign..]);
        }
        self.skip(length);
        if self.rest.starts_with(|c: char| c.is_alphanumeric() || c == '_' || c == '$') {
            return None;
        }
        self.push(Token::Number);
        Some(())
    }

    /// Reads up to the closing quote, and returns the content. A quote inside is doubled, or follows a backslash if the
    /// literal has `escapes`.
    fn quoted(&mut self, quote: char, escapes: bool) -> Option<String> {
        let mut content = String::new();
        let mut chars = self.rest.char_indices().skip(1).peekable();
        while let Some((at, c)) = chars.next() {
            match c {
                '\\' if escapes => content.push(chars.next()?.1),
                '\0' => return None,
                c if c == quote => match chars.peek() {
                    Some((_, next)) if *next == quote => {
                        chars.next();
                        content.push(c);
                    }
                    _ => {
                        self.skip(at + 1);
                        return Some(content);
                    }
                },
                c => content.push(c),
            }
        }
        None
    }
}
