//! `existing = "replace"`: rows are removed inside the run, kept in the ledger, and restored by a rollback.

use crate::support::case::Case;

/// Every kind of type, one row with values at the edges of their text forms, and one row of NULLs.
const TYPES: &str = "CREATE TYPE mood AS ENUM ('sad', 'so \"so\"'); CREATE DOMAIN label AS varchar(9) CHECK (VALUE <> ''); \
    CREATE TYPE pair AS (a int, b text); \
    CREATE TABLE kinds (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, c char(5), t text, n numeric, f float8, r real, b bytea, \
      j json, k jsonb, d date, ts timestamp, tz timestamptz, i interval, u uuid, a text[], m mood, l label, p pair, x xml, \
      v varbit(9), ip inet, ra int4range, mo money, o \"char\", twice int GENERATED ALWAYS AS (length(t) * 2) STORED); \
    INSERT INTO kinds (c, t, n, f, r, b, j, k, d, ts, tz, i, u, a, m, l, p, x, v, ip, ra, mo, o) VALUES \
      ('ab', E'tab\\t\"quote\\\\ \\u00e9 {}', 1.5000, 0.1::float8 + 0.2, 1e-7, '\\x00ff', '{\"a\":  1, \"a\": 2}', '{\"b\": 1.50}', \
       'infinity', '0044-03-15 12:00 BC', '2024-05-05 10:00:00.5+02', '-1 mon 3 days -00:00:00.000001', \
       '9d7c0b5e-3c1b-4a57-8f4b-1d2f3a4b5c6d', '[0:1]={\"a,b\",NULL}', 'so \"so\"', 'x', '(1,\"a,\"\"b\")', '<a>1</a>', \
       B'101', '10.0.0.1/8', '[1,5)', '12.30', 'z'), ('', '', 'NaN', '-Infinity', 'NaN', '', 'null', '\"\"', '0001-01-01', \
       '-infinity', 'infinity', '0', NULL, '{}', 'sad', NULL, '(,)', '', '', '::1', 'empty', '-0.01', ''); \
    INSERT INTO kinds (t) VALUES (NULL); ";

#[test]
fn replaced_rows_of_every_type_are_back_exactly_after_a_rollback() {
    let source =
        "CREATE TABLE kinds (id INTEGER PRIMARY KEY, t TEXT); INSERT INTO kinds VALUES (1, 'new'), (90, 'more');";
    let case = Case::new(source, TYPES, "[load.kinds]\nexisting = \"replace\"\n");
    // The text of a whole row, and its image by the server's own comparison.
    case.target
        .run("CREATE TABLE before AS SELECT * FROM kinds; CREATE TABLE shown AS SELECT kinds::text AS row FROM kinds");
    let report = case.exits(0, &["--dry-run"]);
    assert_eq!((&report["existing"][0]["rows"], &report["existing"][0]["treatment"]), (&3.into(), &"replace".into()));
    case.done();
    assert_eq!(case.rows("SELECT id, t, twice FROM kinds ORDER BY 1"), ["1 new 6", "90 more 8"]);
    assert_eq!(case.target.value("SELECT nextval('kinds_id_seq')"), "91");
    case.target.run("SELECT setval('kinds_id_seq', 90)");
    case.command(&["verify"]).exits(0);
    case.command(&["rollback", "--yes"])
        .exits(0)
        .says(&["table kinds", "3 rows that the run had removed or written over"]);
    let same = "SELECT count(*) FROM kinds AS now JOIN before AS old USING (id) WHERE record_image_eq(now, old)";
    assert_eq!(case.target.value(same), "3");
    assert_eq!(case.target.value("SELECT count(*) FROM kinds JOIN shown ON shown.row = kinds::text"), "3");
    assert_eq!((case.target.count("kinds"), case.target.count("migrate.kept")), (3, 0));
    assert_eq!(case.target.value("SELECT nextval('kinds_id_seq')"), "4");
}

