//! Ids that stand inside text, as in `user_3_doc_x` or `uploads/3/a.pdf`: where they change, the text goes on naming the old
//! one. Told beforehand, with counts alone.
//!
//! Looked for is an id of the same row that does not arrive as it is (shifted, issued anew, looked up), as a whole number in
//! a text without white space, in at least half of a column's texts: a number that meets an id by chance does so in few.
//! Text that means another row, or prose, is not judged; nothing is changed.

use std::ops::ControlFlow;

use crate::convert::Settled;
use crate::model::cell::Raw;
use crate::model::key::{Key, KeyRange};
use crate::model::record::Warning;
use crate::model::schema::SourceSchema;
use crate::model::select::{Expr, Failed, Relation, Row, Select, Sink};
use crate::plan::{ColumnPlan, Feed, LoadPlan, Plan};
use crate::sqlite::Source;

use crate::job::Stop;
use crate::model::select::CONTINUE;

/// A warning for each text column that holds ids which change.
///
/// # Errors
/// When the source cannot be read.
pub fn ids_in_text(plan: &Plan, source: &Source, settled: &Settled) -> Result<Vec<Warning>, Stop> {
    let mut warnings = Vec::new();
    for load in &plan.loads {
        let ids: Vec<(&str, Expr)> = load
            .columns
            .iter()
            .filter_map(|c| Some((c.name.as_str(), old(load, c, source.schema(), settled)?)))
            .collect();
        let texts: Vec<(&str, Expr)> =
            load.columns.iter().filter_map(|c| Some((c.name.as_str(), text(load, c)?))).collect();
        if ids.is_empty() || texts.is_empty() {
            continue;
        }
        let exprs = ids.iter().chain(&texts).map(|(_, expr)| expr.clone()).collect();
        let select = Select { exprs, ..load.select.clone() };
        let mut count =
            Count { ids: ids.len(), held: vec![vec![0; texts.len()]; ids.len()], texts: vec![0; texts.len()] };
        source.reader()?.scan(&select, KeyRange::ALL, &mut count)?;
        for (t, (text, _)) in texts.iter().enumerate() {
            for (i, (id, _)) in ids.iter().enumerate().filter(|(i, _)| count.is_meant(*i, t)) {
                warnings.push(warning(load, (text, id), (count.held[i][t], count.texts[t])));
            }
        }
    }
    Ok(warnings)
}

fn warning(load: &LoadPlan, (text, id): (&str, &str), (held, texts): (u64, u64)) -> Warning {
    let message = format!(
        "{held} of {texts} texts contain the source's `{id}` as a number. These ids change, and the texts keep the old ones. Write \
         them anew with `sql`, or fix what they refer to"
    );
    Warning::new(format!("{}.columns.{text}", load.place()), message)
}

/// What the source has in place of an id that arrives as another one.
fn old(load: &LoadPlan, column: &ColumnPlan, schema: &SourceSchema, settled: &Settled) -> Option<Expr> {
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

/// What is read for a column of text.
fn text(load: &LoadPlan, column: &ColumnPlan) -> Option<Expr> {
    match &column.feed {
        Feed::Cell(n) if column.kind.is_text() => Some(load.select.exprs[*n].clone()),
        _ => None,
    }
}

/// Counts texts, and those among them that hold an id of their row.
struct Count {
    ids: usize,
    /// By id, then by text.
    held: Vec<Vec<u64>>,
    texts: Vec<u64>,
}

impl Count {
    /// Whether the texts of a column hold the id by more than chance.
    fn is_meant(&self, id: usize, text: usize) -> bool {
        let held = self.held[id][text];
        held > 0 && 2 * held >= self.texts[text]
    }
}

impl Sink for Count {
    fn row(&mut self, row: &dyn Row) -> ControlFlow<()> {
        for t in 0..self.texts.len() {
            let Raw::Text(text) = row.cell(self.ids + t) else { continue };
            self.texts[t] += 1;
            if text.iter().any(u8::is_ascii_whitespace) {
                continue;
            }
            for i in 0..self.ids {
                if let Raw::Integer(id) = row.cell(i) {
                    self.held[i][t] += u64::from(holds(text, id));
                }
            }
        }
        CONTINUE
    }

    fn failed(&mut self, _: Key, _: Failed) -> ControlFlow<()> {
        CONTINUE
    }
}

/// Whether a number of the text, from its first digit to its last, is this one.
fn holds(text: &[u8], id: i64) -> bool {
    let id = id.to_string();
    text.split(|byte| !byte.is_ascii_digit()).any(|digits| digits == id.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::holds;

    #[test]
    fn only_a_whole_number_is_an_id() {
        for held in ["user_3_doc_x", "uploads/3/a.pdf", "3", "a3", "x-12-3"] {
            assert!(holds(held.as_bytes(), 3), "{held}");
        }
        for not in ["user_33_doc", "2025-03-13", "x3000", "", "three"] {
            assert!(!holds(not.as_bytes(), 3), "{not}");
        }
    }
}
