//! The placement of a table's rows on the nodes of a cluster of Citus.

use serde::Serialize;

/// The reason why the transaction that wrote a row (`xmin`) identifies no row of a table that is not local.
pub const SHARDS_NUMBER: &str =
    "each shard numbers transactions by itself, so no number shows that a row is as it was written";

/// The placement of a table's rows.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase", tag = "placement", content = "column")]
pub enum Distribution {
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

impl Distribution {
    /// The placement that a row of `pg_dist_partition` describes. `column`: the column that its `partkey` names.
    pub fn of(method: &str, replication: &str, colocation: i64, column: Option<String>) -> Distribution {
        match (method, replication, column) {
            ("h", _, Some(column)) => Distribution::Distributed(column),
            ("n", "t", None) => Distribution::Reference,
            // A local table that Citus lists, because a reference table refers to it or it to one.
            ("n", "s", None) if colocation == 0 => Distribution::Local,
            _ => Distribution::Other,
        }
    }

    /// Returns true if all rows are on the server that the session uses.
    pub fn is_local(&self) -> bool {
        *self == Distribution::Local
    }

    /// Returns the placement in words.
    pub fn words(&self) -> String {
        match self {
            Distribution::Local => "local".to_owned(),
            Distribution::Reference => "reference table, on every node".to_owned(),
            Distribution::Distributed(column) => format!("distributed by {column}"),
            Distribution::Other => "placed in another way than by the hash of a column".to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_of_pg_dist_partition_become_placements() {
        let column = || Some("user_id".to_owned());
        assert_eq!(Distribution::of("h", "s", 4, column()), Distribution::Distributed("user_id".to_owned()));
        assert_eq!(Distribution::of("n", "t", 2, None), Distribution::Reference);
        assert_eq!(Distribution::of("n", "s", 0, None), Distribution::Local);
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
            assert_eq!(Distribution::of(method, replication, colocation, column), Distribution::Other, "{method}");
        }
    }
}
