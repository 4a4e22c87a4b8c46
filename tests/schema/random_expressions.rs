//! Random expressions, computed by SQLite and by PostgreSQL over the same rows: each engine is the other's oracle.

use std::fmt::Write;

use migrate::schema::expression::{ValueSort, expression};
use migrate::schema::tokens::tokens;
use rusqlite::Connection;
use rusqlite::types::Value;

use super::draw::{Draw, seed};
use super::expressions::scope;
use crate::support::postgres::Database;

/// Expressions of one run.
const EXPRESSIONS: usize = 4_000;

/// Expressions of one statement.
const TOGETHER: usize = 50;

impl Draw {
    /// An operand of a class, in brackets or not.
    fn operand(&mut self, class: u8, depth: usize) -> String {
        let inner = self.expression(class, depth);
        if self.below(2) == 0 { format!("({inner})") } else { inner }
    }

    fn any(&mut self) -> u8 {
        b"irtbxdmyu"[self.below(9)]
    }

    /// The arguments of a function of dates.
    fn time(&mut self) -> String {
        let (at, steps) = (self.of(&["at", "day", "utc"]), self.below(4));
        let modifiers = [
            "'+1 day'",
            "'-366 days'",
            "'+90 minutes'",
            "'-1 second'",
            "'start of month'",
            "'start of year'",
            "'start of day'",
        ];
        let all: Vec<&str> = (0..steps).map(|_| self.of(&modifiers)).collect();
        std::iter::once(at).chain(all).collect::<Vec<_>>().join(", ")
    }

    fn leaf(&mut self, class: u8) -> String {
        let columns: &[&str] = match class {
            b'i' => &["i", "j"],
            b'r' => &["r"],
            b't' => &["t", "u", "n", "z"],
            b'x' => &["x"],
            b'd' => &["d"],
            b'm' => &["at"],
            b'y' => &["day"],
            b'u' => &["utc"],
            _ => &["b"],
        };
        let literals: &[&str] = match class {
            b'i' => &[
                "0",
                "1",
                "2",
                "-1",
                "10",
                "0x1F",
                "3000000000",
                "9223372036854775807",
                "-9223372036854775808",
                "TRUE",
            ],
            b'r' => {
                &["0.0", "1.5", ".5", "-1.5", "1e3", "9.755", "-0.3", "9007199254740993.0", "4611686018427387904.0"]
            }
            b't' => &["''", "'a'", "'A'", "'abc'", "'É'", "'a_b'", "'5'", "\"zzz\"", "'a\\b'", "' '"],
            b'x' => &["x''", "x'00ff'", "x'616263'"],
            _ => columns,
        };
        match self.below(30) {
            0 if !b"myu".contains(&class) => "NULL".to_owned(),
            0 => self.of(&["'2024-02-29'", "'2024-02-29 23:59:59.999'", "'2023-12-31T00:00:00Z'"]).to_owned(),
            1..17 => self.of(columns).to_owned(),
            _ => self.of(literals).to_owned(),
        }
    }

    /// An expression of a class: `i`nteger, `r`eal, `t`ext, `b`oolean, blob `x`, `d`ecimal.
    fn expression(&mut self, class: u8, depth: usize) -> String {
        if depth == 0 || self.below(7) == 0 {
            return self.leaf(class);
        }
        let depth = depth - 1;
        let test = |draw: &mut Draw| draw.operand(b'b', depth);
        match self.below(10) {
            0 if class != b'b' => {
                let (when, then, otherwise) = (test(self), self.operand(class, depth), self.operand(class, depth));
                format!("CASE WHEN {when} THEN {then} ELSE {otherwise} END")
            }
            1 if class != b'b' => {
                let function = self.of(&["coalesce", "ifnull", "max", "min", "nullif"]);
                format!("{function}({}, {})", self.operand(class, depth), self.operand(class, depth))
            }
            2 if class != b'b' => {
                format!("iif({}, {}, {})", test(self), self.operand(class, depth), self.operand(class, depth))
            }
            3 if class != b'b' => {
                let compared = self.any();
                let (one, other) = (self.operand(compared, depth), self.operand(compared, depth));
                format!(
                    "CASE {one} WHEN {other} THEN {} ELSE {} END",
                    self.operand(class, depth),
                    self.operand(class, depth)
                )
            }
            _ => match class {
                b'b' => self.condition(depth),
                b'i' => self.integer(depth),
                b'r' => self.real(depth),
                b't' => self.text(depth),
                other => self.leaf(other),
            },
        }
    }

