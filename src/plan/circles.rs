//! Circles: loads whose rows refer to each other by foreign keys. Some keys of a circle are not checked while its rows are
//! written, so that the others order the loads.
//!
//! A key is detached if the role may detach it. Otherwise a deferrable key is deferred, and then all loads of the circle
//! are written in one transaction.

use serde::Serialize;

use crate::mapping::OnFault;
use crate::model::components::components;
use crate::model::ident::{qualified, quoted};
use crate::model::schema::{DetachKind, Detachable, ForeignKey};

use super::references::{references, refers};
use super::{Context, Detaching, LoadPlan, Purpose};

/// Loads whose rows refer to each other, and the foreign keys that are not checked while these rows are written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Circle {
    /// The loads, as indexes, in the order in which they are written.
    pub members: Vec<usize>,
    /// True if the owner is settled, or a lookup reads rows, between its loads: they cannot be one transaction.
    pub is_split: bool,
    /// The keys that are detached for the load and reattached after it.
    pub detached: Vec<CircleKey>,
    /// The keys that are checked at the end of the one transaction in which all members are written.
    pub deferred: Vec<CircleKey>,
}

/// A foreign key of a circle.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct CircleKey {
    /// The table that has the key.
    pub table: String,
    /// The constraint's name.
    pub name: String,
}

/// A step that waits for another one.
#[derive(Clone)]
pub(super) struct Edge<'p> {
    pub node: usize,
    pub earlier: usize,
    /// The foreign key, with its table, for which it waits. `None` if it waits for another reason.
    pub key: Option<(&'p str, &'p ForeignKey)>,
}

impl Edge<'_> {
    /// Returns true if the step waits for this foreign key.
    pub fn is_by(&self, table: &str, name: &str) -> bool {
        self.key.is_some_and(|(of, key)| of == table && key.name == name)
    }

    /// Returns true if both steps are among these.
    pub fn is_within(&self, nodes: &[usize]) -> bool {
        nodes.contains(&self.node) && nodes.contains(&self.earlier)
    }
}

/// The way in which a key is not checked while rows are written, the best one first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Opening {
    /// It is detached from a table without rows.
    Detach,
    /// It is detached from a table with rows.
    DetachHeld,
    /// Its checks are deferred.
    Defer,
}

/// A key that may open a circle.
struct Candidate<'p> {
    opening: Opening,
    key: &'p ForeignKey,
    table: &'p str,
}

/// The reason why a key can be neither detached nor deferred.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Obstacle {
    /// `--detach never`
    Never,
    /// The target does not let this role detach it, with the reason.
    Kept(String),
    /// This load may skip rows to which it refers, after rows that refer to them were written.
    Skips(String),
    /// Only the server can compare its values, so that orphans would be found after the load.
    ServerCompares,
    /// The owner is settled, or a lookup reads rows, between the loads.
    Split,
}

/// A circle that no key opens.
pub(super) struct ClosedCircle {
    /// Its steps.
    pub nodes: Vec<usize>,
    /// Its keys, each with the reason why it stays closed.
    pub keys: Vec<(CircleKey, Obstacle)>,
    /// True if its loads cannot be one transaction.
    pub is_split: bool,
    /// True if a column of one of its keys may be NULL.
    pub may_be_null: bool,
    /// The columns that follow matched rows of a table of the circle: the column's place, and the table.
    pub follows: Vec<(String, String)>,
}

/// The choice of the keys that open circles.
pub(super) struct CircleOpener<'a> {
    pub context: Context<'a>,
    pub loads: &'a [LoadPlan],
    /// The step of the owner, which is settled in a transaction of its own.
    pub owner: Option<usize>,
}

