//! Random tables with random rows: PostgreSQL accepts the file, the expressions are proved, every row arrives, and both engines accept
//! and refuse the same further rows.

use rusqlite::Connection;

use super::Case;
use super::draw::{Draw, seed};
use crate::support::sqlite;

/// Files of one test, each of which is proved and loaded.
const FILES: usize = 5;

/// A column while a table is drawn.
struct DrawnColumn {
    name: String,
    /// Values of the column as SQL, all of one kind.
    values: Vec<String>,
    /// True if the values are texts, of which another one differs in its capitals.
    is_text: bool,
    is_generated: bool,
}

/// A table while the file is drawn.
struct DrawnTable {
    name: String,
    columns: Vec<DrawnColumn>,
    /// The columns by which its rows are ordered. Empty: it has no key.
    key: Vec<String>,
    /// True if its key is an INTEGER PRIMARY KEY.
    has_rowid_key: bool,
}

impl DrawnTable {
    /// The columns that an application writes, without a key that the server gives.
    fn written(&self) -> Vec<&DrawnColumn> {
        let is_written =
            |column: &&DrawnColumn| !(column.is_generated || self.has_rowid_key && self.key.contains(&column.name));
        self.columns.iter().filter(is_written).collect()
    }
}

fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// Draws a file of tables.
struct FileDraw {
    draw: Draw,
    tables: Vec<DrawnTable>,
    sql: String,
}

impl FileDraw {
    fn one_in(&mut self, n: usize) -> bool {
        self.draw.below(n) == 0
    }

