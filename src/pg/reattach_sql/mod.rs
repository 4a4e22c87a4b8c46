//! The statements that reattach a detached object, as the ledger keeps them: run only if each is one of a short list of
//! statements, on the recorded table and object.
//!
//! The ledger keeps the server's own text (`pg_get_indexdef`, `pg_get_constraintdef`) instead of its parts, because that text
//! has every option of every version of the server. A text must therefore match one of the patterns below, which leave only
//! lists, options and expressions open. So whoever can write to the ledger can neither name another object nor add a
//! statement, whichever version of this tool wrote the ledger.

mod lexer;
#[cfg(test)]
mod tests;

use crate::model::schema::DetachKind;

use lexer::{NestedToken, Token, statements, tokens};

/// The object that the ledger records.
#[derive(Clone, Copy)]
pub(super) struct Recorded<'a> {
    /// The schema of its table.
    pub schema: &'a str,
    /// Its table.
    pub table: &'a str,
    /// Its name.
    pub object: &'a str,
    /// Its kind.
    pub kind: DetachKind,
}

/// The steps that reattach an object, each run in one transaction.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ReattachSql {
    steps: Vec<String>,
    /// Other tables that the steps alter, with their schemas: the partitions in which a trigger is enabled.
    members: Vec<(String, String)>,
}

/// Elements of a pattern, separated by spaces:
/// - `WORD`: this keyword; `?WORD`: this keyword or nothing.
/// - `@table`, `@object`, `@index`: the recorded table with its schema; the recorded name; the same with the schema.
/// - `@member`: a table with its schema, which must be the recorded one or a partition of it.
/// - `@name`, `@word`, `@list`, `@text`, `@number`: any name with its schema, word, group in brackets, literal, number.
/// - `@actions`: keywords of a foreign key and lists of columns up to the end.
/// - `@expression`: everything up to the end that contains no comma outside brackets.
const TRIGGER: [&str; 1] = ["ALTER TABLE ?ONLY @member ENABLE ?ALWAYS ?REPLICA TRIGGER @object"];

const FOREIGN: [&str; 3] = [
    "ALTER TABLE @table ADD CONSTRAINT @object FOREIGN KEY @list REFERENCES @name @list @actions",
    "ALTER TABLE @table VALIDATE CONSTRAINT @object",
    "COMMENT ON CONSTRAINT @object ON @table IS @text",
];

const INDEX: [&str; 5] = [
    "SET LOCAL default_tablespace = @text",
    "CREATE ?UNIQUE INDEX @object ON @table USING @word @list @expression",
    "ALTER INDEX @index ALTER COLUMN @number SET STATISTICS @number",
    "COMMENT ON INDEX @index IS @text",
    "ALTER TABLE @table CLUSTER ON @object",
];

/// A key that is a constraint, in addition to its index.
const KEY: [&str; 2] = [
    "ALTER TABLE @table ADD CONSTRAINT @object ?PRIMARY ?KEY ?UNIQUE USING INDEX @object ?DEFERRABLE ?INITIALLY ?DEFERRED",
    "COMMENT ON CONSTRAINT @object ON @table IS @text",
];

/// The keywords that may follow the columns of a foreign key's parent.
const ACTIONS: [&str; 19] = [
    "match",
    "full",
    "simple",
    "partial",
    "on",
    "update",
    "delete",
    "cascade",
    "restrict",
    "set",
    "null",
    "default",
    "no",
    "action",
    "deferrable",
    "initially",
    "deferred",
    "not",
    "valid",
];

impl ReattachSql {
    /// Reads the steps of an object. `None` if one of them is no statement that reattaches this object.
    pub(super) fn read(recorded: &Recorded<'_>, steps: Vec<String>) -> Option<ReattachSql> {
        let mut members = Vec::new();
        for step in &steps {
            let all = tokens(step)?;
            for statement in all.split(|token| token.token == Token::Semicolon) {
                let fitting = patterns(recorded.kind).find_map(|pattern| fits(statement, pattern, recorded));
                members.extend(fitting?);
            }
        }
        members.retain(|(schema, table)| (schema.as_str(), table.as_str()) != (recorded.schema, recorded.table));
        Some(ReattachSql { steps, members })
    }

    /// The other tables that the steps alter.
    pub(super) fn members(&self) -> &[(String, String)] {
        &self.members
    }

    /// The number of steps.
    pub fn count(&self) -> usize {
        self.steps.len()
    }

