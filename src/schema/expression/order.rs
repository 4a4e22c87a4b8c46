//! ORDER BY and LIMIT. SQLite orders texts by their bytes, and NULL before every value.

use super::columns::{OwnerOfRow, ScopeColumn};
use super::select::{TranslatedSelect, is_constant};
use super::sorts::{Refused, Translated, ValueSort};
use super::tree::{OrderTree, QueryTree, SqlExpr, place_of};
use crate::schema::names::{name, names};

/// The name of the rows that ORDER BY sorts, where PostgreSQL cannot sort them by an expression.
const ROWS: &str = "all_rows";

/// LIMIT and OFFSET.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Limited {
    /// The rows that are kept. `None`: all.
    pub rows: Option<u64>,
    /// The rows before them.
    pub before: u64,
}

impl Limited {
    /// Returns the limit of a query. `None`: it has none.
    pub fn read(tree: &QueryTree) -> Result<Option<Limited>, Refused> {
        let Some(limit) = &tree.limit else { return Ok(None) };
        let number = |expression: &SqlExpr| match expression {
            SqlExpr::Integer(number) => Ok(*number),
            _ => Err("its LIMIT is no literal".to_owned()),
        };
        // A negative limit is none, and a negative offset is zero.
        let rows = u64::try_from(number(limit)?).ok();
        let before =
            tree.offset.as_ref().map(number).transpose()?.map_or(0, |before| u64::try_from(before).unwrap_or(0));
        Ok((rows.is_some() || before > 0).then_some(Limited { rows, before }))
    }
}

/// The rows that ORDER BY sorts.
pub struct OrderedRows<'a> {
    /// The first SELECT.
    pub first: &'a TranslatedSelect,
    /// The columns.
    pub columns: &'a [ScopeColumn],
    /// The column of the owner.
    pub owner: Option<&'a OwnerOfRow>,
    /// True if only the columns of the rows can sort them: after DISTINCT, UNION and the like.
    pub is_wrapped: bool,
}

/// ORDER BY for PostgreSQL.
pub struct TranslatedOrder {
    /// The terms.
    terms: Vec<String>,
    /// The columns of the wrapped rows. `None`: they are not wrapped.
    wrapped: Option<Vec<String>>,
    /// True if a term has another form in SQLite.
    pub is_by_other_form: bool,
    /// True if arithmetic in a term ends in an error where SQLite returns a double or an infinity.
    pub can_overflow: bool,
}

/// A term, and the column of the rows that it is.
struct OrderTerm {
    found: Translated,
    column: Option<usize>,
}

impl TranslatedOrder {
    /// Returns the rows in this order.
    pub fn applied(&self, rows: String, limited: Option<&Limited>) -> String {
        let mut sql = rows;
        if !self.terms.is_empty() {
            if let Some(columns) = &self.wrapped {
                let all: Vec<String> = columns.iter().map(|column| format!("{ROWS}.{}", name(column))).collect();
                sql = format!("SELECT {} FROM ({sql}) AS {ROWS} ({})", all.join(", "), names(columns));
            }
            sql.push_str(&format!(" ORDER BY {}", self.terms.join(", ")));
        }
        if let Some(Limited { rows, before }) = limited {
            sql.push_str(&rows.map(|rows| format!(" LIMIT {rows}")).unwrap_or_default());
            if *before > 0 {
                sql.push_str(&format!(" OFFSET {before}"));
            }
        }
        sql
    }
}

