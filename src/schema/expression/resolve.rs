//! Names in an expression: a column, a value of the query under its alias, a column around the query, or a text.

use super::columns::{Grouping, Scope, ScopeColumn};
use super::sorts::{Refused, Translated};
use super::tree::SqlExpr;
use crate::schema::names::name;

impl Scope {
    /// Returns the value of a name. `may_be_text`: it is a text if nothing has the name.
    pub fn named(&self, wanted: &str, may_be_text: bool) -> Result<Translated, Refused> {
        match self.lookup(None, wanted)? {
            Some(found) => Ok(found),
            None if may_be_text => self.translate(&SqlExpr::Text(wanted.to_owned())),
            None => Err(format!("there is no column {}", name(wanted))),
        }
    }

    /// Returns the value of a column of a named relation.
    pub fn qualified(&self, relation: &str, wanted: &str) -> Result<Translated, Refused> {
        let found = self.lookup(Some(relation), wanted)?;
        found.ok_or_else(|| format!("there is no column {}.{}", name(relation), name(wanted)))
    }

    /// Returns the column that an expression passes on. `None`: the expression is no column of FROM.
    pub fn passed(&self, expression: &SqlExpr) -> Option<&ScopeColumn> {
        let found = match expression {
            SqlExpr::Name { name, .. } => self.find(None, name),
            SqlExpr::Qualified { relation, name } => self.find(Some(relation), name),
            _ => return None,
        };
        found.ok().flatten()
    }

    fn lookup(&self, relation: Option<&str>, wanted: &str) -> Result<Option<Translated>, Refused> {
        if let Some(column) = self.find(relation, wanted)? {
            return match &column.unusable {
                Some(why) => Err(why.clone()),
                None => self.value_of(column).map(Some),
            };
        }
        let alias = self.aliases.iter().find(|alias| relation.is_none() && alias.name.eq_ignore_ascii_case(wanted));
        if let Some(alias) = alias {
            return Scope { aliases: Vec::new(), ..self.clone() }.translate(&alias.value).map(Some);
        }
        self.outer.as_ref().map_or(Ok(None), |outer| outer.lookup(relation, wanted))
    }

    /// Returns the value of a column, even if no computation may use it.
    ///
    /// # Errors
    /// If it has several values in a group.
    pub fn value_of(&self, column: &ScopeColumn) -> Result<Translated, Refused> {
        if let Some(grouping) = &self.grouping {
            self.require_one_value(grouping, column)?;
        }
        Ok(column.value(column.sql()))
    }

    /// Requires that a column has one value in each group: it is a term of GROUP BY, or the terms contain the key of its table.
    fn require_one_value(&self, grouping: &Grouping, column: &ScopeColumn) -> Result<(), Refused> {
        let is_term = |sql: &str| grouping.keys.iter().any(|key| key.found.sql == sql);
        let sql = column.sql();
        if is_term(&sql) {
            return Ok(());
        }
        let member = self.members.iter().find(|member| member.label == column.relation && !member.key.is_empty());
        let of_member = |key: &String| format!("{}.{}", name(&column.written), name(key));
        if !member.is_some_and(|member| member.key.iter().all(|key| is_term(&of_member(key)))) {
            return Err(format!("{} may have several values in a group", name(&column.name)));
        }
        let mut determined = grouping.determined.borrow_mut();
        if !determined.contains(&sql) {
            determined.push(sql);
        }
        Ok(())
    }

    /// Returns the term of GROUP BY that an expression is.
    pub fn group_key(&self, expression: &SqlExpr) -> Option<Translated> {
        let keys = &self.grouping.as_ref()?.keys;
        keys.iter().find(|key| key.expression == *expression).map(|key| key.found.clone())
    }
}
