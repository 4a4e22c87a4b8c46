//! A whole query: WITH, UNION and the like, ORDER BY and LIMIT; and queries as values of expressions.

use super::aggregates::require_groupable;
use super::columns::{NamedRelation, OwnerOfRow, Relations, Scope, ScopeColumn};
use super::order::{Limited, OrderedRows};
use super::select::{OutputValue, QueryPlace, TranslatedSelect};
use super::sorts::{Refused, SHIFTED, Translated, ValueSort, common_ids};
use super::tree::{CompoundOperator, QueryTree, SelectTree, SqlExpr};
use crate::schema::names::{name, names};

/// A query as PostgreSQL writes it.
#[derive(Clone, Debug, PartialEq)]
pub struct TranslatedQuery {
    /// The SQL.
    pub sql: String,
    /// Its columns, without one that is added for the owner.
    pub columns: Vec<ScopeColumn>,
    /// The column that names the owner of a row. If it is added, it is the first one.
    pub owner: Option<OwnerOfRow>,
    /// True if it has at most one row.
    pub is_single: bool,
    /// True if arithmetic in it ends in an error where SQLite returns a double or an infinity.
    pub can_overflow: bool,
    /// True if its order is one of values that have another form in SQLite.
    pub is_ordered_by_other_form: bool,
    /// True if a value of a part of it is compared by another collation than BINARY.
    pub has_collated_values: bool,
}

impl TranslatedQuery {
    /// Returns the query as a relation. `columns`: the names of its columns, if they are written.
    pub fn relation(&self, label: &str, columns: &[String]) -> Result<NamedRelation, Refused> {
        let mut own = self.columns.clone();
        if !columns.is_empty() && columns.len() != own.len() {
            return Err(format!("{} has another number of columns", name(label)));
        }
        for (column, wanted) in own.iter_mut().zip(columns) {
            column.name.clone_from(wanted);
        }
        let owner = self.owner.clone().map(|owner| match self.columns.iter().position(|one| one.name == owner.name) {
            Some(place) if !owner.is_added => OwnerOfRow { name: own[place].name.clone(), ..owner },
            _ => OwnerOfRow { name: free(&owner.name, &own), ..owner },
        });
        Ok(NamedRelation { name: label.to_owned(), columns: own, owner, ..NamedRelation::default() })
    }
}

/// Returns the name, or one that no column has.
fn free(wanted: &str, columns: &[ScopeColumn]) -> String {
    let taken: Vec<&str> = columns.iter().map(|column| column.name.as_str()).collect();
    crate::model::ident::free_name(wanted, &taken)
}

impl Scope {
    /// Returns a query whose rows are those of a view or of a relation of FROM.
    pub fn rows(&self, tree: &QueryTree) -> Result<TranslatedQuery, Refused> {
        self.query(tree, QueryPlace::Rows)
    }

    fn query(&self, tree: &QueryTree, place: QueryPlace) -> Result<TranslatedQuery, Refused> {
        if self.relations.is_none() {
            return Err("a subquery is not translated".to_owned());
        }
        let TranslatedWith { sql: with, scope, can_overflow } = self.with(tree)?;
        let mut parts = vec![scope.select(&tree.first, place)?];
        for other in &tree.others {
            parts.push(scope.select(&other.select, place)?);
        }
        let limited = Limited::read(tree)?;
        let is_compound = parts.len() > 1;
        let first = parts.first().ok_or("it has no SELECT")?;
        let owner = one_owner(&parts)?;
        if place == QueryPlace::Rows && owner.is_some() && limited.is_some() {
            return Err("LIMIT would count the rows of all owners".to_owned());
        }
        let sorts = sorts_of_columns(&parts)?;
        let mut columns = columns_of(first, &sorts, is_compound);
        let carried =
            first.owner.as_ref().and_then(|owner| columns.get(owner.place?)).map(|column| column.name.clone());
        let owner = owner.map(|owner| OwnerOfRow { name: carried.unwrap_or(owner.name), ..owner });
        let is_compared = tree.others.iter().any(|other| other.operator != CompoundOperator::UnionAll);
        for (part, select) in parts.iter().zip(selects(tree)) {
            if is_compared || select.is_distinct {
                part.values.iter().try_for_each(require_distinguished)?;
            }
        }
        mark_ids(&mut columns, &parts, is_compared)?;
        let mut sorted = columns.clone();
        for (n, column) in sorted.iter_mut().enumerate() {
            column.collation = collation_of_order(&parts, n);
        }
        let ordered = OrderedRows {
            first,
            columns: &sorted,
            owner: owner.as_ref(),
            is_wrapped: is_compound || tree.first.is_distinct,
        };
        let order = ordered.order(tree, limited.as_ref())?;
        let rows = order.applied(combined(tree, &parts, &sorts, &columns)?, limited.as_ref());
        let is_single = (!is_compound && first.is_one_group)
            || limited.as_ref().is_some_and(|limited| matches!(limited.rows, Some(0 | 1)));
        Ok(TranslatedQuery {
            sql: format!("{with}{rows}"),
            columns,
            owner,
            is_single: is_single || (!is_compound && tree.first.from.is_none()),
            can_overflow: can_overflow || parts.iter().any(|part| part.can_overflow) || order.can_overflow,
            is_ordered_by_other_form: order.is_by_other_form,
            has_collated_values: parts
                .iter()
                .flat_map(|part| &part.values)
                .any(|value| value.found.has_other_collation()),
        })
    }

