//! Derived rows: renamed and replaced columns, parents created from their children, several loads into one table, rows
//! that the mapping itself contains.

use super::{entry, mapped};

const PEOPLE: &str = "CREATE TABLE people (id serial PRIMARY KEY, email text NOT NULL UNIQUE, name text); \
    INSERT INTO people (id, email) VALUES (3, 'kev@x.example'), (8, 'ros@x.example'); SELECT setval('people_id_seq', 8);";

#[test]
fn a_column_is_kept_unchanged_under_another_name_next_to_its_lookup() {
    let source = "CREATE TABLE history (id INTEGER PRIMARY KEY, user_id VARCHAR NOT NULL);
        INSERT INTO history VALUES (1, 'kev@x.example'), (2, '  KEV@X.example '), (3, ''), (4, 'a\\b' || char(9) || '\\N' || char(13, 10)),
        (5, 'é' || char(0x1f98a)), (6, 3);";
    let target = format!(
        "{PEOPLE} CREATE TABLE history (id int PRIMARY KEY, user_id_old varchar NOT NULL, user_id int REFERENCES people);"
    );
    let mapping = "[owner]\ntable = \"people\"\nmatch = { email = \"ros@x.example\" }\n[load.history]\nowner = { carried = \"user_id\" }\n\
        [load.history.columns]\nuser_id_old = \"user_id\"\n[load.history.columns.user_id.lookup]\ntable = \"people\"\ntake = \"id\"\n\
        steps = [ { target = \"email\", source = \"trim(user_id)\", nocase = true } ]\nmissing = \"owner\"\n";
    let case = mapped(source, &target, mapping);
    let report = case.done();
    let found =
        case.rows("SELECT id, encode(convert_to(user_id_old, 'UTF8'), 'hex'), user_id FROM history ORDER BY id");
    let stated = [
        "1 6b657640782e6578616d706c65 3",
        "2 20204b455640582e6578616d706c6520 3",
        "3  8",
        "4 615c62095c4e0d0a 8",
        "5 c3a9f09fa68a 8",
        "6 33 8",
    ];
    assert_eq!(found, stated);
    let lookup = &report["lookups"][0];
    assert_eq!((&lookup["steps"][0]["hits"], &lookup["missing"]), (&2.into(), &4.into()));
    assert_eq!(entry(&report, "owners", "owner", "ros@x.example")["rows"]["history"], 4);
}

/// Any UPDATE of a session, also one of the tool's, is an error.
const CYCLES: &str = "CREATE TABLE cycles (id serial PRIMARY KEY, project int NOT NULL, name text NOT NULL, since timestamp, UNIQUE (project, name)); \
    CREATE TABLE sessions (id int PRIMARY KEY, project int, prefix text, cycle_id int REFERENCES cycles, updated_at timestamp); \
    CREATE FUNCTION never() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'updated'; END $$; \
    CREATE TRIGGER never BEFORE UPDATE ON sessions FOR EACH ROW EXECUTE FUNCTION never(); \
    ALTER TABLE sessions ENABLE ALWAYS TRIGGER never;";

const SESSIONS: &str = "CREATE TABLE sessions (id INTEGER PRIMARY KEY, project INT, prefix TEXT, at TEXT, updated_at TEXT); INSERT INTO sessions VALUES \
    (1, 1, 'C1', '2025-01-02T00:00:00', '2024-05-01 12:00:00'), (2, 1, 'C1', '2025-01-01 00:00:00', '2024-05-02 12:00:00'), \
    (3, 1, 'c1', '2025-01-03 00:00:00', NULL), (4, 2, 'C10', NULL, '2024-05-04 12:00:00');";

#[test]
fn parents_are_derived_from_children_and_each_child_is_linked_once() {
    let mapping = "[load.cycles]\nowner = false\nfrom = { sql = \"SELECT project, prefix AS name, min(ts(at)) AS since FROM sessions \
        WHERE prefix REGEXP '^C[0-9]+$' GROUP BY project, prefix ORDER BY project, prefix\" }\n\
        [load.sessions]\nowner = false\ntriggers = \"fire\"\n[load.sessions.columns.cycle_id.lookup]\ntable = \"cycles\"\ntake = \"id\"\n\
        steps = [ { target = [\"project\", \"name\"], source = [\"project\", \"prefix\"] } ]\nmissing = \"null\"\nquiet = true\n";
    let case = mapped(SESSIONS, CYCLES, mapping);
    case.done();
    assert_eq!(case.rows("SELECT * FROM cycles ORDER BY id"), ["1 1 C1 2025-01-01 00:00:00", "2 2 C10 -"]);
    let found = case.rows("SELECT id, cycle_id, updated_at FROM sessions ORDER BY id");
    assert_eq!(found, ["1 1 2024-05-01 12:00:00", "2 1 2024-05-02 12:00:00", "3 - -", "4 2 2024-05-04 12:00:00"]);
    assert_eq!(case.target.value("SELECT nextval('cycles_id_seq')"), "3");
}

