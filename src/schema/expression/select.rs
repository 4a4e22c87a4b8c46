//! One SELECT: its values, its rows and its groups.

use std::cell::RefCell;

use super::aggregates::require_groupable;
use super::columns::{GroupKey, Grouping, OutputAlias, OwnerOfRow, Scope, ScopeColumn};
use super::joins::{JoinedOwners, OwnerPair};
use super::sorts::{Refused, Translated, ValueSort};
use super::tree::{OutputTree, SelectTree, SqlExpr, place_of};
use crate::schema::names::name;

/// The place of a query.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum QueryPlace {
    /// Its rows are those of a view or of a relation of FROM.
    Rows,
    /// Its rows are a value or a condition of an expression.
    Value,
}

/// A value of a row.
#[derive(Clone, Debug, PartialEq)]
pub struct OutputValue {
    /// The expression of SQLite.
    pub expression: SqlExpr,
    /// The value.
    pub found: Translated,
    /// The column that the value passes on. `None`: it is computed.
    pub passed: Option<ScopeColumn>,
    /// The name that SQLite gives it. `None`: the text of the expression, which no name can be.
    pub name: Option<String>,
    /// True if the name is written, or is that of a column of `*`: then ORDER BY finds it before a column of FROM.
    pub is_named: bool,
}

/// One SELECT for PostgreSQL, without the words SELECT and DISTINCT.
pub struct TranslatedSelect {
    /// The values.
    pub values: Vec<OutputValue>,
    /// The owner of each row: the SQL, and the name of the column. `None`: the rows have none, or it is among the values.
    pub owner: Option<SelectOwner>,
    /// FROM and WHERE.
    pub body: String,
    /// The condition of HAVING.
    pub having: Option<String>,
    /// The scope of the values, for ORDER BY.
    pub scope: Scope,
    /// True if all rows are one group.
    pub is_one_group: bool,
    /// True if arithmetic in it ends in an error where SQLite returns a double or an infinity.
    pub can_overflow: bool,
}

/// The column that names the owner of each row of a SELECT.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SelectOwner {
    /// The SQL.
    pub sql: String,
    /// The column.
    pub column: OwnerOfRow,
    /// Its place among the values. `None`: it is added.
    pub place: Option<usize>,
}

impl Scope {
    /// Returns one SELECT. `self`: the columns around it.
    pub fn select(&self, tree: &SelectTree, place: QueryPlace) -> Result<TranslatedSelect, Refused> {
        let around = self.around_value(place);
        let mut scope = around.around();
        let (mut body, mut owners, mut can_overflow) = (String::new(), JoinedOwners::default(), false);
        if let Some(from) = &tree.from {
            let from = around.source(from)?;
            body = format!(" FROM {}", from.sql);
            (scope, owners, can_overflow) = (from.scope, from.owners, from.can_overflow);
        }
        let outputs = expanded(&scope, &tree.outputs)?;
        scope.aliases = outputs.iter().filter_map(NamedOutput::as_alias).collect();
        let mut wheres = Vec::new();
        for part in tree.condition.iter().flat_map(SqlExpr::conjuncts) {
            let found = scope.argument(part)?.truth()?;
            can_overflow |= found.can_overflow;
            owners.conditions.push(found.sql.clone());
            wheres.push(found);
        }
        let equal = around.owner_of_value(&scope, place, &owners.conditions)?;
        wheres.extend(equal.map(|sql| Translated::wide(sql, ValueSort::Truth)));
        require_compared(&owners)?;
        if !wheres.is_empty() {
            let parts: Vec<String> = match wheres.as_slice() {
                [one] => vec![one.sql.clone()],
                all => all.iter().map(Translated::operand).collect(),
            };
            body.push_str(&format!(" WHERE {}", parts.join(" AND ")));
        }
        let has_aggregate = outputs.iter().any(|output| output.value.has_aggregate())
            || tree.having.as_ref().is_some_and(SqlExpr::has_aggregate);
        let is_grouped = !tree.groups.is_empty() || has_aggregate || tree.having.is_some();
        if is_grouped {
            let keys = groups(&scope, &outputs, &tree.groups)?;
            scope.grouping = Some(Grouping { keys, determined: RefCell::default() });
        }
        let values = outputs.iter().map(|output| output.translated(&scope)).collect::<Result<Vec<_>, _>>()?;
        let having = tree.having.as_ref().map(|having| scope.argument(having)?.truth()).transpose()?;
        let owner = match place {
            QueryPlace::Rows => owner_of_rows(&scope, &values, &owners.conditions)?,
            QueryPlace::Value => None,
        };
        can_overflow |= values.iter().map(|value| &value.found).chain(&having).any(|found| found.can_overflow);
        let is_one_group = is_grouped && tree.groups.is_empty();
        let having = having.map(|having| having.sql);
        Ok(TranslatedSelect { values, owner, body, having, scope, is_one_group, can_overflow })
    }