impl OrderedRows<'_> {
    /// Returns ORDER BY.
    ///
    /// # Errors
    /// If it does not determine the rows that LIMIT keeps.
    pub fn order(&self, tree: &QueryTree, limited: Option<&Limited>) -> Result<TranslatedOrder, Refused> {
        let owner = self.owner.iter().filter(|owner| owner.is_added).map(|owner| owner.name.clone());
        let all = owner.chain(self.columns.iter().map(|column| column.name.clone())).collect();
        let wrapped = self.is_wrapped.then_some(all);
        let mut order = TranslatedOrder { terms: Vec::new(), wrapped, is_by_other_form: false, can_overflow: false };
        let (mut sorted, mut other_order) = (Vec::new(), Ok(()));
        for term in &tree.order {
            let found = self.term(&term.value)?;
            let other = self.other_order(&found.found);
            order.is_by_other_form |= other.is_err();
            other_order = other_order.and(other);
            order.can_overflow |= found.found.can_overflow;
            order.terms.extend(written(&found.found, term));
            sorted.push(found);
        }
        if limited.is_some() && (self.is_wrapped || !self.first.is_one_group) {
            other_order.map_err(|why| format!("LIMIT keeps rows by their order: {why}"))?;
            if !self.is_determined(&sorted) {
                return Err("ORDER BY does not determine the rows that LIMIT keeps".to_owned());
            }
        }
        Ok(order)
    }

    /// Requires that PostgreSQL orders the values of a term as SQLite does.
    fn other_order(&self, found: &Translated) -> Result<(), Refused> {
        match found.sort {
            ValueSort::Opaque => Err("the values have another form in SQLite".to_owned()),
            ValueSort::Text => self.first.scope.require_order_of_texts(&found.collation),
            _ => Ok(()),
        }
    }

    /// Returns a term. Like SQLite, it looks for a name or a number of a value within COLLATE, which then changes the order.
    fn term(&self, term: &SqlExpr) -> Result<OrderTerm, Refused> {
        let is_alias = |wanted: &String| {
            let is_it = |name: &String| name.eq_ignore_ascii_case(wanted);
            self.first.values.iter().position(|value| value.is_named && value.name.as_ref().is_some_and(is_it))
        };
        let (inner, collation) = within_collate(term);
        let place = match inner {
            SqlExpr::Integer(number) => {
                let place = place_of(*number).filter(|place| *place < self.columns.len());
                Some(place.ok_or("a term of ORDER BY is no column")?)
            }
            // The name of a value precedes that of a column.
            SqlExpr::Name { name, .. } if is_alias(name).is_some() => is_alias(name),
            _ => {
                self.first.values.iter().position(|value| value.expression == *term).or_else(|| self.same_value(inner))
            }
        };
        if let Some(place) = place {
            let (value, column) = (&self.first.values[place], &self.columns[place]);
            let found = match self.is_wrapped {
                true => column.value(format!("{ROWS}.{}", name(&column.name))),
                false => value.found.clone(),
            };
            let is_other = column.unusable.is_some() && found.sort != ValueSort::Null;
            let found = Translated { sort: if is_other { ValueSort::Opaque } else { found.sort }, ..found };
            let is_whole = value.expression == *term;
            let found = match collation.filter(|_| !is_whole) {
                Some(collation) => found.collated(collation)?,
                None => found,
            };
            return Ok(OrderTerm { found, column: Some(place) });
        }
        if self.is_wrapped {
            return Err("a term of ORDER BY is no column of the result".to_owned());
        }
        Ok(OrderTerm { found: self.computed(term)?, column: None })
    }

    /// Returns the value of an expression for each row.
    fn computed(&self, term: &SqlExpr) -> Result<Translated, Refused> {
        let scope = &self.first.scope;
        match scope.passed(term) {
            Some(column) => {
                let value = scope.value_of(column)?;
                let sort = if column.unusable.is_some() { ValueSort::Opaque } else { value.sort };
                Ok(Translated { sort, ..value })
            }
            None => scope.translate(term),
        }
    }

    /// Returns the place of the value that an expression is, written in another way.
    fn same_value(&self, term: &SqlExpr) -> Option<usize> {
        let found = self.computed(term).ok()?;
        let is_it = |own: &Translated| own.sql == found.sql && own.collation == found.collation;
        self.first.values.iter().position(|value| is_it(&value.found))
    }

    /// Returns true if rows that the terms do not order are equal, or if there are none.
    fn is_determined(&self, sorted: &[OrderTerm]) -> bool {
        let is_exact = |term: &&OrderTerm| ["", "BINARY"].contains(&term.found.collation.as_str());
        let exact: Vec<&OrderTerm> = sorted.iter().filter(is_exact).collect();
        let has_column = |n: usize| exact.iter().any(|term| term.column == Some(n));
        let has = |sql: &str| exact.iter().any(|term| term.found.sql == sql);
        if (0..self.columns.len()).all(has_column) {
            return true;
        }
        if self.is_wrapped {
            return false;
        }
        let scope = &self.first.scope;
        match &scope.grouping {
            Some(grouping) => grouping.keys.iter().all(|key| has(&key.found.sql)),
            None => scope.members.iter().all(|member| {
                let of_member = |key: &String| format!("{}.{}", name(&member.written), name(key));
                !member.key.is_empty() && member.key.iter().all(|key| has(&of_member(key)))
            }),
        }
    }
}

/// Returns an expression without the COLLATE around it, and the outermost collation.
fn within_collate(term: &SqlExpr) -> (&SqlExpr, Option<&str>) {
    let (mut inner, mut outermost) = (term, None);
    while let SqlExpr::Collate(operand, collation) = inner {
        outermost = outermost.or(Some(collation.as_str()));
        inner = operand;
    }
    (inner, outermost)
}

/// Returns a term as PostgreSQL writes it. `None`: it orders nothing.
pub fn written(found: &Translated, term: &OrderTree) -> Option<String> {
    if is_constant(found) || found.sort == ValueSort::Null {
        return None;
    }
    let operand = found.operand();
    let sql = match (found.sort, found.collation.as_str()) {
        (ValueSort::Text, "NOCASE") => format!("lower({operand} COLLATE \"C\")"),
        (ValueSort::Text, "RTRIM") => format!("rtrim({operand}, ' ') COLLATE \"C\""),
        (ValueSort::Text, _) => format!("{operand} COLLATE \"C\""),
        _ => found.sql.clone(),
    };
    let direction = if term.is_descending { " DESC" } else { "" };
    let nulls = if term.nulls_first.unwrap_or(!term.is_descending) { "FIRST" } else { "LAST" };
    Some(format!("{sql}{direction} NULLS {nulls}"))
}
