//! The statements of a script that a rehearsal does not simply send: those about owners and rights, about the whole server, and
//! those whose names the server must know first.

use super::pieces::Piece;

/// The treatment of one piece of a script.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum PieceKind {
    /// It is sent to the server.
    Statement,
    /// `CREATE SCHEMA public`, which every new database has.
    PublicSchema,
    /// `CREATE EXTENSION` with this name.
    Extension(String),
    /// `SET` with the name of the setting.
    Setting(String),
    /// Owners, rights and comments on what the whole server shares. They change no row.
    Right,
    /// It acts on other databases, or on roles that all databases share.
    WholeServer(SharedObject),
    /// A command of psql that a dump contains for psql's own safety.
    Harmless,
    /// A command of psql that opens another database.
    Connect,
    /// Another command of psql.
    Command,
}

/// An object that the databases of a server share.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum SharedObject {
    /// A database.
    Database,
    /// A role, a tablespace or a setting of the whole server.
    Other,
}

/// Returns the treatment of a piece.
pub(super) fn kind(piece: &Piece<'_>) -> PieceKind {
    let words: Vec<&str> = piece.words.iter().map(String::as_str).collect();
    match words.as_slice() {
        [] if piece.text.starts_with('\\') => command(piece.text),
        ["create", "schema", name, ..] if unquoted(name) == "public" => PieceKind::PublicSchema,
        ["create", "schema", "if", "not", "exists", name, ..] if unquoted(name) == "public" => PieceKind::PublicSchema,
        ["create", "extension", "if", "not", "exists", name, ..] | ["create", "extension", name, ..] => {
            PieceKind::Extension(unquoted(name))
        }
        ["grant" | "revoke", ..] | ["alter", "default", "privileges", ..] => PieceKind::Right,
        ["set", "session", "authorization", ..] | ["set", "role", ..] => PieceKind::Right,
        ["comment", "on", "extension" | "schema" | "database" | "role" | "tablespace", ..] => PieceKind::Right,
        ["alter", .., "owner", "to", _] if !words.contains(&"rename") => PieceKind::Right,
        ["set", "time" | "names" | "constraints" | "transaction" | "xml" | "schema" | "seed", ..] => {
            PieceKind::Statement
        }
        ["set", "session", "characteristics", ..] => PieceKind::Statement,
        ["set", "session" | "local", name, ..] | ["set", name, ..] => PieceKind::Setting(unquoted(name)),
        ["create" | "alter" | "drop", "database", ..] => PieceKind::WholeServer(SharedObject::Database),
        ["create" | "alter" | "drop", "user", "mapping", ..] => PieceKind::Statement,
        ["create" | "alter" | "drop", "role" | "user" | "group" | "tablespace" | "subscription", ..]
        | ["alter", "system", ..]
        | ["reassign" | "drop", "owned", ..] => PieceKind::WholeServer(SharedObject::Other),
        _ => PieceKind::Statement,
    }
}

fn command(text: &str) -> PieceKind {
    match text.split_whitespace().next().unwrap_or_default() {
        "\\restrict" | "\\unrestrict" => PieceKind::Harmless,
        "\\connect" | "\\c" => PieceKind::Connect,
        _ => PieceKind::Command,
    }
}

/// A name as the server knows it.
fn unquoted(name: &str) -> String {
    match name.strip_prefix('"').and_then(|name| name.strip_suffix('"')) {
        Some(name) => name.replace("\"\"", "\""),
        None => name.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::pieces::pieces;
    use super::*;

    #[test]
    fn each_statement_of_a_dump_has_its_treatment() {
        let named = |kind: fn(String) -> PieceKind, name: &str| kind(name.to_owned());
        for (text, expected) in [
            ("\\restrict abc", PieceKind::Harmless),
            ("\\connect app", PieceKind::Connect),
            ("\\i other.sql", PieceKind::Command),
            ("CREATE SCHEMA public;", PieceKind::PublicSchema),
            ("CREATE SCHEMA publication;", PieceKind::Statement),
            (
                "CREATE EXTENSION IF NOT EXISTS \"uuid-ossp\" WITH SCHEMA public;",
                named(PieceKind::Extension, "uuid-ossp"),
            ),
            ("create extension CITEXT;", named(PieceKind::Extension, "citext")),
            ("SET transaction_timeout = 0;", named(PieceKind::Setting, "transaction_timeout")),
            ("SET LOCAL app.user TO '1';", named(PieceKind::Setting, "app.user")),
            ("SET TIME ZONE 'UTC';", PieceKind::Statement),
            ("SET SESSION AUTHORIZATION 'app';", PieceKind::Right),
            ("ALTER TABLE public.t OWNER TO \"My Role\";", PieceKind::Right),
            ("ALTER FUNCTION public.f(integer) OWNER TO app;", PieceKind::Right),
            ("ALTER TABLE t RENAME COLUMN owner TO owner_id;", PieceKind::Statement),
            ("GRANT ALL ON TABLE t TO app;", PieceKind::Right),
            ("REVOKE USAGE ON SCHEMA public FROM PUBLIC;", PieceKind::Right),
            ("ALTER DEFAULT PRIVILEGES FOR ROLE a GRANT ALL ON TABLES TO b;", PieceKind::Right),
            ("CREATE DATABASE app;", PieceKind::WholeServer(SharedObject::Database)),
            ("DROP USER app;", PieceKind::WholeServer(SharedObject::Other)),
            ("CREATE USER MAPPING FOR me SERVER s;", PieceKind::Statement),
            ("COMMENT ON TABLE t IS 'x';", PieceKind::Statement),
        ] {
            assert_eq!(kind(&pieces(text).expect("a script")[0]), expected, "{text}");
        }
    }
}
