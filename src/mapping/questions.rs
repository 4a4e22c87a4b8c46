//! Open questions: entries of a proposed mapping that a person must still answer.
//!
//! An open question is the value `{ "?" = "the question" }` in the place of an answer. A mapping that contains one cannot run.

use toml::de::{DeTable, DeValue};

/// The key of an open question. No column, table or modifier has this name, so an answer is never taken for a question.
pub const QUESTION_KEY: &str = "?";

/// An entry of the mapping that is not answered yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpenQuestion {
    /// Path of the key, such as `load.notes.owner`.
    pub place: String,
    /// The key's line, from 1.
    pub line: usize,
    /// The question.
    pub text: String,
}

/// Removes the open questions from a table, and returns them in the order of their places. `line`: the line of a byte of the
/// file.
pub(super) fn take(table: &mut DeTable<'_>, line: &dyn Fn(usize) -> usize) -> Vec<OpenQuestion> {
    let mut found = Vec::new();
    from_table(&mut Vec::new(), table, line, &mut found);
    found.sort_by_key(|question| question.line);
    found
}

fn from_table(
    path: &mut Vec<String>,
    table: &mut DeTable<'_>,
    line: &dyn Fn(usize) -> usize,
    found: &mut Vec<OpenQuestion>,
) {
    for (key, mut value) in std::mem::take(table) {
        path.push(key.get_ref().to_string());
        let question = match value.get_mut() {
            DeValue::Table(inner) => text_of(inner),
            _ => None,
        };
        match (question, value.get_mut()) {
            (Some(text), _) => found.push(OpenQuestion { place: path.join("."), line: line(key.span().start), text }),
            (None, DeValue::Table(inner)) => {
                from_table(path, inner, line, found);
                table.insert(key, value);
            }
            (None, _) => {
                table.insert(key, value);
            }
        }
        path.pop();
    }
}

/// Returns the text of a question. `None` if the table is none.
fn text_of(table: &DeTable<'_>) -> Option<String> {
    let (_, value) = table.iter().find(|(key, _)| *key.get_ref() == QUESTION_KEY)?;
    Some(value.get_ref().as_str().unwrap_or_default().to_owned())
}
