//! The statements of whole commands, as the server logs them: none has a form that Citus refuses.

use std::sync::OnceLock;

use super::stand_in::{CATALOGUE, PLACED};
use super::{KEYS, LOADS, SOURCE, TABLES};
use crate::fleet;
use crate::support::case::Case;
use crate::support::postgres::{Database, Server, version};
use crate::support::sqlite;
use crate::support::tool::Place;

/// A server that logs every statement with its database.
fn server() -> &'static Server {
    static ONE: OnceLock<Server> = OnceLock::new();
    ONE.get_or_init(Server::logging)
}

/// A database on that server.
struct Logged {
    name: &'static str,
}

impl Logged {
    fn with(name: &'static str, sql: &str) -> Logged {
        server().connect("postgres").batch_execute(&format!("CREATE DATABASE {name}")).expect("a database");
        server().connect(name).batch_execute(sql).expect("the tables");
        Logged { name }
    }

    fn url(&self) -> String {
        server().url_of("postgres", self.name)
    }

    /// The statements that sessions of the tool sent so far, each message as one text.
    fn statements(&self) -> Vec<String> {
        let log = std::fs::read(format!("{}/log", server().socket)).expect("the server's log");
        let log = String::from_utf8_lossy(&log).into_owned();
        let ours = format!("{}@migrate", self.name);
        let statement = |entry: &str| {
            let said = entry.strip_prefix(ours.as_str())?.split_once("LOG:  ")?.1;
            let text = match said.strip_prefix("execute ") {
                Some(named) => named.split_once(": ")?.1,
                None => said.strip_prefix("statement: ")?,
            };
            Some(text.split_whitespace().collect::<Vec<_>>().join(" "))
        };
        log.split("@@@").filter_map(statement).collect()
    }
}

/// The words with which a statement begins that changes a table's definition.
const DDL: [&str; 9] = [
    "ALTER TABLE",
    "ALTER INDEX",
    "CREATE TABLE",
    "CREATE INDEX",
    "CREATE UNIQUE INDEX",
    "DROP TABLE",
    "DROP INDEX",
    "COMMENT ON",
    "TRUNCATE",
];

/// The reason why Citus refuses a message. `None` if it takes it. `tables`: those of the application.
fn refused(message: &str, tables: &[&str]) -> Option<&'static str> {
    let names: Vec<String> = tables.iter().map(|table| format!("\"public\".\"{table}\"")).collect();
    let plain: Vec<String> = tables.iter().map(|table| format!("public.{table}")).collect();
    let names = || names.iter().chain(&plain);
    // Not the beginning of the name of a sequence or an index.
    let ends = |rest: &str| !rest.starts_with(|c: char| c.is_alphanumeric() || c == '_');
    let has = |part: &str, words: &str| part.match_indices(words).any(|(at, _)| ends(&part[at + words.len()..]));
    let meets = |part: &str| names().any(|name| has(part, name));
    if names().any(|name| ["", "ONLY "].iter().any(|only| message.contains(&format!("SELECT FROM {only}{name}")))) {
        return Some("SELECT without columns from a table of the application");
    }
    let parts: Vec<&str> = message.split(';').map(str::trim).filter(|part| !part.is_empty()).collect();
    let is_ddl = |part: &&str| DDL.iter().any(|words| part.starts_with(words)) && !part.contains("pg_temp.");
    if parts.len() > 1 && parts.iter().any(|part| is_ddl(part) && meets(part)) {
        return Some("DDL in a message with several statements");
    }
    if parts.iter().any(|part| part.contains("pg_temp.") && part.contains("EXISTS (") && meets(part)) {
        return Some("a subquery with EXISTS over a table of the session and one of the application");
    }
    let locks = ["FOR UPDATE", "FOR SHARE", "FOR NO KEY UPDATE", "FOR KEY SHARE"];
    if parts.iter().any(|part| locks.iter().any(|lock| part.contains(lock)) && meets(part)) {
        return Some("a row lock on a table of the application");
    }
    None
}

