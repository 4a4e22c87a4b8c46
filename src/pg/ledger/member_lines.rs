//! Every member of a fleet, as the report with a line for each file shows it.

use postgres::Row;

use super::READING;
use super::members::{json, state};
use crate::model::fleet::{MemberRows, Omitted};
use crate::model::record::FileLine;
use crate::pg::error::{Doing, ServerError};
use crate::pg::row::RowValues;
use crate::pg::session::Session;

impl Session {
    /// Returns up to `most` members of a fleet in their order, each with its number, those after the member `after`.
    ///
    /// # Errors
    /// If the server refuses or the connection is lost.
    pub fn member_lines(&mut self, run: i64, after: i32, most: i64) -> Result<Vec<(i32, FileLine)>, ServerError> {
        let sql = self.ledger.sql(
            "SELECT member, path, state, owner::text, rows::text, proved, reason, worker, millis, \
             pg_catalog.to_jsonb(m) ->> 'omitted' FROM :ledger.member m WHERE run = $1 AND member > $2 ORDER BY member LIMIT $3",
        );
        let rows = self.client.query(&sql, &[&run, &after, &most]).doing(READING)?;
        rows.iter().map(|row| Ok((row.kept(0)?, line(row)?))).collect()
    }
}

fn line(row: &Row) -> Result<FileLine, ServerError> {
    let rows: Vec<MemberRows> = json("member.rows", row.kept::<Option<String>>(4)?.as_deref().unwrap_or("[]"))?;
    // A ledger of version 5 has no such column.
    let omitted: Omitted = json("member.omitted", row.kept::<Option<String>>(9)?.as_deref().unwrap_or("{}"))?;
    Ok(FileLine {
        path: row.kept(1)?,
        state: state(&row.kept::<String>(2)?)?.word().to_lowercase(),
        owner: json("member.owner", &row.kept::<String>(3)?)?,
        rows: rows.into_iter().map(|brought| (brought.table, brought.rows)).collect(),
        losses: omitted.values(),
        left: omitted.left_rows(),
        proved: row.kept(5)?,
        reason: row.kept::<Option<String>>(6)?.filter(|reason| !reason.is_empty()),
        worker: row.kept(7)?,
        seconds: row.kept::<i64>(8)? as f64 / 1_000.0,
    })
}
