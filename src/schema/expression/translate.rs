//! Writes an expression for PostgreSQL. The result has the same value for every row, or the expression is refused.
//!
//! SQLite decides by the class of each value, PostgreSQL by the type of each column. So a column takes part only if all of its
//! values are of one class and its affinity changes none of the values with which it is compared.

use super::columns::Scope;
use super::compare::{Compared, collation_of, compared, with_literal_truth};
use super::sorts::{Refused, Translated, ValueSort, as_text, common_ids, unified};
use super::times::{mirrored, with_literal_time};
use super::tree::{BinaryOperator, CaseArm, SqlExpr, UnaryOperator};
use crate::model::hex::hex;
use crate::schema::names::text_literal;

impl Scope {
    /// Returns the expression for PostgreSQL.
    ///
    /// # Errors
    /// The reason why no expression of PostgreSQL has the same value.
    pub fn translate(&self, expression: &SqlExpr) -> Result<Translated, Refused> {
        if let Some(key) = self.group_key(expression) {
            return Ok(key);
        }
        match expression {
            SqlExpr::Null => Ok(Translated::atom("NULL", ValueSort::Null)),
            SqlExpr::Integer(value) => {
                let text = if *value < 0 { format!("({value})") } else { value.to_string() };
                let is_narrow = i32::try_from(*value).is_ok();
                // The smallest number of eight bytes is the negation of one that has no such type.
                let text = if *value == i64::MIN { format!("'{value}'::bigint") } else { text };
                let number = Some(value.to_string());
                Ok(Translated { is_narrow, number, ..Translated::atom(text, ValueSort::Integer) })
            }
            SqlExpr::Real(value) => {
                let number = Some(format!("{value:?}"));
                Ok(Translated { number, ..Translated::atom(format!("'{value:?}'::float8"), ValueSort::Real) })
            }
            SqlExpr::Text(text) if text.contains('\0') => Err("a text contains a NUL".to_owned()),
            SqlExpr::Text(text) => Ok(Translated::atom(text_literal(text), ValueSort::Text)),
            SqlExpr::Blob(bytes) => Ok(Translated::atom(format!("'\\x{}'::bytea", hex(bytes)), ValueSort::Blob)),
            SqlExpr::Truth(value) => match self.column(&value.to_string()) {
                None => Ok(Translated::atom(value.to_string(), ValueSort::Truth)),
                Some(_) => Err(format!("{value} is a column and a word of the language")),
            },
            SqlExpr::Name { name, may_be_text } => self.named(name, *may_be_text),
            SqlExpr::Qualified { relation, name } => self.qualified(relation, name),
            SqlExpr::Exists(query) => self.exists(query),
            SqlExpr::InQuery(operand, query) => self.in_query(operand, query),
            SqlExpr::Scalar(query) => self.scalar(query),
            SqlExpr::Aggregate(call) => self.aggregate(call),
            SqlExpr::Window(window) => self.window(window),
            SqlExpr::Unary(operator, operand) => self.unary(*operator, operand),
            SqlExpr::Binary(operator, left, right) => self.binary(*operator, left, right),
            SqlExpr::IsNull(operand) => {
                let operand = self.translate(operand)?;
                Ok(Translated::wide(format!("{} IS NULL", operand.operand()), ValueSort::Truth).of(&[&operand]))
            }
            SqlExpr::Between(operand, low, high) => {
                let at_least = self.binary(BinaryOperator::GreaterOrEqual, operand, low)?;
                let at_most = self.binary(BinaryOperator::LessOrEqual, operand, high)?;
                let sql = format!("{} AND {}", at_least.operand(), at_most.operand());
                Ok(Translated::wide(sql, ValueSort::Truth).of(&[&at_least, &at_most]))
            }
            SqlExpr::In(operand, list) => self.in_list(operand, list),
            SqlExpr::Like(operand, pattern, escape) => self.like(operand, pattern, escape.as_deref()),
            SqlExpr::Glob(operand, pattern) => self.glob(operand, pattern),
            SqlExpr::Case(operand, arms, otherwise) => self.case(operand.as_deref(), arms, otherwise.as_deref()),
            SqlExpr::Cast(operand, to) => self.cast(operand, to),
            SqlExpr::Call(function, arguments) => self.call(function, arguments),
            SqlExpr::Collate(operand, collation) => self.translate(operand)?.collated(collation),
        }
    }