    /// Returns WITH, and the scope that knows its queries.
    fn with(&self, tree: &QueryTree) -> Result<TranslatedWith, Refused> {
        let Some(mut relations) = self.relations.as_deref().cloned().filter(|_| !tree.with.is_empty()) else {
            return Ok(TranslatedWith { sql: String::new(), scope: self.clone(), can_overflow: false });
        };
        for named in &tree.with {
            let why = Some(format!("{} is recursive, or is read before it is written", name(&named.name)));
            let name = named.name.clone();
            relations.push(NamedRelation { name, unusable: why, ..NamedRelation::default() });
        }
        let (mut parts, mut can_overflow) = (Vec::new(), false);
        for named in &tree.with {
            let found = self.around().with_relations(relations.clone()).rows(&named.query)?;
            can_overflow |= found.can_overflow;
            let relation = found.relation(&named.name, &named.columns)?;
            parts.push(format!("{} ({}) AS ({})", name(&named.name), names(&relation.all_names()), found.sql));
            relations.push(relation);
        }
        let sql = format!("WITH {} ", parts.join(", "));
        Ok(TranslatedWith { sql, scope: self.with_relations(relations), can_overflow })
    }

    /// `EXISTS (SELECT ...)`
    pub fn exists(&self, tree: &QueryTree) -> Result<Translated, Refused> {
        let keeps_a_row = tree.limit.as_ref().is_none_or(|limit| matches!(limit, SqlExpr::Integer(1..)));
        let mut tree = tree.clone();
        if keeps_a_row && tree.offset.is_none() {
            (tree.limit, tree.order) = (None, Vec::new());
        }
        let found = self.query(&tree, QueryPlace::Value)?;
        let sql = format!("EXISTS ({})", found.sql);
        Ok(Translated { can_overflow: found.can_overflow, ..Translated::atom(sql, ValueSort::Truth) })
    }

    /// `x IN (SELECT ...)`
    pub fn in_query(&self, operand: &SqlExpr, tree: &QueryTree) -> Result<Translated, Refused> {
        let left = self.translate(operand)?;
        let found = self.query(tree, QueryPlace::Value)?;
        let [column] = found.columns.as_slice() else { return Err("a row of values is not translated".to_owned()) };
        if let Some(why) = &column.unusable {
            return Err(why.clone());
        }
        require_groupable(&left)?;
        common_ids([&left, &column.value(String::new())])?;
        // SQLite takes the collation of the right side if the left side has none, or if COLLATE is written on the right side.
        if found.has_collated_values {
            return Err("a value of the subquery has another collation than BINARY".to_owned());
        }
        if left.sort != column.sort || left.moment != column.moment || left.sort == ValueSort::Null {
            return Err(format!("SQLite compares {} and {} by their classes", left.sort.words(), column.sort.words()));
        }
        let sql = format!("{} IN ({})", left.operand(), found.sql);
        let can_overflow = found.can_overflow || left.can_overflow;
        Ok(Translated { can_overflow, ..Translated::wide(sql, ValueSort::Truth) })
    }

