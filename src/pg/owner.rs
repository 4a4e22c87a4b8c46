//! The owner's row: found by its natural key, or inserted in a transaction that the ledger records; and the rows that
//! belong to each owner.

use postgres::Row;

use super::client::Pipeline;
use super::equality::Equality;
use super::error::{Doing, ServerError};
use super::query::TypedQuery;
use super::row::RowValues;
use super::sequence::{states_of, states_query};
use super::session::{MINE, Session};
use super::sqlstate;
use crate::model::cell::Cell;
use crate::model::ident::{self, qualified, quoted, quoted_list};
use crate::model::ledger::Run;
use crate::model::pgtype::ColumnType;
use crate::plan::sequences::{PlannedSequence, SequenceState};
use crate::plan::{OwnerPath, OwnerPlan};
use crate::wire::text::literal;

const FINDING: &str = "finding the owner";
const CREATING: &str = "creating the owner";

/// The outcome of looking for the owner.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OwnerFound {
    /// Its key as text.
    One(String),
    /// No row has this natural key.
    None,
    /// Several rows have this natural key.
    Several,
}

/// A column and a value for it.
pub struct ColumnValue<'a> {
    /// The column's name.
    pub name: &'a str,
    /// The column's type.
    pub kind: &'a ColumnType,
    /// The value.
    pub cell: Cell<'a>,
}

/// The key of the owner's row.
pub struct OwnerKey<'a> {
    /// The key column.
    pub column: &'a str,
    /// Its type.
    pub kind: &'a ColumnType,
    /// The key as text.
    pub value: &'a str,
}

/// A query for the owner by its natural key.
pub struct OwnerQuery {
    sql: String,
    values: Vec<Option<String>>,
    key: String,
    table: String,
}

/// A query that compares the columns of the owner's row.
pub struct OwnerRowQuery {
    sql: String,
    values: Vec<Option<String>>,
    columns: Vec<String>,
}

/// The rows of the owner's table, and how many rows of other tables belong to each.
#[derive(Clone, Debug, Default)]
pub struct OwnedRows {
    /// Key and display name of each owner.
    pub names: Vec<(String, String)>,
    /// For each table, the number of its rows by their owner's key.
    pub counts: Vec<Vec<(Option<String>, u64)>>,
}

