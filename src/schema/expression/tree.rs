//! Expressions of SQLite as a tree.

/// An operator between two operands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BinaryOperator {
    /// OR
    Or,
    /// AND
    And,
    /// `=` and `==`
    Equal,
    /// `<>` and `!=`
    NotEqual,
    /// `<`
    Less,
    /// `<=`
    LessOrEqual,
    /// `>`
    Greater,
    /// `>=`
    GreaterOrEqual,
    /// IS, IS NOT DISTINCT FROM
    Is,
    /// IS NOT, IS DISTINCT FROM
    IsNot,
    /// `+`
    Add,
    /// `-`
    Subtract,
    /// `*`
    Multiply,
    /// `/`
    Divide,
    /// `%`
    Remainder,
    /// `||`
    Concatenate,
    /// `&`
    BitAnd,
    /// `|`
    BitOr,
    /// `<<`
    ShiftLeft,
    /// `>>`
    ShiftRight,
}

/// An operator before its operand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UnaryOperator {
    /// NOT
    Not,
    /// `-`
    Minus,
    /// `+`
    Plus,
    /// `~`
    BitNot,
}

/// One WHEN of a CASE.
#[derive(Clone, Debug, PartialEq)]
pub struct CaseArm {
    /// The condition, or the value that is compared.
    pub when: SqlExpr,
    /// The result.
    pub then: SqlExpr,
}

/// An expression of SQLite.
#[derive(Clone, Debug, PartialEq)]
pub enum SqlExpr {
    /// NULL
    Null,
    /// A whole number.
    Integer(i64),
    /// A double.
    Real(f64),
    /// A text.
    Text(String),
    /// A blob.
    Blob(Vec<u8>),
    /// TRUE or FALSE, which are 1 and 0.
    Truth(bool),
    /// A word that is a column or, in double quotes, a text.
    Name {
        /// The word.
        name: String,
        /// True if it is a text where no column has the name.
        may_be_text: bool,
    },
    /// An operator before its operand.
    Unary(UnaryOperator, Box<SqlExpr>),
    /// An operator between two operands.
    Binary(BinaryOperator, Box<SqlExpr>, Box<SqlExpr>),
    /// `x IS NULL`
    IsNull(Box<SqlExpr>),
    /// `x BETWEEN low AND high`
    Between(Box<SqlExpr>, Box<SqlExpr>, Box<SqlExpr>),
    /// `x IN (...)`
    In(Box<SqlExpr>, Vec<SqlExpr>),
    /// `x LIKE pattern ESCAPE escape`
    Like(Box<SqlExpr>, Box<SqlExpr>, Option<Box<SqlExpr>>),
    /// `x GLOB pattern`
    Glob(Box<SqlExpr>, Box<SqlExpr>),
    /// CASE with an operand, or with conditions.
    Case(Option<Box<SqlExpr>>, Vec<CaseArm>, Option<Box<SqlExpr>>),
    /// `CAST(x AS type)`
    Cast(Box<SqlExpr>, String),
    /// A call of a function, whose name is in small letters.
    Call(String, Vec<SqlExpr>),
    /// A call of an aggregate with `*`, DISTINCT, ORDER BY or FILTER.
    Aggregate(AggregateTree),
    /// A function with OVER.
    Window(WindowTree),
    /// A column of a named relation.
    Qualified {
        /// The name or the alias of the relation.
        relation: String,
        /// The column.
        name: String,
    },
    /// `EXISTS (SELECT ...)`
    Exists(Box<QueryTree>),
    /// `x IN (SELECT ...)`
    InQuery(Box<SqlExpr>, Box<QueryTree>),
    /// `(SELECT ...)`, which is the value of its first row.
    Scalar(Box<QueryTree>),
    /// `x COLLATE name`, in capitals
    Collate(Box<SqlExpr>, String),
}

/// Returns the place of the value that a number in ORDER BY or GROUP BY names, from 0 on.
pub fn place_of(number: i64) -> Option<usize> {
    usize::try_from(number.checked_sub(1)?).ok()
}

/// A call of an aggregate.
#[derive(Clone, Debug, PartialEq)]
pub struct AggregateTree {
    /// Its name in small letters.
    pub function: String,
    /// Its arguments. Empty: `*`, or none.
    pub arguments: Vec<SqlExpr>,
    /// DISTINCT
    pub is_distinct: bool,
    /// The condition of FILTER.
    pub filter: Option<Box<SqlExpr>>,
    /// ORDER BY within its brackets.
    pub order: Vec<OrderTree>,
}

/// The arguments of a function.
#[derive(Default)]
pub struct CallArguments {
    /// The arguments.
    pub arguments: Vec<SqlExpr>,
    /// ORDER BY after them.
    pub order: Vec<OrderTree>,
}

/// A function over a window.
#[derive(Clone, Debug, PartialEq)]
pub struct WindowTree {
    /// Its name in small letters.
    pub function: String,
    /// Its arguments. Empty: `*`, or none.
    pub arguments: Vec<SqlExpr>,
    /// PARTITION BY
    pub partition: Vec<SqlExpr>,
    /// ORDER BY
    pub order: Vec<OrderTree>,
}

/// A query.
#[derive(Clone, Debug, PartialEq)]
pub struct QueryTree {
    /// Its WITH.
    pub with: Vec<WithTree>,
    /// Its first SELECT.
    pub first: SelectTree,
    /// The SELECTs that UNION and the like add, from left to right.
    pub others: Vec<CompoundTree>,
    /// ORDER BY
    pub order: Vec<OrderTree>,
    /// LIMIT
    pub limit: Option<SqlExpr>,
    /// OFFSET
    pub offset: Option<SqlExpr>,
}

