//! The owner of the rows of each table: stamped, brought by the rows, or that of a parent's row.

use std::collections::{BTreeMap, BTreeSet};

use super::draft::DraftLine;
use super::pairs::{TablePair, TablePairs};
use super::profile::TableProfile;
use super::render::string;
use crate::model::schema::{ForeignKey, TargetSchema};
use crate::model::words::{singular_words, words};

/// Names of columns that refer to an owner even without a foreign key.
const OWNER_COLUMNS: [&str; 6] = ["user_id", "owner_id", "created_by", "author_id", "account_id", "tenant_id"];

/// The owner's table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OwnerTable {
    /// Its name.
    pub table: String,
    /// The column that other tables refer to.
    pub key: String,
    /// Tables that refer to it.
    pub referring: usize,
}

/// The owner of the rows of one table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RowOwner {
    /// Every row gets the key of the one owner.
    Stamped,
    /// The rows bring their owners.
    Carried,
    /// An open question decides it.
    Undecided,
}

/// The lines about owners.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct OwnerLines {
    /// The owner's table. `None` if the mapping has no `[owner]`, or if a question asks for the table.
    pub table: Option<String>,
    /// `[owner]`
    pub section: Vec<DraftLine>,
    /// Comments at the top of the file.
    pub notes: Vec<String>,
    /// The lines of loads, by the target's table.
    pub loads: BTreeMap<String, Vec<DraftLine>>,
    /// The lines of columns, by the target's table.
    pub columns: BTreeMap<String, Vec<DraftLine>>,
    /// Columns of the target whose owner is decided or asked for, as table and column.
    pub decided: BTreeSet<(String, String)>,
    /// Source columns without a value that a stamped column replaces.
    pub replaced: Vec<DraftLine>,
}

/// Both sides, and the profiles of the tables by the target's name.
pub struct OwnerFacts<'a> {
    /// The catalogue of the target.
    pub target: &'a TargetSchema,
    /// The paired tables.
    pub pairs: &'a TablePairs,
    /// Their profiles.
    pub profiles: &'a BTreeMap<String, TableProfile>,
}

/// Returns true if a column has a usual name of references to owners, or begins with the owner's own name.
fn is_named_like_owner(column: &str, owner: &OwnerTable) -> bool {
    let words = words(column);
    let own = singular_words(&owner.table).pop();
    OWNER_COLUMNS.contains(&words.join("_").as_str()) || words.first() == own.as_ref()
}

/// The columns of one table that refer to the owner's table.
#[derive(Default)]
pub struct ColumnsToOwner {
    /// Those that a source column feeds.
    pub fed: Vec<String>,
    /// The others.
    pub unfed: Vec<String>,
}

