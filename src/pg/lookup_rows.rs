//! Lookups on the server's side: the type of an expression over a table, and the rows that fill a lookup's map.

use postgres::Statement;

use super::client::{Pipeline, Reply};
use super::error::{Doing, ServerError};
use super::query::TypedQuery;
use super::read_back::RowImages;
use super::row::RowValues;
use super::session::Session;
use super::types::TypeTable;
use crate::model::ident::{qualified, quoted};
use crate::model::ledger::Run;
use crate::model::pgtype::ColumnType;
use crate::wire::binary;

const READING: &str = "reading a lookup";

/// The rows and columns that a lookup reads.
pub struct LookupRows<'a> {
    /// The schema.
    pub schema: &'a str,
    /// The table.
    pub table: &'a str,
    /// The SQL expressions of the key of each step.
    pub keys: Vec<Vec<&'a str>>,
    /// The column that the lookup returns.
    pub take: &'a str,
}

impl LookupRows<'_> {
    /// The statement that reads them.
    pub(super) fn sql(&self) -> String {
        let parts: Vec<String> = self.keys.iter().flatten().map(|sql| format!("({sql}\n)")).collect();
        format!(
            "COPY (SELECT {}, {} FROM {}) TO STDOUT (FORMAT binary)",
            parts.join(", "),
            quoted(self.take),
            qualified(self.schema, self.table)
        )
    }
}

/// OID and typmod of an expression, or the server's refusal in words.
type TypeAnswer = Result<(i64, i32), String>;

impl Session {
    /// Returns, for each table and expression over its columns, the type that PostgreSQL infers, or its refusal in words.
    ///
    /// # Errors
    /// If the connection is lost. A refused expression is an answer, not an error.
    pub fn expression_types(
        &mut self,
        schema: &str,
        expressions: &[(String, String)],
    ) -> Result<Vec<Result<ColumnType, String>>, ServerError> {
        if expressions.is_empty() {
            return Ok(Vec::new());
        }
        let found = self.result_columns(schema, expressions)?;
        let typed: Vec<(i64, i32)> = found.iter().filter_map(|found| found.clone().ok()).collect();
        let (oids, typmods): (Vec<i64>, Vec<i32>) = typed.iter().copied().unzip();
        let shown = "SELECT pg_catalog.format_type(t.oid::oid, t.typmod) \
                     FROM unnest($1::int8[], $2::int4[]) WITH ORDINALITY AS t (oid, typmod, place) ORDER BY t.place";
        let shown = TypedQuery::new(READING, shown).with(&oids).with(&typmods);
        let [types, shown] = self.ask([TypeTable::query(&schema, &oids), shown])?;
        let types = TypeTable::of_rows(&types, self)?;
        let shown: Vec<String> = shown.iter().map(|row| row.value(0)).collect::<Result<_, _>>()?;
        let mut shown = shown.into_iter();
        let mut resolved = |(oid, typmod)| types.resolve(oid, typmod, &shown.next().unwrap_or_default()).column;
        Ok(found.into_iter().map(|found| found.map(&mut resolved)).collect())
    }

    /// Returns OID and typmod of each expression, or the server's refusal.
    fn result_columns(
        &mut self,
        schema: &str,
        expressions: &[(String, String)],
    ) -> Result<Vec<TypeAnswer>, ServerError> {
        let statement = |(table, sql): &(String, String)| format!("SELECT ({sql}\n) FROM {}", qualified(schema, table));
        let begin = Pipeline::new().script(self.path_statement(false));
        let pipeline = expressions.iter().fold(begin, |pipeline, asked| pipeline.prepare(statement(asked)));
        let mut replies = pipeline.script(self.path_statement(true)).run(&mut self.client);
        // The first and the last reply are those of the search path.
        replies.pop().transpose().doing(READING)?;
        replies.remove(0).doing(READING)?;
        let one = |reply: Result<Reply, postgres::Error>| match reply {
            Ok(reply) => match reply.statement().as_ref().map(Statement::columns) {
                Some([one]) => Ok(Ok((i64::from(one.type_().oid()), one.type_modifier()))),
                _ => Ok(Err("it is not one expression".to_owned())),
            },
            Err(e) => match e.as_db_error() {
                None => Err(e).doing(READING),
                // The message names columns and functions of the mapping's own text, never a value of a row.
                Some(refusal) => Ok(Err(refusal.message().to_owned())),
            },
        };
        replies.into_iter().map(one).collect()
    }

    /// Passes each row's binary COPY images to `row`: for each step, its number, the key's expressions and the column that is
    /// taken. All steps cost one reading of the table.
    ///
    /// # Errors
    /// If the server refuses, the connection is lost, or the stream ends without its trailer.
    pub fn read_lookup(&mut self, rows: &LookupRows<'_>, row: &mut dyn FnMut(usize, &[u8])) -> Result<(), ServerError> {
        let parts: usize = rows.keys.iter().map(Vec::len).sum();
        let (mut places, mut next) = (Vec::new(), 0);
        for key in &rows.keys {
            places.push((next..next + key.len()).chain([parts]).map(Some).collect::<Vec<_>>());
            next += key.len();
        }
        let statement = self.prepared.get(&mut self.client, &rows.sql()).doing(READING)?;
        let mut image = Vec::new();
        let mut split = |whole: &[u8]| {
            for (n, places) in places.iter().enumerate() {
                image.clear();
                if binary::project(whole, places, &mut image) {
                    row(n, &image);
                }
            }
        };
        // The expressions are the application's own code, and the server reads them when it runs the statement.
        let (enter, leave) = (self.path_statement(false), self.path_statement(true));
        let stream = self.client.copy_out_between(&enter, &statement, leave).doing(READING)?;
        RowImages::begin(stream)?.each(&mut split).map(drop)
    }

    /// Writes the digest of a lookup's map into the ledger when the map is read first. Returns the digest in the ledger: an
    /// earlier one if the load was begun before. `None` if another process resumed the run.
    ///
    /// # Errors
    /// If the server refuses or the connection is lost.
    pub fn note_lookup(&mut self, run: &Run, place: &str, digest: &str) -> Result<Option<String>, ServerError> {
        const NOTING: &str = "noting a lookup";
        // Not `MINE`: the rollback of a run that is done reads its lookups, too.
        let sql: &str = &self.ledger.sql(
            "WITH mine AS (SELECT run FROM :ledger.run WHERE run = $1 AND epoch = $2 FOR SHARE), \
             noted AS (INSERT INTO :ledger.made (run, kind, object, became) SELECT run, 'lookup', $3, $4 FROM mine \
             ON CONFLICT DO NOTHING) SELECT count(*) > 0 FROM mine",
        );
        let noted: &str =
            &self.ledger.sql("SELECT became FROM :ledger.made WHERE run = $1 AND kind = 'lookup' AND object = $2");
        let steps =
            Pipeline::new().query(sql, &[&run.id, &run.epoch, &place, &digest]).query(noted, &[&run.id, &place]);
        let answers = steps.rows(&mut self.client).doing(NOTING)?.concat();
        match answers.as_slice() {
            [is_mine, noted] if is_mine.value(0)? => noted.kept(0).map(Some),
            [is_mine] if is_mine.value(0)? => Err(ServerError::new(NOTING, "the ledger lost it")),
            _ => Ok(None),
        }
    }
}
