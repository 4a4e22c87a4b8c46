//! The application's own code: functions of indexes, checks and triggers, operators of an extension. They resolve
//! names as in the application's sessions, whatever the names of the ledger's tables.

use crate::support::case::Case;
use crate::support::postgres::version;

const PEOPLE: &str = "CREATE TABLE people (id INTEGER PRIMARY KEY, name TEXT);
    INSERT INTO people VALUES (1, ' Ann'), (2, 'Bob'), (3, 'Cy ');";

/// A function that calls another one without saying where it is.
const FUNCTIONS: &str = "CREATE FUNCTION strip(text) RETURNS text IMMUTABLE LANGUAGE sql AS 'SELECT btrim($1)';
    CREATE FUNCTION norm(text) RETURNS text IMMUTABLE LANGUAGE plpgsql AS 'BEGIN RETURN lower(strip($1)); END';
    CREATE FUNCTION flat(text) RETURNS text IMMUTABLE LANGUAGE sql AS 'SELECT lower(strip($1))';";

#[test]
fn functions_of_indexes_and_checks_resolve_their_calls() {
    // From 17 on the server itself lets no index be built over a function that does not say where what it calls is.
    let indexes = match version() {
        170_000.. => "",
        _ => "CREATE INDEX by_norm ON people (norm(name)); CREATE UNIQUE INDEX by_flat ON people (flat(name));",
    };
    let case = Case::new(
        PEOPLE,
        &format!(
            "{FUNCTIONS} CREATE TABLE people (id int PRIMARY KEY, name text CHECK (norm(name) <> '' AND flat(name) <> ''));
             {indexes}"
        ),
        "[load.people]",
    );
    let indexes = "SELECT string_agg(indexdef, '; ' ORDER BY indexdef) FROM pg_indexes WHERE tablename = 'people'";
    let before = case.target.value(indexes);
    case.exits(0, &["--dry-run"]);
    case.exits(0, &["--yes", "--detach", "always"]);
    assert_eq!((case.target.count("people"), case.target.value(indexes)), (3, before.clone()));
    case.place.migrate(["rollback", "-t", &case.target.url(), "--yes"]).exits(0);
    assert_eq!((case.target.count("people"), case.target.value(indexes)), (0, before));
}

#[test]
fn tables_named_like_ledger_tables_belong_to_the_application() {
    let names = ["ledger", "run", "load", "part", "batch", "fault", "made", "detached", "deviation", "backend"];
    let tables: String = names.map(|name| format!("CREATE TABLE {name} (n int); ")).concat();
    let notes: String = names.map(|name| format!("INSERT INTO {name} VALUES (NEW.id); ")).concat();
    let case = Case::new(
        PEOPLE,
        &format!(
            "{tables} CREATE TABLE people (id int PRIMARY KEY, name text);
             CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN {notes} RETURN NULL; END';
             CREATE TRIGGER note AFTER INSERT ON people FOR EACH ROW EXECUTE FUNCTION note();"
        ),
        "[load.people]\ntriggers = \"fire\"",
    );
    case.exits(0, &["--yes"]);
    for name in names {
        assert_eq!(case.target.count(name), 3, "{name}");
    }
    case.place.migrate(["status", "-t", &case.target.url()]).exits(0).says(&["Done"]);
}

#[test]
fn extension_types_are_compared_by_their_own_operators() {
    let case = Case::new(
        "CREATE TABLE tags (id INTEGER PRIMARY KEY, name TEXT); INSERT INTO tags VALUES (1, 'Red'), (2, 'RED'), (3, 'Blue');
         CREATE TABLE uses (id INTEGER PRIMARY KEY, tag TEXT); INSERT INTO uses VALUES (1, 'red'), (2, 'bLUE');",
        "CREATE SCHEMA ext; CREATE EXTENSION citext SCHEMA ext;
         CREATE TABLE tags (id int, name ext.citext PRIMARY KEY);
         CREATE TABLE uses (id int PRIMARY KEY, tag ext.citext REFERENCES tags);",
        "[load.tags]\nconflict = { skip = [\"name\"] }\n[load.uses]",
    );
    let name = case.target.name().to_owned();
    case.target.elsewhere(&format!("ALTER DATABASE {name} SET search_path = public, ext"));
    let report = case.exits(0, &["--yes"]);
    assert_eq!(report["loads"][0]["skipped"], 1, "{report}");
    assert_eq!((case.target.count("tags"), case.target.count("uses")), (2, 2));
}

#[test]
fn a_trigger_that_refuses_every_statement_is_the_reason_however_rows_are_sent() {
    // Rows with a tsvector are sent as text, of which the server reads nothing before the trigger.
    for (kind, said) in
        [("tsvector", "the server refused the COPY as a whole, before it read a row"), ("text", "trigger-refused")]
    {
        let case = Case::new(
            &format!(
                "{PEOPLE} CREATE TABLE notes (id INTEGER PRIMARY KEY, name TEXT); INSERT INTO notes SELECT * FROM people;"
            ),
            &format!(
                "CREATE TABLE people (id int PRIMARY KEY, name {kind});
                 CREATE TABLE notes (id int PRIMARY KEY, name text);
                 CREATE FUNCTION closed() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RAISE EXCEPTION ''closed''; END';
                 CREATE TRIGGER closed BEFORE INSERT ON people FOR EACH STATEMENT EXECUTE FUNCTION closed();"
            ),
            "[load.people]\ntriggers = \"fire\"\n[load.notes]",
        );
        let report = case.exits(4, &["--yes"]).to_string();
        assert!(report.contains(said), "{report}");
        assert_eq!(case.target.count("people"), 0);
        case.target
            .run("CREATE OR REPLACE FUNCTION closed() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END'");
        case.exits(0, &["--yes"]);
        assert_eq!((case.target.count("people"), case.target.count("notes")), (3, 3));
    }
}
