//! The order of the loads and the owner: parents before children, the file's order wherever nothing else decides.

use std::collections::BTreeSet;

use crate::model::schema::TargetSchema;

use super::{LoadPlan, Node, OwnerPlan, PlanFindings};

/// The order of the steps, and for each place in it the places that must be finished first.
///
/// A place among its own predecessors is a load whose rows refer to rows of the same load. Such a load has one part.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Order {
    pub nodes: Vec<Node>,
    pub after: Vec<Vec<usize>>,
}

/// Returns the order of the steps. Refuses a circle.
pub(super) fn order(
    loads: &[LoadPlan],
    owner: Option<&OwnerPlan>,
    target: &TargetSchema,
    findings: &mut PlanFindings,
) -> Order {
    let owner = owner.filter(|o| !o.natural.is_empty());
    let mut nodes: Vec<Node> = owner.map(|_| Node::Owner).into_iter().collect();
    nodes.extend((0..loads.len()).map(Node::Load));
    let mut edges: BTreeSet<(usize, usize)> = BTreeSet::new();
    for (before, first) in nodes.iter().enumerate() {
        for (after, second) in nodes.iter().enumerate() {
            if precedes(*first, *second, loads, owner, target) {
                edges.insert((before, after));
            }
        }
    }
    let mut done: Vec<usize> = Vec::new();
    while done.len() < nodes.len() {
        let free = (0..nodes.len())
            .find(|n| !done.contains(n) && edges.iter().all(|(b, after)| after != n || b == n || done.contains(b)));
        let Some(next) = free else {
            let stuck: Vec<String> =
                (0..nodes.len()).filter(|n| !done.contains(n)).map(|n| name(nodes[n], loads)).collect();
            findings.refuse(
                "load",
                format!("{} wait for each other: their foreign keys and lookups form a circle", stuck.join(", ")),
                "Make one of these foreign keys nullable and omit its column, or load it by a later migration.",
            );
            return Order::default();
        };
        done.push(next);
    }
    let place = |n: &usize| done.iter().position(|d| d == n);
    let before = |n: &usize| edges.iter().filter(|(_, after)| after == n).filter_map(|(b, _)| place(b)).collect();
    Order { nodes: done.iter().map(|n| nodes[*n]).collect(), after: done.iter().map(before).collect() }
}

fn name(node: Node, loads: &[LoadPlan]) -> String {
    match node {
        Node::Owner => "the owner".to_owned(),
        Node::Load(n) => format!("load.{}", loads[n].name),
    }
}

fn precedes(first: Node, second: Node, loads: &[LoadPlan], owner: Option<&OwnerPlan>, target: &TargetSchema) -> bool {
    match (first, second) {
        (Node::Load(a), Node::Load(b)) => {
            let (parent, child) = (&loads[a], &loads[b]);
            if a != b && parent.table == child.table {
                return a < b;
            }
            let refers = target.tables.get(&child.table).is_some_and(|t| {
                t.foreign.iter().any(|f| {
                    let fed = f.columns.iter().all(|c| child.columns.iter().any(|p| p.name == *c));
                    f.parent == parent.table && f.parent_schema == target.schema && fed
                })
            });
            let looked_up = child.lookups().any(|(_, lookup)| lookup.table == parent.table);
            refers || looked_up
        }
        (Node::Owner, Node::Load(n)) => {
            let load = &loads[n];
            let looked_up = |table: &str| load.lookups().any(|(_, lookup)| lookup.table == table);
            owner.is_some_and(|o| o.table != load.table && (load.needs_owner() || looked_up(&o.table)))
        }
        (Node::Load(n), Node::Owner) => owner.is_some_and(|o| o.table == loads[n].table),
        (Node::Owner, Node::Owner) => false,
    }
}
