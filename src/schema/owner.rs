//! The owner of the rows: the column that names the owner, the keys that begin with it, and the table of owners.

use std::collections::{BTreeMap, BTreeSet};

use super::ddl::{ColumnDdl, Ddl, Fate, FateNotes, ForeignDdl, IndexDdl, ObjectFate, ObjectKind, TableDdl};
use super::distribution::distribute;
use super::expression::OwnerOfRow;
use super::names::{TakenNames, made, name, names};
use super::owner_options::{OwnedKeys, OwnerOptions};
use super::owners_table::{owners_table, require_natural_keys};
use super::stored::StoredTable;
use crate::init::bookkeeping_of;
use crate::model::ident::nearest;
use crate::model::pgtype::{ColumnType, Kind};
use crate::model::record::Refusal;
use crate::model::schema::SourceSchema;
use crate::model::words::singular_words;

/// The tables while they get an owner.
struct OwnedTables<'a> {
    ddl: &'a mut Ddl,
    taken: &'a mut TakenNames,
    options: &'a OwnerOptions,
    /// The table of owners, as it is spelled.
    owners: String,
    /// The column of that table to which rows refer, and its type.
    key: String,
    kind: ColumnType,
    /// The column that names the owner, by table.
    columns: BTreeMap<String, String>,
}

/// Gives an owner to the rows of all tables but the shared ones.
///
/// # Errors
/// Tables that do not exist, a table of owners without a key of one column, shared tables that refer to rows with an owner.
pub fn own(
    ddl: &mut Ddl,
    taken: &mut TakenNames,
    options: &OwnerOptions,
    source: &SourceSchema,
    stored: &BTreeMap<String, StoredTable>,
) -> Result<(), Vec<Refusal>> {
    let refusals: Vec<Refusal> = options.shared.iter().filter_map(|shared| unknown(ddl, shared)).collect();
    if !refusals.is_empty() {
        return Err(refusals);
    }
    let owners = owners_table(ddl, taken, options).map_err(|refusal| vec![refusal])?;
    let table = ddl.tables.iter().find(|table| table.name == owners);
    let key = table.and_then(|table| table.keys.iter().find(|key| key.primary)).map(|key| key.columns.as_slice());
    let Some((key, kind)) = key.and_then(|key| match key {
        [one] => table.and_then(|table| table.column(one)).map(|column| (column.name.clone(), column.kind.clone())),
        _ => None,
    }) else {
        let reason = format!("{} has no primary key of one column", name(&owners));
        return Err(vec![Refusal::new("--owner", reason, "Name a table whose primary key is one column.")]);
    };
    let mut owned = OwnedTables { ddl, taken, options, owners, key, kind, columns: BTreeMap::new() };
    owned.require_owners(stored);
    owned.add_columns(source);
    require_natural_keys(owned.ddl, &owned.owners, stored);
    let refusals = owned.shared_references();
    if !refusals.is_empty() {
        return Err(refusals);
    }
    owned.widen();
    owned.add_references();
    if options.distribute {
        let OwnedTables { ddl, columns, .. } = owned;
        distribute(ddl, &columns);
    }
    Ok(())
}

/// Returns the references of a table to the key of the owners. A reference to another unique column of theirs has that column's
/// values, which are no keys.
fn to_owners<'t>(table: &'t TableDdl, owners: &str, key: &str) -> impl Iterator<Item = &'t ForeignDdl> {
    let is_it = move |foreign: &&ForeignDdl| foreign.parent == owners && foreign.parent_columns == [key.to_owned()];
    table.foreign.iter().filter(is_it).filter(|foreign| foreign.columns.len() == 1)
}

/// Returns the refusal of a table that does not exist.
fn unknown(ddl: &Ddl, shared: &str) -> Option<Refusal> {
    if ddl.tables.iter().any(|table| table.name.eq_ignore_ascii_case(shared)) {
        return None;
    }
    let near = nearest(shared, ddl.tables.iter().map(|table| table.name.as_str()));
    let near = near.map_or_else(String::new, |near| format!(" (the nearest name is {near})"));
    let reason = format!("the source has no table `{shared}`{near}");
    Some(Refusal::new("--shared", reason, "Name a table of the source."))
}

