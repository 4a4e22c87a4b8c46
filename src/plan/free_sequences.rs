//! The columns that each sequence of the schema numbers. Applications draw from some sequences by name, and no column of the
//! target names them. Each is assigned to columns, by the mapping or by its name, or it numbers no column of a load. Without
//! either, a run is refused.

use serde::Serialize;

use crate::mapping::{Mapping, SequenceEntry};
use crate::model::ident::did_you_mean;
use crate::model::pgtype::Kind;
use crate::model::record::NumberedBy;
use crate::model::schema::{SchemaSequence, Sequence, TargetColumn, TargetSchema};

use super::{LoadPlan, PlanFindings};

/// A column whose values a sequence issues.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct CountedColumn {
    /// The table.
    pub table: String,
    /// The column.
    pub column: String,
    /// True if the column holds the negative of the issued number.
    pub negated: bool,
}

impl CountedColumn {
    /// Returns `table.column` as the mapping writes it.
    pub fn shown(&self) -> String {
        format!("{}{}.{}", if self.negated { "-" } else { "" }, self.table, self.column)
    }
}

/// A sequence of the schema and the columns that it numbers.
#[derive(Clone, Debug, PartialEq)]
pub struct AssignedSequence {
    /// The sequence.
    pub sequence: Sequence,
    /// The columns. None: the run leaves the sequence as it is.
    pub columns: Vec<CountedColumn>,
    /// The origin of this knowledge.
    pub by: NumberedBy,
}

impl AssignedSequence {
    /// Returns true if the sequence numbers columns that do not name it.
    pub fn is_without_column(&self) -> bool {
        !self.columns.is_empty() && self.by != NumberedBy::Column
    }
}

/// The schema, the loads and the owner's table, by which sequences are assigned.
pub(super) struct Assigner<'a> {
    pub mapping: &'a Mapping,
    pub target: &'a TargetSchema,
    pub loads: &'a [LoadPlan],
    /// True if the command writes rows, or checks whether it could.
    pub writes: bool,
}

impl Assigner<'_> {
    /// Assigns the sequences of the schema. A command that only compares or removes
    /// rows accepts a sequence without assignment: the application may have created it since the run.
    pub fn assign(&self, findings: &mut PlanFindings) -> Vec<AssignedSequence> {
        let entries = &self.mapping.sequences;
        for entry in entries.iter().filter(|entry| !self.target.sequences.contains_key(&entry.name)) {
            let known = self.target.sequences.keys().map(String::as_str);
            findings.refuse(
                place(&entry.name),
                format!("the target's schema `{}` has no sequence `{}`", self.target.schema, entry.name),
                format!("{}Write the name of a sequence of this schema.", did_you_mean(&entry.name, known)),
            );
        }
        let mut assigned = Vec::new();
        for (name, facts) in &self.target.sequences {
            let (columns, by) = match entries.iter().find(|entry| entry.name == *name) {
                Some(entry) => (self.written(entry, facts, findings), NumberedBy::Mapping),
                None if !facts.is_free => (self.by_columns(&facts.sequence), NumberedBy::Column),
                None => match self.by_name(name) {
                    Some(column) if self.is_written(&column.table) => (vec![column], NumberedBy::Name),
                    // It belongs to a table that no load fills.
                    Some(_) => (Vec::new(), NumberedBy::Nothing),
                    None => {
                        self.refuse_unassigned(name, &facts.sequence, findings);
                        (Vec::new(), NumberedBy::Nothing)
                    }
                },
            };
            let by = if columns.is_empty() { NumberedBy::Nothing } else { by };
            assigned.push(AssignedSequence { sequence: facts.sequence.clone(), columns, by });
        }
        assigned
    }

    fn is_written(&self, table: &str) -> bool {
        self.loads.iter().any(|load| load.table == table)
            || self.mapping.owner.as_ref().is_some_and(|owner| owner.table == table)
    }

    /// Returns the columns of loaded tables that name the sequence.
    fn by_columns(&self, sequence: &Sequence) -> Vec<CountedColumn> {
        let written = self.target.tables.iter().filter(|(table, _)| self.is_written(table));
        let columns = written.flat_map(|(table, facts)| facts.columns.iter().map(move |column| (table, column)));
        let named = columns.filter(|(_, column)| column.sequence.as_ref().is_some_and(|own| own.name == sequence.name));
        let counted = |(table, column): (&String, &TargetColumn)| CountedColumn {
            table: table.clone(),
            column: column.name.clone(),
            negated: false,
        };
        named.map(counted).collect()
    }

    /// Returns the columns that an entry of the mapping names.
    fn written(
        &self,
        entry: &SequenceEntry,
        facts: &SchemaSequence,
        findings: &mut PlanFindings,
    ) -> Vec<CountedColumn> {
        if entry.columns.is_empty() && !facts.is_free {
            findings.refuse(
                place(&entry.name),
                "a column of the target names it, so it cannot be left as it is",
                "Remove the line: the run moves it with its column.",
            );
        }
        let columns = entry.columns.iter().filter_map(|text| self.column(entry, text, findings));
        columns.collect()
    }

    fn column(&self, entry: &SequenceEntry, text: &str, findings: &mut PlanFindings) -> Option<CountedColumn> {
        let (negated, name) = text.strip_prefix('-').map_or((false, text), |rest| (true, rest));
        let splits = name.match_indices('.').map(|(at, _)| (&name[..at], &name[at + 1..]));
        let find = |(table, column): (&str, &str)| {
            let facts = self.target.tables.get(table)?.column(column)?;
            Some((CountedColumn { table: table.to_owned(), column: column.to_owned(), negated }, facts))
        };
        let Some((counted, facts)) = splits.clone().find_map(find) else {
            let names =
                self.target.tables.iter().flat_map(|(table, facts)| {
                    facts.columns.iter().map(move |column| format!("{table}.{}", column.name))
                });
            let names: Vec<String> = names.collect();
            findings.refuse(
                place(&entry.name),
                format!("the target has no column `{name}`"),
                format!(
                    "{}Write `table.column` with a table and a column of the target.",
                    did_you_mean(name, names.iter().map(String::as_str))
                ),
            );
            return None;
        };
        if !counts(facts) {
            findings.refuse(
                place(&entry.name),
                format!("`{name}` has the type {}, and a sequence issues integers", facts.kind.shown()),
                "Name an integer column, or write `false` and set the sequence after the run.",
            );
            return None;
        }
        Some(counted)
    }

    /// Returns the column to which `serial` would give a sequence of this name: the key of a loaded table if it has no sequence
    /// of its own, or any column of a table that no load fills.
    fn by_name(&self, name: &str) -> Option<CountedColumn> {
        self.target.tables.iter().find_map(|(table, facts)| {
            let is_written = self.is_written(table);
            let is_key = |column: &TargetColumn| {
                facts.unique.iter().any(|key| key.primary && key.columns == [column.name.as_str()])
                    && counts(column)
                    && column.sequence.is_none()
            };
            let mut columns = facts.columns.iter().filter(|column| !is_written || is_key(column));
            let column = columns.find(|column| serial_name(table, &column.name) == name)?;
            Some(CountedColumn { table: table.clone(), column: column.name.clone(), negated: false })
        })
    }

    fn refuse_unassigned(&self, name: &str, sequence: &Sequence, findings: &mut PlanFindings) {
        if !self.writes {
            return;
        }
        let key = toml_key(name);
        let column = self.likely(name).unwrap_or_else(|| "table.column".to_owned());
        findings.refuse(
            format!("sequence {}", sequence.name),
            "no column names it, so it cannot be known which ids it continues",
            format!(
                "Under [sequences] write `{key} = \"{column}\"` if it numbers that column, or `{key} = false` if it numbers \
                 no loaded row."
            ),
        );
    }

    /// Returns the integer key of the loaded table whose name has the longest beginning in common with the sequence's.
    fn likely(&self, sequence: &str) -> Option<String> {
        let common = |table: &str| table.chars().zip(sequence.chars()).take_while(|(a, b)| a == b).count();
        let tables = self.target.tables.iter().filter(|(table, _)| self.is_written(table) && common(table) > 2);
        let keys = tables.filter_map(|(table, facts)| {
            let key = facts.columns.iter().find(|column| {
                counts(column)
                    && column.sequence.is_none()
                    && facts.unique.iter().any(|key| key.columns == [column.name.as_str()])
            })?;
            Some((common(table), format!("{table}.{}", key.name)))
        });
        keys.max_by_key(|(common, _)| *common).map(|(_, column)| column)
    }
}

