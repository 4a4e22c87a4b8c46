//! The order of the loads and the owner: parents before children, the file's order wherever nothing else decides. Loads
//! that refer to each other are one unit of the order, see [`super::circles`].

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap};

use crate::model::components::components;
use crate::model::schema::{ForeignKey, TargetSchema};
use crate::model::select::Relation;

use super::circles::{Circle, CircleOpener, Edge};
use super::references::refers;
use super::{Context, LoadPlan, Node, OwnerPlan, PlanFindings};

/// The order of the steps, and for each place in it the places that must be finished first.
///
/// A place among its own predecessors is a load whose rows refer to rows of the same load. Such a load has one part.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Order {
    pub nodes: Vec<Node>,
    pub after: Vec<Vec<usize>>,
    pub circles: Vec<Circle>,
}

/// Returns the order of the steps. Refuses a circle that no foreign key opens.
pub(super) fn order(
    context: Context<'_>,
    loads: &[LoadPlan],
    owner: Option<&OwnerPlan>,
    findings: &mut PlanFindings,
) -> Order {
    let owner = owner.filter(|o| !o.natural.is_empty());
    let mut nodes: Vec<Node> = owner.map(|_| Node::Owner).into_iter().collect();
    nodes.extend((0..loads.len()).map(Node::Load));
    let edges = edges(context, loads, owner);
    let opener = CircleOpener { context, loads, owner: owner.map(|_| 0) };
    let mut order = Order::default();
    let mut done: Vec<usize> = Vec::new();
    // Each member of a circle waits for whatever another member waits for: their rows are judged together.
    let mut before: Vec<BTreeSet<usize>> = vec![BTreeSet::new(); nodes.len()];
    for unit in units(nodes.len(), &edges) {
        let inside = edges.iter().filter(|e| e.node != e.earlier && e.is_within(&unit));
        let inside: Vec<Edge<'_>> = inside.filter(|edge| !is_vacuous(context, loads, edge)).cloned().collect();
        let mut circle = match opener.open(&inside) {
            Ok(circle) => circle,
            Err(closed) => {
                let names: Vec<String> = closed.nodes.iter().map(|node| name(nodes[*node], loads)).collect();
                findings.refuse("load", closed.reason(&names), closed.advice(&context.target.schema));
                continue;
            }
        };
        let is_open = |edge: &Edge<'_>| {
            circle.detached.iter().chain(&circle.deferred).any(|key| edge.is_by(&key.table, &key.name))
        };
        let left: Vec<Edge<'_>> = inside.into_iter().filter(|edge| !is_open(edge)).collect();
        left.iter().for_each(|edge| _ = before[edge.node].insert(edge.earlier));
        let outside = edges.iter().filter(|edge| unit.contains(&edge.node) && !unit.contains(&edge.earlier));
        let outside: BTreeSet<usize> = outside.map(|edge| edge.earlier).collect();
        unit.iter().for_each(|node| before[*node].extend(&outside));
        let members = members(&unit, &left);
        circle.members = members.iter().filter_map(|node| load_of(nodes[*node])).collect();
        done.extend(members);
        if !circle.detached.is_empty() || !circle.deferred.is_empty() {
            order.circles.push(circle);
        }
    }
    if done.len() < nodes.len() {
        return Order::default();
    }
    edges.iter().filter(|e| e.node == e.earlier).for_each(|edge| _ = before[edge.node].insert(edge.node));
    let mut place = vec![0; nodes.len()];
    done.iter().enumerate().for_each(|(at, node)| place[*node] = at);
    let places = |node: &usize| before[*node].iter().map(|earlier| place[*earlier]).collect();
    order.after = done.iter().map(places).collect();
    order.nodes = done.iter().map(|node| nodes[*node]).collect();
    order
}

fn load_of(node: Node) -> Option<usize> {
    match node {
        Node::Owner => None,
        Node::Load(load) => Some(load),
    }
}

fn name(node: Node, loads: &[LoadPlan]) -> String {
    match node {
        Node::Owner => "the owner".to_owned(),
        Node::Load(n) => format!("load.{}", loads[n].name),
    }
}

