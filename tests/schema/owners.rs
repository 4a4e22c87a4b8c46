//! Tables whose rows belong to an owner, and the whole way from a SQLite file to a verified PostgreSQL.

use super::Case;
use crate::support::postgres::version;
use crate::support::sqlite;

/// Notes of one person.
const NOTES: &str = "
CREATE TABLE notes (id INTEGER PRIMARY KEY AUTOINCREMENT, title TEXT NOT NULL UNIQUE, at DATETIME DEFAULT (datetime('now')),
                    done BOOLEAN DEFAULT 0, edited DATETIME, currency TEXT REFERENCES currencies (code));
CREATE TABLE tags (note INTEGER NOT NULL REFERENCES notes ON DELETE CASCADE, tag TEXT NOT NULL, PRIMARY KEY (note, tag));
CREATE TABLE settings (key TEXT PRIMARY KEY, value TEXT);
CREATE TABLE currencies (code TEXT PRIMARY KEY, name TEXT);
CREATE TABLE links (id INTEGER PRIMARY KEY, note INT REFERENCES notes ON DELETE SET NULL, setting TEXT REFERENCES settings (key),
                    url TEXT CHECK (url LIKE 'http%'), slug AS (lower(url)) STORED);
CREATE UNIQUE INDEX open_link ON links (url) WHERE note IS NULL;
CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL PRIMARY KEY);";

/// The rows of the first person.
const FIRST: &str = "
INSERT INTO currencies VALUES ('EUR', 'Euro');
INSERT INTO notes VALUES (1, 'Milk', '2024-01-02 03:04:05', 0, 1700000000, 'EUR'), (5, 'Trip', '2024-01-03 03:04:05', 1, NULL, NULL);
INSERT INTO tags VALUES (1, 'home'), (5, 'x');
INSERT INTO settings VALUES ('theme', 'dark');
INSERT INTO links (id, note, setting, url) VALUES (1, 1, 'theme', 'http://A'), (2, NULL, NULL, 'http://B');
INSERT INTO alembic_version VALUES ('a1');";

/// The rows of the second person, with the same ids and the same keys.
const SECOND: &str = "
INSERT INTO currencies VALUES ('EUR', 'Euro');
INSERT INTO notes VALUES (1, 'Milk', '2024-05-02 03:04:05', 0, 1700000001, 'EUR');
INSERT INTO tags VALUES (1, 'home');
INSERT INTO settings VALUES ('theme', 'light');
INSERT INTO links (id, note, setting, url) VALUES (1, 1, 'theme', 'http://A'), (2, NULL, NULL, 'http://B');
INSERT INTO alembic_version VALUES ('a1');";

/// Goes the whole way with two files of two owners. Returns the ids of the links by owner.
#[track_caller]
fn whole_way(keys: &str) -> (Case, String) {
    let case = Case::new(&format!("{NOTES}{FIRST}"));
    sqlite::file(&case.place, "second.db", &format!("{NOTES}{SECOND}"));
    let owner = ["--owner", "users.username=ann", "--shared", "Currencies", "--keys", keys];
    let files = ["-o", "schema.sql", "--mapping", "migrate.toml"];
    case.command(&owner).args(files).exits(0).says(&["schema.sql: 7 tables"]);
    case.command(&["--mapping", "migrate.toml"]).exits(3).says(&["--mapping migrate.toml", "the file exists"]);
    case.target.run(&case.place.read("schema.sql"));
    let run = |args: &[&str]| case.place.migrate(args).args(["-t", &case.target.url()]);
    run(&["-m", "migrate.toml", "--dry-run"]).exits(0).says(&["Dry run: ready, except for"]);
    run(&["-m", "migrate.toml", "--yes"]).exits(0).says(&["Done and verified"]);
    run(&["verify", "-m", "migrate.toml"]).exits(0);
    let mapping = case.place.read("migrate.toml");
    let mapping = mapping.replace("app.db", "second.db").replace("\"app\"", "\"second\"").replace("\"ann\"", "\"bob\"");
    case.place.write("second.toml", mapping);
    run(&["-m", "second.toml", "--yes"]).exits(0).says(&["Done and verified"]);
    run(&["verify", "-m", "second.toml"]).exits(0);
    let links = case.target.value(
        "SELECT string_agg(concat_ws(' ', username, l.id, title, setting, slug), ', ' ORDER BY l.user_id, l.id) FROM links l \
         JOIN users u ON u.id = l.user_id LEFT JOIN notes n ON (n.user_id, n.id) = (l.user_id, l.note)",
    );
    assert_eq!(case.target.count("currencies"), 1);
    assert_eq!(case.target.value("SELECT string_agg(value, ',' ORDER BY user_id) FROM settings"), "dark,light");
    assert_eq!(case.target.value("SELECT min(edited) = to_timestamp(1700000000) FROM notes"), "t");
    let insert =
        "INSERT INTO notes (user_id, title) VALUES (2, 'new') RETURNING concat_ws(' ', id > 5, at IS NOT NULL, done)";
    assert_eq!(case.target.value(insert), "t t f");
    (case, links)
}

