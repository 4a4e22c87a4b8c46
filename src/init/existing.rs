//! The treatment of rows that a table of the target holds before the run.

use super::draft::DraftLine;
use super::render::string;
use crate::model::schema::TargetTable;
use crate::plan::natural_keys;
use crate::text::count;

/// Returns the line for a table that holds rows. `held`: their number. `source`: the number of rows of the source's table.
pub fn line(table: &TargetTable, held: u64, source: u64) -> Option<DraftLine> {
    if held == 0 {
        return None;
    }
    let rows = count(held, "row", "rows");
    if source == 0 {
        let why = format!("the target holds {rows}, the source none");
        return Some(DraftLine::certain("existing", string("append"), why));
    }
    let keys = natural_keys(table);
    Some(match keys.as_slice() {
        [key] => {
            let why = format!("the target holds {rows}, and ({}) identifies a row", key.join(", "));
            DraftLine::inferred("existing", string("match"), why)
        }
        [] => DraftLine::question(
            "existing",
            format!(
                "the target holds {rows} and has no unique key but its id: write \"append\" to keep them next to the source's, or \
                 \"replace\" to remove them for the time of the run (a rollback restores them)"
            ),
        ),
        several => {
            let choices: Vec<String> = several
                .iter()
                .map(|key| {
                    let names: Vec<String> = key.iter().map(|name| string(name)).collect();
                    format!("{{ match = [{}] }}", names.join(", "))
                })
                .collect();
            DraftLine::question(
                "existing",
                format!(
                    "the target holds {rows} and several unique keys identify one: write {}, \"append\" or \"replace\"",
                    choices.join(" or ")
                ),
            )
        }
    })
}