    fn condition(&mut self, depth: usize) -> String {
        let class = self.any();
        let other = if self.below(10) == 0 { self.any() } else { class };
        let not = self.of(&["", "NOT "]);
        match self.below(13) {
            0..4 => {
                let operator = self.of(&["=", "==", "<>", "!=", "<", "<=", ">", ">="]);
                let is_text = class == b't' && other == b't';
                let collations = ["", " COLLATE NOCASE", " COLLATE RTRIM", " COLLATE NOCASE COLLATE BINARY"];
                let collation = if is_text { self.of(&collations) } else { "" };
                format!("{} {operator} {}{collation}", self.operand(class, depth), self.operand(other, depth))
            }
            4 => {
                let operator = self.of(&["IS", "IS NOT", "IS NOT DISTINCT FROM"]);
                format!("{} {operator} {}", self.operand(class, depth), self.operand(other, depth))
            }
            5 => format!("{} {}", self.operand(class, depth), self.of(&["IS NULL", "ISNULL", "NOTNULL", "NOT NULL"])),
            6 => {
                let operator = self.of(&["AND", "OR"]);
                format!("{} {operator} {}", self.operand(b'b', depth), self.operand(b'i', depth))
            }
            7 => format!("NOT {}", self.operand(b'b', depth)),
            8 => {
                let (low, high) = (self.operand(class, depth), self.operand(other, depth));
                format!("{} {not}BETWEEN {low} AND {high}", self.operand(class, depth))
            }
            9 => {
                let list: Vec<String> = (0..self.below(4)).map(|_| self.operand(class, depth)).collect();
                format!("{} {not}IN ({})", self.operand(class, depth), list.join(", "))
            }
            10 => {
                let pattern = self.of(&["'a%'", "'%B%'", "'_'", "'A_B'", "'é'", "'%\\%'", "u", "'a!%b' ESCAPE '!'"]);
                format!("{} {not}LIKE {pattern}", self.operand(b't', depth))
            }
            11 => {
                let pattern = self.of(&[
                    "'a*'",
                    "'*b*'",
                    "'?'",
                    "'[a-z]*'",
                    "'[^a]*'",
                    "'A?C'",
                    "'*%*'",
                    "'a.b'",
                    "'*-*'",
                    "'[a-c-e]*'",
                    "'[a-]*'",
                    "'*[0-9]'",
                ]);
                format!("{} {not}GLOB {pattern}", self.operand(b't', depth))
            }
            _ => format!("{} IS {not}{}", self.operand(b'i', depth), self.of(&["TRUE", "FALSE"])),
        }
    }

    fn integer(&mut self, depth: usize) -> String {
        match self.below(10) {
            8 => format!(
                "CAST(strftime('{}', {}) AS INTEGER)",
                self.of(&["%Y", "%m", "%d", "%H", "%M", "%S", "%j", "%w", "%s"]),
                self.time()
            ),
            9 => format!("unixepoch({})", self.time()),
            0..3 => {
                let operator = self.of(&["+", "-", "*", "/", "%", "&", "|"]);
                format!("{} {operator} {}", self.operand(b'i', depth), self.operand(b'i', depth))
            }
            3 => {
                format!("{} {} {}", self.operand(b'i', depth), self.of(&["<<", ">>"]), self.of(&["0", "1", "3", "63"]))
            }
            4 => format!("length({})", self.operand(b't', depth)),
            5 => format!("instr({}, {})", self.operand(b't', depth), self.operand(b't', depth)),
            6 => format!("CAST({} AS INTEGER)", self.operand(b'r', depth)),
            _ => format!("{}({})", self.of(&["abs", "-", "~", "sign"]), self.expression(b'i', depth)),
        }
    }

    fn real(&mut self, depth: usize) -> String {
        match self.below(7) {
            6 => format!("round({}, {})", self.operand(b'i', depth), self.of(&["-1", "0", "2", "15"])),
            4 => format!(
                "round({})",
                if self.below(2) == 0 { self.operand(b'r', depth) } else { self.operand(b'd', depth) }
            ),
            5 => format!("julianday({})", self.time()),
            0 => format!("CAST({} AS REAL)", self.operand(b'i', depth)),
            1 => format!("{}({})", self.of(&["abs", "-"]), self.expression(b'r', depth)),
            _ => {
                let operator = self.of(&["+", "-", "*", "/"]);
                format!("{} {operator} {}", self.operand(b'r', depth), self.operand(b'i', depth))
            }
        }
    }

