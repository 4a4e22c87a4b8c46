//! The lines of a proposal that an existing mapping lacks.

use super::draft::{DraftLine, DraftLoad, MappingDraft};
use crate::mapping::{FeedRule, LeaveEntry, Load, MappedColumn, Mapping, OpenQuestion, RowsFrom, Unlisted};

/// Returns the parts of the proposal for tables and columns that the mapping neither reads nor leaves.
pub fn missing(draft: &MappingDraft, mapping: &Mapping, questions: &[OpenQuestion]) -> MappingDraft {
    let known = KnownNames { mapping, questions };
    let sequences =
        draft.sequences.iter().filter(|line| !known.has_place(&format!("sequences.{}", line.key.join("."))));
    MappingDraft {
        name: draft.name.clone(),
        sequences: sequences.cloned().collect(),
        loads: draft.loads.iter().filter_map(|load| known.rest_of(load)).collect(),
        leave: draft.leave.iter().filter(|line| !known.reads(line)).cloned().collect(),
        ..MappingDraft::default()
    }
}

struct KnownNames<'a> {
    mapping: &'a Mapping,
    questions: &'a [OpenQuestion],
}

impl KnownNames<'_> {
    fn has_place(&self, place: &str) -> bool {
        self.mapping.lines.has(place) || self.questions.iter().any(|question| question.place == place)
    }

    /// Returns the parts of a proposed load that the mapping lacks. `None` if it lacks nothing.
    fn rest_of(&self, proposed: &DraftLoad) -> Option<DraftLoad> {
        let mut loads = self.mapping.loads.iter().filter(|load| load.to == proposed.name).peekable();
        if loads.peek().is_none() {
            let is_known = self.is_left(&proposed.source, None) || self.is_in_sql(&proposed.source);
            return (!is_known && !self.copies()).then(|| proposed.clone());
        }
        let loads: Vec<&Load> = loads.collect();
        let is_written = |line: &&DraftLine| {
            let column = line.key.concat();
            let defaults = &self.mapping.defaults;
            loads.iter().any(|load| {
                load.columns.iter().any(|(name, _)| *name == column)
                    || self.has_place(&format!("load.{}.columns.{column}", load.name))
                    || !matches!(load.from, RowsFrom::SameName | RowsFrom::Table(_))
            }) || defaults.columns.contains_key(&column)
        };
        let columns: Vec<DraftLine> = proposed.columns.iter().filter(|line| !is_written(line)).cloned().collect();
        (!columns.is_empty()).then(|| DraftLoad { lines: Vec::new(), notes: Vec::new(), columns, ..proposed.clone() })
    }

    fn copies(&self) -> bool {
        self.mapping.defaults.unlisted_tables == Unlisted::Copy
    }

    /// Returns true if the mapping knows a table or column that the proposal leaves.
    fn reads(&self, line: &DraftLine) -> bool {
        let (table, column) = match line.key.as_slice() {
            [table] => (table, None),
            [table, column] => (table, Some(column.as_str())),
            _ => return false,
        };
        if self.is_left(table, column)
            || self.has_place(&format!("leave.{}", line.key.join(".")))
            || self.is_in_sql(table)
        {
            return true;
        }
        let mut loads = self.mapping.loads.iter().filter(|load| reads_table(load, table));
        match column {
            None => loads.next().is_some(),
            Some(column) => loads.any(|load| load.columns.iter().any(|(_, written)| feeds(written, column))),
        }
    }

    fn is_left(&self, table: &str, column: Option<&str>) -> bool {
        let is_it =
            |entry: &LeaveEntry| entry.table == table && (entry.column.is_none() || entry.column.as_deref() == column);
        self.mapping.leave.iter().any(is_it)
    }

    /// Returns true if the SQL of a load contains the name of a table.
    fn is_in_sql(&self, table: &str) -> bool {
        let contains = |load: &Load| match &load.from {
            RowsFrom::Sql(sql) => {
                sql.split(|c: char| !c.is_alphanumeric() && c != '_').any(|word| word.eq_ignore_ascii_case(table))
            }
            _ => false,
        };
        self.mapping.loads.iter().any(contains)
    }
}

fn reads_table(load: &Load, table: &str) -> bool {
    match &load.from {
        RowsFrom::SameName => load.name == table,
        RowsFrom::Table(name) => name == table,
        RowsFrom::Sql(_) | RowsFrom::Rows(_) => false,
    }
}

/// Returns true if a written column reads a column of the source, or may read it in SQL.
fn feeds(written: &MappedColumn, column: &str) -> bool {
    match &written.feed {
        Some(FeedRule::From(name)) => name == column,
        Some(FeedRule::Sql(sql)) => sql.contains(column),
        Some(FeedRule::Lookup(lookup)) => {
            lookup.steps.iter().flat_map(|step| &step.source.0).any(|sql| sql.contains(column))
        }
        _ => false,
    }
}
