//! Finds ids inside text, as in `user_3_doc_x` or `uploads/3/a.pdf`. If such an id changes, the text keeps the old id.
//! Warns before the run, with counts only.
//!
//! An id counts if it belongs to the same row and changes on the way (shifted, issued anew or looked up), and if it is a
//! whole number in a text without white space. At least half of a column's texts must contain it; a coincidence affects
//! few texts. Texts about other rows and prose are not judged. Nothing is changed.

use crate::convert::Settled;
use crate::model::cell::Raw;
use crate::model::key::KeyRange;
use crate::model::record::Warning;
use crate::model::schema::SourceSchema;
use crate::model::select::{CONTINUE, Expr, Relation, Row, Select};
use crate::plan::{ColumnPlan, Feed, LoadPlan, Plan};
use crate::sqlite::Source;

/// Warns about each text column that contains ids which change. Texts that cannot be read are a warning.
pub fn find(plan: &Plan, source: &Source, settled: &Settled) -> Vec<Warning> {
    let mut warnings = Vec::new();
    for load in &plan.loads {
        let ids = columns(load, |column| changing_id(load, column, source.schema(), settled));
        let texts = columns(load, |column| text(load, column));
        if ids.is_empty() || texts.is_empty() {
            continue;
        }
        let exprs = ids.iter().chain(&texts).map(|(_, expr)| expr.clone()).collect();
        let select = Select { exprs, ..load.select.clone() };
        let mut count =
            Count { ids: ids.len(), matches: vec![vec![0; texts.len()]; ids.len()], texts: vec![0; texts.len()] };
        let each_row = |row: &dyn Row| {
            count.row(row);
            CONTINUE
        };
        if let Err(error) = source.reader().and_then(|reader| reader.each(&select, KeyRange::ALL, each_row)) {
            let message = format!("it is unknown which of its texts contain ids that change: {error}");
            warnings.push(Warning::new(load.place(), message));
            continue;
        }
        for (t, (text, _)) in texts.iter().enumerate() {
            for (i, (id, _)) in ids.iter().enumerate().filter(|(i, _)| count.is_no_coincidence(*i, t)) {
                warnings.push(Warning::new(
                    format!("{}.columns.{text}", load.place()),
                    format!(
                        "{} of {} texts contain the source's `{id}` as a number. These ids change, and the texts keep the \
                         old ones. Write them anew with `sql`, or fix what they refer to",
                        count.matches[i][t], count.texts[t]
                    ),
                ));
            }
        }
    }
    warnings
}

/// The columns of a load for which `expr` returns an expression of the source, with their names.
fn columns(load: &LoadPlan, expr: impl Fn(&ColumnPlan) -> Option<Expr>) -> Vec<(&str, Expr)> {
    load.columns.iter().filter_map(|column| Some((column.name.as_str(), expr(column)?))).collect()
}

/// The source's expression for an id that changes on the way. `None` for every other column.
fn changing_id(load: &LoadPlan, column: &ColumnPlan, schema: &SourceSchema, settled: &Settled) -> Option<Expr> {
    match &column.feed {
        Feed::Cell(n) => {
            let shift = column.shift.as_ref().and_then(|table| settled.shifts.get(table)).copied();
            shift.filter(|shift| *shift != 0).map(|_| load.select.exprs[*n].clone())
        }
        Feed::Issued(_) | Feed::Lookup(_) => {
            let Relation::Table(table) = &load.select.relation else { return None };
            let found = schema.tables.get(table)?.columns.iter().find(|c| c.name.eq_ignore_ascii_case(&column.name))?;
            Some(Expr::Column(found.name.clone()))
        }
        Feed::Constant(_) | Feed::Owner => None,
    }
}

/// The source's expression for a column of text.
fn text(load: &LoadPlan, column: &ColumnPlan) -> Option<Expr> {
    match &column.feed {
        Feed::Cell(n) if column.kind.is_text() => Some(load.select.exprs[*n].clone()),
        _ => None,
    }
}

/// Counts texts, and texts that contain an id of their row.
struct Count {
    ids: usize,
    /// By id, then by text.
    matches: Vec<Vec<u64>>,
    texts: Vec<u64>,
}

impl Count {
    fn row(&mut self, row: &dyn Row) {
        for t in 0..self.texts.len() {
            let Raw::Text(text) = row.cell(self.ids + t) else { continue };
            self.texts[t] += 1;
            if text.iter().any(u8::is_ascii_whitespace) {
                continue;
            }
            for i in 0..self.ids {
                if let Raw::Integer(id) = row.cell(i) {
                    self.matches[i][t] += u64::from(contains_number(text, id));
                }
            }
        }
    }

    /// Returns true if enough texts of a column contain the id.
    fn is_no_coincidence(&self, id: usize, text: usize) -> bool {
        let matches = self.matches[id][text];
        matches > 0 && 2 * matches >= self.texts[text]
    }
}

/// Returns true if a number of the text, from its first digit to its last, is this id.
fn contains_number(text: &[u8], id: i64) -> bool {
    let id = id.to_string();
    text.split(|byte| !byte.is_ascii_digit()).any(|digits| digits == id.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::contains_number;

    #[test]
    fn only_a_whole_number_is_an_id() {
        for text in ["user_3_doc_x", "uploads/3/a.pdf", "3", "a3", "x-12-3"] {
            assert!(contains_number(text.as_bytes(), 3), "{text}");
        }
        for text in ["user_33_doc", "2025-03-13", "x3000", "", "three"] {
            assert!(!contains_number(text.as_bytes(), 3), "{text}");
        }
    }
}
