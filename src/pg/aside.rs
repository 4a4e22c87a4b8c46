//! The faults that a run has set aside, as the ledger keeps them: handed out some at a time, however many there are.

use super::error::{Doing, ServerError};
use super::session::Session;
use crate::model::quarantine::QuarantinedRow;

const READING: &str = "reading the ledger";

/// Faults that are handed out at once, some 600 bytes each.
const SOME: i32 = 10_000;

impl Session {
    /// Hands the faults of a load to `some`, in the order of their batches, some of them at a time.
    ///
    /// # Errors
    /// When the server refuses, the connection is lost, or a fault there is none of this tool's; and what `some` says.
    pub fn faults<E: From<ServerError>>(
        &mut self,
        run: i64,
        load: &str,
        some: &mut dyn FnMut(Vec<QuarantinedRow>) -> Result<(), E>,
    ) -> Result<(), E> {
        let sql: &str = &self
            .ledger
            .sql("SELECT fault::text FROM :ledger.fault WHERE run = $1 AND load = $2 ORDER BY part, batch, ctid");
        let mut tx = self.client.build_transaction().read_only(true).start().doing(READING)?;
        let portal = tx.bind(sql, &[&run, &load]).doing(READING)?;
        loop {
            let rows = tx.query_portal(&portal, SOME).doing(READING)?;
            if rows.is_empty() {
                drop(portal);
                return Ok(tx.rollback().doing(READING)?);
            }
            let read = |text: &str| {
                serde_json::from_str(text).map_err(|e| ServerError::new(READING, format!("fault.fault: {e}")))
            };
            some(rows.iter().map(|row| read(row.get(0))).collect::<Result<_, _>>()?)?;
        }
    }
}