/// No message has a form that Citus refuses, and each of `seen` is part of one.
#[track_caller]
fn are_taken(messages: &[String], tables: &[&str], seen: &[&str]) {
    let refused: Vec<String> =
        messages.iter().filter_map(|message| Some(format!("{}: {message}", refused(message, tables)?))).collect();
    assert!(refused.is_empty(), "{}", refused.join("\n\n"));
    for part in seen {
        assert!(messages.iter().any(|m| m.contains(part)), "`{part}` is in none of:\n{}", messages.join("\n"));
    }
}

#[test]
fn each_form_that_citus_refuses_is_recognised() {
    let why = |message: &str| refused(message, &["t"]);
    for message in [
        "SELECT EXISTS (SELECT FROM \"public\".\"t\")",
        "SELECT EXISTS (SELECT FROM ONLY \"public\".\"t\")",
        "SET LOCAL default_tablespace = ''; CREATE UNIQUE INDEX t_pkey ON public.t USING btree (id)",
        "ALTER TABLE public.t DISABLE TRIGGER a; ALTER TABLE public.t DISABLE TRIGGER b",
        "DELETE FROM \"public\".\"t\" t WHERE EXISTS (SELECT 1 FROM pg_temp.migrate_ours p WHERE p.id = t.id)",
        "SELECT 1 FROM \"public\".\"t\" FOR UPDATE",
    ] {
        assert!(why(message).is_some(), "{message}");
    }
    for message in [
        "SELECT EXISTS (SELECT 1 FROM \"public\".\"t\")",
        "SELECT FROM \"migrate\".run WHERE run = 1 FOR SHARE",
        "SELECT setval($1, $2) FROM public.t_id_seq, (SELECT run FROM \"migrate\".run FOR SHARE) AS mine",
        "CREATE UNIQUE INDEX t_pkey ON public.t USING btree (id)",
        "DELETE FROM \"public\".\"t\" t USING pg_temp.migrate_ours p WHERE p.id = t.id",
        "DROP TABLE IF EXISTS pg_temp.migrate_ours; CREATE TEMPORARY TABLE migrate_ours AS SELECT id FROM \"public\".\"t\"",
    ] {
        assert_eq!(why(message), None, "{message}");
    }
}

/// Tables without a key and with a trigger, next to those that Citus could distribute.
const MORE_TABLES: &str = "CREATE TABLE note (user_id bigint NOT NULL REFERENCES users, body text);
    CREATE FUNCTION upper_body() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN NEW.body := upper(NEW.body); RETURN NEW; END';
    CREATE TRIGGER a_note BEFORE INSERT ON note FOR EACH ROW EXECUTE FUNCTION upper_body();
    CREATE TRIGGER b_note BEFORE INSERT OR DELETE ON note FOR EACH ROW EXECUTE FUNCTION upper_body();
    CREATE INDEX note_by_body ON note (body);
    COMMENT ON INDEX note_by_body IS 'by body';
    INSERT INTO currency VALUES ('EUR', 'Euro')";

#[test]
fn no_statement_of_a_cutover_and_its_rollback_has_a_form_that_citus_refuses() {
    let target = Logged::with("cutover", &format!("{TABLES}{KEYS}{MORE_TABLES}"));
    let place = Place::new();
    let notes = "CREATE TABLE note (body TEXT); INSERT INTO note VALUES ('a'), ('a'), (NULL), ('b')";
    sqlite::file(&place, "source.db", &format!("{SOURCE}{notes}"));
    let head = "format = 1\nname = \"case\"\n[source]\npath = \"source.db\"\n";
    place.write("migrate.toml", format!("{head}{LOADS}[load.note]\nowner = \"user_id\"\n"));
    let url = target.url();
    for args in [&["--dry-run"][..], &["--yes", "--detach", "always"], &["verify"], &["rollback", "--yes"]] {
        place.migrate(args).args(["-t", &url]).exits(0);
    }
    let count = |table: &str| {
        let row =
            server().connect("cutover").query_one(&format!("SELECT count(*) FROM {table}"), &[]).expect("a count");
        row.get::<_, i64>(0)
    };
    assert_eq!(["users", "currency", "acc", "tx", "note"].map(count), [0, 1, 0, 0, 0]);
    let seen = [
        "CREATE UNIQUE INDEX",
        "CREATE INDEX note_by_body",
        "COMMENT ON INDEX",
        "DISABLE TRIGGER",
        "DELETE FROM \"public\".\"acc\" t USING pg_temp.migrate_ours p",
        "DELETE FROM \"public\".\"note\" t USING (SELECT DISTINCT ON",
        "UNION SELECT p.migrate_place FROM pg_temp.migrate_piece",
        "FOR UPDATE",
    ];
    are_taken(&target.statements(), &["users", "currency", "acc", "tx", "note"], &seen);
}

