//! The order of the loads and the owner: parents before children, the file's order wherever nothing else decides.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap};

use crate::model::cell::RawBuf;
use crate::model::rules::Value;
use crate::model::schema::{ForeignKey, TargetSchema, TargetTable};

use super::{Feed, LoadPlan, Node, OwnerPlan, PlanFindings};

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
    let before = predecessors(loads, owner, target);
    let done = sorted(&before);
    let mut place = vec![None; nodes.len()];
    done.iter().enumerate().for_each(|(at, node)| place[*node] = Some(at));
    if done.len() < nodes.len() {
        let stuck: Vec<String> =
            nodes.iter().zip(&place).filter(|(_, at)| at.is_none()).map(|(node, _)| name(*node, loads)).collect();
        findings.refuse(
            "load",
            format!("{} wait for each other: their foreign keys and lookups form a circle", stuck.join(", ")),
            "Make one of these foreign keys nullable and leave its column NULL, or load it by a later migration.",
        );
        return Order::default();
    }
    let places = |node: &usize| before[*node].iter().filter_map(|earlier| place[*earlier]).collect();
    Order { nodes: done.iter().map(|n| nodes[*n]).collect(), after: done.iter().map(places).collect() }
}

fn name(node: Node, loads: &[LoadPlan]) -> String {
    match node {
        Node::Owner => "the owner".to_owned(),
        Node::Load(n) => format!("load.{}", loads[n].name),
    }
}

/// Returns for each step the steps that must be finished first: the owner if there is one, then the loads. Of several loads
/// into one table only the last is listed, because each of them waits for the one before it.
fn predecessors(loads: &[LoadPlan], owner: Option<&OwnerPlan>, target: &TargetSchema) -> Vec<BTreeSet<usize>> {
    let first = usize::from(owner.is_some());
    let mut before = vec![BTreeSet::new(); first + loads.len()];
    let mut last: BTreeMap<&str, usize> = BTreeMap::new();
    for (node, load) in (first..).zip(loads) {
        before[node].extend(last.insert(&load.table, node));
    }
    for (node, load) in (first..).zip(loads) {
        let parents = parents(load, target);
        before[node].extend(parents.iter().filter(|table| **table != load.table).filter_map(|table| last.get(table)));
        if parents.contains(load.table.as_str()) {
            before[node].insert(node);
        }
        let Some(owner) = owner else { continue };
        if load.table == owner.table {
            before[0].insert(node);
        } else if load.needs_owner() || load.lookups().any(|(_, lookup)| lookup.table == owner.table) {
            before[node].insert(0);
        }
    }
    before
}

/// Returns the tables to which rows of the load may refer, by a foreign key or by a lookup.
fn parents<'p>(load: &'p LoadPlan, target: &'p TargetSchema) -> BTreeSet<&'p str> {
    let mut parents: BTreeSet<&str> = load.lookups().map(|(_, lookup)| lookup.table.as_str()).collect();
    if let Some(table) = target.tables.get(&load.table) {
        let refers = |key: &&ForeignKey| key.parent_schema == target.schema && refers(load, table, key);
        parents.extend(table.foreign.iter().filter(refers).map(|key| key.parent.as_str()));
    }
    parents
}

/// Returns true if rows of the load may refer to a parent by this foreign key: the load or the target fills each of its
/// columns. A key with a NULL refers to no row.
fn refers(load: &LoadPlan, table: &TargetTable, key: &ForeignKey) -> bool {
    key.columns.iter().all(|name| match load.columns.iter().find(|column| column.name == *name) {
        Some(column) => !matches!(column.feed, Feed::Constant(Value::Null | Value::Literal(RawBuf::Null))),
        None => table.column(name).is_some_and(|column| column.has_default || column.generated),
    })
}

/// Returns the steps so that each comes after its predecessors, the lowest number first. Omits the steps that wait for a
/// circle.
fn sorted(before: &[BTreeSet<usize>]) -> Vec<usize> {
    let mut after: Vec<Vec<usize>> = vec![Vec::new(); before.len()];
    let mut waits_for = vec![0; before.len()];
    for (node, earlier) in before.iter().enumerate() {
        for earlier in earlier.iter().filter(|earlier| **earlier != node) {
            after[*earlier].push(node);
            waits_for[node] += 1;
        }
    }
    let mut free: BinaryHeap<Reverse<usize>> = (0..before.len()).filter(|n| waits_for[*n] == 0).map(Reverse).collect();
    let mut done = Vec::new();
    while let Some(Reverse(node)) = free.pop() {
        done.push(node);
        for later in &after[node] {
            waits_for[*later] -= 1;
            if waits_for[*later] == 0 {
                free.push(Reverse(*later));
            }
        }
    }
    done
}
