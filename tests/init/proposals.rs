//! The lines that `init` proposes, the questions that it leaves open, and what it never does.

use super::Pair;

/// A notes application without users, and its successor with users.
const NOTES: &str = "
    CREATE TABLE notes (id INTEGER PRIMARY KEY, title TEXT, createdAt INTEGER, doneAt TEXT, state TEXT, old TEXT);
    INSERT INTO notes VALUES (1, 'Milk', 1700000000000, '', 'In Progress', NULL), (2, 'secret-title', 1700003600000, NULL, 'Done', NULL);
    CREATE TABLE note_tag (note_id INTEGER, tag TEXT, PRIMARY KEY (note_id, tag));
    INSERT INTO note_tag VALUES (1, 'home'), (2, 'secret-tag');
    CREATE TABLE alembic_version (version_num TEXT); INSERT INTO alembic_version VALUES ('abc');
    CREATE TABLE cache (k TEXT); INSERT INTO cache VALUES ('secret-cache');";
const OWNED: &str = "
    CREATE TYPE state AS ENUM ('IN_PROGRESS', 'DONE');
    CREATE TABLE users (id serial PRIMARY KEY, username text NOT NULL UNIQUE);
    CREATE TABLE notes (id serial PRIMARY KEY, user_id int NOT NULL REFERENCES users, title varchar(50) NOT NULL,
                        created_at timestamptz, done_at timestamptz, state state);
    CREATE TABLE note_tags (note_id int NOT NULL REFERENCES notes, tag text NOT NULL, PRIMARY KEY (note_id, tag));
    CREATE TABLE alembic_version (version_num varchar(32)); INSERT INTO alembic_version VALUES ('abc');
    INSERT INTO users (username) VALUES ('ann');";

#[test]
fn what_both_sides_prove_is_written_and_the_rest_is_asked() {
    let pair = Pair::new(NOTES, OWNED);
    let proposal = pair.proposed(&["--owner", "users.username=ann"]);
    proposal.has(&[
        "table = \"users\"",
        "match = { username = \"ann\" }",
        "owner = \"user_id\"",
        "created_at = { from = \"createdAt\", epoch = \"ms\" }",
        "done_at = { from = \"doneAt\", null_if = [\"\"] }",
        "state = { map = { \"Done\" = \"DONE\", \"In Progress\" = \"IN_PROGRESS\" } }",
        "[load.note_tags]",
        "from = \"note_tag\"",
        "owner = { through = \"note_id\" }",
        "notes.old = \"holds no value\"",
        "alembic_version = \"bookkeeping of Alembic's migrations: the target has its own\"",
    ]);
    assert_eq!(proposal.questions(), 1, "{}", proposal.text);
    assert!(!proposal.text.contains("title"), "a column of the same name needs no line:\n{}", proposal.text);
    proposal.ran.says(&["Draft: 1 open question, at line "]);
    let refused = pair.with_mapping(&proposal.text, &["--dry-run"]).exits(2);
    refused.says(&["leave.cache", "is an open question: 1 row, and no table of the target has this name"]);
    let answered =
        proposal.text.lines().map(|line| if line.starts_with("cache") { "cache = \"rebuilt\"" } else { line });
    let answered = answered.collect::<Vec<_>>().join("\n");
    pair.with_mapping(&answered, &["--yes"]).exits(0).says(&["Done and verified."]);
    assert_eq!(
        pair.target.value("SELECT string_agg(title, ',' ORDER BY id) FROM notes WHERE user_id = 1"),
        "Milk,secret-title"
    );
}

