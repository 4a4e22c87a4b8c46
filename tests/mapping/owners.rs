//! The owner: any table, any column, an integer or a text; found or created; stamped, carried, or taken from the parent.

use super::{entry, mapped, remap};

const NOTES: &str =
    "CREATE TABLE notes (id INTEGER PRIMARY KEY, text TEXT); INSERT INTO notes VALUES (1, 'a'), (2, 'b');";

const MEMBERS: &str = "CREATE TABLE members (handle text PRIMARY KEY, secret text NOT NULL, role text NOT NULL DEFAULT 'user'); \
    CREATE TABLE notes (id int PRIMARY KEY, text text, made_by text REFERENCES members, changed_by text REFERENCES members);";

const ADA: &str = "[owner]\ntable = \"members\"\nmatch = { handle = \"ada\" }\nkey = \"handle\"\n\
    create = { secret = { env = \"SECRET\" }, role = \"admin\" }\n[load.notes]\nowner = [\"made_by\", \"changed_by\"]\n";

#[test]
fn a_text_owner_of_any_table_is_created_and_stamped_into_several_columns() {
    let case = mapped(NOTES, MEMBERS, ADA);
    let report = case.command(&["--json", "--yes"]).env("SECRET", "s3cret-from-outside").exits(0).json();
    assert_eq!(case.rows("SELECT * FROM members"), ["ada s3cret-from-outside admin"]);
    assert_eq!(case.rows("SELECT * FROM notes ORDER BY id"), ["1 a ada ada", "2 b ada ada"]);
    assert_eq!((&report["owner"]["made"], &report["owner"]["key"]), (&true.into(), &"ada".into()));
    assert_eq!(entry(&report, "loads", "load", "notes")["class"], "stamped");
    assert!(!report.to_string().contains("s3cret"), "a value of the environment is in no report");
}

#[test]
fn an_existing_owner_is_unchanged_and_needs_no_variable() {
    let case = mapped(NOTES, &format!("{MEMBERS} INSERT INTO members VALUES ('ada', 'old', 'user')"), ADA);
    let report = case.done();
    assert_eq!(case.rows("SELECT * FROM members"), ["ada old user"]);
    assert_eq!(report["owner"]["made"], false);
    assert_eq!(case.rows("SELECT DISTINCT made_by, changed_by FROM notes"), ["ada ada"]);
}

#[test]
fn an_owner_that_cannot_be_created_is_refused_before_anything_is_written() {
    mapped(NOTES, MEMBERS, ADA).refused(&["owner.create", "SECRET"]);
    let without = ADA.replace("create = { secret = { env = \"SECRET\" }, role = \"admin\" }\n", "");
    mapped(NOTES, MEMBERS, &without).refused(&["owner", "create"]);
    let lacking = ADA.replace("secret = { env = \"SECRET\" }, ", "");
    mapped(NOTES, MEMBERS, &lacking).refused(&["owner.create", "secret"]);
}

#[test]
fn an_ambiguous_owner_is_refused() {
    let target = "CREATE TABLE people (id serial PRIMARY KEY, name text); INSERT INTO people (name) VALUES ('ada'), ('ada'); \
                  CREATE TABLE notes (id int PRIMARY KEY, text text, person_id int REFERENCES people)";
    let mapping = "[owner]\ntable = \"people\"\nmatch = { name = \"ada\" }\n[load.notes]\nowner = \"person_id\"\n";
    mapped(NOTES, target, mapping).refused(&["owner", "2"]);
}

const TENANTS: &str = "CREATE TABLE companies (id serial PRIMARY KEY, code text NOT NULL, region text NOT NULL, UNIQUE (code, region)); \
    INSERT INTO companies (code, region) VALUES ('DEFAULT', 'us'), ('OTHER', 'eu'); \
    CREATE TABLE projects (id int PRIMARY KEY, name text, company_id int NOT NULL REFERENCES companies); \
    CREATE TABLE sessions (id int PRIMARY KEY, project_id int REFERENCES projects); \
    CREATE TABLE files (id int PRIMARY KEY, session_id int REFERENCES sessions, label text);";

const PROJECTS: &str = "CREATE TABLE projects (id INTEGER PRIMARY KEY, name TEXT); CREATE TABLE sessions (id INTEGER PRIMARY KEY, project_id INT); \
    CREATE TABLE files (id INTEGER PRIMARY KEY, session_id INT); INSERT INTO projects VALUES (1, 'one'), (2, 'two'); \
    INSERT INTO sessions VALUES (1, 1), (2, 1), (3, 2), (4, NULL); INSERT INTO files VALUES (1, 1), (2, 1), (3, 2), (4, 3), (5, 4), (6, NULL);";

const DEFAULT: &str = "[owner]\ntable = \"companies\"\nmatch = { code = \"DEFAULT\", region = \"eu\" }\nkey = \"id\"\nshow = \"code\"\ncreate = {}\n\
    [load.projects]\nowner = \"company_id\"\n[load.sessions]\nowner = { through = \"project_id\" }\n\
    [load.files]\nowner = { through = \"session_id\" }\n[load.files.columns]\nlabel = { sql = \":owner_code || '/' || :owner_region || '/' || id\" }\n";