    /// The scope from which FROM sees the columns around the query.
    fn around_value(&self, place: QueryPlace) -> Scope {
        match place {
            QueryPlace::Rows => self.around(),
            QueryPlace::Value => {
                let outer = Some(Box::new(self.clone()));
                Scope { outer, ..self.around() }
            }
        }
    }

    /// Returns the condition that the rows of a value's query belong to the owner of the row around it.
    fn owner_of_value(
        &self,
        rows: &Scope,
        place: QueryPlace,
        conditions: &[String],
    ) -> Result<Option<String>, Refused> {
        let own = rows.members.iter().find(|member| member.owner.is_some());
        let Some(own) = own.filter(|_| place == QueryPlace::Value) else { return Ok(None) };
        let mut around = self.outer.as_deref();
        while let Some(scope) = around {
            if let Some(member) = scope.members.iter().find(|member| member.owner.is_some()) {
                let sql = |sql: Option<String>| sql.unwrap_or_default();
                let (left, right) = (sql(own.owner_sql()), sql(member.owner_sql()));
                let is_added = |owner: &Option<OwnerOfRow>| owner.as_ref().is_some_and(|owner| owner.is_added);
                if is_added(&own.owner) && is_added(&member.owner) {
                    return Ok(Some(format!("{left} = {right}")));
                }
                let pairs = vec![OwnerPair { left, right }];
                return require_compared(&JoinedOwners { conditions: conditions.to_vec(), pairs }).map(|()| None);
            }
            around = scope.outer.as_deref();
        }
        Err("a subquery would read rows of all owners".to_owned())
    }
}

/// Requires that owners that the rows bring are compared by a condition.
fn require_compared(owners: &JoinedOwners) -> Result<(), Refused> {
    match owners.pairs.iter().find(|pair| !pair.is_compared(&owners.conditions)) {
        Some(OwnerPair { left, right }) => {
            Err(format!("it joins rows of several owners: it does not compare {left} and {right}"))
        }
        None => Ok(()),
    }
}

/// Returns the owner of each row, which becomes a term of the groups. `conditions`: those that each row satisfies.
fn owner_of_rows(scope: &Scope, values: &[OutputValue], conditions: &[String]) -> Result<Option<SelectOwner>, Refused> {
    let Some(member) = scope.members.iter().find(|member| member.owner.is_some()) else { return Ok(None) };
    let (Some(column), Some(sql)) = (member.owner.clone(), member.owner_sql()) else { return Ok(None) };
    if !column.is_added {
        // The owner of another relation is NULL where a LEFT JOIN finds no row of it.
        let is_equal = |right: String| right == sql || OwnerPair { left: sql.clone(), right }.is_compared(conditions);
        let is_owner = |value: &OutputValue| value.passed.as_ref().is_some_and(|passed| is_equal(passed.sql()));
        let place = values.iter().position(is_owner);
        let place = place.ok_or_else(|| format!("its columns do not name the owner of a row, which is {sql}"))?;
        return Ok(Some(SelectOwner { sql, column, place: Some(place) }));
    }
    if let Some(grouping) = &scope.grouping {
        if grouping.keys.is_empty() {
            return Err("one row would be that of all owners".to_owned());
        }
        let mut determined = grouping.determined.borrow_mut();
        if !determined.contains(&sql) {
            determined.push(sql.clone());
        }
    }
    Ok(Some(SelectOwner { sql, column, place: None }))
}

impl TranslatedSelect {
    /// Returns everything from FROM on. ORDER BY is translated before, because it may add terms to GROUP BY.
    pub fn rest(&self) -> String {
        let having = self.having.as_ref().map(|having| format!(" HAVING {having}")).unwrap_or_default();
        format!("{}{}{having}", self.body, self.groups())
    }