/// Returns the units of the order, each after the units that it waits for: one step, or the steps of a circle.
fn units(count: usize, edges: &[Edge<'_>]) -> Vec<Vec<usize>> {
    let mut earlier: Vec<Vec<usize>> = vec![Vec::new(); count];
    edges.iter().for_each(|edge| earlier[edge.node].push(edge.earlier));
    let mut units = components(&earlier);
    // The first step of a unit decides its place in the file's order.
    units.sort();
    let mut unit_of = vec![0; count];
    units.iter().enumerate().for_each(|(n, unit)| unit.iter().for_each(|node| unit_of[*node] = n));
    let mut before = vec![BTreeSet::new(); units.len()];
    edges.iter().for_each(|edge| _ = before[unit_of[edge.node]].insert(unit_of[edge.earlier]));
    sorted(&before).into_iter().map(|n| std::mem::take(&mut units[n])).collect()
}

/// Returns the steps of a unit in their order. `left`: the edges between them that form no circle.
fn members(unit: &[usize], left: &[Edge<'_>]) -> Vec<usize> {
    let place = |node: usize| unit.iter().position(|other| *other == node).unwrap_or(0);
    let mut before = vec![BTreeSet::new(); unit.len()];
    left.iter().for_each(|edge| _ = before[place(edge.node)].insert(place(edge.earlier)));
    sorted(&before).into_iter().map(|n| unit[n]).collect()
}

/// Returns the steps that wait for others: for the owner if there is one, and for loads. Of several loads into one table only
/// the last is waited for, because each of them waits for the previous one.
fn edges<'p>(context: Context<'p>, loads: &'p [LoadPlan], owner: Option<&'p OwnerPlan>) -> Vec<Edge<'p>> {
    let first = usize::from(owner.is_some());
    let mut edges = Vec::new();
    let mut last: BTreeMap<&str, usize> = BTreeMap::new();
    for (node, load) in (first..).zip(loads) {
        let previous = last.insert(&load.table, node);
        edges.extend(previous.map(|earlier| Edge { node, earlier, key: None }));
    }
    for (node, load) in (first..).zip(loads) {
        let mut wait = |table: &str, key| {
            let earlier = if table == load.table { Some(node) } else { last.get(table).copied() };
            edges.extend(earlier.map(|earlier| Edge { node, earlier, key }));
        };
        load.lookups().for_each(|(_, lookup)| wait(&lookup.table, None));
        foreign_keys(context.target, load).for_each(|key| wait(&key.parent, Some((load.table.as_str(), key))));
        let Some(owner) = owner else { continue };
        if load.table == owner.table {
            edges.push(Edge { node: 0, earlier: node, key: None });
        } else if load.needs_owner() || load.lookups().any(|(_, lookup)| lookup.table == owner.table) {
            edges.push(Edge { node, earlier: 0, key: None });
        }
    }
    edges
}

/// Returns the foreign keys by which rows of the load may refer to rows of loads.
fn foreign_keys<'p>(target: &'p TargetSchema, load: &'p LoadPlan) -> impl Iterator<Item = &'p ForeignKey> {
    let keys = target.tables.get(&load.table).into_iter();
    let keys = keys.flat_map(|table| table.foreign.iter().map(move |key| (table, key)));
    keys.filter(move |(table, key)| key.parent_schema == target.schema && refers(load, table, key)).map(|(_, key)| key)
}

/// Returns true if no row waits for the foreign key of an edge: the loads of one of its tables read no rows.
fn is_vacuous(context: Context<'_>, loads: &[LoadPlan], edge: &Edge<'_>) -> bool {
    let is_empty = |load: &LoadPlan| matches!(&load.select.relation, Relation::Table(table) if context.inputs.empty.contains(table));
    let none = |table: &str| loads.iter().filter(|load| load.table == table).all(is_empty);
    edge.key.is_some_and(|(table, key)| none(table) || none(&key.parent))
}

/// Returns the steps so that each comes after its predecessors, the lowest number first. Omits the steps of a circle.
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
