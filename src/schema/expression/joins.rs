//! FROM: relations, subqueries and joins.

use std::rc::Rc;

use super::columns::{FromMember, NamedRelation, Relations, Scope, ScopeColumn};
use super::compare::compared;
use super::sorts::{Refused, Translated, ValueSort};
use super::tree::{FromTree, JoinCondition, JoinKind, JoinTree};
use crate::schema::names::{NAME_BYTES, name, names};

/// Two columns of owners that must be equal in every pair of rows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OwnerPair {
    /// That of the left row, as SQL.
    pub left: String,
    /// That of the right row.
    pub right: String,
}

/// The conditions of joins, and the owners that are to be compared by one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct JoinedOwners {
    /// Conditions that each row satisfies, as SQL.
    pub conditions: Vec<String>,
    /// The owners that no condition compares.
    pub pairs: Vec<OwnerPair>,
}

impl JoinedOwners {
    /// Returns those of a join of two sides. `on`: its own.
    ///
    /// The condition of an outer join does not select the rows of the side that it keeps whole: it compares no owners within that side,
    /// and no row need satisfy it.
    fn of_join(kind: JoinKind, [left, right]: [JoinedOwners; 2], on: JoinedOwners) -> JoinedOwners {
        let (kept, joined) = match kind {
            JoinKind::Inner => {
                let conditions = [left.conditions, right.conditions, on.conditions.clone()].concat();
                (JoinedOwners { conditions, pairs: Vec::new() }, [left.pairs, right.pairs])
            }
            JoinKind::Left => (left, [right.pairs, Vec::new()]),
            JoinKind::Right => (right, [left.pairs, Vec::new()]),
        };
        let open = joined.into_iter().flatten().chain(on.pairs).filter(|pair| !pair.is_compared(&on.conditions));
        JoinedOwners { conditions: kept.conditions, pairs: kept.pairs.into_iter().chain(open).collect() }
    }
}

impl OwnerPair {
    /// Returns true if a condition compares both.
    pub fn is_compared(&self, conditions: &[String]) -> bool {
        let OwnerPair { left, right } = self;
        let both = [format!("{left} = {right}"), format!("{right} = {left}")];
        conditions.iter().any(|condition| both.contains(condition))
    }
}

/// FROM as PostgreSQL writes it.
pub struct TranslatedFrom {
    /// The SQL after FROM.
    pub sql: String,
    /// Its columns and relations.
    pub scope: Scope,
    /// The conditions of its joins, and the owners that the query itself must compare.
    pub owners: JoinedOwners,
    /// True if arithmetic in it ends in an error where SQLite returns a double or an infinity.
    pub can_overflow: bool,
}

impl Scope {
    /// Returns FROM. `self`: the columns around the query.
    pub fn source(&self, tree: &FromTree) -> Result<TranslatedFrom, Refused> {
        match tree {
            FromTree::Named { name: wanted, alias } => {
                let relations = self.relations.as_ref().ok_or("a subquery is not translated")?;
                let found = relations.find(wanted)?;
                let label = alias.as_ref().unwrap_or(&found.name);
                let written = self.written(label)?;
                let sql = match alias.is_some() || written != *label {
                    true => format!("{} AS {}", name(&found.name), name(&written)),
                    false => name(&found.name),
                };
                Ok(self.single(found, label, written, sql))
            }
            FromTree::Query { query, alias } => {
                let found = self.around().rows(query)?;
                // SQLite needs no alias, and no name can refer to this one.
                let label = alias.clone().unwrap_or_else(|| self.new_label());
                let relation = found.relation(&label, &[])?;
                let written = self.written(&label)?;
                let sql = format!("({}) AS {} ({})", found.sql, name(&written), names(&relation.all_names()));
                let from = self.single(&relation, &label, written, sql);
                Ok(TranslatedFrom { can_overflow: found.can_overflow, ..from })
            }
            FromTree::Join(join) => self.join(join),
        }
    }

