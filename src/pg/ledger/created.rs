//! Objects that `--create` makes in the target before the run of a mapping begins, and the ledger's note about them: one
//! transaction.

use postgres::Row;

use super::{READING, RunName, WRITING, creation, side_effects, upgrade};
use crate::model::ident::{literal, qualified, quoted};
use crate::model::ledger::{CreatedKind, CreatedObject, LedgerState, Made};
use crate::pg::client::{Client, Pipeline};
use crate::pg::error::{Doing, ServerError};
use crate::pg::query::TypedQuery;
use crate::pg::row::RowValues;
use crate::pg::session::{ApplicationPath, LedgerSchema, Session};

/// The query that describes objects of a schema: kind, name, OID and hash of the definition.
const OBJECTS: &str = include_str!("../sql/created_objects.sql");

const CREATING: &str = "creating the tables of --create";
const DROPPING: &str = "dropping the tables that --create made";

/// The result of dropping what `--create` made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CreatedRollback {
    /// These objects are dropped.
    Dropped(Vec<CreatedObject>),
    /// All of these objects stay, for this reason.
    Kept(Vec<CreatedObject>, String),
}

/// Tables to create, and everything that belongs to them.
pub struct NewTables<'a> {
    /// The schema.
    pub schema: &'a str,
    /// The statements, which name no schema.
    pub statements: &'a str,
    /// The objects that these statements make.
    pub objects: &'a [CreatedObject],
}

/// Kinds and names of objects, as `sql/created_objects.sql` takes them.
struct ObjectNames<'o> {
    kinds: Vec<&'o str>,
    names: Vec<&'o str>,
}

impl<'o> ObjectNames<'o> {
    fn of(objects: &'o [CreatedObject]) -> ObjectNames<'o> {
        let (kinds, names) = objects.iter().map(|one| (one.kind.word(), one.name.as_str())).unzip();
        ObjectNames { kinds, names }
    }
}

/// The query for the objects of a mapping and owner. `whose`: a condition on `c`, the row of an object.
pub(super) fn query<'q>(ledger: &LedgerSchema, whose: &str) -> TypedQuery<'q> {
    let sql = "SELECT c.kind, c.schema_name, c.object FROM :ledger.created c WHERE :whose ORDER BY 1, 2, 3";
    TypedQuery::new(READING, ledger.sql(&sql.replace(":whose", whose)))
}

/// The query for the objects of the mapping `$1`: the latest run of their owner, or NULL if none began, kind and name.
pub(super) fn of_latest_runs<'q>(ledger: &LedgerSchema) -> TypedQuery<'q> {
    let sql = "SELECT pg_catalog.max(r.run), 'created ' || c.kind, c.schema_name || '.' || c.object FROM :ledger.created c \
               LEFT JOIN :ledger.run r ON r.mapping = c.mapping AND r.owner = c.owner \
               WHERE c.mapping = $1 GROUP BY c.owner, c.kind, c.schema_name, c.object ORDER BY 1, 2, 3";
    TypedQuery::new(READING, ledger.sql(sql))
}

/// The objects that the answer to this query describes.
pub(super) fn created(rows: &[Row]) -> Result<Vec<CreatedObject>, ServerError> {
    let object = |row: &Row| {
        let word: &str = row.kept(0)?;
        let unknown = || ServerError::of_ledger(format!("created.kind: this version does not know the kind `{word}`"));
        let kind = CreatedKind::read(word).ok_or_else(unknown)?;
        Ok(CreatedObject { kind, schema: row.kept(1)?, name: row.kept(2)? })
    };
    rows.iter().map(object).collect()
}

impl Session {
    /// Returns those of the names that a relation or a type of the schema has.
    ///
    /// # Errors
    /// If the server refuses or the connection is lost.
    pub fn taken_names(&mut self, schema: &str, names: &[&str]) -> Result<Vec<String>, ServerError> {
        let sql = "SELECT c.relname::text FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
                   WHERE n.nspname = $1 AND c.relname = ANY ($2) ORDER BY 1";
        let [rows] = self.ask([TypedQuery::new(CREATING, sql).with(&schema).with(&names)])?;
        rows.iter().map(|row| row.value(0)).collect()
    }

    /// Returns the objects that the ledger notes for this mapping and owner.
    ///
    /// # Errors
    /// If the server refuses, the connection is lost, or the ledger contains a kind that this version does not know.
    pub fn created_objects(
        &mut self,
        RunName { mapping, owner }: RunName<'_>,
    ) -> Result<Vec<CreatedObject>, ServerError> {
        let columns = self.ledger_columns()?;
        if !columns.are_complete() || !columns.note_created_objects() {
            return Ok(Vec::new());
        }
        let [rows] = self.ask([query(&self.ledger, "c.mapping = $1 AND c.owner = $2").with(&mapping).with(&owner)])?;
        created(&rows)
    }