/// A query of WITH.
#[derive(Clone, Debug, PartialEq)]
pub struct WithTree {
    /// Its name.
    pub name: String,
    /// The names of its columns. Empty: those of the query.
    pub columns: Vec<String>,
    /// The query.
    pub query: QueryTree,
}

/// An operator between two SELECTs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CompoundOperator {
    /// UNION
    Union,
    /// UNION ALL
    UnionAll,
    /// INTERSECT
    Intersect,
    /// EXCEPT
    Except,
}

/// A further SELECT of a query.
#[derive(Clone, Debug, PartialEq)]
pub struct CompoundTree {
    /// The operator before it.
    pub operator: CompoundOperator,
    /// The SELECT.
    pub select: SelectTree,
}

/// One SELECT.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SelectTree {
    /// DISTINCT
    pub is_distinct: bool,
    /// The values of a row.
    pub outputs: Vec<OutputTree>,
    /// FROM
    pub from: Option<FromTree>,
    /// WHERE
    pub condition: Option<SqlExpr>,
    /// GROUP BY
    pub groups: Vec<SqlExpr>,
    /// HAVING
    pub having: Option<SqlExpr>,
}

/// A part of the list after SELECT.
#[derive(Clone, Debug, PartialEq)]
pub enum OutputTree {
    /// `*`
    All,
    /// `relation.*`
    AllOf(String),
    /// An expression.
    One {
        /// The expression.
        value: SqlExpr,
        /// The name after AS.
        alias: Option<String>,
    },
}

/// A part of FROM.
#[derive(Clone, Debug, PartialEq)]
pub enum FromTree {
    /// A table, a view or a query of WITH.
    Named {
        /// Its name.
        name: String,
        /// The alias.
        alias: Option<String>,
    },
    /// A subquery.
    Query {
        /// The query.
        query: Box<QueryTree>,
        /// The alias.
        alias: Option<String>,
    },
    /// A join of two parts.
    Join(Box<JoinTree>),
}

/// The kind of a join.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JoinKind {
    /// Every pair that satisfies the condition.
    Inner,
    /// Every row of the left part as well.
    Left,
    /// Every row of the right part as well.
    Right,
}

/// The condition of a join.
#[derive(Clone, Debug, PartialEq)]
pub enum JoinCondition {
    /// There is none.
    Always,
    /// ON
    On(SqlExpr),
    /// USING
    Using(Vec<String>),
    /// NATURAL
    Natural,
}

/// A join.
#[derive(Clone, Debug, PartialEq)]
pub struct JoinTree {
    /// The left part.
    pub left: FromTree,
    /// The kind.
    pub kind: JoinKind,
    /// The right part.
    pub right: FromTree,
    /// The condition.
    pub condition: JoinCondition,
}

/// A term of ORDER BY.
#[derive(Clone, Debug, PartialEq)]
pub struct OrderTree {
    /// The term.
    pub value: SqlExpr,
    /// DESC
    pub is_descending: bool,
    /// NULLS FIRST or NULLS LAST. `None`: neither is written.
    pub nulls_first: Option<bool>,
}

impl SqlExpr {
    /// Returns the parts of the expression. A query has none.
    pub fn parts(&self) -> Vec<&SqlExpr> {
        match self {
            SqlExpr::Unary(_, one) | SqlExpr::IsNull(one) | SqlExpr::Cast(one, _) | SqlExpr::Collate(one, _) => {
                vec![one]
            }
            SqlExpr::InQuery(one, _) => vec![one],
            SqlExpr::Binary(_, left, right) | SqlExpr::Glob(left, right) => vec![left, right],
            SqlExpr::Between(one, low, high) => vec![one, low, high],
            SqlExpr::In(one, list) => std::iter::once(&**one).chain(list).collect(),
            SqlExpr::Like(one, pattern, escape) => [&**one, &**pattern].into_iter().chain(escape.as_deref()).collect(),
            SqlExpr::Case(operand, arms, otherwise) => {
                let arms = arms.iter().flat_map(|arm| [&arm.when, &arm.then]);
                operand.as_deref().into_iter().chain(arms).chain(otherwise.as_deref()).collect()
            }
            SqlExpr::Call(_, arguments) => arguments.iter().collect(),
            SqlExpr::Window(window) => {
                let order = window.order.iter().map(|term| &term.value);
                window.arguments.iter().chain(&window.partition).chain(order).collect()
            }
            SqlExpr::Aggregate(call) => call.arguments.iter().chain(call.filter.as_deref()).collect(),
            _ => Vec::new(),
        }
    }

    /// Returns the conditions that AND combines.
    pub fn conjuncts(&self) -> Vec<&SqlExpr> {
        match self {
            SqlExpr::Binary(BinaryOperator::And, left, right) => {
                left.conjuncts().into_iter().chain(right.conjuncts()).collect()
            }
            other => vec![other],
        }
    }

    /// Returns true if the expression is an aggregate of the rows of its own SELECT, or contains one.
    pub fn has_aggregate(&self) -> bool {
        let is_one = match self {
            SqlExpr::Aggregate(_) => true,
            SqlExpr::Call(function, arguments) => is_aggregate(function, arguments.len()),
            _ => false,
        };
        is_one || self.parts().into_iter().any(SqlExpr::has_aggregate)
    }
}

/// Returns true if a function of this name with so many arguments is an aggregate.
pub fn is_aggregate(function: &str, arguments: usize) -> bool {
    match function {
        "max" | "min" => arguments == 1,
        "count" | "sum" | "total" | "avg" | "group_concat" | "string_agg" | "json_group_array"
        | "json_group_object" => true,
        _ => false,
    }
}
