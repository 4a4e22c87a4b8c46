//! Scripts that make the tables of a rehearsal, as `pg_dump` writes them in place of the application's own migrations.
//!
//! The user of the rehearsal owns everything, so statements about owners and rights are left out and counted. Nothing outside
//! the rehearsal's own database is touched: statements about other databases are refused, and on a server that others use,
//! those about roles, too.

mod kind;
mod pieces;

use std::collections::BTreeSet;

use bytes::Bytes;

use super::error::{Doing, ServerError};
use super::query::TypedQuery;
use super::row::RowValues;
use super::session::Session;
use crate::model::ident::quoted;
use crate::model::record::Refusal;
use kind::{PieceKind, SharedObject, kind};
use pieces::{Piece, pieces};

const MAKING: &str = "making the tables of the rehearsal";

/// Bytes of rows in one message.
const MESSAGE: usize = 1 << 20;

/// The server on which a script runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ScriptServer {
    /// The server inside the process.
    Embedded,
    /// A server of this machine's programs that only the rehearsal uses.
    Private,
    /// A server that others use, too.
    Shared,
}

/// A script that was read.
pub struct Script<'a> {
    place: String,
    pieces: Vec<(Piece<'a>, PieceKind)>,
}

/// The statements that were left out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OmittedStatements {
    /// Statements about owners, rights and objects of the whole server.
    pub rights: usize,
    /// Settings that the server does not know.
    pub settings: BTreeSet<String>,
    /// True if the ledger of a previous run was among the tables.
    pub has_ledger: bool,
}

/// The names that a server knows.
struct ServerNames {
    extensions: BTreeSet<String>,
    settings: BTreeSet<String>,
    version: String,
}