/// Profiles refer to roles and stay; grants refer to both and are replaced as well.
const REFERRED: &str = "CREATE TABLE roles (id serial PRIMARY KEY, name text NOT NULL UNIQUE); \
    CREATE TABLE profiles (who text PRIMARY KEY, role int NOT NULL REFERENCES roles ON DELETE CASCADE); \
    CREATE TABLE grants (role int NOT NULL REFERENCES roles ON DELETE CASCADE, what text, PRIMARY KEY (role, what)); \
    INSERT INTO roles VALUES (1, 'user'), (2, 'admin'), (3, 'guest'); INSERT INTO profiles VALUES ('ann', 2), ('bob', 1); \
    INSERT INTO grants VALUES (1, 'read'), (2, 'write'); SELECT setval('roles_id_seq', 3); \
    CREATE TABLE log (what text); CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN \
    INSERT INTO public.log VALUES (TG_TABLE_NAME || ' ' || TG_OP); RETURN NULL; END $$; \
    CREATE TRIGGER noting AFTER INSERT OR DELETE ON roles FOR EACH ROW EXECUTE FUNCTION note(); \
    CREATE TRIGGER noting AFTER DELETE ON profiles FOR EACH ROW EXECUTE FUNCTION note();";

const ROLES: &str = "CREATE TABLE roles (id INTEGER PRIMARY KEY, name TEXT); INSERT INTO roles VALUES (1, 'admin'), (2, 'user'), (9, 'chief'); \
    CREATE TABLE grants (role INTEGER, what TEXT, PRIMARY KEY (role, what)); INSERT INTO grants VALUES (1, 'write'), (9, 'all');";

const REPLACE: &str = "[defaults]\nexisting = \"replace\"\n[load.roles]\n[load.grants]\n";

fn state(case: &Case) -> Vec<String> {
    let mut all = case.rows("SELECT * FROM roles ORDER BY 1");
    all.extend(case.rows("SELECT * FROM profiles ORDER BY 1"));
    all.extend(case.rows("SELECT * FROM grants ORDER BY 1, 2"));
    all.extend(case.rows(
        "SELECT conrelid::regclass, conname, convalidated, pg_get_constraintdef(oid) FROM pg_constraint \
        WHERE connamespace = 'public'::regnamespace ORDER BY 1, 2",
    ));
    all.extend(
        case.rows("SELECT tgrelid::regclass, tgname, tgenabled FROM pg_trigger WHERE NOT tgisinternal ORDER BY 1, 2"),
    );
    all
}

#[test]
fn rows_that_stay_keep_their_reference_and_no_cascade_or_trigger_runs() {
    let case = Case::new(ROLES, REFERRED, REPLACE);
    let before = state(&case);
    case.exits(0, &["--dry-run"]);
    assert_eq!(state(&case), before);
    case.done();
    assert_eq!(case.rows("SELECT * FROM roles ORDER BY 1"), ["1 admin", "2 user", "9 chief"]);
    assert_eq!(case.rows("SELECT * FROM profiles ORDER BY 1"), ["ann 2", "bob 1"]);
    assert_eq!(case.rows("SELECT * FROM grants ORDER BY 1"), ["1 write", "9 all"]);
    assert_eq!(state(&case)[7..], before[7..], "keys and triggers are as they were");
    case.command(&["verify"]).exits(0);
    case.command(&["rollback", "--yes"]).exits(0);
    assert_eq!(state(&case), before);
    assert_eq!(case.target.count("log"), 0, "no trigger ran");
}

#[test]
fn rows_that_refer_to_a_partition_stay_and_no_cascade_runs() {
    let source = "CREATE TABLE p (id INTEGER PRIMARY KEY, w TEXT); INSERT INTO p VALUES (1, 'new'), (2, 'b')";
    let target = "CREATE TABLE p (id int PRIMARY KEY, w text, up int) PARTITION BY RANGE (id);
        CREATE TABLE p1 PARTITION OF p FOR VALUES FROM (0) TO (100);
        ALTER TABLE p1 ADD FOREIGN KEY (up) REFERENCES p1; INSERT INTO p VALUES (1, 'old', 1), (7, 'seven', 1);
        CREATE TABLE x (p_id int REFERENCES p1 ON DELETE CASCADE); INSERT INTO x VALUES (1)";
    let case = Case::new(source, target, "[load.p]\nexisting = \"replace\"\n");
    case.done();
    assert_eq!(
        (case.rows("SELECT * FROM x"), case.rows("SELECT id, w FROM p")),
        (vec!["1".to_owned()], vec!["1 new".to_owned(), "2 b".to_owned()])
    );
    case.command(&["rollback", "--yes"]).exits(0);
    assert_eq!(
        (case.rows("SELECT * FROM x"), case.rows("SELECT * FROM p")),
        (vec!["1".to_owned()], vec!["1 old 1".to_owned(), "7 seven 1".to_owned()])
    );
    case.target.run("INSERT INTO x VALUES (7)");
    case.refused(&[
        "2 rows of public.x refer to rows of `p` that would be removed",
        "no row of the source takes the key of 1 of them",
    ]);
}

