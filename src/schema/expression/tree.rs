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
    /// `x COLLATE name`, in capitals
    Collate(Box<SqlExpr>, String),
}