    /// Returns what a run made in addition to its rows, and the objects that `--create` made for its mapping and owner. The
    /// ledger has the version that this tool writes.
    ///
    /// # Errors
    /// If the server refuses, the connection is lost, or the ledger contains a kind that this version does not know.
    pub fn made_and_created(&mut self, run: i64) -> Result<(Vec<Made>, Vec<CreatedObject>), ServerError> {
        let whose = "(c.mapping, c.owner) IN (SELECT r.mapping, r.owner FROM :ledger.run r WHERE r.run = $1)";
        let queries = [side_effects::query(&self.ledger, "$1"), query(&self.ledger, whose)];
        let [made, objects] = self.ask(queries.map(|query| query.with(&run)))?;
        Ok((side_effects::made(&made)?, created(&objects)?))
    }

    /// Creates tables and notes them in the ledger, which is made if it is missing: all of it or nothing.
    ///
    /// # Errors
    /// If the server refuses a statement, an object is missing after them, or the connection is lost.
    pub fn create_tables(&mut self, by: RunName<'_>, new: &NewTables<'_>) -> Result<(), ServerError> {
        let place = self.find_ledger(Vec::new())?.0;
        let tables = match place.state {
            LedgerState::Absent => creation(&self.ledger, place.schema_exists),
            LedgerState::Version(version) => upgrade(&self.ledger, version),
            LedgerState::Foreign(why) => return Err(ServerError::new(WRITING, why)),
            LedgerState::Untrusted(_) => {
                return Err(ServerError::new(WRITING, "another role owns a part of the ledger"));
            }
        };
        let (forget, note) = (
            // A note about an object that was dropped by hand is void.
            self.ledger.sql(
                "DELETE FROM :ledger.created WHERE mapping = $1 AND owner = $2 OR schema_name = $3 AND object = ANY ($4)",
            ),
            self.ledger.sql(&format!(
                "INSERT INTO :ledger.created SELECT $4, $5, found.kind, $1, found.name, found.oid, found.shape \
                 FROM ({OBJECTS}) AS found RETURNING 1"
            )),
        );
        let RunName { mapping, owner } = by;
        let ObjectNames { kinds, names } = ObjectNames::of(new.objects);
        let steps = Pipeline::new()
            .script(format!("START TRANSACTION; SET LOCAL search_path = {}", quoted(new.schema)))
            .script(new.statements)
            .script(format!("{}; {tables}", ApplicationPath::leave(true)))
            .query(forget, &[&mapping, &owner, &new.schema, &names])
            .query(note, &[&new.schema, &kinds, &names, &mapping, &owner]);
        let mut tx = self.client.begun_transaction();
        let answers = steps.rows(&mut tx).doing(CREATING)?;
        let noted = answers.last().map_or(0, Vec::len);
        if noted != new.objects.len() {
            let missing = format!("the statements made {noted} of {} objects", new.objects.len());
            return Err(ServerError::new(CREATING, missing));
        }
        tx.commit().doing(CREATING)
    }