#[test]
fn two_databases_of_one_shape_need_no_edit() {
    let shape = "
        CREATE TABLE auth_user (id integer PRIMARY KEY, username text NOT NULL UNIQUE);
        CREATE TABLE kind (id integer PRIMARY KEY, label text NOT NULL, model text NOT NULL, UNIQUE (label, model));
        CREATE TABLE entry (id integer PRIMARY KEY, user_id integer NOT NULL REFERENCES auth_user, kind_id integer REFERENCES kind,
                            at timestamp, body text);
        CREATE TABLE django_migrations (id integer PRIMARY KEY, app text, name text);";
    let rows = "
        INSERT INTO auth_user VALUES (1, 'ann'), (7, 'eve');
        INSERT INTO kind VALUES (1, 'a', 'x'), (2, 'b', 'y');
        INSERT INTO entry VALUES (1, 1, 2, '2024-01-02 03:04:05.000000', 'one'), (2, 7, 1, NULL, 'two');
        INSERT INTO django_migrations VALUES (1, 'kind', '0001');";
    let identity = "
        CREATE SEQUENCE kind_ids OWNED BY kind.id; ALTER TABLE kind ALTER id SET DEFAULT nextval('kind_ids');
        INSERT INTO kind VALUES (11, 'b', 'y'); SELECT setval('kind_ids', 11);
        INSERT INTO django_migrations VALUES (1, 'kind', '0001');";
    let pair = Pair::new(&format!("{shape}{rows}"), &format!("{shape}{identity}"));
    let proposal = pair.proposed(&[]);
    proposal.ran.says(&["Complete: the dry run refuses nothing"]);
    proposal.has(&["existing = \"match\"", "[load.entry]", "[load.auth_user]"]);
    pair.with_mapping(&proposal.text, &["--yes"]).exits(0).says(&["Done and verified."]);
    let kinds =
        "SELECT string_agg(e.body || '=' || k.model, ' ' ORDER BY e.id) FROM entry e JOIN kind k ON k.id = kind_id";
    assert_eq!(pair.target.value(kinds), "one=y two=x");
}

#[test]
fn an_existing_file_is_not_overwritten_and_a_check_prints_what_it_lacks() {
    let pair = Pair::new(NOTES, OWNED);
    pair.command(&["--owner", "users.username=ann"])
        .exits(0)
        .says(&["migrate.toml: 2 loads", "Draft: 1 open question"]);
    let first = pair.place.read("migrate.toml");
    let refused = pair.command(&[]).exits(3);
    refused.says(&["-o migrate.toml: the file exists, and nothing was written", "migrate init --check migrate.toml"]);
    assert_eq!(pair.place.read("migrate.toml"), first);
    let nothing = pair.command(&["--check", "migrate.toml"]).exits(0);
    assert_eq!(nothing.stdout, "");
    let without: Vec<&str> =
        first.lines().filter(|line| !line.starts_with("state") && !line.starts_with("cache")).collect();
    pair.place.write("migrate.toml", without.join("\n"));
    let lacking = pair.command(&["--check", "migrate.toml"]).exits(3);
    lacking.says(&["[load.notes.columns]", "state = { map", "[leave]", "cache = "]);
    assert!(!lacking.stdout.contains("created_at"), "{}", lacking.stdout);
    pair.command(&["--force", "--owner", "users.username=ann"]).exits(0);
    assert_eq!(pair.place.read("migrate.toml"), first, "the same input gives the same bytes");
}

