//! `--owner-sql`: the values of each file that a query in the file itself returns.

use crate::fleet::sources::{MemberFile, limited};
use crate::model::record::Refusal;

use super::super::failure::Failure;
use super::super::session::Migration;
use super::plans::open;

/// The flag.
const PLACE: &str = "--owner-sql";

/// Adds the values that the query returns in each file.
///
/// # Errors
/// Every file in which the query fails, every name that another origin gives, too, and a request to stop.
pub fn add(files: &mut [MemberFile], sql: &str, m: &Migration<'_>) -> Result<(), Failure> {
    let mut refusals = Vec::new();
    for file in files {
        m.check_stop().map_err(Failure::refused)?;
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
    if refusals.is_empty() { Ok(()) } else { Err(Failure::refused(limited(refusals, PLACE))) }
}

/// The way out for one file.
const LEAVE_OUT: &str = "Repair the file, or leave it out of the list.";
