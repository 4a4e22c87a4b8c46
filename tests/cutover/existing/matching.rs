//! `existing = "match"`: rows with the same natural key are the same row, and references follow.

use crate::support::case::{Case, faults};

/// Content types, permissions over them, users, and rows that refer to all of these: ids differ on both sides.
const TARGET: &str = "CREATE TABLE types (id serial PRIMARY KEY, app varchar(20) NOT NULL, model varchar(20) NOT NULL, UNIQUE (app, model)); \
    CREATE TABLE permissions (id serial PRIMARY KEY, type_id int NOT NULL REFERENCES types DEFERRABLE INITIALLY DEFERRED, \
      code varchar(20) NOT NULL, label text NOT NULL, UNIQUE (type_id, code)); \
    CREATE TABLE users (id serial PRIMARY KEY, name text NOT NULL UNIQUE); \
    CREATE TABLE grants (id serial PRIMARY KEY, user_id int NOT NULL REFERENCES users, permission_id int NOT NULL REFERENCES permissions, \
      UNIQUE (user_id, permission_id)); \
    CREATE TABLE log (id int PRIMARY KEY, type_id int REFERENCES types, kind int, user_id int NOT NULL REFERENCES users); \
    INSERT INTO types (app, model) VALUES ('docs', 'document'), ('auth', 'user'), ('docs', 'new'); \
    INSERT INTO permissions (type_id, code, label) VALUES (1, 'view', 'Can view document'), (2, 'change', 'Can change user'), (3, 'view', 'Can view new'); \
    INSERT INTO users (name) VALUES ('anonymous');";

const SOURCE: &str = "CREATE TABLE types (id INTEGER PRIMARY KEY, app TEXT, model TEXT, UNIQUE (app, model)); \
    CREATE TABLE permissions (id INTEGER PRIMARY KEY, type_id INTEGER REFERENCES types, code TEXT, label TEXT, UNIQUE (type_id, code)); \
    CREATE TABLE users (id INTEGER PRIMARY KEY, name TEXT UNIQUE); \
    CREATE TABLE grants (id INTEGER PRIMARY KEY, user_id INTEGER, permission_id INTEGER); \
    CREATE TABLE log (id INTEGER PRIMARY KEY, type_id INTEGER, kind INTEGER, user_id INTEGER); \
    INSERT INTO types VALUES (1, 'auth', 'user'), (2, 'docs', 'old'), (7, 'docs', 'document'); \
    INSERT INTO permissions VALUES (3, 1, 'change', 'Can change user'), (5, 7, 'view', 'Can view document'), (6, 2, 'view', 'Can view old'); \
    INSERT INTO users VALUES (1, 'chief'), (2, 'anonymous'), (3, 'clerk'); \
    INSERT INTO grants VALUES (1, 3, 5), (2, 3, 3), (3, 2, 6); \
    INSERT INTO log VALUES (1, 7, 7, 1), (2, NULL, NULL, 3), (3, 2, 2, 2);";

const MATCH: &str =
    "[defaults]\nexisting = \"match\"\nunlisted_tables = \"copy\"\n[load.log.columns]\nkind = { refers = \"types\" }\n";

const SHOWN: [&str; 4] = [
    "SELECT app, model, id < 4 FROM types ORDER BY 1, 2",
    "SELECT app, model, code, label FROM permissions JOIN types t ON t.id = type_id ORDER BY 1, 2, 3",
    "SELECT name, app, model, code FROM grants JOIN users u ON u.id = user_id JOIN permissions p ON p.id = permission_id \
     JOIN types t ON t.id = type_id ORDER BY 1, 2, 3, 4",
    "SELECT l.id, t.model, k.model, name FROM log l LEFT JOIN types t ON t.id = type_id LEFT JOIN types k ON k.id = kind \
     JOIN users u ON u.id = user_id ORDER BY 1",
];

fn shown(case: &Case) -> Vec<String> {
    SHOWN.iter().flat_map(|sql| case.rows(sql)).collect()
}

const EXPECTED: [&str; 14] = [
    "auth user t",
    "docs document t",
    "docs new t",
    "docs old f",
    "auth user change Can change user",
    "docs document view Can view document",
    "docs new view Can view new",
    "docs old view Can view old",
    "anonymous docs old view",
    "clerk auth user change",
    "clerk docs document view",
    "1 document document chief",
    "2 - - clerk",
    "3 old old anonymous",
];

