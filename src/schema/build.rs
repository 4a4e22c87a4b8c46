//! Makes the tables of PostgreSQL from the definitions of the source and its stored values.

use std::collections::BTreeMap;

use super::compared::ComparedSql;
use super::ddl::{
    ColumnDdl, Ddl, ExpressionPair, Fate, FateNotes, IdentityDdl, ObjectFate, ObjectKind, RANDOM, SYSTEM_COLUMNS,
    TableDdl,
};
use super::defaults::{DefaultSql, default_sql, is_other_unit};
use super::expression::{SHIFTED, Scope};
use super::names::{TakenNames, is_usable, made, unusable_name};
use super::owned_ids::ShiftedIds;
use super::owner::own;
use super::owner_options::OwnerOptions;
use super::source_comments::source_comments;
use super::stored::{StoredTable, TriedColumn};
use super::table_text::{TableText, table_text};
use super::types::column_type;
use crate::init::{ColumnProof, StoredClasses};
use crate::model::definitions::{ColumnDefinition, IndexOrigin, SourceDefinitions, TableDefinition};
use crate::model::pgtype::{ColumnType, Kind};
use crate::model::record::Refusal;
use crate::model::schema::{OtherKind, SourceSchema};
use crate::text::{count, grouped};

/// Columns that a table of PostgreSQL has at most.
pub const MOST_COLUMNS: usize = 1_600;

/// Everything from which the tables are made.
pub struct SchemaFacts<'a> {
    /// The schema of the source.
    pub source: &'a SourceSchema,
    /// The definitions of its objects.
    pub definitions: &'a SourceDefinitions,
    /// Its stored values, by table.
    pub stored: &'a BTreeMap<String, StoredTable>,
    /// The owner that the rows get. `None`: they have none.
    pub owner: Option<&'a OwnerOptions>,
}

/// One table of the source with everything that is known about it.
pub struct TableFacts<'a> {
    /// Its name.
    pub name: &'a str,
    /// Its definition.
    pub definition: &'a TableDefinition,
    /// The parts of its text. `None` if the text cannot be read.
    pub text: Option<TableText>,
}

/// Returns the tables.
///
/// # Errors
/// The names that PostgreSQL would cut, tables with more columns than it has, and owners that the tables cannot have.
pub fn build(facts: &SchemaFacts<'_>) -> Result<Ddl, Vec<Refusal>> {
    let refusals = unusable(facts);
    if !refusals.is_empty() {
        return Err(refusals);
    }
    let mut taken = TakenNames::default();
    let tables: Vec<TableFacts<'_>> = facts
        .definitions
        .tables
        .iter()
        .map(|(name, definition)| TableFacts { name, definition, text: table_text(&definition.sql) })
        .collect();
    for table in &tables {
        taken.take(table.name);
        let statements = table.definition.indexes.iter().filter(|index| index.origin == IndexOrigin::Statement);
        statements.filter(|index| is_usable(&index.name)).for_each(|index| taken.take(&index.name));
        // A key cannot have the name of a CHECK of its table.
        let checks = table.text.iter().flat_map(|text| &text.checks).filter_map(|check| check.name.as_ref());
        checks.for_each(|name| taken.take(name));
    }
    facts.definitions.views.iter().for_each(|view| taken.take(&view.named.name));
    let ids = facts.owner.map(|owner| ShiftedIds::new(facts.source, facts.definitions, owner)).unwrap_or_default();
    let mut builder = Builder { facts, taken, ids, ddl: Ddl::default() };
    tables.iter().for_each(|table| builder.table(table));
    tables.iter().for_each(|table| builder.foreign_keys(table));
    builder.others();
    if let Some(owner) = facts.owner {
        own(&mut builder.ddl, &mut builder.taken, owner, facts.source, facts.stored)?;
    }
    builder.views(&tables);
    Ok(builder.ddl)
}

