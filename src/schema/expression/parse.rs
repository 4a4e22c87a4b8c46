//! Reads an expression by the precedence of SQLite's operators.

use super::tree::{
    AggregateTree, BinaryOperator, CallArguments, CaseArm, QueryTree, SqlExpr, UnaryOperator, is_aggregate,
};
use crate::model::cell::RawBuf;
use crate::schema::literals::number;
use crate::schema::tokens::SourceToken;

/// Levels of brackets and operators that are read. SQLite's own limit is 1,000.
const DEPTH: usize = 200;

/// Reads an expression from all of the tokens.
///
/// # Errors
/// The part of SQLite's language that is not translated.
pub fn expression(tokens: &[SourceToken]) -> Result<SqlExpr, String> {
    let mut reader = ExpressionReader { rest: tokens, depth: 0 };
    let found = reader.level(0)?;
    reader.end().map(|()| found)
}

/// Reads a query from all of the tokens.
///
/// # Errors
/// The part of SQLite's language that is not translated.
pub fn query(tokens: &[SourceToken]) -> Result<QueryTree, String> {
    let mut reader = ExpressionReader { rest: tokens, depth: 0 };
    let found = reader.query()?;
    reader.end().map(|()| found)
}

fn shown(token: &SourceToken) -> String {
    match token {
        SourceToken::Word(word) => word.to_ascii_uppercase(),
        SourceToken::Symbol(symbol) => (*symbol).to_owned(),
        _ => "a part of it".to_owned(),
    }
}

/// Operators from the loosest to the tightest level. Levels 0 and 1 are OR and AND, 2 is NOT, 3 the comparisons by equality.
const LEVELS: [&[(&str, BinaryOperator)]; 9] = [
    &[("OR", BinaryOperator::Or)],
    &[("AND", BinaryOperator::And)],
    &[],
    &[
        ("=", BinaryOperator::Equal),
        ("==", BinaryOperator::Equal),
        ("<>", BinaryOperator::NotEqual),
        ("!=", BinaryOperator::NotEqual),
    ],
    &[
        ("<", BinaryOperator::Less),
        ("<=", BinaryOperator::LessOrEqual),
        (">", BinaryOperator::Greater),
        (">=", BinaryOperator::GreaterOrEqual),
    ],
    &[
        ("&", BinaryOperator::BitAnd),
        ("|", BinaryOperator::BitOr),
        ("<<", BinaryOperator::ShiftLeft),
        (">>", BinaryOperator::ShiftRight),
    ],
    &[("+", BinaryOperator::Add), ("-", BinaryOperator::Subtract)],
    &[("*", BinaryOperator::Multiply), ("/", BinaryOperator::Divide), ("%", BinaryOperator::Remainder)],
    &[("||", BinaryOperator::Concatenate)],
];

/// Words that are no name without quotes, and begin no expression that is translated.
const RESERVED: [&str; 26] = [
    "AND",
    "BETWEEN",
    "COLLATE",
    "CURRENT_DATE",
    "CURRENT_TIME",
    "CURRENT_TIMESTAMP",
    "DISTINCT",
    "ELSE",
    "END",
    "ESCAPE",
    "EXISTS",
    "FROM",
    "GLOB",
    "IN",
    "IS",
    "ISNULL",
    "LIKE",
    "MATCH",
    "NOT",
    "NOTNULL",
    "OR",
    "RAISE",
    "REGEXP",
    "SELECT",
    "THEN",
    "WHEN",
];

/// The level of NOT, and that of the comparisons that share a level with `=`.
const NOT: usize = 2;
const EQUALITY: usize = 3;

/// Reads an expression or a query from its first token on.
pub struct ExpressionReader<'t> {
    /// The tokens that are not read yet.
    pub rest: &'t [SourceToken],
    depth: usize,
}

fn boxed(expression: SqlExpr) -> Box<SqlExpr> {
    Box::new(expression)
}

fn not(expression: SqlExpr) -> SqlExpr {
    SqlExpr::Unary(UnaryOperator::Not, boxed(expression))
}

impl<'t> ExpressionReader<'t> {
    /// Returns an error unless every token is read.
    fn end(&self) -> Result<(), String> {
        self.rest.first().map_or(Ok(()), |token| Err(format!("{} is not translated", shown(token))))
    }

    /// Returns true if the n-th token is this word or symbol.
    pub(super) fn is(&self, n: usize, word: &str) -> bool {
        self.rest.get(n).is_some_and(|token| token.is_word(word) || token.is_symbol(word))
    }

    /// Takes the next token if it is this word or symbol.
    pub(super) fn eat(&mut self, word: &str) -> bool {
        let found = self.is(0, word);
        if found {
            self.rest = &self.rest[1..];
        }
        found
    }

    /// Takes the next token, which must be this word or symbol.
    pub(super) fn require(&mut self, word: &str) -> Result<(), String> {
        if self.eat(word) { Ok(()) } else { Err("its form is not known".to_owned()) }
    }