#[test]
fn no_value_of_a_row_is_printed_unless_it_is_asked_for() {
    let source = "
        CREATE TABLE t (id INTEGER PRIMARY KEY, state TEXT, amount REAL, at TEXT, n TEXT, name TEXT);
        INSERT INTO t VALUES (1, 'secret-state', 1.23456, 'secret-time', 'secret-number', 'secret-name'),
                             (2, NULL, NULL, NULL, NULL, 'secret-name');
        CREATE TABLE k (code TEXT, label TEXT, refers TEXT); INSERT INTO k VALUES ('secret-code', 'secret-label', 'secret-orphan');";
    let target = "
        CREATE TYPE state AS ENUM ('A');
        CREATE TABLE t (id bigint PRIMARY KEY, state state, amount numeric(5,2), at timestamptz, n int, name text UNIQUE);
        CREATE TABLE k (code text PRIMARY KEY, label text, refers text REFERENCES k); INSERT INTO k VALUES ('secret-code', 'other');";
    let pair = Pair::new(source, target);
    let proposal = pair.proposed(&["-vv"]);
    assert_eq!(proposal.questions(), 4, "{}", proposal.text);
    let json = pair.command(&["-o", "-", "--json", "-vv"]).exits(0);
    assert_eq!((&json.json()["complete"], json.json()["questions"].as_array().map(Vec::len)), (&false.into(), Some(4)));
    pair.place.write("bare.toml", "format = 1\nname = \"bare\"\n[source]\npath = \"app.db\"\n");
    let check = pair.command(&["--check", "bare.toml", "-vv"]).exits(3);
    // The same proposal without its questions is planned, and its rows are read.
    let readable = "CREATE TABLE t (id bigint PRIMARY KEY, name text UNIQUE); \
                    CREATE TABLE k (code text PRIMARY KEY, label text, refers text REFERENCES k);";
    let found = Pair::new(
        "CREATE TABLE t (id INTEGER PRIMARY KEY, name TEXT); \
                           INSERT INTO t VALUES (1, 'secret-name'), (2, 'secret-name'); \
                           CREATE TABLE k (code TEXT, label TEXT, refers TEXT); \
                           INSERT INTO k VALUES ('secret-code', 'secret-label', 'secret-orphan');",
        readable,
    );
    let found = found.proposed(&["-vv"]);
    assert!(found.text.contains("(duplicate") && found.text.contains("(orphan"), "{}", found.text);
    for ran in [&proposal.ran, &json, &check, &found.ran] {
        assert!(!ran.said().contains("secret") && !ran.said().contains("1.23"), "{}", ran.said());
    }
    let shown = pair.proposed(&["--show-values"]);
    assert!(shown.text.contains("secret-state") && !proposal.text.contains("secret-number"), "{}", shown.text);
}

#[test]
fn what_the_dry_run_finds_is_a_comment_at_its_place() {
    let source = "
        CREATE TABLE a (id INTEGER PRIMARY KEY, name TEXT); INSERT INTO a VALUES (1, 'x'), (2, 'x');
        CREATE TABLE b (id INTEGER PRIMARY KEY, a_id INTEGER); INSERT INTO b VALUES (1, 9);";
    let target = "
        CREATE TABLE a (id int PRIMARY KEY, name text UNIQUE);
        CREATE TABLE b (id int PRIMARY KEY, a_id int REFERENCES a);";
    let pair = Pair::new(source, target);
    let proposal = pair.proposed(&[]);
    let comments: Vec<&str> = proposal.text.lines().filter(|line| line.starts_with("# dry run")).collect();
    assert_eq!(comments.len(), 2, "{}", proposal.text);
    assert!(comments[0].contains("1 of 2 rows cannot be loaded (duplicate"), "{comments:?}");
    assert!(comments[1].contains("1 of 1 row cannot be loaded (orphan"), "{comments:?}");
    proposal.ran.says(&["Draft: no open question, 2 findings of the dry run"]);
}

#[test]
fn a_sequence_that_no_column_names_is_asked_for() {
    let source = "CREATE TABLE t (id INTEGER PRIMARY KEY); INSERT INTO t VALUES (1);";
    let target = "CREATE TABLE t (id bigint PRIMARY KEY); CREATE SEQUENCE hibernate_numbers;";
    let pair = Pair::new(source, target);
    let proposal = pair.proposed(&[]);
    assert!(proposal.text.contains("[sequences]\nhibernate_numbers = { \"?\" = "), "{}", proposal.text);
    proposal.ran.says(&["Draft: 1 open question, at line "]);
}

#[test]
fn sides_without_a_common_table_and_an_empty_target_are_named() {
    let source = "CREATE TABLE t (id INTEGER PRIMARY KEY); INSERT INTO t VALUES (1);";
    let pair = Pair::new(source, "CREATE TABLE other (id int);");
    let proposal = pair.proposed(&[]);
    assert!(
        proposal.text.contains("\nt = { \"?\" = \"1 row, and no table of the target has this name"),
        "{}",
        proposal.text
    );
    let pair = Pair::new(source, "SELECT 1;");
    pair.command(&[]).exits(3).says(&["the target has no table in the schema `public`"]);
    assert!(!pair.place.files().contains("migrate.toml"));
}