#[test]
fn references_follow_matched_rows_through_chains_and_a_rollback_leaves_the_rest() {
    let case = Case::new(SOURCE, TARGET, MATCH);
    let tables = ["types", "permissions", "users", "grants", "log"];
    let all = |case: &Case| tables.map(|table| case.rows(&format!("SELECT * FROM {table} ORDER BY 1")));
    let before = all(&case);
    let dry = case.exits(0, &["--dry-run"]);
    let report = case.done();
    assert_eq!(shown(&case), EXPECTED);
    for report in [&dry, &report] {
        let held = report["existing"].as_array().expect("tables").iter();
        let held: Vec<_> =
            held.map(|h| (h["table"].as_str().unwrap(), h["equal"].as_u64(), h["kept"].as_u64())).collect();
        let expected = [
            ("public.permissions", Some(2), Some(0)),
            ("public.types", Some(2), Some(0)),
            ("public.users", Some(1), Some(0)),
        ];
        assert_eq!(held, expected, "{report}");
    }
    case.command(&["verify"]).exits(0);
    case.exits(0, &["--yes"]);
    case.command(&["rollback", "--yes"]).exits(0);
    assert_eq!(all(&case), before);
}

#[test]
fn a_reference_to_a_row_that_the_source_lacks_is_found_before_anything_is_written() {
    let orphan = SOURCE.replace("(2, NULL, NULL, 3)", "(2, 99, NULL, 3)");
    let case = Case::new(&orphan, TARGET, MATCH);
    for way in ["--dry-run", "--yes"] {
        let report = case.exits(3, &[way]);
        assert_eq!(faults(&report), [("log".to_owned(), 2, Some("type_id".to_owned()), "orphan".to_owned())], "{way}");
    }
    assert_eq!(case.target.count("types"), 3);
    let to_null = format!("{MATCH}type_id = {{ if_orphan = {{ null = true }} }}\n");
    let case = Case::new(&orphan, TARGET, &to_null);
    case.done();
    assert_eq!(case.rows(SHOWN[3])[1], "2 - - clerk");
}

const DIFFERING: &str = "INSERT INTO permissions (type_id, code, label) VALUES (2, 'add', 'May add'); ";

/// The label of two permissions differs from that of the target.
fn differing() -> String {
    format!("{SOURCE} UPDATE permissions SET label = 'Mine ' || id WHERE id IN (3, 5);")
}

#[test]
fn a_row_that_differs_is_a_fault_unless_the_mapping_states_the_right_side() {
    let case = Case::new(&differing(), TARGET, MATCH);
    for way in ["--dry-run", "--yes"] {
        let report = case.exits(3, &[way]);
        let found: Vec<_> = faults(&report).into_iter().map(|(load, id, _, reason)| (load, id, reason)).collect();
        let fault = |id| ("permissions".to_owned(), id, "differs".to_owned());
        assert_eq!(found, [fault(3), fault(5)], "{way}");
        assert!(report["faults"][0]["message"].as_str().is_some_and(|m| m.contains("in label")), "{report}");
    }
    // Without a preflight the server finds the same rows while they are written.
    let late = case.exits(4, &["--yes", "--skip-preflight"]);
    assert_eq!(late["faults"].as_array().map(Vec::len), Some(2), "{late}");
    case.command(&["rollback", "--yes"]).exits(0);
    let report = case.exits(6, &["--yes", "--on-fault", "quarantine"]);
    assert!(report["fault_total"].as_u64() >= Some(2), "{report}");
}

#[test]
fn differ_target_keeps_and_lists_each_row_that_differs() {
    let mapping = format!("{MATCH}[load.permissions]\nexisting = {{ differ = \"target\" }}\n");
    let case = Case::new(&differing(), TARGET, &mapping);
    let dry = case.exits(0, &["--dry-run"]);
    let report = case.done();
    for report in [dry, report] {
        let loss = serde_json::json!([{"load": "permissions", "column": "label", "modifier": "kept-target", "count": 2, "keys": ["3", "5"]}]);
        assert_eq!(report["losses"], loss, "{report}");
        let held =
            report["existing"].as_array().and_then(|all| all.iter().find(|h| h["table"] == "public.permissions"));
        let held = held.expect("permissions");
        assert_eq!((&held["equal"], &held["kept"], &held["written_over"]), (&0.into(), &2.into(), &0.into()));
    }
    assert_eq!(shown(&case), EXPECTED);
}

