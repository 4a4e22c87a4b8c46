//! Reads a query: SELECT with its clauses, joins, UNION and the like, WITH.

use super::parse::ExpressionReader;
use super::tree::{
    CallArguments, CompoundOperator, CompoundTree, FromTree, JoinCondition, JoinKind, JoinTree, OrderTree, OutputTree,
    QueryTree, SelectTree, SqlExpr, WindowTree, WithTree,
};
use crate::schema::tokens::SourceToken;

/// Words that follow a value or a relation, and are no alias of it without AS.
const AFTER: [&str; 26] = [
    "AS",
    "ASC",
    "CROSS",
    "DESC",
    "EXCEPT",
    "FROM",
    "FULL",
    "GROUP",
    "HAVING",
    "INDEXED",
    "INNER",
    "INTERSECT",
    "JOIN",
    "LEFT",
    "LIMIT",
    "NATURAL",
    "NOT",
    "NULLS",
    "OFFSET",
    "ON",
    "ORDER",
    "RIGHT",
    "UNION",
    "USING",
    "WHERE",
    "WINDOW",
];

/// Rows of VALUES that are translated.
const MOST_ROWS: usize = 500;

/// The words before JOIN.
struct JoinWords {
    kind: JoinKind,
    is_natural: bool,
}

impl ExpressionReader<'_> {
    /// Reads a query and its closing bracket, if one begins here.
    pub fn subquery(&mut self) -> Result<Option<QueryTree>, String> {
        if !["SELECT", "WITH", "VALUES"].iter().any(|word| self.is(0, word)) {
            return Ok(None);
        }
        let query = self.query()?;
        self.require(")")?;
        Ok(Some(query))
    }

    /// Reads a query.
    pub fn query(&mut self) -> Result<QueryTree, String> {
        self.deeper(|reader| reader.query_within())
    }

    fn query_within(&mut self) -> Result<QueryTree, String> {
        let with = if self.eat("WITH") { self.with()? } else { Vec::new() };
        let (first, mut others) = self.select_or_values()?;
        while let Some(operator) = self.compound() {
            let (select, rows) = self.select_or_values()?;
            if !rows.is_empty() && operator != CompoundOperator::UnionAll {
                return Err("VALUES of several rows after UNION, INTERSECT or EXCEPT is not translated".to_owned());
            }
            others.push(CompoundTree { operator, select });
            others.extend(rows);
        }
        let mut order = Vec::new();
        if self.eat("ORDER") {
            self.require("BY")?;
            order = self.listed(Self::order_term)?;
        }
        let (mut limit, mut offset) = (None, None);
        if self.eat("LIMIT") {
            limit = Some(self.level(0)?);
            if self.eat("OFFSET") {
                offset = Some(self.level(0)?);
            } else if self.eat(",") {
                // The first of the two numbers is the offset.
                offset = limit.replace(self.level(0)?);
            }
        }
        Ok(QueryTree { with, first, others, order, limit, offset })
    }

    /// Reads a SELECT, or VALUES as a SELECT with the further rows.
    fn select_or_values(&mut self) -> Result<(SelectTree, Vec<CompoundTree>), String> {
        if !self.eat("VALUES") {
            return Ok((self.select()?, Vec::new()));
        }
        let mut rows = self.listed(Self::row_of_values)?;
        if rows.len() > MOST_ROWS {
            return Err(format!("VALUES has more than {MOST_ROWS} rows"));
        }
        let first = rows.remove(0);
        let further = |select| CompoundTree { operator: CompoundOperator::UnionAll, select };
        Ok((first, rows.into_iter().map(further).collect()))
    }

    /// Reads one row of VALUES, whose columns SQLite numbers.
    fn row_of_values(&mut self) -> Result<SelectTree, String> {
        self.require("(")?;
        let values = self.listed(|reader| reader.level(0))?;
        self.require(")")?;
        let output = |(n, value)| OutputTree::One { value, alias: Some(format!("column{}", n + 1)) };
        Ok(SelectTree { outputs: values.into_iter().enumerate().map(output).collect(), ..SelectTree::default() })
    }

    /// Reads the arguments of a function up to the closing bracket.
    pub(super) fn call_arguments(&mut self) -> Result<CallArguments, String> {
        let mut found = CallArguments::default();
        if self.eat(")") {
            return Ok(found);
        }
        found.arguments = self.listed(|reader| reader.level(0))?;
        if self.eat("ORDER") {
            self.require("BY")?;
            found.order = self.listed(Self::order_term)?;
        }
        self.require(")")?;
        Ok(found)
    }

    /// Reads the window after OVER.
    pub(super) fn window(&mut self, function: String, arguments: Vec<SqlExpr>) -> Result<SqlExpr, String> {
        if !self.eat("(") {
            return Err("a window with a name is not translated".to_owned());
        }
        let mut window = WindowTree { function, arguments, partition: Vec::new(), order: Vec::new() };
        if self.eat("PARTITION") {
            self.require("BY")?;
            window.partition = self.listed(|reader| reader.level(0))?;
        }
        if self.eat("ORDER") {
            self.require("BY")?;
            window.order = self.listed(Self::order_term)?;
        }
        if !self.eat(")") {
            return Err("a window with a frame or the name of another one is not translated".to_owned());
        }
        Ok(SqlExpr::Window(window))
    }

    fn listed<T>(&mut self, mut read: impl FnMut(&mut Self) -> Result<T, String>) -> Result<Vec<T>, String> {
        let mut found = vec![read(self)?];
        while self.eat(",") {
            found.push(read(self)?);
        }
        Ok(found)
    }

    fn named(&mut self) -> Result<String, String> {
        Ok(self.take()?.name().ok_or("its form is not known")?.to_owned())
    }

    /// Reads names in brackets. Empty: no bracket follows.
    fn names(&mut self) -> Result<Vec<String>, String> {
        if !self.eat("(") {
            return Ok(Vec::new());
        }
        let names = self.listed(Self::named)?;
        self.require(")")?;
        Ok(names)
    }

    fn with(&mut self) -> Result<Vec<WithTree>, String> {
        self.eat("RECURSIVE");
        self.listed(|reader| {
            let name = reader.named()?;
            let columns = reader.names()?;
            reader.require("AS")?;
            reader.eat("NOT");
            reader.eat("MATERIALIZED");
            reader.require("(")?;
            let query = reader.subquery()?.ok_or("its form is not known")?;
            Ok(WithTree { name, columns, query })
        })
    }

    fn compound(&mut self) -> Option<CompoundOperator> {
        if self.eat("UNION") {
            return Some(if self.eat("ALL") { CompoundOperator::UnionAll } else { CompoundOperator::Union });
        }
        if self.eat("INTERSECT") {
            return Some(CompoundOperator::Intersect);
        }
        self.eat("EXCEPT").then_some(CompoundOperator::Except)
    }

    fn select(&mut self) -> Result<SelectTree, String> {
        self.require("SELECT")?;
        let is_distinct = self.eat("DISTINCT");
        if !is_distinct {
            self.eat("ALL");
        }
        let mut found = SelectTree { is_distinct, outputs: self.listed(Self::output)?, ..SelectTree::default() };
        if self.eat("FROM") {
            found.from = Some(self.from()?);
        }
        if self.eat("WHERE") {
            found.condition = Some(self.level(0)?);
        }
        if self.eat("GROUP") {
            self.require("BY")?;
            found.groups = self.listed(|reader| reader.level(0))?;
        }
        if self.eat("HAVING") {
            found.having = Some(self.level(0)?);
        }
        if self.is(0, "WINDOW") {
            return Err("a window with a name is not translated".to_owned());
        }
        Ok(found)
    }

    fn output(&mut self) -> Result<OutputTree, String> {
        if self.eat("*") {
            return Ok(OutputTree::All);
        }
        if self.is(1, ".") && self.is(2, "*") {
            let relation = self.named()?;
            self.rest = &self.rest[2..];
            return Ok(OutputTree::AllOf(relation));
        }
        let value = self.level(0)?;
        Ok(OutputTree::One { value, alias: self.alias()? })
    }

    fn alias(&mut self) -> Result<Option<String>, String> {
        if self.eat("AS") {
            return self.named().map(Some);
        }
        let is_alias = match self.rest.first() {
            Some(SourceToken::Word(word)) => !AFTER.iter().any(|after| word.eq_ignore_ascii_case(after)),
            Some(SourceToken::Name(_) | SourceToken::DoubleQuoted(_) | SourceToken::Text(_)) => true,
            _ => false,
        };
        if is_alias { self.named().map(Some) } else { Ok(None) }
    }

    fn from(&mut self) -> Result<FromTree, String> {
        let mut left = self.relation()?;
        while let Some(JoinWords { kind, is_natural }) = self.join_words()? {
            let right = self.relation()?;
            let condition = if is_natural {
                JoinCondition::Natural
            } else if self.eat("ON") {
                JoinCondition::On(self.level(0)?)
            } else if self.eat("USING") {
                JoinCondition::Using(self.names()?)
            } else {
                JoinCondition::Always
            };
            left = FromTree::Join(Box::new(JoinTree { left, kind, right, condition }));
        }
        Ok(left)
    }

    fn join_words(&mut self) -> Result<Option<JoinWords>, String> {
        if self.eat(",") {
            return Ok(Some(JoinWords { kind: JoinKind::Inner, is_natural: false }));
        }
        let is_natural = self.eat("NATURAL");
        let mut kind = JoinKind::Inner;
        if self.is(0, "FULL") {
            return Err("a FULL join is not translated".to_owned());
        } else if self.eat("LEFT") {
            kind = JoinKind::Left;
            self.eat("OUTER");
        } else if self.eat("RIGHT") {
            kind = JoinKind::Right;
            self.eat("OUTER");
        } else if !self.eat("INNER") && !self.eat("CROSS") && !self.is(0, "JOIN") {
            return if is_natural { Err("its form is not known".to_owned()) } else { Ok(None) };
        }
        self.require("JOIN")?;
        Ok(Some(JoinWords { kind, is_natural }))
    }

    fn relation(&mut self) -> Result<FromTree, String> {
        if self.eat("(") {
            if let Some(query) = self.subquery()? {
                return Ok(FromTree::Query { query: Box::new(query), alias: self.alias()? });
            }
            let inner = self.deeper(|reader| reader.from())?;
            self.require(")")?;
            return match self.alias()? {
                None => Ok(inner),
                Some(_) => Err("the alias of a join is not translated".to_owned()),
            };
        }
        let mut name = self.named()?;
        if self.eat(".") {
            if !name.eq_ignore_ascii_case("main") {
                return Err(format!("{name} is another database"));
            }
            name = self.named()?;
        }
        if self.is(0, "(") {
            return Err(format!("the table {name} is a function"));
        }
        let alias = self.alias()?;
        if self.eat("INDEXED") {
            self.require("BY")?;
            self.named()?;
        } else if self.is(0, "NOT") && self.is(1, "INDEXED") {
            self.rest = &self.rest[2..];
        }
        Ok(FromTree::Named { name, alias })
    }

    fn order_term(&mut self) -> Result<OrderTree, String> {
        let value: SqlExpr = self.level(0)?;
        let is_descending = self.eat("DESC");
        if !is_descending {
            self.eat("ASC");
        }
        let mut nulls_first = None;
        if self.eat("NULLS") {
            nulls_first = Some(self.eat("FIRST"));
            if nulls_first == Some(false) {
                self.require("LAST")?;
            }
        }
        Ok(OrderTree { value, is_descending, nulls_first })
    }
}