    /// `(SELECT ...)` with at most one row.
    pub fn scalar(&self, tree: &QueryTree) -> Result<Translated, Refused> {
        let found = self.query(tree, QueryPlace::Value)?;
        let [column] = found.columns.as_slice() else { return Err("a row of values is not translated".to_owned()) };
        if let Some(why) = &column.unusable {
            return Err(why.clone());
        }
        if column.sort == ValueSort::Opaque || !["", "BINARY"].contains(&column.collation.as_str()) {
            return Err("a value of a subquery has another form in SQLite".to_owned());
        }
        if !found.is_single {
            return Err("a subquery may have several rows, of which SQLite takes the first".to_owned());
        }
        let (can_overflow, collation) = (found.can_overflow, String::new());
        Ok(Translated { can_overflow, collation, ..column.value(format!("({})", found.sql)) })
    }
}

/// WITH for PostgreSQL.
struct TranslatedWith {
    sql: String,
    /// The scope of the query after it.
    scope: Scope,
    can_overflow: bool,
}

/// Returns the SELECTs of a query.
fn selects(tree: &QueryTree) -> impl Iterator<Item = &SelectTree> {
    std::iter::once(&tree.first).chain(tree.others.iter().map(|other| &other.select))
}

/// Returns the rows of all parts, without ORDER BY.
fn combined(
    tree: &QueryTree,
    parts: &[TranslatedSelect],
    sorts: &[ValueSort],
    columns: &[ScopeColumn],
) -> Result<String, Refused> {
    let mut sql = String::new();
    for (n, (part, select)) in parts.iter().zip(selects(tree)).enumerate() {
        let own = rows_of(part, select, sorts, columns)?;
        let Some(other) = n.checked_sub(1).and_then(|n| tree.others.get(n)) else {
            sql = own;
            continue;
        };
        let word = match other.operator {
            CompoundOperator::Union => "UNION",
            CompoundOperator::UnionAll => "UNION ALL",
            CompoundOperator::Intersect => "INTERSECT",
            CompoundOperator::Except => "EXCEPT",
        };
        sql = format!("({sql}) {word} ({own})");
    }
    Ok(sql)
}

/// Returns the owner of the rows of all parts.
fn one_owner(parts: &[TranslatedSelect]) -> Result<Option<OwnerOfRow>, Refused> {
    let mut owners = parts.iter().map(|part| part.owner.as_ref().map(|owner| &owner.column));
    let first = owners.next().flatten();
    let is_same = |other: Option<&OwnerOfRow>| match (first, other) {
        (None, None) => true,
        (Some(first), Some(other)) => first.is_added && other.is_added,
        _ => false,
    };
    if !owners.all(is_same) {
        return Err("not every part of it has rows of the same owner".to_owned());
    }
    Ok(first.cloned())
}

/// Returns the class of each column. A condition is 0 or 1, and a column of booleans keeps its type.
fn sorts_of_columns(parts: &[TranslatedSelect]) -> Result<Vec<ValueSort>, Refused> {
    let width = parts.first().map_or(0, |part| part.values.len());
    if parts.iter().any(|part| part.values.len() != width) {
        return Err("its parts have different numbers of columns".to_owned());
    }
    let own = |value: &OutputValue| match value.found.sort {
        ValueSort::Truth if value.passed.is_none() => ValueSort::Integer,
        sort => sort,
    };
    let sort = |n: usize| {
        let mut sorts: Vec<ValueSort> = parts.iter().map(|part| own(&part.values[n])).collect();
        let differs = |part: &TranslatedSelect| part.values[n].found.moment != parts[0].values[n].found.moment;
        if parts.len() > 1 && (sorts.contains(&ValueSort::Opaque) || parts.iter().any(differs)) {
            return Err("its parts have values of another form in SQLite".to_owned());
        }
        sorts.retain(|sort| *sort != ValueSort::Null);
        sorts.dedup();
        match sorts.as_slice() {
            [] => Ok(ValueSort::Null),
            [one] => Ok(*one),
            all if all.iter().all(|sort| matches!(sort, ValueSort::Integer | ValueSort::Truth)) => {
                Ok(ValueSort::Integer)
            }
            [first, second, ..] => Err(format!("a column of it is {} or {}", first.words(), second.words())),
        }
    };
    (0..width).map(sort).collect()
}

/// Returns the collation by which ORDER BY compares a column: that of the first part whose value has one.
fn collation_of_order(parts: &[TranslatedSelect], n: usize) -> String {
    let mut collations = parts.iter().filter_map(|part| part.values.get(n)).map(|value| &value.found.collation);
    collations.find(|collation| !collation.is_empty()).cloned().unwrap_or_default()
}

