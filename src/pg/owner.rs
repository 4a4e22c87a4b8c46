//! The owner's row: found by its natural key, or made in a transaction of its own that the ledger knows of.

use super::error::{Doing, ServerError};
use super::session::{Session, with_columns};
use crate::model::cell::Cell;
use crate::model::ident::quoted;
use crate::model::pgtype::ColumnType;
use crate::model::schema::ForeignKey;
use crate::wire::text::literal;

const FINDING: &str = "finding the owner";
const MAKING: &str = "making the owner";

/// What looking for the owner gave.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OwnerFound {
    /// Its key as text.
    One(String),
    /// It is not there.
    None,
    /// Several rows have this natural key.
    Several,
}

/// A column, its type and a value for it.
pub type Given<'a> = (&'a str, &'a ColumnType, Cell<'a>);

impl Session {
    /// Looks for the owner by its natural key.
    ///
    /// # Errors
    /// When the server refuses or the connection is lost.
    pub fn find_owner(
        &mut self,
        schema: &str,
        table: &str,
        key: &str,
        natural: &[Given<'_>],
    ) -> Result<OwnerFound, ServerError> {
        let terms: Vec<String> = natural
            .iter()
            .enumerate()
            .map(|(n, (name, kind, _))| {
                format!("{} IS NOT DISTINCT FROM ${}::text::{}", quoted(name), n + 1, kind.name)
            })
            .collect();
        let sql = format!(
            "SELECT {}::text FROM {}.{} WHERE {} LIMIT 2",
            quoted(key),
            quoted(schema),
            quoted(table),
            terms.join(" AND ")
        );
        let values: Vec<Option<String>> = natural.iter().map(|(_, _, cell)| text(cell)).collect();
        let params: Vec<&(dyn postgres::types::ToSql + Sync)> = values.iter().map(|v| v as _).collect();
        let rows = self.client.query(&sql, &params).doing(FINDING)?;
        match rows.as_slice() {
            [] => Ok(OwnerFound::None),
            [row] => match row.get::<_, Option<String>>(0) {
                Some(key) => Ok(OwnerFound::One(key)),
                None => Err(ServerError::new(FINDING, format!("its row in {table} has no {key}"))),
            },
            _ => Ok(OwnerFound::Several),
        }
    }

    /// Makes the owner's row and notes it in the ledger, in one transaction. Gives its key.
    ///
    /// # Errors
    /// When the server refuses or the connection is lost.
    pub fn make_owner(
        &mut self,
        run: i64,
        schema: &str,
        table: &str,
        key: &str,
        values: &[Given<'_>],
    ) -> Result<String, ServerError> {
        let names: Vec<String> = values.iter().map(|(name, _, _)| (*name).to_owned()).collect();
        let terms: Vec<String> =
            values.iter().enumerate().map(|(n, (_, kind, _))| format!("${}::text::{}", n + 1, kind.name)).collect();
        let sql = format!(
            "INSERT INTO {} VALUES ({}) RETURNING {}::text",
            with_columns(schema, table, &names),
            terms.join(", "),
            quoted(key)
        );
        let values: Vec<Option<String>> = values.iter().map(|(_, _, cell)| text(cell)).collect();
        let params: Vec<&(dyn postgres::types::ToSql + Sync)> = values.iter().map(|v| v as _).collect();
        let mut tx = self.client.transaction().doing(MAKING)?;
        let made: String = tx.query_one(&sql, &params).doing(MAKING)?.get(0);
        let object = format!("{schema}.{table}");
        tx.execute(
            &*self.ledger.sql("INSERT INTO :ledger.made (run, kind, object, became) VALUES ($1, 'owner', $2, $3)"),
            &[&run, &object, &made],
        )
        .doing(MAKING)?;
        tx.commit().doing(MAKING)?;
        Ok(made)
    }

    /// The columns of a row, found by its key, that do not hold these values; all of them where the row is not there.
    ///
    /// # Errors
    /// When the server refuses or the connection is lost.
    pub fn owner_columns_changed(
        &mut self,
        schema: &str,
        table: &str,
        (column, kind, key): (&str, &ColumnType, &str),
        values: &[Given<'_>],
    ) -> Result<Vec<String>, ServerError> {
        let terms: Vec<String> = values
            .iter()
            .enumerate()
            .map(|(n, (name, kind, _))| {
                // As text, for types that have no equality.
                format!("{}::text IS NOT DISTINCT FROM (${}::text::{})::text", quoted(name), n + 2, kind.name)
            })
            .collect();
        let sql = format!(
            "SELECT ARRAY[{}]::bool[] FROM {}.{} WHERE {} = $1::text::{}",
            terms.join(", "),
            quoted(schema),
            quoted(table),
            quoted(column),
            kind.name
        );
        let texts: Vec<Option<String>> = values.iter().map(|(_, _, cell)| text(cell)).collect();
        let mut params: Vec<&(dyn postgres::types::ToSql + Sync)> = vec![&key];
        params.extend(texts.iter().map(|v| v as &(dyn postgres::types::ToSql + Sync)));
        let row = self.client.query_opt(&sql, &params).doing("reading the owner's row")?;
        let same: Vec<bool> = row.map(|row| row.get(0)).unwrap_or_default();
        let wrong = values.iter().enumerate().filter(|(n, _)| !same.get(*n).copied().unwrap_or(false));
        Ok(wrong.map(|(_, (name, _, _))| (*name).to_owned()).collect())
    }

    /// How many rows of a table (quoted, with its schema) refer by this foreign key to a row that is not there.
    ///
    /// # Errors
    /// When the server refuses or the connection is lost.
    pub fn orphans(&mut self, table: &str, key: &ForeignKey) -> Result<u64, ServerError> {
        let pairs = || key.columns.iter().zip(&key.parent_columns);
        let there: Vec<String> = pairs().map(|(c, _)| format!("c.{} IS NOT NULL", quoted(c))).collect();
        let equal: Vec<String> = pairs().map(|(c, p)| format!("p.{} = c.{}", quoted(p), quoted(c))).collect();
        let sql = format!(
            "SELECT count(*) FROM {table} AS c WHERE {} AND NOT EXISTS (SELECT FROM {}.{} AS p WHERE {})",
            there.join(" AND "),
            quoted(&key.parent_schema),
            quoted(&key.parent),
            equal.join(" AND ")
        );
        Ok(self.client.query_one(&sql, &[]).doing("looking for orphans")?.get::<_, i64>(0).unsigned_abs())
    }
}

fn text(cell: &Cell<'_>) -> Option<String> {
    (!matches!(cell, Cell::Null)).then(|| literal(cell))
}
