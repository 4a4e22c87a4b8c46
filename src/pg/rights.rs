//! The rights that the connected role lacks, asked once for every command. The plan decides which of them matter.

use super::client::Client;
use super::error::{Doing, ServerError};
use super::session::Session;
use crate::model::schema::{ColumnRight, Lack, Rights, Strangers};

const ASKING: &str = "asking for this role's rights";

/// The rights that a run needs on tables and that can be granted on columns.
const BY_COLUMN: [&str; 2] = ["SELECT", "INSERT"];

/// Reads the rights on one schema's tables and on the ledger.
pub(super) fn read(client: &mut Client, schema: &str, ledger_schema: &str) -> Result<Rights, ServerError> {
    let row = client.query_one("SELECT pg_catalog.quote_ident(current_user)", &[]).doing(ASKING)?;
    let mut rights = Rights { role: row.get(0), ..Rights::default() };
    for row in client.query(include_str!("sql/missing_rights.sql"), &[&schema, &ledger_schema]).doing(ASKING)? {
        let (part, right): (String, String) = (row.get(0), row.get(1));
        let (key, on): (String, String) = (row.get(2), row.get(3));
        match part.as_str() {
            "ledger" => rights.ledger.push(Lack { key, on, right }),
            "guarded" => rights.guarded.push(key),
            "stranger" => rights.strangers.push(Strangers { table: key, owner: on, triggers: right }),
            _ => rights.lacking.push(Lack { key, on, right }),
        }
    }
    by_column(client, &mut rights)?;
    Ok(rights)
}

/// Reads the columns on which a right is held that is lacking on the table.
fn by_column(client: &mut Client, rights: &mut Rights) -> Result<(), ServerError> {
    let has_column_form = |lack: &&Lack| lack.key.starts_with("TABLE ") && BY_COLUMN.contains(&lack.right.as_str());
    let lacking: Vec<&Lack> = rights.lacking.iter().filter(has_column_form).collect();
    if lacking.is_empty() {
        return Ok(());
    }
    let keys: Vec<&str> = lacking.iter().map(|lack| lack.key.as_str()).collect();
    let names: Vec<&str> = lacking.iter().map(|lack| lack.right.as_str()).collect();
    for row in client.query(include_str!("sql/rights_by_column.sql"), &[&keys, &names]).doing(ASKING)? {
        let column = ColumnRight { name: row.get(2), quoted: row.get(3), held: row.get(4) };
        rights.by_column.entry((row.get(0), row.get(1))).or_default().push(column);
    }
    Ok(())
}

impl Session {
    /// Reads the rights that this role lacks on the tables of a schema and on the ledger.
    ///
    /// # Errors
    /// If the server refuses or the connection is lost.
    pub fn rights(&mut self, schema: &str) -> Result<Rights, ServerError> {
        read(&mut self.client, schema, &self.ledger.schema)
    }
}
