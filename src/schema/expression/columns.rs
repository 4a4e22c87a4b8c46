//! The columns that an expression can name, and the relations that a query can name.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use super::sorts::{Refused, Translated, UniformTime, ValueSort};
use super::tree::SqlExpr;
use crate::model::ident::free_name;
use crate::schema::names::name;

/// The column of a table that a column of a query passes on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ColumnOrigin {
    /// The table.
    pub table: String,
    /// The column.
    pub column: String,
}

/// A column that expressions can name.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ScopeColumn {
    /// Its name.
    pub name: String,
    /// The class of its values.
    pub sort: ValueSort,
    /// Its collation, in capitals.
    pub collation: String,
    /// The type of its times, if its values are times.
    pub moment: Option<UniformTime>,
    /// True if it is jsonb, whose values are all valid.
    pub is_json: bool,
    /// The reason why no expression may name it.
    pub unusable: Option<String>,
    /// The name of its relation in FROM. Empty: the expression belongs to a table.
    pub relation: String,
    /// The name of its relation in the statement for PostgreSQL.
    pub written: String,
    /// True if USING lets another column have the name alone.
    pub is_hidden: bool,
    /// The column of a table that it passes on. `None`: it is computed.
    pub origin: Option<ColumnOrigin>,
    /// The table that issues its values, if they are ids that a mapping shifts.
    pub ids_of: Option<String>,
}

impl ScopeColumn {
    /// Returns SQL that has the values of the column.
    pub fn value(&self, sql: String) -> Translated {
        let (collation, moment, ids_of) = (self.collation.clone(), self.moment.clone(), self.ids_of.clone());
        Translated { collation, moment, ids_of, ..Translated::atom(sql, self.sort) }
    }

    /// Returns the column as SQL.
    pub fn sql(&self) -> String {
        match self.written.as_str() {
            "" => name(&self.name),
            relation => format!("{}.{}", name(relation), name(&self.name)),
        }
    }
}

/// The column that names the owner of a row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OwnerOfRow {
    /// Its name.
    pub name: String,
    /// True if the source has no such column: all rows of a file belong to one owner.
    pub is_added: bool,
}

/// A table, a view, a subquery or a query of WITH, as a query can name it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct NamedRelation {
    /// Its name.
    pub name: String,
    /// Its columns.
    pub columns: Vec<ScopeColumn>,
    /// The column that is the rowid.
    pub rowid: Option<String>,
    /// The columns of its primary key. Empty: it has none.
    pub key: Vec<String>,
    /// The column that names the owner of a row. `None`: its rows have no owner.
    pub owner: Option<OwnerOfRow>,
    /// The reason why no query may name it.
    pub unusable: Option<String>,
}

impl NamedRelation {
    /// Returns the names of all columns, with the one that is added for the owner.
    pub fn all_names(&self) -> Vec<String> {
        let owner = self.owner.iter().filter(|owner| owner.is_added).map(|owner| owner.name.clone());
        owner.chain(self.columns.iter().map(|column| column.name.clone())).collect()
    }
}

/// The relations that a query can name. A later one hides an earlier one.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Relations(Vec<Rc<NamedRelation>>);

impl Relations {
    /// Adds a relation.
    pub fn push(&mut self, relation: NamedRelation) {
        self.0.push(Rc::new(relation));
    }

    /// Returns a name like this one that no relation has.
    pub fn free_name(&self, wanted: &str, taken: &[&str]) -> String {
        let all: Vec<&str> =
            self.0.iter().map(|relation| relation.name.as_str()).chain(taken.iter().copied()).collect();
        free_name(wanted, &all)
    }

    /// Returns the relation of a name.
    ///
    /// # Errors
    /// If there is none, or no query may name it.
    pub fn find(&self, wanted: &str) -> Result<&NamedRelation, Refused> {
        let found = self.0.iter().rev().find(|relation| relation.name.eq_ignore_ascii_case(wanted));
        let found = found.ok_or_else(|| format!("there is no table {}", name(wanted)))?;
        match &found.unusable {
            Some(why) => Err(why.clone()),
            None => Ok(found),
        }
    }
}

