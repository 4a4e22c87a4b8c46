//! Primary keys, unique constraints, indexes and foreign keys.

use super::build::{Builder, TableFacts};
use super::compared::ComparedSql;
use super::conditions::TranslatedIndex;
use super::ddl::{ColumnDdl, FateNotes, ForeignDdl, IndexDdl, KeyDdl, ObjectFate, ObjectKind, TableDdl};
use super::names::{NAME_BYTES, is_usable, made, name, names};
use crate::model::definitions::{ColumnDefinition, ForeignDefinition, IndexDefinition, IndexOrigin, IndexPart};
use crate::model::pgtype::{ColumnType, Kind};

/// Columns that an index of PostgreSQL has at most.
const MOST_PARTS: usize = 32;

/// Bytes of the columns' part of a drawn name are cut with the rest of it.
fn joined(columns: &[String]) -> String {
    columns.join("_")
}

impl Builder<'_> {
    /// Adds the primary key, the unique constraints and the indexes of a table.
    pub fn keys(&mut self, facts: &TableFacts<'_>, table: &mut TableDdl) {
        self.primary_key(facts, table);
        for index in &facts.definition.indexes {
            match index.origin {
                IndexOrigin::PrimaryKey => self.collated_key(index, table),
                IndexOrigin::Unique => self.unique(index, table),
                IndexOrigin::Statement => self.index(facts, index, table),
            }
        }
        let conflicts = facts.text.as_ref().map(|text| text.conflicts.as_slice()).unwrap_or_default();
        for action in conflicts.iter().filter(|action| *action != "ABORT") {
            let why = "in PostgreSQL, each statement says what it does about a conflict";
            let name = format!("ON CONFLICT {action}");
            self.note(FateNotes { table: &table.name }.left_out(ObjectKind::Unique, &name, why));
        }
    }

    fn primary_key(&mut self, facts: &TableFacts<'_>, table: &mut TableDdl) {
        let fates = FateNotes { table: &table.name };
        let columns = self.source_key(facts.name);
        if columns.is_empty() {
            return;
        }
        let described = names(&columns);
        if let Some(why) = self.no_key(&table.name, &columns, true) {
            return self.note(fates.left_out(ObjectKind::PrimaryKey, &described, why));
        }
        let stored = self.facts.stored.get(&table.name);
        let nulls = |name: &String| stored.and_then(|table| table.columns.get(name)).map_or(0, |column| column.nulls());
        let is_required = |name: &String| table.column(name).is_some_and(|column| column.not_null);
        let with_nulls: Vec<&String> = columns.iter().filter(|name| !is_required(name) && nulls(name) > 0).collect();
        if with_nulls.is_empty() {
            let added: Vec<String> = columns.iter().filter(|name| !is_required(name)).cloned().collect();
            table.columns.iter_mut().filter(|column| columns.contains(&column.name)).for_each(|c| c.not_null = true);
            let is_free = !self.taken.contains(&made(&table.name, "", "pkey"));
            let name = (!is_free).then(|| self.taken.draw(&table.name, "", "pkey"));
            let why = format!("{} NOT NULL, which SQLite does not require", with_verb(&added));
            self.note(match added.is_empty() {
                true => fates.kept(ObjectKind::PrimaryKey, &described),
                false => fates.changed(ObjectKind::PrimaryKey, &described, why),
            });
            table.keys.insert(0, KeyDdl { name, primary: true, columns });
            return;
        }
        let nulls: Vec<String> = with_nulls.iter().map(|name| (*name).clone()).collect();
        let why = format!(
            "unique constraint, because {} holds NULLs, which no primary key of PostgreSQL does",
            names(&nulls)
        );
        self.note(fates.changed(ObjectKind::PrimaryKey, &described, why));
        let name = Some(self.taken.draw(&table.name, &joined(&columns), "key"));
        table.keys.push(KeyDdl { name, primary: false, columns });
    }

    /// Returns the reason why columns cannot be a key: there are too many, or values that SQLite tells apart by their class are equal as
    /// texts.
    fn no_key(&self, table: &str, columns: &[String], is_unique: bool) -> Option<String> {
        // The owner may become another column of a unique key.
        let most = MOST_PARTS - usize::from(is_unique && self.facts.owner.is_some());
        if columns.len() > most {
            return Some(format!("a key of PostgreSQL has at most {MOST_PARTS} columns, that of the owner included"));
        }
        let stored = self.facts.stored.get(table).filter(|_| is_unique)?;
        let unfit = |name: &&String| stored.columns.get(*name).is_some_and(|column| column.is_unfit_for_keys());
        columns.iter().find(unfit).map(|column| format!("values of {} are equal as texts", name(column)))
    }

    /// Returns the columns of the source's primary key, in its order.
    fn source_key(&self, table: &str) -> Vec<String> {
        let columns = self.facts.definitions.tables.get(table).into_iter().flat_map(|table| &table.columns);
        let mut columns: Vec<&ColumnDefinition> = columns.filter(|column| column.in_key > 0).collect();
        columns.sort_unstable_by_key(|column| column.in_key);
        columns.into_iter().map(|column| column.name.clone()).collect()
    }

    /// Adds the unique index for a primary key whose collation treats more texts as equal than PostgreSQL's does.
    fn collated_key(&mut self, index: &IndexDefinition, table: &mut TableDdl) {
        if let Ok(parts) = parts(index, table)
            && parts.iter().any(|part| part.compared.is_some())
        {
            let columns: Vec<String> = index.parts.iter().filter_map(|part| part.column.clone()).collect();
            let name = self.taken.draw(&table.name, &joined(&columns), "collated_key");
            let why = format!("also the unique index {name}, for its collation");
            let object = FateNotes { table: &table.name }.changed(ObjectKind::PrimaryKey, &names(&columns), why);
            let compared: Vec<ComparedSql> = parts.iter().filter_map(|part| part.compared.clone()).collect();
            compared.into_iter().for_each(|one| self.translated(&object, Some(one)));
            self.note(object);
            let parts = parts.into_iter().map(|part| part.sql).collect();
            table.indexes.push(IndexDdl { name, is_unique: true, parts, columns: None, condition: None });
        }
    }

    fn unique(&mut self, index: &IndexDefinition, table: &mut TableDdl) {
        let fates = FateNotes { table: &table.name };
        let mut columns: Vec<String> = Vec::new();
        for column in index.parts.iter().filter_map(|part| part.column.clone()) {
            if !columns.contains(&column) {
                columns.push(column);
            }
        }
        let described = names(&columns);
        let found = match self.no_key(&table.name, &columns, true) {
            Some(why) => Err(why),
            None => parts(index, table),
        };
        match found {
            Err(why) => self.note(fates.left_out(ObjectKind::Unique, &described, why)),
            Ok(parts) if parts.iter().any(|part| part.compared.is_some()) => {
                let name = self.taken.draw(&table.name, &joined(&columns), "key");
                let compared: Vec<ComparedSql> = parts.iter().filter_map(|part| part.compared.clone()).collect();
                let parts: Vec<String> = parts.into_iter().map(|part| part.sql).collect();
                let why = format!("unique index on {}, for its collation", parts.join(", "));
                let object = fates.changed(ObjectKind::Unique, &described, why);
                compared.into_iter().for_each(|one| self.translated(&object, Some(one)));
                self.note(object);
                table.indexes.push(IndexDdl { name, is_unique: true, parts, columns: None, condition: None });
            }
            Ok(_) => {
                let name = Some(self.taken.draw(&table.name, &joined(&columns), "key"));
                self.note(fates.kept(ObjectKind::Unique, &described));
                table.keys.push(KeyDdl { name, primary: false, columns });
            }
        }
    }

    fn index(&mut self, facts: &TableFacts<'_>, index: &IndexDefinition, table: &mut TableDdl) {
        let fates = FateNotes { table: &table.name };
        let is_translated = index.is_partial || index.parts.iter().any(|part| part.column.is_none());
        let named: Vec<String> = index.parts.iter().map(|part| part.column.clone().unwrap_or_default()).collect();
        let translated = if let Some(why) = self.no_key(&table.name, &named, index.is_unique) {
            Err(why)
        } else if is_translated {
            self.translated_index(facts, table, index)
        } else {
            parts(index, table).map(|parts| {
                let compared: Vec<_> = parts.iter().filter_map(|part| part.compared.clone()).map(Some).collect();
                let parts: Vec<String> = parts.into_iter().map(|part| part.sql).collect();
                let change = (!compared.is_empty()).then(|| format!("on {}, for its collation", parts.join(", ")));
                TranslatedIndex { parts, condition: None, changes: change.into_iter().collect(), compared }
            })
        };
        let TranslatedIndex { parts, condition, mut changes, compared } = match translated {
            Ok(translated) => translated,
            Err(why) => {
                let left = fates.left_out(ObjectKind::Index, &index.name, why);
                return self.note(ObjectFate { sql: index.sql.clone(), ..left });
            }
        };
        let is_plain = !is_translated && changes.is_empty();
        let columns = is_plain.then(|| index.parts.iter().filter_map(|part| part.column.clone()).collect());
        let name = if !is_usable(&index.name) {
            let name = self.taken.draw(if index.name.is_empty() { &table.name } else { &index.name }, "", "idx");
            let why = match index.name.is_empty() {
                true => "no empty name".to_owned(),
                false => format!("none of more than {NAME_BYTES} bytes"),
            };
            changes.push(format!("the name is {name}, because PostgreSQL has {why}"));
            name
        } else {
            index.name.clone()
        };
        let object = match changes.is_empty() {
            true => fates.kept(ObjectKind::Index, &index.name),
            false => fates.changed(ObjectKind::Index, &index.name, changes.join("; ")),
        };
        compared.into_iter().for_each(|one| self.translated(&object, one));
        self.note(object);
        table.indexes.push(IndexDdl { name, is_unique: index.is_unique, parts, columns, condition });
    }

    /// Adds the foreign keys of a table. Every table is there.
    pub fn foreign_keys(&mut self, facts: &TableFacts<'_>) {
        let texts = facts.text.as_ref().map(|text| text.foreign.as_slice()).unwrap_or_default();
        for (n, definition) in facts.definition.foreign.iter().enumerate() {
            let text = texts.get(n).filter(|_| texts.len() == facts.definition.foreign.len());
            let described = format!("{} to {}", names(&definition.columns), name(&definition.parent));
            let fates = FateNotes { table: facts.name };
            match self.foreign_key(facts.name, definition) {
                Ok(mut foreign) => {
                    foreign.is_deferrable = text.is_some_and(|text| text.is_deferrable);
                    foreign.is_deferred = text.is_some_and(|text| text.is_deferred);
                    let described = format!("{} to {}", names(&foreign.columns), name(&foreign.parent));
                    self.note(fates.kept(ObjectKind::ForeignKey, &described));
                    let table = self.ddl.tables.iter_mut().find(|table| table.name == facts.name);
                    table.into_iter().for_each(|table| table.foreign.push(foreign.clone()));
                }
                Err(why) => self.note(fates.left_out(ObjectKind::ForeignKey, &described, why)),
            }
        }
    }

    /// Returns a foreign key.
    ///
    /// # Errors
    /// The reason for which PostgreSQL cannot have it, with what would make it possible.
    fn foreign_key(&mut self, table: &str, definition: &ForeignDefinition) -> Result<ForeignDdl, String> {
        let find = |name: &str| self.ddl.tables.iter().find(|table| table.name.eq_ignore_ascii_case(name));
        let parent = find(&definition.parent)
            .ok_or_else(|| format!("there is no table {}; it becomes possible with one", name(&definition.parent)))?;
        let own = find(table).ok_or("its table is left out")?;
        let spelled = match definition.parent_columns.as_slice() {
            [] => self.source_key(&parent.name),
            named => named.to_vec(),
        };
        if spelled.is_empty() {
            return Err(format!("{} has no primary key", name(&parent.name)));
        }
        if spelled.len() != definition.columns.len() {
            return Err(format!("it has another number of columns than the primary key of {}", name(&parent.name)));
        }
        let missing = |column: &str, table: &TableDdl| format!("{} has no column {}", name(&table.name), name(column));
        let (mut columns, mut parent_columns, mut retyped) = (Vec::new(), Vec::new(), Vec::new());
        for (column, to) in definition.columns.iter().zip(&spelled) {
            let from = own.column(column).ok_or_else(|| missing(column, own))?;
            let to = parent.column(to).ok_or_else(|| missing(to, parent))?;
            if from.kind.kind != to.kind.kind {
                let Some(kind) = self.other_type(own, from, &to.kind.kind) else {
                    return Err(format!(
                        "{} is {} and {}.{} is {}; it becomes possible if the values of both have one type",
                        name(&from.name),
                        from.kind.name,
                        name(&parent.name),
                        name(&to.name),
                        to.kind.name
                    ));
                };
                retyped.push(ReferringColumn { name: from.name.clone(), kind });
            }
            columns.push(from.name.clone());
            parent_columns.push(to.name.clone());
        }
        self.require_key(parent, &parent_columns)?;
        if let Some(column) = columns.iter().find(|column| own.is_generated(column)).filter(|_| writes(definition)) {
            return Err(format!("an action of it would write to {}, which is a generated column", name(column)));
        }
        let action = |action: &str| if action == "NO ACTION" { String::new() } else { action.to_owned() };
        let foreign = ForeignDdl {
            columns,
            parent: parent.name.clone(),
            parent_columns,
            on_update: action(&definition.on_update),
            on_delete: action(&definition.on_delete),
            ..ForeignDdl::default()
        };
        self.retype(table, &retyped);
        Ok(foreign)
    }

    /// Returns the type of a key for the column that refers to it. `None`: the column keeps its own type, because it does not hold its
    /// values, or because something else is written for its own type: an expression, a default, a trigger, another reference.
    fn other_type(&self, own: &TableDdl, from: &ColumnDdl, kind: &Kind) -> Option<ColumnType> {
        let stored = self.facts.stored.get(&own.name).and_then(|stored| stored.columns.get(&from.name));
        let is_free = !own.has_expressions() && from.default.is_none() && own.triggers.is_empty();
        let fitting = stored.and_then(|stored| stored.fitting(kind)).filter(|_| is_free);
        fitting.filter(|_| !self.is_referred_to(&own.name, &from.name)).map(|trial| trial.kind.clone())
    }

    /// Requires that columns are a key to which a foreign key can refer.
    fn require_key(&self, parent: &TableDdl, columns: &[String]) -> Result<(), String> {
        let (columns_sql, parent_sql) = (names(columns), name(&parent.name));
        if let Some(collation) = self.collation_of_key(&parent.name, columns) {
            return Err(format!(
                "the key ({columns_sql}) of {parent_sql} is compared by {collation}, and a foreign key of PostgreSQL by the bytes of \
                 the texts"
            ));
        }
        if !parent.has_key(columns) {
            return Err(format!(
                "({columns_sql}) is no unique key of {parent_sql}; it becomes possible with UNIQUE ({columns_sql}) there"
            ));
        }
        Ok(())
    }

    /// Returns true if a foreign key of the source refers to a column.
    fn is_referred_to(&self, table: &str, column: &str) -> bool {
        let is_key = |name: &String| name.eq_ignore_ascii_case(column);
        self.facts.definitions.tables.values().flat_map(|table| &table.foreign).any(|foreign| {
            let is_it = foreign.parent.eq_ignore_ascii_case(table);
            is_it && (foreign.parent_columns.is_empty() || foreign.parent_columns.iter().any(is_key))
        })
    }

    /// Returns the collation by which the source compares a key of a table, if it is not BINARY.
    fn collation_of_key(&self, table: &str, columns: &[String]) -> Option<&str> {
        let definition = self.facts.definitions.tables.get(table)?;
        let is_of_key = |part: &&IndexPart| {
            let is_it = |column: &String| columns.iter().any(|key| key.eq_ignore_ascii_case(column));
            part.column.as_ref().is_some_and(is_it) && part.collation != "BINARY"
        };
        let uniques =
            definition.indexes.iter().filter(|index| index.is_unique || index.origin != IndexOrigin::Statement);
        uniques.flat_map(|index| &index.parts).find(is_of_key).map(|part| part.collation.as_str())
    }

    /// Gives columns the types of the keys to which they refer.
    fn retype(&mut self, table: &str, types: &[ReferringColumn]) {
        let own = self.ddl.tables.iter_mut().find(|own| own.name == table);
        for column in own.into_iter().flat_map(|own| &mut own.columns) {
            if let Some(retyped) = types.iter().find(|retyped| retyped.name == column.name) {
                column.kind = retyped.kind.clone();
                column.why.push_str("; the type of the key to which it refers");
            }
        }
    }
}

