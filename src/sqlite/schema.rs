//! Reads the schema of the source, and the key by which each table's rows are ordered.
//!
//! Does not judge what can be loaded; that is the task of the plan.

use std::collections::{BTreeMap, HashMap};

use rusqlite::{Connection, Params, Row};
use sha2::{Digest, Sha256};

use super::error::{ErrorClass, SourceError};
use crate::model::hex::hex;
use crate::model::ident::quoted;
use crate::model::schema::{Address, OtherKind, SourceColumn, SourceSchema, SourceTable, SourceUnique};

/// A column of the key of a WITHOUT ROWID table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct KeyColumn {
    pub name: String,
    pub collation: String,
    /// The collation is the column's own. Then the bare column has the same order, and SQLite can seek by row values.
    pub own: bool,
    pub descending: bool,
}

/// The schema of a database.
pub(super) struct ReadSchema {
    pub schema: SourceSchema,
    /// The keys of WITHOUT ROWID tables.
    pub keys: HashMap<String, Vec<KeyColumn>>,
    /// Text is UTF-16 in the file.
    pub utf16: bool,
    /// SHA-256 of the schema's SQL, in hex.
    pub hash: String,
}

/// A failure to read the schema: an error of SQLite, or a name that is not UTF-8.
pub(super) enum SchemaFailure {
    Sqlite(rusqlite::Error),
    Name(SourceError),
}

impl From<rusqlite::Error> for SchemaFailure {
    fn from(error: rusqlite::Error) -> SchemaFailure {
        SchemaFailure::Sqlite(error)
    }
}

type SchemaResult<T> = std::result::Result<T, SchemaFailure>;

/// Reads the whole schema in the connection's transaction.
pub(super) fn read(conn: &Connection) -> SchemaResult<ReadSchema> {
    let encoding = all(conn, "PRAGMA encoding", [], |row| text(row, 0))?;
    let mut read = ReadSchema {
        schema: SourceSchema::default(),
        keys: HashMap::new(),
        utf16: encoding.first().is_some_and(|name| name.starts_with("UTF-16")),
        hash: hash(conn)?,
    };
    let counters = counters(conn)?;
    let listed = all(conn, "SELECT name, type, wr FROM pragma_table_list WHERE schema = 'main'", [], |row| {
        Ok((text(row, 0)?, text(row, 1)?, row.get::<_, i64>(2)? != 0))
    })?;
    for (name, kind, without_rowid) in listed {
        // Names reserved by SQLite: sqlite_schema, sqlite_sequence, sqlite_stat1 and the like.
        if name.get(..7).is_some_and(|start| start.eq_ignore_ascii_case("sqlite_")) {
            continue;
        }
        match kind.as_str() {
            "view" => read.schema.others.push((name, OtherKind::View)),
            "virtual" => read.schema.others.push((name, OtherKind::Virtual)),
            "shadow" => read.schema.others.push((name, OtherKind::Shadow)),
            _ => {
                let (mut table, key) = self::table(conn, &name, without_rowid)?;
                table.counter = counters.get(&name).copied();
                if !key.is_empty() {
                    read.keys.insert(name.clone(), key);
                }
                read.schema.tables.insert(name, table);
            }
        }
    }
    read.schema.others.sort_by(|a, b| a.0.cmp(&b.0));
    Ok(read)
}

/// The mark of a generated column that is not stored, in `hidden` of SQLite's `table_xinfo`.
const VIRTUAL: i64 = 2;

/// Reads one table, and its key if it has no rowid.
fn table(conn: &Connection, name: &str, without_rowid: bool) -> SchemaResult<(SourceTable, Vec<KeyColumn>)> {
    let sql = "SELECT name, type, \"notnull\", pk, hidden FROM pragma_table_xinfo(?1) WHERE hidden <> 1 ORDER BY cid";
    let mut in_key = 0;
    let mut columns = all(conn, sql, [name], |row| {
        let pk: i64 = row.get(3)?;
        in_key += i64::from(pk > 0);
        Ok(SourceColumn {
            name: text(row, 0)?,
            declared: text(row, 1)?,
            not_null: row.get::<_, i64>(2)? != 0,
            is_rowid: pk > 0,
            refers: None,
            is_virtual: row.get::<_, i64>(4)? == VIRTUAL,
        })
    })?;
    let indexes = all(
        conn,
        "SELECT name, origin, partial FROM pragma_index_list(?1) WHERE \"unique\" ORDER BY origin <> 'pk', seq DESC",
        [name],
        |row| Ok((text(row, 0)?, text(row, 1)?, row.get::<_, i64>(2)? != 0)),
    )?;
    // INTEGER PRIMARY KEY is the only primary key without an index of its own; INT and INTEGER ... DESC have one.
    let has_key_index = indexes.iter().any(|(_, origin, _)| origin == "pk");
    let mut unique = Vec::new();
    for column in &mut columns {
        column.is_rowid = column.is_rowid && in_key == 1 && !without_rowid && !has_key_index;
        if column.is_rowid {
            unique.push(SourceUnique { columns: vec![column.name.clone()], plain: true });
        }
    }
    let mut key = Vec::new();
    for (index, origin, partial) in indexes {
        let parts = index_columns(conn, name, &index)?;
        let plain = !partial && parts.iter().all(|part| part.as_ref().is_some_and(|p| p.collation == "BINARY"));
        let parts: Vec<KeyColumn> = parts.into_iter().flatten().collect();
        unique.push(SourceUnique { columns: parts.iter().map(|part| part.name.clone()).collect(), plain });
        if without_rowid && origin == "pk" {
            key = parts;
        }
    }
    for (column, parent) in parents(conn, name)? {
        let own = columns.iter_mut().find(|own| own.name.eq_ignore_ascii_case(&column));
        own.into_iter().for_each(|own| own.refers = Some(parent.clone()));
    }
    let address = address(&columns, &key);
    Ok((SourceTable { columns, address, counter: None, unique }, key))
}

