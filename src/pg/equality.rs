//! Equality of the columns of a table as SQL that names its operator with its schema.
//!
//! A bare `=` takes the best match of all schemas in the search path, and any role that may create in one of them can offer
//! a better match than the server's own.

use std::collections::HashMap;

use postgres::Row;

use super::client::Client;
use super::error::{Doing, ServerError};
use super::query::TypedQuery;
use super::row::RowValues;

const READING: &str = "reading the target's catalogue";

/// The equality of the columns of one table: that of `pg_catalog` for most types, and the operator of the default operator
/// class for the types of an extension.
#[derive(Clone, Debug, Default)]
pub(super) struct Equality(HashMap<String, ExtensionOperator>);

/// An operator outside `pg_catalog`.
#[derive(Clone, Debug)]
struct ExtensionOperator {
    /// The operator as SQL: `OPERATOR(schema.=)`.
    operator: String,
    /// The type of both its operands. With this type on both sides no other operator of its schema matches better.
    operand: String,
}

impl Equality {
    /// The query for the operators of one table, or of all tables of a schema: `$2` is NULL then. The search path must be the
    /// tool's own.
    pub const SQL: &str = include_str!("sql/equality_operators.sql");

    /// Reads the operators for one table. The search path must be the tool's own.
    ///
    /// # Errors
    /// If the server refuses or the connection is lost.
    pub fn read(client: &mut Client, schema: &str, table: &str) -> Result<Equality, ServerError> {
        let rows = client.query(Equality::SQL, &[&schema, &Some(table)]).doing(READING)?;
        Ok(Equality::of_rows(&rows)?.remove(table).unwrap_or_default())
    }

    /// The query for the operators of all tables of a schema.
    pub fn query<'q>(schema: &'q &str) -> TypedQuery<'q> {
        TypedQuery::new(READING, Equality::SQL).with(schema).with(&None::<&str>)
    }

    /// The equality of each table that the answer to [`Equality::query`] names. All other tables have that of `pg_catalog`.
    ///
    /// # Errors
    /// If the answer has another form.
    pub fn of_rows(rows: &[Row]) -> Result<HashMap<String, Equality>, ServerError> {
        let mut found: HashMap<String, Equality> = HashMap::new();
        for row in rows {
            let operator = ExtensionOperator { operator: row.value("operator")?, operand: row.value("type_name")? };
            found.entry(row.value("table_name")?).or_default().0.insert(row.value("column_name")?, operator);
        }
        Ok(found)
    }

    /// Returns the SQL condition that two expressions are equal as values of this column.
    pub fn of(&self, column: &str, left: &str, right: &str) -> String {
        match self.0.get(column) {
            None => format!("{left} OPERATOR(pg_catalog.=) {right}"),
            Some(ExtensionOperator { operator, operand }) => {
                format!("{left}::{operand} {operator} {right}::{operand}")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equality_names_its_operator_and_the_operand_type_of_an_extension() {
        let citext = ExtensionOperator { operator: "OPERATOR(ext.=)".to_owned(), operand: "ext.citext".to_owned() };
        let equality = Equality(HashMap::from([("name".to_owned(), citext)]));
        assert_eq!(equality.of("id", "a.id", "b.id"), "a.id OPERATOR(pg_catalog.=) b.id");
        assert_eq!(equality.of("name", "a.n", "b.n"), "a.n::ext.citext OPERATOR(ext.=) b.n::ext.citext");
    }
}