impl Session {
    /// The query for the owner by its natural key.
    ///
    /// # Errors
    /// If the server refuses or the connection is lost.
    pub fn owner_query(
        &mut self,
        schema: &str,
        table: &str,
        key: &str,
        natural: &[ColumnValue<'_>],
    ) -> Result<OwnerQuery, ServerError> {
        let equality = self.equality(schema, table)?;
        let same = |(n, c): (usize, &ColumnValue<'_>)| {
            let (column, value) = (quoted(c.name), format!("${}::pg_catalog.text", n + 1));
            let equal = equality.of(c.name, &column, &format!("({value}::{})", c.kind.name));
            format!("({equal} OR {column} IS NULL AND {value} IS NULL)")
        };
        let terms: Vec<String> = natural.iter().enumerate().map(same).collect();
        let sql = format!(
            "SELECT {}::pg_catalog.text FROM {} WHERE {} LIMIT 2",
            quoted(key),
            qualified(schema, table),
            terms.join(" AND ")
        );
        Ok(OwnerQuery { sql, values: texts(natural), key: key.to_owned(), table: table.to_owned() })
    }

    /// Looks for the owner, and reads the state of sequences in the same round trip.
    ///
    /// # Errors
    /// If the server refuses or the connection is lost.
    pub fn find_owner(
        &mut self,
        owner: &OwnerQuery,
        schema: &str,
        planned: &[PlannedSequence],
    ) -> Result<(OwnerFound, Vec<SequenceState>), ServerError> {
        let queries = std::iter::once(owner.query()).chain(states_query(schema, planned));
        let answers = self.ask_all(queries)?;
        let (found, states) = answers.split_at(1);
        Ok((owner.found(&found.concat())?, states_of(&states.concat(), planned)?))
    }

    /// Inserts the owner's row and writes it into the ledger, in one transaction. Returns its key. `None` if another process
    /// resumed the run.
    ///
    /// # Errors
    /// If the server refuses or the connection is lost.
    pub fn create_owner(
        &mut self,
        run: &Run,
        schema: &str,
        table: &str,
        key: &str,
        columns: &[ColumnValue<'_>],
    ) -> Result<Option<String>, ServerError> {
        let sql = insertion(schema, table, key, columns);
        let begin = format!("START TRANSACTION; {}", self.application_path.set(true));
        let mut tx = self.client.begun_transaction();
        let inserted = Pipeline::new().script(begin).query(sql, &[]).rows(&mut tx).doing(CREATING)?.concat();
        let made: String = match inserted.as_slice() {
            [row] => row.value(0)?,
            _ => return Err(ServerError::new(CREATING, format!("the server inserted {} rows", inserted.len()))),
        };
        let object = format!("{schema}.{table}");
        // The division makes the COMMIT roll back if the run was taken over. It runs under the application's search path.
        let note = self.ledger.sql(&format!(
            "WITH {MINE}, noted AS (INSERT INTO :ledger.made (run, kind, object, became) \
             SELECT run, 'owner', $3, $4 FROM mine RETURNING run) \
             SELECT 1 OPERATOR(pg_catalog./) (EXISTS (SELECT FROM noted))::pg_catalog.int4"
        ));
        let steps = Pipeline::new().query(note, &[&run.id, &run.epoch, &object, &made]).script("COMMIT");
        match steps.rows(&mut tx).doing(CREATING) {
            Err(e) if e.state.as_deref() == Some(sqlstate::DIVISION_BY_ZERO) => return Ok(None),
            noted => noted?,
        };
        tx.ended();
        Ok(Some(made))
    }

    /// The query for the columns of the owner's row that do not hold these values.
    ///
    /// # Errors
    /// If the server refuses or the connection is lost.
    pub fn owner_row_query(
        &mut self,
        schema: &str,
        table: &str,
        key: &OwnerKey<'_>,
        columns: &[ColumnValue<'_>],
    ) -> Result<OwnerRowQuery, ServerError> {
        let terms: Vec<String> = columns
            .iter()
            .enumerate()
            .map(|(n, c)| {
                // As text, for types that have no equality.
                let (column, value) = (quoted(c.name), format!("(${}::pg_catalog.text::{})", n + 2, c.kind.name));
                format!(
                    "CASE WHEN {column} IS NULL THEN {value} IS NULL \
                     ELSE {column}::pg_catalog.text OPERATOR(pg_catalog.=) {value}::pg_catalog.text END"
                )
            })
            .collect();
        let value = format!("($1::pg_catalog.text::{})", key.kind.name);
        let sql = format!(
            "SELECT ARRAY[{}]::pg_catalog.bool[] FROM {} WHERE {}",
            terms.join(", "),
            qualified(schema, table),
            self.equality(schema, table)?.of(key.column, &quoted(key.column), &value)
        );
        let values = std::iter::once(Some(key.value.to_owned())).chain(texts(columns)).collect();
        Ok(OwnerRowQuery { sql, values, columns: columns.iter().map(|c| c.name.to_owned()).collect() })
    }

    /// The queries for key and display name of every row of the owner's table, and for the number of rows of other tables by
    /// their owner's key. The second one is missing without paths.
    pub(super) fn owned_queries<'q>(
        &mut self,
        schema: &str,
        owner: &OwnerPlan,
        paths: &[(&str, &OwnerPath)],
    ) -> Result<Vec<TypedQuery<'q>>, ServerError> {
        let names = format!(
            "SELECT {key}::pg_catalog.text, coalesce({show}::pg_catalog.text, {key}::pg_catalog.text) FROM {} \
             WHERE {key} IS NOT NULL ORDER BY {key}",
            qualified(schema, &owner.table),
            key = quoted(&owner.key),
            show = quoted(&owner.show)
        );
        let mut counts = Vec::new();
        for (n, (table, path)) in paths.iter().enumerate() {
            let parents = path.hops.iter().map(|hop| self.equality(schema, &hop.parent));
            let parents = parents.collect::<Result<Vec<_>, _>>()?;
            let Joined { tables, owner } = joined(schema, table, path, &parents);
            counts.push(format!("SELECT {n}, {owner}::pg_catalog.text, pg_catalog.count(*) FROM {tables} GROUP BY 2"));
        }
        let mut queries = vec![TypedQuery::new("reading the owners", names).of_tables()];
        if !counts.is_empty() {
            let sql = format!("{} ORDER BY 1, 2", counts.join(" UNION ALL "));
            queries.push(TypedQuery::new("counting rows by owner", sql).of_tables());
        }
        Ok(queries)
    }
}

impl OwnerQuery {
    pub(super) fn query(&self) -> TypedQuery<'_> {
        let query = TypedQuery::new(FINDING, self.sql.as_str()).of_tables();
        self.values.iter().fold(query, |query, value| query.with(value))
    }

    /// The owner that the answer to the query describes.
    pub(super) fn found(&self, rows: &[Row]) -> Result<OwnerFound, ServerError> {
        match rows {
            [] => Ok(OwnerFound::None),
            [row] => match row.value::<Option<String>>(0)? {
                Some(key) => Ok(OwnerFound::One(key)),
                None => Err(ServerError::new(FINDING, format!("its row in {} has no {}", self.table, self.key))),
            },
            _ => Ok(OwnerFound::Several),
        }
    }
}

