//! The table of owners, and the keys by which the rows of a further owner's file find those that are there: of owners, and of tables
//! that all owners share.

use std::collections::BTreeMap;

use super::ddl::{ColumnDdl, Ddl, FateNotes, IdentityDdl, KeyDdl, ObjectKind, SYSTEM_COLUMNS, TableDdl};
use super::names::{TakenNames, name, names, unusable_name};
use super::owner_options::OwnerOptions;
use super::stored::StoredTable;
use super::types::column_type;
use crate::model::pgtype::Kind;
use crate::model::record::Refusal;

/// The column by which people know an owner, if the table of owners is a new one.
const NATURAL: &str = "username";

/// The key of a new table of owners.
const KEY: &str = "id";

/// Returns the name of the table of owners. Adds the table if the source has none.
///
/// # Errors
/// If another object has the name of the new table.
pub fn owners_table(ddl: &mut Ddl, taken: &mut TakenNames, options: &OwnerOptions) -> Result<String, Refusal> {
    if let Some(table) = ddl.tables.iter().find(|table| table.name.eq_ignore_ascii_case(&options.table)) {
        return match &options.natural {
            Some(natural) if table.column(&natural.column).is_none() => Err(unknown_column(table, &natural.column)),
            _ => Ok(table.name.clone()),
        };
    }
    let natural = options.natural.as_ref().map_or(NATURAL, |natural| natural.column.as_str());
    let no_column = match natural {
        KEY => Some("it is the name of the key".to_owned()),
        own if SYSTEM_COLUMNS.contains(&own) => {
            Some("every table of PostgreSQL has a column of this name already".to_owned())
        }
        own => unusable_name(own),
    };
    let no_table = unusable_name(&options.table).map(|why| (options.table.as_str(), why));
    if let Some((place, why)) = no_table.or(no_column.map(|why| (natural, why))) {
        return Err(Refusal::new(
            format!("--owner `{place}`"),
            why,
            "Write another name, as in --owner users.username=VALUE.",
        ));
    }
    if taken.contains(&options.table) {
        let shown = name(&options.table);
        let reason = format!("{shown} is the name of a view, an index or a constraint of the source, and no table");
        let advice = format!("Give the table of owners another name, as in --owner {}_owner.", options.table);
        return Err(Refusal::new("--owner", reason, advice));
    }
    let column = |name: &str, kind: Kind, identity: Option<IdentityDdl>, why: &str| ColumnDdl {
        name: name.to_owned(),
        kind: column_type(kind),
        not_null: true,
        default: None,
        identity,
        generated: None,
        why: why.to_owned(),
    };
    taken.take(&options.table);
    let unique = taken.draw(&options.table, natural, "key");
    let table = TableDdl {
        name: options.table.clone(),
        columns: vec![
            column(KEY, Kind::Int8, Some(IdentityDdl::default()), "the source has no table of owners"),
            column(natural, Kind::Text, None, "the name by which people know an owner"),
        ],
        keys: vec![
            KeyDdl { name: None, primary: true, columns: vec![KEY.to_owned()] },
            KeyDdl { name: Some(unique), primary: false, columns: vec![natural.to_owned()] },
        ],
        is_new: true,
        notes: vec!["The owners: rows of the other tables belong to them.".to_owned()],
        ..TableDdl::default()
    };
    ddl.tables.insert(0, table);
    Ok(options.table.clone())
}

/// Returns the refusal of a column that the table of owners does not have.
fn unknown_column(table: &TableDdl, natural: &str) -> Refusal {
    let reason = format!("{} has no column {}", name(&table.name), name(natural));
    Refusal::new("--owner", reason, "Name the column by which people know an owner: --owner TABLE.COLUMN=VALUE.")
}

/// Requires the columns of one unique key in each table whose rows a further file may bring again, if the table has no key without NULL.
/// A NULL identifies no row.
pub fn require_natural_keys(ddl: &mut Ddl, owners: &str, stored: &BTreeMap<String, StoredTable>) {
    let mut notes = Vec::new();
    for table in ddl.tables.iter_mut().filter(|table| table.name == owners || table.owner.is_none()) {
        let Some(values) = stored.get(&table.name).filter(|values| values.rows > 0) else { continue };
        let is_required = |name: &String| table.column(name).is_some_and(|column| column.not_null);
        let is_id = |columns: &[String]| matches!(columns, [one] if table.column(one).is_some_and(|column| column.identity.is_some()));
        let indexes = table.indexes.iter().filter(|index| index.is_unique && index.condition.is_none());
        let uniques: Vec<&Vec<String>> = table
            .keys
            .iter()
            .map(|key| &key.columns)
            .chain(indexes.filter_map(|index| index.columns.as_ref()))
            .filter(|columns| !is_id(columns))
            .collect();
        if uniques.iter().any(|columns| columns.iter().all(is_required)) {
            continue;
        }
        let sets_null = |name: &String| {
            let writes = |action: &String| action == "SET NULL";
            let mut foreign = table.foreign.iter().filter(|foreign| foreign.columns.contains(name));
            foreign.any(|foreign| writes(&foreign.on_delete) || writes(&foreign.on_update))
        };
        let is_full = |name: &String| {
            let is_free = !table.is_generated(name) && !sets_null(name);
            is_required(name) || is_free && values.columns.get(name).is_some_and(|column| column.nulls() == 0)
        };
        let found = uniques.into_iter().find(|columns| columns.iter().all(is_full));
        let Some(added) = found.map(|key| key.iter().filter(|name| !is_required(name)).cloned().collect::<Vec<_>>())
        else {
            continue;
        };
        table
            .columns
            .iter_mut()
            .filter(|column| added.contains(&column.name))
            .for_each(|column| column.not_null = true);
        let why = "the rows of a further owner's file are found by it";
        notes.push(FateNotes { table: &table.name }.changed(ObjectKind::NotNull, &names(&added), why));
    }
    ddl.objects.extend(notes);
}