    /// Values of a kind, and the declarations that an application gives them.
    fn kind(&mut self) -> (&'static [&'static str], &'static [&'static str]) {
        match self.draw.below(14) {
            0 => (&["INTEGER", "INT", "BIGINT"], &["0", "1", "-5", "7", "42"]),
            1 => (&["INTEGER", "BIGINT", ""], &["0", "5000000000", "9223372036854775807", "-9223372036854775808"]),
            2 => (&["REAL", "DOUBLE PRECISION", "FLOAT"], &["0.5", "-1.25", "1e300", "3.0", "0.1"]),
            3 => (&["NUMERIC(10,2)", "DECIMAL(8,3)", "NUMERIC"], &["1.25", "3", "-0.5", "99999.99"]),
            4 | 5 => {
                (&["TEXT", "VARCHAR(20)", "CHAR(3)", "TEXT COLLATE NOCASE"], &["'a'", "'B'", "'Zoé'", "'x y'", "''"])
            }
            6 => (&["BOOLEAN", "BOOL"], &["0", "1"]),
            7 => (&["DATETIME", "TIMESTAMP"], &["'2024-01-02 03:04:05'", "'1999-12-31 23:59:59'"]),
            8 => (&["DATETIME", "INTEGER"], &["1700000000", "1600000000", "1500000123"]),
            9 => (&["DATE"], &["'2024-02-29'", "'1970-01-01'"]),
            10 => (&["JSON", "TEXT"], &["'{\"a\": 1}'", "'[]'", "'null'"]),
            11 => (
                &["UUID", "CHAR(36)"],
                &["'8a4ac49c-9b4c-4a0e-9f0b-0a7c3f3a1b11'", "'00000000-0000-0000-0000-000000000001'"],
            ),
            12 => (&["BLOB"], &["x''", "x'00ff'", "x'616263'"]),
            _ => (&["", "WEIRD", "TEXT COLLATE RTRIM"], &["'a'", "'a '", "'b'"]),
        }
    }

    /// A condition on a column that its values often satisfy.
    fn check(&mut self, column: &DrawnColumn) -> String {
        let name = quoted(&column.name);
        let all = column.values.join(", ");
        let texts = [
            format!("length({name}) < 50"),
            format!("{name} <> 'B'"),
            format!("{name} IN ({all})"),
            format!("{name} LIKE '%a%' OR {name} IS NULL OR length({name}) > 0"),
            format!("trim({name}) = {name}"),
            format!("{name} NOT LIKE 'q%'"),
        ];
        let others = [
            format!("{name} IS NOT NULL OR 1"),
            format!("{name} IN ({all})"),
            format!("{name} <> {}", column.values[0]),
            format!("typeof({name}) <> 'null'"),
            format!("{name} >= {}", column.values[0]),
            format!("coalesce({name}, {0}) = {name}", column.values[0]),
        ];
        let n = self.draw.below(6);
        if column.is_text { texts[n].clone() } else { others[n].clone() }
    }

    fn column(&mut self, number: usize) -> (DrawnColumn, String) {
        let odd = ["order", "Mixed Case", "user", "naïve", "a\"b", "check"];
        let name = if self.one_in(6) { format!("{}{number}", self.draw.of(&odd)) } else { format!("c{number}") };
        let (declared, values) = self.kind();
        let declared = self.draw.of(declared);
        let values: Vec<String> = values.iter().map(|value| (*value).to_owned()).collect();
        let is_text = ["'a'", "'Zoé'"].iter().any(|text| values.iter().any(|value| value == text));
        let column = DrawnColumn { name, values, is_text, is_generated: false };
        let mut sql = format!("{} {declared}", quoted(&column.name));
        if self.one_in(5) {
            sql.push_str(" NOT NULL");
        }
        if self.one_in(8) {
            sql.push_str(" UNIQUE");
        }
        if self.one_in(4) {
            sql.push_str(&format!(" DEFAULT {}", column.values[self.draw.below(column.values.len())]));
        } else if declared.starts_with("DATETIME") && self.one_in(2) {
            sql.push_str(self.draw.of(&[
                " DEFAULT CURRENT_TIMESTAMP",
                " DEFAULT (datetime('now'))",
                " DEFAULT (unixepoch())",
            ]));
        }
        if self.one_in(4) {
            let named = if self.one_in(2) { format!(" CONSTRAINT check_{number}") } else { String::new() };
            let check = self.check(&column);
            sql.push_str(&format!("{named} CHECK ({check})"));
        }
        (column, sql)
    }

    /// A column that refers to an earlier table, or to its own.
    fn reference(&mut self, own: &str, number: usize) -> Option<(DrawnColumn, String)> {
        let mut parents: Vec<String> =
            self.tables.iter().filter(|table| table.has_rowid_key).map(|table| table.name.clone()).collect();
        parents.push(own.to_owned());
        let parent = parents[self.draw.below(parents.len())].clone();
        let key = |table: &&DrawnTable| table.name == parent;
        let of_parent = self.tables.iter().find(key).map(|table| table.key[0].clone());
        let to = of_parent.unwrap_or_else(|| "id".to_owned());
        let name = format!("ref{number}");
        let actions =
            ["", " ON DELETE CASCADE", " ON DELETE SET NULL", " ON UPDATE CASCADE", " DEFERRABLE INITIALLY DEFERRED"];
        let sql = format!("{name} INTEGER REFERENCES {} ({}){}", quoted(&parent), quoted(&to), self.draw.of(&actions));
        let values = ["NULL", "1", "2", "3"].map(str::to_owned).to_vec();
        Some((DrawnColumn { name, values, is_text: false, is_generated: false }, sql))
    }

    fn table(&mut self, number: usize) {
        let odd = ["Order Lines", "select", "t", "größe", "user"];
        let name = if self.one_in(4) { format!("{}{number}", self.draw.of(&odd)) } else { format!("table{number}") };
        let (mut columns, mut parts, mut key) = (Vec::new(), Vec::new(), Vec::new());
        let form = self.draw.below(6);
        let has_rowid_key = form < 3;
        if has_rowid_key {
            let auto = if form == 0 { " AUTOINCREMENT" } else { "" };
            parts.push(format!("id INTEGER PRIMARY KEY{auto}"));
            let values = Vec::new();
            columns.push(DrawnColumn { name: "id".to_owned(), values, is_text: false, is_generated: false });
            key.push("id".to_owned());
        }
        for n in 0..2 + self.draw.below(4) {
            let (column, sql) = self.column(n);
            columns.push(column);
            parts.push(sql);
        }
        if has_rowid_key && self.one_in(2) {
            let found = self.reference(&name, number);
            if let Some((column, sql)) = found {
                columns.push(column);
                parts.push(sql);
            }
        }
        if self.one_in(3) {
            let base = quoted(&columns[usize::from(has_rowid_key)].name);
            let made = format!("coalesce({base}, {base}) IS NOT NULL");
            let kind = self.draw.of(&["STORED", "VIRTUAL"]);
            parts.push(format!("made INTEGER GENERATED ALWAYS AS ({made}) {kind}"));
            columns.push(DrawnColumn {
                name: "made".to_owned(),
                values: Vec::new(),
                is_text: false,
                is_generated: true,
            });
        }
        let mut options = "";
        if form == 3 || form == 4 {
            key.extend(columns.iter().filter(|column| !column.is_generated).take(2).map(|column| column.name.clone()));
            let all: Vec<String> = key.iter().map(|column| quoted(column)).collect();
            parts.push(format!("PRIMARY KEY ({})", all.join(", ")));
            options = if form == 4 { " WITHOUT ROWID" } else { "" };
        }
        if self.one_in(4) {
            let column = &columns[columns.len() / 2];
            parts.push(format!(
                "CONSTRAINT {} CHECK ({} IS NOT 77)",
                self.draw.of(&["whole", "c0", "table1_pkey"]),
                quoted(&column.name)
            ));
        }
        self.sql.push_str(&format!("CREATE TABLE {} ({}){options};\n", quoted(&name), parts.join(", ")));
        let table = DrawnTable { name, columns, key, has_rowid_key };
        self.indexes(&table, number);
        self.tables.push(table);
    }

    fn indexes(&mut self, table: &DrawnTable, number: usize) {
        for n in 0..self.draw.below(3) {
            let column = &table.columns[self.draw.below(table.columns.len())];
            let name = quoted(&column.name);
            let part = match self.draw.below(5) {
                0 if column.is_text => format!("lower({name})"),
                1 => format!("{name} COLLATE NOCASE"),
                2 => format!("{name} DESC"),
                _ => name.clone(),
            };
            let unique = if self.one_in(4) { "UNIQUE " } else { "" };
            let condition = match self.draw.below(4) {
                0 => format!(" WHERE {name} IS NOT NULL"),
                1 if !column.values.is_empty() => format!(" WHERE {name} <> {}", column.values[0]),
                _ => String::new(),
            };
            self.sql.push_str(&format!(
                "CREATE {unique}INDEX index_{number}_{n} ON {} ({part}){condition};\n",
                quoted(&table.name)
            ));
        }
    }

    /// Rows, of which SQLite keeps those that its constraints allow.
    fn rows(&mut self, sqlite: &Connection) {
        for n in 0..self.tables.len() {
            for _ in 0..self.draw.below(14) {
                let row = self.row(n);
                let inserted = sqlite.execute(&row, []);
                if inserted.is_ok() {
                    self.sql.push_str(&format!("{row};\n"));
                }
            }
        }
    }

    fn row(&mut self, n: usize) -> String {
        let table = &self.tables[n];
        let (mut names, mut values) = (Vec::new(), Vec::new());
        for column in table.written() {
            names.push(quoted(&column.name));
            let drawn = column.values[self.draw.below(column.values.len())].clone();
            values.push(if self.draw.below(9) == 0 { "NULL".to_owned() } else { drawn });
        }
        format!("INSERT INTO {} ({}) VALUES ({})", quoted(&table.name), names.join(", "), values.join(", "))
    }
}

