//! Functions and operators that another role created where the application's search path finds them. No statement of the tool
//! calls one of them, whichever command runs and whichever role runs it.

use crate::support::case::Case;
use crate::support::postgres::{Database, version};

const SOURCE: &str = "CREATE TABLE tags (name TEXT PRIMARY KEY, weight INTEGER);
    INSERT INTO tags VALUES ('Red', 1), ('Blue', 2), ('Grey', 3);
    CREATE TABLE notes (id INTEGER PRIMARY KEY, tag TEXT, kind TEXT, body TEXT);
    INSERT INTO notes VALUES (1, 'Red', 'a', 'x'), (2, 'Blue', 'b', 'y'), (3, 'None', 'a', 'z'), (4, 'Grey', 'b', 'bad'), (5, NULL, 'a', 'ok');
    CREATE TABLE lines (nth INTEGER PRIMARY KEY, note INTEGER, word TEXT);
    INSERT INTO lines VALUES (1, 1, 'one'), (2, 1, 'two'), (3, 2, 'three');";

/// The application. Its domain refuses a row, and its index is over an operator that a twin matches better.
const APPLICATION: &str = "CREATE TABLE members (id serial PRIMARY KEY, handle varchar(20) UNIQUE, mail varchar);
    INSERT INTO members (handle) VALUES ('eve');
    CREATE TABLE kinds (id int PRIMARY KEY, label varchar(10)); INSERT INTO kinds VALUES (10, 'a'), (20, 'b');
    CREATE TABLE tags (name varchar(30) PRIMARY KEY CHECK (length(name) > 0), weight int);
    INSERT INTO tags VALUES ('Red', 9);
    CREATE INDEX tags_by_text ON tags ((name || '-x'));
    CREATE DOMAIN body AS varchar CHECK (VALUE <> 'bad');
    CREATE TABLE notes (id serial PRIMARY KEY, tag varchar(30) REFERENCES tags, kind_id int REFERENCES kinds,
                        member varchar(20) REFERENCES members (handle), body body);
    CREATE TABLE lines (nth bigserial PRIMARY KEY, note int REFERENCES notes, word varchar);";