#[test]
fn differ_source_writes_over_the_rows_and_a_rollback_restores_them() {
    let mapping =
        format!("{MATCH}[load.permissions]\nexisting = {{ match = [\"code\", \"type_id\"], differ = \"source\" }}\n");
    let triggers = "CREATE TABLE noted (what text); CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN \
        INSERT INTO public.noted VALUES (TG_OP); RETURN NULL; END $$; \
        CREATE TRIGGER noting AFTER UPDATE ON permissions FOR EACH ROW EXECUTE FUNCTION note();";
    let case = Case::new(&differing(), &format!("{TARGET} {DIFFERING} {triggers}"), &mapping);
    let before = case.rows("SELECT * FROM permissions ORDER BY 1");
    let dry = case.exits(0, &["--dry-run"]);
    let report = case.done();
    for report in [dry, report] {
        let held =
            report["existing"].as_array().and_then(|all| all.iter().find(|h| h["table"] == "public.permissions"));
        assert_eq!(held.map(|held| &held["written_over"]), Some(&2.into()), "{report}");
    }
    let labels = "SELECT label FROM permissions ORDER BY id LIMIT 4";
    assert_eq!(case.rows(labels), ["Mine 5", "Mine 3", "Can view new", "May add"]);
    case.command(&["verify"]).exits(0);
    assert_eq!(case.target.count("noted"), 0, "no trigger ran");
    // A row that changed since is not restored.
    case.target.run(
        "ALTER TABLE permissions DISABLE TRIGGER noting; UPDATE permissions SET label = 'since' WHERE id = 1; \
              ALTER TABLE permissions ENABLE TRIGGER noting",
    );
    case.command(&["verify"]).exits(0).says(&["NotChecked"]);
    case.command(&["rollback", "--yes"])
        .exits(3)
        .says(&["1 of 2 rows of permissions that the run wrote over were changed"]);
    case.target.run("UPDATE permissions SET label = 'Mine 5' WHERE id = 1");
    case.command(&["rollback", "--yes"]).exits(0);
    assert_eq!(case.rows("SELECT * FROM permissions ORDER BY 1"), before);
    assert_eq!(case.target.count("migrate.kept"), 0);
}

#[test]
fn a_table_with_several_natural_keys_or_none_asks_for_one() {
    let target = "CREATE TABLE things (id serial PRIMARY KEY, a text NOT NULL UNIQUE, b text NOT NULL UNIQUE, c text UNIQUE); \
        INSERT INTO things (a, b) VALUES ('x', 'y')";
    let source = "CREATE TABLE things (id INTEGER PRIMARY KEY, a TEXT, b TEXT, c TEXT); INSERT INTO things VALUES (4, 'x', 'y', NULL), (5, 'v', 'w', 'c');";
    let several = Case::new(source, target, "[load.things]\nexisting = \"match\"\n");
    several.refused(&["load.things.existing", "`things` has 2 unique keys", "match = [\\\"a\\\"] or [\\\"b\\\"]"]);
    let wrong = Case::new(source, target, "[load.things]\nexisting = { match = [\"c\"] }\n");
    wrong.refused(&["has no unique key over (c) whose columns are NOT NULL"]);
    let case = Case::new(source, target, "[load.things]\nexisting = { match = [\"a\"] }\n");
    case.done();
    assert_eq!(case.rows("SELECT id, a, b FROM things ORDER BY 1"), ["1 x y", "3 v w"]);
    let none = Case::new(source, &target.replace(" UNIQUE", ""), "[load.things]\nexisting = \"match\"\n");
    none.refused(&["has no unique key other than its id"]);
    let own = "CREATE TABLE things (id serial PRIMARY KEY, a text NOT NULL UNIQUE, b text, c text, up int REFERENCES things); \
        INSERT INTO things (a, b) VALUES ('x', 'y')";
    Case::new(source, own, "[load.things]\nexisting = \"match\"\n[load.things.columns]\nup = { null = true }\n");
    Case::new(source, own, "[load.things]\nexisting = \"match\"\n")
        .refused(&["refer to rows of the same table (things_up_fkey)"]);
}

#[test]
fn a_primary_key_without_a_sequence_is_the_natural_key() {
    let target = "CREATE TABLE settings (name text PRIMARY KEY, value text); INSERT INTO settings VALUES ('a', '1'), ('b', '2'), ('z', '9')";
    let source = "CREATE TABLE settings (name TEXT PRIMARY KEY, value TEXT); INSERT INTO settings VALUES ('a', '1'), ('b', 'mine'), ('c', '3')";
    let case = Case::new(source, target, "[load.settings]\nexisting = { differ = \"source\" }\n");
    case.done();
    assert_eq!(case.rows("SELECT * FROM settings ORDER BY 1"), ["a 1", "b mine", "c 3", "z 9"]);
    case.command(&["rollback", "--yes"]).exits(0);
    assert_eq!(case.rows("SELECT * FROM settings ORDER BY 1"), ["a 1", "b 2", "z 9"]);
}

