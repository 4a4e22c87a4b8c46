//! Rows that a run removed from the target, restored from the ledger.

use super::transaction::OpenRollback;
use crate::model::ident::{literal, quoted, quoted_list};
use crate::pg::equality::Equality;
use crate::pg::error::{Doing, ServerError};
use crate::pg::existing::{StoredColumn, TargetName, stored_columns};
use crate::pg::row::RowValues;
use crate::plan::SkippedRows;

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

    /// Writes the previous values over rows of a table that the run wrote over and that are as it left them, and removes them
    /// from the ledger. Returns their number.
    ///
    /// # Errors
    /// If one of these rows changed since, the server refuses, or the connection is lost.
    pub fn restore_written_over(&mut self, of: TargetName<'_>, rows: &SkippedRows) -> Result<u64, ServerError> {
        let columns = stored_columns(&mut self.tx, of)?;
        let equality = Equality::read(&mut self.tx, of.schema, of.table)?;
        let value = |side: &str, column: &StoredColumn| {
            format!("(k.{side} OPERATOR(pg_catalog.->>) {})::{}", literal(&column.name), column.type_name)
        };
        let set = columns.iter().filter(|column| rows.columns().any(|name| *name == column.name));
        let set: Vec<String> = set.map(|c| format!("{} = {}", quoted(&c.name), value("was", c))).collect();
        let key = columns.iter().filter(|column| rows.key.contains(&column.name));
        let same = |c: &StoredColumn| equality.of(&c.name, &format!("t.{}", quoted(&c.name)), &value("became", c));
        let key: Vec<String> = key.map(same).collect();
        let now: Vec<String> = columns.iter().map(|column| format!("t.{}", quoted(&column.name))).collect();
        let then: Vec<String> = columns.iter().map(|column| value("became", column)).collect();
        let sql = self.ledger.sql(&format!(
            "UPDATE {} AS t SET {} FROM :ledger.kept AS k WHERE k.run OPERATOR(pg_catalog.=) $1 \
             AND k.table_name OPERATOR(pg_catalog.=) $2 AND k.became IS NOT NULL AND {} \
             AND pg_catalog.record_image_eq(ROW({}), ROW({}))",
            of.sql(),
            set.join(", "),
            key.join(" AND "),
            now.join(", "),
            then.join(", ")
        ));
        let run = self.run;
        let restored = self
            .application_path
            .enter_for(&mut self.tx, |tx| tx.execute(&sql, &[&run, &of.table]).doing(RESTORING))?;
        let sql: &str =
            &self.ledger.sql("DELETE FROM :ledger.kept WHERE run = $1 AND table_name = $2 AND became IS NOT NULL");
        let kept = self.tx.execute(sql, &[&self.run, &of.table]).doing(RESTORING)?;
        if kept != restored {
            let message = format!(
                "{} of {kept} rows of {} that the run wrote over were changed or deleted since",
                kept.saturating_sub(restored),
                of.table
            );
            return Err(ServerError::new(RESTORING, message));
        }
        Ok(restored)
    }

    /// Counts the rows of a table that the run wrote over.
    ///
    /// # Errors
    /// If the server refuses or the connection is lost.
    pub fn count_written_over(&mut self, table: &str) -> Result<u64, ServerError> {
        let sql: &str = &self.ledger.sql(
            "SELECT pg_catalog.count(*) FROM :ledger.kept WHERE run = $1 AND table_name = $2 AND became IS NOT NULL",
        );
        Ok(self.tx.query_one(sql, &[&self.run, &table]).doing(RESTORING)?.value::<i64>(0)?.unsigned_abs())
    }
}
