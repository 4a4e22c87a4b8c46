//! What the connected role may not do: asked once, for everything that any command could want.
//!
//! What of it matters is for the plan to say.

use postgres::Client;

use super::error::{Doing, ServerError};
use super::session::Session;
use crate::model::schema::{ColumnRight, Lack, Rights, Strangers};

const ASKING: &str = "asking for this role's rights";

/// Rights that can be granted on columns and that a run needs on tables.
const BY_COLUMN: [&str; 2] = ["SELECT", "INSERT"];

/// Asks for the rights on one schema's tables, and on the ledger.
pub(super) fn read(client: &mut Client, schema: &str, ledger_schema: &str) -> Result<Rights, ServerError> {
    let row = client.query_one("SELECT pg_catalog.quote_ident(current_user)", &[]).doing(ASKING)?;
    let mut rights = Rights { role: row.get(0), ..Rights::default() };
    for row in client.query(include_str!("sql/rights.sql"), &[&schema, &ledger_schema]).doing(ASKING)? {
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

/// Asks which columns a right is held on where it is lacking on the table.
fn by_column(client: &mut Client, rights: &mut Rights) -> Result<(), ServerError> {
    let given = |lack: &&Lack| lack.key.starts_with("TABLE ") && BY_COLUMN.contains(&lack.right.as_str());
    let lacking: Vec<&Lack> = rights.lacking.iter().filter(given).collect();
    if lacking.is_empty() {
        return Ok(());
    }
    let keys: Vec<&str> = lacking.iter().map(|lack| lack.key.as_str()).collect();
    let names: Vec<&str> = lacking.iter().map(|lack| lack.right.as_str()).collect();
    for row in client.query(include_str!("sql/column_rights.sql"), &[&keys, &names]).doing(ASKING)? {
        let column = ColumnRight { name: row.get(2), quoted: row.get(3), held: row.get(4) };
        rights.by_column.entry((row.get(0), row.get(1))).or_default().push(column);
    }
    Ok(())
}

impl Session {
    /// What this role may not do on the tables of a schema and on the ledger.
    ///
    /// # Errors
    /// When the server refuses or the connection is lost.
    pub fn rights(&mut self, schema: &str) -> Result<Rights, ServerError> {
        read(&mut self.client, schema, &self.ledger.schema)
    }
}