const MAPPING: &str = "[owner]\ntable = \"members\"\nmatch = { handle = \"ann\" }\nkey = \"handle\"\ncreate = { mail = \"ann@x\" }
[load.tags]\nowner = false\nexisting = \"append\"\nconflict = { skip = [\"name\"] }
[load.notes]\nowner = \"member\"
[load.notes.columns]\ntag = { if_orphan = { null = true } }
[load.notes.columns.kind_id.lookup]\ntable = \"kinds\"\ntake = \"id\"\nsteps = [ { target = \"label\", source = \"kind\" } ]
[load.lines]\nowner = { through = \"note\" }
[load.lines.columns]\nnth = { omit = true }
[leave]\nlines = { nth = \"new ones are issued\" }\n";

/// Creates in a schema a function that fails, for each function of the server's own, and an operator of such a function for
/// each operator: with the same arguments, and with types for which the server's own is no exact match. Only functions of
/// pseudo-types have no twin with the same arguments. Each type has a twin whose values all fail, so that a cast to an
/// unqualified name is found; each table of the catalogue has a view that fails.
///
/// The casts themselves need no twin: only the owner of a type may create a cast from it or to it.
const TWINS: &str = r#"
SET search_path = pg_catalog;
CREATE SCHEMA evil;
GRANT USAGE ON SCHEMA evil TO PUBLIC;
DO $twins$
DECLARE
  place text; twin record; number int := 0;
  body text := $b$$t$BEGIN RAISE EXCEPTION USING MESSAGE = 'a twin was called: NAME', ERRCODE = '55000'; END$t$$b$;
BEGIN
  FOREACH place IN ARRAY ARRAY['evil', 'public'] LOOP
    FOR twin IN
        SELECT DISTINCT p.proname AS name, pg_get_function_identity_arguments(p.oid) AS arguments, format_type(p.prorettype, NULL) AS result
          FROM pg_proc p
         WHERE p.pronamespace = 'pg_catalog'::regnamespace AND p.prokind IN ('f', 'a', 'w') AND p.provariadic = 0
           AND NOT EXISTS (SELECT FROM unnest(p.proargtypes::oid[] || p.prorettype) AS t JOIN pg_type ON pg_type.oid = t WHERE typtype = 'p')
           AND NOT EXISTS (SELECT FROM unnest(p.proargmodes) AS m WHERE m <> 'i')
           AND NOT EXISTS (SELECT FROM pg_aggregate WHERE aggfnoid = p.oid AND aggkind <> 'n')
        UNION ALL
        VALUES ('unnest', 'text[]', 'text'), ('unnest', 'int4[]', 'int4'), ('unnest', 'int2[]', 'int2'), ('unnest', 'int8[]', 'int8'),
               ('generate_series', 'int4, int8', 'int8'), ('generate_series', 'int4, int2', 'int8'), ('cardinality', 'text[]', 'int4'),
               ('array_agg', 'text', 'text'), ('string_agg', 'varchar, text', 'text'), ('format', 'text, text', 'text'),
               ('format', 'text, text, name', 'text'), ('format', 'text, name, name', 'text'), ('concat_ws', 'text, text, text', 'text'),
               ('min', 'varchar', 'varchar'), ('max', 'varchar', 'varchar'), ('length', 'varchar', 'int4'), ('lower', 'varchar', 'text')
    LOOP
      EXECUTE format('CREATE FUNCTION %I.%I(%s) RETURNS %s LANGUAGE plpgsql AS %s', place, twin.name, twin.arguments,
                     twin.result, replace(body, 'NAME', twin.name));
    END LOOP;
    FOR twin IN
        SELECT o.oprname AS name, format_type(o.oprleft, -1) AS one, format_type(o.oprright, -1) AS other,
               format_type(o.oprresult, NULL) AS result
          FROM pg_operator o JOIN pg_type l ON l.oid = o.oprleft JOIN pg_type r ON r.oid = o.oprright
         WHERE o.oprnamespace = 'pg_catalog'::regnamespace AND l.typtype <> 'p' AND r.typtype <> 'p'
        UNION ALL
        SELECT name, one, other, CASE name WHEN '||' THEN 'text' ELSE 'boolean' END
          FROM unnest(ARRAY['=', '<>', '<', '>', '<=', '>=', '||', '~~']) AS name,
               (VALUES ('varchar', 'varchar'), ('varchar', 'text'), ('text', 'varchar'), ('name', 'varchar'), ('varchar', 'name')) AS t (one, other)
        UNION ALL
        VALUES ('||', 'int4', 'text', 'text'), ('||', 'int8', 'text', 'text'), ('||', 'bool', 'text', 'text'), ('||', 'text', 'bool', 'text'),
               ('||', 'text[]', 'text[]', 'text[]'), ('=', 'oid', 'int8', 'boolean'), ('=', 'oid', 'int4', 'boolean')
    LOOP
      number := number + 1;
      EXECUTE format('CREATE FUNCTION %I.twin_%s(%s, %s) RETURNS %s LANGUAGE plpgsql AS %s', place, number, twin.one, twin.other,
                     twin.result, replace(body, 'NAME', twin.one || ' ' || twin.name || ' ' || twin.other));
      EXECUTE format('CREATE OPERATOR %I.%s (LEFTARG = %s, RIGHTARG = %s, PROCEDURE = %I.twin_%s)', place, twin.name, twin.one,
                     twin.other, place, number);
    END LOOP;
    EXECUTE format('CREATE FUNCTION %I.twin_called(text) RETURNS boolean LANGUAGE plpgsql AS %L', place,
                   'BEGIN RAISE EXCEPTION USING MESSAGE = ''a twin was called: '' OPERATOR(pg_catalog.||) $1, ERRCODE = ''55000''; END');
    FOR twin IN
        SELECT typname AS name FROM pg_type WHERE typnamespace = 'pg_catalog'::regnamespace AND typtype = 'b' AND typcategory <> 'A'
    LOOP
      EXECUTE format('CREATE DOMAIN %I.%I AS pg_catalog.%I CHECK (%I.twin_called(%L))', place, twin.name, twin.name, place, twin.name);
    END LOOP;
    FOR twin IN
        SELECT relname AS name FROM pg_class c
         WHERE relnamespace = 'pg_catalog'::regnamespace AND relkind IN ('r', 'v')
           AND NOT EXISTS (SELECT FROM pg_attribute WHERE attrelid = c.oid AND atttypid IN ('anyarray'::regtype, 'pg_statistic[]'::regtype))
    LOOP
      EXECUTE format('CREATE VIEW %I.%I AS SELECT * FROM pg_catalog.%I WHERE %I.twin_called(%L)', place, twin.name, twin.name,
                     place, twin.name);
      EXECUTE format('GRANT SELECT ON %I.%I TO PUBLIC', place, twin.name);
    END LOOP;
  END LOOP;
END $twins$;
RESET search_path;
"#;

/// Runs every command as this role and asserts that none of them called a twin.
#[track_caller]
fn runs_without_twins(role: &str, grants: &str) {
    // Before 14 the server's own operator of these types is a function whose text it reads under the application's path.
    let index = if version() < 140_000 { "" } else { "CREATE INDEX notes_by_text ON notes ((id || '-x'));" };
    let case = Case::new(SOURCE, &format!("{APPLICATION} {index} {grants} {TWINS}"), MAPPING);
    let name = case.target.name().to_owned();
    // In this order an exact match in pg_catalog comes last.
    case.target.elsewhere(&format!("GRANT CREATE, TEMP ON DATABASE {name} TO {role}; ALTER DATABASE {name} SET search_path = evil, public, pg_catalog"));
    let url = case.target.url_of(role);
    let run = |code: i32, args: &[&str]| {
        let ran = case.place.migrate(args).args(["-t", &url]).ran();
        let said = ran.said();
        assert!(!said.contains("twin"), "{args:?}: {said}");
        assert_eq!(ran.code, code, "{args:?}: {said}");
        said
    };
    let indexes = "SELECT string_agg(pg_get_indexdef(indexrelid), ';' ORDER BY indexrelid) FROM pg_index";
    let read = |sql: &str| {
        let mut client = case.target.client();
        client.batch_execute("SET search_path = pg_catalog, public").expect("a path");
        client.query_one(sql, &[]).expect("an answer").get::<_, Option<String>>(0).unwrap_or_default()
    };
    let ours = "WHERE indrelid::regclass::text IN ('tags', 'notes', 'lines')";
    let before =
        read(&format!("{indexes} {ours}")).split(';').map(str::to_owned).collect::<std::collections::BTreeSet<_>>();
    run(0, &["init", "-s", "source.db", "-o", "-"]);
    run(0, &["plan", "-m", "migrate.toml"]);
    run(0, &["plan", "--sql", "-m", "migrate.toml"]);
    run(6, &["--dry-run", "--on-fault", "quarantine"]);
    run(6, &["--yes", "--on-fault", "quarantine", "--detach", "always"]);
    run(6, &["--yes", "--on-fault", "quarantine"]);
    run(6, &["verify", "-m", "migrate.toml"]);
    run(0, &["plan", "-m", "migrate.toml"]);
    run(0, &["status", "-m", "migrate.toml"]);
    let members = read("SELECT string_agg(DISTINCT member::text, ' ') FROM public.notes");
    assert_eq!(members, "ann", "the rows belong to the owner that the mapping names");
    let after = read(&format!("{indexes} {ours}")).split(';').map(str::to_owned).collect();
    assert_eq!(before, after, "an index is replayed as it was printed");
    run(0, &["rollback", "-m", "migrate.toml", "--yes"]);
    assert_eq!(read("SELECT count(*)::text FROM public.notes"), "0");
    run(6, &["--yes", "--on-fault", "quarantine"]);
    run(0, &["forget", "-m", "migrate.toml", "--yes"]);
}

#[test]
fn no_statement_of_a_superuser_calls_a_twin_in_the_search_path() {
    runs_without_twins("postgres", "");
}

#[test]
fn no_statement_of_the_application_role_calls_a_twin_in_the_search_path() {
    Database::empty().run("CREATE ROLE hostile_app LOGIN");
    let tables = ["members", "kinds", "tags", "notes", "lines"];
    let owned: String = tables.map(|table| format!("ALTER TABLE {table} OWNER TO hostile_app; ")).concat();
    // The planner runs this function whenever it reads the table, under the application's path. From 17 on the server lets no
    // index be built over it.
    let index = match version() {
        170_000.. => "",
        _ => {
            "CREATE FUNCTION strip(text) RETURNS text IMMUTABLE LANGUAGE sql AS 'SELECT pg_catalog.btrim($1)';
              CREATE FUNCTION flat(text) RETURNS text IMMUTABLE LANGUAGE sql AS 'SELECT strip($1)';
              CREATE INDEX by_flat ON notes (flat(body)); CREATE INDEX by_flat_word ON lines (flat(word));"
        }
    };
    runs_without_twins("hostile_app", &format!("{owned} GRANT ALL ON SCHEMA public TO hostile_app; {index}"));
}
