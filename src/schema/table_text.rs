//! Reads of the text of CREATE TABLE what SQLite's catalogue does not return: CHECK constraints, generated columns, names of
//! constraints, deferrable foreign keys, actions on conflicts.

use super::tokens::{SourceToken, tokens};

/// The parts of CREATE TABLE that the catalogue does not return.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TableText {
    /// CHECK constraints, in the order of the text.
    pub checks: Vec<CheckText>,
    /// Generated columns.
    pub generated: Vec<GeneratedText>,
    /// Foreign keys, in the order of the text.
    pub foreign: Vec<ForeignText>,
    /// The actions of ON CONFLICT clauses, in capitals.
    pub conflicts: Vec<String>,
    /// The collations of columns, in capitals, by column.
    pub collations: Vec<ColumnCollation>,
}

/// The collation of a column.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ColumnCollation {
    /// The column.
    pub column: String,
    /// The collation, in capitals.
    pub collation: String,
}

impl TableText {
    /// Returns the collation of a column: the last one that is written.
    pub fn collation(&self, column: &str) -> &str {
        let own = self.collations.iter().rfind(|own| own.column == column);
        own.map_or("BINARY", |own| own.collation.as_str())
    }
}

/// A CHECK constraint.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct CheckText {
    /// The constraint's name.
    pub name: Option<String>,
    /// The column in whose definition it is written.
    pub column: Option<String>,
    /// The condition, without its brackets.
    pub condition: Vec<SourceToken>,
}

/// A generated column.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct GeneratedText {
    /// The column.
    pub column: String,
    /// The expression, without its brackets.
    pub expression: Vec<SourceToken>,
}

/// The text of a foreign key.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ForeignText {
    /// The constraint's name.
    pub name: Option<String>,
    /// `DEFERRABLE`, or `DEFERRABLE INITIALLY DEFERRED` if `is_deferred` is true as well.
    pub is_deferrable: bool,
    /// `INITIALLY DEFERRED`.
    pub is_deferred: bool,
}

/// Words that end the type of a column and begin a constraint.
const CONSTRAINTS: [&str; 12] = [
    "CONSTRAINT",
    "PRIMARY",
    "NOT",
    "NULL",
    "UNIQUE",
    "CHECK",
    "DEFAULT",
    "COLLATE",
    "REFERENCES",
    "GENERATED",
    "AS",
    "FOREIGN",
];

/// Words that begin a constraint of the table. A column of such a name must be quoted.
const TABLE_CONSTRAINTS: [&str; 5] = ["CONSTRAINT", "PRIMARY", "UNIQUE", "CHECK", "FOREIGN"];

/// Reads the text. `None` if it has another form than SQLite's.
pub fn table_text(sql: &str) -> Option<TableText> {
    let all = tokens(sql)?;
    let open = all.iter().position(|token| token.is_symbol("("))?;
    let body = inside(&all, open)?;
    let mut found = TableText::default();
    for item in items(body) {
        let first = item.first()?;
        let is_column = !is_table_constraint(first);
        let column = if is_column { Some(first.name()?.to_owned()) } else { None };
        let mut reader =
            ConstraintReader { rest: &item[usize::from(is_column)..], name: None, column, found: &mut found };
        if is_column {
            reader.skip_type()?;
        }
        reader.read()?;
    }
    Some(found)
}

/// Returns true if a part of the list that begins with this token is a constraint of the table.
pub fn is_table_constraint(first: &SourceToken) -> bool {
    TABLE_CONSTRAINTS.iter().any(|word| first.is_word(word))
}

/// Returns the tokens between the bracket at a place and the bracket that closes it.
pub fn inside(tokens: &[SourceToken], open: usize) -> Option<&[SourceToken]> {
    let mut depth = 0;
    for (n, token) in tokens.iter().enumerate().skip(open) {
        if token.is_symbol("(") {
            depth += 1;
        } else if token.is_symbol(")") {
            depth -= 1;
        }
        if depth == 0 {
            return tokens.get(open + 1..n);
        }
    }
    None
}

/// Returns the parts of a list between commas that are in no brackets.
pub fn items(list: &[SourceToken]) -> Vec<&[SourceToken]> {
    let mut depth = 0;
    list.split(|token| {
        if token.is_symbol("(") {
            depth += 1;
        } else if token.is_symbol(")") {
            depth -= 1;
        }
        depth == 0 && token.is_symbol(",")
    })
    .collect()
}

/// Reads the constraints of one column, or constraints of the table that no comma separates.
struct ConstraintReader<'t> {
    rest: &'t [SourceToken],
    name: Option<String>,
    column: Option<String>,
    found: &'t mut TableText,
}

impl<'t> ConstraintReader<'t> {
    fn eat(&mut self, word: &str) -> bool {
        let is_it = self.rest.first().is_some_and(|token| token.is_word(word));
        self.rest = &self.rest[usize::from(is_it)..];
        is_it
    }