    /// Returns a scope without columns for a query within FROM or WITH.
    pub fn around(&self) -> Scope {
        let (relations, outer, is_utf16) = (self.relations.clone(), self.outer.clone(), self.is_utf16);
        Scope { relations, outer, subqueries: self.subqueries.clone(), is_utf16, ..Scope::default() }
    }

    fn new_label(&self) -> String {
        let number = self.subqueries.get() + 1;
        self.subqueries.set(number);
        format!("subquery_{number}")
    }

    /// Returns the name of a relation of FROM in the statement for PostgreSQL. A relation of a query around this one may have the same
    /// name: the owner of its rows could not be named here.
    fn written(&self, label: &str) -> Result<String, Refused> {
        let (mut taken, mut around) = (Vec::new(), self.outer.as_deref());
        while let Some(scope) = around {
            taken.extend(scope.members.iter().map(|member| member.written.as_str()));
            around = scope.outer.as_deref();
        }
        match (&self.relations, taken.iter().any(|taken| taken.eq_ignore_ascii_case(label))) {
            (Some(relations), true) => {
                let free = relations.free_name(label, &taken);
                let is_cut_off = free.len() > NAME_BYTES;
                if is_cut_off {
                    Err(format!("a subquery reads {} again, whose name is too long for an alias", name(label)))
                } else {
                    Ok(free)
                }
            }
            _ => Ok(label.to_owned()),
        }
    }

    fn single(&self, relation: &NamedRelation, label: &str, written: String, sql: String) -> TranslatedFrom {
        let of_member = |column: &ScopeColumn| ScopeColumn {
            relation: label.to_owned(),
            written: written.clone(),
            ..column.clone()
        };
        let columns = relation.columns.iter().map(of_member).collect();
        let (label, key, owner) = (label.to_owned(), relation.key.clone(), relation.owner.clone());
        let member = FromMember { label, written, key, owner };
        let scope = Scope { columns, rowid: relation.rowid.clone(), members: vec![member], ..self.around() };
        TranslatedFrom { sql, scope, owners: JoinedOwners::default(), can_overflow: false }
    }

    fn join(&self, tree: &JoinTree) -> Result<TranslatedFrom, Refused> {
        let JoinTree { left, kind, right, condition } = tree;
        let is_nested = matches!(right, FromTree::Join(_));
        let (left, right) = (self.source(left)?, self.source(right)?);
        let mut scope = joined(&left.scope, &right.scope)?;
        let mut conditions = Vec::new();
        let mut overflows = left.can_overflow || right.can_overflow;
        let shared = match condition {
            JoinCondition::Always => Vec::new(),
            JoinCondition::On(on) => {
                for part in on.conjuncts() {
                    let found = scope.argument(part)?.truth()?;
                    overflows |= found.can_overflow;
                    conditions.push(found);
                }
                Vec::new()
            }
            JoinCondition::Using(columns) => columns.clone(),
            JoinCondition::Natural => {
                let visible = |scope: &Scope| -> Vec<String> {
                    let columns = scope.columns.iter().filter(|column| !column.is_hidden);
                    columns.map(|column| column.name.clone()).collect()
                };
                let own = visible(&left.scope);
                let is_shared = |wanted: &String| own.iter().any(|name| name.eq_ignore_ascii_case(wanted));
                visible(&right.scope).into_iter().filter(is_shared).collect()
            }
        };
        if !shared.is_empty() && *kind == JoinKind::Right {
            return Err("a RIGHT join with USING is not translated".to_owned());
        }
        for column in &shared {
            conditions.push(using(&mut scope, &left.scope, &right.scope, column)?);
        }
        let mut pairs = Vec::new();
        conditions.extend(same_owner(&left.scope, &right.scope, *kind, &mut pairs)?);
        let word = match kind {
            JoinKind::Inner => "JOIN",
            JoinKind::Left => "LEFT JOIN",
            JoinKind::Right => "RIGHT JOIN",
        };
        let right_sql = if is_nested { format!("({})", right.sql) } else { right.sql };
        let parts: Vec<String> = conditions.iter().map(Translated::operand).collect();
        let sql = match parts.as_slice() {
            [] if *kind == JoinKind::Inner => format!("{} CROSS JOIN {right_sql}", left.sql),
            [] => format!("{} {word} {right_sql} ON true", left.sql),
            [_] => format!("{} {word} {right_sql} ON {}", left.sql, conditions[0].sql),
            all => format!("{} {word} {right_sql} ON {}", left.sql, all.join(" AND ")),
        };
        let own = conditions.into_iter().map(|condition| condition.sql).collect();
        let on = JoinedOwners { conditions: own, pairs };
        let owners = JoinedOwners::of_join(*kind, [left.owners, right.owners], on);
        Ok(TranslatedFrom { sql, scope, owners, can_overflow: overflows })
    }
}