impl<'a> Script<'a> {
    /// Reads a script. `place`: its name in messages.
    ///
    /// # Errors
    /// The statements that cannot be run in a rehearsal.
    pub fn read(place: &str, text: &'a str, server: ScriptServer) -> Result<Script<'a>, Vec<Refusal>> {
        let pieces = pieces(text).map_err(|unended| {
            let reason = format!("{} does not end", unended.part);
            let advice = "Write the file again: it is cut off, or it was changed.";
            vec![Refusal::new(at(place, unended.line), reason, advice)]
        })?;
        let pieces: Vec<_> =
            pieces.into_iter().map(|piece| (kind(&piece), piece)).map(|(kind, piece)| (piece, kind)).collect();
        let refused = |(piece, kind): &(Piece<'_>, PieceKind)| {
            let (reason, advice) = refusal(kind, server)?;
            Some(Refusal::new(at(place, piece.line), reason, advice))
        };
        let refusals: Vec<Refusal> = pieces.iter().filter_map(refused).collect();
        if refusals.is_empty() { Ok(Script { place: place.to_owned(), pieces }) } else { Err(refusals) }
    }
}

fn at(place: &str, line: usize) -> String {
    format!("{place}, line {line}")
}

/// The reason why a piece is not run, with the way out.
fn refusal(kind: &PieceKind, server: ScriptServer) -> Option<(&'static str, &'static str)> {
    match kind {
        PieceKind::Connect | PieceKind::WholeServer(SharedObject::Database) => Some((
            "it acts on another database, and a rehearsal has one of its own",
            "Write the dump without --create (-C), or remove the line.",
        )),
        PieceKind::WholeServer(SharedObject::Other) if server == ScriptServer::Shared => Some((
            "it changes what all databases of the server share, and would remain after the rehearsal",
            "Remove the statement. The rehearsal leaves out owners and rights, so it needs no role.",
        )),
        PieceKind::Command => Some((
            "it is a command of psql, which a rehearsal does not run",
            "Write its result into the file, or remove the line.",
        )),
        _ => None,
    }
}

impl Session {
    /// Runs the scripts, and removes the ledger of a previous run that they contain.
    ///
    /// # Errors
    /// The extensions that the server does not have, before anything is run. The error of the first statement that the server
    /// refuses: those before it stay done.
    pub fn run_scripts(
        &mut self,
        scripts: &[Script<'_>],
        server: ScriptServer,
    ) -> Result<OmittedStatements, Vec<Refusal>> {
        let known = self.known_names().map_err(refused)?;
        let missing: Vec<Refusal> = scripts.iter().flat_map(|script| script.missing(&known, server)).collect();
        if !missing.is_empty() {
            return Err(missing);
        }
        let mut left_out = OmittedStatements::default();
        for script in scripts {
            self.client.batch_execute("RESET search_path").doing(MAKING).map_err(refused)?;
            for (piece, kind) in &script.pieces {
                let done = self.run_piece(piece, kind, &known, &mut left_out);
                done.doing(at(&script.place, piece.line).as_str()).map_err(refused)?;
            }
        }
        self.set_own_path().map_err(refused)?;
        left_out.has_ledger = self.drop_dumped_ledger().map_err(refused)?;
        Ok(left_out)
    }

    fn run_piece(
        &mut self,
        piece: &Piece<'_>,
        kind: &PieceKind,
        known: &ServerNames,
        left_out: &mut OmittedStatements,
    ) -> Result<(), postgres::Error> {
        match kind {
            PieceKind::Harmless => {}
            PieceKind::Right => left_out.rights += 1,
            PieceKind::Setting(name) if !name.contains('.') && !known.settings.contains(name) => {
                left_out.settings.insert(name.clone());
            }
            PieceKind::PublicSchema => self.client.batch_execute("CREATE SCHEMA IF NOT EXISTS public")?,
            _ => match piece.rows {
                None => self.client.batch_execute(piece.text)?,
                Some(rows) => {
                    let statement = self.client.prepare(piece.text)?;
                    let mut copy = self.client.copy_in(&statement)?;
                    for part in rows.as_bytes().chunks(MESSAGE) {
                        copy.send(&mut self.client, Bytes::copy_from_slice(part))?;
                    }
                    copy.finish(&mut self.client)?;
                }
            },
        }
        Ok(())
    }

    fn known_names(&mut self) -> Result<ServerNames, ServerError> {
        let names = |sql: &'static str| TypedQuery::new(MAKING, sql);
        let [extensions, settings, version] = self.ask([
            names("SELECT name::text FROM pg_catalog.pg_available_extensions"),
            names("SELECT name FROM pg_catalog.pg_settings"),
            names("SELECT pg_catalog.current_setting('server_version')"),
        ])?;
        let all = |rows: Vec<postgres::Row>| rows.iter().map(|row| row.value::<String>(0)).collect::<Result<_, _>>();
        let version: BTreeSet<String> = all(version)?;
        Ok(ServerNames {
            extensions: all(extensions)?,
            settings: all(settings)?,
            version: version.into_iter().collect(),
        })
    }

    /// Removes the ledger's schema that a dump of a target contains. Returns false if there is none.
    fn drop_dumped_ledger(&mut self) -> Result<bool, ServerError> {
        let schema = self.ledger.schema.clone();
        let sql =
            "SELECT count(*) FROM pg_catalog.pg_tables WHERE schemaname = $1 AND tablename IN ('run', 'batch', 'part')";
        let [rows] = self.ask([TypedQuery::new(MAKING, sql).with(&schema)])?;
        let is_ledger = rows.first().map_or(Ok(0), |row| row.value::<i64>(0))? == 3;
        if is_ledger {
            self.client.batch_execute(&format!("DROP SCHEMA {} CASCADE", quoted(&schema))).doing(MAKING)?;
        }
        Ok(is_ledger)
    }
}

impl Script<'_> {
    /// The extensions that the server does not have.
    fn missing(&self, known: &ServerNames, server: ScriptServer) -> Vec<Refusal> {
        let missing = self.pieces.iter().filter_map(|(piece, kind)| match kind {
            PieceKind::Extension(name) if !known.extensions.contains(name) => Some((piece.line, name)),
            _ => None,
        });
        let (of, advice) = match server {
            ScriptServer::Embedded => (
                "the PostgreSQL inside this build".to_owned(),
                "The build without it (`cargo install --path . --locked --no-default-features`) rehearses on this machine's \
                 PostgreSQL, with the extensions installed there. Or name a server that has the extension: --server URL.",
            ),
            ScriptServer::Private => (
                format!("this machine's PostgreSQL {}, on which this build rehearses", known.version),
                "Install the package that has the extension, or name a server that has it: --server URL.",
            ),
            ScriptServer::Shared => (
                format!("the server's PostgreSQL {}", known.version),
                "Install the extension on that server, or name another one with --server.",
            ),
        };
        let refusal =
            |(line, name)| Refusal::new(at(&self.place, line), format!("the extension {name} is not in {of}"), advice);
        missing.map(refusal).collect()
    }
}

fn refused(e: ServerError) -> Vec<Refusal> {
    let advice = e.advice.clone().unwrap_or_else(|| "Fix the file, or remove it from `ddl`.".to_owned());
    vec![Refusal::new(e.operation.to_string(), e.answer(), advice)]
}