    fn take(&mut self) -> Option<&'t SourceToken> {
        let (first, rest) = self.rest.split_first()?;
        self.rest = rest;
        Some(first)
    }

    /// Takes a pair of brackets with its content, if it follows.
    fn brackets(&mut self) -> Option<&'t [SourceToken]> {
        self.rest.first().filter(|token| token.is_symbol("("))?;
        let content = inside(self.rest, 0)?;
        self.rest = self.rest.get(content.len() + 2..)?;
        Some(content)
    }

    fn skip_type(&mut self) -> Option<()> {
        while let Some(first) = self.rest.first() {
            if CONSTRAINTS.iter().any(|word| first.is_word(word)) {
                break;
            }
            if first.is_symbol("(") {
                self.brackets()?;
            } else {
                self.take()?.name()?;
            }
        }
        Some(())
    }

    fn read(&mut self) -> Option<()> {
        while let Some(first) = self.take() {
            let is = |word: &str| first.is_word(word);
            if is("CONSTRAINT") {
                self.name = Some(self.take()?.name()?.to_owned());
                continue;
            }
            if is("CHECK") {
                let condition = self.brackets()?.to_vec();
                let (name, column) = (self.name.take(), self.column.clone());
                self.found.checks.push(CheckText { name, column, condition });
            } else if is("REFERENCES") {
                self.reference()?;
            } else if is("FOREIGN") {
                self.eat("KEY");
                self.brackets()?;
                continue;
            } else if is("GENERATED") || is("AS") {
                if is("GENERATED") {
                    self.eat("ALWAYS");
                    self.eat("AS");
                }
                let expression = self.brackets()?.to_vec();
                self.found.generated.push(GeneratedText { column: self.column.clone()?, expression });
            } else if is("DEFAULT") {
                self.default()?;
            } else if is("COLLATE") {
                let collation = self.take()?.name()?.to_ascii_uppercase();
                let column = self.column.clone()?;
                self.found.collations.push(ColumnCollation { column, collation });
            } else if is("ON") && self.eat("CONFLICT") {
                self.conflict()?;
            } else if is("PRIMARY") || is("UNIQUE") {
                self.eat("KEY");
                self.brackets();
            }
            self.name = None;
        }
        Some(())
    }

    fn conflict(&mut self) -> Option<()> {
        let action = self.take()?.name()?.to_ascii_uppercase();
        self.found.conflicts.push(action);
        Some(())
    }

    fn default(&mut self) -> Option<()> {
        if self.brackets().is_none() {
            let first = self.take()?;
            if first.is_symbol("-") || first.is_symbol("+") {
                self.take()?;
            }
        }
        Some(())
    }

    fn reference(&mut self) -> Option<()> {
        self.take()?.name()?;
        self.brackets();
        let mut foreign = ForeignText { name: self.name.take(), ..ForeignText::default() };
        loop {
            if self.eat("ON") {
                if self.eat("CONFLICT") {
                    self.conflict()?;
                    continue;
                }
                self.take()?;
                let action = self.take()?;
                if action.is_word("SET") || action.is_word("NO") {
                    self.take()?;
                }
            } else if self.eat("MATCH") {
                self.take()?;
            } else if self.rest.first().is_some_and(|token| token.is_word("NOT"))
                && self.rest.get(1).is_some_and(|token| token.is_word("DEFERRABLE"))
            {
                self.take()?;
                self.take()?;
                if self.eat("INITIALLY") {
                    self.take()?;
                }
            } else if self.eat("DEFERRABLE") {
                foreign.is_deferrable = true;
                if self.eat("INITIALLY") {
                    foreign.is_deferred = self.take()?.is_word("DEFERRED");
                }
            } else {
                break;
            }
        }
        self.found.foreign.push(foreign);
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checks_generated_columns_and_deferrable_keys_are_found() {
        let text = table_text(
            "CREATE TABLE IF NOT EXISTS \"t\" (id INTEGER PRIMARY KEY ON CONFLICT REPLACE AUTOINCREMENT, \
             n UNSIGNED BIG INT(10, 2) NOT NULL DEFAULT -1 CONSTRAINT positive CHECK (n > 0) REFERENCES p (a, b) \
             ON DELETE SET NULL ON UPDATE NO ACTION DEFERRABLE INITIALLY DEFERRED, \
             g AS (n * (2 + 1)) STORED, h TEXT GENERATED ALWAYS AS (lower(g)), \
             CONSTRAINT u UNIQUE (n, g) CHECK (a IN (1, 2)) FOREIGN KEY (n) REFERENCES q NOT DEFERRABLE) STRICT",
        )
        .expect("a table");
        let names: Vec<_> = text.checks.iter().map(|check| (check.name.as_deref(), check.column.as_deref())).collect();
        assert_eq!(names, [(Some("positive"), Some("n")), (None, None)]);
        assert_eq!(text.checks[1].condition.len(), 7);
        let generated: Vec<_> = text.generated.iter().map(|column| column.column.as_str()).collect();
        assert_eq!(generated, ["g", "h"]);
        let deferred = ForeignText { name: None, is_deferrable: true, is_deferred: true };
        assert_eq!(text.foreign, [deferred, ForeignText::default()]);
        assert_eq!(text.conflicts, ["REPLACE"]);
    }

    #[test]
    fn a_damaged_text_is_no_table() {
        for sql in ["CREATE TABLE t (a", "CREATE TABLE t", "CREATE TABLE t (a CHECK)", "CREATE TABLE t ('"] {
            assert_eq!(table_text(sql), None, "{sql}");
        }
    }
}
