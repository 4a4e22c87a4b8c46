//! Views: the query of a view, translated if every part has the same rows in PostgreSQL.

use super::build::{Builder, MOST_COLUMNS, TableFacts};
use super::compared::ComparedSql;
use super::ddl::{Fate, ObjectFate, ObjectKind, TableDdl, ViewColumn, ViewDdl};
use super::expression::{NamedRelation, OVERFLOW, Relations, Scope, ScopeColumn, Translated, TranslatedQuery, query};
use super::names::{NAME_BYTES, is_usable, name};
use super::tokens::tokens;
use super::types::column_type;
use crate::model::definitions::ViewDefinition;
use crate::model::ident::quoted;

/// The difference that an order by values of another form has.
const OTHER_ORDER: &str = "its rows are in the order of the values of PostgreSQL";

/// The difference that a view of rows with an owner has.
const OWNER: &str = "it has the owner's column as well";

impl Builder<'_> {
    /// Adds the views that have a translation, and notes the fate of all of them.
    pub fn views(&mut self, tables: &[TableFacts<'_>]) {
        let mut relations = Relations::default();
        for facts in tables {
            if let Some(relation) = self.relation(facts) {
                relations.push(relation);
            }
        }
        let mut open: Vec<&ViewDefinition> = self.facts.definitions.views.iter().collect();
        for view in &open {
            relations.push(unfinished(&view.named.name));
        }
        // A view may read one that is listed after it.
        loop {
            let before = open.len();
            open.retain(|view| match self.view(view, &relations) {
                Ok(found) => {
                    relations.push(found);
                    false
                }
                Err(_) => true,
            });
            if open.is_empty() || open.len() == before {
                break;
            }
        }
        for view in open {
            if let Err(why) = self.view(view, &relations) {
                let (name, sql) = (view.named.name.clone(), view.named.sql.clone());
                let (kind, fate) = (ObjectKind::View, Fate::LeftOut);
                self.note(ObjectFate { table: None, kind, name, fate, why, sql, proof: None });
            }
        }
    }

    /// Returns a table as queries can name it. `None`: it is not made.
    fn relation(&self, facts: &TableFacts<'_>) -> Option<NamedRelation> {
        let table = self.ddl.tables.iter().find(|table| table.name == facts.name)?;
        let named = NamedRelation { name: table.name.clone(), owner: table.owner.clone(), ..NamedRelation::default() };
        let Some(scopes) = self.scope_facts(facts, table) else {
            let why = format!("the text of the table {} cannot be read", name(&table.name));
            return Some(NamedRelation { unusable: Some(why), ..named });
        };
        let mut scope = scopes.scope();
        // The source has no such column.
        let added = table.owner.as_ref().filter(|owner| owner.is_added);
        scope.columns.retain(|column| added.is_none_or(|added| column.name != added.name));
        let mut key = table.keys.iter().find(|key| key.primary).map(|key| key.columns.clone()).unwrap_or_default();
        key.retain(|column| added.is_none_or(|added| *column != added.name));
        Some(NamedRelation { columns: scope.columns, rowid: scope.rowid, key, ..named })
    }

    /// Adds a view, and returns it as queries can name it.
    ///
    /// # Errors
    /// The reason why it has no translation.
    fn view(&mut self, view: &ViewDefinition, relations: &Relations) -> Result<NamedRelation, String> {
        let own = &view.named.name;
        if !is_usable(own) || own.starts_with("pg_") || !view.columns.iter().all(|column| is_usable(column)) {
            return Err(format!("a name of it has no or more than {NAME_BYTES} bytes, or begins with pg_"));
        }
        if view.columns.is_empty() {
            return Err("SQLite cannot read it: an object is missing, or a text is in double quotes".to_owned());
        }
        if view.columns.len() >= MOST_COLUMNS {
            return Err("it has more columns than a view of PostgreSQL".to_owned());
        }
        let scope = Scope { is_utf16: self.facts.definitions.is_utf16, ..relations.scope() };
        let found = translated(&view.named.sql, &scope)?;
        let relation = found.relation(own, &view.columns)?;
        let columns = relation.columns.iter().map(|column| self.view_column(column)).collect::<Option<Vec<_>>>();
        let columns = columns.ok_or("the type of a column is not known")?;
        let owner = relation.owner.as_ref().filter(|owner| owner.is_added).map(|owner| owner.name.clone());
        let changes =
            [(found.can_overflow, OVERFLOW), (found.is_ordered_by_other_form, OTHER_ORDER), (owner.is_some(), OWNER)];
        let changes: Vec<&str> = changes.into_iter().filter(|(is_it, _)| *is_it).map(|(_, words)| words).collect();
        let fate = if changes.is_empty() { Fate::Kept } else { Fate::Changed };
        let (kind, why, sql) = (ObjectKind::View, changes.join("; "), String::new());
        self.note(ObjectFate { table: None, kind, name: own.clone(), fate, why, sql, proof: None });
        self.ddl.views.push(ViewDdl { name: own.clone(), owner, columns, sql: found.sql });
        Ok(relation)
    }

    /// Returns a column of a view with its type.
    fn view_column(&self, column: &ScopeColumn) -> Option<ViewColumn> {
        let of_table = column.origin.as_ref().and_then(|origin| {
            let table: &TableDdl = self.ddl.tables.iter().find(|table| table.name == origin.table)?;
            table.column(&origin.column).map(|column| column.kind.clone())
        });
        let of_times = || column.moment.as_ref().map(|moment| column_type(moment.kind.clone()));
        let kind = of_table.or_else(of_times).or_else(|| column.sort.kind().map(column_type))?;
        let value = Translated::atom(name(&column.name), column.sort);
        let compared = ComparedSql::value(&quoted(&column.name), &value).filter(|_| column.unusable.is_none());
        let origin = column.origin.clone();
        Some(ViewColumn { name: column.name.clone(), compared, kind, origin })
    }
}

/// A view that is not translated yet, or not at all.
fn unfinished(view: &str) -> NamedRelation {
    let why = format!("it reads the view {}, which is left out", name(view));
    NamedRelation { name: view.to_owned(), unusable: Some(why), ..NamedRelation::default() }
}

/// Returns the query of CREATE VIEW.
fn translated(sql: &str, scope: &Scope) -> Result<TranslatedQuery, String> {
    let all = tokens(sql).ok_or("its text cannot be read")?;
    let start = all.iter().position(|token| token.is_word("AS")).ok_or("its text cannot be read")?;
    scope.rows(&query(&all[start + 1..])?)
}

impl ViewDdl {
    /// Returns the names of its columns.
    pub fn names(&self) -> Vec<String> {
        self.owner.iter().cloned().chain(self.columns.iter().map(|column| column.name.clone())).collect()
    }
}
