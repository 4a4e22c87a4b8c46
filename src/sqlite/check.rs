//! Checks SQL of the mapping before it runs: it must compile and be a query, and each expression must concern one row.
//! Also lists what it reads.
//!
//! No row of the source is read. Errors of a single row are found while reading.

use std::collections::BTreeSet;

use rusqlite::OptionalExtension;

use super::determinism::Changing;
use super::error::{ErrorClass, Said, SourceError};
use super::reader::Reader;
use super::statement::{self, StatementRange, StatementValues, Walk};
use super::{determinism, lex};
use crate::model::ident::quoted;
use crate::model::schema::Address;
use crate::model::select::{Expr, Relation, Select};

impl Reader {
    /// Compiles everything that a scan of this select compiles. Returns the names of the relation's columns.
    pub fn check(&self, select: &Select) -> Result<Vec<String>, SourceError> {
        self.lane()?.log.take();
        let columns = self.relation_columns(select)?;
        let is_query = matches!(select.relation, Relation::Sql(_));
        self.views_are_deterministic("source query").map_err(|error| error.of_mapping_sql(is_query))?;
        for (n, expr) in select.exprs.iter().enumerate() {
            self.check_expr(select, expr, &columns).map_err(|error| error.at(Some(n)))?;
        }
        let walk = self.walk(select);
        let skip = (walk == Walk::Counted).then_some(0);
        let sql = statement::sql(select, &walk, &select.exprs, StatementRange::default());
        let mut compiled = self.prepare(&sql)?;
        statement::bind(&mut compiled, &StatementValues { select, range: StatementRange::default(), skip })?;
        Ok(columns)
    }

    /// Returns the columns of the source, as (table, column), that a scan of this select reads for its cells, by name
    /// or by any SQL. Columns that only address a row are not included.
    pub fn columns_read(&self, select: &Select) -> Result<BTreeSet<(String, String)>, SourceError> {
        self.lane()?.log.take();
        if !matches!(select.relation, Relation::Table(_)) {
            self.relation_columns(select)?;
        }
        for (n, expr) in select.exprs.iter().enumerate() {
            if let (Relation::Table(table), Expr::Column(column)) = (&select.relation, expr) {
                // A plain column is queried directly, so that it is logged under its name in the schema.
                self.prepare(&format!("SELECT {} FROM main.{}", quoted(column), quoted(table)))?;
            } else {
                self.probe(select, expr).map_err(|error| error.at(Some(n)))?;
            }
        }
        Ok(self.lane()?.log.take().columns)
    }

    /// Returns the names of the relation's columns. Two columns of one name are refused, because SQLite would return
    /// the first.
    pub(super) fn relation_columns(&self, select: &Select) -> Result<Vec<String>, SourceError> {
        let (sql, place) = match &select.relation {
            Relation::Rows { columns, .. } => return Ok(columns.clone()),
            Relation::Table(table) => {
                (format!("SELECT * FROM main.{}", quoted(table)), format!("source table `{table}`"))
            }
            Relation::Sql(sql) => {
                is_query(sql)?;
                is_deterministic(sql, "source query").map_err(|e| e.of_mapping_sql(true))?;
                (format!("SELECT * FROM (\n{}\n)", statement::trimmed(sql)), "source query".to_owned())
            }
        };
        let at = |mut error: SourceError| {
            error.place.clone_from(&place);
            error.of_mapping_sql(matches!(select.relation, Relation::Sql(_)))
        };
        let mut compiled = self.prepare(&sql).map_err(at)?;
        statement::bind(&mut compiled, &StatementValues { select, range: StatementRange::default(), skip: None })
            .map_err(at)?;
        let names: Vec<String> = compiled.column_names().map(str::to_owned).collect();
        let Relation::Sql(sql) = &select.relation else { return Ok(names) };
        // Compiled on its own, because a query around it already renames the second `a` to `a:1`.
        let alone = self.prepare(statement::trimmed(sql)).map_err(at)?;
        let mut seen = BTreeSet::new();
        match alone.column_names().find(|name| !seen.insert(name.to_ascii_lowercase())) {
            Some(twice) => {
                Err(SourceError::new(ErrorClass::Sql, place, format!("returns two columns called `{twice}`"))
                    .advise("Give them different names with AS."))
            }
            None => Ok(names),
        }
    }

    /// Checks one expression: an existing column, or SQL that is one value of one row.
    fn check_expr(&self, select: &Select, expr: &Expr, columns: &[String]) -> Result<(), SourceError> {
        let name = match expr {
            Expr::Sql(sql) => {
                self.probe(select, expr)?;
                let place = format!("source expression `{sql}`");
                is_deterministic(sql, &place)?;
                self.views_are_deterministic(&place)?;
                return self.patterns(select, sql, columns);
            }
            Expr::Column(name) => name,
        };
        let hidden = matches!(&select.address, Address::Rowid(rowid) if rowid.eq_ignore_ascii_case(name));
        if hidden || columns.iter().any(|column| column.eq_ignore_ascii_case(name)) {
            return Ok(());
        }
        let nearest = crate::model::ident::did_you_mean(name, columns.iter().map(String::as_str));
        Err(SourceError::new(ErrorClass::Sql, format!("source column `{name}`"), "does not exist")
            .advise(nearest.trim_end()))
    }

