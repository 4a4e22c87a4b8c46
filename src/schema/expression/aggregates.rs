//! Aggregates whose value does not depend on the order of the rows.

use super::columns::Scope;
use super::sorts::{Refused, Translated, ValueSort, as_text};
use super::tree::{AggregateTree, SqlExpr};
use crate::schema::names::text_literal;

/// Requires that equal values of SQLite are equal in PostgreSQL, and that equal values are the same.
pub fn require_groupable(value: &Translated) -> Result<(), Refused> {
    match value.sort {
        ValueSort::Opaque => Err("its values are compared in another form in SQLite".to_owned()),
        ValueSort::Text if !["", "BINARY"].contains(&value.collation.as_str()) => {
            Err(format!("{} lets different texts be equal", value.collation))
        }
        _ => Ok(()),
    }
}

impl Scope {
    /// Returns an aggregate of the rows of a group.
    pub fn aggregate(&self, call: &AggregateTree) -> Result<Translated, Refused> {
        let AggregateTree { function, arguments, is_distinct, filter, order } = call;
        if self.grouping.is_none() {
            return Err(format!("the aggregate {function} is not translated here"));
        }
        // An aggregate of columns around the query would be one of the query around it.
        let (grouping, outer, aliases) = (None, None, Vec::new());
        let rows = Scope { grouping, outer, aliases, ..self.clone() };
        let filter = match filter {
            Some(condition) => Some(rows.argument(condition)?.truth()?),
            None => None,
        };
        let only = filter.as_ref().map(|one| format!(" FILTER (WHERE {})", one.sql)).unwrap_or_default();
        if !order.is_empty() {
            let found = rows.joined_texts(call, &only)?;
            return Ok(Translated {
                can_overflow: found.can_overflow || filter.is_some_and(|one| one.can_overflow),
                ..found
            });
        }
        let [argument] = arguments.as_slice() else {
            return match (function.as_str(), arguments.as_slice(), is_distinct) {
                ("count", [], false) => Ok(Translated::atom(format!("count(*){only}"), ValueSort::Integer)),
                _ => Err(refused(function)),
            };
        };
        let value = rows.translate(argument)?;
        if *is_distinct {
            require_groupable(&value)?;
        }
        rows.require_comparable(function, &value)?;
        let form = AggregateForm { distinct: if *is_distinct { "DISTINCT " } else { "" }, only: &only };
        let found = form.of(function, &value)?;
        let parts: Vec<&Translated> = std::iter::once(&value).chain(&filter).collect();
        Ok(found.of(&parts))
    }
}

impl Scope {
    /// `group_concat` of texts in an order that determines the result. `only`: FILTER.
    fn joined_texts(&self, call: &AggregateTree, only: &str) -> Result<Translated, Refused> {
        let AggregateTree { function, arguments, is_distinct, order, .. } = call;
        let separator = match (function.as_str(), arguments.as_slice(), is_distinct) {
            ("group_concat", [_], false) => ",",
            ("group_concat" | "string_agg", [_, SqlExpr::Text(separator)], false) if !separator.contains('\0') => {
                separator
            }
            _ => return Err(format!("{function} with ORDER BY is not translated in this form")),
        };
        let value = self.argument(&arguments[0])?;
        let ordered = self.ordered(order)?;
        if !self.is_total(&ordered, &[]) && !ordered.has(&value.sql) {
            return Err(format!("ORDER BY does not determine the order of the parts of {function}"));
        }
        let (text, separator) = (as_text(&value)?, text_literal(separator));
        let sql = format!("string_agg({text}, {separator} {}){only}", ordered.sql);
        let can_overflow = value.can_overflow || ordered.can_overflow;
        Ok(Translated { can_overflow, ..Translated::atom(sql, ValueSort::Text) })
    }

    /// Requires that PostgreSQL finds the same greatest and least text.
    pub fn require_comparable(&self, function: &str, value: &Translated) -> Result<(), Refused> {
        match (function, value.sort) {
            ("max" | "min", ValueSort::Text) => self.require_order_of_texts(&value.collation),
            _ => Ok(()),
        }
    }
}

fn refused(function: &str) -> Refused {
    match function {
        "group_concat" | "string_agg" | "json_group_array" | "json_group_object" => {
            format!("the order of the parts of {function} is not determined")
        }
        _ => format!("the aggregate {function} is not translated for these values"),
    }
}

/// The words around the argument of an aggregate.
pub struct AggregateForm<'a> {
    /// `DISTINCT ` or nothing.
    pub distinct: &'a str,
    /// The words after the argument: FILTER or OVER, or nothing.
    pub only: &'a str,
}

impl AggregateForm<'_> {
    /// Returns the aggregate of a value.
    ///
    /// # Errors
    /// If the value depends on the order of the rows, or has another form in SQLite.
    pub fn of(&self, function: &str, value: &Translated) -> Result<Translated, Refused> {
        let AggregateForm { distinct, only } = self;
        if !matches!(function, "count" | "max" | "min") {
            value.require_no_id()?;
        }
        let call = |name: &str, sql: &str| format!("{name}({distinct}{sql}){only}");
        let sum = || -> Result<String, Refused> {
            match value.sort {
                ValueSort::Integer | ValueSort::Truth => {
                    Ok(format!("({})::bigint", call("sum", &value.integer()?.sql)))
                }
                ValueSort::Real | ValueSort::Decimal => {
                    Err(format!("{function} of numbers that are no integers depends on the order of the rows"))
                }
                _ => Err(refused(function)),
            }
        };
        let overflowing = |sql: String, sort| Translated { can_overflow: true, ..Translated::atom(sql, sort) };
        Ok(match function {
            "count" => Translated::atom(call("count", &value.sql), ValueSort::Integer),
            "sum" => overflowing(sum()?, ValueSort::Integer),
            "total" => overflowing(format!("coalesce({}, 0)::float8", sum()?), ValueSort::Real),
            "avg" => {
                let number = call("count", &value.sql);
                overflowing(format!("({}::float8 / ({number})::float8)", sum()?), ValueSort::Real)
            }
            "max" | "min" => match value.sort {
                ValueSort::Integer | ValueSort::Real | ValueSort::Decimal => {
                    let found = Translated::atom(call(function, &value.sql), value.sort);
                    Translated { is_narrow: value.is_narrow, ids_of: value.ids_of.clone(), ..found }
                }
                ValueSort::Moment => {
                    let found = Translated::atom(call(function, &value.sql), value.sort);
                    Translated { moment: value.moment.clone(), ..found }
                }
                ValueSort::Truth => {
                    let found = Translated::atom(call(function, &value.integer()?.sql), ValueSort::Integer);
                    Translated { is_narrow: true, ..found }
                }
                ValueSort::Text if ["", "BINARY"].contains(&value.collation.as_str()) => {
                    Translated::atom(call(function, &format!("{} COLLATE \"C\"", value.operand())), ValueSort::Text)
                }
                ValueSort::Text => return Err(format!("{function} compares by the collation of a column")),
                _ => return Err(refused(function)),
            },
            _ => return Err(refused(function)),
        })
    }
}
