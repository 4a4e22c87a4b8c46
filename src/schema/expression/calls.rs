//! Calls of SQLite's functions.

use super::columns::Scope;
use super::sorts::{Refused, Translated, ValueSort, common_ids, unified};
use super::tree::{AggregateTree, SqlExpr, is_aggregate};

/// Bytes of the SQL of a call. Some functions repeat their arguments, so that calls within calls become long.
const MOST_BYTES: usize = 1 << 16;

impl Scope {
    /// Returns the call of a function.
    pub fn call(&self, function: &str, arguments: &[SqlExpr]) -> Result<Translated, Refused> {
        if let ("likely" | "unlikely", [one]) | ("likelihood", [one, _]) = (function, arguments) {
            return self.passed_argument(one);
        }
        if is_aggregate(function, arguments.len()) {
            let (function, arguments) = (function.to_owned(), arguments.to_vec());
            let (is_distinct, filter, order) = (false, None, Vec::new());
            return self.aggregate(&AggregateTree { function, arguments, is_distinct, filter, order });
        }
        if matches!(function, "date" | "time" | "datetime" | "strftime" | "unixepoch" | "julianday") {
            return self.function_of_times(function, arguments);
        }
        let returns_argument = matches!(function, "coalesce" | "ifnull" | "iif" | "if");
        let value = |one| if returns_argument { self.passed_argument(one) } else { self.argument(one) };
        let values: Vec<Translated> = arguments.iter().map(value).collect::<Result<_, _>>()?;
        if matches!(function, "max" | "min" | "nullif") {
            self.require_bytes(function, arguments)?;
        }
        let found = match (function, values.as_slice()) {
            ("coalesce", [_, _, ..]) | ("ifnull", [_, _]) => same_class("coalesce", &values)?,
            ("nullif", [left, right]) => unless_equal(left, right)?,
            ("iif" | "if", [condition, then, otherwise]) => chosen(condition, then, otherwise)?,
            ("max" | "min", [_, _, ..]) => extreme(function, &values)?,
            ("abs", [one]) if is_number(one) => {
                let found = Translated::atom(format!("abs({})", one.sql), one.sort);
                Translated { is_narrow: one.is_narrow, can_overflow: true, ..found }
            }
            ("sign", [one]) if is_number(one) => {
                Translated::atom(format!("sign({}::numeric)::bigint", one.operand()), ValueSort::Integer)
            }
            ("round", [one]) => rounded(one)?,
            ("round", [one, places]) if is_whole_rounding(one, places) => rounded(one)?,
            ("round", [_, _]) => {
                return Err(
                    "round to decimal places depends on digits of a double that PostgreSQL does not have".to_owned()
                );
            }
            ("json_valid", [_]) => self.json_valid(arguments)?,
            ("length", [one]) => length(one)?,
            ("typeof", [one]) => type_of(one)?,
            ("hex", [one]) if one.sort == ValueSort::Blob => {
                // SQLite returns an empty text for NULL.
                Translated::atom(format!("coalesce(upper(encode({}, 'hex')), '')", one.sql), ValueSort::Text)
            }
            ("substr" | "substring", [one, ..]) => substring(one, &values[1..])?,
            ("replace", [_, _, _]) => replacement(arguments, &values)?,
            _ => texts(function, &values)?,
        };
        if found.sql.len() > MOST_BYTES {
            return Err("its SQL is too long".to_owned());
        }
        if found.sort == ValueSort::Null {
            return Ok(Translated::atom("NULL", ValueSort::Null));
        }
        let parts: Vec<&Translated> = values.iter().collect();
        Ok(found.of(&parts))
    }
}

impl Scope {
    /// Requires that a function compares its arguments by their bytes, and that PostgreSQL orders them alike.
    fn require_bytes(&self, function: &str, arguments: &[SqlExpr]) -> Result<(), Refused> {
        for one in arguments {
            let value = self.translate(one)?;
            if !["", "BINARY"].contains(&value.collation.as_str()) {
                return Err(format!("{function} compares by the collation of a column"));
            }
            if function != "nullif" && value.sort == ValueSort::Text {
                self.require_order_of_texts("")?;
            }
        }
        Ok(())
    }