/// Returns a refusal for each name of a table or a column that PostgreSQL cannot have, and for each table with too many columns.
fn unusable(facts: &SchemaFacts<'_>) -> Vec<Refusal> {
    let refusal = |place: String, reason: String, rename: &str| {
        Refusal::new(place, reason, format!("Rename it in a copy of the source: {rename}."))
    };
    let mut refusals = Vec::new();
    for (name, table) in &facts.definitions.tables {
        let owner = usize::from(facts.owner.is_some());
        if table.columns.len() + owner > MOST_COLUMNS {
            let all = count(table.columns.len() as u64, "column", "columns");
            let with = if owner > 0 { " and may get that of the owner" } else { "" };
            let most = grouped(MOST_COLUMNS as u64);
            let reason = format!("it has {all}{with}, and a table of PostgreSQL at most {most}");
            refusals.push(Refusal::new(format!("table `{name}`"), reason, "Divide it in a copy of the source."));
        }
        let system =
            name.starts_with("pg_").then(|| "PostgreSQL keeps names that begin with pg_ for itself".to_owned());
        if let Some(why) = unusable_name(name).or(system) {
            refusals.push(refusal(format!("table `{name}`"), why, "ALTER TABLE ... RENAME TO ..."));
        }
        for column in &table.columns {
            let is_system = SYSTEM_COLUMNS.contains(&column.name.as_str());
            let system = is_system.then(|| "every table of PostgreSQL has a column of this name already".to_owned());
            if let Some(why) = unusable_name(&column.name).or(system) {
                let place = format!("column `{name}.{}`", column.name);
                refusals.push(refusal(place, why, "ALTER TABLE ... RENAME COLUMN ... TO ..."));
            }
        }
    }
    refusals
}

/// Collects the tables.
pub struct Builder<'a> {
    /// The facts.
    pub facts: &'a SchemaFacts<'a>,
    /// The names of tables, indexes and sequences.
    pub taken: TakenNames,
    /// The columns of ids that a mapping shifts.
    pub ids: ShiftedIds,
    /// The tables that are complete, and the fates of all objects.
    pub ddl: Ddl,
}

impl Builder<'_> {
    /// Notes the fate of an object.
    pub fn note(&mut self, object: ObjectFate) {
        self.ddl.objects.push(object);
    }

    /// Notes an expression of an object that PostgreSQL has.
    pub fn translated(&mut self, object: &ObjectFate, compared: Option<ComparedSql>) {
        let table = object.table.clone().unwrap_or_default();
        let (kind, name) = (object.kind, object.name.clone());
        self.ddl.expressions.push(ExpressionPair { table, kind, name, compared });
    }

    fn table(&mut self, facts: &TableFacts<'_>) {
        let stored = self.facts.stored.get(facts.name);
        let mut table = TableDdl {
            name: facts.name.to_owned(),
            rows: stored.map_or(0, |stored| stored.rows),
            comments: source_comments(&facts.definition.sql),
            ..TableDdl::default()
        };
        let fates = FateNotes { table: facts.name };
        self.note(ObjectFate { table: None, ..fates.kept(ObjectKind::Table, facts.name) });
        for definition in &facts.definition.columns {
            let stored = stored.and_then(|stored| stored.columns.get(&definition.name));
            let column = self.column(&table, definition, stored);
            table.columns.push(column);
        }
        self.conditions(facts, &mut table);
        self.keys(facts, &mut table);
        self.triggers(facts, &mut table);
        self.ddl.tables.push(table);
    }

    fn column(&mut self, table: &TableDdl, definition: &ColumnDefinition, stored: Option<&TriedColumn>) -> ColumnDdl {
        let fates = FateNotes { table: &table.name };
        let source = self.facts.source.tables.get(&table.name);
        let is_rowid = source.and_then(|table| table.column(&definition.name)).is_some_and(|column| column.is_rowid);
        let decided = TypeDecision::new(definition, stored, is_rowid);
        if decided.is_mixed {
            let why = format!("text, because no other type holds every value: {}", decided.why);
            self.note(fates.changed(ObjectKind::Column, &definition.name, why));
        }
        let identity = is_rowid.then(|| {
            let next = source.and_then(|table| table.counter).filter(|counter| *counter > 0);
            let sequence = made(&table.name, &definition.name, "seq");
            let is_free = !self.taken.contains(&sequence);
            let sequence = match is_free {
                true => {
                    self.taken.take(&sequence);
                    None
                }
                false => Some(self.taken.draw(&table.name, &definition.name, "seq")),
            };
            IdentityDdl { start: next.and_then(|counter| counter.checked_add(1)), sequence }
        });
        let default = if is_rowid { None } else { self.default(&fates, definition, stored, &decided.kind) };
        ColumnDdl {
            name: definition.name.clone(),
            kind: decided.kind,
            not_null: definition.not_null || is_rowid,
            default,
            identity,
            generated: None,
            why: decided.why,
        }
    }

    /// Returns the default of a column, and notes its fate.
    fn default(
        &mut self,
        fates: &FateNotes<'_>,
        definition: &ColumnDefinition,
        stored: Option<&TriedColumn>,
        kind: &ColumnType,
    ) -> Option<String> {
        let sql = definition.default.as_ref()?;
        let name = format!("{} DEFAULT {sql}", definition.name);
        let scope = Scope { is_utf16: self.facts.definitions.is_utf16, ..Scope::default() };
        let is_other_unit = stored.is_some_and(|stored| is_other_unit(sql, stored, kind));
        let found = match default_sql(sql, kind, &scope) {
            Ok(DefaultSql::Null) => return None,
            Ok(_) if self.ids.of(fates.table, &definition.name).is_some() => Err(SHIFTED.to_owned()),
            Ok(_) if is_other_unit => Err("its unit of time is another one than that of the stored numbers".to_owned()),
            found => found,
        };
        let found = match found {
            Ok(found) => found,
            Err(why) => {
                self.note(fates.left_out(ObjectKind::Default, &name, why));
                return None;
            }
        };
        let compared = found.compared(sql, kind);
        let translated = found.into_sql();
        let is_same = translated == *sql;
        let is_random = translated.contains(RANDOM);
        let random = if is_random { "; some digits of a UUID are not random" } else { "" };
        let why = format!("DEFAULT {translated}{random}");
        let object = match is_same {
            true => fates.kept(ObjectKind::Default, &name),
            false => fates.changed(ObjectKind::Default, &name, why),
        };
        self.translated(&object, compared);
        self.note(object);
        Some(translated)
    }

    /// Notes the triggers of views, and virtual tables.
    fn others(&mut self) {
        let left = |table: Option<&String>, kind: ObjectKind, name: &str, why: &str, sql: &str| ObjectFate {
            table: table.cloned(),
            kind,
            name: name.to_owned(),
            fate: Fate::LeftOut,
            why: why.to_owned(),
            sql: sql.to_owned(),
            proof: None,
        };
        let is_of_table = |name: &str| self.facts.definitions.tables.keys().any(|own| own.eq_ignore_ascii_case(name));
        for trigger in self.facts.definitions.triggers.iter().filter(|trigger| !is_of_table(&trigger.table)) {
            let (table, named) = (Some(&trigger.table), &trigger.named);
            let why = "it belongs to a view";
            self.ddl.objects.push(left(table, ObjectKind::Trigger, &named.name, why, &named.sql));
        }
        for (name, kind) in &self.facts.source.others {
            if *kind == OtherKind::Virtual {
                let why = "PostgreSQL has no virtual tables; its shadow tables are left out with it";
                self.ddl.objects.push(left(None, ObjectKind::VirtualTable, name, why, ""));
            }
        }
    }
}