    /// Returns an operand of a function or an operator that ignores collations.
    ///
    /// # Errors
    /// If it is an id that a mapping shifts, because the result would be another one.
    pub fn argument(&self, expression: &SqlExpr) -> Result<Translated, Refused> {
        let found = self.passed_argument(expression)?;
        found.require_no_id().map(|()| found)
    }

    /// Returns an operand that an operator compares or returns unchanged. It may be an id.
    pub fn passed_argument(&self, expression: &SqlExpr) -> Result<Translated, Refused> {
        let found = self.translate(expression)?;
        if found.is_collated {
            return Err("COLLATE inside of an expression is not translated".to_owned());
        }
        Ok(Translated { collation: String::new(), ..found })
    }

    fn unary(&self, operator: UnaryOperator, operand: &SqlExpr) -> Result<Translated, Refused> {
        match operator {
            UnaryOperator::Plus => self.translate(operand),
            UnaryOperator::Not => {
                if let SqlExpr::IsNull(inner) = operand {
                    let inner = self.translate(inner)?;
                    return Ok(
                        Translated::wide(format!("{} IS NOT NULL", inner.operand()), ValueSort::Truth).of(&[&inner])
                    );
                }
                let operand = self.argument(operand)?.truth()?;
                Ok(Translated::wide(format!("NOT {}", operand.operand()), ValueSort::Truth).of(&[&operand]))
            }
            UnaryOperator::Minus => {
                if let SqlExpr::Real(value) = operand {
                    return self.translate(&SqlExpr::Real(-value));
                }
                let operand = self.argument(operand)?;
                let operand = if operand.sort == ValueSort::Truth { operand.integer()? } else { operand };
                match operand.sort {
                    // SQLite subtracts from zero: the negative of zero is zero, and not the negative zero of a double.
                    ValueSort::Real => {
                        Ok(Translated::wide(format!("0::float8 - {}", operand.operand()), ValueSort::Real)
                            .of(&[&operand]))
                    }
                    ValueSort::Integer | ValueSort::Decimal => {
                        let negative = Translated::wide(format!("- {}", operand.operand()), operand.sort);
                        Ok(Translated { can_overflow: true, is_narrow: operand.is_narrow, ..negative })
                    }
                    other => Err(format!("{} has no negative", other.words())),
                }
            }
            UnaryOperator::BitNot => {
                let operand = self.argument(operand)?.integer()?;
                let found = Translated::wide(format!("~ {}", operand.operand()), ValueSort::Integer).of(&[&operand]);
                Ok(Translated { is_narrow: operand.is_narrow, ..found })
            }
        }
    }

