//! References between rows of two owners. A reference that begins with the owner cannot hold such rows.

use super::ddl::{Ddl, Fate, ForeignDdl, ObjectFate, ObjectKind, TableDdl};
use super::names::{name, names};
use super::owner_options::OwnerOptions;
use crate::model::ident::quoted;
use crate::text::count;

/// A reference that begins with the owner.
pub struct OwnedReference {
    /// The table that has it.
    pub table: String,
    /// The place among its references.
    place: usize,
    /// A query of SQLite whose only value `n` is the number of rows that refer to a row of another owner.
    pub query: String,
}

impl Ddl {
    /// Returns the references whose rows may belong to another owner than the row to which they refer.
    pub fn owned_references(&self, options: &OwnerOptions) -> Vec<OwnedReference> {
        let mut found = Vec::new();
        for table in &self.tables {
            for (place, foreign) in table.foreign.iter().enumerate() {
                let parent = self.tables.iter().find(|parent| parent.name == foreign.parent);
                let query = parent.and_then(|parent| self.query(options, table, foreign, parent));
                found.extend(query.map(|query| OwnedReference { table: table.name.clone(), place, query }));
            }
        }
        found
    }

    fn query(
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
        let join: Vec<String> = pairs.map(|(own, to)| format!("c.{} = p.{}", quoted(own), quoted(to))).collect();
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
    pub fn leave_out(&mut self, reference: &OwnedReference, rows: u64) {
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
