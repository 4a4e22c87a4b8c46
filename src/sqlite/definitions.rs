//! Reads the definitions of the source's objects: defaults, keys, indexes, foreign keys, views and triggers.
//!
//! Does not judge what PostgreSQL can have of them.

use rusqlite::{Params, Row};

use super::error::{Said, SourceError};
use super::reader::Reader;
use crate::model::definitions::{
    ColumnDefinition, ForeignDefinition, IndexDefinition, IndexOrigin, IndexPart, NamedSql, SourceDefinitions,
    TableDefinition, TriggerDefinition, ViewDefinition,
};
use crate::model::ident::quoted;
use crate::model::schema::SourceSchema;

impl Reader {
    /// Returns the definitions of the ordinary tables of a schema, and of all views and triggers.
    ///
    /// # Errors
    /// If the file cannot be read.
    pub fn definitions(&self, schema: &SourceSchema) -> Result<SourceDefinitions, SourceError> {
        let mut found = SourceDefinitions { is_utf16: self.shared.utf16, ..SourceDefinitions::default() };
        let sql = "SELECT type, name, tbl_name, sql FROM main.sqlite_schema ORDER BY type, name";
        for (kind, table, named) in self.listed(sql, [], |row| {
            Ok((text(row, 0)?, text(row, 2)?, NamedSql { name: text(row, 1)?, sql: text(row, 3)? }))
        })? {
            match kind.as_str() {
                "table" if schema.tables.contains_key(&named.name) => {
                    let table = self.table_definition(named.sql, &named.name)?;
                    found.tables.insert(named.name, table);
                }
                "view" => found.views.push(self.view_definition(named)),
                "trigger" => found.triggers.push(TriggerDefinition { table, named }),
                _ => {}
            }
        }
        Ok(found)
    }

    fn table_definition(&self, sql: String, name: &str) -> Result<TableDefinition, SourceError> {
        let columns = "SELECT name, type, \"notnull\", dflt_value, pk, hidden FROM pragma_table_xinfo(?1) \
                       WHERE hidden <> 1 ORDER BY cid";
        let columns = self.listed(columns, [name], |row| {
            Ok(ColumnDefinition {
                name: text(row, 0)?,
                declared: text(row, 1)?,
                not_null: row.get::<_, i64>(2)? != 0,
                default: row.get_ref(3)?.as_str_or_null()?.map(str::to_owned),
                in_key: usize::try_from(row.get::<_, i64>(4)?).unwrap_or(0),
                is_generated: row.get::<_, i64>(5)? > 1,
            })
        })?;
        let indexes = "SELECT l.name, l.origin, l.\"unique\", l.partial, s.sql FROM pragma_index_list(?1) AS l \
                       LEFT JOIN main.sqlite_schema AS s ON s.type = 'index' AND s.name = l.name ORDER BY l.name";
        let mut indexes = self.listed(indexes, [name], |row| {
            Ok(IndexDefinition {
                name: text(row, 0)?,
                origin: match text(row, 1)?.as_str() {
                    "u" => IndexOrigin::Unique,
                    "pk" => IndexOrigin::PrimaryKey,
                    _ => IndexOrigin::Statement,
                },
                is_unique: row.get::<_, i64>(2)? != 0,
                is_partial: row.get::<_, i64>(3)? != 0,
                sql: text(row, 4)?,
                parts: Vec::new(),
            })
        })?;
        for index in &mut indexes {
            let parts = "SELECT name, coll, \"desc\", cid FROM pragma_index_xinfo(?1) WHERE key ORDER BY seqno";
            index.parts = self.listed(parts, [&index.name], |row| {
                let is_column = row.get::<_, i64>(3)? >= 0;
                let column = text(row, 0)?;
                Ok(IndexPart {
                    column: is_column.then_some(column),
                    collation: text(row, 1)?.to_ascii_uppercase(),
                    is_descending: row.get::<_, i64>(2)? != 0,
                })
            })?;
        }
        Ok(TableDefinition { sql, columns, indexes, foreign: self.foreign_definitions(name)? })
    }

    /// A view that does not compile has no columns: an object is missing, or a text is in double quotes.
    fn view_definition(&self, named: NamedSql) -> ViewDefinition {
        let found = self.prepare(&format!("SELECT * FROM {}", quoted(&named.name)));
        let columns = found.map(|view| view.column_names().map(str::to_owned).collect());
        ViewDefinition { named, columns: columns.unwrap_or_default() }
    }

    fn foreign_definitions(&self, table: &str) -> Result<Vec<ForeignDefinition>, SourceError> {
        // SQLite counts the keys from the last one that is written.
        let sql = "SELECT id, \"table\", \"from\", \"to\", on_update, on_delete FROM pragma_foreign_key_list(?1) \
                   ORDER BY id DESC, seq";
        let parts = self.listed(sql, [table], |row| {
            let to = row.get_ref(3)?.as_str_or_null()?.map(str::to_owned);
            let foreign = ForeignDefinition {
                columns: vec![text(row, 2)?],
                parent: text(row, 1)?,
                parent_columns: to.into_iter().collect(),
                on_update: text(row, 4)?,
                on_delete: text(row, 5)?,
            };
            Ok((row.get::<_, i64>(0)?, foreign))
        })?;
        let mut found: Vec<(i64, ForeignDefinition)> = Vec::new();
        for (id, part) in parts {
            match found.last_mut().filter(|(last, _)| *last == id) {
                Some((_, foreign)) => {
                    foreign.columns.extend(part.columns);
                    foreign.parent_columns.extend(part.parent_columns);
                }
                None => found.push((id, part)),
            }
        }
        Ok(found.into_iter().map(|(_, foreign)| foreign).collect())
    }

    /// Returns all rows of a small query.
    fn listed<T>(
        &self,
        sql: &str,
        params: impl Params,
        mut read: impl FnMut(&Row<'_>) -> rusqlite::Result<T>,
    ) -> Result<Vec<T>, SourceError> {
        let mut statement = self.prepare(sql)?;
        let found = statement.query_map(params, |row| read(row)).and_then(Iterator::collect);
        found.map_err(|error| self.failure(&Said::of(&error)))
    }
}

/// Returns a text; empty for NULL. Bytes that are not UTF-8 are replaced: they can only be in comments and literals.
fn text(row: &Row<'_>, n: usize) -> rusqlite::Result<String> {
    let bytes = row.get_ref(n)?.as_bytes_or_null()?.unwrap_or_default();
    Ok(String::from_utf8_lossy(bytes).into_owned())
}