const USERS: &str = "CREATE TABLE users (username text PRIMARY KEY, email text UNIQUE, password text NOT NULL);";

const ALLOWED: &str = "CREATE TABLE users (username TEXT, password TEXT); INSERT INTO users VALUES ('admin', 'p'); \
    CREATE TABLE allowed (id INTEGER PRIMARY KEY, email TEXT); INSERT INTO allowed VALUES (1, 'Ada@x.example'), (2, 'admin@localhost'), (3, 'b.c@x'), (4, 'b_c@x');";

const BOTH: &str = "[load.users]\nowner = false\n[load.users.columns]\nemail = { sql = \"username || '@localhost'\" }\n\
    [load.allowed]\nowner = false\nto = \"users\"\nconflict = { skip = [\"email\"] }\nfrom = { sql = \"SELECT replace(replace(casefold(email), '@', '_at_'), '.', '_') AS username, \
    email, '' AS password FROM allowed ORDER BY id\" }\n";

#[test]
fn in_a_second_load_a_taken_email_is_skipped_and_a_taken_name_is_a_fault() {
    let case = mapped(ALLOWED, USERS, BOTH);
    let report = case.command(&["--json", "--yes", "--on-fault", "quarantine"]).exits(6).json();
    let found = case.rows("SELECT username, email, password FROM users ORDER BY username COLLATE \"C\"");
    assert_eq!(found, ["ada_at_x_example Ada@x.example ", "admin admin@localhost p", "b_c_at_x b.c@x "]);
    let load = entry(&report, "loads", "load", "allowed");
    assert_eq!(["read", "written", "skipped", "faults"].map(|key| load[key].as_u64()), [4, 2, 1, 1].map(Some));
    let fault = &report["faults"][0];
    assert_eq!(
        (&fault["load"], &fault["rowid"], &fault["reason"]),
        (&"allowed".into(), &4.into(), &"duplicate".into())
    );
    assert!(fault["message"].as_str().expect("words").contains("constraint users_pkey"), "{fault}");
}

const SEEDED: &str = "CREATE TABLE companies (id serial PRIMARY KEY, code text UNIQUE, name text); \
    CREATE TABLE users (id serial PRIMARY KEY, username text UNIQUE, company_id int NOT NULL REFERENCES companies, made_at timestamp); \
    CREATE TABLE seeds (id serial PRIMARY KEY, category text, budget numeric(8,2), active boolean);";

const SEEDS: &str = "[owner]\ntable = \"companies\"\nmatch = { code = \"DEFAULT\" }\ncreate = { name = \"Default\" }\n\
    [load.users]\nowner = \"company_id\"\nconflict = { skip = [\"username\"] }\nfrom = { rows = [ { username = \"admin\", made_at = { now = true } }, { username = \"guest\" }, { username = \"admin\" } ] }\n\
    [load.seeds]\nowner = false\nwhen = \"empty\"\nfrom = { rows = [ { category = \"Food\", budget = 1.5 }, { category = \"Rent\" } ] }\n\
    [load.seeds.columns]\nactive = { value = true }\nbudget = { if_null = 0 }\n[leave]\nempty = \"the source is empty\"\n";

#[test]
fn rows_of_the_mapping_refer_to_each_other_and_none_is_created_twice() {
    let case = mapped("CREATE TABLE empty (x);", SEEDED, SEEDS);
    let report = case.done();
    assert_eq!(
        case.rows("SELECT username, company_id, made_at IS NULL FROM users ORDER BY username"),
        ["admin 1 f", "guest 1 t"]
    );
    assert_eq!(case.rows("SELECT category, budget, active FROM seeds ORDER BY id"), ["Food 1.50 t", "Rent 0.00 t"]);
    let users = entry(&report, "loads", "load", "users");
    assert_eq!(
        (&users["written"], &users["skipped"]),
        (&2.into(), &1.into()),
        "the later of two with one key is skipped"
    );
}

#[test]
fn seeds_skip_a_table_with_rows_and_existing_people_stay_unchanged() {
    let before = "INSERT INTO companies VALUES (7, 'DEFAULT', 'Mine'); INSERT INTO users VALUES (5, 'admin', 7, NULL); INSERT INTO seeds (category) VALUES ('Own');";
    let case =
        mapped("CREATE TABLE empty (x);", &format!("{SEEDED} {before} SELECT setval('users_id_seq', 5);"), SEEDS);
    let report = case.done();
    assert_eq!(
        case.rows("SELECT username, company_id, made_at, id = 5 FROM users ORDER BY id"),
        ["admin 7 - t", "guest 7 - f"]
    );
    assert_eq!(case.rows("SELECT category FROM seeds"), ["Own"]);
    assert_eq!(entry(&report, "loads", "load", "seeds")["state"], "not-empty");
    assert_eq!(entry(&report, "loads", "load", "users")["skipped"], 2);
    assert_eq!(case.rows("SELECT name FROM companies"), ["Mine"]);
}