/// The columns of a table that are texts in PostgreSQL.
fn texts(case: &Case, table: &DrawnTable) -> Vec<String> {
    let sql = format!(
        "SELECT attname FROM pg_attribute WHERE attrelid = '{}'::regclass AND attnum > 0 AND atttypid = 'text'::regtype",
        quoted(&table.name)
    );
    case.target.rows(&sql).into_iter().flatten().flatten().collect()
}

/// Further rows, made of those that are there: a copy, and one in capitals. Each is tried in both engines and is not kept.
fn try_rows(case: &Case, table: &DrawnTable, source: &str) -> usize {
    let columns = table.written();
    if table.key.is_empty() || columns.is_empty() {
        return 0;
    }
    let texts = texts(case, table);
    let all = |collation: &str| {
        let part = |column: &String| {
            let collation = if texts.contains(column) { collation } else { "" };
            format!("{}{collation} NULLS FIRST", quoted(column))
        };
        table.key.iter().map(part).collect::<Vec<_>>().join(", ")
    };
    let names = columns.iter().map(|column| quoted(&column.name)).collect::<Vec<_>>().join(", ");
    let name = quoted(&table.name);
    let sqlite = Connection::open(case.place.path("app.db")).expect("a file");
    sqlite.execute_batch("PRAGMA foreign_keys = ON").expect("a setting");
    let mut client = case.target.client();
    let mut tried = 0;
    for is_upper in [false, true] {
        let value = |column: &&DrawnColumn| match is_upper && texts.contains(&column.name) {
            true => format!("upper({})", quoted(&column.name)),
            false => quoted(&column.name),
        };
        let values = columns.iter().map(value).collect::<Vec<_>>().join(", ");
        let insert =
            |order: &str| format!("INSERT INTO {name} ({names}) SELECT {values} FROM {name} ORDER BY {order} LIMIT 1");
        sqlite.execute_batch("BEGIN").expect("a transaction");
        let own = sqlite.execute_batch(&insert(&all(" COLLATE BINARY"))).map_err(|error| error.to_string());
        sqlite.execute_batch("ROLLBACK").expect("the end");
        client.batch_execute("BEGIN").expect("a transaction");
        let other = client.batch_execute(&insert(&all(" COLLATE \"C\""))).map_err(|error| format!("{error:?}"));
        client.batch_execute("ROLLBACK").expect("the end");
        assert_eq!(own.is_ok(), other.is_ok(), "{}: SQLite {own:?}, PostgreSQL {other:?}\n{source}", insert(""));
        tried += 1;
    }
    tried
}

