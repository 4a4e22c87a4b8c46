//! Aggregates whose value does not depend on the order of the rows.

use super::columns::Scope;
use super::sorts::{Refused, Translated, ValueSort};
use super::tree::AggregateTree;

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
        let AggregateTree { function, arguments, is_distinct, filter } = call;
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
        let form = AggregateForm { distinct: if *is_distinct { "DISTINCT " } else { "" }, only: &only };
        let found = form.of(function, &value)?;
        let parts: Vec<&Translated> = std::iter::once(&value).chain(&filter).collect();
        Ok(found.of(&parts))
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
struct AggregateForm<'a> {
    distinct: &'a str,
    only: &'a str,
}

impl AggregateForm<'_> {
    fn of(&self, function: &str, value: &Translated) -> Result<Translated, Refused> {
        let AggregateForm { distinct, only } = self;
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
                    Translated { is_narrow: value.is_narrow, ..found }
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