    fn binary(&self, operator: BinaryOperator, left: &SqlExpr, right: &SqlExpr) -> Result<Translated, Refused> {
        use BinaryOperator::{
            And, Concatenate, Equal, Greater, GreaterOrEqual, Is, IsNot, Less, LessOrEqual, NotEqual, Or,
        };
        let word = match operator {
            And | Or => {
                let (left, right) = (self.argument(left)?.truth()?, self.argument(right)?.truth()?);
                let word = if operator == And { "AND" } else { "OR" };
                let sql = format!("{} {word} {}", left.operand(), right.operand());
                return Ok(Translated::wide(sql, ValueSort::Truth).of(&[&left, &right]));
            }
            Concatenate => {
                let (left, right) = (self.argument(left)?, self.argument(right)?);
                let sql = format!("{} || {}", as_text(&left)?, as_text(&right)?);
                return Ok(Translated::wide(sql, ValueSort::Text).of(&[&left, &right]));
            }
            Is | IsNot => return self.is(operator == Is, left, right),
            Equal => "=",
            NotEqual => "<>",
            Less => "<",
            LessOrEqual => "<=",
            Greater => ">",
            GreaterOrEqual => ">=",
            _ => {
                let (left, right) = (self.argument(left)?, self.argument(right)?);
                return left.calculated(operator, &right);
            }
        };
        let texts = [left, right].map(|operand| if let SqlExpr::Text(text) = operand { Some(text) } else { None });
        let (left, right) = (self.translate(left)?, self.translate(right)?);
        match (left.sort, right.sort, texts) {
            (ValueSort::Moment, _, [_, Some(text)]) => return with_literal_time(operator, &left, text),
            (_, ValueSort::Moment, [Some(text), _]) => return with_literal_time(mirrored(operator), &right, text),
            _ => {}
        }
        if left.sort == ValueSort::Null || right.sort == ValueSort::Null {
            return Ok(Translated::atom("NULL::boolean", ValueSort::Truth));
        }
        if let Some(shorter) = with_literal_truth(operator, &left, &right) {
            return Ok(shorter);
        }
        let is_ordered = !matches!(operator, Equal | NotEqual);
        if is_ordered && left.sort == ValueSort::Text && right.sort == ValueSort::Text {
            self.require_order_of_texts(&collation_of(&left, &right))?;
        }
        let compared = compared(&left, &right, is_ordered)?;
        let sql = format!("{} {word} {}", compared.left, compared.right);
        Ok(Translated::wide(sql, ValueSort::Truth).of(&[&left, &right]))
    }

    fn is(&self, is_positive: bool, left: &SqlExpr, right: &SqlExpr) -> Result<Translated, Refused> {
        let negation = if is_positive { "" } else { "NOT " };
        if let SqlExpr::Truth(value) = right {
            let left = self.argument(left)?.truth()?;
            let word = if *value { "TRUE" } else { "FALSE" };
            let sql = format!("{} IS {negation}{word}", left.operand());
            return Ok(Translated::wide(sql, ValueSort::Truth).of(&[&left]));
        }
        let (left, right) = (self.translate(left)?, self.translate(right)?);
        for (one, other) in [(&left, &right), (&right, &left)] {
            if other.sort == ValueSort::Null {
                return Ok(
                    Translated::wide(format!("{} IS {negation}NULL", one.operand()), ValueSort::Truth).of(&[one])
                );
            }
        }
        let compared = compared(&left, &right, false)?;
        let word = if is_positive { "IS NOT DISTINCT FROM" } else { "IS DISTINCT FROM" };
        let sql = format!("{} {word} {}", compared.left, compared.right);
        Ok(Translated::wide(sql, ValueSort::Truth).of(&[&left, &right]))
    }

    fn in_list(&self, operand: &SqlExpr, list: &[SqlExpr]) -> Result<Translated, Refused> {
        if list.is_empty() {
            return Ok(Translated::atom("false", ValueSort::Truth));
        }
        let left = self.translate(operand)?;
        let mut lists: Vec<(String, Vec<String>)> = Vec::new();
        let mut parts = vec![left.clone()];
        for element in list {
            // The operand's collation decides, whatever that of the element is.
            let right = Translated { collation: String::new(), ..self.passed_argument(element)? };
            let compared = match right.sort {
                ValueSort::Null => Compared { left: left.operand(), right: "NULL".to_owned() },
                _ => compared(&left, &right, false)?,
            };
            match lists.iter_mut().find(|(left, _)| *left == compared.left) {
                Some((_, elements)) => elements.push(compared.right),
                None => lists.push((compared.left, vec![compared.right])),
            }
            parts.push(right);
        }
        let tests: Vec<String> = lists.iter().map(|(left, list)| format!("{left} IN ({})", list.join(", "))).collect();
        let parts: Vec<&Translated> = parts.iter().collect();
        Ok(Translated::wide(tests.join(" OR "), ValueSort::Truth).of(&parts))
    }

