//! Citus: its presence, and the placement of the tables that it lists.

use std::collections::BTreeMap;

use postgres::Row;

use super::error::{Doing, ServerError};
use super::row::RowValues;
use super::session::Session;
use crate::model::placement::Placement;
use crate::model::schema::{DetachKind, Detachable};

/// The query for the placement of the tables of schema `$1`.
pub(super) const DISTRIBUTED_TABLES: &str = include_str!("sql/distributed_tables.sql");

/// Makes Citus use one connection a node until the transaction ends. It refuses DDL after it read a table in parallel in the same
/// transaction.
const SEQUENTIAL: &str = "SET LOCAL citus.multi_shard_modify_mode = 'sequential'";

impl Session {
    /// Returns the tables of a schema that are not local, with their placement. Empty on a server without Citus.
    ///
    /// # Errors
    /// If the server refuses or the connection is lost.
    pub fn distributed_tables(&mut self, schema: &str) -> Result<BTreeMap<String, Placement>, ServerError> {
        if !self.has_citus {
            return Ok(BTreeMap::new());
        }
        let rows = self.client.query(DISTRIBUTED_TABLES, &[&schema]).doing("reading the placement of tables")?;
        placements(&rows)
    }
}

/// The statement that a transaction with DDL on distributed tables begins with. `None` without Citus.
pub(super) fn sequential(has_citus: bool) -> Option<&'static str> {
    has_citus.then_some(SEQUENTIAL)
}

/// The placement of each table that is not local, by the rows of [`DISTRIBUTED_TABLES`].
pub(super) fn placements(rows: &[Row]) -> Result<BTreeMap<String, Placement>, ServerError> {
    let mut found = BTreeMap::new();
    for row in rows {
        let (method, replication): (String, String) = (row.value("method")?, row.value("replication")?);
        let placement = Placement::of(&method, &replication, row.value("colocation")?, row.value("column_name")?);
        if !placement.is_local() {
            found.insert(row.value("table_name")?, placement);
        }
    }
    Ok(found)
}

/// Keeps the user triggers of tables that are not local attached, because Citus disables none of them.
pub(super) fn keep_triggers(detachable: &mut [Detachable], placements: &BTreeMap<String, Placement>) {
    let is_kept =
        |object: &&mut Detachable| object.kind == DetachKind::Trigger && placements.contains_key(&object.table);
    for object in detachable.iter_mut().filter(is_kept) {
        object.kept_because = Some("Citus disables no trigger of a distributed or a reference table".to_owned());
    }
}
