//! `migrate schema --prove`: the tables on a throw-away PostgreSQL, the rows through the ordinary cutover, and each translated
//! expression compared with SQLite's own value on every row.

use std::path::{Path, PathBuf};

use crate::cli::{Common, Reporting, Work};
use crate::event::{Event, Observer};
use crate::exit::Exit;
use crate::init::{NaturalKey, OwnerRequest};
use crate::mapping::{FeedRule, Load, MappedColumn, Mapping, Modifiers, RowsFrom};
use crate::model::record::{Activity, Refusal, Report};
use crate::pg::Session;
use crate::pg::connect::ReadOnly;
use crate::pg::proof::{DifferingValues, ProvedExpression, ProvedTable, ProvedView};
use crate::schema::{
    Ddl, ExpressionPair, ObjectKind, ObjectProof, ProofColumn, ProofComparison, ProofTables, ProofView,
    ProofViewColumn, text,
};
use crate::sqlite::Source;
use crate::text::{count, grouped};

use super::super::connect::Connector;
use super::super::dispatch;
use super::super::failure::{self, Failure};
use super::super::inputs::MappingFile;
use super::super::proposed_tables::require_version;
use super::super::rehearsal_server::RehearsalServer;
use super::super::session::{Migration, Request};
use super::super::world::World;
use super::mapping::{DdlPlace, MappingPlaces, mapping};
use super::printed::ProofRecord;

/// The owner of the proof's rows, if none was named and the table of owners is a new one.
const OWNER: &str = "owner";

/// The way out if an expression has another value.
const ADVICE: &str =
    "Write the file without --prove, remove the object from it, and report the expression as a defect.";

/// Everything that the proof needs.
pub struct ProofRequest<'a> {
    pub source: &'a Path,
    pub opened: &'a Source,
    pub common: &'a Common,
    /// The server of `--server`.
    pub server: Option<&'a String>,
    pub owner: Option<&'a OwnerRequest>,
}

/// Proves the tables, and notes the result at each object.
///
/// # Errors
/// Every difference, with exit 5. Otherwise the reason why nothing was compared.
pub fn prove(
    m: &Migration<'_>,
    request: &ProofRequest<'_>,
    ddl: &mut Ddl,
    world: &World,
    observer: &dyn Observer,
) -> Result<ProofRecord, Failure> {
    let proof = ddl.proof(request.opened.schema());
    let filling = filling(m, request, ddl, &proof)?;
    let server = RehearsalServer::start(request.server, &filling.name, world, observer)?;
    let schema = filling.target.schema.clone();
    let common = Common { mapping: Vec::new(), owner: Vec::new(), ..request.common.clone() };
    let run = ProofRun { server: &server, common: &common, schema: &schema, world, observer };
    {
        let mut session = run.session()?;
        require_version(ddl, &mut session, "--prove")?;
        session.accepts(&text(ddl, "the source")).map_err(|e| Failure::refused(not_accepted(&e.answer())))?;
        session.run_statements(&text(&proof.ddl, "the source")).map_err(Failure::refused)?;
    }
    let rows = run.carry(filling, &proof)?;
    let mut session = run.session()?;
    let mut differences = Vec::new();
    for table in proved_tables(&proof) {
        differences.extend(compare(&mut session, &schema, &proof, &table, ddl)?);
    }
    for view in &proof.views {
        match view_difference(&mut session, &schema, view)? {
            Ok(rows) => ddl.note_rows(&view.name, rows),
            Err(difference) => differences.push(difference),
        }
    }
    // A difference is listed once: the same rows would be refused now.
    let computed = if differences.is_empty() { proof.computed.as_slice() } else { &[] };
    for object in computed {
        if let Err(e) = session.run_statements(&object.sql) {
            let place = format!("{} of `{}`", object.object, object.table);
            let reason = format!("PostgreSQL refuses it for the rows that are stored: {}", e.answer());
            differences.push(Refusal::new(place, reason, ADVICE));
        }
    }
    drop(session);
    server.end().iter().for_each(|warning| observer.on_event(Event::Warned(warning)));
    let compared = |pair: &ExpressionPair| proof.comparisons.iter().any(|one| one.pair == *pair);
    let missing: Vec<ExpressionPair> = ddl.expressions.iter().filter(|pair| !compared(pair)).cloned().collect();
    missing.iter().for_each(|pair| ddl.note_proof(pair, ObjectProof::NotCompared));
    let (equal, not_compared, views) = (proof.comparisons.len(), missing.len(), proof.views.len());
    match differences.is_empty() {
        true => Ok(ProofRecord { rows, equal, not_compared, views }),
        false => Err(Failure { exit: Exit::Differs, problems: differences }),
    }
}

