//! `--owner-sql`: the values of each file that a query in the file itself returns.

use crate::fleet::sources::{MemberFile, limited};
use crate::model::record::Refusal;

use super::super::session::Migration;
use super::plans::open;

/// The flag.
const PLACE: &str = "--owner-sql";

/// Adds the values that the query returns in each file.
///
/// # Errors
/// Every file in which the query fails, and every name that another origin gives, too.
pub fn add(files: &mut [MemberFile], sql: &str, m: &Migration<'_>) -> Result<(), Vec<Refusal>> {
    let mut refusals = Vec::new();
    for file in files {
        if m.check_stop().is_err() {
            break;
        }
        let found = open(m, &file.path).and_then(|source| source.reader()?.one_row(sql));
        let values = match found {
            Ok(values) => values,
            Err(error) => {
                refusals.push(Refusal::new(format!("{PLACE}: {}", file.path), error.to_string(), LEAVE_OUT));
                continue;
            }
        };
        for (name, value) in values {
            if file.values.contains_key(&name) {
                let reason = format!("yields the value `{name}`, which has another origin, too");
                refusals.push(Refusal::new(
                    format!("{PLACE}: {}", file.path),
                    reason,
                    "Remove one of the two, or rename it.",
                ));
            }
            file.put(&name, &value.unwrap_or_default());
        }
    }
    if refusals.is_empty() { Ok(()) } else { Err(limited(refusals, PLACE)) }
}

/// The way out for one file.
const LEAVE_OUT: &str = "Repair the file, or leave it out of the list.";