impl CircleOpener<'_> {
    /// Returns the keys without which these edges form no circle, as few as possible. `members` of the result is empty.
    pub fn open(&self, edges: &[Edge<'_>]) -> Result<Circle, ClosedCircle> {
        let mut opened: Vec<Candidate<'_>> = Vec::new();
        loop {
            let is_open =
                |edge: &Edge<'_>| opened.iter().any(|candidate| edge.is_by(candidate.table, &candidate.key.name));
            let left: Vec<Edge<'_>> = edges.iter().filter(|edge| !is_open(edge)).cloned().collect();
            let Some(circle) = circles(&left).into_iter().next() else { break };
            let inside: Vec<Edge<'_>> = left.into_iter().filter(|edge| edge.is_within(&circle)).collect();
            opened.push(self.best(&circle, &inside)?);
        }
        // A key that was opened first may have become needless.
        for n in (0..opened.len()).rev() {
            let others = |edge: &&Edge<'_>| {
                !opened.iter().enumerate().any(|(m, open)| m != n && edge.is_by(open.table, &open.key.name))
            };
            let left: Vec<Edge<'_>> = edges.iter().filter(others).cloned().collect();
            if circles(&left).is_empty() {
                opened.remove(n);
            }
        }
        let mut circle = Circle { is_split: edges.iter().any(|edge| self.splits(edge)), ..Circle::default() };
        for Candidate { opening, key, table } in opened {
            let list = if opening == Opening::Defer { &mut circle.deferred } else { &mut circle.detached };
            list.push(CircleKey { table: table.to_owned(), name: key.name.clone() });
        }
        Ok(circle)
    }

    /// Returns the best key of a circle: the best opening, then a key that opens the whole circle, then the first one.
    fn best<'p>(&self, circle: &[usize], edges: &[Edge<'p>]) -> Result<Candidate<'p>, ClosedCircle> {
        let mut keys: Vec<(&'p str, &'p ForeignKey)> = Vec::new();
        for (table, key) in edges.iter().filter_map(|edge| edge.key) {
            if !keys.iter().any(|(t, k)| *t == table && k.name == key.name) {
                keys.push((table, key));
            }
        }
        let mut closed = Vec::new();
        let mut found: Vec<(Opening, bool, Candidate<'p>)> = Vec::new();
        for (table, key) in keys {
            let opening = self.opening(table, key).and_then(|opening| match opening {
                Opening::Defer if edges.iter().any(|edge| self.splits(edge)) => Err(Obstacle::Split),
                opening => Ok(opening),
            });
            match opening {
                Ok(opening) => {
                    let left: Vec<Edge<'_>> =
                        edges.iter().filter(|edge| !edge.is_by(table, &key.name)).cloned().collect();
                    let candidate = Candidate { opening, key, table };
                    found.push((opening, !circles(&left).is_empty(), candidate));
                }
                Err(why) => closed.push((CircleKey { table: table.to_owned(), name: key.name.clone() }, why)),
            }
        }
        let best = found.into_iter().min_by_key(|(opening, leaves_circles, _)| (*opening, *leaves_circles));
        best.map(|(.., candidate)| candidate).ok_or_else(|| ClosedCircle {
            nodes: circle.to_vec(),
            keys: closed,
            is_split: edges.iter().any(|edge| self.splits(edge)),
            may_be_null: edges.iter().filter_map(|edge| edge.key).any(|(table, key)| self.may_be_null(table, key)),
            follows: self.follows(circle),
        })
    }

    fn may_be_null(&self, table: &str, key: &ForeignKey) -> bool {
        let facts = self.context.target.tables.get(table);
        key.columns.iter().any(|name| facts.and_then(|facts| facts.column(name)).is_some_and(|c| !c.not_null))
    }

    /// Returns the columns of these steps that follow the matched rows of a table of the same steps.
    fn follows(&self, circle: &[usize]) -> Vec<(String, String)> {
        let first = usize::from(self.owner.is_some());
        let loads = || circle.iter().filter_map(|node| self.loads.get(node.checked_sub(first)?));
        let is_inner = |table: &str| loads().any(|load| load.table == table);
        let of_load = |load: &LoadPlan| -> Vec<(String, String)> {
            let looked_up = load.lookups().filter(|(_, lookup)| lookup.reference.is_some() && is_inner(&lookup.table));
            let place = |column: &str| format!("{}.columns.{column}", load.place());
            looked_up.map(|(column, lookup)| (place(&column.name), lookup.table.clone())).collect()
        };
        let mut found: Vec<(String, String)> = loads().flat_map(of_load).collect();
        // Rows of the owner's table are not replaced.
        let owners = self.context.mapping.owner.as_ref().map(|owner| &owner.table);
        found.sort_by_key(|(_, table)| owners == Some(table));
        found
    }

    /// Returns true if a step between two loads is no row of one of them: the owner, or a lookup.
    fn splits(&self, edge: &Edge<'_>) -> bool {
        let first = usize::from(self.owner.is_some());
        let table = |node: usize| node.checked_sub(first).map(|n| self.loads[n].table.as_str());
        edge.key.is_none() && (table(edge.node).is_none() || table(edge.node) != table(edge.earlier))
    }

    /// Returns the way to open a circle by this key.
    ///
    /// # Errors
    /// The reason why there is none.
    fn opening(&self, table: &str, key: &ForeignKey) -> Result<Opening, Obstacle> {
        let Context { inputs, target, .. } = self.context;
        if inputs.purpose == Purpose::Verify {
            return Ok(Opening::Detach);
        }
        match self.obstacle(table, key) {
            None if target.tables.get(table).is_some_and(|facts| facts.has_rows) => Ok(Opening::DetachHeld),
            None => Ok(Opening::Detach),
            // Statements that defer a key name it without its table.
            Some(_) if key.deferrable && !self.has_namesake(table, key) => Ok(Opening::Defer),
            Some(why) => Err(why),
        }
    }

    /// Returns true if another table has a key of this name that is not deferrable.
    fn has_namesake(&self, table: &str, key: &ForeignKey) -> bool {
        let mut others = self.context.target.tables.iter().filter(|(other, _)| *other != table);
        others.any(|(_, facts)| facts.foreign.iter().any(|other| other.name == key.name && !other.deferrable))
    }

    /// Returns the reason why a key cannot be detached. `None` if it can.
    fn obstacle(&self, table: &str, key: &ForeignKey) -> Option<Obstacle> {
        let Context { inputs, target, .. } = self.context;
        let mut keys = inputs.detachable.iter().filter(|object| object.kind == DetachKind::Foreign);
        let Some(object) = keys.find(|object| object.table == table && object.object == key.name) else {
            return Some(Obstacle::Kept("it is not a constraint of the table itself".to_owned()));
        };
        if object.kept_because.is_some() || inputs.purpose != Purpose::Write {
            return object.kept_because.clone().map(Obstacle::Kept);
        }
        if inputs.detaching == Detaching::Never {
            return Some(Obstacle::Never);
        }
        let skips = |load: &&LoadPlan| {
            load.table == key.parent && load.conflict.as_ref().is_some_and(|conflict| *conflict != key.parent_columns)
        };
        if let Some(parent) = self.loads.iter().find(skips) {
            return Some(Obstacle::Skips(parent.place()));
        }
        let facts = target.tables.get(table)?;
        let follows = |load: &LoadPlan| {
            !refers(load, facts, key) || references(load, target).iter().any(|link| link.name == key.name)
        };
        let is_followed = self.loads.iter().filter(|load| load.table == *table).all(follows);
        (!is_followed).then_some(Obstacle::ServerCompares)
    }
}