/// The type of a column, with its reason.
struct TypeDecision {
    kind: ColumnType,
    why: String,
    /// True if no type but text could hold the values, and text is no type of theirs.
    is_mixed: bool,
}

impl TypeDecision {
    fn new(definition: &ColumnDefinition, stored: Option<&TriedColumn>, is_rowid: bool) -> TypeDecision {
        let declared = match definition.declared.as_str() {
            "" => "declared without a type".to_owned(),
            declared => format!("declared {declared}"),
        };
        if is_rowid {
            return TypeDecision { kind: column_type(Kind::Int8), why: declared, is_mixed: false };
        }
        let Some(stored) = stored else {
            return TypeDecision { kind: column_type(Kind::Text), why: declared, is_mixed: true };
        };
        let unfit: Vec<&str> = stored.unfit_for_key().iter().map(|kind| kind.name.as_str()).collect();
        let keyed = match unfit.is_empty() {
            true => String::new(),
            false => format!("; a key may have equal values as {}", unfit.join(", or as ")),
        };
        let why = format!("{declared}; {}{keyed}", classes(stored));
        match stored.choice() {
            Some(trial) => {
                let read = match stored.proof(trial) {
                    ColumnProof::Modified(modifiers) => format!("; read with {modifiers}"),
                    ColumnProof::Plain | ColumnProof::Open => String::new(),
                };
                TypeDecision { kind: trial.kind.clone(), why: format!("{why}{read}"), is_mixed: false }
            }
            None => TypeDecision { kind: column_type(Kind::Text), why, is_mixed: true },
        }
    }
}

/// The stored values by class: `3 integers, 1 NULL`.
fn classes(stored: &TriedColumn) -> String {
    let StoredClasses { integers, reals, texts, blobs, .. } = stored.classes();
    let all = [
        (integers, "integer", "integers"),
        (reals, "double", "doubles"),
        (texts, "text", "texts"),
        (blobs, "blob", "blobs"),
        (stored.nulls(), "NULL", "NULLs"),
    ];
    let parts: Vec<String> = all.iter().filter(|(n, _, _)| *n > 0).map(|(n, one, many)| count(*n, one, many)).collect();
    if parts.is_empty() { "no value".to_owned() } else { parts.join(", ") }
}