    /// `json_valid` of a column whose values are all valid.
    fn json_valid(&self, arguments: &[SqlExpr]) -> Result<Translated, Refused> {
        let column = match arguments {
            [SqlExpr::Name { name, .. }] if self.grouping.is_none() => {
                self.column(name).filter(|column| column.is_json && column.unusable.is_none())
            }
            _ => None,
        };
        let column = column.ok_or("json_valid of anything but a column of jsonb is not translated")?;
        let sql = format!("CASE WHEN {} IS NOT NULL THEN true END", column.sql());
        Ok(Translated::atom(sql, ValueSort::Truth))
    }
}

/// `iif`
fn chosen(condition: &Translated, then: &Translated, otherwise: &Translated) -> Result<Translated, Refused> {
    let condition = condition.truth()?;
    let ids_of = common_ids([then, otherwise])?;
    let (sort, results) = unified(vec![then.clone(), otherwise.clone()])?;
    let is_narrow = results.iter().all(|result| result.is_narrow);
    let sql = format!("CASE WHEN {} THEN {} ELSE {} END", condition.sql, results[0].sql, results[1].sql);
    Ok(Translated { is_narrow, ids_of, ..Translated::atom(sql, sort) }.of(&[&condition]))
}

/// `nullif`
fn unless_equal(left: &Translated, right: &Translated) -> Result<Translated, Refused> {
    let (sort, both) = unified(vec![left.clone(), right.clone()])?;
    let sql = format!("nullif({}, {})", both[0].sql, both[1].sql);
    Ok(Translated { is_narrow: both[0].is_narrow, ..Translated::atom(sql, sort) })
}

fn is_number(value: &Translated) -> bool {
    matches!(value.sort, ValueSort::Integer | ValueSort::Real | ValueSort::Decimal)
}

/// A function whose result is one of its arguments.
fn same_class(function: &str, values: &[Translated]) -> Result<Translated, Refused> {
    let ids_of = common_ids(values)?;
    let (sort, values) = unified(values.to_vec())?;
    let is_narrow = values.iter().all(|value| value.is_narrow);
    let list: Vec<&str> = values.iter().map(|value| value.sql.as_str()).collect();
    Ok(Translated { is_narrow, ids_of, ..Translated::atom(format!("{function}({})", list.join(", ")), sort) })
}

/// `max` and `min` of several values, which are NULL if one of them is.
fn extreme(function: &str, values: &[Translated]) -> Result<Translated, Refused> {
    let (sort, values) = unified(values.to_vec())?;
    if matches!(sort, ValueSort::Null | ValueSort::Truth) {
        return Err("the greatest of booleans is not translated".to_owned());
    }
    let nulls: Vec<String> = values.iter().map(|value| format!("{} IS NULL", value.operand())).collect();
    let list: Vec<String> = values
        .iter()
        .map(
            |value| {
                if sort == ValueSort::Text { format!("{} COLLATE \"C\"", value.operand()) } else { value.sql.clone() }
            },
        )
        .collect();
    let own = if function == "max" { "greatest" } else { "least" };
    let is_narrow = values.iter().all(|value| value.is_narrow);
    let sql = format!("CASE WHEN {} THEN NULL ELSE {own}({}) END", nulls.join(" OR "), list.join(", "));
    Ok(Translated { is_narrow, ..Translated::atom(sql, sort) })
}

/// `round` to a whole number, which is a double. SQLite adds a half and cuts the fraction of a number that has one: it has no negative
/// zero, which the addition of zero takes away.
fn rounded(value: &Translated) -> Result<Translated, Refused> {
    let x = match value.sort {
        ValueSort::Real => value.operand(),
        ValueSort::Decimal => format!("{}::float8", value.operand()),
        ValueSort::Integer | ValueSort::Truth => {
            return Ok(Translated::atom(format!("{}::float8", value.integer()?.operand()), ValueSort::Real));
        }
        _ => return Err("round of anything but a number is not translated".to_owned()),
    };
    let sql = format!(
        "CASE WHEN abs({x}) <= 4503599627370496 THEN trunc({x} + CASE WHEN {x} < 0 THEN -0.5 ELSE 0.5 END::float8) + 0 \
         ELSE {x} END"
    );
    Ok(Translated::atom(sql, ValueSort::Real))
}

/// Returns true if `round` to a literal number of places is that to a whole number. A negative number of places counts as 0.
fn is_whole_rounding(value: &Translated, places: &Translated) -> bool {
    let places = places.number.as_deref().and_then(|number| number.parse::<i64>().ok());
    places.is_some_and(|places| places <= 0 || matches!(value.sort, ValueSort::Integer | ValueSort::Truth))
}