#[test]
fn versions_virtual_tables_and_loads_that_were_not_checked_are_comments_at_the_top() {
    let source = "
        CREATE TABLE alembic_version (version_num TEXT); INSERT INTO alembic_version VALUES ('old');
        CREATE VIRTUAL TABLE found USING fts5(body); CREATE VIRTUAL TABLE places USING rtree(id, x0, x1);
        CREATE VIEW recent AS SELECT 1 AS id;
        CREATE TABLE t (id INTEGER PRIMARY KEY, must TEXT); INSERT INTO t VALUES (1, NULL);
        CREATE TABLE u (id INTEGER PRIMARY KEY, t_id INTEGER); INSERT INTO u VALUES (1, 1);";
    let target = "
        CREATE TABLE alembic_version (version_num varchar(32)); INSERT INTO alembic_version VALUES ('new');
        CREATE TABLE t (id int PRIMARY KEY, must text NOT NULL);
        CREATE TABLE u (id int PRIMARY KEY, t_id int REFERENCES t);";
    let proposal = Pair::new(source, target).proposed(&[]);
    let words = proposal.text.replace("\n# ", " ");
    let head = words.split("format = 1").next().expect("comments");
    for said in [
        "Warning: alembic_version: ",
        "Not tables, and not loaded: found, places, recent (8 shadow tables",
        "Not checked before its questions are answered: t, u.",
    ] {
        assert!(head.contains(said), "`{said}` is missing in:\n{}", proposal.text);
    }
    assert!(!proposal.text.contains("found_data"), "{}", proposal.text);
}

#[test]
fn an_owner_that_the_target_cannot_have_is_refused_with_the_nearest_name() {
    let pair = Pair::new(NOTES, OWNED);
    let table = pair.command(&["--owner", "user.username=ann"]).exits(3);
    table.says(&["--owner: the target has no table `user` (the nearest name is users)"]);
    let column = pair.command(&["--owner", "users.user name=ann"]).exits(3);
    column.says(&["--owner: `users` has no column `user name` (the nearest name is username)"]);
    assert!(!pair.place.files().contains("migrate.toml"));
}

#[test]
fn a_column_that_accepts_null_and_names_another_role_is_not_stamped() {
    let source = "CREATE TABLE notes (id INTEGER PRIMARY KEY, title TEXT); INSERT INTO notes VALUES (1, 'x');
                  CREATE TABLE lines (id INTEGER PRIMARY KEY, note_id INTEGER); INSERT INTO lines VALUES (1, 1);";
    let target = |column: &str| {
        format!(
            "CREATE TABLE users (id serial PRIMARY KEY, username text NOT NULL UNIQUE); INSERT INTO users (username) VALUES ('ann');
             CREATE TABLE notes (id int PRIMARY KEY, title text, {column} REFERENCES users);
             CREATE TABLE lines (id int PRIMARY KEY, note_id int REFERENCES notes);"
        )
    };
    for (column, questions) in [("approved_by int", 1), ("approved_by int NOT NULL", 0), ("user_id int", 0)] {
        let pair = Pair::new(source, &target(column));
        let proposal = pair.proposed(&["--owner", "users.username=ann"]);
        assert_eq!(proposal.questions(), questions, "{}", proposal.text);
        proposal.has(&["owner = { through = \"note_id\" }"]);
        if questions == 1 {
            let answer = "owner = \"approved_by\"";
            let text = proposal.text.replace(
                proposal.lines().into_iter().find(|line| line.contains("{ \"?\" = ")).expect("the question"),
                answer,
            );
            pair.with_mapping(&text, &["--yes"]).exits(0).says(&["Done and verified."]);
        }
    }
}

