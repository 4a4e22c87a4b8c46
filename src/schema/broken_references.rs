//! References that the stored rows break: to rows of another owner, which a reference that begins with the owner cannot hold, and to rows
//! that are not there.

use super::ddl::{Ddl, Fate, ForeignDdl, ObjectFate, ObjectKind, TableDdl};
use super::expression::OwnerOfRow;
use super::names::{name, names};
use super::owner_options::OwnerOptions;
use crate::model::ident::quoted;
use crate::text::count;

/// A reference whose rows are counted.
pub struct CountedReference {
    /// The table that has it.
    pub table: String,
    /// The place among its references.
    place: usize,
    /// A query of SQLite whose only value `n` is the number of rows that refer to a row of another owner. `None`: none can.
    pub crossing: Option<String>,
    /// A query of SQLite whose only value `n` is the number of rows that refer to no row.
    pub orphans: String,
}

impl Ddl {
    /// Returns the references of the source.
    pub fn counted_references(&self, options: Option<&OwnerOptions>) -> Vec<CountedReference> {
        let mut found = Vec::new();
        for table in &self.tables {
            for (place, foreign) in table.foreign.iter().enumerate() {
                let Some(parent) = self.tables.iter().find(|parent| parent.name == foreign.parent) else { continue };
                let Some(orphans) = orphans(table, foreign, parent) else { continue };
                let crossing = options.and_then(|options| self.crossing(options, table, foreign, parent));
                found.push(CountedReference { table: table.name.clone(), place, crossing, orphans });
            }
        }
        found
    }

    /// Notes rows that refer to no row. SQLite allows them while `PRAGMA foreign_keys` is off, its default.
    pub fn note_orphans(&mut self, reference: &CountedReference, rows: u64) {
        let Some(table) = self.tables.iter_mut().find(|table| table.name == reference.table) else { return };
        let Some(foreign) = table.foreign.get(reference.place) else { return };
        let parent = name(&foreign.parent);
        let refer = count(rows, "row refers", "rows refer");
        let note = format!("{refer} to no row of {parent}: the mapping must say what becomes of them (`if_orphan`).");
        table.notes.push(note);
    }

    fn crossing(
        &self,
        options: &OwnerOptions,
        table: &TableDdl,
        foreign: &ForeignDdl,
        parent: &TableDdl,
    ) -> Option<String> {
        let (own, others) = (table.owner.as_ref()?, parent.owner.as_ref()?);
        let begins = foreign.columns.first() == Some(&own.name) && foreign.parent_columns.first() == Some(&others.name);
        if !begins || foreign.columns.len() < 2 || (own.is_added && others.is_added) {
            return None;
        }
        let pairs = foreign.columns.iter().zip(&foreign.parent_columns).skip(1);
        let join: Vec<String> = pairs.map(|(own, to)| format!("p.{} = c.{}", quoted(to), quoted(own))).collect();
        let brought = |of: &str, table: &TableDdl| {
            table.owner.as_ref().filter(|owner| !owner.is_added).map(|owner| format!("{of}.{}", quoted(&owner.name)))
        };
        let sides = [brought("c", table), brought("p", parent)];
        let stamped = self.named_owner(options).unwrap_or_else(|| {
            // All rows that get the owner have one: that of the first row.
            let (of, named) = if own.is_added { (parent, others) } else { (table, own) };
            format!("(SELECT min({}) FROM {})", quoted(&named.name), quoted(&of.name))
        });
        let [left, right] = sides.map(|side| side.unwrap_or_else(|| stamped.clone()));
        Some(format!(
            "SELECT count(*) AS n FROM {} AS c JOIN {} AS p ON {} WHERE {left} IS NOT {right}",
            quoted(&table.name),
            quoted(&parent.name),
            join.join(" AND ")
        ))
    }

    /// Returns the key of the named owner as SQL. `None`: none is named, or the source has no table of owners.
    fn named_owner(&self, options: &OwnerOptions) -> Option<String> {
        let natural = options.natural.as_ref()?;
        let owners =
            self.tables.iter().find(|table| table.name.eq_ignore_ascii_case(&options.table) && !table.is_new)?;
        let key = &owners.owner.as_ref()?.name;
        let (table, column) = (quoted(&owners.name), quoted(&natural.column));
        let value = format!("'{}'", natural.value.replace('\'', "''"));
        Some(format!("(SELECT {} FROM {table} WHERE {column} = {value})", quoted(key)))
    }

    /// Leaves a reference out. `rows`: those that refer to a row of another owner.
    pub fn leave_out(&mut self, reference: &CountedReference, rows: u64) {
        let Some(table) = self.tables.iter_mut().find(|table| table.name == reference.table) else { return };
        let foreign = table.foreign.remove(reference.place);
        let described = format!("{} to {}", names(&foreign.columns[1..]), name(&foreign.parent));
        let refer = count(rows, "row refers to a row", "rows refer to rows");
        let why = format!("{refer} of another owner; --shared {} lets all owners have them", name(&foreign.parent));
        let is_it = |object: &&mut ObjectFate| {
            let is_reference = object.kind == ObjectKind::ForeignKey && object.name.eq_ignore_ascii_case(&described);
            is_reference && object.table.as_ref() == Some(&reference.table)
        };
        if let Some(object) = self.objects.iter_mut().find(is_it) {
            (object.fate, object.why) = (Fate::LeftOut, why);
        }
    }
}

/// Returns the query for the rows of a reference that refer to no row. `None`: the source has no such reference.
fn orphans(table: &TableDdl, foreign: &ForeignDdl, parent: &TableDdl) -> Option<String> {
    let is_added = |name: &String| table.owner.as_ref().is_some_and(|owner| owner.is_added && owner.name == *name);
    let of_owner = |owner: &Option<OwnerOfRow>, name: &String| owner.as_ref().is_some_and(|owner| owner.name == *name);
    let pairs: Vec<(&String, &String)> = foreign.columns.iter().zip(&foreign.parent_columns).collect();
    // The owner that begins a longer reference is no part of the source's.
    let begins = |(own, to): &(&String, &String)| of_owner(&table.owner, own) && of_owner(&parent.owner, to);
    let pairs = if pairs.len() > 1 && pairs.first().is_some_and(begins) { &pairs[1..] } else { &pairs };
    if table.is_new || parent.is_new || pairs.iter().any(|(own, _)| is_added(own)) {
        return None;
    }
    let given: Vec<String> = pairs.iter().map(|(own, _)| format!("c.{} IS NOT NULL", quoted(own))).collect();
    let equal: Vec<String> = pairs.iter().map(|(own, to)| format!("p.{} = c.{}", quoted(to), quoted(own))).collect();
    Some(format!(
        "SELECT count(*) AS n FROM {} AS c WHERE {} AND NOT EXISTS (SELECT 1 FROM {} AS p WHERE {})",
        quoted(&table.name),
        given.join(" AND "),
        quoted(&parent.name),
        equal.join(" AND ")
    ))
}