    /// Refuses a view whose value differs between readings, if SQL that was compiled since the log was taken reads it.
    fn views_are_deterministic(&self, place: &str) -> Result<(), SourceError> {
        for view in self.lane()?.log.take().views {
            // A common table expression, which is part of SQL that is checked itself, is not found here.
            let sql = "SELECT sql FROM main.sqlite_schema WHERE type = 'view' AND name = ?1 COLLATE NOCASE";
            let found = self.prepare(sql)?.query_row([&view], |row| row.get::<_, String>(0)).optional();
            let found = found.map_err(|error| self.failure(&Said::of(&error)))?;
            if let Some(changing) = found.and_then(|sql| determinism::changes(&sql)) {
                return Err(not_deterministic(
                    changing,
                    place,
                    &format!("the source's view `{view}`, which it reads, "),
                ));
            }
        }
        Ok(())
    }

    /// Refuses an invalid pattern of `regexp`, which would fail on every row. Evaluating it on a row of NULLs finds it.
    fn patterns(&self, select: &Select, sql: &str, columns: &[String]) -> Result<(), SourceError> {
        if !sql.to_ascii_lowercase().contains("regexp") || columns.is_empty() {
            return Ok(());
        }
        let name = match &select.relation {
            Relation::Table(table) => quoted(table),
            _ => "relation".to_owned(),
        };
        let nulls: Vec<String> = columns.iter().map(|column| format!("NULL AS {}", quoted(column))).collect();
        let sql_of_one_row = format!("SELECT ({sql}\n) FROM (SELECT {}) AS {name}", nulls.join(", "));
        // An expression that does not compile needs the real table; it was compiled with that table before.
        let Ok(mut compiled) = self.lane()?.conn.prepare(&sql_of_one_row) else { return Ok(()) };
        statement::bind(&mut compiled, &StatementValues { select, range: StatementRange::default(), skip: None })?;
        match compiled.raw_query().next().map_err(|error| Said::of(&error)) {
            Err(said) if said.is_interrupt() => Err(self.failure(&said)),
            Err(said) if said.words.starts_with("regexp: ") => {
                Err(SourceError::new(ErrorClass::Sql, format!("source expression `{sql}`"), "cannot be computed")
                    .because(said.words))
            }
            _ => Ok(()),
        }
    }

    /// Compiles an expression in a place where SQLite allows no aggregate and no window function outside of a subquery.
    /// Those would merge rows or read other rows.
    pub(super) fn probe(&self, select: &Select, expr: &Expr) -> Result<(), SourceError> {
        let condition = statement::expression(expr);
        let relation = match &select.relation {
            Relation::Table(table) => format!("SELECT 1 FROM main.{} NOT INDEXED", quoted(table)),
            Relation::Sql(_) => {
                format!("WITH {} SELECT 1 FROM migrate_rows AS relation", statement::derived(&select.relation))
            }
            Relation::Rows { columns, .. } => {
                let none = Relation::Rows { columns: columns.clone(), rows: Vec::new() };
                format!("WITH {} SELECT 1 FROM migrate_rows AS relation", statement::derived(&none))
            }
        };
        let skip = (!matches!(select.relation, Relation::Table(_))).then_some(0);
        let mut compiled = self.prepare(&format!("{relation} WHERE {condition}")).map_err(|mut error| {
            if let Expr::Sql(sql) = expr {
                error.place = format!("source expression `{sql}`");
            }
            error
        })?;
        statement::bind(&mut compiled, &StatementValues { select, range: StatementRange::default(), skip })
    }
}

/// Refuses SQL that is not a query, with a plain message.
fn is_query(sql: &str) -> Result<(), SourceError> {
    let word = lex::first_word(sql).to_ascii_uppercase();
    if ["SELECT", "WITH", "VALUES", ""].contains(&word.as_str()) {
        return Ok(());
    }
    Err(SourceError::new(ErrorClass::Sql, "source query", "is not allowed")
        .because(format!("SQL of a mapping may only read, and this begins with {word}"))
        .advise("Write a query that begins with SELECT, WITH or VALUES.")
        .of_mapping_sql(true))
}

/// Refuses SQL whose value differs between readings.
fn is_deterministic(sql: &str, place: &str) -> Result<(), SourceError> {
    determinism::changes(sql).map_or(Ok(()), |changing| Err(not_deterministic(changing, place, "it ")))
}

/// The refusal of SQL whose value differs between readings. `who`: the SQL that calls the function.
fn not_deterministic(changing: Changing, place: &str, who: &str) -> SourceError {
    let (why, advice) = match changing {
        Changing::Value(name) => (
            format!("the source is read more than once, and {who}uses {name}, which returns another value each time"),
            "Write SQL without it; the run's start is `value = { now = true }`.",
        ),
        Changing::Zone(name) => (
            format!(
                "{who}uses {name} with the time zone of this process, which may differ when the source is read again"
            ),
            "Write SQL without 'localtime' and 'utc'; `zone` in [source] is the zone of times without an offset.",
        ),
    };
    SourceError::new(ErrorClass::Sql, place, "is not allowed").because(why).advise(advice)
}