    fn case(
        &self,
        operand: Option<&SqlExpr>,
        arms: &[CaseArm],
        otherwise: Option<&SqlExpr>,
    ) -> Result<Translated, Refused> {
        let mut results = Vec::new();
        let mut conditions = Vec::new();
        for arm in arms {
            conditions.push(match operand {
                Some(operand) => self.binary(BinaryOperator::Equal, operand, &arm.when)?,
                None => self.argument(&arm.when)?.truth()?,
            });
            results.push(self.passed_argument(&arm.then)?);
        }
        results.extend(otherwise.map(|otherwise| self.passed_argument(otherwise)).transpose()?);
        let ids_of = common_ids(&results)?;
        let (sort, results) = unified(results)?;
        if sort == ValueSort::Null {
            return Ok(Translated::atom("NULL", ValueSort::Null));
        }
        let mut sql = "CASE".to_owned();
        for (condition, result) in conditions.iter().zip(&results) {
            sql.push_str(&format!(" WHEN {} THEN {}", condition.sql, result.sql));
        }
        if let Some(otherwise) = results.get(conditions.len()) {
            sql.push_str(&format!(" ELSE {}", otherwise.sql));
        }
        let is_narrow = sort == ValueSort::Integer && results.iter().all(|result| result.is_narrow);
        let parts: Vec<&Translated> = conditions.iter().chain(&results).collect();
        let found = Translated { is_narrow, ids_of, ..Translated::atom(format!("{sql} END"), sort) };
        Ok(found.of(&parts))
    }

    /// CAST, which keeps the collation of its operand.
    fn cast(&self, operand: &SqlExpr, to: &str) -> Result<Translated, Refused> {
        let operand = self.translate(operand)?;
        if !to.contains("INT") {
            operand.require_no_id()?;
        }
        let (collation, is_collated, ids_of) = (operand.collation.clone(), operand.is_collated, operand.ids_of.clone());
        converted(operand, to).map(|found| Translated { collation, is_collated, ids_of, ..found })
    }
}

/// Returns a value as CAST makes it.
fn converted(operand: Translated, to: &str) -> Result<Translated, Refused> {
    let has = |part: &str| to.contains(part);
    let same = |operand: Translated| Ok(operand);
    let large = "9223372036854775808";
    match operand.sort {
        ValueSort::Null => same(operand),
        ValueSort::Integer | ValueSort::Truth if has("INT") => operand.integer(),
        ValueSort::Real if has("INT") => {
            let x = operand.operand();
            let sql = format!(
                "CASE WHEN {x} >= {large} THEN 9223372036854775807 WHEN {x} <= -{large} THEN '-{large}'::bigint \
                     ELSE trunc({x})::bigint END"
            );
            Ok(Translated::atom(sql, ValueSort::Integer).of(&[&operand]))
        }
        ValueSort::Text if has("INT") && operand.digits.is_some() => {
            let sql = operand.digits.clone().unwrap_or_default();
            Ok(Translated::atom(sql, ValueSort::Integer).of(&[&operand]))
        }
        ValueSort::Text if has("CHAR") || has("CLOB") || has("TEXT") => same(operand),
        ValueSort::Integer | ValueSort::Truth if has("CHAR") || has("CLOB") || has("TEXT") => {
            let whole = operand.integer()?;
            Ok(Translated::atom(format!("{}::text", whole.operand()), ValueSort::Text).of(&[&whole]))
        }
        ValueSort::Blob if has("BLOB") => same(operand),
        ValueSort::Real if has("REAL") || has("FLOA") || has("DOUB") => same(operand),
        ValueSort::Integer if has("REAL") || has("FLOA") || has("DOUB") => {
            Ok(Translated::atom(format!("{}::float8", operand.operand()), ValueSort::Real).of(&[&operand]))
        }
        other => Err(format!("CAST of {} AS {to} reads digits as SQLite does", other.words())),
    }
}