/// Returns the columns of a query, which have the names of its first part.
fn columns_of(first: &TranslatedSelect, sorts: &[ValueSort], is_compound: bool) -> Vec<ScopeColumn> {
    let mut columns: Vec<ScopeColumn> = Vec::new();
    for (n, (value, sort)) in first.values.iter().zip(sorts).enumerate() {
        let passed = value.passed.as_ref().filter(|_| !is_compound);
        let wanted = value.name.clone().unwrap_or_else(|| format!("column {}", n + 1));
        let mut name = wanted.clone();
        let mut number = 0;
        while columns.iter().any(|column| column.name.eq_ignore_ascii_case(&name)) {
            number += 1;
            name = format!("{wanted}:{number}");
        }
        let null = (*sort == ValueSort::Null).then(|| "a column of it is always NULL".to_owned());
        columns.push(ScopeColumn {
            name,
            sort: *sort,
            // A column of rows always has a collation.
            collation: if value.found.collation.is_empty() {
                "BINARY".to_owned()
            } else {
                value.found.collation.clone()
            },
            moment: value.found.moment.clone(),
            is_json: passed.is_some_and(|passed| passed.is_json),
            unusable: passed.and_then(|passed| passed.unusable.clone()).or(null),
            origin: passed.and_then(|passed| passed.origin.clone()),
            ..ScopeColumn::default()
        });
    }
    columns
}

/// Requires that equal values of SQLite are equal in PostgreSQL, whichever table issues them.
fn require_distinguished(value: &OutputValue) -> Result<(), Refused> {
    let unusable = value.passed.as_ref().and_then(|passed| passed.unusable.as_deref());
    if unusable == Some(SHIFTED) { Err(SHIFTED.to_owned()) } else { require_groupable(&value.found) }
}

/// Marks the columns whose values are ids that a mapping shifts. No expression may name a column of ids of several tables, which have
/// different shifts.
fn mark_ids(columns: &mut [ScopeColumn], parts: &[TranslatedSelect], is_compared: bool) -> Result<(), Refused> {
    for (n, column) in columns.iter_mut().enumerate() {
        let values = parts.iter().filter_map(|part| part.values.get(n)).map(|value| &value.found);
        match common_ids(values) {
            Ok(ids_of) => column.ids_of = ids_of,
            Err(why) if is_compared => return Err(why),
            Err(why) => column.unusable = column.unusable.take().or(Some(why)),
        }
    }
    Ok(())
}

/// Returns one SELECT.
fn rows_of(
    part: &TranslatedSelect,
    tree: &SelectTree,
    sorts: &[ValueSort],
    columns: &[ScopeColumn],
) -> Result<String, Refused> {
    let owner = part.owner.iter().filter(|owner| owner.column.is_added).map(|owner| Ok(owner.sql.clone()));
    let values = part.values.iter().zip(sorts).zip(columns).map(|((value, sort), column)| {
        let sql = stored(value, *sort)?;
        let has_name = value.passed.as_ref().is_some_and(|passed| passed.name == column.name && passed.sql() == sql);
        // Whoever reads a value without a name renames it.
        Ok(if has_name || value.name.is_none() { sql } else { format!("{sql} AS {}", name(&column.name)) })
    });
    let values: Vec<String> = owner.chain(values).collect::<Result<_, Refused>>()?;
    let distinct = if tree.is_distinct { "DISTINCT " } else { "" };
    Ok(format!("SELECT {distinct}{}{}", values.join(", "), part.rest()))
}

/// Returns a value in the type of its column.
fn stored(value: &OutputValue, sort: ValueSort) -> Result<String, Refused> {
    let found = &value.found;
    if found.sort == ValueSort::Null {
        return Ok(match sort {
            ValueSort::Truth => "NULL::boolean",
            ValueSort::Integer => "NULL::bigint",
            ValueSort::Real => "NULL::float8",
            ValueSort::Decimal => "NULL::numeric",
            ValueSort::Blob => "NULL::bytea",
            _ => "NULL::text",
        }
        .to_owned());
    }
    Ok(match sort {
        ValueSort::Integer => {
            let whole = found.integer()?;
            if whole.is_narrow { format!("{}::bigint", whole.operand()) } else { whole.sql }
        }
        // The column has the collation of the database, as the columns of the tables have.
        ValueSort::Text if found.sql.contains("COLLATE") => format!("{} COLLATE \"default\"", found.operand()),
        _ => found.sql.clone(),
    })
}

impl Relations {
    /// Returns the scope of a query that can name these relations.
    pub fn scope(&self) -> Scope {
        Scope::default().with_relations(self.clone())
    }
}