    /// The statements of a step, to be sent each as a message of its own; none after the last step. Citus runs no DDL out of a
    /// message with several statements.
    pub fn statements(&self, step: usize) -> Vec<&str> {
        let Some(step) = self.steps.get(step) else { return Vec::new() };
        // A step that was read has tokens.
        statements(step).unwrap_or_else(|| vec![step.as_str()])
    }

    /// The steps from `first` on.
    pub fn remaining(&self, first: usize) -> &[String] {
        self.steps.get(first..).unwrap_or_default()
    }
}

fn patterns(kind: DetachKind) -> impl Iterator<Item = &'static str> {
    let (first, second): (&'static [&'static str], &'static [&'static str]) = match kind {
        DetachKind::Trigger => (&TRIGGER, &[]),
        DetachKind::Foreign => (&FOREIGN, &[]),
        DetachKind::Index => (&INDEX, &[]),
        DetachKind::Unique | DetachKind::Primary => (&INDEX, &KEY),
    };
    first.iter().chain(second).copied()
}

/// Compares a statement with a pattern. Returns the tables at `@member`; `None` if the statement differs.
fn fits(statement: &[NestedToken], pattern: &str, recorded: &Recorded<'_>) -> Option<Vec<(String, String)>> {
    let mut matcher = Matcher { rest: statement, recorded, members: Vec::new() };
    let fits = pattern.split(' ').all(|element| matcher.take(element)) && matcher.rest.is_empty();
    fits.then_some(matcher.members)
}

struct Matcher<'a> {
    rest: &'a [NestedToken],
    recorded: &'a Recorded<'a>,
    members: Vec<(String, String)>,
}

impl Matcher<'_> {
    /// Takes the tokens of one element of a pattern. Returns false if they differ.
    fn take(&mut self, element: &str) -> bool {
        let Recorded { schema, table, object, .. } = *self.recorded;
        let is = |found: Option<(String, String)>, name: &str| found.is_some_and(|(s, n)| s == schema && n == name);
        match element {
            "@table" => is(self.qualified(), table),
            "@index" => is(self.qualified(), object),
            "@object" => self.name().is_some_and(|name| name == object),
            "@name" => self.qualified().is_some(),
            "@member" => match self.qualified() {
                Some(member) => {
                    self.members.push(member);
                    true
                }
                None => false,
            },
            "@word" => self.one(|token| matches!(token, Token::Word(_))),
            "@text" => self.one(|token| *token == Token::Text),
            "@number" => self.one(|token| *token == Token::Number),
            "@list" => self.group(),
            "@actions" => {
                while self.group() || self.one(|t| matches!(t, Token::Word(w) if ACTIONS.contains(&w.as_str()))) {}
                true
            }
            "@expression" => {
                let ends = |token: &NestedToken| token.depth == 0 && token.token == Token::Comma;
                !std::mem::take(&mut self.rest).iter().any(ends)
            }
            "=" => self.one(|token| *token == Token::Operator),
            _ => match element.strip_prefix('?') {
                Some(word) => {
                    self.keyword(word);
                    true
                }
                None => self.keyword(element),
            },
        }
    }

    fn one(&mut self, is: impl Fn(&Token) -> bool) -> bool {
        let [first, rest @ ..] = self.rest else { return false };
        let fits = is(&first.token);
        if fits {
            self.rest = rest;
        }
        fits
    }

    fn keyword(&mut self, word: &str) -> bool {
        self.one(|token| matches!(token, Token::Word(found) if found.eq_ignore_ascii_case(word)))
    }

    fn name(&mut self) -> Option<String> {
        let [first, rest @ ..] = self.rest else { return None };
        let (Token::Word(name) | Token::Name(name)) = &first.token else { return None };
        self.rest = rest;
        Some(name.clone())
    }

    /// Takes a name with its schema.
    fn qualified(&mut self) -> Option<(String, String)> {
        let schema = self.name()?;
        if !self.one(|token| *token == Token::Dot) {
            return None;
        }
        Some((schema, self.name()?))
    }

    /// Takes a group in brackets.
    fn group(&mut self) -> bool {
        let [NestedToken { token: Token::Open, depth }, ..] = self.rest else { return false };
        let is_end = |token: &NestedToken| token.token == Token::Close && token.depth == *depth;
        let Some(end) = self.rest.iter().position(is_end) else { return false };
        self.rest = &self.rest[end + 1..];
        true
    }
}
