//! Rows of a table whose columns were changed after the run: staged in the types that the columns have now.

use crate::job::Stop;
use crate::model::record::Refusal;
use crate::model::schema::TargetSchema;
use crate::plan::LoadPlan;
use crate::wire::widen::{Widening, widening};

/// Returns the change of each field of a load's rows. `None` if the columns have the types in which the rows were sent.
///
/// # Errors
/// A refusal if a column that was sent no longer exists, or has a type in which its value cannot be computed.
pub(super) fn widened(target: &TargetSchema, load: &LoadPlan) -> Result<Option<Vec<(usize, Widening)>>, Stop> {
    let Some(table) = target.tables.get(&load.table).filter(|table| !table.altered.is_empty()) else { return Ok(None) };
    let mut fields = Vec::new();
    for (n, column) in load.columns.iter().enumerate() {
        let (name, was) = (&column.name, &column.kind.name);
        let Some(is) = table.altered.iter().find(|now| now.name == *name) else {
            return Err(refuse(load, format!("column {name} was sent, and the table no longer has it")));
        };
        let widening = match widening(&column.kind, &is.kind) {
            // The server reads the text of a value of the same type as it read the value that was sent.
            None if load.as_text && *was == is.kind.name => Some(Widening::Same),
            // The server reads these texts as other values than it casts the values to.
            Some(Widening::Double | Widening::Padded(_)) if load.as_text => None,
            known => known,
        };
        let Some(widening) = widening else {
            let why = format!("column {name} has the type {} now and was sent as {was}", is.kind.name);
            return Err(refuse(load, why));
        };
        fields.push((n, widening));
    }
    // Text contains neither widths nor OIDs.
    let is_same = load.as_text || fields.iter().all(|(_, widening)| *widening == Widening::Same);
    Ok((!is_same).then_some(fields))
}

fn refuse(load: &LoadPlan, why: String) -> Stop {
    let advice = "Nothing was removed. Change the column back, restore a backup, or delete the rows by hand.";
    Stop::Refused(vec![Refusal::new(load.place(), why, advice)])
}