    fn text(&mut self, depth: usize) -> String {
        match self.below(9) {
            7 => format!("{}({})", self.of(&["date", "time", "datetime"]), self.time()),
            8 => format!(
                "strftime('{}', {})",
                self.of(&["%Y-%m-%dT%H:%M:%fZ", "%d.%m.%Y", "%H:%M", "%j %w", "%s", "%Y%%"]),
                self.time()
            ),
            0 if self.below(2) == 0 => {
                let class = b"ti"[self.below(2)];
                format!("CAST({} AS TEXT)", self.operand(class, depth))
            }
            0 => format!("{} || {}", self.operand(b't', depth), self.operand(b'i', depth)),
            1 => {
                let functions = ["lower", "upper", "trim", "ltrim", "rtrim", "likely", "+"];
                format!("{}({})", self.of(&functions), self.expression(b't', depth))
            }
            2 => format!("trim({}, {})", self.operand(b't', depth), self.operand(b't', depth)),
            3 => format!("substr({}, {})", self.operand(b't', depth), self.of(&["1", "2", "-1", "-3", "2, 0", "1, 3"])),
            4 => format!("replace(t, {}, {})", self.operand(b't', depth), self.operand(b't', depth)),
            5 => format!("hex({})", self.operand(b'x', depth)),
            _ => {
                let class = b"irtbxm"[self.below(6)];
                format!("typeof({})", self.operand(class, depth))
            }
        }
    }
}

/// The rows of both sides: their columns are those of [`scope`] but `doc`.
fn rows(draw: &mut Draw) -> Vec<String> {
    let integers = [
        "NULL",
        "0",
        "1",
        "-1",
        "2",
        "3",
        "7",
        "10",
        "2147483648",
        "9007199254740993",
        "4611686018427387904",
        "9223372036854775807",
    ];
    let reals =
        ["NULL", "0.0", "1.0", "-1.0", "0.5", "-0.3", "2.5", "-2.5", "9.755", "1e15", "9.3e18", "-9.3e18", "1e300"];
    let decimals = ["NULL", "0", "1", "9.755", "-2.5", "100", "0.1"];
    let at = [
        "NULL",
        "0001-01-01 00:00:00.000",
        "1900-03-01 12:00:00.001",
        "1969-12-31 23:59:59.500",
        "1970-01-01 00:00:00.000",
        "2024-02-29 23:59:59.999",
        "9999-12-31 23:59:59.999",
    ];
    let days = ["NULL", "0001-01-01", "1970-01-01", "2023-12-31", "2024-02-29", "9999-12-31"];
    let utc = ["NULL", "0001-12-31T23:59:59Z", "1969-12-31T23:59:59Z", "2024-02-29T12:30:00Z", "9999-12-31T23:59:59Z"];
    let texts = [
        "NULL",
        "''",
        "'a'",
        "'A'",
        "'abc'",
        "'ABC'",
        "'é'",
        "'É'",
        "'a b'",
        "' a '",
        "'a%b'",
        "'a_b'",
        "'%'",
        "'5'",
        "'007'",
        "'Straße'",
        "'日本'",
        "'it''s'",
        "'a-b'",
        "'Zz'",
        "'a  '",
    ];
    let row = |_| {
        let all = [draw.of(&integers), draw.of(&integers), draw.of(&reals), draw.of(&decimals)];
        let times = [draw.of(&at), draw.of(&days), draw.of(&utc)]
            .map(|time| if time == "NULL" { time.to_owned() } else { format!("'{time}'") });
        let words = [draw.of(&texts), draw.of(&texts), draw.of(&texts), draw.of(&texts)];
        let (truth, blob) = (draw.of(&["NULL", "0", "1"]), draw.of(&["NULL", "", "00ff", "616263"]));
        let blob = if blob == "NULL" { blob.to_owned() } else { format!("x'{blob}'") };
        format!("{}, {}, {}, {truth}, {blob}", all.join(", "), times.join(", "), words.join(", "))
    };
    (0..60).map(row).collect()
}

/// A value in the form in which both sides are compared.
fn shown(value: &Value) -> String {
    match value {
        Value::Null => "NULL".to_owned(),
        Value::Integer(value) => value.to_string(),
        Value::Real(value) => format!("{:016x}", value.to_bits()),
        Value::Text(text) => format!("'{text}'"),
        Value::Blob(bytes) => bytes.iter().map(|byte| format!("{byte:02x}")).collect(),
    }
}

/// A translated expression and the SQL that prints its value.
struct Pair {
    sqlite: String,
    postgresql: String,
    printed: String,
    can_overflow: bool,
}

fn translated(sqlite: String) -> Option<Pair> {
    let tree = expression(&tokens(&sqlite)?).ok()?;
    let found = scope().translate(&tree).ok()?;
    let sql = &found.sql;
    let printed = match found.sort {
        ValueSort::Truth => format!("(({sql})::int)::text"),
        ValueSort::Integer => format!("({sql})::text"),
        ValueSort::Real => format!("encode(float8send({sql}), 'hex')"),
        ValueSort::Text => format!("'''' || ({sql}) || ''''"),
        ValueSort::Blob => format!("encode({sql}, 'hex')"),
        _ => return None,
    };
    Some(Pair { sqlite, printed, postgresql: found.sql.clone(), can_overflow: found.can_overflow })
}