#[test]
fn two_owners_share_the_ids_of_tables_with_shared_keys() {
    let (case, links) = whole_way("shared");
    assert_eq!(links, "ann 1 Milk theme http://a, ann 2 http://b, bob 3 Milk theme http://a, bob 4 http://b");
    let constraints = case.constraints();
    for one in ["links: PRIMARY KEY (id)", "settings: PRIMARY KEY (user_id, key)", "notes: UNIQUE (user_id, title)"] {
        assert!(constraints.contains(&one.to_owned()), "{constraints:?}");
    }
    assert!(case.indexes().iter().any(|index| index.contains("links USING btree (user_id, url) WHERE (note IS NULL)")));
}

#[test]
fn every_key_begins_with_the_owner_if_keys_are_owned() {
    if version() < 150_000 {
        return;
    }
    let (case, links) = whole_way("owned");
    assert_eq!(links, "ann 1 Milk theme http://a, ann 2 http://b, bob 1 Milk theme http://a, bob 2 http://b");
    assert!(
        case.place
            .read("schema.sql")
            .starts_with("-- Made by `migrate schema` from app.db, for PostgreSQL 15 and later.")
    );
    let constraints = case.constraints();
    for one in [
        "links: FOREIGN KEY (user_id, note) REFERENCES notes(user_id, id) ON DELETE SET NULL (note)",
        "tags: PRIMARY KEY (user_id, note, tag)",
        "notes: FOREIGN KEY (currency) REFERENCES currencies(code)",
    ] {
        assert!(constraints.contains(&one.to_owned()), "{constraints:?}");
    }
    case.target.run("DELETE FROM notes WHERE user_id = 1 AND id = 1");
    assert_eq!(case.target.value("SELECT concat_ws(' ', count(*), count(note)) FROM links WHERE user_id = 1"), "2 0");
}

#[test]
fn rows_that_bring_their_owner_get_no_other_one() {
    let case = Case::new(
        "CREATE TABLE users (id INTEGER PRIMARY KEY, username TEXT NOT NULL UNIQUE);
         CREATE TABLE posts (id INTEGER PRIMARY KEY, author INTEGER NOT NULL REFERENCES users, user_id TEXT, slug TEXT UNIQUE);
         CREATE TABLE topics (id INTEGER PRIMARY KEY, user_id INT, name TEXT UNIQUE);",
    );
    case.command(&["--owner", "USERS"]).exits(0);
    let text = case.command(&["--owner", "USERS"]).exits(0).stdout;
    case.target.run(&text);
    assert_eq!(case.columns("topics")[..2], ["owner_user_id bigint NOT NULL", "id bigint NOT NULL identity"]);
    assert_eq!(case.columns("posts").len(), 4);
    assert!(case.constraints().contains(&"posts: UNIQUE (author, slug)".to_owned()), "{:?}", case.constraints());
}

#[test]
fn owners_that_the_tables_cannot_have_are_refused_with_the_way_out() {
    let case = Case::new(
        "CREATE TABLE p (id INTEGER PRIMARY KEY); CREATE TABLE c (p INT REFERENCES p, q INT, PRIMARY KEY (p, q));",
    );
    let refused = |code: i32, args: &[&str], parts: &[&str]| {
        case.command(args).exits(code).says(parts);
    };
    refused(
        3,
        &["--owner", "users", "--shared", "c"],
        &["`c` refers to `p`, whose rows have an owner", "Add --shared p"],
    );
    refused(3, &["--owner", "users", "--shared", "pp"], &["the source has no table `pp` (the nearest name is p)"]);
    refused(3, &["--owner", "c"], &["c has no primary key of one column"]);
    refused(2, &["--keys", "owned"], &["--shared and --keys belong to tables with an owner"]);
    refused(2, &["--owner", "name=ann"], &["it names no table"]);
    refused(2, &["--owner", "a", "--owner", "b"], &["there is one table of owners"]);
}

