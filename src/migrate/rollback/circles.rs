//! Foreign keys that open circles while a run is rolled back: rows of one member are removed while rows of another one still
//! refer to them.

use crate::model::schema::DetachKind;
use crate::pg::detach::Detached;
use crate::plan::{CircleKey, Plan};

/// Adds to `again` the attached keys that the plan detaches to open its circles. `detached`: the objects that the run detached.
pub(super) fn add_keys(plan: &Plan, detached: &[Detached], again: &mut Vec<Detached>) {
    for key in plan.circles.iter().flat_map(|circle| &circle.detached) {
        let is_it = |kind: DetachKind, table: &str, object: &str| {
            kind == DetachKind::Foreign && table == key.table && object == key.name
        };
        if again.iter().any(|object| is_it(object.kind, &object.table, &object.object)) {
            continue;
        }
        let recorded = detached.iter().find(|object| is_it(object.kind, &object.table, &object.object));
        again.extend(match recorded {
            Some(object) if object.reattached => Some(Detached { steps: 0, reattached: false, ..object.clone() }),
            Some(_) => None,
            // The run deferred the key, and this role may detach it.
            None => {
                let mut attached = plan.detach.off.iter();
                let attached = attached.find(|object| is_it(object.kind, &object.table, &object.object));
                attached.and_then(|object| Detached::attached(&plan.schema, object))
            }
        });
    }
}

/// Returns the keys whose checks are deferred until the last row is removed.
pub(super) fn deferred(plan: &Plan) -> Vec<CircleKey> {
    plan.circles.iter().flat_map(|circle| &circle.deferred).cloned().collect()
}