fn not_accepted(answer: &str) -> Refusal {
    let reason = format!("PostgreSQL refuses the statements: {answer}");
    Refusal::new("--prove", reason, "Write the file without --prove, and report the statement as a defect.")
}

/// The server of the proof, and everything that connects to it.
struct ProofRun<'a> {
    server: &'a RehearsalServer,
    common: &'a Common,
    schema: &'a str,
    world: &'a World,
    observer: &'a dyn Observer,
}

impl ProofRun<'_> {
    fn session(&self) -> Result<Session, Failure> {
        let connections = self.server.connections()?;
        let (settings, asked) = (&connections.settings, &self.world.asked);
        let (common, schema, observer) = (self.common, self.schema, self.observer);
        Connector { settings, common, schema, read_only: ReadOnly(false), observer, asked }.first()
    }

    /// Carries the rows by the ordinary cutover. Returns their number, without the rows of defaults.
    fn carry(&self, filling: Mapping, proof: &ProofTables) -> Result<u64, Failure> {
        let file = MappingFile { mapping: filling, folder: PathBuf::from("."), sha256: String::new() };
        let reporting = Reporting::default();
        let (work, activity) = (Work::default(), Activity::Rehearsal);
        let request = Request { common: self.common, reporting: &reporting, work, activity, asks: false };
        let migration = Migration::to_server(request, file, self.server.connections()?, self.world, self.observer);
        let report = dispatch::report(migration)?;
        // The tables may keep less of a value than the source, such as a repeated key of a JSON object. Each row is there then, too.
        if ![Exit::Done, Exit::Quarantined].contains(&Exit::of(report.exit.code)) {
            return Err(not_carried(&report));
        }
        let is_made =
            |table: &String| proof.defaults.contains(table) || proof.views.iter().any(|view| view.table == *table);
        let of_source = report.loads.iter().filter(|load| !is_made(&load.load));
        Ok(of_source.map(|load| load.written).sum())
    }
}

/// The failure of a cutover that is not done and verified.
fn not_carried(report: &Report) -> Failure {
    let mut problems = report.refusals.clone();
    problems.extend(report.faults.iter().map(|fault| {
        let row = fault.rowid.map(|rowid| format!(", rowid {rowid}")).unwrap_or_default();
        Refusal::new(format!("load.{}{row}", fault.load), fault.message.clone(), "")
    }));
    let differing = report.checks.iter().filter(|check| check.verdict == crate::model::record::Verdict::Differs);
    problems.extend(differing.map(|check| {
        let place = check.load.clone().unwrap_or_else(|| "check".to_owned());
        Refusal::new(place, check.why.clone().unwrap_or_default(), "")
    }));
    if problems.is_empty() {
        problems.push(Refusal::new("--prove", "the rows could not be carried into the tables", ""));
    }
    Failure { exit: Exit::of(report.exit.code), problems }
}