impl Circle {
    /// Returns true if its loads are written in one transaction: a key is deferred, or a row may be refused after rows that
    /// refer to it were written.
    pub fn is_one_transaction(&self, on_fault: OnFault) -> bool {
        !self.deferred.is_empty() || (on_fault == OnFault::Quarantine && !self.is_split)
    }

    /// Returns true if this object is detached to open the circle.
    pub fn detaches(&self, object: &Detachable) -> bool {
        let is_it = |key: &CircleKey| key.table == object.table && key.name == object.object;
        object.kind == DetachKind::Foreign && self.detached.iter().any(is_it)
    }
}

/// Returns the circles that edges form. A step that waits for itself is none.
fn circles(edges: &[Edge<'_>]) -> Vec<Vec<usize>> {
    let most = edges.iter().map(|edge| edge.node.max(edge.earlier) + 1).max().unwrap_or(0);
    let mut earlier: Vec<Vec<usize>> = vec![Vec::new(); most];
    edges.iter().for_each(|edge| earlier[edge.node].push(edge.earlier));
    components(&earlier).into_iter().filter(|circle| circle.len() > 1).collect()
}

impl std::fmt::Display for Obstacle {
    fn fmt(&self, to: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Obstacle::Never => to.write_str("--detach never"),
            Obstacle::Kept(why) => to.write_str(why),
            Obstacle::Skips(load) => write!(to, "{load} may skip rows to which it refers"),
            Obstacle::ServerCompares => to.write_str("only the server can compare its values"),
            Obstacle::Split => to.write_str("the owner is settled, or a lookup reads rows, between the loads"),
        }
    }
}

impl ClosedCircle {
    /// Returns the reason of the refusal. `names`: its steps as messages print them.
    pub fn reason(&self, names: &[String]) -> String {
        if !self.follows.is_empty() {
            let follow = |(column, table): &(String, String)| format!("{column} follows the matched rows of `{table}`");
            let follows: Vec<String> = self.follows.iter().map(follow).collect();
            return format!(
                "{} wait for each other: {}, whose ids are known only after they are loaded",
                names.join(", "),
                follows.join(", ")
            );
        }
        let keys: Vec<String> =
            self.keys.iter().map(|(key, why)| format!("{} of {} ({why})", key.name, key.table)).collect();
        let why = if keys.is_empty() {
            String::new()
        } else {
            format!(", and none of these keys can be detached or deferred: {}", keys.join(", "))
        };
        format!("{} wait for each other: their foreign keys and lookups form a circle{why}", names.join(", "))
    }

    /// Returns the ways out that help for the keys of this circle.
    pub fn advice(&self, schema: &str) -> String {
        if let Some((_, table)) = self.follows.first() {
            return format!(
                "Write `existing = \"replace\"` at the load into `{table}`: its rows keep the ids of the source, so that no \
                 column follows them. The rows that it holds are removed; the ledger keeps them, and a rollback restores \
                 them."
            );
        }
        let Some((key, _)) = self.keys.first() else {
            return "Feed one of the looked-up columns from the source, or leave one of them NULL and fill it by a later \
                    migration."
                .to_owned();
        };
        if let Some((key, _)) = self.keys.iter().find(|(_, why)| *why == Obstacle::Never) {
            return format!("Omit `--detach never`: {} is then detached for the load and reattached.", key.name);
        }
        let mut ways = Vec::new();
        if self.keys.iter().any(|(_, why)| matches!(why, Obstacle::Kept(_))) {
            ways.push("Run it as a member of the owner of one of these tables.".to_owned());
        }
        if !self.is_split {
            let (table, name) = (qualified(schema, &key.table), quoted(&key.name));
            ways.push(format!(
                "Let the owner run: ALTER TABLE {table} ALTER CONSTRAINT {name} DEFERRABLE; The circle is then one \
                 transaction."
            ));
        }
        if self.may_be_null {
            ways.push("Leave the column of one key NULL, which loses its values.".to_owned());
        }
        ways.join(" Or: ")
    }
}
