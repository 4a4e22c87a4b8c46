//! Random pairs of schemas with random values: a proposal is always TOML whose only mistakes are its questions, and a complete
//! one runs.

use std::fmt::Write;

use super::{Pair, is_sound};

/// Random pairs of one run of the test.
const PAIRS: usize = 40;

const TABLES: [&str; 10] =
    ["notes", "note", "noteTag", "note_tags", "users", "app_user", "Kinds", "events", "event_lines", "order"];

const COLUMNS: [&str; 14] = [
    "title",
    "created_at",
    "createdAt",
    "state",
    "user_id",
    "owner_id",
    "amount",
    "done",
    "uid",
    "data",
    "spent",
    "Labels",
    "select",
    "note_id",
];

const TYPES: [&str; 20] = [
    "int",
    "smallint",
    "bigint",
    "text",
    "varchar(5)",
    "numeric(5,2)",
    "double precision",
    "real",
    "timestamptz",
    "timestamp(3)",
    "date",
    "time",
    "interval",
    "boolean",
    "uuid",
    "jsonb",
    "text[]",
    "real[]",
    "bytea",
    "state",
];

/// Literals of SQLite. Most columns draw all of their values from three of them.
const VALUES: [&str; 36] = [
    "NULL",
    "0",
    "1",
    "7",
    "-3",
    "1700000000",
    "1700000000123",
    "2459000.5",
    "1.5",
    "1.23456",
    "9e99",
    "''",
    "' x '",
    "'t'",
    "'f'",
    "'Yes'",
    "'No'",
    "'2024-01-02'",
    "'2024-01-02 03:04:05'",
    "'2024-01-02T03:04:05Z'",
    "'31/12/2024'",
    "'01/02/2024'",
    "'1700000000'",
    "'20240131'",
    "'1970-01-01 01:30:00'",
    "'01:30:00'",
    "'{\"a\": 1}'",
    "'[1, 2]'",
    "'a,b'",
    "'In Progress'",
    "'DONE'",
    "'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'",
    "x'a0eebc999c0b4ef8bb6d6bb9bd380a11'",
    "x'99bceea00b9cf84ebb6d6bb9bd380a11'",
    "x'3132'",
    "x'0000c03f000000bf'",
];

/// A generator of numbers. The same seed gives the same numbers.
struct Draw(u64);

impl Draw {
    /// From `MIGRATE_TEST_SEED`, or from the clock. Prints the seed.
    fn new() -> Draw {
        let given = std::env::var("MIGRATE_TEST_SEED").ok().and_then(|seed| seed.parse().ok());
        let clock = || std::time::UNIX_EPOCH.elapsed().map_or(1, |t| t.subsec_nanos().into());
        let seed: u64 = given.unwrap_or_else(clock);
        println!("MIGRATE_TEST_SEED={seed}");
        Draw(seed | 1)
    }

    fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % end as u64).expect("a small number")
    }

    fn one_in(&mut self, of: usize) -> bool {
        self.below(of) == 0
    }

    /// Some of a list, each at most once.
    fn some<'a>(&mut self, all: &[&'a str], most: usize) -> Vec<&'a str> {
        let mut left = all.to_vec();
        (0..=self.below(most)).map(|_| left.swap_remove(self.below(left.len()))).collect()
    }
}

/// Both sides of a pair, as SQL.
struct RandomPair {
    source: String,
    target: String,
}

impl RandomPair {
    /// Draws a pair. The target's tables are in a schema of this name.
    fn new(draw: &mut Draw, schema: &str) -> RandomPair {
        let mut target = format!("CREATE SCHEMA {schema}; SET search_path = {schema};\n");
        target += "CREATE TYPE state AS ENUM ('IN_PROGRESS', 'DONE');\n";
        let mut source = String::new();
        let mut parents: Vec<&str> = Vec::new();
        for table in draw.some(&TABLES, 4) {
            let columns = draw.some(&COLUMNS, 5);
            target_table(draw, &mut target, table, &columns, &parents);
            // The source has the same table, one of another name, or columns of its own.
            let name = if draw.one_in(4) { TABLES[draw.below(TABLES.len())] } else { table };
            let columns = if draw.one_in(3) { draw.some(&COLUMNS, 5) } else { columns };
            if !source.contains(&format!("CREATE TABLE \"{name}\""))
                && !source.to_lowercase().contains(&format!("\"{name}\" ("))
            {
                source_table(draw, &mut source, name, &columns);
            }
            parents.push(table);
        }
        RandomPair { source, target }
    }
}

