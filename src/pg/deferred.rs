//! Foreign keys whose checks are deferred to the end of a transaction.

use crate::model::ident::qualified;
use crate::plan::CircleKey;

/// Returns the statement that defers the checks of foreign keys.
pub(super) fn defer_sql(schema: &str, keys: &[CircleKey]) -> String {
    let names: Vec<String> = keys.iter().map(|key| qualified(schema, &key.name)).collect();
    format!("SET CONSTRAINTS {} DEFERRED", names.join(", "))
}