#[test]
fn random_tables_arrive_proved_and_refuse_the_rows_that_sqlite_refuses() {
    let seed = seed();
    println!("seed {seed}");
    let mut draw = FileDraw { draw: Draw::new(seed ^ 0x7777), tables: Vec::new(), sql: String::new() };
    let (mut rows, mut tried, mut left_out) = (0, 0, 0);
    for _ in 0..FILES {
        (draw.tables, draw.sql) = (Vec::new(), String::new());
        (0..3 + draw.draw.below(4)).for_each(|n| draw.table(n));
        let empty = Connection::open_in_memory().expect("a database");
        empty.execute_batch("PRAGMA foreign_keys = ON").expect("a setting");
        empty.execute_batch(&draw.sql).unwrap_or_else(|error| panic!("seed {seed}: {error}\n{}", draw.sql));
        draw.rows(&empty);
        let case =
            Case { place: crate::support::tool::Place::new(), target: crate::support::postgres::Database::empty() };
        sqlite::file(&case.place, "app.db", &draw.sql);
        let ran = case.command(&["--prove", "-o", "schema.sql", "--mapping", "migrate.toml"]).ran();
        assert!([0, 6].contains(&ran.code), "seed {seed}: {}\n{}", ran.said(), draw.sql);
        case.target.run(&case.place.read("schema.sql"));
        let mapping = case.place.read("migrate.toml").replace("zone = { \"?\"", "zone = \"UTC\" # { \"?\"");
        case.place.write("migrate.toml", mapping);
        let loaded = case.place.migrate(["--yes", "-m", "migrate.toml", "-t", &case.target.url()]).ran();
        assert_eq!(loaded.code, 0, "seed {seed}: {}\n{}", loaded.said(), draw.sql);
        let json = case.command(&["--json"]).ran().json();
        let objects = json["objects"].as_array().expect("objects");
        for table in &draw.tables {
            rows += case.target.count(&quoted(&table.name));
            let is_lost = |object: &&serde_json::Value| object["table"] == table.name && object["fate"] == "left-out";
            match objects.iter().any(|object| is_lost(&object)) {
                true => left_out += 1,
                false => tried += try_rows(&case, table, &draw.sql),
            }
        }
    }
    println!("{rows} rows arrived, {tried} further rows tried, {left_out} tables with something left out");
    assert!(rows > 40 && tried > 10, "{rows} {tried}");
}