/// Returns the mapping that fills the tables of the proof, with the values that SQLite computes.
///
/// # Errors
/// The questions that only the operator can answer.
fn filling(m: &Migration<'_>, request: &ProofRequest<'_>, ddl: &Ddl, proof: &ProofTables) -> Result<Mapping, Failure> {
    let places = MappingPlaces { mapping: Path::new("migrate.toml"), source: request.source, ddl: DdlPlace::Unnamed };
    let owner = request.owner.map(|owner| named_owner(owner, ddl));
    let draft = mapping(m, request.opened, &proof.ddl, owner.as_ref(), &places)?;
    let wrong = |problems: Vec<crate::mapping::FormProblem>| failure::of_mapping("proof", &problems);
    let (mapping, questions) = crate::mapping::read_draft(&draft).map_err(wrong)?;
    let mut mapping = mapping.map_err(wrong)?;
    // No translated expression depends on the zone of a time.
    let open = questions.iter().filter(|question| question.place != "source.zone");
    let advice = "Name the owner of the rows: --owner TABLE.COLUMN=VALUE.";
    let open: Vec<Refusal> = open.map(|question| Refusal::new(&question.place, &question.text, advice)).collect();
    if !open.is_empty() {
        return Err(Failure::refused(open));
    }
    mapping.source.zone.get_or_insert_with(|| "UTC".to_owned());
    mapping.source.path = Some(request.source.display().to_string());
    add_values(&mut mapping, proof);
    add_views(&mut mapping, proof);
    Ok(mapping)
}

/// The owner as the mapping names it. A new table of owners gets one.
fn named_owner(owner: &OwnerRequest, ddl: &Ddl) -> OwnerRequest {
    let table = owner.table.as_ref().and_then(|name| ddl.tables.iter().find(|table| table.name == *name));
    let natural = table.filter(|table| table.is_new).and_then(|table| table.columns.get(1));
    let made = natural.map(|column| NaturalKey { column: column.name.clone(), value: OWNER.to_owned() });
    OwnerRequest { table: owner.table.clone(), natural: owner.natural.clone().or(made) }
}

/// Adds the values that SQLite computes to the loads of their tables.
fn add_values(mapping: &mut Mapping, proof: &ProofTables) {
    for load in &mut mapping.loads {
        let columns = proof.columns_of(&load.to).map(|column| {
            let (feed, modifiers) = (Some(FeedRule::Sql(column.source.clone())), Modifiers::default());
            (column.name.clone(), MappedColumn { feed, modifiers, refers: None })
        });
        load.columns.extend(columns);
    }
    for table in &proof.defaults {
        let value =
            |column: &ProofColumn| format!("{} AS {}", column.source, crate::model::ident::quoted(&column.name));
        let values: Vec<String> = proof.columns_of(table).map(value).collect();
        let from = RowsFrom::Sql(format!("SELECT {}", values.join(", ")));
        mapping.loads.push(Load { name: table.clone(), from, to: table.clone(), ..Load::default() });
    }
}

/// Adds the loads that carry the rows of the views.
fn add_views(mapping: &mut Mapping, proof: &ProofTables) {
    for view in &proof.views {
        let value = |own: &ProofViewColumn| {
            format!("{} AS {}", own.column.source, crate::model::ident::quoted(&own.column.name))
        };
        let values: Vec<String> = view.columns.iter().map(value).collect();
        let own = crate::model::ident::quoted(&view.name);
        let from = RowsFrom::Sql(format!("SELECT {} FROM {own}", values.join(", ")));
        let read_as = view.columns.iter().filter_map(|own| Some((own.column.name.clone(), own.read_as.as_ref()?)));
        let columns = read_as.filter_map(|(name, origin)| {
            let load = mapping.loads.iter().find(|load| load.to == origin.table)?;
            let (_, rule) = load.columns.iter().find(|(column, _)| *column == origin.column)?;
            Some((name, MappedColumn { feed: None, modifiers: rule.modifiers.clone(), refers: None }))
        });
        let (name, to, columns) = (view.table.clone(), view.table.clone(), columns.collect());
        mapping.loads.push(Load { name, from, to, columns, ..Load::default() });
    }
}

