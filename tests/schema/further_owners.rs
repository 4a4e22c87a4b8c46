//! The file of a further owner is moved next to the first one, and owners that neither file can have are refused.

use super::Case;
use crate::support::sqlite;

/// Makes the tables for `ann` by the first file, and moves it and a second file, whose owner is `bob`. Returns the mapping.
fn moved(case: &Case, options: &[&str], second: &str) -> String {
    case.command(&["--owner", "users.username=ann", "-o", "schema.sql", "--mapping", "migrate.toml"])
        .args(options)
        .ran();
    case.target.run(&case.place.read("schema.sql"));
    case.place.migrate(["--yes", "-m", "migrate.toml", "-t", &case.target.url()]).exits(0);
    sqlite::file(&case.place, "second.db", second);
    let mapping = case.place.read("migrate.toml");
    let further = mapping.replace("app.db", "second.db").replace("\"app\"", "\"second\"").replace("\"ann\"", "\"bob\"");
    case.place.write("second.toml", further);
    case.place.migrate(["--yes", "-m", "second.toml", "-t", &case.target.url()]).exits(0);
    mapping
}

#[test]
fn equal_numbers_of_two_owners_are_different_rows_where_keys_are_owned() {
    let file = "CREATE TABLE users (id INTEGER PRIMARY KEY, username TEXT NOT NULL UNIQUE);
         CREATE TABLE item (id INTEGER PRIMARY KEY, u INT NOT NULL REFERENCES users, name TEXT UNIQUE);
         CREATE TABLE part (id INTEGER PRIMARY KEY, u INT NOT NULL REFERENCES users, item INT REFERENCES item (id));
         INSERT INTO users VALUES (1, 'ann'); INSERT INTO item VALUES (1, 1, 'apple'), (2, 1, 'pear');
         INSERT INTO part VALUES (1, 1, 1), (2, 1, 2);";
    for (from, options) in [("", &["--keys", "owned"][..]), ("INTEGER PRIMARY KEY, u INT", &[])] {
        // A key that no sequence numbers begins with the owner, too.
        let file = if from.is_empty() { file.to_owned() } else { file.replace(from, "INT PRIMARY KEY, u INT") };
        let case = Case::new(&file);
        let second = file.replace("'ann'", "'bob'").replace("'apple'", "'fig'").replace("'pear'", "'apple'");
        moved(&case, options, &second);
        let parts = "SELECT string_agg(username || ' ' || i.name, ', ' ORDER BY username, p.id)
                     FROM part p JOIN item i ON i.u = p.u AND i.id = p.item JOIN users u ON u.id = p.u";
        assert_eq!(case.target.value(parts), "ann apple, ann pear, bob fig, bob apple");
    }
}

#[test]
fn a_reference_between_rows_of_two_owners_is_left_out() {
    let case = Case::new(
        "CREATE TABLE users (id INTEGER PRIMARY KEY, username TEXT UNIQUE NOT NULL);
         CREATE TABLE cat (name TEXT PRIMARY KEY);
         CREATE TABLE notes (id INTEGER PRIMARY KEY, author INT NOT NULL REFERENCES users, cat TEXT REFERENCES cat (name));
         CREATE TABLE likes (id INTEGER PRIMARY KEY, author INT NOT NULL REFERENCES users, note INT REFERENCES notes);
         CREATE TABLE tags (author INT NOT NULL REFERENCES users, slug TEXT, PRIMARY KEY (author, slug));
         INSERT INTO users VALUES (1, 'ann'), (2, 'carl'); INSERT INTO cat VALUES ('x');
         INSERT INTO notes VALUES (1, 1, 'x'), (2, 2, 'x'); INSERT INTO likes VALUES (1, 2, 1), (2, 1, NULL);",
    );
    let run = |options: &[&str]| {
        let owner = ["--owner", "users.username=ann", "-o", "schema.sql", "--mapping", "migrate.toml"];
        let _ = std::fs::remove_file(case.place.path("schema.sql"));
        let _ = std::fs::remove_file(case.place.path("migrate.toml"));
        case.command(&owner).args(options).ran();
        case.place.read("schema.sql").replace("\n--", "").split_whitespace().collect::<Vec<_>>().join(" ")
    };
    let text = run(&["--shared", "cat", "--keys", "owned"]);
    let note = "left out: foreign key note to notes: 1 row refers to a row of another owner; --shared notes";
    assert!(text.contains(note), "{text}");
    let text = run(&[]);
    let cat = "left out: foreign key cat to cat: 1 row refers to a row of another owner; --shared cat lets all owners have them";
    assert!(text.contains(cat) && text.contains("kept: foreign key note to notes"), "{text}");
    case.target.run(&case.place.read("schema.sql"));
    case.place.migrate(["--yes", "-m", "migrate.toml", "-t", &case.target.url()]).exits(0);
    assert_eq!(case.target.value("SELECT count(*) FROM notes"), "2");
}