/// Returns the foreign keys of one column: the column and the table to which it refers.
fn parents(conn: &Connection, table: &str) -> SchemaResult<Vec<(String, String)>> {
    let sql = "SELECT min(\"from\"), min(\"table\") FROM pragma_foreign_key_list(?1) GROUP BY id HAVING count(*) = 1";
    all(conn, sql, [table], |row| Ok((text(row, 0)?, text(row, 1)?)))
}

/// Returns the key columns of an index; `None` for an expression.
fn index_columns(conn: &Connection, table: &str, index: &str) -> SchemaResult<Vec<Option<KeyColumn>>> {
    let sql = "SELECT name, coll, \"desc\", cid FROM pragma_index_xinfo(?1) WHERE key ORDER BY seqno";
    all(conn, sql, [index], |row| {
        if row.get::<_, i64>(3)? < 0 {
            return Ok(None);
        }
        let (name, collation) = (text(row, 0)?, text(row, 1)?.to_ascii_uppercase());
        let (_, of_column, ..) = conn.column_metadata(Some("main"), table, name.as_str())?;
        let own = of_column.is_some_and(|own| own.to_bytes().eq_ignore_ascii_case(collation.as_bytes()));
        Ok(Some(KeyColumn { name, collation, own, descending: row.get::<_, i64>(2)? != 0 }))
    })
}

/// Returns how rows are addressed: by key, by the first name of the rowid that no column hides, or not at all.
fn address(columns: &[SourceColumn], key: &[KeyColumn]) -> Address {
    if !key.is_empty() {
        return Address::Key(key.iter().map(|part| part.name.clone()).collect());
    }
    let is_free = |name: &&str| !columns.iter().any(|column| column.name.eq_ignore_ascii_case(name));
    let alias = || columns.iter().find(|column| column.is_rowid).map(|column| column.name.clone());
    match ["rowid", "_rowid_", "oid"].iter().copied().find(is_free) {
        Some(name) => Address::Rowid(name.to_owned()),
        None => alias().map_or(Address::Ordinal, Address::Rowid),
    }
}

/// Returns the counters of AUTOINCREMENT tables. Any application can write to the table, so a counter that is not an
/// integer is ignored.
fn counters(conn: &Connection) -> SchemaResult<BTreeMap<String, i64>> {
    let there = all(conn, "SELECT 1 FROM sqlite_schema WHERE name = 'sqlite_sequence'", [], |_| Ok(()))?;
    if there.is_empty() {
        return Ok(BTreeMap::new());
    }
    let sql = "SELECT name, max(seq) FROM sqlite_sequence WHERE typeof(seq) = 'integer' AND typeof(name) = 'text' \
               GROUP BY name";
    Ok(all(conn, sql, [], |row| Ok((text(row, 0)?, row.get(1)?)))?.into_iter().collect())
}

/// Hashes the SQL of all objects. Independent of the pages they are on and of the tables of ANALYZE.
fn hash(conn: &Connection) -> SchemaResult<String> {
    let mut sum = Sha256::new();
    let sql = "SELECT type, name, tbl_name, sql FROM sqlite_schema WHERE name NOT LIKE 'sqlite\\_%' ESCAPE '\\' \
               ORDER BY type, name, tbl_name, sql";
    let mut statement = conn.prepare(sql)?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        for n in 0..4 {
            let part = row.get_ref(n)?.as_bytes_or_null().unwrap_or_default().unwrap_or_default();
            sum.update((part.len() as u64).to_be_bytes());
            sum.update(part);
        }
    }
    Ok(hex(&sum.finalize()))
}

/// Returns all rows of a small query.
fn all<T>(
    conn: &Connection,
    sql: &str,
    params: impl Params,
    mut read: impl FnMut(&Row<'_>) -> SchemaResult<T>,
) -> SchemaResult<Vec<T>> {
    let mut statement = conn.prepare(sql)?;
    let mut rows = statement.query(params)?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        found.push(read(row)?);
    }
    Ok(found)
}

/// Returns a name. A name that is not UTF-8 can appear neither in a mapping nor on the target.
fn text(row: &Row<'_>, n: usize) -> SchemaResult<String> {
    let bytes = row.get_ref(n)?.as_bytes_or_null().unwrap_or_default().unwrap_or_default();
    String::from_utf8(bytes.to_vec()).map_err(|_| {
        let name = quoted(&String::from_utf8_lossy(bytes));
        SchemaFailure::Name(
            SourceError::new(ErrorClass::Other, name, "the name cannot be migrated")
                .because("its bytes are not UTF-8")
                .advise("Rename it in the source."),
        )
    })
}