fn place(sequence: &str) -> String {
    format!("sequences.{sequence}")
}

/// Returns true for a type whose values a sequence can issue.
fn counts(column: &TargetColumn) -> bool {
    matches!(column.kind.kind, Kind::Int2 | Kind::Int4 | Kind::Int8 | Kind::Numeric { .. })
}

/// Returns a name as TOML writes a key.
fn toml_key(name: &str) -> String {
    let is_bare = !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-');
    if is_bare { name.to_owned() } else { serde_json::Value::from(name).to_string() }
}

/// Returns the name that PostgreSQL gives to the sequence of a serial column: `table_column_seq`, with the longer part cut until
/// the name has at most 63 bytes.
fn serial_name(table: &str, column: &str) -> String {
    const LONGEST: usize = 63;
    let most = LONGEST - "__seq".len();
    let (mut of_table, mut of_column) = (table.len(), column.len());
    while of_table + of_column > most {
        if of_table > of_column { of_table -= 1 } else { of_column -= 1 }
    }
    let cut = |name: &str, bytes: usize| {
        let end = (0..=bytes).rev().find(|end| name.is_char_boundary(*end)).unwrap_or(0);
        name[..end].to_owned()
    };
    format!("{}_{}_seq", cut(table, of_table), cut(column, of_column))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_of_a_serial_column_is_cut_as_the_server_cuts_it() {
        assert_eq!(serial_name("notes", "id"), "notes_id_seq");
        let long = "a".repeat(63);
        assert_eq!(serial_name(&long, "id"), format!("{}_id_seq", "a".repeat(56)));
        assert_eq!(serial_name(&long, &"b".repeat(40)), format!("{}_{}_seq", "a".repeat(29), "b".repeat(29)));
        assert_eq!(serial_name(&"ä".repeat(30), "id"), format!("{}_id_seq", "ä".repeat(28)));
    }

    #[test]
    fn a_name_that_is_no_bare_key_is_quoted() {
        assert_eq!(toml_key("a_seq"), "a_seq");
        assert_eq!(toml_key("odd name"), "\"odd name\"");
    }
}