#[test]
fn a_skipped_row_that_differs_is_counted_and_listed() {
    let target = "CREATE TABLE settings (id serial PRIMARY KEY, name text NOT NULL UNIQUE, value text); \
        INSERT INTO settings (name, value) VALUES ('a', '1'), ('b', '2')";
    let source = "CREATE TABLE settings (id INTEGER PRIMARY KEY, name TEXT, value TEXT); \
        INSERT INTO settings VALUES (1, 'a', '1'), (2, 'b', 'mine'), (3, 'c', '3'), (4, 'c', 'twice')";
    let mapping = "[load.settings]\nconflict = { skip = [\"name\"] }\n[load.settings.columns]\nid = { omit = true }\n\
        [leave]\nsettings.id = \"new ones\"\n";
    let case = Case::new(source, target, mapping);
    let report = case.done();
    let loss = serde_json::json!([{"load": "settings", "column": "value", "modifier": "kept-target", "count": 2, "keys": ["2", "4"]}]);
    assert_eq!(report["losses"], loss, "{report}");
    let held = &report["existing"][0];
    assert_eq!((&held["equal"], &held["kept"]), (&1.into(), &2.into()), "{held}");
}

#[test]
fn a_row_of_another_owner_is_neither_kept_nor_written_over_nor_referred_to() {
    let target = "CREATE TABLE users (id serial PRIMARY KEY, name text UNIQUE); INSERT INTO users (name) VALUES ('ann'), ('bob'); \
        CREATE TABLE lists (id serial PRIMARY KEY, user_id int NOT NULL REFERENCES users, name text NOT NULL UNIQUE); \
        CREATE TABLE items (id int PRIMARY KEY, list_id int NOT NULL REFERENCES lists); \
        INSERT INTO lists (user_id, name) VALUES (2, 'home'), (1, 'work')";
    let source = "CREATE TABLE lists (id INTEGER PRIMARY KEY, name TEXT); INSERT INTO lists VALUES (1, 'work'), (2, 'home'), (3, 'other'); \
        CREATE TABLE items (id INTEGER PRIMARY KEY, list_id INTEGER); INSERT INTO items VALUES (1, 1), (2, 2), (3, 3)";
    let owner = "[owner]\ntable = \"users\"\nmatch = { name = \"ann\" }\n";
    for rule in ["\"match\"", "{ differ = \"source\" }", "{ differ = \"target\" }"] {
        let mapping = format!(
            "{owner}[load.lists]\nowner = \"user_id\"\nexisting = {rule}\n[load.items]\nowner = {{ through = \"list_id\" }}\n"
        );
        let case = Case::new(source, target, &mapping);
        for way in [&["--dry-run"][..], &["--yes"]] {
            let report = case.exits(3, way);
            assert_eq!(faults(&report), [("lists".to_owned(), 2, None, "other-owner".to_owned())], "{rule}");
        }
        case.exits(4, &["--yes", "--skip-preflight"]);
        assert_eq!(case.rows("SELECT user_id, name FROM lists ORDER BY id"), ["2 home", "1 work"], "{rule}");
    }
    let mapping = format!(
        "{owner}[load.lists]\nowner = \"user_id\"\nexisting = \"match\"\n[load.items]\nowner = {{ through = \"list_id\" }}\n"
    );
    let case = Case::new(&source.replace("(2, 'home')", "(2, 'house')"), target, &mapping);
    case.done();
    assert_eq!(
        case.rows("SELECT i.id, l.name, user_id FROM items i JOIN lists l ON l.id = list_id ORDER BY 1"),
        ["1 work 1", "2 house 1", "3 other 1"]
    );
}

/// Two tables whose rows refer to each other: trials to spaces by a foreign key, spaces to trials by a column without one.
const TOWARDS_EACH_OTHER: (&str, &str) = (
    "CREATE TABLE spaces (id INTEGER PRIMARY KEY, code TEXT, first_trial_id INTEGER); INSERT INTO spaces VALUES (1, 'default', 0), (2, 'lab', 2); \
     CREATE TABLE trials (id INTEGER PRIMARY KEY, space_id INTEGER REFERENCES spaces (id), name TEXT); \
     INSERT INTO trials VALUES (0, 1, 'Default'), (1, 1, 'Cost'), (2, 2, 'Growth');",
    "CREATE TABLE spaces (id serial PRIMARY KEY, code text NOT NULL UNIQUE, first_trial_id int NOT NULL); \
     CREATE TABLE trials (id serial PRIMARY KEY, space_id int NOT NULL REFERENCES spaces, name text NOT NULL, UNIQUE (space_id, name)); \
     INSERT INTO spaces (code, first_trial_id) VALUES ('default', 0), ('other', 1); \
     INSERT INTO trials VALUES (0, 1, 'Default'), (1, 2, 'Growth'); SELECT setval('trials_id_seq', 1);",
);