#[test]
fn a_sample_says_that_later_values_may_contradict_it() {
    let rows: Vec<String> = (1..=20).map(|n| format!("({n}, {})", 1_700_000_000 + n)).collect();
    let source =
        format!("CREATE TABLE t (id INTEGER PRIMARY KEY, at INTEGER); INSERT INTO t VALUES {};", rows.join(", "));
    let pair = Pair::new(&source, "CREATE TABLE t (id bigint PRIMARY KEY, at timestamptz);");
    let proposal = pair.proposed(&["--sample", "5"]);
    assert!(proposal.text.contains("# Only the first rows of 1 table were read (t)"), "{}", proposal.text);
    assert!(proposal.text.contains("# 5 of 5 values: numbers, years 2023 to 2023"), "{}", proposal.text);
}

#[test]
fn an_editor_gets_the_keys_of_the_language() {
    let pair = Pair::new("CREATE TABLE t (id INTEGER PRIMARY KEY);", "SELECT 1;");
    let schema = pair.place.migrate(["json-schema"]).exits(0).json();
    let column = &schema["properties"]["load"]["additionalProperties"]["properties"]["columns"]["additionalProperties"]
        ["anyOf"][1];
    assert!(column["properties"]["epoch"]["description"].is_string(), "{column}");
}

#[test]
fn a_role_that_only_reads_gets_its_grants_as_one_comment() {
    let pair = Pair::new(NOTES, OWNED);
    let role = format!("reader_{}", pair.target.name());
    pair.target.run(&format!("CREATE ROLE {role} LOGIN; GRANT SELECT ON ALL TABLES IN SCHEMA public TO {role};"));
    let url = pair.target.url_of(&role);
    let args = ["init", "-s", "app.db", "-t", &url, "-o", "-", "--owner", "users.username=ann"];
    let text = pair.place.migrate(args).exits(0).stdout;
    let comments: Vec<&str> = text.lines().filter(|line| line.contains("this role lacks rights")).collect();
    assert_eq!(comments.len(), 1, "{text}");
    let words = text.replace("\n# ", " ");
    assert!(words.contains(&format!("GRANT INSERT ON TABLE public.notes TO {role};")), "{text}");
    assert!(!text.contains("owner = { \"?\""), "{text}");
    // Without an open question, too, a proposal that the dry run refuses is no complete one.
    let pair = Pair::new("CREATE TABLE t (id INTEGER PRIMARY KEY);", "CREATE TABLE t (id int PRIMARY KEY);");
    pair.target.run(&format!("GRANT SELECT ON t TO {role};"));
    let args = ["init", "-s", "app.db", "-t", &pair.target.url_of(&role), "-o", "-"];
    pair.place.migrate(args).exits(0).says(&["Draft: no open question, 1 finding of the dry run"]);
}

#[test]
fn five_hundred_tables_are_proposed_over_a_single_connection() {
    let tables = |sql: &str| (0..500).map(|n| sql.replace('#', &n.to_string())).collect::<String>();
    let source = tables(
        "CREATE TABLE t# (id INTEGER PRIMARY KEY, Name# TEXT, at INTEGER); INSERT INTO t# VALUES (1, 'x', 1700000000);",
    );
    let target = tables("CREATE TABLE t# (id int PRIMARY KEY, name_# text, at timestamptz);");
    let pair = Pair::new(&source, &target);
    let role = format!("single_{}", pair.target.name());
    pair.target.run(&format!(
        "CREATE ROLE {role} LOGIN CONNECTION LIMIT 1; GRANT SELECT, INSERT ON ALL TABLES IN SCHEMA public TO {role}; \
         GRANT CREATE ON DATABASE {} TO {role}",
        pair.target.name()
    ));
    let ran = pair.place.migrate(["init", "-s", "app.db", "-t", &pair.target.url_of(&role)]).exits(0);
    ran.says(&["migrate.toml: 500 loads", "Complete: the dry run refuses nothing"]);
    let text = pair.place.read("migrate.toml");
    assert_eq!(text.matches("at = { epoch = \"s\" }").count(), 500);
    assert_eq!(text.matches("= \"Name").count(), 500);
}
