//! Rows that a run removed from the target, restored from the ledger.

use super::transaction::OpenRollback;
use crate::model::ident::{literal, quoted_list};
use crate::pg::error::{Doing, ServerError};
use crate::pg::existing::{StoredColumn, TargetName, stored_columns};

const RESTORING: &str = "restoring removed rows";

impl OpenRollback<'_> {
    /// Inserts the rows of a table that the run removed, exactly as they were, and removes them from the ledger. No trigger
    /// runs. Returns their number.
    ///
    /// # Errors
    /// If a row collides with a row of another session, the server refuses, or the connection is lost.
    pub fn restore_kept(&mut self, of: TargetName<'_>) -> Result<u64, ServerError> {
        let columns = stored_columns(&mut self.tx, of)?;
        let names = quoted_list(columns.iter().map(|column| &column.name));
        let value = |column: &StoredColumn| {
            format!("(k.was OPERATOR(pg_catalog.->>) {})::{}", literal(&column.name), column.type_name)
        };
        let values: Vec<String> = columns.iter().map(value).collect();
        let sql = self.ledger.sql(&format!(
            "INSERT INTO {} ({names}) OVERRIDING SYSTEM VALUE SELECT {} FROM :ledger.kept AS k \
             WHERE k.run OPERATOR(pg_catalog.=) $1 AND k.table_name OPERATOR(pg_catalog.=) $2 AND k.became IS NULL",
            of.sql(),
            values.join(", ")
        ));
        let run = self.run;
        let restored = self
            .application_path
            .enter_for(&mut self.tx, |tx| tx.execute(&sql, &[&run, &of.table]).doing(RESTORING))?;
        let sql: &str =
            &self.ledger.sql("DELETE FROM :ledger.kept WHERE run = $1 AND table_name = $2 AND became IS NULL");
        let kept = self.tx.execute(sql, &[&self.run, &of.table]).doing(RESTORING)?;
        if kept != restored {
            let message = format!("the server inserted {restored} of {kept} rows of {}", of.table);
            return Err(ServerError::new(RESTORING, message));
        }
        self.forget_made("replaced", Some(&format!("{}.{}", of.schema, of.table)))?;
        Ok(restored)
    }
}
