//! Reads of the text of CREATE INDEX what SQLite's catalogue does not return: expressions and the condition.

use super::table_text::{inside, items};
use super::tokens::{SourceToken, tokens};

/// The parts of CREATE INDEX.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct IndexText {
    /// The expression of each part, without its collation and its order.
    pub parts: Vec<Vec<SourceToken>>,
    /// The condition. Empty: there is none.
    pub condition: Vec<SourceToken>,
}

/// Reads the text. `None` if it has another form than SQLite's.
pub fn index_text(sql: &str) -> Option<IndexText> {
    let all = tokens(sql)?;
    // A name may be a keyword in quotes; ON without quotes begins the table.
    let on = all.iter().position(|token| token.is_word("ON"))?;
    let open = on + all.get(on..)?.iter().position(|token| token.is_symbol("("))?;
    let list = inside(&all, open)?;
    let rest = all.get(open + list.len() + 2..)?;
    let condition = match rest.split_first() {
        Some((first, condition)) if first.is_word("WHERE") => condition.to_vec(),
        Some(_) => return None,
        None => Vec::new(),
    };
    Some(IndexText { parts: items(list).into_iter().map(part).collect(), condition })
}

/// Returns a part without the words after its expression.
fn part(tokens: &[SourceToken]) -> Vec<SourceToken> {
    let mut part = tokens;
    loop {
        part = match part {
            [rest @ .., last] if last.is_word("ASC") || last.is_word("DESC") => rest,
            [rest @ .., collate, _] if collate.is_word("COLLATE") => rest,
            _ => return part.to_vec(),
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn expressions_and_the_condition_are_found() {
        let sql = "CREATE UNIQUE INDEX \"on\" ON t (lower(a) COLLATE nocase DESC, b) WHERE c > (1) AND d";
        let text = index_text(sql).expect("an index");
        assert_eq!(text.parts[0], tokens("lower(a)").expect("tokens"));
        assert_eq!(text.condition, tokens("c > (1) AND d").expect("tokens"));
        assert_eq!(index_text("CREATE INDEX i ON t (a) x"), None);
    }
}
