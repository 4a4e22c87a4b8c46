//! Databases whose encoding is not UTF8: what has a letter there arrives, what has none is named, lengths are the server's.

use crate::support::postgres::{Database, drop_database};
use crate::support::sqlite;
use crate::support::tool::{Place, Ran};

/// A database of one encoding, dropped with the value.
struct Encoded {
    name: String,
    url: String,
    server: Database,
}

impl Encoded {
    fn with(encoding: &str, sql: &str) -> Encoded {
        let server = Database::empty();
        let name = format!("{}_{}", server.name(), encoding.to_lowercase());
        server.run(&format!(
            "CREATE DATABASE {name} ENCODING '{encoding}' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0"
        ));
        let url = server.url().replace(server.name(), &name);
        let made = Encoded { name, url, server };
        made.client().batch_execute(sql).expect("its tables");
        made
    }

    fn client(&self) -> postgres::Client {
        postgres::Client::connect(&self.url, postgres::NoTls).expect("a connection")
    }

    /// One value, as UTF-8 whatever the database takes its bytes for.
    fn value(&self, sql: &str) -> String {
        let row = self.client().query_one(&format!("SELECT convert_to(({sql})::text, 'UTF8')"), &[]).expect("a row");
        String::from_utf8(row.get(0)).expect("UTF-8")
    }

    /// Moves the table `t`, or looks at what would become of it.
    fn moved(&self, source: &str, columns: &str, args: &[&str]) -> Ran {
        let place = Place::new();
        sqlite::file(&place, "source.db", source);
        let head = "format = 1\nname = \"encodings\"\n[source]\npath = \"source.db\"\n[load.t]\n[load.t.columns]\n";
        place.write("migrate.toml", format!("{head}{columns}"));
        place.migrate(["--json", "-t", &self.url]).args(args).ran()
    }
}

impl Drop for Encoded {
    fn drop(&mut self) {
        let dropped = drop_database(&mut self.server.client(), &self.name);
        if !std::thread::panicking() {
            dropped.expect("the database goes with its test");
        }
    }
}

/// (rowid, column, reason) of each fault, by row.
fn faults(ran: &Ran) -> Vec<(u64, String, String)> {
    let report = ran.json();
    let text = |value: &serde_json::Value| value.as_str().unwrap_or("whole row").to_owned();
    let one = |f: &serde_json::Value| (f["rowid"].as_u64().expect("a rowid"), text(&f["column"]), text(&f["reason"]));
    let mut found: Vec<_> = report["faults"].as_array().expect("faults").iter().map(one).collect();
    found.sort();
    found
}

const DRY: &[&str] = &["--dry-run", "--on-fault", "quarantine"];
const YES: &[&str] = &["--yes", "--on-fault", "quarantine"];

#[test]
fn a_latin1_database_accepts_its_letters_and_a_dry_run_finds_others() {
    let source = "CREATE TABLE t (id INTEGER PRIMARY KEY, v TEXT, j TEXT, a TEXT);
        INSERT INTO t VALUES (1, 'é', NULL, NULL), (2, '✓', NULL, NULL), (3, 'a', NULL, NULL), (4, NULL, '{\"é\":\"ÿ\"}', NULL),
            (5, NULL, '\"\\u2713\"', NULL), (6, NULL, NULL, '[\"é\",\"x\"]'), (7, NULL, NULL, '[\"x\",\"✓\"]'), (8, NULL, NULL, '[]');";
    let target = Encoded::with("LATIN1", "CREATE TABLE t (id int PRIMARY KEY, v text, j jsonb, a text[])");
    let no_letter = |id, column: &str| (id, column.to_owned(), "not-in-encoding".to_owned());
    // Without quarantine the cutover refuses them as well, before it makes the ledger.
    for way in ["--dry-run", "--yes"] {
        let refused = target.moved(source, "", &[way]);
        assert_eq!(refused.code, 3, "{}", refused.said());
        assert_eq!(faults(&refused), [no_letter(2, "v"), no_letter(5, "j"), no_letter(7, "a")]);
        assert_eq!(target.value("SELECT count(*) FROM pg_namespace WHERE nspname = 'migrate'"), "0");
    }
    let dry = target.moved(source, "", DRY);
    assert_eq!(dry.code, 6, "{}", dry.said());
    assert_eq!(faults(&dry), [no_letter(2, "v"), no_letter(5, "j"), no_letter(7, "a")]);
    let ran = target.moved(source, "", YES);
    assert_eq!(ran.code, 6, "{}", ran.said());
    assert_eq!(
        faults(&ran).iter().map(|f| (f.0, f.2.as_str())).collect::<Vec<_>>(),
        [2, 5, 7].map(|id| (id, "not-in-encoding"))
    );
    let held = target.value("SELECT string_agg(concat_ws('|', id, v, j, a), ' ' ORDER BY id) FROM t");
    assert_eq!(held, "1|é 3|a 4|{\"é\": \"ÿ\"} 6|{é,x} 8|{}");
}