    /// Takes the next token.
    pub(super) fn take(&mut self) -> Result<&'t SourceToken, String> {
        let (first, rest) = self.rest.split_first().ok_or("it ends too early")?;
        self.rest = rest;
        Ok(first)
    }

    /// Reads operands and the operators of a level and of all tighter ones.
    pub(super) fn level(&mut self, level: usize) -> Result<SqlExpr, String> {
        self.deeper(|reader| reader.level_within(level))
    }

    /// Reads one level of brackets, operators or queries more.
    pub(super) fn deeper<T>(&mut self, read: impl FnOnce(&mut Self) -> Result<T, String>) -> Result<T, String> {
        self.depth += 1;
        if self.depth > DEPTH {
            return Err("it has too many levels".to_owned());
        }
        let found = read(self);
        self.depth -= 1;
        found
    }

    fn level_within(&mut self, level: usize) -> Result<SqlExpr, String> {
        let Some(operators) = LEVELS.get(level) else { return self.collated() };
        if level == NOT {
            return if self.eat("NOT") { self.level(NOT).map(not) } else { self.level(EQUALITY) };
        }
        let mut left = self.level(level + 1)?;
        for _ in 0..DEPTH {
            if let Some((_, operator)) = operators.iter().find(|(symbol, _)| self.is(0, symbol)) {
                self.rest = &self.rest[1..];
                let right = self.level(level + 1)?;
                left = SqlExpr::Binary(*operator, boxed(left), boxed(right));
            } else if level == EQUALITY
                && let Some(test) = self.test(&left)?
            {
                left = test;
            } else {
                return Ok(left);
            }
        }
        // Each operator is a level of the tree.
        Err("it has too many operators one after the other".to_owned())
    }

    /// Reads one of the tests that have the level of `=`. `None` if none follows.
    fn test(&mut self, left: &SqlExpr) -> Result<Option<SqlExpr>, String> {
        let operand = || boxed(left.clone());
        if self.eat("ISNULL") {
            return Ok(Some(SqlExpr::IsNull(operand())));
        }
        if self.eat("NOTNULL") {
            return Ok(Some(not(SqlExpr::IsNull(operand()))));
        }
        if self.is(0, "NOT") && self.is(1, "NULL") {
            self.rest = &self.rest[2..];
            return Ok(Some(not(SqlExpr::IsNull(operand()))));
        }
        if self.eat("IS") {
            let mut is_negative = self.eat("NOT");
            if self.is(0, "DISTINCT") && self.is(1, "FROM") {
                self.rest = &self.rest[2..];
                is_negative = !is_negative;
            }
            let right = self.level(EQUALITY + 1)?;
            let operator = if is_negative { BinaryOperator::IsNot } else { BinaryOperator::Is };
            return Ok(Some(SqlExpr::Binary(operator, operand(), boxed(right))));
        }
        let before = self.rest;
        let is_negative = self.eat("NOT");
        let found = if self.eat("BETWEEN") {
            let low = self.level(EQUALITY + 1)?;
            self.require("AND")?;
            let high = self.level(EQUALITY + 1)?;
            SqlExpr::Between(operand(), boxed(low), boxed(high))
        } else if self.eat("IN") {
            self.require("(")?;
            match self.subquery()? {
                Some(query) => SqlExpr::InQuery(operand(), Box::new(query)),
                None => SqlExpr::In(operand(), self.arguments()?),
            }
        } else if self.eat("LIKE") {
            let pattern = self.level(EQUALITY + 1)?;
            let escape = if self.eat("ESCAPE") { Some(boxed(self.level(EQUALITY + 1)?)) } else { None };
            SqlExpr::Like(operand(), boxed(pattern), escape)
        } else if self.eat("GLOB") {
            SqlExpr::Glob(operand(), boxed(self.level(EQUALITY + 1)?))
        } else {
            self.rest = before;
            return Ok(None);
        };
        Ok(Some(if is_negative { not(found) } else { found }))
    }

    /// Reads a list up to its closing bracket.
    fn arguments(&mut self) -> Result<Vec<SqlExpr>, String> {
        let mut found = Vec::new();
        if self.eat(")") {
            return Ok(found);
        }
        loop {
            found.push(self.level(0)?);
            if self.eat(")") {
                return Ok(found);
            }
            self.require(",")?;
        }
    }

    fn collated(&mut self) -> Result<SqlExpr, String> {
        let mut found = self.unary()?;
        while self.eat("COLLATE") {
            let name = self.take()?.name().ok_or("a collation has no name")?.to_ascii_uppercase();
            found = SqlExpr::Collate(boxed(found), name);
        }
        Ok(found)
    }

    fn unary(&mut self) -> Result<SqlExpr, String> {
        let operators = [("-", UnaryOperator::Minus), ("+", UnaryOperator::Plus), ("~", UnaryOperator::BitNot)];
        let Some((_, operator)) = operators.iter().find(|(symbol, _)| self.is(0, symbol)) else {
            return self.primary();
        };
        self.rest = &self.rest[1..];
        if let (UnaryOperator::Minus, Some(SourceToken::Number(digits))) = (operator, self.rest.first()) {
            self.rest = &self.rest[1..];
            return constant(digits, "-");
        }
        self.depth += 1;
        if self.depth > DEPTH {
            return Err("it has too many levels".to_owned());
        }
        let operand = self.unary()?;
        self.depth -= 1;
        Ok(SqlExpr::Unary(*operator, boxed(operand)))
    }

    fn primary(&mut self) -> Result<SqlExpr, String> {
        match self.take()? {
            SourceToken::Number(digits) => constant(digits, ""),
            SourceToken::Text(text) => Ok(SqlExpr::Text(text.clone())),
            SourceToken::Blob(bytes) => Ok(SqlExpr::Blob(bytes.clone())),
            SourceToken::DoubleQuoted(name) => self.name(name, true),
            SourceToken::Name(name) => self.name(name, false),
            SourceToken::Word(word) => self.word(word),
            SourceToken::Symbol("(") => {
                if let Some(query) = self.subquery()? {
                    return Ok(SqlExpr::Scalar(Box::new(query)));
                }
                let mut list = self.arguments()?;
                match (list.pop(), list.is_empty()) {
                    (Some(one), true) => Ok(one),
                    _ => Err("a row of values is not translated".to_owned()),
                }
            }
            token => Err(format!("{} is not translated", shown(token))),
        }
    }

    fn name(&mut self, name: &str, may_be_text: bool) -> Result<SqlExpr, String> {
        if self.eat(".") {
            let column = self.take()?.name().ok_or("its form is not known")?.to_owned();
            if self.is(0, ".") {
                return Err("a name with two points is not translated".to_owned());
            }
            return Ok(SqlExpr::Qualified { relation: name.to_owned(), name: column });
        }
        Ok(SqlExpr::Name { name: name.to_owned(), may_be_text })
    }

    fn word(&mut self, word: &str) -> Result<SqlExpr, String> {
        let capital = word.to_ascii_uppercase();
        match capital.as_str() {
            "NULL" => return Ok(SqlExpr::Null),
            "CASE" => return self.case(),
            "CAST" => return self.cast(),
            "EXISTS" => {
                self.require("(")?;
                let query = self.subquery()?.ok_or("its form is not known")?;
                return Ok(SqlExpr::Exists(Box::new(query)));
            }
            _ if RESERVED.contains(&capital.as_str()) => return Err(format!("{capital} is not translated")),
            _ => {}
        }
        if self.eat("(") {
            return self.called(word.to_ascii_lowercase());
        }
        match capital.as_str() {
            "TRUE" => Ok(SqlExpr::Truth(true)),
            "FALSE" => Ok(SqlExpr::Truth(false)),
            _ => self.name(word, false),
        }
    }

    /// Reads the arguments of a function, and what may follow them.
    fn called(&mut self, function: String) -> Result<SqlExpr, String> {
        let is_distinct = self.eat("DISTINCT");
        let is_all = !is_distinct && self.is(0, "*") && self.is(1, ")");
        if is_all {
            self.eat("*");
        }
        let CallArguments { arguments, order } = self.call_arguments()?;
        let mut filter = None;
        if self.eat("FILTER") {
            self.require("(")?;
            self.require("WHERE")?;
            filter = Some(boxed(self.level(0)?));
            self.require(")")?;
        }
        if self.eat("OVER") {
            if filter.is_some() || is_distinct || !order.is_empty() {
                return Err("FILTER, DISTINCT and ORDER BY before OVER are not translated".to_owned());
            }
            return self.window(function, arguments);
        }
        if !is_distinct && !is_all && filter.is_none() && order.is_empty() {
            return Ok(SqlExpr::Call(function, arguments));
        }
        if !is_aggregate(&function, arguments.len()) {
            return Err(format!("the function {function} is not translated with these words"));
        }
        Ok(SqlExpr::Aggregate(AggregateTree { function, arguments, is_distinct, filter, order }))
    }

    fn case(&mut self) -> Result<SqlExpr, String> {
        let operand = if self.is(0, "WHEN") { None } else { Some(boxed(self.level(0)?)) };
        let mut arms = Vec::new();
        while self.eat("WHEN") {
            let when = self.level(0)?;
            self.require("THEN")?;
            arms.push(CaseArm { when, then: self.level(0)? });
        }
        let otherwise = if self.eat("ELSE") { Some(boxed(self.level(0)?)) } else { None };
        self.require("END")?;
        Ok(SqlExpr::Case(operand, arms, otherwise))
    }

    fn cast(&mut self) -> Result<SqlExpr, String> {
        self.require("(")?;
        let operand = self.level(0)?;
        self.require("AS")?;
        let mut words = Vec::new();
        while !self.eat(")") {
            words.push(self.take()?.name().ok_or("the type of a CAST is not translated")?.to_ascii_uppercase());
        }
        Ok(SqlExpr::Cast(boxed(operand), words.join(" ")))
    }
}

fn constant(digits: &str, sign: &str) -> Result<SqlExpr, String> {
    match number(digits, sign) {
        Some(RawBuf::Integer(value)) => Ok(SqlExpr::Integer(value)),
        Some(RawBuf::Real(value)) => Ok(SqlExpr::Real(value)),
        _ => Err(format!("the number {sign}{digits} is not translated")),
    }
}
