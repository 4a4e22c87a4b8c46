//! Tables that Citus distributes: their rows must be placed by their owner.

use std::collections::BTreeMap;

use crate::mapping::{Load, OwnerRule};
use crate::model::ident::literal;
use crate::model::placement::Placement;
use crate::model::schema::TargetSchema;

use super::PlanFindings;

/// Refuses a load into a distributed table whose rows are not placed by the owner that the load gives them.
pub(super) fn follows_the_owner(load: &Load, target: &TargetSchema, findings: &mut PlanFindings) {
    let placement = target.placement(&load.to);
    let owners: &[String] = match &load.owner {
        OwnerRule::Stamped(columns) => columns,
        OwnerRule::Carried(column) => std::slice::from_ref(column),
        OwnerRule::Through(_) | OwnerRule::Shared | OwnerRule::Unsaid => &[],
    };
    let is_fit = match placement {
        Placement::Local | Placement::Reference => true,
        Placement::Distributed(column) => owners.contains(column),
        Placement::Other => false,
    };
    if is_fit {
        return;
    }
    let name = format!("{}.{}", target.schema, load.to);
    let table = literal(&name);
    let why = match owners.first() {
        Some(owner) => format!("and the owner of its rows is in `{owner}`"),
        None => "and the mapping puts the owner of its rows into no column".to_owned(),
    };
    let redistribute = match owners.first() {
        Some(owner) => format!("SELECT alter_distributed_table({table}, distribution_column => {});", literal(owner)),
        None => format!("SELECT undistribute_table({table}); SELECT create_reference_table({table});"),
    };
    let state = match owners {
        [] => "State the column with `owner`, or distribute the table otherwise",
        _ => "Distribute the table by the owner",
    };
    findings.refuse(
        format!("load.{}.owner", load.name),
        format!("`{name}` is {}, {why}", placement.words()),
        format!("{state}: {redistribute}"),
    );
}

/// The placement of each table that a load writes to and that is not local.
pub(super) fn of_loads(loads: &[Load], target: &TargetSchema) -> BTreeMap<String, Placement> {
    let is_loaded = |table: &str| loads.iter().any(|load| load.to == table);
    let distributed = target.distributed.iter().filter(|(table, _)| is_loaded(table));
    distributed.map(|(table, placement)| (table.clone(), placement.clone())).collect()
}