#[test]
fn a_key_with_an_unknown_letter_is_reported_and_the_run_continues() {
    let source = "CREATE TABLE t (k TEXT PRIMARY KEY, n INTEGER) WITHOUT ROWID;
        INSERT INTO t VALUES ('a', 1), ('é', 2), ('✓', 3), ('ﬀ', 4);";
    let target = Encoded::with("LATIN1", "CREATE TABLE t (k text PRIMARY KEY, n int)");
    let ran = target.moved(source, "", &[YES, &["--batch-rows", "1"]].concat());
    assert_eq!((ran.code, &ran.json()["fault_total"]), (6, &2.into()), "{}", ran.said());
    assert_eq!(target.value("SELECT string_agg(k, '' ORDER BY n) FROM t"), "aé");
}

#[test]
fn an_sql_ascii_database_holds_only_utf8_and_counts_bytes() {
    let source = "CREATE TABLE t (id INTEGER PRIMARY KEY, v TEXT, w TEXT, c TEXT, j TEXT);
        INSERT INTO t VALUES (1, 'é✓👩', 'abc', 'ab', '{\"é\":\"\\u2713\"}'), (2, CAST(x'ff41' AS TEXT), NULL, NULL, NULL),
            (3, NULL, 'ééé', NULL, NULL), (4, NULL, 'é', NULL, NULL), (5, NULL, NULL, 'é', NULL), (6, NULL, NULL, 'éé', NULL),
            (7, 'a' || char(0), NULL, NULL, NULL);";
    let table = "CREATE TABLE t (id int PRIMARY KEY, v text, w varchar(3), c char(3), j jsonb)";
    let bad = [(2, "v", "not-utf8"), (3, "w", "too-long"), (6, "c", "too-long"), (7, "v", "nul-in-text")];
    let target = Encoded::with("SQL_ASCII", table);
    for args in [DRY, YES] {
        let ran = target.moved(source, "", args);
        assert_eq!(ran.code, 6, "{}", ran.said());
        assert_eq!(faults(&ran), bad.map(|(id, column, reason)| (id, column.to_owned(), reason.to_owned())));
        let warned = ran.json()["warnings"].to_string();
        assert!(warned.contains("SQL_ASCII"), "{warned}");
    }
    let held = target.value("SELECT string_agg(concat_ws('|', id, v, w, c, j), ' ' ORDER BY id) FROM t");
    assert_eq!(held, "1|é✓👩|abc|ab |{\"é\": \"✓\"} 4|é 5|é ");
    let cut = Encoded::with("SQL_ASCII", &table.replace("char(3), j", "char(5), j"));
    let ran = cut.moved(source, "w = { truncate = true }\n", &["--yes", "--on-fault", "quarantine"]);
    assert_eq!((ran.code, &ran.json()["fault_total"]), (6, &2.into()), "{}", ran.said());
    assert_eq!(cut.value("SELECT w FROM t WHERE id = 3"), "é");
}

#[test]
fn half_a_surrogate_in_a_utf16_source_is_a_counted_warning_and_not_exit_0() {
    for (encoding, lone) in [("UTF-16le", "00D84200"), ("UTF-16be", "DC000041")] {
        let place = Place::new();
        let source = format!(
            "PRAGMA encoding = '{encoding}'; CREATE TABLE t (id INTEGER PRIMARY KEY, v TEXT, w TEXT, n INTEGER);
             INSERT INTO t VALUES (1, CAST(x'{lone}' AS TEXT), '😀', 1), (2, 'plain', NULL, 2), (3, CAST(x'{lone}' AS TEXT), 'é', 3)"
        );
        sqlite::file(&place, "source.db", &source);
        place.write("m.toml", "format = 1\nname = \"x\"\n[source]\npath = \"source.db\"\n[load.t]\n");
        let target = Database::with("CREATE TABLE t (id int PRIMARY KEY, v text, w text, n int)");
        for how in ["--dry-run", "--yes"] {
            let report = place.migrate([how, "--json", "-m", "m.toml", "-t", &target.url()]).exits(6).json();
            let warned = report["warnings"].as_array().expect("warnings");
            let said: Vec<String> = warned.iter().map(|w| format!("{}: {}", w["place"], w["message"])).collect();
            assert!(
                said.len() == 1 && said[0].contains("`t.v`") && said[0].contains("2 texts hold half of"),
                "{said:?}"
            );
        }
    }
}