/// The names of columns with their verb: `a is`, `a, b are`.
fn with_verb(columns: &[String]) -> String {
    format!("{} {}", names(columns), if columns.len() == 1 { "is" } else { "are" })
}

/// Returns true if an action of a foreign key writes to its columns.
fn writes(definition: &ForeignDefinition) -> bool {
    let sets = |action: &str| ["SET NULL", "SET DEFAULT"].contains(&action);
    definition.on_update == "CASCADE" || sets(&definition.on_update) || sets(&definition.on_delete)
}

/// A column that gets the type of the key to which it refers.
struct ReferringColumn {
    name: String,
    kind: ColumnType,
}

/// One part of an index as SQL.
struct PartSql {
    sql: String,
    /// Both sides, if the part is an expression, because of its collation.
    compared: Option<ComparedSql>,
}

/// Returns the parts of an index over columns.
///
/// # Errors
/// The reason for which PostgreSQL cannot have a part.
fn parts(index: &IndexDefinition, table: &TableDdl) -> Result<Vec<PartSql>, String> {
    index.parts.iter().map(|part| self::part(part, table)).collect()
}

fn part(part: &IndexPart, table: &TableDdl) -> Result<PartSql, String> {
    let column = part.column.as_ref().ok_or("a part of it is an expression")?;
    let column = table.column(column).ok_or("a column of it is missing")?;
    let plain = name(&column.name);
    let is_text = column.kind.kind == Kind::Text;
    let folded = match part.collation.as_str() {
        "NOCASE" if is_text => Some(format!("lower({plain} COLLATE \"C\")")),
        "RTRIM" if is_text => Some(format!("rtrim({plain}, ' ')")),
        "BINARY" | "NOCASE" | "RTRIM" => None,
        other => return Err(format!("the collation {other} belongs to the application")),
    };
    let order = if part.is_descending { " DESC" } else { "" };
    let compared = folded.as_ref().map(|folded| ComparedSql::collated(&column.name, &part.collation, folded));
    Ok(PartSql { sql: format!("{}{order}", folded.unwrap_or(plain)), compared })
}