#[test]
fn a_tenant_with_a_composite_key_owns_what_refers_to_its_rows() {
    let case = mapped(PROJECTS, TENANTS, DEFAULT);
    let report = case.done();
    assert_eq!(case.rows("SELECT id, code, region FROM companies ORDER BY id")[2], "3 DEFAULT eu");
    assert_eq!(case.rows("SELECT DISTINCT company_id FROM projects"), ["3"]);
    assert_eq!(case.rows("SELECT label FROM files WHERE id = 4"), ["DEFAULT/eu/4"]);
    let owners = report["owners"].as_array().expect("owners").iter();
    let mut found: Vec<String> = owners.map(|o| format!("{} {}", o["owner"], o["rows"])).collect();
    found.sort();
    // Two companies have one code, and are shown by it as the mapping asked.
    let stated = [
        r#""DEFAULT" {"files":4,"projects":2,"sessions":3}"#,
        r#""DEFAULT" {}"#,
        r#""OTHER" {}"#,
        r#"null {"files":2,"sessions":1}"#,
    ];
    assert_eq!(found, stated);
}

#[test]
fn another_owner_is_given_on_the_command_line_by_the_same_columns() {
    let case = mapped(PROJECTS, TENANTS, DEFAULT);
    let args = ["--json", "--yes", "--owner", "code=OTHER", "--owner", "region=eu"];
    let report = case.command(&args).exits(0).json();
    assert_eq!((&report["owner"]["made"], &report["owner"]["key"]), (&false.into(), &"2".into()));
    assert_eq!(case.rows("SELECT DISTINCT company_id FROM projects"), ["2"]);
    assert_eq!(case.rows("SELECT label FROM files WHERE id = 4"), ["OTHER/eu/4"]);
    case.command(&["--json", "--dry-run", "--owner", "code=OTHER"]).exits(3).says(&["--owner", "--owner region=..."]);
}

#[test]
fn a_column_that_refers_to_the_owner_is_never_mapped_by_chance() {
    let source = "CREATE TABLE notes (id INTEGER PRIMARY KEY, text TEXT, made_by TEXT);";
    let target = MEMBERS.replace(", changed_by text REFERENCES members", "");
    let owner =
        "[owner]\ntable = \"members\"\nmatch = { handle = \"ada\" }\nkey = \"handle\"\ncreate = { secret = \"x\" }\n";
    let load = "[load.notes]\n";
    let case = mapped(source, &target, &format!("{owner}{load}"));
    case.refused(&["load.notes", "`notes.made_by` refers to `members`", "carried"]);
    remap(&case, &format!("{owner}{load}owner = \"made_by\"\n"));
    case.refused(&["load.notes.columns.made_by", "is stamped, and the source's `notes` has a column `made_by`"]);
    remap(
        &case,
        &format!("{owner}[leave]\nnotes.made_by = \"the old names are unknown\"\n{load}owner = \"made_by\"\n"),
    );
    case.done();
}

#[test]
fn people_of_the_source_are_loaded_first_and_one_of_them_is_the_owner() {
    let source = format!(
        "{NOTES} CREATE TABLE members (handle TEXT PRIMARY KEY, secret TEXT); INSERT INTO members VALUES ('ada', 'hers'), ('ben', 'his');"
    );
    // The variable of `create` is not set: it would be needed only if the source had no ada.
    let case = mapped(&source, MEMBERS, &format!("{ADA}[load.members]\n"));
    let report = case.done();
    assert_eq!(report["owner"]["made"], false);
    assert_eq!(case.rows("SELECT * FROM members ORDER BY 1"), ["ada hers user", "ben his user"]);
    assert_eq!(case.rows("SELECT DISTINCT made_by FROM notes"), ["ada"]);
    let ben = entry(&report, "owners", "owner", "ben");
    assert_eq!(ben["rows"], serde_json::json!({}));
}

#[test]
fn the_owner_of_the_defaults_is_stamped_in_every_table_that_has_the_column() {
    let source = "CREATE TABLE notes (id INTEGER PRIMARY KEY, text TEXT); INSERT INTO notes VALUES (1, 'a'); \
                  CREATE TABLE tags (id INTEGER PRIMARY KEY); INSERT INTO tags VALUES (7); \
                  CREATE TABLE files (id INTEGER PRIMARY KEY, by TEXT); INSERT INTO files VALUES (9, 'bo');";
    let target = "CREATE TABLE members (handle text PRIMARY KEY); INSERT INTO members VALUES ('ada'), ('bo'); \
                  CREATE TABLE notes (id int PRIMARY KEY, text text, made_by text REFERENCES members); CREATE TABLE tags (id int PRIMARY KEY); \
                  CREATE TABLE files (id int PRIMARY KEY, made_by text REFERENCES members);";
    let mapping = "[owner]\ntable = \"members\"\nmatch = { handle = \"ada\" }\nkey = \"handle\"\n[defaults]\nowner = \"made_by\"\n\
                   unlisted_tables = \"copy\"\n[load.files]\nowner = { carried = \"made_by\" }\n[load.files.columns]\nmade_by = \"by\"\n";
    let case = mapped(source, target, mapping);
    let report = case.done();
    let class = |load: &str| entry(&report, "loads", "load", load)["class"].clone();
    assert_eq!([class("notes"), class("tags"), class("files")], ["stamped", "shared", "carried"]);
    assert_eq!(case.rows("SELECT made_by FROM notes UNION ALL SELECT made_by FROM files"), ["ada", "bo"]);
    let wrong = mapping.replace("owner = \"made_by\"\nunlisted", "owner = \"maid_by\"\nunlisted");
    mapped(source, target, &wrong).refused(&[
        "defaults.owner",
        "no table of the target has a column `maid_by`",
        "made_by",
    ]);
}
