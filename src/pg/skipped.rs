//! Skipped rows of a batch, compared with the rows of the target that have their keys. The rows are in the staging table.

use super::batch::{BatchId, OpenBatch};
use super::copy::{Destination, place_column};
use super::error::{Doing, ServerError};
use super::existing::{StoredColumn, TargetName, printed, stored_columns};
use super::row::RowValues;
use crate::model::ident::{literal, qualified, quoted};
use crate::plan::SkippedRows;

const COMPARING: &str = "comparing rows with existing rows";
const WRITING_OVER: &str = "writing over existing rows";

/// A skipped row that differs from the row that is there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SkippedDifference {
    /// The position of the row in the batch, from 0.
    pub row: usize,
    /// The differing columns, as positions in [`SkippedRows::columns`].
    pub columns: Vec<usize>,
    /// True if the row that is there belongs to another owner.
    pub is_other_owner: bool,
}

impl OpenBatch<'_> {
    /// Returns the skipped rows that differ from the rows that are there.
    ///
    /// # Errors
    /// If the server refuses or the connection is lost.
    pub fn compare_skipped(
        &mut self,
        into: &Destination<'_>,
        rows: &SkippedRows,
        skipped: &[usize],
    ) -> Result<Vec<SkippedDifference>, ServerError> {
        let differs = |name: &String| {
            let name = quoted(name);
            format!("NOT pg_catalog.record_image_eq(ROW(p.{name}), ROW(t.{name}))")
        };
        let columns: Vec<String> = rows.columns().map(differs).collect();
        let owners = rows.owners.iter().map(|name| format!("t.{} IS NOT NULL AND {}", quoted(name), differs(name)));
        let owner = owners.map(|condition| format!("({condition})")).collect::<Vec<_>>().join(" OR ");
        let sql = format!(
            "SELECT p.{}, ARRAY[{}]::pg_catalog.bool[], {} FROM {} ORDER BY 1",
            place_column(into),
            columns.join(", "),
            if owner.is_empty() { "false" } else { &owner },
            self.pairs(into, rows)?
        );
        let places = places(skipped);
        let found = self.tx.query(&sql, &[&places]).doing(COMPARING)?;
        let difference = |row: &postgres::Row| {
            let (place, differing): (i64, Vec<bool>) = (row.value(0)?, row.value(1)?);
            Ok(SkippedDifference {
                row: usize::try_from(place - 1).unwrap_or(usize::MAX),
                columns: (0..differing.len()).filter(|n| differing[*n]).collect(),
                is_other_owner: row.value(2)?,
            })
        };
        let mut differences = found.iter().map(difference).collect::<Result<Vec<SkippedDifference>, ServerError>>()?;
        differences.retain(|found| found.is_other_owner || !found.columns.is_empty());
        Ok(differences)
    }

    /// Writes the values of skipped rows over the rows that are there. The ledger keeps the previous values.
    ///
    /// # Errors
    /// If the server refuses or the connection is lost.
    pub fn write_over(
        &mut self,
        into: &Destination<'_>,
        rows: &SkippedRows,
        id: &BatchId<'_>,
        differing: &[usize],
    ) -> Result<(), ServerError> {
        let of = TargetName { schema: into.schema, table: into.table };
        let stored = self.application_path.leave_for(&mut self.tx, |tx| stored_columns(tx, of))?;
        let pairs = self.pairs(into, rows)?;
        let names: Vec<String> = stored.iter().map(|column| literal(&column.name)).collect();
        let object = |value: &dyn Fn(&StoredColumn) -> String| {
            let values: Vec<String> = stored.iter().map(value).collect();
            let (names, values) = (names.join(", "), values.join(", "));
            format!("pg_catalog.json_object(ARRAY[{names}]::pg_catalog.text[], ARRAY[{values}]::pg_catalog.text[])")
        };
        let was = object(&|column| printed("t", &column.name));
        let is_written = |column: &StoredColumn| rows.columns().any(|name| *name == column.name);
        let became = object(&|column| printed(if is_written(column) { "p" } else { "t" }, &column.name));
        let places = places(differing);
        let keep = self.ledger.sql(&format!(
            "INSERT INTO :ledger.kept (run, table_name, was, became) SELECT $2, $3, {was}, {became} FROM {pairs}"
        ));
        let kept = self.tx.execute(&keep, &[&places, &id.run, &into.table]).doing(WRITING_OVER)?;
        let set = rows.columns().map(|name| format!("{name} = p.{name}", name = quoted(name)));
        let over = format!(
            "UPDATE {} AS t SET {} FROM pg_temp.migrate_piece AS p WHERE {}",
            qualified(into.schema, into.table),
            set.collect::<Vec<_>>().join(", "),
            self.is_pair(into, rows)?
        );
        let written = self.tx.execute(&over, &[&places]).doing(WRITING_OVER)?;
        if written != places.len() as u64 || kept != written {
            let message = format!("the server wrote over {written} of {} rows of {}", places.len(), into.table);
            return Err(ServerError::new(WRITING_OVER, message).swallowed());
        }
        Ok(())
    }

    /// The staged rows `p` at the places $1, each with the row `t` that has its key, as a FROM list.
    fn pairs(&mut self, into: &Destination<'_>, rows: &SkippedRows) -> Result<String, ServerError> {
        let table = qualified(into.schema, into.table);
        Ok(format!("pg_temp.migrate_piece AS p JOIN {table} AS t ON {}", self.is_pair(into, rows)?))
    }

    fn is_pair(&mut self, into: &Destination<'_>, rows: &SkippedRows) -> Result<String, ServerError> {
        let equality = self.equality(into)?;
        let equal = |k: &String| equality.of(k, &format!("t.{}", quoted(k)), &format!("p.{}", quoted(k)));
        let equal: Vec<String> = rows.key.iter().map(equal).collect();
        let place = place_column(into);
        Ok(format!("{} AND p.{place} OPERATOR(pg_catalog.=) ANY ($1::pg_catalog.int8[])", equal.join(" AND ")))
    }
}

/// The numbers that the staging table gives to rows, from 1.
fn places(rows: &[usize]) -> Vec<i64> {
    rows.iter().map(|row| *row as i64 + 1).collect()
}