impl OwnedTables<'_> {
    /// Adds the column of the owner to each table whose rows belong to one and bring none.
    fn add_columns(&mut self, source: &SourceSchema) {
        let wanted = self.wanted_column();
        for table in &mut self.ddl.tables {
            if table.name == self.owners {
                table.owner = Some(OwnerOfRow { name: self.key.clone(), is_added: false });
                continue;
            }
            let is_shared = self.options.is_shared(&table.name);
            if let Some(tool) = bookkeeping_of(source, &table.name).filter(|_| !is_shared) {
                table.notes.push(format!("No owner: bookkeeping of {tool}."));
                continue;
            }
            if is_shared {
                table.notes.push("No owner: shared, by --shared.".to_owned());
                continue;
            }
            let required =
                |foreign: &&ForeignDdl| table.column(&foreign.columns[0]).is_some_and(|column| column.not_null);
            let named =
                to_owners(table, &self.owners, &self.key).find(required).map(|foreign| foreign.columns[0].clone());
            if let Some(column) = named {
                table.notes.push(format!("Owner: {}, which the rows bring.", name(&column)));
                table.owner = Some(OwnerOfRow { name: column.clone(), is_added: false });
                self.columns.insert(table.name.clone(), column);
                continue;
            }
            let mut column = wanted.clone();
            while table.column(&column).is_some() {
                column = made("owner", "", &column);
            }
            table.notes.push(format!("Owner: {}, which refers to {}.", name(&column), name(&self.owners)));
            table.columns.insert(
                0,
                ColumnDdl {
                    name: column.clone(),
                    kind: self.kind.clone(),
                    not_null: true,
                    default: None,
                    identity: None,
                    generated: None,
                    why: "the owner of the row".to_owned(),
                },
            );
            table.owner = Some(OwnerOfRow { name: column.clone(), is_added: true });
            self.columns.insert(table.name.clone(), column);
        }
    }

    /// Requires the owner of each row in tables whose rows all name one, in a column that could be without one.
    fn require_owners(&mut self, stored: &BTreeMap<String, StoredTable>) {
        for table in self.ddl.tables.iter_mut().filter(|table| table.name != self.owners) {
            let required =
                |foreign: &ForeignDdl| table.column(&foreign.columns[0]).is_some_and(|column| column.not_null);
            let rows = stored.get(&table.name).filter(|table| table.rows > 0);
            let always_named = |foreign: &&ForeignDdl| {
                let [column] = foreign.columns.as_slice() else { return false };
                let values = rows.and_then(|table| table.columns.get(column));
                let sets_null = foreign.on_delete == "SET NULL" || foreign.on_update == "SET NULL";
                values.is_some_and(|values| values.nulls() == 0) && !sets_null && !table.is_generated(column)
            };
            let references = || to_owners(table, &self.owners, &self.key);
            if self.options.is_shared(&table.name) || references().any(required) {
                continue;
            }
            let found = references().find(always_named).map(|foreign| foreign.columns[0].clone());
            let Some(name) = found else { continue };
            table.columns.iter_mut().filter(|column| column.name == name).for_each(|column| column.not_null = true);
            let why = "it is the owner of the row";
            self.ddl.objects.push(FateNotes { table: &table.name }.changed(ObjectKind::NotNull, &name, why));
        }
    }

    /// The usual name of a reference to the owners: `user_id`.
    fn wanted_column(&self) -> String {
        let word = singular_words(&self.owners).pop().unwrap_or_else(|| "owner".to_owned());
        made(&word, "", &self.key.to_lowercase())
    }

    /// Refuses shared tables that refer to rows with an owner, because such a row would belong to one owner alone.
    fn shared_references(&self) -> Vec<Refusal> {
        let shared =
            self.ddl.tables.iter().filter(|table| table.name != self.owners && !self.columns.contains_key(&table.name));
        let pairs = shared.flat_map(|table| table.foreign.iter().map(move |foreign| (table, foreign)));
        let refusal = |(table, foreign): (&TableDdl, &ForeignDdl)| {
            let reason = format!("`{}` refers to `{}`, whose rows have an owner", table.name, foreign.parent);
            let advice = format!("Add --shared {}, or leave out --shared {}.", foreign.parent, table.name);
            Refusal::new("--shared", reason, advice)
        };
        pairs.filter(|(_, foreign)| self.columns.contains_key(&foreign.parent)).map(refusal).collect()
    }

    /// Lets the keys begin with the owner, and the references to them.
    fn widen(&mut self) {
        let widened = self.widened_primary_keys();
        for table in &mut self.ddl.tables {
            let Some(owner) = self.columns.get(&table.name) else { continue };
            let begins = |columns: &[String]| columns.contains(owner);
            let mut changed: Vec<(ObjectKind, String)> = Vec::new();
            for key in &mut table.keys {
                let is_widened = if key.primary { widened.contains(&table.name) } else { true };
                if is_widened && !begins(&key.columns) {
                    let kind = if key.primary { ObjectKind::PrimaryKey } else { ObjectKind::Unique };
                    changed.push((kind, names(&key.columns)));
                    key.columns.insert(0, owner.clone());
                }
            }
            for index in table.indexes.iter_mut().filter(|index| index.is_unique) {
                if !index.columns.as_ref().is_some_and(|columns| begins(columns)) {
                    changed.push((ObjectKind::Index, index.name.clone()));
                    index.parts.insert(0, name(owner));
                    index.columns.iter_mut().for_each(|columns| columns.insert(0, owner.clone()));
                }
            }
            let table_name = &table.name;
            for object in self.ddl.objects.iter_mut().filter(|object| object.table.as_ref() == Some(table_name)) {
                if object.fate != Fate::LeftOut && changed.contains(&(object.kind, object.name.clone())) {
                    object.fate = Fate::Changed;
                    let before = if object.why.is_empty() { String::new() } else { format!("{}; ", object.why) };
                    object.why = format!("{before}it begins with {}", name(owner));
                }
            }
        }
        self.widen_references();
    }

    /// The tables whose primary key begins with the owner. An id that the target can issue anew, and a key that contains such an
    /// id, are unique among all owners as they are, and so is a UUID.
    fn widened_primary_keys(&self) -> BTreeSet<String> {
        let all = || self.ddl.tables.iter().filter(|table| self.columns.contains_key(&table.name));
        if self.options.keys == OwnedKeys::Owned {
            return all().map(|table| table.name.clone()).collect();
        }
        let mut unique: BTreeSet<&str> = BTreeSet::new();
        loop {
            let is_new =
                |table: &&TableDdl| !unique.contains(table.name.as_str()) && self.is_unique_anyway(table, &unique);
            let Some(next) = all().find(is_new) else { break };
            unique.insert(&next.name);
        }
        all().filter(|table| !unique.contains(table.name.as_str())).map(|table| table.name.clone()).collect()
    }

    fn is_unique_anyway(&self, table: &TableDdl, unique: &BTreeSet<&str>) -> bool {
        let Some(key) = table.keys.iter().find(|key| key.primary) else { return true };
        key.columns.iter().any(|column| {
            let facts = table.column(column);
            let is_issued = facts.is_some_and(|facts| facts.identity.is_some() || facts.kind.kind == Kind::Uuid);
            let refers = |foreign: &ForeignDdl| {
                foreign.columns.len() == 1
                    && foreign.columns[0] == *column
                    && (unique.contains(foreign.parent.as_str()) || foreign.parent == self.owners)
            };
            is_issued || table.foreign.iter().any(refers)
        })
    }

    /// Lets each reference to a key that begins with the owner begin with it, too.
    fn widen_references(&mut self) {
        let keys: BTreeMap<String, Vec<Vec<String>>> = self
            .ddl
            .tables
            .iter()
            .map(|table| {
                let indexes =
                    table.indexes.iter().filter(|index| index.is_unique).filter_map(|index| index.columns.clone());
                (table.name.clone(), table.keys.iter().map(|key| key.columns.clone()).chain(indexes).collect())
            })
            .collect();
        for table in &mut self.ddl.tables {
            let Some(owner) = self.columns.get(&table.name) else { continue };
            for foreign in &mut table.foreign {
                let Some(parent_owner) = self.columns.get(&foreign.parent) else { continue };
                let same = |key: &Vec<String>| {
                    key.len() == foreign.parent_columns.len()
                        && key.iter().all(|column| foreign.parent_columns.contains(column))
                };
                if keys.get(&foreign.parent).is_some_and(|keys| keys.iter().any(same)) {
                    continue;
                }
                let described = format!("{} to {}", names(&foreign.columns), name(&foreign.parent));
                let mut changes = vec![format!("it begins with {}", name(owner))];
                if matches!(foreign.on_delete.as_str(), "SET NULL" | "SET DEFAULT") {
                    foreign.on_delete_columns = foreign.columns.clone();
                    changes.push(format!("ON DELETE {} of its own columns needs PostgreSQL 15", foreign.on_delete));
                }
                if matches!(foreign.on_update.as_str(), "SET NULL" | "SET DEFAULT") {
                    changes.push(format!("without ON UPDATE {}, which would change the owner", foreign.on_update));
                    foreign.on_update.clear();
                }
                foreign.columns.insert(0, owner.clone());
                foreign.parent_columns.insert(0, parent_owner.clone());
                let is_it = |object: &&mut ObjectFate| {
                    object.table.as_ref() == Some(&table.name)
                        && object.kind == ObjectKind::ForeignKey
                        && object.name.eq_ignore_ascii_case(&described)
                };
                if let Some(object) = self.ddl.objects.iter_mut().find(is_it) {
                    object.fate = Fate::Changed;
                    object.why = changes.join("; ");
                }
            }
        }
    }

    /// Adds the reference to the owner, and an index for it if no key begins with its column.
    fn add_references(&mut self) {
        for table in &mut self.ddl.tables {
            let Some(owner) = self.columns.get(&table.name) else { continue };
            let leads = |columns: &[String]| columns.first() == Some(owner);
            let is_led = table.keys.iter().any(|key| leads(&key.columns))
                || table.indexes.iter().any(|index| index.parts.first() == Some(&name(owner)));
            if !is_led {
                let index = self.taken.draw(&table.name, owner, "idx");
                let columns = Some(vec![owner.clone()]);
                let parts = vec![name(owner)];
                table.indexes.push(IndexDdl { name: index, is_unique: false, parts, columns, condition: None });
            }
            let refers = table
                .foreign
                .iter()
                .any(|foreign| foreign.columns.as_slice() == [owner.clone()] && foreign.parent == self.owners);
            if !refers {
                table.foreign.insert(
                    0,
                    ForeignDdl {
                        columns: vec![owner.clone()],
                        parent: self.owners.clone(),
                        parent_columns: vec![self.key.clone()],
                        ..ForeignDdl::default()
                    },
                );
            }
        }
    }
}
