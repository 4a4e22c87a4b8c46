//! Owners as the target's own rows name them: how many rows belong to whom, and the condition that picks somebody's.

use super::error::{Doing, ServerError};
use super::session::Session;
use crate::model::ident::quoted;
use crate::plan::OwnerPath;

impl Session {
    /// Rows of a table by their owner's key, as text; without one where a column or a parent on the way is NULL.
    ///
    /// # Errors
    /// When the server refuses or the connection is lost.
    pub fn count_by_owner(
        &mut self,
        schema: &str,
        table: &str,
        path: &OwnerPath,
    ) -> Result<Vec<(Option<String>, u64)>, ServerError> {
        let (from, owner) = joined(schema, table, path);
        let sql = format!("SELECT {owner}::text, count(*) FROM {from} GROUP BY 1 ORDER BY 1");
        let rows = self.client.query(&sql, &[]).doing("counting rows by owner")?;
        Ok(rows.iter().map(|row| (row.get(0), row.get::<_, i64>(1).unsigned_abs())).collect())
    }
}

/// The table with its parents, and the owner's key in it.
fn joined(schema: &str, table: &str, path: &OwnerPath) -> (String, String) {
    let schema = quoted(schema);
    let mut from = format!("{schema}.{} AS t0", quoted(table));
    for (n, hop) in path.hops.iter().enumerate() {
        let (parent, key, column) = (quoted(&hop.parent), quoted(&hop.parent_column), quoted(&hop.column));
        from.push_str(&format!(" LEFT JOIN {schema}.{parent} AS t{} ON t{}.{key} = t{n}.{column}", n + 1, n + 1));
    }
    (from, format!("t{}.{}", path.hops.len(), quoted(&path.column)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::Hop;

    #[test]
    fn the_way_to_the_owner_goes_through_every_parent() {
        let hop = |column: &str, parent: &str| Hop {
            column: column.to_owned(),
            parent: parent.to_owned(),
            parent_column: "id".to_owned(),
        };
        let hops = vec![hop("session_id", "sync_sessions"), hop("project_id", "projects")];
        let path = OwnerPath { hops, column: "company_id".to_owned(), stamped: true };
        let (from, owner) = joined("public", "file_uploads", &path);
        assert_eq!(
            from,
            "\"public\".\"file_uploads\" AS t0 LEFT JOIN \"public\".\"sync_sessions\" AS t1 ON t1.\"id\" = t0.\"session_id\" \
             LEFT JOIN \"public\".\"projects\" AS t2 ON t2.\"id\" = t1.\"project_id\""
        );
        assert_eq!(owner, "t2.\"company_id\"");
    }
}