#[test]
fn random_expressions_have_the_same_value_in_both_engines() {
    let seed = seed();
    println!("seed {seed}");
    let mut draw = Draw::new(seed);
    let rows = rows(&mut draw);
    let sqlite = Connection::open_in_memory().expect("a database");
    sqlite
        .execute_batch(
            "CREATE TABLE s (k INTEGER PRIMARY KEY, i2 INT, j INT, r REAL, d NUMERIC, at DATETIME, day DATE, utc TEXT,
                             t TEXT, u TEXT, n TEXT COLLATE NOCASE,
                             z TEXT COLLATE RTRIM, b BOOLEAN, x BLOB); ALTER TABLE s RENAME COLUMN i2 TO i",
        )
        .expect("a table");
    let target = Database::with(
        "CREATE TABLE s (k bigint, i bigint, j bigint, r float8, d numeric, at timestamp, day date, utc timestamptz, \
         t text, u text, n text, z text, b boolean, x bytea)",
    );
    let mut inserts = String::new();
    for (k, row) in rows.iter().enumerate() {
        sqlite.execute_batch(&format!("INSERT INTO s VALUES ({k}, {row})")).expect("a row");
        let parts: Vec<&str> = row.rsplitn(3, ", ").collect();
        let truth = match parts[1] {
            "0" => "false",
            "1" => "true",
            other => other,
        };
        let blob = parts[0].strip_prefix("x'").map_or("NULL".to_owned(), |digits| format!("'\\x{digits}::bytea"));
        let _ = write!(inserts, "INSERT INTO s VALUES ({k}, {}, {truth}, {blob});", parts[2]);
    }
    target.run(&inserts);
    let mut client = target.client();
    let (mut compared, mut overflows) = (0_usize, 0_usize);
    let classes = b"irtbbbx";
    let drawn = (0..EXPRESSIONS).map(|_| {
        let (class, depth) = (classes[draw.below(classes.len())], 1 + draw.below(3));
        draw.expression(class, depth)
    });
    let pairs: Vec<Pair> = drawn.filter_map(translated).collect();
    assert!(pairs.len() * 10 > EXPRESSIONS * 8, "only {} of {EXPRESSIONS} are translated", pairs.len());
    for chunk in pairs.chunks(TOGETHER) {
        let mut ask = |pairs: &[&Pair]| {
            let list: Vec<&str> = pairs.iter().map(|pair| pair.printed.as_str()).collect();
            client
                .query(&format!("SELECT ARRAY[{}] FROM s ORDER BY k", list.join(", ")), &[])
                .map(|rows| rows.iter().map(|row| row.get::<_, Vec<Option<String>>>(0)).collect::<Vec<_>>())
        };
        let all: Vec<&Pair> = chunk.iter().collect();
        // An error of one expression ends the statement: then each is asked by itself.
        let groups: Vec<Vec<&Pair>> =
            if ask(&all).is_ok() { vec![all] } else { all.iter().map(|pair| vec![*pair]).collect() };
        for group in groups {
            let answers = match ask(&group) {
                Ok(answers) => answers,
                Err(error) => {
                    let code = error.code().map(|code| code.code().to_owned()).unwrap_or_default();
                    let is_range = code == "22003";
                    let pair = group[0];
                    assert!(
                        is_range && pair.can_overflow,
                        "seed {seed}: {} => {}: {error:?}",
                        pair.sqlite,
                        pair.postgresql
                    );
                    overflows += 1;
                    continue;
                }
            };
            for (n, pair) in group.iter().enumerate() {
                let mut statement = sqlite.prepare(&format!("SELECT {} FROM s ORDER BY k", pair.sqlite)).expect("SQL");
                let values =
                    statement.query_map([], |row| row.get::<_, Value>(0)).expect("rows").collect::<Result<Vec<_>, _>>();
                // SQLite's own errors are those of a number beyond its range.
                let Ok(values) = values else { continue };
                for (row, value) in values.iter().enumerate() {
                    let answer = answers[row][n].clone().unwrap_or_else(|| "NULL".to_owned());
                    let own = shown(value);
                    // SQLite prints a negative zero as a zero, but PostgreSQL does not.
                    let is_zero = *value == Value::Real(0.0) && answer == "0000000000000000";
                    let own = if is_zero { answer.clone() } else { own };
                    assert!(
                        own == answer,
                        "seed {seed}: {} => {}\nrow ({}): SQLite {own}, PostgreSQL {answer}",
                        pair.sqlite,
                        pair.postgresql,
                        rows[row]
                    );
                    compared += 1;
                }
            }
        }
    }
    println!("{} of {EXPRESSIONS} translated, {overflows} beyond a range, {compared} values compared", pairs.len());
    assert!(compared > 100_000, "{compared}");
}