#[test]
fn the_mapping_of_tables_without_owner_fills_them() {
    let case = Case::new(
        "CREATE TABLE t (id INTEGER PRIMARY KEY, at DATETIME, n INT, label TEXT AS (n || 'x'));
         INSERT INTO t (id, at, n) VALUES (3, 1700000000000, ''), (4, 1700000001000, 7);",
    );
    case.command(&["-o", "schema.sql", "--mapping", "migrate.toml"]).exits(6);
    let mapping = case.place.read("migrate.toml");
    assert!(mapping.contains("at = { epoch = \"ms\" }") && mapping.contains("n = { null_if = [\"\"] }"), "{mapping}");
    assert!(mapping.starts_with("# Proposed by `migrate schema`"), "{mapping}");
    // What the label says of an empty text, it does not say of NULL.
    assert!(case.place.read("schema.sql").contains("values of n are other"));
    case.target.run(&case.place.read("schema.sql"));
    case.place.migrate(["-m", "migrate.toml", "--yes", "-t", &case.target.url()]).exits(0).says(&["Done and verified"]);
    assert_eq!(
        case.target.value("SELECT string_agg(concat_ws(' ', id, n, label), ',' ORDER BY id) FROM t"),
        "3 x,4 7 7x"
    );
    // The mapping names its statements, so that a rehearsal needs nothing else.
    case.place.migrate(["rehearse", "-m", "migrate.toml"]).exits(0).says(&["Rehearsed and verified"]);
}

#[test]
fn a_reference_to_another_column_of_the_owners_names_no_owner() {
    let case = Case::new(
        "CREATE TABLE users (id INTEGER PRIMARY KEY, username TEXT UNIQUE NOT NULL);
         CREATE TABLE posts (id INTEGER PRIMARY KEY, author TEXT NOT NULL REFERENCES users (username), slug TEXT UNIQUE);
         CREATE TABLE comments (id INTEGER PRIMARY KEY, post TEXT REFERENCES posts (slug));",
    );
    for keys in ["shared", "owned"] {
        if keys == "owned" && version() < 150_000 {
            continue;
        }
        let text = case.command(&["--owner", "users", "--keys", keys]).exits(0).stdout;
        case.target.run(&format!("DROP SCHEMA public CASCADE; CREATE SCHEMA public; {text}"));
        let constraints = case.constraints();
        for one in [
            "posts: UNIQUE (user_id, slug)",
            "posts: FOREIGN KEY (author) REFERENCES users(username)",
            "comments: FOREIGN KEY (user_id, post) REFERENCES posts(user_id, slug)",
        ] {
            assert!(constraints.contains(&one.to_owned()), "{keys}: {constraints:?}");
        }
    }
}

#[test]
fn a_new_table_of_owners_cannot_have_a_taken_name() {
    for taken in ["CREATE VIEW users AS SELECT id, name FROM people;", "CREATE INDEX users ON people (name);"] {
        let case = Case::new(&format!("CREATE TABLE people (id INTEGER PRIMARY KEY, name TEXT); {taken}"));
        let parts = ["users is the name of a view, an index or a constraint", "as in --owner users_owner"];
        case.command(&["--owner", "users"]).exits(3).says(&parts);
        let text = case.command(&["--owner", "users_owner"]).exits(0).stdout;
        case.target.run(&text);
    }
}

/// Items whose expressions and views compute with ids, or pass them on.
const ITEMS: &str = "
CREATE TABLE users (id INTEGER PRIMARY KEY, username TEXT UNIQUE NOT NULL);
CREATE TABLE cat (id INTEGER PRIMARY KEY, name TEXT, above INT REFERENCES cat, CHECK (above <> id));
CREATE TABLE code (id INTEGER PRIMARY KEY, name TEXT, CHECK (id < 9));
CREATE TABLE item (id INTEGER PRIMARY KEY, cat INT NOT NULL DEFAULT 1 REFERENCES cat (id), n INT DEFAULT 1, own INT AS (cat),
                   code INT DEFAULT 1 REFERENCES code, g INT AS (cat + 1), CHECK (cat <> 2), CHECK (own > 3), CHECK (code = 1));
