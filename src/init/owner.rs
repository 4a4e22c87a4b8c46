//! The owner's table: which one it is, and the lines that name it and the owner.

use std::collections::BTreeMap;

use super::draft::DraftLine;
use super::render::{key, string};
use super::row_owner::{OwnerFacts, OwnerLines, OwnerTable, RowOwner};
use crate::model::ident::nearest;
use crate::model::schema::{TargetColumn, TargetSchema, TargetTable};
use crate::model::words::singular_words;
use crate::text::some_of;

/// Names of tables of owners, in the singular. A longer name counts if it ends with one.
const OWNERS: [&str; 9] =
    ["user", "account", "member", "profile", "person", "tenant", "organization", "organisation", "company"];

/// Unique columns that people know, in the order in which they are chosen.
const NATURAL: [&str; 5] = ["username", "email", "login", "slug", "name"];

/// The owner as the command line names it: `--owner users.username=ann`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OwnerRequest {
    /// The table. `None`: the one that is found.
    pub table: Option<String>,
    /// The natural key of the owner. `None`: an open question.
    pub natural: Option<NaturalKey>,
}

/// The natural key of an owner.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NaturalKey {
    /// The column.
    pub column: String,
    /// Its value.
    pub value: String,
}

impl OwnerRequest {
    /// Returns the reason for which the target cannot have this owner. `None` if it has the table and the column.
    pub fn unknown(&self, target: &TargetSchema) -> Option<String> {
        let table = self.table.as_ref()?;
        let hint = |near: Option<&str>| near.map_or_else(String::new, |near| format!(" (the nearest name is {near})"));
        let Some(facts) = target.tables.get(table) else {
            let near = hint(nearest(table, target.tables.keys().map(String::as_str)));
            return Some(format!("the target has no table `{table}`{near}"));
        };
        let column = &self.natural.as_ref()?.column;
        let near = hint(nearest(column, facts.columns.iter().map(|column| column.name.as_str())));
        facts.column(column).is_none().then(|| format!("`{table}` has no column `{column}`{near}"))
    }
}

