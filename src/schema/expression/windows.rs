//! Windows: numbers and aggregates over rows in an order, whose values do not depend on the order of equal rows.

use super::aggregates::{AggregateForm, require_groupable};
use super::columns::Scope;
use super::order::written;
use super::sorts::{Refused, Translated, ValueSort};
use super::tree::{OrderTree, WindowTree};
use crate::schema::names::name;

/// The terms of ORDER BY within a window or an aggregate.
pub struct OrderedTerms {
    /// ORDER BY for PostgreSQL. Empty: no term orders anything.
    pub sql: String,
    /// The terms under which no different values are equal.
    exact: Vec<String>,
    /// True if arithmetic in a term ends in an error where SQLite returns a double or an infinity.
    pub can_overflow: bool,
}

impl OrderedTerms {
    /// Returns true if a term is this value.
    pub fn has(&self, sql: &str) -> bool {
        self.exact.iter().any(|term| term == sql)
    }
}

impl Scope {
    /// Returns ORDER BY within a window or an aggregate.
    ///
    /// # Errors
    /// If PostgreSQL orders the values of a term in another way.
    pub fn ordered(&self, order: &[OrderTree]) -> Result<OrderedTerms, Refused> {
        let (mut terms, mut exact, mut can_overflow) = (Vec::new(), Vec::new(), false);
        for term in order {
            let found = self.translate(&term.value)?;
            match found.sort {
                ValueSort::Opaque => return Err("its values are ordered in another form in SQLite".to_owned()),
                ValueSort::Text => self.require_order_of_texts(&found.collation)?,
                _ => {}
            }
            can_overflow |= found.can_overflow;
            terms.extend(written(&found, term));
            if ["", "BINARY"].contains(&found.collation.as_str()) {
                exact.push(found.sql);
            }
        }
        let sql = if terms.is_empty() { String::new() } else { format!("ORDER BY {}", terms.join(", ")) };
        Ok(OrderedTerms { sql, exact, can_overflow })
    }

    /// Returns true if rows that the terms do not order do not exist. `equal`: values that all of the rows share.
    pub fn is_total(&self, ordered: &OrderedTerms, equal: &[String]) -> bool {
        let has = |sql: &str| ordered.has(sql) || equal.iter().any(|value| value == sql);
        match &self.grouping {
            Some(grouping) => grouping.keys.iter().all(|key| has(&key.found.sql)),
            None => self.members.iter().all(|member| {
                let of_member = |key: &String| format!("{}.{}", name(&member.written), name(key));
                !member.key.is_empty() && member.key.iter().all(|key| has(&of_member(key)))
            }),
        }
    }

    /// Returns a function over a window.
    pub fn window(&self, tree: &WindowTree) -> Result<Translated, Refused> {
        let WindowTree { function, arguments, partition, order } = tree;
        let (mut rows, mut can_overflow) = (Vec::new(), false);
        for term in partition {
            let found = self.translate(term)?;
            require_groupable(&found)?;
            can_overflow |= found.can_overflow;
            rows.push(found.sql);
        }
        self.divide_by_owner(&mut rows)?;
        let ordered = self.ordered(order)?;
        can_overflow |= ordered.can_overflow;
        let partition = if rows.is_empty() { String::new() } else { format!("PARTITION BY {}", rows.join(", ")) };
        let over = format!(" OVER ({})", [partition, ordered.sql.clone()].join(" ").trim());
        let found = match (function.as_str(), arguments.as_slice()) {
            ("row_number", []) if !self.is_total(&ordered, &rows) => {
                return Err("ORDER BY of a window does not determine the order of its rows".to_owned());
            }
            ("row_number" | "rank" | "dense_rank", []) => {
                Translated::atom(format!("{function}(){over}"), ValueSort::Integer)
            }
            ("count", []) => Translated::atom(format!("count(*){over}"), ValueSort::Integer),
            ("count" | "sum" | "total" | "avg" | "max" | "min", [argument]) => {
                let value = self.translate(argument)?;
                self.require_comparable(function, &value)?;
                AggregateForm { distinct: "", only: &over }.of(function, &value)?.of(&[&value])
            }
            _ => return Err(format!("the function {function} over a window is not translated")),
        };
        Ok(Translated { can_overflow: found.can_overflow || can_overflow, ..found })
    }

    /// Lets no window have rows of several owners.
    fn divide_by_owner(&self, rows: &mut Vec<String>) -> Result<(), Refused> {
        let is_one_group = self.grouping.as_ref().is_some_and(|grouping| grouping.keys.is_empty());
        let Some(member) = self.members.iter().find(|member| member.owner.is_some()).filter(|_| !is_one_group) else {
            return Ok(());
        };
        let (Some(owner), Some(sql)) = (&member.owner, member.owner_sql()) else { return Ok(()) };
        if rows.contains(&sql) {
            return Ok(());
        }
        if !owner.is_added {
            return Err("a window would have rows of all owners".to_owned());
        }
        if let Some(grouping) = &self.grouping {
            let mut determined = grouping.determined.borrow_mut();
            if !determined.contains(&sql) {
                determined.push(sql.clone());
            }
        }
        rows.insert(0, sql);
        Ok(())
    }
}