#[test]
fn rows_that_a_further_file_brings_again_get_a_key_that_finds_them() {
    let file = "CREATE TABLE users (id INTEGER PRIMARY KEY, username TEXT UNIQUE);
         CREATE TABLE cur (id INTEGER PRIMARY KEY, name TEXT UNIQUE);
         CREATE TABLE django_migrations (id INTEGER PRIMARY KEY, app VARCHAR(255) NOT NULL, name VARCHAR(255) NOT NULL, applied DATETIME NOT NULL);
         CREATE TABLE item (id INTEGER PRIMARY KEY, u INT NOT NULL REFERENCES users, cur INT REFERENCES cur);
         INSERT INTO users VALUES (1, 'ann'); INSERT INTO cur VALUES (1, 'eur'), (2, 'usd'); INSERT INTO item VALUES (1, 1, 2);
         INSERT INTO django_migrations VALUES (1, 'app', '0001_initial', '2020-01-01 00:00:00');";
    let case = Case::new(file);
    let second = file.replace("'ann'", "'bob'").replace("(1, 'eur'), (2, 'usd')", "(2, 'eur'), (7, 'chf')");
    moved(&case, &["--shared", "cur"], &second);
    let text = case.place.read("schema.sql");
    let changed = "changed: NOT NULL username: the rows of a further owner's file are found by it";
    assert!(text.contains(changed) && text.contains("changed: NOT NULL name"), "{text}");
    let items =
        "SELECT string_agg(username || ' ' || c.name, ', ' ORDER BY username) FROM item i JOIN users u ON u.id = i.u
                 JOIN cur c ON c.id = i.cur";
    assert_eq!(case.target.value(items), "ann usd, bob eur");
    assert_eq!(case.target.value("SELECT count(*) FROM cur"), "3");
    assert_eq!(case.target.value("SELECT count(*) FROM django_migrations"), "1");
    // Without such a key, users are added.
    let file = file.replace("username TEXT UNIQUE", "username TEXT UNIQUE COLLATE NOCASE");
    let case = Case::new(&file);
    let mapping = moved(&case, &["--shared", "cur"], &file.replace("'ann'", "'bob'"));
    assert!(mapping.contains("# no unique key without NULL finds a row that is there"), "{mapping}");
    assert_eq!(case.target.value("SELECT string_agg(username, ' ' ORDER BY id) FROM users"), "ann bob");
}

#[test]
fn an_owner_whom_no_row_has_is_refused_before_anything_is_written() {
    let case = Case::new(
        "CREATE TABLE users (id INTEGER PRIMARY KEY, UserName TEXT NOT NULL UNIQUE);
         CREATE TABLE n (id INTEGER PRIMARY KEY, u INT NOT NULL REFERENCES users, w TEXT REFERENCES users (username));
         CREATE TABLE m (id INTEGER PRIMARY KEY);
         INSERT INTO users VALUES (1, 'ann'); INSERT INTO n VALUES (1, 1, 'ann'); INSERT INTO m VALUES (1);",
    );
    let refused = case.command(&["--owner", "users.mail=ann"]).exits(3);
    refused.says(&["users has no column mail"]);
    case.command(&["--owner", "USERS.username=zed", "-o", "schema.sql", "--mapping", "migrate.toml"]).exits(0);
    case.target.run(&case.place.read("schema.sql"));
    for mode in ["--dry-run", "--yes"] {
        let ran = case.place.migrate([mode, "-m", "migrate.toml", "-t", &case.target.url()]).exits(3);
        ran.says(&["no row of `users` has this natural key", "Correct `match`"]);
    }
    assert_eq!(case.target.value("SELECT count(*) FROM m"), "0");
    let mapping = case.place.read("migrate.toml");
    assert!(mapping.contains("match = { UserName = \"zed\" }") && !mapping.contains("\nkey ="), "{mapping}");
    case.place.write("migrate.toml", mapping.replace("zed", "ann"));
    case.place.migrate(["--yes", "-m", "migrate.toml", "-t", &case.target.url()]).exits(0);
}