fn length(value: &Translated) -> Result<Translated, Refused> {
    let sql = match value.sort {
        ValueSort::Text => format!("length({})", value.sql),
        ValueSort::Blob => format!("octet_length({})", value.sql),
        ValueSort::Integer => format!("length({}::text)", value.operand()),
        _ => return Err("the length of such a value depends on its digits".to_owned()),
    };
    Ok(Translated { is_narrow: true, ..Translated::atom(sql, ValueSort::Integer) })
}

fn type_of(value: &Translated) -> Result<Translated, Refused> {
    let class = match value.sort {
        ValueSort::Integer | ValueSort::Truth => "integer",
        ValueSort::Real => "real",
        ValueSort::Text | ValueSort::Moment => "text",
        ValueSort::Blob => "blob",
        _ => return Err("its values have several classes in SQLite".to_owned()),
    };
    let sql = format!("CASE WHEN {} IS NULL THEN 'null' ELSE '{class}' END", value.operand());
    Ok(Translated::atom(sql, ValueSort::Text))
}

/// `substr` from a literal place.
fn substring(value: &Translated, rest: &[Translated]) -> Result<Translated, Refused> {
    if value.sort != ValueSort::Text {
        return Err("a part of anything but a text is not translated".to_owned());
    }
    let literals: Option<Vec<i64>> =
        rest.iter().map(|one| one.number.as_deref().and_then(|number| number.parse().ok())).collect();
    let most = i64::from(i32::MAX) / 2;
    let sql = match literals.as_deref() {
        Some([from]) if (1..most).contains(from) => format!("substr({}, {from})", value.sql),
        Some([from]) if (-most..0).contains(from) => format!("right({}, {})", value.sql, -from),
        Some([from, length]) if (1..most).contains(from) && (0..most).contains(length) => {
            format!("substr({}, {from}, {length})", value.sql)
        }
        _ => return Err("the place of substr is no literal that both count alike".to_owned()),
    };
    Ok(Translated::atom(sql, ValueSort::Text))
}

/// `replace`, which returns the whole if the part is empty, even if the replacement is NULL.
fn replacement(arguments: &[SqlExpr], values: &[Translated]) -> Result<Translated, Refused> {
    let [whole, part, by] = values else { return Err("replace has three arguments".to_owned()) };
    if values.iter().any(|value| value.sort != ValueSort::Text) {
        return Err("replace of anything but texts is not translated".to_owned());
    }
    let sql = format!("replace({}, {}, {})", whole.sql, part.sql, by.sql);
    let is_literal = |n: usize| matches!(arguments.get(n), Some(SqlExpr::Text(text)) if n == 2 || !text.is_empty());
    if is_literal(1) || is_literal(2) {
        return Ok(Translated::atom(sql, ValueSort::Text));
    }
    let (whole, part) = (&whole.sql, part.operand());
    Ok(Translated::atom(format!("CASE WHEN {part} = '' THEN {whole} ELSE {sql} END"), ValueSort::Text))
}

/// Functions of texts alone.
fn texts(function: &str, values: &[Translated]) -> Result<Translated, Refused> {
    let refused = || format!("the function {function} is not translated for these values");
    if values.is_empty() || values.iter().any(|value| value.sort != ValueSort::Text) {
        return Err(refused());
    }
    let list: Vec<&str> = values.iter().map(|value| value.sql.as_str()).collect();
    let text = |sql: String| Translated::atom(sql, ValueSort::Text);
    Ok(match (function, list.as_slice()) {
        ("lower" | "upper", [_]) => text(format!("{function}({} COLLATE \"C\")", values[0].operand())),
        ("trim", [one]) => text(format!("btrim({one})")),
        ("trim", [one, all]) => text(format!("btrim({one}, {all})")),
        ("ltrim" | "rtrim", [_] | [_, _]) => text(format!("{function}({})", list.join(", "))),
        ("instr", [whole, part]) => {
            let found = Translated::atom(format!("strpos({whole}, {part})"), ValueSort::Integer);
            Translated { is_narrow: true, ..found }
        }
        ("unicode", [_]) => {
            let found = Translated::atom(format!("nullif(ascii({}), 0)", list[0]), ValueSort::Integer);
            Translated { is_narrow: true, ..found }
        }
        _ => return Err(refused()),
    })
}