fn target_table(draw: &mut Draw, sql: &mut String, table: &str, columns: &[&str], parents: &[&str]) {
    let key = if draw.one_in(3) { "serial" } else { "int" };
    write!(sql, "CREATE TABLE \"{table}\" (id {key} PRIMARY KEY").expect("text");
    let mut is_nullable = true;
    for column in columns {
        let parent = parents.get(draw.below(parents.len() + 2)).filter(|_| column.ends_with("_id"));
        let kind =
            parent.map_or_else(|| TYPES[draw.below(TYPES.len())].to_owned(), |p| format!("int REFERENCES \"{p}\""));
        let unique = if parent.is_none() && draw.one_in(8) && kind != "jsonb" { " UNIQUE" } else { "" };
        let not_null = if draw.one_in(4) { " NOT NULL" } else { "" };
        is_nullable &= not_null.is_empty();
        write!(sql, ", \"{column}\" {kind}{unique}{not_null}").expect("text");
    }
    *sql += ");\n";
    if is_nullable && draw.one_in(4) {
        writeln!(sql, "INSERT INTO \"{table}\" (id) VALUES (1), (90);").expect("text");
    }
}

fn source_table(draw: &mut Draw, sql: &mut String, table: &str, columns: &[&str]) {
    let list: String = columns.iter().map(|column| format!(", \"{column}\"")).collect();
    writeln!(sql, "CREATE TABLE \"{table}\" (id INTEGER PRIMARY KEY{list});").expect("text");
    let pools: Vec<Vec<&str>> = columns.iter().map(|_| draw.some(&VALUES, 3)).collect();
    for id in 1..=draw.below(5) {
        let values: String = pools.iter().map(|pool| format!(", {}", pool[draw.below(pool.len())])).collect();
        writeln!(sql, "INSERT INTO \"{table}\" VALUES ({id}{values});").expect("text");
    }
}

#[test]
fn a_proposal_for_any_pair_is_sound_and_a_complete_one_runs() {
    let mut draw = Draw::new();
    let (mut complete, mut open) = (0, 0);
    for n in 0..PAIRS {
        let schema = format!("s{n}");
        let random = RandomPair::new(&mut draw, &schema);
        println!("{}\n{}", random.source, random.target);
        let pair = Pair::new(&random.source, &random.target);
        let proposal = pair.proposed(&["--schema", &schema]);
        println!("{}", proposal.text);
        pair.place.write("proposed.toml", &proposal.text);
        is_sound(&pair.place, &["-s", "app.db", "-t", &pair.target.url(), "--schema", &schema], "proposed.toml");
        let questions = proposal.questions();
        let ran = pair.with_mapping(&proposal.text, &["--dry-run"]).ran();
        let is_complete = proposal.ran.said().contains("Complete: the dry run refuses nothing");
        match (questions, is_complete) {
            (0, true) => {
                assert_eq!(ran.code, 0, "{}", ran.said());
                pair.with_mapping(&proposal.text, &["--yes"]).exits(0);
                complete += 1;
            }
            (0, false) => assert_eq!(ran.code, 3, "{}", ran.said()),
            _ => {
                assert_eq!(ran.code, 2, "{}", ran.said());
                assert_eq!(ran.said().matches("is an open question").count(), questions, "{}", ran.said());
                open += 1;
            }
        }
    }
    assert!(complete > 0 && open > 0, "{complete} complete, {open} with questions");
}