impl OwnerFacts<'_> {
    /// Returns true if a foreign key of one column refers to a table.
    pub fn is_to(&self, key: &ForeignKey, parent: &str) -> bool {
        key.parent == parent && key.parent_schema == self.target.schema && key.columns.len() == 1
    }

    /// Returns the columns of a table that refer to the owner's table.
    pub fn columns_to(&self, owner: &OwnerTable, pair: &TablePair) -> ColumnsToOwner {
        let mut found = ColumnsToOwner::default();
        if pair.names.target == owner.table {
            return found;
        }
        let facts = self.target.tables.get(&pair.names.target);
        let keys = facts.map(|facts| facts.foreign.as_slice()).unwrap_or_default();
        for column in keys.iter().filter(|key| self.is_to(key, &owner.table)).flat_map(|key| &key.columns) {
            let list = if pair.source_of(column).is_some() { &mut found.fed } else { &mut found.unfed };
            if !list.contains(column) {
                list.push(column.clone());
            }
        }
        found
    }

    /// Adds the lines of one load. Returns the owner of its rows. `None` if they have none.
    pub fn load(
        &self,
        owner: &OwnerTable,
        is_loaded: bool,
        pair: &TablePair,
        owners: &BTreeMap<String, RowOwner>,
        lines: &mut OwnerLines,
    ) -> Option<RowOwner> {
        let table = &pair.names.target;
        let to_owner = self.columns_to(owner, pair);
        lines.decided.extend(to_owner.unfed.iter().map(|column| (table.clone(), column.clone())));
        if !to_owner.fed.is_empty() {
            return self.fed(owner, is_loaded, pair, to_owner, lines);
        }
        if !to_owner.unfed.is_empty() {
            return Some(self.unfed(owner, table, &to_owner.unfed, lines));
        }
        let mut add = |line: DraftLine| lines.loads.entry(table.clone()).or_default().push(line);
        match self.through(pair, owners) {
            Ok(Some((line, row_owner))) => {
                add(line);
                Some(row_owner)
            }
            Ok(None) => {
                let column = self.owner_like(pair)?;
                lines.decided.insert((table.clone(), column.clone()));
                add(DraftLine::question(
                    "owner",
                    format!(
                        "`{column}` is named like a reference to {} and has no foreign key: write \"{column}\" to stamp it, or \
                         false",
                        owner.table
                    ),
                ));
                Some(RowOwner::Undecided)
            }
            Err(question) => {
                add(DraftLine::question("owner", question));
                Some(RowOwner::Undecided)
            }
        }
    }

    /// Adds the line of a load with columns that refer to the owner's table and that no source column feeds.
    fn unfed(&self, owner: &OwnerTable, table: &str, unfed: &[String], lines: &mut OwnerLines) -> RowOwner {
        let mut add = |line: DraftLine| lines.loads.entry(table.to_owned()).or_default().push(line);
        if let [column] = unfed {
            let why = format!("refers to {}", owner.table);
            if self.is_required(table, column) {
                add(DraftLine::certain("owner", string(column), why));
            } else if is_named_like_owner(column, owner) {
                add(DraftLine::inferred("owner", string(column), why));
            } else {
                let question = format!(
                    "`{column}` refers to {}, may be NULL, and is not named like an owner: write \"{column}\" to stamp it, or false, \
                     and {column} = {{ omit = true }} among the columns",
                    owner.table
                );
                add(DraftLine::question("owner", question));
                return RowOwner::Undecided;
            }
            return RowOwner::Stamped;
        }
        let names = unfed.iter().map(|name| string(name)).collect::<Vec<_>>().join(", ");
        if unfed.iter().all(|name| self.is_required(table, name)) {
            let why = format!("each refers to {}, and is NOT NULL", owner.table);
            add(DraftLine::inferred("owner", format!("[{names}]"), why));
            return RowOwner::Stamped;
        }
        let question =
            format!("which columns get the owner: {names}? Write one, or a list; of another, {{ omit = true }}");
        add(DraftLine::question("owner", question));
        RowOwner::Undecided
    }

    /// Adds the lines of a load whose rows may bring their owners.
    fn fed(
        &self,
        owner: &OwnerTable,
        is_loaded: bool,
        pair: &TablePair,
        to_owner: ColumnsToOwner,
        lines: &mut OwnerLines,
    ) -> Option<RowOwner> {
        let table = &pair.names.target;
        let mut add = |line: DraftLine| lines.loads.entry(table.clone()).or_default().push(line);
        let required = to_owner.fed.iter().find(|name| self.is_required(table, name));
        let column = required.or(to_owner.fed.first())?.clone();
        let source = &pair.source_of(&column)?.source;
        if is_loaded {
            let why = format!("its values are users, and {} is loaded", owner.table);
            add(DraftLine::certain("owner", format!("{{ carried = {} }}", string(&column)), why));
            let columns = lines.columns.entry(table.clone()).or_default();
            for other in to_owner.fed.iter().filter(|name| **name != column) {
                let from = pair.source_of(other).map_or(other.as_str(), |pair| pair.source.as_str());
                columns.push(DraftLine::certain(other, string(from), format!("refers to {}, too", owner.table)));
            }
            for other in &to_owner.unfed {
                let question = format!("it refers to {}: write {{ owner = true }} or {{ omit = true }}", owner.table);
                columns.push(DraftLine::question(other, question));
            }
            return Some(RowOwner::Carried);
        }
        let profile = self.profiles.get(table).and_then(|profile| profile.columns.get(&column));
        if profile.is_some_and(|profile| profile.values == 0) {
            let why = format!("refers to {}; the source's `{source}` holds no value", owner.table);
            add(DraftLine::inferred("owner", string(&column), why));
            lines.decided.insert((table.clone(), column));
            let reason = string("holds no value: the owner is stamped");
            lines.replaced.push(DraftLine::certain(source, reason, "").below(&pair.names.source));
            return Some(RowOwner::Stamped);
        }
        lines.decided.insert((table.clone(), column.clone()));
        add(DraftLine::question(
            "owner",
            format!(
                "the source's `{source}` names owners, and the rows of {} are not loaded: write \"{column}\" to stamp every row \
                 with the one owner, or {{ carried = \"{column}\" }} with a lookup for the column",
                owner.table
            ),
        ));
        Some(RowOwner::Undecided)
    }

    fn is_required(&self, table: &str, column: &str) -> bool {
        let facts = self.target.tables.get(table).and_then(|facts| facts.column(column));
        facts.is_some_and(|column| column.not_null)
    }

    /// Returns the line for rows that belong to the owner of a parent, with the owner of that parent's rows.
    fn through(
        &self,
        pair: &TablePair,
        owners: &BTreeMap<String, RowOwner>,
    ) -> Result<Option<(DraftLine, RowOwner)>, String> {
        let Some(facts) = self.target.tables.get(&pair.names.target) else { return Ok(None) };
        let is_single = |key: &&ForeignKey| key.columns.len() == 1 && key.parent != pair.names.target;
        let to_owned = facts.foreign.iter().filter(is_single).filter_map(|key| {
            let column = key.columns.first().filter(|column| pair.source_of(column).is_some())?;
            Some((column, &key.parent, *owners.get(&key.parent)?))
        });
        let mut found: Vec<(&String, &String, RowOwner)> = to_owned.collect();
        let place = |name: &String| facts.columns.iter().position(|column| column.name == *name);
        found.sort_by_key(|(column, _, _)| (!self.is_required(&pair.names.target, column), place(column)));
        let line = |column: &String| format!("{{ through = {} }}", string(column));
        match found.as_slice() {
            [] => Ok(None),
            [(column, parent, RowOwner::Undecided)] => {
                let why = format!(
                    "a row belongs to the owner of its row in {parent}, whose owner is an open question: false without one"
                );
                Ok(Some((DraftLine::inferred("owner", line(column), why), RowOwner::Undecided)))
            }
            [(column, parent, row_owner)] => {
                let why = format!("a row belongs to the owner of its row in {parent}");
                Ok(Some((DraftLine::certain("owner", line(column), why), *row_owner)))
            }
            [(column, parent, row_owner), ..] if found.iter().all(|(_, _, owner)| *owner == RowOwner::Stamped) => {
                let why = format!(
                    "a row belongs to the owner of its row in {parent}; every other path leads to the same owner"
                );
                Ok(Some((DraftLine::inferred("owner", line(column), why), *row_owner)))
            }
            several => {
                let ways: Vec<String> = several.iter().map(|(column, _, _)| line(column)).collect();
                Err(format!("whose row decides the owner? Write {}", ways.join(" or ")))
            }
        }
    }

    /// Returns a column that no source feeds, no foreign key describes, and that is named like a reference to an owner.
    fn owner_like<'p>(&self, pair: &'p TablePair) -> Option<&'p String> {
        let is_one = |name: &&String| OWNER_COLUMNS.contains(&words(name).join("_").as_str());
        pair.target_only.iter().find(is_one)
    }
}
