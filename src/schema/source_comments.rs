//! The comments in the text of CREATE TABLE: what its author says about the table and its columns.

use super::table_text::is_table_constraint;
use super::tokens::{SourceComment, SourcePart, SourceToken, parts};

/// A comment on a table or on one of its columns.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommentDdl {
    /// The column. `None`: the table.
    pub column: Option<String>,
    /// The text, without the marks of SQL around it.
    pub text: String,
}

/// Returns the comments of a table, that of the table first. A comment on the line of a column belongs to it, and one on a line of its own
/// to the column that follows. All others belong to the table.
pub fn source_comments(sql: &str) -> Vec<CommentDdl> {
    let mut reader = CommentReader::default();
    for part in parts(sql).unwrap_or_default() {
        match part {
            SourcePart::Token(token) => reader.token(&token),
            SourcePart::Comment(comment) => reader.comment(&comment),
        }
    }
    reader.pending_to(None);
    reader.found.sort_by_key(|comment| comment.column.is_some());
    reader.found
}

/// The part of a list between two commas.
#[derive(Clone, Debug, Default, PartialEq)]
enum ListPart {
    /// None of its tokens was read.
    #[default]
    Empty,
    /// A column.
    Column(String),
    /// A constraint, or the text outside of the list.
    Other,
}

impl ListPart {
    fn column(&self) -> Option<String> {
        match self {
            ListPart::Column(name) => Some(name.clone()),
            ListPart::Empty | ListPart::Other => None,
        }
    }
}

/// Reads the comments of one table.
#[derive(Default)]
struct CommentReader {
    found: Vec<CommentDdl>,
    /// Comments on lines of their own, whose place the next token decides.
    pending: Vec<String>,
    /// Brackets that are open.
    depth: usize,
    /// The item that is read.
    item: ListPart,
    /// The item before it.
    before: ListPart,
}

impl CommentReader {
    fn token(&mut self, token: &SourceToken) {
        if token.is_symbol("(") {
            self.depth += 1;
            if self.depth == 1 {
                self.pending_to(None);
                (self.before, self.item) = (ListPart::Other, ListPart::Empty);
                return;
            }
        } else if token.is_symbol(")") {
            self.depth = self.depth.saturating_sub(1);
            if self.depth == 0 {
                self.pending_to(None);
                self.item = ListPart::Other;
            }
        } else if token.is_symbol(",") && self.depth == 1 {
            self.pending_to(self.item.column());
            self.before = std::mem::take(&mut self.item);
            return;
        }
        if self.depth > 0 && self.item == ListPart::Empty {
            self.item = match token.name() {
                Some(name) if !is_table_constraint(token) => ListPart::Column(name.to_owned()),
                _ => ListPart::Other,
            };
        }
        self.pending_to(self.item.column());
    }

    fn comment(&mut self, comment: &SourceComment) {
        let Some(text) = cleaned(&comment.text) else { return };
        if !comment.is_after_token {
            return self.pending.push(text);
        }
        let of = if self.item == ListPart::Empty { &self.before } else { &self.item };
        self.add(of.column(), text);
    }

    fn pending_to(&mut self, column: Option<String>) {
        for text in std::mem::take(&mut self.pending) {
            self.add(column.clone(), text);
        }
    }

    fn add(&mut self, column: Option<String>, text: String) {
        match self.found.iter_mut().find(|comment| comment.column == column) {
            Some(comment) => comment.text.push_str(&format!("\n{text}")),
            None => self.found.push(CommentDdl { column, text }),
        }
    }
}

/// Returns the text without blanks and the star at the edges of its lines, and without lines of marks alone. `None`: nothing else is left.
fn cleaned(text: &str) -> Option<String> {
    let lines = text.lines().map(|line| line.trim()).map(|line| line.strip_prefix("* ").unwrap_or(line).trim_start());
    let lines: Vec<&str> = lines.filter(|line| line.chars().any(char::is_alphanumeric)).collect();
    (!lines.is_empty()).then(|| lines.join("\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_belong_to_the_column_on_their_line_or_after_it() {
        let found = source_comments(
            "CREATE TABLE /* all of it */ t ( -- things of people
               -- ------------
               -- the number,
               -- given by us
               id INTEGER PRIMARY KEY, -- never used again
               a TEXT CHECK (a IN ('x', -- first
                                   'y')), /* one or
                * the other */
               [b c] INT -- -1: none
                 -- one more line
                 DEFAULT (1),
               d INT -- 'quoted'
               , UNIQUE (a) -- together
               -- the end
             ) STRICT -- strict",
        );
        let text = |column: Option<&str>| {
            let is_it = |comment: &&CommentDdl| comment.column.as_deref() == column;
            found.iter().find(is_it).map(|comment| comment.text.as_str())
        };
        assert_eq!(text(None), Some("all of it\nthings of people\ntogether\nthe end\nstrict"));
        assert_eq!(text(Some("id")), Some("the number,\ngiven by us\nnever used again"));
        assert_eq!(text(Some("a")), Some("first\none or\nthe other"));
        assert_eq!(text(Some("b c")), Some("-1: none\none more line"));
        assert_eq!(text(Some("d")), Some("'quoted'"));
        assert_eq!(found[0].column, None);
        assert_eq!(found.len(), 5);
        assert!(source_comments("CREATE TABLE t (a 'x").is_empty());
    }
}