/// Makes a view and compares its rows. Returns their number, or the difference.
fn view_difference(session: &mut Session, schema: &str, view: &ProofView) -> Result<Result<u64, Refusal>, Failure> {
    let place = format!("view `{}`", view.name);
    if let Err(e) = session.run_statements(&view.sql) {
        let reason = format!("PostgreSQL refuses it: {}", e.answer());
        return Ok(Err(Refusal::new(place, reason, ADVICE)));
    }
    let expression =
        |own: &ProofViewColumn| ProvedExpression { column: own.column.name.clone(), sql: own.target.clone() };
    let columns: Vec<ProvedExpression> = view.columns.iter().map(expression).collect();
    let proved = |columns| ProvedView { schema, view: &view.name, table: &view.table, columns };
    let found = match session.prove_rows(&proved(&columns)) {
        Ok(found) => found,
        Err(e) if e.is_about_rows() => {
            let reason = format!("PostgreSQL refuses to compute its rows: {}", e.answer());
            return Ok(Err(Refusal::new(place, reason, ADVICE)));
        }
        Err(e) => return Err(Failure::refused(e)),
    };
    let (one, other) = (found.only_in_sqlite, found.only_in_postgresql);
    if one + other == 0 {
        return Ok(Ok(found.rows));
    }
    let mut differing = Vec::new();
    for (column, own) in columns.iter().zip(&view.columns) {
        let found = session.prove_rows(&proved(std::slice::from_ref(column))).map_err(Failure::refused)?;
        if found.only_in_sqlite + found.only_in_postgresql > 0 {
            differing.push(own.name.as_str());
        }
    }
    let of_columns =
        if differing.is_empty() { "each column by itself is equal".to_owned() } else { differing.join(", ") };
    let reason = format!(
        "its rows differ: {} of SQLite are not in PostgreSQL, and {} of PostgreSQL are not in SQLite; columns with other \
         values: {of_columns}",
        count(one, "row", "rows"),
        count(other, "row", "rows")
    );
    Ok(Err(Refusal::new(place, reason, ADVICE)))
}

/// The tables with expressions, each once.
fn proved_tables(proof: &ProofTables) -> Vec<String> {
    let mut names: Vec<String> = proof.comparisons.iter().map(|one| one.table.clone()).collect();
    names.sort_unstable();
    names.dedup();
    names
}

/// Compares the expressions of one table. Notes those that are equal, and returns the others.
fn compare(
    session: &mut Session,
    schema: &str,
    proof: &ProofTables,
    table: &str,
    ddl: &mut Ddl,
) -> Result<Vec<Refusal>, Failure> {
    let label = proof.labels.get(table).map(|label| label.name.as_str());
    let comparisons: Vec<&ProofComparison> = proof.comparisons.iter().filter(|one| one.table == table).collect();
    let sql = |one: &&ProofComparison| ProvedExpression { column: one.column.name.clone(), sql: one.target.clone() };
    let expressions: Vec<ProvedExpression> = comparisons.iter().map(sql).collect();
    let found = session.prove(&ProvedTable { schema, table, label }, &expressions).map_err(Failure::refused)?;
    let mut differences = Vec::new();
    for (comparison, values) in comparisons.iter().zip(&found.expressions) {
        let is_default = comparison.pair.kind == ObjectKind::Default;
        if values.count > 0 {
            differences.push(difference(&comparison.pair, values, found.rows));
        } else {
            let equal = if is_default { ObjectProof::Equal } else { ObjectProof::EqualRows(found.rows) };
            ddl.note_proof(&comparison.pair, equal);
        }
    }
    Ok(differences)
}

fn difference(pair: &ExpressionPair, found: &DifferingValues, rows: u64) -> Refusal {
    let place = format!("{} {} of `{}`", pair.kind.words(), pair.name, pair.table);
    if pair.kind == ObjectKind::Default {
        return Refusal::new(place, "PostgreSQL has another value than SQLite", ADVICE);
    }
    let (differing, all) = (grouped(found.count), count(rows, "row", "rows"));
    let mut reason = match &found.error {
        None => format!("PostgreSQL has another value than SQLite on {differing} of {all}"),
        Some(error) => {
            format!("PostgreSQL has another value than SQLite, or an error ({error}), on {differing} of {all}")
        }
    };
    if !found.labels.is_empty() {
        let more = if found.count > found.labels.len() as u64 { ", ..." } else { "" };
        reason.push_str(&format!(": {}{more}", found.labels.join("; ")));
    }
    Refusal::new(place, reason, ADVICE)
}