    /// Drops what `--create` made for a mapping and owner of which no run began.
    ///
    /// # Errors
    /// If the connection is lost.
    pub fn drop_created_tables(&mut self, by: RunName<'_>) -> Result<Option<CreatedRollback>, ServerError> {
        let objects = self.created_objects(by)?;
        if objects.is_empty() || self.find_run(by.mapping, by.owner)?.is_some() {
            return Ok(None);
        }
        let (ledger, mut tx) = (self.ledger.clone(), self.client.transaction().doing(DROPPING)?);
        let dropped = drop_objects(&mut tx, &ledger, objects)?;
        tx.commit().doing(DROPPING)?;
        Ok(Some(dropped))
    }
}

/// Drops these objects within the transaction, and their notes. Nothing is dropped if one of them was changed, a table holds
/// rows, or another object depends on one.
pub(in crate::pg) fn drop_objects(
    tx: &mut Client,
    ledger: &LedgerSchema,
    objects: Vec<CreatedObject>,
) -> Result<CreatedRollback, ServerError> {
    tx.batch_execute("SET CONSTRAINTS ALL IMMEDIATE; SAVEPOINT migrate_created").doing(DROPPING)?;
    let why = match try_drop(tx, ledger, &objects) {
        Ok(None) => return Ok(CreatedRollback::Dropped(objects)),
        Ok(Some(why)) => why,
        Err(e) if e.lost => return Err(e),
        Err(e) => format!("PostgreSQL refuses to drop them ({})", e.answer()),
    };
    tx.batch_execute("ROLLBACK TO SAVEPOINT migrate_created").doing(DROPPING)?;
    Ok(CreatedRollback::Kept(objects, why))
}

/// Returns the reason why nothing was dropped.
fn try_drop(tx: &mut Client, ledger: &LedgerSchema, objects: &[CreatedObject]) -> Result<Option<String>, ServerError> {
    let of = |kind: CreatedKind| objects.iter().filter(move |object| object.kind == kind);
    let tables: Vec<String> = of(CreatedKind::Table).map(place).collect();
    // The lock comes first: nothing changes between the questions and the end.
    if !tables.is_empty() {
        let lock = format!("LOCK TABLE {} IN ACCESS EXCLUSIVE MODE", tables.join(", "));
        tx.batch_execute(&lock).doing(DROPPING)?;
    }
    if let Some(why) = changed(tx, ledger, objects)? {
        return Ok(Some(why));
    }
    let held = of(CreatedKind::Table).map(|table| {
        let name = literal(&table.name);
        format!("SELECT {name}::text WHERE EXISTS (SELECT 1 FROM {})", place(table))
    });
    let held: Vec<String> = held.collect();
    if let Some(row) = tx.query(&format!("{} LIMIT 1", held.join(" UNION ALL ")), &[]).doing(DROPPING)?.first() {
        return Ok(Some(format!("{} holds rows that the run did not write", row.value::<String>(0)?)));
    }
    if let Some(other) = loading_run(tx, ledger, objects)? {
        return Ok(Some(other));
    }
    let mut drops = Pipeline::new();
    for (kind, words, call) in
        [(CreatedKind::View, "VIEW", ""), (CreatedKind::Table, "TABLE", ""), (CreatedKind::Function, "FUNCTION", "()")]
    {
        let names: Vec<String> = of(kind).map(|object| place(object) + call).collect();
        if !names.is_empty() {
            drops = drops.script(format!("DROP {words} {}", names.join(", ")));
        }
    }
    drops.rows(tx).doing(DROPPING)?;
    let Some(schema) = objects.first().map(|object| object.schema.as_str()) else { return Ok(None) };
    let sql = ledger
        .sql("DELETE FROM :ledger.created WHERE schema_name = $1 AND (kind, object) IN (SELECT * FROM unnest($2, $3))");
    let ObjectNames { kinds, names } = ObjectNames::of(objects);
    tx.execute(&sql, &[&schema, &kinds, &names]).doing(DROPPING)?;
    Ok(None)
}

/// Returns the words for a run of another mapping or owner that loads one of the tables and is not ended.
fn loading_run(
    tx: &mut Client,
    ledger: &LedgerSchema,
    objects: &[CreatedObject],
) -> Result<Option<String>, ServerError> {
    let sql = ledger.sql(
        "SELECT r.run, r.mapping FROM :ledger.run r WHERE r.state = 'Running' AND r.judged -> 'images' ?| $1 \
         AND NOT EXISTS (SELECT FROM :ledger.created c \
                          WHERE c.mapping = r.mapping AND c.owner = r.owner AND c.object = ANY ($1)) ORDER BY 1 LIMIT 1",
    );
    let rows = tx.query(&sql, &[&ObjectNames::of(objects).names]).doing(DROPPING)?;
    let Some(row) = rows.first() else { return Ok(None) };
    let (run, mapping): (i64, String) = (row.value(0)?, row.value(1)?);
    Ok(Some(format!("run {run} of the mapping `{mapping}` loads them and is not ended")))
}

/// Returns the words for the first object that is no longer the one that was made.
fn changed(tx: &mut Client, ledger: &LedgerSchema, objects: &[CreatedObject]) -> Result<Option<String>, ServerError> {
    let Some(schema) = objects.first().map(|object| object.schema.as_str()) else { return Ok(None) };
    let sql = ledger.sql(&format!(
        "SELECT c.object, found.oid IS NULL FROM :ledger.created c \
         LEFT JOIN ({OBJECTS}) AS found ON found.kind = c.kind AND found.name = c.object AND found.oid = c.oid \
         WHERE c.schema_name = $1 AND (c.kind, c.object) IN (SELECT * FROM unnest($2, $3)) \
           AND found.shape IS DISTINCT FROM c.shape ORDER BY 1 LIMIT 1"
    ));
    let ObjectNames { kinds, names } = ObjectNames::of(objects);
    let rows = tx.query(&sql, &[&schema, &kinds, &names]).doing(DROPPING)?;
    let Some(row) = rows.first() else { return Ok(None) };
    let name: String = row.value(0)?;
    Ok(Some(match row.value::<bool>(1)? {
        true => format!("{name} is not the object that --create made"),
        false => format!("{name} was altered since --create made it"),
    }))
}

fn place(object: &CreatedObject) -> String {
    qualified(&object.schema, &object.name)
}