CREATE TABLE part (id INTEGER PRIMARY KEY REFERENCES item);
CREATE INDEX some_items ON item (n) WHERE cat = 1;
CREATE VIEW kept_join AS SELECT item.id, cat.name, coalesce(above, cat.id) AS top FROM item JOIN cat ON cat.id = item.cat;
CREATE VIEW kept_part AS SELECT i.id FROM part p JOIN (SELECT id FROM item WHERE id IN (SELECT id FROM part)) i USING (id);
CREATE VIEW kept_groups AS SELECT cat, count(*) AS n, max(id) AS latest FROM item WHERE code = 1 GROUP BY cat;
CREATE VIEW kept_union AS SELECT id, 'cat' AS kind FROM cat UNION ALL SELECT id, 'item' FROM item;
CREATE VIEW left_where AS SELECT n FROM item WHERE cat = 1;
CREATE VIEW left_in AS SELECT n FROM item WHERE cat IN (2, 3);
CREATE VIEW left_text AS SELECT 'no. ' || id AS no FROM item;
CREATE VIEW left_truth AS SELECT n FROM item WHERE cat;
CREATE VIEW left_sum AS SELECT cat, sum(id) AS s FROM item GROUP BY cat;
CREATE VIEW left_case AS SELECT CASE WHEN n > 1 THEN id ELSE 0 END AS c FROM item;
CREATE VIEW left_through AS SELECT name FROM kept_join WHERE top = 1;
CREATE VIEW left_other AS SELECT item.n FROM item JOIN cat ON cat.id = item.id;
CREATE VIEW left_distinct AS SELECT id FROM cat UNION SELECT id FROM item;";

#[test]
fn no_expression_computes_with_ids_that_a_mapping_shifts() {
    let case = Case::new(ITEMS);
    let options = ["--owner", "users", "--shared", "code", "--json", "-o", "schema.sql"];
    let report = case.command(&options).exits(6).stdout;
    let text = case.place.read("schema.sql");
    case.target.run(&text);
    let views = "SELECT string_agg(viewname, ' ' ORDER BY viewname) FROM pg_views WHERE schemaname = 'public'";
    assert_eq!(case.target.value(views), "kept_groups kept_join kept_part kept_union", "{report}");
    let columns = case.columns("item");
    for one in ["cat bigint NOT NULL", "n bigint 1", "code bigint 1", "own bigint cat", "g bigint"] {
        assert!(columns.contains(&one.to_owned()), "{columns:?}");
    }
    let constraints = case.constraints();
    let checks: Vec<&String> = constraints.iter().filter(|one| one.contains("CHECK")).collect();
    assert_eq!(checks, ["cat: CHECK ((above <> id))", "code: CHECK ((id < 9))", "item: CHECK ((code = 1))"]);
    // The default, g, two CHECKs, the index and nine views.
    assert!(report.contains("\"left_out\": 14,"), "{report}");
}

#[test]
fn expressions_compute_with_ids_that_every_owner_keeps() {
    let case = Case::new(ITEMS);
    for options in [&["--owner", "users", "--shared", "code", "--keys", "owned"][..], &[]] {
        if options.is_empty() || version() >= 150_000 {
            let text = case.command(options).exits(0).stdout;
            assert!(!text.contains("are shifted"), "{text}");
            case.target.run(&format!("DROP SCHEMA public CASCADE; CREATE SCHEMA public; {text}"));
            assert!(case.constraints().contains(&"item: CHECK ((cat <> 2))".to_owned()), "{:?}", case.constraints());
        }
    }
}