#[test]
fn a_reference_whose_key_no_source_row_takes_is_refused_with_its_count() {
    let case = Case::new(&ROLES.replace("(2, 'user'), ", ""), REFERRED, REPLACE);
    let before = state(&case);
    case.refused(&[
        "load.roles.existing",
        "2 rows of public.profiles refer to rows of `roles` that would be removed (profiles_role_fkey)",
        "no row of the source takes the key of 1 of them",
    ]);
    assert_eq!(state(&case), before);
    // A row with the key that cannot be loaded takes no key.
    let faulty = Case::new(&ROLES.replace("(2, 'user')", "(2, NULL)"), REFERRED, REPLACE);
    faulty.refused(&["no row of the source takes the key of 1 of them"]);
}

#[test]
fn rows_of_another_owner_are_not_replaced() {
    let target = "CREATE TABLE users (id serial PRIMARY KEY, name text UNIQUE); INSERT INTO users (name) VALUES ('ann'), ('bob'), ('cid'); \
        CREATE TABLE notes (id int PRIMARY KEY, user_id int REFERENCES users, body text); \
        INSERT INTO notes VALUES (1, 1, 'own'), (2, 2, 'his'), (3, 2, 'his too'), (4, 3, 'of another one');";
    let source = "CREATE TABLE notes (id INTEGER PRIMARY KEY, body TEXT); INSERT INTO notes VALUES (1, 'new');";
    let owner = "[owner]\ntable = \"users\"\nmatch = { name = \"ann\" }\n";
    let mapping = format!("{owner}[load.notes]\nowner = \"user_id\"\nexisting = \"replace\"\n");
    let case = Case::new(source, target, &mapping);
    case.refused(&[
        "load.notes.existing",
        "3 of the rows that would be removed belong to other owners: bob (2), cid (1)",
    ]);
    case.target.run("DELETE FROM notes WHERE id > 1");
    case.done();
    assert_eq!(case.rows("SELECT * FROM notes"), ["1 1 new"]);
    case.command(&["rollback", "--yes"]).exits(0);
    assert_eq!(case.rows("SELECT * FROM notes"), ["1 1 own"]);
    let owners = format!("{owner}[load.users]\nexisting = \"replace\"\n");
    let users = "CREATE TABLE users (id INTEGER PRIMARY KEY, name TEXT); INSERT INTO users VALUES (1, 'ann')";
    Case::new(users, target, &owners).refused(&["load.users.existing", "`users` is the owner's table"]);
}

/// The role `loader` may do everything with rows, and owns no table but its own.
fn loader(case: &Case) -> String {
    case.target.elsewhere("DROP ROLE IF EXISTS seed_loader; CREATE ROLE seed_loader LOGIN");
    case.target.run("GRANT ALL ON ALL TABLES IN SCHEMA public TO seed_loader; GRANT ALL ON ALL SEQUENCES IN SCHEMA public TO seed_loader; \
        GRANT USAGE ON SCHEMA public TO seed_loader");
    let grant = format!("GRANT ALL ON DATABASE {} TO seed_loader", case.target.name());
    case.target.run(&grant);
    case.target.url_of("seed_loader")
}

#[test]
fn a_trigger_or_key_of_another_role_is_refused_with_the_grant() {
    let case = Case::new(ROLES, REFERRED, &REPLACE.replace("[load.roles]\n", "[load.roles]\ntriggers = \"fire\"\n"));
    let before = state(&case);
    let url = loader(&case);
    let ran = case.place.migrate(["--yes", "--json", "-t", &url]).exits(3);
    ran.says(&[
        "triggers or rules of public.roles would run for the rows that are removed (noting)",
        "GRANT postgres TO seed_loader;",
        "2 rows of public.profiles refer to rows that would be removed, and their foreign key profiles_role_fkey cannot be detached",
    ]);
    assert_eq!(state(&case), before);
    case.target.run("DROP OWNED BY seed_loader");
}

#[test]
fn a_reference_from_another_schema_is_refused() {
    let more = "CREATE SCHEMA shop; CREATE TABLE shop.staff (role int REFERENCES public.roles); INSERT INTO shop.staff VALUES (2);";
    let case = Case::new(ROLES, &format!("{REFERRED} {more}"), REPLACE);
    case.refused(&[
        "1 rows of shop.staff refer to rows that would be removed",
        "it belongs to a table of another schema",
    ]);
}

