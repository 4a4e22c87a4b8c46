//! The rights that the connected role lacks, asked once for every command. The plan decides which of them matter.

use postgres::Row;

use super::error::ServerError;
use super::ledger::{LEDGER_COLUMNS, LedgerColumns};
use super::query::TypedQuery;
use super::row::RowValues;
use super::session::Session;
use crate::model::schema::{ColumnRight, Lack, Rights, Strangers};

const ASKING: &str = "asking for this role's rights";

/// The queries for the rights on one schema's tables and on the ledger.
pub(super) fn queries<'q>(schema: &'q &str, ledger_schema: &'q &str) -> [TypedQuery<'q>; 3] {
    [
        TypedQuery::new(ASKING, "SELECT pg_catalog.quote_ident(current_user)"),
        TypedQuery::new(ASKING, include_str!("sql/missing_rights.sql")).with(schema).with(ledger_schema),
        TypedQuery::new(ASKING, include_str!("sql/rights_by_column.sql")).with(schema),
    ]
}

/// The rights that the answers to these queries describe.
pub(super) fn of_rows([role, missing, by_column]: [Vec<Row>; 3]) -> Result<Rights, ServerError> {
    let mut rights =
        Rights { role: role.first().map(|row| row.value(0)).transpose()?.unwrap_or_default(), ..Rights::default() };
    for row in missing {
        let (part, right): (String, String) = (row.value(0)?, row.value(1)?);
        let (key, on): (String, String) = (row.value(2)?, row.value(3)?);
        match part.as_str() {
            "ledger" => rights.ledger.push(Lack { key, on, right }),
            "guarded" => rights.guarded.push(key),
            "stranger" => rights.strangers.push(Strangers { table: key, owner: on, triggers: right }),
            _ => rights.lacking.push(Lack { key, on, right }),
        }
    }
    for row in by_column {
        let column = ColumnRight { name: row.value(2)?, quoted: row.value(3)?, held: row.value(4)? };
        rights.by_column.entry((row.value(0)?, row.value(1)?)).or_default().push(column);
    }
    Ok(rights)
}

impl Session {
    /// Reads the rights that this role lacks on the tables of a schema and on the ledger, and looks for the tables of a
    /// ledger.
    ///
    /// # Errors
    /// If the server refuses or the connection is lost.
    pub fn rights_and_ledger(&mut self, schema: &str) -> Result<(Rights, LedgerColumns), ServerError> {
        let ledger = self.ledger.clone();
        let ledger = ledger.schema.as_str();
        let [role, missing, by_column] = queries(&schema, &ledger);
        let columns = TypedQuery::new(ASKING, LEDGER_COLUMNS).with(&ledger);
        let [columns, rights @ ..] = self.ask([columns, role, missing, by_column])?;
        Ok((of_rows(rights)?, LedgerColumns::of_rows(&columns)?))
    }
}