impl OwnerFacts<'_> {
    /// Returns the lines about owners.
    pub fn lines(&self, request: Option<&OwnerRequest>) -> OwnerLines {
        let mut lines = OwnerLines::default();
        let owner = match self.find(request) {
            Ok(Some(owner)) => owner,
            Ok(None) => {
                let note =
                    "No [owner]: no table of the target is named like a table of users and referred to by others.";
                lines.notes.push(note.to_owned());
                return lines;
            }
            Err(question) => {
                lines.section.push(DraftLine::question("table", question));
                return lines;
            }
        };
        let is_loaded = self.pairs.into_table(&owner.table).is_some();
        let keeps_all = is_loaded && self.pairs.pairs.iter().all(|pair| self.columns_to(&owner, pair).unfed.is_empty());
        if keeps_all && request.is_none() {
            lines.notes.push(format!(
                "No [owner]: every row keeps its user, because the rows of `{}` are loaded and each column that refers to \
                 it has a source.",
                owner.table
            ));
            return lines;
        }
        let mut owners: BTreeMap<String, RowOwner> = BTreeMap::new();
        for pair in &self.pairs.pairs {
            if pair.names.target == owner.table {
                continue;
            }
            if let Some(row_owner) = self.load(&owner, is_loaded, pair, &owners, &mut lines) {
                owners.insert(pair.names.target.clone(), row_owner);
            }
        }
        let stamps = owners.values().any(|row_owner| *row_owner == RowOwner::Stamped);
        lines.section = self.section(&owner, request, stamps);
        lines.table = Some(owner.table);
        lines
    }

    /// Returns the owner's table. `None` if no table can be one.
    fn find(&self, request: Option<&OwnerRequest>) -> Result<Option<OwnerTable>, String> {
        let named = request.and_then(|request| request.table.as_ref());
        let of = |table: &String| {
            let key = self.key_of(table);
            let referring =
                self.target.tables.iter().filter(|(name, facts)| *name != table && self.refers(facts, table));
            OwnerTable { table: table.clone(), key, referring: referring.count() }
        };
        if let Some(table) = named {
            return Ok(Some(of(table)));
        }
        let is_named_so = |table: &&String| {
            let last = singular_words(table).pop().unwrap_or_default();
            OWNERS.contains(&last.as_str())
        };
        let mut found: Vec<OwnerTable> = self.target.tables.keys().filter(is_named_so).map(of).collect();
        found.retain(|owner| owner.referring > 0);
        found.sort_by(|a, b| b.referring.cmp(&a.referring).then(a.table.cmp(&b.table)));
        match found.as_slice() {
            [] => Ok(None),
            [first, second, ..] if first.referring == second.referring => {
                let names: Vec<String> = found
                    .iter()
                    .filter(|owner| owner.referring == first.referring)
                    .map(|owner| format!("\"{}\"", owner.table))
                    .collect();
                Err(format!(
                    "whose table is it: {}? Each is referred to by {} tables. Write its name, and match = {{ column = \"...\" }}",
                    some_of(&names, 5),
                    first.referring
                ))
            }
            [first, ..] => Ok(Some(first.clone())),
        }
    }

    fn refers(&self, table: &TargetTable, parent: &str) -> bool {
        table.foreign.iter().any(|key| self.is_to(key, parent))
    }

    /// Returns the column of a table that most foreign keys refer to, its primary key if as many refer to it as to any other.
    fn key_of(&self, table: &str) -> String {
        let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
        let keys = self.target.tables.values().flat_map(|facts| &facts.foreign).filter(|key| self.is_to(key, table));
        keys.flat_map(|key| &key.parent_columns).for_each(|column| *counts.entry(column).or_default() += 1);
        let unique = self.target.tables.get(table).map(|facts| facts.unique.as_slice()).unwrap_or_default();
        let primary = unique.iter().find(|key| key.primary).and_then(|key| key.columns.first());
        let rank = |(column, count): &(&str, usize)| (*count, primary.is_some_and(|primary| primary == column));
        let most = counts.into_iter().max_by_key(rank).map(|(column, _)| column.to_owned());
        most.or_else(|| primary.cloned()).unwrap_or_else(|| "id".to_owned())
    }

    fn section(&self, owner: &OwnerTable, request: Option<&OwnerRequest>, stamps: bool) -> Vec<DraftLine> {
        let why = format!("{} tables refer to it", owner.referring);
        let mut lines = vec![DraftLine::inferred("table", string(&owner.table), why)];
        if owner.key != "id" {
            lines.push(DraftLine::certain("key", string(&owner.key), "the column that they refer to"));
        }
        match request.and_then(|request| request.natural.as_ref()) {
            Some(natural) => {
                let value = format!("{{ {} = {} }}", key(&natural.column), string(&natural.value));
                lines.push(DraftLine::certain("match", value, "from --owner"));
            }
            None if stamps => {
                let column = self
                    .target
                    .tables
                    .get(&owner.table)
                    .and_then(natural_column)
                    .unwrap_or_else(|| "column".to_owned());
                lines.push(DraftLine::question(
                    "match",
                    format!("which user gets the rows that name none? Write {{ {column} = \"...\" }}, or run init with --owner"),
                ));
            }
            None => {}
        }
        lines.extend(self.create(owner).filter(|_| stamps));
        lines
    }

    /// Returns the line about a new owner. `None` if the target has owners, or the source brings them.
    fn create(&self, owner: &OwnerTable) -> Option<DraftLine> {
        let table = self.target.tables.get(&owner.table)?;
        if table.has_rows || self.pairs.into_table(&owner.table).is_some() {
            return None;
        }
        let natural = natural_column(table);
        let must_be_written = |column: &&TargetColumn| {
            let is_filled = column.has_default || column.generated || column.sequence.is_some();
            column.not_null && !is_filled && natural.as_ref() != Some(&column.name)
        };
        let required: Vec<&str> = table.columns.iter().filter(must_be_written).map(|c| c.name.as_str()).collect();
        Some(if required.is_empty() {
            DraftLine::inferred("create", "{}", format!("{} holds no row: the user is created", owner.table))
        } else {
            let values: Vec<String> = required.iter().map(|name| format!("{name} = ...")).collect();
            let question =
                format!("{} holds no row, and a new one needs values: write {{ {} }}", owner.table, values.join(", "));
            DraftLine::question("create", question)
        })
    }
}

/// Returns the unique column by which people know an owner: one with a usual name, or else the first that is text.
pub fn natural_column(table: &TargetTable) -> Option<String> {
    let is_unique = |name: &str| table.unique.iter().any(|key| key.columns == [name]);
    let usual = NATURAL.iter().find(|name| is_unique(name)).map(|name| (*name).to_owned());
    let is_text = |column: &&TargetColumn| column.kind.is_text() && is_unique(&column.name);
    usual.or_else(|| table.columns.iter().find(is_text).map(|column| column.name.clone()))
}
