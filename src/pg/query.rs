//! Queries that are sent together, so that their number costs no round trips.

use std::borrow::Cow;

use super::client::{Parameter, Pipeline};

/// A statement that reads, and its parameters.
pub(super) struct TypedQuery<'q> {
    sql: Cow<'q, str>,
    parameters: Vec<&'q dyn Parameter>,
    /// The operation that an error names.
    pub doing: &'static str,
    /// The search path that it needs.
    pub path: PathForQuery,
}

/// The search path that a query needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum PathForQuery {
    /// The tool's own.
    Own,
    /// The path that the planner needs to read tables of the application.
    ReadingTables,
    /// The application's.
    Application,
}

impl<'q> TypedQuery<'q> {
    /// A query without parameters.
    pub fn new(doing: &'static str, sql: impl Into<Cow<'q, str>>) -> TypedQuery<'q> {
        TypedQuery { sql: sql.into(), parameters: Vec::new(), doing, path: PathForQuery::Own }
    }

    /// Adds a parameter.
    pub fn with(mut self, value: &'q dyn Parameter) -> TypedQuery<'q> {
        self.parameters.push(value);
        self
    }

    /// The same query over tables of the application. It must name every function and operator with its schema.
    pub fn of_tables(self) -> TypedQuery<'q> {
        TypedQuery { path: PathForQuery::ReadingTables, ..self }
    }

    /// The same query under the application's search path. It must name every function and operator with its schema.
    pub fn of_application(self) -> TypedQuery<'q> {
        TypedQuery { path: PathForQuery::Application, ..self }
    }

    /// Adds the query to those that are sent together.
    pub fn add_to(self, pipeline: Pipeline<'q>) -> Pipeline<'q> {
        pipeline.query(self.sql, &self.parameters)
    }
}