impl OwnerRowQuery {
    pub(super) fn query(&self) -> TypedQuery<'_> {
        let query = TypedQuery::new("reading the owner's row", self.sql.as_str()).of_tables();
        self.values.iter().fold(query, |query, value| query.with(value))
    }

    /// The columns that hold another value, by the answer to the query; all of them if the row is missing.
    pub(super) fn changed(&self, rows: &[Row]) -> Result<Vec<String>, ServerError> {
        let same: Vec<bool> = rows.first().map(|row| row.value(0)).transpose()?.unwrap_or_default();
        let wrong = self.columns.iter().enumerate().filter(|(n, _)| !same.get(*n).copied().unwrap_or(false));
        Ok(wrong.map(|(_, name)| name.clone()).collect())
    }
}

impl OwnedRows {
    /// The owners and counts that the answers to these queries describe. `paths`: the number of paths.
    pub(super) fn of_rows(names: &[Row], counts: &[Row], paths: usize) -> Result<OwnedRows, ServerError> {
        let names = names.iter().map(|row| Ok((row.value(0)?, row.value(1)?))).collect::<Result<_, ServerError>>()?;
        let mut found = OwnedRows { names, counts: vec![Vec::new(); paths] };
        for row in counts {
            let place = usize::try_from(row.value::<i32>(0)?).ok();
            if let Some(counts) = place.and_then(|place| found.counts.get_mut(place)) {
                counts.push((row.value(1)?, row.value::<i64>(2)?.unsigned_abs()));
            }
        }
        Ok(found)
    }
}

/// The statement that inserts the owner's row and returns its key as text.
pub(super) fn insertion(schema: &str, table: &str, key: &str, columns: &[ColumnValue<'_>]) -> String {
    // A literal without a type becomes a value of its column, so that the statement names no type.
    let values: Vec<String> = texts(columns)
        .iter()
        .map(|value| value.as_ref().map_or_else(|| "NULL".to_owned(), |text| ident::literal(text)))
        .collect();
    format!(
        "INSERT INTO {} ({}) VALUES ({}) RETURNING {}::pg_catalog.text",
        qualified(schema, table),
        quoted_list(columns.iter().map(|c| c.name)),
        values.join(", "),
        quoted(key)
    )
}

/// The values as PostgreSQL literals; `None` for NULL.
fn texts(columns: &[ColumnValue<'_>]) -> Vec<Option<String>> {
    columns.iter().map(|c| (!matches!(c.cell, Cell::Null)).then(|| literal(&c.cell))).collect()
}

/// A table joined with its parents, as SQL.
struct Joined {
    tables: String,
    /// The owner's key.
    owner: String,
}

/// `parents`: the equality of each parent on the path.
fn joined(schema: &str, table: &str, path: &OwnerPath, parents: &[Equality]) -> Joined {
    let mut tables = format!("{} AS t0", qualified(schema, table));
    for (n, (hop, equality)) in path.hops.iter().zip(parents).enumerate() {
        let (key, column) =
            (format!("t{}.{}", n + 1, quoted(&hop.parent_column)), format!("t{n}.{}", quoted(&hop.column)));
        let equal = equality.of(&hop.parent_column, &key, &column);
        tables.push_str(&format!(" LEFT JOIN {} AS t{} ON {equal}", qualified(schema, &hop.parent), n + 1));
    }
    Joined { tables, owner: format!("t{}.{}", path.hops.len(), quoted(&path.column)) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::Hop;

    #[test]
    fn the_path_to_the_owner_joins_every_parent() {
        let hop = |column: &str, parent: &str| Hop {
            column: column.to_owned(),
            parent: parent.to_owned(),
            parent_column: "id".to_owned(),
        };
        let hops = vec![hop("session_id", "sync_sessions"), hop("project_id", "projects")];
        let path = OwnerPath { hops, column: "company_id".to_owned(), stamped: true };
        let Joined { tables, owner } =
            joined("public", "file_uploads", &path, &[Equality::default(), Equality::default()]);
        assert_eq!(
            tables,
            "\"public\".\"file_uploads\" AS t0 LEFT JOIN \"public\".\"sync_sessions\" AS t1 ON t1.\"id\" OPERATOR(pg_catalog.=) t0.\"session_id\" \
             LEFT JOIN \"public\".\"projects\" AS t2 ON t2.\"id\" OPERATOR(pg_catalog.=) t1.\"project_id\""
        );
        assert_eq!(owner, "t2.\"company_id\"");
    }
}