#[test]
fn a_new_table_of_owners_has_names_that_postgresql_has() {
    let case = Case::new("CREATE TABLE t (a INT)");
    let long = "y".repeat(64);
    for (owner, why) in [
        ("users.id=1", "it is the name of the key"),
        ("users.xmin=a", "every table of PostgreSQL has a column of this name already"),
        (&format!("{long}.name=a"), "more than 63 bytes"),
        (&format!("users.{long}=a"), "more than 63 bytes"),
    ] {
        case.command(&["--owner", owner]).exits(3).says(&[why]);
    }
    let text = case.command(&["--owner", &"y".repeat(62)]).exits(0).stdout;
    case.target.run(&text);
}

#[test]
fn a_key_that_refers_to_another_key_gets_the_same_number_as_that_one() {
    let file = "CREATE TABLE item (id INTEGER PRIMARY KEY, n TEXT);
         CREATE TABLE part (id INTEGER PRIMARY KEY REFERENCES item, m TEXT);
         CREATE TABLE apart (id INTEGER PRIMARY KEY REFERENCES part);
         CREATE TABLE leaf (id INTEGER PRIMARY KEY, part INT REFERENCES part);
         CREATE TABLE tag (item INT REFERENCES item, tag TEXT, PRIMARY KEY (item, tag));
         CREATE TABLE x (id INTEGER PRIMARY KEY, item INT, tag TEXT, FOREIGN KEY (item, tag) REFERENCES tag);
         INSERT INTO item VALUES (1, 'a'), (2, 'b'), (3, 'c'); INSERT INTO part VALUES (2, 'b'); INSERT INTO apart VALUES (2);
         INSERT INTO leaf VALUES (1, 2); INSERT INTO tag VALUES (3, 't'); INSERT INTO x VALUES (1, 3, 't');";
    let case = Case::new(file);
    moved(&case, &[], file);
    let linked = "SELECT string_agg(concat_ws(' ', i.user_id, i.n, p.m, a.id - i.id, l.id, x.tag), ', ' ORDER BY i.id)
                  FROM item i LEFT JOIN part p ON p.id = i.id LEFT JOIN apart a ON a.id = p.id LEFT JOIN leaf l ON l.part = p.id
                  LEFT JOIN x ON x.item = i.id";
    assert_eq!(case.target.value(linked), "1 a, 1 b b 0 1, 1 c t, 2 a, 2 b b 0 2, 2 c t");
    let next = "INSERT INTO part (user_id, id) VALUES (1, (SELECT max(id) FROM item WHERE user_id = 1)) RETURNING id";
    assert_eq!(case.target.value(next), "3");
}

#[test]
fn a_profile_that_has_the_id_of_its_owner_follows_the_owner() {
    let file = "CREATE TABLE users (id INTEGER PRIMARY KEY, username TEXT NOT NULL UNIQUE);
         CREATE TABLE profile (user_id INTEGER PRIMARY KEY REFERENCES users, bio TEXT);
         CREATE TABLE badge (id INTEGER PRIMARY KEY, profile INT REFERENCES profile, n TEXT);
         INSERT INTO users VALUES (1, 'ann'), (2, 'carl'); INSERT INTO profile VALUES (1, 'of ann'), (2, 'of carl');
         INSERT INTO badge VALUES (1, 1, 'of ann'), (2, 2, 'of carl');";
    for options in [&[][..], &["--keys", "owned"]] {
        let case = Case::new(file);
        let second = file.replace("(1, 'ann'), (2, 'carl')", "(1, 'eve'), (2, 'bob')").replace("of ann", "of eve");
        let mapping = moved(&case, options, &second.replace("of carl", "of bob"));
        assert_eq!(mapping.matches("ids = \"shift\"").count(), usize::from(options.is_empty()), "{mapping}");
        let linked = "SELECT string_agg(concat_ws(' ', username, bio, n), ', ' ORDER BY u.id)
                      FROM users u JOIN profile p ON p.user_id = u.id JOIN badge b ON b.profile = p.user_id";
        let all = "ann of ann of ann, carl of carl of carl, ";
        let others = ["eve of eve of eve, bob of bob of bob", "bob of bob of bob, eve of eve of eve"];
        let found = case.target.value(linked);
        assert!(others.iter().any(|rest| found == format!("{all}{rest}")), "{found}");
    }
}
