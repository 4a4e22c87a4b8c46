//! What the connected role may not do: asked once, for everything that any command could want.
//!
//! What of it matters is for the plan to say.

use postgres::Client;

use super::error::{Doing, ServerError};
use super::session::Session;
use crate::model::schema::{Lack, Rights, Strangers};

const ASKING: &str = "asking for this role's rights";

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
    Ok(rights)
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