#[test]
fn matched_tables_with_foreign_keys_to_each_other_are_refused() {
    let source = "CREATE TABLE teams (id INTEGER PRIMARY KEY, name TEXT, lead_id INTEGER REFERENCES people);
        CREATE TABLE people (id INTEGER PRIMARY KEY, mail TEXT, team_id INTEGER REFERENCES teams);
        INSERT INTO teams VALUES (1, 'a', NULL), (2, 'b', NULL); INSERT INTO people VALUES (1, 'x', 1), (2, 'y', 2);
        UPDATE teams SET lead_id = 3 - id";
    let target = "CREATE TABLE teams (id serial PRIMARY KEY, name text NOT NULL UNIQUE, lead_id int);
        CREATE TABLE people (id serial PRIMARY KEY, mail text NOT NULL UNIQUE, team_id int REFERENCES teams);
        ALTER TABLE teams ADD FOREIGN KEY (lead_id) REFERENCES people;
        INSERT INTO teams VALUES (7, 'a', NULL); INSERT INTO people VALUES (8, 'x', 7); UPDATE teams SET lead_id = 8;
        SELECT setval('teams_id_seq', 7), setval('people_id_seq', 8)";
    let matched = "[load.teams]\nexisting = \"match\"\n[load.people]\nexisting = \"match\"\n";
    let case = Case::new(source, target, matched);
    case.refused(&["load.teams.columns.lead_id", "load.people.columns.team_id", "`existing = \\\"replace\\\"`"]);
    // The way out: both sides are those of the source, and a rollback restores the target.
    let replaced = matched.replace("match", "replace");
    let case = Case::new(source, target, &replaced);
    let all = |case: &Case| case.rows("SELECT * FROM teams, people ORDER BY 1, 4");
    let before = all(&case);
    case.done();
    assert_eq!(all(&case), ["1 a 2 1 x 1", "1 a 2 2 y 2", "2 b 1 1 x 1", "2 b 1 2 y 2"]);
    case.command(&["verify"]).exits(0);
    case.command(&["rollback", "--yes"]).exits(0);
    assert_eq!(all(&case), before);
}

#[test]
fn matched_tables_that_refer_to_each_other_are_refused_with_a_way_out_that_works() {
    let (source, target) = TOWARDS_EACH_OTHER;
    let mapping = "[load.spaces]\nexisting = \"match\"\n[load.spaces.columns]\nfirst_trial_id = { refers = \"trials\" }\n\
                   [load.trials]\nexisting = \"match\"\n";
    let case = Case::new(source, target, mapping);
    case.refused(&[
        "load.spaces.columns.first_trial_id follows the matched rows of `trials`",
        "load.trials.columns.space_id follows the matched rows of `spaces`",
    ]);
    let report = case.exits(3, &["--dry-run"]);
    let advice = report["refusals"][0]["advice"].as_str().expect("an advice");
    assert!(advice.starts_with("Write `existing = \"replace\"` at the load into `trials`"), "{advice}");
    assert!(!advice.contains("NULL"), "no column of the circle may be NULL: {advice}");
    let taken = mapping.replace("[load.trials]\nexisting = \"match\"", "[load.trials]\nexisting = \"replace\"");
    let case = Case::new(source, target, &taken);
    let before = [case.rows("SELECT * FROM spaces ORDER BY 1"), case.rows("SELECT * FROM trials ORDER BY 1")];
    case.done();
    assert_eq!(case.rows("SELECT code, first_trial_id FROM spaces ORDER BY id"), ["default 0", "other 1", "lab 2"]);
    let trials = "SELECT t.id, code, name FROM trials t JOIN spaces s ON s.id = space_id ORDER BY 1";
    assert_eq!(case.rows(trials), ["0 default Default", "1 default Cost", "2 lab Growth"]);
    case.command(&["rollback", "--yes"]).exits(0);
    assert_eq!([case.rows("SELECT * FROM spaces ORDER BY 1"), case.rows("SELECT * FROM trials ORDER BY 1")], before);
}