    fn groups(&self) -> String {
        let Some(grouping) = self.scope.grouping.as_ref().filter(|grouping| !grouping.keys.is_empty()) else {
            return String::new();
        };
        let mut terms: Vec<String> = Vec::new();
        let determined = grouping.determined.borrow();
        for sql in grouping.keys.iter().map(|key| key.found.sql.clone()).chain(determined.iter().cloned()) {
            if !terms.contains(&sql) {
                terms.push(sql);
            }
        }
        format!(" GROUP BY {}", terms.join(", "))
    }
}

/// A value of a row with its name.
struct NamedOutput {
    value: SqlExpr,
    alias: Option<String>,
    /// True if it is a column of `*`.
    is_of_all: bool,
}

impl NamedOutput {
    fn as_alias(&self) -> Option<OutputAlias> {
        self.alias.as_ref().map(|name| OutputAlias { name: name.clone(), value: self.value.clone() })
    }

    fn translated(&self, scope: &Scope) -> Result<OutputValue, Refused> {
        let column = scope.passed(&self.value);
        let found = match column {
            Some(column) => scope.value_of(column)?,
            None => scope.translate(&self.value)?,
        };
        let passed = column.cloned();
        let name = self.alias.clone().or_else(|| passed.as_ref().map(|column| column.name.clone()));
        let is_named = self.is_of_all || self.alias.is_some();
        Ok(OutputValue { expression: self.value.clone(), found, passed, name, is_named })
    }
}

/// Returns the values of a row, with the columns in place of `*`.
fn expanded(scope: &Scope, outputs: &[OutputTree]) -> Result<Vec<NamedOutput>, Refused> {
    let mut found = Vec::new();
    for output in outputs {
        let of = match output {
            OutputTree::One { value, alias } => {
                found.push(NamedOutput { value: value.clone(), alias: alias.clone(), is_of_all: false });
                continue;
            }
            OutputTree::All => None,
            OutputTree::AllOf(relation) => Some(relation),
        };
        let before = found.len();
        let is_it = |column: &&ScopeColumn| match of {
            Some(relation) => column.relation.eq_ignore_ascii_case(relation),
            None => !column.is_hidden,
        };
        found.extend(scope.columns.iter().filter(is_it).map(|column| {
            let (relation, name) = (column.relation.clone(), column.name.clone());
            NamedOutput { value: SqlExpr::Qualified { relation, name }, alias: None, is_of_all: true }
        }));
        if found.len() == before {
            return Err("a * has no column".to_owned());
        }
    }
    Ok(found)
}

/// Returns the terms of GROUP BY.
fn groups(scope: &Scope, outputs: &[NamedOutput], terms: &[SqlExpr]) -> Result<Vec<GroupKey>, Refused> {
    let key = |term: &SqlExpr| {
        let expression = match term {
            SqlExpr::Integer(number) => {
                let place = place_of(*number).and_then(|place| outputs.get(place));
                place.ok_or("a term of GROUP BY is no column")?.value.clone()
            }
            // The name of a column precedes that of a value.
            SqlExpr::Name { name: wanted, .. } if scope.find(None, wanted)?.is_none() => {
                let is_it = |alias: &&OutputAlias| alias.name.eq_ignore_ascii_case(wanted);
                let alias = scope.aliases.iter().find(is_it);
                alias.map(|alias| alias.value.clone()).ok_or_else(|| format!("there is no column {}", name(wanted)))?
            }
            other => other.clone(),
        };
        let found = Scope { aliases: Vec::new(), ..scope.clone() }.translate(&expression)?;
        require_groupable(&found)?;
        if is_constant(&found) {
            return Err("a term of GROUP BY is a literal".to_owned());
        }
        Ok(GroupKey { expression, found })
    };
    terms.iter().map(key).collect()
}

/// Returns true if PostgreSQL takes a term of GROUP BY or ORDER BY for a literal.
pub fn is_constant(found: &Translated) -> bool {
    let is_word = ["true", "false", "NULL", "NULL::boolean", "NULL::text"].contains(&found.sql.as_str());
    found.number.is_some() || is_word || (found.is_atom && found.sql.ends_with('\''))
}