#[test]
fn a_reference_to_the_owners_that_every_row_has_is_the_owner() {
    let tables = "CREATE TABLE users (id INTEGER PRIMARY KEY, username TEXT UNIQUE NOT NULL);
        CREATE TABLE item (id INTEGER PRIMARY KEY, who INT REFERENCES users, n INT);
        CREATE TABLE memo (id INTEGER PRIMARY KEY, who INT REFERENCES users ON DELETE SET NULL);
        CREATE TABLE task (id INTEGER PRIMARY KEY, who INT REFERENCES users);";
    let first = "INSERT INTO users VALUES (1, 'ann'), (2, 'bob'); INSERT INTO item VALUES (1, 1, 1), (2, 2, 2);
        INSERT INTO memo VALUES (1, 2); INSERT INTO task VALUES (1, NULL), (2, 2);";
    let second = "INSERT INTO users VALUES (1, 'eve'), (2, 'ann'); INSERT INTO item VALUES (1, 1, 11), (2, 2, 12);";
    let case = Case::new(&format!("{tables}{first}"));
    let text = case.command(&["--owner", "users.username=ann", "--mapping", "migrate.toml"]).exits(0).stdout;
    case.target.run(&text);
    assert!(text.contains("--   changed: NOT NULL who: it is the owner of the row"), "{text}");
    assert!(case.columns("item").contains(&"who bigint NOT NULL".to_owned()), "{:?}", case.columns("item"));
    for table in ["memo", "task"] {
        assert!(case.columns(table).contains(&"who bigint".to_owned()), "{:?}", case.columns(table));
        assert!(case.columns(table).contains(&"user_id bigint NOT NULL".to_owned()), "{:?}", case.columns(table));
    }
    // Whose the other rows are is a question.
    let mapping = case.place.read("migrate.toml");
    let question = "user_id = { \"?\" = \"it refers to users: write { owner = true } or { omit = true }\" }";
    assert_eq!(mapping.matches(question).count(), 2, "{mapping}");
    let mapping = mapping.replace(question, "user_id = { owner = true }");
    case.place.write("migrate.toml", &mapping);
    case.place.migrate(["--yes", "-m", "migrate.toml", "-t", &case.target.url()]).exits(0);
    sqlite::file(&case.place, "second.db", &format!("{tables}{second}"));
    let further = mapping.replace("app.db", "second.db").replace("\"app\"", "\"second\"");
    case.place.write("second.toml", further);
    case.place.migrate(["--yes", "-m", "second.toml", "-t", &case.target.url()]).exits(0);
    let rows = "SELECT string_agg(one, ', ') FROM (SELECT concat_ws(' ', u.username, string_agg(i.n::text, ' ' ORDER BY n)) AS one
                FROM users u LEFT JOIN item i ON i.who = u.id GROUP BY u.id ORDER BY 1) q";
    assert_eq!(case.target.value(rows), "ann 1 12, bob 2, eve 11");
}

#[test]
fn owners_can_refer_to_owners() {
    let tables =
        "CREATE TABLE users (id INTEGER PRIMARY KEY, username TEXT UNIQUE NOT NULL, boss INT REFERENCES users);
         CREATE TABLE item (id INTEGER PRIMARY KEY, n INT);
         INSERT INTO users VALUES (1, 'ann', 3), (2, 'bob', 1), (3, 'eve', NULL); INSERT INTO item VALUES (1, 7);";
    let case = Case::new(tables);
    case.target.run(&case.command(&["--owner", "users.username=ann", "--mapping", "migrate.toml"]).exits(0).stdout);
    case.place.migrate(["--yes", "-m", "migrate.toml", "-t", &case.target.url()]).exits(0);
    let boss = "SELECT b.username FROM item i JOIN users u ON u.id = i.user_id JOIN users b ON b.id = u.boss";
    assert_eq!(case.target.value(boss), "eve");
    // The ids of a further file are others, and a row may refer to a later one.
    let second = tables.replace("'eve'", "'max'").replace("'ann'", "'joe'");
    sqlite::file(&case.place, "second.db", &second.replace("'bob'", "'tom'"));
    let mapping = case.place.read("migrate.toml").replace("app.db", "second.db").replace("\"app\"", "\"second\"");
    let mapping = mapping.replace("\"ann\"", "\"joe\"");
    case.place.write("second.toml", &mapping);
    case.place.migrate(["--yes", "-m", "second.toml", "-t", &case.target.url()]).exits(0);
    let bosses = "SELECT string_agg(u.username || ' ' || b.username, ', ' ORDER BY u.id) FROM users u JOIN users b ON b.id = u.boss";
    assert_eq!(case.target.value(bosses), "ann eve, bob ann, joe max, tom joe");
    // Rows that refer to each other can be matched only without the reference.
    sqlite::file(&case.place, "third.db", &tables.replace("'ann'", "'sue'"));
    let third = mapping.replace("second", "third").replace("\"joe\"", "\"sue\"");
    let third = third.replacen("existing = \"append\"", "existing = \"match\"", 1).replacen("ids = \"shift\"", "", 1);
    let run = |mapping: &str| {
        case.place.write("third.toml", mapping);
        case.place.migrate(["--yes", "-m", "third.toml", "-t", &case.target.url()])
    };
    run(&third).exits(3).says(&["leave the reference out (`boss = { omit = true }`)"]);
    let without = third.replace("[load.item]", "[load.users.columns]\nboss = { omit = true }\n\n[load.item]");
    run(&format!("{without}\n[leave]\nusers.boss = \"it is set by hand\"\n")).exits(0);
    assert_eq!(
        case.target.value("SELECT string_agg(username, ' ' ORDER BY id) FROM users"),
        "ann bob eve joe tom max sue"
    );
}