#[test]
fn a_row_that_was_added_since_and_has_a_kept_key_blocks_the_rollback() {
    let case = Case::new(ROLES, REFERRED, REPLACE);
    case.done();
    case.target.run("INSERT INTO roles VALUES (3, 'added since')");
    let after = state(&case);
    case.command(&["rollback", "--yes"]).exits(3);
    assert_eq!(state(&case), after);
    assert_eq!(case.target.count("migrate.kept"), 5);
    case.target.run("DELETE FROM roles WHERE id = 3");
    case.command(&["rollback", "--yes"]).exits(0);
    assert_eq!(case.rows("SELECT id FROM roles ORDER BY 1"), ["1", "2", "3"]);
}

#[test]
fn replaced_tables_may_refer_to_each_other_and_to_themselves() {
    let target = "CREATE TABLE nodes (id int PRIMARY KEY, parent int REFERENCES nodes ON DELETE RESTRICT, name text); \
        INSERT INTO nodes VALUES (1, NULL, 'root'), (2, 1, 'leaf'), (3, 3, 'own')";
    let source = "CREATE TABLE nodes (id INTEGER PRIMARY KEY, parent INTEGER REFERENCES nodes, name TEXT); \
        INSERT INTO nodes VALUES (2, NULL, 'top'), (5, 2, 'below')";
    let case = Case::new(source, target, "[load.nodes]\nexisting = \"replace\"\n");
    case.done();
    assert_eq!(case.rows("SELECT * FROM nodes ORDER BY 1"), ["2 - top", "5 2 below"]);
    case.command(&["rollback", "--yes"]).exits(0);
    assert_eq!(case.rows("SELECT * FROM nodes ORDER BY 1"), ["1 - root", "2 1 leaf", "3 3 own"]);
}

#[test]
fn a_large_replaced_table_is_loaded_and_rolled_back_like_an_empty_one() {
    let target = "CREATE TABLE items (id int PRIMARY KEY, name text UNIQUE); INSERT INTO items SELECT n, 'old ' || n FROM generate_series(1, 3000) n; \
        CREATE TABLE uses (item int REFERENCES items); INSERT INTO uses VALUES (7);";
    let source = "CREATE TABLE items (id INTEGER PRIMARY KEY, name TEXT UNIQUE); WITH RECURSIVE n (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n \
        WHERE n < 12000) INSERT INTO items SELECT n, 'new ' || n FROM n;";
    let case = Case::new(source, target, "[load.items]\nexisting = \"replace\"\n");
    let report = case.done();
    let detached = report["detached"].as_array().map(Vec::len).unwrap_or_default();
    assert!(detached >= 2, "a key and the reference were detached: {report}");
    assert_eq!(case.target.count("items"), 12_000);
    case.command(&["rollback", "--yes"]).exits(0);
    assert_eq!(case.target.value("SELECT count(*) || ' ' || max(name) FROM items"), "3000 old 999");
}

#[test]
fn seed_rows_under_exchanged_ids_follow_the_source_also_under_a_nullable_key() {
    let source = "CREATE TABLE roles (id INTEGER PRIMARY KEY, name TEXT UNIQUE);
        INSERT INTO roles VALUES (1, 'admin'), (2, 'user'), (3, NULL);
        CREATE TABLE user_roles (user TEXT, role_id INTEGER REFERENCES roles);
        INSERT INTO user_roles VALUES ('ann', 1), ('bob', 2), ('eve', 2), ('max', 3)";
    let target = "CREATE TABLE roles (id serial PRIMARY KEY, name text UNIQUE); INSERT INTO roles (name) VALUES ('user'), ('admin');
        CREATE TABLE user_roles (\"user\" text, role_id int REFERENCES roles)";
    let loads = |existing: &str| format!("[load.roles]\nexisting = {existing}\n[load.user_roles]\n");
    for existing in ["\"match\"", "{ match = [\"name\"] }"] {
        Case::new(source, target, &loads(existing)).refused(&["whose columns are NOT NULL", "replace"]);
    }
    let case = Case::new(source, target, &loads("\"replace\""));
    case.done();
    let held = "SELECT \"user\", coalesce(name, '-') FROM user_roles JOIN roles ON roles.id = role_id ORDER BY 1";
    assert_eq!(case.rows(held), ["ann admin", "bob user", "eve user", "max -"]);
    case.command(&["rollback", "--yes"]).exits(0);
    assert_eq!(case.rows("SELECT id, name FROM roles ORDER BY 1"), ["1 user", "2 admin"]);
}
