//! The owner's table, and the owner of the rows of each table.

use std::collections::{BTreeMap, BTreeSet};

use super::draft::DraftLine;
use super::pairs::{TablePair, TablePairs};
use super::profile::TableProfile;
use super::render::string;
use crate::model::schema::{ForeignKey, TargetColumn, TargetSchema, TargetTable};
use crate::model::words::{singular_words, words};
use crate::text::some_of;

/// Names of tables of owners, in the singular. A longer name counts if it ends with one.
const OWNERS: [&str; 9] =
    ["user", "account", "member", "profile", "person", "tenant", "organization", "organisation", "company"];

/// Unique columns that people know, in the order in which they are chosen.
const NATURAL: [&str; 5] = ["username", "email", "login", "slug", "name"];

/// Names of columns that refer to an owner even without a foreign key.
const OWNER_COLUMNS: [&str; 6] = ["user_id", "owner_id", "created_by", "author_id", "account_id", "tenant_id"];

/// The owner as the command line names it: `--owner users.username=ann`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OwnerRequest {
    /// The table. `None`: the one that is found.
    pub table: Option<String>,
    /// The column of the natural key.
    pub column: String,
    /// Its value.
    pub value: String,
}

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
enum RowOwner {
    /// Every row gets the key of the one owner.
    Stamped,
    /// The rows bring their owners.
    Carried,
}

/// The lines about owners.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct OwnerLines {
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

    fn is_to(&self, key: &ForeignKey, parent: &str) -> bool {
        key.parent == parent && key.parent_schema == self.target.schema && key.columns.len() == 1
    }

    /// Returns the column of a table that most foreign keys refer to, or else its primary key.
    fn key_of(&self, table: &str) -> String {
        let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
        let keys = self.target.tables.values().flat_map(|facts| &facts.foreign).filter(|key| self.is_to(key, table));
        keys.flat_map(|key| &key.parent_columns).for_each(|column| *counts.entry(column).or_default() += 1);
        let most = counts.into_iter().max_by_key(|(_, count)| *count).map(|(column, _)| column.to_owned());
        let primary = || {
            let unique = &self.target.tables.get(table)?.unique;
            unique.iter().find(|key| key.primary)?.columns.first().cloned()
        };
        most.or_else(primary).unwrap_or_else(|| "id".to_owned())
    }

    fn section(&self, owner: &OwnerTable, request: Option<&OwnerRequest>, stamps: bool) -> Vec<DraftLine> {
        let why = format!("{} tables refer to it", owner.referring);
        let mut lines = vec![DraftLine::inferred("table", string(&owner.table), why)];
        if owner.key != "id" {
            lines.push(DraftLine::certain("key", string(&owner.key), "the column that they refer to"));
        }
        match request {
            Some(request) => {
                let value = format!("{{ {} = {} }}", request.column, string(&request.value));
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

/// The columns of one table that refer to the owner's table.
#[derive(Default)]
struct ColumnsToOwner {
    /// Those that a source column feeds.
    fed: Vec<String>,
    /// The others.
    unfed: Vec<String>,
}

impl OwnerFacts<'_> {
    fn columns_to(&self, owner: &OwnerTable, pair: &TablePair) -> ColumnsToOwner {
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

    /// Adds the lines of one load. Returns the owner of its rows; `None` if they have none, or if it is an open question.
    fn load(
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
        let mut add = |line: DraftLine| lines.loads.entry(table.clone()).or_default().push(line);
        if !to_owner.fed.is_empty() {
            return self.fed(owner, is_loaded, pair, to_owner, lines);
        }
        if let [column] = to_owner.unfed.as_slice() {
            add(DraftLine::certain("owner", string(column), format!("refers to {}", owner.table)));
            return Some(RowOwner::Stamped);
        }
        if !to_owner.unfed.is_empty() {
            let names = to_owner.unfed.iter().map(|name| string(name)).collect::<Vec<_>>().join(", ");
            if to_owner.unfed.iter().all(|name| self.is_required(table, name)) {
                add(DraftLine::certain(
                    "owner",
                    format!("[{names}]"),
                    format!("each refers to {}, and is NOT NULL", owner.table),
                ));
                return Some(RowOwner::Stamped);
            }
            let question =
                format!("which columns get the owner: {names}? Write one, or a list; of another, {{ omit = true }}");
            add(DraftLine::question("owner", question));
            return None;
        }
        match self.through(pair, owners) {
            Ok(Some((line, row_owner))) => {
                add(line);
                Some(row_owner)
            }
            Ok(None) => {
                if let Some(column) = self.owner_like(pair) {
                    lines.decided.insert((table.clone(), column.clone()));
                    add(DraftLine::question(
                        "owner",
                        format!(
                            "`{column}` is named like a reference to {} and has no foreign key: write \"{column}\" to stamp it, \
                             or false",
                            owner.table
                        ),
                    ));
                }
                None
            }
            Err(question) => {
                add(DraftLine::question("owner", question));
                None
            }
        }
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
        None
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