#[test]
fn no_statement_of_a_run_that_replaces_rows_has_a_form_that_citus_refuses() {
    let rows = "INSERT INTO note VALUES (1, 'old'), (1, 'older')";
    let user = "INSERT INTO users VALUES (1, 'bob');";
    let target = Logged::with("replaced", &format!("{TABLES}{MORE_TABLES};{user}{rows}"));
    let place = Place::new();
    sqlite::file(&place, "source.db", "CREATE TABLE note (body TEXT); INSERT INTO note VALUES ('a'), ('b')");
    let load = "[load.note]\nowner = \"user_id\"\nexisting = \"replace\"\n";
    let owner = "[owner]\ntable = \"users\"\nmatch = { username = \"bob\" }\n";
    place.write("migrate.toml", format!("format = 1\nname = \"case\"\n[source]\npath = \"source.db\"\n{owner}{load}"));
    let url = target.url();
    for args in [&["--yes"][..], &["rollback", "--yes"]] {
        place.migrate(args).args(["-t", &url]).exits(0);
    }
    let seen = ["DISABLE TRIGGER b_note", "DELETE FROM \"public\".\"note\""];
    are_taken(&target.statements(), &["users", "note"], &seen);
}

#[test]
fn no_statement_of_a_fleet_has_a_form_that_citus_refuses() {
    let target = Logged::with("fleet", fleet::TARGET);
    let files = fleet::Fleet::with(Database::empty(), 3);
    let Case { place, .. } = &files.case;
    let url = target.url();
    let fleet = |args: &[&str]| place.migrate(["fleet"]).args(args).args(["-m", "fleet.toml", "-t", &url]).exits(0);
    fleet(&["--sources", "%{username}.db", "--yes", "--batch-rows", "2"]);
    fleet(&["verify"]);
    fleet(&["rollback", "--only", "u01", "--yes"]);
    fleet(&["rollback", "--yes"]);
    let seen = ["COPY \"public\".\"acc\"", "DELETE FROM \"public\".\"tx\"", "SKIP LOCKED"];
    are_taken(&target.statements(), &["users", "acc", "tx"], &seen);
}

#[test]
fn a_transaction_with_ddl_is_sequential_where_citus_is() {
    if version() < 130_000 {
        return;
    }
    let target = Logged::with("sequential", &format!("{CATALOGUE}{TABLES}{KEYS}{PLACED}"));
    let place = Place::new();
    sqlite::file(&place, "source.db", SOURCE);
    place.write("migrate.toml", format!("format = 1\nname = \"case\"\n[source]\npath = \"source.db\"\n{LOADS}"));
    let url = target.url();
    // One session at a time, so that the log has the messages of a transaction in turn.
    for args in [&["--yes", "--detach", "always", "--jobs", "1"][..], &["rollback", "--yes"]] {
        place.migrate(args).args(["-t", &url]).exits(0);
    }
    let (mut is_sequential, mut changes) = (false, 0);
    for message in target.statements() {
        if message.starts_with("START TRANSACTION") || message.starts_with("COMMIT") {
            is_sequential = false;
        }
        is_sequential |= message.contains("SET LOCAL citus.multi_shard_modify_mode = 'sequential'");
        if DDL.iter().any(|words| message.starts_with(words)) && message.contains("public.") {
            assert!(is_sequential, "{message}");
            changes += 1;
        }
    }
    assert!(changes > 10, "{changes} messages with DDL");
}