/// A relation of FROM.
#[derive(Clone, Debug, PartialEq)]
pub struct FromMember {
    /// Its name or its alias.
    pub label: String,
    /// The same in the statement for PostgreSQL: no query around this one has it, so that both can be named in its conditions.
    pub written: String,
    /// The columns of its primary key. Empty: it has none.
    pub key: Vec<String>,
    /// The column that names the owner of a row.
    pub owner: Option<OwnerOfRow>,
}

impl FromMember {
    /// Returns the owner's column as SQL.
    pub fn owner_sql(&self) -> Option<String> {
        self.owner.as_ref().map(|owner| format!("{}.{}", name(&self.written), name(&owner.name)))
    }
}

/// A term of GROUP BY.
#[derive(Clone, Debug, PartialEq)]
pub struct GroupKey {
    /// The term.
    pub expression: SqlExpr,
    /// The same for PostgreSQL.
    pub found: Translated,
}

/// The groups of a query.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Grouping {
    /// The terms of GROUP BY. Empty: all rows are one group.
    pub keys: Vec<GroupKey>,
    /// Columns that a term determines, and that PostgreSQL needs among the terms.
    pub determined: RefCell<Vec<String>>,
}

/// A value of a query under its name.
#[derive(Clone, Debug, PartialEq)]
pub struct OutputAlias {
    /// The name.
    pub name: String,
    /// The value.
    pub value: SqlExpr,
}

/// The columns that expressions can name.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Scope {
    /// The columns of the table, or those of FROM.
    pub columns: Vec<ScopeColumn>,
    /// The column that is the rowid.
    pub rowid: Option<String>,
    /// The relations that a subquery can name. `None`: a subquery is not allowed.
    pub relations: Option<Rc<Relations>>,
    /// The relations of FROM.
    pub members: Vec<FromMember>,
    /// The columns around the query.
    pub outer: Option<Box<Scope>>,
    /// The values of the query, which WHERE and GROUP BY can name.
    pub aliases: Vec<OutputAlias>,
    /// The groups of the query. `None`: it has none.
    pub grouping: Option<Grouping>,
    /// The subqueries of the query that have got a name.
    pub subqueries: Rc<Cell<u32>>,
    /// True if SQLite orders texts by the bytes of UTF-16.
    pub is_utf16: bool,
}

impl Scope {
    /// Returns the column of a name, or that of a name of the rowid.
    pub fn column(&self, name: &str) -> Option<&ScopeColumn> {
        self.find(None, name).ok().flatten()
    }

    /// Returns the column of a name and, if one is written, of a relation.
    ///
    /// # Errors
    /// If several columns have the name, or it is the rowid of rows in which no column is the rowid: a column around the query is another
    /// one.
    pub fn find(&self, relation: Option<&str>, wanted: &str) -> Result<Option<&ScopeColumn>, Refused> {
        let is_it = |column: &&ScopeColumn, wanted: &str| {
            let is_of_relation = relation.map_or(!column.is_hidden, |own| column.relation.eq_ignore_ascii_case(own));
            is_of_relation && column.name.eq_ignore_ascii_case(wanted)
        };
        let mut found = self.columns.iter().filter(|column| is_it(column, wanted));
        match (found.next(), found.next()) {
            (None, _) => {}
            (found, None) => return Ok(found),
            (Some(_), Some(_)) => return Err(format!("{} is a column of several tables", name(wanted))),
        }
        let is_rowid = ["rowid", "_rowid_", "oid"].iter().any(|rowid| wanted.eq_ignore_ascii_case(rowid));
        if !is_rowid {
            return Ok(None);
        }
        let rowid = self.rowid.as_ref().and_then(|rowid| self.columns.iter().find(|column| is_it(column, rowid)));
        let is_own = |column: &ScopeColumn| relation.is_none_or(|own| column.relation.eq_ignore_ascii_case(own));
        if rowid.is_none() && self.columns.iter().any(is_own) {
            return Err(format!("{} is the rowid, and no column here is", name(wanted)));
        }
        Ok(rowid)
    }
}
