//! The placement of a table's rows on the nodes of a cluster of Citus.

use serde::Serialize;

use super::record::{Check, CheckKind};

/// The reason why the transaction that wrote a row (`xmin`) identifies no row of a table that is not local.
pub const SHARDS_NUMBER: &str =
    "each shard numbers transactions by itself, so no number shows that a row is as it was written";

/// The placement of a table's rows.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase", tag = "placement", content = "column")]
pub enum Placement {
    /// All rows are on the server that the session uses. Every table of a server without Citus is local.
    #[default]
    Local,
    /// Each node has all rows.
    Reference,
    /// The hash of this column decides on the shard of a row.
    Distributed(String),
    /// Citus places the rows in another way.
    Other,
}

impl Placement {
    /// The placement that a row of `pg_dist_partition` describes. `column`: the column that its `partkey` names.
    pub fn of(method: &str, replication: &str, colocation: i64, column: Option<String>) -> Placement {
        match (method, replication, column) {
            ("h", _, Some(column)) => Placement::Distributed(column),
            ("n", "t", None) => Placement::Reference,
            // A local table that Citus lists, because a reference table refers to it or it to one.
            ("n", "s", None) if colocation == 0 => Placement::Local,
            _ => Placement::Other,
        }
    }

    /// Returns true if all rows are on the server that the session uses.
    pub fn is_local(&self) -> bool {
        *self == Placement::Local
    }

    /// The check, not made, that all rows of such a table were seen at one moment.
    pub fn unseen_at_once(&self, schema: &str, table: &str) -> Check {
        let why = format!(
            "the table is placed on several nodes ({}), each of which is read in a snapshot of its own: rows that another \
             session writes meanwhile may be seen in one shard and not in another",
            self.words()
        );
        Check::not_checked(CheckKind::Others, Some(&format!("{schema}.{table}")), why)
    }

    /// Returns the placement in words.
    pub fn words(&self) -> String {
        match self {
            Placement::Local => "local".to_owned(),
            Placement::Reference => "reference table, on every node".to_owned(),
            Placement::Distributed(column) => format!("distributed by {column}"),
            Placement::Other => "placed in another way than by the hash of a column".to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_of_pg_dist_partition_become_placements() {
        let column = || Some("user_id".to_owned());
        assert_eq!(Placement::of("h", "s", 4, column()), Placement::Distributed("user_id".to_owned()));
        assert_eq!(Placement::of("n", "t", 2, None), Placement::Reference);
        assert_eq!(Placement::of("n", "s", 0, None), Placement::Local);
    }

    #[test]
    fn a_placement_that_is_not_known_is_never_taken_for_local() {
        let column = || Some("at".to_owned());
        // One shard on one node, append, range, and a hash without its column.
        for (method, replication, colocation, column) in [
            ("n", "s", 7, None),
            ("a", "c", 0, column()),
            ("r", "c", 0, column()),
            ("h", "s", 4, None),
            ("x", "t", 0, None),
        ] {
            assert_eq!(Placement::of(method, replication, colocation, column), Placement::Other, "{method}");
        }
    }
}