/// Returns the columns of both sides.
fn joined(left: &Scope, right: &Scope) -> Result<Scope, Refused> {
    let same = |member: &&FromMember| {
        let is_same = |one: &str, other: &str| one.eq_ignore_ascii_case(other);
        let meets =
            |other: &FromMember| is_same(&other.label, &member.label) || is_same(&other.written, &member.written);
        right.members.iter().any(meets)
    };
    if let Some(member) = left.members.iter().find(same) {
        return Err(format!("{} is the name of several tables", name(&member.label)));
    }
    Ok(Scope {
        columns: left.columns.iter().chain(&right.columns).cloned().collect(),
        members: left.members.iter().chain(&right.members).cloned().collect(),
        rowid: None,
        ..left.clone()
    })
}

/// Returns the equality of a column of USING, which is then that of the left side.
fn using(scope: &mut Scope, left: &Scope, right: &Scope, column: &str) -> Result<Translated, Refused> {
    let side = |scope: &Scope| {
        let found = scope.find(None, column)?.ok_or_else(|| format!("there is no column {}", name(column)))?;
        found.unusable.clone().map_or(Ok(()), Err)?;
        scope.value_of(found)
    };
    let (first, second) = (side(left)?, side(right)?);
    let equal = compared(&first, &second, false)?;
    for hidden in scope.columns.iter_mut().filter(|own| own.sql() == second.sql) {
        hidden.is_hidden = true;
    }
    let sql = format!("{} = {}", equal.left, equal.right);
    Ok(Translated::wide(sql, ValueSort::Truth))
}

/// Returns the condition that the rows of both sides have one owner. Notes the pair if the query must compare them itself.
fn same_owner(
    left: &Scope,
    right: &Scope,
    kind: JoinKind,
    pairs: &mut Vec<OwnerPair>,
) -> Result<Option<Translated>, Refused> {
    let first = |scope: &Scope| scope.members.iter().find(|member| member.owner.is_some()).cloned();
    let (one, other) = (first(left), first(right));
    let is_outer = kind != JoinKind::Inner;
    match (one, other) {
        (None, None) => Ok(None),
        (Some(_), _) if kind == JoinKind::Right => Err("a RIGHT join has rows without an owner".to_owned()),
        (None, Some(_)) if is_outer => Err("a LEFT join has rows without an owner".to_owned()),
        (Some(one), Some(other)) => {
            let is_added = |member: &FromMember| member.owner.as_ref().is_some_and(|owner| owner.is_added);
            let sql = |member: &FromMember| member.owner_sql().unwrap_or_default();
            let (left, right) = (sql(&one), sql(&other));
            if is_added(&one) && is_added(&other) {
                let equal = format!("{left} = {right}");
                return Ok(Some(Translated::wide(equal, ValueSort::Truth)));
            }
            pairs.push(OwnerPair { left, right });
            Ok(None)
        }
        _ => Ok(None),
    }
}

impl Scope {
    /// Returns the same scope with further relations.
    pub fn with_relations(&self, relations: Relations) -> Scope {
        Scope { relations: Some(Rc::new(relations)), ..self.clone() }
    }
}
