//! The baseline of a run: the tables, the digested columns, the rows that the tables held, and the state of their objects.
//! The ledger stores it before the first row is written, and verification compares with it.

use std::collections::BTreeMap;

use crate::model::digest::{Digest, row_hash};
use crate::model::hex::hex;
use crate::model::ledger::Judged;
use crate::model::recorded::RecordedTable;
use crate::model::schema::TargetSchema;
use crate::pg::ledger::LedgerPlace;
use crate::pg::{ReadBack, ServerError, Session};
use crate::plan::{LoadPlan, Plan, image};

/// Adds the baseline to what a run decides once, and looks for the ledger. `seed`: the seed of the row hashes.
///
/// # Errors
/// If the target refuses a query or the connection is lost.
pub fn record(
    judged: &mut Judged,
    session: &mut Session,
    plan: &Plan,
    target: &TargetSchema,
    seed: u64,
) -> Result<LedgerPlace, ServerError> {
    let mut loads: BTreeMap<&str, Vec<&LoadPlan>> = BTreeMap::new();
    if let Some(owner) = &plan.owner {
        loads.entry(&owner.table).or_default();
    }
    for load in &plan.loads {
        loads.entry(&load.table).or_default().push(load);
    }
    for (name, loads) in &loads {
        let Some(table) = target.tables.get(*name) else { continue };
        let columns = image::columns(loads, table);
        // Rows of other runs may arrive in a shared table from now on: it counts as one that held rows, of which there are none.
        if table.has_rows || judged.shared.contains(*name) {
            let mut digest = Digest::default();
            let all = ReadBack { schema: &plan.schema, table: name, columns: &columns, only: None };
            let rows = session.read_back(&all, &mut |image| digest.add(row_hash(image, seed)))?;
            judged.holding.insert((*name).to_owned(), rows);
            judged.before.insert((*name).to_owned(), hex(&digest.to_bytes()));
        }
        judged.images.insert((*name).to_owned(), columns);
        let returned = image::returned(loads, table);
        // The number of the transaction that wrote a row can be read with the right on the whole table only.
        if !returned.is_empty() && target.rights.lack("SELECT", &format!("TABLE {}.{name}", plan.schema)).is_none() {
            judged.returned.insert((*name).to_owned(), returned);
        }
    }
    let looked_up = plan.loads.iter().flat_map(LoadPlan::lookups).map(|(_, lookup)| &lookup.table);
    for name in loads.keys().copied().chain(looked_up.map(String::as_str)) {
        if let Some(table) = target.tables.get(name) {
            judged.tables.insert(name.to_owned(), RecordedTable::of(table));
        }
    }
    let tables: Vec<String> = loads.keys().map(|name| (*name).to_owned()).collect();
    let (objects, place) = session.objects_and_ledger(&plan.schema, &tables)?;
    judged.objects = objects;
    Ok(place)
}
